/* test_flowtab.c - the flow table: against a model, with hashes from random to all equal, through
 * growth, and with every failing allocation. */
#include "unit.h"

#include "base/flowtab.h"

enum { REFS = 5000 };

struct model {
    bool has[REFS + 1];
    uint32_t hash[REFS + 1];
    uint32_t count;
};

static bool is_ref(const void *context, uint32_t ref) { return ref == *(const uint32_t *)context; }

static uint32_t find(const struct flowtab *t, uint32_t hash, uint32_t ref)
{
    return flowtab_find(t, hash, is_ref, &ref);
}

static uint32_t array_used(const struct flow_array *a)
{
    uint32_t used = 0;
    for (uint32_t i = 0; a->slots != NULL && i <= a->mask; i++)
        used += a->slots[i].ref != 0 && a->slots[i].ref != FLOW_TOMBSTONE;
    return used;
}

static void check_invariant(const struct flowtab *t)
{
    assert_int_equal(array_used(&t->cur), t->cur.used);
    assert_int_equal(array_used(&t->old), t->old.used);
    assert_true(t->cur.used <= (t->cur.mask + 1) / 8 * 7);
    assert_true(t->old.slots == NULL || t->next.slots == NULL);
    for (uint32_t i = 0; i <= t->cur.mask; i++)
        assert_int_not_equal(t->cur.slots[i].ref, FLOW_TOMBSTONE);
}

static void check_against(const struct flowtab *t, const struct model *m)
{
    check_invariant(t);
    assert_int_equal(flowtab_count(t), m->count);
    for (uint32_t ref = 1; ref <= REFS; ref++)
        assert_int_equal(find(t, m->hash[ref], ref), m->has[ref] ? ref : 0);
}

static void use_at_random(struct flowtab *t, struct model *m, uint32_t steps, uint32_t most)
{
    for (uint32_t step = 0; step < steps; step++) {
        uint32_t ref = 1 + unit_below(most), hash = m->hash[ref];
        assert_int_equal(find(t, hash, ref), m->has[ref] ? ref : 0);
        if (m->has[ref]) {
            flowtab_remove(t, hash, ref);
            m->count--;
        } else {
            flowtab_prefetch(t, hash);
            assert_true(flowtab_insert(t, hash, ref));
            m->count++;
        }
        m->has[ref] = !m->has[ref];
        assert_int_equal(find(t, hash, ref), m->has[ref] ? ref : 0);
    }
}

static void agrees_with_a_model(void **state)
{
    (void)state;
    /* hashes of few bits make long runs and many equal hashes; high ones wrap at the end */
    const uint32_t masks[] = {UINT32_MAX, 0xfff, 0x3f, 0xfffffff0, 0x80000007};
    for (uint32_t round = 0; round < 20; round++) {
        struct unit_mem mem;
        struct flowtab t;
        struct model *m = calloc(1, sizeof(*m));
        assert_non_null(m);
        unit_mem_init(&mem);
        for (uint32_t ref = 1; ref <= REFS; ref++)
            m->hash[ref] = (uint32_t)unit_random() & masks[round % ARRAY_LEN(masks)];
        assert_true(flowtab_init(&t, &mem.mem, 16));
        const uint32_t most[] = {10, 100, 1000, 300, REFS / 4};
        for (size_t i = 0; i < ARRAY_LEN(most); i++) {
            use_at_random(&t, m, 2000, most[i]);
            check_against(&t, m);
        }
        flowtab_destroy(&t);
        unit_mem_done(&mem);
        free(m);
    }
}

static void fills_and_empties(void **state)
{
    (void)state;
    struct unit_mem mem;
    struct flowtab t;
    struct model *m = calloc(1, sizeof(*m));
    assert_non_null(m);
    unit_mem_init(&mem);
    assert_true(flowtab_init(&t, &mem.mem, 16));
    for (uint32_t ref = 1; ref <= REFS; ref++) {
        m->hash[ref] = (uint32_t)unit_random();
        assert_true(flowtab_insert(&t, m->hash[ref], ref));
        m->has[ref] = true;
        m->count++;
        if (ref % 97 == 0)
            check_against(&t, m);
    }
    assert_int_equal(t.cur.mask + 1, 8192);
    for (uint32_t ref = 1; ref <= REFS; ref++) {
        flowtab_remove(&t, m->hash[ref], ref);
        m->has[ref] = false;
        m->count--;
        if (ref % 97 == 0)
            check_against(&t, m);
    }
    assert_int_equal(flowtab_count(&t), 0);
    flowtab_destroy(&t);
    unit_mem_done(&mem);
    free(m);
}

