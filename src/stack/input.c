/* stack/input.c - packets in: dissected in batches, so that while one is being processed the
 * connections of the next ones come into the cache; then handed to TCP or ICMP. Whatever cannot be
 * used is counted by its reason.
 */
#include "base/pkt.h"
#include "stack/stack.h"
#include "tcp/icmp.h"

uint64_t stack_sum(const tern *s, const tern_pkt *pkt, size_t skip, size_t len, uint64_t sum)
{
    bool odd = false;
    for (uint32_t i = 0; i < pkt->iov_count && len > 0; i++) {
        const tern_iov *v = &pkt->iov[i];
        if (skip >= v->len) {
            skip -= v->len;
            continue;
        }
        size_t n = min_size(v->len - skip, len);
        const uint8_t *p = (const uint8_t *)v->base + skip;
        if (UNLIKELY(odd))
            sum = cksum_add(sum, cksum_shift(cksum_bytes(&s->cksum, p, n, 0)));
        else
            sum = cksum_bytes(&s->cksum, p, n, sum);
        odd ^= n & 1;
        len -= n;
        skip = 0;
    }
    return sum;
}

/* The same for the two usual layouts: in one piece, or headers in one and payload in the next. */
static uint64_t sum_segment(const tern *s, const tern_pkt *pkt, size_t skip, size_t len,
                            uint64_t sum)
{
    const tern_iov *v = pkt->iov;
    size_t here = v->len - skip, there = len - here;
    const uint8_t *p = (const uint8_t *)v->base + skip;
    if (LIKELY(skip + len <= v->len))
        return cksum_bytes(&s->cksum, p, len, sum);
    if (LIKELY(skip <= v->len && here % 2 == 0 && pkt->iov_count == 2 && there <= v[1].len))
        return cksum_bytes(&s->cksum, v[1].base, there, cksum_few(p, here, sum));
    return stack_sum(s, pkt, skip, len, sum);
}

/* A packet under dissection. */
struct arriving {
    struct wire_ip ip;
    struct tcp_seg seg;
    bool tcp;   /* seg is complete */
    bool whole; /* it came in fragments */
};

/* `ip` has version 0 when the packet did not get so far as to have addresses. */
static void drop(tern *s, const tern_pkt *pkt, const struct wire_ip *ip, enum tern_drop why)
{
    s->counters.drop[why]++;
    if (s->cfg.trace == NULL)
        return;
    tern_trace record = {.now = s->tcp.now, .kind = TERN_TRACE_DROP, .why = (uint8_t)why};
    record.len = pkt->len;
    if (ip->version != 0) {
        memcpy(record.local.ip, ip->dst, 16);
        memcpy(record.peer.ip, ip->src, 16);
    }
    s->cfg.trace(s->cfg.user, &record);
}

/* Whether a packet between these addresses is for us and can be from where it says (RFC 9293
 * 3.9.2.3, RFC 1122 3.2.1.3). */
static enum tern_drop check_addresses(const tern *s, const uint8_t src[16], const uint8_t dst[16],
                                      uint8_t iface)
{
    /* MUST-63; and our own address cannot come in from outside */
    if (!wire_ip_unicast(src) || ip_whose(&s->ip, src) != IP_FOREIGN)
        return TERN_DROP_IP_SOURCE;
    enum ip_whose to = ip_whose(&s->ip, dst);
    if (wire_ip_multicast(dst) || to == IP_BROADCAST)
        return TERN_DROP_IP_DESTINATION; /* MUST-57 */
    bool taken = s->iface[iface].promiscuous ? wire_ip_unicast(dst) : to == IP_LOCAL;
    return taken ? TERN_DROP_NONE : TERN_DROP_IP_DESTINATION;
}

enum tern_drop stack_check(void *context, const struct tcp_tuple *tuple, uint8_t iface)
{
    return check_addresses(context, tuple->remote, tuple->local, iface);
}

/* Segments of one connection often come one after the other: the hash of the last is kept. */
static void find_hash(tern *s, struct tcp_seg *seg)
{
    if (memcmp(&s->hashed, &seg->tuple, sizeof(s->hashed)) != 0) {
        s->hashed = seg->tuple;
        s->hash = tcp_flow_hash(&s->tcp, &seg->tuple);
        flowtab_prefetch(&s->tcp.flows, s->hash);
    }
    seg->hash = s->hash;
}

