/* addrs.c - local addresses, kept once each. */
#include "base/addrs.h"

struct addr_wanted {
    const struct addrs *addrs;
    const uint8_t *ip;
    uint32_t scope;
};

static bool addr_equal(const void *context, uint32_t ix)
{
    const struct addr_wanted *wanted = context;
    const struct addr_entry *e = addrs_at(wanted->addrs, ix);
    return e->scope == wanted->scope && memcmp(e->ip, wanted->ip, sizeof(e->ip)) == 0;
}

static uint32_t addr_hash(const struct addrs *a, const uint8_t ip[16], uint32_t scope)
{
    uint64_t words[3] = {load_le64(ip), load_le64(ip + 8), scope};
    return (uint32_t)siphash13_words(&a->key, words, ARRAY_LEN(words));
}

bool addrs_init(struct addrs *a, struct mem *mem, const struct siphash_key *key, uint32_t limit)
{
    a->key = *key;
    if (!slab_init(&a->slab, mem, SLAB_PLAIN, sizeof(struct addr_entry), limit))
        return false;
    if (!flowtab_init(&a->table, mem, 16)) {
        slab_destroy(&a->slab);
        return false;
    }
    return true;
}

void addrs_destroy(struct addrs *a)
{
    flowtab_destroy(&a->table);
    slab_destroy(&a->slab);
}

static uint32_t addr_lookup(const struct addrs *a, uint32_t hash, const uint8_t ip[16],
                            uint32_t scope)
{
    struct addr_wanted wanted = {.addrs = a, .ip = ip, .scope = scope};
    return flowtab_find(&a->table, hash, addr_equal, &wanted);
}

uint32_t addrs_find(const struct addrs *a, const uint8_t ip[16], uint32_t scope)
{
    return addr_lookup(a, addr_hash(a, ip, scope), ip, scope);
}

uint32_t addrs_get(struct addrs *a, const uint8_t ip[16], uint32_t scope)
{
    uint32_t hash = addr_hash(a, ip, scope);
    uint32_t ix = addr_lookup(a, hash, ip, scope);
    if (ix != 0) {
        addrs_ref(a, ix);
        return ix;
    }
    ix = slab_alloc(&a->slab);
    if (ix == 0)
        return 0;
    if (!flowtab_insert(&a->table, hash, ix)) {
        slab_free(&a->slab, ix);
        return 0;
    }
    struct addr_entry *e = slab_at(&a->slab, ix);
    memcpy(e->ip, ip, sizeof(e->ip));
    e->scope = scope;
    e->hash = hash;
    e->refs = 1;
    e->gone = false;
    return ix;
}

void addrs_ref(struct addrs *a, uint32_t ix)
{
    struct addr_entry *e = slab_at(&a->slab, ix);
    TERN_ASSERT(e->refs != 0 && e->refs != UINT32_MAX);
    e->refs++;
}

void addrs_unref(struct addrs *a, uint32_t ix)
{
    struct addr_entry *e = slab_at(&a->slab, ix);
    TERN_ASSERT(e->refs != 0);
    if (--e->refs != 0)
        return;
    flowtab_remove(&a->table, e->hash, ix);
    slab_free(&a->slab, ix);
}
