/* judge.c - the rules of rules.h. Each is a few lines that compare a segment with what its sender
 * has sent before and with what the other end has sent so far; a rule that needs more trust in the
 * capture than there is stays silent. */
#include "watch/judge.h"

#include "base/seq.h"

enum {
    RESERVED_BITS = 0x0e, /* of the header's 13th byte: RFC 9293 3.1, less the one of AccECN */
    ECN_FIELD = 3,        /* of the traffic class */
    KIND_MSS = 2,
    KIND_WSCALE = 3,
    KIND_SACK_OK = 4,
};

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

/* Both SYNs were seen, and both had the option, each time they were sent. */
static bool agreed(const struct judge *j, uint8_t option)
{
    const struct follow_end *end = j->conn->end;
    return end[0].syn && end[1].syn && end[0].options_all & end[1].options_all & option;
}

/* Both SYNs were seen, and one had it not. */
static bool declined(const struct judge *j, uint8_t option)
{
    const struct follow_end *end = j->conn->end;
    return end[0].syn && end[1].syn && !(end[0].options & end[1].options & option);
}

static const uint8_t *tcp_header(const struct judge *j)
{
    return j->raw->data + j->packet->ip.header_len;
}

/* ---- a segment by itself --------------------------------------------------------------------- */

static void judge_form(const struct judge *j)
{
    const struct packet *p = j->packet;
    uint16_t flags = p->tcp.flags;
    if (p->whole) {
        const uint8_t *tcp = tcp_header(j);
        uint64_t sum = wire_pseudo_sum(p->ip.src, p->ip.dst, WIRE_TCP, p->ip.payload_len) + p->sum;
        if (cksum_finish(cksum_few(tcp, p->tcp.header_len, sum)) != 0)
            accuse(j, WATCH_RULE_CHECKSUM, load_be16(tcp + 16), 0);
    }
    if ((flags & (TCP_SYN | TCP_FIN)) == (TCP_SYN | TCP_FIN))
        accuse(j, WATCH_RULE_SYN_FIN, 0, 0);
    if (!(flags & (TCP_SYN | TCP_RST | TCP_ACK)))
        accuse(j, WATCH_RULE_NO_ACK, 0, 0);
    if (tcp_header(j)[12] & RESERVED_BITS)
        accuse(j, WATCH_RULE_RESERVED, tcp_header(j)[12] & RESERVED_BITS, 0);
    if (!wire_ip_unicast(p->ip.src) || !wire_ip_unicast(p->ip.dst))
        accuse(j, WATCH_RULE_NOT_UNICAST, 0, 0);
    for (uint32_t i = 0; i < p->tcp.opt.sack_count; i++)
        if (seq_leq(p->tcp.opt.sack[i].hi, p->tcp.opt.sack[i].lo))
            accuse(j, WATCH_RULE_SACK_EMPTY, p->tcp.opt.sack[i].lo, p->tcp.opt.sack[i].hi);
}

/* Options that belong on a SYN; the reader of headers does not see them elsewhere. */
static void judge_late_options(const struct judge *j)
{
    static const uint8_t rules[] = {[KIND_MSS] = WATCH_RULE_MSS_LATE,
                                    [KIND_WSCALE] = WATCH_RULE_WSCALE_LATE,
                                    [KIND_SACK_OK] = WATCH_RULE_SACK_OK_LATE};
    const uint8_t *o = tcp_header(j), *end = o + j->packet->tcp.header_len;
    if (j->packet->tcp.flags & TCP_SYN)
        return;
    for (o += WIRE_TCP_HEADER; o < end && *o != 0; o += *o == 1 ? 1 : o[1])
        if (*o >= KIND_MSS && *o <= KIND_SACK_OK)
            accuse(j, rules[*o], 0, 0);
}

/* ECN is used only if both SYNs agree on it; a SYN sent again may ask no more. */
static void judge_ecn(const struct judge *j)
{
    const struct follow_end *e = &j->conn->end[j->from], *o = &j->conn->end[!j->from];
    uint16_t flags = j->packet->tcp.flags;
    if (!o->syn || flags & TCP_RST)
        return;
    if (flags & TCP_SYN) {
        if (flags & TCP_ACK && flags & ECN_FLAGS && o->ecn == 0)
            accuse(j, WATCH_RULE_ECN_UNASKED, 0, 0);
    } else if (e->syn && j->packet->ip.tos & ECN_FIELD && (e->ecn == 0 || o->ecn == 0)) {
        accuse(j, WATCH_RULE_ECT_UNASKED, 0, 0);
    }
}

/* ---- opening --------------------------------------------------------------------------------- */

