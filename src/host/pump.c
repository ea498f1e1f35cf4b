/* pump.c - see pump.h.
 *
 * A reset must not overtake what came before it. When the descriptor's other end is reset, or
 * closes without having read everything, the pump reads what is left in the descriptor, lets the
 * stack have a turn to send it, and only then aborts the connection, which drops what the windows
 * have not let go: just so does a kernel's socket lose what it could not send.
 *
 * The descriptor is watched edge-triggered. A short read or write says that it is empty or full,
 * and the next edge when it no longer is; so most turns cost one system call in each direction.
 *
 * How much of a pair is unread: SIOCOUTQ on our end counts the memory of what the other end has not
 * taken out, buffer by buffer. Each write is remembered with what it added to that figure; as it
 * sinks, the oldest writes have been read. The program's reads meanwhile can only make a write look
 * smaller than it is, so the bytes thought unread are never too few, and at zero they are exact.
 */
#include "host/pump.h"

#include <assert.h>
#include <errno.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/run_errno.h"
#include "host/views.h"

enum {
    VIEWS = 16,
    CHUNK = 65536,
    NOISE = 256, /* less than any buffer's memory: SIOCOUTQ may be off by one for a moment */
};

#define REST_NS 5000000u

/* ---- the set --------------------------------------------------------------------------------- */

void pump_set_init(struct pump_set *set, struct loop *loop, tern *stack)
{
    *set = (struct pump_set){.loop = loop, .stack = stack};
}

static void list(struct pump *p)
{
    struct pump_set *set = p->args.set;

    if (p->listed)
        return;
    p->listed = true;
    p->next = NULL;
    if (set->last)
        set->last->next = p;
    else
        set->first = p;
    set->last = p;
    set->count++;
}

static void unlist(struct pump *p)
{
    struct pump_set *set = p->args.set;
    struct pump *before = NULL;

    if (!p->listed)
        return;
    for (struct pump *at = set->first; at != p; at = at->next)
        before = at;
    if (before)
        before->next = p->next;
    else
        set->first = p->next;
    if (set->last == p)
        set->last = before;
    set->count--;
    p->listed = false;
}

uint64_t pump_set_deadline(const struct pump_set *set)
{
    return set->first ? set->rest_until : LOOP_NEVER;
}

/* ---- endings --------------------------------------------------------------------------------- */

static tern *stack_of(const struct pump *p) { return p->args.set->stack; }

void pump_stop(struct pump *p)
{
    if (!p->active)
        return;
    p->active = false;
    unlist(p);
    loop_del(p->args.set->loop, &p->watch);
    close(p->watch.fd);
    p->watch.fd = -1;
}

/* The connection is to be reset, after what was written before. */
static void reset_soon(struct pump *p)
{
    if (p->reset == PUMP_RESET_NONE)
        p->reset = PUMP_RESET_DRAIN;
    p->fd_readable = true;
    list(p);
}

/* The other end of the descriptor has gone. */
static void closed(struct pump *p, bool abort)
{
    pump_stop(p);
    (void)tern_user_set(stack_of(p), p->args.sock, NULL);
    if (abort)
        (void)tern_abort(stack_of(p), p->args.sock);
    else
        (void)tern_close(stack_of(p), p->args.sock);
    p->args.closed(p->args.user);
}

