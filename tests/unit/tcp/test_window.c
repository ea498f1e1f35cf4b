/* test_window.c - the window in both directions: its arithmetic, what a sender does with a window
 * that grows in crumbs or shrinks, what a receiver offers (RFC 9293 3.8.6, RFC 7323 2). */
#include "rig.h"

static tern_tcp_info info_of(struct peer *p)
{
    tern_tcp_info info;
    peer_info(p, &info);
    return info;
}

/* Hears all that waits; the highest number sent from `at` on. */
static uint32_t take(struct peer *p, uint32_t at)
{
    const struct seg *g;
    rig_turn(p->r);
    while ((g = rig_next(p->r)) != NULL)
        if ((int32_t)(g->seq + g->len - p->iss - at) > 0)
            at = g->seq + g->len - p->iss;
    return at;
}

/* A connection whose congestion window is above `cwnd`, with `queued` bytes of the stream queued
 * and nothing in flight; returns the next number to be sent. */
static uint32_t warmed_up(struct peer *p, uint32_t cwnd)
{
    uint32_t at = 1, queued = 0;
    for (unsigned i = 0; info_of(p).cwnd < cwnd; i++) {
        ptrdiff_t n = peer_write(p, queued, 100000);
        queued += n > 0 ? (uint32_t)n : 0;
        at = take(p, at);
        say(p, A, 1, at, 0);
        if (i == 1000)
            rig_fail("cwnd stays at %u", info_of(p).cwnd);
    }
    while (at != queued + 1) {
        at = take(p, at);
        say(p, A, 1, at, 0);
    }
    rig_hush(p->r);
    return at;
}

/* MUST-1: windows of 32768 and more are no negative numbers. */
static void MUST_1_window_is_unsigned(struct rig *r)
{
    static const uint16_t wnds[] = {0xffff, 0x8000, 0x8001, 0x7fff, 0xc000};
    r->cfg.sndbuf = 1 << 20;
    struct peer *p = peer_new(r);
    p->wscale = -1;
    peer_connects(p, rig_listen(r, p->lport, 4, 0));
    uint32_t at = warmed_up(p, 100000);
    assert_int_equal(peer_write(p, at - 1, 600000), 600000);
    at = take(p, at);
    for (unsigned i = 0; i < 5; i++) {
        p->wnd = wnds[i];
        p->limit = p->iss + at + p->wnd; /* this much and no more, from now on */
        say(p, A, 1, at, 0);
        uint32_t end = take(p, at);
        if (end - at > wnds[i] || end - at + 1460 < wnds[i])
            rig_fail("%u bytes in a window of %u", end - at, wnds[i]);
        at = end;
    }
}

/* REC-1: a scale of 14 makes a gigabyte of it; RFC 7323 2.3: a larger one is 14. */
static void REC_1_window_of_a_gigabyte(struct rig *r)
{
    for (int scale = 13; scale <= 15; scale++) {
        struct peer *p = peer_new(r);
        p->wscale = scale;
        rig_turn(r);
        if (r->listener.id == 0)
            r->listener = rig_listen(r, p->lport, 4, 0);
        peer_connects(p, r->listener);
        assert_int_equal(info_of(p).snd_wnd, 0xffffu << (scale == 13 ? 13 : 14));
        p->wnd = 1;
        say(p, A, 1, 1, 0);
        assert_int_equal(info_of(p).snd_wnd, 1u << (scale == 13 ? 13 : 14));
    }
}

/* RFC 7323 2.2: the window of SYN and SYN-ACK is not scaled. */
static void window_of_a_syn_is_not_scaled(struct rig *r)
{
    struct peer *p = peer_new(r), *q = peer_new(r);
    p->wnd = q->wnd = 1000;
    peer_syn_sent(p);
    assert_in_range(r->last->wnd, 60000, 65535);
    say(p, S | A, 0, 1, 0);
    hear(p, A, 1, 1, 0);
    assert_int_equal(info_of(p).snd_wnd, 1000);
    peer_connects(q, rig_listen(r, q->lport, 4, 0));
    assert_int_equal(info_of(q).snd_wnd, 1000 << 7); /* that of the third segment */
}

