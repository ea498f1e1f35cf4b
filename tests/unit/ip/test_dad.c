/* test_dad.c - an address is used when nobody else has said that it is theirs (RFC 4862 5.4, RFC
 * 7527, RFC 5227), and what becomes of one that is claimed. Everything runs in both families. */
#include "ether.h"

/* RFC 4862 5.1: a delay of up to a second, one question, a second; RFC 5227 1.1: the same delay,
 * three questions one to two seconds apart, two seconds. */
#define ASKED_BY(t) ((t)->ip6 ? SECOND + SECOND / 100 : 5 * SECOND)
#define READY_BY(t) (ASKED_BY(t) + ((t)->ip6 ? 1 : 2) * SECOND)

static void begin(struct ether *t, bool ip6)
{
    ether_config(t, ip6);
    ether_open(t, TERN_IFACE_NO_MLD);
    assert_int_equal(ether_add(t, t->ours), 0);
    assert_int_equal(ether_state(t, t->ours), TERN_ADDR_TENTATIVE);
    assert_int_equal(tern_next_timeout(t->s), 0);
    tern_advance(t->s, t->now);
}

static void for_both(void (*test)(struct ether *t))
{
    for (int ip6 = 0; ip6 < 2; ip6++) {
        struct ether t;
        begin(&t, ip6);
        test(&t);
        tern_free(t.s);
    }
}

/* The frame heard asks whether our address is free, as somebody without one. */
static void is_probe(const struct ether *t)
{
    static const uint8_t none[16] = {[10] = 0xff, 0xff};
    if (t->ip6) {
        struct wire_ip h;
        struct wire_nd nd;
        uint8_t group[16];
        wire_nd_group(group, t->ours);
        assert_int_equal(wire_ip_read(t->frame + 14, t->len - 14, t->len - 14, &h), 0);
        assert_true(wire_nd_read(t->frame + 54, t->len - 54, &h, &nd));
        assert_int_equal(nd.type, WIRE_ND_SOLICIT);
        assert_memory_equal(nd.target, t->ours, 16);
        assert_memory_equal(h.dst, group, 16);
        assert_true(wire_ip_unspecified(h.src) && !nd.has_mac && nd.has_nonce);
        return;
    }
    struct wire_arp arp;
    assert_memory_equal(t->frame, ether_all_macs, 6);
    assert_int_equal(load_be16(t->frame + 12), WIRE_ETH_ARP);
    assert_true(wire_arp_read(t->frame + 14, t->len - 14, &arp));
    assert_int_equal(arp.op, WIRE_ARP_REQUEST);
    assert_memory_equal(arp.sender_ip, none, 16);
    assert_memory_equal(arp.target_ip, t->ours, 16);
}

static int dial(struct ether *t, tern_sock *k)
{
    tern_addr to = {.port = 80};
    memcpy(to.ip, t->peer, 16);
    return tern_connect(t->s, k, NULL, &to, NULL);
}

/* Waits for a question for our address. */
static void probed(struct ether *t)
{
    for (unsigned i = 0; i < 20; i++, ether_at(t, t->now + SECOND / 4))
        while (ether_hear(t))
            if (t->frame[12] == (t->ip6 ? 0x86 : 0x08)) {
                if (t->ip6 && t->frame[14 + 6] != WIRE_ICMP6)
                    continue;
                is_probe(t);
                return;
            }
    fail();
}

static void nobody_objects(struct ether *t)
{
    tern_sock k;
    uint64_t from = t->now, probes = 0;
    assert_int_equal(dial(t, &k), TERN_EADDRNOTAVAIL);
    assert_false(tern_is_local(t->s, t->ours));
    while (ether_state(t, t->ours) == TERN_ADDR_TENTATIVE) {
        uint64_t next = tern_next_timeout(t->s);
        assert_true(next > t->now && next - from <= READY_BY(t) + 1);
        ether_ask(t, t->ours); /* not answered yet */
        assert_int_equal(ether_events(t), 0);
        ether_at(t, next);
        while (ether_state(t, t->ours) == TERN_ADDR_TENTATIVE && ether_hear(t)) {
            is_probe(t);
            probes++;
            assert_true(t->now - from <= ASKED_BY(t));
        }
    }
    assert_int_equal(probes, t->ip6 ? 1 : 3);
    assert_true(t->now - from >= (t->ip6 ? 1u : 4u) * SECOND);
    assert_int_equal(tern_next_timeout(t->s), 0);
    assert_int_equal(ether_events(t), TERN_EV_ADDRS);
    assert_int_equal(ether_state(t, t->ours), TERN_ADDR_PREFERRED);
    assert_true(tern_is_local(t->s, t->ours));
    assert_int_equal(ether_count(t, TERN_COUNT_ADDRESS_DUPLICATES), 0);
    assert_int_equal(ether_wait(t, 5 * SECOND), t->ip6 ? 0 : 2); /* RFC 5227 2.3 */
    ether_ask(t, t->ours);
    assert_true(ether_hear(t));
    assert_int_equal(dial(t, &k), 0);
}
static void it_is_free(void **state) { (void)state, for_both(nobody_objects); }

