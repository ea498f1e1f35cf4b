/* output.c - what a connection may send now, one segment or super-segment at a time: RST, SYN, lost
 * segments, new data, FIN, a window probe, an acknowledgement, in this order. Nothing here looks at
 * timers; that something may go is noted by conn_ready(), and whether it may is decided when the
 * caller asks for output, with the clock of that moment.
 */
#include "tcp/tcp.h"

/* ---- headers --------------------------------------------------------------------------------- */

/* The window field; what it promises is remembered. */
static uint16_t offer_window(const struct tcp *t, struct conn *c, bool syn)
{
    uint32_t wnd = reasm_window(t, c, c->active);
    uint32_t scale = syn ? 0 : c->rcv_wscale; /* never scaled on SYN: RFC 7323 2.2 */
    uint32_t field = min_u32(wnd >> scale, UINT16_MAX);
    if (syn)
        field = tcp_first_window(t, field, c->mss_own);
    uint32_t edge = c->rcv_nxt + (field << scale);
    if (seq_gt(edge, c->rcv_adv) || t->cfg->tuning.shrink_window)
        c->rcv_adv = edge;
    return (uint16_t)field;
}

/* An acknowledgement is on its way: what waited to be acknowledged does not any more. */
static void acknowledged(struct conn *c, struct active *a)
{
    c->last_ack_sent = c->rcv_nxt;
    c->flags &= ~(uint32_t)(CONN_ACK_DUE | CONN_WINDOW_DUE);
    delack_sent(c);
    if (a != NULL) {
        a->t_delack = 0;
        a->pushed = 0;
        if (a->quick != 0)
            a->quick--;
    }
}

/* The sum of what every segment of a connection brings with it, payload attached or not. */
static void describe(struct tcp *t, struct conn *c, struct tcp_out *out)
{
    out->local = addrs_at(t->addrs, c->laddr)->ip;
    out->remote = c->raddr;
    out->iface = c->iface;
    out->ttl = c->ttl;
    out->tos = (uint8_t)(c->dscp << 2);
    out->breakable = UNLIKELY(c->flags & CONN_MARKED) && conn_breakable(c);
    count(t, TERN_COUNT_SEGMENTS_OUT);
    if (c->stats != NULL)
        c->stats->segs_out++;
}

/* What follows the timestamp in the options of the next segment. */
struct extras {
    uint32_t blocks; /* SACK, at most */
    bool counters;   /* AccECN */
    struct wire_accecn accecn;
};

/* The most SACK blocks a segment may carry now: what 40 bytes of options have room for, and a small
 * MTU. */
static uint32_t sack_blocks(const struct conn *c, const struct active *a)
{
    if (LIKELY((a->ooo.count == 0 && a->dsack_lo == a->dsack_hi) || !(c->flags & CONN_SACK)))
        return 0;
    uint32_t most = c->flags & CONN_TS ? 3 : WIRE_SACK_MAX;
    if (md5_of(c) != NULL)
        most = c->flags & CONN_TS ? 0 : 2;
    uint32_t blocks = min_u32(a->ooo.count + 1, most);
    while (blocks != 0 && c->mss < 4 + 8 * blocks + 8)
        blocks--;
    return blocks;
}

static void choose_extras(const struct tcp *t, const struct conn *c, struct extras *x)
{
    x->counters = false;
    x->blocks = c->active != NULL ? sack_blocks(c, c->active) : 0;
    if (UNLIKELY(c->ecn != 0) && md5_of(c) == NULL)
        x->counters = ecn_option(t, c, &x->blocks, &x->accecn);
}

