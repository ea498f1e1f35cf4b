/* grid.h - every segment in every state (RFC 9293 3.10.7), and what must come of it: each
 * combination of the six flags, of where the segment stands in the receive window, of what it
 * acknowledges, and of its length.
 *
 * The expectations follow the RFC's own order: 3.10.7.1 to 3.10.7.4, with RFC 5961 (challenge ACKs)
 * and RFC 1337 (RST in TIME-WAIT). Where an RFC leaves the choice, or tern departs from it, the
 * line says so. Nothing of src/ is looked at.
 */
#ifndef TERN_TESTS_GRID_H
#define TERN_TESTS_GRID_H

#include "rig.h"

/* The RFC's states, and those that are kept in two ways here. */
enum where {
    IN_CLOSED,
    IN_LISTEN,
    IN_SYN_SENT,
    IN_SYN_RECEIVED_PASSIVE,      /* an entry of the listener */
    IN_SYN_RECEIVED_SIMULTANEOUS, /* a connection */
    IN_ESTABLISHED,
    IN_FIN_WAIT_1,
    IN_FIN_WAIT_2,
    IN_CLOSE_WAIT,
    IN_CLOSING,
    IN_LAST_ACK,
    IN_TIME_WAIT,        /* its owner has not closed */
    IN_TIME_WAIT_CLOSED, /* it has: 64 bytes are left */
    WHERES
};

enum { FLIGHT = 10, TEXT = 10 }; /* bytes: sent by the stack and not acknowledged; a long text */

/* The connection as the test has made it; all numbers absolute. */
struct here {
    enum where where;
    uint32_t iss, una, nxt; /* of the stack */
    uint32_t irs, rcv, wnd; /* what it expects of us */
    uint32_t wnd_max;       /* the largest window we have offered */
};

struct probe {
    unsigned flags;
    uint32_t seq, ack, len;
};

/* What must come of it; `flags` 0: silence. */
struct want {
    enum tern_state state;
    unsigned flags;
    uint32_t seq, ack;
};

enum { SEQS = 7, ACKS = 6, LENS = 3, FLAG_SETS = 64 };

extern const char *const grid_where[WHERES], *const grid_seq[SEQS], *const grid_ack[ACKS];
/* "SA"; in one of four static buffers. */
const char *grid_flags(unsigned flags);
/* The state of which it is a kind. */
enum tern_state grid_state(enum where where);
/* The segment at a place of the grid: of the classes of sequence, acknowledgement and length. */
struct probe grid_probe(const struct here *h, unsigned flags, const unsigned at[3]);
/* What the RFCs say. */
struct want grid_wants(const struct here *h, const struct probe *g);
/* A whole case in one line, in a static buffer. */
const char *grid_text(enum where where, unsigned flags, const unsigned at[3]);

#endif
