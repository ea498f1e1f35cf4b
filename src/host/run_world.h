/* run_world.h - the network around a program under tern run:
 *
 *     program - stack A (the client's end) - link - stack B, a gateway - the host's sockets
 *                                                         and the built-in site
 *
 * in real time, on a loop. What passes the link is recorded (record.h).
 */
#ifndef TERN_HOST_RUN_WORLD_H
#define TERN_HOST_RUN_WORLD_H

#include "host/loop.h"
#include "host/record.h"
#include "host/run.h"
#include "lab/world.h"

struct run_world;

struct run_world_config {
    struct loop *loop;
    uint64_t seed;
    uint32_t mtu; /* 576 to 65535; below 1280 there is no IPv6 */
    struct lab_impair dir[2];
    const struct lab_drop *drops;
    size_t drop_count;
    uint64_t msl; /* ns */
    uint8_t syn_retries;
    const tern_cc_ops *cc; /* NULL: the default */
    /* Of the program's stack, before it is made; may be NULL. */
    void (*configure)(const void *user, tern_config *cfg);
    const void *configure_user;
    tern_limits limits; /* of each source, at the program's listeners */
    uint32_t backlog;   /* the most a listener of the program's gets; 0: what it asks for */
    bool isn_fixed;
    uint32_t isn[2];
    struct record_config record; /* msl, process, say and user are filled here */
    void (*say)(void *user, const char *text);
    void *say_user;
};

/* The addresses inside: of the program's stack, and of the site. */
extern const tern_addr run_world_client4, run_world_client6, run_world_site4, run_world_site6;

/* 0, or a negative errno. */
int run_world_new(struct run_world **out, const struct run_world_config *cfg);
void run_world_free(struct run_world *w);

/* For struct run_config: with run_tern_ops. */
void *run_world_net(struct run_world *w);
/* The run whose programs may listen; before the loop turns. */
void run_world_set_run(struct run_world *w, struct run *r);
/* gateway_publish() to a port of the program's. */
int run_world_publish(struct run_world *w, const tern_addr *host, uint16_t port);

/* What keeps a run from ending once its programs have. */
enum run_world_rest {
    RUN_WORLD_QUIET,   /* nothing, but perhaps TIME-WAIT */
    RUN_WORLD_WAITING, /* a FIN of the other end's, which may never come */
    RUN_WORLD_BUSY,    /* data or a FIN, of either end, that is to be delivered yet */
};
enum run_world_rest run_world_rest(const struct run_world *w);
/* Whether there is no connection in any state, at either end. */
bool run_world_empty(const struct run_world *w);

tern *run_world_tern(struct run_world *w, int host);
const struct record *run_world_record(const struct run_world *w);
/* Wire packets that went that way. */
const struct lab_counts *run_world_counts(const struct run_world *w, int dir);

#endif
