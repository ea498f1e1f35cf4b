/* test_states.c - SEGMENT ARRIVES in every state (RFC 9293 3.10.7): each combination of the six
 * flags, of where the segment stands in the receive window, of what it acknowledges, and of its
 * length, against what is written down here.
 *
 * The expectations follow the RFC's own order: 3.10.7.1 to 3.10.7.4, with RFC 5961 (challenge ACKs)
 * and RFC 1337 (RST in TIME-WAIT). Where an RFC leaves the choice, or tern departs from it, the
 * line says so. Of src/ only the table of the
 * state machine is looked at, to see that all that is in it happens, and nothing else.
 */
#include <stdlib.h>

#include "rig.h"
#include "tcp/states.h"

/* The RFC's states, and those that are kept in two ways here. */
enum where {
    IN_CLOSED,
    IN_LISTEN,
    IN_SYN_SENT,
    IN_SYN_RECEIVED_PASSIVE,      /* an entry of the listener */
    IN_SYN_RECEIVED_SIMULTANEOUS, /* a connection */
    IN_ESTABLISHED,
    IN_FIN_WAIT_1,
    IN_FIN_WAIT_2,
    IN_CLOSE_WAIT,
    IN_CLOSING,
    IN_LAST_ACK,
    IN_TIME_WAIT,        /* its owner has not closed */
    IN_TIME_WAIT_CLOSED, /* it has: 64 bytes are left */
    WHERES
};

static const char *const where_names[WHERES] = {
    "CLOSED",
    "LISTEN",
    "SYN-SENT",
    "SYN-RECEIVED",
    "SYN-RECEIVED (simultaneous)",
    "ESTABLISHED",
    "FIN-WAIT-1",
    "FIN-WAIT-2",
    "CLOSE-WAIT",
    "CLOSING",
    "LAST-ACK",
    "TIME-WAIT",
    "TIME-WAIT (closed)",
};

enum { FLIGHT = 10, TEXT = 10, ISN = 0x7ffffff0, IRS = 0x7fffff00 };

/* The connection as the test has made it; all numbers absolute. */
struct here {
    enum where where;
    uint32_t iss, una, nxt; /* of the stack */
    uint32_t irs, rcv, wnd; /* what it expects of us */
    uint32_t wnd_max;       /* the largest window we have offered */
};

struct probe {
    unsigned flags;
    uint32_t seq, ack, len;
};

/* What must come of it; `flags` 0: silence. */
struct want {
    enum tern_state state;
    unsigned flags;
    uint32_t seq, ack;
};

/* Changes of state that have been seen, told by TERN_TRACE_STATE. */
static bool changed[TERN_STATE_COUNT][TERN_STATE_COUNT];

static void note_change(void *user, const tern_trace *record)
{
    (void)user;
    if (record->kind == TERN_TRACE_STATE)
        changed[record->from][record->to] = true;
}

/* ---- what the RFCs say ----------------------------------------------------------------------- */

static bool before(uint32_t a, uint32_t b) { return (int32_t)(a - b) < 0; }

static struct want stays(enum tern_state state) { return (struct want){.state = state}; }

static struct want acks(enum tern_state state, uint32_t seq, uint32_t ack)
{
    return (struct want){state, A, seq, ack};
}

/* A RST to a segment for which there is nothing: 3.10.7.1, and 3.5.2 group 1 and 2. */
static struct want resets(enum tern_state state, const struct probe *g)
{
    if (g->flags & R)
        return stays(state);
    if (g->flags & A)
        return (struct want){state, R, g->ack, 0};
    uint32_t span = g->len + ((g->flags & S) != 0) + ((g->flags & F) != 0);
    return (struct want){state, R | A, 0, g->seq + span};
}

/* 3.10.7.2. */
static struct want listen_wants(const struct here *h, const struct probe *g)
{
    if (g->flags & R)
        return stays(TERN_CLOSED); /* (no connection: the listener itself is not looked at) */
    if (g->flags & A)
        return resets(TERN_CLOSED, g);
    if (!(g->flags & S))
        return stays(TERN_CLOSED);
    if (g->flags & F) /* it would end before it began: dropped, as Linux does; the RFC is silent */
        return stays(TERN_CLOSED);
    return (struct want){TERN_SYN_RECEIVED, S | A, h->iss, g->seq + 1}; /* text comes again */
}

