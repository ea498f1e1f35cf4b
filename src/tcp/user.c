/* user.c - the user's calls (RFC 9293 3.10.1 to 3.10.6). None of them knows the time or sends
 * anything: they change queues and states and note that there may be output. */
#include "tcp/tcp.h"

enum { LENT_MAX = 1 << 30 }; /* bytes queued at most, lent ones too: half the sequence space */

/* ---- OPEN ------------------------------------------------------------------------------------ */

int user_connect(struct tcp *t, const struct tcp_tuple *tuple, uint8_t iface, void *user,
                 struct conn **out)
{
    int err;
    if (flow_find(t, tuple, tcp_flow_hash(t, tuple)) != 0)
        return TERN_EADDRINUSE;
    struct conn *c = conn_new(t, tuple, iface, &err);
    if (c == NULL)
        return err;
    if (conn_thaw(t, c) == NULL) {
        conn_free(t, c);
        return TERN_ENOMEM;
    }
    c->user = user;
    c->ecn = ecn_wanted(t);
    c->rcv_wscale = t->cfg->features & TERN_FEATURE_WSCALE ? tcp_wscale(t, 0) : 0;
    c->flags |= CONN_SYN_DUE;
    conn_state(t, c, TERN_SYN_SENT);
    count(t, TERN_COUNT_ACTIVE_OPENS);
    conn_ready(t, c);
    *out = c;
    return 0;
}

/* ---- SEND ------------------------------------------------------------------------------------ */

/* Whether the state allows queueing; a negative error if not. */
static int sendable(const struct conn *c)
{
    if (c->err != 0)
        return c->err;
    if (c->flags & CONN_FIN_QUEUED)
        return TERN_ESHUTDOWN;
    switch (c->state) {
    case TERN_SYN_SENT:
    case TERN_SYN_RECEIVED:
    case TERN_ESTABLISHED:
    case TERN_CLOSE_WAIT:
        return 0;
    default:
        return TERN_ENOTCONN;
    }
}

static uint32_t send_room(const struct tcp *t, const struct conn *c, const struct active *a)
{
    uint32_t limit = sndbuf_of(t, c, a), queued = bytes_queued(c);
    return queued < limit ? limit - queued : 0;
}

/* Stream offset of the next byte to be queued. Before the SYN has left, snd_nxt stands for the
 * first byte's place. */
static uint32_t end_offset(const struct conn *c)
{
    bool unborn = c->snd_una == c->snd_nxt && c->flags & CONN_SYN_DUE;
    return unborn ? c->snd_end - c->snd_nxt : c->snd_end - c->iss - 1;
}

static void link_chunk(struct active *a, struct chunk *k)
{
    if (a->txq_tail != NULL)
        a->txq_tail->next = k;
    else
        a->txq_head = k;
    a->txq_tail = k;
}

static void note_queued(struct tcp *t, struct conn *c, uint32_t len)
{
    c->snd_end += len;
    conn_ready(t, c);
}

/* The last chunk, if it is a page with room. */
static struct chunk *tail_room(const struct active *a)
{
    if (a->txq_tail == NULL)
        return NULL;
    struct chunk *k = a->txq_tail;
    return k->kind == CHUNK_PAGE && k->len < k->cap ? k : NULL;
}

/* No page: whose limit it is. What is queued will be acknowledged, which tells the owner to try
 * again; if there is nothing of that, a timer looks. */
static int no_memory(struct tcp *t, struct conn *c)
{
    c->flags |= CONN_WRITE_ARMED;
    if (bytes_queued(c) != 0 && memory_tight(t))
        return TERN_EAGAIN;
    c->active->t_starved = tick_after(t, STARVED_NS);
    timer_arm(t, c, c->active->t_starved);
    return memory_tight(t) ? TERN_ELIMIT : TERN_ENOMEM;
}

/* Common beginning of the three ways to send. */
static int begin_send(struct tcp *t, struct conn *c, struct active **a, uint32_t *room)
{
    int err = sendable(c);
    if (err != 0)
        return err;
    if (c->flags & CONN_RESERVED)
        return TERN_EINVAL;
    *a = conn_thaw(t, c);
    if (*a == NULL)
        return TERN_ENOMEM;
    *room = send_room(t, c, *a);
    if (*room == 0) {
        c->flags |= CONN_WRITE_ARMED;
        return TERN_EAGAIN;
    }
    return 0;
}

