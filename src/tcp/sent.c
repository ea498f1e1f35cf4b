/* sent.c - records of what is in flight: one for each transmitted segment or super-segment, in
 * sequence order. SACK splits them and marks them, loss detection marks them, retransmission takes
 * the marks off. The two byte counts of the working block (sacked, lost) always equal the sums over
 * the records' marks; a record is never both.
 *
 * A record that a device still holds is never split and never sent again; when it is acknowledged
 * meanwhile it leaves the list and is freed when the device is done.
 */
#include "tcp/tcp.h"

struct sent *sent_append(struct tcp *t, struct active *a, uint32_t lo, uint32_t hi)
{
    struct sent *r = pool_take(&t->sents);
    if (r == NULL)
        return NULL;
    *r = (struct sent){.prev = a->sent_tail,
                       .lo = lo,
                       .hi = hi,
                       .time = t->now,
                       .delivered = (uint32_t)a->delivered,
                       .flags = SENT_QUEUED};
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
    if (r->in_device != 0)
        return NULL;
    struct sent *right = pool_take(&t->sents);
    if (right == NULL)
        return NULL;
    *right = *r;
    right->lo = seq;
    right->chunk = chunk_of(c, r->chunk, seq);
    r->hi = seq;
    r->flags &= (uint8_t)~SENT_FIN;
    right->prev = r;
    r->next = right;
    if (right->next != NULL)
        right->next->prev = right;
    else
        a->sent_tail = right;
    return right;
}

void sent_mark(struct active *a, struct sent *r, uint8_t flag)
{
    if (r->flags & flag)
        return;
    r->flags |= flag;
    *(flag == SENT_SACKED ? &a->sacked : &a->lost) += sent_len(r);
}

void sent_unmark(struct active *a, struct sent *r, uint8_t flag)
{
    if (!(r->flags & flag))
        return;
    r->flags &= (uint8_t)~flag;
    *(flag == SENT_SACKED ? &a->sacked : &a->lost) -= sent_len(r);
}

void sent_remove(struct tcp *t, struct active *a, struct sent *r)
{
    sent_unmark(a, r, SENT_SACKED);
    sent_unmark(a, r, SENT_LOST);
    if (r->prev != NULL)
        r->prev->next = r->next;
    else
        a->sent_head = r->next;
    if (r->next != NULL)
        r->next->prev = r->prev;
    else
        a->sent_tail = r->prev;
    r->flags &= (uint8_t)~SENT_QUEUED;
    if (r->in_device == 0)
        pool_give(&t->sents, r);
}

void sent_clear(struct tcp *t, struct active *a)
{
    while (a->sent_head != NULL)
        sent_remove(t, a, a->sent_head);
}

/* Whether `b` may become part of `a`, its left neighbour. */
static bool joinable(const struct sent *a, const struct sent *b)
{
    return a->flags & SENT_SACKED && b->flags & SENT_SACKED && a->in_device == 0 &&
           b->in_device == 0;
}

static void join_next(struct tcp *t, struct active *a, struct sent *r)
{
    struct sent *right = r->next;
    r->hi = right->hi;
    r->flags |= right->flags & (SENT_FIN | SENT_RETRANS);
    a->sacked += sent_len(right); /* sent_remove() takes it off again */
    sent_remove(t, a, right);
}

struct sent *sent_merge(struct tcp *t, struct active *a, struct sent *r)
{
    while (r->next != NULL && joinable(r, r->next))
        join_next(t, a, r);
    if (r->prev != NULL && joinable(r->prev, r)) {
        r = r->prev;
        join_next(t, a, r);
    }
    return r;
}

void sent_done(struct tcp *t, struct sent *r)
{
    TERN_ASSERT(r->in_device != 0);
    if (--r->in_device == 0 && !(r->flags & SENT_QUEUED))
        pool_give(&t->sents, r);
}
