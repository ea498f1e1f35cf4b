/* test_corners.c - small differences that no other test of TCP would notice: each of these was
 * found by a mistake put into the code that went unnoticed (tests/mutants). */
#include "sender.h"

/* MUST-15: an MSS of 0 on a SYN-ACK is none. */
static void mss_of_zero(struct rig *r)
{
    static const uint8_t zero[4] = {2, 4, 0, 0};
    struct peer *p = peer_new(r);
    peer_syn_sent(p);
    struct seg g = peer_seg(p, S | A, 0, 1, 0);
    g.raw = zero;
    g.raw_len = sizeof(zero);
    p->ts_on = false;
    rig_input_seg(r, &g);
    hear(p, A, 1, 1, 0);
    peer_write(p, 0, 3000);
    rig_turn(r);
    const struct seg *out = rig_next(r);
    assert_non_null(out);
    assert_int_equal(out->len, r->ip6 ? 1220 : 536);
    r->unclean = true;
}

/* A window scale above 14 is 14 (RFC 7323 2.3), also on a SYN-ACK. */
static void wscale_of_more_than_14(struct rig *r)
{
    static const unsigned scales[] = {14, 15, 31, 255};
    for (unsigned i = 0; i < 4; i++) {
        const uint8_t options[8] = {2, 4, 5, 0xb4, 1, 3, 3, (uint8_t)scales[i]};
        tern_tcp_info t;
        struct peer *p = peer_new(r);
        peer_syn_sent(p);
        struct seg g = peer_seg(p, S | A, 0, 1, 0);
        g.raw = options;
        g.raw_len = sizeof(options);
        p->ts_on = false;
        rig_input_seg(r, &g);
        rig_turn(r);
        rig_forget(r);
        peer_info(p, &t);
        assert_int_equal(t.snd_wscale, 14);
    }
    r->unclean = true;
}

/* Of what is beyond a FIN that waits for its gap nothing is taken. */
static void text_beyond_a_fin(struct rig *r)
{
    struct peer *p = peer_passive(r);
    uint8_t byte;
    say(p, F | A, 11, 1, 10); /* 1 to 10 are missing, the FIN is 21 */
    rig_turn(r);
    p->raw_numbers = true;
    say(p, A, 21, 1, 10);
    say(p, A, 15, 1, 20);
    say(p, A, 12, 1, 10); /* by one byte */
    rig_turn(r);
    say(p, A, 1, 1, 10);
    rig_turn(r);
    peer_read(p, 0, 20);
    assert_int_equal(tern_recv(r->s, p->k, &byte, 1), 0);
    assert_int_equal(peer_state(p), TERN_CLOSE_WAIT);
    rig_forget(r);
}

/* A block that begins at SND.UNA says nothing that the acknowledgement would not say. */
static void sack_from_una(struct rig *r)
{
    struct peer *p = sender_new(r, (struct sender_opt){0});
    queue(p, 4);
    sends(p, 0, 4);
    rig_step(r, MS(RTT_MS));
    uint64_t before = rig_count(r, TERN_COUNT_SACKS_INVALID);
    sack(p, 0, 0, 1, 0, 0);
    assert_int_equal(rig_count(r, TERN_COUNT_SACKS_INVALID), before + 1);
    assert_int_equal(info(p).segs_sacked, 0);
    rig_forget(r);
}

/* A block of single bytes in the first half of a segment marks nothing. */
static void sack_of_crumbs(struct rig *r)
{
    struct peer *p = sender_new(r, (struct sender_opt){0});
    queue(p, 4);
    sends(p, 0, 4);
    rig_step(r, MS(RTT_MS));
    uint32_t una = info(p).snd_una;
    struct seg g = peer_seg(p, A, 1, una - p->iss, 0);
    g.sacks = 1;
    g.sack[0].lo = una + SEG + SEG / 4;
    g.sack[0].hi = g.sack[0].lo + 1;
    rig_input_seg(r, &g);
    rig_turn(r);
    assert_int_equal(info(p).segs_sacked, 0);
    rig_forget(r);
}

/* SYNs keep their distance `syn_linear` times, and only then double it. */
static void linear_syns(struct rig *r)
{
    r->cfg.syn_linear = 2;
    struct peer *p = peer_new(r);
    peer_syn_sent(p);
    static const unsigned seconds[] = {1, 1, 1, 2, 4};
    for (unsigned i = 0; i < 5; i++) {
        rig_wait_exactly(r, SEC(seconds[i]));
        rig_forget(r);
    }
    r->unclean = true;
}

/* TIME-WAIT of a connection that had gone to sleep in FIN-WAIT-2 ends as well. */
static void time_wait_after_sleep(struct rig *r)
{
    struct peer *p = peer_passive(r);
    assert_int_equal(tern_shutdown(r->s, p->k), 0);
    hear(p, F | A, 1, 1, 0);
    say(p, A, 1, 2, 0);
    rig_step(r, SEC(10));
    assert_int_equal(peer_state(p), TERN_FIN_WAIT_2);
    say(p, F | A, 1, 2, 0);
    hear(p, A, 2, 2, 0);
    assert_int_equal(peer_state(p), TERN_TIME_WAIT);
    rig_step(r, 2 * r->cfg.msl + SEC(2));
    assert_int_equal(peer_state(p), TERN_CLOSED);
}

