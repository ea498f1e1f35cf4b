/* test_edges_input.c - where two sides of a comparison are equal, in what arrives and in how much
 * goes: the last byte of a window, of a buffer, of a page; the last second of a time stamp.
 * valgrind: it is what test_edges.c calls, with other numbers. */
#include "sender.h"

static void leave(struct rig *r)
{
    rig_turn(r);
    rig_forget(r);
    r->unclean = true;
    rig_renew(r);
}

/* A peer without window scale and time stamps, and with that window. */
static struct peer *plain(struct rig *r, uint16_t mss, uint16_t wnd)
{
    struct peer *p = peer_new(r);
    p->mss = mss;
    p->ts = false;
    p->wscale = -1;
    p->wnd = wnd;
    p->lport = 80;
    return p;
}

/* ---- segments -------------------------------------------------------------------------------- */

/* Header prediction takes a segment that fills the window, and one of the same millisecond. */
static void what_is_expected(struct rig *r)
{
    r->cfg.rcvbuf = 4000;
    r->cfg.tuning.fixed_rcvbuf = true;
    struct peer *p = peer_passive(r);
    say(p, A, 1, 1, 100); /* (wakes it up) */
    hear(p, A, 1, 101, 0);
    peer_read(p, 0, 100);
    say(p, A, 101, 1, 100);
    hear(p, A, 1, 201, 0);
    assert_int_equal(rig_count(r, TERN_COUNT_PREDICTED), 1);
    uint32_t window = info(p).rcv_wnd;
    say(p, A, 201, 1, window);
    hear(p, A, 1, 201 + window, 0);
    assert_int_equal(rig_count(r, TERN_COUNT_PREDICTED), 2);
    peer_read(p, 100, 100 + window);
}

/* RFC 7323 5.5: after 24 days, to the second, what TS.Recent says counts no more. */
static void paws_to_the_second(struct rig *r)
{
    for (unsigned less = 0; less < 2; less++) {
        r->now = SEC(1000);
        struct peer *p = peer_passive(r);
        struct seg g = peer_seg(p, A, 1, 1, 10);
        rig_step(r, SEC(24 * 24 * 3600 - less));
        g.tsval--;
        rig_input_seg(r, &g);
        hear(p, A, 1, less ? 1 : 11, 0);
        leave(r);
    }
}

/* As Linux sees it, a SYN-ACK must echo a SYN of ours: one of this very millisecond does. */
static void a_synack_of_this_millisecond(struct rig *r)
{
    r->cfg.style = TERN_STYLE_LINUX;
    struct peer *p = peer_new(r);
    p->lport = 0;
    peer_syn_sent(p);
    say(p, S | A, 0, 1, 0);
    hear(p, A, 1, 1, 0);
}

/* ... and as long as less than a window was sent, nothing below the first byte is acknowledged;
 * from then on RFC 5961 5 has the word. */
static void old_acks_of_a_whole_window(struct rig *r)
{
    for (uint32_t less = 0; less < 2; less++) {
        r->cfg.style = TERN_STYLE_LINUX;
        struct peer *p = plain(r, SEG, 4 * SEG);
        peer_connects(p, rig_listen(r, 80, 4, 0));
        assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_NODELAY, 1), 0);
        assert_int_equal(peer_write(p, 0, 4 * SEG - less), 4 * SEG - less);
        rig_turn(r);
        rig_forget(r);
        ack(p, 1);
        p->raw_numbers = true;
        say(p, A, 1, 0u - 2 * SEG, 0);
        assert_int_equal(rig_count(r, TERN_COUNT_CHALLENGE_ACKS), less);
        leave(r);
    }
}

/* An answer says that the peer lives although it has no room (MUST-37): not if it has room for all
 * that is in flight. */
