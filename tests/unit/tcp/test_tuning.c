/* test_tuning.c - what the owner of a stack may turn that few ever turn (tern_config.tuning and
 * others), and calls in states in which few make them.
 * valgrind: it is what the other tests of this folder call, with other numbers. */
#include "sender.h"

#include "tern/udp.h"

/* ---- windows --------------------------------------------------------------------------------- */

/* The first window: so many segments, at most so many bytes, at most 32767. */
static void first_windows(struct rig *r)
{
    static const struct {
        uint16_t initrwnd;
        uint32_t window_max;
        bool is_signed;
        uint32_t wnd; /* 0: so many segments */
    } row[] = {{0, 0, true, 32767}, {4, 0, false, 0}, {0, 5000, false, 5000}};
    for (unsigned i = 0; i < 3; i++)
        for (unsigned active = 0; active < 2; active++) {
            r->cfg.tuning.initrwnd = row[i].initrwnd;
            r->cfg.tuning.window_max = row[i].window_max;
            r->cfg.tuning.signed_windows = row[i].is_signed;
            r->cfg.rcvbuf = 100000;
            struct peer *p = peer_new(r);
            p->wscale = active ? p->wscale : -1;
            uint32_t own = r->ip6 ? 1440 : 1460, wnd;
            if (active) {
                p->lport = 0;
                peer_syn_sent(p);
                wnd = r->last->wnd;
            } else {
                rig_listen(r, 80, 4, 0);
                say(p, S, 0, 0, 0);
                wnd = hear_syn(p, S | A)->wnd;
            }
            assert_in_range(wnd, row[i].wnd != 0 ? row[i].wnd * 2 / 3 : row[i].initrwnd * own,
                            row[i].wnd != 0 ? row[i].wnd : row[i].initrwnd * own);
            r->unclean = true;
            rig_renew(r);
        }
}

/* A buffer that fills takes its window back, if asked to: and to nothing when it is almost full. */
static void a_window_that_shrinks(struct rig *r)
{
    r->cfg.tuning.shrink_window = true;
    r->cfg.tuning.fixed_rcvbuf = true;
    r->cfg.rcvbuf = 40000;
    struct peer *p = peer_passive(r);
    p->raw_numbers = true;
    assert_int_equal(tern_recv_owed(r->s, p->k, 15000), 0); /* (somebody else holds as much) */
    say(p, A, 1, 1, 1000);
    rig_turn(r);
    const struct seg *g = rig_next(r);
    assert_non_null(g);
    assert_in_range((uint32_t)g->wnd << p->shift_in, 23000, 24000);
    say(p, A, 1001, 1, 22000);
    rig_turn(r);
    rig_forget(r);
    assert_int_equal(info(p).rcv_wnd, 0);
    peer_read(p, 0, 23000);
    assert_int_equal(tern_recv_owed(r->s, p->k, 0), 0);
    rig_turn(r);
    g = rig_next(r);
    assert_non_null(g);
    assert_true((uint32_t)g->wnd << p->shift_in > 30000);
    rig_forget(r);
}

/* ---- connections ----------------------------------------------------------------------------- */

/* Without RFC 1337 an RST ends TIME-WAIT, if it has the number that is next. */
static void rst_in_time_wait(struct rig *r)
{
    for (unsigned off = 0; off < 2; off++) {
        uint32_t in, out;
        r->cfg.tuning.rfc1337 = off;
        struct peer *p = peer_passive(r);
        peer_to_state(p, TERN_TIME_WAIT, &in, &out);
        say(p, R, in + 1, 0, 0);
        rig_turn(r);
        assert_int_equal(peer_state(p), TERN_TIME_WAIT);
        say(p, R, in, 0, 0);
        rig_turn(r);
        assert_int_equal(peer_state(p), off ? TERN_TIME_WAIT : TERN_CLOSED);
        rig_forget(r);
        r->unclean = true;
        rig_renew(r);
    }
}

