/* world.c - hosts, what joins them, and their turns.
 *
 * Where a link is transparent, the packets of one stack go into the other as they are, in the
 * middle of the sender's turn, and are done with at once; their bytes are never copied. Any other
 * link takes copies, and gives them to the receiver at its next turn.
 */
#include "lab/world.h"

#include <stdlib.h>

#include "base/util.h"
#include "lab/random.h"

enum {
    PORTS_MAX = 64,     /* interfaces of a host */
    ROUNDS = 16,        /* in a turn */
    EVENTS = 256,       /* of a host in a round */
    TURN_NS = 1000,     /* in virtual time a turn that stops at its bound takes this long, */
    STUCK_NS = 1000000, /* and who wants a turn but does nothing in it is asked again after this */
};

/* An interface that is joined to another. */
struct port {
    struct lab_link *link; /* NULL: it is not */
    struct host *peer;
    int dir; /* of what leaves here */
    uint16_t peer_iface;
};

/* A packet whose memory a device has not given back. */
struct kept {
    void *cookie;
    uint64_t until;
};

struct host {
    struct lab_host_config conf;
    int number;
    uint32_t lives; /* stacks it has had before this one */
    tern *s;
    struct lab_alloc mem;
    bool spared;   /* allocations do not fail */
    int64_t ahead; /* of its clock before the world's, */
    uint64_t tick; /* and its steps; ns */
    uint64_t paused;
    struct lab_device device;
    struct lab_random random; /* of the device */
    uint64_t busy, refused;   /* until when; how often */
    struct kept *kept;
    uint32_t kept_count, kept_room;
    uint64_t kept_next; /* no memory comes back before */
    int ports;          /* all joined ones are below this */
    struct port port[PORTS_MAX];
};

struct lab_world {
    uint64_t seed, now;
    struct host **host;
    struct lab_link **link;
    int host_count, link_count;
    bool turning;             /* a turn is on the stack of calls */
    bool stuck;               /* a stack wanted a turn and nothing came of it, */
    uint64_t stuck_count;     /* so often */
    tern_pkt pkts[LAB_BATCH]; /* on their way through the world's hands */
};

/* ---- a host and what its stack asks of it ---------------------------------------------------- */

static void *host_alloc(void *user, size_t size, size_t align)
{
    struct host *h = user;
    h->mem.calls++;
    if (!h->spared && h->mem.calls >= h->conf.fail_first &&
        h->mem.calls - h->conf.fail_first < h->conf.fail_count)
        return NULL;
    void *p = aligned_alloc(align, (size + align - 1) / align * align);
    if (p != NULL) {
        h->mem.bytes += size;
        h->mem.live++;
    }
    return p;
}

static void host_free(void *user, void *p, size_t size)
{
    struct host *h = user;
    TERN_ASSERT(h->mem.live > 0 && h->mem.bytes >= size);
    h->mem.bytes -= size;
    h->mem.live--;
    free(p);
}

static void host_release(void *user, void *const *cookies, size_t n)
{
    struct host *h = user;
    h->conf.release(h->conf.user, cookies, n);
}

static void host_trace(void *user, const tern_trace *record)
{
    struct host *h = user;
    h->conf.trace(h->conf.user, h->number, record);
}

/* What a host's or a link's randomness begins with. */
static uint64_t seed_of(const struct lab_world *w, int number, bool link)
{
    return lab_random_derive(w->seed, (uint64_t)number * 2 + link);
}

static void config_of(const struct lab_world *w, struct host *h, tern_config *out)
{
    struct lab_random r;
    uint64_t seed = seed_of(w, h->number, false);
    lab_random_seed(&r, h->lives == 0 ? seed : lab_random_derive(seed, h->lives));
    lab_random_seed(&h->random, lab_random_derive(seed, UINT64_MAX));
    *out = h->conf.tern;
    for (size_t i = 0; i < sizeof(out->seed); i += 8) {
        uint64_t x = lab_random_u64(&r);
        memcpy(out->seed + i, &x, 8);
    }
    out->isn += h->lives << 20;
    out->tx_horizon = 0;
    out->alloc = host_alloc;
    out->free = host_free;
    out->release = h->conf.release != NULL ? host_release : NULL;
    out->trace = h->conf.trace != NULL ? host_trace : NULL;
    out->user = h;
}

/* ---- what a host has to bear ----------------------------------------------------------------- */

static uint64_t clock_of(const struct lab_world *w, const struct host *h)
{
    uint64_t at = w->now + (uint64_t)h->ahead;
    return h->tick == 1 ? at : at / h->tick * h->tick;
}

