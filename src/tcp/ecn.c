/* ecn.c - explicit congestion notification: routers mark packets instead of dropping them.
 *
 * Classic (RFC 3168): the receiver of a mark says so in every ACK (ECE) until the sender answers
 * that it has reduced its window (CWR): one bit for each round trip. Accurate (AccECN, RFC 9768):
 * the same three header bits count marked packets, modulo eight (ACE), and an option, where it gets
 * through, counts bytes by their mark. Which of the two, if any, is settled by the same bits of SYN
 * and SYN-ACK, and how these arrived is reflected, so that a path that spoils marks is found out.
 *
 * Classic connections mark new data alone as ECN-capable (ECT); accurate ones all that follows the
 * handshake, as Linux does, since any lost or marked packet of theirs is accounted for.
 *
 * What goes wrong with a half of it (struct accecn, `fail`) switches that half off and nothing
 * more: a connection never fails for ECN.
 */
#include "tcp/tcp.h"

enum {
    ACE_SHIFT = 6, /* AE, CWR and ECE as a number */
    ACE_MASK = 7,
    ACE_INIT = 5, /* RFC 9768 3.2.1 */
    ACE_DELTA_MAX = 6,
    SYN_ACCURATE = 2,     /* so many SYNs ask, the next ones do not */
    FIELD_SHIFT = 22,     /* the option is sent again at least every 2^22 bytes of a counter, */
    SEEN_LIMIT = 1 << 23, /* and trusted only if it came before one could have wrapped */
};

/* Counters begin at 1 on the wire where zeroing is to be noticed: index is codepoint - 1. */
static const uint32_t field_init[3] = {1, 1, 0};
/* The counters' order: kind 172, kind 174. */
static const uint8_t field_of[2][3] = {{ECN_ECT0, ECN_CE, ECN_ECT1}, {ECN_ECT1, ECN_CE, ECN_ECT0}};

static uint32_t ace_of(const struct wire_tcp *h)
{
    return (uint32_t)h->flags >> ACE_SHIFT & ACE_MASK;
}

/* How a SYN or SYN-ACK came, as the other end is told: table 2 and 3. */
static uint16_t reflected(uint8_t ect)
{
    return (uint16_t)((ect + 2u + (ect == ECN_CE)) << ACE_SHIFT);
}

static uint8_t reflection(uint32_t ace)
{
    static const uint8_t ect[8] = {ECN_ECT0, ECN_ECT1, ECN_NONE, ECN_ECT1,
                                   ECN_ECT0, ECN_ECT1, ECN_CE,   ECN_ECT1};
    return ect[ace & ACE_MASK];
}

static void fails(struct accecn *x, uint8_t how) { x->fail |= how; }

/* ---- the handshake --------------------------------------------------------------------------- */

static bool needed(const struct tcp *t, const struct conn *c)
{
    return (t->cc[c->cc]->flags & TERN_CC_NEEDS_ECN) != 0;
}

/* The configured algorithm needs it. */
static bool by_default(const struct tcp *t) { return (t->cfg->cc->flags & TERN_CC_NEEDS_ECN) != 0; }

/* Without memory for it, a connection goes without. */
static bool start(struct tcp *t, struct conn *c, uint8_t mode)
{
    c->ecn = mode;
    if (mode != ECN_ACCURATE)
        return false;
    TERN_ASSERT(c->accecn == NULL); /* it is settled once */
    c->accecn = pool_take(&t->accecns);
    if (c->accecn == NULL) {
        c->ecn = 0;
        return false;
    }
    *c->accecn = (struct accecn){0};
    return true;
}

void ecn_free(struct tcp *t, struct conn *c)
{
    if (c->accecn != NULL)
        pool_give(&t->accecns, c->accecn);
    c->accecn = NULL;
    c->ecn = 0;
}

uint8_t ecn_wanted(const struct tcp *t)
{
    static const uint8_t asks[ECN_CONFIG_MAX + 1] = {0, ECN_CLASSIC, 0, ECN_ACCURATE, ECN_CLASSIC,
                                                     0};
    return asks[t->cfg->ecn];
}

/* Our SYN-ACK was sent again: by the timer, or in all. */
static void answered(struct accecn *x, unsigned timeouts, unsigned again)
{
    if (timeouts >= 2)
        fails(x, ACCECN_NO_ECT); /* 3.1.5: we have said "no ECN" */
    if (again >= 1)
        fails(x, ACCECN_NO_OPTION); /* 3.2.3.2.2: perhaps it was the option that was dropped */
}

