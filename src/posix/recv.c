/* recv.c - everything that reads from a socket. */
#include "posix/posix.h"

#include <netinet/in.h>
#include <string.h>

#include "posix/errq.h"
#include "posix/msg.h"

/* Where the bytes go: a place in a list of buffers. */
struct sink {
    const struct iovec *iov;
    size_t count, at; /* buffers, and which one is being filled */
    size_t filled;    /* of that one */
    size_t room;      /* in all that are left */
    size_t peeked;    /* MSG_PEEK: of the queue */
    bool discard;     /* MSG_TRUNC: counted, not stored */
    bool marked;      /* it ends before the urgent byte */
    bool fault;       /* there is none: the first is NULL */
};

static void sink_put(struct sink *to, const uint8_t *from, size_t len)
{
    to->room -= len;
    while (len != 0 && !to->discard) {
        const struct iovec *v = &to->iov[to->at];
        size_t n = v->iov_len - to->filled;
        n = n < len ? n : len;
        if (n != 0)
            memcpy((uint8_t *)v->iov_base + to->filled, from, n);
        from += n;
        len -= n;
        to->filled += n;
        if (to->filled == v->iov_len) {
            to->at++;
            to->filled = 0;
        }
    }
}

/* Passes `len` bytes of the queue. */
static void pass(struct sock *sk, struct sink *to, size_t len, bool peek)
{
    if (peek)
        to->peeked += len;
    else
        (void)tern_recv_consume(sk->p->conf.stack, sk->k, len);
}

/* How far one may read on: to the urgent byte; not at all, if that is next and `some` has been read
 * (to->marked). At the beginning of a read it is left out, or read with the rest. */
static size_t up_to_mark(struct sock *sk, struct sink *to, bool some, bool peek)
{
    tern_tcp_info info;
    tern_urgent u;

    if (!sock_urgent(sk, &u) || u.ahead < to->peeked)
        return SIZE_MAX;
    if (u.ahead > to->peeked)
        return u.ahead - to->peeked;
    to->marked = some;
    sock_state(sk, &info);
    if (!some && !sk->opts.oob_inline && info.rx_queued > to->peeked)
        pass(sk, to, 1, peek);
    return some ? 0 : SIZE_MAX;
}

/* Takes what is there, up to the urgent byte; `some` has been read before. Returns how much. */
static size_t take(struct sock *sk, struct sink *to, bool some, bool peek)
{
    tern *s = sk->p->conf.stack;
    tern_iov view[8];
    size_t done = 0;

    while (to->room != 0 && sk->k.id != 0) {
        size_t most = up_to_mark(sk, to, some || done != 0, peek), got = 0;
        if (to->marked)
            break;
        ptrdiff_t n = tern_recv_peek(s, sk->k, view, 8, to->peeked);
        if (n <= 0) {
            if (n < 0 && n != TERN_EAGAIN && n != TERN_ENOTCONN && n != TERN_ESTALE)
                sock_fail(sk, (int)n);
            break;
        }
        for (ptrdiff_t i = 0; i < n && to->room != 0 && got < most; i++) {
            size_t len = view[i].len < to->room ? view[i].len : to->room;
            len = len < most - got ? len : most - got;
            sink_put(to, view[i].base, len);
            got += len;
        }
        pass(sk, to, got, peek);
        done += got;
    }
    return done;
}

/* Nothing (more) is there, and it was not enough. 1: wait; 0: that is all; else the error. */
static int run_dry(struct sock *sk, bool some)
{
    int state = sock_state(sk, NULL);
    bool ended = state == LINUX_CLOSE || sock_shut(sk, state) & SHUT_RCV;

    if (some)
        return sk->err != 0 || ended ? 0 : 1;
    if (sk->done)
        return 0;
    if (sk->err != 0)
        return sock_error(sk);
    if (sock_shut(sk, state) & SHUT_RCV)
        return 0;
    return state == LINUX_CLOSE ? -ENOTCONN : 1;
}

static uint64_t deadline(const struct sock *sk, int flags)
{
    if (!file_blocks(&sk->file, flags))
        return sk->p->now;
    return sk->opts.rcvtimeo == TERN_NEVER ? TERN_NEVER : sk->p->now + sk->opts.rcvtimeo;
}

/* As many bytes as a read waits for. */
static size_t target_of(const struct sock *sk, size_t len, int flags)
{
    size_t lowat = sk->opts.rcvlowat > 0 ? (size_t)sk->opts.rcvlowat : 1;
    if (flags & MSG_WAITALL)
        lowat = len;
    lowat = lowat < len ? lowat : len;
    return lowat != 0 ? lowat : 1;
}

