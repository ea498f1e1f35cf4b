/* test_seq.c - serial-number arithmetic, around the circle and at exactly half of it. */
#include "unit.h"

#include "base/seq.h"

static const uint32_t places[] = {0,          1,          2,          0x7ffffffe, 0x7fffffff,
                                  0x80000000, 0x80000001, 0xfffffffe, 0xffffffff, 0x12345678};

/* U-23 */
static void orders_numbers_less_than_half_a_circle_apart(void **state)
{
    (void)state;
    const uint32_t steps[] = {1, 2, 1000, 0x40000000, 0x7fffffff};
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        uint32_t a = places[i];
        assert_true(seq_leq(a, a) && seq_geq(a, a) && !seq_lt(a, a) && !seq_gt(a, a));
        for (size_t j = 0; j < ARRAY_LEN(steps); j++) {
            uint32_t b = a + steps[j];
            assert_true(seq_lt(a, b) && seq_leq(a, b) && seq_gt(b, a) && seq_geq(b, a));
            assert_false(seq_lt(b, a) || seq_leq(b, a) || seq_gt(a, b) || seq_geq(a, b));
            assert_int_equal(seq_max(a, b), b);
            assert_int_equal(seq_max(b, a), b);
            assert_int_equal(seq_min(a, b), a);
            assert_int_equal(seq_min(b, a), a);
        }
    }
}

static void knows_the_members_of_a_range(void **state)
{
    (void)state;
    const uint32_t lens[] = {0, 1, 2, 65535, 0x7fffffff, 0x80000000, 0xffffffff};
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        for (size_t j = 0; j < ARRAY_LEN(lens); j++) {
            uint32_t lo = places[i], len = lens[j];
            assert_int_equal(seq_in(lo, lo, len), len != 0);
            assert_int_equal(seq_in(lo + len - 1, lo, len), len != 0);
            assert_false(seq_in(lo + len, lo, len) && len != UINT32_MAX);
            assert_false(seq_in(lo - 1, lo, len));
            assert_true(seq_between(lo, lo, lo + len));
            assert_true(seq_between(lo + len, lo, lo + len));
            if (len != UINT32_MAX) {
                assert_false(seq_between(lo - 1, lo, lo + len));
                assert_false(seq_between(lo + len + 1, lo, lo + len));
            }
        }
    }
}

/* The far side of the circle, where two signed comparisons would both say yes. */
static void is_not_fooled_by_the_far_side(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        uint32_t lo = places[i], hi = lo + 1000;
        for (uint32_t d = 0; d <= 1001; d++) {
            uint32_t far = lo + 0x80000000 + d;
            assert_false(seq_in(far, lo, 1000));
            assert_false(seq_between(far, lo, hi));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(orders_numbers_less_than_half_a_circle_apart),
        cmocka_unit_test(knows_the_members_of_a_range),
        cmocka_unit_test(is_not_fooled_by_the_far_side),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
