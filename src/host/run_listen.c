/* run_listen.c - listen(), and connections on their way to accept().
 *
 * The program's socket becomes an AF_UNIX listener. Established connections wait in the backend's
 * accept queue, as long as the backlog says; one of them at a time is brought to the program by
 * connecting to its listener, which thereby polls readable, whoever waits for it and how. Only the
 * runner takes it out again (run_accept.c), and then brings the next.
 *
 * That a listener was closed is found when it matters: at a SYN, before it is answered; or at once
 * while a connection is queued, as its other end then hangs up.
 *
 * Sockets that share address and port by SO_REUSEPORT are one listener of the backend, and get its
 * connections in turn.
 */
#include "host/run_core.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct run_group *find_group(const struct run_sock *s)
{
    if (!s->as.opts.reuse_port)
        return NULL;
    for (struct run_sock *o = s->run->ports[s->local.port % RUN_PORT_BUCKETS]; o; o = o->port_next)
        if (o->group && o->as.opts.reuse_port && o->local.port == s->local.port &&
            memcmp(o->local.ip, s->local.ip, 16) == 0 && o->local.scope == s->local.scope)
            return o->group;
    return NULL;
}

static int join_group(struct run_sock *s, unsigned backlog)
{
    struct run *r = s->run;
    struct run_group *g = find_group(s);

    if (!g) {
        g = calloc(1, sizeof *g);
        if (!g)
            return -ENOMEM;
        g->run = r;
        struct run_net_listen what = {s->local, backlog, s->as.opts.v6only};
        int err = r->net->listen(r->cfg.net_user, &g->net, &what, g);
        if (err) {
            free(g);
            return err;
        }
    }
    s->group = g;
    s->group_next = g->members;
    g->members = s;
    return 0;
}

static void leave_group(struct run_sock *s)
{
    struct run_group *g = s->group;
    struct run_sock **at = &g->members;

    while (*at != s)
        at = &(*at)->group_next;
    *at = s->group_next;
    if (g->turn == s)
        g->turn = s->group_next;
    s->group = NULL;
    if (g->members)
        return;
    s->run->net->unlisten(g->net);
    free(g);
}

static void drop_queued(struct run_sock *s)
{
    struct run_sock *q = s->queued;

    s->queued = NULL;
    if (!q)
        return;
    if (q->conn)
        s->run->net->abort(q->conn);
    run_sock_free(q);
}

void run_unlisten(struct run_sock *s)
{
    drop_queued(s);
    run_pair_unlink(s);
    leave_group(s);
    s->state = SOCK_ENDED;
    s->spent = s->reported = true;
}

/* The program has closed its listener. The entry stays until run_borrow_collect(), as this is found
 * in the middle of dealing with it. */
void run_listener_closed(struct run_sock *s)
{
    run_unlisten(s);
    run_unbind(s);
}

static void queued_ready(void *user, uint32_t events)
{
    struct run_sock *q = user;

    (void)events; /* EPOLLHUP or EPOLLERR: nothing else was asked for */
    run_queue_again(q->queued_at);
}

/* Makes the listener readable with a connection that has come; -ECONNREFUSED: it is closed. */
static int queue_connect(struct run_sock *s, struct run_sock *q)
{
    int err = run_pair_queue(s, q);

    if (err)
        return err;
    q->end_watch = (struct loop_fd){.fd = q->end, .ready = queued_ready, .user = q};
    err = loop_add(s->run->loop, &q->end_watch, 0);
    if (err)
        q->end_watch.ready = NULL;
    return err;
}

void run_queue_again(struct run_sock *s)
{
    run_sock_close_end(s->queued);
    if (!run_borrow_alive(s) || queue_connect(s, s->queued) < 0)
        run_listener_closed(s);
}

void run_queue_refill(struct run_sock *s)
{
    struct run *r = s->run;

    while (s->state == SOCK_LISTENING && !s->queued) {
        struct run_sock *q = run_sock_new(r, s->family);
        if (!q)
            return;
        q->conn = r->net->accept(s->group->net, q);
        if (!q->conn) {
            run_sock_free(q);
            return;
        }
        q->state = SOCK_CONNECTED;
        q->spent = q->reported = true;
        run_opts_inherit(q, s);
        q->queued_at = s;
        r->net->names(q->conn, &q->name, &q->peer);
        s->queued = q;
        int err = queue_connect(s, q);
        if (err == -ECONNREFUSED)
            run_listener_closed(s);
        else if (err)
            drop_queued(s);
        else
            run_accept_waiting(s);
    }
}

int64_t run_call_listen(struct run_call *c)
{
    struct run_sock *s = c->sock;
    unsigned wish = (unsigned)c->data->args[1];
    unsigned backlog = wish > RUN_BACKLOG_MAX ? RUN_BACKLOG_MAX : wish ? wish : 1;

    if (s->state == SOCK_LISTENING) {
        s->run->net->backlog(s->group->net, backlog);
        return 0;
    }
    if (s->state != SOCK_IDLE || s->spent)
        return -EINVAL;
    int file = run_borrow(s, c->mem.pid, s->fd);
    if (file < 0)
        return -EBADF;
    tern_addr any = run_addr_wildcard(s->family);
    int err = s->bound ? 0 : run_bind(s, &any);
    if (!err && run_bind_taken(s))
        err = -EADDRINUSE;
    if (!err)
        err = run_pair_listen(s, file);
    if (!err)
        err = join_group(s, backlog);
    if (!err) {
        s->state = SOCK_LISTENING;
        run_opts_apply(s);
    }
    close(file);
    return err;
}

/* ---- from the backend ------------------------------------------------------------------------ */

bool run_group_syn(void *user)
{
    struct run_group *g = user;
    struct run *r = g->run;

    run_held_sweep(r, loop_now(r->loop));
    for (struct run_sock *s = g->members, *next; s; s = next) {
        next = s->group_next;
        bool only = s == g->members && !next;
        if (run_borrow_alive(s))
            return true;
        run_listener_closed(s);
        if (only)
            return false; /* the group has gone with it */
    }
    return true;
}

unsigned run_group_defer(void *user)
{
    const struct run_group *g = user;
    return g->members ? (unsigned)g->members->as.opts.defer_accept : 0;
}

void run_group_incoming(void *user)
{
    struct run_group *g = user;
    struct run_sock *first = g->turn ? g->turn : g->members, *s = first;

    do {
        struct run_sock *next = s->group_next ? s->group_next : g->members;
        if (!s->queued) {
            g->turn = next;
            run_queue_refill(s); /* may end the group: look no further */
            return;
        }
        s = next;
    } while (s != first);
}
