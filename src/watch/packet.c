/* packet.c - see packet.h. */
#include "watch/packet.h"

#include <stdio.h>

bool packet_read(const uint8_t *data, size_t len, struct packet *out)
{
    return packet_read_part(data, len, len, out);
}

bool packet_read_part(const uint8_t *data, size_t have, size_t len, struct packet *out)
{
    if (data == NULL || wire_ip_read(data, have, len, &out->ip) != TERN_DROP_NONE ||
        out->ip.fragment)
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
