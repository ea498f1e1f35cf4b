/* listen.c - passive opens: finding the listener, half-open entries of 64 bytes until the third
 * segment comes, holds, and the accept queue.
 *
 * A SYN makes a struct halfopen and is answered from it; only the ACK of our SYN-ACK makes a
 * connection. With TERN_LISTEN_HOLD nothing is answered until the owner says what to do with it.
 */
#include "tcp/guard.h"

/* ---- finding a listener ---------------------------------------------------------------------- */

enum scope { SCOPE_ADDRESS, SCOPE_IP4, SCOPE_ANY };

struct listen_query {
    const struct tcp *t;
    const uint8_t *ip;
    enum scope scope;
    uint16_t port;
};

static enum scope scope_of(const struct listener *l)
{
    return l->laddr != 0 ? SCOPE_ADDRESS : l->any_ip4 ? SCOPE_IP4 : SCOPE_ANY;
}

/* Without a key: what is in this table, only the owner puts there. */
static uint32_t listen_hash(const struct listen_query *q)
{
    uint64_t w[2] = {0, 0};
    if (q->scope == SCOPE_ADDRESS)
        memcpy(w, q->ip, 16);
    uint64_t h = (w[0] * 31 + w[1]) * 31 + ((uint64_t)q->scope << 16 | q->port);
    h *= UINT64_C(0x9e3779b97f4a7c15); /* Fibonacci hashing: the high bits depend on all */
    return (uint32_t)(h >> 32);
}

static bool listen_equal(const void *context, uint32_t ref)
{
    const struct listen_query *q = context;
    const struct listener *l = listener_at(q->t, ref_ix(ref));
    if (l->port != q->port || scope_of(l) != q->scope)
        return false;
    return q->scope != SCOPE_ADDRESS || memcmp(addrs_at(q->t->addrs, l->laddr)->ip, q->ip, 16) == 0;
}

static uint32_t lookup(const struct tcp *t, struct listen_query *q)
{
    /* a listener's index stands in the table as it is: REF_LISTENER is 0 */
    return flowtab_find(&t->listens, listen_hash(q), listen_equal, q);
}

/* The most particular listener: by address before by family before any, a port before any port. */
static struct listener *find_listener(const struct tcp *t, const uint8_t *ip, uint16_t port)
{
    struct listen_query q = {.t = t, .ip = ip};
    for (int any_port = 0; any_port <= 1; any_port++) {
        q.port = any_port ? 0 : port;
        for (int scope = SCOPE_ADDRESS; scope <= SCOPE_ANY; scope++) {
            if (t->listens_of[any_port][scope] == 0 || (scope == SCOPE_IP4 && !wire_is_ip4(ip)))
                continue;
            q.scope = (enum scope)scope;
            uint32_t ix = lookup(t, &q);
            if (ix != 0 && !(listener_at(t, ix)->ip6_only && wire_is_ip4(ip)))
                return listener_at(t, ix);
        }
    }
    return NULL;
}

/* ---- listeners ------------------------------------------------------------------------------- */

int listen_new(struct tcp *t, const tern_listen_args *args, uint32_t *ix)
{
    static const uint8_t any[16];
    struct listen_query q = {.t = t, .ip = args->local.ip, .scope = SCOPE_ADDRESS};
    q.port = args->flags & TERN_LISTEN_ANY_PORT ? 0 : args->local.port;
    if (memcmp(args->local.ip, any, 16) == 0)
        q.scope = SCOPE_ANY;
    else if (wire_ip_unspecified(args->local.ip))
        q.scope = SCOPE_IP4;
    if (q.port == 0 && !(args->flags & TERN_LISTEN_ANY_PORT))
        return TERN_EINVAL;
    if (lookup(t, &q) != 0)
        return TERN_EADDRINUSE; /* MUST-41 */
    *ix = slab_alloc(&t->listeners);
    if (*ix == 0)
        return TERN_ELIMIT;
    struct listener *l = listener_at(t, *ix);
    l->self = *ix;
    l->user = args->user;
    l->port = q.port;
    l->any_ip4 = q.scope == SCOPE_IP4;
    l->ip6_only = (args->flags & TERN_LISTEN_IP6_ONLY) != 0;
    l->hold = (args->flags & TERN_LISTEN_HOLD) != 0;
    l->reset_overflow = (args->flags & TERN_LISTEN_RESET) != 0;
    l->syn_queue = args->syn_queue;
    l->backlog = max_u32(args->backlog, 1);
    l->accept_armed = true;
    l->hash = listen_hash(&q);
    if (q.scope == SCOPE_ADDRESS)
        l->laddr = addrs_get(t->addrs, args->local.ip, args->local.scope);
    if ((q.scope == SCOPE_ADDRESS && l->laddr == 0) || !flowtab_insert(&t->listens, l->hash, *ix)) {
        if (l->laddr != 0)
            addrs_unref(t->addrs, l->laddr);
        slab_free(&t->listeners, *ix);
        return TERN_ENOMEM;
    }
    t->listens_of[l->port == 0][q.scope]++;
    return 0;
}

