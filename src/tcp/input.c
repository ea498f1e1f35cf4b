/* input.c - SEGMENT ARRIVES, in the order of RFC 9293 3.10.7: one function for each numbered check
 * of 3.10.7.4, named after it, so that the two can be laid side by side. A check says whether the
 * next one follows; replies are only noted here and leave with the next tern_output(), so that a
 * batch of segments is acknowledged once (MUST-58, MUST-59).
 */
#include "tcp/tcp.h"

/* What a check says. */
enum step {
    STEP_ON,   /* the next check */
    STEP_DONE, /* processing ends here; seg->why says whether the segment was dropped */
};

enum { SYN_AGAIN_MS = 8 }; /* Linux: two jiffies */

struct arrival {
    struct tcp *t;
    struct conn *c;
    struct tcp_seg *seg;
    enum tern_drop why;
    uint32_t seq, off, len; /* what is left of the payload after trimming */
    bool syn;               /* its SYN was known already and taken off */
    bool fin;               /* a FIN inside of the window stands at fin_seq */
    uint32_t fin_seq;
};

static enum step drop(struct arrival *in, enum tern_drop why)
{
    in->why = why;
    return STEP_DONE;
}

/* ---- replies --------------------------------------------------------------------------------- */

void input_refuse(struct tcp *t, const struct tcp_seg *seg)
{
    if (seg->h.flags & TCP_RST)
        return; /* RST is never answered */
    struct tcp_reply out;
    output_reply(&seg->tuple, seg->iface, &out);
    if (seg->h.flags & TCP_ACK) {
        out.h.flags = TCP_RST;
        out.h.seq = seg->h.ack;
    } else {
        out.h.flags = TCP_RST | TCP_ACK;
        out.h.ack = seg->h.seq + wire_tcp_span(&seg->h, seg->len);
    }
    md5_reply(&out, seg->key);
    count(t, TERN_COUNT_RESETS_OUT);
    t->host.reply(t->host.context, &out);
}

void input_ack_now(struct tcp *t, struct conn *c)
{
    c->flags |= CONN_ACK_DUE;
    conn_ready(t, c);
}

void input_ack_apart(struct tcp *t, struct conn *c, uint16_t flags)
{
    struct tcp_tuple tuple;
    struct tcp_reply out;
    conn_tuple(t, c, &tuple);
    output_reply(&tuple, c->iface, &out);
    out.ttl = c->ttl;
    out.tos = (uint8_t)(c->dscp << 2 | ECN_ECT0);
    out.h.flags = TCP_ACK | flags;
    out.h.seq = c->snd_nxt;
    out.h.ack = c->rcv_nxt;
    out.h.wnd = (uint16_t)min_u32((c->rcv_adv - c->rcv_nxt) >> c->rcv_wscale, UINT16_MAX);
    if (c->flags & CONN_TS)
        output_reply_ts(t, &out, c->ts_offset, c->ts_recent);
    md5_reply(&out, md5_of(c));
    t->host.reply(t->host.context, &out);
}

/* One limit for each connection, none for all together: a shared one could be watched from outside
 * (RFC 5961 7). */
void input_challenge(struct tcp *t, struct conn *c)
{
    if (t->tick - c->challenge_tick < challenge_ticks(t)) {
        count(t, TERN_COUNT_CHALLENGE_LIMITED);
        return;
    }
    c->challenge_tick = t->tick;
    count(t, TERN_COUNT_CHALLENGE_ACKS);
    input_ack_now(t, c);
}

/* ---- opening --------------------------------------------------------------------------------- */

/* What the peer's SYN offers is in force if we offered it too (or will, in our answer). */
static void take_syn_options(struct tcp *t, struct conn *c, const struct wire_tcp *h)
{
    const struct wire_tcp_options *opt = &h->opt;
    uint32_t ours = t->cfg->features;
    if (opt->have & WIRE_OPT_MSS && opt->mss != 0)
        c->mss_peer = opt->mss;
    if (opt->have & WIRE_OPT_TS && ours & TERN_FEATURE_TIMESTAMPS) {
        c->flags |= CONN_TS;
        c->ts_recent = opt->tsval;
        c->ts_recent_age = (uint32_t)(t->now / NS_PER_S);
    }
    if (opt->have & WIRE_OPT_SACK_OK && ours & TERN_FEATURE_SACK)
        c->flags |= CONN_SACK;
    if (opt->have & WIRE_OPT_WSCALE && ours & TERN_FEATURE_WSCALE) {
        c->flags |= CONN_WSCALE;
        c->snd_wscale = (uint8_t)min_u32(opt->wscale, WIRE_WSCALE_MAX); /* RFC 7323 2.3 */
    } else {
        c->snd_wscale = c->rcv_wscale = 0;
    }
    conn_mss_update(t, c);
}

