/* random.c - see random.h. */
#include "lab/random.h"

static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static uint64_t rotate(uint64_t x, unsigned n) { return x << n | x >> (64 - n); }

void lab_random_seed(struct lab_random *r, uint64_t seed)
{
    for (unsigned i = 0; i < 4; i++)
        r->s[i] = splitmix(&seed);
}

uint64_t lab_random_u64(struct lab_random *r)
{
    uint64_t *s = r->s, out = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return out;
}

uint64_t lab_random_below(struct lab_random *r, uint64_t n)
{
    if (n == 0)
        return 0;
    uint64_t surplus = (0 - n) % n, x; /* 2^64 modulo n: so many values are one too many */
    do
        x = lab_random_u64(r);
    while (x < surplus);
    return x % n;
}

bool lab_random_chance(struct lab_random *r, double p)
{
    if (p <= 0)
        return false;
    if (p >= 1)
        return true;
    return (double)(lab_random_u64(r) >> 11) * 0x1p-53 < p;
}

uint64_t lab_random_derive(uint64_t seed, uint64_t part)
{
    uint64_t state = seed;
    state = splitmix(&state) ^ part;
    return splitmix(&state);
}
