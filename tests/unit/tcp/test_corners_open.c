/* test_corners_open.c - opening at odd moments and with odd answers: SYN-ACKs that answer nothing
 * of ours, or bring what there is no room for; listeners that are full, held, or of one family. */
#include "sender.h"

static void renew(struct rig *r)
{
    r->unclean = true;
    rig_renew(r);
}

static struct peer *client(struct rig *r)
{
    struct peer *p = peer_new(r);
    p->lport = 80;
    return p;
}

static tern_sock listens(struct rig *r, tern_listen_args args)
{
    tern_sock k;
    rig_start(r);
    args.local.port = 80;
    args.backlog = args.backlog != 0 ? args.backlog : 16;
    assert_int_equal(tern_listen(r->s, &k, &args), 0);
    return k;
}

/* ---- active ---------------------------------------------------------------------------------- */

/* An answer to a SYN that has not left is none. */
static void answered_before_it_was_asked(struct rig *r)
{
    struct peer *p = peer_new(r);
    tern_addr to = rig_addr(r->remote, p->port), from = {.port = 4000};
    p->lport = 4000;
    assert_int_equal(tern_connect(r->s, &p->k, &from, &to, p), 0);
    say(p, S | A, 0, 1, 0);
    assert_int_equal(rig_drops(r, TERN_DROP_TCP_ACK), 1);
    hear_syn(p, S);
    rig_hush(r);
    say(p, S | A, 0, 1, 0);
    hear(p, A, 1, 1, 0);
}

/* Linux: a SYN-ACK whose timestamp echoes none of our SYNs' is refused, if we have sent any; not
 * one that echoes nothing, nor an RST. */
static void echoes_of_others(struct rig *r)
{
    static const struct {
        unsigned flags;
        uint32_t off; /* of what it echoes, from what we have sent; 1: it echoes 0 */
        bool ours, refused;
    } row[] = {{S | A, 0, true, false},      {S | A, 1, true, false},
               {S | A, 70000, true, true},   {S | A, 0u - 70000, true, true},
               {S | A, 70000, false, false}, {R | A, 70000, true, false}};
    for (unsigned i = 0; i < 6; i++) {
        r->cfg.style = TERN_STYLE_LINUX;
        if (!row[i].ours)
            r->cfg.features &= ~(uint32_t)TERN_FEATURE_TIMESTAMPS;
        struct peer *p = peer_new(r);
        int err = 0;
        p->lport = 0;
        peer_syn_sent(p);
        struct seg g = peer_seg(p, row[i].flags, 0, 1, 0);
        g.ts = true;
        g.tsval = 5;
        g.tsecr = row[i].off == 1 ? 0 : p->tsecr + row[i].off;
        p->ts_on = row[i].ours;
        p->tsval = 6 - (uint32_t)(r->now / MS(1));
        rig_input_seg(r, &g);
        if (row[i].refused) {
            hear_rst(p, R, 1, 0);
            assert_int_equal(rig_drops(r, TERN_DROP_TCP_ACK), 1);
            assert_int_equal(peer_state(p), TERN_SYN_SENT);
        } else if (row[i].flags & R) {
            rig_hush(r);
            assert_true(rig_events(r, p->k, &err) & TERN_EV_ERROR);
            assert_int_equal(err, TERN_EREFUSED);
        } else {
            hear(p, A, 1, 1, 0);
            assert_int_equal(peer_state(p), TERN_ESTABLISHED);
        }
        renew(r);
    }
}

/* FreeBSD begins with one segment where a SYN was lost. */
static void a_lost_syn_of_bsd(struct rig *r)
{
    for (unsigned lost = 0; lost < 2; lost++) {
        r->cfg.style = TERN_STYLE_BSD;
        struct peer *p = peer_new(r);
        p->lport = 0;
        peer_syn_sent(p);
        if (lost) {
            rig_wait(r, SEC(10));
            hear_syn(p, S);
        }
        say(p, S | A, 0, 1, 0);
        rig_turn(r);
        rig_forget(r);
        tern_tcp_info i = info(p);
        assert_int_equal(i.cwnd == i.snd_mss, lost);
        renew(r);
    }
}

