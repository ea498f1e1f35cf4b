/* play.h - a world in motion. */
#ifndef TERN_SIM_PLAY_H
#define TERN_SIM_PLAY_H

#include "sim/flow.h"
#include "watch/follow.h"

struct show;
struct play;

enum { FLOW_SLOTS = 4 * FLOWS_MAX, ERRORS_WAIT = 8, QUOTE = 68 };

/* An observer. Where nothing on the way changes packets there is one, which sees them leave. Else
 * there is one at each end, which sees what that end sends and what arrives there, and judges that
 * end alone. */
struct observer {
    struct play *play;
    int host; /* -1: judges both */
    struct follow *follow;
};

/* A router's word that a packet was too large. */
struct too_big {
    int host; /* to whom */
    uint32_t mtu;
    uint8_t quote[QUOTE];
    size_t len;
};

/* What happens at certain moments of a spell. */
struct troubles {
    uint64_t stray_at, stray_step, error_at, error_step, crash_at;
    struct too_big too_big[ERRORS_WAIT];
    uint32_t too_bigs;
};

struct play {
    const struct sim_config *conf;
    struct sim_result *result;
    struct plan plan;
    struct lab_world *world;
    struct lab_random random; /* lateness and troubles */
    struct flow flow[FLOW_SLOTS];
    uint32_t flows;
    bool watched; /* else blind */
    struct observer observer[2];
    const struct spell *spell; /* the present one */
    struct show *show;         /* NULL: nobody looks */
    uint64_t healed;           /* when; 0: not yet */
    uint64_t closed;           /* packets sent when all programs had ended; 0: not yet */
    uint64_t number;           /* of packets judged */
    bool shared;               /* how the bottleneck was shared has been looked at */
    bool broken;               /* the next packet is shown to the oracle with a bit altered */
    uint64_t least_rtt;        /* no round trip is shorter, ns */
    struct troubles troubles;
};

/* The first failure counts. */
__attribute__((format(printf, 3, 4))) void sim_fail(struct play *p, const char *invariant,
                                                    const char *format, ...);
/* A place in the code and two numbers say what is wrong with an end. */
void sim_fail_end(struct flow_end *e, const char *invariant, const char *what, uint64_t a,
                  uint64_t b);
static inline uint64_t play_now(const struct play *p) { return lab_world_now(p->world); }
static inline bool play_sabotaged(const struct play *p, enum sim_sabotage s)
{
    return p->conf->sabotage == s;
}

/* check.c: what must hold after every turn, of all connections. */
void check_flows(struct play *p);
/* Nothing is left in the stacks, and nothing is to come. */
void check_quiet(struct play *p);
void check_trace(struct play *p, int host, const tern_trace *record);
/* What the stack says of an end; false: nothing. */
bool check_info(const struct flow_end *e, tern_tcp_info *out);
/* The same, but the more is in flight, the rarer: that is what a look takes. `rest`: how many are
 * left out yet. */
bool check_look(struct flow_end *e, uint32_t *rest, tern_tcp_info *out);

/* share.c: what those that share a bottleneck have made of it. */
void share_check(struct play *p);

/* packets.c: what must hold of every packet. */
void packets_watch(struct play *p);
/* From now on they have not seen what the stacks know. */
void packets_doubt(struct play *p);
void packets_unwatch(struct play *p);
void packets_sent(struct play *p, const struct lab_event *ev);
void packets_arrived(struct play *p, const struct lab_event *ev);

/* For sim_sink.step. */
void packets_told(struct play *p, const struct lab_event *ev);

/* trouble.c: what others do to the connections, and hosts to themselves. */
void trouble_begin(struct play *p, const struct spell *s, uint64_t from);
void trouble_end(struct play *p);
uint64_t trouble_next(const struct play *p);
void trouble_act(struct play *p, uint64_t now);
void trouble_too_big(struct play *p, const struct lab_event *ev);

/* show.c: the time line and the capture of a world. NULL: no memory. */
struct show *show_new(const struct sim_sink *sink);
void show_packet(struct show *w, const struct lab_event *ev);
void show_trace(struct show *w, int host, const tern_trace *record);
void show_free(struct show *w, uint64_t now);

#endif
