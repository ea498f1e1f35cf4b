/* test_addrs.c - addresses kept once each: counting, scopes, limits, failing allocations. */
#include "unit.h"

#include "base/addrs.h"

static const struct siphash_key key = {1, 2};

static void number(uint8_t ip[16], uint32_t n)
{
    memset(ip, 0x20, 12);
    store_be32(ip + 12, n);
}

static void keeps_one_entry_for_each_address(void **state)
{
    (void)state;
    struct unit_mem m;
    struct addrs a;
    uint8_t ip[16];
    unit_mem_init(&m);
    assert_true(addrs_init(&a, &m.mem, &key, 1000));
    uint32_t ix[500];
    for (uint32_t i = 0; i < 500; i++) {
        number(ip, i);
        assert_int_equal(addrs_find(&a, ip, 0), 0);
        ix[i] = addrs_get(&a, ip, 0);
        assert_int_not_equal(ix[i], 0);
        assert_memory_equal(addrs_at(&a, ix[i])->ip, ip, 16);
        for (uint32_t j = 0; j < i; j++)
            assert_int_not_equal(ix[i], ix[j]);
    }
    for (uint32_t i = 0; i < 500; i++) {
        number(ip, i);
        assert_int_equal(addrs_get(&a, ip, 0), ix[i]);
        assert_int_equal(addrs_find(&a, ip, 0), ix[i]);
        assert_int_equal(addrs_at(&a, ix[i])->refs, 2);
    }
    addrs_destroy(&a);
    unit_mem_done(&m);
}

