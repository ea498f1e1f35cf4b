/* stack/addr.c - addresses of interfaces, as they come, are found to be free, or go (ip/addr.h
 * keeps them).
 */
#include "stack/stack.h"

_Static_assert(PATHS_MAX <= (int)IP_IFACES_MAX, "each interface has its timers");

#define DEFEND_NS 10000000000u /* RFC 5227 1.1: DEFEND_INTERVAL */

bool tern_is_local(const tern *s, const uint8_t ip[16]) { return ip_is_local(&s->ip, ip); }

bool stack_source(const tern *s, uint8_t iface, const uint8_t dst[16], uint8_t src[16])
{
    const struct ip_route *route = ip_route_find(&s->routes, dst);
    struct ip_way way = {.iface = iface};
    if (route != NULL && route->iface == iface)
        way.router = route->router;
    const struct ip_addr *a = ip_source(&s->ip, &way, dst);
    if (a != NULL)
        memcpy(src, a->ip, 16);
    return a != NULL;
}

void stack_addr_gone(tern *s, const uint8_t ip[16], bool gone)
{
    uint32_t ix = addrs_find(&s->addrs, ip, 0);
    if (ix != 0)
        addrs_gone(&s->addrs, ix, gone);
    s->tcp.route_generation++;
}

static void begin_to_use(tern *s, struct ip_addr *a)
{
    mld_join(s, a);
    link_announce(s, a->iface, a->ip);
}

int tern_iface_addr(tern *s, int id, const uint8_t ip[16], unsigned bits)
{
    if (!iface_valid(s, id) || (!wire_is_ip4(ip) && s->iface[id].conf.mtu < IP6_MTU_LEAST))
        return TERN_EINVAL;
    const tern_iface *conf = &s->iface[id].conf;
    struct ip_hop hop = {.iface = (uint8_t)id};
    int err = ip_addr_new(&s->ip, (uint8_t)id, ip, bits);
    if (err != 0)
        return err;
    struct ip_addr *a = ip_addr_find(&s->ip, ip);
    err = ip_route_add(&s->routes, ip, bits, &hop);
    if (err != 0) {
        ip_addr_drop(&s->ip, a);
        return err;
    }
    bool ask = conf->mac != NULL && !(conf->flags & TERN_IFACE_NO_DAD);
    stack_addr_gone(s, ip, ask);
    if (ask)
        ip_addr_doubt(&s->ip, a, true);
    else
        begin_to_use(s, a);
    return 0;
}

int tern_iface_addr_remove(tern *s, int id, const uint8_t ip[16])
{
    struct ip_addr *a = iface_valid(s, id) ? ip_addr_find(&s->ip, ip) : NULL;
    struct ip_hop hop = {.iface = (uint8_t)id};
    if (a == NULL || a->iface != id || a->made)
        return TERN_EINVAL;
    mld_leave(s, a);
    (void)ip_route_remove(&s->routes, ip, a->bits, &hop);
    ip_addr_drop(&s->ip, a);
    stack_addr_gone(s, ip, true);
    return 0;
}

size_t tern_addrs(const tern *s, uint32_t *cursor, tern_addr_entry *out, size_t max)
{
    size_t n = 0;
    for (; n < max && *cursor < s->ip.count; n++, ++*cursor) {
        const struct ip_addr *a = &s->ip.at[*cursor];
        out[n] = (tern_addr_entry){.bits = a->bits, .state = a->state, .iface = a->iface};
        memcpy(out[n].ip, a->ip, 16);
        out[n].automatic = a->made;
        out[n].preferred_until = out[n].valid_until = TERN_NEVER;
        if (a->made)
            (void)auto_lifetimes(s->iface[a->iface].learnt, a->ip, &out[n].preferred_until,
                                 &out[n].valid_until);
    }
    return n;
}

/* ---- whose they are -------------------------------------------------------------------------- */

void addr_claimed(tern *s, struct ip_addr *a)
{
    s->counters.count[TERN_COUNT_ADDRESS_CONFLICTS]++;
    if (ip_addr_taken(a)) {
        s->counters.count[TERN_COUNT_ADDRESS_DUPLICATES]++;
        s->addrs_news = true;
        if (a->made)
            auto_addr_taken(s, a->iface, a->ip);
        return;
    }
    /* It is ours, we say, but not so often that two who say so fill the link (RFC 5227 2.4). */
    if (wire_is_ip4(a->ip) && ip_addr_usable(a) && s->tcp.now >= a->defended) {
        a->defended = s->tcp.now + DEFEND_NS;
        link_announce(s, a->iface, a->ip);
    }
}

void addr_advance(tern *s, uint32_t max)
{
    enum ip_addr_event what;
    struct ip_addr *a;
    while (max-- > 0 &&
           (a = ip_addr_due(&s->ip, s->neighbors.retrans_ns, s->tcp.now, &what)) != NULL) {
        if (what == IP_ADDR_JOIN) {
            mld_join(s, a);
            continue;
        }
        if (what == IP_ADDR_ASK) {
            link_probe(s, a);
            continue;
        }
        if (what == IP_ADDR_READY) {
            s->addrs_news = true;
            stack_addr_gone(s, a->ip, false);
            auto_addr_ready(s, a);
        }
        if (wire_is_ip4(a->ip)) /* RFC 5227 2.3; of IPv6 the question was enough */
            link_announce(s, a->iface, a->ip);
        else
            mld_join(s, a);
    }
}
