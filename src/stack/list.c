/* list.c - what a shard tells about itself: all its sockets, its counters, its memory, and the
 * texts of the lists in tern/info.h. */
#include "stack/stack.h"

const tern_counters *tern_counters_of(const tern *s) { return &s->counters; }

void tern_memory_of(const tern *s, tern_memory *out)
{
    const struct tcp *t = &s->tcp;
    *out = (tern_memory){
        .bytes = s->mem.bytes,
        .bytes_peak = s->mem.bytes_peak,
        .conns = t->conns.used,
        .halfopen = t->halfopens.used,
        .timewaits = t->timewaits.used,
        .orphans = t->orphans,
        .listeners = t->listeners.used,
        .active = t->actives.used,
        .pages = s->chunks.pages,
        .donated = s->chunks.charged,
        .outputs = s->outrecs.used,
        .sources = t->sources.used,
        .rules = t->rules.used,
    };
}

/* ---- the listing ----------------------------------------------------------------------------- */

enum { SCAN_STEP = 4096 };

static void set_addr(tern_addr *a, const uint8_t ip[16], uint16_t port)
{
    *a = (tern_addr){.port = port};
    memcpy(a->ip, ip, 16);
}

static uint64_t timer_of(const struct tcp *t, const struct wheel_node *n)
{
    if (!wheel_armed(n))
        return TERN_NEVER;
    return tick_begins(t, t->tick64 + (uint64_t)(int64_t)(int32_t)(n->expires - t->tick));
}

static bool list_listener(const tern *s, uint32_t ix, tern_entry *e)
{
    const struct listener *l = listener_at(&s->tcp, ix);
    if (l->closed)
        return false;
    *e = (tern_entry){.sock = sock_make(&s->tcp, REF_LISTENER, ix, l->generation),
                      .user = l->user,
                      .state = TERN_LISTEN,
                      .recv_q = l->waiting,
                      .send_q = l->backlog,
                      .timer = TERN_NEVER};
    tern_names(s, e->sock, &e->local, NULL);
    return true;
}

static bool list_halfopen(const tern *s, uint32_t ix, tern_entry *e)
{
    const struct halfopen *h = halfopen_at(&s->tcp, ix);
    if (h->flags & HALFOPEN_DEAD)
        return false;
    const struct listener *l = listener_at(&s->tcp, h->listener);
    *e = (tern_entry){.user = l->closed ? NULL : l->user,
                      .state = TERN_SYN_RECEIVED,
                      .timer = timer_of(&s->tcp, &h->timer)};
    set_addr(&e->local, addrs_at(&s->addrs, h->laddr)->ip, h->lport);
    set_addr(&e->peer, h->raddr, h->rport);
    return true;
}

static bool list_conn(const tern *s, uint32_t ix, tern_entry *e)
{
    const struct conn *c = conn_at(&s->tcp, ix);
    if (c->flags & CONN_ZOMBIE || (c->state == TERN_CLOSED && c->flags & CONN_ORPHAN))
        return false;
    tern_tcp_info info;
    user_info(&s->tcp, c, &info);
    *e = (tern_entry){.user = c->user,
                      .state = c->state,
                      .recv_q = info.rx_queued,
                      .send_q = info.tx_queued,
                      .timer = info.timer};
    if (!(c->flags & (CONN_ORPHAN | CONN_LINGER | CONN_QUEUED)))
        e->sock = sock_make(&s->tcp, REF_CONN, ix, c->generation);
    if (c->flags & CONN_QUEUED)
        e->user = listener_at(&s->tcp, c->listener)->user;
    struct tcp_tuple tuple;
    conn_tuple(&s->tcp, c, &tuple);
    set_addr(&e->local, tuple.local, tuple.lport);
    set_addr(&e->peer, tuple.remote, tuple.rport);
    return true;
}

static bool list_timewait(const tern *s, uint32_t ix, tern_entry *e)
{
    const struct timewait *w = timewait_at(&s->tcp, ix);
    *e = (tern_entry){.state = TERN_TIME_WAIT, .timer = timer_of(&s->tcp, &w->timer)};
    set_addr(&e->local, addrs_at(&s->addrs, w->laddr)->ip, w->lport);
    set_addr(&e->peer, w->raddr, w->rport);
    return true;
}

