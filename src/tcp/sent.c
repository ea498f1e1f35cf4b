/* sent.c - records of what is in flight: one for each transmitted segment or super-segment, in
 * sequence order. SACK splits them and marks them, loss detection marks them, retransmission takes
 * the marks off. The three byte counts of the working block (sacked, lost, retrans) always equal
 * the sums over the records' marks; a record has at most one of the three.
 *
 * A record that a device still holds is never split and never sent again; when it is acknowledged
 * meanwhile it leaves the list and is freed when the device is done.
 *
 * The list is linked one way. Three places in it are kept in the working block (lost_from, sack_at,
 * rack_at), so that no acknowledgement has to begin at the head; whatever takes a record out of the
 * list moves them off it.
 *
 * Where the congestion window counts segments, a fourth sum is kept: of what the records that are
 * in flight lack of whole segments (sent_slack()). Whatever changes a record takes its part out
 * before and puts it in again.
 */
#include "tcp/tcp.h"

/* ---- coarse numbers: eleven bits and a power of two, true to a two-thousandth ---------------- */

static uint16_t coarse(uint64_t n)
{
    uint32_t v = (uint32_t)min_u64(n, UINT32_MAX);
    if (v < 1u << 11)
        return (uint16_t)v;
    uint32_t shift = 21 - (uint32_t)__builtin_clz(v); /* leaves eleven bits */
    return (uint16_t)((shift + 1) << 10 | (v >> shift & 0x3ff));
}

uint32_t sent_exact(uint16_t n)
{
    if (n < 1u << 11)
        return n;
    return ((n & 0x3ffu) | 0x400) << (((uint32_t)n >> 10) - 1);
}

/* ---- what small segments lack ---------------------------------------------------------------- */

static bool flies(const struct sent *r) { return (r->flags & (SENT_SACKED | SENT_LOST)) == 0; }

static void slack_out(struct active *a, const struct sent *r)
{
    if (flies(r))
        a->slack -= sent_slack(a, r);
}

static void slack_in(struct active *a, const struct sent *r)
{
    if (flies(r))
        a->slack += sent_slack(a, r);
}

void sent_slack_begin(const struct tcp *t, const struct conn *c, struct active *a)
{
    a->slack_mss = like_linux(t) ? c->mss : 0;
    a->slack = 0;
    for (const struct sent *r = a->sent_head; r != NULL && a->slack_mss != 0; r = r->next)
        slack_in(a, r);
}

/* ---- making ---------------------------------------------------------------------------------- */

void sent_stamp(const struct tcp *t, const struct conn *c, struct active *a, struct sent *r)
{
    r->time = pace_departs(t, a);
    if (c->snd_una == c->snd_nxt) /* nothing was in flight: a new flight begins */
        a->flight_sent = a->delivered_at = r->time;
    r->delivered = (uint32_t)a->delivered;
    r->lost = a->lost_total;
    if (!rate_wanted(t, c))
        return;
    r->flight = coarse(in_flight(c, a) + (r->flags & SENT_AGAIN ? 0 : sent_len(r)));
    r->since_ack = coarse((r->time - min_u64(r->time, a->delivered_at)) / NS_PER_US);
    r->since_sent = coarse((r->time - min_u64(r->time, a->flight_sent)) / NS_PER_US);
    r->flags &= (uint16_t)~SENT_APP_LIMITED;
    if (a->app_limited)
        r->flags |= SENT_APP_LIMITED;
}

struct sent *sent_append(struct tcp *t, struct active *a, uint32_t lo, uint32_t hi)
{
    struct sent *r = pool_take(&t->sents);
    if (r == NULL)
        return NULL;
    *r = (struct sent){.lo = lo, .hi = hi, .time = t->now, .flags = SENT_QUEUED};
    if (a->sent_tail != NULL)
        a->sent_tail->next = r;
    else
        a->sent_head = r;
    a->sent_tail = r;
    return r;
}

/* The chunk that holds sequence number `seq`, walking on from one before it. */
static struct chunk *chunk_of(const struct conn *c, struct chunk *chunk, uint32_t seq)
{
    uint32_t offset = seq - c->iss - 1;
    while (chunk != NULL && offset - chunk->seq >= chunk->len)
        chunk = chunk->next;
    return chunk; /* NULL: the FIN's number is in no chunk */
}

