/* world.h - stacks, joined by links, under one clock: virtual (a test, a simulation) or real (`tern
 * run`), with the same code.
 *
 * A turn at time `now` does for each host, until nothing moves any more (bounded): packets that have
 * arrived, timers, events, output. The next turn is needed at lab_world_next(). In virtual time
 * lab_world_run() jumps from one such moment to the next.
 */
#ifndef TERN_LAB_WORLD_H
#define TERN_LAB_WORLD_H

#include "lab/link.h"
#include "tern/trace.h"

struct lab_world;

struct lab_host_config {
    tern_config tern; /* from tern_config_default(), then changed; seed, alloc, free, release, trace
                         and user are the world's */
    const char *name;
    /* one event of this host's sockets */
    void (*event)(void *user, tern *s, const tern_event *event);
    /* lent and donated memory that comes back; may be NULL */
    void (*release)(void *user, void *const *cookies, size_t n);
    /* what the stack decided; may be NULL */
    void (*trace)(void *user, int host, const tern_trace *record);
    void *user;
};

/* `seed` determines everything that is not determined otherwise; `now` starts the clock. */
struct lab_world *lab_world_new(uint64_t seed, uint64_t now);
void lab_world_free(struct lab_world *w);

/* The host's number, or a negative enum tern_err. */
int lab_world_host(struct lab_world *w, const struct lab_host_config *conf);
tern *lab_world_tern(struct lab_world *w, int host);
/* Joins interface `iface_a` of host `a` with `iface_b` of `b`; both must have been added to their
 * stacks. conf->seed 0: derived from the world's. Returns the link's number or an error. */
int lab_world_link(struct lab_world *w, int a, int iface_a, int b, int iface_b,
                   const struct lab_config *conf);
struct lab_link *lab_world_get_link(struct lab_world *w, int link);

/* One turn. false: it stopped at its bound with work left (call again soon). */
bool lab_world_turn(struct lab_world *w, uint64_t now);
/* When the next turn is due; 0: now; TERN_NEVER. */
uint64_t lab_world_next(const struct lab_world *w);
uint64_t lab_world_now(const struct lab_world *w);

/* Virtual time: turns until `done(user)` is true (NULL: never), nothing is left to happen, or the
 * clock would pass `until`. Returns whether `done` was true. */
bool lab_world_run(struct lab_world *w, uint64_t until, bool (*done)(void *user), void *user);

/* A helper for tests: two hosts "client" 10.0.0.1, fd00::1 and "server" 10.0.0.2, fd00::2 with one
 * interface each (id 0) of that MTU and these capabilities, and a link between them. */
struct lab_pair {
    struct lab_world *w;
    tern *client, *server;
};
int lab_pair_new(struct lab_pair *p, uint64_t seed, const struct lab_host_config *client,
                 const struct lab_host_config *server, const tern_iface *iface,
                 const struct lab_config *link);
extern const uint8_t lab_client_ip4[16], lab_server_ip4[16], lab_client_ip6[16], lab_server_ip6[16];

#endif