/* The connection has gone. */
static void ended(struct pump *p, int err)
{
    struct linger now = {1, 0};
    char junk[64];

    p->args.ended(p->args.user, err);
    if (!p->active)
        return;
    if (err && p->args.kind == PUMP_TCP)
        (void)setsockopt(p->watch.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    if (!err && p->args.kind == PUMP_PAIR) /* the mark; unread, it would raise ECONNRESET */
        (void)!recv(p->watch.fd, junk, sizeof junk, MSG_DONTWAIT);
    pump_stop(p);
    (void)tern_user_set(stack_of(p), p->args.sock, NULL);
    (void)tern_close(stack_of(p), p->args.sock);
}

/* ---- what is unread in a pair ---------------------------------------------------------------- */

static uint32_t outq_of(const struct pump *p)
{
    int n = 0;

    if (ioctl(p->watch.fd, SIOCOUTQ, &n) < 0 || n < NOISE)
        return 0;
    return (uint32_t)n;
}

static void owed_tell(struct pump *p, uint32_t before)
{
    if (p->owed_bytes != before)
        (void)tern_recv_owed(stack_of(p), p->args.sock, p->owed_bytes);
}

static void owed_add(struct pump *p, size_t bytes)
{
    uint32_t outq = outq_of(p), grown = outq > p->outq ? outq - p->outq : 0;
    uint32_t truesize = grown > bytes ? grown : (uint32_t)bytes;
    uint32_t at = (p->owed_first + p->owed_count) % PUMP_OWED;

    p->outq = outq;
    if (p->owed_count == PUMP_OWED) { /* joined with the one before: read later, at worst */
        at = (at + PUMP_OWED - 1) % PUMP_OWED;
        p->owed[at].bytes += (uint32_t)bytes;
        p->owed[at].truesize += truesize;
    } else {
        p->owed[at].bytes = (uint32_t)bytes;
        p->owed[at].truesize = truesize;
        p->owed_count++;
    }
    p->owed_bytes += (uint32_t)bytes;
}

/* Takes off what has been read. */
static void owed_update(struct pump *p)
{
    uint64_t rest = 0;

    if (!p->owed_count)
        return;
    p->outq = outq_of(p);
    for (uint32_t i = 0; i < p->owed_count; i++)
        rest += p->owed[(p->owed_first + i) % PUMP_OWED].truesize;
    while (p->owed_count > 0) {
        rest -= p->owed[p->owed_first].truesize;
        if (rest + NOISE <= p->outq)
            break;
        p->owed_bytes -= p->owed[p->owed_first].bytes;
        p->owed_first = (p->owed_first + 1) % PUMP_OWED;
        p->owed_count--;
    }
}

/* ---- descriptor to stack --------------------------------------------------------------------- */

static size_t pending_in(const struct pump *p)
{
    int n = 0;

    if (ioctl(p->watch.fd, FIONREAD, &n) < 0 || n < 0)
        return 0;
    return (size_t)n;
}

static void up_end(struct pump *p)
{
    p->up_eof = true;
    p->fd_readable = false;
    if (p->reset != PUMP_RESET_NONE)
        return; /* no FIN: RST follows */
    if (!p->hup || p->told_shut || p->args.kind == PUMP_TCP)
        (void)tern_shutdown(stack_of(p), p->args.sock);
}

/* One read. Returns the bytes moved; 0: nothing more now. */
static size_t up_once(struct pump *p)
{
    tern_iov iov[VIEWS];
    size_t want = CHUNK, mark = 0;

    if (p->marked) {
        mark = 1;
        want = pending_in(p);
        if (want <= mark) {
            if (p->hup || p->told_shut)
                up_end(p);
            return 0;
        }
        want = want - mark < CHUNK ? want - mark : CHUNK;
    }
    ptrdiff_t views = tern_send_reserve(stack_of(p), p->args.sock, iov, VIEWS, want);
    if (views == TERN_ENOMEM) {
        p->starved = true;
        return 0;
    }
    if (views <= 0)
        return 0; /* full, and WRITE follows; or over, and ERROR follows */
    size_t n = views_shorten(iov, (size_t)views, want), room = views_total(iov, n);
    ssize_t got = readv(p->watch.fd, (const struct iovec *)iov, (int)n);
    int err = errno;
    (void)tern_send_commit(stack_of(p), p->args.sock, got > 0 ? (size_t)got : 0);
    if (got > 0) {
        if ((size_t)got < room && !p->rdhup)
            p->fd_readable = false;
        return (size_t)got;
    }
    if (got == 0)
        up_end(p);
    else if (err == EAGAIN || err == EINTR)
        p->fd_readable = false;
    else
        reset_soon(p), p->fd_readable = false;
    return 0;
}

/* While the connection is over by an error but not all that was received has been passed on: what
 * the program sends goes nowhere, but must not make it wait. */
static void up_discard(struct pump *p)
{
    char junk[4096];

    while (p->fd_readable && pending_in(p) > 1)
        if (recv(p->watch.fd, junk, sizeof junk, MSG_DONTWAIT) <= 0)
            break;
    p->fd_readable = false;
}

static bool up(struct pump *p)
{
    size_t moved = 0, n;

    if (p->err) {
        up_discard(p);
        return false;
    }
    while (p->active && p->fd_readable && !p->up_eof && moved < PUMP_TURN) {
        n = up_once(p);
        if (n == 0)
            return false;
        moved += n;
    }
    return p->active && moved >= PUMP_TURN;
}

/* ---- stack to descriptor --------------------------------------------------------------------- */

static void down_end(struct pump *p)
{
    p->down_eof = true;
    (void)shutdown(p->watch.fd, SHUT_WR);
}

/* Writes the views; returns the bytes the descriptor took, or 0 for none now. */
static size_t down_write(struct pump *p, tern_iov *iov, size_t n)
{
    struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = n};
    size_t all = views_total(iov, n);

    if (p->deaf)
        return all;
    ssize_t put = sendmsg(p->watch.fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put > 0) {
        p->fd_writable = (size_t)put == all;
        if (p->args.kind == PUMP_PAIR)
            owed_add(p, (size_t)put);
        return (size_t)put;
    }
    if (errno == EPIPE && p->args.kind == PUMP_PAIR && !p->hup) {
        p->deaf = true; /* or it has just closed, of which we are about to hear */
        return all;
    }
    if (errno == EAGAIN || errno == EINTR)
        p->fd_writable = false;
    else
        reset_soon(p);
    return 0;
}

