/* test_edges.c - where two sides of a comparison are equal, and one more or less is something
 * else: a window that ends with a segment, a record that ends with a chunk, the last byte. */
#include "sender.h"

/* A FIN without data is acknowledged at once, as Linux does; with data that a delayed
 * acknowledgement covers, one of exactly a segment, it waits with that. */
static void fin_and_delayed_ack(struct rig *r)
{
    r->cfg.style = TERN_STYLE_LINUX;
    struct peer *p = peer_passive(r);
    assert_int_equal(peer_write(p, 0, 10), 10);
    hear(p, A, 1, 1, 10);
    say(p, F | A, 1, 11, 0);
    hear(p, A, 11, 2, 0);
    rig_renew(r);
    r->cfg.style = TERN_STYLE_LINUX;
    for (uint32_t more = 0; more < 2; more++) {
        p = peer_passive(r);
        uint32_t at = 1;
        for (unsigned i = 0; i < 40; i++, at += 1200) { /* not in a hurry any more */
            say(p, A, at, 1, 1200);
            rig_step(r, MS(300));
            rig_forget(r);
            peer_read(p, at - 1, 1200);
        }
        assert_int_equal(peer_write(p, 0, 1), 1); /* an exchange, not a stream */
        rig_turn(r);
        rig_forget(r);
        say(p, A, at, 2, 0);
        say(p, F | A, at, 2, 1199 + more); /* with the FIN as much as, or more than, a segment */
        rig_turn(r);
        assert_int_equal(rig_waiting(r), more);
        rig_step(r, SEC(1));
        hear(p, A, 2, at + 1200 + more, 0);
    }
}

/* All that may go goes in one super-segment, with the part of a segment at its end. */
static void a_super_segment_has_its_tail(struct rig *r)
{
    static const enum tern_style styles[] = {TERN_STYLE_OWN, TERN_STYLE_LINUX};
    for (unsigned i = 0; i < 2; i++) {
        r->cfg.style = styles[i];
        r->link.caps = TERN_CAP_TSO4 | TERN_CAP_TSO6 | TERN_CAP_CSUM;
        r->link.gso_max = 65535;
        struct peer *p = sender_new(r, (struct sender_opt){0});
        assert_int_equal(peer_write(p, 0, 2 * SEG + 10), 2 * SEG + 10);
        uint32_t packet = hear(p, A, 1, 1, SEG)->packet;
        assert_int_equal(hear(p, A, 1 + SEG, 1, SEG)->packet, packet);
        assert_int_equal(hear(p, A, 1 + 2 * SEG, 1, 10)->packet, packet);
        rig_renew(r);
    }
}

/* Congestion window and the peer's end at the same byte, in a segment of which nothing can go: it
 * waits for the acknowledgement, like before any other end of the congestion window. */
static void both_windows_end_together(struct rig *r)
{
    r->cfg.iw = 1;
    struct peer *p = peer_new(r);
    p->mss = SEG;
    p->ts = false;
    p->wscale = -1;
    p->wnd = SEG;
    p->lport = 80;
    peer_connects(p, rig_listen(r, 80, 4, 0));
    assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_NODELAY, 1), 0);
    assert_int_equal(peer_write(p, 0, 100), 100);
    hear(p, A, 1, 1, 100);
    assert_int_equal(info(p).cwnd, SEG);
    assert_int_equal(peer_write(p, 100, 3 * SEG), 3 * SEG);
    rig_hush(r);
    r->unclean = true;
}

/* A window that is exactly filled is no lack of data. */
static void a_full_window_is_no_lack(struct rig *r)
{
    struct peer *p = sender_new(r, (struct sender_opt){0});
    unsigned cwnd = info(p).cwnd / SEG;
    queue(p, cwnd);
    sends(p, 0, cwnd);
    assert_int_equal(info(p).segs_flight, cwnd);
    assert_false(info(p).app_limited);
    ack(p, cwnd);
    queue(p, cwnd - 1);
    sends(p, cwnd, 2 * cwnd - 1);
    assert_true(info(p).app_limited);
}

