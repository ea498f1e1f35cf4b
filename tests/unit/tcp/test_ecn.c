/* test_ecn.c - classic ECN (RFC 3168): who agrees to it, what is marked as capable, and how a mark
 * goes round: CE, ECE, a smaller window, CWR. */
#include "rig.h"

enum { NOT_ECT = 0, ECT1 = 1, ECT0 = 2, CE = 3, FULL = 1000 };

static unsigned ecn(const struct seg *g) { return g->tos & 3u; }

/* A peer that asks for it, and gets it if `flags` of the SYN-ACK say so. */
static struct peer *asked(struct rig *r, unsigned syn, unsigned tos, unsigned synack)
{
    struct peer *p = peer_new(r);
    tern_addr addr;
    if (r->listener.id == 0)
        r->listener = rig_listen(r, p->lport, 16, 0);
    p->ts = false;
    p->mss = FULL;
    p->extra.tos = (uint8_t)tos;
    say(p, S | syn, 0, 0, 0);
    const struct seg *g = hear_syn(p, S | A | synack);
    assert_int_equal(ecn(g), NOT_ECT); /* 6.1.1 */
    rig_step(r, MS(10));
    say(p, A, 1, 1, 0);
    rig_hush(r);
    assert_int_equal(tern_accept(r->s, r->listener, &p->k, &addr, p), 0);
    assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_SNDBUF, 1 << 20), 0);
    return p;
}

static struct peer *classic(struct rig *r) { return asked(r, ECE | CWR, NOT_ECT, ECE); }

static uint32_t queued;

static void queue(struct peer *p, uint32_t segs)
{
    assert_int_equal(peer_write(p, queued, (size_t)segs * FULL), segs * FULL);
    queued += segs * FULL;
}

/* ---- the handshake --------------------------------------------------------------------------- */

static void accepted_as_configured(struct rig *r)
{
    static const struct {
        uint8_t config;
        unsigned syn, tos, synack;
    } row[] = {
        {0, ECE | CWR, NOT_ECT, 0},
        {1, ECE | CWR, NOT_ECT, ECE},
        {2, ECE | CWR, NOT_ECT, ECE},
        {5, ECE | CWR, NOT_ECT, ECE},
        {2, AE | ECE | CWR, NOT_ECT, ECE},
        {2, AE | ECE | CWR, ECT0, ECE},
        {5, ECE | CWR, ECT0, 0}, /* a SYN is not ECN-capable: someone plays with the bits */
        {2, ECE, NOT_ECT, 0},
        {2, CWR, NOT_ECT, 0},
    };
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        rig_renew(r);
        r->cfg.ecn = row[i].config;
        struct peer *p = asked(r, row[i].syn, row[i].tos, row[i].synack);
        tern_tcp_info info;
        peer_info(p, &info);
        assert_int_equal((info.options & TERN_INFO_ECN) != 0, row[i].synack != 0);
        queued = 0;
        queue(p, 1);
        assert_int_equal(ecn(hear(p, A, 1, 1, FULL)), row[i].synack != 0 ? ECT0 : NOT_ECT);
        say(p, A, 1, 1 + FULL, 0);
    }
}

/* The one who opens; `synack`: the answer; `on`: whether that is agreement. */
static void opens(struct rig *r, unsigned synack, bool on)
{
    struct peer *p = peer_new(r);
    tern_addr to = rig_addr(r->remote, p->port);
    p->lport = 0;
    assert_int_equal(tern_connect(r->s, &p->k, NULL, &to, p), 0);
    assert_int_equal(ecn(hear_syn(p, S | ECE | CWR)), NOT_ECT);
    say(p, S | A | synack, 0, 1, 0);
    hear(p, A, 1, 1, 0);
    assert_int_equal(peer_write(p, 0, 100), 100);
    assert_int_equal(ecn(hear(p, A, 1, 1, 100)), on ? ECT0 : NOT_ECT);
    say(p, A, 1, 101, 0);
}

static void asked_for_as_configured(struct rig *r)
{
    r->cfg.ecn = r->ip6 ? 1 : 4;
    opens(r, ECE, true);
    opens(r, AE | ECE, true);   /* a nonce of old */
    opens(r, 0, false);         /* 6.1.1: not capable */
    opens(r, ECE | CWR, false); /* a host that echoes what it does not know */
    opens(r, CWR, false);
}

static void not_asked_for(struct rig *r)
{
    r->cfg.ecn = r->ip6 ? 2 : 5;
    struct peer *p = peer_active(r); /* (hears S) */
    say(p, A | ECE | CWR, 1, 1, 0);  /* nor listened to */
    p->extra.tos = CE;
    say(p, A | ECE, 1, 1, 100);
    hear(p, A, 1, 101, 0);
}

