/* stack/link.c - interfaces with link-layer addresses: packets get an Ethernet header on their way
 * out and lose it on their way in. Where a packet goes is the neighbour cache's to say
 * (ip/neigh.h); what the cache wants asked is asked here, by ARP for IPv4 and by Neighbour
 * Discovery for IPv6.
 *
 * A packet whose neighbour is not known yet waits in the neighbour's list. When nobody answers it
 * is dropped, and TCP is told as if a router had said "host unreachable".
 */
#include "stack/stack.h"
#include "tcp/icmp.h"

_Static_assert(MESSAGE_AT + WIRE_IP6_HEADER + WIRE_ND_MAX <= HEADER_MAX, "a whole message fits");

static const uint8_t nobody[16];
static const uint8_t all_nodes[16] = {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};

/* ---- questions and answers ------------------------------------------------------------------- */

/* Queues a frame whose body of so many bytes lies in the record. */
static void queue_frame(tern *s, struct outrec *r, const uint8_t mac[WIRE_MAC], uint16_t type,
                        size_t len)
{
    r->header_off = MESSAGE_AT - WIRE_ETH_HEADER;
    r->header_len = (uint16_t)(WIRE_ETH_HEADER + len);
    r->framed = true;
    wire_eth_write(r->header + r->header_off, mac, s->iface[r->iface].mac, type);
    stack_queue_reply(s, r);
}

static void send_arp(tern *s, uint8_t iface, struct wire_arp *arp, const uint8_t to[WIRE_MAC])
{
    struct outrec *r = stack_new_reply(s, iface);
    if (r == NULL)
        return;
    memcpy(arp->sender_mac, s->iface[iface].mac, WIRE_MAC);
    wire_arp_write(r->header + MESSAGE_AT, arp);
    queue_frame(s, r, to, WIRE_ETH_ARP, WIRE_ARP);
}

/* To a group when `mac` is NULL. */
static void send_nd(tern *s, uint8_t iface, const struct wire_nd *nd, const struct wire_ip_out *to,
                    const uint8_t *mac)
{
    struct outrec *r = stack_new_reply(s, iface);
    struct wire_ip_out ip = *to;
    uint8_t group[WIRE_MAC];
    if (r == NULL)
        return;
    uint8_t *p = r->header + MESSAGE_AT;
    size_t len = wire_nd_write(p + WIRE_IP6_HEADER, nd, ip.src, ip.dst);
    ip.proto = WIRE_ICMP6;
    ip.ttl = WIRE_ND_HOPS;
    ip.payload_len = (uint16_t)len;
    wire_ip_put(p, &ip);
    wire_mac_of_group(group, ip.dst);
    queue_frame(s, r, mac != NULL ? mac : group, WIRE_ETH_IP6, WIRE_IP6_HEADER + len);
}

/* An ARP request: to all, or to `mac`. `src` NULL: from 0.0.0.0 (a probe: RFC 5227 2.1.1). */
static void ask_arp(tern *s, uint8_t iface, const uint8_t ip[16], const uint8_t *src,
                    const uint8_t *mac)
{
    static const uint8_t everybody[WIRE_MAC] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    struct wire_arp arp = {.op = WIRE_ARP_REQUEST};
    if (src != NULL)
        memcpy(arp.sender_ip, src, 16);
    memcpy(arp.target_ip, ip, 16);
    send_arp(s, iface, &arp, mac != NULL ? mac : everybody);
}

/* A solicitation: to the group of the address, or to `mac`. `src` NULL: from nobody. */
static void ask_nd(tern *s, uint8_t iface, struct wire_nd *nd, const uint8_t *src,
                   const uint8_t *mac)
{
    uint8_t group[16];
    wire_nd_group(group, nd->target);
    struct wire_ip_out to = {.src = src != NULL ? src : nobody,
                             .dst = mac != NULL ? nd->target : group};
    send_nd(s, iface, nd, &to, mac);
}

/* Asks who has that address: all, or `mac`. `src` is who wants to know; NULL: nobody, who says
 * whose it is. */
