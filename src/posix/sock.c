/* sock.c - a socket's life: made, its state, what the stack tells of it, its end. */
#include "posix/posix.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "posix/errq.h"
#include "posix/signature.h"
#include "posix/tcpinfo.h"

/* ---- slots ----------------------------------------------------------------------------------- */

enum { SLOTS_FIRST = 16 };

/* A free slot; false: no memory. */
static bool take_slot(tern_sockets *p, uint32_t *slot)
{
    for (uint32_t i = 0; i < p->socks_size; i++) {
        if (p->socks[i] == NULL) {
            *slot = i;
            return true;
        }
    }
    uint32_t size = p->socks_size != 0 ? 2 * p->socks_size : SLOTS_FIRST;
    struct sock **socks = realloc(p->socks, size * sizeof(struct sock *));
    if (socks == NULL)
        return false;
    memset(socks + p->socks_size, 0, (size - p->socks_size) * sizeof(struct sock *));
    *slot = p->socks_size;
    p->socks = socks;
    p->socks_size = size;
    return true;
}

void *sock_user(const struct sock *sk) { return (void *)((uintptr_t)sk->slot + 1); }

struct sock *sock_of_slot(const tern_sockets *p, const void *user, tern_sock k)
{
    uintptr_t slot = (uintptr_t)user - 1;
    struct sock *sk = slot < p->socks_size ? p->socks[slot] : NULL;
    return sk != NULL && sk->k.id == k.id ? sk : NULL;
}

/* ---- made ------------------------------------------------------------------------------------ */

struct sock *sock_new(tern_sockets *p, int flags)
{
    struct sock *sk = calloc(1, sizeof *sk);
    if (sk == NULL || !take_slot(p, &sk->slot)) {
        free(sk);
        return NULL;
    }
    file_init(&sk->file, FILE_SOCKET, O_RDWR | (flags & SOCK_NONBLOCK ? O_NONBLOCK : 0));
    sk->p = p;
    p->socks[sk->slot] = sk;
    return sk;
}

int tern_socket(tern_sockets *p, int domain, int type, int protocol)
{
    int flags = type & ~0xf;

    if (flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK))
        return -EINVAL;
    if (domain != AF_INET && domain != AF_INET6)
        return -EAFNOSUPPORT;
    if ((type & 0xf) > SOCK_PACKET)
        return -EINVAL;
    if ((type & 0xf) != SOCK_STREAM)
        return -ESOCKTNOSUPPORT;
    if (protocol < 0 || protocol > 262)
        return -EINVAL;
    if (protocol != 0 && protocol != IPPROTO_TCP)
        return -EPROTONOSUPPORT;
    struct sock *sk = sock_new(p, flags);
    if (sk == NULL)
        return -ENOBUFS;
    sk->domain = domain;
    sk->protocol = IPPROTO_TCP;
    if (domain == AF_INET) /* an IPv4 socket's "any" is ::ffff:0.0.0.0 */
        sk->local.ip[10] = sk->local.ip[11] = 0xff;
    opts_init(p, &sk->opts, domain);
    return fd_new(p, &sk->file, 0, (flags & SOCK_CLOEXEC) != 0);
}

struct sock *sock_get(tern_sockets *p, int fd, int *err)
{
    struct file *f = fd_get(p, fd);

    *err = -EBADF;
    if (f == NULL)
        return NULL;
    *err = -ENOTSOCK;
    if (f->kind == FILE_SOCKET)
        return (struct sock *)f;
    file_put(p, f);
    return NULL;
}

tern_sock tern_sockets_handle(const tern_sockets *p, int fd)
{
    const struct file *f = fd >= 0 && fd < p->fds_size ? p->fds[fd].file : NULL;
    return f != NULL && f->kind == FILE_SOCKET ? ((const struct sock *)f)->k : (tern_sock){0};
}

/* ---- state ----------------------------------------------------------------------------------- */

bool sock_look(const struct sock *sk, tern_tcp_info *info)
{
    memset(info, 0, sizeof *info);
    if (sk->p->info != NULL)
        return sk->p->info(sk, info);
    if (sk->k.id != 0 && tern_info(sk->p->conf.stack, sk->k, info, sizeof *info) < 0)
        memset(info, 0, sizeof *info);
    return sk->k.id != 0;
}

int sock_state(const struct sock *sk, tern_tcp_info *info)
{
    tern_tcp_info own;

    if (info == NULL)
        info = &own;
    return sock_look(sk, info) ? tcpinfo_state(info->state) : LINUX_CLOSE;
}

uint8_t sock_shut(const struct sock *sk, int state)
{
    if (sk->k.id != 0 && state == LINUX_CLOSE)
        return SHUT_BOTH;
    return (uint8_t)(sk->shut | (sk->done ? SHUT_RCV : 0));
}