static void take_irs(struct conn *c, struct active *a, uint32_t irs)
{
    c->irs = irs;
    uint32_t offered = c->rcv_adv - c->rcv_nxt;
    c->rcv_nxt = c->last_ack_sent = irs + 1;
    c->rcv_adv = c->rcv_nxt + offered;
    a->rx_read = a->tune_seq = c->rcv_nxt;
}

/* The round trip of SYN and SYN-ACK, if neither was sent twice (Karn), and if no data went with it,
 * which will be measured. */
static void syn_rtt(struct tcp *t, struct conn *c, const struct active *a, uint32_t ack)
{
    if (c->retries != 0) {
        conn_syn_lost(c, c->retries);
        if (bsd(t))
            c->cwnd = c->mss;
    } else if (!(c->flags & CONN_SYN_AGAIN) && ack == c->iss + 1) {
        rtt_sample(t, c, t->now - a->stalled, true);
    }
}

void input_established(struct tcp *t, struct conn *c, struct tcp_seg *seg, bool syn)
{
    struct active *a = c->active;
    if (UNLIKELY(c->ecn != 0) && c->state == TERN_SYN_RECEIVED)
        ecn_third(t, c, seg);
    if (c->flags & CONN_SYN_DUE) { /* what was to go out with a SYN goes out without */
        c->flags &= ~(uint32_t)CONN_SYN_DUE;
        input_ack_now(t, c);
    }
    c->snd_una = a != NULL && a->sent_head != NULL ? c->iss + 1 : seg->h.ack;
    c->snd_wnd = (uint32_t)seg->h.wnd << (syn ? 0 : c->snd_wscale);
    c->snd_wnd_max = c->snd_wnd;
    conn_mss_update(t, c);
    c->snd_wl1 = seg->h.seq;
    c->snd_wl2 = seg->h.ack;
    c->retries = c->backoff = 0;
    if (bsd(t)) { /* a buffer holds whole segments */
        uint32_t mss = min_u32(c->mss_own, c->mss_peer);
        memory_rcvbuf_set(t, c, (c->rcvbuf + mss - 1) / mss * mss);
    }
    if (c->stats != NULL)
        c->stats->delivered = 1; /* our SYN */
    conn_state(t, c, TERN_ESTABLISHED);
    if (c->stats != NULL)
        keep_begin(t, c);
    if (a != NULL) {
        a->t_rto = 0;
        a->persist = false;
        a->sack_high = a->recover = a->snd_small = a->used_seq = c->snd_una;
        conn_cc_start(t, c, a);
        if (a->sent_head != NULL) /* data that went before (RFC 7413) */
            rto_restart(t, c);
    }
    if (UNLIKELY(t->cfg->mtu_probing > 1))
        mtu_begin(t, c);
    fastopen_over(t, c, false);
    if (c->flags & CONN_FIN_QUEUED)
        conn_state(t, c, TERN_FIN_WAIT_1);
    conn_event(t, c, TERN_EV_OPEN);
    conn_ready(t, c);
    timer_idle(t, c);
}

/* As Linux sees it, a SYN-ACK whose timestamp echoes none of our SYNs' is of another connection. */
static bool echoes_nothing(const struct tcp *t, const struct conn *c, const struct active *a,
                           const struct wire_tcp *h)
{
    uint32_t first = (uint32_t)(a->stalled / NS_PER_MS) + c->ts_offset;
    return like_linux(t) && h->opt.have & WIRE_OPT_TS && h->opt.tsecr != 0 &&
           t->cfg->features & TERN_FEATURE_TIMESTAMPS && !(h->flags & TCP_RST) &&
           h->opt.tsecr - first > ts_clock(t) + c->ts_offset - first;
}

/* RFC 9293 3.10.7.3. */
static enum step syn_sent(struct arrival *in)
{
    struct tcp *t = in->t;
    struct conn *c = in->c;
    const struct wire_tcp *h = &in->seg->h;
    struct active *a = c->active;
    bool ack_ok = false;
    if (c->snd_nxt == c->snd_una)
        return drop(in, TERN_DROP_TCP_ACK); /* our SYN has not even left */
    if (h->flags & TCP_ACK) {               /* first: the ACK bit */
        ack_ok = seq_in(h->ack, c->iss + 1, c->snd_nxt - c->iss);
        if (!ack_ok || echoes_nothing(t, c, a, h)) {
            if (like_linux(t) && !ack_ok && c->retries == 0) { /* what it answers is gone soon */
                a->t_rto = tick_after(t, SYN_AGAIN_MS * NS_PER_MS);
                timer_arm(t, c, a->t_rto);
            }
            input_refuse(t, in->seg);
            return drop(in, TERN_DROP_TCP_ACK);
        }
    }
    if (h->flags & TCP_RST) { /* second: by its ACK alone (erratum 8167) */
        if (!ack_ok)
            return drop(in, TERN_DROP_TCP_RST);
        count(t, TERN_COUNT_ATTEMPT_FAILS);
        conn_end(t, c, TERN_EREFUSED);
        return STEP_DONE;
    }
    if (!(h->flags & TCP_SYN)) /* fifth */
        return drop(in, TERN_DROP_TCP_ACK);
    take_irs(c, a, h->seq); /* fourth: SYN */
    take_syn_options(t, c, h);
    if (ack_ok)
        ecn_synack(t, c, in->seg);
    else
        ecn_crossing_syn(t, c, in->seg);
    if (!ack_ok) { /* simultaneous open (MUST-10): the same ISS again, with ACK */
        conn_state(t, c, TERN_SYN_RECEIVED);
        c->flags |= CONN_SYN_DUE;
        conn_ready(t, c);
        return STEP_DONE; /* what the SYN carries will be sent again */
    }
    syn_rtt(t, c, a, h->ack);
    input_established(t, c, in->seg, true);
    fastopen_synack(t, c, in->seg);
    input_ack_now(t, c);
    in->seq = h->seq + 1;
    /* with the sixth check: data or FIN on a SYN-ACK count; Linux lets them come again */
    return like_linux(t) ? STEP_DONE : STEP_ON;
}