static void solicit(tern *s, uint8_t iface, const uint8_t ip[16], const uint8_t *src,
                    const uint8_t *mac)
{
    s->counters.count[TERN_COUNT_SOLICITATIONS]++;
    if (wire_is_ip4(ip)) {
        ask_arp(s, iface, ip, src != NULL ? src : ip, mac);
        return;
    }
    struct wire_nd nd = {.type = WIRE_ND_SOLICIT, .has_mac = src != NULL};
    memcpy(nd.target, ip, 16);
    memcpy(nd.mac, s->iface[iface].mac, WIRE_MAC);
    ask_nd(s, iface, &nd, src, mac);
}

void link_announce(tern *s, uint8_t iface, const uint8_t ip[16])
{
    if (s->iface[iface].conf.mac != NULL)
        solicit(s, iface, ip, NULL, NULL);
}

void link_probe(tern *s, const struct ip_addr *a)
{
    s->counters.count[TERN_COUNT_SOLICITATIONS]++;
    if (wire_is_ip4(a->ip)) {
        ask_arp(s, a->iface, a->ip, NULL, NULL);
        return;
    }
    struct wire_nd nd = {.type = WIRE_ND_SOLICIT, .has_nonce = true};
    memcpy(nd.target, a->ip, 16);
    ip_addr_nonce(&s->ip, a, nd.nonce);
    ask_nd(s, a->iface, &nd, NULL, NULL);
}

static void ask(tern *s, const struct neigh *n, bool all)
{
    uint8_t src[16];
    if (stack_source(s, n->iface, n->ip, src))
        solicit(s, n->iface, n->ip, src, all ? NULL : n->mac);
}

/* ---- out ------------------------------------------------------------------------------------- */

static void put_header(const tern *s, struct outrec *r, const uint8_t mac[WIRE_MAC])
{
    uint16_t type = r->header[r->header_off] >> 4 == 4 ? WIRE_ETH_IP4 : WIRE_ETH_IP6;
    r->header_off -= WIRE_ETH_HEADER;
    r->header_len += WIRE_ETH_HEADER;
    if (r->csum_start != 0)
        r->csum_start += WIRE_ETH_HEADER;
    r->framed = true;
    wire_eth_write(r->header + r->header_off, mac, s->iface[r->iface].mac, type);
}

static void destination(const struct outrec *r, uint8_t dst[16])
{
    const uint8_t *p = r->header + r->header_off;
    if (p[0] >> 4 == 4) {
        memcpy(dst, wire_mapped_prefix, 12);
        memcpy(dst + 12, p + 16, 4);
    } else {
        memcpy(dst, p + 24, 16);
    }
}

static void wait_for(tern *s, struct neigh *n, struct outrec *r)
{
    struct outrec *last = n->last;
    if (n->waiting == NEIGH_WAITING) { /* the oldest makes room (RFC 4861 7.2.2) */
        struct outrec *first = n->first;
        n->first = first->next;
        n->waiting--;
        s->counters.drop[TERN_DROP_NEIGHBOR]++;
        stack_release(s, first);
    }
    r->state = OUTREC_QUEUED;
    r->next = NULL;
    if (n->waiting++ == 0)
        n->first = r;
    else
        last->next = r;
    n->last = r;
}

bool link_frame(tern *s, struct outrec *r)
{
    uint8_t dst[16], mac[WIRE_MAC];
    destination(r, dst);
    if (wire_ip_multicast(dst) || ip_is_broadcast(&s->ip, dst)) {
        wire_mac_of_group(mac, dst);
        put_header(s, r, mac);
        return true;
    }
    const struct ip_route *route = ip_route_find(&s->routes, dst);
    const uint8_t *hop =
        route != NULL && route->iface == r->iface && route->gateway ? route->via : dst;
    struct neigh *n = neigh_find(&s->neighbors, r->iface, hop);
    if (n == NULL) {
        n = neigh_new(&s->neighbors, r->iface, hop, s->tcp.now);
        if (n == NULL) {
            s->counters.drop[TERN_DROP_NEIGHBOR]++;
            stack_release(s, r);
            return false;
        }
        ask(s, n, true);
    }
    if (neigh_use(&s->neighbors, n, s->tcp.now)) {
        put_header(s, r, n->mac);
        return true;
    }
    wait_for(s, n, r);
    return false;
}