void listen_release(struct tcp *t, uint32_t ix)
{
    struct listener *l = listener_at(t, ix);
    if (l->closed && l->halfopen == 0 && !l->on_events) {
        md5_listener_free(t, l);
        slab_free(&t->listeners, ix);
    }
}

void listen_close(struct tcp *t, uint32_t ix)
{
    struct listener *l = listener_at(t, ix);
    flowtab_remove(&t->listens, l->hash, ix);
    t->listens_of[l->port == 0][scope_of(l)]--;
    if (l->laddr != 0)
        addrs_unref(t->addrs, l->laddr);
    l->laddr = 0;
    l->closed = true;
    wheel_clear(&t->listener_wheel, ix);
    while (l->queue_head != 0) { /* nobody will accept these */
        struct conn *c = conn_at(t, l->queue_head);
        l->queue_head = c->ev_next;
        c->flags &= ~(uint32_t)CONN_QUEUED;
        orphan_mark(t, c);
        if (c->state == TERN_CLOSED)
            conn_free(t, c);
        else
            conn_reset(t, c, TERN_ERESET);
    }
    listen_release(t, ix);
}

int listen_accept(struct tcp *t, uint32_t listener, struct conn **out)
{
    struct listener *l = listener_at(t, listener);
    if (l->queue_head == 0) {
        l->accept_armed = true;
        return TERN_EAGAIN;
    }
    struct conn *c = conn_at(t, l->queue_head);
    l->queue_head = c->ev_next;
    if (l->queue_head == 0)
        l->queue_tail = 0;
    l->waiting--;
    c->flags &= ~(uint32_t)CONN_QUEUED;
    /* what happened while it waited */
    uint32_t mask = 0;
    if (reasm_readable(c, c->active) != 0) {
        mask |= TERN_EV_READ;
        c->flags &= ~(uint32_t)CONN_READ_ARMED;
    }
    if (c->flags & CONN_FIN_RCVD)
        mask |= TERN_EV_EOF | TERN_EV_READ;
    if (c->err != 0)
        mask |= TERN_EV_ERROR;
    if (mask != 0)
        conn_event(t, c, mask);
    *out = c;
    return 0;
}

/* ---- half-open entries ----------------------------------------------------------------------- */

uint8_t tcp_wscale(const struct tcp *t, uint32_t rcvbuf)
{
    uint32_t most = max_u32(t->cfg->rcvbuf_max, t->cfg->tuning.wscale_window);
    if (rcvbuf != 0 && !bsd(t))
        most = rcvbuf;
    if (t->cfg->tuning.window_max != 0)
        most = min_u32(most, t->cfg->tuning.window_max);
    uint32_t log2 = 31u - (uint32_t)__builtin_clz(most | 1);
    return (uint8_t)min_u32(log2 > 15 ? log2 - 15 : 0, WIRE_WSCALE_MAX);
}

/* Whole segments, as Linux offers them. */
uint16_t tcp_first_window(const struct tcp *t, uint32_t room, uint32_t mss)
{
    const tern_tuning *u = &t->cfg->tuning;
    uint32_t wnd = min_u32(room, u->signed_windows ? INT16_MAX : UINT16_MAX);
    if (u->window_max != 0)
        wnd = min_u32(wnd, u->window_max);
    if (wnd > mss && !bsd(t))
        wnd -= wnd % mss;
    return (uint16_t)(u->initrwnd != 0 ? min_u32(wnd, u->initrwnd * mss) : wnd);
}

static void halfopen_tuple(const struct tcp *t, const struct halfopen *h, struct tcp_tuple *tuple)
{
    memcpy(tuple->remote, h->raddr, 16);
    memcpy(tuple->local, addrs_at(t->addrs, h->laddr)->ip, 16);
    tuple->rport = h->rport;
    tuple->lport = h->lport;
}

static uint16_t mss_of(const struct tcp *t, const struct halfopen *h)
{
    return tcp_mss_advertised(t, h->iface, wire_is_ip4(h->raddr),
                              listener_at(t, h->listener)->mss_user);
}

/* The window of a SYN-ACK: the same each time, and again when the connection is made. */
static uint16_t window_of(const struct tcp *t, const struct listener *l, uint16_t mss)
{
    return tcp_first_window(t, l->rcvbuf != 0 ? l->rcvbuf : memory_rcvbuf(t), mss);
}

