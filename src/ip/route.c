/* route.c - addresses and routes; see route.h. */
#include "ip/route.h"

bool ip_table_init(struct ip_table *t, struct mem *mem, uint32_t addr_max, uint32_t route_max)
{
    *t = (struct ip_table){.mem = mem, .addr_max = addr_max, .route_max = route_max};
    t->addrs = mem_alloc(mem, addr_max * sizeof(*t->addrs), _Alignof(struct ip_addr));
    t->routes = mem_alloc(mem, route_max * sizeof(*t->routes), _Alignof(struct ip_route));
    return t->addrs != NULL && t->routes != NULL;
}

void ip_table_destroy(struct ip_table *t)
{
    mem_free(t->mem, t->addrs, t->addr_max * sizeof(*t->addrs));
    mem_free(t->mem, t->routes, t->route_max * sizeof(*t->routes));
}

/* How many leading bits two addresses share. */
static unsigned common_bits(const uint8_t a[16], const uint8_t b[16])
{
    for (unsigned i = 0; i < 16; i++) {
        uint32_t diff = (uint32_t)(a[i] ^ b[i]);
        if (diff != 0)
            return i * 8 + (unsigned)__builtin_clz(diff) - 24;
    }
    return 128;
}

static void mask(uint8_t ip[16], unsigned bits)
{
    for (unsigned i = 0; i < 16; i++) {
        unsigned keep = bits > 8 * i ? bits - 8 * i : 0;
        if (keep < 8)
            ip[i] &= (uint8_t)(0xff00u >> keep);
    }
}

static bool bits_fit(const uint8_t ip[16], unsigned bits)
{
    return bits <= 128 && (bits >= 96 || !wire_is_ip4(ip));
}

int ip_route_add(struct ip_table *t, uint8_t iface, const uint8_t ip[16], unsigned bits,
                 const uint8_t via[16])
{
    if (!bits_fit(ip, bits))
        return TERN_EINVAL;
    if (t->route_count == t->route_max)
        return TERN_ELIMIT;
    uint32_t i = 0;
    while (i < t->route_count && t->routes[i].bits >= bits)
        i++;
    memmove(&t->routes[i + 1], &t->routes[i], (t->route_count - i) * sizeof(t->routes[0]));
    t->route_count++;
    struct ip_route *r = &t->routes[i];
    *r = (struct ip_route){.bits = (uint8_t)bits, .iface = iface, .gateway = via != NULL};
    memcpy(r->prefix, ip, 16);
    mask(r->prefix, bits);
    if (via != NULL)
        memcpy(r->via, via, 16);
    return 0;
}

int ip_addr_add(struct ip_table *t, uint8_t iface, const uint8_t ip[16], unsigned bits)
{
    if (!bits_fit(ip, bits) || wire_ip_unspecified(ip) || wire_ip_multicast(ip) ||
        wire_ip_broadcast(ip))
        return TERN_EINVAL;
    if (ip_is_local(t, ip))
        return TERN_EADDRINUSE;
    if (t->addr_count == t->addr_max || t->route_count == t->route_max)
        return TERN_ELIMIT;
    struct ip_addr *a = &t->addrs[t->addr_count++];
    *a = (struct ip_addr){.bits = (uint8_t)bits, .iface = iface};
    memcpy(a->ip, ip, 16);
    return ip_route_add(t, iface, ip, bits, NULL);
}

void ip_iface_forget(struct ip_table *t, uint8_t iface)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < t->addr_count; i++)
        if (t->addrs[i].iface != iface)
            t->addrs[n++] = t->addrs[i];
    t->addr_count = n;
    n = 0;
    for (uint32_t i = 0; i < t->route_count; i++)
        if (t->routes[i].iface != iface)
            t->routes[n++] = t->routes[i];
    t->route_count = n;
}

bool ip_has_ip6(const struct ip_table *t, uint8_t iface)
{
    for (uint32_t i = 0; i < t->addr_count; i++)
        if (t->addrs[i].iface == iface && !wire_is_ip4(t->addrs[i].ip))
            return true;
    return false;
}

bool ip_is_local(const struct ip_table *t, const uint8_t ip[16])
{
    for (uint32_t i = 0; i < t->addr_count; i++)
        if (wire_ip_equal(t->addrs[i].ip, ip))
            return true;
    return false;
}

bool ip_is_at(const struct ip_table *t, uint8_t iface, const uint8_t ip[16])
{
    for (uint32_t i = 0; i < t->addr_count; i++)
        if (t->addrs[i].iface == iface && wire_ip_equal(t->addrs[i].ip, ip))
            return true;
    return false;
}

bool ip_is_broadcast(const struct ip_table *t, const uint8_t ip[16])
{
    if (!wire_is_ip4(ip))
        return false;
    if (wire_ip_broadcast(ip))
        return true;
    for (uint32_t i = 0; i < t->addr_count; i++) {
        const struct ip_addr *a = &t->addrs[i];
        if (a->bits < 96 || a->bits > 126 || !wire_is_ip4(a->ip))
            continue;
        uint32_t host = (uint32_t)(UINT64_C(0xffffffff) >> (a->bits - 96));
        if ((load_be32(a->ip + 12) | host) == load_be32(ip + 12))
            return true;
    }
    return false;
}

const struct ip_route *ip_route_find(const struct ip_table *t, const uint8_t dst[16])
{
    bool ip4 = wire_is_ip4(dst);
    for (uint32_t i = 0; i < t->route_count; i++) {
        const struct ip_route *r = &t->routes[i];
        bool family = ip4 == wire_is_ip4(r->prefix); /* ::/0 does not lead to IPv4 */
        if (family && common_bits(r->prefix, dst) >= r->bits)
            return r;
    }
    return NULL;
}

bool ip_source(const struct ip_table *t, uint8_t iface, const uint8_t dst[16], uint8_t src[16])
{
    const struct ip_addr *best = NULL;
    unsigned best_bits = 0;
    for (uint32_t i = 0; i < t->addr_count; i++) {
        const struct ip_addr *a = &t->addrs[i];
        if (a->iface != iface || wire_is_ip4(a->ip) != wire_is_ip4(dst))
            continue;
        unsigned bits = common_bits(a->ip, dst);
        if (best == NULL || bits > best_bits) {
            best = a;
            best_bits = bits;
        }
    }
    if (best != NULL)
        memcpy(src, best->ip, 16);
    return best != NULL;
}
