/* tern/socket.h - the sockets API over one stack, with Linux's semantics.
 *
 * tern_socket_X() is X(2): the same arguments behind a tern_sockets, which stands for the process
 * (its table of descriptors), the same constants and layouts, the same effects. Only errors come
 * differently: a negative result is -errno. What Linux knows and this does not is refused, and
 * listed in docs/SOCKETS.md.
 *
 * Time      The owner says what time it is (tern_sockets_now()) and passes on the stack's events
 *           (tern_sockets_events()). Time may be virtual or real.
 * Blocking  Each call is an attempt, and, if the descriptor blocks, a wait between attempts: the
 *           `wait` callback, in which the owner turns the stack, or lets another coroutine do so.
 *           Without the callback nothing ever blocks: calls give -EAGAIN instead.
 * Threads   One at a time, the stack's. Several calls may wait at once, each on a stack of its own.
 * Signals   There are none: a write to a closed connection is -EPIPE with or without MSG_NOSIGNAL,
 *           and urgent data shows as POLLPRI alone.
 */
#ifndef TERN_SOCKET_H
#define TERN_SOCKET_H

#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

#include "tern/info.h"
#include "tern/tern.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tern_sockets tern_sockets;

/* What a system administrator sets: the names are those of sysctl(8), without their dots and
 * prefixes. May be changed at any time; sockets take it over when they are made. */
typedef struct tern_sockets_tune {
    uint32_t somaxconn;                   /* net.core */
    uint32_t rmem_max, wmem_max;          /* net.core: most that SO_RCVBUF and SO_SNDBUF give */
    uint32_t tcp_rmem[3], tcp_wmem[3];    /* least, at first, most */
    uint32_t tcp_keepalive_time;          /* s */
    uint32_t tcp_keepalive_intvl;         /* s */
    uint32_t tcp_keepalive_probes;        /* how many */
    uint32_t tcp_syn_retries;             /* how many */
    uint32_t tcp_fin_timeout;             /* s */
    uint32_t tcp_notsent_lowat;           /* bytes */
    uint32_t ip_port_first, ip_port_last; /* ip_local_port_range */
    uint32_t ip_default_ttl;
    bool bindv6only;
    bool bsd;              /* buffers are as large as asked for; accept() passes O_NONBLOCK on */
    uint32_t tcp_fastopen; /* 1: client, 2: server, and Linux's further bits */
} tern_sockets_tune;

typedef struct tern_sockets_config {
    tern *stack;            /* all its sockets are this table's */
    uint32_t fds_max;       /* RLIMIT_NOFILE; 0: 1024 */
    uint64_t now;           /* ns */
    uint64_t seed;          /* of the ports that bind() chooses */
    bool md5;               /* the stack has tern_config.md5: TCP_MD5SIG can be set */
    const char *congestion; /* the name of the stack's algorithm; NULL: "cubic" */
    /* Something may have happened, or `until` (absolute ns, TERN_NEVER) has come: 0. A negative
     * errno ends the call that waits with it, such as -EINTR. */
    int (*wait)(void *user, uint64_t until);
    void *user;
} tern_sockets_config;

/* -ENOMEM, -EINVAL. */
int tern_sockets_new(tern_sockets **out, const tern_sockets_config *conf);
/* Closes everything, as the end of a process does. No call may be waiting. */
void tern_sockets_free(tern_sockets *p);
/* The present, which never goes back. To be said before any call that follows a change of it. */
void tern_sockets_now(tern_sockets *p, uint64_t now);
/* What tern_events() has given. Nothing is called back from here. */
void tern_sockets_events(tern_sockets *p, const tern_event *ev, size_t n);
/* The settings in force, to be read and changed. */
tern_sockets_tune *tern_sockets_tuning(tern_sockets *p);
/* net.ipv4.tcp_fastopen_key: one key or two, of 16 bytes. -EINVAL. */
int tern_sockets_fastopen_keys(tern_sockets *p, const uint8_t *keys, size_t n);
/* An MD5 for tern_config.md5, which is for nothing else. */
void tern_sockets_md5(void *user, const tern_iov *iov, size_t n, uint8_t out[16]);
/* The earliest moment at which something happens here without an event; TERN_NEVER. */
uint64_t tern_sockets_next(const tern_sockets *p);
/* The stack's handle of a descriptor: for looking at it, not for use. id 0: it has none. */
tern_sock tern_sockets_handle(const tern_sockets *p, int fd);

