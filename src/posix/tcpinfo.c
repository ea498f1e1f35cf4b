/* tcpinfo.c - TCP_INFO: the stack's numbers in Linux's words and units (segments, microseconds,
 * milliseconds ago). What the stack does not have is 0, as on a Linux built without it. */
#include "posix/tcpinfo.h"

#include "posix/posix.h"

#include <string.h>

enum { OPT_TIMESTAMPS = 1, OPT_SACK = 2, OPT_WSCALE = 4, OPT_ECN = 8, OPT_ECN_SEEN = 16 };
enum { OPT_SYN_DATA = 32, OPT_TFO_CHILD = 128 };
enum { ATO_MIN_US = 40000, MSS_DEFAULT = 536, MSS_LEAST = 88, TS_BYTES = 12 };

static uint32_t us(uint64_t ns) { return (uint32_t)(ns / NS_PER_US); }

static uint32_t ms_since(uint64_t now, uint64_t at)
{
    return at != 0 && now > at ? (uint32_t)((now - at) / NS_PER_MS) : 0;
}

static uint8_t options_of(const tern_tcp_info *t)
{
    return (uint8_t)((t->options & TERN_INFO_TIMESTAMPS ? OPT_TIMESTAMPS : 0) |
                     (t->options & TERN_INFO_SACK ? OPT_SACK : 0) |
                     (t->options & TERN_INFO_WSCALE ? OPT_WSCALE : 0) |
                     (t->options & TERN_INFO_ECN ? OPT_ECN : 0) |
                     (t->options & TERN_INFO_ECN_SEEN ? OPT_ECN_SEEN : 0) |
                     (t->options & TERN_INFO_SYN_DATA ? OPT_SYN_DATA : 0) |
                     (t->options & TERN_INFO_FASTOPEN_CHILD ? OPT_TFO_CHILD : 0));
}

/* Linux has a bit each for ACE and for the option, sent (1, 4) and received (2, 8). */
static uint16_t ecn_fail_of(const tern_tcp_info *t)
{
    return (uint16_t)((t->ecn_fail & 1 && !(t->ecn_fail & 2) ? 1 : 0) | (t->ecn_fail & 14));
}

static void fill_ecn(struct tern_linux_tcp_info *out, const tern_tcp_info *t)
{
    out->tcpi_received_ce = t->received_ce;
    out->tcpi_received_e1_bytes = t->received_bytes[0];
    out->tcpi_received_e0_bytes = t->received_bytes[1];
    out->tcpi_received_ce_bytes = t->received_bytes[2];
    out->tcpi_delivered_e1_bytes = t->delivered_bytes[0];
    out->tcpi_delivered_e0_bytes = t->delivered_bytes[1];
    out->tcpi_delivered_ce_bytes = t->delivered_bytes[2];
    out->tcpi_accecn_opt_seen = t->ecn_option_seen;
    out->tcpi_accecn_fail_mode = ecn_fail_of(t);
}

/* Linux takes the SYN's number for a byte where it opened, and a FIN's in both directions. */
static void fill_bytes(struct tern_linux_tcp_info *out, const tern_tcp_info *t)
{
    bool fin_sent = t->state >= TERN_FIN_WAIT_1 && t->state != TERN_CLOSE_WAIT;
    bool fin_acked = t->state == TERN_FIN_WAIT_2 || t->state == TERN_TIME_WAIT;
    bool fin_flies =
        fin_sent && !fin_acked && t->snd_nxt - t->snd_una > t->tx_queued - t->tx_unsent;
    uint32_t flight = t->state >= TERN_ESTABLISHED ? t->snd_nxt - t->snd_una - fin_flies : 0;

    out->tcpi_bytes_sent = t->bytes_sent + t->bytes_retransmitted;
    out->tcpi_bytes_retrans = t->bytes_retransmitted;
    out->tcpi_bytes_acked = t->bytes_sent - flight + fin_acked;
    if (!t->passive && t->state >= TERN_ESTABLISHED)
        out->tcpi_bytes_acked++;
    out->tcpi_bytes_received = t->bytes_received + t->eof;
    out->tcpi_notsent_bytes = t->tx_unsent;
}

