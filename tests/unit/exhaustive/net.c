#include "net.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/chunk.h"
#include "base/cksum.h"
#include "base/poison.h"
#include "base/seq.h"
#include "base/util.h"
#include "sim/sim.h"
#include "watch/follow.h"

#ifdef __SANITIZE_ADDRESS__
void __asan_get_shadow_mapping(size_t *scale, size_t *offset);
#endif

enum {
    PLACE = PAGE_BLOCK, /* bytes of the largest block */
    PLACES = 6,
    FRONT = PLACE,     /* bytes for small ones */
    LARGE = PLACE / 8, /* from this size on */
    PAGES_KEPT = 6 * PAGE_SIZE,
    LARGE_KEPT = PAGE_SIZE,
    SIZES_MAX = 32,
    TURNS_MAX = 64,     /* of one settling: more is a spin */
    FINISH_MAX = 20000, /* steps until the end of everything */
    TELL = 40,          /* packets */
    PORT = 80,
    LOCAL_PORT = 10000,
    ISN = -3, /* the first data passes the wrap */
};

struct net net;
static struct net_config config;

static struct {
    struct net_packet packet[2]; /* before and behind the middlebox, seen from its sender */
    uint64_t time;
    int dir;
} history[NET_HISTORY];

void net_wrong(const char *format, ...)
{
    va_list args;
    if (net.why[0] != 0)
        return;
    va_start(args, format);
    vsnprintf(net.why, sizeof(net.why), format, args);
    va_end(args);
}

void net_tell(void)
{
    for (uint32_t i = net.history > TELL ? net.history - TELL : 0; i < net.history; i++) {
        const struct net_packet *p = &history[i].packet[0];
        struct packet r;
        char flags[PACKET_FLAGS];
        if (!packet_read(p->data, p->len, &r))
            continue;
        fprintf(stderr, "  %4u %6llu ms %s %-8s seq %d len %u ack %d wnd %u", i + 1,
                (unsigned long long)((history[i].time - NET_START) / NET_MS),
                history[i].dir == 0 ? "->" : "<-", packet_flags(flags, r.tcp.flags),
                (int)(r.tcp.seq - config.tern.isn), (unsigned)r.len,
                (int)(r.tcp.ack - config.tern.isn), r.tcp.wnd);
        for (uint32_t s = 0; s < r.tcp.opt.sack_count; s++)
            fprintf(stderr, " %d-%d", (int)(r.tcp.opt.sack[s].lo - config.tern.isn),
                    (int)(r.tcp.opt.sack[s].hi - config.tern.isn));
        fprintf(stderr, "\n");
    }
}

/* ---- memory: few sizes, from an arena that holds all its books ------------------------------- */

/* Small blocks lie in the arena's front part, one behind the other. Large ones lie behind it, each
 * in a place of its own: only their beginning is ever used here, and belongs to a snapshot. */
static struct {
    size_t used; /* bytes of the front part */
    uint32_t live, sizes;
    uint32_t kept[PLACES]; /* bytes of each large one that count; 0: the place is free */
    struct {
        size_t size;
        void *first; /* a list through the first word of each */
    } free[SIZES_MAX];
} books;
static _Alignas(PLACE) uint8_t arena[FRONT + PLACES * PLACE];

static uint8_t *place(uint32_t i) { return arena + FRONT + i * PLACE; }

static void *take_large(size_t size)
{
    uint32_t i = 0;
    while (books.kept[i] != 0)
        TERN_ASSERT(++i < PLACES);
    books.kept[i] = size == PAGE_BLOCK ? PAGES_KEPT : LARGE_KEPT;
    return place(i);
}

static void *take_small(size_t size, size_t align)
{
    void *p;
    for (uint32_t i = 0; i < books.sizes; i++) {
        if (books.free[i].size != size || books.free[i].first == NULL)
            continue;
        p = books.free[i].first;
        memcpy(&books.free[i].first, p, sizeof(p));
        return p;
    }
    size_t at = (books.used + align - 1) / align * align;
    TERN_ASSERT(at + size <= FRONT);
    books.used = (at + size + 63) / 64 * 64;
    return arena + at;
}

static void *arena_alloc(void *user, size_t size, size_t align)
{
    void *p = size >= LARGE ? take_large(size) : take_small(size, align);
    (void)user;
    books.live++;
    TERN_ASSERT(size <= PLACE && (uintptr_t)p % align == 0);
    unpoison(p, size);
    memset(p, 0xa5, size < LARGE ? size : LARGE_KEPT); /* nobody may count on zeros */
    return p;
}

