/* test_governor.c - payload memory under attack (src/tcp/memory.c): thousands of connections that
 * take it and keep it, by holes that are never filled, windows that stay closed, text that nobody
 * reads, single bytes in large buffers; beside them a few that only want to send and receive. The
 * limit holds, these lose nothing of their speed, and every stream completes, also that of who has
 * been hostile and comes to reason.
 */
#include <stdlib.h>

#include "../tcp/rig.h"

enum {
    HOSTILE = 10000, /* a quarter of each kind */
    HEALTHY = 8,     /* half of them receive, half send; */
    LATE = 2,        /* as do those that come when memory is short */
    CAP = 64 << 20,
    PORT = 80,
    FIRST = 10000, /* ports of the hostile */
    GOOD = 9000,   /* and of the others */
    MSS = 1400,
    BURST = 16, /* segments of a healthy one in each round */
    BUFFER = 32768,
    BATCH = 200, /* so many come to reason at a time */
};

enum kind { HOLES, CLOSED, UNREAD, BYTES, KINDS };

/* One connection, seen from the wire. */
struct end {
    tern_sock k;
    uint16_t port;
    uint32_t iss, rcv;  /* of the stack; the next we expect of it */
    uint32_t seq, edge; /* the next we send; the right edge of its window */
    uint64_t got, sent; /* bytes its owner has read; we have received */
    uint64_t wrote;     /* bytes its owner has written */
    uint32_t said;      /* the end of what we have sent, or tried to */
    bool open, sane;    /* we take what comes, and acknowledge it */
    bool eof, fin;      /* its owner has read to the end; we have */
};

struct crowd {
    struct rig *r;
    tern_sock listener;
    struct end hostile[HOSTILE], good[HEALTHY + LATE];
    unsigned hostiles, healthy;
};

static struct end *find(struct crowd *w, uint16_t port)
{
    if (port >= FIRST && port < FIRST + w->hostiles)
        return &w->hostile[port - FIRST];
    return port >= GOOD && port < GOOD + HEALTHY + LATE ? &w->good[port - GOOD] : NULL;
}

/* ---- packets --------------------------------------------------------------------------------- */

static struct seg segment(const struct crowd *w, const struct end *e, unsigned flags)
{
    struct rig *r = w->r;
    struct seg g = {.sport = e->port, .dport = PORT, .seq = e->seq, .flags = (uint16_t)flags};
    g.ack = flags & A ? e->rcv : 0;
    g.wnd = 65535;
    g.wscale = -1;
    g.mss = flags & S ? MSS : 0;
    g.ttl = 64;
    g.ip6 = r->ip6;
    memcpy(g.src, r->remote, 16);
    memcpy(g.dst, r->local, 16);
    return g;
}

static void text(struct crowd *w, struct end *e, uint32_t at, uint32_t len)
{
    static uint8_t bytes[BUFFER];
    struct seg g = segment(w, e, A);
    pattern_fill(0, at, bytes, len);
    e->said = at + len > e->said ? at + len : e->said;
    g.seq = e->port + 1u + at; /* its ISS is its port */
    g.data = bytes;
    g.len = len;
    rig_input_seg(w->r, &g);
}

/* In a buffer of the device's, `size` large, that the stack may keep. */
static void donated(struct crowd *w, struct end *e, uint32_t at, uint32_t len, uint32_t size)
{
    uint8_t *buffer = malloc(size), bytes[MSS];
    assert_non_null(buffer);
    struct seg g = segment(w, e, A);
    pattern_fill(0, at, bytes, len);
    e->said = at + len > e->said ? at + len : e->said;
    g.seq = e->port + 1u + at;
    g.data = bytes;
    g.len = len;
    tern_pkt pkt = {.iov_count = 1, .flags = TERN_PKT_DONATED, .truesize = size, .cookie = buffer};
    pkt.len = (uint32_t)seg_build(&g, buffer);
    pkt.iov[0] = (tern_iov){.base = buffer, .len = pkt.len};
    tern_input(w->r->s, &pkt, 1, w->r->now);
}

static void take(void *user, void *const *cookies, size_t n)
{
    (void)user;
    for (size_t i = 0; i < n; i++)
        free(cookies[i]);
}

/* The next of what it sends. */
static void hears(struct crowd *w, struct end *e, const struct seg *g)
{
    static uint8_t want[65536];
    pattern_fill(1, (uint32_t)e->sent, want, g->len);
    assert_memory_equal(g->data, want, g->len);
    e->sent += g->len;
    e->fin = g->flags & F;
    e->rcv += g->len + e->fin;
    struct seg ack = segment(w, e, A);
    rig_input_seg(w->r, &ack);
}

