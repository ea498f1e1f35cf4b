/* sut_call.c - the calls of a script as calls of the stack's sockets. */
#include "drill/sut_config.h"
#include "drill/symbols.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

static void *ptr(intptr_t v) { return (void *)v; }

static int64_t data_call(tern_sockets *p, enum drill_nr nr, const intptr_t a[6])
{
    int fd = (int)a[0], flags = (int)a[3];
    size_t len = (size_t)a[2];
    struct tern_sendto more = {.flags = flags, .addr = ptr(a[4])};
    int64_t n;
    switch (nr) {
    case DRILL_NR_read:
        return tern_socket_read(p, fd, ptr(a[1]), len);
    case DRILL_NR_write:
        return tern_socket_write(p, fd, ptr(a[1]), len);
    case DRILL_NR_readv:
        return tern_socket_readv(p, fd, ptr(a[1]), (int)a[2]);
    case DRILL_NR_writev:
        return tern_socket_writev(p, fd, ptr(a[1]), (int)a[2]);
    case DRILL_NR_recv:
        return tern_socket_recv(p, fd, ptr(a[1]), len, flags);
    case DRILL_NR_send:
        return tern_socket_send(p, fd, ptr(a[1]), len, flags);
    case DRILL_NR_recvfrom:
        more.len = a[5] ? *(socklen_t *)ptr(a[5]) : 0;
        n = tern_socket_recvfrom(p, fd, ptr(a[1]), len, &more);
        if (a[5])
            *(socklen_t *)ptr(a[5]) = more.len;
        return n;
    case DRILL_NR_sendto:
        more.len = (socklen_t)a[5];
        return tern_socket_sendto(p, fd, ptr(a[1]), len, &more);
    case DRILL_NR_recvmsg:
        return tern_socket_recvmsg(p, fd, ptr(a[1]), (int)a[2]);
    case DRILL_NR_sendmsg:
        return tern_socket_sendmsg(p, fd, ptr(a[1]), (int)a[2]);
    default:
        return -ENOSYS;
    }
}

static int64_t file_call(tern_sockets *p, enum drill_nr nr, const intptr_t a[6])
{
    int fd = (int)a[0];
    switch (nr) {
    case DRILL_NR_dup:
        return tern_socket_dup(p, fd);
    case DRILL_NR_dup2:
        return tern_socket_dup2(p, fd, (int)a[1]);
    case DRILL_NR_fcntl:
        return tern_socket_fcntl(p, fd, (int)a[1], a[2]);
    case DRILL_NR_ioctl:
        return tern_socket_ioctl(p, fd, (unsigned long)a[1], ptr(a[2]));
    case DRILL_NR_pipe:
        return tern_socket_pipe2(p, ptr(a[0]), 0);
    case DRILL_NR_pipe2:
        return tern_socket_pipe2(p, ptr(a[0]), (int)a[1]);
    case DRILL_NR_open:
        return tern_socket_open(p, ptr(a[0]), (int)a[1], (mode_t)a[2]);
    case DRILL_NR_poll:
        return tern_socket_poll(p, ptr(a[0]), (nfds_t)a[1], (int)a[2]);
    case DRILL_NR_splice:
        return tern_socket_splice(p, &(struct tern_splice){fd, (int)a[2], ptr(a[1]), ptr(a[3])},
                                  (size_t)a[4], (unsigned)a[5]);
    case DRILL_NR_sendfile:
        return tern_socket_sendfile(p, fd, (int)a[1], ptr(a[2]), (size_t)a[3]);
    case DRILL_NR_epoll_create:
        return a[0] > 0 ? tern_socket_epoll_create1(p, 0) : -EINVAL;
    case DRILL_NR_epoll_create1:
        return tern_socket_epoll_create1(p, (int)a[0]);
    case DRILL_NR_epoll_ctl:
        return tern_socket_epoll_ctl(p, fd, (int)a[1], (int)a[2], ptr(a[3]));
    case DRILL_NR_epoll_wait:
        return tern_socket_epoll_wait(p, fd, ptr(a[1]), (int)a[2], (int)a[3]);
    default:
        return data_call(p, nr, a);
    }
}

/* Options that FreeBSD alone has: which of its stacks and logs to use says nothing here. */
static int64_t set_bsd_option(tern_sockets *p, const intptr_t a[6])
{
    int type = 0;
    socklen_t len = sizeof(type);
    int err = tern_socket_getsockopt(p, (int)a[0], SOL_SOCKET, SO_TYPE, &type, &len);
    if (err < 0)
        return err;
    if (a[2] == DRILL_TCP_NOPUSH)
        return tern_socket_setsockopt(p, (int)a[0], IPPROTO_TCP, TCP_CORK, ptr(a[3]),
                                      (socklen_t)a[4]);
    return 0;
}

int64_t sut_tern_call(tern_sockets *p, enum drill_nr nr, const intptr_t a[6])
{
    int fd = (int)a[0];
    switch (nr) {
    case DRILL_NR_socket:
        return tern_socket(p, (int)a[0], (int)a[1], (int)a[2]);
    case DRILL_NR_bind:
        return tern_socket_bind(p, fd, ptr(a[1]), (socklen_t)a[2]);
    case DRILL_NR_listen:
        return tern_socket_listen(p, fd, (int)a[1]);
    case DRILL_NR_accept:
        return tern_socket_accept(p, fd, ptr(a[1]), ptr(a[2]));
    case DRILL_NR_accept4:
        return tern_socket_accept4(p, fd, ptr(a[1]), ptr(a[2]), (int)a[3]);
    case DRILL_NR_connect:
        return tern_socket_connect(p, fd, ptr(a[1]), (socklen_t)a[2]);
    case DRILL_NR_shutdown:
        return tern_socket_shutdown(p, fd, (int)a[1]);
    case DRILL_NR_close:
        return tern_socket_close(p, fd);
    case DRILL_NR_getsockname:
        return tern_socket_getsockname(p, fd, ptr(a[1]), ptr(a[2]));
    case DRILL_NR_getpeername:
        return tern_socket_getpeername(p, fd, ptr(a[1]), ptr(a[2]));
    case DRILL_NR_getsockopt:
        return tern_socket_getsockopt(p, fd, (int)a[1], (int)a[2], ptr(a[3]), ptr(a[4]));
    case DRILL_NR_setsockopt:
        if (a[2] >= DRILL_BSD && tern_sockets_tuning(p)->bsd)
            return set_bsd_option(p, a);
        return tern_socket_setsockopt(p, fd, (int)a[1], (int)a[2], ptr(a[3]), (socklen_t)a[4]);
    default:
        return file_call(p, nr, a);
    }
}
