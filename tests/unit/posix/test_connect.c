/* connect(), listen(), accept(): the order of errors, in both systems. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>

#include "os.h"
#include "test.h"

static void wrong_arguments(struct os *os)
{
    struct sockaddr_storage a;
    struct sockaddr unspec = {.sa_family = AF_UNSPEC};
    socklen_t len = os_address(os, AF_INET, false, 0, &a);
    int fd;

    noted(os, "socket domain", os_socket(os, CLIENT, 250, SOCK_STREAM, 0));
    noted(os, "socket type", os_socket(os, CLIENT, AF_INET, 0, 0));
    noted(os, "socket type", os_socket(os, CLIENT, AF_INET, 11, 0));
    noted(os, "socket flags", os_socket(os, CLIENT, AF_INET, SOCK_STREAM | 0x10, 0));
    noted(os, "socket protocol", os_socket(os, CLIENT, AF_INET, SOCK_STREAM, IPPROTO_UDP));
    noted(os, "socket protocol", os_socket(os, CLIENT, AF_INET, SOCK_STREAM, -1));
    noted(os, "socket protocol", os_socket(os, CLIENT, AF_INET, SOCK_STREAM, 1000));
    fd = os_socket(os, CLIENT, AF_INET, SOCK_STREAM, IPPROTO_TCP);
    assert_true(fd >= 0);
    noted(os, "bind closed", os_bind(os, CLIENT, 999, &a, len));
    noted(os, "bind short", os_bind(os, CLIENT, fd, &a, 15));
    noted(os, "bind long", os_bind(os, CLIENT, fd, &a, 200));
    noted(os, "bind negative", os_bind(os, CLIENT, fd, &a, (socklen_t)-1));
    noted(os, "connect short", os_connect(os, CLIENT, fd, &a, 1));
    noted(os, "connect short", os_connect(os, CLIENT, fd, &a, 15));
    noted(os, "connect unspec", os_connect(os, CLIENT, fd, &unspec, sizeof unspec));
    a.ss_family = AF_INET6;
    noted(os, "connect family", os_connect(os, CLIENT, fd, &a, sizeof a));
    noted(os, "bind family", os_bind(os, CLIENT, fd, &a, len));
    noted(os, "accept", os_accept4(os, CLIENT, fd, NULL, NULL, 0));
    noted(os, "accept flags", os_accept4(os, CLIENT, fd, NULL, NULL, 1));
    noted(os, "shutdown", os_shutdown(os, CLIENT, fd, SHUT_RDWR));
    noted(os, "shutdown how", os_shutdown(os, CLIENT, fd, 3));
    noted(os, "shutdown how", os_shutdown(os, CLIENT, fd, -1));
    noted(os, "getpeername", os_getpeername(os, CLIENT, fd, &a, &len));
    noted(os, "send", os_send(os, CLIENT, fd, "x", 1, 0));
    noted(os, "recv", os_recv(os, CLIENT, fd, &a, 1, 0));
    note_poll(os, CLIENT, "fresh", fd);
    noted(os, "close", os_close(os, CLIENT, fd));
    noted(os, "close again", os_close(os, CLIENT, fd));
    noted(os, "connect closed", os_connect(os, CLIENT, fd, &a, len));
}

static void note_error(struct os *os, enum side side, int fd)
{
    int err = 77;
    socklen_t len = sizeof err;

    os_getsockopt(os, side, fd, SOL_SOCKET, SO_ERROR, &err, &len);
    noted(os, "SO_ERROR", -err);
}

static void in_progress(struct os *os)
{
    struct sockaddr_storage a;
    uint16_t port;
    int listener = os_listener(os, AF_INET, 1, &port);
    socklen_t len = os_address(os, AF_INET, false, port, &a);
    int fd = os_socket(os, CLIENT, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    note_poll(os, SERVER, "listener", listener);
    noted(os, "connect", os_connect(os, CLIENT, fd, &a, len));
    os_settle(os);
    note_poll(os, CLIENT, "connected", fd);
    note_poll(os, SERVER, "listener", listener);
    note_error(os, CLIENT, fd);
    noted(os, "connect again", os_connect(os, CLIENT, fd, &a, len));
    noted(os, "and again", os_connect(os, CLIENT, fd, &a, len));
    noted(os, "listen", os_listen(os, CLIENT, fd, 1));
    struct sockaddr_in any = {.sin_family = AF_INET};
    noted(os, "bind", os_bind(os, CLIENT, fd, &any, sizeof any));
    noted(os, "accept", os_accept4(os, CLIENT, fd, NULL, NULL, 0));
    noted(os, "connect listener", os_connect(os, SERVER, listener, &a, len));
    noted(os, "recv listener", os_recv(os, SERVER, listener, &a, 1, 0));
    noted(os, "send listener", os_send(os, SERVER, listener, "x", 1, MSG_DONTWAIT));
    noted(os, "peer of listener", os_getpeername(os, SERVER, listener, &a, &len));
    int server = os_accept4(os, SERVER, listener, NULL, NULL, SOCK_NONBLOCK);
    assert_true(server >= 0);
    note_poll(os, SERVER, "accepted", server);
    note_poll(os, SERVER, "listener", listener);
    noted(os, "F_GETFL", os_fcntl(os, SERVER, server, F_GETFL, 0) & ~O_LARGEFILE);
    noted(os, "F_GETFD", os_fcntl(os, SERVER, server, F_GETFD, 0));
    noted(os, "close", os_close(os, SERVER, listener));
    noted(os, "close", os_close(os, SERVER, server));
    noted(os, "close", os_close(os, CLIENT, fd));
}

/* A port where nobody listens: that of a socket which is bound and nothing else. */
static void refused(struct os *os)
{
    struct sockaddr_storage a;
    socklen_t len = os_address(os, AF_INET, false, 0, &a);
    int taken = os_socket(os, SERVER, AF_INET, SOCK_STREAM, 0);
    int fd = os_socket(os, CLIENT, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    char byte;

    noted(os, "bind", os_bind(os, SERVER, taken, &a, len));
    noted(os, "getsockname", os_getsockname(os, SERVER, taken, &a, &len));
    noted(os, "connect", os_connect(os, CLIENT, fd, &a, len));
    os_settle(os);
    note_poll(os, CLIENT, "refused", fd);
    noted(os, "getpeername", os_getpeername(os, CLIENT, fd, &a, &len));
    note_error(os, CLIENT, fd);
    note_error(os, CLIENT, fd);
    note_poll(os, CLIENT, "refused", fd);
    noted(os, "recv", os_recv(os, CLIENT, fd, &byte, 1, 0));
    noted(os, "send", os_send(os, CLIENT, fd, "x", 1, 0));
    noted(os, "connect", os_connect(os, CLIENT, fd, &a, len));
    noted(os, "connect", os_connect(os, CLIENT, fd, &a, len));
    os_settle(os);
    noted(os, "connect", os_connect(os, CLIENT, fd, &a, len));
    noted(os, "close", os_close(os, CLIENT, fd));
    fd = os_socket(os, CLIENT, AF_INET, SOCK_STREAM, 0);
    noted(os, "connect, blocking", os_connect(os, CLIENT, fd, &a, len));
    note_error(os, CLIENT, fd);
    note_poll(os, CLIENT, "refused", fd);
    noted(os, "close", os_close(os, CLIENT, fd));
    noted(os, "close", os_close(os, SERVER, taken));
}

static void disconnected(struct os *os)
{
    struct sockaddr unspec = {.sa_family = AF_UNSPEC};
    char byte;
    int fd[3];

    os_pair(os, AF_INET, fd);
    noted(os, "disconnect", os_connect(os, CLIENT, fd[CLIENT], &unspec, sizeof unspec));
    note_poll(os, CLIENT, "client", fd[CLIENT]);
    note_error(os, CLIENT, fd[CLIENT]);
    os_settle(os);
    note_poll(os, SERVER, "server", fd[SERVER]);
    noted(os, "recv", os_recv(os, SERVER, fd[SERVER], &byte, 1, 0));
    noted(os, "recv", os_recv(os, SERVER, fd[SERVER], &byte, 1, 0));
    noted(os, "send", os_send(os, SERVER, fd[SERVER], "x", 1, 0));
    note_poll(os, SERVER, "server", fd[SERVER]);
    noted(os, "shutdown", os_shutdown(os, SERVER, fd[SERVER], SHUT_WR));
    noted(os, "disconnect", os_connect(os, SERVER, fd[2], &unspec, sizeof unspec));
    note_poll(os, SERVER, "listener", fd[2]);
    noted(os, "accept", os_accept4(os, SERVER, fd[2], NULL, NULL, 0));
    noted(os, "listen", os_listen(os, SERVER, fd[2], 1));
    noted(os, "shutdown", os_shutdown(os, SERVER, fd[2], SHUT_WR));
    note_poll(os, SERVER, "listener", fd[2]);
    noted(os, "shutdown", os_shutdown(os, SERVER, fd[2], SHUT_RD));
    note_poll(os, SERVER, "listener", fd[2]);
    for (int i = 0; i < 3; i++)
        noted(os, "close", os_close(os, i == CLIENT ? CLIENT : SERVER, fd[i]));
}

#define COMPARED(scene)                                                                            \
    static void test_##scene(void **state)                                                         \
    {                                                                                              \
        (void)state;                                                                               \
        os_compare(scene);                                                                         \
    }
COMPARED(wrong_arguments)
COMPARED(in_progress)
COMPARED(refused)
COMPARED(disconnected)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong_arguments),
        cmocka_unit_test(test_in_progress),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_disconnected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