/* Of what lies behind a window that was shrunk the first segment is outside (SHLD-16). */
static void the_first_beyond_a_shrunk_window(struct rig *r)
{
    for (uint16_t inside = 1; inside < 4; inside++) {
        struct peer *p = peer_new(r);
        p->mss = SEG;
        p->ts = false;
        p->wscale = -1;
        p->wnd = 60000;
        p->lport = 80;
        peer_connects(p, rig_listen(r, 80, 4, 0));
        assert_int_equal(peer_write(p, 0, 10 * SEG), 10 * SEG);
        sends(p, 0, 10);
        rig_step(r, MS(RTT_MS));
        rig_forget(r); /* a probe of the tail */
        p->raw_numbers = true;
        p->wnd = (uint16_t)(inside * SEG);
        sack(p, 0, 5, 10, 0, 0);
        rig_step(r, MS(2 * RTT_MS));
        for (const struct seg *g; (g = rig_next(r)) != NULL;)
            assert_in_range(g->seq - p->iss, 1, 1 + (inside - 1) * SEG);
        r->unclean = true;
        rig_renew(r);
    }
}

/* Pieces of records and of chunks that end together: what is sent has no empty pieces (the rig
 * looks), and is right. */
static void ends_that_fall_together(struct rig *r)
{
    r->link.caps = TERN_CAP_TSO4 | TERN_CAP_TSO6 | TERN_CAP_CSUM;
    r->link.gso_max = 65535;
    struct peer *p = sender_new(r, (struct sender_opt){0});
    static uint8_t data[40 * SEG];
    unsigned segs = 0;
    pattern_fill(1, 0, data, sizeof(data));
    for (unsigned turn = 0; turn < 12; turn++) {
        for (unsigned i = 0; i < 3; i++, segs++) /* each a chunk of its own, of a segment */
            assert_int_equal(tern_send_lent(r->s, p->k, data + segs * SEG, SEG, data), 0);
        rig_turn(r);
        rig_step(r, MS(RTT_MS));
        if (turn % 2 != 0) { /* and once more */
            sack(p, segs - 3, segs - 1, segs, 0, 0);
            rig_step(r, MS(3 * RTT_MS));
        }
        for (unsigned i = 0; i < 20 && info(p).tx_queued != 0; i++) {
            rig_step(r, MS(RTT_MS));
            rig_forget(r);
            say(p, A, 1, info(p).snd_nxt - p->iss, 0);
        }
        rig_forget(r);
        assert_int_equal(info(p).tx_queued, 0);
    }
}

/* More pieces than a packet can have: it ends with a whole segment, which ends with a piece. */
static void many_pieces(struct rig *r)
{
    static uint8_t data[64 * SEG];
    static const uint32_t sizes[] = {125, 200, 250, 500};
    pattern_fill(1, 0, data, sizeof(data));
    for (unsigned i = 0; i < 4; i++) {
        r->link.caps = TERN_CAP_TSO4 | TERN_CAP_TSO6 | TERN_CAP_CSUM;
        r->link.gso_max = 65535;
        r->cfg.iw = 60;
        struct peer *p = sender_new(r, (struct sender_opt){0});
        p->wnd = 0; /* so that all waits and goes together */
        p->raw_numbers = true;
        say(p, A, 1, 1, 0);
        uint32_t n = 40 * SEG / sizes[i];
        for (uint32_t at = 0; n-- > 0; at += sizes[i])
            assert_int_equal(tern_send_lent(r->s, p->k, data + at, sizes[i], data), 0);
        rig_turn(r);
        rig_forget(r);
        p->wnd = 60;
        say(p, A, 1, 1, 0);
        rig_turn(r);
        rig_step(r, MS(RTT_MS));
        assert_true(rig_waiting(r) != 0);
        rig_forget(r);
        r->unclean = true;
        rig_renew(r);
    }
}

/* A SACK may end a record in the middle of a segment, but in no place before. */
static void sack_from_half_a_segment_on(struct rig *r)
{
    for (uint32_t early = 0; early < 2; early++) {
        struct peer *p = sender_new(r, (struct sender_opt){0});
        queue(p, 4);
        sends(p, 0, 4);
        rig_step(r, MS(RTT_MS));
        struct seg g = peer_seg(p, A, 1, 1, 0);
        g.sacks = 1;
        g.sack[0].lo = info(p).snd_una + SEG + SEG / 2 - early;
        g.sack[0].hi = info(p).snd_una + 2 * SEG;
        rig_input_seg(r, &g);
        assert_int_equal(info(p).segs_sacked, 1 - early);
        rig_forget(r);
        r->unclean = true;
        rig_renew(r);
    }
}

