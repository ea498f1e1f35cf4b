/* test_list.c - what a stack tells of its sockets, and the names of everything it counts. */
#include "rig.h"

/* Two texts of one list are never the same, and none is empty. */
static void check_names(const char *(*text)(unsigned), unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        assert_true(strlen(text(i)) > 1);
        for (unsigned j = 0; j < i; j++)
            assert_string_not_equal(text(i), text(j));
    }
    assert_string_equal(text(n), "?");
    assert_string_equal(text(255), "?");
}

static const char *state(unsigned i) { return tern_state_name((enum tern_state)i); }
static const char *drop(unsigned i) { return tern_drop_text((enum tern_drop)i); }
static const char *counter(unsigned i) { return tern_counter_name((enum tern_counter)i); }
static const char *counted(unsigned i) { return tern_counter_text((enum tern_counter)i); }
static const char *error(unsigned i) { return tern_err_text((enum tern_err)(-1 - (int)i)); }

static void names(void **unused)
{
    (void)unused;
    check_names(state, TERN_STATE_COUNT);
    check_names(drop, TERN_DROP_COUNT);
    check_names(counter, TERN_COUNTER_COUNT);
    check_names(counted, TERN_COUNTER_COUNT);
    check_names(error, -TERN_EMSGSIZE);
    assert_string_equal(tern_state_name(TERN_FIN_WAIT_2), "FIN-WAIT-2");
    assert_string_equal(tern_counter_name(TERN_COUNT_SACKS_INVALID), "SACKS_INVALID");
    assert_string_equal(tern_err_text(0), "?");
}

/* The whole list, `step` at a time. */
static size_t list(const tern *s, tern_entry *e, size_t max, size_t step)
{
    uint64_t cursor = 0;
    size_t n = 0, got;
    while ((got = tern_list(s, &cursor, e + n, step < max - n ? step : max - n)) != 0)
        n += got;
    return n;
}

static const tern_entry *entry(const tern_entry *e, size_t n, enum tern_state state, uint16_t port)
{
    const tern_entry *found = NULL;
    for (size_t i = 0; i < n; i++) {
        if (e[i].state != state || (port != 0 && e[i].peer.port != port))
            continue;
        assert_null(found); /* each once */
        found = &e[i];
    }
    return found;
}

static int find(struct rig *r, uint16_t lport, uint16_t port, tern_entry *e)
{
    tern_addr local = rig_addr(r->local, lport), peer = rig_addr(r->remote, port);
    return tern_find(r->s, &local, &peer, e);
}

