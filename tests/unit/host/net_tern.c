/* net_tern.c - see net_tern.h. */
#include "net_tern.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/pump.h"
#include "host/run_addr.h"
#include "host/run_tern.h"

enum { BATCH = 64, ROUNDS = 64 };

/* A connection through the second stack. */
struct via {
    struct net_tern *net;
    struct via *next;
    tern_sock held, sock, back; /* `back`: towards a program that listens */
    struct loop_fd dial;        /* the host's socket while it connects */
    struct pump pump, pump_back;
    bool admitted, back_open, dead;
    int back_fd;
};

struct net_tern {
    struct loop *loop;
    tern *a, *b;
    struct run_tern *rt;
    struct run *run;
    struct pump_set pumps;
    struct loop_hook hook;
    struct via *vias, *dead;
    char listener; /* what the second stack's listener has as user */
};

static const uint8_t a4[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 2};
static const uint8_t b4[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1};
static const uint8_t a6[16] = {0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2};
static const uint8_t b6[16] = {0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
static const uint8_t any4[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0};
static const uint8_t any6[16];

static void *get(void *user, size_t size, size_t align)
{
    (void)user;
    align = align < 16 ? 16 : align;
    return aligned_alloc(align, (size + align - 1) / align * align);
}

static void put(void *user, void *p, size_t size)
{
    (void)user;
    (void)size;
    free(p);
}

static tern *stack_new(uint8_t seed, const uint8_t *ip4, const uint8_t *ip6)
{
    tern_config cfg = {.size = sizeof cfg};
    tern_iface iface = {.mtu = 1500,
                        .gso_max = 65535,
                        .caps = TERN_CAP_CSUM | TERN_CAP_TSO4 | TERN_CAP_TSO6};
    tern *s;

    tern_config_default(&cfg);
    memset(cfg.seed, seed, sizeof cfg.seed);
    cfg.alloc = get;
    cfg.free = put;
    cfg.stats = true;
    int err = tern_new(&s, &cfg, loop_clock());
    assert(err == 0 && tern_iface_add(s, &iface) == 0);
    err = tern_iface_addr(s, 0, ip4, 96 + 24);
    err |= tern_iface_addr(s, 0, ip6, 64);
    err |= tern_route_add(s, any4, 96, NULL, 0);
    err |= tern_route_add(s, any6, 0, NULL, 0);
    assert(err == 0);
    (void)err;
    return s;
}

static bool is_loopback(const tern_addr *a)
{
    return run_addr_is4(a) ? a->ip[12] == 127 : a->ip[15] == 1 && a->ip[0] == 0;
}

/* ---- the gateway ----------------------------------------------------------------------------- */

static void drop(struct via *v)
{
    struct via **at = &v->net->vias;

    if (v->dead)
        return;
    v->dead = true;
    if (v->dial.ready) {
        loop_del(v->net->loop, &v->dial);
        close(v->dial.fd);
    }
    pump_stop(&v->pump);
    pump_stop(&v->pump_back);
    while (*at != v)
        at = &(*at)->next;
    *at = v->next;
    v->next = v->net->dead;
    v->net->dead = v;
}

static void half_gone(struct via *v)
{
    if (!v->pump.active && !v->pump_back.active)
        drop(v);
}

/* A reset goes on to the other connection. */
static void pass_reset(struct via *v, struct pump *other)
{
    if (!v->back_open)
        return;
    pump_now(other);
    if (!other->active)
        return;
    pump_stop(other);
    (void)tern_user_set(v->net->b, other->args.sock, NULL);
    (void)tern_abort(v->net->b, other->args.sock);
}

static void via_ended(void *user, int err)
{
    struct via *v = user;

    if (err)
        pass_reset(v, &v->pump_back);
}

static void back_ended(void *user, int err)
{
    struct via *v = user;

    if (err)
        pass_reset(v, &v->pump);
}

static void via_closed(void *user) { half_gone(user); }

static void refuse(struct via *v, int err)
{
    int type = -1, code = 0;

    if (err == EHOSTUNREACH || err == ENETUNREACH) {
        type = 3;
        code = err == EHOSTUNREACH;
    }
    (void)tern_hold_refuse(v->net->b, v->held, type, code);
    drop(v);
}

static void admit(struct via *v)
{
    if (tern_hold_admit(v->net->b, v->held, &v->sock, v) < 0) {
        if (v->back_open)
            (void)tern_abort(v->net->b, v->back);
        drop(v);
        return;
    }
    v->admitted = true;
}

static void dialled(void *user, uint32_t events)
{
    struct via *v = user;
    int err = 0;
    socklen_t len = sizeof err;

    (void)events;
    getsockopt(v->dial.fd, SOL_SOCKET, SO_ERROR, &err, &len);
    if (err) {
        refuse(v, err);
        return;
    }
    loop_del(v->net->loop, &v->dial);
    v->dial.ready = NULL;
    admit(v);
}

static void dial(struct via *v, const tern_addr *to)
{
    union run_sockaddr sa;
    int family = run_addr_is4(to) ? AF_INET : AF_INET6;
    size_t len = run_addr_write(&sa, family, to);
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0 || (connect(fd, &sa.sa, (socklen_t)len) < 0 && errno != EINPROGRESS)) {
        int err = errno;
        if (fd >= 0)
            close(fd);
        refuse(v, err);
        return;
    }
    v->dial = (struct loop_fd){fd, dialled, v};
    if (loop_add(v->net->loop, &v->dial, EPOLLOUT) < 0)
        abort();
}

