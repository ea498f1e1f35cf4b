/* run_core.h - what the files of the program runner share; run.h is for everybody else.
 *
 * Roles: run_child starts the program and waits for it; run_notify reads trapped calls, finds the
 * socket each is about and sends the answers; run_sock is the table of the program's sockets;
 * run_borrow reaches a socket's open file; run_pair makes and fills socket pairs; run_bind,
 * run_connect, run_listen, run_accept, run_opts and run_misc hold the answers, call by call;
 * run_reset makes a reset visible to the program.
 *
 * A program's socket is an AF_UNIX stream socket that the runner has made and handed out. It is
 * known by the inode of the open file, which dup(), fork() and passing it on leave as it is.
 */
#ifndef TERN_HOST_RUN_CORE_H
#define TERN_HOST_RUN_CORE_H

#include "host/loop.h"
#include "host/run.h"
#include "host/run_addr.h"
#include "host/run_caps.h"
#include "host/run_seccomp.h"
#include "host/run_child.h"
#include "host/run_mem.h"
#include "host/run_net.h"
#include "posix/posix.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>

enum {
    RUN_SOCKS_MAX = 65536, /* sockets of all programs together; over it socket() gives ENFILE */
    RUN_SOCK_BUCKETS = 8192,
    RUN_PORT_BUCKETS = 256,
    RUN_CALLS_MAX = 64,   /* trapped calls answered in one turn of the loop */
    RUN_HELD_MAX = 16384, /* calls that wait at once; over it ENOBUFS */
    RUN_PIDFDS = 16,
    RUN_STRAYS = 64,
    RUN_PORT_FIRST = 32768, /* ports for bind() with port 0 */
    RUN_PORT_LAST = 60999,
    RUN_BACKLOG_MAX = 4096,
};

/* What a handler answers besides a value >= 0 or -errno. */
#define RUN_CONTINUE INT64_MIN    /* the kernel shall do the call */
#define RUN_LATER (INT64_MIN + 1) /* answered already, or held */

enum run_state {
    SOCK_IDLE,       /* neither connected nor listening */
    SOCK_CONNECTING, /* an active open is under way */
    SOCK_CONNECTED,  /* established, or waiting in a listener's queue */
    SOCK_LISTENING,
    SOCK_FAILED, /* the active open failed */
    SOCK_ENDED,  /* a connection that is over, or a listener that was shut down */
};

/* A call that waits for its answer. */
struct run_held {
    struct run_held *next;
    uint64_t id;            /* the notification */
    struct run_mem mem;     /* the thread that waits */
    uint64_t deadline;      /* SO_SNDTIMEO or SO_RCVTIMEO; LOOP_NEVER */
    int64_t late;           /* the answer then */
    uint64_t addr, addrlen; /* accept(): where the address goes */
    int flags;              /* accept4() */
    int file;    /* the socket's open file, kept open as the kernel does during a call; or -1 */
    bool accept; /* else connect */
};

struct run_sock {
    struct run *run;
    struct run_sock *chain;                 /* the next in its bucket of the table */
    struct run_sock *port_next;             /* the same in run.ports; valid while bound */
    struct run_sock *group_next;            /* LISTENING: the next member */
    struct run_sock *wait_prev, *wait_next; /* run.waiting, while `held` is not empty */
    uint64_t ino;                           /* 0: not in the table (queued at a listener) */
    enum run_state state;
    uint8_t family; /* AF_INET or AF_INET6 */
    bool bound;     /* has a local port of its own: in run.ports */
    bool spent;     /* its open file was used for a connection: it cannot be connected again */
    bool reported;  /* connect() has told the program how it went */
    bool shut;      /* the program has shut its sending side */
    bool live;      /* mark of run_borrow_collect() */
    int err;        /* for SO_ERROR or the next connect(): a positive errno, or 0 */
    int copy;       /* our copy of its open file (only without pidfd_getfd), or -1 */
    int end;        /* our end of the pair until the backend has it, or -1 */
    struct loop_fd end_watch; /* on `end`, for the program's close */
    size_t filled;            /* bytes stuffed into the pair while CONNECTING */
    pid_t pid;                /* where the socket was last seen: a thread and its descriptor */
    int fd;
    tern_addr local;            /* where it was bound */
    tern_addr name, peer;       /* its connection's ends */
    struct run_conn *conn;      /* the backend's connection, or NULL */
    struct run_group *group;    /* LISTENING */
    struct run_sock *queued;    /* LISTENING: the connection that makes it readable */
    struct run_sock *queued_at; /* the listener, while this is its `queued` */
    struct run_held *held;      /* calls that wait, oldest first */
    uint64_t timeout; /* SO_SNDTIMEO or SO_RCVTIMEO as last seen by one of them; ns, 0: none */
    struct sock as;   /* its options, and the socket as they see it (run_opts.c) */
};

/* The sockets that listen on one address and port together (SO_REUSEPORT: more than one). */
struct run_group {
    struct run *run;
    struct run_listener *net;
    struct run_sock *members;
    struct run_sock *turn; /* who gets the next connection */
};

