/* ack.c - what an acknowledgement says: cumulative, selective, and how long the round trip was. */
#include "tcp/tcp.h"

/* ---- round-trip time (RFC 6298) -------------------------------------------------------------- */

void rtt_sample(struct conn *c, uint32_t rtt_us)
{
    rtt_us = max_u32(min_u32(rtt_us, 1u << 28), 1);
    c->min_rtt_us = min_u32(c->min_rtt_us, rtt_us);
    c->backoff = 0; /* Karn: a valid measurement ends the back-off */
    if (c->srtt_us8 == 0) {
        c->srtt_us8 = rtt_us * 8;
        c->rttvar_us4 = rtt_us * 2;
        return;
    }
    uint32_t srtt = c->srtt_us8 / 8;
    uint32_t delta = srtt > rtt_us ? srtt - rtt_us : rtt_us - srtt;
    c->rttvar_us4 += delta - c->rttvar_us4 / 4; /* 3/4 RTTVAR + 1/4 |SRTT - R'| */
    c->srtt_us8 += rtt_us - srtt;               /* 7/8 SRTT + 1/8 R' */
    c->srtt_us8 = max_u32(c->srtt_us8, 8);
}

uint64_t rto_of(const struct tcp *t, const struct conn *c)
{
    const tern_config *cfg = t->cfg;
    uint64_t rto = cfg->rto_initial;
    if (c->flags & CONN_SYN_LOST && c->state >= TERN_ESTABLISHED)
        rto = max_u64(rto, 3 * NS_PER_S); /* RFC 6298 5.7 */
    if (c->srtt_us8 != 0) /* the variance term, not the sum, has the minimum: as Linux does */
        rto = c->srtt_us8 / 8 * NS_PER_US + max_u64(c->rttvar_us4 * NS_PER_US, cfg->rto_min);
    return min_u64(rto << min_u32(c->backoff, 16), cfg->rto_max);
}

void rto_restart(struct tcp *t, struct conn *c)
{
    struct active *a = c->active;
    a->persist = false;
    a->t_rto = tick_after(t, rto_of(t, c));
    timer_arm(t, c, a->t_rto);
}

void rto_arm(struct tcp *t, struct conn *c)
{
    struct active *a = c->active;
    if (a->t_rto == 0 || a->persist)
        rto_restart(t, c);
}

/* ---- selective acknowledgement (RFC 2018, 2883) ---------------------------------------------- */

static void note_delivered(const struct sent *r, struct ack_sample *s)
{
    if (r->time < s->latest_sent || (r->time == s->latest_sent && !seq_gt(r->hi, s->latest_end)))
        return;
    s->latest_sent = r->time;
    s->latest_end = r->hi;
    s->latest_retrans = (r->flags & SENT_RETRANS) != 0;
    s->prior_delivered = r->delivered;
}

/* Marks the records inside [lo, hi), splitting those at its edges. */
static void sack_range(struct tcp *t, struct conn *c, struct active *a, uint32_t lo, uint32_t hi,
                       struct ack_sample *s)
{
    struct sent *r = a->sent_head;
    while (r != NULL && seq_leq(r->hi, lo))
        r = r->next;
    for (; r != NULL && seq_lt(r->lo, hi); r = r->next) {
        if (r->flags & SENT_SACKED)
            continue;
        if (seq_lt(r->lo, lo) && (r = sent_split(t, c, a, r, lo)) == NULL)
            return; /* a device holds it, or no memory: the next SACK says it again */
        if (seq_gt(r->hi, hi) && sent_split(t, c, a, r, hi) == NULL)
            return;
        note_delivered(r, s);
        if (!(r->flags & SENT_RETRANS) && seq_lt(r->hi, a->sack_high) && a->sacked != 0)
            a->reordered = true;
        sent_unmark(a, r, SENT_LOST);
        sent_mark(a, r, SENT_SACKED);
        s->acked += sent_len(r);
        s->sacked = true;
        r = sent_merge(t, a, r);
    }
}

/* A block counts when it lies in (SEG.ACK, SND.NXT]; both edges are measured from the same point,
 * so that no pair of far-away numbers can pass. One at or below SEG.ACK, or inside another one,
 * reports a duplicate (RFC 2883). */
