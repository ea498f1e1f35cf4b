/* mem.c - the caller's allocator, counted. Every byte the stack holds passes through here, so that
 * the sum is exact and a test can refuse any one allocation. */
#include "base/mem.h"
#include "base/util.h"

void *mem_alloc_raw(struct mem *m, size_t size, size_t align)
{
    TERN_ASSERT(size != 0 && align != 0 && (align & (align - 1)) == 0);
    void *p = m->alloc(m->user, size, align);
    if (p == NULL)
        return NULL;
    TERN_ASSERT(((uintptr_t)p & (align - 1)) == 0);
    m->bytes += size;
    if (m->bytes > m->bytes_peak)
        m->bytes_peak = m->bytes;
    return p;
}

void *mem_alloc(struct mem *m, size_t size, size_t align)
{
    void *p = mem_alloc_raw(m, size, align);
    if (p != NULL)
        memset(p, 0, size);
    return p;
}

void mem_free(struct mem *m, void *p, size_t size)
{
    if (p == NULL)
        return;
    TERN_ASSERT(m->bytes >= size);
    m->bytes -= size;
    m->free(m->user, p, size);
}
