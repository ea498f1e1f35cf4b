/* Header prediction changes nothing that anyone could see: the same worlds, with it and without,
 * send the same bytes at the same times and count the same.
 *
 * valgrind: takes a minute for what the sanitizers have seen */
#include "unit.h"

#include "stack/stack.h"
#include "talk.h"

#define MS UINT64_C(1000000)
#define S (1000 * MS)
enum { MB = 1000000, SEEDS = 4, EVENTS_MAX = 400000 };

/* What happened on the link. */
struct seen {
    uint64_t now;
    uint32_t digest; /* of direction, fate and bytes */
};

struct play {
    struct seen *seen;
    size_t count;
    uint64_t predicted, segments; /* of both hosts */
    tern_counters counters[2];
};

static void watch(void *user, const struct lab_event *event)
{
    struct play *p = user;
    uint32_t h = 2166136261u ^ event->dir ^ (uint32_t)event->fate << 8;
    for (size_t i = 0; i < event->len; i++)
        h = (h ^ event->data[i]) * 16777619u; /* FNV-1a */
    if (p->count < EVENTS_MAX)
        p->seen[p->count] = (struct seen){.now = event->now, .digest = h};
    p->count++;
}

static void play(struct play *p, const struct talk_config *like, bool watched, bool predict)
{
    struct talk_config conf = *like;
    struct talk t;
    p->count = 0;
    p->predicted = p->segments = 0;
    if (watched) {
        conf.link.tap = watch;
        conf.link.user = p;
    }
    assert_int_equal(talk_begin(&t, &conf), 0);
    for (int i = 0; i < 2; i++)
        t.side[i].s->tcp.predict = predict;
    (void)lab_world_run(t.pair.w, LAB_PAIR_START + 600 * S, talk_over, &t);
    talk_check(&t);
    (void)lab_world_run(t.pair.w, t.ended_at + 1000 * S, talk_forgotten, &t);
    for (int i = 0; i < 2; i++) {
        p->counters[i] = *tern_counters_of(t.side[i].s);
        p->predicted += p->counters[i].count[TERN_COUNT_PREDICTED];
        p->segments += p->counters[i].count[TERN_COUNT_SEGMENTS_IN];
        p->counters[i].count[TERN_COUNT_PREDICTED] = 0;
    }
    talk_end(&t);
}

static void compare(const struct talk_config *conf, bool watched)
{
    struct play with = {.seen = calloc(EVENTS_MAX, sizeof(struct seen))};
    struct play without = {.seen = calloc(EVENTS_MAX, sizeof(struct seen))};
    assert_non_null(with.seen);
    assert_non_null(without.seen);
    play(&with, conf, watched, true);
    play(&without, conf, watched, false);
    assert_true(with.count <= EVENTS_MAX && (!watched || with.count > 100));
    for (size_t i = 0; i < with.count && i < without.count; i++) {
        if (with.seen[i].now != without.seen[i].now ||
            with.seen[i].digest != without.seen[i].digest)
            fail_msg("seed %llu: event %zu differs", (unsigned long long)conf->seed, i);
    }
    assert_int_equal(with.count, without.count);
    assert_memory_equal(with.counters, without.counters, sizeof(with.counters));
    assert_true(with.predicted != 0 && with.predicted < with.segments);
    assert_int_equal(without.predicted, 0);
    free(with.seen);
    free(without.seen);
}

/* In both families, with and without offload, with each set of options. */
static void worlds(struct lab_impair impair)
{
    static const uint32_t features[SEEDS] = {TERN_FEATURE_TIMESTAMPS | TERN_FEATURE_WSCALE |
                                                 TERN_FEATURE_SACK,
                                             TERN_FEATURE_WSCALE | TERN_FEATURE_SACK,
                                             TERN_FEATURE_TIMESTAMPS | TERN_FEATURE_WSCALE, 0};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct talk_config conf = {.seed = 1 + seed + unit_random() % 1000 * SEEDS,
                                   .up = MB,
                                   .down = MB / 2,
                                   .ip6 = seed / 2 != 0,
                                   .link.dir = {impair, impair}};
        tern_config_default(&conf.tern);
        conf.tern.features = features[seed];
        if (seed % 2 != 0)
            conf.iface = (tern_iface){.mtu = 1500,
                                      .gso_max = 65535,
                                      .caps = TERN_CAP_CSUM | TERN_CAP_TSO4 | TERN_CAP_TSO6};
        compare(&conf, true);
        compare(&conf, false);
        conf.tern.rcvbuf = conf.tern.rcvbuf_max = 8000; /* the window is often full */
        compare(&conf, true);
    }
}

static void a_perfect_link(void **state)
{
    (void)state;
    worlds((struct lab_impair){0});
}

static void delay(void **state)
{
    (void)state;
    worlds((struct lab_impair){.delay = 5 * MS, .rate = 50000000});
}

static void loss(void **state)
{
    (void)state;
    worlds((struct lab_impair){.delay = 2 * MS, .loss = 0.02});
}

static void disorder(void **state)
{
    (void)state;
    worlds((struct lab_impair){
        .delay = 3 * MS, .jitter = 2 * MS, .reorder = 0.02, .duplicate = 0.02, .corrupt = 0.002});
}

int main(void)
{
    unit_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_perfect_link),
        cmocka_unit_test(delay),
        cmocka_unit_test(loss),
        cmocka_unit_test(disorder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
