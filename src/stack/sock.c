/* sock.c - the public calls on sockets: handles checked and resolved, addresses and ports chosen,
 * the rest passed on to TCP.
 *
 * The 24 index bits of a handle are shared by the four kinds of socket: connections first, then
 * listeners, then held passive opens, then UDP's.
 */
#include "stack/stack.h"
#include "tcp/guard.h"

enum { LIMIT_BURST_MAX = 1 << 20 };
enum { PORT_FIRST = 32768, PORT_LAST = 60999, PORT_TRIES = 1024 };

/* ---- handles --------------------------------------------------------------------------------- */

static uint32_t kind_base(const struct tcp *t, enum ref_kind kind)
{
    switch (kind) {
    case REF_CONN:
        return 0;
    case REF_LISTENER:
        return t->cfg->conns_max;
    default:
        return t->cfg->conns_max + t->cfg->listeners_max;
    }
}

tern_sock sock_make(const struct tcp *t, enum ref_kind kind, uint32_t ix, uint32_t generation)
{
    uint64_t index = kind_base(t, kind) + ix;
    return (tern_sock){(uint64_t)generation << 32 | (uint64_t)t->cfg->shard << 24 | index};
}

/* The index of a handle's object in the slab of the kind that begins at `base`, or an error. */
static int64_t resolve(const tern *s, tern_sock k, uint32_t base, const struct slab *slab)
{
    uint32_t index = (uint32_t)k.id & 0xffffff;
    if ((k.id >> 24 & 0xff) != s->cfg.shard || index <= base || index - base > slab->limit)
        return TERN_EINVAL;
    if (!slab_is(slab, index - base, (uint32_t)(k.id >> 32)))
        return TERN_ESTALE;
    return index - base;
}

int64_t stack_listener(const tern *s, tern_sock k)
{
    int64_t ix = resolve(s, k, kind_base(&s->tcp, REF_LISTENER), &s->tcp.listeners);
    return ix > 0 && listener_at(&s->tcp, (uint32_t)ix)->closed ? TERN_ESTALE : ix;
}

int64_t stack_held(const tern *s, tern_sock k)
{
    int64_t ix = resolve(s, k, kind_base(&s->tcp, REF_HALFOPEN), &s->tcp.halfopens);
    if (ix <= 0)
        return ix;
    uint8_t flags = halfopen_at(&s->tcp, (uint32_t)ix)->flags;
    return flags & HALFOPEN_HELD && !(flags & HALFOPEN_DEAD) ? ix : TERN_ESTALE;
}

/* UDP's sockets come last. */
static uint32_t udp_base(const tern *s)
{
    return kind_base(&s->tcp, REF_HALFOPEN) + s->cfg.halfopen_max;
}

int64_t stack_udp(const tern *s, tern_sock k) { return resolve(s, k, udp_base(s), &s->udp.socks); }

tern_sock stack_udp_handle(const tern *s, uint32_t ix, uint32_t generation)
{
    uint64_t index = udp_base(s) + ix;
    return (tern_sock){(uint64_t)generation << 32 | (uint64_t)s->cfg.shard << 24 | index};
}

/* What is wrong with a handle whose index is that of no connection. */
static int other_kind(const tern *s, tern_sock k)
{
    bool stale = stack_listener(s, k) == TERN_ESTALE || stack_held(s, k) == TERN_ESTALE ||
                 stack_udp(s, k) == TERN_ESTALE;
    return stale ? TERN_ESTALE : TERN_EINVAL;
}

/* The connection of a handle; NULL, and why. Asked by every call: resolve(), with one look into the
 * slab. */
static inline struct conn *conn_of(const tern *s, tern_sock k, int *err)
{
    const struct slab *slab = &s->tcp.conns;
    uint32_t ix = (uint32_t)k.id & 0xffffff, generation = (uint32_t)(k.id >> 32);
    *err = TERN_ESTALE; /* (kind_base() of connections is 0) */
    if (UNLIKELY((k.id >> 24 & 0xff) != s->cfg.shard || ix == 0 || ix > slab->limit)) {
        *err = other_kind(s, k);
        return NULL;
    }
    if (UNLIKELY(ix >= slab->fresh || !(generation & 1)))
        return NULL;
    struct conn *c = conn_at(&s->tcp, ix);
    if (UNLIKELY(c->generation != generation ||
                 c->flags & (CONN_ORPHAN | CONN_LINGER | CONN_QUEUED)))
        return NULL;
    return c;
}

