/* test_accecn.c - accurate ECN (RFC 9768): the negotiation and what it reflects, ACE and the option
 * in both directions, and every way in which a path may spoil them. */
#include "rig.h"

enum { NOT_ECT = 0, ECT1 = 1, ECT0 = 2, CE = 3, FULL = 1000, ALL = AE | CWR | ECE };

static unsigned ecn(const struct seg *g) { return g->tos & 3u; }

/* A number of three bits as flags. */
static unsigned ace(unsigned n) { return (n & 4 ? AE : 0) | (n & 2 ? CWR : 0) | (n & 1 ? ECE : 0); }

/* How an ECN field is reflected: tables 2 to 4. */
static unsigned reflected(unsigned tos) { return ace(tos + 2 + (tos == CE)); }

static void option(struct peer *p, uint32_t e1, uint32_t ce, uint32_t e0)
{
    p->extra.accecn = p->extra.order1 = true;
    p->extra.counters = 3;
    p->extra.counter[0] = e1;
    p->extra.counter[1] = ce;
    p->extra.counter[2] = e0;
}

static void has_option(const struct seg *g, uint32_t e1, uint32_t ce, uint32_t e0)
{
    assert_true(g->accecn && g->order1);
    assert_int_equal(g->counters, 3);
    assert_int_equal(g->counter[0], e1);
    assert_int_equal(g->counter[1], ce);
    assert_int_equal(g->counter[2], e0);
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

/* ---- the side that opens --------------------------------------------------------------------- */

static void connects(struct peer *p)
{
    tern_addr to = rig_addr(p->r->remote, p->port);
    p->lport = 0;
    assert_int_equal(tern_connect(p->r->s, &p->k, NULL, &to, p), 0);
    const struct seg *g = hear_syn(p, S | ALL);
    assert_int_equal(ecn(g), NOT_ECT);
    assert_false(g->accecn); /* 3.2.3.3: not on SYN */
}

/* One segment of data: whether it is ECN-capable. */
static bool capable(struct peer *p, unsigned flags, uint32_t seq)
{
    assert_int_equal(peer_write(p, seq - 1, 100), 100);
    unsigned was = ecn(hear(p, A | flags, seq, 1, 100));
    say(p, A | flags, 1, seq + 100, 0);
    rig_hush(p->r);
    return was == ECT0;
}

/* Table 2, second block. */
static void settles_by_the_synack(struct rig *r)
{
    static const struct {
        unsigned ace;
        bool accurate, classic, fine;
    } row[] = {{0, false, false, true}, {1, false, true, true},  {2, true, false, true},
               {3, true, false, false}, {4, true, false, false}, {5, false, true, true},
               {6, true, false, false}, {7, false, false, true}};
    r->cfg.ecn = 3;
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        struct peer *p = new_peer(r, FULL);
        connects(p);
        say(p, S | A | ace(row[i].ace), 0, 1, 0);
        const struct seg *g = hear(p, A | (row[i].accurate ? reflected(NOT_ECT) : 0), 1, 1, 0);
        assert_false(g->accecn); /* none came */
        unsigned was = info(p).options & (TERN_INFO_ECN | TERN_INFO_ECN_ACCURATE);
        assert_int_equal(was, (row[i].accurate || row[i].classic ? TERN_INFO_ECN : 0) |
                                  (row[i].accurate ? TERN_INFO_ECN_ACCURATE : 0));
        /* our SYN was not capable: what came out as something else is spoilt, 3.2.2.3 */
        assert_int_equal(capable(p, row[i].accurate ? ace(5) : 0, 1),
                         row[i].classic || (row[i].accurate && row[i].fine));
    }
}

