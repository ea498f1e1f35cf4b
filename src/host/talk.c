/* talk.c - see talk.h.
 *
 * Standard input and output are often shared with other processes, so they are not made
 * nonblocking. A pipe or a terminal to write to is opened once more instead, nonblocking for us
 * alone. Where that cannot be (a socket, another user's terminal) each write is preceded by a
 * poll(), after which at most PIPE_BUF bytes do not wait; as is each read. The loop watches both
 * edge-triggered, to learn when asking is worth it again; files, which cannot be watched, never
 * make anyone wait.
 */
#include "host/talk.h"

#include "host/run_errno.h"
#include "host/views.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    CHUNK = 65536,
    TURN = 262144, /* bytes moved each way in one turn */
    VIEWS = 16,
};

#define REST_NS 5000000u

static void finish(struct talk *t, int err, const char *what)
{
    if (t->over)
        return;
    t->over = true;
    t->err = err;
    t->what = what;
    (void)tern_user_set(t->node->stack, t->sock, NULL);
    if (what)
        (void)tern_abort(t->node->stack, t->sock);
    else
        (void)tern_close(t->node->stack, t->sock);
}

static bool poll_says(int fd, short what)
{
    struct pollfd p = {.fd = fd, .events = what};

    return poll(&p, 1, 0) > 0;
}

/* ---- in to peer ------------------------------------------------------------------------------ */

/* One read. Returns the bytes moved; 0: nothing more now. */
static size_t up_once(struct talk *t)
{
    tern_iov iov[VIEWS];
    tern *s = t->node->stack;

    if (!poll_says(t->in.fd, POLLIN)) {
        t->readable = false;
        return 0;
    }
    ptrdiff_t views = tern_send_reserve(s, t->sock, iov, VIEWS, CHUNK);
    if (views == TERN_ENOMEM)
        t->rest_until = loop_clock() + REST_NS;
    if (views <= 0) {
        t->room = false; /* or it is over, and `err` says so */
        return 0;
    }
    ssize_t got = readv(t->in.fd, (const struct iovec *)iov, (int)views);
    int err = errno;
    (void)tern_send_commit(s, t->sock, got > 0 ? (size_t)got : 0);
    if (got > 0)
        return (size_t)got;
    if (got == 0) {
        t->up_eof = true;
        (void)tern_shutdown(s, t->sock);
    } else if (err == EAGAIN) {
        t->readable = false;
    } else if (err != EINTR) {
        finish(t, -err, "standard input");
    }
    return 0;
}

/* ---- peer to out ----------------------------------------------------------------------------- */

static void leave_out(struct talk *t)
{
    if (t->out.ready)
        loop_del(t->node->loop, &t->out);
    t->out.ready = NULL;
    if (t->out.fd != t->out_given)
        close(t->out.fd);
    t->out.fd = t->out_given;
}

static void down_end(struct talk *t)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    t->down_eof = true;
    leave_out(t);
    if (null >= 0) {
        (void)dup2(null, t->out_given);
        close(null);
    }
}

/* One write. Returns the bytes moved; 0: nothing more now. */
static size_t down_once(struct talk *t)
{
    tern_iov iov[VIEWS];
    tern *s = t->node->stack;
    ptrdiff_t views = tern_recv_peek(s, t->sock, iov, VIEWS, 0);

    if (views <= 0) {
        t->arrived = false;
        if (views == 0)
            down_end(t);
        else if (views != TERN_EAGAIN)
            finish(t, errno_of_tern((int)views), NULL);
        return 0;
    }
    if (t->out_max < CHUNK && !poll_says(t->out.fd, POLLOUT)) {
        t->writable = false;
        return 0;
    }
    size_t n = views_shorten(iov, (size_t)views, t->out_max);
    ssize_t put = writev(t->out.fd, (const struct iovec *)iov, (int)n);
    if (put > 0) {
        (void)tern_recv_consume(s, t->sock, (size_t)put);
        return (size_t)put;
    }
    if (errno == EAGAIN)
        t->writable = false;
    else if (errno != EINTR)
        finish(t, -errno, "standard output");
    return 0;
}

