/* test_reset.c - RST in and out, and what a connection says to SYN and RST that do not fit
 * (RFC 9293 3.5.2, 3.5.3, 3.10.5; RFC 5961). */
#include "rig.h"

static const enum tern_state after_open[] = {
    TERN_ESTABLISHED, TERN_FIN_WAIT_1, TERN_FIN_WAIT_2, TERN_CLOSE_WAIT,
    TERN_CLOSING,     TERN_LAST_ACK,   TERN_TIME_WAIT,
};
enum { STATES = sizeof(after_open) / sizeof(after_open[0]) };

static struct peer *in_state(struct rig *r, enum tern_state state, uint32_t *in)
{
    uint32_t out;
    struct peer *p = peer_active(r);
    peer_to_state(p, state, in, &out);
    rig_events(r, p->k, NULL);
    return p;
}

/* U-8, A-01: exactly at RCV.NXT it resets. */
static void rst_at_rcv_nxt(struct rig *r)
{
    for (unsigned i = 0; i < STATES; i++) {
        struct peer *p;
        uint32_t in;
        int err;
        enum tern_state s = after_open[i];
        p = in_state(r, s, &in);
        say(p, R, in, 0, 0);
        rig_hush(r);
        if (s == TERN_TIME_WAIT) { /* RFC 1337: not there */
            assert_int_equal(peer_state(p), TERN_TIME_WAIT);
            continue;
        }
        assert_int_equal(peer_state(p), TERN_CLOSED);
        uint32_t mask = rig_events(r, p->k, &err);
        bool told = s != TERN_CLOSING && s != TERN_LAST_ACK; /* there both sides are done */
        assert_int_equal((mask & TERN_EV_ERROR) != 0, told);
        assert_int_equal(err, told ? TERN_ERESET : 0);
        if (told)
            assert_int_equal(tern_send(r->s, p->k, "x", 1), TERN_ERESET);
    }
}

/* U-8, A-01: elsewhere inside the window it is challenged, outside of it ignored. (T-15) */
static void rst_elsewhere(struct rig *r)
{
    for (unsigned i = 0; i < STATES; i++) {
        struct peer *p = peer_active(r);
        uint32_t in, out;
        enum tern_state s = after_open[i];

        peer_to_state(p, s, &in, &out);
        uint32_t right = p->edge - p->irs;
        uint32_t outside[] = {in - 1, in - 70000, right + 1, right + 100000, in + 0x80000000u};
        for (unsigned j = 0; j < 5; j++) {
            say(p, R, outside[j], 0, 0);
            rig_hush(r);
        }
        uint32_t inside[] = {in + 1, in + 5000, right - 1};
        for (unsigned j = 0; j < 3; j++) {
            rig_step(r, SEC(1)); /* the reply is rate limited */
            rig_forget(r);       /* a FIN sent again */
            say(p, R, inside[j], 0, 0);
            if (s != TERN_TIME_WAIT)
                hear(p, A, out, in, 0);
            rig_hush(r);
        }
        assert_int_equal(peer_state(p), s);
        assert_int_equal(tern_abort(r->s, p->k), 0);
        rig_turn(r);
        rig_forget(r);
    }
}

/* U-9, A-02: a SYN is challenged whatever its number, and never resets. */
static void syn_is_challenged(struct rig *r)
{
    for (unsigned i = 0; i < STATES; i++) {
        struct peer *p = peer_active(r);
        uint32_t in, out;

        peer_to_state(p, after_open[i], &in, &out);
        uint32_t seqs[] = {0, in, in + 1, in + 5000, in - 100000, in + 0x80000000u};
        for (unsigned j = 0; j < 6; j++) {
            rig_step(r, SEC(1));
            rig_forget(r);
            say(p, S, seqs[j], 0, 0);
            hear(p, A, out, in, 0);
            rig_hush(r);
            assert_int_equal(peer_state(p), after_open[i]);
        }
        assert_int_equal(tern_abort(r->s, p->k), 0);
        rig_turn(r);
        rig_forget(r);
    }
}

/* RFC 5961 7, A-66: two a second at most, for each connection by itself. */
static void challenges_are_limited_by_connection(struct rig *r)
{
    struct peer *p, *q;
    uint32_t in;
    p = in_state(r, TERN_ESTABLISHED, &in);
    q = in_state(r, TERN_ESTABLISHED, &in);
    unsigned n = 0;
    for (unsigned i = 0; i < 1000; i++) {
        say(p, S, rig_random(), 0, 0);
        rig_step(r, MS(10));
        for (; rig_waiting(r) > 0; n++)
            hear(p, A, 1, 1, 0);
    }
    assert_in_range(n, 10, 20); /* ten seconds */
    say(q, S, 100, 0, 0);
    hear(q, A, 1, 1, 0);
    assert_true(rig_count(r, TERN_COUNT_CHALLENGE_LIMITED) > 900);
}

