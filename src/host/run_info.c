/* run_info.c - TCP_INFO: what a stack says of a connection, in the kernel's words. */
#include "host/run_core.h"

#include <linux/tcp.h>
#include <string.h>

/* The numbers of the states in the kernel, by enum tern_state. */
static const uint8_t kernel_state[TERN_STATE_COUNT] = {
    [TERN_CLOSED] = 7,      [TERN_LISTEN] = 10,    [TERN_SYN_SENT] = 2,   [TERN_SYN_RECEIVED] = 3,
    [TERN_ESTABLISHED] = 1, [TERN_FIN_WAIT_1] = 4, [TERN_FIN_WAIT_2] = 5, [TERN_CLOSE_WAIT] = 8,
    [TERN_CLOSING] = 11,    [TERN_LAST_ACK] = 9,   [TERN_TIME_WAIT] = 6,
};

static uint32_t us(uint64_t ns) { return (uint32_t)(ns / 1000); }

static void copy_conn(struct tcp_info *out, const tern_tcp_info *t)
{
    uint32_t mss = t->snd_mss ? t->snd_mss : 1;

    out->tcpi_state = t->state < TERN_STATE_COUNT ? kernel_state[t->state] : 7;
    out->tcpi_ca_state = t->in_recovery ? 3 : 0;
    out->tcpi_retransmits = t->retransmits;
    out->tcpi_options = (uint8_t)((t->options & TERN_INFO_TIMESTAMPS ? TCPI_OPT_TIMESTAMPS : 0) |
                                  (t->options & TERN_INFO_SACK ? TCPI_OPT_SACK : 0) |
                                  (t->options & TERN_INFO_WSCALE ? TCPI_OPT_WSCALE : 0));
    out->tcpi_snd_wscale = t->snd_wscale & 0xfu;
    out->tcpi_rcv_wscale = t->rcv_wscale & 0xfu;
    out->tcpi_rto = us(t->rto);
    out->tcpi_ato = 40000;
    out->tcpi_snd_mss = t->snd_mss;
    out->tcpi_rcv_mss = t->rcv_mss;
    out->tcpi_unacked = (t->snd_nxt - t->snd_una + mss - 1) / mss;
    out->tcpi_pmtu = 1500;
    out->tcpi_rtt = us(t->srtt);
    out->tcpi_rttvar = us(t->rttvar);
    out->tcpi_min_rtt = us(t->min_rtt);
    out->tcpi_snd_ssthresh = t->ssthresh / mss;
    out->tcpi_snd_cwnd = t->cwnd / mss;
    out->tcpi_advmss = t->mss_peer;
    out->tcpi_rcv_space = t->rcvbuf;
    out->tcpi_total_retrans = t->retransmits_total;
    out->tcpi_bytes_acked = t->bytes_sent;
    out->tcpi_bytes_sent = t->bytes_sent;
    out->tcpi_bytes_retrans = t->bytes_retransmitted;
    out->tcpi_bytes_received = t->bytes_received;
    out->tcpi_segs_out = t->segs_out;
    out->tcpi_segs_in = t->segs_in;
    out->tcpi_notsent_bytes = t->tx_unsent;
    out->tcpi_rcv_ooopack = t->out_of_order;
}

void run_tcp_info(struct run_sock *s, struct tcp_info *out)
{
    tern_tcp_info t;

    memset(out, 0, sizeof *out);
    memset(&t, 0, sizeof t);
    if (s->state == SOCK_LISTENING)
        out->tcpi_state = kernel_state[TERN_LISTEN];
    else if (s->conn && s->run->net->info(s->conn, &t) == 0)
        copy_conn(out, &t);
    else
        out->tcpi_state = kernel_state[TERN_CLOSED];
}
