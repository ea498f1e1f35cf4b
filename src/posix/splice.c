/* splice.c - moving bytes between pipes, sockets and files of the host without the caller's memory:
 * splice() and sendfile(), with the order of checks and the way of waiting that Linux has. */
#include "posix/pipe.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { PIECE = 65536, MOVE = 1, NO_WAIT = 2, MORE = 4, GIFT = 8 }; /* SPLICE_F_* */

struct move {
    tern_sockets *p;
    struct file *in, *out;
    int64_t *off_in, *off_out;
    bool no_wait, more;
};

static bool is_pipe(const struct file *f)
{
    return f->kind == FILE_PIPE_READ || f->kind == FILE_PIPE_WRITE;
}

static bool may_read(const struct file *f)
{
    return f->kind != FILE_PIPE_WRITE && (f->flags & O_ACCMODE) != O_WRONLY;
}

static bool may_write(const struct file *f)
{
    return f->kind == FILE_SOCKET || f->kind == FILE_PIPE_WRITE ||
           (f->kind == FILE_HOST && (f->flags & O_ACCMODE) != O_RDONLY);
}

/* From a socket or a file: up to `len` bytes, 0 at the end, or -errno. */
static ssize_t fetch(const struct move *m, uint8_t *to, size_t len)
{
    struct iovec v = {to, len};
    struct msghdr msg = {.msg_iov = &v, .msg_iovlen = 1};

    if (m->in->kind == FILE_SOCKET)
        return sock_recv((struct sock *)m->in, &msg, 0);
    if (m->in->kind != FILE_HOST)
        return -EINVAL;
    if (m->off_in == NULL)
        return pipe_readv(m->p, m->in, &v, 1);
    ssize_t n = pread(pipe_host_fd(m->in), to, len, *m->off_in);
    if (n < 0)
        return -errno;
    *m->off_in += n;
    return n;
}

/* To a socket or a file: how many of them, or -errno. */
static ssize_t deliver(const struct move *m, const uint8_t *from, size_t len, bool more)
{
    struct iovec v = {(void *)(uintptr_t)from, len};
    struct msghdr msg = {.msg_iov = &v, .msg_iovlen = 1};

    if (m->out->kind == FILE_SOCKET)
        return sock_send((struct sock *)m->out, &msg, more ? MSG_MORE : 0);
    if (m->out->kind != FILE_HOST || m->out->flags & O_APPEND)
        return -EINVAL;
    if (m->off_out == NULL)
        return pipe_writev(m->p, m->out, &v, 1);
    ssize_t n = pwrite(pipe_host_fd(m->out), from, len, *m->off_out);
    if (n < 0)
        return -errno;
    *m->off_out += n;
    return n;
}

static ssize_t into_pipe(const struct move *m, size_t len)
{
    uint8_t buf[PIECE];
    int room = pipe_await_space(m->p, m->out, m->no_wait);

    if (room < 0)
        return room;
    len = len < (size_t)room ? len : (size_t)room;
    ssize_t n = fetch(m, buf, len < sizeof buf ? len : sizeof buf);
    if (n > 0) /* (a wait for a socket's bytes has taken no room of the pipe: nobody else writes) */
        pipe_put(m->out, buf, (size_t)n);
    return n;
}

/* What is in the pipe goes; only the first bytes are waited for. */
static ssize_t out_of_pipe(const struct move *m, size_t len)
{
    const uint8_t *at;
    size_t done = 0;

    while (done < len) {
        int any = pipe_await_bytes(m->p, m->in, m->no_wait || done != 0);
        if (any <= 0)
            return done != 0 ? (ssize_t)done : any;
        size_t n = pipe_front(m->in, &at), left = len - done;
        bool rest = n < left && pipe_holds(m->in) > n;
        n = n < left ? n : left;
        ssize_t sent = deliver(m, at, n, m->more || rest);
        if (sent <= 0)
            return done != 0 ? (ssize_t)done : sent;
        pipe_consume(m->in, (size_t)sent);
        done += (size_t)sent;
        if ((size_t)sent < n)
            break;
    }
    return (ssize_t)done;
}