/* 6.1.1.1: something on the way may drop SYNs for these bits. */
static void a_lost_syn_asks_no_more(struct rig *r)
{
    r->cfg.ecn = 1;
    r->cfg.ecn_fallback = !r->ip6;
    struct peer *p = peer_new(r);
    tern_addr to = rig_addr(r->remote, p->port);
    p->lport = 0;
    assert_int_equal(tern_connect(r->s, &p->k, NULL, &to, p), 0);
    hear_syn(p, S | ECE | CWR);
    rig_wait_exactly(r, r->cfg.rto_initial);
    hear_syn(p, r->ip6 ? S | ECE | CWR : S);
    say(p, S | A | ECE, 0, 1, 0); /* the answer to the first may be on its way */
    hear(p, A, 1, 1, 0);
    assert_int_equal(peer_write(p, 0, 100), 100);
    assert_int_equal(ecn(hear(p, A, 1, 1, 100)), ECT0);
    say(p, A, 1, 101, 0);
}

/* ---- the receiver ---------------------------------------------------------------------------- */

/* SHLD-8; 6.1.3: from the mark on each ACK says ECE, until CWR comes; the next mark begins anew. */
static void a_mark_is_echoed_until_it_is_answered(struct rig *r)
{
    static const struct {
        unsigned flags, tos, answer;
    } row[] = {
        {0, ECT0, 0},   {0, CE, ECE},   {0, ECT0, ECE}, {0, CE, ECE},
        {0, ECT1, ECE}, {CWR, ECT0, 0}, {CWR, CE, ECE}, /* CWR, and a new mark */
        {0, ECT0, ECE}, {CWR, ECT0, 0}, {0, ECT0, 0},
    };
    struct peer *p = classic(r);
    uint32_t in = 1;
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        say(p, A | CWR, in, 1, 0); /* on a segment without data it says nothing */
        p->extra.tos = (uint8_t)row[i].tos;
        say(p, A | row[i].flags, in, 1, FULL), in += FULL;
        hear(p, A | row[i].answer, 1, in, 0);
    }
}

/* Between two that agree, the bits cost nothing: segments are expected as without ECN; a mark, an
 * echo and CWR are not. */
static void what_is_expected(struct rig *r)
{
    struct peer *p = classic(r);
    p->extra.tos = ECT0;
    say(p, A, 1, 1, FULL);
    uint64_t before = rig_count(r, TERN_COUNT_PREDICTED);
    p->extra.tos = ECT0;
    say(p, A, 1 + FULL, 1, FULL);
    assert_int_equal(rig_count(r, TERN_COUNT_PREDICTED), before + 1);
    p->extra.tos = ECT0;
    say(p, A | CWR, 1 + 2 * FULL, 1, FULL);
    say(p, A, 1 + 3 * FULL, 1, FULL); /* not capable: sent again? */
    p->extra.tos = CE;
    say(p, A, 1 + 4 * FULL, 1, FULL);
    p->extra.tos = ECT0;
    say(p, A, 1 + 5 * FULL, 1, FULL); /* while a mark is echoed */
    assert_int_equal(rig_count(r, TERN_COUNT_PREDICTED), before + 1);
    hear(p, A | ECE, 1, 1 + 6 * FULL, 0);
}

/* A mark is acknowledged at once, when ACKs are delayed otherwise: the window there may be tiny. */
static void a_mark_is_told_at_once(struct rig *r)
{
    struct peer *p = classic(r);
    uint32_t in = 1;
    do {
        p->extra.tos = ECT0;
        say(p, A, in, 1, 100), in += 100;
        rig_turn(r);
    } while (rig_next(r) != NULL);
    rig_step(r, MS(100));
    rig_forget(r);
    p->extra.tos = ECT0;
    say(p, A, in, 1, 100), in += 100;
    rig_hush(r);
    rig_step(r, MS(100));
    rig_forget(r);
    p->extra.tos = CE;
    say(p, A, in, 1, 100), in += 100;
    hear(p, A | ECE, 1, in, 0);
}

/* ---- the sender ------------------------------------------------------------------------------ */

static void is(struct peer *p, unsigned cwnd, unsigned ssthresh)
{
    tern_tcp_info i;
    rig_turn(p->r);
    peer_info(p, &i);
    assert_int_equal(i.cwnd / FULL, cwnd);
    assert_int_equal(i.ssthresh / FULL, ssthresh);
}

