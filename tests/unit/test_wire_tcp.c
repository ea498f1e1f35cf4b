/* test_wire_tcp.c - TCP headers and options: against a naive reader, exhaustively for one option
 * of any kind and length anywhere; every truncation; what is written, byte for byte. */
#include "unit.h"

#include "wire/tcp.h"

/* A copy of exactly `n` bytes, so that a sanitizer sees each byte read beyond. */
static enum tern_drop read_exact(const uint8_t *p, size_t n, size_t len, struct wire_tcp *out)
{
    uint8_t *copy = malloc(n + (n == 0));
    assert_non_null(copy);
    memcpy(copy, p, n);
    enum tern_drop drop = wire_tcp_read(copy, n, len, out);
    free(copy);
    return drop;
}

/* A header with these options, padded with EOL. */
static size_t make(uint8_t p[60], uint16_t flags, const void *options, size_t len)
{
    size_t header_len = 20 + (len + 3) / 4 * 4;
    memset(p, 0, 60);
    store_be16(p, 0x1234);
    store_be16(p + 2, 443);
    store_be32(p + 4, 0xfffffff0);
    store_be32(p + 8, 0x80000001);
    store_be16(p + 12, (uint16_t)(header_len / 4 << 12 | flags));
    store_be16(p + 14, 0xabcd);
    store_be16(p + 16, 0x9999);
    store_be16(p + 18, 0x0102);
    memcpy(p + 20, options, len);
    return header_len;
}

/* ---- a second reader, written another way ---------------------------------------------------- */

struct naive {
    bool malformed;
    struct wire_tcp_options opt;
};

/* The kinds known here, with their shortest and longest length and the step between. */
static const struct {
    uint8_t kind, min, max, step;
    uint8_t bit;
    bool syn_only;
} known[] = {
    {2, 4, 4, 1, WIRE_OPT_MSS, true},         {3, 3, 3, 1, WIRE_OPT_WSCALE, true},
    {4, 2, 2, 1, WIRE_OPT_SACK_OK, true},     {5, 10, 34, 8, WIRE_OPT_SACK, false},
    {8, 10, 10, 1, WIRE_OPT_TS, false},       {172, 2, 255, 1, WIRE_OPT_ACCECN, false},
    {174, 2, 255, 1, WIRE_OPT_ACCECN, false}, {19, 18, 18, 1, WIRE_OPT_MD5, false},
};

/* A Fast Open option that cannot be is not malformed, but none. Returns its bytes before the
 * cookie; 0: it is none. */
static size_t naive_fastopen(const uint8_t *p, size_t size)
{
    size_t head = p[0] == 34 ? 2 : 4;
    if (p[0] != 34 && (p[0] != 254 || size < 4 || p[2] != 0xf9 || p[3] != 0x89))
        return 0;
    size_t len = size - head;
    return len == 0 || (len % 2 == 0 && len >= 4 && len <= 16) ? head : 0;
}

static void naive_take(struct naive *n, uint8_t bit, const uint8_t *body, size_t len)
{
    if (n->opt.have & bit)
        return;
    n->opt.have = (uint8_t)(n->opt.have | bit);
    if (bit == WIRE_OPT_MSS)
        n->opt.mss = (uint16_t)(body[0] * 256 + body[1]);
    if (bit == WIRE_OPT_WSCALE)
        n->opt.wscale = body[0];
    if (bit == WIRE_OPT_MD5)
        n->opt.md5 = body;
    if (bit == WIRE_OPT_TS) {
        n->opt.tsval = load_be32(body);
        n->opt.tsecr = load_be32(body + 4);
    }
    if (bit == WIRE_OPT_ACCECN) {
        n->opt.accecn.order1 = body[-2] == 174;
        for (size_t at = 0; at + 3 <= len && at < 9; at += 3) {
            uint32_t v = (uint32_t)(body[at] * 65536 + body[at + 1] * 256 + body[at + 2]);
            n->opt.accecn.counter[n->opt.accecn.count++] = v;
        }
    }
    for (size_t at = 0; bit == WIRE_OPT_SACK && at < len; at += 8) {
        n->opt.sack[at / 8].lo = load_be32(body + at);
        n->opt.sack[at / 8].hi = load_be32(body + at + 4);
        n->opt.sack_count++;
    }
}

