/* test_close.c - the end of a connection, in every order (RFC 9293 3.6, figure 5). */
#include "rig.h"

static uint32_t timewaits(const struct rig *r)
{
    tern_memory m;
    rig_memory(r, &m);
    return m.timewaits;
}

/* U-14: the ACK of our FIN, then the peer's FIN. */
static void we_close_first(struct rig *r)
{
    struct peer *p = peer_passive(r);
    uint32_t in, out;
    peer_to_state(p, TERN_FIN_WAIT_2, &in, &out);
    assert_int_equal(rig_events(r, p->k, NULL), TERN_EV_SENT);
    say(p, F | A, 1, 2, 0);
    hear(p, A, 2, 2, 0);
    assert_int_equal(peer_state(p), TERN_TIME_WAIT);
    assert_true(rig_events(r, p->k, NULL) & TERN_EV_EOF);
}

/* U-14: FIN and ACK of FIN in one segment. */
static void fin_with_the_ack_of_fin(struct rig *r)
{
    struct peer *p = peer_passive(r);
    assert_int_equal(tern_shutdown(r->s, p->k), 0);
    hear(p, F | A, 1, 1, 0);
    say(p, F | A, 1, 2, 0);
    hear(p, A, 2, 2, 0);
    assert_int_equal(peer_state(p), TERN_TIME_WAIT);
}

/* U-14, U-15: FINs cross. */
static void both_close_at_once(struct rig *r)
{
    struct peer *p = peer_passive(r);
    uint32_t in, out;
    peer_to_state(p, TERN_CLOSING, &in, &out);
    say(p, A, 2, 2, 0);
    rig_hush(r);
    assert_int_equal(peer_state(p), TERN_TIME_WAIT);
}

/* U-15: LAST-ACK; MUST-12: the peer's FIN reads as the end, not as an error. */
static void the_peer_closes_first(struct rig *r)
{
    struct peer *p = peer_passive(r);
    uint32_t in, out;
    char byte;
    peer_to_state(p, TERN_LAST_ACK, &in, &out);
    say(p, A, 2, 1, 0); /* not of the FIN */
    rig_hush(r);
    assert_int_equal(peer_state(p), TERN_LAST_ACK);
    say(p, A, 2, 2, 0);
    rig_hush(r);
    assert_int_equal(peer_state(p), TERN_CLOSED);
    assert_int_equal(tern_recv(r->s, p->k, &byte, 1), 0);
    assert_int_equal(tern_close(r->s, p->k), 0);
    assert_int_equal(tern_close(r->s, p->k), TERN_ESTALE);
}

/* The half close: the stack goes on receiving after its FIN (U-18). */
static void data_in_fin_wait_1_and_2(struct rig *r)
{
    struct peer *p = peer_passive(r);
    assert_int_equal(tern_shutdown(r->s, p->k), 0);
    hear(p, F | A, 1, 1, 0);
    say(p, A, 1, 1, 100); /* FIN-WAIT-1 */
    hear(p, A, 2, 101, 0);
    say(p, A, 101, 2, 100); /* now FIN-WAIT-2 */
    hear(p, A, 2, 201, 0);
    assert_int_equal(peer_state(p), TERN_FIN_WAIT_2);
    peer_read(p, 0, 200);
    say(p, F | A, 201, 2, 50);
    hear(p, A, 2, 252, 0);
    peer_read(p, 200, 50);
    assert_int_equal(peer_state(p), TERN_TIME_WAIT);
    assert_int_equal(tern_send(r->s, p->k, "x", 1), TERN_ESHUTDOWN);
}

/* And sending after the peer's. */
static void data_in_close_wait(struct rig *r)
{
    struct peer *p = peer_passive(r);
    uint32_t in, out;
    peer_to_state(p, TERN_CLOSE_WAIT, &in, &out);
    assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_NODELAY, 1), 0);
    assert_int_equal(peer_write(p, 0, 3000), 3000);
    rig_turn(r);
    hear_data(p, 1, 3001);
    say(p, A, 2, 3001, 0);
    assert_int_equal(tern_shutdown(r->s, p->k), 0);
    hear(p, F | A, 3001, 2, 0);
    say(p, A, 2, 3002, 0);
    rig_hush(r);
    assert_int_equal(peer_state(p), TERN_CLOSED);
}

/* The FIN comes after all data, on the last segment if it fits; U-26: and so it does when it is
 * sent again, with PSH. */
static void fin_after_the_data(struct rig *r)
{
    struct peer *p = peer_passive(r);
    assert_int_equal(peer_write(p, 0, 500), 500);
    assert_int_equal(tern_close(r->s, p->k), 0);
    hear(p, F | A | P, 1, 1, 500);
    rig_wait(r, SEC(10));
    hear(p, F | A | P, 1, 1, 500);
    say(p, A, 1, 502, 0);
    say(p, F | A, 1, 502, 0);
    hear(p, A, 502, 2, 0);
    assert_int_equal(timewaits(r), 1);
}

/* U-15: a FIN again is acknowledged again, in each state after the first. (T-14) */
static void fin_again(struct rig *r)
{
    static const enum tern_state states[] = {TERN_CLOSE_WAIT, TERN_CLOSING, TERN_LAST_ACK,
                                             TERN_TIME_WAIT};
    for (unsigned i = 0; i < 4; i++) {
        struct peer *p = peer_active(r);
        uint32_t in, out;
        peer_to_state(p, states[i], &in, &out);
        say(p, F | A, 1, 1, 0);
        hear(p, A, out, 2, 0);
        rig_step(r, MS(10));
        say(p, F | A, 1, 1, 0);
        hear(p, A, out, 2, 0);
        assert_int_equal(peer_state(p), states[i]);
    }
}