/* SHLD-2: a RST may carry data, which is not delivered. */
static void rst_with_data(struct rig *r)
{
    struct peer *p;
    uint32_t in;
    char byte;
    p = in_state(r, TERN_ESTABLISHED, &in);
    say(p, R, 1, 0, 20);
    rig_hush(r);
    assert_int_equal(peer_state(p), TERN_CLOSED);
    assert_int_equal(tern_recv(r->s, p->k, &byte, 1), TERN_ERESET);
}

/* MUST-12: what was received before a RST stays readable; then comes the error. */
static void data_before_a_rst_stays_readable(struct rig *r)
{
    struct peer *p;
    uint32_t in;
    char byte;
    p = in_state(r, TERN_ESTABLISHED, &in);
    say(p, A, 1, 1, 100);
    hear(p, A, 1, 101, 0);
    say(p, R, 101, 0, 0);
    rig_hush(r);
    peer_read(p, 0, 100);
    assert_int_equal(tern_recv(r->s, p->k, &byte, 1), TERN_ERESET);
    assert_int_equal(tern_recv(r->s, p->k, &byte, 1), TERN_ERESET);
    assert_int_equal(tern_close(r->s, p->k), 0);
    rig_hush(r);
}

/* U-21: in which states an abort is told to the peer. */
static void abort_tells_the_peer(struct rig *r)
{
    for (unsigned i = 0; i < STATES; i++) {
        struct peer *p = peer_active(r);
        uint32_t in, out;
        enum tern_state s = after_open[i];

        peer_to_state(p, s, &in, &out);
        assert_int_equal(tern_abort(r->s, p->k), 0);
        assert_int_equal(tern_abort(r->s, p->k), TERN_ESTALE);
        if (s != TERN_CLOSING && s != TERN_LAST_ACK && s != TERN_TIME_WAIT)
            hear_rst(p, A, out, in);
        rig_hush(r);
    }
    struct peer *p = peer_new(r);
    p->lport = 0;
    peer_syn_sent(p);
    assert_int_equal(tern_abort(r->s, p->k), 0);
    rig_hush(r);
    p = peer_new(r);
    p->lport = 0;
    peer_syn_sent(p);
    say(p, S, 0, 0, 0);
    hear_syn(p, S | A);
    assert_int_equal(tern_abort(r->s, p->k), 0);
    hear_rst(p, A, 1, 1);
}

/* An abort drops what is queued, in flight or not; nothing else does (MAY-14). */
static void abort_drops_what_is_queued(struct rig *r)
{
    struct peer *p;
    uint32_t in;
    p = in_state(r, TERN_ESTABLISHED, &in);
    assert_int_equal(peer_write(p, 0, 50000), 50000);
    rig_turn(r);
    uint32_t sent = 0;
    while (rig_waiting(r) > 0)
        sent += rig_next(r)->len;
    assert_true(sent < 50000);
    assert_int_equal(tern_abort(r->s, p->k), 0);
    hear_rst(p, A, 1 + sent, 1);
    rig_hush(r);
    tern_memory m;
    rig_memory(r, &m);
    assert_int_equal(m.pages, 0);
    assert_int_equal(m.conns, 0);
}

/* U-25: a peer that has crashed answers with RST at our ACK. */
static void a_peer_that_has_forgotten(struct rig *r)
{
    struct peer *p;
    uint32_t in;
    int err;
    p = in_state(r, TERN_ESTABLISHED, &in);
    assert_int_equal(peer_write(p, 0, 10), 10);
    const struct seg *g = hear(p, A, 1, 1, 10);
    say(p, R, g->ack - p->irs, 0, 0); /* <SEQ=SEG.ACK><CTL=RST> */
    rig_hush(r);
    assert_int_equal(rig_events(r, p->k, &err), TERN_EV_ERROR);
    assert_int_equal(err, TERN_ERESET);
}

/* What is said of no connection is a segment sent, too. */
static void answers_without_a_connection_count(struct rig *r)
{
    struct peer *p;
    uint32_t in;
    p = in_state(r, TERN_ESTABLISHED, &in);
    say(p, R, in, 0, 0);
    rig_hush(r);
    uint64_t sent = rig_count(r, TERN_COUNT_SEGMENTS_OUT);
    uint64_t resets = rig_count(r, TERN_COUNT_RESETS_OUT);
    say(p, A, in, 77, 10);
    hear(p, R, 77, 0, 0);
    assert_int_equal(rig_count(r, TERN_COUNT_SEGMENTS_OUT), sent + 1);
    assert_int_equal(rig_count(r, TERN_COUNT_RESETS_OUT), resets + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_ISNS(rst_at_rcv_nxt),
        RIG_ISNS(rst_elsewhere),
        RIG_ISNS(syn_is_challenged),
        RIG(challenges_are_limited_by_connection),
        RIG_ISNS(rst_with_data),
        RIG_ISNS(data_before_a_rst_stays_readable),
        RIG_ISNS(abort_tells_the_peer),
        RIG_ISNS(abort_drops_what_is_queued),
        RIG_ISNS(a_peer_that_has_forgotten),
        RIG(answers_without_a_connection_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