/* ---- first: sequence number ------------------------------------------------------------------ */

/* RFC 9293 table 6, with one difference: a segment without length may stand at the right edge,
 * where a peer that has filled the window puts its acknowledgements. */
static bool acceptable(const struct conn *c, uint32_t seq, uint32_t span)
{
    uint32_t wnd = c->rcv_adv - c->rcv_nxt;
    if (span == 0)
        return seq - c->rcv_nxt <= wnd;
    if (wnd == 0)
        return false;
    return seq_in(seq, c->rcv_nxt, wnd) || seq_in(seq + span - 1, c->rcv_nxt, wnd);
}

/* PAWS, RFC 7323 5: older than the latest, and that one is not older than 24 days. */
static bool old_timestamp(const struct tcp *t, const struct conn *c, const struct wire_tcp *h)
{
    if (!(c->flags & CONN_TS) || !(h->opt.have & WIRE_OPT_TS) || h->flags & TCP_RST)
        return false;
    if (!seq_lt(h->opt.tsval, c->ts_recent))
        return false;
    uint32_t age_s = (uint32_t)(t->now / NS_PER_S) - c->ts_recent_age;
    return age_s < 24u * 24 * 3600;
}

/* RFC 7323 3.2: such a segment should be dropped. RSTs need none (5.2). */
static bool lacks_timestamp(const struct conn *c, const struct wire_tcp *h)
{
    return c->flags & CONN_TS && !(h->opt.have & WIRE_OPT_TS) && !(h->flags & TCP_RST);
}

/* A SYN-ACK that comes again has not seen our answer, which said how it came (RFC 9768 3.2.2.1). */
static void challenge(struct arrival *in)
{
    struct conn *c = in->c;
    input_challenge(in->t, c);
    bool again = (in->seg->h.flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK);
    if (again && c->ecn & ECN_ACCURATE && c->flags & CONN_ACK_DUE)
        c->ecn |= ECN_REFLECT;
}

/* A duplicate is acknowledged at once, so that a peer whose ACK was lost goes on; what cannot be
 * data is answered at a limited rate, so that two ends that disagree fall silent. */
static void answer_unacceptable(struct arrival *in)
{
    struct conn *c = in->c;
    const struct tcp_seg *seg = in->seg;
    if (seg->len == 0 && !(seg->h.flags & TCP_FIN)) {
        challenge(in);
        return;
    }
    if (seq_lt(seg->h.seq, c->rcv_nxt)) { /* a FIN counts, too */
        struct active *a = conn_thaw(in->t, c);
        uint32_t end = seg->h.seq + seg->len + ((seg->h.flags & TCP_FIN) != 0);
        bool ours = seq_between(seg->h.seq, c->irs, c->rcv_nxt); /* of no connection before */
        if (a != NULL && ours)
            reasm_duplicate(in->t, a, seg->h.seq, seq_min(end, c->rcv_nxt));
        if (c->state == TERN_TIME_WAIT && seg->h.flags & TCP_FIN && end == c->rcv_nxt)
            c->t_close = tick_after(in->t, 2 * in->t->cfg->msl); /* our ACK of it was lost */
    }
    count(in->t, TERN_COUNT_DUPLICATE);
    input_ack_now(in->t, in->c);
}

