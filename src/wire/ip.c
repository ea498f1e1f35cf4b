/* ip.c - IPv4 and IPv6 headers.
 *
 * Reading is one pass from front to back. A step first makes sure that its bytes exist - inside the
 * header that holds them, and among the bytes at hand - and only then looks at them. A chain of
 * IPv6 extension headers is walked with a limit on their number and on their bytes.
 */
#include "wire/ip.h"

enum {
    OPT6_PAD1 = 0,
    OPT4_END = 0,
    OPT4_NOP = 1,
    OPT4_LSRR = 131,
    OPT4_SSRR = 137,
    IP4_DF = 0x4000,
    IP4_MF = 0x2000,
    IP4_MF_AND_OFFSET = 0x3fff,
    IP6_MORE_AND_OFFSET = 0xfff9,
    IP6_OFFSET = 0xfff8,
};

/* ---- IPv4 ------------------------------------------------------------------------------------ */

/* The sum of a header without options, the usual one. */
static uint64_t ip4_sum20(const uint8_t *p)
{
    uint64_t a, b;
    uint32_t c;
    memcpy(&a, p, sizeof(a));
    memcpy(&b, p + 8, sizeof(b));
    memcpy(&c, p + 16, sizeof(c));
    return cksum_add(cksum_add(a, b), c);
}

/* Options are not obeyed (RFC 1122 3.2.1.8 lets a host ignore what it does not use), but a source
 * route is not let in (RFC 7126 4.3, 4.4), nor options that cannot be told apart. */
static enum tern_drop ip4_options(const uint8_t *p, size_t len)
{
    for (size_t at = 0; at < len && p[at] != OPT4_END;) {
        if (p[at] == OPT4_NOP) {
            at++;
            continue;
        }
        if (len - at < 2 || p[at + 1] < 2 || p[at + 1] > len - at)
            return TERN_DROP_IP_HEADER;
        if (p[at] == OPT4_LSRR || p[at] == OPT4_SSRR)
            return TERN_DROP_IP_SOURCE_ROUTE;
        at += p[at + 1];
    }
    return TERN_DROP_NONE;
}

/* Written in one piece, as it will be read. */
static void ip4_address(uint8_t out[16], const uint8_t *p)
{
    uint8_t mapped[16];
    memcpy(mapped, wire_mapped_prefix, 12);
    memcpy(mapped + 12, p, 4);
    memcpy(out, mapped, 16);
}

static enum tern_drop ip4_read(const uint8_t *p, size_t have, size_t total, struct wire_ip *out)
{
    if (have < WIRE_IP4_HEADER)
        return TERN_DROP_SHORT;
    size_t header_len = (p[0] & 15u) * 4;
    size_t total_len = load_be16(p + 2);
    if (header_len < WIRE_IP4_HEADER || total_len < header_len)
        return TERN_DROP_IP_HEADER;
    if (total_len > total || header_len > have)
        return TERN_DROP_SHORT;
    uint64_t sum = ip4_sum20(p);
    if (UNLIKELY(header_len > WIRE_IP4_HEADER))
        sum = cksum_portable(p + WIRE_IP4_HEADER, header_len - WIRE_IP4_HEADER, sum);
    if (cksum_fold(sum) != 0xffff) /* RFC 1122 3.2.1.2: verify, and discard silently */
        return TERN_DROP_IP_CSUM;

    out->version = 4;
    out->tos = p[1];
    out->ttl = p[8];
    out->proto = p[9];
    out->header_len = (uint16_t)header_len;
    out->payload_len = (uint16_t)(total_len - header_len);
    out->l4_proto_off = 9;
    uint16_t frag = load_be16(p + 6) & IP4_MF_AND_OFFSET;
    out->fragment = frag != 0;
    if (UNLIKELY(frag != 0)) {
        out->frag_id = load_be16(p + 4);
        out->frag_off = (uint16_t)(frag << 3);
        out->frag_more = (frag & IP4_MF) != 0;
    }
    ip4_address(out->src, p + 12);
    ip4_address(out->dst, p + 16);
    if (UNLIKELY(header_len > WIRE_IP4_HEADER))
        return ip4_options(p + WIRE_IP4_HEADER, header_len - WIRE_IP4_HEADER);
    return TERN_DROP_NONE;
}