static uint16_t first_window(const struct tcp *t, const struct halfopen *h)
{
    return window_of(t, listener_at(t, h->listener), mss_of(t, h));
}

static void trace_state(struct tcp *t, const struct tcp_tuple *tuple, enum tern_state from,
                        enum tern_state to)
{
    if (t->cfg->trace == NULL)
        return;
    tern_trace record = {.now = t->now,
                         .kind = TERN_TRACE_STATE,
                         .from = (uint8_t)from,
                         .to = (uint8_t)to,
                         .local.port = tuple->lport,
                         .peer.port = tuple->rport};
    memcpy(record.local.ip, tuple->local, 16);
    memcpy(record.peer.ip, tuple->remote, 16);
    t->cfg->trace(t->cfg->user, &record);
}

static uint32_t synack_tsval(const struct tcp *t, const struct halfopen *h,
                             const struct tcp_tuple *tuple)
{
    return h->flags & HALFOPEN_TS ? ts_clock(t) + keyed_ts_offset(t, tuple) : 0;
}

/* `tell`: a Fast Open cookie for it, or NULL. */
static void send_synack(struct tcp *t, const struct halfopen *h, const struct tcp_tuple *tuple,
                        uint32_t tsval, const struct wire_fastopen *tell)
{
    struct tcp_reply out;
    output_reply(tuple, h->iface, &out);
    const struct listener *l = listener_at(t, h->listener);
    out.ttl = l->ttl;
    out.tos = (uint8_t)((t->cfg->tuning.reflect_tos ? h->dscp : l->dscp) << 2);
    struct wire_tcp *w = &out.h;
    w->flags = TCP_SYN | TCP_ACK;
    w->seq = h->iss;
    w->ack = h->irs + 1;
    w->opt.mss = mss_of(t, h);
    w->wnd = window_of(t, l, w->opt.mss);
    w->flags |= ecn_synack_flags(h->ecn, h->tries);
    uint8_t have = WIRE_OPT_MSS;
    w->opt.plain = bsd(t);
    if (h->flags & HALFOPEN_SACK)
        have |= WIRE_OPT_SACK_OK;
    if (h->wscale != WSCALE_NONE) {
        have |= WIRE_OPT_WSCALE;
        w->opt.wscale = tcp_wscale(t, l->rcvbuf);
    }
    if (h->flags & HALFOPEN_TS) {
        have |= WIRE_OPT_TS;
        w->opt.tsval = tsval;
        w->opt.tsecr = h->ts_recent;
    }
    if (tell != NULL) {
        have |= WIRE_OPT_FASTOPEN;
        w->opt.fastopen = *tell;
    }
    w->opt.have = have;
    if (l->md5 == NULL)
        ecn_synack_option(t, h->ecn, h->tries + (h->ecn & ECN_SYN_REPEATED ? 1u : 0), &w->opt);
    if (UNLIKELY(l->md5 != NULL))
        md5_reply(&out, md5_for(l, h->raddr));
    t->host.reply(t->host.context, &out);
}

static void halfopen_answer(struct tcp *t, uint32_t ix, const struct wire_fastopen *tell)
{
    const struct halfopen *h = halfopen_at(t, ix);
    struct tcp_tuple tuple;
    halfopen_tuple(t, h, &tuple);
    send_synack(t, h, &tuple, synack_tsval(t, h, &tuple), tell);
}

static void halfopen_set(struct tcp *t, uint32_t ix, uint64_t after)
{
    tcp_wheel_set(t, &t->halfopen_wheel, ix, t->tick64 + ticks_of(after));
}

void halfopen_drop(struct tcp *t, uint32_t ix)
{
    uint32_t listener = halfopen_at(t, ix)->listener;
    slab_free(&t->halfopens, ix);
    listener_at(t, listener)->halfopen--;
    listen_release(t, listener);
}

/* Out of the table and the wheel; the slot stays while an event names it. */
void halfopen_free(struct tcp *t, uint32_t ix)
{
    struct halfopen *h = halfopen_at(t, ix);
    struct tcp_tuple tuple;
    halfopen_tuple(t, h, &tuple);
    flowtab_remove(&t->flows, tcp_flow_hash(t, &tuple), ref_make(REF_HALFOPEN, ix));
    if (h->counted)
        admit_count(t, h->raddr, -1, 0);
    addrs_unref(t->addrs, h->laddr);
    wheel_clear(&t->halfopen_wheel, ix);
    if (h->flags & HALFOPEN_EVENT)
        h->flags |= HALFOPEN_DEAD;
    else
        halfopen_drop(t, ix);
}

