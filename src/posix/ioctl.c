/* ioctl.c - FIONBIO for any file, and how much is queued in a socket. */
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "posix/pipe.h"

/* A FIN that is not acknowledged counts as a byte. */
static int fin_waits(int state)
{
    return STATE_IN(state, S(FIN_WAIT1) | S(CLOSING) | S(LAST_ACK)) != 0;
}

static int sock_ioctl(struct sock *sk, unsigned long request, int *out)
{
    tern_tcp_info info;
    tern_urgent u = {0};
    int state = sock_state(sk, &info);
    bool urgent = sock_urgent(sk, &u);

    switch (request) {
    case SIOCINQ: /* FIONREAD */
        if (sk->listening)
            return -EINVAL;
        *out = state == LINUX_SYN_SENT || state == LINUX_SYN_RECV ? 0 : (int)info.rx_queued;
        if (urgent && !sk->opts.oob_inline && u.ahead < (uint32_t)*out)
            *out = (int)u.ahead; /* what one read can give */
        return 0;
    case SIOCATMARK:
        *out = urgent && u.ahead == 0;
        return 0;
    case SIOCOUTQ: /* TIOCOUTQ */
        if (sk->listening)
            return -EINVAL;
        *out = state == LINUX_SYN_SENT || state == LINUX_SYN_RECV ? 0 : (int)info.tx_queued;
        *out += fin_waits(state);
        return 0;
    case SIOCOUTQNSD:
        if (sk->listening)
            return -EINVAL;
        *out = state == LINUX_SYN_SENT || state == LINUX_SYN_RECV ? 0 : (int)info.tx_unsent;
        if (info.snd_nxt - info.snd_una == info.tx_queued - info.tx_unsent)
            *out += fin_waits(state); /* it has not been sent */
        return 0;
    default:
        return -ENOTTY;
    }
}

static int file_ioctl(tern_sockets *p, int fd, struct file *f, unsigned long request, void *arg)
{
    int value = 0, err = -ENOTTY;

    switch (request) {
    case FIOCLEX:
    case FIONCLEX:
        p->fds[fd].cloexec = request == FIOCLEX;
        return 0;
    case FIONBIO:
        if (arg == NULL)
            return -EFAULT;
        f->flags = *(const int *)arg ? f->flags | O_NONBLOCK : f->flags & ~O_NONBLOCK;
        return 0;
    default:
        break;
    }
    if (f->kind == FILE_EPOLL)
        err = -EINVAL; /* which has requests of its own */
    else if (f->kind == FILE_SOCKET)
        err = sock_ioctl((struct sock *)f, request, &value);
    else if (request == FIONREAD)
        err = pipe_queued(f, &value);
    if (err == 0 && arg == NULL)
        err = -EFAULT;
    if (err == 0)
        *(int *)arg = value;
    return err;
}

int tern_socket_ioctl(tern_sockets *p, int fd, unsigned long request, void *arg)
{
    struct file *f = fd_get(p, fd);
    if (f == NULL)
        return -EBADF;
    int err = file_ioctl(p, fd, f, request, arg);
    file_put(p, f);
    return err;
}
