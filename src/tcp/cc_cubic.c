/* cc_cubic.c - CUBIC (RFC 9438), with HyStart++ (RFC 9406) in slow start.
 *
 * After a reduction the window returns to what it was along a cubic curve of time, flat where it
 * was reduced last; where Reno would be faster, as on short paths, it does as Reno. In slow
 * start a round trip that got longer than the last one's least by an eighth says that a queue
 * builds up: the window then grows at a quarter of the speed, and if five rounds confirm it,
 * slow start is over.
 *
 * As in Linux, windows count in whole segments and time in 1/1024 s, so that the cubic fits 64
 * bits: W(t) = C (t - K)^3 + W_max with C = 0.4 is 410 (t - K)^3 / 2^40. HyStart++ has no limit
 * L for the growth by one acknowledgement: receivers that join segments acknowledge many at
 * once. It judges the first slow start only.
 */
#include "base/util.h"
#include "tern/cc.h"

enum {
    BETA = 717,     /* of 1024: 0.7 */
    BETA_ABE = 870, /* of 1024: 0.85 for ECN (RFC 8511) */
    C_SCALE = 410,  /* of 1024: 0.4 */
    T_SHIFT = 10,   /* 1/1024 s */
    OFFSET_MAX = 1 << 17,
    BLIND = 20, /* without a W_max: a segment each 20 acknowledged at least, 5 % a round */

    RTT_SAMPLES = 8, /* RFC 9406 4.3 */
    CSS_DIVISOR = 4,
    CSS_ROUNDS = 5,
};
static const uint64_t rtt_thresh_min = 4000000, rtt_thresh_max = 16000000;

/* What a reduction changes, kept to undo it (RFC 9438 4.9). */
struct curve {
    uint64_t epoch;  /* when this congestion avoidance began; 0: it has not */
    uint32_t w_max;  /* window at the last reduction; 0: none yet. Segments, all of these */
    uint32_t origin; /* where the curve is flat */
    uint32_t k;      /* time from the epoch to there, 1/1024 s */
    uint32_t w_est;  /* what Reno would have */
    uint32_t prior;  /* the window before the last reduction */
};

struct cubic {
    struct curve now, before;
    uint64_t asked;      /* when `cnt` was computed */
    uint32_t asked_cwnd; /* and for which window */
    uint32_t cnt;        /* segments acknowledged for one of growth */
    uint32_t grow;       /* bytes acknowledged towards it */
    uint32_t reno;       /* bytes acknowledged towards a segment of w_est */
    /* HyStart++ */
    uint64_t rtt_min, rtt_last; /* least of this round and of the last; UINT64_MAX: none */
    uint64_t rtt_css;           /* least when the slow part began; 0: it has not */
    uint16_t samples;
    uint8_t css_rounds;
    bool done;
};
_Static_assert(sizeof(struct cubic) <= TERN_CC_STATE_MAX, "fits a state");

/* The integer part of the cube root, digit by digit. */
static uint32_t cube_root(uint64_t x)
{
    uint64_t y = 0;
    for (int s = 63; s >= 0; s -= 3) {
        y *= 2;
        uint64_t b = 3 * y * (y + 1) + 1;
        if (x >> s >= b) {
            x -= b << s;
            y++;
        }
    }
    return (uint32_t)y;
}

/* ---- HyStart++ ------------------------------------------------------------------------------- */

static void hystart_reset(struct cubic *s)
{
    s->rtt_min = s->rtt_last = UINT64_MAX;
    s->rtt_css = 0;
    s->samples = 0;
    s->css_rounds = 0;
    s->done = false;
}

