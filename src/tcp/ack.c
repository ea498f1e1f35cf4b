/* ack.c - what an acknowledgement says: cumulative, selective, and how long the round trip was.
 *
 * Everything it says is advice from outside: a SACK block counts only if it lies in what is in
 * flight, records are split only where whole segments can end, and the records that may be
 * looked at for one acknowledgement are limited (active.steps), so that no pattern of blocks
 * buys more work than sending them costs. A block that does not get its turn will be said again.
 */
#include "tcp/tcp.h"

/* ---- round-trip time (RFC 6298) -------------------------------------------------------------- */

/* The least of the last five to ten minutes: two halves, of which the older one is dropped. */
static void note_min_rtt(const struct tcp *t, struct conn *c, uint32_t rtt_us)
{
    struct active *a = c->active;
    if (a != NULL) {
        if (a->min_rtt_next == 0)
            a->min_rtt_tick = t->tick;
        if (t->tick - a->min_rtt_tick > ticks_of(t->cfg->tuning.min_rtt_s * NS_PER_S)) {
            a->min_rtt_tick = t->tick;
            c->min_rtt_us = a->min_rtt_next;
            a->min_rtt_next = rtt_us;
        }
        if (a->min_rtt_next == 0 || rtt_us < a->min_rtt_next)
            a->min_rtt_next = rtt_us;
    }
    c->min_rtt_us = min_u32(c->min_rtt_us, rtt_us);
}

static uint32_t rtt_clamp(uint64_t ns)
{
    return (uint32_t)max_u64(min_u64(ns / NS_PER_US, 1u << 28), 1);
}

void rtt_sample(const struct tcp *t, struct conn *c, uint64_t rtt_ns, bool round)
{
    uint32_t rtt_us = rtt_clamp(rtt_ns);
    note_min_rtt(t, c, rtt_us);
    c->backoff = 0; /* Karn: a valid measurement ends the back-off */
    if (c->srtt_us8 == 0) {
        c->srtt_us8 = rtt_us * 8;
        c->rttvar_us4 = rtt_us * 2;
        return;
    }
    uint32_t srtt = c->srtt_us8 / 8, var = c->rttvar_us4 / 4;
    uint32_t delta = srtt > rtt_us ? srtt - rtt_us : rtt_us - srtt;
    if (srtt > rtt_us && delta > var)
        c->rttvar_us4 += (delta - var) / 8; /* a path that gets faster is no reason for doubt */
    else if (round || delta > var)
        c->rttvar_us4 += delta - var; /* 3/4 RTTVAR + 1/4 |SRTT - R'| */
    c->srtt_us8 += rtt_us - srtt;     /* 7/8 SRTT + 1/8 R' */
    c->srtt_us8 = max_u32(c->srtt_us8, 8);
}

/* A minimum, and a slop on top, which the first SYN goes without. */
static uint64_t rto_bsd(const struct tcp *t, const struct conn *c)
{
    const uint64_t slop = BSD_SLOP_MS * NS_PER_MS, initial = t->cfg->rto_initial;
    bool syn = c->state < TERN_ESTABLISHED;
    uint64_t rto = syn ? initial : initial - min_u64(slop, initial);
    if (c->srtt_us8 != 0)
        rto = (c->srtt_us8 / 8 + c->rttvar_us4) * NS_PER_US;
    rto = max_u64(rto, BSD_RTO_MIN_MS * NS_PER_MS) << min_u32(c->backoff, 16);
    return min_u64(rto + (syn && c->backoff == 0 ? 0 : slop), t->cfg->rto_max);
}

uint64_t rto_of(const struct tcp *t, const struct conn *c)
{
    const tern_config *cfg = t->cfg;
    uint64_t rto = cfg->rto_initial;
    if (c->flags & CONN_SYN_LOST && c->state >= TERN_ESTABLISHED)
        rto = max_u64(rto, 3 * NS_PER_S); /* RFC 6298 5.7 */
    if (bsd(t))
        return rto_bsd(t, c);
    if (c->srtt_us8 != 0) /* the variance term, not the sum, has the minimum: as Linux does */
        rto = c->srtt_us8 / 8 * NS_PER_US + max_u64(c->rttvar_us4 * NS_PER_US, cfg->rto_min);
    return min_u64(rto << min_u32(c->backoff, 16), cfg->rto_max);
}

