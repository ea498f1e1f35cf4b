/* test_wire_ip.c - IPv4 and IPv6 headers: what is accepted, what is refused and why; every
 * truncation; extension headers; the pseudo-header; classes of addresses. */
#include "unit.h"

#include "wire/ip.h"

/* A copy of exactly `n` bytes, so that a sanitizer sees each byte read beyond. */
static enum tern_drop read_exact(const uint8_t *p, size_t n, size_t total, struct wire_ip *out)
{
    uint8_t *copy = malloc(n + (n == 0));
    assert_non_null(copy);
    memcpy(copy, p, n);
    enum tern_drop drop = wire_ip_read(copy, n, total, out);
    free(copy);
    return drop;
}

static void put_ip4_checksum(uint8_t *p, size_t header_len)
{
    uint32_t sum = 0;
    store_be16(p + 10, 0);
    for (size_t i = 0; i < header_len; i += 2)
        sum += load_be16(p + i);
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    store_be16(p + 10, (uint16_t)~sum);
}

/* An IPv4 packet from 192.0.2.1 to 198.51.100.2 with options of zeros, and its payload of zeros. */
static size_t make4(uint8_t *p, size_t header_len, size_t payload_len)
{
    memset(p, 0, header_len + payload_len);
    p[0] = (uint8_t)(0x40 | header_len / 4);
    p[1] = 0xb9;
    store_be16(p + 2, (uint16_t)(header_len + payload_len));
    store_be16(p + 4, 0x1234);
    store_be16(p + 6, 0x4000);
    p[8] = 61;
    p[9] = WIRE_TCP;
    store_be32(p + 12, 0xc0000201);
    store_be32(p + 16, 0xc6336402);
    put_ip4_checksum(p, header_len);
    return header_len + payload_len;
}

/* An IPv6 packet whose next header is `next`, with `len` bytes after the header. */
static size_t make6(uint8_t *p, uint8_t next, const void *rest, size_t len)
{
    memset(p, 0, 40);
    store_be32(p, 0x6b9abcde);
    store_be16(p + 4, (uint16_t)len);
    p[6] = next;
    p[7] = 61;
    store_be32(p + 8, 0x20010db8);
    p[23] = 1;
    store_be32(p + 24, 0x20010db8);
    p[39] = 2;
    memcpy(p + 40, rest, len);
    return 40 + len;
}

/* ---- IPv4 ------------------------------------------------------------------------------------ */

static void reads_an_ip4_header(void **state)
{
    (void)state;
    uint8_t p[100];
    struct wire_ip ip;
    for (size_t header_len = 20; header_len <= 60; header_len += 4) {
        memset(&ip, 0xee, sizeof(ip));
        make4(p, header_len, 13);
        assert_int_equal(read_exact(p, header_len, 100, &ip), TERN_DROP_NONE);
        const uint8_t src[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1};
        const uint8_t dst[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 198, 51, 100, 2};
        assert_memory_equal(ip.src, src, 16);
        assert_memory_equal(ip.dst, dst, 16);
        assert_int_equal(ip.version, 4);
        assert_int_equal(ip.proto, WIRE_TCP);
        assert_int_equal(ip.ttl, 61);
        assert_int_equal(ip.tos, 0xb9);
        assert_int_equal(ip.header_len, header_len);
        assert_int_equal(ip.payload_len, 13);
        assert_int_equal(ip.l4_proto_off, 9);
        assert_false(ip.fragment);
    }
}

/* */
static void what_follows_the_packet_is_not_looked_at(void **state)
{
    (void)state;
    uint8_t p[100] = {0};
    struct wire_ip ip;
    make4(p, 24, 0);
    for (size_t total = 0; total < 100; total++)
        assert_int_equal(wire_ip_read(p, 100, total, &ip),
                         total >= 24 ? TERN_DROP_NONE : TERN_DROP_SHORT);
    make6(p, WIRE_TCP, "", 0);
    for (size_t total = 0; total < 100; total++)
        assert_int_equal(wire_ip_read(p, 100, total, &ip),
                         total >= 40 ? TERN_DROP_NONE : TERN_DROP_SHORT);
}

