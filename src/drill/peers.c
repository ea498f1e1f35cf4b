/* peers.c - the sockets that a script makes, and whose packets are whose.
 *
 * A script's packets name no addresses: they concern the socket made last, or the connection that a
 * SYN opened at a listener. The remote side's numbers are on the wire as in the script; ours are
 * moved by the difference between the live initial sequence number and the script's. */
#include "drill/play.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

enum { FIRST_PORT = 40001, FASTOPEN = 0x20000000 };

struct peer *peer_new(struct play *p)
{
    struct peer *peer = drill_alloc(&p->script->arena, sizeof(*peer));
    peer->next = p->peers;
    peer->script_fd = -1;
    memcpy(peer->flow.src, p->conf.local, 16);
    memcpy(peer->flow.dst, p->conf.remote, 16);
    peer->flow.sport = p->conf.bind_port;
    peer->isn_open = true;
    p->peers = peer;
    return peer;
}

/* A connection at a listener: from a new port of the remote side's. */
static struct peer *child_of(struct play *p, const struct peer *listener,
                             const struct drill_packet *packet)
{
    struct peer *child = peer_new(p);
    if (listener)
        child->flow.sport = listener->flow.sport;
    child->flow.dport = (uint16_t)(FIRST_PORT + p->ports++ % 20000);
    if (packet->sport >= 0) {
        child->flow.dport = (uint16_t)packet->sport;
        child->flow.sport = (uint16_t)packet->dport;
    }
    child->child = child->tuple = true;
    child->state = PEER_CONNECTED;
    p->under_test = child;
    return child;
}

static struct peer *by_ports(const struct play *p, int ours, int theirs)
{
    for (struct peer *peer = p->peers; peer; peer = peer->next)
        if (peer->tuple && peer->flow.sport == ours && peer->flow.dport == theirs)
            return peer;
    return NULL;
}

/* The socket under test, or the one before it while it has done nothing. */
static struct peer *chosen(const struct play *p)
{
    struct peer *peer = p->under_test;
    while (peer && peer->state == PEER_NEW && peer->next)
        peer = peer->next;
    return peer;
}

struct peer *peer_inbound(struct play *p, const struct drill_packet *packet)
{
    struct peer *peer = chosen(p);
    if (packet->sport >= 0) {
        struct peer *named = by_ports(p, packet->dport, packet->sport);
        if (named) {
            p->under_test = named;
            return named;
        }
    }
    if (!peer || peer->state == PEER_LISTENING || peer->state == PEER_NEW || packet->sport >= 0)
        return child_of(p, peer, packet);
    if (packet->flags & DRILL_SYN)
        peer->isn_open = true;
    return peer;
}

struct peer *peer_outbound(struct play *p) { return chosen(p); }

bool peer_owns(struct peer *peer, const struct drill_packet *live, const struct drill_flow *flow)
{
    if (live->proto == DRILL_ICMP)
        return memcmp(flow->dst, peer->flow.dst, 16) == 0;
    if (memcmp(flow->dst, peer->flow.dst, 16) != 0 || flow->dport != peer->flow.dport)
        return false;
    if (peer->tuple)
        return flow->sport == peer->flow.sport;
    if (peer->state != PEER_CONNECTING || !(live->flags & DRILL_SYN))
        return false;
    peer->flow = *flow;
    peer->tuple = true;
    return true;
}

/* ---- numbers --------------------------------------------------------------------------------- */

void peer_note_ts(struct peer *peer, uint32_t script, uint32_t live)
{
    struct peer_ts ts = {script, live};
    if (peer->ts_count == 0)
        peer->ts_first = ts;
    peer->ts[peer->ts_count++ % PEER_TS_MAX] = ts;
}

/* Our timestamp that the script calls `script`: as it was last, or counted from the first. */
static uint32_t live_ts(const struct peer *peer, uint32_t script)
{
    unsigned kept = peer->ts_count < PEER_TS_MAX ? peer->ts_count : (unsigned)PEER_TS_MAX;
    for (unsigned i = 1; i <= kept; i++) {
        const struct peer_ts *ts = &peer->ts[(peer->ts_count - i) % PEER_TS_MAX];
        if (ts->script == script)
            return ts->live;
    }
    return kept > 0 && script != 0 ? peer->ts_first.live + (script - peer->ts_first.script)
                                   : script;
}

