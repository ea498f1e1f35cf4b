/* tcp.c - TCP headers and options.
 *
 * Most segments carry either no option or nothing but a timestamp, laid out as RFC 7323 appendix A
 * advises: both are recognised at once. On SYN, all systems in use align their options to words of
 * four bytes, and there are five of these: they are read word by word as far as that goes. All
 * others go through a loop that advances by at least one byte at each step.
 */
#include "wire/tcp.h"

enum { /* option kinds */
       OPT_EOL = 0,
       OPT_NOP = 1,
       OPT_MSS = 2,
       OPT_WSCALE = 3,
       OPT_SACK_OK = 4,
       OPT_SACK = 5,
       OPT_TS = 8,
       OPT_MD5 = 19,
       OPT_FASTOPEN = 34,
       OPT_ACCECN0 = 172,
       OPT_ACCECN1 = 174,
       OPT_EXP = 254,
};

enum { FASTOPEN_MAGIC = 0xf989, COOKIE_MIN = 4 }; /* RFC 7413 4.1.1, appendix A */

/* Words of options: kinds, lengths and NOPs, with a value in the low bits of the first two. */
#define WORD_MSS 0x02040000u
#define WORD_WSCALE 0x01030300u
#define WORD_SACK_OK 0x01010402u
#define WORD_TS 0x0101080au /* two words of values follow */
#define WORD_SACK_OK_TS 0x0402080au

static void read_timestamp(const uint8_t *p, struct wire_tcp_options *opt)
{
    opt->have |= WIRE_OPT_TS;
    opt->tsval = load_be32(p + 2);
    opt->tsecr = load_be32(p + 6);
}

static void read_sack(const uint8_t *p, struct wire_tcp_options *opt)
{
    opt->have |= WIRE_OPT_SACK;
    opt->sack_count = (p[1] - 2u) / 8;
    for (uint32_t i = 0; i < opt->sack_count; i++) {
        opt->sack[i].lo = load_be32(p + 2 + 8 * i);
        opt->sack[i].hi = load_be32(p + 6 + 8 * i);
    }
}

/* Counters beyond the third, or a part of one, mean nothing yet: RFC 9768 3.2.3. */
static void read_accecn(const uint8_t *p, struct wire_tcp_options *opt)
{
    struct wire_accecn *k = &opt->accecn;
    opt->have |= WIRE_OPT_ACCECN;
    k->order1 = p[0] == OPT_ACCECN1;
    k->count = (uint8_t)min_u32((p[1] - 2u) / 3, WIRE_ACCECN_FIELDS);
    for (uint32_t i = 0; i < k->count; i++, p += 3)
        k->counter[i] = (uint32_t)p[2] << 16 | (uint32_t)p[3] << 8 | p[4];
}

static void read_fastopen(const uint8_t *p, struct wire_tcp_options *opt)
{
    struct wire_fastopen *f = &opt->fastopen;
    uint8_t head = p[0] == OPT_EXP ? 4 : 2, len = (uint8_t)(p[1] - head);
    if (len % 2 != 0 || len > WIRE_COOKIE_MAX || (len != 0 && len < COOKIE_MIN))
        return; /* as if it were not there */
    opt->have |= WIRE_OPT_FASTOPEN;
    *f = (struct wire_fastopen){.len = len, .exp = p[0] == OPT_EXP};
    memcpy(f->cookie, p + head, len);
}

/* What the bit of the option at `p` in `have` is; 0: not known here. */
static uint8_t option_bit(const uint8_t *p)
{
    switch (p[0]) {
    case OPT_MD5:
        return WIRE_OPT_MD5;
    case OPT_FASTOPEN:
        return WIRE_OPT_FASTOPEN;
    case OPT_EXP:
        return p[1] >= 4 && load_be16(p + 2) == FASTOPEN_MAGIC ? WIRE_OPT_FASTOPEN : 0;
    case OPT_MSS:
        return WIRE_OPT_MSS;
    case OPT_WSCALE:
        return WIRE_OPT_WSCALE;
    case OPT_SACK_OK:
        return WIRE_OPT_SACK_OK;
    case OPT_SACK:
        return WIRE_OPT_SACK;
    case OPT_TS:
        return WIRE_OPT_TS;
    case OPT_ACCECN0:
    case OPT_ACCECN1:
        return WIRE_OPT_ACCECN;
    default:
        return 0;
    }
}

