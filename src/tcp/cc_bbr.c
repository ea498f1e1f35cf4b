/* cc_bbr.c - BBR, version 3, after draft-ietf-ccwg-bbr-06 (6 July 2026), whose section numbers are
 * given here.
 *
 * It keeps a model of the path: the most that was delivered a second in the last two cycles of
 * probing (max_bw), the least round trip of ten seconds (min_rtt), and how much may be in flight
 * before more than 2 % are lost (inflight_long). What it sees between probes lowers a second,
 * short-term model, which the next probe throws away. It paces at the model's rate times a gain,
 * and lets no more be in flight than a small multiple of rate times round trip:
 *
 *   STARTUP   doubles the rate each round trip until that brings no more, or much is lost
 *   DRAIN     half the rate, until the queue that this has built is gone
 *   DOWN      a little less than the path gives, until there is room for others
 *   CRUISE    exactly that, for two to three seconds, or as many round trips as Reno would take
 *   REFILL    for one round trip with the short-term model forgotten
 *   UP        a quarter more, until that brings no more, or more than 2 % are lost
 *   PROBE_RTT every five seconds unless the round trip was seen to be short: half a window for
 *             200 ms, so that all flows empty the queue and see how long the path is
 *
 * ECN marks (3.7: to be treated as congestion) count as a loss that is too much. The send quantum
 * (5.6.3) is what the stack makes super-segments of, and stands here only for what the ends hold.
 * Fixed point: gains in 1/256, rates in bytes a second, round trips in microseconds.
 */
#include "base/util.h"
#include "tern/cc.h"

enum state { STARTUP, DRAIN, DOWN, CRUISE, REFILL, UP, PROBE_RTT };
enum ack_phase { ACKS_INIT, ACKS_REFILLING, ACKS_STARTING, ACKS_FEEDBACK, ACKS_STOPPING };

enum {
    ONE = 256,
    STARTUP_PACING = 709, /* 2.77 */
    DRAIN_PACING = 128,   /* 0.5 */
    DOWN_PACING = 230,    /* 0.9 */
    UP_PACING = 320,      /* 1.25 */
    CWND_GAIN = 512,      /* 2 */
    UP_CWND = 576,        /* 2.25 */
    PROBE_RTT_CWND = 128, /* 0.5 */
    MARGIN = 99,          /* per cent of the rate that is paced at */
    LOSS_THRESH = 2,      /* per cent */
    BBR_BETA = 179,       /* 0.7 */
    HEADROOM = 38,        /* 0.15 */
    MIN_PIPE = 4,         /* segments */
    FULL_ROUNDS = 3,      /* without a quarter of growth: the pipe is full */
    FULL_LOSSES = 6,      /* acknowledgements of a round that told of losses */
    DRAIN_ROUNDS = 3,
    EXTRA_ROUNDS = 10, /* two slots of half as many */
    RENO_ROUNDS = 63,
    UP_ROUNDS_MAX = 30,
    QUANTA = 3,
    QUANTUM_MAX = 65536,

    PROBE_RTT_EVERY_MS = 5000,
    PROBE_RTT_LASTS_MS = 200,
    MIN_RTT_MS = 10000,
    PROBE_WAIT_MS = 2000, /* and up to a second more */
};

#define NONE UINT32_MAX  /* inflight: no limit is known */
#define NO_BW UINT64_MAX /* the same of a rate */
#define BBR_MS 1000000u  /* of `now` */