/* RFC 3168 6.1.1.1, RFC 9768 3.1.4.1: a SYN that gets no answer may be dropped for its bits. */
uint16_t ecn_syn_flags(const struct tcp *t, struct conn *c, struct tcp_out *out)
{
    bool keep = !t->cfg->ecn_fallback;
    if (needed(t, c)) {
        c->ecn |= c->ecn & ECN_MODE ? 0 : ECN_CLASSIC;
        out->tos |= ECN_ECT0;
    }
    if (c->ecn & ECN_ACCURATE && (keep || c->retries < SYN_ACCURATE))
        return TCP_AE | TCP_CWR | TCP_ECE;
    if (c->ecn & ECN_CLASSIC && (keep || c->retries < 1))
        return TCP_CWR | TCP_ECE;
    return 0;
}

uint16_t ecn_synack_flags(uint8_t syn, unsigned tries)
{
    if (syn & ECN_CLASSIC)
        return TCP_ECE;
    return syn & ECN_ACCURATE && tries < 2 ? reflected(syn >> ECN_SYN_SHIFT & ECN_MASK) : 0;
}

bool ecn_synack_option(const struct tcp *t, uint8_t syn, unsigned tries, struct wire_tcp_options *o)
{
    if (!(syn & ECN_ACCURATE) || tries != 0 || t->cfg->ecn_option == 0)
        return false;
    o->have |= WIRE_OPT_ACCECN;
    o->accecn = (struct wire_accecn){.count = 3, .order1 = true, .counter = {1, 0, 1}};
    return true;
}

uint16_t ecn_answer(const struct tcp *t, struct conn *c, struct tcp_out *out,
                    struct wire_tcp_options *o)
{
    uint8_t syn = c->ecn & ECN_MODE;
    out->tos |= syn != 0 && needed(t, c) ? ECN_ECT0 : 0;
    if (c->ecn & ECN_ACCURATE) {
        unsigned again = c->retries + (c->flags & CONN_SYN_AGAIN ? 1u : 0);
        struct accecn *x = c->accecn;
        syn |= (uint8_t)(x->syn_received << ECN_SYN_SHIFT);
        ecn_synack_option(t, syn, again, o);
        answered(x, c->retries, again);
        x->syn_sent = out->tos & ECN_MASK;
    }
    return ecn_synack_flags(syn, c->retries);
}

/* Table 2. Bits that mean nothing yet ask for the best there is (3.1.3). */
uint8_t ecn_of_syn(const struct tcp *t, const struct tcp_seg *seg)
{
    uint32_t ace = ace_of(&seg->h);
    uint8_t ect = seg->tos & ECN_MASK;
    if (ace != 0 && ace != 3 && t->cfg->ecn >= 3)
        return (uint8_t)(ECN_ACCURATE | ect << ECN_SYN_SHIFT);
    bool always = by_default(t);
    if ((ace & 3) != 3 || (t->cfg->ecn == 0 && !always))
        return 0;
    return ect == ECN_NONE || ace & 4 || always ? ECN_CLASSIC : 0; /* else a SYN is not ECT */
}

/* In three bits: the mode, and with accurate ECN the field of the SYN. */
uint32_t ecn_pack(uint8_t syn)
{
    return syn & ECN_ACCURATE ? 4u | (syn >> ECN_SYN_SHIFT & ECN_MASK) : syn & ECN_CLASSIC;
}

/* (The peer might have altered them: what is not taken from a SYN is not taken so.) */
uint8_t ecn_unpack(const struct tcp *t, uint32_t bits)
{
    if (bits & 4)
        return t->cfg->ecn >= 3 ? (uint8_t)(ECN_ACCURATE | (bits & ECN_MASK) << ECN_SYN_SHIFT) : 0;
    return bits == ECN_CLASSIC && (t->cfg->ecn != 0 || by_default(t)) ? ECN_CLASSIC : 0;
}

/* RFC 9768 5.1: nobody else reflects the ECN field of a SYN-ACK. With data the bits are a counter
 * which has begun at 5, and tell AccECN apart as well. */