/* A descriptor that a program was given, but not told of (see run_notify.c). */
struct run_stray {
    pid_t pid;
    int fd;
    uint64_t ino;
};

/* The last call of a thread. An answer that meets a signal on its way is lost, although the kernel
 * took it; the thread then makes the same call again, from the same place and with the same
 * registers, those that are not arguments included. */
struct run_last {
    pid_t pid;
    struct seccomp_data data;
};

struct run {
    struct run_config cfg;
    struct loop *loop;
    const struct run_net_ops *net;
    struct run_caps caps;
    struct run_child child;
    tern_sockets keeper; /* what options refer to */

    struct loop_fd notify;         /* the seccomp listener; fd -1 when all programs are gone */
    const struct run_forge *forge; /* asked instead of the kernel; or NULL */
    struct loop_hook hook;
    struct seccomp_notif *req; /* of the kernel's size, as is resp */
    struct seccomp_notif_resp *resp;
    size_t req_size, resp_size;
    uint32_t held_count, held_connects; /* calls that wait; the connect() among them */
    uint64_t sweep_at;                  /* when they are looked through next */

    struct run_sock *table[RUN_SOCK_BUCKETS];
    struct run_sock *ports[RUN_PORT_BUCKETS];
    struct run_sock *waiting;
    uint32_t sock_count, collect_at; /* how many; at how many to look for closed ones */
    uint16_t port_next;
    int watch_fd; /* an epoll set that every open file is in: it lists the ones still open */
    struct {
        pid_t pid;
        int fd;
    } pidfds[RUN_PIDFDS];

    struct run_stray strays[RUN_STRAYS]; /* by pid */
    struct run_last last[RUN_STRAYS];    /* by pid */
    char dir[80];                        /* the 0700 folder of AF_UNIX paths */
    int door;      /* an AF_UNIX listener: our ends of program-made connections come from it */
    int probe;     /* an AF_UNIX SOCK_SEQPACKET socket */
    uint32_t said; /* messages that have been given: bits of enum run_message */
};

/* One trapped call, while it is being handled. */
struct run_call {
    struct run *run;
    const struct seccomp_data *data;
    uint64_t id;
    struct run_mem mem; /* mem.pid: the thread */
    struct run_sock *sock;
    bool repeated; /* the thread's last call was the same: it may not have heard the answer */
};

typedef int64_t run_call_fn(struct run_call *c);

/* ---- run.c ----------------------------------------------------------------------------------- */

/* Everything but the program: run_notify_start() says whose calls are answered. 0, or the exit
 * status after saying why. */
int run_begin(struct run **out, const struct run_config *cfg);

/* ---- run_notify.c --------------------------------------------------------------------------- */

int run_notify_start(struct run *r, int fd);
void run_notify_stop(struct run *r);
/* False: the call was cancelled or its thread has died. */
bool run_answer(struct run *r, uint64_t id, int64_t value);
/* Is the call still waiting? Ask before acting on, or writing to, the memory of its process. */
bool run_valid(struct run *r, uint64_t id);
/* Puts `file` into the program as a new descriptor and answers the call with its number. */
bool run_answer_fd(struct run *r, const struct run_held *call, int file, bool cloexec);
/* Replaces descriptor `fd` of the program. */
bool run_replace_fd(struct run *r, uint64_t id, int file, int fd, bool cloexec);

/* Copies `len` bytes to the program as getsockname() does: at most *addrlen, which then tells the
 * whole length. 0, -EFAULT, -EINVAL. */
int run_copy_out(struct run_mem mem, uint64_t addr, uint64_t addrlen, const void *src, size_t len);