/* 3.2.2.1: the ACK of the SYN-ACK reflects how that came; with the option if one came. */
static void reflects_the_synack(struct rig *r)
{
    r->cfg.ecn = 3;
    for (unsigned tos = 0; tos < 4; tos++) {
        struct peer *p = new_peer(r, FULL);
        connects(p);
        p->extra.tos = (uint8_t)tos;
        option(p, 1, 0, 1);
        say(p, S | A | reflected(NOT_ECT), 0, 1, 0);
        const struct seg *g = hear(p, A | reflected(tos), 1, 1, 0);
        has_option(g, 1, 0, 1);
        assert_int_equal(ecn(g), ECT0);
        p->extra.tos = (uint8_t)tos;
        say(p, S | A | reflected(NOT_ECT), 0, 1, 0); /* again: so was it lost? */
        g = hear(p, A | reflected(tos), 1, 1, 0);
        assert_true(capable(p, ace(5 + (tos == CE)), 1)); /* 3.2.1: a mark there counts */
    }
}

/* With data at once, the data carries the counter: the other end could not tell otherwise. */
static void data_does_not_reflect(struct rig *r)
{
    r->cfg.ecn = 3;
    struct peer *p = new_peer(r, FULL);
    connects(p);
    assert_int_equal(tern_send(r->s, p->k, "x", 1), 1);
    p->free_form = true;
    say(p, S | A | reflected(NOT_ECT), 0, 1, 0);
    hear(p, A | ace(5), 1, 1, 1);
    say(p, A | ace(5), 1, 2, 1);
    rig_wait(r, SEC(1));
    hear(p, A | ace(5), 2, 2, 0);
}

/* 3.1.4.1: asked for twice, then not any more. */
static void a_lost_syn_asks_twice(struct rig *r)
{
    r->cfg.ecn = 3;
    struct peer *p = new_peer(r, FULL);
    connects(p);
    rig_wait(r, SEC(10));
    hear_syn(p, S | ALL);
    rig_wait(r, SEC(10));
    hear_syn(p, S);
    say(p, S | A | reflected(NOT_ECT), 0, 1, 0); /* the answer to an earlier one */
    hear(p, A | reflected(NOT_ECT), 1, 1, 0);
}

/* Figure 8: both open. */
static void crossing_syns(struct rig *r)
{
    static const struct {
        unsigned syn, answer;
        unsigned tos;
    } row[] = {{0, 0, 0}, {CWR | ECE, ECE, 0}, {ALL, 0, NOT_ECT}, {ALL, 0, CE}};
    r->cfg.ecn = 3;
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        struct peer *p = new_peer(r, FULL);
        connects(p);
        p->extra.tos = (uint8_t)row[i].tos;
        say(p, S | row[i].syn, 0, 0, 0);
        unsigned answer = row[i].syn == ALL ? reflected(row[i].tos) : row[i].answer;
        const struct seg *g = hear_syn(p, S | A | answer);
        assert_int_equal(g->accecn, row[i].syn == ALL);
        say(p, A | (row[i].syn == ALL ? reflected(NOT_ECT) : 0), 1, 1, 0);
        assert_true(info(p).state == TERN_ESTABLISHED);
        assert_int_equal(info(p).options & TERN_INFO_ECN, row[i].syn != 0 ? TERN_INFO_ECN : 0);
    }
}

/* ---- the side that is opened to -------------------------------------------------------------- */

static struct peer *asks_with(struct rig *r, unsigned syn, unsigned tos, uint16_t mss)
{
    struct peer *p = new_peer(r, mss);
    if (r->listener.id == 0)
        r->listener = rig_listen(r, p->lport, 16, 0);
    p->extra.tos = (uint8_t)tos;
    say(p, S | syn, 0, 0, 0);
    return p;
}

static struct peer *asks(struct rig *r, unsigned syn, unsigned tos)
{
    return asks_with(r, syn, tos, FULL);
}

static void accepted(struct peer *p)
{
    tern_addr addr;
    struct rig *r = p->r;
    assert_int_equal(tern_accept(r->s, r->listener, &p->k, &addr, p), 0);
    assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_SNDBUF, 1 << 20), 0);
}

