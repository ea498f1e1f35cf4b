/* fuzz_nd.c - a stack on Ethernet that configures itself, and a link full of neighbours, routers
 * and multicast routers who say anything.
 *
 * Input: messages of a kind (who says it to whom: a byte), a pause (a byte: ms, s or hours), a
 * length (a byte) and that much ICMPv6, whose checksum is put right; or a change of the interface.
 * However it goes, what is remembered is bounded, addresses and routes belong together, what leaves
 * is what a link may carry, and in the end all memory is back.
 */
#include "fuzz_mem.h"

#include "base/cksum.h"
#include "tern/info.h"
#include "wire/mld.h"
#include "wire/nd.h"

enum { BATCH = 16, ADDRS_MAX = 24, TURNS = 40, MESSAGES = 300 };

static const uint8_t our_mac[6] = {2, 0, 0, 0, 0, 1};
static const uint8_t ours[16] = {0xfd, 0, 0, 9, [15] = 2};
static const uint8_t all_nodes[16] = {0xff, 2, [15] = 1};

struct net {
    struct fuzz_mem mem; /* first: it is what tern_config.user points to */
    tern *s;
    int iface;
    uint64_t now;
    uint32_t flags;
    uint8_t target[16]; /* of what we asked last */
};

static void start(struct net *n, uint8_t flags)
{
    tern_config cfg = {.size = sizeof cfg};
    tern_listen_args args = {.local = {.port = 80}, .backlog = 4};
    tern_sock k;
    tern_config_default(&cfg);
    fuzz_mem_init(&n->mem);
    cfg.alloc = fuzz_alloc;
    cfg.free = fuzz_free;
    cfg.user = n;
    cfg.seed[0] = 1;
    cfg.conns_max = cfg.halfopen_max = cfg.timewait_max = 16;
    cfg.neighbors_max = 8;
    cfg.addrs_max = ADDRS_MAX;
    cfg.routes_max = 24;
    n->now = 1;
    n->flags = TERN_IFACE_AUTO | (flags & 3); /* DAD or not, MLD or not */
    tern_iface link = {.mac = our_mac, .mtu = 1500, .flags = n->flags};
    CHECK(tern_new(&n->s, &cfg, n->now) == 0);
    n->iface = tern_iface_add(n->s, &link);
    CHECK(n->iface >= 0);
    CHECK(tern_iface_addr(n->s, n->iface, ours, 64) == 0);
    CHECK(tern_listen(n->s, &k, &args) == 0);
}

/* What leaves has lengths and checksums that fit. */
static void check_frame(struct net *n, const tern_pkt *pkt)
{
    static uint8_t p[2048];
    struct wire_ip ip;
    struct wire_nd nd;
    size_t len = 0;
    for (uint32_t i = 0; i < pkt->iov_count; i++) {
        CHECK(len + pkt->iov[i].len <= sizeof(p));
        memcpy(p + len, pkt->iov[i].base, pkt->iov[i].len);
        len += pkt->iov[i].len;
    }
    CHECK(len == pkt->len && len >= WIRE_ETH_HEADER && len <= WIRE_ETH_HEADER + 1500);
    CHECK(memcmp(p + 6, our_mac, 6) == 0);
    if (p[12] != 0x86)
        return;
    const uint8_t *q = p + WIRE_ETH_HEADER;
    len -= WIRE_ETH_HEADER;
    CHECK(wire_ip_read(q, len, len, &ip) == TERN_DROP_NONE &&
          ip.header_len + ip.payload_len == len);
    uint64_t sum = wire_pseudo_sum(ip.src, ip.dst, ip.proto, ip.payload_len);
    CHECK(cksum_finish(cksum_portable(q + ip.header_len, ip.payload_len, sum)) == 0);
    if (ip.proto == WIRE_ICMP6 && q[ip.header_len] == WIRE_ND_SOLICIT) {
        CHECK(wire_nd_read(q + ip.header_len, ip.payload_len, &ip, &nd));
        memcpy(n->target, nd.target, 16);
    }
}

static void turn(struct net *n)
{
    tern_pkt pkts[BATCH];
    tern_event ev[BATCH];
    for (int i = 0; i < TURNS; i++) {
        tern_advance(n->s, n->now);
        size_t some = tern_events(n->s, ev, BATCH), got;
        while ((got = tern_output(n->s, n->iface, pkts, BATCH, n->now)) > 0) {
            for (size_t k = 0; k < got; k++)
                check_frame(n, &pkts[k]);
            tern_output_done(n->s, pkts, got);
            some += got;
        }
        if (some == 0 && tern_next_timeout(n->s) > n->now)
            return;
    }
    CHECK(!"it spins");
}

static void check(struct net *n)
{
    tern_addr_entry e[ADDRS_MAX];
    tern_memory m;
    uint32_t cursor = 0, automatic = 0;
    size_t count = tern_addrs(n->s, &cursor, e, ADDRS_MAX);
    for (size_t i = 0; i < count; i++) {
        bool usable = e[i].state <= TERN_ADDR_DEPRECATED;
        CHECK(usable == tern_is_local(n->s, e[i].ip));
        CHECK(e[i].preferred_until <= e[i].valid_until);
        CHECK(!e[i].automatic || (e[i].valid_until > n->now && e[i].bits == 64));
        automatic += e[i].automatic;
    }
    CHECK(automatic <= 16);
    tern_memory_of(n->s, &m);
    CHECK(m.bytes < 4u << 20);
}