static void held(struct net_tern *n, tern_sock sock)
{
    tern_addr to, from;
    struct via *v = calloc(1, sizeof *v);

    assert(v);
    v->net = n;
    v->held = sock;
    v->back_fd = -1;
    v->next = n->vias;
    n->vias = v;
    (void)tern_names(n->b, sock, &to, &from);
    if (!is_loopback(&to) || !n->run || !run_listens(n->run, &to)) {
        dial(v, &to);
        return;
    }
    memcpy(to.ip, run_addr_is4(&to) ? a4 : a6, 16);
    if (tern_connect(n->b, &v->back, NULL, &to, v) < 0)
        refuse(v, ECONNREFUSED);
}

static void pump_both(struct via *v)
{
    struct pump_args args = {.set = &v->net->pumps,
                             .user = v,
                             .closed = via_closed,
                             .ended = via_ended,
                             .sock = v->sock,
                             .kind = PUMP_TCP,
                             .fd = v->dial.fd};
    int pair[2];

    if (v->back_open) {
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
            abort();
        args.kind = PUMP_PAIR;
        args.fd = pair[0];
        pump_shut(&v->pump, false);
        pump_shut(&v->pump_back, false);
    }
    (void)pump_start(&v->pump, &args);
    if (v->back_open) {
        args.fd = pair[1];
        args.sock = v->back;
        args.ended = back_ended;
        (void)pump_start(&v->pump_back, &args);
    }
}

static void via_event(struct via *v, const tern_event *ev)
{
    bool back = ev->sock.id == v->back.id;

    if (v->dead)
        return;
    if (back && !v->back_open) {
        if (ev->mask & TERN_EV_OPEN) {
            v->back_open = true;
            admit(v);
        } else if (ev->mask & TERN_EV_ERROR) {
            (void)tern_close(v->net->b, v->back);
            refuse(v, ECONNREFUSED);
        }
    } else if (!back && ev->mask & TERN_EV_OPEN) {
        pump_both(v);
        pump_event(&v->pump, ev);
    } else if (back) {
        pump_event(&v->pump_back, ev);
    } else if (v->pump.active) {
        pump_event(&v->pump, ev);
    } else if (ev->mask & TERN_EV_ERROR) {
        (void)tern_close(v->net->b, v->sock);
        if (v->back_open && !v->pump_back.active)
            (void)tern_abort(v->net->b, v->back);
        if (!v->pump_back.active)
            drop(v);
    }
}

