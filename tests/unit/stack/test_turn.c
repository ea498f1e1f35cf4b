/* test_turn.c - the order of a turn and what it guarantees: time is an argument, calls without it
 * only record an intent, events are collected and come again only for who asked, nothing sleeps
 * behind the caller's back. */
#include <stdlib.h>

#include "rig.h"

/* Idle for an hour, then send: the timer counts from the departure, not from the call's last known
 * time. */
static void idle_an_hour_then_send(struct rig *r)
{
    struct peer *p = peer_passive(r);
    assert_int_equal(peer_write(p, 0, 10), 10);
    hear(p, A, 1, 1, 10);
    say(p, A, 1, 11, 0);
    rig_hush(r);
    for (unsigned i = 0; i < 3; i++) {
        rig_sleep(r, SEC(3600)); /* the stack does not know */
        assert_int_equal(peer_write(p, 10 + 10 * i, 10), 10);
        hear(p, A, 11 + 10 * i, 1, 10);
        rig_step(r, MS(1));
        rig_hush(r);
        say(p, A, 1, 21 + 10 * i, 0);
        rig_hush(r);
    }
    assert_int_equal(rig_count(r, TERN_COUNT_TIMEOUTS), 0);
    assert_int_equal(rig_count(r, TERN_COUNT_RETRANSMITS), 0);
}

static void idle_an_hour_then_connect(struct rig *r)
{
    r->cfg.isn_fixed = false;
    struct peer *p = peer_new(r);
    tern_sock k;
    tern_addr to = rig_addr(r->remote, p->port);
    p->lport = 0;
    rig_sleep(r, SEC(3600));
    uint64_t called = r->now;
    assert_int_equal(tern_connect(r->s, &k, NULL, &to, NULL), 0);
    rig_sleep(r, SEC(3600)); /* and again before the SYN leaves */
    const struct seg *g = hear_syn(p, S);
    assert_int_equal(g->when - called, SEC(3600));
    rig_wait_exactly(r, SEC(1));
    hear_syn(p, S);
    say(p, S | A, 0, 1, 0);
    hear(p, A, 1, 1, 0);
}

/* A queue of ACKs is looked at before the timer that they settle, however late the caller is. */
static void acks_before_late_timers(struct rig *r)
{
    struct peer *p = peer_passive(r);
    assert_int_equal(peer_write(p, 0, 5000), 5000);
    rig_turn(r);
    hear_data(p, 1, 5001);
    rig_sleep(r, SEC(10)); /* the ACK came in time, but nobody looked */
    say(p, A, 1, 5001, 0);
    rig_hush(r);
    assert_int_equal(rig_count(r, TERN_COUNT_TIMEOUTS), 0);
    assert_int_equal(rig_count(r, TERN_COUNT_RETRANSMITS), 0);
}

/* tern_output() fires no timers: what is due waits for tern_advance(). */
static void output_fires_no_timers(struct rig *r)
{
    struct peer *p = peer_passive(r);
    tern_pkt pkt;
    assert_int_equal(peer_write(p, 0, 100), 100);
    hear(p, A, 1, 1, 100);
    rig_sleep(r, SEC(10));
    assert_int_equal(tern_output(r->s, r->iface, &pkt, 1, r->now), 0);
    assert_true(tern_next_timeout(r->s) <= r->now);
    tern_advance(r->s, r->now);
    assert_int_equal(tern_output(r->s, r->iface, &pkt, 1, r->now), 1);
    tern_output_done(r->s, &pkt, 1);
}

/* 0 while events or packets wait; absolute and steady otherwise. */
static void next_timeout_is_zero_while_anything_waits(struct rig *r)
{
    struct peer *p = peer_passive(r);
    tern_event ev;
    tern_pkt pkt;
    assert_int_equal(tern_next_timeout(r->s) == 0, false);
    say(p, A, 1, 1, 10);
    assert_int_equal(tern_next_timeout(r->s), 0);
    assert_int_equal(tern_events(r->s, &ev, 1), 1); /* READ */
    assert_int_equal(tern_next_timeout(r->s), 0);   /* the ACK */
    assert_int_equal(tern_output(r->s, r->iface, &pkt, 1, r->now), 1);
    tern_output_done(r->s, &pkt, 1);
    uint64_t next = tern_next_timeout(r->s);
    assert_true(next > r->now);
    assert_int_equal(peer_write(p, 0, 10), 10);
    assert_int_equal(tern_next_timeout(r->s), 0);
    assert_int_equal(tern_events(r->s, &ev, 1), 0);
    rig_turn(r);
    rig_forget(r);
    say(p, A, 11, 11, 0);
    rig_turn(r);
    rig_step(r, SEC(5)); /* quiet: nothing is left to wait for */
    assert_true(tern_next_timeout(r->s) == TERN_NEVER);
}

