/* packets.h - a fixture: packets made by hand, byte by byte, and checked the same way. Nothing here
 * uses the code under test. */
#ifndef TERN_TEST_PACKETS_H
#define TERN_TEST_PACKETS_H

#include "tern/tern.h"

enum { PACKET_BYTES = 70000 };

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16, URG = 32, ECE = 64, CWR = 128 };

struct packet {
    uint8_t data[PACKET_BYTES];
    size_t len;
    size_t tcp;     /* where TCP begins */
    size_t payload; /* where its payload begins */
    tern_pkt pkt;
};

struct packet_args {
    int version; /* 4, 6; 66: IPv6 with an extension header */
    uint16_t flags;
    size_t options; /* bytes of TCP options, a multiple of 4, at most 40 */
    size_t payload; /* bytes, counting up from `first` */
    uint8_t first;
    uint32_t seq;
    bool no_df;        /* IPv4 without DF: the identification counts */
    uint16_t gso_size; /* 0: a single packet */
    bool partial;      /* the checksum is left to the device */
};

/* A TCP packet in one piece. */
void packet_make(struct packet *p, const struct packet_args *args);
/* The same in `n` pieces, cut at `cuts[0..n-1)`, which must not decrease. */
void packet_cut(struct packet *p, const size_t *cuts, size_t n);
/* Any bytes, unchanged by anyone: `number` in the first four. */
void packet_raw(struct packet *p, uint32_t number, size_t len);
uint32_t packet_number(const void *data);

/* Whether the checksums of IP and TCP are right, summed slowly. */
bool packet_sums_right(const uint8_t *data, size_t len);

#endif
