/* slab.h - fixed-size objects named by 32-bit indices.
 *
 * Objects live in blocks that are allocated when first needed and never move; an index is half a
 * pointer and can be checked. Index 0 is "none". A slab never holds more than its limit.
 *
 * A slab of kind SLAB_HANDLES keeps a generation in the first 4 bytes of each object: odd while it
 * is in use, even while it is free, raised by each allocation and each release. A handle that
 * remembers the odd value can thus be told stale by one comparison. Free slots of such a slab are
 * reused first-in first-out, so that a generation lasts as long as possible; those of the other
 * kind last-in first-out, because the last one is still in the cache.
 *
 * Invariant: used + free slots == fresh - 1; every index in 1..fresh-1 has its block.
 */
#ifndef TERN_BASE_SLAB_H
#define TERN_BASE_SLAB_H

#include "base/mem.h"
#include "base/util.h"

enum slab_kind { SLAB_PLAIN, SLAB_HANDLES };

struct slab {
    struct mem *mem;
    uint8_t **blocks;     /* block_count pointers, NULL until allocated */
    uint32_t object_size; /* bytes; a multiple of 4, at least 8 */
    uint32_t block_shift; /* log2 of objects in a block */
    uint32_t block_mask;  /* objects in a block, less one */
    uint32_t block_count;
    uint32_t limit; /* most objects in use */
    uint32_t used;
    uint32_t fresh; /* the lowest index that was never used */
    uint32_t free_head, free_tail;
    enum slab_kind kind;
};

/* false: no memory for the table of blocks. Blocks hold about 64 KiB. */
bool slab_init(struct slab *s, struct mem *mem, enum slab_kind kind, uint32_t object_size,
               uint32_t limit);
void slab_destroy(struct slab *s);

/* 0: at the limit, or out of memory. The object's bytes are zero but for its generation. */
uint32_t slab_alloc(struct slab *s);
/* SLAB_PLAIN: the same with whatever bytes are in the object, for who sets them all. */
uint32_t slab_alloc_raw(struct slab *s);
void slab_free(struct slab *s, uint32_t ix);

/* The object; the index must be one that was given out. */
static inline void *slab_at(const struct slab *s, uint32_t ix)
{
    TERN_ASSERT(ix != 0 && ix < s->fresh);
    return s->blocks[ix >> s->block_shift] + (size_t)(ix & s->block_mask) * s->object_size;
}

/* SLAB_HANDLES: whether `ix` is in use with that generation; any `ix` may be asked. */
static inline bool slab_is(const struct slab *s, uint32_t ix, uint32_t generation)
{
    if (ix == 0 || ix >= s->fresh || !(generation & 1))
        return false;
    return *(const uint32_t *)slab_at(s, ix) == generation;
}

/* SLAB_HANDLES: the first index >= `ix` that is in use, looking at `*budget` slots at most and
 * lowering it by those looked at; 0 when none was found. `*next` is where to go on (0: the end). */
uint32_t slab_scan(const struct slab *s, uint32_t ix, uint32_t *budget, uint32_t *next);

#endif
