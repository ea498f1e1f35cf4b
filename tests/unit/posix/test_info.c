/* TCP_INFO: what each field means, in both systems where a perfect link decides it, and here alone
 * where it takes time or losses. */
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "os.h"
#include "test.h"

static char buf[65536];

static struct tern_linux_tcp_info info_of(struct os *os, enum side side, int fd)
{
    struct tern_linux_tcp_info info;
    socklen_t len = sizeof info;

    memset(&info, 0x55, sizeof info);
    assert_int_equal(os_getsockopt(os, side, fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
    return info;
}

/* Those fields that neither time nor sizes of buffers decide. */
static void note_info(struct os *os, enum side side, int fd)
{
    struct tern_linux_tcp_info i = info_of(os, side, fd);

    note(os, "%s: state %d ca %d retransmits %d probes %d backoff %d options %x\n",
         side == CLIENT ? "client" : "server", i.tcpi_state, i.tcpi_ca_state, i.tcpi_retransmits,
         i.tcpi_probes, i.tcpi_backoff, i.tcpi_options & 7);
    note(os, "  unacked %u sacked %u lost %u retrans %u fackets %u reordering %u\n", i.tcpi_unacked,
         i.tcpi_sacked, i.tcpi_lost, i.tcpi_retrans, i.tcpi_fackets, i.tcpi_reordering);
    note(os, "  cwnd %u ssthresh %u total_retrans %u notsent %u\n", i.tcpi_snd_cwnd,
         i.tcpi_snd_ssthresh, i.tcpi_total_retrans, i.tcpi_notsent_bytes);
    note(os, "  bytes acked %d received %d sent %d retrans %d\n", (int)i.tcpi_bytes_acked,
         (int)i.tcpi_bytes_received, (int)i.tcpi_bytes_sent, (int)i.tcpi_bytes_retrans);
    note(os, "  data segs out %u in %u delivered %u ce %u\n", i.tcpi_data_segs_out,
         i.tcpi_data_segs_in, i.tcpi_delivered, i.tcpi_delivered_ce);
    note(os, "  dsack %u reord_seen %u ooo %u rto %u/%u/%u ato %u sndbuf %d rwnd %d\n",
         i.tcpi_dsack_dups, i.tcpi_reord_seen, i.tcpi_rcv_ooopack, i.tcpi_total_rto,
         i.tcpi_total_rto_recoveries, i.tcpi_total_rto_time, i.tcpi_ato, i.tcpi_sndbuf_limited != 0,
         i.tcpi_rwnd_limited != 0);
    note(os, "  last_ack_sent %u rehash %u max_pacing %d\n", i.tcpi_last_ack_sent, i.tcpi_rehash,
         i.tcpi_max_pacing_rate == UINT64_MAX);
    note(os, "  ecn %u %u %u %u %u %u %u\n", i.tcpi_received_ce, i.tcpi_delivered_e1_bytes,
         i.tcpi_delivered_e0_bytes, i.tcpi_delivered_ce_bytes, i.tcpi_received_e1_bytes,
         i.tcpi_received_e0_bytes, i.tcpi_received_ce_bytes);
}

static void note_both(struct os *os, const int fd[3])
{
    note_info(os, CLIENT, fd[CLIENT]);
    note_info(os, SERVER, fd[SERVER]);
}

static void a_connection(struct os *os)
{
    int fd[3];

    os_pair(os, AF_INET, fd);
    for (int n = 0; n < 2; n++) /* the kernel's default may be another */
        noted(os, "reno",
              os_setsockopt(os, (enum side)n, fd[n], IPPROTO_TCP, TCP_CONGESTION, "reno", 4));
    note_both(os, fd);
    for (int i = 0; i < 3; i++) {
        os_send(os, CLIENT, fd[CLIENT], buf, 100, 0);
        os_settle(os);
    }
    note_both(os, fd);
    os_recv(os, SERVER, fd[SERVER], buf, 1000, 0);
    os_send(os, SERVER, fd[SERVER], buf, 500, 0);
    os_settle(os);
    note_both(os, fd);
    os_shutdown(os, CLIENT, fd[CLIENT], SHUT_WR);
    os_sleep(os, 60); /* Linux delays the acknowledgement of a FIN */
    note_both(os, fd);
    os_send(os, SERVER, fd[SERVER], buf, 50, 0);
    os_settle(os);
    note_both(os, fd);
    os_shutdown(os, SERVER, fd[SERVER], SHUT_WR);
    os_sleep(os, 60); /* Linux delays the acknowledgement of a FIN */
    struct tern_linux_tcp_info i = info_of(os, SERVER, fd[SERVER]);
    note(os, "server state %d\n", i.tcpi_state);
    i = info_of(os, CLIENT, fd[CLIENT]);
    note(os, "client state %d\n", i.tcpi_state);
    for (int n = 0; n < 3; n++)
        os_close(os, n == CLIENT ? CLIENT : SERVER, fd[n]);
}

static void a_listener(struct os *os)
{
    struct sockaddr_storage a;
    struct tern_linux_tcp_info i;
    uint16_t port;
    int listener = os_listener(os, AF_INET, 5, &port);
    socklen_t len = os_address(os, AF_INET, false, port, &a);
    int fd = os_socket(os, CLIENT, AF_INET, SOCK_STREAM, 0);

    i = info_of(os, CLIENT, fd);
    note(os, "fresh: state %d unacked %u\n", i.tcpi_state, i.tcpi_unacked);
    for (int n = 0; n < 2; n++) {
        i = info_of(os, SERVER, listener);
        note(os, "state %d unacked %u sacked %u segs %u\n", i.tcpi_state, i.tcpi_unacked,
             i.tcpi_sacked, i.tcpi_segs_in);
        if (n == 0)
            os_connect(os, CLIENT, fd, &a, len);
    }
    struct {
        char bytes[512];
    } large;
    len = sizeof large;
    os_getsockopt(os, CLIENT, fd, IPPROTO_TCP, TCP_INFO, &large, &len);
    note(os, "whole: %d\n", len >= sizeof(struct tern_linux_tcp_info));
    len = 10;
    noted(os, "part", os_getsockopt(os, CLIENT, fd, IPPROTO_TCP, TCP_INFO, &large, &len));
    note(os, "%u\n", len);
    os_close(os, CLIENT, fd);
    os_close(os, SERVER, listener);
}

#define COMPARED(scene)                                                                            \
    static void test_##scene(void **state)                                                         \
    {                                                                                              \
        (void)state;                                                                               \
        os_compare(scene);                                                                         \
    }
COMPARED(a_connection)
COMPARED(a_listener)

/* A send buffer of less than a window, on a path of 100 ms: all is sent, more could be, and there
 * was no room for it. The scripts tests/drill/linux/info-* are about the other fields. */
static void test_sndbuf_limited(void **state)
{
    static struct os os;
    const struct lab_config link = {.dir = {{.delay = 50000000}, {.delay = 50000000}}};
    int fd[3], small = 2500;

    (void)state;
    os_begin(&os, &link, NULL);
    os_pair(&os, AF_INET, fd);
    assert_int_equal(os_setsockopt(&os, CLIENT, fd[CLIENT], SOL_SOCKET, SO_SNDBUF, &small,
                                   sizeof small),
                     0);
    assert_int_equal(info_of(&os, CLIENT, fd[CLIENT]).tcpi_sndbuf_limited, 0);
    ssize_t n = os_send(&os, CLIENT, fd[CLIENT], buf, sizeof buf, 0);
    assert_in_range(n, 1, 6000);
    os_sleep(&os, 80);
    struct tern_linux_tcp_info i = info_of(&os, CLIENT, fd[CLIENT]);
    assert_int_equal(i.tcpi_notsent_bytes, 0);
    assert_in_range(i.tcpi_sndbuf_limited, 75000, 80000);
    assert_int_equal(i.tcpi_rwnd_limited, 0);
    os_sleep(&os, 200); /* all is acknowledged, and nothing waits */
    assert_in_range(info_of(&os, CLIENT, fd[CLIENT]).tcpi_sndbuf_limited, 90000, 110000);
    for (int k = 0; k < 3; k++)
        os_close(&os, k == CLIENT ? CLIENT : SERVER, fd[k]);
    os_end(&os);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sndbuf_limited),
        cmocka_unit_test(test_a_connection),
        cmocka_unit_test(test_a_listener),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
