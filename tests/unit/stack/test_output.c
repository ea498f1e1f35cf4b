/* test_output.c - packets between the stack and its devices: their memory, handed out and given
 * back in any order; packets a device would not take; the limits on both. */
#include "rig.h"

/* What is in the packet's pieces now, as one run. */
static uint32_t gather(const tern_pkt *pkt, uint8_t *to)
{
    uint32_t n = 0;
    for (unsigned i = 0; i < pkt->iov_count; i++) {
        memcpy(to + n, pkt->iov[i].base, pkt->iov[i].len);
        n += (uint32_t)pkt->iov[i].len;
    }
    return n;
}

static uint32_t outputs(const struct rig *r)
{
    tern_memory m;
    rig_memory(r, &m);
    return m.outputs;
}

static uint32_t pages(const struct rig *r)
{
    tern_memory m;
    rig_memory(r, &m);
    return m.pages;
}

static void give_back(struct rig *r, unsigned i)
{
    tern_pkt pkt = {.cookie = r->held[i].cookie}; /* nothing else is looked at */
    tern_output_done(r->s, &pkt, 1);
    r->held[i] = r->held[--r->held_count];
}

/* A chunk lives until it is acknowledged and no packet names it, whichever comes last. */
static void memory_until_acknowledged_and_done(struct rig *r)
{
    static uint8_t before[64][2048], after[2048];
    struct peer *p = peer_passive(r);
    r->hold = true;
    assert_int_equal(peer_write(p, 0, 14000), 14000);
    rig_turn(r);
    unsigned n = r->held_count;
    assert_in_range(n, 5, 64);
    for (unsigned i = 0; i < n; i++)
        gather(&r->held[i], before[i]);
    hear_data(p, 1, 14001);
    say(p, A, 1, 14001, 0); /* all is acknowledged, nothing is done */
    r->hold = false;
    assert_int_equal(peer_write(p, 14000, 14000), 14000); /* (may not write over it) */
    rig_turn(r);
    hear_data(p, 14001, 28001);
    for (unsigned i = 0; i < n; i++) {
        uint32_t len = gather(&r->held[i], after);
        assert_memory_equal(before[i], after, len);
    }
    say(p, A, 1, 28001, 0);
    rig_turn(r);
    uint32_t held = pages(r);
    assert_true(held >= 3);
    for (unsigned i = 0; r->held_count != 0; i++)
        give_back(r, rig_random() % r->held_count); /* in any order */
    rig_step(r, SEC(2));
    assert_int_equal(pages(r), 0);
    assert_int_equal(outputs(r), 0);
}

/* The same over a whole transfer with losses. */
static void done_in_any_order(struct rig *r)
{
    struct peer *p = peer_passive(r);
    uint32_t written = 0, at = 1;
    r->hold = true;
    for (unsigned round = 0; at != 200001; round++) {
        if (round == 100000)
            rig_fail("no progress at %u", at);
        ptrdiff_t n = peer_write(p, written, 200000 - written);
        written += n > 0 ? (uint32_t)n : 0;
        rig_turn(r);
        const struct seg *g;
        while ((g = rig_next(r)) != NULL)
            if (rig_random() % 10 != 0 && g->seq - p->iss == at) /* a tenth is lost */
                at += g->len;
        say(p, A, 1, at, 0);
        while (r->held_count > 8)
            give_back(r, rig_random() % r->held_count);
        if (rig_waiting(r) == 0) {
            if (round % 4 == 0) /* what was lost may be among the last eight */
                rig_done(r);
            rig_step(r, MS(100));
        }
    }
    rig_done(r);
    rig_step(r, SEC(2));
    assert_int_equal(pages(r), 0);
}

/* What is still inside of the device is not sent again, however long that takes: it cannot be
 * lost. Once it has left, it can. */
static void nothing_twice_in_the_device(struct rig *r)
{
    struct peer *p = peer_passive(r);
    r->hold = true;
    assert_int_equal(peer_write(p, 0, 1000), 1000);
    hear(p, A | P, 1, 1, 1000);
    rig_step(r, SEC(60));
    rig_hush(r);
    rig_done(r);
    rig_wait(r, SEC(2));
    hear(p, A | P, 1, 1, 1000);
    rig_done(r);
}

