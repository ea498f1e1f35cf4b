/* flood.h - SYNs from addresses that nobody has, as IPv4 packets with their checksums right. */
#ifndef BENCH_FLOOD_H
#define BENCH_FLOOD_H

#include <stdint.h>

enum { FLOOD = 16384, FLOOD_BYTES = 44 };

/* SYNs to PORT of `to`, each from another address and port, with an MSS option. */
void flood_make(uint8_t packets[FLOOD][FLOOD_BYTES], const uint8_t to[4]);

#endif
