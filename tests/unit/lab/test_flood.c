/* test_flood.c - a server under a SYN flood: what each defence achieves. */
#include "lab/flood.h"

#include "tern/tern.h"

#include "../test.h"

#include <stdbool.h>
#include <string.h>

#define SECOND 1000000000ull

/* Ten times as many SYNs a second as the queue has room. */
static struct flood_result flood(enum flood_defence defence, bool ip6)
{
    struct flood_config cfg = {.seed = 7,
                               .defence = defence,
                               .rate = 640,
                               .queue = 64,
                               .honest = 25,
                               .duration = 3 * SECOND,
                               .delay = SECOND / 50,
                               .ip6 = ip6};
    struct flood_result r;

    assert_int_equal(flood_run(&r, &cfg), 0);
    assert_int_equal(r.forged, cfg.rate * 3);
    assert_in_range(r.tried, 70, 75);
    assert_int_equal(r.made + r.failed, r.tried);
    return r;
}

static void without_defence_most_stay_outside(void **state)
{
    (void)state;
    for (int ip6 = 0; ip6 < 2; ip6++) {
        struct flood_result r = flood(FLOOD_NONE, ip6);
        assert_int_equal(r.halfopen_max, 64);
        assert_true(r.made < r.tried / 2);
        assert_true(r.server.drop[TERN_DROP_TCP_HALFOPEN] > r.forged / 2);
        assert_int_equal(r.server.count[TERN_COUNT_COOKIES_SENT], 0);
    }
}

static void cookies_let_everybody_in(void **state)
{
    (void)state;
    for (int ip6 = 0; ip6 < 2; ip6++) {
        struct flood_result r = flood(FLOOD_COOKIES, ip6);
        assert_int_equal(r.made, r.tried);
        assert_int_equal(r.halfopen_max, 64);
        assert_int_equal(r.server.drop[TERN_DROP_TCP_HALFOPEN], 0);
        assert_true(r.server.count[TERN_COUNT_COOKIES_SENT] > r.forged / 2);
        assert_true(r.server.count[TERN_COUNT_COOKIES_TAKEN] > r.tried / 2);
        assert_true(r.connect_max < SECOND / 5); /* none has had to send its SYN again */
    }
}

static void a_longer_queue_costs_memory(void **state)
{
    (void)state;
    struct flood_result none = flood(FLOOD_NONE, false), more = flood(FLOOD_BACKLOG, false);
    assert_int_equal(more.made, more.tried);
    assert_in_range(more.halfopen_max, 500, 64 * 16);
    assert_true(more.bytes > none.bytes + 16 * 1024);
}

static void a_shorter_timeout_lets_more_in(void **state)
{
    (void)state;
    struct flood_result none = flood(FLOOD_NONE, false), soon = flood(FLOOD_TIMEOUT, false);
    assert_true(soon.made > none.made);
    assert_true(soon.server.count[TERN_COUNT_HALFOPEN_EXPIRED] >
                2 * none.server.count[TERN_COUNT_HALFOPEN_EXPIRED]);
}

static void a_limit_for_each_source_keeps_room(void **state)
{
    (void)state;
    struct flood_config cfg = {.seed = 7,
                               .defence = FLOOD_LIMIT,
                               .rate = 2000,
                               .queue = 600, /* the flood has 512 networks */
                               .honest = 25,
                               .duration = 2 * SECOND,
                               .delay = SECOND / 50};
    for (int ip6 = 0; ip6 < 2; ip6++) {
        struct flood_result r;
        cfg.ip6 = ip6;
        assert_int_equal(flood_run(&r, &cfg), 0);
        assert_int_equal(r.made, r.tried);
        assert_in_range(r.halfopen_max, 400, 520);
        assert_true(r.server.drop[TERN_DROP_TCP_SOURCE_LIMIT] > r.forged / 2);
    }
}

static void a_filter_keeps_it_out(void **state)
{
    (void)state;
    for (int ip6 = 0; ip6 < 2; ip6++) {
        struct flood_result r = flood(FLOOD_FILTER, ip6);
        assert_int_equal(r.made, r.tried);
        assert_true(r.halfopen_max < 8);
        assert_int_equal(r.server.drop[TERN_DROP_TCP_DENIED], r.forged);
    }
}

static void all_together(void **state)
{
    (void)state;
    struct flood_result r = flood(FLOOD_ALL, false);
    assert_int_equal(r.made, r.tried);
}

static void without_a_flood_all_are_the_same(void **state)
{
    (void)state;
    for (int d = 0; d < FLOOD_COUNT; d++) {
        struct flood_config cfg = {.seed = 1,
                                   .defence = (enum flood_defence)d,
                                   .queue = 64,
                                   .honest = 20,
                                   .duration = 2 * SECOND,
                                   .delay = SECOND / 50};
        struct flood_result r;
        assert_int_equal(flood_run(&r, &cfg), 0);
        assert_int_equal(r.forged, 0);
        assert_int_equal(r.made, r.tried);
        assert_true(r.tried > 0 && r.halfopen_max < 8);
        assert_int_equal(r.server.count[TERN_COUNT_COOKIES_SENT], 0);
    }
}

static void the_same_seed_is_the_same_flood(void **state)
{
    (void)state;
    struct flood_result a = flood(FLOOD_COOKIES, false), b = flood(FLOOD_COOKIES, false);
    assert_memory_equal(&a.server, &b.server, sizeof a.server);
    assert_int_equal(a.bytes, b.bytes);
    assert_int_equal(a.connect_max, b.connect_max);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_defence_most_stay_outside),
        cmocka_unit_test(cookies_let_everybody_in),
        cmocka_unit_test(a_longer_queue_costs_memory),
        cmocka_unit_test(a_shorter_timeout_lets_more_in),
        cmocka_unit_test(a_limit_for_each_source_keeps_room),
        cmocka_unit_test(a_filter_keeps_it_out),
        cmocka_unit_test(all_together),
        cmocka_unit_test(without_a_flood_all_are_the_same),
        cmocka_unit_test(the_same_seed_is_the_same_flood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
