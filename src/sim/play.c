/* play.c - the phases of a world, and its clock. */
#include "sim/play.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

enum {
    PACKETS_MAX = 2000000, /* a world that sends more does not end */
    SPIN_MAX = 100000,     /* turns at one moment */
    CHECK_EVERY = 8,       /* turns */
    SABOTAGED = 3,         /* the packet, where one is */
};
#define PATIENCE (60 * SIM_S) /* for ends whose peer has broken off */
#define DRAIN_MAX (48 * 3600 * SIM_S)
#define QUIET_MAX (4 * 3600 * SIM_S)

const char *sim_fault_word(enum sim_fault fault)
{
    static const char *const words[] = {
#define X(name, word, text) word,
        SIM_FAULTS(X)
#undef X
    };
    return words[fault];
}

const char *sim_fault_text(enum sim_fault fault)
{
    static const char *const texts[] = {
#define X(name, word, text) text,
        SIM_FAULTS(X)
#undef X
    };
    return texts[fault];
}

void sim_fail(struct play *p, const char *invariant, const char *format, ...)
{
    struct sim_result *r = p->result;
    va_list args;
    if (r->failed)
        return;
    r->failed = true;
    r->invariant = invariant;
    int at = p->world == NULL ? 0
                              : snprintf(r->why, SIM_WHY,
                                         "at %.6f: ", (double)(play_now(p) - LAB_PAIR_START) / 1e9);
    va_start(args, format);
    vsnprintf(r->why + at, SIM_WHY - (size_t)at, format, args);
    va_end(args);
}

void sim_fail_end(struct flow_end *e, const char *invariant, const char *what, uint64_t a,
                  uint64_t b)
{
    sim_fail(e->play, invariant, "flow %d, end %d (host %d) %s: %" PRIu64 ", %" PRIu64,
             (int)(e->flow - e->play->flow), e->side, e->host, what, a, b);
}

/* ---- what is seen ---------------------------------------------------------------------------- */

static void on_event(void *user, tern *s, const tern_event *ev)
{
    const struct play *p = user;
    (void)s;
    flow_event(ev->user, ev);
    if (play_sabotaged(p, SIM_EVENT) && ev->mask & TERN_EV_OPEN)
        flow_event(ev->user, ev);
}

static void on_trace(void *user, int host, const tern_trace *record)
{
    struct play *p = user;
    check_trace(p, host, record);
    if (p->show != NULL)
        show_trace(p->show, host, record);
}

static void hash(struct play *p, const struct lab_event *ev)
{
    uint64_t h = p->result->hash, n = min_size(ev->len, 96) & ~(size_t)7;
    h = (h ^ ev->now ^ (uint64_t)ev->dir << 63 ^ (uint64_t)ev->len << 32) * 0x9e3779b97f4a7c15u;
    for (uint64_t i = 0; i < n; i += 8) {
        h = (h ^ load_le64(ev->data + i)) * 0xbf58476d1ce4e5b9u;
        h ^= h >> 31;
    }
    p->result->hash = h;
}

static void sabotage(struct play *p)
{
    if (p->result->packets != SABOTAGED)
        return;
    if (play_sabotaged(p, SIM_CRASHED))
        abort();
    p->broken = play_sabotaged(p, SIM_SEGMENT);
    p->result->hash ^= play_sabotaged(p, SIM_CHANCE) && p->conf->blind;
}

static void on_packet(void *user, const struct lab_event *ev)
{
    struct play *p = user;
    if (p->show != NULL)
        show_packet(p->show, ev);
    if (ev->fate == LAB_TOO_BIG)
        trouble_too_big(p, ev);
    if (ev->fate == LAB_ARRIVED && p->watched)
        packets_arrived(p, ev);
    bool leaves = ev->fate == LAB_SENT && !(ev->marks & (LAB_DUPLICATE | LAB_PIECE));
    if (p->conf->sink.step != NULL && (leaves || ev->fate == LAB_PROCESSED))
        packets_told(p, ev);
    if (!leaves)
        return;
    hash(p, ev);
    if (++p->result->packets == (play_sabotaged(p, SIM_WORK) ? 1 : PACKETS_MAX))
        sim_fail(p, "R2", "%d packets and no end", PACKETS_MAX);
    sabotage(p);
    if (p->watched)
        packets_sent(p, ev);
}

/* ---- the clock ------------------------------------------------------------------------------- */

static uint64_t next_of_flows(const struct play *p)
{
    uint64_t next = TERN_NEVER;
    for (uint32_t i = 0; i < p->flows; i++)
        next = min_u64(next, flow_next(&p->flow[i]));
    return next;
}

