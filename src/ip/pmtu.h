/* pmtu.h - what ICMP has told of the MTU of paths (RFC 1191, RFC 8201), for packets that belong to
 * no connection: TCP's connections each remember their own. A small table by the hash of the
 * destination, in which the newer one displaces the older; an entry lasts ten minutes (RFC 1191
 * 6.3). */
#ifndef TERN_IP_PMTU_H
#define TERN_IP_PMTU_H

#include "base/siphash.h"
#include "wire/ip.h"

enum {
    PMTU_ENTRIES = 64,
    PMTU_IP4_MIN = 552, /* as Linux: what claims to be smaller is more likely an attack */
    PMTU_IP6_MIN = 1280,
};
#define PMTU_TIME_NS 600000000000u

struct pmtu {
    uint8_t dst[16];
    uint32_t mtu; /* 0: nothing */
    uint64_t until;
};

struct pmtu_table {
    struct siphash_key key;
    struct pmtu at[PMTU_ENTRIES];
};

/* The MTU to that destination by an interface of MTU `mtu`. */
uint32_t pmtu_get(const struct pmtu_table *t, const uint8_t dst[16], uint32_t mtu, uint64_t now);
/* A packet to there was too big for a link of that MTU (0: not told). */
void pmtu_set(struct pmtu_table *t, const uint8_t dst[16], uint32_t mtu, uint64_t now);

#endif
