/* test_orphan.c - connections that nobody looks after: closed by their owners and not over, or
 * closed by their peers and forgotten by their owners. */
#include "rig.h"

static uint32_t orphans(const struct rig *r)
{
    tern_memory m;
    rig_memory(r, &m);
    return m.orphans;
}

static uint32_t conns(const struct rig *r)
{
    tern_memory m;
    rig_memory(r, &m);
    return m.conns;
}

/* Closed with `len` bytes that the peer has not acknowledged. */
static struct peer *orphan(struct rig *r, uint32_t len)
{
    struct peer *p = peer_active(r);
    if (len != 0) {
        assert_int_equal(peer_write(p, 0, len), len);
        rig_turn(r);
        hear_data(p, 1, len + 1);
    }
    assert_int_equal(tern_close(r->s, p->k), 0);
    hear(p, F | A, len + 1, 1, 0);
    return p;
}

static void is_reset(struct peer *p, uint32_t seq, uint32_t ack) { hear_rst(p, R | A, seq, ack); }

/* over the limit the oldest goes. */
static void the_oldest_goes(struct rig *r)
{
    enum { MAX = 5 };
    struct peer *p[MAX + 2];
    r->cfg.orphans_max = MAX;
    for (unsigned i = 0; i < MAX; i++)
        p[i] = orphan(r, 0);
    assert_int_equal(orphans(r), MAX);
    for (unsigned i = 0; i < 2; i++) {
        p[MAX + i] = peer_active(r);
        assert_int_equal(tern_close(r->s, p[MAX + i]->k), 0);
        hear(p[MAX + i], F | A, 1, 1, 0);
        is_reset(p[i], 2, 1);
        assert_int_equal(orphans(r), MAX);
    }
    assert_int_equal(rig_count(r, TERN_COUNT_ORPHANS_RECYCLED), 2);
    for (unsigned i = 2; i < MAX + 2; i++) { /* the others end as they should */
        say(p[i], F | A, 1, 2, 0);
        hear(p[i], A, 2, 2, 0);
    }
    assert_int_equal(orphans(r), 0);
    assert_int_equal(conns(r), 0);
}

/* rather one that has only to close, or that does nothing, than one that acknowledges. */
static void who_moves_stays(struct rig *r)
{
    r->cfg.orphans_max = 3;
    struct peer *moves = orphan(r, 3000), *still = orphan(r, 3000), *has_all = orphan(r, 0);
    rig_step(r, MS(1500));
    rig_forget(r);
    say(moves, A, 1, 1001, 0);
    say(still, A, 1, 1, 0);
    say(has_all, A, 1, 2, 0);
    rig_turn(r);
    rig_forget(r);
    struct peer *more = peer_active(r);
    assert_int_equal(tern_close(r->s, more->k), 0);
    hear(more, F | A, 1, 1, 0);
    is_reset(still, 3002, 1);
    say(moves, A, 1, 2001, 0);
    rig_turn(r);
    rig_forget(r);
    orphan(r, 0)->raw_numbers = true;
    rig_forget(r);
    assert_int_equal(orphans(r), 3);
    assert_int_equal(rig_count(r, TERN_COUNT_ORPHANS_RECYCLED), 2);
    say(has_all, F | A, 1, 2, 0); /* it is gone */
    hear_rst(has_all, R, 2, 0);
    say(moves, A, 1, 3001, 0); /* this one is not */
    say(moves, F | A, 1, 3002, 0);
    hear(moves, A, 3002, 2, 0);
    r->unclean = true;
}