/* ---- turns ----------------------------------------------------------------------------------- */

static void work(void *user, uint64_t now)
{
    struct talk *t = user;
    size_t up = 0, down = 0, n = 1;

    t->more = false;
    if (!t->open || t->over)
        return;
    if (t->rest_until && t->rest_until <= now) {
        t->rest_until = 0;
        t->room = true;
    }
    for (; n > 0 && up < TURN && t->readable && t->room && !t->up_eof && !t->over; up += n)
        n = up_once(t);
    for (n = 1; n > 0 && down < TURN && t->writable && t->arrived && !t->down_eof && !t->over;
         down += n)
        n = down_once(t);
    t->more = !t->over && (up >= TURN || down >= TURN);
    if (t->up_eof && t->down_eof && t->finished)
        finish(t, 0, NULL);
}

static uint64_t deadline(void *user)
{
    const struct talk *t = user;

    if (t->more)
        return 0;
    return t->rest_until && !t->over ? t->rest_until : LOOP_NEVER;
}

static void event(struct app *app, const tern_event *ev)
{
    struct talk *t = (struct talk *)(void *)app;

    if (ev->mask & TERN_EV_OPEN)
        t->open = true;
    t->room |= (ev->mask & TERN_EV_WRITE) != 0;
    t->arrived |= (ev->mask & (TERN_EV_READ | TERN_EV_EOF)) != 0;
    t->finished |= (ev->mask & TERN_EV_SENT) != 0;
    if (ev->mask & TERN_EV_ERROR) {
        t->room = false;
        t->arrived = true; /* what has been received comes before the error */
        if (!t->open || t->down_eof)
            finish(t, errno_of_tern(ev->err), NULL);
    }
}

static void in_ready(void *user, uint32_t events)
{
    (void)events;
    ((struct talk *)user)->readable = true;
}

static void out_ready(void *user, uint32_t events)
{
    (void)events;
    ((struct talk *)user)->writable = true;
}

/* A file (EPERM) is always ready. */
static int watch(struct talk *t, struct loop_fd *w, uint32_t events)
{
    int err = loop_add(t->node->loop, w, events | EPOLLET);

    if (err)
        w->ready = NULL;
    return err == -EPERM ? 0 : err;
}

/* Where to write, and how much at a time. */
static void choose_out(struct talk *t, int out)
{
    struct stat st;
    char path[32];

    t->out = (struct loop_fd){.fd = out, .ready = out_ready, .user = t};
    t->out_given = out;
    t->out_max = PIPE_BUF;
    if (fstat(out, &st) < 0)
        return;
    bool terminal = S_ISCHR(st.st_mode) && isatty(out);
    if (S_ISFIFO(st.st_mode) || terminal) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", out);
        int own = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
        if (own < 0)
            return;
        t->out.fd = own;
    } else if (S_ISSOCK(st.st_mode)) {
        return;
    }
    t->out_max = CHUNK;
}

int talk_start(struct talk *t, struct node *node, int in, int out)
{
    *t = (struct talk){.node = node};
    t->app.event = event;
    t->readable = t->writable = t->room = t->arrived = true;
    t->in = (struct loop_fd){.fd = in, .ready = in_ready, .user = t};
    choose_out(t, out);
    int err = watch(t, &t->in, EPOLLIN);
    if (!err)
        err = watch(t, &t->out, EPOLLOUT);
    if (err) {
        talk_stop(t);
        return err;
    }
    t->hook = (struct loop_hook){.work = work, .deadline = deadline, .user = t};
    node_hook_add(node, &t->hook);
    return 0;
}

void talk_to(struct talk *t, tern_sock sock, bool open)
{
    t->sock = sock;
    t->open = open;
    (void)tern_user_set(t->node->stack, sock, &t->app);
}

void talk_hang_up(struct talk *t)
{
    if (t->sock.id != 0)
        finish(t, 0, NULL);
}

void talk_stop(struct talk *t)
{
    if (t->in.ready)
        loop_del(t->node->loop, &t->in);
    t->in.ready = NULL;
    leave_out(t);
    node_hook_del(t->node, &t->hook);
}
