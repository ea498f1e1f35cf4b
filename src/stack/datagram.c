/* stack/datagram.c - packets that are no TCP segments: one datagram in one packet, or in fragments
 * when it is larger than the path's MTU. DF is set on what fits, and cannot be on what does not.
 */
#include "stack/stack.h"

enum { DATAGRAM_OFF = 16 }; /* where its headers begin in a record, Ethernet's not counted */
_Static_assert(DATAGRAM_OFF >= (int)WIRE_ETH_HEADER &&
                   DATAGRAM_OFF + (int)WIRE_FRAG_HEADER + (int)DATAGRAM_HEADER <= (int)HEADER_MAX,
               "all headers fit");

/* Where in its payload a datagram stands. */
struct cursor {
    struct chunk *chunk;
    uint32_t off;
};

/* The IDs of fragments: a counter of few addresses, from a keyed offset on (RFC 7739 5.3). */
uint32_t stack_fragment_id(tern *s, const uint8_t src[16], const uint8_t dst[16])
{
    uint64_t w[4];
    memcpy(w, src, 16);
    memcpy(w + 2, dst, 16);
    uint64_t hash = siphash13(&s->icmp_key, w, sizeof(w));
    return (uint32_t)hash + s->frag_ids[hash >> 32 & (FRAG_IDS - 1)]++;
}

/* A record for `len` bytes of payload from `at` on, which moves. NULL: no memory. */
static struct outrec *payload_record(tern *s, uint8_t iface, struct cursor *at, uint32_t len)
{
    struct outrec *r = pool_take(&s->outrecs);
    if (r == NULL)
        return NULL;
    *r = (struct outrec){.iface = iface, .header_off = DATAGRAM_OFF, .len = len};
    if (len > 0 && at->off == at->chunk->len)
        *at = (struct cursor){.chunk = at->chunk->next};
    r->chunk = at->chunk;
    r->chunk_off = at->off;
    while (len > 0) {
        if (at->off == at->chunk->len)
            *at = (struct cursor){.chunk = at->chunk->next};
        uint32_t n = min_u32(at->chunk->len - at->off, len);
        chunk_ref(at->chunk);
        r->chunks++;
        at->off += n;
        len -= n;
    }
    return r;
}

/* The checksum of a whole datagram; the field must be 0. */
static uint16_t datagram_sum(const tern *s, const struct datagram *d, uint32_t total)
{
    uint64_t sum = 0;
    if (d->ip.proto == WIRE_UDP || d->ip.version == 6)
        sum = wire_pseudo_sum(d->ip.src, d->ip.dst, d->ip.proto, total);
    sum = cksum_bytes(&s->cksum, d->header, DATAGRAM_HEADER, sum);
    const struct chunk *c = d->chunk;
    bool odd = false;
    for (uint32_t left = d->len; left > 0; c = c->next) {
        uint32_t n = min_u32(c->len, left);
        uint64_t one = cksum_bytes(&s->cksum, c->data, n, 0);
        sum = cksum_add(sum, odd ? cksum_shift(one) : one);
        odd ^= n & 1;
        left -= n;
    }
    uint16_t check = cksum_finish(sum);
    return check == 0 && d->ip.proto == WIRE_UDP ? 0xffff : check; /* 0: none (RFC 768) */
}

/* Puts the headers in front: IP's, and in the first piece the datagram's own. */
static void put_headers(struct outrec *r, const struct wire_ip *ip, const uint8_t *header)
{
    uint8_t *p = r->header + r->header_off;
    size_t n = ip->fragment ? wire_frag_write(p, ip, 0) : wire_ip_write(p, ip, 0);
    if (ip->frag_off == 0) {
        memcpy(p + n, header, DATAGRAM_HEADER);
        n += DATAGRAM_HEADER;
    }
    r->header_len = (uint16_t)n;
}

static void queue_all(tern *s, struct outrec *first, bool reply)
{
    while (first != NULL) {
        struct outrec *next = first->next;
        if (reply)
            stack_queue_reply(s, first);
        else
            stack_queue(s, first);
        first = next;
    }
}