/* T-12. */
static void only_versions_4_and_6(void **state)
{
    (void)state;
    uint8_t p[100] = {0};
    struct wire_ip ip;
    for (uint32_t version = 0; version < 16; version++) {
        if (version == 4 || version == 6)
            continue;
        make4(p, 20, 20);
        p[0] = (uint8_t)(version << 4 | 5);
        put_ip4_checksum(p, 20);
        for (size_t have = 1; have <= 40; have++)
            assert_int_equal(read_exact(p, have, 40, &ip), TERN_DROP_IP_VERSION);
    }
}

/* IHL, total length, bytes in the packet, and bytes at hand: all combinations. (T-09) */
static void ip4_lengths_must_fit_together(void **state)
{
    (void)state;
    uint8_t p[128];
    struct wire_ip ip;
    for (size_t ihl = 0; ihl < 16; ihl++) {
        for (size_t total_len = 0; total_len <= 80; total_len++) {
            for (size_t total = 0; total <= 80; total++) {
                size_t have =
                    total < 20 || unit_below(2) == 0 ? total : unit_below((uint32_t)total);
                make4(p, 20, 60);
                memset(p + 20, 1, 60);
                p[0] = (uint8_t)(0x40 | ihl);
                store_be16(p + 2, (uint16_t)total_len);
                put_ip4_checksum(p, ihl >= 5 ? ihl * 4 : 20);
                enum tern_drop expected = TERN_DROP_NONE;
                if (have < 20)
                    expected = TERN_DROP_SHORT;
                else if (ihl < 5 || total_len < ihl * 4)
                    expected = TERN_DROP_IP_HEADER;
                else if (total_len > total || ihl * 4 > have)
                    expected = TERN_DROP_SHORT;
                assert_int_equal(read_exact(p, have, total, &ip), expected);
                if (expected == TERN_DROP_NONE) {
                    assert_int_equal(ip.header_len + ip.payload_len, total_len);
                    assert_int_equal(ip.header_len, ihl * 4);
                }
            }
        }
    }
}

static void each_flipped_bit_breaks_the_ip4_checksum(void **state)
{
    (void)state;
    uint8_t p[128];
    struct wire_ip ip;
    for (size_t header_len = 20; header_len <= 60; header_len += 8) {
        for (size_t bit = 0; bit < header_len * 8; bit++) {
            size_t len = make4(p, header_len, 20);
            p[bit / 8] ^= (uint8_t)(1 << bit % 8);
            enum tern_drop drop = wire_ip_read(p, len, len, &ip);
            assert_int_not_equal(drop, TERN_DROP_NONE);
            if (bit >= 32) /* not in version, lengths or TOS */
                assert_int_equal(drop, TERN_DROP_IP_CSUM);
        }
    }
}

static void tells_ip4_fragments(void **state)
{
    (void)state;
    uint8_t p[100];
    struct wire_ip ip;
    make4(p, 20, 8);
    for (uint32_t field = 0; field <= 0xffff; field++) {
        store_be16(p + 6, (uint16_t)field);
        put_ip4_checksum(p, 20);
        assert_int_equal(wire_ip_read(p, 28, 28, &ip), TERN_DROP_NONE);
        bool more = field & 0x2000, offset = (field & 0x1fff) != 0;
        assert_int_equal(ip.fragment, more || offset);
    }
}

