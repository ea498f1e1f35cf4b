/* test_iface.c - interfaces that change, go and come while connections use them, and several of
 * them beside each other. */
#include "rig.h"

static void add_again(struct rig *r)
{
    assert_int_equal(tern_iface_add(r->s, &r->link), r->iface);
    assert_int_equal(tern_iface_addr(r->s, r->iface, r->local, r->ip6 ? 64 : 96 + 24), 0);
}

/* Removed with output waiting: it waits for a route, and nothing spins. */
static void removed_with_output_waiting(struct rig *r)
{
    struct peer *p = peer_passive(r);
    assert_int_equal(peer_write(p, 0, 10), 10);
    assert_int_equal(tern_iface_remove(r->s, r->iface), 0);
    rig_turn(r);
    rig_step(r, SEC(3));
    rig_hush(r);
    add_again(r);
    rig_step(r, SEC(5));
    hear(p, A, 1, 1, 10);
}

/* No route for so long: it times out like any other. */
static void connect_without_a_route_any_more(struct rig *r)
{
    struct peer *p = peer_new(r);
    tern_addr to = rig_addr(r->remote, p->port);
    int err;
    assert_int_equal(tern_connect(r->s, &p->k, NULL, &to, NULL), 0);
    assert_int_equal(tern_iface_remove(r->s, r->iface), 0);
    r->iface = tern_iface_add(r->s, &r->link);
    rig_step(r, SEC(600));
    assert_int_equal(rig_events(r, p->k, &err), TERN_EV_ERROR);
    assert_int_equal(err, TERN_ETIMEDOUT);
}

static void data_without_a_route_any_more(struct rig *r)
{
    struct peer *p = peer_passive(r);
    int err;
    assert_int_equal(peer_write(p, 0, 10), 10);
    assert_int_equal(tern_iface_remove(r->s, r->iface), 0);
    r->iface = tern_iface_add(r->s, &r->link);
    rig_step(r, SEC(7200));
    assert_int_equal(rig_events(r, p->k, &err) & TERN_EV_ERROR, TERN_EV_ERROR);
    assert_int_equal(err, TERN_ETIMEDOUT);
}

/* An aborted connection whose RST has nowhere to go (the rig looks for what is left). */
static void abort_without_a_route(struct rig *r)
{
    for (int first = 0; first < 2; first++) {
        struct peer *p = peer_active(r);
        if (first)
            assert_int_equal(tern_abort(r->s, p->k), 0);
        assert_int_equal(tern_iface_remove(r->s, r->iface), 0);
        r->iface = tern_iface_add(r->s, &r->link);
        if (!first)
            assert_int_equal(tern_abort(r->s, p->k), 0);
        rig_turn(r);
        rig_hush(r);
        tern_memory m;
        rig_memory(r, &m);
        assert_int_equal(m.conns, 0);
        assert_int_equal(tern_iface_addr(r->s, r->iface, r->local, r->ip6 ? 64 : 96 + 24), 0);
    }
}

/* A device that refused belongs to the interface that was, not to the next of that number. */
static void refusal_does_not_outlive_the_interface(struct rig *r)
{
    struct peer *p = peer_passive(r);
    r->hold = true;
    assert_int_equal(peer_write(p, 0, 10), 10);
    rig_turn(r);
    rig_refuse(r);
    r->hold = false;
    assert_int_equal(tern_iface_remove(r->s, r->iface), 0);
    add_again(r);
    rig_forget(r);
    struct seg g = peer_seg(p, S, 1, 0, 0);
    g.dport = 4444;
    rig_input_seg(r, &g);
    assert_int_equal(tern_next_timeout(r->s), 0);
    rig_turn(r);
    rig_forget(r);
}

/* Its packets may come back after it is gone, in either way. */
static void packets_outlive_the_interface(struct rig *r)
{
    for (int refused = 0; refused < 2; refused++) {
        struct peer *p = peer_active(r);
        r->hold = true;
        assert_int_equal(peer_write(p, 0, 3000), 3000);
        rig_turn(r);
        rig_forget(r);
        assert_int_equal(tern_iface_remove(r->s, r->iface), 0);
        if (refused)
            rig_refuse(r);
        else
            rig_done(r);
        r->hold = false;
        tern_memory m;
        rig_memory(r, &m);
        assert_int_equal(m.outputs, 0);
        add_again(r);
        assert_int_equal(tern_abort(r->s, p->k), 0);
        rig_turn(r);
        rig_forget(r);
    }
}