/* Growing is spread out: no single call clears or moves more than a few slots. */
static void no_call_pays_for_all(void **state)
{
    (void)state;
    struct unit_mem mem;
    struct flowtab t;
    unit_mem_init(&mem);
    assert_true(flowtab_init(&t, &mem.mem, 1024));
    uint32_t growths = 0;
    for (uint32_t ref = 1; ref <= 20000; ref++) {
        uint32_t cleared = t.next.slots != NULL ? t.cleared : 0, in_old = t.old.used;
        bool had_old = t.old.slots != NULL;
        assert_true(flowtab_insert(&t, (uint32_t)unit_random(), ref));
        if (t.next.slots != NULL)
            assert_true(t.cleared - cleared <= 32);
        if (had_old)
            assert_true(in_old - t.old.used <= 8);
        growths += !had_old && t.old.slots != NULL;
        /* load: 3/4 at most where memory can be had */
        assert_true(flowtab_count(&t) <= (t.cur.mask + 1) / 4 * 3 + 1);
    }
    assert_int_equal(growths, 5);
    flowtab_destroy(&t);
    unit_mem_done(&mem);
}

/* Removals move slots over, too: nothing waits for an insertion that may never come. */
static void removals_alone_end_a_growth(void **state)
{
    (void)state;
    struct unit_mem mem;
    struct flowtab t;
    uint32_t ref = 0;
    unit_mem_init(&mem);
    assert_true(flowtab_init(&t, &mem.mem, 1024));
    while (t.old.slots == NULL) {
        ref++;
        assert_true(flowtab_insert(&t, ref * 2654435761u, ref));
    }
    uint32_t last = ref;
    for (; t.old.slots != NULL; ref--)
        flowtab_remove(&t, ref * 2654435761u, ref);
    assert_true(last - ref <= 1024 / 8);
    for (; ref != 0; ref--)
        assert_int_equal(find(&t, ref * 2654435761u, ref), ref);
    flowtab_destroy(&t);
    unit_mem_done(&mem);
}

/* While two tables are in use, everything is found in either, removed from and replaced in it. */
static void works_in_the_middle_of_a_growth(void **state)
{
    (void)state;
    for (uint32_t after = 0; after <= 16; after++) {
        struct unit_mem mem;
        struct flowtab t;
        uint32_t hash[1024], ref = 0;
        unit_mem_init(&mem);
        assert_true(flowtab_init(&t, &mem.mem, 256));
        while (t.old.slots == NULL) {
            hash[++ref] = unit_below(512);
            assert_true(flowtab_insert(&t, hash[ref], ref));
        }
        for (uint32_t i = 0; i < after; i++) {
            hash[++ref] = unit_below(512);
            assert_true(flowtab_insert(&t, hash[ref], ref));
        }
        check_invariant(&t);
        for (uint32_t r = 1; r <= ref; r++) {
            assert_int_equal(find(&t, hash[r], r), r);
            flowtab_replace(&t, hash[r], r, r + 5000);
            assert_int_equal(find(&t, hash[r], r), 0);
            assert_int_equal(find(&t, hash[r], r + 5000), r + 5000);
            flowtab_replace(&t, hash[r], r + 5000, r);
        }
        for (uint32_t r = 1; r <= ref; r++) {
            flowtab_remove(&t, hash[r], r);
            check_invariant(&t);
            for (uint32_t other = 1; other <= ref; other++)
                assert_int_equal(find(&t, hash[other], other), other > r ? other : 0);
        }
        assert_int_equal(flowtab_count(&t), 0);
        assert_null(t.old.slots);
        flowtab_destroy(&t);
        unit_mem_done(&mem);
    }
}

static void ends_in_the_middle_of_a_growth(void **state)
{
    (void)state;
    uint32_t with_next = 0, with_old = 0;
    for (uint32_t count = 0; count <= 600; count++) {
        struct unit_mem mem;
        struct flowtab t;
        unit_mem_init(&mem);
        assert_true(flowtab_init(&t, &mem.mem, 512));
        for (uint32_t ref = 1; ref <= count; ref++)
            assert_true(flowtab_insert(&t, (uint32_t)unit_random(), ref));
        with_next += t.next.slots != NULL;
        with_old += t.old.slots != NULL;
        flowtab_destroy(&t);
        unit_mem_done(&mem);
    }
    assert_true(with_next > 10 && with_old > 10);
}

