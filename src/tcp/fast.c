/* fast.c - the segment one expects: the next data, or the acknowledgement of what was sent, in a
 * connection where nothing is lost, out of order or about to end (header prediction, Van Jacobson
 * 1990). It does what the checks of input.c would do, in their order, without asking what cannot be;
 * any doubt sends the segment there. A test plays the same worlds with and without it and compares
 * every packet.
 */
#include "tcp/tcp.h"

/* Whether no check of input.c would find anything to say about this segment. */
static inline bool expected(const struct conn *c, const struct active *a, const struct tcp_seg *seg)
{
    const struct wire_tcp *h = &seg->h;
    if (c->state != TERN_ESTABLISHED || a == NULL || (h->flags & ~TCP_PSH) != TCP_ACK ||
        h->seq != c->rcv_nxt || seg->len > c->rcv_adv - c->rcv_nxt ||
        h->ack - c->snd_una > c->snd_nxt - c->snd_una || c->flags & CONN_RX_CLOSED)
        return false;
    if (c->flags & CONN_TS) {
        if (h->opt.have != WIRE_OPT_TS || seq_lt(h->opt.tsval, c->ts_recent))
            return false;
    } else if (h->opt.have != 0) {
        return false;
    }
    /* nothing past a hole, nothing lost, no probing, no duplicate to report */
    if ((a->ooo.count | a->sacked | a->lost | a->dupacks | (a->dsack_lo ^ a->dsack_hi) |
         (uint32_t)a->phase | (uint32_t)a->fin_ahead | (uint32_t)a->persist) != 0 ||
        seg->donated)
        return false;
    return seg->len != 0 || h->ack != c->snd_una; /* else a duplicate, or a window update */
}

/* The acknowledgement covers records in whole, each of which was sent once. false: nothing was
 * changed, and it is not so simple. */
static inline bool take_ack(struct tcp *t, struct conn *c, struct active *a, uint32_t ack)
{
    struct sent *r = a->sent_head;
    if (UNLIKELY(r == NULL || r->flags & SENT_RETRANS || seq_gt(r->hi, ack)))
        return false;
    uint64_t first = r->time, last;
    uint32_t acked = ack - c->snd_una;
    const struct sent *end = r;
    while (end->hi != ack) {
        end = end->next;
        if (UNLIKELY(end == NULL || end->flags & SENT_RETRANS || seq_gt(end->hi, ack)))
            return false;
    }
    for (bool more = true; more;) {
        struct sent *next = r->next;
        more = r != end;
        last = r->time;
        sent_remove(t, a, r);
        r = next;
    }
    struct ack_sample s = {.acked = acked, .cumulative = acked, .advanced = true};
    rtt_sample(c, (uint32_t)min_u64((t->now - first) / NS_PER_US, UINT32_MAX));
    s.rtt_ns = max_u64(t->now - last, 1);
    c->min_rtt_us = max_u32(min_u32(c->min_rtt_us, (uint32_t)(s.rtt_ns / NS_PER_US)), 1);
    c->snd_una = a->sack_high = ack;
    c->retries = 0;
    a->stalled = t->now;
    a->delivered += acked;
    output_release(t, c, a);
    loss_cc_ack(t, c, &s);
    return true;
}
