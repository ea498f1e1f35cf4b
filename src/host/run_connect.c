/* run_connect.c - connect(), and what becomes of a connection.
 *
 * A program that wants to block is made to wait, and its socket is left alone until the outcome is
 * known: a connect() that fails can be tried again on the same socket, as on Linux. A program that
 * does not want to block gets EINPROGRESS, and its socket is connected to us at once, with its
 * sending side stuffed: so it polls neither readable nor writable. At the end the stuffing is taken
 * out, or, after an error, left unread: closing our end then raises an error at the program's,
 * which polls as it should; what SO_ERROR says is ours to answer. Such a socket is used up: for
 * another attempt the program's descriptor gets a new one, which its duplicates do not share.
 */
#include "host/run_core.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

/* ---- showing --------------------------------------------------------------------------------- */

/* The program has closed its socket while connecting. */
static void end_ready(void *user, uint32_t events)
{
    (void)events; /* EPOLLHUP or EPOLLERR: nothing else was asked for */
    run_sock_closed(user);
}

static void failed(struct run_sock *s, int err)
{
    s->state = SOCK_FAILED;
    s->err = err;
    s->reported = false;
}

static void no_pair(struct run_sock *s, int err)
{
    run_say_once(s->run, RUN_SAY_PAIR, "cannot connect a program's socket: %s", strerror(-err));
}

void run_connect_expose(struct run_sock *s, int file)
{
    if (s->state != SOCK_CONNECTING || s->end >= 0)
        return;
    int err = run_pair_connect(s, file);
    if (!err) {
        run_pair_fill(s, file);
        s->end_watch = (struct loop_fd){.fd = s->end, .ready = end_ready, .user = s};
        err = loop_add(s->run->loop, &s->end_watch, 0);
        if (err)
            s->end_watch.ready = NULL;
    }
    run_sock_close_copy(s);
    if (!err)
        return;
    no_pair(s, err);
    s->run->net->abort(s->conn);
    s->conn = NULL;
    run_sock_close_end(s);
    failed(s, ENOBUFS);
}

/* Our end of the pair goes to the backend, once there is one. */
static int attach(struct run_sock *s)
{
    int end = s->end;

    if (end < 0) {
        assert(s->held && s->held->file >= 0); /* else it would have been shown */
        int err = run_pair_connect(s, s->held->file);
        if (err)
            return err;
        end = s->end;
    }
    run_pair_drain(s);
    if (s->end_watch.ready)
        loop_del(s->run->loop, &s->end_watch);
    s->end_watch.ready = NULL;
    s->end = -1;
    run_sock_close_copy(s);
    s->run->net->attach(s->conn, end);
    return 0;
}

/* ---- from the backend ------------------------------------------------------------------------ */

void run_conn_opened(void *sock, int err)
{
    struct run_sock *s = sock;

    assert(s->state == SOCK_CONNECTING);
    if (!err) {
        s->state = SOCK_CONNECTED;
        s->run->net->names(s->conn, &s->name, NULL);
        err = attach(s);
        if (err) {
            no_pair(s, err);
            s->run->net->abort(s->conn);
            err = -ENOBUFS;
        }
    }
    if (err) {
        s->conn = NULL;
        run_sock_close_end(s);
        failed(s, -err);
    }
    if (run_held_answer(s, false, err)) {
        s->reported = true;
        s->err = 0;
    }
}

void run_conn_ended(void *sock, int err)
{
    struct run_sock *s = sock;

    s->conn = NULL;
    s->state = s->queued_at ? SOCK_CONNECTED : SOCK_ENDED;
    s->err = -err;
    if (!s->queued_at && err)
        run_pair_reset(s, -1);
}

void run_conn_closed(void *sock)
{
    struct run_sock *s = sock;

    s->conn = NULL;
    run_sock_closed(s);
}

/* ---- the call -------------------------------------------------------------------------------- */

/* O_* flags of a descriptor of the program, from its open file or else from what /proc says. */
static int flags_of(struct run_call *c, int file)
{
    char path[48], line[64];
    unsigned flags = 0;

    if (file >= 0)
        return fcntl(file, F_GETFL);
    snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", (int)c->mem.pid, c->sock->fd);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "flags: %o", &flags) == 1)
            break;
    if (f)
        fclose(f);
    return (int)flags;
}

static void copy_timeout(int to, int from, int option)
{
    struct timeval tv;
    socklen_t len = sizeof tv;

    if (getsockopt(from, SOL_SOCKET, option, &tv, &len) == 0)
        (void)setsockopt(to, SOL_SOCKET, option, &tv, len);
}

/* A new open file under the old descriptor. Returns it, or a negative errno. */
static int renew(struct run_call *c, int old)
{
    struct run_sock *s = c->sock;
    struct stat st;
    bool cloexec = flags_of(c, -1) & O_CLOEXEC;
    int file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (file < 0 || fstat(file, &st) < 0)
        return -ENOBUFS;
    (void)fcntl(file, F_SETFL, flags_of(c, old));
    copy_timeout(file, old, SO_SNDTIMEO);
    copy_timeout(file, old, SO_RCVTIMEO);
    if (!run_replace_fd(c->run, c->id, file, s->fd, cloexec)) {
        close(file);
        return -ENOBUFS;
    }
    run_sock_close_copy(s);
    run_sock_move(s, st.st_ino);
    s->state = SOCK_IDLE;
    s->spent = s->shut = false;
    run_borrow_note(s, file);
    return file;
}

