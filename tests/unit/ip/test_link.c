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

/* ---- the other end of a connection ----------------------------------------------------------- */

/* The segment heard last is answered from the peer: with these flags, numbers and no data. */
static void reply(struct ether *t, uint8_t flags, uint32_t seq, uint32_t ack)
{
    uint8_t p[ETHER_FRAME];
    size_t ip_len = t->ip6 ? WIRE_IP6_HEADER : WIRE_IP4_HEADER;
    const uint8_t *heard = t->frame + 14 + ip_len;
    struct wire_tcp tcp = {.sport = load_be16(heard + 2),
                           .dport = load_be16(heard),
                           .seq = seq,
                           .ack = ack,
                           .flags = flags,
                           .wnd = 60000};
    uint8_t *to = p + 14 + ip_len;
    size_t len = wire_tcp_write(to, &tcp);
    struct wire_ip_out ip = {
        .src = t->peer, .dst = t->ours, .proto = WIRE_TCP, .ttl = 64, .payload_len = (uint16_t)len};
    memset(to + 16, 0, 2);
    uint64_t sum = wire_pseudo_sum(t->peer, t->ours, WIRE_TCP, (uint32_t)len);
    uint16_t check = cksum_finish(cksum_portable(to, len, sum));
    memcpy(to + 16, &check, 2);
    wire_ip_put(p + 14, &ip);
    wire_eth_write(p, ether_mac, ether_peer_mac, t->ip6 ? WIRE_ETH_IP6 : WIRE_ETH_IP4);
    ether_say(t, p, 14 + ip_len + len);
}

/* A connection with the peer; the next number of ours. */
static tern_sock open_connection(struct ether *t, uint32_t *next)
{
    tern_sock k = dial(t, t->peer);
    size_t tcp = 14 + (t->ip6 ? WIRE_IP6_HEADER : WIRE_IP4_HEADER);
    assert_true(ether_hear(t));
    ether_answer(t, t->peer, ether_peer_mac);
    assert_true(ether_hear(t));
    *next = load_be32(t->frame + tcp + 4) + 1;
    reply(t, TCP_SYN | TCP_ACK, 1000, *next);
    while (ether_hear(t))
        ;
    return k;
}

/* RFC 4861 7.3.1: who acknowledges is there, and is not asked; whatever becomes of the route. */
static void progress(struct ether *t)
{
    uint32_t next;
    tern_sock k = open_connection(t, &next);
    for (unsigned i = 0; i < 100; i++) { /* 200 s, of which it is REACHABLE for 30 */
        ether_at(t, t->now + 2 * SECOND);
        assert_int_equal(tern_send(t->s, k, "0123456789", 10), 10);
        assert_true(ether_hear(t));
        assert_true(is_tcp(t, ether_peer_mac));
        next += 10;
        reply(t, TCP_ACK, 1001, next);
        assert_false(ether_hear(t));
    }
    assert_int_equal(tern_send(t->s, k, "0123456789", 10), 10);
    assert_true(ether_hear(t));
    assert_int_equal(tern_route_remove(t->s, t->ours, t->ip6 ? 64 : 96 + 24, NULL, t->iface), 0);
    reply(t, TCP_ACK, 1001, next + 10); /* (by which the neighbour is known all the same) */
    assert_false(ether_hear(t));
}
static void who_acknowledges_is_there(void **state) { (void)state, for_both(progress); }

/* But what acknowledges nothing new says nothing of the way there: our segments may be lost on it,
 * while another's come. After 40 s of that the peer is no longer known to be there. */
static void no_progress(struct ether *t)
{
    uint32_t next;
    tern_sock k = open_connection(t, &next);
    for (unsigned i = 0; i < 20; i++) {
        ether_at(t, t->now + 2 * SECOND);
        reply(t, TCP_ACK, 1001, i % 2 != 0 ? next : next - 1); /* again, or old */
        assert_false(ether_hear(t));
    }
    assert_int_equal(tern_send(t->s, k, "0123456789", 10), 10);
    assert_true(ether_hear(t));
    assert_true(is_tcp(t, ether_peer_mac));
    bool asked = false;
    for (unsigned i = 0; i < 6 && !asked; i++) { /* 5 s of doubt */
        reply(t, TCP_ACK, 1001, next);
        ether_at(t, t->now + SECOND);
        while (!asked && ether_hear(t)) /* (its data, sent again, and) */
            asked = !is_tcp(t, ether_peer_mac);
    }
    assert_true(asked);
    is_question(t, t->peer, ether_peer_mac);
}
static void who_repeats_himself_is_asked(void **state) { (void)state, for_both(no_progress); }