/* Each kind with each length at each place among NOPs. */
static void skips_ip4_options_but_no_source_route(void **state)
{
    (void)state;
    uint8_t p[100];
    struct wire_ip ip;
    for (uint32_t kind = 0; kind < 256; kind++) {
        for (uint32_t len = 0; len <= 41; len++) {
            for (uint32_t at = 0; at < 40; at++) {
                make4(p, 60, 0);
                memset(p + 20, 1, 40);
                p[20 + at] = (uint8_t)kind;
                if (at < 39)
                    p[20 + at + 1] = (uint8_t)len;
                put_ip4_checksum(p, 60);
                enum tern_drop expected = TERN_DROP_NONE;
                if (kind > 1 && (at == 39 || len < 2 || at + len > 40))
                    expected = TERN_DROP_IP_HEADER;
                else if (kind == 131 || kind == 137)
                    expected = TERN_DROP_IP_SOURCE_ROUTE;
                else if (kind == 1 && at < 39 && len > 1)
                    continue; /* then `len` is a kind itself */
                assert_int_equal(wire_ip_read(p, 60, 60, &ip), expected);
            }
        }
    }
}

static void ip4_options_end_where_they_say(void **state)
{
    (void)state;
    uint8_t p[100];
    struct wire_ip ip;
    make4(p, 32, 0);
    const uint8_t options[12] = {7, 4, 131, 131, 0, 137, 1, 131, 255, 255, 255, 255};
    memcpy(p + 20, options, 12); /* a source route inside another option, and after the end */
    put_ip4_checksum(p, 32);
    assert_int_equal(wire_ip_read(p, 32, 32, &ip), TERN_DROP_NONE);
}

/* ---- IPv6 ------------------------------------------------------------------------------------ */

static void reads_an_ip6_header(void **state)
{
    (void)state;
    uint8_t p[100];
    const uint8_t payload[20] = {0};
    struct wire_ip ip;
    memset(&ip, 0xee, sizeof(ip));
    make6(p, WIRE_TCP, payload, 20);
    assert_int_equal(read_exact(p, 40, 90, &ip), TERN_DROP_NONE);
    assert_memory_equal(ip.src, p + 8, 16);
    assert_memory_equal(ip.dst, p + 24, 16);
    assert_int_equal(ip.version, 6);
    assert_int_equal(ip.proto, WIRE_TCP);
    assert_int_equal(ip.ttl, 61);
    assert_int_equal(ip.tos, 0xb9);
    assert_int_equal(ip.header_len, 40);
    assert_int_equal(ip.payload_len, 20);
    assert_int_equal(ip.l4_proto_off, 6);
    assert_false(ip.fragment);
    for (size_t total = 0; total < 60; total++)
        assert_int_equal(read_exact(p, total, total, &ip), TERN_DROP_SHORT);
}

static void refuses_ip4_addresses_in_ip6(void **state)
{
    (void)state;
    uint8_t p[100];
    struct wire_ip ip;
    make6(p, WIRE_TCP, "", 0);
    memcpy(p + 8, wire_mapped_prefix, 12);
    assert_int_equal(wire_ip_read(p, 40, 40, &ip), TERN_DROP_IP_SOURCE);
    make6(p, WIRE_TCP, "", 0);
    memcpy(p + 24, wire_mapped_prefix, 12);
    assert_int_equal(wire_ip_read(p, 40, 40, &ip), TERN_DROP_IP_DESTINATION);
}

static void walks_extension_headers(void **state)
{
    (void)state;
    uint8_t p[200];
    struct wire_ip ip;
    static const uint8_t rest[] = {
        60, 0,  1,    4,  0, 0, 0, 0, /* hop-by-hop: padding */
        43, 1,  0,    0,  0, 0, 0, 0, /* destination options: 14 bytes of Pad1 */
        0,  0,  0,    0,  0, 0, 0, 0, /* */
        44, 2,  77,   0,  9, 9, 9, 9, /* routing of an unknown type, no segments left */
        9,  9,  9,    9,  9, 9, 9, 9, /* */
        9,  9,  9,    9,  9, 9, 9, 9, /* */
        60, 99, 0,    6,  1, 2, 3, 4, /* fragment: atomic, with reserved bits set */
        6,  0,  0x3e, 4,  5, 6, 7, 8, /* destination options: one unknown, to be skipped */
        0,  80, 0,    81, 0, 0, 0, 0, /* TCP begins */
    };
    size_t len = make6(p, 0, rest, sizeof(rest));
    assert_int_equal(read_exact(p, len - 8, len, &ip), TERN_DROP_NONE);
    assert_int_equal(ip.proto, WIRE_TCP);
    assert_int_equal(ip.header_len, len - 8);
    assert_int_equal(ip.payload_len, 8);
    assert_int_equal(ip.l4_proto_off, 40 + 56);
    assert_false(ip.fragment);
    for (size_t have = 0; have < len - 8; have++) /* each cut, at hand and in all */
        assert_int_equal(read_exact(p, have, len, &ip), TERN_DROP_SHORT);
    for (size_t cut = 40; cut < len - 8; cut++) {
        store_be16(p + 4, (uint16_t)(cut - 40));
        assert_int_equal(read_exact(p, cut, cut, &ip), TERN_DROP_SHORT);
        assert_int_equal(read_exact(p, len, len, &ip), TERN_DROP_SHORT);
    }
}