static void arena_free(void *user, void *p, size_t size)
{
    uint32_t i = 0;
    (void)user;
    books.live--;
    if (size >= LARGE) {
        books.kept[((uint8_t *)p - arena - FRONT) / PLACE] = 0;
        return;
    }
    while (i < books.sizes && books.free[i].size != size)
        i++;
    TERN_ASSERT(i < SIZES_MAX);
    if (i == books.sizes) {
        books.sizes++;
        books.free[i].size = size;
        books.free[i].first = NULL;
    }
    memcpy(p, &books.free[i].first, sizeof(p));
    books.free[i].first = p;
}

/* What AddressSanitizer knows of the arena belongs to a snapshot; and it must not look at this
 * copying, which meets bytes that are nobody's. */
#ifdef __SANITIZE_ADDRESS__
#define UNSEEN __attribute__((no_sanitize("address", "undefined")))
static uint8_t *shadow_of(const uint8_t *p)
{
    size_t scale, offset;
    __asan_get_shadow_mapping(&scale, &offset);
    return (uint8_t *)(((uintptr_t)p >> scale) + offset);
}
#else
#define UNSEEN
#endif

UNSEEN static uint8_t *copy(uint8_t *to, const uint8_t *from, size_t len)
{
#ifdef __SANITIZE_ADDRESS__
    for (size_t i = 0; i < len; i += 8)
        *(volatile uint64_t *)(to + i) = *(const volatile uint64_t *)(from + i);
#else
    memcpy(to, from, len);
#endif
    return to + len;
}

static uint8_t *save_part(uint8_t *to, uint8_t *part, size_t len)
{
#ifdef __SANITIZE_ADDRESS__
    to = copy(to, shadow_of(part), len / 8);
#endif
    return copy(to, part, len);
}

static const uint8_t *load_part(const uint8_t *from, uint8_t *part, size_t len)
{
#ifdef __SANITIZE_ADDRESS__
    (void)copy(shadow_of(part), from, len / 8);
    from += len / 8;
#endif
    (void)copy(part, from, len);
    return from + len;
}

size_t net_size(void)
{
    size_t kept = books.used;
    for (uint32_t i = 0; i < PLACES; i++)
        kept += books.kept[i];
    return sizeof(net) + sizeof(books) + kept / 8 * 9;
}

void net_save(void *to)
{
    uint8_t *p = to;
    memcpy(p, &net, sizeof(net));
    memcpy(p + sizeof(net), &books, sizeof(books));
    p = save_part(p + sizeof(net) + sizeof(books), arena, books.used);
    for (uint32_t i = 0; i < PLACES; i++)
        p = save_part(p, place(i), books.kept[i]);
}

void net_load(const void *from)
{
    const uint8_t *p = from;
    memcpy(&net, p, sizeof(net));
    memcpy(&books, p + sizeof(net), sizeof(books));
    p = load_part(p + sizeof(net) + sizeof(books), arena, books.used);
    for (uint32_t i = 0; i < PLACES; i++)
        p = load_part(p, place(i), books.kept[i]);
}

/* Otherwise a snapshot would not be whole. */
UNSEEN static void check_kept(void)
{
    for (uint32_t i = 0; i < PLACES; i++)
        if (((volatile uint8_t *)place(i))[books.kept[i]] != 0)
            TERN_ASSERT(!"more is in use than is kept");
}

void net_end(void)
{
    unpoison(arena, sizeof(arena));
    memset(&net, 0, sizeof(net));
    memset(&books, 0, sizeof(books));
}

/* ---- the programs ---------------------------------------------------------------------------- */

uint8_t net_byte(int end, uint32_t offset)
{
    return (uint8_t)((uint32_t)end * 101 + 7 + offset * 37);
}

tern_addr net_addr(int end)
{
    tern_addr a = {.port = (uint16_t)(end == 0 ? LOCAL_PORT : PORT)};
    memcpy(a.ip, wire_mapped_prefix, 12);
    a.ip[12] = 10;
    a.ip[15] = (uint8_t)(end + 1);
    return a;
}

