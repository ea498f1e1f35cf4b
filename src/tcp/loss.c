/* loss.c - what follows from what the scoreboard shows: recoveries begin, end, and are undone.
 *
 * A connection is in one of five phases (enum loss_phase), which are Linux's. With SACK, RACK marks
 * what is lost (rack.c). Without, three duplicate acknowledgements, and in recovery each partial
 * acknowledgement, point at the segment at SND.UNA (NewReno, RFC 6582). The retransmission timer
 * takes what is in flight for lost (RFC 6298) and tries to find out afterwards whether it was wrong
 * (F-RTO, RFC 5682).
 *
 * A reduction is undone when it turns out that nothing was lost: the echoed timestamp is older than
 * the first retransmission (Eifel, RFC 3522, 4015), every retransmission was reported as a
 * duplicate (D-SACK, RFC 3708), or what was never sent again is acknowledged after a timeout.
 * Never after an ECN mark.
 *
 * Marking is all that happens here; send.c sends what is marked as far as the congestion window
 * allows.
 */
#include "tcp/tcp.h"

/* ---- undo ------------------------------------------------------------------------------------ */

static void undo_begin(struct conn *c, struct active *a)
{
    a->undo = true;
    a->undo_una = c->snd_una;
    uint32_t out = a->retrans + (a->tlp == TLP_RETRANS ? c->mss : 0);
    a->undo_segs = out != 0 ? (int32_t)((out + c->mss - 1) / c->mss) : -1;
}

/* The acknowledgement that moves SND.UNA answers what was sent before the first retransmission. */
static bool delayed(const struct conn *c, const struct active *a, const struct ack_sample *s)
{
    if (a->retrans_any)
        return s->echo && seq_lt(s->tsecr, a->retrans_ts);
    return c->flags & CONN_SACK || seq_lt(c->snd_una, a->recover);
}

static bool may_undo(const struct conn *c, const struct active *a, const struct ack_sample *s)
{
    return a->undo && (a->undo_segs == 0 || delayed(c, a, s));
}

static void undo(struct tcp *t, struct conn *c, bool found)
{
    struct active *a = c->active;
    if (found) { /* nothing is lost after all */
        for (struct sent *r = a->sent_head; a->lost != 0 && r != NULL; r = r->next)
            if (r->flags & SENT_LOST)
                sent_unmark(a, r);
    }
    cwnd_undo(t, c);
    a->undo = false;
    count(t, TERN_COUNT_UNDOS);
}

static bool undo_by_dsack(struct tcp *t, struct conn *c)
{
    struct active *a = c->active;
    if (!a->undo || a->undo_segs != 0)
        return false;
    a->reo_persist = (uint8_t)min_u32(16, a->reo_persist + 1u);
    undo(t, c, false);
    return true;
}

/* ---- phases ---------------------------------------------------------------------------------- */

static bool anything_again(const struct active *a)
{
    return a->retrans != 0 || (a->sent_head != NULL && a->sent_head->flags & SENT_RETRANS);
}

void loss_keep_open(struct conn *c, struct active *a)
{
    enum loss_phase to = LOSS_OPEN;
    if (a->sacked != 0 || a->lost != 0 || a->dupacks != 0 || anything_again(a))
        to = LOSS_DISORDER;
    if (a->phase != to) {
        a->phase = (uint8_t)to;
        a->recover = c->snd_nxt;
    }
}

static void to_open(struct active *a)
{
    a->phase = LOSS_OPEN;
    a->frto = FRTO_OFF;
    a->force = false;
}

void loss_enter_recovery(struct tcp *t, struct conn *c, bool ece)
{
    struct active *a = c->active;
    if (!anything_again(a))
        a->retrans_any = false;
    a->prior_ssthresh = 0;
    undo_begin(c, a);
    if (!loss_reducing(a)) {
        cwnd_reduce(t, c, TERN_CC_LOSS);
        if (ece)
            a->prior_ssthresh = 0;
    }
    a->phase = LOSS_RECOVERY;
    a->t_probe = 0;
    a->force = true;
    count(t, TERN_COUNT_FAST_RETRANSMITS);
}