/* A peer that has got all it wants; `speaks`: and sends the option. */
static struct peer *agreed(struct rig *r, bool speaks)
{
    /* (the option takes 12 bytes of each segment) */
    struct peer *p = asks_with(r, ALL, NOT_ECT, speaks ? FULL + 12 : FULL);
    has_option(hear_syn(p, S | A | reflected(NOT_ECT)), 1, 0, 1);
    rig_step(r, MS(10));
    if (speaks)
        option(p, 1, 0, 1);
    say(p, A | reflected(NOT_ECT), 1, 1, 0);
    rig_hush(r);
    accepted(p);
    return p;
}

/* Table 2, first block: how the SYN came; and 3.1.3: bits of the future ask for this. */
static void answers_by_the_syn(struct rig *r)
{
    for (unsigned bits = 0; bits < 8; bits++) {
        for (unsigned tos = 0; tos < 4; tos++) {
            struct peer *p = asks(r, ace(bits), tos);
            bool accurate = bits != 0 && bits != 3;
            unsigned answer = accurate ? reflected(tos) : bits == 3 && tos == NOT_ECT ? ECE : 0;
            const struct seg *g = hear_syn(p, S | A | answer);
            assert_int_equal(g->accecn, accurate);
            say(p, A | (accurate ? reflected(NOT_ECT) : 0), 1, 1, 0);
            accepted(p);
            rig_hush(r);
            if (accurate) /* 3.2.1: a marked SYN counts */
                assert_true(capable(p, ace(5 + (tos == CE)), 1));
        }
    }
}

/* As the configuration says: Linux's numbers. */
static void answers_as_configured(struct rig *r)
{
    static const unsigned answer[] = {0, ECE, ECE, CWR, CWR, CWR};
    for (uint8_t config = 0; config < 6; config++) {
        rig_renew(r);
        r->cfg.ecn = config;
        struct peer *p = asks(r, ALL, NOT_ECT);
        hear_syn(p, S | A | answer[config]);
    }
    rig_renew(r);
    r->cfg.ecn_option = 0;
    struct peer *p = asks(r, ALL, NOT_ECT);
    assert_false(hear_syn(p, S | A | CWR)->accecn);
}

/* Table 4: what the third segment reflects of a SYN-ACK that was not capable. */
static void judges_the_third_segment(struct rig *r)
{
    for (unsigned bits = 0; bits < 8; bits++) {
        struct peer *p = asks(r, ALL, NOT_ECT);
        hear_syn(p, S | A | reflected(NOT_ECT));
        say(p, A | ace(bits), 1, 1, 0);
        accepted(p);
        bool fine = bits == 1 || bits == 2 || bits == 5 || bits == 7;
        assert_int_equal(info(p).options & TERN_INFO_ECN_ACCURATE, TERN_INFO_ECN_ACCURATE);
        assert_int_equal(info(p).delivered_ce, 0);
        assert_int_equal(capable(p, ace(5), 1), fine);
        if (fine)
            continue;
        assert_int_equal(info(p).ecn_fail, bits == 0 ? 11 : 3);
        p->extra.tos = CE; /* we go on to tell what comes */
        say(p, A | ace(5), 1, 101, 100);
        hear(p, A | ace(6), 101, 101, 0);
    }
}

/* 3.1.4.2, 3.2.3.2.2: without the option, then without a word; and nothing is capable then. */
static void a_lost_synack_says_less(struct rig *r)
{
    for (unsigned lost = 1; lost <= 2; lost++) {
        struct peer *p = asks(r, ALL, ECT0);
        assert_true(hear_syn(p, S | A | reflected(ECT0))->accecn);
        rig_wait(r, SEC(10));
        assert_false(hear_syn(p, S | A | reflected(ECT0))->accecn);
        if (lost == 2) {
            rig_wait(r, SEC(10));
            hear_syn(p, S | A);
        }
        option(p, 1, 0, 1);
        say(p, A | reflected(NOT_ECT), 1, 1, 0);
        accepted(p);
        assert_int_equal(peer_write(p, 0, 100), 100);
        const struct seg *g = hear(p, A | ace(5), 1, 1, 100);
        assert_int_equal(ecn(g), lost == 2 ? NOT_ECT : ECT0);
        assert_false(g->accecn); /* it may have been the option that was dropped */
        say(p, A | ace(5), 1, 101, 0);
    }
}

