/* unit.h - what the unit tests share: cmocka, failing assertions that can be expected, seeded
 * randomness, and an allocator that can be told to fail and checks what it gets back.
 *
 * For exactly one file of each test program: it defines tern_assert_failed(). */
#ifndef TERN_UNIT_H
#define TERN_UNIT_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

#include "base/mem.h"
#include "base/util.h"

/* An assertion of the code under test fails the test, unless expect_assert_failure() waits for
 * it. */
void tern_assert_failed(const char *what, const char *file, int line)
{
    mock_assert(0, what, file, line);
    abort();
}

/* ---- randomness ------------------------------------------------------------------------------ */

static uint64_t unit_random_state;

/* The seed of this run: TERN_SEED, or always the same. Called first in main(). */
static inline void unit_seed(void)
{
    const char *given = getenv("TERN_SEED");
    unit_random_state = given != NULL ? strtoull(given, NULL, 0) : 1;
    print_message("TERN_SEED=%llu repeats this run\n", (unsigned long long)unit_random_state);
}

/* splitmix64: any seed will do. */
static inline uint64_t unit_random(void)
{
    uint64_t z = unit_random_state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* One of 0..n-1. */
static inline uint32_t unit_below(uint32_t n) { return (uint32_t)(unit_random() % n); }

/* What an exhaustive loop steps by: 1, and more where a step costs many times as much and what is
 * computed has been judged without that: a third of `n` with sanitizers, `n` under valgrind. */
static inline unsigned unit_stride(unsigned n)
{
#ifdef __SANITIZE_ADDRESS__
    return (n + 2) / 3;
#else
    return getenv("TERN_VALGRIND") != NULL ? n : 1;
#endif
}

/* ---- memory ---------------------------------------------------------------------------------- */

enum { UNIT_MEM_MAX = 4096 };

struct unit_mem {
    struct mem mem;
    uint32_t calls;   /* allocations asked for so far */
    uint32_t fail_at; /* that one fails, counted from 1; 0: none */
    bool fail_on;     /* and all after it, too */
    uint32_t live;
    struct {
        void *p;
        size_t size;
    } at[UNIT_MEM_MAX];
};

static inline void *unit_alloc(void *user, size_t size, size_t align)
{
    struct unit_mem *m = user;
    m->calls++;
    if (m->fail_at != 0 && (m->calls == m->fail_at || (m->fail_on && m->calls > m->fail_at)))
        return NULL;
    void *p;
    assert_true(m->live < UNIT_MEM_MAX);
    assert_int_equal(posix_memalign(&p, align < sizeof(p) ? sizeof(p) : align, size), 0);
    memset(p, 0xa5, size); /* nobody may count on zeros */
    m->at[m->live].p = p;
    m->at[m->live].size = size;
    m->live++;
    return p;
}

static inline void unit_free(void *user, void *p, size_t size)
{
    struct unit_mem *m = user;
    for (uint32_t i = 0; i < m->live; i++) {
        if (m->at[i].p != p)
            continue;
        assert_int_equal(m->at[i].size, size);
        m->at[i] = m->at[--m->live];
        memset(p, 0x5a, size);
        free(p);
        return;
    }
    fail_msg("freed what was not allocated: %p", p);
}

static inline void unit_mem_init(struct unit_mem *m)
{
    memset(m, 0, sizeof(*m));
    m->mem.alloc = unit_alloc;
    m->mem.free = unit_free;
    m->mem.user = m;
}

/* Everything has been given back. */
static inline void unit_mem_done(const struct unit_mem *m)
{
    assert_int_equal(m->live, 0);
    assert_int_equal(m->mem.bytes, 0);
}

#endif
