/* test_chunk.c - payload pages: limits, references, blocks taken and given back, colours, and the
 * caller's memory. */
#include "unit.h"

#include "base/chunk.h"

static size_t released;
static void *released_cookie;

static void on_release(void *user, void *const *cookies, size_t n)
{
    assert_ptr_equal(user, &released);
    assert_int_equal(n, 1);
    released++;
    released_cookie = cookies[0];
}

static uint8_t *page_of(const struct chunk *k)
{
    return (uint8_t *)((uintptr_t)k->data & ~(uintptr_t)(PAGE_SIZE - 1));
}

static void a_new_chunk_is_an_empty_page(void **state)
{
    (void)state;
    struct unit_mem m;
    struct chunks c;
    unit_mem_init(&m);
    assert_true(chunks_init(&c, &m.mem, 1 << 20));
    struct chunk *ix = chunk_new(&c, 0xfffffff0, 0);
    const struct chunk *k = ix;
    assert_int_equal(k->seq, 0xfffffff0);
    assert_null(k->next);
    assert_int_equal(k->len, 0);
    assert_int_equal(k->refs, 1);
    assert_int_equal(k->kind, CHUNK_PAGE);
    assert_int_equal(k->charge, PAGE_SIZE);
    assert_ptr_equal(k->data + k->cap, page_of(ix) + PAGE_SIZE);
    chunk_unref(&c, ix);
    chunks_destroy(&c);
    unit_mem_done(&m);
}

static void pages_are_apart_and_limited(void **state)
{
    (void)state;
    enum { PAGES = 300 };
    struct unit_mem m;
    struct chunks c;
    struct chunk *ix[PAGES];
    unit_mem_init(&m);
    assert_true(chunks_init(&c, &m.mem, PAGES * PAGE_SIZE + PAGE_SIZE - 1));
    for (uint32_t i = 0; i < PAGES; i++) {
        ix[i] = chunk_new(&c, i, i % PAGE_SIZE);
        assert_non_null(ix[i]);
        struct chunk *k = ix[i];
        assert_true(k->cap >= i % PAGE_SIZE);
        memset(k->data, (int)(i % 251), k->cap);
    }
    assert_null(chunk_new(&c, 0, 1));
    assert_int_equal(c.pages, PAGES);
    assert_int_equal(c.blocks, (PAGES + PAGES_PER_BLOCK - 1) / PAGES_PER_BLOCK);
    for (uint32_t i = 0; i < PAGES; i++) {
        const struct chunk *k = ix[i];
        for (uint32_t b = 0; b < k->cap; b++)
            assert_int_equal(k->data[b], i % 251);
    }
    for (uint32_t i = 0; i < PAGES; i++)
        chunk_unref(&c, ix[i]);
    assert_int_equal(c.pages, 0);
    assert_int_equal(c.blocks, c.spare_count);
    assert_true(c.spare_count != 0 && c.spare_count <= SPARE_BLOCKS);
    while (c.spare_count != 0)
        chunks_trim(&c);
    chunks_trim(&c); /* of nothing */
    assert_int_equal(c.blocks, 0);
    chunks_destroy(&c);
    unit_mem_done(&m);
}

static void goes_with_its_last_reference(void **state)
{
    (void)state;
    struct unit_mem m;
    struct chunks c;
    unit_mem_init(&m);
    assert_true(chunks_init(&c, &m.mem, 1 << 20));
    struct chunk *first = chunk_new(&c, 1, 0), *second = chunk_new(&c, 2, 0);
    first->next = second;
    chunk_ref(first);
    chunk_ref(first);
    chunk_unref(&c, first);
    chunk_unref(&c, first);
    assert_int_equal(c.pages, 2);
    assert_ptr_equal(first->next, second); /* stays while anything references it */
    chunk_unref(&c, first);
    assert_int_equal(c.pages, 1);
    second->refs = UINT16_MAX;
    expect_assert_failure(chunk_ref(second));
    second->refs = 1;
    chunk_unref(&c, second);
    chunks_destroy(&c);
    unit_mem_done(&m);
}

