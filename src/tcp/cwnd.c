/* cwnd.c - the congestion window, on behalf of the algorithm.
 *
 * The algorithm (tern/cc.h) lets the window grow and says to what it is to be reduced; how the
 * reduction is spread over a recovery (PRR, RFC 9937), what happens at a timeout (RFC 5681 3.1),
 * when a window has not been used (RFC 2861, RFC 7661) or not for a while (RFC 5681 4.1), and
 * when a reduction was a mistake, is the same for all and done here. An algorithm that has a
 * model of the path (TERN_CC_OWN_CWND) does all that itself.
 *
 * Here also the delivery rate is sampled (draft-ietf-ccwg-bbr, "delivery rate samples"): between
 * the acknowledgement that was the last when a segment left and the one that reports it
 * delivered, so many bytes have arrived; the longer of the times that took at either end counts.
 *
 * Windows are bytes, but move by whole segments, as in the stacks people compare with.
 */
#include "tcp/tcp.h"

static bool own_cwnd(const struct tcp *t, const struct conn *c)
{
    return (t->cc[c->cc]->flags & TERN_CC_OWN_CWND) != 0;
}

static void set_cwnd(struct active *a, uint32_t cwnd) { a->cc.cwnd = min_u32(cwnd, CWND_MAX); }

uint32_t cwnd_ssthresh(const struct active *a)
{
    if (loss_reducing(a))
        return a->cc.ssthresh;
    return max_u32(a->cc.ssthresh, a->cc.cwnd / 2 + a->cc.cwnd / 4);
}

/* Whether the window was what limited sending. In slow start half of it is enough: it may double
 * between two looks. */
static bool limited(const struct conn *c, const struct active *a)
{
    if (a->cc.cwnd < a->cc.ssthresh)
        return a->cc.cwnd < 2 * a->used_max;
    return (c->flags & CONN_CWND_LIMITED) != 0;
}

/* As the window counts it. */
static uint32_t cwnd_acked(const struct ack_sample *s) { return s->acked + (uint32_t)s->slack; }

/* ---- what the algorithm is told -------------------------------------------------------------- */

static void rate_sample(const struct tcp *t, const struct conn *c, const struct ack_sample *s,
                        tern_ack *ack)
{
    struct active *a = c->active;
    if (s->latest_sent == 0)
        return;
    uint32_t delivered = (uint32_t)a->delivered - s->prior_delivered;
    ack->prior_delivered = a->delivered - delivered;
    if (ack->prior_delivered >= a->round_end) {
        a->round_end = a->delivered;
        ack->round_start = 1;
    }
    a->flight_sent = max_u64(a->flight_sent, s->latest_sent);
    if (s->flight == 0 || !rate_wanted(t, c))
        return;
    ack->tx_in_flight = sent_exact(s->flight);
    ack->lost_since = a->lost_total - s->prior_lost;
    ack->app_limited = (s->latest_flags & SENT_APP_LIMITED) != 0;
    uint64_t sent_us = sent_exact(s->since_sent);
    uint64_t acked_us = ns_since(t, s->latest_sent) / NS_PER_US + sent_exact(s->since_ack);
    if (acked_us < c->min_rtt_us)
        return; /* it was sent twice, and the first copy is what arrived */
    ack->interval_ns = max_u64(sent_us, acked_us) * NS_PER_US;
    if (!ack->app_limited || a->rate_us == 0 ||
        (uint64_t)delivered * a->rate_us >= (ack->interval_ns / NS_PER_US) * a->rate_delivered) {
        a->rate_delivered = delivered;
        a->rate_us = (uint32_t)(ack->interval_ns / NS_PER_US);
        a->rate_few = ack->app_limited;
    }
}

static void fill(const struct tcp *t, const struct conn *c, tern_ack *ack)
{
    const struct active *a = c->active;
    *ack = (tern_ack){.now = t->now,
                      .delivered = a->delivered,
                      .srtt_ns = c->srtt_us8 / 8 * NS_PER_US,
                      .min_rtt_ns = c->min_rtt_us == UINT32_MAX ? 0 : c->min_rtt_us * NS_PER_US,
                      .in_flight = in_flight(c, a),
                      .mss = c->mss,
                      .in_recovery = loss_reducing(a),
                      .abe = t->cfg->ecn_abe,
                      .sack = (c->flags & CONN_SACK) != 0};
}

static void tell(struct tcp *t, struct conn *c, enum tern_cc_event event, uint64_t silence)
{
    struct active *a = c->active;
    tern_ack ack;
    uint32_t cwnd = a->cc.cwnd;
    fill(t, c, &ack);
    ack.interval_ns = silence;
    t->cc[c->cc]->on_event(&a->cc, event, &ack);
    if (!own_cwnd(t, c))
        a->cc.cwnd = cwnd;
}

