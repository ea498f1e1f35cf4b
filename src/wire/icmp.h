/* icmp.h - ICMP (RFC 792, 1191) and ICMPv6 (RFC 4443) messages: errors with what they quote, and
 * echo. Both families come out in one shape. */
#ifndef TERN_WIRE_ICMP_H
#define TERN_WIRE_ICMP_H

#include "wire/ip.h"

enum wire_icmp_kind {
    WIRE_ICMP_OTHER, /* something that asks for nothing here */
    WIRE_ICMP_ECHO,  /* a request */
    WIRE_ICMP_ECHO_REPLY,
    WIRE_ICMP_NET,          /* destination unreachable: no route, network */
    WIRE_ICMP_HOST,         /* host, address */
    WIRE_ICMP_PROTO,        /* protocol; v6: unrecognised next header */
    WIRE_ICMP_PORT,         /* port */
    WIRE_ICMP_PROHIBITED,   /* administratively, by policy */
    WIRE_ICMP_SOURCE_ROUTE, /* source route failed */
    WIRE_ICMP_TOO_BIG,      /* fragmentation needed; packet too big */
    WIRE_ICMP_TIME,         /* time exceeded */
    WIRE_ICMP_PARAM,        /* parameter problem */
    WIRE_ICMP_QUENCH,       /* source quench: always ignored (RFC 6633) */
};

struct wire_icmp {
    enum wire_icmp_kind kind;
    uint8_t type, code;
    uint32_t mtu;     /* TOO_BIG: as in the message, 0 if it gives none */
    uint32_t pointer; /* PARAM, and PROTO of v6: to the byte that was not understood */
    /* an error's quote of the packet that caused it */
    bool quotes_tcp; /* the fields below are set, */
    bool quotes_udp; /* but for the last */
    uint8_t src[16], dst[16];
    uint16_t sport, dport;
    uint32_t seq;
    const uint8_t *quote; /* the transport's header, and what followed; in the message itself */
    size_t quote_len;
};

/* Reads a message of `len` bytes, of which `have` are contiguous at `p` (bytes beyond `len` are not
 * looked at); `version` is 4 or 6. The checksum is the caller's business. TERN_DROP_NONE or
 * _ICMP_MALFORMED: shorter than 8 bytes, or an error whose quote has no whole IP header of its
 * version, or ends before TCP's sequence number. A quote of anything else than the first fragment
 * of a TCP packet leaves quotes_tcp false, and so for UDP, of which less than its header is not
 * taken for a quote. */
enum tern_drop wire_icmp_read(const uint8_t *p, size_t have, size_t len, uint8_t version,
                              struct wire_icmp *out);

/* Writes an error that quotes the packet `quote` of `quote_len` bytes (cut so that the whole packet
 * fits in 576 bytes, v6: 1280), checksum filled in. `mtu` is the field of that name of a packet too
 * big, and the pointer of a parameter problem. `p` must hold WIRE_ICMP_MAX bytes. `src` and `dst`
 * are the error's own. Returns the length of the ICMP message. */
enum { WIRE_ICMP_MAX = 1240, WIRE_ICMP4_MAX = 556 };
size_t wire_icmp_write_error(uint8_t *p, uint8_t version, uint8_t type, uint8_t code, uint32_t mtu,
                             const uint8_t src[16], const uint8_t dst[16], const uint8_t *quote,
                             size_t quote_len);

/* Fills in the checksum, 0 until now, of a message of `len` bytes between two addresses. */
void wire_icmp_sum(uint8_t *p, size_t len, uint8_t version, const uint8_t src[16],
                   const uint8_t dst[16]);

#endif
