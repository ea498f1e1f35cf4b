/* output.c - what a connection may send now, one segment or super-segment at a time: RST, SYN, lost
 * segments, new data, FIN, a window probe, an acknowledgement, in this order. Nothing here looks at
 * timers; that something may go is noted by conn_ready(), and whether it may is decided when the
 * caller asks for output, with the clock of that moment.
 */
#include "tcp/output.h"

/* ---- SYN and RST ----------------------------------------------------------------------------- */

/* The first transmission chooses the ISN, with the clock of now. */
static void choose_iss(struct tcp *t, struct conn *c, struct active *a)
{
    struct tcp_tuple tuple;
    conn_tuple(t, c, &tuple);
    c->iss = keyed_isn(t, &tuple);
    uint32_t queued = c->snd_end - c->snd_nxt;
    c->snd_una = c->iss;
    c->snd_nxt = c->iss + 1;
    c->snd_end = c->snd_nxt + queued;
    a->sack_high = a->recover = a->snd_small = a->used_seq = c->iss;
    a->stalled = t->now;
}

/* What our SYN, or SYN-ACK, offers. */
static void syn_options(const struct tcp *t, const struct conn *c, struct wire_tcp_options *opt)
{
    bool answer = c->state == TERN_SYN_RECEIVED;
    uint32_t ours = t->cfg->features, echo = answer && c->flags & CONN_TS ? c->ts_recent : 0;
    if (answer && !(c->flags & CONN_PASSIVE) && like_linux(t))
        answer = false;       /* a crossing SYN is answered with what ours had */
    opt->have = WIRE_OPT_MSS; /* MUST-14, and always: MAY-3 */
    opt->mss = c->mss_own;

    if (answer ? (c->flags & CONN_SACK) != 0 : (ours & TERN_FEATURE_SACK) != 0)
        opt->have |= WIRE_OPT_SACK_OK;
    if (answer ? (c->flags & CONN_WSCALE) != 0 : (ours & TERN_FEATURE_WSCALE) != 0) {
        opt->have |= WIRE_OPT_WSCALE;
        opt->wscale = answer || c->state == TERN_SYN_SENT ? c->rcv_wscale : tcp_wscale(t, 0);
    }
    if (answer ? (c->flags & CONN_TS) != 0 : (ours & TERN_FEATURE_TIMESTAMPS) != 0) {
        opt->have |= WIRE_OPT_TS;
        opt->tsval = ts_clock(t) + c->ts_offset;
        opt->tsecr = echo;
    }
    opt->plain = bsd(t);
    struct conn_rare *r = conn_rare_of(c);
    if (md5_of(c) != NULL) {
        opt->have |= WIRE_OPT_MD5;
        if (!answer || opt->have & WIRE_OPT_SACK_OK)
            opt->have &= (uint8_t)~WIRE_OPT_TS;
    } else if (answer && r != NULL && r->fo_tell) {
        opt->have |= WIRE_OPT_FASTOPEN;
        opt->fastopen = r->cookie;
        r->fo_tell = false;
    }
}

/* A SYN brings `len` bytes of what is queued (RFC 7413). false: there is no memory. */
static bool attach_to_syn(struct tcp *t, struct conn *c, struct tcp_out *out, uint32_t len)
{
    struct active *a = c->active;
    struct chunk *next;
    struct sent *r = sent_append(t, a, c->snd_nxt, c->snd_nxt + len);
    if (r == NULL)
        return false;
    len = segment_attach(out, a->tx_cursor, 0, len, &next);
    a->tx_cursor = next;
    send_record(t, c, out, r, r->lo + len);
    if (r->hi == c->snd_end)
        r->flags |= SENT_PUSHED;
    c->snd_nxt = r->hi;
    conn_rare_of(c)->fastopen |= FASTOPEN_DATA;
    info_sent(t, c, len, false);
    send_gone(t, c, r);
    return true;
}