/* A held entry ends without its owner's doing: told, if the owner knows of it. */
static void hold_ends(struct tcp *t, uint32_t ix)
{
    struct halfopen *h = halfopen_at(t, ix);
    if (h->flags & HALFOPEN_TOLD && !listener_at(t, h->listener)->closed) {
        h->flags |= HALFOPEN_EVENT;
        event_append(t, ref_make(REF_HALFOPEN, ix));
    }
    halfopen_free(t, ix);
}

/* Without a word: RST came, or the SYN-ACKs are used up. */
static void halfopen_ends(struct tcp *t, uint32_t ix)
{
    struct halfopen *h = halfopen_at(t, ix);
    count(t, TERN_COUNT_ATTEMPT_FAILS);
    if (h->flags & HALFOPEN_HELD) {
        hold_ends(t, ix);
        return;
    }
    struct tcp_tuple tuple;
    halfopen_tuple(t, h, &tuple);
    trace_state(t, &tuple, TERN_SYN_RECEIVED, TERN_LISTEN);
    halfopen_free(t, ix);
}

/* In eighths, how full the half-open entries are: all of them, or this listener's share. */
static uint64_t fullness(const struct tcp *t, const struct listener *l)
{
    uint64_t all = (uint64_t)t->halfopens.used * 8 / t->cfg->halfopen_max;
    uint64_t own = l->syn_queue != 0 ? (uint64_t)l->halfopen * 8 / l->syn_queue : 0;
    return max_u64(all, own);
}

/* How often a SYN-ACK is sent again: less when entries run short, so that those of an attack last
 * seconds instead of a minute, and a forged source is sent little (RFC 4987 3.3). */
static uint32_t synack_retries(const struct tcp *t, const struct listener *l)
{
    uint64_t eighths = fullness(t, l);
    uint32_t most = eighths < 4 ? UINT8_MAX : eighths < 6 ? 2 : eighths < 7 ? 1 : 0;
    return min_u32(most, t->cfg->synack_retries);
}

void halfopen_timer(struct tcp *t, uint32_t ix)
{
    struct halfopen *h = halfopen_at(t, ix);
    if (h->flags & HALFOPEN_HELD) {
        count(t, TERN_COUNT_HOLDS_EXPIRED);
        halfopen_ends(t, ix);
        return;
    }
    const struct listener *l = listener_at(t, h->listener);
    bool acked = (h->flags & HALFOPEN_ACKED) != 0;
    bool waits = acked && h->tries < l->defer;
    if (l->closed || (h->tries >= synack_retries(t, l) && !waits)) {
        count(t, TERN_COUNT_HALFOPEN_EXPIRED);
        halfopen_ends(t, ix);
        return;
    }
    bool again = !acked || h->tries + 1 >= l->defer;
    h->tries++;
    uint64_t wait = (t->cfg->rto_initial << h->tries) + (bsd(t) ? BSD_SLOP_MS * NS_PER_MS : 0);
    halfopen_set(t, ix, min_u64(wait, t->cfg->rto_max));
    if (!again) /* acknowledged, and data may still come */
        return;
    count(t, TERN_COUNT_RETRANSMITS);
    count(t, TERN_COUNT_SYNACKS_AGAIN);
    halfopen_answer(t, ix, NULL);
}

/* Fills a new entry from the SYN. */
static void take_syn(struct tcp *t, struct halfopen *h, const struct tcp_seg *seg)
{
    const struct wire_tcp_options *opt = &seg->h.opt;
    uint32_t ours = t->cfg->features;
    memcpy(h->raddr, seg->tuple.remote, 16);
    h->rport = seg->tuple.rport;
    h->lport = seg->tuple.lport;
    h->irs = seg->h.seq;
    h->iface = seg->iface;
    h->wnd = seg->h.wnd;
    h->mss = opt->have & WIRE_OPT_MSS && opt->mss != 0 ? opt->mss
             : wire_is_ip4(h->raddr)                   ? 536
                                                       : 1220; /* MUST-15 */
    h->wscale = WSCALE_NONE;
    if (opt->have & WIRE_OPT_WSCALE && ours & TERN_FEATURE_WSCALE)
        h->wscale = (uint8_t)min_u32(opt->wscale, WIRE_WSCALE_MAX);
    if (opt->have & WIRE_OPT_SACK_OK && ours & TERN_FEATURE_SACK)
        h->flags |= HALFOPEN_SACK;
    h->ecn = ecn_of_syn(t, seg);
    h->dscp = (uint32_t)seg->tos >> 2 & 0x3fu;
    if (seg->key != NULL && h->flags & HALFOPEN_SACK)
        return; /* there is no room for both of them and a signature */
    if (opt->have & WIRE_OPT_TS && ours & TERN_FEATURE_TIMESTAMPS) {
        h->flags |= HALFOPEN_TS;
        h->ts_recent = opt->tsval;
    }
}