/* A handle that lingers is no orphan yet; one that is aborted leaves none. */
static void who_has_an_owner_does_not_count(struct rig *r)
{
    r->cfg.orphans_max = 1;
    struct peer *p = peer_active(r), *q = peer_active(r), *o = peer_active(r);
    assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_LINGER, (int64_t)SEC(100)), 0);
    assert_int_equal(tern_close(r->s, p->k), 0);
    hear(p, F | A, 1, 1, 0);
    assert_int_equal(tern_close(r->s, q->k), 0);
    hear(q, F | A, 1, 1, 0);
    assert_int_equal(tern_abort(r->s, o->k), 0);
    is_reset(o, 1, 1);
    assert_int_equal(orphans(r), 1);
    say(p, A, 1, 2, 0); /* now it is one */
    is_reset(q, 2, 1);
    assert_int_equal(rig_events(r, p->k, NULL), TERN_EV_CLOSED);
    assert_int_equal(orphans(r), 1);
}

/* A peer that answers each probe and never opens its window, for so long. */
static uint64_t pinned_for(struct rig *r, struct peer *p, uint64_t most)
{
    uint64_t start = r->now;
    while (conns(r) != 0 && r->now - start < most) {
        rig_wait(r, SEC(200));
        const struct seg *g = rig_next(r);
        if (g == NULL || g->flags & R)
            continue;
        p->wnd = 0;
        say(p, A, 1, 1001, 0);
        rig_forget(r);
    }
    return r->now - start;
}

static struct peer *stuck(struct rig *r)
{
    struct peer *p = peer_active(r);
    assert_int_equal(peer_write(p, 0, 3000), 3000);
    rig_turn(r);
    hear_data(p, 1, 3001);
    p->wnd = 0;
    say(p, A, 1, 1001, 0);
    p->raw_numbers = true; /* (it takes its window back) */
    assert_int_equal(tern_close(r->s, p->k), 0);
    rig_turn(r);
    rig_forget(r);
    return p;
}

/* it holds an orphan for the time that the configuration gives; without it, for ever. */
static void a_peer_without_a_window(struct rig *r)
{
    r->cfg.orphan = SEC(300);
    struct peer *p = stuck(r);
    assert_in_range(pinned_for(r, p, SEC(3600)), SEC(299), SEC(302));
    assert_int_equal(rig_count(r, TERN_COUNT_ORPHANS_EXPIRED), 1);
    rig_renew(r);
    r->cfg.orphan = 0;
    p = stuck(r);
    assert_true(pinned_for(r, p, SEC(7200)) >= SEC(7200));
    assert_int_equal(rig_count(r, TERN_COUNT_ORPHANS_EXPIRED), 0);
    r->unclean = true;
}

/* One that takes a little now and then keeps it. */
static void a_slow_reader_is_waited_for(struct rig *r)
{
    r->cfg.orphan = SEC(30);
    struct peer *p = peer_new(r);
    p->wscale = -1;
    p->wnd = 100;
    peer_accepts(p);
    p->raw_numbers = true;
    assert_int_equal(peer_write(p, 0, 2000), 2000);
    assert_int_equal(tern_close(r->s, p->k), 0);
    for (uint32_t at = 1; at < 1000; at += 100) {
        rig_turn(r);
        rig_forget(r);
        p->wnd = 0;
        say(p, A, 1, at + 100, 0);
        rig_step(r, SEC(20));
        assert_int_equal(conns(r), 1);
        p->wnd = 100;
        say(p, A, 1, at + 100, 0);
    }
    p->wnd = 0;
    say(p, A, 1, 1001, 0);
    uint64_t start = r->now;
    while (conns(r) != 0)
        rig_step(r, MS(500));
    rig_forget(r);
    assert_in_range(r->now - start, SEC(9), SEC(11)); /* that was 20 s after the last byte */
}

/* ---- CLOSE-WAIT ------------------------------------------------------------------------------ */

static struct peer *close_wait(struct rig *r)
{
    struct peer *p = peer_active(r);
    say(p, F | A, 1, 1, 0);
    hear(p, A, 1, 2, 0);
    return p;
}

static uint64_t lasts(struct rig *r, struct peer *p, uint64_t most)
{
    uint64_t start = r->now;
    while (peer_state(p) == TERN_CLOSE_WAIT && r->now - start < most)
        rig_step(r, MS(500));
    return r->now - start;
}

