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

/* ---- what is seen ---------------------------------------------------------------------------- */

static void on_event(void *user, tern *s, const tern_event *ev)
{
    (void)user;
    (void)s;
    flow_event(ev->user, ev);
}

static void on_trace(void *user, int host, const tern_trace *record)
{
    struct play *p = user;
    check_trace(p, record);
    if (p->show != NULL)
        show_trace(p->show, host, record);
}

static void on_finding(void *user, const struct follow_finding *f)
{
    struct play *p = user;
    const struct watch_rule_info *rule = watch_rule_info(f->rule);
    char sentence[160], a[24], b[24];
    snprintf(a, sizeof(a), "%" PRIu64, f->a);
    snprintf(b, sizeof(b), "%" PRIu64, f->b);
    sim_fail(p, "S3", "port %u: %s (%s, %s)", f->conn->end[f->end].addr.port,
             message(sentence, sizeof(sentence), rule->sentence, ARGS(a, b)), rule->id,
             rule->section);
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
    if (p->conf->sabotage == SIM_CRASH)
        abort();
    p->broken = p->conf->sabotage == SIM_SEGMENT;
    p->result->hash ^= p->conf->sabotage == SIM_CHANCE && p->conf->blind;
}

/* Shows it to the oracle. */
static void judge(struct play *p, const struct lab_event *ev)
{
    uint8_t copy[128];
    struct follow_result r;
    struct follow_packet packet = {
        .time = ev->now, .number = ++p->number, .data = ev->data, .have = ev->len, .len = ev->len};
    if (p->broken) {
        packet.have = min_size(ev->len, sizeof(copy));
        memcpy(copy, ev->data, packet.have);
        copy[(copy[0] >> 4 == 4 ? 20 : 40) + 12] |= 2; /* a reserved bit */
        packet.data = copy;
        p->broken = false;
    }
    follow_packet(p->follow, &packet, &r);
}

static void on_packet(void *user, const struct lab_event *ev)
{
    struct play *p = user;
    if (p->show != NULL)
        show_packet(p->show, ev);
    if (ev->fate != LAB_SENT || ev->marks & LAB_DUPLICATE)
        return;
    hash(p, ev);
    if (++p->result->packets == PACKETS_MAX)
        sim_fail(p, "R2", "%d packets and no end", PACKETS_MAX);
    sabotage(p);
    if (p->follow == NULL || p->result->failed)
        return;
    judge(p, ev);
}

/* ---- the clock ------------------------------------------------------------------------------- */

static uint64_t next_of_flows(const struct play *p)
{
    uint64_t next = TERN_NEVER;
    for (uint32_t i = 0; i < p->plan.flows; i++)
        next = min_u64(next, flow_next(&p->flow[i]));
    return next;
}

/* Turns until `done` or that time. `late`: by how much each may come too late. */
static bool run(struct play *p, uint64_t until, uint64_t late, bool (*done)(struct play *p))
{
    uint64_t at = play_now(p), spins = 0, turns = 0;
    while (!p->result->failed) {
        bool finished = lab_world_turn(p->world, at);
        for (uint32_t i = 0; i < p->plan.flows; i++)
            flow_wake(&p->flow[i], at);
        if (++turns % CHECK_EVERY == 0)
            check_flows(p);
        if (done != NULL && done(p))
            return true;
        uint64_t next = max_u64(at, min_u64(lab_world_next(p->world), next_of_flows(p)));
        if (!finished)
            next = max_u64(next, at + SIM_US);
        if (late != 0 && next != TERN_NEVER && lab_random_chance(&p->random, 0.2)) {
            next += lab_random_below(&p->random, late);
            p->result->befell[SIM_LATE]++;
        }
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

static void count_link(struct play *p)
{
    uint64_t *befell = p->result->befell;
    for (int dir = 0; dir < 2; dir++) {
        const struct lab_counts *n = lab_link_counts(lab_world_get_link(p->world, 0), dir);
        befell[SIM_LOSS] += n->lost;
        befell[SIM_DUPLICATE] += n->duplicated;
        befell[SIM_CORRUPT] += n->corrupted;
        befell[SIM_REORDER] += n->late;
        befell[SIM_QUEUE] += n->overflowed;
        befell[SIM_MTU] += n->too_big;
    }
}

static void set_link(struct play *p, const struct spell *s)
{
    struct lab_link *link = lab_world_get_link(p->world, 0);
    for (int dir = 0; dir < 2; dir++)
        lab_link_change(link, dir, &s->dir[dir]);
}

static void chaos(struct play *p)
{
    uint64_t from = LAB_PAIR_START;
    for (uint32_t i = 0; i < p->plan.spells && !p->result->failed; i++) {
        const struct spell *s = &p->plan.spell[i];
        uint64_t ends = LAB_PAIR_START + s->ends, step = (ends - from) / (s->strays + 1);
        set_link(p, s);
        for (uint32_t k = 0; k < s->strays && !p->result->failed; k++) {
            (void)run(p, from + step * (k + 1), s->late, NULL);
            uint64_t flow = lab_random_below(&p->random, p->plan.flows);
            check_stray(p, &p->flow[flow].end[lab_random_below(&p->random, 2)]);
        }
        (void)run(p, ends, s->late, NULL);
        from = ends;
    }
}

/* All that must end well has; of the others nothing is to be expected any more. */
static bool drained(struct play *p)
{
    for (uint32_t i = 0; i < p->plan.flows; i++) {
        const struct flow *f = &p->flow[i];
        bool waits = flow_must_succeed(f) || !f->begun ||
                     play_now(p) < max_u64(p->healed, f->progress) + PATIENCE;
        if (!flow_done(f) && waits)
            return false;
    }
    return true;
}

static void drain(struct play *p)
{
    p->healed = LAB_PAIR_START + p->plan.spell[p->plan.spells - 1].ends;
    set_link(p, &p->plan.spell[HEAL_SPELL]);
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
    for (uint32_t i = 0; i < p->plan.flows; i++)
        flow_close(&p->flow[i]);
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
        host[i].trace = on_trace;
        host[i].user = p;
        host[i].fail_first = p->plan.fail_first[i];
        host[i].fail_count = p->plan.fail_count[i];
    }
    memcpy(link.dir, p->plan.spell[0].dir, sizeof(link.dir));
    int err = lab_pair_new(&pair, p->conf->seed, &host[0], &host[1], &p->plan.iface, &link);
    p->world = pair.w;
    if (err < 0 && !(p->plan.faults >> SIM_MEMORY & 1))
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
    for (uint32_t i = 0; i < plan->flows; i++)
        flow_init(p, &p->flow[i], &plan->flow[i]);
    chaos(p);
    if (!p->result->failed)
        drain(p);
    if (!p->result->failed)
        quiet(p);
    p->result->duration = play_now(p) - LAB_PAIR_START;
    count_link(p);
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
    out->flows = p->plan.flows;
    if (!conf->blind)
        p->follow = follow_new(&(
            struct follow_config){.trust = RULE_ALL | RULE_WIRE, .finding = on_finding, .user = p});
    TERN_ASSERT(conf->blind || p->follow != NULL);
    if (conf->sink.text != NULL || conf->sink.capture != NULL)
        p->show = show_new(&conf->sink);
    if (build(p))
        live(p);
    uint64_t now = p->world != NULL ? play_now(p) : LAB_PAIR_START;
    show_free(p->show, now);
    follow_free(p->follow);
    /* what a failed world still holds is of no interest, and may be broken */
    if (p->world != NULL && !out->failed)
        lab_world_free(p->world);
    free(p);
}
