/* Reading, writing, shutting down and closing an established connection, in both systems. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os.h"
#include "test.h"

static char buf[4096];

static void note_error(struct os *os, enum side side, int fd)
{
    int err = 77;
    socklen_t len = sizeof err;

    os_getsockopt(os, side, fd, SOL_SOCKET, SO_ERROR, &err, &len);
    noted(os, "SO_ERROR", -err);
}

/* Everything one can ask an end. */
static void note_end(struct os *os, enum side side, int fd)
{
    struct sockaddr_storage a;
    socklen_t len = sizeof a;
    const char *name = side == CLIENT ? "client" : "server";

    note_poll(os, side, name, fd);
    noted(os, "peek", os_recv(os, side, fd, buf, 10, MSG_PEEK));
    noted(os, "recv", os_recv(os, side, fd, buf, sizeof buf, 0));
    noted(os, "recv", os_recv(os, side, fd, buf, sizeof buf, 0));
    noted(os, "send", os_send(os, side, fd, "x", 1, 0));
    os_settle(os);
    noted(os, "peer", os_getpeername(os, side, fd, &a, &len));
    noted(os, "recv 0", os_recv(os, side, fd, buf, 0, 0));
    noted(os, "send 0", os_send(os, side, fd, "x", 0, 0));
    noted(os, "read 0", os_read(os, side, fd, buf, 0));
    noted(os, "oob", os_recv(os, side, fd, buf, 1, MSG_OOB));
    note_error(os, side, fd);
    note_poll(os, side, name, fd);
}

static void finish(struct os *os, int fd[3])
{
    note_end(os, SERVER, fd[SERVER]);
    note_end(os, CLIENT, fd[CLIENT]);
    for (int i = 0; i < 3; i++)
        noted(os, "close", os_close(os, i == CLIENT ? CLIENT : SERVER, fd[i]));
}

static void transfer(struct os *os)
{
    struct iovec v[3] = {{"abc", 3}, {NULL, 0}, {"defgh", 5}};
    struct msghdr msg = {.msg_iov = v, .msg_iovlen = 3};
    int fd[3];

    os_pair(os, AF_INET, fd);
    note_poll(os, SERVER, "server", fd[SERVER]);
    noted(os, "recv", os_recv(os, SERVER, fd[SERVER], buf, 1, 0));
    noted(os, "sendmsg", os_sendmsg(os, CLIENT, fd[CLIENT], &msg, 0));
    os_settle(os);
    note_poll(os, SERVER, "server", fd[SERVER]);
    noted(os, "peek", os_recv(os, SERVER, fd[SERVER], buf, 4, MSG_PEEK));
    noted(os, "waitall", os_recv(os, SERVER, fd[SERVER], buf, 100, MSG_PEEK | MSG_WAITALL));
    noted(os, "recv", os_recv(os, SERVER, fd[SERVER], buf, 2, 0));
    note(os, "%.2s\n", buf);
    noted(os, "trunc", os_recv(os, SERVER, fd[SERVER], NULL, 2, MSG_TRUNC));
    char one[2], two[3];
    struct iovec into[2] = {{one, 2}, {two, 3}};
    msg = (struct msghdr){.msg_iov = into, .msg_iovlen = 2, .msg_namelen = 99, .msg_flags = 99};
    noted(os, "recvmsg", os_recvmsg(os, SERVER, fd[SERVER], &msg, 0));
    note(os, "%.2s %.2s namelen %u flags %d controllen %zu\n", one, two, msg.msg_namelen,
         msg.msg_flags, msg.msg_controllen);
    noted(os, "recvmsg", os_recvmsg(os, SERVER, fd[SERVER], &msg, 0));
    static struct iovec many[1025];
    msg.msg_iov = many;
    msg.msg_iovlen = 1025;
    noted(os, "recvmsg", os_recvmsg(os, SERVER, fd[SERVER], &msg, 0));
    noted(os, "sendmsg", os_sendmsg(os, SERVER, fd[SERVER], &msg, 0));
    finish(os, fd);
}

