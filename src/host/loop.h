/* loop.h - the event loop of a tern process: descriptors, signals, and hooks with deadlines.
 *
 * One thread, one epoll set. A turn is: sleep until something is ready or due; report ready
 * descriptors, at most LOOP_BATCH of them; let every hook work; ask every hook when it wants to
 * work next. A hook is anything that has time of its own, such as a stack: it must do bounded work
 * in a turn and answer a deadline of 0 when more is left.
 *
 * Times are absolute nanoseconds of CLOCK_MONOTONIC. Errors are negative errno values.
 */
#ifndef TERN_HOST_LOOP_H
#define TERN_HOST_LOOP_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

struct loop;

#define LOOP_NEVER UINT64_MAX

enum { LOOP_BATCH = 128 };

/* A descriptor being watched; part of its owner, who fills it and keeps it where it is. */
struct loop_fd {
    int fd;                                     /* the owner's, who closes it after loop_del() */
    void (*ready)(void *user, uint32_t events); /* EPOLL* bits */
    void *user;
};

/* Part of its owner as well. */
struct loop_hook {
    void (*work)(void *user, uint64_t now);
    uint64_t (*deadline)(void *user); /* when to work next; 0: at once; LOOP_NEVER */
    void *user;
    struct loop_hook *next; /* the loop's */
};

typedef void loop_signal_fn(void *user, const struct signalfd_siginfo *info);

int loop_new(struct loop **out);
void loop_free(struct loop *l);

/* Watches w->fd for `events`, EPOLLET included when wanted. */
int loop_add(struct loop *l, struct loop_fd *w, uint32_t events);
int loop_change(struct loop *l, struct loop_fd *w, uint32_t events);
/* Nothing is reported for `w` from now on, not even what is ready in this turn already. */
void loop_del(struct loop *l, struct loop_fd *w);

/* Hooks work in the order in which they were added. */
void loop_hook_add(struct loop *l, struct loop_hook *h);
void loop_hook_del(struct loop *l, struct loop_hook *h);

/* Blocks the signals of `set` for the process and reports them here instead; once in a loop's life.
 * loop_free() restores the mask. */
int loop_signals(struct loop *l, const sigset_t *set, loop_signal_fn *fn, void *user);
/* The signal mask from before loop_signals(), for children. */
const sigset_t *loop_sigmask(const struct loop *l);

/* One turn, which sleeps until `until` at most. */
int loop_turn(struct loop *l, uint64_t until);
/* The time at which this turn began. */
uint64_t loop_now(const struct loop *l);
/* The time right now. */
uint64_t loop_clock(void);

#endif
