/* What a link does by chance: how often, to which packets, and that one option does not disturb
 * another.
 *
 * valgrind: takes a minute for what the sanitizers have seen */
#include <string.h>

#include "unit.h"

#include "flow.h"

/* ---- chance ---------------------------------------------------------------------------------- */

static void a_perfect_link_passes_everything_at_once(void **state)
{
    (void)state;
    for (int dir = 0; dir < 2; dir++) {
        struct lab_link *l = link_of(&(struct lab_config){.seed = 1});
        assert_true(lab_link_transparent(l, dir));
        flow_run(l, dir, 1000, SIZE, MS);
        assert_int_equal(arrived.count, 1000);
        for (uint32_t i = 0; i < 1000; i++) {
            assert_int_equal(arrived.number[i], i + 1);
            assert_int_equal(arrived.at[i], (i + 1) * MS);
        }
        const struct lab_counts *n = lab_link_counts(l, dir);
        assert_int_equal(n->sent, 1000);
        assert_int_equal(n->arrived, 1000);
        assert_int_equal(n->bytes, 1000 * SIZE);
        assert_int_equal(lab_link_counts(l, !dir)->sent, 0);
        lab_link_free(l);
    }
}

static void loss_has_its_rate_and_keeps_the_order(void **state)
{
    (void)state;
    static const double rates[] = {0, 0.001, 0.02, 0.5, 0.999, 1};
    for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
        struct lab_config conf = {.seed = 7 + i, .dir[1].loss = rates[i]};
        struct lab_link *l = link_of(&conf);
        assert_int_equal(lab_link_transparent(l, 1), rates[i] <= 0);
        assert_true(lab_link_transparent(l, 0)); /* the other way nothing is lost */
        flow_run(l, 1, MANY, SIZE, 1);
        const struct lab_counts *n = lab_link_counts(l, 1);
        assert_int_equal(n->sent, MANY);
        assert_int_equal(n->lost + n->arrived, MANY);
        assert_int_equal(n->arrived, arrived.count);
        assert_likely(n->lost, MANY, rates[i]);
        for (size_t k = 1; k < arrived.count; k++)
            assert_true(arrived.number[k - 1] < arrived.number[k]);
        lab_link_free(l);
    }
}

/* Losses are independent of each other: after a loss the next one is as likely as ever. */
static void losses_are_independent(void **state)
{
    (void)state;
    struct lab_config conf = {.seed = 3, .dir[0].loss = 0.1};
    struct lab_link *l = link_of(&conf);
    flow_run(l, 0, MANY, SIZE, 1);
    uint32_t after_loss = 0;
    for (size_t k = 1; k < arrived.count; k++) /* a gap of two or more */
        after_loss += arrived.number[k] - arrived.number[k - 1] > 2;
    assert_likely(after_loss, 0.09 * MANY, 0.1);
    lab_link_free(l);
}

static void a_duplicate_follows_directly(void **state)
{
    (void)state;
    struct lab_config conf = {.seed = 5, .dir[0] = {.duplicate = 0.01, .delay = 3 * MS}};
    struct lab_link *l = link_of(&conf);
    flow_run(l, 0, MANY, SIZE, 1000);
    const struct lab_counts *n = lab_link_counts(l, 0);
    assert_int_equal(n->sent, MANY);
    assert_int_equal(arrived.count, MANY + n->duplicated);
    assert_likely(n->duplicated, MANY, 0.01);
    uint32_t twice = 0;
    for (size_t k = 1; k < arrived.count; k++) {
        assert_in_range(arrived.number[k] - arrived.number[k - 1], 0, 1);
        twice += arrived.number[k] == arrived.number[k - 1];
    }
    assert_int_equal(twice, n->duplicated);
    lab_link_free(l);
}

/* One bit, any bit. */
static void corruption_flips_one_bit_anywhere(void **state)
{
    (void)state;
    enum { LEN = 40, ROUNDS = 64000 };
    struct lab_config conf = {.seed = 9, .dir[0].corrupt = 1};
    struct lab_link *l = link_of(&conf);
    static struct packet p;
    static uint32_t hits[LEN * 8];
    for (uint32_t i = 0; i < ROUNDS; i++) {
        packet_raw(&p, i, LEN);
        lab_link_send(l, 0, &p.pkt, 0);
        tern_pkt got;
        assert_int_equal(lab_link_receive(l, 0, &got, 1, 0), 1);
        unsigned bits = 0;
        for (size_t k = 0; k < LEN * 8; k++) {
            uint8_t diff = (uint8_t)(p.data[k / 8] ^ ((uint8_t *)got.iov[0].base)[k / 8]);
            if (diff >> (7 - k % 8) & 1) {
                hits[k]++;
                bits++;
            }
        }
        assert_int_equal(bits, 1);
        lab_link_received(l, 0, 0);
    }
    for (size_t k = 0; k < LEN * 8; k++)
        assert_likely(hits[k], ROUNDS, 1.0 / (LEN * 8));
    assert_int_equal(lab_link_counts(l, 0)->corrupted, ROUNDS);
    lab_link_free(l);
}

