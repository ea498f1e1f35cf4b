/* test_goodput.c - what is left of a path's rate when it reorders, when someone attacks it with
 * short bursts, when the process is kept from running, and when its clock leaps: in virtual time,
 * with each congestion control.
 *
 * valgrind: takes a minute for what the sanitizers have seen */
#include "unit.h"

#include "talk.h"

#define MS UINT64_C(1000000)
enum { RATE = 10000000, RTT_MS = 40, QUEUE = 64 };

static const tern_cc_ops *const algorithms[] = {&tern_cc_cubic, &tern_cc_reno, &tern_cc_bbr};

struct trial {
    const tern_cc_ops *cc;
    double reorder;
    uint64_t bytes;
    uint64_t period, dark; /* so often for so long everything is lost; 0: never */
    uint64_t late;         /* the sender's process runs up to so much late, every eighth time */
    uint32_t queue;        /* 0: QUEUE */
    bool no_sack;
    bool syns;      /* the first two SYNs are lost */
    uint64_t ahead; /* the sender's clock leaps by this once it is made */
};

struct result {
    uint64_t took;
    uint64_t again, timeouts, undone;
    tern_tcp_info info; /* of the sender, when nine tenths have arrived */
};

static struct lab_impair path_of(const struct trial *x, bool dark)
{
    return (struct lab_impair){.delay = RTT_MS / 2 * MS,
                               .rate = RATE,
                               .queue = x->queue != 0 ? x->queue : QUEUE,
                               .reorder = x->reorder,
                               .loss = dark ? 1 : 0};
}

static void run_to(struct talk *t, uint64_t at, const struct trial *x, struct result *r)
{
    while (t->side[1].received < x->bytes && lab_world_now(t->pair.w) < at) {
        uint64_t next = lab_world_next(t->pair.w), now = lab_world_now(t->pair.w);
        assert_true(next != TERN_NEVER);
        now = next > at ? at : next > now ? next : now;
        if (x->late != 0 && unit_below(8) == 0)
            lab_world_pause(t->pair.w, 0, now + unit_random() % x->late);
        lab_world_turn(t->pair.w, now);
        if (r->info.state == 0 && t->side[1].received >= x->bytes / 10 * 9)
            (void)tern_info(t->pair.client, t->side[0].sock, &r->info, sizeof(r->info));
    }
}

/* Until the last byte has arrived. */
static struct result transfer(const struct trial *x)
{
    struct talk_config conf = {.seed = 5, .up = x->bytes};
    conf.link.dir[0] = path_of(x, false);
    conf.link.dir[1].delay = RTT_MS / 2 * MS;
    const struct lab_drop syns = {.kind = LAB_SYN, .first = 1, .count = 2, .dir = 0};
    conf.link.drops = &syns;
    conf.link.drop_count = x->syns;
    tern_config_default(&conf.tern);
    conf.tern.cc = x->cc;
    if (x->no_sack)
        conf.tern.features &= ~(uint32_t)(TERN_FEATURE_SACK | TERN_FEATURE_TIMESTAMPS);
    struct talk t;
    struct result r = {0};
    assert_int_equal(talk_begin(&t, &conf), 0);
    lab_world_clock(t.pair.w, 0, (int64_t)x->ahead, 0);
    struct lab_link *l = lab_world_get_link(t.pair.w, 0);
    if (x->period == 0)
        run_to(&t, TERN_NEVER - 1, x, &r);
    for (uint64_t at = LAB_PAIR_START + x->period; t.side[1].received < x->bytes; at += x->period) {
        struct lab_impair m = path_of(x, true);
        run_to(&t, at, x, &r);
        lab_link_change(l, 0, &m);
        run_to(&t, at + x->dark, x, &r);
        m = path_of(x, false);
        lab_link_change(l, 0, &m);
    }
    const tern_counters *c = tern_counters_of(t.pair.client);
    r.took = lab_world_now(t.pair.w) - LAB_PAIR_START;
    r.again = c->count[TERN_COUNT_RETRANSMITS];
    r.timeouts = c->count[TERN_COUNT_TIMEOUTS];
    r.undone = c->count[TERN_COUNT_UNDOS];
    assert_true(lab_world_run(t.pair.w, TERN_NEVER, talk_over, &t));
    talk_check(&t);
    talk_end(&t);
    return r;
}