static void accept_one(struct net_end *e)
{
    tern_sock k;
    while (tern_accept(e->s, e->listener, &k, NULL, NULL) == 0) {
        if (e->opened) { /* an old SYN came again when the one before it was over */
            if (!e->aborted && !e->closed)
                net_wrong("S15: accepted twice");
            (void)tern_abort(e->s, k);
            continue;
        }
        e->sock = k;
        e->opened = true;
        (void)tern_option_set(e->s, k, TERN_OPT_NODELAY, config.nodelay);
    }
}

static void on_event(struct net_end *e, const tern_event *ev)
{
    if (ev->sock.id == e->listener.id && ev->sock.id != 0) {
        if (ev->mask & TERN_EV_ACCEPT)
            accept_one(e);
        return;
    }
    if (ev->sock.id != e->sock.id || ev->sock.id == 0) {
        net_wrong("S15: event %x for a handle that has ended", ev->mask);
        return;
    }
    e->opened |= (ev->mask & TERN_EV_OPEN) != 0;
    if (ev->mask & TERN_EV_ERROR)
        e->err = ev->err;
    if (ev->mask & TERN_EV_CLOSED)
        e->sock.id = 0;
}

static void on_trace(void *user, const tern_trace *r)
{
    (void)user;
    if (r->kind != TERN_TRACE_STATE)
        return;
    net.changes++;
    if (!sim_legal(r->from, r->to))
        net_wrong("S3: from %s to %s", tern_state_name(r->from), tern_state_name(r->to));
}

/* ---- the way --------------------------------------------------------------------------------- */

static void leave(int dir, const tern_pkt *pkt)
{
    struct net_packet p = {.len = 0};
    TERN_ASSERT(pkt->len <= NET_PACKET);
    if (net.history == NET_HISTORY) {
        net_wrong("R2: %u packets and no end", NET_HISTORY);
        return;
    }
    for (unsigned i = 0; i < pkt->iov_count; i++) {
        memcpy(p.data + p.len, pkt->iov[i].base, pkt->iov[i].len);
        p.len = (uint16_t)(p.len + pkt->iov[i].len);
    }
    uint32_t n = net.history++;
    history[n].packet[0] = p;
    if (config.middlebox != NULL)
        config.middlebox(config.user, dir, &p);
    history[n].packet[1] = p;
    history[n].dir = dir;
    history[n].time = net.now;
    for (uint32_t i = 0; i < NET_LOSE; i++)
        if (config.lose[i] == n + 1)
            return;
    if (net.wire[dir].count < NET_WIRE)
        net.wire[dir].at[net.wire[dir].count++] = p;
}

/* One turn of one stack; returns whether there was anything to do. */
static bool turn(int end)
{
    struct net_end *e = &net.end[end];
    tern_pkt pkts[4];
    tern_event ev[4];
    size_t events, packets;
    tern_advance(e->s, net.now);
    events = tern_events(e->s, ev, ARRAY_LEN(ev));
    for (size_t i = 0; i < events; i++)
        on_event(e, &ev[i]);
    packets = tern_output(e->s, 0, pkts, ARRAY_LEN(pkts), net.now);
    for (size_t i = 0; i < packets; i++)
        leave(end, &pkts[i]);
    tern_output_done(e->s, pkts, packets);
    return events + packets != 0 || tern_next_timeout(e->s) <= net.now;
}

static void settle(void)
{
    for (int end = 0; end < 2; end++) {
        uint32_t turns = 0;
        while (turn(end))
            if (++turns == TURNS_MAX) {
                net_wrong("S14: end %d has always something to do", end);
                break;
            }
    }
}

static struct net_packet take(int dir, uint32_t i)
{
    struct net_packet p = net.wire[dir].at[i];
    net.wire[dir].count--;
    memmove(&net.wire[dir].at[i], &net.wire[dir].at[i + 1],
            (net.wire[dir].count - i) * sizeof(struct net_packet));
    return p;
}

void net_inject(int end, const uint8_t *data, size_t len)
{
    uint8_t *copy = malloc(len); /* exactly: AddressSanitizer sees reading past it */
    TERN_ASSERT(copy != NULL);
    memcpy(copy, data, len);
    tern_pkt pkt = {.iov_count = 1, .len = (uint32_t)len, .iov[0] = {copy, len}};
    tern_input(net.end[end].s, &pkt, 1, net.now);
    free(copy);
    settle();
}

