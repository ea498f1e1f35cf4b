/* test_slab.c - objects by index: limits, reuse, generations, scanning, and every failing
 * allocation. */
#include "unit.h"

#include "base/slab.h"

static void gives_no_more_than_the_limit(void **state)
{
    (void)state;
    const uint32_t limits[] = {1, 2, 7, 8, 15, 16, 17, 1000, 5000};
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        for (enum slab_kind kind = SLAB_PLAIN; kind <= SLAB_HANDLES; kind++) {
            struct unit_mem m;
            struct slab s;
            unit_mem_init(&m);
            assert_true(slab_init(&s, &m.mem, kind, 44, limits[i]));
            for (uint32_t n = 1; n <= limits[i]; n++)
                assert_int_equal(slab_alloc(&s), n);
            assert_int_equal(slab_alloc(&s), 0);
            slab_free(&s, limits[i]);
            assert_int_equal(slab_alloc(&s), limits[i]);
            assert_int_equal(slab_alloc(&s), 0);
            assert_int_equal(s.used, limits[i]);
            slab_destroy(&s);
            unit_mem_done(&m);
        }
    }
}

static void takes_blocks_as_needed_of_64_kib_or_less(void **state)
{
    (void)state;
    const uint32_t sizes[] = {8, 12, 64, 100, 256, 4096, 65536, 100000};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct unit_mem m;
        struct slab s;
        unit_mem_init(&m);
        assert_true(slab_init(&s, &m.mem, SLAB_PLAIN, sizes[i], 100));
        assert_int_equal(m.live, 1);
        for (uint32_t n = 0; n < 100; n++)
            assert_int_not_equal(slab_alloc(&s), 0);
        for (uint32_t n = 1; n < m.live; n++) {
            assert_true(m.at[n].size <= 65536 || m.at[n].size - sizes[i] < 64);
            /* a small limit does not take a large block */
            assert_true(m.at[n].size <= 200 * (size_t)sizes[i] + 64);
        }
        slab_destroy(&s);
        unit_mem_done(&m);
    }
}

static void a_block_of_many_is_about_64_kib(void **state)
{
    (void)state;
    const uint32_t sizes[] = {8, 12, 64, 100, 256, 4096, 32768};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct unit_mem m;
        struct slab s;
        unit_mem_init(&m);
        assert_true(slab_init(&s, &m.mem, SLAB_PLAIN, sizes[i], 1 << 20));
        assert_int_equal(m.at[0].size, ((1u << 20 >> s.block_shift) + 1) * sizeof(void *));
        slab_alloc(&s);
        assert_in_range(m.at[1].size, 32 * 1024 + 1, 64 * 1024);
        assert_int_equal(m.at[1].size % 64, 0);
        slab_destroy(&s);
        unit_mem_done(&m);
    }
}

static void destroying_twice_is_harmless(void **state)
{
    (void)state;
    struct unit_mem m;
    struct slab s;
    unit_mem_init(&m);
    assert_true(slab_init(&s, &m.mem, SLAB_HANDLES, 16, 4));
    uint32_t ix = slab_alloc(&s);
    slab_destroy(&s);
    slab_destroy(&s);
    assert_false(slab_is(&s, ix, 1));
    assert_int_equal(slab_alloc(&s), 0);
    unit_mem_done(&m);
}

static void objects_never_overlap_nor_move(void **state)
{
    (void)state;
    enum { N = 3000, SIZE = 60 };
    struct unit_mem m;
    struct slab s;
    unit_mem_init(&m);
    assert_true(slab_init(&s, &m.mem, SLAB_PLAIN, SIZE, N));
    uint8_t *at[N + 1];
    for (uint32_t ix = 1; ix <= N; ix++) {
        assert_int_equal(slab_alloc(&s), ix);
        at[ix] = slab_at(&s, ix);
        memset(at[ix], (int)(ix % 251), SIZE);
    }
    for (uint32_t ix = 1; ix <= N; ix++) {
        assert_ptr_equal(slab_at(&s, ix), at[ix]);
        for (uint32_t b = 0; b < SIZE; b++)
            assert_int_equal(at[ix][b], ix % 251);
    }
    slab_destroy(&s);
    unit_mem_done(&m);
}

static void objects_come_cleared(void **state)
{
    (void)state;
    for (enum slab_kind kind = SLAB_PLAIN; kind <= SLAB_HANDLES; kind++) {
        struct unit_mem m;
        struct slab s;
        unit_mem_init(&m);
        assert_true(slab_init(&s, &m.mem, kind, 72, 10));
        for (uint32_t round = 0; round < 30; round++) {
            uint32_t ix = slab_alloc(&s);
            uint8_t *object = slab_at(&s, ix);
            for (uint32_t b = kind == SLAB_HANDLES ? 4 : 0; b < 72; b++)
                assert_int_equal(object[b], 0);
            memset(object + 4, 0xee, 68);
            slab_free(&s, ix);
        }
        slab_destroy(&s);
        unit_mem_done(&m);
    }
}

