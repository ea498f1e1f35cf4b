/* test_router.c - an interface that configures itself: routers are asked (RFC 7559), and what they
 * advertise is obeyed within bounds (RFC 4861 6.3, RFC 4862 5.5, RFC 7217, RFC 4191). */
#include "ether.h"

#include "wire/tcp.h"

enum { HOUR = 3600 };

static const uint8_t all_routers[16] = {0xff, 2, [15] = 2}, all_nodes[16] = {0xff, 2, [15] = 1};

/* An advertisement under construction; of router `from`, fe80::100 + it, at 2::1:it. */
struct advert {
    uint8_t p[ETHER_FRAME];
    size_t len;
    uint8_t from;
};

static struct advert advert(uint8_t from, uint16_t lifetime)
{
    struct advert ra = {.len = 16, .from = from};
    ra.p[54] = WIRE_ND_ROUTER_ADVERT;
    store_be16(ra.p + 54 + 6, lifetime);
    return ra;
}

static void with_mac(struct advert *ra)
{
    uint8_t *p = ra->p + 54 + ra->len;
    const uint8_t option[8] = {1, 1, 2, 0, 0, 0, 1, ra->from};
    memcpy(p, option, 8);
    ra->len += 8;
}

static void with_mtu(struct advert *ra, uint32_t mtu)
{
    uint8_t *p = ra->p + 54 + ra->len;
    p[0] = 5;
    p[1] = 1;
    store_be32(p + 4, mtu);
    ra->len += 8;
}

enum { L = 0x80, A = 0x40 };

/* 2001:db8:NET::/64 */
static void prefix(uint8_t ip[16], uint16_t net)
{
    const uint8_t db8[16] = {0x20, 1, 0xd, 0xb8, (uint8_t)(net >> 8), (uint8_t)net};
    memcpy(ip, db8, 16);
}

static void with_prefix(struct advert *ra, uint16_t net, uint8_t flags, uint32_t valid,
                        uint32_t preferred)
{
    uint8_t *p = ra->p + 54 + ra->len;
    p[0] = 3;
    p[1] = 4;
    p[2] = 64;
    p[3] = flags;
    store_be32(p + 4, valid);
    store_be32(p + 8, preferred);
    prefix(p + 16, net);
    ra->len += 32;
}

static void router(uint8_t ip[16], uint8_t from)
{
    const uint8_t fe80[16] = {0xfe, 0x80, [14] = 1, [15] = from};
    memcpy(ip, fe80, 16);
}

static void send_with(struct ether *t, struct advert *ra, const uint8_t src[16], uint8_t hops)
{
    struct wire_ip_out ip = {.src = src, .dst = all_nodes, .ttl = hops};
    uint8_t mac[6];
    wire_mac_of_group(mac, all_nodes);
    ether_say(t, ra->p, ether_icmp(ra->p, ra->len, &ip, mac));
}

static void send(struct ether *t, struct advert *ra)
{
    uint8_t src[16];
    router(src, ra->from);
    send_with(t, ra, src, WIRE_ND_HOPS);
}

/* A router that leads elsewhere and has a prefix of that number. */
static void usual(struct ether *t, uint8_t from, uint16_t net)
{
    struct advert ra = advert(from, 1800);
    with_mac(&ra);
    with_prefix(&ra, net, L | A, 4 * HOUR, 3 * HOUR);
    send(t, &ra);
}

static uint8_t silent; /* routers answer when they are asked for, but for this one */
static void heard(struct ether *t);

static void begin(struct ether *t, uint32_t flags)
{
    ether_config(t, true);
    ether_open(t, TERN_IFACE_AUTO | TERN_IFACE_NO_MLD | flags);
    silent = 0;
    t->heard = heard;
    ether_wait(t, 4 * SECOND);
    (void)ether_events(t);
}

/* Our address of that network; false: none. 0: the link-local one. */
static bool address_of(const struct ether *t, uint16_t net, tern_addr_entry *out)
{
    static const uint8_t fe80[16] = {0xfe, 0x80};
    uint8_t want[16];
    uint32_t cursor = 0;
    prefix(want, net);
    while (tern_addrs(t->s, &cursor, out, 1) == 1)
        if (memcmp(out->ip, net != 0 ? want : fe80, 8) == 0)
            return true;
    return false;
}

static int state_of(const struct ether *t, uint16_t net)
{
    tern_addr_entry e;
    return address_of(t, net, &e) ? e.state : -1;
}

