/* stack.h - one shard put together: the only room that knows both IP and TCP. */
#ifndef TERN_STACK_STACK_H
#define TERN_STACK_STACK_H

#include "base/cksum.h"
#include "base/siphash.h"
#include "ip/auto.h"
#include "ip/frag.h"
#include "ip/neigh.h"
#include "ip/pmtu.h"
#include "ip/route.h"
#include "tcp/tcp.h"
#include "tern/tern.h"
#include "udp/udp.h"
#include "wire/icmp.h"
#include "wire/mld.h"
#include "wire/nd.h"

enum {
    /* before the TCP header: for either version's header, which ends there, and for Ethernet's */
    IP_ROOM = 56,
    MESSAGE_AT = 16, /* in a record that is all header: behind room for Ethernet's */
    HEADER_MAX = IP_ROOM + WIRE_TCP_HEADER + WIRE_TCP_OPTIONS_MAX,
    INPUT_BATCH = 16,     /* packets looked at ahead, so that their connections are in the cache */
    FRAG_IDS = 64,        /* counters of fragments' IDs */
    ICMP_PEERS = 256,     /* destinations whose ICMP errors are counted apart */
    PULL_UP = 256,        /* headers of a packet whose first piece is shorter than them */
    IP6_MTU_LEAST = 1280, /* RFC 8200 5 */
};

enum outrec_state {
    OUTREC_QUEUED = 1, /* waits in its interface's queue: a reply, or refused by the device */
    OUTREC_OUT = 2,    /* handed out; the device holds it */
};

/* A packet made and not yet done: its headers, and the payload it names. */
struct outrec {
    struct outrec *next; /* in its interface's queue */
    struct chunk *chunk; /* payload: begins there, */
    struct sent *sent;   /* TCP's record in flight; NULL: none */
    uint64_t departs;    /* of a segment in flight, ns; */
    uint32_t chunk_off;  /* at this byte of the chunk, */
    uint32_t len;        /* so many bytes, */
    uint16_t chunks;     /* in so many chunks, each referenced once by this record */
    uint16_t header_len;
    uint16_t gso_size, gso_segs;
    uint16_t csum_start, csum_offset; /* csum_start 0: the checksum is complete */
    uint8_t gso_type, iface, state;
    bool reply;         /* counted in tern.replies */
    bool framed;        /* Ethernet's header is in front */
    uint8_t header_off; /* where the headers begin */
    uint32_t udp;       /* the socket to be told when it is done, 0: none, */
    uint32_t udp_generation, udp_bytes;
    uint8_t header[HEADER_MAX];
};

/* A reply with blanks; see form.c. */
enum {
    FORM_AT = IP_ROOM - WIRE_IP6_HEADER,
    FORM_BYTES = WIRE_IP6_HEADER + WIRE_TCP_HEADER + 20, /* (its options at their longest) */
};
struct form {
    bool made;
    bool ip4;
    bool partial;      /* the device completes the checksum */
    uint8_t ttl, tos;  /* of what it is a form: these in the IP header, */
    uint8_t local[16]; /* the source, */
    struct wire_tcp h; /* and all but ports, numbers and timestamps */
    uint8_t ts_at;     /* TSval and TSecr in the TCP header; 0: none */
    uint8_t header_off;
    uint16_t header_len, csum_start, csum_offset; /* as in struct outrec */
    uint64_t ip_sum, tcp_sum;   /* of what is printed; the latter with the pseudo-header */
    uint8_t header[FORM_BYTES]; /* outrec.header from FORM_AT on */
};

/* What is to be said about multicast groups, and when; see mld.c. */
enum { MLD_LEFT = 8 };
struct mld {
    uint64_t change_at, answer_at; /* TERN_NEVER: not */
    uint64_t version1_until;       /* a router of old is there */
    uint8_t left_count, left_reports;
    uint8_t left[MLD_LEFT][16]; /* groups that are not listened to any more, so many more times */
};

struct iface {
    bool used, promiscuous;
    uint16_t mtu6;             /* of IPv6, as a router has said; 0: none has */
    uint8_t hops6;             /* and so for the hop limit */
    struct auto_iface *learnt; /* with TERN_IFACE_AUTO */
    struct mld *mld;           /* unless TERN_IFACE_NO_MLD */
    uint8_t mac[WIRE_MAC];     /* what conf.mac points to, unless that is NULL */
    tern_iface conf;
    struct outrec *queue_head, *queue_tail; /* to be handed out before anything new */
};

