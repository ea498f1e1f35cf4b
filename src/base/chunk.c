/* chunk.c - pages for payload, and the chunks that describe them.
 *
 * The first page of each block holds the block's own data: which of the other 63 are free, as a
 * stack of page numbers, so that taking and giving back a page never touches the page. Blocks that
 * have both used and free pages are in the list `avail`. A few blocks with no used page are kept as
 * `spares`; beyond these they go back to the caller.
 */
#include "base/chunk.h"
#include "base/poison.h"

struct page_block {
    struct page_block *next, *prev; /* in `avail`; next: in `spares`, too */
    uint32_t free_count;
    uint32_t number;               /* blocks made before it */
    uint8_t free[PAGES_PER_BLOCK]; /* numbers of free pages, 1..63; the top is free_count - 1 */
};

_Static_assert(sizeof(struct page_block) <= PAGE_SIZE, "a block's own data fits in one page");

static void avail_push(struct chunks *c, struct page_block *b)
{
    b->prev = NULL;
    b->next = c->avail;
    if (b->next != NULL)
        b->next->prev = b;
    c->avail = b;
}

static void avail_remove(struct chunks *c, struct page_block *b)
{
    if (b->next != NULL)
        b->next->prev = b->prev;
    if (b->prev != NULL)
        b->prev->next = b->next;
    else
        c->avail = b->next;
}

static struct page_block *block_new(struct chunks *c)
{
    struct page_block *b = mem_alloc_raw(c->mem, PAGE_BLOCK, PAGE_BLOCK);
    if (b == NULL)
        return NULL;
    memset(b, 0, sizeof(*b));
    b->free_count = PAGES_PER_BLOCK;
    b->number = c->blocks_made++;
    for (uint32_t i = 0; i < PAGES_PER_BLOCK; i++)
        b->free[i] = (uint8_t)(PAGES_PER_BLOCK - i); /* the lowest page on top */
    poison((uint8_t *)b + PAGE_SIZE, PAGE_BLOCK - PAGE_SIZE);
    c->blocks++;
    return b;
}

static void block_free(struct chunks *c, struct page_block *b)
{
    unpoison(b, PAGE_BLOCK);
    mem_free(c->mem, b, PAGE_BLOCK);
    c->blocks--;
}

static struct page_block *spare_pop(struct chunks *c)
{
    struct page_block *b = c->spares;
    c->spares = b->next;
    c->spare_count--;
    return b;
}

/* NULL: no memory or at the limit. */
static uint8_t *page_take(struct chunks *c)
{
    if (UNLIKELY(chunks_used(c) >= c->pages_max))
        return NULL;
    struct page_block *b = c->avail;
    if (UNLIKELY(b == NULL)) {
        b = c->spare_count != 0 ? spare_pop(c) : block_new(c);
        if (b == NULL)
            return NULL;
        avail_push(c, b);
    }
    b->free_count--;
    uint8_t *page = (uint8_t *)b + (size_t)b->free[b->free_count] * PAGE_SIZE;
    if (UNLIKELY(b->free_count == 0))
        avail_remove(c, b);
    c->pages++;
    unpoison(page, PAGE_SIZE);
    return page;
}

static struct page_block *block_of(uint8_t *page)
{
    return (void *)(page - ((uintptr_t)page & (PAGE_BLOCK - 1)));
}

static void page_give(struct chunks *c, uint8_t *page)
{
    struct page_block *b = block_of(page);
    poison(page, PAGE_SIZE);
    TERN_ASSERT(c->pages != 0 && b->free_count < PAGES_PER_BLOCK);
    c->pages--;
    b->free[b->free_count++] = (uint8_t)((page - (uint8_t *)b) / PAGE_SIZE);
    if (b != c->avail) { /* what was touched last is reused first */
        if (b->free_count > 1)
            avail_remove(c, b);
        avail_push(c, b);
    }
    if (LIKELY(b->free_count < PAGES_PER_BLOCK))
        return;
    avail_remove(c, b);
    if (c->spare_count == SPARE_BLOCKS) {
        block_free(c, b);
        return;
    }
    b->next = c->spares;
    c->spares = b;
    c->spare_count++;
}

void chunks_trim(struct chunks *c)
{
    if (c->spare_count != 0)
        block_free(c, spare_pop(c));
    pool_trim(&c->pool);
}

/* 0, 64, ..., 960: pages that follow each other differ, and blocks start differently. It must not
 * depend on where the caller's memory happens to lie: how much a page holds shows on the wire. */
static uint32_t page_colour(uint8_t *page)
{
    struct page_block *b = block_of(page);
    return (b->number + (uint32_t)(page - (uint8_t *)b) / PAGE_SIZE) % 16 * 64;
}

bool chunks_init(struct chunks *c, struct mem *mem, size_t bytes_max)
{
    memset(c, 0, sizeof(*c));
    c->mem = mem;
    c->pages_max = (uint32_t)min_size(bytes_max / PAGE_SIZE, CHUNKS_MAX / CHUNKS_PER_PAGE);
    if (c->pages_max == 0)
        c->pages_max = 1;
    pool_init(&c->pool, mem, sizeof(struct chunk), max_u32(c->pages_max * CHUNKS_PER_PAGE, 1024));
    return true;
}

void chunks_destroy(struct chunks *c)
{
    TERN_ASSERT(c->pool.used == 0 && c->pages == 0 && c->avail == NULL);
    while (c->spare_count != 0)
        block_free(c, spare_pop(c));
    pool_destroy(&c->pool);
}

struct chunk *chunk_new(struct chunks *c, uint32_t seq, size_t want)
{
    struct chunk *k = pool_take(&c->pool);
    if (UNLIKELY(k == NULL))
        return NULL;
    uint8_t *page = page_take(c);
    if (UNLIKELY(page == NULL)) {
        pool_give(&c->pool, k);
        return NULL;
    }
    uint32_t colour = page_colour(page);
    if (want > PAGE_SIZE - colour)
        colour = 0;
    *k = (struct chunk){
        .seq = seq,
        .data = page + colour,
        .cap = PAGE_SIZE - colour,
        .cookie = page, /* kept apart, as the owner of the chunk may move `data` on */
        .refs = 1,
        .kind = CHUNK_PAGE,
        .charge = PAGE_SIZE,
    };
    return k;
}

struct chunk *chunk_new_caller(struct chunks *c, uint32_t seq, const void *p, uint32_t len,
                               uint32_t charge, void *cookie)
{
    uint64_t used = (uint64_t)c->pages * PAGE_SIZE + c->charged;
    if (charge != 0 && used + charge > (uint64_t)c->pages_max * PAGE_SIZE)
        return NULL;
    struct chunk *k = pool_take(&c->pool);
    if (k == NULL)
        return NULL;
    *k = (struct chunk){
        .seq = seq,
        .data = (uint8_t *)(uintptr_t)p, /* never written through: kind says whose it is */
        .len = len,
        .cap = len,
        .cookie = cookie,
        .refs = 1,
        .kind = CHUNK_CALLER,
        .charge = charge,
    };
    c->callers++;
    c->charged += charge;
    return k;
}

void chunk_free(struct chunks *c, struct chunk *k)
{
    uint8_t kind = k->kind;
    void *cookie = k->cookie;
    uint32_t charge = k->charge;
    pool_give(&c->pool, k);
    if (LIKELY(kind == CHUNK_PAGE)) {
        page_give(c, cookie);
        return;
    }
    c->callers--;
    c->charged -= charge;
    if (c->release != NULL)
        c->release(c->release_user, &cookie, 1);
}
