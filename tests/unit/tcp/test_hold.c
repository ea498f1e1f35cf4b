/* test_hold.c - SYNs that wait for their listener's owner (TERN_LISTEN_HOLD): admitted, refused,
 * dropped, given up by either side; and those that wait for their data (TERN_OPT_DEFER_ACCEPT). */
#include "rig.h"

/* The event of a held SYN. */
static tern_sock held(struct rig *r)
{
    tern_sock k = {0};
    rig_turn(r);
    for (unsigned i = 0; i < r->ev_count; i++)
        if (r->ev[i].mask & TERN_EV_HOLD)
            k = r->ev[i].sock;
    r->ev_count = 0;
    assert_true(k.id != 0);
    return k;
}

static struct peer *knocks(struct rig *r, tern_sock *k)
{
    struct peer *p = peer_new(r);
    if (r->listener.id == 0)
        r->listener = rig_listen(r, 80, 4, TERN_LISTEN_HOLD);
    p->lport = 80;
    say(p, S, 0, 0, 0);
    *k = held(r);
    rig_hush(r); /* nobody has answered */
    return p;
}

static void is_gone(struct rig *r, tern_sock k)
{
    tern_addr a;
    assert_int_equal(tern_names(r->s, k, &a, NULL), TERN_ESTALE);
    assert_int_equal(tern_hold_admit(r->s, k, &k, NULL), TERN_ESTALE);
    assert_int_equal(tern_hold_refuse(r->s, k, -1, 0), TERN_ESTALE);
    assert_int_equal(tern_hold_drop(r->s, k), TERN_ESTALE);
}

static void admitted(struct rig *r)
{
    tern_sock k;
    tern_addr local, peer;
    int user;
    struct peer *p = knocks(r, &k);
    assert_int_equal(tern_names(r->s, k, &local, &peer), 0);
    assert_int_equal(local.port, 80);
    assert_memory_equal(local.ip, r->local, 16);
    assert_int_equal(peer.port, p->port);
    assert_memory_equal(peer.ip, r->remote, 16);
    assert_int_equal(tern_names(r->s, k, NULL, NULL), 0);
    assert_int_equal(tern_hold_admit(r->s, k, &p->k, &user), 0);
    is_gone(r, k);
    hear_syn(p, S | A);
    say(p, A, 1, 1, 0);
    rig_hush(r);
    assert_true(rig_events(r, p->k, NULL) & TERN_EV_OPEN);
    say(p, A, 1, 1, 10);
    rig_turn(r);
    rig_forget(r);
    peer_read(p, 0, 10);
}

static void refused_by_reset(struct rig *r)
{
    tern_sock k;
    struct peer *p = knocks(r, &k);
    assert_int_equal(tern_hold_refuse(r->s, k, -1, 0), 0);
    rig_turn(r);
    const struct seg *g = rig_next(r);
    assert_non_null(g);
    assert_int_equal(g->flags, R | A);
    assert_int_equal(g->seq, 0);
    assert_int_equal(g->ack, p->irs + 1);
    assert_int_equal(g->dport, p->port);
    rig_hush(r);
    is_gone(r, k);
}

/* The error quotes the SYN, by which its sender knows what was refused. */
static void refused_by_icmp(struct rig *r)
{
    tern_sock k;
    unsigned type = r->ip6 ? 1 : 3, code = r->ip6 ? 1 : 13;
    knocks(r, &k);
    assert_int_equal(tern_hold_refuse(r->s, k, 256, 0), TERN_EINVAL);
    assert_int_equal(tern_hold_refuse(r->s, k, 3, -1), TERN_EINVAL);
    assert_int_equal(tern_hold_refuse(r->s, k, 3, 256), TERN_EINVAL);
    assert_int_equal(tern_hold_refuse(r->s, k, (int)type, (int)code), 0);
    rig_turn(r);
    const struct seg *g = rig_next(r);
    assert_non_null(g);
    assert_true(g->icmp);
    assert_int_equal(g->flags, type << 8 | code);
    assert_memory_equal(g->dst, r->remote, 16);
    rig_hush(r);
    is_gone(r, k);
}

/* Nothing is said; its SYN comes again, and is held again. */
static void dropped(struct rig *r)
{
    tern_sock k, again;
    struct peer *p = knocks(r, &k);
    say(p, S, 0, 0, 0); /* meanwhile it is only counted */
    rig_turn(r);
    assert_int_equal(r->ev_count, 0);
    assert_int_equal(rig_drops(r, TERN_DROP_TCP_HELD), 1);
    assert_int_equal(tern_hold_drop(r->s, k), 0);
    rig_hush(r);
    is_gone(r, k);
    say(p, S, 0, 0, 0);
    again = held(r);
    assert_true(again.id != k.id);
    assert_int_equal(tern_hold_drop(r->s, again), 0);
}

