/* encode.c - writes the packets that a script injects. */
#include "drill/packet.h"

#include <tern/socket.h>

#include <stdlib.h>
#include <string.h>

enum {
    IP4 = 20,
    IP6 = 40,
    TCP = 20,
    PROTO_ICMP = 1,
    PROTO_TCP = 6,
    PROTO_UDP = 17,
    PROTO_ICMP6 = 58
};

static void put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
    put16(p, v >> 16);
    put16(p + 2, v);
}

static uint32_t sum(const uint8_t *p, size_t len, uint32_t s)
{
    for (size_t i = 0; i + 1 < len; i += 2)
        s += (uint32_t)(p[i] << 8 | p[i + 1]);
    if (len & 1)
        s += (uint32_t)p[len - 1] << 8;
    while (s >> 16)
        s = (s & 0xffff) + (s >> 16);
    return s;
}

static bool is_v6(const uint8_t ip[16])
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return memcmp(ip, mapped, 12) != 0;
}

/* The checksum of `len` bytes at `p` under a pseudo-header. */
static uint16_t transport_sum(const struct drill_flow *f, uint8_t proto, const uint8_t *p,
                              size_t len)
{
    size_t skip = is_v6(f->src) ? 0 : 12;
    uint32_t s = sum(f->src + skip, 16 - skip, 0);
    s = sum(f->dst + skip, 16 - skip, s);
    s = sum(p, len, s + proto + (uint32_t)len);
    return (uint16_t)~s;
}

/* The IP header for `payload` bytes of `proto`; returns its length. */
static size_t ip_header(uint8_t *out, const struct drill_packet *p, const struct drill_flow *f,
                        uint32_t proto_and_payload)
{
    uint8_t proto = (uint8_t)(proto_and_payload >> 24);
    uint32_t payload = proto_and_payload & 0xffffff;
    uint32_t tos = (p->tos < 0 ? 0 : (uint32_t)p->tos) | (p->ecn > 0 ? (uint32_t)p->ecn : 0);
    uint8_t ttl = p->ttl < 0 ? 255 : (uint8_t)p->ttl;
    if (is_v6(f->src)) {
        put32(out, 6u << 28 | tos << 20 | (p->flowlabel < 0 ? 0 : (uint32_t)p->flowlabel));
        put16(out + 4, payload);
        out[6] = proto;
        out[7] = ttl;
        memcpy(out + 8, f->src, 16);
        memcpy(out + 24, f->dst, 16);
        return IP6;
    }
    memset(out, 0, IP4);
    out[0] = 0x45;
    out[1] = (uint8_t)tos;
    put16(out + 2, IP4 + payload);
    out[8] = ttl;
    out[9] = proto;
    memcpy(out + 12, f->src + 12, 4);
    memcpy(out + 16, f->dst + 12, 4);
    put16(out + 10, (uint16_t)~sum(out, IP4, 0));
    return IP4;
}

/* One option; returns its length, at most 40. */
static size_t option(uint8_t *out, const struct drill_opt *o)
{
    out[0] = o->kind;
    switch (o->kind) {
    case DRILL_OPT_EOL:
    case DRILL_OPT_NOP:
        return 1;
    case DRILL_OPT_MSS:
        out[1] = 4;
        put16(out + 2, o->value[0]);
        return 4;
    case DRILL_OPT_WSCALE:
        out[1] = 3;
        out[2] = (uint8_t)o->value[0];
        return 3;
    case DRILL_OPT_SACKOK:
        out[1] = 2;
        return 2;
    case DRILL_OPT_SACK:
    case DRILL_OPT_TS:
        for (size_t i = 0; i < o->count; i++)
            put32(out + 2 + 4 * i, o->value[i]);
        out[1] = (uint8_t)(2 + 4 * o->count);
        return out[1];
    case DRILL_OPT_ACCECN0:
    case DRILL_OPT_ACCECN1:
        for (size_t i = 0; i < o->count; i++) {
            out[2 + 3 * i] = (uint8_t)(o->value[i] >> 16);
            put16(out + 3 + 3 * i, o->value[i]);
        }
        out[1] = (uint8_t)(2 + 3 * o->count);
        return out[1];
    case DRILL_OPT_EXP:
        put16(out + 2, 0xf989);
        memcpy(out + 4, o->bytes, o->len);
        out[1] = (uint8_t)(4 + o->len);
        return out[1];
    default:
        memcpy(out + 2, o->bytes, o->signs ? 0 : o->len);
        out[1] = (uint8_t)(2 + (o->kind == DRILL_OPT_MD5 ? 16 : o->len));
        return out[1];
    }
}

/* All of them, padded to a multiple of four with EOL; > 40: they do not fit. */
static size_t options(uint8_t out[128], const struct drill_packet *p)
{
    size_t len = 0;
    memset(out, 0, 128);
    for (size_t i = 0; i < p->opt_count && len <= 40; i++)
        len += option(out + len, &p->opt[i]);
    return (len + 3) & ~(size_t)3;
}