/* What programs do now; those whose connection is over may begin the next one. */
static void wake(struct play *p, uint64_t now)
{
    for (uint32_t i = 0; i < p->flows; i++) {
        struct flow *f = &p->flow[i];
        flow_wake(f, now);
        if (f->again == 0 || f->dead || !flow_done(f) || p->flows == FLOW_SLOTS)
            continue;
        flow_follow(&p->flow[p->flows++], f, now + f->plan->again_wait);
        f->again = 0;
    }
}

/* A host is not called for a while. */
static void pause(struct play *p, uint64_t now, uint64_t late)
{
    if (late == 0 || !lab_random_chance(&p->random, 0.05))
        return;
    int host = (int)lab_random_below(&p->random, 2);
    lab_world_pause(p->world, host, now + lab_random_below(&p->random, late));
    p->result->befell[SIM_LATE]++;
}

/* Turns until `done` or that time. `late`: how long a host may not be called. */
static bool run(struct play *p, uint64_t until, uint64_t late, bool (*done)(struct play *p))
{
    uint64_t at = play_now(p), spins = 0, turns = 0;
    while (!p->result->failed) {
        bool finished = lab_world_turn(p->world, at);
        wake(p, at);
        trouble_act(p, at);
        if (++turns % CHECK_EVERY == 0)
            check_flows(p);
        if (done != NULL && done(p))
            return true;
        pause(p, at, late);
        uint64_t next = min_u64(lab_world_next(p->world), next_of_flows(p));
        next = max_u64(at, min_u64(next, trouble_next(p)));
        if (!finished)
            next = max_u64(next, at + SIM_US);
        spins = next == at ? spins + 1 : 0;
        if (spins == SPIN_MAX)
            sim_fail(p, "R2", "the world does not get on");
        if (next > until) {
            if (until != TERN_NEVER && next != TERN_NEVER)
                (void)lab_world_turn(p->world, until);
            return false;
        }
        at = next;
    }
    return false;
}

/* ---- phases ---------------------------------------------------------------------------------- */

static void count_faults(struct play *p)
{
    uint64_t *befell = p->result->befell;
    for (int i = 0; i < 2; i++) {
        const struct lab_counts *n = lab_link_counts(lab_world_get_link(p->world, 0), i);
        befell[SIM_LOSS] += n->lost;
        befell[SIM_DUPLICATE] += n->duplicated;
        befell[SIM_CORRUPT] += n->corrupted;
        befell[SIM_REORDER] += n->late;
        befell[SIM_QUEUE] += n->overflowed;
        befell[SIM_MTU] += n->too_big;
        befell[SIM_AQM] += n->marked;
        befell[SIM_RESEGMENT] += n->joined + n->split;
        befell[SIM_DEVICE] += lab_world_refused(p->world, i);
    }
}

static void set_spell(struct play *p, const struct spell *s)
{
    struct lab_link *link = lab_world_get_link(p->world, 0);
    bool renamed = s->box[0].port_shift != p->spell->box[0].port_shift;
    for (int i = 0; i < 2; i++) {
        lab_link_change(link, i, &s->dir[i]);
        lab_link_box(link, i, &s->box[i]);
        lab_world_device(p->world, i, &s->device[i]);
        lab_world_clock(p->world, i, s->ahead[i], s->tick[i]);
        lab_world_pause(p->world, i, 0);
    }
    for (uint32_t i = 0; i < p->flows && renamed; i++)
        p->flow[i].excused |= p->flow[i].begun;
    p->result->befell[SIM_NAT] += renamed;
    p->spell = s;
}

static void chaos(struct play *p)
{
    uint64_t from = LAB_PAIR_START;
    for (uint32_t i = 0; i < p->plan.spells && !p->result->failed; i++) {
        const struct spell *s = &p->plan.spell[i];
        uint64_t ends = LAB_PAIR_START + s->ends;
        set_spell(p, s);
        trouble_begin(p, s, from);
        (void)run(p, ends, s->late, NULL);
        from = ends;
    }
    trouble_end(p);
}

/* All that must end well has; of the others nothing is to be expected any more. */
static bool drained(struct play *p)
{
    for (uint32_t i = 0; i < p->flows; i++) {
        const struct flow *f = &p->flow[i];
        uint64_t last = max_u64(p->healed, max_u64(f->progress, flow_waits(f)));
        bool waits = flow_must_succeed(f) || !f->begun || play_now(p) < last + PATIENCE;
        if (!flow_done(f) && waits)
            return false;
    }
    return true;
}

