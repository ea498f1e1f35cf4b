/* send.c - what of the stream may go now: what is lost, new data as far as the windows, Nagle's
 * algorithm and the pace allow, a probe of the tail or of a closed window. Also the queue that all
 * of it comes from.
 */
#include "tcp/output.h"

/* ---- data ------------------------------------------------------------------------------------ */

void send_gone(struct tcp *t, struct conn *c, struct sent *r)
{
    struct active *a = c->active;
    r->flags |= SENT_IN_DEVICE;
    c->last_sent_tick = t->tick;
    if (UNLIKELY(loss_reducing(a)))
        a->prr_out += sent_len(r) + sent_slack(a, r);
    const tern_cc_ops *ops = t->cc[c->cc];
    if (UNLIKELY(ops->on_send != NULL))
        ops->on_send(&a->cc, sent_len(r), in_flight(c, a), r->time);
    pace_sent(t, c, a, sent_len(r));
}

static uint32_t cwnd_left(const struct conn *c, const struct active *a)
{
    uint32_t pipe = in_pipe(c, a);
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

/* Sends `len` bytes of new data in segments of `mss`, or a FIN alone. */
static bool send_new(struct tcp *t, struct conn *c, struct tcp_out *out, uint32_t len, uint32_t mss)
{
    struct active *a = c->active;
    uint32_t lo = c->snd_nxt;
    struct sent *r = sent_append(t, a, lo, lo + len);
    if (r == NULL) {
        rto_arm(t, c); /* tries again then */
        return false;
    }
    segment_bare(out);
    if (len != 0) {
        struct chunk *next;
        len = segment_attach(out, a->tx_cursor, lo - c->iss - 1, len, &next);
        if (UNLIKELY(out->chunks == SEGMENT_CHUNKS) && len > mss && lo + len != c->snd_end)
            segment_detach(t, out, len -= len % mss), next = out->chunk;
        a->tx_cursor = next;
        if (len < mss || len % mss != 0)
            a->snd_small = lo + len;
        if (a->t_delack != 0 || c->flags & CONN_ACK_DUE || info_just_received(t, c))
            a->answers = (uint8_t)min_u32(a->answers + 1u, ANSWERS_ALWAYS);
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
    if (len != 0 && len == conn_record_left(c))
        r->flags |= SENT_RECORD;
    if (len > mss)
        flags |= TCP_PSH; /* lets a receiver that joins segments hand them on at once */
    send_record(t, c, out, r, lo + len + ((flags & TCP_FIN) != 0));
    out->gso_size = (uint16_t)(len > mss ? mss : 0);
    segment_header(t, c, out, len != 0 ? flags | ECN_FRESH : flags, lo);
    if (c->snd_una == c->snd_nxt)
        a->stalled = t->now;
    c->snd_nxt = r->hi;
    conn_records_sent(c);
    info_sent(t, c, len, false);
    send_gone(t, c, r);
    cwnd_used(t, c, in_pipe(c, a) >= a->cc.cwnd);
    rto_arm(t, c);
    tlp_arm(t, c);
    if (c->snd_nxt == c->snd_end && a->lost == 0 && in_pipe(c, a) < a->cc.cwnd) {
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
    uint32_t mss = segment_mss(t, c);
    bool fin = (r->flags & SENT_FIN) != 0;
    if (sent_len(r) - fin > len && sent_split(t, c, a, r, r->lo + len) == NULL)
        return false;
    fin = (r->flags & SENT_FIN) != 0;
    len = sent_len(r) - fin;
    uint16_t flags = fin ? TCP_FIN : 0;
    segment_bare(out);
    if (len != 0) {
        struct chunk *next;
        uint32_t got = segment_attach(out, r->chunk, r->lo - c->iss - 1, len, &next);
        if (UNLIKELY(got < len)) { /* many small chunks, joined into one record by SACKs */
            if (sent_split(t, c, a, r, r->lo + got) == NULL) {
                segment_detach(t, out, 0);
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
    a->undo_segs = (int32_t)segs + (a->undo_segs < 0 ? 0 : a->undo_segs);
    a->retrans_segs += segs;
    sent_mark(a, r, SENT_AGAIN);
    r->flags |= SENT_RETRANS;
    sent_stamp(t, c, a, r);
    out->sent = r;
    out->departs = r->time;
    if (!a->retrans_any) {
        a->retrans_any = true;
        a->retrans_ts = ts_of(t, r->time) + c->ts_offset;
    }
    segment_header(t, c, out, flags, r->lo);
    out->gso_size = (uint16_t)(len > mss ? mss : 0);
    info_sent(t, c, len, true);
    send_gone(t, c, r);
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

/* Linux: small ones become one, as far as they fit. */
static void collapse(struct tcp *t, struct conn *c, struct sent *r, uint32_t mss)
{
    uint32_t edge = c->snd_una + c->snd_wnd;
    uint32_t most = seq_gt(edge, r->lo) ? min_u32(edge - r->lo, mss) : mss;
    const struct sent *next;
    while ((next = r->next) != NULL && sent_len(r) < most && !(r->flags & SENT_RECORD) &&
           !(next->flags & SENT_SACKED)) {
        uint32_t data = next->hi - r->lo - ((next->flags & SENT_FIN) != 0);
        if (data > most || seq_gt(next->hi, edge) || !sent_merge(t, c->active, r))
            return;
    }
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
    uint32_t mss = segment_mss(t, c);
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
    if (UNLIKELY(t->cfg->tuning.collapse))
        collapse(t, c, r, mss);
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
    uint32_t mss = segment_mss(t, c);
    uint32_t len = min_u32(queued_new(c), min_u32(wnd_left(c), mss));
    if (len != 0) {
        if (!send_new(t, c, out, len, mss))
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

bool send_probe(struct tcp *t, struct conn *c, struct tcp_out *out)
{
    struct active *a = c->active;
    c->flags &= ~(uint32_t)CONN_PROBE_DUE;
    uint32_t len = min_u32(wnd_left(c), queued_new(c));
    count(t, TERN_COUNT_PROBES);
    if (len == 0 || c->snd_nxt != c->snd_una) {
        bool urgent = UNLIKELY(c->flags & CONN_MARKED) && urgent_probe(c);
        segment_bare(out);
        segment_header(t, c, out, 0, c->snd_una - !urgent);
        if (urgent) /* another one follows */
            c->flags |= CONN_PROBE_DUE;
        return true;
    }
    len = min_u32(len, segment_mss(t, c));
    struct sent *r = sent_append(t, a, c->snd_nxt, c->snd_nxt + len);
    if (r == NULL)
        return false;
    segment_bare(out);
    struct chunk *next;
    len = segment_attach(out, a->tx_cursor, c->snd_nxt - c->iss - 1, len, &next);
    a->tx_cursor = next;
    send_record(t, c, out, r, r->lo + len);
    segment_header(t, c, out, TCP_PSH | ECN_FRESH, r->lo);
    r->flags |= SENT_PUSHED;
    a->snd_small = r->hi;
    a->stalled = t->now;
    c->snd_nxt = r->hi;
    info_sent(t, c, len, false);
    send_gone(t, c, r);
    c->retries = 0; /* probes are no retransmissions of it */
    rto_restart(t, c);
    return true;
}

/* ---- whichever it is ------------------------------------------------------------------------- */

/* New data in one segment that is larger than any before (mtu.c). */
static bool send_larger(struct tcp *t, struct conn *c, struct tcp_out *out, uint32_t len)
{
    struct active *a = c->active;
    uint32_t small = a->snd_small, mss = segment_mss(t, c);
    if (!send_new(t, c, out, len, len))
        return false;
    a->snd_small = small;
    if (out->len == len)
        mtu_probe_sent(t, c, len);
    else if (out->len > mss) /* cut short, by many small chunks */
        out->gso_size = (uint16_t)mss;
    return true;
}

static bool try_new(struct tcp *t, struct conn *c, struct tcp_out *out)
{
    if (c->snd_nxt == c->snd_end + ((c->flags & CONN_FIN_QUEUED) != 0))
        return false;
    const struct active *a = c->active;
    if (UNLIKELY(t->cfg->mtu_probing != 0)) {
        uint32_t larger = mtu_probe_len(t, c, segment_mss(t, c));
        if (larger != 0)
            return send_larger(t, c, out, larger);
    }
    uint32_t mss = segment_mss(t, c), len = new_data(t, c, a, mss);
    if (len == 0 && !(fin_unsent(c) && wnd_left(c) > 0 && fin_may_go(c)))
        return false;
    if (c->snd_una == c->snd_nxt) {
        cwnd_idle(t, c); /* before it is used: RFC 5681 4.1 */
        len = new_data(t, c, a, mss);
    }
    return send_new(t, c, out, len, mss);
}

bool send_stream(struct tcp *t, struct conn *c, struct tcp_out *out)
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