/* Writes the header of a segment that acknowledges, with timestamp and SACK as they apply. */
static void write_header(struct tcp *t, struct conn *c, struct tcp_out *out, uint16_t flags,
                         uint32_t seq)
{
    struct active *a = c->active;
    uint8_t *p = out->tcp;
    describe(t, c, out);
    uint8_t *end = wire_tcp_put(p, (uint32_t)c->lport << 16 | c->rport, seq, c->rcv_nxt);
    if (UNLIKELY(md5_of(c) != NULL))
        end = wire_tcp_put_md5(end);
    if (c->flags & CONN_TS)
        end = wire_tcp_put_ts(end, ts_clock(t) + c->ts_offset, c->ts_recent);
    struct extras x;
    choose_extras(t, c, &x);
    if (UNLIKELY(x.counters || x.blocks != 0)) {
        struct wire_sack sack[WIRE_SACK_MAX];
        x.blocks = x.blocks != 0 ? reasm_sacks(t, c, a, sack, x.blocks) : 0;
        end = wire_tcp_put_accecn(end, x.counters ? &x.accecn : NULL, sack, x.blocks);
        if (x.counters)
            ecn_option_sent(t, c);
    }
    if (a != NULL)
        a->used_tick = t->tick;
    if (UNLIKELY(c->ecn != 0))
        flags = ecn_send(t, c, out, flags);
    if (UNLIKELY(c->flags & CONN_MARKED))
        flags |= urgent_mark(c, p, seq);
    out->tcp_len = wire_tcp_close(p, end, flags | TCP_ACK, offer_window(t, c, false));
    acknowledged(c, a);
}

