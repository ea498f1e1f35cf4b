/* mem.h - the caller's allocator, with a count of what is taken. */
#ifndef TERN_BASE_MEM_H
#define TERN_BASE_MEM_H

#include <stddef.h>

struct mem {
    void *(*alloc)(void *user, size_t size, size_t align);
    void (*free)(void *user, void *p, size_t size);
    void *user;
    size_t bytes, bytes_peak; /* taken now; the most ever */
};

/* NULL when the caller's allocator has none. The memory is zeroed. */
void *mem_alloc(struct mem *m, size_t size, size_t align);
/* The same with whatever bytes are in it: for memory that is written before it is read, and so
 * large that clearing it at once would be felt. */
void *mem_alloc_raw(struct mem *m, size_t size, size_t align);
/* `p` may be NULL. `size` is that of the allocation. */
void mem_free(struct mem *m, void *p, size_t size);

#endif
