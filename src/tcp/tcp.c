/* tcp.c - the engine's life: its slabs, tables and keys, its clock and its timers. */
#include "tcp/guard.h"

enum { FLOWS_FIRST = 64, LISTENS_FIRST = 16 };

#define LEAP_TICKS UINT64_C(1800000000) /* longer than the longest timer, shorter than 2^31 */
_Static_assert(LEAP_TICKS << TICK_SHIFT > DURATION_MAX && LEAP_TICKS < 1u << 31, "");

/* One key a purpose (no key can be learnt from another's outputs), all from the caller's seed. */
static struct siphash_key derive(const uint8_t seed[32], uint64_t purpose)
{
    struct siphash_key root = siphash_key(seed);
    uint64_t in[3] = {load_le64(seed + 16), load_le64(seed + 24), purpose << 1};
    struct siphash_key key;
    key.k0 = siphash24(&root, in, sizeof(in));
    in[2]++;
    key.k1 = siphash24(&root, in, sizeof(in));
    return key;
}

static bool init_slabs(struct tcp *t)
{
    const tern_config *cfg = t->cfg;
    uint64_t records = (uint64_t)cfg->buf_bytes_max / 512 + cfg->conns_max;
    pool_init(&t->actives, t->mem, sizeof(struct active), cfg->conns_max);
    pool_init(&t->sents, t->mem, sizeof(struct sent), (uint32_t)min_u64(records, 1u << 28));
    pool_init(&t->stats, t->mem, sizeof(struct conn_stats), cfg->conns_max);
    pool_init(&t->accecns, t->mem, sizeof(struct accecn), cfg->conns_max);
    pool_init(&t->rares, t->mem, sizeof(struct conn_rare), cfg->conns_max);
    pool_init(&t->md5_keys, t->mem, sizeof(struct md5_key), cfg->md5_keys_max);
    pool_init(&t->cc_states, t->mem, TERN_CC_STATE_MAX, cfg->conns_max);
    return slab_init(&t->conns, t->mem, SLAB_HANDLES, sizeof(struct conn), cfg->conns_max) &&
           slab_init(&t->halfopens, t->mem, SLAB_HANDLES, sizeof(struct halfopen),
                     cfg->halfopen_max) &&
           slab_init(&t->timewaits, t->mem, SLAB_HANDLES, sizeof(struct timewait),
                     cfg->timewait_max) &&
           slab_init(&t->listeners, t->mem, SLAB_HANDLES, sizeof(struct listener),
                     cfg->listeners_max);
}

int tcp_init(struct tcp *t, const tern_config *cfg, struct mem *mem, struct chunks *chunks,
             struct addrs *addrs, tern_counters *counters, const struct tcp_host *host,
             uint64_t now)
{
    memset(t, 0, sizeof(*t));
    t->cfg = cfg;
    t->mem = mem;
    t->chunks = chunks;
    t->addrs = addrs;
    t->counters = counters;
    t->host = *host;
    t->cc[0] = cfg->cc;
    t->cc_count = 1;
    t->key_flow = derive(cfg->seed, 1);
    t->key_isn = derive(cfg->seed, 2);
    t->key_ts = derive(cfg->seed, 3);
    t->key_port = derive(cfg->seed, 4);
    static const uint8_t none[16];
    t->cookie_shared = memcmp(cfg->cookie_key, none, sizeof(none)) != 0;
    t->key_cookie = t->cookie_shared ? siphash_key(cfg->cookie_key) : derive(cfg->seed, 5);
    t->fo_key[0] = derive(cfg->seed, 6);
    t->fo_keys = 1;
    tcp_now(t, now);
    if (!init_slabs(t) || !flowtab_init(&t->flows, mem, FLOWS_FIRST) ||
        !flowtab_init(&t->listens, mem, LISTENS_FIRST) || !admit_init(t))
        return TERN_ENOMEM;
    t->due = UINT64_MAX;
    t->predict = true;
    wheel_init(&t->conn_wheel, &t->conns, offsetof(struct conn, timer), t->tick64);
    wheel_init(&t->halfopen_wheel, &t->halfopens, offsetof(struct halfopen, timer), t->tick64);
    wheel_init(&t->listener_wheel, &t->listeners, offsetof(struct listener, timer), t->tick64);
    wheel_init(&t->timewait_wheel, &t->timewaits, offsetof(struct timewait, timer), t->tick64);
    return 0;
}

