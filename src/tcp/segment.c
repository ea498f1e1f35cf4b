/* segment.c - what a segment is made of: the header with the options that fit, and the payload,
 * which stays where it lies in the send queue and is only referred to.
 */
#include "tcp/output.h"

/* ---- headers --------------------------------------------------------------------------------- */

uint16_t segment_window(const struct tcp *t, struct conn *c, bool syn)
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

void segment_acknowledged(struct conn *c, struct active *a)
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

void segment_describe(struct tcp *t, struct conn *c, struct tcp_out *out)
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

void segment_header(struct tcp *t, struct conn *c, struct tcp_out *out, uint16_t flags,
                    uint32_t seq)
{
    struct active *a = c->active;
    uint8_t *p = out->tcp;
    segment_describe(t, c, out);
    uint8_t *end = wire_tcp_put(p, (uint32_t)c->lport << 16 | c->rport, seq, c->rcv_nxt);
    if (UNLIKELY(md5_of(c) != NULL))
        end = wire_tcp_put_md5(end);
    if (c->flags & CONN_TS)
        end = wire_tcp_put_ts(end, ts_of(t, out->departs) + c->ts_offset, c->ts_recent);
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
    out->tcp_len = wire_tcp_close(p, end, flags | TCP_ACK, segment_window(t, c, false));
    segment_acknowledged(c, a);
}

void segment_bare(struct tcp_out *out)
{
    out->departs = 0;
    out->chunk = NULL;
    out->sent = NULL;
    out->chunk_off = out->len = 0;
    out->chunks = out->gso_size = 0;
}

/* ---- payload --------------------------------------------------------------------------------- */

uint32_t segment_mss(const struct tcp *t, const struct conn *c)
{
    struct extras x;
    choose_extras(t, c, &x);
    if (LIKELY(!x.counters && x.blocks == 0))
        return c->mss;
    return c->mss - (uint32_t)wire_tcp_accecn_len(x.counters ? &x.accecn : NULL, x.blocks);
}

uint32_t segment_attach(struct tcp_out *out, struct chunk *chunk, uint32_t offset, uint32_t len,
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

void segment_detach(struct tcp *t, struct tcp_out *out, uint32_t len)
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
