/* test_udp_edges.c - UDP and echoes at their limits: packets in any pieces, sums of zero, all ports
 * taken, more answers and errors than are allowed, fragments that end where pages do. */
#include "udp_net.h"

/* A sum of 0 would say that there is none (RFC 768). */
static void sum_of_zero(void)
{
    tern_sock k = bound(PORT);
    tern_addr to = at(t.peer, PEER);
    memset(data, 0, 2);
    assert_int_equal(tern_udp_send(t.s, k, &to, data, 2), 2);
    hear_datagram(PORT, PEER, 2, 1500);
    memcpy(data, t.packet + t.ip.header_len + 6, 2); /* with which the sum is all ones */
    assert_int_equal(tern_udp_send(t.s, k, &to, data, 2), 2);
    hear_datagram(PORT, PEER, 2, 1500);
    assert_int_equal(load_be16(t.packet + t.ip.header_len + 6), 0xffff);
}

/* The first `len` bytes of `in`, and a few that are no part of it, in pieces of memory. */
static void put_pieces(size_t len, size_t first, size_t second)
{
    size_t sizes[4] = {first, second, len - first - second, 6};
    tern_pkt pkt = {.len = (uint32_t)len + 6, .iface = (uint16_t)t.iface};
    const uint8_t *from = in;
    for (unsigned i = 0; i < 4; i++) {
        uint8_t *copy = malloc(sizes[i] + 1);
        assert_non_null(copy);
        memcpy(copy, from, sizes[i]);
        from += sizes[i];
        if (sizes[i] != 0)
            pkt.iov[pkt.iov_count++] = (tern_iov){copy, sizes[i]};
        else
            free(copy);
    }
    tern_input(t.s, &pkt, 1, t.now);
    for (unsigned i = 0; i < pkt.iov_count; i++)
        free(pkt.iov[i].base);
}

static void datagrams_in_pieces(void)
{
    tern_sock k = bound(PORT);
    size_t len = make(PEER, PORT, 90), ip_len = len - 98;
    for (size_t first = 1; first < len; first++)
        for (size_t second = 0; second < len - first; second += 1 + second / 2) {
            put_pieces(len, first, second);
            expect(k, 90);
        }
    if (t.ip6)
        return;
    memmove(in + 24, in + 20, len - ip_len); /* options that say nothing */
    memset(in + 20, 1, 4);
    in[0] = 0x46;
    store_be16(in + 2, (uint16_t)(len + 4));
    memset(in + 10, 0, 2);
    uint16_t check = cksum_finish(cksum_portable(in, 24, 0));
    memcpy(in + 10, &check, 2);
    for (size_t first = 1; first < len; first++) {
        put_pieces(len + 4, first, 0);
        expect(k, 90);
    }
}

/* All ports are somebody's. */
static void no_port_left(void **state)
{
    enum { FIRST = 32768, LAST = 60999 };
    (void)state;
    tern_sock k, one = {0};
    tern_addr name;
    socks_max = LAST - FIRST + 2;
    start(false);
    for (unsigned port = FIRST; port <= LAST; port++)
        if (port != FIRST + 77)
            (void)bound((uint16_t)port);
        else
            one = bound((uint16_t)port);
    tern_udp_args args = {.local = at(t.ours, 0)};
    assert_int_equal(tern_udp_open(t.s, &k, &args), TERN_EADDRINUSE);
    assert_int_equal(tern_close(t.s, one), 0);
    for (unsigned i = 0; i < 10000; i++) /* it is found, with a little patience */
        if (tern_udp_open(t.s, &k, &args) == 0)
            break;
    assert_int_equal(tern_names(t.s, k, &name, NULL), 0);
    assert_int_equal(name.port, FIRST + 77);
    finish();
    socks_max = 4;
}

/* Whose sum is wrong hears nothing, unless the device says that it is right. */
static void sums_of_echoes(void)
{
    ping(100, true, 0);
    assert_int_equal(drops(TERN_DROP_ICMP_CSUM), 1);
    assert_false(hear());
    ping(100, true, TERN_PKT_CSUM_OK);
    assert_true(hear());
    memset(data, 0, 8);
    memset(data + 4, 0xff, 2);
    ping(8, false, 0);
    assert_true(hear());
    if (!t.ip6) /* of ICMP 0 is a sum as any other */
        assert_int_equal(load_be16(t.packet + t.ip.header_len + 2), 0);
}

