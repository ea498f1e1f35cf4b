/* rig.c - the bench: memory, time, packets in and out of one shard. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "rig.h"

static struct rig *current;
static char context[256];

static void show_waiting(const struct rig *r)
{
    for (uint32_t i = r->head; i != r->tail && i != r->head + 8; i++) {
        const struct seg *g = r->queue[i % RIG_QUEUE];
        print_message("    also sent: %s\n", seg_text(g, g->seq, 0));
    }
}

void rig_fail(const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (current != NULL && current->s != NULL)
        show_waiting(current);
    fail_msg("%s", text);
    abort();
}

/* An assertion of the stack fails the test; expect_assert_failure() may wait for it. */
__attribute__((noreturn)) void tern_assert_failed(const char *what, const char *file, int line);
void tern_assert_failed(const char *what, const char *file, int line)
{
    mock_assert(0, what, file, line);
    abort();
}

static uint64_t random_state = 1;

uint32_t rig_random(void)
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ z >> 31) >> 16);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void *rig_alloc(void *user, size_t size, size_t align)
{
    struct rig_mem *m = &((struct rig *)user)->mem;
    m->calls++;
    if (m->fail_at != 0 && (m->calls == m->fail_at || (m->fail_on && m->calls > m->fail_at)))
        return NULL;
    void *p;
    if (m->live == RIG_ALLOCS)
        rig_fail("more than %d allocations", RIG_ALLOCS);
    if (posix_memalign(&p, align < sizeof(p) ? sizeof(p) : align, size) != 0)
        abort();
    memset(p, 0xa5, size); /* nobody may count on zeros */
    m->at[m->live].p = p;
    m->at[m->live].size = size;
    m->live++;
    return p;
}

static void rig_free(void *user, void *p, size_t size)
{
    struct rig_mem *m = &((struct rig *)user)->mem;
    for (uint32_t i = 0; i < m->live; i++) {
        if (m->at[i].p != p)
            continue;
        if (m->at[i].size != size)
            rig_fail("freed with size %zu what has %zu", size, m->at[i].size);
        m->at[i] = m->at[--m->live];
        memset(p, 0x5a, size);
        free(p);
        return;
    }
    rig_fail("freed what was not allocated: %p", p);
}

static void rig_release(void *user, void *const *cookies, size_t n)
{
    struct rig *r = user;
    for (size_t i = 0; i < n; i++) {
        if (r->released_count == sizeof(r->released) / sizeof(r->released[0]))
            rig_fail("too many releases");
        r->released[r->released_count++] = cookies[i];
    }
}

static void rig_trace(void *user, const tern_trace *record)
{
    struct rig *r = user;
    r->traces[r->trace_count++ % 256] = *record;
}

unsigned rig_released(const struct rig *r, const void *cookie)
{
    unsigned n = 0;
    for (unsigned i = 0; i < r->released_count; i++)
        n += r->released[i] == cookie;
    return n;
}

void rig_memory(const struct rig *r, tern_memory *m) { tern_memory_of(r->s, m); }

/* ---- life ------------------------------------------------------------------------------------ */

tern_addr rig_addr(const uint8_t ip[16], uint16_t port)
{
    tern_addr a = {.port = port};
    memcpy(a.ip, ip, 16);
    return a;
}

void rig_init(struct rig *r, bool ip6)
{
    static const uint8_t four[16] = {[10] = 0xff, 0xff, 192, 0, 2, 1};
    static const uint8_t six[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};
    memset(r, 0, sizeof(*r));
    tern_config_default(&r->cfg);
    for (unsigned i = 0; i < sizeof(r->cfg.seed); i++)
        r->cfg.seed[i] = (uint8_t)(i * 7 + 1);
    r->cfg.alloc = rig_alloc;
    r->cfg.free = rig_free;
    r->cfg.release = rig_release;
    r->cfg.trace = rig_trace;
    r->cfg.user = r;
    r->cfg.isn_fixed = true;
    r->link = (tern_iface){.mtu = RIG_MTU};
    r->ip6 = ip6;
    memcpy(r->local, ip6 ? six : four, 16);
    memcpy(r->remote, r->local, 16);
    r->remote[15] = 77;
    r->peers = calloc(RIG_PEERS, sizeof(struct peer *));
    if (r->peers == NULL)
        abort();
    r->now = SEC(1000) + 4321;
    r->isn = rig_random();
    r->irs = rig_random();
    current = r;
}

