/* prog_connect.c - programs about connect(). */
#include "prog.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static long try_connect(int fd, const struct addr *a)
{
    return connect(fd, (const struct sockaddr *)&a->sa, a->len);
}

static void note_so_error(int fd)
{
    int err = -1;
    socklen_t len = sizeof err;

    getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
    note("SO_ERROR: %s", error_name(err));
}

static void refused(void)
{
    struct addr a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    nobody(&a);
    note_result("connect", try_connect(fd, &a));
    note_so_error(fd);
    note_result("connect again", try_connect(fd, &a));
    note("write fails %d", send(fd, "x", 1, MSG_NOSIGNAL) < 0);
}

static void refused_nonblocking(void)
{
    struct addr a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    nobody(&a);
    note_result("connect", try_connect(fd, &a));
    settle();
    note_poll("poll", fd, POLLIN | POLLOUT, 1000);
    note_so_error(fd);
    note_so_error(fd);
    note_result("connect again", try_connect(fd, &a));
    note_result("and again", try_connect(fd, &a));
    settle();
    note_poll("poll", fd, POLLIN | POLLOUT, 1000);
    note_result("which says", try_connect(fd, &a));
    note_result("close", close(fd));
}

static void refused_epoll(void)
{
    struct addr a;
    struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLET};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), ep = epoll_create1(0);

    nobody(&a);
    note_result("connect", try_connect(fd, &a));
    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
    settle();
    note_result("epoll_wait", epoll_wait(ep, &ev, 1, 1000));
    note("err %d hup %d", !!(ev.events & EPOLLERR), !!(ev.events & EPOLLHUP));
    note_so_error(fd);
}