typedef bool (*list_fn)(const tern *s, uint32_t ix, tern_entry *e);

/* The cursor: a stage in the upper half, the next index of its slab in the lower. */
size_t tern_list(const tern *s, uint64_t *cursor, tern_entry *out, size_t max)
{
    static const list_fn stages[] = {list_listener, list_halfopen, list_conn, list_timewait};
    const struct slab *slabs[] = {&s->tcp.listeners, &s->tcp.halfopens, &s->tcp.conns,
                                  &s->tcp.timewaits};
    size_t n = 0;
    uint32_t stage = (uint32_t)(*cursor >> 32), next = (uint32_t)*cursor;
    while (n < max && stage < ARRAY_LEN(stages)) {
        uint32_t budget = SCAN_STEP;
        uint32_t found = slab_scan(slabs[stage], max_u32(next, 1), &budget, &next);
        if (found != 0 && stages[stage](s, found, &out[n]))
            n++;
        if (next == 0)
            stage++;
    }
    *cursor = (uint64_t)stage << 32 | next;
    return n;
}

int tern_find(tern *s, const tern_addr *local, const tern_addr *peer, tern_entry *out)
{
    struct tcp_tuple tuple = {.lport = local->port, .rport = peer->port};
    memcpy(tuple.local, local->ip, sizeof(tuple.local));
    memcpy(tuple.remote, peer->ip, sizeof(tuple.remote));
    uint32_t ref = flow_find(&s->tcp, &tuple, tcp_flow_hash(&s->tcp, &tuple));
    bool found = false;
    if (ref == 0)
        return TERN_ESTALE;
    switch (ref_kind(ref)) {
    case REF_HALFOPEN:
        found = list_halfopen(s, ref_ix(ref), out);
        break;
    case REF_CONN:
        found = list_conn(s, ref_ix(ref), out);
        break;
    case REF_TIMEWAIT:
        found = list_timewait(s, ref_ix(ref), out);
        break;
    case REF_LISTENER:
        break; /* not in this table */
    }
    return found ? 0 : TERN_ESTALE;
}

/* ---- texts ----------------------------------------------------------------------------------- */

const char *tern_state_name(enum tern_state state)
{
    switch (state) {
#define X(id, text)                                                                                \
    case TERN_##id:                                                                                \
        return text;
        TERN_STATES(X)
#undef X
    default:
        return "?";
    }
}

const char *tern_drop_text(enum tern_drop reason)
{
    switch (reason) {
#define X(id, text)                                                                                \
    case TERN_DROP_##id:                                                                           \
        return text;
        TERN_DROPS(X)
#undef X
    default:
        return "?";
    }
}

const char *tern_counter_name(enum tern_counter c)
{
    switch (c) {
#define X(id, text)                                                                                \
    case TERN_COUNT_##id:                                                                          \
        return #id;
        TERN_COUNTERS(X)
#undef X
    default:
        return "?";
    }
}

const char *tern_counter_text(enum tern_counter c)
{
    switch (c) {
#define X(id, text)                                                                                \
    case TERN_COUNT_##id:                                                                          \
        return text;
        TERN_COUNTERS(X)
#undef X
    default:
        return "?";
    }
}

const char *tern_err_text(enum tern_err err)
{
    switch (err) {
    case TERN_EAGAIN:
        return "nothing now";
    case TERN_EINVAL:
        return "not allowed by an argument or the socket's state";
    case TERN_ENOMEM:
        return "out of memory";
    case TERN_ESTALE:
        return "the socket is gone";
    case TERN_ELIMIT:
        return "a configured limit is reached";
    case TERN_ERESET:
        return "the peer reset the connection";
    case TERN_EREFUSED:
        return "the peer refused the connection";
    case TERN_ETIMEDOUT:
        return "timed out";
    case TERN_EUNREACH:
        return "the host is unreachable";
    case TERN_EADDRINUSE:
        return "the address is in use";
    case TERN_ESHUTDOWN:
        return "sending after the socket was shut down";
    case TERN_ENOTCONN:
        return "not connected";
    case TERN_EADDRNOTAVAIL:
        return "no such local address, or no free port";
    case TERN_ENETUNREACH:
        return "no route to the network";
    case TERN_EMSGSIZE:
        return "the message is too long";
    case TERN_EPROTO:
        return "the protocol is unreachable";
    }
    return "?";
}