/* The device completes checksums: it is told where, behind Ethernet's header. */
static void offload(struct ether *t)
{
    tern_iface link = {.mac = ether_mac,
                       .mtu = 1500,
                       .flags = TERN_IFACE_NO_DAD | TERN_IFACE_NO_MLD,
                       .caps = TERN_CAP_CSUM};
    tern_pkt pkt;
    assert_int_equal(tern_iface_change(t->s, t->iface, &link), 0);
    dial(t, t->peer);
    assert_true(ether_hear(t));
    ether_answer(t, t->peer, ether_peer_mac);
    assert_int_equal(tern_output(t->s, t->iface, &pkt, 1, t->now), 1);
    assert_true(pkt.flags & TERN_PKT_CSUM_PARTIAL);
    assert_int_equal(pkt.csum_start, 14 + (t->ip6 ? 40 : 20));
    tern_output_done(t->s, &pkt, 1);
}
static void sums_behind_the_frame(void **state) { (void)state, for_both(offload); }

/* Our link-layer address is another one from now on. */
static void renamed(struct ether *t)
{
    static const uint8_t mac[6] = {2, 0, 0, 0, 0, 77};
    tern_iface link = {.mac = mac, .mtu = 1500, .flags = TERN_IFACE_NO_DAD | TERN_IFACE_NO_MLD};
    tern_pkt pkt;
    assert_int_equal(tern_iface_change(t->s, t->iface, &link), 0);
    dial(t, t->peer);
    assert_int_equal(tern_output(t->s, t->iface, &pkt, 1, t->now), 1);
    assert_memory_equal((const uint8_t *)pkt.iov[0].base + 6, mac, 6);
    tern_output_done(t->s, &pkt, 1);
    link.mac = ether_mac;
    assert_int_equal(tern_iface_change(t->s, t->iface, &link), 0);
}
static void another_address_of_the_link(void **state) { (void)state, for_both(renamed); }

/* While somebody is asked for, the way there changes, or our address goes: what then is due is
 * done as far as it can be. */
static void while_asked(struct ether *t)
{
    tern_iface other = {.mtu = 1500};
    int id = tern_iface_add(t->s, &other);
    assert_true(id > 0);
    dial(t, t->peer);
    assert_true(ether_hear(t));
    is_question(t, t->peer, NULL);
    assert_int_equal(tern_route_add(t->s, t->peer, 128, NULL, id), 0);
    ether_at(t, t->now + SECOND);
    assert_true(ether_hear(t)); /* the packet that waits was made for this link */
    is_question(t, t->peer, NULL);
    assert_int_equal(tern_iface_addr_remove(t->s, t->iface, t->ours), 0);
    ether_at(t, t->now + SECOND);
    assert_false(ether_hear(t)); /* in whose name? */
    ether_wait(t, 10 * SECOND);
}
static void the_way_changes(void **state) { (void)state, for_both(while_asked); }

/* Those that wait for neighbours nobody knows are made in turns: tern_output() does not go on until
 * all records are taken; and so is what is due, as tern_config.advance_max says. */