static void hystart(struct cubic *s, tern_cc *cc, const tern_ack *ack)
{
    if (ack->round_start) {
        s->rtt_last = s->rtt_min;
        s->rtt_min = UINT64_MAX;
        s->samples = 0;
        if (s->rtt_css != 0 && ++s->css_rounds >= CSS_ROUNDS) {
            cc->ssthresh = max_u32(cc->cwnd, 2 * ack->mss);
            return;
        }
    }
    if (ack->rtt_ns == 0)
        return;
    s->rtt_min = min_u64(s->rtt_min, ack->rtt_ns);
    s->samples = (uint16_t)min_u32(s->samples + 1u, RTT_SAMPLES);
    if (s->samples < RTT_SAMPLES || s->rtt_last == UINT64_MAX)
        return;
    uint64_t thresh = min_u64(max_u64(s->rtt_last / 8, rtt_thresh_min), rtt_thresh_max);
    if (s->rtt_css == 0 && s->rtt_min >= s->rtt_last + thresh) {
        s->rtt_css = s->rtt_min;
        s->css_rounds = 0;
    } else if (s->rtt_css != 0 && s->rtt_min < s->rtt_css) {
        s->rtt_css = 0; /* it was nothing */
    }
}

/* Returns the bytes that are left for congestion avoidance. */
static uint32_t slow_start(struct cubic *s, tern_cc *cc, uint32_t acked)
{
    if (s->rtt_css != 0) {
        s->grow += acked;
        acked = s->grow / CSS_DIVISOR;
        s->grow -= acked * CSS_DIVISOR;
    }
    uint32_t grow = min_u32(acked, cc->ssthresh - cc->cwnd);
    cc->cwnd += grow;
    return acked - grow;
}

/* ---- the curve ------------------------------------------------------------------------------- */

static void begin_epoch(struct cubic *s, uint32_t cwnd, uint64_t now)
{
    struct curve *w = &s->now;
    w->epoch = now;
    w->w_est = cwnd;
    s->reno = s->grow = 0;
    if (w->w_max <= cwnd) {
        w->k = 0;
        w->origin = cwnd;
    } else {
        w->k = cube_root((((uint64_t)1 << 40) / C_SCALE) * (w->w_max - cwnd));
        w->origin = w->w_max;
    }
}

/* W_cubic one round trip from now. */
static uint32_t target(const struct curve *w, const tern_ack *ack)
{
    uint64_t ns = ack->now - w->epoch + ack->min_rtt_ns;
    uint64_t t = (ns / 1000 << T_SHIFT) / 1000000;
    bool before = t < w->k;
    uint64_t off = min_u64(before ? w->k - t : t - w->k, OFFSET_MAX);
    uint64_t delta = (C_SCALE * off * off * off) >> (10 + 3 * T_SHIFT);
    delta = min_u64(delta, 1u << 30);
    if (before)
        return delta < w->origin ? w->origin - (uint32_t)delta : 1;
    return w->origin + (uint32_t)delta;
}

/* How many segments must be acknowledged for one of growth. */
static void ask(struct cubic *s, uint32_t cwnd, const tern_ack *ack)
{
    struct curve *w = &s->now;
    if (w->epoch == 0)
        begin_epoch(s, cwnd, ack->now);
    s->asked = ack->now;
    s->asked_cwnd = cwnd;
    uint32_t to = target(w, ack);
    s->cnt = to > cwnd ? cwnd / (to - cwnd) : 100 * cwnd;
    if (w->w_max == 0)
        s->cnt = min_u32(s->cnt, BLIND);
}

/* 4.3: Reno's pace, if that is the faster one, else CUBIC's. Reno's window grows by
 * 3 (1 - beta) / (1 + beta) segments a round until it is where it was, then by one. */
static uint32_t reno_friendly(struct cubic *s, uint32_t cwnd, uint32_t mss)
{
    struct curve *w = &s->now;
    uint64_t each = (uint64_t)cwnd * mss;
    if (w->w_est < w->prior)
        each = each * 15 / 8;
    while (s->reno > each) {
        s->reno -= (uint32_t)each;
        w->w_est++;
    }
    return w->w_est > cwnd ? min_u32(s->cnt, cwnd / (w->w_est - cwnd)) : s->cnt;
}

