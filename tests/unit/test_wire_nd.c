/* test_wire_nd.c - Neighbour Discovery and Multicast Listener Discovery, byte by byte: what is
 * valid is read, each rule that is broken makes it invalid, options that do not fit are passed
 * over; and the link-layer addresses of groups. */
#include "unit.h"

#include "wire/mld.h"
#include "wire/nd.h"

static const uint8_t router[16] = {0xfe, 0x80, [15] = 1}, global[16] = {0x20, 1, [15] = 1};
static const uint8_t all_nodes[16] = {0xff, 2, [15] = 1}, mac[6] = {2, 0, 0, 0, 0, 9};
static const uint8_t nobody[16], group_mac[6] = {3, 0, 0, 0, 0, 9};

/* A message, and the header it came with. */
struct message {
    uint8_t p[700];
    struct wire_ip ip;
};

static struct message message(uint8_t type, uint16_t len, const uint8_t src[16])
{
    struct message m = {.p = {type}, .ip = {.version = 6, .ttl = WIRE_ND_HOPS, .payload_len = len}};
    memcpy(m.ip.src, src, 16);
    memcpy(m.ip.dst, all_nodes, 16);
    return m;
}

/* An option of `units` times 8 bytes behind all there is; its body follows. */
static uint8_t *option(struct message *m, uint8_t type, uint8_t units)
{
    uint8_t *p = m->p + m->ip.payload_len;
    p[0] = type;
    p[1] = units;
    m->ip.payload_len = (uint16_t)(m->ip.payload_len + 8 * units);
    return p + 2;
}

/* Reads memory of just that size. */
static bool read_nd(const struct message *m, size_t have, struct wire_nd *out)
{
    uint8_t *copy = malloc(have + 1);
    assert_non_null(copy);
    memcpy(copy + 1, m->p, have);
    bool ok = wire_nd_read(copy + 1, have, &m->ip, out);
    free(copy);
    return ok;
}

static bool read_ra(const struct message *m, size_t have, struct wire_ra *out)
{
    uint8_t *copy = malloc(have + 1);
    assert_non_null(copy);
    memcpy(copy + 1, m->p, have);
    bool ok = wire_ra_read(copy + 1, have, &m->ip, out);
    free(copy);
    return ok;
}

/* ---- between hosts --------------------------------------------------------------------------- */

static struct message solicit(void)
{
    struct message m = message(WIRE_ND_SOLICIT, 24, global);
    memcpy(m.p + 8, global, 16);
    return m;
}

static void what_a_host_says(void **state)
{
    (void)state;
    struct wire_nd nd;
    struct message m = solicit();
    assert_true(read_nd(&m, 24, &nd));
    assert_false(nd.has_mac);
    for (unsigned i = 0; i < 7; i++) {
        m = solicit();
        size_t have = 24;
        if (i == 0)
            m.ip.payload_len = 23;
        else if (i == 1)
            have = 23;
        else if (i == 2)
            m.ip.ttl = 254;
        else if (i == 3)
            m.p[1] = 1;
        else if (i == 4)
            m.p[0] = 137; /* a redirect */
        else if (i == 5)
            m.p[8] = 0xff;
        else
            m.p[24] = 1, have = m.ip.payload_len = 25; /* half an option */
        assert_false(read_nd(&m, have, &nd));
    }
}

/* The first address that is one counts. */
static void options_of_hosts(void **state)
{
    (void)state;
    struct wire_nd nd;
    struct message m = solicit();
    memset(option(&m, 1, 2), 5, 14); /* too long */
    memcpy(option(&m, 1, 1), group_mac, 6);
    memcpy(option(&m, 2, 1), mac, 6); /* of an advertisement */
    assert_true(read_nd(&m, m.ip.payload_len, &nd));
    assert_false(nd.has_mac);
    memcpy(option(&m, 1, 1), mac, 6);
    memset(option(&m, 1, 1), 4, 6);
    assert_true(read_nd(&m, m.ip.payload_len, &nd));
    assert_true(nd.has_mac);
    assert_memory_equal(nd.mac, mac, 6);
    option(&m, 1, 0);
    m.ip.payload_len = (uint16_t)(m.ip.payload_len + 8);
    assert_false(read_nd(&m, m.ip.payload_len, &nd));
}

static void written_and_read(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 16; i++) {
        struct wire_nd in = {.type = WIRE_ND_ADVERT, .router = i & 1, .solicited = i & 2}, out;
        struct message m = message(0, 0, global);
        in.override = i & 4;
        in.has_mac = i & 8;
        memcpy(in.target, router, 16);
        memcpy(m.ip.dst, router, 16);
        m.ip.payload_len = (uint16_t)wire_nd_write(m.p, &in, global, router);
        assert_int_equal(m.ip.payload_len, i & 8 ? 32 : 24);
        assert_true(read_nd(&m, m.ip.payload_len, &out));
        assert_memory_equal(&in, &out, sizeof(in));
    }
    uint8_t p[WIRE_ND_MAX];
    assert_int_equal(wire_rs_write(p, NULL, nobody, all_nodes), 8); /* from no address: no other */
    assert_int_equal(wire_rs_write(p, mac, router, all_nodes), 16);
}

/* ---- of routers ------------------------------------------------------------------------------ */