/* ---- IPv6 ------------------------------------------------------------------------------------ */

/* The options of a hop-by-hop or destination options header (RFC 8200 4.2). None but padding means
 * anything here: the two high bits of its kind say whether one may be skipped. */
static enum tern_drop ip6_options(const uint8_t *p, size_t len)
{
    for (size_t at = 0; at < len;) {
        if (p[at] == OPT6_PAD1) {
            at++;
            continue;
        }
        if (len - at < 2 || p[at + 1] > len - at - 2)
            return TERN_DROP_IP_HEADER;
        if (p[at] >> 6 != 0)
            return TERN_DROP_IP_EXT_HEADER;
        at += 2u + p[at + 1];
    }
    return TERN_DROP_NONE;
}

/* Where a walk through extension headers stands. */
struct ip6_walk {
    const uint8_t *p;
    size_t have, end; /* bytes at hand; end of the packet by its header */
    size_t at;        /* the next header begins here, */
    uint8_t next;     /* is of this kind, */
    size_t named_at;  /* and the byte here says so */
};

/* One extension header; `out` is told when it says that the rest is a piece. */
static enum tern_drop ip6_extension(struct ip6_walk *w, struct wire_ip *out)
{
    const uint8_t *p = w->p + w->at;
    size_t left = min_size(w->end, w->have) - w->at;
    if (left < 8)
        return TERN_DROP_SHORT;
    size_t len = w->next == WIRE_EXT_FRAGMENT ? 8 : (p[1] + 1u) * 8;
    if (len > left)
        return TERN_DROP_SHORT;
    enum tern_drop drop = TERN_DROP_NONE;
    switch (w->next) {
    case WIRE_EXT_FRAGMENT:
        /* offset 0 and no more to come: a whole packet, treated as such (RFC 6946 4) */
        out->fragment = (load_be16(p + 2) & IP6_MORE_AND_OFFSET) != 0;
        out->frag_off = load_be16(p + 2) & IP6_OFFSET;
        out->frag_more = p[3] & 1;
        out->frag_id = load_be32(p + 4);
        break;
    case WIRE_EXT_ROUTING:
        /* One that has been travelled to its end says nothing more. Otherwise: type 0 is
         * forbidden (RFC 5095 3), and an unknown one is not to be skipped (RFC 8200 4.4). */
        if (p[3] != 0)
            drop = TERN_DROP_IP_SOURCE_ROUTE;
        break;
    default:
        drop = ip6_options(p + 2, len - 2);
    }
    w->named_at = w->at;
    w->next = p[0];
    w->at += len;
    return drop;
}

static enum tern_drop ip6_walk(struct ip6_walk *w, struct wire_ip *out)
{
    for (uint32_t count = 0; wire_ip6_extension(w->next) && !out->fragment; count++) {
        /* hop-by-hop options stand first or not at all (RFC 8200 4.1) */
        if (w->next == WIRE_EXT_HOP_BY_HOP && w->at != WIRE_IP6_HEADER)
            return TERN_DROP_IP_EXT_HEADER;
        if (count == WIRE_EXT_MAX)
            return TERN_DROP_IP_EXT_HEADER;
        enum tern_drop drop = ip6_extension(w, out);
        if (drop != TERN_DROP_NONE)
            return drop;
        if (w->at - WIRE_IP6_HEADER > WIRE_EXT_BYTES)
            return TERN_DROP_IP_EXT_HEADER;
    }
    return TERN_DROP_NONE;
}

