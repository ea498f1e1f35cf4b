/* send.c - everything that writes to a socket. */
#include "posix/posix.h"

#include <netinet/in.h>
#include <string.h>

#include "posix/errq.h"
#include "posix/msg.h"

/* ---- waiting --------------------------------------------------------------------------------- */

/* When a send gives up waiting: now, after SO_SNDTIMEO, or never. */
static uint64_t deadline(const struct sock *sk, int flags)
{
    if (!file_blocks(&sk->file, flags))
        return sk->p->now;
    return sk->opts.sndtimeo == TERN_NEVER ? TERN_NEVER : sk->p->now + sk->opts.sndtimeo;
}

/* Until the handshake is over: 0, or why nothing can be sent. */
static int await_open(struct sock *sk, uint64_t until)
{
    tern_tcp_info info;
    int state;

    while (!STATE_IN((state = sock_state(sk, &info)), S(ESTABLISHED) | S(CLOSE_WAIT)) &&
           !sock_fast_child(state, &info)) {
        int err = sock_error(sk);
        if (err != 0)
            return err;
        if (!STATE_IN(state, S(SYN_SENT) | S(SYN_RECV)))
            return -EPIPE;
        err = posix_wait(sk->p, until);
        if (err != 0)
            return err;
    }
    return 0;
}

static bool broken(const struct sock *sk)
{
    return sk->err != 0 || sock_shut(sk, sock_state(sk, NULL)) & SHUT_SND;
}

static int broken_errno(struct sock *sk)
{
    int err = sock_error(sk);
    return err != 0 ? err : -EPIPE;
}

/* Until there is enough room to go on, as Linux sees it. */
static int await_room(struct sock *sk, uint64_t until)
{
    for (;;) {
        int err = posix_wait(sk->p, until);
        if (err != 0)
            return err;
        if (broken(sk))
            return broken_errno(sk);
        if (sock_poll(sk) & EPOLLOUT)
            return 0;
    }
}

/* ---- data ------------------------------------------------------------------------------------ */

/* How much of `len` may be queued now: all of it, unless TCP_NOTSENT_LOWAT is set. Linux looks at
 * its limit when it begins a buffer, which is as large as half the peer's window, and fills those
 * that it has begun; what cwnd and the window let go at once is as good as sent, as it will be by
 * the time anybody looks. */
static size_t allowance(const struct sock *sk, size_t len)
{
    enum { LARGEST = 65535 - 100 }; /* headers and all */
    uint64_t lowat = sock_notsent_lowat(sk);
    tern_tcp_info info;

    if (lowat == UINT32_MAX)
        return len;
    sock_state(sk, &info);
    uint32_t flight = info.snd_nxt - info.snd_una;
    uint32_t limit = info.cwnd < info.snd_wnd ? info.cwnd : info.snd_wnd;
    uint32_t goes = limit > flight ? limit - flight : 0;
    uint32_t stays = info.tx_unsent > goes ? info.tx_unsent - goes : 0;
    uint32_t mss = info.snd_mss != 0 ? info.snd_mss : 1, half = info.snd_wnd / 2;
    uint32_t buffer = half < (uint32_t)LARGEST ? half : (uint32_t)LARGEST;
    buffer = buffer < mss ? mss : buffer - buffer % mss;
    uint32_t begun = stays % buffer;
    if (stays >= lowat && begun == 0)
        return 0;
    return len < buffer - begun ? len : buffer - begun;
}

static ptrdiff_t queue(struct sock *sk, const void *buf, size_t len)
{
    size_t n = allowance(sk, len);
    if (n == 0) {
        tern_arm(sk->p->conf.stack, sk->k, TERN_EV_WRITE);
        return TERN_EAGAIN;
    }
    return tern_send(sk->p->conf.stack, sk->k, buf, n);
}

/* Sends one piece of memory: bytes taken, or -errno if none. */
static ssize_t send_piece(struct sock *sk, const uint8_t *buf, size_t len, uint64_t until)
{
    size_t done = 0;
    int err = 0;

    while (done < len && err == 0) {
        if (broken(sk)) {
            err = done != 0 ? -EPIPE : broken_errno(sk);
            break;
        }
        ptrdiff_t n = queue(sk, buf + done, len - done);
        if (n >= 0)
            done += (size_t)n;
        else if (n == TERN_EAGAIN || n == TERN_ELIMIT || n == TERN_ENOMEM)
            err = await_room(sk, until);
        else
            err = -posix_errno((int)n);
    }
    return done != 0 ? (ssize_t)done : err;
}