void rig_start(struct rig *r)
{
    if (r->s != NULL)
        return;
    r->cfg.isn = r->isn;
    assert_int_equal(tern_new(&r->s, &r->cfg, r->now), 0);
    r->iface = tern_iface_add(r->s, &r->link);
    assert_true(r->iface >= 0);
    assert_int_equal(tern_iface_addr(r->s, r->iface, r->local, r->ip6 ? 64 : 96 + 24), 0);
}

static void forget_seg(struct seg *g)
{
    if (g != NULL)
        free(g->memory);
    free(g);
}

/* Everything the application has is given up. */
static void close_all(struct rig *r)
{
    uint64_t cursor = 0;
    tern_entry e[16];
    size_t n;
    while ((n = tern_list(r->s, &cursor, e, 16)) != 0) {
        for (size_t i = 0; i < n; i++) {
            if (e[i].sock.id == 0)
                continue;
            int err = e[i].state == TERN_LISTEN ? tern_close(r->s, e[i].sock)
                                                : tern_abort(r->s, e[i].sock);
            if (err != 0)
                rig_fail("closing a listed %s: %d", tern_state_name(e[i].state), err);
        }
    }
}

/* With a silent peer and no owner, nothing may stay for ever (U-22). */
static void run_down(struct rig *r)
{
    tern_memory m;
    for (unsigned i = 0; i < 10000; i++) {
        rig_turn(r);
        rig_forget(r);
        uint64_t next = tern_next_timeout(r->s);
        if (next == TERN_NEVER)
            break;
        r->now = next;
    }
    if (tern_next_timeout(r->s) != TERN_NEVER)
        rig_fail("a closed stack still has a deadline after 10,000 of them");
    tern_memory_of(r->s, &m);
    if (m.conns + m.halfopen + m.timewaits + m.listeners + m.active + m.pages + m.outputs != 0)
        rig_fail("left at the end: %u connections, %u half-open, %u TIME-WAIT, %u listeners, %u "
                 "working blocks, %u pages, %u packets",
                 m.conns, m.halfopen, m.timewaits, m.listeners, m.active, m.pages, m.outputs);
}

void rig_end(struct rig *r)
{
    if (r->s != NULL) {
        rig_done(r);
        r->hold = false;
        close_all(r);
        if (!r->unclean)
            run_down(r);
        tern_free(r->s);
        r->s = NULL;
        if (r->mem.live != 0)
            rig_fail("tern_free() left %u allocations", r->mem.live);
    }
    rig_forget(r);
    while (r->peer_count > 0)
        free(r->peers[--r->peer_count]);
    free(r->peers);
    forget_seg(r->last);
    r->last = NULL;
    current = NULL;
}

void rig_renew(struct rig *r)
{
    bool ip6 = r->ip6;
    rig_end(r);
    memset(r, 0, sizeof(*r));
    rig_init(r, ip6);
}

/* ---- packets out ----------------------------------------------------------------------------- */

static void take_wire(struct rig *r, uint8_t *memory, size_t len)
{
    struct seg *g = calloc(1, sizeof(*g));
    if (g == NULL)
        abort();
    const char *why = seg_parse(memory, len, g);
    if (why != NULL)
        rig_fail("emitted a bad packet: %s: %s", why, seg_text(g, r->isn, r->irs));
    if (len > r->link.mtu)
        rig_fail("emitted %zu bytes over an MTU of %u: %s", len, r->link.mtu,
                 seg_text(g, r->isn, r->irs));
    g->memory = memory;
    g->when = r->now;
    g->departs = r->departs;
    g->packet = r->packets;
    if (r->tail - r->head == RIG_QUEUE)
        rig_fail("more than %d packets without a test listening", RIG_QUEUE);
    r->queue[r->tail++ % RIG_QUEUE] = g;
    rig_judge(r, g);
}

