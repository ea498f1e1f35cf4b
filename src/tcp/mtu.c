/* mtu.c - how large packets may be, found out by sending them (RFC 4821, RFC 8899): for paths on
 * which what is too big is dropped, and no ICMP tells.
 *
 * Segments are sized for `mtu_low`, which has passed. Between it and `mtu_high` a probe is sent
 * now and then: a segment of new data that is larger. Acknowledged it raises `mtu_low`; lost alone,
 * with more behind it that came, it lowers `mtu_high`, and is no sign of congestion (RFC 4821 7.6).
 * Where the search has ended it begins again after ten minutes.
 *
 * It begins with a connection, or when R1 retransmissions of one segment were not acknowledged:
 * then the path may be such a black hole. It begins at a size that most paths take; each further
 * timeout halves that. Sizes, thresholds and conditions are Linux's.
 */
#include "tcp/tcp.h"

enum {
    IP6_LEAST = 1280, /* what every link carries: RFC 8200 5 */
    PROBE_CWND = 11,  /* segments of the congestion window, at least */
};

/* What a segment has beside its payload. */
static uint32_t overhead(const struct conn *c)
{
    uint32_t ip = wire_is_ip4(c->raddr) ? WIRE_IP4_HEADER : WIRE_IP6_HEADER;
    return ip + WIRE_TCP_HEADER + (c->flags & CONN_TS ? 12u : 0) +
           (c->flags & CONN_MARKED && md5_of(c) != NULL ? WIRE_MD5_LEN : 0);
}

/* The largest packet that interface, peer and ICMP let go. */
static uint32_t packet_max(const struct conn *c)
{
    uint32_t headers =
        (wire_is_ip4(c->raddr) ? WIRE_IP4_HEADER : WIRE_IP6_HEADER) + WIRE_TCP_HEADER;
    uint32_t most = min_u32(c->mss_own, c->mss_peer) + headers;
    return c->pmtu != 0 ? min_u32(most, c->pmtu) : most;
}

static uint32_t packet_least(const struct conn *c, uint32_t mss)
{
    uint32_t packet = mss + overhead(c);
    return wire_is_ip4(c->raddr) ? packet : max_u32(packet, IP6_LEAST);
}

void mtu_begin(struct tcp *t, struct conn *c)
{
    struct conn_rare *r = conn_rare(t, c);
    if (r == NULL)
        return;
    r->mtu_high = (uint16_t)packet_max(c);
    r->mtu_low = (uint16_t)min_u32(packet_least(c, t->cfg->tuning.mtu_base), r->mtu_high);
    r->mtu_since = t->tick;
    conn_mss_update(t, c);
}

uint32_t mtu_mss(const struct conn *c, uint32_t mss)
{
    const struct conn_rare *r = conn_rare_of(c);
    uint32_t headers =
        (wire_is_ip4(c->raddr) ? WIRE_IP4_HEADER : WIRE_IP6_HEADER) + WIRE_TCP_HEADER;
    return r != NULL && r->mtu_low != 0 ? min_u32(mss, r->mtu_low - headers) : mss;
}

/* The probe has come to its end: `passed`, or not. */
static void settle(struct tcp *t, struct conn *c, struct conn_rare *r, bool passed)
{
    if (passed)
        r->mtu_low = r->mtu_probe;
    else
        r->mtu_high = (uint16_t)max_u32(r->mtu_probe - 1u, r->mtu_low);
    count(t, passed ? TERN_COUNT_MTU_PROBES_PASSED : TERN_COUNT_MTU_PROBES_LOST);
    r->mtu_probe = 0;
    r->mtu_since = t->tick;
    conn_mss_update(t, c);
}

void mtu_timeout(struct tcp *t, struct conn *c)
{
    struct conn_rare *r = conn_rare_of(c);
    if (r != NULL && r->mtu_probe != 0)
        settle(t, c, r, false);
    if (t->cfg->mtu_probing == 0 || c->retries < t->cfg->tuning.retries1)
        return;
    if (r == NULL || r->mtu_low == 0) {
        count(t, TERN_COUNT_MTU_BLACK_HOLES);
        mtu_begin(t, c);
        return;
    }
    uint32_t mss = min_u32((r->mtu_low - overhead(c)) / 2, t->cfg->tuning.mtu_base);
    r->mtu_low =
        (uint16_t)min_u32(packet_least(c, max_u32(mss, t->cfg->tuning.mtu_floor)), r->mtu_low);
    r->mtu_since = t->tick;
    conn_mss_update(t, c);
}

/* Between low and high there is nothing left to be tried; after a while there may be. */
static bool searched(const struct tcp *t, const struct conn *c, struct conn_rare *r)
{
    if (r->mtu_high >= r->mtu_low + (uint32_t)t->cfg->tuning.mtu_threshold)
        return false;
    if (t->tick - r->mtu_since < ticks_of(t->cfg->tuning.mtu_interval_s * NS_PER_S))
        return true;
    r->mtu_high = (uint16_t)max_u32(packet_max(c), r->mtu_low);
    r->mtu_since = t->tick;
    return r->mtu_high < r->mtu_low + (uint32_t)t->cfg->tuning.mtu_threshold;
}

uint32_t mtu_probe_len(struct tcp *t, struct conn *c, uint32_t mss)
{
    const struct active *a = c->active;
    struct conn_rare *r = conn_rare_of(c);
    if (r == NULL || r->mtu_low == 0)
        return 0;
    if (r->mtu_probe != 0 && seq_geq(c->snd_una, r->mtu_hi))
        settle(t, c, r, true);
    r->mtu_high = (uint16_t)min_u32(r->mtu_high, packet_max(c));
    if (r->mtu_probe != 0 || a->phase != LOSS_OPEN || a->frto != FRTO_OFF || a->lost != 0 ||
        mss != c->mss || c->state == TERN_SYN_RECEIVED || searched(t, c, r))
        return 0;
    uint32_t len = (r->mtu_low + r->mtu_high) / 2u - overhead(c);
    /* and enough behind it to tell at once whether it is lost */
    uint32_t need = len + (a->reordering + 1u) * mss, out = c->snd_nxt - c->snd_una;
    bool enough = c->snd_end - c->snd_nxt >= need && conn_record_left(c) >= need &&
                  c->snd_wnd >= out + need && a->cc.cwnd >= PROBE_CWND * mss &&
                  a->cc.cwnd >= in_flight(c, a) + 2 * mss;
    return enough && len > mss ? len : 0;
}

void mtu_probe_sent(struct tcp *t, struct conn *c, uint32_t len)
{
    struct conn_rare *r = conn_rare_of(c);
    r->mtu_probe = (uint16_t)(len + overhead(c));
    r->mtu_hi = c->snd_nxt;
    r->mtu_lo = c->snd_nxt - len;
    count(t, TERN_COUNT_MTU_PROBES);
}

bool mtu_probe_lost(struct tcp *t, struct conn *c)
{
    struct active *a = c->active;
    struct conn_rare *r = conn_rare_of(c);
    uint32_t lost = 0;
    if (r == NULL || r->mtu_lo == r->mtu_hi || c->snd_una != r->mtu_lo)
        return false;
    for (const struct sent *s = a->sent_head; s != NULL && seq_lt(s->lo, r->mtu_hi); s = s->next) {
        if (!(s->flags & SENT_LOST))
            continue;
        if (s->flags & SENT_RETRANS)
            return false; /* that is another loss */
        lost += sent_len(s);
    }
    if (lost != a->lost)
        return false;
    if (r->mtu_probe != 0)
        settle(t, c, r, false);
    a->force = true;
    loss_keep_open(c, a);
    return true;
}