/* The peer takes it back: by an RST that fits, and by no other. */
static void taken_back(struct rig *r)
{
    for (uint32_t fits = 0; fits < 2; fits++) {
        tern_sock k;
        struct peer *p = knocks(r, &k);
        p->raw_numbers = true;
        say(p, R, 2, 0, 0);
        say(p, R, 1000, 0, 0);
        rig_turn(r);
        assert_int_equal(r->ev_count, 0);
        say(p, R, fits, 0, 0);
        rig_turn(r);
        assert_int_equal(rig_events(r, k, NULL), TERN_EV_CLOSED);
        rig_hush(r);
        is_gone(r, k);
    }
}

static void waits_too_long(struct rig *r)
{
    tern_sock k;
    r->cfg.hold = SEC(7);
    knocks(r, &k);
    rig_step(r, SEC(7) - MS(1));
    assert_int_equal(rig_events(r, k, NULL), 0);
    rig_step(r, MS(2));
    assert_int_equal(rig_events(r, k, NULL), TERN_EV_CLOSED);
    assert_int_equal(rig_count(r, TERN_COUNT_HOLDS_EXPIRED), 1);
    rig_hush(r);
    is_gone(r, k);
}

/* What its owner was told of is still his to decide. */
static void listener_goes(struct rig *r)
{
    tern_sock k;
    tern_sock other;
    struct peer *p = knocks(r, &k);
    knocks(r, &other);
    assert_int_equal(tern_close(r->s, r->listener), 0);
    r->listener.id = 0;
    rig_hush(r);
    assert_int_equal(tern_hold_admit(r->s, k, &p->k, NULL), 0);
    hear_syn(p, S | A);
    say(p, A, 1, 1, 0);
    rig_hush(r);
    assert_true(rig_events(r, p->k, NULL) & TERN_EV_OPEN);
    assert_int_equal(tern_hold_drop(r->s, other), 0);
    rig_hush(r);
}

/* Without memory, or with as many connections as there may be, nothing is admitted. */
static void no_room(struct rig *r)
{
    tern_sock k, out;
    for (unsigned i = 1; i < 4; i++) {
        r->cfg.conns_max = 8;
        knocks(r, &k);
        r->mem.fail_at = r->mem.calls + i;
        r->mem.fail_on = true;
        int err = tern_hold_admit(r->s, k, &out, NULL);
        r->mem.fail_at = 0;
        assert_true(err == TERN_ELIMIT || err == TERN_ENOMEM || err == 0);
        if (err == 0)
            assert_int_equal(tern_abort(r->s, out), 0);
        rig_turn(r);
        rig_forget(r);
        r->unclean = true;
        rig_renew(r);
    }
    r->cfg.conns_max = 1;
    peer_active(r);
    knocks(r, &k);
    assert_int_equal(tern_hold_admit(r->s, k, &out, NULL), TERN_ELIMIT);
    assert_int_equal(tern_hold_drop(r->s, k), 0);
}

/* ---- deferred -------------------------------------------------------------------------------- */

/* Its first data brings it to the owner, not the end of the handshake. */
static void deferred_until_data(struct rig *r)
{
    struct peer *p = peer_new(r);
    tern_sock l = rig_listen(r, 80, 4, 0);
    assert_int_equal(tern_option_set(r->s, l, TERN_OPT_DEFER_ACCEPT, 3), 0);
    p->lport = 80;
    say(p, S, 0, 0, 0);
    hear_syn(p, S | A);
    say(p, A, 1, 1, 0);
    rig_step(r, MS(900));
    rig_hush(r);
    assert_int_equal(tern_accept(r->s, l, &p->k, NULL, NULL), TERN_EAGAIN);
    say(p, A, 1, 1, 10);
    rig_turn(r);
    rig_forget(r);
    assert_int_equal(tern_accept(r->s, l, &p->k, NULL, NULL), 0);
    peer_read(p, 0, 10);
}

/* Without data the SYN-ACK comes once more at the end of the time, and its answer is enough. */
static void deferred_in_vain(struct rig *r)
{
    struct peer *p = peer_new(r);
    tern_sock l = rig_listen(r, 80, 4, 0);
    assert_int_equal(tern_option_set(r->s, l, TERN_OPT_DEFER_ACCEPT, 3), 0);
    p->lport = 80;
    say(p, S, 0, 0, 0);
    hear_syn(p, S | A);
    say(p, A, 1, 1, 0);
    uint64_t waited = rig_wait(r, SEC(60));
    assert_in_range(waited, SEC(5), SEC(9)); /* 1 + 2 + 4 s */
    hear_syn(p, S | A);
    assert_int_equal(tern_accept(r->s, l, &p->k, NULL, NULL), TERN_EAGAIN);
    say(p, A, 1, 1, 0);
    rig_turn(r);
    assert_int_equal(tern_accept(r->s, l, &p->k, NULL, NULL), 0);
}