static struct naive read_naively(const uint8_t *p, size_t len, bool syn)
{
    struct naive n = {.malformed = false};
    while (len > 0 && *p != 0) {
        if (*p == 1) {
            p++, len--;
            continue;
        }
        size_t size = len > 1 ? p[1] : 0;
        if (size < 2 || size > len) {
            n.malformed = true;
            break;
        }
        for (size_t i = 0; i < ARRAY_LEN(known); i++) {
            if (known[i].kind != p[0])
                continue;
            if (size < known[i].min || size > known[i].max ||
                (size - known[i].min) % known[i].step != 0)
                n.malformed = true;
            else if (syn || !known[i].syn_only)
                naive_take(&n, known[i].bit, p + 2, size - 2);
        }
        if (n.malformed)
            break;
        size_t head = syn ? naive_fastopen(p, size) : 0;
        if (head != 0 && !(n.opt.have & WIRE_OPT_FASTOPEN)) {
            n.opt.have |= WIRE_OPT_FASTOPEN;
            n.opt.fastopen.exp = head == 4;
            n.opt.fastopen.len = (uint8_t)(size - head);
            memcpy(n.opt.fastopen.cookie, p + head, size - head);
        }
        p += size, len -= size;
    }
    return n;
}

/* Of Fast Open's only what `have` vouches for. */
static void assert_same_options(const struct wire_tcp_options *a, const struct wire_tcp_options *b)
{
    assert_memory_equal(a, b, offsetof(struct wire_tcp_options, fastopen));
    if (!(a->have & WIRE_OPT_FASTOPEN))
        return;
    assert_int_equal(a->fastopen.len, b->fastopen.len);
    assert_int_equal(a->fastopen.exp, b->fastopen.exp);
    assert_memory_equal(a->fastopen.cookie, b->fastopen.cookie, a->fastopen.len);
}

static void compare_with_naive(const uint8_t *options, size_t len, bool syn)
{
    uint8_t p[60];
    struct wire_tcp tcp;
    size_t header_len = make(p, syn ? TCP_SYN : TCP_ACK, options, len);
    struct naive n = read_naively(p + 20, header_len - 20, syn);
    memset(&tcp, 0xee, sizeof(tcp));
    enum tern_drop drop = wire_tcp_read(p, header_len, header_len, &tcp);
    assert_int_equal(drop, n.malformed ? TERN_DROP_TCP_OPTIONS : TERN_DROP_NONE);
    if (!n.malformed)
        assert_same_options(&tcp.opt, &n.opt);
}

/* ---- the header ------------------------------------------------------------------------------ */

static void reads_every_field(void **state)
{
    (void)state;
    uint8_t p[60];
    struct wire_tcp tcp;
    for (uint32_t flags = 0; flags < 512; flags++) {
        memset(&tcp, 0xee, sizeof(tcp));
        make(p, (uint16_t)(flags | 0xe00), "", 0); /* reserved bits are not looked at */
        assert_int_equal(read_exact(p, 20, 1000, &tcp), TERN_DROP_NONE);
        assert_int_equal(tcp.sport, 0x1234);
        assert_int_equal(tcp.dport, 443);
        assert_int_equal(tcp.seq, 0xfffffff0);
        assert_int_equal(tcp.ack, 0x80000001);
        assert_int_equal(tcp.flags, flags);
        assert_int_equal(tcp.wnd, 0xabcd);
        assert_int_equal(tcp.urg, 0x0102);
        assert_int_equal(tcp.header_len, 20);
        const struct wire_tcp_options none = {0};
        assert_same_options(&tcp.opt, &none);
    }
}

