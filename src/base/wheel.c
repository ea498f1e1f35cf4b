/* wheel.c - a hierarchical timing wheel.
 *
 * Let `away` be how many slots of level L lie between the slot of `now` and that of a tick. An
 * entry is put at the lowest level with away <= 63. At level 0 that includes the slot of `now`
 * itself; at the higher levels away is at least 1, because 64 slots of the level below make one.
 * So the slot under `now` at a level above 0 is always empty, except while `now` has just reached
 * it: then its entries are moved down before anything else happens. (Were 64 allowed too, an entry
 * one full turn ahead would be taken for one that is due.)
 */
#include "base/wheel.h"

static struct wheel_node *wheel_node_at(const struct wheel *w, uint32_t ix)
{
    return (void *)((uint8_t *)slab_at(w->slab, ix) + w->node_offset);
}

/* The index in head[] of level `level`'s slot for tick `t`. */
static uint32_t wheel_slot(uint32_t level, uint64_t t)
{
    return level * WHEEL_SLOTS + (uint32_t)(t >> 6 * level & (WHEEL_SLOTS - 1));
}

/* Inlined, as is wheel_unlink(): a call would cost as much as what it does. */
static inline void wheel_link(struct wheel *w, uint32_t ix, struct wheel_node *n, uint64_t expires)
{
    uint64_t now = w->now;
    uint32_t level = (uint32_t)(63 - __builtin_clzll((expires - now) | 1)) * 43 >> 8; /* / 6 */
    uint32_t shift = 6 * level;
    /* the part of a slot that `now` is into may push it to 64 slots away: one level up, then */
    if (UNLIKELY((expires >> shift) - (now >> shift) >= WHEEL_SLOTS))
        level++, shift += 6;
    uint32_t place = (uint32_t)(expires >> shift) % WHEEL_SLOTS;
    uint32_t slot = level * WHEEL_SLOTS + place;
    uint32_t last = w->tail[slot];

    w->tail[slot] = ix;
    w->map[level] |= (uint64_t)1 << place;
    n->next = WHEEL_EDGE | slot;
    n->expires = (uint32_t)expires;
    if (last != 0) {
        n->prev = last;
        wheel_node_at(w, last)->next = ix;
    } else {
        n->prev = WHEEL_EDGE | slot;
        w->head[slot] = ix;
    }
}

static inline void wheel_unlink(struct wheel *w, struct wheel_node *n)
{
    uint32_t next = n->next, prev = n->prev;
    if (!(prev & WHEEL_EDGE))
        wheel_node_at(w, prev)->next = next;
    else
        w->head[prev & ~WHEEL_EDGE] = next & WHEEL_EDGE ? 0 : next;
    if (!(next & WHEEL_EDGE)) {
        wheel_node_at(w, next)->prev = prev;
    } else {
        uint32_t slot = next & ~WHEEL_EDGE;
        bool empty = prev & WHEEL_EDGE;
        w->tail[slot] = empty ? 0 : prev;
        w->map[slot / WHEEL_SLOTS] ^= (uint64_t)empty << slot % WHEEL_SLOTS;
    }
}

void wheel_init(struct wheel *w, struct slab *slab, uint32_t node_offset, uint64_t now)
{
    TERN_ASSERT(node_offset % 4 == 0 &&
                node_offset + sizeof(struct wheel_node) <= slab->object_size);
    memset(w, 0, sizeof(*w));
    w->slab = slab;
    w->node_offset = node_offset;
    w->now = now;
}

void wheel_set(struct wheel *w, uint32_t ix, uint64_t expires, uint64_t now)
{
    struct wheel_node *n = wheel_node_at(w, ix);
    if (wheel_armed(n))
        wheel_unlink(w, n);
    else
        w->count++;
    if (w->count == 1 && now > w->now)
        w->now = now; /* nothing else is armed: no slot is passed over */
    if (expires < w->now)
        expires = w->now;
    else if (expires - w->now > INT32_MAX)
        expires = w->now + INT32_MAX;
    wheel_link(w, ix, n, expires);
}

void wheel_clear(struct wheel *w, uint32_t ix)
{
    struct wheel_node *n = wheel_node_at(w, ix);
    if (!wheel_armed(n))
        return;
    wheel_unlink(w, n);
    n->prev = 0;
    w->count--;
}

/* Moves the entries of the slots under `now` above level 0 down. false: `moves` ran out. */
static bool wheel_cascade(struct wheel *w, uint32_t moves)
{
    for (uint32_t level = WHEEL_LEVELS - 1; level != 0; level--) {
        uint32_t slot = wheel_slot(level, w->now);
        uint32_t ix;
        while ((ix = w->head[slot]) != 0) {
            if (moves == 0)
                return false;
            moves--;
            struct wheel_node *n = wheel_node_at(w, ix);
            wheel_unlink(w, n);
            wheel_link(w, ix, n, w->now + (uint32_t)(n->expires - (uint32_t)w->now));
        }
    }
    return true;
}

uint32_t wheel_expire(struct wheel *w, uint64_t now)
{
    uint64_t next;
    while ((next = wheel_next(w)) <= now) {
        w->now = next;
        if (!wheel_cascade(w, WHEEL_MOVES_MAX))
            return 0;
        uint32_t ix = w->head[wheel_slot(0, next)];
        if (ix != 0) {
            struct wheel_node *n = wheel_node_at(w, ix);
            wheel_unlink(w, n);
            n->prev = 0;
            w->count--;
            return ix;
        }
    }
    if (now > w->now)
        w->now = now;
    return 0;
}

/* The tick at which the first slot of level `level` begins that holds entries; the level has some.
 * A slot that has begun and is not yet moved down begins before `now`. */
static inline uint64_t wheel_begins(const struct wheel *w, uint32_t level)
{
    uint64_t at = w->now >> 6 * level, map = w->map[level];
    uint32_t turn = (uint32_t)at & (WHEEL_SLOTS - 1);
    map = map >> turn | map << (-turn & (WHEEL_SLOTS - 1));
    return (at + (uint32_t)__builtin_ctzll(map)) << 6 * level;
}

uint64_t wheel_next(const struct wheel *w)
{
    uint64_t best = UINT64_MAX;
    for (uint32_t level = 0; level < WHEEL_LEVELS; level++) {
        if (w->map[level] != 0)
            best = min_u64(best, max_u64(wheel_begins(w, level), w->now));
    }
    return best;
}

uint32_t wheel_first(const struct wheel *w)
{
    uint64_t best = UINT64_MAX;
    uint32_t ix = 0;
    for (uint32_t level = 0; level < WHEEL_LEVELS; level++) {
        if (w->map[level] == 0)
            continue;
        uint64_t begins = wheel_begins(w, level);
        if (begins < best) {
            best = begins;
            ix = w->head[wheel_slot(level, begins)];
        }
    }
    return ix;
}
