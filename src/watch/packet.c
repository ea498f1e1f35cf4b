/* packet.c - see packet.h. */
#include "watch/packet.h"

#include <stdio.h>

#include "base/cksum.h"

bool packet_read(const uint8_t *data, size_t len, struct packet *out)
{
    return packet_read_part(data, len, len, out);
}

/* A sender that leaves a card to cut its segments, or to fill in the header's checksum, is captured
 * with zeros there. */
static enum tern_drop read_offloaded(const uint8_t *data, size_t have, size_t len,
                                     struct wire_ip *out)
{
    uint8_t header[60];
    size_t header_len = (data[0] & 15) * 4u;
    if (header_len < WIRE_IP4_HEADER || header_len > have || len > UINT16_MAX ||
        (load_be16(data + 2) != 0 && load_be16(data + 10) != 0))
        return TERN_DROP_IP_HEADER;
    memcpy(header, data, header_len);
    if (load_be16(header + 2) == 0)
        store_be16(header + 2, (uint16_t)len);
    store_be16(header + 10, 0);
    uint16_t sum = cksum_finish(cksum_portable(header, header_len, 0));
    memcpy(header + 10, &sum, sizeof(sum));
    return wire_ip_read(header, header_len, len, out);
}

static bool read_ip(const uint8_t *data, size_t have, size_t len, struct wire_ip *out)
{
    if (data == NULL)
        return false;
    if (wire_ip_read(data, have, len, out) == TERN_DROP_NONE)
        return true;
    return have >= WIRE_IP4_HEADER && data[0] >> 4 == 4 &&
           read_offloaded(data, have, len, out) == TERN_DROP_NONE;
}

bool packet_read_part(const uint8_t *data, size_t have, size_t len, struct packet *out)
{
    if (!read_ip(data, have, len, &out->ip) || out->ip.fragment)
        return false;
    const uint8_t *p = data + out->ip.header_len;
    size_t left = out->ip.payload_len, here = have - min_size(have, out->ip.header_len);
    out->whole = here >= left;
    out->is_icmp = out->ip.proto == WIRE_ICMP || out->ip.proto == WIRE_ICMP6;
    if (out->is_icmp)
        return wire_icmp_read(p, here, left, out->ip.version, &out->icmp) == TERN_DROP_NONE &&
               out->icmp.quotes_tcp;
    if (out->ip.proto != WIRE_TCP ||
        wire_tcp_read(p, min_size(here, left), left, &out->tcp) != TERN_DROP_NONE)
        return false;
    out->payload = p + out->tcp.header_len;
    out->len = left - out->tcp.header_len;
    out->here = min_size(here, left) - out->tcp.header_len;
    return true;
}

static void set(tern_addr *a, const uint8_t ip[16], uint16_t port)
{
    memset(a, 0, sizeof(*a));
    memcpy(a->ip, ip, 16);
    a->port = port;
}

void packet_pair(const struct packet *p, int from, tern_addr pair[2])
{
    if (p->is_icmp) { /* the quote is what its receiver had sent */
        set(&pair[!from], p->icmp.src, p->icmp.sport);
        set(&pair[from], p->icmp.dst, p->icmp.dport);
    } else {
        set(&pair[from], p->ip.src, p->tcp.sport);
        set(&pair[!from], p->ip.dst, p->tcp.dport);
    }
}

char *packet_flags(char *out, uint16_t flags)
{
    static const struct {
        uint16_t bit;
        const char *name;
    } names[] = {{TCP_SYN, "SYN"}, {TCP_FIN, "FIN"}, {TCP_RST, "RST"}, {TCP_PSH, "PSH"},
                 {TCP_URG, "URG"}, {TCP_ECE, "ECE"}, {TCP_CWR, "CWR"}, {TCP_ACK, "ACK"}};
    size_t at = 0;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (flags & names[i].bit)
            at += (size_t)snprintf(out + at, PACKET_FLAGS - at, "%s%s", at != 0 ? " " : "",
                                   names[i].name);
    if (at == 0)
        snprintf(out, PACKET_FLAGS, "no flags");
    return out;
}