static ssize_t between_pipes(const struct move *m, size_t len)
{
    const uint8_t *at;

    if (pipe_same(m->in, m->out))
        return -EINVAL;
    int room = pipe_await_space(m->p, m->out, m->no_wait);
    if (room < 0)
        return room;
    int any = pipe_await_bytes(m->p, m->in, m->no_wait);
    if (any <= 0)
        return any;
    size_t n = pipe_front(m->in, &at);
    n = n < len ? n : len;
    n = n < (size_t)room ? n : (size_t)room;
    pipe_put(m->out, at, n);
    pipe_consume(m->in, n);
    return (ssize_t)n;
}

/* In the kernel's order. */
static ssize_t splice_files(const struct move *m, size_t len)
{
    bool from = is_pipe(m->in), to = is_pipe(m->out);

    if ((from && m->off_in != NULL) || (to && m->off_out != NULL))
        return -ESPIPE;
    if (!may_read(m->in) || !may_write(m->out))
        return -EBADF;
    if (from && to)
        return between_pipes(m, len);
    if (from)
        return m->off_out != NULL && m->out->kind != FILE_HOST ? -EINVAL : out_of_pipe(m, len);
    if (to)
        return m->off_in != NULL && m->in->kind != FILE_HOST ? -EINVAL : into_pipe(m, len);
    return -EINVAL;
}

ssize_t tern_socket_splice(tern_sockets *p, const struct tern_splice *s, size_t len, unsigned flags)
{
    struct move m = {.p = p, .off_in = s->off_in, .off_out = s->off_out};
    ssize_t n = -EBADF;

    if (len == 0)
        return 0;
    if (flags & ~(unsigned)(MOVE | NO_WAIT | MORE | GIFT))
        return -EINVAL;
    m.more = (flags & MORE) != 0;
    m.in = fd_get(p, s->in);
    m.out = fd_get(p, s->out);
    if (m.in != NULL && m.out != NULL) {
        m.no_wait = flags & NO_WAIT || (is_pipe(m.in) && m.in->flags & O_NONBLOCK) ||
                    (is_pipe(m.out) && m.out->flags & O_NONBLOCK);
        n = splice_files(&m, len);
    }
    if (m.in != NULL)
        file_put(p, m.in);
    if (m.out != NULL)
        file_put(p, m.out);
    return n;
}

/* A file's bytes, a piece at a time; as long as there are more of them, a socket is told so. */
static ssize_t send_file(struct move *m, size_t len)
{
    uint8_t buf[PIECE + 1];
    size_t done = 0;
    int64_t at = m->off_in != NULL ? *m->off_in : lseek(pipe_host_fd(m->in), 0, SEEK_CUR);
    ssize_t sent = 0;

    while (done < len) {
        size_t left = len - done, want = left < PIECE ? left : PIECE;
        ssize_t n = pread(pipe_host_fd(m->in), buf, want + 1, at);
        if (n <= 0) {
            sent = n < 0 ? -errno : 0;
            break;
        }
        size_t have = (size_t)n < want ? (size_t)n : want;
        sent = is_pipe(m->out) ? pipe_await_space(m->p, m->out, m->no_wait) : 0;
        if (sent > 0) {
            have = have < (size_t)sent ? have : (size_t)sent;
            pipe_put(m->out, buf, have);
            sent = (ssize_t)have;
        } else if (sent == 0) {
            sent = deliver(m, buf, have, have < left && (size_t)n > have);
        }
        if (sent <= 0)
            break;
        done += (size_t)sent;
        at += sent;
        if ((size_t)sent < have)
            break;
    }
    if (m->off_in != NULL)
        *m->off_in = at;
    else
        (void)lseek(pipe_host_fd(m->in), at, SEEK_SET);
    return done != 0 ? (ssize_t)done : sent;
}

ssize_t tern_socket_sendfile(tern_sockets *p, int out, int in, int64_t *offset, size_t len)
{
    struct move m = {.p = p, .in = fd_get(p, in), .out = fd_get(p, out), .off_in = offset};
    ssize_t n;

    if (m.in == NULL || !may_read(m.in))
        n = -EBADF;
    else if (offset != NULL && m.in->kind != FILE_HOST)
        n = -ESPIPE;
    else if (offset != NULL && *offset < 0)
        n = -EINVAL;
    else if (m.out == NULL || !may_write(m.out))
        n = -EBADF;
    else
        n = m.in->kind == FILE_HOST ? send_file(&m, len) : -EINVAL;
    if (m.in != NULL)
        file_put(p, m.in);
    if (m.out != NULL)
        file_put(p, m.out);
    return n;
}