/* The connection in `c`, or return with the error. */
#define CONN_OR_RETURN(s, k, c)                                                                    \
    int err_;                                                                                      \
    struct conn *c = conn_of(s, k, &err_);                                                         \
    if (UNLIKELY((c) == NULL))                                                                     \
    return err_

/* ---- passive open ---------------------------------------------------------------------------- */

int tern_listen(tern *s, tern_sock *out, const tern_listen_args *args)
{
    uint32_t ix;
    int err = listen_new(&s->tcp, args, &ix);
    if (err == 0)
        *out = sock_make(&s->tcp, REF_LISTENER, ix, listener_at(&s->tcp, ix)->generation);
    return err;
}

int tern_backlog(tern *s, tern_sock listener, uint32_t backlog)
{
    int64_t ix = stack_listener(s, listener);
    if (ix < 0)
        return (int)ix;
    listener_at(&s->tcp, (uint32_t)ix)->backlog = max_u32(backlog, 1);
    return 0;
}

static void names(const tern *s, const struct conn *c, tern_addr *local, tern_addr *peer)
{
    struct tcp_tuple tuple;
    conn_tuple(&s->tcp, c, &tuple);
    if (local != NULL) {
        *local = (tern_addr){.port = tuple.lport};
        memcpy(local->ip, tuple.local, 16);
    }
    if (peer != NULL) {
        *peer = (tern_addr){.port = tuple.rport};
        memcpy(peer->ip, tuple.remote, 16);
    }
}

int tern_accept(tern *s, tern_sock listener, tern_sock *out, tern_addr *peer, void *user)
{
    int64_t ix = stack_listener(s, listener);
    if (ix < 0)
        return (int)ix;
    struct conn *c;
    int err = listen_accept(&s->tcp, (uint32_t)ix, &c);
    if (err != 0)
        return err;
    c->user = user;
    *out = sock_make(&s->tcp, REF_CONN, c->self, c->generation);
    names(s, c, NULL, peer);
    return 0;
}

int tern_hold_admit(tern *s, tern_sock held, tern_sock *out, void *user)
{
    int64_t ix = stack_held(s, held);
    if (ix < 0)
        return (int)ix;
    struct conn *c;
    int err = hold_admit(&s->tcp, (uint32_t)ix, user, &c);
    if (err == 0)
        *out = sock_make(&s->tcp, REF_CONN, c->self, c->generation);
    return err;
}

int tern_hold_refuse(tern *s, tern_sock held, int icmp_type, int icmp_code)
{
    int64_t ix = stack_held(s, held);
    if (ix < 0)
        return (int)ix;
    if (icmp_type > 255 || icmp_code < 0 || icmp_code > 255)
        return TERN_EINVAL;
    return hold_refuse(&s->tcp, (uint32_t)ix, icmp_type, icmp_code);
}

int tern_hold_drop(tern *s, tern_sock held)
{
    int64_t ix = stack_held(s, held);
    if (ix < 0)
        return (int)ix;
    return hold_drop(&s->tcp, (uint32_t)ix);
}

int tern_limits_set(tern *s, tern_sock listener, const tern_limits *limits)
{
    int64_t ix = stack_listener(s, listener);
    if (ix < 0)
        return (int)ix;
    if (limits->syn_rate > NS_PER_S || limits->syn_burst > LIMIT_BURST_MAX)
        return TERN_EINVAL;
    struct listener *l = listener_at(&s->tcp, (uint32_t)ix);
    l->limits = *limits;
    l->limited = limits->halfopen != 0 || limits->conns != 0 || limits->syn_rate != 0;
    return 0;
}

