/* cksum_tail.h - the last bytes of a copy with checksum, fewer than the main loops take at once;
 * for the implementations of cksum.h only. */
#ifndef TERN_BASE_CKSUM_TAIL_H
#define TERN_BASE_CKSUM_TAIL_H

#include "base/cksum.h"

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
