/* test_cksum.c - both implementations against the definition, at all alignments and lengths;
 * pieces; updates in place (RFC 1624). */
#include "unit.h"

#include "base/cksum.h"

/* RFC 1071 1, to the letter: 16-bit words in network order, an odd byte followed by zero. The
 * result in memory order, as cksum_fold() gives it. */
static uint16_t by_definition(const uint8_t *p, size_t len)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < len; i++)
        sum += (uint64_t)p[i] << (i % 2 == 0 ? 8 : 0);
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    uint8_t bytes[2];
    uint16_t memory_order;
    store_be16(bytes, (uint16_t)sum);
    memcpy(&memory_order, bytes, 2);
    return memory_order;
}

struct implementation {
    const char *name;
    struct cksum_ops ops;
};

static size_t implementations(struct implementation out[2])
{
    out[0] = (struct implementation){"portable", {cksum_portable, cksum_copy_portable}};
    struct cksum_ops best = cksum_select();
    if (best.sum == cksum_portable)
        return 1;
    out[1] = (struct implementation){"selected", best};
    return 2;
}

static void selects_the_wide_one_where_it_runs(void **state)
{
    (void)state;
    struct cksum_ops ops = cksum_select();
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) {
        assert_true(ops.sum == cksum_avx2);
        assert_true(ops.copy == cksum_copy_avx2);
        return;
    }
#endif
    assert_true(ops.sum == cksum_portable);
    assert_true(ops.copy == cksum_copy_portable);
}

static void sums_every_length_at_every_alignment(void **state)
{
    (void)state;
    static uint8_t bytes[64 + 600];
    struct implementation all[2];
    size_t n = implementations(all);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)unit_random();
    for (size_t at = 0; at < 64; at++) {
        for (size_t len = 0; len <= 600; len++) {
            uint16_t expected = by_definition(bytes + at, len);
            for (size_t i = 0; i < n; i++)
                assert_int_equal(cksum_fold(all[i].ops.sum(bytes + at, len, 0)), expected);
        }
    }
}

static void sums_large_buffers(void **state)
{
    (void)state;
    enum { MAX = 70000 };
    struct implementation all[2];
    size_t n = implementations(all);
    for (uint32_t round = 0; round < 200; round++) {
        size_t len = round == 0 ? MAX : unit_below(MAX + 1);
        uint8_t *bytes = malloc(len + 1); /* exact, so that a sanitizer sees the byte after */
        assert_non_null(bytes);
        int fill = round % 4 == 1 ? 0xff : -1;
        for (size_t i = 0; i < len; i++)
            bytes[i] = (uint8_t)(fill >= 0 ? (uint32_t)fill : unit_random());
        size_t at = len != 0;
        uint16_t expected = by_definition(bytes + at, len - at);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(cksum_fold(all[i].ops.sum(bytes + at, len - at, 0)), expected);
        free(bytes);
    }
}

/* More than the sums of one round of 32-bit lanes hold, of the bytes that make them largest. */
static void sums_what_no_packet_has(void **state)
{
    (void)state;
    enum { LEN = 3000001 };
    static const uint8_t fills[] = {0x00, 0x7f, 0x80, 0xff};
    struct implementation all[2];
    size_t n = implementations(all);
    uint8_t *bytes = malloc(LEN), *to = malloc(LEN);
    assert_true(bytes != NULL && to != NULL);
    for (size_t k = 0; k < ARRAY_LEN(fills); k++) {
        memset(bytes, fills[k], LEN);
        uint16_t expected = by_definition(bytes, LEN);
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(cksum_fold(all[i].ops.sum(bytes, LEN, 0)), expected);
            assert_int_equal(cksum_fold(all[i].ops.copy(to, bytes, LEN, 0)), expected);
        }
    }
    free(bytes);
    free(to);
}

