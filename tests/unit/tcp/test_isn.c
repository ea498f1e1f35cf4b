/* test_isn.c - initial sequence numbers (RFC 9293 3.4.1, RFC 6528) and the quiet time (3.4.3): a
 * clock that ticks every 4 us, and a keyed offset of the connection's ends. */
#include "rig.h"

static void free_isns(struct rig *r) { r->cfg.isn_fixed = false; }

/* The ISN that an open from this port to that port gets now; the connection is gone again. */
static uint32_t isn_of(struct rig *r, uint16_t lport, uint16_t rport)
{
    tern_addr to = rig_addr(r->remote, rport), from = {.port = lport};
    tern_sock k;
    rig_start(r);
    assert_int_equal(tern_connect(r->s, &k, &from, &to, NULL), 0);
    rig_turn(r);
    const struct seg *g = rig_next(r);
    assert_non_null(g);
    assert_int_equal(g->flags, S);
    assert_int_equal(tern_abort(r->s, k), 0);
    rig_turn(r);
    return g->seq;
}

/* MUST-8, SHLD-1: between two opens of the same tuple the number goes on by one in 4 us, over the
 * wrap of 4.77 hours too. */
static void clock_of_four_microseconds(struct rig *r)
{
    static const uint64_t after[] = {US(4), US(400), MS(1), SEC(1), SEC(3600), SEC(17179), SEC(1)};
    free_isns(r);
    uint32_t last = isn_of(r, 2000, 80);
    for (unsigned i = 0; i < sizeof(after) / sizeof(after[0]); i++) {
        rig_step(r, after[i]);
        uint32_t now = isn_of(r, 2000, 80);
        assert_in_range(now - last - (uint32_t)(after[i] / US(4)) + 1, 0, 2);
        last = now;
    }
}

/* The SYN-ACK's as well. */
static uint32_t isn_of_answer(struct rig *r, struct peer *p)
{
    p->iss_known = false;
    say(p, S, 0, 0, 0);
    rig_turn(r);
    const struct seg *g = rig_next(r);
    assert_non_null(g);
    assert_int_equal(g->flags, S | A);
    uint32_t isn = g->seq;
    say(p, R, 1, 0, 0);
    rig_hush(r);
    return isn;
}

/* MUST-8, U-24: of a listener, and after a reboot of the same key and clock. */
static void clock_of_passive_opens(struct rig *r)
{
    free_isns(r);
    rig_listen(r, 80, 4, 0);
    struct peer *p = peer_new(r);
    p->raw_numbers = true;
    uint32_t first = isn_of_answer(r, p);
    rig_step(r, SEC(1));
    uint32_t second = isn_of_answer(r, p);
    assert_in_range(second - first - 250000 + 1, 0, 2);
    uint64_t then = r->now;
    uint32_t irs = r->irs;
    rig_renew(r);
    free_isns(r);
    r->now = then + SEC(5);
    r->irs = irs;
    rig_listen(r, 80, 4, 0);
    p = peer_new(r);
    p->raw_numbers = true;
    assert_in_range(isn_of_answer(r, p) - second - 5 * 250000 + 1, 0, 2);
}

/* How many of 32 bits differ. */
static unsigned differing(uint32_t a, uint32_t b) { return (unsigned)__builtin_popcount(a ^ b); }

/* MUST-9: neighbouring tuples have nothing in common; the same ones with another key neither.
 * (A-06) */
static void offsets_tell_nothing(struct rig *r)
{
    enum { MANY = 500 };
    uint32_t isn[MANY], bits[32] = {0};
    free_isns(r);
    unsigned sum = 0;
    for (unsigned i = 0; i < MANY; i++) {
        isn[i] = isn_of(r, 2000, (uint16_t)(10000 + i));
        for (unsigned b = 0; b < 32; b++)
            bits[b] += isn[i] >> b & 1;
        if (i != 0)
            sum += differing(isn[i], isn[i - 1]);
    }
    for (unsigned b = 0; b < 32; b++)
        assert_in_range(bits[b], MANY / 2 - 70, MANY / 2 + 70); /* six sigma */
    assert_in_range(sum, (MANY - 1) * 15, (MANY - 1) * 17);
    uint64_t then = r->now;
    rig_renew(r);
    free_isns(r);
    r->cfg.seed[5] ^= 1;
    r->now = then;
    sum = 0;
    for (unsigned i = 0; i < MANY; i++) {
        uint32_t other = isn_of(r, 2000, (uint16_t)(10000 + i));
        sum += differing(isn[i], other);
    }
    assert_in_range(sum, MANY * 15, MANY * 17);
}

/* SHLD-1: either address and either port count. */
static void each_part_of_the_tuple_counts(struct rig *r)
{
    free_isns(r);
    uint32_t a = isn_of(r, 2000, 80), b = isn_of(r, 2001, 80), c = isn_of(r, 2000, 81);
    r->remote[15] ^= 4;
    uint32_t d = isn_of(r, 2000, 80);
    r->remote[15] ^= 4;
    assert_int_equal(isn_of(r, 2000, 80), a); /* the clock has not moved */
    assert_true(a != b && a != c && a != d && b != c && b != d && c != d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(clock_of_four_microseconds),
        RIG(clock_of_passive_opens),
        RIG(offsets_tell_nothing),
        RIG(each_part_of_the_tuple_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
