/* test_wire_icmp.c - ICMP of both versions: every type and code, quotes cut at every byte and
 * mangled on the way, and errors written and read again. */
#include "unit.h"

#include "wire/icmp.h"
#include "wire/tcp.h"

static enum tern_drop read_exact(const uint8_t *p, size_t n, size_t len, uint8_t version,
                                 struct wire_icmp *out)
{
    uint8_t *copy = malloc(n + (n == 0));
    assert_non_null(copy);
    memcpy(copy, p, n);
    enum tern_drop drop = wire_icmp_read(copy, n, len, version, out);
    free(copy);
    return drop;
}

static struct wire_ip ip_of(uint8_t version)
{
    struct wire_ip ip = {.version = version, .proto = WIRE_TCP, .ttl = 1, .payload_len = 1000};
    memset(ip.src, 0x20, 16);
    memset(ip.dst, 0x30, 16);
    if (version == 4) {
        memcpy(ip.src, wire_mapped_prefix, 12);
        memcpy(ip.dst, wire_mapped_prefix, 12);
    }
    return ip;
}

/* The first bytes of a TCP packet, as an error quotes it; returns the IP header's length. */
static size_t make_quote(uint8_t *p, uint8_t version)
{
    struct wire_ip ip = ip_of(version);
    const struct wire_tcp tcp = {.sport = 1234, .dport = 443, .seq = 0xfedcba98};
    size_t len = wire_ip_write(p, &ip, 0);
    wire_tcp_write(p + len, &tcp);
    return len;
}

/* An error with a quote of `quote_len` bytes. */
static size_t make(uint8_t *p, uint8_t version, uint8_t type, uint8_t code, size_t quote_len)
{
    uint8_t quote[200] = {0};
    const struct wire_ip ip = ip_of(version);
    make_quote(quote, version);
    return wire_icmp_write_error(p, version, type, code, 0, ip.dst, ip.src, quote, quote_len);
}

static enum wire_icmp_kind expected4(uint32_t type, uint32_t code)
{
    static const enum wire_icmp_kind unreachable[16] = {
        WIRE_ICMP_NET,     WIRE_ICMP_HOST,         WIRE_ICMP_PROTO,      WIRE_ICMP_PORT,
        WIRE_ICMP_TOO_BIG, WIRE_ICMP_SOURCE_ROUTE, WIRE_ICMP_NET,        WIRE_ICMP_HOST,
        WIRE_ICMP_HOST,    WIRE_ICMP_PROHIBITED,   WIRE_ICMP_PROHIBITED, WIRE_ICMP_NET,
        WIRE_ICMP_HOST,    WIRE_ICMP_PROHIBITED,   WIRE_ICMP_PROHIBITED, WIRE_ICMP_PROHIBITED,
    };
    switch (type) {
    case 0:
        return WIRE_ICMP_ECHO_REPLY;
    case 3:
        return code < 16 ? unreachable[code] : WIRE_ICMP_OTHER;
    case 4:
        return WIRE_ICMP_QUENCH;
    case 8:
        return WIRE_ICMP_ECHO;
    case 11:
        return WIRE_ICMP_TIME;
    case 12:
        return WIRE_ICMP_PARAM;
    default:
        return WIRE_ICMP_OTHER;
    }
}

static enum wire_icmp_kind expected6(uint32_t type, uint32_t code)
{
    static const enum wire_icmp_kind unreachable[7] = {
        WIRE_ICMP_NET,  WIRE_ICMP_PROHIBITED, WIRE_ICMP_HOST,       WIRE_ICMP_HOST,
        WIRE_ICMP_PORT, WIRE_ICMP_PROHIBITED, WIRE_ICMP_PROHIBITED,
    };
    switch (type) {
    case 1:
        return code < 7 ? unreachable[code] : WIRE_ICMP_PARAM;
    case 2:
        return WIRE_ICMP_TOO_BIG;
    case 3:
        return WIRE_ICMP_TIME;
    case 4:
        return code == 1 ? WIRE_ICMP_PROTO : WIRE_ICMP_PARAM;
    case 128:
        return WIRE_ICMP_ECHO;
    case 129:
        return WIRE_ICMP_ECHO_REPLY;
    default:
        return WIRE_ICMP_OTHER;
    }
}