static int dial(struct ether *t, uint16_t net, tern_sock *k)
{
    tern_addr to = {.port = 80};
    prefix(to.ip, net);
    to.ip[15] = 9;
    return tern_connect(t->s, k, NULL, &to, NULL);
}

static bool is_tcp(const struct ether *t) { return t->len > 54 && t->frame[20] == WIRE_TCP; }

static uint8_t segment_to, segment[ETHER_FRAME]; /* the last one, and where it went */

static void heard(struct ether *t)
{
    uint8_t p[ETHER_FRAME], src[16], mac[6] = {2, 0, 0, 0, 1}, ours[16];
    if (is_tcp(t))
        memcpy(segment, t->frame, t->len);
    if (is_tcp(t))
        segment_to = t->frame[5];
    if (t->frame[20] != WIRE_ICMP6 || t->frame[54] != WIRE_ND_SOLICIT)
        return;
    struct wire_nd nd = {.type = WIRE_ND_ADVERT,
                         .router = true,
                         .solicited = true,
                         .override = true,
                         .has_mac = true};
    memcpy(nd.target, t->frame + 54 + 8, 16);
    mac[5] = nd.target[15];
    router(src, mac[5]);
    if (mac[5] == silent || !wire_ip_equal(nd.target, src))
        return;
    memcpy(nd.mac, mac, 6);
    memcpy(ours, t->frame + 14 + 8, 16);
    ether_say(t, p, ether_nd(p, &nd, src, ours, ether_mac));
}

/* The last byte of where segments go in the next so many seconds; 0: there is none. */
static uint8_t segments_within(struct ether *t, unsigned seconds)
{
    segment_to = 0;
    ether_wait(t, seconds * SECOND);
    return segment_to;
}
static uint8_t segment_goes_to(struct ether *t) { return segments_within(t, 1); }

/* ---- asking ---------------------------------------------------------------------------------- */

static bool is_solicitation(const struct ether *t)
{
    return t->len > 54 && t->frame[20] == WIRE_ICMP6 && t->frame[54] == WIRE_ND_ROUTER_SOLICIT;
}

static uint64_t next_solicitation(struct ether *t)
{
    for (unsigned turns = 0; turns < 10000; turns++) {
        while (ether_hear(t))
            if (is_solicitation(t))
                return t->now;
        (void)ether_events(t);
        assert_true(tern_next_timeout(t->s) != TERN_NEVER);
        ether_at(t, tern_next_timeout(t->s) > t->now ? tern_next_timeout(t->s) : t->now);
    }
    return 0;
}

static void asked_ever_less_often(void **state)
{
    (void)state;
    struct ether t;
    struct wire_ip h;
    tern_addr_entry e;
    ether_config(&t, true);
    ether_open(&t, TERN_IFACE_AUTO | TERN_IFACE_NO_MLD);
    tern_advance(t.s, t.now);
    assert_int_equal(state_of(&t, 0), TERN_ADDR_TENTATIVE);
    uint64_t at = next_solicitation(&t), gap = 4 * SECOND;
    assert_true(at <= 4 * SECOND);
    assert_true(address_of(&t, 0, &e) && e.state == TERN_ADDR_PREFERRED && e.automatic);
    assert_int_equal(wire_ip_read(t.frame + 14, t.len - 14, t.len - 14, &h), 0);
    assert_memory_equal(h.src, e.ip, 16);
    assert_memory_equal(h.dst, all_routers, 16);
    assert_int_equal(h.ttl, 255);
    assert_int_equal(h.payload_len, 16);
    assert_memory_equal(t.frame + 54 + 10, ether_mac, 6);
    for (unsigned i = 0; i < 14; i++) { /* RFC 7559 2: doubled, give or take a tenth */
        uint64_t next = next_solicitation(&t), took = next - at;
        assert_in_range(took, gap - gap / 10, gap + gap / 10 + 1);
        gap = 2 * took < 3600 * SECOND ? 2 * took : 3600 * SECOND;
        at = next;
    }
    assert_true(gap == 3600 * SECOND);
    usual(&t, 1, 1); /* and not at all when somebody has answered */
    uint64_t asked = ether_count(&t, TERN_COUNT_ROUTER_SOLICITATIONS);
    ether_wait(&t, 1700 * SECOND);
    assert_int_equal(ether_count(&t, TERN_COUNT_ROUTER_SOLICITATIONS), asked);
    ether_wait(&t, 200 * SECOND); /* until the last router is no more */
    assert_true(ether_count(&t, TERN_COUNT_ROUTER_SOLICITATIONS) > asked);
    tern_free(t.s);
}

