/* test_urgent.c - urgent data (RFC 9293 3.8.5): the pointer sent and received, and what the owner
 * is told of it. */
#include "rig.h"

static tern_urgent urgent_of(const struct peer *p)
{
    tern_urgent u;
    assert_int_equal(tern_urgent_get(p->r->s, p->k, &u), 0);
    return u;
}

/* The peer says that its urgent data ends before `end`, counted from the segment's number. */
static void say_urgent(struct peer *p, uint32_t seq, uint32_t len, uint16_t end)
{
    struct seg g = peer_seg(p, A | U, seq, 1, len);
    g.urg = end;
    rig_input_seg(p->r, &g);
    rig_turn(p->r);
}

static void send_urgent(struct peer *p, uint32_t offset, size_t len)
{
    assert_int_equal(peer_write(p, offset, len), len);
    assert_int_equal(tern_option_set(p->r->s, p->k, TERN_OPT_URGENT, 1), 0);
}

static bool in_urgent_mode(const struct peer *p)
{
    int64_t on;
    assert_int_equal(tern_option_get(p->r->s, p->k, TERN_OPT_URGENT, &on), 0);
    return on != 0;
}

/* MUST-30, MUST-62: the pointer is the distance to the byte after the urgent data. */
static void MUST_30_MUST_62_pointer_sent(struct rig *r)
{
    struct peer *p = peer_passive(r);
    send_urgent(p, 0, 7);
    assert_int_equal(hear(p, A | U, 1, 1, 7)->urg, 7);
    assert_true(in_urgent_mode(p));
    peer_write(p, 7, 5);
    hear(p, A, 8, 1, 5); /* nothing of this is urgent, and Nagle does not hold it back */
    say(p, A, 1, 13, 0);
    rig_turn(r);
    assert_false(in_urgent_mode(p));
    peer_write(p, 12, 5);
    hear(p, A, 13, 1, 5);
}

/* MUST-31: more than a pointer can reach: each segment says that more is to come. */
static void MUST_31_any_length(struct rig *r)
{
    enum { LEN = 200000, MSS = 1000 };
    r->link.gso_max = 65521;
    r->link.caps = TERN_CAP_CSUM | TERN_CAP_TSO4 | TERN_CAP_TSO6;
    r->cfg.sndbuf = r->cfg.sndbuf_max = 2 * LEN;
    struct peer *p = peer_new(r);
    p->mss = MSS;
    p->ts = false;
    p->wnd = 65535;
    p->wscale = 4;
    peer_connects(p, r->listener.id ? r->listener : (r->listener = rig_listen(r, 80, 8, 0)));
    send_urgent(p, 0, LEN);
    uint32_t next = 1;
    while (next < LEN + 1) {
        uint32_t len = LEN + 1 - next < MSS ? LEN + 1 - next : MSS, left = LEN + 1 - next;
        const struct seg *g = rig_next(r);
        if (g == NULL) { /* cwnd is used up */
            say(p, A, 1, next, 0);
            rig_turn(r);
            continue;
        }
        assert_int_equal(g->seq, p->iss + next);
        assert_int_equal(g->len, len);
        assert_true(g->flags & U);
        assert_int_equal(g->urg, left > 65535 ? 65535 : left);
        next += len;
    }
    say(p, A, 1, next, 0);
    rig_turn(r);
    assert_false(in_urgent_mode(p));
}

/* A retransmission, and a FIN behind it, say the same as what was lost. */
static void sent_again(struct rig *r)
{
    struct peer *p = peer_passive(r);
    peer_write(p, 0, 10);
    hear(p, A, 1, 1, 10);
    send_urgent(p, 10, 10);
    assert_int_equal(hear(p, A | U, 11, 1, 10)->urg, 10);
    rig_wait(r, SEC(5)); /* the tail-loss probe */
    rig_forget(r);
    rig_wait(r, SEC(5));
    assert_int_equal(hear(p, A | U, 1, 1, 10)->urg, 20);
}

/* A window of nothing: the pointer goes all the same, in a probe. */
static void zero_window(struct rig *r)
{
    struct peer *p = peer_passive(r);
    p->wnd = 0;
    say(p, A, 1, 1, 1);
    hear(p, A, 1, 2, 0);
    send_urgent(p, 0, 10);
    rig_hush(r);
    rig_wait(r, SEC(5));
    assert_int_equal(hear(p, A | U, 1, 2, 0)->urg, 10);
    assert_int_equal(hear(p, A | U, 0, 2, 0)->urg, 11);
    rig_hush(r);
}