ptrdiff_t user_send(struct tcp *t, struct conn *c, const void *buf, size_t len)
{
    struct active *a;
    uint32_t room;
    int err = begin_send(t, c, &a, &room);
    if (err != 0)
        return err;
    uint32_t want = (uint32_t)min_size(len, room), done = 0;
    uint32_t at = end_offset(c);
    while (done < want) {
        struct chunk *k = tail_room(a);
        if (k == NULL) {
            k = queue_chunk(t, c, at + done, want - done);
            if (k == NULL)
                break;
            link_chunk(a, k);
        }
        if (a->tx_cursor == NULL)
            a->tx_cursor = a->txq_tail;
        uint32_t n = min_u32(want - done, k->cap - k->len);
        memcpy(k->data + k->len, (const uint8_t *)buf + done, n);
        k->len += n;
        done += n;
    }
    if (done < len)
        c->flags |= CONN_WRITE_ARMED;
    if (done == 0)
        return want == 0 ? 0 : no_memory(t, c);
    note_queued(t, c, done);
    return (ptrdiff_t)done;
}

ptrdiff_t user_reserve(struct tcp *t, struct conn *c, tern_iov *iov, size_t n, size_t want)
{
    struct active *a;
    uint32_t room;
    int err = begin_send(t, c, &a, &room);
    if (err != 0)
        return err;
    uint32_t left = (uint32_t)min_size(want, room), done = 0;
    uint32_t at = end_offset(c);
    size_t views = 0;
    struct chunk *k = tail_room(a);
    a->tx_before = a->txq_tail;
    a->tx_reserved = k;
    while (views < n && done < left) {
        if (k == NULL) {
            k = queue_chunk(t, c, at + done, left - done);
            if (k == NULL)
                break;
            link_chunk(a, k);
            if (a->tx_reserved == NULL)
                a->tx_reserved = k;
        }
        uint32_t have = min_u32(left - done, k->cap - k->len);
        iov[views++] = (tern_iov){.base = k->data + k->len, .len = have};
        done += have;
        k = NULL;
    }
    if (views == 0)
        return n == 0 || want == 0 ? TERN_EINVAL : no_memory(t, c);
    c->flags |= CONN_RESERVED;
    return (ptrdiff_t)views;
}

/* Frees the chunks behind `keep` (NULL: all); none holds a byte. */
static void drop_reserved(struct tcp *t, struct active *a, struct chunk *keep)
{
    struct chunk *k = keep != NULL ? keep->next : a->txq_head;
    if (keep != NULL)
        keep->next = NULL;
    else
        a->txq_head = NULL;
    a->txq_tail = keep;
    while (k != NULL) {
        struct chunk *next = k->next;
        if (a->tx_cursor == k)
            a->tx_cursor = NULL;
        chunk_unref(t->chunks, k);
        k = next;
    }
}

int user_commit(struct tcp *t, struct conn *c, size_t len)
{
    struct active *a = c->active;
    if (!(c->flags & CONN_RESERVED))
        return TERN_EINVAL;
    c->flags &= ~(uint32_t)CONN_RESERVED;
    struct chunk *first = a->tx_reserved, *last = NULL;
    a->tx_reserved = NULL;
    if (c->state == TERN_CLOSED) { /* it ended meanwhile; the pages were kept for this moment */
        drop_reserved(t, a, NULL);
        return c->err; /* there is one: with pages reserved no FIN is sent */
    }
    if (first->len != 0)
        last = first; /* the tail of before, with room */
    uint32_t left = (uint32_t)len;
    for (struct chunk *k = first; left > 0; k = k->next) {
        TERN_ASSERT(k != NULL); /* more committed than reserved */
        uint32_t n = min_u32(left, k->cap - k->len);
        /* all before was sent meanwhile, and what comes next was awaited behind this page */
        if (a->tx_cursor == NULL || a->tx_cursor->len == 0)
            a->tx_cursor = k;
        k->len += n;
        left -= n;
        last = k;
    }
    if (last == NULL && a->txq_head != first) /* nothing taken: back to the tail there was */
        last = a->tx_before;
    drop_reserved(t, a, last);
    if (len != 0)
        note_queued(t, c, (uint32_t)len);
    return 0;
}

