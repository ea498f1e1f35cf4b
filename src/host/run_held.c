/* run_held.c - calls that wait: connect() and accept() of a program that wants to block.
 *
 * Nobody tells the runner that a signal has cancelled a call. For accept() that does not matter:
 * the next connection finds out. A connect() that was interrupted goes on in the background
 * (POSIX), and the program may wait for it with poll(): its socket must then look like one that is
 * connecting. So as long as a connect() waits, its notification is looked at every few
 * milliseconds.
 */
#include "host/run_core.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#define SWEEP_NS 2000000u /* 2 ms, and more when very many wait: */
#define SWEEP_NS_EACH 20000u

static void waiting_enter(struct run_sock *s)
{
    struct run *r = s->run;

    s->wait_prev = NULL;
    s->wait_next = r->waiting;
    if (r->waiting)
        r->waiting->wait_prev = s;
    r->waiting = s;
}

static void waiting_leave(struct run_sock *s)
{
    if (s->wait_next)
        s->wait_next->wait_prev = s->wait_prev;
    if (s->wait_prev)
        s->wait_prev->wait_next = s->wait_next;
    else
        s->run->waiting = s->wait_next;
    s->wait_next = s->wait_prev = NULL;
}

static uint64_t sweep_next(const struct run *r, uint64_t now)
{
    return r->held_connects ? now + SWEEP_NS + SWEEP_NS_EACH * (uint64_t)r->held_connects
                            : LOOP_NEVER;
}

/* When the call is out of time. Without the open file, as it was when last seen. */
static uint64_t deadline_of(struct run_sock *s, int file, bool accept)
{
    struct timeval tv = {0, 0};
    socklen_t len = sizeof tv;

    if (file >= 0 &&
        getsockopt(file, SOL_SOCKET, accept ? SO_RCVTIMEO : SO_SNDTIMEO, &tv, &len) == 0)
        s->timeout = (uint64_t)tv.tv_sec * 1000000000u + (uint64_t)tv.tv_usec * 1000u;
    return s->timeout ? loop_now(s->run->loop) + s->timeout : LOOP_NEVER;
}

int64_t run_hold(struct run_call *c, int file, bool accept, int64_t late)
{
    struct run *r = c->run;
    struct run_held *h = r->held_count < RUN_HELD_MAX ? calloc(1, sizeof *h) : NULL;
    struct run_held **at;
    uint64_t deadline = deadline_of(c->sock, file, accept);

    /* A thread waits for one call at a time: an earlier one of its has been cancelled. */
    for (struct run_held *old = c->sock->held, *next; old; old = next) {
        next = old->next;
        if (old->mem.pid == c->mem.pid)
            run_held_drop(c->sock, old);
    }
    if (!h) {
        if (file >= 0)
            close(file);
        return -ENOBUFS;
    }
    *h = (struct run_held){.id = c->id,
                           .mem = c->mem,
                           .deadline = deadline,
                           .late = late,
                           .file = file,
                           .accept = accept};
    if (accept) {
        h->addr = c->data->args[1];
        h->addrlen = c->data->args[2];
        h->flags = c->data->nr == SYS_accept4 ? (int)c->data->args[3] : 0;
    }
    if (!c->sock->held)
        waiting_enter(c->sock);
    for (at = &c->sock->held; *at;)
        at = &(*at)->next;
    *at = h;
    r->held_count++;
    r->held_connects += !accept;
    uint64_t sweep = sweep_next(r, loop_now(r->loop));
    sweep = deadline < sweep ? deadline : sweep;
    r->sweep_at = sweep < r->sweep_at ? sweep : r->sweep_at;
    return RUN_LATER;
}

void run_held_drop(struct run_sock *s, struct run_held *h)
{
    struct run_held **at = &s->held;

    while (*at != h)
        at = &(*at)->next;
    *at = h->next;
    if (!s->held)
        waiting_leave(s);
    s->run->held_count--;
    s->run->held_connects -= !h->accept;
    if (h->file >= 0)
        close(h->file);
    free(h);
}

bool run_held_answer(struct run_sock *s, bool accept, int64_t value)
{
    bool heard = false;

    for (struct run_held *h = s->held, *next; h; h = next) {
        next = h->next;
        if (h->accept != accept)
            continue;
        heard |= run_answer(s->run, h->id, value);
        run_held_drop(s, h);
    }
    return heard;
}

/* Returns when the call is out of time, if it goes on waiting. */
static uint64_t sweep_one(struct run_sock *s, struct run_held *h, uint64_t now)
{
    bool late = h->deadline <= now;

    if (!late && run_valid(s->run, h->id))
        return h->deadline;
    if (!h->accept)
        run_connect_expose(s, h->file);
    if (late)
        run_answer(s->run, h->id, h->late);
    run_held_drop(s, h);
    return LOOP_NEVER;
}

void run_held_sweep(struct run *r, uint64_t now)
{
    uint64_t next_at = LOOP_NEVER;

    for (struct run_sock *s = r->waiting, *next_sock; s; s = next_sock) {
        next_sock = s->wait_next;
        for (struct run_held *h = s->held, *next; h; h = next) {
            next = h->next;
            uint64_t at = sweep_one(s, h, now);
            next_at = at < next_at ? at : next_at;
        }
    }
    uint64_t sweep = sweep_next(r, now);
    r->sweep_at = sweep < next_at ? sweep : next_at;
}
