/* flow.h - a fixture: a run of numbered packets over a link, and what arrived of them. */
#ifndef TERN_TEST_FLOW_H
#define TERN_TEST_FLOW_H

#include "lab/link.h"
#include "packets.h"

#define MS UINT64_C(1000000)
enum { MANY = 100000, SIZE = 100, FLOW_MAX = 4 * MANY };

struct flow {
    uint32_t number[FLOW_MAX]; /* in the order of arrival */
    uint64_t at[FLOW_MAX];
    size_t count;
    uint32_t corrupted; /* arrived with a bit flipped */
};
extern struct flow arrived;

/* As lab_link_new(), which must succeed. */
struct lab_link *link_of(const struct lab_config *conf);
/* Takes what arrives at `now`. */
void flow_take(struct lab_link *l, int dir, uint64_t now);
/* Takes all that arrives until `now`, each at its time. */
void flow_take_until(struct lab_link *l, int dir, uint64_t now);
/* Sends packets 1 to `n` of `len` bytes, one each `gap` ns from time `gap` on, and takes all. */
void flow_run(struct lab_link *l, int dir, uint32_t n, size_t len, uint64_t gap);
/* Bits that differ from what packet_raw() made; *number: which packet it is. */
unsigned flow_bits_wrong(const tern_pkt *pkt, uint32_t *number);
/* A count of `n` things of probability `p` lies within five standard deviations. */
void assert_likely(uint64_t count, double n, double p);

#endif
