/* conn.c - life of a connection: making and freeing it, its state, its working block, and the two
 * lists it can be in (may have output; has events). */
#include "tcp/states.h"
#include "tcp/guard.h"

/* ---- states ---------------------------------------------------------------------------------- */

#define TO(state) (1u << TERN_##state)

void tcp_trace(struct tcp *t, const struct conn *c, tern_trace *record)
{
    if (t->cfg->trace == NULL)
        return;
    struct tcp_tuple tuple;
    conn_tuple(t, c, &tuple);
    record->now = t->now;
    record->sock = sock_make(t, REF_CONN, c->self, c->generation);
    memcpy(record->local.ip, tuple.local, 16);
    memcpy(record->peer.ip, tuple.remote, 16);
    record->local.port = tuple.lport;
    record->peer.port = tuple.rport;
    t->cfg->trace(t->cfg->user, record);
}

void conn_state(struct tcp *t, struct conn *c, enum tern_state to)
{
    TERN_ASSERT(tcp_may_change((enum tern_state)c->state, to));
    tern_trace record = {.kind = TERN_TRACE_STATE, .from = c->state, .to = (uint8_t)to};
    c->state = (uint8_t)to;
    tcp_trace(t, c, &record);
}

/* ---- the flow table -------------------------------------------------------------------------- */

void conn_tuple(const struct tcp *t, const struct conn *c, struct tcp_tuple *tuple)
{
    memcpy(tuple->remote, c->raddr, 16);
    memcpy(tuple->local, addrs_at(t->addrs, c->laddr)->ip, 16);
    tuple->rport = c->rport;
    tuple->lport = c->lport;
}

struct flow_query {
    const struct tcp *t;
    const struct tcp_tuple *tuple;
};

static bool same(const struct flow_query *q, const uint8_t *raddr, uint16_t rport, uint16_t lport,
                 uint32_t laddr)
{
    return rport == q->tuple->rport && lport == q->tuple->lport &&
           memcmp(raddr, q->tuple->remote, 16) == 0 &&
           memcmp(addrs_at(q->t->addrs, laddr)->ip, q->tuple->local, 16) == 0;
}

static bool flow_equal(const void *context, uint32_t ref)
{
    const struct flow_query *q = context;
    uint32_t ix = ref_ix(ref);
    switch (ref_kind(ref)) {
    case REF_CONN: {
        const struct conn *c = conn_at(q->t, ix);
        return same(q, c->raddr, c->rport, c->lport, c->laddr);
    }
    case REF_HALFOPEN: {
        const struct halfopen *h = halfopen_at(q->t, ix);
        return same(q, h->raddr, h->rport, h->lport, h->laddr);
    }
    case REF_TIMEWAIT: {
        const struct timewait *w = timewait_at(q->t, ix);
        return same(q, w->raddr, w->rport, w->lport, w->laddr);
    }
    case REF_LISTENER:
        break;
    }
    return false;
}

uint32_t flow_find(struct tcp *t, const struct tcp_tuple *tuple, uint32_t hash)
{
    if (t->last_ref != 0 && memcmp(&t->last_tuple, tuple, sizeof(*tuple)) == 0)
        return t->last_ref;
    struct flow_query q = {.t = t, .tuple = tuple};
    uint32_t ref = flowtab_find(&t->flows, hash, flow_equal, &q);
    if (ref != 0 && ref_kind(ref) == REF_CONN) {
        t->last_ref = ref;
        t->last_tuple = *tuple;
    }
    return ref;
}

/* ---- making and freeing ---------------------------------------------------------------------- */