static void knows_every_type_and_code(void **state)
{
    (void)state;
    uint8_t p[WIRE_ICMP_MAX];
    struct wire_icmp out;
    for (uint8_t version = 4; version <= 6; version += 2) {
        size_t len = make(p, version, 0, 0, 60);
        for (uint32_t type = 0; type < 256; type++) {
            for (uint32_t code = 0; code < 256; code++) {
                enum wire_icmp_kind kind =
                    version == 4 ? expected4(type, code) : expected6(type, code);
                p[0] = (uint8_t)type;
                p[1] = (uint8_t)code;
                assert_int_equal(wire_icmp_read(p, len, len, version, &out), TERN_DROP_NONE);
                assert_int_equal(out.kind, kind);
                assert_int_equal(out.type, type);
                assert_int_equal(out.code, code);
                assert_int_equal(out.quotes_tcp, kind != WIRE_ICMP_OTHER &&
                                                     kind != WIRE_ICMP_ECHO &&
                                                     kind != WIRE_ICMP_ECHO_REPLY);
            }
        }
    }
}

static void reads_the_quote(void **state)
{
    (void)state;
    uint8_t p[WIRE_ICMP_MAX];
    struct wire_icmp out;
    for (uint8_t version = 4; version <= 6; version += 2) {
        const struct wire_ip ip = ip_of(version);
        memset(&out, 0xee, sizeof(out));
        size_t len = make(p, version, version == 4 ? 3 : 1, 4, 60);
        assert_int_equal(read_exact(p, len, len, version, &out), TERN_DROP_NONE);
        assert_true(out.quotes_tcp);
        assert_memory_equal(out.src, ip.src, 16);
        assert_memory_equal(out.dst, ip.dst, 16);
        assert_int_equal(out.sport, 1234);
        assert_int_equal(out.dport, 443);
        assert_int_equal(out.seq, 0xfedcba98);
    }
}

/* */
static void a_quote_cut_at_each_byte(void **state)
{
    (void)state;
    uint8_t p[WIRE_ICMP_MAX];
    struct wire_icmp out;
    for (uint8_t version = 4; version <= 6; version += 2) {
        size_t needed = (version == 4 ? 20 : 40) + 8;
        for (size_t quote_len = 0; quote_len <= 80; quote_len++) {
            size_t len = make(p, version, version == 4 ? 11 : 3, 0, quote_len);
            assert_int_equal(len, 8 + quote_len);
            assert_int_equal(read_exact(p, len, len, version, &out),
                             quote_len >= needed ? TERN_DROP_NONE : TERN_DROP_ICMP_MALFORMED);
            assert_int_equal(out.quotes_tcp, quote_len >= needed);
        }
        size_t len = make(p, version, version == 4 ? 11 : 3, 0, 80);
        for (size_t have = 0; have < len; have++) /* cut by what is at hand */
            assert_int_equal(read_exact(p, have, len, version, &out),
                             have >= 8 + needed ? TERN_DROP_NONE : TERN_DROP_ICMP_MALFORMED);
        for (size_t cut = 0; cut < len; cut++) /* what lies beyond the message is not looked at */
            assert_int_equal(read_exact(p, len, cut, version, &out),
                             cut >= 8 + needed ? TERN_DROP_NONE : TERN_DROP_ICMP_MALFORMED);
    }
}

static void echo_needs_eight_bytes(void **state)
{
    (void)state;
    uint8_t p[8] = {8};
    struct wire_icmp out;
    for (size_t have = 0; have <= 8; have++)
        assert_int_equal(read_exact(p, have, have, 4, &out),
                         have == 8 ? TERN_DROP_NONE : TERN_DROP_ICMP_MALFORMED);
    assert_int_equal(out.kind, WIRE_ICMP_ECHO);
    p[0] = 129;
    assert_int_equal(read_exact(p, 8, 8, 6, &out), TERN_DROP_NONE);
    assert_int_equal(out.kind, WIRE_ICMP_ECHO_REPLY);
}

