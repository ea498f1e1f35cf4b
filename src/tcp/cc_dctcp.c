/* cc_dctcp.c - DCTCP (RFC 8257): grows as Reno does, and gives way by how much of what it has sent
 * was marked. A queue that marks early and sharply is then kept short without losing throughput.
 * For networks of one owner: beside flows that halve for a mark, it takes all.
 */
#include "base/util.h"
#include "tern/cc.h"

enum {
    ALPHA_ONE = 1024,
    GAIN_SHIFT = 4, /* RFC 8257 4.2: g = 1/16 */
};

struct dctcp {
    uint32_t alpha;         /* estimated share of marked bytes, of ALPHA_ONE */
    uint32_t acked, marked; /* bytes in this round trip */
    uint32_t grow;          /* bytes acknowledged towards the next segment of window */
};

static void init(tern_cc *cc, uint32_t mss, uint64_t now)
{
    struct dctcp *s = cc->state;
    (void)mss, (void)now;
    s->alpha = ALPHA_ONE; /* 4.2: cautious at first */
}

/* alpha = (1 - g) alpha + g F, once a round trip; it can get to 0. */
static void estimate(struct dctcp *s)
{
    uint32_t less = s->alpha >> GAIN_SHIFT;
    s->alpha -= less != 0 ? less : s->alpha;
    uint64_t share = ((uint64_t)s->marked << (10 - GAIN_SHIFT)) / max_u32(s->acked, 1);
    s->alpha = (uint32_t)min_u64(s->alpha + share, ALPHA_ONE);
    s->acked = s->marked = 0;
}

static void on_ack(tern_cc *cc, const tern_ack *ack)
{
    struct dctcp *s = cc->state;
    uint32_t acked = ack->acked;
    s->acked += acked;
    s->marked += ack->ce_marked;
    if (ack->round_start)
        estimate(s);
    if (ack->in_recovery || !ack->cwnd_limited)
        return;
    if (cc->cwnd < cc->ssthresh) {
        uint32_t grow = min_u32(acked, cc->ssthresh - cc->cwnd);
        cc->cwnd += grow;
        acked -= grow;
    }
    s->grow += acked;
    if (s->grow >= cc->cwnd) {
        s->grow -= cc->cwnd;
        cc->cwnd += ack->mss;
    }
}

static void on_event(tern_cc *cc, enum tern_cc_event event, const tern_ack *ack)
{
    struct dctcp *s = cc->state;
    uint32_t cwnd = cc->cwnd / ack->mss, to;
    switch (event) {
    case TERN_CC_ECN: /* 3.3: (1 - alpha / 2) */
        to = cwnd - (uint32_t)((uint64_t)cwnd * s->alpha / (2 * ALPHA_ONE));
        break;
    case TERN_CC_LOSS: /* 3.4: as any other */
    case TERN_CC_RTO:
        to = cwnd / 2;
        break;
    default:
        return;
    }
    cc->ssthresh = max_u32(to, 2) * ack->mss;
    s->grow = 0;
}

static void freeze(tern_cc *cc, uint64_t summary[2])
{
    const struct dctcp *s = cc->state;
    summary[0] = s->alpha;
}

static void thaw(tern_cc *cc, const uint64_t summary[2])
{
    struct dctcp *s = cc->state;
    s->alpha = (uint32_t)summary[0];
}

const tern_cc_ops tern_cc_dctcp = {
    .name = "dctcp",
    .state_size = sizeof(struct dctcp),
    .flags = TERN_CC_NO_RATE | TERN_CC_NEEDS_ECN,
    .init = init,
    .on_ack = on_ack,
    .on_event = on_event,
    .freeze = freeze,
    .thaw = thaw,
};
