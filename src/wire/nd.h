/* nd.h - Neighbour Discovery: the two messages between hosts (RFC 4861 4.3, 4.4), solicitation,
 * "who has this address?", and advertisement; and the two between hosts and routers (4.1, 4.2). */
#ifndef TERN_WIRE_ND_H
#define TERN_WIRE_ND_H

#include "wire/frame.h"

enum {
    WIRE_ND_SOLICIT = 135,
    WIRE_ND_ADVERT = 136,
    WIRE_ND_MAX = 32, /* bytes of a message that wire_nd_write() makes */
    WIRE_ND_HOPS = 255,
    WIRE_ND_NONCE = 6,
};

struct wire_nd {
    uint8_t type;
    bool router, solicited, override; /* of an advertisement */
    bool has_mac;                     /* `mac`: the sender's, or the target's */
    bool has_nonce;                   /* of a solicitation (RFC 7527 4.1, RFC 3971 5.3.2) */
    uint8_t mac[WIRE_MAC];
    uint8_t nonce[WIRE_ND_NONCE];
    uint8_t target[16];
};

static inline bool wire_nd_type(uint8_t type)
{
    return type == WIRE_ND_SOLICIT || type == WIRE_ND_ADVERT;
}

/* Reads a message of ip->payload_len bytes, of which `have` are at `p`, and holds it to what RFC
 * 4861 7.1 asks for; the checksum is the caller's business. false: not valid. */
bool wire_nd_read(const uint8_t *p, size_t have, const struct wire_ip *ip, struct wire_nd *out);

/* Writes a message between these addresses, checksum filled in; returns its length. */
size_t wire_nd_write(uint8_t *p, const struct wire_nd *nd, const uint8_t src[16],
                     const uint8_t dst[16]);

/* ---- routers --------------------------------------------------------------------------------- */

enum {
    WIRE_ND_ROUTER_SOLICIT = 133,
    WIRE_ND_ROUTER_ADVERT = 134,
    WIRE_RA_PREFIXES = 16, /* of one advertisement; more are skipped */
};

/* Prefix information (RFC 4861 4.6.2); lifetimes in seconds, UINT32_MAX: for ever. */
struct wire_ra_prefix {
    uint8_t ip[16]; /* nothing behind its bits */
    uint8_t bits;
    bool on_link, autonomous;
    uint32_t valid, preferred;
};

struct wire_ra {
    uint8_t hops;      /* the hop limit of what is sent; 0: not said */
    uint16_t lifetime; /* as a default router, s; 0: it is none */
    int8_t preference; /* -1, 0, 1 (RFC 4191 2.2) */
    bool has_mac;      /* `mac`: the router's */
    uint8_t mac[WIRE_MAC];
    uint8_t prefix_count;
    uint32_t reachable_ms, retrans_ms; /* 0: not said */
    uint32_t mtu;                      /* 0: not said */
    struct wire_ra_prefix prefix[WIRE_RA_PREFIXES];
};

/* Reads an advertisement of a router, as wire_nd_read() does (RFC 4861 6.1.2). */
bool wire_ra_read(const uint8_t *p, size_t have, const struct wire_ip *ip, struct wire_ra *out);

/* Writes a solicitation of routers, with the sender's link-layer address unless that is NULL;
 * returns its length, WIRE_ND_MAX at most. */
size_t wire_rs_write(uint8_t *p, const uint8_t *mac, const uint8_t src[16], const uint8_t dst[16]);

/* The group that whoever has this address is in (RFC 4291 2.7.1). */
void wire_nd_group(uint8_t group[16], const uint8_t ip[16]);

#endif
