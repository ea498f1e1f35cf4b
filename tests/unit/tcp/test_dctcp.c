/* test_dctcp.c - DCTCP (RFC 8257): all is ECN-capable, each mark is echoed, and the window gives
 * way by the share of marks. And ECN asked for by one connection alone. */
#include "rig.h"

enum { NOT_ECT = 0, ECT0 = 2, CE = 3, FULL = 1000 };

static unsigned ecn(const struct seg *g) { return g->tos & 3u; }

static struct peer *dctcp(struct rig *r)
{
    struct peer *p = peer_new(r);
    tern_addr addr;
    r->listener = rig_listen(r, p->lport, 16, 0);
    p->ts = false;
    p->mss = FULL;
    p->extra.tos = ECT0; /* 3.5: such a SYN is capable itself */
    say(p, S | ECE | CWR, 0, 0, 0);
    assert_int_equal(ecn(hear_syn(p, S | A | ECE)), NOT_ECT);
    rig_step(r, MS(10));
    say(p, A, 1, 1, 0);
    rig_hush(r);
    assert_int_equal(tern_accept(r->s, r->listener, &p->k, &addr, p), 0);
    assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_SNDBUF, 4 << 20), 0);
    return p;
}

static void opens_with_capable_packets(struct rig *r)
{
    r->cfg.cc = &tern_cc_dctcp;
    r->cfg.ecn = 0; /* it asks all the same */
    struct peer *p = peer_new(r);
    tern_addr to = rig_addr(r->remote, p->port);
    p->lport = 0;
    assert_int_equal(tern_connect(r->s, &p->k, NULL, &to, p), 0);
    assert_int_equal(ecn(hear_syn(p, S | ECE | CWR)), ECT0);
    say(p, S | A | ECE, 0, 1, 0);
    assert_int_equal(ecn(hear(p, A, 1, 1, 0)), ECT0);
    assert_int_equal(peer_write(p, 0, 100), 100);
    assert_int_equal(ecn(hear(p, A, 1, 1, 100)), ECT0);
    rig_wait(r, SEC(2)); /* what is sent again, too */
    assert_int_equal(ecn(hear(p, A, 1, 1, 100)), ECT0);
    say(p, A, 1, 101, 0);
}

/* 3.2: how each segment came, also when ACKs are delayed. */
static void each_mark_is_echoed(struct rig *r)
{
    r->cfg.cc = &tern_cc_dctcp;
    struct peer *p = dctcp(r);
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
    p->extra.tos = CE;
    say(p, A, in, 1, 100), in += 100;
    assert_int_equal(ecn(hear(p, A, 1, in - 100, 0)), ECT0); /* what came before was not marked */
    hear(p, A | ECE, 1, in, 0);
    rig_hush(r);
    p->extra.tos = CE;
    say(p, A, in, 1, 100), in += 100;
    hear(p, A | ECE, 1, in, 0);
    p->extra.tos = ECT0;
    say(p, A, in, 1, 100), in += 100;
    hear(p, A, 1, in, 0);
}

static tern_tcp_info info(struct peer *p)
{
    tern_tcp_info i;
    rig_turn(p->r);
    peer_info(p, &i);
    return i;
}

/* MAY-18; 3.3, 4.2: against the same with floating point. Round by round `marks` of ten
 * segments are. */
static void the_window_follows_the_share_of_marks(struct rig *r)
{
    r->cfg.cc = &tern_cc_dctcp;
    r->cfg.ecn = 2;
    struct peer *p = dctcp(r);
    double alpha = 1;
    uint32_t queued = 0, acked = 0;
    unsigned reductions = 0;
    for (unsigned round = 0; round < 60; round++) {
        while (queued < acked + 1200) {
            assert_int_equal(peer_write(p, queued * FULL, 400 * FULL), 400 * FULL);
            queued += 400;
        }
        rig_turn(r);
        unsigned got = 0, marks = round < 4 ? 0 : round % 5;
        while (rig_next(r) != NULL)
            got++;
        rig_step(r, MS(10));
        tern_tcp_info now;
        uint32_t before = info(p).cwnd / FULL;
        for (unsigned i = 0; i < got; i++) {
            unsigned marked = i * 10 / got < marks ? ECE : 0;
            bool first = marked && i == 0;
            say(p, A | marked, 1, 1 + ++acked * FULL, 0);
            peer_info(p, &now);
            if (first) {
                assert_int_equal(now.phase, TERN_PHASE_CWR);
                double want = before * (1 - alpha / 2), is = now.ssthresh / FULL;
                if (is > want * 1.03 + 1.5 || is < want * 0.97 - 1.5)
                    rig_fail("round %u: from %u to %.0f, alpha %.2f", round, before, is, alpha);
                reductions++;
            }
            alpha *= i == 0 ? 15.0 / 16 : 1;
        }
        alpha += marks / 10.0 / 16;
    }
    assert_in_range(reductions, 40, 60);
}

