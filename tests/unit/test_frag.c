/* test_frag.c - reassembly: datagrams cut in every way and order come out as they were; overlaps,
 * holes, limits and times end them for the reason that is named; memory comes back. */
#include "unit.h"

#include "ip/frag.h"

#define SECOND 1000000000u

enum { MOST = 65535, PIECE_MAX = 2048 };

struct scene {
    struct unit_mem mem;
    struct chunks chunks;
    struct frag_table t;
    uint64_t drops[TERN_DROP_COUNT];
    bool ip6;
    uint32_t id;
    uint8_t src, dst, proto; /* other than usual by so much */
    uint16_t iface;
    uint8_t data[MOST], header[WIRE_IP6_HEADER];
};

static struct scene sc;

static void start(bool ip6, uint32_t max, size_t bytes)
{
    static const struct siphash_key key = {1, 2};
    memset(&sc, 0, sizeof sc);
    sc.ip6 = ip6;
    unit_mem_init(&sc.mem);
    assert_true(chunks_init(&sc.chunks, &sc.mem.mem, (size_t)8 << 20));
    frag_init(&sc.t, &sc.chunks, &key, max, bytes);
    for (size_t i = 0; i < MOST; i++)
        sc.data[i] = (uint8_t)unit_random();
}

static void end(void)
{
    frag_destroy(&sc.t);
    assert_int_equal(sc.t.pages, 0);
    assert_int_equal(sc.chunks.pages, 0);
    chunks_destroy(&sc.chunks);
    unit_mem_done(&sc.mem);
}

static void address(uint8_t ip[16], uint8_t last)
{
    static const uint8_t four[16] = {[10] = 0xff, 0xff, 10, 9, 0}, six[16] = {0xfd, 0, 0, 9};
    memcpy(ip, sc.ip6 ? six : four, 16);
    ip[15] = last;
}

/* A fragment of sc.data, in two pieces of memory of just its size. */
static enum tern_drop put(uint32_t from, uint32_t len, bool more, uint64_t now, struct frag **whole)
{
    enum tern_drop why;
    struct wire_ip ip = {.version = sc.ip6 ? 6 : 4, .frag_more = more};
    ip.proto = (uint8_t)(WIRE_UDP + sc.proto);
    ip.header_len = sc.ip6 ? WIRE_FRAG_HEADER : WIRE_IP4_HEADER;
    ip.payload_len = (uint16_t)len;
    ip.frag_off = (uint16_t)from;
    ip.frag_id = sc.id;
    ip.fragment = true;
    address(ip.src, (uint8_t)(1 + sc.src));
    address(ip.dst, (uint8_t)(2 + sc.dst));
    size_t first = ip.header_len + len / 3, second = len - len / 3;
    uint8_t *a = malloc(first), *b = malloc(second + 1);
    assert_true(a != NULL && b != NULL);
    memcpy(a + ip.header_len, sc.data + from, len / 3);
    memcpy(b, sc.data + from + len / 3, second);
    tern_pkt pkt = {.iov_count = 2, .len = (uint32_t)(first + second), .iface = sc.iface};
    pkt.iov[0] = (tern_iov){a, first};
    pkt.iov[1] = (tern_iov){b, second};
    why = frag_take(&sc.t, &pkt, &ip, now, sc.drops, whole);
    free(a);
    free(b);
    return why;
}

/* It is sc.data, all of it, and goes. */
static void expect_whole(struct frag *f, uint32_t len)
{
    tern_pkt pkt;
    struct wire_ip ip;
    uint32_t at = 0;
    assert_non_null(f);
    frag_packet(f, sc.header, &pkt);
    assert_int_equal(wire_ip_read(sc.header, pkt.iov[0].len, pkt.len, &ip), TERN_DROP_NONE);
    assert_int_equal(ip.payload_len, len);
    assert_int_equal(ip.proto, WIRE_UDP);
    assert_false(ip.fragment);
    assert_int_equal(pkt.len, pkt.iov[0].len + len);
    for (unsigned i = 1; i < pkt.iov_count; i++) {
        assert_memory_equal(pkt.iov[i].base, sc.data + at, pkt.iov[i].len);
        at += (uint32_t)pkt.iov[i].len;
    }
    assert_int_equal(at, len);
    frag_free(&sc.t, f);
}

/* ---- what must come together ----------------------------------------------------------------- */

struct piece {
    uint32_t from, len;
};

