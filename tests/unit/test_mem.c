/* test_mem.c - the counted allocator. */
#include "unit.h"

static void clears_what_it_gives(void **state)
{
    (void)state;
    struct unit_mem m;
    unit_mem_init(&m);
    uint8_t *p = mem_alloc(&m.mem, 1000, 64);
    assert_non_null(p);
    assert_int_equal((uintptr_t)p % 64, 0);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(p[i], 0);
    mem_free(&m.mem, p, 1000);
    unit_mem_done(&m);
}

static void leaves_raw_memory_alone(void **state)
{
    (void)state;
    struct unit_mem m;
    unit_mem_init(&m);
    uint8_t *p = mem_alloc_raw(&m.mem, 100, 8);
    assert_int_equal(p[0], 0xa5);
    assert_int_equal(p[99], 0xa5);
    mem_free(&m.mem, p, 100);
    unit_mem_done(&m);
}

static void counts_bytes_and_their_peak(void **state)
{
    (void)state;
    struct unit_mem m;
    unit_mem_init(&m);
    void *a = mem_alloc(&m.mem, 100, 8), *b = mem_alloc_raw(&m.mem, 50, 8);
    assert_int_equal(m.mem.bytes, 150);
    mem_free(&m.mem, a, 100);
    assert_int_equal(m.mem.bytes, 50);
    a = mem_alloc(&m.mem, 20, 8);
    assert_int_equal(m.mem.bytes, 70);
    assert_int_equal(m.mem.bytes_peak, 150);
    mem_free(&m.mem, a, 20);
    mem_free(&m.mem, b, 50);
    mem_free(&m.mem, NULL, 7);
    assert_int_equal(m.mem.bytes_peak, 150);
    unit_mem_done(&m);
}

static void passes_failure_on_uncounted(void **state)
{
    (void)state;
    struct unit_mem m;
    unit_mem_init(&m);
    m.fail_at = 1;
    m.fail_on = true;
    assert_null(mem_alloc(&m.mem, 100, 8));
    assert_null(mem_alloc_raw(&m.mem, 100, 8));
    assert_int_equal(m.mem.bytes_peak, 0);
    unit_mem_done(&m);
}

static void asserts_that_no_more_is_freed_than_taken(void **state)
{
    (void)state;
    struct unit_mem m;
    unit_mem_init(&m);
    void *p = mem_alloc(&m.mem, 100, 8);
    expect_assert_failure(mem_free(&m.mem, p, 101));
    expect_assert_failure(mem_alloc(&m.mem, 100, 3));
    expect_assert_failure(mem_alloc(&m.mem, 0, 8));
    mem_free(&m.mem, p, 100);
    unit_mem_done(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clears_what_it_gives),
        cmocka_unit_test(leaves_raw_memory_alone),
        cmocka_unit_test(counts_bytes_and_their_peak),
        cmocka_unit_test(passes_failure_on_uncounted),
        cmocka_unit_test(asserts_that_no_more_is_freed_than_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
