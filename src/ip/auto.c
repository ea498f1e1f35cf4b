/* auto.c - routers, prefixes, addresses by themselves; see auto.h. */
#include "ip/auto.h"

#define SECOND UINT64_C(1000000000)
#define TWO_HOURS (7200 * SECOND) /* RFC 4862 5.5.3 e */

static const uint8_t link_local[16] = {0xfe, 0x80};
static const uint8_t anywhere[16];

static uint64_t after(uint64_t now, uint32_t seconds)
{
    return seconds == UINT32_MAX ? TERN_NEVER : now + seconds * SECOND;
}

static uint64_t remaining(uint64_t now, uint64_t until) { return until > now ? until - now : 0; }

static uint8_t bit(unsigned i) { return (uint8_t)(1u << i); }

static void due_by(struct auto_iface *a, uint64_t at) { a->next = min_u64(a->next, at); }

/* ---- asking ---------------------------------------------------------------------------------- */

/* So much, and up to a tenth more or less (RFC 7559 2). */
static uint64_t about(const struct auto_net *net, uint64_t ns)
{
    return ns - ns / 10 + ip_random(net->addrs, ns / 5 + 1);
}

static void begin_asking(const struct auto_net *net, struct auto_iface *a)
{
    const struct ip_addr *ours =
        a->prefix[0].has_addr ? ip_addr_find(net->addrs, a->prefix[0].addr) : NULL;
    if (a->ask_at != TERN_NEVER || ours == NULL || !ip_addr_usable(ours))
        return;
    a->ask_gap = 0;
    a->ask_at = net->now + ip_random(net->addrs, AUTO_DELAY_NS);
    due_by(a, a->ask_at);
}

static void ask_again(const struct auto_net *net, struct auto_iface *a)
{
    uint64_t gap = a->ask_gap == 0 ? AUTO_ASK_NS : min_u64(2 * a->ask_gap, AUTO_ASK_MAX_NS);
    a->ask_gap = about(net, gap);
    a->ask_at = net->now + a->ask_gap;
    due_by(a, a->ask_at);
}

/* ---- routers --------------------------------------------------------------------------------- */

static struct ip_hop hop_of(const struct auto_iface *a, unsigned i)
{
    return (struct ip_hop){.via = a->router[i].ip, .iface = a->iface, .router = bit(i)};
}

/* Whether b is better than a: one that may be there, then by preference (RFC 4191 3.2). */
static bool router_better(const struct auto_router *a, const struct auto_router *b)
{
    if (a->failed != b->failed)
        return a->failed;
    return !a->failed && b->preference > a->preference;
}

/* Which router that is. */
static unsigned chosen_index(const struct auto_iface *a)
{
    for (unsigned i = 0; i < AUTO_ROUTERS; i++)
        if (a->chosen == bit(i))
            return i;
    return 0;
}

/* The default router anew; when none may be there, each has its turn from `from` on. */
static uint32_t choose(const struct auto_net *net, struct auto_iface *a, unsigned from)
{
    unsigned best = AUTO_ROUTERS;
    for (unsigned n = 0; n < AUTO_ROUTERS; n++) {
        unsigned i = (from + n) % AUTO_ROUTERS;
        if (a->router[i].until != 0 &&
            (best == AUTO_ROUTERS || router_better(&a->router[best], &a->router[i])))
            best = i;
    }
    uint8_t chosen = best < AUTO_ROUTERS ? bit(best) : 0;
    if (chosen == a->chosen)
        return 0;
    if (a->chosen != 0) {
        struct ip_hop old = hop_of(a, chosen_index(a));
        (void)ip_route_remove(net->routes, anywhere, 0, &old);
    }
    a->chosen = 0;
    if (chosen != 0) {
        struct ip_hop hop = hop_of(a, best);
        if (ip_route_add(net->routes, anywhere, 0, &hop) == 0)
            a->chosen = chosen;
    }
    return AUTO_ROUTES | AUTO_ADDRS;
}

/* What one has advertised is nobody's word any more. */
static void forget_router(const struct auto_net *net, struct auto_iface *a, unsigned i)
{
    struct ip_addr *addr = NULL;
    while ((addr = ip_addr_after(net->addrs, a->iface, addr)) != NULL)
        addr->routers &= (uint8_t)~bit(i);
    for (unsigned k = 0; k < AUTO_PREFIXES; k++)
        a->prefix[k].routers &= (uint8_t)~bit(i);
}

static uint32_t router_gone(const struct auto_net *net, struct auto_iface *a, unsigned i)
{
    a->router[i].until = 0;
    uint32_t what = choose(net, a, chosen_index(a));
    forget_router(net, a, i);
    a->router[i] = (struct auto_router){.until = 0};
    if (a->chosen == 0)
        begin_asking(net, a);
    return what;
}

