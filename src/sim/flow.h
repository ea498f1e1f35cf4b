/* flow.h - the programs at both ends of a connection: they write a stream that its key determines,
 * compare what they read with the other's, and end as they are meant to. */
#ifndef TERN_SIM_FLOW_H
#define TERN_SIM_FLOW_H

#include "sim/plan.h"

struct play;
struct flow;

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
    bool readable, writable;        /* the last call did not meet TERN_EAGAIN */
    bool opened, shut, eof, done;
    int err;           /* why it ended early */
    uint32_t una, nxt; /* as last seen, to see that they do not go back */
    bool seen;
};

struct flow {
    const struct flow_plan *plan;
    struct flow_end end[2]; /* [0]: who opens it */
    tern_sock listener;
    bool begun, dead;  /* dead: it could not begin, for want of memory */
    uint64_t progress; /* when something was last sent or read */
};

/* Both ends are graceful and nothing takes their memory: then it must succeed. */
bool flow_must_succeed(const struct flow *f);
bool flow_done(const struct flow *f);

void flow_init(struct play *play, struct flow *f, const struct flow_plan *plan);
/* Opens a flow whose time has come, and lets both ends do what they can now. */
void flow_wake(struct flow *f, uint64_t now);
/* When flow_wake() has something to do again; TERN_NEVER. */
uint64_t flow_next(const struct flow *f);
void flow_event(struct flow_end *e, const tern_event *ev);
/* Ends what is left: the listener, and ends that hear nothing any more. */
void flow_close(struct flow *f);

#endif
