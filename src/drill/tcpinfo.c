/* tcpinfo.c - where the fields of TCP_INFO lie: the interface of Linux 6.18. */
#include "drill/tcpinfo.h"

#include "tern/socket.h"

#include <string.h>

/* clang-format off */
#define PLAIN(X)                                                                                   \
    X(state) X(ca_state) X(retransmits) X(probes) X(backoff) X(options) X(rto) X(ato) X(snd_mss)   \
    X(rcv_mss) X(unacked) X(sacked) X(lost) X(retrans) X(fackets) X(last_data_sent)                \
    X(last_ack_sent) X(last_data_recv) X(last_ack_recv) X(pmtu) X(rcv_ssthresh) X(rtt) X(rttvar)   \
    X(snd_ssthresh) X(snd_cwnd) X(advmss) X(reordering) X(rcv_rtt) X(rcv_space) X(total_retrans)   \
    X(pacing_rate) X(max_pacing_rate) X(bytes_acked) X(bytes_received) X(segs_out) X(segs_in)      \
    X(notsent_bytes) X(min_rtt) X(data_segs_in) X(data_segs_out) X(delivery_rate) X(busy_time)     \
    X(rwnd_limited) X(sndbuf_limited) X(delivered) X(delivered_ce) X(bytes_sent)                   \
    X(bytes_retrans) X(dsack_dups) X(reord_seen) X(rcv_ooopack) X(snd_wnd) X(rcv_wnd) X(rehash)    \
    X(total_rto) X(total_rto_recoveries) X(total_rto_time) X(received_ce) X(delivered_e1_bytes)    \
    X(delivered_e0_bytes) X(delivered_ce_bytes) X(received_e1_bytes) X(received_e0_bytes)          \
    X(received_ce_bytes) X(accecn_fail_mode) X(accecn_opt_seen)
/* clang-format on */

#define BITS(X) X(snd_wscale) X(rcv_wscale) X(delivery_rate_app_limited) X(fastopen_client_fail)

typedef struct tern_linux_tcp_info info_t;

static const struct field {
    const char *name;
    size_t at, size;
} fields[] = {
#define X(f) {#f, offsetof(info_t, tcpi_##f), sizeof(((info_t *)0)->tcpi_##f)},
    PLAIN(X)
#undef X
};

static const char *const bits[] = {
#define X(f) #f,
    BITS(X)
#undef X
};

enum { FIELDS = sizeof(fields) / sizeof(fields[0]), BIT_FIELDS = sizeof(bits) / sizeof(bits[0]) };
#define BSD_SSTHRESH ((uint32_t)65535 << 14)
_Static_assert(sizeof(info_t) <= DRILL_TCP_INFO_SIZE, "room for TCP_INFO");

const char *drill_tcp_info_name(size_t n)
{
    if (n < FIELDS)
        return fields[n].name;
    return n < FIELDS + BIT_FIELDS ? bits[n - FIELDS] : NULL;
}

static bool bit_field(const void *data, const char *name, int64_t *value)
{
    info_t info;
    memcpy(&info, data, sizeof(info));
#define X(f)                                                                                       \
    if (strcmp(name, #f) == 0) {                                                                   \
        *value = info.tcpi_##f;                                                                    \
        return true;                                                                               \
    }
    BITS(X)
#undef X
    return false;
}

bool drill_tcp_info_field(const void *info, const char *name, int64_t *value)
{
    static const char prefix[] = "tcpi_";
    if (strncmp(name, prefix, sizeof(prefix) - 1) == 0)
        name += sizeof(prefix) - 1;
    for (size_t i = 0; i < FIELDS; i++) {
        const char *p = (const char *)info + fields[i].at;
        uint8_t u8;
        uint16_t u16;
        uint32_t u32;
        uint64_t u64 = 0;
        if (strcmp(fields[i].name, name) != 0)
            continue;
        switch (fields[i].size) {
        case 1:
            memcpy(&u8, p, 1);
            u64 = u8;
            break;
        case 2:
            memcpy(&u16, p, 2);
            u64 = u16;
            break;
        case 4:
            memcpy(&u32, p, 4);
            u64 = u32;
            break;
        default:
            memcpy(&u64, p, 8);
            break;
        }
        *value = (int64_t)u64;
        return true;
    }
    return bit_field(info, name, value);
}

/* A threshold that was never set is the largest window there can be: 65535 << 14. */
void drill_tcp_info_bsd(void *data)
{
    info_t info;
    memcpy(&info, data, sizeof(info));
    uint64_t threshold = (uint64_t)info.tcpi_snd_ssthresh * info.tcpi_snd_mss;
    info.tcpi_snd_cwnd *= info.tcpi_snd_mss;
    info.tcpi_snd_ssthresh = threshold < BSD_SSTHRESH ? (uint32_t)threshold : BSD_SSTHRESH;
    memcpy(data, &info, sizeof(info));
}