static void the_last_page_freed_is_the_first_reused(void **state)
{
    (void)state;
    struct unit_mem m;
    struct chunks c;
    struct chunk *ix[200];
    unit_mem_init(&m);
    assert_true(chunks_init(&c, &m.mem, 1 << 20));
    for (uint32_t i = 0; i < ARRAY_LEN(ix); i++)
        ix[i] = chunk_new(&c, 0, 0);
    /* from the middle of full blocks, and across blocks */
    const uint32_t order[] = {5, 100, 70, 6, 199, 64};
    uint8_t *pages[ARRAY_LEN(order)];
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        pages[i] = page_of(ix[order[i]]);
        chunk_unref(&c, ix[order[i]]);
        ix[order[i]] = chunk_new(&c, 0, 0);
        assert_ptr_equal(page_of(ix[order[i]]), pages[i]);
    }
    for (size_t i = 0; i < 3; i++)
        chunk_unref(&c, ix[order[i]]);
    for (size_t i = 3; i-- > 0;) {
        ix[order[i]] = chunk_new(&c, 0, 0);
        assert_true(page_of(ix[order[i]]) == pages[0] || page_of(ix[order[i]]) == pages[1] ||
                    page_of(ix[order[i]]) == pages[2]);
    }
    for (uint32_t i = 0; i < ARRAY_LEN(ix); i++)
        chunk_unref(&c, ix[i]);
    chunks_destroy(&c);
    unit_mem_done(&m);
}

static void data_may_move_on_within_the_page(void **state)
{
    (void)state;
    struct unit_mem m;
    struct chunks c;
    struct chunk *ix[PAGES_PER_BLOCK];
    unit_mem_init(&m);
    assert_true(chunks_init(&c, &m.mem, 1 << 20));
    for (uint32_t i = 0; i < PAGES_PER_BLOCK; i++)
        ix[i] = chunk_new(&c, 0, 0);
    for (uint32_t i = 0; i < PAGES_PER_BLOCK; i++) {
        struct chunk *k = ix[i];
        k->data += k->cap; /* all consumed: it points to where the next page, or block, begins */
        k->cap = 0;
        chunk_unref(&c, ix[i]);
    }
    assert_int_equal(c.pages, 0);
    chunks_destroy(&c);
    unit_mem_done(&m);
}

static void keeps_empty_blocks_for_the_next_swing(void **state)
{
    (void)state;
    struct unit_mem m;
    struct chunks c;
    struct chunk *ix[PAGES_PER_BLOCK + 1];
    unit_mem_init(&m);
    assert_true(chunks_init(&c, &m.mem, 1 << 24));
    for (uint32_t i = 0; i <= PAGES_PER_BLOCK; i++)
        ix[i] = chunk_new(&c, 0, 0);
    uint32_t calls = m.calls;
    for (uint32_t swing = 0; swing < 100; swing++) { /* around the edge of a block */
        chunk_unref(&c, ix[PAGES_PER_BLOCK]);
        ix[PAGES_PER_BLOCK] = chunk_new(&c, 0, 0);
    }
    assert_int_equal(m.calls, calls);
    for (uint32_t i = 0; i <= PAGES_PER_BLOCK; i++)
        chunk_unref(&c, ix[i]);
    assert_int_equal(c.blocks, 2);
    assert_int_equal(c.spare_count, 2);
    assert_null(c.avail);
    chunks_destroy(&c);
    unit_mem_done(&m);
}

static void keeps_no_more_than_a_few(void **state)
{
    (void)state;
    enum { BLOCKS = SPARE_BLOCKS + 5, PAGES = BLOCKS * PAGES_PER_BLOCK };
    static struct chunk *ix[PAGES];
    struct unit_mem m;
    struct chunks c;
    unit_mem_init(&m);
    assert_true(chunks_init(&c, &m.mem, 1 << 24));
    for (uint32_t i = 0; i < PAGES; i++)
        ix[i] = chunk_new(&c, 0, 0);
    assert_int_equal(c.blocks, BLOCKS);
    for (uint32_t i = 0; i < PAGES; i++) {
        chunk_unref(&c, ix[i]);
        uint32_t empty = (i + 1) / PAGES_PER_BLOCK;
        assert_int_equal(c.spare_count, min_u32(empty, SPARE_BLOCKS));
        assert_int_equal(c.blocks, BLOCKS - (empty - c.spare_count));
    }
    for (uint32_t left = SPARE_BLOCKS; left != 0; left--) {
        assert_int_equal(c.blocks, left);
        chunks_trim(&c);
    }
    assert_int_equal(c.blocks, 0);
    chunk_unref(&c, chunk_new(&c, 0, 0)); /* and it can begin again */
    chunks_destroy(&c);
    unit_mem_done(&m);
}

