/* posix.h - what the files of this room share: descriptors, the files behind them, sockets.
 *
 * A descriptor is a number in a table; it names a file, which counts the descriptors and the calls
 * that use it. A file is a socket, an end of a pipe, an epoll instance or a file of the host. Every
 * call follows one pattern: an attempt that never waits, and around it a loop that waits while the
 * attempt says -EAGAIN and the descriptor blocks.
 *
 * A socket knows its connection by the stack's handle. Its state is asked of the stack, never kept
 * here a second time; what is kept is what Linux keeps above TCP: a pending error, which directions
 * the user has shut down, and options.
 */
#ifndef TERN_POSIX_POSIX_H
#define TERN_POSIX_POSIX_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "tern/socket.h"

#define NS_PER_S UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_US UINT64_C(1000)

enum file_kind { FILE_SOCKET, FILE_PIPE_READ, FILE_PIPE_WRITE, FILE_EPOLL, FILE_HOST };

struct watch;
struct sock;

struct file {
    enum file_kind kind;
    int refs;              /* descriptors, and calls under way */
    int flags;             /* O_NONBLOCK and what else F_GETFL tells */
    struct watch *watches; /* epoll instances that look at it (epoll.c) */
};

struct descriptor {
    struct file *file; /* NULL: free */
    bool cloexec;
    bool reserved; /* for a call under way, which will put a file here */
};

struct tern_sockets {
    tern_sockets_config conf;
    tern_sockets_tune tune;
    uint64_t now;
    struct descriptor *fds; /* fds_size of them */
    int fds_size;
    struct sock **socks; /* by slot; the stack's `user` is the slot and 1 */
    uint32_t socks_size;
    uint32_t port_step; /* for bind() to port 0 */
    uint32_t fo_keys;   /* net.ipv4.tcp_fastopen_key: how many, */
    uint8_t fo_key[32]; /* one after the other */
    /* For those whose sockets are kept elsewhere (posix_keeper()): what is known of one's
     * connection; false: it has none. NULL: the stack is asked. */
    bool (*info)(const struct sock *sk, tern_tcp_info *out);
};

/* ---- posix.c: life, waiting ------------------------------------------------------------------ */

/* Makes an empty table of what options refer to, without descriptors: for sockets that somebody
 * else keeps, who fills a struct sock for each and uses opts.h. conf->stack may be NULL. */
void posix_keeper(tern_sockets *p, const tern_sockets_config *conf,
                  bool (*info)(const struct sock *sk, tern_tcp_info *out));

/* Waits for anything to happen, `until` at the longest. 0: try again; -EAGAIN: that time has come,
 * or there is no way to wait; or what the owner's callback says. */
int posix_wait(tern_sockets *p, uint64_t until);
/* The absolute time `ms` from now; negative: TERN_NEVER. */
uint64_t posix_after_ms(const tern_sockets *p, int64_t ms);
/* An enum tern_err as an errno, positive. */
int posix_errno(int err);
/* What ICMP said, which distinguishes more. */
int icmp_errno(const tern_icmp *m);

/* ---- fd.c: descriptors ----------------------------------------------------------------------- */

/* The file of a descriptor, NULL: EBADF. With one more reference; file_put() gives it back. */
struct file *fd_get(tern_sockets *p, int fd);
void file_put(tern_sockets *p, struct file *f);
/* The lowest free descriptor from `least` on now names `f`, whose reference it takes over; or
 * -EMFILE, and the reference is given back. */
int fd_new(tern_sockets *p, struct file *f, int least, bool cloexec);
/* The same in two steps, as accept() does before it waits. */
int fd_reserve(tern_sockets *p);
void fd_install(tern_sockets *p, int fd, struct file *f, bool cloexec);
void fd_unreserve(tern_sockets *p, int fd);
/* Closes a descriptor that is in use. */
int fd_close(tern_sockets *p, int fd);
void file_init(struct file *f, enum file_kind kind, int flags);
static inline bool file_blocks(const struct file *f, int msg_flags);
/* What poll() sees. */
uint32_t file_poll(tern_sockets *p, struct file *f);

/* ---- epoll.c --------------------------------------------------------------------------------- */

/* Something that may concern those who look at this file has happened; of this kind, 0: any. */
void file_wake(struct file *f, uint32_t mask);
/* The file is gone: nobody looks at it any more. */
void epoll_forget(struct file *f);
struct epoll;
void epoll_free(tern_sockets *p, struct epoll *e);
uint32_t epoll_poll(tern_sockets *p, struct epoll *e);

/* ---- sockets --------------------------------------------------------------------------------- */

