/* stack/output.c - packets out. Each is a record (struct outrec) from the moment it is made until
 * its device is done with it: the headers, and references to the chunks of its payload. Replies
 * that belong to no connection, and packets a device would not take, wait in their interface's
 * queue and go first; then TCP is asked for segments.
 */
#include "stack/stack.h"

enum { WAITING_MAX = 64 }; /* packets for neighbours not yet known that one tern_output() makes */

/* ---- records --------------------------------------------------------------------------------- */

void stack_queue(tern *s, struct outrec *r)
{
    struct iface *f = &s->iface[r->iface];
    r->state = OUTREC_QUEUED;
    r->next = NULL;
    if (f->queue_tail != NULL)
        f->queue_tail->next = r;
    else
        f->queue_head = r;
    f->queue_tail = r;
    s->queue_mask |= (uint64_t)1 << r->iface;
}

static void push_front(tern *s, struct outrec *r)
{
    struct iface *f = &s->iface[r->iface];
    r->state = OUTREC_QUEUED;
    r->next = f->queue_head;
    f->queue_head = r;
    if (f->queue_tail == NULL)
        f->queue_tail = r;
    s->queue_mask |= (uint64_t)1 << r->iface;
}

static struct outrec *pop(tern *s, uint8_t iface)
{
    struct iface *f = &s->iface[iface];
    struct outrec *r = f->queue_head;
    if (r == NULL)
        return NULL;
    f->queue_head = r->next;
    if (f->queue_head == NULL) {
        f->queue_tail = NULL;
        s->queue_mask &= ~((uint64_t)1 << iface);
    }
    s->replies -= r->reply;
    r->reply = false;
    return r;
}

/* Lets go of the payload and of the record itself. */
void stack_release(tern *s, struct outrec *r)
{
    struct chunk *chunk = r->chunk;
    for (uint16_t i = 0; i < r->chunks; i++) {
        struct chunk *next = chunk->next;
        chunk_unref(&s->chunks, chunk);
        chunk = next;
    }
    if (r->sent != NULL)
        sent_done(&s->tcp, r->sent);
    if (UNLIKELY(r->udp != 0))
        stack_udp_sent(s, r);
    r->state = 0;
    pool_give(&s->outrecs, r);
}

void stack_flush(tern *s, uint8_t iface)
{
    struct outrec *r;
    while ((r = pop(s, iface)) != NULL)
        stack_release(s, r);
}

/* ---- making packets -------------------------------------------------------------------------- */

/* A record for one packet; NULL: too many are in devices. */
static struct outrec *new_record(tern *s, uint8_t iface)
{
    struct outrec *r = pool_take(&s->outrecs);
    if (UNLIKELY(r == NULL))
        return NULL;
    memset(r, 0, offsetof(struct outrec, header));
    r->iface = iface;
    return r;
}

static uint64_t sum_payload(const tern *s, const struct outrec *r, uint64_t sum)
{
    const struct chunk *k = r->chunk;
    uint32_t off = r->chunk_off, left = r->len;
    bool odd = false;
    while (left > 0) {
        uint32_t n = min_u32(k->len - off, left);
        if (UNLIKELY(odd))
            sum = cksum_add(sum, cksum_shift(cksum_bytes(&s->cksum, k->data + off, n, 0)));
        else
            sum = cksum_bytes(&s->cksum, k->data + off, n, sum);
        odd ^= n & 1;
        left -= n;
        off = 0;
        k = k->next;
    }
    return sum;
}

/* A header's sum. It was written just now, word by word: what is loaded in other pieces than it was
 * stored in has to wait until it has left the processor's store buffer. */
static uint64_t sum_header(const uint8_t *p, size_t len)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < len; i += 4) {
        uint32_t w;
        memcpy(&w, p + i, 4);
        sum += w;
        __asm__("" : "+r"(sum)); /* (or it is made a loop of 16 bytes at a time) */
    }
    return sum;
}

/* Puts the IP header in front of the TCP header, and completes the checksum, or leaves the
 * pseudo-header's sum in its place for the device. */
