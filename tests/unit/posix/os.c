#include "os.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../netns.h"
#include "../test.h"

/* ---- two stacks ------------------------------------------------------------------------------ */

static void on_event(void *user, tern *s, const tern_event *ev)
{
    struct os *os = user;
    for (int side = 0; side < 2; side++) {
        if (os->p[side] != NULL && s == (side == CLIENT ? os->pair.client : os->pair.server)) {
            tern_sockets_now(os->p[side], lab_world_now(os->pair.w));
            tern_sockets_events(os->p[side], ev, 1);
        }
    }
}

static void tell_time(struct os *os)
{
    for (int side = 0; side < 2; side++)
        tern_sockets_now(os->p[side], lab_world_now(os->pair.w));
}

/* One turn, or a jump to the next moment at which something happens. */
static int on_wait(void *user, uint64_t until)
{
    struct os *os = user;
    uint64_t next = lab_world_next(os->pair.w);

    if (next > until)
        next = until;
    if (next == TERN_NEVER)
        fail_msg("a call waits for what will never come; so far:\n%s", os->text);
    if (next < lab_world_now(os->pair.w))
        next = lab_world_now(os->pair.w);
    lab_world_turn(os->pair.w, next);
    tell_time(os);
    return 0;
}

void os_begin(struct os *os, const struct lab_config *link, const tern_config *conf)
{
    struct lab_host_config host = {.event = on_event, .user = os};
    tern_iface iface = {.mtu = 1500};

    memset(os, 0, sizeof *os);
    tern_config_default(&host.tern);
    if (conf != NULL)
        host.tern = *conf;
    host.tern.stats = true;
    host.tern.md5 = tern_sockets_md5;
    assert_int_equal(lab_pair_new(&os->pair, 1, &host, &host, &iface, link), 0);
    for (int side = 0; side < 2; side++) {
        tern_sockets_config c = {
            .stack = side == CLIENT ? os->pair.client : os->pair.server,
            .now = lab_world_now(os->pair.w),
            .seed = 1,
            .md5 = true,
            .wait = on_wait,
            .user = os,
        };
        assert_int_equal(tern_sockets_new(&os->p[side], &c), 0);
    }
}

void os_end(struct os *os)
{
    for (int side = 0; side < 2; side++) {
        tern_sockets_free(os->p[side]);
        os->p[side] = NULL;
    }
    lab_world_free(os->pair.w);
}

/* ---- playing --------------------------------------------------------------------------------- */

void note(struct os *os, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int n = vsnprintf(os->text + os->used, sizeof os->text - os->used, format, args);
    va_end(args);
    assert_true(n >= 0 && (size_t)n < sizeof os->text - os->used);
    os->used += (size_t)n;
}

const char *result_name(long result)
{
    static char text[4][32];
    static int turn;
    char *to = text[turn++ % 4];

    if (result < 0 && result > -4096 && strerrorname_np((int)-result) != NULL)
        snprintf(to, sizeof text[0], "-%s", strerrorname_np((int)-result));
    else
        snprintf(to, sizeof text[0], "%ld", result);
    return to;
}

long noted(struct os *os, const char *name, long result)
{
    note(os, "%s = %s\n", name, result_name(result));
    return result;
}

bool os_differs(void (*scene)(struct os *os), char *why, size_t size)
{
    static struct os kernel, stack;
    static bool alone;

    if (!alone)
        kernel_loopback();
    alone = true;
    memset(&kernel, 0, sizeof kernel);
    kernel.kernel = true;
    scene(&kernel);
    os_begin(&stack, NULL, NULL);
    scene(&stack);
    os_end(&stack);
    assert_true(kernel.used != 0);
    const char *a = kernel.text, *b = stack.text, *line = a;
    int number = 1;
    while (*a != 0 && *a == *b) {
        if (*a++ == '\n') {
            line = a;
            number++;
        }
        b++;
    }
    if (*a == *b)
        return false;
    const char *other = stack.text + (line - kernel.text);
    snprintf(why, size, "line %d: the kernel says\n  %.*s\nand this room\n  %.*s\nafter\n%.*s",
             number, (int)strcspn(line, "\n"), line, (int)strcspn(other, "\n"), other,
             (int)(line - kernel.text), kernel.text);
    return true;
}

void os_compare(void (*scene)(struct os *os))
{
    static char why[sizeof(((struct os *)0)->text)];

    if (os_differs(scene, why, sizeof why))
        fail_msg("%s", why);
}

void os_settle(struct os *os) { os_sleep(os, 2); }

