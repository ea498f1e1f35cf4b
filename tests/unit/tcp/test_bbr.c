/* test_bbr.c - BBR over a path that is simulated packet by packet: each state, what it does to the
 * rate and to the window, when it ends, and what losses do. Phases are told by what is paced:
 * STARTUP 2.77 times the path's rate, DRAIN 0.5, DOWN 0.9, CRUISE, REFILL and PROBE_RTT 1, UP 1.25.
 *
 * valgrind: is too slow for millions of packets; AddressSanitizer has watched over the state
 */
#include "rig.h"
#include "tern/cc.h"

enum { MSS = 1000, STATE_GUARD = 64, FLIGHT = 1 << 15, PHASES = 256 };

struct packet {
    uint64_t sent, first_sent, delivered_at, arrives; /* its ACK; 0: it is lost */
    uint64_t delivered, lost;
    uint32_t in_flight;
    bool app_limited;
};

struct path {
    /* what it is like */
    uint64_t rate, rtt; /* bytes/s, ns */
    uint32_t queue;     /* packets; 0: no end */
    uint32_t lose_of;   /* of so many packets, ... */
    uint32_t lose;      /* ... this many are lost, one after the other */
    uint64_t app_rate;  /* bytes/s the application gives; 0: all that can go */
    bool no_sack;

    tern_cc cc;
    uint64_t now, next_send, free_at;
    uint64_t delivered, delivered_at, first_sent, lost, round_end, app_limit, sent_bytes;
    uint64_t quantum; /* packets so far, for lose_of */
    uint32_t in_flight, most_in_flight;
    uint64_t min_rtt;
    bool recovering;
    uint32_t recover;
    struct packet flight[FLIGHT];
    uint32_t head, tail;
    /* what was seen */
    unsigned gain[PHASES]; /* per cent of the path's rate that were paced, one after the other */
    uint64_t since[PHASES];
    unsigned phases;
    _Alignas(16) uint8_t state[TERN_CC_STATE_MAX + STATE_GUARD];
};

static struct path *begin(uint64_t rate, uint64_t rtt, uint32_t queue)
{
    static struct path p;
    memset(&p, 0, sizeof(p));
    assert_true(tern_cc_bbr.state_size <= TERN_CC_STATE_MAX);
    memset(p.state + tern_cc_bbr.state_size, 0x77, sizeof(p.state) - tern_cc_bbr.state_size);
    p.rate = rate;
    p.rtt = rtt;
    p.queue = queue;
    p.now = SEC(1);
    p.min_rtt = UINT64_MAX;
    p.cc = (tern_cc){.cwnd = 10 * MSS, .ssthresh = UINT32_MAX, .state = p.state};
    tern_cc_bbr.init(&p.cc, MSS, p.now);
    return &p;
}

static tern_ack an_ack(const struct path *p)
{
    return (tern_ack){.now = p->now,
                      .delivered = p->delivered,
                      .srtt_ns = p->min_rtt == UINT64_MAX ? p->rtt : p->min_rtt,
                      .in_flight = p->in_flight,
                      .mss = MSS,
                      .cwnd_limited = p->in_flight + MSS > p->cc.cwnd,
                      .in_recovery = p->recovering,
                      .sack = !p->no_sack};
}

static void event(struct path *p, enum tern_cc_event ev)
{
    tern_ack ack = an_ack(p);
    tern_cc_bbr.on_event(&p->cc, ev, &ack);
}

/* The gain that is in force, by what the path gives. */
static unsigned gain_of(const struct path *p)
{
    return (unsigned)(p->cc.pacing_rate * 10000 / 99 / p->rate);
}

static void note_phase(struct path *p)
{
    unsigned g = gain_of(p), last = p->phases == 0 ? 0 : p->gain[p->phases - 1];
    unsigned slack = last / 20 + 1;
    if (p->phases != 0 && g + slack > last && g < last + slack)
        return;
    if (p->phases == PHASES)
        return;
    p->gain[p->phases] = g;
    p->since[p->phases++] = p->now;
}