/* Random pieces of random datagrams, shuffled, some of them twice. */
static void any_order(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 300; round++) {
        static struct piece piece[MOST / 8 + 1];
        uint32_t most = round % 2 ? MOST : MOST - WIRE_IP4_HEADER, n = 0;
        uint32_t len = 9 + unit_below(round % 3 == 0 ? most - 8 : 5000);
        uint32_t least = len / FRAG_RANGES; /* no more holes than may be */
        struct frag *whole = NULL;
        start(round % 2, 4, (size_t)1 << 20);
        for (uint32_t at = 0; at < len; at += piece[n++].len) {
            uint32_t size = (least + 8 + unit_below(PIECE_MAX)) & ~7u;
            piece[n] = (struct piece){at, size < len - at ? size : len - at};
        }
        for (uint32_t i = n; i > 1; i--) {
            uint32_t j = unit_below(i);
            struct piece swap = piece[i - 1];
            piece[i - 1] = piece[j];
            piece[j] = swap;
        }
        for (uint32_t i = 0; i < n; i++) {
            bool more = piece[i].from + piece[i].len < len;
            assert_null(whole);
            assert_int_equal(put(piece[i].from, piece[i].len, more, 0, &whole), TERN_DROP_NONE);
            if (i + 1 < n && unit_below(4) == 0) {
                struct frag *none;
                assert_int_equal(put(piece[i].from, piece[i].len, more, 0, &none),
                                 TERN_DROP_FRAGMENT_AGAIN);
                assert_null(none);
            }
        }
        expect_whole(whole, len);
        end();
    }
}

/* Marks of congestion (RFC 3168 5.3) and what else the first fragment says. */
static void marks(void **state)
{
    (void)state;
    static const struct {
        uint8_t first, second;
        int whole; /* -1: dropped */
    } cases[] = {{2, 2, 2}, {2, 3, 3}, {3, 2, 3}, {1, 3, 3}, {0, 0, 0}, {0, 3, -1}, {3, 0, -1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct frag *whole;
        tern_pkt pkt = {.iov_count = 1, .len = WIRE_FRAG_HEADER + 16};
        uint8_t bytes[WIRE_FRAG_HEADER + 16] = {0};
        struct wire_ip ip = {.version = 6, .proto = WIRE_UDP, .payload_len = 16};
        start(true, 4, (size_t)1 << 20);
        pkt.iov[0] = (tern_iov){bytes, sizeof bytes};
        ip.header_len = WIRE_FRAG_HEADER;
        ip.frag_more = true;
        ip.tos = cases[i].first;
        address(ip.src, 1);
        address(ip.dst, 2);
        assert_int_equal(frag_take(&sc.t, &pkt, &ip, 0, sc.drops, &whole), TERN_DROP_NONE);
        ip.frag_more = false;
        ip.frag_off = 16;
        ip.tos = cases[i].second;
        enum tern_drop why = frag_take(&sc.t, &pkt, &ip, 0, sc.drops, &whole);
        if (cases[i].whole < 0) {
            assert_int_equal(why, TERN_DROP_FRAGMENT_OVERLAP);
            assert_null(sc.t.oldest);
        } else {
            struct wire_ip got;
            assert_int_equal(why, TERN_DROP_NONE);
            frag_packet(whole, sc.header, &pkt);
            assert_int_equal(wire_ip_read(sc.header, 40, pkt.len, &got), TERN_DROP_NONE);
            assert_int_equal(got.tos, cases[i].whole);
            frag_free(&sc.t, whole);
        }
        end();
    }
}

/* ---- what must not --------------------------------------------------------------------------- */

/* Every second fragment [lo, hi) beside a first one of [16, 48), and one that changes a byte.
 * (A-32) */
static void overlaps(void **state)
{
    struct frag *whole;
    (void)state;
    for (uint32_t lo = 0; lo < 64; lo += 8)
        for (uint32_t hi = lo + 8; hi <= 64; hi += 8) {
            start(lo % 16 == 0, 4, (size_t)1 << 20);
            assert_int_equal(put(16, 32, true, 0, &whole), TERN_DROP_NONE);
            bool apart = hi <= 16 || lo >= 48, inside = lo >= 16 && hi <= 48;
            assert_int_equal(put(lo, hi - lo, true, 0, &whole), apart ? TERN_DROP_NONE
                                                                : inside
                                                                    ? TERN_DROP_FRAGMENT_AGAIN
                                                                    : TERN_DROP_FRAGMENT_OVERLAP);
            assert_true((sc.t.oldest != NULL) == (apart || inside));
            end();
        }
    start(false, 4, (size_t)1 << 20);
    assert_int_equal(put(16, 32, true, 0, &whole), TERN_DROP_NONE);
    sc.data[47] ^= 1;
    assert_int_equal(put(40, 8, true, 0, &whole), TERN_DROP_FRAGMENT_OVERLAP);
    assert_null(sc.t.oldest);
    end();
}

/* Two ends, or something behind the end. */
static void ends_disagree(void **state)
{
    struct frag *whole;
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        start(i % 2, 4, (size_t)1 << 20);
        assert_int_equal(put(64, 9, false, 0, &whole), TERN_DROP_NONE);
        enum tern_drop why = i == 0   ? put(80, 8, false, 0, &whole)
                             : i == 1 ? put(80, 8, true, 0, &whole)
                                      : put(56, 8, false, 0, &whole);
        assert_int_equal(why, TERN_DROP_FRAGMENT_OVERLAP);
        end();
    }
    start(false, 4, (size_t)1 << 20);
    assert_int_equal(put(64, 8, true, 0, &whole), TERN_DROP_NONE);
    assert_int_equal(put(32, 8, false, 0, &whole), TERN_DROP_FRAGMENT_OVERLAP);
    end();
}

