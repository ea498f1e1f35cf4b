/* memory.c - the governor: who gets a page when payload memory (tern_config.buf_bytes_max) runs
 * short.
 *
 * What hurts is not use but memory that stands still: text whose owner does not read, data whose
 * peer does not acknowledge, bytes past a hole that nobody fills. A connection moves if lately (a
 * second counts whole, the one before it half, and so on) its owner has read, and its peer
 * acknowledged, an eighth of what it holds; else it stands still, be it that a byte trickles now
 * and then. With so much of all payload memory in use,
 *
 *   half       buffers stop growing, donated buffers are copied, and a connection that stands still
 *              gets a page only if it holds none. What it has past a hole is given up
 *              (RFC 2018 8 allows it), a few connections looked at a time;
 *   7 eighths  a connection that stands still gets none at all, but for the first page of one of
 *              which nothing has moved yet: who comes now may show that it moves;
 *   15/16      nor does that one;
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
    SECOND = 17, /* 2^17 ticks are one, about */
    SHARE = 8,   /* what has to move of what is held: one part of so many */
    LOOKS = 4,   /* connections looked at for each page that is asked for */
};

static uint32_t pages_used(const struct tcp *t) { return chunks_used(t->chunks); }

bool memory_tight(const struct tcp *t) { return pages_used(t) > t->chunks->pages_max / 2; }

static bool long_ago(const struct tcp *t, uint32_t tick) { return (t->tick - tick) >> SECOND != 0; }

void memory_moves(const struct tcp *t, struct active *a, uint32_t bytes)
{
    a->moved_bytes >>= min_u32((t->tick >> SECOND) - (a->moved_tick >> SECOND), 31);
    a->moved_bytes += min_u32(bytes, UINT32_MAX - a->moved_bytes);
    a->moved_tick = t->tick;
}

static uint64_t held(const struct conn *c, const struct active *a)
{
    return (uint64_t)reasm_readable(c, a) + (uint64_t)a->ooo_pages * PAGE_SIZE + bytes_queued(c);
}

static bool moves(const struct tcp *t, const struct conn *c, const struct active *a)
{
    return a->moved_tick != 0 && !long_ago(t, a->moved_tick) &&
           (uint64_t)a->moved_bytes * SHARE >= held(c, a);
}

bool memory_moving(const struct tcp *t, const struct conn *c)
{
    return c->active != NULL && moves(t, c, c->active);
}

/* Gives up what lies past holes, in those of the next few connections that stand still; but not
 * of the one that asks, whose queues are being worked on, and which does that itself. */
static void prune_some(struct tcp *t, const struct conn *asking)
{
    uint32_t budget = LOOKS;
    while (budget > 0) {
        uint32_t ix = slab_scan(&t->conns, t->prune_at, &budget, &t->prune_at);
        if (ix == 0)
            return;
        const struct conn *c = conn_at(t, ix);
        struct active *a = c->active;
        if (c == asking || a == NULL || moves(t, c, a) || !long_ago(t, a->tune_tick))
            continue; /* (the last: it has hardly begun) */
        while (reasm_give_up(t, a))
            ;
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
    if (!moves(t, c, a))
        return have == 0 && used < max - max / (a->moved_tick != 0 ? 8 : 16);
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