static void without_memory_it_fills_to_seven_eighths(void **state)
{
    (void)state;
    for (uint32_t slots = 16; slots <= 1024; slots *= 2) {
        struct unit_mem mem;
        struct flowtab t;
        unit_mem_init(&mem);
        mem.fail_at = 2;
        mem.fail_on = true;
        assert_true(flowtab_init(&t, &mem.mem, slots));
        uint32_t limit = slots / 8 * 7;
        for (uint32_t ref = 1; ref <= limit; ref++)
            assert_true(flowtab_insert(&t, ref, ref));
        if (slots >= 64) /* asked for memory now and then, not each time */
            assert_in_range(mem.calls, 1 + 12, 1 + 13);
        for (uint32_t again = 0; again < 100; again++)
            assert_false(flowtab_insert(&t, 0, limit + 1));
        check_invariant(&t);
        assert_int_equal(find(&t, 0, limit + 1), 0);
        for (uint32_t ref = 1; ref <= limit; ref++)
            assert_int_equal(find(&t, ref, ref), ref);
        flowtab_remove(&t, 1, 1);
        assert_true(flowtab_insert(&t, 0, limit + 1));
        assert_false(flowtab_insert(&t, 0, limit + 2));
        mem.fail_on = false; /* memory comes back: so does growth */
        mem.fail_at = 0;
        for (uint32_t ref = limit + 2; ref <= 4 * limit; ref++) {
            assert_true(flowtab_insert(&t, ref, ref));
            check_invariant(&t);
        }
        assert_int_equal(flowtab_count(&t), 4 * limit - 1);
        flowtab_destroy(&t);
        unit_mem_done(&mem);
    }
}

static void each_failing_allocation_is_survived(void **state)
{
    (void)state;
    for (uint32_t nth = 1; nth <= 12; nth++) {
        struct unit_mem mem;
        struct flowtab t;
        unit_mem_init(&mem);
        mem.fail_at = nth;
        if (!flowtab_init(&t, &mem.mem, 16)) {
            assert_int_equal(nth, 1);
            unit_mem_done(&mem);
            continue;
        }
        /* one failure is never enough to refuse an insertion */
        for (uint32_t ref = 1; ref <= 3000; ref++)
            assert_true(flowtab_insert(&t, ref * 2654435761u, ref));
        for (uint32_t ref = 1; ref <= 3000; ref++)
            assert_int_equal(find(&t, ref * 2654435761u, ref), ref);
        flowtab_destroy(&t);
        unit_mem_done(&mem);
    }
}

static void asserts_misuse(void **state)
{
    (void)state;
    struct unit_mem mem;
    struct flowtab t;
    unit_mem_init(&mem);
    assert_true(flowtab_init(&t, &mem.mem, 16));
    assert_true(flowtab_insert(&t, 5, 1));
    expect_assert_failure(flowtab_insert(&t, 5, 0));
    expect_assert_failure(flowtab_insert(&t, 5, FLOW_TOMBSTONE));
    expect_assert_failure(flowtab_remove(&t, 5, 2));
    expect_assert_failure(flowtab_remove(&t, 6, 1));
    expect_assert_failure(flowtab_replace(&t, 5, 2, 3));
    expect_assert_failure(flowtab_replace(&t, 5, 1, 0));
    expect_assert_failure(flowtab_init(&t, &mem.mem, 24));
    flowtab_destroy(&t);
    unit_mem_done(&mem);
}

int main(void)
{
    unit_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_a_model),
        cmocka_unit_test(fills_and_empties),
        cmocka_unit_test(no_call_pays_for_all),
        cmocka_unit_test(removals_alone_end_a_growth),
        cmocka_unit_test(works_in_the_middle_of_a_growth),
        cmocka_unit_test(ends_in_the_middle_of_a_growth),
        cmocka_unit_test(without_memory_it_fills_to_seven_eighths),
        cmocka_unit_test(each_failing_allocation_is_survived),
        cmocka_unit_test(asserts_misuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
