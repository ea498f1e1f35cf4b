/* test_send.c - how a stream is cut into segments: full ones, Nagle's algorithm and its two
 * exceptions, PSH (RFC 9293 3.7.4, 3.9.1.2), super-segments. */
#include "rig.h"

static uint32_t full_of(struct peer *p)
{
    tern_tcp_info info;
    peer_info(p, &info);
    return info.snd_mss;
}

static void set(struct peer *p, enum tern_opt option, int64_t value)
{
    assert_int_equal(tern_option_set(p->r->s, p->k, option, value), 0);
}

/* SHLD-7: while a small segment is out, small writes are gathered. */
static void SHLD_7_small_writes_are_gathered(struct rig *r)
{
    struct peer *p = peer_passive(r);
    assert_int_equal(peer_write(p, 0, 5), 5);
    hear(p, A | P, 1, 1, 5);
    for (uint32_t i = 5; i < 50; i++) {
        assert_int_equal(peer_write(p, i, 1), 1);
        rig_hush(r);
    }
    say(p, A, 1, 6, 0);
    hear(p, A | P, 6, 1, 45);
    rig_hush(r);
}

/* Minshall: the end of a large write does not wait for its full segments, only for a small one. */
static void SHLD_7_end_of_a_large_write(struct rig *r)
{
    struct peer *p = peer_passive(r);
    uint32_t full = full_of(p);
    assert_int_equal(peer_write(p, 0, 2 * full + 100), 2 * full + 100);
    assert_int_equal(hear_data(p, 1, 1 + 2 * full + 100), 3);
    assert_int_equal(peer_write(p, 2 * full + 100, 50), 50);
    rig_hush(r);
    assert_int_equal(peer_write(p, 2 * full + 150, full), full);
    hear(p, A, 2 * full + 101, 1, full); /* a full one goes, what is left over waits */
    rig_hush(r);
    say(p, A, 1, 2 * full + 1, 0); /* not the small one yet */
    rig_hush(r);
    say(p, A, 1, 2 * full + 101, 0);
    hear(p, A | P, 3 * full + 101, 1, 50);
}

/* MUST-17: off, for this connection only. */
static void MUST_17_nodelay(struct rig *r)
{
    struct peer *p = peer_active(r), *q = peer_active(r);
    set(p, TERN_OPT_NODELAY, 1);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(peer_write(p, i, 1), 1);
        hear(p, A | P, 1 + i, 1, 1);
    }
    assert_int_equal(peer_write(q, 0, 1), 1);
    hear(q, A | P, 1, 1, 1);
    assert_int_equal(peer_write(q, 1, 1), 1);
    rig_hush(r);
    set(q, TERN_OPT_NODELAY, 1); /* what waits goes at once */
    hear(q, A | P, 2, 1, 1);
    set(p, TERN_OPT_NODELAY, 0);
    assert_int_equal(peer_write(p, 5, 1), 1);
    rig_hush(r);
}

/* The FIN takes the last bytes with it, Nagle or not. */
static void nagle_does_not_hold_the_fin(struct rig *r)
{
    struct peer *p = peer_passive(r);
    assert_int_equal(peer_write(p, 0, 1), 1);
    hear(p, A | P, 1, 1, 1);
    assert_int_equal(peer_write(p, 1, 1), 1);
    rig_hush(r);
    assert_int_equal(tern_shutdown(r->s, p->k), 0);
    hear(p, F | A | P, 2, 1, 1);
}

/* MAY-15, MAY-16: under a cork only full segments go, even with nothing in flight, until it is
 * taken off, or the stream ends, or an RTO has passed, lest it be forgotten. */
static void MAY_16_cork(struct rig *r)
{
    struct peer *p = peer_passive(r);
    uint32_t full = full_of(p);
    set(p, TERN_OPT_CORK, 1);
    assert_int_equal(peer_write(p, 0, 100), 100);
    rig_step(r, MS(150));
    rig_hush(r);
    assert_int_equal(peer_write(p, 100, full), full);
    hear(p, A, 1, 1, full);
    say(p, A, 1, 1 + full, 0);
    rig_hush(r);
    set(p, TERN_OPT_CORK, 0);
    hear(p, A | P, 1 + full, 1, 100);
    say(p, A, 1, 101 + full, 0);
    set(p, TERN_OPT_CORK, 1);
    assert_int_equal(peer_write(p, full + 100, 7), 7);
    rig_hush(r);
    assert_in_range(rig_wait(r, SEC(10)), MS(150), MS(250));
    hear(p, A | P, 101 + full, 1, 7);
    say(p, A, 1, 108 + full, 0);
    assert_int_equal(peer_write(p, full + 107, 7), 7);
    rig_hush(r);
    assert_int_equal(tern_shutdown(r->s, p->k), 0);
    hear(p, F | A | P, 108 + full, 1, 7);
}