enum { SHUT_RCV = 1, SHUT_SND = 2, SHUT_BOTH = 3 };

/* As struct socket's state in Linux. */
enum sock_phase { PHASE_UNCONNECTED, PHASE_CONNECTING, PHASE_CONNECTED, PHASE_DISCONNECTING };

/* TCP's states with Linux's numbers. */
enum linux_state {
    LINUX_ESTABLISHED = 1,
    LINUX_SYN_SENT,
    LINUX_SYN_RECV,
    LINUX_FIN_WAIT1,
    LINUX_FIN_WAIT2,
    LINUX_TIME_WAIT,
    LINUX_CLOSE,
    LINUX_CLOSE_WAIT,
    LINUX_LAST_ACK,
    LINUX_LISTEN,
    LINUX_CLOSING,
};
#define STATE_IN(state, set) ((1u << (state)) & (set))
#define S(name) (1u << LINUX_##name)

/* What setsockopt() has set: numbers as they are read back, units as in the kernel's interface. */
struct sock_opts {
    uint64_t rcvtimeo, sndtimeo; /* ns; TERN_NEVER: none */
    int reuse_addr, reuse_port, keepalive, oob_inline, rcvlowat, zerocopy, timestamping, broadcast;
    int priority, mark, dont_route, incoming_cpu, busy_poll, no_check, timestamp;
    int sndbuf, rcvbuf; /* 0: not set; else as read back: doubled */
    int linger_s;       /* -1: off */
    uint64_t max_pacing;
    int nodelay, cork, maxseg, keepidle, keepintvl, keepcnt, syncnt, linger2, defer_accept;
    int window_clamp, quickack, user_timeout_ms, fastopen, fastopen_connect, notsent_lowat, inq;
    int fastopen_no_cookie, timestamp_offset, save_syn, thin_lto, rto_max_ms, tx_delay_us;
    int tos, ttl, min_ttl, mtu_discover, recverr, recvtos, recvttl, freebind, transparent;
    int bind_no_port, pktinfo, retopts;
    int v6only, tclass, hops, mtu6_discover, recverr6, recvtclass, recvhoplimit, recvpktinfo;
    int dontfrag, autoflowlabel, flowinfo_send, min_hops, freebind6, transparent6;
    char congestion[16];
};

struct sock {
    struct file file; /* first: a struct file of this kind is one */
    tern_sockets *p;
    tern_sock k; /* id 0: the stack knows nothing of it */
    uint32_t slot;
    int domain, protocol;
    enum sock_phase phase;
    bool listening;
    bool rebound;                  /* after its connection's end it has been bound again */
    bool port_locked, addr_locked; /* by bind(): survive a disconnect */
    bool done;                     /* the peer's FIN has come */
    bool more;                     /* corked by MSG_MORE alone */
    bool gone;                     /* the stack has told how this connection ended */
    bool deferred;                 /* TCP_FASTOPEN_CONNECT: the SYN waits for data */
    bool fast_busy;                /* a call with MSG_FASTOPEN waits */
    uint8_t fo_keys;               /* TCP_FASTOPEN_KEY: how many, */
    uint8_t fo_key[32];            /* one after the other */
    uint8_t shut;                  /* SHUT_* by the user */
    bool oob_here;                 /* the urgent byte at `oob_at` has come, */
    bool oob_read;                 /* and was read with MSG_OOB */
    uint32_t oob_at;               /* its place in the stream: tern_urgent */
    int err;                       /* pending, positive errno */
    tern_addr local, peer;         /* port 0: not bound, not connected */
    struct sock_opts opts;
    struct errq *errq;            /* MSG_ERRQUEUE; NULL: never used */
    struct signature *signatures; /* keys of TCP-MD5 */
};

/* ---- sock.c ---------------------------------------------------------------------------------- */

/* The socket behind a descriptor, with a reference; *err: -EBADF or -ENOTSOCK. */
struct sock *sock_get(tern_sockets *p, int fd, int *err);
static inline void sock_put(struct sock *sk);
struct sock *sock_of_slot(const tern_sockets *p, const void *user, tern_sock k);
void *sock_user(const struct sock *sk); /* what the stack knows it by */
/* A socket with one reference and nothing else set; NULL: no memory. */
struct sock *sock_new(tern_sockets *p, int flags);
void sock_free(struct sock *sk);
/* What is known of its connection; false: it has none, and `info` is zero. */
bool sock_look(const struct sock *sk, tern_tcp_info *info);
/* The state in Linux's numbers; `info`, if not NULL, is filled (zero: no connection). */
int sock_state(const struct sock *sk, tern_tcp_info *info);
/* Which directions are over, by anyone: SHUT_*. */
uint8_t sock_shut(const struct sock *sk, int state);
/* The pending error, negative, and none after that; 0: there is none. */
int sock_error(struct sock *sk);
/* The errno of what the stack says of its connection, with ICMP's own word where that was it;
 * positive. */
