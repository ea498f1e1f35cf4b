/* run_tern.c - see run_tern.h.
 *
 * SYNs are held until the program is known to listen still, so admitted connections are ours from
 * the start, and the queue for accept() is kept here: those under way and those established
 * together are at most the backlog, and a SYN over it is dropped, as in Linux.
 *
 * Both kinds of socket begin with a tag, as their addresses are what the stack keeps for us. What
 * the runner or the stack has ended stays in memory until the turn's work is done: an event
 * collected earlier in the turn may still name it.
 */
#include "host/run_tern.h"

#include "host/pump.h"
#include "host/run_addr.h"
#include "host/run_errno.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum tag { TAG_CONN, TAG_LISTENER };

struct head {
    enum tag tag;
    bool dead;
    struct head *next_dead;
    struct run_tern *rt;
    tern_sock sock;
    void *user; /* the runner's */
};

enum stage {
    OPENING,  /* active */
    ADMITTED, /* passive, not established yet */
    DEFERRED, /* established, but its listener waits for data */
    QUEUED,   /* waits for accept() */
    TAKEN,    /* the runner's */
    ATTACHED, /* the pump's */
};

struct run_conn {
    struct head head;
    struct pump pump;
    enum stage stage;
    bool abortive;
    struct run_listener *listener;    /* from ADMITTED to QUEUED */
    struct run_conn *before, *next;   /* in its list of `waiting` */
    struct run_conn *earlier, *later; /* DEFERRED: in the list of all */
    uint64_t until;                   /* and so long, ns */
};

struct run_listener {
    struct head head;
    struct run_conn *waiting; /* from ADMITTED to QUEUED, the youngest first */
    uint32_t count, backlog;
    bool v6only;
};

struct run_tern {
    struct run_tern_config cfg;
    struct pump_set pumps;
    struct head *dead;
    struct run_conn *deferred; /* the youngest first */
    uint64_t deferred_due;     /* none of them is due before; TERN_NEVER: there is none */
};

static void bury(struct head *h)
{
    if (h->dead)
        return;
    h->dead = true;
    h->next_dead = h->rt->dead;
    h->rt->dead = h;
}

static void sweep(struct run_tern *rt)
{
    while (rt->dead) {
        struct head *h = rt->dead;
        rt->dead = h->next_dead;
        free(h);
    }
}

static enum run_tern_bind how_to_bind(const struct run_tern *rt, const tern_addr *local)
{
    return run_addr_any(local) ? RUN_BIND_AS_IS : rt->cfg.bindable(rt->cfg.bindable_user, local);
}

/* ---- connections ----------------------------------------------------------------------------- */

static struct run_conn *conn_new(struct run_tern *rt, void *user)
{
    struct run_conn *c = calloc(1, sizeof *c);

    if (c)
        c->head = (struct head){.tag = TAG_CONN, .rt = rt, .user = user};
    return c;
}

static int open_conn(void *net, struct run_conn **out, const tern_addr *local,
                     const tern_addr *peer, void *user)
{
    struct run_tern *rt = net;
    struct run_conn *c = conn_new(rt, user);
    tern_addr port_only;

    if (!c)
        return -ENOBUFS;
    if (local && how_to_bind(rt, local) == RUN_BIND_ANY) {
        port_only = (tern_addr){.port = local->port};
        local = &port_only;
    }
    c->stage = OPENING;
    int err = tern_connect(rt->cfg.stack, &c->head.sock, local, peer, &c->head);
    if (err < 0) {
        free(c);
        return err == TERN_EINVAL ? -EADDRNOTAVAIL : errno_of_tern(err); /* nobody can be there */
    }
    *out = c;
    return 0;
}

static void enqueue(struct run_listener *l, struct run_conn *c)
{
    c->listener = l;
    c->next = l->waiting;
    if (c->next)
        c->next->before = c;
    l->waiting = c;
    l->count++;
}

/* It is not to wait for data any more. */
static void undefer(struct run_conn *c)
{
    if (c->stage != DEFERRED)
        return;
    if (c->later)
        c->later->earlier = c->earlier;
    else
        c->head.rt->deferred = c->earlier;
    if (c->earlier)
        c->earlier->later = c->later;
    c->stage = QUEUED;
}

static void dequeue(struct run_conn *c)
{
    struct run_listener *l = c->listener;

    if (!l)
        return;
    undefer(c);
    if (c->next)
        c->next->before = c->before;
    if (c->before)
        c->before->next = c->next;
    else
        l->waiting = c->next;
    c->before = c->next = NULL;
    c->listener = NULL;
    l->count--;
}