/* When its stack wants to be called, by the world's clock. */
static uint64_t due(const struct host *h)
{
    uint64_t at = tern_next_timeout(h->s);
    if (at != 0 && at != TERN_NEVER) {
        uint64_t shown = h->tick == 1 ? at : (at + h->tick - 1) / h->tick * h->tick;
        int64_t there = (int64_t)shown - h->ahead;
        at = there < 0 ? 0 : (uint64_t)there;
    }
    if (h->busy != 0)
        at = min_u64(at, h->busy);
    return max_u64(min_u64(at, h->kept_next), h->paused);
}

/* A device is done with what it was to keep until `now`. */
static void give_back(struct host *h, uint64_t now)
{
    uint32_t left = 0;
    h->kept_next = TERN_NEVER;
    for (uint32_t i = 0; i < h->kept_count; i++) {
        struct kept k = h->kept[i];
        if (k.until > now) {
            h->kept[left++] = k;
            h->kept_next = min_u64(h->kept_next, k.until);
            continue;
        }
        tern_pkt pkt = {.cookie = k.cookie};
        tern_output_done(h->s, &pkt, 1);
    }
    h->kept_count = left;
}

/* false: there is no memory to remember it. */
static bool keep(struct host *h, void *cookie, uint64_t until)
{
    if (h->kept_count == h->kept_room) {
        uint32_t room = h->kept_room == 0 ? LAB_BATCH : 2 * h->kept_room;
        struct kept *kept = realloc(h->kept, room * sizeof(*kept));
        if (kept == NULL)
            return false;
        h->kept = kept;
        h->kept_room = room;
    }
    h->kept[h->kept_count++] = (struct kept){cookie, until};
    h->kept_next = min_u64(h->kept_next, until);
    return true;
}

/* The device takes `n` packets; how many it has taken. */
static size_t device_takes(struct lab_world *w, struct host *h, size_t n)
{
    if (h->device.refuse <= 0 || !lab_random_chance(&h->random, h->device.refuse))
        return n;
    h->refused++;
    h->busy = w->now + 1 + lab_random_below(&h->random, h->device.busy);
    return (size_t)lab_random_below(&h->random, n);
}

static void device_done(struct lab_world *w, struct host *h, size_t n)
{
    if (h->device.keep <= 0) {
        tern_output_done(h->s, w->pkts, n);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        uint64_t until = w->now + 1 + lab_random_below(&h->random, h->device.keep_for);
        if (!lab_random_chance(&h->random, h->device.keep) || !keep(h, w->pkts[i].cookie, until))
            tern_output_done(h->s, &w->pkts[i], 1);
    }
}

/* ---- building -------------------------------------------------------------------------------- */

struct lab_world *lab_world_new(uint64_t seed, uint64_t now)
{
    struct lab_world *w = calloc(1, sizeof(*w));
    if (w == NULL)
        return NULL;
    w->seed = seed;
    w->now = now;
    return w;
}

void lab_world_free(struct lab_world *w)
{
    if (w == NULL)
        return;
    for (int i = 0; i < w->link_count; i++)
        lab_link_free(w->link[i]);
    for (int i = 0; i < w->host_count; i++) {
        give_back(w->host[i], TERN_NEVER);
        free(w->host[i]->kept);
        tern_free(w->host[i]->s);
        TERN_ASSERT(w->host[i]->mem.live == 0 && w->host[i]->mem.bytes == 0);
        free(w->host[i]);
    }
    free(w->link);
    free(w->host);
    free(w);
}

int lab_world_host(struct lab_world *w, const struct lab_host_config *conf)
{
    struct host **hosts = realloc(w->host, ((size_t)w->host_count + 1) * sizeof(struct host *));
    if (hosts == NULL)
        return TERN_ENOMEM;
    w->host = hosts;
    struct host *h = calloc(1, sizeof(*h));
    if (h == NULL)
        return TERN_ENOMEM;
    h->conf = *conf;
    h->number = w->host_count;
    h->tick = 1;
    h->kept_next = TERN_NEVER;
    tern_config tern_conf;
    config_of(w, h, &tern_conf);
    int err = tern_new(&h->s, &tern_conf, w->now);
    if (err < 0) {
        TERN_ASSERT(h->mem.live == 0);
        free(h);
        return err;
    }
    w->host[w->host_count++] = h;
    return h->number;
}

static bool host_valid(const struct lab_world *w, int host)
{
    return host >= 0 && host < w->host_count;
}

tern *lab_world_tern(struct lab_world *w, int host)
{
    TERN_ASSERT(host_valid(w, host));
    return w->host[host]->s;
}

const char *lab_world_name(const struct lab_world *w, int host)
{
    TERN_ASSERT(host_valid(w, host));
    return w->host[host]->conf.name;
}

const struct lab_alloc *lab_world_alloc(const struct lab_world *w, int host)
{
    TERN_ASSERT(host_valid(w, host));
    return &w->host[host]->mem;
}

