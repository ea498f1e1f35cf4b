/* memory.c - the governor: who gets a page when payload memory (tern_config.buf_bytes_max) runs
 * short.
 *
 * What hurts is not use but memory that stands still: text whose owner does not read, data whose
 * peer does not acknowledge, bytes past a hole that nobody fills. A connection moves if within the
 * last second its owner has read, or its peer acknowledged, something; else it stands still. With
 * so much of all payload memory in use,
 *
 *   half       buffers stop growing, donated buffers are copied, and a connection that stands still
 *              gets a page only if it holds none. What it has past a hole is forgotten
 *              (RFC 2018 8 allows it), a few connections looked at a time;
 *   7 eighths  a connection that stands still gets none at all;
 *   always     one that moves holds at most a quarter of what is left, or two pages: something is
 *              always left for the next one;
 *   all        what comes is dropped and counted, what is to be sent waits.
 *
 * What is dropped was not acknowledged, so it comes again. Who stands still keeps what it took
 * while there was plenty, and may have a page each beyond; the rest is for those who move.
 *
 * Windows: all receive buffers together, which bound what is advertised, are at most OVERCOMMIT
 * times that memory. Beyond, a new connection begins with two pages, and none grows. (A buffer that
 * its owner has fixed counts, and is as large as he says.)
 */
#include "tcp/tcp.h"

enum {
    OVERCOMMIT = 16,
    STILL_S = 1,
    LOOKS = 4, /* connections looked at for each page that is asked for */
};

static uint32_t pages_used(const struct tcp *t) { return chunks_used(t->chunks); }

bool memory_tight(const struct tcp *t) { return pages_used(t) > t->chunks->pages_max / 2; }

static bool moves(const struct tcp *t, const struct active *a)
{
    return a->moved_tick != 0 && t->tick - a->moved_tick <= ticks_of(STILL_S * NS_PER_S);
}

bool memory_moving(const struct tcp *t, const struct conn *c)
{
    return c->active != NULL && moves(t, c->active);
}

static uint64_t held(const struct conn *c, const struct active *a)
{
    return (uint64_t)reasm_readable(c, a) + (uint64_t)a->ooo_pages * PAGE_SIZE + bytes_queued(c);
}

bool memory_forgets(const struct tcp *t, const struct active *a)
{
    return a->ooo.count != 0 && memory_tight(t) && !moves(t, a) &&
           t->tick - a->tune_tick > ticks_of(STILL_S * NS_PER_S); /* (else it has hardly begun) */
}

/* Forgets what lies past holes, in those of the next few connections that stand still; but not
 * of the one that asks, whose queues are being worked on. */
static void prune_some(struct tcp *t, const struct conn *asking)
{
    uint32_t budget = LOOKS;
    while (budget > 0) {
        uint32_t ix = slab_scan(&t->conns, t->prune_at, &budget, &t->prune_at);
        if (ix == 0)
            return;
        struct active *a = conn_at(t, ix)->active;
        if (ix == asking->self || a == NULL || !memory_forgets(t, a))
            continue;
        count(t, TERN_COUNT_PRUNED);
        reasm_forget_holes(t, a);
    }
}

bool memory_grants(struct tcp *t, const struct conn *c)
{
    const struct active *a = c->active;
    if (LIKELY(!memory_tight(t)))
        return true;
    prune_some(t, c);
    uint32_t used = pages_used(t), max = t->chunks->pages_max;
    if (used >= max)
        return false;
    uint64_t have = held(c, a);
    if (!moves(t, a))
        return have == 0 && used < max - max / 8;
    return have < max_u64((uint64_t)(max - used) / 4, 2) * PAGE_SIZE;
}

uint32_t memory_rcvbuf(const struct tcp *t)
{
    bool room = t->rcvbufs + t->cfg->rcvbuf <= OVERCOMMIT * (uint64_t)t->cfg->buf_bytes_max;
    return room ? t->cfg->rcvbuf : min_u32(t->cfg->rcvbuf, 2 * PAGE_SIZE);
}

bool memory_rcvbuf_may_grow(const struct tcp *t, uint32_t by)
{
    return !memory_tight(t) && t->rcvbufs + by <= OVERCOMMIT * (uint64_t)t->cfg->buf_bytes_max;
}

void memory_rcvbuf_set(struct tcp *t, struct conn *c, uint32_t bytes)
{
    t->rcvbufs += bytes;
    t->rcvbufs -= c->rcvbuf;
    c->rcvbuf = bytes;
}
