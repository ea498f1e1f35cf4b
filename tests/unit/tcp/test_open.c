/* test_open.c - the handshake from either side and from both at once (RFC 9293 3.5, 3.10.7.2 and
 * .3). */
#include "rig.h"

/* U-13: LISTEN, SYN-RECEIVED, ESTABLISHED. */
static void passive_open(struct rig *r)
{
    struct peer *p = peer_new(r);
    tern_sock l = rig_listen(r, 80, 4, 0);
    peer_connects(p, l);
    assert_int_equal(peer_state(p), TERN_ESTABLISHED);
    say(p, A, 1, 1, 100);
    hear(p, A, 1, 101, 0);
    peer_read(p, 0, 100);
    assert_int_equal(peer_write(p, 0, 10), 10);
    hear(p, A | P, 1, 101, 10);
    say(p, A, 101, 11, 0);
    rig_hush(r);
}

static void active_open(struct rig *r)
{
    struct peer *p = peer_new(r);
    p->lport = 0;
    peer_accepts(p);
    assert_int_equal(peer_state(p), TERN_ESTABLISHED);
    assert_int_equal(peer_write(p, 0, 5000), 5000);
    hear_data(p, 1, 5001);
    say(p, A, 1, 5001, 100);
    hear(p, A, 5001, 101, 0);
}

/* MUST-10, figure 8: SYNs cross; the same ISS comes again, with ACK; one connection results.
 * (A-70) */
static void simultaneous_open(struct rig *r)
{
    struct peer *p = peer_new(r);
    peer_syn_sent(p);
    say(p, S, 0, 0, 0);
    hear_syn(p, S | A);
    assert_int_equal(peer_state(p), TERN_SYN_RECEIVED);
    say(p, A, 1, 1, 0);
    rig_hush(r);
    assert_int_equal(peer_state(p), TERN_ESTABLISHED);
    assert_int_equal(rig_events(r, p->k, NULL), TERN_EV_OPEN);
    say(p, A, 1, 1, 50);
    hear(p, A, 1, 51, 0);
    tern_memory m;
    rig_memory(r, &m);
    assert_int_equal(m.conns, 1);
}

/* The peer answers our SYN-ACK with a SYN-ACK of its own, as its state machine may. */
static void simultaneous_open_ends_with_syn_ack(struct rig *r)
{
    struct peer *p = peer_new(r);
    peer_syn_sent(p);
    say(p, S, 0, 0, 0);
    hear_syn(p, S | A);
    say(p, S | A, 0, 1, 0);
    rig_turn(r);
    rig_forget(r);
    assert_int_equal(peer_state(p), TERN_ESTABLISHED);
    say(p, A, 1, 1, 50);
    hear(p, A, 1, 51, 0);
}

/* Its SYN and its SYN-ACK come in one batch: the answer to the first is not sent any more. */
static void simultaneous_open_in_one_batch(struct rig *r)
{
    struct peer *p = peer_new(r);
    peer_syn_sent(p);
    say(p, S, 0, 0, 0);
    say(p, S | A, 0, 1, 0);
    hear(p, A, 1, 1, 0);
    assert_int_equal(peer_state(p), TERN_ESTABLISHED);
    assert_int_equal(peer_write(p, 0, 100), 100);
    hear(p, A, 1, 1, 100);
    say(p, A, 1, 101, 50);
    hear(p, A, 101, 51, 0);
}

/* U-3: what is not an acknowledgement of our SYN. */
static void syn_sent_answers_wrong_acks_with_rst(struct rig *r)
{
    static const int32_t wrong[] = {0, -1, 2, 1000, 0x40000000};
    struct peer *p = peer_new(r);
    peer_syn_sent(p);
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        say(p, S | A, 0, (uint32_t)wrong[i], 0);
        hear(p, R, (uint32_t)wrong[i], 0, 0);
        say(p, A, 0, (uint32_t)wrong[i], 0);
        hear(p, R, (uint32_t)wrong[i], 0, 0);
        say(p, R | A, 0, (uint32_t)wrong[i], 0);
        rig_hush(r);
        assert_int_equal(peer_state(p), TERN_SYN_SENT);
    }
    say(p, S | A, 0, 1, 0);
    hear(p, A, 1, 1, 0);
    assert_int_equal(peer_state(p), TERN_ESTABLISHED);
}