/* ---- addresses ------------------------------------------------------------------------------- */

static void an_address_and_a_way_out(void **state)
{
    (void)state;
    struct ether t;
    tern_addr_entry e, link;
    tern_sock k;
    begin(&t, 0);
    assert_int_equal(dial(&t, 77, &k), TERN_ENETUNREACH);
    uint64_t from = t.now;
    usual(&t, 1, 1);
    assert_int_equal(state_of(&t, 1), TERN_ADDR_TENTATIVE);
    ether_wait(&t, 3 * SECOND);
    assert_int_equal(ether_events(&t), TERN_EV_ADDRS);
    assert_true(address_of(&t, 1, &e) && address_of(&t, 0, &link));
    assert_int_equal(e.state, TERN_ADDR_PREFERRED);
    assert_true(e.automatic && e.bits == 64 && e.iface == t.iface);
    assert_true(e.valid_until == from + 4 * HOUR * SECOND);
    assert_true(e.preferred_until == from + 3 * HOUR * SECOND);
    assert_true(link.valid_until == TERN_NEVER);
    assert_memory_not_equal(e.ip + 8, link.ip + 8, 8); /* RFC 7217: nothing in common */
    assert_memory_not_equal(e.ip + 8, ether_mac, 3);
    assert_int_equal(tern_iface_addr_remove(t.s, t.iface, e.ip), TERN_EINVAL);
    assert_int_equal(dial(&t, 77, &k), 0); /* elsewhere: by the router */
    assert_int_equal(segment_goes_to(&t), 1);
    assert_memory_equal(segment + 14 + 8, e.ip, 16);
    assert_int_equal(dial(&t, 1, &k), 0); /* on the link: whoever it is is asked for */
    assert_true(ether_hear(&t));
    assert_int_equal(t.frame[54], WIRE_ND_SOLICIT);
    tern_free(t.s);
}

static void identifiers(struct ether *t, uint8_t key, uint8_t mac, uint8_t ip[2][16])
{
    tern_addr_entry e;
    uint8_t ours[6];
    ether_config(t, true);
    memcpy(ours, ether_mac, 6);
    ours[5] ^= mac;
    tern_iface iface = {.mac = ours,
                        .mtu = 1500,
                        .flags = TERN_IFACE_AUTO | TERN_IFACE_NO_DAD | TERN_IFACE_NO_MLD};
    t->cfg.address_key[3] = key;
    t->cfg.seed[1] = mac ^ key; /* which does not matter when there is a key */
    assert_int_equal(tern_new(&t->s, &t->cfg, t->now), 0);
    t->iface = tern_iface_add(t->s, &iface);
    tern_advance(t->s, t->now);
    usual(t, 1, 1);
    usual(t, 1, 2);
    tern_advance(t->s, t->now);
    for (uint16_t i = 0; i < 2; i++) {
        assert_true(address_of(t, i + 1, &e));
        assert_int_equal(e.state, TERN_ADDR_PREFERRED); /* at once, without DAD */
        memcpy(ip[i], e.ip, 16);
    }
    tern_free(t->s);
}

/* RFC 7217: by prefix, interface and key, and always the same. */
static void the_same_address_again(void **state)
{
    (void)state;
    struct ether t;
    uint8_t a[2][16], b[2][16];
    identifiers(&t, 1, 0, a);
    assert_memory_not_equal(a[0] + 8, a[1] + 8, 8);
    identifiers(&t, 1, 0, b);
    assert_memory_equal(a, b, sizeof(a));
    identifiers(&t, 2, 0, b);
    assert_memory_not_equal(a[0] + 8, b[0] + 8, 8);
    identifiers(&t, 1, 7, b);
    assert_memory_not_equal(a[0] + 8, b[0] + 8, 8);
}