static void corruption_has_its_rate(void **state)
{
    (void)state;
    struct lab_config conf = {.seed = 10, .dir[0].corrupt = 0.01};
    struct lab_link *l = link_of(&conf);
    static struct packet p;
    uint32_t corrupted = 0;
    for (uint32_t i = 0; i < MANY; i++) {
        packet_raw(&p, i, SIZE);
        lab_link_send(l, 0, &p.pkt, 0);
        tern_pkt got;
        assert_int_equal(lab_link_receive(l, 0, &got, 1, 0), 1);
        corrupted += memcmp(got.iov[0].base, p.data, SIZE) != 0;
        lab_link_received(l, 0, 0);
    }
    assert_int_equal(lab_link_counts(l, 0)->corrupted, corrupted);
    assert_likely(corrupted, MANY, 0.01);
    lab_link_free(l);
}

/* ---- reordering ------------------------------------------------------------------------------ */

/* How many packets with higher numbers came before it, at each place; and that no more than one
 * number is missing at its place. */
enum { PASSED_MAX = 16 };

static void reordered_by(uint32_t counts[PASSED_MAX])
{
    memset(counts, 0, PASSED_MAX * sizeof(counts[0]));
    for (size_t i = 0; i < arrived.count; i++) {
        uint32_t overtaken = 0;
        for (size_t k = i; k-- > 0 && i - k < 64;)
            overtaken += arrived.number[k] > arrived.number[i];
        assert_true(overtaken < PASSED_MAX);
        counts[overtaken]++;
    }
}

/* Few are chosen, so they do not meet: each is passed by 1, 2 or 3, as often. */
static void a_chosen_packet_is_passed_by_one_to_three(void **state)
{
    (void)state;
    struct lab_config conf = {.seed = 6, .dir[0] = {.reorder = 0.01, .delay = MS}};
    struct lab_link *l = link_of(&conf);
    flow_run(l, 0, MANY, SIZE, 1000);
    assert_int_equal(arrived.count, MANY);
    uint32_t counts[PASSED_MAX];
    reordered_by(counts);
    const struct lab_counts *n = lab_link_counts(l, 0);
    assert_likely(n->late, MANY, 0.01);
    assert_int_equal(counts[1] + counts[2] + counts[3] + counts[4], n->late);
    for (unsigned i = 1; i <= 3; i++)
        assert_likely(counts[i], (double)n->late, 1.0 / 3);
    assert_true(counts[4] < n->late / 50); /* two met */
    lab_link_free(l);
}

/* It comes right behind the last one that passes it, at the same time. */
static void it_comes_right_behind_the_last(void **state)
{
    (void)state;
    struct lab_config conf = {.seed = 6, .dir[0] = {.reorder = 0.01, .delay = 5 * MS}};
    struct lab_link *l = link_of(&conf);
    flow_run(l, 0, MANY, SIZE, 100000);
    uint32_t highest = 0;
    for (uint32_t i = 0; i < MANY; i++) {
        if (arrived.number[i] > highest) {
            highest = arrived.number[i];
            assert_int_equal(arrived.at[i], highest * UINT64_C(100000) + 5 * MS);
        } else {
            assert_int_equal(arrived.at[i], arrived.at[i - 1]);
        }
    }
    lab_link_free(l);
}

/* Without traffic behind it, it waits for half the delay, but 10 ms at least. */
static void a_held_packet_waits_not_too_long(void **state)
{
    (void)state;
    static const uint64_t delays[] = {0, MS, 20 * MS, 50 * MS, 1000 * MS};
    for (size_t i = 0; i < ARRAY_LEN(delays); i++) {
        struct lab_config conf = {.seed = 6, .dir[0] = {.reorder = 1, .delay = delays[i]}};
        struct lab_link *l = link_of(&conf);
        uint64_t hold = delays[i] / 2 > 10 * MS ? delays[i] / 2 : 10 * MS;
        flow_run(l, 0, 10, SIZE, 10000 * MS);
        assert_int_equal(arrived.count, 10);
        for (uint32_t k = 0; k < 10; k++)
            assert_int_equal(arrived.at[k], (k + 1) * 10000 * MS + delays[i] + hold);
        lab_link_free(l);
    }
}

