/* fd.c - the table of descriptors: dup, close, fcntl, and what all kinds of files share. */
#include "posix/posix.h"

#include <stdlib.h>
#include <limits.h>
#include <unistd.h>

#include "posix/pipe.h"

enum { SETTABLE = O_APPEND | O_ASYNC | O_DIRECT | O_NOATIME | O_NONBLOCK };

/* ---- the table ------------------------------------------------------------------------------- */

static bool in_use(const tern_sockets *p, int fd)
{
    return fd >= 0 && fd < p->fds_size && p->fds[fd].file != NULL;
}

struct file *fd_get(tern_sockets *p, int fd)
{
    if (!in_use(p, fd))
        return NULL;
    p->fds[fd].file->refs++;
    return p->fds[fd].file;
}

void file_init(struct file *f, enum file_kind kind, int flags)
{
    f->kind = kind;
    f->refs = 1;
    f->flags = flags;
    f->watches = NULL;
}

void file_put(tern_sockets *p, struct file *f)
{
    if (--f->refs > 0)
        return;
    epoll_forget(f);
    switch (f->kind) {
    case FILE_SOCKET:
        sock_free((struct sock *)f);
        break;
    case FILE_EPOLL:
        epoll_free(p, (struct epoll *)f);
        break;
    default:
        pipe_free(p, f);
        break;
    }
}

static int lowest_free(const tern_sockets *p, int least)
{
    for (int fd = least; fd < p->fds_size; fd++)
        if (p->fds[fd].file == NULL && !p->fds[fd].reserved)
            return fd;
    return -EMFILE;
}

int fd_reserve(tern_sockets *p)
{
    int fd = lowest_free(p, 0);
    if (fd >= 0)
        p->fds[fd].reserved = true;
    return fd;
}

void fd_install(tern_sockets *p, int fd, struct file *f, bool cloexec)
{
    p->fds[fd] = (struct descriptor){.file = f, .cloexec = cloexec};
}

void fd_unreserve(tern_sockets *p, int fd) { p->fds[fd].reserved = false; }

int fd_new(tern_sockets *p, struct file *f, int least, bool cloexec)
{
    int fd = lowest_free(p, least);
    if (fd >= 0)
        fd_install(p, fd, f, cloexec);
    else
        file_put(p, f);
    return fd;
}

int fd_close(tern_sockets *p, int fd)
{
    struct file *f = p->fds[fd].file;
    int err = 0;

    p->fds[fd].file = NULL;
    if (f->refs == 1 && f->kind == FILE_SOCKET)
        err = sock_linger((struct sock *)f);
    file_put(p, f);
    return err;
}

/* ---- calls ----------------------------------------------------------------------------------- */

int tern_socket_close(tern_sockets *p, int fd) { return in_use(p, fd) ? fd_close(p, fd) : -EBADF; }

static int duplicate(tern_sockets *p, int fd, int least, bool cloexec)
{
    struct file *f = fd_get(p, fd);
    return f != NULL ? fd_new(p, f, least, cloexec) : -EBADF;
}

int tern_socket_dup(tern_sockets *p, int fd) { return duplicate(p, fd, 0, false); }

int tern_socket_dup3(tern_sockets *p, int fd, int to, int flags)
{
    if (flags & ~O_CLOEXEC || fd == to)
        return -EINVAL;
    if (to < 0 || to >= p->fds_size)
        return -EBADF;
    struct file *f = fd_get(p, fd);
    if (f == NULL)
        return -EBADF;
    if (p->fds[to].reserved) {
        file_put(p, f);
        return -EBUSY;
    }
    if (in_use(p, to))
        fd_close(p, to);
    fd_install(p, to, f, (flags & O_CLOEXEC) != 0);
    return to;
}

int tern_socket_dup2(tern_sockets *p, int fd, int to)
{
    if (fd == to)
        return in_use(p, fd) ? fd : -EBADF;
    return tern_socket_dup3(p, fd, to, 0);
}