/* What follows is named, known here or not; nothing beyond it is looked at. */
static void stops_at_what_is_no_extension_header(void **state)
{
    (void)state;
    uint8_t p[200];
    struct wire_ip ip;
    for (uint32_t next = 0; next < 256; next++) {
        if (wire_ip6_extension((uint8_t)next))
            continue;
        const uint8_t rest[8] = {(uint8_t)next, 0, 1, 4, 0, 0, 0, 0};
        make6(p, (uint8_t)next, "", 0);
        assert_int_equal(read_exact(p, 40, 40, &ip), TERN_DROP_NONE);
        assert_int_equal(ip.proto, next);
        make6(p, 60, rest, 8);
        assert_int_equal(read_exact(p, 48, 48, &ip), TERN_DROP_NONE);
        assert_int_equal(ip.proto, next);
        assert_int_equal(ip.l4_proto_off, 40);
        assert_int_equal(ip.payload_len, 0);
    }
}

static void obeys_the_action_bits_of_options(void **state)
{
    (void)state;
    uint8_t p[200];
    struct wire_ip ip;
    for (uint32_t kind = 0; kind < 256; kind++) {
        for (uint32_t len = 0; len < 256; len++) {
            for (uint32_t at = 0; at < 14; at++) {
                uint8_t rest[16] = {6, 1};
                for (uint32_t i = at + 2; i < at + 2 + len && i < 14 && kind != 0; i++)
                    rest[2 + i] = 0xc5; /* in the option: nobody's kind */
                rest[2 + at] = (uint8_t)kind;
                if (at < 13)
                    rest[3 + at] = (uint8_t)len;
                enum tern_drop expected = TERN_DROP_NONE;
                if (kind != 0 && (at == 13 || at + 2 + len > 14))
                    expected = TERN_DROP_IP_HEADER;
                else if (kind >= 64)
                    expected = TERN_DROP_IP_EXT_HEADER;
                else if (kind == 0 && len != 0 && at < 13)
                    continue; /* then `len` is a kind itself */
                make6(p, kind % 2 == 0 ? 0 : 60, rest, 16);
                assert_int_equal(read_exact(p, 56, 56, &ip), expected);
            }
        }
    }
}

static void hop_by_hop_options_stand_first_or_not_at_all(void **state)
{
    (void)state;
    uint8_t p[200];
    struct wire_ip ip;
    static const uint8_t twice[16] = {0, 0, 1, 4, 0, 0, 0, 0, 6, 0, 1, 4, 0, 0, 0, 0};
    make6(p, 0, twice, 16);
    assert_int_equal(wire_ip_read(p, 56, 56, &ip), TERN_DROP_IP_EXT_HEADER);
    make6(p, 60, twice, 16);
    assert_int_equal(wire_ip_read(p, 56, 56, &ip), TERN_DROP_IP_EXT_HEADER);
}

static void refuses_routes_still_to_be_travelled(void **state)
{
    (void)state;
    uint8_t p[200];
    struct wire_ip ip;
    for (uint32_t type = 0; type < 256; type++) {
        for (uint32_t left = 0; left < 256; left++) {
            const uint8_t rest[8] = {6, 0, (uint8_t)type, (uint8_t)left, 0, 0, 0, 0};
            make6(p, 43, rest, 8);
            assert_int_equal(wire_ip_read(p, 48, 48, &ip),
                             left == 0 ? TERN_DROP_NONE : TERN_DROP_IP_SOURCE_ROUTE);
        }
    }
}

