/* parse_packet.c - packets: > P. 1:1001(1000) ack 1 win 257 <nop,nop,TS val 100 ecr 200> */
#include "drill/scan.h"

#include <ctype.h>
#include <string.h>

static const char *keep(struct drill_scan *s, struct drill_span span)
{
    return drill_copy(&s->script->arena, span.s, span.len);
}

/* ---- options --------------------------------------------------------------------------------- */

static uint32_t u32(struct drill_scan *s, const char *what)
{
    return (uint32_t)scan_number(s, what, UINT32_MAX);
}

static void push(struct drill_scan *s, struct drill_opt *o, uint32_t value)
{
    if (o->count == DRILL_OPT_VALUES)
        scan_fail(s, "too many values in one option");
    else
        o->value[o->count++] = value;
}

static void sack(struct drill_scan *s, struct drill_opt *o)
{
    while (isdigit((unsigned char)scan_peek(s)) && !scan_failed(s)) {
        push(s, o, u32(s, "SACK's left edge"));
        if (!scan_expect(s, ":"))
            return;
        push(s, o, u32(s, "SACK's right edge"));
    }
}

/* The counters of an AccECN option; which comes first decides its kind (RFC 9768 3.2.3). */
static void accecn(struct drill_scan *s, struct drill_opt *o)
{
    static const char *const names[] = {"e0b", "ceb", "e1b"};
    o->kind = DRILL_OPT_ACCECN0;
    for (;;) {
        size_t i = 0;
        while (i < 3 && !scan_take(s, names[i]))
            i++;
        if (i == 3)
            return;
        if (o->count == 0 && i == 2)
            o->kind = DRILL_OPT_ACCECN1;
        if (o->count == 3 || i != (o->kind == DRILL_OPT_ACCECN0 ? o->count : 2u - o->count)) {
            scan_fail(s, "the counters are e0b, ceb, e1b or e1b, ceb, e0b");
            return;
        }
        push(s, o, (uint32_t)scan_number(s, "a counter", 0xffffff));
    }
}

const char *drill_opt_hex(struct drill_opt *o, const char *digits, size_t len)
{
    if ((len + 1) / 2 > sizeof(o->bytes) - o->len)
        return "an option that is too long";
    for (size_t i = 0; i < len; i++) {
        int c = (unsigned char)digits[i];
        int digit = isdigit(c) ? c - '0' : (c | 0x20) - 'a' + 10;
        if (!isxdigit(c))
            return "no hexadecimal digit";
        if (i % 2 == 0)
            o->bytes[o->len] = (uint8_t)(digit << 4);
        else
            o->bytes[o->len++] |= (uint8_t)digit;
    }
    return len % 2 != 0 ? "an odd number of hexadecimal digits" : NULL;
}

/* The digits of a digest, or the key in quotes that signs the segment. */
static void hex(struct drill_scan *s, struct drill_opt *o);

static void md5(struct drill_scan *s, struct drill_opt *o)
{
    if (!scan_take(s, "\"")) {
        hex(s, o);
        return;
    }
    o->signs = true;
    for (; s->p < s->end && *s->p != '"' && *s->p != '\n'; s->p++) {
        if (o->len == sizeof(o->bytes)) {
            scan_fail(s, "a key that is too long");
            return;
        }
        o->bytes[o->len++] = (uint8_t)*s->p;
    }
    scan_expect(s, "\"");
}

/* A name may stand in the place of the digits: a word with letters behind F. */
static void hex(struct drill_scan *s, struct drill_opt *o)
{
    scan_space(s);
    bool digits = scan_take(s, "0x");
    const char *word = s->p, *end;
    while (s->p < s->end && isxdigit((unsigned char)*s->p))
        s->p++;
    for (end = s->p; end < s->end && (isalnum((unsigned char)*end) || *end == '_');)
        end++;
    if (!digits && end > s->p) {
        o->symbol = word;
        o->symbol_len = (size_t)(end - word);
        s->p = end;
        return;
    }
    const char *why = drill_opt_hex(o, word, (size_t)(s->p - word));
    if (why)
        scan_fail(s, "%s", why);
}

static void timestamps(struct drill_scan *s, struct drill_opt *o)
{
    scan_expect(s, "val");
    push(s, o, u32(s, "val"));
    scan_expect(s, "ecr");
    push(s, o, u32(s, "ecr"));
}