/* ---- sockets -------------------------------------------------------------------------------- */

/* Streams: AF_INET and AF_INET6 with SOCK_STREAM. Addresses: struct sockaddr_in, sockaddr_in6. */
int tern_socket(tern_sockets *p, int domain, int type, int protocol);
int tern_socket_bind(tern_sockets *p, int fd, const void *addr, socklen_t len);
int tern_socket_listen(tern_sockets *p, int fd, int backlog);
int tern_socket_accept(tern_sockets *p, int fd, void *addr, socklen_t *len);
int tern_socket_accept4(tern_sockets *p, int fd, void *addr, socklen_t *len, int flags);
int tern_socket_connect(tern_sockets *p, int fd, const void *addr, socklen_t len);
int tern_socket_shutdown(tern_sockets *p, int fd, int how);
int tern_socket_getsockname(tern_sockets *p, int fd, void *addr, socklen_t *len);
int tern_socket_getpeername(tern_sockets *p, int fd, void *addr, socklen_t *len);
int tern_socket_getsockopt(tern_sockets *p, int fd, int level, int name, void *value,
                           socklen_t *len);
int tern_socket_setsockopt(tern_sockets *p, int fd, int level, int name, const void *value,
                           socklen_t len);

struct tern_sendto { /* the arguments of sendto() and recvfrom() behind the buffer's length */
    int flags;
    void *addr; /* NULL: none */
    socklen_t len;
};

/* Bytes sent or received, or -errno. */
ssize_t tern_socket_read(tern_sockets *p, int fd, void *buf, size_t len);
ssize_t tern_socket_write(tern_sockets *p, int fd, const void *buf, size_t len);
ssize_t tern_socket_readv(tern_sockets *p, int fd, const struct iovec *iov, int n);
ssize_t tern_socket_writev(tern_sockets *p, int fd, const struct iovec *iov, int n);
ssize_t tern_socket_recv(tern_sockets *p, int fd, void *buf, size_t len, int flags);
ssize_t tern_socket_send(tern_sockets *p, int fd, const void *buf, size_t len, int flags);
ssize_t tern_socket_recvfrom(tern_sockets *p, int fd, void *buf, size_t len,
                             struct tern_sendto *more);
ssize_t tern_socket_sendto(tern_sockets *p, int fd, const void *buf, size_t len,
                           const struct tern_sendto *more);
ssize_t tern_socket_recvmsg(tern_sockets *p, int fd, struct msghdr *msg, int flags);
ssize_t tern_socket_sendmsg(tern_sockets *p, int fd, const struct msghdr *msg, int flags);

struct tern_mmsghdr { /* struct mmsghdr, which the system shows only with _GNU_SOURCE */
    struct msghdr msg_hdr;
    unsigned msg_len;
};

struct tern_mmsg { /* the arguments of recvmmsg() and sendmmsg() */
    struct tern_mmsghdr *msgs;
    unsigned n;
    int flags;
    struct timespec *timeout; /* recvmmsg(): NULL: none; what is left of it is stored */
};
/* How many messages, or -errno. */
int tern_socket_recvmmsg(tern_sockets *p, int fd, const struct tern_mmsg *args);
int tern_socket_sendmmsg(tern_sockets *p, int fd, const struct tern_mmsg *args);

/* ---- descriptors ---------------------------------------------------------------------------- */

/* A file lives as long as descriptors, or calls that wait, use it. */
int tern_socket_close(tern_sockets *p, int fd);
int tern_socket_dup(tern_sockets *p, int fd);
int tern_socket_dup2(tern_sockets *p, int fd, int to);
int tern_socket_dup3(tern_sockets *p, int fd, int to, int flags);
/* `arg`: a number or, for those commands that take one, a pointer. */
int tern_socket_fcntl(tern_sockets *p, int fd, int cmd, intptr_t arg);
int tern_socket_ioctl(tern_sockets *p, int fd, unsigned long request, void *arg);

/* Pipes of 64 KiB. */
int tern_socket_pipe2(tern_sockets *p, int fds[2], int flags);
/* A file of the host. */
int tern_socket_open(tern_sockets *p, const char *path, int flags, mode_t mode);

