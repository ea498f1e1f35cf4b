/* test_limits.c - every limit of tern_config reached, and handles that have outlived their socket.
 */
#include <stdlib.h>

#include "rig.h"

/* ---- limits ---------------------------------------------------------------------------------- */

static void conns_max_active(struct rig *r)
{
    r->cfg.conns_max = 3;
    tern_sock k;
    struct peer *p[3];
    tern_addr to = rig_addr(r->remote, 7);
    for (unsigned i = 0; i < 3; i++)
        p[i] = peer_active(r);
    assert_int_equal(tern_connect(r->s, &k, NULL, &to, NULL), TERN_ELIMIT);
    assert_int_equal(tern_abort(r->s, p[1]->k), 0);
    rig_turn(r);
    rig_forget(r);
    peer_active(r);
    assert_int_equal(tern_connect(r->s, &k, NULL, &to, NULL), TERN_ELIMIT);
}

/* A peer's third segment finds no room: its half-open entry waits, and the next copy is taken. */
static void conns_max_passive(struct rig *r)
{
    r->cfg.conns_max = 1;
    struct peer *p = peer_new(r), *q = peer_new(r);
    tern_sock l = rig_listen(r, 80, 4, 0);
    peer_connects(p, l);
    say(q, S, 0, 0, 0);
    hear_syn(q, S | A);
    say(q, A, 1, 1, 0);
    rig_hush(r);
    assert_int_equal(rig_drops(r, TERN_DROP_MEMORY), 1);
    assert_int_equal(tern_accept(r->s, l, &q->k, NULL, NULL), TERN_EAGAIN);
    assert_int_equal(tern_abort(r->s, p->k), 0);
    rig_turn(r);
    rig_forget(r);
    say(q, A, 1, 1, 0);
    rig_hush(r);
    assert_int_equal(tern_accept(r->s, l, &q->k, NULL, NULL), 0);
}

static void halfopen_max(struct rig *r)
{
    r->cfg.halfopen_max = 3;
    r->cfg.cookies = TERN_COOKIES_NEVER;
    rig_start(r);
    tern_sock l = rig_listen(r, 80, 16, 0);
    struct peer *p[4];
    for (unsigned i = 0; i < 4; i++) {
        p[i] = peer_new(r);
        say(p[i], S, 0, 0, 0);
        if (i < 3)
            hear_syn(p[i], S | A);
        rig_hush(r);
    }
    assert_int_equal(rig_drops(r, TERN_DROP_TCP_HALFOPEN), 1);
    say(p[0], A, 1, 1, 0);
    assert_int_equal(tern_accept(r->s, l, &p[0]->k, NULL, NULL), 0);
    say(p[3], S, 0, 0, 0);
    hear_syn(p[3], S | A);
}

/* Over it the entry nearest to its end goes. */
static void timewait_max(struct rig *r)
{
    r->cfg.timewait_max = 2;
    rig_start(r);
    struct peer *p[4];
    tern_memory m;
    for (unsigned i = 0; i < 4; i++) {
        uint32_t in, out;
        p[i] = peer_active(r);
        peer_to_state(p[i], TERN_TIME_WAIT, &in, &out);
        assert_int_equal(tern_close(r->s, p[i]->k), 0);
        rig_step(r, MS(100));
        rig_memory(r, &m);
        assert_int_equal(m.timewaits, i < 2 ? i + 1 : 2);
    }
    assert_int_equal(rig_count(r, TERN_COUNT_TIMEWAIT_RECYCLED), 2);
    for (unsigned i = 0; i < 4; i++) {
        say(p[i], A | F, 1, 2, 0);
        if (i < 2)
            hear(p[i], R, 2, 0, 0); /* nobody knows of it any more */
        else
            hear(p[i], A, 2, 2, 0);
    }
}

