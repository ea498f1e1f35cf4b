/* talk.h - one connection of a stack on two descriptors, in the manners of nc: what can be read
 * from `in` goes to the peer, what the peer sends to `out`.
 *
 * The end of `in` is a FIN (half close), the peer's FIN the end of `out`, which is then replaced by
 * /dev/null, so that a pipe's reader sees it; the talk is over when both have been and ours is
 * acknowledged. Descriptors may be of any kind, and stay as they are: blocking, if they were, for
 * whoever else shares them.
 */
#ifndef TERN_HOST_TALK_H
#define TERN_HOST_TALK_H

#include "host/app.h"
#include "host/node.h"

struct talk {
    struct app app; /* the connection's `user` */
    struct node *node;
    struct loop_hook hook;
    struct loop_fd in, out; /* `out` may be a descriptor of our own, for */
    int out_given;          /* this one */
    tern_sock sock;
    bool open;               /* the connection is established */
    bool over;               /* nothing more will happen */
    int err;                 /* ... and why: 0, or a negative errno */
    const char *what;        /* that failed, if it was not the connection */
    bool readable, writable; /* in, out: worth asking */
    bool room, arrived;      /* the connection: worth asking */
    bool up_eof, down_eof;   /* in -> peer, peer -> out: the end has been passed on */
    bool finished;           /* our FIN is acknowledged, and with it all there was */
    bool more;               /* there is work to go on with at once */
    uint64_t rest_until;     /* the stack is out of memory: not before */
    size_t out_max;          /* bytes that can be written without waiting, once it is writable */
};

/* In place before there is a connection; bytes move once it is open. */
int talk_start(struct talk *t, struct node *node, int in, int out);
/* The connection: under way, or established when `open`. */
void talk_to(struct talk *t, tern_sock sock, bool open);
/* The process is to end: closes the connection, as the kernel would close a process's sockets. */
void talk_hang_up(struct talk *t);
void talk_stop(struct talk *t);

#endif
