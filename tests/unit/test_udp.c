/* test_udp.c - UDP through a whole stack, in both families: who gets a datagram, checksums, errors
 * of ICMP in both directions, fragments both ways, path MTU, buffers and events. */
#include "udp_net.h"

/* ---- there and back -------------------------------------------------------------------------- */

static void there_and_back(void)
{
    tern_sock k = bound(PORT);
    tern_addr to = at(t.peer, PEER), names[2];
    tern_udp_info info;
    for (unsigned len = 0; len < 1400; len += 1 + len / 3) {
        assert_int_equal(tern_udp_send(t.s, k, &to, data, len), len);
        assert_int_equal(hear_datagram(PORT, PEER, len, 1500), 1);
        put(in, make(PEER, PORT, len));
        assert_int_equal(tern_udp_recv(t.s, k, got, MOST, &info), len);
        assert_memory_equal(got, data, len);
        assert_memory_equal(info.from.ip, t.peer, 16);
        assert_memory_equal(info.to.ip, t.ours, 16);
        assert_int_equal(info.from.port, PEER);
        assert_int_equal(info.to.port, PORT);
        assert_int_equal(info.ttl, 17);
        assert_int_equal(info.tos, 8);
    }
    expect_nothing(k);
    assert_int_equal(tern_names(t.s, k, &names[0], &names[1]), 0);
    assert_int_equal(names[0].port, PORT);
    assert_int_equal(names[1].port, 0);
    assert_int_equal(tern_udp_send(t.s, k, NULL, data, 1), TERN_ENOTCONN);
    assert_int_equal(tern_udp_send(t.s, k, &to, data, t.ip6 ? 65528 : 65508), TERN_EMSGSIZE);
    tern_addr mine = at(t.ours, PEER);
    assert_int_equal(tern_udp_send(t.s, k, &mine, data, 1), TERN_EINVAL);
    assert_int_equal(tern_close(t.s, k), 0);
    assert_int_equal(tern_udp_send(t.s, k, &to, data, 1), TERN_ESTALE);
    assert_int_equal(tern_close(t.s, k), TERN_ESTALE);
}

/* A shorter buffer than the datagram: the rest is lost, the next one is whole. */
static void cut_off(void)
{
    tern_sock k = bound(PORT);
    put(in, make(PEER, PORT, 1000));
    put(in, make(PEER, PORT, 5));
    assert_int_equal(tern_udp_recv(t.s, k, got, 10, NULL), 1000);
    assert_memory_equal(got, data, 10);
    expect(k, 5);
    expect_nothing(k);
}

/* Datagrams of all sizes across pages, more than are read at once. */
static void queue_keeps_all(void)
{
    tern_sock k = bound(PORT);
    size_t size[64];
    for (unsigned round = 0; round < 40; round++) {
        unsigned n = 1 + unit_below(20);
        for (unsigned i = 0; i < n; i++) {
            size[i] = unit_below(1400);
            put(in, make(PEER, PORT, size[i]));
        }
        for (unsigned i = 0; i < n; i++)
            expect(k, size[i]);
        expect_nothing(k);
        tern_memory m;
        tern_memory_of(t.s, &m);
        assert_int_equal(m.pages, 0);
    }
}

/* ---- who gets it ----------------------------------------------------------------------------- */

static void who_gets_it(void)
{
    static const uint8_t zero[16];
    uint8_t any4[16] = {[10] = 0xff, 0xff};
    const uint8_t *any = t.ip6 ? zero : any4;
    tern_sock k;
    tern_udp_args args = {.local = at(any, PORT)};
    tern_sock anywhere = opened(&args), here = bound(PORT);
    assert_int_equal(tern_udp_open(t.s, &k, &args), TERN_EADDRINUSE);
    args = (tern_udp_args){.local = at(t.ours, PORT), .peer = at(t.peer, PEER)};
    tern_sock one = opened(&args); /* passes by `here`, then stands beside it */
    put(in, make(PEER, PORT, 1));
    put(in, make(PEER + 1, PORT, 2));
    expect(one, 1);
    expect(here, 2);
    assert_int_equal(tern_close(t.s, here), 0);
    put(in, make(PEER + 1, PORT, 3));
    expect(anywhere, 3);
    expect_nothing(one);
    assert_int_equal(tern_udp_connect(t.s, one, NULL), 0); /* at our address, for everybody */
    put(in, make(PEER + 1, PORT, 4));
    expect(one, 4);
    assert_int_equal(tern_udp_send(t.s, one, NULL, data, 1), TERN_ENOTCONN);
    assert_int_equal(tern_close(t.s, one), 0);
    /* IPv6 only: not for IPv4 */
    assert_int_equal(tern_close(t.s, anywhere), 0);
    args = (tern_udp_args){.local = {.port = PORT}, .flags = TERN_UDP_IP6_ONLY};
    tern_sock six = opened(&args);
    put(in, make(PEER, PORT, 6));
    if (t.ip6)
        expect(six, 6);
    else
        expect_nothing(six);
    tern_addr to = at(t.peer, PEER);
    assert_int_equal(tern_udp_send(t.s, six, &to, data, 1), t.ip6 ? 1 : TERN_EADDRNOTAVAIL);
    assert_int_equal(tern_close(t.s, six), 0);
    tern_sock all = opened(&(tern_udp_args){.local = {.port = PORT}}); /* for both */
    put(in, make(PEER, PORT, 7));
    expect(all, 7);
    while (hear())
        ;
}