void cwnd_lost(struct tcp *t, struct conn *c, const struct sent *r)
{
    struct active *a = c->active;
    tern_ack ack;
    fill(t, c, &ack);
    ack.lost = sent_len(r);
    ack.lost_since = a->lost_total - r->lost;
    ack.app_limited = (r->flags & SENT_APP_LIMITED) != 0;
    t->cc[c->cc]->on_lost(&a->cc, sent_len(r), sent_exact(r->flight), &ack);
}

static void trace(struct tcp *t, struct conn *c)
{
    const tern_cc *cc = &c->active->cc;
    tcp_trace(t, c,
              &(tern_trace){.kind = TERN_TRACE_CWND, .cwnd = cc->cwnd, .ssthresh = cc->ssthresh});
}

/* ---- reductions ------------------------------------------------------------------------------ */

void cwnd_reduce(struct tcp *t, struct conn *c, enum tern_cc_event why)
{
    struct active *a = c->active;
    a->prior_ssthresh = why == TERN_CC_ECN ? 0 : cwnd_ssthresh(a);
    a->prior_cwnd = max_u32(a->cc.cwnd, 1);
    a->prr_delivered = a->prr_out = 0;
    if (a->phase == LOSS_DISORDER && in_flight(c, a) == 0) {
        /* No ACK is to come that could clock out more than the first lost segment. What was SACKed
         * since the first hole was seen has left the network, and little was sent for it. */
        uint32_t sent = c->snd_nxt - a->recover;
        a->prr_delivered = a->sacked - min_u32(a->sacked, sent);
    }
    a->recover = c->snd_nxt;
    a->tlp = TLP_NONE;
    tell(t, c, why, 0);
    a->phase = LOSS_CWR;
    if (c->ecn & ECN_CLASSIC)
        c->ecn |= ECN_REDUCED;
    trace(t, c);
}

void cwnd_reduced(struct tcp *t, struct conn *c)
{
    struct active *a = c->active;
    if (!own_cwnd(t, c) && a->cc.ssthresh != UINT32_MAX)
        set_cwnd(a, a->cc.ssthresh);
    tell(t, c, TERN_CC_RECOVERED, 0);
}

void cwnd_recovered(struct tcp *t, struct conn *c)
{
    if (own_cwnd(t, c))
        tell(t, c, TERN_CC_RECOVERED, 0);
}

/* RFC 9937. Above ssthresh: for what is delivered, so much less is sent that at the end what is in
 * flight has come down to it. Below: what was delivered is replaced, and a segment more while each
 * ACK shows progress and no further loss (a "safe ACK"). */
void cwnd_recover(struct tcp *t, struct conn *c, const struct ack_sample *s)
{
    struct active *a = c->active;
    if (s->acked == 0 || own_cwnd(t, c))
        return;
    uint32_t pipe = in_pipe(c, a), ssthresh = a->cc.ssthresh, mss = c->mss;
    uint64_t send;
    uint32_t acked = cwnd_acked(s);
    a->prr_delivered += acked;
    if (pipe > ssthresh) {
        send = ((uint64_t)ssthresh * a->prr_delivered + a->prior_cwnd - 1) / a->prior_cwnd;
        send = (send + mss - 1) / mss * mss;
        send -= min_u64(send, a->prr_out);
    } else {
        send = a->prr_delivered > a->prr_out ? a->prr_delivered - a->prr_out : 0;
        send = max_u64(send, acked);
        if (s->advanced && s->lost == 0)
            send += mss;
        send = min_u64(send, ssthresh - pipe);
    }
    if (a->prr_out == 0)
        send = max_u64(send, mss); /* the first retransmission goes in any case */
    set_cwnd(a, (uint32_t)min_u64(pipe + send, CWND_MAX));
}

/* RFC 5681 (4), but for a series of timeouts of one segment only once. */
void cwnd_timeout(struct tcp *t, struct conn *c, bool first)
{
    struct active *a = c->active;
    if (first) {
        a->prior_ssthresh = cwnd_ssthresh(a);
        a->prior_cwnd = a->cc.cwnd;
        tell(t, c, TERN_CC_RTO, 0);
    }
    if (!own_cwnd(t, c) || !first)
        set_cwnd(a, in_pipe(c, a) + c->mss);
    if (c->ecn & ECN_CLASSIC)
        c->ecn |= ECN_REDUCED;
    trace(t, c);
}

/* It was a mistake. */
void cwnd_undo(struct tcp *t, struct conn *c)
{
    struct active *a = c->active;
    if (a->prior_ssthresh != 0 && !own_cwnd(t, c)) {
        set_cwnd(a, max_u32(a->cc.cwnd, a->prior_cwnd));
        a->cc.ssthresh = max_u32(a->cc.ssthresh, a->prior_ssthresh);
    }
    if (a->prior_ssthresh != 0) {
        c->ecn &= (uint8_t)~ECN_REDUCED;
        tell(t, c, TERN_CC_UNDO, 0);
    }
    a->limited_tick = t->tick;
    trace(t, c);
}

