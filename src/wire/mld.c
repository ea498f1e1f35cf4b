/* mld.c - see mld.h. */
#include "wire/mld.h"

#include "wire/icmp.h"

enum { QUERY1 = 24, QUERY2 = 28 };

/* A hop-by-hop header that says: routers, look inside; and padding. */
static const uint8_t router_alert[8] = {WIRE_ICMP6, 0, 5, 2, 0, 0, 1, 0};

bool wire_mld_read(const uint8_t *p, size_t have, const struct wire_ip *ip,
                   struct wire_mld_query *out)
{
    size_t len = ip->payload_len;
    const uint8_t *m = p + ip->header_len;
    if (have < ip->header_len + len || ip->header_len != WIRE_MLD_HEADERS || ip->ttl != 1 ||
        !wire_ip_link_local(ip->src) || memcmp(p + WIRE_IP6_HEADER + 2, router_alert + 2, 4) != 0)
        return false;
    if (m[0] != WIRE_MLD_QUERY || m[1] != 0 || (len != QUERY1 && len < QUERY2))
        return false;
    if (!wire_ip_multicast(m + 8) && !wire_ip_unspecified(m + 8))
        return false;
    *out = (struct wire_mld_query){.version = len == QUERY1 ? 1 : 2};
    memcpy(out->group, m + 8, 16);
    uint32_t ms = load_be16(m + 4);
    if (out->version == 2 && ms >= 0x8000) /* RFC 9777 5.1.3: 3 bits of exponent, 12 of mantissa */
        ms = ((ms & 0xfff) + 0x1000) << ((ms >> 12 & 7) + 3);
    out->delay_ns = ms * UINT64_C(1000000);
    return true;
}

void wire_mld_record(uint8_t *p, uint8_t kind, const uint8_t group[16])
{
    memset(p, 0, 4);
    p[0] = kind;
    memcpy(p + 4, group, 16);
}

void wire_mld_report(uint8_t *p, unsigned count, const uint8_t src[16], const uint8_t dst[16])
{
    memset(p, 0, WIRE_MLD_FIXED);
    p[0] = WIRE_MLD_REPORT;
    store_be16(p + 6, (uint16_t)count);
    wire_icmp_sum(p, WIRE_MLD_FIXED + (size_t)count * WIRE_MLD_RECORD, 6, src, dst);
}

void wire_mld_message1(uint8_t *p, uint8_t type, const uint8_t group[16], const uint8_t src[16],
                       const uint8_t dst[16])
{
    memset(p, 0, 8);
    p[0] = type;
    memcpy(p + 8, group, 16);
    wire_icmp_sum(p, WIRE_MLD_MESSAGE1, 6, src, dst);
}

void wire_mld_headers(uint8_t *p, size_t len, const uint8_t src[16], const uint8_t dst[16])
{
    struct wire_ip_out ip = {.src = src,
                             .dst = dst,
                             .proto = WIRE_EXT_HOP_BY_HOP,
                             .ttl = 1,
                             .payload_len = (uint16_t)(sizeof(router_alert) + len)};
    wire_ip_put(p, &ip);
    memcpy(p + WIRE_IP6_HEADER, router_alert, sizeof(router_alert));
}