uint8_t ecn_of_third(const struct tcp *t, const struct tcp_seg *seg)
{
    uint32_t ace = ace_of(&seg->h);
    bool accurate = seg->len == 0 ? ace >= 2 : ace == ACE_INIT || ace == ACE_INIT + 1;
    return accurate && t->cfg->ecn >= 3 ? ECN_ACCURATE : 0;
}

void ecn_syn_again(uint8_t *syn, const struct tcp_seg *seg)
{
    *syn |= ECN_SYN_REPEATED;
    if (ace_of(&seg->h) == 0)
        *syn |= ECN_SYN_PLAIN;
}

void ecn_passive(struct tcp *t, struct conn *c, uint8_t syn, unsigned tries)
{
    struct accecn *x;
    if (!start(t, c, syn & ECN_MODE))
        return;
    x = c->accecn;
    x->syn_received = x->last = syn >> ECN_SYN_SHIFT & ECN_MASK;
    x->received_ce = x->syn_received == ECN_CE;
    x->demand = 1;
    answered(x, tries, tries + (syn & ECN_SYN_REPEATED ? 1u : 0));
    if (syn & ECN_SYN_PLAIN)
        fails(x, ACCECN_NO_ECT); /* 3.1.5: it has asked for none */
}

/* What we have sent, which is no mark, cannot have arrived so: the path meddles with the field
 * (3.2.2.3). */
static bool can_become(uint8_t sent, uint8_t came)
{
    return sent == came || (sent != ECN_NONE && came != ECN_NONE);
}

static void take_reflection(struct tcp *t, struct conn *c, uint32_t ace)
{
    struct accecn *x = c->accecn;
    uint8_t came = reflection(ace);
    if (t->cfg->ecn_fallback && !can_become(x->syn_sent, came))
        fails(x, ACCECN_IGNORE | ACCECN_NO_ECT);
    else if (came == ECN_CE)
        x->delivered_ce = 1; /* the first of all */
}

static enum accecn_seen option_check(const struct wire_accecn *k)
{
    if (k->count == 0)
        return ACCECN_SEEN_EMPTY;
    if (k->counter[0] == 0 || (k->count == 3 && k->counter[2] == 0))
        return ACCECN_SEEN_ZEROED; /* 3.2.3.2.4 */
    return ACCECN_SEEN_COUNTERS;
}

static void take_first_option(struct accecn *x, const struct wire_tcp_options *o)
{
    if (!(o->have & WIRE_OPT_ACCECN) || x->seen >= ACCECN_SEEN_COUNTERS)
        return;
    x->seen = (uint8_t)option_check(&o->accecn);
    if (x->seen == ACCECN_SEEN_ZEROED)
        fails(x, ACCECN_IGNORE_OPTION);
}

/* Our SYN asked, this answers: table 2. */
static void accurate_synack(struct tcp *t, struct conn *c, const struct tcp_seg *seg)
{
    if (!start(t, c, ECN_ACCURATE))
        return;
    struct accecn *x = c->accecn;
    x->syn_sent = needed(t, c) ? ECN_ECT0 : ECN_NONE;
    x->syn_received = x->last = seg->tos & ECN_MASK;
    if (t->cfg->ecn_fallback && c->retries >= SYN_ACCURATE)
        fails(x, ACCECN_NO_ECT); /* 3.1.5: a later SYN of ours has said "no ECN" */
    take_first_option(x, &seg->h.opt);
    x->demand = 2;
    if (x->syn_received == ECN_CE)
        x->received_ce = x->pending = 1;
    take_reflection(t, c, ace_of(&seg->h));
    c->ecn |= ECN_REFLECT;
}

void ecn_synack(struct tcp *t, struct conn *c, const struct tcp_seg *seg)
{
    uint8_t asked = c->ecn & ECN_MODE;
    uint32_t ace = ace_of(&seg->h);
    c->ecn = 0;
    if (asked == ECN_ACCURATE && (ace == 1 || ace == 5))
        asked = ECN_CLASSIC;
    if (asked == ECN_ACCURATE && ace != 0 && ace != ACE_MASK)
        accurate_synack(t, c, seg);
    else if (asked == ECN_CLASSIC && (ace & 3) == 1)
        c->ecn = ECN_CLASSIC;
}