static bool wants_cookie(const struct tcp *t, const struct listener *l, const uint32_t *iss_floor)
{
    if (l->syn_queue != 0 && l->halfopen >= l->syn_queue)
        return true;
    return t->cfg->cookies == TERN_COOKIES_ALWAYS && !l->hold && iss_floor == NULL;
}

/* No entry for this SYN: nothing of it is kept. One that is to be held, or whose ISS is bound by
 * what came before it, cannot be answered so. */
static enum tern_drop answer_with_cookie(struct tcp *t, struct listener *l,
                                         const struct tcp_seg *seg, const uint32_t *iss_floor,
                                         const struct wire_fastopen *tell)
{
    struct halfopen h = {.listener = (uint16_t)l->self};
    if (t->cfg->cookies != TERN_COOKIES_ALWAYS)
        admit_pressed(t, l);
    if (t->cfg->cookies == TERN_COOKIES_NEVER || l->hold || iss_floor != NULL)
        return TERN_DROP_TCP_HALFOPEN;
    take_syn(t, &h, seg);
    uint32_t tsval = 0;
    if (!cookie_make(t, &h, &seg->tuple, &tsval))
        return TERN_DROP_TCP_HALFOPEN;
    cookie_sent(t, l);
    send_synack(t, &h, &seg->tuple, tsval, tell);
    return TERN_DROP_NONE;
}

static struct conn *conn_from(struct tcp *t, const struct halfopen *h,
                              const struct tcp_tuple *tuple);
static void enqueue(struct tcp *t, struct listener *l, struct conn *c);
static void count_conn(struct tcp *t, struct conn *c);

/* A SYN that makes a connection at once (RFC 7413 4.2). */
static enum tern_drop open_fast(struct tcp *t, struct listener *l, struct tcp_seg *seg,
                                const struct wire_fastopen *tell, bool counted)
{
    struct halfopen h = {.listener = (uint16_t)l->self};
    take_syn(t, &h, seg);
    struct conn *c = conn_from(t, &h, &seg->tuple);
    if (c == NULL)
        return TERN_DROP_MEMORY;
    trace_state(t, &seg->tuple, TERN_LISTEN, TERN_SYN_RECEIVED);
    c->listener = l->self;
    if (counted)
        count_conn(t, c);
    enum tern_drop why = fastopen_begin(t, c, seg, tell);
    if (why == TERN_DROP_NONE)
        enqueue(t, l, c);
    return why;
}

static enum tern_drop new_halfopen(struct tcp *t, struct listener *l, struct tcp_seg *seg,
                                   const uint32_t *iss_floor, bool counted)
{
    if (l->waiting >= l->backlog)
        return TERN_DROP_TCP_BACKLOG;
    struct wire_fastopen cookie, *tell = NULL;
    enum fastopen_verdict fast = FASTOPEN_PLAIN;
    if (!l->hold && iss_floor == NULL && seg->key == NULL)
        fast = fastopen_judge(t, l, seg, &cookie);
    if (fast == FASTOPEN_TELL || fast == FASTOPEN_TAKE_AND_TELL)
        tell = &cookie;
    if (fast >= FASTOPEN_TAKE) /* (it needs no entry: also in a flood) */
        return open_fast(t, l, seg, tell, counted);
    uint32_t ix = wants_cookie(t, l, iss_floor) ? 0 : slab_alloc(&t->halfopens);
    if (ix == 0)
        return answer_with_cookie(t, l, seg, iss_floor, tell);
    struct halfopen *h = halfopen_at(t, ix);
    h->laddr = addrs_get(t->addrs, seg->tuple.local, 0);
    if (h->laddr == 0 || !flowtab_insert(&t->flows, seg->hash, ref_make(REF_HALFOPEN, ix))) {
        if (h->laddr != 0)
            addrs_unref(t->addrs, h->laddr);
        slab_free(&t->halfopens, ix);
        return TERN_DROP_MEMORY;
    }
    take_syn(t, h, seg);
    h->listener = (uint16_t)l->self;
    l->halfopen++;
    h->counted = counted;
    if (counted)
        admit_count(t, h->raddr, 1, 0);
    if (l->hold) { /* in no state yet: nothing has been answered */
        h->flags |= HALFOPEN_HELD | HALFOPEN_EVENT;
        count(t, TERN_COUNT_HOLDS);
        event_append(t, ref_make(REF_HALFOPEN, ix));
        halfopen_set(t, ix, t->cfg->hold);
        return TERN_DROP_NONE;
    }
    trace_state(t, &seg->tuple, TERN_LISTEN, TERN_SYN_RECEIVED);
    h->iss = keyed_isn(t, &seg->tuple);
    if (iss_floor != NULL && !seq_gt(h->iss, *iss_floor))
        h->iss = *iss_floor + 1; /* RFC 1122 4.2.2.13 */
    halfopen_set(t, ix, t->cfg->rto_initial);
    halfopen_answer(t, ix, tell);
    return TERN_DROP_NONE;
}