int user_lend(struct tcp *t, struct conn *c, const void *buf, size_t len, void *cookie)
{
    struct active *a;
    uint32_t room;
    if (len == 0)
        return TERN_EINVAL;
    int err = begin_send(t, c, &a, &room);
    if (err != 0)
        return err;
    if (len > LENT_MAX - bytes_queued(c))
        return TERN_EINVAL;
    struct chunk *k = chunk_new_caller(t->chunks, end_offset(c), buf, (uint32_t)len, 0, cookie);
    if (k == NULL)
        return no_memory(t, c);
    link_chunk(a, k);
    if (a->tx_cursor == NULL)
        a->tx_cursor = k;
    note_queued(t, c, (uint32_t)len);
    return 0;
}

int user_urgent(struct tcp *t, struct conn *c)
{
    int err = sendable(c);
    if (err == 0)
        err = urgent_queued(t, c, end_offset(c));
    if (err == 0)
        conn_ready(t, c); /* Nagle does not hold it back any more */
    return err;
}

/* ---- RECEIVE --------------------------------------------------------------------------------- */

/* What a read says when there is nothing to read. */
static ptrdiff_t nothing(struct conn *c)
{
    if (c->flags & CONN_FIN_RCVD && c->err == 0)
        return 0;
    if (c->err != 0)
        return c->err;
    TERN_ASSERT(c->state != TERN_CLOSED); /* it ends by a FIN or by an error */
    c->flags |= CONN_READ_ARMED;
    return TERN_EAGAIN;
}

/* Worth a packet: the window has at least doubled (RFC 9293 3.8.6.2.2 asks for less). */
bool window_news(const struct tcp *t, const struct conn *c, const struct active *a)
{
    uint32_t offered = c->rcv_adv - c->rcv_nxt, window = reasm_window(t, c, a);
    uint32_t more = window > offered ? window - offered : 0;
    if (bsd(t))
        return more >> c->rcv_wscale != 0 &&
               (2 * more >= c->rcvbuf ||
                (more >= 2u * c->mss && (more >= c->rcvbuf / 4 || window <= c->rcvbuf / 8)));
    return window > offered && window / 2 >= offered;
}

/* Linux acknowledges what waits for it when more than a segment has been read, or all of what a
 * peer pushed, unless answers go out that can bring the acknowledgement. */
static bool read_tells(const struct tcp *t, const struct conn *c, const struct active *a)
{
    if (a->t_delack == 0)
        return false;
    if (c->rcv_nxt - c->last_ack_sent > c->rcv_mss)
        return true;
    return reasm_readable(c, a) == 0 && (a->pushed > 1 || (a->pushed != 0 && !interactive(t, a)));
}

/* The owner has made room: grows the buffer, and tells the peer when that is news. */
static void consumed(struct tcp *t, struct conn *c, uint32_t len)
{
    struct active *a = c->active;
    memory_moves(t, a, len);
    if (UNLIKELY(conn_rare_of(c) != NULL))
        urgent_read(c);
    if (c->state == TERN_CLOSED || c->flags & CONN_FIN_RCVD) {
        if (like_linux(t) && c->state != TERN_CLOSED && read_tells(t, c, a))
            input_ack_now(t, c);
        timer_idle(t, c);
        return;
    }
    reasm_tune(t, c, a);
    if (c->stats != NULL)
        info_read(c);
    if (like_linux(t) && read_tells(t, c, a))
        input_ack_now(t, c);
    if (window_news(t, c, a)) {
        c->flags |= CONN_WINDOW_DUE;
        conn_ready(t, c);
    }
    timer_idle(t, c);
}

ptrdiff_t user_recv(struct tcp *t, struct conn *c, void *buf, size_t cap)
{
    struct active *a = c->active;
    uint32_t len = (uint32_t)min_size(reasm_readable(c, a), cap);
    if (len == 0)
        return reasm_readable(c, a) != 0 ? 0 : nothing(c);
    reasm_read(t, a, buf, len);
    if (len < cap) /* all there was: as good as asking once more */
        c->flags |= CONN_READ_ARMED;
    consumed(t, c, len);
    return (ptrdiff_t)len;
}

ptrdiff_t user_peek(struct conn *c, tern_iov *iov, size_t n, size_t skip)
{
    const struct active *a = c->active;
    if (skip >= reasm_readable(c, a))
        return nothing(c);
    return (ptrdiff_t)reasm_peek(c, a, iov, n, skip);
}