static enum tern_drop ip6_read(const uint8_t *p, size_t have, size_t total, struct wire_ip *out)
{
    if (have < WIRE_IP6_HEADER)
        return TERN_DROP_SHORT;
    struct ip6_walk w = {.p = p,
                         .have = have,
                         .end = WIRE_IP6_HEADER + (size_t)load_be16(p + 4),
                         .at = WIRE_IP6_HEADER,
                         .next = p[6],
                         .named_at = 6};
    if (w.end > total)
        return TERN_DROP_SHORT;
    out->fragment = false;
    if (UNLIKELY(wire_ip6_extension(w.next))) {
        enum tern_drop drop = ip6_walk(&w, out);
        if (drop != TERN_DROP_NONE)
            return drop;
    }
    out->version = 6;
    out->tos = (uint8_t)(load_be16(p) >> 4);
    out->ttl = p[7];
    out->proto = w.next;
    out->header_len = (uint16_t)w.at;
    out->payload_len = (uint16_t)(w.end - w.at);
    out->l4_proto_off = (uint16_t)w.named_at;
    memcpy(out->src, p + 8, 16);
    memcpy(out->dst, p + 24, 16);
    /* IPv4 inside this stack, so not to be believed from the wire (RFC 4942 2.2) */
    if (wire_is_ip4(out->src))
        return TERN_DROP_IP_SOURCE;
    if (wire_is_ip4(out->dst))
        return TERN_DROP_IP_DESTINATION;
    return TERN_DROP_NONE;
}