static void half_close(struct os *os)
{
    int fd[3];

    os_pair(os, AF_INET, fd);
    noted(os, "send", os_send(os, CLIENT, fd[CLIENT], "hello", 5, 0));
    noted(os, "shutdown", os_shutdown(os, CLIENT, fd[CLIENT], SHUT_WR));
    os_settle(os);
    note_poll(os, CLIENT, "client", fd[CLIENT]);
    note_end(os, SERVER, fd[SERVER]);
    note_end(os, CLIENT, fd[CLIENT]);
    noted(os, "shutdown", os_shutdown(os, CLIENT, fd[CLIENT], SHUT_WR));
    noted(os, "shutdown", os_shutdown(os, SERVER, fd[SERVER], SHUT_WR));
    os_settle(os);
    finish(os, fd);
}

static void shut_reading(struct os *os)
{
    int fd[3];

    os_pair(os, AF_INET, fd);
    noted(os, "send", os_send(os, CLIENT, fd[CLIENT], "one", 3, 0));
    os_settle(os);
    noted(os, "shutdown", os_shutdown(os, SERVER, fd[SERVER], SHUT_RD));
    note_poll(os, SERVER, "server", fd[SERVER]);
    noted(os, "send", os_send(os, CLIENT, fd[CLIENT], "two", 3, 0));
    os_settle(os);
    finish(os, fd);
}

static void shut_both(struct os *os)
{
    int fd[3];

    os_pair(os, AF_INET, fd);
    noted(os, "shutdown", os_shutdown(os, SERVER, fd[SERVER], SHUT_RDWR));
    os_settle(os);
    note_poll(os, SERVER, "server", fd[SERVER]);
    note_end(os, CLIENT, fd[CLIENT]);
    os_settle(os);
    note_poll(os, SERVER, "server", fd[SERVER]);
    finish(os, fd);
}

static void both_shut(struct os *os)
{
    int fd[3];

    os_pair(os, AF_INET, fd);
    noted(os, "shutdown", os_shutdown(os, SERVER, fd[SERVER], SHUT_WR));
    noted(os, "shutdown", os_shutdown(os, CLIENT, fd[CLIENT], SHUT_WR));
    os_settle(os);
    noted(os, "shutdown", os_shutdown(os, SERVER, fd[SERVER], SHUT_RD));
    noted(os, "shutdown", os_shutdown(os, CLIENT, fd[CLIENT], SHUT_RD));
    finish(os, fd);
}

static void closed_by_peer(struct os *os)
{
    int fd[3];

    os_pair(os, AF_INET, fd);
    noted(os, "close", os_close(os, SERVER, fd[SERVER]));
    os_settle(os);
    note_poll(os, CLIENT, "client", fd[CLIENT]);
    noted(os, "send", os_send(os, CLIENT, fd[CLIENT], "x", 1, 0));
    os_settle(os); /* RST: nobody would read it */
    note_end(os, CLIENT, fd[CLIENT]);
    noted(os, "close", os_close(os, CLIENT, fd[CLIENT]));
    noted(os, "close", os_close(os, SERVER, fd[2]));
}

static void closed_with_unread_data(struct os *os)
{
    int fd[3];

    os_pair(os, AF_INET, fd);
    noted(os, "send", os_send(os, CLIENT, fd[CLIENT], "hello", 5, 0));
    noted(os, "send", os_send(os, SERVER, fd[SERVER], "there", 5, 0));
    os_settle(os);
    noted(os, "close", os_close(os, SERVER, fd[SERVER]));
    os_settle(os);
    note_end(os, CLIENT, fd[CLIENT]);
    noted(os, "close", os_close(os, CLIENT, fd[CLIENT]));
    noted(os, "close", os_close(os, SERVER, fd[2]));
}

static void aborted(struct os *os)
{
    struct linger l = {1, 0};
    int fd[3];

    os_pair(os, AF_INET, fd);
    noted(os, "linger", os_setsockopt(os, SERVER, fd[SERVER], SOL_SOCKET, SO_LINGER, &l, 8));
    noted(os, "send", os_send(os, SERVER, fd[SERVER], "lost", 4, 0));
    os_settle(os);
    noted(os, "close", os_close(os, SERVER, fd[SERVER]));
    os_settle(os);
    note_end(os, CLIENT, fd[CLIENT]);
    noted(os, "close", os_close(os, CLIENT, fd[CLIENT]));
    noted(os, "close", os_close(os, SERVER, fd[2]));
}