/* Ports nobody chose are apart, in their range, and not in a row. */
static void ports(void)
{
    tern_addr name;
    uint16_t last = 0;
    unsigned rows = 0;
    for (unsigned i = 0; i < 50; i++) {
        tern_sock k = opened(&(tern_udp_args){.peer = at(t.peer, PEER)});
        assert_int_equal(tern_names(t.s, k, &name, NULL), 0);
        assert_true(name.port >= 32768 && name.port <= 60999);
        assert_memory_equal(name.ip, t.ours, 16);
        rows += name.port == last + 1;
        last = name.port;
        assert_int_equal(tern_close(t.s, k), 0);
    }
    assert_true(rows < 5);
}

static void limits(void)
{
    tern_sock k[4], more;
    tern_udp_args args = {.local = at(t.peer, PORT)};
    assert_int_equal(tern_udp_open(t.s, &more, &args), TERN_EADDRNOTAVAIL);
    for (uint16_t i = 0; i < 4; i++)
        k[i] = bound((uint16_t)(PORT + i));
    args.local = at(t.ours, PORT + 4);
    assert_int_equal(tern_udp_open(t.s, &more, &args), TERN_ELIMIT);
    assert_int_equal(tern_close(t.s, k[0]), 0);
    assert_int_equal(tern_udp_open(t.s, &more, &args), 0);
}

/* ---- checksums and lengths ------------------------------------------------------------------- */

static void checksums(void)
{
    tern_sock k = bound(PORT);
    size_t len = make(PEER, PORT, 100), udp = len - 100 - HEADER;
    in[len - 1] ^= 1;
    put(in, len);
    assert_int_equal(drops(TERN_DROP_UDP_CSUM), 1);
    in[len - 1] ^= 1;
    store_be16(in + udp + 6, 0); /* not summed: IPv4 only */
    put(in, len);
    if (t.ip6) {
        assert_int_equal(drops(TERN_DROP_UDP_CSUM), 2);
        expect_nothing(k);
    } else {
        expect(k, 100);
    }
    /* what sums up to 0 is sent as ones: of 2^16 payloads one does */
    tern_addr to = at(t.peer, PEER);
    unsigned ones = 0;
    for (uint32_t i = 0; i < 65536; i++) {
        store_be16(data, (uint16_t)i);
        assert_int_equal(tern_udp_send(t.s, k, &to, data, 2), 2);
        assert_int_equal(hear_datagram(PORT, PEER, 2, 1500), 1);
        ones += load_be16(t.packet + t.len - 4) == 0xffff;
    }
    assert_int_equal(ones, 1);
}

static void lengths(void)
{
    tern_sock k = bound(PORT);
    size_t len = make(PEER, PORT, 20), udp = len - 20 - HEADER;
    for (unsigned field = 0; field < 40; field++) {
        store_be16(in + udp + 4, (uint16_t)field);
        store_be16(in + udp + 6, 0);
        uint16_t check = 0;
        if (field >= HEADER && field <= 28)
            check = check_of(&in_ip, in + udp, field);
        memcpy(in + udp + 6, &check, 2);
        put(in, len);
        if (field >= HEADER && field <= 28)
            expect(k, field - HEADER);
        else
            expect_nothing(k);
    }
    assert_int_equal(drops(TERN_DROP_UDP_HEADER), 8 + 40 - 29);
}

/* ---- ICMP ------------------------------------------------------------------------------------ */