static bool send_syn(struct tcp *t, struct conn *c, struct tcp_out *out)
{
    struct active *a = c->active;
    bool first = c->snd_nxt == c->snd_una;
    uint32_t data = 0;
    if (first)
        choose_iss(t, c, a);
    bool answer = c->state == TERN_SYN_RECEIVED;
    struct wire_tcp h = {.sport = c->lport, .dport = c->rport, .seq = c->iss};
    h.flags = answer ? TCP_SYN | TCP_ACK : TCP_SYN;
    h.ack = answer ? c->rcv_nxt : 0;
    h.wnd = segment_window(t, c, true);
    syn_options(t, c, &h.opt);
    if (first && !answer && md5_of(c) == NULL)
        data = fastopen_syn(t, c, &h.opt);
    segment_describe(t, c, out);
    h.flags |= answer ? ecn_answer(t, c, out, &h.opt) : ecn_syn_flags(t, c, out);
    if (md5_of(c) != NULL)
        h.opt.have &= (uint8_t)~WIRE_OPT_ACCECN;
    segment_bare(out);
    if (UNLIKELY(data != 0) && !attach_to_syn(t, c, out, data))
        return false;
    out->tcp_len = (uint16_t)wire_tcp_write(out->tcp, &h);
    if (answer)
        segment_acknowledged(c, a);
    if (first && fastopen_child(c))
        a->cc.cwnd++; /* the SYN's number is no byte of what follows it */
    a->used_tick = t->tick;
    c->flags &= ~(uint32_t)CONN_SYN_DUE;
    if (!first) {
        count(t, TERN_COUNT_RETRANSMITS);
        tcp_trace(t, c,
                  &(tern_trace){
                      .kind = TERN_TRACE_RETRANSMIT, .why = TERN_RTX_SYN, .seq = c->iss, .len = 1});
    }
    rto_arm(t, c);
    return true;
}

static bool send_rst(struct tcp *t, struct conn *c, struct tcp_out *out)
{
    segment_bare(out);
    if (bsd(t)) /* no window */
        memory_rcvbuf_set(t, c, 0), c->rcv_adv = c->rcv_nxt;
    segment_header(t, c, out, TCP_RST, c->snd_nxt);
    count(t, TERN_COUNT_RESETS_OUT);
    c->flags &= ~(uint32_t)CONN_RST_DUE;
    return true;
}

/* RFC 9293 3.10.7: a segment made from another one and no connection. */
void output_reply(const struct tcp_tuple *tuple, uint8_t iface, struct tcp_reply *out)
{
    memset(&out->h, 0, offsetof(struct wire_tcp, opt.sack)); /* (lists only count with a bit) */
    out->tuple = tuple;
    out->key = NULL;
    out->iface = iface;
    out->ttl = 0;
    out->tos = 0;
    out->h.sport = tuple->lport;
    out->h.dport = tuple->rport;
}

void output_reply_ts(const struct tcp *t, struct tcp_reply *out, uint32_t offset, uint32_t echo)
{
    out->h.opt.have = WIRE_OPT_TS;
    out->h.opt.tsval = ts_clock(t) + offset;
    out->h.opt.tsecr = echo;
}

/* ---- the next segment ------------------------------------------------------------------------ */

/* Data waits, nothing is in flight to bring an ACK, and the window forbids: the peer's update may
 * be lost, so ask (MUST-36; the first time after one RTO, SHLD-29). */
static void persist_if_needed(struct tcp *t, struct conn *c)
{
    struct active *a = c->active;
    if (a == NULL || c->snd_nxt != c->snd_una || a->t_rto != 0 || a->t_pace != 0)
        return;
    bool waits = c->snd_end != c->snd_nxt || fin_unsent(c);
    if (!waits)
        return;
    a->persist = true;
    a->stalled = like_linux(t) ? 0 : t->now; /* Linux: until it has probed */
    rto_set(t, c);
    timer_arm(t, c, a->t_rto);
}

static bool may_carry_data(enum tern_state state)
{
    return state == TERN_ESTABLISHED || state == TERN_CLOSE_WAIT || state == TERN_FIN_WAIT_1 ||
           state == TERN_CLOSING || state == TERN_LAST_ACK || state == TERN_SYN_RECEIVED;
}

static bool bare_ack(struct tcp *t, struct conn *c, struct tcp_out *out)
{
    if (!(c->flags & CONN_ACK_DUE))
        return false;
    segment_bare(out);
    segment_header(t, c, out, 0, c->snd_nxt);
    return true;
}

