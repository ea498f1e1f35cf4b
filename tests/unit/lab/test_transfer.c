/* Two stacks in conversation over each kind of bad link: every byte arrives, both ends close in
 * good order, and nothing is left of it. */
#include <string.h>

#include "unit.h"

#include "talk.h"

#define MS UINT64_C(1000000)
enum { MB = 1000000, SEEDS = 3 };

static const tern_iface offload = {.mtu = 1500,
                                   .gso_max = 65535,
                                   .caps = TERN_CAP_CSUM | TERN_CAP_TSO4 | TERN_CAP_TSO6};

/* Over links of that kind both ways, in both families, for several seeds: `up` bytes one way, a
 * tenth of that back, in at most so many (virtual) seconds each. */
static void transfer(struct lab_impair impair, uint64_t up, uint64_t seconds)
{
    uint64_t longest = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed += unit_stride(SEEDS)) {
        for (int ip6 = 0; ip6 < 2; ip6++) {
            struct talk_config conf = {.seed = seed * 2 + (uint64_t)ip6,
                                       .up = up,
                                       .down = up / 10,
                                       .ip6 = ip6 != 0,
                                       .link.dir = {impair, impair}};
            if (seed % 2 != 0)
                conf.iface = offload;
            uint64_t took = talk_all(&conf, seconds);
            longest = took > longest ? took : longest;
        }
    }
    print_message("  at most %llu ms\n", (unsigned long long)(longest / MS));
}

static void a_perfect_link(void **state)
{
    (void)state;
    transfer((struct lab_impair){0}, 10 * MB, 1);
}

static void delay(void **state)
{
    (void)state;
    transfer((struct lab_impair){.delay = 20 * MS}, 10 * MB, 2);
}

static void jitter(void **state)
{
    (void)state;
    transfer((struct lab_impair){.delay = 10 * MS, .jitter = 20 * MS}, 10 * MB, 4);
}

static void loss(void **state)
{
    (void)state;
    transfer((struct lab_impair){.delay = 5 * MS, .loss = 0.01}, 10 * MB, 30);
}

static void heavy_loss(void **state)
{
    (void)state;
    transfer((struct lab_impair){.delay = 2 * MS, .loss = 0.2}, MB / 5, 900);
}

static void reordering(void **state)
{
    (void)state;
    transfer((struct lab_impair){.delay = 5 * MS, .reorder = 0.02}, 10 * MB, 30);
}

static void duplication(void **state)
{
    (void)state;
    transfer((struct lab_impair){.delay = 5 * MS, .duplicate = 0.05}, 10 * MB, 10);
}

static void corruption(void **state)
{
    (void)state;
    transfer((struct lab_impair){.delay = 5 * MS, .corrupt = 0.01}, 10 * MB, 30);
}

/* 100 Mbit/s with a short queue, so that the queue overflows. */
static void a_narrow_link(void **state)
{
    (void)state;
    transfer((struct lab_impair){.delay = 5 * MS, .rate = 100000000, .queue = 50}, 10 * MB, 10);
}

static void everything_at_once(void **state)
{
    (void)state;
    struct lab_impair impair = {.loss = 0.01,
                                .duplicate = 0.01,
                                .corrupt = 0.005,
                                .reorder = 0.01,
                                .delay = 5 * MS,
                                .jitter = MS,
                                .rate = 200000000,
                                .queue = 200};
    transfer(impair, 10 * MB, 120);
}

/* The first of each kind is lost: everything has its timer. */
static void the_first_of_each_kind_is_lost(void **state)
{
    (void)state;
    for (int kind = 0; kind < LAB_KINDS; kind++) {
        for (uint32_t count = 1; count <= 2; count++) {
            for (int dir = -1; dir < 2; dir++) {
                struct lab_drop drop = {.kind = (enum lab_kind)kind,
                                        .first = 1,
                                        .count = count,
                                        .dir = dir};
                struct talk_config conf = {.seed = 1, .up = 50000, .down = 20000};
                conf.link = (struct lab_config){.drops = &drop,
                                                .drop_count = 1,
                                                .dir = {{.delay = 5 * MS}, {.delay = 5 * MS}}};
                (void)talk_all(&conf, 60);
            }
        }
    }
}