static void judge_syn(const struct judge *j)
{
    const struct follow_end *o = &j->conn->end[!j->from];
    const struct wire_tcp *h = &j->packet->tcp;
    const struct wire_tcp_options *opt = &h->opt;
    const struct follow_end *e = &j->conn->end[j->from];
    if (opt->have & WIRE_OPT_WSCALE && opt->wscale > WIRE_WSCALE_MAX)
        accuse(j, WATCH_RULE_WSCALE_LARGE, opt->wscale, 0);
    /* a SYN cookie may become an entry with another number, until it knows of the connection */
    if (e->syn && h->seq != e->isn && e->spoke && e->state >= TERN_ESTABLISHED && !e->rst_sent &&
        !o->rst_sent)
        accuse(j, WATCH_RULE_ISN_MOVED, h->seq, e->isn);
    if (!(h->flags & TCP_ACK) || !o->syn)
        return;
    /* data in the SYN may be acknowledged with it (RFC 7413) */
    if (!seq_between(h->ack, o->isn + 1, o->snd_max) && !follow_acks_syn(o, h->ack))
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
    bool reborn = syn && e->syn && h->seq != e->isn; /* and its clock with it */
    if (e->ts_seen && !reborn && seq_gt(end, e->snd_max) && seq_lt(h->opt.tsval, e->ts_new))
        accuse(j, WATCH_RULE_TS_BACK, h->opt.tsval, e->ts_new);
    bool known = o->settled || !o->syn; /* which clock it has */
    if (h->flags & TCP_ACK && known && o->ts_max != 0 && seq_gt(h->opt.tsecr, o->ts_max))
        accuse(j, WATCH_RULE_TS_ECHO, h->opt.tsecr, o->ts_max);
    bool once = o->syn && o->isn_count == 1; /* else it may have had two clocks */
    if (h->flags & TCP_ACK && once && o->options & WIRE_OPT_TS && seq_lt(h->opt.tsecr, o->ts_first))
        accuse(j, WATCH_RULE_TS_ECHO_EARLY, h->opt.tsecr, o->ts_first);
}

/* Only the first block may tell of what came twice (RFC 2883); the others tell of what is held
 * beyond a hole, each of something else. */
static void judge_blocks(const struct judge *j)
{
    const struct follow_end *o = &j->conn->end[!j->from];
    const struct wire_sack *b = j->packet->tcp.opt.sack;
    uint32_t n = j->packet->tcp.opt.sack_count, ack = j->packet->tcp.ack;
    for (uint32_t i = 0; i < n; i++)
        if (b[i].lo == ack || (i != 0 && seq_lt(b[i].lo, ack)))
            accuse(j, WATCH_RULE_SACK_HELD, follow_relative(o, b[i].lo), follow_relative(o, ack));
    for (uint32_t i = 1; i < n; i++)
        for (uint32_t k = 1; k < n; k++)
            if (i != k && seq_geq(b[i].lo, b[k].lo) && seq_lt(b[i].lo, b[k].hi))
                accuse(j, WATCH_RULE_SACK_OVERLAP, follow_relative(o, b[i].lo),
                       follow_relative(o, b[k].hi));
}

static void judge_sack(const struct judge *j)
{
    const struct follow_end *o = &j->conn->end[!j->from];
    const struct wire_tcp_options *opt = &j->packet->tcp.opt;
    if (opt->sack_count == 0)
        return;
    if (o->syn && !(o->options & WIRE_OPT_SACK_OK))
        accuse(j, WATCH_RULE_SACK_UNASKED, 0, 0);
    if (j->packet->tcp.flags & TCP_ACK)
        judge_blocks(j);
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
    if (seq_gt(h->ack, o->snd_max) && !follow_acks_syn(o, h->ack))
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
            return p->sum != e->recent[i].sum;
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

/* Whether the RST answers an acknowledgement of `o` to `e` which may still be on its way. */
static bool answers_older(const struct follow_end *e, const struct follow_end *o,
                          const struct wire_tcp *h)
{
    return !(h->flags & TCP_ACK) && e->based && o->acked && seq_between(h->seq, e->isn, o->ack);
}

/* Whether it answers one of an older connection of these two: the newer answers what still comes
 * of it. */
static bool answers_before(const struct judge *j)
{
    const tern_addr *to = &j->conn->end[!j->from].addr, *by = &j->conn->end[j->from].addr;
    for (const struct follow_conn *k = j->conn->chain; k != NULL; k = k->chain)
        for (int end = 0; end < 2; end++) {
            const struct follow_end *o = &k->end[end], *e = &k->end[!end];
            if (!addr_equal(&o->addr, to) || !addr_equal(&e->addr, by))
                continue;
            if (answers_older(e, o, &j->packet->tcp))
                return true;
            for (uint32_t i = 0; i < min_u32(o->acks_next, ARRAY_LEN(o->acks)); i++)
                if (j->packet->tcp.seq == o->acks[i])
                    return true;
        }
    return false;
}

/* An RST carries the sender's next number, or answers an acknowledgement with its number, or, where
 * the sender has none, 0 and an acknowledgement (RFC 9293 3.10.7.1). */
static void judge_rst(const struct judge *j)
{
    const struct follow_end *e = &j->conn->end[j->from], *o = &j->conn->end[!j->from];
    const struct wire_tcp *h = &j->packet->tcp;
    if (h->flags & TCP_ACK && o->based && seq_gt(h->ack, o->snd_max))
        accuse(j, WATCH_RULE_RST_ACK, follow_relative(o, h->ack), follow_relative(o, o->snd_max));
    if (h->seq == 0 && h->flags & TCP_ACK)
        return;
    for (uint32_t i = 0; i < min_u32(o->acks_next, ARRAY_LEN(o->acks)); i++)
        if (h->seq == o->acks[i])
            return;
    if (answers_older(e, o, h))
        return;
    if (!e->based || (o->acked && seq_between(h->seq, o->ack, e->snd_max)))
        return;
    if (!o->acked && seq_between(h->seq, e->isn, e->snd_max))
        return;
    if (answers_before(j))
        return;
    accuse(j, WATCH_RULE_RST_NUMBER, follow_relative(e, h->seq), follow_relative(e, e->snd_max));
}

void judge_segment(const struct judge *j)
{
    const struct wire_tcp *h = &j->packet->tcp;
    judge_form(j);
    judge_late_options(j);
    judge_ecn(j);
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
