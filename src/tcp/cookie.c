/* cookie.c - SYN cookies: a SYN that finds the half-open entries full is answered with a SYN-ACK of
 * which nothing is remembered (RFC 4987 3.6). Its ISN is a message to ourselves:
 *
 *   bits 31..8   24 bits of a keyed MAC over the tuple, the peer's ISN, and the bits below
 *   bits  7..0   under the first MAC byte as a mask: 1 bit that tells two time slots apart,
 *                3 bits of MSS, 3 bits of window scale, 1 bit of SACK
 *
 * Each time slot of 15 s has a key of its own; those of this slot and of the one before are good,
 * so that a cookie lives 15 to 30 s. MSS and window scale are steps of a table, rounded down: what
 * is assumed of the peer is never more than it has said. With timestamps the low 6 bits of TSval
 * tell window scale, SACK and ECN exactly. An option that was not encoded is not in force.
 *
 * Several machines behind one address may share the key and a clock (tern_cookie_clock()); each
 * then takes the cookies of the others. The timestamps of a connection go on from what the peer
 * echoes, whoever sent it.
 */
#include "tcp/tcp.h"

enum {
    TS_BITS = 6,
    TS_MASK = (1 << TS_BITS) - 1,
    TS_WSCALE = 15, /* mask; that value: no window scale */
    TS_SACK = 16,
    TS_ECN = 32, /* classic, also where the SYN asks for more */
    BIT_SLOT = 1,
    MSS_SHIFT = 1,
    WSCALE_SHIFT = 4,
    BIT_SACK = 128,
    STEP_NONE = 0,       /* no window scale, and no timestamps to tell it */
    STEP_TIMESTAMPS = 7, /* see there */
};

#define SLOT_NS (15 * NS_PER_S)

/* What is common, and a little that is not; ascending. */
static const uint16_t mss_steps[8] = {64, 536, 1220, 1360, 1400, 1440, 1460, 8940};
static const uint8_t wscale_steps[STEP_TIMESTAMPS] = {0, 0, 2, 4, 6, 7, 8}; /* [0] is none */

static uint64_t slot_now(const struct tcp *t) { return (t->now + t->cookie_offset) / SLOT_NS; }

/* The key of a slot; the last two are at hand. */
static const struct siphash_key *slot_key(struct tcp *t, uint64_t slot)
{
    struct cookie_key *k = &t->cookie_keys[slot & 1];
    if (k->slot != slot || !k->known) {
        uint64_t in[2] = {slot, 0};
        k->key.k0 = siphash24(&t->key_cookie, in, sizeof(in));
        in[1] = 1;
        k->key.k1 = siphash24(&t->key_cookie, in, sizeof(in));
        k->slot = slot;
        k->known = true;
    }
    return &k->key;
}

/* The lower half is for the ISN, the upper one for where timestamps begin. */
static uint64_t mac_of(struct tcp *t, uint64_t slot, const struct tcp_tuple *tuple, uint32_t irs,
                       uint8_t bits)
{
    uint64_t w[6], ports = (uint64_t)tuple->rport << 16 | tuple->lport;
    const struct siphash_key *key = slot_key(t, slot);
    if (wire_is_ip4(tuple->remote)) { /* (a length that no other tuple has) */
        w[0] = (uint64_t)load_be32(tuple->remote + 12) << 32 | load_be32(tuple->local + 12);
        w[1] = ports << 32 | irs;
        w[2] = bits;
        return siphash24(key, w, 3 * sizeof(w[0]));
    }
    memcpy(&w[0], tuple->remote, 16);
    memcpy(&w[2], tuple->local, 16);
    w[4] = ports << 32 | irs;
    w[5] = bits;
    return siphash24(key, w, sizeof(w));
}

static uint32_t mss_step(uint16_t mss)
{
    uint32_t i = ARRAY_LEN(mss_steps) - 1;
    while (i > 0 && mss_steps[i] > mss)
        i--;
    return i;
}

