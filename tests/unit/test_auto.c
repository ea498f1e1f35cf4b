/* test_auto.c - what is learnt from routers, at its limits: more of them than there are places, no
 * room for routes or addresses, lifetimes that end and begin anew. (What a stack does with it on a
 * link: ip/test_router.c.) */
#include "unit.h"

#include "ip/auto.h"

#define SECOND UINT64_C(1000000000)

enum { HOUR = 3600, L = 1, A = 2 };

static struct scene {
    struct unit_mem mem;
    struct ip_addrs addrs;
    struct ip_routes routes;
    struct auto_net net;
    struct auto_iface a;
} sc;

static const uint8_t other_net[16] = {0xfd, 1};
static const struct ip_hop elsewhere = {.iface = 1};

/* An interface that has just begun; with room for so many addresses, and for eight routes or none.
 */
static uint32_t start(uint32_t addrs_max, bool full, bool dad)
{
    static const struct siphash_key key = {1, 2};
    tern_config cfg = {.addrs_max = addrs_max};
    memset(&sc, 0, sizeof(sc));
    unit_mem_init(&sc.mem);
    ip_addrs_init(&sc.addrs, &sc.mem.mem, &key, &cfg);
    assert_true(ip_routes_init(&sc.routes, &sc.mem.mem, full ? 1 : 8));
    if (full)
        assert_int_equal(ip_route_add(&sc.routes, other_net, 64, &elsewhere), 0);
    sc.net = (struct auto_net){.addrs = &sc.addrs, .routes = &sc.routes, .key = key, .now = SECOND};
    sc.a.iface = 3;
    sc.a.dad = dad;
    return auto_begin(&sc.net, &sc.a);
}

static void end(void)
{
    while (auto_end(&sc.net, &sc.a) & AUTO_GONE)
        ;
    assert_int_equal(sc.addrs.count, 0);
    assert_int_equal(sc.a.chosen, 0);
    ip_addrs_destroy(&sc.addrs);
    ip_routes_destroy(&sc.routes);
    unit_mem_done(&sc.mem);
}

/* Whatever is asked about addresses, nobody answers: they can be used. */
static void settle(void)
{
    uint64_t retrans[4] = {SECOND, SECOND, SECOND, SECOND};
    enum ip_addr_event what;
    struct ip_addr *a;
    for (unsigned i = 0; i < 8; i++, sc.net.now += SECOND)
        while ((a = ip_addr_due(&sc.addrs, retrans, sc.net.now, &what)) != NULL)
            if (what == IP_ADDR_READY)
                auto_ready(&sc.net, &sc.a, a->ip);
}

static uint32_t due(void)
{
    uint32_t all = 0, what;
    while ((what = auto_due(&sc.net, &sc.a)) != 0)
        all |= what;
    return all;
}

static void router_ip(uint8_t ip[16], uint8_t n)
{
    const uint8_t fe80[16] = {0xfe, 0x80, [15] = n};
    memcpy(ip, fe80, 16);
}

/* Router `n` says so; with a prefix unless `x` is NULL. */
static uint32_t says(uint8_t n, uint16_t lifetime, int8_t preference,
                     const struct wire_ra_prefix *x)
{
    uint8_t src[16];
    struct wire_ra ra = {.lifetime = lifetime, .preference = preference, .prefix_count = x != NULL};
    if (x != NULL)
        ra.prefix[0] = *x;
    router_ip(src, n);
    return auto_advert(&sc.net, &sc.a, &ra, src);
}

static struct wire_ra_prefix prefix(uint8_t net, unsigned flags, uint32_t valid, uint32_t preferred)
{
    return (struct wire_ra_prefix){.ip = {0x20, 1, 0xd, 0xb8, 0, net},
                                   .bits = 64,
                                   .on_link = (flags & L) != 0,
                                   .autonomous = (flags & A) != 0,
                                   .valid = valid,
                                   .preferred = preferred};
}

static uint32_t says_prefix(uint8_t net, unsigned flags, uint32_t valid, uint32_t preferred)
{
    struct wire_ra_prefix x = prefix(net, flags, valid, preferred);
    return says(1, 1800, 0, &x);
}

/* Our address of that network; NULL: none. */
static struct ip_addr *address_of(uint8_t net)
{
    struct wire_ra_prefix x = prefix(net, A, 0, 0);
    struct ip_addr *a = NULL;
    while ((a = ip_addr_after(&sc.addrs, 3, a)) != NULL)
        if (memcmp(a->ip, x.ip, 8) == 0)
            return a;
    return NULL;
}

/* The last byte of the router by which packets leave; 0: none. */
static unsigned way_out(void)
{
    static const uint8_t far[16] = {0x20, 1, 0xff};
    const struct ip_route *r = ip_route_find(&sc.routes, far);
    return r != NULL ? r->via[15] : 0;
}

/* ---- routers --------------------------------------------------------------------------------- */