void net_segment(uint32_t from, const uint8_t *bytes, uint32_t len, bool fin)
{
    uint8_t p[NET_PACKET];
    tern_addr a = net_addr(0), b = net_addr(1);
    struct wire_ip ip = {.version = 4, .proto = WIRE_TCP, .ttl = 64};
    struct wire_tcp tcp = {.sport = a.port,
                           .dport = b.port,
                           .seq = config.tern.isn + 1 + from,
                           .ack = config.tern.isn + 1,
                           .flags = TCP_ACK | TCP_PSH,
                           .wnd = 2000};
    tcp.flags |= fin ? TCP_FIN : 0;
    memcpy(ip.src, a.ip, 16);
    memcpy(ip.dst, b.ip, 16);
    ip.payload_len = (uint16_t)(WIRE_TCP_HEADER + len);
    uint8_t *at = p + wire_ip_write(p, &ip, 0), *data = at + wire_tcp_write(at, &tcp);
    memcpy(data, bytes, len);
    uint64_t sum = wire_pseudo_sum(ip.src, ip.dst, WIRE_TCP, ip.payload_len);
    uint16_t check = cksum_finish(cksum_add(cksum_portable(at, ip.payload_len, 0), sum));
    memcpy(at + 16, &check, 2);
    net_inject(1, p, (size_t)(data - p) + len);
    net.wire[1].count = 0;
}

void net_deliver(int dir, uint32_t i, bool keep)
{
    struct net_packet p = keep ? net.wire[dir].at[i] : take(dir, i);
    net_inject(!dir, p.data, p.len);
}

void net_drop(int dir, uint32_t i) { (void)take(dir, i); }

bool net_timer(void)
{
    uint64_t next = min_u64(tern_next_timeout(net.end[0].s), tern_next_timeout(net.end[1].s));
    if (next == TERN_NEVER)
        return false;
    if (next <= net.now)
        net_wrong("S14: a timer in the past");
    net.now = max_u64(next, net.now);
    settle();
    return true;
}

/* ---- calls ----------------------------------------------------------------------------------- */

void net_write(int end, uint32_t len)
{
    struct net_end *e = &net.end[end];
    uint8_t data[NET_PACKET];
    TERN_ASSERT(len <= sizeof(data));
    for (uint32_t i = 0; i < len; i++)
        data[i] = net_byte(end, e->written + i);
    ptrdiff_t n = tern_send(e->s, e->sock, data, len);
    if (n > 0)
        e->written += (uint32_t)n;
    else if (n == 0 || (n != TERN_EAGAIN && e->err == 0 && !e->shut))
        net_wrong("S15: tern_send() of %u: %td", len, n);
    settle();
}

static void at_eof(int end)
{
    const struct net_end *e = &net.end[end], *o = &net.end[!end];
    net.end[end].eof = true;
    if (!(o->shut || o->closed) || e->read != o->written)
        net_wrong("S2: end %d: the end comes after %u bytes of %u", end, e->read, o->written);
    if (o->eof)
        net.read_at = net.now;
}

static void compare(int end, const uint8_t *got, size_t n)
{
    struct net_end *e = &net.end[end];
    for (size_t i = 0; i < n; i++, e->read++)
        if (got[i] != net_byte(!end, e->read) || e->read >= net.end[!end].written)
            net_wrong("S1: end %d: byte %u is wrong, or was never written", end, e->read);
    if (e->eof)
        net_wrong("S15: end %d: more to read behind the end", end);
}

void net_read(int end)
{
    struct net_end *e = &net.end[end];
    uint8_t got[NET_PACKET];
    ptrdiff_t n;
    while ((n = tern_recv(e->s, e->sock, got, sizeof(got))) > 0)
        compare(end, got, (size_t)n);
    if (n == 0)
        at_eof(end);
    else if (n != TERN_EAGAIN && n != TERN_ENOTCONN && e->err == 0)
        net_wrong("S15: tern_recv(): %td", n);
    settle();
}

void net_shut(int end)
{
    struct net_end *e = &net.end[end];
    int err = tern_shutdown(e->s, e->sock);
    if (err < 0 && e->opened && e->err == 0)
        net_wrong("S15: tern_shutdown(): %d", err);
    e->shut |= err >= 0;
    settle();
}

void net_close(int end)
{
    struct net_end *e = &net.end[end];
    if (tern_close(e->s, e->sock) < 0)
        net_wrong("S15: tern_close()");
    e->sock.id = 0;
    e->closed = true;
    settle();
}

