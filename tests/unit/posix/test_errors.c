/* test_errors.c - every call with good and bad arguments, on sockets in every state, beside the
 * kernel: what it returns, and what poll(), SO_ERROR and the next read say after it. TERN_SEEDS=N:
 * so many sequences of calls.
 *
 * valgrind: takes impossible lengths at their word and says so, before the kernel refuses them */
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "os.h"
#include "test.h"

/* What loopback does, it does at once. */
static void settle(struct os *os)
{
    if (os->kernel)
        usleep(400);
    else
        os_settle(os);
}

/* ---- states ---------------------------------------------------------------------------------- */

/* What a call is tried on, and what is to be closed after it. */
struct place {
    int fd, other, listener;
    enum side side;
    uint16_t port; /* where somebody listens */
};

enum where {
    FRESH,
    BOUND,
    LISTENING,
    LISTENING_READY,
    CONNECTED,
    ACCEPTED,
    WITH_DATA,
    SHUT_READ,
    SHUT_WRITE,
    SHUT_TWICE,
    PEER_SHUT,
    PEER_CLOSED,
    BOTH_CLOSED,
    PEER_RESET,
    REFUSED,
    DISCONNECTED,
    UNLISTENED,
    NO_FD,
    PIPE_READ,
    PIPE_WRITE,
    EPOLL,
    PLACES
};

static const char *const names[PLACES] = {
    "fresh",
    "bound",
    "listening",
    "listening, one waits",
    "connected",
    "accepted",
    "with data",
    "shut for reading",
    "shut",
    "shut twice",
    "peer shut",
    "peer closed",
    "both closed",
    "peer reset",
    "refused",
    "disconnected",
    "unlistened",
    "no descriptor",
    "a pipe's end to read",
    "a pipe's end to write",
    "epoll",
};

static void connect_to(struct os *os, struct place *p, int fd)
{
    struct sockaddr_storage a;
    socklen_t len = os_address(os, AF_INET, false, p->port, &a);
    assert_int_equal(os_connect(os, CLIENT, fd, &a, len), 0);
}

static void listener(struct os *os, struct place *p, enum where where)
{
    p->side = SERVER;
    p->fd = os_listener(os, AF_INET, 4, &p->port);
    os_fcntl(os, SERVER, p->fd, F_SETFL, O_RDWR | O_NONBLOCK);
    if (where == UNLISTENED)
        os_shutdown(os, SERVER, p->fd, SHUT_RDWR);
    if (where != LISTENING_READY)
        return;
    p->other = os_socket(os, CLIENT, AF_INET, SOCK_STREAM, 0);
    connect_to(os, p, p->other);
    settle(os);
}

