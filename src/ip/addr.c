/* addr.c - this host's addresses; see addr.h. */
#include "ip/addr.h"

enum { ROOM_FIRST = 4 };

void ip_addrs_init(struct ip_addrs *t, struct mem *mem, const struct siphash_key *key,
                   const tern_config *cfg)
{
    *t = (struct ip_addrs){.mem = mem,
                           .key = *key,
                           .max = cfg->addrs_max,
                           .next = TERN_NEVER,
                           .labels = cfg->labels,
                           .label_count = cfg->labels_count};
}

static void free_arrays(struct mem *mem, struct ip_addr *at, uint32_t *buckets, uint32_t room)
{
    mem_free(mem, at, room * sizeof(*at));
    mem_free(mem, buckets, (size_t)room * (IP_BUCKETS + 2) * sizeof(*buckets));
}

void ip_addrs_destroy(struct ip_addrs *t) { free_arrays(t->mem, t->at, t->buckets, t->room); }

unsigned ip_common_bits(const uint8_t a[16], const uint8_t b[16])
{
    for (unsigned i = 0; i < 16; i++) {
        uint32_t diff = (uint32_t)(a[i] ^ b[i]);
        if (diff != 0)
            return i * 8 + (unsigned)__builtin_clz(diff) - 24;
    }
    return 128;
}

bool ip_bits_fit(const uint8_t ip[16], unsigned bits)
{
    return bits <= 128 && (bits >= 96 || !wire_is_ip4(ip));
}

uint64_t ip_random(struct ip_addrs *t, uint64_t below)
{
    uint64_t n = t->drawn++;
    return siphash24(&t->key, &n, sizeof(n)) % below;
}

/* ---- the hash -------------------------------------------------------------------------------- */

/* What is in the table was chosen by its owner, so that the hash needs no key: who sends packets
 * chooses only what is looked for. */
static inline uint32_t *bucket(const struct ip_addrs *t, const uint8_t ip[16])
{
    uint64_t h = load_le64(ip) ^ (load_le64(ip + 8) * UINT64_C(0x9e3779b97f4a7c15));
    h = (h ^ h >> 32) * UINT64_C(0xd6e8feb86659fd93); /* the last bytes differ, and are on top */
    return &t->buckets[h >> 40 & (IP_BUCKETS * t->room - 1)];
}

/* false: the network has none (or the address is its only one: RFC 3021). */
static bool broadcast_of(const struct ip_addr *a, uint8_t ip[16])
{
    if (a->bits < 96 || a->bits > 126 || !wire_is_ip4(a->ip))
        return false;
    uint32_t host = (uint32_t)(UINT64_C(0xffffffff) >> (a->bits - 96));
    memcpy(ip, wire_mapped_prefix, 12);
    store_be32(ip + 12, load_be32(a->ip + 12) | host);
    return true;
}

enum ip_whose ip_whose(const struct ip_addrs *t, const uint8_t ip[16])
{
    uint8_t its[16];
    enum ip_whose whose = IP_FOREIGN;
    for (uint32_t i = t->count != 0 ? *bucket(t, ip) : 0; i != 0; i = t->chain[i - 1]) {
        const struct ip_addr *a = &t->at[(i - 1) / 2];
        if ((i - 1) % 2 != 0 && broadcast_of(a, its) && wire_ip_equal(its, ip))
            return IP_BROADCAST;
        if ((i - 1) % 2 == 0 && ip_addr_usable(a) && wire_ip_equal(a->ip, ip))
            whose = IP_LOCAL;
    }
    return wire_ip_broadcast(ip) ? IP_BROADCAST : whose;
}

static void link_in(struct ip_addrs *t, uint32_t node, const uint8_t ip[16])
{
    uint32_t *b = bucket(t, ip);
    t->chain[node] = *b;
    *b = node + 1;
}

