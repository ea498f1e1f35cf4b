/* addr.h - this host's addresses: which destination is ours, in which state each address is (RFC
 * 4862 5), and which one is the source for a destination (RFC 6724 5). Addresses have 16 bytes,
 * prefixes count in that form (96 + n for IPv4).
 *
 * Few or thousands: an array in the order in which they were given, and a hash over it, in which
 * each stands by itself and each IPv4 network by its broadcast address. Who may be ours is so
 * known in a few steps, however many there are.
 *
 * Before an address is used it is TENTATIVE: the link is asked whether it is somebody else's
 * (duplicate address detection: RFC 4862 5.4, and RFC 5227 for IPv4). Nothing here sends: whoever
 * calls ip_addr_due() is told what to ask.
 */
#ifndef TERN_IP_ADDR_H
#define TERN_IP_ADDR_H

#include "base/mem.h"
#include "base/siphash.h"
#include "base/util.h"
#include "tern/tern.h"
#include "wire/ip.h"

enum {
    DAD_ASK6 = 1, /* DupAddrDetectTransmits (RFC 4862 5.1) */
    DAD_ASK4 = 3, /* PROBE_NUM (RFC 5227 1.1) */
};
#define DAD_DELAY_NS 1000000000u     /* at most, at first: MAX_RTR_SOLICITATION_DELAY, PROBE_WAIT */
#define DAD_JOIN_NS 1000000u         /* from joining the group to asking */
#define DAD_GAP4_NS 1000000000u      /* PROBE_MIN, and as much again at random */
#define DAD_ANNOUNCE4_NS 2000000000u /* ANNOUNCE_WAIT, ANNOUNCE_INTERVAL */

enum ip_addr_phase { IP_ADDR_WAITS, IP_ADDR_JOINS, IP_ADDR_ASKS };

struct ip_addr {
    uint8_t ip[16];
    uint8_t bits;
    uint8_t iface;
    uint8_t state;     /* enum tern_addr_state */
    uint8_t asks;      /* TENTATIVE: questions still to be asked, */
    uint8_t phase;     /* and what comes first: enum ip_addr_phase */
    bool made;         /* by autoconfiguration */
    uint8_t routers;   /* of its interface which have advertised its prefix, one bit each */
    uint8_t reports;   /* of its group that are still to be sent */
    bool joined;       /* its group */
    uint64_t due;      /* its timer; TERN_NEVER: none */
    uint64_t defended; /* somebody else's claim to it was answered then */
};

enum { IP_BUCKETS = 8 }; /* for each address: so that what is not ours meets an empty one */

struct ip_addrs {
    struct mem *mem;
    struct siphash_key key; /* of delays and nonces */
    uint64_t drawn;         /* delays so far */
    struct ip_addr *at;
    uint32_t count, room, max;
    uint32_t *buckets;        /* 1 + twice the index, + 1 for the broadcast address; 0: end */
    uint32_t *chain;          /* the next of these in its bucket */
    uint32_t scan;            /* ip_addr_due() goes on there */
    uint64_t next;            /* no timer is due before */
    const tern_label *labels; /* NULL: those of RFC 6724 2.1 */
    uint32_t label_count;
};

/* The configuration's table of labels, if any; no memory is taken before the first address. */
void ip_addrs_init(struct ip_addrs *t, struct mem *mem, const struct siphash_key *key,
                   const tern_config *cfg);
void ip_addrs_destroy(struct ip_addrs *t);

/* How many leading bits two addresses share. */
unsigned ip_common_bits(const uint8_t a[16], const uint8_t b[16]);
bool ip_bits_fit(const uint8_t ip[16], unsigned bits);

/* An address of an interface, PREFERRED; pointers to others are void. TERN_EINVAL: not a unicast
 * address, or too many bits; TERN_EADDRINUSE; TERN_ELIMIT; TERN_ENOMEM. */
int ip_addr_new(struct ip_addrs *t, uint8_t iface, const uint8_t ip[16], unsigned bits);
void ip_addr_drop(struct ip_addrs *t, struct ip_addr *a);
/* Takes away those of an interface. */
void ip_addrs_forget(struct ip_addrs *t, uint8_t iface);

/* In whatever state; NULL: none. */
struct ip_addr *ip_addr_find(const struct ip_addrs *t, const uint8_t ip[16]);
/* Whether it can be a source and is answered to. */
static inline bool ip_addr_usable(const struct ip_addr *a)
{
    return a->state == TERN_ADDR_PREFERRED || a->state == TERN_ADDR_DEPRECATED;
}
/* Whether a usable one is this, */
bool ip_is_local(const struct ip_addrs *t, const uint8_t ip[16]);
/* and that interface's. */
bool ip_is_at(const struct ip_addrs *t, uint8_t iface, const uint8_t ip[16]);
/* The broadcast address of a local IPv4 network, or 255.255.255.255. */
bool ip_is_broadcast(const struct ip_addrs *t, const uint8_t ip[16]);
/* Both at one look. */
enum ip_whose { IP_FOREIGN, IP_LOCAL, IP_BROADCAST };
enum ip_whose ip_whose(const struct ip_addrs *t, const uint8_t ip[16]);
/* Whether an interface has an IPv6 address. */
bool ip_has_ip6(const struct ip_addrs *t, uint8_t iface);
/* The next of an interface after that one, or the first after NULL; NULL: no more. */
struct ip_addr *ip_addr_after(const struct ip_addrs *t, uint8_t iface, const struct ip_addr *a);

/* Where a packet goes. */
struct ip_way {
    uint8_t iface;
    uint8_t router; /* that of its interface's routers by which it goes, as a bit; 0: none */
};
/* The source address for a destination (RFC 6724 5), one of the interface's own. NULL: none. */
const struct ip_addr *ip_source(const struct ip_addrs *t, const struct ip_way *way,
                                const uint8_t dst[16]);

/* ---- duplicate address detection ------------------------------------------------------------- */

/* Begins with the next ip_addr_due(), without a delay or with one. */
void ip_addr_doubt(struct ip_addrs *t, struct ip_addr *a, bool delay);
/* Somebody else has it. false: it is in use, and stays so. */
bool ip_addr_taken(struct ip_addr *a);
/* What makes a question ours when it comes back (RFC 7527 4.1). */
void ip_addr_nonce(const struct ip_addrs *t, const struct ip_addr *a, uint8_t nonce[6]);

enum ip_addr_event {
    IP_ADDR_JOIN,     /* of IPv6: soon that is; its group is to be listened to before */
    IP_ADDR_ASK,      /* everybody is to be asked whether it is theirs */
    IP_ADDR_READY,    /* it is nobody's, and PREFERRED now */
    IP_ADDR_ANNOUNCE, /* of IPv4: to be said once more (RFC 5227 2.3) */
};
/* The next address whose timer is due; NULL: none. `retrans`: of each interface, ns. */
struct ip_addr *ip_addr_due(struct ip_addrs *t, const uint64_t *retrans, uint64_t now,
                            enum ip_addr_event *what);
/* A number that nobody can foretell, below `below`. */
uint64_t ip_random(struct ip_addrs *t, uint64_t below);

#endif