static void more_routers_than_places(void **state)
{
    (void)state;
    uint8_t ip[16];
    start(8, false, false);
    settle();
    for (uint8_t i = 1; i <= AUTO_ROUTERS; i++)
        assert_int_equal(says(i, 1800, 0, NULL) & AUTO_LIMITED, 0);
    assert_int_equal(way_out(), 1);
    assert_int_equal(says(50, 1800, 0, NULL), AUTO_LIMITED); /* no better than those there are */
    assert_int_equal(says(51, 1800, 1, NULL), AUTO_ROUTES | AUTO_ADDRS);
    assert_int_equal(way_out(), 51);
    router_ip(ip, 3); /* of those that are not used one fails: the next one has its place */
    assert_int_equal(auto_failed(&sc.net, &sc.a, ip), 0);
    assert_int_equal(way_out(), 51);
    assert_int_equal(says(60, 0, 0, NULL), 0); /* who is none takes nobody's place */
    assert_int_equal(says(52, 1800, 1, NULL), 0);
    assert_int_equal(auto_failed(&sc.net, &sc.a, ip), 0); /* it is not known any more */
    router_ip(ip, 51);
    assert_int_equal(auto_failed(&sc.net, &sc.a, ip), AUTO_ROUTES | AUTO_ADDRS);
    assert_int_equal(way_out(), 52);
    end();
}

/* Routers cannot be asked without an address, nor is that tried. */
static void nobody_to_ask_as(void **state)
{
    (void)state;
    uint8_t ip[16];
    start(8, false, true);
    says(1, 10, 0, NULL);
    sc.net.now += 11 * SECOND; /* it goes while our address is not certain yet */
    due();
    assert_int_equal(way_out(), 0);
    assert_true(sc.a.ask_at == TERN_NEVER);
    settle();
    assert_true(sc.a.ask_at != TERN_NEVER);
    says(1, 1800, 0, NULL);
    assert_true(sc.a.ask_at == TERN_NEVER);
    auto_ready(&sc.net, &sc.a, sc.a.prefix[0].addr); /* there is one: nothing to ask */
    assert_true(sc.a.ask_at == TERN_NEVER);
    for (unsigned i = 0; i <= AUTO_DAD_TRIES; i++) { /* all that we try are somebody else's */
        memcpy(ip, sc.a.prefix[0].addr, 16);
        assert_true(auto_taken(&sc.net, &sc.a, ip) & AUTO_GONE);
    }
    assert_int_equal(auto_taken(&sc.net, &sc.a, ip), 0); /* that one is not ours */
    assert_int_equal(sc.addrs.count, 0);
    assert_int_equal(says(1, 0, 0, NULL), AUTO_ROUTES | AUTO_ADDRS);
    auto_ready(&sc.net, &sc.a, ip);
    assert_true(sc.a.ask_at == TERN_NEVER);
    end();
}

/* The table of routes is full: all is known, and nothing leads there. */
static void no_room_for_routes(void **state)
{
    (void)state;
    uint64_t at;
    assert_int_equal(start(8, true, false), AUTO_LIMITED | AUTO_ADDRS);
    settle();
    assert_true(says_prefix(7, L | A, HOUR, HOUR) & AUTO_LIMITED);
    assert_non_null(address_of(7));
    assert_true(says_prefix(8, L, HOUR, HOUR) & AUTO_LIMITED);
    assert_int_equal(sc.a.prefix[2].bits, 0); /* its place is free again */
    says(2, 900, 0, NULL);
    assert_int_equal(way_out(), 0);
    sc.net.now += 901 * SECOND;
    due(); /* both go, one after the other; asked is once */
    at = sc.a.ask_at;
    assert_true(at != TERN_NEVER);
    sc.net.now = at - 1;
    says(1, 0, 0, NULL);
    assert_true(sc.a.ask_at == at);
    for (unsigned i = 0; i <= AUTO_DAD_TRIES; i++)
        auto_taken(&sc.net, &sc.a, sc.a.prefix[0].addr);
    sc.net.now += SECOND;
    due();
    assert_int_equal(sc.a.prefix[0].bits, 64); /* the link-local prefix stays */
    end();
}

/* ---- prefixes -------------------------------------------------------------------------------- */

static void prefixes_of_no_use(void **state)
{
    (void)state;
    struct wire_ra_prefix x[] = {
        prefix(1, L | A, HOUR, HOUR), prefix(1, L | A, HOUR, HOUR), prefix(1, L | A, HOUR, HOUR),
        prefix(1, L | A, HOUR, HOUR), prefix(1, L | A, 0, 0),       prefix(1, 0, HOUR, HOUR),
    };
    static const uint8_t mapped[16] = {[10] = 0xff, 0xff, 10};
    start(8, false, false);
    says(1, 1800, 0, NULL);
    x[0].bits = 0;
    x[1].ip[0] = 0xff;
    router_ip(x[2].ip, 0);
    memcpy(x[3].ip, mapped, 16);
    for (unsigned i = 0; i < ARRAY_LEN(x); i++)
        assert_int_equal(says(1, 1800, 0, &x[i]), 0);
    assert_int_equal(sc.addrs.count, 1);
    assert_int_equal(sc.routes.count, 2);
    end();
}