/* 3.10.7.3. */
static struct want syn_sent_wants(const struct here *h, const struct probe *g)
{
    bool acceptable = g->flags & A && g->ack == h->iss + 1;
    if (g->flags & A && !acceptable)
        return resets(TERN_SYN_SENT, g);
    if (g->flags & R) /* only with an ACK that is acceptable (RFC 5961 3.2; erratum 8167) */
        return stays(acceptable ? TERN_CLOSED : TERN_SYN_SENT);
    if (!(g->flags & S))
        return stays(TERN_SYN_SENT);
    if (!acceptable) /* simultaneous open; text and FIN come again */
        return (struct want){TERN_SYN_RECEIVED, S | A, h->iss, g->seq + 1};
    bool fin = (g->flags & F) != 0;
    return acks(fin ? TERN_CLOSE_WAIT : TERN_ESTABLISHED, h->nxt, g->seq + 1 + g->len + fin);
}

static const enum tern_state state_of[WHERES] = {
    TERN_CLOSED,      TERN_LISTEN,     TERN_SYN_SENT,   TERN_SYN_RECEIVED, TERN_SYN_RECEIVED,
    TERN_ESTABLISHED, TERN_FIN_WAIT_1, TERN_FIN_WAIT_2, TERN_CLOSE_WAIT,   TERN_CLOSING,
    TERN_LAST_ACK,    TERN_TIME_WAIT,  TERN_TIME_WAIT,
};

/* 3.10.7.4, first: table 6. The window is never closed here. One departure: what has no length may
 * stand right behind the window, where a peer that has filled it puts its ACKs (as Linux); not
 * where it would open a connection. */
static bool in_window(const struct here *h, const struct probe *g)
{
    uint32_t span = g->len + ((g->flags & S) != 0) + ((g->flags & F) != 0);
    uint32_t off = g->seq - h->rcv;
    if (span == 0)
        return off < h->wnd || (off == h->wnd && h->where != IN_SYN_RECEIVED_PASSIVE);
    return off < h->wnd || off + span - 1 < h->wnd;
}

/* Seventh and eighth: what is in the window and next. In `state` by now. */
static struct want text_and_fin(const struct here *h, const struct probe *g, enum tern_state state)
{
    uint32_t skip = before(g->seq, h->rcv) ? h->rcv - g->seq : 0;
    bool fin = g->flags & F && g->seq + g->len - h->rcv < h->wnd; /* it stands in the window, */
    bool next = skip <= g->len + fin && !before(h->rcv, g->seq);  /* and nothing is missing */
    uint32_t rcv = h->rcv;
    bool any = g->len != 0 || fin;
    switch (state) {
    case TERN_ESTABLISHED:
    case TERN_FIN_WAIT_1:
    case TERN_FIN_WAIT_2:
        break;
    default: /* there was a FIN: nothing can follow it; it, or what claims to, is acknowledged */
        return any || g->flags & F ? acks(state, h->nxt, rcv) : stays(state);
    }
    if (!any)
        return stays(state);
    if (!next)
        return acks(state, h->nxt, rcv);
    if (g->len > skip)
        rcv += g->len - skip; /* (what fits: TEXT is smaller than the window) */
    if (!fin)
        return acks(state, h->nxt, rcv);
    state = state == TERN_ESTABLISHED  ? TERN_CLOSE_WAIT
            : state == TERN_FIN_WAIT_1 ? TERN_CLOSING
                                       : TERN_TIME_WAIT;
    return acks(state, h->nxt, rcv + 1);
}

/* Fifth, from ESTABLISHED on. */
static struct want ack_wants(const struct here *h, const struct probe *g)
{
    enum tern_state state = state_of[h->where];
    bool acceptable = !before(h->nxt, g->ack) && !before(g->ack, h->una - h->wnd_max);
    if (!acceptable) /* RFC 5961 5.2 */
        return acks(state, h->nxt, h->rcv);
    bool fin_acked = g->ack == h->nxt;
    switch (h->where) {
    case IN_FIN_WAIT_1:
        return text_and_fin(h, g, fin_acked ? TERN_FIN_WAIT_2 : TERN_FIN_WAIT_1);
    case IN_CLOSING: /* there is nothing more to be read in this segment */
        return fin_acked ? stays(TERN_TIME_WAIT) : text_and_fin(h, g, TERN_CLOSING);
    case IN_LAST_ACK:
        return fin_acked ? stays(TERN_CLOSED) : text_and_fin(h, g, TERN_LAST_ACK);
    default:
        return text_and_fin(h, g, state);
    }
}