static void index_one(struct ip_addrs *t, uint32_t i)
{
    uint8_t ip[16];
    link_in(t, 2 * i, t->at[i].ip);
    if (broadcast_of(&t->at[i], ip) && ip_whose(t, ip) != IP_BROADCAST) /* once for each network */
        link_in(t, 2 * i + 1, ip);
}

static void index_all(struct ip_addrs *t)
{
    memset(t->buckets, 0, (size_t)IP_BUCKETS * t->room * sizeof(*t->buckets));
    uint32_t count = t->count;
    for (t->count = 0; t->count < count;)
        index_one(t, t->count++);
    t->scan = 0;
}

static bool grow(struct ip_addrs *t)
{
    uint32_t room = t->room != 0 ? 2 * t->room : ROOM_FIRST;
    struct ip_addr *at = mem_alloc(t->mem, room * sizeof(*at), _Alignof(struct ip_addr));
    uint32_t *buckets =
        mem_alloc(t->mem, (size_t)room * (IP_BUCKETS + 2) * sizeof(*buckets), _Alignof(uint32_t));
    if (at == NULL || buckets == NULL) {
        free_arrays(t->mem, at, buckets, room);
        return false;
    }
    if (t->count != 0)
        memcpy(at, t->at, t->count * sizeof(*at));
    free_arrays(t->mem, t->at, t->buckets, t->room);
    t->at = at;
    t->buckets = buckets;
    t->chain = buckets + (size_t)IP_BUCKETS * room;
    t->room = room;
    index_all(t);
    return true;
}

/* ---- which there are ------------------------------------------------------------------------- */

struct ip_addr *ip_addr_find(const struct ip_addrs *t, const uint8_t ip[16])
{
    for (uint32_t i = t->count != 0 ? *bucket(t, ip) : 0; i != 0; i = t->chain[i - 1])
        if ((i - 1) % 2 == 0 && wire_ip_equal(t->at[(i - 1) / 2].ip, ip))
            return &t->at[(i - 1) / 2];
    return NULL;
}

int ip_addr_new(struct ip_addrs *t, uint8_t iface, const uint8_t ip[16], unsigned bits)
{
    if (!ip_bits_fit(ip, bits) || wire_ip_unspecified(ip) || wire_ip_multicast(ip) ||
        wire_ip_broadcast(ip))
        return TERN_EINVAL;
    if (ip_addr_find(t, ip) != NULL)
        return TERN_EADDRINUSE;
    if (t->count == t->max)
        return TERN_ELIMIT;
    if (t->count == t->room && !grow(t))
        return TERN_ENOMEM;
    struct ip_addr *a = &t->at[t->count];
    *a = (struct ip_addr){.bits = (uint8_t)bits, .iface = iface, .due = TERN_NEVER};
    memcpy(a->ip, ip, 16);
    index_one(t, t->count++);
    return 0;
}

void ip_addr_drop(struct ip_addrs *t, struct ip_addr *a)
{
    size_t i = (size_t)(a - t->at);
    memmove(a, a + 1, (--t->count - i) * sizeof(*a));
    index_all(t);
}

void ip_addrs_forget(struct ip_addrs *t, uint8_t iface)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < t->count; i++)
        if (t->at[i].iface != iface)
            t->at[n++] = t->at[i];
    t->count = n;
    if (t->room != 0)
        index_all(t);
}

struct ip_addr *ip_addr_after(const struct ip_addrs *t, uint8_t iface, const struct ip_addr *a)
{
    for (uint32_t i = a != NULL ? (uint32_t)(a - t->at) + 1 : 0; i < t->count; i++)
        if (t->at[i].iface == iface)
            return &t->at[i];
    return NULL;
}

bool ip_has_ip6(const struct ip_addrs *t, uint8_t iface)
{
    const struct ip_addr *a = NULL;
    while ((a = ip_addr_after(t, iface, a)) != NULL)
        if (!wire_is_ip4(a->ip))
            return true;
    return false;
}

