/* cksum.c - the Internet checksum, portably.
 *
 * One's complement addition does not care about the width of the words, as long as each carry out
 * of the top comes back in at the bottom: sums modulo 2^64-1 are right modulo 2^16-1, too. Nor
 * does it care about byte order, if the result is stored as the words were loaded. A sum of bytes
 * that are not all zero never becomes zero on the way, so that both implementations fold to the
 * same one of the two representations of zero.
 */
#include "base/cksum.h"
#include "base/cksum_tail.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

uint64_t cksum_portable(const void *p, size_t len, uint64_t sum)
{
    const uint8_t *b = p;
    uint64_t other = 0; /* a second chain of carries, so that the two run side by side */
    for (; len >= 32; len -= 32, b += 32) {
        uint64_t w[4];
        memcpy(w, b, sizeof(w));
        sum = cksum_add(sum, w[0]);
        other = cksum_add(other, w[1]);
        sum = cksum_add(sum, w[2]);
        other = cksum_add(other, w[3]);
    }
    return cksum_few(b, len, cksum_add(sum, other));
}

uint64_t cksum_copy_portable(void *restrict dst, const void *restrict src, size_t len, uint64_t sum)
{
    const uint8_t *b = src;
    uint8_t *to = dst;
    uint64_t other = 0;
    for (; len >= 32; len -= 32, b += 32, to += 32) {
        uint64_t w[4];
        memcpy(w, b, sizeof(w));
        memcpy(to, w, sizeof(w));
        sum = cksum_add(sum, w[0]);
        other = cksum_add(other, w[1]);
        sum = cksum_add(sum, w[2]);
        other = cksum_add(other, w[3]);
    }
    return cksum_copy_tail(to, b, len, cksum_add(sum, other));
}

#if defined(__x86_64__)
/* The processor has AVX2, and the system saves the wide registers (Intel SDM vol. 1, 14.3). */
static bool cpu_has_avx2(void)
{
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || !(c & bit_AVX))
        return false;
    unsigned low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    if ((low & 6) != 6)
        return false;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_AVX2);
}
#endif

struct cksum_ops cksum_select(void)
{
#if defined(__x86_64__)
    if (cpu_has_avx2())
        return (struct cksum_ops){.sum = cksum_avx2, .copy = cksum_copy_avx2};
#endif
    return (struct cksum_ops){.sum = cksum_portable, .copy = cksum_copy_portable};
}

uint64_t cksum_pieces(cksum_fn sum_fn, const struct cksum_piece *pieces, size_t n, size_t skip,
                      size_t len, uint64_t sum)
{
    bool odd = false; /* whether an odd number of bytes has been summed so far */
    for (size_t i = 0; i < n && len != 0; i++) {
        if (skip >= pieces[i].len) {
            skip -= pieces[i].len;
            continue;
        }
        size_t take = min_size(pieces[i].len - skip, len);
        const uint8_t *p = (const uint8_t *)pieces[i].base + skip;
        if (odd)
            sum = cksum_add(sum, cksum_shift(sum_fn(p, take, 0)));
        else
            sum = sum_fn(p, take, sum);
        odd ^= take & 1;
        skip = 0;
        len -= take;
    }
    TERN_ASSERT(len == 0);
    return sum;
}

uint16_t cksum_update16(uint16_t check, uint16_t was, uint16_t is)
{
    return cksum_finish((uint64_t)(uint16_t)~check + (uint16_t)~was + is);
}

uint16_t cksum_update32(uint16_t check, uint32_t was, uint32_t is)
{
    return cksum_finish((uint64_t)(uint16_t)~check + (uint32_t)~was + is);
}
