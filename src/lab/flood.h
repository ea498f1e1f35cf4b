/* flood.h - a server under a SYN flood, in virtual time: forged SYNs come by the thousand, honest
 * clients try to connect meanwhile, and it is counted who gets in and what it costs the server.
 *
 * Nothing leaves the process: the segments go into a stack of this world and nowhere else.
 */
#ifndef TERN_LAB_FLOOD_H
#define TERN_LAB_FLOOD_H

#include "tern/info.h"

/* What the server does about it (RFC 4987 3). */
#define FLOOD_DEFENCES(X)                                                                          \
    X(NONE, "none", "one queue of half-open connections, as many SYN-ACKs as usual")               \
    X(BACKLOG, "backlog", "a queue sixteen times as long")                                         \
    X(TIMEOUT, "timeout", "an entry lasts 0.2 s, in which its SYN-ACK is sent once")               \
    X(LIMIT, "limit", "one half-open connection for each /24 (IPv6: /64) of sources")              \
    X(FILTER, "filter", "the network that the flood comes from is known, and denied")              \
    X(COOKIES, "cookies", "without room in the queue a SYN is answered with a cookie")             \
    X(ALL, "all", "all of these but filter, which leaves them nothing to do")

enum flood_defence {
#define X(id, name, text) FLOOD_##id,
    FLOOD_DEFENCES(X)
#undef X
        FLOOD_COUNT
};

const char *flood_name(enum flood_defence defence);
const char *flood_text(enum flood_defence defence);

struct flood_config {
    uint64_t seed;
    enum flood_defence defence;
    uint32_t rate;     /* forged SYNs a second */
    uint32_t queue;    /* half-open connections that the server keeps */
    uint32_t honest;   /* connections that honest clients try, each second */
    uint64_t duration; /* of the flood, ns */
    uint64_t delay;    /* between the honest clients and the server, one way, ns */
    bool ip6;
};

struct flood_result {
    uint64_t forged;
    uint32_t tried, made, failed; /* honest connections; made means that a byte has come back */
    uint32_t halfopen_max;        /* entries held at once, at most */
    size_t bytes;                 /* memory taken for them and for connections, at most */
    uint64_t connect_max;         /* the longest that a connection took to be made, ns */
    tern_counters server;         /* what it has counted */
};

/* 0, or TERN_ENOMEM, TERN_EINVAL. */
int flood_run(struct flood_result *out, const struct flood_config *cfg);

#endif