/* ---- the wire -------------------------------------------------------------------------------- */

static bool carry(tern *from, tern *to, uint64_t now)
{
    tern_pkt pkts[BATCH];
    size_t n = tern_output(from, 0, pkts, BATCH, now);

    if (n == 0)
        return false;
    tern_input(to, pkts, n, now);
    tern_output_done(from, pkts, n);
    return true;
}

static bool events(struct net_tern *n)
{
    tern_event ev[BATCH];
    size_t k, any = 0;

    while ((k = tern_events(n->a, ev, BATCH)) > 0) {
        run_tern_events(n->rt, ev, k);
        any += k;
    }
    while ((k = tern_events(n->b, ev, BATCH)) > 0) {
        any += k;
        for (size_t i = 0; i < k; i++) {
            if (ev[i].user == &n->listener && ev[i].mask & TERN_EV_HOLD)
                held(n, ev[i].sock);
            else if (ev[i].user && ev[i].user != &n->listener)
                via_event(ev[i].user, &ev[i]);
        }
    }
    return any > 0;
}

static void work(void *user, uint64_t now)
{
    struct net_tern *n = user;
    bool more = true;

    for (int i = 0; i < ROUNDS && more; i++) {
        run_tern_work(n->rt);
        pump_set_work(&n->pumps);
        more = carry(n->a, n->b, now) | carry(n->b, n->a, now);
        tern_advance(n->a, now);
        tern_advance(n->b, now);
        more |= events(n);
    }
    while (n->dead) {
        struct via *v = n->dead;
        n->dead = v->next;
        free(v);
    }
}

static uint64_t deadline(void *user)
{
    struct net_tern *n = user;
    uint64_t at[4] = {tern_next_timeout(n->a), tern_next_timeout(n->b), run_tern_deadline(n->rt),
                      pump_set_deadline(&n->pumps)};

    for (int i = 1; i < 4; i++)
        at[0] = at[i] < at[0] ? at[i] : at[0];
    return at[0];
}

static enum run_tern_bind may_bind(void *user, const tern_addr *local)
{
    (void)user;
    return is_loopback(local) ? RUN_BIND_ANY : RUN_BIND_NO;
}

struct net_tern *net_tern_new(struct loop *l, const struct run_net_events *run)
{
    struct net_tern *n = calloc(1, sizeof *n);

    assert(n);
    n->loop = l;
    n->a = stack_new(1, a4, a6);
    n->b = stack_new(2, b4, b6);
    struct run_tern_config cfg = {.loop = l, .stack = n->a, .events = run, .bindable = may_bind};
    tern_listen_args args = {.backlog = 4096,
                             .flags = TERN_LISTEN_HOLD | TERN_LISTEN_ANY_PORT,
                             .user = &n->listener};
    tern_sock k;
    int err = run_tern_new(&n->rt, &cfg) | tern_iface_promiscuous(n->b, 0, true) |
              tern_listen(n->b, &k, &args);
    assert(err == 0);
    (void)err;
    pump_set_init(&n->pumps, l, n->b);
    n->hook = (struct loop_hook){.work = work, .deadline = deadline, .user = n};
    loop_hook_add(l, &n->hook);
    return n;
}

void *net_tern_user(struct net_tern *n) { return n->rt; }

void net_tern_run(struct net_tern *n, struct run *r) { n->run = r; }

static bool via_busy(const struct via *v)
{
    bool started = v->pump.args.set != NULL;

    return v->admitted && (!started || v->pump.active || v->pump_back.active);
}

size_t net_tern_busy(const struct net_tern *n)
{
    size_t busy = run_tern_busy(n->rt);

    for (const struct via *v = n->vias; v; v = v->next)
        busy += via_busy(v);
    return busy;
}

void net_tern_free(struct net_tern *n)
{
    loop_hook_del(n->loop, &n->hook);
    while (n->vias)
        drop(n->vias);
    work(n, loop_clock());
    run_tern_free(n->rt);
    tern_free(n->a);
    tern_free(n->b);
    free(n);
}