bool ip_is_local(const struct ip_addrs *t, const uint8_t ip[16])
{
    const struct ip_addr *a = ip_addr_find(t, ip);
    return a != NULL && ip_addr_usable(a);
}

bool ip_is_at(const struct ip_addrs *t, uint8_t iface, const uint8_t ip[16])
{
    const struct ip_addr *a = ip_addr_find(t, ip);
    return a != NULL && a->iface == iface && ip_addr_usable(a);
}

bool ip_is_broadcast(const struct ip_addrs *t, const uint8_t ip[16])
{
    return ip_whose(t, ip) == IP_BROADCAST;
}

/* ---- source addresses ------------------------------------------------------------------------ */

#define LABEL(bits_, label_, ...)                                                                  \
    {                                                                                              \
        .ip = {__VA_ARGS__}, .bits = (bits_), .label = (label_)                                    \
    }
static const tern_label default_labels[] = {
    LABEL(0, 1, 0),           LABEL(128, 0, [15] = 1),   LABEL(96, 4, [10] = 0xff, 0xff),
    LABEL(16, 2, 0x20, 0x02), LABEL(32, 5, 0x20, 0x01),  LABEL(7, 13, 0xfc),
    LABEL(96, 3, 0),          LABEL(10, 11, 0xfe, 0xc0), LABEL(16, 12, 0x3f, 0xfe),
};

static unsigned label_of(const struct ip_addrs *t, const uint8_t ip[16])
{
    const tern_label *l = t->labels != NULL ? t->labels : default_labels;
    uint32_t n = t->labels != NULL ? t->label_count : (uint32_t)ARRAY_LEN(default_labels);
    const tern_label *best = NULL;
    for (; n > 0; n--, l++)
        if (ip_common_bits(l->ip, ip) >= l->bits && (best == NULL || l->bits > best->bits))
            best = l;
    return best != NULL ? best->label : UINT8_MAX + 1u;
}

/* RFC 6724 3.1, 3.2: the number by which multicast names scopes. */
static unsigned scope_of(const uint8_t ip[16])
{
    enum { LINK = 2, SITE = 5, GLOBAL = 14 };
    if (wire_ip_multicast(ip))
        return wire_is_ip4(ip) ? GLOBAL : ip[1] & 15u;
    if (wire_ip_link_local(ip) || wire_ip_loopback(ip))
        return LINK;
    return ip[0] == 0xfe && ip[1] >= 0xc0 ? SITE : GLOBAL;
}

/* What the rules compare of a source, once for each. */
struct choice {
    const struct ip_addr *a;
    bool same, label, router;
    unsigned scope, bits;
};

/* Whether b is better than a (RFC 6724 5). There are no home and no temporary addresses here (rules
 * 4 and 7), and all candidates are of the interface that leads there (rule 5). */
static bool source_better(const struct choice *a, const struct choice *b, unsigned scope)
{
    if (a->same != b->same) /* 1 */
        return b->same;
    if (a->scope != b->scope) /* 2: the smallest that reaches so far */
        return a->scope < b->scope ? a->scope < scope : b->scope >= scope;
    bool fresh_a = a->a->state == TERN_ADDR_PREFERRED, fresh_b = b->a->state == TERN_ADDR_PREFERRED;
    if (fresh_a != fresh_b) /* 3 */
        return fresh_b;
    if (a->router != b->router) /* 5.5 */
        return b->router;
    if (a->label != b->label) /* 6 */
        return b->label;
    return b->bits > a->bits; /* 8 */
}

const struct ip_addr *ip_source(const struct ip_addrs *t, const struct ip_way *way,
                                const uint8_t dst[16])
{
    struct choice best = {.a = NULL};
    unsigned scope = scope_of(dst), label = label_of(t, dst);
    const struct ip_addr *a = NULL;
    while ((a = ip_addr_after(t, way->iface, a)) != NULL) {
        if (!ip_addr_usable(a) || wire_is_ip4(a->ip) != wire_is_ip4(dst))
            continue;
        unsigned common = ip_common_bits(a->ip, dst);
        struct choice s = {.a = a,
                           .same = common == 128,
                           .label = label_of(t, a->ip) == label,
                           .router = (a->routers & way->router) != 0,
                           .scope = scope_of(a->ip),
                           .bits = min_u32(common, a->bits)};
        if (best.a == NULL || source_better(&best, &s, scope))
            best = s;
    }
    return best.a;
}

