/* cc_reno.c - Reno: slow start and congestion avoidance (RFC 5681), counting bytes (RFC 3465). */
#include "base/util.h"
#include "tern/cc.h"

struct reno {
    uint32_t acked; /* bytes towards the next segment of window */
};

static void init(tern_cc *cc, uint32_t mss, uint64_t now) { (void)cc, (void)mss, (void)now; }

static void on_ack(tern_cc *cc, const tern_ack *ack)
{
    struct reno *s = cc->state;
    if (ack->in_recovery || !ack->cwnd_limited || ack->acked == 0)
        return; /* a window that was not used says nothing about the path */
    uint32_t acked = ack->acked;
    if (cc->cwnd < cc->ssthresh) {
        uint32_t grow = min_u32(acked, cc->ssthresh - cc->cwnd);
        cc->cwnd += grow;
        acked -= grow;
        if (acked == 0)
            return;
    }
    s->acked += acked;
    if (s->acked >= cc->cwnd) { /* one segment a window */
        s->acked -= cc->cwnd;
        cc->cwnd += ack->mss;
    }
    cc->cwnd = min_u32(cc->cwnd, 1u << 30);
}

static void on_event(tern_cc *cc, enum tern_cc_event event, const tern_ack *ack)
{
    struct reno *s = cc->state;
    if (event != TERN_CC_LOSS && event != TERN_CC_ECN && event != TERN_CC_RTO)
        return;
    cc->ssthresh = max_u32(cc->cwnd / ack->mss / 2, 2) * ack->mss; /* RFC 5681 (4) */
    s->acked = 0;
}

const tern_cc_ops tern_cc_reno = {
    .name = "reno",
    .state_size = sizeof(struct reno),
    .flags = TERN_CC_NO_RATE,
    .init = init,
    .on_ack = on_ack,
    .on_event = on_event,
};