/* */
static void malformed(void **state)
{
    struct frag *whole;
    (void)state;
    for (unsigned ip6 = 0; ip6 < 2; ip6++) {
        uint32_t most = ip6 ? 65535 : 65515;
        start(ip6, 4, (size_t)1 << 20);
        assert_int_equal(put(8, 0, true, 0, &whole), TERN_DROP_IP_FRAGMENT);
        assert_int_equal(put(8, 0, false, 0, &whole), TERN_DROP_IP_FRAGMENT);
        assert_int_equal(put(8, 12, true, 0, &whole), TERN_DROP_IP_FRAGMENT);
        assert_int_equal(put(0, 7, false, 0, &whole), TERN_DROP_IP_FRAGMENT);
        uint32_t last = most & ~7u;
        assert_int_equal(put(last, most - last + 1, false, 0, &whole), TERN_DROP_IP_FRAGMENT);
        assert_null(sc.t.oldest);
        assert_int_equal(put(last, most - last, false, 0, &whole), TERN_DROP_NONE);
        end();
    }
}

static void holes(void **state)
{
    struct frag *whole;
    (void)state;
    start(true, 4, (size_t)1 << 20);
    for (uint32_t i = 0; i < FRAG_RANGES; i++)
        assert_int_equal(put(8 + 16 * i, 8, true, 0, &whole), TERN_DROP_NONE);
    assert_int_equal(put(8 + 16 * FRAG_RANGES, 8, true, 0, &whole), TERN_DROP_FRAGMENT_HOLES);
    assert_null(sc.t.oldest);
    end();
}

/* ---- limits ---------------------------------------------------------------------------------- */

/* Over the number of datagrams the oldest goes; so over their bytes. */
static void oldest_goes(void **state)
{
    struct frag *whole;
    (void)state;
    for (unsigned by_bytes = 0; by_bytes < 2; by_bytes++) {
        start(true, by_bytes ? 64 : 3, by_bytes ? (size_t)3 * PAGE_SIZE : (size_t)1 << 20);
        for (sc.id = 0; sc.id < 4; sc.id++) {
            assert_int_equal(put(0, 8, true, sc.id, &whole), TERN_DROP_NONE);
            assert_int_equal(sc.t.pool.used, sc.id < 3 ? sc.id + 1 : 3);
        }
        assert_int_equal(sc.drops[TERN_DROP_FRAGMENT_LIMIT], 1);
        assert_int_equal(sc.t.oldest->ip.frag_id, 1);
        sc.id = 1; /* it is still there */
        assert_int_equal(put(8, 8, false, 4, &whole), TERN_DROP_NONE);
        expect_whole(whole, 16);
        sc.id = 0; /* and this is not */
        assert_int_equal(put(8, 8, false, 4, &whole), TERN_DROP_NONE);
        assert_null(whole);
        end();
    }
}

/* One datagram alone takes no more than there may be. */
static void one_too_large(void **state)
{
    struct frag *whole;
    (void)state;
    start(true, 4, (size_t)2 * PAGE_SIZE);
    assert_int_equal(put(0, PAGE_SIZE, true, 0, &whole), TERN_DROP_NONE);
    assert_int_equal(put(PAGE_SIZE, PAGE_SIZE, true, 0, &whole), TERN_DROP_NONE);
    assert_int_equal(put(2 * PAGE_SIZE, 8, true, 0, &whole), TERN_DROP_MEMORY);
    assert_null(sc.t.oldest);
    end();
}

