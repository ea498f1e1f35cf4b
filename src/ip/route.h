/* route.h - this host's addresses and routes: which destination is ours, which interface leads to
 * another, and which source address goes with it. Addresses have 16 bytes, prefixes count in that
 * form (96 + n for IPv4).
 *
 * A host has few of either, so both are arrays; routes are sorted with the longest prefix first,
 * so that the first match is the best.
 */
#ifndef TERN_IP_ROUTE_H
#define TERN_IP_ROUTE_H

#include "base/mem.h"
#include "base/util.h"
#include "wire/ip.h"

struct ip_addr {
    uint8_t ip[16];
    uint8_t bits;
    uint8_t iface;
};

struct ip_route {
    uint8_t prefix[16];
    uint8_t via[16];
    uint8_t bits;
    uint8_t iface;
    bool gateway; /* `via` is one */
};

struct ip_table {
    struct mem *mem;
    struct ip_addr *addrs;
    struct ip_route *routes;
    uint32_t addr_count, addr_max, route_count, route_max;
};

/* false: no memory. */
bool ip_table_init(struct ip_table *t, struct mem *mem, uint32_t addr_max, uint32_t route_max);
void ip_table_destroy(struct ip_table *t);

/* An address of an interface, and the route to its prefix. TERN_EINVAL: not a unicast address, or
 * too many bits; TERN_EADDRINUSE; TERN_ELIMIT. */
int ip_addr_add(struct ip_table *t, uint8_t iface, const uint8_t ip[16], unsigned bits);
/* TERN_EINVAL, TERN_ELIMIT. `via` may be NULL. */
int ip_route_add(struct ip_table *t, uint8_t iface, const uint8_t ip[16], unsigned bits,
                 const uint8_t via[16]);
/* Takes away what belongs to an interface. */
void ip_iface_forget(struct ip_table *t, uint8_t iface);

/* Whether an interface has an IPv6 address. */
bool ip_has_ip6(const struct ip_table *t, uint8_t iface);
bool ip_is_local(const struct ip_table *t, const uint8_t ip[16]);
/* Whether that interface has the address. */
bool ip_is_at(const struct ip_table *t, uint8_t iface, const uint8_t ip[16]);
/* The broadcast address of a local IPv4 prefix, or 255.255.255.255. */
bool ip_is_broadcast(const struct ip_table *t, const uint8_t ip[16]);
/* The best route; NULL: none. */
const struct ip_route *ip_route_find(const struct ip_table *t, const uint8_t dst[16]);
/* The source address for a destination over that interface: of the same family, with the longest
 * common prefix (RFC 6724 rule 8, which decides where scopes are equal). false: none. */
bool ip_source(const struct ip_table *t, uint8_t iface, const uint8_t dst[16], uint8_t src[16]);

#endif
