/* icmp.c - ICMP errors (RFC 9293 3.9.2.2) about what a connection has sent: a smaller path MTU, an
 * attempt to connect that fails, or a path that failed for a while. None ends a connection that is
 * established (RFC 5461, RFC 5927 5).
 */
#include "tcp/icmp.h"

/* The path takes no packets over `mtu`: smaller segments, and what is in flight again (1191). */
static void too_big(struct tcp *t, struct conn *c, uint32_t mtu)
{
    struct active *a = c->active;
    uint32_t least = wire_is_ip4(c->raddr) ? 552 : 1280; /* RFC 5927 7, RFC 8201 4 */
    const struct conn_rare *r = conn_rare_of(c);
    enum tern_pmtud how = r != NULL ? (enum tern_pmtud)r->pmtud : TERN_PMTUD_ON;
    uint32_t was = c->mss;
    mtu = max_u32(mtu, least);
    if (!may(t, TERN_FEATURE_PMTUD) || how == TERN_PMTUD_DEAF || mtu >= t->path[c->iface].mtu ||
        (c->pmtu != 0 && mtu >= c->pmtu))
        return;
    c->pmtu = (uint16_t)mtu;
    conn_mss_update(t, c);
    if (a == NULL || c->mss >= was || how == TERN_PMTUD_OFF)
        return;
    for (struct sent *s = a->sent_head; s != NULL; s = s->next) {
        if (!(s->flags & (SENT_SACKED | SENT_LOST | SENT_IN_DEVICE)) && sent_len(s) > c->mss)
            sent_mark(a, s, SENT_LOST);
    }
    a->force = true;
    if (like_linux(t) && a->lost != 0 && a->phase != LOSS_RTO) {
        a->cc.ssthresh = cwnd_ssthresh(a);
        a->prior_ssthresh = 0;
        a->undo = false;
        a->recover = c->snd_nxt;
        a->frto = FRTO_OFF;
        a->phase = LOSS_RTO;
    }
    conn_ready(t, c);
}

/* RFC 6069: it was the path that failed, not congestion; the last back-off is taken back, and what
 * then is overdue goes at once. */
static void long_disruption(struct tcp *t, struct conn *c, uint32_t seq)
{
    struct active *a = c->active;
    if (a == NULL || seq != c->snd_una || c->retries == 0 || c->backoff == 0 || a->t_rto == 0 ||
        a->sent_head == NULL)
        return;
    c->backoff--;
    uint64_t due = a->sent_head->time + rto_of(t, c);
    a->t_rto = due > t->now ? tick_after(t, due - t->now) : t->tick;
    timer_arm(t, c, a->t_rto);
}

/* The owner may ask for the words themselves. */
static void remember(struct tcp *t, struct conn *c, const tern_icmp *said, bool fatal)
{
    struct conn_rare *r = conn_rare(t, c);
    if (r == NULL)
        return;
    r->icmp = *said;
    r->icmp.fatal = fatal;
}

bool tcp_icmp(struct tcp *t, const struct tcp_tuple *tuple, const struct tcp_icmp *m)
{
    enum tern_err err = (enum tern_err)m->said.err;
    uint32_t ref = flow_find(t, tuple, tcp_flow_hash(t, tuple));
    if (ref == 0 || ref_kind(ref) != REF_CONN)
        return false;
    struct conn *c = conn_at(t, ref_ix(ref));
    if (c->snd_nxt == c->snd_una || !seq_in(m->seq, c->snd_una, c->snd_nxt - c->snd_una))
        return false; /* quotes nothing that is in flight: RFC 5927 4.1 */
    if (m->mtu != 0)
        too_big(t, c, m->mtu);
    else if ((c->state == TERN_SYN_SENT && (m->hard || !letter(t))) ||
             (fastopen_child(c) && c->flags & CONN_QUEUED)) {
        count(t, TERN_COUNT_ATTEMPT_FAILS);
        remember(t, c, &m->said, true);
        conn_end(t, c, err);
    } else { /* in synchronized states every error is soft: RFC 5461, RFC 5927 5 */
        if (c->stats != NULL) {
            remember(t, c, &m->said, false);
            conn_soft_error(t, c, err);
        }
        if (err == TERN_EUNREACH || err == TERN_ENETUNREACH)
            long_disruption(t, c, m->seq);
    }
    return true;
}