static bool option_length_fits(uint8_t kind, uint8_t len)
{
    switch (kind) {
    case OPT_MSS:
        return len == 4; /* RFC 9293 3.2 */
    case OPT_WSCALE:
        return len == 3; /* RFC 7323 2.2 */
    case OPT_SACK_OK:
        return len == 2; /* RFC 2018 2 */
    case OPT_SACK:
        return len >= 10 && len <= 2 + 8 * WIRE_SACK_MAX && (len - 2) % 8 == 0; /* RFC 2018 3 */
    case OPT_TS:
        return len == 10; /* RFC 7323 3.2 */
    case OPT_MD5:
        return len == 18; /* RFC 2385 3.0 */
    default:
        return true;
    }
}

/* One option at `p`; of a known kind it has the right length. */
static void read_option(const uint8_t *p, struct wire_tcp_options *opt)
{
    switch (p[0]) {
    case OPT_MSS:
        opt->have |= WIRE_OPT_MSS;
        opt->mss = load_be16(p + 2);
        break;
    case OPT_WSCALE:
        opt->have |= WIRE_OPT_WSCALE;
        opt->wscale = p[2];
        break;
    case OPT_SACK_OK:
        opt->have |= WIRE_OPT_SACK_OK;
        break;
    case OPT_SACK:
        read_sack(p, opt);
        break;
    case OPT_TS:
        read_timestamp(p, opt);
        break;
    case OPT_ACCECN0:
    case OPT_ACCECN1:
        read_accecn(p, opt);
        break;
    case OPT_MD5:
        opt->have |= WIRE_OPT_MD5;
        opt->md5 = p + 2;
        break;
    case OPT_FASTOPEN:
    case OPT_EXP:
        read_fastopen(p, opt);
        break;
    default:
        break;
    }
}

/* The word at `p` as one of a SYN's, with `left` bytes from there on, of options that have not come
 * before; how long it is with what belongs to it. 0: it is none of these. */
static size_t read_word(const uint8_t *p, size_t left, struct wire_tcp_options *opt)
{
    uint32_t w = load_be32(p);
    if (w >> 16 == WORD_MSS >> 16 && !(opt->have & WIRE_OPT_MSS)) {
        opt->have |= WIRE_OPT_MSS;
        opt->mss = (uint16_t)w;
        return 4;
    }
    if (w >> 8 == WORD_WSCALE >> 8 && !(opt->have & WIRE_OPT_WSCALE)) {
        opt->have |= WIRE_OPT_WSCALE;
        opt->wscale = (uint8_t)w;
        return 4;
    }
    if (w == WORD_SACK_OK) {
        opt->have |= WIRE_OPT_SACK_OK;
        return 4;
    }
    if ((w == WORD_TS || w == WORD_SACK_OK_TS) && left >= 12 && !(opt->have & WIRE_OPT_TS)) {
        if (w == WORD_SACK_OK_TS)
            opt->have |= WIRE_OPT_SACK_OK;
        read_timestamp(p + 2, opt);
        return 12;
    }
    return 0;
}

/* How many bytes of a SYN's options are words; the rest begins with an option. */
static size_t read_words(const uint8_t *p, size_t len, struct wire_tcp_options *opt)
{
    size_t at = 0, n;
    while (at < len && (n = read_word(p + at, len - at, opt)) != 0)
        at += n;
    return at;
}

