/* test_errqueue.c - recvmsg(MSG_ERRQUEUE): what ICMP has said of an attempt to connect, and what
 * outlives a connection. The scripts tests/drill/linux/recverr-*.pkt say which message is which
 * errno, beside the kernel; here stands what they cannot look at. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <time.h>

#include <linux/errqueue.h>
#include <linux/net_tstamp.h>

#include "base/util.h"
#include "os.h"
#include "test.h"
#include "wire/icmp.h"

static const struct lab_config far_away = {.dir = {{.delay = 10000000000}, {.delay = 10000000000}}};
enum { QUOTED = 24, PORT = 4242 };

/* What one message says. */
struct told {
    ssize_t len;
    int flags, level, type;
    struct sock_extended_err ee;
    struct sockaddr_storage to, offender;
    uint8_t bytes[64];
};

static struct told take(struct os *os, int fd)
{
    struct told t = {0};
    uint8_t control[256];
    struct iovec v = {t.bytes, sizeof t.bytes};
    struct msghdr m = {.msg_name = &t.to,
                       .msg_namelen = sizeof t.to,
                       .msg_iov = &v,
                       .msg_iovlen = 1,
                       .msg_control = control,
                       .msg_controllen = sizeof control};

    t.len = os_recvmsg(os, CLIENT, fd, &m, MSG_ERRQUEUE);
    t.flags = m.msg_flags;
    const struct cmsghdr *h = t.len >= 0 ? CMSG_FIRSTHDR(&m) : NULL;
    if (h != NULL) {
        t.level = h->cmsg_level;
        t.type = h->cmsg_type;
        memcpy(&t.ee, CMSG_DATA(h), sizeof t.ee);
        memcpy(&t.offender,
               SO_EE_OFFENDER((const struct sock_extended_err *)(const void *)CMSG_DATA(h)),
               h->cmsg_len - CMSG_LEN(sizeof t.ee));
    }
    return t;
}

/* A router says this of the SYN that is on its way, and quotes its first QUOTED bytes. */
static void router_says(struct os *os, int fd, uint8_t type, uint8_t code, uint32_t info)
{
    static const uint8_t router4[16] = {[10] = 0xff, 0xff, 10, 0, 0, 77},
                         router6[16] = {0xfd, [15] = 0x77};
    tern_sock k = tern_sockets_handle(os->p[CLIENT], fd);
    tern_addr local, peer;
    tern_tcp_info conn;
    uint8_t quote[64] = {0}, packet[2048];

    os_settle(os);
    assert_int_equal(tern_names(os->pair.client, k, &local, &peer), 0);
    assert_int_equal(tern_info(os->pair.client, k, &conn, sizeof conn), 0);
    bool four = wire_is_ip4(peer.ip);
    struct wire_ip ip = {.version = four ? 4 : 6, .proto = WIRE_TCP, .ttl = 64};
    ip.payload_len = QUOTED;
    memcpy(ip.src, local.ip, 16);
    memcpy(ip.dst, peer.ip, 16);
    size_t at = wire_ip_write(quote, &ip, 0);
    store_be16(quote + at, local.port);
    store_be16(quote + at + 2, peer.port);
    store_be32(quote + at + 4, conn.iss);
    memset(quote + at + 8, 0x5a, QUOTED - 8);
    struct wire_ip outer = {.version = ip.version,
                            .proto = four ? WIRE_ICMP : WIRE_ICMP6,
                            .ttl = 9};
    memcpy(outer.src, four ? router4 : router6, 16);
    memcpy(outer.dst, local.ip, 16);
    size_t header = four ? WIRE_IP4_HEADER : WIRE_IP6_HEADER;
    outer.payload_len =
        (uint16_t)wire_icmp_write_error(packet + header, ip.version, type, code, info, outer.src,
                                        outer.dst, quote, at + QUOTED);
    assert_int_equal(wire_ip_write(packet, &outer, 0), header);
    tern_pkt pkt = {.iov_count = 1, .len = (uint32_t)header + outer.payload_len};
    pkt.iov[0] = (tern_iov){packet, pkt.len};
    tern_input(os->pair.client, &pkt, 1, lab_world_now(os->pair.w));
    os_settle(os);
}