/* Somebody has it: the next one is tried, four times in all. */
static void somebody_elses(void **state)
{
    (void)state;
    struct ether t;
    tern_addr_entry e;
    uint8_t before[16] = {0};
    begin(&t, 0);
    usual(&t, 1, 1);
    for (unsigned i = 0; i < 4; i++) {
        assert_true(address_of(&t, 1, &e));
        assert_int_equal(e.state, TERN_ADDR_TENTATIVE);
        assert_memory_not_equal(e.ip, before, 16);
        memcpy(before, e.ip, 16);
        ether_answer(&t, e.ip, ether_peer_mac);
    }
    assert_int_equal(state_of(&t, 1), -1);
    usual(&t, 1, 1);
    assert_int_equal(state_of(&t, 1), -1);
    assert_int_equal(ether_count(&t, TERN_COUNT_ADDRESS_DUPLICATES), 4);
    assert_int_equal(ether_events(&t), TERN_EV_ADDRS);
    tern_free(t.s);
}

/* RFC 4862 5.5.3 e: lifetimes in seconds. */
static void two_hours(void **state)
{
    (void)state;
    static const struct {
        uint32_t left, told, then;
    } cases[] = {
        {86400, 90000, 90000}, /* longer */
        {86400, 7201, 7201},   /* shorter, but more than two hours */
        {86400, 7200, 7200},   {86400, 1, 7200},  {86400, 0, 7200},   /* not so fast */
        {7200, 100, 7200},     {3600, 0, 3600},   {3600, 3000, 3600}, /* left as it is */
        {3600, 3601, 3601},    {100, 7201, 7201}, {3600, UINT32_MAX, UINT32_MAX},
        {UINT32_MAX, 1, 7200},
    };
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        struct ether t;
        tern_addr_entry e;
        begin(&t, TERN_IFACE_NO_DAD);
        struct advert ra = advert(1, 1800), again = advert(1, 1800);
        with_prefix(&ra, 1, A, cases[i].left, cases[i].left);
        send(&t, &ra);
        ether_wait(&t, SECOND / 10);
        uint64_t past = t.now;
        with_prefix(&again, 1, A, cases[i].told, 0);
        send(&t, &again);
        assert_true(address_of(&t, 1, &e));
        uint64_t expect = cases[i].then == UINT32_MAX ? TERN_NEVER : past + cases[i].then * SECOND;
        if (cases[i].then == cases[i].left) /* counted from before */
            expect -= SECOND / 10;
        assert_int_equal(e.valid_until, expect);
        tern_advance(t.s, t.now);
        assert_int_equal(state_of(&t, 1), TERN_ADDR_DEPRECATED); /* that may be said at any time */
        tern_free(t.s);
    }
}

/* A connection lives on while its address is deprecated, and no longer than that is valid. */
static void addresses_grow_old(void **state)
{
    (void)state;
    struct ether t;
    tern_sock k, k2;
    tern_addr_entry e;
    begin(&t, TERN_IFACE_NO_DAD);
    struct advert ra = advert(1, 9000);
    with_mac(&ra);
    with_prefix(&ra, 1, A, 600, 300);
    send(&t, &ra);
    ether_wait(&t, SECOND);
    assert_true(address_of(&t, 1, &e));
    assert_int_equal(dial(&t, 77, &k), 0);
    assert_int_equal(segment_goes_to(&t), 1);
    ether_wait(&t, 290 * SECOND);
    assert_int_equal(state_of(&t, 1), TERN_ADDR_PREFERRED);
    (void)ether_events(&t);
    assert_int_equal(dial(&t, 77, &k), 0);
    assert_int_equal(segment_goes_to(&t), 1);
    ether_wait(&t, 20 * SECOND);
    assert_int_equal(ether_events(&t), TERN_EV_ADDRS);
    assert_int_equal(state_of(&t, 1), TERN_ADDR_DEPRECATED);
    assert_int_equal(segments_within(&t, 15), 1); /* it asks again, as who it was */
    assert_int_equal(dial(&t, 78, &k2), 0);       /* better than the link-local one */
    assert_int_equal(segment_goes_to(&t), 1);
    ether_wait(&t, 275 * SECOND);
    assert_int_equal(state_of(&t, 1), -1);
    assert_false(tern_is_local(t.s, e.ip));
    assert_int_equal(ether_events(&t), TERN_EV_ADDRS);
    assert_int_equal(segment_goes_to(&t), 0);
    tern_free(t.s);
}