/* Simultaneous open. */
void ecn_crossing_syn(struct tcp *t, struct conn *c, const struct tcp_seg *seg)
{
    uint8_t asked = c->ecn & ECN_MODE;
    uint32_t ace = ace_of(&seg->h);
    c->ecn = 0;
    if (asked == ECN_ACCURATE && ace != 0 && ace != 3)
        ecn_passive(t, c, (uint8_t)(ECN_ACCURATE | (seg->tos & ECN_MASK) << ECN_SYN_SHIFT), 0);
    else if (asked != 0 && (ace & 3) == 3)
        c->ecn = ECN_CLASSIC;
}

/* Table 4. The bits reflect our SYN-ACK this once, and are made to read as no news afterwards. */
void ecn_third(struct tcp *t, struct conn *c, struct tcp_seg *seg)
{
    struct accecn *x = c->accecn;
    uint32_t ace = ace_of(&seg->h);
    if (!(c->ecn & ECN_ACCURATE))
        return;
    take_first_option(x, &seg->h.opt);
    if (ace == 0)
        fails(x, ACCECN_IGNORE | ACCECN_NO_ECT | ACCECN_IGNORE_OPTION);
    else if (seg->len == 0 && ace != 1 && ace != 5 && ace != 7)
        take_reflection(t, c, ace);
    if (seg->len == 0) {
        seg->h.flags &= (uint16_t) ~(ACE_MASK << ACE_SHIFT);
        seg->h.flags |= (uint16_t)(((x->delivered_ce + ACE_INIT) & ACE_MASK) << ACE_SHIFT);
    }
}

/* ---- receiving ------------------------------------------------------------------------------- */

/* 3.2.1: all acceptable segments count, and their payload; 3.2.2.5.1: a change is told at once. */
static void count_received(struct tcp *t, struct conn *c, const struct tcp_seg *seg)
{
    struct accecn *x = c->accecn;
    uint8_t ecn = seg->tos & ECN_MASK;
    if (ecn != ECN_NONE) {
        c->ecn |= ECN_SEEN;
        if (ecn == ECN_CE) {
            x->received_ce += seg->segs;
            x->pending = (uint8_t)min_u32(x->pending + (uint32_t)seg->segs, 15);
        }
        uint32_t old = x->received[ecn - 1];
        x->received[ecn - 1] += seg->len;
        if (seg->len != 0) {
            static const uint8_t fields[4] = {0, 1, 3, 2}; /* of kind 174, to have it there */
            x->fields_min = (uint8_t)max_u32(x->fields_min, fields[ecn]);
        }
        if ((x->received[ecn - 1] ^ old) >> FIELD_SHIFT != 0)
            x->demand = (uint8_t)max_u32(x->demand, 1);
    }
    bool edge = x->last != ecn;
    if (edge || ecn == ECN_CE) {
        x->last = ecn;
        x->demand = 2;
    }
    if (seg->len != 0 && (edge || x->pending >= ACE_DELTA_MAX))
        input_ack_now(t, c);
}

void ecn_received(struct tcp *t, struct conn *c, const struct tcp_seg *seg)
{
    if (c->ecn & ECN_ACCURATE)
        count_received(t, c, seg);
}

/* A few segments are acknowledged at once: the peer's window may be very small. */
static void be_quick(struct active *a)
{
    if (a == NULL)
        return;
    a->quick = (uint8_t)max_u32(a->quick, 2);
    a->answers = 0;
}

/* RFC 8257 3.2: ECE says how the last segment came. What was not acknowledged yet came the other
 * way: that is said first. */
static void echo_each(struct tcp *t, struct conn *c, bool marked)
{
    struct active *a = c->active;
    if (marked == ((c->ecn & ECN_ECHO) != 0))
        return;
    if (c->last_ack_sent != c->rcv_nxt && a != NULL && a->ooo.count == 0)
        input_ack_apart(t, c, c->ecn & ECN_ECHO ? TCP_ECE : 0);
    c->ecn ^= ECN_ECHO;
    be_quick(a);
}

