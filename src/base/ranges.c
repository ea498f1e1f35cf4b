/* ranges.c - a sorted set of disjoint ranges of sequence numbers. */
#include "base/ranges.h"

uint32_t ranges_find(const struct ranges *r, uint32_t seq)
{
    uint32_t low = 0, high = r->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (seq_geq(r->at[middle].hi, seq))
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

bool ranges_has(const struct ranges *r, uint32_t seq)
{
    uint32_t i = ranges_find(r, seq); /* one that ends there has no neighbour that begins there */
    return i < r->count && seq_in(seq, r->at[i].lo, r->at[i].hi - r->at[i].lo);
}

/* Moves the entries from index `from` on to index `to`. */
static void ranges_move(struct ranges *r, uint32_t to, uint32_t from)
{
    if (from != r->count)
        memmove(r->at + to, r->at + from, (r->count - from) * sizeof(*r->at));
    r->count = r->count - from + to;
}

int ranges_add(struct ranges *r, uint32_t lo, uint32_t hi, void *first, void *last)
{
    TERN_ASSERT(seq_lt(lo, hi));
    uint32_t i = ranges_find(r, lo);
    uint32_t end = i; /* one past the last range to merge with */
    while (end < r->count && seq_leq(r->at[end].lo, hi))
        end++;
    if (end == i) {
        if (r->count == r->cap)
            return -1;
        ranges_move(r, i + 1, i);
        r->at[i] = (struct range){.lo = lo, .hi = hi, .first = first, .last = last};
        return (int)i;
    }
    struct range *to = &r->at[i];
    const struct range *right = &r->at[end - 1];
    if (seq_lt(lo, to->lo)) {
        to->lo = lo;
        to->first = first;
    }
    if (seq_gt(hi, right->hi)) {
        to->hi = hi;
        to->last = last;
    } else {
        to->hi = right->hi;
        to->last = right->last;
    }
    ranges_move(r, i + 1, end);
    return (int)i;
}

void ranges_trim(struct ranges *r, uint32_t seq)
{
    uint32_t i = ranges_find(r, seq + 1);
    ranges_move(r, 0, i);
    if (r->count != 0 && seq_lt(r->at[0].lo, seq))
        r->at[0].lo = seq;
}

void ranges_drop(struct ranges *r, uint32_t i)
{
    TERN_ASSERT(i < r->count);
    ranges_move(r, i, i + 1);
}