/* Who may not be accepted is reset, if that is asked for: with its third segment. */
static void reset_when_nobody_accepts(struct rig *r)
{
    r->cfg.tuning.abort_overflow = true;
    struct peer *p = peer_new(r), *q = peer_new(r);
    rig_listen(r, 80, 1, 0);
    say(p, S, 0, 0, 0);
    hear_syn(p, S | A);
    say(q, S, 0, 0, 0);
    hear_syn(q, S | A);
    say(p, A, 1, 1, 0);
    rig_hush(r);
    say(q, A, 1, 1, 0);
    hear_rst(q, R, 1, 0);
    r->unclean = true;
}

/* The owner hears when so much has been sent, and when so much was acknowledged: once. */
static void progress_is_told(struct rig *r)
{
    struct peer *p = sender_new(r, (struct sender_opt){0});
    uint32_t sent = 3 * SEG, acked = 2 * SEG;
    unsigned cwnd = info(p).cwnd / SEG;
    assert_int_equal(tern_watch(r->s, p->k, &sent, &acked), 0);
    queue(p, 2);
    sends(p, 0, 2);
    assert_int_equal(rig_events(r, p->k, NULL) & TERN_EV_PROGRESS, 0);
    queue(p, cwnd - 2);
    sends(p, 2, cwnd);
    assert_int_equal(rig_event_count(r, p->k, TERN_EV_PROGRESS), 1);
    rig_events(r, p->k, NULL);
    rig_step(r, MS(RTT_MS));
    ack(p, 1);
    rig_turn(r);
    assert_int_equal(rig_event_count(r, p->k, TERN_EV_PROGRESS), 0);
    ack(p, 2);
    rig_turn(r);
    assert_int_equal(rig_event_count(r, p->k, TERN_EV_PROGRESS), 1);
    rig_events(r, p->k, NULL);
    ack(p, 3);
    rig_turn(r);
    assert_int_equal(rig_event_count(r, p->k, TERN_EV_PROGRESS), 0);
    assert_int_equal(tern_watch(r->s, p->k, NULL, &acked), 0); /* it is already */
    rig_turn(r);
    assert_int_equal(rig_event_count(r, p->k, TERN_EV_PROGRESS), 1);
    assert_int_equal(tern_watch(r->s, p->k, NULL, NULL), 0);
    rig_forget(r);
    r->unclean = true;
}

/* Keep-alive that is asked for before there is a connection begins with it, and ends with it. */
static void keep_alive_of_the_unborn(struct rig *r)
{
    for (unsigned off = 0; off < 2; off++) {
        struct peer *p = peer_new(r);
        p->lport = 0;
        tern_addr to = rig_addr(r->remote, p->port);
        assert_int_equal(tern_connect(r->s, &p->k, NULL, &to, p), 0);
        assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_KEEP_IDLE, MS(500)), 0);
        assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_KEEPALIVE, !off), 0);
        hear_syn(p, S);
        say(p, S | A, 0, 1, 0);
        hear(p, A, 1, 1, 0);
        if (off) {
            rig_step(r, SEC(1));
            rig_hush(r);
        } else {
            rig_wait_exactly(r, MS(500));
            hear(p, A, 0, 1, 0);
        }
        assert_int_equal(tern_shutdown(r->s, p->k), 0);
        hear(p, F | A, 1, 1, 0);
        say(p, F | A, 1, 2, 0);
        hear(p, A, 2, 2, 0);
        assert_int_equal(peer_state(p), TERN_TIME_WAIT);
        rig_step(r, SEC(2)); /* nothing is asked here any more */
        rig_hush(r);
    }
}

/* ---- calls in odd moments -------------------------------------------------------------------- */