static void a_repeated_syn(struct rig *r)
{
    struct peer *p = asks(r, ALL, NOT_ECT);
    assert_true(hear_syn(p, S | A | reflected(NOT_ECT))->accecn);
    say(p, S | ALL, 0, 0, 0);
    assert_false(hear_syn(p, S | A | reflected(NOT_ECT))->accecn);
    say(p, S, 0, 0, 0); /* 3.1.5: it has given up on it */
    hear_syn(p, S | A | reflected(NOT_ECT));
    say(p, A | ace(5), 1, 1, 0);
    accepted(p);
    assert_false(capable(p, ace(5), 1));
}

/* ---- the receiver ---------------------------------------------------------------------------- */

/* 3.2.2: ACE counts packets, the option bytes; of data sent again too, and pure ACKs. */
static void counts_what_comes(struct rig *r)
{
    struct peer *p = agreed(r, true);
    uint32_t in = 1, ce = 0, bytes[4] = {0};
    for (unsigned i = 0; i < 64; i++) {
        unsigned tos = rig_random() % 4;
        if (rig_random() % 4 == 0) { /* without data: a mark counts, but says no more */
            p->extra.tos = (uint8_t)tos;
            say(p, A | ace(5), in, 1, 0);
            ce += tos == CE;
        }
        tos = rig_random() % 4;
        p->extra.tos = (uint8_t)tos;
        bool again = i != 0 && rig_random() % 4 == 0;
        say(p, A | ace(5), again ? in - 100 : in, 1, 100);
        in += again ? 0 : 100;
        ce += tos == CE && !again;
        bytes[tos] += again ? 0 : 100; /* what is below the window is not acceptable */
        rig_turn(r);
        if (rig_waiting(r) == 0)
            rig_wait(r, MS(50));
        const struct seg *g = hear(p, A | ace(5 + ce), 1, in, 0);
        assert_int_equal(ecn(g), ECT0);
        has_option(g, bytes[ECT1] + 1, bytes[CE], bytes[ECT0] + 1);
        rig_forget(r);
    }
    assert_in_range(ce, 9, 100);
    assert_int_equal(info(p).received_ce, ce);
    assert_int_equal(info(p).received_bytes[2], bytes[CE]);
    assert_true(info(p).options & TERN_INFO_ECN_SEEN);
}

/* Quiet for so long that the working block is given back: counters do not begin anew. */
static void counters_survive_idleness(struct rig *r)
{
    struct peer *p = agreed(r, true);
    p->extra.tos = CE;
    say(p, A | ace(5), 1, 1, 100);
    has_option(hear(p, A | ace(6), 1, 101, 0), 1, 100, 1);
    peer_read(p, 0, 100);
    rig_step(r, SEC(10));
    tern_memory m;
    rig_memory(r, &m);
    assert_int_equal(m.active, 0);
    p->extra.tos = CE;
    say(p, A | ace(5), 101, 1, 100);
    has_option(hear(p, A | ace(7), 1, 201, 0), 1, 200, 1);
}

/* 3.2.2.5.1: a change is told at once, so that the counters can be told apart. */
static void a_change_is_acknowledged_at_once(struct rig *r)
{
    struct peer *p = agreed(r, true);
    uint32_t in = 1, ce = 0;
    do {
        p->extra.tos = ECT0;
        say(p, A | ace(5), in, 1, 100), in += 100;
        rig_turn(r);
    } while (rig_next(r) != NULL);
    rig_step(r, MS(100));
    rig_forget(r);
    static const uint8_t tos[] = {ECT0, CE, CE, ECT0, NOT_ECT, ECT1};
    for (size_t i = 0; i < sizeof(tos); i++) {
        p->extra.tos = tos[i];
        say(p, A | ace(5), in, 1, 100), in += 100;
        ce += tos[i] == CE;
        if (i != 0 && tos[i] != tos[i - 1])
            hear(p, A | ace(5 + ce), 1, in, 0);
        rig_step(r, MS(100));
        rig_forget(r);
    }
}