/* U-3, erratum 8167: in SYN-SENT a RST is judged by its ACK alone. */
static void syn_sent_and_rst(struct rig *r)
{
    struct peer *p = peer_new(r);
    int err;
    peer_syn_sent(p);
    say(p, R, 0, 0, 0);
    say(p, R, 1, 0, 0);
    rig_hush(r);
    assert_int_equal(peer_state(p), TERN_SYN_SENT);
    say(p, R | A, rig_random(), 1, 0);
    rig_hush(r);
    assert_int_equal(rig_events(r, p->k, &err), TERN_EV_ERROR);
    assert_int_equal(err, TERN_EREFUSED);
    assert_int_equal(tern_close(r->s, p->k), 0);
}

/* U-16: neither SYN nor RST nor ACK: nothing happens. */
static void syn_sent_ignores_the_rest(struct rig *r)
{
    struct peer *p = peer_new(r);
    peer_syn_sent(p);
    for (unsigned flags = 0; flags < 64; flags++) {
        if (flags & (S | R | A))
            continue;
        say(p, flags, 0, 0, flags & F ? 10 : 0);
        rig_hush(r);
    }
    say(p, A | F, 0, 1, 10); /* an ACK of our SYN, but no SYN */
    rig_hush(r);
    assert_int_equal(peer_state(p), TERN_SYN_SENT);
}

/* U-4: data and FIN on a SYN-ACK are delivered once established. (T-17) */
static void data_and_fin_on_syn_ack(struct rig *r)
{
    for (int fin = 0; fin < 2; fin++) {
        struct peer *p = peer_new(r);
        peer_syn_sent(p);
        say(p, S | A | (fin ? F : 0u), 0, 1, 10);
        hear(p, A, 1, fin ? 12 : 11, 0);
        assert_int_equal(peer_state(p), fin ? TERN_CLOSE_WAIT : TERN_ESTABLISHED);
        peer_read(p, 0, 10);
        char byte;
        assert_int_equal(tern_recv(r->s, p->k, &byte, 1), fin ? 0 : TERN_EAGAIN);
    }
}

/* U-1: what a listener says to each set of flags. */
static void listen_and_all_flags(struct rig *r)
{
    rig_start(r);
    rig_listen(r, 80, 4, 0);
    for (unsigned flags = 0; flags < 64; flags++) {
        struct peer *p = peer_new(r);
        p->ts = false;
        p->raw_numbers = true;
        p->iss = 0;
        say(p, flags, 5, 4242, 0);
        if (flags & R) {
            rig_hush(r);
        } else if (flags & A) {
            hear(p, R, 4242, 0, 0);
        } else if (flags & S && !(flags & F)) {
            p->raw_numbers = false;
            p->irs += 5;
            hear_syn(p, S | A);
            say(p, R, 1, 0, 0);
        }
        rig_hush(r);
    }
}

/* U-2, A-67, A-86: no socket at all. */
static void closed_and_all_flags(struct rig *r)
{
    rig_start(r);
    for (unsigned flags = 0; flags < 64; flags++) {
        for (uint32_t len = 0; len < 20; len += 10) {
            struct peer *p = peer_new(r);
            p->ts = false;
            p->raw_numbers = true;
            say(p, flags, 7, 4242, len);
            uint32_t span = len + ((flags & S) != 0) + ((flags & F) != 0);
            if (!(flags & R) && flags & A)
                hear(p, R, 4242, 0, 0);
            else if (!(flags & R))
                hear(p, R | A, 0, 7 + span, 0);
            rig_hush(r);
        }
    }
}