static enum step check_sequence(struct arrival *in)
{
    struct tcp *t = in->t;
    struct conn *c = in->c;
    struct wire_tcp *h = &in->seg->h;
    if (c->state == TERN_SYN_RECEIVED && (h->flags & (TCP_SYN | TCP_RST)) == TCP_SYN &&
        h->seq == c->irs) {
        if (!(h->flags & TCP_ACK)) { /* the peer's SYN again: so our SYN-ACK was lost */
            c->flags |= CONN_SYN_DUE | CONN_SYN_AGAIN;
            conn_ready(t, c);
            return drop(in, TERN_DROP_TCP_DUPLICATE);
        }
        in->syn = true; /* simultaneous open, figure 8: its SYN is known */
        if (like_linux(t)) {
            reasm_duplicate(t, c->active, h->seq, h->seq + 1);
            input_ack_now(t, c);
        }
        h->flags &= (uint16_t)~TCP_SYN;
        h->seq++;
    }
    if (letter(t) && lacks_timestamp(c, h))
        return drop(in, TERN_DROP_TCP_NO_TIMESTAMP);
    bool old = old_timestamp(t, c, h);
    if (!old && acceptable(c, h->seq, wire_tcp_span(h, in->seg->len)))
        return STEP_ON;
    if (h->flags & TCP_RST) /* by its number alone, window or not (MUST-66, SHLD-2) */
        return STEP_ON;
    /* with no window at all, what stands right at it may still acknowledge or be urgent */
    if (!old && c->rcv_adv == c->rcv_nxt && h->seq == c->rcv_nxt && !(h->flags & TCP_SYN)) {
        input_ack_now(t, c);
        return STEP_ON;
    }
    answer_unacceptable(in);
    return drop(in, old ? TERN_DROP_TCP_PAWS : TERN_DROP_TCP_SEQUENCE);
}

/* RFC 7323 4.3 (2): only a segment that covers what was last acknowledged moves TS.Recent. */
static void note_timestamp(struct tcp *t, struct conn *c, const struct wire_tcp *h)
{
    if (!(c->flags & CONN_TS) || !(h->opt.have & WIRE_OPT_TS) || !seq_leq(h->seq, c->last_ack_sent))
        return;
    c->ts_recent = h->opt.tsval;
    c->ts_recent_age = (uint32_t)(t->now / NS_PER_S);
}

/* ---- second: RST ----------------------------------------------------------------------------- */

/* What a peer has sent last stands there, if what is missing was lost: as Linux sees it. */
static bool at_sacked_end(const struct conn *c, uint32_t seq)
{
    const struct active *a = c->active;
    return c->flags & CONN_SACK && a != NULL && a->ooo.count != 0 &&
           seq == a->ooo.at[a->ooo.count - 1].hi;
}

static enum step check_rst(struct arrival *in)
{
    struct tcp *t = in->t;
    struct conn *c = in->c;
    if (!(in->seg->h.flags & TCP_RST))
        return STEP_ON;
    if (c->state == TERN_TIME_WAIT) {
        if (!t->cfg->tuning.rfc1337 && in->seg->h.seq == c->rcv_nxt)
            conn_end(t, c, 0);
        return drop(in, TERN_DROP_TCP_RST); /* RFC 1337 */
    }
    if (in->seg->h.seq != c->rcv_nxt && !at_sacked_end(c, in->seg->h.seq)) {
        /* RFC 5961 3.2; its text may reach into the window */
        if (seq_in(in->seg->h.seq, c->rcv_nxt, c->rcv_adv - c->rcv_nxt))
            input_challenge(t, c);
        return drop(in, TERN_DROP_TCP_RST);
    }
    enum tern_err err = TERN_ERESET;
    if (c->state == TERN_SYN_RECEIVED) { /* MUST-11: refused, or nothing to tell */
        err = c->flags & CONN_PASSIVE && !(c->flags & CONN_HELD) ? 0 : TERN_EREFUSED;
        if (err != 0 && like_linux(t))
            err = TERN_ERESET;
        if (fastopen_child(c)) {
            fastopen_over(t, c, true);
            err = TERN_ERESET;
        }
        count(t, TERN_COUNT_ATTEMPT_FAILS);
    } else if (c->snd_una == c->snd_end &&
               (c->state == TERN_CLOSING || c->state == TERN_LAST_ACK)) {
        err = 0; /* nothing is lost */
    }
    count(t, TERN_COUNT_RESETS_IN);
    conn_end(t, c, err);
    return STEP_DONE;
}

/* ---- fourth: SYN (there is no third: security is not used) ----------------------------------- */

static enum step check_syn(struct arrival *in)
{
    if (!(in->seg->h.flags & TCP_SYN))
        return STEP_ON;
    challenge(in); /* RFC 5961 4.2, whatever its number */
    return drop(in, TERN_DROP_TCP_SYN);
}

/* ---- fifth: ACK ------------------------------------------------------------------------------ */

/* 3.10.7.4: only segments in order (by sequence, then by acknowledgement) change the window; and
 * what acknowledges more than all before it, which can be a retransmission: its window is the
 * newest, and the one before it would now reach further than it was meant. */
