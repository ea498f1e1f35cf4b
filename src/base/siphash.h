/* siphash.h - SipHash-2-4 and SipHash-1-3 (Aumasson and Bernstein, 2012): keyed hashes of short
 * inputs. 2-4 where an attacker sees outputs (ISNs, ports, cookies), 1-3 for the tables inside. */
#ifndef TERN_BASE_SIPHASH_H
#define TERN_BASE_SIPHASH_H

#include "base/util.h"

struct siphash_key {
    uint64_t k0, k1;
};

/* The key from its 16 bytes. */
struct siphash_key siphash_key(const uint8_t bytes[16]);

uint64_t siphash24(const struct siphash_key *key, const void *p, size_t len);
uint64_t siphash13(const struct siphash_key *key, const void *p, size_t len);

/* The same as siphash13 of n little-endian 64-bit words; inline, for the flow table. */
#define SIP_ROTL(x, b) ((x) << (b) | (x) >> (64 - (b)))
#define SIP_ROUND(v0, v1, v2, v3)                                                                  \
    do {                                                                                           \
        v0 += v1, v1 = SIP_ROTL(v1, 13), v1 ^= v0, v0 = SIP_ROTL(v0, 32);                          \
        v2 += v3, v3 = SIP_ROTL(v3, 16), v3 ^= v2;                                                 \
        v0 += v3, v3 = SIP_ROTL(v3, 21), v3 ^= v0;                                                 \
        v2 += v1, v1 = SIP_ROTL(v1, 17), v1 ^= v2, v2 = SIP_ROTL(v2, 32);                          \
    } while (0)

static inline uint64_t siphash13_words(const struct siphash_key *key, const uint64_t *w, size_t n)
{
    uint64_t v0 = key->k0 ^ 0x736f6d6570736575u, v1 = key->k1 ^ 0x646f72616e646f6du;
    uint64_t v2 = key->k0 ^ 0x6c7967656e657261u, v3 = key->k1 ^ 0x7465646279746573u;
    uint64_t last = (uint64_t)(n * 8) << 56;
    for (size_t i = 0; i < n; i++) {
        v3 ^= w[i];
        SIP_ROUND(v0, v1, v2, v3);
        v0 ^= w[i];
    }
    v3 ^= last;
    SIP_ROUND(v0, v1, v2, v3);
    v0 ^= last;
    v2 ^= 0xff;
    SIP_ROUND(v0, v1, v2, v3);
    SIP_ROUND(v0, v1, v2, v3);
    SIP_ROUND(v0, v1, v2, v3);
    return v0 ^ v1 ^ v2 ^ v3;
}

#endif