static void shut(struct os *os, struct place *p, enum where where)
{
    struct linger abort = {1, 0};
    enum side peer = p->side == CLIENT ? SERVER : CLIENT;

    if (where == SHUT_READ || where == SHUT_TWICE)
        os_shutdown(os, p->side, p->fd, SHUT_RD);
    if (where == SHUT_WRITE || where == SHUT_TWICE || where == BOTH_CLOSED)
        os_shutdown(os, p->side, p->fd, SHUT_WR);
    if (where == PEER_SHUT)
        os_shutdown(os, peer, p->other, SHUT_WR);
    if (where == WITH_DATA)
        os_send(os, peer, p->other, "some data", 9, 0);
    if (where == PEER_RESET)
        os_setsockopt(os, peer, p->other, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
    if (where == PEER_RESET || where == PEER_CLOSED || where == BOTH_CLOSED) {
        settle(os);
        os_close(os, peer, p->other);
        p->other = -1;
    }
    settle(os);
}

static void connected(struct os *os, struct place *p, enum where where)
{
    int fd[3];

    os_pair(os, AF_INET, fd);
    p->side = where == ACCEPTED || where == PEER_SHUT ? SERVER : CLIENT;
    p->fd = fd[p->side];
    p->other = fd[p->side == CLIENT ? SERVER : CLIENT];
    p->listener = fd[2];
    shut(os, p, where);
    if (where == DISCONNECTED) {
        struct sockaddr none = {.sa_family = AF_UNSPEC};
        os_connect(os, p->side, p->fd, &none, sizeof none);
        settle(os);
    }
}

/* A free port: one that was had for a moment. */
static uint16_t nobodys_port(struct os *os)
{
    uint16_t port;
    os_close(os, SERVER, os_listener(os, AF_INET, 1, &port));
    return port;
}

static void fresh(struct os *os, struct place *p, enum where where)
{
    struct sockaddr_in any = {.sin_family = AF_INET};
    struct sockaddr_storage a;

    p->fd = os_socket(os, CLIENT, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (where == BOUND)
        os_bind(os, CLIENT, p->fd, &any, sizeof any);
    if (where == REFUSED) {
        socklen_t len = os_address(os, AF_INET, false, nobodys_port(os), &a);
        os_connect(os, CLIENT, p->fd, &a, len);
        settle(os);
    }
}

static void go(struct os *os, struct place *p, enum where where)
{
    int fds[2];

    *p = (struct place){.fd = -1, .other = -1, .listener = -1};
    switch (where) {
    case FRESH:
    case BOUND:
    case REFUSED:
        fresh(os, p, where);
        break;
    case LISTENING:
    case LISTENING_READY:
    case UNLISTENED:
        listener(os, p, where);
        break;
    case NO_FD:
        p->fd = 555;
        break;
    case PIPE_READ:
    case PIPE_WRITE:
        os_pipe2(os, CLIENT, fds, O_NONBLOCK);
        p->fd = fds[where == PIPE_WRITE];
        p->other = fds[where == PIPE_READ];
        break;
    case EPOLL:
        p->fd = os_epoll_create1(os, CLIENT, 0);
        break;
    default:
        connected(os, p, where);
        break;
    }
}

static void leave(struct os *os, const struct place *p, enum where where)
{
    if (where != NO_FD)
        os_close(os, p->side, p->fd);
    if (p->other >= 0)
        os_close(os,
                 where == PIPE_READ || where == PIPE_WRITE || p->side == SERVER ? CLIENT : SERVER,
                 p->other);
    if (p->listener >= 0)
        os_close(os, SERVER, p->listener);
    settle(os);
}

/* ---- calls ----------------------------------------------------------------------------------- */

static char bytes[64];

static long call_send(struct os *os, const struct place *p, size_t len, int flags)
{
    return os_send(os, p->side, p->fd, bytes, len, flags | MSG_DONTWAIT);
}

static long call_recv(struct os *os, const struct place *p, size_t len, int flags)
{
    return os_recv(os, p->side, p->fd, bytes, len, flags | MSG_DONTWAIT);
}

static long name_of(struct os *os, const struct place *p, bool peer, int room)
{
    struct sockaddr_storage a = {0};
    socklen_t len = (socklen_t)room;
    long result = peer ? os_getpeername(os, p->side, p->fd, &a, &len)
                       : os_getsockname(os, p->side, p->fd, &a, &len);
    note(os, " len %d family %d", (int)len, a.ss_family);
    return result;
}

static long call_bind(struct os *os, const struct place *p, int how)
{
    struct sockaddr_storage a;
    socklen_t len = os_address(os, AF_INET, false, 0, &a);

    if (how == 0)
        len = 8;
    if (how == 1)
        a.ss_family = AF_UNIX;
    if (how == 2)
        len = (socklen_t)-1;
    if (how == 3)
        len = sizeof a + 1;
    if (how == 4)
        memset((char *)&a + 4, 9, 4);
    if (how >= 5)
        memset((char *)&a + 4, 0, 4);
    if (how == 5)
        a.ss_family = AF_UNSPEC;
    return os_bind(os, p->side, p->fd, &a, len);
}

static long call_connect(struct os *os, const struct place *p, int how)
{
    struct sockaddr_storage a;
    socklen_t len = os_address(os, AF_INET, false, 9, &a);

    if (how == 0)
        len = 1;
    if (how == 1)
        len = 8;
    if (how == 2)
        a.ss_family = AF_UNIX;
    if (how == 3)
        len = (socklen_t)-1;
    if (how == 4)
        a.ss_family = AF_UNSPEC;
    if (how == 5)
        a.ss_family = AF_INET6, len = sizeof(struct sockaddr_in6);
    if (how == 6)
        memset((char *)&a + 4, 255, 4);
    return os_connect(os, p->side, p->fd, &a, len);
}

static long call_msg(struct os *os, const struct place *p, int how)
{
    struct iovec v[2] = {{bytes, 4}, {bytes, 4}};
    struct sockaddr_storage a;
    char control[64] = "";
    struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};
    struct cmsghdr *c = (struct cmsghdr *)(void *)control;

    if (how == 0)
        m.msg_iovlen = 0;
    if (how == 1)
        m.msg_iovlen = 1025;
    if (how == 2)
        v[1].iov_len = (size_t)-1;
    if (how == 3)
        m.msg_name = &a, m.msg_namelen = os_address(os, AF_INET, false, 9, &a);
    if (how >= 4)
        m.msg_control = control, m.msg_controllen = sizeof control;
    c->cmsg_level = how == 7 ? IPPROTO_IP : SOL_SOCKET;
    c->cmsg_type = how == 6 ? 9999 : SO_TIMESTAMPING;
    c->cmsg_len = how == 4 ? 3 : how == 5 ? 65 : CMSG_LEN(4);
    return os_sendmsg(os, p->side, p->fd, &m, MSG_DONTWAIT);
}

static long call_recvmsg(struct os *os, const struct place *p, int how)
{
    struct iovec v[2] = {{bytes, 4}, {bytes + 8, 4}};
    struct sockaddr_storage a = {0};
    char control[64] = "";
    struct msghdr m = {.msg_iov = v, .msg_iovlen = 2, .msg_flags = 0x55};

    if (how == 0)
        m.msg_iovlen = 0;
    if (how == 1)
        m.msg_iovlen = 1025;
    if (how == 2)
        v[1].iov_len = (size_t)-1;
    if (how >= 3)
        m.msg_name = &a, m.msg_namelen = sizeof a;
    if (how >= 4)
        m.msg_control = control, m.msg_controllen = sizeof control;
    long result = os_recvmsg(os, p->side, p->fd, &m, MSG_DONTWAIT | (how == 5 ? MSG_ERRQUEUE : 0));
    if (result >= 0)
        note(os, " flags %x name %u control %zu", m.msg_flags & ~MSG_CMSG_CLOEXEC, m.msg_namelen,
             m.msg_controllen);
    return result;
}

static long call_ioctl(struct os *os, const struct place *p, unsigned long request)
{
    int value = 1; /* FIONBIO: does not block */
    long result = os_ioctl(os, p->side, p->fd, request, &value);
    if (request != SIOCOUTQ && request != SIOCOUTQNSD) /* what is left there after an end */
        note(os, " value %d", value);
    return result;
}

static long call_fcntl(struct os *os, const struct place *p, int cmd, long arg)
{
    long result = os_fcntl(os, p->side, p->fd, cmd, arg);
    if (result >= 0 && (cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC)) {
        os_close(os, p->side, (int)result);
        return 0;
    }
    return result;
}

static long call_epoll(struct os *os, const struct place *p, int how)
{
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | (how == 6 ? EPOLLEXCLUSIVE : 0)};
    int ep = os_epoll_create1(os, p->side, 0),
        ops[] = {EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL};
    long result;

    if (how < 3)
        result = os_epoll_ctl(os, p->side, ep, ops[how], p->fd, &e);
    else if (how == 3)
        result = os_epoll_ctl(os, p->side, ep, 77, p->fd, &e);
    else if (how == 4)
        result = os_epoll_ctl(os, p->side, p->fd, EPOLL_CTL_ADD, ep, &e);
    else if (how == 5)
        result = os_epoll_ctl(os, p->side, p->fd, EPOLL_CTL_ADD, p->fd, &e);
    else
        result = os_epoll_ctl(os, p->side, ep, EPOLL_CTL_ADD, p->fd, &e);
    if (result == 0 && (how == 0 || how == 6)) {
        note(os, " again %s", result_name(os_epoll_ctl(os, p->side, ep, ops[0], p->fd, &e)));
        note(os, " mod %s", result_name(os_epoll_ctl(os, p->side, ep, ops[1], p->fd, &e)));
        note(os, " wait %s", result_name(os_epoll_wait(os, p->side, ep, &e, 1, 0)));
        note(os, " of none %s", result_name(os_epoll_wait(os, p->side, ep, &e, 0, 0)));
        note(os, " events %x", e.events);
    }
    os_close(os, p->side, ep);
    return result;
}