struct conn *conn_new(struct tcp *t, const struct tcp_tuple *tuple, uint8_t iface, int *err)
{
    const tern_config *cfg = t->cfg;
    uint32_t ix = slab_alloc(&t->conns);
    *err = t->conns.used >= cfg->conns_max ? TERN_ELIMIT : TERN_ENOMEM;
    if (ix == 0)
        return NULL;
    struct conn *c = conn_at(t, ix);
    c->self = ix;
    *err = TERN_ENOMEM;
    c->laddr = addrs_get(t->addrs, tuple->local, 0);
    c->hash = tcp_flow_hash(t, tuple);
    if (c->laddr == 0 || !flowtab_insert(&t->flows, c->hash, ref_make(REF_CONN, ix))) {
        if (c->laddr != 0)
            addrs_unref(t->addrs, c->laddr);
        slab_free(&t->conns, ix);
        return NULL;
    }
    c->flags = CONN_IN_TABLE | CONN_READ_ARMED;
    memcpy(c->raddr, tuple->remote, 16);
    c->rport = tuple->rport;
    c->lport = tuple->lport;
    c->iface = iface;
    c->route_generation = t->route_generation;
    c->ts_offset = keyed_ts_offset(t, tuple);
    c->mss_peer = wire_is_ip4(tuple->remote) ? 536 : 1220; /* MUST-15 */
    conn_mss_update(t, c);
    memory_rcvbuf_set(t, c, memory_rcvbuf(t));
    c->sndbuf = cfg->sndbuf;
    c->linger_ms = UINT32_MAX;
    c->syn_retries = cfg->syn_retries;
    c->min_rtt_us = UINT32_MAX;
    c->ssthresh = UINT32_MAX;
    c->challenge_tick = t->tick - challenge_ticks(t);
    if (cfg->stats && (c->stats = pool_take(&t->stats)) != NULL)
        *c->stats = (struct conn_stats){0}; /* (without memory it goes uncounted) */
    *err = 0;
    return c;
}

static void leave_table(struct tcp *t, struct conn *c)
{
    if (!(c->flags & CONN_IN_TABLE))
        return;
    c->flags &= ~(uint32_t)CONN_IN_TABLE;
    flowtab_remove(&t->flows, c->hash, ref_make(REF_CONN, c->self));
    if (t->last_ref == ref_make(REF_CONN, c->self))
        t->last_ref = 0;
}

/* Empties the send queue. Pages of which views are lent to the owner are kept, unless `all`: the
 * owner may be writing to them, and will give them back. */
static void drop_send_queue(struct tcp *t, struct conn *c, struct active *a, bool all)
{
    sent_clear(t, a);
    if (all || !(c->flags & CONN_RESERVED)) {
        c->flags &= ~(uint32_t)CONN_RESERVED;
        a->tx_reserved = NULL;
    }
    while (a->txq_head != NULL && a->txq_head != a->tx_reserved) {
        struct chunk *next = a->txq_head->next;
        chunk_unref(t->chunks, a->txq_head);
        a->txq_head = next;
    }
    if (a->txq_head == NULL)
        a->txq_tail = NULL;
    a->tx_cursor = NULL;
    a->t_rto = a->t_reorder = a->t_probe = 0;
}

static void free_active(struct tcp *t, struct conn *c)
{
    struct active *a = c->active;
    if (a == NULL)
        return;
    reasm_clear(t, a);
    drop_send_queue(t, c, a, true);
    if (a->spare != NULL)
        chunk_unref(t->chunks, a->spare);
    if (a->cc_state != NULL)
        pool_give(&t->cc_states, a->cc_state);
    pool_give(&t->actives, a);
    c->active = NULL;
}

static void release_slot(struct tcp *t, struct conn *c)
{
    if (!(c->flags & (CONN_ON_OUT | CONN_ON_EVENTS)))
        slab_free(&t->conns, c->self);
}

/* It does not count any more among those of its source. */
static void uncount(struct tcp *t, struct conn *c)
{
    if (!(c->flags & CONN_COUNTED))
        return;
    c->flags &= ~(uint32_t)CONN_COUNTED;
    admit_count(t, c->raddr, 0, -1);
}

void conn_free(struct tcp *t, struct conn *c)
{
    TERN_ASSERT(!(c->flags & CONN_ZOMBIE));
    orphan_over(t, c);
    uncount(t, c);
    leave_table(t, c);
    free_active(t, c);
    memory_rcvbuf_set(t, c, 0);
    ecn_free(t, c);
    wheel_clear(&t->conn_wheel, c->self);
    if (conn_rare_of(c) != NULL) {
        md5_conn_free(t, c->stats->rare);
        pool_give(&t->rares, c->stats->rare);
    }
    if (c->stats != NULL)
        pool_give(&t->stats, c->stats);
    c->stats = NULL;
    addrs_unref(t->addrs, c->laddr);
    c->laddr = 0;
    c->flags |= CONN_ZOMBIE | CONN_ORPHAN;
    release_slot(t, c);
}

/* ---- the end of a connection ----------------------------------------------------------------- */

