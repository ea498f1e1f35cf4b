/* decode.c - takes apart the packets that the stack sends, shows packets, and compares them. */
#include "drill/packet.h"

#include <string.h>

static uint16_t get16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }
static uint32_t get32(const uint8_t *p) { return (uint32_t)get16(p) << 16 | get16(p + 2); }

/* ---- bytes to a packet ----------------------------------------------------------------------- */

static uint32_t add(const uint8_t *p, size_t len, uint32_t s)
{
    for (size_t i = 0; i < len; i++)
        s += i & 1 ? p[i] : (uint32_t)p[i] << 8;
    return (s & 0xffff) + (s >> 16);
}

static bool sum_is_right(uint32_t s)
{
    while (s >> 16)
        s = (s & 0xffff) + (s >> 16);
    return s == 0xffff;
}

static void values(struct drill_opt *o, const uint8_t *data, size_t len, size_t size)
{
    for (size_t i = 0; i + size <= len && o->count < DRILL_OPT_VALUES; i += size) {
        uint32_t v = 0;
        for (size_t k = 0; k < size; k++)
            v = v << 8 | data[i + k];
        o->value[o->count++] = v;
    }
}

/* One option of `len` bytes of data behind kind and length. */
static void option(struct drill_opt *o, const uint8_t *data, size_t len)
{
    switch (o->kind) {
    case DRILL_OPT_MSS:
        values(o, data, len, 2);
        break;
    case DRILL_OPT_WSCALE:
        values(o, data, len, 1);
        break;
    case DRILL_OPT_SACK:
    case DRILL_OPT_TS:
        values(o, data, len, 4);
        break;
    case DRILL_OPT_ACCECN0:
    case DRILL_OPT_ACCECN1:
        values(o, data, len, 3);
        break;
    case DRILL_OPT_EXP:
        if (len >= 2 && get16(data) == 0xf989) {
            data += 2;
            len -= 2;
        }
        memcpy(o->bytes, data, len);
        o->len = (uint8_t)len;
        break;
    default:
        memcpy(o->bytes, data, len);
        o->len = (uint8_t)len;
        break;
    }
}

static const char *options(const uint8_t *p, size_t len, struct drill_packet *out)
{
    out->opts = len ? DRILL_OPTS_LIST : DRILL_OPTS_NONE;
    for (size_t i = 0; i < len;) {
        struct drill_opt *o = &out->opt[out->opt_count++];
        o->kind = p[i];
        if (o->kind == DRILL_OPT_EOL || o->kind == DRILL_OPT_NOP) {
            i++;
            continue;
        }
        if (i + 2 > len || p[i + 1] < 2 || i + p[i + 1] > len)
            return "a TCP option with a wrong length";
        option(o, p + i + 2, p[i + 1] - 2u);
        i += p[i + 1];
    }
    return NULL;
}

static const char *tcp(const uint8_t *t, size_t len, struct drill_packet *p, struct drill_flow *f)
{
    size_t header = len >= 20 ? (size_t)(t[12] >> 4) * 4 : 0;
    if (header < 20 || header > len)
        return "a malformed TCP header";
    p->proto = DRILL_TCP;
    f->sport = get16(t);
    f->dport = get16(t + 2);
    p->seq = get32(t + 4);
    p->flags = get16(t + 12) & 0x1ff;
    p->has_ack = (p->flags & DRILL_ACK) != 0;
    p->ack = get32(t + 8);
    if (!p->has_ack && p->ack != 0)
        return "an acknowledgement number without the ACK flag";
    p->win = get16(t + 14);
    p->urg = get16(t + 18);
    p->has_urg = (p->flags & DRILL_URG) != 0;
    p->len = (uint32_t)(len - header);
    p->end = p->seq + p->len;
    return options(t + 20, header - 20, p);
}

