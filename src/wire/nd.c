/* nd.c - see nd.h. */
#include "wire/nd.h"

#include "wire/icmp.h"

enum {
    ND_FIXED = 24, /* up to the options */
    ND_ROUTER = 0x80,
    ND_SOLICITED = 0x40,
    ND_OVERRIDE = 0x20,
    OPT_SOURCE_MAC = 1,
    OPT_TARGET_MAC = 2,
    OPT_PREFIX = 3,
    OPT_MTU = 5,
    OPT_NONCE = 14,
    RA_FIXED = 16,
    RA_PREFERENCE = 0x18,
    PREFIX_ON_LINK = 0x80,
    PREFIX_AUTONOMOUS = 0x40,
};

void wire_nd_group(uint8_t group[16], const uint8_t ip[16])
{
    static const uint8_t prefix[13] = {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff};
    memcpy(group, prefix, 13);
    memcpy(group + 13, ip + 13, 3);
}

/* The options, `len` bytes: each has a length, in units of 8 bytes, not 0 (RFC 4861 4.6). */
static bool read_options(const uint8_t *p, size_t len, struct wire_nd *out)
{
    uint8_t wanted = out->type == WIRE_ND_SOLICIT ? OPT_SOURCE_MAC : OPT_TARGET_MAC;
    for (size_t at = 0; at < len;) {
        size_t size = len - at >= 2 ? p[at + 1] * 8u : 0;
        if (size == 0 || size > len - at)
            return false;
        if (p[at] == wanted && size == 8 && !out->has_mac && !wire_mac_group(p + at + 2)) {
            memcpy(out->mac, p + at + 2, WIRE_MAC);
            out->has_mac = true;
        }
        if (p[at] == OPT_NONCE && size == 8 && out->type == WIRE_ND_SOLICIT) {
            memcpy(out->nonce, p + at + 2, WIRE_ND_NONCE);
            out->has_nonce = true;
        }
        at += size;
    }
    return true;
}

bool wire_nd_read(const uint8_t *p, size_t have, const struct wire_ip *ip, struct wire_nd *out)
{
    size_t len = ip->payload_len;
    if (len < ND_FIXED || have < len || ip->ttl != WIRE_ND_HOPS || p[1] != 0)
        return false;
    *out = (struct wire_nd){.type = p[0]};
    memcpy(out->target, p + 8, 16);
    if (!wire_nd_type(out->type) || wire_ip_multicast(out->target) ||
        !read_options(p + ND_FIXED, len - ND_FIXED, out))
        return false;
    if (out->type == WIRE_ND_SOLICIT) {
        /* from somebody who asks whether the address is free (7.1.1) */
        uint8_t group[16];
        wire_nd_group(group, out->target);
        return !wire_ip_unspecified(ip->src) || (!out->has_mac && wire_ip_equal(ip->dst, group));
    }
    out->router = (p[4] & ND_ROUTER) != 0;
    out->solicited = (p[4] & ND_SOLICITED) != 0;
    out->override = (p[4] & ND_OVERRIDE) != 0;
    return !(out->solicited && wire_ip_multicast(ip->dst)); /* 7.1.2 */
}

/* An option of 8 bytes; returns its length. */
static size_t put_option(uint8_t *p, uint8_t type, const uint8_t what[6])
{
    p[0] = type;
    p[1] = 1;
    memcpy(p + 2, what, 6);
    return 8;
}

size_t wire_nd_write(uint8_t *p, const struct wire_nd *nd, const uint8_t src[16],
                     const uint8_t dst[16])
{
    bool ask = nd->type == WIRE_ND_SOLICIT;
    size_t len = ND_FIXED;
    memset(p, 0, WIRE_ND_MAX);
    p[0] = nd->type;
    if (!ask)
        p[4] = (uint8_t)((nd->router ? ND_ROUTER : 0) | (nd->solicited ? ND_SOLICITED : 0) |
                         (nd->override ? ND_OVERRIDE : 0));
    memcpy(p + 8, nd->target, 16);
    TERN_ASSERT(!nd->has_nonce || (ask && !nd->has_mac));
    if (nd->has_mac)
        len += put_option(p + len, ask ? OPT_SOURCE_MAC : OPT_TARGET_MAC, nd->mac);
    if (nd->has_nonce)
        len += put_option(p + len, OPT_NONCE, nd->nonce);
    wire_icmp_sum(p, len, 6, src, dst);
    return len;
}

/* ---- routers --------------------------------------------------------------------------------- */

static void read_prefix(const uint8_t *p, struct wire_ra *out)
{
    if (out->prefix_count == WIRE_RA_PREFIXES || p[2] > 128)
        return;
    struct wire_ra_prefix *x = &out->prefix[out->prefix_count++];
    *x = (struct wire_ra_prefix){.bits = p[2],
                                 .on_link = (p[3] & PREFIX_ON_LINK) != 0,
                                 .autonomous = (p[3] & PREFIX_AUTONOMOUS) != 0,
                                 .valid = load_be32(p + 4),
                                 .preferred = load_be32(p + 8)};
    for (unsigned i = 0; i * 8 < x->bits; i++) {
        uint32_t keep = min_u32(x->bits - i * 8, 8);
        x->ip[i] = (uint8_t)(p[16 + i] & 0xff00u >> keep);
    }
}

static bool read_router_options(const uint8_t *p, size_t len, struct wire_ra *out)
{
    for (size_t at = 0; at < len;) {
        size_t size = len - at >= 2 ? p[at + 1] * 8u : 0;
        if (size == 0 || size > len - at)
            return false;
        if (p[at] == OPT_SOURCE_MAC && size == 8 && !wire_mac_group(p + at + 2)) {
            memcpy(out->mac, p + at + 2, WIRE_MAC);
            out->has_mac = true;
        }
        if (p[at] == OPT_MTU && size == 8)
            out->mtu = load_be32(p + at + 4);
        if (p[at] == OPT_PREFIX && size == 32)
            read_prefix(p + at, out);
        at += size;
    }
    return true;
}

bool wire_ra_read(const uint8_t *p, size_t have, const struct wire_ip *ip, struct wire_ra *out)
{
    size_t len = ip->payload_len;
    if (len < RA_FIXED || have < len || ip->ttl != WIRE_ND_HOPS || p[1] != 0 ||
        p[0] != WIRE_ND_ROUTER_ADVERT || !wire_ip_link_local(ip->src))
        return false;
    *out = (struct wire_ra){.hops = p[4],
                            .lifetime = load_be16(p + 6),
                            .reachable_ms = load_be32(p + 8),
                            .retrans_ms = load_be32(p + 12)};
    unsigned preference = (p[5] & RA_PREFERENCE) >> 3; /* two bits, signed; -2 means nothing */
    out->preference = (int8_t)(preference == 1 ? 1 : preference == 3 ? -1 : 0);
    return read_router_options(p + RA_FIXED, len - RA_FIXED, out);
}

size_t wire_rs_write(uint8_t *p, const uint8_t *mac, const uint8_t src[16], const uint8_t dst[16])
{
    size_t len = 8;
    memset(p, 0, WIRE_ND_MAX);
    p[0] = WIRE_ND_ROUTER_SOLICIT;
    if (mac != NULL)
        len += put_option(p + len, OPT_SOURCE_MAC, mac);
    wire_icmp_sum(p, len, 6, src, dst);
    return len;
}