void net_abort(int end)
{
    struct net_end *e = &net.end[end];
    if (tern_abort(e->s, e->sock) < 0)
        net_wrong("S15: tern_abort()");
    e->sock.id = 0;
    e->aborted = true;
    settle();
}

/* ---- beginning ------------------------------------------------------------------------------- */

void net_config_default(tern_config *cfg)
{
    tern_config_default(cfg);
    cfg->conns_max = cfg->halfopen_max = cfg->timewait_max = 4;
    cfg->listeners_max = cfg->ifaces_max = 1;
    cfg->addrs_max = cfg->routes_max = 2;
    cfg->fastopen_peers_max = cfg->sources_max = cfg->rules_max = cfg->neighbors_max = 2;
    cfg->output_max = cfg->replies_max = 16;
    cfg->buf_bytes_max = 1 << 16;
    cfg->rcvbuf = cfg->rcvbuf_max = 2048;
    cfg->sndbuf = cfg->sndbuf_max = 2048;
    cfg->features &= ~(uint32_t)TERN_FEATURE_TIMESTAMPS;
    cfg->ecn = 0;
    cfg->stats = false;
    cfg->isn_fixed = true;
    cfg->isn = (uint32_t)ISN;
    cfg->alloc = arena_alloc;
    cfg->free = arena_free;
    cfg->trace = on_trace;
}

static void make(int end)
{
    struct net_end *e = &net.end[end];
    tern_config cfg = config.tern;
    tern_iface iface = {.mtu = NET_MTU};
    tern_addr local = net_addr(end), peer = net_addr(!end);
    cfg.seed[0] = (uint8_t)(end + 1);
    TERN_ASSERT(tern_new(&e->s, &cfg, net.now) == 0);
    TERN_ASSERT(tern_iface_add(e->s, &iface) == 0);
    TERN_ASSERT(tern_iface_addr(e->s, 0, local.ip, 96 + 24) == 0);
    if (end == 0 || config.together) {
        TERN_ASSERT(tern_connect(e->s, &e->sock, &local, &peer, NULL) == 0);
        TERN_ASSERT(tern_option_set(e->s, e->sock, TERN_OPT_NODELAY, config.nodelay) == 0);
    } else {
        tern_listen_args args = {.local = local, .backlog = 1};
        TERN_ASSERT(tern_listen(e->s, &e->listener, &args) == 0);
    }
}

void net_begin(const struct net_config *conf)
{
    net_end();
    config = *conf;
    net.now = NET_START;
    make(0);
    make(1);
    settle();
}

/* ---- what must hold -------------------------------------------------------------------------- */

static void check_end(int end)
{
    struct net_end *e = &net.end[end];
    tern_tcp_info i;
    if (e->sock.id == 0 || tern_info(e->s, e->sock, &i, sizeof(i)) < 0)
        return;
    if (!seq_leq(i.snd_una, i.snd_nxt))
        net_wrong("S4: end %d: SND.UNA is behind SND.NXT", end);
    if (i.state >= TERN_ESTABLISHED) {
        if (e->seen && (seq_lt(i.snd_una, e->una) || seq_lt(i.rcv_nxt, e->nxt)))
            net_wrong("S4: end %d: numbers go back", end);
        e->una = i.snd_una;
        e->nxt = i.rcv_nxt;
        e->seen = true;
    }
    bool lives = i.state != TERN_CLOSED && e->err == 0;
    if (lives && i.snd_nxt != i.snd_una && i.timer == TERN_NEVER)
        net_wrong("S7: end %d: no timer for what is under way", end);
    if (lives && i.tx_unsent != 0 && i.timer == TERN_NEVER && i.state >= TERN_ESTABLISHED)
        net_wrong("S7: end %d: no timer for what waits", end);
    if (e->read + i.rx_queued > net.end[!end].written)
        net_wrong("S1: end %d: %u bytes to read of %u", end, e->read + i.rx_queued,
                  net.end[!end].written);
    if (i.tx_queued > e->written)
        net_wrong("S4: end %d: %u bytes queued of %u", end, i.tx_queued, e->written);
    if (i.segs_sacked + i.segs_lost > i.segs_flight)
        net_wrong("S6: end %d: %u of %u segments", end, i.segs_sacked + i.segs_lost, i.segs_flight);
}

void net_check(void)
{
    check_end(0);
    check_end(1);
}

struct jury {
    int end; /* whose segments count; -1: all */
};

