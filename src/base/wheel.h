/* wheel.h - a hierarchical timing wheel over the objects of a slab.
 *
 * One entry an object, embedded at a fixed offset. Time is counted in ticks (below 2^63); entries
 * hold the low 32 bits of theirs. Six levels of 64 slots cover all 32 bits: level L has slots of
 * 64^L ticks. An entry sits at the level at which it is at least one slot away and moves down
 * (cascades) when its slot begins, at most five times. One 64-bit map a level says which slots hold
 * entries, so the next slot to visit is found by six bit scans, however many entries there are.
 * Entries of one slot stand in the order in which they were put there.
 *
 * Nothing fires early: an entry fires in the first wheel_expire() at or after its tick. Who moves a
 * deadline later need not touch the wheel: let the entry fire, look at the real deadline, set
 * again. A deadline more than 2^31-1 ticks away is set that far, and fires early in this sense.
 *
 * Invariant: no entry's slot begins before `now`, except in level 0's slot of `now` itself.
 */
#ifndef TERN_BASE_WHEEL_H
#define TERN_BASE_WHEEL_H

#include "base/slab.h"

enum {
    WHEEL_LEVELS = 6,
    WHEEL_SLOTS = 64,
    WHEEL_MOVES_MAX = 4096, /* entries moved down by one wheel_expire(), at most */
};

#define WHEEL_EDGE 0x80000000u /* in wheel_node: not an index but the slot */

struct wheel_node {
    uint32_t next;    /* index of the next entry in the slot; of the last one: WHEEL_EDGE | slot */
    uint32_t prev;    /* index of the previous one; of the first: WHEEL_EDGE | slot; 0: not armed */
    uint32_t expires; /* tick, low 32 bits */
};

struct wheel {
    struct slab *slab;
    uint32_t node_offset;
    uint32_t count; /* armed entries */
    uint64_t now;   /* the last tick that wheel_expire() went to */
    uint64_t map[WHEEL_LEVELS];
    uint32_t head[WHEEL_LEVELS * WHEEL_SLOTS], tail[WHEEL_LEVELS * WHEEL_SLOTS]; /* 0: empty */
};

void wheel_init(struct wheel *w, struct slab *slab, uint32_t node_offset, uint64_t now);

static inline bool wheel_armed(const struct wheel_node *n) { return n->prev != 0; }

/* Arms entry `ix` for tick `expires`, or moves it there; a tick in the past means now. `now` is the
 * present tick: an empty wheel jumps to it. */
void wheel_set(struct wheel *w, uint32_t ix, uint64_t expires, uint64_t now);

/* Disarms entry `ix` if it is armed. */
void wheel_clear(struct wheel *w, uint32_t ix);

/* Takes out one entry whose tick is <= now and returns it, disarmed; earlier ticks come first. 0
 * when there is none, or when moving entries down took all the work that one call may do: then
 * wheel_next() is still <= now. */
uint32_t wheel_expire(struct wheel *w, uint64_t now);

/* The first entry of the slot that comes next, still armed; 0 when the wheel is empty. When all
 * entries are set equally far ahead it is the oldest: for who must give one up. O(1). */
uint32_t wheel_first(const struct wheel *w);

/* No entry is due before this tick, and calling wheel_expire() at it makes progress; UINT64_MAX
 * when empty. O(1). */
uint64_t wheel_next(const struct wheel *w);

#endif
