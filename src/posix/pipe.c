/* pipe.c - pipes (a ring of bytes with two ends), and files of the host. */
#include "posix/pipe.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PIPE_BYTES = 65536, PIPE_ATOMIC = 4096, PIPE_MOST = 1 << 20 };

struct ring {
    uint8_t *data;
    size_t size, head, count; /* where the oldest byte is; how many there are */
    struct pipe_end *ends[2]; /* reading, writing; NULL: closed */
};

struct pipe_end {
    struct file file; /* first */
    struct ring *ring;
};

struct host_file {
    struct file file; /* first */
    int fd;           /* the host's */
};

static struct ring *ring_of(const struct file *f) { return ((const struct pipe_end *)f)->ring; }

/* ---- life ------------------------------------------------------------------------------------ */

static struct pipe_end *end_new(struct ring *r, enum file_kind kind, int flags)
{
    struct pipe_end *end = calloc(1, sizeof *end);

    if (end == NULL)
        return NULL;
    file_init(&end->file, kind, flags);
    end->ring = r;
    r->ends[kind == FILE_PIPE_WRITE] = end;
    return end;
}

static void end_free(struct pipe_end *end)
{
    struct ring *r = end->ring;
    bool write = end->file.kind == FILE_PIPE_WRITE;

    r->ends[write] = NULL;
    if (r->ends[!write] != NULL) {
        file_wake(&r->ends[!write]->file, 0);
    } else {
        free(r->data);
        free(r);
    }
    free(end);
}

void pipe_free(tern_sockets *p, struct file *f)
{
    (void)p;
    if (f->kind == FILE_HOST) {
        close(((struct host_file *)f)->fd);
        free(f);
    } else {
        end_free((struct pipe_end *)f);
    }
}

int tern_socket_pipe2(tern_sockets *p, int fds[2], int flags)
{
    bool cloexec = (flags & O_CLOEXEC) != 0;

    if (flags & ~(O_CLOEXEC | O_NONBLOCK))
        return -EINVAL;
    struct ring *r = calloc(1, sizeof *r);
    if (r == NULL || (r->data = malloc(PIPE_BYTES)) == NULL) {
        free(r);
        return -ENOMEM;
    }
    r->size = PIPE_BYTES;
    struct pipe_end *in = end_new(r, FILE_PIPE_READ, O_RDONLY | (flags & O_NONBLOCK));
    struct pipe_end *out = end_new(r, FILE_PIPE_WRITE, O_WRONLY | (flags & O_NONBLOCK));
    if (in == NULL || out == NULL) {
        free(in);
        free(out);
        free(r->data);
        free(r);
        return -ENOMEM;
    }
    int first = fd_new(p, &in->file, 0, cloexec);
    if (first < 0) {
        end_free(out);
        return first;
    }
    int second = fd_new(p, &out->file, 0, cloexec);
    if (second < 0) {
        fd_close(p, first);
        return second;
    }
    fds[0] = first;
    fds[1] = second;
    return 0;
}

int tern_socket_open(tern_sockets *p, const char *path, int flags, mode_t mode)
{
    struct host_file *h = calloc(1, sizeof *h);

    if (h == NULL)
        return -ENOMEM;
    h->fd = open(path, flags | O_CLOEXEC, mode);
    if (h->fd < 0) {
        int err = -errno;
        free(h);
        return err;
    }
    file_init(&h->file, FILE_HOST, flags & ~(O_CLOEXEC | O_CREAT | O_EXCL | O_TRUNC | O_NOCTTY));
    return fd_new(p, &h->file, 0, (flags & O_CLOEXEC) != 0);
}

