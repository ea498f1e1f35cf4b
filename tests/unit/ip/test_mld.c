/* test_mld.c - who passes multicast on is told which groups we listen to (RFC 9777; RFC 2710 where
 * a router speaks only that). */
#include "ether.h"

#include "wire/mld.h"

static const uint8_t reports_to[16] = {0xff, 2, [15] = 0x16}, nobody[16];
static const uint8_t all_nodes[16] = {0xff, 2, [15] = 1}, all_routers[16] = {0xff, 2, [15] = 2};

/* What reports have said since they were counted last. */
static struct {
    unsigned packets, records, version1, done;
    uint8_t kind, group[16], src[16];
    uint64_t first, last;
} told;

static void heard(struct ether *t)
{
    struct wire_ip h;
    const uint8_t *p = t->frame + 14;
    if (t->len < 14 + WIRE_MLD_HEADERS || p[0] >> 4 != 6 || p[6] != WIRE_EXT_HOP_BY_HOP)
        return;
    assert_int_equal(wire_ip_read(p, t->len - 14, t->len - 14, &h), 0);
    assert_int_equal(h.header_len, WIRE_MLD_HEADERS);
    assert_int_equal(h.ttl, 1);
    assert_int_equal(p[42], 5); /* router alert: MLD */
    assert_int_equal(load_be32(p + 42), 0x05020000);
    uint64_t sum = wire_pseudo_sum(h.src, h.dst, WIRE_ICMP6, h.payload_len);
    p += WIRE_MLD_HEADERS;
    assert_int_equal(cksum_finish(cksum_portable(p, h.payload_len, sum)), 0);
    memcpy(told.src, h.src, 16);
    told.packets++;
    told.first = told.first != 0 ? told.first : t->now;
    told.last = t->now;
    if (p[0] != WIRE_MLD_REPORT) {
        assert_int_equal(h.payload_len, 24);
        assert_int_equal(p[0] == WIRE_MLD_DONE1, memcmp(h.dst, all_routers, 16) == 0);
        told.version1 += p[0] == WIRE_MLD_REPORT1;
        told.done += p[0] == WIRE_MLD_DONE1;
        memcpy(told.group, p + 8, 16);
        return;
    }
    assert_memory_equal(h.dst, reports_to, 16);
    unsigned n = load_be16(p + 6);
    assert_int_equal(h.payload_len, 8 + 20 * n);
    assert_true(t->len - 14 <= 1280);
    for (unsigned i = 0; i < n; i++) {
        const uint8_t *r = p + 8 + (size_t)20 * i;
        told.kind = r[0];
        assert_int_equal(load_be32(r) & 0xffffff, 0); /* no sources, nothing else */
        memcpy(told.group, r + 4, 16);
        told.records++;
    }
}

static void begin(struct ether *t, uint32_t flags)
{
    ether_config(t, true);
    t->cfg.addrs_max = 512;
    ether_open(t, flags);
    t->heard = heard;
    memset(&told, 0, sizeof(told));
    assert_int_equal(ether_add(t, t->ours), 0);
}

static void group_of(const uint8_t ip[16], uint8_t group[16]) { wire_nd_group(group, ip); }

/* Asks as a router does: about all groups, or about that one. */
static void query(struct ether *t, uint8_t version, const uint8_t *group, uint16_t code)
{
    uint8_t p[ETHER_FRAME] = {0}, src[16] = {0xfe, 0x80, [15] = 99};
    size_t len = version == 1 ? 24 : 28;
    uint8_t *m = p + 14 + WIRE_MLD_HEADERS, mac[6];
    wire_mld_headers(p + 14, len, src, all_nodes);
    m[0] = WIRE_MLD_QUERY;
    store_be16(m + 4, code);
    if (group != NULL)
        memcpy(m + 8, group, 16);
    uint64_t sum = wire_pseudo_sum(src, all_nodes, WIRE_ICMP6, (uint32_t)len);
    uint16_t check = cksum_finish(cksum_portable(m, len, sum));
    memcpy(m + 2, &check, 2);
    wire_mac_of_group(mac, all_nodes);
    wire_eth_write(p, mac, ether_peer_mac, WIRE_ETH_IP6);
    ether_say(t, p, 14 + WIRE_MLD_HEADERS + len);
}

