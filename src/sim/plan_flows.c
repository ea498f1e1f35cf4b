/* plan_flows.c - which connections there will be, and how their programs behave. */
#include "base/util.h"
#include "sim/plan.h"

enum { ENDINGS = 6, ANSWERS = 8, TTL_LEAST = 8 };

/* Where what a fault does to programs is drawn from. */
struct habits {
    struct lab_random r[SIM_FAULT_COUNT];
};

static void be_slow(struct lab_random *r, bool wanted, uint64_t most, struct habit *h)
{
    uint64_t write_wait = draw_log(r, SIM_MS, 2 * SIM_S);
    uint64_t read_wait = draw_log(r, SIM_MS, 2 * SIM_S);
    uint32_t little = (uint32_t)draw_log(r, 1, 4096);
    uint64_t which = lab_random_below(r, 4);
    if (wanted && which & 1) { /* so much that it can end */
        h->read_wait = read_wait;
        h->read_max = max_u32(little, 1 + (uint32_t)(most / 64));
    }
    if (wanted && which & 2) {
        h->write_wait = write_wait;
        h->write_max = max_u32(little, 1 + (uint32_t)(h->send / 64));
    }
}

static void be_small(struct lab_random *r, bool wanted, struct habit *h)
{
    int64_t rcvbuf = (int64_t)draw_log(r, 1, 1 << 14);
    int64_t sndbuf = (int64_t)draw_log(r, 1, 1 << 14);
    if (!wanted)
        return;
    h->rcvbuf = rcvbuf;
    h->sndbuf = sndbuf;
}

static void be_brief(struct lab_random *r, bool wanted, uint64_t most, struct habit *h)
{
    uint64_t end = lab_random_below(r, ENDINGS), after = draw_log(r, 1, most);
    if (!wanted)
        return;
    h->ending = end == 0 ? END_ABORT : end == 1 ? END_CLOSE : END_GRACEFUL;
    h->abort_after = after;
}

static void be_odd(struct lab_random *r, bool wanted, struct habit *h)
{
    uint64_t which = lab_random_below(r, 16);
    int64_t mss = (int64_t)draw_log(r, 64, 9000), dscp = (int64_t)lab_random_below(r, 64);
    int64_t ttl = TTL_LEAST + (int64_t)lab_random_below(r, 200);
    if (!wanted)
        return;
    h->cork = which & 1;
    h->mss = which & 2 ? mss : 0;
    h->dscp = which & 4 ? dscp : 0;
    h->ttl = which & 8 ? ttl : 0;
}

static void be_silent(struct habits *f, const struct plan *p, uint64_t most, struct habit *h)
{
    uint64_t after = draw_log(&f->r[SIM_PAUSE], 1, most);
    uint64_t pause = draw_log(&f->r[SIM_PAUSE], 100 * SIM_MS, 600 * SIM_S);
    uint64_t hold = draw_log(&f->r[SIM_IDLE], SIM_S, 7200 * SIM_S);
    uint64_t keep = draw_log(&f->r[SIM_KEEP], SIM_S, 60 * SIM_S);
    bool holds = lab_random_chance(&f->r[SIM_IDLE], 0.5);
    if (plan_has(p, SIM_PAUSE)) {
        h->pause_after = after;
        h->pause = pause;
    }
    if (plan_has(p, SIM_IDLE) && holds)
        h->hold_open = hold;
    if (plan_has(p, SIM_KEEP))
        h->keep_idle = (int64_t)keep;
}

static void draw_habit(const struct plan *p, struct lab_random *r, struct habits *f,
                       struct habit *h)
{
    uint64_t most = lab_random_chance(r, 0.2) ? 1 << 21 : 1 << 18;
    h->send = lab_random_chance(r, 0.1) ? 0 : draw_log(r, 1 << 6, most);
    h->write_max = (uint32_t)draw_log(r, 64, 1 << 16);
    h->read_max = (uint32_t)draw_log(r, 64, 1 << 16);
    h->nodelay = lab_random_chance(r, 0.3);
    h->zero_copy = lab_random_chance(r, 0.3);
    be_slow(&f->r[SIM_SLOW], plan_has(p, SIM_SLOW), most, h);
    be_small(&f->r[SIM_BUFFERS], plan_has(p, SIM_BUFFERS), h);
    be_brief(&f->r[SIM_ABORT], plan_has(p, SIM_ABORT), most, h);
    be_odd(&f->r[SIM_OPTIONS], plan_has(p, SIM_OPTIONS), h);
    be_silent(f, p, most, h);
}

/* Through a tiny buffer, or one with tiny segments, comes only so much. */
static void limit_sizes(struct flow_plan *f)
{
    for (int side = 0; side < 2; side++) {
        struct habit *from = &f->side[side];
        int64_t to = f->side[!side].rcvbuf,
                least = to != 0 && to < from->sndbuf ? to : from->sndbuf;
        if (least != 0)
            from->send = min_u64(from->send, (uint64_t)least * 200);
    }
}

static void draw_opening(const struct plan *p, struct habits *f, struct flow_plan *flow)
{
    struct lab_random *hold = &f->r[SIM_HOLD], *again = &f->r[SIM_AGAIN];
    uint64_t answer = lab_random_below(hold, ANSWERS);
    uint64_t wait = draw_log(hold, SIM_MS, 3 * SIM_S);
    uint64_t count = 1 + lab_random_below(again, 3), pause = draw_log(again, SIM_US, 2 * SIM_S);
    bool held = lab_random_chance(hold, 0.5), repeated = lab_random_chance(again, 0.5);
    if (plan_has(p, SIM_HOLD) && held && !flow->together) {
        flow->held = true;
        flow->answer = answer <= ANSWER_DROP ? (enum answer)answer : ANSWER_ADMIT;
        flow->answer_wait = wait;
    }
    /* where all ISNs are one, or their clock stands still, nobody could tell them apart */
    bool apart = !plan_has(p, SIM_WRAP) && !plan_has(p, SIM_CLOCK);
    if (plan_has(p, SIM_AGAIN) && repeated && !flow->together && apart) {
        flow->again = (uint32_t)count;
        flow->again_wait = pause;
    }
}

void plan_flows(struct plan *p, const struct sim_config *conf, uint64_t chaos)
{
    struct lab_random r = plan_stream(conf, STREAM_FLOWS);
    struct habits f;
    for (uint64_t i = 0; i < SIM_FAULT_COUNT; i++)
        f.r[i] = plan_stream(conf, STREAM_HABIT + i);
    p->flows = (uint32_t)draw_log(&r, 1, FLOWS_MAX);
    for (uint32_t i = 0; i < FLOWS_MAX; i++) {
        struct flow_plan *flow = &p->flow[i];
        flow->key = lab_random_u64(&r);
        flow->begins = lab_random_chance(&r, 0.5) ? 0 : lab_random_below(&r, chaos);
        flow->ip6 = lab_random_chance(&r, 0.5) && p->iface.mtu >= 1280;
        flow->swapped = lab_random_chance(&r, 0.3);
        flow->together = lab_random_chance(&r, 0.1);
        for (int side = 0; side < 2; side++)
            draw_habit(p, &r, &f, &flow->side[side]);
        draw_opening(p, &f, flow);
        limit_sizes(flow);
    }
    if (conf->flows_max != 0)
        p->flows = min_u32(p->flows, conf->flows_max);
}