/* Without SACK, an acknowledgement of exactly `recover` may be followed by duplicates of what the
 * recovery itself has sent twice: nothing new begins before something above it is acknowledged
 * (RFC 6582 4.1). */
static bool waits_for_more(const struct conn *c, struct active *a)
{
    if (c->flags & CONN_SACK || c->snd_una != a->recover)
        return false;
    if (!anything_again(a))
        a->retrans_any = false;
    return true;
}

/* All that was in flight at the loss is acknowledged. true: the phase is kept for now. */
static bool recovered(struct tcp *t, struct conn *c, const struct ack_sample *s)
{
    struct active *a = c->active;
    if (may_undo(c, a, s))
        undo(t, c, false);
    else if (a->reo_persist != 0)
        a->reo_persist--;
    if (waits_for_more(c, a))
        return true;
    to_open(a);
    return false;
}

/* Phases that end when `recover` is acknowledged. true: there is nothing more to do. */
static bool leave(struct tcp *t, struct conn *c, const struct ack_sample *s)
{
    struct active *a = c->active;
    if (a->phase == LOSS_OPEN) {
        a->retrans_any = false;
        return false;
    }
    if (seq_lt(c->snd_una, a->recover))
        return false;
    if (a->phase == LOSS_CWR && c->snd_una != a->recover) {
        cwnd_reduced(t, c);
        a->phase = LOSS_OPEN;
    } else if (a->phase == LOSS_RECOVERY) {
        if (!(c->flags & CONN_SACK))
            a->dupacks = 0;
        bool undone = may_undo(c, a, s);
        if (recovered(t, c, s))
            return true;
        if (!undone)
            cwnd_reduced(t, c);
    }
    return false;
}

/* ---- without SACK: NewReno ------------------------------------------------------------------- */

static void note_dupack(struct conn *c, struct active *a, struct ack_sample *s)
{
    if (!s->duplicate || c->flags & CONN_SACK)
        return;
    uint32_t room = in_pipe(c, a);
    if (a->dup_run == 0)
        a->dup_room = c->snd_nxt - c->snd_una + a->slack;
    if (room < c->mss || (a->dup_run + 1) * c->mss > a->dup_room)
        return; /* more of them than there were segments: not ours (RFC 5681 3.2, 5) */
    a->dup_run++;
    a->dupacks++;
    s->acked += c->mss;
    a->delivered += c->mss;
}

static void newreno_mark(struct tcp *t, struct conn *c, struct ack_sample *s)
{
    struct active *a = c->active;
    bool begins = a->phase < LOSS_RECOVERY && a->dupacks >= a->reordering;
    if (!begins && !(a->phase == LOSS_RECOVERY && s->advanced))
        return;
    struct sent *r = a->sent_head;
    if (r->flags & (SENT_LOST | SENT_IN_DEVICE))
        return;
    if (sent_len(r) > c->mss && sent_split(t, c, a, r, r->lo + c->mss) == NULL)
        return;
    rack_lost(t, c, r, s);
}

static void mark(struct tcp *t, struct conn *c, struct ack_sample *s)
{
    struct active *a = c->active;
    if (a->sent_head == NULL)
        return;
    if (!(c->flags & CONN_SACK))
        newreno_mark(t, c, s);
    else if (a->rack_news || a->rack_at != NULL) /* else nothing can be overdue that was not */
        rack_mark(t, c, s);
    a->rack_news = false;
}

/* ---- phases while they last ------------------------------------------------------------------ */

/* A partial acknowledgement of what was only delayed. true: there is nothing more to do. */
static bool undo_partial(struct tcp *t, struct conn *c, const struct ack_sample *s)
{
    struct active *a = c->active;
    if (!a->undo || !delayed(c, a, s))
        return false;
    if (a->retrans != 0)
        return true; /* the copies are still out: see first what becomes of them */
    if (!anything_again(a))
        a->retrans_any = false;
    undo(t, c, true);
    loss_keep_open(c, a);
    return false;
}

