/* test_edges.c - calls at their limits: tables that are full, handles made up, interfaces that are
 * not there, memory that is given away without a way back. */
#include "rig.h"

#include "tern/info.h"
#include "wire/nd.h"

/* An address for whose network there is no room is none. */
static void no_route_for_an_address(struct rig *r)
{
    uint8_t ip[16];
    int err = 0;
    unsigned n = 0;
    r->cfg.routes_max = 4;
    rig_start(r);
    memcpy(ip, r->local, 16);
    for (; err == 0 && n < 10; n++) {
        ip[r->ip6 ? 7 : 13]++;
        err = tern_iface_addr(r->s, r->iface, ip, r->ip6 ? 64 : 96 + 24);
    }
    assert_int_equal(err, TERN_ELIMIT);
    assert_int_equal(n, 4);
    assert_false(tern_is_local(r->s, ip));
    assert_int_equal(tern_iface_addr_remove(r->s, r->iface, ip), TERN_EINVAL);
    assert_true(tern_is_local(r->s, r->local));
}

static void of_no_interface(struct rig *r)
{
    static const int wrong[] = {-1, 1, 63, 64, 1000};
    rig_start(r);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(tern_iface_addr(r->s, wrong[i], r->remote, 96 + 24), TERN_EINVAL);
        assert_int_equal(tern_iface_addr_remove(r->s, wrong[i], r->local), TERN_EINVAL);
        assert_int_equal(tern_route_add(r->s, r->remote, 128, NULL, wrong[i]), TERN_EINVAL);
        assert_int_equal(tern_route_remove(r->s, r->local, r->ip6 ? 64 : 120, NULL, wrong[i]),
                         TERN_EINVAL);
    }
    assert_true(tern_is_local(r->s, r->local));
}

/* What a stack would not begin with it does not go on with either. */
static void tuned_to_nonsense(struct rig *r)
{
    rig_start(r);
    tern_config cfg = r->cfg;
    cfg.ttl = 0;
    assert_int_equal(tern_tune(r->s, &cfg), TERN_EINVAL);
    cfg.ttl = 9;
    assert_int_equal(tern_tune(r->s, &cfg), 0);
    struct peer *p = peer_passive(r);
    say(p, A, 1, 1, 1000);
    say(p, A, 1001, 1, 1000);
    assert_int_equal(hear(p, A, 1, 2001, 0)->ttl, 9);
    peer_read(p, 0, 2000);
}

static void digest(void *user, const tern_iov *iov, size_t n, uint8_t out[16])
{
    (void)user, (void)iov, (void)n;
    memset(out, 7, 16);
}

/* Numbers of places where nobody has been yet, and where somebody was. */
static void handles_made_up(struct rig *r)
{
    tern_tcp_info info;
    tern_icmp icmp;
    tern_md5_key key = {.key = (const uint8_t *)"key", .len = 3, .bits = 128};
    r->cfg.md5 = digest;
    r->cfg.md5_keys_max = 4;
    struct peer *p = peer_active(r), *q = peer_active(r);
    for (uint64_t ix = 3; ix < 40; ix++) {
        tern_sock k = {(p->k.id & ~UINT64_C(0xffffff)) | ix};
        assert_int_equal(tern_info(r->s, k, &info, sizeof(info)), TERN_ESTALE);
        assert_int_equal(tern_icmp_get(r->s, k, &icmp), TERN_ESTALE);
        assert_int_equal(tern_abort(r->s, k), TERN_ESTALE);
    }
    tern_sock even = {q->k.id + (UINT64_C(1) << 32)};
    assert_int_equal(tern_info(r->s, even, &info, sizeof(info)), TERN_ESTALE);
    assert_int_equal(tern_icmp_get(r->s, p->k, &icmp), TERN_EAGAIN);
    assert_int_equal(tern_abort(r->s, p->k), 0);
    assert_int_equal(tern_icmp_get(r->s, p->k, &icmp), TERN_ESTALE);
    assert_int_equal(tern_md5_set(r->s, p->k, &key), TERN_ESTALE);
    rig_turn(r);
    rig_forget(r);
}

/* A listener that is closed while somebody is on his way in is nobody's any more; and what one is
 * armed for that does not happen to it does no harm. */
static void listener_closed_and_armed(struct rig *r)
{
    tern_sock l = rig_listen(r, 80, 4, 0);
    struct peer *p = peer_new(r);
    tern_limits limits = {.conns = 5};
    assert_int_equal(tern_arm(r->s, l, TERN_EV_READ | TERN_EV_WRITE), 0);
    p->lport = 80;
    say(p, S, 0, 0, 0);
    hear_syn(p, S | A);
    assert_int_equal(tern_close(r->s, l), 0);
    assert_int_equal(tern_backlog(r->s, l, 9), TERN_ESTALE);
    assert_int_equal(tern_limits_set(r->s, l, &limits), TERN_ESTALE);
    assert_int_equal(tern_close(r->s, l), TERN_ESTALE);
    say(p, A, 1, 1, 0); /* who then is there finds nobody */
    rig_turn(r);
    rig_forget(r);
}