/* The entry of TIME-WAIT whose owner has gone: 3.10.7.4 as far as it can matter, and 3.6.1. */
static struct want time_wait_wants(const struct here *h, const struct probe *g)
{
    if (g->flags & R)
        return stays(TERN_TIME_WAIT); /* RFC 1337 */
    if (g->flags & S && !(g->flags & A) && before(h->rcv, g->seq)) {
        if (g->flags & F) /* to the listener, which does not take it */
            return stays(TERN_CLOSED);
        return (struct want){TERN_SYN_RECEIVED, S | A, 0, g->seq + 1}; /* a new incarnation */
    }
    if (g->len != 0 || g->flags & (S | F))
        return acks(TERN_TIME_WAIT, h->nxt, h->rcv);
    return stays(TERN_TIME_WAIT); /* an ACK is not answered: both ends could do that for ever */
}

/* 3.10.7.4. */
static struct want synchronized_wants(const struct here *h, const struct probe *given)
{
    struct probe g = *given;
    enum tern_state state = state_of[h->where];
    bool received = state == TERN_SYN_RECEIVED;
    uint32_t seq = received ? h->iss + 1 : h->nxt;
    if (received && g.flags & S && !(g.flags & (R | A)) && g.seq == h->irs)
        return (struct want){state, S | A, h->iss, h->rcv}; /* its SYN again: our answer was lost */
    if (h->where == IN_SYN_RECEIVED_SIMULTANEOUS && (g.flags & (S | A | R)) == (S | A) &&
        g.seq == h->irs) { /* figure 8: its SYN is known, its ACK is news */
        g.flags &= ~(unsigned)S;
        g.seq++;
    }
    if (!in_window(h, &g)) /* first */
        return g.flags & R && g.seq != h->rcv ? stays(state) : acks(state, seq, h->rcv);
    if (g.flags & R) { /* second; RFC 5961 3.2, RFC 1337 */
        if (state == TERN_TIME_WAIT)
            return stays(state);
        if (g.seq - h->rcv >= h->wnd) /* its text reaches into the window, it does not */
            return stays(state);
        return g.seq == h->rcv ? stays(TERN_CLOSED) : acks(state, seq, h->rcv);
    }
    if (g.flags & S) /* fourth; RFC 5961 4.2 */
        return acks(state, seq, h->rcv);
    if (!(g.flags & A)) /* fifth */
        return stays(state);
    if (!received)
        return ack_wants(h, &g);
    if (g.ack != h->iss + 1)
        return resets(state, &g);
    return text_and_fin(h, &g, TERN_ESTABLISHED);
}

static struct want wants(const struct here *h, const struct probe *g)
{
    switch (h->where) {
    case IN_CLOSED:
        return resets(TERN_CLOSED, g);
    case IN_LISTEN:
        return listen_wants(h, g);
    case IN_SYN_SENT:
        return syn_sent_wants(h, g);
    case IN_TIME_WAIT_CLOSED:
        return time_wait_wants(h, g);
    default:
        return synchronized_wants(h, g);
    }
}

/* ---- getting there --------------------------------------------------------------------------- */

static struct peer *plain_peer(struct rig *r)
{
    struct peer *p = peer_new(r);
    p->ts = p->sack = false;
    p->wscale = -1;
    p->wnd = 20000;
    return p;
}

static struct peer *go_there(struct rig *r, enum where where, uint32_t *in, uint32_t *out)
{
    struct peer *p = plain_peer(r);
    *in = *out = 1;
    switch (where) {
    case IN_CLOSED:
        p->lport = 81;
        break;
    case IN_LISTEN:
        break;
    case IN_SYN_SENT:
    case IN_SYN_RECEIVED_SIMULTANEOUS:
        p->lport = 0;
        peer_syn_sent(p);
        if (where == IN_SYN_SENT)
            break;
        say(p, S, 0, 0, 0);
        hear_syn(p, S | A);
        break;
    case IN_SYN_RECEIVED_PASSIVE:
        say(p, S, 0, 0, 0);
        hear_syn(p, S | A);
        break;
    default:
        peer_connects(p, r->listener);
        peer_to_state(p, state_of[where], in, out);
        if (where == IN_TIME_WAIT_CLOSED) {
            assert_int_equal(tern_close(r->s, p->k), 0);
            rig_turn(r);
        }
        break;
    }
    return p;
}