/* ---- every acknowledgement ------------------------------------------------------------------- */

void cwnd_on_ack(struct tcp *t, struct conn *c, struct ack_sample *s)
{
    struct active *a = c->active;
    if (a->app_limited && a->delivered > a->app_limit)
        a->app_limited = false;
    tern_ack ack;
    fill(t, c, &ack);
    ack.acked = cwnd_acked(s);
    ack.lost = s->lost;
    ack.ce_marked = s->marked;
    ack.rtt_ns = s->rtt_ns;
    rate_sample(t, c, s, &ack);
    if (s->acked != 0)
        a->delivered_at = t->now;
    bool progress = s->advanced || (a->reordering > t->cfg->reordering && s->sacked);
    ack.cwnd_limited = progress && limited(c, a);
    if (UNLIKELY(own_cwnd(t, c)))
        ack.cwnd_limited = (c->flags & CONN_CWND_LIMITED) != 0;
    uint32_t cwnd = a->cc.cwnd;
    t->cc[c->cc]->on_ack(&a->cc, &ack);
    if (UNLIKELY(ack.in_recovery) && !own_cwnd(t, c)) {
        a->cc.cwnd = cwnd;
        cwnd_recover(t, c, s);
    } else if (progress && like_linux(t)) {
        a->limited_tick = t->tick; /* it has just been looked at */
    }
    a->cc.cwnd = min_u32(a->cc.cwnd, CWND_MAX);
}

/* ---- windows that are not used --------------------------------------------------------------- */

/* RFC 2861: a window that was not filled for an RTO says nothing about the path any more; it moves
 * half of the way towards what was used. */
static void shrink_unused(struct tcp *t, struct conn *c)
{
    struct active *a = c->active;
    uint32_t used = max_u32(a->used_wnd, cwnd_initial(t, c));
    if (a->phase == LOSS_OPEN && used < a->cc.cwnd && !(c->flags & CONN_WRITE_ARMED)) {
        a->cc.ssthresh = cwnd_ssthresh(a);
        set_cwnd(a, (a->cc.cwnd / 2 + used / 2) / c->mss * c->mss);
    }
    a->used_wnd = 0;
    a->limited_tick = t->tick;
}

void cwnd_used(struct tcp *t, struct conn *c, bool full)
{
    struct active *a = c->active;
    uint32_t out = c->snd_nxt - c->snd_una + a->slack;
    bool was = (c->flags & CONN_CWND_LIMITED) != 0;
    if (full || !seq_lt(c->snd_una, a->used_seq) || (!was && out > a->used_max)) {
        if (full)
            c->flags |= CONN_CWND_LIMITED;
        else
            c->flags &= ~(uint32_t)CONN_CWND_LIMITED;
        a->used_max = out;
        a->used_seq = c->snd_nxt;
    }
    if (LIKELY(limited(c, a))) {
        a->used_wnd = 0;
        a->limited_tick = t->tick;
        return;
    }
    a->used_wnd = max_u32(a->used_wnd, out);
    uint32_t ticks = t->tick - a->limited_tick;
    if (UNLIKELY((uint64_t)ticks << TICK_SHIFT >= t->cfg->rto_min) && t->cfg->idle_restart &&
        !own_cwnd(t, c) && ticks >= ticks_of(rto_of(t, c)))
        shrink_unused(t, c);
}

/* For each RTO of silence the window halves, down to that of a new connection. */
static void restart(struct tcp *t, struct conn *c, uint64_t silence)
{
    struct active *a = c->active;
    uint64_t rto = rto_of(t, c);
    uint32_t cwnd = a->cc.cwnd, least = min_u32(cwnd_initial(t, c), cwnd);
    a->cc.ssthresh = cwnd_ssthresh(a);
    for (; silence > rto && cwnd > least; silence -= rto)
        cwnd = cwnd / c->mss / 2 * c->mss;
    set_cwnd(a, max_u32(cwnd, least));
    a->limited_tick = t->tick;
    a->used_wnd = 0;
    trace(t, c);
}

void cwnd_idle(struct tcp *t, struct conn *c)
{
    uint32_t ticks = t->tick - c->last_sent_tick;
    bool any = own_cwnd(t, c) && c->active->app_limited;
    if (LIKELY(c->last_sent_tick == 0 || ((ticks < 2 || ticks < c->srtt_us8 / 64) && !any)))
        return;
    uint64_t silence = (uint64_t)ticks << TICK_SHIFT;
    tell(t, c, TERN_CC_IDLE, silence);
    if (t->cfg->idle_restart && !own_cwnd(t, c) && silence > rto_of(t, c))
        restart(t, c, silence);
}