/* MUST-32, MUST-33: the owner hears of the pointer, of one that moves on, and how much is left. */
static void MUST_32_MUST_33_told(struct rig *r)
{
    struct peer *p = peer_passive(r);
    assert_false(urgent_of(p).pending);
    rig_events(r, p->k, NULL);
    say_urgent(p, 1, 3, 5); /* bytes 0 to 2, the urgent one is 4 */
    assert_true(rig_events(r, p->k, NULL) & TERN_EV_URGENT);
    tern_urgent u = urgent_of(p);
    assert_true(u.pending && !u.here);
    assert_int_equal(u.at, 4);
    assert_int_equal(u.ahead, 4);
    peer_read(p, 0, 2);
    assert_int_equal(urgent_of(p).ahead, 2);
    say(p, A, 4, 1, 3); /* bytes 3 to 5 */
    rig_turn(r);
    assert_true(rig_events(r, p->k, NULL) & TERN_EV_URGENT);
    u = urgent_of(p);
    assert_true(u.pending && u.here);
    assert_int_equal(u.byte, pattern(0, 4));
    say_urgent(p, 7, 2, 1); /* byte 6 now */
    assert_true(rig_events(r, p->k, NULL) & TERN_EV_URGENT);
    assert_int_equal(urgent_of(p).at, 6);
    assert_int_equal(urgent_of(p).byte, pattern(0, 6));
    peer_read(p, 2, 5); /* it is read with the rest */
    assert_false(urgent_of(p).pending);
    say_urgent(p, 9, 1, 0);
    assert_int_equal(urgent_of(p).at, 8);
}

/* What is behind the one that is known, or behind what has come, is no news. (A-45, A-46, T-20) */
static void old_pointers(struct rig *r)
{
    struct peer *p = peer_passive(r);
    say_urgent(p, 1, 10, 20);
    rig_events(r, p->k, NULL);
    say_urgent(p, 11, 5, 3);
    assert_false(rig_events(r, p->k, NULL) & TERN_EV_URGENT);
    assert_int_equal(urgent_of(p).at, 19);
    say(p, A, 16, 1, 10);
    peer_read(p, 0, 25);
    say_urgent(p, 1, 10, 5); /* a duplicate */
    assert_false(urgent_of(p).pending);
}

/* It can be had before what is missing in front of it; and comes in order all the same.
 * (A-45, T-20) */
static void out_of_order(struct rig *r)
{
    struct peer *p = peer_passive(r);
    say_urgent(p, 11, 10, 5);
    tern_urgent u = urgent_of(p);
    assert_true(u.here);
    assert_int_equal(u.ahead, 14);
    assert_int_equal(u.byte, pattern(0, 14));
    say(p, A, 1, 1, 10);
    peer_read(p, 0, 20);
    assert_false(urgent_of(p).pending);
}

/* After the peer's FIN no pointer counts (3.10.7.4). */
static void after_fin(struct rig *r)
{
    struct peer *p = peer_passive(r);
    say(p, F | A, 1, 1, 0);
    say_urgent(p, 2, 0, 5);
    assert_false(urgent_of(p).pending);
}

/* A pointer comes with a window of nothing, too (3.10.7.4). */
static void full_window(struct rig *r)
{
    r->cfg.rcvbuf = r->cfg.rcvbuf_max = 2000;
    struct peer *p = peer_passive(r);
    uint32_t room = p->edge - p->irs - 1;
    say(p, A, 1, 1, 1000);
    say(p, A, 1001, 1, room - 1000);
    say_urgent(p, room + 1, 0, 10);
    assert_int_equal(urgent_of(p).at, room + 9);
}

/* What was read, and what was acknowledged, is urgent no more. */
static void over(struct rig *r)
{
    struct peer *p = peer_passive(r);
    say_urgent(p, 1, 10, 5);
    peer_read(p, 0, 10);
    rig_forget(r);
    send_urgent(p, 0, 10);
    hear(p, A | U, 1, 11, 10);
    say(p, A, 11, 11, 0);
    rig_turn(r);
    assert_false(urgent_of(p).pending);
    assert_false(in_urgent_mode(p));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_ISNS(MUST_30_MUST_62_pointer_sent),
        RIG_ISNS(MUST_31_any_length),
        RIG(sent_again),
        RIG(zero_window),
        RIG_ISNS(MUST_32_MUST_33_told),
        RIG_ISNS(old_pointers),
        RIG(out_of_order),
        RIG(after_fin),
        RIG(full_window),
        RIG(over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