static struct here describe(struct rig *r, struct peer *p, enum where where, uint32_t in,
                            uint32_t out)
{
    struct here h = {.where = where, .iss = r->isn, .irs = p->irs, .wnd_max = p->wnd};
    h.rcv = h.irs + in;
    h.nxt = h.una = h.iss + out;
    h.wnd = p->edge_known ? p->edge - h.rcv : 0;
    if (where == IN_SYN_SENT || where == IN_SYN_RECEIVED_PASSIVE ||
        where == IN_SYN_RECEIVED_SIMULTANEOUS || where == IN_FIN_WAIT_1 || where == IN_CLOSING ||
        where == IN_LAST_ACK)
        h.una--; /* SYN or FIN is under way */
    if (where == IN_ESTABLISHED || where == IN_CLOSE_WAIT) {
        assert_int_equal(peer_write(p, out - 1, FLIGHT), FLIGHT);
        hear(p, A | P, out, in, FLIGHT);
        h.nxt += FLIGHT;
    }
    return h;
}

/* ---- the grid -------------------------------------------------------------------------------- */

enum { SEQS = 7, ACKS = 6, LENS = 3 };
static const char *const seq_names[SEQS] = {"far left of it", "a byte left of it", "at its start",
                                            "in it",          "on its last byte",  "at its end",
                                            "right of it"};
static const char *const ack_names[ACKS] = {"too old",   "old",     "SND.UNA",
                                            "SND.UNA+1", "SND.NXT", "beyond SND.NXT"};

static struct probe probe_of(const struct here *h, unsigned flags, const unsigned at[3])
{
    const uint32_t seqs[SEQS] = {h->rcv - 5000,         h->rcv - 1,          h->rcv,
                                 h->rcv + 100,          h->rcv + h->wnd - 1, h->rcv + h->wnd,
                                 h->rcv + h->wnd + 5000};
    const uint32_t ack[ACKS] = {
        h->una - h->wnd_max - 1, h->una - 1, h->una, h->una + 1, h->nxt, h->nxt + 1};
    static const uint32_t lens[LENS] = {0, 1, TEXT};
    return (struct probe){flags, seqs[at[0]], ack[at[1]], lens[at[2]]};
}

static enum tern_state state_now(struct rig *r, const struct peer *p)
{
    tern_addr local = rig_addr(r->local, p->lport), remote = rig_addr(r->remote, p->port);
    tern_entry e;
    return tern_find(r->s, &local, &remote, &e) == 0 ? (enum tern_state)e.state : TERN_CLOSED;
}

static const char *flag_text(unsigned flags)
{
    static char text[4][8];
    static unsigned turn;
    char *to = text[turn++ % 4];
    unsigned n = 0;
    for (unsigned i = 0; i < 6; i++)
        if (flags & 1u << i)
            to[n++] = "FSRPAU"[i];
    to[n] = 0;
    return n != 0 ? to : "-";
}

static bool as_wanted(const struct want *w, const struct seg *g)
{
    if (w->flags == 0 || g == NULL)
        return w->flags == 0 && g == NULL;
    return (g->flags & 0x3fu) == w->flags && g->len == 0 && (w->seq == 0 || g->seq == w->seq) &&
           (!(w->flags & A) || g->ack == w->ack);
}

static void one_case(struct rig *r, enum where where, unsigned flags, const unsigned at[3])
{
    uint32_t in, out;
    struct peer *p = go_there(r, where, &in, &out);
    struct here h = describe(r, p, where, in, out);
    struct probe probe = probe_of(&h, flags, at);
    struct want w = wants(&h, &probe);
    p->raw_numbers = true; /* the rules of a connection do not hold for what answers nonsense */
    struct seg g = peer_seg(p, flags, probe.seq - p->irs, 0, probe.len);
    g.ack = probe.ack;
    g.urg = 1;
    rig_input_seg(r, &g);
    rig_turn(r);
    bool one = rig_waiting(r) <= 1;
    const struct seg *reply = rig_next(r);
    enum tern_state state = state_now(r, p);
    if (one && as_wanted(&w, reply) && state == w.state)
        return;
    rig_fail("%s, flags %s, seq %s, ack %s, %u bytes:\n    expected %s %s seq %u ack %u\n"
             "    came     %s %s seq %u ack %u%s\n    (iss %u, irs %u, rcv %u, wnd %u)",
             where_names[where], flag_text(flags), seq_names[at[0]], ack_names[at[1]], probe.len,
             tern_state_name(w.state), flag_text(w.flags), w.seq, w.ack, tern_state_name(state),
             flag_text(reply != NULL ? reply->flags & 0x3fu : 0), reply != NULL ? reply->seq : 0,
             reply != NULL ? reply->ack : 0, one ? "" : ", and more", h.iss, h.irs, h.rcv, h.wnd);
}

