/* udp.h - the sockets of UDP: who is at which address and port, and what has come for them.
 *
 * A socket is found by both ends of a datagram in a hash table: first one that is connected to
 * exactly this peer, then one at this address, then one at any. What has come for a socket lies in
 * a queue of pages, each datagram after a record of its own (struct udp_record), one behind the
 * other without regard to where pages end.
 */
#ifndef TERN_UDP_UDP_H
#define TERN_UDP_UDP_H

#include "base/chunk.h"
#include "base/flowtab.h"
#include "base/siphash.h"
#include "base/slab.h"
#include "tern/udp.h"
#include "wire/ip.h"

enum { UDP_HEADER = 8, UDP_PORT_FIRST = 32768, UDP_PORT_LAST = 60999 };

/* Both ends of a datagram, seen from here; all zero, or port 0: any. */
struct udp_ends {
    uint8_t local[16], remote[16];
    uint16_t lport, rport;
};

/* What stands before the bytes of a datagram in its socket's queue. */
struct udp_record {
    uint32_t len;
    uint16_t port; /* of the sender */
    uint8_t ttl, tos;
    uint8_t iface;
    uint8_t from[16], to[16];
};

struct udp_sock {
    uint32_t generation;
    uint32_t hash;
    struct udp_ends ends;
    uint8_t bound[16]; /* the local address before it was connected */
    void *user;
    struct chunk *head, *tail; /* what has come; */
    uint32_t taken;            /* of the first page so much has been read, */
    uint32_t rx_bytes;         /* and so many bytes are left, records too */
    uint32_t rcvbuf, sndbuf;
    uint32_t tx_bytes; /* of datagrams that no device has taken yet */
    uint32_t ev_next, wait_next;
    uint16_t ev_mask;
    int8_t err;        /* enum tern_err, of ICMP, until it is told */
    uint8_t ttl, dscp; /* ttl 0: the default */
    bool ip6_only, read_armed, write_armed;
    bool on_events; /* in the list of those with events, */
    bool waits;     /* and in that of those that wait for a record */
};

struct udp {
    struct mem *mem;
    struct chunks *chunks;
    struct slab socks;
    struct flowtab table;
    struct siphash_key key;
    uint64_t ports; /* chosen so far */
    uint32_t ev_head, ev_tail;
    uint32_t wait_head, wait_tail;
    bool begun;
};

bool udp_init(struct udp *u, struct mem *mem, struct chunks *chunks, const struct siphash_key *key,
              uint32_t max);
void udp_destroy(struct udp *u);

static inline struct udp_sock *udp_at(const struct udp *u, uint32_t ix)
{
    return slab_at(&u->socks, ix);
}

/* A new socket with these ends; with lport 0 at a port that is chosen. */
int udp_new(struct udp *u, const struct udp_ends *ends, uint32_t *ix);
void udp_free(struct udp *u, uint32_t ix);
/* Gives it other ends; the port stays. TERN_EADDRINUSE. */
int udp_move(struct udp *u, uint32_t ix, const struct udp_ends *ends);
/* Whose a datagram with these ends is; 0: nobody's. */
uint32_t udp_find(const struct udp *u, const struct udp_ends *ends);

/* Queues `rec->len` bytes of the packet, from `skip` on. false: there is no room. */
bool udp_put(struct udp *u, uint32_t ix, const struct udp_record *rec, const tern_pkt *pkt,
             size_t skip);
/* Takes the first datagram; of its bytes the first `cap`. false: there is none. */
bool udp_take(struct udp *u, uint32_t ix, struct udp_record *rec, uint8_t *to, size_t cap);

void udp_event(struct udp *u, uint32_t ix, uint16_t mask);
/* The next socket with an event, out of the list: 0: none. */
uint32_t udp_event_take(struct udp *u);
/* It waits for a record to send with; the first of those that do, out of the list. */
void udp_wait(struct udp *u, uint32_t ix);
uint32_t udp_wait_take(struct udp *u);

#endif
