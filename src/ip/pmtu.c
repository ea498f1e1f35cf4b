/* pmtu.c - see pmtu.h. */
#include "ip/pmtu.h"

static struct pmtu *entry(const struct pmtu_table *t, const uint8_t dst[16])
{
    uint64_t w[2];
    memcpy(w, dst, 16);
    return (struct pmtu *)&t->at[siphash13(&t->key, w, sizeof(w)) % PMTU_ENTRIES];
}

uint32_t pmtu_get(const struct pmtu_table *t, const uint8_t dst[16], uint32_t mtu, uint64_t now)
{
    const struct pmtu *e = entry(t, dst);
    bool known = e->mtu != 0 && now < e->until && wire_ip_equal(e->dst, dst);
    return known ? min_u32(e->mtu, mtu) : mtu;
}

void pmtu_set(struct pmtu_table *t, const uint8_t dst[16], uint32_t mtu, uint64_t now)
{
    struct pmtu *e = entry(t, dst);
    uint32_t least = wire_is_ip4(dst) ? PMTU_IP4_MIN : PMTU_IP6_MIN;
    mtu = max_u32(mtu, least);
    if (e->mtu != 0 && now < e->until && wire_ip_equal(e->dst, dst))
        mtu = min_u32(mtu, e->mtu); /* it grows by being forgotten only (RFC 8201 4) */
    *e = (struct pmtu){.mtu = mtu, .until = now + PMTU_TIME_NS};
    memcpy(e->dst, dst, 16);
}
