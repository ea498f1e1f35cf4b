/* stack/icmp.c - ICMP messages of ours: answers to echo requests, and errors about packets that
 * have come.
 *
 * Errors are sent at a limited rate, to each destination (some at once, then one a second) and in
 * all. Who sends spoofed packets may want to learn from the common limit what others have used of
 * it (as port scanners do from outside, "SAD DNS"): only an error that its destination's own limit
 * lets pass counts against the common one, and that has a random part.
 */
#include "base/pkt.h"
#include "stack/stack.h"

enum {
    ICMP_PER_SECOND = 1000, /* errors in all, */
    ICMP_BURST = 50,        /* and so many at once */
    ICMP_PEER_BURST = 6,    /* to one destination, */
};
#define ICMP_PEER_NS NS_PER_S /* and then one in so long */

/* An ICMP message of `len` bytes in one page; addresses as in `ip`. */
static void reply_icmp(tern *s, uint8_t iface, struct wire_ip *ip, const uint8_t *message,
                       size_t len)
{
    struct outrec *r = stack_new_reply(s, iface);
    if (r == NULL)
        return;
    struct chunk *k = chunk_new(&s->chunks, 0, PAGE_SIZE);
    if (k == NULL) {
        s->counters.drop[TERN_DROP_MEMORY]++;
        pool_give(&s->outrecs, r);
        return;
    }
    *r = (struct outrec){.iface = iface, .chunk = k};
    TERN_ASSERT(len <= k->cap);
    memcpy(k->data, message, len);
    k->len = (uint32_t)len;
    r->chunks = 1;
    r->len = (uint32_t)len;
    ip->payload_len = (uint16_t)len;
    r->header_off = IP_ROOM - WIRE_IP6_HEADER; /* behind room for Ethernet's */
    r->header_len = (uint16_t)wire_ip_write(r->header + r->header_off, ip, 0);
    stack_queue_reply(s, r);
}

/* ---- errors ---------------------------------------------------------------------------------- */

/* Takes one from a bucket that fills with time: `next` is when the next would be due if it had
 * always been empty. */
static bool bucket_take(uint64_t *next, uint64_t now, uint64_t interval, uint64_t burst)
{
    uint64_t from = max_u64(*next, now);
    if (from - now > interval * (burst - 1))
        return false;
    *next = from + interval;
    return true;
}

/* Whether an error may be sent to that address now. */
static bool icmp_allowed(tern *s, const uint8_t dst[16])
{
    uint64_t words[3] = {0, 0, s->icmp_count++};
    memcpy(words, dst, wire_is_ip4(dst) ? 16 : 8); /* of IPv6 the prefix of a network */
    uint64_t random = siphash13(&s->icmp_key, words, sizeof(words));
    words[2] = UINT64_MAX;
    uint64_t *peer = &s->icmp_peer[siphash13(&s->icmp_key, words, sizeof(words)) % ICMP_PEERS];
    if (!bucket_take(peer, s->tcp.now, ICMP_PEER_NS, ICMP_PEER_BURST))
        return false;
    /* one error costs between none and two */
    for (uint64_t cost = random % 3; cost > 0; cost--)
        if (!bucket_take(&s->icmp_all, s->tcp.now, NS_PER_S / ICMP_PER_SECOND, ICMP_BURST))
            return false;
    return true;
}