static void fill_segments(struct tern_linux_tcp_info *out, const tern_tcp_info *t)
{
    uint32_t mss = t->snd_mss != 0 ? t->snd_mss : 1;

    out->tcpi_unacked = t->segs_flight;
    out->tcpi_sacked = t->segs_sacked;
    out->tcpi_lost = t->segs_lost;
    out->tcpi_retrans = t->segs_again;
    out->tcpi_reordering = t->reordering;
    out->tcpi_reord_seen = t->reord_seen;
    out->tcpi_dsack_dups = t->dsacks;
    out->tcpi_snd_ssthresh = t->ssthresh >= INT32_MAX ? INT32_MAX : t->ssthresh / mss;
    out->tcpi_snd_cwnd = t->cwnd / mss;
    out->tcpi_total_retrans = t->retransmits_total;
    out->tcpi_segs_out = t->segs_out;
    out->tcpi_segs_in = t->segs_in;
    out->tcpi_data_segs_out = t->data_segs_out;
    out->tcpi_data_segs_in = t->data_segs_in;
    out->tcpi_delivered = t->delivered;
    out->tcpi_delivered_ce = t->delivered_ce;
    out->tcpi_rcv_ooopack = t->out_of_order;
}

static void fill_times(struct tern_linux_tcp_info *out, const tern_tcp_info *t, uint64_t now)
{
    uint64_t since = now > t->waits_since ? now - t->waits_since : 0;

    out->tcpi_rto = us(t->rto);
    out->tcpi_ato = t->received_at != 0 ? ATO_MIN_US : 0;
    out->tcpi_rtt = us(t->srtt);
    out->tcpi_rttvar = us(t->rttvar);
    out->tcpi_rcv_rtt = us(t->rcv_rtt);
    out->tcpi_min_rtt = t->min_rtt != 0 ? us(t->min_rtt) : UINT32_MAX;
    out->tcpi_last_data_sent = ms_since(now, t->sent_at);
    out->tcpi_last_data_recv = ms_since(now, t->received_at);
    out->tcpi_last_ack_recv = ms_since(now, t->acked_at);
    out->tcpi_busy_time = (t->busy + (t->waits != TERN_WAIT_NONE ? since : 0)) / NS_PER_US;
    out->tcpi_rwnd_limited =
        (t->waited_window + (t->waits == TERN_WAIT_WINDOW ? since : 0)) / NS_PER_US;
    out->tcpi_sndbuf_limited =
        (t->waited_buffer + (t->waits == TERN_WAIT_BUFFER ? since : 0)) / NS_PER_US;
    out->tcpi_total_rto = t->timeouts;
    out->tcpi_total_rto_recoveries = t->timeout_runs;
    out->tcpi_total_rto_time = (uint32_t)(t->timeouts_time / NS_PER_MS);
}

/* Until full segments have come, a small guess (RFC 1122's default MSS), as it decides when to
 * acknowledge. */
static uint32_t rcv_mss_of(const tern_tcp_info *t, uint32_t advmss)
{
    uint32_t guess = advmss < t->snd_mss ? advmss : t->snd_mss;

    guess = guess < MSS_DEFAULT ? guess : MSS_DEFAULT;
    guess = guess < t->rcv_wnd / 2 ? guess : t->rcv_wnd / 2;
    guess = guess > MSS_LEAST ? guess : MSS_LEAST;
    guess = guess > t->rcv_mss ? guess : t->rcv_mss;
    return guess < advmss ? guess : advmss;
}

/* Linux works it out for those who do not pace, too: a window a round trip, and more while it is to
 * grow. */
static uint64_t pacing_rate_of(const tern_tcp_info *t)
{
    uint64_t bytes = t->cwnd > t->snd_nxt - t->snd_una ? t->cwnd : t->snd_nxt - t->snd_una;

    if (t->pacing_rate != 0 || t->srtt == 0)
        return t->pacing_rate != 0 ? t->pacing_rate : UINT64_MAX;
    return bytes * (t->cwnd < t->ssthresh / 2 ? 200 : 120) / 100 * NS_PER_S / t->srtt;
}