/* Data offset, bytes of the segment, bytes at hand: all combinations. */
static void lengths_must_fit_together(void **state)
{
    (void)state;
    uint8_t p[80], nops[40];
    struct wire_tcp tcp;
    memset(nops, 1, sizeof(nops));
    for (size_t offset = 0; offset < 16; offset++) {
        for (size_t len = 0; len <= 80; len++) {
            for (size_t have = 0; have <= 80; have++) { /* more than `len`: the link's padding */
                make(p, TCP_ACK, nops, 40);
                p[12] = (uint8_t)(offset << 4);
                enum tern_drop expected = TERN_DROP_NONE;
                if (have < 20 || len < 20)
                    expected = TERN_DROP_SHORT;
                else if (offset < 5 || offset * 4 > len)
                    expected = TERN_DROP_TCP_HEADER;
                else if (offset * 4 > have)
                    expected = TERN_DROP_SHORT;
                assert_int_equal(read_exact(p, have, len, &tcp), expected);
                if (expected == TERN_DROP_NONE)
                    assert_int_equal(tcp.header_len, offset * 4);
            }
        }
    }
}

static void counts_syn_and_fin_in_sequence_space(void **state)
{
    (void)state;
    for (uint32_t flags = 0; flags < 512; flags++) {
        const struct wire_tcp tcp = {.flags = (uint16_t)flags};
        uint32_t more = (flags & TCP_SYN ? 1u : 0u) + (flags & TCP_FIN ? 1u : 0u);
        assert_int_equal(wire_tcp_span(&tcp, 0), more);
        assert_int_equal(wire_tcp_span(&tcp, 1448), 1448 + more);
    }
}

/* ---- options --------------------------------------------------------------------------------- */

/* MUST-7, MUST-68: no length, or one that cannot be; MUST-6: kinds that are not known.
 * (A-48, T-01) */
static void one_option_of_any_kind_and_length_anywhere(void **state)
{
    (void)state;
    uint8_t options[64]; /* 40 count; the rest takes what sticks out */
    for (uint32_t kind = 0; kind < 256; kind++) {
        for (uint32_t len = 0; len < 256; len++) {
            if (len > 42 && len < 253)
                continue;
            for (uint32_t at = 0; at < 40; at++) {
                memset(options, 1, sizeof(options));
                for (uint32_t i = at + 2; i < at + len && i < 40; i++)
                    options[i] = (uint8_t)(i * 7 + 3);
                options[at] = (uint8_t)kind;
                options[at + 1] = (uint8_t)len;
                compare_with_naive(options, 40, true);
                compare_with_naive(options, 40, false);
            }
        }
    }
}

/* Options in `len` bytes, mostly well-formed, so that the reader gets far. */
static void fill_at_random(uint8_t *options, uint32_t len)
{
    static const uint8_t sizes[10] = {0, 0, 4, 3, 2, 0, 2, 5, 10, 7};
    for (uint32_t at = 0; at < len;) {
        uint32_t kind = unit_below(40) == 0 ? 0 : 1 + unit_below(9);
        options[at++] = (uint8_t)kind;
        if (kind < 2 || at == len)
            continue;
        uint32_t size = kind == 5 ? 2 + 8 * (1 + unit_below(4)) : sizes[kind];
        if (unit_below(50) == 0)
            size = unit_below(256);
        options[at++] = (uint8_t)size;
        for (uint32_t i = 2; i < size && at < len; i++)
            options[at++] = (uint8_t)unit_random();
    }
}

/* MUST-5: on any segment. */
static void random_options(void **state)
{
    (void)state;
    uint32_t many = 0;
    for (uint32_t round = 0; round < 400000; round++) {
        uint8_t options[40];
        uint32_t len = unit_below(41);
        bool syn = unit_below(2) == 0;
        fill_at_random(options, len);
        compare_with_naive(options, len, syn);
        uint8_t have = read_naively(options, len, syn).opt.have;
        many += (have & (have - 1)) != 0;
    }
    assert_true(many > 40000); /* two options or more were there to be read */
}

/* What systems put into a SYN is aligned to words, which are read as such: any row of them, of what
 * is nearly one, and cut off anywhere. */
