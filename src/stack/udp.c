/* stack/udp.c - UDP: the calls of tern/udp.h, and datagrams that come in. The sockets themselves
 * are src/udp's; here they meet addresses, routes and records.
 */
#include "base/pkt.h"
#include "stack/stack.h"

enum { UDP_MOST = UINT16_MAX - DATAGRAM_HEADER, UDP_CHECK = 6, SEND_WORTH = 4 };

static tern_sock handle(const tern *s, uint32_t ix)
{
    return stack_udp_handle(s, ix, udp_at(&s->udp, ix)->generation);
}

/* ---- opening --------------------------------------------------------------------------------- */

/* The local address for a peer: as bound, or chosen. */
static int choose_local(const tern *s, const uint8_t bound[16], const tern_addr *peer,
                        struct udp_ends *ends)
{
    uint8_t iface;
    if (!wire_ip_unicast(peer->ip) || ip_is_broadcast(&s->ip, peer->ip) || peer->port == 0 ||
        ip_is_local(&s->ip, peer->ip)) /* nothing loops back inside of a shard */
        return TERN_EINVAL;
    int err = stack_route((void *)(uintptr_t)s, peer->ip, &iface);
    if (err != 0)
        return err;
    memcpy(ends->local, bound, 16);
    if (wire_ip_unspecified(bound)) {
        if (wire_is_ip4(bound) && !wire_is_ip4(peer->ip))
            return TERN_EADDRNOTAVAIL;
        if (!stack_source(s, iface, peer->ip, ends->local))
            return TERN_EADDRNOTAVAIL;
    } else if (wire_is_ip4(bound) != wire_is_ip4(peer->ip)) {
        return TERN_EADDRNOTAVAIL;
    }
    memcpy(ends->remote, peer->ip, 16);
    ends->rport = peer->port;
    return iface;
}

int tern_udp_open(tern *s, tern_sock *out, const tern_udp_args *args)
{
    struct udp_ends ends = {.lport = args->local.port};
    uint32_t ix;
    memcpy(ends.local, args->local.ip, 16);
    if (!wire_ip_unspecified(ends.local) && !ip_is_local(&s->ip, ends.local))
        return TERN_EADDRNOTAVAIL;
    int err = 0;
    if (args->peer.port != 0)
        err = choose_local(s, args->local.ip, &args->peer, &ends);
    if (err < 0)
        return err;
    err = udp_new(&s->udp, &ends, &ix);
    if (err != 0)
        return err;
    struct udp_sock *k = udp_at(&s->udp, ix);
    memcpy(k->bound, args->local.ip, 16);
    k->user = args->user;
    k->rcvbuf = s->cfg.udp_rcvbuf;
    k->sndbuf = s->cfg.udp_sndbuf;
    k->ip6_only = (args->flags & TERN_UDP_IP6_ONLY) != 0;
    k->read_armed = true;
    *out = handle(s, ix);
    return 0;
}

int tern_udp_connect(tern *s, tern_sock k, const tern_addr *peer)
{
    int64_t ix = stack_udp(s, k);
    if (ix < 0)
        return (int)ix;
    struct udp_sock *sock = udp_at(&s->udp, (uint32_t)ix);
    struct udp_ends ends = {.lport = sock->ends.lport};
    if (peer != NULL) {
        if (sock->ip6_only && wire_is_ip4(peer->ip))
            return TERN_EADDRNOTAVAIL;
        int err = choose_local(s, sock->bound, peer, &ends);
        if (err < 0)
            return err;
    } else {
        memcpy(ends.local, sock->bound, 16);
    }
    sock->err = 0;
    return udp_move(&s->udp, (uint32_t)ix, &ends);
}

/* ---- sending --------------------------------------------------------------------------------- */

/* What ICMP has said, told once. */
static int take_error(struct udp_sock *k)
{
    int err = k->err;
    k->err = 0;
    return err;
}

