/* udp_net.h - a fixture: UDP through a whole stack, with a peer that the test plays, in both
 * families. For exactly one file of each test program, as unit.h. */
#ifndef TERN_UNIT_UDP_NET_H
#define TERN_UNIT_UDP_NET_H

#include "unit.h"

#include "tern/info.h"
#include "tern/udp.h"
#include "wire/icmp.h"

#define SECOND 1000000000u

enum { MOST = 65535, HEADER = 8, PORT = 53, PEER = 4000 };

struct net {
    struct unit_mem mem;
    tern *s;
    tern_iface link;
    int iface;
    bool ip6;
    uint64_t now;
    uint8_t ours[16], peer[16];
    uint8_t packet[MOST]; /* heard last */
    uint8_t first[MOST];  /* the first piece of the datagram heard last */
    size_t first_len;
    size_t len;
    struct wire_ip ip;
};

static struct net t;
static uint8_t data[MOST], got[MOST];
static uint32_t socks_max = 4; /* of what start() begins */

static inline bool hear(void);

static inline void start(bool ip6)
{
    static const uint8_t four[16] = {[10] = 0xff, 0xff, 10, 9, 0}, six[16] = {0xfd, 0, 0, 9};
    tern_config cfg = {.size = sizeof cfg};
    memset(&t, 0, sizeof t);
    t.ip6 = ip6;
    t.now = SECOND;
    t.link.mtu = 1500;
    unit_mem_init(&t.mem);
    tern_config_default(&cfg);
    cfg.alloc = unit_alloc;
    cfg.free = unit_free;
    cfg.user = &t.mem;
    cfg.seed[0] = 1;
    cfg.udp_max = socks_max;
    cfg.output_max = 128;
    cfg.replies_max = 64;
    memcpy(t.ours, ip6 ? six : four, 16);
    memcpy(t.peer, t.ours, 16);
    t.ours[15] = 2;
    t.peer[15] = 1;
    assert_int_equal(tern_new(&t.s, &cfg, t.now), 0);
    t.iface = tern_iface_add(t.s, &t.link);
    assert_int_equal(tern_iface_addr(t.s, t.iface, t.ours, ip6 ? 64 : 96 + 24), 0);
    for (size_t i = 0; i < MOST; i++)
        data[i] = (uint8_t)unit_random();
}

static inline void finish(void)
{
    tern_memory m;
    assert_false(hear());
    tern_memory_of(t.s, &m);
    assert_int_equal(m.outputs, 0);
    tern_free(t.s);
    unit_mem_done(&t.mem);
}

static inline uint64_t drops(enum tern_drop why) { return tern_counters_of(t.s)->drop[why]; }

static inline tern_addr at(const uint8_t ip[16], uint16_t port)
{
    tern_addr a = {.port = port};
    memcpy(a.ip, ip, 16);
    return a;
}

static inline tern_sock opened(const tern_udp_args *args)
{
    tern_sock k;
    assert_int_equal(tern_udp_open(t.s, &k, args), 0);
    return k;
}

static inline tern_sock bound(uint16_t port)
{
    return opened(&(tern_udp_args){.local = at(t.ours, port)});
}

/* One packet the stack sends. */
static inline bool hear(void)
{
    tern_pkt pkt;
    t.len = 0;
    if (tern_output(t.s, t.iface, &pkt, 1, t.now) == 0)
        return false;
    for (uint32_t i = 0; i < pkt.iov_count; i++) {
        memcpy(t.packet + t.len, pkt.iov[i].base, pkt.iov[i].len);
        t.len += pkt.iov[i].len;
    }
    assert_int_equal(t.len, pkt.len);
    tern_output_done(t.s, &pkt, 1);
    memset(&t.ip, 0, sizeof t.ip);
    assert_int_equal(wire_ip_read(t.packet, t.len, t.len, &t.ip), TERN_DROP_NONE);
    assert_int_equal(t.len, t.ip.header_len + t.ip.payload_len);
    assert_memory_equal(t.ip.dst, t.peer, 16);
    return true;
}

static inline uint16_t check_of(const struct wire_ip *ip, const uint8_t *udp, size_t len)
{
    uint64_t sum = wire_pseudo_sum(ip->src, ip->dst, WIRE_UDP, (uint32_t)len);
    return cksum_finish(cksum_portable(udp, len, sum));
}