/* Messages that are given once in a run. */
enum run_message {
    RUN_SAY_UNREADABLE, /* non-dumpable program */
    RUN_SAY_FOREIGN,    /* other ABI */
    RUN_SAY_FILES,      /* out of descriptors */
    RUN_SAY_SOCKS,
    RUN_SAY_PAIR,
};
void run_say_once(struct run *r, enum run_message which, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void run_say(struct run *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- run_held.c: calls that wait ------------------------------------------------------------- */

/* Lets the call wait at its socket; `file` is the open file, which becomes the call's. RUN_LATER or
 * -ENOBUFS. `late` is the answer when the socket's SO_SNDTIMEO or SO_RCVTIMEO has passed. */
int64_t run_hold(struct run_call *c, int file, bool accept, int64_t late);
/* Ends the wait without an answer. */
void run_held_drop(struct run_sock *s, struct run_held *h);
/* Answers every call of one kind that waits at `s`; returns whether any of them heard it. */
bool run_held_answer(struct run_sock *s, bool accept, int64_t value);
/* Looks for calls that were cancelled or are out of time. */
void run_held_sweep(struct run *r, uint64_t now);

/* ---- run_sock.c: the table ------------------------------------------------------------------- */

struct run_sock *run_sock_new(struct run *r, int family);
void run_sock_insert(struct run_sock *s, uint64_t ino);
/* Its open file has been replaced. */
void run_sock_move(struct run_sock *s, uint64_t ino);
struct run_sock *run_sock_find(struct run *r, uint64_t ino);
/* Takes the socket out of everything and frees it; its connection must be gone. */
void run_sock_free(struct run_sock *s);
/* The program has closed its socket: ends what hangs on it, and frees it. */
void run_sock_closed(struct run_sock *s);
void run_sock_free_all(struct run *r);
/* All programs have ended, and with them their listeners: resets what waits there, now. */
void run_sock_end_listeners(struct run *r);
/* The inode behind a descriptor of a thread, 0 when it is no socket. */
uint64_t run_sock_inode(pid_t pid, int fd);
/* Gives up our end of the pair, or the copy of the open file. */
void run_sock_close_end(struct run_sock *s);
void run_sock_close_copy(struct run_sock *s);

/* ---- run_borrow.c: the open files ------------------------------------------------------------ */

int run_borrow_start(struct run *r);
void run_borrow_stop(struct run *r);
/* Notes a socket that is about to be handed out, or has just been accepted: `file` is its open
 * file, which stays the caller's. */
void run_borrow_note(struct run_sock *s, int file);
/* A descriptor of ours for the socket's open file, to be closed soon: as long as it is open, the
 * program cannot really close its socket. -1: not reachable. `pid` 0: where it was last seen. */
int run_borrow(struct run_sock *s, pid_t pid, int fd);
/* Finds sockets that the program has closed without the runner being told, and frees them. */
void run_borrow_collect(struct run *r);
/* Updates in which process the socket is; false: in none any more. */
bool run_borrow_locate(struct run_sock *s);
/* Is a listening socket still open? */
bool run_borrow_alive(struct run_sock *s);

/* ---- run_pair.c ------------------------------------------------------------------------------ */

int run_pair_start(struct run *r);
void run_pair_stop(struct run *r);
/* Connects the open file of a program's socket to us: s->end is our end. 0 or -errno. */
int run_pair_connect(struct run_sock *s, int file);
/* Fills the program's direction, so that it can neither write nor poll writable; and takes it
 * out. */
void run_pair_fill(struct run_sock *s, int file);
void run_pair_drain(struct run_sock *s);
/* Makes the open file a listener. 0 or -errno. */
int run_pair_listen(struct run_sock *s, int file);
/* Is the peer of this AF_UNIX socket the runner? */
bool run_pair_is_us(int fd);
/* Connects to the program's listener: queued->end is our end. 0 or -errno; -ECONNREFUSED:
 * closed. */
int run_pair_queue(struct run_sock *listener, struct run_sock *queued);
/* Does the program's listener exist? Leaves no trace in its queue. */
bool run_pair_probe(struct run_sock *listener);
void run_pair_unlink(struct run_sock *listener);
/* Puts the connection's ECONNRESET before the program: s->end, or the backend's descriptor, must be
 * closed next. `file` may be -1: then the socket is borrowed. */
void run_pair_reset(struct run_sock *s, int file);

/* ---- the answers ----------------------------------------------------------------------------- */

run_call_fn run_call_socket, run_call_connect, run_call_bind, run_call_listen, run_call_accept,
    run_call_accept4, run_call_getsockname, run_call_getpeername, run_call_shutdown,
    run_call_setsockopt, run_call_getsockopt, run_call_ioctl;
/* A call from a program of the other ABI. */
int64_t run_call_foreign(struct run_call *c);

/* run_bind.c: a socket's local port. */
int run_bind(struct run_sock *s, const tern_addr *addr);
void run_unbind(struct run_sock *s);
/* Does another socket keep a bound one from listening? */
bool run_bind_taken(struct run_sock *s);
/* Reads a sockaddr argument of a call; its length, -EINVAL or -EFAULT. */
int run_sockaddr_in(struct run_mem mem, union run_sockaddr *out, uint64_t addr, uint64_t len);

/* run_connect.c: shows the program a connection in progress; and what the backend reports. */
void run_connect_expose(struct run_sock *s, int file);
void run_conn_opened(void *sock, int err);
void run_conn_ended(void *sock, int err);
void run_conn_closed(void *sock);

/* run_listen.c, run_accept.c */
void run_unlisten(struct run_sock *s);
void run_listener_closed(struct run_sock *s);
/* Brings the next connection to the listener, and to a call that waits for it. Like the next two it
 * may find that the program has closed the listener: it is then SOCK_ENDED and has none queued. */
void run_queue_refill(struct run_sock *listener);
/* Brings the queued connection to the listener once more. */
void run_queue_again(struct run_sock *listener);
/* Gives the queued connection to calls that wait for one. */
void run_accept_waiting(struct run_sock *listener);
bool run_group_syn(void *group);
unsigned run_group_defer(void *group);
void run_group_incoming(void *group);

/* run_opts.c */
void run_opts_start(struct run *r);
void run_opts_init(struct run_sock *s);
/* A connection of a listener begins with its options. */
void run_opts_inherit(struct run_sock *s, const struct run_sock *listener);
void run_opts_apply(struct run_sock *s); /* to a new connection or listener */

#endif