/* What is only on the link has no address, and what only has one no route. */
static void one_without_the_other(void **state)
{
    (void)state;
    start(8, false, false);
    says(1, 1800, 0, NULL);
    assert_int_equal(says_prefix(1, L, HOUR, HOUR), AUTO_ROUTES);
    assert_null(address_of(1));
    assert_int_equal(says_prefix(1, A, 0, 0), 0); /* no time to live: none is made */
    assert_null(address_of(1));
    assert_int_equal(says_prefix(2, A, HOUR, HOUR), AUTO_ADDRS);
    assert_int_equal(says_prefix(2, L, 0, 0), 0);
    assert_int_equal(sc.routes.count, 3);
    sc.net.now = sc.a.next - 1;
    assert_int_equal(auto_due(&sc.net, &sc.a), 0);
    sc.net.now = HOUR * SECOND + SECOND; /* to the very moment */
    due();
    assert_int_equal(sc.routes.count, 1);
    assert_null(address_of(2));
    assert_int_equal(sc.a.prefix[1].bits | sc.a.prefix[2].bits, 0);
    end();
}

/* All four addresses are somebody else's: the prefix is left alone, however often it comes. */
static void all_of_a_prefix_taken(void **state)
{
    (void)state;
    start(8, false, false);
    says_prefix(1, A, HOUR, HOUR);
    for (unsigned i = 0; i <= AUTO_DAD_TRIES; i++)
        assert_true(auto_taken(&sc.net, &sc.a, address_of(1)->ip) & AUTO_GONE);
    assert_null(address_of(1));
    assert_int_equal(says_prefix(1, A, HOUR, HOUR), 0);
    assert_null(address_of(1));
    assert_int_equal(sc.a.prefix[1].tries, AUTO_DAD_TRIES + 1);
    end();
}

static void deprecated_and_preferred_again(void **state)
{
    (void)state;
    uint64_t preferred, valid;
    uint8_t other[16] = {0xfd};
    start(8, false, false);
    says_prefix(1, A, 4 * HOUR, HOUR);
    settle();
    assert_int_equal(address_of(1)->state, TERN_ADDR_PREFERRED);
    sc.net.now += HOUR * SECOND;
    assert_int_equal(due() & AUTO_ADDRS, AUTO_ADDRS);
    assert_int_equal(address_of(1)->state, TERN_ADDR_DEPRECATED);
    says(1, 1800, 0, NULL);
    assert_int_equal(says_prefix(1, A, 4 * HOUR, 0) & AUTO_ADDRS, 0);
    assert_int_equal(address_of(1)->state, TERN_ADDR_DEPRECATED);
    assert_true(says_prefix(1, A, 4 * HOUR, HOUR) & AUTO_ADDRS);
    assert_int_equal(address_of(1)->state, TERN_ADDR_PREFERRED);
    assert_true(auto_lifetimes(&sc.a, address_of(1)->ip, &preferred, &valid));
    assert_true(preferred == sc.net.now + HOUR * SECOND);
    assert_true(valid == sc.net.now + 4 * HOUR * SECOND);
    assert_false(auto_lifetimes(&sc.a, other, &preferred, &valid));
    end();
}

/* Deprecated from its first moment on; but first of all it is asked whose it is. */
static void deprecated_before_it_is_certain(void **state)
{
    (void)state;
    start(8, false, true);
    says_prefix(1, A, HOUR, 0);
    assert_int_equal(due() & AUTO_GONE, 0);
    assert_int_equal(address_of(1)->state, TERN_ADDR_TENTATIVE);
    assert_true(sc.a.next == sc.net.now + SECOND);
    settle();
    assert_int_equal(address_of(1)->state, TERN_ADDR_PREFERRED);
    due();
    assert_int_equal(address_of(1)->state, TERN_ADDR_DEPRECATED);
    end();
}

static void no_room_for_addresses(void **state)
{
    (void)state;
    start(1, false, false);
    assert_true(says_prefix(1, L | A, HOUR, HOUR) & AUTO_LIMITED);
    assert_null(address_of(1));
    assert_int_equal(sc.addrs.count, 1);
    assert_true(sc.a.prefix[1].on_link);
    end();
}

int main(void)
{
    unit_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_routers_than_places),
        cmocka_unit_test(nobody_to_ask_as),
        cmocka_unit_test(no_room_for_routes),
        cmocka_unit_test(prefixes_of_no_use),
        cmocka_unit_test(one_without_the_other),
        cmocka_unit_test(all_of_a_prefix_taken),
        cmocka_unit_test(deprecated_and_preferred_again),
        cmocka_unit_test(deprecated_before_it_is_certain),
        cmocka_unit_test(no_room_for_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