void os_sleep(struct os *os, unsigned ms)
{
    if (os->kernel) {
        usleep(1000 * ms);
        return;
    }
    uint64_t until = lab_world_now(os->pair.w) + (uint64_t)ms * 1000000;
    lab_world_run(os->pair.w, until, NULL, NULL);
    tell_time(os);
}

/* ---- the calls ------------------------------------------------------------------------------- */

static long negative(long result) { return result < 0 ? -errno : result; }

#define BOTH(type, call, ...)                                                                      \
    (type)(os->kernel ? negative(call(__VA_ARGS__)) : tern_socket_##call(os->p[side], __VA_ARGS__))

int os_socket(struct os *os, enum side side, int domain, int type, int protocol)
{
    return (int)(os->kernel ? negative(socket(domain, type, protocol))
                            : tern_socket(os->p[side], domain, type, protocol));
}

int os_bind(struct os *os, enum side side, int fd, const void *addr, socklen_t len)
{
    return BOTH(int, bind, fd, addr, len);
}

int os_listen(struct os *os, enum side side, int fd, int backlog)
{
    return BOTH(int, listen, fd, backlog);
}

int os_accept4(struct os *os, enum side side, int fd, void *addr, socklen_t *len, int flags)
{
    return BOTH(int, accept4, fd, addr, len, flags);
}

int os_connect(struct os *os, enum side side, int fd, const void *addr, socklen_t len)
{
    return BOTH(int, connect, fd, addr, len);
}

int os_shutdown(struct os *os, enum side side, int fd, int how)
{
    return BOTH(int, shutdown, fd, how);
}

int os_close(struct os *os, enum side side, int fd) { return BOTH(int, close, fd); }

int os_dup(struct os *os, enum side side, int fd) { return BOTH(int, dup, fd); }

int os_dup2(struct os *os, enum side side, int fd, int to) { return BOTH(int, dup2, fd, to); }

int os_fcntl(struct os *os, enum side side, int fd, int cmd, long arg)
{
    return BOTH(int, fcntl, fd, cmd, arg);
}

int os_ioctl(struct os *os, enum side side, int fd, unsigned long request, void *arg)
{
    return BOTH(int, ioctl, fd, request, arg);
}

int os_getsockname(struct os *os, enum side side, int fd, void *addr, socklen_t *len)
{
    return BOTH(int, getsockname, fd, addr, len);
}

int os_getpeername(struct os *os, enum side side, int fd, void *addr, socklen_t *len)
{
    return BOTH(int, getpeername, fd, addr, len);
}

int os_getsockopt(struct os *os, enum side side, int fd, int level, int name, void *value,
                  socklen_t *len)
{
    return BOTH(int, getsockopt, fd, level, name, value, len);
}

int os_setsockopt(struct os *os, enum side side, int fd, int level, int name, const void *value,
                  socklen_t len)
{
    return BOTH(int, setsockopt, fd, level, name, value, len);
}

ssize_t os_send(struct os *os, enum side side, int fd, const void *buf, size_t len, int flags)
{
    if (os->kernel)
        flags |= MSG_NOSIGNAL;
    return BOTH(ssize_t, send, fd, buf, len, flags);
}

ssize_t os_recv(struct os *os, enum side side, int fd, void *buf, size_t len, int flags)
{
    return BOTH(ssize_t, recv, fd, buf, len, flags);
}

ssize_t os_read(struct os *os, enum side side, int fd, void *buf, size_t len)
{
    return BOTH(ssize_t, read, fd, buf, len);
}

ssize_t os_write(struct os *os, enum side side, int fd, const void *buf, size_t len)
{
    return BOTH(ssize_t, write, fd, buf, len);
}

ssize_t os_sendmsg(struct os *os, enum side side, int fd, const struct msghdr *msg, int flags)
{
    if (os->kernel)
        flags |= MSG_NOSIGNAL;
    return BOTH(ssize_t, sendmsg, fd, msg, flags);
}

ssize_t os_recvmsg(struct os *os, enum side side, int fd, struct msghdr *msg, int flags)
{
    return BOTH(ssize_t, recvmsg, fd, msg, flags);
}

/* By number: the C library's struct is shown only with _GNU_SOURCE. */
int os_sendmmsg(struct os *os, enum side side, int fd, const struct tern_mmsg *a)
{
    if (os->kernel)
        return (int)negative(syscall(SYS_sendmmsg, fd, a->msgs, a->n, a->flags | MSG_NOSIGNAL));
    return tern_socket_sendmmsg(os->p[side], fd, a);
}

int os_recvmmsg(struct os *os, enum side side, int fd, const struct tern_mmsg *a)
{
    if (os->kernel)
        return (int)negative(syscall(SYS_recvmmsg, fd, a->msgs, a->n, a->flags, a->timeout));
    return tern_socket_recvmmsg(os->p[side], fd, a);
}

int os_poll(struct os *os, enum side side, struct pollfd *fds, nfds_t n, int timeout_ms)
{
    return BOTH(int, poll, fds, n, timeout_ms);
}

int os_select(struct os *os, enum side side, const struct tern_select *a)
{
    if (os->kernel)
        return (int)negative(select(a->n, a->read, a->write, a->except, a->timeout));
    return tern_socket_select(os->p[side], a);
}

int os_epoll_create1(struct os *os, enum side side, int flags)
{
    return BOTH(int, epoll_create1, flags);
}

int os_epoll_ctl(struct os *os, enum side side, int epfd, int op, int fd, struct epoll_event *event)
{
    return BOTH(int, epoll_ctl, epfd, op, fd, event);
}

int os_epoll_wait(struct os *os, enum side side, int epfd, struct epoll_event *events, int max,
                  int timeout_ms)
{
    return BOTH(int, epoll_wait, epfd, events, max, timeout_ms);
}

int os_pipe2(struct os *os, enum side side, int fds[2], int flags)
{
    return BOTH(int, pipe2, fds, flags);
}

/* ---- readiness, addresses -------------------------------------------------------------------- */

void note_poll(struct os *os, enum side side, const char *name, int fd)
{
    static const struct {
        short bit;
        const char *name;
    } bits[] = {
        {POLLIN, "IN"},         {POLLPRI, "PRI"},       {POLLOUT, "OUT"},
        {POLLERR, "ERR"},       {POLLHUP, "HUP"},       {POLLNVAL, "NVAL"},
        {POLLRDNORM, "RDNORM"}, {POLLRDBAND, "RDBAND"}, {POLLWRNORM, "WRNORM"},
        {POLLWRBAND, "WRBAND"}, {POLLRDHUP, "RDHUP"},
    };
    struct pollfd p = {.fd = fd, .events = 0x7fff};

    note(os, "poll %s = %d:", name, os_poll(os, side, &p, 1, 0));
    for (size_t i = 0; i < sizeof bits / sizeof bits[0]; i++)
        if (p.revents & bits[i].bit)
            note(os, " %s", bits[i].name);
    note(os, "\n");
}

socklen_t os_address(const struct os *os, int domain, bool mapped, uint16_t port,
                     struct sockaddr_storage *out)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    const uint8_t *four = os->kernel ? (const uint8_t *)"\x7f\0\0\1" : lab_server_ip4 + 12;

    memset(out, 0, sizeof *out);
    if (domain == AF_INET) {
        memcpy(&in.sin_addr, four, 4);
        memcpy(out, &in, sizeof in);
        return sizeof in;
    }
    if (mapped) {
        memcpy(&in6.sin6_addr, lab_server_ip4, 12);
        memcpy((uint8_t *)&in6.sin6_addr + 12, four, 4);
    } else {
        memcpy(&in6.sin6_addr, os->kernel ? (const void *)&in6addr_loopback : lab_server_ip6, 16);
    }
    memcpy(out, &in6, sizeof in6);
    return sizeof in6;
}