struct bbr {
    uint64_t max_bw[2]; /* of this cycle and of the one before, bytes/s */
    uint64_t bw;        /* what is paced by */
    uint64_t bw_short, undo_bw_short;
    uint64_t bw_latest;   /* most of this round */
    uint64_t full_bw;     /* the baseline that growth is measured by */
    uint64_t extra_from;  /* acknowledged faster than bw since, ns; */
    uint32_t extra_bytes; /* so much in all */
    uint32_t extra[2];    /* most excess in this slot of rounds and in the one before */
    uint32_t extra_round; /* when the slot began */
    uint32_t min_rtt_us, probe_rtt_us; /* the latter of the last 5 s; NONE: none yet */
    uint32_t min_rtt_ms, probe_rtt_ms; /* when they were measured, */
    uint32_t probe_done_ms;            /* when PROBE_RTT may end; 0: not yet small enough */
    uint32_t cycle_ms;                 /* when DOWN began */
    uint32_t inflight_long, inflight_short;
    uint32_t undo_long, undo_short;
    uint32_t inflight_latest; /* most delivered within a round trip, this round */
    uint32_t prior_cwnd;      /* the last that neither loss nor PROBE_RTT has cut */
    uint32_t initial_cwnd;
    uint32_t round, round_end; /* low bits of `delivered` for this and the next two */
    uint32_t loss_round_end;   /* when the losses of a round are summed up */
    uint32_t limited_until;    /* what was sent before that says little about the rate */
    uint32_t up_acked, up_per; /* bytes acknowledged, for one segment more of inflight_long */
    uint32_t drain_round;
    uint16_t wait_ms;         /* beyond PROBE_WAIT_MS */
    uint16_t rounds_probed;   /* since UP */
    uint8_t state, ack_phase; /* enum state, ack_phase */
    uint8_t undo_state;       /* STARTUP or UP: what a loss has ended; else DRAIN: nothing */
    uint8_t up_rounds, full_count, losses;
    bool full_now : 1, full_reached : 1;
    bool lost_in_round : 1, loss_round : 1, round_start : 1;
    bool probe_sample : 1;                /* losses are of what was sent to probe */
    bool too_high : 1, precautionary : 1; /* how the last probe ended */
    bool probe_rtt_round : 1, probe_rtt_due : 1;
    bool idle : 1;       /* begins again after there was nothing to send */
    bool recovering : 1; /* a loss is being repaired */
    bool seen_rtt : 1;
    bool few_sent : 1; /* limited_until is valid */
};
_Static_assert(sizeof(struct bbr) <= TERN_CC_STATE_MAX, "fits a state");

/* One acknowledgement with what is made of it. */
struct sample {
    const tern_ack *ack;
    uint64_t bw;        /* bytes/s; 0: none */
    uint32_t delivered; /* between sending and arrival of the sampled packet */
    uint32_t now_ms;
    bool any, app_limited;
};

static bool after(uint32_t a, uint32_t b) { return (int32_t)(a - b) > 0; }

static uint32_t clamp32(uint64_t n) { return (uint32_t)min_u64(n, NONE - 1); }

/* ---- what the model makes of the path -------------------------------------------------------- */

static uint64_t max_bw(const struct bbr *s) { return max_u64(s->max_bw[0], s->max_bw[1]); }

/* 5.6.4.2: so many times what the path holds at that rate. */
static uint32_t bdp(const struct bbr *s, uint64_t bw, uint32_t gain)
{
    if (s->min_rtt_us == NONE)
        return s->initial_cwnd;
    return clamp32(bw * s->min_rtt_us / 1000000 * gain / ONE);
}

/* 5.5.8.1, 5.6.3: what the two ends need beside the path. */
static uint32_t with_quanta(const tern_cc *cc, uint64_t inflight, uint32_t mss)
{
    const struct bbr *s = cc->state;
    uint64_t quantum = min_u64(cc->pacing_rate / 1000, QUANTUM_MAX);
    inflight = max_u64(inflight, QUANTA * max_u64(quantum, 2 * mss));
    inflight = max_u64(inflight, MIN_PIPE * mss);
    if (s->state == UP)
        inflight += 2 * mss;
    return clamp32(inflight);
}

static uint32_t inflight_of(const tern_cc *cc, uint64_t bw, uint32_t mss)
{
    return with_quanta(cc, bdp(cc->state, bw, ONE), mss);
}

/* 5.3.3.9: below what was too much, room for others. */
static uint32_t with_headroom(const struct bbr *s, uint32_t mss)
{
    if (s->inflight_long == NONE)
        return NONE;
    uint32_t room = max_u32(mss, (uint32_t)((uint64_t)s->inflight_long * HEADROOM / ONE));
    return max_u32(s->inflight_long - min_u32(room, s->inflight_long), MIN_PIPE * mss);
}

static uint32_t wanted(const tern_cc *cc)
{
    const struct bbr *s = cc->state;
    return min_u32(bdp(s, s->bw, ONE), cc->cwnd);
}