static void plain_slots_are_reused_last_first(void **state)
{
    (void)state;
    struct unit_mem m;
    struct slab s;
    unit_mem_init(&m);
    assert_true(slab_init(&s, &m.mem, SLAB_PLAIN, 8, 100));
    for (uint32_t i = 0; i < 10; i++)
        slab_alloc(&s);
    slab_free(&s, 3);
    slab_free(&s, 9);
    slab_free(&s, 5);
    assert_int_equal(slab_alloc_raw(&s), 5);
    assert_int_equal(slab_alloc(&s), 9);
    assert_int_equal(slab_alloc(&s), 3);
    assert_int_equal(slab_alloc(&s), 11);
    slab_destroy(&s);
    unit_mem_done(&m);
}

static void handles_are_reused_first_first(void **state)
{
    (void)state;
    struct unit_mem m;
    struct slab s;
    unit_mem_init(&m);
    assert_true(slab_init(&s, &m.mem, SLAB_HANDLES, 8, 100));
    for (uint32_t i = 0; i < 10; i++)
        slab_alloc(&s);
    slab_free(&s, 3);
    slab_free(&s, 9);
    slab_free(&s, 5);
    assert_int_equal(slab_alloc(&s), 3);
    slab_free(&s, 3);
    assert_int_equal(slab_alloc(&s), 9);
    assert_int_equal(slab_alloc(&s), 5);
    assert_int_equal(slab_alloc(&s), 3);
    assert_int_equal(slab_alloc(&s), 11);
    slab_destroy(&s);
    unit_mem_done(&m);
}

static void a_stale_generation_is_told(void **state)
{
    (void)state;
    struct unit_mem m;
    struct slab s;
    unit_mem_init(&m);
    assert_true(slab_init(&s, &m.mem, SLAB_HANDLES, 16, 4));
    uint32_t ix = slab_alloc(&s);
    uint32_t generation = *(uint32_t *)slab_at(&s, ix);
    assert_int_equal(generation, 1);
    assert_true(slab_is(&s, ix, generation));
    assert_false(slab_is(&s, ix, generation + 1));
    assert_false(slab_is(&s, ix, generation + 2));
    slab_free(&s, ix);
    assert_false(slab_is(&s, ix, generation));
    assert_false(slab_is(&s, ix, generation + 1)); /* even: never a handle */
    for (uint32_t round = 0; round < 10; round++) {
        assert_int_equal(slab_alloc(&s), ix);
        assert_int_equal(*(uint32_t *)slab_at(&s, ix), generation + 2);
        assert_false(slab_is(&s, ix, generation));
        generation += 2;
        slab_free(&s, ix);
    }
    slab_destroy(&s);
    unit_mem_done(&m);
}

static void a_generation_wraps_to_odd_again(void **state)
{
    (void)state;
    struct unit_mem m;
    struct slab s;
    unit_mem_init(&m);
    assert_true(slab_init(&s, &m.mem, SLAB_HANDLES, 16, 1));
    uint32_t ix = slab_alloc(&s);
    *(uint32_t *)slab_at(&s, ix) = UINT32_MAX;
    assert_true(slab_is(&s, ix, UINT32_MAX));
    slab_free(&s, ix);
    assert_false(slab_is(&s, ix, 0));
    assert_int_equal(slab_alloc(&s), ix);
    assert_true(slab_is(&s, ix, 1));
    slab_destroy(&s);
    unit_mem_done(&m);
}

static void any_index_may_be_asked_for(void **state)
{
    (void)state;
    struct unit_mem m;
    struct slab s;
    unit_mem_init(&m);
    assert_true(slab_init(&s, &m.mem, SLAB_HANDLES, 16, 1 << 20));
    slab_alloc(&s);
    const uint32_t asked[] = {0, 2, 3, 4096, 1 << 20, (1 << 20) + 1, UINT32_MAX};
    for (size_t i = 0; i < ARRAY_LEN(asked); i++)
        assert_false(slab_is(&s, asked[i], 1));
    expect_assert_failure(slab_at(&s, 0));
    expect_assert_failure(slab_at(&s, 2));
    slab_destroy(&s);
    unit_mem_done(&m);
}

static void freeing_twice_asserts(void **state)
{
    (void)state;
    struct unit_mem m;
    struct slab s;
    unit_mem_init(&m);
    assert_true(slab_init(&s, &m.mem, SLAB_HANDLES, 16, 5));
    uint32_t a = slab_alloc(&s);
    slab_alloc(&s);
    slab_free(&s, a);
    expect_assert_failure(slab_free(&s, a));
    slab_destroy(&s);
    unit_mem_done(&m);
}

