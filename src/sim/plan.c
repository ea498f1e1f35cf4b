/* plan.c - see plan.h. Intensities are drawn uniformly in their logarithm: most worlds are mildly
 * bad, some terribly, and everything between occurs. */
#include "sim/plan.h"

#include <string.h>

#include "base/util.h"

enum { ECN_MODES = 6, ECN_OPTION_MODES = 4, COOKIE_MODES = 3 }; /* as in tern.h */
enum { BULK = 1 << 26, BULK_BUFFER = 1 << 18 };                 /* bytes */

static uint64_t bit_length(uint64_t n) { return 64 - (uint64_t)__builtin_clzll(n | 1); }

/* Without floating point, so that every machine draws the same: first an octave, then in it. */
uint64_t draw_log(struct lab_random *r, uint64_t lo, uint64_t hi)
{
    uint64_t first = bit_length(lo) - 1, last = bit_length(hi) - 1;
    uint64_t octave = first + lab_random_below(r, last - first + 1);
    uint64_t n = (UINT64_C(1) << octave) + lab_random_below(r, UINT64_C(1) << octave);
    return max_u64(lo, min_u64(n, hi));
}

double draw_chance(struct lab_random *r, uint64_t lo, uint64_t hi)
{
    return (double)draw_log(r, lo, hi) / 1e6;
}

struct lab_random plan_stream(const struct sim_config *conf, uint64_t part)
{
    struct lab_random r;
    lab_random_seed(&r, lab_random_derive(conf->seed, part));
    return r;
}

static void draw_faults(struct plan *p, const struct sim_config *conf)
{
    static const double chance[SIM_PROFILES] = {
        [SIM_MIXED] = 1.0 / 3, [SIM_CALM] = 0, [SIM_STORM] = 0.75, [SIM_BULK] = 0, [SIM_SHARE] = 0};
    struct lab_random r = plan_stream(conf, STREAM_FAULTS);
    for (uint32_t i = 0; i < SIM_FAULT_COUNT; i++)
        p->faults |= (uint64_t)lab_random_chance(&r, chance[conf->profile]) << i;
    p->faults &= ~conf->without;
}

