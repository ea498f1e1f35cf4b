/* stack/mld.c - tells multicast routers, and switches that listen to what is told to them, to which
 * groups an interface listens: those by which Neighbour Discovery asks for its addresses (RFC 9777;
 * with a router of the first version, RFC 2710). Without it a switch may not pass the questions.
 *
 * A change is told twice (the robustness variable), up to a second apart; a question is answered
 * some time within the delay that it names, with all groups there are.
 */
#include "stack/stack.h"
#include "wire/mld.h"

enum { ROBUSTNESS = 2 };
#define REPORT_GAP_NS 1000000000u                /* Unsolicited Report Interval */
#define VERSION1_NS (UINT64_C(260) * 1000000000) /* Older Version Querier Present Timeout */
#define DELAY_LEAST_NS 10000000u                 /* of answers to who wants them at once */

enum { RECORDS_MAX = (IP6_MTU_LEAST - WIRE_MLD_HEADERS - WIRE_MLD_FIXED) / WIRE_MLD_RECORD };

static const uint8_t all_listeners[16] = {0xff, 2, [15] = 0x16}; /* those of reports */
static const uint8_t all_routers[16] = {0xff, 2, [15] = 2};

static void due_by(tern *s, uint64_t at) { s->mld_next = min_u64(s->mld_next, at); }

/* ---- messages -------------------------------------------------------------------------------- */

/* Our link-local address, or none as long as it is not sure (RFC 9777 5.2.13). */
static const uint8_t *source(const tern *s, uint8_t iface)
{
    static const uint8_t none[16];
    const struct ip_addr *a = NULL;
    while ((a = ip_addr_after(&s->ip, iface, a)) != NULL)
        if (!wire_is_ip4(a->ip) && wire_ip_link_local(a->ip) && ip_addr_usable(a))
            return a->ip;
    return none;
}

/* A report under way: its records are collected in a page. */
struct report {
    tern *s;
    uint8_t iface;
    bool version1;
    const uint8_t *src;
    struct chunk *page;
    unsigned count;
};

static struct outrec *headers(const struct report *r, size_t len, const uint8_t dst[16])
{
    struct outrec *out = stack_new_reply(r->s, r->iface);
    if (out == NULL)
        return NULL;
    *out = (struct outrec){.iface = r->iface,
                           .header_off = MESSAGE_AT,
                           .header_len = WIRE_MLD_HEADERS};
    wire_mld_headers(out->header + MESSAGE_AT, len, r->src, dst);
    r->s->counters.count[TERN_COUNT_LISTENER_REPORTS]++;
    return out;
}

static void flush(struct report *r)
{
    size_t len = WIRE_MLD_FIXED + (size_t)r->count * WIRE_MLD_RECORD;
    struct outrec *out = r->count != 0 ? headers(r, len, all_listeners) : NULL;
    if (out != NULL) {
        wire_mld_report(r->page->data, r->count, r->src, all_listeners);
        r->page->len = out->len = (uint32_t)len;
        out->chunk = r->page;
        out->chunks = 1;
        stack_queue_reply(r->s, out);
    } else if (r->page != NULL) {
        chunk_unref(&r->s->chunks, r->page);
    }
    r->page = NULL;
    r->count = 0;
}

static void tell1(struct report *r, uint8_t kind, const uint8_t group[16])
{
    bool done = kind == WIRE_MLD_TO_INCLUDE;
    const uint8_t *dst = done ? all_routers : group;
    struct outrec *out = headers(r, WIRE_MLD_MESSAGE1, dst);
    if (out == NULL)
        return;
    uint8_t type = done ? WIRE_MLD_DONE1 : WIRE_MLD_REPORT1;
    wire_mld_message1(out->header + MESSAGE_AT + WIRE_MLD_HEADERS, type, group, r->src, dst);
    out->header_len += WIRE_MLD_MESSAGE1;
    stack_queue_reply(r->s, out);
}

static void tell(struct report *r, uint8_t kind, const uint8_t group[16])
{
    if (r->version1) {
        tell1(r, kind, group);
        return;
    }
    if (r->page == NULL)
        r->page = chunk_new(&r->s->chunks, 0, PAGE_SIZE);
    if (r->page == NULL) {
        r->s->counters.drop[TERN_DROP_MEMORY]++;
        return;
    }
    wire_mld_record(r->page->data + WIRE_MLD_FIXED + (size_t)r->count * WIRE_MLD_RECORD, kind,
                    group);
    if (++r->count == RECORDS_MAX)
        flush(r);
}

/* ---- beginning and end ----------------------------------------------------------------------- */

int mld_start(tern *s, uint8_t iface)
{
    struct mld *m = mem_alloc(&s->mem, sizeof(*m), _Alignof(struct mld));
    struct ip_addr *a = NULL;
    if (m == NULL)
        return TERN_ENOMEM;
    m->change_at = m->answer_at = TERN_NEVER;
    s->iface[iface].mld = m;
    while ((a = ip_addr_after(&s->ip, iface, a)) != NULL)
        if (ip_addr_usable(a))
            mld_join(s, a);
    return 0;
}