static enum tern_drop dissect_tcp(tern *s, const tern_pkt *pkt, const uint8_t *p, size_t have,
                                  struct arriving *in)
{
    const struct wire_ip *ip = &in->ip;
    struct tcp_seg *seg = &in->seg;
    enum tern_drop why =
        wire_tcp_read(p + ip->header_len, have - ip->header_len, ip->payload_len, &seg->h);
    if (why != TERN_DROP_NONE)
        return why;
    if (!(pkt->flags & (TERN_PKT_CSUM_OK | TERN_PKT_CSUM_PARTIAL))) { /* MUST-3 */
        uint64_t sum = wire_pseudo_sum(ip->src, ip->dst, WIRE_TCP, ip->payload_len);
        if (cksum_finish(sum_segment(s, pkt, ip->header_len, ip->payload_len, sum)) != 0)
            return TERN_DROP_TCP_CSUM;
    }
    memcpy(seg->tuple.remote, ip->src, 16);
    memcpy(seg->tuple.local, ip->dst, 16);
    seg->tuple.rport = seg->h.sport;
    seg->tuple.lport = seg->h.dport;
    seg->payload_off = (uint32_t)ip->header_len + seg->h.header_len;
    seg->len = (uint32_t)ip->payload_len - seg->h.header_len;
    seg->pkt = pkt;
    seg->header = p + ip->header_len;
    seg->key = NULL;
    seg->segs = (uint16_t)(pkt->gso_size != 0 ? (seg->len + pkt->gso_size - 1) / pkt->gso_size : 1);
    seg->iface = (uint8_t)pkt->iface;
    seg->tos = ip->tos;
    seg->donated = (pkt->flags & TERN_PKT_DONATED) != 0;
    seg->kept = seg->advanced = false;
    find_hash(s, seg);
    in->tcp = true;
    return TERN_DROP_NONE;
}

static enum tern_err err_of(enum wire_icmp_kind kind)
{
    switch (kind) {
    case WIRE_ICMP_NET:
        return TERN_ENETUNREACH;
    case WIRE_ICMP_PORT:
        return TERN_EREFUSED;
    case WIRE_ICMP_PROTO:
        return TERN_EPROTO;
    default:
        return TERN_EUNREACH;
    }
}

static void said_of(tern_icmp *out, const struct wire_icmp *m, const struct wire_ip *ip)
{
    *out = (tern_icmp){.err = err_of(m->kind),
                       .version = ip->version,
                       .type = m->type,
                       .code = m->code,
                       .info = m->pointer,
                       .port = m->dport,
                       .quote_len = (uint8_t)min_size(m->quote_len, TERN_ICMP_QUOTE)};
    memcpy(out->from, ip->src, 16);
    memcpy(out->to, m->dst, 16);
    memcpy(out->quote, m->quote, out->quote_len);
}