int tern_rule_set(tern *s, const uint8_t ip[16], unsigned bits, enum tern_rule rule)
{
    if (bits > 128 || rule > TERN_RULE_DENY)
        return TERN_EINVAL;
    return admit_rule_set(&s->tcp, ip, bits, rule);
}

void tern_cookie_clock(tern *s, uint64_t shared) { s->tcp.cookie_offset = shared - s->tcp.now; }

/* ---- active open ----------------------------------------------------------------------------- */

/* A free local port for the tuple: a keyed hash of the destination and of a counter, so that each
 * is drawn anew and none tells how many others there were (RFC 6056 3.3.1; with a counter that is
 * added, as in 3.3.3, who is connected to twice would know). From there on in steps. 0: none found
 * in a bounded number of tries. */
static uint16_t choose_port(struct tcp *t, struct tcp_tuple *tuple)
{
    uint32_t range = PORT_LAST - PORT_FIRST + 1;
    tuple->lport = 0;
    uint64_t drawn = keyed_port(t, tuple, ++t->port_step) & UINT32_MAX;
    for (uint32_t i = 0; i < PORT_TRIES; i++) {
        uint64_t at = drawn + i;
        tuple->lport = (uint16_t)(PORT_FIRST + at % range);
        if (flow_find(t, tuple, tcp_flow_hash(t, tuple)) == 0)
            return tuple->lport;
    }
    return 0;
}

int tern_connect(tern *s, tern_sock *out, const tern_addr *local, const tern_addr *peer, void *user)
{
    static const uint8_t any[16];
    struct tcp_tuple tuple = {.rport = peer->port};
    memcpy(tuple.remote, peer->ip, 16);
    if (!wire_ip_unicast(peer->ip) || ip_is_broadcast(&s->ip, peer->ip) || peer->port == 0)
        return TERN_EINVAL; /* MUST-46 */
    uint8_t iface;
    int err = stack_route(s, peer->ip, &iface);
    if (err != 0)
        return err;
    bool bound =
        local != NULL && memcmp(local->ip, any, 16) != 0 && !wire_ip_unspecified(local->ip);
    if (bound) { /* MUST-43 */
        if (!ip_is_local(&s->ip, local->ip) || wire_is_ip4(local->ip) != wire_is_ip4(peer->ip))
            return TERN_EADDRNOTAVAIL;
        memcpy(tuple.local, local->ip, 16);
    } else if (!stack_source(s, iface, peer->ip, tuple.local)) { /* MUST-44 */
        return TERN_EADDRNOTAVAIL;
    }
    if (ip_is_local(&s->ip, peer->ip))
        return TERN_EINVAL; /* nothing loops back inside of a shard */
    if (local != NULL && local->port != 0)
        tuple.lport = local->port;
    else if (choose_port(&s->tcp, &tuple) == 0)
        return TERN_EADDRNOTAVAIL;
    struct conn *c = NULL;
    err = user_connect(&s->tcp, &tuple, iface, user, &c);
    if (err == 0)
        *out = sock_make(&s->tcp, REF_CONN, c->self, c->generation);
    return err;
}

/* ---- data ------------------------------------------------------------------------------------ */

ptrdiff_t tern_send(tern *s, tern_sock k, const void *buf, size_t len)
{
    CONN_OR_RETURN(s, k, c);
    return user_send(&s->tcp, c, buf, len);
}

ptrdiff_t tern_send_reserve(tern *s, tern_sock k, tern_iov *iov, size_t n, size_t want)
{
    CONN_OR_RETURN(s, k, c);
    return user_reserve(&s->tcp, c, iov, n, want);
}

int tern_send_commit(tern *s, tern_sock k, size_t len)
{
    CONN_OR_RETURN(s, k, c);
    return user_commit(&s->tcp, c, len);
}

int tern_send_lent(tern *s, tern_sock k, const void *buf, size_t len, void *cookie)
{
    CONN_OR_RETURN(s, k, c);
    return user_lend(&s->tcp, c, buf, len, cookie);
}

