/* control.c - the server of a control socket: accepts, reads one line, answers in pieces.
 *
 * A client is either asking (its line is not complete) or being answered. What it gets is made
 * piece by piece whenever its buffer has been taken: a stack with a million connections costs no
 * more memory than one with none, and a turn of the loop does one piece. Over the limit the one
 * with the least time left goes: whoever holds connections for nothing keeps nobody else out.
 */
#include "host/control.h"

#include "host/control_dir.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CLIENTS_MAX = 8,
    BATCH = 16, /* sockets listed at once */
    BUFFER = 2 * CONTROL_REPLY_LINE,
    SOCKET_LINE = BUFFER / BATCH, /* more than a line about a socket takes */
};
#define S 1000000000u
#define ASKING_MAX (1u * S)
#define ANSWERING_MAX (10ull * S)

enum stage { ASKING, SOCKETS, COUNTERS, END, DONE };

struct client {
    struct control *control;
    struct loop_fd watch; /* fd -1: a free place */
    uint64_t deadline;
    enum stage stage;
    struct control_request request;
    uint32_t stack;  /* the one that is being told of */
    uint64_t cursor; /* where in its sockets */
    size_t len, sent;
    char buf[BUFFER]; /* the request, then a piece of the answer */
};

struct control {
    struct control_config cfg;
    struct control_place place;
    struct loop_fd listener;
    struct loop_hook hook;
    struct client *clients[CLIENTS_MAX];
};

static void drop(struct client *c)
{
    struct control *ctl = c->control;

    loop_del(ctl->cfg.loop, &c->watch);
    close(c->watch.fd);
    for (int i = 0; i < CLIENTS_MAX; i++)
        if (ctl->clients[i] == c)
            ctl->clients[i] = NULL;
    free(c);
}

/* ---- answering ------------------------------------------------------------------------------- */

static void next_stack(struct client *c, enum stage then)
{
    c->cursor = 0;
    if (++c->stack < c->control->cfg.stack_count)
        return;
    c->stack = 0;
    c->stage = then;
}

static void put_sockets(struct client *c)
{
    const struct control_config *cfg = &c->control->cfg;
    tern_entry e[BATCH];
    size_t n = 0;

    if (c->request.sockets && c->stack < cfg->stack_count)
        n = tern_list(cfg->stacks[c->stack].stack, &c->cursor, e, BATCH);
    for (size_t i = 0; i < n; i++)
        c->len += control_reply_socket(c->buf + c->len, sizeof c->buf - c->len, cfg, c->stack,
                                       &e[i], c->request.info);
    if (n == 0)
        next_stack(c, COUNTERS);
}

/* The next piece: as much as is sure to fit. */
static void fill(struct client *c)
{
    const struct control_config *cfg = &c->control->cfg;

    c->len = c->sent = 0;
    while (c->stage == SOCKETS && c->len <= sizeof c->buf - BATCH * (size_t)SOCKET_LINE)
        put_sockets(c);
    while (c->stage == COUNTERS && c->len <= sizeof c->buf - CONTROL_REPLY_LINE) {
        if (c->request.counters && c->stack < cfg->stack_count)
            c->len +=
                control_reply_counters(c->buf + c->len, sizeof c->buf - c->len, cfg, c->stack);
        next_stack(c, END);
    }
    if (c->stage == END && c->len <= sizeof c->buf - CONTROL_REPLY_LINE) {
        c->len += control_reply_end(c->buf + c->len, sizeof c->buf - c->len);
        c->stage = DONE;
    }
}

