/* info.c - what a connection tells about itself (tern/info.h), and the counting for it.
 *
 * Counters that only tell are in struct conn_stats, which a connection may be without; nothing here
 * changes what is sent.
 */
#include "tcp/tcp.h"

/* ---- counting -------------------------------------------------------------------------------- */

static uint32_t segments_of(const struct conn *c, uint32_t len)
{
    uint32_t mss = max_u32(c->mss, 1);
    bool one = len <= mss || c->state == TERN_SYN_SENT; /* a SYN's data */
    return one ? 1 : (len + mss - 1) / mss;
}

bool info_just_received(const struct tcp *t, const struct conn *c)
{
    const struct conn_stats *s = c->stats;
    return s != NULL && s->received_at != 0 && t->now - s->received_at < t->cfg->delack;
}

void info_sent(struct tcp *t, struct conn *c, uint32_t len, bool again)
{
    count_add(t, again ? TERN_COUNT_RETRANSMIT_BYTES : TERN_COUNT_BYTES_OUT, len);
    if (again)
        count(t, TERN_COUNT_RETRANSMITS);
    struct conn_stats *s = c->stats;
    if (s == NULL)
        return;
    uint32_t segs = segments_of(c, len);
    s->segs_out += segs - 1; /* one was counted with its header */
    if (len != 0) {
        s->data_segs_out += segs;
        s->sent_at = t->now;
        info_progress(t, c);
    }
    if (again) {
        s->bytes_retransmitted += len;
        s->retransmits += segs;
    } else {
        s->bytes_sent += len;
    }
}

void info_progress(struct tcp *t, struct conn *c)
{
    struct conn_rare *s = c->stats->rare;
    if (LIKELY(s == NULL) || (!s->watch_sent && !s->watch_acked))
        return;
    uint32_t first = c->iss + 1;
    if (s->watch_sent && seq_geq(c->snd_nxt, first + s->sent_upto)) {
        s->watch_sent = false;
        conn_event(t, c, TERN_EV_PROGRESS);
    }
    if (s->watch_acked && seq_geq(c->snd_una, first + s->acked_upto)) {
        s->watch_acked = false;
        conn_event(t, c, TERN_EV_PROGRESS);
    }
}

void info_delivered(const struct tcp *t, struct conn *c, uint32_t lo, uint32_t hi)
{
    struct conn_stats *s = c->stats;
    if (s == NULL)
        return;
    s->delivered += segments_of(c, hi - lo);
    if (s->timeout_at != 0)
        s->timeouts_ns += t->now - s->timeout_at;
    s->timeout_at = 0;
}

void info_timeout(struct tcp *t, struct conn *c)
{
    struct conn_stats *s = c->stats;
    if (s == NULL)
        return;
    s->timeouts++;
    if (c->retries == 0) {
        s->timeout_runs++;
        s->timeout_at = t->now;
    }
}

/* ---- as a receiver --------------------------------------------------------------------------- */

/* The least is taken at once, as Linux does: what is read in a round trip must not seem more than
 * it is. Otherwise samples are smoothed, but for one that may be too long: the peer need not fill
 * the window, nor the owner read. */
static void rcv_rtt_sample(struct conn_stats *s, uint32_t us, bool least)
{
    uint32_t smooth = s->rcv_rtt_us8, us8 = min_u32(us, UINT32_MAX / 8) * 8;

    if (smooth == 0 || us8 < smooth)
        s->rcv_rtt_us8 = us8;
    else if (!least)
        s->rcv_rtt_us8 = smooth - smooth / 8 + us8 / 8;
}

/* What is read in a round trip at least, it is taken at first. */
static uint32_t rcv_space_first(const struct conn *c)
{
    enum { SEGMENTS = 10, STAMPS = 12 };
    uint32_t stamps = c->flags & CONN_TS ? STAMPS : 0;
    return min_u32(c->rcvbuf, SEGMENTS * (c->mss_own - stamps));
}

