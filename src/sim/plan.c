/* plan.c - see plan.h. Intensities are drawn uniformly in their logarithm: most worlds are mildly
 * bad, some terribly, and everything between occurs. */
#include "sim/plan.h"

#include <string.h>

#include "base/util.h"

/* Streams of random numbers; those of the faults follow. */
enum { STREAM_FAULTS = 1, STREAM_LINK, STREAM_FLOWS, STREAM_SPELLS, STREAM_FAULT };

enum { ECN_MODES = 6, ECN_OPTION_MODES = 4 }; /* as in tern.h */

static uint64_t bit_length(uint64_t n) { return 64 - (uint64_t)__builtin_clzll(n | 1); }

/* Without floating point, so that every machine draws the same: first an octave, then in it. */
uint64_t draw_log(struct lab_random *r, uint64_t lo, uint64_t hi)
{
    uint64_t first = bit_length(lo) - 1, last = bit_length(hi) - 1;
    uint64_t octave = first + lab_random_below(r, last - first + 1);
    uint64_t n = (UINT64_C(1) << octave) + lab_random_below(r, UINT64_C(1) << octave);
    return max_u64(lo, min_u64(n, hi));
}

/* A probability between two parts per million. */
static double draw_chance(struct lab_random *r, uint64_t lo, uint64_t hi)
{
    return (double)draw_log(r, lo, hi) / 1e6;
}

static struct lab_random stream(const struct sim_config *conf, uint64_t part)
{
    struct lab_random r;
    lab_random_seed(&r, lab_random_derive(conf->seed, part));
    return r;
}

static bool has(const struct plan *p, enum sim_fault fault) { return p->faults >> fault & 1; }

/* ---- the sound world ------------------------------------------------------------------------- */

static void draw_faults(struct plan *p, const struct sim_config *conf)
{
    static const double chance[SIM_PROFILES] = {
        [SIM_MIXED] = 1.0 / 3, [SIM_CALM] = 0, [SIM_STORM] = 0.75};
    struct lab_random r = stream(conf, STREAM_FAULTS);
    for (uint32_t i = 0; i < SIM_FAULT_COUNT; i++)
        p->faults |= (uint32_t)lab_random_chance(&r, chance[conf->profile]) << i;
    p->faults &= ~conf->without;
}

static void draw_link(struct plan *p, const struct sim_config *conf)
{
    static const uint32_t mtus[] = {1500, 1500, 1280, 576, 9000, 65535};
    struct lab_random r = stream(conf, STREAM_LINK);
    uint64_t delay =
        draw_log(&r, 10 * SIM_US, lab_random_chance(&r, 0.1) ? 2 * SIM_S : 200 * SIM_MS);
    p->delay[0] = p->delay[1] = delay;
    if (lab_random_chance(&r, 0.3))
        p->delay[1] = draw_log(&r, 10 * SIM_US, 200 * SIM_MS);
    p->iface.mtu = mtus[lab_random_below(&r, ARRAY_LEN(mtus))];
    if (lab_random_chance(&r, 0.5)) {
        p->iface.caps = TERN_CAP_CSUM | TERN_CAP_TSO4 | TERN_CAP_TSO6;
        p->iface.gso_max = 65535;
    }
    uint64_t rate = lab_random_chance(&r, 0.5) ? draw_log(&r, 1000000, 10000000000u) : 0;
    for (int dir = 0; dir < 2; dir++)
        p->spell[HEAL_SPELL].dir[dir] =
            (struct lab_impair){.delay = p->delay[dir], .rate = rate, .queue = 1000};
    p->spell[HEAL_SPELL].ends = TERN_NEVER;
}

