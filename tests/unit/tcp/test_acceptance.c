/* test_acceptance.c - which segments count: sequence numbers (RFC 9293 3.4, table 6; 3.10.7.4,
 * first), acknowledgement numbers (fifth; RFC 5961 5.2), what lies partly outside of the window. */
#include "rig.h"

static const enum tern_state synchronized[] = {
    TERN_ESTABLISHED, TERN_FIN_WAIT_1, TERN_FIN_WAIT_2, TERN_CLOSE_WAIT,
    TERN_CLOSING,     TERN_LAST_ACK,   TERN_TIME_WAIT,
};
enum { STATES = sizeof(synchronized) / sizeof(synchronized[0]) };

static void drop_peer(struct peer *p)
{
    assert_int_equal(tern_abort(p->r->s, p->k), 0);
    rig_turn(p->r);
    rig_forget(p->r);
}

/* Table 6, with the window [0, wnd) and seq relative to it; the one difference (a segment without
 * length may stand at the right edge) is in the test below. */
static bool table_6(uint32_t seq, uint32_t len, uint32_t wnd)
{
    if (wnd == 0)
        return len == 0 && seq == 0;
    if (len == 0)
        return seq < wnd;
    return seq < wnd || (uint32_t)(seq + len - 1) < wnd;
}

/* Whether the segment passes the first check; one that does not is answered with ACK. */
static bool passes(struct peer *p, unsigned flags, uint32_t seq, uint32_t len)
{
    uint64_t before = rig_drops(p->r, TERN_DROP_TCP_SEQUENCE);
    say(p, flags, seq, 1, len);
    bool dropped = rig_drops(p->r, TERN_DROP_TCP_SEQUENCE) != before;
    if (dropped)
        hear(p, A, 1, 1, 0);
    rig_turn(p->r);
    rig_forget(p->r);
    return !dropped;
}

static void U_5_every_place_around_the_window(struct rig *r)
{
    static const uint32_t lens[] = {0, 1, 2, 100, 1000, 1300};
    for (int small = 0; small < 2; small++) {
        r->cfg.rcvbuf = 800; /* for the second round, a window smaller than a segment */
        for (unsigned i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
            struct peer *p = peer_active(r);
            uint32_t len = lens[i], wnd = p->edge - p->irs - 1;
            uint32_t at[] = {0x80000001u, 0x80000000u, 0x7fffffffu, (uint32_t)-70000, -1000u,
                             -len - 1,    -len,        1 - len,     wnd - len,        wnd - 1,
                             wnd,         wnd + 1,     wnd + 1000,  wnd + 0x7fffffffu};
            for (unsigned j = 0; j < sizeof(at) / sizeof(at[0]); j++) {
                bool edge = len == 0 && at[j] == wnd;
                if (passes(p, A, 1 + at[j], len) != (table_6(at[j], len, wnd) || edge))
                    rig_fail("seq %d, len %u, window %u", (int32_t)at[j], len, wnd);
                drop_peer(p); /* what was taken would stay: another connection for each */
                p = peer_active(r);
            }
            drop_peer(p);
        }
    }
}

/* With no window only an empty segment right at it is acceptable. */
static void U_5_zero_window(struct rig *r)
{
    r->cfg.rcvbuf = 1024;
    struct peer *p = peer_active(r);
    uint32_t in = 1;
    while (p->edge != p->irs + in) {
        uint32_t n = p->edge - p->irs - in;
        say(p, A, in, 1, n);
        in += n;
        hear(p, A, 1, in, 0);
    }
    static const int32_t at[] = {-1, 1, 2, 100, -100};
    for (unsigned i = 0; i < 5; i++) {
        rig_step(r, SEC(1));
        uint64_t before = rig_drops(r, TERN_DROP_TCP_SEQUENCE);
        say(p, A, in + (uint32_t)at[i], 1, 0);
        hear(p, A, 1, in, 0);
        assert_int_equal(rig_drops(r, TERN_DROP_TCP_SEQUENCE), before + 1);
    }
    rig_step(r, SEC(1));
    say(p, A, in, 1, 0);
    rig_hush(r);
}

/* MUST-66: at zero window an ACK still acknowledges though its data has no place, and RST resets
 * (SHLD-2: also with data). */
static void MUST_66_ack_and_rst_at_zero_window(struct rig *r)
{
    r->cfg.rcvbuf = 1024;
    for (uint32_t len = 0; len < 20; len += 10) {
        struct peer *p = peer_active(r);
        assert_int_equal(peer_write(p, 0, 100), 100);
        hear(p, A, 1, 1, 100);
        uint32_t in = p->edge - p->irs;
        say(p, A, 1, 1, in - 1);
        hear(p, A, 101, in, 0);
        assert_int_equal(p->edge, p->irs + in);
        say(p, A, in, 101, 10);
        hear(p, A, 101, in, 0);
        tern_tcp_info info;
        peer_info(p, &info);
        assert_int_equal(info.snd_una - info.iss, 101);
        assert_int_equal(info.rcv_nxt - info.irs, in);
        say(p, R, in, 0, len);
        rig_hush(r);
        int err;
        assert_int_equal(rig_events(r, p->k, &err) & TERN_EV_ERROR, TERN_EV_ERROR);
        assert_int_equal(err, TERN_ERESET);
        peer_read(p, 0, in - 1);
    }
}

