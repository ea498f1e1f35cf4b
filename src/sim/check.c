/* check.c - what must hold whatever happens. The names are those of the invariants: S of safety, L
 * of liveness, R of resources. */
#include <stdlib.h>
#include <string.h>

#include "base/cksum.h"
#include "base/seq.h"
#include "sim/play.h"
#include "wire/ip.h"
#include "wire/tcp.h"

enum { CWND_MIN_SEGMENTS = 1, SSTHRESH_MIN_SEGMENTS = 2, STRAY_PAYLOAD = 32 };
#define STALL (300 * SIM_S) /* the longest without progress: two of the longest timers, and more */
#define TICK SIM_MS         /* of the timestamp clock */

/* ---- transitions ----------------------------------------------------------------------------- */

bool sim_legal(enum tern_state from, enum tern_state to)
{
#define TO(state) (1u << TERN_##state)
    static const uint32_t next[TERN_STATE_COUNT] = {
        [TERN_CLOSED] = TO(LISTEN) | TO(SYN_SENT) | TO(SYN_RECEIVED) | TO(ESTABLISHED),
        [TERN_LISTEN] = TO(SYN_RECEIVED) | TO(SYN_SENT) | TO(ESTABLISHED),
        [TERN_SYN_SENT] = TO(SYN_RECEIVED) | TO(ESTABLISHED),
        [TERN_SYN_RECEIVED] = TO(ESTABLISHED) | TO(FIN_WAIT_1) | TO(CLOSE_WAIT) | TO(LISTEN),
        [TERN_ESTABLISHED] = TO(FIN_WAIT_1) | TO(CLOSE_WAIT),
        [TERN_FIN_WAIT_1] = TO(FIN_WAIT_2) | TO(CLOSING) | TO(TIME_WAIT),
        [TERN_FIN_WAIT_2] = TO(TIME_WAIT),
        [TERN_CLOSE_WAIT] = TO(LAST_ACK),
        [TERN_CLOSING] = TO(TIME_WAIT),
        [TERN_LAST_ACK] = 0,
        [TERN_TIME_WAIT] = TO(SYN_RECEIVED),
    };
#undef TO
    return from != to && (to == TERN_CLOSED || next[from] >> to & 1);
}