static uint32_t probe_rtt_cwnd(const struct bbr *s, uint32_t mss)
{
    return max_u32(bdp(s, s->bw, PROBE_RTT_CWND), MIN_PIPE * mss);
}

static uint32_t pacing_gain(const struct bbr *s)
{
    static const uint16_t gain[] = {[STARTUP] = STARTUP_PACING,
                                    [DRAIN] = DRAIN_PACING,
                                    [DOWN] = DOWN_PACING,
                                    [CRUISE] = ONE,
                                    [REFILL] = ONE,
                                    [UP] = UP_PACING,
                                    [PROBE_RTT] = ONE};
    return gain[s->state];
}

static bool in_probe_bw(const struct bbr *s) { return s->state >= DOWN && s->state <= UP; }

static bool probing(const struct bbr *s)
{
    return s->state == STARTUP || s->state == REFILL || s->state == UP;
}

/* ---- beginnings ------------------------------------------------------------------------------ */

static void start_round(struct bbr *s, const tern_ack *ack)
{
    s->round_end = (uint32_t)ack->delivered;
}

static void reset_full(struct bbr *s, uint64_t baseline)
{
    s->full_bw = baseline;
    s->full_count = 0;
    s->full_now = false;
}

static void reset_short_term(struct bbr *s)
{
    s->bw_short = NO_BW;
    s->inflight_short = NONE;
}

static void save_cwnd(const tern_cc *cc)
{
    struct bbr *s = cc->state;
    bool cut = s->recovering || s->state == PROBE_RTT;
    s->prior_cwnd = cut ? max_u32(s->prior_cwnd, cc->cwnd) : cc->cwnd;
}

static void restore_cwnd(tern_cc *cc)
{
    const struct bbr *s = cc->state;
    cc->cwnd = max_u32(cc->cwnd, s->prior_cwnd);
}

/* Nothing here may be the same for flows that began together, and everything the same in a second
 * run: the clock, to the nanosecond, is both. */
static uint32_t draw(uint64_t now)
{
    uint64_t x = (now + 1) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)((x ^ x >> 29) * UINT64_C(0xbf58476d1ce4e5b9) >> 32);
}

static void start_down(tern_cc *cc, const tern_ack *ack)
{
    struct bbr *s = cc->state;
    uint32_t r = draw(ack->now);
    s->lost_in_round = false;
    s->bw_latest = s->inflight_latest = 0;
    s->up_per = NONE;
    s->rounds_probed = r & 1;
    s->wait_ms = (uint16_t)((r >> 1) % 1000);
    s->cycle_ms = (uint32_t)(ack->now / BBR_MS);
    s->ack_phase = ACKS_STOPPING;
    start_round(s, ack);
    s->state = DOWN;
}

static void start_refill(tern_cc *cc, const tern_ack *ack)
{
    struct bbr *s = cc->state;
    reset_short_term(s);
    s->up_rounds = 0;
    s->up_acked = 0;
    s->precautionary = false;
    s->ack_phase = ACKS_REFILLING;
    start_round(s, ack);
    s->state = REFILL;
}

static void raise_slope(const tern_cc *cc, uint32_t mss)
{
    struct bbr *s = cc->state;
    uint32_t growth = 1u << s->up_rounds;
    s->up_rounds = (uint8_t)min_u32(s->up_rounds + 1u, UP_ROUNDS_MAX);
    s->up_per = max_u32(cc->cwnd / growth, mss);
}

static void start_up(tern_cc *cc, const struct sample *m)
{
    struct bbr *s = cc->state;
    s->ack_phase = ACKS_STARTING;
    start_round(s, m->ack);
    reset_full(s, m->bw);
    s->state = UP;
    raise_slope(cc, m->ack->mss);
}

/* ---- losses (5.5.10) ------------------------------------------------------------------------- */

/* 5.5.11.1 */
static void save_state(tern_cc *cc)
{
    struct bbr *s = cc->state;
    save_cwnd(cc);
    s->undo_state = DRAIN;
    s->undo_bw_short = s->bw_short;
    s->undo_short = s->inflight_short;
    s->undo_long = s->inflight_long;
}