int user_consume(struct tcp *t, struct conn *c, size_t len)
{
    struct active *a = c->active;
    if (len > reasm_readable(c, a))
        return TERN_EINVAL;
    if (len == 0)
        return 0;
    reasm_consume(t, c, a, (uint32_t)len);
    consumed(t, c, (uint32_t)len);
    return 0;
}

int user_owed(struct tcp *t, struct conn *c, size_t bytes)
{
    struct active *a = bytes != 0 ? conn_thaw(t, c) : c->active;
    if (a == NULL)
        return bytes != 0 ? TERN_ENOMEM : 0;
    uint32_t was = a->rx_owed;
    a->rx_owed = (uint32_t)min_size(bytes, UINT32_MAX / 4);
    if (a->rx_owed < was)
        consumed(t, c, was - a->rx_owed);
    return 0;
}

/* ---- CLOSE and ABORT ------------------------------------------------------------------------- */

/* Queues the FIN; the state changes at once (3.10.4), the segment leaves after the data. */
static void queue_fin(struct tcp *t, struct conn *c)
{
    if (c->flags & CONN_FIN_QUEUED)
        return;
    if (conn_thaw(t, c) == NULL) {
        conn_reset(t, c, TERN_ENOMEM); /* the one thing that still needs no memory */
        return;
    }
    c->flags |= CONN_FIN_QUEUED;
    if (c->state == TERN_ESTABLISHED)
        conn_state(t, c, TERN_FIN_WAIT_1); /* from SYN-RECEIVED: once established */
    else if (c->state == TERN_CLOSE_WAIT)
        conn_state(t, c, TERN_LAST_ACK);
    conn_ready(t, c);
}

int user_shutdown(struct tcp *t, struct conn *c)
{
    if (c->state == TERN_CLOSED)
        return c->err != 0 ? c->err : TERN_ENOTCONN;
    if (c->flags & CONN_RESERVED)
        return TERN_EINVAL;
    queue_fin(t, c);
    return 0;
}

/* The handle is gone; what is left of the connection, if anything, ends by itself. */
static void orphan(struct tcp *t, struct conn *c)
{
    if (c->state != TERN_TIME_WAIT) {
        orphan_begin(t, c);
        return;
    }
    orphan_mark(t, c);
    if (!(c->flags & CONN_ACK_DUE))
        timewait_enter(t, c);
}

int user_close(struct tcp *t, struct conn *c)
{
    struct active *a = c->active;
    if (c->state == TERN_CLOSED) {
        c->flags |= CONN_ORPHAN;
        if (!(c->flags & CONN_RST_DUE))
            conn_free(t, c);
        return 0;
    }
    bool unread = reasm_readable(c, a) != 0 && !bsd(t);
    if (c->state == TERN_SYN_SENT || c->linger_ms == 0 || unread)
        return user_abort(t, c); /* nothing to say; asked for; or unread data: SHLD-3 */
    if (bsd(t) && a != NULL)
        reasm_consume(t, c, a, reasm_readable(c, a));
    c->flags |= CONN_RX_CLOSED;
    c->flags &= ~(uint32_t)CONN_CORK;
    if (a != NULL)
        a->rx_owed = 0;
    queue_fin(t, c);
    if (c->state == TERN_CLOSED) {
        c->flags |= CONN_ORPHAN;
        if (!(c->flags & CONN_RST_DUE))
            conn_free(t, c);
        return 0;
    }
    c->t_close = c->state == TERN_TIME_WAIT ? c->t_close : 0; /* (that of CLOSE-WAIT) */
    bool settled = c->state == TERN_FIN_WAIT_2 || c->state == TERN_TIME_WAIT;
    if (c->linger_ms != UINT32_MAX && !settled) {
        c->flags |= CONN_LINGER;
        c->t_close = tick_after(t, c->linger_ms * NS_PER_MS);
        timer_arm(t, c, c->t_close);
        return 0;
    }
    orphan(t, c);
    return 0;
}

int user_abort(struct tcp *t, struct conn *c)
{
    c->flags &= ~(uint32_t)CONN_LINGER;
    if (c->state == TERN_TIME_WAIT) {
        orphan(t, c); /* nothing is left to abort; the wait goes on */
        return 0;
    }
    orphan_mark(t, c);
    if (c->state == TERN_CLOSED) {
        if (!(c->flags & CONN_RST_DUE))
            conn_free(t, c);
        return 0;
    }
    conn_reset(t, c, 0);
    return 0;
}
