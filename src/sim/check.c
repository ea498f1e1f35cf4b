/* check.c - what must hold whatever happens. The names are those of the invariants: S of safety, L
 * of liveness, R of resources. */
#include "base/seq.h"
#include "sim/play.h"

enum {
    CWND_MIN_SEGMENTS = 1,
    SSTHRESH_MIN_SEGMENTS = 2,
    STEPS_A_SEGMENT = 512,
    PACKETS_AFTER = 1000, /* for each connection */
    LOOK_SEGMENTS = 64,
};
#define STALL (300 * SIM_S) /* the longest without progress: two of the longest timers, and more */
#define TICK SIM_MS         /* of the timestamp clock */
#define HUNGER (30 * SIM_S) /* beyond the longest timer */
#define OPENING (300 * SIM_S) /* all tries of a SYN */

/* ---- transitions ----------------------------------------------------------------------------- */

bool sim_legal(enum tern_state from, enum tern_state to)
{
#define TO(state) (1u << TERN_##state)
    /* A close in SYN-RECEIVED waits for ESTABLISHED; a FIN that acknowledges ours is two steps; a
     * listener is there before its connections, and does not open. */
    static const uint32_t next[TERN_STATE_COUNT] = {
        [TERN_CLOSED] = TO(SYN_SENT),
        [TERN_LISTEN] = TO(SYN_RECEIVED),
        [TERN_SYN_SENT] = TO(SYN_RECEIVED) | TO(ESTABLISHED) | TO(CLOSED),
        [TERN_SYN_RECEIVED] = TO(ESTABLISHED) | TO(LISTEN) | TO(CLOSED),
        [TERN_ESTABLISHED] = TO(FIN_WAIT_1) | TO(CLOSE_WAIT) | TO(CLOSED),
        [TERN_FIN_WAIT_1] = TO(FIN_WAIT_2) | TO(CLOSING) | TO(CLOSED),
        [TERN_FIN_WAIT_2] = TO(TIME_WAIT) | TO(CLOSED),
        [TERN_CLOSE_WAIT] = TO(LAST_ACK) | TO(CLOSED),
        [TERN_CLOSING] = TO(TIME_WAIT) | TO(CLOSED),
        [TERN_LAST_ACK] = TO(CLOSED),
        [TERN_TIME_WAIT] = TO(CLOSED),
    };
#undef TO
    return next[from] >> to & 1;
}

/* S14: a connection times out when its oldest segment has been under way for the least time-out,
 * not before. By the host's clock. */
static void check_timeout(struct play *p, int host, const tern_trace *r)
{
    /* what could not be sent is tried again by the timer; coarse clocks round */
    if (plan_has(&p->plan, SIM_MEMORY) || plan_has(&p->plan, SIM_LIMITS) ||
        plan_has(&p->plan, SIM_CLOCK))
        return;
    for (uint32_t i = 0; i < p->flows; i++) {
        struct flow *f = &p->flow[i];
        struct flow_end *e = &f->end[f->end[0].host == host ? 0 : 1];
        const struct first *first = &e->first[r->seq % FIRSTS];
        tern_tcp_info info;
        if (e->sock.id == 0 || e->sock.id != r->sock.id || !check_info(e, &info) ||
            info.timeouts == e->timeouts)
            continue;
        e->timeouts = info.timeouts;
        if (r->seq != info.snd_una || r->seq != first->seq) /* others may be younger */
            continue;
        uint64_t least = first->at + p->plan.tern[host].rto_min;
        if (r->now + TICK < least)
            sim_fail_end(e, "S14", "times out early", least - r->now, 0);
    }
}

void check_trace(struct play *p, int host, const tern_trace *r)
{
    if (r->kind == TERN_TRACE_RETRANSMIT && r->why == TERN_RTX_RTO)
        check_timeout(p, host, r);
    if (r->kind != TERN_TRACE_STATE)
        return;
    if (r->from >= TERN_STATE_COUNT || r->to >= TERN_STATE_COUNT || !sim_legal(r->from, r->to)) {
        sim_fail(p, "S3", "a transition from %s to %s", tern_state_name(r->from),
                 tern_state_name(r->to));
        return;
    }
    p->result->transitions[r->from][r->to]++;
}

/* ---- each connection ------------------------------------------------------------------------- */

bool check_info(const struct flow_end *e, tern_tcp_info *out)
{
    const struct play *p = e->play;
    if (e->sock.id == 0 || tern_info(e->s, e->sock, out, sizeof(*out)) < 0)
        return false;
    if (play_sabotaged(p, SIM_BACK))
        out->snd_una -= 1;
    else if (play_sabotaged(p, SIM_SMALL))
        out->ssthresh = 1;
    else if (play_sabotaged(p, SIM_RTO))
        out->rto = 1;
    else if (play_sabotaged(p, SIM_RTT))
        out->min_rtt = 1;
    return true;
}