/* After the end of a connection, and in the middle of a reservation. */
static void calls_after_the_end(struct rig *r)
{
    struct peer *p = peer_passive(r);
    tern_iov v[2];
    uint8_t byte;
    assert_int_equal(tern_send_reserve(r->s, p->k, v, 2, 5000), 2);
    assert_int_equal(tern_shutdown(r->s, p->k), TERN_EINVAL);
    say(p, R, 1, 0, 0);
    rig_turn(r);
    assert_int_equal(tern_send_commit(r->s, p->k, 10), TERN_ERESET);
    assert_int_equal(tern_send_commit(r->s, p->k, 10), TERN_EINVAL);
    assert_int_equal(tern_shutdown(r->s, p->k), TERN_ERESET);
    assert_int_equal(tern_recv(r->s, p->k, &byte, 1), TERN_ERESET);
    assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_URGENT, 1), TERN_ERESET);
    assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_SOFT_ERROR, 0), 0);
    assert_int_equal(tern_close(r->s, p->k), 0);
}

/* A read into nothing takes nothing, and says so, also when there is something. */
static void reads_into_nothing(struct rig *r)
{
    struct peer *p = peer_passive(r);
    uint8_t byte;
    say(p, A, 1, 1, 10);
    rig_turn(r);
    rig_forget(r);
    assert_int_equal(tern_recv(r->s, p->k, &byte, 0), 0);
    peer_read(p, 0, 10);
    assert_int_equal(tern_recv(r->s, p->k, &byte, 0), TERN_EAGAIN);
    assert_int_equal(tern_recv_consume(r->s, p->k, 0), 0);
    assert_int_equal(tern_recv_consume(r->s, p->k, 1), TERN_EINVAL);
    rig_step(r, SEC(30)); /* asleep */
    assert_int_equal(tern_recv_owed(r->s, p->k, 0), 0);
    assert_int_equal(tern_recv_consume(r->s, p->k, 0), 0);
}

/* Lent memory may be two gigabytes and no more, with all that waits. */
static void lent_without_measure(struct rig *r)
{
    static const uint8_t data[16];
    struct peer *p = peer_passive(r);
    assert_int_equal(tern_send_lent(r->s, p->k, data, (size_t)1 << 33, NULL), TERN_EINVAL);
    assert_int_equal(tern_send_lent(r->s, p->k, data, 0, NULL), TERN_EINVAL);
}

/* ---- small segments -------------------------------------------------------------------------- */

/* SACK blocks leave room for payload, however small segments must be. */
static void blocks_in_small_segments(struct rig *r)
{
    for (uint16_t mss = 48; mss < 120; mss = (uint16_t)(mss + 8)) {
        struct peer *p = peer_new(r);
        p->mss = mss;
        p->ts = false;
        peer_connects(p, rig_listen(r, 80, 4, 0));
        for (uint32_t i = 0; i < 4; i++) {
            say(p, A, 101 + 200 * i, 1, 100);
            rig_turn(r);
            rig_forget(r);
        }
        assert_int_equal(peer_write(p, 0, 200), 200);
        rig_turn(r);
        const struct seg *g = rig_next(r);
        assert_non_null(g);
        assert_true(g->len >= 8 && g->len <= mss);
        assert_true(g->sacks == (mss - 12 < 8 ? 0 : g->sacks) && g->sacks <= 4);
        rig_forget(r);
        r->unclean = true;
        rig_renew(r);
    }
}

/* ---- super-segments -------------------------------------------------------------------------- */

/* As Linux: while much waits and an acknowledgement is due that lets more go at once, little waits
 * for it; not when the window is all there is, nor after a pause, nor before the end. */
static void little_waits_for_more(struct rig *r)
{
    for (unsigned how = 0; how < 4; how++) {
        r->link.caps = TERN_CAP_TSO4 | TERN_CAP_TSO6 | TERN_CAP_CSUM;
        r->link.gso_max = 65535;
        r->cfg.tso_segs_min = 2;
        r->cfg.tso_divisor = how == 1 ? 20 : 3;
        r->cfg.iw = 200;
        struct peer *p = sender_new(r, (struct sender_opt){.rtt = MS(10)});
        queue(p, how == 2 ? 202 : 600);
        rig_turn(r);
        rig_forget(r);
        if (how == 2)
            assert_int_equal(tern_shutdown(r->s, p->k), 0);
        rig_step(r, MS(10));
        unsigned una = 0, waited = 0;
        for (unsigned i = 0; i < 12; i++) {
            rig_step(r, US(how == 3 ? 2000 : 200));
            ack(p, ++una);
            rig_turn(r);
            waited += rig_waiting(r) == 0;
            rig_forget(r);
        }
        if (how == 0)
            assert_true(waited > 4);
        if (how == 3)
            assert_true(waited < 12);
        r->unclean = true;
        rig_renew(r);
    }
}