const struct listener *listen_find(const struct tcp *t, const struct tcp_tuple *tuple)
{
    return find_listener(t, tuple->local, tuple->lport);
}

bool listen_would_take(const struct tcp *t, const struct tcp_tuple *tuple)
{
    const struct listener *l = find_listener(t, tuple->local, tuple->lport);
    if (l == NULL || t->halfopens.used >= t->cfg->halfopen_max)
        return false;
    return l->waiting < l->backlog && (l->syn_queue == 0 || l->halfopen < l->syn_queue) &&
           admit_would(t, l, tuple->remote);
}

/* ---- from entry to connection ---------------------------------------------------------------- */

/* Makes a connection in SYN-RECEIVED of what an entry says; NULL: no room. */
static struct conn *conn_from(struct tcp *t, const struct halfopen *h,
                              const struct tcp_tuple *tuple)
{
    const struct listener *l = listener_at(t, h->listener);
    uint16_t offered = first_window(t, h);
    int err;
    struct conn *c = conn_new(t, tuple, h->iface, &err);
    if (c == NULL)
        return NULL;
    c->state = TERN_SYN_RECEIVED;
    c->flags |= CONN_PASSIVE;
    c->irs = h->irs;
    c->rcv_nxt = c->last_ack_sent = h->irs + 1;
    c->rcv_adv = c->rcv_nxt + offered;
    c->mss_peer = h->mss;
    c->snd_wnd = h->wnd;
    if (h->flags & HALFOPEN_TS) {
        c->flags |= CONN_TS;
        c->ts_recent = h->ts_recent;
        c->ts_recent_age = (uint32_t)(t->now / NS_PER_S);
    }
    if (h->flags & HALFOPEN_SACK)
        c->flags |= CONN_SACK;
    ecn_passive(t, c, h->ecn, h->tries);
    if (h->wscale != WSCALE_NONE) {
        c->flags |= CONN_WSCALE;
        c->snd_wscale = h->wscale;
        c->rcv_wscale = tcp_wscale(t, l->rcvbuf);
    }
    c->mss_user = l->mss_user;
    c->ttl = l->ttl;
    c->dscp = t->cfg->tuning.reflect_tos ? h->dscp : l->dscp;
    if (l->rcvbuf != 0) {
        memory_rcvbuf_set(t, c, l->rcvbuf);
        c->flags |= CONN_RCVBUF_FIXED;
    }
    conn_mss_update(t, c);
    if (!md5_inherit(t, c, l)) {
        conn_free(t, c);
        return NULL;
    }
    if (c->stats != NULL)
        c->stats->segs_in = 1; /* the SYN */
    count(t, TERN_COUNT_PASSIVE_OPENS);
    return c;
}

/* The same of an entry in the slab, which is freed. NULL: neither has changed. */
static struct conn *promote(struct tcp *t, uint32_t ix)
{
    const struct halfopen *h = halfopen_at(t, ix);
    struct tcp_tuple tuple;
    halfopen_tuple(t, h, &tuple);
    struct conn *c = conn_from(t, h, &tuple);
    if (c != NULL)
        halfopen_free(t, ix);
    return c;
}

/* It is one of those that its source may have so many of. */
static void count_conn(struct tcp *t, struct conn *c)
{
    c->flags |= CONN_COUNTED;
    admit_count(t, c->raddr, 0, 1);
}

static void enqueue(struct tcp *t, struct listener *l, struct conn *c)
{
    c->flags |= CONN_QUEUED;
    c->ev_next = 0;
    if (l->queue_tail != 0)
        conn_at(t, l->queue_tail)->ev_next = c->self;
    else
        l->queue_head = c->self;
    l->queue_tail = c->self;
    l->waiting++;
    if (l->accept_armed) {
        l->accept_armed = false;
        listener_event(t, l->self, TERN_EV_ACCEPT);
    }
}

/* The third segment has come: established and queued, and the segment goes on to it. */
static enum tern_drop enter_queue(struct tcp *t, struct listener *l, struct conn *c,
                                  struct tcp_seg *seg, bool counted)
{
    if (counted)
        count_conn(t, c);
    c->iss = seg->h.ack - 1;
    c->snd_nxt = c->snd_end = seg->h.ack;
    c->listener = l->self;
    c->flags |= CONN_QUEUED; /* what happens to it is told by accept */
    input_established(t, c, seg, false);
    enqueue(t, l, c);
    return input_conn(t, c, seg);
}

