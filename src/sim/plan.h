/* plan.h - what a world will be like, all of it drawn before it begins. */
#ifndef TERN_SIM_PLAN_H
#define TERN_SIM_PLAN_H

#include "lab/random.h"
#include "lab/world.h"
#include "sim/sim.h"

enum { FLOWS_MAX = 8, SPELLS_MAX = 6, HEAL_SPELL = SPELLS_MAX };

#define SIM_US UINT64_C(1000)
#define SIM_MS UINT64_C(1000000)
#define SIM_S UINT64_C(1000000000)

enum ending {
    END_GRACEFUL, /* shuts when all is sent, reads to the end, closes */
    END_CLOSE,    /* closes when all is sent, whatever still comes */
    END_ABORT,    /* aborts after so many bytes */
};

/* How one end of a connection behaves. */
struct habit {
    uint64_t send;       /* bytes it has to send */
    uint32_t write_max;  /* at most so many at once */
    uint32_t read_max;   /* the same for reading */
    uint64_t write_wait; /* ns between two writes; 0: whenever there is room */
    uint64_t read_wait;
    uint64_t pause_after, pause; /* after so many bytes it reads nothing for so long, ns */
    uint64_t hold_open;          /* ns between its last byte and its end */
    enum ending ending;
    uint64_t abort_after;            /* bytes sent and received */
    int64_t nodelay, rcvbuf, sndbuf; /* options; buffers 0: the stack's own */
    int64_t cork, mss, dscp, ttl;    /* 0: not set */
    int64_t keep_idle;               /* ns; 0: no keep-alive */
    bool zero_copy;                  /* reserve and commit, peek and consume */
};

/* What a listener that is asked first says. */
enum answer { ANSWER_ADMIT, ANSWER_RESET, ANSWER_ICMP, ANSWER_DROP };

struct flow_plan {
    uint64_t key;         /* of its bytes */
    uint64_t begins;      /* ns after the beginning */
    bool ip6, swapped;    /* swapped: host 1 opens it */
    bool together;        /* both open it */
    bool held;            /* its listener is asked first, */
    enum answer answer;   /* says this, */
    uint64_t answer_wait; /* after so long, ns */
    uint32_t again;       /* so many more, one after the other, with the same ports, */
    uint64_t again_wait;  /* after so long, ns */
    struct habit side[2]; /* [0]: who opens */
};

/* A part of the chaos, in which the link is as it is. */
struct spell {
    uint64_t ends; /* ns after the beginning */
    struct lab_impair dir[2];
    struct lab_box box[2];
    struct lab_device device[2];
    int64_t ahead[2]; /* of the hosts' clocks, ns */
    uint64_t tick[2];
    uint64_t late; /* ns: how long a host may not be called */
    uint32_t strays, errors;
};

struct plan {
    uint64_t faults;   /* bits */
    uint64_t delay[2]; /* of the sound link, ns */
    tern_iface iface;
    tern_config tern[2];
    uint64_t fail_first[2], fail_count[2];
    bool nat;       /* from some spell on end 0 has other ports */
    bool tells_mtu; /* routers tell who sends too large packets */
    int crash_host;
    uint64_t crash_at; /* ns after the beginning; 0: never */
    uint32_t spells, flows;
    struct spell spell[SPELLS_MAX + 1]; /* the last one, at HEAL_SPELL, is the sound link */
    struct flow_plan flow[FLOWS_MAX];
};

static inline bool plan_has(const struct plan *p, enum sim_fault fault)
{
    return p->faults >> fault & 1;
}

void plan_draw(struct plan *p, const struct sim_config *conf);

/* ---- parts of it, for plan.c ----------------------------------------------------------------- */

/* A stream of random numbers of its own for each part; those of the faults follow. */
enum plan_stream {
    STREAM_FAULTS = 1,
    STREAM_LINK,
    STREAM_FLOWS,
    STREAM_SPELLS,
    STREAM_STACK,                                        /* and one more */
    STREAM_FAULT = STREAM_STACK + 2,                     /* what it is all the time */
    STREAM_SPELL_FAULT = STREAM_FAULT + SIM_FAULT_COUNT, /* what it is in each spell */
    STREAM_HABIT = STREAM_SPELL_FAULT + SIM_FAULT_COUNT, /* what it does to programs */
    STREAMS = STREAM_HABIT + SIM_FAULT_COUNT,
};
struct lab_random plan_stream(const struct sim_config *conf, uint64_t part);
/* Uniform in the logarithm, from `lo` to `hi`, both above 0. */
uint64_t draw_log(struct lab_random *r, uint64_t lo, uint64_t hi);
/* A probability between two parts per million. */
double draw_chance(struct lab_random *r, uint64_t lo, uint64_t hi);
/* plan_flows.c, plan_spells.c; the latter returns when the chaos ends, ns after the beginning. */
void plan_flows(struct plan *p, const struct sim_config *conf, uint64_t chaos);
uint64_t plan_spells(struct plan *p, const struct sim_config *conf);
/* share.c: the world of SIM_SHARE, over what was drawn. */
void share_plan(struct plan *p, uint64_t seed);

#endif
