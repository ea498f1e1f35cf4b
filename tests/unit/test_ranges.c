/* test_ranges.c - sets of sequence numbers: against a bitmap, with tags, around the circle. */
#include "unit.h"

#include "base/ranges.h"

enum { SPAN = 64, CAP = 6 };

#define TAG(n) ((void *)(uintptr_t)(n))

/* Small numbers at the foot of `base` stand for the whole circle. */
struct model {
    uint32_t base;
    bool has[SPAN];
};

static void check_invariant(const struct ranges *r)
{
    assert_true(r->count <= r->cap);
    for (uint32_t i = 0; i < r->count; i++) {
        assert_true(seq_lt(r->at[i].lo, r->at[i].hi));
        if (i != 0)
            assert_true(seq_lt(r->at[i - 1].hi, r->at[i].lo));
    }
}

static void check_against(const struct ranges *r, const struct model *m)
{
    check_invariant(r);
    uint32_t runs = 0;
    for (uint32_t i = 0; i < SPAN; i++) {
        assert_int_equal(ranges_has(r, m->base + i), m->has[i]);
        runs += m->has[i] && (i == 0 || !m->has[i - 1]);
    }
    assert_int_equal(r->count, runs);
    assert_false(ranges_has(r, m->base - 1));
    assert_false(ranges_has(r, m->base + SPAN));
    for (uint32_t i = 0; i <= SPAN; i++) {
        uint32_t expected = 0;
        while (expected < r->count && seq_lt(r->at[expected].hi, m->base + i))
            expected++;
        assert_int_equal(ranges_find(r, m->base + i), expected);
    }
}

static uint32_t runs_with(const struct model *m, uint32_t lo, uint32_t hi)
{
    uint32_t runs = 0;
    bool before = false;
    for (uint32_t i = 0; i < SPAN; i++) {
        bool now = m->has[i] || (i >= lo && i < hi);
        runs += now && !before;
        before = now;
    }
    return runs;
}

static void agrees_with_a_bitmap(void **state)
{
    (void)state;
    const uint32_t bases[] = {1000, 0xffffffe0, 0x7fffffe0, 0xffffffff, 0x80000000};
    for (uint32_t round = 0; round < 3000; round++) {
        struct range at[CAP];
        struct ranges r = {.at = at, .count = 0, .cap = CAP};
        struct model m = {.base = bases[round % ARRAY_LEN(bases)]};
        for (uint32_t step = 0; step < 40; step++) {
            uint32_t lo = unit_below(SPAN), hi = lo + 1 + unit_below(min_u32(SPAN - lo, 12));
            uint32_t what = unit_below(8);
            if (what == 0) {
                ranges_trim(&r, m.base + lo);
                memset(m.has, 0, lo);
            } else if (what == 1 && r.count != 0) {
                uint32_t i = unit_below(r.count);
                for (uint32_t seq = r.at[i].lo; seq != r.at[i].hi; seq++)
                    m.has[seq - m.base] = false;
                ranges_drop(&r, i);
            } else {
                int i = ranges_add(&r, m.base + lo, m.base + hi, TAG(step), TAG(step));
                assert_int_equal(i<0, runs_with(&m, lo, hi)> CAP);
                if (i >= 0) {
                    memset(m.has + lo, 1, hi - lo);
                    assert_true(seq_leq(r.at[i].lo, m.base + lo));
                    assert_true(seq_geq(r.at[i].hi, m.base + hi));
                }
            }
            check_against(&r, &m);
        }
    }
}

static void merges_what_touches(void **state)
{
    (void)state;
    struct range at[4];
    struct ranges r = {.at = at, .count = 0, .cap = 4};
    assert_int_equal(ranges_add(&r, 10, 20, TAG(1), TAG(2)), 0);
    assert_int_equal(ranges_add(&r, 30, 40, TAG(3), TAG(4)), 1);
    assert_int_equal(ranges_add(&r, 20, 30, TAG(5), TAG(6)), 0);
    assert_int_equal(r.count, 1);
    assert_int_equal(r.at[0].lo, 10);
    assert_int_equal(r.at[0].hi, 40);
    assert_ptr_equal(r.at[0].first, TAG(1));
    assert_ptr_equal(r.at[0].last, TAG(4));
}

static void outer_tags_stay_and_new_edges_take_theirs(void **state)
{
    (void)state;
    static const struct {
        uint32_t lo, hi;
        struct range expected;
    } cases[] = {
        {10, 20, {10, 20, TAG(1), TAG(2)}}, /* the same again */
        {12, 18, {10, 20, TAG(1), TAG(2)}}, /* inside */
        {5, 15, {5, 20, TAG(7), TAG(2)}},   /* sticks out to the left */
        {15, 25, {10, 25, TAG(1), TAG(8)}}, /* to the right */
        {5, 25, {5, 25, TAG(7), TAG(8)}},   /* to both sides */
        {5, 10, {5, 20, TAG(7), TAG(2)}},   /* touches */
        {20, 25, {10, 25, TAG(1), TAG(8)}},
        {10, 25, {10, 25, TAG(1), TAG(8)}}, /* from edge to edge */
        {5, 20, {5, 20, TAG(7), TAG(2)}},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct range at[2];
        struct ranges r = {.at = at, .count = 0, .cap = 2};
        ranges_add(&r, 10, 20, TAG(1), TAG(2));
        assert_int_equal(ranges_add(&r, cases[i].lo, cases[i].hi, TAG(7), TAG(8)), 0);
        assert_int_equal(r.count, 1);
        assert_memory_equal(&r.at[0], &cases[i].expected, sizeof(struct range));
    }
}

