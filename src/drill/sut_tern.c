/* sut_tern.c - the stack as the system under test, in virtual time.
 *
 * One stack, one interface, one table of sockets; what the interface sends is kept for the player.
 * Time stands still until everything that follows from what has happened is done, and then jumps
 * to the next moment at which something is due. Calls run in a fiber, so that one can wait while
 * the script goes on. */
#include "drill/sut.h"

#include "drill/fiber.h"
#include "drill/sut_config.h"
#include "lab/link.h"
#include "tern/socket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define START UINT64_C(1000000000000) /* nothing is ever at 0 */
enum { BATCH = 32, TURNS_MAX = 20000 };

struct sut {
    struct drill_sut base;
    struct drill_setup setup;
    tern *stack;
    tern_sockets *sockets;
    struct drill_fiber *fiber;
    uint64_t now;
    uint64_t call_until; /* when the call under way wants to look again */
    bool call_ended, aborting;
    enum drill_nr nr;
    intptr_t args[6];
    int64_t result;
    struct drill_out *first, **tail;
};

static struct sut *of(struct drill_sut *s) { return (struct sut *)s; }
static const struct sut *of_const(const struct drill_sut *s) { return (const struct sut *)s; }

static int64_t now(const struct drill_sut *s) { return (int64_t)(of_const(s)->now - START); }

/* ---- memory ---------------------------------------------------------------------------------- */

static void *allocate(void *user, size_t size, size_t align)
{
    (void)user;
    return aligned_alloc(align, (size + align - 1) / align * align);
}

static void release_block(void *user, void *p, size_t size)
{
    (void)user, (void)size;
    free(p);
}

/* ---- packets --------------------------------------------------------------------------------- */

static void keep(void *user, uint8_t *data, size_t len)
{
    struct sut *t = user;
    struct drill_out *o = malloc(sizeof(*o) + len);
    if (!o)
        abort();
    o->next = NULL;
    o->time = now(&t->base);
    o->len = len;
    memcpy(o->data, data, len);
    *t->tail = o;
    t->tail = &o->next;
}

/* A super-segment as one packet, its checksum and lengths completed. */
static void keep_whole(struct sut *t, const tern_pkt *pkt)
{
    tern_pkt one = *pkt;
    one.gso_type = TERN_GSO_NONE;
    lab_segment(&one, keep, t);
}

static bool outputs(struct sut *t)
{
    tern_pkt pkts[BATCH];
    size_t n = tern_output(t->stack, 0, pkts, BATCH, t->now);
    for (size_t i = 0; i < n; i++)
        if (t->setup.super_segments)
            keep_whole(t, &pkts[i]);
        else
            lab_segment(&pkts[i], keep, t);
    tern_output_done(t->stack, pkts, n);
    return n > 0;
}

static void inject(struct drill_sut *s, const uint8_t *data, size_t len)
{
    struct sut *t = of(s);
    uint8_t *copy = malloc(len);
    if (!copy)
        abort();
    memcpy(copy, data, len);
    tern_pkt pkt = {.iov_count = 1, .len = (uint32_t)len, .iov = {{copy, len}}};
    tern_input(t->stack, &pkt, 1, t->now);
    free(copy);
}

static struct drill_out *take(struct drill_sut *s)
{
    struct sut *t = of(s);
    struct drill_out *o = t->first;
    if (o) {
        t->first = o->next;
        if (!t->first)
            t->tail = &t->first;
    }
    return o;
}

/* ---- time ------------------------------------------------------------------------------------ */

static bool events(struct sut *t)
{
    tern_event ev[BATCH];
    size_t n = tern_events(t->stack, ev, BATCH);
    if (n > 0)
        tern_sockets_events(t->sockets, ev, n);
    return n > 0;
}

/* Everything that is due now; the call under way looks whenever something has happened. */
static void settle(struct sut *t)
{
    bool look = t->call_until <= t->now;
    tern_sockets_now(t->sockets, t->now);
    for (int i = 0; i < TURNS_MAX; i++) {
        tern_advance(t->stack, t->now);
        bool moved = events(t);
        if (drill_fiber_busy(t->fiber) && (moved || look)) {
            t->call_until = TERN_NEVER;
            t->call_ended = drill_fiber_resume(t->fiber);
        }
        look = false;
        moved |= outputs(t);
        if (!moved && tern_next_timeout(t->stack) > t->now)
            return;
    }
}

static uint64_t next_moment(const struct sut *t)
{
    uint64_t next = tern_next_timeout(t->stack), other = tern_sockets_next(t->sockets);
    next = next < other ? next : other;
    if (drill_fiber_busy(t->fiber) && t->call_until < next)
        next = t->call_until;
    return next > t->now ? next : t->now + 1;
}

static void pass(struct drill_sut *s, int64_t until)
{
    struct sut *t = of(s);
    uint64_t end = START + (uint64_t)until;
    bool busy = drill_fiber_busy(t->fiber);
    for (;;) {
        settle(t);
        if (t->first || (busy && t->call_ended) || t->now >= end)
            return;
        uint64_t next = next_moment(t);
        t->now = next < end ? next : end;
    }
}

/* ---- calls ----------------------------------------------------------------------------------- */

