/* play.h - a world in motion. */
#ifndef TERN_SIM_PLAY_H
#define TERN_SIM_PLAY_H

#include "sim/flow.h"
#include "watch/follow.h"

struct show;

struct play {
    const struct sim_config *conf;
    struct sim_result *result;
    struct plan plan;
    struct lab_world *world;
    struct lab_random random; /* lateness and strays */
    struct flow flow[FLOWS_MAX];
    struct follow *follow; /* NULL: blind */
    struct show *show;     /* NULL: nobody looks */
    uint64_t healed;       /* when; 0: not yet */
    uint64_t number;       /* of packets judged */
    bool broken;           /* the next packet is shown to the oracle with a bit altered */
    uint64_t least_rtt;    /* no round trip is shorter, ns */
};

/* The first failure counts. */
__attribute__((format(printf, 3, 4))) void sim_fail(struct play *p, const char *invariant,
                                                    const char *format, ...);
static inline uint64_t play_now(const struct play *p) { return lab_world_now(p->world); }

/* check.c: what must hold after every turn, of all connections. */
void check_flows(struct play *p);
/* Nothing is left in the stacks, and nothing is to come. */
void check_quiet(struct play *p);
/* A forged segment for that end, from far away: it changes nothing. */
void check_stray(struct play *p, struct flow_end *e);
void check_trace(struct play *p, const tern_trace *record);

/* show.c: the time line and the capture of a world. NULL: no memory. */
struct show *show_new(const struct sim_sink *sink);
void show_packet(struct show *w, const struct lab_event *ev);
void show_trace(struct show *w, int host, const tern_trace *record);
void show_free(struct show *w, uint64_t now);

#endif
