/* timewait.c - TIME-WAIT of connections whose owner has closed and to whom nothing is owed: 64
 * bytes that acknowledge the peer's FIN again if it comes again, keep the tuple from being reused
 * too soon, and let a new incarnation through when it is provably new (RFC 9293 3.6.1, RFC 6191).
 *
 * When the slab is full, the entry nearest to its end gives way.
 */
#include "tcp/tcp.h"

static void trace_state(struct tcp *t, const struct timewait *w)
{
    if (t->cfg->trace == NULL)
        return;
    tern_trace record = {.now = t->now,
                         .kind = TERN_TRACE_STATE,
                         .from = TERN_TIME_WAIT,
                         .to = TERN_CLOSED,
                         .local.port = w->lport,
                         .peer.port = w->rport};
    memcpy(record.local.ip, addrs_at(t->addrs, w->laddr)->ip, 16);
    memcpy(record.peer.ip, w->raddr, 16);
    t->cfg->trace(t->cfg->user, &record);
}

void timewait_free(struct tcp *t, uint32_t ix)
{
    struct timewait *w = timewait_at(t, ix);
    struct tcp_tuple tuple = {.rport = w->rport, .lport = w->lport};
    memcpy(tuple.remote, w->raddr, 16);
    memcpy(tuple.local, addrs_at(t->addrs, w->laddr)->ip, 16);
    trace_state(t, w);
    flowtab_remove(&t->flows, tcp_flow_hash(t, &tuple), ref_make(REF_TIMEWAIT, ix));
    wheel_clear(&t->timewait_wheel, ix);
    addrs_unref(t->addrs, w->laddr);
    slab_free(&t->timewaits, ix);
}

static uint32_t alloc(struct tcp *t)
{
    uint32_t ix = slab_alloc(&t->timewaits);
    if (ix != 0)
        return ix;
    uint32_t oldest = wheel_first(&t->timewait_wheel);
    if (oldest == 0)
        return 0;
    count(t, TERN_COUNT_TIMEWAIT_RECYCLED);
    timewait_free(t, oldest);
    return slab_alloc(&t->timewaits);
}

void timewait_enter(struct tcp *t, struct conn *c)
{
    TERN_ASSERT(c->state == TERN_TIME_WAIT && c->flags & CONN_IN_TABLE);
    uint32_t ix = md5_of(c) == NULL ? alloc(t) : 0;
    if (ix == 0) { /* a key is needed, or there is no memory: the connection itself waits */
        timer_arm(t, c, c->t_close);
        return;
    }
    struct timewait *w = timewait_at(t, ix);
    w->laddr = c->laddr;
    addrs_ref(t->addrs, c->laddr);
    memcpy(w->raddr, c->raddr, 16);
    w->rport = c->rport;
    w->lport = c->lport;
    w->snd_nxt = c->snd_nxt;
    w->rcv_nxt = c->rcv_nxt;
    w->rcv_wnd = (uint16_t)min_u32((c->rcv_adv - c->rcv_nxt) >> c->rcv_wscale, UINT16_MAX);
    w->answered_ms = (uint16_t)(ts_clock(t) - t->cfg->tuning.invalid_ms);
    w->ts_recent = c->ts_recent;
    w->ts_offset = c->ts_offset;
    w->flags = c->flags & CONN_TS ? TIMEWAIT_TS : 0;
    w->ttl = c->ttl;
    w->tos = (uint8_t)(c->dscp << 2);
    w->rcv_wscale = c->rcv_wscale;
    uint32_t left = c->t_close - t->tick;
    flowtab_replace(&t->flows, c->hash, ref_make(REF_CONN, c->self), ref_make(REF_TIMEWAIT, ix));
    c->flags &= ~(uint32_t)CONN_IN_TABLE;
    if (t->last_ref == ref_make(REF_CONN, c->self))
        t->last_ref = 0;
    tcp_wheel_set(t, &t->timewait_wheel, ix, t->tick64 + left);
    count(t, TERN_COUNT_TIMEWAITS);
    conn_free(t, c);
}