static uint32_t wscale_step(const struct halfopen *h)
{
    if (h->flags & HALFOPEN_TS)
        return STEP_TIMESTAMPS;
    if (h->wscale == WSCALE_NONE)
        return STEP_NONE;
    uint32_t i = STEP_TIMESTAMPS - 1;
    while (i > 1 && wscale_steps[i] > h->wscale)
        i--;
    return i;
}

bool cookie_make(struct tcp *t, struct halfopen *h, const struct tcp_tuple *tuple, uint32_t *tsval)
{
    if (h->mss < mss_steps[0])
        return false;
    uint64_t slot = slot_now(t);
    uint32_t step = wscale_step(h);
    uint8_t bits = (uint8_t)((slot & 1 ? BIT_SLOT : 0) | mss_step(h->mss) << MSS_SHIFT |
                             step << WSCALE_SHIFT | (h->flags & HALFOPEN_SACK ? BIT_SACK : 0));
    uint64_t secret = mac_of(t, slot, tuple, h->irs, bits);
    uint32_t mac = (uint32_t)secret;
    h->iss = (mac & ~0xffu) | (bits ^ mac >> 24);
    if (h->ecn & ECN_MODE) /* told by timestamps alone, and the half of it */
        h->ecn = h->flags & HALFOPEN_TS ? ECN_CLASSIC : 0;
    if (h->flags & HALFOPEN_TS) {
        uint32_t low = h->wscale == WSCALE_NONE ? TS_WSCALE : h->wscale;
        low |= (h->flags & HALFOPEN_SACK ? TS_SACK : 0) | (h->ecn & ECN_CLASSIC ? TS_ECN : 0);
        *tsval = ((ts_clock(t) + (uint32_t)(secret >> 32)) & ~(uint32_t)TS_MASK) | low;
    }
    return true;
}

bool cookie_open(struct tcp *t, const struct tcp_seg *seg, struct halfopen *h)
{
    const struct wire_tcp_options *opt = &seg->h.opt;
    uint32_t iss = seg->h.ack - 1, irs = seg->h.seq - 1;
    uint8_t bits = (uint8_t)(iss ^ iss >> 24);
    uint64_t slot = slot_now(t);
    slot -= (slot & 1) != (bits & BIT_SLOT);
    uint32_t mac = (uint32_t)mac_of(t, slot, &seg->tuple, irs, bits);
    if ((mac ^ iss) & ~0xffu)
        return false;
    uint32_t step = bits >> WSCALE_SHIFT & 7;
    memcpy(h->raddr, seg->tuple.remote, 16);
    h->rport = seg->tuple.rport;
    h->lport = seg->tuple.lport;
    h->irs = irs;
    h->iss = iss;
    h->iface = seg->iface;
    h->mss = mss_steps[bits >> MSS_SHIFT & 7];
    h->wscale = step == STEP_NONE ? WSCALE_NONE : wscale_steps[step % STEP_TIMESTAMPS];
    h->flags = bits & BIT_SACK ? HALFOPEN_SACK : 0;
    if (step == STEP_TIMESTAMPS) {
        if (!(opt->have & WIRE_OPT_TS))
            return false; /* what was agreed upon cannot be told */
        uint32_t low = opt->tsecr & TS_MASK;
        h->wscale = (low & TS_WSCALE) == TS_WSCALE ? WSCALE_NONE : (uint8_t)(low & TS_WSCALE);
        h->flags = HALFOPEN_TS | (low & TS_SACK ? HALFOPEN_SACK : 0);
        h->ts_recent = opt->tsval;
        h->ecn = low & TS_ECN ? ECN_CLASSIC : 0;
    }
    h->wnd = seg->h.wnd;
    return true;
}

/* Only who has sent any lately takes them, so that guessing is worth little at other times. */
bool cookie_expected(const struct tcp *t, const struct listener *l)
{
    return t->cfg->cookies == TERN_COOKIES_ALWAYS || t->cookie_shared || t->now < l->cookie_until;
}

void cookie_sent(struct tcp *t, struct listener *l)
{
    l->cookie_until = t->now + 2 * SLOT_NS;
    count(t, TERN_COUNT_COOKIES_SENT);
}