static void send_one(struct path *p)
{
    struct packet *k = &p->flight[p->tail++ % FLIGHT];
    assert_true(p->tail - p->head < FLIGHT);
    if (p->in_flight == 0)
        p->first_sent = p->delivered_at = p->now;
    *k = (struct packet){.sent = p->now,
                         .first_sent = p->first_sent,
                         .delivered_at = p->delivered_at,
                         .delivered = p->delivered,
                         .lost = p->lost,
                         .app_limited = p->app_limit > p->delivered};
    p->in_flight += MSS;
    k->in_flight = p->in_flight;
    if (p->in_flight > p->most_in_flight)
        p->most_in_flight = p->in_flight;
    p->quantum++;
    uint64_t begins = p->free_at > p->now ? p->free_at : p->now;
    uint64_t waiting = (begins - p->now) * p->rate / SEC(1) / MSS;
    bool drop = p->queue != 0 && waiting >= p->queue;
    drop |= p->lose_of != 0 && p->quantum % p->lose_of < p->lose;
    if (!drop) {
        p->free_at = begins + MSS * SEC(1) / p->rate;
        k->arrives = p->free_at + p->rtt;
    }
    uint64_t gap = MSS * SEC(1) / p->cc.pacing_rate;
    if (p->app_rate != 0) {
        p->app_limit = p->delivered + p->in_flight;
        if (gap < MSS * SEC(1) / p->app_rate)
            gap = MSS * SEC(1) / p->app_rate;
    }
    p->next_send = (p->next_send > p->now ? p->next_send : p->now) + gap;
}

/* What was sent before the packet that has now arrived is lost. */
static uint32_t find_lost(struct path *p)
{
    uint32_t lost = 0;
    for (; p->flight[p->head % FLIGHT].arrives == 0; p->head++) {
        const struct packet *k = &p->flight[p->head % FLIGHT];
        p->in_flight -= MSS;
        p->lost += MSS;
        lost += MSS;
        tern_ack ack = an_ack(p);
        ack.lost = MSS;
        ack.lost_since = (uint32_t)(p->lost - k->lost);
        ack.app_limited = k->app_limited;
        tern_cc_bbr.on_lost(&p->cc, MSS, k->in_flight, &ack);
    }
    if (lost != 0 && !p->recovering) {
        p->recovering = true;
        p->recover = p->tail;
        event(p, TERN_CC_LOSS);
    }
    return lost;
}

static void arrive(struct path *p)
{
    p->delivered += MSS;
    uint32_t lost = find_lost(p);
    const struct packet *k = &p->flight[p->head++ % FLIGHT];
    if (p->recovering && (int32_t)(p->head - p->recover) > 0) {
        p->recovering = false;
        event(p, TERN_CC_RECOVERED);
    }
    p->in_flight -= MSS;
    uint64_t sent = k->sent - k->first_sent, acked = p->now - k->delivered_at;
    p->first_sent = k->sent;
    p->delivered_at = p->now;
    if (p->now - k->sent < p->min_rtt)
        p->min_rtt = p->now - k->sent;
    tern_ack ack = an_ack(p);
    ack.rtt_ns = p->now - k->sent;
    ack.prior_delivered = k->delivered;
    ack.interval_ns = sent > acked ? sent : acked;
    ack.acked = MSS;
    ack.lost = lost;
    ack.tx_in_flight = k->in_flight;
    ack.lost_since = (uint32_t)(p->lost - k->lost);
    ack.app_limited = k->app_limited;
    ack.cwnd_limited = p->in_flight + 2 * MSS > p->cc.cwnd;
    tern_cc_bbr.on_ack(&p->cc, &ack);
    assert_true(p->cc.cwnd >= 4 * MSS && p->cc.pacing_rate != 0);
    for (unsigned i = tern_cc_bbr.state_size; i < sizeof(p->state); i++)
        assert_int_equal(p->state[i], 0x77);
    note_phase(p);
}

/* When the next ACK comes: losses are found by the first packet behind them that arrives. */
static uint64_t next_arrival(const struct path *p)
{
    for (uint32_t i = p->head; i != p->tail; i++)
        if (p->flight[i % FLIGHT].arrives != 0)
            return p->flight[i % FLIGHT].arrives;
    return UINT64_MAX;
}

static void run(struct path *p, uint64_t ns)
{
    uint64_t end = p->now + ns;
    for (;;) {
        uint64_t ack = next_arrival(p);
        uint64_t send = p->in_flight + MSS <= p->cc.cwnd ? p->next_send : UINT64_MAX;
        if (ack == UINT64_MAX && p->in_flight != 0) { /* all is lost: as after a timeout */
            p->lost += p->in_flight;
            p->in_flight = 0;
            p->head = p->tail;
            event(p, TERN_CC_RTO);
            continue;
        }
        uint64_t at = send < ack ? send : ack;
        if (at < p->now)
            at = p->now;
        if (at > end)
            break;
        p->now = at;
        if (send < ack)
            send_one(p);
        else
            arrive(p);
    }
    p->now = end;
}