static void on_finding(void *user, const struct follow_finding *f)
{
    const struct jury *j = user;
    const struct watch_rule_info *rule = watch_rule_info(f->rule);
    int end = f->conn->end[f->end].addr.port == PORT;
    if (j->end < 0 || j->end == end)
        net_wrong("S3: end %d, packet %u: %s (%s)", end, (unsigned)f->packet->number, rule->id,
                  rule->section);
}

/* What passes that end's side of the middlebox. */
static void judge(int end)
{
    struct jury jury = {end};
    struct follow_result r;
    struct follow *f = follow_new(&(
        struct follow_config){.trust = RULE_ALL | RULE_WIRE, .finding = on_finding, .user = &jury});
    TERN_ASSERT(f != NULL);
    for (uint32_t i = 0; i < net.history; i++) {
        const struct net_packet *p = &history[i].packet[end >= 0 && history[i].dir != end];
        struct follow_packet packet = {
            .time = history[i].time, .number = i, .data = p->data, .have = p->len, .len = p->len};
        follow_packet(f, &packet, &r);
    }
    follow_free(f);
}

void net_judge(void)
{
    if (config.middlebox == NULL) {
        judge(-1);
        return;
    }
    judge(0);
    judge(1);
}

/* ---- the end --------------------------------------------------------------------------------- */

/* What the program of an end does when it wants to be over. */
static void wind_up(int end)
{
    struct net_end *e = &net.end[end];
    if (e->sock.id != 0 && !e->eof)
        net_read(end);
    if (e->sock.id != 0 && e->opened && !e->shut && e->err == 0)
        net_shut(end);
    if (e->sock.id != 0 && (e->err != 0 || (e->eof && e->shut)))
        net_close(end);
}

/* Whoever waits for an end that has gone without a word it has heard waits for ever, and rightly:
 * its program gives up. */
static bool give_up(void)
{
    bool any = false;
    for (int end = 0; end < 2; end++) {
        const struct net_end *o = &net.end[!end];
        if (net.end[end].sock.id == 0 || !(o->aborted || o->closed || o->err != 0))
            continue;
        net_abort(end);
        any = true;
    }
    return any;
}

static void check_back(int end)
{
    const struct net_end *e = &net.end[end];
    tern_memory m;
    if (e->sock.id != 0)
        net_wrong("L2: end %d neither goes on nor ends", end);
    tern_memory_of(e->s, &m);
    if (m.conns + m.halfopen + m.timewaits + m.listeners + m.active + m.pages + m.outputs != 0)
        net_wrong("R1: end %d keeps %u connections, %u half-open, %u in TIME-WAIT, %u active, "
                  "%u pages",
                  end, m.conns, m.halfopen, m.timewaits, m.active, m.pages);
    tern_free(e->s);
}

void net_flow(void)
{
    while (net.wire[0].count + net.wire[1].count != 0)
        for (int dir = 0; dir < 2; dir++)
            while (net.wire[dir].count != 0)
                net_deliver(dir, 0, false);
}

void net_finish(void)
{
    const struct net_end *a = &net.end[0], *b = &net.end[1];
    bool whole = !(a->closed || b->closed || a->aborted || b->aborted);
    bool any = true;
    for (uint32_t step = 0; any && net.why[0] == 0; step++) {
        any = net.wire[0].count + net.wire[1].count != 0;
        net_flow();
        wind_up(0);
        wind_up(1);
        if (b->listener.id != 0 && !any && (b->opened || a->sock.id == 0)) {
            (void)tern_close(b->s, b->listener);
            net.end[1].listener.id = 0;
            settle();
            any = true;
        }
        net_check();
        any = any || net.wire[0].count + net.wire[1].count != 0 || net_timer() || give_up();
        if (step == FINISH_MAX)
            net_wrong("R3: there is no end");
    }
    if (net.why[0] != 0)
        return;
    if (whole && (a->err != 0 || b->err != 0 || !a->eof || !b->eof))
        net_wrong("L2: %d and %d, though nobody has broken off", a->err, b->err);
    if (whole && (a->read != b->written || b->read != a->written))
        net_wrong("S2: %u bytes of %u, %u of %u", b->read, a->written, a->read, b->written);
    check_back(0);
    check_back(1);
    check_kept();
    if (books.live != 0)
        net_wrong("R1: %u blocks are not back", books.live);
    net_judge();
}