/* Hears a datagram with these ports (0: any) and bytes, in packets of at most `mtu`. */
static inline unsigned hear_datagram(uint16_t sport, uint16_t dport, size_t len, size_t mtu)
{
    static uint8_t whole[MOST + HEADER];
    unsigned pieces = 0;
    size_t have = 0;
    uint32_t id = 0;
    bool more = true;
    while (more) {
        assert_true(hear());
        assert_true(t.len <= mtu);
        assert_int_equal(t.ip.proto, WIRE_UDP);
        more = t.ip.fragment && t.ip.frag_more;
        assert_true(!t.ip.fragment || t.ip.frag_off == have);
        assert_true(pieces == 0 || t.ip.frag_id == id);
        if (!t.ip6) /* DF, and no ID, on what is whole; on a fragment no DF */
            assert_int_equal(load_be16(t.packet + 6) & 0x4000, t.ip.fragment ? 0 : 0x4000);
        id = t.ip.frag_id;
        if (pieces == 0)
            memcpy(t.first, t.packet, t.first_len = t.len);
        memcpy(whole + have, t.packet + t.ip.header_len, t.ip.payload_len);
        have += t.ip.payload_len;
        pieces++;
    }
    assert_int_equal(have, len + HEADER);
    assert_true(sport == 0 || load_be16(whole) == sport);
    assert_true(dport == 0 || load_be16(whole + 2) == dport);
    assert_int_equal(load_be16(whole + 4), len + HEADER);
    assert_int_not_equal(load_be16(whole + 6), 0);
    assert_int_equal(check_of(&t.ip, whole, have), 0);
    assert_memory_equal(whole + HEADER, data, len);
    return pieces;
}

/* What a datagram from the peer is made of; the stack's test changes it before put(). */
static uint8_t in[MOST];
static struct wire_ip in_ip;

static inline size_t make(uint16_t sport, uint16_t dport, size_t len)
{
    size_t off = t.ip6 ? WIRE_IP6_HEADER : WIRE_IP4_HEADER;
    uint8_t *udp = in + off;
    in_ip = (struct wire_ip){.version = t.ip6 ? 6 : 4, .proto = WIRE_UDP, .ttl = 17, .tos = 8};
    in_ip.payload_len = (uint16_t)(len + HEADER);
    memcpy(in_ip.src, t.peer, 16);
    memcpy(in_ip.dst, t.ours, 16);
    wire_ip_write(in, &in_ip, 0);
    store_be16(udp, sport);
    store_be16(udp + 2, dport);
    store_be16(udp + 4, (uint16_t)(len + HEADER));
    store_be16(udp + 6, 0);
    memcpy(udp + HEADER, data, len);
    uint16_t check = check_of(&in_ip, udp, len + HEADER);
    memcpy(udp + 6, &check, 2);
    return off + len + HEADER;
}

static inline void put(const uint8_t *p, size_t len)
{
    uint8_t *copy = malloc(len);
    assert_non_null(copy);
    memcpy(copy, p, len);
    tern_pkt pkt = {.iov_count = 1, .len = (uint32_t)len, .iface = (uint16_t)t.iface};
    pkt.iov[0] = (tern_iov){copy, len};
    tern_input(t.s, &pkt, 1, t.now);
    free(copy);
}

static inline void expect(tern_sock k, size_t len)
{
    assert_int_equal(tern_udp_recv(t.s, k, got, MOST, NULL), len);
    assert_memory_equal(got, data, len);
}

static inline void expect_nothing(tern_sock k)
{
    assert_int_equal(tern_udp_recv(t.s, k, got, MOST, NULL), TERN_EAGAIN);
}

/* The peer asks for an echo of `n` bytes in all; what is wrong with its sum the device may know. */
static inline void ping(size_t n, bool wrong, uint16_t flags)
{
    size_t off = t.ip6 ? WIRE_IP6_HEADER : WIRE_IP4_HEADER;
    static uint8_t p[MOST];
    struct wire_ip ip = {.version = t.ip6 ? 6 : 4, .ttl = 64, .payload_len = (uint16_t)n};
    ip.proto = t.ip6 ? WIRE_ICMP6 : WIRE_ICMP;
    memcpy(ip.src, t.peer, 16);
    memcpy(ip.dst, t.ours, 16);
    wire_ip_write(p, &ip, 0);
    memcpy(p + off, data, n);
    p[off] = t.ip6 ? 128 : 8;
    memset(p + off + 1, 0, 3);
    uint64_t sum = t.ip6 ? wire_pseudo_sum(ip.src, ip.dst, WIRE_ICMP6, (uint32_t)n) : 0;
    uint16_t check = (uint16_t)(cksum_finish(cksum_portable(p + off, n, sum)) + wrong);
    memcpy(p + off + 2, &check, 2);
    tern_pkt pkt = {.iov_count = 1, .len = (uint32_t)(off + n), .iface = (uint16_t)t.iface};
    pkt.iov[0] = (tern_iov){p, off + n};
    pkt.flags = flags;
    tern_input(t.s, &pkt, 1, t.now);
}

static inline void both(void **state)
{
    void (*run)(void);
    memcpy(&run, *state, sizeof run);
    for (unsigned ip6 = 0; ip6 < 2; ip6++) {
        start(ip6);
        run();
        finish();
    }
}

static inline int pass(void **state)
{
    (void)state;
    return 0;
}

typedef void (*test_fn)(void);
#define UDP(f)                                                                                     \
    {                                                                                              \
#f, both, pass, NULL, &(test_fn) { f }                                                     \
    }

#endif
