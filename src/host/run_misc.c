/* run_misc.c - the short answers: socket(), names, shutdown(), ioctl(), and foreign programs. */
#include "host/run_core.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void process_name(pid_t pid, char name[16])
{
    char path[32];

    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    FILE *f = fopen(path, "re");
    if (!f || !fgets(name, 16, f))
        memcpy(name, "?", 2);
    name[strcspn(name, "\n")] = 0;
    if (f)
        fclose(f);
}

void run_owner_of_conn(const void *user, struct run_owner *out)
{
    const struct run_sock *s = user;

    /* A connection that nobody has accepted yet is its listener's. */
    out->pid = s->queued_at ? s->queued_at->pid : s->pid;
    process_name(out->pid, out->name);
}

void run_owner_of_listener(const void *user, struct run_owner *out)
{
    const struct run_group *g = user;

    out->pid = g->members ? g->members->pid : 0;
    process_name(out->pid, out->name);
}

void run_owner_find(void *user, bool listener, struct run_owner *out)
{
    struct run_group *g = user;
    struct run_sock *s = listener ? g->members : user;

    *out = (struct run_owner){.pid = 0};
    if (s && s->queued_at)
        s = s->queued_at;
    while (s && !run_borrow_locate(s))
        s = listener ? s->group_next : NULL;
    if (!s)
        return;
    out->pid = s->pid;
    process_name(out->pid, out->name);
}

int64_t run_unread(void *user)
{
    struct run_sock *s = user;
    int n = 0, file = s->state == SOCK_CONNECTED && !s->queued_at ? run_borrow(s, 0, 0) : -1;

    if (file < 0)
        return -1;
    int err = ioctl(file, FIONREAD, &n);
    close(file);
    return err < 0 ? -1 : n;
}

uint32_t run_queued(const void *user)
{
    const struct run_group *g = user;
    uint32_t n = 0;

    for (const struct run_sock *s = g->members; s; s = s->group_next)
        n += s->queued != NULL;
    return n;
}

/* ---- socket() -------------------------------------------------------------------------------- */

/* Looking at /proc/PID/exe needs the same right as everything else the runner does to a process. */
static bool can_look_into(struct run *r, pid_t pid)
{
    char path[32], target[8], name[16];

    snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
    if (readlink(path, target, sizeof target) >= 0 || (errno != EACCES && errno != EPERM))
        return true;
    process_name(pid, name);
    run_say_once(
        r, RUN_SAY_UNREADABLE,
        "%s (process %d) forbids other programs to look at it, because its file may not be "
        "read or it has made itself non-dumpable, so its TCP calls cannot be answered and "
        "fail with EPERM. Run tern as root, or make the file readable.",
        name, (int)pid);
    return false;
}

int64_t run_call_socket(struct run_call *c)
{
    struct run *r = c->run;
    int type = (int)c->data->args[1];
    struct run_held call = {.id = c->id, .mem = c->mem};
    struct stat st;

    if (type & ~(SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC))
        return -EINVAL;
    if (!can_look_into(r, c->mem.pid))
        return -EPERM;
    if (r->sock_count >= r->collect_at)
        run_borrow_collect(r);
    struct run_sock *s = run_sock_new(r, (int)c->data->args[0]);
    if (!s) {
        run_say_once(r, RUN_SAY_SOCKS, "more than %d sockets: socket() fails with ENFILE",
                     RUN_SOCKS_MAX);
        return -ENFILE;
    }
    int file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | (type & SOCK_NONBLOCK), 0);
    if (file < 0 || fstat(file, &st) < 0) {
        run_say_once(r, RUN_SAY_FILES,
                     "out of descriptors: socket() fails with ENFILE (raise ulimit -n)");
        run_sock_free(s);
        return -ENFILE;
    }
    s->pid = c->mem.pid;
    if (run_answer_fd(r, &call, file, type & SOCK_CLOEXEC)) {
        run_sock_insert(s, st.st_ino);
        run_borrow_note(s, file);
    } else {
        run_sock_free(s);
    }
    close(file);
    return RUN_LATER;
}

/* ---- names ----------------------------------------------------------------------------------- */

static int64_t name_out(struct run_call *c, const tern_addr *addr)
{
    union run_sockaddr sa;
    size_t len = run_addr_write(&sa, c->sock->family, addr);

    if (!run_valid(c->run, c->id))
        return RUN_LATER;
    return run_copy_out(c->mem, c->data->args[1], c->data->args[2], &sa, len);
}

int64_t run_call_getsockname(struct run_call *c)
{
    const struct run_sock *s = c->sock;
    tern_addr any = run_addr_wildcard(s->family);

    if (s->state == SOCK_CONNECTED || s->state == SOCK_CONNECTING || s->state == SOCK_ENDED)
        return name_out(c, &s->name);
    return name_out(c, s->bound ? &s->local : &any);
}