static void never_reads_past_either_end(void **state)
{
    (void)state;
    struct implementation all[2];
    size_t n = implementations(all);
    for (size_t len = 0; len <= 200; len++) {
        uint8_t *bytes = malloc(len + (len == 0)), *to = malloc(len + (len == 0));
        assert_true(bytes != NULL && to != NULL);
        memset(bytes, 0x77, len);
        for (size_t i = 0; i < n; i++) {
            uint16_t expected = by_definition(bytes, len);
            assert_int_equal(cksum_fold(all[i].ops.sum(bytes, len, 0)), expected);
            assert_int_equal(cksum_fold(all[i].ops.copy(to, bytes, len, 0)), expected);
        }
        free(bytes);
        free(to);
    }
}

static void copies_what_it_sums(void **state)
{
    (void)state;
    static uint8_t from[700], to[700];
    struct implementation all[2];
    size_t n = implementations(all);
    for (size_t i = 0; i < sizeof(from); i++)
        from[i] = (uint8_t)unit_random();
    for (uint32_t round = 0; round < 20000; round++) {
        size_t len = unit_below(600), src = unit_below(64), dst = 8 + unit_below(64);
        uint64_t seed = unit_random();
        const struct implementation *one = &all[unit_below((uint32_t)n)];
        memset(to, 0xee, sizeof(to));
        uint64_t sum = one->ops.copy(to + dst, from + src, len, seed);
        assert_int_equal(cksum_fold(sum), cksum_fold(cksum_portable(from + src, len, seed)));
        assert_memory_equal(to + dst, from + src, len);
        assert_int_equal(to[dst - 1], 0xee);
        assert_int_equal(to[dst + len], 0xee);
    }
}

/* A carry out of the top, of the seed and of the words, must come back in at the bottom. */
static void keeps_every_carry(void **state)
{
    (void)state;
    struct implementation all[2];
    size_t n = implementations(all);
    uint8_t ones[256];
    memset(ones, 0xff, sizeof(ones));
    const uint64_t seeds[] = {0, 1, 0xffff, UINT32_MAX, UINT64_MAX - 1, UINT64_MAX};
    for (size_t s = 0; s < ARRAY_LEN(seeds); s++) {
        for (size_t len = 0; len <= sizeof(ones); len += 2) {
            for (size_t i = 0; i < n; i++) {
                uint16_t f = cksum_fold(all[i].ops.sum(ones, len, seeds[s]));
                uint16_t expected = cksum_fold(seeds[s]);
                if (expected == 0 && len != 0)
                    expected = 0xffff; /* plus a multiple of 2^16-1: the other zero */
                assert_int_equal(f, expected);
            }
        }
    }
}

/* Only bytes that are all zero give +0: both implementations must give the same zero. */
static void tells_the_two_zeros_apart(void **state)
{
    (void)state;
    struct implementation all[2];
    size_t n = implementations(all);
    static uint8_t bytes[3000];
    for (size_t i = 0; i < n; i++) {
        for (size_t len = 2; len <= sizeof(bytes); len += 98) {
            memset(bytes, 0, sizeof(bytes));
            assert_int_equal(cksum_fold(all[i].ops.sum(bytes, len, 0)), 0);
            size_t where = unit_below((uint32_t)len / 2) * 2;
            bytes[where] = 0xff;
            bytes[where + 1] = 0xff;
            assert_int_equal(cksum_fold(all[i].ops.sum(bytes, len, 0)), 0xffff);
            assert_int_equal(cksum_finish(all[i].ops.sum(bytes, len, 0)), 0);
        }
    }
}

static void continues_a_sum(void **state)
{
    (void)state;
    static uint8_t bytes[2000];
    struct implementation all[2];
    size_t n = implementations(all);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)unit_random();
    for (uint32_t round = 0; round < 5000; round++) {
        size_t len = unit_below(sizeof(bytes)), cut = unit_below((uint32_t)len + 1);
        const struct cksum_ops *ops = &all[unit_below((uint32_t)n)].ops;
        uint64_t sum = ops->sum(bytes, cut, 0), rest;
        if (cut % 2 == 0)
            rest = ops->sum(bytes + cut, len - cut, sum);
        else
            rest = cksum_add(sum, cksum_shift(ops->sum(bytes + cut, len - cut, 0)));
        assert_int_equal(cksum_fold(rest), by_definition(bytes, len));
    }
}

