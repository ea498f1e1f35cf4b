/* rig_wire.c - packets built and read by the test bench itself, so that the stack's own reader and
 * writer are not their own judges. The reader is strict: anything the RFCs do not foresee in a
 * packet that a good stack emits is an error with a text. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "rig.h"

static void put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
    put16(p, v >> 16);
    put16(p + 2, v & 0xffff);
}

static uint16_t get16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }

static uint32_t get32(const uint8_t *p) { return (uint32_t)get16(p) << 16 | get16(p + 2); }

void pattern_fill(int way, uint32_t offset, void *to, size_t len)
{
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)to)[i] = pattern(way, offset + (uint32_t)i);
}

uint32_t seg_sum(const void *p, size_t len, uint32_t sum)
{
    const uint8_t *b = p;
    uint64_t s = sum;
    for (size_t i = 0; i + 1 < len; i += 2)
        s += get16(b + i);
    if (len & 1)
        s += (uint32_t)b[len - 1] << 8;
    while (s >> 16)
        s = (s & 0xffff) + (s >> 16);
    return (uint32_t)s;
}

/* ---- building -------------------------------------------------------------------------------- */

static unsigned put_options(const struct seg *g, uint8_t *o)
{
    unsigned n = 0;
    if (g->raw != NULL) {
        memcpy(o, g->raw, g->raw_len);
        n = g->raw_len;
    } else {
        if (g->mss != 0)
            put32(o + n, 0x02040000u | g->mss), n += 4;
        if (g->sack_ok)
            put32(o + n, 0x01010402), n += 4;
        if (g->ts) {
            put32(o + n, 0x0101080a), put32(o + n + 4, g->tsval), put32(o + n + 8, g->tsecr);
            n += 12;
        }
        if (g->wscale >= 0)
            put32(o + n, 0x01030300u | (uint32_t)g->wscale), n += 4;
        if (g->accecn) {
            o[n] = g->order1 ? 174 : 172;
            o[n + 1] = (uint8_t)(2 + 3 * g->counters);
            n += 2;
            for (unsigned i = 0; i < g->counters; i++, n += 3)
                o[n] = (uint8_t)(g->counter[i] >> 16), put16(o + n + 1, g->counter[i] & 0xffff);
            while (n % 4 != 0)
                o[n++] = 1;
        }
        if (g->sacks != 0) {
            put32(o + n, 0x01010500u | (2 + 8 * g->sacks)), n += 4;
            for (unsigned i = 0; i < g->sacks; i++, n += 8)
                put32(o + n, g->sack[i].lo), put32(o + n + 4, g->sack[i].hi);
        }
    }
    while (n % 4 != 0)
        o[n++] = 0;
    return n;
}

static size_t put_ip(const struct seg *g, uint8_t *p, size_t payload)
{
    if (g->ip6) {
        put32(p, 0x60000000u | (uint32_t)g->tos << 20);
        put16(p + 4, (uint32_t)payload);
        p[6] = 6;
        p[7] = g->ttl;
        memcpy(p + 8, g->src, 16);
        memcpy(p + 24, g->dst, 16);
        return 40;
    }
    memset(p, 0, 20);
    p[0] = 0x45;
    p[1] = g->tos;
    put16(p + 2, (uint32_t)payload + 20);
    p[6] = 0x40;
    p[8] = g->ttl;
    p[9] = 6;
    memcpy(p + 12, g->src + 12, 4);
    memcpy(p + 16, g->dst + 12, 4);
    return 20;
}

static uint32_t pseudo(const uint8_t *ip, bool ip6, uint8_t proto, size_t len)
{
    uint32_t sum = ip6 ? seg_sum(ip + 8, 32, 0) : seg_sum(ip + 12, 8, 0);
    sum += proto;
    sum += (uint32_t)(len >> 16) + (uint32_t)(len & 0xffff);
    return sum;
}

void seg_resum(uint8_t *p, size_t len)
{
    bool ip6 = p[0] >> 4 == 6;
    size_t ip = ip6 ? 40 : (size_t)(p[0] & 15) * 4;
    if (!ip6) {
        put16(p + 10, 0);
        put16(p + 10, ~seg_sum(p, ip, 0) & 0xffff);
    }
    put16(p + ip + 16, 0);
    put16(p + ip + 16, ~seg_sum(p + ip, len - ip, pseudo(p, ip6, 6, len - ip)) & 0xffff);
}