static bool update_window(const struct tcp *t, struct conn *c, const struct wire_tcp *h,
                          bool advanced)
{
    uint32_t wnd = (uint32_t)h->wnd << c->snd_wscale;
    if (like_linux(t) && !advanced && !seq_lt(c->snd_wl1, h->seq) &&
        !(c->snd_wl1 == h->seq && (wnd > c->snd_wnd || wnd == 0)))
        return false;
    if (!like_linux(t) && seq_gt(c->snd_wl1, h->seq) && !seq_lt(c->snd_wl2, h->ack))
        return false;
    uint32_t was = c->snd_wnd;
    c->snd_wnd = wnd;
    if (wnd > c->snd_wnd_max) {
        c->snd_wnd_max = wnd;
        if (UNLIKELY(c->mss < c->mss_own))
            conn_mss_update(t, c);
    }
    c->snd_wl1 = h->seq;
    c->snd_wl2 = h->ack;
    return c->snd_wnd != was;
}

/* Something of ours was acknowledged, or the window moved: timers, congestion, what may go now. */
static void after_ack(struct arrival *in, struct ack_sample *s, bool window)
{
    struct tcp *t = in->t;
    struct conn *c = in->c;
    struct active *a = c->active;
    if (a == NULL)
        return;
    if (s->advanced && a->sent_head == NULL)
        a->t_rto = a->t_probe = a->t_reorder = 0;
    if (s->advanced || s->sacked || s->dsack || s->duplicate || s->ece || a->phase != LOSS_OPEN) {
        loss_on_ack(t, c, s);
        if (s->acked != 0)
            cwnd_on_ack(t, c, s);
    }
    if (s->advanced && a->sent_head != NULL && !s->timer_set) {
        rto_restart(t, c);
        a->t_probe = 0;
        tlp_arm(t, c);
    }
    if (a->persist && window && c->snd_wnd != 0) {
        a->persist = false;
        a->t_rto = 0;
        c->backoff = 0;
    }
    if ((s->advanced || s->sacked) && c->flags & CONN_WRITE_ARMED &&
        c->snd_end - c->snd_una < max_u32(sndbuf_of(t, c, a) / 3 * 2, 1)) {
        c->flags &= ~(uint32_t)CONN_WRITE_ARMED;
        conn_event(t, c, TERN_EV_WRITE);
    }
    if (c->snd_nxt != c->snd_end + ((c->flags & CONN_FIN_QUEUED) != 0) || a->lost != 0)
        conn_ready(t, c);
    else if (s->advanced)
        timer_idle(t, c);
}

/* Our FIN is acknowledged: what that means in each state. */
static enum step fin_acked(struct arrival *in)
{
    struct tcp *t = in->t;
    struct conn *c = in->c;
    if (!(c->flags & CONN_FIN_QUEUED) || c->snd_una != c->snd_end + 1)
        return STEP_ON;
    bool first = c->state != TERN_FIN_WAIT_2 && c->state != TERN_TIME_WAIT;
    if (first && !(c->flags & CONN_LINGER))
        conn_event(t, c, TERN_EV_SENT);
    switch (c->state) {
    case TERN_CLOSING:
        input_time_wait(t, c);
        return STEP_DONE;
    case TERN_LAST_ACK:
        conn_end(t, c, 0);
        return STEP_DONE;
    case TERN_FIN_WAIT_1:
        break;
    default:
        return STEP_ON;
    }
    conn_state(t, c, TERN_FIN_WAIT_2);
    c->t_close = 0;
    if (c->flags & CONN_LINGER) {
        conn_event(t, c, TERN_EV_CLOSED);
        c->flags &= ~(uint32_t)CONN_LINGER;
        return orphan_begin(t, c) ? STEP_ON : STEP_DONE;
    }
    return !(c->flags & CONN_ORPHAN) || orphan_fin_wait2(t, c) ? STEP_ON : STEP_DONE;
}

/* RFC 9293 3.10.7.4 with RFC 5961 5.2: SND.UNA - MAX.SND.WND <= SEG.ACK <= SND.NXT. */
static bool ack_in_range(const struct tcp *t, const struct conn *c, uint32_t ack)
{
    uint32_t acked = c->snd_una - c->iss - ((c->flags & CONN_PASSIVE) != 0);
    bool few = c->stats != NULL && c->stats->bytes_sent < c->snd_wnd_max;
    /* (Linux: nor what was never sent) */
    uint32_t back = like_linux(t) && few ? min_u32(acked, c->snd_wnd_max) : c->snd_wnd_max;
    return ack - (c->snd_una - back) <= c->snd_nxt - (c->snd_una - back);
}

/* The peer lives: what ICMP said of it, and what keep-alive asked, is answered. */
static void heard(struct tcp *t, struct conn *c)
{
    struct conn_stats *s = c->stats;
    s->acked_at = t->now;
    s->soft_err = 0;
    if (s->rare != NULL)
        s->rare->keep_probes = 0;
    info_progress(t, c);
    info_waits(t, c);
}

