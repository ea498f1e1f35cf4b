/* trouble.c - what others do to the connections (forged segments, ICMP errors, routers' words about
 * sizes), and a host to itself (it forgets everything). */
#include <string.h>

#include "base/cksum.h"
#include "base/seq.h"
#include "sim/play.h"
#include "wire/icmp.h"
#include "wire/tcp.h"

enum { STRAY_PAYLOAD = 32, COPIES = 8, FORGED_MAX = 128, PTB_LEAST = 256 };

static const uint8_t router_ip4[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 254};
static const uint8_t router_ip6[16] = {0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xfe};

static void deliver(struct play *p, int host, uint8_t *data, size_t len)
{
    tern_pkt pkt = {.iov_count = 1, .len = (uint32_t)len, .iov[0] = {data, len}};
    tern_input(lab_world_tern(p->world, host), &pkt, 1, lab_world_clock_of(p->world, host));
}

/* ---- forged segments ------------------------------------------------------------------------- */

enum stray {
    STRAY_FAR,   /* numbers from far away */
    STRAY_SUM,   /* all is right but the checksum */
    STRAY_RST,   /* an RST in the window, but not where the next byte is expected */
    STRAY_SYN,   /* a SYN in the window */
    STRAY_AHEAD, /* it acknowledges what was never sent */
    STRAY_PORT,  /* of a connection that does not exist */
    STRAYS
};

static void number(struct lab_random *r, enum stray kind, const tern_tcp_info *i,
                   struct wire_tcp *h)
{
    uint32_t far = (1u << 28) + (uint32_t)lab_random_below(r, 1u << 30);
    uint32_t within = 1 + (uint32_t)lab_random_below(r, max_u32(i->rcv_wnd, 2) - 1);
    uint16_t flags = (uint16_t)(lab_random_u64(r) >> 16 & 0xff);
    h->seq = i->rcv_nxt;
    h->ack = i->snd_nxt;
    h->flags = TCP_ACK;
    switch (kind) {
    case STRAY_FAR:
        h->seq += i->rcv_wnd + far;
        h->ack = far;
        h->flags = flags;
        break;
    case STRAY_RST:
        h->seq += within;
        h->flags = TCP_RST | (flags & TCP_ACK);
        break;
    case STRAY_SYN:
        h->seq += within;
        h->flags = TCP_SYN | (flags & TCP_ACK);
        break;
    case STRAY_AHEAD:
        h->ack += far;
        break;
    case STRAY_PORT: /* where all connections have one ISN, the right number would open it */
        h->ack += far;
        h->flags = flags;
        break;
    default:
        h->flags = flags;
        break;
    }
}

static size_t forge(struct play *p, struct flow_end *e, const tern_tcp_info *i, enum stray kind,
                    uint8_t *out)
{
    struct lab_random *r = &p->random;
    tern_addr local, peer;
    if (tern_names(e->s, e->sock, &local, &peer) < 0)
        return 0;
    bool ip6 = !wire_is_ip4(local.ip);
    struct wire_ip ip = {.version = ip6 ? 6 : 4, .proto = WIRE_TCP, .ttl = 64};
    struct wire_tcp tcp = {.sport = peer.port, .dport = local.port, .wnd = 1000};
    memcpy(ip.src, peer.ip, 16);
    memcpy(ip.dst, local.ip, 16);
    number(r, kind, i, &tcp);
    tcp.sport = (uint16_t)(tcp.sport + (kind == STRAY_PORT ? 20000 : 0));
    size_t payload = (size_t)lab_random_below(r, STRAY_PAYLOAD);
    size_t ip_len = ip6 ? WIRE_IP6_HEADER : WIRE_IP4_HEADER;
    size_t tcp_len = wire_tcp_write(out + ip_len, &tcp);
    memset(out + ip_len + tcp_len, 0x5a, payload);
    ip.payload_len = (uint16_t)(tcp_len + payload);
    (void)wire_ip_write(out, &ip, 0);
    uint64_t sum = wire_pseudo_sum(ip.src, ip.dst, WIRE_TCP, ip.payload_len);
    uint16_t check = cksum_finish(cksum_add(cksum_portable(out + ip_len, ip.payload_len, 0), sum));
    check ^= kind == STRAY_SUM;
    memcpy(out + ip_len + 16, &check, 2);
    return ip_len + ip.payload_len;
}