static void a_full_window_is_no_excuse(struct rig *r)
{
    for (uint16_t less = 0; less < 2; less++) {
        struct peer *p = plain(r, SEG, 2 * SEG);
        p->sack = false;
        peer_connects(p, rig_listen(r, 80, 4, 0));
        assert_int_equal(peer_write(p, 0, 4 * SEG), 4 * SEG);
        sends(p, 0, 2);
        for (unsigned i = 0; i < 2; i++) {
            rig_wait(r, SEC(10));
            rig_forget(r);
        }
        assert_int_equal(info(p).retransmits, 2);
        p->raw_numbers = true;
        p->wnd = (uint16_t)(2 * SEG - less);
        ack(p, 0);
        ack(p, 0);
        assert_int_equal(info(p).retransmits, less ? 0 : 2);
        leave(r);
    }
}

/* ---- past a hole ----------------------------------------------------------------------------- */

static bool has_sack(const struct seg *g, struct peer *p, unsigned i, uint32_t lo, uint32_t hi)
{
    return i < g->sacks && g->sack[i].lo - p->irs == lo && g->sack[i].hi - p->irs == hi;
}

/* Two ranges that touch are one: told once, it leaves room for another. */
static void ranges_that_touch(struct rig *r)
{
    static const uint32_t at[] = {901, 301, 501, 701, 1201, 1101};
    struct peer *p = peer_new(r);
    p->ts = false;
    peer_connects(p, rig_listen(r, 80, 4, 0));
    const struct seg *g = NULL;
    for (unsigned i = 0; i < 6; i++) {
        say(p, A, at[i], 1, 100);
        g = hear(p, A, 1, 1, 0);
    }
    assert_int_equal(g->sacks, 4);
    assert_true(has_sack(g, p, 0, 1101, 1301) && has_sack(g, p, 1, 701, 801) &&
                has_sack(g, p, 2, 501, 601) && has_sack(g, p, 3, 301, 401));
    leave(r);
}

/* Pages past holes: twice the buffer, and the one with which that is exceeded. */
static void pages_past_holes(struct rig *r)
{
    r->cfg.rcvbuf = 8192;
    r->cfg.tuning.fixed_rcvbuf = true;
    struct peer *p = peer_passive(r);
    for (uint32_t i = 0; i < 5; i++) {
        say(p, A, 101 + 100 * i, 1, 10);
        assert_int_equal(rig_drops(r, TERN_DROP_TCP_REASSEMBLY), 0);
    }
    say(p, A, 601, 1, 10);
    assert_int_equal(rig_drops(r, TERN_DROP_TCP_REASSEMBLY), 1);
    leave(r);
}

enum { HOLE = 1000, FULL = 1400 };

/* All the memory there is lies past a hole; what fills the hole, or all but `left` bytes of it,
 * drives it out. Returns where that had ended. */
static uint32_t driven_out(struct rig *r, struct peer **p, uint32_t left)
{
    r->cfg.buf_bytes_max = 64 * 1024;
    r->cfg.rcvbuf = 256 * 1024;
    r->cfg.tuning.fixed_rcvbuf = true;
    *p = peer_passive(r);
    uint32_t at, end = 1 + HOLE;
    do {
        at = end;
        say(*p, A, at, 1, FULL);
        end = hear(*p, A, 1, 1, 0)->sack[0].hi - (*p)->irs;
    } while (end == at + FULL);
    uint64_t before = rig_count(r, TERN_COUNT_PRUNED);
    say(*p, A, 1, 1, HOLE - left);
    assert_true(rig_count(r, TERN_COUNT_PRUNED) > before);
    assert_int_equal(hear(*p, A, 1, 1 + HOLE - left, 0)->sacks, 0);
    peer_read(*p, 0, HOLE - left);
    return end;
}

/* It is as if that had never come: what would continue it is by itself ... */
static void behind_what_was_driven_out(struct rig *r)
{
    struct peer *p;
    uint32_t end = driven_out(r, &p, 0), n;
    say(p, A, end, 1, 100);
    hear(p, A, 1, 1 + HOLE, 0);
    for (uint32_t at = 1 + HOLE; at < end; at += n) {
        n = end - at < FULL ? end - at : FULL;
        say(p, A, at, 1, n);
        rig_turn(r);
        rig_forget(r);
        peer_read(p, at - 1, at + n == end ? n + 100 : n);
    }
    leave(r);
}