/* Goodput of a span of time, in per cent of the path's rate. */
static unsigned used(struct path *p, uint64_t ns)
{
    uint64_t before = p->delivered;
    run(p, ns);
    return (unsigned)((p->delivered - before) * 100 / (p->rate * (ns / MS(1)) / 1000));
}

static uint32_t bdp(const struct path *p)
{
    return (uint32_t)(p->rate * (p->rtt / 1000) / 1000000);
}

static void near(unsigned is, unsigned want, const char *what)
{
    if (is + want / 16 + 1 < want || is > want + want / 16 + 1)
        rig_fail("%s: %u instead of %u", what, is, want);
}

static void to_cruise(struct path *p)
{
    while (p->now < SEC(3) || gain_of(p) > 93)
        run(p, MS(1));
    while (gain_of(p) < 97)
        run(p, MS(1));
}

/* ---- STARTUP, DRAIN -------------------------------------------------------------------------- */

static void startup_doubles_until_it_is_full(void **state)
{
    (void)state;
    struct path *p = begin(10000000, MS(40), 0);
    run(p, MS(90));
    uint64_t rate = p->cc.pacing_rate;
    run(p, MS(160)); /* four round trips, one of them to see what the last has brought */
    assert_in_range(p->cc.pacing_rate, 7 * rate, 17 * rate);
    run(p, SEC(1));
    unsigned i = 0;
    while (i < p->phases && p->gain[i] < 260)
        i++;
    near(p->gain[i], 277, "startup");
    near(p->gain[i + 1], 50, "drain");
    near(p->gain[i + 2], 100, "cruise"); /* (the queue is gone: DOWN has nothing to do) */
    /* three rounds without growth: each a round trip with up to as much of queue */
    assert_in_range(p->since[i + 1] - p->since[i], MS(80), MS(300));
    assert_true(p->since[i + 2] - p->since[i + 1] <= MS(160));
    assert_in_range(p->most_in_flight, 2 * bdp(p) - 50 * MSS, 2 * bdp(p) + 100 * MSS);
}

/* A path that loses a twentieth is full when one in fifty is the limit: STARTUP ends, and what may
 * be in flight is limited. */
static void startup_ends_by_loss(void **state)
{
    (void)state;
    struct path *p = begin(10000000, MS(40), 40);
    run(p, SEC(1));
    unsigned i = 0;
    while (i < p->phases && p->gain[i] != 0 && (p->gain[i] < 45 || p->gain[i] > 55))
        i++;
    assert_true(i < p->phases);
    assert_true(p->since[i] < SEC(1) + MS(700));
    assert_true(p->most_in_flight < 3 * bdp(p));
    assert_true(p->cc.cwnd <= bdp(p) + 60 * MSS);
    assert_in_range(used(p, SEC(10)), 85, 100);
}

/* Without SACK one loss says as much. */
static void startup_ends_by_loss_without_sack(void **state)
{
    (void)state;
    struct path *p = begin(100000000, MS(40), 0);
    p->no_sack = true;
    run(p, MS(150));
    p->lose_of = 1000000;
    p->lose = (uint32_t)(p->quantum + 3);
    run(p, MS(1));
    p->lose = 0;
    run(p, MS(250));
    assert_true(p->cc.pacing_rate < 100000000);
}

/* ---- the cycle ------------------------------------------------------------------------------- */

static void cycles_of_down_cruise_refill_up(void **state)
{
    (void)state;
    struct path *p = begin(10000000, MS(40), 0);
    run(p, SEC(2));
    p->phases = 0;
    p->most_in_flight = 0;
    assert_in_range(used(p, SEC(12)), 96, 100);
    assert_true(p->most_in_flight <= 2 * bdp(p) + bdp(p) / 4 + 10 * MSS);
    uint64_t last = 0;
    unsigned ups = 0;
    for (unsigned i = 1; i + 1 < p->phases; i++) {
        if (p->gain[i] < 115)
            continue;
        near(p->gain[i], 125, "up");
        near(p->gain[i - 1], 100, "refill");
        near(p->gain[i + 1], 90, "down");
        if (last != 0) /* 2 to 3 s, as 63 round trips are 2.5 s here; anew after PROBE_RTT */
            assert_in_range(p->since[i] - last, MS(1900), MS(6300));
        last = p->since[i];
        ups++;
    }
    assert_in_range(ups, 3, 6);
}