static void no_payload(struct tcp_out *out)
{
    out->departs = 0;
    out->chunk = NULL;
    out->sent = NULL;
    out->chunk_off = out->len = 0;
    out->chunks = out->gso_size = 0;
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

/* ---- segment sizes --------------------------------------------------------------------------- */

/* Payload of one wire segment, with the SACK blocks it may carry. */
static uint32_t payload_mss(const struct tcp *t, const struct conn *c)
{
    struct extras x;
    choose_extras(t, c, &x);
    if (LIKELY(!x.counters && x.blocks == 0))
        return c->mss;
    return c->mss - (uint32_t)wire_tcp_accecn_len(x.counters ? &x.accecn : NULL, x.blocks);
}

/* Attaches up to `len` payload bytes from stream offset `offset` on, in at most SEGMENT_CHUNKS
 * chunks of which the first is `chunk` or comes behind it; takes a reference on each. Returns the
 * bytes attached and in *next the chunk that holds the byte after them. */
static uint32_t attach(struct tcp_out *out, struct chunk *chunk, uint32_t offset, uint32_t len,
                       struct chunk **next)
{
    while (offset - chunk->seq >= chunk->len)
        chunk = chunk->next;
    out->chunk = chunk;
    out->chunk_off = offset - chunk->seq;
    uint32_t done = 0, at = out->chunk_off;
    uint16_t chunks = 0;
    while (done < len && chunks < SEGMENT_CHUNKS) {
        uint32_t n = min_u32(chunk->len - at, len - done);
        chunk_ref(chunk);
        chunks++;
        done += n;
        at += n;
        if (at < chunk->len)
            break;
        at = 0;
        chunk = chunk->next;
        if (chunk == NULL)
            break;
    }
    out->len = done;
    out->chunks = chunks;
    *next = chunk;
    return done;
}

/* Drops references from the end of what is attached until `len` bytes are left. */
static void detach_to(struct tcp *t, struct tcp_out *out, uint32_t len)
{
    struct chunk *chunk = out->chunk;
    uint32_t keep = 0;
    uint16_t chunks = 0;
    for (uint16_t i = 0; i < out->chunks; i++) {
        struct chunk *next = chunk->next;
        uint32_t have = chunk->len - (i == 0 ? out->chunk_off : 0);
        if (keep < len)
            chunks++;
        else
            chunk_unref(t->chunks, chunk);
        keep += have;
        chunk = next;
    }
    out->chunks = chunks;
    out->len = len;
}

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

/* A record has left: timers, and what congestion control wants to know. */
static void sent_now(struct tcp *t, struct conn *c, struct sent *r)
{
    struct active *a = c->active;
    r->flags |= SENT_IN_DEVICE;
    c->last_sent_tick = t->tick;
    if (UNLIKELY(loss_reducing(a)))
        a->prr_out += sent_len(r);
    const tern_cc_ops *ops = t->cc[c->cc];
    if (UNLIKELY(ops->on_send != NULL))
        ops->on_send(&a->cc, sent_len(r), in_flight(c, a), r->time);
    pace_sent(t, c, a, sent_len(r));
}

/* A SYN brings `len` bytes of what is queued (RFC 7413). false: there is no memory. */
static bool attach_to_syn(struct tcp *t, struct conn *c, struct tcp_out *out, uint32_t len)
{
    struct active *a = c->active;
    struct chunk *next;
    struct sent *r = sent_append(t, a, c->snd_nxt, c->snd_nxt + len);
    if (r == NULL)
        return false;
    len = attach(out, a->tx_cursor, 0, len, &next);
    a->tx_cursor = next;
    r->chunk = out->chunk;
    r->hi = r->lo + len;
    sent_stamp(t, c, a, r);
    out->sent = r;
    out->departs = r->time;
    if (r->hi == c->snd_end)
        r->flags |= SENT_PUSHED;
    c->snd_nxt = r->hi;
    conn_rare_of(c)->fastopen |= FASTOPEN_DATA;
    info_sent(t, c, len, false);
    sent_now(t, c, r);
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
    h.wnd = offer_window(t, c, true);
    syn_options(t, c, &h.opt);
    if (first && !answer && md5_of(c) == NULL)
        data = fastopen_syn(t, c, &h.opt);
    describe(t, c, out);
    h.flags |= answer ? ecn_answer(t, c, out, &h.opt) : ecn_syn_flags(t, c, out);
    if (md5_of(c) != NULL)
        h.opt.have &= (uint8_t)~WIRE_OPT_ACCECN;
    no_payload(out);
    if (UNLIKELY(data != 0) && !attach_to_syn(t, c, out, data))
        return false;
    out->tcp_len = (uint16_t)wire_tcp_write(out->tcp, &h);
    if (answer)
        acknowledged(c, a);
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
    no_payload(out);
    if (bsd(t)) /* no window */
        memory_rcvbuf_set(t, c, 0), c->rcv_adv = c->rcv_nxt;
    write_header(t, c, out, TCP_RST, c->snd_nxt);
    count(t, TERN_COUNT_RESETS_OUT);
    c->flags &= ~(uint32_t)CONN_RST_DUE;
    return true;
}

/* ---- data ------------------------------------------------------------------------------------ */

static uint32_t cwnd_left(const struct conn *c, const struct active *a)
{
    uint32_t pipe = in_flight(c, a);
    return a->cc.cwnd > pipe ? a->cc.cwnd - pipe : 0;
}

static uint32_t wnd_left(const struct conn *c)
{
    uint32_t out = c->snd_nxt - c->snd_una; /* may exceed a window that was shrunk: MUST-34 */
    return c->snd_wnd > out ? c->snd_wnd - out : 0;
}

/* Before the third segment of the handshake FIN goes only when the owner has gone too (Linux). */
static bool fin_may_go(const struct conn *c)
{
    return c->state != TERN_SYN_RECEIVED || c->flags & (CONN_ORPHAN | CONN_LINGER);
}

static uint32_t queued_new(const struct conn *c)
{
    return c->flags & CONN_FIN_QUEUED && c->snd_nxt == c->snd_end + 1 ? 0 : c->snd_end - c->snd_nxt;
}

/* Linux fills the window: behind whole segments also with a part of one, as far as Nagle's
 * algorithm lets it. */
static uint32_t to_window(const struct conn *c, const struct active *a, uint32_t wnd, uint32_t mss)
{
    uint32_t part = wnd % mss;
    bool small = c->snd_una != c->snd_nxt && seq_gt(a->snd_small, c->snd_una);
    if (wnd < mss)
        return 0;
    return c->flags & CONN_CORK || (!(c->flags & CONN_NODELAY) && small) ? wnd - part : wnd;
}

/* How many bytes of new data may go now as one output; 0: none (a FIN alone may still). */
static uint32_t new_data(struct tcp *t, struct conn *c, const struct active *a, uint32_t mss)
{
    uint32_t queued = queued_new(c), record = conn_record_left(c);
    bool more = record < queued; /* another record waits behind this one */
    if (UNLIKELY(more))
        queued = record;
    uint32_t wnd = wnd_left(c), cwnd = cwnd_left(c, a);
    uint32_t len = min_u32(queued, min_u32(wnd, cwnd));
    if (UNLIKELY(cwnd < mss) && queued > len && cwnd < wnd)
        cwnd_used(t, c, true);
    struct tso_room room = {.queued = queued, .wnd = wnd, .cwnd = cwnd, .mss = mss};
    if (len > mss && tso_waits(t, c, a, &room)) {
        if (cwnd < wnd)
            cwnd_used(t, c, true);
        return 0;
    }
    len = min_u32(len, tso_segs_new(t, c, a, mss) * mss);
    if (like_linux(t) && len == wnd && len < queued)
        return to_window(c, a, len, mss);
    if (len >= mss && len < queued)
        return len - len % mss;
    uint32_t tail = len % mss;
    if (tail == 0)
        return len;
    if (len < queued) {
        /* cut short by a window: RFC 9293 3.8.6.2.1. The persist timer overrides. */
        if (cwnd <= wnd)
            return c->snd_nxt == c->snd_una ? len : 0;
        return len >= c->snd_wnd_max / 2 ? len : 0;
    }
    /* the end of the queue: Nagle with Minshall's change, or cork */
    bool wait = c->flags & CONN_CORK ||
                (!(c->flags & (CONN_NODELAY | CONN_FIN_QUEUED)) && c->snd_una != c->snd_nxt &&
                 (bsd(t) || seq_gt(a->snd_small, c->snd_una)));
    if (c->flags & CONN_FIN_QUEUED || more || urgent_mode(c))
        wait = false;
    return wait ? len - tail : len;
}

/* Sends `len` bytes of new data, or a FIN alone. */
static bool send_new(struct tcp *t, struct conn *c, struct tcp_out *out, uint32_t len)
{
    struct active *a = c->active;
    uint32_t mss = payload_mss(t, c);
    uint32_t lo = c->snd_nxt;
    struct sent *r = sent_append(t, a, lo, lo + len);
    if (r == NULL) {
        rto_arm(t, c); /* tries again then */
        return false;
    }
    no_payload(out);
    if (len != 0) {
        struct chunk *next;
        len = attach(out, a->tx_cursor, lo - c->iss - 1, len, &next);
        if (UNLIKELY(out->chunks == SEGMENT_CHUNKS) && len > mss && lo + len != c->snd_end)
            detach_to(t, out, len -= len % mss), next = out->chunk;
        a->tx_cursor = next;
        if (len < mss || len % mss != 0)
            a->snd_small = lo + len;
        if (a->t_delack != 0 || c->flags & CONN_ACK_DUE || info_just_received(t, c))
            a->interactive = true;
    }
    uint16_t flags = len != 0 && len == conn_record_left(c) ? TCP_PSH : 0;
    if (lo + len == c->snd_end) {
        flags = len != 0 ? TCP_PSH : 0; /* MUST-61 */
        if (c->flags & CONN_FIN_QUEUED && wnd_left(c) > len && fin_may_go(c)) {
            flags |= TCP_FIN;
            r->flags |= SENT_FIN;
        }
    }
    if (flags & TCP_PSH)
        r->flags |= SENT_PUSHED;
    if (len > mss)
        flags |= TCP_PSH; /* lets a receiver that joins segments hand them on at once */
    r->chunk = out->chunk;
    r->hi = lo + len + ((flags & TCP_FIN) != 0);
    sent_stamp(t, c, a, r);
    out->sent = r;
    out->departs = r->time;
    out->gso_size = (uint16_t)(len > mss ? mss : 0);
    write_header(t, c, out, len != 0 ? flags | ECN_FRESH : flags, lo);
    if (c->snd_una == c->snd_nxt)
        a->stalled = t->now;
    c->snd_nxt = r->hi;
    conn_records_sent(c);
    info_sent(t, c, len, false);
    sent_now(t, c, r);
    cwnd_used(t, c, in_flight(c, a) >= a->cc.cwnd);
    rto_arm(t, c);
    tlp_arm(t, c);
    if (c->snd_nxt == c->snd_end && a->lost == 0 && in_flight(c, a) < a->cc.cwnd) {
        a->app_limited = true;
        a->app_limit = a->delivered + in_flight(c, a);
    }
    return true;
}

/* A record once more, up to `len` bytes of payload of it. */
static bool send_again(struct tcp *t, struct conn *c, struct tcp_out *out, struct sent *r,
                       uint32_t len)
{
    struct active *a = c->active;
    uint32_t mss = payload_mss(t, c);
    bool fin = (r->flags & SENT_FIN) != 0;
    if (sent_len(r) - fin > len && sent_split(t, c, a, r, r->lo + len) == NULL)
        return false;
    fin = (r->flags & SENT_FIN) != 0;
    len = sent_len(r) - fin;
    uint16_t flags = fin ? TCP_FIN : 0;
    no_payload(out);
    if (len != 0) {
        struct chunk *next;
        uint32_t got = attach(out, r->chunk, r->lo - c->iss - 1, len, &next);
        if (UNLIKELY(got < len)) { /* many small chunks, joined into one record by SACKs */
            if (sent_split(t, c, a, r, r->lo + got) == NULL) {
                detach_to(t, out, 0);
                return false;
            }
            flags = 0;
            len = got;
        }
        bool end = like_linux(t) ? (r->flags & SENT_PUSHED) != 0 : r->lo + len == c->snd_end;
        if (end || len > mss)
            flags |= TCP_PSH;
    }
    uint32_t segs = (sent_len(r) + mss - 1) / mss;
    if (!a->retrans_any) {
        a->retrans_any = true;
        a->retrans_ts = ts_clock(t) + c->ts_offset;
    }
    a->undo_segs = (int32_t)segs + (a->undo_segs < 0 ? 0 : a->undo_segs);
    a->retrans_segs += segs;
    write_header(t, c, out, flags, r->lo);
    sent_mark(a, r, SENT_AGAIN);
    r->flags |= SENT_RETRANS;
    sent_stamp(t, c, a, r);
    out->sent = r;
    out->departs = r->time;
    out->gso_size = (uint16_t)(len > mss ? mss : 0);
    info_sent(t, c, len, true);
    sent_now(t, c, r);
    return true;
}

/* A segment outside of a window that was shrunk is not sent again: SHLD-16. */
static bool inside_window(const struct conn *c, uint32_t seq)
{
    return seq - c->snd_una < c->snd_wnd || seq == c->snd_una;
}

/* Linux: of one that reaches over its edge, only what is inside; at zero, a segment as a probe. */
static uint32_t inside_shrunk(const struct conn *c, const struct sent *r, uint32_t len,
                              uint32_t mss)
{
    uint32_t edge = c->snd_una + c->snd_wnd;
    uint32_t room = seq_gt(edge, r->lo) ? edge - r->lo : mss;
    if (len <= room)
        return len;
    return room >= mss ? room - room % mss : room;
}

static void trace_again(struct tcp *t, const struct conn *c, const struct sent *r,
                        enum tern_retransmit_why why)
{
    tcp_trace(t, c,
              &(tern_trace){.kind = TERN_TRACE_RETRANSMIT,
                            .why = (uint8_t)why,
                            .seq = r->lo,
                            .len = sent_len(r)});
}

/* The first record marked lost, if the congestion window has room for a segment of it. */
static bool send_lost(struct tcp *t, struct conn *c, struct tcp_out *out)
{
    struct active *a = c->active;
    struct sent *r = a->lost_from != NULL ? a->lost_from : a->sent_head;
    while (r != NULL && !(r->flags & SENT_LOST))
        r = r->next;
    a->lost_from = r;
    while (r != NULL && (r->flags & (SENT_LOST | SENT_IN_DEVICE)) != SENT_LOST)
        r = r->next;
    if (r == NULL)
        return false;
    uint32_t mss = payload_mss(t, c);
    uint32_t room = cwnd_left(c, a);
    if (room < min_u32(mss, sent_len(r)) && !a->force && in_flight(c, a) != 0) {
        cwnd_used(t, c, true);
        return false;
    }
    if (!inside_window(c, r->lo))
        return false;
    uint32_t len = min_u32(tso_segs(t, c, a, mss) * mss, max_u32(room - room % mss, mss));
    if (like_linux(t))
        len = inside_shrunk(c, r, len, mss);
    if (!send_again(t, c, out, r, len))
        return false;
    a->force = false;
    trace_again(t, c, r, a->phase == LOSS_RTO ? TERN_RTX_RTO : TERN_RTX_FAST);
    if (r == a->sent_head)
        rto_restart(t, c);
    else
        rto_arm(t, c);
    return true;
}

/* ---- probes ---------------------------------------------------------------------------------- */

/* RFC 8985 7.3: a segment of new data whatever cwnd and Nagle say, or else the last one again. */
static bool send_tail_probe(struct tcp *t, struct conn *c, struct tcp_out *out)
{
    struct active *a = c->active;
    struct sent *r = a->sent_tail;
    a->tlp = TLP_NONE;
    if (r == NULL)
        return false; /* all was acknowledged meanwhile */
    uint32_t mss = payload_mss(t, c);
    uint32_t len = min_u32(queued_new(c), min_u32(wnd_left(c), mss));
    if (len != 0) {
        if (!send_new(t, c, out, len))
            return false;
        a->tlp = TLP_NEW;
    } else {
        uint32_t payload = sent_len(r) - ((r->flags & SENT_FIN) != 0);
        uint32_t last = r->lo + (payload > mss ? (payload - 1) / mss * mss : 0);
        if (r->flags & (SENT_IN_DEVICE | SENT_SACKED | SENT_LOST) || !inside_window(c, last)) {
            if (like_linux(t)) { /* the timer it came for is that of the first segment again */
                uint64_t due = a->sent_head->time + rto_of(t, c);
                a->t_rto = tick_after(t, due > t->now ? due - t->now : 0);
                timer_arm(t, c, a->t_rto);
            }
            return false;
        }
        if (last != r->lo && (r = sent_split(t, c, a, r, last)) == NULL)
            return false;
        if (!send_again(t, c, out, r, mss))
            return false;
        a->tlp = a->phase == LOSS_RECOVERY ? TLP_NEW : TLP_RETRANS; /* one reduction is enough */
        trace_again(t, c, r, TERN_RTX_PROBE);
    }
    a->tlp_high = c->snd_nxt;
    a->t_probe = 0;
    count(t, TERN_COUNT_PROBES);
    rto_restart(t, c);
    return true;
}

/* RFC 9293 3.8.6.1, Linux's way: nothing of the stream, but a number the peer has acknowledged, so
 * that it must answer with its window. With a window too small for silly-window avoidance the
 * persist timer sends what fits. */
static bool send_probe(struct tcp *t, struct conn *c, struct tcp_out *out)
{
    struct active *a = c->active;
    c->flags &= ~(uint32_t)CONN_PROBE_DUE;
    uint32_t len = min_u32(wnd_left(c), queued_new(c));
    count(t, TERN_COUNT_PROBES);
    if (len == 0 || c->snd_nxt != c->snd_una) {
        bool urgent = UNLIKELY(c->flags & CONN_MARKED) && urgent_probe(c);
        no_payload(out);
        write_header(t, c, out, 0, c->snd_una - !urgent);
        if (urgent) /* another one follows */
            c->flags |= CONN_PROBE_DUE;
        return true;
    }
    len = min_u32(len, payload_mss(t, c));
    struct sent *r = sent_append(t, a, c->snd_nxt, c->snd_nxt + len);
    if (r == NULL)
        return false;
    no_payload(out);
    struct chunk *next;
    len = attach(out, a->tx_cursor, c->snd_nxt - c->iss - 1, len, &next);
    write_header(t, c, out, TCP_PSH | ECN_FRESH, c->snd_nxt);
    a->tx_cursor = next;
    r->chunk = out->chunk;
    r->hi = r->lo + len;
    sent_stamp(t, c, a, r);
    out->sent = r;
    out->departs = r->time;
    r->flags |= SENT_PUSHED;
    a->snd_small = r->hi;
    a->stalled = t->now;
    c->snd_nxt = r->hi;
    info_sent(t, c, len, false);
    sent_now(t, c, r);
    rto_restart(t, c);
    return true;
}

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

/* ---- the next segment ------------------------------------------------------------------------ */

static bool may_carry_data(enum tern_state state)
{
    return state == TERN_ESTABLISHED || state == TERN_CLOSE_WAIT || state == TERN_FIN_WAIT_1 ||
           state == TERN_CLOSING || state == TERN_LAST_ACK || state == TERN_SYN_RECEIVED;
}

/* New data in one segment that is larger than any before (mtu.c). */
static bool send_larger(struct tcp *t, struct conn *c, struct tcp_out *out, uint32_t len)
{
    struct active *a = c->active;
    uint32_t small = a->snd_small;
    if (!send_new(t, c, out, len))
        return false;
    a->snd_small = small;
    if (out->len == len) { /* (not cut short, by many small chunks) */
        out->gso_size = 0;
        mtu_probe_sent(t, c, len);
    }
    return true;
}

static bool try_new(struct tcp *t, struct conn *c, struct tcp_out *out)
{
    if (c->snd_nxt == c->snd_end + ((c->flags & CONN_FIN_QUEUED) != 0))
        return false;
    const struct active *a = c->active;
    if (UNLIKELY(t->cfg->mtu_probing != 0)) {
        uint32_t larger = mtu_probe_len(t, c, payload_mss(t, c));
        if (larger != 0)
            return send_larger(t, c, out, larger);
    }
    uint32_t mss = payload_mss(t, c), len = new_data(t, c, a, mss);
    if (len == 0 && !(fin_unsent(c) && wnd_left(c) > 0 && fin_may_go(c)))
        return false;
    if (c->snd_una == c->snd_nxt) {
        cwnd_idle(t, c); /* before it is used: RFC 5681 4.1 */
        len = new_data(t, c, a, mss);
    }
    return send_new(t, c, out, len);
}

/* What is lost goes first, unless F-RTO wants to hear what becomes of new data (RFC 5682). */
static bool send_stream(struct tcp *t, struct conn *c, struct tcp_out *out)
{
    struct active *a = c->active;
    if (UNLIKELY(a->tlp == TLP_DUE) && send_tail_probe(t, c, out))
        return true;
    if (UNLIKELY(a->pace_at != 0) && pace_waits(t, c))
        return false;
    if (UNLIKELY(a->frto == FRTO_WAIT)) {
        if (try_new(t, c, out))
            return true;
        if (seq_gt(c->snd_nxt, a->recover))
            return false;
        a->frto = FRTO_OFF;
    }
    return (UNLIKELY(a->lost != 0) && send_lost(t, c, out)) || try_new(t, c, out);
}

static bool bare_ack(struct tcp *t, struct conn *c, struct tcp_out *out)
{
    if (!(c->flags & CONN_ACK_DUE))
        return false;
    no_payload(out);
    write_header(t, c, out, 0, c->snd_nxt);
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
    if (!conn_ready(t, c) && c->flags & CONN_RST_DUE && c->flags & CONN_ORPHAN)
        conn_free(t, c);
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

/* ---- the send queue -------------------------------------------------------------------------- */

void output_release(struct tcp *t, struct conn *c, struct active *a)
{
    uint32_t acked = c->snd_una - c->iss - 1; /* stream offset; beyond the end when FIN is in it */
    uint32_t end = c->snd_end - c->iss - 1;
    acked = seq_min(acked, end);
    struct chunk *k;
    while ((k = a->txq_head) != NULL && k != a->tx_reserved) {
        if (seq_gt(k->seq + k->len, acked))
            break;
        a->txq_head = k->next;
        if (a->tx_cursor == k)
            a->tx_cursor = k->next;
        if (k->next == NULL)
            a->txq_tail = NULL;
        queue_unref(t, a, k);
    }
}

/* Room for two windows: what is in flight, and what is to replace it. What is SACKed stays as well,
 * until the hole before it is filled, which may take several round trips; it is not in flight. */
uint32_t sndbuf_of(const struct tcp *t, const struct conn *c, const struct active *a)
{
    if (c->flags & CONN_SNDBUF_FIXED || memory_tight(t))
        return c->sndbuf;
    uint32_t cwnd = a != NULL ? a->cc.cwnd : c->cwnd;
    if (a != NULL && a->phase > LOSS_CWR)
        cwnd = max_u32(cwnd, a->prior_cwnd); /* it comes back: do not starve for it */
    uint32_t grown = cwnd > CWND_MAX ? UINT32_MAX : 2 * cwnd;
    if (a != NULL)
        grown += min_u32(a->sacked, UINT32_MAX - grown);
    return max_u32(c->sndbuf, min_u32(grown, t->cfg->sndbuf_max));
}