static void rows_of_words(void **state)
{
    (void)state;
    static const uint8_t words[][4] = {
        {2, 4, 5, 180}, {1, 3, 3, 7},   {1, 1, 4, 2},  {1, 1, 8, 10}, {4, 2, 8, 10},
        {2, 4, 0, 0},   {1, 3, 3, 255}, {4, 2, 0, 0},  {1, 1, 1, 1},  {3, 3, 9, 1},
        {2, 3, 5, 180}, {1, 3, 4, 7},   {1, 1, 4, 3},  {1, 1, 8, 9},  {4, 2, 8, 11},
        {4, 2, 1, 1},   {1, 1, 5, 10},  {8, 10, 0, 1}, {3, 3, 7, 2},  {4, 2, 3, 3},
    };
    for (unsigned i = 0; i < 20000; i += unit_stride(10)) {
        uint8_t options[40];
        size_t len = 0;
        unsigned kinds = 5 + 15 * (i % 2); /* half of them: nothing else */
        while (len < 40 && unit_below(8) != 0) {
            unsigned w = unit_below(kinds);
            memcpy(options + len, words[w], 4);
            len += 4;
            bool values = words[w][2] == 8 || words[w][0] == 8 || words[w][2] == 5;
            for (unsigned n = 0; values && n < 8 && len < 40; n++) /* or a part of them */
                options[len++] = (uint8_t)unit_random();
        }
        compare_with_naive(options, len, unit_below(4) != 0);
        compare_with_naive(options, unit_below((uint32_t)len + 1), true);
    }
}

static void every_truncation_is_told(void **state)
{
    (void)state;
    static const uint8_t options[] = {2, 4, 5, 180, 4, 2, 8, 10, 1, 2,
                                      3, 4, 5, 6,   7, 8, 1, 3,  3, 7};
    uint8_t p[60];
    struct wire_tcp tcp;
    size_t header_len = make(p, TCP_SYN, options, sizeof(options));
    for (size_t have = 0; have < header_len; have++) {
        assert_int_equal(read_exact(p, have, header_len, &tcp), TERN_DROP_SHORT);
        assert_int_equal(read_exact(p, have, have, &tcp),
                         have < 20 ? TERN_DROP_SHORT : TERN_DROP_TCP_HEADER);
    }
    /* and with a data offset that cuts an option in two */
    for (size_t offset = 5; offset < header_len / 4; offset++) {
        p[12] = (uint8_t)(offset << 4);
        struct naive n = read_naively(p + 20, offset * 4 - 20, true);
        assert_int_equal(read_exact(p, offset * 4, offset * 4, &tcp),
                         n.malformed ? TERN_DROP_TCP_OPTIONS : TERN_DROP_NONE);
    }
}

/* MUST-64 */
static void a_timestamp_is_read_wherever_it_stands(void **state)
{
    (void)state;
    for (uint32_t at = 0; at <= 30; at++) {
        uint8_t options[40], p[60];
        struct wire_tcp tcp;
        memset(options, 1, sizeof(options));
        options[at] = 8;
        options[at + 1] = 10;
        store_be32(options + at + 2, 0); /* zero is a value like any other */
        store_be32(options + at + 6, 0xfedcba98);
        size_t len = make(p, TCP_ACK, options, at <= 2 ? 12 : 40);
        assert_int_equal(read_exact(p, len, len, &tcp), TERN_DROP_NONE);
        assert_int_equal(tcp.opt.have, WIRE_OPT_TS);
        assert_int_equal(tcp.opt.tsval, 0);
        assert_int_equal(tcp.opt.tsecr, 0xfedcba98);
    }
}

/* */
static void the_first_of_two_counts(void **state)
{
    (void)state;
    static const uint8_t options[] = {2, 4,  0, 1, 2, 4, 0, 2, 3, 3, 5, 3,  3, 6,
                                      8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 8, 10, 0, 0,
                                      0, 3,  0, 0, 0, 4, 4, 2, 4, 2, 0, 99};
    uint8_t p[60];
    struct wire_tcp tcp;
    size_t len = make(p, TCP_SYN, options, sizeof(options));
    assert_int_equal(read_exact(p, len, len, &tcp), TERN_DROP_NONE);
    assert_int_equal(tcp.opt.mss, 1);
    assert_int_equal(tcp.opt.wscale, 5);
    assert_int_equal(tcp.opt.tsval, 1);
    assert_int_equal(tcp.opt.tsecr, 2);
    assert_int_equal(tcp.opt.have, WIRE_OPT_MSS | WIRE_OPT_WSCALE | WIRE_OPT_TS | WIRE_OPT_SACK_OK);
}

