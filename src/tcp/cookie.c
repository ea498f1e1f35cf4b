/* cookie.c - SYN cookies: a SYN that finds the half-open entries full is answered with a SYN-ACK of
 * which nothing is remembered (RFC 4987 3.6). Its ISN is a message to ourselves:
 *
 *   bits 31..8   24 bits of a keyed MAC over the tuple, the peer's ISN, and the bits below
 *   bits  7..1   under the first MAC byte as a mask: what the SYN has said, as one of 128 words
 *   bit   0      (also) tells two time slots apart
 *
 * Each time slot of 15 s has a key of its own; those of this slot and of the one before are good,
 * so that a cookie lives 15 to 30 s. MSS and window scale are steps of a table, rounded down: what
 * is assumed of the peer is never more than it has said. An option that was not told is not in
 * force.
 *
 * With timestamps the word is one of eight sizes, and the low 8 bits of TSval tell window scale,
 * SACK and ECN exactly. Without, it is one of five sizes, six window scales, SACK or not, classic
 * ECN or not; accurate ECN shows in the segment that brings the cookie (RFC 9768 5.1).
 *
 * Several machines behind one address may share the key and a clock (tern_cookie_clock()); each
 * then takes the cookies of the others. The timestamps of a connection go on from what the peer
 * echoes, whoever sent it.
 */
#include "tcp/guard.h"

enum {
    TS_BITS = 8,
    TS_MASK = (1 << TS_BITS) - 1,
    TS_WSCALE = 15, /* mask; that value: no window scale */
    TS_SACK = 16,
    TS_ECN_SHIFT = 5, /* three bits, see ecn_pack() */
    BIT_SLOT = 1,
    SIZES_TS = 8, /* words below this: with timestamps */
    SIZES = 5,
    WSCALES = 6,
    WORDS = SIZES_TS + SIZES * WSCALES * 2 * 2,
};
_Static_assert(WORDS == 128, "a word and the slot's bit fill eight bits");

#define SLOT_NS (15 * NS_PER_S)

/* What is common, and a little that is not; ascending. */
static const uint16_t sizes_ts[SIZES_TS] = {64, 536, 1220, 1360, 1400, 1440, 1460, 8940};
static const uint16_t sizes[2][SIZES] = {{64, 1220, 1360, 1400, 1440},
                                         {64, 536, 1360, 1440, 1460}}; /* [1]: IPv4 */
static const uint8_t wscales[WSCALES] = {0, 0, 3, 6, 7, 8};            /* [0] is none */

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
    uint64_t w[5], rest = (uint64_t)tuple->rport << 48 | (uint64_t)tuple->lport << 32 | irs;
    const struct siphash_key *key = slot_key(t, slot);
    if (wire_is_ip4(tuple->remote)) { /* (a length that no other tuple has) */
        w[0] = (uint64_t)load_be32(tuple->remote + 12) << 32 | load_be32(tuple->local + 12);
        w[1] = rest;
        return siphash24_tail(key, w, 2, bits, 1);
    }
    for (int i = 0; i < 2; i++) {
        w[i] = load_le64(tuple->remote + 8 * i);
        w[i + 2] = load_le64(tuple->local + 8 * i);
    }
    w[4] = rest;
    return siphash24_tail(key, w, 5, bits, 1);
}

/* The last step that is not above; the first is not asked about. */
static uint32_t size_step(const uint16_t *steps, uint32_t n, uint16_t mss)
{
    while (n > 1 && steps[n - 1] > mss)
        n--;
    return n - 1;
}

static uint32_t wscale_step(const struct halfopen *h)
{
    if (h->wscale == WSCALE_NONE)
        return 0;
    uint32_t i = WSCALES - 1;
    while (i > 1 && wscales[i] > h->wscale)
        i--;
    return i;
}

static uint32_t word_of(const struct halfopen *h, bool ip4)
{
    if (h->flags & HALFOPEN_TS)
        return size_step(sizes_ts, SIZES_TS, h->mss);
    uint32_t word = size_step(sizes[ip4], SIZES, h->mss);
    word = word * WSCALES + wscale_step(h);
    word = word * 2 + ((h->flags & HALFOPEN_SACK) != 0);
    return SIZES_TS + word * 2 + ((h->ecn & ECN_CLASSIC) != 0);
}

static void word_open(uint32_t word, bool ip4, struct halfopen *h)
{
    word -= SIZES_TS;
    h->ecn = word % 2 ? ECN_CLASSIC : 0;
    h->flags = word / 2 % 2 ? HALFOPEN_SACK : 0;
    uint32_t step = word / 4 % WSCALES;
    h->wscale = step == 0 ? WSCALE_NONE : wscales[step];
    h->mss = sizes[ip4][word / 4 / WSCALES];
}

bool cookie_make(struct tcp *t, struct halfopen *h, const struct tcp_tuple *tuple, uint32_t *tsval)
{
    if (h->mss < sizes_ts[0])
        return false;
    uint64_t slot = slot_now(t);
    uint32_t word = word_of(h, wire_is_ip4(tuple->remote));
    uint8_t bits = (uint8_t)(word << 1 | (slot & BIT_SLOT));
    uint64_t secret = mac_of(t, slot, tuple, h->irs, bits);
    uint32_t mac = (uint32_t)secret;
    h->iss = (mac & ~0xffu) | (bits ^ mac >> 24);
    if (h->flags & HALFOPEN_TS) {
        uint32_t low = h->wscale == WSCALE_NONE ? TS_WSCALE : h->wscale;
        low |= (h->flags & HALFOPEN_SACK ? TS_SACK : 0) | ecn_pack(h->ecn) << TS_ECN_SHIFT;
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
    slot -= (slot & BIT_SLOT) != (bits & BIT_SLOT);
    uint32_t mac = (uint32_t)mac_of(t, slot, &seg->tuple, irs, bits);
    if ((mac ^ iss) & ~0xffu)
        return false;
    uint32_t word = bits >> 1;
    memcpy(h->raddr, seg->tuple.remote, 16);
    h->rport = seg->tuple.rport;
    h->lport = seg->tuple.lport;
    h->irs = irs;
    h->iss = iss;
    h->iface = seg->iface;
    h->wnd = seg->h.wnd;
    if (word >= SIZES_TS) {
        word_open(word, wire_is_ip4(seg->tuple.remote), h);
        if (h->ecn == 0)
            h->ecn = ecn_of_third(t, seg);
        return true;
    }
    if (!(opt->have & WIRE_OPT_TS))
        return false; /* what was agreed upon cannot be told */
    uint32_t low = opt->tsecr & TS_MASK;
    h->mss = sizes_ts[word];
    h->wscale = (low & TS_WSCALE) == TS_WSCALE ? WSCALE_NONE : (uint8_t)(low & TS_WSCALE);
    h->flags = HALFOPEN_TS | (low & TS_SACK ? HALFOPEN_SACK : 0);
    h->ts_recent = opt->tsval;
    h->ecn = ecn_unpack(t, low >> TS_ECN_SHIFT);
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