int lab_world_restart(struct lab_world *w, int host)
{
    TERN_ASSERT(host_valid(w, host) && !w->turning);
    struct host *h = w->host[host];
    tern_config conf;
    give_back(h, TERN_NEVER);
    tern_free(h->s);
    TERN_ASSERT(h->mem.live == 0 && h->mem.bytes == 0);
    h->busy = 0;
    h->lives++;
    config_of(w, h, &conf);
    bool spared = h->spared;
    h->spared = true;
    int err = tern_new(&h->s, &conf, clock_of(w, h));
    h->spared = spared;
    return err;
}

void lab_world_spare(struct lab_world *w, int host, bool spared)
{
    TERN_ASSERT(host_valid(w, host));
    w->host[host]->spared = spared;
}

void lab_world_clock(struct lab_world *w, int host, int64_t ahead, uint64_t tick)
{
    TERN_ASSERT(host_valid(w, host) && (int64_t)w->now + ahead >= 0);
    w->host[host]->ahead = ahead;
    w->host[host]->tick = max_u64(tick, 1);
}

uint64_t lab_world_clock_of(const struct lab_world *w, int host)
{
    TERN_ASSERT(host_valid(w, host));
    return clock_of(w, w->host[host]);
}

void lab_world_pause(struct lab_world *w, int host, uint64_t until)
{
    TERN_ASSERT(host_valid(w, host));
    w->host[host]->paused = until;
}

void lab_world_device(struct lab_world *w, int host, const struct lab_device *device)
{
    TERN_ASSERT(host_valid(w, host));
    w->host[host]->device = *device;
}

uint64_t lab_world_refused(const struct lab_world *w, int host)
{
    TERN_ASSERT(host_valid(w, host));
    return w->host[host]->refused;
}

uint64_t lab_world_stuck(const struct lab_world *w) { return w->stuck_count; }

static void join(struct host *h, int iface, struct host *peer, int peer_iface,
                 struct lab_link *link, int dir)
{
    h->port[iface] =
        (struct port){.link = link, .peer = peer, .dir = dir, .peer_iface = (uint16_t)peer_iface};
    if (h->ports <= iface)
        h->ports = iface + 1;
}

int lab_world_link(struct lab_world *w, int a, int iface_a, int b, int iface_b,
                   const struct lab_config *conf)
{
    TERN_ASSERT(host_valid(w, a) && host_valid(w, b));
    if (iface_a < 0 || iface_a >= PORTS_MAX || iface_b < 0 || iface_b >= PORTS_MAX ||
        (a == b && iface_a == iface_b))
        return TERN_EINVAL;
    if (w->host[a]->port[iface_a].link != NULL || w->host[b]->port[iface_b].link != NULL)
        return TERN_EADDRINUSE;
    struct lab_link **links = realloc(w->link, ((size_t)w->link_count + 1) * sizeof(links[0]));
    if (links == NULL)
        return TERN_ENOMEM;
    w->link = links;
    struct lab_config seeded = *conf;
    if (seeded.seed == 0)
        seeded.seed = seed_of(w, w->link_count, true);
    struct lab_link *link = lab_link_new(&seeded);
    if (link == NULL)
        return TERN_ENOMEM;
    join(w->host[a], iface_a, w->host[b], iface_b, link, 0);
    join(w->host[b], iface_b, w->host[a], iface_a, link, 1);
    w->link[w->link_count] = link;
    return w->link_count++;
}

struct lab_link *lab_world_get_link(struct lab_world *w, int link)
{
    TERN_ASSERT(link >= 0 && link < w->link_count);
    return w->link[link];
}

/* ---- a turn ---------------------------------------------------------------------------------- */

/* Takes in what has arrived, a batch at most from each link. */
static bool receive(struct lab_world *w, struct host *h)
{
    bool any = false;
    for (int i = 0; i < h->ports; i++) {
        struct port *p = &h->port[i];
        if (p->link == NULL)
            continue;
        int dir = !p->dir;
        size_t n, sum = 0;
        while (sum < LAB_BATCH &&
               (n = lab_link_receive(p->link, dir, w->pkts, LAB_BATCH - sum, w->now)) != 0) {
            for (size_t k = 0; k < n; k++)
                w->pkts[k].iface = (uint16_t)i;
            tern_input(h->s, w->pkts, n, clock_of(w, h));
            lab_link_received(p->link, dir, w->now);
            sum += n;
        }
        any |= sum != 0;
    }
    return any;
}

/* One at a time: what a callback does to other sockets is then seen in their events. */
static bool events(struct host *h)
{
    tern_event ev;
    int n = 0;
    while (n < EVENTS && tern_events(h->s, &ev, 1) != 0) {
        if (h->conf.event != NULL)
            h->conf.event(h->conf.user, h->s, &ev);
        n++;
    }
    return n != 0;
}