/* A packet of ICMPv6 from somebody to somebody. */
static void say(struct net *n, uint8_t kind, struct fuzz_input *in)
{
    static const uint8_t nobody[16];
    uint8_t src[16] = {0xfe, 0x80, [15] = (uint8_t)(1 + (kind & 15))}, dst[16];
    size_t want = fuzz_u8(in) * 2u, len;
    uint8_t *body = fuzz_rest(in, want, &len);
    bool query = len > 0 && body[0] == WIRE_MLD_QUERY;
    size_t header = query ? WIRE_MLD_HEADERS : WIRE_IP6_HEADER;
    size_t total = WIRE_ETH_HEADER + header + len;
    uint8_t *p = malloc(total);
    CHECK(p != NULL);
    if ((kind & 0x30) == 0x10)
        memcpy(src, nobody, 16);
    if ((kind & 0x30) == 0x20) { /* a neighbour */
        memcpy(src, ours, 16);
        src[15] = (uint8_t)(kind & 15);
    }
    memcpy(dst, all_nodes, 16);
    if (len >= 24 && (kind & 0xc0) == 0x40)
        wire_nd_group(dst, body + 8);
    if ((kind & 0xc0) == 0x80)
        memcpy(dst, ours, 16);
    if (len >= 24 && (kind & 0xc0) == 0xc0) /* about what we have asked for */
        memcpy(body + 8, n->target, 16);
    struct wire_ip_out ip = {.src = src,
                             .dst = dst,
                             .proto = WIRE_ICMP6,
                             .ttl = WIRE_ND_HOPS,
                             .payload_len = (uint16_t)len};
    if (query)
        wire_mld_headers(p + WIRE_ETH_HEADER, len, src, dst);
    else
        wire_ip_put(p + WIRE_ETH_HEADER, &ip);
    if (len >= 4) {
        memset(body + 2, 0, 2);
        uint64_t sum = wire_pseudo_sum(src, dst, WIRE_ICMP6, (uint32_t)len);
        uint16_t sum16 = cksum_finish(cksum_portable(body, len, sum));
        memcpy(body + 2, &sum16, 2);
    }
    memcpy(p + WIRE_ETH_HEADER + header, body, len);
    uint8_t from[6] = {2, 0, 0, 0, 1, (uint8_t)(kind & 15)};
    wire_eth_write(p, our_mac, from, WIRE_ETH_IP6);
    tern_pkt pkt = {.iov_count = 1, .len = (uint32_t)total, .iface = (uint16_t)n->iface};
    pkt.iov[0] = (tern_iov){p, total};
    tern_input(n->s, &pkt, 1, n->now);
    free(body);
    free(p);
}

/* What its owner does: another address, one less, another setting, a connection. */
static void change(struct net *n, uint8_t what, struct fuzz_input *in)
{
    uint8_t ip[16];
    tern_sock k;
    tern_addr to = {.port = 80};
    memcpy(ip, ours, 16);
    ip[15] = fuzz_u8(in);
    tern_iface link = {.mac = our_mac, .mtu = 1280 + ip[15] * 2u, .flags = n->flags};
    switch (what % 5) {
    case 0:
        (void)tern_iface_addr(n->s, n->iface, ip, 64);
        break;
    case 1:
        (void)tern_iface_addr_remove(n->s, n->iface, ip);
        break;
    case 2:
        n->flags ^= ip[15] & 7;
        link.flags = n->flags;
        n->mem.fail = (ip[15] & 8) != 0;
        (void)tern_iface_change(n->s, n->iface, &link);
        n->mem.fail = false;
        break;
    case 3:
        memcpy(to.ip, ip, 16);
        to.ip[0] = ip[15] & 1 ? 0xfd : 0x20;
        (void)tern_connect(n->s, &k, NULL, &to, NULL);
        break;
    default:
        n->mem.fail = (ip[15] & 1) != 0;
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t units[4] = {1000000, 50000000, 1000000000, UINT64_C(600) * 1000000000};
    struct fuzz_input in = {data, size};
    struct net n;
    start(&n, fuzz_u8(&in));
    for (unsigned i = 0; i < MESSAGES && in.left > 3; i++) {
        uint8_t kind = fuzz_u8(&in), pause = fuzz_u8(&in);
        uint64_t end = n.now + units[pause >> 6] * (pause & 63);
        for (unsigned k = 0; k < TURNS && n.now < end; k++) { /* what comes in between */
            uint64_t next = tern_next_timeout(n.s);
            n.now = next < end ? (next > n.now ? next : n.now) : end;
            turn(&n);
        }
        n.now = end > n.now ? end : n.now;
        if ((kind & 0x30) == 0x30)
            change(&n, kind & 15, &in);
        else
            say(&n, kind, &in);
        turn(&n);
        check(&n);
    }
    n.mem.fail = false;
    tern_free(n.s);
    CHECK(n.mem.live == 0);
    return 0;
}