static void is_lost(struct ether *t)
{
    tern_sock k;
    assert_int_equal(ether_state(t, t->ours), TERN_ADDR_DUPLICATE);
    assert_int_equal(ether_events(t), TERN_EV_ADDRS);
    assert_int_equal(ether_events(t), 0);
    assert_int_equal(ether_count(t, TERN_COUNT_ADDRESS_DUPLICATES), 1);
    while (ether_hear(t)) {
    }
    assert_int_equal(ether_wait(t, 20 * SECOND), 0); /* no word from us */
    assert_int_equal(ether_state(t, t->ours), TERN_ADDR_DUPLICATE);
    assert_int_equal(dial(t, &k), TERN_EADDRNOTAVAIL);
    ether_ask(t, t->ours);
    assert_false(ether_hear(t));
    /* given up and given again, it gets another chance */
    assert_int_equal(tern_iface_addr_remove(t->s, t->iface, t->ours), 0);
    assert_int_equal(ether_state(t, t->ours), -1);
    assert_int_equal(ether_add(t, t->ours), 0);
    assert_int_equal(ether_state(t, t->ours), TERN_ADDR_TENTATIVE);
}

static void somebody_answers(struct ether *t)
{
    probed(t);
    ether_answer(t, t->ours, ether_peer_mac);
    is_lost(t);
}
static void it_is_taken(void **state) { (void)state, for_both(somebody_answers); }

/* Even before we have asked: whoever speaks from there has it. */
static void somebody_speaks(struct ether *t)
{
    ether_answer(t, t->ours, ether_peer_mac);
    is_lost(t);
}
static void it_is_seen_in_use(void **state) { (void)state, for_both(somebody_speaks); }

/* Asks for our address as somebody without one. */
static void peer_probes(struct ether *t, const uint8_t *nonce)
{
    static const uint8_t none[16], none4[16] = {[10] = 0xff, 0xff};
    uint8_t p[ETHER_FRAME], group[16], mac[6];
    if (!t->ip6) {
        struct wire_arp arp = {.op = WIRE_ARP_REQUEST};
        memcpy(arp.sender_mac, ether_peer_mac, 6);
        memcpy(arp.sender_ip, none4, 16);
        memcpy(arp.target_ip, t->ours, 16);
        wire_eth_write(p, ether_all_macs, ether_peer_mac, WIRE_ETH_ARP);
        wire_arp_write(p + 14, &arp);
        ether_say(t, p, 14 + WIRE_ARP);
        return;
    }
    struct wire_nd nd = {.type = WIRE_ND_SOLICIT, .has_nonce = nonce != NULL};
    if (nonce != NULL)
        memcpy(nd.nonce, nonce, 6);
    memcpy(nd.target, t->ours, 16);
    wire_nd_group(group, t->ours);
    wire_mac_of_group(mac, group);
    ether_say(t, p, ether_nd(p, &nd, none, group, mac));
}

static void somebody_asks_the_same(struct ether *t)
{
    static const uint8_t other[6] = {1, 2, 3, 4, 5, 6};
    probed(t);
    peer_probes(t, other);
    is_lost(t);
}
static void two_want_it(void **state) { (void)state, for_both(somebody_asks_the_same); }

/* RFC 4862 5.4.3 without a nonce. */
static void somebody_asks_without_a_nonce(struct ether *t)
{
    probed(t);
    peer_probes(t, NULL);
    is_lost(t);
}
static void two_want_it_of_old(void **state)
{
    (void)state, for_both(somebody_asks_without_a_nonce);
}

/* RFC 7527 4.2: what comes back is our own question. ARP's has our link-layer address. */
static void our_own_echo(struct ether *t)
{
    uint8_t p[ETHER_FRAME];
    probed(t);
    memcpy(p, t->frame, t->len);
    ether_say(t, p, t->len);
    assert_int_equal(ether_events(t), 0);
    ether_wait(t, 8 * SECOND);
    assert_int_equal(ether_state(t, t->ours), TERN_ADDR_PREFERRED);
}
static void a_loop_is_no_duplicate(void **state) { (void)state, for_both(our_own_echo); }

/* Who looks for somebody at an address that is tentative is not told, and is no rival. */
static void a_question_is_no_claim(struct ether *t)
{
    probed(t);
    ether_ask(t, t->ours);
    assert_false(ether_hear(t));
    ether_wait(t, 8 * SECOND);
    assert_int_equal(ether_state(t, t->ours), TERN_ADDR_PREFERRED);
}
static void asked_for_while_tentative(void **state)
{
    (void)state, for_both(a_question_is_no_claim);
}

/* It was somebody else's from the beginning: nobody says that it is ours. That is news, once, for
 * who asks for any. */