static long call_option(struct os *os, const struct place *p, int how)
{
    char value[64] = "";
    socklen_t len = sizeof value;

    switch (how) {
    case 0:
        return os_getsockopt(os, p->side, p->fd, SOL_SOCKET, SO_ERROR, value, &len);
    case 1:
        return os_getsockopt(os, p->side, p->fd, 77, SO_ERROR, value, &len);
    case 2:
        return os_getsockopt(os, p->side, p->fd, SOL_SOCKET, 7777, value, &len);
    case 3:
        return os_setsockopt(os, p->side, p->fd, 77, 1, value, 4);
    case 4:
        return os_setsockopt(os, p->side, p->fd, SOL_SOCKET, SO_LINGER, value, 7);
    case 5:
        return os_setsockopt(os, p->side, p->fd, IPPROTO_TCP, 7777, value, 4);
    case 6:
        return os_setsockopt(os, p->side, p->fd, IPPROTO_IPV6, IPV6_V6ONLY, value, 4);
    case 7:
        return os_getsockopt(os, p->side, p->fd, IPPROTO_IPV6, IPV6_V6ONLY, value, &len);
    default:
        return os_setsockopt(os, p->side, p->fd, SOL_SOCKET, SO_RCVTIMEO, value, 15);
    }
}

static long call_accept(struct os *os, const struct place *p, int flags)
{
    int fd = os_accept4(os, p->side, p->fd, NULL, NULL, flags);
    if (fd >= 0)
        os_close(os, p->side, fd);
    return fd < 0 ? fd : 0;
}

