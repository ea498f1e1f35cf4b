/* bottleneck.h - where packets wait for a link of limited rate: one after the other is put on the
 * wire, the others queue up, and those that find the queue full are dropped (drop tail).
 *
 * The queue is never walked through: a packet's departure is known when it comes. Kept are only the
 * times at which the waiting ones will begin to leave, to know how many still wait.
 */
#ifndef TERN_LAB_BOTTLENECK_H
#define TERN_LAB_BOTTLENECK_H

#include "lab/link.h"

struct bottleneck {
    uint64_t free_at; /* when the last packet will have left, ns */
    uint64_t rest;    /* what free_at was rounded down by, in 1/rate ns */
    uint64_t *begins; /* ring: when each waiting packet begins to leave */
    uint32_t head, count, size;
};

/* A packet of `len` bytes comes at `now`. *departs: when its last bit is on the wire. false: the
 * queue is full, or there is no memory to make it longer. */
bool bottleneck_pass(struct bottleneck *b, const struct lab_impair *conf, size_t len, uint64_t now,
                     uint64_t *departs);
/* How many wait. */
uint32_t bottleneck_waiting(struct bottleneck *b, uint64_t now);
void bottleneck_destroy(struct bottleneck *b);

#endif