static void draw_stack(struct plan *p, const struct sim_config *conf, int host)
{
    struct lab_random r = stream(conf, STREAM_FAULT + SIM_FAULT_COUNT + (uint64_t)host);
    tern_config *c = &p->tern[host];
    tern_config_default(c);
    c->cc = lab_random_chance(&r, 0.3) ? &tern_cc_reno : &tern_cc_cubic;
    c->stats = true;
    c->msl = draw_log(&r, 100 * SIM_MS, 30 * SIM_S);
    c->delack = draw_log(&r, SIM_MS, 200 * SIM_MS);
    c->idle = draw_log(&r, 10 * SIM_MS, 10 * SIM_S);
    c->idle_restart = lab_random_chance(&r, 0.7);
    struct lab_random o = stream(conf, STREAM_FAULT + SIM_OPTIONS);
    for (int i = 0; i <= host; i++) {
        uint64_t off = lab_random_below(&o, 8);
        uint8_t ecn = (uint8_t)lab_random_below(&o, ECN_MODES);
        uint8_t option = (uint8_t)lab_random_below(&o, ECN_OPTION_MODES);
        if (!has(p, SIM_OPTIONS))
            continue;
        p->tern[i].features &= ~(uint32_t)off;
        p->tern[i].ecn = ecn;
        p->tern[i].ecn_option = option;
    }
    struct lab_random w = stream(conf, STREAM_FAULT + SIM_WRAP);
    c->isn_fixed = has(p, SIM_WRAP);
    for (int i = 0; i <= host; i++)
        c->isn = 0u - (uint32_t)draw_log(&w, 1, 1 << 18);
    struct lab_random m = stream(conf, STREAM_FAULT + SIM_MEMORY);
    for (int i = 0; i <= host; i++) {
        p->fail_first[i] = draw_log(&m, 8, 256);
        p->fail_count[i] = draw_log(&m, 1, 1000);
        if (!has(p, SIM_MEMORY))
            p->fail_first[i] = p->fail_count[i] = 0;
    }
}

/* ---- connections ----------------------------------------------------------------------------- */

static void draw_habit(struct plan *p, struct lab_random *r, struct lab_random faults[3],
                       struct habit *h)
{
    uint64_t most = lab_random_chance(r, 0.1) ? 1 << 20 : 1 << 16;
    h->send = lab_random_chance(r, 0.15) ? 0 : draw_log(r, 1, most);
    h->write_max = (uint32_t)draw_log(r, 64, 1 << 16);
    h->read_max = (uint32_t)draw_log(r, 64, 1 << 16);
    h->nodelay = lab_random_chance(r, 0.3);
    h->zero_copy = lab_random_chance(r, 0.3);
    uint64_t write_wait = draw_log(&faults[0], SIM_MS, 2 * SIM_S);
    uint64_t read_wait = draw_log(&faults[0], SIM_MS, 2 * SIM_S);
    uint32_t little = (uint32_t)draw_log(&faults[0], 1, 4096);
    uint64_t which = lab_random_below(&faults[0], 4);
    if (has(p, SIM_SLOW) && which & 1) { /* so much that it can end */
        h->read_wait = read_wait;
        h->read_max = max_u32(little, 1 + (uint32_t)(most / 64));
    }
    if (has(p, SIM_SLOW) && which & 2) {
        h->write_wait = write_wait;
        h->write_max = max_u32(little, 1 + (uint32_t)(h->send / 64));
    }
    int64_t rcvbuf = (int64_t)draw_log(&faults[1], 1, 1 << 14);
    int64_t sndbuf = (int64_t)draw_log(&faults[1], 1, 1 << 14);
    if (has(p, SIM_BUFFERS)) {
        h->rcvbuf = rcvbuf;
        h->sndbuf = sndbuf;
    }
    uint64_t end = lab_random_below(&faults[2], 6), after = draw_log(&faults[2], 1, most);
    if (has(p, SIM_ABORT)) {
        h->ending = end == 0 ? END_ABORT : end == 1 ? END_CLOSE : END_GRACEFUL;
        h->abort_after = after;
    }
}

/* Through a tiny buffer comes only so much. */
static void limit_sizes(const struct plan *p, struct flow_plan *f)
{
    for (int side = 0; side < 2 && has(p, SIM_BUFFERS); side++) {
        struct habit *from = &f->side[side];
        int64_t least = f->side[!side].rcvbuf < from->sndbuf ? f->side[!side].rcvbuf : from->sndbuf;
        from->send = min_u64(from->send, (uint64_t)least * 200);
    }
}

static void draw_flows(struct plan *p, const struct sim_config *conf, uint64_t chaos)
{
    struct lab_random r = stream(conf, STREAM_FLOWS);
    struct lab_random faults[3] = {stream(conf, STREAM_FAULT + SIM_SLOW),
                                   stream(conf, STREAM_FAULT + SIM_BUFFERS),
                                   stream(conf, STREAM_FAULT + SIM_ABORT)};
    p->flows = (uint32_t)draw_log(&r, 1, FLOWS_MAX);
    for (uint32_t i = 0; i < FLOWS_MAX; i++) {
        struct flow_plan *f = &p->flow[i];
        f->key = lab_random_u64(&r);
        f->begins = lab_random_chance(&r, 0.5) ? 0 : lab_random_below(&r, chaos);
        f->ip6 = lab_random_chance(&r, 0.5) && p->iface.mtu >= 1280;
        f->swapped = lab_random_chance(&r, 0.3);
        f->together = lab_random_chance(&r, 0.1);
        for (int side = 0; side < 2; side++)
            draw_habit(p, &r, faults, &f->side[side]);
        limit_sizes(p, f);
    }
    if (conf->flows_max != 0)
        p->flows = min_u32(p->flows, conf->flows_max);
}

