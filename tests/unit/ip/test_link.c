/* test_link.c - a stack on Ethernet: ARP and Neighbour Discovery in both directions, packets that
 * wait for a neighbour, and frames that are not for us. Everything runs in both families. */
#include "ether.h"

#include "wire/tcp.h"

/* The frame heard is a question for `ip`, to all (`to` NULL) or to that one. */
static void is_question(const struct ether *t, const uint8_t ip[16], const uint8_t *to)
{
    uint8_t group[16], mac[6];
    wire_nd_group(group, ip);
    if (t->ip6)
        wire_mac_of_group(mac, group);
    else
        memcpy(mac, ether_all_macs, 6);
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
        assert_memory_equal(nd.mac, ether_mac, 6);
    } else {
        struct wire_arp arp;
        assert_int_equal(load_be16(t->frame + 12), WIRE_ETH_ARP);
        assert_true(wire_arp_read(t->frame + 14, t->len - 14, &arp));
        assert_int_equal(arp.op, WIRE_ARP_REQUEST);
        assert_memory_equal(arp.target_ip, ip, 16);
        assert_memory_equal(arp.sender_ip, t->ours, 16);
        assert_memory_equal(arp.sender_mac, ether_mac, 6);
    }
}

static bool is_tcp(const struct ether *t, const uint8_t mac[6])
{
    size_t proto = t->ip6 ? 14 + 6 : 14 + 9;
    return t->len > proto && t->frame[proto] == WIRE_TCP && memcmp(t->frame, mac, 6) == 0;
}