enum tern_drop wire_ip_read(const uint8_t *p, size_t have, size_t total, struct wire_ip *out)
{
    have = min_size(have, total);
    if (have == 0)
        return TERN_DROP_SHORT;
    if (p[0] >> 4 == 4)
        return ip4_read(p, have, total, out);
    if (p[0] >> 4 == 6)
        return ip6_read(p, have, total, out);
    return TERN_DROP_IP_VERSION;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* Word by word, and the checksum from the values: summing the bytes just written would wait for
 * the stores. */
static void ip4_put(uint8_t *p, const struct wire_ip_out *ip)
{
    uint32_t src = load_be32(ip->src + 12), dst = load_be32(ip->dst + 12);
    uint32_t first = 0x45u << 24 | (uint32_t)ip->tos << 16 | (WIRE_IP4_HEADER + ip->payload_len);
    uint32_t third = (uint32_t)ip->ttl << 24 | (uint32_t)ip->proto << 16;
    uint64_t sum = (uint64_t)first + IP4_DF + third + src + dst;
    store_be32(p, first);
    store_be32(p + 4, IP4_DF); /* an atomic packet needs no ID: 0 (RFC 6864 4.1) */
    store_be32(p + 8, third | cksum_finish(sum));
    store_be32(p + 12, src);
    store_be32(p + 16, dst);
}

static void ip6_put(uint8_t *p, const struct wire_ip_out *ip, uint32_t flow)
{
    store_be32(p, 6u << 28 | (uint32_t)ip->tos << 20 | (flow & 0xfffff));
    store_be32(p + 4, (uint32_t)ip->payload_len << 16 | (uint32_t)ip->proto << 8 | ip->ttl);
    memcpy(p + 8, ip->src, 16);
    memcpy(p + 24, ip->dst, 16);
}

void wire_ip_put(uint8_t *p, const struct wire_ip_out *ip)
{
    if (wire_is_ip4(ip->dst))
        ip4_put(p, ip);
    else
        ip6_put(p, ip, 0);
}

size_t wire_ip_write(uint8_t *p, const struct wire_ip *ip, uint32_t flow)
{
    struct wire_ip_out out = {.src = ip->src,
                              .dst = ip->dst,
                              .proto = ip->proto,
                              .ttl = ip->ttl,
                              .tos = ip->tos,
                              .payload_len = ip->payload_len};
    if (ip->version == 4) {
        TERN_ASSERT(ip->payload_len <= UINT16_MAX - WIRE_IP4_HEADER);
        ip4_put(p, &out);
        return WIRE_IP4_HEADER;
    }
    TERN_ASSERT(ip->version == 6);
    ip6_put(p, &out, flow);
    return WIRE_IP6_HEADER;
}

/* Another second word of an IPv4 header. */
static void ip4_again(uint8_t *p, uint16_t id, uint16_t frag)
{
    store_be16(p + 4, id);
    store_be16(p + 6, frag);
    store_be16(p + 10, 0);
    uint16_t check = cksum_finish(cksum_portable(p, WIRE_IP4_HEADER, 0));
    memcpy(p + 10, &check, 2);
}

void wire_ip4_breakable(uint8_t *p, uint16_t id) { ip4_again(p, id, 0); }

size_t wire_frag_write(uint8_t *p, const struct wire_ip *ip, uint32_t flow)
{
    struct wire_ip first = *ip;
    if (ip->version == 6) {
        uint8_t *q = p + WIRE_IP6_HEADER;
        first.proto = WIRE_EXT_FRAGMENT;
        first.payload_len += WIRE_FRAG_HEADER - WIRE_IP6_HEADER;
        (void)wire_ip_write(p, &first, flow);
        store_be16(q, (uint16_t)(ip->proto << 8));
        store_be16(q + 2, ip->frag_off | ip->frag_more);
        store_be32(q + 4, ip->frag_id);
        return WIRE_FRAG_HEADER;
    }
    (void)wire_ip_write(p, &first, flow);
    ip4_again(p, (uint16_t)ip->frag_id,
              (uint16_t)(ip->frag_off >> 3 | (ip->frag_more ? IP4_MF : 0)));
    return WIRE_IP4_HEADER;
}

uint64_t wire_pseudo_sum(const uint8_t src[16], const uint8_t dst[16], uint8_t proto, uint32_t len)
{
    /* The IPv6 form serves for IPv4: 16 bits of ones, twice, in front of the addresses add zero,
     * and a length below 2^16 and a protocol in 32 bits each sum up as they do in 16. */
    uint64_t a[2], b[2];
    uint32_t length, protocol; /* as they lie in memory */
    store_be32(&length, len);
    store_be32(&protocol, proto);
    memcpy(a, src, sizeof(a));
    memcpy(b, dst, sizeof(b));
    uint64_t sum = cksum_add(cksum_add(a[0], a[1]), cksum_add(b[0], b[1]));
    return cksum_add(sum, (uint64_t)length + protocol);
}

/* ---- classes of addresses -------------------------------------------------------------------- */

bool wire_ip_unspecified(const uint8_t ip[16])
{
    static const uint8_t zero[16];
    return memcmp(ip, zero, 16) == 0 || (wire_is_ip4(ip) && memcmp(ip + 12, zero, 4) == 0);
}

bool wire_ip_multicast(const uint8_t ip[16])
{
    return wire_is_ip4(ip) ? (ip[12] & 0xf0) == 0xe0 : ip[0] == 0xff;
}

bool wire_ip_broadcast(const uint8_t ip[16])
{
    return wire_is_ip4(ip) && load_be32(ip + 12) == 0xffffffff;
}

bool wire_ip_loopback(const uint8_t ip[16])
{
    static const uint8_t one[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    return wire_is_ip4(ip) ? ip[12] == 127 : memcmp(ip, one, 16) == 0;
}

bool wire_ip_link_local(const uint8_t ip[16])
{
    if (wire_is_ip4(ip))
        return load_be16(ip + 12) == 0xa9fe;
    return ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80;
}

bool wire_ip_unicast(const uint8_t ip[16])
{
    if (wire_is_ip4(ip)) /* 0.0.0.0/8: nobody's (RFC 1122 3.2.1.3) */
        return ip[12] != 0 && !wire_ip_multicast(ip) && !wire_ip_broadcast(ip);
    return !wire_ip_unspecified(ip) && !wire_ip_multicast(ip);
}
