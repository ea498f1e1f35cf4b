/* loss.c - which segments are lost, and what follows from it.
 *
 * With SACK, time decides (RACK, RFC 8985 6): a segment is lost when one sent sufficiently later
 * has been delivered, "sufficiently" being a reordering window that is nil until the path has been
 * seen to reorder and three segments' worth has been SACKed. Without SACK, three duplicate
 * acknowledgements, and in recovery each partial acknowledgement, point at the segment at SND.UNA
 * (NewReno, RFC 6582). The retransmission timer takes all that is in flight for lost (RFC 6298).
 *
 * Marking is all that happens here; output.c sends what is marked as far as the congestion window
 * allows.
 */
#include "tcp/tcp.h"

enum { DUPTHRESH = 3 };

static void fill_ack(const struct tcp *t, const struct conn *c, const struct active *a,
                     const struct ack_sample *s, tern_ack *ack)
{
    *ack = (tern_ack){.now = t->now,
                      .delivered = a->delivered,
                      .prior_delivered = s->prior_delivered,
                      .rtt_ns = s->rtt_ns,
                      .srtt_ns = c->srtt_us8 / 8 * NS_PER_US,
                      .min_rtt_ns = c->min_rtt_us == UINT32_MAX ? 0 : c->min_rtt_us * NS_PER_US,
                      .acked = s->acked,
                      .lost = s->lost,
                      .in_flight = in_flight(c, a),
                      .mss = c->mss,
                      .cwnd_limited = (c->flags & CONN_CWND_LIMITED) != 0,
                      .in_recovery = a->phase == LOSS_RECOVERY};
}

static void tell_cc(struct tcp *t, struct conn *c, enum tern_cc_event event)
{
    struct active *a = c->active;
    struct ack_sample none = {0};
    tern_ack ack;
    fill_ack(t, c, a, &none, &ack);
    /* what was in flight before it was marked lost is what the reduction is taken from */
    ack.in_flight = c->snd_nxt - c->snd_una - a->sacked;
    t->cc[c->cc]->on_event(&a->cc, event, &ack);
    if (event == TERN_CC_LOSS || event == TERN_CC_RTO)
        tcp_trace(t, c,
                  &(tern_trace){.kind = TERN_TRACE_CWND,
                                .cwnd = a->cc.cwnd,
                                .ssthresh = a->cc.ssthresh});
}

void loss_cc_ack(struct tcp *t, struct conn *c, const struct ack_sample *s)
{
    struct active *a = c->active;
    tern_ack ack;
    fill_ack(t, c, a, s, &ack);
    t->cc[c->cc]->on_ack(&a->cc, &ack);
}

static void enter_recovery(struct tcp *t, struct conn *c)
{
    struct active *a = c->active;
    tell_cc(t, c, TERN_CC_LOSS);
    a->phase = LOSS_RECOVERY;
    a->recover = c->snd_nxt;
    a->force = true;
    count(t, TERN_COUNT_FAST_RETRANSMITS);
}

static void mark_lost(struct active *a, struct sent *r, struct ack_sample *s)
{
    sent_mark(a, r, SENT_LOST);
    s->lost += sent_len(r);
}

/* ---- with SACK: RACK ------------------------------------------------------------------------- */

/* RFC 8985 6.2 step 2: the send time of the latest segment that has arrived. A retransmission that
 * seems to have been acknowledged faster than light is the original's acknowledgement. */
static void rack_update(struct tcp *t, const struct conn *c, struct active *a,
                        const struct ack_sample *s)
{
    if (s->latest_sent == 0)
        return;
    uint64_t rtt_us = (t->now - s->latest_sent) / NS_PER_US;
    if (s->latest_retrans && rtt_us < c->min_rtt_us)
        return;
    if (s->latest_sent > a->rack_sent ||
        (s->latest_sent == a->rack_sent && seq_gt(s->latest_end, a->rack_end))) {
        a->rack_sent = s->latest_sent;
        a->rack_end = s->latest_end;
        a->rack_rtt_us = (uint32_t)min_u64(rtt_us, UINT32_MAX);
    }
}

/* Step 4: how much later is later. */
static uint64_t rack_window(const struct conn *c, const struct active *a)
{
    if (!a->reordered && (a->phase != LOSS_OPEN || a->sacked >= DUPTHRESH * c->mss))
        return 0;
    return min_u32(c->min_rtt_us / 4, c->srtt_us8 / 8) * NS_PER_US;
}

/* Step 5. Records are in sequence order and those sent once have rising send times, so the first
 * such one that is too young ends the walk. */