bool check_look(struct flow_end *e, uint32_t *rest, tern_tcp_info *out)
{
    if (*rest != 0) {
        --*rest;
        return false;
    }
    if (!check_info(e, out))
        return false;
    *rest = out->segs_flight / LOOK_SEGMENTS;
    return true;
}

static void check_numbers(struct flow_end *e, const tern_tcp_info *i)
{
    if (!seq_leq(i->snd_una, i->snd_nxt) || seq_lt(i->snd_una, i->iss))
        sim_fail_end(e, "S4", "has sent less than was acknowledged", i->snd_una - i->iss,
                     i->snd_nxt - i->iss);
    if (i->state < TERN_ESTABLISHED)
        return;
    uint32_t edge = i->rcv_nxt + i->rcv_wnd;
    if (e->seen && (seq_lt(i->snd_una, e->una) || seq_lt(i->rcv_nxt, e->nxt)))
        sim_fail_end(e, "S4", "goes back", i->snd_una - e->una, i->rcv_nxt - e->nxt);
    if (e->seen && seq_lt(edge, e->edge))
        sim_fail_end(e, "S4", "takes its window back", edge - i->irs, e->edge - i->irs);
    if (i->snd_nxt - i->iss > e->sent + 2)
        sim_fail_end(e, "S4", "has sent more than there was", i->snd_nxt - i->iss, e->sent);
    e->una = i->snd_una;
    e->nxt = i->rcv_nxt;
    e->edge = edge;
    e->seen = true;
}

static void check_sender(struct flow_end *e, const tern_tcp_info *i)
{
    const struct play *p = e->play;
    const tern_config *c = &p->plan.tern[e->host];
    uint64_t most = max_u64(c->rto_max, c->rto_initial);
    if (i->state < TERN_ESTABLISHED)
        return;
    bool reducing = i->phase == TERN_PHASE_RECOVERY || i->phase == TERN_PHASE_CWR; /* RFC 6937 */
    if (!reducing && i->cwnd < i->snd_mss * (uint32_t)CWND_MIN_SEGMENTS)
        sim_fail_end(e, "S6", "has a cwnd below a segment", i->cwnd, i->snd_mss);
    if (i->ssthresh < i->snd_mss * (uint32_t)SSTHRESH_MIN_SEGMENTS)
        sim_fail_end(e, "S6", "has an ssthresh below two segments", i->ssthresh, i->snd_mss);
    if (i->segs_sacked + i->segs_lost > i->segs_flight)
        sim_fail_end(e, "S6", "counts more SACKed and lost than was sent",
                     i->segs_sacked + i->segs_lost, i->segs_flight);
    if (i->rto < c->rto_min || i->rto > most)
        sim_fail_end(e, "S7", "has a time-out out of bounds", i->rto, most);
    if (i->snd_nxt != i->snd_una && i->timer == TERN_NEVER)
        sim_fail_end(e, "S7", "has no timer for what is in flight", i->snd_nxt - i->snd_una,
                     i->state);
    bool fair = !plan_has(&p->plan, SIM_CLOCK); /* clocks that jump mislead it */
    if (fair && i->min_rtt != 0 && i->min_rtt + TICK < p->least_rtt)
        sim_fail_end(e, "S8", "has measured a round trip that cannot be", i->min_rtt, p->least_rtt);
}

/* ---- getting on ------------------------------------------------------------------------------ */

/* Since when this flow should get on: others may hold all the memory while they wait. */
static uint64_t free_since(const struct play *p, const struct flow *f)
{
    uint64_t since = max_u64(p->healed, flow_waits(f));
    for (uint32_t i = 0; i < p->flows && plan_has(&p->plan, SIM_LIMITS); i++)
        since = max_u64(since, flow_done(&p->flow[i]) ? 0 : flow_waits(&p->flow[i]));
    return since;
}

static void check_progress(struct play *p, struct flow *f)
{
    uint64_t now = play_now(p), since = max_u64(f->progress, free_since(p, f));
    uint64_t most = STALL + (plan_has(&p->plan, SIM_CLOCK) ? p->plan.tern[0].rto_max : 0);
    if (p->healed == 0 || !flow_must_succeed(f) || flow_done(f) ||
        now < since + (play_sabotaged(p, SIM_STILL) ? 0 : most))
        return;
    sim_fail(p, "L1", "flow %d: nothing has moved for %llu s after the link has healed",
             (int)(f - p->flow), (unsigned long long)((now - since) / SIM_S));
}

/* What the other end has written comes, at the latest when its longest timer fires; at the third
 * time where a clock has jumped. By round trips of an hour the first timeout was a mistake, and the
 * tail probe comes as late as the timeout behind it. */