static void listeners_max(struct rig *r)
{
    r->cfg.listeners_max = 2;
    rig_start(r);
    tern_sock k[2], more;
    tern_listen_args args = {.local = rig_addr(r->local, 1), .backlog = 1};
    for (unsigned i = 0; i < 2; i++, args.local.port++)
        assert_int_equal(tern_listen(r->s, &k[i], &args), 0);
    assert_int_equal(tern_listen(r->s, &more, &args), TERN_ELIMIT);
    assert_int_equal(tern_close(r->s, k[0]), 0);
    assert_int_equal(tern_listen(r->s, &more, &args), 0);
}

static void ifaces_addrs_and_routes_max(struct rig *r)
{
    r->cfg.ifaces_max = 2;
    r->cfg.addrs_max = 3;
    r->cfg.routes_max = 4;
    rig_start(r);
    assert_true(tern_iface_add(r->s, &r->link) >= 0);
    assert_int_equal(tern_iface_add(r->s, &r->link), TERN_ELIMIT);
    uint8_t ip[16];
    memcpy(ip, r->local, 16);
    for (unsigned i = 0; i < 3; i++) {
        ip[15] = (uint8_t)(100 + i);
        assert_int_equal(tern_iface_addr(r->s, r->iface, ip, 128), i < 2 ? 0 : TERN_ELIMIT);
    }
    assert_int_equal(tern_route_add(r->s, ip, 128, NULL, r->iface), 0);
    assert_int_equal(tern_route_add(r->s, ip, 128, NULL, r->iface), 0); /* the same once more */
    ip[15] = 1;
    assert_int_equal(tern_route_add(r->s, ip, 128, NULL, r->iface), TERN_ELIMIT);
}

/* An address counts as long as something has it. */
static void addrs_max_of_a_gateway(struct rig *r)
{
    r->cfg.addrs_max = 4;
    rig_start(r);
    assert_int_equal(tern_iface_promiscuous(r->s, r->iface, true), 0);
    tern_listen_args any = {.local.port = 80, .backlog = 8};
    tern_sock l, k;
    assert_int_equal(tern_listen(r->s, &l, &any), 0);
    for (unsigned i = 0; i < 40; i++) {
        struct peer *p = peer_new(r);
        p->raw_numbers = true;
        p->lport = 80;
        struct seg g = peer_seg(p, S, 0, 0, 0);
        g.dst[15] = (uint8_t)(2 + i % 60);
        rig_input_seg(r, &g);
        rig_turn(r);
        p->iss = rig_next(r)->seq;
        struct seg h = peer_seg(p, A, 1, 1, 0);
        memcpy(h.dst, g.dst, 16);
        rig_input_seg(r, &h);
        assert_int_equal(tern_accept(r->s, l, &k, NULL, NULL), 0);
        assert_int_equal(tern_abort(r->s, k), 0);
        rig_turn(r);
        rig_forget(r);
    }
}

/* buf_bytes_max: who has had the half of it waits for acknowledgements, who has nothing gets a
 * page, and who gets none although nothing of it is in flight is told when there is memory again;
 * receiving drops with a reason, and completes. */
static void buf_bytes_max_sending(struct rig *r)
{
    r->cfg.buf_bytes_max = 4 * 4096;
    struct peer *p = peer_active(r), *other = peer_active(r), *q = peer_active(r);
    ptrdiff_t n;
    uint32_t at = 0;
    tern_iov v;
    while ((n = peer_write(p, at, 1000)) > 0)
        at += (uint32_t)n;
    assert_int_equal(n, TERN_EAGAIN);
    assert_in_range(at, 2 * 4096, 3 * 4096);
    assert_in_range(peer_write(other, 0, 5000), 3000, 4096);
    assert_int_equal(peer_write(other, 0, 10), TERN_EAGAIN);
    assert_int_equal(peer_write(q, 0, 10), TERN_ELIMIT);
    assert_int_equal(tern_send_reserve(r->s, q->k, &v, 1, 10), TERN_ELIMIT);
    rig_turn(r);
    rig_forget(r);
    rig_step(r, MS(30));
    assert_int_equal(rig_events(r, q->k, NULL), 0);
    assert_int_equal(tern_abort(r->s, p->k), 0);
    rig_step(r, MS(30));
    rig_forget(r);
    assert_int_equal(rig_events(r, q->k, NULL), TERN_EV_WRITE);
    assert_int_equal(peer_write(q, 0, 10), 10);
    hear(q, A | P, 1, 1, 10);
}