static void pages_start_at_different_offsets_where_there_is_room(void **state)
{
    (void)state;
    enum { PAGES = 126 };
    struct unit_mem m;
    struct chunks c;
    struct chunk *ix[PAGES];
    uint32_t seen[PAGE_SIZE / 64] = {0};
    unit_mem_init(&m);
    assert_true(chunks_init(&c, &m.mem, 1 << 20));
    for (uint32_t i = 0; i < PAGES; i++) {
        ix[i] = chunk_new(&c, 0, 1448);
        size_t offset = (size_t)(ix[i]->data - page_of(ix[i]));
        assert_int_equal(offset % 64, 0);
        assert_true(offset <= 960);
        seen[offset / 64]++;
    }
    for (uint32_t colour = 0; colour < 16; colour++)
        assert_in_range(seen[colour], PAGES / 16 / 2, PAGES / 16 * 2);
    for (uint32_t i = 0; i < PAGES; i++)
        chunk_unref(&c, ix[i]);
    for (size_t want = 3000; want <= 5000; want++) {
        struct chunk *one = chunk_new(&c, 0, want);
        assert_true(one->cap >= min_size(want, PAGE_SIZE));
        chunk_unref(&c, one);
    }
    chunks_destroy(&c);
    unit_mem_done(&m);
}

/* How much a page holds decides how much a segment holds: the same inputs, the same packets. */
static void what_a_page_holds_does_not_depend_on_where_it_lies(void **state)
{
    (void)state;
    enum { PAGES = 200 };
    struct unit_mem m;
    struct chunks c[2];
    struct chunk *k[2][PAGES];
    unit_mem_init(&m);
    assert_true(chunks_init(&c[0], &m.mem, 1 << 20) && chunks_init(&c[1], &m.mem, 1 << 20));
    for (uint32_t i = 0; i < PAGES; i++)
        k[0][i] = chunk_new(&c[0], 0, 0);
    for (uint32_t i = 0; i < PAGES; i++) {
        k[1][i] = chunk_new(&c[1], 0, 0);
        assert_int_equal(k[1][i]->cap, k[0][i]->cap);
    }
    for (uint32_t i = 0; i < 2 * PAGES; i++)
        chunk_unref(&c[i % 2], k[i % 2][i / 2]);
    chunks_destroy(&c[0]);
    chunks_destroy(&c[1]);
    unit_mem_done(&m);
}

static void the_callers_memory_is_released_once(void **state)
{
    (void)state;
    struct unit_mem m;
    struct chunks c;
    int cookie;
    unit_mem_init(&m);
    released = 0;
    released_cookie = NULL;
    assert_true(chunks_init(&c, &m.mem, 1 << 20));
    c.release = on_release;
    c.release_user = &released;
    struct chunk *ix = chunk_new_caller(&c, 77, "hello", 5, 2048, &cookie);
    const struct chunk *k = ix;
    assert_int_equal(k->kind, CHUNK_CALLER);
    assert_int_equal(k->seq, 77);
    assert_null(k->next);
    assert_int_equal(k->len, 5);
    assert_int_equal(k->cap, 5);
    assert_int_equal(k->charge, 2048);
    assert_memory_equal(k->data, "hello", 5);
    assert_int_equal(c.pages, 0);
    assert_int_equal(c.callers, 1);
    chunk_ref(ix);
    chunk_unref(&c, ix);
    assert_int_equal(released, 0);
    chunk_unref(&c, ix);
    assert_int_equal(released, 1);
    assert_ptr_equal(released_cookie, &cookie);
    assert_int_equal(c.callers, 0);
    c.release = NULL; /* nobody wants to know */
    chunk_unref(&c, chunk_new_caller(&c, 0, "x", 1, 1, NULL));
    assert_int_equal(released, 1);
    chunks_destroy(&c);
    unit_mem_done(&m);
}

static void chunks_of_callers_are_limited_too(void **state)
{
    (void)state;
    struct unit_mem m;
    struct chunks c;
    struct chunk *ix[1025];
    uint32_t n = 0;
    unit_mem_init(&m);
    assert_true(chunks_init(&c, &m.mem, 0)); /* too little for a page: one, all the same */
    assert_null(chunk_new_caller(&c, 0, "x", 1, 4097, NULL)); /* it costs more than there is */
    while (n <= 1024 && (ix[n] = chunk_new_caller(&c, 0, "x", 1, 1, NULL)) != NULL)
        n++;
    assert_int_equal(n, 1024);
    assert_null(chunk_new(&c, 0, 0));
    while (n != 0)
        chunk_unref(&c, ix[--n]);
    ix[0] = chunk_new(&c, 0, 0);
    assert_non_null(ix[0]);
    assert_null(chunk_new(&c, 0, 0));
    chunk_unref(&c, ix[0]);
    chunks_destroy(&c);
    unit_mem_done(&m);
}

