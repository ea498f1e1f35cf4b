/* cksum_tail.h - the last bytes of a checksum, fewer than the main loops take at once; for the
 * implementations of cksum.h only. */
#ifndef TERN_BASE_CKSUM_TAIL_H
#define TERN_BASE_CKSUM_TAIL_H

#include "base/cksum.h"

/* Adds fewer than 8 bytes. Each word is put together as if zeros followed it in memory. */
static inline uint64_t cksum_last(const uint8_t *p, size_t len, uint64_t sum)
{
    uint64_t few = 0; /* of at most 7 bytes: it cannot overflow */
    if (len & 4) {
        uint32_t w;
        memcpy(&w, p, sizeof(w));
        few += w;
        p += 4;
    }
    if (len & 2) {
        uint16_t w;
        memcpy(&w, p, sizeof(w));
        few += w;
        p += 2;
    }
    if (len & 1) {
        uint16_t w = 0;
        memcpy(&w, p, 1);
        few += w;
    }
    return cksum_add(sum, few);
}

static inline uint64_t cksum_tail(const uint8_t *p, size_t len, uint64_t sum)
{
    for (; len >= 8; len -= 8, p += 8) {
        uint64_t w;
        memcpy(&w, p, sizeof(w));
        sum = cksum_add(sum, w);
    }
    return cksum_last(p, len, sum);
}

static inline uint64_t cksum_copy_tail(uint8_t *restrict to, const uint8_t *restrict from,
                                       size_t len, uint64_t sum)
{
    for (; len >= 8; len -= 8, from += 8, to += 8) {
        uint64_t w;
        memcpy(&w, from, sizeof(w));
        memcpy(to, &w, sizeof(w));
        sum = cksum_add(sum, w);
    }
    for (size_t i = 0; i < len; i++)
        to[i] = from[i];
    return cksum_last(from, len, sum);
}

#endif