/* It has changed nothing that matters, and is answered once at the most however often it comes. */
static void check_stray(struct play *p, struct flow_end *e, enum stray kind)
{
    uint8_t data[FORGED_MAX];
    tern_tcp_info before, after;
    if (!check_info(e, &before) || before.state < TERN_ESTABLISHED)
        return;
    size_t len = forge(p, e, &before, kind, data);
    const uint64_t *n = tern_counters_of(e->s)->count;
    uint64_t replies = n[TERN_COUNT_CHALLENGE_ACKS];
    for (int i = 0; len != 0 && i < COPIES; i++)
        deliver(p, e->host, data, len);
    p->result->befell[SIM_STRAY] += COPIES;
    replies = n[TERN_COUNT_CHALLENGE_ACKS] - replies + 2 * play_sabotaged(p, SIM_LOOP);
    if (!check_info(e, &after) || after.state != before.state) {
        sim_fail_end(e, "S13", "goes to another state because of a forged segment", kind,
                     before.state);
        return;
    }
    after.snd_wnd += play_sabotaged(p, SIM_STRAYED);
    if (after.rcv_nxt != before.rcv_nxt || after.snd_una != before.snd_una ||
        after.snd_wnd != before.snd_wnd || after.rx_queued != before.rx_queued)
        sim_fail_end(e, "S13", "believes a forged segment", kind, before.state);
    if (kind == STRAY_SUM && memcmp(&before, &after, sizeof(before)) != 0)
        sim_fail_end(e, "S13", "is changed by a segment with a wrong checksum", kind, before.state);
    if (replies > 1 && kind != STRAY_PORT)
        sim_fail_end(e, "S12", "answers a forged segment more than once", kind, replies);
}

/* ---- ICMP ------------------------------------------------------------------------------------ */

/* An error that quotes a packet from this host. */
static void send_error(struct play *p, int host, const struct too_big *b, uint8_t type,
                       uint8_t code)
{
    uint8_t data[WIRE_IP6_HEADER + WIRE_ICMP_MAX];
    bool ip6 = b->quote[0] >> 4 == 6;
    const uint8_t *ip4_to = host == 0 ? lab_client_ip4 : lab_server_ip4;
    const uint8_t *ip6_to = host == 0 ? lab_client_ip6 : lab_server_ip6;
    struct wire_ip ip = {.version = ip6 ? 6 : 4, .proto = ip6 ? WIRE_ICMP6 : WIRE_ICMP, .ttl = 64};
    size_t ip_len = ip6 ? WIRE_IP6_HEADER : WIRE_IP4_HEADER;
    memcpy(ip.src, ip6 ? router_ip6 : router_ip4, 16);
    memcpy(ip.dst, ip6 ? ip6_to : ip4_to, 16);
    size_t len = wire_icmp_write_error(data + ip_len, ip.version, type, code, b->mtu, ip.src,
                                       ip.dst, b->quote, b->len);
    ip.payload_len = (uint16_t)len;
    (void)wire_ip_write(data, &ip, 0);
    deliver(p, host, data, ip_len + len);
    p->result->befell[SIM_ICMP]++;
}

static void send_too_big(struct play *p, const struct too_big *b)
{
    if (b->quote[0] >> 4 == 6)
        send_error(p, b->host, b, 2, 0);
    else
        send_error(p, b->host, b, 3, 4);
}

void trouble_too_big(struct play *p, const struct lab_event *ev)
{
    struct troubles *t = &p->troubles;
    if (!p->plan.tells_mtu || t->too_bigs == ERRORS_WAIT)
        return;
    uint64_t spell = 0;
    while (spell < p->plan.spells && LAB_PAIR_START + p->plan.spell[spell].ends < ev->now)
        spell++;
    struct too_big *b = &t->too_big[t->too_bigs++];
    b->host = ev->dir;
    b->mtu = p->plan.spell[spell].dir[ev->dir].mtu;
    b->len = min_size(ev->len, QUOTE);
    memcpy(b->quote, ev->data, b->len);
}

/* An error from somebody who has seen the connection, or has guessed its ports only: the former may
 * lower the segment size, the latter nothing; neither ends anything (RFC 5927). */