/* What the stack has sent; who is sane acknowledges at once. */
static void listen_all(struct crowd *w)
{
    struct rig *r = w->r;
    tern_event ev[64];
    tern_advance(r->s, r->now);
    while (tern_events(r->s, ev, 64) != 0) /* (more at a time than the rig has room for) */
        ;
    rig_turn(r);
    r->ev_count = 0;
    for (const struct seg *g; (g = rig_next(r)) != NULL;) {
        struct end *e = find(w, g->dport);
        assert_non_null(e);
        if (g->flags & R)
            e->open = false;
        if (g->flags & S)
            e->rcv = g->seq + 1, e->iss = g->seq;
        if (g->flags & A && (int32_t)(g->ack + g->wnd - e->edge) > 0)
            e->edge = g->ack + g->wnd;
        if (g->flags & A && (int32_t)(g->ack - e->seq) > 0)
            e->seq = g->ack;
        if ((g->len != 0 || g->flags & F) && e->sane && g->seq == e->rcv)
            hears(w, e, g);
    }
}

static void open_one(struct crowd *w, struct end *e, uint16_t port)
{
    *e = (struct end){.port = port, .seq = port, .edge = port, .open = true};
    struct seg syn = segment(w, e, S);
    rig_input_seg(w->r, &syn);
    listen_all(w);
    e->seq = port + 1u;
    struct seg ack = segment(w, e, A);
    rig_input_seg(w->r, &ack);
    assert_int_equal(tern_accept(w->r->s, w->listener, &e->k, NULL, NULL), 0);
}

/* ---- what they do ---------------------------------------------------------------------------- */

static void owner_reads(struct crowd *w, struct end *e, size_t most)
{
    static uint8_t buf[65536], want[65536];
    ptrdiff_t n = 1;
    while (most > 0 &&
           (n = tern_recv(w->r->s, e->k, buf, most < sizeof(buf) ? most : sizeof(buf))) > 0) {
        pattern_fill(0, (uint32_t)e->got, want, (uint32_t)n);
        assert_memory_equal(buf, want, (size_t)n);
        e->got += (uint64_t)n;
        most -= (size_t)n;
    }
    e->eof = most > 0 && n == 0;
}

static bool owner_writes(struct crowd *w, struct end *e, uint32_t len)
{
    static uint8_t buf[BUFFER];
    pattern_fill(1, (uint32_t)e->wrote, buf, len);
    ptrdiff_t n = tern_send(w->r->s, e->k, buf, len);
    e->wrote += n > 0 ? (uint64_t)n : 0;
    return n > 0;
}

static void be_hostile(struct crowd *w, unsigned i)
{
    struct end *e = &w->hostile[i];
    switch ((enum kind)(i % KINDS)) {
    case HOLES: /* every other byte, a page each, the first one missing */
        for (uint32_t at = 1; at < 32; at += 2)
            text(w, e, at, 1);
        break;
    case CLOSED: { /* it wants a lot, and has no room for it */
        struct seg g = segment(w, e, A);
        g.wnd = 0;
        rig_input_seg(w->r, &g);
        while (owner_writes(w, e, BUFFER / 2))
            ;
        break;
    }
    case UNREAD: /* as much as the window takes, for an owner that is asleep */
        for (uint32_t at = 0; at < 40000; at += MSS)
            text(w, e, at, MSS);
        break;
    default: /* single bytes in large buffers, and buffers that are half used */
        for (uint32_t at = 0; at < 16; at++)
            donated(w, e, at, 1, BUFFER);
        for (uint32_t at = 16; at < 30000; at += MSS)
            donated(w, e, at, MSS, 2 * MSS);
        break;
    }
}

/* A round of the healthy: bursts both ways, everything read at once. */
static void round_trip(struct crowd *w)
{
    for (unsigned i = 0; i < w->healthy; i++) {
        struct end *e = &w->good[i];
        uint32_t at = e->seq - e->port - 1;
        if (i % 2 == 0) {
            for (unsigned j = 0; j < BURST && e->edge - e->seq >= (j + 1) * MSS; j++)
                text(w, e, at + j * MSS, MSS);
            owner_reads(w, e, SIZE_MAX);
        } else {
            owner_writes(w, e, BURST * MSS);
        }
    }
    listen_all(w);
    w->r->now += MS(10);
    listen_all(w);
}

static uint64_t rounds(struct crowd *w, unsigned n)
{
    uint64_t before = 0, after = 0;
    for (unsigned i = 0; i < HEALTHY; i++)
        before += w->good[i].got + w->good[i].sent;
    for (unsigned i = 0; i < n; i++)
        round_trip(w);
    for (unsigned i = 0; i < HEALTHY; i++)
        after += w->good[i].got + w->good[i].sent;
    return after - before;
}

/* ---- the test -------------------------------------------------------------------------------- */