static void what_makes_no_address(void **state)
{
    (void)state;
    struct ether t;
    begin(&t, TERN_IFACE_NO_DAD);
    struct advert ra = advert(1, 0);
    with_prefix(&ra, 1, L, 100, 100);     /* not autonomous */
    with_prefix(&ra, 2, A, 100, 101);     /* preferred for longer than valid */
    with_prefix(&ra, 3, A, 0, 0);         /* over already */
    with_prefix(&ra, 4, A | L, 100, 100); /* of 63 bits */
    ra.p[54 + ra.len - 32 + 2] = 63;
    with_prefix(&ra, 5, A | L, 100, 100); /* the link-local one */
    memset(ra.p + 54 + ra.len - 16, 0, 16);
    ra.p[54 + ra.len - 16] = 0xfe;
    ra.p[54 + ra.len - 15] = 0x80;
    with_prefix(&ra, 6, A | L, 100, 100); /* a group's */
    ra.p[54 + ra.len - 16] = 0xff;
    with_prefix(&ra, 7, A, 100, 100);
    send(&t, &ra);
    uint32_t cursor = 0;
    tern_addr_entry e[10];
    assert_int_equal(tern_addrs(t.s, &cursor, e, 10), 2); /* the last one's, and the link's */
    assert_true(state_of(&t, 7) >= 0);
    tern_free(t.s);
}

/* ---- routers --------------------------------------------------------------------------------- */

/* Two that are alike: who came first stays. */
static void two_routers(struct ether *t)
{
    tern_sock k;
    begin(t, TERN_IFACE_NO_DAD);
    usual(t, 1, 1);
    usual(t, 2, 1);
    ether_wait(t, SECOND);
    assert_int_equal(dial(t, 70, &k), 0);
    assert_int_equal(segment_goes_to(t), 1);
}

static void the_best_router(void **state)
{
    (void)state;
    struct ether t;
    tern_sock k;
    two_routers(&t);
    struct advert ra = advert(2, 1800);
    ra.p[54 + 5] = 0x08; /* high (RFC 4191 2.2) */
    with_mac(&ra);
    send(&t, &ra);
    assert_int_equal(dial(&t, 71, &k), 0);
    assert_int_equal(segment_goes_to(&t), 2);
    ra.p[54 + 5] = 0x18; /* low */
    send(&t, &ra);
    assert_int_equal(dial(&t, 72, &k), 0);
    assert_int_equal(segment_goes_to(&t), 1);
    struct advert bye = advert(1, 0);
    send(&t, &bye);
    assert_int_equal(dial(&t, 73, &k), 0);
    assert_int_equal(segment_goes_to(&t), 2);
    ether_wait(&t, 1801 * SECOND);
    assert_int_equal(dial(&t, 74, &k), TERN_ENETUNREACH);
    tern_free(t.s);
}

/* One that is not there any more is found out by asking it (RFC 4861 6.3.6, 7.3). */
static void a_router_that_is_silent(void **state)
{
    (void)state;
    struct ether t;
    tern_sock k;
    two_routers(&t);
    silent = 1;
    assert_int_equal(segments_within(&t, 30), 2); /* the same connection, by the other one */
    assert_int_equal(dial(&t, 71, &k), 0);
    assert_int_equal(segment_goes_to(&t), 2);
    silent = 2;
    ether_wait(&t, 60 * SECOND); /* each has its turn again when none is there */
    assert_int_equal(dial(&t, 72, &k), 0);
    assert_int_equal(segments_within(&t, 30), 1);
    tern_free(t.s);
}

/* RFC 6724 rule 5.5: from the network that the router has advertised. */
static void the_source_by_the_router(void **state)
{
    (void)state;
    struct ether t;
    tern_sock k;
    tern_addr_entry e;
    begin(&t, TERN_IFACE_NO_DAD);
    usual(&t, 1, 1);
    usual(&t, 2, 2);
    ether_wait(&t, SECOND);
    assert_int_equal(dial(&t, 0x2ff, &k), 0); /* nearer to 2, but by the router of 1 */
    assert_int_equal(segment_goes_to(&t), 1);
    assert_true(address_of(&t, 1, &e));
    assert_memory_equal(segment + 14 + 8, e.ip, 16);
    struct advert bye = advert(1, 0);
    send(&t, &bye);
    assert_int_equal(dial(&t, 0x1ff, &k), 0);
    assert_int_equal(segment_goes_to(&t), 2);
    assert_true(address_of(&t, 2, &e));
    assert_memory_equal(segment + 14 + 8, e.ip, 16);
    tern_free(t.s);
}

