/* icmp.h - an ICMP error about a segment of ours, as it crosses from IP's side. */
#ifndef TERN_TCP_ICMP_H
#define TERN_TCP_ICMP_H

#include "tcp/tcp.h"

struct tcp_icmp {
    uint32_t seq; /* of the segment that is quoted */
    uint32_t mtu; /* it was too big for this; 0: that is not what it says */
    bool hard;    /* the port, or the protocol, is not there */
    tern_icmp said;
};

/* RFC 9293 3.9.2.2, RFC 5927. false: nothing that is in flight is meant. */
bool tcp_icmp(struct tcp *t, const struct tcp_tuple *tuple, const struct tcp_icmp *m);

#endif