static void claimed_again(struct ether *t)
{
    tern_event ev;
    probed(t);
    ether_answer(t, t->ours, ether_peer_mac);
    assert_int_equal(ether_state(t, t->ours), TERN_ADDR_DUPLICATE);
    assert_int_equal(tern_events(t->s, &ev, 0), 0);
    assert_int_equal(tern_events(t->s, &ev, 1), 1);
    assert_int_equal(ev.mask, TERN_EV_ADDRS);
    assert_int_equal(tern_events(t->s, &ev, 1), 0);
    for (unsigned i = 0; i < 3; i++) {
        ether_answer(t, t->ours, ether_peer_mac);
        assert_int_equal(ether_wait(t, 20 * SECOND), 0);
    }
    assert_int_equal(ether_count(t, TERN_COUNT_ADDRESS_CONFLICTS), 4);
}
static void what_is_lost_is_not_defended(void **state) { (void)state, for_both(claimed_again); }

/* A-57, RFC 5227 2.4: what is in use stays, and is said to be ours no more than once in 10 s. */
static void claims_later(struct ether *t)
{
    ether_wait(t, 20 * SECOND);
    (void)ether_events(t);
    unsigned said = 0;
    for (unsigned i = 0; i < 100; i++) {
        ether_answer(t, t->ours, ether_peer_mac);
        while (ether_hear(t))
            said++;
    }
    assert_int_equal(said, t->ip6 ? 0 : 1);
    ether_wait(t, 11 * SECOND);
    ether_answer(t, t->ours, ether_peer_mac);
    assert_int_equal(ether_hear(t), !t->ip6);
    assert_int_equal(ether_count(t, TERN_COUNT_ADDRESS_CONFLICTS), 101);
    assert_int_equal(ether_state(t, t->ours), TERN_ADDR_PREFERRED);
    peer_probes(t, NULL); /* who would like to have it hears that it is ours */
    assert_true(ether_hear(t));
}
static void what_is_in_use_is_defended(void **state) { (void)state, for_both(claims_later); }

static bool is_tcp(const struct ether *t)
{
    return t->ip6 ? t->frame[20] == 6 : t->frame[13] == 0 && t->frame[23] == 6;
}

/* Seconds until a segment is heard, 40 at most; whoever is asked for is there. */
static unsigned until_tcp(struct ether *t)
{
    for (unsigned i = 0; i < 40; i++, ether_at(t, t->now + SECOND))
        while (ether_hear(t)) {
            if (is_tcp(t))
                return i;
            ether_answer(t, t->peer, ether_peer_mac);
        }
    return 40;
}

/* A connection whose address goes waits, and goes on when it is back. */
static void taken_away(struct ether *t)
{
    tern_sock k;
    ether_wait(t, 20 * SECOND);
    assert_int_equal(dial(t, &k), 0);
    assert_true(until_tcp(t) < 2);
    assert_int_equal(tern_iface_addr_remove(t->s, t->iface, t->ours), 0);
    assert_int_equal(tern_iface_addr_remove(t->s, t->iface, t->ours), TERN_EINVAL);
    for (unsigned i = 0; i < 5; i++, ether_at(t, t->now + SECOND))
        while (ether_hear(t))
            assert_false(is_tcp(t));
    assert_int_equal(ether_add(t, t->ours), 0);
    assert_in_range(until_tcp(t), t->ip6 ? 1 : 4, 30);
    assert_int_equal(ether_state(t, t->ours), TERN_ADDR_PREFERRED);
}
static void removed_while_in_use(void **state) { (void)state, for_both(taken_away); }

/* Hundreds at once: all in good time, with as many events as are needed, and none is forgotten when
 * one turn may do little. */
static void many(void **state)
{
    (void)state;
    struct ether t;
    ether_config(&t, true);
    t.cfg.advance_max = 7;
    t.cfg.addrs_max = 500;
    ether_open(&t, TERN_IFACE_NO_MLD);
    for (unsigned i = 0; i < 500; i++) {
        t.ours[14] = (uint8_t)(i >> 8);
        t.ours[15] = (uint8_t)i;
        assert_int_equal(ether_add(&t, t.ours), 0);
    }
    assert_int_equal(ether_add(&t, t.peer), TERN_EADDRINUSE);
    uint64_t end = t.now + 3 * SECOND, questions = 0;
    for (unsigned turns = 0; t.now < end; turns++) {
        assert_true(turns < 2000);
        tern_advance(t.s, t.now);
        (void)ether_events(&t);
        while (ether_hear(&t))
            questions += t.frame[20] == WIRE_ICMP6;
        uint64_t next = tern_next_timeout(t.s);
        t.now = next > t.now ? next : t.now;
    }
    for (unsigned i = 0; i < 500; i++) {
        t.ours[14] = (uint8_t)(i >> 8);
        t.ours[15] = (uint8_t)i;
        assert_int_equal(ether_state(&t, t.ours), TERN_ADDR_PREFERRED);
    }
    assert_true(questions >= 500);
    tern_free(t.s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_free),
        cmocka_unit_test(it_is_taken),
        cmocka_unit_test(it_is_seen_in_use),
        cmocka_unit_test(two_want_it),
        cmocka_unit_test(two_want_it_of_old),
        cmocka_unit_test(a_loop_is_no_duplicate),
        cmocka_unit_test(asked_for_while_tentative),
        cmocka_unit_test(what_is_lost_is_not_defended),
        cmocka_unit_test(what_is_in_use_is_defended),
        cmocka_unit_test(removed_while_in_use),
        cmocka_unit_test(many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