static void note_loss(tern_cc *cc, const tern_ack *ack)
{
    struct bbr *s = cc->state;
    if (!s->lost_in_round) {
        s->loss_round_end = (uint32_t)ack->delivered;
        save_state(cc);
    }
    s->lost_in_round = true;
}

static bool loss_too_high(const tern_ack *ack, uint32_t lost, uint32_t tx_in_flight)
{
    return (uint64_t)lost * 100 > (uint64_t)tx_in_flight * LOSS_THRESH || (lost != 0 && !ack->sack);
}

static void handle_too_high(tern_cc *cc, const tern_ack *ack, uint32_t inflight, bool app_limited)
{
    struct bbr *s = cc->state;
    s->too_high = true;
    s->probe_sample = false; /* one reaction a probe is enough */
    if (!app_limited)
        s->inflight_long = max_u32(inflight, (uint32_t)((uint64_t)wanted(cc) * BBR_BETA / ONE));
    if (s->state != UP)
        return;
    s->undo_state = UP;
    start_down(cc, ack);
}

/* How much was in flight when, somewhere in these bytes, the share of losses passed 2 %. */
static uint32_t inflight_at_loss(uint32_t bytes, uint32_t tx_in_flight, uint32_t lost)
{
    uint32_t before = tx_in_flight - min_u32(tx_in_flight, bytes);
    uint32_t lost_before = lost - min_u32(lost, bytes);
    uint64_t may = (uint64_t)before * LOSS_THRESH, is = (uint64_t)lost_before * 100;
    uint64_t prefix = may > is ? (may - is) / (100 - LOSS_THRESH) : 0;
    return clamp32(before + prefix);
}

static void on_lost(tern_cc *cc, uint32_t bytes, uint32_t tx_in_flight, const tern_ack *ack)
{
    const struct bbr *s = cc->state;
    note_loss(cc, ack);
    if (!s->probe_sample || tx_in_flight == 0 || !loss_too_high(ack, ack->lost_since, tx_in_flight))
        return;
    handle_too_high(cc, ack, inflight_at_loss(bytes, tx_in_flight, ack->lost_since),
                    ack->app_limited);
}

/* 5.3.1.3: a path that much is lost of is full. */
static void full_by_loss(struct bbr *s)
{
    s->undo_state = STARTUP;
    s->full_reached = true;
    s->inflight_long = max_u32(bdp(s, max_bw(s), ONE), s->inflight_latest);
}

static void check_startup_loss(struct bbr *s, const struct sample *m)
{
    if (s->full_reached)
        return;
    const tern_ack *ack = m->ack;
    if (ack->lost != 0 && s->losses < UINT8_MAX)
        s->losses++;
    bool many = s->loss_round && s->losses >= FULL_LOSSES &&
                loss_too_high(ack, ack->lost_since, ack->tx_in_flight);
    if (ack->in_recovery && (ack->sack ? many : ack->lost != 0))
        full_by_loss(s);
    else if (s->loss_round)
        s->losses = 0;
}

/* ---- the model, at each acknowledgement (5.2.3) ---------------------------------------------- */

static void update_round(struct bbr *s, const struct sample *m)
{
    const tern_ack *ack = m->ack;
    s->round_start = s->loss_round = false;
    if (!m->any)
        return;
    s->bw_latest = max_u64(s->bw_latest, m->bw);
    s->inflight_latest = max_u32(s->inflight_latest, m->delivered);
    if (!after(s->loss_round_end, (uint32_t)ack->prior_delivered)) {
        s->loss_round_end = (uint32_t)ack->delivered;
        s->loss_round = true;
    }
    if (!after(s->round_end, (uint32_t)ack->prior_delivered)) {
        start_round(s, ack);
        s->round++;
        s->rounds_probed = (uint16_t)min_u32(s->rounds_probed + 1u, UINT16_MAX);
        s->round_start = true;
    }
}

