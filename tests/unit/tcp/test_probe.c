/* test_probe.c - zero windows, probed (RFC 9293 3.8.6.1): a probe repeats a number that is already
 * acknowledged, carries nothing, and makes the peer say how its window is. */
#include "rig.h"

static void shut_window(struct peer *p)
{
    p->wnd = 0;
    say(p, A, 1, 1, 10);
    hear(p, A, 1, 11, 0);
    peer_read(p, 0, 10);
    rig_hush(p->r);
}

static uint64_t rto_of(struct peer *p)
{
    tern_tcp_info info;
    peer_info(p, &info);
    return info.rto;
}

static void hear_probe(struct peer *p, uint32_t out) { hear(p, A, out - 1, 11, 0); }

/* MUST-36, SHLD-29: the first after one RTO. */
static void MUST_36_SHLD_29_first_probe(struct rig *r)
{
    struct peer *p = peer_passive(r);
    shut_window(p);
    assert_int_equal(peer_write(p, 0, 10), 10);
    rig_hush(r);
    rig_wait_exactly(r, rto_of(p));
    hear_probe(p, 1);
    assert_int_equal(rig_count(r, TERN_COUNT_PROBES), 1);
}

/* MUST-36: a lost update is found by it. */
static void MUST_36_lost_update(struct rig *r)
{
    struct peer *p = peer_passive(r);
    shut_window(p);
    assert_int_equal(peer_write(p, 0, 5000), 5000);
    rig_wait(r, SEC(1));
    hear_probe(p, 1);
    p->wnd = 0xffff; /* it had told us, but that was lost */
    say(p, A, 11, 1, 0);
    assert_true(hear_data(p, 1, 5001) >= 4);
    say(p, A, 11, 5001, 0);
    rig_step(r, SEC(500));
    rig_hush(r); /* and no more probes */
}

/* SHLD-30: ever further apart, up to the limit; from the beginning after the window was open. */
static void SHLD_30_intervals_double(struct rig *r)
{
    struct peer *p = peer_passive(r);
    shut_window(p);
    assert_int_equal(peer_write(p, 0, 10), 10);
    uint64_t rto = rto_of(p);
    for (unsigned i = 0; i < 13; i++) {
        uint64_t want = rto << i < r->cfg.rto_max ? rto << i : r->cfg.rto_max;
        rig_wait_exactly(r, want);
        hear_probe(p, 1);
        say(p, A, 11, 1, 0);
        rig_hush(r);
    }
    p->wnd = 0xffff;
    say(p, A, 11, 1, 0);
    hear(p, A, 1, 11, 10);
    assert_int_equal(rto_of(p), rto);
    rig_wait_exactly(r, rto); /* if it is lost, it has waited long enough */
    hear(p, A, 1, 11, 10);
    p->wnd = 0;
    say(p, A, 11, 11, 0);
    assert_int_equal(peer_write(p, 10, 10), 10);
    rig_wait_exactly(r, rto_of(p));
    assert_true(rto_of(p) < SEC(1));
    hear_probe(p, 11);
}

/* MUST-37: as long as the peer answers, for ever. */
static void MUST_37_a_day_of_probes(struct rig *r)
{
    struct peer *p = peer_passive(r);
    shut_window(p);
    assert_int_equal(peer_write(p, 0, 10), 10);
    uint64_t end = r->now + SEC(24 * 3600);
    while (r->now < end) {
        if (rig_wait(r, SEC(300)) == SEC(300))
            rig_fail("no probe");
        hear_probe(p, 1);
        say(p, A, 11, 1, 0);
        rig_hush(r);
        assert_int_equal(rig_events(r, p->k, NULL) & TERN_EV_ERROR, 0);
    }
    p->wnd = 1;
    say(p, A, 11, 1, 0);
    hear(p, A, 1, 11, 10);
}

/* A peer that does not answer is gone after R2. */
static void probes_without_answer(struct rig *r)
{
    struct peer *p = peer_passive(r);
    unsigned n = 0;
    int err;
    shut_window(p);
    assert_int_equal(peer_write(p, 0, 10), 10);
    while (rig_wait(r, SEC(300)) < SEC(300)) {
        hear_probe(p, 1);
        n++;
    }
    assert_int_equal(n, r->cfg.data_retries);
    assert_int_equal(rig_events(r, p->k, &err) & TERN_EV_ERROR, TERN_EV_ERROR);
    assert_int_equal(err, TERN_ETIMEDOUT);
}