/* What waited for a neighbour that is known now goes before anything else. */
static void let_go(tern *s, struct neigh *n)
{
    struct outrec *r = n->first;
    n->first = n->last = NULL;
    n->waiting = 0;
    while (r != NULL) {
        struct outrec *next = r->next;
        put_header(s, r, n->mac);
        stack_queue(s, r);
        r = next;
    }
}

/* Nobody is there: a connection whose segment waited learns it. */
static void tell_tcp(tern *s, const struct outrec *r)
{
    const uint8_t *ip = r->header + r->header_off, *tcp = r->header + IP_ROOM;
    bool ip4 = ip[0] >> 4 == 4;
    if (r->reply || ip[ip4 ? 9 : 6] != WIRE_TCP)
        return;
    struct tcp_tuple tuple = {.lport = load_be16(tcp), .rport = load_be16(tcp + 2)};
    destination(r, tuple.remote);
    memcpy(tuple.local, ip4 ? wire_mapped_prefix : ip + 8, ip4 ? 12 : 16);
    if (ip4)
        memcpy(tuple.local + 12, ip + 12, 4);
    /* as if it were ours, and we said: host, or address, unreachable */
    struct tcp_icmp m = {.seq = load_be32(tcp + 4),
                         .said = {.err = TERN_EUNREACH,
                                  .version = ip4 ? 4 : 6,
                                  .type = ip4 ? 3 : 1,
                                  .code = ip4 ? 1 : 3,
                                  .port = tuple.rport,
                                  .quote_len = (uint8_t)((tcp[12] >> 4) * 4)}};
    memcpy(m.said.from, tuple.local, 16);
    memcpy(m.said.to, tuple.remote, 16);
    memcpy(m.said.quote, tcp, m.said.quote_len);
    (void)tcp_icmp(&s->tcp, &tuple, &m);
}

static void give_up(tern *s, struct neigh *n, bool tell)
{
    struct outrec *r = n->first;
    n->first = n->last = NULL;
    n->waiting = 0;
    if (tell)
        auto_neighbor_failed(s, n->iface, n->ip);
    neigh_forget(&s->neighbors, n);
    while (r != NULL) {
        struct outrec *next = r->next;
        if (tell) {
            s->counters.drop[TERN_DROP_NEIGHBOR]++;
            tell_tcp(s, r);
        }
        stack_release(s, r);
        r = next;
    }
}

void link_forget(tern *s, uint8_t iface)
{
    struct neigh *n;
    while ((n = neigh_of_iface(&s->neighbors, iface)) != NULL)
        give_up(s, n, false);
}

void link_advance(tern *s, uint32_t max)
{
    enum neigh_ask what;
    struct neigh *n;
    while (max-- > 0 && (n = neigh_due(&s->neighbors, s->tcp.now, &what)) != NULL) {
        if (what == NEIGH_FAILED)
            give_up(s, n, true);
        else
            ask(s, n, what == NEIGH_ASK_ALL);
    }
}

/* The neighbour by which packets go there; NULL: none is known. */
static struct neigh *neighbor_for(const tern *s, const uint8_t remote[16], uint8_t iface)
{
    const struct ip_route *route = ip_route_find(&s->routes, remote);
    const uint8_t *hop = route != NULL && route->gateway ? route->via : remote;
    return neigh_find(&s->neighbors, iface, hop);
}

void link_confirm(tern *s, const struct tcp_seg *seg)
{
    struct neigh *n = neighbor_for(s, seg->tuple.remote, seg->iface);
    if (n != NULL)
        neigh_confirm(&s->neighbors, n, s->tcp.now);
}

