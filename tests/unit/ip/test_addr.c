/* test_addr.c - which addresses are ours, beside a plain list of them, and which one is the source
 * for a destination: RFC 6724 5 rule by rule. */
#include "unit.h"

#include "ip/route.h"

#include <stdarg.h>

static struct unit_mem mem;
static const struct siphash_key key = {1, 2};

static struct ip_addrs start(uint32_t max)
{
    struct ip_addrs t;
    tern_config cfg = {.addrs_max = max};
    unit_mem_init(&mem);
    ip_addrs_init(&t, &mem.mem, &key, &cfg);
    return t;
}

static void end(struct ip_addrs *t)
{
    ip_addrs_destroy(t);
    unit_mem_done(&mem);
}

/* ---- which there are ------------------------------------------------------------------------- */

enum { MANY = 300, ROUNDS = 3000 };

struct plain {
    uint8_t ip[16];
    unsigned bits;
    uint8_t iface;
};

static void any_address(uint8_t ip[16])
{
    uint64_t r = unit_random();
    memset(ip, 0, 16);
    if (r & 1) {
        memset(ip + 10, 0xff, 2);
        store_be32(ip + 12, 0x0a000000 | (uint32_t)(r >> 8 & 0x3ff));
    } else {
        ip[0] = 0xfd;
        store_be32(ip + 12, (uint32_t)(r >> 8 & 0x1ff));
    }
}

static bool plain_broadcast(const struct plain *list, unsigned n, const uint8_t ip[16])
{
    if (!wire_is_ip4(ip))
        return false;
    if (load_be32(ip + 12) == UINT32_MAX)
        return true;
    for (unsigned i = 0; i < n; i++)
        if (wire_is_ip4(list[i].ip) && list[i].bits <= 126 &&
            (load_be32(list[i].ip + 12) | UINT32_MAX >> (list[i].bits - 96)) == load_be32(ip + 12))
            return true;
    return false;
}

static void compare(const struct ip_addrs *t, const struct plain *list, unsigned n)
{
    uint8_t ip[16];
    any_address(ip);
    const struct plain *found = NULL;
    for (unsigned i = 0; i < n; i++)
        if (wire_ip_equal(list[i].ip, ip))
            found = &list[i];
    assert_int_equal(ip_is_local(t, ip), found != NULL);
    for (uint8_t i = 0; i < 3; i++)
        assert_int_equal(ip_is_at(t, i, ip), found != NULL && found->iface == i);
    assert_int_equal(ip_is_broadcast(t, ip), plain_broadcast(list, n, ip));
}

static void beside_a_list(void **state)
{
    (void)state;
    static struct plain list[MANY];
    unsigned n = 0;
    struct ip_addrs t = start(MANY);
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct plain p = {.iface = (uint8_t)(unit_random() % 3)};
        any_address(p.ip);
        p.bits = wire_is_ip4(p.ip) ? 116 + (unsigned)(unit_random() % 13) : 64;
        bool known = ip_addr_find(&t, p.ip) != NULL;
        if (unit_random() % 3 != 0) {
            int err = ip_addr_new(&t, p.iface, p.ip, p.bits);
            assert_int_equal(err, known ? TERN_EADDRINUSE : n == MANY ? TERN_ELIMIT : 0);
            if (err == 0)
                list[n++] = p;
        } else if (n > 0) {
            unsigned gone = (unsigned)(unit_random() % n);
            ip_addr_drop(&t, ip_addr_find(&t, list[gone].ip));
            list[gone] = list[--n];
        }
        if (unit_random() % 500 == 0) {
            ip_addrs_forget(&t, 1);
            unsigned m = 0;
            for (unsigned k = 0; k < n; k++)
                if (list[k].iface != 1)
                    list[m++] = list[k];
            n = m;
        }
        assert_int_equal(t.count, n);
        for (unsigned k = 0; k < 20; k++)
            compare(&t, list, n);
    }
    assert_true(n > 50);
    end(&t);
}