static void update_congestion(tern_cc *cc, const struct sample *m)
{
    struct bbr *s = cc->state;
    if (m->bw != 0 && (m->bw >= max_bw(s) || !m->app_limited))
        s->max_bw[0] = max_u64(s->max_bw[0], m->bw);
    if (!s->loss_round)
        return;
    if (s->lost_in_round && !probing(s)) { /* 5.5.10.3 */
        uint64_t bw = s->bw_short == NO_BW ? max_bw(s) : s->bw_short;
        uint32_t inflight = s->inflight_short == NONE ? cc->cwnd : s->inflight_short;
        s->bw_short = max_u64(s->bw_latest, bw * BBR_BETA / ONE);
        s->inflight_short =
            max_u32(s->inflight_latest, (uint32_t)((uint64_t)inflight * BBR_BETA / ONE));
    }
    s->lost_in_round = false;
}

/* 5.5.9: how much more than expected comes at once. The most of ten rounds, in two slots. */
static void update_aggregation(tern_cc *cc, const tern_ack *ack)
{
    struct bbr *s = cc->state;
    uint64_t interval_us = (ack->now - min_u64(ack->now, s->extra_from)) / 1000;
    uint64_t expected = s->bw * min_u64(interval_us, 10000000) / 1000000;
    if (s->extra_bytes <= expected || interval_us > 10000000) {
        s->extra_bytes = 0;
        s->extra_from = ack->now;
        expected = 0;
    }
    s->extra_bytes += ack->acked;
    uint32_t extra = min_u32(s->extra_bytes - (uint32_t)expected, cc->cwnd);
    uint32_t slot = s->full_reached ? EXTRA_ROUNDS / 2 : 1;
    if (s->round - s->extra_round >= slot) {
        s->extra[1] = s->full_reached ? s->extra[0] : 0;
        s->extra[0] = 0;
        s->extra_round = s->round;
    }
    s->extra[0] = max_u32(s->extra[0], extra);
}

/* 5.3.1.2 */
static void check_full(struct bbr *s, const struct sample *m)
{
    if (s->full_now || !s->round_start || m->app_limited || m->bw == 0)
        return;
    if (m->bw >= s->full_bw + s->full_bw / 4) {
        reset_full(s, m->bw);
        return;
    }
    s->full_now = ++s->full_count >= FULL_ROUNDS;
    s->full_reached |= s->full_now;
}

static void check_startup_and_drain(tern_cc *cc, const struct sample *m)
{
    struct bbr *s = cc->state;
    const tern_ack *ack = m->ack;
    check_startup_loss(s, m);
    if (s->state == STARTUP && s->full_reached) {
        s->state = DRAIN;
        s->drain_round = s->round;
    }
    if (s->state == DRAIN && (ack->in_flight <= inflight_of(cc, max_bw(s), ack->mss) ||
                              s->round - s->drain_round > DRAIN_ROUNDS))
        start_down(cc, ack);
}

/* ---- PROBE_BW (5.3.3) ------------------------------------------------------------------------ */

static void grow_long_term(tern_cc *cc, const tern_ack *ack)
{
    struct bbr *s = cc->state;
    if (!ack->cwnd_limited || cc->cwnd < s->inflight_long)
        return; /* it is not what limits */
    s->up_acked += ack->acked;
    if (s->up_acked >= s->up_per) {
        uint32_t segs = s->up_acked / s->up_per;
        s->up_acked -= segs * s->up_per;
        s->inflight_long = clamp32(s->inflight_long + (uint64_t)segs * ack->mss);
    }
    if (s->round_start)
        raise_slope(cc, ack->mss);
}

/* true: it has decided upon the next phase. */
static bool adapt_long_term(tern_cc *cc, const struct sample *m)
{
    struct bbr *s = cc->state;
    const tern_ack *ack = m->ack;
    if (s->ack_phase == ACKS_STARTING && s->round_start)
        s->ack_phase = ACKS_FEEDBACK;
    if (s->ack_phase == ACKS_STOPPING && s->round_start) {
        s->probe_sample = false;
        s->ack_phase = ACKS_INIT;
        if (in_probe_bw(s) && !m->app_limited && s->max_bw[0] != 0) { /* the next cycle */
            s->max_bw[1] = s->max_bw[0];
            s->max_bw[0] = 0;
        }
        if (in_probe_bw(s) && s->precautionary && !s->too_high) {
            start_refill(cc, ack);
            return true;
        }
    }
    if (loss_too_high(ack, ack->lost_since, ack->tx_in_flight) || s->inflight_long == NONE)
        return false;
    s->inflight_long = max_u32(s->inflight_long, ack->tx_in_flight);
    if (s->state == UP)
        grow_long_term(cc, ack);
    return false;
}

