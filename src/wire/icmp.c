/* icmp.c - ICMP and ICMPv6 messages.
 *
 * What an error quotes was sent by us, but has been through routers and comes back from anyone: the
 * quote is read for the connection and the sequence number only, as far as RFC 5927 4 needs them to
 * tell a real error from a forged one. Its lengths and checksums are not held against it, because
 * routers are known to change them.
 */
#include "wire/icmp.h"

enum {
    ICMP_HEADER = 8,
    QUOTE_TCP = 8, /* ports and sequence number, or UDP's header: what RFC 792 promises */

    ICMP4_ECHO_REPLY = 0,
    ICMP4_UNREACHABLE = 3,
    ICMP4_QUENCH = 4,
    ICMP4_ECHO = 8,
    ICMP4_TIME = 11,
    ICMP4_PARAM = 12,
    ICMP4_FRAG_NEEDED = 4, /* a code of ICMP4_UNREACHABLE */

    ICMP6_UNREACHABLE = 1,
    ICMP6_TOO_BIG = 2,
    ICMP6_TIME = 3,
    ICMP6_PARAM = 4,
    ICMP6_ECHO = 128,
    ICMP6_ECHO_REPLY = 129,
    ICMP6_NEXT_HEADER = 1, /* a code of ICMP6_PARAM */
};

/* The codes of "destination unreachable" (RFC 792, 1122 3.2.2.1, 1812 5.2.7.1). */
static enum wire_icmp_kind icmp4_unreachable(uint8_t code)
{
    switch (code) {
    case 0:  /* network */
    case 6:  /* network unknown */
    case 11: /* network, for this type of service */
        return WIRE_ICMP_NET;
    case 1:  /* host */
    case 7:  /* host unknown */
    case 8:  /* source host isolated */
    case 12: /* host, for this type of service */
        return WIRE_ICMP_HOST;
    case 2:
        return WIRE_ICMP_PROTO;
    case 3:
        return WIRE_ICMP_PORT;
    case ICMP4_FRAG_NEEDED:
        return WIRE_ICMP_TOO_BIG;
    case 5:
        return WIRE_ICMP_SOURCE_ROUTE;
    case 9:  /* network prohibited */
    case 10: /* host prohibited */
    case 13: /* communication prohibited */
    case 14: /* host precedence violation */
    case 15: /* precedence cut-off */
        return WIRE_ICMP_PROHIBITED;
    default:
        return WIRE_ICMP_OTHER;
    }
}

static enum wire_icmp_kind icmp4_kind(uint8_t type, uint8_t code)
{
    switch (type) {
    case ICMP4_ECHO_REPLY:
        return WIRE_ICMP_ECHO_REPLY;
    case ICMP4_UNREACHABLE:
        return icmp4_unreachable(code);
    case ICMP4_QUENCH:
        return WIRE_ICMP_QUENCH;
    case ICMP4_ECHO:
        return WIRE_ICMP_ECHO;
    case ICMP4_TIME:
        return WIRE_ICMP_TIME;
    case ICMP4_PARAM:
        return WIRE_ICMP_PARAM;
    default:
        return WIRE_ICMP_OTHER;
    }
}

/* RFC 4443 3.1 */
static enum wire_icmp_kind icmp6_unreachable(uint8_t code)
{
    switch (code) {
    case 0: /* no route */
        return WIRE_ICMP_NET;
    case 1: /* prohibited */
    case 5: /* source address failed policy */
    case 6: /* route rejects */
        return WIRE_ICMP_PROHIBITED;
    case 2: /* beyond the scope of the source address */
    case 3: /* address */
        return WIRE_ICMP_HOST;
    case 4:
        return WIRE_ICMP_PORT;
    default: /* headers: error in a source route, too long (RFC 8883); and what is to come */
        return WIRE_ICMP_PARAM;
    }
}

static enum wire_icmp_kind icmp6_kind(uint8_t type, uint8_t code)
{
    switch (type) {
    case ICMP6_UNREACHABLE:
        return icmp6_unreachable(code);
    case ICMP6_TOO_BIG:
        return WIRE_ICMP_TOO_BIG;
    case ICMP6_TIME:
        return WIRE_ICMP_TIME;
    case ICMP6_PARAM:
        return code == ICMP6_NEXT_HEADER ? WIRE_ICMP_PROTO : WIRE_ICMP_PARAM;
    case ICMP6_ECHO:
        return WIRE_ICMP_ECHO;
    case ICMP6_ECHO_REPLY:
        return WIRE_ICMP_ECHO_REPLY;
    default:
        return WIRE_ICMP_OTHER;
    }
}

/* The transport part of a quote, `len` bytes of it. */
static enum tern_drop quote_ports(const uint8_t *p, size_t len, uint8_t proto,
                                  struct wire_icmp *out)
{
    if (len < QUOTE_TCP)
        return proto == WIRE_TCP ? TERN_DROP_ICMP_MALFORMED : TERN_DROP_NONE;
    out->quotes_tcp = proto == WIRE_TCP;
    out->quotes_udp = proto == WIRE_UDP;
    out->sport = load_be16(p);
    out->dport = load_be16(p + 2);
    out->seq = out->quotes_tcp ? load_be32(p + 4) : 0;
    out->quote = p;
    out->quote_len = len;
    return TERN_DROP_NONE;
}

