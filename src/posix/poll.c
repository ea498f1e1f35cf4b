/* poll.c - poll() and select(). */
#include "posix/posix.h"

#include <string.h>

/* ---- poll ------------------------------------------------------------------------------------ */

static int poll_once(tern_sockets *p, struct pollfd *fds, nfds_t n)
{
    int found = 0;

    for (nfds_t i = 0; i < n; i++) {
        fds[i].revents = 0;
        if (fds[i].fd < 0)
            continue;
        struct file *f = fd_get(p, fds[i].fd);
        uint32_t mask = POLLNVAL;
        if (f != NULL) {
            uint32_t wanted = (uint16_t)fds[i].events | POLLERR | POLLHUP;
            mask = file_poll(p, f) & wanted;
            file_put(p, f);
        }
        fds[i].revents = (short)mask;
        found += mask != 0;
    }
    return found;
}

int tern_socket_poll(tern_sockets *p, struct pollfd *fds, nfds_t n, int timeout_ms)
{
    uint64_t until = posix_after_ms(p, timeout_ms);

    if (n > (nfds_t)p->fds_size)
        return -EINVAL;
    for (;;) {
        int found = poll_once(p, fds, n);
        if (found != 0)
            return found;
        int err = posix_wait(p, until);
        if (err != 0)
            return err == -EAGAIN ? 0 : err;
    }
}

/* ---- select ---------------------------------------------------------------------------------- */

/* What each of the three sets means, as in fs/select.c's tables. */
static const struct {
    uint32_t mask;
} sets[3] = {
    {EPOLLRDNORM | EPOLLRDBAND | EPOLLIN | EPOLLHUP | EPOLLERR},
    {EPOLLWRBAND | EPOLLWRNORM | EPOLLOUT | EPOLLERR},
    {EPOLLPRI},
};

static int select_once(tern_sockets *p, int n, fd_set *const in[3], fd_set out[3])
{
    int found = 0;

    for (int s = 0; s < 3; s++)
        FD_ZERO(&out[s]);
    for (int fd = 0; fd < n; fd++) {
        bool asked = false;
        for (int s = 0; s < 3; s++)
            asked = asked || (in[s] != NULL && FD_ISSET(fd, in[s]));
        if (!asked)
            continue;
        struct file *f = fd_get(p, fd);
        if (f == NULL)
            return -EBADF;
        uint32_t mask = file_poll(p, f);
        file_put(p, f);
        for (int s = 0; s < 3; s++) {
            if (in[s] != NULL && FD_ISSET(fd, in[s]) && mask & sets[s].mask) {
                FD_SET(fd, &out[s]);
                found++;
            }
        }
    }
    return found;
}

static void store_rest(const tern_sockets *p, struct timeval *t, uint64_t until)
{
    uint64_t left = until > p->now ? until - p->now : 0;
    t->tv_sec = (time_t)(left / NS_PER_S);
    t->tv_usec = (suseconds_t)(left % NS_PER_S / NS_PER_US);
}

int tern_socket_select(tern_sockets *p, const struct tern_select *args)
{
    fd_set *const in[3] = {args->read, args->write, args->except};
    const struct timeval *t = args->timeout;
    uint64_t until = TERN_NEVER;
    fd_set out[3];
    int found, err = 0;

    if (args->n < 0)
        return -EINVAL;
    if (t != NULL && (t->tv_sec < 0 || t->tv_usec < 0))
        return -EINVAL;
    if (t != NULL)
        until = p->now + (uint64_t)t->tv_sec * NS_PER_S + (uint64_t)t->tv_usec * NS_PER_US;
    int n = args->n < p->fds_size ? args->n : p->fds_size;
    n = n < FD_SETSIZE ? n : FD_SETSIZE;
    while ((found = select_once(p, n, in, out)) == 0 && err == 0)
        err = posix_wait(p, until);
    if (found < 0)
        return found;
    if (args->timeout != NULL)
        store_rest(p, args->timeout, until);
    if (err != 0 && err != -EAGAIN)
        return err;
    for (int s = 0; s < 3; s++)
        if (in[s] != NULL)
            *in[s] = out[s];
    return found;
}