/* ---- FreeBSD --------------------------------------------------------------------------------- */

/* A reader in FreeBSD's style tells of room when that is half of the buffer, or two segments that
 * are a quarter of it, or any two where the window is small or the buffer is. */
static void freebsd_readers(struct rig *r)
{
    static const struct {
        uint32_t segs, filled, read;
        bool tells;
    } row[] = {{40, 40, 1, false}, {40, 40, 2, true}, {40, 30, 2, false}, {40, 30, 10, true},
               {6, 5, 1, false},   {6, 5, 2, true},   {4, 4, 2, true},    {40, 20, 1, false}};
    for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        uint32_t mss = r->ip6 ? 1440 : 1460, in = 1;
        r->cfg.style = TERN_STYLE_BSD;
        r->cfg.rcvbuf = row[i].segs * mss;
        struct peer *p = peer_new(r);
        p->mss = (uint16_t)mss;
        p->ts = false;
        peer_connects(p, rig_listen(r, 80, 4, 0));
        for (uint32_t n = 0; n < row[i].filled; n++, in += mss)
            say(p, A, in, 1, mss);
        rig_step(r, SEC(1));
        rig_forget(r);
        peer_read(p, 0, row[i].read * mss);
        rig_turn(r);
        if ((rig_waiting(r) != 0) != row[i].tells)
            rig_fail("row %u", i);
        rig_forget(r);
        r->unclean = true;
        rig_renew(r);
    }
}

/* close() in FreeBSD's style throws unread data away and says FIN. */
static void freebsd_closes(struct rig *r)
{
    r->cfg.style = TERN_STYLE_BSD;
    struct peer *p = peer_passive(r);
    say(p, A, 1, 1, 100);
    rig_step(r, SEC(1));
    rig_forget(r);
    assert_int_equal(tern_close(r->s, p->k), 0);
    hear(p, F | A, 1, 101, 0);
    say(p, F | A, 101, 2, 0);
    hear(p, A, 2, 102, 0);
}

/* ---- DCTCP ----------------------------------------------------------------------------------- */

/* An algorithm that needs ECN marks its SYN, too: how that can have arrived, and how not (RFC 9768
 * 3.2.2.3). */
static void a_marked_syn(struct rig *r)
{
    static const struct {
        unsigned flags;
        bool fine;
    } row[] = {{CWR, false}, {CWR | ECE, true}, {AE, true}, {AE | CWR, true}};
    for (unsigned i = 0; i < 4; i++) {
        r->cfg.ecn = 3;
        r->cfg.cc = &tern_cc_dctcp;
        struct peer *p = peer_new(r);
        p->accecn = true;
        p->lport = 0;
        tern_addr to = rig_addr(r->remote, p->port);
        assert_int_equal(tern_connect(r->s, &p->k, NULL, &to, p), 0);
        assert_int_equal(hear_syn(p, S | AE | CWR | ECE)->tos & 3, 2);
        say(p, S | A | row[i].flags, 0, 1, 0);
        rig_turn(r);
        rig_forget(r);
        assert_int_equal(info(p).ecn_fail & 1, !row[i].fine);
        assert_int_equal(peer_write(p, 0, 10), 10);
        rig_turn(r);
        const struct seg *g = rig_next(r);
        assert_non_null(g);
        assert_int_equal(g->tos & 3, row[i].fine ? 2 : 0);
        rig_forget(r);
        r->unclean = true;
        rig_renew(r);
    }
}

/* ---- everything with everything -------------------------------------------------------------- */

/* Each set of features with each set of options of a peer, in each style, whoever begins: in force
 * is what both have (the rig looks), and a stream comes and goes. */
