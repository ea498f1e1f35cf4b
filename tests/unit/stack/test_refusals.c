/* test_refusals.c - what calls do not take: configurations, addresses, keys, algorithms. */
#include "rig.h"

#include "tern/cc.h"
#include "tern/udp.h"

/* ---- the configuration ----------------------------------------------------------------------- */

static int made(const tern_config *cfg)
{
    tern *s;
    int err = tern_new(&s, cfg, 0);
    if (err == 0)
        tern_free(s);
    return err;
}

static void the_largest_configuration(struct rig *r)
{
    tern_config cfg = r->cfg;
    assert_int_equal(made(&cfg), 0);
    cfg.fragment_bytes_max = UINT16_MAX;
    cfg.source_bits4 = 32;
    cfg.source_bits6 = 128;
    cfg.rcvbuf_max = cfg.sndbuf_max = 1 << 30;
    assert_int_equal(made(&cfg), 0);
}

/* Each member alone, one beyond what is possible. */
#define BAD(member, value)                                                                         \
    do {                                                                                           \
        tern_config bad = r->cfg;                                                                  \
        bad.member = value;                                                                        \
        if (made(&bad) != TERN_EINVAL)                                                             \
            fail_msg(#member " may be " #value);                                                   \
    } while (0)

static void choices_of_the_configuration(struct rig *r)
{
    tern_cc_ops large = tern_cc_reno;
    tern_config cfg = r->cfg;
    large.state_size = TERN_CC_STATE_MAX + 1;
    memset(cfg.seed, 0, sizeof(cfg.seed));
    assert_int_equal(made(&cfg), TERN_EINVAL);
    BAD(size, r->cfg.size - 1);
    BAD(alloc, NULL);
    BAD(free, NULL);
    BAD(cc, NULL);
    BAD(cc, &large);
    BAD(style, TERN_STYLE_RFC + 1);
    BAD(ttl, 0);
    BAD(shard, 256);
    BAD(ecn, 6);
    BAD(ecn_option, 4);
    BAD(mtu_probing, 3);
    BAD(cookies, TERN_COOKIES_NEVER + 1);
    BAD(source_bits4, 33);
    BAD(source_bits6, 129);
}

static void limits_of_the_configuration(struct rig *r)
{
    BAD(conns_max, 0);
    BAD(conns_max, 1 << 24);
    BAD(halfopen_max, 0);
    BAD(timewait_max, 0);
    BAD(timewait_max, 1 << 28);
    BAD(listeners_max, 0);
    BAD(listeners_max, UINT16_MAX + 1);
    BAD(udp_max, 0);
    BAD(udp_rcvbuf, 0);
    BAD(udp_sndbuf, 0);
    BAD(ifaces_max, 0);
    BAD(ifaces_max, 1000);
    BAD(addrs_max, 0);
    BAD(addrs_max, 1 << 24);
    BAD(routes_max, 0);
    BAD(routes_max, 1 << 20);
    BAD(neighbors_max, 0);
    BAD(neighbors_max, 1 << 20);
    BAD(fragments_max, 0);
    BAD(fragments_max, 1 << 20);
    BAD(fragment_bytes_max, UINT16_MAX - 1);
    BAD(output_max, 0);
    BAD(output_max, UINT16_MAX);
    BAD(replies_max, 0);
    BAD(advance_max, 0);
    BAD(buf_bytes_max, 1000);
    BAD(rcvbuf, 0);
    BAD(rcvbuf, r->cfg.rcvbuf_max + 1);
    BAD(rcvbuf_max, (1 << 30) + 1);
    BAD(sndbuf, 0);
    BAD(sndbuf, r->cfg.sndbuf_max + 1);
    BAD(sndbuf_max, (1 << 30) + 1);
    BAD(sources_max, 0);
    BAD(sources_max, 1 << 24);
    BAD(rules_max, 0);
    BAD(rules_max, UINT16_MAX);
}

static void times_of_the_configuration(struct rig *r)
{
    BAD(rto_min, 0);
    BAD(rto_initial, 0);
    BAD(rto_initial, SEC(5 * 3600));
    BAD(rto_max, r->cfg.rto_min - 1);
    BAD(rto_max, SEC(5 * 3600));
    BAD(delack, MS(500));
    BAD(msl, SEC(5 * 3600));
    BAD(fin_wait2, SEC(5 * 3600));
    BAD(hold, SEC(5 * 3600));
    BAD(idle, SEC(5 * 3600));
    BAD(tx_horizon, SEC(5 * 3600));
}

#undef BAD

/* ---- addresses ------------------------------------------------------------------------------- */

static const uint8_t none[16], none4[16] = {[10] = 0xff, 0xff};
static const uint8_t every4[16] = {[10] = 0xff, 0xff, 255, 255, 255, 255};
static const uint8_t group4[16] = {[10] = 0xff, 0xff, 224, 0, 0, 1};
static const uint8_t group6[16] = {0xff, 2, [15] = 1};
static const uint8_t other4[16] = {[10] = 0xff, 0xff, 203, 0, 113, 9};
static const uint8_t other6[16] = {0x20, 1, 0xd, 0xb8, 9, [15] = 9};

static void addresses_of_interfaces(struct rig *r)
{
    static const uint8_t *const no[] = {none, none4, every4, group4, group6};
    rig_start(r);
    for (unsigned i = 0; i < sizeof(no) / sizeof(no[0]); i++)
        assert_int_equal(tern_iface_addr(r->s, r->iface, no[i], 128), TERN_EINVAL);
    assert_int_equal(tern_iface_addr(r->s, r->iface, other6, 129), TERN_EINVAL);
    assert_int_equal(tern_iface_addr(r->s, r->iface, other4, 95), TERN_EINVAL);
    assert_int_equal(tern_route_add(r->s, other4, 95, NULL, r->iface), TERN_EINVAL);
    assert_int_equal(tern_route_add(r->s, other6, 129, NULL, r->iface), TERN_EINVAL);
    assert_int_equal(tern_route_add(r->s, other6, 64, NULL, 50), TERN_EINVAL);
    assert_int_equal(tern_iface_promiscuous(r->s, 50, true), TERN_EINVAL);
    assert_int_equal(tern_route_add(r->s, other6, 64, r->remote, r->iface), 0);
}

static int connects(struct rig *r, const uint8_t *from, const uint8_t *to, uint16_t port)
{
    tern_sock k;
    tern_addr local = rig_addr(from, 0), peer = rig_addr(to, port);
    int err = tern_connect(r->s, &k, &local, &peer, NULL);
    if (err == 0)
        assert_int_equal(tern_abort(r->s, k), 0);
    return err;
}

static void addresses_of_connections(struct rig *r)
{
    rig_start(r);
    const uint8_t *other = r->ip6 ? other6 : other4, *crossed = r->ip6 ? other4 : other6;
    assert_int_equal(connects(r, none, r->remote, 80), 0);
    assert_int_equal(connects(r, r->local, r->remote, 80), 0);
    assert_int_equal(connects(r, none, r->remote, 0), TERN_EINVAL);
    assert_int_equal(connects(r, none, r->local, 80), TERN_EINVAL); /* nothing loops back */
    assert_int_equal(connects(r, none, none, 80), TERN_EINVAL);
    assert_int_equal(connects(r, none, none4, 80), TERN_EINVAL);
    assert_int_equal(connects(r, none, every4, 80), TERN_EINVAL);
    assert_int_equal(connects(r, none, group6, 80), TERN_EINVAL);
    assert_int_equal(connects(r, none, other, 80), TERN_ENETUNREACH);
    assert_int_equal(connects(r, other, r->remote, 80), TERN_EADDRNOTAVAIL);
    /* a route, but no address of that family */
    assert_int_equal(tern_route_add(r->s, crossed, 128, NULL, r->iface), 0);
    assert_int_equal(connects(r, none, crossed, 80), TERN_EADDRNOTAVAIL);
    assert_int_equal(connects(r, r->local, crossed, 80), TERN_EADDRNOTAVAIL);
    rig_turn(r);
    rig_forget(r);
}

static int listens(struct rig *r, const uint8_t *ip, uint16_t port, uint32_t flags, tern_sock *k)
{
    tern_listen_args args = {.local = rig_addr(ip, port), .flags = flags, .backlog = 2};
    return tern_listen(r->s, k, &args);
}

static void addresses_of_listeners(struct rig *r)
{
    tern_sock a, b, c;
    tern_addr local;
    rig_start(r);
    assert_int_equal(listens(r, none, 0, 0, &a), TERN_EINVAL);
    assert_int_equal(listens(r, none, 0, TERN_LISTEN_ANY_PORT, &a), 0);
    assert_int_equal(listens(r, none, 7, TERN_LISTEN_ANY_PORT, &b), TERN_EADDRINUSE);
    assert_int_equal(listens(r, none4, 80, 0, &b), 0);
    assert_int_equal(tern_names(r->s, b, &local, NULL), 0);
    assert_memory_equal(local.ip, none4, 16);
    assert_int_equal(listens(r, none4, 80, 0, &c), TERN_EADDRINUSE);
    assert_int_equal(listens(r, none, 80, TERN_LISTEN_IP6_ONLY, &c), 0);
    /* the any-port one hears what no other does */
    struct peer *p = peer_new(r);
    p->lport = 4567;
    peer_connects(p, a);
    p = peer_new(r);
    p->lport = 80;
    peer_connects(p, r->ip6 ? c : b);
}

static int opens_udp(struct rig *r, tern_udp_args args)
{
    tern_sock k;
    int err = tern_udp_open(r->s, &k, &args);
    if (err == 0)
        assert_int_equal(tern_close(r->s, k), 0);
    return err;
}

static void addresses_of_datagrams(struct rig *r)
{
    tern_sock k;
    rig_start(r);
    const uint8_t *other = r->ip6 ? other6 : other4, *crossed = r->ip6 ? other4 : other6;
    const tern_addr peer = rig_addr(r->remote, 53), away = rig_addr(other, 53);
    const tern_addr self = rig_addr(r->local, 53), group = rig_addr(group6, 53);
    const tern_addr family = rig_addr(crossed, 53), here = rig_addr(r->local, 0);
    assert_int_equal(tern_route_add(r->s, crossed, 128, NULL, r->iface), 0);
    assert_int_equal(opens_udp(r, (tern_udp_args){.peer = peer}), 0);
    assert_int_equal(opens_udp(r, (tern_udp_args){.local = here, .peer = peer}), 0);
    assert_int_equal(opens_udp(r, (tern_udp_args){.local = away}), TERN_EADDRNOTAVAIL);
    assert_int_equal(opens_udp(r, (tern_udp_args){.peer = away}), TERN_ENETUNREACH);
    assert_int_equal(opens_udp(r, (tern_udp_args){.peer = self}), TERN_EINVAL);
    assert_int_equal(opens_udp(r, (tern_udp_args){.peer = group}), TERN_EINVAL);
    assert_int_equal(opens_udp(r, (tern_udp_args){.peer = family}), TERN_EADDRNOTAVAIL);
    assert_int_equal(opens_udp(r, (tern_udp_args){.local = here, .peer = family}),
                     TERN_EADDRNOTAVAIL);
    /* connected later, to somebody else, and to nobody */
    tern_udp_args args = {.flags = TERN_UDP_IP6_ONLY};
    assert_int_equal(tern_udp_open(r->s, &k, &args), 0);
    assert_int_equal(tern_udp_connect(r->s, k, &peer), r->ip6 ? 0 : TERN_EADDRNOTAVAIL);
    assert_int_equal(tern_udp_connect(r->s, k, &away),
                     r->ip6 ? TERN_ENETUNREACH : TERN_EADDRNOTAVAIL);
    assert_int_equal(tern_udp_connect(r->s, k, NULL), 0);
    assert_int_equal(tern_udp_send(r->s, k, NULL, "x", 1), TERN_ENOTCONN);
    assert_int_equal(tern_close(r->s, k), 0);
    /* two of one port, and one that would become the same */
    args = (tern_udp_args){.local = rig_addr(r->local, 99), .peer = peer};
    assert_int_equal(tern_udp_open(r->s, &k, &args), 0);
    tern_sock second;
    assert_int_equal(tern_udp_open(r->s, &second, &args), TERN_EADDRINUSE);
    args.peer.port = 54;
    assert_int_equal(tern_udp_open(r->s, &second, &args), 0);
    assert_int_equal(tern_udp_connect(r->s, second, &peer), TERN_EADDRINUSE);
    assert_int_equal(tern_close(r->s, k), 0);
    assert_int_equal(tern_udp_connect(r->s, second, &peer), 0);
    assert_int_equal(tern_close(r->s, second), 0);
}

/* ---- keys and algorithms --------------------------------------------------------------------- */

static void no_digest(void *user, const tern_iov *iov, size_t n, uint8_t out[16])
{
    (void)user;
    (void)iov;
    (void)n;
    memset(out, 0, 16);
}

static int md5(struct rig *r, tern_sock k, const uint8_t ip[16], uint32_t bits, uint32_t len)
{
    static const uint8_t text[TERN_MD5_KEY_MAX + 1];
    tern_md5_key key = {.key = text, .bits = bits, .len = len};
    memcpy(key.ip, ip, 16);
    return tern_md5_set(r->s, k, &key);
}

/* Whether a SYN that is not signed is answered. */
static bool answers_unsigned(struct rig *r)
{
    struct peer *p = peer_new(r);
    p->lport = 80;
    say(p, S, 0, 0, 0);
    rig_turn(r);
    bool any = rig_waiting(r) != 0;
    rig_forget(r);
    return any;
}

static void keys_of_md5(struct rig *r)
{
    r->cfg.md5 = no_digest;
    r->cfg.md5_keys_max = 3;
    tern_sock k = peer_active(r)->k, l = rig_listen(r, 80, 8, 0);
    uint8_t near[16];
    memcpy(near, r->remote, 16);
    near[15] ^= 0x80; /* differs in the first bit of the last byte */
    assert_int_equal(md5(r, l, r->remote, 129, 5), TERN_EINVAL);
    assert_int_equal(md5(r, l, r->remote, 128, TERN_MD5_KEY_MAX + 1), TERN_EINVAL);
    assert_int_equal(md5(r, l, r->remote, 128, 0), TERN_EINVAL); /* there is none */
    assert_int_equal(md5(r, k, r->remote, 128, 0), TERN_EINVAL);
    assert_int_equal(md5(r, l, near, 121, 5), 0);
    assert_true(answers_unsigned(r)); /* not of that prefix */
    assert_int_equal(md5(r, l, near, 120, 5), 0);
    assert_false(answers_unsigned(r));
    assert_int_equal(rig_drops(r, TERN_DROP_TCP_UNSIGNED), 1);
    assert_int_equal(md5(r, l, r->remote, 120, 9), 0); /* the same prefix: in its place */
    assert_int_equal(md5(r, k, r->remote, 128, 5), 0);
    assert_int_equal(md5(r, k, r->remote, 128, 7), 0);
    assert_int_equal(md5(r, l, r->remote, 128, 5), TERN_ELIMIT);
    assert_int_equal(md5(r, k, r->remote, 128, 0), 0);
    assert_int_equal(md5(r, k, r->remote, 128, 0), TERN_EINVAL);
    assert_int_equal(md5(r, l, r->remote, 128, 5), 0);
    assert_int_equal(md5(r, peer_active(r)->k, r->remote, 128, 5), TERN_ELIMIT);
    assert_int_equal(md5(r, l, r->remote, 128, 0), 0);
    assert_int_equal(md5(r, l, r->remote, 120, 0), 0);
    assert_int_equal(md5(r, l, r->remote, 120, 0), TERN_EINVAL);
    assert_true(answers_unsigned(r));
    rig_forget(r);
    r->unclean = true;
}

static void keys_of_fast_open(struct rig *r)
{
    static const uint8_t keys[48] = {1};
    rig_start(r);
    tern_sock l = rig_listen(r, 80, 4, 0), shard = {0};
    for (size_t n = 0; n < 4; n++) {
        bool fits = n == 1 || n == 2;
        assert_int_equal(tern_fastopen_keys(r->s, shard, keys, n), fits ? 0 : TERN_EINVAL);
        assert_int_equal(tern_fastopen_keys(r->s, l, keys, n), n < 3 ? 0 : TERN_EINVAL);
    }
}

static void algorithms(struct rig *r)
{
    static tern_cc_ops many[40];
    struct peer *p = peer_active(r);
    tern_cc_ops large = tern_cc_reno;
    large.state_size = TERN_CC_STATE_MAX + 1;
    assert_int_equal(tern_cc_set(r->s, p->k, &large), TERN_EINVAL);
    assert_int_equal(peer_write(p, 0, 10), 10);
    hear(p, A, 1, 1, 10); /* it is awake */
    assert_int_equal(tern_cc_set(r->s, p->k, &tern_cc_bbr), 0);
    assert_int_equal(tern_cc_set(r->s, p->k, &tern_cc_bbr), 0);
    assert_int_equal(tern_cc_set(r->s, p->k, &tern_cc_reno), 0);
    int err = 0;
    unsigned i = 0;
    for (; i < 40 && err == 0; i++) {
        many[i] = tern_cc_reno;
        err = tern_cc_set(r->s, p->k, &many[i]);
    }
    assert_int_equal(err, TERN_ELIMIT);
    assert_true(i > 2);
    assert_int_equal(tern_cc_set(r->s, p->k, &many[0]), 0); /* those that are known go on */
    struct peer *q = peer_active(r);
    assert_int_equal(peer_write(q, 0, 10), 10);
    hear(q, A, 1, 1, 10);
    rig_step(r, SEC(1));
    rig_forget(r);
    r->unclean = true;
}

/* An algorithm with a state of its own, and no memory for it. */
static void algorithm_without_memory(struct rig *r)
{
    struct peer *p = peer_active(r);
    assert_int_equal(peer_write(p, 0, 10), 10);
    hear(p, A, 1, 1, 10);
    r->mem.fail_at = r->mem.calls + 1;
    r->mem.fail_on = true;
    assert_int_equal(tern_cc_set(r->s, p->k, &tern_cc_bbr), TERN_ENOMEM);
    r->mem.fail_at = 0;
    r->mem.fail_on = false;
    assert_int_equal(tern_cc_set(r->s, p->k, &tern_cc_bbr), 0);
    say(p, A, 1, 11, 0);
    rig_turn(r);
    rig_forget(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(the_largest_configuration),
        RIG(choices_of_the_configuration),
        RIG(limits_of_the_configuration),
        RIG(times_of_the_configuration),
        RIG(addresses_of_interfaces),
        RIG(addresses_of_connections),
        RIG(addresses_of_listeners),
        RIG(addresses_of_datagrams),
        RIG(keys_of_md5),
        RIG(keys_of_fast_open),
        RIG(algorithms),
        RIG(algorithm_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