static tern_sock dial(struct ether *t, const uint8_t ip[16])
{
    tern_sock k;
    tern_addr to = {.port = 80};
    memcpy(to.ip, ip, 16);
    assert_int_equal(tern_connect(t->s, &k, NULL, &to, NULL), 0);
    return k;
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void for_both(void (*test)(struct ether *t))
{
    for (int ip6 = 0; ip6 < 2; ip6++) {
        struct ether t;
        ether_start(&t, ip6);
        test(&t);
        tern_free(t.s);
    }
}

static void asked_then_sent(struct ether *t)
{
    dial(t, t->peer);
    assert_true(ether_hear(t));
    is_question(t, t->peer, NULL);
    assert_false(ether_hear(t)); /* the SYN waits */
    ether_answer(t, t->peer, ether_peer_mac);
    assert_int_equal(tern_next_timeout(t->s), 0);
    assert_true(ether_hear(t));
    assert_true(is_tcp(t, ether_peer_mac));
    assert_false(ether_hear(t));
}
static void a_syn_waits_for_an_answer(void **state) { (void)state, for_both(asked_then_sent); }

static void unanswered(struct ether *t)
{
    tern_event ev;
    tern_sock k = dial(t, t->peer);
    for (uint64_t i = 1; i <= 3; i++) {
        assert_true(ether_hear(t));
        is_question(t, t->peer, NULL);
        assert_false(ether_hear(t));
        assert_int_equal(tern_events(t->s, &ev, 1), 0);
        ether_at(t, SECOND + i * SECOND);
    }
    assert_int_equal(tern_events(t->s, &ev, 1), 1);
    assert_true(ev.sock.id == k.id);
    assert_int_equal(ev.mask & TERN_EV_ERROR, TERN_EV_ERROR);
    assert_int_equal(ev.err, TERN_EUNREACH);
    tern_icmp m; /* as if we had told ourselves */
    assert_int_equal(tern_icmp_get(t->s, k, &m), 0);
    assert_true(m.fatal && m.err == TERN_EUNREACH);
    assert_int_equal(m.version, t->ip6 ? 6 : 4);
    assert_int_equal(m.type, t->ip6 ? 1 : 3);
    assert_int_equal(m.code, t->ip6 ? 3 : 1);
    assert_memory_equal(m.from, t->ours, 16);
    assert_memory_equal(m.to, t->peer, 16);
    assert_true(m.port != 0 && m.quote_len >= 20);
    assert_int_equal(m.quote[2] << 8 | m.quote[3], m.port);
    assert_true(ether_drops(t, TERN_DROP_NEIGHBOR) > 0);
}
static void nobody_answers(void **state) { (void)state, for_both(unanswered); }

static void question_is_answered(struct ether *t)
{
    ether_ask(t, t->ours);
    assert_true(ether_hear(t));
    assert_memory_equal(t->frame, ether_peer_mac, 6);
    if (t->ip6) {
        struct wire_ip h;
        struct wire_nd nd;
        assert_int_equal(wire_ip_read(t->frame + 14, t->len - 14, t->len - 14, &h), 0);
        assert_true(wire_nd_read(t->frame + 54, t->len - 54, &h, &nd));
        assert_int_equal(nd.type, WIRE_ND_ADVERT);
        assert_true(nd.solicited && nd.override && !nd.router);
        assert_memory_equal(nd.target, t->ours, 16);
        assert_memory_equal(nd.mac, ether_mac, 6);
    } else {
        struct wire_arp arp;
        assert_true(wire_arp_read(t->frame + 14, t->len - 14, &arp));
        assert_int_equal(arp.op, WIRE_ARP_REPLY);
        assert_memory_equal(arp.sender_ip, t->ours, 16);
        assert_memory_equal(arp.sender_mac, ether_mac, 6);
        assert_memory_equal(arp.target_mac, ether_peer_mac, 6);
    }
    dial(t, t->peer); /* who asked is known */
    assert_true(ether_hear(t));
    assert_true(is_tcp(t, ether_peer_mac));
    assert_false(ether_hear(t));
    uint8_t other[16];
    ether_address(t, other, 9);
    ether_ask(t, other);
    assert_false(ether_hear(t));
}
static void questions_are_answered(void **state) { (void)state, for_both(question_is_answered); }

static void probed(struct ether *t)
{
    ether_ask(t, t->ours);
    assert_true(ether_hear(t));
    dial(t, t->peer);
    assert_true(ether_hear(t)); /* STALE: sent at once, and doubted for 5 s */
    assert_true(is_tcp(t, ether_peer_mac));
    bool asked = false;
    for (uint64_t i = 1; i <= 10 && !asked; i++) {
        ether_at(t, SECOND + i * SECOND);
        while (ether_hear(t))
            if (!is_tcp(t, ether_peer_mac)) {
                assert_int_equal(i, 5);
                is_question(t, t->peer, ether_peer_mac);
                asked = true;
            }
    }
    assert_true(asked);
    static const uint8_t moved[6] = {2, 0, 0, 0, 0, 3};
    ether_answer(t, t->peer, moved);
    dial(t, t->peer);
    assert_true(ether_hear(t));
    assert_true(is_tcp(t, moved));
}
static void a_silent_neighbour_is_probed(void **state) { (void)state, for_both(probed); }

static void in_doubt(struct ether *t)
{
    dial(t, t->peer);
    assert_true(ether_hear(t));
    ether_answer(t, t->peer, ether_peer_mac); /* REACHABLE for 30 s */
    assert_true(ether_hear(t));
    assert_true(is_tcp(t, ether_peer_mac));
    uint64_t asked = 0;
    for (uint64_t i = 1; i <= 20 && asked == 0; i++) {
        ether_at(t, SECOND + i * SECOND);
        while (ether_hear(t))
            if (!is_tcp(t, ether_peer_mac)) {
                is_question(t, t->peer, ether_peer_mac);
                asked = i;
            }
    }
    assert_in_range(asked, 12, 14); /* SYNs at 1, 3 and 7 s; then the delay of 5 s */
}
/* MUST-20: who was reachable is asked again when three segments in a row have had no answer. */
static void three_unanswered_segments(void **state) { (void)state, for_both(in_doubt); }

static void waiting_is_limited(struct ether *t)
{
    uint32_t sent = 0;
    for (unsigned i = 0; i < 20; i++)
        dial(t, t->peer);
    assert_true(ether_hear(t));
    is_question(t, t->peer, NULL);
    assert_false(ether_hear(t));
    ether_answer(t, t->peer, ether_peer_mac);
    while (ether_hear(t))
        sent += is_tcp(t, ether_peer_mac);
    assert_int_equal(sent, 8);
    assert_int_equal(ether_drops(t, TERN_DROP_NEIGHBOR), 12);
}
static void eight_packets_wait(void **state) { (void)state, for_both(waiting_is_limited); }

static void removed(struct ether *t)
{
    dial(t, t->peer);
    assert_true(ether_hear(t));
    assert_int_equal(tern_iface_remove(t->s, t->iface), 0);
    assert_true(tern_next_timeout(t->s) > t->now);
}
static void an_interface_goes_while_packets_wait(void **state) { (void)state, for_both(removed); }

static void conflict(struct ether *t)
{
    ether_answer(t, t->ours, ether_peer_mac);
    assert_int_equal(tern_counters_of(t->s)->count[TERN_COUNT_ADDRESS_CONFLICTS], 1);
    assert_true(tern_is_local(t->s, t->ours));
}
static void a_claim_to_our_address(void **state) { (void)state, for_both(conflict); }

static void unasked(struct ether *t)
{
    ether_answer(t, t->peer, ether_peer_mac); /* nobody wanted to know: nothing is learnt */
    dial(t, t->peer);
    assert_true(ether_hear(t));
    is_question(t, t->peer, NULL);
}
/* */
static void unasked_answers_are_ignored(void **state) { (void)state, for_both(unasked); }

static void frames_of_others(void **state)
{
    (void)state;
    struct ether t;
    uint8_t p[ETHER_FRAME] = {0};
    ether_start(&t, false);
    wire_eth_write(p, ether_peer_mac, ether_peer_mac, WIRE_ETH_IP4); /* to somebody else */
    ether_say(&t, p, 60);
    wire_eth_write(p, ether_mac, ether_peer_mac, 0x8100); /* a VLAN's */
    ether_say(&t, p, 60);
    wire_eth_write(p, ether_mac, ether_peer_mac, WIRE_ETH_IP4); /* that is no IPv4 */
    p[14] = 0x60;
    ether_say(&t, p, 60);
    ether_say(&t, p, 14);
    assert_int_equal(ether_drops(&t, TERN_DROP_LINK), 4);
    ether_say(&t, p, 13);
    assert_int_equal(ether_drops(&t, TERN_DROP_SHORT), 1);
    assert_false(ether_hear(&t));
    tern_free(t.s);
}

/* RFC 4861 7.1: what is not valid is as if it had not come. */
static void invalid_solicitations(void **state)
{
    (void)state;
    struct ether t;
    uint8_t p[ETHER_FRAME], q[ETHER_FRAME];
    struct wire_nd nd = {.type = WIRE_ND_SOLICIT, .has_mac = true};
    ether_start(&t, true);
    memcpy(nd.mac, ether_peer_mac, 6);
    memcpy(nd.target, t.ours, 16);
    size_t len = ether_nd(p, &nd, t.peer, t.ours, ether_mac);
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
        ether_say(&t, q, len);
        assert_int_equal(ether_drops(&t, TERN_DROP_ND), i + 1);
        assert_false(ether_hear(&t));
    }
    ether_say(&t, p, len);
    assert_true(ether_hear(&t));
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