/* */
static void tells_ip6_fragments(void **state)
{
    (void)state;
    uint8_t p[200];
    struct wire_ip ip;
    for (uint32_t field = 0; field <= 0xffff; field++) {
        uint8_t rest[16] = {60, 0, (uint8_t)(field >> 8), (uint8_t)field, 0, 0, 0, 1};
        bool whole = (field & 0xfff9) == 0;
        rest[8] = 6; /* destination options behind it: of a piece, not looked at */
        rest[10] = whole ? 0 : 0xff;
        make6(p, 44, rest, 16);
        assert_int_equal(wire_ip_read(p, 56, 56, &ip), TERN_DROP_NONE);
        assert_int_equal(ip.fragment, !whole);
        assert_int_equal(ip.header_len, whole ? 56 : 48);
        assert_int_equal(ip.proto, whole ? 6 : 60);
        assert_int_equal(ip.payload_len, whole ? 0 : 8);
    }
}

/* */
static void extension_headers_are_limited(void **state)
{
    (void)state;
    uint8_t p[4000], rest[3000];
    struct wire_ip ip;
    for (size_t count = 1; count <= 64; count++) { /* in number */
        memset(rest, 0, sizeof(rest));
        for (size_t i = 0; i < count; i++)
            rest[8 * i] = i + 1 < count ? 60 : 6;
        size_t len = make6(p, 60, rest, count * 8);
        assert_int_equal(wire_ip_read(p, len, len, &ip),
                         count <= WIRE_EXT_MAX ? TERN_DROP_NONE : TERN_DROP_IP_EXT_HEADER);
    }
    for (size_t size = 8; size <= 2048; size += 8) { /* in bytes, of one and of two */
        memset(rest, 0, sizeof(rest));
        rest[0] = 6;
        rest[1] = (uint8_t)(size / 8 - 1);
        size_t len = make6(p, 60, rest, size);
        assert_int_equal(wire_ip_read(p, len, len, &ip),
                         size <= WIRE_EXT_BYTES ? TERN_DROP_NONE : TERN_DROP_IP_EXT_HEADER);
        memset(rest, 0, sizeof(rest));
        rest[0] = 60;
        rest[8] = 6;
        rest[9] = (uint8_t)(size / 8 - 1);
        len = make6(p, 0, rest, size + 8);
        assert_int_equal(wire_ip_read(p, len, len, &ip),
                         size + 8 <= WIRE_EXT_BYTES ? TERN_DROP_NONE : TERN_DROP_IP_EXT_HEADER);
    }
}

/* Whatever it says, its result lies within the packet. */
static void random_bytes_stay_in_bounds(void **state)
{
    (void)state;
    static const uint8_t kinds[] = {0, 43, 44, 60, 6, 17, 59, 58};
    for (uint32_t round = 0; round < 200000; round++) {
        uint8_t p[120];
        for (size_t i = 0; i < sizeof(p); i++)
            p[i] = unit_below(3) == 0 ? (uint8_t)unit_random() : kinds[unit_below(8)];
        p[0] = unit_below(2) == 0 ? 0x60 : (uint8_t)(0x40 | unit_below(16));
        store_be16(p + 2, (uint16_t)unit_below(130));
        store_be16(p + 4, (uint16_t)unit_below(90));
        if (p[0] >> 4 == 4)
            put_ip4_checksum(p, (p[0] & 15u) * 4 < 20 ? 20 : (p[0] & 15u) * 4);
        size_t total = unit_below(121), have = unit_below((uint32_t)total + 1);
        struct wire_ip ip;
        enum tern_drop drop = read_exact(p, have, total, &ip);
        assert_true(drop <= TERN_DROP_IP_EXT_HEADER || drop == TERN_DROP_IP_SOURCE ||
                    drop == TERN_DROP_IP_DESTINATION);
        if (drop != TERN_DROP_NONE)
            continue;
        assert_true(ip.header_len <= have && (size_t)ip.header_len + ip.payload_len <= total);
        assert_true(ip.l4_proto_off < ip.header_len);
        assert_int_equal(p[ip.l4_proto_off], ip.proto);
    }
}

