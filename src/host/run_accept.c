/* run_accept.c - accept() and accept4().
 *
 * The runner accepts from the program's AF_UNIX listener itself and hands the new socket out, so
 * that the addresses are right and so that waiting is interrupted by signals like every other
 * trapped call. When the program does not get its answer, the connection goes back to the listener.
 */
#include "host/run_core.h"

#include <errno.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

/* What the program's accept() would return now: a new file, or -1 for nothing. */
static int take(int listener, int flags)
{
    struct pollfd p = {.fd = listener, .events = POLLIN};

    while (poll(&p, 1, 0) > 0 && p.revents & POLLIN) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | (flags & SOCK_NONBLOCK));
        if (fd < 0 || run_pair_is_us(fd))
            return fd;
        close(fd); /* somebody has found the path */
    }
    return -1;
}

static void hand_over(struct run_sock *listener, struct run_sock *q, int file)
{
    struct run *r = listener->run;
    struct stat st;
    int end = q->end;

    listener->queued = NULL;
    q->queued_at = NULL;
    if (q->end_watch.ready)
        loop_del(r->loop, &q->end_watch);
    q->end_watch.ready = NULL;
    if (fstat(file, &st) == 0)
        run_sock_insert(q, st.st_ino);
    run_borrow_note(q, file);
    if (q->conn) {
        q->end = -1;
        run_opts_apply(q);
        r->net->attach(q->conn, end);
        return;
    }
    run_pair_reset(q, file); /* it was reset while it waited */
    run_sock_close_end(q);
}

/* Gives the queued connection to a call that waits; false: the call was cancelled. */
static bool deliver(struct run_sock *s, const struct run_held *h)
{
    struct run *r = s->run;
    struct run_sock *q = s->queued;
    union run_sockaddr sa;
    size_t len = run_addr_write(&sa, s->family, &q->peer);

    if (!run_valid(r, h->id))
        return false;
    int err = h->addr ? run_copy_out(h->mem, h->addr, h->addrlen, &sa, len) : 0;
    int file = take(h->file, h->flags);
    if (file < 0) { /* out of descriptors */
        run_answer(r, h->id, -ENFILE);
        run_queue_again(s);
        return false;
    }
    if (err) { /* as in Linux, the connection is lost */
        close(file);
        s->queued = NULL;
        if (q->conn)
            r->net->abort(q->conn);
        run_sock_free(q);
        run_answer(r, h->id, err);
        return true;
    }
    q->pid = 0;
    bool heard = run_answer_fd(r, h, file, h->flags & SOCK_CLOEXEC);
    if (heard)
        hand_over(s, q, file);
    close(file);
    if (!heard)
        run_queue_again(s);
    return heard;
}

static struct run_held *first_accept(struct run_sock *s)
{
    struct run_held *h = s->held;

    while (h && !h->accept)
        h = h->next;
    return h;
}

void run_accept_waiting(struct run_sock *s)
{
    for (struct run_held *h; s->queued && (h = first_accept(s));) {
        deliver(s, h);
        run_held_drop(s, h);
    }
}

static int64_t do_accept(struct run_call *c, int flags)
{
    struct run_sock *s = c->sock;
    struct run *r = c->run;

    if (flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK) || s->state != SOCK_LISTENING)
        return -EINVAL;
    if (r->sock_count >= RUN_SOCKS_MAX)
        run_borrow_collect(r);
    run_queue_refill(s);
    int file = run_borrow(s, c->mem.pid, s->fd);
    if (file < 0)
        return -EBADF;
    if (!s->queued && fcntl(file, F_GETFL) & O_NONBLOCK) {
        int foreign = take(file, 0); /* -1, or a stranger's: never ours */
        if (foreign >= 0)
            close(foreign);
        close(file);
        return -EAGAIN;
    }
    int64_t result = run_hold(c, file, true, -EAGAIN);
    if (result == RUN_LATER) {
        run_accept_waiting(s);
        run_queue_refill(s);
    }
    return result;
}

int64_t run_call_accept(struct run_call *c) { return do_accept(c, 0); }

int64_t run_call_accept4(struct run_call *c) { return do_accept(c, (int)c->data->args[3]); }