/* Where Reno would take few round trips, so does it. */
static void probes_as_often_as_reno_would(void **state)
{
    (void)state;
    struct path *p = begin(500000, MS(20), 0); /* ten packets */
    run(p, SEC(2));
    p->phases = 0;
    run(p, SEC(3));
    unsigned ups = 0;
    for (unsigned i = 0; i < p->phases; i++)
        ups += p->gain[i] > 115;
    assert_true(ups >= 4);
}

/* Twice the rate is found within a probe's rounds, half of it within two cycles. */
static void follows_the_path(void **state)
{
    (void)state;
    struct path *p = begin(10000000, MS(40), 800);
    run(p, SEC(3));
    p->rate = 20000000;
    run(p, SEC(7));
    assert_in_range(used(p, SEC(3)), 90, 100);
    p->rate = 10000000;
    run(p, SEC(15));
    assert_in_range(used(p, SEC(3)), 93, 101);
    assert_in_range(gain_of(p), 80, 130);
    assert_true(p->in_flight < 3 * bdp(p));
}

/* ---- PROBE_RTT ------------------------------------------------------------------------------- */

static void probe_rtt_every_five_seconds(void **state)
{
    (void)state;
    struct path *p = begin(10000000, MS(40), 0);
    run(p, SEC(2));
    unsigned times = 0;
    uint64_t shrunk = 0, last = 0;
    for (unsigned ms = 0; ms < 21000; ms++) {
        run(p, MS(1));
        bool small = p->cc.cwnd < bdp(p) * 6 / 10;
        if (small && shrunk == 0) {
            shrunk = p->now;
            assert_in_range(p->cc.cwnd, bdp(p) * 45 / 100, bdp(p) * 55 / 100);
            if (last != 0)
                assert_in_range(shrunk - last, SEC(5), SEC(5) + MS(600));
            last = shrunk;
            times++;
        } else if (!small && shrunk != 0) {
            assert_in_range(p->now - shrunk, MS(200), MS(400));
            shrunk = 0;
        }
    }
    assert_in_range(times, 3, 4);
}

/* A path that has become longer is believed after ten seconds, one that is shorter at once. */
static void follows_the_round_trip(void **state)
{
    (void)state;
    struct path *p = begin(10000000, MS(40), 0);
    run(p, SEC(3));
    p->rtt = MS(120);
    run(p, SEC(17));
    assert_in_range(used(p, SEC(3)), 90, 100);
    assert_true(p->cc.cwnd > bdp(p) * 3 / 2);
    p->rtt = MS(20);
    run(p, SEC(6)); /* (packets do not overtake each other: the queue is of 100 ms at first) */
    assert_true(p->cc.cwnd < 3 * bdp(p));
    assert_in_range(used(p, SEC(3)), 93, 100);
}

/* ---- losses ---------------------------------------------------------------------------------- */

static void one_per_cent_does_not_matter(void **state)
{
    (void)state;
    struct path *p = begin(10000000, MS(40), 0);
    p->lose_of = 100;
    p->lose = 1;
    run(p, SEC(3));
    assert_in_range(used(p, SEC(15)), 65, 99); /* 0.99 a round trip until the next probe */
}

/* More than 2 % while probing: inflight_long is what was in flight then, 15 % less in CRUISE. */
static void too_much_in_flight_is_remembered(void **state)
{
    (void)state;
    struct path *p = begin(10000000, MS(40), 100); /* a quarter of what the path holds */
    run(p, SEC(3));
    uint64_t lost = p->lost, sent = p->quantum;
    p->most_in_flight = 0;
    assert_in_range(used(p, SEC(20)), 88, 100);
    assert_true(p->most_in_flight <= bdp(p) + 130 * MSS);
    assert_true((p->lost - lost) / MSS * 100 < (p->quantum - sent) * 2);
    /* the queue is gone: it may grow again, slowly at first */
    p->queue = 0;
    run(p, SEC(20));
    assert_in_range(used(p, SEC(5)), 94, 100);
}

/* In CRUISE a round with losses lowers the rate to what is delivered, by 0.7 at the most; the next
 * probe forgets it. */
