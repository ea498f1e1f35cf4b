/* test_corners_ecn.c - what seldom happens to ECN: marks counted in many segments at once, options
 * that say little or come too late, data where a bare acknowledgement is usual, cookies whose bits
 * somebody has altered. */
#include "rig.h"

enum { NOT_ECT = 0, ECT0 = 2, CE = 3, FULL = 1000, ALL = AE | CWR | ECE };

static unsigned ecn(const struct seg *g) { return g->tos & 3u; }
static unsigned ace(unsigned n) { return (n & 4 ? AE : 0) | (n & 2 ? CWR : 0) | (n & 1 ? ECE : 0); }

static void option(struct peer *p, unsigned counters, uint32_t ce, uint32_t e0)
{
    p->extra.accecn = p->extra.order1 = true;
    p->extra.counters = counters;
    p->extra.counter[0] = 1;
    p->extra.counter[1] = ce;
    p->extra.counter[2] = e0;
}

static struct peer *new_peer(struct rig *r, uint16_t mss)
{
    struct peer *p = peer_new(r);
    p->accecn = true;
    p->ts = false;
    p->mss = mss;
    return p;
}

static tern_tcp_info info(struct peer *p)
{
    tern_tcp_info i;
    peer_info(p, &i);
    return i;
}

static void syn_leaves(struct peer *p)
{
    tern_addr to = rig_addr(p->r->remote, p->port);
    p->lport = 0;
    assert_int_equal(tern_connect(p->r->s, &p->k, NULL, &to, p), 0);
    hear_syn(p, S | ALL);
}

/* Our SYN and all is well; `with` is the option's counters, 4: none. */
static struct peer *accurate(struct rig *r, unsigned with)
{
    r->cfg.ecn = 3;
    struct peer *p = new_peer(r, FULL);
    p->wscale = 10;
    syn_leaves(p);
    if (with <= 3)
        option(p, with, 0, 1);
    say(p, S | A | ace(2), 0, 1, 0);
    rig_turn(r);
    rig_forget(r);
    assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_SNDBUF, 4 << 20), 0);
    return p;
}

/* ---- the handshake --------------------------------------------------------------------------- */

/* Nobody looks for meddling when that is switched off. */
static void what_cannot_be_is_believed(struct rig *r)
{
    r->cfg.ecn = 3;
    r->cfg.ecn_fallback = false;
    for (unsigned n = 2; n <= 6; n++) {
        if (n == 5)
            continue; /* another meaning */
        struct peer *p = new_peer(r, FULL);
        syn_leaves(p);
        say(p, S | A | ace(n), 0, 1, 0);
        hear(p, A | ace(2), 1, 1, 0);
        assert_int_equal(info(p).ecn_fail, 0);
        peer_write(p, 0, 100);
        assert_int_equal(ecn(hear(p, A | ace(5), 1, 1, 100)), ECT0);
        say(p, A | ace(5 + (n == 6)), 1, 101, 0); /* 6 says that our SYN came marked */
        rig_hush(r);
        assert_int_equal(info(p).delivered_ce, 0);
    }
}

/* An option without counters says that options come through; the next one is looked at again. */
static void an_option_without_counters(struct rig *r)
{
    struct peer *p = accurate(r, 0);
    assert_int_equal(info(p).ecn_option_seen, 1);
    peer_write(p, 0, 100);
    hear(p, A | ace(5), 1, 1, 100);
    option(p, 3, 0, 101);
    say(p, A | ace(5), 1, 101, 0);
    rig_turn(r);
    assert_int_equal(info(p).ecn_option_seen, 2);
    assert_int_equal(info(p).delivered_bytes[1], 100);
    assert_int_equal(info(p).ecn_fail, 0);
    for (unsigned few = 1; few <= 2; few++) {
        p = accurate(r, few);
        assert_int_equal(info(p).ecn_option_seen, 2);
    }
}

