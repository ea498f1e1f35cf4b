/* test_link.c - a stack on Ethernet: ARP and Neighbour Discovery in both directions, packets that
 * wait for a neighbour, and frames that are not for us. Everything runs in both families. */
#include "unit.h"

#include "tern/info.h"
#include "wire/nd.h"
#include "wire/tcp.h"

#define SECOND 1000000000u

enum { FRAME_MAX = 2000 };

static const uint8_t our_mac[6] = {2, 0, 0, 0, 0, 1}, peer_mac[6] = {2, 0, 0, 0, 0, 2};
static const uint8_t all_macs[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

/* A stack, its peer's address, and the frame that was heard last. */
struct net {
    tern *s;
    int iface;
    bool ip6;
    uint64_t now;
    uint8_t ours[16], peer[16];
    uint8_t frame[FRAME_MAX];
    size_t len;
};

static void *take(void *user, size_t size, size_t align)
{
    (void)user;
    align = align < 16 ? 16 : align;
    return aligned_alloc(align, (size + align - 1) / align * align);
}

static void give(void *user, void *p, size_t size)
{
    (void)user, (void)size;
    free(p);
}

static void address(const struct net *t, uint8_t ip[16], uint8_t last)
{
    static const uint8_t four[16] = {[10] = 0xff, 0xff, 10, 9, 0}, six[16] = {0xfd, 0, 0, 9};
    memcpy(ip, t->ip6 ? six : four, 16);
    ip[15] = last;
}

static bool hear(struct net *t);

static void start_with(struct net *t, bool ip6, uint32_t neighbors_max)
{
    tern_config cfg = {.size = sizeof cfg};
    tern_iface iface = {.mac = our_mac, .mtu = 1500};
    *t = (struct net){.ip6 = ip6, .now = SECOND};
    tern_config_default(&cfg);
    cfg.alloc = take;
    cfg.free = give;
    cfg.seed[0] = 1;
    cfg.neighbors_max = neighbors_max;
    address(t, t->ours, 2);
    address(t, t->peer, 1);
    assert_int_equal(tern_new(&t->s, &cfg, t->now), 0);
    t->iface = tern_iface_add(t->s, &iface);
    assert_true(t->iface >= 0);
    assert_int_equal(tern_iface_addr(t->s, t->iface, t->ours, ip6 ? 64 : 96 + 24), 0);
    assert_true(hear(t)); /* the announcement */
    assert_false(hear(t));
}

static void start(struct net *t, bool ip6) { start_with(t, ip6, 64); }

/* Takes one frame from the stack. */
static bool hear(struct net *t)
{
    tern_pkt pkt;
    t->len = 0;
    if (tern_output(t->s, t->iface, &pkt, 1, t->now) == 0)
        return false;
    for (uint32_t i = 0; i < pkt.iov_count; i++) {
        assert_true(t->len + pkt.iov[i].len <= FRAME_MAX);
        memcpy(t->frame + t->len, pkt.iov[i].base, pkt.iov[i].len);
        t->len += pkt.iov[i].len;
    }
    assert_int_equal(t->len, pkt.len);
    tern_output_done(t->s, &pkt, 1);
    assert_memory_equal(t->frame + 6, our_mac, 6);
    return true;
}

static void say(struct net *t, const uint8_t *frame, size_t len)
{
    uint8_t *copy = malloc(len);
    assert_non_null(copy);
    memcpy(copy, frame, len);
    tern_pkt pkt = {.iov_count = 1, .len = (uint32_t)len, .iface = (uint16_t)t->iface};
    pkt.iov[0] = (tern_iov){copy, len};
    tern_input(t->s, &pkt, 1, t->now);
    free(copy);
}

static uint64_t drops(const struct net *t, enum tern_drop why)
{
    return tern_counters_of(t->s)->drop[why];
}

static void at(struct net *t, uint64_t now)
{
    t->now = now;
    tern_advance(t->s, now);
}

/* ---- messages -------------------------------------------------------------------------------- */

/* A Neighbour Discovery frame between these addresses. */
static size_t nd_frame(uint8_t *p, const struct wire_nd *nd, const uint8_t src[16],
                       const uint8_t dst[16], const uint8_t to[6])
{
    size_t len = wire_nd_write(p + 54, nd, src, dst);
    struct wire_ip_out ip = {
        .src = src, .dst = dst, .proto = WIRE_ICMP6, .ttl = 255, .payload_len = (uint16_t)len};
    wire_ip_put(p + 14, &ip);
    wire_eth_write(p, to, peer_mac, WIRE_ETH_IP6);
    return 54 + len;
}

/* The peer asks who `target` is. */
static void ask(struct net *t, const uint8_t target[16])
{
    uint8_t p[FRAME_MAX], group[16], mac[6];
    if (t->ip6) {
        struct wire_nd nd = {.type = WIRE_ND_SOLICIT, .has_mac = true};
        memcpy(nd.mac, peer_mac, 6);
        memcpy(nd.target, target, 16);
        wire_nd_group(group, target);
        wire_mac_of_group(mac, group);
        say(t, p, nd_frame(p, &nd, t->peer, group, mac));
        return;
    }
    struct wire_arp arp = {.op = WIRE_ARP_REQUEST};
    memcpy(arp.sender_mac, peer_mac, 6);
    memcpy(arp.sender_ip, t->peer, 16);
    memcpy(arp.target_ip, target, 16);
    wire_eth_write(p, all_macs, peer_mac, WIRE_ETH_ARP);
    wire_arp_write(p + 14, &arp);
    say(t, p, 14 + WIRE_ARP);
}

/* The peer says that `ip` is at that link-layer address. */
static void answer(struct net *t, const uint8_t ip[16], const uint8_t mac[6])
{
    uint8_t p[FRAME_MAX];
    if (t->ip6) {
        struct wire_nd nd = {.type = WIRE_ND_ADVERT,
                             .solicited = true,
                             .override = true,
                             .has_mac = true};
        memcpy(nd.mac, mac, 6);
        memcpy(nd.target, ip, 16);
        say(t, p, nd_frame(p, &nd, ip, t->ours, our_mac));
        return;
    }
    struct wire_arp arp = {.op = WIRE_ARP_REPLY};
    memcpy(arp.sender_mac, mac, 6);
    memcpy(arp.sender_ip, ip, 16);
    memcpy(arp.target_mac, our_mac, 6);
    memcpy(arp.target_ip, t->ours, 16);
    wire_eth_write(p, our_mac, peer_mac, WIRE_ETH_ARP);
    wire_arp_write(p + 14, &arp);
    say(t, p, 14 + WIRE_ARP);
}

/* The frame heard is a question for `ip`, to all (`to` NULL) or to that one. */
static void is_question(const struct net *t, const uint8_t ip[16], const uint8_t *to)
{
    uint8_t group[16], mac[6];
    wire_nd_group(group, ip);
    if (t->ip6)
        wire_mac_of_group(mac, group);
    else
        memcpy(mac, all_macs, 6);
    assert_memory_equal(t->frame, to != NULL ? to : mac, 6);
    if (t->ip6) {
        struct wire_ip h;
        struct wire_nd nd;
        assert_int_equal(wire_ip_read(t->frame + 14, t->len - 14, t->len - 14, &h), 0);
        assert_true(wire_nd_read(t->frame + 54, t->len - 54, &h, &nd));
        assert_int_equal(nd.type, WIRE_ND_SOLICIT);
        assert_memory_equal(nd.target, ip, 16);
        assert_memory_equal(h.src, t->ours, 16);
        assert_true(nd.has_mac);
        assert_memory_equal(nd.mac, our_mac, 6);
    } else {
        struct wire_arp arp;
        assert_int_equal(load_be16(t->frame + 12), WIRE_ETH_ARP);
        assert_true(wire_arp_read(t->frame + 14, t->len - 14, &arp));
        assert_int_equal(arp.op, WIRE_ARP_REQUEST);
        assert_memory_equal(arp.target_ip, ip, 16);
        assert_memory_equal(arp.sender_ip, t->ours, 16);
        assert_memory_equal(arp.sender_mac, our_mac, 6);
    }
}

static bool is_tcp(const struct net *t, const uint8_t mac[6])
{
    size_t proto = t->ip6 ? 14 + 6 : 14 + 9;
    return t->len > proto && t->frame[proto] == WIRE_TCP && memcmp(t->frame, mac, 6) == 0;
}

static tern_sock dial(struct net *t, const uint8_t ip[16])
{
    tern_sock k;
    tern_addr to = {.port = 80};
    memcpy(to.ip, ip, 16);
    assert_int_equal(tern_connect(t->s, &k, NULL, &to, NULL), 0);
    return k;
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void for_both(void (*test)(struct net *t))
{
    for (int ip6 = 0; ip6 < 2; ip6++) {
        struct net t;
        start(&t, ip6);
        test(&t);
        tern_free(t.s);
    }
}

static void asked_then_sent(struct net *t)
{
    dial(t, t->peer);
    assert_true(hear(t));
    is_question(t, t->peer, NULL);
    assert_false(hear(t)); /* the SYN waits */
    answer(t, t->peer, peer_mac);
    assert_int_equal(tern_next_timeout(t->s), 0);
    assert_true(hear(t));
    assert_true(is_tcp(t, peer_mac));
    assert_false(hear(t));
}
static void a_syn_waits_for_an_answer(void **state) { (void)state, for_both(asked_then_sent); }

static void unanswered(struct net *t)
{
    tern_event ev;
    tern_sock k = dial(t, t->peer);
    for (uint64_t i = 1; i <= 3; i++) {
        assert_true(hear(t));
        is_question(t, t->peer, NULL);
        assert_false(hear(t));
        assert_int_equal(tern_events(t->s, &ev, 1), 0);
        at(t, SECOND + i * SECOND);
    }
    assert_int_equal(tern_events(t->s, &ev, 1), 1);
    assert_true(ev.sock.id == k.id);
    assert_int_equal(ev.mask & TERN_EV_ERROR, TERN_EV_ERROR);
    assert_int_equal(ev.err, TERN_EUNREACH);
    assert_true(drops(t, TERN_DROP_NEIGHBOR) > 0);
}
static void nobody_answers(void **state) { (void)state, for_both(unanswered); }

static void question_is_answered(struct net *t)
{
    ask(t, t->ours);
    assert_true(hear(t));
    assert_memory_equal(t->frame, peer_mac, 6);
    if (t->ip6) {
        struct wire_ip h;
        struct wire_nd nd;
        assert_int_equal(wire_ip_read(t->frame + 14, t->len - 14, t->len - 14, &h), 0);
        assert_true(wire_nd_read(t->frame + 54, t->len - 54, &h, &nd));
        assert_int_equal(nd.type, WIRE_ND_ADVERT);
        assert_true(nd.solicited && nd.override && !nd.router);
        assert_memory_equal(nd.target, t->ours, 16);
        assert_memory_equal(nd.mac, our_mac, 6);
    } else {
        struct wire_arp arp;
        assert_true(wire_arp_read(t->frame + 14, t->len - 14, &arp));
        assert_int_equal(arp.op, WIRE_ARP_REPLY);
        assert_memory_equal(arp.sender_ip, t->ours, 16);
        assert_memory_equal(arp.sender_mac, our_mac, 6);
        assert_memory_equal(arp.target_mac, peer_mac, 6);
    }
    dial(t, t->peer); /* who asked is known */
    assert_true(hear(t));
    assert_true(is_tcp(t, peer_mac));
    assert_false(hear(t));
    uint8_t other[16];
    address(t, other, 9);
    ask(t, other);
    assert_false(hear(t));
}
static void questions_are_answered(void **state) { (void)state, for_both(question_is_answered); }

static void probed(struct net *t)
{
    ask(t, t->ours);
    assert_true(hear(t));
    dial(t, t->peer);
    assert_true(hear(t)); /* STALE: sent at once, and doubted for 5 s */
    assert_true(is_tcp(t, peer_mac));
    bool asked = false;
    for (uint64_t i = 1; i <= 10 && !asked; i++) {
        at(t, SECOND + i * SECOND);
        while (hear(t))
            if (!is_tcp(t, peer_mac)) {
                assert_int_equal(i, 5);
                is_question(t, t->peer, peer_mac);
                asked = true;
            }
    }
    assert_true(asked);
    static const uint8_t moved[6] = {2, 0, 0, 0, 0, 3};
    answer(t, t->peer, moved);
    dial(t, t->peer);
    assert_true(hear(t));
    assert_true(is_tcp(t, moved));
}
static void a_silent_neighbour_is_probed(void **state) { (void)state, for_both(probed); }

static void in_doubt(struct net *t)
{
    dial(t, t->peer);
    assert_true(hear(t));
    answer(t, t->peer, peer_mac); /* REACHABLE for 30 s */
    assert_true(hear(t));
    assert_true(is_tcp(t, peer_mac));
    uint64_t asked = 0;
    for (uint64_t i = 1; i <= 20 && asked == 0; i++) {
        at(t, SECOND + i * SECOND);
        while (hear(t))
            if (!is_tcp(t, peer_mac)) {
                is_question(t, t->peer, peer_mac);
                asked = i;
            }
    }
    assert_in_range(asked, 12, 14); /* SYNs at 1, 3 and 7 s; then the delay of 5 s */
}
/* MUST-20: who was reachable is asked again when three segments in a row have had no answer. */
static void three_unanswered_segments(void **state) { (void)state, for_both(in_doubt); }

static void waiting_is_limited(struct net *t)
{
    uint32_t sent = 0;
    for (unsigned i = 0; i < 20; i++)
        dial(t, t->peer);
    assert_true(hear(t));
    is_question(t, t->peer, NULL);
    assert_false(hear(t));
    answer(t, t->peer, peer_mac);
    while (hear(t))
        sent += is_tcp(t, peer_mac);
    assert_int_equal(sent, 8);
    assert_int_equal(drops(t, TERN_DROP_NEIGHBOR), 12);
}
static void eight_packets_wait(void **state) { (void)state, for_both(waiting_is_limited); }

static void removed(struct net *t)
{
    dial(t, t->peer);
    assert_true(hear(t));
    assert_int_equal(tern_iface_remove(t->s, t->iface), 0);
    assert_true(tern_next_timeout(t->s) > t->now);
}
static void an_interface_goes_while_packets_wait(void **state) { (void)state, for_both(removed); }

static void conflict(struct net *t)
{
    answer(t, t->ours, peer_mac);
    assert_int_equal(tern_counters_of(t->s)->count[TERN_COUNT_ADDRESS_CONFLICTS], 1);
    assert_true(tern_is_local(t->s, t->ours));
}
static void a_claim_to_our_address(void **state) { (void)state, for_both(conflict); }

static void unasked(struct net *t)
{
    answer(t, t->peer, peer_mac); /* nobody wanted to know: nothing is learnt */
    dial(t, t->peer);
    assert_true(hear(t));
    is_question(t, t->peer, NULL);
}
/* */
static void unasked_answers_are_ignored(void **state) { (void)state, for_both(unasked); }

static void frames_of_others(void **state)
{
    (void)state;
    struct net t;
    uint8_t p[FRAME_MAX] = {0};
    start(&t, false);
    wire_eth_write(p, peer_mac, peer_mac, WIRE_ETH_IP4); /* to somebody else */
    say(&t, p, 60);
    wire_eth_write(p, our_mac, peer_mac, 0x8100); /* a VLAN's */
    say(&t, p, 60);
    wire_eth_write(p, our_mac, peer_mac, WIRE_ETH_IP4); /* that is no IPv4 */
    p[14] = 0x60;
    say(&t, p, 60);
    say(&t, p, 14);
    assert_int_equal(drops(&t, TERN_DROP_LINK), 4);
    say(&t, p, 13);
    assert_int_equal(drops(&t, TERN_DROP_SHORT), 1);
    assert_false(hear(&t));
    tern_free(t.s);
}

/* RFC 4861 7.1: what is not valid is as if it had not come. */
static void invalid_solicitations(void **state)
{
    (void)state;
    struct net t;
    uint8_t p[FRAME_MAX], q[FRAME_MAX];
    struct wire_nd nd = {.type = WIRE_ND_SOLICIT, .has_mac = true};
    start(&t, true);
    memcpy(nd.mac, peer_mac, 6);
    memcpy(nd.target, t.ours, 16);
    size_t len = nd_frame(p, &nd, t.peer, t.ours, our_mac);
    for (unsigned i = 0; i < 4; i++) {
        memcpy(q, p, len);
        q[i == 0 ? 21 : i == 1 ? 55 : i == 2 ? 79 : 62]++; /* hop limit, code, length, target */
        if (i == 0)
            q[21] = 254;
        if (i == 2)
            q[79] = 0;
        if (i == 3)
            q[62] = 0xff;
        memset(q + 56, 0, 2);
        struct cksum_ops ops = cksum_select();
        uint64_t sum = wire_pseudo_sum(t.peer, t.ours, WIRE_ICMP6, (uint32_t)(len - 54));
        uint16_t check = cksum_finish(ops.sum(q + 54, len - 54, sum));
        memcpy(q + 56, &check, 2);
        say(&t, q, len);
        assert_int_equal(drops(&t, TERN_DROP_ND), i + 1);
        assert_false(hear(&t));
    }
    say(&t, p, len);
    assert_true(hear(&t));
    tern_free(t.s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_syn_waits_for_an_answer),
        cmocka_unit_test(nobody_answers),
        cmocka_unit_test(questions_are_answered),
        cmocka_unit_test(a_silent_neighbour_is_probed),
        cmocka_unit_test(three_unanswered_segments),
        cmocka_unit_test(eight_packets_wait),
        cmocka_unit_test(an_interface_goes_while_packets_wait),
        cmocka_unit_test(a_claim_to_our_address),
        cmocka_unit_test(unasked_answers_are_ignored),
        cmocka_unit_test(frames_of_others),
        cmocka_unit_test(invalid_solicitations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