/* ---- writing, sums, classes ------------------------------------------------------------------ */

static void writes_what_it_reads(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 20000; round++) {
        struct wire_ip in = {.version = round % 2 == 0 ? 4 : 6}, out;
        for (size_t i = 0; i < 16; i++) {
            in.src[i] = (uint8_t)unit_random();
            in.dst[i] = (uint8_t)unit_random();
        }
        if (in.version == 4) {
            memcpy(in.src, wire_mapped_prefix, 12);
            memcpy(in.dst, wire_mapped_prefix, 12);
        }
        in.proto = WIRE_TCP;
        in.ttl = (uint8_t)unit_random();
        in.tos = (uint8_t)unit_random();
        in.payload_len = (uint16_t)unit_below(65516);
        in.header_len = in.version == 4 ? 20 : 40;
        in.l4_proto_off = in.version == 4 ? 9 : 6;
        uint8_t p[41];
        p[in.header_len] = 0xee;
        uint32_t flow = (uint32_t)unit_random();
        assert_int_equal(wire_ip_write(p, &in, flow), in.header_len);
        assert_int_equal(p[in.header_len], 0xee);
        memset(&out, 0, sizeof(out));
        assert_int_equal(wire_ip_read(p, in.header_len, 65535 + 40, &out), TERN_DROP_NONE);
        assert_memory_equal(&in, &out, sizeof(in));
        if (in.version == 6) {
            assert_int_equal(load_be32(p) & 0xfffff, flow & 0xfffff);
        } else {
            assert_int_equal(load_be16(p + 4), 0);
            assert_int_equal(load_be16(p + 6), 0x4000); /* DF */
        }
    }
    uint8_t p[40];
    const struct wire_ip wrong = {.version = 5}, large = {.version = 4, .payload_len = 65516};
    expect_assert_failure(wire_ip_write(p, &wrong, 0));
    expect_assert_failure(wire_ip_write(p, &large, 0));
}

static uint16_t naive_fold(const uint8_t *p, size_t len)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < len; i += 2)
        sum += load_be16(p + i);
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

static void sums_the_pseudo_header(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 20000; round++) {
        uint8_t src[16], dst[16], bytes[40] = {0};
        for (size_t i = 0; i < 16; i++) {
            src[i] = (uint8_t)unit_random();
            dst[i] = (uint8_t)unit_random();
        }
        uint8_t proto = (uint8_t)(1 + unit_below(255));
        uint32_t len = unit_below(65536);
        uint16_t expected;
        if (round % 2 == 0) { /* RFC 9293 3.1: 12 bytes */
            memcpy(src, wire_mapped_prefix, 12);
            memcpy(dst, wire_mapped_prefix, 12);
            memcpy(bytes, src + 12, 4);
            memcpy(bytes + 4, dst + 12, 4);
            bytes[9] = proto;
            store_be16(bytes + 10, (uint16_t)len);
            expected = naive_fold(bytes, 12);
        } else { /* RFC 8200 8.1: 40 bytes */
            len += unit_below(3) << 16;
            memcpy(bytes, src, 16);
            memcpy(bytes + 16, dst, 16);
            store_be32(bytes + 32, len);
            bytes[39] = proto;
            expected = naive_fold(bytes, 40);
        }
        uint16_t folded = cksum_fold(wire_pseudo_sum(src, dst, proto, len));
        assert_int_equal(load_be16(&folded), expected);
    }
}

