/* siphash.c - SipHash over bytes. */
#include "base/siphash.h"

struct siphash_key siphash_key(const uint8_t bytes[16])
{
    return (struct siphash_key){.k0 = load_le64(bytes), .k1 = load_le64(bytes + 8)};
}

/* The last 0..7 bytes, and the length of all modulo 256 in the top byte. */
static uint64_t sip_last_word(const uint8_t *p, size_t len)
{
    uint64_t word = (uint64_t)len << 56;
    for (size_t i = 0; i < len % 8; i++)
        word |= (uint64_t)p[i] << 8 * i;
    return word;
}

/* Inlined into its two callers, where the round counts are constants. */
static inline uint64_t sip_hash(const struct siphash_key *key, const void *bytes, size_t len,
                                uint32_t rounds)
{
    const uint8_t *p = bytes;
    uint64_t v0 = key->k0 ^ 0x736f6d6570736575u, v1 = key->k1 ^ 0x646f72616e646f6du;
    uint64_t v2 = key->k0 ^ 0x6c7967656e657261u, v3 = key->k1 ^ 0x7465646279746573u;
    for (size_t words = len / 8 + 1; words != 0; words--, p += 8) {
        uint64_t word = words > 1 ? load_le64(p) : sip_last_word(p, len);
        v3 ^= word;
        for (uint32_t i = 0; i < rounds; i++)
            SIP_ROUND(v0, v1, v2, v3);
        v0 ^= word;
    }
    v2 ^= 0xff;
    for (uint32_t i = 0; i < rounds + 2; i++)
        SIP_ROUND(v0, v1, v2, v3);
    return v0 ^ v1 ^ v2 ^ v3;
}

uint64_t siphash24(const struct siphash_key *key, const void *p, size_t len)
{
    return sip_hash(key, p, len, 2);
}

uint64_t siphash13(const struct siphash_key *key, const void *p, size_t len)
{
    return sip_hash(key, p, len, 1);
}