/* READ comes once, and again only after the reader met EAGAIN. */
static void read_events_rearm_after_eagain(struct rig *r)
{
    struct peer *p = peer_passive(r);
    uint8_t buf[1000];
    for (uint32_t i = 0; i < 3; i++) {
        say(p, A, 1 + 30 * i, 1, 10);
        rig_turn(r);
        assert_int_equal(rig_event_count(r, p->k, TERN_EV_READ), 1);
        say(p, A, 11 + 30 * i, 1, 10);
        assert_int_equal(tern_recv(r->s, p->k, buf, 15), 15);
        say(p, A, 21 + 30 * i, 1, 10);
        rig_turn(r);
        assert_int_equal(rig_event_count(r, p->k, TERN_EV_READ), 1); /* not again */
        assert_int_equal(tern_recv(r->s, p->k, buf, 100), 15);
        assert_int_equal(rig_events(r, p->k, NULL), TERN_EV_READ);
        assert_int_equal(tern_recv(r->s, p->k, buf, 100), TERN_EAGAIN);
        rig_turn(r);
        rig_forget(r);
        assert_int_equal(rig_events(r, p->k, NULL), 0);
    }
    tern_iov v;
    assert_int_equal(tern_recv_peek(r->s, p->k, &v, 1, 0), TERN_EAGAIN); /* the same in place */
    say(p, A, 91, 1, 10);
    rig_turn(r);
    assert_int_equal(rig_events(r, p->k, NULL), TERN_EV_READ);
}

/* WRITE likewise: only after EAGAIN (or a call that took less), when there is room again. */
static void write_events_rearm_after_eagain(struct rig *r)
{
    struct peer *p = peer_passive(r);
    uint32_t at = 0, out = 1;
    for (unsigned i = 0; i < 3; i++) {
        ptrdiff_t n;
        assert_int_equal(peer_write(p, at, 100), 100);
        at += 100;
        rig_turn(r);
        while (rig_waiting(r) != 0)
            out += rig_next(r)->len;
        say(p, A, 1, out, 0);
        rig_turn(r);
        assert_int_equal(rig_events(r, p->k, NULL), 0); /* nobody asked */
        while ((n = peer_write(p, at, 10000)) > 0)
            at += (uint32_t)n;
        assert_int_equal(n, TERN_EAGAIN);
        while (out != 1 + at) {
            rig_turn(r);
            while (rig_waiting(r) != 0)
                out += rig_next(r)->len;
            say(p, A, 1, out, 0);
            rig_turn(r);
        }
        assert_int_equal(rig_event_count(r, p->k, TERN_EV_WRITE), 1);
        assert_int_equal(rig_events(r, p->k, NULL), TERN_EV_WRITE);
    }
}

/* ACCEPT likewise. */
static void accept_events_rearm_after_eagain(struct rig *r)
{
    rig_start(r);
    tern_sock l = rig_listen(r, 80, 16, 0), k;
    for (unsigned i = 0; i < 3; i++) {
        for (unsigned j = 0; j < 3; j++) {
            struct peer *p = peer_new(r);
            say(p, S, 0, 0, 0);
            hear_syn(p, S | A);
            say(p, A, 1, 1, 0);
            rig_turn(r);
        }
        assert_int_equal(rig_event_count(r, l, TERN_EV_ACCEPT), 1);
        assert_int_equal(rig_events(r, l, NULL), TERN_EV_ACCEPT);
        for (unsigned j = 0; j < 3; j++)
            assert_int_equal(tern_accept(r->s, l, &k, NULL, NULL), 0);
        assert_int_equal(tern_accept(r->s, l, &k, NULL, NULL), TERN_EAGAIN);
    }
}

/* Events are asked for in any number; one socket is told of once in a call. */
static void events_are_joined(struct rig *r)
{
    struct peer *p = peer_active(r), *q = peer_active(r);
    tern_event ev[4];
    say(p, A, 1, 1, 10);
    say(q, A, 1, 1, 10);
    say(p, A | F, 11, 1, 0);
    say(q, R, 11, 0, 0);
    assert_int_equal(tern_events(r->s, ev, 1), 1);
    assert_int_equal(ev[0].sock.id, p->k.id);
    assert_int_equal(ev[0].mask, TERN_EV_READ | TERN_EV_EOF);
    assert_ptr_equal(ev[0].user, p);
    assert_int_equal(tern_events(r->s, ev, 4), 1);
    assert_int_equal(ev[0].sock.id, q->k.id);
    assert_int_equal(ev[0].mask, TERN_EV_READ | TERN_EV_ERROR);
    assert_int_equal(ev[0].err, TERN_ERESET);
    assert_int_equal(tern_events(r->s, ev, 4), 0);
}

