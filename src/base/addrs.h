/* addrs.h - local addresses, kept once each and named by a counted 32-bit index.
 *
 * A connection stores 4 bytes instead of 20. Index 0 is no address. The table is small (a host has
 * few addresses, a gateway as many as it impersonates at once) and found by a keyed hash.
 */
#ifndef TERN_BASE_ADDRS_H
#define TERN_BASE_ADDRS_H

#include "base/flowtab.h"
#include "base/siphash.h"
#include "base/slab.h"

struct addr_entry {
    uint8_t ip[16];
    uint32_t scope;
    uint32_t refs;
    uint32_t hash;
    bool gone; /* it was taken away while in use */
};

struct addrs {
    struct slab slab;
    struct flowtab table;
    struct siphash_key key;
};

bool addrs_init(struct addrs *a, struct mem *mem, const struct siphash_key *key, uint32_t limit);
void addrs_destroy(struct addrs *a);

/* The index of the address with one more reference; 0: no memory or at the limit. */
uint32_t addrs_get(struct addrs *a, const uint8_t ip[16], uint32_t scope);
/* The index without taking a reference; 0 when it is not in the table. */
uint32_t addrs_find(const struct addrs *a, const uint8_t ip[16], uint32_t scope);
void addrs_ref(struct addrs *a, uint32_t ix);
void addrs_unref(struct addrs *a, uint32_t ix);

static inline void addrs_gone(struct addrs *a, uint32_t ix, bool gone)
{
    ((struct addr_entry *)slab_at(&a->slab, ix))->gone = gone;
}

static inline const struct addr_entry *addrs_at(const struct addrs *a, uint32_t ix)
{
    return slab_at(&a->slab, ix);
}

#endif
