/* segment.h - software segmentation: a packet as a stack hands it out becomes the packets a wire
 * would carry, one after the other, each copied once and with its checksums complete. */
#ifndef TERN_LAB_SEGMENT_H
#define TERN_LAB_SEGMENT_H

#include "lab/link.h"
#include "wire/tcp.h"

enum {
    SEGMENT_HEADER_MAX = WIRE_IP6_HEADER + WIRE_EXT_BYTES + WIRE_TCP_HEADER + WIRE_TCP_OPTIONS_MAX,
    SEGMENT_PACKET_MAX = WIRE_IP6_HEADER + UINT16_MAX, /* the largest IP packet */
};

struct segmenter {
    const tern_pkt *pkt; /* the caller's; must stay until the last packet is taken */
    struct cksum_ops cksum;
    uint32_t piece;   /* the iov of the next byte, */
    size_t piece_off; /* and where in it */
    size_t left;      /* bytes of payload to come; of everything, in a single packet */
    /* of a super-segment; 0 else */
    uint32_t header_len, ip_len;        /* all headers; those before TCP's */
    uint32_t size;                      /* payload of each packet but the last */
    uint32_t count;                     /* packets taken */
    struct wire_ip ip;                  /* its addresses */
    uint8_t header[SEGMENT_HEADER_MAX]; /* as they were */
};

/* false: malformed (lengths that do not fit each other, no TCP, a checksum outside of the
 * packet). */
bool segment_begin(struct segmenter *s, const tern_pkt *pkt, struct cksum_ops cksum);
/* The length of the next packet, at most SEGMENT_PACKET_MAX; 0: there is none. */
size_t segment_len(const struct segmenter *s);
/* Writes it. */
void segment_take(struct segmenter *s, uint8_t *to);

/* Marks an IP packet as having met congestion (RFC 3168 5). false: it is not ECN-capable. */
bool segment_mark(uint8_t *packet, size_t len);

/* A packet as it is, in one piece. */
void segment_gather(const tern_pkt *pkt, uint8_t *to);

#endif