/* MUST-61: PSH on the segment that empties the queue. (T-10) */
static void MUST_61_psh_at_the_end(struct rig *r)
{
    struct peer *p = peer_passive(r);
    uint32_t at = 1;
    assert_int_equal(peer_write(p, 0, 10000), 10000);
    rig_turn(r);
    const struct seg *g;
    while ((g = rig_next(r)) != NULL) {
        at += g->len;
        assert_int_equal((g->flags & P) != 0, at == 10001);
    }
    assert_int_equal(at, 10001);
}

/* MUST-60: one byte, and another while it is in flight, and no ACK ever: both go all the same. */
static void MUST_60_nothing_is_held_back(struct rig *r)
{
    struct peer *p = peer_passive(r);
    assert_int_equal(peer_write(p, 0, 1), 1);
    hear(p, A | P, 1, 1, 1);
    assert_int_equal(peer_write(p, 1, 1), 1);
    rig_hush(r);
    bool sent = false;
    for (uint64_t end = r->now + SEC(2); r->now < end && !sent; rig_wait(r, SEC(2))) {
        const struct seg *g;
        while ((g = rig_next(r)) != NULL)
            sent |= g->seq + g->len == p->iss + 3;
    }
    assert_true(sent);
}

/* SHLD-28: nothing but full segments in a large transfer, whatever the sizes of the writes. */
static void SHLD_28_full_segments(struct rig *r)
{
    r->cfg.sndbuf = 1 << 20;
    struct peer *p = peer_passive(r);
    uint32_t full = full_of(p), at = 1, written = 0, total = 400000;
    while (at != 1 + total) {
        while (written < total) {
            uint32_t n = 1 + rig_random() % 5000;
            n = n < total - written ? n : total - written;
            ptrdiff_t sent = peer_write(p, written, n);
            if (sent == TERN_EAGAIN)
                break;
            assert_true(sent > 0);
            written += (uint32_t)sent;
        }
        rig_turn(r);
        const struct seg *g;
        while ((g = rig_next(r)) != NULL) {
            assert_true(g->len == full || g->seq + g->len - p->iss == 1 + total);
            at += g->len;
        }
        say(p, A, 1, at, 0);
    }
}

/* SHLD-28: also when the window is no multiple of them. */
static void SHLD_28_full_segments_in_an_odd_window(struct rig *r)
{
    r->link.caps = TERN_CAP_CSUM | TERN_CAP_TSO4 | TERN_CAP_TSO6;
    r->link.gso_max = 65535;
    struct peer *p = peer_passive(r);
    uint32_t full = full_of(p), at = 1;
    p->wnd = 90; /* 11520 bytes */
    p->limit = p->iss + 1 + (90 << 7);
    say(p, A, 1, 1, 0);
    assert_int_equal(peer_write(p, 0, 50000), 50000);
    while (at != 50001) {
        rig_turn(r);
        const struct seg *g;
        while ((g = rig_next(r)) != NULL) {
            at += g->len;
            assert_true(g->len == full || at == 50001);
        }
        say(p, A, 1, at, 0);
    }
}

/* SHLD-27: many small writes behind a closed window make one segment, with one PSH. */
static void SHLD_27_pushes_are_collapsed(struct rig *r)
{
    struct peer *p = peer_passive(r);
    set(p, TERN_OPT_NODELAY, 1);
    p->wnd = 0;
    say(p, A, 1, 1, 0);
    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(peer_write(p, i * 10, 10), 10);
    rig_hush(r);
    p->wnd = 0xffff;
    say(p, A, 1, 1, 0);
    hear(p, A | P, 1, 1, 100);
    rig_hush(r);
}

/* Super-segments: whole segments but for the last, within the device's limits (the rig checks these
 * and takes them apart). */