static void told_when_it_begins(void **state)
{
    (void)state;
    for (unsigned dad = 0; dad < 2; dad++) {
        struct ether t;
        uint8_t group[16];
        begin(&t, dad ? 0 : TERN_IFACE_NO_DAD);
        group_of(t.ours, group);
        ether_wait(&t, 5 * SECOND);
        assert_int_equal(told.records, 2); /* twice: the first may be lost */
        assert_int_equal(told.kind, WIRE_MLD_TO_EXCLUDE);
        assert_memory_equal(told.group, group, 16);
        assert_memory_equal(told.src, nobody, 16); /* there is no link-local address */
        assert_true(told.last - told.first <= SECOND + 1);
        assert_int_equal(ether_count(&t, TERN_COUNT_LISTENER_REPORTS), 2);
        tern_free(t.s);
    }
}

/* Before the question whether the address is somebody else's, so that its answer may pass. */
static void told_before_asking(void **state)
{
    (void)state;
    struct ether t;
    begin(&t, 0);
    for (unsigned i = 0; i < 200 && told.packets == 0; i++) {
        ether_at(&t, t.now + SECOND / 100);
        while (ether_hear(&t)) {
            if (t.frame[20] == WIRE_ICMP6)
                assert_int_not_equal(told.packets, 0);
            heard(&t);
        }
        ether_at(&t, t.now);
    }
    assert_int_equal(told.packets, 1);
    tern_free(t.s);
}

static void from_the_link_local_address(void **state)
{
    (void)state;
    struct ether t;
    uint8_t ip[16] = {0xfe, 0x80, [15] = 2};
    begin(&t, TERN_IFACE_NO_DAD);
    assert_int_equal(ether_add(&t, ip), 0);
    ether_wait(&t, 3 * SECOND);
    assert_memory_equal(told.src, ip, 16);
    tern_free(t.s);
}

static void questions_are_answered(void **state)
{
    (void)state;
    struct ether t;
    begin(&t, TERN_IFACE_NO_DAD);
    ether_wait(&t, 5 * SECOND);
    memset(&told, 0, sizeof(told));
    uint64_t from = t.now;
    query(&t, 2, NULL, 10000);
    query(&t, 2, NULL, 10000);
    ether_wait(&t, 11 * SECOND);
    assert_int_equal(told.packets, 1); /* both with one */
    assert_int_equal(told.kind, WIRE_MLD_IS_EXCLUDE);
    assert_true(told.first - from <= 10 * SECOND);
    memset(&told, 0, sizeof(told));
    query(&t, 2, NULL, 0x8000); /* 0x1000 << 3 ms */
    ether_wait(&t, 33 * SECOND);
    assert_int_equal(told.packets, 1);
    for (unsigned i = 0; i < 50; i++) /* somebody wants it at once, often */
        query(&t, 2, NULL, 0);
    ether_wait(&t, SECOND);
    assert_int_equal(told.packets, 2);
    tern_free(t.s);
}

/* RFC 9777 8.2.1: as long as there is one who speaks the first version only. */
static void a_router_of_old(void **state)
{
    (void)state;
    struct ether t;
    uint8_t group[16];
    begin(&t, TERN_IFACE_NO_DAD);
    group_of(t.ours, group);
    ether_wait(&t, 5 * SECOND);
    memset(&told, 0, sizeof(told));
    query(&t, 1, NULL, 1000);
    ether_wait(&t, 2 * SECOND);
    assert_int_equal(told.version1, 1);
    assert_int_equal(told.packets, 1);
    assert_memory_equal(told.group, group, 16);
    assert_int_equal(tern_iface_addr_remove(t.s, t.iface, t.ours), 0);
    ether_wait(&t, 5 * SECOND);
    assert_int_equal(told.done, 2);
    ether_wait(&t, 300 * SECOND);
    memset(&told, 0, sizeof(told));
    assert_int_equal(ether_add(&t, t.ours), 0);
    ether_wait(&t, 5 * SECOND);
    assert_int_equal(told.records, 2);
    tern_free(t.s);
}