static void the_scope_is_part_of_the_address(void **state)
{
    (void)state;
    struct unit_mem m;
    struct addrs a;
    uint8_t ip[16] = {0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    unit_mem_init(&m);
    assert_true(addrs_init(&a, &m.mem, &key, 10));
    uint32_t one = addrs_get(&a, ip, 1), two = addrs_get(&a, ip, 2);
    assert_int_not_equal(one, two);
    assert_int_equal(addrs_at(&a, one)->scope, 1);
    assert_int_equal(addrs_find(&a, ip, 2), two);
    assert_int_equal(addrs_find(&a, ip, 0), 0);
    addrs_destroy(&a);
    unit_mem_done(&m);
}

static void goes_with_its_last_reference(void **state)
{
    (void)state;
    struct unit_mem m;
    struct addrs a;
    uint8_t ip[16];
    unit_mem_init(&m);
    assert_true(addrs_init(&a, &m.mem, &key, 1));
    number(ip, 1);
    uint32_t ix = addrs_get(&a, ip, 0);
    addrs_ref(&a, ix);
    addrs_unref(&a, ix);
    assert_int_equal(addrs_find(&a, ip, 0), ix);
    addrs_unref(&a, ix);
    assert_int_equal(addrs_find(&a, ip, 0), 0);
    expect_assert_failure(addrs_at(&a, 0));
    number(ip, 2);
    assert_int_not_equal(addrs_get(&a, ip, 0), 0);
    addrs_destroy(&a);
    unit_mem_done(&m);
}

/* */
static void is_hashed_under_its_key(void **state)
{
    (void)state;
    static const struct siphash_key other = {1, 3};
    struct unit_mem m;
    struct addrs a, b;
    uint8_t ip[16];
    unit_mem_init(&m);
    assert_true(addrs_init(&a, &m.mem, &key, 10));
    assert_true(addrs_init(&b, &m.mem, &other, 10));
    number(ip, 1);
    uint64_t words[3] = {load_le64(ip), load_le64(ip + 8), 7};
    assert_int_equal(addrs_at(&a, addrs_get(&a, ip, 7))->hash,
                     (uint32_t)siphash13_words(&key, words, 3));
    assert_int_equal(addrs_at(&b, addrs_get(&b, ip, 7))->hash,
                     (uint32_t)siphash13_words(&other, words, 3));
    addrs_destroy(&a);
    addrs_destroy(&b);
    unit_mem_done(&m);
}

static int by_hash(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* Among so many addresses some have equal hashes: they are two all the same. */
static void equal_hashes_do_not_make_equal_addresses(void **state)
{
    (void)state;
    enum { N = 300000 };
    uint64_t *hashes = malloc(N * sizeof(*hashes)); /* hash:32 number:32 */
    uint8_t ip[16];
    uint32_t pairs = 0;
    assert_non_null(hashes);
    for (uint32_t i = 0; i < N; i++) {
        number(ip, i / 2);
        uint64_t words[3] = {load_le64(ip), load_le64(ip + 8), i % 2};
        hashes[i] = siphash13_words(&key, words, 3) << 32 | i;
    }
    qsort(hashes, N, sizeof(*hashes), by_hash);
    for (uint32_t i = 1; i < N; i++) {
        if (hashes[i] >> 32 != hashes[i - 1] >> 32)
            continue;
        struct unit_mem m;
        struct addrs a;
        unit_mem_init(&m);
        assert_true(addrs_init(&a, &m.mem, &key, 10));
        uint32_t one = (uint32_t)hashes[i], two = (uint32_t)hashes[i - 1];
        number(ip, one / 2);
        uint32_t ix = addrs_get(&a, ip, one % 2);
        number(ip, two / 2);
        assert_int_equal(addrs_find(&a, ip, two % 2), 0);
        assert_int_not_equal(addrs_get(&a, ip, two % 2), ix);
        pairs++;
        addrs_destroy(&a);
        unit_mem_done(&m);
    }
    assert_int_not_equal(pairs, 0);
    free(hashes);
}

static void no_more_than_the_limit(void **state)
{
    (void)state;
    struct unit_mem m;
    struct addrs a;
    uint8_t ip[16];
    unit_mem_init(&m);
    assert_true(addrs_init(&a, &m.mem, &key, 3));
    for (uint32_t i = 1; i <= 3; i++) {
        number(ip, i);
        assert_int_not_equal(addrs_get(&a, ip, 0), 0);
    }
    number(ip, 4);
    assert_int_equal(addrs_get(&a, ip, 0), 0);
    number(ip, 2);
    assert_int_not_equal(addrs_get(&a, ip, 0), 0); /* a known one still is */
    addrs_destroy(&a);
    unit_mem_done(&m);
}

static void each_failing_allocation_is_survived(void **state)
{
    (void)state;
    for (uint32_t nth = 1; nth <= 10; nth++) {
        for (uint32_t on = 0; on <= 1; on++) {
            struct unit_mem m;
            struct addrs a;
            uint8_t ip[16];
            unit_mem_init(&m);
            m.fail_at = nth;
            m.fail_on = on;
            if (!addrs_init(&a, &m.mem, &key, 10000)) {
                assert_in_range(nth, 1, 2);
                unit_mem_done(&m);
                continue;
            }
            uint32_t got = 0;
            for (uint32_t i = 0; i < 5000; i++) {
                number(ip, i);
                uint32_t ix = addrs_get(&a, ip, 0);
                got += ix != 0;
                assert_int_equal(addrs_find(&a, ip, 0), ix);
            }
            assert_int_equal(a.slab.used, got);
            assert_int_equal(flowtab_count(&a.table), got);
            assert_true(on || got >= 4999);
            addrs_destroy(&a);
            unit_mem_done(&m);
        }
    }
}

static void agrees_with_a_model(void **state)
{
    (void)state;
    enum { N = 200 };
    struct unit_mem m;
    struct addrs a;
    uint32_t refs[N] = {0}, ix[N] = {0};
    uint8_t ip[16];
    unit_mem_init(&m);
    assert_true(addrs_init(&a, &m.mem, &key, N));
    for (uint32_t step = 0; step < 50000; step++) {
        uint32_t i = unit_below(N), what = unit_below(3);
        number(ip, i / 2);
        uint32_t scope = i % 2;
        assert_int_equal(addrs_find(&a, ip, scope), refs[i] != 0 ? ix[i] : 0);
        if (what == 0) {
            uint32_t got = addrs_get(&a, ip, scope);
            assert_true(refs[i] == 0 || got == ix[i]);
            ix[i] = got;
            refs[i]++;
        } else if (refs[i] != 0) {
            addrs_unref(&a, ix[i]);
            refs[i]--;
        }
        if (refs[i] != 0)
            assert_int_equal(addrs_at(&a, ix[i])->refs, refs[i]);
        assert_int_equal(flowtab_count(&a.table), a.slab.used);
    }
    addrs_destroy(&a);
    unit_mem_done(&m);
}

int main(void)
{
    unit_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_one_entry_for_each_address),
        cmocka_unit_test(the_scope_is_part_of_the_address),
        cmocka_unit_test(goes_with_its_last_reference),
        cmocka_unit_test(is_hashed_under_its_key),
        cmocka_unit_test(equal_hashes_do_not_make_equal_addresses),
        cmocka_unit_test(no_more_than_the_limit),
        cmocka_unit_test(each_failing_allocation_is_survived),
        cmocka_unit_test(agrees_with_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
