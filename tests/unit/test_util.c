/* test_util.c - byte order at any alignment, and the small arithmetic. */
#include "unit.h"

static void loads_and_stores_network_order_at_any_alignment(void **state)
{
    (void)state;
    uint8_t b[16];
    for (size_t at = 0; at < 8; at++) {
        memset(b, 0, sizeof(b));
        store_be32(b + at, 0x01f2c3d4);
        const uint8_t wire[4] = {0x01, 0xf2, 0xc3, 0xd4};
        assert_memory_equal(b + at, wire, 4);
        assert_int_equal(load_be32(b + at), 0x01f2c3d4);
        assert_int_equal(load_be16(b + at), 0x01f2);
        assert_int_equal(b[at + 4], 0);
        store_be16(b + at, 0xfedc);
        assert_int_equal(load_be32(b + at), 0xfedcc3d4);
    }
}

static void loads_little_endian_words(void **state)
{
    (void)state;
    const uint8_t b[9] = {0xff, 1, 2, 3, 4, 5, 6, 7, 0x88};
    assert_true(load_le64(b + 1) == 0x8807060504030201u);
}

static void takes_minima_and_maxima(void **state)
{
    (void)state;
    assert_int_equal(min_u32(1, UINT32_MAX), 1);
    assert_int_equal(max_u32(1, UINT32_MAX), UINT32_MAX);
    assert_true(min_u64(1, UINT64_MAX) == 1);
    assert_true(max_u64(UINT64_MAX, 1) == UINT64_MAX);
    assert_int_equal(min_size(3, 2), 2);
}

static void fails_assertions_only_when_false(void **state)
{
    (void)state;
    volatile int one = 1;
    TERN_ASSERT(one == 1);
    expect_assert_failure(TERN_ASSERT(one == 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads_and_stores_network_order_at_any_alignment),
        cmocka_unit_test(loads_little_endian_words),
        cmocka_unit_test(takes_minima_and_maxima),
        cmocka_unit_test(fails_assertions_only_when_false),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
