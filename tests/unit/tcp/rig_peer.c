/* rig_peer.c - the other end of a connection, as a test plays it, and what holds for every segment
 * it hears: the stream is the pattern at its place, whether sent first or again; acknowledgements
 * and the right edge of the window never go back; nothing is sent beyond the window or the MSS that
 * was offered; timestamps are on all segments or on none.
 */
#include <stdio.h>
#include <stdlib.h>

#include "rig.h"

enum { FIRST_PORT = 40001, LISTEN_PORT = 80 };

struct peer *peer_new(struct rig *r)
{
    rig_start(r);
    struct peer *p = calloc(1, sizeof(*p));
    if (p == NULL || r->peer_count == RIG_PEERS)
        rig_fail("too many peers");
    *p = (struct peer){.r = r,
                       .lport = LISTEN_PORT,
                       .irs = r->irs,
                       .mss = r->ip6 ? 1440 : 1460,
                       .wscale = 7,
                       .sack = true,
                       .ts = true,
                       .wnd = 0xffff,
                       .tsval = 5000,
                       .extra.wscale = -1};
    p->port = (uint16_t)(FIRST_PORT + r->peer_count);
    r->peers[r->peer_count++] = p;
    return p;
}

static int32_t after(uint32_t a, uint32_t b) { return (int32_t)(a - b); }

/* ---- what holds for every segment ------------------------------------------------------------ */

static struct peer *find_peer(struct rig *r, const struct seg *g)
{
    for (unsigned i = 0; i < r->peer_count; i++) {
        struct peer *p = r->peers[i];
        if (p->port != g->dport)
            continue;
        if (p->lport == 0 && (g->flags & (S | A)) == S)
            p->lport = g->sport;
        if (p->lport == g->sport)
            return p;
    }
    return NULL;
}

/* Both SYNs have been seen, or will have been when the peer's reply is out. */
static void negotiate(struct peer *p, const struct seg *ours)
{
    p->ts_on = p->ts && ours->ts;
    p->sack_on = p->sack && ours->sack_ok;
    bool scaled = p->wscale >= 0 && ours->wscale >= 0;
    p->shift_in = scaled ? ours->wscale : 0;
    p->shift_out = scaled ? (p->wscale > 14 ? 14 : p->wscale) : 0;
}

static void judge_syn(struct peer *p, const struct seg *g)
{
    struct rig *r = p->r;
    if (p->iss_known && g->seq != p->iss)
        rig_fail("a SYN with another ISN: %s", seg_text(g, p->iss, p->irs));
    p->iss = g->seq;
    p->iss_known = true;
    if (g->mss == 0)
        rig_fail("a SYN without MSS"); /* MUST-14 */
    if (g->mss > r->link.mtu - (r->ip6 ? 60 : 40) && r->link.mtu >= 576)
        rig_fail("an MSS of %u over an MTU of %u", g->mss, r->link.mtu); /* MUST-67 */
    if (g->flags & A &&
        ((g->ts && !p->ts) || (g->wscale >= 0 && p->wscale < 0) || (g->sack_ok && !p->sack)))
        rig_fail("SYN-ACK with an option we did not offer: %s", seg_text(g, p->iss, p->irs));
    negotiate(p, g);
    if (!(g->flags & A)) {
        p->acked = p->irs + 1;
        p->edge = p->acked + g->wnd;
        p->edge_known = true;
    }
    if (g->len != 0)
        rig_fail("a SYN with data");
}

static void judge_data(struct peer *p, const struct seg *g)
{
    uint32_t first = g->seq - p->iss - 1;
    for (uint32_t i = 0; i < g->len && !p->free_form; i++)
        if (g->data[i] != pattern(1, first + i))
            rig_fail("wrong byte at offset %u of the stream: %s", first + i,
                     seg_text(g, p->iss, p->irs));
    uint32_t end = g->seq + g->len + ((g->flags & F) != 0);
    if (p->limit_known && after(end, p->limit) > 0 && end != g->seq)
        rig_fail("sent beyond the window, which ends at %u: %s", p->limit - p->iss,
                 seg_text(g, p->iss, p->irs));
    uint32_t options = (g->ts ? 12u : 0) + (g->sacks != 0 ? 4 + 8 * g->sacks : 0);
    options += g->accecn ? 2 + 3 * g->counters : 0;
    uint32_t mss = p->mss != 0 ? p->mss : p->r->ip6 ? 1220 : 536;
    if (mss >= 64 && g->len != 0 && g->len + options > mss)
        rig_fail("%u bytes and %u of options in an MSS of %u", g->len, options, mss);
}