static enum tern_drop take_icmp(tern *s, const tern_pkt *pkt, const uint8_t *p, size_t have,
                                const struct wire_ip *ip)
{
    struct wire_icmp m;
    enum tern_drop why =
        wire_icmp_read(p + ip->header_len, have - ip->header_len, ip->payload_len, ip->version, &m);
    if (why != TERN_DROP_NONE)
        return why;
    uint64_t sum =
        ip->version == 6 ? wire_pseudo_sum(ip->src, ip->dst, WIRE_ICMP6, ip->payload_len) : 0;
    if (!(pkt->flags & (TERN_PKT_CSUM_OK | TERN_PKT_CSUM_PARTIAL)) &&
        cksum_finish(stack_sum(s, pkt, ip->header_len, ip->payload_len, sum)) != 0)
        return TERN_DROP_ICMP_CSUM;
    switch (m.kind) {
    case WIRE_ICMP_ECHO:
        why = check_addresses(s, ip->src, ip->dst, (uint8_t)pkt->iface);
        if (why == TERN_DROP_NONE)
            stack_echo(s, pkt, ip);
        return why;
    case WIRE_ICMP_OTHER:
        if (ip->version == 6 &&
            (wire_nd_type(m.type) || m.type == WIRE_ND_ROUTER_ADVERT || m.type == WIRE_MLD_QUERY))
            return link_nd(s, (uint8_t)pkt->iface, p + ip->header_len, have - ip->header_len, ip);
        return TERN_DROP_ICMP_IGNORED;
    case WIRE_ICMP_ECHO_REPLY:
    case WIRE_ICMP_QUENCH:
        return TERN_DROP_ICMP_IGNORED; /* MUST-55 */
    default:
        break;
    }
    if (m.quotes_udp && stack_udp_icmp(s, &m, err_of(m.kind)))
        return TERN_DROP_NONE;
    if (!m.quotes_tcp)
        return TERN_DROP_ICMP_UNMATCHED;
    struct tcp_tuple tuple = {.rport = m.dport, .lport = m.sport};
    memcpy(tuple.remote, m.dst, 16);
    memcpy(tuple.local, m.src, 16);
    struct tcp_icmp in = {.seq = m.seq,
                          .mtu = m.kind == WIRE_ICMP_TOO_BIG ? max_u32(m.mtu, 1) : 0,
                          .hard = m.kind == WIRE_ICMP_PORT || m.kind == WIRE_ICMP_PROTO};
    said_of(&in.said, &m, ip);
    bool match = tcp_icmp(&s->tcp, &tuple, &in);
    return match ? TERN_DROP_NONE : TERN_DROP_ICMP_UNMATCHED;
}

static enum tern_drop take_udp(tern *s, const tern_pkt *pkt, const uint8_t *p, size_t have,
                               const struct wire_ip *ip)
{
    if (min_size(have - ip->header_len, ip->payload_len) < DATAGRAM_HEADER)
        return TERN_DROP_UDP_HEADER;
    enum tern_drop why = check_addresses(s, ip->src, ip->dst, (uint8_t)pkt->iface);
    return why == TERN_DROP_NONE ? stack_udp_input(s, pkt, p + ip->header_len, ip) : why;
}

/* Whether the first piece of a packet, `have` bytes at `p`, holds the headers of IP without options
 * and of TCP, as it does when payload lies apart. */
static bool headers_here(const uint8_t *p, size_t have)
{
    if (have < WIRE_IP4_HEADER + WIRE_TCP_HEADER)
        return false;
    if (p[0] == 0x45 && p[9] == WIRE_TCP)
        return have >= WIRE_IP4_HEADER + (p[WIRE_IP4_HEADER + 12] >> 4) * 4u;
    if (p[0] >> 4 == 6 && p[6] == WIRE_TCP && have >= WIRE_IP6_HEADER + WIRE_TCP_HEADER)
        return have >= WIRE_IP6_HEADER + (p[WIRE_IP6_HEADER + 12] >> 4) * 4u;
    return false;
}

static enum tern_drop dissect_ip(tern *s, const tern_pkt *pkt, struct arriving *in);

/* TCP has its turn. false: the packet's memory is not needed any more. */
static bool pass_on(tern *s, const tern_pkt *pkt, struct arriving *in)
{
    enum tern_drop why = tcp_input(&s->tcp, &in->seg);
    if (why != TERN_DROP_NONE)
        drop(s, pkt, &in->ip, why);
    if (in->seg.advanced && s->iface[pkt->iface].conf.mac != NULL)
        link_confirm(s, &in->seg);
    return in->seg.kept;
}

/* A fragment, with which a datagram may be whole: then that is processed at once. */
static enum tern_drop take_fragment(tern *s, const tern_pkt *pkt, const struct wire_ip *ip)
{
    struct frag *f;
    uint8_t header[WIRE_IP6_HEADER];
    s->counters.count[TERN_COUNT_FRAGMENTS_IN]++;
    enum tern_drop why = check_addresses(s, ip->src, ip->dst, (uint8_t)pkt->iface);
    if (why == TERN_DROP_NONE)
        why = frag_take(&s->frags, pkt, ip, s->tcp.now, s->counters.drop, &f);
    if (why != TERN_DROP_NONE || f == NULL)
        return why;
    tern_pkt whole;
    struct arriving in = {.whole = true};
    s->counters.count[TERN_COUNT_REASSEMBLED]++;
    frag_packet(f, header, &whole);
    why = dissect_ip(s, &whole, &in);
    if (in.tcp)
        (void)pass_on(s, &whole, &in);
    frag_free(&s->frags, f);
    return why;
}