static void buf_bytes_max_receiving(struct rig *r)
{
    r->cfg.buf_bytes_max = 2 * 4096;
    struct peer *p = peer_passive(r);
    uint32_t at = 1;
    tern_tcp_info info;
    for (unsigned i = 0; i < 20; i++) {
        say(p, A, at, 1, 1000);
        rig_turn(r);
        rig_forget(r);
        peer_info(p, &info);
        at = info.rcv_nxt - info.irs;
    }
    assert_in_range(at, 4096, 8193);
    assert_true(rig_drops(r, TERN_DROP_MEMORY) > 0);
    peer_read(p, 0, at - 1);
    rig_step(r, MS(100));
    rig_forget(r);
    say(p, A, at, 1, 1000);
    rig_step(r, MS(100));
    hear(p, A, 1, at + 1000, 0);
    peer_read(p, at - 1, 1000);
}

/* What a configuration cannot be. */
static void impossible_configurations(struct rig *r)
{
    tern *s;
    tern_config good = r->cfg;
#define BAD(field, value)                                                                          \
    do {                                                                                           \
        tern_config cfg = good;                                                                    \
        cfg.field = value;                                                                         \
        s = (tern *)&cfg;                                                                          \
        if (tern_new(&s, &cfg, r->now) != TERN_EINVAL)                                             \
            rig_fail("%s = %s is accepted", #field, #value);                                       \
        assert_null(s);                                                                            \
    } while (0)
    BAD(size, 0);
    BAD(size, sizeof(tern_config) + 1);
    BAD(alloc, NULL);
    BAD(free, NULL);
    BAD(cc, NULL);
    BAD(conns_max, 0);
    BAD(conns_max, 1u << 24);
    BAD(halfopen_max, 0);
    BAD(timewait_max, 0);
    BAD(timewait_max, 1u << 28);
    BAD(listeners_max, 0);
    BAD(listeners_max, 65536);
    BAD(ifaces_max, 0);
    BAD(ifaces_max, 65);
    BAD(addrs_max, 0);
    BAD(routes_max, 0);
    BAD(output_max, 0);
    BAD(output_max, 65535);
    BAD(replies_max, 0);
    BAD(advance_max, 0);
    BAD(buf_bytes_max, 4095);
    BAD(rcvbuf, 0);
    BAD(rcvbuf_max, 65535);
    BAD(rcvbuf_max, (1u << 30) + 1);
    BAD(sndbuf, 0);
    BAD(sndbuf_max, 65535);
    BAD(ttl, 0);
    BAD(rto_min, 0);
    BAD(rto_initial, 0);
    BAD(rto_max, MS(199));
    BAD(rto_max, SEC(4 * 3600) + 1);
    BAD(msl, SEC(2 * 3600) + 1);
    BAD(fin_wait2, SEC(4 * 3600) + 1);
    BAD(hold, SEC(4 * 3600) + 1);
    BAD(idle, SEC(4 * 3600) + 1);
    BAD(shard, 256);
    BAD(cookies, 3);
#undef BAD
    memset(r->cfg.seed, 0, sizeof(r->cfg.seed));
    assert_int_equal(tern_new(&s, &r->cfg, r->now), TERN_EINVAL);
    r->cfg = good;
    rig_start(r);
}

/* ---- handles --------------------------------------------------------------------------------- */

/* Each call with a handle that is no connection: every one says `err`, none does anything. */
static void each_call_says(struct rig *r, tern_sock k, int err)
{
    uint8_t buf[8] = {0};
    tern_iov v;
    tern_tcp_info info;
    tern_addr a;
    int64_t value;
    assert_int_equal(tern_send(r->s, k, buf, 1), err);
    assert_int_equal(tern_send_reserve(r->s, k, &v, 1, 1), err);
    assert_int_equal(tern_send_commit(r->s, k, 0), err);
    assert_int_equal(tern_send_lent(r->s, k, buf, 1, buf), err);
    assert_int_equal(tern_recv(r->s, k, buf, 1), err);
    assert_int_equal(tern_recv_peek(r->s, k, &v, 1, 0), err);
    assert_int_equal(tern_recv_consume(r->s, k, 0), err);
    assert_int_equal(tern_recv_owed(r->s, k, 0), err);
    assert_int_equal(tern_shutdown(r->s, k), err);
    assert_int_equal(tern_close(r->s, k), err);
    assert_int_equal(tern_abort(r->s, k), err);
    assert_int_equal(tern_option_set(r->s, k, TERN_OPT_NODELAY, 1), err);
    assert_int_equal(tern_option_get(r->s, k, TERN_OPT_NODELAY, &value), err);
    assert_int_equal(tern_names(r->s, k, &a, &a), err);
    assert_int_equal(tern_user_set(r->s, k, NULL), err);
    assert_int_equal(tern_info(r->s, k, &info, sizeof(info)), err);
}

/* */
static void stale_connections(struct rig *r)
{
    struct peer *p = peer_active(r), *q;
    tern_sock old = p->k;
    assert_int_equal(tern_abort(r->s, old), 0);
    each_call_says(r, old, TERN_ESTALE); /* the RST has not even left */
    rig_turn(r);
    rig_forget(r);
    each_call_says(r, old, TERN_ESTALE);
    r->unclean = false;
    for (unsigned i = 0; i < 300; i++) { /* until the slot is in use again, and beyond */
        q = peer_active(r);
        each_call_says(r, old, TERN_ESTALE);
        assert_int_equal(tern_abort(r->s, q->k), 0);
        rig_turn(r);
        rig_forget(r);
    }
}

/* Closed in good order, the connection lives on, its handle does not. */
static void closed_connections(struct rig *r)
{
    struct peer *p = peer_active(r);
    assert_int_equal(tern_close(r->s, p->k), 0);
    each_call_says(r, p->k, TERN_ESTALE);
    hear(p, F | A, 1, 1, 0);
    each_call_says(r, p->k, TERN_ESTALE);
    p = peer_active(r);
    assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_LINGER, (int64_t)SEC(10)), 0);
    assert_int_equal(tern_close(r->s, p->k), 0);
    each_call_says(r, p->k, TERN_ESTALE); /* its last event is still to come */
    hear(p, F | A, 1, 1, 0);
    say(p, A, 1, 2, 0);
    rig_turn(r);
    assert_int_equal(rig_events(r, p->k, NULL), TERN_EV_CLOSED);
}

