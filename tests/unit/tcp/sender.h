/* sender.h - a fixture: a stack that sends, and a peer that acknowledges as a test wants it.
 * Numbers are segments of SEG bytes: segment 0 is the first of the stream. */
#ifndef TERN_TESTS_SENDER_H
#define TERN_TESTS_SENDER_H

#include "rig.h"

enum { SEG = 1000, RTT_MS = 100 };

/* What a test may choose before sender_new(); zero: 100 ms, SACK, no timestamps, large window. */
struct sender_opt {
    uint64_t rtt;
    bool no_sack, ts,
        small; /* `small`: a send buffer that grows with the window, not a large one */
    const tern_cc_ops *cc;
};

/* A connection whose handshake took one round trip, with nothing in flight. */
struct peer *sender_new(struct rig *r, struct sender_opt opt);
/* Queues `n` segments behind what was queued before. */
void queue(struct peer *p, unsigned n);
/* Exactly these segments come next, [lo, hi), and nothing else is sent. */
void sends(struct peer *p, unsigned lo, unsigned hi);
/* The same, one at a time, with more to come. */
void sends_first(struct peer *p, unsigned lo, unsigned hi);
/* Cumulative acknowledgement of all before segment `una`. */
void ack(struct peer *p, unsigned una);
/* With SACK blocks: pairs lo, hi; ends with lo == hi. */
void sack(struct peer *p, unsigned una, ...);
/* The next packet comes after `ns`, as exactly as the round trip was measured. */
void after(struct peer *p, uint64_t ns);
tern_tcp_info info(struct peer *p);
/* cwnd, ssthresh in segments and phase. */
void is(struct peer *p, enum tern_phase ca, unsigned cwnd, unsigned ssthresh);
#define ANY 0xffffffffu
/* Slow start until cwnd is `cwnd` segments; returns the next segment to be sent. */
unsigned grown(struct peer *p, unsigned cwnd);

#endif