/* Waits, or leaves the program to itself. `file` is the call's from here on; -1 when the connection
 * is in progress and has been shown, which was all it was needed for. It is shown to one that waits
 * as well: a signal may end its call, and then it polls. */
static int64_t proceed(struct run_call *c, int file, int64_t in_progress)
{
    run_connect_expose(c->sock, file);
    if (c->sock->state != SOCK_FAILED && !(flags_of(c, file) & O_NONBLOCK))
        return run_hold(c, file, false, in_progress);
    if (file >= 0)
        close(file);
    if (c->sock->state == SOCK_FAILED) {
        c->sock->reported = true;
        return -c->sock->err;
    }
    return in_progress;
}

static int open_conn(struct run_sock *s, const tern_addr *peer)
{
    struct run *r = s->run;
    int err = r->net->open(r->cfg.net_user, &s->conn, s->bound ? &s->local : NULL, peer, s);

    if (err)
        return err;
    s->state = SOCK_CONNECTING;
    s->reported = false;
    s->err = 0;
    s->filled = 0;
    s->peer = *peer;
    r->net->names(s->conn, &s->name, NULL);
    run_opts_apply(s);
    return 0;
}

static int64_t start(struct run_call *c, const tern_addr *to)
{
    struct run_sock *s = c->sock;
    tern_addr peer = *to;

    if (s->family == AF_INET6 && s->as.opts.v6only && run_addr_is4(&peer))
        return -ENETUNREACH;
    if (s->bound && !run_addr_any6(&s->local) && run_addr_is4(&s->local) != run_addr_is4(&peer))
        return run_addr_is4(&peer) ? -ENETUNREACH : -EINVAL;
    if (run_addr_any(&peer)) /* this host, says Linux */
        memcpy(peer.ip + 12, run_addr_is4(&peer) ? "\x7f\0\0\1" : "\0\0\0\1", 4);
    int file = run_borrow(s, c->mem.pid, s->fd);
    if (s->spent) {
        int renewed = renew(c, file);
        if (file >= 0)
            close(file);
        file = renewed;
    }
    if (file < 0)
        return file == -1 ? -EBADF : file;
    int err = open_conn(s, &peer);
    if (err) {
        close(file);
        return err;
    }
    return proceed(c, file, -EINPROGRESS);
}

static int64_t again(struct run_call *c)
{
    int file = run_borrow(c->sock, c->mem.pid, c->sock->fd);

    if (file < 0 && c->sock->end < 0)
        return -EBADF;
    return proceed(c, file, c->repeated ? -EINPROGRESS : -EALREADY);
}

/* connect() to AF_UNSPEC: back to where the socket began. */
static int64_t disconnect(struct run_sock *s)
{
    if (s->state == SOCK_LISTENING)
        run_listener_closed(s);
    if (s->conn)
        s->run->net->abort(s->conn);
    s->conn = NULL;
    run_sock_close_end(s);
    run_held_answer(s, false, -ECONNABORTED);
    run_held_answer(s, true, -EINVAL);
    s->state = s->state == SOCK_IDLE ? SOCK_IDLE : SOCK_FAILED;
    s->reported = true;
    s->err = 0;
    return 0;
}

/* As on Linux, the first connect() after the outcome tells the outcome. */
static int64_t report(struct run_sock *s, int later, int first)
{
    int err = s->reported ? later : first;

    s->reported = true;
    if (err != EISCONN)
        s->err = 0;
    return -err;
}

int64_t run_call_connect(struct run_call *c)
{
    union run_sockaddr sa;
    struct run_sock *s = c->sock;
    tern_addr peer;
    int len = run_sockaddr_in(c->mem, &sa, c->data->args[1], c->data->args[2]);

    if (len < 0)
        return len;
    if ((size_t)len < sizeof sa.sa.sa_family)
        return -EINVAL;
    if (!run_valid(c->run, c->id))
        return RUN_LATER;
    if (sa.sa.sa_family == AF_UNSPEC)
        return disconnect(s);
    switch (s->state) {
    case SOCK_LISTENING:
        return -EISCONN;
    case SOCK_CONNECTING:
        return again(c);
    case SOCK_CONNECTED:
        return report(s, c->repeated ? 0 : EISCONN, 0);
    case SOCK_ENDED:
        return report(s, EISCONN, s->err ? s->err : ECONNABORTED);
    case SOCK_FAILED:
        if (!s->reported)
            return report(s, 0, s->err ? s->err : ECONNABORTED);
        break;
    case SOCK_IDLE:
        break;
    }
    int err = run_addr_read(&peer, s->family, &sa, (size_t)len);
    return err ? err : start(c, &peer);
}