static void handles_of_nothing(struct rig *r)
{
    struct peer *p = peer_active(r);
    uint64_t good = p->k.id;
    static const uint64_t bad[] = {0, 1, UINT64_MAX, 0xffffff, 0x1ffffffff};
    for (unsigned i = 0; i < 5; i++) {
        tern_sock k = {bad[i]};
        assert_true(tern_send(r->s, k, "x", 1) < 0);
        assert_true(tern_close(r->s, k) < 0);
        assert_true(tern_accept(r->s, k, &k, NULL, NULL) < 0);
    }
    each_call_says(r, (tern_sock){good ^ 1ull << 24}, TERN_EINVAL); /* of another shard */
    each_call_says(r, (tern_sock){good ^ 1ull << 63}, TERN_ESTALE);
    each_call_says(r, (tern_sock){good + (1ull << 32)}, TERN_ESTALE);
    assert_int_equal(tern_send(r->s, p->k, "\x00", 0), 0);
}

/* A handle of one kind is none of another. */
static void handles_of_another_kind(struct rig *r)
{
    struct peer *p = peer_active(r);
    tern_sock l = rig_listen(r, 80, 4, TERN_LISTEN_HOLD), k;
    uint8_t byte = 0;
    tern_iov v;
    assert_true(tern_accept(r->s, p->k, &k, NULL, NULL) < 0);
    assert_true(tern_backlog(r->s, p->k, 3) < 0);
    assert_true(tern_hold_admit(r->s, p->k, &k, NULL) < 0);
    assert_true(tern_hold_refuse(r->s, l, -1, 0) < 0);
    assert_true(tern_hold_drop(r->s, l) < 0);
    assert_true(tern_send(r->s, l, &byte, 1) < 0);
    assert_true(tern_recv(r->s, l, &byte, 1) < 0);
    assert_true(tern_recv_peek(r->s, l, &v, 1, 0) < 0);
    assert_true(tern_shutdown(r->s, l) < 0);
    assert_true(tern_abort(r->s, l) < 0);
    struct peer *q = peer_new(r);
    say(q, S, 0, 0, 0);
    rig_turn(r);
    assert_int_equal(r->ev_count, 1);
    assert_int_equal(r->ev[0].mask, TERN_EV_HOLD);
    tern_sock held = r->ev[0].sock;
    assert_true(tern_send(r->s, held, &byte, 1) < 0);
    assert_true(tern_accept(r->s, held, &k, NULL, NULL) < 0);
    assert_true(tern_close(r->s, held) < 0);
    assert_int_equal(tern_hold_drop(r->s, held), 0);
    assert_int_equal(tern_hold_drop(r->s, held), TERN_ESTALE);
    assert_int_equal(tern_hold_admit(r->s, held, &k, NULL), TERN_ESTALE);
    assert_int_equal(tern_hold_refuse(r->s, held, -1, 0), TERN_ESTALE);
    assert_int_equal(tern_close(r->s, l), 0);
    assert_int_equal(tern_close(r->s, l), TERN_ESTALE);
    assert_int_equal(tern_accept(r->s, l, &k, NULL, NULL), TERN_ESTALE);
    assert_int_equal(tern_backlog(r->s, l, 1), TERN_ESTALE);
}

