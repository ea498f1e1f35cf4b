/* orphan.c - connections that nobody looks after.
 *
 * An orphan is one whose owner has closed it, and whose peer has still something to do: to
 * acknowledge what was queued and our FIN (FIN-WAIT-1, CLOSING, LAST-ACK), or to close as well
 * (FIN-WAIT-2). Who never does it would pin memory, so there is an end to it:
 *
 *   fin_wait2    FIN-WAIT-2 lasts so long (TERN_OPT_FIN_WAIT2)
 *   orphan       in the other states: nothing was acknowledged for so long, though the peer may
 *                answer to probes of its window for ever
 *   orphans_max  over it one of the oldest goes: preferably one to whom all is acknowledged, or who
 *                has acknowledged nothing for a second
 *
 * And one whose owner has forgotten it: the peer has closed, and the owner does not (CLOSE-WAIT).
 * With close_wait (TERN_OPT_CLOSE_WAIT) it is reset when for so long nothing was read, and nothing
 * acknowledged.
 */
#include "tcp/tcp.h"

enum { ORPHAN_LOOKS = 8 }; /* of the oldest, before one goes whatever it does */

static void unlink_orphan(struct tcp *t, const struct conn *c)
{
    if (c->orphan_newer != 0)
        conn_at(t, c->orphan_newer)->orphan_older = c->orphan_older;
    else
        t->orphan_newest = c->orphan_older;
    if (c->orphan_older != 0)
        conn_at(t, c->orphan_older)->orphan_newer = c->orphan_newer;
    else
        t->orphan_oldest = c->orphan_newer;
    t->orphans--;
}

/* (There is always an older one than who has just come.) */
static void make_room(struct tcp *t)
{
    struct conn *c = conn_at(t, t->orphan_oldest);
    for (uint32_t i = 0, ix = t->orphan_oldest; i < ORPHAN_LOOKS && ix != t->orphan_newest; i++) {
        struct conn *at = conn_at(t, ix);
        if (at->state == TERN_FIN_WAIT_2 || !memory_moving(t, at)) {
            c = at;
            break;
        }
        ix = at->orphan_newer;
    }
    count(t, TERN_COUNT_ORPHANS_RECYCLED);
    conn_reset(t, c, TERN_ELIMIT);
}

void orphan_mark(struct tcp *t, struct conn *c)
{
    c->flags |= CONN_ORPHAN;
    if (c->state == TERN_CLOSED)
        return;
    c->orphan_newer = 0;
    c->orphan_older = t->orphan_newest;
    if (c->orphan_older != 0)
        conn_at(t, c->orphan_older)->orphan_newer = c->self;
    else
        t->orphan_oldest = c->self;
    t->orphan_newest = c->self;
    t->orphans++;
}

void orphan_over(struct tcp *t, const struct conn *c)
{
    if (c->flags & CONN_ORPHAN && c->state != TERN_CLOSED)
        unlink_orphan(t, c);
}

static void patience(struct tcp *t, struct conn *c, uint64_t ns)
{
    c->t_close = ns != 0 ? tick_after(t, ns) : 0;
    if (ns != 0)
        timer_arm(t, c, c->t_close);
}

bool orphan_fin_wait2(struct tcp *t, struct conn *c)
{
    uint32_t own = conn_rare_of(c) != NULL ? conn_rare_of(c)->fin_wait2_ms : 0;
    if (own == UINT32_MAX) {
        conn_reset(t, c, TERN_ETIMEDOUT);
        return false;
    }
    patience(t, c, own != 0 ? own * NS_PER_MS : t->cfg->fin_wait2);
    return true;
}

bool orphan_begin(struct tcp *t, struct conn *c)
{
    orphan_mark(t, c);
    if (t->orphans > t->cfg->orphans_max)
        make_room(t);
    if (c->state == TERN_FIN_WAIT_2)
        return orphan_fin_wait2(t, c);
    patience(t, c, t->cfg->orphan);
    return true;
}

static uint64_t close_wait_of(const struct tcp *t, const struct conn *c)
{
    uint32_t own = conn_rare_of(c) != NULL ? conn_rare_of(c)->close_wait_ms : 0;
    return own == UINT32_MAX ? 0 : own != 0 ? own * NS_PER_MS : t->cfg->close_wait;
}

void orphan_close_wait(struct tcp *t, struct conn *c) { patience(t, c, close_wait_of(t, c)); }

bool orphan_fires(struct tcp *t, struct conn *c)
{
    uint64_t limit = c->state == TERN_CLOSE_WAIT ? close_wait_of(t, c)
                     : c->flags & CONN_ORPHAN    ? t->cfg->orphan
                                                 : 0; /* (it was in CLOSE-WAIT) */
    const struct active *a = c->active;
    uint32_t quiet = a != NULL && a->moved_tick != 0 ? t->tick - a->moved_tick : UINT32_MAX;
    if (limit == 0)
        return false;
    if (a != NULL && !a->persist && c->retries != 0 && c->state != TERN_CLOSE_WAIT) {
        patience(t, c, limit); /* nothing is answered at all: R2 says how long */
        return false;
    }
    if (quiet < ticks_of(limit)) { /* it goes on, if slowly: from then on */
        patience(t, c, limit - ((uint64_t)quiet << TICK_SHIFT));
        return false;
    }
    count(t, TERN_COUNT_ORPHANS_EXPIRED);
    conn_reset(t, c, TERN_ETIMEDOUT);
    return true;
}