static void judge_ack(struct peer *p, const struct seg *g)
{
    uint32_t edge = g->ack + ((uint32_t)g->wnd << (g->flags & S ? 0 : p->shift_in));
    uint32_t grain = (1u << p->shift_in) - 1;
    if (p->edge_known && after(g->ack, p->acked) < 0)
        rig_fail("an acknowledgement went back: %s", seg_text(g, p->iss, p->irs));
    if (p->edge_known && after(p->edge - grain, edge) > 0)
        rig_fail("the window's right edge went back from %u to %u: %s", p->edge - p->irs,
                 edge - p->irs, seg_text(g, p->iss, p->irs)); /* SHLD-14 */
    if (!p->edge_known || after(edge, p->edge) > 0)
        p->edge = edge;
    p->acked = g->ack;
    p->edge_known = true;
}

void rig_judge(struct rig *r, const struct seg *g)
{
    if (g->icmp)
        return;
    struct peer *p = find_peer(r, g);
    if (p == NULL || p->raw_numbers)
        return;
    if (memcmp(g->src, r->local, 16) != 0 || memcmp(g->dst, r->remote, 16) != 0)
        rig_fail("wrong addresses: %s", seg_text(g, p->iss, p->irs));
    if (g->flags & S)
        judge_syn(p, g);
    if (!p->iss_known || g->flags & R)
        return;
    judge_data(p, g);
    if (g->flags & A)
        judge_ack(p, g);
    else if (!(g->flags & S))
        rig_fail("neither SYN, ACK nor RST: %s", seg_text(g, p->iss, p->irs));
    if (!(g->flags & S) && g->ts != p->ts_on)
        rig_fail("timestamps: %s", seg_text(g, p->iss, p->irs));
    if ((g->accecn || g->flags & AE) && !p->accecn)
        rig_fail("AccECN was not negotiated: %s", seg_text(g, p->iss, p->irs));
    if (g->sacks != 0 && !p->sack_on)
        rig_fail("SACK was not negotiated: %s", seg_text(g, p->iss, p->irs));
    if (g->ts)
        p->tsecr = g->tsval;
}

/* ---- speaking -------------------------------------------------------------------------------- */

struct seg peer_seg(struct peer *p, unsigned flags, uint32_t seq, uint32_t ack, uint32_t len)
{
    static uint8_t payload[65536];
    struct rig *r = p->r;
    struct seg g = p->extra;
    g.sport = p->port;
    g.dport = p->lport;
    g.seq = p->irs + seq;
    g.ack = flags & A ? p->iss + ack : 0;
    g.flags = (uint16_t)flags;
    g.wnd = p->wnd;
    g.ttl = 64;
    g.ip6 = r->ip6;
    memcpy(g.src, r->remote, 16);
    memcpy(g.dst, r->local, 16);
    for (unsigned i = 0; i < g.sacks; i++)
        g.sack[i].lo += p->iss, g.sack[i].hi += p->iss;
    if (flags & S && g.raw == NULL) {
        g.mss = p->mss;
        g.wscale = p->wscale;
        g.sack_ok = p->sack;
    }
    if (!g.ts && (flags & S ? p->ts && (!(flags & A) || p->ts_on) : p->ts_on)) {
        g.ts = true;
        g.tsval = p->tsval + (uint32_t)(r->now / MS(1));
        g.tsecr = flags & A ? p->tsecr : 0;
    }
    if (len > sizeof(payload))
        rig_fail("%u bytes in one segment", len);
    if (g.data == NULL)
        pattern_fill(0, flags & S ? seq : seq - 1, payload, len);
    g.data = g.data != NULL ? g.data : payload;
    g.len = len;
    p->extra = (struct seg){.wscale = -1};
    return g;
}