static bool time_to_probe(const tern_cc *cc, const struct sample *m)
{
    const struct bbr *s = cc->state;
    uint32_t reno = min_u32(wanted(cc) / m->ack->mss, RENO_ROUNDS);
    return after(m->now_ms, s->cycle_ms + PROBE_WAIT_MS + s->wait_ms) || s->rounds_probed >= reno;
}

static bool time_to_go_down(tern_cc *cc, const struct sample *m)
{
    struct bbr *s = cc->state;
    if (s->too_high && m->ack->in_flight >= s->inflight_long) {
        s->precautionary = true;
        return true;
    }
    if (m->ack->cwnd_limited && cc->cwnd >= s->inflight_long) {
        reset_full(s, m->bw);
        return false;
    }
    return s->full_now;
}

static void update_cycle(tern_cc *cc, const struct sample *m)
{
    struct bbr *s = cc->state;
    const tern_ack *ack = m->ack;
    if (!s->full_reached || adapt_long_term(cc, m))
        return;
    switch ((enum state)s->state) {
    case DOWN:
        if (time_to_probe(cc, m))
            start_refill(cc, ack);
        else if (ack->in_flight <= with_headroom(s, ack->mss) &&
                 ack->in_flight <= inflight_of(cc, max_bw(s), ack->mss))
            s->state = CRUISE;
        break;
    case CRUISE:
        if (time_to_probe(cc, m))
            start_refill(cc, ack);
        break;
    case REFILL:
        if (!s->round_start)
            break;
        s->probe_sample = true;
        start_up(cc, m);
        break;
    case UP:
        if (!time_to_go_down(cc, m))
            break;
        s->too_high = false;
        start_down(cc, ack);
        break;
    default:
        break;
    }
}

/* ---- the round trip (5.3.4) ------------------------------------------------------------------ */

static void update_min_rtt(struct bbr *s, const struct sample *m)
{
    uint32_t rtt_us = clamp32(max_u64(m->ack->rtt_ns / 1000, 1));
    s->probe_rtt_due = after(m->now_ms, s->probe_rtt_ms + PROBE_RTT_EVERY_MS);
    if (m->ack->rtt_ns != 0 && (rtt_us < s->probe_rtt_us || s->probe_rtt_due)) {
        s->probe_rtt_us = rtt_us;
        s->probe_rtt_ms = m->now_ms;
    }
    if (s->probe_rtt_us < s->min_rtt_us || after(m->now_ms, s->min_rtt_ms + MIN_RTT_MS)) {
        s->min_rtt_us = s->probe_rtt_us;
        s->min_rtt_ms = s->probe_rtt_ms;
    }
}

static void check_probe_rtt_done(tern_cc *cc, const tern_ack *ack)
{
    struct bbr *s = cc->state;
    uint32_t now_ms = (uint32_t)(ack->now / BBR_MS);
    if (s->probe_done_ms == 0 || !after(now_ms, s->probe_done_ms))
        return;
    s->probe_rtt_ms = now_ms;
    restore_cwnd(cc);
    reset_short_term(s);
    if (s->full_reached) {
        start_down(cc, ack);
        s->state = CRUISE;
    } else {
        s->state = STARTUP;
    }
}

static void check_probe_rtt(tern_cc *cc, const struct sample *m)
{
    struct bbr *s = cc->state;
    const tern_ack *ack = m->ack;
    if (s->state != PROBE_RTT && s->probe_rtt_due && !s->idle) {
        save_cwnd(cc);
        s->state = PROBE_RTT;
        s->probe_done_ms = 0;
        s->ack_phase = ACKS_STOPPING;
        start_round(s, ack);
    }
    if (s->state == PROBE_RTT) {
        s->few_sent = true;
        s->limited_until = (uint32_t)ack->delivered + ack->in_flight;
        if (s->probe_done_ms == 0 && ack->in_flight <= probe_rtt_cwnd(s, ack->mss)) {
            s->probe_done_ms = max_u32(m->now_ms + PROBE_RTT_LASTS_MS, 1);
            s->probe_rtt_round = false;
            start_round(s, ack);
        } else if (s->probe_done_ms != 0) {
            s->probe_rtt_round |= s->round_start;
            if (s->probe_rtt_round)
                check_probe_rtt_done(cc, ack);
        }
    }
    if (m->delivered != 0)
        s->idle = false;
}