struct tern {
    tern_config cfg;
    struct mem mem;
    struct chunks chunks;
    struct addrs addrs;
    struct ip_addrs ip;
    struct ip_routes routes;
    bool addrs_news; /* TERN_EV_ADDRS is due */
    struct siphash_key auto_key;
    uint64_t auto_next, mld_next; /* nothing is due before */
    struct neigh_table neighbors;
    struct frag_table frags;
    struct pmtu_table pmtu;
    struct udp udp;
    uint32_t frag_ids[FRAG_IDS];
    struct siphash_key icmp_key;
    uint64_t icmp_count;            /* errors that were thought of: makes the limits random */
    uint64_t icmp_all;              /* buckets of icmp.c: the common one, */
    uint64_t icmp_peer[ICMP_PEERS]; /* and those of destinations, by their hashes */
    struct tcp tcp;
    struct cksum_ops cksum;
    struct tcp_tuple hashed; /* the tuple last looked up, */
    uint32_t hash;           /* and its hash */
    struct pool outrecs;
    struct form form;      /* the last reply */
    uint32_t replies;      /* records queued that were never handed out */
    uint64_t queue_mask;   /* interfaces whose queue is not empty */
    uint64_t blocked_mask; /* interfaces whose device refused packets */
    uint64_t starved;      /* no memory for a record: when to look again; 0: there is some */
    struct iface iface[PATHS_MAX];
    tern_counters counters;
};

/* output.c: what TCP asks of the stack, and packets that are no TCP. */
void stack_reply(void *context, const struct tcp_reply *reply);
void stack_icmp_error(void *context, const struct tcp_tuple *tuple, uint8_t iface, uint8_t type,
                      uint8_t code, uint32_t seq);
enum tern_drop stack_check(void *context, const struct tcp_tuple *tuple, uint8_t iface);
int stack_route(void *context, const uint8_t remote[16], uint8_t *iface);
/* The source address for a destination over that interface. false: none. */
bool stack_source(const tern *s, uint8_t iface, const uint8_t dst[16], uint8_t src[16]);
/* Drops all that waits for an interface. */
void stack_flush(tern *s, uint8_t iface);

/* form.c: whether the reply is one of that form, and then made of it; */
bool form_fits(const tern *s, const struct form *f, const struct tcp_reply *reply);
void form_fill(const struct form *f, const struct tcp_reply *reply, struct outrec *r);
/* the form of a reply that is complete, unless its options differ more than a form's may. */
void form_keep(const tern *s, struct form *f, const struct tcp_reply *reply,
               const struct outrec *r);

/* Records, for link.c: one for a reply (NULL: too many); into its interface's queue, as such or
 * again; back to the pool. */
struct outrec *stack_new_reply(tern *s, uint8_t iface);
void stack_queue_reply(tern *s, struct outrec *r);
void stack_queue(tern *s, struct outrec *r);
void stack_release(tern *s, struct outrec *r);
/* The next ID of what may be sent in fragments between two addresses. */
uint32_t stack_fragment_id(tern *s, const uint8_t src[16], const uint8_t dst[16]);

/* link.c. A packet to be handed out gets its Ethernet header; false: it waits, or is gone. */
bool link_frame(tern *s, struct outrec *r);
/* A frame that has come: a reason to drop it, or nothing `more` to do, or an IP packet is left. */
enum tern_drop link_input(tern *s, tern_pkt *pkt, bool *more);
/* A message of Neighbour Discovery, or a multicast router's question, whose checksum is right;
 * IP's header is before it. */
enum tern_drop link_nd(tern *s, uint8_t iface, const uint8_t *p, size_t have,
                       const struct wire_ip *ip);
/* TCP's progress shows that the neighbour is there. */
void link_confirm(tern *s, const struct tcp_seg *seg);
/* TCP sends to that address in vain. */
void link_doubt(void *context, const uint8_t remote[16], uint8_t iface);
/* Somebody says where they are, who may want to talk to us. */
void link_learn(tern *s, uint8_t iface, const uint8_t ip[16], const uint8_t mac[WIRE_MAC]);
/* Says that an address is ours. */
void link_announce(tern *s, uint8_t iface, const uint8_t ip[16]);
/* Asks whether an address that is not used yet is somebody else's. */
void link_probe(tern *s, const struct ip_addr *a);
void link_advance(tern *s, uint32_t max);
/* Forgets who is behind an interface, and what waits for them. */
void link_forget(tern *s, uint8_t iface);

/* addr.c: somebody else uses that address of ours. */
void addr_claimed(tern *s, struct ip_addr *a);
void addr_advance(tern *s, uint32_t max);
bool iface_valid(const tern *s, int id);
/* Connections from there wait from now on, or may send again. */
void stack_addr_gone(tern *s, const uint8_t ip[16], bool gone);