static void nobody_there(void)
{
    put(in, make(PEER, PORT, 100));
    assert_int_equal(drops(TERN_DROP_UDP_CLOSED), 1);
    assert_true(hear());
    assert_int_equal(t.ip.proto, t.ip6 ? WIRE_ICMP6 : WIRE_ICMP);
    const uint8_t *icmp = t.packet + t.ip.header_len;
    assert_int_equal(icmp[0], t.ip6 ? 1 : 3);
    assert_int_equal(icmp[1], t.ip6 ? 4 : 3);
    assert_memory_equal(icmp + 8, in, t.ip.payload_len - 8);
    for (unsigned i = 0; i < 100; i++)
        put(in, make(PEER, PORT, 100));
    unsigned errors = 1;
    while (hear())
        errors++;
    assert_true(errors >= 3 && errors <= 6);
    for (unsigned i = 0; i < 5; i++, errors = 0) { /* and then one a second */
        t.now += SECOND;
        for (unsigned j = 0; j < 10; j++)
            put(in, make(PEER, PORT, 100));
        while (hear())
            errors++;
        assert_true(i == 0 || errors <= 1);
    }
}

/* An ICMP error that quotes the datagram last heard. */
static void complain(uint8_t type, uint8_t code, uint32_t mtu)
{
    static uint8_t p[MOST];
    struct wire_ip ip = {.version = t.ip6 ? 6 : 4, .ttl = 64};
    ip.proto = t.ip6 ? WIRE_ICMP6 : WIRE_ICMP;
    memcpy(ip.src, t.peer, 16);
    memcpy(ip.dst, t.ours, 16);
    size_t off = t.ip6 ? WIRE_IP6_HEADER : WIRE_IP4_HEADER;
    size_t len = wire_icmp_write_error(p + off, ip.version, type, code, mtu, ip.src, ip.dst,
                                       t.first, t.first_len);
    ip.payload_len = (uint16_t)len;
    wire_ip_write(p, &ip, 0);
    put(p, off + len);
}

static void errors_of_peers(void)
{
    tern_sock k = opened(&(tern_udp_args){.peer = at(t.peer, PEER)}), other = bound(PORT);
    tern_addr to = at(t.peer, PEER);
    tern_event ev[4];
    assert_int_equal(tern_udp_send(t.s, k, NULL, data, 10), 10);
    hear_datagram(0, 0, 10, 1500);
    complain(t.ip6 ? 1 : 3, t.ip6 ? 4 : 3, 0);
    assert_int_equal(tern_next_timeout(t.s), 0);
    assert_int_equal(tern_events(t.s, ev, 4), 1);
    assert_true(ev[0].sock.id == k.id && ev[0].mask == TERN_EV_ERROR);
    assert_int_equal(ev[0].err, TERN_EREFUSED);
    assert_int_equal(tern_udp_recv(t.s, k, got, MOST, NULL), TERN_EREFUSED);
    expect_nothing(k); /* told once */
    complain(t.ip6 ? 1 : 3, t.ip6 ? 3 : 1, 0);
    assert_int_equal(tern_udp_send(t.s, k, NULL, data, 10), TERN_EUNREACH);
    assert_int_equal(tern_udp_send(t.s, k, NULL, data, 10), 10);
    hear_datagram(0, 0, 10, 1500);
    /* one that is not connected hears nothing of it; one about nobody's datagram is counted */
    assert_int_equal(tern_udp_send(t.s, other, &to, data, 10), 10);
    hear_datagram(0, 0, 10, 1500);
    complain(t.ip6 ? 1 : 3, t.ip6 ? 4 : 3, 0);
    expect_nothing(other);
    assert_int_equal(drops(TERN_DROP_ICMP_UNMATCHED), 0);
    assert_int_equal(tern_close(t.s, other), 0);
    complain(t.ip6 ? 1 : 3, t.ip6 ? 4 : 3, 0);
    assert_int_equal(drops(TERN_DROP_ICMP_UNMATCHED), 1);
}

/* ---- fragments and path MTU ------------------------------------------------------------------ */