/* There is no room in the accept queue. true: and the peer is told to give up. */
static bool overflow(struct tcp *t, const struct listener *l, const struct tcp_seg *seg)
{
    if (!l->reset_overflow && !t->cfg->tuning.abort_overflow)
        return false;
    input_refuse(t, seg);
    return true;
}

static enum tern_drop complete(struct tcp *t, uint32_t ix, struct tcp_seg *seg)
{
    struct halfopen *h = halfopen_at(t, ix);
    struct listener *l = listener_at(t, h->listener);
    if (l->closed) {
        input_refuse(t, seg);
        halfopen_ends(t, ix);
        return TERN_DROP_TCP_CLOSED;
    }
    if (l->waiting >= l->backlog) { /* our SYN-ACK will come again, and with it the ACK */
        if (overflow(t, l, seg))
            halfopen_ends(t, ix);
        return TERN_DROP_TCP_BACKLOG;
    }
    bool counted;
    enum tern_drop why = admit_open(t, l, h->raddr, &counted);
    if (why != TERN_DROP_NONE)
        return why;
    unsigned lost = h->flags & HALFOPEN_ACKED ? 0 : h->tries;
    uint32_t sent = h->timer.expires - ticks_of(t->cfg->rto_initial);
    bool once = h->tries == 0 && !(h->flags & HALFOPEN_AGAIN); /* Karn */
    struct conn *c = promote(t, ix);
    if (c == NULL)
        return TERN_DROP_MEMORY;
    if (lost != 0)
        conn_syn_lost(c, lost);
    if (once)
        rtt_sample(t, c, (uint64_t)(t->tick - sent) << TICK_SHIFT, true);
    return enter_queue(t, l, c, seg, counted);
}

/* A segment with ACK for a listener: a SYN cookie comes back, or nothing is known of it. */
static enum tern_drop take_cookie(struct tcp *t, struct listener *l, struct tcp_seg *seg)
{
    struct halfopen h = {.listener = (uint16_t)l->self};
    bool maybe = !(seg->h.flags & TCP_SYN) && !l->hold && cookie_expected(t, l);
    if (!maybe || !cookie_open(t, seg, &h)) {
        if (maybe)
            count(t, TERN_COUNT_COOKIES_BAD);
        input_refuse(t, seg);
        return TERN_DROP_TCP_LISTEN;
    }
    if (l->waiting >= l->backlog) {
        (void)overflow(t, l, seg);
        return TERN_DROP_TCP_BACKLOG;
    }
    bool counted;
    enum tern_drop why = admit_open(t, l, h.raddr, &counted);
    if (why != TERN_DROP_NONE)
        return why;
    h.dscp = (uint32_t)seg->tos >> 2 & 0x3fu;
    struct conn *c = conn_from(t, &h, &seg->tuple);
    if (c == NULL)
        return TERN_DROP_MEMORY;
    if (c->flags & CONN_TS) /* go on from the SYN-ACK's, whose clock may have been another's */
        c->ts_offset = seg->h.opt.tsecr - ts_clock(t);
    count(t, TERN_COUNT_COOKIES_TAKEN);
    return enter_queue(t, l, c, seg, counted);
}

/* ---- segments for a listener ----------------------------------------------------------------- */

/* RFC 9293 3.10.7.2, and 3.10.7.1 when there is no listener. */
enum tern_drop listen_input(struct tcp *t, struct tcp_seg *seg, const uint32_t *iss_floor)
{
    uint16_t flags = seg->h.flags;
    enum tern_drop why = t->host.check(t->host.context, &seg->tuple, seg->iface);
    if (why != TERN_DROP_NONE)
        return why;
    struct listener *l = find_listener(t, seg->tuple.local, seg->tuple.lport);
    if (l == NULL) {
        input_refuse(t, seg);
        return TERN_DROP_TCP_CLOSED;
    }
    if (flags & TCP_RST) /* first */
        return TERN_DROP_TCP_LISTEN;
    if (flags & TCP_ACK) /* second */
        return take_cookie(t, l, seg);
    if (!(flags & TCP_SYN) || flags & TCP_FIN) /* third, fourth */
        return TERN_DROP_TCP_LISTEN;
    count(t, TERN_COUNT_SYNS);
    bool counted;
    why = admit_syn(t, l, seg->tuple.remote, &counted);
    return why != TERN_DROP_NONE ? why : new_halfopen(t, l, seg, iss_floor, counted);
}

/* ---- segments for an entry ------------------------------------------------------------------- */

