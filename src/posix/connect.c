/* connect.c - connect, listen, accept, shutdown, and the names of both ends. */
#include "posix/posix.h"

#include <netinet/in.h>
#include <string.h>

/* ---- connect --------------------------------------------------------------------------------- */

static int connect_errno(int err)
{
    switch (err) {
    case TERN_EINVAL: /* nobody can be at this address: no route leads there */
        return -ENETUNREACH;
    case TERN_EADDRINUSE: /* the whole tuple is taken */
        return -EADDRNOTAVAIL;
    default:
        return -posix_errno(err);
    }
}

/* What a SYN brings (RFC 7413). */
struct on_syn {
    const struct msghdr *msg;
    size_t copied;
};

static void ask_fast(struct sock *sk, int how)
{
    tern *s = sk->p->conf.stack;
    bool free = sk->opts.fastopen_no_cookie || sk->p->tune.tcp_fastopen & TFO_CLIENT_FREE;

    if (free)
        (void)tern_option_set(s, sk->k, TERN_OPT_FASTOPEN_FREE, 1);
    (void)tern_option_set(s, sk->k, TERN_OPT_FASTOPEN, how);
}

/* Queues what the SYN has room for. */
static void fill_syn(struct sock *sk, struct on_syn *on)
{
    tern *s = sk->p->conf.stack;
    int64_t room = 0;

    (void)tern_option_get(s, sk->k, TERN_OPT_FASTOPEN, &room);
    for (size_t i = 0; i < on->msg->msg_iovlen && room > 0; i++) {
        const struct iovec *v = &on->msg->msg_iov[i];
        size_t want = (int64_t)v->iov_len < room ? v->iov_len : (size_t)room;
        if (v->iov_base == NULL && want != 0)
            return; /* (Linux's SYN goes without, and the fault shows later) */
        ptrdiff_t n = want != 0 ? tern_send(s, sk->k, v->iov_base, want) : 0;
        if (n < 0)
            return;
        on->copied += (size_t)n;
        if ((size_t)n < v->iov_len)
            return;
        room -= n;
    }
}

/* The SYN leaves with the stack's next output. */
static int begin(struct sock *sk, const void *addr, socklen_t len, struct on_syn *on)
{
    tern *s = sk->p->conf.stack;
    tern_addr peer, local = sk->local;
    int err = addr_read(sk, &peer, addr, len, ADDR_CONNECT);

    if (err != 0)
        return err;
    if (sk->k.id != 0) /* of an attempt that failed */
        sock_disconnect(sk);
    if (peer.port == 0)
        return -ECONNREFUSED; /* nobody listens there: no socket can be bound to it */
    err = tern_connect(s, &sk->k, &local, &peer, sock_user(sk));
    if (err < 0) {
        sk->k.id = 0;
        return connect_errno(err);
    }
    sk->err = 0;
    sk->peer = peer;
    sk->gone = sk->done = false;
    (void)tern_names(s, sk->k, &sk->local, NULL);
    opts_apply(sk);
    sk->deferred = false;
    if (on != NULL) {
        ask_fast(sk, 1);
        fill_syn(sk, on);
    } else if (sk->opts.fastopen_connect) {
        int64_t room = 0;
        ask_fast(sk, 2);
        (void)tern_option_get(s, sk->k, TERN_OPT_FASTOPEN, &room);
        sk->deferred = room != 0;
    }
    return 0;
}

/* Waits for the handshake to end: 0, -EAGAIN (time is up), or what the owner says. */
static int await(struct sock *sk, int flags)
{
    uint64_t limit = sk->opts.sndtimeo;
    uint64_t until = limit == TERN_NEVER ? TERN_NEVER : sk->p->now + limit;

    while (STATE_IN(sock_state(sk, NULL), S(SYN_SENT) | S(SYN_RECV))) {
        int err = flags & O_NONBLOCK ? -EAGAIN : posix_wait(sk->p, until);
        if (err != 0)
            return err;
    }
    return 0;
}

static int failed(struct sock *sk)
{
    int err = sock_error(sk);
    sock_disconnect(sk);
    sk->err = 0;
    return err != 0 ? err : -ECONNABORTED;
}

static int connect_with(struct sock *sk, const void *addr, socklen_t len, int flags,
                        struct on_syn *on)
{
    sa_family_t family;
    int err = -EINPROGRESS;

    if (addr != NULL && len < sizeof family)
        return -EINVAL;
    if (addr != NULL)
        memcpy(&family, addr, sizeof family);
    if (addr != NULL && family == AF_UNSPEC) {
        sock_disconnect(sk);
        return 0;
    }
    switch (sk->phase) {
    case PHASE_CONNECTED:
        return -EISCONN;
    case PHASE_CONNECTING:
        err = -EALREADY;
        if (sk->deferred)
            err = on != NULL ? -EINPROGRESS : -EISCONN;
        if (sk->deferred && on != NULL)
            fill_syn(sk, on);
        break;
    case PHASE_UNCONNECTED:
        if (sock_state(sk, NULL) != LINUX_CLOSE)
            return -EISCONN;
        int begun = begin(sk, addr, addr != NULL ? len : 0, on);
        if (begun != 0)
            return begun;
        sk->phase = PHASE_CONNECTING;
        if (sk->deferred)
            return 0;
        break;
    default:
        return -EINVAL;
    }
    int waited = await(sk, flags);
    if (waited == -EAGAIN)
        return err;
    if (waited != 0)
        return waited;
    if (sock_state(sk, NULL) == LINUX_CLOSE)
        return failed(sk);
    sk->phase = PHASE_CONNECTED;
    return 0;
}

