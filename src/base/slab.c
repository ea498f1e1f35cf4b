/* slab.c - fixed-size objects named by 32-bit indices.
 *
 * Free objects are linked by index through their own bytes: the first four, or the second four
 * where the first hold a generation. A slot that was never used is not linked; `fresh` passes over
 * them one by one, so a block's memory is touched only as far as it is used.
 *
 * A block holds a power of two of objects, so that an index splits into block and place by a shift.
 */
#include "base/slab.h"
#include "base/poison.h"

enum { SLAB_BLOCK_BYTES = 64 * 1024, SLAB_BLOCK_ALIGN = 64 };

static size_t slab_block_size(const struct slab *s)
{
    size_t bytes = (size_t)s->object_size << s->block_shift;
    size_t over = bytes % SLAB_BLOCK_ALIGN;
    return over == 0 ? bytes : bytes - over + SLAB_BLOCK_ALIGN; /* as aligned_alloc() wants it */
}

/* Bytes in front of what is cleared and poisoned: the generation outlives the object. */
static size_t slab_kept(const struct slab *s) { return s->kind == SLAB_HANDLES ? 4 : 0; }

static uint32_t slab_link(const struct slab *s, uint32_t ix)
{
    uint8_t *at = (uint8_t *)slab_at(s, ix) + slab_kept(s);
    uint32_t next;
    unpoison(at, sizeof(next));
    memcpy(&next, at, sizeof(next));
    return next;
}

static void slab_set_link(const struct slab *s, uint32_t ix, uint32_t next)
{
    uint8_t *at = (uint8_t *)slab_at(s, ix) + slab_kept(s);
    unpoison(at, sizeof(next));
    memcpy(at, &next, sizeof(next));
    poison(at, s->object_size - slab_kept(s));
}

bool slab_init(struct slab *s, struct mem *mem, enum slab_kind kind, uint32_t object_size,
               uint32_t limit)
{
    TERN_ASSERT(object_size >= 8 && object_size % 4 == 0);
    TERN_ASSERT(limit != 0 && limit < 1u << 31);
    memset(s, 0, sizeof(*s));
    s->mem = mem;
    s->kind = kind;
    s->object_size = object_size;
    s->limit = limit;
    s->fresh = 1;
    /* no larger than all objects need, so that a limit of 16 does not cost 64 KiB */
    while ((uint64_t)object_size << (s->block_shift + 1) <= SLAB_BLOCK_BYTES &&
           limit >> s->block_shift != 0)
        s->block_shift++;
    s->block_mask = (1u << s->block_shift) - 1;
    s->block_count = (limit >> s->block_shift) + 1;
    s->blocks = mem_alloc(mem, s->block_count * sizeof(*s->blocks), sizeof(*s->blocks));
    return s->blocks != NULL;
}

void slab_destroy(struct slab *s)
{
    if (s->blocks == NULL)
        return;
    for (uint32_t i = 0; i < s->block_count; i++) {
        if (s->blocks[i] == NULL)
            continue;
        unpoison(s->blocks[i], slab_block_size(s));
        mem_free(s->mem, s->blocks[i], slab_block_size(s));
    }
    mem_free(s->mem, s->blocks, s->block_count * sizeof(*s->blocks));
    memset(s, 0, sizeof(*s));
}

/* Takes a slot that was never used; 0: no memory for its block. */
static uint32_t slab_take_fresh(struct slab *s)
{
    uint32_t ix = s->fresh;
    uint8_t **block = &s->blocks[ix >> s->block_shift];
    if (*block == NULL) {
        *block = mem_alloc_raw(s->mem, slab_block_size(s), SLAB_BLOCK_ALIGN);
        if (*block == NULL)
            return 0;
        poison(*block, slab_block_size(s));
    }
    s->fresh++;
    if (s->kind == SLAB_HANDLES) {
        unpoison(slab_at(s, ix), 4);
        memset(slab_at(s, ix), 0, 4);
    }
    return ix;
}

/* A slot of bytes unknown; 0: at the limit or no memory. */
static inline uint32_t slab_take(struct slab *s)
{
    if (UNLIKELY(s->used == s->limit))
        return 0;
    uint32_t ix = s->free_head;
    if (LIKELY(ix != 0)) {
        s->free_head = slab_link(s, ix);
    } else {
        ix = slab_take_fresh(s);
        if (ix == 0)
            return 0;
    }
    s->used++;
    unpoison(slab_at(s, ix), s->object_size);
    return ix;
}

uint32_t slab_alloc_raw(struct slab *s)
{
    TERN_ASSERT(s->kind == SLAB_PLAIN);
    return slab_take(s);
}

uint32_t slab_alloc(struct slab *s)
{
    uint32_t ix = slab_take(s);
    if (UNLIKELY(ix == 0))
        return 0;
    uint8_t *object = slab_at(s, ix);
    if (s->kind == SLAB_HANDLES) {
        *(uint32_t *)(void *)object += 1;
        TERN_ASSERT(*(uint32_t *)(void *)object & 1);
        memset(object + 4, 0, s->object_size - 4);
    } else {
        memset(object, 0, s->object_size);
    }
    return ix;
}

void slab_free(struct slab *s, uint32_t ix)
{
    uint8_t *object = slab_at(s, ix);
    TERN_ASSERT(s->used != 0);
    s->used--;
    if (s->kind == SLAB_PLAIN) {
        slab_set_link(s, ix, s->free_head);
        s->free_head = ix;
        return;
    }
    TERN_ASSERT(*(uint32_t *)(void *)object & 1);
    *(uint32_t *)(void *)object += 1;
    slab_set_link(s, ix, 0);
    if (s->free_head == 0)
        s->free_head = ix;
    else
        slab_set_link(s, s->free_tail, ix);
    s->free_tail = ix;
}

uint32_t slab_scan(const struct slab *s, uint32_t ix, uint32_t *budget, uint32_t *next)
{
    TERN_ASSERT(s->kind == SLAB_HANDLES);
    if (ix == 0)
        ix = 1;
    uint32_t found = 0;
    while (ix < s->fresh && *budget != 0 && found == 0) {
        if (*(const uint32_t *)slab_at(s, ix) & 1)
            found = ix;
        ix++;
        *budget -= 1;
    }
    *next = ix < s->fresh ? ix : 0;
    return found;
}