/* Full segments echo what we have sent a round trip ago; and a window that was offered is used up a
 * round trip later, if the sender is in need of it. */
void info_data(const struct tcp *t, struct conn *c, const struct tcp_seg *seg, uint32_t got)
{
    enum { LEAST = 536 };
    struct conn_stats *s = c->stats;
    const struct wire_tcp *h = &seg->h;
    uint32_t full = max_u32(c->rcv_mss, min_u32(LEAST, c->mss_own));

    s->received_at = t->now;
    if (s->rcv_space == 0) {
        s->rcv_space = rcv_space_first(c);
        s->space_seq = c->irs + 1;
        s->space_at = t->now;
    }
    if (c->flags & CONN_TS && h->opt.tsecr != s->rcv_rtt_echo && seg->len >= full) {
        uint32_t ms = ts_clock(t) + c->ts_offset - h->opt.tsecr;
        s->rcv_rtt_echo = h->opt.tsecr;
        if (ms < INT32_MAX / 1000)
            rcv_rtt_sample(s, max_u32(ms, 1) * 1000, reasm_readable(c, c->active) > got);
    }
    if (s->rcv_rtt_at != 0 && seq_lt(c->rcv_nxt, s->rcv_rtt_seq))
        return;
    if (s->rcv_rtt_at != 0)
        rcv_rtt_sample(s, (uint32_t)max_u64((t->now - s->rcv_rtt_at) / NS_PER_US, 1), true);
    s->rcv_rtt_seq = seq_max(c->rcv_adv, c->rcv_nxt + 1);
    s->rcv_rtt_at = t->now;
}

void info_read(struct conn *c)
{
    struct conn_stats *s = c->stats;
    const struct active *a = c->active;
    uint64_t heard = s->received_at; /* as Linux, which saves itself a look at the clock */
    uint32_t read = a->rx_read - s->space_seq, left = reasm_readable(c, a);

    if (s->rcv_rtt_us8 == 0 || heard - s->space_at < s->rcv_rtt_us8 / 8 * NS_PER_US)
        return;
    if (read > left && read - left > s->rcv_space)
        s->rcv_space = read - left;
    s->space_seq = a->rx_read;
    s->space_at = heard;
}

/* ---- what a sender waits for ----------------------------------------------------------------- */

static enum conn_wait waits_for(const struct tcp *t, const struct conn *c)
{
    const struct active *a = c->active;
    if (a == NULL || c->state < TERN_ESTABLISHED || c->snd_una == c->snd_end)
        return WAIT_NONE;
    uint32_t unsent = seq_gt(c->snd_end, c->snd_nxt) ? c->snd_end - c->snd_nxt : 0;
    if (unsent == 0) {
        bool full = c->flags & CONN_WRITE_ARMED && !(c->flags & CONN_CWND_LIMITED);
        return full && bytes_queued(c) >= sndbuf_of(t, c, a) ? WAIT_BUFFER : WAIT_BUSY;
    }
    uint32_t flight = c->snd_nxt - c->snd_una;
    uint32_t room = c->snd_wnd > flight ? c->snd_wnd - flight : 0;
    if (c->flags & CONN_CWND_LIMITED)
        return WAIT_BUSY;
    return room < min_u32(unsent, c->mss) ? WAIT_WINDOW : WAIT_BUSY;
}

void info_waits(const struct tcp *t, struct conn *c)
{
    struct conn_stats *s = c->stats;
    enum conn_wait now = waits_for(t, c);
    if (s->waits == now)
        return;
    s->waited[s->waits] += t->now - s->waits_since;
    s->waits = (uint8_t)now;
    s->waits_since = t->now;
}

/* ---- telling --------------------------------------------------------------------------------- */

