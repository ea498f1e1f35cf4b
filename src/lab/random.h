/* random.h - a seeded generator for the laboratory (not for secrets): the same seed, the same
 * world. xoshiro256** by Blackman and Vigna, seeded with splitmix64. */
#ifndef TERN_LAB_RANDOM_H
#define TERN_LAB_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct lab_random {
    uint64_t s[4];
};

void lab_random_seed(struct lab_random *r, uint64_t seed);
uint64_t lab_random_u64(struct lab_random *r);
/* Uniform in [0, n); 0 when n is 0. */
uint64_t lab_random_below(struct lab_random *r, uint64_t n);
/* True with probability p. A p of 0 or less, or of 1 or more, draws nothing. */
bool lab_random_chance(struct lab_random *r, double p);

/* A seed for part number `part` of what has this seed: unrelated for each. */
uint64_t lab_random_derive(uint64_t seed, uint64_t part);

#endif