static void answer_halfopen(struct tcp *t, const struct halfopen *h, const struct tcp_seg *seg)
{
    struct tcp_reply out;
    output_reply(&seg->tuple, seg->iface, &out);
    out.h.flags = TCP_ACK;
    out.h.seq = h->iss + 1;
    out.h.ack = h->irs + 1;
    out.h.wnd = first_window(t, h);
    if (h->flags & HALFOPEN_TS)
        output_reply_ts(t, &out, keyed_ts_offset(t, &seg->tuple), h->ts_recent);
    md5_reply(&out, seg->key);
    count(t, TERN_COUNT_CHALLENGE_ACKS);
    t->host.reply(t->host.context, &out);
}

/* RFC 9293 3.10.7.4 for SYN-RECEIVED that came from LISTEN. */
enum tern_drop halfopen_input(struct tcp *t, uint32_t ix, struct tcp_seg *seg)
{
    struct halfopen *h = halfopen_at(t, ix);
    const struct wire_tcp *w = &seg->h;
    bool held = (h->flags & HALFOPEN_HELD) != 0;
    if (w->flags & TCP_RST) {
        if (w->seq == h->irs + 1 || (held && w->seq == h->irs))
            halfopen_ends(t, ix);
        else if (!held && seq_in(w->seq, h->irs + 1, first_window(t, h)))
            answer_halfopen(t, h, seg); /* RFC 5961 3.2 */
        return TERN_DROP_TCP_RST;
    }
    if (held)
        return TERN_DROP_TCP_HELD;
    if (w->flags & TCP_SYN && !(w->flags & TCP_ACK) && w->seq == h->irs) {
        h->flags |= HALFOPEN_AGAIN;
        ecn_syn_again(&h->ecn, seg);
        halfopen_answer(t, ix, NULL); /* its SYN again: our SYN-ACK was lost */
        return TERN_DROP_TCP_DUPLICATE;
    }
    bool old =
        h->flags & HALFOPEN_TS && w->opt.have & WIRE_OPT_TS && seq_lt(w->opt.tsval, h->ts_recent);
    uint32_t span = wire_tcp_span(w, seg->len), wnd = first_window(t, h);
    bool inside = seq_in(w->seq, h->irs + 1, wnd) ||
                  (span != 0 && seq_in(w->seq + span - 1, h->irs + 1, wnd));
    if (old || !inside || w->flags & TCP_SYN) {
        answer_halfopen(t, h, seg);
        return old ? TERN_DROP_TCP_PAWS : TERN_DROP_TCP_SEQUENCE;
    }
    if (!(w->flags & TCP_ACK))
        return TERN_DROP_TCP_NO_ACK;
    if (letter(t) && h->flags & HALFOPEN_TS && !(w->opt.have & WIRE_OPT_TS))
        return TERN_DROP_TCP_NO_TIMESTAMP;
    if (w->ack != h->iss + 1) {
        input_refuse(t, seg);
        return TERN_DROP_TCP_ACK;
    }
    if (span == 0 && h->tries < listener_at(t, h->listener)->defer) {
        h->flags |= HALFOPEN_ACKED; /* TERN_OPT_DEFER_ACCEPT: its data will come, or this again */
        return TERN_DROP_NONE;
    }
    return complete(t, ix, seg);
}

/* ---- holds ----------------------------------------------------------------------------------- */

int hold_admit(struct tcp *t, uint32_t ix, void *user, struct conn **out)
{
    struct tcp_tuple tuple;
    halfopen_tuple(t, halfopen_at(t, ix), &tuple);
    struct conn *c = promote(t, ix);
    if (c == NULL)
        return TERN_ELIMIT;
    if (conn_thaw(t, c) == NULL) {
        conn_free(t, c);
        return TERN_ENOMEM;
    }
    c->user = user;
    c->flags |= CONN_HELD | CONN_SYN_DUE; /* the ISN is chosen when the SYN-ACK leaves */
    trace_state(t, &tuple, TERN_LISTEN, TERN_SYN_RECEIVED);
    conn_ready(t, c);
    *out = c;
    return 0;
}

int hold_refuse(struct tcp *t, uint32_t ix, int icmp_type, int icmp_code)
{
    struct halfopen *h = halfopen_at(t, ix);
    struct tcp_tuple tuple;
    halfopen_tuple(t, h, &tuple);
    if (icmp_type < 0) {
        struct tcp_reply out;
        output_reply(&tuple, h->iface, &out);
        out.h.flags = TCP_RST | TCP_ACK;
        out.h.ack = h->irs + 1;
        count(t, TERN_COUNT_RESETS_OUT);
        t->host.reply(t->host.context, &out);
    } else {
        t->host.icmp_error(t->host.context, &tuple, h->iface, (uint8_t)icmp_type,
                           (uint8_t)icmp_code, h->irs);
    }
    return hold_drop(t, ix);
}

int hold_drop(struct tcp *t, uint32_t ix)
{
    halfopen_free(t, ix);
    return 0;
}
