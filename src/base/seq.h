/* seq.h - serial-number arithmetic modulo 2^32 (RFC 9293 3.4, RFC 1982).
 *
 * Two numbers compare sensibly when less than 2^31 apart. A test for "inside" must never be made
 * of two such comparisons (each may be true for a number on the far side of the circle): use
 * seq_in().
 */
#ifndef TERN_BASE_SEQ_H
#define TERN_BASE_SEQ_H

#include <stdbool.h>
#include <stdint.h>

static inline bool seq_lt(uint32_t a, uint32_t b) { return (int32_t)(a - b) < 0; }
static inline bool seq_leq(uint32_t a, uint32_t b) { return (int32_t)(a - b) <= 0; }
static inline bool seq_gt(uint32_t a, uint32_t b) { return (int32_t)(a - b) > 0; }
static inline bool seq_geq(uint32_t a, uint32_t b) { return (int32_t)(a - b) >= 0; }

/* a is one of the `len` numbers lo, lo+1, ..., lo+len-1. */
static inline bool seq_in(uint32_t a, uint32_t lo, uint32_t len) { return a - lo < len; }

/* lo <= a <= hi, where hi is at or after lo on the circle. */
static inline bool seq_between(uint32_t a, uint32_t lo, uint32_t hi) { return a - lo <= hi - lo; }

static inline uint32_t seq_max(uint32_t a, uint32_t b) { return seq_lt(a, b) ? b : a; }
static inline uint32_t seq_min(uint32_t a, uint32_t b) { return seq_lt(a, b) ? a : b; }

#endif