int os_listener(struct os *os, int domain, int backlog, uint16_t *port)
{
    struct sockaddr_storage a;
    socklen_t len = os_address(os, domain, false, 0, &a);
    int fd = os_socket(os, SERVER, domain, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    assert_int_equal(os_bind(os, SERVER, fd, &a, len), 0);
    assert_int_equal(os_listen(os, SERVER, fd, backlog), 0);
    assert_int_equal(os_getsockname(os, SERVER, fd, &a, &len), 0);
    *port = ntohs(((struct sockaddr_in *)&a)->sin_port);
    return fd;
}

void os_pair(struct os *os, int domain, int fd[3])
{
    struct sockaddr_storage a;
    uint16_t port;

    fd[2] = os_listener(os, domain, 8, &port);
    socklen_t len = os_address(os, domain, false, port, &a);
    fd[CLIENT] = os_socket(os, CLIENT, domain, SOCK_STREAM, 0);
    assert_true(fd[CLIENT] >= 0);
    assert_int_equal(os_connect(os, CLIENT, fd[CLIENT], &a, len), 0);
    fd[SERVER] = os_accept4(os, SERVER, fd[2], NULL, NULL, SOCK_NONBLOCK);
    assert_true(fd[SERVER] >= 0);
    assert_int_equal(os_fcntl(os, CLIENT, fd[CLIENT], F_SETFL, O_RDWR | O_NONBLOCK), 0);
}