void link_doubt(void *context, const uint8_t remote[16], uint8_t iface)
{
    tern *s = context;
    struct neigh *n = s->iface[iface].conf.mac != NULL ? neighbor_for(s, remote, iface) : NULL;
    if (n != NULL)
        neigh_doubt(n, s->tcp.now);
}

/* ---- in -------------------------------------------------------------------------------------- */

/* The entry of somebody who wants to talk to us; made if need be. */
void link_learn(tern *s, uint8_t iface, const uint8_t ip[16], const uint8_t mac[WIRE_MAC])
{
    struct neigh *n = neigh_find(&s->neighbors, iface, ip);
    if (n == NULL)
        n = neigh_new(&s->neighbors, iface, ip, s->tcp.now);
    if (n == NULL)
        return;
    neigh_asked(&s->neighbors, n, mac);
    let_go(s, n);
}

static enum tern_drop take_arp(tern *s, uint8_t iface, const uint8_t *p, size_t have)
{
    struct wire_arp arp;
    if (!wire_arp_read(p, have, &arp) || wire_mac_group(arp.sender_mac))
        return TERN_DROP_ARP;
    if (wire_mac_equal(arp.sender_mac, s->iface[iface].mac))
        return TERN_DROP_ARP; /* our own, come back */
    bool probe = arp.op == WIRE_ARP_REQUEST && wire_ip_unspecified(arp.sender_ip);
    struct ip_addr *claimed = ip_addr_find(&s->ip, probe ? arp.target_ip : arp.sender_ip);
    if (claimed != NULL && (!probe || !ip_addr_usable(claimed))) {
        addr_claimed(s, claimed);
        return TERN_DROP_ARP;
    }
    bool ours = ip_is_at(&s->ip, iface, arp.target_ip);
    bool somebody = wire_ip_unicast(arp.sender_ip); /* not a probe (RFC 5227 2.1.1) */
    struct neigh *n = neigh_find(&s->neighbors, iface, arp.sender_ip);
    if (arp.op == WIRE_ARP_REPLY && n != NULL) {
        struct neigh_news news = {.mac = arp.sender_mac, .solicited = ours, .override = true};
        neigh_advert(&s->neighbors, n, &news, s->tcp.now);
        let_go(s, n);
        return TERN_DROP_NONE;
    }
    if (arp.op != WIRE_ARP_REQUEST || (!ours && n == NULL))
        return TERN_DROP_ARP;
    if (somebody)
        link_learn(s, iface, arp.sender_ip, arp.sender_mac);
    if (ours) {
        struct wire_arp reply = {.op = WIRE_ARP_REPLY};
        memcpy(reply.sender_ip, arp.target_ip, 16);
        memcpy(reply.target_ip, arp.sender_ip, 16);
        memcpy(reply.target_mac, arp.sender_mac, WIRE_MAC);
        send_arp(s, iface, &reply, arp.sender_mac);
    }
    return TERN_DROP_NONE;
}

/* Answers to whoever asks, or to all when that has no address yet. */
static void advertise(tern *s, uint8_t iface, const struct wire_ip *asked, const struct wire_nd *nd)
{
    bool known = !wire_ip_unspecified(asked->src);
    struct wire_nd answer = {.type = WIRE_ND_ADVERT,
                             .solicited = known,
                             .override = true,
                             .has_mac = true};
    memcpy(answer.target, nd->target, 16);
    memcpy(answer.mac, s->iface[iface].mac, WIRE_MAC);
    struct wire_ip_out to = {.src = nd->target, .dst = known ? asked->src : all_nodes};
    const struct neigh *n = known ? neigh_find(&s->neighbors, iface, asked->src) : NULL;
    if (!known)
        send_nd(s, iface, &answer, &to, NULL);
    else if (n != NULL && n->state != NEIGH_INCOMPLETE)
        send_nd(s, iface, &answer, &to, n->mac);
}