static void fragments_out(void)
{
    tern_sock k = bound(PORT);
    tern_addr to = at(t.peer, PEER);
    size_t header = t.ip6 ? WIRE_IP6_HEADER : WIRE_IP4_HEADER, most = 1500 - header - HEADER;
    static const size_t sizes[] = {0, 1, 7, 8, 9, 1500, 4095, 4096, 4097, 20000, 65507 - 1500};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t len = most + sizes[i];
        assert_int_equal(tern_udp_send(t.s, k, &to, data, len), len);
        unsigned pieces = hear_datagram(PORT, PEER, len, 1500);
        assert_true(sizes[i] == 0 ? pieces == 1 : pieces >= 2);
    }
    assert_int_equal(tern_udp_send(t.s, k, &to, data, t.ip6 ? 65527 : 65507),
                     t.ip6 ? 65527 : 65507);
    hear_datagram(PORT, PEER, t.ip6 ? 65527 : 65507, 1500);
}

static void fragments_in(void)
{
    tern_sock k = bound(PORT);
    size_t len = make(PEER, PORT, 60000), header = t.ip6 ? WIRE_IP6_HEADER : WIRE_IP4_HEADER;
    static uint8_t piece[MOST];
    for (uint32_t done = 0; done < 60000 + HEADER; done += 1400) {
        struct wire_ip ip = in_ip;
        ip.frag_id = 5;
        ip.frag_off = (uint16_t)done;
        ip.payload_len = (uint16_t)min_u32(1400, 60000 + HEADER - done);
        ip.frag_more = done + 1400 < 60000 + HEADER;
        size_t n = wire_frag_write(piece, &ip, 0);
        memcpy(piece + n, in + header + done, ip.payload_len);
        put(piece, n + ip.payload_len);
    }
    assert_int_equal(len, 60000 + HEADER + header);
    expect(k, 60000);
}

/* RFC 6864 4: what is whole has DF set and no ID (IPv6: no fragment header); the fragments of each
 * datagram have an ID that none has had before; and of a whole one that comes it says nothing. */
static void only_fragments_have_ids(void)
{
    enum { DATAGRAMS = 300 };
    tern_sock k = bound(PORT);
    tern_addr to = at(t.peer, PEER);
    uint32_t ids[DATAGRAMS];
    for (unsigned i = 0; i < DATAGRAMS; i++) {
        assert_int_equal(tern_udp_send(t.s, k, &to, data, 1000), 1000);
        assert_int_equal(hear_datagram(PORT, PEER, 1000, 1500), 1);
        assert_int_equal(t.ip6 ? t.packet[6] : load_be32(t.packet + 4), t.ip6 ? WIRE_UDP : 0x4000);
        assert_int_equal(tern_udp_send(t.s, k, &to, data, 2000), 2000);
        assert_int_equal(hear_datagram(PORT, PEER, 2000, 1500), 2);
        ids[i] = t.ip.frag_id;
        for (unsigned n = 0; n < i; n++)
            assert_int_not_equal(ids[n], ids[i]);
    }
    for (unsigned i = 0; i < 3 && !t.ip6; i++) { /* one ID for all, without DF and with it */
        size_t len = make(PEER, PORT, 10 + i);
        store_be32(in + 4, 7u << 16 | (i != 0 ? 0x4000 : 0));
        memset(in + 10, 0, 2);
        uint16_t check = cksum_finish(cksum_portable(in, WIRE_IP4_HEADER, 0));
        memcpy(in + 10, &check, 2);
        put(in, len);
    }
    for (unsigned i = 0; i < 3 && !t.ip6; i++)
        expect(k, 10 + i);
}

/* ICMP says how much fits; ten minutes later that is forgotten. */
static void path_mtu(void)
{
    tern_sock k = bound(PORT);
    tern_addr to = at(t.peer, PEER);
    assert_int_equal(tern_udp_send(t.s, k, &to, data, 1400), 1400);
    assert_int_equal(hear_datagram(PORT, PEER, 1400, 1500), 1);
    complain(t.ip6 ? 2 : 3, t.ip6 ? 0 : 4, 1300);
    assert_int_equal(tern_udp_send(t.s, k, &to, data, 1400), 1400);
    assert_int_equal(hear_datagram(PORT, PEER, 1400, 1300), 2);
    complain(t.ip6 ? 2 : 3, t.ip6 ? 0 : 4, 100); /* not below what is sensible */
    assert_int_equal(tern_udp_send(t.s, k, &to, data, 1400), 1400);
    assert_int_equal(hear_datagram(PORT, PEER, 1400, t.ip6 ? 1280 : 552), t.ip6 ? 2 : 3);
    complain(t.ip6 ? 2 : 3, t.ip6 ? 0 : 4, 1400); /* nor up */
    assert_int_equal(tern_udp_send(t.s, k, &to, data, 1400), 1400);
    assert_int_equal(hear_datagram(PORT, PEER, 1400, t.ip6 ? 1280 : 552), t.ip6 ? 2 : 3);
    t.now += 601ull * SECOND;
    tern_advance(t.s, t.now);
    assert_int_equal(tern_udp_send(t.s, k, &to, data, 1400), 1400);
    assert_int_equal(hear_datagram(PORT, PEER, 1400, 1500), 1);
}

