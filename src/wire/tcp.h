/* tcp.h - TCP headers and options: bytes <-> struct wire_tcp (RFC 9293 3.1, 7323, 2018). */
#ifndef TERN_WIRE_TCP_H
#define TERN_WIRE_TCP_H

#include "wire/ip.h"

enum {
    TCP_FIN = 0x01,
    TCP_SYN = 0x02,
    TCP_RST = 0x04,
    TCP_PSH = 0x08,
    TCP_ACK = 0x10,
    TCP_URG = 0x20,
    TCP_ECE = 0x40,
    TCP_CWR = 0x80,
    TCP_AE = 0x100, /* RFC 9768 */

    WIRE_TCP_HEADER = 20,
    WIRE_TCP_OPTIONS_MAX = 40,
    WIRE_SACK_MAX = 4,
    WIRE_WSCALE_MAX = 14, /* RFC 7323 2.3 */

    /* wire_tcp_options.have: which are present */
    WIRE_OPT_MSS = 1,
    WIRE_OPT_WSCALE = 2,
    WIRE_OPT_SACK_OK = 4,
    WIRE_OPT_SACK = 8,
    WIRE_OPT_TS = 16,
    WIRE_OPT_ACCECN = 32,
    WIRE_OPT_FASTOPEN = 64,
    WIRE_OPT_MD5 = 128, /* RFC 2385 */

    WIRE_ACCECN_FIELDS = 3, /* of an AccECN option, at most: RFC 9768 3.2.3 */
    WIRE_COOKIE_MAX = 16,   /* RFC 7413 4.1.1 */
    WIRE_MD5_LEN = 20,      /* of a signature's option with its padding */
};

struct wire_sack {
    uint32_t lo, hi; /* [lo, hi) */
};

/* An AccECN option (RFC 9768 3.2.3): counters of 24 bits, as they stand on the wire. */
struct wire_accecn {
    uint32_t counter[WIRE_ACCECN_FIELDS];
    uint8_t count; /* of them; the others are 0 */
    bool order1;   /* kind 174: ECT(1), CE, ECT(0). Else 172: ECT(0), CE, ECT(1) */
};

/* A Fast Open option (RFC 7413): a request for a cookie, or one. */
struct wire_fastopen {
    uint8_t len; /* 0: a request; else 4 to 16, even */
    bool exp;    /* in the experimental form of before: kind 254, magic number 0xF989 */
    uint8_t cookie[WIRE_COOKIE_MAX];
};

struct wire_tcp_options {
    uint8_t have;
    uint8_t wscale; /* as on the wire; clamp to WIRE_WSCALE_MAX when using it */
    uint16_t mss;
    uint32_t tsval, tsecr;
    uint32_t sack_count;
    bool plain; /* on SYN, written: scale, SACK-permitted, timestamps, padding at the end; unless
                 * it is signed */
    struct wire_sack sack[WIRE_SACK_MAX];
    struct wire_accecn accecn;
    const uint8_t *md5; /* read: the 16 bytes, where they were read. Written: 0, to be filled in */
    struct wire_fastopen fastopen; /* only if `have` says so */
};

struct wire_tcp {
    uint16_t sport, dport;
    uint32_t seq, ack;
    uint16_t flags; /* TCP_*, 9 bits */
    uint16_t wnd;   /* as on the wire, unscaled */
    uint16_t urg;
    uint16_t header_len;
    struct wire_tcp_options opt;
};

/* Reads a header with its options from `have` contiguous bytes of a segment of `len` bytes (bytes
 * beyond that, padding of the link, are not looked at).
 * TERN_DROP_SHORT, _TCP_HEADER (data offset below 5 or past the end), _TCP_OPTIONS (a length of 0
 * or 1, past the header, or wrong for its kind). Unknown kinds are skipped (MUST-6), alignment does
 * not matter (MUST-64), nothing is read after EOL (MUST-69). Of two options of one kind the first
 * counts; options that belong on SYN only (MSS, window scale, SACK-permitted, Fast Open) are
 * ignored elsewhere. A Fast Open option of odd length is none (RFC 7413 4.1.1). Every part of
 * `*out` is set, that option excepted. */
enum tern_drop wire_tcp_read(const uint8_t *p, size_t have, size_t len, struct wire_tcp *out);

/* Bytes the options take, padded to a multiple of 4. */
size_t wire_tcp_options_len(const struct wire_tcp_options *opt);

/* Writes a header with options, checksum 0; sets and returns its length. The order of options is
 * Linux's, which is what middleboxes have seen most: on SYN mss, [sackOK, TS | nop, nop, TS],
 * AccECN, [nop, nop, sackOK], nop, wscale, Fast Open; otherwise nop, nop, TS, AccECN, then nop,
 * nop, SACK. At most 40 bytes: the caller takes fewer SACK blocks (3 with timestamps). */
size_t wire_tcp_write(uint8_t *p, const struct wire_tcp *tcp);

/* Where TSval stands in a header that was written, TSecr behind it; 0: nowhere. */
size_t wire_tcp_ts_at(const uint8_t *p, size_t header_len);

/* The parts of a header one by one, for who writes many: wire_tcp_put() writes the 20 bytes but for
 * data offset, flags and window, each of the others appends an option and returns the end, and
 * wire_tcp_close() completes the header once its end is known. */
static inline uint8_t *wire_tcp_put(uint8_t *p, uint32_t ports, uint32_t seq, uint32_t ack)
{
    store_be32(p, ports); /* source << 16 | destination */
    store_be32(p + 4, seq);
    store_be32(p + 8, ack);
    store_be32(p + 16, 0);
    return p + WIRE_TCP_HEADER;
}

static inline uint8_t *wire_tcp_put_ts(uint8_t *p, uint32_t tsval, uint32_t tsecr)
{
    store_be32(p, 0x0101080a); /* two NOPs, kind 8, length 10: RFC 7323 appendix A */
    store_be32(p + 4, tsval);
    store_be32(p + 8, tsecr);
    return p + 12;
}

/* A signature's option, which stands first: two NOPs, kind 19, 16 bytes of 0 to be filled in. */
uint8_t *wire_tcp_put_md5(uint8_t *p);

/* AccECN and SACK: the two NOPs that precede a SACK make room for the end of a short AccECN. The
 * length of both together; `accecn` NULL or `n` 0: without that. */
size_t wire_tcp_accecn_len(const struct wire_accecn *accecn, uint32_t n);
uint8_t *wire_tcp_put_accecn(uint8_t *p, const struct wire_accecn *accecn,
                             const struct wire_sack *sack, uint32_t n);

static inline uint16_t wire_tcp_close(uint8_t *p, const uint8_t *end, uint16_t flags, uint16_t wnd)
{
    uint32_t len = (uint32_t)(end - p);
    store_be32(p + 12, len / 4 << 28 | (uint32_t)(flags & 0x1ff) << 16 | wnd);
    return (uint16_t)len;
}

/* The length a segment takes in sequence space: data, SYN and FIN. */
static inline uint32_t wire_tcp_span(const struct wire_tcp *tcp, uint32_t data_len)
{
    return data_len + ((tcp->flags & TCP_SYN) != 0) + ((tcp->flags & TCP_FIN) != 0);
}

#endif
