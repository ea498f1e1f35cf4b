/* mmsg.c - recvmmsg() and sendmmsg(): several messages by one call. */
#include <time.h>

#include "posix/posix.h"

enum { MESSAGES_MAX = 1024 }; /* further ones are left for another call, as in Linux */

int tern_socket_sendmmsg(tern_sockets *p, int fd, const struct tern_mmsg *args)
{
    unsigned most = args->n < MESSAGES_MAX ? args->n : MESSAGES_MAX, done = 0;
    int err;
    struct sock *sk = sock_get(p, fd, &err);

    if (sk == NULL)
        return err;
    for (; done < most; done++) {
        struct tern_mmsghdr *m = &args->msgs[done];
        ssize_t len = iov_length(m->msg_hdr.msg_iov, m->msg_hdr.msg_iovlen);
        ssize_t n = tern_socket_sendmsg(p, fd, &m->msg_hdr, args->flags);
        if (n < 0) {
            err = (int)n;
            break;
        }
        m->msg_len = (unsigned)n;
        if (n < len) { /* there is no room: that was the last */
            done++;
            break;
        }
    }
    sock_put(sk);
    return done != 0 || most == 0 ? (int)done : err;
}

/* Linux looks at the time between messages only. */
static int receive(struct sock *sk, int fd, const struct tern_mmsg *args, uint64_t until)
{
    unsigned most = args->n < MESSAGES_MAX ? args->n : MESSAGES_MAX, done = 0;
    int flags = args->flags & ~MSG_WAITFORONE, err = sock_error(sk);

    while (err == 0 && done < most) {
        struct tern_mmsghdr *m = &args->msgs[done];
        ssize_t n = tern_socket_recvmsg(sk->p, fd, &m->msg_hdr, flags);
        if (n < 0) {
            err = (int)n;
            break;
        }
        m->msg_len = (unsigned)n;
        done++;
        if (args->flags & MSG_WAITFORONE)
            flags |= MSG_DONTWAIT;
        if (sk->p->now >= until || m->msg_hdr.msg_flags & MSG_OOB)
            break;
    }
    if (done == 0)
        return err;
    if (err != 0 && err != -EAGAIN)
        sk->err = -err; /* for the next call */
    return (int)done;
}

int tern_socket_recvmmsg(tern_sockets *p, int fd, const struct tern_mmsg *args)
{
    struct timespec *t = args->timeout;
    uint64_t until = TERN_NEVER;
    int err;

    if (t != NULL && (t->tv_sec < 0 || t->tv_nsec < 0 || t->tv_nsec >= (long)NS_PER_S))
        return -EINVAL;
    if (t != NULL)
        until = p->now + (uint64_t)t->tv_sec * NS_PER_S + (uint64_t)t->tv_nsec;
    struct sock *sk = sock_get(p, fd, &err);
    if (sk == NULL)
        return err;
    int n = receive(sk, fd, args, until);
    if (n > 0 && t != NULL) {
        uint64_t left = until > p->now ? until - p->now : 0;
        t->tv_sec = (time_t)(left / NS_PER_S);
        t->tv_nsec = (long)(left % NS_PER_S);
    }
    sock_put(sk);
    return n;
}