static bool undo_timeout(struct tcp *t, struct conn *c, const struct ack_sample *s, bool frto)
{
    struct active *a = c->active;
    if (!frto && !may_undo(c, a, s))
        return false;
    undo(t, c, true);
    c->retries = 0;
    if (frto)
        count(t, TERN_COUNT_SPURIOUS_TIMEOUTS);
    if (waits_for_more(c, a))
        return true;
    if (frto || c->flags & CONN_SACK)
        to_open(a);
    return true;
}

/* F-RTO, RFC 5682 3.1, with what SACK tells. true: the phase has ended. */
static bool frto(struct tcp *t, struct conn *c, const struct ack_sample *s)
{
    struct active *a = c->active;
    if (s->original) /* step 3.b: what was not sent again arrives, so it was not lost */
        return undo_timeout(t, c, s, true);
    a->frto = FRTO_ON;
    if (seq_gt(c->snd_nxt, a->recover)) {
        if (s->sacked || s->duplicate)
            a->frto = FRTO_OFF; /* 3.a: the loss was real */
    } else if (s->advanced && seq_lt(c->snd_una, a->recover)) {
        a->recover = c->snd_nxt; /* 2.b: try new data */
        bool more = c->snd_end != c->snd_nxt && c->snd_wnd > c->snd_nxt - c->snd_una;
        a->frto = more ? FRTO_WAIT : FRTO_OFF;
    }
    return false;
}

/* In LOSS_RTO. */
static void after_timeout(struct tcp *t, struct conn *c, struct ack_sample *s)
{
    struct active *a = c->active;
    bool all = seq_geq(c->snd_una, a->recover);
    if (s->advanced && undo_timeout(t, c, s, false))
        return;
    if (a->frto != FRTO_OFF && frto(t, c, s))
        return;
    if (a->frto == FRTO_WAIT)
        return;
    if (all) {
        if (!recovered(t, c, s))
            cwnd_recovered(t, c);
    } else if (!(c->flags & CONN_SACK)) {
        if (seq_gt(c->snd_nxt, a->recover) && s->duplicate)
            note_dupack(c, a, s);
        else if (s->advanced)
            a->dupacks = 0;
    }
}

/* ---- events ---------------------------------------------------------------------------------- */

static void begin_or_stay_open(struct tcp *t, struct conn *c, struct ack_sample *s)
{
    struct active *a = c->active;
    if (a->lost != 0) {
        if (UNLIKELY(t->cfg->mtu_probing != 0) && mtu_probe_lost(t, c))
            return;
        loss_enter_recovery(t, c, s->ece);
        return;
    }
    if (!anything_again(a))
        a->retrans_any = false;
    if (s->ece && a->phase < LOSS_CWR) {
        a->undo = false;
        cwnd_reduce(t, c, TERN_CC_ECN);
    }
    if (a->phase != LOSS_CWR)
        loss_keep_open(c, a);
}

/* RFC 2018 8: the peer has taken SACKs back when what it had reported stands at SND.UNA. It is
 * believed after a short while, in case the cumulative acknowledgement is only late. */
static bool reneged(struct tcp *t, struct conn *c, struct ack_sample *s)
{
    struct active *a = c->active;
    if (!s->advanced || a->sent_head == NULL || !(a->sent_head->flags & SENT_SACKED))
        return false;
    uint64_t wait = max_u64(c->srtt_us8 / 16 * NS_PER_US, 10 * NS_PER_MS);
    a->t_rto = tick_after(t, min_u64(wait, rto_of(t, c)));
    timer_arm(t, c, a->t_rto);
    s->timer_set = true;
    return true;
}