static void make_packet(tern *s, struct outrec *r, const struct tcp_out *out)
{
    uint8_t *tcp = out->tcp;
    bool ip4 = wire_is_ip4(out->remote);
    struct wire_ip_out ip = {.src = out->local,
                             .dst = out->remote,
                             .proto = WIRE_TCP,
                             .ttl = stack_ttl(s, r->iface, out->ttl, ip4),
                             .tos = out->tos,
                             .payload_len = (uint16_t)(out->tcp_len + out->len)};
    size_t ip_len = ip4 ? WIRE_IP4_HEADER : WIRE_IP6_HEADER;
    wire_ip_put(tcp - ip_len, &ip);
    if (UNLIKELY(out->breakable) && ip4)
        wire_ip4_breakable(tcp - ip_len, (uint16_t)stack_fragment_id(s, ip.src, ip.dst));
    r->header_off = (uint8_t)(IP_ROOM - ip_len);
    r->header_len = (uint16_t)(ip_len + out->tcp_len);
    r->chunk = out->chunk;
    r->chunk_off = out->chunk_off;
    r->chunks = out->chunks;
    r->len = out->len;
    r->sent = out->sent;
    r->departs = out->departs;
    if (out->gso_size != 0) {
        r->gso_type = ip4 ? TERN_GSO_TCPV4 : TERN_GSO_TCPV6;
        r->gso_size = out->gso_size;
        r->gso_segs = (uint16_t)((out->len + out->gso_size - 1) / out->gso_size);
    }
    uint64_t sum = wire_pseudo_sum(ip.src, ip.dst, WIRE_TCP, ip.payload_len);
    uint16_t check;
    if (s->iface[r->iface].conf.caps & TERN_CAP_CSUM) {
        r->csum_start = (uint16_t)ip_len;
        r->csum_offset = 16;
        check = cksum_fold(sum);
    } else {
        sum = cksum_add(sum, sum_header(tcp, out->tcp_len));
        check = cksum_finish(sum_payload(s, r, sum));
    }
    memcpy(tcp + 16, &check, 2);
}

struct outrec *stack_new_reply(tern *s, uint8_t iface)
{
    if (s->replies >= s->cfg.replies_max || !s->iface[iface].used) {
        s->counters.drop[TERN_DROP_REPLIES]++;
        return NULL;
    }
    struct outrec *r = new_record(s, iface);
    if (r == NULL)
        s->counters.drop[TERN_DROP_REPLIES]++;
    return r;
}

void stack_queue_reply(tern *s, struct outrec *r)
{
    s->replies++;
    r->reply = true;
    stack_queue(s, r);
}

static void make_reply(tern *s, struct outrec *r, const struct tcp_reply *reply)
{
    struct tcp_out out; /* (its own tuple is for connections) */
    memset(&out, 0, offsetof(struct tcp_out, tuple));
    out.tcp = r->header + IP_ROOM;
    out.iface = reply->iface;
    out.ttl = reply->ttl;
    out.tos = reply->tos;
    out.local = reply->tuple->local;
    out.remote = reply->tuple->remote;
    out.tcp_len = (uint16_t)wire_tcp_write(out.tcp, &reply->h);
    if (UNLIKELY(reply->key != NULL))
        md5_sign(&s->tcp, reply->key, &out);
    make_packet(s, r, &out);
}

void stack_reply(void *context, const struct tcp_reply *reply)
{
    tern *s = context;
    struct outrec *r = stack_new_reply(s, reply->iface);
    if (r == NULL)
        return;
    if (form_fits(s, &s->form, reply)) {
        form_fill(&s->form, reply, r);
    } else {
        make_reply(s, r, reply);
        form_keep(s, &s->form, reply, r);
    }
    stack_queue_reply(s, r);
    s->counters.count[TERN_COUNT_SEGMENTS_OUT]++;
}

/* ---- handing out ----------------------------------------------------------------------------- */

