/* test_states.c - SEGMENT ARRIVES in every state (RFC 9293 3.10.7), against what grid.c says must
 * come of it. Of src/ only the table of the state machine is looked at, to see that all that is in
 * it happens, and nothing else.
 */
#include <stdlib.h>

#include "grid.h"
#include "tcp/states.h"

enum { ISN = 0x7ffffff0, IRS = 0x7fffff00 };

/* Changes of state that have been seen, told by TERN_TRACE_STATE. */
static bool changed[TERN_STATE_COUNT][TERN_STATE_COUNT];

static void note_change(void *user, const tern_trace *record)
{
    (void)user;
    if (record->kind == TERN_TRACE_STATE)
        changed[record->from][record->to] = true;
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
        peer_to_state(p, grid_state(where), in, out);
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

static enum tern_state state_now(struct rig *r, const struct peer *p)
{
    tern_addr local = rig_addr(r->local, p->lport), remote = rig_addr(r->remote, p->port);
    tern_entry e;
    return tern_find(r->s, &local, &remote, &e) == 0 ? (enum tern_state)e.state : TERN_CLOSED;
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
    struct probe probe = grid_probe(&h, flags, at);
    struct want w = grid_wants(&h, &probe);
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
    rig_fail("%s:\n    expected %s %s seq %u ack %u\n"
             "    came     %s %s seq %u ack %u%s\n    (iss %u, irs %u, rcv %u, wnd %u)",
             grid_text(where, flags, at), tern_state_name(w.state), grid_flags(w.flags), w.seq,
             w.ack, tern_state_name(state), grid_flags(reply != NULL ? reply->flags & 0x3fu : 0),
             reply != NULL ? reply->seq : 0, reply != NULL ? reply->ack : 0,
             one ? "" : ", and more", h.iss, h.irs, h.rcv, h.wnd);
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

/* All of it in both families; with sanitizers a fifth of IPv6, under valgrind a sample of both. (No
 * step divides the 126 segments of a set, so that each set is sampled elsewhere.) */
static unsigned step_of(bool ip6)
{
#ifdef __SANITIZE_ADDRESS__
    return ip6 ? 5 : 1;
#else
    (void)ip6;
    return getenv("TERN_VALGRIND") != NULL ? 11 : 1;
#endif
}

static void every_segment_in(const struct rig *outer, enum where where)
{
    for (unsigned flags = 0; flags < FLAG_SETS; flags++)
        one_set(outer->ip6, where, flags, step_of(outer->ip6));
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