static struct run_conn *accept_conn(struct run_listener *l, void *user)
{
    struct run_conn *oldest = NULL;

    for (struct run_conn *c = l->waiting; c; c = c->next)
        if (c->stage == QUEUED)
            oldest = c;
    if (!oldest)
        return NULL;
    dequeue(oldest);
    oldest->stage = TAKEN;
    oldest->head.user = user;
    return oldest;
}

static void pump_ended(void *user, int err)
{
    struct run_conn *c = user;

    c->head.rt->cfg.events->ended(c->head.user, err);
    bury(&c->head);
}

static void pump_closed(void *user)
{
    struct run_conn *c = user;

    c->head.rt->cfg.events->closed(c->head.user);
    bury(&c->head);
}

static void attach(struct run_conn *c, int fd)
{
    struct pump_args args = {.set = &c->head.rt->pumps,
                             .sock = c->head.sock,
                             .fd = fd,
                             .kind = PUMP_PAIR,
                             .ended = pump_ended,
                             .closed = pump_closed,
                             .user = c};

    c->stage = ATTACHED;
    pump_abortive(&c->pump, c->abortive);
    if (pump_start(&c->pump, &args) < 0) /* no memory for another descriptor in the loop */
        (void)tern_abort(c->head.rt->cfg.stack, c->head.sock);
}

static void shut(struct run_conn *c, bool marked) { pump_shut(&c->pump, marked); }

static void abort_conn(struct run_conn *c)
{
    tern *s = c->head.rt->cfg.stack;

    pump_stop(&c->pump);
    dequeue(c);
    (void)tern_user_set(s, c->head.sock, NULL);
    (void)tern_abort(s, c->head.sock);
    bury(&c->head);
}

static void names(struct run_conn *c, tern_addr *local, tern_addr *peer)
{
    (void)tern_names(c->head.rt->cfg.stack, c->head.sock, local, peer);
}

static tern *stack(void *net) { return ((struct run_tern *)net)->cfg.stack; }

static tern_sock sock(struct run_conn *c) { return c->head.sock; }

static tern_sock listener(struct run_listener *l) { return l->head.sock; }

static void flush(struct run_conn *c) { pump_now(&c->pump); }

static void abortive(struct run_conn *c, bool on)
{
    c->abortive = on;
    pump_abortive(&c->pump, on);
}

static int info(struct run_conn *c, tern_tcp_info *out)
{
    return errno_of_tern(tern_info(c->head.rt->cfg.stack, c->head.sock, out, sizeof *out));
}

static uint32_t outq(struct run_conn *c, uint32_t *unsent)
{
    tern_tcp_info t;
    uint32_t pair = pump_unsent(&c->pump);

    memset(&t, 0, sizeof t);
    (void)info(c, &t);
    *unsent = pair + t.tx_unsent;
    return pair + t.tx_queued;
}

/* ---- listeners ------------------------------------------------------------------------------- */

static int bindable(void *net, const tern_addr *local)
{
    struct run_tern *rt = net;

    return how_to_bind(rt, local) == RUN_BIND_NO ? -EADDRNOTAVAIL : 0;
}

/* A backlog as the program wishes, within the limit. */
static uint32_t limited(const struct run_tern *rt, uint32_t wish)
{
    uint32_t most = rt->cfg.backlog_max;

    return most != 0 && wish > most ? most : wish;
}

static int listen_at(void *net, struct run_listener **out, const struct run_net_listen *what,
                     void *user)
{
    struct run_tern *rt = net;
    struct run_listener *l = calloc(1, sizeof *l);
    tern_listen_args args = {.local = what->local,
                             .backlog = limited(rt, what->backlog),
                             .flags = TERN_LISTEN_HOLD,
                             .user = l};

    if (!l)
        return -ENOBUFS;
    l->head = (struct head){.tag = TAG_LISTENER, .rt = rt, .user = user};
    l->backlog = args.backlog;
    l->v6only = what->v6only;
    if (how_to_bind(rt, &what->local) == RUN_BIND_ANY) {
        args.local = run_addr_wildcard(run_addr_is4(&what->local) ? AF_INET : AF_INET6);
        args.local.port = what->local.port;
    }
    int err = tern_listen(rt->cfg.stack, &l->head.sock, &args);
    if (err < 0) {
        free(l);
        return errno_of_tern(err);
    }
    (void)tern_limits_set(rt->cfg.stack, l->head.sock, &rt->cfg.limits);
    *out = l;
    return 0;
}