void conn_end(struct tcp *t, struct conn *c, enum tern_err err)
{
    orphan_over(t, c);
    conn_state(t, c, TERN_CLOSED);
    fastopen_over(t, c, false);
    uncount(t, c);
    leave_table(t, c);
    c->err = (int8_t)err;
    c->t_close = 0;
    struct active *a = c->active;
    if (a != NULL) {
        drop_send_queue(t, c, a, false);
        a->t_delack = 0;
        c->snd_end = c->snd_una;
    }
    if (c->flags & CONN_LINGER) {
        conn_event(t, c, err != 0 ? TERN_EV_ERROR | TERN_EV_CLOSED : TERN_EV_CLOSED);
        c->flags |= CONN_ORPHAN;
    } else if (!(c->flags & CONN_ORPHAN)) {
        if (err != 0)
            conn_event(t, c, TERN_EV_ERROR);
        return; /* what was received stays readable until the owner closes */
    }
    free_active(t, c);
    if (!(c->flags & CONN_RST_DUE))
        conn_free(t, c);
}

/* States in which the peer must be told by RST (RFC 9293 3.10.5). */
static bool reset_tells(enum tern_state state)
{
    return state == TERN_SYN_RECEIVED || state == TERN_ESTABLISHED || state == TERN_FIN_WAIT_1 ||
           state == TERN_FIN_WAIT_2 || state == TERN_CLOSE_WAIT;
}

/* What a device has refused so far is withdrawn, so that no peer will have seen it: an RST with a
 * number beyond would only be challenged (RFC 5961 3.2). */
static void take_back_refused(struct conn *c)
{
    const struct sent *r = c->active != NULL ? c->active->sent_head : NULL;
    while (r != NULL && (r->flags & (SENT_REFUSED | SENT_RETRANS)) != SENT_REFUSED)
        r = r->next;
    if (r != NULL)
        c->snd_nxt = r->lo;
}

void conn_reset(struct tcp *t, struct conn *c, enum tern_err err)
{
    if (reset_tells((enum tern_state)c->state)) {
        c->flags |= CONN_RST_DUE;
        if (!conn_ready(t, c))
            c->flags &= ~(uint32_t)CONN_RST_DUE; /* nowhere to send it */
        take_back_refused(c);
    }
    conn_end(t, c, err);
}

void conn_syn_lost(struct conn *c, unsigned times)
{
    c->flags |= CONN_SYN_LOST;
    if (times > 1) /* RFC 5681 3.1; as Linux, not for the first, which comes after 1 s, not 3 s */
        c->cwnd = c->mss;
    if (c->stats == NULL)
        return;
    c->stats->retransmits = times;
    c->stats->timeouts = (uint16_t)times;
    c->stats->timeout_runs = 1;
}

/* ---- the working block ----------------------------------------------------------------------- */

void conn_cc_start(struct tcp *t, struct conn *c, struct active *a)
{
    const tern_cc_ops *ops = t->cc[c->cc];
    a->cc.state = a->cc_inline;
    if (ops->state_size > CC_INLINE)
        a->cc.state = a->cc_state;
    uint32_t mss = c->mss;
    /* IW10 (RFC 6928) for a new connection; else what it had before it froze */
    a->cc.cwnd = c->cwnd != 0 ? c->cwnd : cwnd_initial(t, c);
    a->cc.ssthresh = c->ssthresh;
    ops->init(&a->cc, mss, t->now);
    if ((c->cc_summary[0] | c->cc_summary[1]) != 0 && ops->thaw != NULL)
        ops->thaw(&a->cc, c->cc_summary);
}

/* The place of an algorithm in the table; CC_MAX: it is full. */
static uint32_t cc_place(struct tcp *t, const tern_cc_ops *ops)
{
    for (uint32_t i = 0; i < t->cc_count; i++)
        if (t->cc[i] == ops)
            return i;
    if (t->cc_count == CC_MAX)
        return CC_MAX;
    t->cc[t->cc_count] = ops;
    return t->cc_count++;
}

