/* packets.c - every packet is judged: by the oracle of `watch`, by the bytes that must be in it, by
 * what has arrived where it comes from. */
#include "sim/play.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cksum.h"
#include "base/seq.h"

enum { WINDOW_EVERY = 4, CREDIT_SEGMENTS = 3 };
#define SETTLE (300 * SIM_S) /* after this, what is idle is silent */

/* ---- the oracle ------------------------------------------------------------------------------ */

/* Which host has this address. */
static int host_of(const tern_addr *a)
{
    return memcmp(a->ip, lab_client_ip4, 16) != 0 && memcmp(a->ip, lab_client_ip6, 16) != 0;
}

static void on_finding(void *user, const struct follow_finding *f)
{
    const struct observer *o = user;
    const struct watch_rule_info *rule = watch_rule_info(f->rule);
    const tern_addr *accused = &f->conn->end[f->end].addr;
    char sentence[160], a[24], b[24];
    if (o->host >= 0 && host_of(accused) != o->host)
        return;
    /* a cookie's segment may come after others, which were answered with RST */
    tern *s = lab_world_tern(o->play->world, host_of(accused));
    if (f->rule == WATCH_RULE_AFTER_RST && tern_counters_of(s)->count[TERN_COUNT_COOKIES_SENT] != 0)
        return;
    /* forged segments are answered, which it has not seen */
    if (plan_has(&o->play->plan, SIM_STRAY) &&
        (f->rule == WATCH_RULE_RST_NUMBER || f->rule == WATCH_RULE_RST_ACK))
        return;
    snprintf(a, sizeof(a), "%" PRIu64, f->a);
    snprintf(b, sizeof(b), "%" PRIu64, f->b);
    sim_fail(o->play, "S3", "port %u: %s (%s, %s)", accused->port,
             message(sentence, sizeof(sentence), rule->sentence, ARGS(a, b)), rule->id,
             rule->section);
}

void packets_watch(struct play *p)
{
    bool apart = false;
    packets_unwatch(p);
    for (uint32_t i = 0; i <= HEAL_SPELL; i++)
        for (int dir = 0; dir < 2; dir++)
            apart |= !lab_box_none(&p->plan.spell[i].box[dir]);
    for (int host = 0; host < 1 + apart; host++) {
        struct observer *o = &p->observer[host];
        struct follow_config conf = {.trust = RULE_ALL | RULE_WIRE,
                                     .finding = on_finding,
                                     .user = o};
        *o = (struct observer){.play = p, .host = apart ? host : -1, .follow = follow_new(&conf)};
        TERN_ASSERT(o->follow != NULL);
    }
    p->watched = true;
}

void packets_doubt(struct play *p)
{
    for (int i = 0; i < 2; i++)
        if (p->observer[i].follow != NULL)
            follow_trust(p->observer[i].follow, RULE_WIRE);
}

void packets_unwatch(struct play *p)
{
    for (int i = 0; i < 2; i++) {
        follow_free(p->observer[i].follow);
        p->observer[i].follow = NULL;
    }
}

static void judge(struct play *p, struct follow *follow, const struct lab_event *ev)
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
    follow_packet(follow, &packet, &r);
}

/* ---- whose it is ----------------------------------------------------------------------------- */

static uint16_t port_of(const struct flow *f, int side)
{
    uint32_t port = side == 0 ? SIM_LOCAL_PORT + f->local_shift : SIM_PORT;
    return (uint16_t)(port + f->number);
}

/* The end at `host` with these ports, the latest one first: `skip` of them are passed over. */
static struct flow_end *end_of(struct play *p, int host, uint16_t here, uint16_t there,
                               uint32_t skip)
{
    for (uint32_t i = p->flows; i-- > 0;) {
        struct flow *f = &p->flow[i];
        int side = f->end[0].host == host ? 0 : 1;
        if (f->begun && port_of(f, side) == here && port_of(f, !side) == there && skip-- == 0)
            return &f->end[side];
    }
    return NULL;
}

/* ---- S10: the bytes are those that were written ---------------------------------------------- */

