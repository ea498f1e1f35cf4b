/* test_timestamps.c - RFC 7323: negotiation, which TSval is echoed, PAWS, and what the values tell
 * an outsider. */
#include "rig.h"

static uint32_t now_ms(const struct rig *r) { return (uint32_t)(r->now / MS(1)); }

/* The peer says this with that TSval. */
static void say_at(struct peer *p, uint32_t tsval, unsigned flags, uint32_t seq, uint32_t len)
{
    p->extra.ts = true;
    p->extra.tsval = tsval;
    p->extra.tsecr = p->tsecr;
    say(p, flags, seq, 1, len);
}

static struct peer *opened(struct rig *r, uint32_t tsval)
{
    struct peer *p = peer_new(r);
    p->lport = 0;
    p->tsval = tsval - now_ms(r);
    peer_accepts(p);
    return p;
}

/* 2.2, 3.2: in force only if both SYNs have it; then on every segment (the rig looks). (T-02) */
static void only_if_both_offer(struct rig *r)
{
    for (int theirs = 0; theirs < 2; theirs++) {
        struct peer *p = peer_new(r), *q = peer_new(r);
        tern_tcp_info info;
        p->ts = q->ts = theirs;
        p->lport = 0;
        peer_accepts(p);
        if (r->listener.id == 0)
            r->listener = rig_listen(r, 80, 4, 0);
        peer_connects(q, r->listener);
        struct peer *both[] = {p, q};
        for (unsigned i = 0; i < 2; i++) {
            peer_info(both[i], &info);
            assert_int_equal((info.options & TERN_INFO_TIMESTAMPS) != 0, theirs);
            assert_int_equal(info.snd_mss, (r->ip6 ? 1440 : 1460) - (theirs ? 12 : 0));
            say(both[i], A, 1, 1, 10);
            assert_int_equal(hear(both[i], A, 1, 11, 0)->ts, theirs);
        }
    }
}

/* Not offered by us: not in force. */
static void not_a_feature(struct rig *r)
{
    r->cfg.features &= ~(unsigned)TERN_FEATURE_TIMESTAMPS;
    struct peer *p = peer_new(r);
    rig_listen(r, 80, 4, 0);
    say(p, S, 0, 0, 0);
    assert_false(hear_syn(p, S | A)->ts);
    p = peer_new(r);
    p->lport = 0;
    peer_syn_sent(p);
    assert_false(r->last->ts);
    say_at(p, 1000, S | A, 0, 0); /* and a peer that uses it all the same talks to itself */
    assert_false(hear(p, A, 1, 1, 0)->ts);
}

/* 3.2: a SYN-ACK echoes the SYN's value. */
static void syn_ack_echoes(struct rig *r)
{
    struct peer *p = peer_new(r);
    rig_listen(r, 80, 4, 0);
    p->tsval = 0xfffffff0u - now_ms(r);
    say(p, S, 0, 0, 0);
    assert_int_equal(hear_syn(p, S | A)->tsecr, 0xfffffff0u);
}

/* 5.4: the clock ticks in milliseconds. */
static void clock_of_milliseconds(struct rig *r)
{
    struct peer *p = peer_passive(r);
    uint32_t in = 1, last = 0;
    for (unsigned i = 0; i < 10; i++) {
        say(p, A, in, 1, 10);
        uint32_t tsval = hear(p, A, 1, in += 10, 0)->tsval;
        if (i != 0)
            assert_int_equal(tsval - last, 37 * i);
        last = tsval;
        rig_step(r, MS(37) * (i + 1));
    }
}

/* 4.3 (2): echoed is the latest value of a segment at the left edge; one past a hole does not
 * count, and of those acknowledged together the first does. (T-16) */
static void which_value_is_echoed(struct rig *r)
{
    struct peer *p = opened(r, 1000);
    say_at(p, 1001, A, 1, 100);
    assert_int_equal(hear(p, A, 1, 101, 0)->tsecr, 1001);
    say_at(p, 1002, A, 201, 100); /* past a hole */
    assert_int_equal(hear(p, A, 1, 101, 0)->tsecr, 1001);
    say_at(p, 1003, A, 101, 100); /* fills it */
    assert_int_equal(hear(p, A, 1, 301, 0)->tsecr, 1003);
    say_at(p, 1004, A, 301, 100); /* two at once: */
    say_at(p, 1005, A, 401, 100);
    assert_int_equal(hear(p, A, 1, 501, 0)->tsecr, 1004);
}