static void alert(struct tcp *t, struct conn *c, struct ack_sample *s)
{
    struct active *a = c->active;
    if (s->ece)
        a->prior_ssthresh = 0;
    if (reneged(t, c, s))
        return;
    if (leave(t, c, s))
        return;
    if (a->phase == LOSS_RECOVERY) {
        if (s->advanced) {
            if (undo_partial(t, c, s))
                return;
        } else {
            note_dupack(c, a, s);
        }
        if (a->phase == LOSS_RECOVERY && undo_by_dsack(t, c))
            loss_keep_open(c, a);
        mark(t, c, s);
        if (a->phase != LOSS_RECOVERY && a->lost != 0)
            loss_enter_recovery(t, c, s->ece);
        return;
    }
    if (a->phase == LOSS_RTO) {
        after_timeout(t, c, s);
        mark(t, c, s);
        if (a->phase != LOSS_OPEN && !s->lost_again)
            return;
    } else {
        if (s->advanced && !(c->flags & CONN_SACK))
            a->dupacks = 0;
        note_dupack(c, a, s);
        if (a->phase <= LOSS_DISORDER)
            undo_by_dsack(t, c);
        mark(t, c, s);
    }
    begin_or_stay_open(t, c, s);
}

void loss_on_ack(struct tcp *t, struct conn *c, struct ack_sample *s)
{
    struct active *a = c->active;
    if (c->flags & CONN_SACK)
        rack_update(t, a, s);
    if (UNLIKELY(a->tlp >= TLP_NEW))
        tlp_ack(t, c, s, c->snd_una);
    if (UNLIKELY(a->phase != LOSS_OPEN || s->duplicate || s->sacked || s->dsack || s->ece))
        alert(t, c, s);
}

/* RFC 6298 5.4, and what RACK knows to be too young is spared. The peer takes SACKs back if the
 * first segment carries one: then none counts any more. */
static void mark_all(struct tcp *t, struct conn *c)
{
    struct active *a = c->active;
    struct ack_sample s = {0};
    const struct sent *head = a->sent_head;
    bool renege = (head->flags & SENT_SACKED) != 0;
    memset(a->sack_seen, 0, sizeof(a->sack_seen));
    for (struct sent *r = a->sent_head; r != NULL; r = r->next) {
        if (renege && r->flags & SENT_SACKED)
            sent_unmark(a, r);
        if (r->flags & (SENT_SACKED | SENT_LOST | SENT_IN_DEVICE))
            continue;
        if (r != head && a->rack_rtt_us != 0 && !rack_overdue(t, a, r))
            continue;
        rack_lost(t, c, r, &s);
    }
    if (a->sacked == 0)
        a->sacked_segs = 0;
    if (renege)
        count(t, TERN_COUNT_RENEGED);
}

void loss_on_rto(struct tcp *t, struct conn *c)
{
    struct active *a = c->active;
    enum loss_phase was = (enum loss_phase)a->phase;
    a->dupacks = a->dup_run = 0;
    mark_all(t, c);
    bool first = was <= LOSS_DISORDER || seq_leq(a->recover, c->snd_una) ||
                 (was == LOSS_RTO && (c->retries == 1 || (like_linux(t) && c->snd_wnd == 0)));
    if (was <= LOSS_DISORDER && a->sacked_segs >= t->cfg->reordering)
        a->reordering = t->cfg->reordering; /* the path reorders less than was thought */
    if (!anything_again(a))
        a->retrans_any = false;
    cwnd_timeout(t, c, first);
    if (first)
        undo_begin(c, a);
    a->phase = LOSS_RTO;
    a->recover = c->snd_nxt;
    a->t_reorder = a->t_probe = 0;
    a->tlp = TLP_NONE;
    bool doubt = (was < LOSS_RECOVERY || c->retries > 1) && may(t, TERN_FEATURE_FRTO);
    a->frto = doubt ? FRTO_ON : FRTO_OFF;
    count(t, TERN_COUNT_TIMEOUTS);
}
