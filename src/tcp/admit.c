/* admit.c - who may open connections: rules by prefix, and limits of what one source may have.
 *
 * A rule allows or denies a prefix; of those that match an address the longest counts. Rules lie in
 * a table by prefix, and one bit for each length says whether any rule has it: a lookup asks once
 * for each length in use, not for each rule.
 *
 * A source is a prefix of addresses (one IPv4 address, one IPv6 /64). What is remembered of it: how
 * many half-open entries and connections it has, and when its next SYN would be on time. There are
 * `sources_max` of these; the one not heard of for longest, and of which nothing is open, is
 * forgotten for a new one. Only listeners with limits remember sources.
 *
 * A listener that has to turn SYNs away, or to answer them with cookies, is flooded until there was
 * nothing of that for ten seconds; its owner is told of both.
 */
#include "tcp/guard.h"

enum { RECYCLE_TRIES = 8 };
#define CALM_NS (10 * NS_PER_S)

/* The first `bits` of an address; the others are 0. */
static void mask_to(uint8_t out[16], const uint8_t ip[16], uint32_t bits)
{
    memset(out, 0, 16);
    memcpy(out, ip, bits / 8);
    if (bits % 8 != 0)
        out[bits / 8] = (uint8_t)(ip[bits / 8] & 0xff00 >> bits % 8);
}

static uint32_t prefix_hash(const struct tcp *t, const uint8_t prefix[16], uint32_t bits)
{
    uint64_t w[3] = {0, 0, bits};
    memcpy(w, prefix, 16);
    return (uint32_t)siphash13_words(&t->key_flow, w, 3);
}

/* ---- rules ----------------------------------------------------------------------------------- */

struct rule_query {
    const struct tcp *t;
    uint8_t prefix[16];
    uint32_t bits;
};

static struct rule *rule_at(const struct tcp *t, uint32_t ix) { return slab_at(&t->rules, ix); }

static bool rule_equal(const void *context, uint32_t ref)
{
    const struct rule_query *q = context;
    const struct rule *r = rule_at(q->t, ref);
    return r->bits == q->bits && memcmp(r->prefix, q->prefix, 16) == 0;
}

static uint32_t rule_find(const struct tcp *t, struct rule_query *q, const uint8_t ip[16])
{
    q->t = t;
    mask_to(q->prefix, ip, q->bits);
    return flowtab_find(&t->rule_table, prefix_hash(t, q->prefix, q->bits), rule_equal, q);
}

static void length_used(struct tcp *t, uint32_t bits, int by)
{
    t->rule_lengths[bits] = (uint16_t)(t->rule_lengths[bits] + by);
    uint64_t bit = (uint64_t)1 << bits % 64;
    if (t->rule_lengths[bits] != 0)
        t->rule_mask[bits / 64] |= bit;
    else
        t->rule_mask[bits / 64] &= ~bit;
}

int admit_rule_set(struct tcp *t, const uint8_t ip[16], uint32_t bits, enum tern_rule rule)
{
    struct rule_query q = {.bits = bits};
    uint32_t ix = rule_find(t, &q, ip), hash = prefix_hash(t, q.prefix, bits);
    if (ix != 0 && rule == TERN_RULE_NONE) {
        flowtab_remove(&t->rule_table, hash, ix);
        slab_free(&t->rules, ix);
        length_used(t, bits, -1);
    }
    if (rule == TERN_RULE_NONE)
        return 0;
    if (ix == 0) {
        ix = slab_alloc(&t->rules);
        if (ix == 0)
            return t->rules.used >= t->rules.limit ? TERN_ELIMIT : TERN_ENOMEM;
        if (!flowtab_insert(&t->rule_table, hash, ix)) {
            slab_free(&t->rules, ix);
            return TERN_ENOMEM;
        }
        memcpy(rule_at(t, ix)->prefix, q.prefix, 16);
        rule_at(t, ix)->bits = (uint8_t)bits;
        length_used(t, bits, 1);
    }
    rule_at(t, ix)->rule = (uint8_t)rule;
    return 0;
}

static enum tern_rule rule_of(const struct tcp *t, const uint8_t ip[16])
{
    if (LIKELY(t->rules.used == 0))
        return TERN_RULE_NONE;
    for (uint32_t i = ARRAY_LEN(t->rule_mask); i-- > 0;) {
        for (uint64_t left = t->rule_mask[i]; left != 0;) {
            uint32_t bit = 63u - (uint32_t)__builtin_clzll(left);
            struct rule_query q = {.bits = i * 64 + bit};
            uint32_t ix = rule_find(t, &q, ip);
            if (ix != 0)
                return (enum tern_rule)rule_at(t, ix)->rule;
            left &= ~((uint64_t)1 << bit);
        }
    }
    return TERN_RULE_NONE;
}