/* The options in `len` bytes at `p`, of any alignment (MUST-64). */
static enum tern_drop read_options(const uint8_t *p, size_t len, bool syn,
                                   struct wire_tcp_options *opt)
{
    const uint8_t syn_only = WIRE_OPT_MSS | WIRE_OPT_WSCALE | WIRE_OPT_SACK_OK | WIRE_OPT_FASTOPEN;
    size_t at = syn ? read_words(p, len, opt) : 0;
    while (at < len && p[at] != OPT_EOL) { /* nothing after EOL counts (MUST-69) */
        if (p[at] == OPT_NOP) {
            at++;
            continue;
        }
        /* MUST-7: an option without a legal length cannot crash or hold up anyone */
        if (len - at < 2 || p[at + 1] < 2 || p[at + 1] > len - at ||
            !option_length_fits(p[at], p[at + 1]))
            return TERN_DROP_TCP_OPTIONS;
        uint8_t bit = option_bit(p + at); /* 0: skipped by its length (MUST-6, MUST-68) */
        if (bit != 0 && !(opt->have & bit) && (syn || !(bit & syn_only)))
            read_option(p + at, opt);
        at += p[at + 1];
    }
    return TERN_DROP_NONE;
}

enum tern_drop wire_tcp_read(const uint8_t *p, size_t have, size_t len, struct wire_tcp *out)
{
    have = min_size(have, len); /* padding of the link may follow */
    if (have < WIRE_TCP_HEADER)
        return TERN_DROP_SHORT;
    size_t header_len = (p[12] >> 4) * 4u;
    if (header_len < WIRE_TCP_HEADER || header_len > len)
        return TERN_DROP_TCP_HEADER;
    if (header_len > have)
        return TERN_DROP_SHORT;
    out->sport = load_be16(p);
    out->dport = load_be16(p + 2);
    out->seq = load_be32(p + 4);
    out->ack = load_be32(p + 8);
    out->flags = load_be16(p + 12) & 0x1ff;
    out->wnd = load_be16(p + 14);
    out->urg = load_be16(p + 18);
    out->header_len = (uint16_t)header_len;
    memset(&out->opt, 0, offsetof(struct wire_tcp_options, fastopen));
    if (header_len == WIRE_TCP_HEADER)
        return TERN_DROP_NONE;
    if (LIKELY(header_len == WIRE_TCP_HEADER + 12 && load_be32(p + WIRE_TCP_HEADER) == WORD_TS)) {
        read_timestamp(p + WIRE_TCP_HEADER + 2, &out->opt);
        return TERN_DROP_NONE;
    }
    return read_options(p + WIRE_TCP_HEADER, header_len - WIRE_TCP_HEADER,
                        (out->flags & TCP_SYN) != 0, &out->opt);
}

static size_t fastopen_len(const struct wire_fastopen *f)
{
    return ((f->exp ? 4u : 2u) + f->len + 3) / 4 * 4;
}

/* ---- writing --------------------------------------------------------------------------------- */

static size_t accecn_bytes(const struct wire_accecn *k) { return 2 + 3 * (size_t)k->count; }

/* `n` SACK blocks are preceded by two bytes of padding, into which as many of AccECN's fit. */
size_t wire_tcp_accecn_len(const struct wire_accecn *accecn, uint32_t n)
{
    size_t sack = n != 0 ? 4 + 8 * (size_t)n : 0;
    if (accecn == NULL)
        return sack;
    size_t len = accecn_bytes(accecn);
    if (n != 0 && len % 4 <= 2)
        return len / 4 * 4 + sack;
    return (len + 3) / 4 * 4 + sack;
}

static uint8_t *put_accecn(uint8_t *p, const struct wire_accecn *k)
{
    *p++ = k->order1 ? OPT_ACCECN1 : OPT_ACCECN0;
    *p++ = (uint8_t)accecn_bytes(k);
    for (uint32_t i = 0; i < k->count; i++) {
        *p++ = (uint8_t)(k->counter[i] >> 16);
        store_be16(p, (uint16_t)k->counter[i]);
        p += 2;
    }
    return p;
}

uint8_t *wire_tcp_put_accecn(uint8_t *p, const struct wire_accecn *accecn,
                             const struct wire_sack *sack, uint32_t n)
{
    uint8_t *end = p + wire_tcp_accecn_len(accecn, n);
    if (accecn != NULL)
        p = put_accecn(p, accecn);
    uint8_t *at = n != 0 ? end - 8 * (size_t)n - 2 : end;
    while (p < at)
        *p++ = OPT_NOP;
    if (n == 0)
        return end;
    *p++ = OPT_SACK;
    *p++ = (uint8_t)(2 + 8 * n);
    for (uint32_t i = 0; i < n; i++, p += 8) {
        store_be32(p, sack[i].lo);
        store_be32(p + 4, sack[i].hi);
    }
    return end;
}