static void told_when_it_ends(void **state)
{
    (void)state;
    struct ether t;
    uint8_t twin[16], group[16];
    begin(&t, TERN_IFACE_NO_DAD);
    memcpy(twin, t.ours, 16);
    twin[5] = 7; /* another network, the same group */
    group_of(t.ours, group);
    assert_int_equal(ether_add(&t, twin), 0);
    ether_wait(&t, 5 * SECOND);
    memset(&told, 0, sizeof(told));
    assert_int_equal(tern_iface_addr_remove(t.s, t.iface, t.ours), 0);
    ether_wait(&t, 5 * SECOND);
    assert_int_equal(told.packets, 0); /* it is still wanted */
    assert_int_equal(tern_iface_addr_remove(t.s, t.iface, twin), 0);
    ether_wait(&t, 5 * SECOND);
    assert_int_equal(told.records, 2);
    assert_int_equal(told.kind, WIRE_MLD_TO_INCLUDE);
    assert_memory_equal(told.group, group, 16);
    tern_free(t.s);
}

/* More groups than a packet holds; and what is left for good is limited, too. */
static void many_groups(void **state)
{
    (void)state;
    struct ether t;
    begin(&t, TERN_IFACE_NO_DAD);
    for (unsigned i = 0; i < 200; i++) {
        t.ours[14] = 1;
        t.ours[15] = (uint8_t)i;
        assert_int_equal(ether_add(&t, t.ours), 0);
    }
    ether_wait(&t, 5 * SECOND);
    assert_int_equal(told.records, 402);
    memset(&told, 0, sizeof(told));
    query(&t, 2, NULL, 1000);
    ether_wait(&t, 2 * SECOND);
    assert_int_equal(told.records, 201);
    assert_int_equal(told.packets, 4);
    for (unsigned i = 0; i < 200; i++) {
        t.ours[15] = (uint8_t)i;
        assert_int_equal(tern_iface_addr_remove(t.s, t.iface, t.ours), 0);
    }
    memset(&told, 0, sizeof(told));
    ether_wait(&t, 5 * SECOND);
    assert_in_range(told.records, 2, 32);
    tern_free(t.s);
}

/* It is told where it was not before, of addresses that are there; IPv4's are no concern of it. */
static void switched_on_and_off(void **state)
{
    (void)state;
    struct ether t;
    uint8_t four[16] = {[10] = 0xff, 0xff, 10, 0, 0, 1}, group[16];
    tern_iface link = {.mac = ether_mac, .mtu = 1500, .flags = TERN_IFACE_NO_DAD};
    begin(&t, TERN_IFACE_NO_DAD | TERN_IFACE_NO_MLD);
    assert_int_equal(ether_add(&t, four), 0);
    ether_wait(&t, 5 * SECOND);
    assert_int_equal(told.packets, 0);
    assert_int_equal(tern_iface_change(t.s, t.iface, &link), 0);
    ether_wait(&t, 5 * SECOND);
    group_of(t.ours, group);
    assert_int_equal(told.records, 2);
    assert_memory_equal(told.group, group, 16);
    query(&t, 2, NULL, 1000);
    ether_wait(&t, 2 * SECOND);
    assert_int_equal(told.records, 3);
    assert_int_equal(tern_iface_addr_remove(t.s, t.iface, four), 0);
    ether_wait(&t, 5 * SECOND);
    assert_int_equal(told.records, 3);
    assert_int_equal(ether_add(&t, four), 0);
    assert_int_equal(tern_iface_addr_remove(t.s, t.iface, t.ours), 0);
    ether_wait(&t, 5 * SECOND);
    assert_int_equal(told.records, 5);
    assert_int_equal(told.kind, WIRE_MLD_TO_INCLUDE);
    assert_int_equal(ether_add(&t, t.ours), 0);
    ether_wait(&t, 5 * SECOND);
    assert_int_equal(told.records, 7);
    link.mtu = 1400; /* what has nothing to do with it changes nothing */
    assert_int_equal(tern_iface_change(t.s, t.iface, &link), 0);
    query(&t, 2, NULL, 1000);
    ether_wait(&t, 2 * SECOND);
    assert_int_equal(told.records, 8);
    link.flags |= TERN_IFACE_NO_MLD;
    assert_int_equal(tern_iface_change(t.s, t.iface, &link), 0);
    memset(&told, 0, sizeof(told));
    query(&t, 2, NULL, 1000);
    ether_wait(&t, 5 * SECOND);
    assert_int_equal(told.packets, 0);
    tern_free(t.s);
}

