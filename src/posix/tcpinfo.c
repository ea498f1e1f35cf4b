/* tcpinfo.c - TCP_INFO: the stack's numbers in Linux's words and units (segments, microseconds). */
#include "posix/tcpinfo.h"

#include <string.h>

enum { OPT_TIMESTAMPS = 1, OPT_SACK = 2, OPT_WSCALE = 4 };
enum { CA_OPEN = 0, CA_RECOVERY = 3, CA_LOSS = 4 };

static uint32_t us(uint64_t ns) { return (uint32_t)(ns / NS_PER_US); }

static uint8_t options_of(const tern_tcp_info *t)
{
    return (uint8_t)((t->options & TERN_INFO_TIMESTAMPS ? OPT_TIMESTAMPS : 0) |
                     (t->options & TERN_INFO_SACK ? OPT_SACK : 0) |
                     (t->options & TERN_INFO_WSCALE ? OPT_WSCALE : 0));
}

static void fill_conn(struct tern_linux_tcp_info *out, const tern_tcp_info *t)
{
    uint32_t mss = t->snd_mss != 0 ? t->snd_mss : 1;

    out->tcpi_ca_state = !t->in_recovery ? CA_OPEN : t->retransmits != 0 ? CA_LOSS : CA_RECOVERY;
    out->tcpi_retransmits = t->retransmits;
    out->tcpi_options = options_of(t);
    out->tcpi_snd_wscale = t->snd_wscale & 0xfu;
    out->tcpi_rcv_wscale = t->rcv_wscale & 0xfu;
    out->tcpi_rto = us(t->rto);
    out->tcpi_snd_mss = t->snd_mss;
    out->tcpi_rcv_mss = t->rcv_mss;
    out->tcpi_unacked = (t->snd_nxt - t->snd_una + mss - 1) / mss;
    out->tcpi_rtt = us(t->srtt);
    out->tcpi_rttvar = us(t->rttvar);
    out->tcpi_min_rtt = t->min_rtt != 0 ? us(t->min_rtt) : UINT32_MAX;
    out->tcpi_snd_ssthresh = t->ssthresh >= INT32_MAX ? INT32_MAX : t->ssthresh / mss;
    out->tcpi_snd_cwnd = t->cwnd / mss;
    out->tcpi_rcv_space = t->rcvbuf;
    out->tcpi_total_retrans = t->retransmits_total;
    out->tcpi_bytes_acked = t->bytes_sent - (t->tx_queued - t->tx_unsent);
    out->tcpi_bytes_sent = t->bytes_sent + t->bytes_retransmitted;
    out->tcpi_bytes_retrans = t->bytes_retransmitted;
    out->tcpi_bytes_received = t->bytes_received;
    out->tcpi_segs_out = t->segs_out;
    out->tcpi_segs_in = t->segs_in;
    out->tcpi_notsent_bytes = t->tx_unsent;
    out->tcpi_rcv_ooopack = t->out_of_order;
    out->tcpi_snd_wnd = t->snd_wnd;
    out->tcpi_rcv_wnd = t->rcv_wnd;
}

void tcpinfo_fill(const struct sock *sk, struct tern_linux_tcp_info *out)
{
    tern_tcp_info t;

    memset(out, 0, sizeof *out);
    out->tcpi_state = (uint8_t)sock_state(sk, &t);
    if (sk->listening) { /* as Linux has it: the queue, and its limit */
        out->tcpi_unacked = t.rx_queued;
        out->tcpi_sacked = t.tx_queued - 1;
    } else if (sk->k.id != 0) {
        fill_conn(out, &t);
    }
}