/* All that goes in comes out, at most so much late, whatever the rest of the options do. */
static void nothing_is_held_for_ever(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 20; seed++) {
        struct lab_config conf = {.seed = seed};
        conf.dir[0] = (struct lab_impair){.reorder = (double)seed / 19,
                                          .duplicate = 0.1,
                                          .jitter = seed * 300000,
                                          .delay = seed * 3 * MS};
        struct lab_link *l = link_of(&conf);
        flow_run(l, 0, 3000, SIZE, 500000);
        const struct lab_counts *n = lab_link_counts(l, 0);
        assert_int_equal(arrived.count, n->sent + n->duplicated);
        uint64_t hold = conf.dir[0].delay / 2 > 10 * MS ? conf.dir[0].delay / 2 : 10 * MS;
        for (size_t i = 0; i < arrived.count; i++) {
            uint64_t due = arrived.number[i] * UINT64_C(500000) + conf.dir[0].delay;
            assert_in_range(arrived.at[i], due, due + conf.dir[0].jitter + hold);
            assert_true(i == 0 || arrived.at[i] >= arrived.at[i - 1]);
        }
        lab_link_free(l);
    }
}

/* ---- streams of decisions -------------------------------------------------------------------- */

/* Which packets did not arrive. */
static void missing(struct lab_config *conf, bool lost[MANY + 1])
{
    struct lab_link *l = link_of(conf);
    flow_run(l, 0, MANY, SIZE, 1000);
    memset(lost, true, MANY + 1);
    for (size_t i = 0; i < arrived.count; i++)
        if (arrived.number[i] <= MANY) /* else it is corrupted */
            lost[arrived.number[i]] = false;
    lab_link_free(l);
}

/* With other options the same packets are lost. */
static void options_do_not_disturb_each_other(void **state)
{
    (void)state;
    static bool alone[MANY + 1], together[MANY + 1];
    struct lab_config conf = {.seed = 11, .dir[0].loss = 0.02};
    missing(&conf, alone);
    conf.dir[0].duplicate = 0.3;
    conf.dir[0].reorder = 0.2;
    conf.dir[0].jitter = 10 * MS;
    conf.dir[0].delay = 3 * MS;
    conf.dir[1] = conf.dir[0];
    missing(&conf, together);
    assert_memory_equal(alone, together, sizeof(alone));
    conf.seed++;
    missing(&conf, together);
    assert_memory_not_equal(alone, together, sizeof(alone));
}

static void directions_have_their_own_chance(void **state)
{
    (void)state;
    struct lab_config conf = {.seed = 12, .dir = {{.loss = 0.5}, {.loss = 0.5}}};
    uint64_t lost[2] = {0};
    struct lab_link *l = link_of(&conf);
    static struct packet p;
    packet_raw(&p, 1, SIZE);
    for (int i = 0; i < 64; i++) {
        for (int dir = 0; dir < 2; dir++) {
            uint64_t before = lab_link_counts(l, dir)->lost;
            lab_link_send(l, dir, &p.pkt, 0);
            lost[dir] = lost[dir] << 1 | (lab_link_counts(l, dir)->lost - before);
        }
    }
    assert_true(lost[0] != lost[1]);
    lab_link_free(l);
}

int main(void)
{
    unit_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_perfect_link_passes_everything_at_once),
        cmocka_unit_test(loss_has_its_rate_and_keeps_the_order),
        cmocka_unit_test(losses_are_independent),
        cmocka_unit_test(a_duplicate_follows_directly),
        cmocka_unit_test(corruption_flips_one_bit_anywhere),
        cmocka_unit_test(corruption_has_its_rate),
        cmocka_unit_test(a_chosen_packet_is_passed_by_one_to_three),
        cmocka_unit_test(it_comes_right_behind_the_last),
        cmocka_unit_test(a_held_packet_waits_not_too_long),
        cmocka_unit_test(nothing_is_held_for_ever),
        cmocka_unit_test(options_do_not_disturb_each_other),
        cmocka_unit_test(directions_have_their_own_chance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
