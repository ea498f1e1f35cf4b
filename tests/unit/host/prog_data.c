/* prog_data.c - programs about bytes, ends and resets. */
#include "prog.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MUCH = 8 << 20 };

static uint32_t next(uint32_t *x)
{
    *x = *x * 1664525u + 1013904223u;
    return *x >> 24;
}

static void *sender(void *arg)
{
    int fd = *(int *)arg;
    uint32_t x = 1;
    unsigned char buf[5000];

    for (size_t sent = 0; sent < MUCH; sent += sizeof buf) {
        for (size_t i = 0; i < sizeof buf; i++)
            buf[i] = (unsigned char)next(&x);
        if (send(fd, buf, sizeof buf, MSG_NOSIGNAL) != sizeof buf)
            break;
    }
    shutdown(fd, SHUT_WR);
    return NULL;
}

static void receive(int fd, const char *what)
{
    uint32_t x = 1;
    unsigned char buf[7001];
    size_t sum = 0, wrong = 0;
    ssize_t n;

    while ((n = read(fd, buf, sizeof buf)) > 0)
        for (ssize_t i = 0; i < n; i++, sum++)
            wrong += buf[i] != next(&x);
    note("%s: %zu bytes, %zu wrong, then %s", what, sum, wrong, n < 0 ? error_name(errno) : "end");
}

static void both_ways(void)
{
    int p[2];
    pthread_t t[2];

    connected(p);
    pthread_create(&t[0], NULL, sender, &p[0]);
    receive(p[1], "up");
    pthread_create(&t[1], NULL, sender, &p[1]);
    receive(p[0], "down");
    pthread_join(t[0], NULL);
    pthread_join(t[1], NULL);
    note_poll("both shut", p[0], POLLIN | POLLOUT | POLLRDHUP, 100);
}

static void *receiver(void *arg)
{
    receive(*(int *)arg, "in a thread");
    return NULL;
}