/* Data on a SYN-ACK for which there is no memory comes again; the SYN-ACK counts. */
static void no_room_for_data_on_a_synack(struct rig *r)
{
    struct peer *p = peer_new(r);
    p->lport = 0;
    peer_syn_sent(p);
    r->mem.fail_on = true;
    r->mem.fail_at = r->mem.calls + 1;
    say(p, S | A, 0, 1, 100);
    r->mem.fail_on = false;
    r->mem.fail_at = 0;
    assert_int_equal(rig_drops(r, TERN_DROP_MEMORY), 1);
    hear(p, A, 1, 1, 0);
    say(p, A, 1, 1, 100);
    hear(p, A, 1, 101, 0);
    peer_read(p, 0, 100);
}

/* Data on a SYN-ACK for who has said that nobody will read any is answered as all such data. */
static void nobody_reads_data_on_a_synack(struct rig *r)
{
    int err;
    struct peer *p = peer_new(r);
    p->lport = 0;
    peer_syn_sent(p);
    assert_int_equal(tern_recv_shutdown(r->s, p->k), 0);
    assert_int_equal(tern_shutdown(r->s, p->k), 0);
    say(p, S | A, 0, 1, 100);
    hear_rst(p, R, 1, 0);
    rig_hush(r);
    assert_true(rig_events(r, p->k, &err) & TERN_EV_ERROR);
    assert_int_equal(err, TERN_ERESET);
}

/* ---- passive --------------------------------------------------------------------------------- */

/* A listener for IPv6 alone is no listener for IPv4, and one for the other. */
static void of_one_family(struct rig *r)
{
    listens(r, (tern_listen_args){.flags = TERN_LISTEN_IP6_ONLY});
    struct peer *p = client(r);
    say(p, S, 0, 0, 0);
    if (r->ip6)
        hear_syn(p, S | A);
    else
        hear_rst(p, R | A, 0u - p->iss, 1);
    r->unclean = true;
}

/* FreeBSD's window scale is that of the largest buffer, whatever a listener's is. */
static void scale_of_bsd(struct rig *r)
{
    int scale[2][2];
    for (unsigned bsd = 0; bsd < 2; bsd++) {
        for (unsigned small = 0; small < 2; small++) {
            r->cfg.style = bsd ? TERN_STYLE_BSD : TERN_STYLE_OWN;
            tern_sock l = listens(r, (tern_listen_args){0});
            if (small)
                assert_int_equal(tern_option_set(r->s, l, TERN_OPT_RCVBUF, 8192), 0);
            struct peer *p = client(r);
            say(p, S, 0, 0, 0);
            scale[bsd][small] = hear_syn(p, S | A)->wscale;
            renew(r);
        }
    }
    assert_int_equal(scale[0][1], 0);
    assert_int_not_equal(scale[0][0], 0);
    assert_int_not_equal(scale[1][0], 0);
    assert_int_equal(scale[1][1], scale[1][0]);
}

/* Who knocks while as many wait as may is not heard. */
static void a_full_queue(struct rig *r)
{
    tern_sock l = listens(r, (tern_listen_args){.backlog = 1});
    struct peer *p = client(r), *q = client(r);
    say(p, S, 0, 0, 0);
    hear_syn(p, S | A);
    say(p, A, 1, 1, 0);
    say(q, S, 0, 0, 0);
    rig_hush(r);
    assert_int_equal(rig_drops(r, TERN_DROP_TCP_BACKLOG), 1);
    assert_int_equal(tern_accept(r->s, l, &p->k, NULL, p), 0);
    say(q, S, 0, 0, 0);
    hear_syn(q, S | A);
    r->unclean = true;
}

/* Cookies for all are not for who is to be held: its owner is asked, and what claims to bring a
 * cookie is refused. */
