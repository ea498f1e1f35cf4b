/* pool.c - the blocks of a pool; see pool.h. */
#include "base/pool.h"

void pool_init(struct pool *p, struct mem *mem, size_t object_size, uint32_t limit)
{
    TERN_ASSERT(object_size >= sizeof(void *) && object_size % 8 == 0 &&
                object_size <= POOL_BLOCK_MAX - POOL_HEADER);
    *p = (struct pool){.mem = mem, .object_size = (uint32_t)object_size, .limit = limit};
    uint64_t all = POOL_HEADER + (uint64_t)limit * object_size;
    p->block_bytes = POOL_BLOCK_MAX;
    while (p->block_bytes / 2 >= all)
        p->block_bytes /= 2;
}

static void unlink_block(struct pool *p, struct pool_block *b)
{
    if (b->next != NULL)
        b->next->prev = b->prev;
    if (b->prev != NULL)
        b->prev->next = b->next;
    else
        p->avail = b->next;
}

static void free_block(struct pool *p, struct pool_block *b)
{
    unpoison(b, p->block_bytes);
    mem_free(p->mem, b, p->block_bytes);
    p->blocks--;
}

/* Puts a block with room in front. The one that was in front may have been kept although empty. */
static void link_front(struct pool *p, struct pool_block *b)
{
    struct pool_block *was = p->avail;
    if (was != NULL && was->used == 0) {
        unlink_block(p, was);
        free_block(p, was);
    }
    b->prev = NULL;
    b->next = p->avail;
    if (b->next != NULL)
        b->next->prev = b;
    p->avail = b;
}

void pool_destroy(struct pool *p)
{
    TERN_ASSERT(p->used == 0);
    while (p->avail != NULL) {
        struct pool_block *b = p->avail;
        unlink_block(p, b);
        free_block(p, b);
    }
}

void pool_trim(struct pool *p)
{
    struct pool_block *b = p->avail;
    if (p->used != 0 || b == NULL)
        return;
    unlink_block(p, b);
    free_block(p, b);
}

static struct pool_block *add_block(struct pool *p)
{
    struct pool_block *b = mem_alloc_raw(p->mem, p->block_bytes, p->block_bytes);
    if (b == NULL)
        return NULL;
    *b = (struct pool_block){.fresh = POOL_HEADER};
    poison((uint8_t *)b + POOL_HEADER, p->block_bytes - POOL_HEADER);
    link_front(p, b);
    p->blocks++;
    return b;
}

void *pool_take_slow(struct pool *p)
{
    if (p->used == p->limit)
        return NULL;
    struct pool_block *b = p->avail;
    if (b == NULL)
        b = add_block(p);
    if (b == NULL)
        return NULL;
    TERN_ASSERT(b->free == NULL);
    void *object = (uint8_t *)b + b->fresh;
    b->fresh += p->object_size;
    unpoison(object, p->object_size);
    b->used++;
    p->used++;
    if (pool_block_full(p, b))
        unlink_block(p, b);
    return object;
}

/* A block became full, has room again, or became empty behind the first. */
void pool_block_changed(struct pool *p, struct pool_block *b, bool was_full)
{
    if (was_full)
        link_front(p, b);
    else if (pool_block_full(p, b))
        unlink_block(p, b);
    if (b->used == 0 && b != p->avail) {
        unlink_block(p, b);
        free_block(p, b);
    }
}
