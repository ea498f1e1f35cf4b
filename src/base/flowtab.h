/* flowtab.h - a hash table from flows to 32-bit references, with open addressing.
 *
 * A slot is 8 bytes: 32 bits of a keyed hash and the reference; the tuple itself stays in the
 * object. Linear probing; the load stays below 3/4, and below 7/8 when memory is short. Growing
 * goes step by step: a table of twice the size is cleared bit by bit ahead of time, then takes all
 * insertions while every insertion and removal moves a few slots over, so no single call pays for
 * the whole. Removal closes the gap by shifting back (in the new table) or leaves a tombstone (in
 * the old one, which only shrinks).
 *
 * The hash must be keyed with a secret (siphash.h): an open table's worst case is a chain.
 */
#ifndef TERN_BASE_FLOWTAB_H
#define TERN_BASE_FLOWTAB_H

#include "base/mem.h"
#include "base/util.h"

struct flow_slot {
    uint32_t hash, ref; /* ref 0: empty */
};

#define FLOW_TOMBSTONE UINT32_MAX

struct flow_array {
    struct flow_slot *slots;
    uint32_t mask; /* slots - 1 */
    uint32_t used; /* without tombstones */
};

struct flowtab {
    struct mem *mem;
    struct flow_array cur;  /* takes insertions */
    struct flow_array old;  /* slots NULL when no growth is under way */
    struct flow_array next; /* being cleared, to become `cur`; slots NULL when there is none */
    uint32_t moved;         /* the old slots below this have been moved */
    uint32_t cleared;       /* the next slots below this are clear */
};

/* `slots`: initial size, a power of two >= 16. false: no memory. */
bool flowtab_init(struct flowtab *t, struct mem *mem, uint32_t slots);
void flowtab_destroy(struct flowtab *t);

/* Adds `ref` (neither 0 nor FLOW_TOMBSTONE) under `hash`. false: 7/8 full, and no memory for
 * more. */
bool flowtab_insert(struct flowtab *t, uint32_t hash, uint32_t ref);
/* Removes exactly that pair; it must be there. */
void flowtab_remove(struct flowtab *t, uint32_t hash, uint32_t ref);
/* Replaces the reference of a pair that must be there. */
void flowtab_replace(struct flowtab *t, uint32_t hash, uint32_t ref, uint32_t by);

static inline uint32_t flowtab_count(const struct flowtab *t) { return t->cur.used + t->old.used; }

static inline void flowtab_prefetch(const struct flowtab *t, uint32_t hash)
{
    __builtin_prefetch(&t->cur.slots[hash & t->cur.mask]);
}

/* Whether the object behind `ref` is the one looked for. */
typedef bool (*flow_equal_fn)(const void *context, uint32_t ref);

static inline uint32_t flow_array_find(const struct flow_array *a, uint32_t hash,
                                       flow_equal_fn equal, const void *context)
{
    for (uint32_t i = hash & a->mask; a->slots[i].ref != 0; i = (i + 1) & a->mask) {
        const struct flow_slot *slot = &a->slots[i];
        if (slot->hash == hash && slot->ref != FLOW_TOMBSTONE && equal(context, slot->ref))
            return slot->ref;
    }
    return 0;
}

/* The reference for which `equal` says yes; 0 when there is none. */
static inline uint32_t flowtab_find(const struct flowtab *t, uint32_t hash, flow_equal_fn equal,
                                    const void *context)
{
    uint32_t ref = flow_array_find(&t->cur, hash, equal, context);
    if (UNLIKELY(ref == 0 && t->old.slots != NULL))
        ref = flow_array_find(&t->old, hash, equal, context);
    return ref;
}

#endif
