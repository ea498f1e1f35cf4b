/* gateway.c - see gateway.h.
 *
 * A way has one or two ends in the stack: `near`, towards whoever connected, and, when it leads
 * back into the stack, `far`. Its other end is a socket of the host's, or else a pair of sockets
 * joins the pumps of both.
 *
 *   from the stack   SYN held -> dial (host or far) -> admit -> near is open -> pump
 *   from the host    accept() -> near connects -> near is open -> pump
 *
 * A way that is over stays in memory until the turn's work is done: an event collected earlier in
 * the turn may still name it.
 */
#include "host/gateway.h"

#include "host/pump.h"
#include "host/run_addr.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BACKLOG = 4096, ACCEPT_TURN = 64 };
/* accept() found no descriptor left: not again before */
#define ACCEPT_REST UINT64_C(100000000)

struct way;

/* One end in the stack. */
struct end {
    struct app app;
    struct way *way;
    tern_sock sock;
    struct pump pump;
    bool used; /* `sock` is ours to close */
    bool over; /* the pump is about to close it */
};

enum stage { DIALLING, ADMITTED, PUMPING };

struct way {
    struct gateway *gateway;
    struct way *next, *prev;
    struct end near, far;
    tern_sock held;      /* DIALLING, until the gateway has admitted or refused it */
    struct loop_fd dial; /* the host's socket, while it connects */
    int fd;              /* the host's socket; -1: none, or given to the pump */
    enum stage stage;
    bool is_held, dead;
};

/* A port of the host's that leads in. */
struct door {
    struct gateway *gateway;
    struct door *next;
    struct loop_fd watch;
    tern_addr to;
    uint64_t rest_until; /* 0: watched */
};

struct gateway {
    struct app listener;
    struct gateway_config cfg;
    tern_sock sock;
    struct pump_set pumps;
    struct way *ways, *dead;
    struct door *doors;
};

/* ---- the end of a way ------------------------------------------------------------------------ */

static void stop_dialling(struct way *w)
{
    if (w->dial.ready) {
        loop_del(w->gateway->cfg.loop, &w->dial);
        w->dial.ready = NULL;
    }
}

/* Ends what is left of one end, with a reset unless its pump has ended it. */
static void end_abort(struct end *e)
{
    tern *s = e->way->gateway->cfg.stack;

    if (e->used && !e->over && (e->way->stage != PUMPING || e->pump.active)) {
        pump_stop(&e->pump);
        (void)tern_user_set(s, e->sock, NULL);
        (void)tern_abort(s, e->sock);
    }
    e->used = false;
}

static void drop(struct way *w)
{
    struct gateway *g = w->gateway;

    if (w->dead)
        return;
    w->dead = true;
    stop_dialling(w);
    if (w->fd >= 0)
        close(w->fd);
    if (w->is_held)
        (void)tern_hold_drop(g->cfg.stack, w->held);
    end_abort(&w->near);
    end_abort(&w->far);
    if (w->next)
        w->next->prev = w->prev;
    if (w->prev)
        w->prev->next = w->next;
    else
        g->ways = w->next;
    w->next = g->dead;
    g->dead = w;
}

static bool carries(const struct end *e) { return e->pump.active && !e->over; }

static void drop_when_done(struct way *w)
{
    if (!carries(&w->near) && !carries(&w->far))
        drop(w);
}

/* A reset of one end goes on to the other. */
static void pass_reset(struct end *e)
{
    if (carries(e))
        pump_now(&e->pump); /* what came before the reset */
    if (!carries(e))
        return;
    tern *s = e->way->gateway->cfg.stack;
    pump_stop(&e->pump);
    (void)tern_user_set(s, e->sock, NULL);
    (void)tern_abort(s, e->sock);
}

static void pump_ended(void *user, int err)
{
    struct end *e = user;
    struct way *w = e->way;

    e->over = true;
    if (err)
        pass_reset(e == &w->near ? &w->far : &w->near);
    drop_when_done(w);
}