static void features_and_options(struct rig *r)
{
    static const uint32_t feature[] = {TERN_FEATURE_SACK, TERN_FEATURE_WSCALE,
                                       TERN_FEATURE_TIMESTAMPS};
    for (unsigned i = 0; i < 512; i++) {
        unsigned ours = i & 7, theirs = i >> 3 & 7;
        r->cfg.style = (uint8_t)(i >> 6 & 3);
        for (unsigned f = 0; f < 3; f++)
            r->cfg.features &= ours >> f & 1 ? UINT32_MAX : ~feature[f];
        struct peer *p = peer_new(r);
        p->sack = theirs & 1;
        p->wscale = theirs & 2 ? 7 : -1;
        p->ts = theirs & 4;
        if (i & 256) {
            p->lport = 0;
            peer_accepts(p);
        } else {
            peer_connects(p, rig_listen(r, 80, 4, 0));
        }
        tern_tcp_info in = info(p);
        bool ts = (in.options & TERN_INFO_TIMESTAMPS) != 0;
        assert_int_equal(ts, (ours & theirs & 4) != 0);
        say(p, A, 1, 1, 100);
        rig_step(r, SEC(1));
        hear(p, A, 1, 101, 0);
        peer_read(p, 0, 100);
        assert_int_equal(peer_write(p, 0, 100), 100);
        hear(p, A, 1, 101, 100);
        p->raw_numbers = true,
        p->ts_on = false; /* without what was agreed upon: the letter of RFC 7323 drops that */
        say(p, A, 101, 101, 10);
        rig_step(r, SEC(1));
        assert_int_equal(info(p).rx_queued, ts && r->cfg.style == TERN_STYLE_RFC ? 0 : 10);
        rig_forget(r);
        r->unclean = true;
        rig_renew(r);
    }
}

/* Whatever comes to a connection in TIME-WAIT that nobody owns any more, it stays that: with no
 * listener a SYN begins nothing, and a RST ends nothing. */
static void anything_in_time_wait(struct rig *r)
{
    for (unsigned ts = 0; ts < 2; ts++) {
        uint32_t in, out;
        tern_memory m;
        struct peer *p = peer_new(r);
        p->ts = ts;
        p->lport = 0;
        peer_accepts(p);
        peer_to_state(p, TERN_TIME_WAIT, &in, &out);
        assert_int_equal(tern_close(r->s, p->k), 0);
        p->raw_numbers = true;
        struct seg like = peer_seg(p, A, in, out, 0);
        for (unsigned i = 0; i < 64 * 5 * 2 * 3; i++) {
            static const uint8_t byte = 1;
            struct seg g = like;
            g.flags = i & 63;
            g.seq += i / 64 % 5 - 2;
            g.len = i / 320 % 2;
            g.data = &byte;
            g.ts = i / 640 != 2;
            g.tsval = like.tsval - (i / 640 == 1);
            rig_input_seg(r, &g);
            rig_turn(r);
            rig_forget(r);
            if (i % 7 == 0)
                rig_step(r, MS(100));
        }
        rig_forget(r);
        rig_memory(r, &m);
        assert_int_equal(m.timewaits, 1);
        r->unclean = true;
        rig_renew(r);
    }
}

/* Options that come when what they are about has begun: an acknowledgement that waits goes, and the
 * patience with CLOSE-WAIT counts from there. */
static void options_in_the_middle(struct rig *r)
{
    struct peer *p = peer_passive(r);
    assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_QUICKACK, 0), 0);
    say(p, A, 1, 1, 100);
    rig_hush(r);
    assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_QUICKACK, 1), 0);
    hear(p, A, 1, 101, 0);
    peer_read(p, 0, 100);
    say(p, F | A, 101, 1, 0);
    hear(p, A, 1, 102, 0);
    assert_int_equal(peer_state(p), TERN_CLOSE_WAIT);
    rig_step(r, SEC(5));
    assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_CLOSE_WAIT, (int64_t)SEC(3)), 0);
    rig_step(r, SEC(2));
    rig_hush(r);
    rig_step(r, SEC(2));
    hear_rst(p, R | A, 1, 102);
    assert_int_equal(info(p).err, TERN_ETIMEDOUT);
}