static void backlog(struct run_listener *l, unsigned n) { l->backlog = limited(l->head.rt, n); }

static uint32_t queue(const struct run_listener *l, uint32_t *most)
{
    uint32_t waiting = 0;

    for (const struct run_conn *c = l->waiting; c; c = c->next)
        waiting += c->stage == QUEUED;
    *most = l->backlog;
    return waiting;
}

static void unlisten(struct run_listener *l)
{
    while (l->waiting)
        abort_conn(l->waiting);
    (void)tern_close(l->head.rt->cfg.stack, l->head.sock);
    bury(&l->head);
}

const struct run_net_ops run_tern_ops = {
    .bindable = bindable,
    .open = open_conn,
    .accept = accept_conn,
    .attach = attach,
    .shut = shut,
    .abort = abort_conn,
    .listen = listen_at,
    .backlog = backlog,
    .unlisten = unlisten,
    .names = names,
    .stack = stack,
    .sock = sock,
    .listener = listener,
    .flush = flush,
    .abortive = abortive,
    .info = info,
    .outq = outq,
    .queue = queue,
};

/* ---- events ---------------------------------------------------------------------------------- */

/* A SYN: answered only when the program is known to listen still. */
static void held(struct run_listener *l, tern_sock syn)
{
    struct run_tern *rt = l->head.rt;
    tern_addr peer = {.port = 0};

    (void)tern_names(rt->cfg.stack, syn, NULL, &peer);
    if ((l->v6only && run_addr_is4(&peer)) || !rt->cfg.events->syn(l->head.user)) {
        (void)tern_hold_refuse(rt->cfg.stack, syn, -1, 0);
        return;
    }
    struct run_conn *c = l->count < l->backlog ? conn_new(rt, NULL) : NULL;
    if (!c) {
        (void)tern_hold_drop(rt->cfg.stack, syn);
        return;
    }
    c->stage = ADMITTED;
    if (tern_hold_admit(rt->cfg.stack, syn, &c->head.sock, &c->head) < 0)
        free(c);
    else
        enqueue(l, c);
}

/* The connection is over and nobody has its descriptor yet. */
static void give_up(struct run_conn *c, int err)
{
    struct run_tern *rt = c->head.rt;

    dequeue(c);
    if (c->stage == OPENING)
        rt->cfg.events->opened(c->head.user, err);
    else if (c->stage == TAKEN)
        rt->cfg.events->ended(c->head.user, err);
    (void)tern_user_set(rt->cfg.stack, c->head.sock, NULL);
    (void)tern_close(rt->cfg.stack, c->head.sock);
    bury(&c->head);
}

/* A passive open is complete. With TCP_DEFER_ACCEPT it is shown with its first data, or when so
 * many SYN-ACKs would have passed, after 1, 2, 4, ... seconds each. */
static void established(struct run_conn *c)
{
    enum { WAIT_MAX_S = 120 };
    struct run_tern *rt = c->head.rt;
    unsigned defer = rt->cfg.events->defer(c->listener->head.user);
    uint64_t seconds = 0;
    tern_tcp_info info;

    bool empty = tern_info(rt->cfg.stack, c->head.sock, &info, sizeof info) == 0 &&
                 info.rx_queued == 0 && !info.eof;
    if (defer == 0 || !empty) {
        c->stage = QUEUED;
        rt->cfg.events->incoming(c->listener->head.user);
        return;
    }
    for (unsigned n = 0; n < defer; n++)
        seconds += n < 7 ? UINT64_C(1) << n : WAIT_MAX_S;
    c->stage = DEFERRED;
    c->until = loop_now(rt->cfg.loop) + seconds * UINT64_C(1000000000);
    c->later = NULL;
    c->earlier = rt->deferred;
    if (c->earlier)
        c->earlier->later = c;
    rt->deferred = c;
    if (c->until < rt->deferred_due)
        rt->deferred_due = c->until;
    (void)tern_arm(rt->cfg.stack, c->head.sock, TERN_EV_READ);
}

static void show_deferred(struct run_conn *c)
{
    undefer(c);
    c->head.rt->cfg.events->incoming(c->listener->head.user);
}