static void avoid_congestion(struct cubic *s, tern_cc *cc, const tern_ack *ack, uint32_t acked)
{
    uint32_t cwnd = cc->cwnd / ack->mss;
    s->reno += acked;
    uint64_t since = ack->now - s->asked;
    if (s->now.epoch == 0 || since > 31250000 || (cwnd != s->asked_cwnd && since >= 1000000))
        ask(s, cwnd, ack);
    uint32_t cnt = max_u32(reno_friendly(s, cwnd, ack->mss), 2); /* 4.4: by half a round at most */
    uint32_t each = (uint32_t)min_u64((uint64_t)cnt * ack->mss, 1u << 30);
    if (s->grow >= each) { /* saved up while growth was slow: one segment, not all at once */
        s->grow = 0;
        cc->cwnd += ack->mss;
    }
    s->grow += acked;
    if (s->grow >= each) {
        uint32_t segs = s->grow / each;
        s->grow -= segs * each;
        cc->cwnd += segs * ack->mss;
    }
}

/* ---- the plug-in ----------------------------------------------------------------------------- */

static void init(tern_cc *cc, uint32_t mss, uint64_t now)
{
    struct cubic *s = cc->state;
    (void)mss, (void)now;
    hystart_reset(s);
}

static void on_ack(tern_cc *cc, const tern_ack *ack)
{
    struct cubic *s = cc->state;
    uint32_t acked = ack->acked;
    if (cc->ssthresh == UINT32_MAX && !ack->in_recovery) /* later ones know when to end: 4.3 */
        hystart(s, cc, ack);
    if (ack->in_recovery || !ack->cwnd_limited || acked == 0)
        return;
    if (cc->cwnd < cc->ssthresh)
        acked = slow_start(s, cc, acked);
    if (acked != 0)
        avoid_congestion(s, cc, ack, acked);
}

static void reduce(struct cubic *s, tern_cc *cc, const tern_ack *ack, uint32_t beta)
{
    uint32_t cwnd = cc->cwnd / ack->mss;
    s->before = s->now;
    /* 4.7 fast convergence: a flow that is still giving way leaves more room */
    s->now.w_max = cwnd < s->now.w_max ? cwnd * (1024 + beta) / 2048 : cwnd;
    s->now.prior = cwnd;
    s->now.epoch = 0;
    s->grow = 0;
    s->rtt_css = 0;
    cc->ssthresh = max_u32((uint32_t)((uint64_t)cwnd * beta / 1024), 2) * ack->mss;
}

static void on_event(tern_cc *cc, enum tern_cc_event event, const tern_ack *ack)
{
    struct cubic *s = cc->state;
    switch (event) {
    case TERN_CC_LOSS:
        reduce(s, cc, ack, BETA);
        break;
    case TERN_CC_ECN:
        reduce(s, cc, ack, ack->abe ? BETA_ABE : BETA);
        break;
    case TERN_CC_RTO:
        reduce(s, cc, ack, BETA);
        s->now.w_max = 0; /* 4.8: the next curve begins where congestion avoidance does */
        hystart_reset(s);
        break;
    case TERN_CC_UNDO:
        s->now = s->before;
        break;
    case TERN_CC_IDLE: /* time in which nothing was sent does not count (RFC 9438 5.8) */
        if (s->now.epoch != 0)
            s->now.epoch = min_u64(s->now.epoch + ack->interval_ns, ack->now);
        hystart_reset(s);
        break;
    case TERN_CC_RECOVERED:
        break;
    }
}

static void freeze(tern_cc *cc, uint64_t summary[2])
{
    const struct cubic *s = cc->state;
    summary[0] = (uint64_t)s->now.w_max << 32 | s->now.prior;
}

static void thaw(tern_cc *cc, const uint64_t summary[2])
{
    struct cubic *s = cc->state;
    s->now.w_max = (uint32_t)(summary[0] >> 32);
    s->now.prior = (uint32_t)summary[0];
}

const tern_cc_ops tern_cc_cubic = {
    .name = "cubic",
    .state_size = sizeof(struct cubic),
    .flags = TERN_CC_NO_RATE,
    .init = init,
    .on_ack = on_ack,
    .on_event = on_event,
    .freeze = freeze,
    .thaw = thaw,
};