/* Fast retransmission leaves it alone as well. */
static void nothing_twice_by_sack(struct rig *r)
{
    struct peer *p = peer_passive(r);
    r->hold = true;
    assert_int_equal(peer_write(p, 0, 10000), 10000);
    rig_turn(r);
    uint32_t first = hear(p, A, 1, 1, r->ip6 ? 1428 : 1448)->len;
    rig_forget(r);
    rig_step(r, MS(50));
    p->extra.sacks = 1;
    p->extra.sack[0].lo = 1 + first, p->extra.sack[0].hi = 1 + 5 * first;
    say(p, A, 1, 1, 0);
    rig_step(r, MS(20));
    const struct seg *g;
    while ((g = rig_next(r)) != NULL)
        assert_true(g->seq != p->iss + 1);
    rig_done(r);
    rig_wait(r, SEC(2));
    bool again = false;
    while ((g = rig_next(r)) != NULL)
        again |= g->seq == p->iss + 1;
    assert_true(again);
    rig_done(r);
}

/* Refused packets come again, in their order, and before anything new; until the caller asks, the
 * interface counts for nothing in next_timeout(). */
static void refused_packets_come_again(struct rig *r)
{
    struct peer *p = peer_passive(r);
    r->hold = true;
    assert_int_equal(peer_write(p, 0, 5000), 5000);
    rig_turn(r);
    hear_data(p, 1, 5001);
    rig_refuse(r);
    assert_true(tern_next_timeout(r->s) > r->now);
    assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_NODELAY, 1), 0);
    assert_int_equal(peer_write(p, 5000, 100), 100);
    assert_true(tern_next_timeout(r->s) > r->now); /* nothing can be done about it */
    rig_step(r, MS(50));
    hear_data(p, 1, 5101);
    rig_done(r);
    say(p, A, 1, 5101, 0);
    rig_hush(r);
    assert_int_equal(peer_write(p, 5100, 100), 100);
    assert_int_equal(tern_next_timeout(r->s), 0); /* it counts again */
    hear_data(p, 5101, 5201);
    rig_done(r);
    say(p, A, 1, 5201, 0);
    rig_hush(r);
    assert_true(rig_count(r, TERN_COUNT_PACKETS_REFUSED) >= 4);
    assert_int_equal(rig_count(r, TERN_COUNT_RETRANSMITS), 0);
    assert_int_equal(outputs(r), 0);
}

/* Only what still matters: not what has been acknowledged meanwhile, or belongs to nothing. */
static void refused_packets_may_lapse(struct rig *r)
{
    struct peer *p = peer_passive(r);
    r->hold = true;
    assert_int_equal(peer_write(p, 0, 1000), 1000);
    rig_turn(r);
    rig_refuse(r);
    r->hold = false;
    say(p, A, 1, 1001, 0); /* (it had passed after all) */
    rig_forget(r);
    rig_step(r, MS(10));
    rig_hush(r);
    r->hold = true;
    assert_int_equal(peer_write(p, 1000, 1000), 1000);
    rig_turn(r);
    rig_refuse(r);
    r->hold = false;
    rig_forget(r);
    assert_int_equal(tern_abort(r->s, p->k), 0);
    rig_turn(r);
    rig_next(r);
    assert_int_equal(r->last->flags & R, R);       /* the reset, not the data, */
    assert_int_equal(r->last->seq, p->iss + 1001); /* which nobody has seen */
    rig_hush(r);
    assert_int_equal(outputs(r), 0);
}

/* RTT counts from when it really left. */
static void refused_packets_and_rtt(struct rig *r)
{
    struct peer *p = peer_passive(r);
    tern_tcp_info info;
    r->hold = true;
    assert_int_equal(peer_write(p, 0, 100), 100);
    rig_turn(r);
    rig_refuse(r);
    r->now += MS(150); /* the device is full for so long */
    rig_forget(r);
    rig_turn(r);
    rig_done(r);
    r->hold = false;
    rig_step(r, MS(10));
    say(p, A, 1, 101, 0);
    peer_info(p, &info);
    assert_in_range(info.srtt, 0, MS(5));
}