static enum step check_ack(struct arrival *in)
{
    struct tcp *t = in->t;
    struct conn *c = in->c;
    const struct wire_tcp *h = &in->seg->h;
    if (!(h->flags & TCP_ACK))
        return drop(in, TERN_DROP_TCP_NO_ACK);
    if (UNLIKELY(c->ecn != 0))
        ecn_received(t, c, in->seg);
    if (c->state == TERN_SYN_RECEIVED) {
        if (!seq_in(h->ack, c->snd_una + 1, c->snd_nxt - c->snd_una)) {
            input_refuse(t, in->seg);
            return drop(in, TERN_DROP_TCP_ACK);
        }
        syn_rtt(t, c, c->active, h->ack);
        input_established(t, c, in->seg, in->syn);
        if (c->snd_una == h->ack) {
            note_timestamp(t, c, h);
            return STEP_ON;
        }
    }
    if (!ack_in_range(t, c, h->ack)) {
        input_challenge(t, c);
        return drop(in, TERN_DROP_TCP_ACK);
    }
    uint32_t ts_before = c->ts_recent;
    note_timestamp(t, c, h);
    if (c->active != NULL && (c->active->persist || c->snd_nxt - c->snd_una > c->snd_wnd))
        c->retries = 0; /* it answers, but has no room: it lives (MUST-37, SHLD-17) */
    struct ack_sample s;
    bool same_window = c->snd_wnd == (uint32_t)h->wnd << c->snd_wscale;
    bool duplicate = h->ack == c->snd_una && c->snd_nxt != c->snd_una && in->seg->len == 0 &&
                     !(h->flags & TCP_FIN) && same_window; /* RFC 5681 2 */
    tcp_ack(t, c, in->seg, &s);
    in->seg->advanced = s.advanced;
    if (UNLIKELY(c->ecn != 0))
        ecn_feedback(c, in->seg, &s, c->flags & CONN_TS && c->ts_recent != ts_before);
    if (c->stats != NULL)
        heard(t, c);
    if (like_linux(t) && c->active != NULL && c->active->persist && h->wnd == 0)
        rto_set(t, c); /* it answers: the next probe is a whole interval from now */
    s.duplicate = duplicate && !s.dsack;
    bool old = seq_lt(h->ack, c->snd_una); /* its SACKs may be news all the same, and its data */
    bool window = !old && update_window(t, c, h, s.advanced);
    if (s.advanced || s.sacked || s.dsack || duplicate || window || s.ece)
        after_ack(in, &s, window);
    return old ? STEP_ON : fin_acked(in);
}

/* ---- sixth: URG; seventh: text --------------------------------------------------------------- */

/* Cuts what lies outside of the window; says what is left, and whether the FIN is. */
static void trim(struct arrival *in)
{
    const struct conn *c = in->c;
    uint32_t end = in->seq + in->len;
    in->fin = in->seg->h.flags & TCP_FIN && seq_in(end, c->rcv_nxt, c->rcv_adv - c->rcv_nxt);
    in->fin_seq = end;
    if (seq_lt(in->seq, c->rcv_nxt)) {
        uint32_t cut = min_u32(c->rcv_nxt - in->seq, in->len);
        struct active *a = cut != 0 ? conn_thaw(in->t, in->c) : NULL;
        if (a != NULL)
            reasm_duplicate(in->t, a, in->seq, in->seq + cut);
        in->seq += cut;
        in->off += cut;
        in->len -= cut;
    }
    if (in->len != 0 && seq_gt(end, c->rcv_adv)) {
        uint32_t room = seq_lt(in->seq, c->rcv_adv) ? c->rcv_adv - in->seq : 0;
        in->len = min_u32(in->len, room);
    }
}

static void tell_readable(struct tcp *t, struct conn *c)
{
    if (!(c->flags & CONN_READ_ARMED))
        return;
    c->flags &= ~(uint32_t)CONN_READ_ARMED;
    conn_event(t, c, TERN_EV_READ);
}

static bool takes_text(const struct conn *c)
{
    return c->state == TERN_ESTABLISHED || c->state == TERN_FIN_WAIT_1 ||
           c->state == TERN_FIN_WAIT_2;
}

/* Queues what is inside of the window. `ordered`: it is next, and nothing waits past a hole. */
static enum step take_text(struct arrival *in, bool ordered)
{
    struct tcp *t = in->t;
    struct conn *c = in->c;
    uint32_t before = c->rcv_nxt;
    enum tern_drop why = ordered ? reasm_next(t, c, in->seg, in->off, in->len)
                                 : reasm_take(t, c, in->seg, in->seq, in->off, in->len);
    uint32_t got = c->rcv_nxt - before;
    count_add(t, TERN_COUNT_BYTES_IN, got);
    if (c->stats != NULL) {
        if (like_linux(t) && got != 0)
            delack_adapt(t, c);
        c->stats->bytes_received += got;
        info_data(t, c, in->seg, got);
        if (UNLIKELY(c->stats->rare != NULL))
            urgent_data(t, c, in->seg);
    }
    if (in->seq != before) {
        count(t, TERN_COUNT_OUT_OF_ORDER);
        if (c->stats != NULL)
            c->stats->out_of_order++;
    }
    if (c->active != NULL && in->fin && c->state == TERN_ESTABLISHED && like_linux(t))
        c->active->answers = ANSWERS_ALWAYS; /* the owner's own FIN comes soon */
    bool gap = why == TERN_DROP_NONE && c->active->ooo.count != 0;
    enum delack_when when = gap ? ACK_GAP : ordered ? ACK_SOON : ACK_NOW;
    delack_schedule(t, c, in->seg, why == TERN_DROP_NONE ? when : ACK_NOW);
    if (got != 0)
        tell_readable(t, c);
    return why == TERN_DROP_NONE ? STEP_ON : drop(in, why);
}