/* auto.c: the interface begins to configure itself (TERN_ENOMEM), and forgets all that; */
int auto_start(tern *s, uint8_t iface);
void auto_stop(tern *s, uint8_t iface);
/* what others have found out about an address, and about a neighbour; */
void auto_addr_ready(tern *s, const struct ip_addr *addr);
void auto_addr_taken(tern *s, uint8_t iface, const uint8_t ip[16]);
void auto_neighbor_failed(tern *s, uint8_t iface, const uint8_t ip[16]);
/* an advertisement of a router whose checksum is right. */
enum tern_drop auto_input(tern *s, uint8_t iface, const uint8_t *p, size_t have,
                          const struct wire_ip *ip);
void auto_advance(tern *s);

/* mld.c: the group of an address is listened to, or not any more (before it is dropped); a router
 * asks, in a packet of which `have` bytes are at `p`. */
void mld_join(tern *s, struct ip_addr *a);
/* An interface begins to say that (TERN_ENOMEM), and ends. */
int mld_start(tern *s, uint8_t iface);
void mld_stop(tern *s, uint8_t iface);
void mld_leave(tern *s, const struct ip_addr *a);
enum tern_drop mld_query(tern *s, uint8_t iface, const uint8_t *p, size_t have,
                         const struct wire_ip *ip);
void mld_advance(tern *s);

/* The TTL or hop limit of a packet that asks for this one; 0: for none. */
static inline uint8_t stack_ttl(const tern *s, uint8_t iface, uint8_t asked, bool ip4)
{
    uint8_t told = ip4 ? 0 : s->iface[iface].hops6;
    return asked != 0 ? asked : told != 0 ? told : s->cfg.ttl;
}

/* icmp.c: answers an echo request of `len` bytes of ICMP. */
void stack_echo(tern *s, const tern_pkt *pkt, const struct wire_ip *ip);
/* Tells who sent the packet `quote`, of which so many bytes are there, what became of it; not too
 * often. */
enum icmp_error_kind { ICMP_REASSEMBLY_TIME, ICMP_PORT_UNREACHABLE };
void icmp_error(tern *s, uint8_t iface, enum icmp_error_kind kind, const uint8_t *quote,
                size_t len);

/* datagram.c: a datagram of `len` bytes in chunks, behind a header of its own. */
enum { DATAGRAM_HEADER = 8 };
struct datagram {
    struct wire_ip ip; /* addresses, version, proto, ttl, tos */
    uint8_t header[DATAGRAM_HEADER];
    uint8_t check_at; /* where in the header its checksum stands, which is filled in */
    uint8_t iface;
    bool reply; /* counted among replies */
    struct chunk *chunk;
    uint32_t len;
};
static inline uint32_t stack_mtu(const tern *s, const struct datagram *d)
{
    const struct iface *f = &s->iface[d->iface];
    return f->mtu6 != 0 && d->ip.version == 6 ? f->mtu6 : f->conf.mtu;
}
/* Queues it, in fragments if need be; `*last`: the record of the last one. Chunks get references of
 * their own. TERN_EAGAIN: there are too many records; TERN_ENOMEM. */
int stack_datagram(tern *s, struct datagram *d, struct outrec **last);
/* Chunks for `len` bytes, to be filled in; NULL: no memory. And what goes with them. */
struct chunk *stack_pages(tern *s, size_t len);
void stack_pages_done(tern *s, struct chunk *c);

/* udp.c. A datagram whose header is at `p`; ICMP about one of ours, false: it is none; a record of
 * a socket is done; events; and calls on the socket with that index. */
enum tern_drop stack_udp_input(tern *s, const tern_pkt *pkt, const uint8_t *p,
                               const struct wire_ip *ip);
bool stack_udp_icmp(tern *s, const struct wire_icmp *m, enum tern_err err);
void stack_udp_sent(tern *s, const struct outrec *r);
size_t stack_udp_events(tern *s, tern_event *ev, size_t max);
int stack_udp_arm(tern *s, uint32_t ix, uint32_t mask);
int stack_udp_names(const tern *s, uint32_t ix, tern_addr *local, tern_addr *peer);
int stack_udp_option_set(tern *s, uint32_t ix, enum tern_opt option, int64_t value);
int stack_udp_option_get(const tern *s, uint32_t ix, enum tern_opt option, int64_t *value);

/* input.c */
void stack_fragments_advance(tern *s, uint32_t max);
/* The checksum of bytes of a packet that may lie in several pieces. */
uint64_t stack_sum(const tern *s, const tern_pkt *pkt, size_t skip, size_t len, uint64_t sum);

/* A handle's object: > 0 its index, or a negative error. */
int64_t stack_listener(const tern *s, tern_sock k);
int64_t stack_held(const tern *s, tern_sock k);
int64_t stack_udp(const tern *s, tern_sock k);
tern_sock stack_udp_handle(const tern *s, uint32_t ix, uint32_t generation);

#endif
