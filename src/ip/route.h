/* route.h - this host's routes: which interface leads to an address, and by which router. Sorted
 * with the longest prefix first, so that the first match is the best. One is compared in a
 * nanosecond or so, and there are routes_max at most: a host's few are found faster than in a tree.
 */
#ifndef TERN_IP_ROUTE_H
#define TERN_IP_ROUTE_H

#include "ip/addr.h"

struct ip_route {
    uint8_t prefix[16];
    uint64_t mask[2]; /* of its bits, as they lie in memory */
    uint8_t via[16];
    uint8_t bits;
    uint8_t iface;
    bool gateway; /* `via` is one */
    uint8_t
        router;    /* which of the interface's routers that is, as a bit; 0: none that advertises */
    uint32_t uses; /* how often it was added */
};

struct ip_routes {
    struct mem *mem;
    struct ip_route *at;
    uint32_t count, max;
};

/* false: no memory. */
bool ip_routes_init(struct ip_routes *t, struct mem *mem, uint32_t max);
void ip_routes_destroy(struct ip_routes *t);

/* What says where packets go: `via` NULL: they are there. */
struct ip_hop {
    const uint8_t *via;
    uint8_t iface, router;
};
/* TERN_EINVAL, TERN_ELIMIT. */
int ip_route_add(struct ip_routes *t, const uint8_t ip[16], unsigned bits,
                 const struct ip_hop *hop);
/* As often as it was added. TERN_EINVAL: there is none such. */
int ip_route_remove(struct ip_routes *t, const uint8_t ip[16], unsigned bits,
                    const struct ip_hop *hop);
/* Takes away those of an interface. */
void ip_routes_forget(struct ip_routes *t, uint8_t iface);
/* The best route; NULL: none. */
const struct ip_route *ip_route_find(const struct ip_routes *t, const uint8_t dst[16]);

#endif
