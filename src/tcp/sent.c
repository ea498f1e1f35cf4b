/* sent.c - records of what is in flight: one for each transmitted segment or super-segment, in
 * sequence order. SACK splits them and marks them, loss detection marks them, retransmission takes
 * the marks off. The two byte counts of the working block (sacked, lost) always equal the sums over
 * the records' marks; a record is never both.
 *
 * A record that a device still holds is never split and never sent again; when it is acknowledged
 * meanwhile it leaves the list and is freed when the device is done.
 */
#include "tcp/tcp.h"

uint32_t sent_append(struct tcp *t, struct active *a, uint32_t lo, uint32_t hi, uint32_t chunk)
{
    uint32_t ix = slab_alloc(&t->sents);
    if (ix == 0)
        return 0;
    struct sent *r = sent_at(t, ix);
    r->lo = lo;
    r->hi = hi;
    r->chunk = chunk;
    r->time = r->first_time = t->now;
    r->delivered = a->delivered;
    r->flags = SENT_QUEUED;
    r->prev = a->sent_tail;
    if (a->sent_tail != 0)
        sent_at(t, a->sent_tail)->next = ix;
    else
        a->sent_head = ix;
    a->sent_tail = ix;
    return ix;
}

/* The chunk that holds sequence number `seq`, walking from that of the record. */
static uint32_t chunk_of(const struct tcp *t, const struct conn *c, uint32_t chunk, uint32_t seq)
{
    uint32_t offset = seq - c->iss - 1;
    while (chunk != 0) {
        const struct chunk *k = chunk_at(t->chunks, chunk);
        if (offset - k->seq < k->len)
            return chunk;
        chunk = k->next;
    }
    return 0; /* the FIN's number is in no chunk */
}

uint32_t sent_split(struct tcp *t, const struct conn *c, struct active *a, uint32_t ix,
                    uint32_t seq)
{
    struct sent *r = sent_at(t, ix);
    TERN_ASSERT(seq != r->lo && seq_in(seq, r->lo, sent_len(r)));
    if (r->in_device != 0)
        return 0;
    uint32_t right = slab_alloc(&t->sents);
    if (right == 0)
        return 0;
    struct sent *n = sent_at(t, right);
    *n = *r;
    n->lo = seq;
    n->chunk = chunk_of(t, c, r->chunk, seq);
    r->hi = seq;
    r->flags &= (uint8_t)~SENT_FIN;
    n->prev = ix;
    r->next = right;
    if (n->next != 0)
        sent_at(t, n->next)->prev = right;
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

void sent_remove(struct tcp *t, struct active *a, uint32_t ix)
{
    struct sent *r = sent_at(t, ix);
    sent_unmark(a, r, SENT_SACKED);
    sent_unmark(a, r, SENT_LOST);
    if (r->prev != 0)
        sent_at(t, r->prev)->next = r->next;
    else
        a->sent_head = r->next;
    if (r->next != 0)
        sent_at(t, r->next)->prev = r->prev;
    else
        a->sent_tail = r->prev;
    r->flags &= (uint8_t)~SENT_QUEUED;
    if (r->in_device == 0)
        slab_free(&t->sents, ix);
}

void sent_clear(struct tcp *t, struct active *a)
{
    while (a->sent_head != 0)
        sent_remove(t, a, a->sent_head);
}

/* Whether `b` may become part of `a`, its left neighbour. */
static bool joinable(const struct sent *a, const struct sent *b)
{
    return a->flags & SENT_SACKED && b->flags & SENT_SACKED && a->in_device == 0 &&
           b->in_device == 0;
}

static void join_next(struct tcp *t, struct active *a, uint32_t ix)
{
    struct sent *r = sent_at(t, ix);
    uint32_t right = r->next;
    struct sent *n = sent_at(t, right);
    uint32_t len = sent_len(n);
    r->hi = n->hi;
    r->flags |= n->flags & (SENT_FIN | SENT_RETRANS);
    a->sacked += len; /* sent_remove() takes it off again */
    sent_remove(t, a, right);
}

uint32_t sent_merge(struct tcp *t, struct active *a, uint32_t ix)
{
    struct sent *r = sent_at(t, ix);
    while (r->next != 0 && joinable(r, sent_at(t, r->next)))
        join_next(t, a, ix);
    if (r->prev != 0 && joinable(sent_at(t, r->prev), r)) {
        ix = r->prev;
        join_next(t, a, ix);
    }
    return ix;
}

void sent_done(struct tcp *t, uint32_t ix)
{
    struct sent *r = sent_at(t, ix);
    TERN_ASSERT(r->in_device != 0);
    if (--r->in_device == 0 && !(r->flags & SENT_QUEUED))
        slab_free(&t->sents, ix);
}
