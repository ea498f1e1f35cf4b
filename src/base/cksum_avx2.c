/* cksum_avx2.c - the Internet checksum, 32 bytes at a step.
 *
 * Each 32-bit word is added to a 64-bit lane, so carries collect in the upper halves and none is
 * lost in less than 2^32 steps. Written with the compilers' vector types; only these functions are
 * compiled for AVX2, and only cksum_select() decides to call them.
 */
#include "base/cksum_tail.h"

#if defined(__x86_64__)

typedef uint64_t lanes __attribute__((vector_size(32)));
typedef uint64_t lanes_anywhere __attribute__((vector_size(32), aligned(1), may_alias));

#define LOW_WORDS ((lanes){0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff})

/* The lanes are sums of at most 2^33 32-bit words: adding all four cannot overflow. */
#define LANES_TOTAL(v) ((v)[0] + (v)[1] + (v)[2] + (v)[3])

__attribute__((target("avx2"))) uint64_t cksum_avx2(const void *p, size_t len, uint64_t sum)
{
    const uint8_t *b = p;
    lanes even = {0}, odd = {0}, even2 = {0}, odd2 = {0};
    for (; len >= 64; len -= 64, b += 64) {
        lanes v = *(const lanes_anywhere *)(const void *)b;
        lanes u = *(const lanes_anywhere *)(const void *)(b + 32);
        even += v & LOW_WORDS;
        odd += v >> 32;
        even2 += u & LOW_WORDS;
        odd2 += u >> 32;
    }
    if (len >= 32) {
        lanes v = *(const lanes_anywhere *)(const void *)b;
        even += v & LOW_WORDS;
        odd += v >> 32;
        len -= 32;
        b += 32;
    }
    even += odd + even2 + odd2;
    return cksum_few(b, len, cksum_add(sum, LANES_TOTAL(even)));
}

__attribute__((target("avx2"))) uint64_t
cksum_copy_avx2(void *restrict dst, const void *restrict src, size_t len, uint64_t sum)
{
    const uint8_t *b = src;
    uint8_t *to = dst;
    lanes even = {0}, odd = {0};
    for (; len >= 32; len -= 32, b += 32, to += 32) {
        lanes v = *(const lanes_anywhere *)(const void *)b;
        *(lanes_anywhere *)(void *)to = v;
        even += v & LOW_WORDS;
        odd += v >> 32;
    }
    even += odd;
    return cksum_copy_tail(to, b, len, cksum_add(sum, LANES_TOTAL(even)));
}

#else

/* ISO C wants a declaration in every file. */
typedef int cksum_avx2_is_for_x86;

#endif
