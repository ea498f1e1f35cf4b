/* world.h - stacks, joined by links, under one clock: virtual (a test, a simulation) or real (`tern
 * run`), with the same code.
 *
 * A turn at time `now` does for each host, until nothing moves any more (bounded): packets that
 * have arrived, timers, events, output. The next turn is needed at lab_world_next(). In virtual
 * time lab_world_run() jumps from one such moment to the next.
 *
 * A world is deterministic: the same seed, configurations and calls give the same packets at the
 * same times.
 */
#ifndef TERN_LAB_WORLD_H
#define TERN_LAB_WORLD_H

#include "lab/link.h"
#include "tern/trace.h"

struct lab_world;

struct lab_host_config {
    tern_config
        tern; /* from tern_config_default(), then changed; seed, tx_horizon (0), alloc, free,
                         release, trace and user are the world's */
    const char *name; /* the caller's, for the host's life */
    /* one event of this host's sockets; may call any function of the stack. May be NULL */
    void (*event)(void *user, tern *s, const tern_event *event);
    /* lent and donated memory that comes back; may be NULL */
    void (*release)(void *user, void *const *cookies, size_t n);
    /* what the stack decided; may be NULL */
    void (*trace)(void *user, int host, const tern_trace *record);
    void *user;
    /* to see what a stack does without memory: its allocations number [fail_first, fail_first +
     * fail_count) fail, counted from 1 */
    uint64_t fail_first, fail_count;
};

/* `seed` determines everything that is not determined otherwise; `now` starts the clock. NULL: no
 * memory. */
struct lab_world *lab_world_new(uint64_t seed, uint64_t now);
/* Ends all stacks; asserts that each has given back all of its memory. */
void lab_world_free(struct lab_world *w);

/* The host's number, or a negative enum tern_err. */
int lab_world_host(struct lab_world *w, const struct lab_host_config *conf);
tern *lab_world_tern(struct lab_world *w, int host);
const char *lab_world_name(const struct lab_world *w, int host);
/* Joins interface `iface_a` of host `a` (end 0) with `iface_b` of `b` (end 1); both must have been
 * added to their stacks. conf->seed 0: derived from the world's. Returns the link's number,
 * TERN_EINVAL (no such interface number), TERN_EADDRINUSE (joined already) or TERN_ENOMEM. What a
 * stack sends over an interface that is not joined is lost. */
int lab_world_link(struct lab_world *w, int a, int iface_a, int b, int iface_b,
                   const struct lab_config *conf);
struct lab_link *lab_world_get_link(struct lab_world *w, int link);

/* What a host has to bear besides its links. */

/* Its clock shows `ahead` ns more than the world's (less if negative), and moves in steps of `tick`
 * ns (0: 1). It may be set back: stacks must bear that. */
void lab_world_clock(struct lab_world *w, int host, int64_t ahead, uint64_t tick);
/* What its clock shows. */
uint64_t lab_world_clock_of(const struct lab_world *w, int host);
/* It is not called before `until`; what arrives for it waits. */
void lab_world_pause(struct lab_world *w, int host, uint64_t until);

/* How its devices behave; all zero: they take everything, and are done with it at once. */
struct lab_device {
    double refuse;     /* chance, at each output, that they take only a part, */
    uint64_t busy;     /* and nothing for up to so long, ns */
    double keep;       /* chance that a packet's memory is given back late, */
    uint64_t keep_for; /* by up to so long, in no order, ns */
};
void lab_world_device(struct lab_world *w, int host, const struct lab_device *device);
/* How often they refused. */
uint64_t lab_world_refused(const struct lab_world *w, int host);

/* Its stack ends without a word, and a new one begins, with other secrets and without interfaces:
 * links stay joined to their numbers. Allocations do not fail meanwhile. 0 or TERN_ENOMEM (the host
 * is of no use then). */
int lab_world_restart(struct lab_world *w, int host);
/* From now on its allocations do not fail, or may again. */
void lab_world_spare(struct lab_world *w, int host, bool spared);

/* How often a stack wanted a turn and did nothing in it. */
uint64_t lab_world_stuck(const struct lab_world *w);

/* One turn. false: it stopped at its bound with work left (call again soon). */
bool lab_world_turn(struct lab_world *w, uint64_t now);
/* When the next turn is due; 0: now; TERN_NEVER. */
uint64_t lab_world_next(const struct lab_world *w);
uint64_t lab_world_now(const struct lab_world *w);

/* Virtual time: turns until `done(user)` is true (NULL: never), nothing is left to happen, or the
 * clock would pass `until`. Returns whether `done` was true; if not, the clock stands at `until`
 * (unless that is TERN_NEVER). */
bool lab_world_run(struct lab_world *w, uint64_t until, bool (*done)(void *user), void *user);

/* What a host's stack has of malloc. */
struct lab_alloc {
    uint64_t calls; /* allocations so far, failed ones too */
    size_t bytes;
    uint32_t live; /* allocations not yet freed */
};
const struct lab_alloc *lab_world_alloc(const struct lab_world *w, int host);

/* A helper for tests: two hosts "client" (0) 10.0.0.1, fd00::1 and "server" (1) 10.0.0.2, fd00::2
 * with one interface each (id 0) of that MTU and these capabilities, and a link (0) between them,
 * at LAB_PAIR_START. Below an MTU of 1280 there is no IPv6. `link` NULL: a perfect one. Names in
 * the configurations may be NULL. lab_world_free() frees it all. */
#define LAB_PAIR_START UINT64_C(1000000000)
struct lab_pair {
    struct lab_world *w;
    tern *client, *server;
};
int lab_pair_new(struct lab_pair *p, uint64_t seed, const struct lab_host_config *client,
                 const struct lab_host_config *server, const tern_iface *iface,
                 const struct lab_config *link);
/* lab_world_restart() of one of them, with its interface and addresses. */
int lab_pair_restart(struct lab_world *w, int host, const tern_iface *iface);
extern const uint8_t lab_client_ip4[16], lab_server_ip4[16], lab_client_ip6[16], lab_server_ip6[16];

#endif
