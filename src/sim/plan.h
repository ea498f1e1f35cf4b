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
    enum ending ending;
    uint64_t abort_after;            /* bytes sent and received */
    int64_t nodelay, rcvbuf, sndbuf; /* options; buffers 0: the stack's own */
    bool zero_copy;                  /* reserve and commit, peek and consume */
};

struct flow_plan {
    uint64_t key;         /* of its bytes */
    uint64_t begins;      /* ns after the beginning */
    bool ip6, swapped;    /* swapped: host 1 opens it */
    bool together;        /* both open it */
    struct habit side[2]; /* [0]: who opens */
};

/* A part of the chaos, in which the link is as it is. */
struct spell {
    uint64_t ends; /* ns after the beginning */
    struct lab_impair dir[2];
    uint64_t late; /* ns: how late a turn may be */
    uint32_t strays;
};

struct plan {
    uint32_t faults;   /* bits */
    uint64_t delay[2]; /* of the sound link, ns */
    tern_iface iface;
    tern_config tern[2];
    uint64_t fail_first[2], fail_count[2];
    uint32_t spells, flows;
    struct spell spell[SPELLS_MAX + 1]; /* the last one, at HEAL_SPELL, is the sound link */
    struct flow_plan flow[FLOWS_MAX];
};

void plan_draw(struct plan *p, const struct sim_config *conf);

/* Uniform in the logarithm, from `lo` to `hi`, both above 0. */
uint64_t draw_log(struct lab_random *r, uint64_t lo, uint64_t hi);

#endif