/* MUST-46, MUST-63: none of them but unicast may be at the other end. */
static void knows_the_classes_of_addresses(void **state)
{
    (void)state;
    enum { UNSPECIFIED = 1, MULTICAST = 2, BROADCAST = 4, LOOPBACK = 8, LINK = 16, UNICAST = 32 };
    static const struct {
        uint8_t ip[16];
        uint32_t classes;
    } cases[] = {
#define V4(a, b, c, d) {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d}
        {{0}, UNSPECIFIED},
        {V4(0, 0, 0, 0), UNSPECIFIED},
        {V4(0, 0, 0, 1), 0},
        {V4(0, 255, 255, 255), 0},
        {V4(1, 0, 0, 0), UNICAST},
        {V4(10, 0, 0, 1), UNICAST},
        {V4(127, 0, 0, 1), LOOPBACK | UNICAST},
        {V4(127, 255, 255, 255), LOOPBACK | UNICAST},
        {V4(126, 0, 0, 1), UNICAST},
        {V4(128, 0, 0, 1), UNICAST},
        {V4(169, 254, 1, 1), LINK | UNICAST},
        {V4(169, 253, 1, 1), UNICAST},
        {V4(223, 255, 255, 255), UNICAST},
        {V4(224, 0, 0, 1), MULTICAST},
        {V4(239, 255, 255, 255), MULTICAST},
        {V4(240, 0, 0, 1), UNICAST},
        {V4(255, 255, 255, 254), UNICAST},
        {V4(255, 255, 255, 255), BROADCAST},
#undef V4
        {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, LOOPBACK | UNICAST},
        {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}, UNICAST},
        {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 127, 0, 0, 1}, UNICAST},
        {{0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255}, UNICAST},
        {{0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, LINK | UNICAST},
        {{0xfe, 0xbf, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, LINK | UNICAST},
        {{0xfe, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, UNICAST},
        {{0xfe, 0x7f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, UNICAST},
        {{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, MULTICAST},
        {{0xff}, MULTICAST},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const uint8_t *ip = cases[i].ip;
        uint32_t classes = 0;
        classes |= wire_ip_unspecified(ip) ? UNSPECIFIED : 0;
        classes |= wire_ip_multicast(ip) ? MULTICAST : 0;
        classes |= wire_ip_broadcast(ip) ? BROADCAST : 0;
        classes |= wire_ip_loopback(ip) ? LOOPBACK : 0;
        classes |= wire_ip_link_local(ip) ? LINK : 0;
        classes |= wire_ip_unicast(ip) ? UNICAST : 0;
        assert_int_equal(classes, cases[i].classes);
    }
    assert_true(wire_ip_equal(cases[1].ip, cases[1].ip));
    assert_false(wire_ip_equal(cases[0].ip, cases[1].ip));
}

int main(void)
{
    unit_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_an_ip4_header),
        cmocka_unit_test(what_follows_the_packet_is_not_looked_at),
        cmocka_unit_test(only_versions_4_and_6),
        cmocka_unit_test(ip4_lengths_must_fit_together),
        cmocka_unit_test(each_flipped_bit_breaks_the_ip4_checksum),
        cmocka_unit_test(tells_ip4_fragments),
        cmocka_unit_test(skips_ip4_options_but_no_source_route),
        cmocka_unit_test(ip4_options_end_where_they_say),
        cmocka_unit_test(reads_an_ip6_header),
        cmocka_unit_test(refuses_ip4_addresses_in_ip6),
        cmocka_unit_test(walks_extension_headers),
        cmocka_unit_test(stops_at_what_is_no_extension_header),
        cmocka_unit_test(obeys_the_action_bits_of_options),
        cmocka_unit_test(hop_by_hop_options_stand_first_or_not_at_all),
        cmocka_unit_test(refuses_routes_still_to_be_travelled),
        cmocka_unit_test(tells_ip6_fragments),
        cmocka_unit_test(extension_headers_are_limited),
        cmocka_unit_test(random_bytes_stay_in_bounds),
        cmocka_unit_test(writes_what_it_reads),
        cmocka_unit_test(sums_the_pseudo_header),
        cmocka_unit_test(knows_the_classes_of_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
