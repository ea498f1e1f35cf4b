/* run_notify.c - trapped calls come in, are handed to their handlers, and answers go out.
 *
 * The thread that made the call sleeps in the kernel meanwhile. A signal wakes it: its call is then
 * cancelled, the answer goes nowhere (run_answer() tells), and the same call comes again after the
 * handler, or the program sees EINTR, as the signal's SA_RESTART says. So handlers must do the same
 * thing again without harm, and must not count on their answer to arrive. Even an answer that the
 * kernel has taken can be lost so: see struct run_last.
 *
 * What is read from the program may be garbage, and may change at any time. The thread may even die
 * and its number be used again: run_valid() says that it is still the one that called.
 */
#include "host/run_core.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/run_filter.h"

static const struct {
    int nr;
    run_call_fn *fn;
} handlers[] = {
    {SYS_connect, run_call_connect},
    {SYS_bind, run_call_bind},
    {SYS_listen, run_call_listen},
    {SYS_accept, run_call_accept},
    {SYS_accept4, run_call_accept4},
    {SYS_getsockname, run_call_getsockname},
    {SYS_getpeername, run_call_getpeername},
    {SYS_shutdown, run_call_shutdown},
    {SYS_setsockopt, run_call_setsockopt},
    {SYS_getsockopt, run_call_getsockopt},
    {SYS_ioctl, run_call_ioctl},
};

/* ---- answers --------------------------------------------------------------------------------- */

static int notify(struct run *r, unsigned long request, void *arg)
{
    return r->forge ? r->forge->notify(r->notify.fd, request, arg)
                    : ioctl(r->notify.fd, request, arg);
}

bool run_answer(struct run *r, uint64_t id, int64_t value)
{
    memset(r->resp, 0, r->resp_size);
    r->resp->id = id;
    if (value == RUN_CONTINUE)
        r->resp->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    else if (value < 0)
        r->resp->error = (int)value;
    else
        r->resp->val = value;
    return notify(r, SECCOMP_IOCTL_NOTIF_SEND, r->resp) == 0;
}