/* Over the pseudo-header, the header without options and with no checksum, the data and the key. */
void drill_sign(const uint8_t *data, size_t len, const struct drill_opt *key, uint8_t out[16])
{
    bool v6 = data[0] >> 4 == 6;
    size_t ip = v6 ? IP6 : IP4, addresses = v6 ? 32 : 8, at = addresses;
    const uint8_t *t = data + ip;
    size_t header = (size_t)(t[12] >> 4) * 4;
    uint8_t head[32 + 8 + TCP] = {0};
    memcpy(head, data + ip - addresses, addresses);
    if (v6) {
        put32(head + at, (uint32_t)(len - ip));
        head[at + 7] = PROTO_TCP;
        at += 8;
    } else {
        head[at + 1] = PROTO_TCP;
        put16(head + at + 2, (uint32_t)(len - ip));
        at += 4;
    }
    memcpy(head + at, t, TCP);
    put16(head + at + 16, 0);
    const tern_iov iov[] = {/* (they are only read) */
                            {head, at + TCP},
                            {(void *)(t + header), len - ip - header},
                            {(void *)key->bytes, key->len}};
    tern_sockets_md5(NULL, iov, 3, out);
}

static size_t tcp(const struct drill_packet *p, const struct drill_flow *f, uint8_t *out,
                  const char **why)
{
    uint8_t opts[128];
    size_t opts_len = options(opts, p), header = TCP + opts_len;
    if (opts_len > 40) {
        *why = "the TCP options take more than 40 bytes";
        return 0;
    }
    if (IP6 + header + p->len > DRILL_PACKET_MAX) {
        *why = "the packet would be longer than 65,535 bytes";
        return 0;
    }
    uint32_t len = (uint32_t)header + p->len;
    size_t ip = ip_header(out, p, f, (uint32_t)PROTO_TCP << 24 | len);
    uint8_t *t = out + ip;
    put16(t, f->sport);
    put16(t + 2, f->dport);
    put32(t + 4, p->seq);
    put32(t + 8, p->has_ack ? p->ack : 0);
    put16(t + 12, (uint32_t)(header / 4 << 12) | (p->flags & 0x1ffu));
    put16(t + 14, p->win < 0 ? 0 : (uint32_t)p->win);
    put16(t + 16, 0);
    put16(t + 18, p->urg);
    memcpy(t + TCP, opts, opts_len);
    memset(t + header, 0, p->len);
    for (size_t i = 0, at = TCP; i < p->opt_count; at += option(opts, &p->opt[i++]))
        if (p->opt[i].signs)
            drill_sign(out, ip + len, &p->opt[i], t + at + 2);
    put16(t + 16, transport_sum(f, PROTO_TCP, t, len));
    return ip + len;
}

static size_t udp(const struct drill_packet *p, const struct drill_flow *f, uint8_t *out)
{
    uint32_t len = 8 + p->len;
    size_t ip = ip_header(out, p, f, (uint32_t)PROTO_UDP << 24 | len);
    uint8_t *u = out + ip;
    put16(u, f->sport);
    put16(u + 2, f->dport);
    put16(u + 4, len);
    put16(u + 6, 0);
    memset(u + 8, 0, p->len);
    put16(u + 6, transport_sum(f, PROTO_UDP, u, len));
    return ip + len;
}

/* An error with the quoted packet's IP header and its first eight bytes behind. */
static size_t icmp(const struct drill_packet *p, const struct drill_flow *f,
                   const struct drill_quoted *q, uint8_t *out)
{
    bool v6 = is_v6(f->src);
    struct drill_packet plain = {.tos = -1, .ttl = 64, .flowlabel = -1, .ecn = -1};
    uint8_t type, code;
    if (!drill_icmp_type(v6, p, &type, &code))
        return 0;
    uint32_t len = 8;
    uint8_t proto = v6 ? PROTO_ICMP6 : PROTO_ICMP, *m = out + (v6 ? IP6 : IP4);
    memset(m, 0, 8);
    m[0] = type;
    m[1] = code;
    if (v6)
        put32(m + 4, p->icmp_mtu < 0 ? 0 : (uint32_t)p->icmp_mtu);
    else
        put16(m + 6, p->icmp_mtu < 0 ? 0 : (uint32_t)p->icmp_mtu);
    if (p->quote.given) {
        uint32_t inner = q->len + (q->proto == DRILL_UDP ? 8 : TCP);
        uint8_t inner_proto = q->proto == DRILL_UDP ? PROTO_UDP : PROTO_TCP;
        len += (uint32_t)ip_header(m + 8, &plain, &q->flow, (uint32_t)inner_proto << 24 | inner);
        put16(m + len, q->flow.sport);
        put16(m + len + 2, q->flow.dport);
        if (q->proto == DRILL_UDP)
            put32(m + len + 4, inner << 16);
        else
            put32(m + len + 4, q->seq);
        len += 8;
    }
    size_t ip = ip_header(out, p, f, (uint32_t)proto << 24 | len);
    put16(m + 2, v6 ? transport_sum(f, proto, m, len) : (uint16_t)~sum(m, len, 0));
    return ip + len;
}