void peer_learn(struct peer *peer, const struct drill_packet *script,
                const struct drill_packet *live)
{
    if (peer->isn_open && (script->flags & live->flags & DRILL_SYN)) {
        peer->offset = live->seq - script->seq;
        peer->isn_known = true;
        peer->isn_open = false;
    }
}

void peer_to_live(const struct peer *peer, struct drill_packet *packet)
{
    uint32_t offset = peer->isn_known ? peer->offset : 0;
    if (packet->has_ack)
        packet->ack += offset;
    for (size_t i = 0; i < packet->opt_count; i++) {
        struct drill_opt *o = &packet->opt[i];
        if (o->kind == DRILL_OPT_SACK)
            for (size_t k = 0; k < o->count; k++)
                o->value[k] += offset;
        else if (o->kind == DRILL_OPT_TS)
            o->value[1] = live_ts(peer, o->value[1]);
    }
}

void peer_to_script(const struct peer *peer, struct drill_packet *packet)
{
    uint32_t offset = peer->isn_known ? peer->offset : 0;
    packet->seq -= offset;
    packet->end -= offset;
}

/* ---- calls ----------------------------------------------------------------------------------- */

static struct peer *by_fd(const struct play *p, int64_t script_fd)
{
    for (struct peer *peer = p->peers; peer; peer = peer->next)
        if (peer->script_fd == script_fd && script_fd >= 0)
            return peer;
    return NULL;
}

/* Address and port of what a call was given. */
static void target_of(const struct drill_calling *c, uint8_t ip[16], uint16_t *port)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    const struct sockaddr_in *in = (const struct sockaddr_in *)&c->target;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&c->target;
    *port = ntohs(in->sin_port);
    if (in->sin_family == AF_INET6) {
        memcpy(ip, &in6->sin6_addr, 16);
    } else {
        memcpy(ip, mapped, 12);
        memcpy(ip + 12, &in->sin_addr, 4);
    }
}

static struct peer *of_call(const struct play *p, const struct drill_calling *c)
{
    const struct drill_expr *fd = c->call->args;
    return fd && fd->kind == EXPR_INT ? by_fd(p, fd->number) : NULL;
}

void peer_before_call(struct play *p, const struct drill_calling *c)
{
    struct peer *peer = of_call(p, c);
    bool fast = (c->nr == DRILL_NR_sendto || c->nr == DRILL_NR_send || c->nr == DRILL_NR_sendmsg) &&
                ((c->nr == DRILL_NR_sendmsg ? c->args[2] : c->args[3]) & FASTOPEN);
    if (!peer || peer->tuple || !(c->nr == DRILL_NR_connect || fast))
        return;
    if (c->target_len == 0 || c->target.ss_family == AF_UNSPEC)
        return;
    target_of(c, peer->flow.dst, &peer->flow.dport);
    peer->state = PEER_CONNECTING;
    peer->isn_open = true;
    p->under_test = peer;
}

/* The oldest connection that no accept() has returned yet. */
static struct peer *waiting(const struct play *p)
{
    struct peer *found = NULL;
    for (struct peer *peer = p->peers; peer; peer = peer->next)
        if (peer->child && peer->script_fd < 0)
            found = peer;
    return found;
}

void peer_after_call(struct play *p, const struct drill_calling *c, int64_t result, int fd)
{
    struct peer *peer = of_call(p, c);
    uint8_t ip[16];
    if (c->nr == DRILL_NR_socket && fd >= 0) {
        peer = peer_new(p);
        peer->script_fd = fd;
        p->under_test = peer;
    } else if ((c->nr == DRILL_NR_accept || c->nr == DRILL_NR_accept4) && fd >= 0) {
        peer = waiting(p);
        if (peer)
            peer->script_fd = fd;
    } else if (peer && c->nr == DRILL_NR_bind && result == 0) {
        target_of(c, ip, &peer->flow.sport);
    } else if (peer && c->nr == DRILL_NR_listen && result == 0) {
        peer->state = PEER_LISTENING;
    } else if (peer && c->nr == DRILL_NR_close && result == 0) {
        peer->script_fd = -1;
        peer->child = false;
    } else if (peer && c->nr == DRILL_NR_connect && c->target.ss_family == AF_UNSPEC) {
        peer->state = PEER_NEW;
        peer->tuple = false;
    }
}
