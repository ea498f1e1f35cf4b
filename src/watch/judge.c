/* judge.c - the rules of rules.h. Each is a few lines that compare a segment with what its sender
 * has sent before and with what the other end has sent so far; a rule that needs more trust in the
 * capture than there is stays silent. */
#include "watch/judge.h"

#include "base/seq.h"

static void accuse(const struct judge *j, enum watch_rule rule, uint32_t a, uint32_t b)
{
    unsigned needs = watch_rule_info(rule)->needs;
    if ((needs & j->conf->trust) != needs)
        return;
    j->conn->violations++;
    if (j->conf->finding != NULL)
        j->conf->finding(j->conf->user, &(struct follow_finding){.rule = rule,
                                                                 .conn = j->conn,
                                                                 .end = j->from,
                                                                 .packet = j->raw,
                                                                 .a = a,
                                                                 .b = b});
}

/* Both SYNs were seen, and both had the option. */
static bool agreed(const struct judge *j, uint8_t option)
{
    const struct follow_end *end = j->conn->end;
    return end[0].syn && end[1].syn && end[0].options & end[1].options & option;
}

/* Both SYNs were seen, and one had it not. */
static bool declined(const struct judge *j, uint8_t option)
{
    const struct follow_end *end = j->conn->end;
    return end[0].syn && end[1].syn && !(end[0].options & end[1].options & option);
}

/* ---- a segment by itself --------------------------------------------------------------------- */

static void judge_form(const struct judge *j)
{
    const struct packet *p = j->packet;
    uint16_t flags = p->tcp.flags;
    if (p->whole) {
        const uint8_t *tcp = j->raw->data + p->ip.header_len;
        uint64_t sum = wire_pseudo_sum(p->ip.src, p->ip.dst, WIRE_TCP, p->ip.payload_len);
        uint16_t rest = cksum_finish(cksum_add(cksum_portable(tcp, p->ip.payload_len, 0), sum));
        if (rest != 0)
            accuse(j, WATCH_RULE_CHECKSUM, load_be16(tcp + 16), 0);
    }
    if ((flags & (TCP_SYN | TCP_FIN)) == (TCP_SYN | TCP_FIN))
        accuse(j, WATCH_RULE_SYN_FIN, 0, 0);
    if (!(flags & (TCP_SYN | TCP_RST | TCP_ACK)))
        accuse(j, WATCH_RULE_NO_ACK, 0, 0);
    for (uint32_t i = 0; i < p->tcp.opt.sack_count; i++)
        if (seq_leq(p->tcp.opt.sack[i].hi, p->tcp.opt.sack[i].lo))
            accuse(j, WATCH_RULE_SACK_EMPTY, p->tcp.opt.sack[i].lo, p->tcp.opt.sack[i].hi);
}

/* ---- opening --------------------------------------------------------------------------------- */

static void judge_syn(const struct judge *j)
{
    const struct follow_end *o = &j->conn->end[!j->from];
    const struct wire_tcp *h = &j->packet->tcp;
    const struct wire_tcp_options *opt = &h->opt;
    if (opt->have & WIRE_OPT_WSCALE && opt->wscale > WIRE_WSCALE_MAX)
        accuse(j, WATCH_RULE_WSCALE_LARGE, opt->wscale, 0);
    if (!(h->flags & TCP_ACK) || !o->syn)
        return;
    /* data in the SYN may be acknowledged with it (RFC 7413) */
    if (!seq_between(h->ack, o->isn + 1, o->snd_max))
        accuse(j, WATCH_RULE_SYN_ACK_NUMBER, h->ack, o->isn + 1);
    if (opt->have & WIRE_OPT_WSCALE && !(o->options & WIRE_OPT_WSCALE))
        accuse(j, WATCH_RULE_WSCALE_UNASKED, 0, 0);
    if (opt->have & WIRE_OPT_TS && !(o->options & WIRE_OPT_TS))
        accuse(j, WATCH_RULE_TS_UNASKED, 0, 0);
    if (opt->have & WIRE_OPT_SACK_OK && !(o->options & WIRE_OPT_SACK_OK))
        accuse(j, WATCH_RULE_SACK_UNASKED, 0, 0);
}

/* ---- options of an open connection ----------------------------------------------------------- */

static void judge_timestamps(const struct judge *j)
{
    const struct follow_end *e = &j->conn->end[j->from], *o = &j->conn->end[!j->from];
    const struct wire_tcp *h = &j->packet->tcp;
    bool has = h->opt.have & WIRE_OPT_TS, rst = h->flags & TCP_RST, syn = h->flags & TCP_SYN;
    if (!syn && !rst && !has && agreed(j, WIRE_OPT_TS))
        accuse(j, WATCH_RULE_TS_MISSING, 0, 0);
    if (!syn && has && declined(j, WIRE_OPT_TS))
        accuse(j, WATCH_RULE_TS_UNASKED, 0, 0);
    if (!has || rst)
        return;
    uint32_t end = h->seq + wire_tcp_span(h, (uint32_t)j->packet->len);
    if (e->ts_seen && seq_gt(end, e->snd_max) && seq_lt(h->opt.tsval, e->ts_new))
        accuse(j, WATCH_RULE_TS_BACK, h->opt.tsval, e->ts_new);
    if (h->flags & TCP_ACK && o->ts_max != 0 && seq_gt(h->opt.tsecr, o->ts_max))
        accuse(j, WATCH_RULE_TS_ECHO, h->opt.tsecr, o->ts_max);
}