/* U-17, U-18: nothing is delivered past the FIN. (T-07) */
static void data_after_the_fin(struct rig *r)
{
    struct peer *p = peer_passive(r);
    uint32_t in, out;
    char byte;
    peer_to_state(p, TERN_CLOSE_WAIT, &in, &out);
    say(p, A, 2, 1, 10);
    hear(p, A, 1, 2, 0);
    say(p, A, 1, 1, 10); /* the FIN's number as data */
    hear(p, A, 1, 2, 0);
    assert_int_equal(tern_recv(r->s, p->k, &byte, 1), 0);
}

/* SHLD-3, T-21: closed with unread data: RST, not FIN. */
static void close_with_unread_data(struct rig *r)
{
    struct peer *p = peer_passive(r);
    say(p, A, 1, 1, 10);
    hear(p, A, 1, 11, 0);
    assert_int_equal(tern_close(r->s, p->k), 0);
    hear_rst(p, A, 1, 11);
    rig_hush(r);
    tern_memory m;
    rig_memory(r, &m);
    assert_int_equal(m.conns, 0);
}

/* SHLD-3: data after a full close. */
static void data_after_close(struct rig *r)
{
    struct peer *p = peer_passive(r);
    assert_int_equal(tern_close(r->s, p->k), 0);
    hear(p, F | A, 1, 1, 0);
    say(p, A, 1, 2, 0);
    rig_hush(r);
    say(p, A, 1, 2, 10);
    const struct seg *g = hear_rst(p, 0, 2, 0);
    assert_int_equal(g->len, 0);
    tern_memory m;
    rig_memory(r, &m);
    assert_int_equal(m.conns, 0);
    assert_int_equal(rig_drops(r, TERN_DROP_TCP_AFTER_CLOSE), 1);
}

/* U-16: a FIN ahead of a hole waits until the hole is filled. (T-14) */
static void fin_ahead_of_a_hole(struct rig *r)
{
    struct peer *p = peer_passive(r);
    say(p, F | A, 101, 1, 100);
    hear(p, A, 1, 1, 0);
    assert_int_equal(peer_state(p), TERN_ESTABLISHED);
    say(p, F | A, 201, 1, 0); /* alone as well */
    hear(p, A, 1, 1, 0);
    say(p, A, 1, 1, 100);
    hear(p, A, 1, 202, 0);
    assert_int_equal(peer_state(p), TERN_CLOSE_WAIT);
    peer_read(p, 0, 200);
    char byte;
    assert_int_equal(tern_recv(r->s, p->k, &byte, 1), 0);
}

/* U-17: what comes beyond a FIN that waits for its gap is not of this stream, before or after the
 * gap is filled. */
static void data_beyond_a_fin_that_waits(struct rig *r)
{
    struct peer *p = peer_passive(r);
    say(p, F | A, 101, 1, 100); /* the FIN is 201 */
    hear(p, A, 1, 1, 0);
    say(p, A, 202, 1, 50);
    hear(p, A, 1, 1, 0);
    say(p, A, 201, 1, 50);
    hear(p, A, 1, 1, 0);
    say(p, A, 1, 1, 100);
    hear(p, A, 1, 202, 0);
    assert_int_equal(peer_state(p), TERN_CLOSE_WAIT);
    peer_read(p, 0, 200);
    char byte;
    assert_int_equal(tern_recv(r->s, p->k, &byte, 1), 0);
}

/* FIN-WAIT-2 of a closed socket ends; of one that was only shut down, never. */
static void fin_wait_2_ends_only_without_an_owner(struct rig *r)
{
    struct peer *p = peer_passive(r), *q;
    uint32_t in, out;

    peer_to_state(p, TERN_FIN_WAIT_2, &in, &out);
    q = peer_active(r);
    assert_int_equal(tern_close(r->s, q->k), 0);
    hear(q, F | A, 1, 1, 0);
    say(q, A, 1, 2, 0);
    rig_hush(r);
    tern_memory m;
    rig_step(r, r->cfg.fin_wait2 - MS(1));
    rig_memory(r, &m);
    assert_int_equal(m.conns, 2);
    rig_step(r, MS(2));
    rig_memory(r, &m);
    assert_int_equal(m.conns, 1);
    rig_step(r, SEC(24 * 3600));
    rig_hush(r);
    assert_int_equal(peer_state(p), TERN_FIN_WAIT_2);
}

/* A FIN that is never acknowledged: R2 ends it (A-21, L2). */
static void a_fin_nobody_acknowledges(struct rig *r)
{
    struct peer *p = peer_passive(r);
    assert_int_equal(tern_close(r->s, p->k), 0);
    unsigned n = 0;
    while (rig_wait(r, SEC(3600)) < SEC(3600))
        for (; rig_waiting(r) > 0; n++)
            hear(p, F | A, 1, 1, 0);
    assert_int_equal(n, 2 + r->cfg.data_retries); /* one of them is a tail-loss probe */
    tern_memory m;
    rig_memory(r, &m);
    assert_int_equal(m.conns, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_ISNS(we_close_first),
        RIG_ISNS(fin_with_the_ack_of_fin),
        RIG_ISNS(both_close_at_once),
        RIG_ISNS(the_peer_closes_first),
        RIG_ISNS(data_in_fin_wait_1_and_2),
        RIG_ISNS(data_in_close_wait),
        RIG_ISNS(fin_after_the_data),
        RIG_ISNS(fin_again),
        RIG_ISNS(data_after_the_fin),
        RIG_ISNS(close_with_unread_data),
        RIG_ISNS(data_after_close),
        RIG_ISNS(fin_ahead_of_a_hole),
        RIG_ISNS(data_beyond_a_fin_that_waits),
        RIG(fin_wait_2_ends_only_without_an_owner),
        RIG(a_fin_nobody_acknowledges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
