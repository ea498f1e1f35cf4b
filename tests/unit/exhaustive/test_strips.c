/* A middlebox that takes options away from SYN and SYN-ACK: every subset of them from the one with
 * every subset from the other (RFC 7323 1.3, RFC 2018 2, RFC 3168 6.1.1). An end uses what both
 * SYNs, as it knows them, had; all arrives in spite of a loss; and each end is innocent by what
 * passes on its side of the middlebox.
 *
 * valgrind: loads the arena at an address that is not aligned as it must be */
#include "unit.h"

#include "base/cksum.h"
#include "net.h"
#include "wire/tcp.h"

enum { MSS, WSCALE, SACK_OK, TIMESTAMPS, ECN, KINDS, SUBSETS = 1 << KINDS };
static const uint8_t kind_number[KINDS] = {2, 3, 4, 8, 0};

struct box {
    uint32_t strip[2]; /* a subset for the SYN, and one for the SYN-ACK */
};

static void sum_again(uint8_t *p, const struct wire_ip *ip)
{
    uint8_t *tcp = p + ip->header_len;
    store_be16(tcp + 16, 0);
    uint64_t sum = wire_pseudo_sum(ip->src, ip->dst, WIRE_TCP, ip->payload_len);
    uint16_t check = cksum_finish(cksum_add(cksum_portable(tcp, ip->payload_len, 0), sum));
    memcpy(tcp + 16, &check, 2);
}

/* NOPs in the place of the options of a subset; ECN is two flags. */
static void strip(void *user, int dir, struct net_packet *p)
{
    const struct box *box = user;
    struct wire_ip ip;
    assert_int_equal(wire_ip_read(p->data, p->len, p->len, &ip), TERN_DROP_NONE);
    uint8_t *tcp = p->data + ip.header_len, *end = tcp + (tcp[12] >> 4) * 4;
    uint32_t subset = box->strip[dir];
    if (!(tcp[13] & TCP_SYN))
        return;
    if (subset & 1 << ECN)
        tcp[13] &= (uint8_t) ~(TCP_ECE | TCP_CWR);
    for (uint8_t *o = tcp + WIRE_TCP_HEADER; o < end;) {
        uint8_t len = o[0] <= 1 ? 1 : o[1];
        for (uint32_t kind = 0; kind < ECN; kind++)
            if (o[0] == kind_number[kind] && subset >> kind & 1)
                memset(o, 1, len);
        o += len;
    }
    sum_again(p->data, &ip);
}

static uint32_t options_of(int end)
{
    static const uint8_t bit[KINDS] = {[WSCALE] = TERN_INFO_WSCALE,
                                       [SACK_OK] = TERN_INFO_SACK,
                                       [TIMESTAMPS] = TERN_INFO_TIMESTAMPS,
                                       [ECN] = TERN_INFO_ECN};
    tern_tcp_info i;
    uint32_t found = 0;
    assert_int_equal(tern_info(net.end[end].s, net.end[end].sock, &i, sizeof(i)), 0);
    for (uint32_t kind = WSCALE; kind < KINDS; kind++)
        found |= (i.options & bit[kind]) != 0 ? 1u << kind : 0;
    return found;
}

static void check_negotiation(const struct box *box)
{
    uint32_t all = SUBSETS - 1 - (1 << MSS), asked = all & ~box->strip[0];
    if (options_of(1) != asked)
        net_wrong("the passive end uses %x, was asked for %x", options_of(1), asked);
    if (options_of(0) != (asked & ~box->strip[1]))
        net_wrong("the active end uses %x of %x", options_of(0), asked & ~box->strip[1]);
}

/* The first data segment of the client and the second of the server get lost. */
static void talk(struct net_config *conf, struct box *box)
{
    net_begin(conf);
    net_flow();
    check_negotiation(box);
    for (int i = 0; i < 4; i++) {
        net_write(0, 60);
        if (i == 0)
            net_drop(0, 0);
        net_write(1, 60);
        if (i == 1)
            net_drop(1, net.wire[1].count - 1);
        net_flow();
    }
    net_finish();
    if (net.why[0] == 0)
        return;
    net_tell();
    fail_msg("SYN without %x, SYN-ACK without %x: %s", box->strip[0], box->strip[1], net.why);
}

static void every_subset(void **state)
{
    struct box box;
    struct net_config conf = {.middlebox = strip, .user = &box};
    (void)state;
    net_config_default(&conf.tern);
    conf.tern.features |= TERN_FEATURE_TIMESTAMPS;
    conf.tern.ecn = 1;
    conf.tern.rcvbuf = conf.tern.rcvbuf_max = 200000; /* with a window scale */
    for (uint32_t syn = 0; syn < SUBSETS; syn++) {
        for (uint32_t synack = 0; synack < SUBSETS; synack += unit_stride(5)) {
            box = (struct box){{syn, synack}};
            talk(&conf, &box);
        }
    }
    net_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_subset)};
    unit_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
