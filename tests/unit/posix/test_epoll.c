/* poll(), select() and epoll: what is ready when, in both systems. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>

#include "os.h"
#include "test.h"

static char buf[4096];

static int control(struct os *os, enum side side, int ep, int op, int fd, uint32_t events,
                   uint64_t data)
{
    struct epoll_event ev = {.events = events, .data.u64 = data};
    return os_epoll_ctl(os, side, ep, op, fd, &ev);
}

/* What is ready now, by the data given. */
static void note_wait(struct os *os, enum side side, int ep, int max)
{
    struct epoll_event ev[8];
    int n = os_epoll_wait(os, side, ep, ev, max, 0);

    note(os, "wait = %s:", result_name(n));
    for (int i = 0; i < n; i++)
        note(os, " %d/%x", (int)ev[i].data.u64, ev[i].events);
    note(os, "\n");
}

static void feed(struct os *os, int fd[3], size_t n)
{
    noted(os, "send", os_send(os, CLIENT, fd[CLIENT], buf, n, 0));
    os_settle(os);
}

static void drain(struct os *os, int fd[3], size_t n)
{
    noted(os, "recv", os_recv(os, SERVER, fd[SERVER], buf, n, 0));
}

static void end(struct os *os, int fd[3])
{
    for (int i = 0; i < 3; i++)
        noted(os, "close", os_close(os, i == CLIENT ? CLIENT : SERVER, fd[i]));
}

static void control_errors(struct os *os)
{
    int fd[3];

    os_pair(os, AF_INET, fd);
    noted(os, "create flags", os_epoll_create1(os, SERVER, 1));
    int ep = os_epoll_create1(os, SERVER, EPOLL_CLOEXEC), other = os_epoll_create1(os, SERVER, 0);
    noted(os, "add nothing", control(os, SERVER, ep, EPOLL_CTL_ADD, 900, EPOLLIN, 1));
    noted(os, "to nothing", control(os, SERVER, 900, EPOLL_CTL_ADD, fd[SERVER], EPOLLIN, 1));
    noted(os, "itself", control(os, SERVER, ep, EPOLL_CTL_ADD, ep, EPOLLIN, 1));
    noted(os, "no epoll", control(os, SERVER, fd[SERVER], EPOLL_CTL_ADD, fd[2], EPOLLIN, 1));
    noted(os, "op", control(os, SERVER, ep, 9, fd[SERVER], EPOLLIN, 1));
    noted(os, "mod", control(os, SERVER, ep, EPOLL_CTL_MOD, fd[SERVER], EPOLLIN, 1));
    noted(os, "del", control(os, SERVER, ep, EPOLL_CTL_DEL, fd[SERVER], EPOLLIN, 1));
    noted(os, "add", control(os, SERVER, ep, EPOLL_CTL_ADD, fd[SERVER], EPOLLIN, 1));
    noted(os, "again", control(os, SERVER, ep, EPOLL_CTL_ADD, fd[SERVER], EPOLLIN, 1));
    noted(os, "into other", control(os, SERVER, other, EPOLL_CTL_ADD, ep, EPOLLIN, 1));
    noted(os, "circle", control(os, SERVER, ep, EPOLL_CTL_ADD, other, EPOLLIN, 1));
    noted(os, "wait 0", os_epoll_wait(os, SERVER, ep, NULL, 0, 0));
    note_wait(os, SERVER, fd[SERVER], 1);
    note_wait(os, SERVER, 900, 1);
    note_poll(os, SERVER, "epoll", ep);
    note_poll(os, SERVER, "other", other);
    feed(os, fd, 1);
    note_poll(os, SERVER, "epoll", ep);
    note_poll(os, SERVER, "other", other);
    note_wait(os, SERVER, other, 4);
    note_wait(os, SERVER, ep, 4);
    drain(os, fd, 1);
    note_poll(os, SERVER, "epoll", ep);
    note_poll(os, SERVER, "other", other);
    noted(os, "read", os_read(os, SERVER, ep, buf, 1));
    noted(os, "write", os_write(os, SERVER, ep, buf, 1));
    noted(os, "del", control(os, SERVER, ep, EPOLL_CTL_DEL, fd[SERVER], 0, 0));
    noted(os, "close", os_close(os, SERVER, ep));
    noted(os, "close", os_close(os, SERVER, other));
    end(os, fd);
}

