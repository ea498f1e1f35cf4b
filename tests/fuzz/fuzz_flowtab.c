/* fuzz_flowtab.c - insertions, removals and replacements, beside a plain array, with allocations
 * that fail at times.
 *
 * Input: how many bits of the hash count, then operations of 3 bytes.
 */
#include "fuzz_mem.h"

#include "base/flowtab.h"

enum { REFS = 500 };

struct world {
    struct fuzz_mem mem;
    struct flowtab table;
    uint32_t hash_mask, count;
    bool has[REFS + 1];
};

static bool is_ref(const void *context, uint32_t ref) { return ref == *(const uint32_t *)context; }

static uint32_t hash_of(const struct world *w, uint32_t ref)
{
    return ref * 2654435761u & w->hash_mask;
}

static uint32_t find(const struct world *w, uint32_t ref)
{
    return flowtab_find(&w->table, hash_of(w, ref), is_ref, &ref);
}

static void toggle(struct world *w, uint32_t ref)
{
    if (w->has[ref]) {
        flowtab_remove(&w->table, hash_of(w, ref), ref);
        w->has[ref] = false;
        w->count--;
    } else if (flowtab_insert(&w->table, hash_of(w, ref), ref)) {
        w->has[ref] = true;
        w->count++;
    } else {
        CHECK(w->mem.fail);
        CHECK(w->count >= (w->table.cur.mask + 1) / 8 * 7);
    }
    CHECK(find(w, ref) == (w->has[ref] ? ref : 0));
    CHECK(flowtab_count(&w->table) == w->count);
}

static void check_all(const struct world *w)
{
    for (uint32_t ref = 1; ref <= REFS; ref++)
        CHECK(find(w, ref) == (w->has[ref] ? ref : 0));
}

static void step(struct world *w, struct fuzz_input *in)
{
    uint8_t what = fuzz_u8(in);
    uint32_t ref = 1 + fuzz_u16(in) % REFS;
    if (what < 8) {
        w->mem.fail = what & 1;
    } else if (what < 16) {
        check_all(w);
    } else if (what < 32 && w->has[ref]) {
        flowtab_replace(&w->table, hash_of(w, ref), ref, REFS + 1);
        CHECK(find(w, ref) == 0);
        flowtab_replace(&w->table, hash_of(w, ref), REFS + 1, ref);
    } else if (what < 64) {
        for (uint32_t i = 0; i < what; i++) /* many at once, so that tables grow */
            toggle(w, 1 + (ref + i) % REFS);
    } else {
        toggle(w, ref);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    static struct world w;
    memset(&w, 0, sizeof(w));
    fuzz_mem_init(&w.mem);
    w.hash_mask = UINT32_MAX << fuzz_u8(&in) % 28;
    if (fuzz_u8(&in) & 1)
        w.hash_mask >>= 20;
    CHECK(flowtab_init(&w.table, &w.mem.mem, 16));
    while (in.left != 0)
        step(&w, &in);
    check_all(&w);
    flowtab_destroy(&w.table);
    fuzz_mem_done(&w.mem);
    return 0;
}