static void pump_closed(void *user)
{
    struct end *e = user;

    drop_when_done(e->way);
}

/* ---- from the stack to the host -------------------------------------------------------------- */

/* What connect() said, as whoever sent the SYN would have heard it from the network. */
static void refuse(struct way *w, int err)
{
    tern_addr to = {.port = 0};
    int type = -1, code = 0;

    (void)tern_names(w->gateway->cfg.stack, w->held, &to, NULL);
    bool is4 = run_addr_is4(&to);
    switch (err) {
    case ETIMEDOUT: /* nobody answered, so nobody does here */
        drop(w);
        return;
    case ENETUNREACH: /* no route to destination */
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
        type = is4 ? 3 : 1;
        break;
    case EHOSTUNREACH: /* host, address unreachable */
        type = is4 ? 3 : 1;
        code = is4 ? 1 : 3;
        break;
    case EACCES: /* administratively prohibited */
    case EPERM:
        type = is4 ? 3 : 1;
        code = is4 ? 13 : 1;
        break;
    default:
        break;
    }
    w->is_held = false;
    (void)tern_hold_refuse(w->gateway->cfg.stack, w->held, type, code);
    drop(w);
}

static void admit(struct way *w)
{
    w->is_held = false;
    if (tern_hold_admit(w->gateway->cfg.stack, w->held, &w->near.sock, &w->near) < 0) {
        drop(w);
        return;
    }
    w->near.used = true;
    w->stage = ADMITTED;
}