static void drain(struct play *p)
{
    p->healed = LAB_PAIR_START + p->plan.spell[p->plan.spells - 1].ends;
    set_spell(p, &p->plan.spell[HEAL_SPELL]);
    while (!p->result->failed && !drained(p)) {
        uint64_t until = play_now(p) + PATIENCE / 4;
        (void)run(p, until, 0, drained);
        if (play_now(p) < until && !drained(p))
            (void)lab_world_turn(p->world, until); /* nothing was due before */
        check_flows(p);
        if (play_now(p) > p->healed + DRAIN_MAX)
            sim_fail(p, "L1", "it does not come to an end");
    }
}

static bool forgotten(struct play *p)
{
    for (int host = 0; host < 2; host++) {
        tern_memory m;
        tern_memory_of(lab_world_tern(p->world, host), &m);
        if (m.conns + m.halfopen + m.timewaits + m.active + m.pages + m.outputs != 0)
            return false;
    }
    struct lab_link *link = lab_world_get_link(p->world, 0);
    return lab_link_next(link, 0) == TERN_NEVER && lab_link_next(link, 1) == TERN_NEVER;
}

static void quiet(struct play *p)
{
    for (uint32_t i = 0; i < p->flows; i++)
        flow_close(&p->flow[i]);
    p->closed = play_sabotaged(p, SIM_LOOP) ? 0 : p->result->packets;
    (void)run(p, play_now(p) + QUIET_MAX, 0, forgotten);
    if (!p->result->failed)
        (void)run(p, play_now(p) + QUIET_MAX, 0, NULL);
    if (!p->result->failed)
        check_quiet(p);
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* false: there was no memory, as was drawn. */
static bool build(struct play *p)
{
    struct lab_host_config host[2];
    struct lab_config link = {.tap = on_packet, .user = p};
    struct lab_pair pair;
    memset(host, 0, sizeof(host));
    for (int i = 0; i < 2; i++) {
        host[i].tern = p->plan.tern[i];
        host[i].event = on_event;
        host[i].trace = p->watched ? on_trace : NULL;
        host[i].user = p;
        host[i].fail_first = p->plan.fail_first[i];
        host[i].fail_count = p->plan.fail_count[i];
    }
    memcpy(link.dir, p->plan.spell[0].dir, sizeof(link.dir));
    int err = lab_pair_new(&pair, p->conf->seed, &host[0], &host[1], &p->plan.iface, &link);
    p->world = pair.w;
    if (err < 0 && !plan_has(&p->plan, SIM_MEMORY))
        sim_fail(p, "R1", "the world cannot begin: %s", tern_err_text((enum tern_err)err));
    return err >= 0;
}

static void live(struct play *p)
{
    struct plan *plan = &p->plan;
    for (int i = 0; i <= SPELLS_MAX && p->conf->sabotage == SIM_DEAD; i++)
        plan->spell[i].dir[0].loss = 1;
    p->least_rtt = plan->delay[0] + plan->delay[1];
    lab_random_seed(&p->random, lab_random_derive(p->conf->seed, UINT64_MAX));
    p->flows = plan->flows;
    p->spell = &plan->spell[0];
    for (uint32_t i = 0; i < plan->flows; i++)
        flow_init(p, &p->flow[i], &plan->flow[i]);
    chaos(p);
    if (!p->result->failed)
        drain(p);
    if (!p->result->failed)
        quiet(p);
    p->result->duration = play_now(p) - LAB_PAIR_START;
    count_faults(p);
    p->result->flows = p->flows;
}

void sim_run(const struct sim_config *conf, struct sim_result *out)
{
    struct play *p = calloc(1, sizeof(*p));
    memset(out, 0, sizeof(*out));
    TERN_ASSERT(p != NULL);
    p->conf = conf;
    p->result = out;
    plan_draw(&p->plan, conf);
    out->faults = p->plan.faults;
    if (!conf->blind)
        packets_watch(p);
    if (conf->sink.text != NULL || conf->sink.capture != NULL)
        p->show = show_new(&conf->sink);
    if (build(p))
        live(p);
    uint64_t now = p->world != NULL ? play_now(p) : LAB_PAIR_START;
    show_free(p->show, now);
    packets_unwatch(p);
    /* what a failed world still holds is of no interest, and may be broken */
    if (p->world != NULL && !out->failed)
        lab_world_free(p->world);
    free(p);
}