static void open_good(struct crowd *w, unsigned i)
{
    open_one(w, &w->good[i], (uint16_t)(GOOD + i));
    w->good[i].sane = true;
}

static struct crowd *begin(struct rig *r, unsigned hostiles)
{
    struct crowd *w = calloc(1, sizeof(*w));
    assert_non_null(w);
    w->r = r;
    w->hostiles = hostiles;
    w->healthy = HEALTHY;
    r->cfg.buf_bytes_max = CAP / HOSTILE * (size_t)hostiles;
    r->cfg.cc = &tern_cc_reno;
    r->cfg.release = take;
    r->unclean = true; /* (thousands of peers that fall silent) */
    w->listener = rig_listen(r, PORT, 64, 0);
    for (uint16_t i = 0; i < HEALTHY; i++)
        open_good(w, i);
    return w;
}

/* Payload memory in use, in parts of 64 of the limit. */
static unsigned check_cap(const struct crowd *w)
{
    tern_memory m;
    tern_memory_of(w->r->s, &m);
    uint64_t bytes = (uint64_t)m.pages * 4096 + m.donated;
    assert_true(bytes <= w->r->cfg.buf_bytes_max);
    return (unsigned)(bytes * 64 / w->r->cfg.buf_bytes_max);
}

/* What one does who has come to reason: its owner reads all that is there and has no more to say;
 * it takes what comes, sends again all that was not acknowledged, and ends as well. True when both
 * have all of the other's stream, and know so. */
static bool comes_to_reason(struct crowd *w, struct end *e)
{
    uint32_t at = e->seq - e->port - 1;
    owner_reads(w, e, SIZE_MAX);
    if (!e->sane)
        assert_int_equal(tern_shutdown(w->r->s, e->k), 0);
    if (!e->sane || at > e->said) { /* (that opens its window; or the end is all there is left) */
        struct seg ack = segment(w, e, A);
        rig_input_seg(w->r, &ack);
    }
    e->sane = true;
    if (e->eof && e->fin && at > e->said)
        return true;
    for (; at < e->said && (int32_t)(e->edge - e->port - 1 - at) > 0; at += MSS) {
        uint32_t room = e->edge - e->port - 1 - at, left = e->said - at;
        text(w, e, at, left < MSS ? (left < room ? left : room) : (room < MSS ? room : MSS));
    }
    if (at >= e->said && !e->eof) {
        struct seg fin = segment(w, e, A | F);
        fin.seq = e->port + 1u + e->said;
        rig_input_seg(w->r, &fin);
    }
    return false;
}

/* All of them until none is left; what was sent is what was read, both ways. */
static void all_come_to_reason(struct crowd *w, struct end *first, unsigned n)
{
    unsigned left = n, turns = 0;
    bool done[BATCH] = {0};
    for (; left > 0 && turns < 200; turns++) {
        for (unsigned i = 0; i < n; i++) {
            if (done[i] || !comes_to_reason(w, &first[i]))
                continue;
            done[i] = true;
            left--;
            assert_int_equal(first[i].got, first[i].said);
            assert_int_equal(first[i].sent, first[i].wrote);
            assert_true(first[i].open);
            assert_int_equal(tern_close(w->r->s, first[i].k), 0);
        }
        listen_all(w);
        w->r->now += MS(10);
        listen_all(w);
    }
    tern_memory m;
    tern_memory_of(w->r->s, &m);
    if (left > 0)
        rig_fail("from port %u: %u of %u streams are not complete, beside %u pages in use",
                 first->port, left, n, m.pages);
}

/* (What is judged does not depend on the family: a fifth of them in IPv6.) */
static unsigned crowd_size(bool ip6)
{
    unsigned n = ip6 ? HOSTILE / 5 : HOSTILE;
#ifdef __SANITIZE_ADDRESS__
    n = HOSTILE / 10;
#endif
    return getenv("TERN_VALGRIND") != NULL ? HOSTILE / 20 : n;
}

static void keeps_up(uint64_t bytes, uint64_t alone)
{
    if (bytes < alone / 10 * 9)
        rig_fail("%llu bytes instead of %llu beside hostile connections", (unsigned long long)bytes,
                 (unsigned long long)alone);
}

/* Two connections more, one that receives and one that sends, begin when those that stand still get
 * nothing any more. */
static void newcomers(struct crowd *w)
{
    for (uint16_t i = HEALTHY; i < HEALTHY + LATE; i++)
        open_good(w, i);
    w->healthy = HEALTHY + LATE;
    rounds(w, 50);
}