/* RFC 3168 6.1.3, and as Linux: data without ECT, where there was ECT before, was sent again. */
void ecn_data(struct tcp *t, struct conn *c, const struct tcp_seg *seg)
{
    uint8_t ecn = seg->tos & ECN_MASK;
    bool classic = (c->ecn & ECN_CLASSIC) != 0;
    if (classic && needed(t, c)) {
        c->ecn |= ecn != ECN_NONE ? ECN_SEEN : 0;
        echo_each(t, c, ecn == ECN_CE);
        return;
    }
    if (classic && seg->h.flags & TCP_CWR) {
        c->ecn &= (uint8_t)~ECN_ECHO;
        input_ack_now(t, c);
    }
    if (ecn == ECN_NONE) {
        if (c->ecn & ECN_SEEN)
            be_quick(c->active);
        return;
    }
    if (!classic)
        return;
    c->ecn |= ECN_SEEN;
    if (ecn == ECN_CE && !(c->ecn & ECN_ECHO)) {
        be_quick(c->active);
        c->ecn |= ECN_ECHO;
    }
}

/* ---- feedback -------------------------------------------------------------------------------- */

/* 24 bits are the low ones of our 32: the nearest value with these. Returns how far it moved. */
static int32_t follow(uint32_t *counter, uint32_t wire)
{
    uint32_t delta = (wire - *counter) & 0xffffff;
    int32_t moved = delta & 0x800000 ? (int32_t)(delta | 0xff000000) : (int32_t)delta;
    *counter += (uint32_t)moved;
    return moved;
}

/* Takes what the option says. Without one, all is taken to have come as the last did, while only
 * one counter moves. false: what is counted as CE cannot be relied on. */
static bool take_option(struct conn *c, const struct wire_tcp_options *o, uint32_t bytes)
{
    struct accecn *x = c->accecn;
    uint8_t guess = x->guess;
    if (x->fail & ACCECN_IGNORE_OPTION)
        return false;
    if (!(o->have & WIRE_OPT_ACCECN)) {
        if (x->seen == ACCECN_SEEN_NONE && c->snd_nxt - c->iss >= SEEN_LIMIT)
            fails(x, ACCECN_IGNORE_OPTION);
        if (x->seen == ACCECN_SEEN_NONE || guess == 0)
            return false;
        x->delivered[guess - 1] += bytes;
        return true;
    }
    take_first_option(x, o);
    bool sure = guess != 0, changed = false, ambiguous = false;
    for (uint32_t i = 0; i < o->accecn.count; i++) {
        uint8_t ecn = field_of[o->accecn.order1][i];
        int32_t moved = follow(&x->delivered[ecn - 1], o->accecn.counter[i] - field_init[ecn - 1]);
        if (moved < 0)
            ambiguous = true;
        if (moved == 0 || ecn == guess)
            continue;
        ambiguous |= changed;
        if (!changed)
            x->guess = ecn;
        changed = true;
    }
    if (ambiguous)
        x->guess = 0;
    return sure && !ambiguous;
}

/* How many more of our packets were marked: three bits, and what makes sense of them when so much
 * was acknowledged at once that they may have wrapped (3.2.2.5.2, appendix A.2). */
static uint32_t marked(struct conn *c, const struct tcp_seg *seg, const struct ack_sample *s)
{
    struct accecn *x = c->accecn;
    uint32_t old = x->delivered[ECN_CE - 1], segs = s->segs;
    bool sure = take_option(c, &seg->h.opt, s->acked);
    uint32_t delta = (ace_of(&seg->h) - ACE_INIT - x->delivered_ce) & ACE_MASK;
    if (segs <= ACE_MASK)
        return delta;
    uint32_t most = segs - ((segs - delta) & ACE_MASK);
    if (!sure)
        return most;
    uint32_t bytes = x->delivered[ECN_CE - 1] - old;
    if (bytes == 0)
        return delta;
    if (segs >= 2 * (ACE_MASK + 1)) {
        if (s->acked <= bytes)
            return most;
        uint32_t likely = (uint32_t)(((uint64_t)bytes * segs + s->acked - 1) / s->acked);
        return min_u32(most, delta + (likely & ~(uint32_t)ACE_MASK));
    }
    if (bytes > delta * c->mss)
        return most;
    return bytes < most * c->mss / 2 ? delta : most;
}

