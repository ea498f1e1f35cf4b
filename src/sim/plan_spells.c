/* plan_spells.c - what comes and goes on the link and at the hosts: in each spell a fault that is
 * in this world does nothing half of the time, else it acts on one side or on both. What a
 * middlebox does to handshakes stays the same throughout, as connections could not bear else. */
#include <string.h>

#include "base/util.h"
#include "sim/plan.h"

enum { MSS_LEAST = 216, JOIN_MAX = 1500 };

/* What is drawn for a fault, a spell and a side, whether it is used or not. */
struct dice {
    double chance;   /* 0.001 to 0.4 */
    uint64_t amount; /* 1 to 2^20 */
    uint64_t kind;   /* any number */
};

/* Nothing waits for longer than a few seconds. */
static void set_rate(const struct plan *p, struct lab_impair *m, uint64_t rate)
{
    uint64_t bits = (uint64_t)p->iface.mtu * 8;
    m->rate = max_u64(rate, bits * 2);
    m->queue = (uint32_t)min_u64(m->rate * 5 / bits, 1000);
}

static void set_aqm(const struct plan *p, struct lab_impair *m, const struct dice *d)
{
    if (m->rate == 0)
        set_rate(p, m, 1000000 + d->amount * 100);
    if (d->kind & 1) {
        m->mark = 2 + (uint32_t)(d->amount % 64);
    } else {
        m->police = m->rate / 2;
        m->police_burst = p->iface.mtu * (2 + (uint32_t)(d->amount % 64));
    }
}

static void on_link(const struct plan *p, enum sim_fault fault, const struct dice *d,
                    struct lab_impair *m)
{
    switch (fault) {
    case SIM_LOSS:
        m->loss = d->chance;
        break;
    case SIM_BURST:
        m->loss = m->loss > 0 ? m->loss : d->chance / 4;
        m->burst = 1 + (double)(d->amount % 100);
        break;
    case SIM_OUTAGE:
        m->loss = 1;
        break;
    case SIM_REORDER:
        m->reorder = d->chance;
        break;
    case SIM_DUPLICATE:
        m->duplicate = d->chance;
        break;
    case SIM_CORRUPT:
        m->corrupt = d->chance / 2;
        break;
    case SIM_JITTER:
        m->jitter = min_u64(d->amount * SIM_US, 4 * m->delay + 20 * SIM_MS);
        break;
    case SIM_DELAY:
        m->delay = min_u64(m->delay * (1 + d->amount % 30), max_u64(m->delay, 3 * SIM_S));
        break;
    case SIM_RATE:
        set_rate(p, m, 20000 + d->amount * 20);
        break;
    case SIM_QUEUE:
        m->queue = 1 + (uint32_t)(d->amount % 20);
        break;
    case SIM_MTU:
        m->mtu = 100 + (uint32_t)(d->amount % 1500);
        break;
    case SIM_AQM:
        set_aqm(p, m, d);
        break;
    default:
        break;
    }
}

static void on_box(enum sim_fault fault, const struct dice *d, struct lab_box *b)
{
    switch (fault) {
    case SIM_CUT:
        b->truncate = d->chance / 4;
        break;
    case SIM_ACKS:
        b->ack_newest = d->kind & 1;
        b->ack_loss = d->kind & 2 ? d->chance * 2 : 0;
        break;
    case SIM_STRIP:
        b->strip_data = (uint8_t)(d->kind & LAB_STRIP_ALL);
        b->strip_chance = d->chance;
        break;
    case SIM_ECN:
        b->ecn = (uint8_t)(d->kind % LAB_ECN_MODES);
        break;
    case SIM_RESEGMENT:
        b->split = d->kind & 1 ? (uint16_t)(8 + d->amount % 1400) : 0;
        b->join = d->kind & 2 ? JOIN_MAX : 0;
        break;
    default:
        break;
    }
}

/* At host `side`. Clocks jump from spell to spell; `before` is where this one stood. */
static void at_host(enum sim_fault fault, const struct dice *d, int side, struct spell *s)
{
    int64_t jump = (int64_t)(d->amount * 20 * SIM_MS); /* up to six hours */
    switch (fault) {
    case SIM_LATE:
        s->late = max_u64(s->late, d->amount * 60 * SIM_US);
        break;
    case SIM_STRAY:
        s->strays = 1 + (uint32_t)(d->amount % 64);
        break;
    case SIM_ICMP:
        s->errors = 1 + (uint32_t)(d->amount % 32);
        break;
    case SIM_CLOCK:
        s->tick[side] = d->kind & 1 ? (1 + d->amount % 500) * SIM_MS : 1;
        if (d->kind & 2)
            s->ahead[side] += d->kind & 4 ? jump : -(int64_t)(d->amount * 10 * SIM_US);
        s->ahead[side] = s->ahead[side] < 0 ? 0 : s->ahead[side];
        break;
    case SIM_DEVICE:
        s->device[side] = (struct lab_device){.refuse = d->chance,
                                              .busy = d->amount * SIM_US,
                                              .keep = d->kind & 1 ? d->chance : 0,
                                              .keep_for = d->amount * SIM_US};
        break;
    default:
        break;
    }
}