/* ---- chaos ----------------------------------------------------------------------------------- */

/* Nothing waits for longer than a few seconds. */
static void set_rate(const struct plan *p, struct lab_impair *m, uint64_t rate)
{
    uint64_t bits = (uint64_t)p->iface.mtu * 8;
    m->rate = max_u64(rate, bits * 2);
    m->queue = (uint32_t)min_u64(m->rate * 5 / bits, 1000);
}

/* What a fault does in a spell: half of the time nothing, else to one direction or to both. */
static void draw_spell(const struct plan *p, struct lab_random r[SIM_FAULT_COUNT], struct spell *s)
{
    for (uint32_t fault = 0; fault < SIM_FAULT_COUNT; fault++) {
        uint64_t where = lab_random_below(&r[fault], 6); /* 0, 1, 2: none; 3: both */
        uint64_t late = draw_log(&r[fault], SIM_MS, SIM_S);
        uint32_t strays = (uint32_t)draw_log(&r[fault], 1, 64);
        for (uint32_t dir = 0; dir < 2; dir++) {
            struct lab_impair *m = &s->dir[dir];
            struct lab_random *q = &r[fault];
            double chance = draw_chance(q, 1000, 400000);
            uint64_t amount = draw_log(q, 1, 1 << 20);
            if (!has(p, fault) || where < 3 || (where == 4 && dir == 0) || (where == 5 && dir == 1))
                continue;
            switch ((enum sim_fault)fault) {
            case SIM_LOSS:
                m->loss = chance;
                break;
            case SIM_OUTAGE:
                m->loss = 1;
                break;
            case SIM_REORDER:
                m->reorder = chance;
                break;
            case SIM_DUPLICATE:
                m->duplicate = chance;
                break;
            case SIM_CORRUPT:
                m->corrupt = chance / 2;
                break;
            case SIM_JITTER:
                m->jitter = min_u64(amount * SIM_US, 4 * m->delay + 20 * SIM_MS);
                break;
            case SIM_DELAY:
                m->delay = min_u64(m->delay * (1 + amount % 30), max_u64(m->delay, 3 * SIM_S));
                break;
            case SIM_RATE:
                set_rate(p, m, 20000 + amount * 20);
                break;
            case SIM_QUEUE:
                m->queue = 1 + (uint32_t)(amount % 20);
                break;
            case SIM_MTU:
                m->mtu = 100 + (uint32_t)(amount % 1500);
                break;
            case SIM_LATE:
                s->late = late;
                break;
            case SIM_STRAY:
                s->strays = strays;
                break;
            default:
                break;
            }
        }
    }
}

static uint64_t draw_spells(struct plan *p, const struct sim_config *conf)
{
    struct lab_random r = stream(conf, STREAM_SPELLS), faults[SIM_FAULT_COUNT];
    uint64_t at = 0;
    for (uint32_t i = 0; i < SIM_FAULT_COUNT; i++)
        faults[i] = stream(conf, STREAM_FAULT + 2 * SIM_FAULT_COUNT + i);
    p->spells = 1 + (uint32_t)lab_random_below(&r, SPELLS_MAX);
    for (uint32_t i = 0; i < SPELLS_MAX; i++) {
        at += draw_log(&r, 20 * SIM_MS, 5 * SIM_S);
        memcpy(p->spell[i].dir, p->spell[HEAL_SPELL].dir, sizeof(p->spell[i].dir));
        p->spell[i].ends = at;
        draw_spell(p, faults, &p->spell[i]);
    }
    return p->spell[p->spells - 1].ends;
}

void plan_draw(struct plan *p, const struct sim_config *conf)
{
    memset(p, 0, sizeof(*p));
    draw_faults(p, conf);
    draw_link(p, conf);
    for (int host = 0; host < 2; host++)
        draw_stack(p, conf, host);
    draw_flows(p, conf, draw_spells(p, conf));
}
