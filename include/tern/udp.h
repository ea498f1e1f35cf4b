/* tern/udp.h - datagrams (RFC 768) over one stack.
 *
 * A UDP socket is a tern_sock: tern_close(), tern_names(), tern_user_set(), tern_arm() and, for
 * TTL, DSCP, RCVBUF and SNDBUF, tern_option_set() and tern_option_get() work on it. Its events are
 * READ and WRITE, each after a call that met TERN_EAGAIN, and ERROR: what ICMP said of a datagram
 * of a connected socket, which the next call then returns once.
 *
 * A datagram that is larger than the path's MTU, as far as ICMP has told of it, goes in fragments;
 * one that is not has DF set.
 */
#ifndef TERN_UDP_H
#define TERN_UDP_H

#include "tern/tern.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {                        /* tern_udp_args.flags */
       TERN_UDP_IP6_ONLY = 1, /* with an all-zero address: not IPv4 */
};

typedef struct {
    tern_addr local; /* ip all zero: any address of either family; ::ffff:0.0.0.0: any IPv4. Port 0:
                      * one that nobody can guess */
    tern_addr peer;  /* with a port: connected, see tern_udp_connect() */
    uint32_t flags;
    void *user;
} tern_udp_args;

/* TERN_EADDRINUSE, TERN_EADDRNOTAVAIL, TERN_ELIMIT, TERN_ENOMEM, TERN_EINVAL, TERN_ENETUNREACH. */
int tern_udp_open(tern *s, tern_sock *out, const tern_udp_args *args);

/* From now on it sends to `peer` and hears nobody else; NULL: not connected any more. */
int tern_udp_connect(tern *s, tern_sock k, const tern_addr *peer);

/* Sends one datagram to `to` (NULL: the peer it is connected to); all or nothing. Returns `n`.
 * TERN_EAGAIN: as much as SNDBUF allows is on its way; TERN_EMSGSIZE: larger than a datagram can
 * be; TERN_EINVAL: an address that is not one host's, or our own; TERN_ENOTCONN,
 * TERN_ENETUNREACH, TERN_EADDRNOTAVAIL, TERN_ENOMEM, or what ICMP has said. */
ptrdiff_t tern_udp_send(tern *s, tern_sock k, const tern_addr *to, const void *p, size_t n);

/* What is known of a datagram beside its bytes. */
typedef struct {
    tern_addr from, to;
    uint8_t ttl, tos, zero[2];
    uint32_t iface;
} tern_udp_info;

/* Takes one datagram and returns its length; of a larger one than `cap` the rest is lost. `info`
 * may be NULL. TERN_EAGAIN, or what ICMP has said. */
ptrdiff_t tern_udp_recv(tern *s, tern_sock k, void *buf, size_t cap, tern_udp_info *info);

#ifdef __cplusplus
}
#endif
#endif