/* 1 % of all packets are overtaken, and none is lost: that costs less than 5 %. */
static void reordering_costs_little(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct trial x = {.cc = algorithms[i], .bytes = 5000000};
        uint64_t clean = transfer(&x).took;
        x.reorder = 0.01;
        struct result r = transfer(&x);
        if (r.took * 20 > clean * 21 || r.timeouts != 0)
            fail_msg("%s: %.0f ms instead of %.0f, %u timeouts", x.cc->name, (double)r.took / 1e6,
                     (double)clean / 1e6, (unsigned)r.timeouts);
    }
}

/* ... and what is learnt of the path is the same: the window without losses, or the rate. */
static void reordering_leaves_nothing(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct trial x = {.cc = algorithms[i], .bytes = 5000000, .queue = 10000};
        struct result clean = transfer(&x);
        x.reorder = 0.01;
        struct result r = transfer(&x);
        print_message("    %s: cwnd %u, %u; %.2f, %.2f Mbit/s; undone %u\n", x.cc->name,
                      clean.info.cwnd, r.info.cwnd, (double)clean.info.pacing_rate / 125000,
                      (double)r.info.pacing_rate / 125000, (unsigned)r.undone);
        assert_true((uint64_t)r.info.cwnd * 20 >= (uint64_t)clean.info.cwnd * 19);
        assert_true(r.info.pacing_rate * 20 >= clean.info.pacing_rate * 19);
    }
}

/* A process that is kept from running for up to 20 ms, again and again, still gets most of the
 * path; least of all does an algorithm that measures its rate think less and less of it. */
static void late_processes(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct trial x = {.cc = algorithms[i], .bytes = 5000000};
        uint64_t clean = transfer(&x).took;
        x.late = 20 * MS;
        uint64_t took = transfer(&x).took;
        print_message("    %s: %.0f ms, %.0f when late\n", x.cc->name, (double)clean / 1e6,
                      (double)took / 1e6);
        assert_true(took * 4 < clean * 5);
    }
}

/* Losses while it is opened (which begin with a window of one segment) are soon forgotten. */
static void a_bad_beginning(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct trial x = {.cc = algorithms[i], .bytes = 5000000};
        uint64_t clean = transfer(&x).took;
        x.syns = true;
        uint64_t took = transfer(&x).took - 3000 * MS;
        if (took > clean + 1000 * MS)
            fail_msg("%s: %.0f ms instead of %.0f", x.cc->name, (double)took / 1e6,
                     (double)clean / 1e6);
    }
}

/* A clock that has leapt by more than timers can tell apart, as after a machine was suspended, or
 * has been running for long: departures are still kept. */
static void a_clock_that_leaps(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct trial x = {.cc = algorithms[i], .bytes = 1000000};
        uint64_t clean = transfer(&x).took;
        for (uint64_t hours = 1; hours < 24; hours++) {
            x.ahead = hours * 3600 * 1000 * MS;
            uint64_t took = transfer(&x).took;
            if (took * 10 > clean * 11)
                fail_msg("%s, %u hours: %.0f ms instead of %.0f", x.cc->name, (unsigned)hours,
                         (double)took / 1e6, (double)clean / 1e6);
        }
    }
}

/* bursts of a round trip each second, timed to whatever waits for a timeout. With probes and
 * RACK a burst costs a loss, not a timeout and all that follows from one: several times what is
 * left to a sender that has neither. */
static void bursts_timed_to_timeouts(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct trial x = {.cc = algorithms[i], .bytes = 5000000};
        uint64_t clean = transfer(&x).took;
        x.period = 1000 * MS;
        x.dark = 50 * MS;
        struct result r = transfer(&x);
        x.no_sack = true;
        x.bytes = 5000000;
        struct result without = transfer(&x);
        print_message("    %s: %.0f ms, %.0f under attack (%u timeouts), %.0f without "
                      "SACK (%u timeouts)\n",
                      x.cc->name, (double)clean / 1e6, (double)r.took / 1e6, (unsigned)r.timeouts,
                      (double)without.took / 1e6, (unsigned)without.timeouts);
        assert_int_equal(r.timeouts, 0);
        assert_true(r.took * 4 < clean * 5);
        assert_true(without.took * 2 > r.took * 3);
    }
}

int main(void)
{
    unit_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reordering_costs_little), cmocka_unit_test(reordering_leaves_nothing),
        cmocka_unit_test(late_processes),          cmocka_unit_test(a_bad_beginning),
        cmocka_unit_test(a_clock_that_leaps),      cmocka_unit_test(bursts_timed_to_timeouts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