static int transmit(tern *s, uint32_t ix, const struct udp_ends *ends, uint8_t iface,
                    const tern_iov *data)
{
    struct udp_sock *k = udp_at(&s->udp, ix);
    const uint8_t *p = data->base;
    struct datagram d = {.iface = iface, .len = (uint32_t)data->len, .check_at = UDP_CHECK};
    struct outrec *last;
    d.ip.version = wire_is_ip4(ends->remote) ? 4 : 6;
    d.ip.proto = WIRE_UDP;
    d.ip.ttl = stack_ttl(s, iface, k->ttl, d.ip.version == 4);
    d.ip.tos = (uint8_t)(k->dscp << 2);
    memcpy(d.ip.src, ends->local, 16);
    memcpy(d.ip.dst, ends->remote, 16);
    store_be16(d.header, ends->lport);
    store_be16(d.header + 2, ends->rport);
    store_be16(d.header + 4, (uint16_t)(DATAGRAM_HEADER + data->len));
    d.chunk = stack_pages(s, data->len);
    if (d.chunk == NULL && data->len > 0)
        return TERN_ENOMEM;
    for (struct chunk *c = d.chunk; c != NULL; c = c->next) {
        memcpy(c->data, p, c->len);
        p += c->len;
    }
    int err = stack_datagram(s, &d, &last);
    stack_pages_done(s, d.chunk);
    if (err != 0)
        return err;
    last->udp = ix;
    last->udp_generation = k->generation;
    last->udp_bytes = (uint32_t)data->len + DATAGRAM_HEADER;
    k->tx_bytes += last->udp_bytes;
    s->counters.count[TERN_COUNT_DATAGRAMS_OUT]++;
    return 0;
}

ptrdiff_t tern_udp_send(tern *s, tern_sock k, const tern_addr *to, const void *p, size_t n)
{
    int64_t ix = stack_udp(s, k);
    if (ix < 0)
        return (ptrdiff_t)ix;
    struct udp_sock *sock = udp_at(&s->udp, (uint32_t)ix);
    struct udp_ends ends = sock->ends;
    tern_addr peer = {.port = sock->ends.rport};
    memcpy(peer.ip, sock->ends.remote, 16);
    int err = take_error(sock);
    if (err == 0 && to == NULL && peer.port == 0)
        err = TERN_ENOTCONN;
    if (err != 0)
        return err;
    if (to != NULL)
        peer = *to;
    if (sock->ip6_only && wire_is_ip4(peer.ip))
        return TERN_EADDRNOTAVAIL;
    if (n > UDP_MOST - (wire_is_ip4(peer.ip) ? WIRE_IP4_HEADER : 0u))
        return TERN_EMSGSIZE;
    int iface = choose_local(s, to != NULL ? sock->bound : sock->ends.local, &peer, &ends);
    if (iface < 0)
        return iface;
    if (sock->tx_bytes != 0 && sock->tx_bytes + n > sock->sndbuf) {
        sock->write_armed = true;
        return TERN_EAGAIN;
    }
    tern_iov data = {(void *)(uintptr_t)p, n};
    err = transmit(s, (uint32_t)ix, &ends, (uint8_t)iface, &data);
    if (err == TERN_EAGAIN)
        udp_wait(&s->udp, (uint32_t)ix);
    return err != 0 ? err : (ptrdiff_t)n;
}

void stack_udp_sent(tern *s, const struct outrec *r)
{
    if (!slab_is(&s->udp.socks, r->udp, r->udp_generation))
        return;
    struct udp_sock *k = udp_at(&s->udp, r->udp);
    k->tx_bytes -= r->udp_bytes;
    if (k->write_armed && k->tx_bytes <= k->sndbuf - k->sndbuf / SEND_WORTH) {
        k->write_armed = false;
        udp_event(&s->udp, r->udp, TERN_EV_WRITE);
    }
}

/* ---- receiving ------------------------------------------------------------------------------- */