static void level(struct os *os)
{
    int fd[3];

    os_pair(os, AF_INET, fd);
    int ep = os_epoll_create1(os, SERVER, 0);
    noted(os, "add", control(os, SERVER, ep, EPOLL_CTL_ADD, fd[SERVER], EPOLLIN, 1));
    noted(os, "add", control(os, SERVER, ep, EPOLL_CTL_ADD, fd[2], EPOLLIN | EPOLLOUT, 2));
    note_wait(os, SERVER, ep, 4);
    feed(os, fd, 10);
    note_wait(os, SERVER, ep, 4);
    note_wait(os, SERVER, ep, 4);
    drain(os, fd, 5);
    note_wait(os, SERVER, ep, 4);
    drain(os, fd, 5);
    note_wait(os, SERVER, ep, 4);
    noted(os, "mod",
          control(os, SERVER, ep, EPOLL_CTL_MOD, fd[SERVER], EPOLLIN | EPOLLOUT | EPOLLRDHUP, 3));
    note_wait(os, SERVER, ep, 4);
    noted(os, "shutdown", os_shutdown(os, CLIENT, fd[CLIENT], SHUT_WR));
    os_settle(os);
    note_wait(os, SERVER, ep, 4);
    noted(os, "shutdown", os_shutdown(os, SERVER, fd[SERVER], SHUT_WR));
    note_wait(os, SERVER, ep, 4);
    os_settle(os);
    note_wait(os, SERVER, ep, 4);
    noted(os, "close", os_close(os, SERVER, ep));
    end(os, fd);
}

static void edge(struct os *os)
{
    int fd[3];

    os_pair(os, AF_INET, fd);
    int ep = os_epoll_create1(os, SERVER, 0);
    noted(os, "add",
          control(os, SERVER, ep, EPOLL_CTL_ADD, fd[SERVER],
                  EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, 1));
    note_wait(os, SERVER, ep, 4);
    note_wait(os, SERVER, ep, 4);
    feed(os, fd, 10);
    note_wait(os, SERVER, ep, 4);
    note_wait(os, SERVER, ep, 4);
    feed(os, fd, 10); /* more of it is an edge as well */
    note_wait(os, SERVER, ep, 4);
    drain(os, fd, 5); /* what is left is none */
    note_wait(os, SERVER, ep, 4);
    drain(os, fd, 100);
    drain(os, fd, 100);
    note_wait(os, SERVER, ep, 4);
    feed(os, fd, 1);
    note_wait(os, SERVER, ep, 4);
    noted(os, "mod", control(os, SERVER, ep, EPOLL_CTL_MOD, fd[SERVER], EPOLLIN | EPOLLET, 2));
    note_wait(os, SERVER, ep, 4);
    note_wait(os, SERVER, ep, 4);
    noted(os, "shutdown", os_shutdown(os, CLIENT, fd[CLIENT], SHUT_WR));
    os_settle(os);
    note_wait(os, SERVER, ep, 4);
    note_wait(os, SERVER, ep, 4);
    noted(os, "shutdown", os_shutdown(os, SERVER, fd[SERVER], SHUT_WR));
    os_settle(os);
    note_wait(os, SERVER, ep, 4);
    note_wait(os, SERVER, ep, 4);
    noted(os, "close", os_close(os, SERVER, ep));
    end(os, fd);
}

static void once(struct os *os)
{
    int fd[3];

    os_pair(os, AF_INET, fd);
    int ep = os_epoll_create1(os, SERVER, 0);
    noted(os, "add", control(os, SERVER, ep, EPOLL_CTL_ADD, fd[SERVER], EPOLLIN | EPOLLONESHOT, 1));
    feed(os, fd, 1);
    note_wait(os, SERVER, ep, 4);
    note_wait(os, SERVER, ep, 4);
    feed(os, fd, 1);
    note_wait(os, SERVER, ep, 4);
    noted(os, "mod", control(os, SERVER, ep, EPOLL_CTL_MOD, fd[SERVER], EPOLLIN | EPOLLONESHOT, 2));
    note_wait(os, SERVER, ep, 4);
    note_wait(os, SERVER, ep, 4);
    struct linger l = {1, 0};
    os_setsockopt(os, CLIENT, fd[CLIENT], SOL_SOCKET, SO_LINGER, &l, sizeof l);
    noted(os, "close", os_close(os, CLIENT, fd[CLIENT]));
    os_settle(os);
    note_wait(os, SERVER, ep, 4); /* not even errors */
    noted(os, "mod", control(os, SERVER, ep, EPOLL_CTL_MOD, fd[SERVER], 0, 3));
    note_wait(os, SERVER, ep, 4);
    noted(os, "close", os_close(os, SERVER, ep));
    noted(os, "close", os_close(os, SERVER, fd[SERVER]));
    noted(os, "close", os_close(os, SERVER, fd[2]));
}