/* MUST-11: a RST in SYN-RECEIVED ends the entry silently and the listener goes on. */
static void rst_in_syn_received_of_a_listener(struct rig *r)
{
    struct peer *p = peer_new(r);
    tern_sock l = rig_listen(r, 80, 4, 0);
    say(p, S, 0, 0, 0);
    hear_syn(p, S | A);
    say(p, R, 1, 0, 0);
    rig_hush(r);
    assert_int_equal(r->ev_count, 0);
    tern_memory m;
    rig_memory(r, &m);
    assert_int_equal(m.halfopen, 0);
    peer_connects(p, l);
}

/* MUST-11: after a simultaneous open it is a refusal. */
static void rst_in_syn_received_of_our_own(struct rig *r)
{
    struct peer *p = peer_new(r);
    int err;
    peer_syn_sent(p);
    say(p, S, 0, 0, 0);
    hear_syn(p, S | A);
    say(p, R, 1, 0, 0);
    rig_hush(r);
    assert_int_equal(rig_events(r, p->k, &err), TERN_EV_ERROR);
    assert_int_equal(err, TERN_EREFUSED);
    assert_int_equal(peer_state(p), TERN_CLOSED);
}

/* U-13: an ACK of something else in SYN-RECEIVED. */
static void wrong_ack_in_syn_received(struct rig *r)
{
    static const int32_t wrong[] = {0, -1, 2, 100, 0x40000000};
    struct peer *p = peer_new(r);
    rig_listen(r, 80, 4, 0);
    say(p, S, 0, 0, 0);
    hear_syn(p, S | A);
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        say(p, A, 1, (uint32_t)wrong[i], 0);
        hear(p, R, (uint32_t)wrong[i], 0, 0);
    }
    tern_memory m;
    rig_memory(r, &m);
    assert_int_equal(m.halfopen, 1);
    assert_int_equal(m.conns, 0);
}

/* The third segment may carry data, or the FIN, or come after the data that followed it. */
static void third_segment_with_data_and_fin(struct rig *r)
{
    struct peer *p = peer_new(r);
    tern_sock l = rig_listen(r, 80, 4, 0);
    say(p, S, 0, 0, 0);
    hear_syn(p, S | A);
    say(p, A | F, 1, 1, 100);
    hear(p, A, 1, 102, 0);
    assert_int_equal(tern_accept(r->s, l, &p->k, NULL, NULL), 0);
    rig_turn(r);
    assert_true(rig_events(r, p->k, NULL) & TERN_EV_EOF);
    peer_read(p, 0, 100);
    assert_int_equal(peer_state(p), TERN_CLOSE_WAIT);
}

/* data on a SYN waits to be sent again. */
static void data_on_syn_is_delivered_once(struct rig *r)
{
    struct peer *p = peer_new(r);
    tern_sock l = rig_listen(r, 80, 4, 0);
    say(p, S, 0, 0, 100);
    const struct seg *g = hear_syn(p, S | A);
    assert_int_equal(g->ack, p->irs + 1);
    say(p, A, 1, 1, 100);
    hear(p, A, 1, 101, 0);
    assert_int_equal(tern_accept(r->s, l, &p->k, NULL, NULL), 0);
    peer_read(p, 0, 100);
    char byte;
    assert_int_equal(tern_recv(r->s, p->k, &byte, 1), TERN_EAGAIN);
}

/* Bytes may be queued before the connection is established; close queues FIN (U-20). */
static void data_before_the_handshake(struct rig *r)
{
    struct peer *p = peer_new(r);
    tern_addr to = rig_addr(r->remote, p->port), from = {.port = p->lport};
    assert_int_equal(tern_connect(r->s, &p->k, &from, &to, NULL), 0);
    assert_int_equal(peer_write(p, 0, 100), 100); /* before the SYN has left */
    hear_syn(p, S);
    assert_int_equal(peer_write(p, 100, 100), 100); /* and after */
    assert_int_equal(tern_shutdown(r->s, p->k), 0);
    rig_hush(r);
    say(p, S | A, 0, 1, 0);
    rig_turn(r);
    const struct seg *g = rig_next(r);
    if (g != NULL && g->len == 0 && !(g->flags & F)) /* the ACK may go alone */
        g = rig_next(r);
    assert_non_null(g);
    assert_int_equal(g->len, 200);
    assert_int_equal(g->flags, A | F | P);
    assert_int_equal(peer_state(p), TERN_FIN_WAIT_1);
}

