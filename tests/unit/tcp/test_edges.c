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
        for (unsigned i = 0; i < 40; i++, at += 1000) { /* not in a hurry any more */
            say(p, A, at, 1, 1000);
            rig_step(r, MS(300));
            rig_forget(r);
            peer_read(p, at - 1, 1000);
        }
        assert_int_equal(peer_write(p, 0, 1), 1); /* an exchange, not a stream */
        rig_turn(r);
        rig_forget(r);
        say(p, A, at, 2, 0);
        say(p, F | A, at, 2, 999 + more); /* with the FIN as much as, or more than, a segment */
        rig_turn(r);
        assert_int_equal(rig_waiting(r), more);
        rig_step(r, SEC(1));
        hear(p, A, 2, at + 1000 + more, 0);
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
    for (unsigned inside = 1; inside < 4; inside++) {
        struct peer *p = sender_new(r, (struct sender_opt){0});
        queue(p, 8);
        sends(p, 0, 8);
        rig_step(r, MS(RTT_MS));
        p->raw_numbers = true;
        p->wscale = 0;
        uint32_t una = info(p).snd_una;
        struct seg g = peer_seg(p, A, 1, una - p->iss, 0);
        g.wnd = (uint16_t)((inside * SEG) >> 10);
        rig_input_seg(r, &g);
        uint32_t edge = una + info(p).snd_wnd;
        rig_forget(r);
        for (unsigned i = 0; i < 30; i++) {
            rig_step(r, MS(400));
            for (const struct seg *s; (s = rig_next(r)) != NULL;)
                if (s->seq != una && s->seq - una >= edge - una)
                    rig_fail("byte %u goes beyond %u", s->seq - una, edge - una);
        }
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(fin_and_delayed_ack),
        RIG(a_super_segment_has_its_tail),
        RIG(both_windows_end_together),
        RIG(a_full_window_is_no_lack),
        RIG(the_first_beyond_a_shrunk_window),
        RIG(ends_that_fall_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
