/* ranges.h - a sorted set of disjoint, non-touching ranges of sequence numbers.
 *
 * It lives in an array the caller provides and holds at most `cap` ranges; all of them lie within
 * 2^31 of each other. Each range carries two tags of the caller's, one that belongs to its left
 * edge and one to its right edge; when ranges merge, the outer tags stay.
 *
 * Finding is a binary search; adding and removing move at most `cap` entries.
 *
 * Invariant: for each i: lo[i] < hi[i] < lo[i+1], in sequence order.
 */
#ifndef TERN_BASE_RANGES_H
#define TERN_BASE_RANGES_H

#include "base/seq.h"
#include "base/util.h"

struct range {
    uint32_t lo, hi;    /* [lo, hi) */
    void *first, *last; /* tags of the left and of the right edge */
};

struct ranges {
    struct range *at;
    uint32_t count, cap;
};

/* The first range with hi >= seq (it holds seq, touches it, or lies to its right); count when
 * there is none. */
uint32_t ranges_find(const struct ranges *r, uint32_t seq);

/* Whether `seq` is in one of them. */
bool ranges_has(const struct ranges *r, uint32_t seq);

/* Adds [lo, hi) with lo != hi, merging what it overlaps or touches. When nothing is there to merge
 * with, the new range takes both tags; where it sticks out to the left or right of what it merges
 * with, it gives that edge its tag. Returns the index of the range that now holds it, or -1 when
 * the set is full (nothing has changed). */
int ranges_add(struct ranges *r, uint32_t lo, uint32_t hi, void *first, void *last);

/* Removes all numbers below `seq`. Tags of a range that is cut stay. */
void ranges_trim(struct ranges *r, uint32_t seq);

/* Removes the range at index `i`. */
void ranges_drop(struct ranges *r, uint32_t i);

#endif