/* 5.3 R1: older than the latest: answered, dropped, counted; across the wrap of the clock too. */
static void paws(struct rig *r)
{
    static const uint32_t clocks[] = {1000, 0, 1, 0x7fffffff, 0x80000000, 0xffffffff};
    for (unsigned i = 0; i < 6; i++) {
        uint32_t ts = clocks[i];
        struct peer *p = opened(r, ts);
        uint64_t before = rig_drops(r, TERN_DROP_TCP_PAWS);
        say_at(p, ts, A, 1, 10); /* equal is not older */
        hear(p, A, 1, 11, 0);
        say_at(p, ts - 1, A, 11, 10);
        hear(p, A, 1, 11, 0);
        say_at(p, ts - 0x7fffffff, A, 11, 10);
        hear(p, A, 1, 11, 0);
        say_at(p, ts - 1, F | A, 11, 0);
        hear(p, A, 1, 11, 0);
        assert_int_equal(rig_drops(r, TERN_DROP_TCP_PAWS), before + 3);
        say_at(p, ts + 1, A, 11, 10);
        hear(p, A, 1, 21, 0);
        say_at(p, ts + 1 + 0x7fffffff, A, 21, 10);
        hear(p, A, 1, 31, 0);
        peer_read(p, 0, 30);
        assert_int_equal(rig_drops(r, TERN_DROP_TCP_PAWS), before + 3);
    }
}

/* 5.2: RST is not subject to it. */
static void paws_does_not_stop_rst(struct rig *r)
{
    struct peer *p = opened(r, 1000);
    say_at(p, 500, R, 5, 0); /* elsewhere in the window: challenged, as any */
    hear(p, A, 1, 1, 0);
    say_at(p, 500, R, 1, 0);
    rig_hush(r);
    assert_int_equal(peer_state(p), TERN_CLOSED);
}

/* 5.5: a value that is older than 24 days does not judge; one of 23 days does. */
static void paws_after_days(struct rig *r)
{
    for (unsigned days = 23; days < 26; days += 2) {
        struct peer *p = opened(r, 1000);
        rig_step(r, SEC(24 * 3600) * days);
        say_at(p, 999, A, 1, 10);
        hear(p, A, 1, days > 24 ? 11 : 1, 0);
        if (days > 24) {
            say_at(p, 998, A, 11, 10); /* and now 999 does */
            hear(p, A, 1, 11, 0);
        }
    }
}

/* 5.3 R3 does not let a segment outside of the window set it. */
static void outside_of_the_window_sets_nothing(struct rig *r)
{
    struct peer *p = opened(r, 1000);
    say_at(p, 5000, A, 1 + (p->edge - p->irs), 10);
    hear(p, A, 1, 1, 0);
    say_at(p, 1001, A, 1, 10);
    hear(p, A, 1, 11, 0);
    say_at(p, 5000, A, 11, 0); /* nor does one that acknowledges what was never sent */
    rig_hush(r);
    struct seg g = peer_seg(p, A, 11, 1000, 0);
    g.tsval = 9000;
    rig_input_seg(r, &g);
    hear(p, A, 1, 11, 0);
    say_at(p, 5001, A, 11, 10);
    hear(p, A, 1, 21, 0);
}

/* 3.2 as Linux has it: a segment without the option is taken, not dropped. */
static void segments_without_it_are_taken(struct rig *r)
{
    struct peer *p = opened(r, 1000);
    p->ts_on = false;
    struct seg g = peer_seg(p, A, 1, 1, 10);
    p->ts_on = true;
    assert_false(g.ts);
    rig_input_seg(r, &g);
    assert_int_equal(hear(p, A, 1, 11, 0)->tsecr, 1000);
}

/* In SYN-RECEIVED as well. */
static void paws_in_syn_received(struct rig *r)
{
    struct peer *p = peer_new(r);
    tern_sock l = rig_listen(r, 80, 4, 0);
    p->tsval = 1000 - now_ms(r);
    say(p, S, 0, 0, 0);
    hear_syn(p, S | A);
    say_at(p, 999, A, 1, 0);
    hear(p, A, 1, 1, 0);
    assert_int_equal(rig_drops(r, TERN_DROP_TCP_PAWS), 1);
    assert_int_equal(tern_accept(r->s, l, &p->k, NULL, NULL), TERN_EAGAIN);
    say_at(p, 1000, A, 1, 0);
    rig_hush(r);
    assert_int_equal(tern_accept(r->s, l, &p->k, NULL, NULL), 0);
}

/* 5.4, 7.1: each connection has a clock of its own, and its next incarnation the same.
 * (A-12, A-13) */
static void clocks_of_connections_differ(struct rig *r)
{
    uint32_t first[4];
    for (unsigned i = 0; i < 4; i++) {
        struct peer *p = peer_new(r);
        p->lport = 9999;
        peer_syn_sent(p);
        first[i] = r->last->tsval;
        for (unsigned j = 0; j < i; j++)
            assert_true(first[i] - first[j] + 100000 > 200000);
        assert_int_equal(tern_abort(r->s, p->k), 0);
    }
    rig_step(r, MS(500));
    for (unsigned i = 0; i < 4; i++) {
        struct peer *p = r->peers[i];
        peer_syn_sent(p);
        assert_int_equal(r->last->tsval - first[i], 500);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(only_if_both_offer),
        RIG(not_a_feature),
        RIG(syn_ack_echoes),
        RIG(clock_of_milliseconds),
        RIG_ISNS(which_value_is_echoed),
        RIG_ISNS(paws),
        RIG(paws_does_not_stop_rst),
        RIG(paws_after_days),
        RIG_ISNS(outside_of_the_window_sets_nothing),
        RIG(segments_without_it_are_taken),
        RIG_ISNS(paws_in_syn_received),
        RIG(clocks_of_connections_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