static void options_of_the_handshake_count_on_syn_only(void **state)
{
    (void)state;
    static const uint8_t options[] = {2, 4, 5, 180, 4, 2, 3, 3, 7, 1, 1, 1};
    uint8_t p[60];
    struct wire_tcp tcp;
    for (uint32_t flags = 0; flags < 512; flags++) {
        size_t len = make(p, (uint16_t)flags, options, sizeof(options));
        assert_int_equal(read_exact(p, len, len, &tcp), TERN_DROP_NONE);
        assert_int_equal(tcp.opt.have,
                         flags & TCP_SYN ? WIRE_OPT_MSS | WIRE_OPT_SACK_OK | WIRE_OPT_WSCALE : 0);
        assert_int_equal(tcp.opt.mss, flags & TCP_SYN ? 1460 : 0);
    }
}

static void values_are_passed_on_as_they_are(void **state)
{
    (void)state;
    uint8_t p[60];
    struct wire_tcp tcp;
    for (uint32_t mss = 0; mss <= 0xffff; mss++) {
        const uint8_t options[8] = {2, 4, (uint8_t)(mss >> 8), (uint8_t)mss, 1, 3, 3, (uint8_t)mss};
        size_t len = make(p, TCP_SYN, options, sizeof(options));
        assert_int_equal(wire_tcp_read(p, len, len, &tcp), TERN_DROP_NONE);
        assert_int_equal(tcp.opt.mss, mss);
        assert_int_equal(tcp.opt.wscale, mss & 0xff);
        assert_true(tcp.opt.have & WIRE_OPT_MSS && tcp.opt.have & WIRE_OPT_WSCALE);
    }
}

/* MUST-69 */
static void nothing_is_read_after_the_end_of_the_list(void **state)
{
    (void)state;
    for (uint32_t end = 0; end < 40; end++) {
        uint8_t options[40], p[60];
        struct wire_tcp tcp;
        memset(options, 1, end);
        memset(options + end, 0xff, 40 - end);
        options[end] = 0;
        size_t len = make(p, TCP_SYN, options, 40);
        assert_int_equal(read_exact(p, len, len, &tcp), TERN_DROP_NONE);
        assert_int_equal(tcp.opt.have, 0);
    }
}

/* ---- writing --------------------------------------------------------------------------------- */

static void expect_options(const struct wire_tcp_options *opt, const void *bytes, size_t len)
{
    uint8_t p[61];
    struct wire_tcp tcp = {.opt = *opt};
    memset(p, 0xee, sizeof(p));
    assert_int_equal(wire_tcp_options_len(opt), len);
    assert_int_equal(wire_tcp_write(p, &tcp), 20 + len);
    assert_int_equal(p[12] >> 4, (20 + len) / 4);
    assert_memory_equal(p + 20, bytes, len);
    assert_int_equal(p[20 + len], 0xee);
}

static void writes_options_in_the_usual_order(void **state)
{
    (void)state;
    struct wire_tcp_options o = {
        .wscale = 7, .mss = 1460, .tsval = 0x01020304, .tsecr = 0x05060708, .sack_count = 2};
    o.sack[0] = (struct wire_sack){0x11121314, 0x15161718};
    o.sack[1] = (struct wire_sack){0x21222324, 0x25262728};
    expect_options(&o, "", 0);
    o.have = WIRE_OPT_MSS | WIRE_OPT_SACK_OK | WIRE_OPT_TS | WIRE_OPT_WSCALE;
    static const uint8_t syn[] = {2, 4, 5, 180, 4, 2, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 3, 3, 7};
    expect_options(&o, syn, sizeof(syn));
    o.have = WIRE_OPT_MSS | WIRE_OPT_SACK_OK | WIRE_OPT_WSCALE;
    static const uint8_t no_ts[] = {2, 4, 5, 180, 1, 1, 4, 2, 1, 3, 3, 7};
    expect_options(&o, no_ts, sizeof(no_ts));
    o.have = WIRE_OPT_MSS | WIRE_OPT_TS | WIRE_OPT_WSCALE;
    static const uint8_t no_sack[] = {2, 4, 5, 180, 1, 1, 8, 10, 1, 2,
                                      3, 4, 5, 6,   7, 8, 1, 3,  3, 7};
    expect_options(&o, no_sack, sizeof(no_sack));
    o.have = WIRE_OPT_TS;
    expect_options(&o, no_sack + 4, 12);
    o.have = WIRE_OPT_TS | WIRE_OPT_SACK;
    static const uint8_t sack[] = {1,    1,    8,    10,   1,    2,    3,    4,    5,    6,    7,
                                   8,    1,    1,    5,    18,   0x11, 0x12, 0x13, 0x14, 0x15, 0x16,
                                   0x17, 0x18, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28};
    expect_options(&o, sack, sizeof(sack));
    o.have = WIRE_OPT_SACK;
    expect_options(&o, sack + 12, sizeof(sack) - 12);
}

