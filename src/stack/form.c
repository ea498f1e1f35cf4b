/* form.c - replies that differ only in whom they are for. A listener that is flooded answers each
 * SYN with the same SYN-ACK, but for the peer's address, ports, numbers and timestamps; a closed
 * port says RST the same way. The last reply that was made is kept as a form: its headers with
 * those blanks at zero, and their sums. The next one like it is a copy with the blanks filled in,
 * and what is written into a blank is added to the sum that it belongs to.
 *
 * A form is known by all that is printed on it, not by where that came from: it cannot be out of
 * date, whatever has been configured in the meantime.
 */
#include "stack/stack.h"

enum {
    FORM_OPTIONS = WIRE_OPT_MSS | WIRE_OPT_WSCALE | WIRE_OPT_SACK_OK | WIRE_OPT_TS,
    DST4 = 16, /* in an IP header: the destination's address, */
    DST6 = 24,
    CHECK4 = 10, /* IPv4's checksum */
    CHECK = 16,  /* in a TCP header */
};

static bool device_sums(const tern *s, uint8_t iface)
{
    return (s->iface[iface].conf.caps & TERN_CAP_CSUM) != 0;
}

bool form_fits(const tern *s, const struct form *f, const struct tcp_reply *reply)
{
    const struct wire_tcp *h = &reply->h;
    return f->made && f->partial == device_sums(s, reply->iface) && f->tos == reply->tos &&
           f->ttl == stack_ttl(s, reply->iface, reply->ttl, f->ip4) &&
           wire_ip_equal(f->local, reply->tuple->local) && /* and so both are of IPv4, or not */
           f->h.flags == h->flags && f->h.wnd == h->wnd && f->h.opt.have == h->opt.have &&
           f->h.opt.mss == h->opt.mss && f->h.opt.wscale == h->opt.wscale &&
           f->h.opt.plain == h->opt.plain;
}

/* ---- making a form --------------------------------------------------------------------------- */

static void blank(uint8_t *p, size_t len) { memset(p, 0, len); }

/* What is printed in the IP header, and in the TCP header with its pseudo-header. */
static void sum_up(struct form *f, const uint8_t *ip, const uint8_t *tcp, uint32_t tcp_len)
{
    uint8_t nobody[16] = {0};
    if (f->ip4) {
        f->ip_sum = cksum_fold(cksum_few(ip, WIRE_IP4_HEADER, 0));
        memcpy(nobody, wire_mapped_prefix, sizeof(wire_mapped_prefix));
    }
    uint64_t sum = wire_pseudo_sum(f->local, nobody, WIRE_TCP, tcp_len);
    f->tcp_sum = cksum_fold(f->partial ? sum : cksum_few(tcp, tcp_len, sum));
}

void form_keep(const tern *s, struct form *f, const struct tcp_reply *reply, const struct outrec *r)
{
    if (reply->h.opt.have & ~FORM_OPTIONS)
        return;
    TERN_ASSERT(reply->h.urg == 0 && r->header_off + r->header_len <= FORM_AT + FORM_BYTES);
    uint8_t *ip = f->header + r->header_off - FORM_AT, *tcp = f->header + IP_ROOM - FORM_AT;
    uint32_t ip_len = (uint32_t)(tcp - ip), tcp_len = r->header_len - ip_len;
    f->made = true;
    f->ip4 = ip_len == WIRE_IP4_HEADER;
    f->partial = device_sums(s, reply->iface);
    f->ttl = stack_ttl(s, reply->iface, reply->ttl, f->ip4);
    f->tos = reply->tos;
    memcpy(f->local, reply->tuple->local, 16);
    f->h = reply->h;
    f->header_off = r->header_off;
    f->header_len = r->header_len;
    f->csum_start = r->csum_start;
    f->csum_offset = r->csum_offset;
    memcpy(f->header, r->header + FORM_AT, FORM_BYTES);
    f->ts_at = (uint8_t)wire_tcp_ts_at(tcp, tcp_len);
    if (f->ip4) {
        blank(ip + CHECK4, 2);
        blank(ip + DST4, 4);
    } else {
        blank(ip + DST6, 16);
    }
    blank(tcp, 12); /* ports and numbers */
    blank(tcp + CHECK, 2);
    if (f->ts_at != 0)
        blank(tcp + f->ts_at, 8);
    sum_up(f, ip, tcp, tcp_len);
}

/* ---- filling it in --------------------------------------------------------------------------- */

/* Into a blank; what it adds to a sum: the word as it lies in memory. */
static uint64_t fill16(uint8_t *p, uint16_t value)
{
    uint16_t word;
    store_be16(&word, value);
    memcpy(p, &word, sizeof(word));
    return word;
}

static uint64_t fill32(uint8_t *p, uint32_t value)
{
    uint32_t word;
    store_be32(&word, value);
    memcpy(p, &word, sizeof(word));
    return word;
}

/* The destination; what it adds to the pseudo-header's sum. */
static uint64_t fill_address(const struct form *f, uint8_t *ip, const uint8_t remote[16])
{
    uint64_t w[2];
    memcpy(w, remote, sizeof(w));
    if (!f->ip4) {
        memcpy(ip + DST6, w, sizeof(w));
        return cksum_fold(cksum_add(w[0], w[1]));
    }
    uint32_t word;
    memcpy(&word, remote + 12, sizeof(word));
    memcpy(ip + DST4, &word, sizeof(word));
    uint16_t check = cksum_finish(f->ip_sum + word);
    memcpy(ip + CHECK4, &check, sizeof(check));
    return word;
}

void form_fill(const struct form *f, const struct tcp_reply *reply, struct outrec *r)
{
    const struct wire_tcp *h = &reply->h;
    uint8_t *tcp = r->header + IP_ROOM;
    memcpy(r->header + FORM_AT, f->header, FORM_BYTES);
    r->header_off = f->header_off;
    r->header_len = f->header_len;
    r->csum_start = f->csum_start;
    r->csum_offset = f->csum_offset;
    /* (a few words of 32 bits, in 64: nothing is carried out) */
    uint64_t pseudo = f->tcp_sum, sum;
    pseudo += fill_address(f, r->header + f->header_off, reply->tuple->remote);
    sum = fill16(tcp, h->sport) + fill16(tcp + 2, h->dport);
    sum += fill32(tcp + 4, h->seq) + fill32(tcp + 8, h->ack);
    if (f->ts_at != 0) {
        sum += fill32(tcp + f->ts_at, h->opt.tsval);
        sum += fill32(tcp + f->ts_at + 4, h->opt.tsecr);
    }
    uint16_t check = f->partial ? cksum_fold(pseudo) : cksum_finish(pseudo + sum);
    memcpy(tcp + CHECK, &check, sizeof(check));
}