static void draw_link(struct plan *p, const struct sim_config *conf)
{
    static const uint32_t mtus[] = {1500, 1500, 1280, 576, 9000, 65535};
    struct lab_random r = plan_stream(conf, STREAM_LINK);
    uint64_t far = lab_random_below(&r, 100);
    uint64_t delay_max = far == 0 ? 15 * SIM_S : far < 10 ? 2 * SIM_S : 200 * SIM_MS;
    p->delay[0] = p->delay[1] = draw_log(&r, 10 * SIM_US, delay_max);
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

/* ---- stacks ---------------------------------------------------------------------------------- */

static void draw_options(tern_config *c, struct lab_random *r, bool wanted)
{
    uint64_t off = lab_random_below(r, 8);
    uint8_t ecn = (uint8_t)lab_random_below(r, ECN_MODES);
    uint8_t option = (uint8_t)lab_random_below(r, ECN_OPTION_MODES);
    uint8_t cookies = (uint8_t)lab_random_below(r, COOKIE_MODES);
    if (!wanted)
        return;
    c->features &= ~(uint32_t)off;
    c->ecn = ecn;
    c->ecn_option = option;
    c->cookies = cookies;
}

static void draw_limits(tern_config *c, struct lab_random *r, bool wanted)
{
    uint32_t timewaits = (uint32_t)draw_log(r, 1, 16), halfopen = (uint32_t)draw_log(r, 16, 256);
    uint32_t outputs = (uint32_t)draw_log(r, 1, 64), replies = (uint32_t)draw_log(r, 1, 16);
    uint32_t timers = (uint32_t)draw_log(r, 1, 16), pages = (uint32_t)draw_log(r, 8192, 65536);
    if (!wanted)
        return;
    c->timewait_max = timewaits;
    c->halfopen_max = halfopen;
    c->output_max = outputs;
    c->replies_max = replies;
    c->advance_max = timers;
    c->buf_bytes_max = (size_t)pages << 12;
}

static void draw_stack(struct plan *p, const struct sim_config *conf, int host)
{
    struct lab_random r = plan_stream(conf, STREAM_STACK + (uint64_t)host);
    struct lab_random options = plan_stream(conf, STREAM_FAULT + SIM_OPTIONS);
    struct lab_random wrap = plan_stream(conf, STREAM_FAULT + SIM_WRAP);
    struct lab_random memory = plan_stream(conf, STREAM_FAULT + SIM_MEMORY);
    struct lab_random limits = plan_stream(conf, STREAM_FAULT + SIM_LIMITS);
    tern_config *c = &p->tern[host];
    tern_config_default(c);
    c->cc = lab_random_chance(&r, 0.3) ? &tern_cc_reno : &tern_cc_cubic;
    c->stats = true;
    c->msl = draw_log(&r, 100 * SIM_MS, 30 * SIM_S);
    c->delack = draw_log(&r, SIM_MS, 499 * SIM_MS);
    c->idle = draw_log(&r, 10 * SIM_MS, 10 * SIM_S);
    c->idle_restart = lab_random_chance(&r, 0.7);
    /* a host that begins anew needs other numbers, and so does a connection by other ports */
    c->isn_fixed = plan_has(p, SIM_WRAP) && !plan_has(p, SIM_CRASH) && !plan_has(p, SIM_NAT);
    for (int i = 0; i <= host; i++) { /* host 1's come second */
        draw_options(c, &options, i == host && plan_has(p, SIM_OPTIONS));
        draw_limits(c, &limits, i == host && plan_has(p, SIM_LIMITS));
        c->isn = 0u - (uint32_t)draw_log(&wrap, 1, 1 << 18);
        p->fail_first[i] = draw_log(&memory, 8, 256);
        p->fail_count[i] = draw_log(&memory, 1, 1000);
        if (!plan_has(p, SIM_MEMORY))
            p->fail_first[i] = p->fail_count[i] = 0;
    }
}

static void draw_crash(struct plan *p, const struct sim_config *conf, uint64_t chaos)
{
    struct lab_random r = plan_stream(conf, STREAM_FAULT + SIM_CRASH);
    p->crash_host = (int)lab_random_below(&r, 2);
    p->crash_at = plan_has(p, SIM_CRASH) ? 1 + lab_random_below(&r, chaos) : 0;
}

/* Of two SYNs that cross it is the first that counts, and of a SYN and a SYN-ACK it should not
 * matter: where both ends open, all lose the same options. */
static void strip_alike(struct plan *p)
{
    bool together = false;
    for (uint32_t i = 0; i < p->flows; i++)
        together |= p->flow[i].together;
    for (uint32_t i = 0; i <= HEAL_SPELL && together; i++)
        for (int dir = 0; dir < 2; dir++)
            p->spell[i].box[dir].strip_synack = p->spell[i].box[dir].strip_syn =
                p->spell[i].box[0].strip_syn;
}

/* A way without limits, packet by packet, one writer and one reader who are always there. */
static void draw_bulk(struct plan *p)
{
    struct flow_plan *f = &p->flow[0];
    struct habit *writes = &f->side[0], *reads = &f->side[1];
    p->flows = 1;
    p->iface = (tern_iface){.mtu = 1500};
    for (int dir = 0; dir < 2; dir++)
        for (int i = 0; i <= HEAL_SPELL; i++)
            p->spell[i].dir[dir].rate = 0;
    f->begins = 0;
    f->swapped = f->together = false;
    writes->send = BULK;
    reads->send = 0;
    writes->write_max = reads->read_max = 1 << 16;
    writes->zero_copy = reads->zero_copy = true;
    writes->sndbuf = reads->rcvbuf = BULK_BUFFER;
}

void plan_draw(struct plan *p, const struct sim_config *conf)
{
    memset(p, 0, sizeof(*p));
    draw_faults(p, conf);
    draw_link(p, conf);
    for (int host = 0; host < 2; host++)
        draw_stack(p, conf, host);
    uint64_t chaos = plan_spells(p, conf);
    plan_flows(p, conf, chaos);
    strip_alike(p);
    draw_crash(p, conf, chaos);
    if (conf->profile == SIM_BULK)
        draw_bulk(p);
    if (conf->profile == SIM_SHARE)
        share_plan(p, conf->seed);
}