static void reset_after_fin(struct os *os)
{
    struct linger l = {1, 0};
    int fd[3];

    os_pair(os, AF_INET, fd);
    noted(os, "linger", os_setsockopt(os, SERVER, fd[SERVER], SOL_SOCKET, SO_LINGER, &l, 8));
    noted(os, "shutdown", os_shutdown(os, SERVER, fd[SERVER], SHUT_WR));
    os_settle(os);
    noted(os, "close", os_close(os, SERVER, fd[SERVER]));
    os_settle(os);
    note_poll(os, CLIENT, "client", fd[CLIENT]);
    noted(os, "recv", os_recv(os, CLIENT, fd[CLIENT], buf, 1, 0));
    noted(os, "send", os_send(os, CLIENT, fd[CLIENT], "x", 1, 0));
    note_end(os, CLIENT, fd[CLIENT]);
    noted(os, "close", os_close(os, CLIENT, fd[CLIENT]));
    noted(os, "close", os_close(os, SERVER, fd[2]));
}

static void aborted_before_accept(struct os *os)
{
    struct sockaddr_storage a;
    struct linger l = {1, 0};
    uint16_t port;
    int listener = os_listener(os, AF_INET, 4, &port);
    socklen_t len = os_address(os, AF_INET, false, port, &a);
    int fd = os_socket(os, CLIENT, AF_INET, SOCK_STREAM, 0);

    noted(os, "connect", os_connect(os, CLIENT, fd, &a, len));
    noted(os, "linger", os_setsockopt(os, CLIENT, fd, SOL_SOCKET, SO_LINGER, &l, 8));
    noted(os, "send", os_send(os, CLIENT, fd, "gone", 4, 0));
    os_settle(os);
    noted(os, "close", os_close(os, CLIENT, fd));
    os_settle(os);
    note_poll(os, SERVER, "listener", listener);
    len = sizeof a;
    int server = os_accept4(os, SERVER, listener, &a, &len, SOCK_NONBLOCK);
    note(os, "accept %d len %u\n", server >= 0, len);
    note_end(os, SERVER, server);
    noted(os, "close", os_close(os, SERVER, server));
    noted(os, "close", os_close(os, SERVER, listener));
}

static void descriptors(struct os *os)
{
    int fd[3];

    os_pair(os, AF_INET6, fd);
    int copy = os_dup(os, CLIENT, fd[CLIENT]);
    noted(os, "close", os_close(os, CLIENT, fd[CLIENT]));
    noted(os, "send closed", os_send(os, CLIENT, fd[CLIENT], "x", 1, 0));
    noted(os, "send copy", os_send(os, CLIENT, copy, "x", 1, 0));
    os_settle(os);
    note_poll(os, SERVER, "server", fd[SERVER]);
    note(os, "dup2 %d\n", os_dup2(os, CLIENT, copy, fd[CLIENT]) == fd[CLIENT]);
    note(os, "dup2 itself %d\n", os_dup2(os, CLIENT, copy, copy) == copy);
    noted(os, "dup2 nothing", os_dup2(os, CLIENT, 900, copy));
    noted(os, "dup2 negative", os_dup2(os, CLIENT, copy, -1));
    noted(os, "F_SETFD", os_fcntl(os, CLIENT, copy, F_SETFD, FD_CLOEXEC));
    noted(os, "F_GETFD", os_fcntl(os, CLIENT, copy, F_GETFD, 0));
    noted(os, "F_GETFD", os_fcntl(os, CLIENT, fd[CLIENT], F_GETFD, 0));
    noted(os, "F_SETFL", os_fcntl(os, CLIENT, copy, F_SETFL, O_NONBLOCK | O_APPEND));
    noted(os, "F_GETFL", os_fcntl(os, CLIENT, fd[CLIENT], F_GETFL, 0) & ~O_LARGEFILE);
    noted(os, "close copy", os_close(os, CLIENT, copy));
    noted(os, "send", os_send(os, CLIENT, fd[CLIENT], "x", 1, 0));
    os_settle(os);
    noted(os, "recv", os_recv(os, SERVER, fd[SERVER], buf, 9, 0));
    finish(os, fd);
}