/* The place of a router that has advertised; AUTO_ROUTERS: none. When all are taken, one that has
 * failed makes room, or one that is less preferred. */
static unsigned router_place(const struct auto_iface *a, const uint8_t ip[16], int8_t preference)
{
    unsigned place = AUTO_ROUTERS;
    for (unsigned i = 0; i < AUTO_ROUTERS; i++)
        if (a->router[i].until != 0 && wire_ip_equal(a->router[i].ip, ip))
            return i;
    for (unsigned i = 0; i < AUTO_ROUTERS; i++) {
        const struct auto_router *r = &a->router[i];
        if (r->until == 0)
            return i;
        if (r->failed || r->preference < preference)
            place = i;
    }
    return place;
}

static uint32_t take_router(const struct auto_net *net, struct auto_iface *a,
                            const struct wire_ra *ra, const uint8_t src[16], unsigned *out)
{
    uint32_t what = 0;
    int8_t preference = ra->lifetime != 0 ? ra->preference : 0;
    unsigned i = router_place(a, src, preference);
    *out = i;
    bool known = i < AUTO_ROUTERS && a->router[i].until != 0;
    bool same = known && wire_ip_equal(a->router[i].ip, src);
    if (ra->lifetime == 0) {
        *out = AUTO_ROUTERS;
        return same ? router_gone(net, a, i) : 0;
    }
    if (i == AUTO_ROUTERS)
        return AUTO_LIMITED;
    if (known && !same)
        what = router_gone(net, a, i);
    struct auto_router *r = &a->router[i];
    memcpy(r->ip, src, 16);
    r->until = after(net->now, ra->lifetime);
    r->preference = preference;
    r->failed &= !ra->has_mac; /* it says where it is, so that it can be tried */
    due_by(a, r->until);
    a->ask_at = TERN_NEVER; /* RFC 7559 2.1 */
    return what | choose(net, a, a->chosen != 0 ? chosen_index(a) : i);
}

uint32_t auto_failed(const struct auto_net *net, struct auto_iface *a, const uint8_t ip[16])
{
    for (unsigned i = 0; i < AUTO_ROUTERS; i++)
        if (a->router[i].until != 0 && wire_ip_equal(a->router[i].ip, ip)) {
            a->router[i].failed = true;
            return a->chosen == bit(i) ? choose(net, a, i + 1) : 0;
        }
    return 0;
}

/* ---- addresses ------------------------------------------------------------------------------- */

