/* fuzz_chunk.c - chunks of pages and of the caller's memory made, referenced and let go, in any
 * order, with allocations that fail at times. Each page carries its owner's mark at both ends.
 *
 * Input: the limit in pages, then operations of 2 bytes.
 */
#include "fuzz_mem.h"

#include "base/chunk.h"

enum { N = 256 };

struct holder {
    struct chunk *ix;
    uint32_t refs;
    bool caller;
};

struct world {
    struct fuzz_mem mem;
    struct chunks chunks;
    struct holder at[N];
    uint8_t lent[N]; /* the caller's memory; its address is the cookie */
    uint32_t pages, callers, released;
};

static void on_release(void *user, void *const *cookies, size_t n)
{
    struct world *w = user;
    for (size_t i = 0; i < n; i++) {
        size_t which = (size_t)((uint8_t *)cookies[i] - w->lent);
        CHECK(which < N && w->at[which].caller && w->at[which].refs == 1);
        w->released++;
    }
}

static void make(struct world *w, uint32_t i, uint32_t want)
{
    struct holder *h = &w->at[i];
    h->caller = want == 255;
    if (h->caller)
        h->ix = chunk_new_caller(&w->chunks, i, &w->lent[i], 1, 1, &w->lent[i]);
    else
        h->ix = chunk_new(&w->chunks, i, want * 17);
    if (h->ix == NULL) {
        CHECK(w->mem.fail || chunks_used(&w->chunks) >= w->chunks.pages_max);
        return;
    }
    h->refs = 1;
    w->pages += !h->caller;
    w->callers += h->caller;
    struct chunk *k = h->ix;
    CHECK(k->refs == 1 && k->next == NULL && k->seq == i);
    if (!h->caller) {
        CHECK(k->len == 0 && k->cap >= min_u32(want * 17, PAGE_SIZE));
        k->data[0] = (uint8_t)i;
        k->data[k->cap - 1] = (uint8_t)i;
    }
}

static void let_go(struct world *w, uint32_t i)
{
    struct holder *h = &w->at[i];
    struct chunk *k = h->ix;
    CHECK(k->refs == h->refs && k->seq == i);
    if (!h->caller)
        CHECK(k->data[0] == (uint8_t)i && k->data[k->cap - 1] == (uint8_t)i);
    uint32_t released = w->released;
    chunk_unref(&w->chunks, h->ix);
    h->refs--;
    if (h->refs != 0)
        return;
    w->pages -= !h->caller;
    w->callers -= h->caller;
    CHECK(w->released == released + h->caller);
}

static void step(struct world *w, struct fuzz_input *in)
{
    uint8_t what = fuzz_u8(in);
    uint32_t i = fuzz_u8(in);
    if (what == 0)
        w->mem.fail = !w->mem.fail;
    else if (what == 1 && i < 64)
        chunks_trim(&w->chunks);
    else if (w->at[i].refs == 0)
        make(w, i, what);
    else if (what < 64)
        chunk_ref(w->at[i].ix), w->at[i].refs++;
    else
        let_go(w, i);
    CHECK(w->chunks.pages == w->pages && w->chunks.callers == w->callers);
    CHECK(w->chunks.blocks >= (w->pages + PAGES_PER_BLOCK - 1) / PAGES_PER_BLOCK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    static struct world w;
    memset(&w, 0, sizeof(w));
    fuzz_mem_init(&w.mem);
    CHECK(chunks_init(&w.chunks, &w.mem.mem, fuzz_u8(&in) * (size_t)PAGE_SIZE));
    w.chunks.release = on_release;
    w.chunks.release_user = &w;
    while (in.left != 0)
        step(&w, &in);
    for (uint32_t i = 0; i < N; i++) {
        while (w.at[i].refs != 0)
            let_go(&w, i);
    }
    CHECK(w.chunks.blocks == w.chunks.spare_count && w.chunks.blocks <= SPARE_BLOCKS);
    chunks_destroy(&w.chunks);
    fuzz_mem_done(&w.mem);
    return 0;
}