/* Table 4 is for a bare ACK. Data that brings it, too, carries the counter. */
static void data_with_the_third_segment(struct rig *r)
{
    static const struct {
        unsigned ace, marks, fail;
    } row[] = {{5, 0, 0}, {6, 1, 0}, {7, 2, 0}, {0, 0, 1 | 2 | 8}};
    r->cfg.ecn = 3;
    rig_start(r);
    tern_sock listener = rig_listen(r, 80, 16, 0);
    for (unsigned i = 0; i < 4; i++) {
        struct peer *p = new_peer(r, FULL);
        tern_addr addr;
        p->lport = 80;
        say(p, S | ALL, 0, 0, 0);
        hear_syn(p, S | A | ace(2));
        say(p, A | ace(row[i].ace), 1, 1, 100);
        hear(p, A | ace(5), 1, 101, 0);
        assert_int_equal(tern_accept(r->s, listener, &p->k, &addr, p), 0);
        assert_int_equal(info(p).ecn_fail, row[i].fail);
        peer_read(p, 0, 100);
        peer_write(p, 0, 100);
        assert_int_equal(ecn(hear(p, A | ace(5), 1, 101, 100)), row[i].fail ? NOT_ECT : ECT0);
        say(p, A | ace(row[i].ace), 101, 101, 0);
        assert_int_equal(info(p).delivered_ce, row[i].marks);
    }
}

/* A SYN-ACK that comes again is told how it came; not if that answer is withheld, and then the next
 * segment, which counts, must not be taken for it. */
static void a_synack_again_and_again(struct rig *r)
{
    struct peer *p = accurate(r, 4);
    say(p, S | A | ace(2), 0, 1, 0);
    hear(p, A | ace(2), 1, 1, 0);
    say(p, S | A | ace(2), 0, 1, 0);
    rig_hush(r);
    assert_int_equal(rig_count(r, TERN_COUNT_CHALLENGE_LIMITED), 1);
    say(p, A | ace(5), 1, 1, 100);
    hear(p, A | ace(5), 1, 101, 0);
    peer_read(p, 0, 100);
}

/* ---- cookies --------------------------------------------------------------------------------- */

/* What a cookie's timestamp says of ECN is in the peer's hand: no more than is configured. */
static void bits_of_a_cookie(struct rig *r)
{
    static const unsigned configured[] = {0, 1, 2, 3, 4, 5};
    for (unsigned i = 0; i < 7; i++) {
        bool needs = i == 6; /* DCTCP, which asks whatever is configured */
        for (unsigned bits = 0; bits < 8; bits++) {
            uint8_t mode = (uint8_t)(needs ? 0 : configured[i]);
            r->cfg.ecn = mode;
            r->cfg.cc = needs ? &tern_cc_dctcp : r->cfg.cc;
            r->cfg.cookies = TERN_COOKIES_ALWAYS;
            struct peer *p = peer_new(r);
            tern_addr addr;
            tern_sock listener = rig_listen(r, 80, 4, 0);
            p->accecn = p->raw_numbers = true;
            say(p, S, 0, 0, 0);
            rig_turn(r);
            uint32_t tsval = rig_next(r)->tsval;
            p->iss = r->last->seq;
            p->ts_on = true;
            p->tsecr = (tsval & ~0xe0u) | bits << 5;
            say(p, A, 1, 1, 0);
            rig_turn(r);
            assert_int_equal(tern_accept(r->s, listener, &p->k, &addr, p), 0);
            unsigned want = bits & 4 && mode >= 3 ? TERN_INFO_ECN | TERN_INFO_ECN_ACCURATE
                            : bits == 1 && (mode != 0 || needs) ? TERN_INFO_ECN
                                                                : 0;
            assert_int_equal(info(p).options & (TERN_INFO_ECN | TERN_INFO_ECN_ACCURATE), want);
            r->unclean = true;
            rig_renew(r);
        }
    }
}

/* RFC 9768 5.1: without timestamps the segment that brings the cookie tells, if it was agreed. */
static void a_cookie_comes_back_with_these_bits(struct rig *r)
{
    for (uint8_t mode = 1; mode <= 3; mode += 2) {
        for (unsigned len = 0; len <= 100; len += 100) {
            for (unsigned n = 0; n < 8; n++) {
                r->cfg.ecn = mode;
                r->cfg.cookies = TERN_COOKIES_ALWAYS;
                struct peer *p = new_peer(r, FULL);
                tern_addr addr;
                tern_sock listener = rig_listen(r, 80, 4, 0);
                p->raw_numbers = true;
                p->lport = 80;
                say(p, S, 0, 0, 0);
                rig_turn(r);
                p->iss = rig_next(r)->seq;
                say(p, A | ace(n), 1, 1, len);
                rig_turn(r);
                assert_int_equal(tern_accept(r->s, listener, &p->k, &addr, p), 0);
                bool shows = len == 0 ? n >= 2 : n == 5 || n == 6;
                assert_int_equal((info(p).options & TERN_INFO_ECN_ACCURATE) != 0,
                                 mode == 3 && shows);
                r->unclean = true;
                rig_renew(r);
            }
        }
    }
}