static void option(struct drill_scan *s, struct drill_opt *o)
{
    if (scan_take(s, "mss")) {
        o->kind = DRILL_OPT_MSS;
        push(s, o, (uint32_t)scan_number(s, "mss", UINT16_MAX));
    } else if (scan_take(s, "nop")) {
        o->kind = DRILL_OPT_NOP;
    } else if (scan_take(s, "eol")) {
        o->kind = DRILL_OPT_EOL;
    } else if (scan_take(s, "wscale")) {
        o->kind = DRILL_OPT_WSCALE;
        push(s, o, (uint32_t)scan_number(s, "wscale", UINT8_MAX));
    } else if (scan_take(s, "sackOK") || scan_take(s, "sackok")) {
        o->kind = DRILL_OPT_SACKOK;
    } else if (scan_take(s, "sack")) {
        o->kind = DRILL_OPT_SACK;
        sack(s, o);
    } else if (scan_take(s, "TS")) {
        o->kind = DRILL_OPT_TS;
        timestamps(s, o);
    } else if (scan_take(s, "FOEXP")) {
        o->kind = DRILL_OPT_EXP;
        hex(s, o);
    } else if (scan_take(s, "FO")) {
        o->kind = DRILL_OPT_FO;
        hex(s, o);
    } else if (scan_take(s, "md5")) {
        o->kind = DRILL_OPT_MD5;
        md5(s, o);
    } else if (scan_take(s, "ECN")) {
        accecn(s, o);
    } else {
        scan_fail(s, "an unknown TCP option");
    }
}

/* `<` follows a packet: its options, unless it opens the next event without a time, which shows in
 * the flags and the sequence numbers behind it. */
static bool options_follow(struct drill_scan *s)
{
    if (scan_peek(s) != '<')
        return false;
    struct drill_scan look = *s;
    look.p++;
    while (look.p < look.end && (*look.p == ' ' || *look.p == '\t'))
        look.p++;
    if (look.p < look.end && (*look.p == '[' || *look.p == '('))
        return false;
    if (look.end - look.p >= 4 && memcmp(look.p, "icmp", 4) == 0)
        return false;
    const char *p = look.p;
    while (p < look.end && strchr("SFRPUEWA.-01234567", *p))
        p++;
    bool flags = p > look.p && p < look.end && *p == ' ';
    while (p < look.end && *p == ' ')
        p++;
    return !(flags && p < look.end && isdigit((unsigned char)*p));
}

static void options(struct drill_scan *s, struct drill_packet *p)
{
    if (!options_follow(s))
        return;
    scan_expect(s, "<");
    if (scan_take(s, "...")) {
        p->opts = DRILL_OPTS_ANY;
        scan_expect(s, ">");
        return;
    }
    p->opts = DRILL_OPTS_LIST;
    if (scan_take(s, ">"))
        return;
    do {
        if (p->opt_count == DRILL_OPTS_MAX) {
            scan_fail(s, "too many TCP options");
            return;
        }
        option(s, &p->opt[p->opt_count++]);
    } while (!scan_failed(s) && scan_take(s, ","));
    scan_expect(s, ">");
}

/* ---- the headers ----------------------------------------------------------------------------- */

static void ip_item(struct drill_scan *s, struct drill_packet *p)
{
    static const struct {
        const char *name;
        int ecn;
    } marks[] = {{"noecn", DRILL_NOECN},
                 {"nonect", DRILL_NOECN},
                 {"ect0", DRILL_ECT0},
                 {"ect1", DRILL_ECT1},
                 {"ce", DRILL_CE}};
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
        if (scan_take(s, marks[i].name)) {
            p->ecn = marks[i].ecn;
            return;
        }
    if (scan_take(s, "tos"))
        p->tos = (int)scan_number(s, "tos", UINT8_MAX);
    else if (scan_take(s, "ttl") || scan_take(s, "hoplimit"))
        p->ttl = (int)scan_number(s, "ttl", UINT8_MAX);
    else if (scan_take(s, "flowlabel"))
        p->flowlabel = (int)scan_number(s, "flowlabel", 0xfffff);
    else
        scan_fail(s, "an unknown mark of the IP header");
}

static void ip_info(struct drill_scan *s, struct drill_packet *p)
{
    const char *close = scan_take(s, "[") ? "]" : scan_take(s, "(") ? ")" : NULL;
    if (!close)
        return;
    do
        ip_item(s, p);
    while (!scan_failed(s) && scan_take(s, ","));
    scan_expect(s, close);
}

static void flags(struct drill_scan *s, struct drill_packet *p)
{
    static const char names[] = "FSRP.UEWA";
    scan_space(s);
    const char *at = s->p;
    struct drill_span span = scan_until(s, "[(<>");
    if (span.len == 0)
        scan_fail(s, "expected TCP flags");
    for (size_t i = 0; i < span.len && !scan_failed(s); i++) {
        char c = span.s[i];
        const char *known = strchr(names, c);
        if (known && c) {
            p->flags |= (uint16_t)(1u << (known - names));
        } else if (c >= '0' && c <= '7') { /* the ACE field: AE, CWR, ECE */
            unsigned ace = (unsigned)(c - '0');
            p->flags |= (uint16_t)((ace & 4) << 6 | (ace & 2) << 6 | (ace & 1) << 6);
        } else if (c != '-' || span.len != 1) {
            s->p = at + i;
            scan_fail(s, "an unknown TCP flag");
        }
    }
}