static const char *transport(const uint8_t *t, size_t len, struct drill_packet *p,
                             struct drill_flow *f)
{
    switch (p->proto) {
    case DRILL_TCP:
        return tcp(t, len, p, f);
    case DRILL_UDP:
        if (len < 8)
            return "a malformed UDP header";
        f->sport = get16(t);
        f->dport = get16(t + 2);
        p->len = (uint32_t)len - 8;
        return NULL;
    case DRILL_ICMP:
        break;
    }
    return len < 8 ? "a malformed ICMP message" : NULL;
}

static bool proto_of(uint8_t number, bool v6, enum drill_proto *out)
{
    if (number == 6)
        *out = DRILL_TCP;
    else if (number == 17)
        *out = DRILL_UDP;
    else if (number == (v6 ? 58 : 1))
        *out = DRILL_ICMP;
    else
        return false;
    return true;
}

const char *drill_decode(const uint8_t *data, size_t len, struct drill_packet *p,
                         struct drill_flow *f)
{
    uint32_t s;
    size_t ip;
    uint8_t number;
    *p = (struct drill_packet){.outbound = true, .win = -1, .icmp_mtu = -1};
    *f = (struct drill_flow){.src = {[10] = 0xff, [11] = 0xff}, .dst = {[10] = 0xff, [11] = 0xff}};
    bool v6 = len > 0 && data[0] >> 4 == 6;
    if (v6 && len >= 40 && get16(data + 4) == len - 40) {
        ip = 40;
        number = data[6];
        p->tos = get16(data) >> 4 & 0xff;
        p->ttl = data[7];
        p->flowlabel = (int)(get32(data) & 0xfffff);
        memcpy(f->src, data + 8, 16);
        memcpy(f->dst, data + 24, 16);
        s = add(data + 8, 32, 0);
    } else if (len >= 20 && data[0] == 0x45 && get16(data + 2) == len) {
        ip = 20;
        number = data[9];
        p->tos = data[1];
        p->ttl = data[8];
        p->flowlabel = -1;
        memcpy(f->src + 12, data + 12, 4);
        memcpy(f->dst + 12, data + 16, 4);
        if (!sum_is_right(add(data, 20, 0)))
            return "a wrong IP checksum";
        s = add(data + 12, 8, 0);
    } else {
        return "a malformed IP header";
    }
    p->ecn = p->tos & 3;
    if (!proto_of(number, v6, &p->proto))
        return "an unknown transport protocol";
    if (p->proto == DRILL_ICMP && !v6)
        s = 0;
    else
        s += number + (uint32_t)(len - ip);
    if (!sum_is_right(add(data + ip, len - ip, s)))
        return "a wrong transport checksum";
    return transport(data + ip, len - ip, p, f);
}

/* ---- a packet to text ------------------------------------------------------------------------ */

static void show_hex(struct drill_text *t, const struct drill_opt *o)
{
    drill_print(t, "%s", o->len ? " " : "");
    for (size_t i = 0; i < o->len; i++)
        drill_print(t, "%02x", o->bytes[i]);
}

static void show_option(struct drill_text *t, const struct drill_opt *o)
{
    switch (o->kind) {
    case DRILL_OPT_EOL:
        drill_print(t, "eol");
        break;
    case DRILL_OPT_NOP:
        drill_print(t, "nop");
        break;
    case DRILL_OPT_MSS:
        drill_print(t, "mss %u", o->value[0]);
        break;
    case DRILL_OPT_WSCALE:
        drill_print(t, "wscale %u", o->value[0]);
        break;
    case DRILL_OPT_SACKOK:
        drill_print(t, "sackOK");
        break;
    case DRILL_OPT_SACK:
        drill_print(t, "sack");
        for (size_t i = 0; i + 1 < o->count; i += 2)
            drill_print(t, " %u:%u", o->value[i], o->value[i + 1]);
        break;
    case DRILL_OPT_TS:
        drill_print(t, "TS val %u ecr %u", o->value[0], o->value[1]);
        break;
    case DRILL_OPT_ACCECN0:
    case DRILL_OPT_ACCECN1:
        drill_print(t, "ECN");
        for (size_t i = 0; i < o->count; i++)
            drill_print(t, " %s %u",
                        i == 1                                       ? "ceb"
                        : (i == 0) == (o->kind == DRILL_OPT_ACCECN0) ? "e0b"
                                                                     : "e1b",
                        o->value[i]);
        break;
    case DRILL_OPT_FO:
    case DRILL_OPT_EXP:
    case DRILL_OPT_MD5:
        drill_print(t, o->kind == DRILL_OPT_FO ? "FO" : o->kind == DRILL_OPT_EXP ? "FOEXP" : "md5");
        if (o->kind != DRILL_OPT_MD5)
            show_hex(t, o);
        break;
    default:
        drill_print(t, "kind-%u", o->kind);
        show_hex(t, o);
        break;
    }
}