static int send_fragments(tern *s, const struct datagram *d, uint32_t mtu, struct outrec **last)
{
    struct wire_ip ip = d->ip;
    uint32_t headers = ip.version == 4 ? WIRE_IP4_HEADER : WIRE_FRAG_HEADER;
    uint32_t total = DATAGRAM_HEADER + d->len, most = (mtu - headers) & ~7u;
    uint32_t room = s->outrecs.limit - s->outrecs.used;
    struct outrec *first = NULL, **end = &first;
    struct cursor at = {.chunk = d->chunk};
    if (d->reply)
        room = min_u32(room, s->cfg.replies_max - min_u32(s->replies, s->cfg.replies_max));
    if ((total + most - 1) / most > room)
        return TERN_EAGAIN;
    ip.fragment = true;
    ip.frag_id = stack_fragment_id(s, ip.src, ip.dst);
    for (uint32_t done = 0; done < total; done += ip.payload_len) {
        ip.payload_len = (uint16_t)min_u32(total - done, most);
        ip.frag_off = (uint16_t)done;
        ip.frag_more = done + ip.payload_len < total;
        uint32_t own = done == 0 ? DATAGRAM_HEADER : 0;
        struct outrec *r = payload_record(s, d->iface, &at, ip.payload_len - own);
        if (r == NULL) {
            while (first != NULL) {
                struct outrec *next = first->next;
                stack_release(s, first);
                first = next;
            }
            return TERN_ENOMEM;
        }
        put_headers(r, &ip, d->header);
        *end = *last = r;
        end = &r->next;
    }
    s->counters.count[TERN_COUNT_FRAGMENTS_OUT] += (total + most - 1) / most;
    queue_all(s, first, d->reply);
    return 0;
}

/* The payload's chunks stay the caller's. */
int stack_datagram(tern *s, struct datagram *d, struct outrec **last)
{
    uint32_t total = DATAGRAM_HEADER + d->len;
    uint32_t mtu = pmtu_get(&s->pmtu, d->ip.dst, stack_mtu(s, d), s->tcp.now);
    size_t ip_len = d->ip.version == 4 ? WIRE_IP4_HEADER : WIRE_IP6_HEADER;
    bool whole = ip_len + total <= mtu;
    uint16_t check;
    if (whole &&
        (s->outrecs.used == s->outrecs.limit || (d->reply && s->replies >= s->cfg.replies_max)))
        return TERN_EAGAIN;
    bool partial = whole && d->ip.proto == WIRE_UDP && s->iface[d->iface].conf.caps & TERN_CAP_CSUM;
    if (partial) {
        uint64_t sum = wire_pseudo_sum(d->ip.src, d->ip.dst, d->ip.proto, total);
        check = cksum_fold(sum);
    } else {
        check = datagram_sum(s, d, total);
    }
    memcpy(d->header + d->check_at, &check, 2);
    if (!whole)
        return send_fragments(s, d, mtu, last);
    struct cursor at = {.chunk = d->chunk};
    struct outrec *r = payload_record(s, d->iface, &at, d->len);
    if (r == NULL)
        return TERN_ENOMEM;
    struct wire_ip ip = d->ip;
    ip.payload_len = (uint16_t)total;
    ip.fragment = false;
    ip.frag_off = 0;
    put_headers(r, &ip, d->header);
    if (partial) {
        r->csum_start = (uint16_t)ip_len;
        r->csum_offset = d->check_at;
    }
    *last = r;
    queue_all(s, r, d->reply);
    return 0;
}

struct chunk *stack_pages(tern *s, size_t len)
{
    struct chunk *first = NULL, **at = &first;
    for (size_t n; len > 0; len -= n) {
        *at = chunk_new(&s->chunks, 0, PAGE_SIZE);
        if (*at == NULL) {
            stack_pages_done(s, first);
            return NULL;
        }
        n = min_size(len, PAGE_SIZE);
        (*at)->len = (uint32_t)n;
        at = &(*at)->next;
    }
    return first;
}

void stack_pages_done(tern *s, struct chunk *c)
{
    while (c != NULL) {
        struct chunk *next = c->next;
        chunk_unref(&s->chunks, c);
        c = next;
    }
}
