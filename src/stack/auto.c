/* stack/auto.c - routers are asked and listened to, for interfaces that want to configure
 * themselves (ip/auto.h keeps what they say).
 */
#include "stack/stack.h"

enum { HOPS_LEAST = 32 };        /* nobody makes us reach less far */
#define REACHABLE_MAX (3600000u) /* ms; RFC 4861 6.2.1 */
#define RETRANS_MIN 100u         /* ms: nobody makes us ask more often, */
#define RETRANS_MAX 60000u       /* or hardly at all */

static struct auto_net net_of(tern *s)
{
    return (struct auto_net){.addrs = &s->ip,
                             .routes = &s->routes,
                             .key = s->auto_key,
                             .now = s->tcp.now};
}

/* ---- solicitations --------------------------------------------------------------------------- */

static void ask_routers(tern *s, uint8_t iface)
{
    static const uint8_t all_routers[16] = {0xff, 2, [15] = 2};
    uint8_t src[16], *p;
    struct outrec *r = stack_new_reply(s, iface);
    if (r == NULL)
        return;
    *r = (struct outrec){.iface = iface, .header_off = MESSAGE_AT};
    bool known = stack_source(s, iface, all_routers, src);
    if (!known)
        memset(src, 0, 16);
    p = r->header + MESSAGE_AT;
    size_t len =
        wire_rs_write(p + WIRE_IP6_HEADER, known ? s->iface[iface].mac : NULL, src, all_routers);
    struct wire_ip_out ip = {.src = src,
                             .dst = all_routers,
                             .proto = WIRE_ICMP6,
                             .ttl = WIRE_ND_HOPS,
                             .payload_len = (uint16_t)len};
    wire_ip_put(p, &ip);
    r->header_len = (uint16_t)(WIRE_IP6_HEADER + len);
    s->counters.count[TERN_COUNT_ROUTER_SOLICITATIONS]++;
    stack_queue_reply(s, r);
}

/* ---- what follows from what was learnt ------------------------------------------------------- */

static void follow(tern *s, struct auto_iface *a, uint32_t what)
{
    if (what & AUTO_GONE)
        stack_addr_gone(s, a->gone, true);
    if (what & AUTO_ROUTES)
        s->tcp.route_generation++;
    s->addrs_news |= (what & AUTO_ADDRS) != 0;
    s->counters.count[TERN_COUNT_ROUTER_LIMITED] += (what & AUTO_LIMITED) != 0;
    if (what & AUTO_ASK)
        ask_routers(s, a->iface);
    s->auto_next = min_u64(s->auto_next, a->next);
}

int auto_start(tern *s, uint8_t iface)
{
    struct iface *f = &s->iface[iface];
    struct auto_net net = net_of(s);
    struct auto_iface *a = mem_alloc(&s->mem, sizeof(*a), _Alignof(struct auto_iface));
    if (a == NULL)
        return TERN_ENOMEM;
    a->iface = iface;
    a->dad = !(f->conf.flags & TERN_IFACE_NO_DAD);
    memcpy(a->mac, f->mac, WIRE_MAC);
    f->learnt = a;
    follow(s, a, auto_begin(&net, a));
    return 0;
}

void auto_stop(tern *s, uint8_t iface)
{
    struct auto_iface *a = s->iface[iface].learnt;
    struct auto_net net = net_of(s);
    uint32_t what;
    if (a == NULL)
        return;
    do {
        what = auto_end(&net, a);
        follow(s, a, what);
    } while (what & AUTO_GONE);
    mem_free(&s->mem, a, sizeof(*a));
    s->iface[iface].learnt = NULL;
    s->iface[iface].mtu6 = s->iface[iface].hops6 = 0;
    s->neighbors.retrans_ns[iface] = NEIGH_RETRANS_NS;
    s->neighbors.reachable_ns[iface] = NEIGH_REACHABLE_NS;
}

void auto_addr_ready(tern *s, const struct ip_addr *addr)
{
    struct auto_iface *a = s->iface[addr->iface].learnt;
    struct auto_net net = net_of(s);
    if (a == NULL)
        return;
    auto_ready(&net, a, addr->ip);
    follow(s, a, 0);
}

void auto_addr_taken(tern *s, uint8_t iface, const uint8_t ip[16])
{
    struct auto_iface *a = s->iface[iface].learnt;
    struct auto_net net = net_of(s);
    if (a != NULL)
        follow(s, a, auto_taken(&net, a, ip));
}

void auto_neighbor_failed(tern *s, uint8_t iface, const uint8_t ip[16])
{
    struct auto_iface *a = s->iface[iface].learnt;
    struct auto_net net = net_of(s);
    if (a != NULL)
        follow(s, a, auto_failed(&net, a, ip));
}

/* ---- advertisements -------------------------------------------------------------------------- */

/* RFC 4861 6.3.4: times and sizes, within bounds. */
static void take_times(tern *s, uint8_t iface, const struct wire_ra *ra)
{
    struct iface *f = &s->iface[iface];
    if (ra->hops >= HOPS_LEAST)
        f->hops6 = ra->hops;
    if (ra->reachable_ms != 0) {
        uint64_t base = min_u32(ra->reachable_ms, REACHABLE_MAX) * NS_PER_MS;
        s->neighbors.reachable_ns[iface] = base / 2 + ip_random(&s->ip, base);
    }
    if (ra->retrans_ms != 0)
        s->neighbors.retrans_ns[iface] =
            min_u32(max_u32(ra->retrans_ms, RETRANS_MIN), RETRANS_MAX) * NS_PER_MS;
    if (ra->mtu >= IP6_MTU_LEAST && ra->mtu <= f->conf.mtu && ra->mtu != f->mtu6) {
        f->mtu6 = (uint16_t)ra->mtu;
        s->tcp.path[iface].mtu6 = ra->mtu;
        s->tcp.route_generation++; /* segment sizes are worked out anew */
    }
}

enum tern_drop auto_input(tern *s, uint8_t iface, const uint8_t *p, size_t have,
                          const struct wire_ip *ip)
{
    struct wire_ra ra;
    struct auto_iface *a = s->iface[iface].learnt;
    if (a == NULL || !wire_ra_read(p, have, ip, &ra) || ip_addr_find(&s->ip, ip->src) != NULL)
        return TERN_DROP_ND;
    s->counters.count[TERN_COUNT_ROUTER_ADVERTS]++;
    if (ra.has_mac)
        link_learn(s, iface, ip->src, ra.mac);
    take_times(s, iface, &ra);
    struct auto_net net = net_of(s);
    follow(s, a, auto_advert(&net, a, &ra, ip->src));
    return TERN_DROP_NONE;
}

void auto_advance(tern *s)
{
    if (s->tcp.now < s->auto_next)
        return;
    struct auto_net net = net_of(s);
    s->auto_next = TERN_NEVER;
    for (uint32_t i = 0; i < s->cfg.ifaces_max; i++) {
        struct auto_iface *a = s->iface[i].learnt;
        if (a != NULL)
            follow(s, a, auto_due(&net, a));
    }
}