int sock_connect(struct sock *sk, const void *addr, socklen_t len, int flags)
{
    return connect_with(sk, addr, len, flags, NULL);
}

int sock_connect_fast(struct sock *sk, const struct msghdr *msg, int flags, size_t *copied)
{
    struct on_syn on = {.msg = msg};
    const void *addr = msg->msg_namelen != 0 ? msg->msg_name : NULL;
    sa_family_t family = 0;

    if (addr != NULL && msg->msg_namelen >= sizeof family)
        memcpy(&family, addr, sizeof family);
    if (!(sk->p->tune.tcp_fastopen & TFO_CLIENT) ||
        (addr != NULL && msg->msg_namelen >= sizeof family && family == AF_UNSPEC))
        return -EOPNOTSUPP;
    if (sk->fast_busy)
        return -EALREADY;
    sk->fast_busy = true;
    bool blocks = file_blocks(&sk->file, flags);
    int err = connect_with(sk, addr, msg->msg_namelen, blocks ? 0 : O_NONBLOCK, &on);
    sk->fast_busy = sk->deferred = false;
    *copied = on.copied;
    return err;
}

int tern_socket_connect(tern_sockets *p, int fd, const void *addr, socklen_t len)
{
    int err;
    struct sock *sk = sock_get(p, fd, &err);
    if (err != -EBADF && (len > sizeof(struct sockaddr_storage))) /* read before what it is for */
        err = -EINVAL;
    else if (sk != NULL && addr == NULL)
        err = len != 0 ? -EFAULT : -EINVAL;
    else if (sk != NULL)
        err = sock_connect(sk, addr, len, sk->file.flags);
    if (sk != NULL)
        sock_put(sk);
    return err;
}

/* ---- listen ---------------------------------------------------------------------------------- */

static int listen_begin(struct sock *sk, uint32_t backlog)
{
    int err = bind_auto(sk);
    if (err != 0)
        return err;
    sk->listening = true; /* a bound socket may coexist with others where a listener may not */
    if (bind_conflict(sk, &sk->local)) {
        sk->listening = false;
        return -EADDRINUSE;
    }
    uint32_t fast = sk->p->tune.tcp_fastopen;
    if (fast & TFO_SERVER_ALL && fast & TFO_SERVER && sk->opts.fastopen == 0)
        sk->opts.fastopen = (int)backlog - 1;
    tern_listen_args args = {.local = sk->local, .backlog = backlog, .user = sock_user(sk)};
    if (sk->domain == AF_INET6 && sk->opts.v6only)
        args.flags |= TERN_LISTEN_IP6_ONLY;
    err = tern_listen(sk->p->conf.stack, &sk->k, &args);
    if (err < 0) {
        sk->k.id = 0;
        sk->listening = false;
        return -posix_errno(err);
    }
    sk->gone = sk->done = false;
    opts_apply(sk);
    opts_fastopen(sk);
    return 0;
}

int tern_socket_listen(tern_sockets *p, int fd, int backlog)
{
    int err;
    struct sock *sk = sock_get(p, fd, &err);
    if (sk == NULL)
        return err;
    uint32_t most = p->tune.somaxconn, n = (uint32_t)backlog;
    n = (n < most ? n : most) + 1; /* Linux takes one more than it is asked for */
    if (sk->listening)
        err = tern_backlog(p->conf.stack, sk->k, n) < 0 ? -EINVAL : 0;
    else if (sk->phase != PHASE_UNCONNECTED || sock_state(sk, NULL) != LINUX_CLOSE)
        err = -EINVAL;
    else
        err = listen_begin(sk, n);
    sock_put(sk);
    return err;
}

/* ---- accept ---------------------------------------------------------------------------------- */

static struct sock *child(struct sock *sk, int flags)
{
    struct sock *c = sock_new(sk->p, flags);
    if (c == NULL)
        return NULL;
    c->domain = sk->domain;
    c->protocol = sk->protocol;
    c->opts = sk->opts;
    c->opts.fastopen = 0;
    c->phase = PHASE_CONNECTED;
    c->addr_locked = sk->addr_locked;
    return c;
}

/* The SYN's may have become the connection's (tcp_reflect_tos); the low bits are ECN's. */
static void take_tos(struct sock *c)
{
    int *tos = addr_is4(&c->local) ? &c->opts.tos : &c->opts.tclass;
    int64_t dscp;
    if (tern_option_get(c->p->conf.stack, c->k, TERN_OPT_DSCP, &dscp) == 0 && *tos >> 2 != dscp)
        *tos = (int)dscp << 2 | (*tos & 3);
}

