/* chunk.h - payload memory: 4 KiB pages from one pool, and the chunks that describe them.
 *
 * A chunk is a run of stream bytes: a page of the pool, or memory of the caller's (lent for
 * sending, or donated with a received packet). Chunks form singly linked lists. A chunk is
 * referenced by the queue it is in and by every output packet that names it, and goes when the last
 * reference does: its page back to the pool, the caller's cookie to `release`.
 *
 * `next` of a chunk stays as it is while anything references it, so that an output packet can walk
 * the run of chunks it was built from even after the queue has let go of them.
 *
 * Pages come in aligned blocks of 256 KiB, so that a page finds its block by masking its address;
 * the pool gives empty blocks back, all but a few. The last page freed is the first reused: it is
 * in the cache. The first bytes of a fresh page are offset by a colour, because thousands of pages
 * that all start at the same offset fight for the same cache sets.
 */
#ifndef TERN_BASE_CHUNK_H
#define TERN_BASE_CHUNK_H

#include "base/pool.h"

enum {
    PAGE_SIZE = 4096,
    PAGE_BLOCK = 256 * 1024,
    PAGES_PER_BLOCK = PAGE_BLOCK / PAGE_SIZE - 1,
    SPARE_BLOCKS = 16,   /* empty ones kept, at most: a queue fills and drains with each window */
    CHUNKS_PER_PAGE = 4, /* chunks of either kind for each page of the limit; 1024 at least */
    CHUNKS_MAX = 1 << 30,
};

enum chunk_kind { CHUNK_PAGE = 1, CHUNK_CALLER = 2 };

struct chunk {
    struct chunk *next; /* in its queue; NULL: last */
    uint8_t *data;      /* first byte of the run (in a page: after the colour) */
    uint32_t seq;       /* stream position of data[0] */
    uint32_t len;       /* bytes in use from data[0] on */
    uint32_t cap;       /* bytes the run could hold from data[0] on */
    uint32_t charge;    /* bytes this costs: PAGE_SIZE, or the caller's buffer's true size */
    void *cookie;       /* CHUNK_CALLER: for release; CHUNK_PAGE: the page */
    uint16_t refs;
    uint8_t kind;
};

struct page_block; /* the first page of each block: its free list and count */

struct chunks {
    struct mem *mem;
    struct pool pool;          /* struct chunk */
    struct page_block *avail;  /* blocks with free and used pages, last touched first */
    struct page_block *spares; /* empty blocks kept, at most SPARE_BLOCKS */
    uint32_t spare_count;
    uint32_t pages, pages_max, blocks, blocks_made;
    uint32_t callers; /* chunks of the caller's memory, ... */
    size_t charged;   /* ... which cost so many bytes of the limit */
    void (*release)(void *user, void *const *cookies, size_t n);
    void *release_user;
};

/* `bytes_max` bounds the pages. `release` is for the caller to fill in. false: no memory. */
bool chunks_init(struct chunks *c, struct mem *mem, size_t bytes_max);
/* All chunks must have been released. */
void chunks_destroy(struct chunks *c);

/* A new chunk with an empty page, one reference, `next` NULL, seq as given. `want`: how many bytes
 * are about to be written; a colour offset is used only if it leaves room for them. NULL: no memory
 * or at the limit. */
struct chunk *chunk_new(struct chunks *c, uint32_t seq, size_t want);

/* Pages in use, with what the caller's memory is charged. */
static inline uint32_t chunks_used(const struct chunks *c)
{
    return c->pages + (uint32_t)(c->charged / PAGE_SIZE);
}

/* A new chunk over the caller's memory, full, with one reference. NULL: no memory or at the
 * limit. */
struct chunk *chunk_new_caller(struct chunks *c, uint32_t seq, const void *p, uint32_t len,
                               uint32_t charge, void *cookie);

static inline void chunk_ref(struct chunk *k)
{
    TERN_ASSERT(k->refs != 0 && k->refs != UINT16_MAX);
    k->refs++;
}

/* Gives one of the empty blocks back, if any is kept: to be called when something falls quiet. */
void chunks_trim(struct chunks *c);

/* The last reference is gone. */
void chunk_free(struct chunks *c, struct chunk *k);

/* Drops one reference. */
static inline void chunk_unref(struct chunks *c, struct chunk *k)
{
    TERN_ASSERT(k->refs != 0);
    if (--k->refs == 0)
        chunk_free(c, k);
}

#endif