static void held_where_cookies_are_for_all(struct rig *r)
{
    r->cfg.cookies = TERN_COOKIES_ALWAYS;
    tern_sock l = listens(r, (tern_listen_args){.flags = TERN_LISTEN_HOLD});
    struct peer *p = client(r), *q = client(r);
    say(p, S, 0, 0, 0);
    rig_hush(r);
    assert_int_equal(rig_event_count(r, l, TERN_EV_HOLD), 0); /* (the event is of what is held) */
    assert_int_equal(r->ev_count, 1);
    assert_int_equal(r->ev[0].mask, TERN_EV_HOLD);
    q->iss = 77;
    say(q, A, 1, 1, 0);
    hear_rst(q, R, 1, 0);
    assert_int_equal(rig_count(r, TERN_COUNT_COOKIES_BAD), 0);
    r->unclean = true;
}

/* RFC 6191: TIME-WAIT gives way to a SYN that the listener would take, and to no other. */
static void time_wait_gives_way(struct rig *r)
{
    static const struct {
        const char *what;
        uint32_t halfopen_max, backlog, syn_queue;
        bool half, waits, taken;
    } row[] = {{"room", 8, 4, 0, true, true, true},
               {"no entry", 1, 4, 0, true, false, false},
               {"one waits", 8, 1, 0, false, true, false},
               {"its own share", 8, 4, 2, true, false, true},
               {"its share is used", 8, 4, 1, true, false, false}};
    for (unsigned i = 0; i < 5; i++) {
        r->cfg.halfopen_max = row[i].halfopen_max;
        tern_listen_args args = {.backlog = row[i].backlog, .syn_queue = row[i].syn_queue};
        tern_sock l = listens(r, args);
        struct peer *p = client(r), *half = client(r), *waits = client(r);
        uint32_t in, out;
        peer_connects(p, l);
        peer_to_state(p, TERN_TIME_WAIT, &in, &out);
        assert_int_equal(tern_close(r->s, p->k), 0);
        rig_step(r, MS(10));
        if (row[i].waits) {
            say(waits, S, 0, 0, 0);
            hear_syn(waits, S | A);
            say(waits, A, 1, 1, 0);
            rig_turn(r);
        }
        if (row[i].half) {
            say(half, S, 0, 0, 0);
            hear_syn(half, S | A);
        }
        p->raw_numbers = true;
        say(p, S, 100000, 0, 0);
        rig_turn(r);
        const struct seg *g = rig_next(r);
        if (g == NULL || g->dport != p->port || g->flags != (row[i].taken ? S | A : A))
            rig_fail("%s: %s", row[i].what, g != NULL ? seg_text(g, p->iss, p->irs) : "silence");
        assert_int_equal(rig_count(r, TERN_COUNT_TIMEWAIT_RECYCLED), row[i].taken);
        renew(r);
    }
}

/* ---- segments at odd places ------------------------------------------------------------------ */

/* With no window at all a SYN right at it is challenged like any other. */
static void a_syn_at_a_closed_window(struct rig *r)
{
    r->cfg.rcvbuf = 2000;
    r->cfg.tuning.fixed_rcvbuf = true;
    struct peer *p = peer_passive(r);
    uint32_t in = 1;
    while (info(p).rcv_wnd != 0) {
        uint32_t len = info(p).rcv_wnd;
        say(p, A, in, 1, len), in += len;
        rig_turn(r);
        rig_forget(r);
    }
    say(p, S, in, 1, 0);
    assert_int_equal(rig_count(r, TERN_COUNT_CHALLENGE_ACKS), 1);
    assert_int_equal(rig_drops(r, TERN_DROP_TCP_SEQUENCE), 1);
    hear(p, A, 1, in, 0);
    peer_read(p, 0, in - 1);
    rig_turn(r);
    rig_forget(r);
}