/* A segment that the device has refused for a while is sent again a time-out after it has left. */
static void a_device_that_refuses(struct rig *r)
{
    r->cfg.features &= ~(uint32_t)TERN_FEATURE_PROBE;
    struct peer *p = sender_new(r, (struct sender_opt){0});
    r->hold = true;
    queue(p, 1);
    rig_turn(r);
    rig_forget(r);
    uint64_t rto = info(p).rto;
    rig_step(r, MS(150));
    r->hold = false;
    rig_refuse(r);
    rig_turn(r);
    hear(p, A, 1, 1, SEG);
    rig_wait_exactly(r, rto);
    hear(p, A, 1, 1, SEG);
    r->unclean = true;
}

/* The MSS to ask for may be less than what the link takes. */
static void a_smaller_mss(struct rig *r)
{
    r->cfg.mss_offer = 1000;
    struct peer *p = peer_new(r);
    p->lport = 0;
    peer_syn_sent(p);
    assert_int_equal(r->last->mss, 1000);
    r->unclean = true;
}

/* ---- ways that go ---------------------------------------------------------------------------- */

/* What waits to leave is looked at again when routes have changed: it goes where it went, or, if no
 * way is left, a reset that nobody waits for goes with its connection. */
static void routes_that_go(struct rig *r)
{
    const uint8_t far4[16] = {[10] = 0xff, 0xff, 198, 51, 100, 77}, far6[16] = {0x20, 2, [15] = 7};
    const uint8_t *far = r->ip6 ? far6 : far4;
    tern_memory m;
    memcpy(r->remote, far, 16);
    rig_start(r);
    assert_int_equal(tern_route_add(r->s, far, 128, NULL, r->iface), 0);
    for (unsigned abort = 0; abort < 3; abort++) {
        struct peer *p = peer_passive(r);
        assert_int_equal(peer_write(p, 0, 100), 100);
        if (abort == 0) {
            uint8_t other[16];
            memcpy(other, far, 16);
            other[15]++;
            assert_int_equal(tern_route_add(r->s, other, 128, NULL, r->iface), 0);
            hear(p, A, 1, 1, 100);
            continue;
        }
        if (abort == 2)
            assert_int_equal(tern_abort(r->s, p->k), 0);
        assert_int_equal(tern_route_remove(r->s, far, 128, NULL, r->iface), 0);
        rig_hush(r);
        rig_memory(r, &m);
        assert_int_equal(m.conns, 2); /* the first and the second: the third is gone */
        assert_int_equal(tern_route_add(r->s, far, 128, NULL, r->iface), 0);
        if (abort == 1) {
            rig_wait(r, SEC(10));
            rig_forget(r);
        }
    }
    r->unclean = true;
}

/* A device that completes checksums is given a datagram's pseudo-header. */
static void a_device_that_sums_datagrams(struct rig *r)
{
    static const uint8_t data[100];
    tern_sock k;
    tern_pkt out;
    r->link.caps = TERN_CAP_CSUM;
    rig_start(r);
    tern_udp_args a = {.user = r};
    assert_int_equal(tern_udp_open(r->s, &k, &a), 0);
    tern_addr to = rig_addr(r->remote, 7);
    assert_int_equal(tern_udp_send(r->s, k, &to, data, sizeof(data)), sizeof(data));
    assert_int_equal(tern_output(r->s, r->iface, &out, 1, r->now), 1);
    assert_true(out.flags & TERN_PKT_CSUM_PARTIAL);
    assert_int_equal(out.csum_start, r->ip6 ? 40 : 20);
    assert_int_equal(out.csum_offset, 6);
    tern_output_done(r->s, &out, 1);
}

/* While a window keeps data back it is the probes of that which tell whether the peer lives, and
 * keep-alive waits. */