int tern_socket_fcntl(tern_sockets *p, int fd, int cmd, intptr_t arg)
{
    if (!in_use(p, fd))
        return -EBADF;
    struct descriptor *d = &p->fds[fd];
    switch (cmd) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
        if (arg < 0 || arg >= p->fds_size)
            return -EINVAL;
        return duplicate(p, fd, (int)arg, cmd == F_DUPFD_CLOEXEC);
    case F_GETFD:
        return d->cloexec ? FD_CLOEXEC : 0;
    case F_SETFD:
        d->cloexec = (arg & FD_CLOEXEC) != 0;
        return 0;
    case F_GETFL:
        return d->file->flags;
    case F_SETFL:
        if (arg & O_DIRECT && d->file->kind == FILE_SOCKET)
            return -EINVAL;
        d->file->flags = (d->file->flags & ~SETTABLE) | ((int)arg & SETTABLE);
        return 0;
    case F_GETPIPE_SZ:
    case F_SETPIPE_SZ:
        return pipe_size(d->file, cmd == F_SETPIPE_SZ ? (int)arg : -1);
    default:
        return -EINVAL;
    }
}

/* ---- reading and writing whatever it is ------------------------------------------------------ */

ssize_t iov_length(const struct iovec *iov, size_t n)
{
    size_t sum = 0;

    if (n > 1024)
        return -EINVAL;
    for (size_t i = 0; i < n; i++) {
        if (iov[i].iov_len > SSIZE_MAX || sum + iov[i].iov_len > SSIZE_MAX)
            return -EINVAL;
        sum += iov[i].iov_len;
    }
    return (ssize_t)sum;
}

ssize_t file_readv(tern_sockets *p, struct file *f, const struct iovec *iov, int n)
{
    ssize_t len = n < 0 ? -EINVAL : iov_length(iov, (size_t)n);
    struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)n};

    if ((f->flags & O_ACCMODE) == O_WRONLY)
        return -EBADF;
    if (len < 0)
        return len;
    switch (f->kind) {
    case FILE_SOCKET:
        return len != 0 ? sock_recv((struct sock *)f, &msg, 0) : 0;
    case FILE_EPOLL:
        return -EINVAL;
    default:
        return pipe_readv(p, f, iov, n);
    }
}

ssize_t file_writev(tern_sockets *p, struct file *f, const struct iovec *iov, int n)
{
    ssize_t len = n < 0 ? -EINVAL : iov_length(iov, (size_t)n);
    struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)n};

    if ((f->flags & O_ACCMODE) == O_RDONLY)
        return -EBADF;
    if (len < 0)
        return len;
    switch (f->kind) {
    case FILE_SOCKET:
        return sock_send((struct sock *)f, &msg, 0);
    case FILE_EPOLL:
        return -EINVAL;
    default:
        return pipe_writev(p, f, iov, n);
    }
}

ssize_t tern_socket_readv(tern_sockets *p, int fd, const struct iovec *iov, int n)
{
    struct file *f = fd_get(p, fd);
    if (f == NULL)
        return -EBADF;
    ssize_t result = file_readv(p, f, iov, n);
    file_put(p, f);
    return result;
}

ssize_t tern_socket_writev(tern_sockets *p, int fd, const struct iovec *iov, int n)
{
    struct file *f = fd_get(p, fd);
    if (f == NULL)
        return -EBADF;
    ssize_t result = file_writev(p, f, iov, n);
    file_put(p, f);
    return result;
}

ssize_t tern_socket_read(tern_sockets *p, int fd, void *buf, size_t len)
{
    return tern_socket_readv(p, fd, &(struct iovec){buf, len}, 1);
}

ssize_t tern_socket_write(tern_sockets *p, int fd, const void *buf, size_t len)
{
    return tern_socket_writev(p, fd, &(struct iovec){(void *)(uintptr_t)buf, len}, 1);
}

uint32_t file_poll(tern_sockets *p, struct file *f)
{
    switch (f->kind) {
    case FILE_SOCKET:
        return sock_poll((struct sock *)f);
    case FILE_EPOLL:
        return epoll_poll(p, (struct epoll *)f);
    default:
        return pipe_poll(f);
    }
}