/* The same when a simultaneous open is completed by a SYN-ACK. */
static void window_of_a_crossing_syn_ack_is_not_scaled(struct rig *r)
{
    struct peer *p = peer_new(r);
    peer_syn_sent(p);
    say(p, S, 0, 0, 0);
    hear_syn(p, S | A);
    p->wnd = 1000;
    say(p, S | A, 0, 1, 0);
    rig_turn(r);
    rig_forget(r);
    assert_int_equal(peer_state(p), TERN_ESTABLISHED);
    assert_int_equal(info_of(p).snd_wnd, 1000);
}

/* MUST-34, SHLD-15, SHLD-16, MAY-7: a window that is taken back, far below what is in flight. */
static void MUST_34_SHLD_15_SHLD_16_shrunk_window(struct rig *r)
{
    const struct seg *g;
    r->cfg.sndbuf = 1 << 20;
    struct peer *p = peer_passive(r);
    uint32_t at = warmed_up(p, 100000), una = at, full = r->ip6 ? 1428 : 1448;
    p->wnd = 320; /* 40960 bytes */
    p->limit = p->iss + at + (320 << 7);
    say(p, A, 1, at, 0);
    assert_int_equal(peer_write(p, at - 1, 300000), 300000);
    uint32_t end = take(p, at);
    assert_in_range(end - at, 39000, 40960);
    p->wnd = 16; /* 2048 bytes: the usable window is negative now */
    say(p, A, 1, at, 0);
    rig_hush(r);
    rig_wait(r, SEC(10));
    for (unsigned i = 0; i < 20; i++, una += full) {
        assert_true(rig_waiting(r) != 0); /* what is inside is sent again */
        while ((g = rig_next(r)) != NULL) /* what is outside is not: two begin inside */
            assert_in_range(g->seq - p->iss, una, una + full);
        say(p, A, 1, una + full, 0);
        rig_turn(r);
    }
    rig_forget(r);
    p->wnd = 0xffff;
    say(p, A, 1, end, 0);
    assert_true(take(p, end) > end);
}

/* MUST-35, SHLD-17: shrunk to nothing with data in flight: the oldest is sent again, ever more
 * seldom, and as long as the peer answers the connection stays; with the window it resumes. */
static void MUST_35_SHLD_17_window_shrunk_to_zero(struct rig *r)
{
    struct peer *p = peer_passive(r);
    assert_int_equal(peer_write(p, 0, 5000), 5000);
    uint32_t at = take(p, 1);
    p->wnd = 0;
    say(p, A, 1, 1, 0);
    uint64_t end = r->now + SEC(8 * 3600);
    while (r->now < end) {
        if (rig_wait(r, SEC(300)) == SEC(300))
            rig_fail("nothing asks for the window any more");
        const struct seg *g = rig_next(r);
        assert_in_range(g->seq - p->iss, 0, 1);
        rig_hush(r);
        say(p, A, 1, 1, 0);
        assert_int_equal(rig_events(r, p->k, NULL) & TERN_EV_ERROR, 0);
    }
    p->wnd = 0xffff;
    say(p, A, 1, 1, 0);
    rig_step(r, SEC(121));
    hear(p, A, 1, 1, at < 1449 ? at - 1 : p->r->ip6 ? 1428 : 1448);
    say(p, A, 1, at, 0);
    assert_int_equal(info_of(p).tx_queued, 5001 - at);
}

/* MUST-38: the window opens by 10 bytes at a time, which make no segments; half of the largest
 * window there was, or a full segment, does. */