ptrdiff_t tern_recv(tern *s, tern_sock k, void *buf, size_t cap)
{
    CONN_OR_RETURN(s, k, c);
    return user_recv(&s->tcp, c, buf, cap);
}

ptrdiff_t tern_recv_peek(tern *s, tern_sock k, tern_iov *iov, size_t n, size_t skip)
{
    CONN_OR_RETURN(s, k, c);
    return user_peek(c, iov, n, skip);
}

int tern_recv_consume(tern *s, tern_sock k, size_t len)
{
    CONN_OR_RETURN(s, k, c);
    return user_consume(&s->tcp, c, len);
}

int tern_recv_owed(tern *s, tern_sock k, size_t bytes)
{
    CONN_OR_RETURN(s, k, c);
    return user_owed(&s->tcp, c, bytes);
}

int tern_urgent_get(const tern *s, tern_sock k, tern_urgent *out)
{
    CONN_OR_RETURN(s, k, c);
    urgent_state(c, out);
    return 0;
}

int tern_icmp_get(const tern *s, tern_sock k, tern_icmp *out)
{
    CONN_OR_RETURN(s, k, c);
    const struct conn_rare *r = conn_rare_of(c);
    if (r == NULL || r->icmp.err == 0)
        return TERN_EAGAIN;
    *out = r->icmp;
    return 0;
}

/* ---- the end --------------------------------------------------------------------------------- */

int tern_shutdown(tern *s, tern_sock k)
{
    CONN_OR_RETURN(s, k, c);
    return user_shutdown(&s->tcp, c);
}

int tern_recv_shutdown(tern *s, tern_sock k)
{
    CONN_OR_RETURN(s, k, c);
    c->flags |= CONN_RX_CLOSED;
    return 0;
}

int tern_arm(tern *s, tern_sock k, uint32_t mask)
{
    int64_t listener = stack_listener(s, k);
    if (listener > 0) {
        if (mask & TERN_EV_ACCEPT)
            listener_at(&s->tcp, (uint32_t)listener)->accept_armed = true;
        return 0;
    }
    int64_t udp = stack_udp(s, k);
    if (udp > 0)
        return stack_udp_arm(s, (uint32_t)udp, mask);
    CONN_OR_RETURN(s, k, c);
    c->flags |=
        (mask & TERN_EV_READ ? CONN_READ_ARMED : 0) | (mask & TERN_EV_WRITE ? CONN_WRITE_ARMED : 0);
    return 0;
}

int tern_watch(tern *s, tern_sock k, const uint32_t *sent, const uint32_t *acked)
{
    CONN_OR_RETURN(s, k, c);
    return option_watch(&s->tcp, c, sent, acked);
}

int tern_close(tern *s, tern_sock k)
{
    int64_t listener = stack_listener(s, k);
    if (listener > 0) {
        listen_close(&s->tcp, (uint32_t)listener);
        return 0;
    }
    int64_t udp = stack_udp(s, k);
    if (udp > 0) {
        udp_free(&s->udp, (uint32_t)udp);
        return 0;
    }
    CONN_OR_RETURN(s, k, c);
    return user_close(&s->tcp, c);
}

int tern_abort(tern *s, tern_sock k)
{
    CONN_OR_RETURN(s, k, c);
    return user_abort(&s->tcp, c);
}

/* ---- options and names ----------------------------------------------------------------------- */

int tern_option_set(tern *s, tern_sock k, enum tern_opt option, int64_t value)
{
    int64_t listener = stack_listener(s, k);
    if (listener > 0)
        return option_listener_set(listener_at(&s->tcp, (uint32_t)listener), option, value);
    int64_t udp = stack_udp(s, k);
    if (udp > 0)
        return stack_udp_option_set(s, (uint32_t)udp, option, value);
    CONN_OR_RETURN(s, k, c);
    return option_set(&s->tcp, c, option, value);
}

int tern_option_get(const tern *s, tern_sock k, enum tern_opt option, int64_t *value)
{
    int64_t udp = stack_udp(s, k);
    if (udp > 0)
        return stack_udp_option_get(s, (uint32_t)udp, option, value);
    CONN_OR_RETURN(s, k, c);
    return option_get(&s->tcp, c, option, value);
}