int sock_errno(const struct sock *sk, int tern_err);
/* Takes over an error that ended the connection. */
void sock_fail(struct sock *sk, int tern_err);
uint32_t sock_poll(struct sock *sk);
/* TCP_NOTSENT_LOWAT, or what the administrator has set. */
static inline uint64_t sock_notsent_lowat(const struct sock *sk)
{
    uint32_t own = (uint32_t)sk->opts.notsent_lowat;
    return own != 0 ? own : sk->p->tune.tcp_notsent_lowat;
}
/* The peer's urgent byte that has not been read past; false: there is none. */
bool sock_urgent(const struct sock *sk, tern_urgent *u);
/* It stands where the next read begins, and that read is to leave it out. */
bool sock_urgent_hole(const struct sock *sk, const tern_urgent *u);
void sock_event(struct sock *sk, const tern_event *ev);
/* Drops the connection, if any, as connect() to AF_UNSPEC does. */
void sock_disconnect(struct sock *sk);
/* The last descriptor is closed: SO_LINGER, and the waiting it asks for. */
int sock_linger(struct sock *sk);
/* connect() for others: `flags` O_NONBLOCK or not. With `msg` (MSG_FASTOPEN) the SYN brings as much
 * of it as it can: *copied. */
int sock_connect(struct sock *sk, const void *addr, socklen_t len, int flags);
int sock_connect_fast(struct sock *sk, const struct msghdr *msg, int flags, size_t *copied);
/* Its data may be sent although the third segment of its handshake has not come. */
static inline bool sock_fast_child(int state, const tern_tcp_info *info)
{
    return state == LINUX_SYN_RECV && info->options & TERN_INFO_FASTOPEN_CHILD;
}

/* ---- bind.c: addresses and ports ------------------------------------------------------------- */

/* Gives the socket a local port, if it has none: 0 or -EADDRINUSE. */
int bind_auto(struct sock *sk);
/* Whether another socket's binding excludes this one's. */
bool bind_conflict(const struct sock *sk, const tern_addr *a);

/* ---- addr.c ---------------------------------------------------------------------------------- */

enum addr_use { ADDR_BIND, ADDR_CONNECT };
/* A struct sockaddr of the socket's family as an address: 0 or -EINVAL, -EAFNOSUPPORT, ... */
int addr_read(const struct sock *sk, tern_addr *out, const void *addr, socklen_t len,
              enum addr_use use);
/* Stores an address as the kernel does: as much as fits, and the full length. */
int addr_write(const struct sock *sk, const tern_addr *a, void *addr, socklen_t *len);
bool addr_is4(const tern_addr *a);
bool addr_is_any(const tern_addr *a);

/* ---- data: send.c, recv.c ------------------------------------------------------------ */

ssize_t sock_send(struct sock *sk, const struct msghdr *msg, int flags);
ssize_t sock_recv(struct sock *sk, struct msghdr *msg, int flags);
/* Any file. */
ssize_t file_readv(tern_sockets *p, struct file *f, const struct iovec *iov, int n);
ssize_t file_writev(tern_sockets *p, struct file *f, const struct iovec *iov, int n);
/* Sum of lengths, or -EINVAL. */
ssize_t iov_length(const struct iovec *iov, size_t n);

/* ---- opts.c ---------------------------------------------------------------------------------- */

void opts_init(const tern_sockets *p, struct sock_opts *o, int domain);
/* Whether Fast Open goes without cookies; bits of net.ipv4.tcp_fastopen. */
enum {
    TFO_CLIENT = 1,
    TFO_SERVER = 2,
    TFO_CLIENT_FREE = 4,
    TFO_SERVER_FREE = 0x200,
    TFO_SERVER_ALL = 0x400
};
/* Tells a new listener what Fast Open is to do. */
void opts_fastopen(struct sock *sk);
/* Tells the stack's new connection or listener of everything that was set before. */
void opts_apply(struct sock *sk);

/* ---- inline ---------------------------------------------------------------------------------- */

#include <fcntl.h>

static inline bool file_blocks(const struct file *f, int msg_flags)
{
    return !(f->flags & O_NONBLOCK) && !(msg_flags & MSG_DONTWAIT);
}

static inline void sock_put(struct sock *sk) { file_put(sk->p, &sk->file); }

#endif