static void an_ip4_quote_of_any_version_and_ihl(void **state)
{
    (void)state;
    uint8_t p[WIRE_ICMP_MAX];
    struct wire_icmp out;
    for (uint32_t first = 0; first < 256; first++) {
        for (size_t quote_len = 0; quote_len <= 72; quote_len++) {
            size_t len = make(p, 4, 3, 1, quote_len), header_len = (first & 15) * 4;
            if (quote_len != 0)
                p[8] = (uint8_t)first;
            for (size_t i = 0; i < 8 && header_len + i < quote_len && header_len >= 20; i++)
                p[8 + header_len + i] = (uint8_t)i;
            bool fits = quote_len >= 20 && first >> 4 == 4 && header_len >= 20 &&
                        quote_len >= header_len + 8;
            assert_int_equal(read_exact(p, len, len, 4, &out),
                             fits ? TERN_DROP_NONE : TERN_DROP_ICMP_MALFORMED);
            assert_int_equal(out.quotes_tcp, fits);
            if (fits) {
                assert_int_equal(out.sport, 0x0001);
                assert_int_equal(out.dport, 0x0203);
                assert_int_equal(out.seq, 0x04050607);
            }
        }
    }
}

/* Lengths, checksum, TTL and TOS of the quote may have been changed by routers. */
static void does_not_mind_what_routers_change(void **state)
{
    (void)state;
    uint8_t p[WIRE_ICMP_MAX];
    struct wire_icmp out;
    size_t len = make(p, 4, 3, 1, 28);
    static const uint8_t changed[] = {1, 2, 3, 8, 10, 11};
    for (size_t i = 0; i < ARRAY_LEN(changed); i++) {
        p[8 + changed[i]] ^= 0xff;
        assert_int_equal(read_exact(p, len, len, 4, &out), TERN_DROP_NONE);
        assert_true(out.quotes_tcp);
    }
}

static void a_quote_of_something_else_names_no_connection(void **state)
{
    (void)state;
    uint8_t p[WIRE_ICMP_MAX];
    struct wire_icmp out;
    for (uint32_t proto = 0; proto < 256; proto++) {
        size_t len = make(p, 4, 3, 1, 28);
        p[8 + 9] = (uint8_t)proto;
        assert_int_equal(read_exact(p, len, len, 4, &out), TERN_DROP_NONE);
        assert_int_equal(out.quotes_tcp, proto == WIRE_TCP);
        len = make(p, 6, 1, 0, 48);
        p[8 + 6] = (uint8_t)proto;
        read_exact(p, len, len, 6, &out);
        assert_int_equal(out.quotes_tcp, proto == WIRE_TCP);
    }
    for (uint32_t field = 0; field <= 0xffff; field++) { /* a later fragment has no ports */
        size_t len = make(p, 4, 3, 1, 28);
        store_be16(p + 8 + 6, (uint16_t)field);
        assert_int_equal(wire_icmp_read(p, len, len, 4, &out), TERN_DROP_NONE);
        assert_int_equal(out.quotes_tcp, (field & 0x1fff) == 0);
    }
}

/* Nothing but TCP needs more than its IP header. */
static void a_quote_of_something_else_may_end_with_its_header(void **state)
{
    (void)state;
    uint8_t p[WIRE_ICMP_MAX], quote[60] = {0};
    struct wire_icmp out;
    size_t len = make(p, 4, 3, 1, 20);
    p[8 + 9] = WIRE_UDP;
    assert_int_equal(read_exact(p, len, len, 4, &out), TERN_DROP_NONE);
    assert_false(out.quotes_tcp);
    const struct wire_ip ip = ip_of(6);
    make_quote(quote, 6);
    quote[6] = WIRE_EXT_DESTINATION;
    memset(quote + 40, 0, 8);
    quote[40] = WIRE_UDP;
    len = wire_icmp_write_error(p, 6, 1, 0, 0, ip.dst, ip.src, quote, 48);
    assert_int_equal(read_exact(p, len, len, 6, &out), TERN_DROP_NONE);
    assert_false(out.quotes_tcp);
}