/* The user's own limit begins with the wait, not with whatever stood still before. */
static void user_timeout_of_probes(struct rig *r)
{
    struct peer *p = peer_passive(r);
    int err;
    assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_USER_TIMEOUT, (int64_t)SEC(30)), 0);
    assert_int_equal(peer_write(p, 0, 10), 10);
    hear(p, A, 1, 1, 10);
    p->wnd = 0;
    say(p, A, 1, 11, 10);
    hear(p, A, 11, 11, 0);
    rig_step(r, SEC(3600));
    peer_read(p, 0, 10);
    rig_hush(r);
    assert_int_equal(peer_write(p, 10, 10), 10);
    rig_step(r, SEC(29));
    rig_forget(r);
    assert_int_equal(rig_events(r, p->k, &err) & TERN_EV_ERROR, 0);
    rig_step(r, SEC(2));
    rig_forget(r);
    assert_int_equal(rig_events(r, p->k, &err) & TERN_EV_ERROR, TERN_EV_ERROR);
    assert_int_equal(err, TERN_ETIMEDOUT);
}

/* Nothing is probed for: no probes. And none while something is in flight, which asks by itself. */
static void no_needless_probes(struct rig *r)
{
    struct peer *p = peer_passive(r);
    shut_window(p);
    rig_step(r, SEC(3600));
    rig_hush(r);
    p->wnd = 1;
    say(p, A, 11, 1, 0);
    assert_int_equal(peer_write(p, 0, 1000), 1000);
    rig_wait(r, SEC(1)); /* so little goes only when it must: MUST-38 */
    hear(p, A, 1, 11, 128);
    rig_wait(r, SEC(1));
    hear(p, A, 1, 11, 128);
    p->wnd = 0;
    say(p, A, 11, 129, 0);
    rig_wait(r, SEC(2));
    hear_probe(p, 129);
}

/* A FIN that waits for the window is not forgotten when the connection falls quiet. */
static void fin_behind_a_zero_window(struct rig *r)
{
    for (int closes = 0; closes < 2; closes++) {
        struct peer *p = peer_active(r);
        p->wnd = 0;
        say(p, A, 1, 1, 0);
        rig_hush(r);
        if (closes)
            assert_int_equal(tern_close(r->s, p->k), 0);
        else
            assert_int_equal(tern_shutdown(r->s, p->k), 0);
        for (unsigned i = 0; i < 5; i++) {
            rig_wait(r, SEC(100));
            hear(p, A, 0, 1, 0); /* a probe */
            say(p, A, 1, 1, 0);
        }
        rig_step(r, SEC(1));
        rig_hush(r);
        p->wnd = 1000;
        say(p, A, 1, 1, 0);
        hear(p, F | A, 1, 1, 0);
        say(p, A, 1, 2, 0);
        rig_hush(r);
    }
}

/* An FIN behind data that just fills the window waits as well. */
static void fin_behind_a_full_window(struct rig *r)
{
    struct peer *p = peer_new(r);
    p->wscale = -1;
    peer_connects(p, rig_listen(r, p->lport, 4, 0));
    p->wnd = 500;
    p->limit = p->iss + 501;
    say(p, A, 1, 1, 0);
    assert_int_equal(peer_write(p, 0, 500), 500);
    assert_int_equal(tern_shutdown(r->s, p->k), 0);
    const struct seg *g = hear(p, A, 1, 1, 500);
    assert_int_equal(g->flags & F, 0);
    say(p, A, 1, 501, 0);
    hear(p, F | A, 501, 1, 0);
}

/* A peer's probe of our open window: each form is answered with where we are. */
static void the_peer_probes(struct rig *r)
{
    struct peer *p = peer_passive(r);
    say(p, A, 1, 1, 100);
    hear(p, A, 1, 101, 0);
    say(p, A, 100, 1, 0); /* as we do it */
    hear(p, A, 1, 101, 0);
    rig_step(r, SEC(1));
    say(p, A, 100, 1, 1); /* one old byte (4.2BSD) */
    hear(p, A, 1, 101, 0);
    say(p, A, 101, 1, 1); /* the next byte */
    hear(p, A, 1, 102, 0);
    peer_read(p, 0, 101);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_ISNS(MUST_36_SHLD_29_first_probe),
        RIG_ISNS(MUST_36_lost_update),
        RIG_ISNS(SHLD_30_intervals_double),
        RIG_ISNS(MUST_37_a_day_of_probes),
        RIG(probes_without_answer),
        RIG(user_timeout_of_probes),
        RIG_ISNS(no_needless_probes),
        RIG_ISNS(fin_behind_a_zero_window),
        RIG_ISNS(fin_behind_a_full_window),
        RIG_ISNS(the_peer_probes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