static void fill_conn(struct tern_linux_tcp_info *out, const tern_tcp_info *t)
{
    uint32_t headers = t->options & TERN_INFO_TIMESTAMPS ? TS_BYTES : 0;

    out->tcpi_ca_state = t->phase;
    out->tcpi_retransmits = t->probing ? 0 : t->retransmits;
    out->tcpi_probes = t->probing ? t->retransmits : t->keep_probes;
    out->tcpi_backoff = t->backoff;
    out->tcpi_options = options_of(t);
    out->tcpi_snd_wscale = t->snd_wscale & 0xfu;
    out->tcpi_rcv_wscale = t->rcv_wscale & 0xfu;
    out->tcpi_delivery_rate_app_limited = t->rate_app_limited;
    out->tcpi_fastopen_client_fail = t->fastopen_fail & 3u;
    out->tcpi_snd_mss = t->snd_mss;
    out->tcpi_advmss = t->mss_own - headers;
    out->tcpi_rcv_mss = rcv_mss_of(t, out->tcpi_advmss);
    out->tcpi_pmtu = t->pmtu;
    out->tcpi_rcv_ssthresh = t->rcvbuf;
    out->tcpi_rcv_space = t->rcv_space != 0 ? t->rcv_space : t->rcvbuf;
    out->tcpi_pacing_rate = pacing_rate_of(t);
    out->tcpi_delivery_rate = t->delivery_rate;
    out->tcpi_snd_wnd = t->snd_wnd;
    out->tcpi_rcv_wnd = t->rcv_wnd;
}

/* A connection in TIME-WAIT is closed for its owner: Linux keeps the wait apart from the socket. */
uint8_t tcpinfo_state(unsigned state)
{
    static const uint8_t linux_state[TERN_STATE_COUNT] = {
        [TERN_CLOSED] = LINUX_CLOSE,
        [TERN_LISTEN] = LINUX_LISTEN,
        [TERN_SYN_SENT] = LINUX_SYN_SENT,
        [TERN_SYN_RECEIVED] = LINUX_SYN_RECV,
        [TERN_ESTABLISHED] = LINUX_ESTABLISHED,
        [TERN_FIN_WAIT_1] = LINUX_FIN_WAIT1,
        [TERN_FIN_WAIT_2] = LINUX_FIN_WAIT2,
        [TERN_CLOSE_WAIT] = LINUX_CLOSE_WAIT,
        [TERN_CLOSING] = LINUX_CLOSING,
        [TERN_LAST_ACK] = LINUX_LAST_ACK,
        [TERN_TIME_WAIT] = LINUX_CLOSE,
    };
    return state < TERN_STATE_COUNT ? linux_state[state] : LINUX_CLOSE;
}

void tcpinfo_of(const tern_tcp_info *t, uint64_t now, struct tern_linux_tcp_info *out)
{
    memset(out, 0, sizeof *out);
    out->tcpi_state = t != NULL ? tcpinfo_state(t->state) : LINUX_CLOSE;
    if (t != NULL && t->state == TERN_LISTEN) { /* as Linux has it: the queue, and its limit */
        out->tcpi_unacked = t->rx_queued;
        out->tcpi_sacked = t->tx_queued - 1;
    } else if (t != NULL) {
        fill_conn(out, t);
        fill_bytes(out, t);
        fill_segments(out, t);
        fill_times(out, t, now);
        fill_ecn(out, t);
    }
}

void tcpinfo_fill(const struct sock *sk, struct tern_linux_tcp_info *out)
{
    tern_tcp_info t;
    bool known = sock_look(sk, &t);

    tcpinfo_of(known ? &t : NULL, sk->p->now, out);
    if (known && !sk->listening)
        out->tcpi_max_pacing_rate = sk->opts.max_pacing;
}