/* All with one set of flags, on a stack of their own. */
static void one_set(bool ip6, enum where where, unsigned flags, unsigned step)
{
    struct rig *r = malloc(sizeof(*r));
    assert_non_null(r);
    rig_init(r, ip6);
    r->isn = ISN;
    r->irs = IRS;
    r->unclean = true;
    r->cfg.trace = note_change;
    r->listener = rig_listen(r, 80, 1000, 0);
    static unsigned n;
    for (unsigned seq = 0; seq < SEQS; seq++)
        for (unsigned ack = 0; ack < ACKS; ack++)
            for (unsigned len = 0; len < LENS; len++)
                if (n++ % step == 0)
                    one_case(r, where, flags, (const unsigned[]){seq, ack, len});
    rig_end(r);
    free(r);
}

static void every_segment_in(const struct rig *outer, enum where where)
{
    for (unsigned flags = 0; flags < 64; flags++)
        one_set(outer->ip6, where, flags, outer->ip6 ? 5 : 1); /* IPv6: a sample */
}

#define IN(name, where)                                                                            \
    static void name(struct rig *r) { every_segment_in(r, where); }

IN(segments_in_CLOSED, IN_CLOSED)
IN(segments_in_LISTEN, IN_LISTEN)
IN(segments_in_SYN_SENT, IN_SYN_SENT)
IN(segments_in_SYN_RECEIVED, IN_SYN_RECEIVED_PASSIVE)
IN(segments_in_SYN_RECEIVED_of_a_simultaneous_open, IN_SYN_RECEIVED_SIMULTANEOUS)
IN(segments_in_ESTABLISHED, IN_ESTABLISHED)
IN(segments_in_FIN_WAIT_1, IN_FIN_WAIT_1)
IN(segments_in_FIN_WAIT_2, IN_FIN_WAIT_2)
IN(segments_in_CLOSE_WAIT, IN_CLOSE_WAIT)
IN(segments_in_CLOSING, IN_CLOSING)
IN(segments_in_LAST_ACK, IN_LAST_ACK)
IN(segments_in_TIME_WAIT, IN_TIME_WAIT)
IN(segments_in_TIME_WAIT_of_a_closed_socket, IN_TIME_WAIT_CLOSED)

/* ---- the table of the state machine ---------------------------------------------------------- */

/* What no segment brings about: timers, and the owner's calls (some came when the grid's stacks
 * were cleared away). */
static void other_changes(struct rig *r)
{
    uint32_t in, out;
    r->cfg.trace = note_change;
    r->listener = rig_listen(r, 80, 1000, 0);
    struct peer *p = plain_peer(r);
    say(p, S, 0, 0, 0);
    hear_syn(p, S | A);
    rig_step(r, SEC(100)); /* nobody answers */
    rig_forget(r);
    p = go_there(r, IN_TIME_WAIT, &in, &out);
    assert_int_equal(tern_close(r->s, p->k), 0);
    rig_step(r, SEC(100));
    rig_forget(r);
}

/* After all tests above: each row has happened, and nothing that is in none. */
static void every_change_is_in_the_table(struct rig *r)
{
    other_changes(r);
    for (unsigned from = 0; from < TERN_STATE_COUNT; from++)
        for (unsigned to = 0; to < TERN_STATE_COUNT; to++)
            if (changed[from][to] != tcp_may_change((enum tern_state)from, (enum tern_state)to))
                rig_fail("%s to %s: %s", tern_state_name((enum tern_state)from),
                         tern_state_name((enum tern_state)to),
                         changed[from][to] ? "not in the table" : "never happens");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(segments_in_CLOSED),
        RIG(segments_in_LISTEN),
        RIG(segments_in_SYN_SENT),
        RIG(segments_in_SYN_RECEIVED),
        RIG(segments_in_SYN_RECEIVED_of_a_simultaneous_open),
        RIG(segments_in_ESTABLISHED),
        RIG(segments_in_FIN_WAIT_1),
        RIG(segments_in_FIN_WAIT_2),
        RIG(segments_in_CLOSE_WAIT),
        RIG(segments_in_CLOSING),
        RIG(segments_in_LAST_ACK),
        RIG(segments_in_TIME_WAIT),
        RIG(segments_in_TIME_WAIT_of_a_closed_socket),
        RIG(every_change_is_in_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