/* Half a second of everyone who is healthy; the newcomers are no slower than the others. */
static void all_keep_up(struct crowd *w, uint64_t alone)
{
    uint64_t before[HEALTHY + LATE];
    for (unsigned i = 0; i < HEALTHY + LATE; i++)
        before[i] = w->good[i].got + w->good[i].sent;
    rounds(w, 50);
    for (unsigned i = 0; i < HEALTHY + LATE; i++)
        keeps_up(w->good[i].got + w->good[i].sent - before[i], alone / HEALTHY);
}

/* The hostile, some at a time, while the others go on as if they were not there; then those, too.
 * In the end all memory is free. */
static void everyone_completes(struct crowd *w, uint64_t alone)
{
    uint64_t during = 0;
    for (unsigned i = 0; i < w->hostiles; i += BATCH) {
        unsigned n = w->hostiles - i < BATCH ? w->hostiles - i : BATCH;
        all_come_to_reason(w, &w->hostile[i], n);
        during += rounds(w, 1);
        check_cap(w);
    }
    keeps_up(during, alone / 50 * ((w->hostiles + BATCH - 1) / BATCH));
    for (unsigned i = 0; i < HEALTHY + LATE; i++)
        w->good[i].sane = false; /* (they do not end yet) */
    all_come_to_reason(w, w->good, HEALTHY + LATE);
    tern_memory m;
    tern_memory_of(w->r->s, &m);
    assert_int_equal(m.pages, 0);
    assert_int_equal(m.donated, 0);
}

/* */
static void ten_thousand_hostile_connections(struct rig *r)
{
    struct crowd *w = begin(r, crowd_size(r->ip6));
    rounds(w, 50);
    uint64_t alone = rounds(w, 50);
    uint64_t during = 0;
    for (unsigned i = 0; i < w->hostiles; i++) {
        open_one(w, &w->hostile[i], (uint16_t)(FIRST + i));
        be_hostile(w, i);
        if (i % (w->hostiles / 200) == 0)
            during += rounds(w, 1);
        if (check_cap(w) > 7 * 8 && w->healthy == HEALTHY)
            newcomers(w);
    }
    keeps_up(during, 4 * alone);
    assert_int_equal(w->healthy, HEALTHY + LATE);
    tern_memory m;
    tern_memory_of(r->s, &m);
    assert_true((uint64_t)m.pages * 4096 > r->cfg.buf_bytes_max / 2); /* it is felt */
    all_keep_up(w, alone);
    during = 0;
    for (unsigned i = 0; i < 200; i++) { /* they read a byte and try again, in vain */
        for (unsigned j = i * (w->hostiles / 200); j < (i + 1) * (w->hostiles / 200); j++) {
            owner_reads(w, &w->hostile[j], 1);
            be_hostile(w, j);
        }
        check_cap(w);
        during += rounds(w, 1);
    }
    keeps_up(during, 4 * alone);
    all_keep_up(w, alone);
    assert_in_range(check_cap(w), 7 * 8, 15 * 4); /* what is left is for those who move */
    for (unsigned i = 0; i < HEALTHY + LATE; i++)
        assert_true(w->good[i].open);
    assert_true(rig_count(r, TERN_COUNT_PRUNED) > 0);
    assert_true(rig_drops(r, TERN_DROP_MEMORY) + rig_drops(r, TERN_DROP_TCP_REASSEMBLY) > 0);
    everyone_completes(w, alone);
    free(w);
}

/* All receive buffers together are at most 16 times the memory; then new ones are small, until
 * others have gone. */
static void windows_are_bounded(struct rig *r)
{
    r->cfg.buf_bytes_max = 1 << 20;
    r->listener = rig_listen(r, PORT, 2000, 0);
    struct peer *p[300];
    tern_tcp_info info;
    uint64_t offered = 0;
    for (unsigned i = 0; i < 300; i++) {
        p[i] = peer_passive(r);
        peer_info(p[i], &info);
        offered += info.rcv_wnd;
        if (i < 256)
            assert_true(info.rcv_wnd > 60000);
        else
            assert_in_range(info.rcv_wnd, MSS, 8192);
        assert_int_equal(info.rcvbuf, i < 256 ? 65536 : 8192);
    }
    assert_true(offered <= 16 * r->cfg.buf_bytes_max + 44 * 8192);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(tern_abort(r->s, p[i]->k), 0);
    rig_turn(r);
    rig_forget(r);
    peer_info(peer_passive(r), &info);
    assert_int_equal(info.rcvbuf, 65536);
    for (unsigned i = 0; i < 50; i++) { /* and one that is small grows as far as there is room */
        uint32_t at = i * MSS;
        say(p[299], A | P, 1 + at, 1, MSS);
        rig_step(r, MS(50));
        rig_forget(r);
        peer_read(p[299], at, MSS);
    }
    peer_info(p[299], &info);
    assert_in_range(info.rcvbuf, 8193, 8192 + 7 * 65536);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(ten_thousand_hostile_connections),
        RIG(windows_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