/* An RST counts at RCV.NXT, and at the end of what was SACKed last; elsewhere it is challenged. */
static void a_reset_past_a_hole(struct rig *r)
{
    struct peer *p = peer_passive(r);
    say(p, A, 101, 1, 100);
    hear(p, A, 1, 1, 0);
    say(p, R, 200, 0, 0);
    hear(p, A, 1, 1, 0);
    assert_int_equal(peer_state(p), TERN_ESTABLISHED);
    say(p, R, 201, 0, 0);
    rig_hush(r);
    assert_int_equal(peer_state(p), TERN_CLOSED);
}

/* Of two FINs past a hole the nearer one is the end. */
static void two_ends(struct rig *r)
{
    for (unsigned later = 0; later < 2; later++) {
        char byte;
        struct peer *p = peer_passive(r);
        say(p, F | A, later ? 11 : 21, 1, 0);
        hear(p, A, 1, 1, 0);
        say(p, F | A, later ? 21 : 11, 1, 0);
        hear(p, A, 1, 1, 0);
        say(p, A, 1, 1, 10);
        hear(p, A, 1, 12, 0);
        assert_int_equal(peer_state(p), TERN_CLOSE_WAIT);
        peer_read(p, 0, 10);
        assert_int_equal(tern_recv(r->s, p->k, &byte, 1), 0);
    }
}

/* A window that closes altogether moves no timer of one that was too small before. */
static void from_little_to_nothing(struct rig *r)
{
    struct peer *p = peer_new(r);
    p->wscale = -1;
    p->wnd = 4000;
    peer_connects(p, rig_listen(r, 80, 4, 0));
    p->raw_numbers = true;
    p->wnd = 100;
    say(p, A, 1, 1, 1);
    rig_turn(r);
    rig_forget(r);
    peer_write(p, 0, 1000);
    rig_hush(r);
    assert_true(info(p).probing);
    uint64_t due = r->now + info(p).rto;
    rig_step(r, MS(50));
    p->wnd = 0;
    say(p, A, 2, 1, 0);
    rig_turn(r);
    rig_forget(r);
    assert_true(info(p).probing);
    rig_wait_exactly(r, due - r->now);
    hear(p, A, 0, 2, 0);
    p->wnd = 4000;
    say(p, A, 2, 1, 0);
    hear(p, A, 1, 2, 1000);
    r->unclean = true;
}

/* The probe of a tail that is acknowledged at that very moment stays at home. */
static void nothing_left_to_probe(struct rig *r)
{
    struct peer *p = sender_new(r, (struct sender_opt){0});
    queue(p, 2);
    sends(p, 0, 2);
    rig_step(r, MS(1));
    r->now = info(p).timer;
    tern_advance(r->s, r->now);
    ack(p, 2);
    rig_hush(r);
    assert_int_equal(rig_count(r, TERN_COUNT_PROBES), 0);
    queue(p, 1);
    sends(p, 2, 3);
    ack(p, 3);
}

/* Linux: what lingers in FIN-WAIT-2 for less than no time is reset at once. */
static void no_fin_wait_2(struct rig *r)
{
    struct peer *p = peer_active(r);
    assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_FIN_WAIT2, -1), 0);
    assert_int_equal(tern_close(r->s, p->k), 0);
    hear(p, F | A, 1, 1, 0);
    say(p, A, 1, 2, 0);
    hear_rst(p, R | A, 2, 1);
    rig_hush(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(answered_before_it_was_asked),
        RIG(echoes_of_others),
        RIG(a_lost_syn_of_bsd),
        RIG(no_room_for_data_on_a_synack),
        RIG(nobody_reads_data_on_a_synack),
        RIG(of_one_family),
        RIG(scale_of_bsd),
        RIG(a_full_queue),
        RIG(held_where_cookies_are_for_all),
        RIG(time_wait_gives_way),
        RIG(a_syn_at_a_closed_window),
        RIG(a_reset_past_a_hole),
        RIG(two_ends),
        RIG(from_little_to_nothing),
        RIG(nothing_left_to_probe),
        RIG(no_fin_wait_2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