static void walks_the_extension_headers_of_a_quote(void **state)
{
    (void)state;
    static const uint8_t chain[] = {
        43, 0, 1,   4, 0, 0, 0, 0, /* hop-by-hop */
        44, 1, 0,   3, 0, 0, 0, 0, /* routing, with segments left: it was on its way */
        0,  0, 0,   0, 0, 0, 0, 0, /* */
        60, 0, 0,   1, 0, 0, 0, 9, /* fragment: the first of several */
        6,  0, 255, 4, 0, 0, 0, 0, /* destination options of any kind */
    };
    uint8_t p[WIRE_ICMP_MAX], quote[200];
    struct wire_icmp out;
    const struct wire_ip ip = ip_of(6);
    make_quote(quote, 6);
    memmove(quote + 40 + sizeof(chain), quote + 40, 20);
    memcpy(quote + 40, chain, sizeof(chain));
    quote[6] = 0;
    size_t needed = 40 + sizeof(chain) + 8;
    for (size_t quote_len = 0; quote_len <= needed; quote_len++) {
        size_t len = wire_icmp_write_error(p, 6, 1, 0, 0, ip.dst, ip.src, quote, quote_len);
        assert_int_equal(read_exact(p, len, len, 6, &out),
                         quote_len == needed ? TERN_DROP_NONE : TERN_DROP_ICMP_MALFORMED);
        assert_int_equal(out.quotes_tcp, quote_len == needed);
    }
    assert_int_equal(out.sport, 1234);
    assert_int_equal(out.seq, 0xfedcba98);
    for (uint32_t field = 0; field <= 0xffff; field++) {
        size_t len = wire_icmp_write_error(p, 6, 1, 0, 0, ip.dst, ip.src, quote, needed);
        store_be16(p + 8 + 40 + 26, (uint16_t)field);
        assert_int_equal(wire_icmp_read(p, len, len, 6, &out), TERN_DROP_NONE);
        assert_int_equal(out.quotes_tcp, field < 8);
    }
}

static void a_chain_without_end_names_nothing(void **state)
{
    (void)state;
    uint8_t p[WIRE_ICMP_MAX], quote[1000] = {0};
    struct wire_icmp out;
    const struct wire_ip ip = ip_of(6);
    for (size_t count = 1; count <= 100; count++) {
        make_quote(quote, 6);
        memset(quote + 40, 0, sizeof(quote) - 40);
        quote[6] = 60;
        for (size_t i = 0; i < count; i++)
            quote[40 + 8 * i] = i + 1 < count ? 60 : 6;
        size_t len =
            wire_icmp_write_error(p, 6, 1, 0, 0, ip.dst, ip.src, quote, 40 + 8 * count + 8);
        assert_int_equal(read_exact(p, len, len, 6, &out), TERN_DROP_NONE);
        assert_int_equal(out.quotes_tcp, count <= WIRE_EXT_MAX);
    }
}

/* An IPv6 message must not speak about IPv4 connections, which look like this inside. */
static void an_ip6_quote_has_no_ip4_addresses(void **state)
{
    (void)state;
    uint8_t p[WIRE_ICMP_MAX];
    struct wire_icmp out;
    for (size_t at = 8; at <= 24; at += 16) {
        size_t len = make(p, 6, 1, 0, 60);
        memcpy(p + 8 + at, wire_mapped_prefix, 12);
        assert_int_equal(read_exact(p, len, len, 6, &out), TERN_DROP_ICMP_MALFORMED);
        assert_false(out.quotes_tcp);
    }
    size_t len = make(p, 6, 1, 0, 60);
    p[8] = 0x45;
    assert_int_equal(read_exact(p, len, len, 6, &out), TERN_DROP_ICMP_MALFORMED);
}

static void carries_the_mtu(void **state)
{
    (void)state;
    uint8_t p[WIRE_ICMP_MAX], quote[60];
    struct wire_icmp out;
    const uint32_t mtus[] = {0, 68, 552, 1280, 1500, 65535, 65536, UINT32_MAX};
    for (size_t i = 0; i < ARRAY_LEN(mtus); i++) {
        struct wire_ip ip = ip_of(4);
        make_quote(quote, 4);
        size_t len = wire_icmp_write_error(p, 4, 3, 4, mtus[i], ip.dst, ip.src, quote, 40);
        assert_int_equal(read_exact(p, len, len, 4, &out), TERN_DROP_NONE);
        assert_int_equal(out.mtu, mtus[i] & 0xffff);
        ip = ip_of(6);
        make_quote(quote, 6);
        len = wire_icmp_write_error(p, 6, 2, 0, mtus[i], ip.dst, ip.src, quote, 60);
        assert_int_equal(read_exact(p, len, len, 6, &out), TERN_DROP_NONE);
        assert_int_equal(out.mtu, mtus[i]);
    }
    size_t len = make(p, 4, 3, 4, 28);
    store_be32(p + 4, 0x001105dc); /* a length (RFC 4884 4.1) in front of the MTU */
    assert_int_equal(read_exact(p, len, len, 4, &out), TERN_DROP_NONE);
    assert_int_equal(out.mtu, 1500);
    len = make(p, 4, 3, 1, 28);
    store_be32(p + 4, UINT32_MAX); /* only packets too big have one */
    assert_int_equal(read_exact(p, len, len, 4, &out), TERN_DROP_NONE);
    assert_int_equal(out.mtu, 0);
}