/* A copy keeps the registration of a descriptor alive; the last close ends it. */
static void closing(struct os *os)
{
    int fd[3];

    os_pair(os, AF_INET, fd);
    int ep = os_epoll_create1(os, SERVER, 0), copy = os_dup(os, SERVER, fd[SERVER]);
    noted(os, "add", control(os, SERVER, ep, EPOLL_CTL_ADD, fd[SERVER], EPOLLIN, 1));
    noted(os, "add", control(os, SERVER, ep, EPOLL_CTL_ADD, copy, EPOLLIN | EPOLLOUT, 2));
    noted(os, "close", os_close(os, SERVER, fd[SERVER]));
    feed(os, fd, 1);
    struct epoll_event ev[4];
    noted(os, "ready", os_epoll_wait(os, SERVER, ep, ev, 4, 0));
    noted(os, "mod", control(os, SERVER, ep, EPOLL_CTL_MOD, fd[SERVER], EPOLLIN, 3));
    noted(os, "close", os_close(os, SERVER, copy));
    note_wait(os, SERVER, ep, 4);
    noted(os, "close", os_close(os, SERVER, ep));
    noted(os, "close", os_close(os, CLIENT, fd[CLIENT]));
    noted(os, "close", os_close(os, SERVER, fd[2]));
}

/* Several at once, with room for fewer: each gets its turn. */
static void fair(struct os *os)
{
    int a[3], b[3], c[3];

    os_pair(os, AF_INET, a);
    os_pair(os, AF_INET, b);
    os_pair(os, AF_INET, c);
    int ep = os_epoll_create1(os, SERVER, 0);
    noted(os, "add", control(os, SERVER, ep, EPOLL_CTL_ADD, a[SERVER], EPOLLIN, 1));
    noted(os, "add", control(os, SERVER, ep, EPOLL_CTL_ADD, b[SERVER], EPOLLIN | EPOLLET, 2));
    noted(os, "add", control(os, SERVER, ep, EPOLL_CTL_ADD, c[SERVER], EPOLLIN, 3));
    feed(os, c, 1);
    feed(os, b, 1);
    feed(os, a, 1);
    note_wait(os, SERVER, ep, 1);
    note_wait(os, SERVER, ep, 1);
    note_wait(os, SERVER, ep, 1);
    note_wait(os, SERVER, ep, 1);
    note_wait(os, SERVER, ep, 8);
    end(os, a);
    end(os, b);
    end(os, c);
    noted(os, "close", os_close(os, SERVER, ep));
}