/* A connect() that goes on, and what it is told. */
static int dial(struct os *os, int fd, int domain, bool mapped)
{
    struct sockaddr_storage a;
    socklen_t len = os_address(os, domain, mapped, PORT, &a);
    return os_connect(os, CLIENT, fd, &a, len);
}

static int so_error(struct os *os, int fd)
{
    int err = -1;
    socklen_t len = sizeof err;
    assert_int_equal(os_getsockopt(os, CLIENT, fd, SOL_SOCKET, SO_ERROR, &err, &len), 0);
    return err;
}

static void is_v4(const struct sockaddr_storage *a, const char *bytes, uint16_t port)
{
    struct sockaddr_in in;
    memcpy(&in, a, sizeof in);
    assert_int_equal(in.sin_family, AF_INET);
    assert_memory_equal(&in.sin_addr, bytes, 4);
    assert_int_equal(ntohs(in.sin_port), port);
}

static void is_v6(const struct sockaddr_storage *a, const uint8_t ip[16], uint16_t port)
{
    struct sockaddr_in6 in;
    memcpy(&in, a, sizeof in);
    assert_int_equal(in.sin6_family, AF_INET6);
    assert_memory_equal(&in.sin6_addr, ip, 16);
    assert_int_equal(ntohs(in.sin6_port), port);
}

static void is_quote(const struct told *t)
{
    assert_int_equal(t->len, QUOTED);
    assert_int_equal(load_be16(t->bytes + 2), PORT);
    assert_int_equal(t->bytes[QUOTED - 1], 0x5a);
    assert_int_equal(t->flags, MSG_ERRQUEUE);
}

/* The router's word on a connect to that host, as an IPv6 socket is told. */
static void is_told_v6(const struct told *t, int err, uint8_t origin, const uint8_t router[16],
                       const uint8_t host[16])
{
    is_quote(t);
    assert_int_equal(t->level, IPPROTO_IPV6);
    assert_int_equal(t->type, IPV6_RECVERR);
    assert_int_equal(t->ee.ee_errno, err);
    assert_int_equal(t->ee.ee_origin, origin);
    is_v6(&t->offender, router, 0);
    is_v6(&t->to, host, PORT);
}