static void each_failing_allocation_is_survived(void **state)
{
    (void)state;
    enum { PAGES = 1000 };
    for (uint32_t nth = 1;; nth++) {
        struct unit_mem m;
        struct chunks c;
        struct chunk *ix[PAGES];
        uint32_t failures = 0;
        unit_mem_init(&m);
        m.fail_at = nth;
        if (!chunks_init(&c, &m.mem, PAGES * PAGE_SIZE)) {
            unit_mem_done(&m);
            continue;
        }
        for (uint32_t i = 0; i < PAGES;) {
            ix[i] = chunk_new(&c, 0, 0);
            assert_int_equal(c.pool.used, c.pages); /* all or nothing */
            failures += ix[i] == NULL;
            i += ix[i] != NULL;
            assert_true(failures <= 1);
        }
        for (uint32_t i = 0; i < PAGES; i++)
            chunk_unref(&c, ix[i]);
        chunks_destroy(&c);
        unit_mem_done(&m);
        if (failures == 0)
            break;
    }
}

static void agrees_with_a_model(void **state)
{
    (void)state;
    enum { PAGES = 500 };
    struct unit_mem m;
    struct chunks c;
    struct chunk *ix[PAGES] = {0};
    uint32_t used = 0;
    unit_mem_init(&m);
    assert_true(chunks_init(&c, &m.mem, PAGES / 2 * PAGE_SIZE));
    for (uint32_t step = 0; step < 50000; step++) {
        uint32_t i = unit_below(1 + PAGES * (step % 5000) / 5000);
        if (ix[i] == NULL) {
            ix[i] = chunk_new(&c, i, unit_below(PAGE_SIZE + 1));
            assert_int_equal(ix[i] == NULL, used == PAGES / 2);
            if (ix[i] == NULL)
                continue;
            memcpy(ix[i]->data, &i, sizeof(i));
            used++;
        } else {
            assert_memory_equal(ix[i]->data, &i, sizeof(i));
            assert_int_equal(ix[i]->seq, i);
            chunk_unref(&c, ix[i]);
            ix[i] = NULL;
            used--;
        }
        assert_int_equal(c.pages, used);
    }
    for (uint32_t i = 0; i < PAGES; i++) {
        if (ix[i] != NULL)
            chunk_unref(&c, ix[i]);
    }
    assert_true(c.blocks <= SPARE_BLOCKS && c.blocks == c.spare_count);
    chunks_destroy(&c);
    unit_mem_done(&m);
}

static void destroying_what_is_in_use_asserts(void **state)
{
    (void)state;
    struct unit_mem m;
    struct chunks c;
    unit_mem_init(&m);
    assert_true(chunks_init(&c, &m.mem, 1 << 20));
    struct chunk *ix = chunk_new(&c, 0, 0);
    expect_assert_failure(chunks_destroy(&c));
    chunk_unref(&c, ix);
    chunks_destroy(&c);
    unit_mem_done(&m);
}

int main(void)
{
    unit_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_chunk_is_an_empty_page),
        cmocka_unit_test(pages_are_apart_and_limited),
        cmocka_unit_test(goes_with_its_last_reference),
        cmocka_unit_test(the_last_page_freed_is_the_first_reused),
        cmocka_unit_test(data_may_move_on_within_the_page),
        cmocka_unit_test(keeps_empty_blocks_for_the_next_swing),
        cmocka_unit_test(keeps_no_more_than_a_few),
        cmocka_unit_test(pages_start_at_different_offsets_where_there_is_room),
        cmocka_unit_test(what_a_page_holds_does_not_depend_on_where_it_lies),
        cmocka_unit_test(the_callers_memory_is_released_once),
        cmocka_unit_test(chunks_of_callers_are_limited_too),
        cmocka_unit_test(each_failing_allocation_is_survived),
        cmocka_unit_test(agrees_with_a_model),
        cmocka_unit_test(destroying_what_is_in_use_asserts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