/* One wire packet of a super-segment: headers adjusted as a device does. */
static void split(struct rig *r, const uint8_t *p, const tern_pkt *pkt, uint32_t off)
{
    uint32_t header = pkt->hdr_len, payload = pkt->len - header;
    uint32_t n = payload - off < pkt->gso_size ? payload - off : pkt->gso_size;
    bool ip6 = p[0] >> 4 == 6, last = off + n == payload;
    uint8_t *q = malloc(header + n);
    if (q == NULL)
        abort();
    memcpy(q, p, header);
    memcpy(q + header, p + header + off, n);
    uint32_t ip = ip6 ? 40 : 20, total = header + n - (ip6 ? 40 : 0);
    q[ip6 ? 4 : 2] = (uint8_t)(total >> 8);
    q[ip6 ? 5 : 3] = (uint8_t)total;
    uint8_t *t = q + ip;
    uint32_t seq = (uint32_t)t[4] << 24 | (uint32_t)t[5] << 16 | (uint32_t)t[6] << 8 | t[7];
    seq += off;
    t[4] = (uint8_t)(seq >> 24), t[5] = (uint8_t)(seq >> 16);
    t[6] = (uint8_t)(seq >> 8), t[7] = (uint8_t)seq;
    if (!last)
        t[13] &= (uint8_t) ~(F | P);
    seg_resum(q, header + n);
    take_wire(r, q, header + n);
}

static void check_gso(const struct rig *r, const tern_pkt *pkt, bool ip6)
{
    uint32_t payload = pkt->len - pkt->hdr_len;
    unsigned cap = ip6 ? TERN_CAP_TSO6 : TERN_CAP_TSO4;
    if (!(r->link.caps & cap) || pkt->gso_type != (ip6 ? TERN_GSO_TCPV6 : TERN_GSO_TCPV4))
        rig_fail("a super-segment the interface did not ask for, type %d", pkt->gso_type);
    if (pkt->len > r->link.gso_max || pkt->gso_size == 0 || payload <= pkt->gso_size)
        rig_fail("a super-segment of %u bytes, %u payload, gso_size %u", pkt->len, payload,
                 pkt->gso_size);
    if (pkt->gso_segs != (payload + pkt->gso_size - 1) / pkt->gso_size ||
        (r->link.gso_segs_max != 0 && pkt->gso_segs > r->link.gso_segs_max))
        rig_fail("a super-segment with gso_segs %u", pkt->gso_segs);
    if (!(pkt->flags & TERN_PKT_CSUM_PARTIAL))
        rig_fail("a super-segment whose checksum is not left to the device");
}

/* What the device does with a checksum that is left to it. */
static void complete(const struct rig *r, const tern_pkt *pkt, uint8_t *p)
{
    if (!(r->link.caps & TERN_CAP_CSUM))
        rig_fail("a partial checksum the interface did not ask for");
    uint32_t ip = p[0] >> 4 == 6 ? 40 : 20;
    if (pkt->csum_start != ip || pkt->csum_offset != 16)
        rig_fail("csum_start %u, csum_offset %u", pkt->csum_start, pkt->csum_offset);
    uint32_t sum = ~seg_sum(p + ip, pkt->len - ip, 0) & 0xffff;
    p[ip + 16] = (uint8_t)(sum >> 8);
    p[ip + 17] = (uint8_t)sum;
}

static void take_packet(struct rig *r, const tern_pkt *pkt)
{
    uint32_t sum = 0;
    if (pkt->iov_count == 0 || pkt->iov_count > TERN_PKT_IOV || pkt->iface != r->iface)
        rig_fail("a packet with %u pieces for interface %u", pkt->iov_count, pkt->iface);
    uint8_t *p = malloc(pkt->len + 1);
    if (p == NULL)
        abort();
    for (unsigned i = 0; i < pkt->iov_count; i++) {
        if (pkt->iov[i].len == 0 || sum + pkt->iov[i].len > pkt->len)
            rig_fail("len %u is not the sum of the pieces, or one is empty", pkt->len);
        memcpy(p + sum, pkt->iov[i].base, pkt->iov[i].len);
        sum += (uint32_t)pkt->iov[i].len;
    }
    if (sum != pkt->len || pkt->tx_time > r->now + r->cfg.tx_horizon)
        rig_fail("len %u, pieces %u; tx_time %llu", pkt->len, sum,
                 (unsigned long long)pkt->tx_time);
    r->departs = pkt->tx_time > r->now ? pkt->tx_time : r->now;
    r->packets++;
    if (pkt->flags & TERN_PKT_CSUM_PARTIAL)
        complete(r, pkt, p);
    else if (pkt->gso_size != 0)
        check_gso(r, pkt, p[0] >> 4 == 6);
    if (pkt->gso_size == 0) {
        take_wire(r, p, pkt->len);
        return;
    }
    check_gso(r, pkt, p[0] >> 4 == 6);
    for (uint32_t off = 0; off < pkt->len - pkt->hdr_len; off += pkt->gso_size)
        split(r, p, pkt, off);
    free(p);
}