/* ---- what is received ------------------------------------------------------------------------ */

/* 3.2.3.3: the option goes again before a counter could wrap twice unseen. */
static void a_counter_of_four_million(struct rig *r)
{
    enum { LEN = 50000, LIMIT = 1 << 22 };
    r->cfg.ecn = 3;
    r->cfg.ecn_option = 1;
    r->cfg.rcvbuf = 1 << 20;
    r->cfg.tuning.fixed_rcvbuf = r->cfg.tuning.quickack = true;
    r->link.mtu = 65000;
    struct peer *p = new_peer(r, FULL);
    p->lport = 0;
    rig_start(r);
    tern_addr to = rig_addr(r->remote, p->port);
    assert_int_equal(tern_connect(r->s, &p->k, NULL, &to, p), 0);
    hear_syn(p, S | ALL);
    rig_step(r, MS(900)); /* a long round trip: it is not time for an option meanwhile */
    option(p, 3, 0, 1);
    say(p, S | A | ace(2), 0, 1, 0);
    rig_turn(r);
    rig_forget(r);
    unsigned late = 0;
    uint32_t in = 0;
    for (; in <= LIMIT + 2 * LEN; in += LEN) {
        p->extra.tos = ECT0;
        say(p, A | ace(5), 1 + in, 1, LEN);
        rig_turn(r);
        const struct seg *g = rig_next(r);
        assert_non_null(g);
        bool crosses = in < LIMIT && in + LEN >= LIMIT;
        if (crosses)
            assert_true(g->accecn && g->counter[2] == 1 + in + LEN);
        late += g->accecn && in >= 10 * LEN && !crosses;
        peer_read(p, in, LEN);
        rig_forget(r);
    }
    assert_int_equal(late, 0);
}

/* ---- what the peer tells --------------------------------------------------------------------- */

/* 3.2.3.2.4: no option came before a counter could have wrapped: none is believed any more. */
static void options_that_come_too_late(struct rig *r)
{
    enum { LEN = 32000, LIMIT = 1 << 23 };
    r->cfg.ecn = 3;
    r->link.mtu = 65000;
    struct peer *p = new_peer(r, LEN);
    p->wscale = 14;
    syn_leaves(p);
    say(p, S | A | ace(2), 0, 1, 0);
    rig_turn(r);
    assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_SNDBUF, 1 << 20), 0);
    for (uint32_t queued = 0, acked = 0; acked < LIMIT + 4 * LEN;) {
        assert_int_equal(info(p).ecn_fail, info(p).snd_nxt - info(p).iss <= LIMIT ? 0 : 8);
        ptrdiff_t n = peer_write(p, queued, LEN);
        queued += n > 0 ? LEN : 0;
        rig_turn(r);
        rig_forget(r);
        acked = info(p).snd_nxt - info(p).iss - 1;
        say(p, A | ace(5), 1, 1 + acked, 0);
        rig_turn(r);
    }
    option(p, 3, 0, 1000);
    say(p, A | ace(5), 1, info(p).snd_nxt - info(p).iss, 0);
    assert_int_equal(info(p).ecn_option_seen, 0);
    r->unclean = true;
}

/* Two other counters move at once: how segments came that no option tells of, nobody knows then. */
static void nothing_is_guessed_after_two_kinds(struct rig *r)
{
    struct peer *p = accurate(r, 3);
    peer_write(p, 0, 5 * FULL);
    rig_turn(r);
    rig_forget(r);
    option(p, 3, 0, 1 + FULL);
    say(p, A | ace(5), 1, 1 + FULL, 0);
    assert_int_equal(info(p).delivered_bytes[1], FULL);
    say(p, A | ace(5), 1, 1 + 2 * FULL, 0); /* as before */
    assert_int_equal(info(p).delivered_bytes[1], 2 * FULL);
    option(p, 3, FULL, 1 + 2 * FULL);
    p->extra.counter[0] += FULL;
    say(p, A | ace(6), 1, 1 + 4 * FULL, 0);
    assert_int_equal(info(p).delivered_bytes[0], FULL);
    assert_int_equal(info(p).delivered_bytes[1], 2 * FULL);
    assert_int_equal(info(p).delivered_bytes[2], FULL);
    say(p, A | ace(6), 1, 1 + 5 * FULL, 0);
    assert_int_equal(info(p).delivered_bytes[0], FULL);
    assert_int_equal(info(p).delivered_bytes[1], 2 * FULL);
    assert_int_equal(info(p).delivered_bytes[2], FULL);
    rig_turn(r);
    rig_forget(r);
}