struct sent *sent_split(struct tcp *t, const struct conn *c, struct active *a, struct sent *r,
                        uint32_t seq)
{
    TERN_ASSERT(seq != r->lo && seq_in(seq, r->lo, sent_len(r)));
    if (r->flags & SENT_IN_DEVICE)
        return NULL;
    struct sent *right = pool_take(&t->sents);
    if (right == NULL)
        return NULL;
    *right = *r;
    right->lo = seq;
    right->chunk = chunk_of(c, r->chunk, seq);
    slack_out(a, r);
    r->hi = seq;
    r->flags &= (uint16_t) ~(SENT_FIN | SENT_PUSHED | SENT_RECORD);
    r->next = right;
    if (right->next == NULL)
        a->sent_tail = right;
    slack_in(a, r);
    slack_in(a, right);
    return right;
}

void sent_cut(const struct conn *c, struct active *a, struct sent *r, uint32_t seq)
{
    uint16_t mark = r->flags & SENT_MARKS;
    sent_unmark(a, r);
    slack_out(a, r);
    r->lo = seq;
    r->chunk = chunk_of(c, r->chunk, seq);
    slack_in(a, r);
    if (mark != 0)
        sent_mark(a, r, mark);
}

/* ---- marks ----------------------------------------------------------------------------------- */

static uint32_t *sum_of(struct active *a, uint16_t mark)
{
    return mark == SENT_SACKED ? &a->sacked : mark == SENT_LOST ? &a->lost : &a->retrans;
}

void sent_unmark(struct active *a, struct sent *r)
{
    uint16_t mark = r->flags & SENT_MARKS;
    if (mark == 0)
        return;
    *sum_of(a, mark) -= sent_len(r);
    slack_out(a, r);
    r->flags &= (uint16_t)~SENT_MARKS;
    slack_in(a, r);
}

void sent_mark(struct active *a, struct sent *r, uint16_t mark)
{
    sent_unmark(a, r);
    if (mark == SENT_LOST &&
        (a->lost == 0 || (a->lost_from != NULL && seq_lt(r->lo, a->lost_from->lo))))
        a->lost_from = r;
    *sum_of(a, mark) += sent_len(r);
    slack_out(a, r);
    r->flags |= mark;
    slack_in(a, r);
}

/* ---- leaving the list ------------------------------------------------------------------------ */

static void forget(struct tcp *t, struct active *a, struct sent *r, struct sent *heir)
{
    if (a->lost_from == r)
        a->lost_from = heir;
    if (a->sack_at == r)
        a->sack_at = heir;
    if (a->rack_at == r)
        a->rack_at = heir;
    r->flags &= (uint16_t)~SENT_QUEUED;
    if (!(r->flags & SENT_IN_DEVICE))
        pool_give(&t->sents, r);
}

void sent_pop(struct tcp *t, struct active *a)
{
    struct sent *r = a->sent_head;
    sent_unmark(a, r);
    slack_out(a, r);
    a->sent_head = r->next;
    if (r->next == NULL)
        a->sent_tail = NULL;
    forget(t, a, r, NULL);
}

void sent_clear(struct tcp *t, struct active *a)
{
    while (a->sent_head != NULL)
        sent_pop(t, a);
}

bool sent_join(struct tcp *t, struct active *a, struct sent *r)
{
    struct sent *right = r->next;
    if (right == NULL || !(r->flags & right->flags & SENT_SACKED) ||
        (r->flags | right->flags) & SENT_IN_DEVICE || sent_slack(a, r) != 0)
        return false; /* (of small ones the number would be lost) */
    r->hi = right->hi;
    r->flags |= right->flags & (SENT_FIN | SENT_RETRANS | SENT_PUSHED | SENT_RECORD);
    r->next = right->next;
    if (r->next == NULL)
        a->sent_tail = r;
    right->flags &= (uint16_t)~SENT_MARKS; /* its bytes are counted in `r` now */
    forget(t, a, right, r);
    return true;
}

bool sent_merge(struct tcp *t, struct active *a, struct sent *r)
{
    struct sent *right = r->next;
    uint16_t mark = r->flags & SENT_MARKS;
    if ((r->flags | right->flags) & SENT_IN_DEVICE)
        return false;
    sent_unmark(a, right);
    slack_out(a, right);
    sent_unmark(a, r);
    slack_out(a, r);
    r->hi = right->hi;
    r->flags |= right->flags & (SENT_FIN | SENT_RETRANS | SENT_PUSHED | SENT_RECORD);
    slack_in(a, r);
    if (mark != 0)
        sent_mark(a, r, mark);
    r->next = right->next;
    if (r->next == NULL)
        a->sent_tail = r;
    forget(t, a, right, r);
    return true;
}

void sent_done(struct tcp *t, struct sent *r)
{
    TERN_ASSERT(r->flags & SENT_IN_DEVICE);
    r->flags &= (uint16_t)~SENT_IN_DEVICE;
    if (!(r->flags & SENT_QUEUED))
        pool_give(&t->sents, r);
}
