/* flood.c - making the packets of a SYN flood. */
#include "flood.h"

#include "bench.h"

#include <string.h>

static uint32_t sum_of(const uint8_t *p, unsigned len)
{
    uint32_t sum = 0;
    for (unsigned i = 0; i < len; i += 2)
        sum += (uint32_t)(p[i] << 8 | p[i + 1]);
    return sum;
}

static void put_check(uint8_t *p, uint32_t sum)
{
    while (sum > 0xffff)
        sum = (sum >> 16) + (sum & 0xffff);
    p[0] = (uint8_t)(~sum >> 8);
    p[1] = (uint8_t)~sum;
}

void flood_make(uint8_t packets[FLOOD][FLOOD_BYTES], const uint8_t to[4])
{
    enum { IP = 20, TCP = FLOOD_BYTES - IP, PROTO = 6, FLAG_SYN = 2 };
    uint32_t random = 1;
    for (unsigned i = 0; i < FLOOD; i++) {
        uint8_t *p = packets[i], *tcp = p + IP;
        memset(p, 0, FLOOD_BYTES);
        random = random * 1664525 + 1013904223;
        memcpy(p, (uint8_t[]){0x45, 0, 0, FLOOD_BYTES, 0, 0, 0x40, 0, 64, PROTO}, 10);
        memcpy(p + 12, (uint8_t[]){198, 18, (uint8_t)(i >> 8), (uint8_t)i}, 4); /* RFC 2544 */
        memcpy(p + 16, to, 4);
        put_check(p + 10, sum_of(p, IP));
        tcp[0] = (uint8_t)(random >> 24 | 0x80);
        tcp[1] = (uint8_t)(random >> 16);
        tcp[3] = PORT;
        memcpy(tcp + 4, &random, sizeof(random));
        memcpy(tcp + 12, (uint8_t[]){TCP / 4 << 4, FLAG_SYN, 0xff, 0xff}, 4);
        memcpy(tcp + IP, (uint8_t[]){2, 4, 1460 >> 8, 1460 & 0xff}, 4);
        put_check(tcp + 16, sum_of(tcp, TCP) + sum_of(p + 12, 8) + PROTO + TCP);
    }
}