/* Three SACK blocks and timestamps leave no room: when a counter has changed, a block gives way. */
static void the_option_beside_SACK_blocks(struct rig *r)
{
    struct peer *p = new_peer(r, FULL);
    r->listener = rig_listen(r, p->lport, 16, 0);
    p->ts = true;
    say(p, S | ALL, 0, 0, 0);
    hear_syn(p, S | A | reflected(NOT_ECT));
    option(p, 1, 0, 1);
    say(p, A | reflected(NOT_ECT), 1, 1, 0);
    accepted(p);
    for (unsigned i = 1; i <= 4; i++) {
        p->extra.tos = CE;
        say(p, A | ace(5), 1 + 200 * i, 1, 100);
        const struct seg *g = hear(p, A | ace(5 + i), 1, 1, 0);
        assert_int_equal(g->sacks, i < 3 ? i : 2);
        assert_true(g->accecn && g->counters >= 2);
        assert_int_equal(g->counter[1], 100 * i);
    }
    say(p, A | ace(5), 1 + 200 * 5, 1, 100); /* nothing to count: an empty one fits */
    const struct seg *g = hear(p, A | ace(5 + 4), 1, 1, 0);
    assert_true(g->accecn && g->counters == 0 && g->sacks == 3);
}

/* 3.2.3.3: only to who has sent one; `option` of the configuration says how often. */
static void the_option_is_sent_as_configured(struct rig *r)
{
    for (uint8_t policy = 0; policy < 4; policy++) {
        rig_renew(r);
        r->cfg.ecn_option = policy;
        struct peer *p = asks(r, ALL, NOT_ECT);
        assert_int_equal(hear_syn(p, S | A | reflected(NOT_ECT))->accecn, policy != 0);
        rig_step(r, MS(100));
        option(p, 1, 0, 1);
        say(p, A | reflected(NOT_ECT), 1, 1, 0);
        accepted(p);
        uint32_t in = 1;
        unsigned sent = 0;
        for (unsigned i = 0; i < 12; i++) {
            p->extra.tos = ECT0;
            say(p, A | ace(5), in, 1, 100), in += 100;
            const struct seg *g = hear(p, A | ace(5), 1, in, 0);
            sent += g->accecn;
        }
        if (policy == 1)
            assert_int_equal(sent, 2); /* a change: on two segments */
        else
            assert_int_equal(sent, policy == 0 ? 0 : 12);
    }
    rig_renew(r);
    struct peer *p = agreed(r, false);
    say(p, A | ace(5), 1, 1, 100);
    assert_false(hear(p, A | ace(5), 1, 101, 0)->accecn);
}

/* ---- the sender ------------------------------------------------------------------------------ */

static uint32_t queued;

static void queue(struct peer *p, uint32_t segs)
{
    assert_int_equal(peer_write(p, queued, (size_t)segs * FULL), segs * FULL);
    queued += segs * FULL;
}

/* Ten segments are in flight. */
static struct peer *flying(struct rig *r, bool speaks, uint32_t segs)
{
    struct peer *p = agreed(r, speaks);
    queued = 0;
    queue(p, segs);
    rig_turn(r);
    for (const struct seg *g; (g = rig_next(r)) != NULL;)
        assert_int_equal(ecn(g), ECT0);
    rig_step(r, MS(10));
    return p;
}