void drill_show_options(struct drill_text *t, const struct drill_packet *p)
{
    if (p->opts == DRILL_OPTS_ANY)
        drill_print(t, "<...>");
    if (p->opts != DRILL_OPTS_LIST)
        return;
    drill_print(t, "<");
    for (size_t i = 0; i < p->opt_count; i++) {
        drill_print(t, "%s", i ? "," : "");
        show_option(t, &p->opt[i]);
    }
    drill_print(t, ">");
}

static void show_flags(struct drill_text *t, uint16_t flags)
{
    static const char order[] = "SFRP.UEWA";
    static const uint16_t bits[] = {DRILL_SYN, DRILL_FIN, DRILL_RST, DRILL_PSH, DRILL_ACK,
                                    DRILL_URG, DRILL_ECE, DRILL_CWR, DRILL_AE};
    if (flags == 0)
        drill_print(t, "-");
    for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
        if (flags & bits[i])
            drill_put(t, &order[i], 1);
}

static void show_icmp(struct drill_text *t, const struct drill_packet *p)
{
    drill_print(t, "icmp");
    if (p->icmp_type)
        drill_print(t, " %s%s%s", p->icmp_type, p->icmp_code ? " " : "",
                    p->icmp_code ? p->icmp_code : "");
    if (p->icmp_mtu >= 0)
        drill_print(t, " mtu %d", (int)p->icmp_mtu);
    if (p->quote.given)
        drill_print(t, " [%u:%u(%u)]", p->quote.seq, p->quote.end, p->quote.len);
}

void drill_show_packet(struct drill_text *t, const struct drill_packet *p)
{
    static const char *const marks[] = {"[noecn] ", "[ect1] ", "[ect0] ", "[ce] "};
    if (p->ecn >= (p->outbound ? DRILL_ECT1 : DRILL_NOECN) && p->ecn <= DRILL_CE)
        drill_print(t, "%s", marks[p->ecn]);
    if (p->proto == DRILL_ICMP) {
        show_icmp(t, p);
        return;
    }
    if (p->proto == DRILL_UDP) {
        drill_print(t, "udp (%u)", p->len);
        return;
    }
    show_flags(t, p->flags);
    drill_print(t, " %u:%u(%u)", p->seq, p->end, p->len);
    if (p->has_ack)
        drill_print(t, " ack %u", p->ack);
    if (p->win >= 0)
        drill_print(t, " win %d", (int)p->win);
    if (p->has_urg)
        drill_print(t, " urg %u", p->urg);
    if (p->opts != DRILL_OPTS_NONE)
        drill_print(t, " ");
    drill_show_options(t, p);
}

/* ---- two packets ----------------------------------------------------------------------------- */

static bool field(struct drill_text *why, const char *name, uint32_t expected, uint32_t actual)
{
    if (expected == actual)
        return true;
    drill_print(why, "live packet field %s: expected: %u (0x%x) vs actual: %u (0x%x)", name,
                expected, expected, actual, actual);
    return false;
}