/* Since when its peer is silent; Linux counts from the first timeout, or window probe, on. */
uint64_t user_timeout_since(const struct tcp *t, const struct conn *c)
{
    const struct active *a = c->active;
    if (!like_linux(t) || c->state < TERN_ESTABLISHED || c->stats == NULL)
        return a->stalled;
    if (a->persist)
        return a->stalled != 0 ? a->stalled : TERN_NEVER;
    return c->retries != 0 ? c->stats->timeout_at : TERN_NEVER;
}

void rto_set(struct tcp *t, struct conn *c)
{
    struct active *a = c->active;
    uint64_t wait = rto_of(t, c);
    if (a->sent_head != NULL && UNLIKELY(a->sent_head->time > t->now))
        wait += a->sent_head->time - t->now; /* from its departure */
    uint64_t since = user_timeout_since(t, c);
    if (c->user_timeout_ms != 0 && since != 0 && since != TERN_NEVER) {
        /* not later than the user's limit */
        uint64_t end = since + c->user_timeout_ms * NS_PER_MS;
        wait = min_u64(wait, end > t->now ? end - t->now : 0);
    }
    a->t_rto = tick_after(t, wait);
}

void rto_restart(struct tcp *t, struct conn *c)
{
    struct active *a = c->active;
    a->persist = false;
    rto_set(t, c);
    timer_arm(t, c, a->t_rto);
}

void rto_arm(struct tcp *t, struct conn *c)
{
    struct active *a = c->active;
    if (a->t_rto == 0 || a->persist)
        rto_restart(t, c);
}

/* ---- one record arrived ---------------------------------------------------------------------- */

/* An acknowledgement of a segment sent twice may be the answer to the first copy. One that is
 * faster than light is. With timestamps the echo tells as well (its clock is ours, in
 * milliseconds: what was sent within the same millisecond stays in doubt and passes), but only
 * of what is acknowledged in order: a segment past a hole is not echoed (RFC 7323 4.3). */
static bool ambiguous(const struct tcp *t, const struct conn *c, const struct sent *r, bool echo,
                      uint32_t tsecr)
{
    if (echo && seq_lt(tsecr, (uint32_t)(r->time / NS_PER_MS) + c->ts_offset))
        return true;
    return ns_since(t, r->time) / NS_PER_US < c->min_rtt_us;
}

static inline bool sent_after(uint64_t time_a, uint32_t end_a, uint64_t time_b, uint32_t end_b)
{
    return time_a > time_b || (time_a == time_b && seq_gt(end_a, end_b));
}

/* It arrived: the latest one sent that did is what RACK (RFC 8985 6.2 step 2) and the delivery rate
 * are measured by. */
static void note_delivered(const struct tcp *t, const struct conn *c, const struct sent *r,
                           struct ack_sample *s, bool in_order)
{
    struct active *a = c->active;
    if (s->latest_sent == 0 || sent_after(r->time, r->hi, s->latest_sent, s->latest_end)) {
        s->latest_sent = r->time;
        s->latest_end = r->hi;
        s->latest_flags = r->flags;
        s->prior_delivered = r->delivered;
        s->prior_lost = r->lost;
        s->flight = r->flight;
        s->since_ack = r->since_ack;
        s->since_sent = r->since_sent;
    }
    if (UNLIKELY(r->flags & SENT_RETRANS) && ambiguous(t, c, r, in_order && s->echo, s->tsecr))
        return;
    if (sent_after(r->time, r->hi, a->rack_sent, a->rack_end)) {
        a->rack_news = true;
        a->rack_sent = r->time;
        a->rack_end = r->hi;
        a->rack_rtt_us = rtt_clamp(ns_since(t, r->time));
    }
}

/* What arrived without having been sent again was sent before what a SACK has reported: the path
 * reorders, by that much (RFC 8985 6.2 step 3). */
static void note_reordering(const struct tcp *t, const struct conn *c, uint32_t seq, uint32_t high)
{
    struct active *a = c->active;
    if (!seq_lt(seq, high))
        return;
    uint32_t segs = (high - seq + c->mss - 1) / c->mss;
    a->reordering = (uint16_t)max_u32(a->reordering, min_u32(segs, t->cfg->tuning.reordering_max));
    a->reord_seen++;
}

/* ---- selective acknowledgement (RFC 2018, 2883) ---------------------------------------------- */