static enum step check_text(struct arrival *in)
{
    struct tcp *t = in->t;
    struct conn *c = in->c;
    if (UNLIKELY(in->seg->h.flags & TCP_URG) && takes_text(c)) /* sixth */
        urgent_arrives(t, c, &in->seg->h);
    trim(in);
    if (in->seg->len == 0)
        return STEP_ON;
    if (!takes_text(c)) { /* the peer's FIN was there before: nothing may follow it */
        input_ack_now(t, c);
        return STEP_ON;
    }
    if (in->len == 0) {
        input_ack_now(t, c);
        return in->fin ? STEP_ON : drop(in, TERN_DROP_TCP_WINDOW);
    }
    if (c->flags & CONN_RX_CLOSED && c->state != TERN_ESTABLISHED) { /* SHLD-3 */
        input_refuse(t, in->seg);
        conn_end(t, c, TERN_ERESET);
        return drop(in, TERN_DROP_TCP_AFTER_CLOSE);
    }
    if (UNLIKELY(c->ecn != 0))
        ecn_data(t, c, in->seg);
    const struct active *a = c->active;
    if (a != NULL && a->fin_ahead && !seq_lt(in->seq + in->len - 1, a->fin_seq)) {
        input_ack_now(t, c); /* beyond a FIN that waits for its gap: not of this stream */
        return drop(in, TERN_DROP_TCP_SEQUENCE);
    }
    return take_text(in, in->seq == c->rcv_nxt && (a == NULL || a->ooo.count == 0));
}

/* ---- eighth: FIN ----------------------------------------------------------------------------- */

void input_time_wait(struct tcp *t, struct conn *c)
{
    conn_state(t, c, TERN_TIME_WAIT);
    c->t_close = tick_after(t, 2 * t->cfg->msl); /* MUST-13 */
    bool lingered = (c->flags & CONN_LINGER) != 0;
    if (lingered) {
        conn_event(t, c, TERN_EV_CLOSED);
        c->flags &= ~(uint32_t)CONN_LINGER;
        orphan_mark(t, c);
    }
    if (c->flags & CONN_ORPHAN && !(c->flags & CONN_ACK_DUE)) {
        timewait_enter(t, c);
        return;
    }
    timer_arm(t, c, c->t_close);
}

/* The owner will close soon: the FIN that it sends then can bring the acknowledgement, if data came
 * before and the peer so knows that somebody is there. As Linux does. */
static void acknowledge_fin(struct arrival *in)
{
    struct conn *c = in->c;
    struct active *a = c->active;
    bool data = c->rcv_nxt - c->irs > 2 && a != NULL && !(c->flags & CONN_ACK_DUE);
    if (a != NULL && c->state == TERN_ESTABLISHED && like_linux(in->t))
        a->answers = ANSWERS_ALWAYS;
    if (like_linux(in->t) && c->state == TERN_ESTABLISHED && data && delack_may_wait(in->t, c))
        delack_later(in->t, c);
    else
        input_ack_now(in->t, c);
}

static enum step check_fin(struct arrival *in)
{
    struct tcp *t = in->t;
    struct conn *c = in->c;
    struct active *a = c->active;
    uint32_t fin_seq = in->fin_seq;
    bool waits = a != NULL && a->fin_ahead;
    if (c->flags & CONN_FIN_RCVD) {
        if (in->seg->h.flags & TCP_FIN)
            input_ack_now(t, c);
        return STEP_ON;
    }
    if (!in->fin && !waits)
        return STEP_ON;
    if (waits && (!in->fin || seq_lt(a->fin_seq, fin_seq)))
        fin_seq = a->fin_seq;
    if (fin_seq != c->rcv_nxt) { /* a gap before it: wait (U-16) */
        if ((a = conn_thaw(t, c)) != NULL) {
            a->fin_ahead = true;
            a->fin_seq = fin_seq;
        }
        if (in->fin) /* nothing else: two ends that both wait would answer each other for ever */
            input_ack_now(t, c);
        return STEP_ON;
    }
    if (a != NULL)
        reasm_forget_holes(t, a); /* nothing can come after the end */
    c->rcv_nxt++;
    c->flags |= CONN_FIN_RCVD;
    c->flags &= ~(uint32_t)CONN_READ_ARMED;
    conn_event(t, c, TERN_EV_EOF | TERN_EV_READ);
    acknowledge_fin(in);
    switch (c->state) {
    case TERN_ESTABLISHED:
        conn_state(t, c, TERN_CLOSE_WAIT);
        orphan_close_wait(t, c);
        break;
    case TERN_FIN_WAIT_1:
        conn_state(t, c, TERN_CLOSING);
        break;
    case TERN_FIN_WAIT_2:
        input_time_wait(t, c);
        break;
    default:
        break;
    }
    return STEP_ON;
}