static void check_hunger(struct play *p, struct flow_end *e)
{
    const struct flow_end *o = &e->flow->end[!e->side];
    uint64_t now = play_now(p), since = max_u64(e->hungry, o->wrote);
    since = max_u64(since, free_since(p, e->flow));
    uint64_t timer = p->plan.tern[o->host].rto_max * (plan_has(&p->plan, SIM_CLOCK) ? 3 : 1);
    uint64_t bound = timer + HUNGER + 8 * (p->plan.delay[0] + p->plan.delay[1]);
    bool waits = e->hungry != 0 && e->received < o->sent && !e->done && o->sock.id != 0;
    if (p->healed == 0 || !flow_must_succeed(e->flow) || !waits ||
        now < since + (play_sabotaged(p, SIM_STARVE) ? 0 : bound))
        return;
    sim_fail_end(e, "L3", "has read all, and what the other has written does not come",
                 o->sent - e->received, (now - since) / SIM_S);
}

/* Opening ends within the tries there are. */
static void check_opening(struct play *p, struct flow *f)
{
    uint64_t least = max_u64(p->healed, f->progress) + OPENING + f->plan->answer_wait;
    if (p->healed != 0 && f->begun && !f->dead && !f->end[0].opened && !f->end[0].done &&
        play_now(p) > least)
        sim_fail(p, "L2", "flow %d has neither opened nor failed", (int)(f - p->flow));
}

static void check_memory(struct play *p, int host)
{
    tern_memory m;
    const struct lab_alloc *a = lab_world_alloc(p->world, host);
    tern_memory_of(lab_world_tern(p->world, host), &m);
    if (m.bytes + play_sabotaged(p, SIM_LEAK) != a->bytes)
        sim_fail(p, "R1", "host %d counts %zu bytes of the %zu it has", host, m.bytes, a->bytes);
    if ((uint64_t)m.pages * 4096 > p->plan.tern[host].buf_bytes_max)
        sim_fail(p, "R1", "host %d has %u pages, more than it may", host, m.pages);
}

void check_flows(struct play *p)
{
    for (uint32_t i = 0; i < p->flows; i++) {
        for (int side = 0; side < 2; side++) {
            struct flow_end *e = &p->flow[i].end[side];
            tern_tcp_info info;
            if (!check_look(e, &e->rest, &info))
                continue;
            check_numbers(e, &info);
            check_sender(e, &info);
            check_hunger(p, e);
        }
        check_progress(p, &p->flow[i]);
        check_opening(p, &p->flow[i]);
    }
    if (p->conf->profile == SIM_SHARE)
        share_check(p);
    check_memory(p, 0);
    check_memory(p, 1);
    if (lab_world_stuck(p->world) + play_sabotaged(p, SIM_EARLY) != 0 &&
        !plan_has(&p->plan, SIM_MEMORY))
        sim_fail(p, "S14", "a stack wants to be called, and then has nothing to do");
}

/* ---- at the end ------------------------------------------------------------------------------ */

static void check_work(struct play *p, int host)
{
    const uint64_t *n = tern_counters_of(lab_world_tern(p->world, host))->count;
    uint64_t segments = n[TERN_COUNT_SEGMENTS_IN] + n[TERN_COUNT_SEGMENTS_OUT];
    if (n[TERN_COUNT_SCOREBOARD_STEPS] > STEPS_A_SEGMENT * (segments + 1000))
        sim_fail(p, "R2", "host %d has looked at %llu records for %llu segments", host,
                 (unsigned long long)n[TERN_COUNT_SCOREBOARD_STEPS], (unsigned long long)segments);
}

void check_quiet(struct play *p)
{
    uint64_t after = p->result->packets - p->closed;
    if (after > PACKETS_AFTER * p->flows)
        sim_fail(p, "S12", "%llu packets after all programs had ended", (unsigned long long)after);
    for (int host = 0; host < 2; host++) {
        tern_memory m;
        tern *s = lab_world_tern(p->world, host);
        check_work(p, host);
        tern_memory_of(s, &m);
        if (m.conns + m.halfopen + m.timewaits + m.listeners + m.active + m.pages + m.outputs != 0)
            sim_fail(p, "R1",
                     "host %d keeps %u connections, %u half-open, %u in TIME-WAIT, %u listeners, "
                     "%u active, %u pages, %u packets",
                     host, m.conns, m.halfopen, m.timewaits, m.listeners, m.active, m.pages,
                     m.outputs);
        if (tern_next_timeout(s) != TERN_NEVER)
            sim_fail(p, "R3", "host %d still wants to be called at %llu", host,
                     (unsigned long long)tern_next_timeout(s));
    }
}