static void dialled(void *user, uint32_t events)
{
    struct way *w = user;
    int err = 0;
    socklen_t len = sizeof err;

    (void)events;
    if (getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
        err = errno;
    stop_dialling(w);
    if (err)
        refuse(w, err);
    else
        admit(w);
}

static void say_no_descriptors(struct gateway *g)
{
    if (g->cfg.say)
        g->cfg.say(g->cfg.user, "out of descriptors: a connection was refused (see ulimit -n)");
}

static void dial(struct way *w, const tern_addr *to)
{
    union run_sockaddr sa;
    int family = run_addr_is4(to) ? AF_INET : AF_INET6;
    size_t len = run_addr_write(&sa, family, to);

    w->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (w->fd < 0 && (errno == EMFILE || errno == ENFILE)) {
        say_no_descriptors(w->gateway);
        refuse(w, ECONNREFUSED);
        return;
    }
    if (w->fd < 0 || (connect(w->fd, &sa.sa, (socklen_t)len) < 0 && errno != EINPROGRESS)) {
        refuse(w, errno);
        return;
    }
    w->dial = (struct loop_fd){w->fd, dialled, w};
    if (loop_add(w->gateway->cfg.loop, &w->dial, EPOLLOUT) < 0) {
        w->dial.ready = NULL;
        refuse(w, ECONNREFUSED);
    }
}

static void end_event(struct app *app, const tern_event *ev);

static struct way *way_new(struct gateway *g)
{
    struct way *w = calloc(1, sizeof *w);

    if (!w)
        return NULL;
    w->gateway = g;
    w->near.app.event = w->far.app.event = end_event;
    w->near.way = w->far.way = w;
    w->fd = -1;
    w->next = g->ways;
    if (w->next)
        w->next->prev = w;
    g->ways = w;
    return w;
}

static void held(struct gateway *g, tern_sock sock)
{
    tern_addr to;
    struct way *w = way_new(g);

    if (!w) {
        (void)tern_hold_drop(g->cfg.stack, sock);
        return;
    }
    w->held = sock;
    w->is_held = true;
    (void)tern_user_set(g->cfg.stack, sock, &w->near);
    (void)tern_names(g->cfg.stack, sock, &to, NULL);
    switch (g->cfg.route ? g->cfg.route(g->cfg.user, &to) : GATEWAY_HOST) {
    case GATEWAY_HOST:
        dial(w, &to);
        break;
    case GATEWAY_BACK:
        if (tern_connect(g->cfg.stack, &w->far.sock, NULL, &to, &w->far) < 0)
            refuse(w, ECONNREFUSED);
        else
            w->far.used = true;
        break;
    default:
        refuse(w, ECONNREFUSED);
    }
}

/* ---- from the host to the stack -------------------------------------------------------------- */

static void let_in(struct door *d, int fd, const union run_sockaddr *from, socklen_t len)
{
    struct gateway *g = d->gateway;
    struct way *w = way_new(g);
    tern_addr local;

    if (!w) {
        close(fd);
        return;
    }
    w->fd = fd;
    /* whoever connected is seen as that, but for addresses that mean something else inside */
    bool same = run_addr_read(&local, from->sa.sa_family, from, len) == 0 &&
                run_addr_is4(&local) == run_addr_is4(&d->to) && !run_addr_loopback(&local);
    int err = tern_connect(g->cfg.stack, &w->near.sock, same ? &local : NULL, &d->to, &w->near);
    if (err < 0 && same)
        err = tern_connect(g->cfg.stack, &w->near.sock, NULL, &d->to, &w->near);
    w->near.used = err >= 0;
    if (err < 0)
        drop(w);
}

static void knocked(void *user, uint32_t events)
{
    struct door *d = user;
    struct gateway *g = d->gateway;

    (void)events;
    for (int i = 0; i < ACCEPT_TURN; i++) {
        union run_sockaddr from;
        socklen_t len = sizeof from;
        int fd = accept4(d->watch.fd, &from.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            let_in(d, fd, &from, len);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            say_no_descriptors(g);
            (void)loop_change(g->cfg.loop, &d->watch, 0);
            d->rest_until = loop_now(g->cfg.loop) + ACCEPT_REST;
        }
        if (errno != EINTR && errno != ECONNABORTED)
            return;
    }
}

int gateway_publish(struct gateway *g, const tern_addr *addr, const tern_addr *to)
{
    struct door *d = calloc(1, sizeof *d);
    union run_sockaddr sa;
    int family = run_addr_is4(addr) ? AF_INET : AF_INET6, on = 1;
    size_t len = run_addr_write(&sa, family, addr);

    if (!d)
        return -ENOMEM;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd < 0 || bind(fd, &sa.sa, (socklen_t)len) < 0 || listen(fd, BACKLOG) < 0) {
        int err = -errno;
        if (fd >= 0)
            close(fd);
        free(d);
        return err;
    }
    *d = (struct door){.gateway = g, .to = *to, .next = g->doors, .watch = {fd, knocked, d}};
    int err = loop_add(g->cfg.loop, &d->watch, EPOLLIN);
    if (err < 0) {
        close(fd);
        free(d);
        return err;
    }
    g->doors = d;
    return 0;
}

/* ---- events ---------------------------------------------------------------------------------- */

static void start_pump(struct end *e, int fd, enum pump_kind kind)
{
    struct way *w = e->way;
    struct pump_args args = {.set = &w->gateway->pumps,
                             .sock = e->sock,
                             .fd = fd,
                             .kind = kind,
                             .ended = pump_ended,
                             .closed = pump_closed,
                             .user = e};

    if (pump_start(&e->pump, &args) < 0) {
        (void)tern_user_set(w->gateway->cfg.stack, e->sock, NULL);
        (void)tern_abort(w->gateway->cfg.stack, e->sock);
    }
}

static void join(struct way *w)
{
    int pair[2];

    w->stage = PUMPING;
    if (!w->far.used) {
        start_pump(&w->near, w->fd, PUMP_TCP);
        w->fd = -1;
    } else if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0) {
        say_no_descriptors(w->gateway);
        w->stage = ADMITTED; /* nothing is pumped: both are reset */
        drop(w);
        return;
    } else {
        pump_shut(&w->near.pump, false);
        pump_shut(&w->far.pump, false);
        start_pump(&w->near, pair[0], PUMP_PAIR);
        start_pump(&w->far, pair[1], PUMP_PAIR);
    }
    drop_when_done(w); /* unless no pump could be started */
}