static void short_term_losses_are_forgotten(void **state)
{
    (void)state;
    struct path *p = begin(10000000, MS(40), 0);
    to_cruise(p);
    uint64_t was = p->cc.pacing_rate, least = was;
    p->lose_of = 10;
    p->lose = 6;
    run(p, MS(45));
    for (unsigned i = 0; i < 3; i++) {
        uint64_t before = p->cc.pacing_rate;
        run(p, MS(42));
        assert_true(p->cc.pacing_rate + before / 50 >= before * 69 / 100 * 69 / 100);
        least = p->cc.pacing_rate;
    }
    assert_true(least < was * 8 / 10);
    p->lose_of = 0;
    run(p, SEC(4));
    assert_in_range(used(p, SEC(3)), 93, 100);
}

static void a_timeout_leaves_one_segment(void **state)
{
    (void)state;
    struct path *p = begin(10000000, MS(40), 0);
    run(p, SEC(3));
    uint32_t cwnd = p->cc.cwnd;
    p->lost += p->in_flight;
    p->in_flight = 0;
    p->head = p->tail;
    event(p, TERN_CC_RTO);
    assert_int_equal(p->cc.cwnd, MSS);
    event(p, TERN_CC_RECOVERED);
    assert_int_equal(p->cc.cwnd, cwnd);
}

/* What was for nothing is undone, and STARTUP goes on. */
static void undone(void **state)
{
    (void)state;
    struct path *p = begin(100000000, MS(40), 0);
    run(p, MS(100));
    uint32_t cwnd = p->cc.cwnd;
    uint64_t rate = p->cc.pacing_rate;
    p->lose_of = 10;
    p->lose = 4;
    run(p, MS(140));
    assert_true(p->cc.pacing_rate < rate * 4); /* it has left STARTUP */
    p->lose_of = 0;
    event(p, TERN_CC_UNDO);
    p->recovering = false;
    assert_true(p->cc.cwnd >= cwnd);
    run(p, MS(200));
    assert_true(p->cc.pacing_rate >= 3 * rate);
    run(p, SEC(1));
    assert_in_range(used(p, SEC(4)), 93, 100);
}

/* A mark is congestion: it ends STARTUP, and lowers the rate afterwards. */
static void marks_are_congestion(void **state)
{
    (void)state;
    struct path *p = begin(100000000, MS(40), 0);
    run(p, MS(150));
    uint64_t rate = p->cc.pacing_rate;
    event(p, TERN_CC_ECN);
    run(p, MS(10));
    assert_true(p->cc.pacing_rate <= rate / 3);
    p = begin(10000000, MS(40), 0);
    to_cruise(p);
    rate = p->cc.pacing_rate;
    for (unsigned i = 0; i < 8; i++) {
        event(p, TERN_CC_ECN);
        run(p, MS(41));
    }
    assert_true(p->cc.cwnd < 2 * bdp(p) * 85 / 100);
}

/* ---- silences -------------------------------------------------------------------------------- */

/* What the application does not send says nothing about the path. */
static void the_application_is_not_the_path(void **state)
{
    (void)state;
    struct path *p = begin(10000000, MS(40), 0);
    run(p, SEC(3));
    p->app_rate = 500000;
    run(p, SEC(20));
    p->app_rate = 0;
    p->app_limit = 0;
    assert_in_range(used(p, SEC(1)), 85, 100);
}

/* After a silence: at the rate that is known, neither more nor less, from the first packet on; and
 * no PROBE_RTT, as the queue had time to drain. */
static void begins_again_at_the_known_rate(void **state)
{
    (void)state;
    struct path *p = begin(10000000, MS(40), 0);
    run(p, SEC(3));
    p->next_send = p->now + SEC(20);
    run(p, SEC(10));
    p->next_send = p->now;
    assert_int_equal(p->in_flight, 0);
    event(p, TERN_CC_IDLE);
    near(gain_of(p), 100, "the rate");
    run(p, MS(200));
    assert_true(p->cc.cwnd > bdp(p));
    assert_in_range(used(p, SEC(2)), 90, 100);
}