static int wait_in_call(void *user, uint64_t until)
{
    struct sut *t = user;
    if (t->aborting)
        return -EINTR;
    t->call_until = until;
    drill_fiber_wait(t->fiber);
    return t->aborting ? -EINTR : 0;
}

static void run_call(void *user)
{
    struct sut *t = user;
    t->result = sut_tern_call(t->sockets, t->nr, t->args);
}

static bool call(struct drill_sut *s, enum drill_nr nr, const intptr_t args[6])
{
    struct sut *t = of(s);
    settle(t);
    t->nr = nr;
    memcpy(t->args, args, sizeof(t->args));
    t->call_until = TERN_NEVER;
    t->call_ended = drill_fiber_start(t->fiber, run_call, t);
    settle(t);
    return t->call_ended;
}

static bool busy(const struct drill_sut *s) { return drill_fiber_busy(of_const(s)->fiber); }
static int64_t result(const struct drill_sut *s) { return of_const(s)->result; }

/* ---- settings, counters ---------------------------------------------------------------------- */

static const char *configure(struct sut *t, tern_config *cfg)
{
    tern_config_default(cfg);
    memset(cfg->seed, 0x5e, sizeof(cfg->seed));
    cfg->alloc = allocate;
    cfg->free = release_block;
    cfg->user = t;
    return sut_tern_config(cfg, t->setup.settings);
}

static const char *changed(struct drill_sut *s)
{
    struct sut *t = of(s);
    tern_config cfg;
    const char *why = configure(t, &cfg);
    if (!why && tern_tune(t->stack, &cfg) < 0)
        why = "the settings do not fit together";
    if (!why)
        why = sut_tern_retune(t->stack, tern_sockets_tuning(t->sockets), t->setup.settings);
    return why;
}

static bool counter(const struct drill_sut *s, const char *name, uint64_t *value)
{
    return sut_tern_counter(of_const(s)->stack, name, value);
}

static unsigned in_state(const struct drill_sut *s, const char *state)
{
    const struct sut *t = of_const(s);
    tern_entry entries[BATCH];
    uint64_t cursor = 0;
    unsigned count = 0;
    size_t n;
    while ((n = tern_list(t->stack, &cursor, entries, BATCH)) > 0)
        for (size_t i = 0; i < n; i++)
            count += strcmp(tern_state_name((enum tern_state)entries[i].state), state) == 0;
    return count;
}

/* ---- life ------------------------------------------------------------------------------------ */

static void free_sut(struct drill_sut *s)
{
    struct sut *t = of(s);
    t->aborting = true;
    for (int i = 0; t->fiber && drill_fiber_busy(t->fiber) && i < TURNS_MAX; i++)
        drill_fiber_resume(t->fiber);
    if (t->sockets)
        tern_sockets_free(t->sockets);
    for (struct drill_out *o; (o = take(s)) != NULL;)
        free(o);
    if (t->stack)
        tern_free(t->stack);
    if (t->fiber)
        drill_fiber_free(t->fiber);
    free(t);
}

static const struct drill_sut_ops ops = {now,    pass,    inject,  take,     call,    busy,
                                         result, changed, counter, in_state, free_sut};

static int add_link(struct sut *t)
{
    static const uint8_t any4[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, any6[16];
    uint32_t mtu = (uint32_t)drill_settings_number(t->setup.settings, "route.mtu", 0);
    tern_iface iface = {.mtu = mtu != 0 && mtu < t->setup.mtu ? mtu : t->setup.mtu,
                        .gso_max = 65535,
                        .caps = TERN_CAP_CSUM | TERN_CAP_TSO4 | TERN_CAP_TSO6};
    bool v4 = t->setup.family != DRILL_IPV6;
    int id = tern_iface_add(t->stack, &iface);
    if (id < 0)
        return id;
    int err = tern_iface_addr(t->stack, id, t->setup.local, v4 ? 96 + 16 : 64);
    if (err < 0)
        return err;
    return tern_route_add(t->stack, v4 ? any4 : any6, v4 ? 96 : 0, NULL, id);
}

struct drill_sut *drill_sut_tern(const struct drill_setup *setup, const char **why)
{
    struct sut *t = calloc(1, sizeof(*t));
    tern_config cfg;
    if (!t || !(t->fiber = drill_fiber_new()))
        abort();
    t->base.ops = &ops;
    t->base.clock = (int64_t)START;
    t->setup = *setup;
    t->tail = &t->first;
    t->now = START;
    t->call_until = TERN_NEVER;
    *why = configure(t, &cfg);
    if (!*why && tern_new(&t->stack, &cfg, t->now) < 0)
        *why = "the settings do not fit together";
    if (!*why && add_link(t) < 0)
        *why = "the MTU or the addresses are impossible";
    if (!*why) {
        tern_sockets_config conf = {
            .stack = t->stack, .now = t->now, .seed = 1, .wait = wait_in_call, .user = t};
        conf.congestion = cfg.cc->name;
        conf.md5 = true;
        if (tern_sockets_new(&t->sockets, &conf) < 0)
            *why = "out of memory";
    }
    if (!*why)
        *why = sut_tern_retune(t->stack, tern_sockets_tuning(t->sockets), setup->settings);
    if (!*why)
        return &t->base;
    free_sut(&t->base);
    return NULL;
}