static void what_a_router_says(void **state)
{
    (void)state;
    struct wire_ra ra;
    struct message m = message(WIRE_ND_ROUTER_ADVERT, 16, router);
    assert_true(read_ra(&m, 16, &ra));
    for (unsigned i = 0; i < 7; i++) {
        m = message(WIRE_ND_ROUTER_ADVERT, 16, i == 5 ? global : router);
        size_t have = 16;
        if (i == 0)
            m.ip.payload_len = 15;
        else if (i == 1)
            have = 15;
        else if (i == 2)
            m.ip.ttl = 254;
        else if (i == 3)
            m.p[1] = 1;
        else if (i == 4)
            m.p[0] = WIRE_ND_ROUTER_SOLICIT;
        else if (i == 6)
            m.p[16] = 1, m.ip.payload_len = 24; /* an option without a length */
        assert_false(read_ra(&m, i == 6 ? 24 : have, &ra));
    }
}

static void options_of_routers(void **state)
{
    (void)state;
    struct wire_ra ra;
    struct message m = message(WIRE_ND_ROUTER_ADVERT, 16, router);
    memset(option(&m, 1, 2), 2, 14);
    memcpy(option(&m, 1, 1), group_mac, 6);
    store_be32(option(&m, 5, 2) + 2, 1400);
    option(&m, 3, 3)[0] = 64; /* of the wrong size */
    option(&m, 3, 4)[0] = 129;
    assert_true(read_ra(&m, m.ip.payload_len, &ra));
    assert_false(ra.has_mac);
    assert_int_equal(ra.mtu, 0);
    assert_int_equal(ra.prefix_count, 0);
    memcpy(option(&m, 1, 1), mac, 6);
    store_be32(option(&m, 5, 1) + 2, 1400);
    for (unsigned i = 0; i <= WIRE_RA_PREFIXES; i++) {
        uint8_t *p = option(&m, 3, 4);
        p[0] = (uint8_t)(i == 0 ? 128 : 60);
        memset(p + 14, 0xee, 16);
        p[14] = (uint8_t)i;
    }
    assert_true(read_ra(&m, m.ip.payload_len, &ra));
    assert_memory_equal(ra.mac, mac, 6);
    assert_int_equal(ra.mtu, 1400);
    assert_int_equal(ra.prefix_count, WIRE_RA_PREFIXES); /* and no more */
    assert_int_equal(ra.prefix[0].ip[15], 0xee);
    assert_int_equal(ra.prefix[15].ip[0], 15);
    assert_int_equal(ra.prefix[15].ip[7], 0xe0); /* nothing behind its bits */
    assert_int_equal(ra.prefix[15].ip[8], 0);
}

/* ---- multicast ------------------------------------------------------------------------------- */

enum { QUERY = WIRE_MLD_HEADERS };

static struct message query(uint16_t len)
{
    struct message m = message(0, len, router);
    m.ip.ttl = 1;
    m.ip.header_len = WIRE_MLD_HEADERS;
    wire_mld_headers(m.p, len, router, all_nodes);
    m.p[QUERY] = WIRE_MLD_QUERY;
    return m;
}

static void who_asks_about_groups(void **state)
{
    (void)state;
    struct wire_mld_query q;
    struct message m = query(28);
    assert_true(wire_mld_read(m.p, QUERY + 28, &m.ip, &q));
    assert_int_equal(q.version, 2);
    memcpy(m.p + QUERY + 8, all_nodes, 16);
    assert_true(wire_mld_read(m.p, QUERY + 28, &m.ip, &q));
    for (unsigned i = 0; i < 9; i++) {
        size_t have = QUERY + 28;
        m = query(28);
        if (i == 0)
            have--;
        else if (i == 1)
            m.ip.header_len = WIRE_IP6_HEADER;
        else if (i == 2)
            m.ip.ttl = 2;
        else if (i == 3)
            memcpy(m.ip.src, global, 16);
        else if (i == 4)
            m.p[WIRE_IP6_HEADER + 2] = 1; /* no router alert */
        else if (i == 5)
            m.p[QUERY] = WIRE_MLD_REPORT1;
        else if (i == 6)
            m.p[QUERY + 1] = 1;
        else if (i == 7)
            m.ip.payload_len = 26; /* of neither version */
        else
            memcpy(m.p + QUERY + 8, global, 16); /* that is no group */
        assert_false(wire_mld_read(m.p, have, &m.ip, &q));
    }
    m = query(24);
    assert_true(wire_mld_read(m.p, QUERY + 24, &m.ip, &q));
    assert_int_equal(q.version, 1);
}

static void where_groups_are(void **state)
{
    (void)state;
    static const uint8_t four[16] = {[10] = 0xff, 0xff, 224, 129, 2, 3},
                         six[6] = {0x33, 0x33, 0, 0, 0, 1}, of_four[6] = {1, 0, 0x5e, 1, 2, 3},
                         all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    uint8_t to[6];
    wire_mac_of_group(to, four);
    assert_memory_equal(to, of_four, 6); /* RFC 1112 6.4: 23 bits */
    wire_mac_of_group(to, all_nodes);
    assert_memory_equal(to, six, 6);
    wire_mac_of_group(to, global);
    assert_memory_equal(to, all, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_host_says),   cmocka_unit_test(options_of_hosts),
        cmocka_unit_test(written_and_read),   cmocka_unit_test(what_a_router_says),
        cmocka_unit_test(options_of_routers), cmocka_unit_test(who_asks_about_groups),
        cmocka_unit_test(where_groups_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