void icmp_error(tern *s, uint8_t iface, enum icmp_error_kind kind, const uint8_t *quote, size_t len)
{
    static const uint8_t codes[][4] = {/* type and code of ICMP, and of ICMPv6 */
                                       [ICMP_REASSEMBLY_TIME] = {11, 1, 3, 1},
                                       [ICMP_PORT_UNREACHABLE] = {3, 3, 1, 4}};
    struct wire_ip in, ip;
    uint8_t message[WIRE_ICMP_MAX];
    if (wire_ip_read(quote, len, UINT16_MAX, &in) != TERN_DROP_NONE || wire_ip_multicast(in.dst) ||
        ip_is_broadcast(&s->ip, in.dst) || !wire_ip_unicast(in.src) ||
        (in.fragment && in.frag_off != 0)) /* RFC 1122 3.2.2 */
        return;
    if (!icmp_allowed(s, in.src)) {
        s->counters.count[TERN_COUNT_ICMP_LIMITED]++;
        return;
    }
    s->counters.count[TERN_COUNT_ICMP_ERRORS_OUT]++;
    const uint8_t *code = codes[kind] + (in.version == 4 ? 0 : 2);
    ip = (struct wire_ip){.version = in.version,
                          .proto = in.version == 4 ? WIRE_ICMP : WIRE_ICMP6,
                          .ttl = stack_ttl(s, iface, 0, in.version == 4)};
    memcpy(ip.src, in.dst, 16);
    memcpy(ip.dst, in.src, 16);
    size_t n =
        wire_icmp_write_error(message, ip.version, code[0], code[1], 0, ip.src, ip.dst, quote, len);
    reply_icmp(s, iface, &ip, message, n);
}

void stack_icmp_error(void *context, const struct tcp_tuple *tuple, uint8_t iface, uint8_t type,
                      uint8_t code, uint32_t seq)
{
    tern *s = context;
    /* the beginning of the packet that is refused, as far as an error must quote it */
    uint8_t quote[WIRE_IP6_HEADER + WIRE_TCP_HEADER];
    struct wire_ip ip = {.proto = WIRE_TCP, .payload_len = WIRE_TCP_HEADER};
    memcpy(ip.src, tuple->remote, 16);
    memcpy(ip.dst, tuple->local, 16);
    ip.version = wire_is_ip4(ip.dst) ? 4 : 6;
    ip.ttl = stack_ttl(s, iface, 0, ip.version == 4);
    size_t len = wire_ip_write(quote, &ip, 0);
    struct wire_tcp tcp = {.sport = tuple->rport,
                           .dport = tuple->lport,
                           .seq = seq,
                           .flags = TCP_SYN};
    len += wire_tcp_write(quote + len, &tcp);
    uint8_t message[WIRE_ICMP_MAX];
    size_t n = wire_icmp_write_error(message, ip.version, type, code, 0, tuple->local,
                                     tuple->remote, quote, len);
    ip.proto = ip.version == 4 ? WIRE_ICMP : WIRE_ICMP6;
    memcpy(ip.src, tuple->local, 16);
    memcpy(ip.dst, tuple->remote, 16);
    reply_icmp(s, iface, &ip, message, n);
}

/* ---- echo ------------------------------------------------------------------------------------ */

void stack_echo(tern *s, const tern_pkt *pkt, const struct wire_ip *in)
{
    struct datagram d = {.iface = (uint8_t)pkt->iface, .reply = true, .check_at = 2};
    struct outrec *last;
    d.ip.version = in->version;
    d.ip.proto = in->proto;
    d.ip.ttl = stack_ttl(s, d.iface, 0, in->version == 4);
    memcpy(d.ip.src, in->dst, 16);
    memcpy(d.ip.dst, in->src, 16);
    pkt_copy_out(pkt, in->header_len, DATAGRAM_HEADER, d.header);
    d.header[0] = in->version == 4 ? 0 : 129; /* echo reply */
    d.header[2] = d.header[3] = 0;
    d.len = (uint32_t)in->payload_len - DATAGRAM_HEADER;
    d.chunk = stack_pages(s, d.len);
    if (d.chunk == NULL && d.len > 0) {
        s->counters.drop[TERN_DROP_MEMORY]++;
        return;
    }
    size_t at = in->header_len + DATAGRAM_HEADER;
    for (struct chunk *c = d.chunk; c != NULL; c = c->next) {
        pkt_copy_out(pkt, at, c->len, c->data);
        at += c->len;
    }
    if (stack_datagram(s, &d, &last) != 0)
        s->counters.drop[TERN_DROP_REPLIES]++;
    stack_pages_done(s, d.chunk);
}
