/* impair.h - what is to happen to a packet: decided by rules and by chance, done by link.c.
 *
 * Each kind of decision has its own stream of random numbers in each direction, and draws from it
 * for every packet, whatever else becomes of that packet. So the n-th packet's fate by one option
 * does not depend on which other options are in use.
 */
#ifndef TERN_LAB_IMPAIR_H
#define TERN_LAB_IMPAIR_H

#include "lab/link.h"
#include "lab/random.h"

enum impair_stream {
    IMPAIR_LOSS,
    IMPAIR_DUPLICATE,
    IMPAIR_CORRUPT,
    IMPAIR_CORRUPT_BIT, /* only for packets chosen */
    IMPAIR_REORDER,
    IMPAIR_REORDER_BY, /* only for packets chosen */
    IMPAIR_JITTER,
    IMPAIR_BOX, /* link.c: what the middlebox does */
    IMPAIR_STREAMS
};

/* One direction's. */
struct impair {
    struct lab_impair conf;
    struct lab_random stream[IMPAIR_STREAMS];
    bool losing;     /* in a burst of losses */
    uint64_t tokens; /* of the policer: bits, in 1/10^9, */
    uint64_t filled; /* at this time; 0: it is full */
};

struct impair_verdict {
    bool lost, duplicate, corrupt;
    uint8_t wait;    /* packets that are to pass it; 0: it is not held back */
    uint64_t bit;    /* corrupt: which one, from the first byte's highest on */
    uint64_t jitter; /* ns */
};

struct impair_rule {
    struct lab_drop conf;
    uint64_t seen; /* packets of its kind and direction */
};

enum { IMPAIR_WAIT_MAX = 3 };

void impair_init(struct impair *m, const struct lab_impair *conf, uint64_t seed, int dir);
/* Draws for a packet of `len` bytes. */
void impair_decide(struct impair *m, size_t len, struct impair_verdict *v);
/* Whether so many bytes are within what is policed; they count if they are. */
bool impair_police(struct impair *m, size_t len, uint64_t now);
/* How long a packet is held back at the most, ns. */
uint64_t impair_hold(const struct lab_impair *conf);

/* The kind of a packet, by the first of: RST, SYN with and without ACK, FIN, data, anything else of
 * TCP. LAB_KINDS: no TCP. */
enum lab_kind impair_kind(const uint8_t *data, size_t len);
/* Counts the packet by every rule; true: one of them drops it. */
bool impair_rules(struct impair_rule *rules, size_t n, int dir, const uint8_t *data, size_t len);

#endif