/* A smaller MTU holds for what is sent from then on, first or again; a larger one too. */
static void mtu_changes_in_use(struct rig *r)
{
    struct peer *p = peer_passive(r);
    tern_tcp_info info;
    assert_int_equal(peer_write(p, 0, 5000), 5000);
    rig_turn(r);
    hear_data(p, 1, 5001);
    say(p, A, 1, 1449, 0);
    rig_turn(r);
    rig_forget(r);
    r->link.mtu = 1300; /* (the rig looks at each packet) */
    assert_int_equal(tern_iface_change(r->s, r->iface, &r->link), 0);
    assert_int_equal(peer_write(p, 5000, 5000), 5000);
    for (unsigned i = 0; i < 20; i++)
        rig_step(r, MS(100));
    peer_info(p, &info);
    assert_int_equal(info.snd_mss, 1300 - (r->ip6 ? 60 : 40) - 12);
    rig_forget(r);
    say(p, A, 1, 10001, 0);
    r->link.mtu = 1500;
    assert_int_equal(tern_iface_change(r->s, r->iface, &r->link), 0);
    assert_int_equal(peer_write(p, 10000, 1), 1);
    hear(p, A, 10001, 1, 1);
    peer_info(p, &info);
    assert_int_equal(info.snd_mss, 1500 - (r->ip6 ? 60 : 40) - 12);
}

/* Offload comes and goes (the rig checks packets against what is declared). */
static void capabilities_change_in_use(struct rig *r)
{
    struct peer *p = peer_passive(r);
    uint32_t at = 1, written = 0;
    for (unsigned i = 0; i < 40; i++) {
        bool on = i % 2 != 0;
        r->link.caps = on ? TERN_CAP_CSUM | TERN_CAP_TSO4 | TERN_CAP_TSO6 : 0;
        r->link.gso_max = on ? 65535 : 0;
        assert_int_equal(tern_iface_change(r->s, r->iface, &r->link), 0);
        ptrdiff_t n = peer_write(p, written, 30000);
        written += n > 0 ? (uint32_t)n : 0;
        rig_turn(r);
        const struct seg *g;
        while ((g = rig_next(r)) != NULL)
            at = g->seq + g->len - p->iss;
        say(p, A, 1, at, 0);
    }
    assert_true(at > 200000);
}

/* A change drops what was made for what the interface was (the rig looks at each packet's length);
 * TCP sends it again. */
static void change_with_refused_packets(struct rig *r)
{
    struct peer *p = peer_passive(r);
    r->hold = true;
    assert_int_equal(peer_write(p, 0, 1448), 1448);
    rig_turn(r);
    rig_refuse(r);
    r->hold = false;
    rig_forget(r);
    r->link.mtu = 1300;
    assert_int_equal(tern_iface_change(r->s, r->iface, &r->link), 0);
    rig_step(r, SEC(1));
    const struct seg *g;
    bool first = false;
    while ((g = rig_next(r)) != NULL) /* perhaps behind a probe of the tail */
        first |= g->seq == p->iss + 1;
    assert_true(first);
}

/* What an interface cannot be. */
static void impossible_interfaces(struct rig *r)
{
    rig_start(r);
    tern_iface f = r->link;
    f.mtu = 67;
    assert_int_equal(tern_iface_add(r->s, &f), TERN_EINVAL);
    f.mtu = 65536;
    assert_int_equal(tern_iface_add(r->s, &f), TERN_EINVAL);
    f.mtu = 1279;
    assert_int_equal(tern_iface_change(r->s, r->iface, &f), r->ip6 ? TERN_EINVAL : 0);
    assert_int_equal(tern_iface_change(r->s, r->iface + 1, &r->link), TERN_EINVAL);
    assert_int_equal(tern_iface_change(r->s, -1, &r->link), TERN_EINVAL);
    assert_int_equal(tern_iface_remove(r->s, 64), TERN_EINVAL);
    assert_int_equal(tern_iface_addr(r->s, 63, r->local, 128), TERN_EINVAL);
    int id = tern_iface_add(r->s, &f);
    uint8_t six[16] = {0x20, 1, [15] = 9};
    assert_int_equal(tern_iface_addr(r->s, id, six, 64), TERN_EINVAL); /* RFC 8200 5 */
    assert_int_equal(tern_iface_remove(r->s, id), 0);
    assert_int_equal(tern_iface_remove(r->s, id), TERN_EINVAL);
    assert_int_equal(tern_iface_addr(r->s, r->iface, r->local, r->ip6 ? 64 : 120), TERN_EADDRINUSE);
}

/* A packet from an interface that is not there. */
static void input_from_nowhere(struct rig *r)
{
    struct peer *p = peer_new(r);
    int id = r->iface;
    for (unsigned i = 0; i < 3; i++) {
        static const int ids[] = {5, 63, 1000};
        r->iface = ids[i];
        say(p, S, 0, 0, 0);
        assert_int_equal(rig_drops(r, TERN_DROP_IFACE), i + 1);
    }
    r->iface = id;
    rig_hush(r);
}

