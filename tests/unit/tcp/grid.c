/* grid.c - what the RFCs say to every segment in every state. */
#include <stdio.h>

#include "grid.h"

const char *const grid_where[WHERES] = {
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

const char *const grid_seq[SEQS] = {"far left of it", "a byte left of it", "at its start",
                                    "in it",          "on its last byte",  "at its end",
                                    "right of it"};
const char *const grid_ack[ACKS] = {"too old",   "old",     "SND.UNA",
                                    "SND.UNA+1", "SND.NXT", "beyond SND.NXT"};

struct probe grid_probe(const struct here *h, unsigned flags, const unsigned at[3])
{
    const uint32_t seqs[SEQS] = {h->rcv - 5000,         h->rcv - 1,          h->rcv,
                                 h->rcv + 100,          h->rcv + h->wnd - 1, h->rcv + h->wnd,
                                 h->rcv + h->wnd + 5000};
    const uint32_t ack[ACKS] = {
        h->una - h->wnd_max - 1, h->una - 1, h->una, h->una + 1, h->nxt, h->nxt + 1};
    static const uint32_t lens[LENS] = {0, 1, TEXT};
    return (struct probe){flags, seqs[at[0]], ack[at[1]], lens[at[2]]};
}

const char *grid_flags(unsigned flags)
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

const char *grid_text(enum where where, unsigned flags, const unsigned at[3])
{
    static char text[160];
    static const unsigned lens[LENS] = {0, 1, TEXT};
    snprintf(text, sizeof(text), "%s, flags %s, seq %s, ack %s, %u bytes", grid_where[where],
             grid_flags(flags), grid_seq[at[0]], grid_ack[at[1]], lens[at[2]]);
    return text;
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

struct want grid_wants(const struct here *h, const struct probe *g)
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

enum tern_state grid_state(enum where where) { return state_of[where]; }
