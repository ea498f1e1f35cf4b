/* timeline.h - the life of connections as lines for people: both ends' states, the segment between
 * them, what happened to it, and a summary at the end.
 *
 * It is told of packets and of state changes and writes text; it does no I/O and has no clock. End
 * 0 stands on the left (the program), end 1 on the right. Sentences stand in one table
 * (messages.h).
 */
#ifndef TERN_WATCH_TIMELINE_H
#define TERN_WATCH_TIMELINE_H

#include "tern/trace.h"

struct timeline;

struct timeline_config {
    int width;      /* columns; from 100 on, states stand in two columns */
    bool colour;    /* ANSI colours */
    bool utf8;      /* arrows and dashes beyond ASCII */
    uint64_t start; /* time 0 of the lines, ns */
    uint64_t msl;   /* for how long TIME-WAIT lasts, ns */
    uint32_t first; /* the number of the first connection; 0: 1 */
    /* The text of one or more whole lines. */
    void (*write)(void *user, const char *text, size_t len);
    /* The process that owns this end-0 address, as "curl[4711]"; "" if unknown. May be NULL. */
    void (*process)(void *user, const tern_addr *local, const tern_addr *peer, char *out,
                    size_t cap);
    void *user;
};

enum timeline_fate {
    TIMELINE_LOST,      /* lost on the way */
    TIMELINE_DROPPED,   /* dropped as the user asked */
    TIMELINE_OVERFLOW,  /* the queue was full */
    TIMELINE_TOO_BIG,   /* over the link's MTU */
    TIMELINE_ARRIVED,   /* the other end is about to take it in: what it does is told next, ... */
    TIMELINE_PROCESSED, /* ... and now it has */
};

enum { TIMELINE_DUPLICATE = 1, TIMELINE_CORRUPTED = 2, TIMELINE_LATE = 4 }; /* marks */

struct timeline_packet {
    uint64_t id;        /* the same for all calls about one packet */
    uint64_t sent, now; /* when it left its end; when this is said */
    int from;           /* end 0 or 1 */
    uint8_t marks;
    const uint8_t *data; /* an IP packet */
    size_t len;
    size_t have; /* bytes of it at hand, if a capture has cut it; 0: all */
};

/* NULL: no memory. */
struct timeline *timeline_new(const struct timeline_config *conf);
/* Writes what is still folded and the summaries of connections that have none yet, and frees. */
void timeline_free(struct timeline *t, uint64_t now);

/* A packet left its end. */
void timeline_sent(struct timeline *t, const struct timeline_packet *p);
/* And this became of it. */
void timeline_fate(struct timeline *t, const struct timeline_packet *p, enum timeline_fate fate);
/* A record of the stack at that end: states and retransmissions are used. */
void timeline_trace(struct timeline *t, int end, const tern_trace *record);
/* Some lines wait for what comes next: a fold for more of its kind, a change of state for the
 * segment that goes with it. When timeline_flush() should be called if nothing else is told before;
 * TERN_NEVER. */
uint64_t timeline_due(const struct timeline *t);
/* Writes what has waited long enough. */
void timeline_flush(struct timeline *t, uint64_t now);

/* Totals over all connections, for --json and the like. */
struct timeline_totals {
    uint32_t connections, established, refused, reset, timed_out;
    uint64_t segments, retransmitted, lost, bytes_up, bytes_down;
};
void timeline_totals(const struct timeline *t, struct timeline_totals *out);

/* One connection's facts, in the order in which they began. `i` from 0; false: no such one. */
struct timeline_connection {
    uint32_t number;
    tern_addr end[2];
    char process[64];
    uint64_t began, established, ended; /* 0: not */
    uint32_t isn[2];
    uint16_t mss[2];
    uint64_t rtt; /* of the handshake, ns */
    uint64_t bytes[2], segments[2], lost[2], retransmitted[2];
    uint8_t state[2];
    int closed_first;    /* end, or -1 */
    const char *outcome; /* "closed", "refused", "reset by client", "timed out", ... */
};
bool timeline_connection(const struct timeline *t, uint32_t i, struct timeline_connection *out);

#endif