/* RFC 9768 3.2.3, where Linux puts it: on SYN before what is not MSS or timestamps, elsewhere
 * before SACK, whose two NOPs it takes the place of where it has one or two bytes too many. */
static void writes_accecn_among_the_others(void **state)
{
    (void)state;
    struct wire_tcp_options o = {.mss = 1460, .wscale = 7, .tsval = 1, .tsecr = 2, .sack_count = 1};
    o.sack[0] = (struct wire_sack){0x11121314, 0x15161718};
    o.accecn = (struct wire_accecn){.count = 3, .order1 = true, .counter = {1, 0x20304, 0xfffffe}};
    o.have = WIRE_OPT_MSS | WIRE_OPT_SACK_OK | WIRE_OPT_WSCALE | WIRE_OPT_ACCECN;
    static const uint8_t syn[] = {2,    4,    5,    180, 174, 11, 0, 0, 1, 2, 3, 4,
                                  0xff, 0xff, 0xfe, 1,   1,   1,  4, 2, 1, 3, 3, 7};
    expect_options(&o, syn, sizeof(syn));
    o.have |= WIRE_OPT_TS;
    static const uint8_t syn_ts[] = {2,   4,  5, 180, 4, 2, 8, 10, 0,    0,    0,    1, 0, 0, 0, 2,
                                     174, 11, 0, 0,   1, 2, 3, 4,  0xff, 0xff, 0xfe, 1, 1, 3, 3, 7};
    expect_options(&o, syn_ts, sizeof(syn_ts));
    static const struct {
        uint8_t count, len;
        uint8_t bytes[24];
    } with_sack[] = {
        {3, 24, {174, 11, 0, 0, 1, 2, 3, 4, 0xff, 0xff, 0xfe, 1, 1, 1, 5, 10}},
        {2, 20, {174, 8, 0, 0, 1, 2, 3, 4, 1, 1, 5, 10}},
        {1, 16, {174, 5, 0, 0, 1, 1, 5, 10}},
        {0, 12, {174, 2, 5, 10}},
    };
    static const uint8_t alone[] = {12, 8, 8, 4};
    for (size_t i = 0; i < ARRAY_LEN(with_sack); i++) {
        uint8_t bytes[24];
        memcpy(bytes, with_sack[i].bytes, sizeof(bytes));
        store_be32(bytes + with_sack[i].len - 8, 0x11121314);
        store_be32(bytes + with_sack[i].len - 4, 0x15161718);
        o.accecn.count = with_sack[i].count;
        o.have = WIRE_OPT_SACK | WIRE_OPT_ACCECN;
        expect_options(&o, bytes, with_sack[i].len);
        o.have = WIRE_OPT_ACCECN;
        assert_int_equal(wire_tcp_options_len(&o), alone[3 - o.accecn.count]);
    }
    o.accecn.order1 = false;
    static const uint8_t kind0[] = {172, 2, 1, 1};
    expect_options(&o, kind0, sizeof(kind0));
}