/* Releases what connections hold outside of the slabs: payload, which may be the caller's. */
static void drop_payload(struct tcp *t)
{
    for (uint32_t ix = 1; ix != 0;) {
        uint32_t budget = UINT32_MAX;
        uint32_t found = slab_scan(&t->conns, ix, &budget, &ix);
        if (found == 0)
            break;
        struct conn *c = conn_at(t, found);
        c->flags &= ~(uint32_t)(CONN_ON_OUT | CONN_ON_EVENTS);
        if (c->flags & CONN_ZOMBIE)
            continue;
        conn_free(t, c);
    }
}

/* And what listeners hold. */
static void drop_keys(struct tcp *t)
{
    for (uint32_t ix = 1; ix != 0;) {
        uint32_t budget = UINT32_MAX;
        uint32_t found = slab_scan(&t->listeners, ix, &budget, &ix);
        if (found != 0)
            md5_listener_free(t, listener_at(t, found));
    }
}

void tcp_destroy(struct tcp *t)
{
    if (t->conns.blocks != NULL)
        drop_payload(t);
    if (t->listeners.blocks != NULL)
        drop_keys(t);
    fastopen_destroy(t);
    admit_destroy(t);
    flowtab_destroy(&t->listens);
    flowtab_destroy(&t->flows);
    slab_destroy(&t->listeners);
    slab_destroy(&t->timewaits);
    slab_destroy(&t->halfopens);
    slab_destroy(&t->conns);
    pool_destroy(&t->accecns);
    pool_destroy(&t->cc_states);
    pool_destroy(&t->rares);
    pool_destroy(&t->md5_keys);
    pool_destroy(&t->stats);
    pool_destroy(&t->sents);
    pool_destroy(&t->actives);
}

/* A deadline of 32 bits can be told from a past one for 2^31 ticks, 4.9 hours. Who is not called
 * for longer (a machine that was suspended) finds that all timers are due, and no more time than
 * that has passed for them. */
void tcp_now(struct tcp *t, uint64_t now)
{
    if (now > t->now) {
        t->now = now;
        uint64_t tick = (t->now >> TICK_SHIFT) - t->skipped;
        if (UNLIKELY(tick - t->tick64 > LEAP_TICKS)) {
            t->skipped += tick - t->tick64 - LEAP_TICKS;
            tick = t->tick64 + LEAP_TICKS;
        }
        t->tick64 = tick;
        t->tick = (uint32_t)tick;
    }
}

static uint64_t next_tick(const struct tcp *t)
{
    uint64_t tick = wheel_next(&t->conn_wheel);
    tick = min_u64(tick, wheel_next(&t->halfopen_wheel));
    tick = min_u64(tick, wheel_next(&t->listener_wheel));
    return min_u64(tick, wheel_next(&t->timewait_wheel));
}

uint32_t tcp_advance(struct tcp *t, uint32_t budget)
{
    uint32_t ix;
    if (LIKELY(t->tick64 < t->due))
        return budget;
    while (budget > 0 && (ix = wheel_expire(&t->conn_wheel, t->tick64)) != 0) {
        timer_fire(t, conn_at(t, ix));
        budget--;
    }
    while (budget > 0 && (ix = wheel_expire(&t->halfopen_wheel, t->tick64)) != 0) {
        halfopen_timer(t, ix);
        budget--;
    }
    while (budget > 0 && (ix = wheel_expire(&t->timewait_wheel, t->tick64)) != 0) {
        timewait_free(t, ix);
        budget--;
    }
    while (budget > 0 && (ix = wheel_expire(&t->listener_wheel, t->tick64)) != 0) {
        admit_timer(t, ix);
        budget--;
    }
    t->due = next_tick(t);
    return budget;
}

uint64_t tcp_next(const struct tcp *t)
{
    return t->due > UINT64_MAX >> TICK_SHIFT ? TERN_NEVER : tick_begins(t, t->due);
}
