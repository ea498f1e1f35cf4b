/* epoll.c - epoll instances.
 *
 * A watch joins an instance and a file: it stands in the instance's list, in the file's list, and,
 * while something may have happened, in the instance's queue of ready ones. Waiting looks at the
 * queue alone. A level-triggered watch that is reported goes back to its end; an edge-triggered one
 * returns with the next wake; a one-shot one is disarmed.
 */
#include "posix/posix.h"

#include <stdlib.h>
#include <string.h>

#define PRIVATE_BITS (EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE)
/* What may go with EPOLLEXCLUSIVE. */
#define EXCLUSIVE_OK                                                                               \
    (EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE)

struct watch {
    struct epoll *epoll;
    struct file *file;
    int fd;
    struct epoll_event event;
    struct watch *next;      /* of the instance */
    struct watch *file_next; /* of the file */
    struct watch *ready_next;
    bool ready;
};

struct epoll {
    struct file file; /* first */
    struct watch *watches;
    struct watch *ready_head, *ready_tail;
};

/* ---- the ready queue ------------------------------------------------------------------------- */

static void append_ready(struct watch *w)
{
    struct epoll *e = w->epoll;

    if (w->ready)
        return;
    w->ready = true;
    w->ready_next = NULL;
    if (e->ready_tail != NULL)
        e->ready_tail->ready_next = w;
    else
        e->ready_head = w;
    e->ready_tail = w;
}

static struct watch *pop_ready(struct epoll *e)
{
    struct watch *w = e->ready_head;

    if (w == NULL)
        return NULL;
    e->ready_head = w->ready_next;
    if (e->ready_head == NULL)
        e->ready_tail = NULL;
    w->ready = false;
    return w;
}

void file_wake(struct file *f, uint32_t mask)
{
    for (struct watch *w = f->watches; w != NULL; w = w->file_next) {
        uint32_t wanted = w->event.events & ~PRIVATE_BITS;
        if (wanted == 0 || (mask != 0 && !(mask & wanted)))
            continue;
        append_ready(w);
        file_wake(&w->epoll->file, EPOLLIN | EPOLLRDNORM);
    }
}

/* ---- watches --------------------------------------------------------------------------------- */

static void remove_from(struct watch **list, const struct watch *w, size_t link)
{
    while (*list != w)
        list = (struct watch **)((char *)*list + link);
    *list = *(struct watch *const *)((const char *)w + link);
}

static void watch_free(struct watch *w)
{
    struct epoll *e = w->epoll;

    if (w->ready) {
        remove_from(&e->ready_head, w, offsetof(struct watch, ready_next));
        e->ready_tail = e->ready_head;
        while (e->ready_tail != NULL && e->ready_tail->ready_next != NULL)
            e->ready_tail = e->ready_tail->ready_next;
    }
    remove_from(&e->watches, w, offsetof(struct watch, next));
    remove_from(&w->file->watches, w, offsetof(struct watch, file_next));
    free(w);
}

void epoll_forget(struct file *f)
{
    while (f->watches != NULL)
        watch_free(f->watches);
}

void epoll_free(tern_sockets *p, struct epoll *e)
{
    (void)p;
    while (e->watches != NULL)
        watch_free(e->watches);
    free(e);
}

static struct watch *find(const struct epoll *e, const struct file *f, int fd)
{
    struct watch *w = e->watches;
    while (w != NULL && (w->file != f || w->fd != fd))
        w = w->next;
    return w;
}

static uint32_t watch_mask(tern_sockets *p, const struct watch *w)
{
    return file_poll(p, w->file) & w->event.events;
}

uint32_t epoll_poll(tern_sockets *p, struct epoll *e)
{
    for (const struct watch *w = e->ready_head; w != NULL; w = w->ready_next)
        if (watch_mask(p, w) != 0)
            return EPOLLIN | EPOLLRDNORM;
    return 0;
}

/* ---- calls ----------------------------------------------------------------------------------- */

int tern_socket_epoll_create1(tern_sockets *p, int flags)
{
    if (flags & ~EPOLL_CLOEXEC)
        return -EINVAL;
    struct epoll *e = calloc(1, sizeof *e);
    if (e == NULL)
        return -ENOMEM;
    file_init(&e->file, FILE_EPOLL, O_RDWR);
    return fd_new(p, &e->file, 0, (flags & EPOLL_CLOEXEC) != 0);
}

/* Whether `e` looks at `target`, directly or through others: that would be a circle. */
static bool reaches(const struct epoll *e, const struct file *target, int depth)
{
    enum { DEPTH_MAX = 5 };

    if (&e->file == target || depth > DEPTH_MAX)
        return true;
    for (const struct watch *w = e->watches; w != NULL; w = w->next)
        if (w->file->kind == FILE_EPOLL &&
            reaches((const struct epoll *)w->file, target, depth + 1))
            return true;
    return false;
}