/* ... and what ends where it began. */
static void before_what_was_driven_out(struct rig *r)
{
    struct peer *p;
    driven_out(r, &p, 500);
    say(p, A, 1 + HOLE - 300, 1, 300);
    assert_int_equal(hear(p, A, 1, 1 + HOLE - 500, 0)->sacks, 1);
    say(p, A, 1 + HOLE + 1000, 1, 300);
    assert_int_equal(hear(p, A, 1, 1 + HOLE - 500, 0)->sacks, 2);
    leave(r);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* With the last byte of a page it is given back. */
static void what_is_consumed_is_gone(struct rig *r)
{
    struct peer *p = peer_passive(r);
    tern_memory m;
    say(p, A, 1, 1, 9000);
    hear(p, A, 1, 9001, 0);
    assert_int_equal(tern_recv_consume(r->s, p->k, 9000), 0);
    rig_memory(r, &m);
    assert_in_range(m.pages, 0, 1); /* (one is kept for what comes) */
}

/* RFC 9293 3.8.6.2.2: room for exactly a segment is told. */
static void room_for_one_segment(struct rig *r)
{
    for (uint32_t less = 0; less < 2; less++) {
        r->cfg.rcvbuf = 20000;
        r->cfg.tuning.fixed_rcvbuf = true;
        uint32_t own = r->ip6 ? 1440 : 1460;
        struct peer *p = plain(r, 1400, 60000);
        peer_connects(p, rig_listen(r, 80, 4, 0));
        say(p, A, 1, 1, 10000);
        rig_turn(r);
        rig_forget(r);
        uint32_t offered = info(p).rcv_wnd;
        peer_read(p, 0, own - (10000 - offered) - less);
        rig_turn(r);
        rig_forget(r);
        say(p, A, 0, 1, 1); /* an old byte */
        assert_int_equal(hear(p, A, 1, 10001, 0)->wnd, offered + (less ? 0 : own));
        leave(r);
    }
}

/* In FreeBSD's style: a segment, or a quarter of the buffer if that is less. */
static void room_as_freebsd_tells_it(struct rig *r)
{
    for (uint32_t i = 0; i < 4; i++) {
        uint32_t mss = r->ip6 ? 1440 : 1460, segs = i < 2 ? 2 : 6, less = i % 2;
        r->cfg.style = TERN_STYLE_BSD;
        r->cfg.rcvbuf = segs * mss;
        struct peer *p = plain(r, (uint16_t)mss, 60000);
        peer_connects(p, rig_listen(r, 80, 4, 0));
        assert_int_equal(info(p).rcvbuf, segs * mss);
        say(p, A, 1, 1, segs * mss);
        rig_step(r, SEC(1));
        rig_forget(r);
        assert_int_equal(info(p).rcv_wnd, 0);
        uint32_t room = i < 2 ? segs * mss / 4 : mss;
        peer_read(p, 0, room - less);
        rig_step(r, SEC(1));
        rig_forget(r);
        p->raw_numbers = true;
        say(p, A, 0, 1, 1);
        rig_step(r, SEC(1));
        const struct seg *g = rig_next(r);
        assert_non_null(g);
        assert_int_equal(g->wnd, less ? 0 : room);
        leave(r);
    }
}

/* A buffer grows by what was read in a round trip, once that is over to the tick. */
static void a_round_trip_of_reading(struct rig *r)
{
    for (unsigned less = 0; less < 2; less++) {
        r->now = 1000000 * (uint64_t)TICK;
        struct peer *p = sender_new(r, (struct sender_opt){0});
        say(p, A, 1, 1, 1000);
        rig_turn(r);
        peer_read(p, 0, 1000); /* begins a round */
        uint64_t begun = r->now / TICK, ticks = (info(p).srtt + TICK - 1) / TICK;
        say(p, A, 1001, 1, 40000);
        uint32_t before = info(p).rcvbuf;
        rig_step(r, (begun + ticks - less) * TICK - r->now);
        rig_forget(r);
        peer_read(p, 1000, 40000);
        assert_int_equal(info(p).rcvbuf > before, !less);
        leave(r);
    }
}

/* ---- sending --------------------------------------------------------------------------------- */

/* RFC 9293 3.8.6.2.1: half of the largest window there was is worth a segment. */
static void half_of_the_largest_window(struct rig *r)
{
    for (uint16_t less = 0; less < 2; less++) {
        struct peer *p = plain(r, 1460, 1000);
        peer_connects(p, rig_listen(r, 80, 4, 0));
        assert_int_equal(peer_write(p, 0, 3000), 3000);
        hear(p, A, 1, 1, 1000);
        p->wnd = (uint16_t)(1000 - less);
        p->raw_numbers = true;
        say(p, A, 1, 501, 0);
        if (less)
            rig_hush(r);
        else
            hear(p, A, 1001, 1, 500);
        leave(r);
    }
}

/* Linux fills the window, with all that is queued or with a part of a segment behind whole ones, if
 * no small segment is under way: one that has arrived is not. */
static void linux_fills_the_window(struct rig *r)
{
    r->cfg.style = TERN_STYLE_LINUX;
    struct peer *p = plain(r, SEG, 4000);
    peer_connects(p, rig_listen(r, 80, 4, 0));
    p->raw_numbers = true;
    p->wnd = 500;
    for (uint32_t i = 1; i < 3; i++) { /* (a smaller window comes with something new) */
        say(p, A, i, 1, 1);
        hear(p, A, 1, i + 1, 0);
    }
    assert_int_equal(peer_write(p, 0, 500), 500);
    hear(p, A, 1, 3, 500);
    leave(r);

    r->cfg.style = TERN_STYLE_LINUX;
    r->cfg.tso_segs_min = 0;
    r->link.caps = TERN_CAP_TSO4 | TERN_CAP_TSO6 | TERN_CAP_CSUM;
    r->link.gso_max = 65535;
    p = plain(r, SEG, 3500);
    peer_connects(p, rig_listen(r, 80, 4, 0));
    assert_int_equal(peer_write(p, 0, 100), 100); /* small, and acknowledged */
    hear(p, A, 1, 1, 100);
    say(p, A, 1, 101, 0);
    rig_hush(r);
    assert_int_equal(peer_write(p, 100, SEG), SEG);
    hear(p, A, 101, 1, SEG);
    assert_int_equal(peer_write(p, 100 + SEG, 5 * SEG), 5 * SEG);
    hear(p, A, 101 + SEG, 1, SEG);
    hear(p, A, 101 + 2 * SEG, 1, SEG);
    hear(p, A, 101 + 3 * SEG, 1, 500);
    leave(r);
}

/* An acknowledgement that ends with a lent piece ends with its record, too: what follows is sent
 * again from the piece that it is in, whatever has become of the first. */
static void the_piece_behind_the_acknowledged_one(struct rig *r)
{
    static uint8_t data[8 * SEG];
    pattern_fill(1, 0, data, sizeof(data));
    r->link.caps = TERN_CAP_TSO4 | TERN_CAP_TSO6 | TERN_CAP_CSUM;
    r->link.gso_max = 65535;
    struct peer *p = sender_new(r, (struct sender_opt){0});
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(tern_send_lent(r->s, p->k, data + i * SEG, SEG, data), 0);
    sends(p, 0, 3);
    rig_step(r, MS(RTT_MS));
    ack(p, 1);
    rig_hush(r);
    for (uint32_t i = 3; i < 8; i++)
        assert_int_equal(tern_send_lent(r->s, p->k, data + i * SEG, SEG, data), 0);
    sends(p, 3, 8);
    rig_step(r, MS(RTT_MS));
    sack(p, 1, 3, 8, 0, 0);
    sends_first(p, 1, 3);
    leave(r);
}

/* A writer is told of room when a third of its buffer is free and a byte more. */
static void a_third_of_the_buffer(struct rig *r)
{
    struct peer *p = sender_new(r, (struct sender_opt){.small = true});
    assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_SNDBUF, 6000), 0);
    assert_int_equal(peer_write(p, 0, 8000), 6000);
    rig_turn(r);
    rig_forget(r);
    rig_events(r, p->k, NULL);
    say(p, A, 1, 1 + 2000, 0);
    rig_turn(r);
    assert_int_equal(rig_events(r, p->k, NULL) & TERN_EV_WRITE, 0);
    say(p, A, 1, 1 + 2001, 0);
    rig_turn(r);
    assert_int_equal(rig_events(r, p->k, NULL) & TERN_EV_WRITE, TERN_EV_WRITE);
    leave(r);
}