static void check_bytes(struct play *p, struct flow_end *e, const struct packet *k)
{
    uint32_t at = k->tcp.seq - e->iss - 1;
    if (k->len == 0 || k->tcp.flags & TCP_SYN || at + (uint64_t)k->len > e->sent)
        return;
    if (!stream_is(e->key ^ play_sabotaged(p, SIM_OTHER), at, k->payload, k->len))
        sim_fail_end(e, "S10", "sends other bytes than were written", at, k->len);
}

/* ---- S11: it acknowledges what has come ------------------------------------------------------ */

static void hear(struct flow_end *e, const struct packet *k, bool latest)
{
    struct heard *h = &e->heard;
    uint32_t lo = k->tcp.seq, span = wire_tcp_span(&k->tcp, (uint32_t)k->len);
    if (latest && k->tcp.flags & TCP_SYN && !e->opened && (!h->begun || h->isn != lo)) {
        h->set.count = 0;
        h->begun = true;
        h->isn = lo;
    }
    if (span == 0 || !h->begun || k->tcp.flags & TCP_RST)
        return;
    if (lo - h->isn <= e->flow->end[!e->side].sent + 2 &&
        ranges_add(&h->set, lo, lo + span, NULL, NULL) < 0)
        h->known = h->begun = false; /* too many holes to remember */
}

static bool heard(const struct flow_end *e, uint32_t lo, uint32_t hi)
{
    const struct ranges *set = &e->heard.set;
    uint32_t i = ranges_find(set, lo);
    if (i < set->count && set->at[i].hi == lo)
        i++;
    return i < set->count && seq_leq(set->at[i].lo, lo) && seq_geq(set->at[i].hi, hi);
}

static void check_acks(struct play *p, struct flow_end *e, const struct packet *k)
{
    const struct wire_tcp *h = &k->tcp;
    uint32_t ack = h->ack + play_sabotaged(p, SIM_ACK);
    if (!e->heard.known || !(h->flags & TCP_ACK) || h->flags & (TCP_RST | TCP_SYN))
        return;
    if (ack != e->irs && !heard(e, e->irs, ack))
        sim_fail_end(e, "S11", "acknowledges what has not come", ack - e->irs,
                     e->heard.set.at[0].hi - e->irs);
    for (uint32_t i = 0; i < h->opt.sack_count; i++) {
        struct wire_sack b = h->opt.sack[i];
        if (!heard(e, b.lo, b.hi + play_sabotaged(p, SIM_SACK)))
            sim_fail_end(e, "S11", "has a SACK of what has not come", b.lo - e->irs, b.hi - e->irs);
    }
}

/* ---- S14: for check_timeout() ---------------------------------------------------------------- */

/* Whether it has data that was never sent before. */
static bool is_new(const struct flow_end *e, const struct packet *k)
{
    uint32_t end = k->tcp.seq + (uint32_t)k->len;
    return k->len != 0 && (e->high == 0 || seq_gt(end, e->high));
}

static void note_first(const struct play *p, struct flow_end *e, const struct packet *k)
{
    uint32_t end = k->tcp.seq + (uint32_t)k->len;
    if (!is_new(e, k))
        return;
    e->high = end;
    e->first[k->tcp.seq % FIRSTS] =
        (struct first){k->tcp.seq, lab_world_clock_of(p->world, e->host)};
}

/* ---- S5: windows ----------------------------------------------------------------------------- */

/* New data goes out only if what is in flight fits cwnd; limited transmit and the rounding to
 * segments may exceed it a little. A tail probe may exceed it by all that was in flight before a
 * timeout that was a mistake: the one before that was none, so that cwnd is small. What a device
 * has refused leaves when the recovery it was sent in is over. The peer's window is the oracle's
 * business. */
static void check_window(struct play *p, struct flow_end *e, const struct packet *k)
{
    tern_tcp_info i;
    bool refused = plan_has(&p->plan, SIM_DEVICE) && p->healed == 0;
    if (refused || !is_new(e, k) || p->result->packets % WINDOW_EVERY != 0 ||
        !check_look(e, &e->window_rest, &i) || k->tcp.seq + (uint32_t)k->len != i.snd_nxt ||
        i.phase != TERN_PHASE_OPEN || i.probing || i.tail_probe)
        return;
    uint64_t out = i.snd_nxt - i.snd_una, most = i.cwnd + (uint64_t)CREDIT_SEGMENTS * i.snd_mss;
    if (play_sabotaged(p, SIM_CWND))
        most = 0;
    if (out > most)
        sim_fail_end(e, "S5", "has more in flight than cwnd allows", out, most);
}

