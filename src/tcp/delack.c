/* delack.c - when to acknowledge: at once, or with what is sent, or after a while (RFC 9293
 * 3.8.6.3, RFC 5681 4.2).
 *
 * In Linux's style the while adapts to the peer: it follows the time between segments, doubles when
 * no ride was found, and is never longer than a round trip. Segments after a pause are acknowledged
 * at once again, and acknowledgements of data past a hole are put together.
 */
#include "tcp/tcp.h"

enum {
    DELAY_MAX_MS = 200, /* of an acknowledgement that may find a ride, for Linux */
    GAP_ACKS = 3,       /* as many duplicates make a sender retransmit */
    MSS_GUESS = 536,    /* of the peer, before anything came */
    FILLS = 1152,       /* segments that fill more than half of Linux's buffer widen its window */
};

static void ack_at(struct tcp *t, struct conn *c, struct active *a, uint64_t wait)
{
    uint32_t at = tick_after(t, wait);
    if (a->t_delack != 0 && seq_leq(a->t_delack, at))
        return;
    a->t_delack = at;
    timer_arm(t, c, at);
}

/* Linux's delay: what adapt_delay() has found, a round trip at most. */
static uint64_t delay_now(const struct tcp *t, const struct conn *c)
{
    uint64_t least = t->cfg->delack;
    uint64_t delay = c->stats != NULL ? c->stats->ato_half * 2 * NS_PER_MS : 0;
    if (!like_linux(t) || delay <= least)
        return least;
    if (c->srtt_us8 != 0)
        delay = min_u64(delay, max_u64(c->srtt_us8 / 8 * NS_PER_US, least));
    return min_u64(delay, min_u64(t->cfg->rto_min, DELAY_MAX_MS * NS_PER_MS));
}

void delack_later(struct tcp *t, struct conn *c) { ack_at(t, c, c->active, delay_now(t, c)); }

static void be_quick(const struct conn *c, struct active *a)
{
    uint32_t segs = (c->rcv_adv - c->rcv_nxt) / (2 * max_u32(c->rcv_mss, MSS_GUESS));
    a->quick = (uint8_t)max_u32(a->quick, min_u32(max_u32(segs, 2), QUICK_ACKS));
}

static void delay_set(struct conn_stats *s, uint64_t ms)
{
    s->ato_half = (uint8_t)min_u64(ms / 2, UINT8_MAX);
}

void delack_adapt(const struct tcp *t, struct conn *c)
{
    struct active *a = c->active;
    struct conn_stats *s = c->stats;
    uint64_t gap = (t->now - s->received_at) / NS_PER_MS, rto = rto_of(t, c) / NS_PER_MS;
    uint32_t least = (uint32_t)(t->cfg->delack / NS_PER_MS), ato = 2u * s->ato_half;
    if (ato == 0) {
        delay_set(s, least);
        be_quick(c, a);
    } else if (gap <= least / 2) {
        delay_set(s, ato / 2 + least / 2);
    } else if (gap < ato) {
        delay_set(s, min_u64(ato / 2 + gap, rto));
    } else if (gap > rto) {
        be_quick(c, a);
    }
}

/* Linux puts acknowledgements of data past a hole together: the fourth and those after it wait for
 * part of a round trip. Data in the hole, or without SACK, is not waited for. */
static bool compresses(struct tcp *t, struct conn *c, struct active *a)
{
    const tern_tuning *u = &t->cfg->tuning;
    struct conn_stats *s = c->stats;
    if (!like_linux(t) || s == NULL || !(c->flags & CONN_SACK) ||
        s->gap_acks >= GAP_ACKS + u->comp_sack_nr)
        return false;
    if (s->gap_at != c->rcv_nxt) {
        s->gap_at = c->rcv_nxt;
        s->gap_acks = 0;
    }
    if (++s->gap_acks <= GAP_ACKS)
        return false;
    uint64_t us = s->rcv_rtt_us8;
    us = (c->srtt_us8 != 0 ? min_u64(us, c->srtt_us8) : us) / 8;
    us = min_u64(us * u->comp_sack_percent / 100, u->comp_sack_us) + u->comp_slack_us;
    ack_at(t, c, a, us * NS_PER_US);
    return true;
}

/* While the owner does not read, a second segment does not move the window: its ACK can wait. */
static bool window_moves(const struct tcp *t, const struct conn *c, const struct active *a)
{
    return !like_linux(t) || c->rcv_adv == c->rcv_nxt ||
           reasm_window(t, c, a) >= c->rcv_adv - c->last_ack_sent;
}

bool delack_may_wait(const struct tcp *t, const struct conn *c)
{
    bool fills = c->rcv_mss > FILLS;
    return c->rcv_nxt - c->last_ack_sent <= c->rcv_mss ||
           (!fills && !window_moves(t, c, c->active));
}

void delack_missed(const struct tcp *t, struct conn *c)
{
    struct active *a = c->active;
    bool waited = interactive(t, a);
    a->answers = 0;
    if (c->stats == NULL || c->stats->ato_half == 0)
        return;
    uint64_t longer = min_u64(4u * c->stats->ato_half, rto_of(t, c) / NS_PER_MS);
    delay_set(c->stats, waited ? t->cfg->delack / NS_PER_MS : longer);
}

bool delack_compressed(const struct conn *c)
{
    return c->stats != NULL && c->stats->gap_acks > GAP_ACKS;
}

void delack_sent(struct conn *c)
{
    if (delack_compressed(c))
        c->stats->gap_acks = GAP_ACKS;
}

void delack_schedule(struct tcp *t, struct conn *c, const struct tcp_seg *seg,
                     enum delack_when when)
{
    bool at_once = when == ACK_NOW;
    struct active *a = c->active;
    uint32_t wire_len = seg->pkt->gso_size != 0 ? seg->pkt->gso_size : seg->len;
    if (a != NULL && a->pushed < 2 && (wire_len < c->rcv_mss || seg->h.flags & TCP_PSH))
        a->pushed++;
    c->rcv_mss = (uint16_t)max_u32(c->rcv_mss, min_u32(wire_len, UINT16_MAX));
    if (like_linux(t) && a != NULL && a->t_delack != 0 &&
        tick_due(t, a->t_delack - ticks_of(delay_now(t, c) / 4)))
        at_once = true; /* it is almost time */
    at_once |= t->cfg->tuning.quickack;
    bool second = bsd(t) && a != NULL && (a->t_delack != 0 || t->cfg->delack == 0);
    if (at_once || a == NULL || second || (a->quick != 0 && !interactive(t, a)) ||
        (!bsd(t) && c->rcv_nxt - c->last_ack_sent > c->rcv_mss && window_moves(t, c, a)))
        input_ack_now(t, c);
    else if (when == ACK_GAP && !compresses(t, c, a))
        input_ack_now(t, c);
    else if (when == ACK_SOON)
        delack_later(t, c);
}