static bool next_segment(struct tcp *t, struct conn *c, struct tcp_out *out, bool *more)
{
    struct active *a = c->active;
    *more = false;
    if (UNLIKELY(c->flags & CONN_RST_DUE))
        return send_rst(t, c, out);
    if (UNLIKELY(c->flags & CONN_SYN_DUE)) {
        if (fastopen_waits(t, c) || !send_syn(t, c, out))
            return false;
        *more = fastopen_child(c);
        return true;
    }
    if (UNLIKELY(c->state < TERN_ESTABLISHED) && !fastopen_child(c))
        return c->state == TERN_SYN_RECEIVED && bare_ack(t, c, out); /* to what is out of place */
    if (a != NULL && may_carry_data((enum tern_state)c->state)) {
        if (send_stream(t, c, out)) {
            *more = a->lost != 0 || c->snd_nxt != c->snd_end + ((c->flags & CONN_FIN_QUEUED) != 0);
            return true;
        }
        persist_if_needed(t, c);
    }
    if (c->flags & CONN_PROBE_DUE && a != NULL)
        return send_probe(t, c, out);
    if (c->flags & CONN_WINDOW_DUE && window_news(t, c, a)) /* else its room has been taken again */
        c->flags |= CONN_ACK_DUE;
    c->flags &= ~(uint32_t)CONN_WINDOW_DUE;
    return bare_ack(t, c, out);
}

static void pop_ready(struct tcp *t, uint8_t iface)
{
    struct tcp_path *path = &t->path[iface];
    struct conn *c = conn_at(t, path->out_head);
    path->out_head = c->out_next;
    if (path->out_head == 0) {
        path->out_tail = 0;
        t->out_mask &= ~((uint64_t)1 << iface);
    }
    c->flags &= ~(uint32_t)CONN_ON_OUT;
}

/* Routes have changed since the connection was listed. false: none leads there now, or another
 * interface's list has it. */
static bool reroute(struct tcp *t, struct conn *c, uint8_t iface)
{
    if (conn_route(t, c) && c->iface == iface)
        return true;
    conn_ready_or_mute(t, c);
    return false;
}

/* A connection nobody owns was waiting to say this: its RST, or the ACK of the peer's FIN. */
static bool last_words(struct tcp *t, struct conn *c, struct tcp_out *out)
{
    bool over = c->state == TERN_CLOSED;
    if (!over && (c->state != TERN_TIME_WAIT || c->flags & CONN_ACK_DUE))
        return false;
    conn_tuple(t, c, &out->tuple);
    out->local = out->tuple.local;
    out->remote = out->tuple.remote;
    if (over)
        conn_free(t, c);
    else
        timewait_enter(t, c);
    return true;
}

static bool connection_output(struct tcp *t, struct conn *c, struct tcp_out *out, bool *more)
{
    bool any = next_segment(t, c, out, more);
    if (any && UNLIKELY(md5_of(c) != NULL))
        md5_sign(t, md5_of(c), out);
    if (c->stats != NULL)
        info_waits(t, c);
    return any;
}

bool tcp_output(struct tcp *t, uint8_t iface, struct tcp_out *out)
{
    const struct tcp_path *path = &t->path[iface];
    while (path->out_head != 0) {
        uint32_t ix = path->out_head;
        struct conn *c = conn_at(t, ix);
        pop_ready(t, iface);
        if (UNLIKELY(c->flags & CONN_ZOMBIE)) {
            if (!(c->flags & CONN_ON_EVENTS))
                slab_free(&t->conns, ix);
            continue;
        }
        bool more;
        if (UNLIKELY(c->route_generation != t->route_generation) && !reroute(t, c, iface))
            continue;
        if (!connection_output(t, c, out, &more))
            continue;
        if (UNLIKELY(c->flags & CONN_ORPHAN) && last_words(t, c, out))
            return true;
        if (more || c->flags & (CONN_ACK_DUE | CONN_PROBE_DUE))
            conn_ready(t, c); /* behind the others */
        return true;
    }
    return false;
}
