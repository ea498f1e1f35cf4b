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

/* The same of `n` little-endian 64-bit words and up to 7 bytes more, which are the low ones of a
 * word. Inline: where `n` is a constant, nothing is left but the rounds. */
#define SIP_ROTL(x, b) ((x) << (b) | (x) >> (64 - (b)))
#define SIP_ROUND(v0, v1, v2, v3)                                                                  \
    do {                                                                                           \
        v0 += v1, v1 = SIP_ROTL(v1, 13), v1 ^= v0, v0 = SIP_ROTL(v0, 32);                          \
        v2 += v3, v3 = SIP_ROTL(v3, 16), v3 ^= v2;                                                 \
        v0 += v3, v3 = SIP_ROTL(v3, 21), v3 ^= v0;                                                 \
        v2 += v1, v1 = SIP_ROTL(v1, 17), v1 ^= v2, v2 = SIP_ROTL(v2, 32);                          \
    } while (0)

/* (The counts are constants, too: the loops unroll.) */
static inline uint64_t sip_words(const struct siphash_key *key, const uint64_t *w, size_t n,
                                 uint64_t last, int rounds)
{
    uint64_t v0 = key->k0 ^ 0x736f6d6570736575u, v1 = key->k1 ^ 0x646f72616e646f6du;
    uint64_t v2 = key->k0 ^ 0x6c7967656e657261u, v3 = key->k1 ^ 0x7465646279746573u;
    for (size_t i = 0; i <= n; i++) {
        uint64_t word = i < n ? w[i] : last;
        v3 ^= word;
        for (int r = 0; r < rounds; r++)
            SIP_ROUND(v0, v1, v2, v3);
        v0 ^= word;
    }
    v2 ^= 0xff;
    for (int r = 0; r < rounds + 2; r++)
        SIP_ROUND(v0, v1, v2, v3);
    return v0 ^ v1 ^ v2 ^ v3;
}

/* The last word: the bytes that fill none, and on top how many there were in all. */
static inline uint64_t sip_last(size_t n, uint64_t tail, size_t tail_len)
{
    return (uint64_t)(n * 8 + tail_len) << 56 | tail;
}

static inline uint64_t siphash24_tail(const struct siphash_key *key, const uint64_t *w, size_t n,
                                      uint64_t tail, size_t tail_len)
{
    return sip_words(key, w, n, sip_last(n, tail, tail_len), 2);
}

static inline uint64_t siphash13_tail(const struct siphash_key *key, const uint64_t *w, size_t n,
                                      uint64_t tail, size_t tail_len)
{
    return sip_words(key, w, n, sip_last(n, tail, tail_len), 1);
}

static inline uint64_t siphash13_words(const struct siphash_key *key, const uint64_t *w, size_t n)
{
    return siphash13_tail(key, w, n, 0, 0);
}

#endif