/* ---- duplicate address detection ------------------------------------------------------------- */

static void set_due(struct ip_addrs *t, struct ip_addr *a, uint64_t due)
{
    a->due = due;
    t->next = min_u64(t->next, due);
}

void ip_addr_doubt(struct ip_addrs *t, struct ip_addr *a, bool delay)
{
    a->state = TERN_ADDR_TENTATIVE;
    a->asks = wire_is_ip4(a->ip) ? DAD_ASK4 : DAD_ASK6;
    a->phase = delay ? IP_ADDR_WAITS : IP_ADDR_ASKS;
    set_due(t, a, 0);
    t->scan = 0;
}

bool ip_addr_taken(struct ip_addr *a)
{
    if (a->state != TERN_ADDR_TENTATIVE)
        return false;
    a->state = TERN_ADDR_DUPLICATE;
    a->due = TERN_NEVER;
    return true;
}

void ip_addr_nonce(const struct ip_addrs *t, const struct ip_addr *a, uint8_t nonce[6])
{
    uint8_t what[18];
    memcpy(what, a->ip, 16);
    what[16] = a->iface;
    what[17] = 'n';
    uint64_t h = siphash24(&t->key, what, sizeof(what));
    for (unsigned i = 0; i < 6; i++)
        nonce[i] = (uint8_t)(h >> 8 * i);
}

static enum ip_addr_event step(struct ip_addrs *t, struct ip_addr *a, uint64_t retrans,
                               uint64_t now)
{
    bool ip4 = wire_is_ip4(a->ip);
    if (a->phase == IP_ADDR_JOINS) {
        a->phase = IP_ADDR_ASKS;
        set_due(t, a, now + DAD_JOIN_NS);
        return IP_ADDR_JOIN;
    }
    if (a->asks == 0 && a->state != TERN_ADDR_TENTATIVE) {
        a->due = TERN_NEVER;
        return IP_ADDR_ANNOUNCE;
    }
    if (a->asks == 0) {
        a->state = TERN_ADDR_PREFERRED;
        set_due(t, a, ip4 ? now + DAD_ANNOUNCE4_NS : TERN_NEVER);
        return IP_ADDR_READY;
    }
    a->asks--;
    uint64_t wait = retrans;
    if (ip4)
        wait = a->asks == 0 ? DAD_ANNOUNCE4_NS : DAD_GAP4_NS + ip_random(t, DAD_GAP4_NS);
    set_due(t, a, now + wait);
    return IP_ADDR_ASK;
}

struct ip_addr *ip_addr_due(struct ip_addrs *t, const uint64_t *retrans, uint64_t now,
                            enum ip_addr_event *what)
{
    uint64_t next = TERN_NEVER, delay = 0;
    if (now < t->next)
        return NULL;
    for (; t->scan < t->count; t->scan++) {
        struct ip_addr *a = &t->at[t->scan];
        if (a->due > now)
            continue;
        if (a->phase ==
            IP_ADDR_WAITS) { /* those that come together wait together: RFC 4862 5.4.2 */
            delay = delay != 0 ? delay : 1 + ip_random(t, DAD_DELAY_NS);
            a->phase = wire_is_ip4(a->ip) ? IP_ADDR_ASKS : IP_ADDR_JOINS;
            a->due = now + delay;
            continue;
        }
        *what = step(t, a, retrans[a->iface], now);
        return a;
    }
    for (uint32_t i = 0; i < t->count; i++)
        next = min_u64(next, t->at[i].due);
    t->scan = 0;
    t->next = next;
    return NULL;
}
