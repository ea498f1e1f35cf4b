/* pace.c - when a segment may leave. A connection that is paced has a next departure: each segment
 * moves it on by the time it takes at the rate. The rate is the algorithm's own, or, where pacing
 * is asked for and the algorithm has none, so many per cent of a window in a round trip, as Linux
 * does; never more than the owner allows.
 *
 * Segments wait here, where an acknowledgement or an abort can still withdraw them, until their
 * departure is no further off than the configuration's horizon; then they go to the device with
 * their time. Round trips and loss detection count from the departure.
 *
 * Bursts: a caller without a horizon would have to be called for each segment, so half a
 * millisecond's worth may go early, and then nothing until all of it would have left. What did not
 * go in its time is made up for: a millisecond's worth when there was nothing to send, twenty when
 * it is the caller who comes late, but not more than 64 KB. (With less, a process that others keep
 * from running sends slower than it paces, and an algorithm that measures its rate takes that for
 * the path's.) The first ten segments of a connection are not paced, unless sent again: the initial
 * window goes at once.
 */
#include "tcp/tcp.h"

enum { EARLY_NS = 500000, CREDIT_NS = 1000000, LATE_NS = 20000000, LATE_BYTES = 65536 };
enum { FREE_SEGS = 10 };

uint64_t pace_by_window(const struct tcp *t, const struct conn *c, const struct active *a)
{
    if (c->srtt_us8 == 0)
        return 0;
    bool slow_start = a->cc.cwnd < a->cc.ssthresh / 2;
    uint32_t ratio = slow_start ? t->cfg->pace_ss_ratio : t->cfg->pace_ca_ratio;
    return (uint64_t)a->cc.cwnd * ratio / 100 * 8000000 / c->srtt_us8;
}

bool pace_asked(const struct tcp *t, const struct conn *c)
{
    return t->cfg->pacing || (conn_rare_of(c) != NULL && conn_rare_of(c)->pace_max != 0);
}

uint64_t pace_rate(const struct tcp *t, const struct conn *c, const struct active *a)
{
    uint64_t rate = a->cc.pacing_rate;
    if (LIKELY(!a->paced))
        return rate;
    if (rate == 0)
        rate = pace_by_window(t, c, a);
    const struct conn_rare *r = conn_rare_of(c);
    if (r != NULL && r->pace_max != 0 && (rate == 0 || rate > r->pace_max))
        rate = r->pace_max;
    return rate;
}

bool pace_waits(struct tcp *t, struct conn *c)
{
    struct active *a = c->active;
    uint64_t horizon = t->cfg->tx_horizon;
    uint64_t ahead = a->pace_at > t->now ? a->pace_at - t->now : 0;
    if (ahead <= horizon) {
        a->t_pace = 0;
        return false;
    }
    if (a->t_pace != 0)
        return true;
    if (ahead <= EARLY_NS)
        return false;
    uint64_t wake = a->pace_at - horizon / 2; /* (a tick from now may begin before it) */
    uint64_t tick = ((wake + (1u << TICK_SHIFT) - 1) >> TICK_SHIFT) - t->skipped;
    a->t_pace = (uint32_t)tick == 0 ? 1 : (uint32_t)tick;
    timer_arm(t, c, a->t_pace);
    return true;
}

void pace_sent(const struct tcp *t, const struct conn *c, struct active *a, uint32_t len)
{
    uint64_t rate = pace_rate(t, c, a);
    bool early = c->snd_nxt - c->iss - 1 <= FREE_SEGS * (uint32_t)c->mss && a->retrans_segs == 0;
    if (rate == 0 || early) {
        a->pace_at = 0;
        return;
    }
    uint64_t credit = CREDIT_NS;
    if (a->pace_late)
        credit = max_u64(credit, min_u64(LATE_NS, LATE_BYTES * NS_PER_S / rate));
    uint64_t least = t->now - min_u64(t->now, credit);
    a->pace_at = max_u64(a->pace_at, least) + len * NS_PER_S / rate;
    a->pace_late &= a->pace_at < t->now;
}
