/* route.c - routes; see route.h. */
#include "ip/route.h"

bool ip_routes_init(struct ip_routes *t, struct mem *mem, uint32_t max)
{
    *t = (struct ip_routes){.mem = mem, .max = max};
    t->at = mem_alloc(mem, max * sizeof(*t->at), _Alignof(struct ip_route));
    return t->at != NULL;
}

void ip_routes_destroy(struct ip_routes *t) { mem_free(t->mem, t->at, t->max * sizeof(*t->at)); }

static void mask_of(unsigned bits, uint64_t mask[2])
{
    uint8_t m[16];
    for (unsigned i = 0; i < 16; i++) {
        unsigned keep = bits > 8 * i ? bits - 8 * i : 0;
        m[i] = (uint8_t)(keep < 8 ? 0xff00u >> keep : 0xff);
    }
    memcpy(mask, m, 16);
}

static struct ip_route *find_same(struct ip_routes *t, const struct ip_route *r)
{
    for (uint32_t i = 0; i < t->count; i++) {
        struct ip_route *o = &t->at[i];
        if (o->bits == r->bits && o->iface == r->iface && o->gateway == r->gateway &&
            o->router == r->router && wire_ip_equal(o->prefix, r->prefix) &&
            wire_ip_equal(o->via, r->via))
            return o;
    }
    return NULL;
}

static struct ip_route make(const uint8_t ip[16], unsigned bits, const struct ip_hop *hop)
{
    struct ip_route r = {.bits = (uint8_t)bits,
                         .iface = hop->iface,
                         .gateway = hop->via != NULL,
                         .router = hop->router,
                         .uses = 1};
    uint64_t words[2];
    mask_of(bits, r.mask);
    memcpy(words, ip, 16);
    words[0] &= r.mask[0];
    words[1] &= r.mask[1];
    memcpy(r.prefix, words, 16);
    if (hop->via != NULL)
        memcpy(r.via, hop->via, 16);
    return r;
}

int ip_route_add(struct ip_routes *t, const uint8_t ip[16], unsigned bits, const struct ip_hop *hop)
{
    if (!ip_bits_fit(ip, bits))
        return TERN_EINVAL;
    struct ip_route r = make(ip, bits, hop), *same = find_same(t, &r);
    if (same != NULL) {
        same->uses++;
        return 0;
    }
    if (t->count == t->max)
        return TERN_ELIMIT;
    uint32_t i = 0;
    while (i < t->count && t->at[i].bits >= bits)
        i++;
    memmove(&t->at[i + 1], &t->at[i], (t->count - i) * sizeof(t->at[0]));
    t->at[i] = r;
    t->count++;
    return 0;
}

int ip_route_remove(struct ip_routes *t, const uint8_t ip[16], unsigned bits,
                    const struct ip_hop *hop)
{
    if (!ip_bits_fit(ip, bits))
        return TERN_EINVAL;
    struct ip_route r = make(ip, bits, hop), *same = find_same(t, &r);
    if (same == NULL)
        return TERN_EINVAL;
    if (--same->uses == 0) {
        size_t i = (size_t)(same - t->at);
        memmove(same, same + 1, (--t->count - i) * sizeof(*same));
    }
    return 0;
}

void ip_routes_forget(struct ip_routes *t, uint8_t iface)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < t->count; i++)
        if (t->at[i].iface != iface)
            t->at[n++] = t->at[i];
    t->count = n;
}

const struct ip_route *ip_route_find(const struct ip_routes *t, const uint8_t dst[16])
{
    uint64_t to[2], prefix[2];
    bool ip4 = wire_is_ip4(dst);
    memcpy(to, dst, 16);
    for (uint32_t i = 0; i < t->count; i++) {
        const struct ip_route *r = &t->at[i];
        memcpy(prefix, r->prefix, 16);
        if ((((to[0] ^ prefix[0]) & r->mask[0]) | ((to[1] ^ prefix[1]) & r->mask[1])) == 0 &&
            ip4 == wire_is_ip4(r->prefix)) /* ::/0 does not lead to IPv4 */
            return r;
    }
    return NULL;
}