static void nonblocking_connect(void)
{
    struct addr a, name;
    int l = listen_on(AF_INET, &a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    note_result("connect", try_connect(fd, &a));
    note_poll("poll", fd, POLLIN | POLLOUT, 1000);
    note_so_error(fd);
    note_result("connect again", try_connect(fd, &a));
    note_result("and again", try_connect(fd, &a));
    name.len = sizeof name.sa;
    note_result("getpeername", getpeername(fd, (struct sockaddr *)&name.sa, &name.len));
    int s = accept(l, NULL, NULL);
    note_result("write", write(fd, "hello", 5));
    note_poll("server", s, POLLIN, 1000);
    note("read %zd", read(s, (char[16]){0}, 16));
    note_poll("poll", fd, POLLIN | POLLOUT, 0);
    close(s);
    note_poll("poll", fd, POLLIN | POLLRDHUP, 1000);
    note("read %zd", read(fd, (char[16]){0}, 16));
}

static void before_connect(void)
{
    struct addr a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    note_poll("fresh", fd, POLLIN | POLLOUT, 0);
    a.len = sizeof a.sa;
    note_result("getpeername", getpeername(fd, (struct sockaddr *)&a.sa, &a.len));
    note_result("shutdown", shutdown(fd, SHUT_RDWR));
    note_result("accept", accept(fd, NULL, NULL));
    note_so_error(fd);
    note_result("close", close(fd));
}

static void epoll_before_connect(void)
{
    struct addr a;
    int l = listen_on(AF_INET, &a), ep = epoll_create1(0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct epoll_event ev = {.events = EPOLLOUT | EPOLLIN, .data.u64 = 7};

    note_result("add", epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
    note_result("connect", try_connect(fd, &a));
    settle();
    note_result("wait", epoll_wait(ep, &ev, 1, 1000));
    note("out %d hup %d data %d", !!(ev.events & EPOLLOUT), !!(ev.events & EPOLLHUP),
         (int)ev.data.u64);
    int s = accept(l, NULL, NULL);
    note_result("send", write(s, "x", 1));
    settle();
    note_result("wait", epoll_wait(ep, &ev, 1, 1000));
    note("in %d", !!(ev.events & EPOLLIN));
}

static void dup_before_connect(void)
{
    struct addr a;
    int l = listen_on(AF_INET, &a);
    int fd = socket(AF_INET, SOCK_STREAM, 0), copy = dup(fd), high = fcntl(fd, F_DUPFD, 100);

    note_result("connect", try_connect(copy, &a));
    int s = accept(l, NULL, NULL);
    note_result("write by the first", write(fd, "a", 1));
    close(fd);
    note_result("write by another", write(high, "b", 1));
    close(copy);
    close(high);
    read_all(s, "server");
}

static void fork_before_connect(void)
{
    struct addr a;
    int l = listen_on(AF_INET, &a);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fork() == 0) {
        long r = try_connect(fd, &a);
        _exit(r == 0 && write(fd, "child", 5) == 5 ? 0 : 1);
    }
    int s = accept(l, NULL, NULL), status;
    wait(&status);
    note("child %d", WEXITSTATUS(status));
    note_result("parent writes", write(fd, "parent", 6));
    close(fd);
    read_all(s, "server");
}

static void fork_after_connect(void)
{
    int p[2], status;

    connected(p);
    if (fork() == 0) {
        close(p[1]);
        _exit(write(p[0], "child", 5) == 5 ? 0 : 1);
    }
    close(p[0]);
    wait(&status);
    read_all(p[1], "server");
}

static void connect_twice(void)
{
    struct addr a;
    int l = listen_on(AF_INET, &a);
    int fd = connect_to(&a);

    /* From another place in memory: the very same call could be one that a signal has repeated. */
    struct addr copy = a;
    note_result("again", try_connect(fd, &copy));
    note_result("listener", try_connect(l, &a));
    note_result("listen", listen(fd, 1));
    note_result("bind", bind(fd, (struct sockaddr *)&a.sa, a.len));
}

static void retry(void)
{
    struct addr a;
    int l = listen_on(AF_INET, &a), fd = socket(AF_INET, SOCK_STREAM, 0);

    close(l);
    note_result("nobody there", try_connect(fd, &a));
    l = socket(AF_INET, SOCK_STREAM, 0);
    int on = 1;
    setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    note_result("bind", bind(l, (struct sockaddr *)&a.sa, a.len));
    note_result("listen", listen(l, 5));
    note_result("connect", try_connect(fd, &a));
    int s = accept(l, NULL, NULL);
    note_result("write", write(fd, "now", 3));
    close(fd);
    read_all(s, "server");
}

static void retry_nonblocking(void)
{
    struct addr a, none;
    int l = listen_on(AF_INET, &a), fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    nobody(&none);
    try_connect(fd, &none);
    note_poll("poll", fd, POLLOUT, 1000);
    note_so_error(fd);
    note_result("told", try_connect(fd, &a));
    note_result("again", try_connect(fd, &a));
    note_poll("poll", fd, POLLOUT, 1000);
    note_so_error(fd);
    int s = accept(l, NULL, NULL);
    note_result("write", write(fd, "now", 3));
    note("flags %d", !!(fcntl(fd, F_GETFL) & O_NONBLOCK));
    close(fd);
    read_all(s, "server");
}

static void in_progress(void)
{
    struct addr a, name;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    hole(&a);
    note_result("connect", try_connect(fd, &a));
    note_poll("poll", fd, POLLIN | POLLOUT, 50);
    note_result("again", try_connect(fd, &a));
    note_result("write", send(fd, "x", 1, MSG_NOSIGNAL));
    note_result("read", read(fd, (char[1]){0}, 1));
    name.len = sizeof name.sa;
    note_result("getpeername", getpeername(fd, (struct sockaddr *)&name.sa, &name.len));
    name.len = sizeof name.sa;
    note_result("getsockname", getsockname(fd, (struct sockaddr *)&name.sa, &name.len));
    note("port %d", ((struct sockaddr_in *)&name.sa)->sin_port != 0);
    note_so_error(fd);
    int size = 200000;
    note_result("sndbuf", setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size));
    note_poll("poll", fd, POLLIN | POLLOUT, 50);
    note_result("shutdown", shutdown(fd, SHUT_RDWR));
    note_result("close", close(fd));
}

static void send_timeout(void)
{
    struct addr a;
    struct timeval tv = {0, 100000};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    hole(&a);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv);
    note_result("connect", try_connect(fd, &a));
    note_poll("poll", fd, POLLOUT, 50);
    note_result("again", try_connect(fd, &a));
}

static int alarms;

static void on_alarm(int signal)
{
    (void)signal;
    alarms++;
}

static void every(int signal, int flags, int usec)
{
    struct sigaction sa = {.sa_handler = on_alarm, .sa_flags = flags};
    struct itimerval it = {{0, usec}, {0, usec}};

    sigaction(signal, &sa, NULL);
    setitimer(ITIMER_REAL, &it, NULL);
}

static void interrupted(void)
{
    struct addr a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    hole(&a);
    every(SIGALRM, 0, 50000);
    note_result("connect", try_connect(fd, &a));
    every(SIGALRM, 0, 0);
    settle();
    note_poll("poll", fd, POLLOUT, 50);
    nonblocking(fd);
    note_result("again", try_connect(fd, &a));
}

static void restarted(void)
{
    struct addr a;
    struct sigaction sa = {.sa_handler = on_alarm};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    hole(&a);
    sigaction(SIGUSR1, &sa, NULL);
    every(SIGALRM, SA_RESTART, 20000);
    pid_t me = getpid(), child = fork();
    if (child == 0)
        for (;; usleep(7000))
            if (alarms++ > 40)
                kill(me, SIGUSR1);
    note_result("connect", try_connect(fd, &a));
    every(SIGALRM, 0, 0);
    note("many alarms %d", alarms > 5);
    kill(child, SIGKILL);
    wait(NULL);
}