/* SHLD-8; 6.1.2: as for a loss, but once in a round trip; CWR on the first new data after. */
static void an_echo_reduces_once_a_round_trip(struct rig *r)
{
    struct peer *p = classic(r);
    queued = 0;
    queue(p, 40);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(ecn(hear(p, A, 1 + i * FULL, 1, FULL)), ECT0);
    rig_step(r, MS(10));
    unsigned at = 10;
    for (unsigned i = 1; i <= 10; i++) {
        say(p, A | ECE, 1, 1 + i * FULL, 0);
        rig_turn(r);
        for (const struct seg *g; (g = rig_next(r)) != NULL; at++) {
            assert_int_equal(g->seq - p->iss, 1 + at * FULL);
            assert_int_equal(g->flags & CWR, at == 10 ? CWR : 0);
            assert_int_equal(ecn(g), ECT0);
        }
    }
    is(p, 7, 7);
    assert_in_range(at, 16, 17);
    say(p, A | ECE, 1, 1 + 11 * FULL, 0); /* the round trip is over: this is about what came then */
    tern_tcp_info info;
    peer_info(p, &info);
    assert_int_equal(info.ssthresh / FULL, 4);
    assert_int_equal(info.delivered_ce, 11);
}

/* With nothing in flight there is nothing it could be about. */
static void an_echo_of_nothing(struct rig *r)
{
    struct peer *p = classic(r);
    say(p, A | ECE, 1, 1, 0);
    p->extra.tos = ECT0;
    say(p, A | ECE, 1, 1, 100);
    is(p, 10, UINT32_MAX / FULL);
}

/* RFC 8511, if it is wanted: 0.85 instead of 0.7. */
static void a_mark_may_cost_less_than_a_loss(struct rig *r)
{
    r->cfg.ecn_abe = true;
    struct peer *p = classic(r);
    queued = 0;
    queue(p, 40);
    rig_step(r, MS(10));
    rig_forget(r);
    for (unsigned i = 1; i <= 10; i++)
        say(p, A | ECE, 1, 1 + i * FULL, 0);
    is(p, 8, 8);
}

/* What is sent again is not ECN-capable (6.1.5), and the reduction for the loss is told as well. */
static void a_loss_says_CWR_too(struct rig *r)
{
    struct peer *p = classic(r);
    queued = 0;
    queue(p, 30);
    rig_step(r, MS(10));
    rig_forget(r);
    unsigned cwr = 0, again = 0;
    for (unsigned i = 2; i <= 10; i++) {
        p->extra.sacks = 1;
        p->extra.sack[0] = (struct seg_sack){1 + FULL, 1 + i * FULL};
        say(p, A, 1, 1, 0);
        rig_turn(r);
        for (const struct seg *g; (g = rig_next(r)) != NULL;) {
            bool fresh = g->seq != p->iss + 1;
            again += !fresh;
            assert_int_equal(ecn(g), fresh ? ECT0 : NOT_ECT);
            assert_true(fresh || !(g->flags & CWR));
            cwr += (g->flags & CWR) != 0;
        }
    }
    assert_int_equal(again, 1);
    assert_int_equal(cwr, 1);
}

/* forged, or mangled: marks on everything. The window stays at two segments or above, and all
 * arrives. */
static void A_64_marks_without_end(struct rig *r)
{
    struct peer *p = classic(r);
    uint32_t acked = 0, total = 400;
    queued = 0;
    queue(p, total);
    for (unsigned round = 0; acked < total; round++) {
        assert_in_range(round, 0, 220);
        rig_turn(r);
        uint32_t got = 0;
        for (const struct seg *g; (g = rig_next(r)) != NULL;)
            got += g->len / FULL;
        if (round > 8 && acked + 3 < total)
            assert_in_range(got, 2, 3);
        rig_step(r, MS(10));
        for (; got > 0; got--)
            say(p, A | ECE, 1, 1 + ++acked * FULL, 0);
    }
}

/* The first segment alone may say CWR: a device would repeat it, or wipe it off. */
static void CWR_is_in_no_super_segment(struct rig *r)
{
    r->link.caps = TERN_CAP_CSUM | TERN_CAP_TSO4 | TERN_CAP_TSO6;
    r->link.gso_max = 65535;
    struct peer *p = classic(r);
    queued = 0;
    queue(p, 40);
    rig_turn(r);
    assert_int_equal(rig_next(r)->packet, rig_next(r)->packet);
    rig_step(r, MS(10));
    rig_forget(r);
    say(p, A | ECE, 1, 1 + 10 * FULL, 0);
    rig_turn(r);
    const struct seg *g = rig_next(r);
    uint32_t packet = g->packet;
    assert_true(g->flags & CWR);
    while ((g = rig_next(r)) != NULL) {
        assert_false(g->flags & CWR);
        assert_int_not_equal(g->packet, packet);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(accepted_as_configured),
        RIG(asked_for_as_configured),
        RIG(not_asked_for),
        RIG(a_lost_syn_asks_no_more),
        RIG_ISNS(a_mark_is_echoed_until_it_is_answered),
        RIG(what_is_expected),
        RIG(a_mark_is_told_at_once),
        RIG_ISNS(an_echo_reduces_once_a_round_trip),
        RIG(an_echo_of_nothing),
        RIG(a_mark_may_cost_less_than_a_loss),
        RIG(a_loss_says_CWR_too),
        RIG(A_64_marks_without_end),
        RIG(CWR_is_in_no_super_segment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