/* One in each place where connections are kept. */
static void all_kinds(struct rig *r)
{
    int mine, theirs;
    tern_entry e[16], found;
    struct peer *half = peer_new(r), *done, *queued = peer_new(r), *open = peer_active(r);
    tern_sock l = rig_listen(r, 80, 4, 0);
    assert_int_equal(tern_user_set(r->s, l, &mine), 0);
    assert_int_equal(tern_user_set(r->s, open->k, &theirs), 0);
    half->lport = queued->lport = 80;
    say(half, S, 0, 0, 0);
    hear_syn(half, S | A);
    say(queued, S, 0, 0, 0);
    hear_syn(queued, S | A);
    say(queued, A, 1, 1, 0);
    say(queued, A, 1, 1, 10);
    rig_turn(r);
    rig_forget(r);
    uint32_t in, out;
    done = peer_active(r);
    peer_to_state(done, TERN_TIME_WAIT, &in, &out);
    assert_int_equal(tern_close(r->s, done->k), 0);
    assert_int_equal(peer_write(open, 0, 7), 7);
    for (size_t step = 1; step < 6; step += 2) {
        size_t n = list(r->s, e, 16, step);
        const tern_entry *it = entry(e, n, TERN_LISTEN, 0);
        assert_int_equal(n, 5);
        assert_non_null(it);
        assert_int_equal(it->sock.id, l.id);
        assert_ptr_equal(it->user, &mine);
        assert_int_equal(it->recv_q, 1);
        assert_int_equal(it->send_q, 4);
        it = entry(e, n, TERN_SYN_RECEIVED, half->port);
        assert_non_null(it);
        assert_ptr_equal(it->user, &mine);
        assert_true(it->timer > r->now && it->timer <= r->now + SEC(2));
        it = entry(e, n, TERN_ESTABLISHED, queued->port);
        assert_non_null(it);
        assert_int_equal(it->sock.id, 0); /* nobody's yet */
        assert_ptr_equal(it->user, &mine);
        assert_int_equal(it->recv_q, 10);
        it = entry(e, n, TERN_ESTABLISHED, open->port);
        assert_non_null(it);
        assert_int_equal(it->sock.id, open->k.id);
        assert_ptr_equal(it->user, &theirs);
        assert_int_equal(it->send_q, 7);
        it = entry(e, n, TERN_TIME_WAIT, done->port);
        assert_non_null(it);
        assert_int_equal(it->local.port, done->lport);
        assert_true(it->timer > r->now && it->timer <= r->now + 2 * r->cfg.msl + SEC(1));
    }
    assert_int_equal(find(r, 80, half->port, &found), 0);
    assert_int_equal(found.state, TERN_SYN_RECEIVED);
    assert_int_equal(find(r, open->lport, open->port, &found), 0);
    assert_int_equal(found.sock.id, open->k.id);
    assert_int_equal(find(r, done->lport, done->port, &found), 0);
    assert_int_equal(found.state, TERN_TIME_WAIT);
    assert_int_equal(find(r, 80, (uint16_t)(open->port + 500), &found), TERN_ESTALE);
    /* the listener closed: those that wait behind it go with it */
    assert_int_equal(tern_close(r->s, l), 0);
    size_t n = list(r->s, e, 16, 3);
    assert_null(entry(e, n, TERN_LISTEN, 0));
    assert_int_equal(find(r, 80, queued->port, &found), TERN_ESTALE);
    rig_turn(r);
    rig_forget(r);
}

/* A socket that was closed with data still to be sent is there, but nobody's. */
static void orphans(struct rig *r)
{
    tern_entry e;
    struct peer *p = peer_active(r);
    assert_int_equal(peer_write(p, 0, 100), 100);
    assert_int_equal(tern_close(r->s, p->k), 0);
    rig_turn(r);
    rig_forget(r);
    assert_int_equal(find(r, p->lport, p->port, &e), 0);
    assert_int_equal(e.state, TERN_FIN_WAIT_1);
    assert_int_equal(e.sock.id, 0);
    say(p, A | R, 1, 1, 0);
    rig_turn(r);
    assert_int_equal(find(r, p->lport, p->port, &e), TERN_ESTALE);
}

/* What has ended, but for an event that nobody has fetched yet, is not there. */
static void ended_but_for_an_event(struct rig *r)
{
    tern_entry e[8], found;
    uint64_t cursor = 0;
    tern_addr name;
    struct peer *half = peer_new(r), *open = peer_active(r);
    tern_sock l = rig_listen(r, 80, 4, TERN_LISTEN_HOLD), held = {0};
    half->lport = 80;
    struct seg g = peer_seg(half, S, 0, 0, 0);
    rig_input_seg(r, &g);
    size_t n = tern_list(r->s, &cursor, e, 8);
    for (size_t i = 0; i < n; i++)
        if (e[i].state == TERN_SYN_RECEIVED)
            held = e[i].sock;
    g = peer_seg(half, R, 1, 0, 0);
    rig_input_seg(r, &g);
    g = peer_seg(open, R, 1, 1, 0);
    rig_input_seg(r, &g);
    assert_int_equal(tern_abort(r->s, open->k), 0);
    n = list(r->s, e, 8, 8);
    assert_int_equal(n, 1); /* the listener */
    assert_int_equal(e[0].sock.id, l.id);
    assert_int_equal(find(r, 80, half->port, &found), TERN_ESTALE);
    if (held.id != 0) {
        assert_int_equal(tern_names(r->s, held, &name, NULL), TERN_ESTALE);
        assert_int_equal(tern_hold_drop(r->s, held), TERN_ESTALE);
    }
    if (r->ip6) /* and with a stack that ends then */
        rig_renew(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        RIG(all_kinds),
        RIG(orphans),
        RIG(ended_but_for_an_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
