/* md5.c - the MD5 digest (RFC 1321), for TCP-MD5 alone: nothing else may rely on it. */
#include <string.h>

#include "tern/socket.h"

static const uint32_t sines[64] = {
    /* floor(2^32 |sin(i + 1)|) */
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};

static const uint8_t shifts[4][4] = {{7, 12, 17, 22},
                                     {5, 9, 14, 20},
                                     {4, 11, 16, 23},
                                     {6, 10, 15, 21}};

struct md5 {
    uint32_t state[4];
    uint64_t bytes;
    uint8_t block[64];
};

static uint32_t mix(unsigned round, uint32_t x, uint32_t y, uint32_t z)
{
    switch (round) {
    case 0:
        return (x & y) | (~x & z);
    case 1:
        return (x & z) | (y & ~z);
    case 2:
        return x ^ y ^ z;
    default:
        return y ^ (x | ~z);
    }
}

static void transform(struct md5 *m)
{
    static const uint8_t step[4] = {1, 5, 3, 7}, first[4] = {0, 1, 5, 0};
    uint32_t a = m->state[0], b = m->state[1], c = m->state[2], d = m->state[3], w[16];

    for (unsigned i = 0; i < 16; i++)
        w[i] = (uint32_t)m->block[4 * i] | (uint32_t)m->block[4 * i + 1] << 8 |
               (uint32_t)m->block[4 * i + 2] << 16 | (uint32_t)m->block[4 * i + 3] << 24;
    for (unsigned i = 0; i < 64; i++) {
        unsigned round = i / 16, shift = shifts[round][i % 4];
        uint32_t sum =
            a + mix(round, b, c, d) + w[(first[round] + step[round] * i) % 16] + sines[i];
        a = d;
        d = c;
        c = b;
        b += sum << shift | sum >> (32 - shift);
    }
    m->state[0] += a;
    m->state[1] += b;
    m->state[2] += c;
    m->state[3] += d;
}

static void add(struct md5 *m, const uint8_t *p, size_t len)
{
    while (len != 0) {
        size_t at = m->bytes % 64, n = 64 - at < len ? 64 - at : len;
        memcpy(m->block + at, p, n);
        m->bytes += n;
        p += n;
        len -= n;
        if (m->bytes % 64 == 0)
            transform(m);
    }
}

void tern_sockets_md5(void *user, const tern_iov *iov, size_t n, uint8_t out[16])
{
    struct md5 m = {.state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}};
    uint8_t end[8];

    (void)user;
    for (size_t i = 0; i < n; i++)
        add(&m, iov[i].base, iov[i].len);
    for (unsigned i = 0; i < 8; i++)
        end[i] = (uint8_t)(8 * m.bytes >> 8 * i);
    add(&m, (const uint8_t *)"\x80", 1);
    while (m.bytes % 64 != 56)
        add(&m, (const uint8_t *)"", 1);
    add(&m, end, sizeof end);
    for (unsigned i = 0; i < 16; i++)
        out[i] = (uint8_t)(m.state[i / 4] >> 8 * (i % 4));
}