static void duplex(void)
{
    int p[2];
    pthread_t t[3];

    connected(p);
    pthread_create(&t[0], NULL, sender, &p[0]);
    pthread_create(&t[1], NULL, sender, &p[1]);
    pthread_create(&t[2], NULL, receiver, &p[0]);
    receive(p[1], "in a thread");
    for (int i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
}

static void half_close(void)
{
    int p[2];

    connected(p);
    (void)!write(p[0], "request", 7);
    note_result("shutdown", shutdown(p[0], SHUT_WR));
    read_all(p[1], "server");
    note_poll("server", p[1], POLLIN | POLLOUT | POLLRDHUP, 0);
    note_result("write after", send(p[0], "x", 1, MSG_NOSIGNAL));
    (void)!write(p[1], "response", 8);
    close(p[1]);
    read_all(p[0], "client");
    note_result("shutdown again", shutdown(p[0], SHUT_WR));
}

static void reset_by_unread(void)
{
    int p[2];

    connected(p);
    (void)!write(p[0], "unread", 6);
    settle();
    close(p[1]);
    settle();
    note_poll("client", p[0], POLLIN | POLLRDHUP, 1000);
    read_all(p[0], "client");
    read_all(p[0], "client");
    note_result("write", send(p[0], "x", 1, MSG_NOSIGNAL));
}

static void reset_by_linger(void)
{
    int p[2];
    struct linger now = {1, 0};

    connected(p);
    (void)!write(p[1], "data", 4);
    settle();
    note_result("linger", setsockopt(p[1], SOL_SOCKET, SO_LINGER, &now, sizeof now));
    close(p[1]);
    settle();
    int err = -1;
    socklen_t len = sizeof err;
    read_all(p[0], "client");
    getsockopt(p[0], SOL_SOCKET, SO_ERROR, &err, &len);
    note("SO_ERROR: %s", error_name(err));
}

static void reset_told_by_so_error(void)
{
    int p[2], err = -1;
    struct linger now = {1, 0};
    socklen_t len = sizeof err;

    connected(p);
    setsockopt(p[1], SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(p[1]);
    note_poll("client", p[0], 0, 1000);
    getsockopt(p[0], SOL_SOCKET, SO_ERROR, &err, &len);
    note("SO_ERROR: %s", error_name(err));
    read_all(p[0], "client");
}

/* A program that has said all it has to say must still see that the answer was cut short. */
static void reset_after_shutdown(void)
{
    int p[2];
    struct linger now = {1, 0};

    connected(p);
    (void)!write(p[0], "request", 7);
    shutdown(p[0], SHUT_WR);
    read_all(p[1], "server");
    (void)!write(p[1], "half an ans", 11);
    settle();
    setsockopt(p[1], SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(p[1]);
    settle();
    read_all(p[0], "client");
}

static void reset_while_reading(void)
{
    int p[2];
    struct linger now = {1, 0};

    connected(p);
    if (fork() == 0) {
        close(p[0]);
        settle();
        setsockopt(p[1], SOL_SOCKET, SO_LINGER, &now, sizeof now);
        _exit(0);
    }
    close(p[1]);
    read_all(p[0], "client");
    wait(NULL);
}

static void killed(void)
{
    for (int unread = 0; unread < 2; unread++) {
        int p[2], status;
        connected(p);
        pid_t child = fork();
        if (child == 0) {
            close(p[0]);
            pause();
        }
        close(p[1]);
        if (unread)
            (void)!write(p[0], "x", 1);
        settle();
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
        read_all(p[0], unread ? "killed with something unread" : "killed");
    }
}

static void peer_gone(void)
{
    int p[2];
    ssize_t n = 0;

    signal(SIGPIPE, SIG_IGN);
    connected(p);
    close(p[1]);
    settle();
    note_poll("client", p[0], POLLIN | POLLOUT | POLLRDHUP, 100);
    for (int i = 0; i < 10 && n >= 0; i++, settle())
        n = write(p[0], "x", 1);
    note("write failed %d", n < 0);
}

static void shut_reading(void)
{
    int p[2];

    connected(p);
    note_result("shutdown", shutdown(p[0], SHUT_RD));
    settle();
    read_all(p[0], "reader");
    note_result("peer writes", send(p[1], "x", 1, MSG_NOSIGNAL));
    note_result("still writes", send(p[0], "y", 1, MSG_NOSIGNAL));
    settle(); /* a reset, as there is something unread, may overtake it on a longer way */
    close(p[0]);
    note("peer got %zd", read(p[1], (char[8]){0}, 8));
}

static void send_file(void)
{
    int p[2], pipefd[2], file = memfd_create("x", 0);
    char text[10000];

    memset(text, 'a', sizeof text);
    (void)!write(file, text, sizeof text);
    connected(p);
    off_t at = 0;
    note_result("sendfile", sendfile(p[0], file, &at, sizeof text));
    (void)!pipe(pipefd);
    (void)!write(pipefd[1], text, 5000);
    note_result("splice out", splice(pipefd[0], NULL, p[0], NULL, 5000, 0));
    struct iovec iov[2] = {{text, 3}, {text, 4}};
    note_result("writev", writev(p[0], iov, 2));
    settle();
    note_result("splice in", splice(p[1], NULL, pipefd[1], NULL, 2000, 0));
    int n = 0;
    ioctl(p[1], FIONREAD, &n);
    note("FIONREAD %d", n);
    note("peek %zd", recv(p[1], text, 100, MSG_PEEK));
    note("all %zd", recv(p[1], text, 8000, MSG_WAITALL));
    for (int i = 0; i < 200 && n > 0; i++, usleep(1000)) /* a delayed ACK */
        ioctl(p[0], SIOCOUTQ, &n);
    ioctl(p[0], SIOCOUTQ, &n);
    note("SIOCOUTQ %d", n);
    n = -1;
    note_result("SIOCOUTQNSD", ioctl(p[0], SIOCOUTQNSD, &n));
    note("%d", n);
    note_result("bad pointer", ioctl(p[0], SIOCOUTQ, (void *)(uintptr_t)8));
    shutdown(p[0], SHUT_WR);
    read_all(p[1], "rest");
}

static void waits(void)
{
    int p[2];
    struct timeval tv = {0, 50000};

    connected(p);
    note_result("MSG_DONTWAIT", recv(p[0], (char[1]){0}, 1, MSG_DONTWAIT));
    setsockopt(p[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
    note_result("time limit", recv(p[0], (char[1]){0}, 1, 0));
    nonblocking(p[0]);
    note_result("O_NONBLOCK", recv(p[0], (char[1]){0}, 1, 0));
    size_t sum = 0;
    char buf[4096] = {0};
    do
        for (ssize_t n; (n = write(p[0], buf, sizeof buf)) > 0;)
            sum += (size_t)n;
    while (poll(&(struct pollfd){p[0], POLLOUT, 0}, 1, 100) > 0);
    note("full: %s, some %d", error_name(errno), sum > 100000);
    pid_t child = fork();
    if (child == 0) {
        close(p[0]);
        _exit(read_all(p[1], NULL) == sum ? 0 : 1);
    }
    close(p[1]);
    note_poll("again", p[0], POLLOUT, 2000);
    shutdown(p[0], SHUT_WR);
    int status;
    waitpid(child, &status, 0);
    note("reader got it all %d", WEXITSTATUS(status) == 0);
}

static void out_of_band(void)
{
    int p[2];

    connected(p);
    note_result("send", send(p[0], "ab", 2, 0));
    close(p[0]);
    read_all(p[1], "peer");
}

static void passed_on(void)
{
    int p[2], pass[2], status;
    char control[CMSG_SPACE(sizeof(int))] = {0}, byte = 0;
    struct iovec iov = {&byte, 1};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control,
                         .msg_controllen = sizeof control};

    connected(p);
    socketpair(AF_UNIX, SOCK_STREAM, 0, pass);
    pid_t child = fork();
    if (child == 0) {
        struct addr a = {.len = sizeof a.sa};
        close(p[0]);
        close(p[1]);
        if (recvmsg(pass[1], &msg, 0) != 1)
            _exit(1);
        int fd;
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof fd);
        if (getpeername(fd, (struct sockaddr *)&a.sa, &a.len) < 0 || a.sa.ss_family != AF_INET)
            _exit(2);
        _exit(write(fd, "passed", 6) == 6 ? 0 : 3);
    }
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &p[0], sizeof(int));
    note_result("sendmsg", sendmsg(pass[0], &msg, 0));
    close(p[0]);
    waitpid(child, &status, 0);
    note("child %d", WEXITSTATUS(status));
    read_all(p[1], "peer");
}

static void executed(void)
{
    int p[2], status;

    connected(p);
    pid_t child = fork();
    if (child == 0) {
        dup2(p[0], 1);
        execlp("sh", "sh", "-c", "echo from a shell; exec cat /dev/null", (char *)NULL);
        _exit(1);
    }
    waitpid(child, &status, 0);
    close(p[0]);
    note("child %d", WEXITSTATUS(status));
    read_all(p[1], "peer");
}

static void others_untouched(void)
{
    int sp[2], udp = socket(AF_INET, SOCK_DGRAM, 0), udp2 = socket(AF_INET, SOCK_DGRAM, 0);
    struct addr a = {.len = sizeof(struct sockaddr_in)};
    char buf[8] = {0};
    int value = 0;
    socklen_t len = sizeof value;

    socketpair(AF_UNIX, SOCK_STREAM, 0, sp);
    note_result("getpeername", getpeername(sp[0], (struct sockaddr *)&a.sa, &a.len));
    note("family %d", a.sa.ss_family);
    getsockopt(sp[0], SOL_SOCKET, SO_DOMAIN, &value, &len);
    note("domain %d", value);
    (void)!write(sp[0], "unix", 4);
    note("got %zd", read(sp[1], buf, 8));
    a = (struct addr){.len = sizeof(struct sockaddr_in)};
    a.sa.ss_family = AF_INET;
    ((struct sockaddr_in *)&a.sa)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    note_result("bind", bind(udp, (struct sockaddr *)&a.sa, a.len));
    a.len = sizeof a.sa;
    note_result("getsockname", getsockname(udp, (struct sockaddr *)&a.sa, &a.len));
    note_result("sendto", sendto(udp2, "udp", 3, 0, (struct sockaddr *)&a.sa, a.len));
    note_result("connect", connect(udp2, (struct sockaddr *)&a.sa, a.len));
    note_result("recv", recv(udp, buf, 8, 0));
    getsockopt(udp, SOL_SOCKET, SO_PROTOCOL, &value, &len);
    note("protocol %d", value);
    note_result("tty ioctl on a pipe", ioctl(sp[0], SIOCOUTQ, &value) >= 0);
}

const struct prog progs_data[] = {
    {"both_ways", both_ways},
    {"duplex", duplex},
    {"half_close", half_close},
    {"reset_by_unread", reset_by_unread},
    {"reset_by_linger", reset_by_linger},
    {"reset_told_by_so_error", reset_told_by_so_error},
    {"reset_after_shutdown", reset_after_shutdown},
    {"reset_while_reading", reset_while_reading},
    {"killed", killed},
    {"peer_gone", peer_gone},
    {"shut_reading", shut_reading},
    {"send_file", send_file},
    {"waits", waits},
    {"out_of_band", out_of_band},
    {"passed_on", passed_on},
    {"executed", executed},
    {"others_untouched", others_untouched},
    {NULL, NULL},
};