static void frozen_and_thawed(void **state)
{
    (void)state;
    struct path *p = begin(10000000, MS(40), 0);
    run(p, SEC(3));
    uint64_t summary[2];
    uint32_t cwnd = p->cc.cwnd;
    tern_cc_bbr.freeze(&p->cc, summary);
    uint64_t now = p->now;
    p = begin(10000000, MS(40), 0);
    p->now = now + SEC(100);
    p->cc.cwnd = cwnd;
    tern_cc_bbr.init(&p->cc, MSS, p->now);
    tern_cc_bbr.thaw(&p->cc, summary);
    near(gain_of(p), 100, "the rate");
    assert_in_range(used(p, SEC(1)), 85, 100);
    /* one that had seen nothing yet */
    p = begin(10000000, MS(40), 0);
    tern_cc_bbr.freeze(&p->cc, summary);
    tern_cc_bbr.init(&p->cc, MSS, p->now);
    tern_cc_bbr.thaw(&p->cc, summary);
    run(p, SEC(1));
    assert_in_range(used(p, SEC(1)), 90, 100);
}

/* Losses that were none, marks, time-outs, silences, all at any moment and in any order, on paths
 * that lose much or little: when it is over, the path is used again. */
static void anything_at_any_moment(void **state)
{
    (void)state;
    static const enum tern_cc_event events[] = {TERN_CC_LOSS, TERN_CC_RTO,       TERN_CC_ECN,
                                                TERN_CC_UNDO, TERN_CC_RECOVERED, TERN_CC_IDLE};
    for (unsigned round = 0; round < 16; round++) {
        struct path *p = begin(1000000, MS(40), round % 3 * 30);
        p->no_sack = round % 8 == 7;
        for (unsigned i = 0; i < 60; i++) {
            uint32_t x = rig_random();
            p->lose_of = x % 4 == 0 ? 20 + (x >> 8) % 200 : 0;
            p->lose = x % 4 == 0 ? 1 + (x >> 16) % 8 : 0;
            p->app_rate = x % 5 == 0 ? 100000 : 0;
            run(p, MS(1 + rig_random() % (round % 2 ? 60 : 400)));
            event(p, events[rig_random() % 6]);
            assert_true(p->cc.cwnd >= MSS && p->cc.pacing_rate > 0);
        }
        p->lose_of = p->lose = 0;
        p->app_rate = p->app_limit = 0;
        p->queue = 0;
        event(p, TERN_CC_RECOVERED);
        run(p, SEC(10));
        assert_true(used(p, SEC(5)) >= 80);
    }
}

/* ---- from a modem to a data centre ----------------------------------------------------------- */

static void at_all_rates(void **state)
{
    (void)state;
    static const struct {
        uint64_t rate, rtt, ns;
    } row[] = {
        {1000, MS(600), SEC(300)},
        {7000, MS(100), SEC(100)},
        {125000, MS(300), SEC(30)},
        {12500000, US(100), SEC(3)},
        {125000000, MS(20), SEC(2)},
        {1250000000, US(50), MS(300)},
        {UINT64_C(12500000000), US(50), MS(100)},
    };
    for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        struct path *p = begin(row[i].rate, row[i].rtt, 0);
        run(p, row[i].ns / 3);
        unsigned share = used(p, row[i].ns / 100000000 * 100000000);
        if (share < 85 || share > 101)
            rig_fail("%llu bytes/s: %u %%", (unsigned long long)row[i].rate, share);
        assert_true(p->in_flight <= 3 * bdp(p) + 200 * MSS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(startup_doubles_until_it_is_full),
        cmocka_unit_test(startup_ends_by_loss),
        cmocka_unit_test(startup_ends_by_loss_without_sack),
        cmocka_unit_test(cycles_of_down_cruise_refill_up),
        cmocka_unit_test(probes_as_often_as_reno_would),
        cmocka_unit_test(follows_the_path),
        cmocka_unit_test(probe_rtt_every_five_seconds),
        cmocka_unit_test(follows_the_round_trip),
        cmocka_unit_test(one_per_cent_does_not_matter),
        cmocka_unit_test(too_much_in_flight_is_remembered),
        cmocka_unit_test(short_term_losses_are_forgotten),
        cmocka_unit_test(a_timeout_leaves_one_segment),
        cmocka_unit_test(undone),
        cmocka_unit_test(marks_are_congestion),
        cmocka_unit_test(the_application_is_not_the_path),
        cmocka_unit_test(begins_again_at_the_known_rate),
        cmocka_unit_test(frozen_and_thawed),
        cmocka_unit_test(anything_at_any_moment),
        cmocka_unit_test(at_all_rates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
