/* run_bind.c - bind(), and who has which local port.
 *
 * Only sockets that were bound or that listen have a port here; connections take theirs from the
 * backend. The rules are those of Linux, except that ports below 1024 are everybody's: they are not
 * ports of the host.
 */
#include "host/run_core.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

static struct run_sock **bucket(struct run *r, uint16_t port)
{
    return &r->ports[port % RUN_PORT_BUCKETS];
}

/* Is `wide` a wildcard that covers `other`? */
static bool covers(const struct run_sock *wide, const tern_addr *wide_addr, const tern_addr *other)
{
    if (run_addr_any6(wide_addr))
        return !wide->as.opts.v6only || !run_addr_is4(other);
    return run_addr_any(wide_addr) && run_addr_is4(other);
}

/* `strict`: SO_REUSEADDR does not help. */
static bool clash(const struct run_sock *s, const tern_addr *addr, bool strict)
{
    for (const struct run_sock *o = *bucket(s->run, addr->port); o; o = o->port_next) {
        if (o == s || o->local.port != addr->port)
            continue;
        bool same = memcmp(o->local.ip, addr->ip, 16) == 0 && o->local.scope == addr->scope;
        if (!same && !covers(o, &o->local, addr) && !covers(s, addr, &o->local))
            continue;
        if (s->as.opts.reuse_port && o->as.opts.reuse_port)
            continue;
        if (strict || !s->as.opts.reuse_addr || !o->as.opts.reuse_addr ||
            o->state == SOCK_LISTENING)
            return true;
    }
    return false;
}

/* Whoever has the port may have closed its socket unseen. */
static bool taken(struct run_sock *s, const tern_addr *addr)
{
    if (!clash(s, addr, false))
        return false;
    run_held_sweep(s->run, loop_now(s->run->loop));
    run_borrow_collect(s->run);
    for (struct run_sock *o = *bucket(s->run, addr->port), *next; o; o = next) {
        next = o->port_next;
        if (o != s && o->state == SOCK_LISTENING && !run_borrow_alive(o)) {
            run_sock_closed(o);
            next = *bucket(s->run, addr->port);
        }
    }
    return clash(s, addr, false);
}

bool run_bind_taken(struct run_sock *s) { return taken(s, &s->local); }

bool run_listens(struct run *r, const tern_addr *addr)
{
    for (const struct run_sock *o = *bucket(r, addr->port); o; o = o->port_next)
        if (o->state == SOCK_LISTENING && o->local.port == addr->port &&
            (memcmp(o->local.ip, addr->ip, 16) == 0 || covers(o, &o->local, addr)))
            return true;
    return false;
}

static int pick_port(struct run_sock *s, tern_addr *addr)
{
    struct run *r = s->run;
    unsigned span = RUN_PORT_LAST - RUN_PORT_FIRST + 1;

    if (!r->port_next && getrandom(&r->port_next, sizeof r->port_next, GRND_NONBLOCK) < 0)
        r->port_next = 1;
    for (unsigned i = 0; i < span; i++) {
        addr->port = (uint16_t)(RUN_PORT_FIRST + r->port_next++ % span);
        if (!clash(s, addr, true) && r->net->bindable(r->cfg.net_user, addr) == 0)
            return 0;
    }
    return -EADDRINUSE;
}

int run_bind(struct run_sock *s, const tern_addr *addr)
{
    struct run *r = s->run;
    tern_addr local = *addr;

    if (s->state != SOCK_IDLE || s->bound)
        return -EINVAL;
    int err = r->net->bindable(r->cfg.net_user, &local);
    if (err == -EADDRNOTAVAIL)
        return err;
    err = 0; /* whether the backend's port is free is for listen() to see */
    if (local.port == 0)
        err = pick_port(s, &local);
    else if (taken(s, &local))
        err = -EADDRINUSE;
    if (err)
        return err;
    s->local = local;
    s->bound = true;
    s->port_next = *bucket(r, local.port);
    *bucket(r, local.port) = s;
    return 0;
}

void run_unbind(struct run_sock *s)
{
    struct run_sock **at = bucket(s->run, s->local.port);

    if (!s->bound)
        return;
    while (*at != s)
        at = &(*at)->port_next;
    *at = s->port_next;
    s->bound = false;
}

int run_sockaddr_in(struct run_mem mem, union run_sockaddr *out, uint64_t addr, uint64_t len)
{
    int n = (int)len;

    memset(out, 0, sizeof *out);
    if (n < 0 || (size_t)n > sizeof out->any)
        return -EINVAL;
    return run_mem_read(mem, out, addr, (size_t)n) < 0 ? -EFAULT : n;
}

int64_t run_call_bind(struct run_call *c)
{
    union run_sockaddr sa;
    tern_addr addr;
    struct run_sock *s = c->sock;
    int len = run_sockaddr_in(c->mem, &sa, c->data->args[1], c->data->args[2]);

    if (len < 0)
        return len;
    if (s->family == AF_INET && (size_t)len >= sizeof sa.in && sa.sa.sa_family == AF_UNSPEC &&
        sa.in.sin_addr.s_addr == 0)
        sa.sa.sa_family = AF_INET; /* Linux has always taken it */
    int err = run_addr_read(&addr, s->family, &sa, (size_t)len);
    if (err)
        return err;
    if (s->family == AF_INET6 && s->as.opts.v6only && run_addr_is4(&addr))
        return -EINVAL;
    if (!run_valid(c->run, c->id))
        return RUN_LATER;
    if (c->repeated && s->bound && s->state == SOCK_IDLE)
        return 0;
    return run_bind(s, &addr);
}