static int take(struct sock *sk, struct sock *c)
{
    tern *s = sk->p->conf.stack;
    uint64_t limit = sk->opts.rcvtimeo;
    uint64_t until = limit == TERN_NEVER ? TERN_NEVER : sk->p->now + limit;

    for (;;) {
        if (!sk->listening)
            return -EINVAL;
        int err = tern_accept(s, sk->k, &c->k, &c->peer, sock_user(c));
        if (err == 0)
            break;
        c->k.id = 0;
        if (err != TERN_EAGAIN)
            return -posix_errno(err);
        err = file_blocks(&sk->file, 0) ? posix_wait(sk->p, until) : -EAGAIN;
        if (err != 0)
            return err;
    }
    tern_tcp_info info;
    sock_state(c, &info); /* what happened while it waited in the queue */
    c->done = info.eof;
    sock_fail(c, info.err);
    (void)tern_names(s, c->k, &c->local, NULL);
    if (c->domain == AF_INET6 && !addr_is4(&c->peer))
        c->opts.v6only = 1;
    take_tos(c);
    tern_arm(s, c->k, TERN_EV_READ);
    opts_apply(c);
    return 0;
}

static int accept_from(struct sock *sk, void *addr, socklen_t *len, int flags)
{
    tern_sockets *p = sk->p;
    int fd = fd_reserve(p);
    if (fd < 0)
        return fd;
    if (p->tune.bsd && sk->file.flags & O_NONBLOCK)
        flags |= SOCK_NONBLOCK;
    struct sock *c = child(sk, flags);
    int err = c != NULL ? take(sk, c) : -ENFILE;
    if (err == 0 && addr != NULL)
        err = addr_write(c, &c->peer, addr, len);
    if (err == 0) {
        fd_install(p, fd, &c->file, (flags & SOCK_CLOEXEC) != 0);
        return fd;
    }
    fd_unreserve(p, fd);
    if (c != NULL)
        sock_put(c);
    return err;
}

int tern_socket_accept4(tern_sockets *p, int fd, void *addr, socklen_t *len, int flags)
{
    int err;
    struct sock *sk = sock_get(p, fd, &err);
    if (err != -EBADF && flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK))
        err = -EINVAL;
    else if (sk != NULL)
        err = accept_from(sk, addr, len, flags);
    if (sk != NULL)
        sock_put(sk);
    return err;
}

int tern_socket_accept(tern_sockets *p, int fd, void *addr, socklen_t *len)
{
    return tern_socket_accept4(p, fd, addr, len, 0);
}

/* ---- shutdown -------------------------------------------------------------------------------- */

static int shut(struct sock *sk, uint8_t how)
{
    tern *s = sk->p->conf.stack;
    int state = sock_state(sk, NULL);

    if (sk->phase == PHASE_CONNECTING) {
        bool early = STATE_IN(state, S(SYN_SENT) | S(SYN_RECV) | S(CLOSE));
        sk->phase = early ? PHASE_DISCONNECTING : PHASE_CONNECTED;
    }
    if (sk->listening ? (how & SHUT_RCV) != 0 : state == LINUX_SYN_SENT) {
        sock_disconnect(sk);
        return 0;
    }
    if (sk->listening)
        return 0;
    sk->shut |= how;
    if (how & SHUT_RCV && sk->k.id != 0)
        (void)tern_recv_shutdown(s, sk->k);
    if (how & SHUT_SND && STATE_IN(state, S(ESTABLISHED) | S(SYN_RECV) | S(CLOSE_WAIT))) {
        sk->more = false;
        (void)tern_option_set(s, sk->k, TERN_OPT_CORK, 0);
        (void)tern_shutdown(s, sk->k);
    }
    file_wake(&sk->file, 0);
    return state == LINUX_CLOSE ? -ENOTCONN : 0;
}

int tern_socket_shutdown(tern_sockets *p, int fd, int how)
{
    int err;
    struct sock *sk = sock_get(p, fd, &err);
    if (sk == NULL)
        return err;
    err = how < SHUT_RD || how > SHUT_RDWR ? -EINVAL : shut(sk, (uint8_t)(how + 1));
    sock_put(sk);
    return err;
}

/* ---- names ----------------------------------------------------------------------------------- */

int tern_socket_getsockname(tern_sockets *p, int fd, void *addr, socklen_t *len)
{
    int err;
    struct sock *sk = sock_get(p, fd, &err);
    if (sk == NULL)
        return err;
    err = addr_write(sk, &sk->local, addr, len);
    sock_put(sk);
    return err;
}

int tern_socket_getpeername(tern_sockets *p, int fd, void *addr, socklen_t *len)
{
    int err;
    struct sock *sk = sock_get(p, fd, &err);
    if (sk == NULL)
        return err;
    err = -ENOTCONN;
    if (sk->peer.port != 0 && !STATE_IN(sock_state(sk, NULL), S(CLOSE) | S(SYN_SENT)))
        err = addr_write(sk, &sk->peer, addr, len);
    sock_put(sk);
    return err;
}