/* A first block inside of the second reports a duplicate, also at either of its edges. */
static void duplicates_at_the_edges_of_a_block(struct rig *r)
{
    for (unsigned first = 1; first < 4; first++) {
        struct peer *p = sender_new(r, (struct sender_opt){0});
        queue(p, 6);
        sends(p, 0, 6);
        rig_step(r, MS(RTT_MS));
        sack(p, 0, 1, 4, 0, 0);
        rig_step(r, MS(RTT_MS));
        rig_forget(r); /* segment 0 has gone again */
        assert_int_equal(rig_count(r, TERN_COUNT_DSACKS), 0);
        sack(p, 0, first, first + 1, 1, 4, 0, 0);
        assert_int_equal(rig_count(r, TERN_COUNT_DSACKS), 1);
        rig_forget(r);
        r->unclean = true;
        rig_renew(r);
    }
}

/* One block alone lies inside of no other, wherever in the space of numbers it is. */
static void a_block_alone_is_no_duplicate(struct rig *r)
{
    r->isn = 0x80000000u - 1 - 2 * SEG - SEG / 2; /* the block goes from one half to the other */
    struct peer *p = sender_new(r, (struct sender_opt){0});
    queue(p, 4);
    sends(p, 0, 4);
    rig_step(r, MS(RTT_MS));
    sack(p, 0, 2, 3, 0, 0);
    assert_true(info(p).snd_una + 2 * SEG < 0x80000000u && info(p).snd_una + 3 * SEG > 0x80000000u);
    assert_int_equal(info(p).segs_sacked, 1);
    rig_forget(r);
    r->unclean = true;
}

/* A probe that brought new data has been answered: the next tail is probed as well. */
static void a_second_tail_is_probed(struct rig *r)
{
    struct peer *p = sender_new(r, (struct sender_opt){0});
    unsigned cwnd = info(p).cwnd / SEG;
    queue(p, cwnd + 1);
    sends(p, 0, cwnd);
    rig_wait(r, SEC(1));
    hear(p, A, 1 + cwnd * SEG, 1, SEG);
    rig_step(r, MS(10));
    ack(p, cwnd + 1);
    rig_hush(r);
    queue(p, 2);
    sends(p, cwnd + 1, cwnd + 3);
    rig_wait(r, SEC(5));
    hear(p, A, 1 + (cwnd + 2) * SEG, 1, SEG); /* a time-out would begin with the first */
    rig_forget(r);
    r->unclean = true;
}

/* With the window shrunk to nothing Linux sends one segment again, as a probe. */
static void a_segment_into_no_window(struct rig *r)
{
    r->cfg.style = TERN_STYLE_LINUX;
    struct peer *p = sender_new(r, (struct sender_opt){0});
    queue(p, 4);
    sends(p, 0, 4);
    rig_step(r, MS(RTT_MS));
    p->wnd = 0;
    p->raw_numbers = true;
    say(p, A, 1, 1, 0);
    rig_hush(r);
    rig_wait(r, SEC(5));
    const struct seg *g = rig_next(r);
    assert_non_null(g);
    assert_int_equal(g->seq - p->iss, 1);
    assert_int_equal(g->len, SEG);
    rig_forget(r);
    r->unclean = true;
}

/* With the last byte of a chunk it goes: what has been read takes no memory. */
static void what_is_read_is_gone(struct rig *r)
{
    struct peer *p = peer_passive(r);
    tern_memory m;
    tern_iov v[2];
    for (uint32_t i = 0, at = 0; i < 20; i++) {
        say(p, A, 1 + at, 1, 1000);
        rig_turn(r);
        rig_forget(r);
        assert_int_equal(tern_recv_peek(r->s, p->k, v, 2, 0), 1);
        assert_int_equal(v[0].len, 1000);
        peer_read(p, at, 1000);
        at += 1000;
        rig_memory(r, &m);
        assert_true(m.pages <= 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(fin_and_delayed_ack),
        RIG(a_super_segment_has_its_tail),
        RIG(both_windows_end_together),
        RIG(a_full_window_is_no_lack),
        RIG(the_first_beyond_a_shrunk_window),
        RIG(ends_that_fall_together),
        RIG(many_pieces),
        RIG(sack_from_half_a_segment_on),
        RIG(duplicates_at_the_edges_of_a_block),
        RIG(a_block_alone_is_no_duplicate),
        RIG(a_second_tail_is_probed),
        RIG(a_segment_into_no_window),
        RIG(what_is_read_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