/* ---- R3: what is idle is silent -------------------------------------------------------------- */

static void check_silence(struct play *p, struct flow_end *e, uint64_t now)
{
    const struct flow *f = e->flow;
    const struct flow_end *o = &f->end[!e->side];
    uint64_t settle = play_sabotaged(p, SIM_NOISE) ? 0 : SETTLE;
    bool idle = e->opened && o->opened && !e->done && !o->done && !e->shut && !o->shut &&
                e->received == o->sent && o->received == e->sent && f->plan->side[0].keep_idle == 0;
    if (p->healed != 0 && idle && now > max_u64(p->healed, f->progress) + settle)
        sim_fail_end(e, "R3", "sends though nothing has happened for so many seconds",
                     (now - f->progress) / SIM_S, 0);
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* Whether the receiver will take it for what it is. */
static bool sound(const struct lab_event *ev, const struct packet *k)
{
    if (!(ev->marks & LAB_CORRUPTED))
        return true;
    uint64_t sum = wire_pseudo_sum(k->ip.src, k->ip.dst, WIRE_TCP, k->ip.payload_len);
    const uint8_t *tcp = ev->data + k->ip.header_len;
    return cksum_finish(cksum_add(cksum_portable(tcp, k->ip.payload_len, 0), sum)) == 0;
}

/* Whether it belongs to a connection that is not open yet and whose peer's SYN has come, not to one
 * before it with numbers near to its. */
static bool answers_syn(const struct flow_end *e, const struct packet *k)
{
    return e->heard.begun && k->tcp.flags & TCP_ACK &&
           k->tcp.ack - e->heard.isn - 1 <= e->flow->end[!e->side].sent;
}

void packets_told(struct play *p, const struct lab_event *ev)
{
    struct packet k;
    bool heard = ev->fate == LAB_PROCESSED;
    if (!packet_read(ev->data, ev->len, &k) || k.is_icmp || !sound(ev, &k))
        return;
    const struct flow_end *e = heard ? end_of(p, !ev->dir, k.tcp.dport, k.tcp.sport, 0)
                                     : end_of(p, ev->dir, k.tcp.sport, k.tcp.dport, 0);
    if (e != NULL)
        flow_packet(e, heard, ev->data, ev->len);
}

void packets_sent(struct play *p, const struct lab_event *ev)
{
    struct packet k;
    struct observer *o = &p->observer[p->observer[1].follow != NULL ? ev->dir : 0];
    if (ev->len > p->plan.iface.mtu - play_sabotaged(p, SIM_SIZE) * ev->len)
        sim_fail(p, "S9", "a packet of %zu bytes where %u is the most", ev->len, p->plan.iface.mtu);
    if (!packet_read(ev->data, ev->len, &k) || k.is_icmp)
        return;
    for (uint32_t skip = 0;; skip++) {
        struct flow_end *e = end_of(p, ev->dir, k.tcp.sport, k.tcp.dport, skip);
        if (e == NULL || (!e->opened && answers_syn(e, &k)))
            break;
        if (!e->opened || k.tcp.seq - e->iss > e->sent + 2)
            continue;
        check_bytes(p, e, &k);
        check_acks(p, e, &k);
        check_window(p, e, &k);
        check_silence(p, e, ev->now);
        note_first(p, e, &k);
        break;
    }
    if (!p->result->failed)
        judge(p, o->follow, ev);
}

void packets_arrived(struct play *p, const struct lab_event *ev)
{
    struct packet k;
    int host = !ev->dir;
    if (!packet_read(ev->data, ev->len, &k) || k.is_icmp || !sound(ev, &k))
        return;
    struct flow_end *e;
    for (uint32_t i = 0; (e = end_of(p, host, k.tcp.dport, k.tcp.sport, i)) != NULL; i++)
        hear(e, &k, i == 0);
    if (p->observer[1].follow != NULL && !p->result->failed)
        judge(p, p->observer[host].follow, ev);
}