/* ---- time-outs ------------------------------------------------------------------------------- */

/* FreeBSD's, when nothing was measured: a second (0.8 and a slop), then 1.6 and the slop. */
static void freebsd_timeouts_without_a_measure(struct rig *r)
{
    r->cfg.style = TERN_STYLE_BSD;
    r->cfg.features &= ~(uint32_t)TERN_FEATURE_PROBE;
    struct peer *p = plain(r, SEG, 60000);
    tern_addr addr;
    r->listener = rig_listen(r, p->lport, 16, 0);
    say(p, S, 0, 0, 0);
    hear_syn(p, S | A);
    rig_wait(r, SEC(5));
    hear_syn(p, S | A);
    say(p, A, 1, 1, 0);
    rig_hush(r);
    assert_int_equal(tern_accept(r->s, r->listener, &p->k, &addr, p), 0);
    assert_int_equal(info(p).srtt, 0);
    assert_int_equal(peer_write(p, 0, 100), 100);
    hear(p, A, 1, 1, 100);
    rig_wait_exactly(r, SEC(1));
    hear(p, A, 1, 1, 100);
    rig_wait_exactly(r, MS(1800));
    hear(p, A, 1, 1, 100);
    leave(r);
}

/* The user's time-out is over when it is, and nothing is sent any more. */
static void a_user_timeout_to_the_tick(struct rig *r)
{
    struct peer *p = sender_new(r, (struct sender_opt){0});
    assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_USER_TIMEOUT, (int64_t)MS(1024)), 0);
    r->now = (r->now / TICK + 1) * TICK; /* 1024 ms are so many ticks */
    queue(p, 1);
    sends(p, 0, 1);
    uint64_t end = r->now + MS(1024);
    assert_int_equal(MS(1024) % TICK, 0);
    rig_step(r, end - r->now - TICK);
    rig_forget(r);
    rig_step(r, TICK);
    rig_hush(r);
    assert_int_equal(info(p).err, TERN_ETIMEDOUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(what_is_expected),
        RIG(paws_to_the_second),
        RIG(a_synack_of_this_millisecond),
        RIG(old_acks_of_a_whole_window),
        RIG_ISNS(a_full_window_is_no_excuse),
        RIG(ranges_that_touch),
        RIG(pages_past_holes),
        RIG(behind_what_was_driven_out),
        RIG(before_what_was_driven_out),
        RIG(what_is_consumed_is_gone),
        RIG(room_for_one_segment),
        RIG(room_as_freebsd_tells_it),
        RIG(a_round_trip_of_reading),
        RIG(half_of_the_largest_window),
        RIG(linux_fills_the_window),
        RIG(the_piece_behind_the_acknowledged_one),
        RIG(a_third_of_the_buffer),
        RIG(freebsd_timeouts_without_a_measure),
        RIG(a_user_timeout_to_the_tick),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