void mld_stop(tern *s, uint8_t iface)
{
    struct ip_addr *a = NULL;
    while ((a = ip_addr_after(&s->ip, iface, a)) != NULL)
        a->joined = false;
    mem_free(&s->mem, s->iface[iface].mld, sizeof(*s->iface[iface].mld));
    s->iface[iface].mld = NULL;
}

/* ---- changes --------------------------------------------------------------------------------- */

void mld_join(tern *s, struct ip_addr *a)
{
    if (wire_is_ip4(a->ip) || a->joined || s->iface[a->iface].mld == NULL)
        return;
    a->joined = true;
    a->reports = ROBUSTNESS;
    s->iface[a->iface].mld->change_at = s->tcp.now;
    due_by(s, s->tcp.now);
}

void mld_leave(tern *s, const struct ip_addr *a)
{
    struct mld *m = s->iface[a->iface].mld;
    const struct ip_addr *other = NULL;
    uint8_t group[16], its[16];
    if (!a->joined || m == NULL)
        return;
    wire_nd_group(group, a->ip);
    while ((other = ip_addr_after(&s->ip, a->iface, other)) != NULL) {
        wire_nd_group(its, other->ip);
        if (other != a && other->joined && wire_ip_equal(its, group))
            return; /* it is still listened to */
    }
    if (m->left_count == MLD_LEFT) /* the router finds out by asking */
        return;
    memcpy(m->left[m->left_count++], group, 16);
    m->left_reports = ROBUSTNESS;
    m->change_at = s->tcp.now;
    due_by(s, s->tcp.now);
}

static struct report begin(tern *s, uint8_t iface)
{
    return (struct report){.s = s,
                           .iface = iface,
                           .version1 = s->tcp.now < s->iface[iface].mld->version1_until,
                           .src = source(s, iface)};
}

static void tell_changes(tern *s, uint8_t iface)
{
    struct mld *m = s->iface[iface].mld;
    struct report r = begin(s, iface);
    struct ip_addr *a = NULL;
    bool again = false;
    uint8_t group[16];
    while ((a = ip_addr_after(&s->ip, iface, a)) != NULL) {
        if (a->reports == 0)
            continue;
        wire_nd_group(group, a->ip);
        tell(&r, WIRE_MLD_TO_EXCLUDE, group);
        again |= --a->reports > 0;
    }
    for (unsigned i = 0; i < m->left_count; i++)
        tell(&r, WIRE_MLD_TO_INCLUDE, m->left[i]);
    flush(&r);
    if (m->left_count > 0 && --m->left_reports == 0)
        m->left_count = 0;
    again |= m->left_count > 0;
    m->change_at = again ? s->tcp.now + 1 + ip_random(&s->ip, REPORT_GAP_NS) : TERN_NEVER;
}

/* ---- questions ------------------------------------------------------------------------------- */

enum tern_drop mld_query(tern *s, uint8_t iface, const uint8_t *p, size_t have,
                         const struct wire_ip *ip)
{
    struct wire_mld_query q;
    struct mld *m = s->iface[iface].mld;
    if (m == NULL || !wire_mld_read(p, have, ip, &q))
        return TERN_DROP_ND;
    if (q.version == 1)
        m->version1_until = s->tcp.now + VERSION1_NS;
    uint64_t delay = ip_random(&s->ip, max_u64(q.delay_ns, DELAY_LEAST_NS));
    m->answer_at = min_u64(m->answer_at, s->tcp.now + delay);
    due_by(s, m->answer_at);
    return TERN_DROP_NONE;
}

static void answer(tern *s, uint8_t iface)
{
    struct report r = begin(s, iface);
    const struct ip_addr *a = NULL;
    uint8_t group[16];
    while ((a = ip_addr_after(&s->ip, iface, a)) != NULL)
        if (a->joined) {
            wire_nd_group(group, a->ip);
            tell(&r, WIRE_MLD_IS_EXCLUDE, group);
        }
    flush(&r);
    s->iface[iface].mld->answer_at = TERN_NEVER;
}

void mld_advance(tern *s)
{
    if (s->tcp.now < s->mld_next)
        return;
    s->mld_next = TERN_NEVER;
    for (uint32_t i = 0; i < s->cfg.ifaces_max; i++) {
        struct mld *m = s->iface[i].mld;
        if (m == NULL)
            continue;
        if (m->change_at <= s->tcp.now)
            tell_changes(s, (uint8_t)i);
        if (m->answer_at <= s->tcp.now)
            answer(s, (uint8_t)i);
        due_by(s, min_u64(m->change_at, m->answer_at));
    }
}