static void info_stats(const struct conn *c, tern_tcp_info *out)
{
    const struct conn_stats *s = c->stats;
    if (s == NULL)
        return;
    out->bytes_sent = s->bytes_sent;
    out->bytes_received = s->bytes_received;
    out->bytes_retransmitted = s->bytes_retransmitted;
    out->segs_out = s->segs_out;
    out->segs_in = s->segs_in;
    out->data_segs_out = s->data_segs_out;
    out->data_segs_in = s->data_segs_in;
    out->retransmits_total = s->retransmits;
    out->out_of_order = s->out_of_order;
    out->delivered = s->delivered;
    out->delivered_ce = s->delivered_ce;
    out->sent_at = s->sent_at;
    out->received_at = s->received_at;
    out->acked_at = s->acked_at;
    out->waited_window = s->waited[WAIT_WINDOW];
    out->waited_buffer = s->waited[WAIT_BUFFER];
    out->busy = s->waited[WAIT_BUSY] + out->waited_window + out->waited_buffer;
    out->waits_since = s->waits_since;
    out->waits = s->waits;
    out->timeouts = s->timeouts;
    out->timeout_runs = s->timeout_runs;
    out->timeouts_time = s->timeouts_ns;
    out->rcv_rtt = s->rcv_rtt_us8 / 8 * NS_PER_US;
    out->rcv_space = s->rcv_space != 0 ? s->rcv_space : rcv_space_first(c);
    if (s->rare == NULL)
        return;
    out->keep_probes = s->rare->keep_probes;
    out->fastopen_fail = s->rare->fastopen_fail;
    if (s->rare->fastopen & FASTOPEN_ACKED)
        out->options |= TERN_INFO_SYN_DATA;
    if (s->rare->fastopen & FASTOPEN_PASSIVE)
        out->options |= TERN_INFO_FASTOPEN_CHILD;
}

/* A tail-loss probe that was the last segment again: Linux takes nothing for lost yet. */
static bool is_probe(const struct conn *c, const struct active *a, const struct sent *r)
{
    return a->tlp == TLP_RETRANS && a->phase <= LOSS_CWR && r->hi == a->tlp_high && c->retries == 0;
}

/* Segments in flight, by their marks. Bounded: a flight of more records than this is told in
 * part. */
static void count_records(const struct conn *c, const struct active *a, tern_tcp_info *out)
{
    enum { RECORDS_MAX = 8192 };
    uint32_t n = 0;
    for (const struct sent *r = a->sent_head; r != NULL && n < RECORDS_MAX; r = r->next, n++) {
        uint32_t segs = segments_of(c, sent_len(r));
        out->segs_flight += segs;
        if (is_probe(c, a, r))
            continue;
        if (r->flags & SENT_SACKED)
            out->segs_sacked += segs;
        if (r->flags & (SENT_LOST | SENT_AGAIN))
            out->segs_lost += segs;
        if (r->flags & SENT_AGAIN)
            out->segs_again += segs;
    }
    if (!(c->flags & CONN_SACK))
        out->segs_sacked = min_u32(a->dupacks, out->segs_flight - out->segs_lost);
}

static void info_active(const struct tcp *t, const struct conn *c, tern_tcp_info *out)
{
    const struct active *a = c->active;
    out->cwnd = c->cwnd != 0 ? c->cwnd : cwnd_initial(t, c);
    out->ssthresh = c->ssthresh;
    out->reordering = 3;
    if (a == NULL)
        return;
    out->cwnd = a->cc.cwnd;
    out->ssthresh = a->cc.ssthresh;
    out->pacing_rate = pace_rate(t, c, a);
    out->phase = a->phase;
    out->in_recovery = a->phase >= LOSS_RECOVERY;
    out->probing = a->persist;
    out->tail_probe = a->tlp >= TLP_NEW;
    out->app_limited = a->app_limited;
    out->quick_acks = !interactive(t, a);
    out->reordering = max_u32(a->reordering, 3);
    out->reord_seen = a->reord_seen;
    out->dsacks = a->dsack_segs;
    out->rate_app_limited = a->rate_few;
    if (a->rate_us != 0)
        out->delivery_rate = (uint64_t)a->rate_delivered * 1000000 / a->rate_us;
    count_records(c, a, out);
    if (c->state == TERN_SYN_SENT || c->state == TERN_SYN_RECEIVED)
        out->segs_flight = c->snd_nxt != c->snd_una; /* the SYN */
}