static size_t output(struct rig *r)
{
    tern_pkt pkts[64];
    size_t max = r->output_max != 0 ? r->output_max : 64;
    size_t n = tern_output(r->s, r->iface, pkts, max, r->now);
    for (size_t i = 0; i < n; i++)
        take_packet(r, &pkts[i]);
    if (!r->hold) {
        for (size_t i = 0; i < n; i++)
            memset(pkts[i].iov, 0xee, sizeof(pkts[i].iov)); /* only the cookie is looked at */
        tern_output_done(r->s, pkts, n);
        return n;
    }
    for (size_t i = 0; i < n; i++) {
        if (r->held_count == sizeof(r->held) / sizeof(r->held[0]))
            rig_fail("too many packets held");
        r->held[r->held_count++] = pkts[i];
    }
    return n;
}

void rig_done(struct rig *r)
{
    tern_output_done(r->s, r->held, r->held_count);
    r->held_count = 0;
}

void rig_refuse(struct rig *r)
{
    tern_output_refused(r->s, r->held, r->held_count);
    r->held_count = 0;
}

/* ---- turns and time -------------------------------------------------------------------------- */

static size_t events(struct rig *r)
{
    tern_event ev[16];
    size_t n = tern_events(r->s, ev, 16);
    for (size_t i = 0; i < n; i++) {
        if (r->ev_count == sizeof(r->ev) / sizeof(r->ev[0]))
            rig_fail("too many events");
        if (ev[i].mask == 0 || ev[i].sock.id == 0)
            rig_fail("an event without a socket or without a reason");
        r->ev[r->ev_count++] = ev[i];
    }
    return n;
}

void rig_turn(struct rig *r)
{
    for (unsigned i = 0;; i++) {
        tern_advance(r->s, r->now);
        size_t n = events(r);
        n += output(r);
        uint64_t next = tern_next_timeout(r->s);
        if (next > r->now)
            return;
        if (n == 0 && i > 16)
            rig_fail("tern_next_timeout() is %llu, and nothing comes of it: it spins",
                     (unsigned long long)next);
        if (i == 100000)
            rig_fail("a turn without end");
    }
}

/* One deadline: nothing before it, and it moves afterwards. */
static void visit(struct rig *r, uint64_t at)
{
    tern_pkt pkt;
    tern_event ev;
    if (at > r->now + 1) {
        r->now = at - 1;
        tern_advance(r->s, r->now);
        if (tern_next_timeout(r->s) != at)
            rig_fail("next_timeout() moved from %llu to %llu before its time",
                     (unsigned long long)at, (unsigned long long)tern_next_timeout(r->s));
        if (tern_events(r->s, &ev, 1) != 0 || tern_output(r->s, r->iface, &pkt, 1, r->now) != 0)
            rig_fail("something happened a nanosecond before its deadline");
    }
    r->now = at;
    rig_turn(r); /* fails when the deadline stays where it is */
}

void rig_step(struct rig *r, uint64_t ns)
{
    uint64_t end = r->now + ns, next;
    rig_turn(r);
    for (unsigned i = 0; (next = tern_next_timeout(r->s)) <= end; i++) {
        visit(r, next);
        if (i == 1000000)
            rig_fail("a million deadlines in one step");
    }
    r->now = end;
    rig_turn(r);
}

uint64_t rig_wait(struct rig *r, uint64_t limit)
{
    uint64_t start = r->now, next;
    uint32_t tail = r->tail;
    rig_turn(r);
    while (r->tail == tail && (next = tern_next_timeout(r->s)) <= start + limit)
        visit(r, next);
    if (r->tail == tail)
        r->now = start + limit;
    return r->now - start;
}