/* MSG_MORE is TCP_CORK for this call; the next one without it lets go. */
static void cork(struct sock *sk, bool more)
{
    if (more == sk->more || sk->opts.cork)
        return;
    sk->more = more;
    (void)tern_option_set(sk->p->conf.stack, sk->k, TERN_OPT_CORK, more);
}

/* Sends what comes after the first `skip` bytes. */
static ssize_t send_all(struct sock *sk, const struct msghdr *msg, size_t skip, int flags,
                        uint64_t until)
{
    ssize_t done = 0;
    size_t i;

    if (flags & MSG_MORE)
        cork(sk, true);
    for (i = 0; i < msg->msg_iovlen; i++) {
        const struct iovec *v = &msg->msg_iov[i];
        size_t off = skip < v->iov_len ? skip : v->iov_len, len = v->iov_len - off;
        skip -= off;
        if (len == 0)
            continue;
        ssize_t n = v->iov_base != NULL
                        ? send_piece(sk, (const uint8_t *)v->iov_base + off, len, until)
                        : -EFAULT;
        if (n > 0 && flags & MSG_OOB)
            (void)tern_option_set(sk->p->conf.stack, sk->k, TERN_OPT_URGENT, 1);
        if (n < 0) {
            done = done != 0 ? done : n;
            break;
        }
        done += n;
        if ((size_t)n < len)
            break;
    }
    if (flags & MSG_EOR && done > 0 && i == msg->msg_iovlen) /* all of it */
        (void)tern_option_set(sk->p->conf.stack, sk->k, TERN_OPT_EOR, 1);
    if (!(flags & MSG_MORE) && done > 0)
        cork(sk, false);
    return done;
}

/* In the kernel's order: whether it is connected, what is attached, whether it may be written. */
static ssize_t may_send(struct sock *sk, const struct msghdr *msg, uint64_t until,
                        uint32_t *tsflags)
{
    ssize_t err = await_open(sk, until);

    if (err == 0)
        err = msg_send_control(msg, tsflags);
    if (err == 0 && broken(sk))
        err = broken_errno(sk);
    return err;
}

ssize_t sock_send(struct sock *sk, const struct msghdr *msg, int flags)
{
    uint64_t until = deadline(sk, flags);
    uint32_t tsflags = (uint32_t)sk->opts.timestamping;
    ssize_t err = 0;
    size_t on_syn = 0;

    if (flags & MSG_FASTOPEN || sk->deferred) {
        err = sock_connect_fast(sk, msg, flags, &on_syn);
        if (err != 0 && (err != -EINPROGRESS || on_syn == 0))
            return err;
    }
    ssize_t n = err == 0 ? may_send(sk, msg, until, &tsflags) : 0;
    if (err == 0 && n == 0)
        n = send_all(sk, msg, on_syn, flags, until);
    if (n < 0 && on_syn == 0)
        return n;
    n = (n > 0 ? n : 0) + (ssize_t)on_syn;
    if (n > 0)
        errq_sent(sk, (size_t)n, flags & MSG_ZEROCOPY && sk->opts.zerocopy, tsflags);
    return n;
}

/* ---- calls ----------------------------------------------------------------------------------- */

ssize_t tern_socket_sendmsg(tern_sockets *p, int fd, const struct msghdr *msg, int flags)
{
    int err;
    struct sock *sk = sock_get(p, fd, &err);
    if (sk == NULL)
        return err;
    ssize_t n = iov_length(msg->msg_iov, msg->msg_iovlen);
    if (msg->msg_iovlen > 1024)
        n = -EMSGSIZE;
    if (n >= 0)
        n = sock_send(sk, msg, flags);
    sock_put(sk);
    return n;
}

ssize_t tern_socket_sendto(tern_sockets *p, int fd, const void *buf, size_t len,
                           const struct tern_sendto *more)
{
    struct iovec v = {(void *)(uintptr_t)buf, len};
    struct msghdr msg = {.msg_name = more->addr, .msg_iov = &v, .msg_iovlen = 1};
    if (more->addr != NULL)
        msg.msg_namelen = more->len;
    return tern_socket_sendmsg(p, fd, &msg, more->flags);
}

ssize_t tern_socket_send(tern_sockets *p, int fd, const void *buf, size_t len, int flags)
{
    return tern_socket_sendto(p, fd, buf, len, &(struct tern_sendto){.flags = flags});
}