/* MUST-46: an address nobody can be at; no packet leaves. */
static void connect_to_impossible_addresses(struct rig *r)
{
    static const uint8_t bad4[][4] = {
        {0, 0, 0, 0}, {255, 255, 255, 255}, {192, 0, 2, 255}, {224, 0, 0, 1}, {239, 1, 2, 3}};
    static const uint8_t bad6[][16] = {{0}, {0xff, 2, [15] = 1}, {0xff, 0x0e, [15] = 9}};
    tern_sock k;
    rig_start(r);
    for (unsigned i = 0; i < sizeof(bad4) / sizeof(bad4[0]) && !r->ip6; i++) {
        tern_addr to = {.ip = {[10] = 0xff, 0xff}, .port = 80};
        memcpy(to.ip + 12, bad4[i], 4);
        assert_int_equal(tern_connect(r->s, &k, NULL, &to, NULL), TERN_EINVAL);
    }
    for (unsigned i = 0; i < sizeof(bad6) / sizeof(bad6[0]); i++) {
        tern_addr to = rig_addr(bad6[i], 80);
        assert_int_equal(tern_connect(r->s, &k, NULL, &to, NULL), TERN_EINVAL);
    }
    tern_addr to = rig_addr(r->remote, 0);
    assert_int_equal(tern_connect(r->s, &k, NULL, &to, NULL), TERN_EINVAL);
    uint8_t away[16];
    memcpy(away, r->remote, 16);
    away[r->ip6 ? 3 : 13] ^= 0x55;
    to = rig_addr(away, 80);
    assert_int_equal(tern_connect(r->s, &k, NULL, &to, NULL), TERN_ENETUNREACH);
    rig_hush(r);
}

/* MUST-43: a local address of ours may be given, another one not; ports may be taken. */
static void connect_with_a_local_address(struct rig *r)
{
    struct peer *p = peer_new(r);
    tern_addr to = rig_addr(r->remote, p->port), from = rig_addr(r->local, 1234);
    tern_sock k;
    from.ip[15] ^= 0x70;
    assert_int_equal(tern_connect(r->s, &k, &from, &to, NULL), TERN_EADDRNOTAVAIL);
    from.ip[15] ^= 0x70;
    assert_int_equal(tern_connect(r->s, &p->k, &from, &to, NULL), 0);
    assert_int_equal(tern_connect(r->s, &k, &from, &to, NULL), TERN_EADDRINUSE);
    p->lport = 1234;
    hear_syn(p, S);
    to.port++;
    assert_int_equal(tern_connect(r->s, &k, &from, &to, NULL), 0); /* another tuple */
    tern_addr a, b;
    assert_int_equal(tern_names(r->s, p->k, &a, &b), 0);
    assert_int_equal(a.port, 1234);
    assert_int_equal(b.port, p->port);
    assert_memory_equal(a.ip, r->local, 16);
    assert_memory_equal(b.ip, r->remote, 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_ISNS(passive_open),
        RIG_ISNS(active_open),
        RIG_ISNS(simultaneous_open),
        RIG_ISNS(simultaneous_open_ends_with_syn_ack),
        RIG_ISNS(simultaneous_open_in_one_batch),
        RIG_ISNS(syn_sent_answers_wrong_acks_with_rst),
        RIG_ISNS(syn_sent_and_rst),
        RIG(syn_sent_ignores_the_rest),
        RIG_ISNS(data_and_fin_on_syn_ack),
        RIG_ISNS(listen_and_all_flags),
        RIG_ISNS(closed_and_all_flags),
        RIG_ISNS(rst_in_syn_received_of_a_listener),
        RIG_ISNS(rst_in_syn_received_of_our_own),
        RIG_ISNS(wrong_ack_in_syn_received),
        RIG_ISNS(third_segment_with_data_and_fin),
        RIG_ISNS(data_on_syn_is_delivered_once),
        RIG_ISNS(data_before_the_handshake),
        RIG(connect_to_impossible_addresses),
        RIG(connect_with_a_local_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