static const struct wire_accecn *accecn_of(const struct wire_tcp_options *opt)
{
    return opt->have & WIRE_OPT_ACCECN ? &opt->accecn : NULL;
}

static uint32_t sacks_of(const struct wire_tcp_options *opt)
{
    return opt->have & WIRE_OPT_SACK ? opt->sack_count : 0;
}

/* On SYN, AccECN stands before what is not MSS or timestamps. */
static bool of_syn(const struct wire_tcp_options *opt)
{
    return (opt->have & (WIRE_OPT_MSS | WIRE_OPT_WSCALE | WIRE_OPT_SACK_OK)) != 0;
}

/* BSD's layout of a SYN: each option where it may stand, EOL behind the last. */
static uint8_t *write_plain(uint8_t *p, const struct wire_tcp_options *opt)
{
    uint8_t *start = p;
    *p++ = OPT_MSS;
    *p++ = 4;
    store_be16(p, opt->mss);
    p += 2;
    if (opt->have & WIRE_OPT_WSCALE) {
        *p++ = OPT_NOP;
        *p++ = OPT_WSCALE;
        *p++ = 3;
        *p++ = opt->wscale;
    }
    if (opt->have & WIRE_OPT_SACK_OK) {
        *p++ = OPT_SACK_OK;
        *p++ = 2;
    }
    if (opt->have & WIRE_OPT_TS) {
        while ((p - start) % 4 != 2)
            *p++ = OPT_NOP;
        *p++ = OPT_TS;
        *p++ = 10;
        store_be32(p, opt->tsval);
        store_be32(p + 4, opt->tsecr);
        p += 8;
    }
    if (opt->have & WIRE_OPT_FASTOPEN) {
        *p++ = OPT_FASTOPEN;
        *p++ = (uint8_t)(2 + opt->fastopen.len);
        memcpy(p, opt->fastopen.cookie, opt->fastopen.len);
        p += opt->fastopen.len;
    }
    while ((p - start) % 4 != 0)
        *p++ = OPT_EOL;
    return p;
}

size_t wire_tcp_options_len(const struct wire_tcp_options *opt)
{
    const struct wire_accecn *accecn = accecn_of(opt);
    size_t len = of_syn(opt)
                     ? wire_tcp_accecn_len(accecn, 0) + wire_tcp_accecn_len(NULL, sacks_of(opt))
                     : wire_tcp_accecn_len(accecn, sacks_of(opt));
    if (opt->have & WIRE_OPT_MD5)
        len += WIRE_MD5_LEN;
    if (opt->have & WIRE_OPT_FASTOPEN)
        len += fastopen_len(&opt->fastopen);
    if (opt->have & WIRE_OPT_MSS)
        len += 4;
    if (opt->have & WIRE_OPT_TS)
        len += 12; /* SACK-permitted goes where the two NOPs would be */
    else if (opt->have & WIRE_OPT_SACK_OK)
        len += 4;
    if (opt->have & WIRE_OPT_WSCALE)
        len += 4;
    return len;
}

/* With NOPs behind it, as Linux does. */
static uint8_t *put_fastopen(uint8_t *p, const struct wire_fastopen *f)
{
    uint8_t *end = p + fastopen_len(f);
    p[0] = f->exp ? OPT_EXP : OPT_FASTOPEN;
    p[1] = (uint8_t)((f->exp ? 4 : 2) + f->len);
    if (f->exp)
        store_be16(p + 2, FASTOPEN_MAGIC);
    memcpy(p + p[1] - f->len, f->cookie, f->len);
    for (uint8_t *q = p + p[1]; q < end; q++)
        *q = OPT_NOP;
    return end;
}