#define COMPARED(scene)                                                                            \
    static void test_##scene(void **state)                                                         \
    {                                                                                              \
        (void)state;                                                                               \
        os_compare(scene);                                                                         \
    }
/* Several messages by one call, and pointers that lead nowhere. */
static void messages(struct os *os)
{
    int fd[3];
    char a[8] = "", b[8] = "", c[8] = "";
    struct iovec v[4] = {{a, 4}, {b, 4}, {c, 4}, {NULL, 4}};
    struct tern_mmsghdr m[3] = {{.msg_hdr = {.msg_iov = &v[0], .msg_iovlen = 1}},
                                {.msg_hdr = {.msg_iov = &v[1], .msg_iovlen = 1}},
                                {.msg_hdr = {.msg_iov = &v[2], .msg_iovlen = 1}}};
    struct timespec never = {0, 0}, bad = {0, 1000000000};
    struct tern_mmsg all = {.msgs = m, .n = 3}, one = {.msgs = m, .n = 3, .timeout = &never};

    os_pair(os, AF_INET, fd);
    noted(os, "nothing", os_recvmmsg(os, SERVER, fd[SERVER], &all));
    memcpy(a, "abcd", 4), memcpy(b, "efgh", 4), memcpy(c, "ijkl", 4);
    noted(os, "send", os_sendmmsg(os, CLIENT, fd[CLIENT], &all));
    note(os, "%u %u %u\n", m[0].msg_len, m[1].msg_len, m[2].msg_len);
    os_settle(os);
    memset(a, 0, 8), memset(b, 0, 8), memset(c, 0, 8);
    noted(os, "one", os_recvmmsg(os, SERVER, fd[SERVER], &one));
    note(os, "%s %ld %ld\n", a, (long)never.tv_sec, never.tv_nsec);
    noted(os, "rest", os_recvmmsg(os, SERVER, fd[SERVER], &all));
    note(os, "%s %s %s %u %u\n", a, b, c, m[0].msg_len, m[1].msg_len);
    one.timeout = &bad;
    noted(os, "bad", os_recvmmsg(os, SERVER, fd[SERVER], &one));
    all.n = 0;
    noted(os, "none", os_sendmmsg(os, CLIENT, fd[CLIENT], &all));
    all.n = 3;
    m[1].msg_hdr.msg_iov = &v[3];
    noted(os, "fault", os_sendmmsg(os, CLIENT, fd[CLIENT], &all));
    noted(os, "send", os_send(os, CLIENT, fd[CLIENT], NULL, 4, 0));
    os_settle(os);
    noted(os, "recv", os_recv(os, SERVER, fd[SERVER], NULL, 4, 0));
    noted(os, "peek", os_recv(os, SERVER, fd[SERVER], NULL, 4, MSG_PEEK));
    noted(os, "trunc", os_recv(os, SERVER, fd[SERVER], NULL, 4, MSG_TRUNC));
    noted(os, "recv", os_recv(os, SERVER, fd[SERVER], NULL, 4, 0));
    os_close(os, CLIENT, fd[CLIENT]);
    os_settle(os);
    noted(os, "closed", os_recvmmsg(os, SERVER, fd[SERVER], &all));
    noted(os, "not open", os_recvmmsg(os, SERVER, 900, &all));
    os_close(os, SERVER, fd[SERVER]);
    os_close(os, SERVER, fd[2]);
}

COMPARED(transfer)
COMPARED(messages)
COMPARED(half_close)
COMPARED(shut_reading)
COMPARED(shut_both)
COMPARED(both_shut)
COMPARED(closed_by_peer)
COMPARED(closed_with_unread_data)
COMPARED(aborted)
COMPARED(reset_after_fin)
COMPARED(aborted_before_accept)
COMPARED(descriptors)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transfer),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_half_close),
        cmocka_unit_test(test_shut_reading),
        cmocka_unit_test(test_shut_both),
        cmocka_unit_test(test_both_shut),
        cmocka_unit_test(test_closed_by_peer),
        cmocka_unit_test(test_closed_with_unread_data),
        cmocka_unit_test(test_aborted),
        cmocka_unit_test(test_reset_after_fin),
        cmocka_unit_test(test_aborted_before_accept),
        cmocka_unit_test(test_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