static void sequence(struct drill_scan *s, struct drill_quote *q)
{
    scan_space(s);
    const char *at = s->p;
    q->seq = u32(s, "a sequence number");
    scan_expect(s, ":");
    q->end = u32(s, "a sequence number");
    scan_expect(s, "(");
    q->len = u32(s, "a length");
    scan_expect(s, ")");
    if (!scan_failed(s) && q->end - q->seq != q->len) {
        s->p = at;
        scan_fail(s, "the length is not the difference of the sequence numbers");
    } else if (!scan_failed(s) && q->len > UINT16_MAX * 16u) {
        s->p = at;
        scan_fail(s, "a packet that is too long");
    }
}

static void tcp(struct drill_scan *s, struct drill_packet *p)
{
    struct drill_quote q = {0};
    flags(s, p);
    sequence(s, &q);
    p->seq = q.seq;
    p->end = q.end;
    p->len = q.len;
    if (scan_take(s, "ack")) {
        p->has_ack = true;
        if (scan_take(s, "*"))
            p->ack_any = true;
        else
            p->ack = u32(s, "ack");
    }
    if (scan_take(s, "win")) {
        if (scan_take(s, "*"))
            p->win_any = true;
        else
            p->win = (int64_t)scan_number(s, "win", UINT16_MAX);
    }
    if (scan_take(s, "urg")) {
        p->has_urg = true;
        p->urg = (uint16_t)scan_number(s, "urg", UINT16_MAX);
    }
    if (p->has_urg)
        p->flags |= DRILL_URG;
    options(s, p);
}

static void udp(struct drill_scan *s, struct drill_packet *p)
{
    p->proto = DRILL_UDP;
    scan_expect(s, "(");
    p->len = (uint32_t)scan_number(s, "a length", UINT16_MAX - 48);
    scan_expect(s, ")");
}

/* A name or a number. */
static const char *icmp_name(struct drill_scan *s)
{
    struct drill_span word;
    uint64_t n;
    scan_space(s);
    const char *at = s->p;
    if (scan_word(s, &word))
        return keep(s, word);
    if (scan_uint(s, &n))
        return keep(s, (struct drill_span){at, (size_t)(s->p - at)});
    return NULL;
}

static void icmp(struct drill_scan *s, struct drill_packet *p)
{
    p->proto = DRILL_ICMP;
    p->icmp_type = icmp_name(s);
    if (!p->icmp_type)
        scan_fail(s, "expected an ICMP type");
    /* the word `mtu` is no code */
    struct drill_scan look = *s;
    struct drill_span word = {0};
    bool mtu = scan_word(&look, &word) && word.len == 3 && memcmp(word.s, "mtu", 3) == 0;
    if (!mtu && scan_peek(s) != '[')
        p->icmp_code = icmp_name(s);
    if (scan_take(s, "mtu"))
        p->icmp_mtu = (int64_t)scan_number(s, "mtu", UINT32_MAX);
    if (scan_take(s, "[")) {
        p->quote.given = true;
        if (scan_take(s, "udp")) {
            p->quote.proto = DRILL_UDP;
            scan_expect(s, "(");
            p->quote.len = (uint32_t)scan_number(s, "a length", UINT16_MAX);
            scan_expect(s, ")");
        } else {
            sequence(s, &p->quote);
        }
        scan_expect(s, "]");
    }
}

static void ports(struct drill_scan *s, struct drill_packet *p)
{
    struct drill_scan look = *s;
    uint64_t from, to;
    if (!scan_uint(&look, &from) || scan_peek(&look) != '>')
        return;
    look.p++;
    if (!scan_uint(&look, &to) || from > UINT16_MAX || to > UINT16_MAX)
        return;
    s->p = look.p;
    scan_take(s, ":");
    p->sport = (int)from;
    p->dport = (int)to;
}

struct drill_packet *parse_packet(struct drill_scan *s)
{
    static const char *const others[] = {"ipv4", "ipv6", "gre", "mpls", "sctp", "udplite", "arp"};
    struct drill_packet *p = drill_alloc(&s->script->arena, sizeof(*p));
    p->ecn = DRILL_ECN_UNCHECKED;
    p->tos = p->ttl = p->flowlabel = p->sport = p->dport = -1;
    p->win = p->icmp_mtu = -1;
    p->outbound = scan_take(s, ">");
    if (!p->outbound)
        scan_expect(s, "<");
    ip_info(s, p);
    ports(s, p);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (scan_take(s, others[i])) {
            scan_fail(s, "packets of %s are not supported", others[i]);
            return p;
        }
    if (scan_take(s, "icmpv6") || scan_take(s, "icmp"))
        icmp(s, p);
    else if (scan_take(s, "udp"))
        udp(s, p);
    else
        tcp(s, p);
    return p;
}