static void fill_pkt(struct outrec *r, tern_pkt *pkt, uint64_t now)
{
    r->state = OUTREC_OUT;
    pkt->flags = r->csum_start != 0 ? TERN_PKT_CSUM_PARTIAL : 0;
    pkt->gso_size = r->gso_size;
    pkt->gso_segs = r->gso_segs;
    pkt->gso_type = r->gso_type;
    pkt->gso_ecn = 0;
    pkt->csum_start = r->csum_start;
    pkt->csum_offset = r->csum_offset;
    pkt->hdr_len = r->header_len;
    pkt->iface = r->iface;
    pkt->hash = 0;
    pkt->truesize = 0;
    pkt->len = r->header_len + r->len;
    pkt->tx_time = r->sent != NULL && r->departs > now ? r->departs : 0;
    pkt->cookie = r;
    pkt->iov[0] = (tern_iov){.base = r->header + r->header_off, .len = r->header_len};
    uint16_t n = 1;
    const struct chunk *k = r->chunk;
    uint32_t off = r->chunk_off, left = r->len;
    while (left > 0) {
        uint32_t have = min_u32(k->len - off, left);
        pkt->iov[n++] = (tern_iov){.base = k->data + off, .len = have};
        left -= have;
        off = 0;
        k = k->next;
    }
    pkt->iov_count = n;
}

/* A queued packet is withdrawn when the record in flight it belongs to is settled. */
static bool still_matters(tern *s, const struct outrec *r)
{
    if (r->sent == NULL)
        return true;
    if (!(r->sent->flags & SENT_QUEUED))
        return false;
    r->sent->time = max_u64(s->tcp.now, r->departs); /* what RTT and loss detection count from */
    r->sent->flags &= (uint16_t)~SENT_REFUSED;
    r->sent->flags |= SENT_DELAYED;
    return true;
}

size_t tern_output(tern *s, int iface, tern_pkt *pkts, size_t max, uint64_t now)
{
    TERN_ASSERT(iface >= 0 && iface < PATHS_MAX);
    tcp_now(&s->tcp, now);
    size_t n = 0;
    uint64_t bit = (uint64_t)1 << iface;
    s->blocked_mask &= ~bit;
    s->starved = 0;
    if (!s->iface[iface].used)
        return 0;
    bool frames = s->iface[iface].conf.mac != NULL;
    uint32_t waiting = 0; /* packets made that have to wait for their neighbour */
    while (n < max && waiting < WAITING_MAX) {
        struct outrec *r = s->queue_mask & bit ? pop(s, (uint8_t)iface) : NULL;
        if (r != NULL) {
            if (!still_matters(s, r))
                stack_release(s, r);
            else if (!frames || r->framed || link_frame(s, r))
                fill_pkt(r, &pkts[n++], now);
            else
                waiting++;
            continue;
        }
        if (!(s->tcp.out_mask & bit))
            break;
        r = new_record(s, (uint8_t)iface);
        if (r == NULL) {
            s->counters.count[TERN_COUNT_OUTPUT_LIMITED]++;
            if (s->outrecs.used < s->cfg.output_max)
                s->starved = now + STARVED_NS;
            break;
        }
        struct tcp_out out;
        out.tcp = r->header + IP_ROOM;
        if (!tcp_output(&s->tcp, (uint8_t)iface, &out)) {
            pool_give(&s->outrecs, r);
            break;
        }
        make_packet(s, r, &out);
        if (!frames || link_frame(s, r))
            fill_pkt(r, &pkts[n++], now);
        else
            waiting++;
    }
    s->counters.count[TERN_COUNT_PACKETS_OUT] += n;
    return n;
}

void tern_output_done(tern *s, const tern_pkt *pkts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct outrec *r = pkts[i].cookie;
        TERN_ASSERT(r->state == OUTREC_OUT); /* given back twice? */
        stack_release(s, r);
    }
}

void tern_output_refused(tern *s, const tern_pkt *pkts, size_t n)
{
    for (size_t i = n; i-- > 0;) {
        struct outrec *r = pkts[i].cookie;
        TERN_ASSERT(r->state == OUTREC_OUT);
        s->counters.count[TERN_COUNT_PACKETS_REFUSED]++;
        s->blocked_mask |= (uint64_t)1 << r->iface;
        if (r->sent != NULL)
            r->sent->flags |= SENT_REFUSED;
        if (s->iface[r->iface].used)
            push_front(s, r);
        else
            stack_release(s, r);
    }
}
