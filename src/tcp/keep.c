/* keep.c - keep-alive (RFC 9293 3.8.4): off unless the owner asks for it (MUST-24, MUST-25), and by
 * default after two hours of silence (MUST-28). A probe is a segment without data below SND.UNA
 * (MUST-29): whoever lives must answer it, and only a number of unanswered ones ends the connection
 * (MUST-27).
 */
#include "tcp/tcp.h"

enum { KEEP_STEP_S = 3600 }; /* a timer takes no more than 4 hours: longer waits come in steps */

static void keep_arm(struct tcp *t, struct conn *c, uint64_t ms)
{
    c->stats->rare->t_keep = tick_after(t, min_u64(ms * NS_PER_MS, KEEP_STEP_S * NS_PER_S));
    timer_arm(t, c, c->stats->rare->t_keep);
}

void keep_begin(struct tcp *t, struct conn *c)
{
    struct conn_rare *s = c->stats->rare;
    if (s == NULL)
        return;
    if (s->keep && c->state >= TERN_ESTABLISHED && c->state != TERN_TIME_WAIT)
        keep_arm(t, c, s->keep_idle_ms);
    else
        s->t_keep = 0;
}

/* How long nothing has come. */
static uint64_t silence_ms(const struct tcp *t, const struct conn *c)
{
    const struct conn_stats *s = c->stats;
    uint64_t last = max_u64(max_u64(s->received_at, s->acked_at), s->rare->keep_at);
    return (t->now - min_u64(last, t->now)) / NS_PER_MS;
}

bool keep_fires(struct tcp *t, struct conn *c)
{
    struct conn_rare *s = c->stats != NULL ? c->stats->rare : NULL;
    if (s == NULL || !tick_due(t, s->t_keep))
        return false;
    s->t_keep = 0;
    if (!s->keep || c->state < TERN_ESTABLISHED || c->state == TERN_TIME_WAIT)
        return false;
    if (c->snd_nxt != c->snd_una || seq_lt(c->snd_una, c->snd_end) || fin_unsent(c)) {
        keep_arm(t, c, s->keep_idle_ms); /* what is in flight will tell by itself */
        return false;
    }
    uint64_t silence = silence_ms(t, c);
    if (silence < s->keep_idle_ms) {
        keep_arm(t, c, s->keep_idle_ms - silence);
        return false;
    }
    bool late = c->user_timeout_ms != 0 ? s->keep_probes != 0 && silence >= c->user_timeout_ms
                                        : s->keep_probes >= s->keep_cnt;
    if (late) {
        count(t, TERN_COUNT_TIMEOUTS);
        conn_reset(t, c, TERN_ETIMEDOUT);
        return true;
    }
    if (conn_thaw(t, c) != NULL) {
        s->keep_probes = (uint8_t)min_u32(s->keep_probes + 1u, UINT8_MAX);
        c->flags |= CONN_PROBE_DUE;
        conn_ready(t, c);
        timer_idle(t, c);
    }
    keep_arm(t, c, s->keep_intvl_ms);
    return false;
}