size_t seg_build(const struct seg *g, uint8_t *p)
{
    uint8_t options[64];
    unsigned opt = put_options(g, options);
    size_t ip = put_ip(g, p, 20 + opt + g->len);
    uint8_t *t = p + ip;
    put16(t, g->sport);
    put16(t + 2, g->dport);
    put32(t + 4, g->seq);
    put32(t + 8, g->ack);
    t[12] = (uint8_t)((20 + opt) / 4 << 4 | (g->flags >> 8 & 15));
    t[13] = (uint8_t)g->flags;
    put16(t + 14, g->wnd);
    put16(t + 16, 0);
    put16(t + 18, g->urg);
    memcpy(t + 20, options, opt);
    if (g->len != 0)
        memcpy(t + 20 + opt, g->data, g->len);
    seg_resum(p, ip + 20 + opt + g->len);
    return ip + 20 + opt + g->len;
}

/* ---- reading --------------------------------------------------------------------------------- */

static const char *parse_sack(const uint8_t *o, unsigned len, struct seg *g)
{
    if (len < 10 || (len - 2) % 8 != 0)
        return "SACK of an impossible length";
    g->sacks = (len - 2) / 8;
    for (unsigned i = 0; i < g->sacks; i++) {
        g->sack[i].lo = get32(o + 2 + 8 * i);
        g->sack[i].hi = get32(o + 6 + 8 * i);
        if ((int32_t)(g->sack[i].hi - g->sack[i].lo) <= 0)
            return "an empty SACK block";
    }
    return NULL;
}

/* One option at `o`, of which `left` bytes may follow. */
static const char *parse_option(const uint8_t *o, unsigned left, struct seg *g)
{
    bool syn = (g->flags & S) != 0;
    unsigned len = left > 1 ? o[1] : 0;
    if (len < 2 || len > left)
        return "an option of an impossible length"; /* MUST-68 */
    switch (o[0]) {
    case 2:
        if (!syn || len != 4 || g->mss != 0)
            return "MSS option: not on SYN, twice or malformed"; /* MUST-65 */
        g->mss = get16(o + 2);
        return g->mss == 0 ? "MSS of zero" : NULL;
    case 3:
        if (!syn || len != 3 || g->wscale >= 0 || o[2] > 14)
            return "window scale: not on SYN, twice or malformed";
        g->wscale = o[2];
        return NULL;
    case 4:
        if (!syn || len != 2 || g->sack_ok)
            return "SACK-permitted: not on SYN, twice or malformed";
        g->sack_ok = true;
        return NULL;
    case 5:
        return syn || g->sacks != 0 ? "SACK on SYN, or twice" : parse_sack(o, len, g);
    case 8:
        if (len != 10 || g->ts)
            return "timestamps: twice or malformed";
        g->ts = true;
        g->tsval = get32(o + 2);
        g->tsecr = get32(o + 6);
        return NULL;
    case 172:
    case 174:
        if (g->accecn || len > 11 || len % 3 != 2)
            return "AccECN: twice or malformed";
        g->accecn = true;
        g->order1 = o[0] == 174;
        g->counters = len / 3;
        for (unsigned i = 0; i < g->counters; i++)
            g->counter[i] = (uint32_t)o[2 + 3 * i] << 16 | get16(o + 3 + 3 * i);
        return NULL;
    default:
        return "an option nobody asked for";
    }
}

static const char *parse_options(const uint8_t *o, unsigned left, struct seg *g)
{
    while (left > 0) {
        if (o[0] == 0) {
            for (unsigned i = 0; i < left; i++)
                if (o[i] != 0)
                    return "padding that is not zero"; /* MUST-69 */
            return NULL;
        }
        unsigned len = 1;
        if (o[0] != 1) {
            const char *why = parse_option(o, left, g);
            if (why != NULL)
                return why;
            len = o[1];
        }
        o += len;
        left -= len;
    }
    return NULL;
}

static const char *parse_tcp(const uint8_t *t, size_t len, struct seg *g)
{
    if (len < 20)
        return "shorter than a TCP header";
    size_t header = (size_t)(t[12] >> 4) * 4;
    if (header < 20 || header > len)
        return "an impossible data offset";
    if (t[12] & 0x0e)
        return "reserved bits are set"; /* U-27 */
    g->sport = get16(t);
    g->dport = get16(t + 2);
    g->seq = get32(t + 4);
    g->ack = get32(t + 8);
    g->flags = (uint16_t)(t[13] | (t[12] & 1) << 8);
    g->wnd = get16(t + 14);
    g->urg = get16(t + 18);
    g->data = t + header;
    g->len = (uint32_t)(len - header);
    if (g->urg != 0 && !(g->flags & U))
        return "an urgent pointer without URG";
    if (!(g->flags & A) && g->ack != 0)
        return "an ACK number without ACK";
    if (g->flags & S && g->flags & (F | R))
        return "SYN with FIN or RST";
    if (g->sport == 0 || g->dport == 0)
        return "port 0";
    return parse_options(t + 20, (unsigned)header - 20, g);
}

