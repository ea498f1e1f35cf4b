/* urgent.c - urgent data (RFC 9293 3.8.5, RFC 6093), both ways.
 *
 * The pointer names the byte after the last urgent one (MUST-62), and urgent data stays in the
 * stream, as RFC 6093 advises. The last urgent byte is kept beside it as well, because the sockets
 * API lets it be read apart, even before what precedes it has come. As in Linux, a sender in urgent
 * mode sends one segment at a time, and Nagle's algorithm holds none of them back.
 */
#include "tcp/tcp.h"

/* ---- ours ------------------------------------------------------------------------------------ */

int urgent_queued(struct tcp *t, struct conn *c, uint32_t end)
{
    struct conn_rare *r = conn_rare(t, c);
    if (r == NULL)
        return TERN_ENOMEM;
    c->flags |= CONN_MARKED;
    r->urgent_out = true;
    r->urgent_probed = false;
    r->urgent_end = end;
    return 0;
}

/* SND.UP; false: there is no urgent data, or all of it has been acknowledged. */
static bool send_pointer(const struct conn *c, uint32_t *up)
{
    const struct conn_rare *r = conn_rare_of(c);
    if (r == NULL || !r->urgent_out)
        return false;
    *up = c->iss + 1 + r->urgent_end;
    return seq_gt(*up, c->snd_una);
}

bool urgent_mode(const struct conn *c)
{
    uint32_t up;
    return UNLIKELY(c->flags & CONN_MARKED) && send_pointer(c, &up);
}

uint16_t urgent_mark(struct conn *c, uint8_t *header, uint32_t seq)
{
    uint32_t up, far = UINT16_MAX;
    if (!send_pointer(c, &up)) {
        if (md5_of(c) == NULL && !conn_breakable(c))
            c->flags &= ~(uint32_t)CONN_MARKED;
        return 0;
    }
    if (!seq_gt(up, seq))
        return 0;
    if (up - seq > far && !seq_gt(seq + far, c->snd_nxt))
        return 0; /* a later segment says so; MUST-31: urgent data of any length */
    store_be16(header + 18, (uint16_t)min_u32(up - seq, far));
    return TCP_URG;
}

bool urgent_probe(struct conn *c)
{
    uint32_t up;
    struct conn_rare *r = conn_rare_of(c);
    if (!send_pointer(c, &up) || up - c->snd_una > UINT16_MAX)
        return false;
    r->urgent_probed = !r->urgent_probed;
    return r->urgent_probed;
}

/* ---- the peer's ------------------------------------------------------------------------------ */

/* The number of the next byte to be read. */
static uint32_t read_next(const struct conn *c)
{
    return c->rcv_nxt - ((c->flags & CONN_FIN_RCVD) != 0) - reasm_readable(c, c->active);
}

/* It counts if it is ahead of what has been received, and of one that was there before. */
void urgent_arrives(struct tcp *t, struct conn *c, const struct wire_tcp *h)
{
    uint32_t at = h->seq + h->urg; /* a pointer of 0: as Linux takes it */
    if (h->urg != 0 && !t->cfg->tuning.stdurg)
        at--;
    if (seq_lt(at, c->rcv_nxt))
        return;
    struct conn_rare *r = conn_rare(t, c);
    if (r == NULL || (r->urgent_in && !seq_gt(at, r->urgent_at)))
        return;
    r->urgent_in = true;
    r->urgent_here = false;
    r->urgent_at = at;
    conn_event(t, c, TERN_EV_URGENT); /* MUST-32 */
}

void urgent_data(struct tcp *t, struct conn *c, const struct tcp_seg *seg)
{
    struct conn_rare *r = c->stats->rare;
    size_t at = r->urgent_at - seg->h.seq;
    if (!r->urgent_in || r->urgent_here || at >= seg->len)
        return;
    at += seg->payload_off;
    const tern_iov *v = seg->pkt->iov;
    for (; at >= v->len; v++)
        at -= v->len;
    r->urgent_byte = ((const uint8_t *)v->base)[at];
    r->urgent_here = true;
    conn_event(t, c, TERN_EV_URGENT);
}

void urgent_read(struct conn *c)
{
    struct conn_rare *r = c->stats->rare;
    r->urgent_in = r->urgent_in && !seq_lt(r->urgent_at, read_next(c));
}

void urgent_state(const struct conn *c, tern_urgent *out)
{
    const struct conn_rare *r = conn_rare_of(c);
    *out = (tern_urgent){0};
    if (r == NULL || !r->urgent_in)
        return;
    out->pending = true;
    out->here = r->urgent_here;
    out->byte = r->urgent_byte;
    out->at = r->urgent_at - c->irs - 1;
    out->ahead = r->urgent_at - read_next(c);
}