static void MUST_38_crumbs_of_a_window(struct rig *r)
{
    struct peer *p = peer_new(r);
    p->wscale = -1;
    p->wnd = 0;
    peer_connects(p, rig_listen(r, p->lport, 4, 0));
    p->wnd = 1000;
    say(p, A, 1, 1, 0);
    p->wnd = 0;
    say(p, A, 1, 1, 0);
    assert_int_equal(peer_write(p, 0, 20000), 20000);
    rig_hush(r);
    for (p->wnd = 10; p->wnd < 500; p->wnd = (uint16_t)(p->wnd + 10)) {
        say(p, A, 1, 1, 0);
        rig_hush(r);
    }
    say(p, A, 1, 1, 0);
    hear(p, A, 1, 1, 500); /* half of 1000 */
    say(p, A, 1, 501, 0);
    hear(p, A, 501, 1, 500);
    p->wnd = 4000; /* the largest is 4000 from now on */
    say(p, A, 1, 1001, 0);
    uint32_t at = take(p, 1001), full = r->ip6 ? 1428 : 1448;
    p->wnd = 0;
    say(p, A, 1, at, 0);
    for (p->wnd = 10; p->wnd < full; p->wnd = (uint16_t)(p->wnd + 10)) {
        say(p, A, 1, at, 0);
        rig_hush(r);
    }
    p->wnd = (uint16_t)full; /* a full segment */
    say(p, A, 1, at, 0);
    hear(p, A, at, 1, full);
}

/* MUST-38: and after a while the crumb goes, lest two careful ends wait for each other. */
static void MUST_38_override(struct rig *r)
{
    struct peer *p = peer_new(r);
    p->wscale = -1;
    peer_connects(p, rig_listen(r, p->lport, 4, 0));
    p->wnd = 50;
    p->limit = p->iss + 51;
    say(p, A, 1, 1, 0);
    assert_int_equal(peer_write(p, 0, 20000), 20000);
    rig_hush(r);
    uint64_t took = rig_wait(r, SEC(10));
    assert_in_range(took, MS(100), SEC(1));
    hear(p, A, 1, 1, 50);
    say(p, A, 1, 51, 0);
    rig_hush(r);
}

/* MUST-39: a full buffer read byte by byte gives no update before a segment fits, or half of the
 * buffer is free. */
static void no_crumbs(struct rig *r, uint32_t rcvbuf)
{
    r->cfg.rcvbuf = rcvbuf;
    struct peer *p = peer_passive(r);
    uint32_t in = 1, n = 0;
    assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_RCVBUF, rcvbuf), 0);
    while (p->edge - p->irs != in) {
        uint32_t len = p->edge - p->irs - in;
        len = len > 1000 ? 1000 : len;
        say(p, A, in, 1, len);
        in += len;
        rig_step(r, MS(50));
        rig_forget(r);
    }
    uint32_t mss = r->ip6 ? 1440 : 1460, least = rcvbuf / 2 < mss ? rcvbuf / 2 : mss;
    uint32_t have = rcvbuf - info_of(p).rx_queued;
    for (; have + 1 < least; n++, have++) {
        peer_read(p, n, 1);
        rig_hush(r);
    }
    peer_read(p, n, 1);
    const struct seg *g = hear(p, A, 1, in, 0);
    assert_int_equal((uint32_t)g->wnd << 8, least & ~255u);
}

static void MUST_39_no_crumbs_small_buffer(struct rig *r) { no_crumbs(r, 2048); }

static void MUST_39_no_crumbs_large_buffer(struct rig *r) { no_crumbs(r, 20480); }

/* SHLD-14: a buffer made smaller takes nothing back (the rig looks at every right edge). */
static void SHLD_14_smaller_buffer(struct rig *r)
{
    struct peer *p = peer_passive(r);
    uint32_t edge = p->edge, in = 1;
    assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_RCVBUF, 1000), 0);
    while (in < 60001) { /* and what was promised is taken */
        say(p, A, in, 1, 1000);
        in += 1000;
        rig_turn(r);
    }
    rig_step(r, MS(50));
    rig_forget(r);
    assert_int_equal(p->edge, edge);
    assert_int_equal(info_of(p).rcv_nxt - p->irs, in);
    peer_read(p, 0, 60000);
    rig_hush(r);
}

/* MAY-8: a window may stay closed for ever; the peer's probes are answered, whatever their form. */
static void MAY_8_closed_for_ever(struct rig *r)
{
    r->cfg.rcvbuf = 1024;
    struct peer *p = peer_passive(r);
    uint32_t in = p->edge - p->irs;
    assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_RCVBUF, 1024), 0);
    say(p, A, 1, 1, in - 1);
    hear(p, A, 1, in, 0);
    for (unsigned i = 0; i < 300; i++) {
        rig_step(r, SEC(60));
        say(p, A, i % 3 == 0 ? in - 1 : in, 1, i % 3 != 1);
        if (i % 3 != 1 || rig_waiting(r) != 0)
            assert_int_equal(hear(p, A, 1, in, 0)->wnd, 0);
        rig_hush(r);
    }
    peer_read(p, 0, in - 1);
    assert_int_equal((uint32_t)hear(p, A, 1, in, 0)->wnd << 8, 1024);
}

