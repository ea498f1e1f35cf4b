/* timer.c - the timers of a connection. In English:
 *
 *   retransmission  what is in flight was not acknowledged in time: take it for lost, send again,
 *                   wait twice as long; give up after R2 (RFC 6298, RFC 9293 3.8.3). In SYN-SENT
 *                   and SYN-RECEIVED it sends SYN or SYN-ACK again.
 *   persist         data waits, nothing is in flight, the window forbids: probe (3.8.6.1).
 *   reordering      a segment overtaken by others is not lost yet, but will be taken for it by then
 *                   (RFC 8985).
 *   tail probe      the last segments were not acknowledged in two round trips: perhaps they are
 *                   lost, and nothing that comes after them will tell (RFC 8985 7).
 *   delayed ACK     nobody gave the acknowledgement a ride: send it alone (3.8.6.3).
 *   close           2 MSL in TIME-WAIT; the end of lingering, and of patience with FIN-WAIT-2 and
 *                   others that nobody owns, or with CLOSE-WAIT (orphan.c).
 *   departure       the next segment may go (pace.c).
 *   starved         there was no memory for what the owner wants to send: look again, tell it.
 *   keep-alive      the peer has been silent for long, and the owner wants to know whether it lives
 *                   (3.8.4, keep.c).
 *   idle            nothing has happened for a while: give the working block back.
 *
 * All share one entry in the timing wheel. A deadline that moves later does not touch it: the entry
 * fires at the old time, finds nothing due, and is set to the earliest deadline there is then. Of
 * several that are due, each is served.
 */
#include "tcp/tcp.h"

enum { THIN_SEGS = 4, THIN_RETRIES = 6, ORPHAN_RETRIES = 8 }; /* Linux's */
enum { LATE_MS = 4 }; /* its timers are so much late at least, by which time a limit has passed */

static uint32_t earlier(uint32_t a, uint32_t b)
{
    if (a == 0 || b == 0)
        return a | b;
    return seq_min(a, b);
}

/* Sets the entry, which has just fired, for what comes next. */
static void arm_next(struct tcp *t, struct conn *c)
{
    uint32_t first = c->t_close;
    const struct active *a = c->active;
    if (a != NULL) {
        first = earlier(first, a->t_rto);
        first = earlier(first, a->t_delack);
        first = earlier(first, a->t_reorder);
        first = earlier(first, a->t_probe);
        first = earlier(first, a->t_idle);
        first = earlier(first, a->t_starved);
        first = earlier(first, a->t_pace);
    }
    if (conn_rare_of(c) != NULL)
        first = earlier(first, conn_rare_of(c)->t_keep);
    if (first != 0)
        timer_arm(t, c, first);
}

void timer_idle(struct tcp *t, struct conn *c)
{
    struct active *a = c->active;
    if (a == NULL || a->t_idle != 0 || a->rxq_head != NULL || a->txq_head != NULL)
        return;
    a->t_idle = tick_after(t, t->cfg->idle);
    timer_arm(t, c, a->t_idle);
}

static bool close_fires(struct tcp *t, struct conn *c)
{
    if (!tick_due(t, c->t_close))
        return false;
    c->t_close = 0;
    if (c->flags & CONN_LINGER && c->state != TERN_TIME_WAIT)
        conn_reset(t, c, TERN_ETIMEDOUT);
    else if (c->state != TERN_FIN_WAIT_2 && c->state != TERN_TIME_WAIT)
        return orphan_fires(t, c);
    else
        conn_end(t, c, 0);
    return true;
}

/* How long Linux goes on for so many retransmissions: as if the first had come after 200 ms. */
static uint64_t time_for(const struct tcp *t, uint32_t retries)
{
    uint64_t base = 200 * NS_PER_MS, ratio = max_u64(t->cfg->rto_max / base, 1);
    uint32_t grows = 63u - (uint32_t)__builtin_clzll(ratio), n = min_u32(retries, grows);
    return ((UINT64_C(2) << n) - 1) * base + (retries - n) * t->cfg->rto_max;
}