static void carry(struct lab_world *w, const struct port *p, size_t n)
{
    if (!lab_link_transparent(p->link, p->dir)) {
        for (size_t i = 0; i < n; i++)
            lab_link_send(p->link, p->dir, &w->pkts[i], w->now);
        return;
    }
    for (size_t i = 0; i < n; i++)
        w->pkts[i].iface = p->peer_iface;
    lab_link_passed(p->link, p->dir, w->pkts, n);
    tern_input(p->peer->s, w->pkts, n, clock_of(w, p->peer));
}

static bool output(struct lab_world *w, struct host *h)
{
    bool any = false;
    for (int i = 0; i < h->ports; i++) {
        if (h->port[i].link == NULL || h->busy > w->now)
            continue;
        h->busy = 0;
        size_t n = tern_output(h->s, i, w->pkts, LAB_BATCH, clock_of(w, h));
        if (n == 0)
            continue;
        size_t taken = device_takes(w, h, n);
        if (taken < n)
            tern_output_refused(h->s, w->pkts + taken, n - taken);
        carry(w, &h->port[i], taken);
        device_done(w, h, taken);
        any = true;
    }
    return any;
}

/* What is sent into the void. */
static bool output_unjoined(struct lab_world *w, struct host *h)
{
    bool any = false;
    for (int i = 0; i < (int)h->conf.tern.ifaces_max; i++) {
        if (h->port[i].link != NULL)
            continue;
        size_t n = tern_output(h->s, i, w->pkts, LAB_BATCH, clock_of(w, h));
        tern_output_done(h->s, w->pkts, n);
        any |= n != 0;
    }
    return any;
}

static bool host_round(struct lab_world *w, struct host *h)
{
    if (h->paused > w->now)
        return false;
    bool any = receive(w, h);
    if (!any && due(h) > w->now)
        return false;
    if (h->kept_next <= w->now) {
        give_back(h, w->now);
        any = true;
    }
    tern_advance(h->s, clock_of(w, h));
    any |= events(h);
    any |= output(w, h);
    if (!any && tern_next_timeout(h->s) == 0)
        any = output_unjoined(w, h);
    return any;
}

/* When something next arrives that it can take in. */
static uint64_t arrival(const struct host *h)
{
    uint64_t next = TERN_NEVER;
    for (int i = 0; i < h->ports; i++)
        if (h->port[i].link != NULL)
            next = min_u64(next, lab_link_next(h->port[i].link, !h->port[i].dir));
    return next == TERN_NEVER ? next : max_u64(next, h->paused);
}

/* Whether nothing is due any more. */
static bool quiet(const struct lab_world *w)
{
    for (int i = 0; i < w->host_count; i++)
        if (due(w->host[i]) <= w->now || arrival(w->host[i]) <= w->now)
            return false;
    return true;
}

bool lab_world_turn(struct lab_world *w, uint64_t now)
{
    TERN_ASSERT(!w->turning); /* called from a callback? */
    w->turning = true;
    w->now = max_u64(w->now, now);
    bool finished = false, any = false;
    for (int round = 0; round < ROUNDS && !finished; round++) {
        bool moved = false;
        for (int i = 0; i < w->host_count; i++)
            moved |= host_round(w, w->host[i]);
        any |= moved;
        finished = !moved && quiet(w);
    }
    w->stuck = !finished && !any;
    w->stuck_count += w->stuck;
    w->turning = false;
    return finished;
}

/* ---- the clock ------------------------------------------------------------------------------- */

uint64_t lab_world_next(const struct lab_world *w)
{
    uint64_t next = TERN_NEVER;
    for (int i = 0; i < w->host_count; i++) {
        uint64_t at = due(w->host[i]);
        if (w->stuck && at <= w->now)
            at = w->now + STUCK_NS;
        next = min_u64(next, min_u64(at, arrival(w->host[i])));
    }
    return next;
}

uint64_t lab_world_now(const struct lab_world *w) { return w->now; }

bool lab_world_run(struct lab_world *w, uint64_t until, bool (*done)(void *user), void *user)
{
    while (done == NULL || !done(user)) {
        if (w->now > until)
            return false;
        bool finished = lab_world_turn(w, w->now);
        if (done != NULL && done(user))
            return true;
        uint64_t next = lab_world_next(w);
        if (!finished)
            next = max_u64(next, w->now + TURN_NS);
        if (next > until || next == TERN_NEVER) {
            if (until != TERN_NEVER)
                w->now = until;
            return false;
        }
        w->now = max_u64(w->now, next);
    }
    return true;
}