static void many_unknown(struct ether *t)
{
    enum { MANY = 150 };
    tern_pkt pkt[256];
    unsigned questions = 0, turns = 0;
    for (unsigned i = 0; i < MANY; i++) {
        t->peer[15] = (uint8_t)(10 + i);
        dial(t, t->peer);
    }
    while (tern_next_timeout(t->s) == 0 && turns++ < 100) {
        size_t n = tern_output(t->s, t->iface, pkt, 256, t->now);
        tern_output_done(t->s, pkt, n);
        assert_in_range(n, 0, 64);
        questions += (unsigned)n;
    }
    assert_int_equal(questions, MANY);
    assert_true(turns >= 3);
    ether_at(t, t->now + SECOND); /* all are asked for again: as many as one call may do */
    size_t n = tern_output(t->s, t->iface, pkt, 256, t->now);
    tern_output_done(t->s, pkt, n);
    assert_in_range(n, 1, 7);
}
static void neighbours_in_turns(void **state)
{
    (void)state;
    for (int ip6 = 0; ip6 < 2; ip6++) {
        struct ether t;
        ether_config(&t, ip6);
        t.cfg.neighbors_max = 200;
        t.cfg.advance_max = 7;
        ether_open(&t, TERN_IFACE_NO_DAD | TERN_IFACE_NO_MLD);
        assert_int_equal(ether_add(&t, t.ours), 0);
        while (ether_hear(&t))
            ;
        many_unknown(&t);
        tern_free(t.s);
    }
}

/* Who asked for an echo and then cannot be found: nobody has to be told. */
static void echo_of_nobody(struct ether *t)
{
    uint8_t p[ETHER_FRAME] = {0}, *m = p + 14 + (t->ip6 ? WIRE_IP6_HEADER : WIRE_IP4_HEADER);
    struct wire_ip_out ip = {.src = t->peer, .dst = t->ours, .ttl = 64, .payload_len = 16};
    ip.proto = t->ip6 ? WIRE_ICMP6 : WIRE_ICMP;
    m[0] = t->ip6 ? 128 : 8;
    uint64_t sum = t->ip6 ? wire_pseudo_sum(t->peer, t->ours, WIRE_ICMP6, 16) : 0;
    uint16_t check = cksum_finish(cksum_portable(m, 16, sum));
    memcpy(m + 2, &check, 2);
    wire_ip_put(p + 14, &ip);
    wire_eth_write(p, ether_mac, ether_peer_mac, t->ip6 ? WIRE_ETH_IP6 : WIRE_ETH_IP4);
    ether_say(t, p, (size_t)(m - p) + 16);
    assert_true(ether_hear(t));
    is_question(t, t->peer, NULL);
    ether_wait(t, 10 * SECOND);
    assert_int_equal(ether_drops(t, TERN_DROP_NEIGHBOR), 1);
}
static void an_echo_that_finds_nobody(void **state) { (void)state, for_both(echo_of_nobody); }

/* Frames whose pieces of memory end where Ethernet's header does, or before. */
static void frames_in_pieces(void **state)
{
    (void)state;
    struct ether t;
    uint8_t p[ETHER_FRAME] = {0};
    ether_start(&t, false);
    wire_eth_write(p, ether_mac, ether_peer_mac, WIRE_ETH_IP4);
    p[14] = 0x45;
    tern_pkt short_one = {.iov_count = 1, .len = 13, .iface = (uint16_t)t.iface};
    short_one.iov[0] = (tern_iov){p, 60};
    tern_input(t.s, &short_one, 1, t.now);
    assert_int_equal(ether_drops(&t, TERN_DROP_SHORT), 1);
    tern_pkt no_more = {.iov_count = 1, .len = 14, .iface = (uint16_t)t.iface};
    no_more.iov[0] = (tern_iov){p, 60};
    tern_input(t.s, &no_more, 1, t.now);
    tern_pkt apart = {.iov_count = 2, .len = 60, .iface = (uint16_t)t.iface};
    apart.iov[0] = (tern_iov){p, 14};
    apart.iov[1] = (tern_iov){p + 14, 46};
    tern_input(t.s, &apart, 1, t.now);
    assert_int_equal(ether_drops(&t, TERN_DROP_LINK), 2);
    tern_free(t.s);
}

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
        cmocka_unit_test(who_acknowledges_is_there),
        cmocka_unit_test(who_repeats_himself_is_asked),
        cmocka_unit_test(sums_behind_the_frame),
        cmocka_unit_test(another_address_of_the_link),
        cmocka_unit_test(the_way_changes),
        cmocka_unit_test(neighbours_in_turns),
        cmocka_unit_test(an_echo_that_finds_nobody),
        cmocka_unit_test(frames_in_pieces),
        cmocka_unit_test(frames_of_others),
        cmocka_unit_test(invalid_solicitations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