/* ---- sizes and times ------------------------------------------------------------------------- */

static uint16_t mss_asked(struct ether *t, const uint8_t *dst)
{
    tern_sock k;
    tern_addr to = {.port = 80};
    memcpy(to.ip, dst, 16);
    assert_int_equal(tern_connect(t->s, &k, NULL, &to, NULL), 0);
    assert_int_equal(segment_goes_to(t) != 0, true);
    struct wire_ip h;
    struct wire_tcp tcp;
    assert_int_equal(wire_ip_read(segment + 14, 1500, 1500, &h), 0);
    const uint8_t *p = segment + 14 + h.header_len;
    assert_int_equal(wire_tcp_read(p, h.payload_len, h.payload_len, &tcp), 0);
    return load_be16(p + 22);
}

static void the_mtu_of_the_link(void **state)
{
    (void)state;
    static const uint32_t told[] = {1400, 1400, 1279, 1501, 1280, 1500};
    static const uint16_t mss[] = {1340, 1340, 1340, 1340, 1220, 1440};
    struct ether t;
    uint8_t far[16];
    begin(&t, TERN_IFACE_NO_DAD);
    usual(&t, 1, 1);
    ether_wait(&t, SECOND);
    prefix(far, 77);
    assert_int_equal(mss_asked(&t, far), 1440);
    for (unsigned i = 0; i < ARRAY_LEN(told); i++) {
        struct advert ra = advert(1, 1800);
        with_mtu(&ra, told[i]);
        send(&t, &ra);
        assert_int_equal(mss_asked(&t, far), mss[i]);
    }
    tern_free(t.s);
}

static size_t largest; /* of the frames heard */

static void measured(struct ether *t)
{
    heard(t);
    largest = t->len > largest ? t->len : largest;
}

/* Not only segments are that small: of an echo each fragment is. */
static void echoes_on_such_a_link(void **state)
{
    (void)state;
    enum { BYTES = 1450 };
    struct ether t;
    tern_addr_entry e;
    uint8_t p[ETHER_FRAME] = {0}, src[16];
    begin(&t, TERN_IFACE_NO_DAD);
    struct advert ra = advert(1, 1800);
    with_mtu(&ra, 1300);
    for (unsigned told = 0; told < 2; told++) {
        assert_true(address_of(&t, 0, &e));
        router(src, 1);
        struct wire_ip_out ip = {.src = src, .dst = e.ip, .ttl = 64};
        memset(p, 0, sizeof(p));
        p[54] = 128;
        ether_say(&t, p, ether_icmp(p, BYTES, &ip, ether_mac));
        t.heard = measured;
        largest = 0;
        ether_wait(&t, 3 * SECOND);
        assert_int_equal(largest, told ? 14 + 1296 : 14 + 40 + BYTES);
        send(&t, &ra);
    }
    tern_free(t.s);
}

/* How often somebody is asked for, in a second. */
static unsigned questions(struct ether *t, uint8_t last)
{
    tern_addr to = {.port = 80};
    tern_sock k;
    unsigned n = 0;
    router(to.ip, last);
    assert_int_equal(tern_connect(t->s, &k, NULL, &to, NULL), 0);
    for (unsigned i = 0; i < 1000; i++, ether_at(t, t->now + SECOND / 1000))
        while (ether_hear(t))
            n += t->frame[54] == WIRE_ND_SOLICIT;
    ether_wait(t, 200 * SECOND);
    return n;
}

static void times_of_the_link(void **state)
{
    (void)state;
    static const struct {
        uint32_t retrans_ms;
        unsigned questions;
    } cases[] = {{0, 1}, {400, 3}, {1, 3}, {UINT32_MAX, 1}, {1000, 1}};
    struct ether t;
    begin(&t, TERN_IFACE_NO_DAD);
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        struct advert ra = advert(1, 1800);
        store_be32(ra.p + 54 + 12, cases[i].retrans_ms);
        send(&t, &ra);
        assert_int_equal(questions(&t, (uint8_t)(100 + i)), cases[i].questions);
    }
    tern_free(t.s);
}

static uint8_t hops_of(struct ether *t, uint8_t asked)
{
    tern_sock k;
    assert_int_equal(dial(t, 77, &k), 0);
    if (asked != 0)
        assert_int_equal(tern_option_set(t->s, k, TERN_OPT_TTL, asked), 0);
    assert_int_equal(segment_goes_to(t), 1);
    assert_int_equal(tern_abort(t->s, k), 0);
    return segment[14 + 7];
}