/* Who asks for longer than SYN-ACKs are sent is waited for as long as it has asked. */
static void deferred_for_longer(struct rig *r)
{
    r->cfg.synack_retries = 1;
    struct peer *p = peer_new(r);
    tern_sock l = rig_listen(r, 80, 4, 0);
    assert_int_equal(tern_option_set(r->s, l, TERN_OPT_DEFER_ACCEPT, 4), 0);
    p->lport = 80;
    say(p, S, 0, 0, 0);
    hear_syn(p, S | A);
    say(p, A, 1, 1, 0);
    rig_step(r, SEC(10)); /* 1 + 2 + 4 s: after these it would be over */
    rig_hush(r);
    say(p, A, 1, 1, 10);
    hear(p, A, 1, 11, 0);
    assert_int_equal(tern_accept(r->s, l, &p->k, NULL, NULL), 0);
    peer_read(p, 0, 10);
}

/* Who has answered once and nothing since is given up like others. */
static void deferred_and_gone(struct rig *r)
{
    tern_memory m;
    r->cfg.synack_retries = 3;
    struct peer *p = peer_new(r);
    tern_sock l = rig_listen(r, 80, 4, 0);
    assert_int_equal(tern_option_set(r->s, l, TERN_OPT_DEFER_ACCEPT, 1), 0);
    p->lport = 80;
    say(p, S, 0, 0, 0);
    hear_syn(p, S | A);
    say(p, A, 1, 1, 0);
    for (unsigned i = 0; i < 3; i++) {
        rig_wait(r, SEC(60));
        hear_syn(p, S | A);
    }
    rig_step(r, SEC(60));
    rig_hush(r);
    rig_memory(r, &m);
    assert_int_equal(m.halfopen, 0);
    assert_int_equal(rig_count(r, TERN_COUNT_HALFOPEN_EXPIRED), 1);
}

/* ---- ends of what is held -------------------------------------------------------------------- */

/* Of a SYN that was taken back before its owner heard of it nothing is told; nor of one whose
 * listener is closed before the end of it is told. */
static void nobody_is_told(struct rig *r)
{
    tern_sock k;
    tern_memory m;
    struct peer *p = knocks(r, &k), *q = peer_new(r);
    q->lport = 80;
    say(q, S, 0, 0, 0);
    say(q, R, 1, 0, 0);
    rig_turn(r);
    assert_int_equal(r->ev_count, 0);
    rig_memory(r, &m);
    assert_int_equal(m.halfopen, 1);
    say(p, R, 1, 0, 0);
    assert_int_equal(tern_close(r->s, r->listener), 0);
    rig_turn(r);
    assert_int_equal(r->ev_count, 0);
    rig_memory(r, &m);
    assert_int_equal(m.halfopen + m.listeners, 0);
    rig_hush(r);
}

/* Who was admitted and goes away before the third segment: its owner hears that (MUST-11). */
static void admitted_and_reset(struct rig *r)
{
    int err;
    tern_sock k;
    struct peer *p = knocks(r, &k);
    assert_int_equal(tern_hold_admit(r->s, k, &p->k, NULL), 0);
    hear_syn(p, S | A);
    say(p, R, 1, 0, 0);
    rig_hush(r);
    assert_int_equal(rig_events(r, p->k, &err), TERN_EV_ERROR);
    assert_int_equal(err, TERN_EREFUSED);
}

/* ---- lingering ------------------------------------------------------------------------------- */

/* The handle of a closed socket that lingers stays until all is settled, one way or another. */
static void lingering(struct rig *r)
{
    for (unsigned how = 0; how < 4; how++) {
        int err = 0;
        struct peer *p = peer_active(r);
        assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_LINGER, SEC(5)), 0);
        assert_int_equal(peer_write(p, 0, 10), 10);
        hear(p, A, 1, 1, 10);
        assert_int_equal(tern_close(r->s, p->k), 0);
        hear(p, F | A, 11, 1, 0);
        assert_int_equal(rig_events(r, p->k, NULL), 0);
        switch (how) {
        case 0:
            say(p, R | A, 1, 11, 0);
            break;
        case 1:
            say(p, A, 1, 12, 0);
            break;
        case 2: /* CLOSING, then TIME-WAIT */
            say(p, F | A, 1, 11, 0);
            rig_turn(r);
            say(p, A, 2, 12, 0);
            break;
        default:
            rig_step(r, SEC(6));
            break;
        }
        rig_turn(r);
        uint32_t said = rig_events(r, p->k, &err);
        assert_true(said & TERN_EV_CLOSED);
        assert_int_equal((said & TERN_EV_ERROR) != 0, how == 0 || how == 3);
        if (how == 0)
            assert_int_equal(err, TERN_ERESET);
        assert_int_equal(tern_abort(r->s, p->k), TERN_ESTALE);
        rig_forget(r);
        rig_renew(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(admitted),          RIG(refused_by_reset), RIG(refused_by_icmp),
        RIG(dropped),           RIG(taken_back),       RIG(waits_too_long),
        RIG(listener_goes),     RIG(no_room),          RIG(deferred_until_data),
        RIG(deferred_in_vain),  RIG(lingering),        RIG(deferred_for_longer),
        RIG(deferred_and_gone), RIG(nobody_is_told),   RIG(admitted_and_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
