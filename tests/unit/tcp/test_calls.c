/* test_calls.c - the user's calls in each state (RFC 9293 3.10.1 to 3.10.6), what listening does to
 * others (3.9.1.1), and that nothing is ever left without a timer (3.10.8). */
#include "rig.h"

/* CLOSED and LISTEN apart: those that a connection has. */
static const enum tern_state states[] = {
    TERN_SYN_SENT,   TERN_SYN_RECEIVED, TERN_ESTABLISHED, TERN_FIN_WAIT_1, TERN_FIN_WAIT_2,
    TERN_CLOSE_WAIT, TERN_CLOSING,      TERN_LAST_ACK,    TERN_TIME_WAIT,
};
enum { STATES = sizeof(states) / sizeof(states[0]) };

static struct peer *in_state(struct rig *r, enum tern_state state, uint32_t *in, uint32_t *out)
{
    *in = *out = 1;
    if (state != TERN_SYN_SENT && state != TERN_SYN_RECEIVED) {
        struct peer *p = peer_active(r);
        peer_to_state(p, state, in, out);
        return p;
    }
    struct peer *p = peer_new(r);
    p->lport = 0;
    peer_syn_sent(p);
    if (state == TERN_SYN_RECEIVED) { /* both have opened */
        say(p, S, 0, 0, 0);
        hear_syn(p, S | A);
    }
    assert_int_equal(peer_state(p), state);
    return p;
}

static bool fin_is_out(enum tern_state s)
{
    return s == TERN_FIN_WAIT_1 || s == TERN_FIN_WAIT_2 || s == TERN_CLOSING ||
           s == TERN_LAST_ACK || s == TERN_TIME_WAIT;
}

static bool fin_is_in(enum tern_state s)
{
    return s == TERN_CLOSE_WAIT || s == TERN_CLOSING || s == TERN_LAST_ACK || s == TERN_TIME_WAIT;
}

/* U-19: SEND is queued until the stream is closed; RECEIVE waits until the peer's is;
 * STATUS tells. (T-03) */
static void send_and_receive_in_each_state(struct rig *r)
{
    for (unsigned i = 0; i < STATES; i++) {
        enum tern_state s = states[i];
        uint32_t in, out;
        char byte;
        struct peer *p = in_state(r, s, &in, &out);
        tern_addr local, peer;
        assert_int_equal(tern_recv(r->s, p->k, &byte, 1), fin_is_in(s) ? 0 : TERN_EAGAIN);
        assert_int_equal(peer_write(p, 0, 1), fin_is_out(s) ? TERN_ESHUTDOWN : 1);
        assert_int_equal(tern_names(r->s, p->k, &local, &peer), 0);
        assert_int_equal(peer.port, p->port);
        assert_int_equal(peer_state(p), s);
        rig_turn(r);
        rig_forget(r);
        assert_int_equal(tern_abort(r->s, p->k), 0);
        rig_turn(r);
        rig_forget(r);
    }
}

/* U-19: CLOSE of one direction: the state that follows, and nothing where it was closed already. */
static void shutdown_in_each_state(struct rig *r)
{
    static const enum tern_state next[STATES] = {
        TERN_SYN_SENT, TERN_SYN_RECEIVED, TERN_FIN_WAIT_1, TERN_FIN_WAIT_1, TERN_FIN_WAIT_2,
        TERN_LAST_ACK, TERN_CLOSING,      TERN_LAST_ACK,   TERN_TIME_WAIT,
    };
    for (unsigned i = 0; i < STATES; i++) {
        uint32_t in, out;
        struct peer *p = in_state(r, states[i], &in, &out);
        assert_int_equal(tern_shutdown(r->s, p->k), 0);
        assert_int_equal(peer_state(p), next[i]);
        if (states[i] == TERN_ESTABLISHED || states[i] == TERN_CLOSE_WAIT)
            hear(p, F | A, out, in, 0);
        rig_hush(r);
        assert_int_equal(peer_write(p, 0, 1), TERN_ESHUTDOWN);
        assert_int_equal(tern_abort(r->s, p->k), 0);
        rig_turn(r);
        rig_forget(r);
    }
}

/* U-19: every call with a handle that is closed, or a listener's. */
static void calls_without_a_connection(struct rig *r)
{
    tern_sock l = rig_listen(r, 80, 4, 0);
    struct peer *p = peer_active(r);
    tern_tcp_info info;
    char byte;
    assert_int_equal(tern_abort(r->s, p->k), 0);
    const tern_sock handles[] = {p->k, l};
    for (unsigned i = 0; i < 2; i++) {
        int err = i == 0 ? TERN_ESTALE : TERN_EINVAL;
        assert_int_equal(tern_send(r->s, handles[i], "x", 1), err);
        assert_int_equal(tern_recv(r->s, handles[i], &byte, 1), err);
        assert_int_equal(tern_shutdown(r->s, handles[i]), err);
        assert_int_equal(tern_abort(r->s, handles[i]), err);
    }
    assert_int_equal(tern_info(r->s, p->k, &info, sizeof(info)), TERN_ESTALE);
    assert_int_equal(tern_info(r->s, l, &info, sizeof(info)), 0);
    assert_int_equal(info.state, TERN_LISTEN);
    assert_int_equal(tern_close(r->s, p->k), TERN_ESTALE);
    assert_int_equal(tern_close(r->s, l), 0);
    assert_int_equal(tern_close(r->s, l), TERN_ESTALE);
    rig_forget(r);
}