static void swallows_many_at_once(void **state)
{
    (void)state;
    struct range at[8];
    struct ranges r = {.at = at, .count = 0, .cap = 8};
    for (uint32_t i = 0; i < 8; i++)
        assert_int_equal(ranges_add(&r, 100 * i, 100 * i + 10, TAG(i), TAG(i)), (int)i);
    assert_int_equal(ranges_add(&r, 205, 595, TAG(50), TAG(51)), 2);
    assert_int_equal(r.count, 5);
    const struct range middle = {200, 595, TAG(2), TAG(51)}, after = {600, 610, TAG(6), TAG(6)};
    assert_memory_equal(&r.at[2], &middle, sizeof(middle));
    assert_memory_equal(&r.at[3], &after, sizeof(after));
}

static void refuses_when_full_and_changes_nothing(void **state)
{
    (void)state;
    struct range at[2], before[2];
    struct ranges r = {.at = at, .count = 0, .cap = 2};
    ranges_add(&r, 10, 20, TAG(1), TAG(2));
    ranges_add(&r, 30, 40, TAG(3), TAG(4));
    memcpy(before, at, sizeof(at));
    assert_int_equal(ranges_add(&r, 50, 60, TAG(5), TAG(6)), -1);
    assert_int_equal(ranges_add(&r, 0, 9, TAG(5), TAG(6)), -1);
    assert_int_equal(ranges_add(&r, 22, 28, TAG(5), TAG(6)), -1);
    assert_memory_equal(at, before, sizeof(at));
    assert_int_equal(r.count, 2);
    assert_int_equal(ranges_add(&r, 40, 50, TAG(5), TAG(6)), 1); /* merging needs no room */
    struct ranges none = {.at = NULL, .count = 0, .cap = 0};
    assert_int_equal(ranges_add(&none, 1, 2, TAG(0), TAG(0)), -1);
    assert_false(ranges_has(&none, 1));
    ranges_trim(&none, 5);
}

static void trims_and_keeps_tags(void **state)
{
    (void)state;
    struct range at[3];
    struct ranges r = {.at = at, .count = 0, .cap = 3};
    ranges_add(&r, 10, 20, TAG(1), TAG(2));
    ranges_add(&r, 30, 40, TAG(3), TAG(4));
    ranges_trim(&r, 10);
    assert_int_equal(r.count, 2);
    assert_int_equal(r.at[0].lo, 10);
    ranges_trim(&r, 20); /* the end of one: it goes as a whole */
    assert_int_equal(r.count, 1);
    ranges_trim(&r, 39);
    const struct range expected = {39, 40, TAG(3), TAG(4)};
    assert_memory_equal(&r.at[0], &expected, sizeof(expected));
    ranges_trim(&r, 40);
    assert_int_equal(r.count, 0);
}

static void spans_nearly_half_the_circle(void **state)
{
    (void)state;
    struct range at[2];
    struct ranges r = {.at = at, .count = 0, .cap = 2};
    uint32_t base = 0xf0000000;
    ranges_add(&r, base, base + 1, TAG(1), TAG(1));
    ranges_add(&r, base + 0x7ffffffd, base + 0x7ffffffe, TAG(2), TAG(2));
    assert_int_equal(r.count, 2);
    assert_true(ranges_has(&r, base));
    assert_true(ranges_has(&r, base + 0x7ffffffd));
    assert_false(ranges_has(&r, base + 0x3fffffff));
    assert_int_equal(ranges_add(&r, base, base + 0x7ffffffe, TAG(3), TAG(3)), 0);
    assert_int_equal(r.count, 1);
}

static void asserts_its_arguments(void **state)
{
    (void)state;
    struct range at[2];
    struct ranges r = {.at = at, .count = 0, .cap = 2};
    expect_assert_failure(ranges_add(&r, 5, 5, TAG(0), TAG(0)));
    expect_assert_failure(ranges_add(&r, 6, 5, TAG(0), TAG(0)));
    expect_assert_failure(ranges_drop(&r, 0));
}

int main(void)
{
    unit_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_a_bitmap),
        cmocka_unit_test(merges_what_touches),
        cmocka_unit_test(outer_tags_stay_and_new_edges_take_theirs),
        cmocka_unit_test(swallows_many_at_once),
        cmocka_unit_test(refuses_when_full_and_changes_nothing),
        cmocka_unit_test(trims_and_keeps_tags),
        cmocka_unit_test(spans_nearly_half_the_circle),
        cmocka_unit_test(asserts_its_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
