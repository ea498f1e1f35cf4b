/* run_world.c - see run_world.h. */
#include "host/run_world.h"

#include "host/gateway.h"
#include "host/run_addr.h"
#include "host/run_errno.h"
#include "host/run_tern.h"
#include "host/site.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLIENT, SERVER, ROUNDS = 16 };

#define V4(a, b, c, d) .ip = {[10] = 0xff, [11] = 0xff, a, b, c, d}
#define V6(last) .ip = {0x20, 0x01, 0x0d, 0xb8, [15] = last}
const tern_addr run_world_client4 = {V4(192, 0, 2, 1)};
const tern_addr run_world_client6 = {V6(0x01)};
const tern_addr run_world_site4 = {V4(192, 0, 2, 80)};
const tern_addr run_world_site6 = {V6(0x80)};

struct run_world {
    struct run_world_config cfg;
    struct lab_world *world;
    struct record *record;
    struct run_tern *net;
    struct gateway *gateway;
    struct site *site;
    struct run *run;
    struct loop_hook hook;
};

static bool same_ip(const tern_addr *a, const tern_addr *b)
{
    return memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

/* ---- who is where ---------------------------------------------------------------------------- */

static enum gateway_route route(void *user, tern_addr *to)
{
    struct run_world *w = user;
    bool self = same_ip(to, &run_world_client4) || same_ip(to, &run_world_client6);

    if (same_ip(to, &run_world_site4) || same_ip(to, &run_world_site6))
        return GATEWAY_REFUSE; /* its open ports have listeners of their own */
    if ((self || run_addr_loopback(to)) && w->run && run_listens(w->run, to)) {
        const tern_addr *client = run_addr_is4(to) ? &run_world_client4 : &run_world_client6;
        memcpy(to->ip, client->ip, sizeof to->ip);
        return GATEWAY_BACK;
    }
    return self ? GATEWAY_REFUSE : GATEWAY_HOST;
}

static enum run_tern_bind bindable(void *user, const tern_addr *local)
{
    (void)user;
    if (run_addr_loopback(local))
        return RUN_BIND_ANY;
    return same_ip(local, &run_world_client4) || same_ip(local, &run_world_client6) ? RUN_BIND_AS_IS
                                                                                    : RUN_BIND_NO;
}

static void process(void *user, const tern_addr *local, const tern_addr *peer, char *out,
                    size_t cap)
{
    struct run_world *w = user;
    struct run_owner owner;
    tern_entry e;

    if (tern_find(lab_world_tern(w->world, CLIENT), local, peer, &e) < 0)
        return;
    struct run_tern_view view = run_tern_look(e.user);
    if (!view.user)
        return;
    if (view.listener)
        run_owner_of_listener(view.user, &owner);
    else
        run_owner_of_conn(view.user, &owner);
    if (owner.name[0] && owner.name[0] != '?')
        snprintf(out, cap, "%s[%d]", owner.name, (int)owner.pid);
}

static void say(void *user, const char *text)
{
    struct run_world *w = user;

    if (w->cfg.say)
        w->cfg.say(w->cfg.say_user, text);
}

/* ---- turns ----------------------------------------------------------------------------------- */

static void client_event(void *user, tern *s, const tern_event *ev)
{
    struct run_world *w = user;

    (void)s;
    run_tern_events(w->net, ev, 1);
}

static void server_event(void *user, tern *s, const tern_event *ev)
{
    (void)user;
    (void)s;
    app_event(ev);
}

static void trace(void *user, int host, const tern_trace *t)
{
    struct run_world *w = user;

    if (w->record) /* the end of the world is not recorded */
        record_trace(w->record, host, t);
}

static uint64_t deadline(void *user)
{
    struct run_world *w = user;
    uint64_t at[] = {lab_world_next(w->world), run_tern_deadline(w->net),
                     gateway_deadline(w->gateway), site_deadline(w->site),
                     record_deadline(w->record)};

    for (size_t i = 1; i < sizeof at / sizeof at[0]; i++)
        at[0] = at[i] < at[0] ? at[i] : at[0];
    return at[0];
}

static void work(void *user, uint64_t now)
{
    struct run_world *w = user;

    for (int i = 0; i < ROUNDS; i++) {
        run_tern_work(w->net);
        gateway_work(w->gateway, now);
        site_work(w->site, now);
        if (lab_world_next(w->world) > now)
            break;
        (void)lab_world_turn(w->world, now);
    }
    record_work(w->record, now);
}

/* ---- beginning and end ----------------------------------------------------------------------- */

static int add_host(struct run_world *w, int host)
{
    static const uint8_t any4[16] = {[10] = 0xff, [11] = 0xff}, any6[16];
    const struct run_world_config *cfg = &w->cfg;
    const tern_addr *ip4 = host == CLIENT ? &run_world_client4 : &run_world_site4;
    const tern_addr *ip6 = host == CLIENT ? &run_world_client6 : &run_world_site6;
    struct lab_host_config conf = {.name = host == CLIENT ? "client" : "server",
                                   .event = host == CLIENT ? client_event : server_event,
                                   .trace = trace,
                                   .user = w};
    tern_iface iface = {.mtu = cfg->mtu,
                        .gso_max = 65535,
                        .caps = TERN_CAP_CSUM | TERN_CAP_TSO4 | TERN_CAP_TSO6};

    tern_config_default(&conf.tern);
    conf.tern.msl = cfg->msl;
    conf.tern.syn_retries = cfg->syn_retries;
    if (cfg->cc != NULL)
        conf.tern.cc = cfg->cc;
    conf.tern.isn_fixed = cfg->isn_fixed;
    conf.tern.isn = cfg->isn[host];
    conf.tern.stats = true;
    if (host == CLIENT && cfg->configure != NULL)
        cfg->configure(cfg->configure_user, &conf.tern);
    int err = lab_world_host(w->world, &conf);
    if (err < 0)
        return err;
    tern *s = lab_world_tern(w->world, host);
    err = tern_iface_add(s, &iface);
    if (err >= 0)
        err = tern_iface_addr(s, 0, ip4->ip, 96 + 24);
    if (err >= 0)
        err = tern_route_add(s, any4, 96, NULL, 0);
    if (err >= 0 && cfg->mtu >= 1280)
        err = tern_iface_addr(s, 0, ip6->ip, 64);
    if (err >= 0 && cfg->mtu >= 1280)
        err = tern_route_add(s, any6, 0, NULL, 0);
    return err;
}

static int join_hosts(struct run_world *w)
{
    const struct run_world_config *cfg = &w->cfg;
    struct lab_config link = {.dir = {cfg->dir[0], cfg->dir[1]},
                              .drops = cfg->drops,
                              .drop_count = cfg->drop_count,
                              .user = w->record};

    /* unwatched, super-segments pass whole */
    if (record_timeline(w->record) || cfg->record.pcapng)
        link.tap = record_tap;
    return lab_world_link(w->world, CLIENT, 0, SERVER, 0, &link);
}

static int open_doors(struct run_world *w)
{
    const struct run_world_config *cfg = &w->cfg;
    tern *a = lab_world_tern(w->world, CLIENT), *b = lab_world_tern(w->world, SERVER);
    struct run_tern_config net = {.loop = cfg->loop,
                                  .stack = a,
                                  .events = &run_events,
                                  .backlog_max = cfg->backlog,
                                  .limits = cfg->limits,
                                  .bindable = bindable,
                                  .bindable_user = w};
    struct gateway_config gateway = {
        .loop = cfg->loop, .stack = b, .route = route, .user = w, .say = say};
    tern_addr addrs[2] = {run_world_site4, run_world_site6};
    struct site_config site = {.stack = b, .addrs = addrs, .addr_count = cfg->mtu >= 1280 ? 2 : 1};

    if (run_tern_new(&w->net, &net) < 0)
        return TERN_ENOMEM;
    int err = gateway_new(&w->gateway, &gateway);
    return err < 0 ? err : site_new(&w->site, &site);
}

int run_world_new(struct run_world **out, const struct run_world_config *cfg)
{
    struct run_world *w = calloc(1, sizeof *w);
    uint64_t now = loop_clock();

    if (!w)
        return -ENOMEM;
    w->cfg = *cfg;
    w->cfg.record.msl = cfg->msl;
    w->cfg.record.process = process;
    w->cfg.record.say = say;
    w->cfg.record.user = w;
    int err = record_new(&w->record, &w->cfg.record, now);
    if (err == 0) {
        w->world = lab_world_new(cfg->seed, now);
        err = w->world ? add_host(w, CLIENT) : TERN_ENOMEM;
        if (err >= 0)
            err = add_host(w, SERVER);
        if (err >= 0)
            err = join_hosts(w);
        if (err >= 0)
            err = open_doors(w);
        err = errno_of_tern(err);
    }
    if (err) {
        run_world_free(w);
        return err;
    }
    w->hook = (struct loop_hook){.work = work, .deadline = deadline, .user = w};
    loop_hook_add(cfg->loop, &w->hook);
    *out = w;
    return 0;
}

void run_world_free(struct run_world *w)
{
    if (!w)
        return;
    if (w->hook.work)
        loop_hook_del(w->cfg.loop, &w->hook);
    record_free(w->record, loop_clock());
    w->record = NULL;
    site_free(w->site);
    gateway_free(w->gateway);
    run_tern_free(w->net);
    if (w->world)
        lab_world_free(w->world);
    free(w);
}

void *run_world_net(struct run_world *w) { return w->net; }

void run_world_set_run(struct run_world *w, struct run *r) { w->run = r; }

int run_world_publish(struct run_world *w, const tern_addr *host, uint16_t port)
{
    tern_addr to = run_addr_is4(host) ? run_world_client4 : run_world_client6;

    to.port = port;
    return gateway_publish(w->gateway, host, &to);
}

static bool in_state(tern *s, bool (*wanted)(uint8_t state))
{
    tern_entry e[64];
    uint64_t cursor = 0;
    size_t n;

    while ((n = tern_list(s, &cursor, e, sizeof e / sizeof e[0])) > 0)
        for (size_t i = 0; i < n; i++)
            if (wanted(e[i].state))
                return true;
    return false;
}

static bool is_connection(uint8_t state) { return state != TERN_LISTEN && state != TERN_CLOSED; }

static bool awaits_fin(uint8_t state) { return state == TERN_FIN_WAIT_2; }

static bool awaits_ack(uint8_t state) { return state == TERN_LAST_ACK || state == TERN_CLOSING; }

enum run_world_rest run_world_rest(const struct run_world *w)
{
    if (run_tern_busy(w->net) != 0 || gateway_owes(w->gateway) ||
        in_state(lab_world_tern(w->world, SERVER), awaits_ack))
        return RUN_WORLD_BUSY;
    return in_state(lab_world_tern(w->world, CLIENT), awaits_fin) ? RUN_WORLD_WAITING
                                                                  : RUN_WORLD_QUIET;
}

bool run_world_empty(const struct run_world *w)
{
    return !in_state(lab_world_tern(w->world, CLIENT), is_connection) &&
           !in_state(lab_world_tern(w->world, SERVER), is_connection);
}

tern *run_world_tern(struct run_world *w, int host) { return lab_world_tern(w->world, host); }

const struct record *run_world_record(const struct run_world *w) { return w->record; }

const struct lab_counts *run_world_counts(const struct run_world *w, int dir)
{
    return lab_link_counts(lab_world_get_link(w->world, 0), dir);
}