/* Linux counts time, not retransmissions; what nobody owns any more is given up sooner. */
static bool linux_gave_up(const struct tcp *t, const struct conn *c)
{
    uint32_t limit = t->cfg->data_retries;
    if (c->flags & (CONN_ORPHAN | CONN_LINGER)) {
        bool alive = rto_of(t, c) < t->cfg->rto_max;
        limit = c->stats->soft_err != 0 && !alive ? 0 : t->cfg->tuning.orphan_retries;
        limit = limit == 0 && alive ? ORPHAN_RETRIES : limit;
    }
    if (c->active->persist)
        return c->retries >= limit;
    uint64_t late = LATE_MS * NS_PER_MS;
    return c->retries != 0 && t->now - c->stats->timeout_at + late >= time_for(t, limit);
}

/* How often a SYN is sent again. When the first ones follow at the same distance, Linux sends as
 * many more, but takes no longer in all than if the distance had doubled from the first one on. */
static uint8_t syn_limit(const struct tcp *t, uint8_t retries)
{
    enum { DOUBLINGS_MAX = 32 };
    uint32_t linear = t->cfg->syn_linear, n = 0;
    uint64_t until = (UINT64_C(2) << min_u32(retries, DOUBLINGS_MAX)) - 1, took = 0;
    if (linear == 0)
        return retries;
    for (; n < retries + linear && n < UINT8_MAX; n++) {
        took += UINT64_C(1) << (n > linear ? min_u32(n - linear, DOUBLINGS_MAX) : 0);
        if (took >= until)
            break;
    }
    return (uint8_t)n;
}

/* R2 is passed: by retries, or by the user's own limit (MUST-20, MUST-21). */
static bool gave_up(const struct tcp *t, const struct conn *c)
{
    uint64_t since = user_timeout_since(t, c);
    if (c->user_timeout_ms != 0 && since == TERN_NEVER)
        return false;
    if (c->user_timeout_ms != 0 && since != 0)
        return t->now - since >= c->user_timeout_ms * NS_PER_MS;
    if (like_linux(t) && c->state >= TERN_ESTABLISHED && c->stats != NULL)
        return linux_gave_up(t, c);
    uint8_t limit = t->cfg->data_retries;
    if (c->state == TERN_SYN_SENT)
        limit = syn_limit(t, c->syn_retries);
    else if (c->state == TERN_SYN_RECEIVED)
        limit = (uint8_t)(t->cfg->synack_retries + fastopen_child(c));
    return c->retries >= limit;
}

/* R1 is passed (MUST-20, SHLD-10): the way there is looked at again, and an owner who wants reports
 * hears of it (SHLD-9), unless ICMP has said more. */
static void doubt(struct tcp *t, struct conn *c)
{
    t->host.doubt(t->host.context, c->raddr, c->iface);
    const struct conn_rare *r = conn_rare_of(c);
    if (r != NULL && r->reports && c->stats->soft_err == 0)
        conn_soft_error(t, c, TERN_ETIMEDOUT);
}

/* Little is in flight, so that nothing but a time-out tells of a loss: Linux then does not wait
 * longer each time, if asked for that. */
static bool is_thin(const struct tcp *t, const struct conn *c, const struct active *a)
{
    const struct conn_rare *r = conn_rare_of(c);
    uint32_t segs = 0;
    if ((!t->cfg->tuning.thin_linear && (r == NULL || !r->thin_linear)) ||
        c->state != TERN_ESTABLISHED || c->retries > THIN_RETRIES || a->persist)
        return false;
    for (const struct sent *s = a->sent_head; s != NULL && segs < THIN_SEGS; s = s->next)
        segs += (sent_len(s) + c->mss - 1) / c->mss;
    return segs < THIN_SEGS;
}

static void back_off(struct tcp *t, struct conn *c, struct active *a)
{
    c->retries = (uint8_t)min_u32(c->retries + 1u, UINT8_MAX);
    if (UNLIKELY(is_thin(t, c, a)))
        c->backoff = 0;
    else if (c->state != TERN_SYN_SENT || c->retries > t->cfg->syn_linear)
        c->backoff = (uint8_t)min_u32(c->backoff + 1u, UINT8_MAX);
    if (a->stalled == 0)
        a->stalled = t->now;
    if (c->retries == 2)
        fastopen_timeout(t, c);
    if (c->retries == t->cfg->tuning.retries1)
        doubt(t, c);
    rto_set(t, c);
}

static bool all_in_device(const struct active *a)
{
    for (const struct sent *r = a->sent_head; r != NULL; r = r->next)
        if (!(r->flags & SENT_IN_DEVICE))
            return false;
    return true;
}