/* */
static void times(void **state)
{
    struct frag *whole;
    uint8_t quote[FRAG_QUOTE];
    struct wire_ip ip;
    (void)state;
    for (unsigned ip6 = 0; ip6 < 2; ip6++) {
        start(ip6, 4, (size_t)1 << 20);
        assert_true(frag_next(&sc.t) == TERN_NEVER);
        assert_int_equal(put(0, 96, true, SECOND, &whole), TERN_DROP_NONE);
        sc.id = 1;
        assert_int_equal(put(96, 8, true, 2ull * SECOND, &whole), TERN_DROP_NONE);
        sc.id = 0; /* what comes later does not prolong it */
        assert_int_equal(put(200, 8, true, 30ull * SECOND, &whole), TERN_DROP_NONE);
        assert_true(frag_next(&sc.t) == 61ull * SECOND);
        assert_null(frag_due(&sc.t, 61ull * SECOND - 1));
        struct frag *f = frag_due(&sc.t, 61ull * SECOND);
        assert_non_null(f);
        size_t len = frag_quote(f, quote);
        assert_true(len >= 28 && len <= FRAG_QUOTE);
        assert_int_equal(wire_ip_read(quote, len, MOST, &ip), TERN_DROP_NONE);
        assert_true(ip.fragment && ip.frag_more && ip.frag_off == 0 && ip.frag_id == 0);
        assert_int_equal(ip.payload_len, 96);
        assert_memory_equal(quote + ip.header_len, sc.data, len - ip.header_len);
        frag_free(&sc.t, f);
        f = frag_due(&sc.t, 62ull * SECOND);
        assert_int_equal(frag_quote(f, quote), 0); /* its first fragment has not come */
        frag_free(&sc.t, f);
        assert_true(frag_next(&sc.t) == TERN_NEVER);
        end();
    }
}

/* An interface goes, and with it what came by it. */
static void interface_gone(void **state)
{
    struct frag *whole;
    (void)state;
    start(true, 4, (size_t)1 << 20);
    assert_int_equal(put(0, 8, true, 0, &whole), TERN_DROP_NONE);
    frag_forget(&sc.t, 1);
    assert_non_null(sc.t.oldest);
    frag_forget(&sc.t, 0);
    assert_null(sc.t.oldest);
    end();
}

/* Datagrams that differ in one thing only have nothing to do with each other. */
static void alike(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 200; round++) {
        struct frag *first, *second;
        bool ip6 = round % 2;
        uint8_t what = (uint8_t)(round / 2 % 5), other = (uint8_t)(1 + unit_below(100));
        bool same = ip6 && what == 4; /* the protocol is that of the first fragment: RFC 8200 4.5 */
        start(ip6, 2, (size_t)1 << 20);
        sc.id = round;
        assert_int_equal(put(0, 16, true, 0, &first), TERN_DROP_NONE);
        sc.id += what == 0 ? other : 0;
        sc.iface = what == 1 ? other : 0;
        sc.src = what == 2 ? other : 0;
        sc.dst = what == 3 ? other : 0;
        sc.proto = what == 4 ? other : 0;
        assert_int_equal(put(16, 8, false, 0, &second), TERN_DROP_NONE);
        assert_int_equal(second != NULL, same);
        if (!same) { /* the younger one is whole first */
            assert_int_equal(put(0, 16, true, 0, &second), TERN_DROP_NONE);
            assert_non_null(second);
            frag_free(&sc.t, second);
            sc.id = round;
            sc.src = sc.dst = sc.proto = 0;
            sc.iface = 0;
            assert_int_equal(put(16, 8, false, 0, &second), TERN_DROP_NONE);
        }
        expect_whole(second, 24);
        assert_null(sc.t.oldest);
        assert_null(sc.t.newest);
        end();
    }
}

/* Every allocation fails once: nothing is lost but the datagram. */
static void no_memory(void **state)
{
    struct frag *whole;
    (void)state;
    for (uint32_t fail = 1;; fail++) {
        start(true, 4, (size_t)1 << 20);
        sc.mem.fail_at = sc.mem.calls + fail;
        enum tern_drop first = put(0, 16, true, 0, &whole), second = put(16, 8, false, 0, &whole);
        if (whole != NULL)
            expect_whole(whole, 24);
        else
            assert_true(first == TERN_DROP_MEMORY || second == TERN_DROP_MEMORY);
        bool over = sc.mem.calls < sc.mem.fail_at;
        end();
        if (over)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_order),   cmocka_unit_test(marks),
        cmocka_unit_test(overlaps),    cmocka_unit_test(ends_disagree),
        cmocka_unit_test(malformed),   cmocka_unit_test(holes),
        cmocka_unit_test(oldest_goes), cmocka_unit_test(one_too_large),
        cmocka_unit_test(times),       cmocka_unit_test(interface_gone),
        cmocka_unit_test(no_memory),   cmocka_unit_test(alike),
    };
    unit_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