static void keep_alive_behind_a_closed_window(struct rig *r)
{
    struct peer *p = peer_passive(r);
    p->raw_numbers = true;
    assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_KEEP_IDLE, (int64_t)SEC(1)), 0);
    assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_KEEPALIVE, 1), 0);
    p->wnd = 0;
    say(p, A, 1, 1, 0);
    assert_int_equal(peer_write(p, 0, 100), 100);
    for (unsigned i = 0; i < 6; i++) {
        rig_wait(r, SEC(60));
        rig_forget(r);
        say(p, A, 1, 1, 0);
    }
    assert_int_equal(info(p).keep_probes, 0);
    assert_int_equal(peer_state(p), TERN_ESTABLISHED);
    rig_forget(r);
    r->unclean = true;
}

/* ---- what is refused ------------------------------------------------------------------------- */

/* Each limit of the configuration by itself. */
static void limits_of_the_configuration(struct rig *r)
{
    const uint64_t long_time = SEC(4 * 3600) + 1;
    for (unsigned i = 0; i < 22; i++) {
        tern *s;
        tern_config c = r->cfg;
        switch (i) {
        case 0:
            c.orphans_max = 0;
            break;
        case 1:
            c.orphan = long_time;
            break;
        case 2:
            c.close_wait = long_time;
            break;
        case 3:
            c.fin_wait2 = long_time;
            break;
        case 4:
            c.hold = long_time;
            break;
        case 5:
            c.ecn = 6;
            break;
        case 6:
            c.mtu_probing = 3;
            break;
        case 7:
            c.ecn_option = 4;
            break;
        case 8:
            c.idle = long_time;
            break;
        case 9:
            c.tx_horizon = long_time;
            break;
        case 10:
            c.rto_max = long_time;
            break;
        case 11:
            c.rto_initial = long_time;
            break;
        case 12:
            c.cookies = 9;
            break;
        case 13:
            c.sources_max = 0;
            break;
        case 14:
            c.rules_max = 0;
            break;
        case 15:
            c.source_bits4 = 33;
            break;
        case 16:
            c.source_bits6 = 129;
            break;
        case 17:
            c.ttl = 0;
            break;
        case 18:
            c.replies_max = 0;
            break;
        case 19:
            c.advance_max = 0;
            break;
        case 20:
            c.msl = long_time;
            break;
        default:
            c.buf_bytes_max = 0;
            break;
        }
        assert_int_equal(tern_new(&s, &c, r->now), TERN_EINVAL);
    }
}

/* Interfaces that no packet could use, listeners' limits, and calls in the wrong state. */
static void odd_arguments(struct rig *r)
{
    static const uint8_t group[6] = {1}, mac[6] = {2};
    struct peer *p = peer_passive(r);
    static const tern_iface bad[] = {{.mtu = 67},
                                     {.mtu = 65536},
                                     {.mtu = 65535, .mac = mac},
                                     {.mtu = 1500, .gso_max = 65536},
                                     {.mtu = 1500, .mac = group}};
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(tern_iface_add(r->s, &bad[i]), TERN_EINVAL);
        assert_int_equal(tern_iface_change(r->s, r->iface, &bad[i]), TERN_EINVAL);
    }
    assert_int_equal(tern_iface_change(r->s, 99, &r->link), TERN_EINVAL);
    tern_limits l = {.syn_rate = 1000000001};
    assert_int_equal(tern_limits_set(r->s, r->listener, &l), TERN_EINVAL);
    l = (tern_limits){.syn_burst = UINT32_MAX};
    assert_int_equal(tern_limits_set(r->s, r->listener, &l), TERN_EINVAL);
    assert_int_equal(tern_limits_set(r->s, p->k, &l), TERN_EINVAL); /* no listener */
    assert_int_equal(tern_close(r->s, r->listener), 0);
    assert_int_equal(tern_limits_set(r->s, r->listener, &l), TERN_ESTALE);
    assert_int_equal(tern_watch(r->s, r->listener, NULL, NULL), TERN_ESTALE);
}

/* Packets that are cut off behind IP's header, of a protocol that nobody speaks, or without any
 * piece. */