static void take_sacks(struct tcp *t, struct conn *c, struct active *a, const struct tcp_seg *seg,
                       struct ack_sample *s)
{
    const struct wire_tcp_options *opt = &seg->h.opt;
    uint32_t una = seg->h.ack, flight = c->snd_nxt - una;
    for (uint32_t i = 0; i < opt->sack_count; i++) {
        uint32_t lo = opt->sack[i].lo - una, hi = opt->sack[i].hi - una;
        if (lo < hi && hi <= flight && lo != 0) {
            if (i == 0 && opt->sack_count > 1 && seq_geq(opt->sack[0].lo, opt->sack[1].lo) &&
                seq_leq(opt->sack[0].hi, opt->sack[1].hi)) {
                s->dsack = true;
                continue;
            }
            sack_range(t, c, a, opt->sack[i].lo, opt->sack[i].hi, s);
            if (a->sacked != 0 && seq_gt(opt->sack[i].hi, a->sack_high))
                a->sack_high = opt->sack[i].hi;
        } else if (i == 0 && seq_leq(opt->sack[0].hi, una) &&
                   seq_lt(opt->sack[0].lo, opt->sack[0].hi) &&
                   una - opt->sack[0].lo <= c->snd_wnd_max) {
            s->dsack = true;
        }
    }
}

/* ---- cumulative acknowledgement -------------------------------------------------------------- */

struct rtt_ends {
    uint64_t first, last; /* send times of the first and last record acked that was sent once */
    uint64_t again;       /* and of the last one that was sent again */
};

static void pop_records(struct tcp *t, struct conn *c, struct active *a, uint32_t ack,
                        struct ack_sample *s, struct rtt_ends *ends)
{
    while (a->sent_head != NULL) {
        struct sent *r = a->sent_head;
        bool whole = seq_leq(r->hi, ack);
        if (!whole && seq_geq(r->lo, ack))
            break;
        if (!(r->flags & (SENT_RETRANS | SENT_SACKED | SENT_LOST))) {
            /* (one that a timeout took for lost measures the timer, not the path) */
            if (ends->first == 0)
                ends->first = r->time;
            ends->last = r->time;
            if (a->sacked != 0 && seq_lt(r->lo, a->sack_high))
                a->reordered = true; /* it fills a hole without having been sent again */
        } else if (r->flags & SENT_RETRANS) {
            ends->again = r->time;
        }
        if (!(r->flags & SENT_SACKED)) {
            note_delivered(r, s);
            s->acked += (whole ? r->hi : ack) - r->lo;
        }
        if (whole) {
            s->fin |= (r->flags & SENT_FIN) != 0;
            sent_remove(t, a, r);
            continue;
        }
        /* part of a super-segment: what is left is a shorter record */
        uint8_t marks = r->flags & (SENT_SACKED | SENT_LOST);
        sent_unmark(a, r, SENT_SACKED);
        sent_unmark(a, r, SENT_LOST);
        r->lo = ack;
        if (marks)
            sent_mark(a, r, marks);
        uint32_t offset = ack - c->iss - 1;
        while (r->chunk != NULL && offset - r->chunk->seq >= r->chunk->len)
            r->chunk = r->chunk->next;
        break;
    }
}

static void take_rtt(struct tcp *t, struct conn *c, const struct tcp_seg *seg,
                     const struct rtt_ends *ends, struct ack_sample *s)
{
    if (ends->first != 0) {
        rtt_sample(c, (uint32_t)min_u64((t->now - ends->first) / NS_PER_US, UINT32_MAX));
        s->rtt_ns = max_u64(t->now - ends->last, 1);
        uint32_t last_us = (uint32_t)min_u64(s->rtt_ns / NS_PER_US, UINT32_MAX);
        c->min_rtt_us = max_u32(min_u32(c->min_rtt_us, last_us), 1);
    } else if (ends->again != 0 && c->flags & CONN_TS && seg->h.opt.have & WIRE_OPT_TS) {
        /* Only segments sent again. The echo tells whether it was the last copy that was answered
         * (RFC 7323 4.1); an older one measures how long our retransmission took, not the path. */
        uint32_t copy = (uint32_t)(ends->again / NS_PER_MS) + c->ts_offset;
        if (seq_geq(seg->h.opt.tsecr, copy) &&
            seq_leq(seg->h.opt.tsecr, ts_clock(t) + c->ts_offset))
            rtt_sample(c, (uint32_t)min_u64((t->now - ends->again) / NS_PER_US, UINT32_MAX));
    }
}

void tcp_ack(struct tcp *t, struct conn *c, const struct tcp_seg *seg, struct ack_sample *s)
{
    struct active *a = c->active;
    uint32_t ack = seg->h.ack;
    TERN_ASSERT(a != NULL || ack == c->snd_una);
    if (a == NULL)
        return;
    struct rtt_ends ends = {0};
    s->advanced = ack != c->snd_una;
    s->cumulative = ack - c->snd_una;
    if (c->flags & CONN_SACK && seg->h.opt.have & WIRE_OPT_SACK)
        take_sacks(t, c, a, seg, s);
    if (s->advanced) {
        pop_records(t, c, a, ack, s, &ends);
        c->snd_una = ack;
        if (a->sacked == 0)
            a->sack_high = ack;
        c->retries = 0;
        a->stalled = t->now;
        take_rtt(t, c, seg, &ends, s);
        output_release(t, c, a);
    }
    a->delivered += s->acked;
}
