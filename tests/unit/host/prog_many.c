/* prog_many.c - programs that do much at once, or end in odd ways. */
#include "prog.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MANY = 1000 };

static void thousand(void)
{
    struct addr a;
    static int fds[MANY], got[MANY];
    int l = listen_on(AF_INET, &a), good = 0;

    for (int i = 0; i < MANY; i++) {
        fds[i] = connect_to(&a);
        got[i] = accept(l, NULL, NULL);
    }
    for (int i = 0; i < MANY; i++)
        (void)!write(fds[i], &i, sizeof i);
    for (int i = 0; i < MANY; i++) {
        int n = -1;
        good += read(got[i], &n, sizeof n) == sizeof n && n == i;
    }
    note("good %d", good);
}

static void thousand_nonblocking(void)
{
    struct addr a;
    static struct pollfd p[MANY];
    int l = listen_on(AF_INET, &a), good = 0;

    for (int i = 0; i < MANY; i++) {
        p[i] = (struct pollfd){socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), POLLOUT, 0};
        connect(p[i].fd, (struct sockaddr *)&a.sa, a.len);
        if (i % 100 == 99)
            for (int k = 0; k < 100; k++)
                close(accept(l, NULL, NULL));
    }
    for (int i = 0; i < MANY; i++) {
        int err = -1;
        socklen_t len = sizeof err;
        poll(&p[i], 1, 1000);
        getsockopt(p[i].fd, SOL_SOCKET, SO_ERROR, &err, &len);
        good += err == 0 && p[i].revents & POLLOUT;
    }
    note("good %d", good);
}

static struct addr target;
static atomic_int good;

static void *hammer(void *arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++) {
        int fd = connect_to(&target);
        char c = 0;
        atomic_fetch_add(&good, write(fd, "x", 1) == 1 && read(fd, &c, 1) == 1 && c == 'x');
        close(fd);
    }
    return NULL;
}

static void threads(void)
{
    pthread_t t[8];
    int l = listen_on(AF_INET, &target);

    pid_t child = fork();
    if (child == 0) {
        char c;
        for (int s; (s = accept(l, NULL, NULL)) >= 0; close(s))
            if (read(s, &c, 1) == 1)
                (void)!write(s, &c, 1);
        _exit(0);
    }
    for (int i = 0; i < 8; i++)
        pthread_create(&t[i], NULL, hammer, NULL);
    for (int i = 0; i < 8; i++)
        pthread_join(t[i], NULL);
    note("good %d", atomic_load(&good));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

/* One thread closes and opens descriptors while others use their numbers. */
static atomic_bool stop;

static void *closer(void *arg)
{
    (void)arg;
    while (!atomic_load(&stop))
        for (int fd = 100; fd < 110; fd++) {
            int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
            dup2(s, fd);
            close(s);
        }
    return NULL;
}

static void races(void)
{
    pthread_t t[2];
    struct addr name;
    int n = 0;

    listen_on(AF_INET, &target);
    for (int i = 0; i < 2; i++)
        pthread_create(&t[i], NULL, closer, NULL);
    for (int i = 0; i < 2000; i++) {
        int fd = 100 + i % 10;
        name.len = sizeof name.sa;
        connect(fd, (struct sockaddr *)&target.sa, target.len);
        getsockname(fd, (struct sockaddr *)&name.sa, &name.len);
        listen(fd, 1);
        accept(fd, NULL, NULL);
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &n, sizeof n);
        shutdown(fd, SHUT_RDWR);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    note("survived");
}

static void daemonise(void)
{
    struct addr a;
    int l = listen_on(AF_INET, &a), ready[2];

    (void)!pipe(ready);
    if (fork() == 0) {
        setsid();
        if (fork() != 0)
            _exit(0);
        (void)!write(ready[1], "r", 1);
        int s = accept(l, NULL, NULL);
        (void)!write(s, "from a daemon", 13);
        _exit(0);
    }
    (void)!read(ready[0], (char[1]){0}, 1);
    wait(NULL);
    close(l);
    read_all(connect_to(&a), "client");
}

static void ends_by_signal(void)
{
    int p[2];

    connected(p);
    fflush(stdout);
    kill(getpid(), SIGKILL);
}

static void ends_with_7(void)
{
    int p[2];

    connected(p);
    (void)!write(p[0], "left behind", 11);
    fflush(stdout);
    _exit(7);
}

static void only_ours(void)
{
    int n = 0;

    for (int fd = 3; fd < 1000; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    note("descriptors besides the standard ones: %d", n);
    sigset_t set;
    sigprocmask(SIG_BLOCK, NULL, &set);
    for (int i = 1; i < 32; i++)
        if (sigismember(&set, i))
            note("signal %d is blocked", i);
    struct sigaction sa;
    sigaction(SIGPIPE, NULL, &sa);
    note("SIGPIPE default %d", sa.sa_handler == SIG_DFL);
    note("own group leader's session %d", getpgrp() > 0);
}

const struct prog progs_many[] = {
    {"thousand", thousand},
    {"thousand_nonblocking", thousand_nonblocking},
    {"threads", threads},
    {"races", races},
    {"daemonise", daemonise},
    {"ends_by_signal", ends_by_signal},
    {"ends_with_7", ends_with_7},
    {"only_ours", only_ours},
    {NULL, NULL},
};