static int add(tern_sockets *p, struct epoll *e, struct file *f, int fd,
               const struct epoll_event *event)
{
    if (event->events & EPOLLEXCLUSIVE && (f->kind == FILE_EPOLL || event->events & ~EXCLUSIVE_OK))
        return -EINVAL;
    if (f->kind == FILE_EPOLL && reaches((const struct epoll *)f, &e->file, 0))
        return -ELOOP;
    struct watch *w = calloc(1, sizeof *w);
    if (w == NULL)
        return -ENOMEM;
    *w = (struct watch){.epoll = e, .file = f, .fd = fd, .event = *event};
    w->event.events |= EPOLLERR | EPOLLHUP;
    w->next = e->watches;
    e->watches = w;
    w->file_next = f->watches;
    f->watches = w;
    if (watch_mask(p, w) != 0) {
        append_ready(w);
        file_wake(&e->file, EPOLLIN | EPOLLRDNORM);
    }
    return 0;
}

static int modify(tern_sockets *p, struct watch *w, const struct epoll_event *event)
{
    if (w->event.events & EPOLLEXCLUSIVE || event->events & EPOLLEXCLUSIVE)
        return -EINVAL;
    w->event = *event;
    w->event.events |= EPOLLERR | EPOLLHUP;
    if (watch_mask(p, w) != 0) {
        append_ready(w);
        file_wake(&w->epoll->file, EPOLLIN | EPOLLRDNORM);
    }
    return 0;
}

static int control(tern_sockets *p, struct file *ep, int op, int fd, struct epoll_event *event)
{
    int err = -EBADF;
    struct file *f = fd_get(p, fd);

    if (f == NULL)
        return err;
    err = -EINVAL;
    if (f->kind == FILE_HOST) {
        err = -EPERM;
    } else if (ep->kind == FILE_EPOLL && ep != f) {
        struct watch *w = find((struct epoll *)ep, f, fd);
        if (op == EPOLL_CTL_ADD)
            err = w != NULL ? -EEXIST : add(p, (struct epoll *)ep, f, fd, event);
        else if (op == EPOLL_CTL_MOD)
            err = w != NULL ? modify(p, w, event) : -ENOENT;
        else if (op == EPOLL_CTL_DEL)
            err = w != NULL ? (watch_free(w), 0) : -ENOENT;
    }
    file_put(p, f);
    return err;
}

int tern_socket_epoll_ctl(tern_sockets *p, int epfd, int op, int fd, struct epoll_event *event)
{
    if (event == NULL && op != EPOLL_CTL_DEL)
        return -EFAULT; /* before all else */
    struct file *ep = fd_get(p, epfd);
    if (ep == NULL)
        return -EBADF;
    int err = control(p, ep, op, fd, event);
    file_put(p, ep);
    return err;
}

/* Reports up to `max` of those in the queue, each at most once. */
static int collect(tern_sockets *p, struct epoll *e, struct epoll_event *events, int max)
{
    const struct watch *last = e->ready_tail;
    struct watch *w;
    int n = 0;

    while (n < max && (w = pop_ready(e)) != NULL) {
        uint32_t mask = watch_mask(p, w);
        bool end = w == last;
        if (mask != 0) {
            events[n].events = mask;
            events[n++].data = w->event.data;
            if (w->event.events & EPOLLONESHOT)
                w->event.events &= PRIVATE_BITS;
            else if (!(w->event.events & EPOLLET))
                append_ready(w);
        }
        if (end)
            break;
    }
    return n;
}

static int wait_for(tern_sockets *p, struct epoll *e, struct epoll_event *events, int max,
                    int timeout_ms)
{
    uint64_t until = posix_after_ms(p, timeout_ms);

    for (;;) {
        int n = collect(p, e, events, max);
        if (n != 0)
            return n;
        int err = posix_wait(p, until);
        if (err != 0)
            return err == -EAGAIN ? 0 : err;
    }
}

int tern_socket_epoll_wait(tern_sockets *p, int epfd, struct epoll_event *events, int max,
                           int timeout_ms)
{
    if (max <= 0)
        return -EINVAL;
    struct file *f = fd_get(p, epfd);
    if (f == NULL)
        return -EBADF;
    int n = -EINVAL;
    if (f->kind == FILE_EPOLL)
        n = wait_for(p, (struct epoll *)f, events, max, timeout_ms);
    file_put(p, f);
    return n;
}
