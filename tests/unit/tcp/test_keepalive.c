/* test_keepalive.c - keep-alive (RFC 9293 3.8.4): off unless asked for, after two hours unless told
 * otherwise, only into silence, and patient. */
#include "rig.h"

static void set(struct peer *p, enum tern_opt option, int64_t value)
{
    assert_int_equal(tern_option_set(p->r->s, p->k, option, value), 0);
}

/* Probes after `idle` seconds of silence, then every `intvl`; `count` of them may go astray. */
static void keep_alive(struct peer *p, uint64_t idle, uint64_t intvl, int64_t count)
{
    set(p, TERN_OPT_KEEP_IDLE, (int64_t)SEC(idle));
    set(p, TERN_OPT_KEEP_INTVL, (int64_t)SEC(intvl));
    set(p, TERN_OPT_KEEP_COUNT, count);
    set(p, TERN_OPT_KEEPALIVE, 1);
}

/* A connection that has had 100 bytes each way, with nothing left to hear. */
static struct peer *quiet(struct rig *r)
{
    struct peer *p = peer_active(r);
    say(p, A, 1, 1, 100);
    peer_read(p, 0, 100);
    hear(p, A, 1, 101, 0);
    assert_int_equal(peer_write(p, 0, 100), 100);
    hear(p, A, 1, 101, 100);
    say(p, A, 101, 101, 0);
    rig_hush(r);
    return p;
}

/* MUST-25, MAY-5: seven days of silence without a packet; and no timer but the idle one. */
static void off_by_default(struct rig *r)
{
    struct peer *p = quiet(r);
    int64_t value;
    assert_int_equal(tern_option_get(r->s, p->k, TERN_OPT_KEEPALIVE, &value), 0);
    assert_int_equal(value, 0);
    rig_step(r, SEC(7 * 24 * 3600));
    rig_hush(r);
    assert_int_equal(peer_state(p), TERN_ESTABLISHED);
}

/* MUST-28: two hours; SHLD-12: the probe has no data and stands below SND.NXT; MAY-6: no garbage.
 */
static void two_hours(struct rig *r)
{
    struct peer *p = quiet(r);
    set(p, TERN_OPT_KEEPALIVE, 1);
    rig_step(r, SEC(7199));
    rig_hush(r);
    rig_step(r, SEC(2));
    hear(p, A, 100, 101, 0); /* SND.NXT is 101 */
}

/* MUST-27: both distances; MUST-29: nine probes may go astray; the answer to the last counts. */
static void patience(struct rig *r)
{
    struct peer *p = quiet(r);
    set(p, TERN_OPT_KEEP_IDLE, (int64_t)SEC(10));
    set(p, TERN_OPT_KEEP_INTVL, (int64_t)SEC(3));
    set(p, TERN_OPT_KEEPALIVE, 1);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 9; i++) {
            uint64_t took = rig_wait(r, SEC(60));
            assert_in_range(took, SEC(i == 0 ? 10 : 3) - MS(5), SEC(i == 0 ? 10 : 3) + MS(5));
            hear(p, A, 100, 101, 0);
        }
        rig_step(r, SEC(2));
        say(p, A, 101, 101, 0);
    }
    for (unsigned i = 0; i < 9; i++)
        rig_step(r, SEC(i == 0 ? 10 : 3) + MS(1));
    rig_forget(r);
    assert_int_equal(peer_state(p), TERN_ESTABLISHED);
    rig_step(r, SEC(4));
    int err;
    assert_true(rig_events(r, p->k, &err) & TERN_EV_ERROR);
    assert_int_equal(err, TERN_ETIMEDOUT);
    rig_forget(r);
}

/* MUST-29: the number of them can be set; one is not enough to end anything. */
static void one_lost_probe(struct rig *r)
{
    struct peer *p = quiet(r);
    keep_alive(p, 10, 3, 2);
    rig_step(r, SEC(15));
    hear(p, A, 100, 101, 0);
    hear(p, A, 100, 101, 0);
    assert_int_equal(peer_state(p), TERN_ESTABLISHED);
    say(p, A, 101, 101, 0);
    rig_step(r, SEC(9));
    assert_int_equal(peer_state(p), TERN_ESTABLISHED);
    rig_hush(r);
}

/* MUST-24: on and off again. */
static void switched(struct rig *r)
{
    struct peer *p = quiet(r);
    set(p, TERN_OPT_KEEP_IDLE, (int64_t)SEC(10));
    for (unsigned i = 0; i < 3; i++) {
        set(p, TERN_OPT_KEEPALIVE, 1);
        rig_step(r, SEC(11));
        hear(p, A, 100, 101, 0);
        say(p, A, 101, 101, 0);
        set(p, TERN_OPT_KEEPALIVE, 0);
        rig_step(r, SEC(1000));
        rig_hush(r);
    }
}