ptrdiff_t tern_udp_recv(tern *s, tern_sock k, void *buf, size_t cap, tern_udp_info *info)
{
    struct udp_record rec;
    int64_t ix = stack_udp(s, k);
    if (ix < 0)
        return (ptrdiff_t)ix;
    struct udp_sock *sock = udp_at(&s->udp, (uint32_t)ix);
    int err = take_error(sock);
    if (err != 0)
        return err;
    if (!udp_take(&s->udp, (uint32_t)ix, &rec, buf, cap)) {
        sock->read_armed = true;
        return TERN_EAGAIN;
    }
    if (info != NULL) {
        *info = (tern_udp_info){.ttl = rec.ttl, .tos = rec.tos, .iface = rec.iface};
        info->from.port = rec.port;
        info->to.port = sock->ends.lport;
        memcpy(info->from.ip, rec.from, 16);
        memcpy(info->to.ip, rec.to, 16);
    }
    return (ptrdiff_t)rec.len;
}

/* Nobody is at that port: the sender is told (RFC 1122 4.1.3.1). */
static void refuse(tern *s, const tern_pkt *pkt, const struct wire_ip *ip)
{
    uint8_t quote[WIRE_ICMP_MAX];
    size_t len = min_size(pkt->len, sizeof(quote));
    if (!ip_is_local(&s->ip, ip->dst))
        return;
    pkt_copy_out(pkt, 0, len, quote);
    icmp_error(s, (uint8_t)pkt->iface, ICMP_PORT_UNREACHABLE, quote, len);
}

enum tern_drop stack_udp_input(tern *s, const tern_pkt *pkt, const uint8_t *p,
                               const struct wire_ip *ip)
{
    struct udp_ends ends = {.lport = load_be16(p + 2), .rport = load_be16(p)};
    uint32_t len = load_be16(p + 4);
    bool segments = pkt->gso_type == TERN_GSO_UDP_L4 && pkt->gso_size != 0;
    if (segments) /* whose length is that of one */
        len = ip->payload_len;
    if (len < DATAGRAM_HEADER || len > ip->payload_len)
        return TERN_DROP_UDP_HEADER;
    if (load_be16(p + UDP_CHECK) == 0) {
        if (ip->version == 6) /* RFC 8200 8.1 */
            return TERN_DROP_UDP_CSUM;
    } else if (!(pkt->flags & (TERN_PKT_CSUM_OK | TERN_PKT_CSUM_PARTIAL))) {
        uint64_t sum = wire_pseudo_sum(ip->src, ip->dst, WIRE_UDP, len);
        if (cksum_finish(stack_sum(s, pkt, ip->header_len, len, sum)) != 0)
            return TERN_DROP_UDP_CSUM;
    }
    memcpy(ends.local, ip->dst, 16);
    memcpy(ends.remote, ip->src, 16);
    uint32_t ix = udp_find(&s->udp, &ends);
    if (ix == 0) {
        refuse(s, pkt, ip);
        return TERN_DROP_UDP_CLOSED;
    }
    struct udp_record rec = {.port = ends.rport,
                             .ttl = ip->ttl,
                             .tos = ip->tos,
                             .iface = (uint8_t)pkt->iface};
    memcpy(rec.from, ip->src, 16);
    memcpy(rec.to, ip->dst, 16);
    uint32_t at = DATAGRAM_HEADER;
    do { /* an empty datagram is one, too */
        rec.len = segments ? min_u32(pkt->gso_size, len - at) : len - at;
        if (!udp_put(&s->udp, ix, &rec, pkt, ip->header_len + at))
            return TERN_DROP_UDP_BUFFER;
        s->counters.count[TERN_COUNT_DATAGRAMS_IN]++;
        at += rec.len;
    } while (at < len);
    return TERN_DROP_NONE;
}

