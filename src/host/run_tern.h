/* run_tern.h - a stack as the program runner's network (run_net.h).
 *
 * Drive it from a loop hook, after the stack's input and timers and before its output:
 *
 *     while ((n = tern_events(stack, ev, N)) > 0)
 *         run_tern_events(rt, ev, n);
 *     run_tern_work(rt);
 *
 * and sleep no longer than run_tern_deadline() says. The stack must have no other sockets.
 */
#ifndef TERN_HOST_RUN_TERN_H
#define TERN_HOST_RUN_TERN_H

#include "host/loop.h"
#include "host/run_net.h"
#include "tern/tern.h"

#include <stdbool.h>
#include <stddef.h>

struct run_tern;

enum run_tern_bind {
    RUN_BIND_NO,    /* EADDRNOTAVAIL */
    RUN_BIND_AS_IS, /* it is the stack's */
    RUN_BIND_ANY,   /* not the stack's, but who binds it gets what comes to its port (loopback) */
};

struct run_tern_config {
    struct loop *loop;
    tern *stack;
    const struct run_net_events *events; /* &run_events, of run.h */
    tern_limits limits;                  /* of each source, at a listener */
    uint32_t backlog_max;                /* the most a listener gets; 0: what it asks for */
    /* May programs bind this address (not a wildcard)? */
    enum run_tern_bind (*bindable)(void *user, const tern_addr *local);
    void *bindable_user;
};

extern const struct run_net_ops run_tern_ops;

/* 0 or -ENOMEM. `*out` is the runner's net_user. */
int run_tern_new(struct run_tern **out, const struct run_tern_config *cfg);
/* After run_free(). Connections still in the stack stay there. */
void run_tern_free(struct run_tern *rt);

void run_tern_events(struct run_tern *rt, const tern_event *ev, size_t n);
void run_tern_work(struct run_tern *rt);
uint64_t run_tern_deadline(const struct run_tern *rt);

/* Connections that have data or a FIN to deliver yet. Looks at all: for the end of a run. */
size_t run_tern_busy(const struct run_tern *rt);

/* What is known here of a socket that the stack lists: `user` is tern_entry.user. */
struct run_tern_view {
    const void *user; /* the runner's, for run_owner_of_*(); NULL: no program's */
    bool listener;    /* it is a listener's; of a connection: that waits there to be accepted */
    uint32_t waiting, backlog; /* listener: connections that wait for accept(); at most */
    uint32_t unread, unsent;   /* bytes in the pair; `unread` is part of the stack's rx_queued */
};
struct run_tern_view run_tern_look(const void *user);

#endif