void rig_wait_exactly(struct rig *r, uint64_t ns)
{
    uint64_t took = rig_wait(r, ns + SEC(3600));
    if (took + TICK < ns || took > ns + 2 * TICK)
        rig_fail("waited %.3f ms for a packet, expected %.3f", (double)took / 1e6,
                 (double)ns / 1e6);
}

/* ---- packets in ------------------------------------------------------------------------------ */

void rig_input(struct rig *r, const void *packet, size_t len)
{
    /* exactly as large as the packet, so that a read beyond it is seen */
    uint8_t *copy = malloc(len + (len == 0));
    if (copy == NULL)
        abort();
    if (len != 0)
        memcpy(copy, packet, len);
    tern_pkt pkt = {.iov_count = 1, .len = (uint32_t)len, .iface = (uint16_t)r->iface};
    pkt.iov[0] = (tern_iov){.base = copy, .len = len};
    tern_input(r->s, &pkt, 1, r->now);
    memset(copy, 0xdd, len);
    free(copy);
}

void rig_input_seg(struct rig *r, const struct seg *g)
{
    static uint8_t packet[65536 + 128];
    rig_input(r, packet, seg_build(g, packet));
}

/* ---- what came out --------------------------------------------------------------------------- */

struct seg *rig_next(struct rig *r)
{
    if (r->head == r->tail)
        return NULL;
    forget_seg(r->last);
    r->last = r->queue[r->head++ % RIG_QUEUE];
    return r->last;
}

void rig_forget(struct rig *r)
{
    while (r->head != r->tail)
        forget_seg(r->queue[r->head++ % RIG_QUEUE]);
}

void rig_hush(struct rig *r)
{
    rig_turn(r);
    if (r->head == r->tail)
        return;
    const struct seg *g = r->queue[r->head % RIG_QUEUE];
    rig_fail("expected silence; sent: %s", seg_text(g, r->isn, r->irs));
}

uint32_t rig_events(struct rig *r, tern_sock k, int *err)
{
    uint32_t mask = 0;
    unsigned kept = 0;
    if (err != NULL)
        *err = 0;
    for (unsigned i = 0; i < r->ev_count; i++) {
        if (r->ev[i].sock.id != k.id) {
            r->ev[kept++] = r->ev[i];
            continue;
        }
        mask |= r->ev[i].mask;
        if (err != NULL && r->ev[i].err != 0)
            *err = r->ev[i].err;
    }
    r->ev_count = kept;
    return mask;
}

unsigned rig_event_count(const struct rig *r, tern_sock k, uint32_t mask)
{
    unsigned n = 0;
    for (unsigned i = 0; i < r->ev_count; i++)
        n += r->ev[i].sock.id == k.id && r->ev[i].mask & mask;
    return n;
}

/* ---- cases ----------------------------------------------------------------------------------- */

static const uint32_t edges[] = {0, 0x7fffffff, 0x80000000, 0xffffffff};

static void run_one(const struct rig_case *c, bool ip6, int ours, int theirs)
{
    struct rig *r = malloc(sizeof(*r));
    if (r == NULL)
        abort();
    rig_init(r, ip6);
    if (ours >= 0)
        r->isn = edges[ours];
    if (theirs >= 0)
        r->irs = edges[theirs];
    snprintf(context, sizeof(context), "in IPv%d with ISNs %08x (ours) and %08x (the peer's)",
             ip6 ? 6 : 4, r->isn, r->irs);
    c->run(r);
    rig_end(r);
    context[0] = '\0';
    free(r);
}

void rig_run(void **state)
{
    const struct rig_case *c = *state;
    random_state = 1;
    bool few = getenv("TERN_VALGRIND") != NULL; /* which looks at memory, not at numbers */
    for (int ip6 = 0; ip6 < 2; ip6++) {
        run_one(c, ip6, -1, -1);
        for (int i = few ? 3 : 0; c->isns && i < 4; i++) {
            if (!few) {
                run_one(c, ip6, i, -1);
                run_one(c, ip6, -1, i);
            }
            run_one(c, ip6, i, i);
        }
    }
}

int rig_context(void **state)
{
    (void)state;
    if (context[0] != '\0')
        print_message("    that was %s\n", context);
    context[0] = '\0';
    return 0;
}