int sock_error(struct sock *sk)
{
    int err = sk->err;
    sk->err = 0;
    return -err;
}

/* Whether ICMP has caused that. */
static bool sock_icmp(const struct sock *sk, int tern_err, tern_icmp *m)
{
    return sk->k.id != 0 && tern_icmp_get(sk->p->conf.stack, sk->k, m) == 0 && m->err == tern_err;
}

int sock_errno(const struct sock *sk, int tern_err)
{
    tern_icmp m;
    return sock_icmp(sk, tern_err, &m) ? icmp_errno(&m) : posix_errno(tern_err);
}

void sock_fail(struct sock *sk, int tern_err)
{
    if (sk->gone || tern_err == 0)
        return;
    sk->gone = true;
    sk->err = sock_errno(sk, tern_err);
    if (sk->err == ECONNRESET && sk->done && !(sk->shut & SHUT_SND))
        sk->err = EPIPE; /* reset in CLOSE-WAIT */
    tern_icmp m;
    if (sock_icmp(sk, tern_err, &m) && m.fatal && (m.version == 4 || sk->opts.recverr6))
        errq_icmp(sk, &m);
}

/* ---- events ---------------------------------------------------------------------------------- */

enum {
    WAKE_READ = EPOLLIN | EPOLLPRI | EPOLLRDNORM | EPOLLRDBAND,
    WAKE_WRITE = EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND,
    WAKE_STATE = TERN_EV_OPEN | TERN_EV_EOF | TERN_EV_ERROR | TERN_EV_SENT | TERN_EV_CLOSED,
};

bool sock_urgent(const struct sock *sk, tern_urgent *u)
{
    return sk->k.id != 0 && tern_urgent_get(sk->p->conf.stack, sk->k, u) == 0 && u->pending;
}

bool sock_urgent_hole(const struct sock *sk, const tern_urgent *u)
{
    return u->pending && u->ahead == 0 && !sk->opts.oob_inline;
}

/* An urgent byte that stands before all else is gone when there is another one (as in Linux, which
 * so pleases who sends several with MSG_OOB and nothing between them). */
static void urgent_news(struct sock *sk)
{
    tern_urgent u;

    if (!sock_urgent(sk, &u))
        return;
    if (sk->oob_at != u.at) {
        if (sk->oob_here && sk->oob_at == u.at - u.ahead && !sk->opts.oob_inline && u.ahead != 0)
            (void)tern_recv_consume(sk->p->conf.stack, sk->k, 1);
        sk->oob_at = u.at;
        sk->oob_read = false;
    }
    sk->oob_here = u.here;
    if (u.here)
        file_wake(&sk->file, WAKE_READ);
}

/* IP_RECVERR: what is soft for others is an error at once, yet the connection goes on. */
static void soft_news(struct sock *sk)
{
    int64_t soft = 0;

    if (tern_option_get(sk->p->conf.stack, sk->k, TERN_OPT_SOFT_ERROR, &soft) < 0 || soft == 0)
        return;
    (void)tern_option_set(sk->p->conf.stack, sk->k, TERN_OPT_SOFT_ERROR, 0);
    if (soft == TERN_ETIMEDOUT) /* of that Linux says nothing yet */
        return;
    sk->err = sock_errno(sk, (int)soft);
    file_wake(&sk->file, EPOLLERR);
}

void sock_event(struct sock *sk, const tern_event *ev)
{
    if (ev->mask & TERN_EV_REPORT)
        soft_news(sk);
    if (ev->mask & TERN_EV_URGENT)
        urgent_news(sk);
    if (ev->mask & TERN_EV_EOF)
        sk->done = true;
    if (ev->mask & TERN_EV_ERROR)
        sock_fail(sk, ev->err);
    if (ev->mask & (TERN_EV_READ | TERN_EV_ACCEPT)) {
        tern_arm(sk->p->conf.stack, sk->k, TERN_EV_READ | TERN_EV_ACCEPT);
        file_wake(&sk->file, WAKE_READ);
    }
    if (ev->mask & TERN_EV_WRITE)
        file_wake(&sk->file, WAKE_WRITE);
    if (ev->mask & (TERN_EV_PROGRESS | WAKE_STATE))
        errq_progress(sk);
    if (ev->mask & WAKE_STATE)
        file_wake(&sk->file, 0);
}

/* Linux takes a socket for writable when a third of its buffer is free. */
static bool writable(const struct sock *sk, const tern_tcp_info *info)
{
    uint32_t room = info->sndbuf > info->tx_queued ? info->sndbuf - info->tx_queued : 0;

    if (sk->k.id == 0)
        return true;
    if (info->tx_unsent >= (sock_notsent_lowat(sk) + 1) / 2) /* twice that much is not below it */
        return false;
    return room != 0 && room >= info->tx_queued / 2;
}