/* Answers wait for the device, but not more of them than are allowed; in fragments all or none. */
static void answers_are_limited(void)
{
    unsigned answers = 0;
    for (unsigned i = 0; i < 62; i++)
        ping(100, false, 0);
    ping(5000, false, 0); /* four fragments */
    assert_int_equal(drops(TERN_DROP_REPLIES), 1);
    for (unsigned i = 0; i < 10; i++)
        ping(100, false, 0);
    assert_int_equal(drops(TERN_DROP_REPLIES), 9);
    while (hear())
        answers++;
    assert_int_equal(answers, 64);
    ping(5000, false, 0);
    assert_true(hear());
    while (hear())
        ;
}

/* Errors to many: no more than so many at once, whoever they are. */
static void errors_to_many(void)
{
    tern_pkt pkt;
    unsigned errors = 0;
    uint8_t *byte = &t.peer[t.ip6 ? 6 : 15], was = *byte;
    for (unsigned i = 10; i < 250; i++) {
        *byte = (uint8_t)i;
        put(in, make(PEER, PORT, 20));
        while (tern_output(t.s, t.iface, &pkt, 1, t.now) == 1) {
            tern_output_done(t.s, &pkt, 1);
            errors++;
        }
    }
    *byte = was;
    assert_in_range(errors, 50, 150); /* each costs none, one or two of the fifty there are */
    assert_int_equal(tern_counters_of(t.s)->count[TERN_COUNT_ICMP_LIMITED], 240 - errors);
}

/* What an interface takes that takes everything: that is not told that nobody is there. */
static void for_somebody_else(void)
{
    assert_int_equal(tern_iface_promiscuous(t.s, t.iface, true), 0);
    t.ours[15] ^= 0x40;
    put(in, make(PEER, PORT, 100));
    t.ours[15] ^= 0x40;
    assert_int_equal(drops(TERN_DROP_UDP_CLOSED), 1);
    assert_false(hear());
}

/* One after the other, as many at a time as are asked for. */
static void events_of_several(void)
{
    tern_sock k[3];
    tern_event ev[3];
    int64_t ttl;
    for (uint16_t i = 0; i < 3; i++) {
        k[i] = bound((uint16_t)(PORT + i));
        expect_nothing(k[i]);
        put(in, make(PEER, (uint16_t)(PORT + i), 10));
    }
    assert_int_equal(tern_events(t.s, ev, 1), 1);
    assert_int_equal(ev[0].sock.id, k[0].id);
    assert_int_equal(tern_events(t.s, ev, 3), 2);
    assert_true(ev[0].sock.id == k[1].id && ev[1].sock.id == k[2].id);
    assert_int_equal(tern_option_get(t.s, k[0], TERN_OPT_TTL, &ttl), 0);
    assert_int_equal(ttl, 64);
}

/* Fragments that end where pages of the buffer do; and more of them than there are records for. */
static void fragments_of_pages(void)
{
    tern_sock k = bound(PORT);
    tern_addr to = at(t.peer, PEER);
    t.link.mtu = (uint16_t)((t.ip6 ? 48 : 20) + HEADER + 4096);
    assert_int_equal(tern_iface_change(t.s, t.iface, &t.link), 0);
    assert_int_equal(tern_udp_send(t.s, k, &to, data, 20000), 20000);
    assert_int_equal(hear_datagram(PORT, PEER, 20000, t.link.mtu), 5);
    t.link.mtu = 1500;
    assert_int_equal(tern_iface_change(t.s, t.iface, &t.link), 0);
    for (unsigned i = 0; i < 120; i++)
        assert_int_equal(tern_udp_send(t.s, k, &to, data, 10), 10);
    assert_int_equal(tern_udp_send(t.s, k, &to, data, 20000), TERN_EAGAIN);
    for (unsigned i = 0; i < 120; i++)
        hear_datagram(PORT, PEER, 10, 1500);
    assert_int_equal(tern_udp_send(t.s, k, &to, data, 20000), 20000);
    assert_int_equal(hear_datagram(PORT, PEER, 20000, 1500), 14);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_port_left), UDP(sum_of_zero),
        UDP(datagrams_in_pieces),       UDP(sums_of_echoes),
        UDP(answers_are_limited),       UDP(errors_to_many),
        UDP(for_somebody_else),         UDP(events_of_several),
        UDP(fragments_of_pages),
    };
    unit_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