/* An address that is not certain yet is told of when it is time to ask whose it is. */
static void switched_on_before_it_is_certain(void **state)
{
    (void)state;
    struct ether t;
    tern_iface link = {.mac = ether_mac, .mtu = 1500};
    begin(&t, TERN_IFACE_NO_MLD);
    assert_int_equal(ether_state(&t, t.ours), TERN_ADDR_TENTATIVE);
    assert_int_equal(tern_iface_change(t.s, t.iface, &link), 0);
    ether_wait(&t, 1000);
    assert_int_equal(told.records, 0);
    ether_wait(&t, 5 * SECOND);
    assert_int_equal(told.records, 2);
    assert_int_equal(ether_state(&t, t.ours), TERN_ADDR_PREFERRED);
    tern_free(t.s);
}

/* Nobody takes what is sent: what would be one answer too many is dropped, with its page. */
static void no_room_for_a_report(void **state)
{
    (void)state;
    struct ether t;
    tern_memory m;
    ether_config(&t, true);
    t.cfg.replies_max = 1;
    ether_open(&t, TERN_IFACE_NO_DAD);
    assert_int_equal(ether_add(&t, t.ours), 0);
    for (unsigned i = 0; i < 10; i++)
        ether_at(&t, t.now + SECOND);
    assert_true(ether_drops(&t, TERN_DROP_REPLIES) >= 1);
    while (ether_hear(&t))
        ;
    tern_memory_of(t.s, &m);
    assert_int_equal(m.pages, 0);
    tern_free(t.s);
}

/* RFC 9777 5.1.14, 6.2. */
static void invalid_questions(void **state)
{
    (void)state;
    struct ether t;
    uint8_t p[ETHER_FRAME] = {0}, src[16] = {0xfe, 0x80, [15] = 99}, *m = p + 14 + 48;
    begin(&t, TERN_IFACE_NO_DAD);
    ether_wait(&t, 5 * SECOND);
    memset(&told, 0, sizeof(told));
    for (unsigned i = 0; i < 6; i++) {
        size_t len = i == 3 ? 27 : i == 4 ? 23 : 28;
        src[0] = i == 0 ? 0xfd : 0xfe;
        wire_mld_headers(p + 14, len, src, all_nodes);
        memset(m, 0, 40);
        m[0] = WIRE_MLD_QUERY;
        m[1] = i == 5;
        p[14 + 7] = i == 1 ? 2 : 1; /* hop limit */
        if (i == 2)
            p[14 + 42] = 0x1e; /* no router alert */
        uint64_t sum = wire_pseudo_sum(src, all_nodes, WIRE_ICMP6, (uint32_t)len);
        uint16_t check = cksum_finish(cksum_portable(m, len, sum));
        memcpy(m + 2, &check, 2);
        wire_eth_write(p, ether_mac, ether_peer_mac, WIRE_ETH_IP6);
        ether_say(&t, p, 14 + 48 + len);
        assert_int_equal(ether_drops(&t, TERN_DROP_ND), i + 1);
    }
    struct wire_ip_out plain = {.src = src, .dst = all_nodes, .ttl = 1};
    memset(p, 0, sizeof(p));
    p[54] = WIRE_MLD_QUERY;
    ether_say(&t, p, ether_icmp(p, 28, &plain, ether_mac)); /* no hop-by-hop header at all */
    assert_int_equal(ether_drops(&t, TERN_DROP_ND), 7);
    ether_wait(&t, 5 * SECOND);
    assert_int_equal(told.packets, 0);
    tern_free(t.s);
}

static void not_where_nobody_wants_it(void **state)
{
    (void)state;
    struct ether t;
    begin(&t, TERN_IFACE_NO_DAD | TERN_IFACE_NO_MLD);
    query(&t, 2, NULL, 100);
    ether_wait(&t, 5 * SECOND);
    assert_int_equal(told.packets, 0);
    tern_free(t.s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(told_when_it_begins),
        cmocka_unit_test(told_before_asking),
        cmocka_unit_test(from_the_link_local_address),
        cmocka_unit_test(questions_are_answered),
        cmocka_unit_test(a_router_of_old),
        cmocka_unit_test(told_when_it_ends),
        cmocka_unit_test(many_groups),
        cmocka_unit_test(switched_on_and_off),
        cmocka_unit_test(switched_on_before_it_is_certain),
        cmocka_unit_test(no_room_for_a_report),
        cmocka_unit_test(invalid_questions),
        cmocka_unit_test(not_where_nobody_wants_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