static uint32_t poll_listener(struct sock *sk)
{
    tern_tcp_info info;

    sock_state(sk, &info);
    return info.rx_queued != 0 ? EPOLLIN | EPOLLRDNORM : 0;
}

uint32_t sock_poll(struct sock *sk)
{
    tern_tcp_info info;
    uint32_t mask = 0;

    if (sk->listening)
        return poll_listener(sk);
    int state = sock_state(sk, &info);
    uint8_t shut = sock_shut(sk, state);
    if (shut == SHUT_BOTH || state == LINUX_CLOSE)
        mask |= EPOLLHUP;
    if (shut & SHUT_RCV)
        mask |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
    if (sk->deferred && state == LINUX_SYN_SENT)
        mask |= EPOLLOUT | EPOLLWRNORM; /* so that its SYN gets its data */
    if (!STATE_IN(state, S(SYN_SENT) | S(SYN_RECV)) || sock_fast_child(state, &info)) {
        uint32_t lowat = sk->opts.rcvlowat > 1 ? (uint32_t)sk->opts.rcvlowat : 1;
        tern_urgent u = {0};
        if (sock_urgent(sk, &u) && u.here && !sk->oob_read)
            mask |= EPOLLPRI;
        if (info.rx_queued >= lowat + sock_urgent_hole(sk, &u))
            mask |= EPOLLIN | EPOLLRDNORM;
        if (shut & SHUT_SND || writable(sk, &info))
            mask |= EPOLLOUT | EPOLLWRNORM;
        else
            tern_arm(sk->p->conf.stack, sk->k, TERN_EV_WRITE);
    }
    if (sk->err != 0 || errq_any(sk))
        mask |= EPOLLERR;
    return mask;
}

/* ---- the end --------------------------------------------------------------------------------- */

/* Ends the connection as it is to be ended, and knows it no more. */
static void drop_handle(struct sock *sk, bool abort)
{
    if (sk->k.id == 0)
        return;
    if (abort)
        (void)tern_abort(sk->p->conf.stack, sk->k);
    else
        (void)tern_close(sk->p->conf.stack, sk->k);
    sk->k.id = 0;
}

int sock_linger(struct sock *sk)
{
    tern_sockets *p = sk->p;
    tern_tcp_info info;
    int state = sock_state(sk, &info);

    if (sk->opts.linger_s <= 0 || info.rx_queued != 0 ||
        !STATE_IN(state, S(ESTABLISHED) | S(CLOSE_WAIT) | S(FIN_WAIT1) | S(CLOSING) | S(LAST_ACK)))
        return 0;
    (void)tern_recv_shutdown(p->conf.stack, sk->k);
    (void)tern_shutdown(p->conf.stack, sk->k);
    uint64_t until = p->now + (uint64_t)sk->opts.linger_s * NS_PER_S;
    while (STATE_IN(sock_state(sk, NULL), S(FIN_WAIT1) | S(CLOSING) | S(LAST_ACK)))
        if (posix_wait(p, until) != 0)
            break;
    return 0;
}

void sock_free(struct sock *sk)
{
    drop_handle(sk, sk->opts.linger_s == 0);
    errq_free(sk);
    signature_free(sk);
    sk->p->socks[sk->slot] = NULL;
    free(sk);
}

/* States of which the peer must be told by RST. */
static bool needs_reset(const struct sock *sk, int state)
{
    return !sk->listening && STATE_IN(state, S(ESTABLISHED) | S(CLOSE_WAIT) | S(FIN_WAIT1) |
                                                 S(FIN_WAIT2) | S(SYN_RECV) | S(SYN_SENT));
}

void sock_disconnect(struct sock *sk)
{
    int state = sock_state(sk, NULL);
    bool keeps_port = sk->port_locked || (state == LINUX_CLOSE && (sk->k.id == 0 || sk->rebound));

    if (needs_reset(sk, state))
        sk->err = ECONNRESET;
    drop_handle(sk, !sk->listening);
    sk->listening = sk->gone = sk->done = sk->more = sk->deferred = sk->rebound = false;
    sk->shut = 0;
    errq_disconnect(sk);
    sk->peer = (tern_addr){0};
    sk->phase = PHASE_UNCONNECTED;
    uint16_t port = keeps_port ? sk->local.port : 0;
    if (!sk->addr_locked) {
        sk->local = (tern_addr){0};
        if (sk->domain == AF_INET)
            sk->local.ip[10] = sk->local.ip[11] = 0xff;
    }
    sk->local.port = port;
    file_wake(&sk->file, 0);
}