void say(struct peer *p, unsigned flags, uint32_t seq, uint32_t ack, uint32_t len)
{
    struct seg g = peer_seg(p, flags, seq, ack, len);
    if (flags & A) {
        uint32_t limit = g.ack + ((uint32_t)g.wnd << (flags & S ? 0 : p->shift_out));
        if (!p->limit_known || after(limit, p->limit) > 0)
            p->limit = limit;
        p->limit_known = true;
    } else if (flags & S) {
        p->limit = p->iss + 1 + g.wnd;
    }
    rig_input_seg(p->r, &g);
}

/* ---- hearing --------------------------------------------------------------------------------- */

static struct seg *next_for(struct peer *p, const char *expected)
{
    struct rig *r = p->r;
    if (rig_waiting(r) == 0)
        rig_turn(r);
    struct seg *g = rig_next(r);
    if (g == NULL)
        rig_fail("expected %s; nothing was sent", expected);
    if (g->icmp || g->dport != p->port || (p->lport != 0 && g->sport != p->lport))
        rig_fail("expected %s; sent to port %u from %u: %s", expected, g->dport, g->sport,
                 seg_text(g, p->iss, p->irs));
    return g;
}

const struct seg *hear(struct peer *p, unsigned flags, uint32_t seq, uint32_t ack, uint32_t len)
{
    struct seg want = {.flags = (uint16_t)flags,
                       .seq = p->iss + seq,
                       .ack = p->irs + ack,
                       .len = len};
    const char *expected = seg_text(&want, p->iss, p->irs);
    const struct seg *g = next_for(p, expected);
    if ((g->flags & ~P) != (int)(flags & ~(unsigned)P) || (flags & P && !(g->flags & P)) ||
        g->seq != want.seq || (flags & A && g->ack != want.ack) || g->len != len)
        rig_fail("expected %s; sent: %s", expected, seg_text(g, p->iss, p->irs));
    return g;
}

const struct seg *hear_syn(struct peer *p, unsigned flags)
{
    const struct seg *g = next_for(p, flags & A ? "SYN-ACK" : "SYN");
    if (g->flags != flags || (flags & A && g->ack != p->irs + 1))
        rig_fail("expected a SYN%s; sent: %s", flags & A ? "-ACK" : "",
                 seg_text(g, p->iss, p->irs));
    if (p->r->cfg.isn_fixed && p->r->cfg.isn != g->seq)
        rig_fail("the ISN is not the one that was set");
    return g;
}

const struct seg *hear_rst(struct peer *p, unsigned flags, uint32_t seq, uint32_t ack)
{
    const struct seg *g = hear(p, R | flags, seq, ack, 0);
    return g;
}

unsigned hear_data(struct peer *p, uint32_t from, uint32_t to)
{
    unsigned n = 0;
    for (; from != to; n++) {
        const struct seg *g = next_for(p, "data");
        if (g->seq != p->iss + from || g->len == 0 || after(p->iss + to, g->seq + g->len) < 0)
            rig_fail("expected data from %u up to %u; sent: %s", from, to,
                     seg_text(g, p->iss, p->irs));
        from += g->len;
    }
    return n;
}

/* ---- opening --------------------------------------------------------------------------------- */

tern_sock rig_listen(struct rig *r, uint16_t port, uint32_t backlog, uint32_t flags)
{
    rig_start(r);
    tern_sock k;
    tern_listen_args args = {.backlog = backlog, .flags = flags, .user = r};
    args.local = rig_addr(r->local, port);
    int err = tern_listen(r->s, &k, &args);
    if (err != 0)
        rig_fail("tern_listen(): %d", err);
    return k;
}

void peer_connects(struct peer *p, tern_sock listener)
{
    tern_addr addr;
    say(p, S, 0, 0, 0);
    hear_syn(p, S | A);
    say(p, A, 1, 1, 0);
    rig_hush(p->r);
    int err = tern_accept(p->r->s, listener, &p->k, &addr, p);
    if (err != 0)
        rig_fail("tern_accept(): %d", err);
    if (addr.port != p->port || memcmp(addr.ip, p->r->remote, 16) != 0)
        rig_fail("tern_accept() told another peer");
    rig_events(p->r, listener, NULL);
    rig_events(p->r, p->k, NULL);
}