/* ---- what is controlled (5.6) ---------------------------------------------------------------- */

static void pace(tern_cc *cc, uint32_t gain)
{
    const struct bbr *s = cc->state;
    uint64_t rate = s->bw * gain / ONE * MARGIN / 100;
    if (rate != 0 && (s->full_reached || rate > cc->pacing_rate))
        cc->pacing_rate = rate;
}

static void set_pacing_rate(tern_cc *cc, const tern_ack *ack)
{
    struct bbr *s = cc->state;
    if (!s->seen_rtt && ack->srtt_ns != 0) {
        s->seen_rtt = true;
        if (!s->full_reached) /* (else it is known from before) */
            cc->pacing_rate = (uint64_t)s->initial_cwnd * STARTUP_PACING / ONE * 1000000 /
                              max_u64(ack->srtt_ns / 1000, 1);
    }
    pace(cc, pacing_gain(s));
}

static void set_cwnd(tern_cc *cc, const tern_ack *ack)
{
    struct bbr *s = cc->state;
    uint32_t mss = ack->mss, least = MIN_PIPE * mss;
    uint32_t gain = s->state == UP ? UP_CWND : s->state == PROBE_RTT ? PROBE_RTT_CWND : CWND_GAIN;
    uint64_t most = bdp(s, s->bw, gain);
    most = with_quanta(cc, most + max_u32(s->extra[0], s->extra[1]), mss);
    uint64_t cwnd = cc->cwnd;
    if (s->full_reached)
        cwnd = min_u64(cwnd + ack->acked, most);
    else if (cwnd < most || ack->delivered < s->initial_cwnd)
        cwnd += ack->acked;
    cwnd = max_u64(cwnd, least);
    if (s->state == PROBE_RTT)
        cwnd = min_u64(cwnd, probe_rtt_cwnd(s, mss));
    uint32_t cap = NONE; /* 5.6.4.7 */
    if (s->state == CRUISE || s->state == PROBE_RTT)
        cap = with_headroom(s, mss);
    else if (in_probe_bw(s))
        cap = s->inflight_long;
    cap = max_u32(min_u32(cap, s->inflight_short), least);
    cc->cwnd = (uint32_t)min_u64(cwnd, cap);
}

static void on_ack(tern_cc *cc, const tern_ack *ack)
{
    struct bbr *s = cc->state;
    struct sample m = {.ack = ack,
                       .any = ack->tx_in_flight != 0,
                       .now_ms = (uint32_t)(ack->now / BBR_MS)};
    if (m.any) {
        m.delivered = clamp32(ack->delivered - ack->prior_delivered);
        s->few_sent &= !after((uint32_t)ack->prior_delivered, s->limited_until);
        m.app_limited = ack->app_limited || s->few_sent;
        if (ack->interval_ns >= 1000)
            m.bw = (uint64_t)m.delivered * 1000000 / (ack->interval_ns / 1000);
    }
    update_round(s, &m);
    update_congestion(cc, &m);
    update_aggregation(cc, ack);
    check_full(s, &m);
    check_startup_and_drain(cc, &m);
    update_cycle(cc, &m);
    update_min_rtt(s, &m);
    check_probe_rtt(cc, &m);
    if (s->loss_round) {
        s->bw_latest = m.bw;
        s->inflight_latest = m.delivered;
    }
    s->bw = min_u64(max_bw(s), s->bw_short);
    set_pacing_rate(cc, ack);
    set_cwnd(cc, ack);
}

/* ---- events ---------------------------------------------------------------------------------- */

/* 5.5.11.2: nothing was lost. */
static void undo(tern_cc *cc, const tern_ack *ack)
{
    struct bbr *s = cc->state;
    restore_cwnd(cc);
    s->lost_in_round = false;
    reset_full(s, 0);
    s->bw_short = max_u64(s->bw_short, s->undo_bw_short);
    s->inflight_short = max_u32(s->inflight_short, s->undo_short);
    s->inflight_long = max_u32(s->inflight_long, s->undo_long);
    if (s->undo_state == STARTUP && s->state != STARTUP) {
        s->full_reached = false;
        if (s->state != PROBE_RTT)
            s->state = STARTUP;
    } else if (s->undo_state == UP && s->state != UP && s->state != PROBE_RTT) {
        start_refill(cc, ack);
    }
    s->undo_state = DRAIN;
}