/* One number after the other; false: there are no more. */
static bool call(struct os *os, const struct place *p, unsigned number, long *result)
{
    static const int send_flags[] = {0,        MSG_MORE,     MSG_EOR,       MSG_OOB,
                                     MSG_PEEK, MSG_CONFIRM,  MSG_DONTROUTE, MSG_ZEROCOPY,
                                     MSG_SYN,  MSG_ERRQUEUE, MSG_TRUNC};
    static const int recv_flags[] = {0,         MSG_PEEK,         MSG_WAITALL,
                                     MSG_TRUNC, MSG_OOB,          MSG_ERRQUEUE,
                                     MSG_EOR,   MSG_CMSG_CLOEXEC, MSG_CTRUNC};
    static const unsigned long requests[] = {FIONREAD, SIOCOUTQ,   SIOCOUTQNSD,
                                             FIONBIO,  SIOCATMARK, 0x7777};
    static const int commands[][2] = {{F_GETFL, 0},    {F_GETFD, 0}, {F_SETFD, 1},
                                      {F_DUPFD, -1},   {F_DUPFD, 0}, {F_DUPFD_CLOEXEC, 10},
                                      {F_SETFL, 2048}, {7777, 0}};
    enum { NSEND = sizeof send_flags / 4, NRECV = sizeof recv_flags / 4, NIO = 6, NF = 8 };
    unsigned n = number;

#define GROUP(count, expression)                                                                   \
    if (n < (count)) {                                                                             \
        *result = (expression);                                                                    \
        return true;                                                                               \
    }                                                                                              \
    n -= (count)
    GROUP(NSEND, call_send(os, p, 4, send_flags[n]));
    GROUP(2, call_send(os, p, 0, n ? MSG_OOB : 0));
    GROUP(NRECV, call_recv(os, p, 4, recv_flags[n]));
    GROUP(2, call_recv(os, p, 0, n ? MSG_OOB : 0));
    GROUP(2, n ? os_read(os, p->side, p->fd, bytes, 0) : os_read(os, p->side, p->fd, bytes, 4));
    GROUP(2, n ? os_write(os, p->side, p->fd, bytes, 0) : os_write(os, p->side, p->fd, bytes, 4));
    GROUP(5, os_shutdown(os, p->side, p->fd, (int)n - 1));
    GROUP(3, name_of(os, p, false, n == 0 ? -1 : n == 1 ? 0 : 100));
    GROUP(3, name_of(os, p, true, n == 0 ? -1 : n == 1 ? 0 : 100));
    GROUP(7, call_bind(os, p, (int)n));
    GROUP(7, call_connect(os, p, (int)n));
    GROUP(8, call_msg(os, p, (int)n));
    GROUP(6, call_recvmsg(os, p, (int)n));
    GROUP(NIO, call_ioctl(os, p, requests[n]));
    GROUP(NF, call_fcntl(os, p, commands[n][0], commands[n][1]));
    GROUP(7, call_epoll(os, p, (int)n));
    GROUP(9, call_option(os, p, (int)n));
    GROUP(3, os_listen(os, p->side, p->fd, (int)n - 1));
    GROUP(2, call_accept(os, p, n ? 7 : SOCK_NONBLOCK));
    GROUP(2, os_dup2(os, p->side, p->fd, n ? -1 : 100000000));
#undef GROUP
    return false;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static enum where tried;
static unsigned number;
static bool any;

static void scene(struct os *os)
{
    struct place p;
    long result = 0;

    go(os, &p, tried);
    note(os, "%s, call %u:", names[tried], number);
    any = call(os, &p, number, &result);
    note(os, " = %s\n", result_name(result));
    settle(os);
    if (tried != NO_FD) {
        note_poll(os, p.side, "then", p.fd);
        if (tried < NO_FD) {
            int err = 0;
            socklen_t len = sizeof err;
            os_getsockopt(os, p.side, p.fd, SOL_SOCKET, SO_ERROR, &err, &len);
            note(os, "SO_ERROR %s\n", result_name(-err));
            noted(os, "recv", os_recv(os, p.side, p.fd, bytes, 4, MSG_DONTWAIT));
        }
    }
    leave(os, &p, tried);
}

static void everything(void **state)
{
    unsigned differ = 0;
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    for (tried = 0; tried < PLACES; tried++) {
        any = true;
        for (number = 0; any; number++) {
            char why[512];
            int tries = 3; /* the kernel's other end may be late */
            while (tries != 0 && os_differs(scene, why, sizeof why))
                tries--;
            if (tries == 0) {
                printf("%s\n", why);
                differ++;
            }
        }
    }
    assert_int_equal(differ, 0);
}

/* One call after the other, from a seed: what one leaves behind, the next one meets. */
static uint32_t seed;

static uint32_t draw(uint32_t *from, uint32_t below)
{
    *from = *from * 1664525 + 1013904223;
    return (*from >> 8) % below;
}

static void sequence(struct os *os)
{
    enum { LENGTH = 8, CALLS = 103 };
    struct place p;
    uint32_t from = seed;
    enum where where = (enum where)draw(&from, NO_FD);

    go(os, &p, where);
    for (int i = 0; i < LENGTH; i++) {
        unsigned n = draw(&from, CALLS);
        long result = 0;
        note(os, "seed %u, %s, call %u:", seed, names[where], n);
        call(os, &p, n, &result);
        note(os, " = %s\n", result_name(result));
        settle(os);
        note_poll(os, p.side, "then", p.fd);
    }
    leave(os, &p, where);
}

static void sequences(void **state)
{
    const char *given = getenv("TERN_SEEDS");
    uint32_t seeds = given != NULL ? (uint32_t)atoi(given) : 200;
    unsigned differ = 0;
    (void)state;
    for (seed = 1; seed <= seeds; seed++) {
        static char why[4096];
        int tries = 3;
        while (tries != 0 && os_differs(sequence, why, sizeof why))
            tries--;
        if (tries == 0) {
            printf("%s\n", why);
            differ++;
        }
    }
    assert_int_equal(differ, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(everything), cmocka_unit_test(sequences)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