/* U-20: CLOSE in SYN-SENT deletes it without a word; what answers then meets nobody. */
static void close_in_syn_sent(struct rig *r)
{
    struct peer *p = peer_new(r);
    p->lport = 0;
    peer_syn_sent(p);
    assert_int_equal(peer_write(p, 0, 100), 100);
    assert_int_equal(tern_close(r->s, p->k), 0);
    rig_hush(r);
    say(p, S | A, 0, 1, 0);
    hear_rst(p, 0, 1, 0);
}

/* U-20: in SYN-RECEIVED it waits: what was queued goes first, the FIN with it. */
static void close_in_syn_received(struct rig *r)
{
    uint32_t in, out;
    struct peer *p = in_state(r, TERN_SYN_RECEIVED, &in, &out);
    assert_int_equal(peer_write(p, 0, 100), 100);
    assert_int_equal(tern_close(r->s, p->k), 0);
    say(p, A, 1, 1, 0);
    hear(p, F | A, 1, 1, 100);
    say(p, A, 1, 102, 0);
    say(p, F | A, 1, 102, 0);
    hear(p, A, 102, 2, 0);
}

/* MAY-1: either direction by itself, or both. */
static void half_duplex_close(struct rig *r)
{
    struct peer *p = peer_active(r);
    assert_int_equal(tern_shutdown(r->s, p->k), 0);
    hear(p, F | A, 1, 1, 0);
    say(p, A, 1, 2, 1000);
    peer_read(p, 0, 1000);
    hear(p, A, 2, 1001, 0);
    assert_int_equal(tern_close(r->s, p->k), 0);
    say(p, A, 1001, 2, 1000); /* nobody is there to read it: SHLD-3 */
    hear_rst(p, 0, 2, 0);
}

/* MAY-17: PSH tells the reader nothing: what has come can be read, and is told of once. */
static void push_is_not_told(struct rig *r)
{
    struct peer *p = peer_active(r);
    uint32_t in = 1;
    for (unsigned i = 0; i < 6; i++, in += 10) {
        rig_events(r, p->k, NULL);
        say(p, i & 1 ? A | P : A, in, 1, 10);
        rig_turn(r);
        assert_int_equal(rig_events(r, p->k, NULL), TERN_EV_READ);
        peer_read(p, in - 1, 10);
        char byte;
        assert_int_equal(tern_recv(r->s, p->k, &byte, 1), TERN_EAGAIN);
    }
    rig_forget(r);
}

/* ---- listening ------------------------------------------------------------------------------- */

/* MUST-41: connections of that port, in all states, go on as before; a second listener of the same
 * address is refused. */
static void listening_disturbs_nobody(struct rig *r)
{
    struct peer *peers[STATES];
    uint32_t in[STATES], out[STATES];
    tern_sock second;
    for (unsigned i = 2; i < STATES; i++) { /* from ESTABLISHED on */
        peers[i] = peer_new(r);
        peers[i]->lport = 4000;
        peer_accepts(peers[i]);
        peer_to_state(peers[i], states[i], &in[i], &out[i]);
    }
    tern_sock l = rig_listen(r, 4000, 4, 0);
    tern_listen_args args = {.backlog = 4, .local = rig_addr(r->local, 4000)};
    assert_int_equal(tern_listen(r->s, &second, &args), TERN_EADDRINUSE);
    for (unsigned i = 2; i < STATES; i++) {
        struct peer *p = peers[i];
        assert_int_equal(peer_state(p), states[i]);
        if (!fin_is_in(states[i])) {
            say(p, A, 1, states[i] == TERN_FIN_WAIT_1 ? 1 : out[i], 10);
            hear(p, A, out[i], 11, 0);
            peer_read(p, 0, 10);
        }
        if (!fin_is_out(states[i]) && fin_is_in(states[i])) {
            assert_int_equal(peer_write(p, 0, 10), 10);
            hear(p, A, 1, 2, 10);
        }
    }
    assert_int_equal(tern_close(r->s, l), 0); /* nor does its end */
    for (unsigned i = 2; i < STATES; i++)
        assert_int_equal(peer_state(peers[i]), states[i]);
    rig_forget(r);
}

/* MUST-42: while that port opens connections; then who comes is taken, and who was called too. */
static void listening_beside_an_open(struct rig *r)
{
    struct peer *p = peer_new(r), *q = peer_new(r), *s = peer_new(r);
    p->lport = q->lport = s->lport = 4000;
    peer_syn_sent(p);
    peer_syn_sent(s);
    say(s, S, 0, 0, 0); /* one in SYN-RECEIVED */
    hear_syn(s, S | A);
    tern_sock l = rig_listen(r, 4000, 4, 0);
    peer_connects(q, l);
    say(p, S | A, 0, 1, 0);
    hear(p, A, 1, 1, 0);
    say(s, A, 1, 1, 0);
    rig_hush(r);
    assert_int_equal(peer_state(p), TERN_ESTABLISHED);
    assert_int_equal(peer_state(q), TERN_ESTABLISHED);
    assert_int_equal(peer_state(s), TERN_ESTABLISHED);
    assert_int_equal(tern_accept(r->s, l, &q->k, NULL, NULL), TERN_EAGAIN);
}

