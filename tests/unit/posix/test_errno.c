/* test_errno.c - which call gives which errno, and when: one table, which this room and the kernel
 * are both held against, and docs/ERRNO.md is made of. With TERN_UPDATE=1 the document is made to
 * have it. What a loopback interface cannot bring about stands in scripts, which are played against
 * the kernel, too; test_errors.c compares the two on everything else.
 *
 * valgrind: it hands the kernel addresses that are none, on purpose
 */
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
#include <sys/time.h>

#include "netns.h"
#include "os.h"
#include "test.h"

/* What a call is made on. */
struct ground {
    int fd;   /* of the client's, */
    int peer; /* and the server's end, or -1 */
    int listener;
    uint16_t port; /* where somebody listens */
};

enum where { NONE, FRESH, LISTENER, PAIR, FULL, RESET, PIPE };

static char bytes[8];
static char *const nowhere = NULL; /* a buffer that is not there */

static int dial(struct os *os, int fd, uint16_t port)
{
    struct sockaddr_storage a;
    socklen_t len = os_address(os, AF_INET, false, port, &a);
    return os_connect(os, CLIENT, fd, &a, len);
}

static int fresh(struct os *os) { return os_socket(os, CLIENT, AF_INET, SOCK_STREAM, 0); }

static uint16_t port_of(struct os *os, enum side side, int fd)
{
    struct sockaddr_in a;
    socklen_t len = sizeof a;
    assert_int_equal(os_getsockname(os, side, fd, &a, &len), 0);
    return ntohs(a.sin_port);
}

static void not_blocking(struct os *os, int fd)
{
    os_fcntl(os, CLIENT, fd, F_SETFL, O_RDWR | O_NONBLOCK);
}

static void begin(struct os *os, struct ground *g, enum where where)
{
    struct linger abort = {1, 0};
    int fd[3];

    *g = (struct ground){.fd = -1, .peer = -1, .listener = -1};
    if (where == FRESH)
        g->fd = fresh(os);
    if (where == PIPE) {
        assert_int_equal(os_pipe2(os, CLIENT, fd, O_NONBLOCK), 0);
        g->fd = fd[0];
        os_close(os, CLIENT, fd[1]);
    }
    if (where == LISTENER || where == FULL) {
        g->listener = os_listener(os, AF_INET, where == FULL ? 0 : 4, &g->port);
        os_fcntl(os, SERVER, g->listener, F_SETFL, O_RDWR | O_NONBLOCK);
    }
    if (where == FULL) { /* one waits to be accepted: no SYN is answered any more */
        g->peer = fresh(os);
        assert_int_equal(dial(os, g->peer, g->port), 0);
        os_settle(os);
        g->fd = fresh(os);
        not_blocking(os, g->fd);
    }
    if (where == PAIR || where == RESET) {
        os_pair(os, AF_INET, fd);
        *g = (struct ground){fd[CLIENT], fd[SERVER], fd[2], port_of(os, SERVER, fd[2])};
    }
    if (where == RESET) {
        os_setsockopt(os, SERVER, g->peer, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
        os_close(os, SERVER, g->peer);
        g->peer = -1;
        os_settle(os);
    }
}

static void over(struct os *os, const struct ground *g, enum where where)
{
    if (g->fd >= 0)
        os_close(os, CLIENT, g->fd);
    if (g->peer >= 0)
        os_close(os, where == FULL ? CLIENT : SERVER, g->peer);
    if (g->listener >= 0)
        os_close(os, SERVER, g->listener);
    os_settle(os);
}

/* ---- what rows do that is more than a call --------------------------------------------------- */

static long bind_to(struct os *os, int fd, const char ip[4], uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    memcpy(&a.sin_addr, ip, 4);
    return os_bind(os, CLIENT, fd, &a, sizeof a);
}

static long bind_as(struct os *os, int fd, sa_family_t family, socklen_t len)
{
    struct sockaddr_in a = {.sin_family = family, .sin_addr.s_addr = htonl(0x7f000001)};
    return os_bind(os, CLIENT, fd, &a, len);
}

/* On the server's side, where the listener is. */
static long bind_taken(struct os *os, const struct ground *g)
{
    struct sockaddr_storage a;
    socklen_t len = os_address(os, AF_INET, false, g->port, &a);
    int fd = os_socket(os, SERVER, AF_INET, SOCK_STREAM, 0);
    long result = os_bind(os, SERVER, fd, &a, len);
    os_close(os, SERVER, fd);
    return result;
}

/* Two that may bind to a port together may not listen there together. */
static long listen_taken(struct os *os)
{
    struct sockaddr_storage a;
    socklen_t len = os_address(os, AF_INET, false, 0, &a);
    int fd[2], one = 1;
    long result = 0;

    for (int i = 0; i < 2; i++) {
        fd[i] = os_socket(os, SERVER, AF_INET, SOCK_STREAM, 0);
        os_setsockopt(os, SERVER, fd[i], SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        assert_int_equal(os_bind(os, SERVER, fd[i], &a, len), 0);
        assert_int_equal(os_getsockname(os, SERVER, fd[i], &a, &len), 0);
    }
    assert_int_equal(os_listen(os, SERVER, fd[0], 1), 0);
    result = os_listen(os, SERVER, fd[1], 1);
    os_close(os, SERVER, fd[0]);
    os_close(os, SERVER, fd[1]);
    return result;
}

static long connect_as(struct os *os, int fd, sa_family_t family, socklen_t len)
{
    struct sockaddr_in a = {.sin_family = family, .sin_port = htons(9)};
    return os_connect(os, CLIENT, fd, &a, len);
}

static long connect_far(struct os *os, int fd)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr = {0xffffffff}};
    return os_connect(os, CLIENT, fd, &a, sizeof a);
}