size_t drill_encode(const struct drill_packet *p, const struct drill_flow *flow,
                    const struct drill_quoted *quoted, uint8_t *out, const char **why)
{
    size_t len = p->proto == DRILL_TCP   ? tcp(p, flow, out, why)
                 : p->proto == DRILL_UDP ? udp(p, flow, out)
                                         : icmp(p, flow, quoted, out);
    if (len == 0 && p->proto == DRILL_ICMP)
        *why = "an unknown ICMP type or code";
    return len;
}

/* ---- names of ICMP --------------------------------------------------------------------------- */

struct icmp_name {
    const char *type, *code;
    uint8_t type4, code4; /* 255: not in this family */
    uint8_t type6, code6;
};

/* A script in the words of one family can be played in the other, by what the words mean. */
static const struct icmp_name icmp_names[] = {
    {"unreachable", "net_unreachable", 3, 0, 1, 0},
    {"unreachable", "host_unreachable", 3, 1, 1, 3},
    {"unreachable", "protocol_unreachable", 3, 2, 4, 1},
    {"unreachable", "port_unreachable", 3, 3, 1, 4},
    {"unreachable", "frag_needed", 3, 4, 2, 0},
    {"unreachable", "source_route_failed", 3, 5, 1, 5},
    {"unreachable", "net_unknown", 3, 6, 1, 0},
    {"unreachable", "host_unknown", 3, 7, 1, 3},
    {"unreachable", "source_host_isolated", 3, 8, 1, 3},
    {"unreachable", "host_isolated", 3, 8, 1, 3},
    {"unreachable", "net_prohibited", 3, 9, 1, 1},
    {"unreachable", "host_prohibited", 3, 10, 1, 1},
    {"unreachable", "net_unreachable_for_tos", 3, 11, 1, 0},
    {"unreachable", "host_unreachable_for_tos", 3, 12, 1, 3},
    {"unreachable", "packet_filtered", 3, 13, 1, 1},
    {"unreachable", "communication_prohibited", 3, 13, 1, 1},
    {"unreachable", "precedence_violation", 3, 14, 255, 255},
    {"unreachable", "precedence_cutoff", 3, 15, 255, 255},
    {"unreachable", "no_route", 3, 0, 1, 0},
    {"unreachable", "noroute", 3, 0, 1, 0},
    {"unreachable", "admin_prohibited", 3, 13, 1, 1},
    {"unreachable", "adm_prohibited", 3, 13, 1, 1},
    {"unreachable", "not_neighbour", 255, 255, 1, 2},
    {"unreachable", "address_unreachable", 3, 1, 1, 3},
    {"unreachable", "addr_unreachable", 3, 1, 1, 3},
    {"packet_too_big", NULL, 3, 4, 2, 0},
    {"source_quench", NULL, 4, 0, 255, 255},
    {"redirect", NULL, 5, 1, 255, 255},
    {"time_exceeded", "exceed_ttl", 11, 0, 3, 0},
    {"time_exceeded", "exceed_fragtime", 11, 1, 3, 1},
    {"time_exceeded", "exceed_hop_limit", 11, 0, 3, 0},
    {"time_exceeded", "exceed_frag_reassembly", 11, 1, 3, 1},
    {"time_exceeded", NULL, 11, 0, 3, 0},
    {"parameter_problem", "unknown_next_header", 255, 255, 4, 1},
    {"parameter_problem", NULL, 12, 0, 4, 0},
    {"echo", NULL, 8, 0, 128, 0},
    {"echo_request", NULL, 8, 0, 128, 0},
    {"echo_reply", NULL, 0, 0, 129, 0},
};

enum { ICMP_NAMES = sizeof(icmp_names) / sizeof(icmp_names[0]) };

const char *drill_icmp_name(size_t n)
{
    if (n >= ICMP_NAMES)
        return NULL;
    return icmp_names[n].code ? icmp_names[n].code : icmp_names[n].type;
}

static bool same(const char *a, const char *b) { return a && b ? strcmp(a, b) == 0 : a == b; }

static bool small_number(const char *text, uint8_t *out)
{
    char *end;
    unsigned long n = strtoul(text, &end, 0);
    *out = (uint8_t)n;
    return *end == '\0' && n < 256;
}

bool drill_icmp_type(bool v6, const struct drill_packet *p, uint8_t *type, uint8_t *code)
{
    *code = 0;
    if (*p->icmp_type >= '0' && *p->icmp_type <= '9')
        return small_number(p->icmp_type, type) &&
               (!p->icmp_code || small_number(p->icmp_code, code));
    for (size_t i = 0; i < ICMP_NAMES; i++) {
        const struct icmp_name *n = &icmp_names[i];
        if (same(n->type, p->icmp_type) && same(n->code, p->icmp_code)) {
            *type = v6 ? n->type6 : n->type4;
            *code = v6 ? n->code6 : n->code4;
            return *type != 255;
        }
    }
    return false;
}