uint8_t *wire_tcp_put_md5(uint8_t *p)
{
    store_be32(p, (uint32_t)OPT_NOP << 24 | OPT_NOP << 16 | OPT_MD5 << 8 | 18);
    memset(p + 4, 0, 16);
    return p + WIRE_MD5_LEN;
}

static uint8_t *write_options(uint8_t *p, const struct wire_tcp_options *opt)
{
    const uint32_t sack_ok = (uint32_t)OPT_SACK_OK << 8 | 2,
                   nops = (uint32_t)OPT_NOP << 8 | OPT_NOP;
    bool ok = opt->have & WIRE_OPT_SACK_OK, ts = opt->have & WIRE_OPT_TS;
    if (opt->have & WIRE_OPT_MD5)
        p = wire_tcp_put_md5(p);
    if (opt->have & WIRE_OPT_MSS) {
        store_be32(p, (uint32_t)OPT_MSS << 24 | 4u << 16 | opt->mss);
        p += 4;
    }
    if (ts) {
        store_be32(p, (ok ? sack_ok : nops) << 16 | OPT_TS << 8 | 10);
        store_be32(p + 4, opt->tsval);
        store_be32(p + 8, opt->tsecr);
        p += 12;
    }
    const struct wire_accecn *accecn = accecn_of(opt);
    if (accecn != NULL && of_syn(opt)) {
        p = wire_tcp_put_accecn(p, accecn, NULL, 0);
        accecn = NULL;
    }
    if (ok && !ts) {
        store_be32(p, nops << 16 | sack_ok);
        p += 4;
    }
    if (opt->have & WIRE_OPT_WSCALE) {
        store_be32(p, (uint32_t)OPT_NOP << 24 | OPT_WSCALE << 16 | 3 << 8 | opt->wscale);
        p += 4;
    }
    if (accecn != NULL || opt->have & WIRE_OPT_SACK)
        p = wire_tcp_put_accecn(p, accecn, opt->sack, sacks_of(opt));
    return opt->have & WIRE_OPT_FASTOPEN ? put_fastopen(p, &opt->fastopen) : p;
}

size_t wire_tcp_write(uint8_t *p, const struct wire_tcp *tcp)
{
    TERN_ASSERT(!(tcp->opt.have & WIRE_OPT_SACK) ||
                (tcp->opt.sack_count != 0 && tcp->opt.sack_count <= WIRE_SACK_MAX));
    /* without these there is always room */
    const uint8_t large = WIRE_OPT_SACK | WIRE_OPT_ACCECN | WIRE_OPT_FASTOPEN | WIRE_OPT_MD5;
    bool plain = tcp->opt.plain && !(tcp->opt.have & WIRE_OPT_MD5);
    TERN_ASSERT(plain || !(tcp->opt.have & large) ||
                wire_tcp_options_len(&tcp->opt) <= WIRE_TCP_OPTIONS_MAX);
    uint8_t *end = plain ? write_plain(p + WIRE_TCP_HEADER, &tcp->opt)
                         : write_options(p + WIRE_TCP_HEADER, &tcp->opt);
    size_t options_len = (size_t)(end - p) - WIRE_TCP_HEADER;
    TERN_ASSERT(options_len <= WIRE_TCP_OPTIONS_MAX);
    size_t header_len = WIRE_TCP_HEADER + options_len;
    store_be16(p, tcp->sport);
    store_be16(p + 2, tcp->dport);
    store_be32(p + 4, tcp->seq);
    store_be32(p + 8, tcp->ack);
    store_be16(p + 12, (uint16_t)(header_len / 4 << 12 | (tcp->flags & 0x1ff)));
    store_be16(p + 14, tcp->wnd);
    store_be16(p + 16, 0);
    store_be16(p + 18, tcp->urg);
    return header_len;
}

size_t wire_tcp_ts_at(const uint8_t *p, size_t header_len)
{
    for (size_t at = WIRE_TCP_HEADER; at < header_len && p[at] != OPT_EOL;) {
        if (p[at] == OPT_TS)
            return at + 2;
        at += p[at] == OPT_NOP ? 1 : p[at + 1];
    }
    return 0;
}
