/* prog_accept.c - programs about listen() and accept(). */
#include "prog.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static void accept_nonblocking(void)
{
    struct addr a;
    int l = listen_on(AF_INET, &a);

    nonblocking(l);
    note_poll("idle", l, POLLIN, 0);
    note_result("accept", accept(l, NULL, NULL));
    int fd = connect_to(&a);
    note_poll("pending", l, POLLIN, 1000);
    note_poll("writable", l, POLLOUT, 0);
    int s = accept(l, NULL, NULL);
    note("accepted %d, nonblocking %d, cloexec %d", s >= 0, !!(fcntl(s, F_GETFL) & O_NONBLOCK),
         !!(fcntl(s, F_GETFD) & FD_CLOEXEC));
    note_poll("empty", l, POLLIN, 30);
    note_result("accept", accept(l, NULL, NULL));
    close(fd);
    note("read %zd", read(s, (char[1]){0}, 1));
}

static void accept_flags(void)
{
    struct addr a;
    int l = listen_on(AF_INET, &a);

    connect_to(&a);
    connect_to(&a);
    connect_to(&a);
    int s = accept4(l, NULL, NULL, SOCK_NONBLOCK);
    note("nonblocking %d, cloexec %d", !!(fcntl(s, F_GETFL) & O_NONBLOCK),
         !!(fcntl(s, F_GETFD) & FD_CLOEXEC));
    s = accept4(l, NULL, NULL, SOCK_CLOEXEC);
    note("nonblocking %d, cloexec %d", !!(fcntl(s, F_GETFL) & O_NONBLOCK),
         !!(fcntl(s, F_GETFD) & FD_CLOEXEC));
    note_result("bad flags", accept4(l, NULL, NULL, 0x100));
    s = accept4(l, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    note("nonblocking %d, cloexec %d", !!(fcntl(s, F_GETFL) & O_NONBLOCK),
         !!(fcntl(s, F_GETFD) & FD_CLOEXEC));
    s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    note("nonblocking %d, cloexec %d", !!(fcntl(s, F_GETFL) & O_NONBLOCK),
         !!(fcntl(s, F_GETFD) & FD_CLOEXEC));
    note_result("bad type", socket(AF_INET, SOCK_STREAM | 0x100000, 0));
    note_result("protocol", socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) >= 0);
    note_result("udp protocol", socket(AF_INET, SOCK_STREAM, IPPROTO_UDP));
}

static void accept_address(void)
{
    struct addr a;
    struct sockaddr_storage sa;
    socklen_t len = 3;
    int l = listen_on(AF_INET, &a);

    memset(&sa, 0xff, sizeof sa);
    connect_to(&a);
    note_result("small", accept(l, (struct sockaddr *)&sa, &len) >= 0);
    note("len %d family %d untouched %d", (int)len, sa.ss_family, ((unsigned char *)&sa)[3]);
    connect_to(&a);
    len = (socklen_t)-1;
    note_result("negative", accept(l, (struct sockaddr *)&sa, &len));
    connect_to(&a);
    note_result("len NULL", accept(l, (struct sockaddr *)&sa, NULL));
    connect_to(&a);
    len = sizeof sa;
    note_result("garbage", accept(l, (struct sockaddr *)(uintptr_t)0x10, &len));
    int fd = connect_to(&a);
    len = sizeof sa;
    note_result("good", accept(l, (struct sockaddr *)&sa, &len) > fd);
}

static void accept_epoll(void)
{
    struct addr a;
    int l = listen_on(AF_INET, &a), ep = epoll_create1(0), n = 0;
    struct epoll_event ev = {.events = EPOLLIN | EPOLLET};

    nonblocking(l);
    epoll_ctl(ep, EPOLL_CTL_ADD, l, &ev);
    note_result("idle", epoll_wait(ep, &ev, 1, 0));
    for (int i = 0; i < 50; i++)
        connect_to(&a);
    while (n < 50 && epoll_wait(ep, &ev, 1, 1000) > 0)
        while (accept(l, NULL, NULL) >= 0)
            n++;
    note("accepted %d", n);
    note_result("idle", epoll_wait(ep, &ev, 1, 50));
}

static void *acceptor(void *arg)
{
    int *l = arg;
    int fd = accept(*l, NULL, NULL);

    *l = fd < 0 ? -errno : fd;
    return NULL;
}

static void shutdown_listener(void)
{
    struct addr a;
    int l = listen_on(AF_INET, &a), result = l;
    pthread_t t;

    pthread_create(&t, NULL, acceptor, &result);
    settle();
    note_result("shutdown", shutdown(l, SHUT_RD));
    pthread_join(t, NULL);
    note("accept: %s", error_name(-result));
    note_result("accept", accept(l, NULL, NULL));
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    note_result("connect", connect(fd, (struct sockaddr *)&a.sa, a.len));
}

static void close_listener(void)
{
    struct addr a;
    int l = listen_on(AF_INET, &a);

    int waiting = connect_to(&a);
    close(l);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    note_result("connect", connect(fd, (struct sockaddr *)&a.sa, a.len));
    note_poll("the one that waited", waiting, POLLIN, 1000);
    read_all(waiting, "it");
    l = listen_on(AF_INET, &a);
    close(l);
    note_result("connect", connect(fd, (struct sockaddr *)&a.sa, a.len));
}