static void reads_what_it_writes(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 100000; round++) {
        struct wire_tcp in, out;
        memset(&in, 0, sizeof(in));
        in.sport = (uint16_t)unit_random();
        in.dport = (uint16_t)unit_random();
        in.seq = (uint32_t)unit_random();
        in.ack = (uint32_t)unit_random();
        in.flags = (uint16_t)(unit_random() & 0x1ff);
        in.wnd = (uint16_t)unit_random();
        in.urg = (uint16_t)unit_random();
        uint8_t have = (uint8_t)(unit_random() & 63);
        if (!(in.flags & TCP_SYN))
            have &= WIRE_OPT_SACK | WIRE_OPT_TS | WIRE_OPT_ACCECN;
        in.opt.have = have;
        in.opt.mss = have & WIRE_OPT_MSS ? (uint16_t)unit_random() : 0;
        in.opt.wscale = have & WIRE_OPT_WSCALE ? (uint8_t)unit_random() : 0;
        in.opt.tsval = have & WIRE_OPT_TS ? (uint32_t)unit_random() : 0;
        in.opt.tsecr = have & WIRE_OPT_TS ? (uint32_t)unit_random() : 0;
        in.opt.sack_count = have & WIRE_OPT_SACK ? 1 + unit_below(4) : 0;
        for (uint32_t i = 0; i < in.opt.sack_count; i++)
            in.opt.sack[i] = (struct wire_sack){(uint32_t)unit_random(), (uint32_t)unit_random()};
        if (have & WIRE_OPT_ACCECN) {
            in.opt.accecn.count = (uint8_t)unit_below(4);
            in.opt.accecn.order1 = unit_below(2) != 0;
        }
        for (uint32_t i = 0; i < in.opt.accecn.count; i++)
            in.opt.accecn.counter[i] = (uint32_t)unit_random() & 0xffffff;
        size_t len = wire_tcp_options_len(&in.opt);
        uint8_t p[60];
        if (len > 40) {
            expect_assert_failure(wire_tcp_write(p, &in));
            continue;
        }
        memset(p, 0xee, sizeof(p));
        size_t header_len = wire_tcp_write(p, &in);
        assert_int_equal(header_len, 20 + len);
        assert_int_equal(load_be16(p + 16), 0);
        for (size_t i = header_len; i < sizeof(p); i++)
            assert_int_equal(p[i], 0xee);
        memset(&out, 0, sizeof(out));
        in.header_len = (uint16_t)header_len;
        assert_int_equal(read_exact(p, header_len, header_len + 5, &out), TERN_DROP_NONE);
        assert_memory_equal(&in, &out, sizeof(in));
    }
}

static void asserts_a_number_of_blocks_that_can_be(void **state)
{
    (void)state;
    uint8_t p[60];
    struct wire_tcp tcp = {.opt = {.have = WIRE_OPT_SACK, .sack_count = 0}};
    expect_assert_failure(wire_tcp_write(p, &tcp));
    tcp.opt.sack_count = 5;
    expect_assert_failure(wire_tcp_write(p, &tcp));
    tcp.opt.sack_count = 0x20000000; /* 8 times that is 0 in 32 bits */
    expect_assert_failure(wire_tcp_write(p, &tcp));
}

int main(void)
{
    unit_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_field),
        cmocka_unit_test(lengths_must_fit_together),
        cmocka_unit_test(counts_syn_and_fin_in_sequence_space),
        cmocka_unit_test(one_option_of_any_kind_and_length_anywhere),
        cmocka_unit_test(random_options),
        cmocka_unit_test(rows_of_words),
        cmocka_unit_test(every_truncation_is_told),
        cmocka_unit_test(a_timestamp_is_read_wherever_it_stands),
        cmocka_unit_test(the_first_of_two_counts),
        cmocka_unit_test(options_of_the_handshake_count_on_syn_only),
        cmocka_unit_test(values_are_passed_on_as_they_are),
        cmocka_unit_test(nothing_is_read_after_the_end_of_the_list),
        cmocka_unit_test(writes_options_in_the_usual_order),
        cmocka_unit_test(writes_accecn_among_the_others),
        cmocka_unit_test(reads_what_it_writes),
        cmocka_unit_test(asserts_a_number_of_blocks_that_can_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