/* One write. Returns the bytes moved; 0: nothing more now. */
static size_t down_once(struct pump *p)
{
    tern_iov iov[VIEWS];
    ptrdiff_t views = tern_recv_peek(stack_of(p), p->args.sock, iov, VIEWS, 0);

    if (views == 0) {
        down_end(p);
        return 0;
    }
    if (views < 0) {
        if (views != TERN_EAGAIN)
            ended(p, errno_of_tern((int)views));
        return 0;
    }
    size_t n = down_write(p, iov, (size_t)views);
    if (n > 0)
        (void)tern_recv_consume(stack_of(p), p->args.sock, n);
    return n;
}

static bool down(struct pump *p)
{
    size_t moved = 0, n;
    uint32_t owed = p->owed_bytes;

    owed_update(p);
    while (p->active && (p->fd_writable || p->deaf) && !p->down_eof && moved < PUMP_TURN) {
        n = down_once(p);
        if (n == 0)
            break;
        moved += n;
    }
    if (!p->active)
        return false;
    owed_tell(p, owed);
    if (p->down_eof && p->err)
        ended(p, p->err);
    return p->active && moved >= PUMP_TURN;
}

/* ---- turns ----------------------------------------------------------------------------------- */

/* The program has closed its end: does anything lie in the stack, or come later, that it will never
 * read? That is answered with RST, as what it had unread in the pair is (SHLD-3). */
static bool left_unread(struct pump *p)
{
    tern_iov iov;

    return !p->down_eof && tern_recv_peek(stack_of(p), p->args.sock, &iov, 1, 0) > 0;
}

/* The last two turns before a reset. */
static bool work_reset(struct pump *p)
{
    if (p->reset == PUMP_RESET_SENT || p->err) {
        closed(p, true);
        return false;
    }
    while (up(p))
        ;
    p->reset = PUMP_RESET_SENT;
    return p->active;
}

/* True: there is more to do at once. */
static bool work(struct pump *p)
{
    bool gone = p->hup && !p->told_shut && p->args.kind == PUMP_PAIR;

    if (gone && (p->abortive || left_unread(p)))
        reset_soon(p);
    if (p->reset != PUMP_RESET_NONE)
        return work_reset(p);
    bool more = up(p);
    if (p->active && !gone)
        more |= down(p);
    if (!p->active)
        return false;
    if (gone && p->up_eof) {
        closed(p, false);
        return false;
    }
    if (p->up_eof && p->down_eof) {
        ended(p, 0);
        return false;
    }
    return more || p->starved || p->reset != PUMP_RESET_NONE;
}

void pump_set_work(struct pump_set *set)
{
    bool starved = true;

    /* Each of those that are listed now, once; who has more to do goes to the end. */
    for (uint32_t n = set->count; n > 0 && set->first; n--) {
        struct pump *p = set->first;
        unlist(p);
        p->starved = false;
        if (!work(p))
            continue;
        list(p);
        starved &= p->starved;
    }
    set->rest_until = set->first && starved ? loop_clock() + REST_NS : 0;
}

void pump_now(struct pump *p)
{
    if (!p->active)
        return;
    p->fd_readable = true;
    if (work(p))
        list(p);
}

static int pending_error(int fd)
{
    int err = 0;
    socklen_t len = sizeof err;

    (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
    return err;
}

static void ready(void *user, uint32_t events)
{
    struct pump *p = user;

    if (events & EPOLLERR && pending_error(p->watch.fd)) {
        reset_soon(p);
        return;
    }
    p->fd_readable |= (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)) != 0;
    p->fd_writable |= (events & EPOLLOUT) != 0;
    p->rdhup |= (events & (EPOLLRDHUP | EPOLLHUP)) != 0;
    p->hup |= (events & EPOLLHUP) != 0;
    list(p);
}

int pump_start(struct pump *p, const struct pump_args *args)
{
    p->args = *args;
    p->active = p->fd_readable = p->fd_writable = true;
    p->watch = (struct loop_fd){.fd = args->fd, .ready = ready, .user = p};
    int err = loop_add(args->set->loop, &p->watch, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
    if (err) {
        p->active = false;
        close(args->fd);
        return err;
    }
    list(p);
    return 0;
}

void pump_event(struct pump *p, const tern_event *ev)
{
    if (!p->active)
        return;
    if (ev->mask & TERN_EV_ERROR)
        p->err = errno_of_tern(ev->err);
    list(p);
}

void pump_shut(struct pump *p, bool marked)
{
    p->told_shut = true;
    p->marked = marked;
}

void pump_abortive(struct pump *p, bool on) { p->abortive = on; }

uint32_t pump_unsent(const struct pump *p)
{
    size_t n = p->active && !p->up_eof ? pending_in(p) : 0;

    return (uint32_t)(n > 0 && p->marked ? n - 1 : n);
}

uint32_t pump_unread(const struct pump *p) { return p->owed_bytes; }