/* However many addresses there are, each bucket has few. */
static void buckets_are_short(void **state)
{
    (void)state;
    struct ip_addrs t = start(4096);
    uint8_t ip[16] = {[10] = 0xff, 0xff, 10};
    for (uint32_t i = 0; i < 4096; i++) {
        store_be32(ip + 12, 0x0a010000 + i); /* all of one network */
        assert_int_equal(ip_addr_new(&t, 0, ip, 112), 0);
    }
    unsigned longest = 0;
    for (uint32_t b = 0; b < IP_BUCKETS * t.room; b++) {
        unsigned n = 0;
        for (uint32_t i = t.buckets[b]; i != 0; i = t.chain[i - 1])
            n++;
        longest = n > longest ? n : longest;
    }
    assert_in_range(longest, 1, 12);
    end(&t);
}

static void what_is_no_address(void **state)
{
    (void)state;
    struct ip_addrs t = start(4);
    static const uint8_t none[16], group[16] = {0xff, 2, [15] = 1},
                                   four[16] = {[10] = 0xff, 0xff, 9},
                                   all[16] = {[10] = 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    assert_int_equal(ip_addr_new(&t, 0, none, 64), TERN_EINVAL);
    assert_int_equal(ip_addr_new(&t, 0, group, 64), TERN_EINVAL);
    assert_int_equal(ip_addr_new(&t, 0, all, 128), TERN_EINVAL);
    assert_int_equal(ip_addr_new(&t, 0, four, 95), TERN_EINVAL);
    assert_int_equal(ip_addr_new(&t, 0, four, 129), TERN_EINVAL);
    assert_false(ip_is_local(&t, four) || ip_is_broadcast(&t, four));
    assert_true(ip_is_broadcast(&t, all));
    assert_int_equal(t.room, 0); /* nothing taken */
    end(&t);
}

/* ---- RFC 6724 -------------------------------------------------------------------------------- */

/* "fe80::1" and the like, by hand: 16-bit groups, one "::". */
static void parse(const char *text, uint8_t ip[16])
{
    uint8_t tail[16];
    unsigned n = 0, m = 0;
    bool gap = false;
    memset(ip, 0, 16);
    unsigned a, b, c, d;
    if (sscanf(text, "%u.%u.%u.%u", &a, &b, &c, &d) == 4) {
        uint8_t four[16] = {[10] = 0xff, 0xff, (uint8_t)a, (uint8_t)b, (uint8_t)c, (uint8_t)d};
        memcpy(ip, four, 16);
        return;
    }
    while (*text != 0) {
        if (text[0] == ':' && text[1] == ':') {
            gap = true;
            text += 2;
            continue;
        }
        if (*text == ':')
            text++;
        char *next;
        uint16_t v = (uint16_t)strtoul(text, &next, 16);
        text = next;
        if (!gap)
            store_be16(ip + 2 * n++, v);
        else
            store_be16(tail + 2 * m++, v);
    }
    memcpy(ip + 16 - 2 * m, tail, (size_t)2 * m);
}

struct candidate {
    const char *ip;
    unsigned bits;
    enum tern_addr_state state;
    uint8_t routers;
};

/* The candidates, in either order, give that source for that destination by that router. */
static void chosen(const char *dst, uint8_t router, const char *expected, unsigned n,
                   const struct candidate *list)
{
    for (unsigned order = 0; order < 2; order++) {
        struct ip_addrs t = start(8);
        uint8_t ip[16], to[16];
        for (unsigned i = 0; i < n; i++) {
            const struct candidate *c = &list[order != 0 ? n - 1 - i : i];
            parse(c->ip, ip);
            assert_int_equal(ip_addr_new(&t, 0, ip, c->bits), 0);
            struct ip_addr *a = ip_addr_find(&t, ip);
            a->state = (uint8_t)c->state;
            a->routers = c->routers;
        }
        parse(dst, to);
        struct ip_way way = {.router = router}, elsewhere = {.iface = 1};
        const struct ip_addr *a = ip_source(&t, &way, to);
        assert_null(ip_source(&t, &elsewhere, to));
        if (expected == NULL) {
            assert_null(a);
        } else {
            parse(expected, ip);
            assert_non_null(a);
            assert_memory_equal(a->ip, ip, 16);
        }
        end(&t);
    }
}

#define CHOSEN(dst, router, expected, ...)                                                         \
    chosen(dst, router, expected,                                                                  \
           sizeof((const struct candidate[]){__VA_ARGS__}) / sizeof(struct candidate),             \
           (const struct candidate[]){__VA_ARGS__})

static void rule_1_same(void **state)
{
    (void)state;
    CHOSEN("2001:db8:1::1", 0, "2001:db8:1::1", {"2001:db8:1::1", 64, TERN_ADDR_DEPRECATED, 0},
           {"2001:db8:1::2", 64, TERN_ADDR_PREFERRED, 0});
}

static void rule_2_scope(void **state)
{
    (void)state;
    CHOSEN("ff02::1", 0, "fe80::1", {"2001:db8:3::1", 64, 0, 0}, {"fe80::1", 64, 0, 0});
    CHOSEN("fe80::2", 0, "fe80::1", {"2001:db8:3::1", 64, 0, 0}, {"fe80::1", 64, 0, 0});
    CHOSEN("ff05::1", 0, "2001:db8:3::1", {"2001:db8:3::1", 64, 0, 0}, {"fe80::1", 64, 0, 0});
    CHOSEN("2001:db8:1::1", 0, "2001:db8:3::1", {"2001:db8:3::1", 64, TERN_ADDR_DEPRECATED, 0},
           {"fe80::1", 64, 0, 0});
    CHOSEN("fec0::7", 0, "fec0::1", {"2001:db8:3::1", 64, 0, 0}, {"fec0::1", 64, 0, 0}); /* site */
    CHOSEN("fe00::7", 0, "2001:db8:3::1", {"2001:db8:3::1", 64, 0, 0}, {"fec0::1", 64, 0, 0});
    CHOSEN("224.0.0.9", 0, "10.9.0.2", {"169.254.1.1", 112, 0, 0}, {"10.9.0.2", 120, 0, 0});
    CHOSEN("2001:db8:1::1", 0, "fe80::1", {"fe80::1", 64, 0, 0}); /* better than none */
    CHOSEN("10.1.1.1", 0, "10.9.0.2", {"169.254.1.1", 112, 0, 0}, {"10.9.0.2", 120, 0, 0});
    CHOSEN("169.254.7.7", 0, "169.254.1.1", {"169.254.1.1", 112, 0, 0}, {"10.9.0.2", 120, 0, 0});
}

/* The loopback address reaches no further than the link (RFC 4007 4). */
static void rule_2_of_the_loopback_address(void **state)
{
    (void)state;
    CHOSEN("::1", 0, "fe80::1", {"2001:db8::2", 64, 0, 0}, {"fe80::1", 64, 0, 0});
    CHOSEN("127.0.0.1", 0, "169.254.1.2", {"10.0.0.1", 104, 0, 0}, {"169.254.1.2", 112, 0, 0});
}

static void rule_3_deprecated(void **state)
{
    (void)state;
    CHOSEN("2001:db8:1::9", 0, "2001:db8:2::1", {"2001:db8:1::1", 64, TERN_ADDR_DEPRECATED, 0},
           {"2001:db8:2::1", 64, TERN_ADDR_PREFERRED, 0});
    CHOSEN("10.9.0.9", 0, "10.8.0.1", {"10.9.0.1", 120, TERN_ADDR_DEPRECATED, 0},
           {"10.8.0.1", 120, TERN_ADDR_PREFERRED, 0});
}

static void rule_5_5_of_the_router(void **state)
{
    (void)state;
    CHOSEN("2001:db8:1::9", 2, "2001:db8:2::1", {"2001:db8:1::1", 64, 0, 1},
           {"2001:db8:2::1", 64, 0, 3});
    CHOSEN("2001:db8:1::9", 0, "2001:db8:1::1", {"2001:db8:1::1", 64, 0, 1},
           {"2001:db8:2::1", 64, 0, 3});
}

static void rule_6_label(void **state)
{
    (void)state;
    CHOSEN("2002:c633:6401::1", 0, "2002:c633:6401::d5e3:7953:13eb:22e8",
           {"2002:c633:6401::d5e3:7953:13eb:22e8", 64, 0, 0}, {"2001:db8:1::2", 64, 0, 0});
    CHOSEN("fd00::9", 0, "fd77::1", {"fd77::1", 16, 0, 0},
           {"fc12::1:2", 8, TERN_ADDR_DEPRECATED, 0}, {"2001:db8:1::2", 64, 0, 0});
    CHOSEN("2001:db8:1::9", 0, "2001:db8:2::1", {"fd00::1", 64, 0, 0}, {"2001:db8:2::1", 64, 0, 0});
    CHOSEN("2001:0:1::9", 0, "2001:0:2::1", {"2001:db8::1", 64, 0, 0}, {"2001:0:2::1", 64, 0, 0});
}

static void rule_8_longest_prefix(void **state)
{
    (void)state;
    CHOSEN("2001:db8:1::1", 0, "2001:db8:1::2", {"2001:db8:1::2", 64, 0, 0},
           {"2001:db8:3::2", 64, 0, 0}, {"fe80::1", 64, 0, 0});
    CHOSEN("10.9.0.9", 0, "10.9.0.1", {"10.9.0.1", 120, 0, 0}, {"10.8.0.1", 120, 0, 0});
}

static void no_further_than_the_prefix(void **state)
{
    (void)state;
    /* beyond its 64 bits nothing is compared: the first one stays */
    struct ip_addrs t = start(8);
    uint8_t ip[16], to[16];
    struct ip_way way = {.iface = 0};
    parse("2001:db8:1::f", ip);
    assert_int_equal(ip_addr_new(&t, 0, ip, 64), 0);
    parse("2001:db8:1::8", ip);
    assert_int_equal(ip_addr_new(&t, 0, ip, 64), 0);
    parse("2001:db8:1::9", to);
    assert_int_equal(ip_source(&t, &way, to)->ip[15], 0xf);
    end(&t);
}

static void only_what_can_be_used(void **state)
{
    (void)state;
    CHOSEN("2001:db8:1::1", 0, "2001:db8:3::2", {"2001:db8:1::2", 64, TERN_ADDR_TENTATIVE, 0},
           {"2001:db8:1::3", 64, TERN_ADDR_DUPLICATE, 0}, {"2001:db8:3::2", 64, 0, 0});
    CHOSEN("2001:db8:1::1", 0, NULL, {"2001:db8:1::2", 64, TERN_ADDR_TENTATIVE, 0});
    CHOSEN("2001:db8:1::1", 0, NULL, {"10.9.0.1", 120, 0, 0});
    CHOSEN("10.9.0.2", 0, NULL, {"2001:db8:1::2", 64, 0, 0});
}

static void labels_of_the_caller(void **state)
{
    (void)state;
    static const tern_label labels[] = {{.bits = 0, .label = 1},
                                        {.ip = {0x20, 1, 0xd, 0xb8, 0, 1}, .bits = 48, .label = 9},
                                        {.ip = {0x20, 1, 0xd, 0xb8, 0, 7}, .bits = 48, .label = 9}};
    struct ip_addrs t;
    tern_config cfg = {.addrs_max = 4, .labels = labels, .labels_count = 3};
    uint8_t ip[16], to[16];
    struct ip_way way = {.iface = 0};
    unit_mem_init(&mem);
    ip_addrs_init(&t, &mem.mem, &key, &cfg);
    parse("2001:db8:2::1", ip);
    assert_int_equal(ip_addr_new(&t, 0, ip, 64), 0);
    parse("2001:db8:7::1", ip);
    assert_int_equal(ip_addr_new(&t, 0, ip, 64), 0);
    parse("2001:db8:1::1", to);
    assert_memory_equal(ip_source(&t, &way, to)->ip, ip, 16);
    end(&t);
}

/* In any order, and with destinations that none of them is for. */
static void labels_in_any_order(void **state)
{
    (void)state;
    static const tern_label labels[] = {{.ip = {0x20, 1, 0xd, 0xb8, 0, 1}, .bits = 48, .label = 9},
                                        {.ip = {0x20, 1}, .bits = 16, .label = 1},
                                        {.ip = {0x20, 1, 0xd, 0xb8, 0, 7}, .bits = 48, .label = 9}};
    static const struct {
        const char *dst, *expected;
    } cases[] = {
        {"2001:db8:1::1", "2001:db8:7::1"}, /* 9, not the 1 that stands behind */
        {"2001:db9::1", "2001:db8:2::1"},   /* 1 */
        {"fd00::1", "fd00:1::1"},           /* none, as the source has none */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ip_addrs t;
        tern_config cfg = {.addrs_max = 4, .labels = labels, .labels_count = 3};
        uint8_t ip[16], to[16];
        struct ip_way way = {.iface = 0};
        unit_mem_init(&mem);
        ip_addrs_init(&t, &mem.mem, &key, &cfg);
        parse("2001:db8:2::1", ip);
        assert_int_equal(ip_addr_new(&t, 0, ip, 64), 0);
        parse("2001:db8:7::1", ip);
        assert_int_equal(ip_addr_new(&t, 0, ip, 64), 0);
        parse("fd00:1::1", ip);
        assert_int_equal(ip_addr_new(&t, 0, ip, 64), 0);
        parse(cases[i].dst, to);
        parse(cases[i].expected, ip);
        assert_memory_equal(ip_source(&t, &way, to)->ip, ip, 16);
        end(&t);
    }
}

/* A network of IPv6 has no broadcast address, however few bits are left for hosts. */
static void no_broadcast_in_ip6(void **state)
{
    (void)state;
    uint8_t ip[16];
    struct ip_addrs t = start(4);
    ip_addrs_forget(&t, 0); /* there was none yet */
    parse("2001:db8::1", ip);
    assert_int_equal(ip_addr_new(&t, 0, ip, 112), 0);
    parse("2001:db8::ffff", ip);
    assert_false(ip_is_broadcast(&t, ip));
    parse("10.1.0.1", ip);
    assert_int_equal(ip_addr_new(&t, 0, ip, 112), 0);
    parse("10.1.255.255", ip);
    assert_true(ip_is_broadcast(&t, ip));
    parse("10.1.0.1", ip); /* whoever's it is as long as nobody has been asked: not ours */
    assert_int_equal(ip_whose(&t, ip), IP_LOCAL);
    ip_addr_find(&t, ip)->state = TERN_ADDR_TENTATIVE;
    assert_int_equal(ip_whose(&t, ip), IP_FOREIGN);
    end(&t);
}

/* ---- routes ---------------------------------------------------------------------------------- */

static bool bit_by_bit(const uint8_t a[16], const uint8_t b[16], unsigned bits)
{
    for (unsigned i = 0; i < bits; i++)
        if ((a[i / 8] ^ b[i / 8]) & 0x80 >> i % 8)
            return false;
    return true;
}

/* Beside a plain list, of which the longest that fits counts; few bits differ, so that many fit. */
static void the_longest_prefix(void **state)
{
    (void)state;
    enum { ROUTES = 60 };
    struct ip_routes r;
    struct plain list[ROUTES];
    uint8_t to[16];
    unit_mem_init(&mem);
    assert_true(ip_routes_init(&r, &mem.mem, ROUTES));
    for (unsigned n = 0; n < ROUTES; n++) {
        struct plain *l = &list[n];
        any_address(l->ip);
        l->bits = wire_is_ip4(l->ip) ? 96 + unit_below(33) : unit_below(129);
        l->iface = (uint8_t)n;
        struct ip_hop hop = {.iface = l->iface};
        assert_int_equal(ip_route_add(&r, l->ip, l->bits, &hop), 0);
        for (unsigned i = 0; i < 200; i++) {
            const struct plain *best = NULL;
            any_address(to);
            for (unsigned k = 0; k <= n; k++)
                if (wire_is_ip4(list[k].ip) == wire_is_ip4(to) &&
                    bit_by_bit(list[k].ip, to, list[k].bits) &&
                    (best == NULL || list[k].bits > best->bits))
                    best = &list[k];
            const struct ip_route *found = ip_route_find(&r, to);
            assert_int_equal(found != NULL, best != NULL);
            if (best != NULL)
                assert_int_equal(found->bits, best->bits);
            if (best != NULL)
                assert_true(bit_by_bit(found->prefix, to, best->bits));
        }
    }
    ip_routes_destroy(&r);
    unit_mem_done(&mem);
}

static void routes_are_counted(void **state)
{
    (void)state;
    struct ip_routes r;
    uint8_t net[16], via[16], to[16];
    unit_mem_init(&mem);
    assert_true(ip_routes_init(&r, &mem.mem, 3));
    parse("2001:db8::", net);
    parse("fe80::1", via);
    parse("2001:db8::5", to);
    struct ip_hop direct = {.iface = 1}, by = {.via = via, .iface = 1};
    assert_int_equal(ip_route_add(&r, net, 64, &direct), 0);
    assert_int_equal(ip_route_add(&r, to, 64, &direct), 0); /* the same network */
    assert_int_equal(ip_route_add(&r, net, 0, &by), 0);
    assert_int_equal(r.count, 2);
    assert_false(ip_route_find(&r, to)->gateway);
    assert_int_equal(ip_route_remove(&r, net, 64, &direct), 0);
    assert_false(ip_route_find(&r, to)->gateway);
    assert_int_equal(ip_route_remove(&r, net, 64, &by), TERN_EINVAL);
    assert_int_equal(ip_route_remove(&r, net, 64, &direct), 0);
    assert_true(ip_route_find(&r, to)->gateway);
    assert_int_equal(ip_route_remove(&r, net, 64, &direct), TERN_EINVAL);
    ip_routes_forget(&r, 1);
    assert_null(ip_route_find(&r, to));
    ip_routes_destroy(&r);
    unit_mem_done(&mem);
}

/* Routes to the same network that differ in one thing are two; those of one family lead nobody of
 * the other. */
static void routes_alike(void **state)
{
    (void)state;
    struct ip_routes r;
    uint8_t net[16], via[2][16], to[16];
    unit_mem_init(&mem);
    assert_true(ip_routes_init(&r, &mem.mem, 8));
    parse("::", net);
    parse("fe80::1", via[0]);
    parse("fe80::2", via[1]);
    const struct ip_hop hops[] = {{.via = via[0], .iface = 1},
                                  {.via = via[1], .iface = 1},
                                  {.via = via[0], .iface = 2},
                                  {.iface = 1},
                                  {.via = via[0], .iface = 1, .router = 4}};
    for (unsigned i = 0; i < ARRAY_LEN(hops); i++)
        assert_int_equal(ip_route_add(&r, net, 0, &hops[i]), 0);
    assert_int_equal(r.count, ARRAY_LEN(hops));
    parse("10.9.0.1", to);
    assert_null(ip_route_find(&r, to));
    assert_int_equal(ip_route_add(&r, to, 95, &hops[0]), TERN_EINVAL);
    assert_int_equal(ip_route_remove(&r, to, 95, &hops[0]), TERN_EINVAL);
    for (unsigned i = 0; i < ARRAY_LEN(hops); i++)
        assert_int_equal(ip_route_remove(&r, net, 0, &hops[i]), 0);
    assert_int_equal(r.count, 0);
    ip_routes_destroy(&r);
    unit_mem_done(&mem);
}

int main(void)
{
    unit_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(beside_a_list),
        cmocka_unit_test(buckets_are_short),
        cmocka_unit_test(what_is_no_address),
        cmocka_unit_test(rule_1_same),
        cmocka_unit_test(rule_2_scope),
        cmocka_unit_test(rule_3_deprecated),
        cmocka_unit_test(rule_5_5_of_the_router),
        cmocka_unit_test(rule_6_label),
        cmocka_unit_test(rule_8_longest_prefix),
        cmocka_unit_test(no_further_than_the_prefix),
        cmocka_unit_test(only_what_can_be_used),
        cmocka_unit_test(labels_of_the_caller),
        cmocka_unit_test(labels_in_any_order),
        cmocka_unit_test(no_broadcast_in_ip6),
        cmocka_unit_test(rule_2_of_the_loopback_address),
        cmocka_unit_test(routes_alike),
        cmocka_unit_test(the_longest_prefix),
        cmocka_unit_test(routes_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