/* A mark: congestion, in every state. */
static void congested(tern_cc *cc, const tern_ack *ack)
{
    struct bbr *s = cc->state;
    note_loss(cc, ack);
    if (s->state == STARTUP && !s->full_reached)
        full_by_loss(s);
    else if (s->probe_sample)
        handle_too_high(cc, ack, ack->in_flight, false);
}

/* 5.4.1 */
static void begin_again(tern_cc *cc, const tern_ack *ack)
{
    struct bbr *s = cc->state;
    s->idle = true;
    s->extra_from = ack->now;
    s->extra_bytes = 0;
    if (in_probe_bw(s))
        pace(cc, ONE);
    else if (s->state == PROBE_RTT)
        check_probe_rtt_done(cc, ack);
}

static void on_event(tern_cc *cc, enum tern_cc_event event, const tern_ack *ack)
{
    struct bbr *s = cc->state;
    switch (event) {
    case TERN_CC_LOSS:
        save_state(cc);
        s->recovering = true;
        break;
    case TERN_CC_RTO:
        save_state(cc);
        s->recovering = true;
        cc->cwnd = ack->in_flight + ack->mss; /* 5.6.4.4 */
        break;
    case TERN_CC_ECN:
        congested(cc, ack);
        break;
    case TERN_CC_UNDO:
        s->recovering = false;
        undo(cc, ack);
        break;
    case TERN_CC_RECOVERED:
        if (s->recovering)
            restore_cwnd(cc);
        s->recovering = false;
        break;
    case TERN_CC_IDLE:
        begin_again(cc, ack);
        break;
    }
}

static void init(tern_cc *cc, uint32_t mss, uint64_t now)
{
    struct bbr *s = cc->state;
    uint32_t now_ms = (uint32_t)(now / BBR_MS);
    (void)mss;
    *s = (struct bbr){.state = STARTUP, .undo_state = DRAIN};
    s->min_rtt_us = s->probe_rtt_us = NONE;
    s->min_rtt_ms = s->probe_rtt_ms = now_ms;
    s->extra_from = now;
    s->inflight_long = s->undo_long = NONE;
    s->up_per = NONE;
    s->bw_short = s->undo_bw_short = NO_BW;
    s->inflight_short = s->undo_short = NONE;
    s->initial_cwnd = cc->cwnd;
    cc->pacing_rate = (uint64_t)cc->cwnd * STARTUP_PACING / ONE * 1000; /* 1 ms, not knowing */
}

/* The rate, whether it is all that the path gives, and the path's length and limit. */
static void freeze(tern_cc *cc, uint64_t summary[2])
{
    const struct bbr *s = cc->state;
    summary[0] = max_bw(s) << 1 | s->full_reached;
    summary[1] = (uint64_t)s->min_rtt_us << 32 | s->inflight_long;
}

/* As after a silence: the path's length may count as measured just now, as it was empty. */
static void thaw(tern_cc *cc, const uint64_t summary[2])
{
    struct bbr *s = cc->state;
    s->max_bw[0] = s->max_bw[1] = s->bw = summary[0] >> 1;
    s->full_reached = summary[0] & 1;
    s->min_rtt_us = s->probe_rtt_us = (uint32_t)(summary[1] >> 32);
    s->inflight_long = s->undo_long = (uint32_t)summary[1];
    s->idle = true;
    if (s->full_reached) {
        s->state = CRUISE;
        s->cycle_ms = s->probe_rtt_ms;
        pace(cc, ONE);
    }
}

const tern_cc_ops tern_cc_bbr = {
    .name = "bbr",
    .state_size = sizeof(struct bbr),
    .flags = TERN_CC_OWN_CWND,
    .init = init,
    .on_ack = on_ack,
    .on_event = on_event,
    .on_lost = on_lost,
    .freeze = freeze,
    .thaw = thaw,
};
