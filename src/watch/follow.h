/* follow.h - follows both ends of every connection through the states, from packets alone,
 * judges them by the rules of rules.h and counts what tools for captures count.
 *
 * It shares nothing with the stack but the readers of headers: what it says is a second opinion.
 * It sees the packets in the order of one place on the way, so it holds no end to what it cannot
 * have known: a segment that passed may be lost behind that place, and two that passed in one
 * order may arrive in another.
 *
 * An end's state is what its own packets show: a FIN counts as received when it is acknowledged.
 * Only acknowledgements and RSTs, which nothing answers, are taken to arrive.
 */
#ifndef TERN_WATCH_FOLLOW_H
#define TERN_WATCH_FOLLOW_H

#include "tern/info.h"
#include "watch/packet.h"
#include "watch/rules.h"

struct follow;

enum { FOLLOW_RECENT = 64, FOLLOW_ISNS = 4 };

/* What a segment is to those who look for trouble; the names and the meanings are those of the
 * analysis in Wireshark, so that both give the same counts. One difference: what comes soon after
 * a SACK that lacks it is sent again because of that (fast), not out of order. */
enum follow_kind {
    FOLLOW_RETRANSMISSION = 1 << 0, /* by a timer, or for no reason that can be seen */
    FOLLOW_FAST = 1 << 1,           /* after duplicate ACKs */
    FOLLOW_SPURIOUS = 1 << 2,       /* of what was acknowledged */
    FOLLOW_OUT_OF_ORDER = 1 << 3,
    FOLLOW_DUP_ACK = 1 << 4,
    FOLLOW_ZERO_WINDOW = 1 << 5,
    FOLLOW_WINDOW_UPDATE = 1 << 6,
    FOLLOW_KEEP_ALIVE = 1 << 7,
    FOLLOW_MISSING_BEFORE = 1 << 8, /* a segment before it was not seen */
    FOLLOW_MISSING_ACKED = 1 << 9,  /* it acknowledges what was not seen */
    FOLLOW_KINDS = 10,
};

/* Data that was sent, to be known again. */
struct follow_data {
    uint32_t seq, len;
    uint16_t sum;
};

/* One end, as far as its packets tell. */
struct follow_end {
    tern_addr addr;
    uint32_t isn;               /* of its SYN; else one less than the first number seen */
    uint32_t isns[FOLLOW_ISNS]; /* all that its SYNs had: of many the first ones, and the latest */
    uint32_t isn_count;
    uint32_t snd_max;        /* the number after the highest it has sent */
    uint32_t ack;            /* the highest it has acknowledged */
    uint32_t edge;           /* the highest number it has offered a window for, exclusive */
    uint32_t fin;            /* of its FIN: the number the FIN takes */
    uint32_t rst;            /* of its RST */
    uint32_t ts_max, ts_new; /* its highest TSval; that of its newest new data */
    uint32_t ts_first;       /* that of its first SYN */
    uint32_t ack_at, ack_ts; /* an acknowledgement, and the TSval that it came with */
    uint32_t wnd;            /* the window in its latest segment, scaled */
    uint16_t mss;            /* 0: not announced */
    uint8_t options, wscale; /* WIRE_OPT_* of any of its SYNs */
    uint8_t options_all;     /* of all of them */
    uint16_t ecn;            /* TCP_ECE, TCP_CWR and TCP_AE of its SYNs */
    uint8_t state;           /* enum tern_state */
    bool syn, based, acked, edged, fin_sent, rst_sent, ts_seen, data, wscale_sent;
    uint32_t acks[16]; /* the latest acknowledgement numbers, for RSTs that quote them */
    uint32_t acks_next;
    struct follow_data *recent; /* FOLLOW_RECENT of them; NULL before its first data */
    uint32_t recent_next;
    /* for follow_kind, in the terms of that analysis */
    uint32_t next_seq, last_ack, last_wnd, dup_acks;
    uint64_t next_seq_time, last_ack_time;
    bool next_seq_known, last_ack_known, window_seen;
    bool keep_alive; /* its latest segment was one */
    bool settled;    /* which of its SYNs counts is known */
    bool spoke;      /* it has sent other things than SYN and RST */
    uint32_t sack_count;
    struct wire_sack sack[WIRE_SACK_MAX];
    /* counts */
    uint64_t segments, bytes, kinds[FOLLOW_KINDS];
    uint64_t state_since, state_time[TERN_STATE_COUNT]; /* ns; without the present state's */
};

enum follow_outcome {
    FOLLOW_OPEN,
    FOLLOW_CLOSED,
    FOLLOW_RESET,
    FOLLOW_REFUSED,
    FOLLOW_HALF_OPEN, /* a SYN and nothing else, or a handshake without an end */
};

struct follow_conn {
    struct follow_conn *chain; /* others of the same hash, the newest first */
    uint64_t hash;
    uint32_t number;                          /* from 1 */
    struct follow_end end[2];                 /* [0] sent the first packet, or the SYN */
    uint64_t began, established, ended, last; /* 0: not */
    uint64_t syn_time, rtt;                   /* of the handshake, ns; 0: not known */
    int closed_first, reset_by;
    bool time_wait_reset; /* by an RST while one of them was in TIME-WAIT */
    uint32_t reuses;      /* the connection whose TIME-WAIT it cut short; 0: none */
    uint64_t violations;
    void *user;
};

struct follow_packet {
    uint64_t time;   /* ns */
    uint64_t number; /* in the capture, or of the call */
    const uint8_t *data;
    size_t have, len; /* bytes at hand; of the whole IP packet */
};

struct follow_finding {
    enum watch_rule rule;
    const struct follow_conn *conn;
    int end; /* whose segment it is */
    const struct follow_packet *packet;
    uint64_t a, b; /* for the sentence */
};

struct follow_config {
    unsigned trust; /* RULE_ALL and RULE_WIRE, if that is so */
    uint32_t conns_max;
    void (*finding)(void *user, const struct follow_finding *f); /* may be NULL */
    /* an end is in another state: told before the segment that shows it, or after the one that
     * caused it (`after`). May be NULL */
    void (*state)(void *user, const struct follow_conn *k, int end, enum tern_state from,
                  enum tern_state to, bool after);
    void *user;
};

/* NULL: no memory. */
struct follow *follow_new(const struct follow_config *conf);
void follow_free(struct follow *f);
/* What there is of the traffic from now on: follow_config.trust. */
void follow_trust(struct follow *f, unsigned trust);

/* What became of a packet. */
struct follow_result {
    struct follow_conn *conn; /* NULL: not followed */
    int from;
    bool began;     /* it is the connection's first */
    unsigned kinds; /* enum follow_kind */
    struct packet packet;
};
void follow_packet(struct follow *f, const struct follow_packet *p, struct follow_result *out);

uint32_t follow_count(const struct follow *f);
/* By number - 1. */
struct follow_conn *follow_conn(const struct follow *f, uint32_t i);
uint64_t follow_ignored(const struct follow *f); /* packets that are no TCP, or beyond conns_max */
enum follow_outcome follow_outcome(const struct follow_conn *k);
/* For how long an end has been in a state by `now`, ns: TIME-WAIT for no more than a minute. */
uint64_t follow_state_time(const struct follow_end *e, enum tern_state state, uint64_t now);
/* Whether it is the acknowledgement of one of the end's SYNs. */
bool follow_acks_syn(const struct follow_end *e, uint32_t ack);
/* Relative to the end's ISN. */
static inline uint32_t follow_relative(const struct follow_end *e, uint32_t seq)
{
    return seq - e->isn;
}

#endif