static void sums_pieces_of_any_parity(void **state)
{
    (void)state;
    static uint8_t bytes[3000];
    struct implementation all[2];
    size_t n = implementations(all);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)unit_random();
    for (uint32_t round = 0; round < 20000; round++) {
        struct cksum_piece pieces[8];
        uint32_t count = 1 + unit_below(8);
        size_t total = 0;
        for (uint32_t i = 0; i < count; i++) {
            size_t len = unit_below(4) == 0 ? 0 : unit_below(300);
            pieces[i] = (struct cksum_piece){.base = bytes + total, .len = len};
            total += len;
        }
        size_t skip = unit_below((uint32_t)total + 1);
        size_t len = unit_below((uint32_t)(total - skip) + 1);
        uint64_t sum =
            cksum_pieces(all[unit_below((uint32_t)n)].ops.sum, pieces, count, skip, len, 0);
        assert_int_equal(cksum_fold(sum), by_definition(bytes + skip, len));
    }
}

static void asserts_that_the_pieces_are_long_enough(void **state)
{
    (void)state;
    const struct cksum_piece pieces[] = {{"abc", 3}, {"de", 2}};
    assert_int_equal(cksum_fold(cksum_pieces(cksum_portable, pieces, 2, 5, 0, 0)), 0);
    expect_assert_failure(cksum_pieces(cksum_portable, pieces, 2, 1, 5, 0));
}

static void updates_16_bits(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 200000; round++) {
        uint16_t words[10];
        for (size_t i = 0; i < 10; i++) {
            uint32_t edge = unit_below(4);
            words[i] = edge == 0 ? 0 : edge == 1 ? 0xffff : (uint16_t)unit_random();
        }
        words[0] |= 0x45; /* a header is never all zero */
        words[5] = 0;
        words[5] = cksum_finish(cksum_portable(words, sizeof(words), 0));
        uint32_t at = 1 + unit_below(8);
        at += at >= 5;
        uint16_t is = unit_below(3) == 0 ? 0 : (uint16_t)unit_random();
        uint16_t updated = cksum_update16(words[5], words[at], is);
        words[at] = is;
        words[5] = 0;
        assert_int_equal(updated, cksum_finish(cksum_portable(words, sizeof(words), 0)));
    }
}

static void updates_32_bits(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 200000; round++) {
        uint32_t words[5];
        for (size_t i = 0; i < 5; i++) {
            uint32_t edge = unit_below(4);
            words[i] = edge == 0 ? 0 : edge == 1 ? UINT32_MAX : (uint32_t)unit_random();
        }
        words[0] |= 0x45;
        uint16_t check = cksum_finish(cksum_portable(words, sizeof(words), 0));
        uint32_t at = 1 + unit_below(4), was = words[at];
        words[at] = unit_below(3) == 0 ? 0 : (uint32_t)unit_random();
        assert_int_equal(cksum_update32(check, was, words[at]),
                         cksum_finish(cksum_portable(words, sizeof(words), 0)));
    }
}

/* The example of RFC 1624 4, where equation 4 of RFC 1141 gives the wrong zero. */
static void updates_to_the_right_zero(void **state)
{
    (void)state;
    assert_int_equal(cksum_update16(0xdd2f, 0x5555, 0x3285), 0x0000);
}

int main(void)
{
    unit_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(selects_the_wide_one_where_it_runs),
        cmocka_unit_test(sums_every_length_at_every_alignment),
        cmocka_unit_test(sums_large_buffers),
        cmocka_unit_test(sums_what_no_packet_has),
        cmocka_unit_test(never_reads_past_either_end),
        cmocka_unit_test(copies_what_it_sums),
        cmocka_unit_test(keeps_every_carry),
        cmocka_unit_test(tells_the_two_zeros_apart),
        cmocka_unit_test(continues_a_sum),
        cmocka_unit_test(sums_pieces_of_any_parity),
        cmocka_unit_test(asserts_that_the_pieces_are_long_enough),
        cmocka_unit_test(updates_16_bits),
        cmocka_unit_test(updates_32_bits),
        cmocka_unit_test(updates_to_the_right_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
