/* flowtab.c - a hash table from flows to 32-bit references.
 *
 * The life of a growth, told in entries of a table of N slots:
 *   11/16 N   a table of 2N slots is allocated; each insertion clears 32 slots of it
 *   12/16 N   it is clear and becomes the table; the other is now the old one
 *   then      each insertion and each removal moves 8 slots over; after N/8 of them, when the new
 *             table is less than half full, the old one is freed
 * Memory that cannot be had is asked for again every N/64 insertions; at 14/16 N, where an
 * unsuccessful search already looks at 32 slots on average, insertions are refused.
 */
#include "base/flowtab.h"

enum { FLOW_CLEAR_STEP = 32, FLOW_MOVE_STEP = 8, FLOW_ALIGN = 64 };

static uint32_t flow_array_slots(const struct flow_array *a) { return a->mask + 1; }

static size_t flow_array_size(const struct flow_array *a)
{
    return (size_t)flow_array_slots(a) * sizeof(*a->slots);
}

static void flow_array_free(struct flowtab *t, struct flow_array *a)
{
    if (a->slots != NULL)
        mem_free(t->mem, a->slots, flow_array_size(a));
    memset(a, 0, sizeof(*a));
}

/* Puts a pair where there is room for it. */
static void flow_array_put(struct flow_array *a, uint32_t hash, uint32_t ref)
{
    uint32_t i = hash & a->mask;
    while (a->slots[i].ref != 0)
        i = (i + 1) & a->mask;
    a->slots[i] = (struct flow_slot){.hash = hash, .ref = ref};
    a->used++;
}

/* The slot of a pair; NULL when it is not in this array. */
static struct flow_slot *flow_array_slot(const struct flow_array *a, uint32_t hash, uint32_t ref)
{
    if (a->slots == NULL)
        return NULL;
    for (uint32_t i = hash & a->mask; a->slots[i].ref != 0; i = (i + 1) & a->mask) {
        if (a->slots[i].hash == hash && a->slots[i].ref == ref)
            return &a->slots[i];
    }
    return NULL;
}

/* Empties slot `hole` and closes the gap: each follower that may stand nearer to its home moves
 * into the hole and leaves one behind. */
static void flow_array_close(struct flow_array *a, uint32_t hole)
{
    for (uint32_t i = (hole + 1) & a->mask; a->slots[i].ref != 0; i = (i + 1) & a->mask) {
        uint32_t home = a->slots[i].hash & a->mask;
        if (((i - home) & a->mask) >= ((i - hole) & a->mask)) {
            a->slots[hole] = a->slots[i];
            hole = i;
        }
    }
    a->slots[hole] = (struct flow_slot){0};
    a->used--;
}

bool flowtab_init(struct flowtab *t, struct mem *mem, uint32_t slots)
{
    TERN_ASSERT(slots >= 16 && slots <= 1u << 31 && (slots & (slots - 1)) == 0);
    memset(t, 0, sizeof(*t));
    t->mem = mem;
    t->cur.mask = slots - 1;
    t->cur.slots = mem_alloc(mem, flow_array_size(&t->cur), FLOW_ALIGN);
    return t->cur.slots != NULL;
}

void flowtab_destroy(struct flowtab *t)
{
    flow_array_free(t, &t->cur);
    flow_array_free(t, &t->old);
    flow_array_free(t, &t->next);
}

/* Moves a few slots of the old table over. A tombstone stays behind, so that searches go on past
 * the slot. */
static void flow_move_some(struct flowtab *t)
{
    if (t->old.slots == NULL)
        return;
    uint32_t end = min_u32(flow_array_slots(&t->old), t->moved + FLOW_MOVE_STEP);
    for (; t->moved < end && t->old.used != 0; t->moved++) {
        struct flow_slot *slot = &t->old.slots[t->moved];
        if (slot->ref == 0 || slot->ref == FLOW_TOMBSTONE)
            continue;
        flow_array_put(&t->cur, slot->hash, slot->ref);
        slot->ref = FLOW_TOMBSTONE;
        t->old.used--;
    }
    if (t->old.used == 0)
        flow_array_free(t, &t->old);
}

/* Prepares the next table, by `step` slots, and takes it into use when it is ready. */
static void flow_prepare(struct flowtab *t, uint32_t step)
{
    uint32_t slots = flow_array_slots(&t->cur);
    if (t->next.slots == NULL) {
        uint32_t every = max_u32(slots / 64, 1);
        if (slots >= 1u << 31 || t->cur.used % every != 0)
            return;
        t->next.mask = 2 * slots - 1;
        t->next.slots = mem_alloc_raw(t->mem, flow_array_size(&t->next), FLOW_ALIGN);
        if (t->next.slots == NULL)
            return;
        t->cleared = 0;
    }
    uint32_t n = min_u32(step, 2 * slots - t->cleared);
    memset(t->next.slots + t->cleared, 0, n * sizeof(*t->next.slots));
    t->cleared += n;
    if (t->cleared < 2 * slots)
        return;
    t->old = t->cur;
    t->cur = t->next;
    t->moved = 0;
    memset(&t->next, 0, sizeof(t->next));
}

bool flowtab_insert(struct flowtab *t, uint32_t hash, uint32_t ref)
{
    TERN_ASSERT(ref != 0 && ref != FLOW_TOMBSTONE);
    uint32_t slots = flow_array_slots(&t->cur);
    if (t->old.slots != NULL)
        flow_move_some(t);
    else if (t->cur.used >= slots / 16 * 11)
        flow_prepare(t, FLOW_CLEAR_STEP);
    slots = flow_array_slots(&t->cur);
    if (flowtab_count(t) >= slots / 16 * 14) {
        /* memory came late, or not at all; clearing the rest in one go is better than refusing */
        if (t->next.slots == NULL)
            return false;
        flow_prepare(t, UINT32_MAX);
    }
    flow_array_put(&t->cur, hash, ref);
    return true;
}

void flowtab_remove(struct flowtab *t, uint32_t hash, uint32_t ref)
{
    struct flow_slot *slot = flow_array_slot(&t->cur, hash, ref);
    if (slot != NULL) {
        flow_array_close(&t->cur, (uint32_t)(slot - t->cur.slots));
    } else {
        slot = flow_array_slot(&t->old, hash, ref);
        TERN_ASSERT(slot != NULL);
        slot->ref = FLOW_TOMBSTONE;
        t->old.used--;
    }
    flow_move_some(t);
}

void flowtab_replace(struct flowtab *t, uint32_t hash, uint32_t ref, uint32_t by)
{
    TERN_ASSERT(by != 0 && by != FLOW_TOMBSTONE);
    struct flow_slot *slot = flow_array_slot(&t->cur, hash, ref);
    if (slot == NULL)
        slot = flow_array_slot(&t->old, hash, ref);
    TERN_ASSERT(slot != NULL);
    slot->ref = by;
}
