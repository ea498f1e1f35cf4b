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
    bool discard;     /* MSG_TRUNC: counted, not stored */
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

/* Takes what is there, from byte `skip` of the queue on. Returns how much. */
static size_t take(struct sock *sk, struct sink *to, size_t skip, bool peek)
{
    tern *s = sk->p->conf.stack;
    tern_iov view[8];
    size_t done = 0;

    while (to->room != 0 && sk->k.id != 0) {
        ptrdiff_t n = tern_recv_peek(s, sk->k, view, 8, skip);
        if (n <= 0) {
            if (n < 0 && n != TERN_EAGAIN && n != TERN_ENOTCONN && n != TERN_ESTALE)
                sock_fail(sk, (int)n);
            break;
        }
        size_t got = 0;
        for (ptrdiff_t i = 0; i < n && to->room != 0; i++) {
            size_t len = view[i].len < to->room ? view[i].len : to->room;
            sink_put(to, view[i].base, len);
            got += len;
        }
        if (peek)
            skip += got;
        else
            (void)tern_recv_consume(s, sk->k, got);
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
    if (to->room == 0 && readable(sk))
        return 0;
    for (;;) {
        done += take(sk, to, flags & MSG_PEEK ? done : 0, (flags & MSG_PEEK) != 0);
        if (done >= target)
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

ssize_t sock_recv(struct sock *sk, struct msghdr *msg, int flags)
{
    ssize_t len = iov_length(msg->msg_iov, msg->msg_iovlen);
    struct sink to = {.iov = msg->msg_iov, .count = msg->msg_iovlen};

    if (len < 0)
        return len;
    to.room = (size_t)len;
    to.discard = (flags & MSG_TRUNC) != 0;
    msg->msg_flags = 0;
    if (flags & MSG_ERRQUEUE)
        return errq_recv(sk, msg);
    if (flags & MSG_OOB)
        return sk->listening ? -ENOTCONN : -EINVAL; /* no urgent data is waiting */
    ssize_t n = recv_stream(sk, &to, flags);
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
