/* os.h - a fixture: the same calls on two systems. One is the kernel, over loopback; the other is
 * this room, over two stacks that a perfect link joins, in virtual time. A scene is a function that
 * makes calls and writes down what they gave; played on both, it must have written the same.
 */
#ifndef TERN_TEST_OS_H
#define TERN_TEST_OS_H

#include "lab/world.h"
#include "tern/socket.h"

enum side { CLIENT, SERVER };

struct os {
    bool kernel;
    struct lab_pair pair;
    tern_sockets *p[2];
    char text[32768]; /* what the scene has written down */
    size_t used;
};

/* The system of this room alone: for what has no counterpart, or takes its time. `link` NULL: a
 * perfect one. */
void os_begin(struct os *os, const struct lab_config *link, const tern_config *conf);
void os_end(struct os *os);
/* Plays a scene on both; fails the test where what was written differs. */
void os_compare(void (*scene)(struct os *os));
/* The same for scenes of which each is to be tried: whether it differs, and how. */
bool os_differs(void (*scene)(struct os *os), char *why, size_t size);

/* Writes down. */
void note(struct os *os, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "-EAGAIN", "17" */
const char *result_name(long result);
/* Writes "name = result" and returns the result. */
long noted(struct os *os, const char *name, long result);
/* Writes what poll() gives for everything it can ask. */
void note_poll(struct os *os, enum side side, const char *name, int fd);

/* Lets everything happen that happens at once. */
void os_settle(struct os *os);
/* Lets time pass: virtual or real. */
void os_sleep(struct os *os, unsigned ms);

/* The calls. Results are -errno. */
int os_socket(struct os *os, enum side side, int domain, int type, int protocol);
int os_bind(struct os *os, enum side side, int fd, const void *addr, socklen_t len);
int os_listen(struct os *os, enum side side, int fd, int backlog);
int os_accept4(struct os *os, enum side side, int fd, void *addr, socklen_t *len, int flags);
int os_connect(struct os *os, enum side side, int fd, const void *addr, socklen_t len);
int os_shutdown(struct os *os, enum side side, int fd, int how);
int os_close(struct os *os, enum side side, int fd);
int os_dup(struct os *os, enum side side, int fd);
int os_dup2(struct os *os, enum side side, int fd, int to);
int os_fcntl(struct os *os, enum side side, int fd, int cmd, long arg);
int os_ioctl(struct os *os, enum side side, int fd, unsigned long request, void *arg);
int os_getsockname(struct os *os, enum side side, int fd, void *addr, socklen_t *len);
int os_getpeername(struct os *os, enum side side, int fd, void *addr, socklen_t *len);
int os_getsockopt(struct os *os, enum side side, int fd, int level, int name, void *value,
                  socklen_t *len);
int os_setsockopt(struct os *os, enum side side, int fd, int level, int name, const void *value,
                  socklen_t len);
ssize_t os_send(struct os *os, enum side side, int fd, const void *buf, size_t len, int flags);
ssize_t os_recv(struct os *os, enum side side, int fd, void *buf, size_t len, int flags);
ssize_t os_read(struct os *os, enum side side, int fd, void *buf, size_t len);
ssize_t os_write(struct os *os, enum side side, int fd, const void *buf, size_t len);
ssize_t os_sendmsg(struct os *os, enum side side, int fd, const struct msghdr *msg, int flags);
ssize_t os_recvmsg(struct os *os, enum side side, int fd, struct msghdr *msg, int flags);
int os_sendmmsg(struct os *os, enum side side, int fd, const struct tern_mmsg *args);
int os_recvmmsg(struct os *os, enum side side, int fd, const struct tern_mmsg *args);
int os_poll(struct os *os, enum side side, struct pollfd *fds, nfds_t n, int timeout_ms);
int os_select(struct os *os, enum side side, const struct tern_select *args);
int os_epoll_create1(struct os *os, enum side side, int flags);
int os_epoll_ctl(struct os *os, enum side side, int epfd, int op, int fd,
                 struct epoll_event *event);
int os_epoll_wait(struct os *os, enum side side, int epfd, struct epoll_event *events, int max,
                  int timeout_ms);
int os_pipe2(struct os *os, enum side side, int fds[2], int flags);

/* The server's address for a socket of that domain; `mapped`: ::ffff: for AF_INET6. */
socklen_t os_address(const struct os *os, int domain, bool mapped, uint16_t port,
                     struct sockaddr_storage *out);

/* A listener on a port of the system's choice, which is stored. */
int os_listener(struct os *os, int domain, int backlog, uint16_t *port);
/* A connection, both ends not blocking: fd[CLIENT] and fd[SERVER], and its listener in fd[2]. */
void os_pair(struct os *os, int domain, int fd[3]);

#endif
