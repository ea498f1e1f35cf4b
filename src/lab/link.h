/* link.h - a link between two ends: a queue each way that can lose, delay, reorder, duplicate,
 * corrupt and slow down what passes, by a seed.
 *
 * Impairment acts on packets as they would be on a wire: super-segments are split and checksums
 * completed first, so a corrupted packet carries no "checksum good". Only a link that is neither
 * impaired (but for a constant delay) nor watched passes super-segments whole.
 *
 * What befalls a packet is decided when it leaves, in this order: a rule drops it; it is larger
 * than the MTU; it is lost by chance; a bit of it is flipped; it is duplicated (the copy is intact
 * and follows directly); each copy waits for the rate, if the queue has room; delay and jitter; it
 * is held back so that later packets overtake it. A middlebox (box.h), where there is one, changes
 * what is not lost by then, before it is corrupted or duplicated.
 *
 * The link has no clock: whoever calls says what time it is, in virtual or in real time.
 */
#ifndef TERN_LAB_LINK_H
#define TERN_LAB_LINK_H

#include "lab/box.h"
#include "tern/tern.h"

/* Kinds of TCP packets, for dropping the first ones of a kind. */
enum lab_kind { LAB_SYN, LAB_SYNACK, LAB_ACK, LAB_DATA, LAB_FIN, LAB_RST, LAB_KINDS };

/* What happened to a packet, told to the tap: LAB_SENT first, and at the same moment one of the
 * next four if it gets no further; else LAB_ARRIVED, and LAB_PROCESSED after the other end has
 * taken it, and it alone. */
enum lab_fate {
    LAB_SENT,      /* it left its end (also each duplicate of it, marked so) */
    LAB_LOST,      /* by chance */
    LAB_DROPPED,   /* by a rule: kind or index */
    LAB_OVERFLOW,  /* the queue was full */
    LAB_TOO_BIG,   /* over the link's MTU */
    LAB_ARRIVED,   /* about to be processed by the other end */
    LAB_PROCESSED, /* the other end has processed it */
};

enum {                    /* lab_event.marks: what else befalls it; known from LAB_SENT on */
       LAB_DUPLICATE = 1, /* the second copy */
       LAB_CORRUPTED = 2, /* a bit is flipped; at LAB_SENT the data is still as it was */
       LAB_LATE = 4,      /* held back so that others overtake it */
       LAB_PIECE = 8,     /* a middlebox has made it of another packet */
};

struct lab_event {
    uint64_t now;
    uint64_t id;   /* the packet's number on this link; the same for all its events. The number of
                      a second copy is the next one */
    uint64_t sent; /* when it left */
    enum lab_fate fate;
    uint8_t marks;
    uint8_t dir; /* 0: from end 0 to end 1 */
    const uint8_t *data;
    size_t len;
};

/* One direction. All zero: a perfect link. Probabilities 0 to 1. */
struct lab_impair {
    double loss, duplicate, corrupt;
    double reorder; /* held back until 1 to 3 later packets (that are not held back) have passed,
                       but for max(delay / 2, 10 ms) at the most */
    uint64_t delay, jitter; /* ns; jitter is uniform in [0, jitter] and keeps the order */
    uint64_t rate;          /* bits per second, IP headers included; 0: no limit */
    uint32_t queue;         /* packets that may wait for the rate; 0: 1000 */
    uint32_t mtu;           /* larger packets are dropped; 0: no limit */
    double burst;           /* losses come in bursts of so many packets on average (Gilbert's
                               model); 0 or 1: each by itself */
    uint64_t police; /* bits per second: what exceeds it is dropped, not queued; 0: nothing, */
    uint32_t police_burst; /* but for so many bytes at once */
    uint32_t mark;         /* ECN-capable packets that find so many waiting are marked; 0: none */
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
    /* must not call the link; NULL: unwatched */
    void (*tap)(void *user, const struct lab_event *event);
    void *user;
};

enum { LAB_BATCH = 64 }; /* packets handed over at once */

/* Most memory of packets under way on one link; beyond it the queue is full. */
#define LAB_BYTES_MAX ((size_t)256 << 20)

struct lab_link;

/* NULL: no memory. `conf` is copied, drops included. */
struct lab_link *lab_link_new(const struct lab_config *conf);
void lab_link_free(struct lab_link *l);
/* Changes one direction from now on; what is under way, and the random numbers, go on. */
void lab_link_change(struct lab_link *l, int dir, const struct lab_impair *impair);
/* Puts a middlebox into one direction, or (NULL) takes it away. */
void lab_link_box(struct lab_link *l, int dir, const struct lab_box *box);

/* Whether packets may be handed to the other end as they are. */
bool lab_link_transparent(const struct lab_link *l, int dir);
/* They were: counts them. */
void lab_link_passed(struct lab_link *l, int dir, const tern_pkt *pkts, size_t n);
/* A packet leaves end `dir`. Its memory is not kept. */
void lab_link_send(struct lab_link *l, int dir, const tern_pkt *pkt, uint64_t now);
/* Up to `max` packets that have arrived at the other end by `now`; their memory is the link's until
 * lab_link_received(). A watched link gives one at a time. */
size_t lab_link_receive(struct lab_link *l, int dir, tern_pkt *pkts, size_t max, uint64_t now);
/* The packets of the last lab_link_receive() have been processed. */
void lab_link_received(struct lab_link *l, int dir, uint64_t now);
/* When the next packet arrives; TERN_NEVER. */
uint64_t lab_link_next(const struct lab_link *l, int dir);

/* Wire packets, also where super-segments passed whole. What was sent or duplicated and has neither
 * arrived nor been lost, dropped, overflowed or too big is under way. */
struct lab_counts {
    uint64_t sent; /* second copies not counted */
    uint64_t duplicated, lost, dropped, overflowed, too_big, corrupted, late, marked;
    uint64_t joined, split;  /* by a middlebox: into others; pieces of others */
    uint64_t arrived, bytes; /* packets; their bytes */
};
const struct lab_counts *lab_link_counts(const struct lab_link *l, int dir);

/* Splits a super-segment into wire packets with complete checksums and passes each to `emit` (a
 * single packet is passed once). false: malformed, nothing was emitted. */
typedef void (*lab_emit_fn)(void *user, uint8_t *data, size_t len);
bool lab_segment(const tern_pkt *pkt, lab_emit_fn emit, void *user);

#endif
