/* run.h - runs a program whose TCP is answered by somebody else than the kernel.
 *
 * The program is unchanged and needs no privileges: a seccomp filter sends its TCP calls here (see
 * run_filter.c), and its sockets are in truth AF_UNIX sockets whose other ends a backend
 * (run_net.h) moves bytes through. So read, write, poll, epoll, dup, fork, exec, sendfile, splice
 * and half close are the kernel's own; connect, bind, listen, accept, names and options are
 * answered.
 *
 * Use: run_start(); turn the loop until run_done(); let the backend finish; run_status();
 * run_free(); run_exit() to end as the program has ended.
 */
#ifndef TERN_HOST_RUN_H
#define TERN_HOST_RUN_H

#include "host/loop.h"
#include "host/run_net.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct run;

enum { /* exit statuses of a run that did not come about, as env(1) and timeout(1) have them */
       RUN_EXIT_TERN = 125,   /* tern itself failed */
       RUN_EXIT_DENIED = 126, /* the program cannot be executed */
       RUN_EXIT_ABSENT = 127, /* there is no such program */
};

struct run_config {
    struct loop *loop; /* with no signals taken yet: the runner takes its own */
    const struct run_net_ops *net;
    void *net_user;    /* passed to the backend's open, listen and bindable */
    char *const *argv; /* the program and its arguments, then NULL */
    /* What sockets begin with, as the stack does: the name of the algorithm, NULL: cubic; 0: 6 */
    const char *congestion;
    uint8_t syn_retries;
    /* Something the user should know, one line without a newline; NULL: to stderr as "tern: ..." */
    void (*say)(void *user, const char *text);
    void *say_user;
};

/* Starts the program. 0, or the exit status for tern after saying why. */
int run_start(struct run **out, const struct run_config *cfg);
/* Have the program and everything it has started ended? Their connections may still have data and
 * FINs to deliver; the backend knows. */
bool run_done(const struct run *r);
/* The program's wait status; -1 while it runs. */
int run_status(const struct run *r);
/* Ends the runner; programs that still run get ENOSYS for TCP from now on. */
void run_free(struct run *r);
/* Ends this process as a process with this wait status has ended: the same exit status, or killed
 * by the same signal (without a core file), which shells show as 128 + n. */
_Noreturn void run_exit(int wait_status);

/* What the backend reports goes here; `user` of its calls is the runner's. */
extern const struct run_net_events run_events;

/* Who owns a connection, or a listener: `user` is what the backend was given for it and still has.
 * The name is read now and is "?" for a process that has ended. */
struct run_owner {
    pid_t pid;
    char name[16];
};
void run_owner_of_conn(const void *user, struct run_owner *out);
void run_owner_of_listener(const void *user, struct run_owner *out);
/* The same of a process that still has it, whichever it was at first; pid 0: none has. */
void run_owner_find(void *user, bool listener, struct run_owner *out);
/* What a program has not read of what the backend has written for it, looked up in its socket; -1:
 * its socket cannot be reached. */
int64_t run_unread(void *user);
/* Connections of a listener that the runner has taken from the backend, but no accept() yet. */
uint32_t run_queued(const void *user);

/* Does a program of this run listen where a connection to `addr` would arrive? */
bool run_listens(struct run *r, const tern_addr *addr);

#endif
