/* ether.c - see ether.h. */
#include "ether.h"

#include "../unit.h"

const uint8_t ether_mac[6] = {2, 0, 0, 0, 0, 1}, ether_peer_mac[6] = {2, 0, 0, 0, 0, 2};
const uint8_t ether_all_macs[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static void *take(void *user, size_t size, size_t align)
{
    (void)user;
    align = align < 16 ? 16 : align;
    return aligned_alloc(align, (size + align - 1) / align * align);
}

static void give(void *user, void *p, size_t size)
{
    (void)user, (void)size;
    free(p);
}

void ether_address(const struct ether *t, uint8_t ip[16], uint8_t last)
{
    static const uint8_t four[16] = {[10] = 0xff, 0xff, 10, 9, 0}, six[16] = {0xfd, 0, 0, 9};
    memcpy(ip, t->ip6 ? six : four, 16);
    ip[15] = last;
}

void ether_config(struct ether *t, bool ip6)
{
    *t = (struct ether){.ip6 = ip6, .now = SECOND, .cfg.size = sizeof(tern_config)};
    tern_config_default(&t->cfg);
    t->cfg.alloc = take;
    t->cfg.free = give;
    t->cfg.seed[0] = 1;
    t->cfg.neighbors_max = 64;
    ether_address(t, t->ours, 2);
    ether_address(t, t->peer, 1);
}

void ether_open(struct ether *t, uint32_t flags)
{
    tern_iface iface = {.mac = ether_mac, .mtu = 1500, .flags = flags};
    assert_int_equal(tern_new(&t->s, &t->cfg, t->now), 0);
    t->iface = tern_iface_add(t->s, &iface);
    assert_true(t->iface >= 0);
}

int ether_add(struct ether *t, const uint8_t ip[16])
{
    return tern_iface_addr(t->s, t->iface, ip, wire_is_ip4(ip) ? 96 + 24 : 64);
}

void ether_start(struct ether *t, bool ip6)
{
    ether_config(t, ip6);
    ether_open(t, TERN_IFACE_NO_DAD | TERN_IFACE_NO_MLD);
    assert_int_equal(ether_add(t, t->ours), 0);
    assert_true(ether_hear(t)); /* the announcement */
    assert_false(ether_hear(t));
}

bool ether_hear(struct ether *t)
{
    tern_pkt pkt;
    t->len = 0;
    if (tern_output(t->s, t->iface, &pkt, 1, t->now) == 0)
        return false;
    for (uint32_t i = 0; i < pkt.iov_count; i++) {
        assert_true(t->len + pkt.iov[i].len <= ETHER_FRAME);
        memcpy(t->frame + t->len, pkt.iov[i].base, pkt.iov[i].len);
        t->len += pkt.iov[i].len;
    }
    assert_int_equal(t->len, pkt.len);
    tern_output_done(t->s, &pkt, 1);
    assert_memory_equal(t->frame + 6, ether_mac, 6);
    return true;
}

void ether_say(struct ether *t, const uint8_t *frame, size_t len)
{
    uint8_t *copy = malloc(len); /* of exactly this length: nothing may be read behind it */
    assert_non_null(copy);
    memcpy(copy, frame, len);
    tern_pkt pkt = {.iov_count = 1, .len = (uint32_t)len, .iface = (uint16_t)t->iface};
    pkt.iov[0] = (tern_iov){copy, len};
    tern_input(t->s, &pkt, 1, t->now);
    free(copy);
}

void ether_at(struct ether *t, uint64_t now)
{
    t->now = now;
    tern_advance(t->s, now);
}

static void collect(struct ether *t)
{
    tern_event ev;
    while (tern_events(t->s, &ev, 1) == 1)
        if (ev.sock.id == 0) {
            assert_null(ev.user);
            t->news |= ev.mask;
        }
}

static unsigned drain(struct ether *t)
{
    unsigned n = 0;
    for (; ether_hear(t); n++)
        if (t->heard != NULL)
            t->heard(t);
    return n;
}

unsigned ether_wait(struct ether *t, uint64_t ns)
{
    uint64_t end = t->now + ns;
    unsigned heard = 0;
    for (unsigned turns = 0; t->now < end; turns++) {
        assert_true(turns < 1000000);
        heard += drain(t);
        collect(t);
        uint64_t next = tern_next_timeout(t->s);
        ether_at(t, next > end ? end : next > t->now ? next : t->now);
    }
    return heard + drain(t);
}

uint32_t ether_events(struct ether *t)
{
    collect(t);
    uint32_t mask = t->news;
    t->news = 0;
    return mask;
}

uint64_t ether_drops(const struct ether *t, enum tern_drop why)
{
    return tern_counters_of(t->s)->drop[why];
}

uint64_t ether_count(const struct ether *t, enum tern_counter what)
{
    return tern_counters_of(t->s)->count[what];
}

int ether_state(const struct ether *t, const uint8_t ip[16])
{
    tern_addr_entry e;
    uint32_t cursor = 0;
    while (tern_addrs(t->s, &cursor, &e, 1) == 1)
        if (wire_ip_equal(e.ip, ip))
            return e.state;
    return -1;
}

/* ---- messages -------------------------------------------------------------------------------- */

size_t ether_icmp(uint8_t *p, size_t len, const struct wire_ip_out *ip, const uint8_t to[6])
{
    struct wire_ip_out h = *ip;
    h.proto = WIRE_ICMP6;
    h.payload_len = (uint16_t)len;
    wire_ip_put(p + 14, &h);
    wire_eth_write(p, to, ether_peer_mac, WIRE_ETH_IP6);
    memset(p + 56, 0, 2);
    uint64_t sum = wire_pseudo_sum(ip->src, ip->dst, WIRE_ICMP6, (uint32_t)len);
    uint16_t check = cksum_finish(cksum_portable(p + 54, len, sum));
    memcpy(p + 56, &check, 2);
    return 54 + len;
}

size_t ether_nd(uint8_t *p, const struct wire_nd *nd, const uint8_t src[16], const uint8_t dst[16],
                const uint8_t to[6])
{
    struct wire_ip_out ip = {.src = src, .dst = dst, .ttl = WIRE_ND_HOPS};
    return ether_icmp(p, wire_nd_write(p + 54, nd, src, dst), &ip, to);
}

void ether_ask(struct ether *t, const uint8_t target[16])
{
    uint8_t p[ETHER_FRAME], group[16], mac[6];
    if (t->ip6) {
        struct wire_nd nd = {.type = WIRE_ND_SOLICIT, .has_mac = true};
        memcpy(nd.mac, ether_peer_mac, 6);
        memcpy(nd.target, target, 16);
        wire_nd_group(group, target);
        wire_mac_of_group(mac, group);
        ether_say(t, p, ether_nd(p, &nd, t->peer, group, mac));
        return;
    }
    struct wire_arp arp = {.op = WIRE_ARP_REQUEST};
    memcpy(arp.sender_mac, ether_peer_mac, 6);
    memcpy(arp.sender_ip, t->peer, 16);
    memcpy(arp.target_ip, target, 16);
    wire_eth_write(p, ether_all_macs, ether_peer_mac, WIRE_ETH_ARP);
    wire_arp_write(p + 14, &arp);
    ether_say(t, p, 14 + WIRE_ARP);
}

void ether_answer(struct ether *t, const uint8_t ip[16], const uint8_t mac[6])
{
    uint8_t p[ETHER_FRAME];
    if (t->ip6) {
        struct wire_nd nd = {.type = WIRE_ND_ADVERT,
                             .solicited = true,
                             .override = true,
                             .has_mac = true};
        memcpy(nd.mac, mac, 6);
        memcpy(nd.target, ip, 16);
        ether_say(t, p, ether_nd(p, &nd, ip, t->ours, ether_mac));
        return;
    }
    struct wire_arp arp = {.op = WIRE_ARP_REPLY};
    memcpy(arp.sender_mac, mac, 6);
    memcpy(arp.sender_ip, ip, 16);
    memcpy(arp.target_mac, ether_mac, 6);
    memcpy(arp.target_ip, t->ours, 16);
    wire_eth_write(p, ether_mac, ether_peer_mac, WIRE_ETH_ARP);
    wire_arp_write(p + 14, &arp);
    ether_say(t, p, 14 + WIRE_ARP);
}
