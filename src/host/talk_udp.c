/* talk_udp.c - see talk_udp.h. Standard input and output may be shared with other processes and
 * stay blocking: each read and write is preceded by a poll(). */
#include "host/talk_udp.h"

#include "host/run_errno.h"

#include <limits.h>
#include <poll.h>
#include <unistd.h>

enum { TURN = 64 }; /* datagrams moved each way in one turn */

#define QUIET_NS 1000000000u

static void finish(struct talk_udp *t, int err, const char *what)
{
    if (t->over)
        return;
    t->over = true;
    t->err = err;
    t->what = what;
}

static bool poll_says(int fd, short what)
{
    struct pollfd p = {.fd = fd, .events = what};

    return poll(&p, 1, 0) > 0;
}

/* in to peer: one datagram. false: nothing more now. */
static bool up(struct talk_udp *t, uint64_t now)
{
    if (t->up == 0 && !t->in_eof && poll_says(t->in.fd, POLLIN)) {
        ssize_t n = read(t->in.fd, t->up_bytes, sizeof t->up_bytes);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            finish(t, -errno, "standard input");
        if (n == 0) {
            t->in_eof = true;
            t->quiet = now + QUIET_NS;
        }
        if (n > 0) {
            t->up = 1;
            t->up_len = (size_t)n;
        }
    }
    if (t->up == 0)
        return false;
    ptrdiff_t sent = tern_udp_send(t->node->stack, t->sock, NULL, t->up_bytes, t->up_len);
    if (sent == TERN_EAGAIN || sent == TERN_ENOMEM)
        return false;
    t->up = 0;
    if (sent < 0)
        finish(t, errno_of_tern((int)sent), NULL);
    return true;
}

/* peer to out: one datagram, or as much of it as can be written. */
static bool down(struct talk_udp *t, uint64_t now)
{
    if (t->down_len == 0) {
        tern_udp_info info;
        ptrdiff_t n =
            tern_udp_recv(t->node->stack, t->sock, t->down_bytes, sizeof t->down_bytes, &info);
        if (n == TERN_EAGAIN)
            return false;
        if (n < 0) {
            finish(t, errno_of_tern((int)n), NULL);
            return false;
        }
        if (t->peer.port == 0) {
            t->peer = info.from;
            (void)tern_udp_connect(t->node->stack, t->sock, &t->peer);
        }
        t->quiet = now + QUIET_NS;
        t->down_at = 0;
        t->down_len = (size_t)n;
    }
    while (t->down_at < t->down_len) {
        size_t left = t->down_len - t->down_at;
        if (!poll_says(t->out.fd, POLLOUT))
            return false;
        ssize_t n = write(t->out.fd, t->down_bytes + t->down_at, left < PIPE_BUF ? left : PIPE_BUF);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            finish(t, -errno, "standard output");
            return false;
        }
        t->down_at += n > 0 ? (size_t)n : 0;
    }
    t->down_len = 0;
    return true;
}

static void work(void *user, uint64_t now)
{
    struct talk_udp *t = user;

    int n = 0;

    while (n < TURN && !t->over && down(t, now))
        n++;
    t->more = n == TURN;
    for (n = 0; n < TURN && !t->over && t->peer.port != 0 && up(t, now);)
        n++;
    t->more |= n == TURN;
    if (t->in_eof && t->peer.port != 0 && t->quiet != 0 && now >= t->quiet)
        finish(t, 0, NULL);
}

static uint64_t deadline(void *user)
{
    const struct talk_udp *t = user;

    if (t->more && !t->over)
        return 0;
    return t->in_eof && !t->over && t->peer.port != 0 ? t->quiet : LOOP_NEVER;
}

/* What is to be done is seen in the next turn, which these begin. */
static void event(struct app *app, const tern_event *ev)
{
    (void)app;
    (void)ev;
}

static void ready(void *user, uint32_t events)
{
    (void)user;
    (void)events;
}

static int watch(struct talk_udp *t, struct loop_fd *w, uint32_t events)
{
    int err = loop_add(t->node->loop, w, events | EPOLLET);

    if (err)
        w->ready = NULL;
    return err == -EPERM ? 0 : err; /* a file, which is always ready */
}

int talk_udp_start(struct talk_udp *t, struct node *node, tern_sock sock, const tern_addr *peer)
{
    *t = (struct talk_udp){.app.event = event, .node = node, .sock = sock, .peer = *peer};
    t->in = (struct loop_fd){.fd = STDIN_FILENO, .ready = ready, .user = t};
    t->out = (struct loop_fd){.fd = STDOUT_FILENO, .ready = ready, .user = t};
    int err = watch(t, &t->in, EPOLLIN);
    if (!err)
        err = watch(t, &t->out, EPOLLOUT);
    t->hook = (struct loop_hook){.work = work, .deadline = deadline, .user = t};
    node_hook_add(node, &t->hook);
    (void)tern_user_set(node->stack, sock, &t->app);
    return err;
}

void talk_udp_stop(struct talk_udp *t)
{
    if (t->in.ready)
        loop_del(t->node->loop, &t->in);
    if (t->out.ready)
        loop_del(t->node->loop, &t->out);
    node_hook_del(t->node, &t->hook);
    (void)tern_close(t->node->stack, t->sock);
}