static void packets_of_no_use(struct rig *r)
{
    static const struct {
        uint8_t proto4, proto6;
        enum tern_drop why;
    } row[] = {{1, 58, TERN_DROP_ICMP_CSUM},
               {17, 17, TERN_DROP_UDP_HEADER},
               {99, 99, TERN_DROP_IP_PROTOCOL}};
    rig_start(r);
    for (unsigned i = 0; i < 3; i++) {
        uint8_t p[64] = {0};
        unsigned ip = r->ip6 ? 40 : 20, len = i == 1 ? 4 : 12;
        p[0] = r->ip6 ? 0x60 : 0x45;
        if (r->ip6) {
            p[5] = (uint8_t)len, p[6] = row[i].proto6, p[7] = 64;
            memcpy(p + 8, r->remote, 16);
            memcpy(p + 24, r->local, 16);
        } else {
            p[3] = (uint8_t)(ip + len), p[8] = 64, p[9] = row[i].proto4;
            memcpy(p + 12, r->remote + 12, 4);
            memcpy(p + 16, r->local + 12, 4);
            uint32_t sum = ~seg_sum(p, 20, 0) & 0xffff;
            p[10] = (uint8_t)(sum >> 8), p[11] = (uint8_t)sum;
        }
        p[ip] = r->ip6 ? 128 : 8; /* an echo request, if it were one: its sum is wrong */
        p[ip + 4] = 1;
        rig_input(r, p, ip + len);
        assert_int_equal(rig_drops(r, row[i].why), 1);
    }
    tern_pkt none = {.iface = (uint16_t)r->iface};
    tern_input(r->s, &none, 1, r->now);
    assert_int_equal(rig_drops(r, TERN_DROP_SHORT), 1);
}

/* Datagrams to where nobody can be, or of another family than they are bound to. */
static void datagrams_to_nowhere(struct rig *r)
{
    rig_start(r);
    static const uint8_t any4[16] = {[10] = 0xff, 0xff};
    tern_sock k;
    uint8_t group[16] = {0xff, 2, [15] = 1}, none[16] = {0};
    if (!r->ip6)
        memcpy(group, (uint8_t[16]){[10] = 0xff, 0xff, 224, 0, 0, 1}, 16);
    uint8_t broadcast[16] = {[10] = 0xff, 0xff, 192, 0, 2, 255};
    const uint8_t *to[] = {group, r->ip6 ? none : broadcast, r->local, r->remote};
    for (unsigned i = 0; i < 4; i++) {
        tern_udp_args a = {.user = r};
        assert_int_equal(tern_udp_open(r->s, &k, &a), 0);
        tern_addr peer = rig_addr(to[i], i == 3 ? 0 : 7);
        assert_int_equal(tern_udp_connect(r->s, k, &peer), TERN_EINVAL);
        assert_int_equal(tern_close(r->s, k), 0);
    }
    tern_udp_args a = {.user = r, .local = rig_addr(any4, 0)};
    assert_int_equal(tern_udp_open(r->s, &k, &a), 0);
    tern_addr peer = rig_addr(r->remote, 7);
    assert_int_equal(tern_udp_connect(r->s, k, &peer), r->ip6 ? TERN_EADDRNOTAVAIL : 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(first_windows),
        RIG(a_window_that_shrinks),
        RIG(rst_in_time_wait),
        RIG(reset_when_nobody_accepts),
        RIG(progress_is_told),
        RIG(keep_alive_of_the_unborn),
        RIG(calls_after_the_end),
        RIG(reads_into_nothing),
        RIG(lent_without_measure),
        RIG(blocks_in_small_segments),
        RIG(little_waits_for_more),
        RIG(freebsd_readers),
        RIG(freebsd_closes),
        RIG(a_marked_syn),
        RIG(features_and_options),
        RIG(anything_in_time_wait),
        RIG(options_in_the_middle),
        RIG(a_device_that_refuses),
        RIG(a_smaller_mss),
        RIG(routes_that_go),
        RIG(a_device_that_sums_datagrams),
        RIG(keep_alive_behind_a_closed_window),
        RIG(limits_of_the_configuration),
        RIG(odd_arguments),
        RIG(packets_of_no_use),
        RIG(datagrams_to_nowhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