/* Headers only; what is not TCP is processed at once. */
static enum tern_drop dissect(tern *s, tern_pkt *pkt, struct arriving *in)
{
    in->tcp = in->whole = false;
    in->ip.version = 0;
    if (pkt->iface >= PATHS_MAX || !s->iface[pkt->iface].used)
        return TERN_DROP_IFACE;
    if (pkt->iov_count == 0)
        return TERN_DROP_SHORT;
    if (s->iface[pkt->iface].conf.mac != NULL) {
        bool more;
        enum tern_drop why = link_input(s, pkt, &more);
        if (!more)
            return why;
    }
    return dissect_ip(s, pkt, in);
}

static enum tern_drop dissect_ip(tern *s, const tern_pkt *pkt, struct arriving *in)
{
    uint8_t scratch[PULL_UP];
    const uint8_t *p = pkt->iov[0].base;
    size_t have = min_size(pkt->iov[0].len, pkt->len);
    if (have < min_size(pkt->len, PULL_UP) && pkt->iov_count > 1 && !headers_here(p, have)) {
        have = min_size(pkt->len, PULL_UP);
        pkt_copy_out(pkt, 0, have, scratch);
        p = scratch;
    }
    enum tern_drop why = wire_ip_read(p, have, pkt->len, &in->ip);
    if (why != TERN_DROP_NONE) {
        in->ip.version = 0;
        return why;
    }
    if (UNLIKELY(in->ip.fragment)) /* a fragment of a fragment: no */
        return in->whole ? TERN_DROP_IP_FRAGMENT : take_fragment(s, pkt, &in->ip);
    if (in->ip.proto == WIRE_TCP)
        return dissect_tcp(s, pkt, p, have, in);
    if (in->ip.proto == WIRE_UDP)
        return take_udp(s, pkt, p, have, &in->ip);
    if (in->ip.proto == (in->ip.version == 4 ? WIRE_ICMP : WIRE_ICMP6))
        return take_icmp(s, pkt, p, have, &in->ip);
    return TERN_DROP_IP_PROTOCOL;
}

static void give_back(tern *s, const tern_pkt *pkt)
{
    void *cookie = pkt->cookie;
    if (s->cfg.release != NULL)
        s->cfg.release(s->cfg.user, &cookie, 1);
}

/* Datagrams that have waited too long for the rest of them. */
void stack_fragments_advance(tern *s, uint32_t max)
{
    struct frag *f;
    while (max-- > 0 && (f = frag_due(&s->frags, s->tcp.now)) != NULL) {
        uint8_t quote[FRAG_QUOTE];
        size_t len = frag_quote(f, quote);
        s->counters.drop[TERN_DROP_FRAGMENT_TIMEOUT]++;
        if (len != 0)
            icmp_error(s, f->iface, ICMP_REASSEMBLY_TIME, quote, len);
        frag_free(&s->frags, f);
    }
}

void tern_input(tern *s, tern_pkt *pkts, size_t n, uint64_t now)
{
    tcp_now(&s->tcp, now);
    s->counters.count[TERN_COUNT_PACKETS_IN] += n;
    struct arriving batch[INPUT_BATCH];
    for (size_t at = 0; at < n; at += INPUT_BATCH) {
        size_t m = min_size(n - at, INPUT_BATCH);
        for (size_t i = 0; i < m; i++) {
            enum tern_drop why = dissect(s, &pkts[at + i], &batch[i]);
            if (why != TERN_DROP_NONE)
                drop(s, &pkts[at + i], &batch[i].ip, why);
        }
        for (size_t i = 0; i < m; i++) {
            const tern_pkt *pkt = &pkts[at + i];
            bool kept = false;
            if (batch[i].tcp)
                kept = pass_on(s, pkt, &batch[i]);
            if (pkt->flags & TERN_PKT_DONATED && !kept)
                give_back(s, pkt);
        }
    }
}