static void draw_spell(const struct plan *p, struct lab_random r[SIM_FAULT_COUNT], struct spell *s)
{
    for (uint32_t i = 0; i < SIM_FAULT_COUNT; i++) {
        enum sim_fault fault = (enum sim_fault)i;
        uint64_t where = lab_random_below(&r[i], 6); /* 0, 1, 2: none; 3: both */
        for (int side = 0; side < 2; side++) {
            struct dice d = {.chance = draw_chance(&r[i], 1000, 400000),
                             .amount = draw_log(&r[i], 1, 1 << 20),
                             .kind = lab_random_u64(&r[i]) >> 16};
            if (!plan_has(p, fault) || where < 3 || (int)where - 4 == side)
                continue;
            on_link(p, fault, &d, &s->dir[side]);
            on_box(fault, &d, &s->box[side]);
            at_host(fault, &d, side, s);
        }
    }
}

/* ---- what stays ------------------------------------------------------------------------------ */

static void draw_boxes(struct plan *p, const struct sim_config *conf, struct lab_box box[2])
{
    static const uint8_t ttls[] = {0, 1, 255};
    struct lab_random strip = plan_stream(conf, STREAM_FAULT + SIM_STRIP);
    struct lab_random rewrite = plan_stream(conf, STREAM_FAULT + SIM_REWRITE);
    struct lab_random ecn = plan_stream(conf, STREAM_FAULT + SIM_ECN);
    memset(box, 0, 2 * sizeof(*box));
    for (int side = 0; side < 2; side++) {
        uint64_t syn = lab_random_u64(&strip) >> 16, synack = lab_random_u64(&strip) >> 16;
        uint64_t which = lab_random_u64(&rewrite) >> 16;
        uint16_t mss = (uint16_t)draw_log(&rewrite, MSS_LEAST, 1460);
        uint32_t shift = (uint32_t)lab_random_u64(&rewrite);
        bool ecn_lost = lab_random_chance(&ecn, 0.3);
        if (plan_has(p, SIM_STRIP)) {
            box[side].strip_syn = (uint8_t)(syn & (LAB_STRIP_ALL - LAB_STRIP_MSS));
            /* one end alone would scale windows: nothing gets on then but by timers */
            box[side].strip_synack =
                (uint8_t)(synack & (LAB_STRIP_ALL - LAB_STRIP_MSS - LAB_STRIP_WSCALE));
        }
        box[side].drop_ecn_syn = plan_has(p, SIM_ECN) && ecn_lost;
        if (!plan_has(p, SIM_REWRITE))
            continue;
        box[side].ttl = ttls[which % ARRAY_LEN(ttls)];
        box[side].mss_max = which & 4 ? mss : 0;
        for (int dir = 0; dir < 2; dir++)
            box[dir].shift[side] = which & 8 ? shift : 0;
        box[side].keep_sacks = which & 16;
    }
}

/* From the middle of the chaos on, end 0 is another port. */
static void draw_nat(struct plan *p, const struct sim_config *conf)
{
    struct lab_random r = plan_stream(conf, STREAM_FAULT + SIM_NAT);
    uint32_t from = (uint32_t)lab_random_below(&r, SPELLS_MAX);
    if (!plan_has(p, SIM_NAT) || !lab_random_chance(&r, 0.3))
        return;
    p->nat = true;
    for (uint32_t i = from; i <= HEAL_SPELL; i++)
        p->spell[i].box[0].port_shift = p->spell[i].box[1].port_shift = 1000;
}

uint64_t plan_spells(struct plan *p, const struct sim_config *conf)
{
    struct lab_random r = plan_stream(conf, STREAM_SPELLS), faults[SIM_FAULT_COUNT];
    struct lab_random ptb = plan_stream(conf, STREAM_FAULT + SIM_ICMP);
    struct spell *heal = &p->spell[HEAL_SPELL];
    uint64_t at = 0;
    for (uint64_t i = 0; i < SIM_FAULT_COUNT; i++)
        faults[i] = plan_stream(conf, STREAM_SPELL_FAULT + i);
    p->tells_mtu = plan_has(p, SIM_ICMP) && lab_random_chance(&ptb, 0.7);
    draw_boxes(p, conf, heal->box);
    p->spells = 1 + (uint32_t)lab_random_below(&r, SPELLS_MAX);
    for (uint32_t i = 0; i < SPELLS_MAX; i++) {
        struct spell *s = &p->spell[i];
        at += draw_log(&r, 20 * SIM_MS, 5 * SIM_S);
        memcpy(s->dir, heal->dir, sizeof(s->dir));
        memcpy(s->box, heal->box, sizeof(s->box));
        if (i != 0)
            memcpy(s->ahead, p->spell[i - 1].ahead, sizeof(s->ahead));
        s->ends = at;
        draw_spell(p, faults, s);
    }
    memcpy(heal->ahead, p->spell[p->spells - 1].ahead, sizeof(heal->ahead));
    draw_nat(p, conf);
    return p->spell[p->spells - 1].ends;
}