/* Those that have waited for data long enough. A listener may end meanwhile, and others with it. */
static void advance_deferred(struct run_tern *rt)
{
    struct run_conn *c = NULL;
    uint64_t now = loop_now(rt->cfg.loop);

    if (now < rt->deferred_due)
        return;
    do {
        rt->deferred_due = TERN_NEVER;
        for (c = rt->deferred; c && c->until > now; c = c->earlier)
            if (c->until < rt->deferred_due)
                rt->deferred_due = c->until;
        if (c)
            show_deferred(c);
    } while (c);
}

static void conn_event(struct run_conn *c, const tern_event *ev)
{
    struct run_tern *rt = c->head.rt;

    if (ev->mask & TERN_EV_OPEN && c->stage == OPENING) {
        c->stage = TAKEN;
        rt->cfg.events->opened(c->head.user, 0);
    } else if (ev->mask & TERN_EV_OPEN && c->stage == ADMITTED) {
        established(c);
    } else if (ev->mask & (TERN_EV_READ | TERN_EV_EOF) && c->stage == DEFERRED) {
        show_deferred(c);
    }
    if (c->head.dead)
        return;
    if (c->stage == ATTACHED)
        pump_event(&c->pump, ev);
    else if (ev->mask & TERN_EV_ERROR)
        give_up(c, errno_of_tern(ev->err));
}

void run_tern_events(struct run_tern *rt, const tern_event *ev, size_t n)
{
    (void)rt;
    for (size_t i = 0; i < n; i++) {
        struct head *h = ev[i].user;
        if (!h || h->dead)
            continue; /* closed by its owner, or a held SYN's end */
        if (h->tag == TAG_CONN)
            conn_event((struct run_conn *)h, &ev[i]);
        else if (ev[i].mask & TERN_EV_HOLD)
            held((struct run_listener *)h, ev[i].sock);
    }
}

void run_tern_work(struct run_tern *rt)
{
    advance_deferred(rt);
    pump_set_work(&rt->pumps);
    sweep(rt);
}

uint64_t run_tern_deadline(const struct run_tern *rt)
{
    uint64_t due = pump_set_deadline(&rt->pumps);
    return rt->dead ? 0 : due < rt->deferred_due ? due : rt->deferred_due;
}

/* ---- beginning and end ----------------------------------------------------------------------- */

int run_tern_new(struct run_tern **out, const struct run_tern_config *cfg)
{
    struct run_tern *rt = calloc(1, sizeof *rt);

    if (!rt)
        return -ENOMEM;
    rt->cfg = *cfg;
    rt->deferred_due = TERN_NEVER;
    pump_set_init(&rt->pumps, cfg->loop, cfg->stack);
    *out = rt;
    return 0;
}

void run_tern_free(struct run_tern *rt)
{
    if (!rt)
        return;
    sweep(rt);
    free(rt);
}

/* Half-open ones (without a socket, unlike a simultaneous open) have nothing to deliver: without a
 * program nobody will accept them. */
static bool delivers(const tern_entry *e)
{
    if (e->state == TERN_FIN_WAIT_1 || e->state == TERN_CLOSING || e->state == TERN_LAST_ACK)
        return true;
    return e->user != NULL && e->state != TERN_LISTEN &&
           !(e->state == TERN_SYN_RECEIVED && e->sock.id == 0);
}

size_t run_tern_busy(const struct run_tern *rt)
{
    tern_entry e[64];
    uint64_t cursor = 0;
    size_t n, busy = 0;

    while ((n = tern_list(rt->cfg.stack, &cursor, e, sizeof e / sizeof e[0])) > 0)
        for (size_t i = 0; i < n; i++)
            busy += delivers(&e[i]);
    return busy;
}

struct run_tern_view run_tern_look(const void *user)
{
    const struct head *h = user;
    struct run_tern_view v = {.user = NULL};

    if (!h || h->dead)
        return v;
    const struct run_listener *l = user;
    const struct run_conn *conn = user;
    if (h->tag == TAG_CONN && conn->stage == ATTACHED) {
        v.unread = pump_unread(&conn->pump);
        v.unsent = pump_unsent(&conn->pump);
    }
    if (h->tag == TAG_CONN)
        l = conn->listener; /* whose it is until somebody accepts it */
    v.listener = l != NULL;
    v.user = l ? l->head.user : h->user;
    if (!l)
        return v;
    v.waiting = queue(l, &v.backlog);
    return v;
}