int conn_cc_set(struct tcp *t, struct conn *c, const tern_cc_ops *ops)
{
    struct active *a = c->active;
    if (ops->state_size > TERN_CC_STATE_MAX)
        return TERN_EINVAL;
    uint32_t place = cc_place(t, ops);
    if (place == CC_MAX)
        return TERN_ELIMIT;
    if (a != NULL && ops->state_size > CC_INLINE && a->cc_state == NULL &&
        (a->cc_state = pool_take(&t->cc_states)) == NULL)
        return TERN_ENOMEM;
    c->cc = (uint8_t)place;
    memset(c->cc_summary, 0, sizeof(c->cc_summary));
    if (a == NULL)
        return 0;
    memset(a->cc_inline, 0, sizeof(a->cc_inline));
    if (a->cc_state != NULL)
        memset(a->cc_state, 0, TERN_CC_STATE_MAX);
    a->cc.state = ops->state_size > CC_INLINE ? a->cc_state : a->cc_inline;
    a->cc.pacing_rate = 0;
    ops->init(&a->cc, c->mss, t->now);
    return 0;
}

struct active *conn_thaw(struct tcp *t, struct conn *c)
{
    if (LIKELY(c->active != NULL))
        return c->active;
    void *state = NULL;
    if (t->cc[c->cc]->state_size > CC_INLINE && (state = pool_take(&t->cc_states)) == NULL)
        return NULL;
    struct active *a = pool_take(&t->actives);
    if (a == NULL) {
        if (state != NULL)
            pool_give(&t->cc_states, state);
        return NULL;
    }
    memset(a, 0, sizeof(*a));
    if (state != NULL)
        memset(state, 0, TERN_CC_STATE_MAX);
    c->active = a;
    a->cc_state = state;
    a->ooo = (struct ranges){.at = a->ooo_inline, .cap = OOO_INLINE};
    a->rx_read = c->rcv_nxt - ((c->flags & CONN_FIN_RCVD) != 0);
    a->quick = bsd(t) || (like_linux(t) && c->stats != NULL) ? 0 : QUICK_ACKS;
    a->tune_seq = a->rx_read;
    a->tune_tick = a->used_tick = t->tick;
    a->sack_high = a->recover = a->snd_small = a->used_seq = c->snd_una;
    a->reordering = t->cfg->reordering;
    a->reo_steps = 1;
    a->paced = pace_asked(t, c);
    a->limited_tick = t->tick;
    sent_slack_begin(t, c, a);
    conn_cc_start(t, c, a);
    return a;
}

bool conn_freeze(struct tcp *t, struct conn *c)
{
    struct active *a = c->active;
    if (a == NULL)
        return true;
    if (a->rxq_head != NULL || a->ooo.count != 0 || a->txq_head != NULL || a->sent_head != NULL ||
        a->rx_owed != 0 || a->t_delack != 0 || a->t_rto != 0 || a->t_starved != 0 || a->fin_ahead ||
        c->snd_nxt != c->snd_una || fin_unsent(c) ||
        (c->flags &
         (CONN_SYN_DUE | CONN_ACK_DUE | CONN_WINDOW_DUE | CONN_PROBE_DUE | CONN_RESERVED)))
        return false;
    if (c->state == TERN_CLOSE_WAIT && a->moved_tick != 0)
        orphan_close_wait(t, c); /* (what moved when is forgotten now) */
    const tern_cc_ops *ops = t->cc[c->cc];
    c->cwnd = a->cc.cwnd;
    c->ssthresh = a->cc.ssthresh;
    if (ops->freeze != NULL)
        ops->freeze(&a->cc, c->cc_summary);
    free_active(t, c);
    chunks_trim(t->chunks);
    pool_trim(&t->actives);
    pool_trim(&t->sents);
    count(t, TERN_COUNT_FROZEN);
    return true;
}

/* ---- lists ----------------------------------------------------------------------------------- */

bool conn_route(struct tcp *t, struct conn *c)
{
    uint8_t iface;
    if (addrs_at(t->addrs, c->laddr)->gone || t->host.route(t->host.context, c->raddr, &iface) < 0)
        return false;
    c->route_generation = t->route_generation;
    c->iface = iface;
    conn_mss_update(t, c);
    return true;
}

bool conn_ready(struct tcp *t, struct conn *c)
{
    if (c->flags & CONN_ON_OUT)
        return true;
    if (UNLIKELY(c->route_generation != t->route_generation) && !conn_route(t, c)) {
        if (c->active != NULL && c->state != TERN_CLOSED)
            rto_arm(t, c);
        return false;
    }
    c->flags |= CONN_ON_OUT;
    c->out_next = 0;
    struct tcp_path *path = &t->path[c->iface];
    if (path->out_tail != 0)
        conn_at(t, path->out_tail)->out_next = c->self;
    else
        path->out_head = c->self;
    path->out_tail = c->self;
    t->out_mask |= (uint64_t)1 << c->iface;
    return true;
}