static void scanning_finds_what_is_in_use_within_its_budget(void **state)
{
    (void)state;
    struct unit_mem m;
    struct slab s;
    unit_mem_init(&m);
    assert_true(slab_init(&s, &m.mem, SLAB_HANDLES, 8, 1000));
    bool used[1001] = {false};
    for (uint32_t i = 1; i <= 1000; i++)
        slab_alloc(&s);
    for (uint32_t i = 1; i <= 1000; i++) {
        used[i] = unit_below(10) == 0;
        if (!used[i])
            slab_free(&s, i);
    }
    for (uint32_t allowance = 1; allowance < 50; allowance++) {
        uint32_t seen = 0, at = 0, expected = 1;
        do {
            uint32_t budget = allowance, from = at == 0 ? 1 : at, next;
            uint32_t ix = slab_scan(&s, at, &budget, &next);
            uint32_t looked = allowance - budget;
            uint32_t end = next != 0 ? next : 1001;
            assert_int_equal(end - from, looked);
            assert_true(ix != 0 || budget == 0 || next == 0);
            for (; expected < end; expected++)
                assert_int_equal(used[expected], expected == ix);
            seen += ix != 0;
            at = next;
        } while (at != 0);
        assert_int_equal(expected, 1001);
        assert_int_equal(seen, s.used);
    }
    uint32_t budget = 0, next;
    assert_int_equal(slab_scan(&s, 1, &budget, &next), 0);
    assert_int_equal(next, 1);
    slab_destroy(&s);
    unit_mem_done(&m);
}

static void scanning_nothing_ends_at_once(void **state)
{
    (void)state;
    struct unit_mem m;
    struct slab s;
    unit_mem_init(&m);
    assert_true(slab_init(&s, &m.mem, SLAB_HANDLES, 8, 10));
    uint32_t budget = 5, next = 7;
    assert_int_equal(slab_scan(&s, 0, &budget, &next), 0);
    assert_int_equal(next, 0);
    assert_int_equal(budget, 5);
    slab_destroy(&s);
    unit_mem_done(&m);
}

static void each_failing_allocation_leaves_the_slab_sound(void **state)
{
    (void)state;
    for (uint32_t nth = 1;; nth++) {
        struct unit_mem m;
        struct slab s;
        unit_mem_init(&m);
        m.fail_at = nth;
        if (!slab_init(&s, &m.mem, SLAB_HANDLES, 4096, 200)) {
            assert_int_equal(nth, 1);
            unit_mem_done(&m);
            continue;
        }
        uint32_t failures = 0;
        for (uint32_t n = 1; n <= 200;) {
            uint32_t ix = slab_alloc(&s);
            assert_true(ix == 0 || ix == n);
            failures += ix == 0;
            n += ix != 0;
            assert_true(failures <= 1);
        }
        assert_int_equal(s.used, 200);
        slab_destroy(&s);
        unit_mem_done(&m);
        if (failures == 0)
            break;
    }
}

/* Random use against a plain array of what is in use. */
static void agrees_with_a_model(void **state)
{
    (void)state;
    enum { LIMIT = 300, SIZE = 24 };
    for (enum slab_kind kind = SLAB_PLAIN; kind <= SLAB_HANDLES; kind++) {
        struct unit_mem m;
        struct slab s;
        unit_mem_init(&m);
        assert_true(slab_init(&s, &m.mem, kind, SIZE, LIMIT));
        uint32_t tag[LIMIT + 1] = {0}, used = 0;
        for (uint32_t step = 0; step < 50000; step++) {
            uint32_t ix = 1 + unit_below(LIMIT);
            if (unit_below(2) == 0) {
                ix = slab_alloc(&s);
                assert_int_equal(ix == 0, used == LIMIT);
                if (ix == 0)
                    continue;
                assert_int_equal(tag[ix], 0);
                tag[ix] = step + 1;
                memcpy((uint8_t *)slab_at(&s, ix) + SIZE - 4, &tag[ix], 4);
                used++;
            } else if (tag[ix] != 0) {
                assert_memory_equal((uint8_t *)slab_at(&s, ix) + SIZE - 4, &tag[ix], 4);
                slab_free(&s, ix);
                tag[ix] = 0;
                used--;
            }
            assert_int_equal(s.used, used);
        }
        slab_destroy(&s);
        unit_mem_done(&m);
    }
}

int main(void)
{
    unit_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_no_more_than_the_limit),
        cmocka_unit_test(takes_blocks_as_needed_of_64_kib_or_less),
        cmocka_unit_test(a_block_of_many_is_about_64_kib),
        cmocka_unit_test(destroying_twice_is_harmless),
        cmocka_unit_test(objects_never_overlap_nor_move),
        cmocka_unit_test(objects_come_cleared),
        cmocka_unit_test(plain_slots_are_reused_last_first),
        cmocka_unit_test(handles_are_reused_first_first),
        cmocka_unit_test(a_stale_generation_is_told),
        cmocka_unit_test(a_generation_wraps_to_odd_again),
        cmocka_unit_test(any_index_may_be_asked_for),
        cmocka_unit_test(freeing_twice_asserts),
        cmocka_unit_test(scanning_finds_what_is_in_use_within_its_budget),
        cmocka_unit_test(scanning_nothing_ends_at_once),
        cmocka_unit_test(each_failing_allocation_leaves_the_slab_sound),
        cmocka_unit_test(agrees_with_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