/* A large echo comes back, in fragments. */
static void large_echo(void)
{
    static uint8_t back[MOST];
    size_t n = 5000, have = 0;
    ping(n, false, 0);
    while (hear()) {
        memcpy(back + have, t.packet + t.ip.header_len, t.ip.payload_len);
        have += t.ip.payload_len;
    }
    assert_int_equal(have, n);
    assert_int_equal(back[0], t.ip6 ? 129 : 0);
    assert_memory_equal(back + 4, data + 4, n - 4);
    uint64_t sum = t.ip6 ? wire_pseudo_sum(t.ours, t.peer, WIRE_ICMP6, (uint32_t)n) : 0;
    assert_int_equal(cksum_finish(cksum_portable(back, n, sum)), 0);
}

/* A super-packet of the device is as many datagrams as were put into it. */
static void segments_in(void)
{
    tern_sock k = bound(PORT);
    size_t len = make(PEER, PORT, 2500);
    tern_pkt pkt = {.iov_count = 1, .len = (uint32_t)len, .iface = (uint16_t)t.iface};
    pkt.iov[0] = (tern_iov){in, len};
    pkt.flags = TERN_PKT_CSUM_PARTIAL;
    pkt.gso_type = TERN_GSO_UDP_L4;
    pkt.gso_size = 1000;
    tern_input(t.s, &pkt, 1, t.now);
    for (unsigned i = 0; i < 3; i++) {
        size_t n = i < 2 ? 1000 : 500;
        assert_int_equal(tern_udp_recv(t.s, k, got, MOST, NULL), n);
        assert_memory_equal(got, data + 1000 * i, n);
    }
    expect_nothing(k);
    pkt.iov[0].len = make(PEER, PORT, 900);
    pkt.len = (uint32_t)pkt.iov[0].len;
    pkt.gso_size = 0; /* it is one */
    tern_input(t.s, &pkt, 1, t.now);
    expect(k, 900);
    expect_nothing(k);
}

/* ---- buffers and events ---------------------------------------------------------------------- */

static void receive_buffer(void)
{
    tern_sock k = bound(PORT);
    tern_event ev[4];
    int64_t value;
    assert_int_equal(tern_option_set(t.s, k, TERN_OPT_RCVBUF, 3000), 0);
    assert_int_equal(tern_option_get(t.s, k, TERN_OPT_RCVBUF, &value), 0);
    assert_int_equal(value, 3000);
    for (unsigned i = 0; i < 10; i++)
        put(in, make(PEER, PORT, 1000));
    assert_int_equal(drops(TERN_DROP_UDP_BUFFER), 8);
    assert_int_equal(tern_events(t.s, ev, 4), 1);
    assert_true(ev[0].sock.id == k.id && ev[0].mask == TERN_EV_READ);
    expect(k, 1000);
    put(in, make(PEER, PORT, 100));
    assert_int_equal(tern_events(t.s, ev, 4), 0); /* not before it met EAGAIN */
    expect(k, 1000);
    expect(k, 100);
    expect_nothing(k);
    put(in, make(PEER, PORT, 9));
    assert_int_equal(tern_events(t.s, ev, 4), 1);
    assert_int_equal(tern_close(t.s, k), 0); /* with what is unread */
}

static void send_buffer(void)
{
    tern_sock k = bound(PORT);
    tern_addr to = at(t.peer, PEER);
    tern_event ev[4];
    unsigned sent = 0;
    assert_int_equal(tern_option_set(t.s, k, TERN_OPT_SNDBUF, 10000), 0);
    assert_int_equal(tern_option_set(t.s, k, TERN_OPT_TTL, 3), 0);
    assert_int_equal(tern_option_set(t.s, k, TERN_OPT_DSCP, 46), 0);
    assert_int_equal(tern_option_set(t.s, k, TERN_OPT_NODELAY, 1), TERN_EINVAL);
    while (tern_udp_send(t.s, k, &to, data, 1000) == 1000)
        sent++;
    assert_int_equal(sent, 9);
    assert_int_equal(tern_events(t.s, ev, 4), 0);
    while (sent-- > 0) {
        hear_datagram(PORT, PEER, 1000, 1500);
        assert_int_equal(t.ip.ttl, 3);
        assert_int_equal(t.ip.tos, 46 << 2);
    }
    assert_int_equal(tern_events(t.s, ev, 4), 1);
    assert_int_equal(ev[0].mask, TERN_EV_WRITE);
    assert_int_equal(tern_udp_send(t.s, k, &to, data, 1000), 1000);
    assert_int_equal(tern_close(t.s, k), 0); /* it goes all the same */
    hear_datagram(PORT, PEER, 1000, 1500);
}

