/* test_goodput.c - what is left of a path's rate when it reorders, and when someone attacks it with
 * short bursts: in virtual time, with each congestion control. */
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
    bool no_sack;
};

struct result {
    uint64_t took;
    uint64_t again, timeouts, undone;
};

static struct lab_impair path_of(const struct trial *x, bool dark)
{
    return (struct lab_impair){.delay = RTT_MS / 2 * MS,
                               .rate = RATE,
                               .queue = QUEUE,
                               .reorder = x->reorder,
                               .loss = dark ? 1 : 0};
}

static void run_to(struct talk *t, uint64_t at, uint64_t bytes)
{
    while (t->side[1].received < bytes && lab_world_now(t->pair.w) < at) {
        uint64_t next = lab_world_next(t->pair.w), now = lab_world_now(t->pair.w);
        assert_true(next != TERN_NEVER);
        lab_world_turn(t->pair.w, next > at ? at : next > now ? next : now);
    }
}

/* Until the last byte has arrived. */
static struct result transfer(const struct trial *x)
{
    struct talk_config conf = {.seed = 5, .up = x->bytes};
    conf.link.dir[0] = path_of(x, false);
    conf.link.dir[1].delay = RTT_MS / 2 * MS;
    tern_config_default(&conf.tern);
    conf.tern.cc = x->cc;
    if (x->no_sack)
        conf.tern.features &= ~(uint32_t)(TERN_FEATURE_SACK | TERN_FEATURE_TIMESTAMPS);
    struct talk t;
    assert_int_equal(talk_begin(&t, &conf), 0);
    struct lab_link *l = lab_world_get_link(t.pair.w, 0);
    if (x->period == 0)
        run_to(&t, TERN_NEVER - 1, x->bytes);
    for (uint64_t at = LAB_PAIR_START + x->period; t.side[1].received < x->bytes; at += x->period) {
        struct lab_impair m = path_of(x, true);
        run_to(&t, at, x->bytes);
        lab_link_change(l, 0, &m);
        run_to(&t, at + x->dark, x->bytes);
        m = path_of(x, false);
        lab_link_change(l, 0, &m);
    }
    const tern_counters *c = tern_counters_of(t.pair.client);
    struct result r = {.took = lab_world_now(t.pair.w) - LAB_PAIR_START,
                       .again = c->count[TERN_COUNT_RETRANSMITS],
                       .timeouts = c->count[TERN_COUNT_TIMEOUTS],
                       .undone = c->count[TERN_COUNT_UNDOS]};
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
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reordering_costs_little),
        cmocka_unit_test(bursts_timed_to_timeouts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
