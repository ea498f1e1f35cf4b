/* auto.h - what an interface learns from the routers of its link: which of them lead elsewhere,
 * which prefixes are on the link, and addresses of its own (RFC 4861 6.3, RFC 4862 5.5).
 *
 * Each interface that asks for it has one struct auto_iface, a few kilobytes, in which everything
 * has a fixed number of places: whoever floods the link with advertisements fills those, and no
 * more. Nothing here sends: auto_due() says when routers are to be asked. What is learnt goes into
 * the tables of addresses and routes; what a stack has to do about it comes back as a set of
 * AUTO_*.
 *
 * The last 64 bits of an address are a keyed hash of its prefix and its interface (RFC 7217): the
 * same wherever the key is the same, and telling nobody anything.
 */
#ifndef TERN_IP_AUTO_H
#define TERN_IP_AUTO_H

#include "ip/route.h"
#include "wire/nd.h"

enum {
    AUTO_ROUTERS = 8, /* of an interface; as many bits as ip_addr.routers has */
    AUTO_PREFIXES = 16,
    AUTO_DAD_TRIES = 3, /* IDGEN_RETRIES (RFC 7217 7) */
};
#define AUTO_ASK_NS 4000000000u                       /* IRT (RFC 7559 2) */
#define AUTO_ASK_MAX_NS (UINT64_C(3600) * 1000000000) /* MRT */
#define AUTO_DELAY_NS 1000000000u                     /* MAX_RTR_SOLICITATION_DELAY */

enum {                   /* what has happened */
       AUTO_ASK = 1,     /* routers are to be asked */
       AUTO_ADDRS = 2,   /* addresses have come or changed: the owner is told */
       AUTO_ROUTES = 4,  /* routes have changed */
       AUTO_GONE = 8,    /* the address `gone` is no more */
       AUTO_LIMITED = 16 /* there was no place for something */
};

struct auto_router {
    uint8_t ip[16];
    uint64_t until; /* 0: nobody */
    int8_t preference;
    bool failed; /* it did not answer when it was last asked */
};

struct auto_prefix {
    uint8_t ip[16];
    uint8_t bits;    /* 0: none */
    uint8_t routers; /* who has advertised it */
    uint8_t tries;   /* addresses of it that were somebody else's */
    bool on_link;    /* there is a route */
    bool has_addr;   /* and an address: */
    uint8_t addr[16];
    uint64_t link_until;       /* on_link: until then */
    uint64_t preferred, valid; /* has_addr: until then */
};

struct auto_iface {
    uint8_t iface;
    uint8_t mac[WIRE_MAC];
    uint8_t chosen; /* the default router, a bit; 0: none */
    bool dad;       /* addresses are tentative at first */
    struct auto_router router[AUTO_ROUTERS];
    struct auto_prefix prefix[AUTO_PREFIXES]; /* the first is the link-local one */
    uint64_t ask_at, ask_gap;                 /* when routers are asked; TERN_NEVER: not */
    uint64_t next;                            /* nothing is due before */
    uint8_t gone[16];                         /* with AUTO_GONE */
};

/* What it works on. */
struct auto_net {
    struct ip_addrs *addrs;
    struct ip_routes *routes;
    struct siphash_key key; /* of interface identifiers */
    uint64_t now;
};

/* Begins with a link-local address, when a->iface, mac and dad are set. */
uint32_t auto_begin(const struct auto_net *net, struct auto_iface *a);
/* Takes back all that it has made; addresses one at a time, while it says AUTO_GONE. */
uint32_t auto_end(const struct auto_net *net, struct auto_iface *a);

/* A router at `src` has advertised. */
uint32_t auto_advert(const struct auto_net *net, struct auto_iface *a, const struct wire_ra *ra,
                     const uint8_t src[16]);
/* What is due: one thing at a time, 0: nothing more. */
uint32_t auto_due(const struct auto_net *net, struct auto_iface *a);

/* An address of ours can be used: with a link-local one routers can be asked. */
void auto_ready(const struct auto_net *net, struct auto_iface *a, const uint8_t ip[16]);
/* One that it has made is somebody else's: another one takes its place, or none after some. */
uint32_t auto_taken(const struct auto_net *net, struct auto_iface *a, const uint8_t ip[16]);
/* A neighbour does not answer: if it is a router, another one is better (RFC 4861 6.3.6). */
uint32_t auto_failed(const struct auto_net *net, struct auto_iface *a, const uint8_t ip[16]);

/* The lifetimes of an address. false: it has none, for ever. */
bool auto_lifetimes(const struct auto_iface *a, const uint8_t ip[16], uint64_t *preferred,
                    uint64_t *valid);

#endif