static void judge_sack(const struct judge *j)
{
    const struct follow_end *o = &j->conn->end[!j->from];
    const struct wire_tcp_options *opt = &j->packet->tcp.opt;
    if (opt->sack_count == 0)
        return;
    if (o->syn && !(o->options & WIRE_OPT_SACK_OK))
        accuse(j, WATCH_RULE_SACK_UNASKED, 0, 0);
    for (uint32_t i = 0; i < opt->sack_count; i++)
        if (o->based && seq_gt(opt->sack[i].hi, o->snd_max)) {
            accuse(j, WATCH_RULE_SACK_UNSENT, follow_relative(o, opt->sack[i].hi),
                   follow_relative(o, o->snd_max));
            return;
        }
}

/* ---- numbers --------------------------------------------------------------------------------- */

static void judge_ack(const struct judge *j)
{
    const struct follow_end *e = &j->conn->end[j->from], *o = &j->conn->end[!j->from];
    const struct wire_tcp *h = &j->packet->tcp;
    if (!(h->flags & TCP_ACK) || h->flags & TCP_SYN)
        return;
    if (!o->based) {
        if (e->syn && !(h->flags & TCP_RST))
            accuse(j, WATCH_RULE_BEFORE_OPEN, 0, 0);
        return;
    }
    if (seq_gt(h->ack, o->snd_max))
        accuse(j, WATCH_RULE_ACK_UNSENT, follow_relative(o, h->ack),
               follow_relative(o, o->snd_max));
    /* what was sent later, by its own clock, cannot acknowledge less */
    bool later = h->opt.have & WIRE_OPT_TS && e->ack_ts != 0 && seq_gt(h->opt.tsval, e->ack_ts);
    if (later && !(h->flags & TCP_RST) && seq_lt(h->ack, e->ack_at))
        accuse(j, WATCH_RULE_ACK_BACK, follow_relative(o, h->ack), follow_relative(o, e->ack_at));
}

/* The same numbers, other bytes. */
static bool data_changed(const struct judge *j)
{
    const struct follow_end *e = &j->conn->end[j->from];
    const struct packet *p = j->packet;
    if (e->recent == NULL || !p->whole || p->len == 0 || !seq_lt(p->tcp.seq, e->snd_max))
        return false;
    for (uint32_t i = 0; i < FOLLOW_RECENT; i++)
        if (e->recent[i].len == p->len && e->recent[i].seq == p->tcp.seq)
            return cksum_fold(cksum_portable(p->payload, p->len, 0)) != e->recent[i].sum;
    return false;
}

static void judge_data(const struct judge *j)
{
    const struct follow_end *e = &j->conn->end[j->from], *o = &j->conn->end[!j->from];
    const struct packet *p = j->packet;
    const struct wire_tcp *h = &p->tcp;
    bool fin = h->flags & TCP_FIN;
    uint32_t len = (uint32_t)p->len, end = h->seq + len;
    if (len != 0 && o->mss != 0 && len + (h->header_len - WIRE_TCP_HEADER) > o->mss)
        accuse(j, WATCH_RULE_OVER_MSS, len + (h->header_len - WIRE_TCP_HEADER), o->mss);
    if (h->flags & TCP_SYN)
        return;
    /* a probe of a closed window is one byte beyond it */
    if (len > 1 && o->edged && seq_gt(end, o->edge))
        accuse(j, WATCH_RULE_OVER_WINDOW, follow_relative(e, end), follow_relative(e, o->edge));
    if (data_changed(j))
        accuse(j, WATCH_RULE_DATA_CHANGED, follow_relative(e, h->seq), len);
    if (e->fin_sent && len != 0 && seq_gt(end, e->fin))
        accuse(j, WATCH_RULE_AFTER_FIN, follow_relative(e, end), follow_relative(e, e->fin));
    else if (e->fin_sent && fin && end != e->fin)
        accuse(j, WATCH_RULE_FIN_MOVED, follow_relative(e, end), follow_relative(e, e->fin));
    if (e->rst_sent && j->conn->established != 0 && len != 0 && seq_geq(h->seq, e->rst) &&
        seq_gt(end, e->snd_max))
        accuse(j, WATCH_RULE_AFTER_RST, follow_relative(e, h->seq), follow_relative(e, e->rst));
}

/* ---- RST ------------------------------------------------------------------------------------- */

/* An RST carries the sender's next number, or answers an acknowledgement with its number, or, where
 * the sender has none, 0 and an acknowledgement (RFC 9293 3.10.7.1). */
static void judge_rst(const struct judge *j)
{
    const struct follow_end *e = &j->conn->end[j->from], *o = &j->conn->end[!j->from];
    const struct wire_tcp *h = &j->packet->tcp;
    if (h->seq == 0 && h->flags & TCP_ACK)
        return;
    for (uint32_t i = 0; i < min_u32(o->acks_next, ARRAY_LEN(o->acks)); i++)
        if (h->seq == o->acks[i])
            return;
    if (!e->based || (o->acked && seq_between(h->seq, o->ack, e->snd_max)))
        return;
    if (!o->acked && seq_between(h->seq, e->isn, e->snd_max))
        return;
    accuse(j, WATCH_RULE_RST_NUMBER, follow_relative(e, h->seq), follow_relative(e, e->snd_max));
}

void judge_segment(const struct judge *j)
{
    const struct wire_tcp *h = &j->packet->tcp;
    judge_form(j);
    if (h->flags & TCP_SYN)
        judge_syn(j);
    if (h->flags & TCP_RST) {
        judge_rst(j);
        return;
    }
    judge_timestamps(j);
    judge_sack(j);
    judge_ack(j);
    judge_data(j);
}
