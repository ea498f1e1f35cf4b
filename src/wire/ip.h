/* ip.h - IPv4 and IPv6 headers: bytes <-> struct wire_ip. Both families have 16-byte addresses,
 * IPv4 as ::ffff:a.b.c.d. Nothing here keeps state. */
#ifndef TERN_WIRE_IP_H
#define TERN_WIRE_IP_H

#include "base/cksum.h"
#include "base/util.h"
#include "tern/info.h"

enum {
    WIRE_IP4_HEADER = 20,
    WIRE_IP6_HEADER = 40,
    WIRE_ICMP = 1,
    WIRE_TCP = 6,
    WIRE_UDP = 17,
    WIRE_ICMP6 = 58,
    WIRE_EXT_HOP_BY_HOP = 0,
    WIRE_EXT_ROUTING = 43,
    WIRE_EXT_FRAGMENT = 44,
    WIRE_EXT_DESTINATION = 60,
    WIRE_EXT_MAX = 8,     /* IPv6 extension headers in one packet, at most (RFC 8504 5.3) */
    WIRE_EXT_BYTES = 512, /* and their bytes */
};

struct wire_ip {
    uint8_t src[16], dst[16];
    uint8_t version;       /* 4 or 6 */
    uint8_t proto;         /* WIRE_TCP and so on: what follows all extension headers */
    uint8_t ttl;           /* hop limit */
    uint8_t tos;           /* DSCP and ECN; traffic class */
    uint16_t header_len;   /* with options or extension headers */
    uint16_t payload_len;  /* by the header; link padding is outside of it */
    uint16_t l4_proto_off; /* where the byte stands that names `proto`: for ICMP's pointer */
    bool fragment;         /* a real fragment (an atomic one, RFC 6946, is not), ... */
    bool frag_more;        /* ... after which more come, */
    uint16_t frag_off;     /* whose payload begins at this byte of the datagram's */
    uint32_t frag_id;
};

/* Reads the IP header, options and extension headers. `p` holds `have` contiguous bytes of a packet
 * of `total` bytes (bytes beyond that are not looked at). TERN_DROP_NONE: `*out` is complete, and
 * header_len + payload_len <= total.
 * IPv4: version, IHL, lengths and header checksum are checked, options skipped, source routes
 * refused (RFC 7126). IPv6: hop-by-hop, routing (any type with segments left is refused) and
 * destination options are walked with limits, options by their action bits (RFC 8200 4.2), and
 * IPv4-mapped addresses are refused, which mean IPv4 everywhere else in here. A fragment is
 * described up to its fragment header; `proto` is what that header says. */
enum tern_drop wire_ip_read(const uint8_t *p, size_t have, size_t total, struct wire_ip *out);

/* Whether a next header of that kind is an extension header that is walked through. */
static inline bool wire_ip6_extension(uint8_t next)
{
    return next == WIRE_EXT_HOP_BY_HOP || next == WIRE_EXT_ROUTING || next == WIRE_EXT_FRAGMENT ||
           next == WIRE_EXT_DESTINATION;
}

/* Writes a header without options for `payload_len` bytes to follow; returns its length. IPv4: DF
 * set, ID 0 (RFC 6864), checksum filled in. IPv6: the flow label is `flow` (20 bits; RFC 6437). */
size_t wire_ip_write(uint8_t *p, const struct wire_ip *ip, uint32_t flow);

/* The same for a fragment: `more`, offset and ID as in `ip`, DF not set; IPv6's has a fragment
 * header behind its own. Returns the length of both, at most WIRE_FRAG_HEADER. */
enum { WIRE_FRAG_HEADER = WIRE_IP6_HEADER + 8 };
size_t wire_frag_write(uint8_t *p, const struct wire_ip *ip, uint32_t flow);

/* As wire_ip_write(), from addresses that lie elsewhere, right before what they are the header
 * of. */
struct wire_ip_out {
    const uint8_t *src, *dst; /* 16 bytes each */
    uint8_t proto, ttl, tos;
    uint16_t payload_len;
};
void wire_ip_put(uint8_t *p, const struct wire_ip_out *ip);
/* Makes an IPv4 header without options one that routers may make fragments of: an ID, and no DF. */
void wire_ip4_breakable(uint8_t *p, uint16_t id);

/* The sum of the pseudo-header (RFC 9293 3.1, RFC 8200 8.1), to seed a checksum with. */
uint64_t wire_pseudo_sum(const uint8_t src[16], const uint8_t dst[16], uint8_t proto, uint32_t len);

/* Address classes, in 16-byte form. */
static const uint8_t wire_mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
static inline bool wire_is_ip4(const uint8_t ip[16])
{
    return memcmp(ip, wire_mapped_prefix, 12) == 0;
}
static inline bool wire_ip_equal(const uint8_t a[16], const uint8_t b[16])
{
    return memcmp(a, b, 16) == 0;
}
bool wire_ip_unspecified(const uint8_t ip[16]); /* :: or 0.0.0.0 */
bool wire_ip_multicast(const uint8_t ip[16]);
bool wire_ip_broadcast(const uint8_t ip[16]); /* 255.255.255.255 */
bool wire_ip_loopback(const uint8_t ip[16]);
bool wire_ip_link_local(const uint8_t ip[16]);
/* Whether a TCP segment may come from, or a connection go to, this address (MUST-46, MUST-63). */
bool wire_ip_unicast(const uint8_t ip[16]);

#endif