static void offender4(void **state)
{
    static struct os os;
    (void)state;
    os_begin(&os, &far_away, NULL);
    int fd = os_socket(&os, CLIENT, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(dial(&os, fd, AF_INET, false), -EINPROGRESS);
    router_says(&os, fd, 12, 0, 0x12); /* a parameter problem, at that byte */
    struct told t = take(&os, fd);
    is_quote(&t);
    assert_int_equal(t.level, IPPROTO_IP);
    assert_int_equal(t.type, IP_RECVERR);
    assert_int_equal(t.ee.ee_errno, EPROTO);
    assert_int_equal(t.ee.ee_origin, SO_EE_ORIGIN_ICMP);
    assert_int_equal(t.ee.ee_type, 12);
    assert_int_equal(t.ee.ee_code, 0);
    assert_int_equal(t.ee.ee_info, 0x12);
    is_v4(&t.offender, "\12\0\0\115", 0);
    is_v4(&t.to, "\12\0\0\2", PORT);
    assert_int_equal(so_error(&os, fd), 0); /* as it was told already */
    assert_int_equal(take(&os, fd).len, -EAGAIN);
    os_close(&os, CLIENT, fd);
    os_end(&os);
}

static void offender6(void **state)
{
    static struct os os;
    static const uint8_t router[16] = {0xfd, [15] = 0x77};
    (void)state;
    os_begin(&os, &far_away, NULL);
    for (int asked = 0; asked < 2; asked++) {
        int fd = os_socket(&os, CLIENT, AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
        os_setsockopt(&os, CLIENT, fd, IPPROTO_IPV6, IPV6_RECVERR, &asked, sizeof asked);
        assert_int_equal(dial(&os, fd, AF_INET6, false), -EINPROGRESS);
        router_says(&os, fd, 1, 1, 0);
        struct told t = take(&os, fd);
        if (!asked) {
            assert_int_equal(t.len, -EAGAIN); /* IPv6 queues only for who has asked */
            assert_int_equal(so_error(&os, fd), EACCES);
            os_close(&os, CLIENT, fd);
            continue;
        }
        is_told_v6(&t, EACCES, SO_EE_ORIGIN_ICMP6, router, lab_server_ip6);
        os_close(&os, CLIENT, fd);
    }
    os_end(&os);
}

/* IPv4 on an IPv6 socket: ICMP's message, in IPv6's clothes. */
static void offender_mapped(void **state)
{
    static struct os os;
    static const uint8_t router[16] = {[10] = 0xff, 0xff, 10, 0, 0, 77};
    (void)state;
    os_begin(&os, &far_away, NULL);
    int fd = os_socket(&os, CLIENT, AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(dial(&os, fd, AF_INET6, true), -EINPROGRESS);
    router_says(&os, fd, 3, 7, 0);
    struct told t = take(&os, fd);
    is_told_v6(&t, EHOSTDOWN, SO_EE_ORIGIN_ICMP, router, lab_server_ip4);
    os_close(&os, CLIENT, fd);
    os_end(&os);
}

/* A second attempt, of which another message comes: both wait, and the one that is next is the
 * pending error, even when that was told. */
static void one_after_the_other(void **state)
{
    static struct os os;
    (void)state;
    os_begin(&os, &far_away, NULL);
    int fd = os_socket(&os, CLIENT, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(dial(&os, fd, AF_INET, false), -EINPROGRESS);
    router_says(&os, fd, 3, 1, 0);
    assert_int_equal(dial(&os, fd, AF_INET, false), -EHOSTUNREACH);
    assert_int_equal(dial(&os, fd, AF_INET, false), -EINPROGRESS);
    router_says(&os, fd, 3, 3, 0);
    assert_int_equal(so_error(&os, fd), ECONNREFUSED);
    assert_int_equal(take(&os, fd).ee.ee_code, 1);
    assert_int_equal(so_error(&os, fd), ECONNREFUSED);
    assert_int_equal(take(&os, fd).ee.ee_code, 3);
    assert_int_equal(so_error(&os, fd), 0);
    os_close(&os, CLIENT, fd);
    os_end(&os);
}

/* Every code, and types that are to come: what Linux makes of them (seen there through a TUN
 * device). */
static void every_code(void **state)
{
    static const struct {
        uint8_t type, codes;
        int err[16];
    } v4[] = {{3,
               16,
               {ENETUNREACH, EHOSTUNREACH, ENOPROTOOPT, ECONNREFUSED, 0, EOPNOTSUPP, ENETUNREACH,
                EHOSTDOWN, ENONET, ENETUNREACH, EHOSTUNREACH, ENETUNREACH, EHOSTUNREACH,
                EHOSTUNREACH, EHOSTUNREACH, EHOSTUNREACH}},
              {4, 1, {0}},
              {11, 2, {EHOSTUNREACH, EHOSTUNREACH}},
              {12, 1, {EPROTO}}},
      v6[] = {{1,
               9,
               {ENETUNREACH, EACCES, EHOSTUNREACH, EHOSTUNREACH, ECONNREFUSED, EACCES, EACCES,
                EPROTO, EPROTO}},
              {3, 2, {EHOSTUNREACH, EHOSTUNREACH}},
              {4, 4, {EPROTO, EPROTO, EPROTO, EPROTO}}};
    static struct os os;
    (void)state;
    os_begin(&os, &far_away, NULL);
    for (size_t i = 0; i < sizeof v4 / sizeof v4[0] + sizeof v6 / sizeof v6[0]; i++) {
        bool four = i < sizeof v4 / sizeof v4[0];
        size_t at = four ? i : i - sizeof v4 / sizeof v4[0];
        for (uint8_t code = 0; code < (four ? v4 : v6)[at].codes; code++) {
            int domain = four ? AF_INET : AF_INET6;
            int fd = os_socket(&os, CLIENT, domain, SOCK_STREAM | SOCK_NONBLOCK, 0);
            assert_int_equal(dial(&os, fd, domain, false), -EINPROGRESS);
            router_says(&os, fd, (four ? v4 : v6)[at].type, code, 0);
            assert_int_equal(so_error(&os, fd), (four ? v4 : v6)[at].err[code]);
            os_close(&os, CLIENT, fd);
        }
    }
    os_end(&os);
}

/* MSG_ZEROCOPY's completions outlive the connection, and its numbers go on. */
static void zerocopy_reconnects(struct os *os)
{
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    struct sockaddr_storage a;
    uint16_t port;
    int listener = os_listener(os, AF_INET, 4, &port), one = 1;
    socklen_t len = os_address(os, AF_INET, false, port, &a);
    int fd = os_socket(os, CLIENT, AF_INET, SOCK_STREAM, 0);

    os_setsockopt(os, CLIENT, fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof one);
    for (int i = 0; i < 2; i++) {
        noted(os, "connect", os_connect(os, CLIENT, fd, &a, len));
        int peer = os_accept4(os, SERVER, listener, NULL, NULL, 0);
        for (int n = 0; n < 2; n++)
            noted(os, "send", os_send(os, CLIENT, fd, "abc", 3, MSG_ZEROCOPY));
        os_settle(os);
        if (i == 0)
            noted(os, "disconnect", os_connect(os, CLIENT, fd, &none, sizeof none));
        os_settle(os);
        struct told t = take(os, fd);
        note(os, "%d: origin %u from %u to %u\n", (int)t.len, t.ee.ee_origin, t.ee.ee_info,
             t.ee.ee_data);
        noted(os, "and then", take(os, fd).len);
        os_close(os, SERVER, peer);
    }
    os_close(os, CLIENT, fd);
    os_close(os, SERVER, listener);
}

static void zerocopy(void **state)
{
    (void)state;
    os_compare(zerocopy_reconnects);
}

/* SOF_TIMESTAMPING_OPT_STATS: which statistics, in which order, and those that are certain. */
static void stats_of_a_send(struct os *os)
{
    enum {
        FLAGS = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_ACK | SOF_TIMESTAMPING_SOFTWARE |
                SOF_TIMESTAMPING_OPT_TSONLY | SOF_TIMESTAMPING_OPT_STATS
    };
    uint8_t bytes[512], control[1024];
    int fd[3], flags = FLAGS, messages = 0;

    os_pair(os, AF_INET, fd);
    noted(os, "option",
          os_setsockopt(os, CLIENT, fd[CLIENT], SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof flags));
    os_send(os, CLIENT, fd[CLIENT], "abc", 3, 0);
    os_settle(os);
    for (;;) {
        struct iovec v = {bytes, sizeof bytes};
        struct msghdr m = {.msg_iov = &v,
                           .msg_iovlen = 1,
                           .msg_control = control,
                           .msg_controllen = sizeof control};
        ssize_t len = os_recvmsg(os, CLIENT, fd[CLIENT], &m, MSG_ERRQUEUE);
        if (len < 0)
            break;
        struct cmsghdr *h = CMSG_FIRSTHDR(&m);
        note(os, "flags %x, %d:", m.msg_flags, h->cmsg_type);
        h = CMSG_NXTHDR(&m, h);
        assert_non_null(h);
        note(os, " %d:", h->cmsg_type);
        const uint8_t *at = CMSG_DATA(h), *end = at + (h->cmsg_len - CMSG_LEN(0));
        assert_int_equal(len, end - at); /* they are the message's bytes, too */
        assert_memory_equal(bytes, at, (size_t)len);
        while (at < end) {
            uint16_t head[2];
            uint32_t value = 0;
            memcpy(head, at, sizeof head);
            memcpy(&value, at + 4, head[0] - 4u < 4 ? head[0] - 4u : 4);
            bool certain = head[1] == 4 || head[1] == 5 || (head[1] >= 17 && head[1] <= 21);
            if (head[1] != 26) /* the hop limit of the acknowledgement */
                note(os, " %u/%u", head[1], head[0]);
            if (certain)
                note(os, "=%u", value);
            at += (head[0] + 3u) & ~3u;
        }
        note(os, "\n");
        messages++;
    }
    note(os, "%d messages\n", messages);
    for (int n = 0; n < 3; n++)
        os_close(os, n == CLIENT ? CLIENT : SERVER, fd[n]);
}

static void stats(void **state)
{
    (void)state;
    os_compare(stats_of_a_send);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offender4),       cmocka_unit_test(offender6),
        cmocka_unit_test(offender_mapped), cmocka_unit_test(one_after_the_other),
        cmocka_unit_test(every_code),      cmocka_unit_test(zerocopy),
        cmocka_unit_test(stats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
