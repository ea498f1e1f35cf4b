/* talk_udp.h - a UDP socket of a stack on two descriptors, in the manners of nc -u: what one read
 * of `in` gives is one datagram to the peer, and what comes in datagrams is written to `out`.
 *
 * Nothing in UDP says that it is over: so it is when `in` has ended and nothing has come for a
 * second; for who waits for a peer, not before there was one.
 */
#ifndef TERN_HOST_TALK_UDP_H
#define TERN_HOST_TALK_UDP_H

#include "host/app.h"
#include "host/node.h"
#include "tern/udp.h"

enum { TALK_UDP_READ = 16384 }; /* bytes of a datagram sent, at most */

struct talk_udp {
    struct app app; /* the socket's `user` */
    struct node *node;
    struct loop_hook hook;
    struct loop_fd in, out;
    tern_sock sock;
    tern_addr peer;           /* as told, or who has come first; port 0: nobody yet */
    bool over;                /* nothing more will happen, */
    int err;                  /* and why: 0, or a negative errno */
    const char *what;         /* that failed, if it was not the socket */
    bool more;                /* there is work to go on with at once */
    bool in_eof;              /* `in` has ended, */
    uint64_t quiet;           /* and when it is over, if nothing comes; 0: not said yet */
    size_t up, up_len;        /* a datagram to be sent: there is one, of so many bytes */
    size_t down_at, down_len; /* one that has come: written up to there */
    uint8_t up_bytes[TALK_UDP_READ], down_bytes[65536];
};

/* The socket becomes the talk's own. With `peer` port 0 the first who sends is the peer. */
int talk_udp_start(struct talk_udp *t, struct node *node, tern_sock sock, const tern_addr *peer);
void talk_udp_stop(struct talk_udp *t);

#endif