void conn_ready_or_mute(struct tcp *t, struct conn *c)
{
    if (conn_ready(t, c) || !(c->flags & CONN_RST_DUE))
        return;
    c->flags &= ~(uint32_t)CONN_RST_DUE;
    if (c->flags & CONN_ORPHAN)
        conn_free(t, c);
}

void conn_path_gone(struct tcp *t, uint8_t iface)
{
    struct tcp_path *path = &t->path[iface];
    uint32_t ix = path->out_head;
    path->out_head = path->out_tail = 0;
    t->out_mask &= ~((uint64_t)1 << iface);
    while (ix != 0) {
        struct conn *c = conn_at(t, ix);
        ix = c->out_next;
        c->flags &= ~(uint32_t)CONN_ON_OUT;
        if (c->flags & CONN_ZOMBIE)
            release_slot(t, c);
        else
            conn_ready_or_mute(t, c);
    }
}

static uint32_t *event_link(struct tcp *t, uint32_t ref)
{
    uint32_t ix = ref_ix(ref);
    switch (ref_kind(ref)) {
    case REF_CONN:
        return &conn_at(t, ix)->ev_next;
    case REF_HALFOPEN:
        return &halfopen_at(t, ix)->ev_next;
    case REF_LISTENER:
        return &listener_at(t, ix)->ev_next;
    case REF_TIMEWAIT:
        break;
    }
    TERN_ASSERT(!"a reference that has events");
    return NULL;
}

void event_append(struct tcp *t, uint32_t ref)
{
    *event_link(t, ref) = 0;
    if (t->ev_tail != 0)
        *event_link(t, t->ev_tail) = ref;
    else
        t->ev_head = ref;
    t->ev_tail = ref;
}

void conn_event(struct tcp *t, struct conn *c, uint32_t mask)
{
    if (c->flags & (CONN_ORPHAN | CONN_QUEUED))
        return;
    c->ev_mask |= (uint16_t)mask;
    if (c->flags & CONN_ON_EVENTS)
        return;
    c->flags |= CONN_ON_EVENTS;
    event_append(t, ref_make(REF_CONN, c->self));
}

void listener_event(struct tcp *t, uint32_t ix, uint32_t mask)
{
    struct listener *l = listener_at(t, ix);
    l->ev_mask |= (uint16_t)mask;
    if (l->on_events)
        return;
    l->on_events = true;
    event_append(t, ref_make(REF_LISTENER, ix));
}

static bool take_conn(struct tcp *t, struct conn *c, tern_event *ev)
{
    c->flags &= ~(uint32_t)CONN_ON_EVENTS;
    bool closed = (c->ev_mask & TERN_EV_CLOSED) != 0;
    bool tell = !(c->flags & CONN_ORPHAN) || closed;
    if (tell)
        *ev = (tern_event){.sock = sock_make(t, REF_CONN, c->self, c->generation),
                           .user = c->user,
                           .err = c->ev_mask & TERN_EV_ERROR ? c->err : 0,
                           .mask = c->ev_mask};
    c->ev_mask = 0;
    if (c->flags & CONN_ZOMBIE)
        release_slot(t, c);
    return tell;
}

static bool take_halfopen(struct tcp *t, uint32_t ix, tern_event *ev)
{
    struct halfopen *h = halfopen_at(t, ix);
    const struct listener *l = listener_at(t, h->listener);
    h->flags &= (uint8_t)~HALFOPEN_EVENT;
    *ev = (tern_event){.sock = sock_make(t, REF_HALFOPEN, ix, h->generation),
                       .user = l->user,
                       .mask = TERN_EV_HOLD};
    if (!(h->flags & HALFOPEN_DEAD)) {
        h->flags |= HALFOPEN_TOLD;
        return true;
    }
    bool told = h->flags & HALFOPEN_TOLD && !l->closed;
    ev->mask = TERN_EV_CLOSED;
    ev->err = TERN_ERESET;
    halfopen_drop(t, ix);
    return told;
}

static bool take_listener(struct tcp *t, uint32_t ix, tern_event *ev)
{
    struct listener *l = listener_at(t, ix);
    l->on_events = false;
    if (l->closed) {
        listen_release(t, ix);
        return false;
    }
    *ev = (tern_event){.sock = sock_make(t, REF_LISTENER, ix, l->generation),
                       .user = l->user,
                       .mask = l->ev_mask};
    l->ev_mask = 0;
    return true;
}