int tern_fastopen_keys(tern *s, tern_sock listener, const uint8_t *keys, size_t n)
{
    if (listener.id == 0)
        return fastopen_keys(&s->tcp, NULL, keys, n);
    int64_t ix = stack_listener(s, listener);
    return ix < 0 ? (int)ix : fastopen_keys(&s->tcp, listener_at(&s->tcp, (uint32_t)ix), keys, n);
}

int tern_md5_set(tern *s, tern_sock k, const tern_md5_key *key)
{
    if (s->cfg.md5 == NULL || key->bits > 128 || key->len > TERN_MD5_KEY_MAX)
        return TERN_EINVAL;
    int64_t listener = stack_listener(s, k);
    if (listener > 0)
        return md5_listener_set(&s->tcp, listener_at(&s->tcp, (uint32_t)listener), key);
    CONN_OR_RETURN(s, k, c);
    return md5_conn_set(&s->tcp, c, key);
}

static int listener_name(const tern *s, const struct listener *l, tern_addr *local)
{
    *local = (tern_addr){.port = l->port};
    if (l->laddr != 0)
        memcpy(local->ip, addrs_at(&s->addrs, l->laddr)->ip, 16);
    else if (l->any_ip4)
        memcpy(local->ip, wire_mapped_prefix, sizeof(wire_mapped_prefix));
    return 0;
}

int tern_names(const tern *s, tern_sock k, tern_addr *local, tern_addr *peer)
{
    int64_t ix = stack_listener(s, k);
    if (ix > 0) {
        if (peer != NULL)
            *peer = (tern_addr){0};
        return local != NULL ? listener_name(s, listener_at(&s->tcp, (uint32_t)ix), local) : 0;
    }
    ix = stack_udp(s, k);
    if (ix > 0)
        return stack_udp_names(s, (uint32_t)ix, local, peer);
    ix = stack_held(s, k);
    if (ix > 0) {
        const struct halfopen *h = halfopen_at(&s->tcp, (uint32_t)ix);
        if (local != NULL) {
            *local = (tern_addr){.port = h->lport};
            memcpy(local->ip, addrs_at(&s->addrs, h->laddr)->ip, 16);
        }
        if (peer != NULL) {
            *peer = (tern_addr){.port = h->rport};
            memcpy(peer->ip, h->raddr, 16);
        }
        return 0;
    }
    CONN_OR_RETURN(s, k, c);
    names(s, c, local, peer);
    return 0;
}

int tern_cc_set(tern *s, tern_sock k, const tern_cc_ops *ops)
{
    CONN_OR_RETURN(s, k, c);
    return conn_cc_set(&s->tcp, c, ops);
}

int tern_user_set(tern *s, tern_sock k, void *user)
{
    int64_t ix = stack_listener(s, k);
    if (ix > 0) {
        listener_at(&s->tcp, (uint32_t)ix)->user = user;
        return 0;
    }
    ix = stack_udp(s, k);
    if (ix > 0) {
        udp_at(&s->udp, (uint32_t)ix)->user = user;
        return 0;
    }
    CONN_OR_RETURN(s, k, c);
    c->user = user;
    return 0;
}

int tern_info(const tern *s, tern_sock k, tern_tcp_info *out, size_t size)
{
    tern_tcp_info info;
    int64_t listener = stack_listener(s, k);
    if (listener > 0) {
        const struct listener *l = listener_at(&s->tcp, (uint32_t)listener);
        info = (tern_tcp_info){.state = TERN_LISTEN,
                               .rx_queued = l->waiting,
                               .tx_queued = l->backlog,
                               .timer = TERN_NEVER};
        memcpy(out, &info, min_size(size, sizeof(info)));
        return 0;
    }
    CONN_OR_RETURN(s, k, c);
    user_info(&s->tcp, c, &info);
    memcpy(out, &info, min_size(size, sizeof(info)));
    return 0;
}