bool run_valid(struct run *r, uint64_t id)
{
    return notify(r, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

/* The program may be out of descriptors; any other failure is a call that was cancelled. */
static bool answer_no_fd(struct run *r, const struct run_held *call)
{
    if (errno == EMFILE || errno == ENOMEM)
        run_answer(r, call->id, -errno);
    return false;
}

/* Before Linux 5.14 installing a descriptor and answering are two steps. When a signal comes
 * between them, the program has a descriptor that it does not know of; the call comes again, and
 * the number is remembered so that it is answered with the same one. When the answer is lost
 * although the kernel took it, that does not help: the descriptor stays unknown, and a connection
 * in it with it. */
static bool answer_fd_in_two(struct run *r, const struct run_held *call,
                             struct seccomp_notif_addfd *add)
{
    struct run_stray *stray = &r->strays[(size_t)call->mem.pid % RUN_STRAYS];
    uint64_t ino = run_sock_inode(call->mem.pid, stray->fd);

    if (stray->pid == call->mem.pid && ino && ino == stray->ino) {
        add->newfd = (uint32_t)stray->fd;
        add->flags |= SECCOMP_ADDFD_FLAG_SETFD;
    }
    stray->pid = 0;
    int fd = notify(r, SECCOMP_IOCTL_NOTIF_ADDFD, add);
    if (fd < 0)
        return answer_no_fd(r, call);
    if (run_answer(r, call->id, fd))
        return true;
    *stray = (struct run_stray){call->mem.pid, fd, run_sock_inode(call->mem.pid, fd)};
    return false;
}

bool run_answer_fd(struct run *r, const struct run_held *call, int file, bool cloexec)
{
    struct seccomp_notif_addfd add = {.id = call->id,
                                      .srcfd = (uint32_t)file,
                                      .newfd_flags = cloexec ? O_CLOEXEC : 0};

    if (!r->caps.addfd_send)
        return answer_fd_in_two(r, call, &add);
    add.flags = SECCOMP_ADDFD_FLAG_SEND;
    if (notify(r, SECCOMP_IOCTL_NOTIF_ADDFD, &add) >= 0)
        return true;
    if (errno != EINVAL)
        return answer_no_fd(r, call);
    r->caps.addfd_send = false; /* an older kernel */
    add.flags = 0;
    return answer_fd_in_two(r, call, &add);
}

bool run_replace_fd(struct run *r, uint64_t id, int file, int fd, bool cloexec)
{
    struct seccomp_notif_addfd add = {.id = id,
                                      .flags = SECCOMP_ADDFD_FLAG_SETFD,
                                      .srcfd = (uint32_t)file,
                                      .newfd = (uint32_t)fd,
                                      .newfd_flags = cloexec ? O_CLOEXEC : 0};

    return notify(r, SECCOMP_IOCTL_NOTIF_ADDFD, &add) >= 0;
}

int run_copy_out(struct run_mem mem, uint64_t addr, uint64_t addrlen, const void *src, size_t len)
{
    int room;

    if (run_mem_read(mem, &room, addrlen, sizeof room) < 0)
        return -EFAULT;
    if (room < 0)
        return -EINVAL;
    size_t n = (size_t)room < len ? (size_t)room : len;
    int whole = (int)len;
    if (n > 0 && run_mem_write(mem, addr, src, n) < 0)
        return -EFAULT;
    return run_mem_write(mem, addrlen, &whole, sizeof whole) < 0 ? -EFAULT : 0;
}

/* ---- messages -------------------------------------------------------------------------------- */

static void say(struct run *r, const char *format, va_list args)
{
    char text[512];

    vsnprintf(text, sizeof text, format, args);
    if (r->cfg.say)
        r->cfg.say(r->cfg.say_user, text);
    else
        fprintf(stderr, "tern: %s\n", text);
}

void run_say(struct run *r, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(r, format, args);
    va_end(args);
}

void run_say_once(struct run *r, enum run_message which, const char *format, ...)
{
    va_list args;

    if (r->said & (1u << which))
        return;
    r->said |= 1u << which;
    va_start(args, format);
    say(r, format, args);
    va_end(args);
}

/* ---- calls ----------------------------------------------------------------------------------- */

static int64_t handle(struct run_call *c)
{
    int nr = c->data->nr, fd = (int)c->data->args[0];

    if (c->data->arch != run_filter_arch || nr & 0x40000000)
        return run_call_foreign(c);
    if (nr == SYS_socket)
        return run_call_socket(c);
    uint64_t ino = fd < 0 ? 0 : run_sock_inode(c->mem.pid, fd);
    c->sock = ino ? run_sock_find(c->run, ino) : NULL;
    if (!c->sock)
        return RUN_CONTINUE;
    if (!run_valid(c->run, c->id))
        return RUN_LATER;
    c->sock->pid = c->mem.pid;
    c->sock->fd = fd;
    for (size_t i = 0; i < sizeof handlers / sizeof handlers[0]; i++)
        if (handlers[i].nr == nr)
            return handlers[i].fn(c);
    return RUN_CONTINUE;
}

static bool is_repeated(struct run *r, const struct run_call *c)
{
    struct run_last *last = &r->last[(size_t)c->mem.pid % RUN_STRAYS];
    bool same = last->pid == c->mem.pid && memcmp(&last->data, c->data, sizeof *c->data) == 0;

    *last = (struct run_last){c->mem.pid, *c->data};
    return same;
}

static bool one_call(struct run *r)
{
    struct pollfd p = {.fd = r->notify.fd, .events = POLLIN};

    /* Receiving blocks when nothing is there. */
    if (poll(&p, 1, 0) <= 0 || !(p.revents & POLLIN))
        return false;
    memset(r->req, 0, r->req_size);
    if (notify(r, SECCOMP_IOCTL_NOTIF_RECV, r->req) < 0)
        return errno == ENOENT || errno == EINTR; /* cancelled meanwhile */
    struct run_call c = {.run = r,
                         .data = &r->req->data,
                         .id = r->req->id,
                         .mem = {(pid_t)r->req->pid, r->caps.process_vm, r->forge}};
    c.repeated = is_repeated(r, &c);
    int64_t value = handle(&c);
    if (value != RUN_LATER)
        run_answer(r, c.id, value);
    return true;
}

static void notify_ready(void *user, uint32_t events)
{
    struct run *r = user;
    int n = 0;

    while (n < RUN_CALLS_MAX && one_call(r))
        n++;
    if (n == 0 && (events & (EPOLLHUP | EPOLLERR)) && !(events & EPOLLIN)) {
        run_notify_stop(r); /* no process is under the filter any more */
        run_sock_end_listeners(r);
    }
}

int run_notify_start(struct run *r, int fd)
{
    struct seccomp_notif_sizes sizes;

    r->notify = (struct loop_fd){.fd = fd, .ready = notify_ready, .user = r};
    if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) < 0)
        return -errno;
    r->req_size = sizes.seccomp_notif > sizeof *r->req ? sizes.seccomp_notif : sizeof *r->req;
    r->resp_size =
        sizes.seccomp_notif_resp > sizeof *r->resp ? sizes.seccomp_notif_resp : sizeof *r->resp;
    r->req = calloc(1, r->req_size);
    r->resp = calloc(1, r->resp_size);
    if (!r->req || !r->resp)
        return -ENOMEM;
    if (r->caps.sync_wake)
        (void)ioctl(fd, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
    return loop_add(r->loop, &r->notify, EPOLLIN);
}

void run_notify_stop(struct run *r)
{
    if (r->notify.fd < 0)
        return;
    loop_del(r->loop, &r->notify);
    close(r->notify.fd);
    r->notify.fd = -1;
}