static void sacked(struct tcp *t, struct conn *c, struct sent *r, struct ack_sample *s)
{
    struct active *a = c->active;
    note_delivered(t, c, r, s, false);
    if (!(r->flags & SENT_RETRANS)) {
        if (seq_lt(r->lo, s->reordered))
            s->reordered = r->lo;
        if (seq_leq(r->hi, a->recover))
            s->original = true;
        if (s->sacked_first == 0)
            s->sacked_first = r->time;
        s->sacked_last = r->time;
    }
    info_delivered(t, c, r->lo, r->hi);
    s->slack += (int32_t)sent_slack(a, r);
    sent_mark(a, r, SENT_SACKED);
    a->sacked_segs += (sent_len(r) + c->mss - 1) / c->mss;
    s->segs += (sent_len(r) + c->mss - 1) / c->mss;
    s->acked += sent_len(r);
    s->sacked = true;
}

/* Where whole segments of a record may end: nowhere in its first half segment, so that blocks of
 * single bytes cannot cut it into crumbs. */
static bool may_split(const struct conn *c, const struct sent *r, uint32_t seq)
{
    return seq - r->lo >= (c->mss + 1u) / 2;
}

/* Marks the records inside [lo, hi), splitting those at its edges. false: not all of it, because a
 * device holds a record, or for lack of steps or memory: the next SACK will say it again. */
static bool sack_range(struct tcp *t, struct conn *c, struct wire_sack k, struct ack_sample *s)
{
    struct active *a = c->active;
    bool all = true;
    struct sent *before = NULL, *r = a->sack_at;
    if (r == NULL || seq_gt(r->lo, k.lo))
        r = a->sent_head;
    for (; r != NULL && seq_lt(r->lo, k.hi); before = r, r = r->next) {
        if (a->steps == 0)
            return false;
        a->steps--;
        count(t, TERN_COUNT_SCOREBOARD_STEPS);
        if (seq_leq(r->hi, k.lo) || r->flags & SENT_SACKED)
            continue;
        if (seq_lt(r->lo, k.lo)) {
            if (!may_split(c, r, k.lo) || sent_split(t, c, a, r, k.lo) == NULL) {
                all = false;
                continue;
            }
            before = r;
            r = r->next;
        }
        if (seq_gt(r->hi, k.hi) && (!may_split(c, r, k.hi) || sent_split(t, c, a, r, k.hi) == NULL))
            return false;
        sacked(t, c, r, s);
        if (before != NULL && sent_join(t, a, before))
            r = before;
        while (sent_join(t, a, r))
            ;
        a->sack_at = r;
    }
    return all;
}

/* What a block of the last acknowledgement said is not looked for again: [lo, hi) shrinks. */
static bool skip_seen(const struct active *a, struct wire_sack *k)
{
    for (unsigned i = 0; i < SACK_SEEN; i++) {
        uint32_t lo = a->sack_seen[i].lo, len = a->sack_seen[i].hi - lo;
        if (len == 0 || k->lo - lo > len)
            continue;
        if (k->hi - lo <= len)
            return true;
        k->lo = lo + len;
    }
    return false;
}

/* A duplicate was reported: one of our copies was for nothing (RFC 2883, RFC 3708). */
static void take_dsack(struct tcp *t, struct conn *c, struct wire_sack k, struct ack_sample *s)
{
    struct active *a = c->active;
    uint32_t len = k.hi - k.lo;
    if (len == 0 || len > c->snd_wnd_max + c->mss)
        return;
    uint32_t segs = (len + c->mss - 1) / c->mss;
    bool probe = a->tlp >= TLP_NEW && a->tlp_high == k.hi;
    if (a->dsack_segs + segs > a->retrans_segs)
        return; /* more than we have sent twice: the network did that, or it is a lie */
    a->dsack_segs += segs;
    if (c->stats != NULL)
        c->stats->delivered += segs;
    if (a->reord_seen != 0 && !probe)
        a->dsack_seen = true;
    s->dsack = true;
    s->dsack_probe |= probe && segs == 1;
    count(t, TERN_COUNT_DSACKS);
    if (a->undo && a->undo_segs > 0 && seq_gt(k.hi, a->undo_una))
        a->undo_segs -= (int32_t)min_u32(segs, (uint32_t)a->undo_segs);
}

/* A block counts when it lies in (SND.UNA, SND.NXT]; both edges are measured from the same point,
 * so that no pair of far-away numbers can pass. */
