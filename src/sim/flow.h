/* flow.h - the programs at both ends of a connection: they write a stream that its key determines,
 * compare what they read with the other's, and end as they are meant to. */
#ifndef TERN_SIM_FLOW_H
#define TERN_SIM_FLOW_H

#include "base/ranges.h"
#include "sim/plan.h"

enum { HELD_MAX = 4, HEARD_MAX = 48, FIRSTS = 64 };

struct play;
struct flow;

/* Numbers that have arrived at an end, as they were when they did. */
struct heard {
    struct ranges set;
    struct range at[HEARD_MAX];
    uint32_t isn;      /* of the SYN that came last before it was open */
    bool begun, known; /* something is in it; all of it is */
};

/* When a segment was sent for the first time, by its host's clock. */
struct first {
    uint32_t seq;
    uint64_t at;
};

struct flow_end {
    struct play *play;
    struct flow *flow;
    const struct habit *habit;
    int side, host;
    tern *s;
    tern_sock sock; /* id 0: none yet, or no more */
    uint64_t key;   /* of what it sends */
    uint64_t sent, received;
    uint64_t next_read, next_write; /* not before; ns */
    uint64_t end_at;              /* what is to be sent is; not before this it ends. 0: it is not */
    uint64_t wrote;               /* when it last wrote */
    uint64_t hungry;              /* since when it has read all there is, 0: it has not */
    tern_sock held[HELD_MAX];     /* wait for its answer, */
    uint64_t answer_at[HELD_MAX]; /* which comes then */
    uint32_t told;                /* events that come once, and have */
    bool paused;
    bool readable, writable; /* the last call did not meet TERN_EAGAIN */
    bool opened, shut, eof, done;
    int err;           /* why it ended early */
    uint32_t iss, irs; /* once it is open */
    struct heard heard;
    uint32_t una, nxt, edge; /* as last seen, to see that they do not go back */
    uint32_t high;           /* the number after the highest it was seen to send */
    struct first first[FIRSTS];
    uint16_t timeouts;          /* that it has told of */
    uint32_t rest, window_rest; /* looks that are left out yet: check_look() */
    bool seen;
};

struct flow {
    const struct flow_plan *plan;
    struct flow_end end[2]; /* [0]: who opens it */
    tern_sock listener;
    uint32_t number;      /* its ports; those after it have the same */
    uint32_t generation;  /* of those with that number */
    uint32_t again;       /* so many more are to come */
    uint16_t local_shift; /* its opener's port is another */
    uint64_t begins;      /* not before, ns */
    bool begun, dead;     /* dead: it could not begin, for want of memory */
    bool excused;         /* it was meddled with so that it may fail */
    uint64_t progress;    /* when something was last sent or read */
};

/* Bytes `offset` to `offset + len` of a stream. */
void stream_bytes(uint64_t key, uint64_t offset, uint8_t *to, size_t len);
/* Whether these are they. */
bool stream_is(uint64_t key, uint64_t offset, const uint8_t *got, size_t len);

/* The ports of flow number n are these and n. */
enum { SIM_PORT = 80, SIM_LOCAL_PORT = 10000 };

/* Both ends are graceful and nothing takes their memory: then it must succeed. */
bool flow_must_succeed(const struct flow *f);
bool flow_done(const struct flow *f);

void flow_init(struct play *play, struct flow *f, const struct flow_plan *plan);
/* The next one with its ports, which begins then. */
void flow_follow(struct flow *f, struct flow *before, uint64_t begins);
/* A host has lost its connections; `s` is its new stack. */
void flow_crash(struct flow *f, int host, tern *s);
/* By when a program that waits on purpose goes on; 0: none does. */
uint64_t flow_waits(const struct flow *f);
/* Opens a flow whose time has come, and lets both ends do what they can now. */
void flow_wake(struct flow *f, uint64_t now);
/* When flow_wake() has something to do again; TERN_NEVER. */
uint64_t flow_next(const struct flow *f);
void flow_event(struct flow_end *e, const tern_event *ev);
/* A packet has come to this end, or leaves it: for sim_sink.step. */
void flow_packet(const struct flow_end *e, bool heard, const uint8_t *data, size_t len);
/* Ends what is left: the listener, and ends that hear nothing any more. */
void flow_close(struct flow *f);

#endif