static void ended(struct rig *r, struct peer *p, uint32_t seq)
{
    int err = 0;
    is_reset(p, seq, 2);
    assert_true(rig_events(r, p->k, &err) & TERN_EV_ERROR);
    assert_int_equal(err, TERN_ETIMEDOUT);
    assert_int_equal(tern_close(r->s, p->k), 0);
}

/* Half closed for as long as its owner wants, unless he has said for how long that is. */
static void close_wait_of_a_forgetful_owner(struct rig *r)
{
    struct peer *p = close_wait(r), *q;
    int64_t value;
    assert_true(lasts(r, p, SEC(5000)) >= SEC(5000));
    assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_CLOSE_WAIT, (int64_t)SEC(60)), 0);
    assert_int_equal(tern_option_get(r->s, p->k, TERN_OPT_CLOSE_WAIT, &value), 0);
    assert_int_equal(value, SEC(60));
    assert_in_range(lasts(r, p, SEC(5000)), SEC(59), SEC(61));
    ended(r, p, 1);
    rig_renew(r);
    r->cfg.close_wait = SEC(20);
    p = close_wait(r);
    q = close_wait(r);
    assert_int_equal(tern_option_set(r->s, q->k, TERN_OPT_CLOSE_WAIT, -1), 0);
    assert_in_range(lasts(r, p, SEC(5000)), SEC(19), SEC(21));
    ended(r, p, 1);
    assert_true(lasts(r, q, SEC(5000)) >= SEC(5000));
}

/* Who still sends, and whose peer still acknowledges, has not forgotten it. */
static void close_wait_with_a_long_answer(struct rig *r)
{
    r->cfg.close_wait = SEC(20);
    struct peer *p = close_wait(r);
    for (uint32_t i = 0; i < 10; i++) {
        rig_step(r, SEC(15)); /* (long enough for it to freeze between two) */
        assert_int_equal(peer_write(p, i * 10, 10), 10);
        hear(p, A | P, 1 + i * 10, 2, 10);
        say(p, A, 2, 11 + i * 10, 0);
    }
    assert_in_range(lasts(r, p, SEC(5000)), SEC(19), SEC(22));
    ended(r, p, 101);
}

/* What the peer does not acknowledge is R2's affair, once our FIN has gone. */
static void close_wait_is_over_with_our_fin(struct rig *r)
{
    r->cfg.close_wait = SEC(20);
    struct peer *p = close_wait(r);
    assert_int_equal(tern_shutdown(r->s, p->k), 0);
    hear(p, F | A, 1, 2, 0);
    rig_step(r, SEC(60));
    rig_forget(r);
    assert_int_equal(peer_state(p), TERN_LAST_ACK);
    say(p, A, 2, 2, 0);
    assert_int_equal(peer_state(p), TERN_CLOSED);
}

/* Nobody has accepted it, and its client has gone. */
static void close_wait_in_the_accept_queue(struct rig *r)
{
    r->cfg.close_wait = SEC(20);
    struct peer *p = peer_new(r);
    p->lport = 80;
    tern_sock l = rig_listen(r, 80, 10, 0);
    say(p, S, 0, 0, 0);
    hear_syn(p, S | A);
    say(p, A, 1, 1, 0);
    say(p, F | A, 1, 1, 0);
    hear(p, A, 1, 2, 0);
    rig_step(r, SEC(21));
    is_reset(p, 1, 2);
    assert_int_equal(tern_accept(r->s, l, &p->k, NULL, NULL), 0);
    rig_turn(r);
    int err = 0;
    assert_true(rig_events(r, p->k, &err) & TERN_EV_ERROR);
    assert_int_equal(err, TERN_ETIMEDOUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(the_oldest_goes),
        RIG(who_moves_stays),
        RIG(who_has_an_owner_does_not_count),
        RIG(a_peer_without_a_window),
        RIG(a_slow_reader_is_waited_for),
        RIG(close_wait_of_a_forgetful_owner),
        RIG(close_wait_with_a_long_answer),
        RIG(close_wait_is_over_with_our_fin),
        RIG(close_wait_in_the_accept_queue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