int64_t run_call_getpeername(struct run_call *c)
{
    return c->sock->state == SOCK_CONNECTED ? name_out(c, &c->sock->peer) : -ENOTCONN;
}

/* ---- shutdown() ------------------------------------------------------------------------------ */

/* A connection that is reset later must show as ECONNRESET to a program that still reads. That
 * takes one byte that the program sent and we leave unread (run_pair_reset()), and after the
 * shutdown it is too late to send one. */
static bool leave_byte(struct run_sock *s, pid_t pid)
{
    int size = 0, more;
    socklen_t len = sizeof size;
    int file = run_borrow(s, pid, s->fd);

    if (file < 0)
        return false;
    ssize_t n = send(file, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN && getsockopt(file, SOL_SOCKET, SO_SNDBUF, &size, &len) == 0) {
        more = size; /* which the kernel doubles */
        (void)setsockopt(file, SOL_SOCKET, SO_SNDBUF, &more, sizeof more);
        n = send(file, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
        more = size / 2;
        (void)setsockopt(file, SOL_SOCKET, SO_SNDBUF, &more, sizeof more);
    }
    close(file);
    return n == 1;
}

int64_t run_call_shutdown(struct run_call *c)
{
    struct run_sock *s = c->sock;
    int how = (int)c->data->args[1];

    if (how < SHUT_RD || how > SHUT_RDWR)
        return -EINVAL;
    switch (s->state) {
    case SOCK_IDLE:
    case SOCK_FAILED:
    case SOCK_ENDED:
        return -ENOTCONN;
    case SOCK_CONNECTING:
        c->run->net->abort(s->conn);
        s->conn = NULL;
        run_sock_close_end(s);
        run_held_answer(s, false, -ECONNABORTED);
        s->state = SOCK_FAILED;
        s->reported = true;
        return 0;
    case SOCK_LISTENING:
        if (how == SHUT_WR)
            return 0;
        run_listener_closed(s);
        run_held_answer(s, true, -EINVAL);
        return RUN_CONTINUE; /* for those who poll it */
    case SOCK_CONNECTED:
        if (how != SHUT_RD && s->conn && !s->shut) {
            s->shut = true;
            c->run->net->shut(s->conn, leave_byte(s, c->mem.pid));
        }
        return RUN_CONTINUE;
    }
    return RUN_CONTINUE;
}

/* ---- ioctl() --------------------------------------------------------------------------------- */

int64_t run_call_ioctl(struct run_call *c)
{
    struct run_sock *s = c->sock;
    uint32_t unsent = 0;
    unsigned request = (unsigned)c->data->args[1];

    if (request != SIOCOUTQ && request != SIOCOUTQNSD)
        return RUN_CONTINUE;
    if (s->state == SOCK_LISTENING)
        return -EINVAL;
    uint32_t queued =
        s->conn && s->state == SOCK_CONNECTED ? s->run->net->outq(s->conn, &unsent) : 0;
    int value = (int)(request == SIOCOUTQ ? queued : unsent);
    if (!run_valid(c->run, c->id))
        return RUN_LATER;
    return run_mem_write(c->mem, c->data->args[2], &value, sizeof value);
}

/* ---- programs of the other ABI --------------------------------------------------------------- */

#if defined(__x86_64__)
enum { OTHER_ARCH = AUDIT_ARCH_I386, OTHER_SOCKET = 359, OTHER_SOCKETCALL = 102 };
#else
enum { OTHER_ARCH = AUDIT_ARCH_ARM, OTHER_SOCKET = 281, OTHER_SOCKETCALL = -1 };
#endif

int64_t run_call_foreign(struct run_call *c)
{
    uint32_t args[3] = {(uint32_t)c->data->args[0], (uint32_t)c->data->args[1],
                        (uint32_t)c->data->args[2]};
    int nr = c->data->nr;
    char name[16];

    if (c->data->arch == OTHER_ARCH && nr == OTHER_SOCKETCALL) {
        if (args[0] != 1 || run_mem_read(c->mem, args, c->data->args[1], sizeof args) < 0)
            return RUN_CONTINUE;
    } else if (c->data->arch == OTHER_ARCH ? nr != OTHER_SOCKET
                                           : (nr & ~0x40000000) != SYS_socket) {
        return RUN_CONTINUE;
    }
    if ((args[0] != AF_INET && args[0] != AF_INET6) || (args[1] & 0xf) != SOCK_STREAM)
        return RUN_CONTINUE;
    process_name(c->mem.pid, name);
    run_say_once(
        c->run, RUN_SAY_FOREIGN,
        "%s (process %d) is a program for another kind of processor interface (32-bit): its "
        "TCP is refused with EAFNOSUPPORT. Run a 64-bit build of it.",
        name, (int)c->mem.pid);
    return -EAFNOSUPPORT;
}