static void forge_error(struct play *p, struct flow_end *e)
{
    struct lab_random *r = &p->random;
    tern_tcp_info before, after;
    tern_addr local, peer;
    bool knows = lab_random_chance(r, 0.3), size = lab_random_chance(r, 0.3);
    uint32_t far = (1u << 28) + (uint32_t)lab_random_below(r, 1u << 30);
    uint32_t mtu = PTB_LEAST + (uint32_t)lab_random_below(r, 1200);
    uint8_t code = (uint8_t)lab_random_below(r, 4);
    if (!check_info(e, &before) || before.state < TERN_ESTABLISHED ||
        tern_names(e->s, e->sock, &local, &peer) < 0)
        return;
    bool ip6 = !wire_is_ip4(local.ip);
    struct too_big b = {.host = e->host, .mtu = size ? mtu : 0};
    struct wire_ip ip = {.version = ip6 ? 6 : 4, .proto = WIRE_TCP, .ttl = 64, .payload_len = 20};
    struct wire_tcp tcp = {.sport = local.port, .dport = peer.port, .flags = TCP_ACK};
    tcp.seq = knows ? before.snd_una : before.snd_nxt + far;
    memcpy(ip.src, local.ip, 16);
    memcpy(ip.dst, peer.ip, 16);
    b.len = wire_ip_write(b.quote, &ip, 0);
    b.len += wire_tcp_write(b.quote + b.len, &tcp);
    if (size)
        send_too_big(p, &b);
    else
        send_error(p, e->host, &b, ip6 ? 1 : 3, code);
    if (!check_info(e, &after) || after.state != before.state ||
        (!knows && after.snd_mss != before.snd_mss))
        sim_fail_end(e, "S13", "believes a forged ICMP error", size, knows);
}

/* ---- a host begins anew ---------------------------------------------------------------------- */

static void crash(struct play *p, uint64_t now)
{
    int host = p->plan.crash_host;
    int err = lab_pair_restart(p->world, host, &p->plan.iface);
    TERN_ASSERT(err == 0); /* allocations do not fail there */
    tern *s = lab_world_tern(p->world, host);
    p->result->befell[SIM_CRASH]++;
    for (uint32_t i = 0, n = p->flows; i < n; i++) {
        struct flow *f = &p->flow[i];
        bool lost = f->begun && !flow_done(f) && !f->plan->together && p->flows < FLOW_SLOTS;
        flow_crash(f, host, s);
        if (!lost)
            continue;
        struct flow *next = &p->flow[p->flows++];
        flow_follow(next, f, now + lab_random_below(&p->random, SIM_S));
        if (next->end[1].host == host) /* its peer may have the old ports for long */
            next->local_shift = (uint16_t)(next->local_shift + 100);
        f->again = 0;
    }
    if (p->watched)
        packets_doubt(p);
}

/* ---- moments --------------------------------------------------------------------------------- */

static uint64_t step_of(uint64_t from, const struct spell *s, uint32_t count)
{
    return (LAB_PAIR_START + s->ends - from) / (count + 1);
}

void trouble_begin(struct play *p, const struct spell *s, uint64_t from)
{
    struct troubles *t = &p->troubles;
    uint64_t crash_at = p->plan.crash_at;
    t->stray_step = step_of(from, s, s->strays);
    t->error_step = step_of(from, s, s->errors);
    t->stray_at = s->strays != 0 ? from + t->stray_step : TERN_NEVER;
    t->error_at = s->errors != 0 ? from + t->error_step : TERN_NEVER;
    t->crash_at =
        crash_at != 0 && LAB_PAIR_START + crash_at >= from ? LAB_PAIR_START + crash_at : TERN_NEVER;
}

void trouble_end(struct play *p)
{
    p->troubles.stray_at = p->troubles.error_at = p->troubles.crash_at = TERN_NEVER;
}

uint64_t trouble_next(const struct play *p)
{
    const struct troubles *t = &p->troubles;
    return min_u64(t->crash_at, min_u64(t->stray_at, t->error_at));
}

static struct flow_end *any_end(struct play *p)
{
    struct flow *f = &p->flow[lab_random_below(&p->random, p->flows)];
    return &f->end[lab_random_below(&p->random, 2)];
}

void trouble_act(struct play *p, uint64_t now)
{
    struct troubles *t = &p->troubles;
    for (uint32_t i = 0; i < t->too_bigs; i++)
        send_too_big(p, &t->too_big[i]);
    t->too_bigs = 0;
    if (now >= t->stray_at) {
        t->stray_at = now + max_u64(t->stray_step, 1);
        check_stray(p, any_end(p), (enum stray)lab_random_below(&p->random, STRAYS));
    }
    if (now >= t->error_at) {
        t->error_at = now + max_u64(t->error_step, 1);
        forge_error(p, any_end(p));
    }
    if (now >= t->crash_at) {
        t->crash_at = TERN_NEVER;
        p->plan.crash_at = 0;
        crash(p, now);
    }
}