static enum tern_drop quote4(const uint8_t *p, size_t len, struct wire_icmp *out)
{
    if (len < WIRE_IP4_HEADER || p[0] >> 4 != 4)
        return TERN_DROP_ICMP_MALFORMED;
    size_t header_len = (p[0] & 15u) * 4;
    if (header_len < WIRE_IP4_HEADER || header_len > len)
        return TERN_DROP_ICMP_MALFORMED;
    bool first = (load_be16(p + 6) & 0x1fff) == 0; /* a later fragment has no ports */
    if ((p[9] != WIRE_TCP && p[9] != WIRE_UDP) || !first)
        return TERN_DROP_NONE;
    memcpy(out->src, wire_mapped_prefix, 12);
    memcpy(out->src + 12, p + 12, 4);
    memcpy(out->dst, wire_mapped_prefix, 12);
    memcpy(out->dst + 12, p + 16, 4);
    return quote_ports(p + header_len, len - header_len, p[9], out);
}

static enum tern_drop quote6(const uint8_t *p, size_t len, struct wire_icmp *out)
{
    if (len < WIRE_IP6_HEADER || p[0] >> 4 != 6)
        return TERN_DROP_ICMP_MALFORMED;
    /* no IPv4 connection may be named by an IPv6 message */
    if (wire_is_ip4(p + 8) || wire_is_ip4(p + 24))
        return TERN_DROP_ICMP_MALFORMED;
    size_t at = WIRE_IP6_HEADER;
    uint8_t next = p[6];
    for (uint32_t count = 0; count < WIRE_EXT_MAX && wire_ip6_extension(next); count++) {
        if (len - at < 8)
            return TERN_DROP_ICMP_MALFORMED;
        bool fragment = next == WIRE_EXT_FRAGMENT;
        if (fragment && (load_be16(p + at + 2) & 0xfff8) != 0)
            return TERN_DROP_NONE; /* a later fragment has no ports */
        size_t size = fragment ? 8 : (p[at + 1] + 1u) * 8;
        if (size > len - at)
            return TERN_DROP_ICMP_MALFORMED;
        next = p[at];
        at += size;
    }
    if (next != WIRE_TCP && next != WIRE_UDP)
        return TERN_DROP_NONE;
    memcpy(out->src, p + 8, 16);
    memcpy(out->dst, p + 24, 16);
    return quote_ports(p + at, len - at, next, out);
}

enum tern_drop wire_icmp_read(const uint8_t *p, size_t have, size_t len, uint8_t version,
                              struct wire_icmp *out)
{
    TERN_ASSERT(version == 4 || version == 6);
    memset(out, 0, sizeof(*out));
    have = min_size(have, len); /* padding of the link may follow */
    if (have < ICMP_HEADER)
        return TERN_DROP_ICMP_MALFORMED;
    out->type = p[0];
    out->code = p[1];
    out->kind = version == 4 ? icmp4_kind(p[0], p[1]) : icmp6_kind(p[0], p[1]);
    if (out->kind == WIRE_ICMP_OTHER || out->kind == WIRE_ICMP_ECHO ||
        out->kind == WIRE_ICMP_ECHO_REPLY)
        return TERN_DROP_NONE;
    if (out->kind == WIRE_ICMP_TOO_BIG) /* RFC 1191 4: 0 from a router that knows no better */
        out->mtu = version == 4 ? load_be16(p + 6) : load_be32(p + 4);
    if (version == 4 ? p[0] == ICMP4_PARAM : p[0] == ICMP6_PARAM)
        out->pointer = version == 4 ? p[4] : load_be32(p + 4);
    p += ICMP_HEADER;
    have -= ICMP_HEADER;
    return version == 4 ? quote4(p, have, out) : quote6(p, have, out);
}

void wire_icmp_sum(uint8_t *p, size_t len, uint8_t version, const uint8_t src[16],
                   const uint8_t dst[16])
{
    uint64_t sum = 0;
    if (version == 6) /* RFC 4443 2.3 */
        sum = wire_pseudo_sum(src, dst, WIRE_ICMP6, (uint32_t)len);
    uint16_t check = cksum_finish(cksum_portable(p, len, sum));
    memcpy(p + 2, &check, sizeof(check));
}

size_t wire_icmp_write_error(uint8_t *p, uint8_t version, uint8_t type, uint8_t code, uint32_t mtu,
                             const uint8_t src[16], const uint8_t dst[16], const uint8_t *quote,
                             size_t quote_len)
{
    TERN_ASSERT(version == 4 || version == 6);
    /* no larger than every path carries (RFC 1812 4.3.2.3, RFC 4443 2.4 c) */
    size_t max = version == 4 ? WIRE_ICMP4_MAX : WIRE_ICMP_MAX;
    quote_len = min_size(quote_len, max - ICMP_HEADER);
    size_t len = ICMP_HEADER + quote_len;
    memset(p, 0, ICMP_HEADER);
    p[0] = type;
    p[1] = code;
    if (version == 6)
        store_be32(p + 4, mtu);
    else if (type == ICMP4_PARAM)
        p[4] = (uint8_t)mtu;
    else if (type == ICMP4_UNREACHABLE && code == ICMP4_FRAG_NEEDED)
        store_be16(p + 6, (uint16_t)mtu);
    memcpy(p + ICMP_HEADER, quote, quote_len);
    wire_icmp_sum(p, len, version, src, dst);
    return len;
}