static bool take_block(const struct conn *c, struct wire_sack k)
{
    uint32_t lo = k.lo - c->snd_una, hi = k.hi - c->snd_una;
    return lo < hi && hi <= c->snd_nxt - c->snd_una && lo != 0;
}

/* The first block reports a duplicate when it lies below SEG.ACK or in the second (RFC 2883 4). */
static bool is_dsack(const struct conn *c, const struct wire_tcp *h)
{
    const struct wire_sack *k = h->opt.sack;
    uint32_t una = seq_max(h->ack, c->snd_una);
    if (!seq_lt(k[0].lo, k[0].hi))
        return false;
    if (seq_lt(k[0].lo, h->ack))
        return seq_leq(k[0].hi, una) && una - k[0].lo <= c->snd_wnd_max + c->mss;
    return h->opt.sack_count > 1 && seq_geq(k[0].lo, k[1].lo) && seq_leq(k[0].hi, k[1].hi) &&
           take_block(c, k[0]);
}

static void take_sacks(struct tcp *t, struct conn *c, const struct wire_tcp *h,
                       struct ack_sample *s)
{
    struct active *a = c->active;
    struct wire_sack blocks[WIRE_SACK_MAX];
    uint32_t n = 0, i = 0;
    if (is_dsack(c, h)) {
        take_dsack(t, c, h->opt.sack[0], s);
        i = 1;
    }
    for (; i < h->opt.sack_count; i++) {
        struct wire_sack k = h->opt.sack[i];
        if (!take_block(c, k)) {
            count(t, TERN_COUNT_SACKS_INVALID);
            continue;
        }
        uint32_t at = n++; /* in the order of the records, for one walk */
        for (; at > 0 && seq_gt(blocks[at - 1].lo, k.lo); at--)
            blocks[at] = blocks[at - 1];
        blocks[at] = k;
    }
    uint32_t high = a->sacked != 0 ? a->sack_high : c->snd_una;
    struct wire_sack seen[SACK_SEEN] = {0};
    for (i = 0; i < n; i++) {
        struct wire_sack k = blocks[i];
        if (skip_seen(a, &k) || sack_range(t, c, k, s))
            seen[i] = blocks[i];
    }
    memcpy(a->sack_seen, seen, sizeof(seen));
    if (a->sacked != 0 && n != 0)
        a->sack_high = seq_max(high, blocks[n - 1].hi);
    if (seq_lt(s->reordered, high))
        note_reordering(t, c, s->reordered, high);
}

/* ---- cumulative acknowledgement -------------------------------------------------------------- */

struct rtt_ends {
    uint64_t first, last; /* send times of the first and last record acked that was sent once */
    uint64_t again;       /* and of the last one that was sent again */
};

/* A record, or its part below `ack`, leaves the flight. */
static void acked(struct tcp *t, struct conn *c, const struct sent *r, struct ack_sample *s,
                  struct rtt_ends *ends)
{
    struct active *a = c->active;
    if (UNLIKELY(r->flags & SENT_RETRANS)) {
        ends->again = r->time;
    } else if (LIKELY(!(r->flags & SENT_SACKED))) {
        if (ends->first == 0)
            ends->first = r->time;
        ends->last = r->time;
        if (seq_lt(r->lo, s->reordered))
            s->reordered = r->lo;
        if (seq_leq(r->hi, a->recover))
            s->original = true;
    }
    if (LIKELY(!(r->flags & SENT_SACKED)))
        note_delivered(t, c, r, s, true);
}

static void pop_records(struct tcp *t, struct conn *c, uint32_t ack, struct ack_sample *s,
                        struct rtt_ends *ends)
{
    struct active *a = c->active;
    while (a->sent_head != NULL) {
        struct sent *r = a->sent_head;
        bool whole = seq_leq(r->hi, ack);
        if (!whole && seq_geq(r->lo, ack))
            break;
        acked(t, c, r, s, ends);
        if (!(r->flags & SENT_SACKED)) {
            s->acked += (whole ? r->hi : ack) - r->lo;
            if (UNLIKELY(c->ecn != 0))
                s->segs += ((whole ? r->hi : ack) - r->lo + c->mss - 1) / c->mss;
            info_delivered(t, c, r->lo, whole ? r->hi : ack);
            s->slack += (int32_t)sent_slack(a, r);
        }
        if (!whole) {
            sent_cut(c, a, r, ack); /* part of a super-segment: the rest is a shorter record */
            s->slack -= (int32_t)(r->flags & SENT_SACKED ? 0 : sent_slack(a, r));
            break;
        }
        s->fin |= (r->flags & SENT_FIN) != 0;
        sent_pop(t, a);
    }
}