/* Any one packet of a short conversation is lost. */
static void any_packet_is_lost(void **state)
{
    (void)state;
    for (uint32_t first = 1; first <= 24; first += unit_stride(5)) {
        for (uint32_t count = 1; count <= 4; count++) {
            struct lab_drop drop = {.kind = LAB_KINDS, .first = first, .count = count, .dir = -1};
            struct talk_config conf = {.seed = first, .up = 12000, .down = 3000};
            conf.link = (struct lab_config){.drops = &drop,
                                            .drop_count = 1,
                                            .dir = {{.delay = 5 * MS}, {.delay = 5 * MS}}};
            (void)talk_all(&conf, 60);
        }
    }
}

/* One way, the other way, nothing at all. */
static void any_amount(void **state)
{
    (void)state;
    static const uint64_t amounts[] = {0, 1, 1447, 1448, 1449, 65535, 65536, 300001};
    for (size_t up = 0; up < ARRAY_LEN(amounts); up++) {
        for (size_t down = 0; down < ARRAY_LEN(amounts); down++) {
            struct talk_config conf = {.seed = 1, .up = amounts[up], .down = amounts[down]};
            conf.link.dir[0] = (struct lab_impair){.delay = MS, .loss = 0.01};
            conf.link.dir[1] = conf.link.dir[0];
            (void)talk_all(&conf, 60);
        }
    }
}

static void any_mtu(void **state)
{
    (void)state;
    static const uint32_t mtus[] = {576, 1280, 1500, 9000, 65535};
    for (size_t i = 0; i < ARRAY_LEN(mtus); i++) {
        for (int ip6 = 0; ip6 < 2 && (ip6 == 0 || mtus[i] >= 1280); ip6++) {
            for (int gso = 0; gso < 2; gso++) {
                struct talk_config conf = {.seed = 1, .up = MB, .down = MB, .ip6 = ip6 != 0};
                conf.iface = gso ? offload : (tern_iface){0};
                conf.iface.mtu = mtus[i];
                struct lab_impair impair = {.delay = 2 * MS, .loss = 0.005, .mtu = mtus[i]};
                conf.link.dir[0] = conf.link.dir[1] = impair;
                (void)talk_all(&conf, 60);
            }
        }
    }
}

/* Each feature is off, one at a time and all together. */
static void any_feature_is_off(void **state)
{
    (void)state;
    for (uint32_t features = 0; features < 8; features++) {
        struct talk_config conf = {.seed = 1, .up = MB, .down = MB / 10};
        tern_config_default(&conf.tern);
        conf.tern.features = features;
        struct lab_impair impair = {.delay = 5 * MS,
                                    .loss = 0.01,
                                    .reorder = 0.01,
                                    .duplicate = 0.01};
        conf.link.dir[0] = conf.link.dir[1] = impair;
        (void)talk_all(&conf, 120);
    }
}

int main(void)
{
    unit_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_perfect_link),
        cmocka_unit_test(delay),
        cmocka_unit_test(jitter),
        cmocka_unit_test(loss),
        cmocka_unit_test(heavy_loss),
        cmocka_unit_test(reordering),
        cmocka_unit_test(duplication),
        cmocka_unit_test(corruption),
        cmocka_unit_test(a_narrow_link),
        cmocka_unit_test(everything_at_once),
        cmocka_unit_test(the_first_of_each_kind_is_lost),
        cmocka_unit_test(any_packet_is_lost),
        cmocka_unit_test(any_amount),
        cmocka_unit_test(any_mtu),
        cmocka_unit_test(any_feature_is_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