/* U-6: an unacceptable segment is answered with <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK> and dropped. */
static void U_6_unacceptable_segments_are_answered(struct rig *r)
{
    for (unsigned i = 0; i < STATES; i++) {
        for (int future = 0; future < 2; future++) {
            struct peer *p = peer_active(r);
            uint32_t in, out;
            peer_to_state(p, synchronized[i], &in, &out);
            uint32_t at = future ? p->edge - p->irs + 100 : in - 200;
            say(p, A, at, out, 0);
            hear(p, A, out, in, 0);
            say(p, A, at, out, 0); /* empty: at a limited rate */
            rig_hush(r);
            say(p, A, at, out, 100); /* data: each time */
            hear(p, A, out, in, 0);
            say(p, A, at, out, 100);
            hear(p, A, out, in, 0);
            say(p, A | F, at, out, 0);
            hear(p, A, out, in, 0);
            rig_step(r, MS(501));
            rig_forget(r); /* a FIN sent again */
            say(p, A, at, out, 0);
            hear(p, A, out, in, 0);
            assert_int_equal(peer_state(p), synchronized[i]);
            drop_peer(p);
        }
    }
}

/* The limit's clock is 32 bits of ticks, 9.8 hours: it must not stop for half of them. */
static void U_6_answered_after_hours(struct rig *r)
{
    struct peer *p = peer_passive(r);
    for (unsigned i = 0; i < 12; i++) {
        say(p, S, 1, 0, 0);
        hear(p, A, 1, 1, 0);
        rig_step(r, SEC(3600) * (1 + i % 6));
    }
}

/* U-7: of an overlap only what is new counts; a byte that was received stays as it was. */
static void U_7_left_edge_is_trimmed(struct rig *r)
{
    struct peer *p = peer_passive(r);
    uint8_t other[150];
    memset(other, 0x55, sizeof(other));
    pattern_fill(0, 100, other + 100, 50);
    say(p, A, 1, 1, 100);
    hear(p, A, 1, 101, 0);
    p->extra.data = other;
    say(p, A, 1, 1, 150);
    hear(p, A, 1, 151, 0);
    say(p, A | F, 101, 1, 50); /* all old but the FIN */
    hear(p, A, 1, 152, 0);
    assert_int_equal(peer_state(p), TERN_CLOSE_WAIT);
    peer_read(p, 0, 150);
}

static void U_7_right_edge_is_trimmed(struct rig *r)
{
    r->cfg.rcvbuf = 1024;
    struct peer *p = peer_passive(r);
    uint32_t end = p->edge - p->irs;
    say(p, A | F, 1, 1, end + 99); /* 100 bytes and the FIN are outside */
    hear(p, A, 1, end, 0);
    assert_int_equal(peer_state(p), TERN_ESTABLISHED);
    peer_read(p, 0, end - 1);
    rig_turn(r);
    rig_forget(r);
    say(p, A, end, 1, 100);
    hear(p, A, 1, end + 100, 0);
    say(p, A | F, end + 100, 1, 0);
    hear(p, A, 1, end + 101, 0);
    peer_read(p, end - 1, 100);
    assert_int_equal(peer_state(p), TERN_CLOSE_WAIT);
}

/* A FIN just outside of the window, its data exactly filling it. */
static void U_7_fin_at_the_right_edge(struct rig *r)
{
    r->cfg.rcvbuf = 1024;
    struct peer *p = peer_passive(r);
    uint32_t end = p->edge - p->irs;
    say(p, A | F, 1, 1, end - 1);
    hear(p, A, 1, end, 0);
    assert_int_equal(peer_state(p), TERN_ESTABLISHED);
    peer_read(p, 0, end - 1);
    rig_turn(r);
    rig_forget(r);
    say(p, A | F, end, 1, 0);
    hear(p, A, 1, end + 1, 0);
    assert_int_equal(peer_state(p), TERN_CLOSE_WAIT);
}

/* U-10: without ACK nothing counts. */
static void U_10_no_ack_bit(struct rig *r)
{
    static const unsigned flags[] = {0, P, F, F | P, U};
    for (unsigned i = 0; i < STATES; i++) {
        struct peer *p = peer_active(r);
        uint32_t in, out;
        peer_to_state(p, synchronized[i], &in, &out);
        for (unsigned j = 0; j < 5; j++) {
            uint64_t before = rig_drops(r, TERN_DROP_TCP_NO_ACK);
            say(p, flags[j], in, 0, 10);
            rig_hush(r);
            assert_int_equal(rig_drops(r, TERN_DROP_TCP_NO_ACK), before + 1);
        }
        tern_tcp_info info;
        peer_info(p, &info);
        assert_int_equal(info.state, synchronized[i]);
        assert_int_equal(info.rcv_nxt - info.irs, in);
        drop_peer(p);
    }
    struct peer *p = peer_new(r);
    rig_listen(r, 80, 4, 0);
    say(p, S, 0, 0, 0);
    hear_syn(p, S | A);
    say(p, P, 1, 0, 10);
    rig_hush(r);
}