static void super_segments(struct rig *r, uint32_t gso_max, uint32_t segs_max)
{
    r->link.caps = TERN_CAP_CSUM | TERN_CAP_TSO4 | TERN_CAP_TSO6;
    r->link.gso_max = gso_max;
    r->link.gso_segs_max = segs_max;
    r->cfg.sndbuf = 1 << 20;
    struct peer *p = peer_passive(r);
    uint32_t at = 1, most = 0, full = full_of(p);
    assert_int_equal(peer_write(p, 0, 500000), 500000);
    while (at != 500001) {
        rig_turn(r);
        const struct seg *g;
        uint32_t packet = UINT32_MAX, n = 0;
        while ((g = rig_next(r)) != NULL) {
            n = g->packet == packet ? n + 1 : 1;
            packet = g->packet;
            most = n > most ? n : most;
            at += g->len;
            assert_true(g->len == full || at == 500001);
        }
        say(p, A, 1, at, 0);
    }
    uint32_t fit = gso_max / full;
    if (segs_max != 0 && segs_max < fit)
        fit = segs_max;
    assert_in_range(most, fit - fit / 8, fit);
}

static void super_segments_of_64_kib(struct rig *r) { super_segments(r, 65535, 0); }
static void super_segments_of_four(struct rig *r) { super_segments(r, 65535, 4); }
static void super_segments_of_9000_bytes(struct rig *r) { super_segments(r, 9000, 0); }

/* Without checksum offload there can be no segmentation offload. */
static void super_segments_need_checksums(struct rig *r)
{
    r->link.caps = TERN_CAP_TSO4 | TERN_CAP_TSO6;
    r->link.gso_max = 65535;
    struct peer *p = peer_passive(r);
    assert_int_equal(peer_write(p, 0, 10000), 10000);
    rig_turn(r);
    r->link.caps = 0; /* none may be used: the rig looks */
    hear_data(p, 1, 10001);
}

/* Many small pieces of the caller's memory in one super-segment: no more than a packet has room
 * for, and still whole segments. */
static void many_pieces(struct rig *r)
{
    static uint8_t bytes[40000];
    pattern_fill(1, 0, bytes, sizeof(bytes));
    r->link.caps = TERN_CAP_CSUM | TERN_CAP_TSO4 | TERN_CAP_TSO6;
    r->link.gso_max = 65535;
    struct peer *p = peer_passive(r);
    uint32_t written = 0, at = 1, full = full_of(p);
    for (unsigned i = 0; written < 12000; i++) {
        uint32_t n = 100 + i * 7 % 200;
        assert_int_equal(tern_send_lent(r->s, p->k, bytes + written, n, bytes), 0);
        written += n;
    }
    rig_turn(r);
    while (at != 1 + written) {
        const struct seg *g;
        while ((g = rig_next(r)) != NULL) {
            at += g->len;
            assert_true(g->len == full || at == 1 + written);
        }
        say(p, A, 1, at, 0);
        rig_turn(r);
    }
}

/* A send buffer of a byte or two: room is told of, too. */
static void tiny_buffers(struct rig *r)
{
    for (int size = 1; size < 4; size++) {
        struct peer *p = peer_passive(r);
        uint32_t at = 1; /* the first byte is 1, its offset 0 */
        assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_SNDBUF, size), 0);
        for (int i = 0; i < 5; i++) {
            ptrdiff_t n = peer_write(p, at - 1, 10);
            assert_true(n > 0);
            assert_int_equal(peer_write(p, at - 1 + (uint32_t)n, 10), TERN_EAGAIN);
            (void)rig_events(r, p->k, NULL);
            hear(p, A, at, 1, (uint32_t)n);
            at += (uint32_t)n;
            say(p, A, 1, at, 0);
            rig_hush(r);
            assert_int_equal(rig_events(r, p->k, NULL) & TERN_EV_WRITE, TERN_EV_WRITE);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_ISNS(SHLD_7_small_writes_are_gathered),
        RIG_ISNS(SHLD_7_end_of_a_large_write),
        RIG_ISNS(MUST_17_nodelay),
        RIG_ISNS(nagle_does_not_hold_the_fin),
        RIG_ISNS(MAY_16_cork),
        RIG_ISNS(MUST_61_psh_at_the_end),
        RIG_ISNS(MUST_60_nothing_is_held_back),
        RIG(SHLD_28_full_segments),
        RIG_ISNS(SHLD_28_full_segments_in_an_odd_window),
        RIG_ISNS(SHLD_27_pushes_are_collapsed),
        RIG_ISNS(super_segments_of_64_kib),
        RIG(super_segments_of_four),
        RIG(super_segments_of_9000_bytes),
        RIG(super_segments_need_checksums),
        RIG(many_pieces),
        RIG(tiny_buffers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