/* One write; the loop calls again while there is room. */
static void answer(struct client *c)
{
    if (c->sent == c->len && c->stage != DONE)
        fill(c);
    ssize_t n = send(c->watch.fd, c->buf + c->sent, c->len - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    c->sent += n > 0 ? (size_t)n : 0;
    if (n < 0 || (c->stage == DONE && c->sent == c->len))
        drop(c);
}

/* ---- asking ---------------------------------------------------------------------------------- */

static void asked(struct client *c, size_t line)
{
    const char *wrong = "the request is too long";

    if (line < CONTROL_REQUEST_MAX)
        wrong = control_request_read(&c->request, c->buf, line);
    c->sent = 0;
    if (wrong)
        c->len = control_reply_error(c->buf, sizeof c->buf, wrong);
    else
        c->len = control_reply_head(c->buf, sizeof c->buf, &c->control->cfg);
    c->stage = wrong ? DONE : SOCKETS;
    c->deadline = loop_clock() + ANSWERING_MAX;
    if (loop_change(c->control->cfg.loop, &c->watch, EPOLLOUT) < 0)
        drop(c);
}

static void listen_to(struct client *c)
{
    ssize_t n = recv(c->watch.fd, c->buf + c->len, CONTROL_REQUEST_MAX - c->len, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        drop(c);
        return;
    }
    c->len += (size_t)n;
    const char *end = memchr(c->buf, '\n', c->len);
    if (end || c->len == CONTROL_REQUEST_MAX)
        asked(c, end ? (size_t)(end - c->buf) : c->len);
}

static void client_ready(void *user, uint32_t events)
{
    struct client *c = user;

    if (c->stage == ASKING)
        listen_to(c);
    else if (events & (EPOLLERR | EPOLLHUP))
        drop(c);
    else
        answer(c);
}

/* ---- accepting ------------------------------------------------------------------------------- */

static bool may_ask(int fd)
{
    struct ucred cred;
    socklen_t len = sizeof cred;

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 &&
           (cred.uid == geteuid() || cred.uid == 0);
}

/* A free place, made at the cost of the client with the least time left when there is none. */
static struct client **place(struct control *ctl)
{
    struct client **first = &ctl->clients[0];

    for (int i = 0; i < CLIENTS_MAX; i++) {
        struct client **at = &ctl->clients[i];
        if (!*at)
            return at;
        if ((*at)->deadline < (*first)->deadline)
            first = at;
    }
    drop(*first);
    return first;
}

static void incoming(void *user, uint32_t events)
{
    struct control *ctl = user;
    int fd = accept4(ctl->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    (void)events;
    if (fd < 0)
        return;
    struct client *c = may_ask(fd) ? malloc(sizeof *c) : NULL;
    if (!c) {
        close(fd);
        return;
    }
    *c = (struct client){.control = ctl, .deadline = loop_clock() + ASKING_MAX};
    c->watch = (struct loop_fd){.fd = fd, .ready = client_ready, .user = c};
    if (loop_add(ctl->cfg.loop, &c->watch, EPOLLIN) < 0) {
        close(fd);
        free(c);
        return;
    }
    *place(ctl) = c;
}

static void work(void *user, uint64_t now)
{
    struct control *ctl = user;

    for (int i = 0; i < CLIENTS_MAX; i++)
        if (ctl->clients[i] && ctl->clients[i]->deadline <= now)
            drop(ctl->clients[i]);
}

static uint64_t deadline(void *user)
{
    const struct control *ctl = user;
    uint64_t at = LOOP_NEVER;

    for (int i = 0; i < CLIENTS_MAX; i++)
        if (ctl->clients[i] && ctl->clients[i]->deadline < at)
            at = ctl->clients[i]->deadline;
    return at;
}

int control_new(struct control **out, const struct control_config *cfg)
{
    struct control *ctl = calloc(1, sizeof *ctl);

    *out = NULL;
    if (!ctl)
        return -ENOMEM;
    ctl->cfg = *cfg;
    int fd = control_dir_listen(&ctl->place);
    if (fd < 0) {
        free(ctl);
        return fd;
    }
    ctl->listener = (struct loop_fd){.fd = fd, .ready = incoming, .user = ctl};
    int err = loop_add(cfg->loop, &ctl->listener, EPOLLIN);
    if (err < 0) {
        control_dir_leave(&ctl->place);
        close(fd);
        free(ctl);
        return err;
    }
    ctl->hook = (struct loop_hook){.work = work, .deadline = deadline, .user = ctl};
    loop_hook_add(cfg->loop, &ctl->hook);
    *out = ctl;
    return 0;
}

void control_free(struct control *ctl)
{
    if (!ctl)
        return;
    control_dir_leave(&ctl->place);
    for (int i = 0; i < CLIENTS_MAX; i++)
        if (ctl->clients[i])
            drop(ctl->clients[i]);
    loop_del(ctl->cfg.loop, &ctl->listener);
    close(ctl->listener.fd);
    loop_hook_del(ctl->cfg.loop, &ctl->hook);
    free(ctl);
}