static void rack_mark(struct tcp *t, struct conn *c, struct ack_sample *s)
{
    struct active *a = c->active;
    uint64_t window = rack_window(c, a);
    uint64_t wait = 0;
    a->t_reorder = 0;
    for (struct sent *r = a->sent_head; r != NULL; r = r->next) {
        if (r->flags & (SENT_SACKED | SENT_LOST) || r->in_device != 0)
            continue;
        bool earlier =
            r->time < a->rack_sent || (r->time == a->rack_sent && seq_lt(r->hi, a->rack_end));
        if (!earlier) {
            if (r->flags & SENT_RETRANS)
                continue;
            break;
        }
        uint64_t deadline = r->time + a->rack_rtt_us * NS_PER_US + window;
        if (deadline <= t->now || window == 0)
            mark_lost(a, r, s);
        else
            wait = max_u64(wait, deadline - t->now);
    }
    if (wait != 0) {
        a->t_reorder = tick_after(t, wait);
        timer_arm(t, c, a->t_reorder);
    }
}

/* ---- without SACK: NewReno ------------------------------------------------------------------- */

/* Marks the first segment in flight. */
static void mark_first(struct tcp *t, struct conn *c, struct active *a, struct ack_sample *s)
{
    struct sent *r = a->sent_head;
    if (r == NULL)
        return;
    uint32_t mss = c->mss;
    if (r->flags & SENT_LOST || r->in_device != 0)
        return;
    if (sent_len(r) > mss && sent_split(t, c, a, r, r->lo + mss) == NULL)
        return;
    mark_lost(a, r, s);
}

static void newreno(struct tcp *t, struct conn *c, struct ack_sample *s, bool duplicate)
{
    struct active *a = c->active;
    if (s->advanced) {
        uint32_t mss = c->mss;
        uint32_t left = s->cumulative / mss; /* these had sent their duplicate ACKs before */
        a->dupacks = a->phase == LOSS_RECOVERY && a->dupacks > left ? a->dupacks - left : 0;
        if (a->phase == LOSS_RECOVERY && seq_lt(c->snd_una, a->recover))
            mark_first(t, c, a, s); /* a partial acknowledgement: RFC 6582 3.2 step 3 */
        return;
    }
    if (!duplicate)
        return;
    a->dupacks++;
    /* RFC 6582 4.1 asks whether the duplicates are echoes of our own retransmissions: after a
     * timeout nothing below `recover` starts another recovery */
    if (a->phase == LOSS_OPEN && a->dupacks >= DUPTHRESH)
        mark_first(t, c, a, s);
}

/* ---- what follows ---------------------------------------------------------------------------- */

static void leave_recovery(struct tcp *t, struct conn *c)
{
    struct active *a = c->active;
    bool recovery = a->phase == LOSS_RECOVERY;
    a->phase = LOSS_OPEN;
    a->force = false;
    a->dupacks = 0;
    if (recovery)
        tell_cc(t, c, TERN_CC_RECOVERED);
}

void loss_on_ack(struct tcp *t, struct conn *c, struct ack_sample *s, bool duplicate)
{
    struct active *a = c->active;
    if (a->phase != LOSS_OPEN && s->advanced && seq_geq(c->snd_una, a->recover))
        leave_recovery(t, c);
    if (c->flags & CONN_SACK) {
        rack_update(t, c, a, s);
        if (a->sacked != 0 || a->phase != LOSS_OPEN)
            rack_mark(t, c, s);
        else
            a->t_reorder = 0;
    } else {
        newreno(t, c, s, duplicate);
    }
    if (s->lost != 0 && a->phase == LOSS_OPEN)
        enter_recovery(t, c);
}

void loss_on_reorder_timer(struct tcp *t, struct conn *c)
{
    struct ack_sample s = {0};
    struct active *a = c->active;
    rack_mark(t, c, &s);
    if (s.lost == 0)
        return;
    if (a->phase == LOSS_OPEN)
        enter_recovery(t, c);
    conn_ready(t, c);
}

void loss_on_rto(struct tcp *t, struct conn *c)
{
    struct active *a = c->active;
    struct ack_sample s = {0};
    const struct sent *head = a->sent_head;
    bool renege = (head->flags & SENT_SACKED) != 0; /* RFC 2018 8: SACKs may be taken back */
    if (a->phase != LOSS_RTO)
        tell_cc(t, c, TERN_CC_RTO); /* once for a series of timeouts: RFC 5681 (4) */
    for (struct sent *r = a->sent_head; r != NULL; r = r->next) {
        if (renege)
            sent_unmark(a, r, SENT_SACKED);
        if (!(r->flags & (SENT_SACKED | SENT_LOST)) && r->in_device == 0)
            mark_lost(a, r, &s);
    }
    a->cc.cwnd = c->mss;
    a->phase = LOSS_RTO;
    a->recover = c->snd_nxt;
    a->dupacks = 0;
    a->t_reorder = 0;
    count(t, TERN_COUNT_TIMEOUTS);
}