/* RFC 4861 6.3.4: of all that does not ask for one of its own. */
static void the_hop_limit_of_the_link(void **state)
{
    (void)state;
    static const uint8_t told[] = {77, 0, 31, 1, 255, 32}, hops[] = {77, 77, 77, 77, 255, 32};
    tern_iface iface = {.mac = ether_mac, .mtu = 1500, .flags = TERN_IFACE_NO_MLD};
    struct ether t;
    begin(&t, TERN_IFACE_NO_DAD);
    usual(&t, 1, 1);
    ether_wait(&t, SECOND);
    assert_int_equal(hops_of(&t, 0), t.cfg.ttl);
    for (unsigned i = 0; i < ARRAY_LEN(told); i++) {
        struct advert ra = advert(1, 1800);
        ra.p[54 + 4] = told[i];
        send(&t, &ra);
        assert_int_equal(hops_of(&t, 0), hops[i]);
    }
    assert_int_equal(hops_of(&t, 5), 5);
    assert_int_equal(tern_iface_change(t.s, t.iface, &iface), 0); /* no more of routers */
    iface.flags |= TERN_IFACE_AUTO | TERN_IFACE_NO_DAD;
    assert_int_equal(tern_iface_change(t.s, t.iface, &iface), 0);
    usual(&t, 1, 1);
    ether_wait(&t, 3 * SECOND);
    assert_int_equal(hops_of(&t, 0), t.cfg.ttl);
    tern_free(t.s);
}

/* ---- hostile --------------------------------------------------------------------------------- */

/* RFC 4861 6.1.2. */
static void invalid_advertisements(void **state)
{
    (void)state;
    struct ether t;
    tern_sock k;
    uint8_t src[16], global[16];
    begin(&t, TERN_IFACE_NO_DAD);
    router(src, 1);
    prefix(global, 1);
    struct advert good = advert(1, 1800);
    with_mac(&good);
    with_prefix(&good, 1, L | A, 600, 600);
    with_mtu(&good, 1400);
    uint64_t bad = 0;
    struct advert ra = good;
    send_with(&t, &ra, src, 254);
    send_with(&t, &ra, global, 255);
    ra.p[54 + 1] = 1;
    send_with(&t, &ra, src, 255);
    ra = good;
    ra.p[54 + 16 + 1] = 0; /* an option without a length */
    send_with(&t, &ra, src, 255);
    bad += 4;
    for (size_t len = 8; len < good.len; len++) { /* cut within an option */
        ra = good;
        ra.len = len;
        if (len == 16 || len == 24 || len == 56)
            continue;
        send_with(&t, &ra, src, 255);
        bad++;
    }
    tern_addr_entry e;
    assert_true(address_of(&t, 0, &e));
    send_with(&t, &good, e.ip, 255); /* from ourselves */
    assert_int_equal(ether_drops(&t, TERN_DROP_ND), bad + 1);
    assert_int_equal(ether_count(&t, TERN_COUNT_ROUTER_ADVERTS), 0);
    assert_int_equal(dial(&t, 77, &k), TERN_ENETUNREACH);
    send(&t, &good);
    tern_advance(t.s, t.now);
    assert_int_equal(dial(&t, 77, &k), 0);
    tern_free(t.s);
}

/* the router in use says that another one is nearer (RFC 4861 4.5): it is not believed. */
static void redirects(void **state)
{
    (void)state;
    struct ether t;
    tern_sock k;
    uint8_t p[ETHER_FRAME] = {0}, src[16], to[16];
    tern_addr_entry e;
    two_routers(&t);
    p[54] = 137;
    router(src, 1);
    router(p + 54 + 8, 2);
    prefix(to, 71);
    to[15] = 9;
    memcpy(p + 54 + 24, to, 16);
    assert_true(address_of(&t, 0, &e));
    struct wire_ip_out ip = {.src = src, .dst = e.ip, .ttl = WIRE_ND_HOPS};
    ether_say(&t, p, ether_icmp(p, 40, &ip, ether_mac));
    assert_int_equal(ether_drops(&t, TERN_DROP_ICMP_IGNORED), 1);
    assert_int_equal(dial(&t, 71, &k), 0);
    assert_int_equal(segment_goes_to(&t), 1);
    tern_free(t.s);
}

