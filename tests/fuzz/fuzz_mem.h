/* fuzz_mem.h - an allocator that fails when the input says so, and knows what it has given. */
#ifndef TERN_FUZZ_MEM_H
#define TERN_FUZZ_MEM_H

#include "base/mem.h"
#include "fuzz.h"

struct fuzz_mem {
    struct mem mem;
    bool fail;
    size_t live;
};

static inline void *fuzz_alloc(void *user, size_t size, size_t align)
{
    struct fuzz_mem *m = user;
    void *p;
    if (m->fail)
        return NULL;
    CHECK(posix_memalign(&p, align < sizeof(p) ? sizeof(p) : align, size) == 0);
    memset(p, 0xa5, min_size(size, 1024)); /* nobody may count on zeros */
    m->live++;
    return p;
}

static inline void fuzz_free(void *user, void *p, size_t size)
{
    struct fuzz_mem *m = user;
    (void)size;
    m->live--;
    free(p);
}

static inline void fuzz_mem_init(struct fuzz_mem *m)
{
    memset(m, 0, sizeof(*m));
    m->mem.alloc = fuzz_alloc;
    m->mem.free = fuzz_free;
    m->mem.user = m;
}

static inline void fuzz_mem_done(const struct fuzz_mem *m)
{
    CHECK(m->live == 0);
    CHECK(m->mem.bytes == 0);
}

#endif