/* No records are left: it waits for one. */
static void records(void)
{
    tern_sock k = bound(PORT);
    tern_addr to = at(t.peer, PEER);
    tern_event ev[4];
    unsigned sent = 0;
    while (tern_udp_send(t.s, k, &to, data, 10) == 10)
        sent++;
    assert_int_equal(sent, 128);
    assert_int_equal(tern_next_timeout(t.s), 0); /* for the device's sake, not for his */
    assert_int_equal(tern_events(t.s, ev, 4), 0);
    hear_datagram(PORT, PEER, 10, 1500);
    assert_int_equal(tern_next_timeout(t.s), 0);
    assert_int_equal(tern_events(t.s, ev, 4), 1);
    assert_true(ev[0].sock.id == k.id && ev[0].mask == TERN_EV_WRITE);
    while (--sent > 0)
        hear_datagram(PORT, PEER, 10, 1500);
}

/* Who is closed while he waits for a record, amid others or as the last, waits no more. */
static void closed_while_waiting(void)
{
    enum { SOCKS = 3 };
    tern_sock k[SOCKS];
    tern_addr to = at(t.peer, PEER);
    tern_event ev[SOCKS];
    unsigned sent = 0;
    for (unsigned i = 0; i < SOCKS; i++)
        k[i] = bound((uint16_t)(PORT + i));
    while (tern_udp_send(t.s, k[0], &to, data, 10) == 10)
        sent++;
    for (unsigned i = 1; i < 2 * SOCKS; i++)
        assert_int_equal(tern_udp_send(t.s, k[i % SOCKS], &to, data, 10), TERN_EAGAIN);
    assert_int_equal(tern_close(t.s, k[2]), 0);
    assert_int_equal(tern_close(t.s, k[0]), 0);
    while (sent-- > 0)
        hear_datagram(PORT, PEER, 10, 1500);
    assert_int_equal(tern_events(t.s, ev, SOCKS), 1);
    assert_int_equal(ev[0].sock.id, k[1].id);
    assert_int_equal(tern_udp_send(t.s, k[1], &to, data, 10), 10);
    hear_datagram(PORT + 1, PEER, 10, 1500);
}

/* Every allocation fails once. */
static void no_memory(void)
{
    tern_addr to = at(t.peer, PEER);
    for (uint32_t fail = 1; fail < 12; fail++) {
        tern_sock k;
        tern_udp_args args = {.local = at(t.ours, PORT)};
        t.mem.fail_at = t.mem.calls + fail;
        if (tern_udp_open(t.s, &k, &args) != 0)
            continue;
        ptrdiff_t n = tern_udp_send(t.s, k, &to, data, 9000);
        assert_true(n == 9000 || n == TERN_ENOMEM);
        if (n == 9000)
            hear_datagram(PORT, PEER, 9000, 1500);
        put(in, make(PEER, PORT, 1000));
        n = tern_udp_recv(t.s, k, got, MOST, NULL);
        assert_true(n == 1000 || n == TERN_EAGAIN);
        assert_int_equal(tern_close(t.s, k), 0);
    }
    t.mem.fail_at = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UDP(there_and_back),  UDP(cut_off),
        UDP(queue_keeps_all), UDP(who_gets_it),
        UDP(ports),           UDP(limits),
        UDP(checksums),       UDP(lengths),
        UDP(nobody_there),    UDP(errors_of_peers),
        UDP(fragments_out),   UDP(only_fragments_have_ids),
        UDP(fragments_in),    UDP(path_mtu),
        UDP(large_echo),      UDP(segments_in),
        UDP(receive_buffer),  UDP(send_buffer),
        UDP(records),         UDP(closed_while_waiting),
        UDP(no_memory),
    };
    unit_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