/* An event that is still to be told when its socket goes is not told. */
static void no_events_of_a_closed_socket(struct rig *r)
{
    struct peer *p = peer_active(r);
    say(p, A, 1, 1, 10);
    assert_int_equal(tern_abort(r->s, p->k), 0);
    rig_turn(r);
    assert_int_equal(r->ev_count, 0);
    rig_forget(r);
}

/* advance_max: no more timers in one call, and next_timeout() says that more are due. */
static void advance_max(struct rig *r)
{
    r->cfg.advance_max = 2;
    rig_start(r);
    for (unsigned i = 0; i < 7; i++) {
        struct peer *p = peer_new(r);
        p->lport = (uint16_t)(1000 + i);
        peer_syn_sent(p);
    }
    rig_sleep(r, SEC(1) + MS(1));
    unsigned n = 0;
    for (unsigned i = 0; i < 4; i++) {
        tern_pkt pkt[8];
        tern_advance(r->s, r->now);
        size_t out = tern_output(r->s, r->iface, pkt, 8, r->now);
        assert_in_range(out, 1, 2);
        tern_output_done(r->s, pkt, out);
        n += (unsigned)out;
        assert_int_equal(tern_next_timeout(r->s) <= r->now, i < 3);
    }
    assert_int_equal(n, 7);
}

/* Time that stands still or goes back changes nothing. */
static void time_never_runs_backwards(struct rig *r)
{
    struct peer *p = peer_passive(r);
    assert_int_equal(peer_write(p, 0, 100), 100);
    uint32_t tsval = hear(p, A, 1, 1, 100)->tsval;
    uint64_t next = tern_next_timeout(r->s), now = r->now;
    r->now -= SEC(500);
    p->tsval += 500000; /* the peer's clock goes on */
    tern_advance(r->s, r->now);
    say(p, A, 1, 101, 0);
    assert_int_equal(peer_write(p, 100, 100), 100);
    r->now = now - SEC(500);
    tern_pkt pkt;
    assert_int_equal(tern_output(r->s, r->iface, &pkt, 1, r->now), 1);
    tern_output_done(r->s, &pkt, 1);
    r->now = now;
    p->tsval -= 500000;
    assert_true(tern_next_timeout(r->s) >= now);
    assert_true(next >= now);
    say(p, A | F, 1, 201, 10);
    assert_int_equal(hear(p, A, 201, 12, 0)->tsval, tsval);
}

/* ---- the same inputs, the same bytes ------------------------------------------------------- */

/* A scripted conversation; returns a hash of all bytes emitted and when. */
static uint64_t conversation(bool ip6, uint8_t seed)
{
    struct rig *r = malloc(sizeof(*r));
    if (r == NULL)
        abort();
    rig_init(r, ip6);
    r->isn = r->irs = 7;
    r->cfg.isn_fixed = false;
    r->cfg.seed[5] = seed;
    uint64_t hash = 14695981039346656037u;
    for (unsigned i = 0; i < 3; i++) {
        struct peer *p = peer_new(r);
        p->lport = 0;
        peer_accepts(p);
        peer_write(p, 0, 30000);
        for (unsigned j = 0; j < 20; j++) {
            rig_step(r, MS(3 * j));
            const struct seg *g;
            while ((g = rig_next(r)) != NULL) {
                uint32_t words[] = {g->sport, g->seq, g->ack, g->len, g->tsval, g->wnd};
                for (unsigned k = 0; k < 6; k++)
                    hash = (hash ^ words[k]) * 1099511628211u;
                hash = (hash ^ g->when) * 1099511628211u;
            }
            say(p, A, 1 + j * 100, 1 + j * 700, 100);
        }
        rig_turn(r);
        rig_forget(r);
    }
    rig_end(r);
    free(r);
    return hash;
}

static void same_seed_same_bytes(struct rig *r)
{
    uint64_t first = conversation(r->ip6, 1);
    assert_true(conversation(r->ip6, 1) == first);
    assert_true(conversation(r->ip6, 2) != first);
    rig_start(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(idle_an_hour_then_send),
        RIG(idle_an_hour_then_connect),
        RIG(acks_before_late_timers),
        RIG(output_fires_no_timers),
        RIG(next_timeout_is_zero_while_anything_waits),
        RIG(read_events_rearm_after_eagain),
        RIG(write_events_rearm_after_eagain),
        RIG(accept_events_rearm_after_eagain),
        RIG(events_are_joined),
        RIG(no_events_of_a_closed_socket),
        RIG(advance_max),
        RIG(time_never_runs_backwards),
        RIG(same_seed_same_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
