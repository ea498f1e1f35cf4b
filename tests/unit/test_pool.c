/* test_pool.c - objects by address: limits, reuse, and which blocks are given back when. */
#include "unit.h"

#include "base/pool.h"

enum { SIZE = 48, MANY = 5000 };

static void *objects[MANY];

static void take(struct pool *p, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        assert_non_null(objects[i] = pool_take(p));
}

static void give(struct pool *p, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        pool_give(p, objects[i]);
}

static void gives_no_more_than_the_limit(void **state)
{
    (void)state;
    const uint32_t limits[] = {1, 2, 7, 1000, MANY};
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        struct unit_mem m;
        struct pool p;
        unit_mem_init(&m);
        pool_init(&p, &m.mem, SIZE, limits[i]);
        take(&p, limits[i]);
        assert_null(pool_take(&p));
        pool_give(&p, objects[0]);
        assert_ptr_equal(pool_take(&p), objects[0]);
        assert_null(pool_take(&p));
        assert_int_equal(p.used, limits[i]);
        give(&p, limits[i]);
        pool_destroy(&p);
        unit_mem_done(&m);
    }
}

/* However they come and go, over several blocks: one more is refused at the limit, only there. */
static void the_limit_at_any_time(void **state)
{
    (void)state;
    enum { LIMIT = 3000, TURNS = 400 };
    struct unit_mem m;
    struct pool p;
    uint32_t n = 0;
    unit_mem_init(&m);
    pool_init(&p, &m.mem, SIZE, LIMIT);
    for (unsigned turn = 0; turn < TURNS; turn++) {
        for (uint32_t i = unit_below(LIMIT); i > 0; i--) {
            void *object = pool_take(&p);
            assert_int_equal(object == NULL, n == LIMIT);
            if (object != NULL)
                objects[n++] = object;
        }
        for (uint32_t i = n != 0 ? unit_below(n + 1) : 0; i > 0; i--) {
            uint32_t one = unit_below(n);
            pool_give(&p, objects[one]);
            objects[one] = objects[--n];
        }
        assert_int_equal(p.used, n);
    }
    give(&p, n);
    pool_destroy(&p);
    unit_mem_done(&m);
}

static void objects_keep_apart(void **state)
{
    (void)state;
    struct unit_mem m;
    struct pool p;
    unit_mem_init(&m);
    pool_init(&p, &m.mem, SIZE, MANY);
    take(&p, MANY);
    for (uint32_t i = 0; i < MANY; i++)
        memset(objects[i], (int)(i % 251), SIZE);
    for (uint32_t i = 0; i < MANY; i++)
        for (size_t k = 0; k < SIZE; k++)
            assert_int_equal(((uint8_t *)objects[i])[k], i % 251);
    give(&p, MANY);
    pool_destroy(&p);
    unit_mem_done(&m);
}

static void one_empty_block_is_kept_until_it_is_quiet(void **state)
{
    (void)state;
    struct unit_mem m;
    struct pool p;
    unit_mem_init(&m);
    pool_init(&p, &m.mem, SIZE, MANY);
    take(&p, MANY);
    assert_true(m.live > 2);
    give(&p, MANY - 1);
    size_t live = m.live;
    pool_trim(&p); /* one object is still there */
    assert_int_equal(m.live, live);
    pool_give(&p, objects[MANY - 1]);
    assert_int_equal(m.live, 1);
    pool_trim(&p);
    assert_int_equal(m.live, 0);
    pool_trim(&p);
    take(&p, MANY); /* and all begins anew */
    give(&p, MANY);
    pool_destroy(&p);
    unit_mem_done(&m);
}

static void without_memory_nothing_is_given(void **state)
{
    (void)state;
    struct unit_mem m;
    struct pool p;
    unit_mem_init(&m);
    pool_init(&p, &m.mem, SIZE, MANY);
    m.fail_at = 1;
    assert_null(pool_take(&p));
    assert_int_equal(p.used, 0);
    m.fail_at = 0;
    take(&p, 1);
    give(&p, 1);
    pool_destroy(&p);
    unit_mem_done(&m);
}

int main(void)
{
    unit_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_no_more_than_the_limit),
        cmocka_unit_test(the_limit_at_any_time),
        cmocka_unit_test(objects_keep_apart),
        cmocka_unit_test(one_empty_block_is_kept_until_it_is_quiet),
        cmocka_unit_test(without_memory_nothing_is_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