/* Each mark is a reduction, but one a round trip; no CWR in answer: that bit counts. */
static void a_mark_reduces_once_a_round_trip(struct rig *r)
{
    struct peer *p = flying(r, false, 60);
    uint32_t cwnd = info(p).cwnd;
    say(p, A | ace(5), 1, 1 + FULL, 0);
    rig_turn(r);
    assert_true(info(p).cwnd > cwnd && info(p).phase == TERN_PHASE_OPEN);
    for (unsigned i = 2; i <= 8; i++) {
        say(p, A | ace(5 + i), 1, 1 + i * FULL, 0);
        rig_turn(r);
        assert_int_equal(info(p).phase, TERN_PHASE_CWR);
    }
    assert_in_range(info(p).ssthresh, cwnd * 7 / 10, cwnd * 8 / 10);
    assert_int_equal(info(p).delivered_ce, 8); /* the first jump was by two */
    for (const struct seg *g; (g = rig_next(r)) != NULL;)
        assert_int_equal(g->flags & ALL, ace(5));
}

/* An ACK that others have overtaken says nothing new: what it counts is the past. */
static void an_overtaken_ack_is_not_read(struct rig *r)
{
    struct peer *p = flying(r, false, 60);
    say(p, A | ace(6), 1, 1 + 3 * FULL, 0);
    say(p, A | ace(5), 1, 1 + FULL, 0);
    say(p, A | ace(6), 1, 1 + 4 * FULL, 0);
    rig_turn(r);
    assert_int_equal(info(p).delivered_ce, 1);
}

/* 3.2.2.5.2, A.2: when more is acknowledged than ACE can count, the worst is assumed, unless the
 * option shows otherwise. */
static void ACE_may_have_wrapped(struct rig *r)
{
    static const struct {
        bool speaks, option;
        uint32_t ce_bytes; /* of those acknowledged */
        unsigned ace, marked;
    } row[] = {
        {false, false, 0, 5, 8},      /* eight times round? */
        {false, false, 0, 6, 9},      /**/
        {true, true, 0, 5, 0},        /* no bytes were marked */
        {true, true, 8 * FULL, 5, 8}, /* all these were */
        {true, true, 9 * FULL, 6, 9}, /**/
        {true, true, FULL, 6, 1},     /**/
    };
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        rig_renew(r);
        struct peer *p = flying(r, row[i].speaks, 60);
        if (row[i].speaks) { /* one counter moves, and is known to */
            option(p, 1, 0, 1 + FULL);
            say(p, A | ace(5), 1, 1 + FULL, 0);
            rig_turn(r);
        }
        uint32_t base = row[i].speaks ? 1 : 0;
        if (row[i].option)
            option(p, 1, row[i].ce_bytes, 1 + (base + 9) * FULL - row[i].ce_bytes);
        say(p, A | ace(row[i].ace), 1, 1 + (base + 9) * FULL, 0);
        rig_turn(r);
        if (info(p).delivered_ce != row[i].marked)
            rig_fail("row %u: %u marked", (unsigned)i, info(p).delivered_ce);
        rig_forget(r);
    }
}

/* The counters of the option, either order, over their wrap at 2^24. */
static void reads_the_option(struct rig *r)
{
    struct peer *p = flying(r, true, 20);
    uint32_t ack = 1;
    option(p, 1 + 100, 200, 1 + 300);
    say(p, A | ace(5), 1, ack += FULL, 0);
    assert_int_equal(info(p).delivered_bytes[0], 100);
    assert_int_equal(info(p).delivered_bytes[1], 300);
    assert_int_equal(info(p).delivered_bytes[2], 200);
    option(p, 1 + 400, 500, 1 + 600); /* ECT(0), CE, ECT(1) */
    p->extra.order1 = false;
    say(p, A | ace(5), 1, ack += FULL, 0);
    assert_int_equal(info(p).delivered_bytes[1], 400);
    assert_int_equal(info(p).delivered_bytes[2], 500);
    assert_int_equal(info(p).delivered_bytes[0], 600);
    uint32_t total = 400;
    for (unsigned i = 0; i < 6; i++) {
        option(p, 1, 0, 0);
        p->extra.counters = 1;
        p->extra.order1 = false;
        p->extra.counter[0] = (1 + (total += 0x500000)) & 0xffffff;
        say(p, A | ace(5), 1, ack += FULL, 0);
        assert_int_equal(info(p).delivered_bytes[1], total);
    }
    option(p, 1, 0, 0);
    p->extra.counters = 0;
    say(p, A | ace(5), 1, ack += FULL, 0);
    assert_int_equal(info(p).delivered_bytes[1], total);
}