/* The algorithm alone: shares that change, of windows large enough to tell. */
static void alpha_is_the_share_of_marks(void **state)
{
    uint64_t memory[TERN_CC_STATE_MAX / 8] = {0};
    tern_cc cc = {.cwnd = 1000 * FULL, .ssthresh = UINT32_MAX, .state = memory};
    double alpha = 1;
    (void)state;
    tern_cc_dctcp.init(&cc, FULL, 0);
    for (unsigned round = 0; round < 400; round++) {
        uint32_t share = round / 40 * 37 % 100; /* 0, 37, 74, 11, ... of 100 */
        tern_ack ack = {.acked = 100000, .ce_marked = share * 1000, .mss = FULL, .round_start = 1};
        tern_cc_dctcp.on_ack(&cc, &ack);
        alpha += (share / 100.0 - alpha) / 16;
        tern_cc_dctcp.on_event(&cc, TERN_CC_ECN, &ack);
        double is = cc.ssthresh / FULL, want = 1000 * (1 - alpha / 2);
        if (is > want + 12 || is < want - 12) /* 16ths of 1024ths */
            rig_fail("round %u: %.0f instead of %.0f", round, is, want);
    }
}

static void a_loss_halves(struct rig *r)
{
    r->cfg.cc = &tern_cc_dctcp;
    struct peer *p = dctcp(r);
    assert_int_equal(peer_write(p, 0, 100 * FULL), 100 * FULL);
    rig_turn(r);
    rig_forget(r);
    rig_step(r, MS(10));
    for (unsigned i = 2; i <= 9; i++) {
        p->extra.sacks = 1;
        p->extra.sack[0] = (struct seg_sack){1 + FULL, 1 + i * FULL};
        say(p, A, 1, 1, 0);
        rig_turn(r);
    }
    assert_int_equal(info(p).phase, TERN_PHASE_RECOVERY);
    assert_int_equal(info(p).ssthresh / FULL, 5);
}

/* TERN_OPT_ECN: what this connection asks for, before its SYN; then what was agreed upon. */
static void one_connection_asks(struct rig *r)
{
    static const unsigned bits[] = {0, ECE | CWR, AE | ECE | CWR}, answer[] = {0, ECE, CWR};
    for (int64_t want = 0; want < 3; want++) {
        rig_renew(r);
        r->cfg.ecn = 3;
        struct peer *p = peer_new(r);
        int64_t value;
        p->accecn = true;
        p->lport = 0;
        tern_addr to = rig_addr(r->remote, p->port);
        assert_int_equal(tern_connect(r->s, &p->k, NULL, &to, p), 0);
        assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_ECN, 3), TERN_EINVAL);
        assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_ECN, want), 0);
        hear_syn(p, S | bits[want]);
        assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_ECN, 0), TERN_EINVAL);
        say(p, S | A | answer[want], 0, 1, 0);
        rig_turn(r);
        rig_forget(r);
        assert_int_equal(tern_option_get(r->s, p->k, TERN_OPT_ECN, &value), 0);
        assert_int_equal(value, want);
    }
}