/* routers and prefixes by the thousand, all different: some are remembered, no more memory is
 * taken, and the router that was there is still the way out. */
static void advertisements_in_masses(void **state)
{
    (void)state;
    struct ether t;
    tern_sock k;
    tern_memory before, after;
    begin(&t, TERN_IFACE_NO_DAD);
    usual(&t, 200, 1);
    ether_wait(&t, SECOND);
    for (uint16_t i = 0; i < 100; i++) /* so many that all tables have grown */
        usual(&t, (uint8_t)(i % 150), (uint16_t)(1000 + i));
    tern_memory_of(t.s, &before);
    for (uint32_t i = 0; i < 5000; i++) {
        struct advert ra = advert((uint8_t)(i % 150), 1800);
        with_mac(&ra);
        for (uint32_t n = 0; n < 20; n++)
            with_prefix(&ra, (uint16_t)(2000 + i * 20 + n), L | A, UINT32_MAX, UINT32_MAX);
        send(&t, &ra);
    }
    ether_wait(&t, SECOND);
    tern_memory_of(t.s, &after);
    assert_int_equal(after.bytes, before.bytes);
    assert_true(ether_count(&t, TERN_COUNT_ROUTER_LIMITED) > 4900);
    uint32_t cursor = 0;
    tern_addr_entry e[64];
    assert_int_equal(tern_addrs(t.s, &cursor, e, 64), 16); /* with the link-local one */
    assert_int_equal(state_of(&t, 1), TERN_ADDR_PREFERRED);
    assert_int_equal(dial(&t, 77, &k), 0);
    assert_int_equal(segment_goes_to(&t), 200);
    tern_free(t.s);
}

/* ---- the interface --------------------------------------------------------------------------- */

static void switched_off_and_on(void **state)
{
    (void)state;
    struct ether t;
    tern_sock k;
    tern_iface iface = {.mac = ether_mac, .mtu = 1500, .flags = TERN_IFACE_NO_MLD};
    begin(&t, TERN_IFACE_NO_DAD);
    usual(&t, 1, 1);
    ether_wait(&t, SECOND);
    assert_int_equal(tern_iface_change(t.s, t.iface, &iface), 0);
    uint32_t cursor = 0;
    tern_addr_entry e;
    assert_int_equal(tern_addrs(t.s, &cursor, &e, 1), 0);
    assert_int_equal(dial(&t, 77, &k), TERN_ENETUNREACH);
    usual(&t, 1, 1);
    assert_int_equal(state_of(&t, 1), -1); /* nobody listens */
    iface.flags |= TERN_IFACE_AUTO;
    assert_int_equal(tern_iface_change(t.s, t.iface, &iface), 0);
    ether_wait(&t, 3 * SECOND);
    usual(&t, 1, 1);
    ether_wait(&t, 3 * SECOND);
    assert_int_equal(state_of(&t, 1), TERN_ADDR_PREFERRED);
    iface.mtu = 1400; /* which is no reason to begin anew */
    assert_int_equal(tern_iface_change(t.s, t.iface, &iface), 0);
    assert_int_equal(state_of(&t, 1), TERN_ADDR_PREFERRED);
    assert_int_equal(dial(&t, 77, &k), 0);
    assert_int_equal(tern_iface_remove(t.s, t.iface), 0);
    cursor = 0;
    assert_int_equal(tern_addrs(t.s, &cursor, &e, 1), 0);
    tern_free(t.s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asked_ever_less_often),
        cmocka_unit_test(an_address_and_a_way_out),
        cmocka_unit_test(the_same_address_again),
        cmocka_unit_test(somebody_elses),
        cmocka_unit_test(two_hours),
        cmocka_unit_test(addresses_grow_old),
        cmocka_unit_test(what_makes_no_address),
        cmocka_unit_test(the_best_router),
        cmocka_unit_test(a_router_that_is_silent),
        cmocka_unit_test(the_source_by_the_router),
        cmocka_unit_test(the_mtu_of_the_link),
        cmocka_unit_test(echoes_on_such_a_link),
        cmocka_unit_test(times_of_the_link),
        cmocka_unit_test(the_hop_limit_of_the_link),
        cmocka_unit_test(invalid_advertisements),
        cmocka_unit_test(redirects),
        cmocka_unit_test(advertisements_in_masses),
        cmocka_unit_test(switched_off_and_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