/* An entry of the wheel that fires for a deadline of before does not forget the delayed ACK. */
static void delayed_ack_behind_an_old_timer(struct rig *r)
{
    struct peer *p = sender_new(r, (struct sender_opt){0});
    uint32_t in = 1;
    assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_QUICKACK, 0), 0);
    queue(p, 1);
    sends(p, 0, 1);
    uint64_t due = info(p).timer;
    rig_step(r, due - r->now - MS(5));
    ack(p, 1);
    rig_forget(r);
    for (unsigned i = 0; i < 64; i++) {
        say(p, A, in, 1 + SEG, 10);
        in += 10;
        rig_turn(r);
        if (rig_waiting(r) == 0)
            break;
        rig_forget(r);
    }
    rig_hush(r);
    rig_wait_exactly(r, r->cfg.delack);
    hear(p, A, 1 + SEG, in, 0);
    peer_read(p, 0, in - 1);
    rig_forget(r);
}

/* RFC 2018 8: what was reported stands at SND.UNA; soon, not only after a time-out, it goes again.
 */
static void reneging_is_soon_believed(struct rig *r)
{
    struct peer *p = sender_new(r, (struct sender_opt){0});
    queue(p, 6);
    sends(p, 0, 6);
    rig_step(r, MS(RTT_MS));
    sack(p, 0, 1, 6, 0, 0);
    sends(p, 0, 1);
    rig_step(r, MS(2 * RTT_MS + 20)); /* the timers of the first flight have fired by now */
    ack(p, 1);
    rig_hush(r);
    uint64_t wait = rig_wait(r, SEC(10));
    assert_in_range(wait, MS(RTT_MS / 2 - 1), MS(RTT_MS / 2 + 1));
    r->unclean = true;
}

/* What lies past a hole, data or a FIN, keeps a quiet connection awake. */
static void no_sleep_with_a_hole(struct rig *r)
{
    struct peer *p = peer_passive(r);
    say(p, A, 1, 1, 10);
    hear(p, A, 1, 11, 0);
    peer_read(p, 0, 10);
    say(p, A, 21, 1, 10);
    hear(p, A, 1, 11, 0);
    rig_step(r, SEC(10));
    rig_hush(r);
    say(p, A, 11, 1, 10);
    hear(p, A, 1, 31, 0);
    peer_read(p, 10, 20);
    say(p, F | A, 41, 1, 0);
    hear(p, A, 1, 31, 0);
    rig_step(r, SEC(10));
    rig_hush(r);
    say(p, A, 31, 1, 10);
    hear(p, A, 1, 42, 0); /* the FIN was not forgotten */
    peer_read(p, 30, 10);
}

/* Local addresses are remembered while something uses them, and no longer. */
static void addresses_come_back(struct rig *r)
{
    r->cfg.addrs_max = 4;
    r->cfg.msl = SEC(1);
    rig_start(r);
    assert_int_equal(tern_iface_promiscuous(r->s, r->iface, true), 0);
    tern_listen_args args = {.local.port = 80, .backlog = 16};
    tern_sock listener;
    assert_int_equal(tern_listen(r->s, &listener, &args), 0);
    for (unsigned i = 0; i < 20; i++) {
        r->local[15] = (uint8_t)(100 + i);
        struct peer *p = peer_new(r);
        p->lport = 80;
        peer_connects(p, listener);
        assert_int_equal(tern_close(r->s, p->k), 0);
        hear(p, F | A, 1, 1, 0);
        say(p, F | A, 1, 2, 0);
        hear(p, A, 2, 2, 0);
        rig_step(r, SEC(4));
    }
    r->unclean = true;
}

/* An algorithm whose state has a block of its own gives that back. */
static void congestion_control_gives_back(struct rig *r)
{
    struct peer *p = sender_new(r, (struct sender_opt){.cc = &tern_cc_bbr});
    queue(p, 4);
    rig_turn(r);
    rig_forget(r);
    rig_step(r, MS(RTT_MS));
    ack(p, 4);
    rig_forget(r);
    rig_step(r, SEC(10)); /* it sleeps; at the end nothing may be left */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_ISNS(mss_of_zero),
        RIG(wscale_of_more_than_14),
        RIG(text_beyond_a_fin),
        RIG(sack_from_una),
        RIG(sack_of_crumbs),
        RIG(linear_syns),
        RIG(time_wait_after_sleep),
        RIG(delayed_ack_behind_an_old_timer),
        RIG(reneging_is_soon_believed),
        RIG(no_sleep_with_a_hole),
        RIG(addresses_come_back),
        RIG(congestion_control_gives_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