/* Its SYN is ECN-capable, and that it arrives so is no meddling of the path. */
static void accurate_too(struct rig *r)
{
    r->cfg.cc = &tern_cc_dctcp;
    r->cfg.ecn = 3;
    struct peer *p = peer_new(r);
    tern_addr to = rig_addr(r->remote, p->port);
    p->accecn = true;
    p->lport = 0;
    assert_int_equal(tern_connect(r->s, &p->k, NULL, &to, p), 0);
    assert_int_equal(ecn(hear_syn(p, S | ECE | CWR | AE)), ECT0);
    say(p, S | A | AE, 0, 1, 0); /* it came with ECT(0) */
    rig_turn(r);
    rig_forget(r);
    assert_int_equal(peer_write(p, 0, 100), 100);
    rig_turn(r);
    const struct seg *g = rig_next(r);
    assert_int_equal(g->len, 100);
    assert_int_equal(ecn(g), ECT0);
    rig_forget(r);
    p->extra.flags = 0;
    say(p, A | AE | ECE, 1, 101, 0);
}

/* What is acknowledged apart is a segment like others; past a hole, or where all is acknowledged,
 * there is nothing to say first. */
static void what_is_said_apart(struct rig *r)
{
    r->cfg.cc = &tern_cc_dctcp;
    struct peer *p = peer_new(r);
    tern_addr addr;
    tern_sock listener = rig_listen(r, p->lport, 16, 0);
    p->extra.tos = ECT0;
    say(p, S | ECE | CWR, 0, 0, 0);
    hear_syn(p, S | A | ECE);
    say(p, A, 1, 1, 0);
    rig_turn(r);
    assert_int_equal(tern_accept(r->s, listener, &p->k, &addr, p), 0);
    say(p, A, 1, 1, 100); /* not capable: a retransmission of others */
    hear(p, A, 1, 101, 0);
    assert_int_equal(info(p).options & TERN_INFO_ECN_SEEN, 0);
    p->extra.tos = CE;
    say(p, A, 101, 1, 100); /* all before is acknowledged */
    hear(p, A | ECE, 1, 201, 0);
    rig_hush(r);
    p->extra.tos = CE;
    say(p, A, 201, 1, 100);
    p->extra.tos = ECT0;
    say(p, A, 301, 1, 100); /* at once */
    assert_true(hear(p, A | ECE, 1, 301, 0)->ts);
    hear(p, A, 1, 401, 0);
    rig_hush(r);
    p->extra.tos = ECT0;
    say(p, A, 401, 1, 100);
    p->extra.tos = ECT0;
    say(p, A, 601, 1, 100);
    p->extra.tos = CE;
    say(p, A, 801, 1, 100);
    assert_int_equal(hear(p, A | ECE, 1, 501, 0)->sacks, 2); /* blocks would be missing apart */
    rig_hush(r);
    peer_read(p, 0, 500);
}

/* It asks, and answers, whatever is configured: also by the SYN-ACK of two SYNs that cross. */
static void both_open_at_once(struct rig *r)
{
    r->cfg.cc = &tern_cc_dctcp;
    r->cfg.ecn = 0;
    struct peer *p = peer_new(r);
    tern_addr to = rig_addr(r->remote, p->port);
    p->lport = 0;
    assert_int_equal(tern_connect(r->s, &p->k, NULL, &to, p), 0);
    hear_syn(p, S | ECE | CWR);
    say(p, S | ECE | CWR, 0, 0, 0);
    assert_int_equal(ecn(hear_syn(p, S | A | ECE)), ECT0);
    say(p, S | A | ECE, 0, 1, 0);
    rig_turn(r);
    rig_forget(r);
    assert_int_equal(info(p).options & TERN_INFO_ECN, TERN_INFO_ECN);
    assert_int_equal(info(p).phase, TERN_PHASE_OPEN);
    peer_write(p, 0, 100);
    assert_int_equal(ecn(hear(p, A, 1, 1, 100)), ECT0);
    say(p, A, 1, 101, 0);

    struct peer *q = peer_new(r); /* and from a listener */
    rig_listen(r, q->lport, 16, 0);
    say(q, S | ECE | CWR, 0, 0, 0);
    hear_syn(q, S | A | ECE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(opens_with_capable_packets),
        RIG(each_mark_is_echoed),
        RIG(the_window_follows_the_share_of_marks),
        cmocka_unit_test(alpha_is_the_share_of_marks),
        RIG(a_loss_halves),
        RIG(one_connection_asks),
        RIG(accurate_too),
        RIG(what_is_said_apart),
        RIG(both_open_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