static bool readable(const struct sock *sk)
{
    tern_tcp_info info;
    sock_state(sk, &info);
    return info.rx_queued != 0;
}

static ssize_t recv_stream(struct sock *sk, struct sink *to, int flags)
{
    uint64_t until = deadline(sk, flags);
    size_t target = target_of(sk, to->room, flags), done = 0;

    if (sk->listening)
        return -ENOTCONN;
    if (to->room == 0 && !to->fault && readable(sk))
        return 0;
    for (;;) {
        if (to->fault && readable(sk))
            return -EFAULT;
        done += take(sk, to, done != 0, (flags & MSG_PEEK) != 0);
        if (done >= target || to->marked)
            return (ssize_t)done;
        int more = run_dry(sk, done != 0);
        if (more > 0)
            more = posix_wait(sk->p, until);
        else if (more == 0)
            return (ssize_t)done;
        if (more != 0)
            return done != 0 ? (ssize_t)done : more;
    }
}

/* The urgent byte by itself; this never waits. */
static ssize_t recv_urgent(struct sock *sk, struct msghdr *msg, struct sink *to, int flags)
{
    tern_urgent u;
    int state = sock_state(sk, NULL);
    size_t room = to->room;

    if (sk->listening)
        return -ENOTCONN;
    if (sk->opts.oob_inline || !sock_urgent(sk, &u) || sk->oob_read)
        return -EINVAL;
    if (state == LINUX_CLOSE && !sk->done)
        return -ENOTCONN;
    if (!u.here)
        return state == LINUX_CLOSE || sock_shut(sk, state) & SHUT_RCV ? 0 : -EAGAIN;
    if (to->fault)
        return -EFAULT;
    sk->oob_read = !(flags & MSG_PEEK);
    msg->msg_flags |= MSG_OOB;
    if (room != 0)
        sink_put(to, &u.byte, 1);
    else
        msg->msg_flags |= MSG_TRUNC;
    return room != 0;
}

/* Bytes up to a buffer that is NULL. */
static size_t writable_part(const struct msghdr *msg)
{
    size_t room = 0;

    for (size_t i = 0; i < msg->msg_iovlen; i++) {
        if (msg->msg_iov[i].iov_base == NULL && msg->msg_iov[i].iov_len != 0)
            break;
        room += msg->msg_iov[i].iov_len;
    }
    return room;
}

ssize_t sock_recv(struct sock *sk, struct msghdr *msg, int flags)
{
    ssize_t len = iov_length(msg->msg_iov, msg->msg_iovlen);
    struct sink to = {.iov = msg->msg_iov, .count = msg->msg_iovlen};

    if (len < 0)
        return len;
    to.discard = (flags & MSG_TRUNC) != 0;
    to.room = to.discard ? (size_t)len : writable_part(msg);
    to.fault = to.room == 0 && len != 0;
    msg->msg_flags = 0;
    if (flags & MSG_ERRQUEUE)
        return errq_recv(sk, msg);
    ssize_t n = flags & MSG_OOB ? recv_urgent(sk, msg, &to, flags) : recv_stream(sk, &to, flags);
    if (msg->msg_name != NULL)
        msg->msg_namelen = 0; /* a stream's bytes come without an address */
    if (n >= 0)
        msg_recv_control(sk, msg);
    return n;
}

/* ---- calls ----------------------------------------------------------------------------------- */

ssize_t tern_socket_recvmsg(tern_sockets *p, int fd, struct msghdr *msg, int flags)
{
    int err;
    struct sock *sk = sock_get(p, fd, &err);
    if (sk == NULL)
        return err;
    ssize_t n = msg->msg_iovlen > 1024 ? -EMSGSIZE : sock_recv(sk, msg, flags);
    sock_put(sk);
    return n;
}

ssize_t tern_socket_recvfrom(tern_sockets *p, int fd, void *buf, size_t len,
                             struct tern_sendto *more)
{
    struct iovec v = {buf, len};
    struct msghdr msg = {.msg_name = more->addr, .msg_iov = &v, .msg_iovlen = 1};
    ssize_t n = tern_socket_recvmsg(p, fd, &msg, more->flags);
    if (n >= 0 && more->addr != NULL)
        more->len = msg.msg_namelen;
    return n;
}

ssize_t tern_socket_recv(tern_sockets *p, int fd, void *buf, size_t len, int flags)
{
    return tern_socket_recvfrom(p, fd, buf, len, &(struct tern_sendto){.flags = flags});
}
