/* cksum.h - the Internet checksum (RFC 1071, 1141, 1624).
 *
 * A sum under way is a 64-bit number that is folded at the end; it may be seeded with a previous
 * one as long as what came before had an even length (else swap with cksum_shift()). Words are
 * summed as they lie in memory, so a folded sum is stored with memcpy, not with a byte swap.
 *
 * Two implementations, portable and AVX2, give equal folded results; which one is a pointer that
 * the owner of a shard keeps (there are no globals to cache it in).
 */
#ifndef TERN_BASE_CKSUM_H
#define TERN_BASE_CKSUM_H

#include "base/util.h"

enum { CKSUM_FEW = 96 }; /* bytes for which a call costs more than it saves */

typedef uint64_t (*cksum_fn)(const void *p, size_t len, uint64_t sum);
typedef uint64_t (*cksum_copy_fn)(void *restrict dst, const void *restrict src, size_t len,
                                  uint64_t sum);

struct cksum_ops {
    cksum_fn sum;       /* adds `len` bytes to `sum` */
    cksum_copy_fn copy; /* copies and sums in one pass */
};

/* The best for this processor, asked by CPUID each time: keep the result. */
struct cksum_ops cksum_select(void);

uint64_t cksum_portable(const void *p, size_t len, uint64_t sum);
uint64_t cksum_copy_portable(void *restrict dst, const void *restrict src, size_t len,
                             uint64_t sum);
#if defined(__x86_64__)
uint64_t cksum_avx2(const void *p, size_t len, uint64_t sum);
uint64_t cksum_copy_avx2(void *restrict dst, const void *restrict src, size_t len, uint64_t sum);
#endif

/* Folds to 16 bits, not complemented. */
static inline uint16_t cksum_fold(uint64_t sum)
{
    sum = (sum & 0xffffffffu) + (sum >> 32);
    sum = (sum & 0xffffffffu) + (sum >> 32);
    sum = (sum & 0xffffu) + (sum >> 16);
    sum = (sum & 0xffffu) + (sum >> 16);
    return (uint16_t)sum;
}

/* What goes into a header: the complement. */
static inline uint16_t cksum_finish(uint64_t sum) { return (uint16_t)~cksum_fold(sum); }

/* Adds two sums under way. */
static inline uint64_t cksum_add(uint64_t a, uint64_t b)
{
    uint64_t s = a + b;
    return s + (s < a);
}

static inline uint64_t cksum_word(const uint8_t *p, uint64_t sum)
{
    uint64_t w;
    memcpy(&w, p, sizeof(w));
    return cksum_add(sum, w);
}

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

/* The sum of a few bytes, of any alignment; for many, cksum_ops.sum is faster. */
static inline uint64_t cksum_few(const uint8_t *p, size_t len, uint64_t sum)
{
    for (; len >= 32; len -= 32, p += 32) {
        sum = cksum_word(p, sum);
        sum = cksum_word(p + 8, sum);
        sum = cksum_word(p + 16, sum);
        sum = cksum_word(p + 24, sum);
    }
    for (; len >= 8; len -= 8, p += 8)
        sum = cksum_word(p, sum);
    return LIKELY(len == 0) ? sum : cksum_last(p, len, sum);
}

/* Adds `len` bytes the quicker way. */
static inline uint64_t cksum_bytes(const struct cksum_ops *ops, const void *p, size_t len,
                                   uint64_t sum)
{
    return len <= CKSUM_FEW ? cksum_few(p, len, sum) : ops->sum(p, len, sum);
}

/* The sum of the same bytes one position further: for a piece that starts at an odd offset. */
static inline uint64_t cksum_shift(uint64_t sum)
{
    uint16_t f = cksum_fold(sum);
    return (uint16_t)(f << 8 | f >> 8);
}

/* Sums the pieces `iov[0..n)`, from `skip` bytes on and `len` bytes in all, whatever the parity of
 * their lengths. `pieces` has the layout of tern_iov. */
struct cksum_piece {
    const void *base;
    size_t len;
};
uint64_t cksum_pieces(cksum_fn sum_fn, const struct cksum_piece *pieces, size_t n, size_t skip,
                      size_t len, uint64_t sum);

/* The checksum in a header after a 16- or 32-bit field under it changed (RFC 1624, equation 3). All
 * values as they lie in memory. */
uint16_t cksum_update16(uint16_t check, uint16_t was, uint16_t is);
uint16_t cksum_update32(uint16_t check, uint32_t was, uint32_t is);

#endif