/* MUST-43: a listener of one address is none of another. */
static void listening_at_one_address(struct rig *r)
{
    rig_listen(r, 80, 4, 0);
    uint8_t other[16];
    memcpy(other, r->local, 16);
    other[15] = 2;
    assert_int_equal(tern_iface_addr(r->s, r->iface, other, r->ip6 ? 64 : 96 + 24), 0);
    struct peer *p = peer_new(r), *q = peer_new(r);
    say(p, S, 0, 0, 0);
    hear_syn(p, S | A);
    q->raw_numbers = true;
    struct seg g = peer_seg(q, S, 0, 0, 0);
    memcpy(g.dst, other, 16);
    rig_input_seg(r, &g);
    rig_turn(r);
    const struct seg *rst = rig_next(r);
    assert_non_null(rst);
    assert_int_equal(rst->flags, R | A);
    assert_memory_equal(rst->src, other, 16);
}

/* ---- timers ---------------------------------------------------------------------------------- */

/* U-22: whatever waits for the peer has a timer; without the peer it comes to an end. */
static void nothing_waits_for_ever(struct rig *r)
{
    for (unsigned i = 0; i < STATES; i++) {
        enum tern_state s = states[i];
        uint32_t in, out;
        struct peer *p = in_state(r, s, &in, &out);
        if (s == TERN_ESTABLISHED || s == TERN_CLOSE_WAIT)
            assert_int_equal(peer_write(p, 0, 10), 10);
        if (s == TERN_FIN_WAIT_2) /* its owner may wait as long as it likes: so it goes */
            assert_int_equal(tern_close(r->s, p->k), 0);
        rig_turn(r);
        rig_forget(r);
        for (unsigned n = 0; n < 200; n++) {
            tern_memory m;
            rig_memory(r, &m);
            if (m.conns + m.timewaits == 0 ||
                (s != TERN_FIN_WAIT_2 && peer_state(p) == TERN_CLOSED))
                break;
            assert_true(tern_next_timeout(r->s) < r->now + SEC(4 * 3600));
            rig_step(r, tern_next_timeout(r->s) - r->now);
            rig_forget(r);
        }
        if (s != TERN_FIN_WAIT_2) {
            assert_int_equal(peer_state(p), TERN_CLOSED);
            assert_int_equal(tern_close(r->s, p->k), 0);
        }
    }
}

/* U-22: an acknowledgement that is owed, and a window that is closed, have one, too. */
static void what_is_owed_has_a_timer(struct rig *r)
{
    struct peer *p = peer_active(r);
    rig_step(r, SEC(5)); /* nothing is owed any more */
    p->wnd = 0;
    say(p, A, 1, 1, 0);
    rig_turn(r);
    uint64_t idle = tern_next_timeout(r->s);
    assert_int_equal(peer_write(p, 0, 10), 10);
    rig_hush(r);
    assert_true(tern_next_timeout(r->s) < r->now + SEC(4));
    assert_true(tern_next_timeout(r->s) < idle);
    rig_step(r, SEC(4));
    assert_true(rig_waiting(r) > 0);
    rig_forget(r);
}

/* U-23: much more than a window, each way at once; in the middle they pass what ISNs are
 * elsewhere. */
static void streams_over_the_wrap(struct rig *r)
{
    r->isn -= 300000;
    r->irs -= 100000;
    struct peer *p = peer_active(r);
    uint32_t in = 1, acked = 1, written = 0;
    for (unsigned i = 0; i < 200; i++) {
        written += peer_write(p, written, 3000) > 0 ? 3000 : 0;
        rig_turn(r);
        for (const struct seg *g; (g = rig_next(r)) != NULL;)
            if (g->len != 0)
                acked = g->seq + g->len - p->iss;
        say(p, A, in, acked, 1000);
        in += 1000;
        peer_read(p, in - 1001, 1000);
    }
    assert_int_equal(written, 600000);
    assert_int_equal(acked, 600001);
    rig_turn(r);
    rig_forget(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_ISNS(send_and_receive_in_each_state),
        RIG_ISNS(shutdown_in_each_state),
        RIG(calls_without_a_connection),
        RIG_ISNS(close_in_syn_sent),
        RIG_ISNS(close_in_syn_received),
        RIG_ISNS(half_duplex_close),
        RIG_ISNS(push_is_not_told),
        RIG_ISNS(listening_disturbs_nobody),
        RIG_ISNS(listening_beside_an_open),
        RIG(listening_at_one_address),
        RIG_ISNS(nothing_waits_for_ever),
        RIG_ISNS(what_is_owed_has_a_timer),
        RIG_ISNS(streams_over_the_wrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