/* MUST-26: whatever comes moves it away. */
static void not_while_something_comes(struct rig *r)
{
    struct peer *p = quiet(r);
    set(p, TERN_OPT_KEEP_IDLE, (int64_t)SEC(10));
    set(p, TERN_OPT_KEEPALIVE, 1);
    for (uint32_t i = 0; i < 10; i++) {
        rig_step(r, SEC(9));
        if (i % 2 == 0) {
            rig_hush(r);
            say(p, A, 101 + i / 2, 101, 1);
            peer_read(p, 100 + i / 2, 1);
            rig_step(r, MS(100));
            hear(p, A, 101, 102 + i / 2, 0);
        } else {
            rig_hush(r);
            say(p, A, 102 + i / 2, 101, 0);
        }
    }
    rig_step(r, SEC(11));
    hear(p, A, 100, 106, 0);
}

/* MUST-26: an acknowledgement of new data is a sign of life like any other, and so are new data: a
 * probe that went before is answered by them. */
static void what_is_expected_counts(struct rig *r)
{
    struct peer *p = quiet(r);
    keep_alive(p, 10, 1, 2);
    for (uint32_t i = 0; i < 6; i++) {
        rig_step(r, SEC(9));
        rig_hush(r);
        assert_int_equal(peer_write(p, 100 + i, 1), 1);
        hear(p, A, 101 + i, 101, 1);
        say(p, A, 101, 102 + i, 0);
    }
    for (uint32_t i = 0; i < 6; i++) {
        rig_step(r, SEC(10) + MS(10));
        hear(p, A, 106, 101 + i, 0); /* one probe, of which two may be lost in a row */
        say(p, A, 101 + i, 107, 1);
        peer_read(p, 100 + i, 1);
        rig_step(r, MS(100));
        hear(p, A, 107, 102 + i, 0);
    }
    assert_int_equal(peer_state(p), TERN_ESTABLISHED);
}

/* MUST-26: nor while something is in flight, which asks by itself. */
static void not_while_something_is_in_flight(struct rig *r)
{
    struct peer *p = quiet(r);
    keep_alive(p, 1, 1, 1);
    assert_int_equal(peer_write(p, 100, 10), 10);
    rig_step(r, SEC(30));
    assert_true(rig_waiting(r) > 2);
    while (rig_waiting(r) > 0)
        hear(p, A, 101, 101, 10);
    assert_int_equal(peer_state(p), TERN_ESTABLISHED);
    say(p, A, 101, 111, 0);
    rig_step(r, SEC(1) + MS(100));
    hear(p, A, 110, 101, 0);
}

/* MAY-6: a peer's probe with a garbage byte is answered, and one without. */
static void probes_of_the_peer(struct rig *r)
{
    struct peer *p = quiet(r);
    static const uint8_t garbage = 0x55;
    for (uint32_t len = 0; len < 2; len++) {
        rig_step(r, SEC(1));
        p->extra.data = &garbage;
        say(p, A, 100, 101, len);
        hear(p, A, 101, 101, 0);
    }
    char byte;
    assert_int_equal(tern_recv(r->s, p->k, &byte, 1), TERN_EAGAIN);
}

/* In FIN-WAIT-2 our FIN was the last number: behind it there is nothing a probe could carry. */
static void after_our_fin(struct rig *r)
{
    struct peer *p = quiet(r);
    set(p, TERN_OPT_KEEP_IDLE, (int64_t)SEC(10));
    set(p, TERN_OPT_KEEPALIVE, 1);
    assert_int_equal(tern_shutdown(r->s, p->k), 0);
    hear(p, F | A, 101, 101, 0);
    say(p, A, 101, 102, 0);
    assert_int_equal(peer_state(p), TERN_FIN_WAIT_2);
    rig_hush(r);
    rig_step(r, SEC(11));
    hear(p, A, 101, 101, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_ISNS(off_by_default),
        RIG_ISNS(two_hours),
        RIG_ISNS(patience),
        RIG(one_lost_probe),
        RIG_ISNS(switched),
        RIG_ISNS(not_while_something_comes),
        RIG_ISNS(what_is_expected_counts),
        RIG(not_while_something_is_in_flight),
        RIG_ISNS(probes_of_the_peer),
        RIG_ISNS(after_our_fin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