/* 3.2.3.2.4: something writes zeros over it. */
static void a_zeroed_option_is_not_believed(struct rig *r)
{
    struct peer *p = flying(r, false, 20);
    option(p, 0, 0, 0);
    say(p, A | ace(5), 1, 1 + FULL, 0);
    assert_int_equal(info(p).ecn_fail, 8);
    option(p, 1, 100, 1);
    say(p, A | ace(5), 1, 1 + 2 * FULL, 0);
    assert_int_equal(info(p).delivered_bytes[2], 0);
    rig_turn(r);
    assert_int_equal(info(p).phase, TERN_PHASE_OPEN);
}

/* While the counter's middle bit is set, a device would wipe it off all but the first segment. */
static void super_segments_when_a_device_leaves_ACE_alone(struct rig *r)
{
    for (unsigned able = 0; able < 2; able++) {
        rig_renew(r);
        r->link.caps = TERN_CAP_CSUM | TERN_CAP_TSO4 | TERN_CAP_TSO6;
        r->link.caps |= able ? TERN_CAP_TSO_ACCECN : 0;
        r->link.gso_max = 65535;
        for (unsigned marks = 0; marks < 8; marks++) {
            struct peer *p = agreed(r, true);
            for (unsigned i = 0; i < marks; i++) {
                p->extra.tos = CE;
                say(p, A | ace(5), 1 + i * 10, 1, 10);
            }
            rig_turn(r);
            rig_forget(r);
            queued = 0;
            queue(p, 4);
            rig_turn(r);
            const struct seg *g = rig_next(r);
            uint32_t packet = g->packet;
            assert_int_equal(g->flags & ALL, ace(5 + marks));
            g = rig_next(r);
            bool together = g->packet == packet;
            assert_int_equal(together, able || !((5 + marks) & 2));
            say(p, A | ace(5), 1 + marks * 10, 1 + 4 * FULL, 0);
            rig_turn(r);
            rig_forget(r);
        }
    }
}

/* a path that marks everything, and one that wipes all bits after the handshake. */
static void A_63_a_path_that_lies(struct rig *r)
{
    for (unsigned wipes = 0; wipes < 2; wipes++) {
        rig_renew(r);
        struct peer *p = agreed(r, false);
        uint32_t acked = 0, total = 200, ce = 0;
        queued = 0;
        queue(p, total);
        for (unsigned round = 0; acked < total; round++) {
            assert_in_range(round, 0, 150);
            rig_turn(r);
            uint32_t got = 0;
            for (const struct seg *g; (g = rig_next(r)) != NULL;)
                got += (g->len + FULL - 1) / FULL;
            if (acked + got > total)
                got = total - acked;
            rig_step(r, MS(10));
            for (; got > 0; got--)
                say(p, A | (wipes ? 0 : ace(5 + ++ce)), 1, 1 + ++acked * FULL, 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(settles_by_the_synack),
        RIG(reflects_the_synack),
        RIG(data_does_not_reflect),
        RIG(a_lost_syn_asks_twice),
        RIG(crossing_syns),
        RIG(answers_by_the_syn),
        RIG(answers_as_configured),
        RIG(judges_the_third_segment),
        RIG(a_lost_synack_says_less),
        RIG(a_repeated_syn),
        RIG(counts_what_comes),
        RIG(counters_survive_idleness),
        RIG(a_change_is_acknowledged_at_once),
        RIG(the_option_beside_SACK_blocks),
        RIG(the_option_is_sent_as_configured),
        RIG(a_mark_reduces_once_a_round_trip),
        RIG(an_overtaken_ack_is_not_read),
        RIG(ACE_may_have_wrapped),
        RIG(reads_the_option),
        RIG(a_zeroed_option_is_not_believed),
        RIG(super_segments_when_a_device_leaves_ACE_alone),
        RIG(A_63_a_path_that_lies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