void peer_syn_sent(struct peer *p)
{
    struct rig *r = p->r;
    tern_addr to = rig_addr(r->remote, p->port), from = {.port = p->lport};
    int err = tern_connect(r->s, &p->k, &from, &to, p);
    if (err != 0)
        rig_fail("tern_connect(): %d", err);
    hear_syn(p, S);
}

void peer_accepts(struct peer *p)
{
    peer_syn_sent(p);
    say(p, S | A, 0, 1, 0);
    hear(p, A, 1, 1, 0);
    rig_hush(p->r);
    if (!(rig_events(p->r, p->k, NULL) & TERN_EV_OPEN))
        rig_fail("no TERN_EV_OPEN");
}

struct peer *peer_passive(struct rig *r)
{
    struct peer *p = peer_new(r);
    if (r->listener.id == 0)
        r->listener = rig_listen(r, p->lport, 16, 0);
    peer_connects(p, r->listener);
    return p;
}

struct peer *peer_active(struct rig *r)
{
    struct peer *p = peer_new(r);
    p->lport = 0;
    peer_accepts(p);
    return p;
}

/* ---- calls ----------------------------------------------------------------------------------- */

ptrdiff_t peer_write(struct peer *p, uint32_t offset, size_t len)
{
    uint8_t *buf = malloc(len + 1);
    if (buf == NULL)
        abort();
    pattern_fill(1, offset, buf, len);
    ptrdiff_t n = tern_send(p->r->s, p->k, buf, len);
    memset(buf, 0xdd, len);
    free(buf);
    return n;
}

void peer_read(struct peer *p, uint32_t offset, size_t len)
{
    uint8_t *buf = malloc(len + 1);
    if (buf == NULL)
        abort();
    for (size_t done = 0; done < len;) {
        ptrdiff_t n = tern_recv(p->r->s, p->k, buf, len - done);
        if (n <= 0)
            rig_fail("tern_recv() at %zu of %zu bytes: %td", done, len, n);
        for (ptrdiff_t i = 0; i < n; i++)
            if (buf[i] != pattern(0, offset + (uint32_t)done + (uint32_t)i))
                rig_fail("wrong byte received at offset %u", offset + (uint32_t)done + (uint32_t)i);
        done += (size_t)n;
    }
    free(buf);
}

void peer_info(const struct peer *p, tern_tcp_info *out)
{
    int err = tern_info(p->r->s, p->k, out, sizeof(*out));
    if (err != 0)
        rig_fail("tern_info(): %d", err);
}

enum tern_state peer_state(const struct peer *p)
{
    tern_tcp_info info;
    peer_info(p, &info);
    return (enum tern_state)info.state;
}

/* ---- the states after ESTABLISHED ------------------------------------------------------------ */

static void stack_shuts(struct peer *p, uint32_t in)
{
    assert_int_equal(tern_shutdown(p->r->s, p->k), 0);
    hear(p, F | A, 1, in, 0);
}

static void peer_shuts(struct peer *p, uint32_t out)
{
    say(p, F | A, 1, out, 0);
    hear(p, A, out, 2, 0);
}

void peer_to_state(struct peer *p, enum tern_state state, uint32_t *in, uint32_t *out)
{
    *in = *out = 1;
    if (state == TERN_FIN_WAIT_1 || state == TERN_FIN_WAIT_2 || state == TERN_CLOSING ||
        state == TERN_TIME_WAIT) {
        stack_shuts(p, 1);
        *out = 2;
    }
    if (state == TERN_FIN_WAIT_2 || state == TERN_TIME_WAIT)
        say(p, A, 1, 2, 0);
    if (state == TERN_CLOSING) {
        say(p, F | A, 1, 1, 0);
        hear(p, A, 2, 2, 0);
        *in = 2;
    }
    if (state == TERN_TIME_WAIT || state == TERN_CLOSE_WAIT || state == TERN_LAST_ACK) {
        peer_shuts(p, *out);
        *in = 2;
    }
    if (state == TERN_LAST_ACK) {
        stack_shuts(p, 2);
        *out = 2;
    }
    rig_hush(p->r);
    if (peer_state(p) != state)
        rig_fail("is in %s instead of %s", tern_state_name(peer_state(p)), tern_state_name(state));
}