/* ---- sources --------------------------------------------------------------------------------- */

static struct source *source_at(const struct tcp *t, uint32_t ix)
{
    return slab_at(&t->sources, ix);
}

static void unlink_source(struct tcp *t, struct source *s)
{
    if (s->newer != 0)
        source_at(t, s->newer)->older = s->older;
    else
        t->source_newest = s->older;
    if (s->older != 0)
        source_at(t, s->older)->newer = s->newer;
    else
        t->source_oldest = s->newer;
}

static void link_newest(struct tcp *t, uint32_t ix)
{
    struct source *s = source_at(t, ix);
    s->newer = 0;
    s->older = t->source_newest;
    if (s->older != 0)
        source_at(t, s->older)->newer = ix;
    else
        t->source_oldest = ix;
    t->source_newest = ix;
}

struct source_query {
    const struct tcp *t;
    uint8_t prefix[16];
};

static bool source_equal(const void *context, uint32_t ref)
{
    const struct source_query *q = context;
    return memcmp(source_at(q->t, ref)->prefix, q->prefix, 16) == 0;
}

static uint32_t source_find(const struct tcp *t, const uint8_t ip[16], struct source_query *q,
                            uint32_t *hash)
{
    uint32_t bits = wire_is_ip4(ip) ? 96u + t->cfg->source_bits4 : t->cfg->source_bits6;
    q->t = t;
    mask_to(q->prefix, ip, bits);
    *hash = prefix_hash(t, q->prefix, bits);
    return flowtab_find(&t->source_table, *hash, source_equal, q);
}

/* A slot; of the sources not heard of for longest the first of which nothing is open goes. */
static uint32_t source_alloc(struct tcp *t)
{
    uint32_t ix = slab_alloc(&t->sources);
    for (uint32_t i = 0; ix == 0 && t->source_oldest != 0 && i < RECYCLE_TRIES; i++) {
        uint32_t old = t->source_oldest;
        struct source *s = source_at(t, old);
        unlink_source(t, s);
        if (s->halfopen != 0 || s->conns != 0) {
            link_newest(t, old);
            continue;
        }
        flowtab_remove(&t->source_table, s->hash, old);
        slab_free(&t->sources, old);
        count(t, TERN_COUNT_SOURCES_RECYCLED);
        ix = slab_alloc(&t->sources);
    }
    return ix;
}

/* NULL: there is no room to remember it. */
static struct source *source_get(struct tcp *t, const uint8_t ip[16])
{
    struct source_query q;
    uint32_t hash, ix = source_find(t, ip, &q, &hash);
    if (ix != 0) {
        unlink_source(t, source_at(t, ix));
        link_newest(t, ix);
        return source_at(t, ix);
    }
    ix = source_alloc(t);
    if (ix == 0)
        return NULL;
    if (!flowtab_insert(&t->source_table, hash, ix)) {
        slab_free(&t->sources, ix);
        return NULL;
    }
    struct source *s = source_at(t, ix);
    memcpy(s->prefix, q.prefix, 16);
    s->hash = hash;
    link_newest(t, ix);
    return s;
}

/* A bucket of `syn_burst` tokens, `syn_rate` new ones a second, kept as one moment: when the next
 * SYN would come if they came exactly at that rate. */
static bool on_time(const struct tcp *t, const struct source *s, const tern_limits *lim,
                    uint64_t *then)
{
    *then = s->next_syn;
    if (lim->syn_rate == 0)
        return true;
    uint64_t interval = NS_PER_S / lim->syn_rate;
    uint64_t burst = lim->syn_burst != 0 ? lim->syn_burst : lim->syn_rate;
    uint64_t next = max_u64(s->next_syn, t->now);
    *then = next + interval;
    return next - t->now <= (burst - 1) * interval;
}

static bool over(uint32_t have, uint32_t limit) { return limit != 0 && have >= limit; }

/* What the rules say: denied (*why), or whether the listener's limits are to be asked. */
static bool limited(const struct tcp *t, const struct listener *l, const uint8_t ip[16],
                    enum tern_drop *why)
{
    enum tern_rule rule = rule_of(t, ip);
    *why = rule == TERN_RULE_DENY ? TERN_DROP_TCP_DENIED : TERN_DROP_NONE;
    return rule != TERN_RULE_DENY && rule != TERN_RULE_ALLOW && l->limited;
}