/* Appendix A.2: three bits for `segs` segments; what the option says of bytes decides. */
static void many_segments_at_once(struct rig *r)
{
    static const struct {
        unsigned segs, told, bytes, other, marks;
    } row[] = {
        {20, 20, 20 * FULL, 0, 20}, /* all of them */
        {20, 10, 10 * FULL, 0, 10}, /* the nearest that the bits allow */
        {20, 2, 2 * FULL, 0, 2},
        {20, 20, 18 * FULL, 0, 20}, /* small ones: never more than were sent */
        {10, 9, 9 * FULL, 0, 9},
        {10, 1, 2 * FULL, 0, 9}, /* one would not have been so many bytes */
        {10, 1, FULL, 0, 1},     /* and nine not so few */
        {10, 1, FULL, FULL, 9},  /* but where other counters move, too, the worst is taken */
        {10, 4, 4 * FULL, 0, 4},
        {10, 8, 0, 0, 0}, /* no byte: none, whatever the bits might mean */
    };
    for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        struct peer *p = accurate(r, 3);
        uint32_t una = 1 + 10 * FULL, len = row[i].segs * FULL;
        peer_write(p, 0, 10 * FULL);
        rig_turn(r);
        for (uint32_t k = 1; k <= 10; k++) { /* which opens the window */
            option(p, 3, 0, 1 + k * FULL);
            say(p, A | ace(5), 1, 1 + k * FULL, 0);
        }
        peer_write(p, una - 1, len);
        rig_turn(r);
        rig_forget(r);
        assert_int_equal(info(p).snd_nxt - info(p).snd_una, len);
        option(p, 3, row[i].bytes, una + len - row[i].bytes);
        p->extra.counter[0] += row[i].other;
        say(p, A | ace(5 + row[i].told), 1, una + len, 0);
        if (info(p).delivered_ce != row[i].marks)
            rig_fail("row %u: %u marks", i, info(p).delivered_ce);
        r->unclean = true;
        rig_renew(r);
    }
}

/* An acknowledgement counts that is news in any way: by a block, or by its timestamp. */
static void news_by_other_means(struct rig *r)
{
    r->cfg.ecn = 3;
    struct peer *p = new_peer(r, FULL);
    p->ts = true;
    syn_leaves(p);
    say(p, S | A | ace(2), 0, 1, 0);
    rig_turn(r);
    peer_write(p, 0, 5 * (FULL - 12));
    rig_turn(r);
    rig_forget(r);
    rig_step(r, MS(20));
    say(p, A | ace(5), 1, 1, 0);
    say(p, A | ace(6), 1, 1, 0); /* of the same moment: perhaps from before */
    assert_int_equal(info(p).delivered_ce, 0);
    rig_step(r, MS(2));
    p->tsval++;
    say(p, A | ace(6), 1, 1, 100); /* with data: not a duplicate of anything */
    assert_int_equal(info(p).delivered_ce, 1);
    assert_int_equal(info(p).phase, TERN_PHASE_CWR);
    rig_turn(r);
    rig_forget(r);
    p->extra.sacks = 1;
    p->extra.sack[0].lo = 1 + 2 * (FULL - 12);
    p->extra.sack[0].hi = 1 + 3 * (FULL - 12);
    say(p, A | ace(7), 101, 1, 0);
    assert_int_equal(info(p).delivered_ce, 2);
    r->unclean = true;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(what_cannot_be_is_believed),
        RIG(an_option_without_counters),
        RIG(data_with_the_third_segment),
        RIG(a_synack_again_and_again),
        RIG(bits_of_a_cookie),
        RIG(a_cookie_comes_back_with_these_bits),
        RIG(a_counter_of_four_million),
        RIG(options_that_come_too_late),
        RIG(nothing_is_guessed_after_two_kinds),
        RIG(many_segments_at_once),
        RIG(news_by_other_means),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