/* Somebody listened there, and does no more. */
static long connect_nobody(struct os *os, int fd)
{
    uint16_t port;
    os_close(os, SERVER, os_listener(os, AF_INET, 1, &port));
    return dial(os, fd, port);
}

/* From the port that is connected there already. */
static long connect_same(struct os *os, const struct ground *g)
{
    int fd = fresh(os), one = 1;
    uint16_t port = port_of(os, CLIENT, g->fd);
    os_setsockopt(os, CLIENT, fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    os_setsockopt(os, CLIENT, g->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    const char *ip = os->kernel ? "\x7f\0\0\1" : "\12\0\0\1";
    long result = bind_to(os, fd, ip, port);
    if (result == 0)
        result = dial(os, fd, g->port);
    os_close(os, CLIENT, fd);
    return result;
}

static long connect_again(struct os *os, const struct ground *g)
{
    assert_int_equal(dial(os, g->fd, g->port), -EINPROGRESS);
    return dial(os, g->fd, g->port);
}

static long option(struct os *os, int fd, int level, int name, int value)
{
    return os_setsockopt(os, CLIENT, fd, level, name, &value, sizeof value);
}

static long option_bytes(struct os *os, int fd, int level, int name, const void *p, socklen_t len)
{
    return os_setsockopt(os, CLIENT, fd, level, name, p, len);
}

static long get_option(struct os *os, int fd, int level, int name, int room)
{
    socklen_t len = (socklen_t)room;
    return os_getsockopt(os, CLIENT, fd, level, name, bytes, &len);
}

static long bad_timeout(struct os *os, int fd)
{
    struct timeval t = {1, 1000000};
    return os_setsockopt(os, CLIENT, fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
}

/* Nothing comes in the time that SO_RCVTIMEO gives. */
static long recv_late(struct os *os, int fd)
{
    struct timeval t = {0, 20000};
    os_fcntl(os, CLIENT, fd, F_SETFL, O_RDWR);
    os_setsockopt(os, CLIENT, fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
    return os_recv(os, CLIENT, fd, bytes, 4, 0);
}

static long send_full(struct os *os, int fd)
{
    static char block[65536];
    long n;
    while ((n = os_send(os, CLIENT, fd, block, sizeof block, 0)) > 0)
        os_settle(os);
    return n;
}

static long send_after_shutdown(struct os *os, int fd)
{
    os_shutdown(os, CLIENT, fd, SHUT_WR);
    return os_send(os, CLIENT, fd, bytes, 4, MSG_NOSIGNAL);
}

/* The first call is told of the reset, this is the second. */
static long send_after_reset(struct os *os, int fd)
{
    assert_int_equal(os_recv(os, CLIENT, fd, bytes, 4, 0), -ECONNRESET);
    return os_send(os, CLIENT, fd, bytes, 4, MSG_NOSIGNAL);
}

static long send_pieces(struct os *os, int fd, size_t count)
{
    static struct iovec v[1025];
    struct msghdr m = {.msg_iov = v, .msg_iovlen = count};
    return os_sendmsg(os, CLIENT, fd, &m, 0);
}

static long send_control(struct os *os, int fd, size_t len)
{
    const struct cmsghdr h = {.cmsg_len = len,
                              .cmsg_level = SOL_SOCKET,
                              .cmsg_type = SO_TIMESTAMPING};
    char c[CMSG_SPACE(4)] = "";
    struct iovec v = {bytes, 4};
    struct msghdr m = {.msg_iov = &v,
                       .msg_iovlen = 1,
                       .msg_control = c,
                       .msg_controllen = sizeof c};
    memcpy(c, &h, sizeof h);
    return os_sendmsg(os, CLIENT, fd, &m, 0);
}

static long name(struct os *os, int fd, bool peer, int room)
{
    struct sockaddr_storage a;
    socklen_t len = (socklen_t)room;
    return peer ? os_getpeername(os, CLIENT, fd, &a, &len)
                : os_getsockname(os, CLIENT, fd, &a, &len);
}

static long no_name(struct os *os, int fd)
{
    socklen_t len = 16;
    return os_getsockname(os, CLIENT, fd, nowhere, &len);
}

static long no_option(struct os *os, int fd)
{
    socklen_t len = 4;
    return os_getsockopt(os, CLIENT, fd, SOL_SOCKET, SO_TYPE, nowhere, &len);
}

/* After `first`, if it is one (EPOLL_CTL_ADD, ...). */
static long epoll(struct os *os, int fd, int first, int op)
{
    struct epoll_event e = {.events = EPOLLIN};
    int ep = os_epoll_create1(os, CLIENT, 0);
    if (first != 0)
        os_epoll_ctl(os, CLIENT, ep, first, fd, &e);
    long result = os_epoll_ctl(os, CLIENT, ep, op, fd, &e);
    os_close(os, CLIENT, ep);
    return result;
}

static long epoll_nothing(struct os *os, int fd)
{
    int ep = os_epoll_create1(os, CLIENT, 0);
    long result = os_epoll_ctl(os, CLIENT, ep, EPOLL_CTL_ADD, fd, (void *)nowhere);
    os_close(os, CLIENT, ep);
    return result;
}

static long epoll_circle(struct os *os)
{
    struct epoll_event e = {.events = EPOLLIN};
    int one = os_epoll_create1(os, CLIENT, 0), two = os_epoll_create1(os, CLIENT, 0);
    assert_int_equal(os_epoll_ctl(os, CLIENT, one, EPOLL_CTL_ADD, two, &e), 0);
    long result = os_epoll_ctl(os, CLIENT, two, EPOLL_CTL_ADD, one, &e);
    os_close(os, CLIENT, one);
    os_close(os, CLIENT, two);
    return result;
}

static long epoll_wait_on(struct os *os, int fd, int max)
{
    struct epoll_event e;
    int ep = fd >= 0 ? fd : os_epoll_create1(os, CLIENT, 0);
    long result = os_epoll_wait(os, CLIENT, ep, &e, max, 0);
    if (ep != fd)
        os_close(os, CLIENT, ep);
    return result;
}

static long control(struct os *os, int fd, unsigned long request)
{
    int value;
    return os_ioctl(os, CLIENT, fd, request, &value);
}

static long accept_with(struct os *os, const struct ground *g, int flags)
{
    return os_accept4(os, SERVER, g->listener, NULL, NULL, flags);
}

static long listener_send(struct os *os, const struct ground *g)
{
    return os_send(os, SERVER, g->listener, bytes, 4, MSG_NOSIGNAL);
}

static long listener_recv(struct os *os, const struct ground *g)
{
    return os_recv(os, SERVER, g->listener, bytes, 4, 0);
}

static long listener_connect(struct os *os, const struct ground *g)
{
    struct sockaddr_storage a;
    socklen_t len = os_address(os, AF_INET, false, 9, &a);
    return os_connect(os, SERVER, g->listener, &a, len);
}

static long error_of(struct os *os, int fd)
{
    int err = 0;
    socklen_t len = sizeof err;
    os_getsockopt(os, CLIENT, fd, SOL_SOCKET, SO_ERROR, &err, &len);
    return -err;
}

/* ---- the table ------------------------------------------------------------------------------- */

#define V6 IPPROTO_IPV6
#define TCP IPPROTO_TCP
#define SOCK(domain, type, protocol) os_socket(os, CLIENT, domain, type, protocol)
#define FD g->fd
enum { NO_FD = 555 };

/* The call, when, what it gives, what it is made on, and how. */
/* clang-format off */
#define ROWS(X) \
    X("socket", "a family that is not there", EAFNOSUPPORT, NONE, \
      SOCK(AF_MAX + 9, SOCK_STREAM, 0)) \
    X("socket", "a type that is none", EINVAL, NONE, SOCK(AF_INET, 15, 0)) \
    X("socket", "flags that are none", EINVAL, NONE, SOCK(AF_INET, SOCK_STREAM | 1 << 20, 0)) \
    X("socket", "a type that the family has not", ESOCKTNOSUPPORT, NONE, \
      SOCK(AF_INET, SOCK_SEQPACKET, 0)) \
    X("socket", "a protocol that the type has not", EPROTONOSUPPORT, NONE, \
      SOCK(AF_INET, SOCK_STREAM, IPPROTO_UDP)) \
    X("socket", "a protocol that is none", EINVAL, NONE, SOCK(AF_INET, SOCK_STREAM, -1)) \
    X("bind", "not a descriptor", EBADF, NONE, bind_to(os, NO_FD, "\0\0\0\0", 0)) \
    X("bind", "not a socket", ENOTSOCK, PIPE, bind_to(os, FD, "\0\0\0\0", 0)) \
    X("bind", "an address too short", EINVAL, FRESH, bind_as(os, FD, AF_INET, 8)) \
    X("bind", "another family", EAFNOSUPPORT, FRESH, bind_as(os, FD, AF_UNIX, 16)) \
    X("bind", "no address", EFAULT, FRESH, os_bind(os, CLIENT, FD, nowhere, 16)) \
    X("bind", "an address of somebody else", EADDRNOTAVAIL, FRESH, \
      bind_to(os, FD, "\11\11\11\11", 0)) \
    X("bind", "a port that is taken", EADDRINUSE, LISTENER, bind_taken(os, g)) \
    X("bind", "a second time", EINVAL, FRESH, \
      (bind_to(os, FD, "\0\0\0\0", 0), bind_to(os, FD, "\0\0\0\0", 0))) \
    X("listen", "not a descriptor", EBADF, NONE, os_listen(os, CLIENT, NO_FD, 1)) \
    X("listen", "not a socket", ENOTSOCK, PIPE, os_listen(os, CLIENT, FD, 1)) \
    X("listen", "a connection", EINVAL, PAIR, os_listen(os, CLIENT, FD, 1)) \
    X("listen", "somebody else listens there", EADDRINUSE, NONE, listen_taken(os)) \
    X("accept", "not a descriptor", EBADF, NONE, os_accept4(os, CLIENT, NO_FD, NULL, NULL, 0)) \
    X("accept", "not a socket", ENOTSOCK, PIPE, os_accept4(os, CLIENT, FD, NULL, NULL, 0)) \
    X("accept", "not a listener", EINVAL, FRESH, os_accept4(os, CLIENT, FD, NULL, NULL, 0)) \
    X("accept4", "flags that are none", EINVAL, LISTENER, accept_with(os, g, 1)) \
    X("accept", "nobody waits, and it does not block", EAGAIN, LISTENER, accept_with(os, g, 0)) \
    X("connect", "not a descriptor", EBADF, NONE, dial(os, NO_FD, 9)) \
    X("connect", "not a socket", ENOTSOCK, PIPE, dial(os, FD, 9)) \
    X("connect", "an address too short", EINVAL, FRESH, connect_as(os, FD, AF_INET, 8)) \
    X("connect", "another family", EAFNOSUPPORT, FRESH, connect_as(os, FD, AF_UNIX, 16)) \
    X("connect", "no address", EFAULT, FRESH, os_connect(os, CLIENT, FD, nowhere, 16)) \
    X("connect", "nobody listens there", ECONNREFUSED, FRESH, connect_nobody(os, FD)) \
    X("connect", "an address that is not one host's", ENETUNREACH, FRESH, connect_far(os, FD)) \
    X("connect", "it does not block", EINPROGRESS, FULL, dial(os, FD, g->port)) \
    X("connect", "it is under way", EALREADY, FULL, connect_again(os, g)) \
    X("connect", "it is connected", EISCONN, PAIR, dial(os, FD, 9)) \
    X("connect", "it listens", EISCONN, LISTENER, listener_connect(os, g)) \
    X("connect", "its port is connected to that port", EADDRNOTAVAIL, PAIR, connect_same(os, g)) \
    X("shutdown", "not a descriptor", EBADF, NONE, os_shutdown(os, CLIENT, NO_FD, SHUT_WR)) \
    X("shutdown", "not a socket", ENOTSOCK, PIPE, os_shutdown(os, CLIENT, FD, SHUT_WR)) \
    X("shutdown", "a direction that is none", EINVAL, PAIR, os_shutdown(os, CLIENT, FD, 3)) \
    X("shutdown", "not connected", ENOTCONN, FRESH, os_shutdown(os, CLIENT, FD, SHUT_WR)) \
    X("getsockname", "not a socket", ENOTSOCK, PIPE, name(os, FD, false, 16)) \
    X("getsockname", "a negative length", EINVAL, FRESH, name(os, FD, false, -1)) \
    X("getsockname", "no room for it", EFAULT, FRESH, no_name(os, FD)) \
    X("getpeername", "not connected", ENOTCONN, FRESH, name(os, FD, true, 16)) \
    X("getpeername", "reset by its peer", ENOTCONN, RESET, name(os, FD, true, 16)) \
    X("send", "not a descriptor", EBADF, NONE, os_send(os, CLIENT, NO_FD, bytes, 4, 0)) \
    X("send", "not a socket", ENOTSOCK, PIPE, os_send(os, CLIENT, FD, bytes, 4, 0)) \
    X("send", "not connected", EPIPE, FRESH, os_send(os, CLIENT, FD, bytes, 4, MSG_NOSIGNAL)) \
    X("send", "it listens", EPIPE, LISTENER, listener_send(os, g)) \
    X("send", "no buffer", EFAULT, PAIR, os_send(os, CLIENT, FD, nowhere, 4, 0)) \
    X("send", "after shutdown()", EPIPE, PAIR, send_after_shutdown(os, FD)) \
    X("send", "reset by its peer: the first call", ECONNRESET, RESET, \
      os_send(os, CLIENT, FD, bytes, 4, MSG_NOSIGNAL)) \
    X("send", "and those after it", EPIPE, RESET, send_after_reset(os, FD)) \
    X("send", "no room, and it does not block", EAGAIN, PAIR, send_full(os, FD)) \
    X("sendmsg", "more than 1,024 pieces", EMSGSIZE, PAIR, send_pieces(os, FD, 1025)) \
    X("sendmsg", "a control message longer than it is", EINVAL, PAIR, send_control(os, FD, 100)) \
    X("sendmsg", "a control message of another length", EINVAL, PAIR, \
      send_control(os, FD, CMSG_LEN(2))) \
    X("recv", "not a descriptor", EBADF, NONE, os_recv(os, CLIENT, NO_FD, bytes, 4, 0)) \
    X("recv", "not a socket", ENOTSOCK, PIPE, os_recv(os, CLIENT, FD, bytes, 4, 0)) \
    X("recv", "not connected", ENOTCONN, FRESH, os_recv(os, CLIENT, FD, bytes, 4, 0)) \
    X("recv", "it listens", ENOTCONN, LISTENER, listener_recv(os, g)) \
    X("recv", "nothing is there, and it does not block", EAGAIN, PAIR, \
      os_recv(os, CLIENT, FD, bytes, 4, 0)) \
    X("recv", "nothing came in SO_RCVTIMEO", EAGAIN, PAIR, recv_late(os, FD)) \
    X("recv", "reset by its peer", ECONNRESET, RESET, os_recv(os, CLIENT, FD, bytes, 4, 0)) \
    X("recv", "MSG_OOB, and nothing is urgent", EINVAL, PAIR, \
      os_recv(os, CLIENT, FD, bytes, 1, MSG_OOB)) \
    X("recv", "MSG_ERRQUEUE, and nothing waits there", EAGAIN, PAIR, \
      os_recv(os, CLIENT, FD, bytes, 1, MSG_ERRQUEUE)) \
    X("read", "not a descriptor", EBADF, NONE, os_read(os, CLIENT, NO_FD, bytes, 4)) \
    X("write", "not a descriptor", EBADF, NONE, os_write(os, CLIENT, NO_FD, bytes, 4)) \
    X("setsockopt", "not a socket", ENOTSOCK, PIPE, option(os, FD, SOL_SOCKET, SO_KEEPALIVE, 1)) \
    X("setsockopt", "a level, or an option, that is none", ENOPROTOOPT, FRESH, \
      option(os, FD, TCP, 7777, 1)) \
    X("setsockopt", "an option that can only be read", ENOPROTOOPT, FRESH, \
      option(os, FD, SOL_SOCKET, SO_TYPE, 1)) \
    X("setsockopt", "IPv6's, on IPv4", ENOPROTOOPT, FRESH, option(os, FD, V6, IPV6_V6ONLY, 1)) \
    X("setsockopt", "a value too short", EINVAL, FRESH, \
      option_bytes(os, FD, TCP, TCP_NODELAY, bytes, 1)) \
    X("setsockopt", "no value", EFAULT, FRESH, option_bytes(os, FD, TCP, TCP_NODELAY, nowhere, 4)) \
    X("setsockopt", "a value out of range", EINVAL, FRESH, option(os, FD, TCP, TCP_KEEPIDLE, 0)) \
    X("setsockopt", "SO_RCVTIMEO: a second of microseconds", EDOM, FRESH, bad_timeout(os, FD)) \
    X("setsockopt", "TCP_CONGESTION: no such algorithm", ENOENT, FRESH, \
      option_bytes(os, FD, TCP, TCP_CONGESTION, "none", 4)) \
    X("setsockopt", "TCP_TIMESTAMP of a connection", EPERM, PAIR, \
      option(os, FD, TCP, TCP_TIMESTAMP, 1)) \
    X("setsockopt", "TCP_FASTOPEN of a connection", EINVAL, PAIR, \
      option(os, FD, TCP, TCP_FASTOPEN, 1)) \
    X("getsockopt", "not a descriptor", EBADF, NONE, \
      get_option(os, NO_FD, SOL_SOCKET, SO_TYPE, 4)) \
    X("getsockopt", "an option that is none", ENOPROTOOPT, FRESH, \
      get_option(os, FD, SOL_SOCKET, 7777, 4)) \
    X("getsockopt", "a negative length", EINVAL, FRESH, \
      get_option(os, FD, SOL_SOCKET, SO_TYPE, -1)) \
    X("getsockopt", "no room for it", EFAULT, FRESH, no_option(os, FD)) \
    X("getsockopt", "IP_MTU, not connected", ENOTCONN, FRESH, \
      get_option(os, FD, IPPROTO_IP, IP_MTU, 4)) \
    X("SO_ERROR", "reset by its peer", ECONNRESET, RESET, error_of(os, FD)) \
    X("ioctl", "a request that is none", ENOTTY, FRESH, control(os, FD, 0x7777)) \
    X("ioctl", "SIOCINQ of a listener", EINVAL, LISTENER, \
      os_ioctl(os, SERVER, g->listener, SIOCINQ, bytes)) \
    X("ioctl", "no room for an answer", EFAULT, FRESH, \
      os_ioctl(os, CLIENT, FD, FIONBIO, nowhere)) \
    X("fcntl", "not a descriptor", EBADF, NONE, os_fcntl(os, CLIENT, NO_FD, F_GETFL, 0)) \
    X("fcntl", "a command that is none", EINVAL, FRESH, os_fcntl(os, CLIENT, FD, 7777, 0)) \
    X("fcntl", "F_DUPFD to a negative number", EINVAL, FRESH, \
      os_fcntl(os, CLIENT, FD, F_DUPFD, -1)) \
    X("dup", "not a descriptor", EBADF, NONE, os_dup(os, CLIENT, NO_FD)) \
    X("dup2", "to no possible number", EBADF, FRESH, os_dup2(os, CLIENT, FD, -1)) \
    X("close", "not a descriptor", EBADF, NONE, os_close(os, CLIENT, NO_FD)) \
    X("epoll_create1", "flags that are none", EINVAL, NONE, os_epoll_create1(os, CLIENT, 1)) \
    X("epoll_ctl", "not a descriptor", EBADF, NONE, epoll(os, NO_FD, 0, EPOLL_CTL_ADD)) \
    X("epoll_ctl", "no event", EFAULT, FRESH, epoll_nothing(os, FD)) \
    X("epoll_ctl", "it is there already", EEXIST, FRESH, \
      epoll(os, FD, EPOLL_CTL_ADD, EPOLL_CTL_ADD)) \
    X("epoll_ctl", "it is not there", ENOENT, FRESH, epoll(os, FD, 0, EPOLL_CTL_MOD)) \
    X("epoll_ctl", "an operation that is none", EINVAL, FRESH, epoll(os, FD, 0, 77)) \
    X("epoll_ctl", "instances in a circle", ELOOP, NONE, epoll_circle(os)) \
    X("epoll_wait", "not an instance", EINVAL, FRESH, epoll_wait_on(os, FD, 1)) \
    X("epoll_wait", "room for none", EINVAL, NONE, epoll_wait_on(os, -1, 0))
/* clang-format on */

static long make(struct os *os, const struct ground *g, unsigned number)
{
    unsigned n = 0;
    (void)g;
#define X(call, when, error, where, expression)                                                    \
    if (n++ == number)                                                                             \
        return (expression);
    ROWS(X)
#undef X
    return 0;
}

static const struct row {
    const char *call, *when, *name;
    int err;
    enum where where;
} rows[] = {
#define X(call, when, error, where, expression) {call, when, #error, error, where},
    ROWS(X)
#undef X
};
enum { COUNT = sizeof rows / sizeof rows[0] };

/* What needs a network that fails, in scripts that Linux plays, too. */
static const struct {
    const char *call, *when, *name, *script;
} scripted[] = {
    {"connect", "no answer to any SYN", "ETIMEDOUT", "connect-gives-up"},
    {"connect", "ICMP: network unreachable, unknown, prohibited", "ENETUNREACH",
     "recverr-connect-codes"},
    {"connect", "ICMP: host unreachable, prohibited, filtered", "EHOSTUNREACH",
     "recverr-connect-codes"},
    {"connect", "ICMP: protocol unreachable", "ENOPROTOOPT", "recverr-connect-codes"},
    {"connect", "ICMP: port unreachable", "ECONNREFUSED", "recverr-connect-codes"},
    {"connect", "ICMP: source route failed", "EOPNOTSUPP", "recverr-connect-codes"},
    {"connect", "ICMP: host unknown", "EHOSTDOWN", "recverr-connect-codes"},
    {"connect", "ICMPv6: prohibited", "EACCES", "recverr-connect-codes-6"},
    {"connect", "ICMPv6: no route", "ENETUNREACH", "recverr-connect-codes-6"},
    {"connect", "blocking, in the time that SO_SNDTIMEO gives", "EINPROGRESS", "connect-timeout"},
    {"read", "nothing acknowledged in TCP_USER_TIMEOUT", "ETIMEDOUT", "user-timeout"},
    {"read, write", "IP_RECVERR, and ICMP: host unreachable", "EHOSTUNREACH",
     "recverr-established"},
    {"write", "TCP_FASTOPEN, MSG_FASTOPEN that is switched off", "EOPNOTSUPP", "fastopen-errors"},
};
enum { SCRIPTED = sizeof scripted / sizeof scripted[0] };

/* ---- tests ----------------------------------------------------------------------------------- */

static unsigned play(struct os *os, const char *system)
{
    unsigned wrong = 0;
    for (unsigned n = 0; n < COUNT; n++) {
        struct ground g;
        begin(os, &g, rows[n].where);
        long result = make(os, &g, n);
        over(os, &g, rows[n].where);
        if (result == -rows[n].err)
            continue;
        printf("%s, %s: %s, not %s, says %s\n", rows[n].call, rows[n].when, result_name(result),
               rows[n].name, system);
        wrong++;
    }
    return wrong;
}

static void here(void **state)
{
    static struct os os;
    (void)state;
    os_begin(&os, NULL, NULL);
    unsigned wrong = play(&os, "this room");
    os_end(&os);
    assert_int_equal(wrong, 0);
}

static void by_the_kernel(void **state)
{
    static struct os os = {.kernel = true};
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(play(&os, "the kernel"), 0);
}

static size_t read_file(const char *name, char *page, size_t size)
{
    char path[4096];
    const char *root = getenv("TERN_ROOT");
    snprintf(path, sizeof path, "%s/%s", root != NULL ? root : ".", name);
    FILE *f = fopen(path, "r");
    size_t len = f != NULL ? fread(page, 1, size - 1, f) : 0;
    page[len] = 0;
    if (f != NULL)
        fclose(f);
    return len;
}

static void scripts_have_it(void **state)
{
    static char page[65536];
    (void)state;
    for (size_t i = 0; i < SCRIPTED; i++) {
        char name[256];
        snprintf(name, sizeof name, "tests/drill/linux/%s.pkt", scripted[i].script);
        assert_true(read_file(name, page, sizeof page) != 0);
        if (strstr(page, scripted[i].name) == NULL)
            fail_msg("%s does not have %s", name, scripted[i].name);
    }
}

static void document(void **state)
{
    static char page[65536], want[65536];
    static const char begins[] = "<!-- errno -->\n", ends[] = "<!-- end of errno -->\n";
    (void)state;
    assert_true(read_file("docs/ERRNO.md", page, sizeof page) != 0);
    const char *from = strstr(page, begins), *to = strstr(page, ends);
    assert_true(from != NULL && to != NULL);
    FILE *f = fmemopen(want, sizeof want, "w");
    assert_non_null(f);
    fprintf(f, "%.*s%s| call | when | errno |\n| --- | --- | --- |\n", (int)(from - page), page,
            begins);
    for (size_t i = 0; i < COUNT; i++)
        fprintf(f, "| %s | %s | %s |\n", rows[i].call, rows[i].when, rows[i].name);
    fprintf(f, "\n| call | when | errno | script |\n| --- | --- | --- | --- |\n");
    for (size_t i = 0; i < SCRIPTED; i++)
        fprintf(f, "| %s | %s | %s | [%s](../tests/drill/linux/%s.pkt) |\n", scripted[i].call,
                scripted[i].when, scripted[i].name, scripted[i].script, scripted[i].script);
    fputs(to, f);
    assert_int_equal(fclose(f), 0);
    if (getenv("TERN_UPDATE") == NULL) {
        assert_string_equal(page, want);
        return;
    }
    char path[4096];
    const char *root = getenv("TERN_ROOT");
    snprintf(path, sizeof path, "%s/docs/ERRNO.md", root != NULL ? root : ".");
    f = fopen(path, "w");
    assert_non_null(f);
    fputs(want, f);
    fclose(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(here),
        cmocka_unit_test(by_the_kernel),
        cmocka_unit_test(scripts_have_it),
        cmocka_unit_test(document),
    };
    kernel_loopback();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