/* What the listener's limits say of a SYN of that source, and when its next one would be due. */
static enum tern_drop judge(const struct tcp *t, const struct source *s, const tern_limits *lim,
                            uint64_t *then)
{
    if (over(s->halfopen, lim->halfopen) || over(s->conns, lim->conns))
        return TERN_DROP_TCP_SOURCE_LIMIT;
    return on_time(t, s, lim, then) ? TERN_DROP_NONE : TERN_DROP_TCP_SYN_RATE;
}

bool admit_would(const struct tcp *t, const struct listener *l, const uint8_t ip[16])
{
    struct source_query q;
    enum tern_drop why;
    uint64_t then;
    uint32_t hash;
    if (!limited(t, l, ip, &why))
        return why == TERN_DROP_NONE;
    uint32_t ix = source_find(t, ip, &q, &hash);
    return ix == 0 || judge(t, source_at(t, ix), &l->limits, &then) == TERN_DROP_NONE;
}

enum tern_drop admit_syn(struct tcp *t, struct listener *l, const uint8_t ip[16], bool *counted)
{
    enum tern_drop why;
    *counted = false;
    if (!limited(t, l, ip, &why))
        return why;
    struct source *s = source_get(t, ip);
    if (s == NULL) {
        count(t, TERN_COUNT_SOURCES_FULL);
        return TERN_DROP_NONE;
    }
    uint64_t then;
    why = judge(t, s, &l->limits, &then);
    if (why != TERN_DROP_NONE)
        admit_pressed(t, l);
    else
        s->next_syn = then;
    *counted = why == TERN_DROP_NONE;
    return why;
}

enum tern_drop admit_open(struct tcp *t, struct listener *l, const uint8_t ip[16], bool *counted)
{
    enum tern_drop why;
    *counted = false;
    if (!limited(t, l, ip, &why))
        return why;
    struct source *s = source_get(t, ip);
    if (s == NULL)
        return TERN_DROP_NONE;
    if (over(s->conns, l->limits.conns)) {
        admit_pressed(t, l);
        return TERN_DROP_TCP_SOURCE_LIMIT;
    }
    *counted = true;
    return TERN_DROP_NONE;
}

void admit_count(struct tcp *t, const uint8_t ip[16], int halfopen, int conns)
{
    struct source_query q;
    uint32_t hash, ix = source_find(t, ip, &q, &hash);
    TERN_ASSERT(ix != 0); /* it is not forgotten while anything is open */
    struct source *s = source_at(t, ix);
    s->halfopen += (uint32_t)halfopen;
    s->conns += (uint32_t)conns;
}

/* ---- floods ---------------------------------------------------------------------------------- */

void admit_pressed(struct tcp *t, struct listener *l)
{
    l->pressed_at = t->now;
    if (l->flooded)
        return;
    l->flooded = true;
    count(t, TERN_COUNT_FLOODS);
    listener_event(t, l->self, TERN_EV_FLOOD);
    tcp_wheel_set(t, &t->listener_wheel, l->self, t->tick64 + ticks_of(CALM_NS));
}

void admit_timer(struct tcp *t, uint32_t listener)
{
    struct listener *l = listener_at(t, listener);
    uint64_t quiet = t->now - l->pressed_at;
    if (quiet < CALM_NS) {
        tcp_wheel_set(t, &t->listener_wheel, listener, t->tick64 + ticks_of(CALM_NS - quiet));
        return;
    }
    l->flooded = false;
    listener_event(t, listener, TERN_EV_CALM);
}

/* ---- life ------------------------------------------------------------------------------------ */

bool admit_init(struct tcp *t)
{
    enum { TABLE_FIRST = 16 };
    return slab_init(&t->rules, t->mem, SLAB_PLAIN, sizeof(struct rule), t->cfg->rules_max) &&
           slab_init(&t->sources, t->mem, SLAB_PLAIN, sizeof(struct source), t->cfg->sources_max) &&
           flowtab_init(&t->rule_table, t->mem, TABLE_FIRST) &&
           flowtab_init(&t->source_table, t->mem, TABLE_FIRST);
}

void admit_destroy(struct tcp *t)
{
    flowtab_destroy(&t->source_table);
    flowtab_destroy(&t->rule_table);
    slab_destroy(&t->sources);
    slab_destroy(&t->rules);
}