void check_trace(struct play *p, const tern_trace *r)
{
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

#define FAIL(e, invariant, ...)                                                                    \
    fail_of(e, invariant, __LINE__, (const uint64_t[]){__VA_ARGS__},                               \
            sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

static void fail_of(struct flow_end *e, const char *invariant, int line, const uint64_t *n,
                    size_t count)
{
    sim_fail(e->play, invariant, "flow %d, end %d: check.c:%d, with %llu and %llu",
             (int)(e->flow - e->play->flow), e->side, line, (unsigned long long)n[0],
             (unsigned long long)(count > 1 ? n[1] : 0));
}

static void check_numbers(struct flow_end *e, const tern_tcp_info *i)
{
    if (!seq_leq(i->snd_una, i->snd_nxt))
        FAIL(e, "S4", i->snd_una - i->iss, i->snd_nxt - i->iss);
    if (i->state < TERN_ESTABLISHED)
        return;
    if (e->seen && (seq_lt(i->snd_una, e->una) || seq_lt(i->rcv_nxt, e->nxt)))
        FAIL(e, "S4", i->snd_una - e->una, i->rcv_nxt - e->nxt);
    e->una = i->snd_una;
    e->nxt = i->rcv_nxt;
    e->seen = true;
}

static void check_sender(struct flow_end *e, const tern_tcp_info *i)
{
    const tern_config *c = &e->play->plan.tern[e->host];
    uint64_t most = max_u64(c->rto_max, c->rto_initial);
    if (i->state < TERN_ESTABLISHED)
        return;
    bool reducing = i->phase == TERN_PHASE_RECOVERY || i->phase == TERN_PHASE_CWR; /* RFC 6937 */
    if (!reducing && i->cwnd < i->snd_mss * (uint32_t)CWND_MIN_SEGMENTS)
        FAIL(e, "S6", i->cwnd, i->snd_mss);
    if (i->ssthresh < i->snd_mss * (uint32_t)SSTHRESH_MIN_SEGMENTS)
        FAIL(e, "S6", i->ssthresh, i->snd_mss);
    if (i->segs_sacked + i->segs_lost > i->segs_flight)
        FAIL(e, "S6", i->segs_sacked + i->segs_lost, i->segs_flight);
    if (i->rto < c->rto_min || i->rto > most)
        FAIL(e, "S7", i->rto, most);
    if (i->min_rtt != 0 && i->min_rtt + TICK < e->play->least_rtt)
        FAIL(e, "S8", i->min_rtt, e->play->least_rtt);
    if (i->snd_nxt != i->snd_una && i->timer == TERN_NEVER)
        FAIL(e, "S7", i->snd_nxt - i->snd_una, i->state);
}

static void check_progress(struct play *p, struct flow *f)
{
    uint64_t since = max_u64(p->healed, f->progress);
    if (p->healed == 0 || !flow_must_succeed(f) || flow_done(f) || play_now(p) < since + STALL)
        return;
    sim_fail(p, "L1", "flow %d: nothing has moved for %llu s after the link has healed",
             (int)(f - p->flow), (unsigned long long)(STALL / SIM_S));
}

void check_flows(struct play *p)
{
    for (uint32_t i = 0; i < p->plan.flows; i++) {
        for (int side = 0; side < 2; side++) {
            struct flow_end *e = &p->flow[i].end[side];
            tern_tcp_info info;
            if (e->sock.id == 0 || tern_info(e->s, e->sock, &info, sizeof(info)) < 0)
                continue;
            check_numbers(e, &info);
            check_sender(e, &info);
        }
        check_progress(p, &p->flow[i]);
    }
}

/* ---- at the end ------------------------------------------------------------------------------ */

void check_quiet(struct play *p)
{
    for (int host = 0; host < 2; host++) {
        tern_memory m;
        tern *s = lab_world_tern(p->world, host);
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

/* ---- segments of others ---------------------------------------------------------------------- */

static size_t forge(struct play *p, struct flow_end *e, const tern_tcp_info *i, uint8_t *out)
{
    struct lab_random *r = &p->random;
    tern_addr local, peer;
    if (tern_names(e->s, e->sock, &local, &peer) < 0)
        return 0;
    bool ip6 = !wire_is_ip4(local.ip);
    struct wire_ip ip = {.version = ip6 ? 6 : 4, .proto = WIRE_TCP, .ttl = 64};
    struct wire_tcp tcp = {.sport = peer.port, .dport = local.port, .wnd = 1000};
    uint32_t far = (1u << 28) + (uint32_t)lab_random_below(r, 1u << 30);
    size_t payload = (size_t)lab_random_below(r, STRAY_PAYLOAD);
    memcpy(ip.src, peer.ip, 16);
    memcpy(ip.dst, local.ip, 16);
    tcp.seq = i->rcv_nxt + i->rcv_wnd + far;
    tcp.ack = (uint32_t)lab_random_u64(r);
    tcp.flags = (uint16_t)(lab_random_u64(r) & 0xff);
    size_t ip_len = ip6 ? WIRE_IP6_HEADER : WIRE_IP4_HEADER;
    size_t tcp_len = wire_tcp_write(out + ip_len, &tcp);
    memset(out + ip_len + tcp_len, 0x5a, payload);
    ip.payload_len = (uint16_t)(tcp_len + payload);
    (void)wire_ip_write(out, &ip, 0);
    uint64_t sum = wire_pseudo_sum(ip.src, ip.dst, WIRE_TCP, ip.payload_len);
    uint16_t check = cksum_finish(cksum_add(cksum_portable(out + ip_len, ip.payload_len, 0), sum));
    memcpy(out + ip_len + 16, &check, 2);
    return ip_len + ip.payload_len;
}

void check_stray(struct play *p, struct flow_end *e)
{
    uint8_t data[WIRE_IP6_HEADER + WIRE_TCP_HEADER + 40 + STRAY_PAYLOAD];
    tern_tcp_info before, after;
    if (e->sock.id == 0 || tern_info(e->s, e->sock, &before, sizeof(before)) < 0 ||
        before.state < TERN_ESTABLISHED)
        return;
    size_t len = forge(p, e, &before, data);
    if (len == 0)
        return;
    tern_pkt pkt = {.iov_count = 1, .len = (uint32_t)len, .iov[0] = {data, len}};
    tern_input(e->s, &pkt, 1, play_now(p));
    p->result->befell[SIM_STRAY]++;
    if (tern_info(e->s, e->sock, &after, sizeof(after)) < 0 || after.state != before.state)
        FAIL(e, "S13", before.state, after.state);
    else if (after.rcv_nxt != before.rcv_nxt || after.snd_una != before.snd_una ||
             after.snd_wnd != before.snd_wnd || after.rx_queued != before.rx_queued)
        FAIL(e, "S13", after.rcv_nxt - before.rcv_nxt, after.snd_una - before.snd_una);
}