static void storm(void)
{
    struct addr a;
    int l = listen_on(AF_INET, &a), good = 0;

    every(SIGALRM, SA_RESTART, 300);
    for (int i = 0; i < 300; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (try_connect(fd, &a) == 0) {
            int s = accept(l, NULL, NULL);
            good += s >= 0 && write(fd, "x", 1) == 1 && read(s, (char[1]){0}, 1) == 1;
            close(s);
        } else {
            note("connect: %s", error_name(errno));
        }
        close(fd);
    }
    every(SIGALRM, 0, 0);
    note("good %d, descriptor %d", good, socket(AF_INET, SOCK_STREAM, 0));
}

static void close_in_progress(void)
{
    struct addr a;

    hole(&a);
    for (int i = 0; i < 20; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        try_connect(fd, &a);
        close(fd);
    }
    pid_t child = fork();
    if (child == 0) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        try_connect(fd, &a);
        _exit(0);
    }
    usleep(50000);
    kill(child, SIGKILL);
    int status;
    waitpid(child, &status, 0);
    note("killed %d", WTERMSIG(status));
}

static void bad_addresses(void)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(1)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(1)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), fd6 = socket(AF_INET6, SOCK_STREAM, 0);

    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    in6.sin6_addr = in6addr_loopback;
    note_result("NULL", connect(fd, NULL, sizeof in));
    note_result("garbage", connect(fd, (struct sockaddr *)(uintptr_t)0xdeadbeef000, sizeof in));
    note_result("high", connect(fd, (struct sockaddr *)~(uintptr_t)0xfff, sizeof in));
    note_result("short", connect(fd, (struct sockaddr *)&in, sizeof in - 1));
    note_result("none", connect(fd, (struct sockaddr *)&in, 0));
    note_result("one", connect(fd, (struct sockaddr *)&in, 1));
    note_result("negative", connect(fd, (struct sockaddr *)&in, (socklen_t)-1));
    note_result("absurd", connect(fd, (struct sockaddr *)&in, 1 << 30));
    note_result("v6 on v4", connect(fd, (struct sockaddr *)&in6, sizeof in6));
    note_result("v4 on v6", connect(fd6, (struct sockaddr *)&in, sizeof in));
    note_result("v4 on v6, padded", connect(fd6, (struct sockaddr *)&in, 28));
    in.sin_family = 77;
    note_result("family 77", connect(fd, (struct sockaddr *)&in, sizeof in));
    note_result("not open", connect(999, (struct sockaddr *)&in, sizeof in));
    note_result("minus one", connect(-1, (struct sockaddr *)&in, sizeof in));
    note_result("a pipe", connect(STDIN_FILENO, (struct sockaddr *)&in, sizeof in));
    in.sin_family = AF_INET;
    in.sin_addr.s_addr = 0;
    note_result("0.0.0.0", connect(fd, (struct sockaddr *)&in, sizeof in));
    note_result("::1", connect(fd6, (struct sockaddr *)&in6, sizeof in6));
}

static void unspec(void)
{
    int p[2];
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    struct addr a;

    connected(p);
    note_result("disconnect", connect(p[0], &none, sizeof none));
    read_all(p[1], "peer");
    a.len = sizeof a.sa;
    note_result("getpeername", getpeername(p[0], (struct sockaddr *)&a.sa, &a.len));
    int l = listen_on(AF_INET, &a);
    note_result("connect", try_connect(p[0], &a));
    note_result("accept", accept(l, NULL, NULL) >= 0);
}

const struct prog progs_connect[] = {
    {"refused", refused},
    {"refused_nonblocking", refused_nonblocking},
    {"refused_epoll", refused_epoll},
    {"nonblocking_connect", nonblocking_connect},
    {"before_connect", before_connect},
    {"epoll_before_connect", epoll_before_connect},
    {"dup_before_connect", dup_before_connect},
    {"fork_before_connect", fork_before_connect},
    {"fork_after_connect", fork_after_connect},
    {"connect_twice", connect_twice},
    {"retry", retry},
    {"retry_nonblocking", retry_nonblocking},
    {"in_progress", in_progress},
    {"send_timeout", send_timeout},
    {"interrupted", interrupted},
    {"restarted", restarted},
    {"storm", storm},
    {"close_in_progress", close_in_progress},
    {"bad_addresses", bad_addresses},
    {"unspec", unspec},
    {NULL, NULL},
};