/* ---- the segment one expects ----------------------------------------------------------------- */

/* Whether the checks above would find nothing to say about this segment: the next data, or the
 * acknowledgement of what was sent, in a connection where nothing is lost, out of order or about to
 * end (header prediction, Van Jacobson 1990). Any doubt means no. */
static inline bool expected(const struct tcp *t, const struct conn *c, const struct tcp_seg *seg)
{
    const struct wire_tcp *h = &seg->h;
    const struct active *a = c->active;
    if (c->state != TERN_ESTABLISHED || a == NULL || !ecn_expected(c, seg) ||
        (h->flags & ~TCP_PSH) != TCP_ACK || h->seq != c->rcv_nxt ||
        seg->len > c->rcv_adv - c->rcv_nxt || h->ack - c->snd_una > c->snd_nxt - c->snd_una ||
        c->snd_nxt - c->snd_una > c->snd_wnd)
        return false;
    if (c->flags & CONN_TS) {
        if (h->opt.have != WIRE_OPT_TS || seq_lt(h->opt.tsval, c->ts_recent))
            return false;
    } else if (h->opt.have != 0) {
        return false;
    }
    if ((a->ooo.count | a->dupacks | (a->dsack_lo ^ a->dsack_hi)) != 0 || a->fin_ahead ||
        a->persist || a->phase != LOSS_OPEN || c->flags & CONN_RX_CLOSED || seg->donated ||
        !t->predict)
        return false;
    return seg->len != 0 || h->ack != c->snd_una; /* (else a duplicate, or a window update) */
}

/* What is left to do when no check has anything to say. */
static enum tern_drop take_expected(struct arrival *in)
{
    struct tcp *t = in->t;
    struct conn *c = in->c;
    const struct wire_tcp *h = &in->seg->h;
    count(t, TERN_COUNT_PREDICTED);
    note_timestamp(t, c, h);
    if (h->ack != c->snd_una) {
        struct ack_sample s;
        tcp_ack(t, c, in->seg, &s);
        in->seg->advanced = true;
        after_ack(in, &s, update_window(t, c, h, true));
    } else {
        ack_steps(c->active);
        if (update_window(t, c, h, false))
            after_ack(in, &(struct ack_sample){0}, true);
    }
    if (c->stats != NULL)
        heard(t, c);
    if (in->len != 0)
        take_text(in, true);
    return in->why;
}

/* ---- the order ------------------------------------------------------------------------------- */

enum tern_drop input_conn(struct tcp *t, struct conn *c, struct tcp_seg *seg)
{
    struct arrival in = {.t = t, .c = c, .seg = seg, .seq = seg->h.seq, .len = seg->len};
    if (c->stats != NULL) {
        c->stats->segs_in += seg->segs;
        c->stats->data_segs_in += seg->len != 0 ? seg->segs : 0;
    }
    struct active *a = c->active;
    if (a != NULL)
        a->used_tick = t->tick;
    if (LIKELY(expected(t, c, seg)))
        return take_expected(&in);
    if (c->state == TERN_SYN_SENT) {
        if (syn_sent(&in) == STEP_ON && check_text(&in) == STEP_ON)
            check_fin(&in);
        return in.why;
    }
    if (check_sequence(&in) == STEP_ON && check_rst(&in) == STEP_ON && check_syn(&in) == STEP_ON &&
        (in.seq = seg->h.seq, true) && check_ack(&in) == STEP_ON && check_text(&in) == STEP_ON)
        check_fin(&in);
    return in.why;
}

enum tern_drop tcp_input(struct tcp *t, struct tcp_seg *seg)
{
    count(t, TERN_COUNT_SEGMENTS_IN);
    uint32_t ref = flow_find(t, &seg->tuple, seg->hash);
    if (UNLIKELY(t->md5_used != 0 || seg->h.opt.have & WIRE_OPT_MD5)) {
        enum tern_drop why = md5_check(t, ref, seg);
        if (why != TERN_DROP_NONE)
            return why;
    }
    switch (ref == 0 ? REF_LISTENER : ref_kind(ref)) {
    case REF_CONN:
        return input_conn(t, conn_at(t, ref_ix(ref)), seg);
    case REF_HALFOPEN:
        return halfopen_input(t, ref_ix(ref), seg);
    case REF_TIMEWAIT:
        return timewait_input(t, ref_ix(ref), seg);
    case REF_LISTENER:
        break;
    }
    return listen_input(t, seg, NULL);
}