/* output_max: no more are out at once; what must wait goes when some are done. */
static void output_max(struct rig *r)
{
    r->cfg.output_max = 4;
    struct peer *p = peer_passive(r);
    r->hold = true;
    assert_int_equal(peer_write(p, 0, 14000), 14000);
    rig_turn(r);
    assert_int_equal(r->held_count, 4);
    assert_int_equal(outputs(r), 4);
    assert_true(rig_count(r, TERN_COUNT_OUTPUT_LIMITED) != 0 || rig_waiting(r) == 4);
    assert_true(tern_next_timeout(r->s) > r->now); /* nothing to be had before some are done */
    give_back(r, 2);
    assert_int_equal(tern_next_timeout(r->s), 0);
    rig_turn(r);
    assert_int_equal(r->held_count, 4);
    rig_done(r);
    r->hold = false;
    rig_turn(r);
    hear_data(p, 1, 14001);
}

/* Replies that wait use up the same records: asking for them is then the only way on. */
static void replies_fill_output_max(struct rig *r)
{
    r->cfg.output_max = 4;
    struct peer *p = peer_new(r);
    for (unsigned i = 0; i < 6; i++) {
        struct seg g = peer_seg(p, S, 1, 0, 0);
        g.dport = (uint16_t)(4444 + i);
        rig_input_seg(r, &g);
    }
    assert_int_equal(rig_drops(r, TERN_DROP_REPLIES), 2);
    assert_int_equal(tern_next_timeout(r->s), 0);
    rig_turn(r);
    assert_int_equal(rig_waiting(r), 4);
    rig_forget(r);
}

static void replies_max(struct rig *r)
{
    r->cfg.replies_max = 3;
    struct peer *p = peer_new(r);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 5; i++) {
            struct seg g = peer_seg(p, S, 1, 0, 0);
            g.dport = (uint16_t)(4444 + i);
            rig_input_seg(r, &g);
        }
        assert_int_equal(rig_drops(r, TERN_DROP_REPLIES), 2 * (round + 1));
        rig_turn(r);
        assert_int_equal(rig_waiting(r), 3);
        rig_forget(r);
    }
}

/* A few at a time: the sum is the same. */
static void one_packet_at_a_time(struct rig *r)
{
    r->output_max = 1;
    struct peer *p = peer_passive(r);
    assert_int_equal(peer_write(p, 0, 14000), 14000);
    rig_turn(r);
    assert_int_equal(hear_data(p, 1, 14001), 10);
}

/* tx_time is never beyond now + tx_horizon, which is nothing by default (the rig looks at each); a
 * packet given back twice asserts. */
static void given_back_twice(struct rig *r)
{
    struct peer *p = peer_passive(r);
    r->hold = true;
    assert_int_equal(peer_write(p, 0, 1000), 1000);
    assert_int_equal(peer_write(p, 1000, 1000), 1000);
    rig_turn(r);
    rig_forget(r);
    tern_pkt pkt = {.cookie = r->held[0].cookie};
    tern_output_refused(r->s, &pkt, 1);
    expect_assert_failure(tern_output_done(r->s, &pkt, 1));
    expect_assert_failure(tern_output_refused(r->s, &pkt, 1));
    r->held[0] = r->held[--r->held_count];
    r->hold = false;
    rig_done(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(memory_until_acknowledged_and_done),
        RIG(done_in_any_order),
        RIG(nothing_twice_in_the_device),
        RIG(nothing_twice_by_sack),
        RIG(refused_packets_come_again),
        RIG(refused_packets_may_lapse),
        RIG(refused_packets_and_rtt),
        RIG(output_max),
        RIG(replies_fill_output_max),
        RIG(replies_max),
        RIG(one_packet_at_a_time),
        RIG(given_back_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