void ecn_feedback(struct conn *c, const struct tcp_seg *seg, struct ack_sample *s, bool newer)
{
    bool outstanding = s->prior_una != c->snd_nxt;
    if (c->ecn & ECN_CLASSIC) {
        if (!(seg->h.flags & TCP_ECE))
            return;
        s->ece = outstanding;
        s->marked = s->acked;
        if (c->stats != NULL)
            c->stats->delivered_ce += s->segs;
        return;
    }
    struct accecn *x = c->accecn;
    if (x->fail & ACCECN_IGNORE || !(s->advanced || s->sacked || newer))
        return; /* (an ACK that was overtaken by others tells of the past) */
    uint32_t segs = marked(c, seg, s);
    if (segs == 0)
        return;
    x->delivered_ce += segs;
    if (c->stats != NULL)
        c->stats->delivered_ce += segs;
    s->ece = outstanding;
    s->marked = (uint32_t)min_u64((uint64_t)segs * c->mss, s->acked);
}

/* ---- sending --------------------------------------------------------------------------------- */

bool ecn_alone(const struct tcp *t, const struct conn *c)
{
    if (c->ecn & ECN_CLASSIC)
        return (c->ecn & ECN_REDUCED) != 0;
    return (c->accecn->received_ce + ACE_INIT) & 2 && !t->path[c->iface].gso_accecn;
}

/* Whether the option is due (3.2.3.3; tcp_ecn_option of Linux). */
static bool option_due(const struct tcp *t, const struct conn *c)
{
    const struct accecn *x = c->accecn;
    uint8_t policy = t->cfg->ecn_option;
    if (policy == 0 || x->seen == ACCECN_SEEN_NONE || (policy < 3 && x->fail & ACCECN_NO_OPTION))
        return false;
    if (policy >= 2 || x->demand != 0)
        return true;
    uint64_t since = (uint64_t)(t->tick - x->option_tick) << TICK_SHIFT;
    if (t->cfg->tuning.ecn_beacon == 0)
        return false;
    return since * t->cfg->tuning.ecn_beacon >= c->srtt_us8 / 8 * NS_PER_US;
}

/* With as many counters as there is room for, beside the SACK blocks; for those that have changed,
 * a third or fourth block gives way. */
bool ecn_option(const struct tcp *t, const struct conn *c, uint32_t *blocks,
                struct wire_accecn *out)
{
    const struct accecn *x = c->accecn;
    if (!(c->ecn & ECN_ACCURATE) || !option_due(t, c))
        return false;
    size_t room = WIRE_TCP_OPTIONS_MAX - (c->flags & CONN_TS ? 12 : 0);
    room = min_size(room, c->mss - 8);
    uint32_t sacks = *blocks;
    for (;;) {
        for (uint32_t n = WIRE_ACCECN_FIELDS + 1; n-- > x->fields_min;) {
            out->count = (uint8_t)n;
            if (wire_tcp_accecn_len(out, sacks) <= room)
                goto fits;
        }
        if (sacks <= 2)
            return false;
        sacks--;
    }
fits:
    *blocks = sacks;
    out->order1 = true;
    for (uint32_t i = 0; i < WIRE_ACCECN_FIELDS; i++) {
        uint8_t ecn = field_of[1][i];
        out->counter[i] = (x->received[ecn - 1] + field_init[ecn - 1]) & 0xffffff;
    }
    return true;
}

void ecn_option_sent(const struct tcp *t, struct conn *c)
{
    struct accecn *x = c->accecn;
    x->fields_min = 0;
    x->option_tick = t->tick;
    if (x->demand != 0)
        x->demand--;
}

uint16_t ecn_send(const struct tcp *t, struct conn *c, struct tcp_out *out, uint16_t flags)
{
    bool fresh = (flags & ECN_FRESH) != 0;
    flags &= (uint16_t)~ECN_FRESH;
    if (c->ecn & ECN_CLASSIC) {
        out->tos |= needed(t, c) ? ECN_ECT0 : 0;
        if (fresh) {
            out->tos |= ECN_ECT0;
            flags |= c->ecn & ECN_REDUCED ? TCP_CWR : 0;
            c->ecn &= (uint8_t)~ECN_REDUCED;
        }
        return flags | (c->ecn & ECN_ECHO ? TCP_ECE : 0);
    }
    struct accecn *x = c->accecn;
    if (!(x->fail & ACCECN_NO_ECT))
        out->tos |= ECN_ECT0;
    bool reflect = c->ecn & ECN_REFLECT && out->len == 0;
    c->ecn &= (uint8_t)~ECN_REFLECT;
    if (reflect)
        return flags | reflected(x->syn_received);
    x->pending = 0;
    return flags | (uint16_t)(((x->received_ce + ACE_INIT) & ACE_MASK) << ACE_SHIFT);
}