static const char *parse_ip4(const uint8_t *p, size_t len, struct seg *g)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (len < 20 || p[0] != 0x45)
        return "no IPv4 header of 20 bytes";
    if (get16(p + 2) != len)
        return "IPv4: total length is not the packet's";
    if (get16(p + 4) != 0 || get16(p + 6) != 0x4000)
        return "IPv4: not DF with ID 0";
    if (seg_sum(p, 20, 0) != 0xffff)
        return "IPv4: wrong header checksum";
    g->ip6 = false;
    g->tos = p[1];
    g->ttl = p[8];
    memcpy(g->src, mapped, 12);
    memcpy(g->dst, mapped, 12);
    memcpy(g->src + 12, p + 12, 4);
    memcpy(g->dst + 12, p + 16, 4);
    return NULL;
}

static const char *parse_ip6(const uint8_t *p, size_t len, struct seg *g)
{
    if (len < 40 || p[0] >> 4 != 6)
        return "no IPv6 header";
    if ((size_t)get16(p + 4) + 40 != len)
        return "IPv6: payload length is not the packet's";
    g->ip6 = true;
    g->tos = (uint8_t)(get16(p) >> 4);
    g->ttl = p[7];
    memcpy(g->src, p + 8, 16);
    memcpy(g->dst, p + 24, 16);
    return NULL;
}

static const char *parse_icmp(const uint8_t *p, size_t ip, size_t len, struct seg *g)
{
    uint32_t seed = g->ip6 ? pseudo(p, true, 58, len - ip) : 0;
    if (len - ip < 8 || seg_sum(p + ip, len - ip, seed) != 0xffff)
        return "ICMP: short, or wrong checksum";
    g->icmp = true;
    g->flags = get16(p + ip);
    g->data = p + ip;
    g->len = (uint32_t)(len - ip);
    return NULL;
}

const char *seg_parse(const uint8_t *p, size_t len, struct seg *g)
{
    memset(g, 0, sizeof(*g));
    g->wscale = -1;
    bool ip6 = len > 0 && p[0] >> 4 == 6;
    size_t ip = ip6 ? 40 : 20;
    const char *why = ip6 ? parse_ip6(p, len, g) : parse_ip4(p, len, g);
    if (why != NULL)
        return why;
    if (g->ttl == 0)
        return "a hop limit of 0";
    uint8_t proto = ip6 ? p[6] : p[9];
    if (proto == (ip6 ? 58 : 1))
        return parse_icmp(p, ip, len, g);
    if (proto != 6)
        return "neither TCP nor ICMP";
    why = parse_tcp(p + ip, len - ip, g);
    if (why == NULL && seg_sum(p + ip, len - ip, pseudo(p, ip6, 6, len - ip)) != 0xffff)
        return "wrong TCP checksum"; /* MUST-2 */
    return why;
}

/* ---- text ------------------------------------------------------------------------------------ */

const char *seg_text(const struct seg *g, uint32_t seq0, uint32_t ack0)
{
    static char text[4][256];
    static unsigned turn;
    char *b = text[turn++ % 4];
    size_t n = 0, cap = sizeof(text[0]);
    if (g->icmp) {
        snprintf(b, cap, "ICMP type %d code %d, %u bytes", g->flags >> 8, g->flags & 255, g->len);
        return b;
    }
    static const char letters[] = "FSRPAUECN";
    for (unsigned i = 0; i < 9; i++)
        if (g->flags & 1u << i)
            b[n++] = letters[i];
    n += (size_t)snprintf(b + n, cap - n, " seq %u len %u", g->seq - seq0, g->len);
    if (g->flags & A)
        n += (size_t)snprintf(b + n, cap - n, " ack %u", g->ack - ack0);
    n += (size_t)snprintf(b + n, cap - n, " win %u", g->wnd);
    if (g->ts)
        n += (size_t)snprintf(b + n, cap - n, " ts %u:%u", g->tsval, g->tsecr);
    for (unsigned i = 0; i < g->sacks; i++)
        n += (size_t)snprintf(b + n, cap - n, " sack %u-%u", g->sack[i].lo - ack0,
                              g->sack[i].hi - ack0);
    if (g->mss != 0)
        snprintf(b + n, cap - n, " mss %u wscale %d%s", g->mss, g->wscale,
                 g->sack_ok ? " sackOK" : "");
    return b;
}
