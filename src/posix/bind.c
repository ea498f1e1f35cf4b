/* bind.c - local addresses and ports: which of them a socket may have beside the others. */
#include "posix/posix.h"

#include <netinet/in.h>
#include <string.h>

/* ---- conflicts ------------------------------------------------------------------------------- */

/* Any address of its family, or of both. */
static bool covers(const tern_addr *any, const tern_addr *a, bool any_v6only)
{
    if (!addr_is_any(any))
        return false;
    if (addr_is4(any))
        return addr_is4(a) || addr_is_any(a);
    return !addr_is4(a) || !any_v6only;
}

static bool overlap(const struct sock *sk, const tern_addr *a, const struct sock *other)
{
    const tern_addr *b = &other->local;
    bool only_a = sk->domain == AF_INET6 && sk->opts.v6only;
    bool only_b = other->domain == AF_INET6 && other->opts.v6only;

    if (addr_is4(a) && only_b && addr_is_any(b))
        return false;
    if (addr_is4(b) && only_a && addr_is_any(a))
        return false;
    return memcmp(a->ip, b->ip, 16) == 0 || covers(a, b, only_a) || covers(b, a, only_b);
}

/* A connection that is over lets go of a port which it has not asked for by number. */
static bool let_go(const struct sock *sk)
{
    return sk->k.id != 0 && !sk->port_locked && !sk->rebound && sock_state(sk, NULL) == LINUX_CLOSE;
}

/* What other sockets of the table hold. */
static bool held_by_sock(const struct sock *sk, const tern_addr *a)
{
    const tern_sockets *p = sk->p;

    for (uint32_t i = 0; i < p->socks_size; i++) {
        const struct sock *other = p->socks[i];
        if (other == NULL || other == sk || other->local.port != a->port || let_go(other))
            continue;
        bool reuse = sk->opts.reuse_addr && other->opts.reuse_addr && !other->listening;
        bool share = sk->opts.reuse_port && other->opts.reuse_port;
        if (!reuse && !share && overlap(sk, a, other))
            return true;
    }
    return false;
}

/* What is left of sockets that were closed: connections on their way out, and TIME-WAIT. */
static bool held_by_rest(const struct sock *sk, const tern_addr *a)
{
    tern_entry entry[32];
    uint64_t cursor = 0;
    size_t n;

    if (sk->opts.reuse_addr)
        return false;
    while ((n = tern_list(sk->p->conf.stack, &cursor, entry, 32)) != 0)
        for (size_t i = 0; i < n; i++)
            if (entry[i].sock.id == 0 && entry[i].local.port == a->port &&
                (addr_is_any(a) || memcmp(a->ip, entry[i].local.ip, 16) == 0))
                return true;
    return false;
}

bool bind_conflict(const struct sock *sk, const tern_addr *a)
{
    return held_by_sock(sk, a) || held_by_rest(sk, a);
}

/* ---- choosing -------------------------------------------------------------------------------- */

static int choose_port(struct sock *sk, tern_addr *a)
{
    tern_sockets *p = sk->p;
    uint32_t first = p->tune.ip_port_first, range = p->tune.ip_port_last - first + 1;

    p->port_step += 7919; /* neighbours in time are not neighbours in number */
    for (uint32_t i = 0; i < range; i++) {
        a->port = (uint16_t)(first + (p->port_step + i) % range);
        if (!held_by_sock(sk, a) && !held_by_rest(sk, a))
            return 0;
    }
    return -EADDRINUSE;
}

int bind_auto(struct sock *sk)
{
    tern_addr a = sk->local;

    if (a.port != 0)
        return 0;
    if (addr_is_any(&a) && sk->domain == AF_INET)
        a.ip[10] = a.ip[11] = 0xff;
    int err = choose_port(sk, &a);
    if (err == 0)
        sk->local = a;
    return err;
}

/* ---- bind() ---------------------------------------------------------------------------------- */

static bool is_local(const struct sock *sk, const tern_addr *a)
{
    return addr_is_any(a) || tern_is_local(sk->p->conf.stack, a->ip);
}

static int bind_to(struct sock *sk, const void *addr, socklen_t len)
{
    tern_addr a;
    int err = addr_read(sk, &a, addr, len, ADDR_BIND);

    if (err != 0)
        return err;
    if (!is_local(sk, &a) && !sk->opts.freebind && !sk->opts.transparent)
        return -EADDRNOTAVAIL;
    if (sock_state(sk, NULL) != LINUX_CLOSE || (sk->local.port != 0 && !let_go(sk)))
        return -EINVAL;
    bool asked = a.port != 0;
    if (!asked && !sk->opts.bind_no_port)
        err = choose_port(sk, &a);
    else if (asked && bind_conflict(sk, &a))
        err = -EADDRINUSE;
    if (err != 0)
        return err;
    sk->rebound = sk->k.id != 0;
    sk->port_locked = asked;
    sk->addr_locked = !addr_is_any(&a);
    sk->local = a;
    return 0;
}

int tern_socket_bind(tern_sockets *p, int fd, const void *addr, socklen_t len)
{
    int err;
    struct sock *sk = sock_get(p, fd, &err);
    if (sk == NULL)
        return err;
    if ((int)len < 0 || len > sizeof(struct sockaddr_storage))
        err = -EINVAL;
    else
        err = addr == NULL && len != 0 ? -EFAULT : bind_to(sk, addr, len);
    sock_put(sk);
    return err;
}