/* Without SACK a partial acknowledgement fills one hole; the rest of it had sent its duplicate ACKs
 * before, and was counted then. */
static void eat_dupacks(const struct conn *c, struct active *a, struct ack_sample *s)
{
    uint32_t whole = s->acked + (uint32_t)s->slack;
    uint32_t segs = (s->cumulative + (uint32_t)s->slack + c->mss - 1) / c->mss;
    uint32_t counted = a->dupacks * c->mss;
    uint32_t fresh = max_u32(whole - min_u32(counted, whole), min_u32(whole, c->mss));
    s->acked = max_u32(s->acked - min_u32(counted, s->acked), min_u32(s->acked, c->mss));
    s->slack = (int32_t)(fresh - s->acked);
    a->dupacks -= min_u32(segs - 1, a->dupacks);
}

/* RFC 6298 with Karn's rule: nothing is measured by what was sent twice, except that the echoed
 * timestamp tells which copy was answered (RFC 7323 4.1). A SACK measures as well. The formulas are
 * for one measurement a round trip; of the many there are, one lets the variance fall (4.2 there).
 */
static void take_rtt(struct tcp *t, struct conn *c, const struct rtt_ends *ends,
                     struct ack_sample *s)
{
    uint64_t first = ends->again == 0 ? ends->first : 0;
    uint64_t last = first != 0 ? ends->last : 0;
    bool round = seq_geq(s->prior_delivered, (uint32_t)c->active->round_end);
    if (s->sacked_first != 0) {
        first = first != 0 ? first : s->sacked_first;
        last = s->sacked_last;
    }
    if (first != 0) {
        s->rtt_ns = max_u64(ns_since(t, last), 1);
        if (last != first) /* (else it is the sample) */
            note_min_rtt(t, c, rtt_clamp(s->rtt_ns));
        rtt_sample(t, c, ns_since(t, first), round);
    } else if (ends->again != 0 && s->echo) {
        uint32_t copy = (uint32_t)(ends->again / NS_PER_MS) + c->ts_offset;
        if (seq_geq(s->tsecr, copy) && seq_leq(s->tsecr, ts_clock(t) + c->ts_offset))
            rtt_sample(t, c, ns_since(t, ends->again), round);
    }
}

void tcp_ack(struct tcp *t, struct conn *c, const struct tcp_seg *seg, struct ack_sample *s)
{
    struct active *a = c->active;
    uint32_t ack = seq_max(seg->h.ack, c->snd_una);
    TERN_ASSERT(a != NULL || ack == c->snd_una);
    *s = (struct ack_sample){.prior_una = c->snd_una, .cumulative = ack - c->snd_una};
    if (a == NULL)
        return;
    struct rtt_ends ends = {0};
    bool holes = a->sacked != 0; /* before this ACK */
    uint32_t high = a->sack_high;
    s->advanced = ack != c->snd_una;
    s->reordered = c->snd_nxt;
    s->echo = c->flags & CONN_TS && seg->h.opt.have & WIRE_OPT_TS && seg->h.opt.tsecr != 0;
    s->tsecr = seg->h.opt.tsecr;
    ack_steps(a);
    if (UNLIKELY(c->flags & CONN_SACK && seg->h.opt.have & WIRE_OPT_SACK))
        take_sacks(t, c, &seg->h, s);
    if (s->advanced) {
        s->reordered = c->snd_nxt;
        pop_records(t, c, ack, s, &ends);
        uint32_t news = ack - c->snd_una;
        c->snd_una = ack;
        if (UNLIKELY(a->sacked == 0))
            a->sacked_segs = 0;
        if (UNLIKELY(holes) && seq_lt(s->reordered, high))
            note_reordering(t, c, s->reordered, high); /* a hole filled without our doing */
        a->dup_run = 0;
        if (UNLIKELY(a->dupacks != 0))
            eat_dupacks(c, a, s);
        c->retries = 0;
        a->stalled = t->now;
        memory_moves(t, a, news);
        output_release(t, c, a);
    }
    if (s->advanced || s->sacked)
        take_rtt(t, c, &ends, s);
    a->delivered += s->acked;
}
