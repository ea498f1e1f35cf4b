/* rack.c - RACK-TLP (RFC 8985): time decides what is lost.
 *
 * RACK: a segment is lost when one sent sufficiently later has been delivered. "Sufficiently" is
 * the reordering window: nil until the path has been seen to reorder and three segments have
 * been SACKed, then a quarter of the least round trip; it grows by another quarter for each
 * round trip in which D-SACKs show that we were too quick, and shrinks after sixteen recoveries
 * without.
 *
 * TLP: when the last segments of a burst are lost, nothing comes after them that could tell. So
 * after two round trips of silence new data, or else the last segment once more, is sent, to draw
 * the SACK that RACK needs.
 */
#include "tcp/tcp.h"

enum { RECOVERY_STATIC = 2, RECOVERY_NO_DUPTHRESH = 4 }; /* tern_tuning.recovery */
enum { PERSIST_RECOVERIES = 16, PROBE_SLACK_MS = 2 /* as Linux */ };

/* ---- RACK ------------------------------------------------------------------------------------ */

void rack_lost(struct tcp *t, struct conn *c, struct sent *r, struct ack_sample *s)
{
    struct active *a = c->active;
    s->lost_again |= (r->flags & SENT_AGAIN) != 0;
    sent_mark(a, r, SENT_LOST);
    s->lost += sent_len(r);
    a->lost_total += sent_len(r);
    if (UNLIKELY(t->cc[c->cc]->on_lost != NULL))
        cwnd_lost(t, c, r);
}

/* RFC 8985 6.2 step 4: how the window adapts. */
void rack_update(const struct tcp *t, struct active *a, const struct ack_sample *s)
{
    if (s->latest_sent == 0 || t->cfg->tuning.recovery & RECOVERY_STATIC)
        return;
    if (seq_lt(s->prior_delivered, a->dsack_round))
        a->dsack_seen = false; /* it has grown in this round trip already */
    if (a->dsack_seen) {
        a->dsack_seen = false;
        a->reo_steps = (uint8_t)min_u32(a->reo_steps + 1u, UINT8_MAX);
        a->dsack_round = (uint32_t)a->delivered;
        a->reo_persist = PERSIST_RECOVERIES;
    } else if (a->reo_persist == 0) {
        a->reo_steps = 1;
    }
}

static uint64_t window_of(const struct tcp *t, const struct conn *c, const struct active *a)
{
    bool three =
        a->sacked_segs >= a->reordering && !(t->cfg->tuning.recovery & RECOVERY_NO_DUPTHRESH);
    if (a->reord_seen == 0 && (a->phase >= LOSS_RECOVERY || three))
        return 0;
    uint64_t us = (uint64_t)(c->min_rtt_us / 4) * a->reo_steps;
    return min_u64(us, c->srtt_us8 / 8) * NS_PER_US;
}

static bool sent_before_latest(const struct active *a, const struct sent *r)
{
    return r->time < a->rack_sent || (r->time == a->rack_sent && seq_lt(r->hi, a->rack_end));
}

bool rack_overdue(const struct tcp *t, const struct active *a, const struct sent *r)
{
    return r->time + a->rack_rtt_us * NS_PER_US <= t->now;
}

/* Step 5. Records are in sequence order and those sent once have rising send times, so the first
 * such one that is too young ends the walk. A walk that runs out of steps goes on from there at the
 * next acknowledgement. */
void rack_mark(struct tcp *t, struct conn *c, struct ack_sample *s)
{
    struct active *a = c->active;
    uint64_t window = window_of(t, c, a);
    uint64_t wait = 0;
    struct sent *r = a->rack_at != NULL ? a->rack_at : a->sent_head;
    a->rack_at = NULL;
    a->t_reorder = 0;
    for (; r != NULL; r = r->next) {
        if (a->steps == 0) {
            a->rack_at = r;
            break;
        }
        a->steps--;
        count(t, TERN_COUNT_SCOREBOARD_STEPS);
        if (r->flags & (SENT_SACKED | SENT_LOST | SENT_IN_DEVICE))
            continue;
        if (!sent_before_latest(a, r)) {
            if (r->flags & SENT_RETRANS)
                continue;
            break;
        }
        uint64_t deadline = r->time + a->rack_rtt_us * NS_PER_US + window;
        if (deadline <= t->now)
            rack_lost(t, c, r, s);
        else
            wait = max_u64(wait, deadline - t->now);
    }
    if (wait != 0) {
        a->t_reorder = tick_after(t, wait);
        timer_arm(t, c, a->t_reorder);
    }
}

