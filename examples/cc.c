/* cc.c - a congestion control of one's own: additive increase, multiplicative decrease, but a
 * window that backs off already when the round trip has become half as long again as it can be,
 * so that it never fills a long queue. An algorithm is a table of functions; the stack does the
 * rest: finding losses, spreading a reduction over a recovery, undoing one that was a mistake,
 * pacing.
 *
 *   tern_config_default(&cfg);
 *   cfg.cc = &polite;                              every connection of the stack
 *   tern_cc_set(stack, connection, &polite);       or one of them
 *
 * The program tries it beside tern's own on the same path (path.h), where CUBIC builds up a queue.
 */
#include <stdio.h>

#include "path.h"

/* Zeroed before init; given back while a connection is idle. */
struct polite {
    uint32_t acked;      /* bytes towards the next segment of window */
    uint64_t quiet_from; /* no second reduction for delay before then */
};

static void init(tern_cc *cc, uint32_t mss, uint64_t now)
{
    struct polite *s = cc->state;
    (void)mss;
    s->quiet_from = now;
}

static void on_ack(tern_cc *cc, const tern_ack *ack)
{
    struct polite *s = cc->state;
    if (ack->in_recovery || ack->rtt_ns == 0)
        return;
    if (ack->rtt_ns > ack->min_rtt_ns / 2 * 3 && ack->now >= s->quiet_from) {
        uint32_t less = cc->cwnd - cc->cwnd / 8;
        cc->cwnd = less > 4 * ack->mss ? less : 4 * ack->mss;
        cc->ssthresh = cc->cwnd;
        s->quiet_from = ack->now + ack->srtt_ns; /* what it changes shows a round trip later */
    } else if (ack->cwnd_limited && cc->cwnd < cc->ssthresh) {
        cc->cwnd += ack->acked;
    } else if (ack->cwnd_limited && (s->acked += ack->acked) >= cc->cwnd) {
        s->acked = 0;
        cc->cwnd += ack->mss;
    }
}

static void on_event(tern_cc *cc, enum tern_cc_event event, const tern_ack *ack)
{
    if (event == TERN_CC_LOSS || event == TERN_CC_ECN || event == TERN_CC_RTO)
        cc->ssthresh = cc->cwnd / 2 > 2 * ack->mss ? cc->cwnd / 2 : 2 * ack->mss;
}

static const tern_cc_ops polite = {
    .name = "polite",
    .state_size = sizeof(struct polite),
    .init = init,
    .on_ack = on_ack,
    .on_event = on_event,
};

int main(void)
{
    const tern_cc_ops *const algorithms[] = {&tern_cc_cubic, &polite};
    for (unsigned i = 0; i < 2; i++) {
        tern_tcp_info info;
        uint64_t took = path_transfer(algorithms[i], 4000000, &info);
        if (took == 0)
            return 1;
        printf("%-6s  4 MB in %.2f s, a window of %u segments, round trip %.0f ms, now %.0f\n",
               info.cc, (double)took / 1e9, info.cwnd / info.snd_mss, (double)info.min_rtt / 1e6,
               (double)info.srtt / 1e6);
    }
    return 0;
}