static void connecting(struct os *os)
{
    struct sockaddr_storage addr;
    uint16_t port;
    int listener = os_listener(os, AF_INET, 4, &port);
    socklen_t len = os_address(os, AF_INET, false, port, &addr);
    int fd = os_socket(os, CLIENT, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    int ep = os_epoll_create1(os, CLIENT, 0), eps = os_epoll_create1(os, SERVER, 0);

    noted(os, "add", control(os, CLIENT, ep, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLOUT | EPOLLET, 1));
    noted(os, "add", control(os, SERVER, eps, EPOLL_CTL_ADD, listener, EPOLLIN | EPOLLET, 1));
    note_wait(os, CLIENT, ep, 4); /* a fresh socket hangs up */
    noted(os, "connect", os_connect(os, CLIENT, fd, &addr, len));
    os_settle(os);
    note_wait(os, CLIENT, ep, 4);
    note_wait(os, CLIENT, ep, 4);
    note_wait(os, SERVER, eps, 4);
    note_wait(os, SERVER, eps, 4);
    int second = os_socket(os, CLIENT, AF_INET, SOCK_STREAM, 0);
    noted(os, "connect", os_connect(os, CLIENT, second, &addr, len));
    os_settle(os);
    note_wait(os, SERVER, eps, 4); /* one more is an edge */
    noted(os, "close", os_close(os, CLIENT, second));
    noted(os, "close", os_close(os, CLIENT, fd));
    noted(os, "close", os_close(os, CLIENT, ep));
    noted(os, "close", os_close(os, SERVER, eps));
    noted(os, "close", os_close(os, SERVER, listener));
}

/* A full send buffer, and room again. */
static void room(struct os *os)
{
    static char big[1 << 20];
    int fd[3];

    os_pair(os, AF_INET, fd);
    int ep = os_epoll_create1(os, CLIENT, 0), edges = os_epoll_create1(os, CLIENT, 0);
    noted(os, "add", control(os, CLIENT, ep, EPOLL_CTL_ADD, fd[CLIENT], EPOLLOUT, 1));
    noted(os, "add", control(os, CLIENT, edges, EPOLL_CTL_ADD, fd[CLIENT], EPOLLOUT | EPOLLET, 1));
    note_wait(os, CLIENT, ep, 4);
    note_wait(os, CLIENT, edges, 4);
    for (int i = 0; i < 100; i++) {
        while (os_send(os, CLIENT, fd[CLIENT], big, sizeof big, 0) > 0)
            ;
        os_settle(os);
    }
    noted(os, "send", os_send(os, CLIENT, fd[CLIENT], big, 1, 0));
    note_poll(os, CLIENT, "full", fd[CLIENT]);
    note_wait(os, CLIENT, ep, 4);
    struct epoll_event ev;
    while (os_epoll_wait(os, CLIENT, edges, &ev, 1, 0) > 0)
        ;
    for (int i = 0; i < 100; i++) {
        while (os_recv(os, SERVER, fd[SERVER], big, sizeof big, 0) > 0)
            ;
        os_settle(os);
    }
    note_poll(os, CLIENT, "room", fd[CLIENT]);
    note_wait(os, CLIENT, ep, 4);
    note_wait(os, CLIENT, edges, 4);
    note_wait(os, CLIENT, edges, 4);
    noted(os, "close", os_close(os, CLIENT, ep));
    noted(os, "close", os_close(os, CLIENT, edges));
    end(os, fd);
}

static void lowat(struct os *os)
{
    int value = 4, fd[3];
    socklen_t len = sizeof value;

    os_pair(os, AF_INET, fd);
    noted(os, "set", os_setsockopt(os, SERVER, fd[SERVER], SOL_SOCKET, SO_RCVLOWAT, &value, len));
    feed(os, fd, 3);
    note_poll(os, SERVER, "less", fd[SERVER]);
    noted(os, "recv", os_recv(os, SERVER, fd[SERVER], buf, 2, MSG_PEEK));
    feed(os, fd, 1);
    note_poll(os, SERVER, "enough", fd[SERVER]);
    drain(os, fd, 9);
    value = -1;
    noted(os, "set", os_setsockopt(os, SERVER, fd[SERVER], SOL_SOCKET, SO_RCVLOWAT, &value, len));
    noted(os, "get", os_getsockopt(os, SERVER, fd[SERVER], SOL_SOCKET, SO_RCVLOWAT, &value, &len));
    note(os, "%d\n", value);
    end(os, fd);
}

static void selecting(struct os *os)
{
    int fd[3];

    os_pair(os, AF_INET, fd);
    for (int round = 0; round < 3; round++) {
        int n = fd[SERVER] > fd[2] ? fd[SERVER] : fd[2];
        fd_set r, w, e;
        FD_ZERO(&r);
        FD_ZERO(&w);
        FD_ZERO(&e);
        FD_SET(fd[SERVER], &r);
        FD_SET(fd[2], &r);
        FD_SET(fd[SERVER], &w);
        FD_SET(fd[2], &w);
        FD_SET(fd[SERVER], &e);
        struct timeval t = {0, 0};
        struct tern_select args = {n + 1, &r, &w, &e, &t};
        noted(os, "select", os_select(os, SERVER, &args));
        note(os, "%d%d %d%d %d\n", FD_ISSET(fd[SERVER], &r), FD_ISSET(fd[2], &r),
             FD_ISSET(fd[SERVER], &w), FD_ISSET(fd[2], &w), FD_ISSET(fd[SERVER], &e));
        if (round == 0)
            feed(os, fd, 1);
        else
            noted(os, "close", os_close(os, CLIENT, fd[CLIENT]));
        os_settle(os);
    }
    struct tern_select args = {-1, NULL, NULL, NULL, NULL};
    noted(os, "select -1", os_select(os, SERVER, &args));
    fd_set closed;
    FD_ZERO(&closed);
    FD_SET(63, &closed);
    struct timeval now = {0, 0};
    args = (struct tern_select){64, &closed, NULL, NULL, &now};
    noted(os, "select closed", os_select(os, SERVER, &args));
    struct pollfd none[2] = {{.fd = -1, .events = POLLIN}, {.fd = 900, .events = POLLIN}};
    noted(os, "poll", os_poll(os, SERVER, none, 2, 0));
    note(os, "%d %d\n", none[0].revents, none[1].revents);
    noted(os, "close", os_close(os, SERVER, fd[SERVER]));
    noted(os, "close", os_close(os, SERVER, fd[2]));
}

#define COMPARED(scene)                                                                            \
    static void test_##scene(void **state)                                                         \
    {                                                                                              \
        (void)state;                                                                               \
        os_compare(scene);                                                                         \
    }
COMPARED(control_errors)
COMPARED(level)
COMPARED(edge)
COMPARED(once)
COMPARED(closing)
COMPARED(fair)
COMPARED(connecting)
COMPARED(room)
COMPARED(lowat)
COMPARED(selecting)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_control_errors), cmocka_unit_test(test_level),
        cmocka_unit_test(test_edge),           cmocka_unit_test(test_once),
        cmocka_unit_test(test_closing),        cmocka_unit_test(test_fair),
        cmocka_unit_test(test_connecting),     cmocka_unit_test(test_room),
        cmocka_unit_test(test_lowat),          cmocka_unit_test(test_selecting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