void rack_timer(struct tcp *t, struct conn *c)
{
    struct ack_sample s = {0};
    struct active *a = c->active;
    a->steps = max_u32(a->steps, STEPS_AN_ACK);
    rack_mark(t, c, &s);
    if (s.lost == 0)
        return;
    if (a->phase != LOSS_RECOVERY) {
        loss_enter_recovery(t, c, false);
        s.acked = c->mss; /* no ACK came, but one segment at least goes out */
        cwnd_recover(t, c, &s);
    }
    conn_ready(t, c);
}

/* ---- TLP ------------------------------------------------------------------------------------- */

/* Not while something is known to be lost or out of order; but in a recovery that has filled all
 * holes, what is left may be a tail that was lost with them. */
static bool may_probe(const struct active *a)
{
    return a->phase == LOSS_OPEN || a->phase == LOSS_CWR ||
           (a->phase == LOSS_RECOVERY && a->lost == 0 && a->retrans == 0 && a->sacked == 0);
}

/* 7.2: two round trips, and the time an acknowledgement of a lone segment may be delayed, for which
 * Linux, too, takes the least timeout; never later than the retransmission timer, in whose place it
 * then comes. */
void tlp_arm(struct tcp *t, struct conn *c)
{
    struct active *a = c->active;
    if (!(c->flags & CONN_SACK) || !may(t, TERN_FEATURE_PROBE) || a->sent_head == NULL ||
        a->t_rto == 0 || a->persist || !may_probe(a) || c->state == TERN_SYN_RECEIVED)
        return;
    uint64_t wait = NS_PER_S;
    if (LIKELY(c->srtt_us8 != 0)) {
        bool lone = a->sent_head == a->sent_tail && sent_len(a->sent_tail) <= c->mss;
        wait = c->srtt_us8 / 4 * NS_PER_US;
        wait += lone ? t->cfg->rto_min : PROBE_SLACK_MS * NS_PER_MS;
    }
    wait += a->sent_tail->time - min_u64(a->sent_tail->time, t->now); /* from its departure */
    uint32_t at = tick_after(t, wait);
    a->t_probe = seq_lt(a->t_rto, at) ? a->t_rto : at;
    timer_arm(t, c, a->t_probe);
}

/* 7.3: send.c sends it, whatever cwnd says. One at a time. */
void tlp_timer(struct tcp *t, struct conn *c)
{
    struct active *a = c->active;
    if (a->tlp != TLP_NONE || a->sent_head == NULL || (a->phase > LOSS_CWR && !may_probe(a)))
        return;
    a->tlp = TLP_DUE;
    if (tick_due(t, a->t_rto)) /* it comes in that timer's place */
        rto_restart(t, c);
    conn_ready(t, c);
}

/* 7.4: the probe was acknowledged. If it was a retransmission that repaired a loss, the loss counts
 * as one. */
void tlp_ack(struct tcp *t, struct conn *c, const struct ack_sample *s, uint32_t ack)
{
    struct active *a = c->active;
    if (seq_lt(ack, a->tlp_high))
        return;
    if (a->tlp == TLP_NEW || s->dsack_probe) {
        a->tlp = TLP_NONE;
    } else if (seq_gt(ack, a->tlp_high)) {
        cwnd_reduce(t, c, TERN_CC_LOSS); /* (takes the probe back) */
        cwnd_reduced(t, c);
        loss_keep_open(c, a);
        count(t, TERN_COUNT_PROBE_RECOVERIES);
    } else if (s->duplicate && !s->sacked) {
        a->tlp = TLP_NONE; /* both copies arrived */
    }
}
