/* link.h - a link between two ends: a queue each way that can lose, delay, reorder, duplicate, corrupt
 * and slow down what passes, by a seed.
 *
 * Impairment acts on packets as they would be on a wire: super-segments are split and checksums
 * completed first, so a corrupted packet carries no "checksum good". Only a link that is neither
 * impaired nor watched passes super-segments whole.
 *
 * The link has no clock: whoever calls says what time it is, in virtual or in real time.
 */
#ifndef TERN_LAB_LINK_H
#define TERN_LAB_LINK_H

#include "tern/tern.h"

/* Kinds of TCP packets, for dropping the first ones of a kind. */
enum lab_kind { LAB_SYN, LAB_SYNACK, LAB_ACK, LAB_DATA, LAB_FIN, LAB_RST, LAB_KINDS };

/* What happened to a packet, told to the tap. */
enum lab_fate {
    LAB_SENT,      /* it left its end (also each duplicate of it, marked so) */
    LAB_LOST,      /* by chance */
    LAB_DROPPED,   /* by a rule: kind or index */
    LAB_OVERFLOW,  /* the queue was full */
    LAB_TOO_BIG,   /* over the link's MTU */
    LAB_ARRIVED,   /* about to be processed by the other end */
    LAB_PROCESSED, /* the other end has processed it */
};

enum {                    /* lab_event.marks: what else befell it */
       LAB_DUPLICATE = 1, /* the second copy */
       LAB_CORRUPTED = 2, /* a bit was flipped */
       LAB_LATE = 4,      /* held back so that others overtake it */
};

struct lab_event {
    uint64_t now;
    uint64_t id;   /* the packet's number on this link; the same for all its events */
    uint64_t sent; /* when it left */
    enum lab_fate fate;
    uint8_t marks;
    uint8_t dir; /* 0: from end 0 to end 1 */
    const uint8_t *data;
    size_t len;
};

/* One direction. All zero: a perfect link. Probabilities 0 to 1. */
struct lab_impair {
    double loss, duplicate, corrupt, reorder;
    uint64_t delay, jitter; /* ns; jitter is uniform in [0, jitter] and keeps the order */
    uint64_t rate;          /* bits per second; 0: no limit */
    uint32_t queue;         /* packets that may wait for the rate; 0: 1000 */
    uint32_t mtu;           /* larger packets are dropped; 0: no limit */
};

/* Drops packets by rule: numbers [first, first + count) of that kind (or of all kinds, LAB_KINDS),
 * counted from 1 in both directions together, or in one. */
struct lab_drop {
    enum lab_kind kind;
    uint32_t first, count;
    int dir; /* -1: both */
};

struct lab_config {
    uint64_t seed;
    struct lab_impair dir[2];
    const struct lab_drop *drops;
    size_t drop_count;
    void (*tap)(void *user, const struct lab_event *event); /* NULL: unwatched */
    void *user;
};

struct lab_link;

/* NULL: no memory. `conf` is copied, drops included. */
struct lab_link *lab_link_new(const struct lab_config *conf);
void lab_link_free(struct lab_link *l);

/* Whether packets may be handed to the other end as they are. */
bool lab_link_transparent(const struct lab_link *l, int dir);
/* A packet leaves end `dir`. Its memory is not kept. */
void lab_link_send(struct lab_link *l, int dir, const tern_pkt *pkt, uint64_t now);
/* Up to `max` packets that have arrived at the other end by `now`; their memory is the link's until
 * lab_link_received(). A watched link gives one at a time. */
size_t lab_link_receive(struct lab_link *l, int dir, tern_pkt *pkts, size_t max, uint64_t now);
/* The packets of the last lab_link_receive() have been processed. */
void lab_link_received(struct lab_link *l, int dir, uint64_t now);
/* When the next packet arrives; TERN_NEVER. */
uint64_t lab_link_next(const struct lab_link *l, int dir);

struct lab_counts {
    uint64_t sent, lost, dropped, overflowed, too_big, corrupted, duplicated, late, arrived, bytes;
};
const struct lab_counts *lab_link_counts(const struct lab_link *l, int dir);

/* Splits a super-segment into wire packets with complete checksums and passes each to `emit` (a
 * single packet is passed once). false: malformed, nothing was emitted. */
typedef void (*lab_emit_fn)(void *user, uint8_t *data, size_t len);
bool lab_segment(const tern_pkt *pkt, lab_emit_fn emit, void *user);

#endif