int pipe_size(struct file *f, int size)
{
    if (f->kind != FILE_PIPE_READ && f->kind != FILE_PIPE_WRITE)
        return -EBADF;
    struct ring *r = ring_of(f);
    if (size < 0)
        return (int)r->size;
    size_t want = PIPE_ATOMIC;
    while (want < (size_t)size && want < PIPE_MOST)
        want *= 2;
    if ((size_t)size > want)
        return -EPERM;
    if (want < r->count)
        return -EBUSY;
    uint8_t *data = malloc(want);
    if (data == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < r->count; i++)
        data[i] = r->data[(r->head + i) % r->size];
    free(r->data);
    r->data = data;
    r->size = want;
    r->head = 0;
    return (int)want;
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static void ring_write(struct ring *r, const uint8_t *from, size_t len)
{
    while (len != 0) {
        size_t at = (r->head + r->count) % r->size;
        size_t n = r->size - at < len ? r->size - at : len;
        memcpy(r->data + at, from, n);
        r->count += n;
        from += n;
        len -= n;
    }
}

/* The oldest bytes in one piece. */
static size_t ring_front(const struct ring *r, const uint8_t **at)
{
    *at = r->data + r->head;
    return r->size - r->head < r->count ? r->size - r->head : r->count;
}

static void ring_consume(struct ring *r, size_t len)
{
    r->head = (r->head + len) % r->size;
    r->count -= len;
    if (r->ends[1] != NULL)
        file_wake(&r->ends[1]->file, EPOLLOUT | EPOLLWRNORM);
}

static size_t ring_read(struct ring *r, uint8_t *to, size_t len)
{
    size_t done = 0;

    while (done < len && r->count != 0) {
        const uint8_t *at;
        size_t n = ring_front(r, &at);
        n = n < len - done ? n : len - done;
        memcpy(to + done, at, n);
        ring_consume(r, n);
        done += n;
    }
    return done;
}

static uint64_t until(const tern_sockets *p, const struct file *f, bool no_wait)
{
    return f->flags & O_NONBLOCK || no_wait ? p->now : TERN_NEVER;
}

int pipe_await_bytes(tern_sockets *p, struct file *f, bool no_wait)
{
    struct ring *r = ring_of(f);
    uint64_t limit = until(p, f, no_wait);

    while (r->count == 0) {
        if (r->ends[1] == NULL)
            return 0;
        int err = posix_wait(p, limit);
        if (err != 0)
            return err;
    }
    return 1;
}

/* Until there is room for `least` bytes: 0 or -errno. */
static int await_space(tern_sockets *p, struct file *f, size_t least, bool no_wait)
{
    struct ring *r = ring_of(f);
    uint64_t limit = until(p, f, no_wait);

    for (;;) {
        if (r->ends[0] == NULL)
            return -EPIPE;
        if (r->size - r->count >= least)
            return 0;
        int err = posix_wait(p, limit);
        if (err != 0)
            return err;
    }
}

int pipe_await_space(tern_sockets *p, struct file *f, bool no_wait)
{
    int err = await_space(p, f, 1, no_wait);
    return err != 0 ? err : (int)(ring_of(f)->size - ring_of(f)->count);
}

size_t pipe_front(const struct file *f, const uint8_t **at) { return ring_front(ring_of(f), at); }

size_t pipe_holds(const struct file *f) { return ring_of(f)->count; }

void pipe_consume(struct file *f, size_t len) { ring_consume(ring_of(f), len); }

void pipe_put(struct file *f, const uint8_t *from, size_t len)
{
    struct ring *r = ring_of(f);
    ring_write(r, from, len);
    if (r->ends[0] != NULL)
        file_wake(&r->ends[0]->file, EPOLLIN | EPOLLRDNORM);
}

bool pipe_same(const struct file *a, const struct file *b) { return ring_of(a) == ring_of(b); }

int pipe_host_fd(const struct file *f) { return ((const struct host_file *)f)->fd; }

static ssize_t pipe_write(tern_sockets *p, struct file *f, const uint8_t *from, size_t len)
{
    struct ring *r = ring_of(f);
    size_t done = 0;

    while (done < len) {
        size_t left = len - done;
        int err = await_space(p, f, left <= PIPE_ATOMIC ? left : 1, false);
        if (err != 0)
            return done != 0 ? (ssize_t)done : err;
        size_t n = r->size - r->count < left ? r->size - r->count : left;
        pipe_put(f, from + done, n);
        done += n;
    }
    return (ssize_t)done;
}

ssize_t pipe_readv(tern_sockets *p, struct file *f, const struct iovec *iov, int n)
{
    ssize_t done = 0;

    if (f->kind == FILE_HOST) {
        done = readv(((struct host_file *)f)->fd, iov, n);
        return done < 0 ? -errno : done;
    }
    if (iov_length(iov, (size_t)n) == 0)
        return 0;
    int err = pipe_await_bytes(p, f, false);
    if (err <= 0)
        return err;
    for (int i = 0; i < n; i++)
        done += (ssize_t)ring_read(ring_of(f), iov[i].iov_base, iov[i].iov_len);
    return done;
}

ssize_t pipe_writev(tern_sockets *p, struct file *f, const struct iovec *iov, int n)
{
    ssize_t done = 0;

    if (f->kind == FILE_HOST) {
        done = writev(((struct host_file *)f)->fd, iov, n);
        return done < 0 ? -errno : done;
    }
    for (int i = 0; i < n; i++) {
        ssize_t sent = pipe_write(p, f, iov[i].iov_base, iov[i].iov_len);
        if (sent < 0)
            return done != 0 ? done : sent;
        done += sent;
        if ((size_t)sent < iov[i].iov_len)
            break;
    }
    return done;
}

uint32_t pipe_poll(struct file *f)
{
    if (f->kind == FILE_HOST)
        return EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM;
    const struct ring *r = ring_of(f);
    if (f->kind == FILE_PIPE_READ)
        return (r->count != 0 ? EPOLLIN | EPOLLRDNORM : 0) | (r->ends[1] == NULL ? EPOLLHUP : 0);
    return (r->size - r->count >= PIPE_ATOMIC ? EPOLLOUT | EPOLLWRNORM : 0) |
           (r->ends[0] == NULL ? EPOLLERR : 0);
}

int pipe_queued(const struct file *f, int *bytes)
{
    if (f->kind != FILE_PIPE_READ && f->kind != FILE_PIPE_WRITE)
        return -ENOTTY;
    *bytes = (int)ring_of(f)->count;
    return 0;
}