/* What the caller still owes its reader counts against the window. */
static void owed_bytes_count(struct rig *r)
{
    struct peer *p = peer_passive(r);
    uint32_t in = 1, edge = p->edge;
    assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_RCVBUF, 65536), 0);
    for (; edge - p->irs - in > 1000; in += 1000) {
        say(p, A, in, 1, 1000);
        rig_turn(r);
        rig_forget(r);
        peer_read(p, in - 1, 1000);
        assert_int_equal(tern_recv_owed(r->s, p->k, in + 999), 0);
    }
    rig_step(r, MS(50));
    rig_forget(r);
    assert_in_range(p->edge - edge, 0, 1500);
    assert_int_equal(info_of(p).rx_queued, in - 1);
    assert_int_equal(tern_recv_owed(r->s, p->k, 0), 0);
    hear(p, A, 1, in, 0);
    assert_in_range(p->edge - p->irs - in, 65536 - 256, 65536);
}

/* What moves on into a pipe behind us, which counts, makes no room: no packet tells of any. */
static void room_that_is_taken_again(struct rig *r)
{
    struct peer *p = peer_passive(r);
    uint32_t in = 1;
    assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_RCVBUF, 65536), 0);
    for (; p->edge - p->irs - in > 2000; in += 1000) {
        say(p, A, in, 1, 1000);
        rig_turn(r);
        rig_forget(r);
    }
    rig_step(r, MS(50));
    rig_forget(r);
    assert_int_equal(tern_recv_consume(r->s, p->k, in - 1), 0);
    assert_int_equal(tern_recv_owed(r->s, p->k, in - 1), 0);
    rig_turn(r);
    assert_null(rig_next(r));
    assert_int_equal(tern_recv_owed(r->s, p->k, 0), 0); /* now there is room */
    hear(p, A, 1, in, 0);
}

/* The buffer grows when its owner keeps up, and only then, and not when its size was set. */
static void buffer_grows_with_its_reader(struct rig *r)
{
    for (int kind = 0; kind < 3; kind++) { /* reads; does not; reads, fixed */
        struct peer *p = peer_active(r);
        uint32_t in = 1;
        if (kind == 2)
            assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_RCVBUF, 65536), 0);
        for (unsigned round = 0; round < 12; round++) {
            uint32_t edge = p->edge, start = in;
            for (; edge - p->irs - in >= 1400; in += 1400) {
                say(p, A, in, 1, 1400);
                rig_turn(r);
                rig_forget(r);
            }
            rig_step(r, MS(20));
            if (kind != 1)
                peer_read(p, start - 1, in - start);
            rig_turn(r);
            rig_forget(r);
        }
        uint32_t buf = info_of(p).rcvbuf;
        if (kind == 0)
            assert_in_range(buf, 1 << 20, r->cfg.rcvbuf_max);
        else
            assert_int_equal(buf, 65536);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_ISNS(MUST_1_window_is_unsigned),
        RIG_ISNS(REC_1_window_of_a_gigabyte),
        RIG(window_of_a_syn_is_not_scaled),
        RIG(window_of_a_crossing_syn_ack_is_not_scaled),
        RIG_ISNS(MUST_34_SHLD_15_SHLD_16_shrunk_window),
        RIG_ISNS(MUST_35_SHLD_17_window_shrunk_to_zero),
        RIG_ISNS(MUST_38_crumbs_of_a_window),
        RIG(MUST_38_override),
        RIG_ISNS(MUST_39_no_crumbs_small_buffer),
        RIG_ISNS(MUST_39_no_crumbs_large_buffer),
        RIG_ISNS(SHLD_14_smaller_buffer),
        RIG_ISNS(MAY_8_closed_for_ever),
        RIG(owed_bytes_count),
        RIG(room_that_is_taken_again),
        RIG(buffer_grows_with_its_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
