/* pool.h - fixed-size objects named by their addresses: what lives while something is in motion
 * (segments in flight, chunks, packets being sent), made and freed at every packet.
 *
 * Objects live in aligned blocks of 64 KiB (less when the limit needs less), so that an object
 * finds its block by masking its address; blocks that have become empty go back to the caller,
 * but for the one in use. Inside a block the last object freed is the first reused, because it is
 * still in the cache. A pool never holds more than its limit.
 *
 * Invariant: `used` is the sum of the blocks' `used`; a block is in the list `avail` if and only if
 * it has room.
 */
#ifndef TERN_BASE_POOL_H
#define TERN_BASE_POOL_H

#include "base/mem.h"
#include "base/poison.h"
#include "base/util.h"

enum { POOL_BLOCK_MAX = 64 * 1024, POOL_HEADER = 64 };

struct pool_block {
    struct pool_block *next, *prev; /* in `avail` */
    void *free;                     /* a list through the objects' first bytes */
    uint32_t fresh;                 /* offset of the first object that was never used */
    uint32_t used;
};
_Static_assert(sizeof(struct pool_block) <= POOL_HEADER, "the header fits before the objects");

struct pool {
    struct mem *mem;
    struct pool_block *avail;
    uint32_t object_size; /* a multiple of 8 */
    uint32_t block_bytes; /* a power of two */
    uint32_t limit, used, blocks;
};

void pool_init(struct pool *p, struct mem *mem, size_t object_size, uint32_t limit);
/* All objects must have been given back. */
void pool_destroy(struct pool *p);

/* Gives the last block back when nothing is in it: to be called when something falls quiet. */
void pool_trim(struct pool *p);

/* The slow halves of the two below. */
void *pool_take_slow(struct pool *p);
void pool_block_changed(struct pool *p, struct pool_block *b, bool was_full);

static inline bool pool_block_full(const struct pool *p, const struct pool_block *b)
{
    return b->free == NULL && p->block_bytes - b->fresh < p->object_size;
}

/* An object of unknown bytes; NULL: at the limit, or out of memory. */
static inline void *pool_take(struct pool *p)
{
    /* A block with unused bytes is behind all others (they come to the front when one of their
     * objects is given back), so that objects are made only when none is free: no more than the
     * limit, and a free one says that the limit is not reached. */
    struct pool_block *b = p->avail;
    if (UNLIKELY(b == NULL || b->free == NULL))
        return pool_take_slow(p);
    void *object = b->free;
    unpoison(object, p->object_size);
    memcpy(&b->free, object, sizeof(b->free));
    b->used++;
    p->used++;
    if (UNLIKELY(b->free == NULL && pool_block_full(p, b)))
        pool_block_changed(p, b, false);
    return object;
}

static inline void pool_give(struct pool *p, void *object)
{
    struct pool_block *b =
        (void *)((uint8_t *)object - ((uintptr_t)object & (p->block_bytes - 1u)));
    TERN_ASSERT(b->used != 0);
    bool was_full = b->free == NULL && pool_block_full(p, b);
    memcpy(object, &b->free, sizeof(b->free));
    b->free = object;
    b->used--;
    p->used--;
    poison(object, p->object_size);
    if (UNLIKELY(was_full || (b->used == 0 && b != p->avail)))
        pool_block_changed(p, b, was_full);
}

#endif