/* All ports to one destination are taken; with one of them free again there is one. */
static void no_port_left(struct rig *r)
{
    enum { FIRST = 32768, LAST = 60999 };
    tern_sock k, one = {0};
    tern_addr to, local, name;
    r->cfg.conns_max = LAST - FIRST + 10;
    rig_start(r);
    to = rig_addr(r->remote, 80);
    for (unsigned port = FIRST; port <= LAST; port++) {
        local = rig_addr(r->local, (uint16_t)port);
        assert_int_equal(tern_connect(r->s, &k, &local, &to, NULL), 0);
        if (port == FIRST + 5)
            one = k;
    }
    assert_int_equal(tern_connect(r->s, &k, NULL, &to, NULL), TERN_EADDRNOTAVAIL);
    to.port = 81; /* elsewhere all are free */
    assert_int_equal(tern_connect(r->s, &k, NULL, &to, NULL), 0);
    to.port = 80;
    assert_int_equal(tern_abort(r->s, one), 0);
    unsigned tries = 0; /* found among those that are looked at from somewhere on */
    while (tern_connect(r->s, &k, NULL, &to, NULL) != 0)
        assert_true(++tries < 2000);
    assert_int_equal(tern_names(r->s, k, &name, NULL), 0);
    assert_int_equal(name.port, FIRST + 5);
    r->unclean = true;
}

/* Memory that its owner does not want to hear of again. */
static void given_away(struct rig *r)
{
    static uint8_t packet[2048];
    r->cfg.release = NULL;
    struct peer *p = peer_passive(r);
    struct seg g = peer_seg(p, A, 1, 1, 1000);
    size_t len = seg_build(&g, packet);
    tern_pkt pkt = {.iov_count = 1,
                    .len = (uint32_t)len,
                    .iface = (uint16_t)r->iface,
                    .flags = TERN_PKT_DONATED,
                    .truesize = 2048,
                    .cookie = packet};
    pkt.iov[0] = (tern_iov){packet, len};
    tern_input(r->s, &pkt, 1, r->now);
    pkt.iov[0].base = packet; /* once more: it is not kept */
    tern_input(r->s, &pkt, 1, r->now);
    peer_read(p, 0, 1000);
    rig_turn(r);
    rig_forget(r);
}

/* Who has no link-layer address has no neighbours who ask for it. */
static void a_question_without_a_link(struct rig *r)
{
    uint8_t packet[WIRE_IP6_HEADER + WIRE_ND_MAX];
    if (!r->ip6)
        return;
    rig_start(r);
    struct wire_nd nd = {.type = WIRE_ND_SOLICIT};
    memcpy(nd.target, r->local, 16);
    size_t len = wire_nd_write(packet + WIRE_IP6_HEADER, &nd, r->remote, r->local);
    struct wire_ip_out ip = {.src = r->remote,
                             .dst = r->local,
                             .proto = WIRE_ICMP6,
                             .ttl = WIRE_ND_HOPS,
                             .payload_len = (uint16_t)len};
    wire_ip_put(packet, &ip);
    rig_input(r, packet, WIRE_IP6_HEADER + len);
    assert_int_equal(rig_drops(r, TERN_DROP_ND), 1);
    rig_hush(r);
}

/* An interface on Ethernet that configures itself: whatever allocation fails, there is none; and
 * with an MTU that is too small for IPv6 it has nothing to configure. */
static void an_interface_without_memory(struct rig *r)
{
    static const uint8_t mac[6] = {2, 0, 0, 0, 0, 7};
    tern_iface link = {.mtu = 1500, .mac = mac, .flags = TERN_IFACE_AUTO};
    tern_addr_entry e[4];
    uint32_t cursor = 0;
    int id = TERN_ENOMEM;
    rig_start(r);
    for (uint32_t fail = 1; id < 0; fail++) {
        uint32_t live = r->mem.live;
        assert_true(fail < 20);
        r->mem.fail_at = r->mem.calls + fail;
        id = tern_iface_add(r->s, &link);
        if (id < 0) {
            assert_int_equal(id, TERN_ENOMEM);
            assert_true(r->mem.live <= live + 2); /* (the table of neighbours stays) */
        }
    }
    r->mem.fail_at = 0;
    assert_int_equal(id, 1);
    assert_int_equal(tern_addrs(r->s, &cursor, e, 4), 2);
    link.mtu = 1279;
    assert_int_equal(tern_iface_remove(r->s, id), 0);
    assert_int_equal(tern_iface_add(r->s, &link), 1);
    cursor = 0;
    assert_int_equal(tern_addrs(r->s, &cursor, e, 4), 1);
    assert_int_equal(tern_iface_remove(r->s, id), 0);
    tern_event ev;
    assert_int_equal(tern_events(r->s, &ev, 1), 1);
    assert_int_equal(ev.mask, TERN_EV_ADDRS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(no_route_for_an_address),
        RIG(of_no_interface),
        RIG(tuned_to_nonsense),
        RIG(handles_made_up),
        RIG(listener_closed_and_armed),
        RIG(no_port_left),
        RIG(given_away),
        RIG(a_question_without_a_link),
        RIG(an_interface_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