bool stack_udp_icmp(tern *s, const struct wire_icmp *m, enum tern_err err)
{
    struct udp_ends ends = {.lport = m->sport, .rport = m->dport};
    memcpy(ends.local, m->src, 16);
    memcpy(ends.remote, m->dst, 16);
    uint32_t ix = ip_is_local(&s->ip, m->src) ? udp_find(&s->udp, &ends) : 0;
    if (ix == 0)
        return false;
    struct udp_sock *k = udp_at(&s->udp, ix);
    if (m->kind == WIRE_ICMP_TOO_BIG) {
        pmtu_set(&s->pmtu, m->dst, m->mtu, s->tcp.now);
    } else if (k->ends.rport != 0) {
        k->err = (int8_t)err;
        udp_event(&s->udp, ix, TERN_EV_ERROR);
    }
    return true;
}

/* ---- events and options ---------------------------------------------------------------------- */

size_t stack_udp_events(tern *s, tern_event *ev, size_t max)
{
    size_t n = 0;
    uint32_t ix;
    while (s->outrecs.used < s->outrecs.limit && (ix = udp_wait_take(&s->udp)) != 0)
        udp_event(&s->udp, ix, TERN_EV_WRITE);
    while (n < max && (ix = udp_event_take(&s->udp)) != 0) {
        struct udp_sock *k = udp_at(&s->udp, ix);
        ev[n++] = (tern_event){.sock = handle(s, ix),
                               .user = k->user,
                               .err = k->ev_mask & TERN_EV_ERROR ? k->err : 0,
                               .mask = k->ev_mask};
        k->ev_mask = 0;
    }
    return n;
}

int stack_udp_arm(tern *s, uint32_t ix, uint32_t mask)
{
    struct udp_sock *k = udp_at(&s->udp, ix);
    k->read_armed |= (mask & TERN_EV_READ) != 0;
    k->write_armed |= (mask & TERN_EV_WRITE) != 0;
    return 0;
}

int stack_udp_names(const tern *s, uint32_t ix, tern_addr *local, tern_addr *peer)
{
    const struct udp_ends *e = &udp_at(&s->udp, ix)->ends;
    if (local != NULL) {
        *local = (tern_addr){.port = e->lport};
        memcpy(local->ip, e->local, 16);
    }
    if (peer != NULL) {
        *peer = (tern_addr){.port = e->rport};
        memcpy(peer->ip, e->remote, 16);
    }
    return 0;
}

int stack_udp_option_set(tern *s, uint32_t ix, enum tern_opt option, int64_t value)
{
    struct udp_sock *k = udp_at(&s->udp, ix);
    bool buffer = option == TERN_OPT_RCVBUF || option == TERN_OPT_SNDBUF;
    if (value < (option == TERN_OPT_DSCP ? 0 : 1) || value > (buffer                    ? 1 << 30
                                                              : option == TERN_OPT_DSCP ? 63
                                                                                        : 255))
        return TERN_EINVAL;
    switch (option) {
    case TERN_OPT_RCVBUF:
        k->rcvbuf = (uint32_t)value;
        return 0;
    case TERN_OPT_SNDBUF:
        k->sndbuf = (uint32_t)value;
        return 0;
    case TERN_OPT_TTL:
        k->ttl = (uint8_t)value;
        return 0;
    case TERN_OPT_DSCP:
        k->dscp = (uint8_t)value;
        return 0;
    default:
        return TERN_EINVAL;
    }
}

int stack_udp_option_get(const tern *s, uint32_t ix, enum tern_opt option, int64_t *value)
{
    const struct udp_sock *k = udp_at(&s->udp, ix);
    switch (option) {
    case TERN_OPT_RCVBUF:
        *value = k->rcvbuf;
        return 0;
    case TERN_OPT_SNDBUF:
        *value = k->sndbuf;
        return 0;
    case TERN_OPT_TTL:
        *value = k->ttl != 0 ? k->ttl : s->cfg.ttl;
        return 0;
    case TERN_OPT_DSCP:
        *value = k->dscp;
        return 0;
    default:
        return TERN_EINVAL;
    }
}