static void carries_the_pointer_of_a_parameter_problem(void **state)
{
    (void)state;
    uint8_t p[WIRE_ICMP_MAX], quote[60];
    struct wire_ip ip = ip_of(4);
    make_quote(quote, 4);
    wire_icmp_write_error(p, 4, 12, 0, 9, ip.dst, ip.src, quote, 28);
    assert_int_equal(load_be32(p + 4), 9u << 24);
    ip = ip_of(6);
    make_quote(quote, 6);
    wire_icmp_write_error(p, 6, 4, 1, 40, ip.dst, ip.src, quote, 60);
    assert_int_equal(load_be32(p + 4), 40);
    wire_icmp_write_error(p, 4, 3, 1, 99, ip.dst, ip.src, quote, 28);
    assert_int_equal(load_be32(p + 4), 0); /* unused elsewhere */
}

static void writes_checksums_that_hold_and_no_more_than_fits(void **state)
{
    (void)state;
    uint8_t quote[2000], p[WIRE_ICMP_MAX + 1];
    for (size_t i = 0; i < sizeof(quote); i++)
        quote[i] = (uint8_t)unit_random();
    for (uint8_t version = 4; version <= 6; version += 2) {
        const struct wire_ip ip = ip_of(version);
        size_t max = version == 4 ? 576 - 20 : 1280 - 40;
        for (size_t quote_len = 0; quote_len <= sizeof(quote); quote_len++) {
            memset(p, 0xee, sizeof(p));
            size_t len =
                wire_icmp_write_error(p, version, 3, 0, 0, ip.src, ip.dst, quote, quote_len);
            assert_int_equal(len, min_size(8 + quote_len, max));
            assert_memory_equal(p + 8, quote, len - 8);
            assert_int_equal(p[len], 0xee);
            uint64_t sum =
                version == 4 ? 0 : wire_pseudo_sum(ip.src, ip.dst, WIRE_ICMP6, (uint32_t)len);
            assert_int_equal(cksum_fold(cksum_portable(p, len, sum)), 0xffff);
        }
    }
}

static void random_bytes_stay_in_bounds(void **state)
{
    (void)state;
    static const uint8_t types[] = {3, 4, 11, 12, 1, 2, 128};
    static const uint8_t kinds[] = {0, 43, 44, 60, 6};
    for (uint32_t round = 0; round < 200000; round++) {
        uint8_t p[120];
        size_t len = unit_below(sizeof(p) + 1);
        for (size_t i = 0; i < sizeof(p); i++)
            p[i] = unit_below(3) == 0 ? (uint8_t)unit_random() : kinds[unit_below(5)];
        p[0] = types[unit_below(7)];
        p[8] = unit_below(2) == 0 ? 0x60 : (uint8_t)(0x40 | unit_below(16));
        struct wire_icmp out;
        enum tern_drop drop = read_exact(p, len, sizeof(p), unit_below(2) == 0 ? 4 : 6, &out);
        assert_true(drop == TERN_DROP_NONE || drop == TERN_DROP_ICMP_MALFORMED);
        assert_true(drop == TERN_DROP_NONE || !out.quotes_tcp);
    }
}

int main(void)
{
    unit_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_every_type_and_code),
        cmocka_unit_test(reads_the_quote),
        cmocka_unit_test(a_quote_cut_at_each_byte),
        cmocka_unit_test(echo_needs_eight_bytes),
        cmocka_unit_test(an_ip4_quote_of_any_version_and_ihl),
        cmocka_unit_test(does_not_mind_what_routers_change),
        cmocka_unit_test(a_quote_of_something_else_names_no_connection),
        cmocka_unit_test(a_quote_of_something_else_may_end_with_its_header),
        cmocka_unit_test(walks_the_extension_headers_of_a_quote),
        cmocka_unit_test(a_chain_without_end_names_nothing),
        cmocka_unit_test(an_ip6_quote_has_no_ip4_addresses),
        cmocka_unit_test(carries_the_mtu),
        cmocka_unit_test(carries_the_pointer_of_a_parameter_problem),
        cmocka_unit_test(writes_checksums_that_hold_and_no_more_than_fits),
        cmocka_unit_test(random_bytes_stay_in_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
