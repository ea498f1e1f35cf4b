#include "flow.h"

#include "../test.h"

struct flow arrived;

struct lab_link *link_of(const struct lab_config *conf)
{
    struct lab_link *l = lab_link_new(conf);
    assert_non_null(l);
    return l;
}

unsigned flow_bits_wrong(const tern_pkt *pkt, uint32_t *number)
{
    static struct packet want;
    const uint8_t *got = pkt->iov[0].base;
    *number = packet_number(got);
    packet_raw(&want, *number, pkt->len);
    unsigned bits = 0;
    for (size_t i = 0; i < pkt->len; i++)
        bits += (unsigned)__builtin_popcount(want.data[i] ^ got[i]);
    return bits;
}

void flow_take(struct lab_link *l, int dir, uint64_t now)
{
    tern_pkt pkts[LAB_BATCH];
    size_t n;
    while ((n = lab_link_receive(l, dir, pkts, LAB_BATCH, now)) != 0) {
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(pkts[i].flags, 0); /* nobody has verified any checksum */
            assert_int_equal(pkts[i].iov_count, 1);
            assert_int_equal(pkts[i].iov[0].len, pkts[i].len);
            uint32_t number;
            arrived.corrupted += flow_bits_wrong(&pkts[i], &number) != 0;
            assert_true(arrived.count < FLOW_MAX);
            arrived.number[arrived.count] = number;
            arrived.at[arrived.count++] = now;
        }
        lab_link_received(l, dir, now);
    }
}

void flow_take_until(struct lab_link *l, int dir, uint64_t now)
{
    uint64_t next;
    while ((next = lab_link_next(l, dir)) <= now && next != TERN_NEVER)
        flow_take(l, dir, next);
}

void flow_run(struct lab_link *l, int dir, uint32_t n, size_t len, uint64_t gap)
{
    static struct packet p;
    arrived.count = 0;
    arrived.corrupted = 0;
    for (uint32_t i = 1; i <= n; i++) {
        flow_take_until(l, dir, i * gap);
        packet_raw(&p, i, len);
        lab_link_send(l, dir, &p.pkt, i * gap);
    }
    flow_take_until(l, dir, TERN_NEVER);
}

void assert_likely(uint64_t count, double n, double p)
{
    double mean = n * p, off = (double)count - mean;
    if (off * off > 25 * n * p * (1 - p))
        fail_msg("%llu of %.0f where %.0f is expected", (unsigned long long)count, n, mean);
}
