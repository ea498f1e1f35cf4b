/* fiber.c - by swapcontext(3), on a stack of its own with a guard page below. */
#include "drill/fiber.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif
#if SANITIZED
#include <sanitizer/common_interface_defs.h>
#endif

enum { STACK = 256 << 10, GUARD = 4096 };

struct drill_fiber {
    ucontext_t main, own;
    void (*run)(void *user);
    void *user;
    void *stack;
    bool busy;
    const void *main_stack; /* for the sanitizer */
    size_t main_size;
    void *fake;
};

/* AddressSanitizer must know which stack is in use. */
static void leaves(void **fake, const void *stack, size_t size)
{
#if SANITIZED
    __sanitizer_start_switch_fiber(fake, stack, size);
#else
    (void)fake, (void)stack, (void)size;
#endif
}

static void arrives(void *fake, const void **stack, size_t *size)
{
#if SANITIZED
    __sanitizer_finish_switch_fiber(fake, stack, size);
#else
    (void)fake, (void)stack, (void)size;
#endif
}

struct drill_fiber *drill_fiber_new(void)
{
    struct drill_fiber *f = calloc(1, sizeof(*f));
    if (!f)
        return NULL;
    f->stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (f->stack == MAP_FAILED) {
        free(f);
        return NULL;
    }
    mprotect(f->stack, GUARD, PROT_NONE);
    return f;
}

void drill_fiber_free(struct drill_fiber *f)
{
    munmap(f->stack, STACK);
    free(f);
}

/* makecontext() passes integers only. */
static void entry(unsigned high, unsigned low)
{
    struct drill_fiber *f = (struct drill_fiber *)(((uintptr_t)high << 32) | low);
    arrives(NULL, &f->main_stack, &f->main_size);
    f->run(f->user);
    f->busy = false;
    leaves(NULL, f->main_stack, f->main_size);
    setcontext(&f->main);
}

static bool enter(struct drill_fiber *f)
{
    void *fake = NULL;
    leaves(&fake, f->stack, STACK);
    swapcontext(&f->main, &f->own);
    arrives(fake, NULL, NULL);
    return !f->busy;
}

bool drill_fiber_start(struct drill_fiber *f, void (*run)(void *user), void *user)
{
    uintptr_t self = (uintptr_t)f;
    f->run = run;
    f->user = user;
    f->busy = true;
    getcontext(&f->own);
    f->own.uc_stack.ss_sp = f->stack;
    f->own.uc_stack.ss_size = STACK;
    f->own.uc_link = NULL;
    makecontext(&f->own, (void (*)(void))entry, 2, (unsigned)(self >> 32), (unsigned)self);
    return enter(f);
}

bool drill_fiber_resume(struct drill_fiber *f) { return enter(f); }
bool drill_fiber_busy(const struct drill_fiber *f) { return f->busy; }

void drill_fiber_wait(struct drill_fiber *f)
{
    leaves(&f->fake, f->main_stack, f->main_size);
    swapcontext(&f->own, &f->main);
    arrives(f->fake, &f->main_stack, &f->main_size);
}
