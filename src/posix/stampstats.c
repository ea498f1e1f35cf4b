/* stampstats.c - SOF_TIMESTAMPING_OPT_STATS: what is known of a connection at the moment of a
 * timestamp, as netlink attributes in Linux's order. */
#include <string.h>

#include "posix/errq.h"
#include "posix/tcpinfo.h"

struct attributes {
    uint8_t *to;
    size_t used;
};

/* One of 1, 2, 4 or 8 bytes, in the machine's order. */
static void put(struct attributes *a, uint16_t type, uint64_t value, uint16_t size)
{
    uint16_t head[2] = {(uint16_t)(sizeof head + size), type}, two = (uint16_t)value;
    uint32_t four = (uint32_t)value;
    uint8_t one = (uint8_t)value;
    const void *from = size == 8   ? (const void *)&value
                       : size == 4 ? (const void *)&four
                       : size == 2 ? (const void *)&two
                                   : (const void *)&one;

    memset(a->to + a->used, 0, sizeof head + ((size + 3u) & ~3u));
    memcpy(a->to + a->used, head, sizeof head);
    memcpy(a->to + a->used + sizeof head, from, size);
    a->used += sizeof head + ((size + 3u) & ~3u);
}

size_t stamp_stats(struct sock *sk, uint8_t to[STAMP_STATS_MAX])
{
    struct attributes a = {.to = to};
    struct tern_linux_tcp_info i;
    tern_tcp_info t;

    tcpinfo_fill(sk, &i);
    (void)sock_look(sk, &t);
    const struct {
        uint8_t type, size;
        uint64_t value;
    } rows[] = {
        {1, 8, i.tcpi_busy_time},
        {2, 8, i.tcpi_rwnd_limited},
        {3, 8, i.tcpi_sndbuf_limited},
        {4, 8, i.tcpi_data_segs_out},
        {5, 8, i.tcpi_total_retrans},
        {6, 8, i.tcpi_pacing_rate},
        {7, 8, i.tcpi_delivery_rate},
        {8, 4, i.tcpi_snd_cwnd},
        {9, 4, i.tcpi_reordering},
        {10, 4, i.tcpi_min_rtt},
        {11, 1, i.tcpi_retransmits},
        {12, 1, i.tcpi_delivery_rate_app_limited},
        {15, 4, i.tcpi_snd_ssthresh},
        {16, 4, i.tcpi_delivered},
        {17, 4, i.tcpi_delivered_ce},
        {13, 4, t.tx_queued},
        {14, 1, i.tcpi_ca_state},
        {18, 8, i.tcpi_bytes_sent},
        {19, 8, i.tcpi_bytes_retrans},
        {20, 4, i.tcpi_dsack_dups},
        {21, 4, i.tcpi_reord_seen},
        {22, 4, i.tcpi_rtt},
        {23, 2, 0},
        {24, 4, i.tcpi_notsent_bytes},
        {25, 8, t.sent_at},
        {27, 4, i.tcpi_rehash},
    };
    _Static_assert(sizeof rows / sizeof rows[0] * 12 <= STAMP_STATS_MAX, "they fit");
    for (size_t n = 0; n < sizeof rows / sizeof rows[0]; n++)
        put(&a, rows[n].type, rows[n].value, rows[n].size);
    return a.used;
}
