/* nd.h - Neighbour Discovery's two messages between hosts (RFC 4861 4.3, 4.4): solicitation, "who
 * has this address?", and advertisement. */
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

/* The group that whoever has this address is in (RFC 4291 2.7.1). */
void wire_nd_group(uint8_t group[16], const uint8_t ip[16]);

#endif