static void accept_blocking_close(void)
{
    struct addr a;
    int l = listen_on(AF_INET, &a), result = l;
    pthread_t t;

    /* A listener that one thread waits on stays one although another closes it. */
    pthread_create(&t, NULL, acceptor, &result);
    settle();
    close(l);
    int fd = connect_to(&a);
    pthread_join(t, NULL);
    note("accepted %d", result >= 0);
    note_result("write", write(fd, "x", 1));
    int again = socket(AF_INET, SOCK_STREAM, 0);
    note_result("connect", connect(again, (struct sockaddr *)&a.sa, a.len));
}

static void on_signal(int signal) { (void)signal; }

static void accept_interrupted(void)
{
    struct addr a;
    int l = listen_on(AF_INET, &a);
    struct sigaction sa = {.sa_handler = on_signal};
    struct itimerval it = {{0, 0}, {0, 50000}};
    struct timeval tv = {0, 100000};

    sigaction(SIGALRM, &sa, NULL);
    setitimer(ITIMER_REAL, &it, NULL);
    note_result("no restart", accept(l, NULL, NULL));
    if (fork() == 0) {
        for (int i = 0; i < 20; i++) {
            usleep(5000);
            kill(getppid(), SIGURG);
        }
        connect_to(&a);
        _exit(0);
    }
    sa.sa_flags = SA_RESTART;
    sigaction(SIGURG, &sa, NULL);
    note_result("restart", accept(l, NULL, NULL) >= 0);
    wait(NULL);
    setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
    note_result("time limit", accept(l, NULL, NULL));
}

static void workers(int family, bool shared)
{
    struct addr a;
    int l = shared ? listen_on(family, &a) : -1, on = 1, ready[2], good = 0;
    pid_t pids[3];

    if (!shared) {
        l = socket(family, SOCK_STREAM, 0);
        setsockopt(l, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
        a = (struct addr){.len = sizeof(struct sockaddr_in)};
        a.sa.ss_family = AF_INET;
        ((struct sockaddr_in *)&a.sa)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        bind(l, (struct sockaddr *)&a.sa, a.len);
        a.len = sizeof a.sa;
        getsockname(l, (struct sockaddr *)&a.sa, &a.len);
    }
    (void)!pipe(ready);
    for (int i = 0; i < 3; i++)
        if ((pids[i] = fork()) == 0) {
            if (!shared) {
                l = socket(family, SOCK_STREAM, 0);
                setsockopt(l, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
                if (bind(l, (struct sockaddr *)&a.sa, a.len) < 0 || listen(l, 20) < 0)
                    note("worker: %s", error_name(errno));
            }
            (void)!write(ready[1], "r", 1);
            for (int s; (s = accept(l, NULL, NULL)) >= 0; close(s))
                (void)!write(s, "w", 1);
            _exit(0);
        }
    for (int i = 0; i < 3; i++)
        (void)!read(ready[0], (char[1]){0}, 1);
    close(l);
    for (int i = 0; i < 60; i++) {
        int fd = connect_to(&a);
        good += read(fd, (char[1]){0}, 1) == 1;
        close(fd);
    }
    note("answered %d", good);
    for (int i = 0; i < 3; i++)
        kill(pids[i], SIGTERM);
    while (wait(NULL) > 0)
        ;
    int fd = socket(family, SOCK_STREAM, 0);
    note_result("after their end", connect(fd, (struct sockaddr *)&a.sa, a.len));
}

static void workers_shared(void) { workers(AF_INET, true); }
static void workers_reuseport(void) { workers(AF_INET, false); }

static void workers_epoll(void)
{
    struct addr a;
    int l = listen_on(AF_INET6, &a), good = 0;
    pid_t pids[2];

    nonblocking(l);
    for (int i = 0; i < 2; i++)
        if ((pids[i] = fork()) == 0) {
            struct epoll_event ev = {.events = EPOLLIN | EPOLLEXCLUSIVE};
            int ep = epoll_create1(0);
            epoll_ctl(ep, EPOLL_CTL_ADD, l, &ev);
            while (epoll_wait(ep, &ev, 1, -1) > 0)
                for (int s; (s = accept(l, NULL, NULL)) >= 0; close(s))
                    (void)!write(s, "w", 1);
            _exit(0);
        }
    for (int i = 0; i < 60; i++) {
        int fd = connect_to(&a);
        good += read(fd, (char[1]){0}, 1) == 1;
        close(fd);
    }
    note("answered %d", good);
    for (int i = 0; i < 2; i++)
        kill(pids[i], SIGTERM);
    while (wait(NULL) > 0)
        ;
}

static void out_of_descriptors(void)
{
    struct addr a;
    struct rlimit lim = {20, 20};
    int l = listen_on(AF_INET, &a), n = 0;
    int fd = connect_to(&a);

    setrlimit(RLIMIT_NOFILE, &lim);
    while (dup(0) >= 0)
        n++;
    note_result("accept", accept(l, NULL, NULL));
    note_result("socket", socket(AF_INET, SOCK_STREAM, 0));
    close(19);
    note_result("accept", accept(l, NULL, NULL));
    note_result("write", write(fd, "x", 1));
    for (fd = 5; fd < 19; fd++)
        close(fd); /* sanitizers want to say something at the end */
}

const struct prog progs_accept[] = {
    {"accept_nonblocking", accept_nonblocking},
    {"accept_flags", accept_flags},
    {"accept_address", accept_address},
    {"accept_epoll", accept_epoll},
    {"shutdown_listener", shutdown_listener},
    {"close_listener", close_listener},
    {"accept_blocking_close", accept_blocking_close},
    {"accept_interrupted", accept_interrupted},
    {"workers_shared", workers_shared},
    {"workers_reuseport", workers_reuseport},
    {"workers_epoll", workers_epoll},
    {"out_of_descriptors", out_of_descriptors},
    {NULL, NULL},
};
