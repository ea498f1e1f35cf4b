/* node.c - see node.h. */
#include "host/node.h"

#include "host/app.h"
#include "host/run_errno.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
    BATCH = 64,      /* packets and events that are passed on at once */
    IN_ROUNDS = 8,   /* batches taken from a device in one turn */
    OUT_ROUNDS = 16, /* batches given to it */
};

static void *get(void *user, size_t size, size_t align)
{
    (void)user;
    align = align < sizeof(void *) ? sizeof(void *) : align;
    return aligned_alloc(align, (size + align - 1) / align * align);
}

static void put(void *user, void *p, size_t size)
{
    (void)user;
    (void)size;
    free(p);
}

static void release(void *user, void *const *cookies, size_t n)
{
    (void)user;
    for (size_t i = 0; i < n; i++) {
        struct device_buf *b = cookies[i];
        b->next = *b->list;
        *b->list = b;
    }
}

int node_config(tern_config *cfg)
{
    *cfg = (tern_config){.size = sizeof *cfg};
    tern_config_default(cfg);
    cfg->alloc = get;
    cfg->free = put;
    cfg->release = release;
    if (getrandom(cfg->seed, sizeof cfg->seed, 0) != (ssize_t)sizeof cfg->seed)
        return -EIO;
    return 0;
}

/* ---- a turn ---------------------------------------------------------------------------------- */

static void input(struct node *n, struct device *d, uint64_t now)
{
    tern_pkt pkts[BATCH];

    for (int round = 0; round < IN_ROUNDS && d->readable && !d->err; round++) {
        size_t got = d->receive(d, pkts, BATCH);
        for (size_t i = 0; i < got; i++)
            pkts[i].iface = (uint16_t)d->id;
        tern_input(n->stack, pkts, got, now);
    }
}

static void events(struct node *n)
{
    tern_event ev[BATCH];
    size_t count;

    while ((count = tern_events(n->stack, ev, BATCH)) > 0)
        for (size_t i = 0; i < count; i++) {
            if (ev[i].mask & TERN_EV_ADDRS && n->addrs)
                n->addrs(n->addrs_user);
            app_event(&ev[i]);
        }
}

static void output(struct node *n, struct device *d, uint64_t now)
{
    tern_pkt pkts[BATCH];

    for (int round = 0; round < OUT_ROUNDS && d->writable && !d->err; round++) {
        size_t count = tern_output(n->stack, d->id, pkts, BATCH, now);
        if (count == 0)
            return;
        size_t sent = d->send(d, pkts, count);
        tern_output_done(n->stack, pkts, sent);
        tern_output_refused(n->stack, pkts + sent, count - sent);
    }
}

static void turn(void *user, uint64_t now)
{
    struct node *n = user;

    for (struct device *d = n->devices; d; d = d->next)
        input(n, d, now);
    tern_advance(n->stack, now);
    events(n);
    for (struct loop_hook *h = n->hooks, *next; h; h = next) {
        next = h->next;
        h->work(h->user, now);
    }
    for (struct device *d = n->devices; d; d = d->next)
        output(n, d, now);
}

static uint64_t deadline(void *user)
{
    struct node *n = user;
    uint64_t at = tern_next_timeout(n->stack);

    for (struct device *d = n->devices; d; d = d->next)
        if (d->readable && !d->err)
            return 0;
    for (struct loop_hook *h = n->hooks; h; h = h->next) {
        uint64_t wish = h->deadline(h->user);
        at = wish < at ? wish : at;
    }
    return at;
}

/* ---- beginning and end ----------------------------------------------------------------------- */

int node_start(struct node *n, struct loop *loop, const tern_config *cfg)
{
    *n = (struct node){.loop = loop};
    int err = tern_new(&n->stack, cfg, loop_clock());
    if (err < 0)
        return errno_of_tern(err);
    n->turn = (struct loop_hook){.work = turn, .deadline = deadline, .user = n};
    loop_hook_add(loop, &n->turn);
    return 0;
}

void node_stop(struct node *n)
{
    if (!n->stack)
        return;
    loop_hook_del(n->loop, &n->turn);
    for (struct device *d = n->devices; d; d = d->next)
        loop_del(n->loop, &d->watch);
    tern_free(n->stack);
    n->stack = NULL;
    n->devices = NULL;
}

static void ready(void *user, uint32_t what)
{
    struct device *d = user;

    d->readable |= (what & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0;
    d->writable |= (what & EPOLLOUT) != 0;
}

int node_device_add(struct node *n, struct device *d)
{
    int id = tern_iface_add(n->stack, &d->iface);

    if (id < 0)
        return errno_of_tern(id);
    d->id = id;
    d->readable = d->writable = true;
    d->watch = (struct loop_fd){.fd = d->fd, .ready = ready, .user = d};
    int err = loop_add(n->loop, &d->watch, EPOLLIN | EPOLLOUT | EPOLLET);
    if (err) {
        (void)tern_iface_remove(n->stack, id);
        return err;
    }
    d->next = n->devices;
    n->devices = d;
    return id;
}

const struct device *node_lost(const struct node *n)
{
    for (const struct device *d = n->devices; d; d = d->next)
        if (d->err)
            return d;
    return NULL;
}

void node_hook_add(struct node *n, struct loop_hook *h)
{
    struct loop_hook **at = &n->hooks;

    while (*at)
        at = &(*at)->next;
    h->next = NULL;
    *at = h;
}

void node_hook_del(struct node *n, struct loop_hook *h)
{
    for (struct loop_hook **at = &n->hooks; *at; at = &(*at)->next)
        if (*at == h) {
            *at = h->next;
            return;
        }
}

bool node_quiet(const struct node *n) { return tern_next_timeout(n->stack) != 0; }