/* The stack's connection is over before it could be pumped. */
static void failed(struct way *w, struct end *e, int err)
{
    static const struct linger reset = {.l_onoff = 1};

    (void)tern_user_set(w->gateway->cfg.stack, e->sock, NULL);
    (void)tern_close(w->gateway->cfg.stack, e->sock);
    e->used = false;
    if (w->is_held) {
        refuse(w, err == TERN_ETIMEDOUT ? ETIMEDOUT : ECONNREFUSED);
        return;
    }
    if (w->fd >= 0)
        (void)setsockopt(w->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    drop(w);
}

static void end_event(struct app *app, const tern_event *ev)
{
    struct end *e = (struct end *)(void *)app;
    struct way *w = e->way;

    if (w->dead)
        return;
    if (w->is_held && ev->sock.id == w->held.id) {
        if (ev->mask & TERN_EV_CLOSED) { /* its sender has given up */
            w->is_held = false;
            drop(w);
        }
        return;
    }
    if (w->stage == PUMPING) {
        pump_event(&e->pump, ev);
    } else if (ev->mask & TERN_EV_OPEN && e == &w->far) {
        admit(w);
    } else if (ev->mask & TERN_EV_OPEN) {
        join(w);
        if (!w->dead && e->pump.active)
            pump_event(&e->pump, ev);
    } else if (ev->mask & TERN_EV_ERROR) {
        failed(w, e, ev->err);
    }
}

static void listener_event(struct app *app, const tern_event *ev)
{
    struct gateway *g = (struct gateway *)(void *)app;

    if (ev->mask & TERN_EV_HOLD)
        held(g, ev->sock);
}

void gateway_work(struct gateway *g, uint64_t now)
{
    pump_set_work(&g->pumps);
    while (g->dead) {
        struct way *w = g->dead;
        g->dead = w->next;
        free(w);
    }
    for (struct door *d = g->doors; d; d = d->next) {
        if (d->rest_until && d->rest_until <= now) {
            d->rest_until = 0;
            (void)loop_change(g->cfg.loop, &d->watch, EPOLLIN);
        }
    }
}

uint64_t gateway_deadline(const struct gateway *g)
{
    uint64_t at = g->dead ? 0 : pump_set_deadline(&g->pumps);

    for (const struct door *d = g->doors; d; d = d->next)
        if (d->rest_until && d->rest_until < at)
            at = d->rest_until;
    return at;
}

bool gateway_owes(const struct gateway *g)
{
    for (const struct way *w = g->ways; w; w = w->next)
        if (w->stage == PUMPING && carries(&w->near) && !w->near.pump.down_eof)
            return true;
    return false;
}

/* ---- beginning and end ----------------------------------------------------------------------- */

int gateway_new(struct gateway **out, const struct gateway_config *cfg)
{
    struct gateway *g = calloc(1, sizeof *g);
    tern_listen_args args = {.backlog = BACKLOG,
                             .flags = TERN_LISTEN_HOLD | TERN_LISTEN_ANY_PORT,
                             .user = g};

    if (!g)
        return TERN_ENOMEM;
    g->listener.event = listener_event;
    g->cfg = *cfg;
    pump_set_init(&g->pumps, cfg->loop, cfg->stack);
    int err = tern_iface_promiscuous(cfg->stack, cfg->iface, true);
    if (err >= 0)
        err = tern_listen(cfg->stack, &g->sock, &args);
    if (err < 0) {
        free(g);
        return err;
    }
    *out = g;
    return 0;
}

void gateway_free(struct gateway *g)
{
    if (!g)
        return;
    while (g->ways)
        drop(g->ways);
    gateway_work(g, 0);
    while (g->doors) {
        struct door *d = g->doors;
        g->doors = d->next;
        loop_del(g->cfg.loop, &d->watch);
        close(d->watch.fd);
        free(d);
    }
    (void)tern_close(g->cfg.stack, g->sock);
    free(g);
}