/* (The options were looked at before: the packet is well-formed.) */
bool drill_is_signed(const uint8_t *data, size_t len, const struct drill_packet *p)
{
    size_t ip = len > 0 && data[0] >> 4 == 6 ? 40 : 20;
    for (size_t i = 0; i < p->opt_count; i++) {
        const uint8_t *o = data + ip + 20, *end = data + ip + (size_t)(data[ip + 12] >> 4) * 4;
        uint8_t digest[16];
        if (!p->opt[i].signs)
            continue;
        while (o < end && *o != DRILL_OPT_EOL && *o != DRILL_OPT_MD5)
            o += *o == DRILL_OPT_NOP ? 1 : o[1];
        drill_sign(data, len, &p->opt[i], digest);
        if (end - o < 18 || *o != DRILL_OPT_MD5 || memcmp(o + 2, digest, 16) != 0)
            return false;
    }
    return true;
}

static bool option_matches(const struct drill_opt *e, const struct drill_opt *a)
{
    if (e->kind != a->kind)
        return false;
    if (e->kind == DRILL_OPT_MD5)
        return true;
    if (e->count != a->count || e->len != a->len || memcmp(e->bytes, a->bytes, e->len) != 0)
        return false;
    /* val was checked before, where the clock's rate is known */
    for (size_t i = e->kind == DRILL_OPT_TS ? 1 : 0; i < e->count; i++)
        if (e->value[i] != a->value[i])
            return false;
    return true;
}

static bool options_match(const struct drill_packet *e, const struct drill_packet *a,
                          struct drill_text *why)
{
    bool equal = e->opt_count == a->opt_count;
    if (e->opts == DRILL_OPTS_ANY)
        return true;
    for (size_t i = 0; i < e->opt_count && equal; i++)
        equal = option_matches(&e->opt[i], &a->opt[i]);
    if (equal)
        return true;
    drill_print(why, "bad outbound TCP options: expected: ");
    drill_show_options(why, e);
    drill_print(why, "%s vs actual: ", e->opt_count ? "" : "none");
    drill_show_options(why, a);
    drill_print(why, "%s", a->opt_count ? "" : "none");
    return false;
}

static bool flags_match(const struct drill_packet *e, const struct drill_packet *a,
                        struct drill_text *why)
{
    if (e->flags == a->flags)
        return true;
    drill_print(why, "live packet field tcp_flags: expected: ");
    show_flags(why, e->flags);
    drill_print(why, " vs actual: ");
    show_flags(why, a->flags);
    return false;
}

static bool tcp_matches(const struct drill_packet *e, const struct drill_packet *a,
                        struct drill_text *why)
{
    return flags_match(e, a, why) && field(why, "tcp_seq", e->seq, a->seq) &&
           field(why, "tcp_payload_length", e->len, a->len) &&
           (!e->has_ack || e->ack_any || field(why, "tcp_ack", e->ack, a->ack)) &&
           (e->win < 0 || field(why, "tcp_window_size", (uint32_t)e->win, (uint32_t)a->win)) &&
           (!e->has_urg || field(why, "tcp_urg_ptr", e->urg, a->urg)) && options_match(e, a, why);
}

bool drill_match(const struct drill_packet *e, const struct drill_packet *a, struct drill_text *why)
{
    if (e->proto != a->proto) {
        static const char *const names[] = {"TCP", "UDP", "ICMP"};
        drill_print(why, "live packet protocol: expected: %s vs actual: %s", names[e->proto],
                    names[a->proto]);
        return false;
    }
    if ((e->ecn >= 0 && !field(why, "ip_ecn", (uint32_t)e->ecn, (uint32_t)a->ecn)) ||
        (e->tos >= 0 && !field(why, "ip_tos", (uint32_t)e->tos, (uint32_t)a->tos)) ||
        (e->ttl >= 0 && !field(why, "ip_ttl", (uint32_t)e->ttl, (uint32_t)a->ttl)) ||
        (e->flowlabel >= 0 && a->flowlabel >= 0 &&
         !field(why, "ipv6_flowlabel", (uint32_t)e->flowlabel, (uint32_t)a->flowlabel)))
        return false;
    if (e->proto == DRILL_UDP)
        return field(why, "udp_payload_length", e->len, a->len);
    return e->proto == DRILL_ICMP || tcp_matches(e, a, why);
}