static bool syn_taken(struct peer *p, const uint8_t *src, uint8_t dst)
{
    struct rig *r = p->r;
    struct seg g = peer_seg(p, S, 0, 0, 0);
    p->raw_numbers = true;
    if (src != NULL)
        memcpy(g.src, src, 16);
    g.dst[15] = dst;
    rig_input_seg(r, &g);
    rig_turn(r);
    bool any = rig_waiting(r) != 0;
    rig_forget(r);
    return any;
}

/* MUST-57: what goes to many is no connection; MUST-63: nor what says it comes from them. */
static void MUST_57_MUST_63_broadcast(struct rig *r)
{
    struct peer *p = peer_new(r);
    tern_listen_args any = {.local.port = 80, .backlog = 8};
    tern_sock l;
    uint8_t from[16];
    assert_int_equal(tern_listen(r->s, &l, &any), 0);
    assert_int_equal(tern_iface_promiscuous(r->s, r->iface, true), 0);
    assert_true(syn_taken(p, NULL, 1));
    assert_true(syn_taken(p, NULL, 254));
    assert_int_equal(syn_taken(p, NULL, 255), r->ip6); /* the prefix has 24 bits, or is IPv6 */
    memcpy(from, r->remote, 16);
    from[15] = 255;
    assert_int_equal(syn_taken(p, from, 2), r->ip6);
    from[r->ip6 ? 3 : 14] ^= 1; /* another prefix: whose broadcast that is cannot be known */
    assert_true(tern_route_add(r->s, from, r->ip6 ? 64 : 96 + 24, NULL, r->iface) == 0);
    assert_true(syn_taken(p, from, 3));
    memset(from + 12, 255, 4);
    assert_int_equal(syn_taken(p, from, 4), r->ip6);
    memset(from, r->ip6 ? 255 : 0, 10);
    from[12] = 224;
    assert_false(syn_taken(p, from, 5)); /* multicast */
    assert_int_equal(rig_drops(r, TERN_DROP_IP_DESTINATION), r->ip6 ? 0 : 1);
}

/* MUST-44: the source is the address of the interface that leads there; MUST-45: and stays it. Each
 * interface has its own output. */
static void MUST_44_MUST_45_two_interfaces(struct rig *r)
{
    rig_start(r);
    uint8_t other[16], far[16];
    memcpy(other, r->local, 16);
    other[r->ip6 ? 3 : 13] ^= 1;
    memcpy(far, other, 16);
    far[15] = 99;
    int second = tern_iface_add(r->s, &r->link);
    assert_int_equal(tern_iface_addr(r->s, second, other, r->ip6 ? 64 : 96 + 24), 0);
    tern_addr to = rig_addr(far, 80), local;
    tern_sock k;
    tern_pkt pkt;
    assert_int_equal(tern_connect(r->s, &k, NULL, &to, NULL), 0);
    assert_int_equal(tern_names(r->s, k, &local, NULL), 0);
    assert_memory_equal(local.ip, other, 16);
    assert_int_equal(tern_next_timeout(r->s), 0);
    assert_int_equal(tern_output(r->s, r->iface, &pkt, 1, r->now), 0);
    assert_int_equal(tern_output(r->s, second, &pkt, 1, r->now), 1);
    assert_int_equal(pkt.iface, second);
    tern_output_refused(r->s, &pkt, 1); /* one full device does not hold up another */
    struct peer *p = peer_new(r);
    p->lport = 0;
    peer_accepts(p);
    assert_int_equal(tern_output(r->s, second, &pkt, 1, r->now), 1);
    tern_output_done(r->s, &pkt, 1);
    /* the second goes; what it was the way to goes by the first from now on, as who it was */
    assert_int_equal(tern_iface_remove(r->s, second), 0);
    assert_int_equal(tern_route_add(r->s, far, r->ip6 ? 64 : 96 + 24, NULL, r->iface), 0);
    r->peers[0]->raw_numbers = true;
    rig_wait(r, SEC(3));
    const struct seg *g = rig_next(r);
    assert_int_equal(g->flags, S);
    assert_memory_equal(g->src, other, 16);
    assert_memory_equal(g->dst, far, 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(removed_with_output_waiting),
        RIG(connect_without_a_route_any_more),
        RIG(data_without_a_route_any_more),
        RIG(abort_without_a_route),
        RIG(refusal_does_not_outlive_the_interface),
        RIG(packets_outlive_the_interface),
        RIG(mtu_changes_in_use),
        RIG(capabilities_change_in_use),
        RIG(change_with_refused_packets),
        RIG(impossible_interfaces),
        RIG(input_from_nowhere),
        RIG(MUST_57_MUST_63_broadcast),
        RIG(MUST_44_MUST_45_two_interfaces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