/* Whether the oldest segment has not been under way for that long: the device had refused it. */
static bool left_late(struct tcp *t, struct conn *c, struct active *a)
{
    struct sent *r = a->sent_head;
    uint64_t due = r->time + rto_of(t, c);
    if (!(r->flags & SENT_DELAYED) || due <= t->now)
        return false;
    r->flags &= (uint16_t)~SENT_DELAYED;
    a->t_rto = tick_after(t, due - t->now);
    return true;
}

/* true: the connection is over. */
static bool rto_fires(struct tcp *t, struct conn *c)
{
    struct active *a = c->active;
    if (a == NULL || !tick_due(t, a->t_rto))
        return false;
    a->t_rto = 0;
    bool syn = c->state == TERN_SYN_SENT || c->state == TERN_SYN_RECEIVED;
    if (!syn && !a->persist) {
        if (a->sent_head != NULL && all_in_device(a)) { /* what never left cannot be lost */
            a->t_rto = tick_after(t, rto_of(t, c));
            return false;
        }
        if (a->sent_head != NULL && left_late(t, c, a))
            return false;
    }
    if (gave_up(t, c)) {
        count(t, c->state == TERN_SYN_SENT ? TERN_COUNT_ATTEMPT_FAILS : TERN_COUNT_TIMEOUTS);
        bool known = c->stats != NULL && c->stats->soft_err != 0; /* why nothing came */
        conn_end(t, c, known ? (enum tern_err)c->stats->soft_err : TERN_ETIMEDOUT);
        return true;
    }
    if (!a->persist)
        info_timeout(t, c);
    back_off(t, c, a);
    if (syn)
        c->flags |= CONN_SYN_DUE;
    else if (a->persist)
        c->flags |= CONN_PROBE_DUE;
    else if (a->sent_head != NULL) { /* (else there was no route, or no memory for a record) */
        mtu_timeout(t, c);
        loss_on_rto(t, c);
    }
    conn_ready(t, c);
    return false;
}

static void delack_fires(struct tcp *t, struct conn *c)
{
    struct active *a = c->active;
    if (a == NULL || !tick_due(t, a->t_delack))
        return;
    a->t_delack = 0;
    c->flags |= CONN_ACK_DUE;
    if (!delack_compressed(c))
        delack_missed(t, c);
    conn_ready(t, c);
}

static void starved_fires(struct tcp *t, struct conn *c)
{
    struct active *a = c->active;
    if (a == NULL || !tick_due(t, a->t_starved))
        return;
    a->t_starved = 0;
    if (!memory_grants(t, c)) {
        a->t_starved = tick_after(t, STARVED_NS);
    } else if (c->flags & CONN_WRITE_ARMED) {
        c->flags &= ~(uint32_t)CONN_WRITE_ARMED;
        conn_event(t, c, TERN_EV_WRITE);
    }
    timer_idle(t, c);
}

static void pace_fires(struct tcp *t, struct conn *c)
{
    struct active *a = c->active;
    if (a == NULL || !tick_due(t, a->t_pace))
        return;
    a->t_pace = 0;
    a->pace_late = true; /* if it is */
    conn_ready(t, c);
}

static void idle_fires(struct tcp *t, struct conn *c)
{
    struct active *a = c->active;
    if (a == NULL || !tick_due(t, a->t_idle))
        return;
    a->t_idle = 0;
    uint32_t idle = ticks_of(t->cfg->idle);
    if (t->tick - a->used_tick >= idle) {
        conn_freeze(t, c); /* if it cannot, timer_idle() is called when the queues are empty */
    } else {
        uint32_t at = a->used_tick + idle;
        a->t_idle = at == 0 ? 1 : at;
    }
}

static void loss_fires(struct tcp *t, struct conn *c)
{
    struct active *a = c->active;
    if (a == NULL)
        return;
    if (tick_due(t, a->t_reorder)) {
        a->t_reorder = 0;
        rack_timer(t, c);
    }
    if (tick_due(t, a->t_probe)) {
        a->t_probe = 0;
        tlp_timer(t, c);
    }
}

void timer_fire(struct tcp *t, struct conn *c)
{
    if (close_fires(t, c))
        return;
    loss_fires(t, c); /* first: a probe comes in place of a timeout */
    if (rto_fires(t, c))
        return;
    if (keep_fires(t, c))
        return;
    delack_fires(t, c);
    starved_fires(t, c);
    pace_fires(t, c);
    idle_fires(t, c);
    arm_next(t, c);
}