/* A question for an address that we do not use yet: who asks the same as we do, and is not heard as
 * an echo of us, wants it too (RFC 4862 5.4.3, RFC 7527 4.2). */
static void asked_too(tern *s, struct ip_addr *a, const struct wire_nd *nd,
                      const struct wire_ip *ip)
{
    uint8_t nonce[WIRE_ND_NONCE];
    ip_addr_nonce(&s->ip, a, nonce);
    bool echo = nd->has_nonce && memcmp(nd->nonce, nonce, WIRE_ND_NONCE) == 0;
    if (wire_ip_unspecified(ip->src) && !echo)
        addr_claimed(s, a);
}

enum tern_drop link_nd(tern *s, uint8_t iface, const uint8_t *p, size_t have,
                       const struct wire_ip *ip)
{
    struct wire_nd nd;
    if (s->iface[iface].conf.mac == NULL)
        return TERN_DROP_ND;
    if (p[0] == WIRE_ND_ROUTER_ADVERT)
        return auto_input(s, iface, p, have, ip);
    if (p[0] == WIRE_MLD_QUERY)
        return mld_query(s, iface, p - ip->header_len, have + ip->header_len, ip);
    if (!wire_nd_read(p, have, ip, &nd))
        return TERN_DROP_ND;
    struct ip_addr *ours = ip_addr_find(&s->ip, nd.target);
    if (nd.type == WIRE_ND_SOLICIT) {
        if (ours == NULL || ours->iface != iface || ip_is_local(&s->ip, ip->src))
            return TERN_DROP_ND;
        if (!ip_addr_usable(ours)) {
            asked_too(s, ours, &nd, ip);
            return TERN_DROP_ND;
        }
        if (nd.has_mac && wire_ip_unicast(ip->src))
            link_learn(s, iface, ip->src, nd.mac);
        advertise(s, iface, ip, &nd);
        return TERN_DROP_NONE;
    }
    if (ours != NULL) { /* RFC 4862 5.4.4 */
        addr_claimed(s, ours);
        return TERN_DROP_ND;
    }
    struct neigh *n = neigh_find(&s->neighbors, iface, nd.target);
    if (n == NULL) /* nobody asked (7.2.5) */
        return TERN_DROP_ND;
    struct neigh_news news = {.mac = nd.has_mac ? nd.mac : NULL,
                              .solicited = nd.solicited,
                              .override = nd.override};
    neigh_advert(&s->neighbors, n, &news, s->tcp.now);
    if (n->state != NEIGH_INCOMPLETE)
        let_go(s, n);
    return TERN_DROP_NONE;
}

/* Takes the Ethernet header off. `*more`: an IP packet is left. */
enum tern_drop link_input(tern *s, tern_pkt *pkt, bool *more)
{
    const struct iface *f = &s->iface[pkt->iface];
    tern_iov *v = &pkt->iov[0];
    *more = false;
    if (v->len < WIRE_ETH_HEADER || pkt->len < WIRE_ETH_HEADER)
        return TERN_DROP_SHORT;
    const uint8_t *p = v->base;
    uint16_t type = load_be16(p + 2 * WIRE_MAC);
    if (!wire_mac_group(p) && !wire_mac_equal(p, f->mac))
        return TERN_DROP_LINK;
    if (type == WIRE_ETH_ARP)
        return take_arp(s, (uint8_t)pkt->iface, p + WIRE_ETH_HEADER, v->len - WIRE_ETH_HEADER);
    if (type != WIRE_ETH_IP4 && type != WIRE_ETH_IP6)
        return TERN_DROP_LINK;
    v->base = (uint8_t *)v->base + WIRE_ETH_HEADER;
    v->len -= WIRE_ETH_HEADER;
    pkt->len -= WIRE_ETH_HEADER;
    if (v->len == 0 || pkt->len == 0 || p[WIRE_ETH_HEADER] >> 4 != (type == WIRE_ETH_IP4 ? 4 : 6))
        return TERN_DROP_LINK;
    *more = true;
    return TERN_DROP_NONE;
}