static unsigned ecn_options(const struct conn *c)
{
    if (!(c->ecn & ECN_MODE) || c->state < TERN_ESTABLISHED)
        return 0;
    return TERN_INFO_ECN | (c->ecn & ECN_SEEN ? TERN_INFO_ECN_SEEN : 0u) |
           (c->ecn & ECN_ACCURATE ? TERN_INFO_ECN_ACCURATE : 0u);
}

static void info_accecn(const struct conn *c, tern_tcp_info *out)
{
    const struct accecn *x = c->accecn;
    if (x == NULL)
        return;
    out->received_ce = x->received_ce;
    memcpy(out->received_bytes, x->received, sizeof(x->received));
    memcpy(out->delivered_bytes, x->delivered, sizeof(x->delivered));
    out->ecn_option_seen = x->seen;
    out->ecn_fail = x->fail;
}

void user_info(const struct tcp *t, const struct conn *c, tern_tcp_info *out)
{
    const struct active *a = c->active;
    *out = (tern_tcp_info){
        .state = c->state,
        .options = (uint8_t)((c->flags & CONN_TS ? TERN_INFO_TIMESTAMPS : 0) |
                             (c->flags & CONN_SACK ? TERN_INFO_SACK : 0) |
                             (c->flags & CONN_WSCALE ? TERN_INFO_WSCALE : 0) | ecn_options(c)),
        .snd_wscale = c->snd_wscale,
        .rcv_wscale = c->rcv_wscale,
        .retransmits = c->retries,
        .backoff = c->state != TERN_CLOSED ? c->backoff : 0,
        .quick_acks = true,
        .eof = (c->flags & CONN_FIN_RCVD) != 0,
        .passive = (c->flags & CONN_PASSIVE) != 0,
        .err = c->err,
        .snd_mss = c->mss,
        .rcv_mss = c->rcv_mss,
        .mss_peer = c->mss_peer,
        .mss_own = c->mss_own,
        .pmtu = c->pmtu != 0 ? c->pmtu : t->path[c->iface].mtu,
        .ts_offset = c->ts_offset,
        .iss = c->iss,
        .irs = c->irs,
        .snd_una = c->snd_una,
        .snd_nxt = c->snd_nxt,
        .snd_wnd = c->snd_wnd,
        .rcv_nxt = c->rcv_nxt,
        .rcv_wnd = c->rcv_adv - c->rcv_nxt,
        .cc = t->cc[c->cc]->name,
        .rto = rto_of(t, c),
        .srtt = c->srtt_us8 / 8 * NS_PER_US,
        .rttvar = c->rttvar_us4 / 4 * NS_PER_US,
        .min_rtt = c->min_rtt_us == UINT32_MAX ? 0 : c->min_rtt_us * NS_PER_US,
        .rx_queued = reasm_readable(c, a) + (a != NULL ? a->rx_owed : 0),
        .tx_queued = bytes_queued(c),
        .tx_unsent = seq_gt(c->snd_end, c->snd_nxt) ? c->snd_end - c->snd_nxt : 0,
        .rcvbuf = c->rcvbuf,
        .sndbuf = sndbuf_of(t, c, a),
        .timer = TERN_NEVER,
    };
    info_active(t, c, out);
    if (wheel_armed(&c->timer))
        out->timer =
            tick_begins(t, t->tick64 + (uint64_t)(int64_t)(int32_t)(c->timer.expires - t->tick));
    info_stats(c, out);
    info_accecn(c, out);
}