/* Arguments of splice(): descriptors, of which one at least is a pipe's, and where to begin in a
 * file; NULL: where it stands. */
struct tern_splice {
    int in, out;
    int64_t *off_in, *off_out;
};
ssize_t tern_socket_splice(tern_sockets *p, const struct tern_splice *s, size_t len,
                           unsigned flags);
/* From a file of the host. */
ssize_t tern_socket_sendfile(tern_sockets *p, int out, int in, int64_t *offset, size_t len);

/* ---- readiness ------------------------------------------------------------------------------ */

/* How many are ready, 0 when the time is up, or -errno. */
int tern_socket_poll(tern_sockets *p, struct pollfd *fds, nfds_t n, int timeout_ms);

struct tern_select {
    int n;
    fd_set *read, *write, *except;
    struct timeval *timeout; /* NULL: none; what is left of it is stored */
};
/* As poll(). */
int tern_socket_select(tern_sockets *p, const struct tern_select *args);

/* Level- and edge-triggered, EPOLLONESHOT, EPOLLRDHUP; instances may watch instances. */
int tern_socket_epoll_create1(tern_sockets *p, int flags);
int tern_socket_epoll_ctl(tern_sockets *p, int epfd, int op, int fd, struct epoll_event *event);
int tern_socket_epoll_wait(tern_sockets *p, int epfd, struct epoll_event *events, int max,
                           int timeout_ms);

/* ---- TCP_INFO ------------------------------------------------------------------------------- */

/* What getsockopt(TCP_INFO) fills: struct tcp_info of Linux 6.18, which headers on a system may
 * know only the first part of. */
struct tern_linux_tcp_info {
    uint8_t tcpi_state, tcpi_ca_state, tcpi_retransmits, tcpi_probes, tcpi_backoff, tcpi_options;
    uint8_t tcpi_snd_wscale : 4, tcpi_rcv_wscale : 4;
    uint8_t tcpi_delivery_rate_app_limited : 1, tcpi_fastopen_client_fail : 2;
    uint32_t tcpi_rto, tcpi_ato, tcpi_snd_mss, tcpi_rcv_mss;
    uint32_t tcpi_unacked, tcpi_sacked, tcpi_lost, tcpi_retrans, tcpi_fackets;
    uint32_t tcpi_last_data_sent, tcpi_last_ack_sent, tcpi_last_data_recv, tcpi_last_ack_recv;
    uint32_t tcpi_pmtu, tcpi_rcv_ssthresh, tcpi_rtt, tcpi_rttvar, tcpi_snd_ssthresh;
    uint32_t tcpi_snd_cwnd, tcpi_advmss, tcpi_reordering, tcpi_rcv_rtt, tcpi_rcv_space;
    uint32_t tcpi_total_retrans;
    uint64_t tcpi_pacing_rate, tcpi_max_pacing_rate, tcpi_bytes_acked, tcpi_bytes_received;
    uint32_t tcpi_segs_out, tcpi_segs_in, tcpi_notsent_bytes, tcpi_min_rtt;
    uint32_t tcpi_data_segs_in, tcpi_data_segs_out;
    uint64_t tcpi_delivery_rate, tcpi_busy_time, tcpi_rwnd_limited, tcpi_sndbuf_limited;
    uint32_t tcpi_delivered, tcpi_delivered_ce;
    uint64_t tcpi_bytes_sent, tcpi_bytes_retrans;
    uint32_t tcpi_dsack_dups, tcpi_reord_seen, tcpi_rcv_ooopack, tcpi_snd_wnd, tcpi_rcv_wnd;
    uint32_t tcpi_rehash;
    uint16_t tcpi_total_rto, tcpi_total_rto_recoveries;
    uint32_t tcpi_total_rto_time;
    uint32_t tcpi_received_ce, tcpi_delivered_e1_bytes, tcpi_delivered_e0_bytes;
    uint32_t tcpi_delivered_ce_bytes, tcpi_received_e1_bytes, tcpi_received_e0_bytes;
    uint32_t tcpi_received_ce_bytes;
    uint16_t tcpi_accecn_fail_mode, tcpi_accecn_opt_seen;
};

#ifdef __cplusplus
}
#endif
#endif