/* What a closed listener leaves half-open is listed until it ends, but is nobody's any more.
 * (A-82, T-09) */
static void halfopen_of_a_closed_listener(struct rig *r)
{
    tern_sock l = rig_listen(r, 80, 4, TERN_LISTEN_HOLD);
    uint64_t cursor = 0;
    tern_entry e;
    say(peer_new(r), S, 0, 0, 0);
    rig_turn(r);
    assert_int_equal(tern_close(r->s, l), 0);
    unsigned n = 0;
    while (tern_list(r->s, &cursor, &e, 1) != 0) {
        assert_int_equal(e.state, TERN_SYN_RECEIVED);
        assert_null(e.user);
        n++;
    }
    assert_int_equal(n, 1);
}

/* Slots are reused first in, first out: a handle stays stale as long as may be. */
static void slots_are_reused_in_turn(struct rig *r)
{
    struct peer *p[8];
    for (unsigned i = 0; i < 8; i++)
        p[i] = peer_active(r);
    for (unsigned i = 0; i < 8; i++) {
        unsigned nth = i * 3 % 8;
        assert_int_equal(tern_abort(r->s, p[nth]->k), 0);
        rig_turn(r);
        rig_forget(r);
    }
    for (unsigned i = 0; i < 8; i++) {
        uint64_t was = p[i * 3 % 8]->k.id, is = peer_active(r)->k.id;
        assert_int_equal((uint32_t)is, (uint32_t)was);
        assert_int_equal(is >> 32, (was >> 32) + 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(conns_max_active),
        RIG(conns_max_passive),
        RIG(halfopen_max),
        RIG(timewait_max),
        RIG(listeners_max),
        RIG(ifaces_addrs_and_routes_max),
        RIG(addrs_max_of_a_gateway),
        RIG(buf_bytes_max_sending),
        RIG(buf_bytes_max_receiving),
        RIG(impossible_configurations),
        RIG(stale_connections),
        RIG(closed_connections),
        RIG(handles_of_nothing),
        RIG(handles_of_another_kind),
        RIG(halfopen_of_a_closed_listener),
        RIG(slots_are_reused_in_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