static void answer(struct tcp *t, const struct timewait *w, const struct tcp_seg *seg)
{
    struct tcp_reply out;
    output_reply(&seg->tuple, seg->iface, &out);
    out.ttl = w->ttl;
    out.tos = w->tos;
    out.h.flags = TCP_ACK;
    out.h.seq = w->snd_nxt;
    out.h.ack = w->rcv_nxt;
    out.h.wnd = w->rcv_wnd;
    if (w->flags & TIMEWAIT_TS)
        output_reply_ts(t, &out, w->ts_offset, w->ts_recent);
    t->host.reply(t->host.context, &out);
}

/* RFC 6191 2: a SYN that can only be of a new incarnation. */
static bool is_new(const struct timewait *w, const struct wire_tcp *h)
{
    bool later = seq_gt(h->seq, w->rcv_nxt);
    if (!(w->flags & TIMEWAIT_TS) || !(h->opt.have & WIRE_OPT_TS))
        return later;
    return seq_gt(h->opt.tsval, w->ts_recent) || (h->opt.tsval == w->ts_recent && later);
}

/* What may still come: an acknowledgement of our FIN. */
static bool acceptable_ack(const struct timewait *w, const struct tcp_seg *seg)
{
    return seg->h.seq == w->rcv_nxt && seg->len == 0 && !(seg->h.flags & (TCP_SYN | TCP_FIN));
}

/* As Linux does: whatever does not belong there makes the wait begin anew, and what brings no data
 * is answered now and then. */
static void answer_unacceptable(struct tcp *t, uint32_t ix, const struct tcp_seg *seg, bool old)
{
    struct timewait *w = timewait_at(t, ix);
    bool data = seg->len != 0 || seg->h.flags & TCP_FIN;
    if (old || seg->h.flags & TCP_ACK)
        tcp_wheel_set(t, &t->timewait_wheel, ix, t->tick64 + ticks_of(2 * t->cfg->msl));
    if (!data || seg->h.flags & TCP_SYN) {
        if ((uint16_t)(ts_clock(t) - w->answered_ms) < t->cfg->tuning.invalid_ms)
            return;
        w->answered_ms = (uint16_t)ts_clock(t);
    }
    answer(t, w, seg);
}

enum tern_drop timewait_input(struct tcp *t, uint32_t ix, struct tcp_seg *seg)
{
    struct timewait *w = timewait_at(t, ix);
    const struct wire_tcp *h = &seg->h;
    if (h->flags & TCP_RST) {
        bool exact = h->seq == w->rcv_nxt && !t->cfg->tuning.rfc1337;
        if (exact)
            timewait_free(t, ix);
        return TERN_DROP_TCP_RST; /* RFC 1337: it would end the wait that protects us */
    }
    if (h->flags & TCP_SYN && !(h->flags & TCP_ACK) && is_new(w, h) &&
        listen_would_take(t, &seg->tuple)) {
        uint32_t floor = w->snd_nxt;
        count(t, TERN_COUNT_TIMEWAIT_RECYCLED);
        timewait_free(t, ix);
        return listen_input(t, seg, &floor);
    }
    bool old =
        w->flags & TIMEWAIT_TS && h->opt.have & WIRE_OPT_TS && seq_lt(h->opt.tsval, w->ts_recent);
    if (h->flags & TCP_FIN && !old && h->seq + seg->len + 1 == w->rcv_nxt) {
        /* its FIN again, so our ACK of it was lost: the wait begins anew */
        tcp_wheel_set(t, &t->timewait_wheel, ix, t->tick64 + ticks_of(2 * t->cfg->msl));
        answer(t, w, seg);
        return TERN_DROP_TCP_DUPLICATE;
    }
    if (like_linux(t) && !acceptable_ack(w, seg))
        answer_unacceptable(t, ix, seg, old);
    else if (seg->len != 0 || h->flags & (TCP_SYN | TCP_FIN))
        answer(t, w, seg); /* a bare ACK is not answered, so two ends cannot keep each other busy */
    return old ? TERN_DROP_TCP_PAWS : TERN_DROP_TCP_SEQUENCE;
}
