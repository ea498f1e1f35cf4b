/* kinds.c - sorts segments as Wireshark's analysis of TCP does, from the published description
 * of its fields: the highest number seen and when, the latest acknowledgement, and how close in
 * time. */
#include "base/seq.h"
#include "watch/judge.h"

#define MS 1000000u

enum {
    FAST_WITHIN = 20 * MS, /* of the duplicate ACK that asks for it */
    ORDER_WITHIN = 3 * MS, /* of what overtook it, where the round trip is not known */
};

static bool in_sack(const struct follow_end *o, uint32_t lo, uint32_t hi)
{
    for (uint32_t i = 0; i < o->sack_count; i++)
        if (seq_geq(lo, o->sack[i].lo) && seq_leq(hi, o->sack[i].hi))
            return true;
    return false;
}

/* A segment with data, SYN or FIN that does not advance: which kind of repetition it is. */
static unsigned repetition(const struct follow_conn *k, int from, const struct packet *p,
                           uint64_t time)
{
    const struct follow_end *e = &k->end[from], *o = &k->end[!from];
    uint32_t seq = p->tcp.seq, len = (uint32_t)p->len;
    bool behind = e->next_seq_known && seq_lt(seq, e->next_seq);
    if (len > 1 && e->next_seq_known && seq == e->next_seq - 1)
        behind = false; /* new data, with the byte of a probe */
    if (len > 0 && o->last_ack_known && seq_leq(seq + len, o->last_ack))
        return FOLLOW_SPURIOUS;
    if (!behind)
        return 0;
    uint64_t since_ack = time - o->last_ack_time;
    if (since_ack < FAST_WITHIN && o->dup_acks >= 2 && o->last_ack == seq)
        return FOLLOW_FAST;
    if (since_ack < FAST_WITHIN && o->sack_count != 0 && !in_sack(o, seq, seq + len))
        return FOLLOW_FAST;
    uint64_t within = k->rtt > 1 ? k->rtt : ORDER_WITHIN;
    if (time - e->next_seq_time < within && e->next_seq != seq + len)
        return FOLLOW_OUT_OF_ORDER;
    return FOLLOW_RETRANSMISSION;
}

/* A bare acknowledgement; `asked`: by a keep-alive. */
static unsigned bare(const struct follow_end *e, const struct wire_tcp *h, uint32_t wnd, bool asked)
{
    bool here =
        e->next_seq_known && h->seq == e->next_seq && e->last_ack_known && h->ack == e->last_ack;
    if (!here || !e->window_seen)
        return 0;
    if (wnd != e->last_wnd && wnd != 0)
        return FOLLOW_WINDOW_UPDATE;
    return wnd == e->last_wnd && wnd != 0 && !asked ? FOLLOW_DUP_ACK : 0;
}

static void remember(struct follow_end *e, const struct packet *p, uint32_t wnd, uint64_t time)
{
    const struct wire_tcp *h = &p->tcp;
    uint32_t end = h->seq + wire_tcp_span(h, (uint32_t)p->len);
    if (!e->next_seq_known || seq_gt(end, e->next_seq)) {
        e->next_seq = end;
        e->next_seq_time = time;
        e->next_seq_known = true;
    }
    if (h->flags & TCP_ACK) {
        if (!e->last_ack_known || h->ack != e->last_ack)
            e->dup_acks = 0;
        e->last_ack = h->ack;
        e->last_ack_time = time;
        e->last_ack_known = true;
        e->sack_count = h->opt.sack_count;
        memcpy(e->sack, h->opt.sack, sizeof(e->sack));
    }
    e->last_wnd = wnd;
    e->window_seen = true;
}

unsigned kinds_of(struct follow_conn *k, int from, const struct packet *p, uint64_t time)
{
    struct follow_end *e = &k->end[from];
    const struct follow_end *o = &k->end[!from];
    const struct wire_tcp *h = &p->tcp;
    bool control = h->flags & (TCP_SYN | TCP_FIN | TCP_RST);
    bool scaled = !(h->flags & TCP_SYN) && e->options & o->options & WIRE_OPT_WSCALE;
    uint32_t wnd = (uint32_t)h->wnd << (scaled ? e->wscale : 0);
    unsigned kinds = 0;
    if (wnd == 0 && !control)
        kinds |= FOLLOW_ZERO_WINDOW;
    if (e->next_seq_known && seq_gt(h->seq, e->next_seq) && !(h->flags & TCP_RST))
        kinds |= FOLLOW_MISSING_BEFORE;
    if (h->flags & TCP_ACK && o->next_seq_known && seq_gt(h->ack, o->next_seq))
        kinds |= FOLLOW_MISSING_ACKED;
    if (!control && p->len <= 1 && e->next_seq_known && h->seq == e->next_seq - 1)
        kinds |= FOLLOW_KEEP_ALIVE;
    if (!control && p->len == 0 && !(kinds & FOLLOW_KEEP_ALIVE))
        kinds |= bare(e, h, wnd, o->keep_alive);
    if ((p->len != 0 || h->flags & (TCP_SYN | TCP_FIN)) && !(kinds & FOLLOW_KEEP_ALIVE))
        kinds |= repetition(k, from, p, time);
    e->keep_alive = kinds & FOLLOW_KEEP_ALIVE;
    if (kinds & FOLLOW_DUP_ACK)
        e->dup_acks++;
    if (!(h->flags & TCP_RST))
        remember(e, p, wnd, time);
    return kinds;
}