/* RFC 5453: not a host's own. */
static bool reserved(const uint8_t id[8])
{
    static const uint8_t zero[8], anycast[7] = {0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
                                  ethernet[5] = {2, 0, 0x5e, 0xff, 0xfe};
    return memcmp(id, zero, 8) == 0 || (memcmp(id, anycast, 7) == 0 && id[7] >= 0x80) ||
           memcmp(id, ethernet, 5) == 0;
}

/* RFC 7217 5. */
static void make_address(const struct auto_net *net, const struct auto_iface *a,
                         struct auto_prefix *p)
{
    uint8_t what[8 + WIRE_MAC + 2];
    memcpy(what, p->ip, 8);
    memcpy(what + 8, a->mac, WIRE_MAC);
    what[14] = p->tries;
    what[15] = 0;
    memcpy(p->addr, p->ip, 8);
    do {
        uint64_t id = siphash24(&net->key, what, sizeof(what));
        for (unsigned i = 0; i < 8; i++)
            p->addr[8 + i] = (uint8_t)(id >> 8 * i);
        what[15]++;
    } while (reserved(p->addr + 8) && what[15] != 0);
}

/* An address of that prefix, whose lifetimes are set. */
static uint32_t add_address(const struct auto_net *net, struct auto_iface *a, struct auto_prefix *p)
{
    p->has_addr = false;
    if (p->tries > AUTO_DAD_TRIES)
        return 0;
    make_address(net, a, p);
    if (ip_addr_new(net->addrs, a->iface, p->addr, p->bits) != 0)
        return AUTO_LIMITED;
    struct ip_addr *addr = ip_addr_find(net->addrs, p->addr);
    p->has_addr = addr->made = true;
    addr->routers = p->routers;
    ip_addr_doubt(net->addrs, addr, a->dad);
    if (!a->dad)
        addr->asks = 0;
    due_by(a, min_u64(p->preferred, p->valid));
    return AUTO_ADDRS;
}

static uint32_t drop_address(const struct auto_net *net, struct auto_iface *a,
                             struct auto_prefix *p)
{
    memcpy(a->gone, p->addr, 16);
    ip_addr_drop(net->addrs, ip_addr_find(net->addrs, p->addr));
    p->has_addr = false;
    return AUTO_GONE | AUTO_ADDRS;
}

/* The prefix of an address that is made of one; NULL: none. */
static const struct auto_prefix *prefix_of(const struct auto_iface *a, const uint8_t ip[16])
{
    for (unsigned i = 0; i < AUTO_PREFIXES; i++)
        if (a->prefix[i].has_addr && wire_ip_equal(a->prefix[i].addr, ip))
            return &a->prefix[i];
    return NULL;
}

uint32_t auto_taken(const struct auto_net *net, struct auto_iface *a, const uint8_t ip[16])
{
    const struct auto_prefix *of = prefix_of(a, ip);
    if (of == NULL)
        return 0;
    struct auto_prefix *p = &a->prefix[of - a->prefix];
    uint32_t what = drop_address(net, a, p);
    p->tries++;
    return what | add_address(net, a, p);
}

void auto_ready(const struct auto_net *net, struct auto_iface *a, const uint8_t ip[16])
{
    if (a->prefix[0].has_addr && wire_ip_equal(a->prefix[0].addr, ip) && a->chosen == 0)
        begin_asking(net, a);
}

bool auto_lifetimes(const struct auto_iface *a, const uint8_t ip[16], uint64_t *preferred,
                    uint64_t *valid)
{
    const struct auto_prefix *p = prefix_of(a, ip);
    if (p == NULL)
        return false;
    *preferred = p->preferred;
    *valid = p->valid;
    return true;
}

/* ---- prefixes -------------------------------------------------------------------------------- */

/* A prefix's entry, or a free one; NULL: there is none left. */
static struct auto_prefix *prefix_place(struct auto_iface *a, const struct wire_ra_prefix *x)
{
    struct auto_prefix *place = NULL;
    for (unsigned i = 1; i < AUTO_PREFIXES; i++) {
        struct auto_prefix *p = &a->prefix[i];
        if (p->bits == x->bits && wire_ip_equal(p->ip, x->ip))
            return p;
        if (place == NULL && p->bits == 0)
            place = p;
    }
    return place;
}

/* RFC 4861 6.3.4. */
static uint32_t take_on_link(const struct auto_net *net, struct auto_iface *a,
                             struct auto_prefix *p, uint32_t valid)
{
    struct ip_hop hop = {.iface = a->iface};
    if (!p->on_link && valid == 0)
        return 0;
    p->link_until = after(net->now, valid);
    due_by(a, p->link_until);
    if (p->on_link) /* a lifetime of 0 ends it with the next auto_due() */
        return 0;
    if (ip_route_add(net->routes, p->ip, p->bits, &hop) != 0)
        return AUTO_LIMITED;
    p->on_link = true;
    return AUTO_ROUTES;
}

/* RFC 4862 5.5.3. */
static uint32_t take_autonomous(const struct auto_net *net, struct auto_iface *a,
                                struct auto_prefix *p, const struct wire_ra_prefix *x)
{
    uint64_t now = net->now;
    if (!p->has_addr) {
        if (x->valid == 0 || p->tries > AUTO_DAD_TRIES)
            return 0;
        p->preferred = after(now, x->preferred);
        p->valid = after(now, x->valid);
        return add_address(net, a, p);
    }
    struct ip_addr *addr = ip_addr_find(net->addrs, p->addr);
    uint64_t valid = after(now, x->valid), left = remaining(now, p->valid);
    uint32_t what = 0;
    addr->routers = p->routers;
    /* Nobody takes an address away by a word that anyone can say (e). */
    if (remaining(now, valid) > TWO_HOURS || valid > p->valid)
        p->valid = valid;
    else if (left > TWO_HOURS)
        p->valid = now + TWO_HOURS;
    p->preferred = min_u64(after(now, x->preferred), p->valid);
    if (addr->state == TERN_ADDR_DEPRECATED && p->preferred > now) {
        addr->state = TERN_ADDR_PREFERRED;
        what = AUTO_ADDRS;
    }
    due_by(a, min_u64(p->preferred, p->valid));
    return what;
}

static uint32_t take_prefix(const struct auto_net *net, struct auto_iface *a,
                            const struct wire_ra_prefix *x, uint8_t router)
{
    uint32_t what = 0;
    bool make = x->autonomous && x->bits == 64 && x->preferred <= x->valid;
    if (x->bits == 0 || x->ip[0] == 0xff || wire_ip_link_local(x->ip) || wire_is_ip4(x->ip) ||
        (!x->on_link && !make))
        return 0;
    struct auto_prefix *p = prefix_place(a, x);
    if (p == NULL)
        return AUTO_LIMITED;
    if (p->bits == 0) {
        if (x->valid == 0)
            return 0;
        *p = (struct auto_prefix){.bits = x->bits};
        memcpy(p->ip, x->ip, 16);
    }
    p->routers |= router;
    if (x->on_link)
        what |= take_on_link(net, a, p, x->valid);
    if (make)
        what |= take_autonomous(net, a, p, x);
    if (!p->on_link && !p->has_addr && p->tries <= AUTO_DAD_TRIES)
        p->bits = 0;
    return what;
}

uint32_t auto_advert(const struct auto_net *net, struct auto_iface *a, const struct wire_ra *ra,
                     const uint8_t src[16])
{
    unsigned i;
    uint32_t what = take_router(net, a, ra, src, &i);
    for (unsigned k = 0; k < ra->prefix_count; k++)
        what |= take_prefix(net, a, &ra->prefix[k], i < AUTO_ROUTERS ? bit(i) : 0);
    return what;
}

/* ---- time ------------------------------------------------------------------------------------ */

static uint32_t drop_on_link(const struct auto_net *net, struct auto_iface *a,
                             struct auto_prefix *p)
{
    struct ip_hop hop = {.iface = a->iface};
    (void)ip_route_remove(net->routes, p->ip, p->bits, &hop);
    p->on_link = false;
    return AUTO_ROUTES;
}

static uint32_t prefix_due(const struct auto_net *net, struct auto_iface *a, struct auto_prefix *p)
{
    uint32_t what = 0;
    uint64_t next = TERN_NEVER;
    if (p->bits == 0)
        return 0;
    if (p->on_link && p->link_until <= net->now)
        what |= drop_on_link(net, a, p);
    if (p->has_addr && p->valid <= net->now)
        what |= drop_address(net, a, p);
    if (p->has_addr && p->preferred <= net->now) {
        struct ip_addr *addr = ip_addr_find(net->addrs, p->addr);
        bool fresh = addr->state == TERN_ADDR_PREFERRED;
        if (fresh) {
            addr->state = TERN_ADDR_DEPRECATED;
            what |= AUTO_ADDRS;
        }
        if (addr->state == TERN_ADDR_TENTATIVE) /* until it is known whose it is */
            next = net->now + SECOND;
    } else if (p->has_addr) {
        next = p->preferred;
    }
    if (!p->on_link && !p->has_addr && p != &a->prefix[0]) {
        p->bits = 0;
        return what;
    }
    if (p->on_link)
        next = min_u64(next, p->link_until);
    if (p->has_addr)
        next = min_u64(next, p->valid);
    due_by(a, next);
    return what;
}

uint32_t auto_due(const struct auto_net *net, struct auto_iface *a)
{
    if (net->now < a->next)
        return 0;
    a->next = TERN_NEVER;
    uint32_t what = 0;
    for (unsigned i = 0; i < AUTO_ROUTERS; i++)
        if (a->router[i].until != 0 && a->router[i].until <= net->now)
            what |= router_gone(net, a, i);
    for (unsigned i = 0; i < AUTO_PREFIXES && !(what & AUTO_GONE); i++)
        what |= prefix_due(net, a, &a->prefix[i]);
    if (what & AUTO_GONE) { /* one address at a time: the rest at once */
        a->next = net->now;
        return what;
    }
    for (unsigned i = 0; i < AUTO_ROUTERS; i++)
        if (a->router[i].until != 0)
            due_by(a, a->router[i].until);
    if (a->ask_at <= net->now) {
        what |= AUTO_ASK;
        ask_again(net, a);
    }
    due_by(a, a->ask_at);
    return what;
}

/* ---- beginning and end ----------------------------------------------------------------------- */

uint32_t auto_begin(const struct auto_net *net, struct auto_iface *a)
{
    struct auto_prefix *p = &a->prefix[0];
    a->ask_at = a->next = TERN_NEVER;
    *p = (struct auto_prefix){.bits = 64,
                              .preferred = TERN_NEVER,
                              .valid = TERN_NEVER,
                              .link_until = TERN_NEVER};
    memcpy(p->ip, link_local, 16);
    return take_on_link(net, a, p, UINT32_MAX) | add_address(net, a, p);
}

uint32_t auto_end(const struct auto_net *net, struct auto_iface *a)
{
    a->ask_at = TERN_NEVER;
    for (unsigned i = 0; i < AUTO_ROUTERS; i++)
        a->router[i].until = 0;
    uint32_t what = choose(net, a, 0);
    for (unsigned i = 0; i < AUTO_PREFIXES; i++) {
        struct auto_prefix *p = &a->prefix[i];
        if (p->on_link)
            what |= drop_on_link(net, a, p);
        if (p->has_addr)
            return what | drop_address(net, a, p);
    }
    return what;
}