size_t tcp_events(struct tcp *t, tern_event *ev, size_t max)
{
    size_t n = 0;
    while (n < max && t->ev_head != 0) {
        uint32_t ref = t->ev_head;
        t->ev_head = *event_link(t, ref);
        if (t->ev_head == 0)
            t->ev_tail = 0;
        bool told = false;
        switch (ref_kind(ref)) {
        case REF_CONN:
            told = take_conn(t, conn_at(t, ref_ix(ref)), &ev[n]);
            break;
        case REF_HALFOPEN:
            told = take_halfopen(t, ref_ix(ref), &ev[n]);
            break;
        case REF_LISTENER:
            told = take_listener(t, ref_ix(ref), &ev[n]);
            break;
        case REF_TIMEWAIT:
            break;
        }
        n += told;
    }
    return n;
}

/* ---- segment size ---------------------------------------------------------------------------- */

static uint32_t link_mss(const struct tcp *t, uint8_t iface, bool ip4, uint16_t mss_user)
{
    uint32_t headers = (ip4 ? WIRE_IP4_HEADER : WIRE_IP6_HEADER) + WIRE_TCP_HEADER;
    const struct tcp_path *path = &t->path[iface];
    uint32_t mtu = ip4 ? max_u32(path->mtu, 68) : max_u32(path->mtu6, 1280); /* RFC 791, 8200 5 */
    uint32_t mss = mtu - headers;                                            /* MUST-67 */
    if (mss_user != 0)
        mss = min_u32(mss, mss_user);
    return min_u32(mss, UINT16_MAX);
}

uint16_t tcp_mss_advertised(const struct tcp *t, uint8_t iface, bool ip4, uint16_t mss_user)
{
    uint32_t mss = link_mss(t, iface, ip4, mss_user), offer = t->cfg->mss_offer;
    return (uint16_t)(offer != 0 ? min_u32(mss, offer) : mss);
}

/* Linux: never more than half of the largest window, so that a full one is two segments. */
static uint32_t half_window(const struct conn *c, uint32_t mss)
{
    enum { MSS_DEFAULT = 536, LEAST = 68 - WIRE_TCP_HEADER };
    uint32_t most = c->snd_wnd_max > MSS_DEFAULT ? c->snd_wnd_max / 2 : c->snd_wnd_max;
    return most != 0 && mss > most ? max_u32(most, LEAST) : mss;
}

/* Linux counts its windows in segments. */
static void keep_segments(struct active *a, uint16_t was, uint16_t mss)
{
    a->cc.cwnd = a->cc.cwnd / was * mss;
    a->prior_cwnd = a->prior_cwnd / was * mss;
    if (a->cc.ssthresh < UINT32_MAX / 2)
        a->cc.ssthresh = a->cc.ssthresh / was * mss;
}

void conn_mss_update(const struct tcp *t, struct conn *c)
{
    bool ip4 = wire_is_ip4(c->raddr);
    c->mss_own = tcp_mss_advertised(t, c->iface, ip4, c->mss_user);
    /* what is offered says nothing about what may be sent */
    uint32_t own = like_linux(t) ? link_mss(t, c->iface, ip4, c->mss_user) : c->mss_own;
    /* who offers less does not get to multiply our packets */
    uint32_t least = t->cfg->tuning.mss_least, mss = own;
    if (c->pmtu != 0) {
        uint32_t headers = (ip4 ? WIRE_IP4_HEADER : WIRE_IP6_HEADER) + WIRE_TCP_HEADER;
        mss = min_u32(mss, c->pmtu - headers);
    }
    mss = mtu_mss(c, min_u32(mss, max_u32(c->mss_peer, least)));
    mss = max_u32(mss, min_u32(least, own));
    if (md5_of(c) != NULL)
        mss -= WIRE_MD5_LEN;
    mss = c->flags & CONN_TS ? mss - 12 : mss;
    if (like_linux(t))
        mss = half_window(c, mss);
    uint16_t was = c->mss;
    c->mss = (uint16_t)mss;
    if (like_linux(t) && c->active != NULL && was != mss) {
        keep_segments(c->active, was, (uint16_t)mss);
        sent_slack_begin(t, c, c->active);
    }
}