/* U-11: an ACK of what was never sent is answered, and the rest of the segment is nothing.
 * (A-03, T-04) */
static void U_11_ack_beyond_snd_nxt(struct rig *r)
{
    static const uint32_t beyond[] = {1, 2, 1000, 0x10000000, 0x7fff0000};
    for (unsigned i = 0; i < STATES; i++) {
        struct peer *p = peer_active(r);
        uint32_t in, out;
        peer_to_state(p, synchronized[i], &in, &out);
        for (unsigned j = 0; j < 5; j++) {
            uint64_t before = rig_drops(r, TERN_DROP_TCP_ACK);
            say(p, A, in, out + beyond[j], 10);
            hear(p, A, out, in, 0);
            rig_hush(r);
            assert_int_equal(rig_drops(r, TERN_DROP_TCP_ACK), before + 1);
            rig_step(r, MS(501));
            rig_forget(r);
        }
        assert_int_equal(peer_state(p), synchronized[i]);
        drop_peer(p);
    }
}

/* U-11, MAY-12: an old ACK changes nothing, but its data is news, as far back as the largest window
 * the peer has offered; beyond that it cannot be from this peer. (A-03, T-04) */
static void U_11_MAY_12_old_acks(struct rig *r)
{
    struct peer *p = peer_passive(r);
    p->wnd = 16; /* 2048 bytes */
    say(p, A, 1, 1, 0);
    tern_tcp_info info;
    uint32_t sent = 0;
    p->wnd = 0xffff; /* (from now on: 8 MB) */
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(peer_write(p, sent, 1000), 1000);
        hear_data(p, 1 + sent, 1001 + sent);
        sent += 1000;
        say(p, A, 1, 1 + sent, 0);
    }
    p->wnd = 1000; /* the largest counts, not the latest */
    say(p, A, 1, 3001, 0);
    say(p, A, 1, 1, 10); /* 3000 back */
    hear(p, A, 3001, 11, 0);
    say(p, A, 11, 3001 - (0xffffu << 7), 10); /* as far as it may be */
    hear(p, A, 3001, 21, 0);
    say(p, A, 21, 3000 - (0xffffu << 7), 10);
    hear(p, A, 3001, 21, 0);
    assert_int_equal(rig_drops(r, TERN_DROP_TCP_ACK), 1);
    peer_info(p, &info);
    assert_int_equal(info.snd_una - info.iss, 3001);
    assert_int_equal(info.rcv_nxt - info.irs, 21);
    peer_read(p, 0, 20);
}

/* U-12: of two segments that overtook each other, the older does not set the window.
 * (A-89, A-90) */
static void U_12_window_of_the_newest_segment(struct rig *r)
{
    struct peer *p = peer_passive(r);
    tern_tcp_info info;
    assert_int_equal(peer_write(p, 0, 1000), 1000);
    hear(p, A, 1, 1, 1000);
    p->wnd = 100;
    say(p, A, 11, 501, 10); /* WL1 < SEQ */
    hear(p, A, 1001, 1, 0);
    peer_info(p, &info);
    assert_int_equal(info.snd_wnd, 100 << 7);
    p->wnd = 200;
    say(p, A, 1, 501, 0); /* SEQ < WL1 */
    peer_info(p, &info);
    assert_int_equal(info.snd_wnd, 100 << 7);
    say(p, A, 1, 1001, 0); /* SEQ < WL1, but WL2 < ACK: sent again, and the newest all the same */
    peer_info(p, &info);
    assert_int_equal(info.snd_una - info.iss, 1001);
    assert_int_equal(info.snd_wnd, 200 << 7);
    p->wnd = 300;
    say(p, A, 11, 1001, 0); /* WL1 = SEQ, WL2 < ACK */
    peer_info(p, &info);
    assert_int_equal(info.snd_wnd, 300 << 7);
    p->wnd = 50;
    say(p, A, 11, 1001, 0); /* both equal: a plain update, down as well */
    peer_info(p, &info);
    assert_int_equal(info.snd_wnd, 50 << 7);
    p->wnd = 400;
    say(p, A, 11, 501, 0); /* ACK < WL2 */
    peer_info(p, &info);
    assert_int_equal(info.snd_wnd, 50 << 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_ISNS(U_5_every_place_around_the_window),
        RIG_ISNS(U_5_zero_window),
        RIG_ISNS(MUST_66_ack_and_rst_at_zero_window),
        RIG_ISNS(U_6_unacceptable_segments_are_answered),
        RIG(U_6_answered_after_hours),
        RIG_ISNS(U_7_left_edge_is_trimmed),
        RIG_ISNS(U_7_right_edge_is_trimmed),
        RIG_ISNS(U_7_fin_at_the_right_edge),
        RIG_ISNS(U_10_no_ack_bit),
        RIG_ISNS(U_11_ack_beyond_snd_nxt),
        RIG_ISNS(U_11_MAY_12_old_acks),
        RIG_ISNS(U_12_window_of_the_newest_segment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
