/* opts_table.c - one row for each socket option; docs/SOCKETS.md is made of them. */
#include <limits.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>

#include "posix/opts.h"

/* Not in every system's headers. */
#ifndef IPV6_FREEBIND
#define IPV6_FREEBIND 78
#endif
#ifndef SO_RCVTIMEO_NEW
#define SO_RCVTIMEO_NEW 66
#define SO_SNDTIMEO_NEW 67
#define SO_TIMESTAMPING_NEW 65
#endif

/* ---- small setters and getters --------------------------------------------------------------- */

static int get_type(struct sock *sk, int *value)
{
    (void)sk;
    *value = SOCK_STREAM;
    return 0;
}

static int get_domain(struct sock *sk, int *value)
{
    *value = sk->domain;
    return 0;
}

static int get_protocol(struct sock *sk, int *value)
{
    *value = sk->protocol;
    return 0;
}

static int get_acceptconn(struct sock *sk, int *value)
{
    *value = sk->listening;
    return 0;
}

static int get_one(struct sock *sk, int *value)
{
    (void)sk;
    *value = 1;
    return 0;
}

static int set_rcvlowat(struct sock *sk, int value)
{
    uint32_t most = sk->p->tune.tcp_rmem[2];

    if (sk->opts.rcvbuf != 0)
        most = (uint32_t)sk->opts.rcvbuf;
    if (value < 0 || (uint32_t)value > most / 2)
        value = (int)(most / 2);
    sk->opts.rcvlowat = value != 0 ? value : 1;
    file_wake(&sk->file, 0);
    return 0;
}

static int set_maxseg(struct sock *sk, int value)
{
    if (value != 0 && (value < 88 || value > 32767))
        return -EINVAL;
    sk->opts.maxseg = value;
    return 0;
}

/* The two low bits are ECN's, and TCP's own. */
static int set_tos(struct sock *sk, int value)
{
    sk->opts.tos = (value & 0xfc) | (sk->opts.tos & 3);
    return 0;
}

static int set_tclass(struct sock *sk, int value)
{
    if (value < -1 || value > 255)
        return -EINVAL;
    sk->opts.tclass = value < 0 ? 0 : (value & 0xfc) | (sk->opts.tclass & 3);
    return 0;
}

static int set_ttl(struct sock *sk, int value)
{
    if (value != -1 && (value < 1 || value > 255))
        return -EINVAL;
    sk->opts.ttl = value;
    return 0;
}

static int get_ttl(struct sock *sk, int *value)
{
    *value = sk->opts.ttl < 0 ? (int)sk->p->tune.ip_default_ttl : sk->opts.ttl;
    return 0;
}

static int get_hops(struct sock *sk, int *value)
{
    *value = sk->opts.hops < 0 ? (int)sk->p->tune.ip_default_ttl : sk->opts.hops;
    return 0;
}

static int set_v6only(struct sock *sk, int value)
{
    if (sk->local.port != 0)
        return -EINVAL;
    sk->opts.v6only = value != 0;
    return 0;
}

static int set_linger2(struct sock *sk, int value)
{
    enum { FIN_TIMEOUT_MAX = 120 };
    sk->opts.linger2 = value < 0 ? -1 : value > FIN_TIMEOUT_MAX ? FIN_TIMEOUT_MAX : value;
    return 0;
}

static int get_linger2(struct sock *sk, int *value)
{
    *value = sk->opts.linger2 != 0 ? sk->opts.linger2 : (int)sk->p->tune.tcp_fin_timeout;
    return 0;
}

/* Seconds become SYN-ACKs, which go after 1, 3, 7, ... seconds, and are read back as such. */
enum { SYNACK_FIRST_S = 1, RTO_MAX_S = 120 };

static int set_defer_accept(struct sock *sk, int value)
{
    int sent = 0, period = SYNACK_FIRST_S, wait = SYNACK_FIRST_S;

    if (value > 0) {
        sent = 1;
        while (value > period && sent < 255) {
            sent++;
            wait = 2 * wait < RTO_MAX_S ? 2 * wait : RTO_MAX_S;
            period += wait;
        }
    }
    sk->opts.defer_accept = sent;
    return 0;
}

static int get_defer_accept(struct sock *sk, int *value)
{
    int wait = SYNACK_FIRST_S;

    *value = sk->opts.defer_accept > 0 ? SYNACK_FIRST_S : 0;
    for (int n = 1; n < sk->opts.defer_accept; n++) {
        wait = 2 * wait < RTO_MAX_S ? 2 * wait : RTO_MAX_S;
        *value += wait;
    }
    return 0;
}

static int set_window_clamp(struct sock *sk, int value)
{
    enum { CLAMP_LEAST = 1152 }; /* half of SOCK_MIN_RCVBUF */

    if (value == 0 && sock_state(sk, NULL) != LINUX_CLOSE)
        return -EINVAL;
    sk->opts.window_clamp = value != 0 && value < CLAMP_LEAST ? CLAMP_LEAST : value;
    return 0;
}

static int get_quickack(struct sock *sk, int *value)
{
    int64_t on;

    if (sk->k.id == 0 || tern_option_get(sk->p->conf.stack, sk->k, TERN_OPT_QUICKACK, &on) < 0)
        on = sk->opts.quickack;
    *value = (int)on;
    return 0;
}

static int get_timestamp(struct sock *sk, int *value)
{
    tern_tcp_info info;

    sock_state(sk, &info);
    *value = (int)((uint32_t)(sk->p->now / NS_PER_MS) + info.ts_offset);
    return 0;
}

static int get_zero(struct sock *sk, int *value)
{
    (void)sk;
    *value = 0;
    return 0;
}

static int set_thin_dupack(struct sock *sk, int value)
{
    (void)sk;
    return value == 0 || value == 1 ? 0 : -EINVAL;
}

/* ---- telling the stack ----------------------------------------------------------------------- */

static void tell(struct sock *sk, enum tern_opt option, int64_t value)
{
    if (sk->k.id != 0)
        (void)tern_option_set(sk->p->conf.stack, sk->k, option, value);
}

static void apply_nodelay(struct sock *sk) { tell(sk, TERN_OPT_NODELAY, sk->opts.nodelay); }
static void apply_cork(struct sock *sk)
{
    sk->more = false;
    tell(sk, TERN_OPT_CORK, sk->opts.cork);
}
static void apply_maxseg(struct sock *sk) { tell(sk, TERN_OPT_MSS, sk->opts.maxseg); }
static void apply_syncnt(struct sock *sk) { tell(sk, TERN_OPT_SYN_RETRIES, sk->opts.syncnt); }
static void apply_user_timeout(struct sock *sk)
{
    tell(sk, TERN_OPT_USER_TIMEOUT, (int64_t)sk->opts.user_timeout_ms * (int64_t)NS_PER_MS);
}
static bool speaks_ip4(const struct sock *sk) { return addr_is4(&sk->local); }
static void apply_tos(struct sock *sk)
{
    int tos = speaks_ip4(sk) ? sk->opts.tos : sk->opts.tclass;
    tell(sk, TERN_OPT_DSCP, (tos & 0xff) >> 2);
}
static void apply_recverr(struct sock *sk)
{
    tell(sk, TERN_OPT_REPORTS, speaks_ip4(sk) ? sk->opts.recverr : sk->opts.recverr6);
}
/* As Linux's TCP takes them: PROBE and INTERFACE mean more to datagrams. IPv6 has no DF. */
static void apply_mtu_discover(struct sock *sk)
{
    static const uint8_t how[2][6] = {{TERN_PMTUD_OFF, TERN_PMTUD_ON, TERN_PMTUD_ON,
                                       TERN_PMTUD_NO_DF, TERN_PMTUD_OFF, TERN_PMTUD_OFF},
                                      {TERN_PMTUD_ON, TERN_PMTUD_ON, TERN_PMTUD_ON, TERN_PMTUD_ON,
                                       TERN_PMTUD_DEAF, TERN_PMTUD_DEAF}};
    bool four = speaks_ip4(sk);
    tell(sk, TERN_OPT_PMTUD, how[!four][four ? sk->opts.mtu_discover : sk->opts.mtu6_discover]);
}
static void apply_ttl(struct sock *sk)
{
    int ttl = speaks_ip4(sk) ? sk->opts.ttl : sk->opts.hops;
    tell(sk, TERN_OPT_TTL, ttl > 0 ? ttl : (int)sk->p->tune.ip_default_ttl);
}
static void apply_sndbuf(struct sock *sk)
{
    if (sk->opts.sndbuf != 0)
        tell(sk, TERN_OPT_SNDBUF, sk->opts.sndbuf);
}
/* Half of what Linux counts in is its bookkeeping. A clamp is a smaller buffer. */
static void apply_rcvbuf(struct sock *sk)
{
    int bytes = sk->opts.rcvbuf / (sk->p->tune.bsd ? 1 : 2), clamp = sk->opts.window_clamp;

    if (clamp != 0 && (bytes == 0 || clamp < bytes))
        bytes = clamp;
    if (bytes != 0)
        tell(sk, TERN_OPT_RCVBUF, bytes);
}

static void apply_keepalive(struct sock *sk)
{
    if (!sk->opts.keepalive) {
        tell(sk, TERN_OPT_KEEPALIVE, 0);
        return;
    }
    tell(sk, TERN_OPT_KEEP_IDLE, sk->opts.keepidle * (int64_t)NS_PER_S);
    tell(sk, TERN_OPT_KEEP_INTVL, sk->opts.keepintvl * (int64_t)NS_PER_S);
    tell(sk, TERN_OPT_KEEP_COUNT, sk->opts.keepcnt);
    tell(sk, TERN_OPT_KEEPALIVE, 1);
}

static void apply_linger2(struct sock *sk)
{
    int s = sk->opts.linger2;
    tell(sk, TERN_OPT_FIN_WAIT2, s < 0 ? -1 : s * (int64_t)NS_PER_S);
}

static void apply_quickack(struct sock *sk) { tell(sk, TERN_OPT_QUICKACK, sk->opts.quickack & 1); }

static void apply_thin(struct sock *sk) { tell(sk, TERN_OPT_THIN_LINEAR, sk->opts.thin_lto); }

static void apply_defer_accept(struct sock *sk)
{
    tell(sk, TERN_OPT_DEFER_ACCEPT, sk->opts.defer_accept);
}

void opts_fastopen(struct sock *sk)
{
    uint32_t how = sk->p->tune.tcp_fastopen;
    bool on = how & TFO_SERVER && sk->listening;

    tell(sk, TERN_OPT_FASTOPEN_FREE, sk->opts.fastopen_no_cookie || how & TFO_SERVER_FREE);
    tell(sk, TERN_OPT_FASTOPEN, on ? sk->opts.fastopen : 0);
    if (sk->fo_keys != 0)
        (void)tern_fastopen_keys(sk->p->conf.stack, sk->k, sk->fo_key, sk->fo_keys);
}

static void apply_fastopen(struct sock *sk)
{
    if (sk->listening)
        opts_fastopen(sk);
}

static int set_fastopen(struct sock *sk, int value)
{
    if (value < 0 || !STATE_IN(sock_state(sk, NULL), S(CLOSE) | S(LISTEN)))
        return -EINVAL;
    sk->opts.fastopen =
        (uint32_t)value < sk->p->tune.somaxconn ? value : (int)sk->p->tune.somaxconn;
    return 0;
}

static int set_fastopen_connect(struct sock *sk, int value)
{
    if (value < 0 || value > 1)
        return -EINVAL;
    if (!(sk->p->tune.tcp_fastopen & TFO_CLIENT))
        return -EOPNOTSUPP;
    if (sock_state(sk, NULL) != LINUX_CLOSE)
        return -EINVAL;
    sk->opts.fastopen_connect = value;
    return 0;
}

static int set_fastopen_no_cookie(struct sock *sk, int value)
{
    if (value < 0 || value > 1 || !STATE_IN(sock_state(sk, NULL), S(CLOSE) | S(LISTEN)))
        return -EINVAL;
    sk->opts.fastopen_no_cookie = value;
    return 0;
}

/* ---- the rows -------------------------------------------------------------------------------- */

#define AT(field) offsetof(struct sock_opts, field)
#define ROW(lvl, opt, what) .level = lvl, .name = opt, .text = #opt, .note = what
#define FLAG(lvl, opt, field, what)                                                                \
    .level = lvl, .name = opt, .text = #opt, .note = what, .kind = OPT_BOOL, .offset = AT(field),  \
    .min = INT_MIN, .max = INT_MAX
#define NUMBER(lvl, opt, field, lo, hi, what)                                                      \
    .level = lvl, .name = opt, .text = #opt, .note = what, .kind = OPT_INT, .offset = AT(field),   \
    .min = lo, .max = hi
#define READ(lvl, opt, how, what)                                                                  \
    .level = lvl, .name = opt, .text = #opt, .note = what, .kind = OPT_READ, .get = how
#define OWN(lvl, opt, what) .level = lvl, .name = opt, .text = #opt, .note = what, .kind = OPT_OWN

#define SOL SOL_SOCKET
#define TCP IPPROTO_TCP
#define IP4 IPPROTO_IP
#define IP6 IPPROTO_IPV6

const struct posix_option posix_options[] = {
    {FLAG(SOL, SO_REUSEADDR, reuse_addr, "bind() beside connections on their way out")},
    {FLAG(SOL, SO_REUSEPORT, reuse_port, "bind() beside sockets that have it too")},
    {READ(SOL, SO_TYPE, get_type, "SOCK_STREAM")},
    {READ(SOL, SO_DOMAIN, get_domain, "AF_INET or AF_INET6")},
    {READ(SOL, SO_PROTOCOL, get_protocol, "IPPROTO_TCP")},
    {READ(SOL, SO_ERROR, opts_get_error, "the pending error, which is none after that")},
    {READ(SOL, SO_ACCEPTCONN, get_acceptconn, "whether it listens")},
    {READ(SOL, SO_SNDLOWAT, get_one, "always 1")},
    {ROW(SOL, SO_SNDBUF, "send buffer: doubled, at most twice wmem_max"), .kind = OPT_INT,
     .set = opts_set_sndbuf, .get = opts_get_sndbuf, .apply = apply_sndbuf},
    {ROW(SOL, SO_RCVBUF, "receive buffer: doubled, at most twice rmem_max; no autotuning then"),
     .kind = OPT_INT, .set = opts_set_rcvbuf, .get = opts_get_rcvbuf, .apply = apply_rcvbuf},
    {ROW(SOL, SO_SNDBUFFORCE, "SO_SNDBUF without its limit"), .kind = OPT_INT,
     .set = opts_force_sndbuf, .apply = apply_sndbuf},
    {ROW(SOL, SO_RCVBUFFORCE, "SO_RCVBUF without its limit"), .kind = OPT_INT,
     .set = opts_force_rcvbuf, .apply = apply_rcvbuf},
    {ROW(SOL, SO_RCVLOWAT, "bytes that make a socket readable"), .kind = OPT_INT,
     .offset = AT(rcvlowat), .set = set_rcvlowat},
    {OWN(SOL, SO_LINGER, "close() waits, or resets")},
    {OWN(SOL, SO_RCVTIMEO, "how long a read or accept() waits")},
    {OWN(SOL, SO_SNDTIMEO, "how long a write or connect() waits")},
    {OWN(SOL, SO_RCVTIMEO_NEW, "the same with 64 bits")},
    {OWN(SOL, SO_SNDTIMEO_NEW, "the same with 64 bits")},
    {OWN(SOL, SO_MAX_PACING_RATE, "bytes a second that are never exceeded, and pacing")},
    {OWN(SOL, SO_COOKIE, "the stack's number of the connection")},
    {FLAG(SOL, SO_KEEPALIVE, keepalive, "probes a silent peer"), .apply = apply_keepalive},
    {NUMBER(SOL, SO_ZEROCOPY, zerocopy, 0, 1, "MSG_ZEROCOPY is told when it is done (copied)"),
     .queue = true},
    {OWN(SOL, SO_TIMESTAMPING,
         "when data has left and was acknowledged: TX_SCHED, _SOFTWARE, _ACK; with OPT_STATS"),
     .queue = true},
    {OWN(SOL, SO_TIMESTAMPING_NEW, "the same with 64 bits"), .queue = true},
    {FLAG(SOL, SO_OOBINLINE, oob_inline, "urgent bytes stay where they are in the stream")},
    {FLAG(SOL, SO_BROADCAST, broadcast, "kept; means nothing to a stream")},
    {FLAG(SOL, SO_DONTROUTE, dont_route, "kept; every host of a stack is on a link")},
    {NUMBER(SOL, SO_PRIORITY, priority, 0, 6, "kept; there is one queue")},
    {NUMBER(SOL, SO_MARK, mark, INT_MIN, INT_MAX, "kept; routes do not look at it")},
    {FLAG(SOL, SO_NO_CHECK, no_check, "kept; TCP always has a checksum, as in Linux")},
    {NUMBER(SOL, SO_INCOMING_CPU, incoming_cpu, INT_MIN, INT_MAX, "kept")},
    {NUMBER(SOL, SO_BUSY_POLL, busy_poll, 0, INT_MAX, "kept; nothing is polled behind one's back")},

    {FLAG(TCP, TCP_NODELAY, nodelay, "Nagle's algorithm is off"), .apply = apply_nodelay},
    {FLAG(TCP, TCP_CORK, cork, "partial segments wait until it is taken off"), .apply = apply_cork},
    {ROW(TCP, TCP_MAXSEG, "bounds the MSS sent and offered"), .kind = OPT_INT, .offset = AT(maxseg),
     .set = set_maxseg, .get = opts_get_maxseg, .apply = apply_maxseg},
    {NUMBER(TCP, TCP_KEEPIDLE, keepidle, 1, 32767, "s of silence before the first probe"),
     .apply = apply_keepalive},
    {NUMBER(TCP, TCP_KEEPINTVL, keepintvl, 1, 32767, "s between two probes"),
     .apply = apply_keepalive},
    {NUMBER(TCP, TCP_KEEPCNT, keepcnt, 1, 127, "probes that may stay unanswered"),
     .apply = apply_keepalive},
    {ROW(TCP, TCP_LINGER2, "s in FIN-WAIT-2 after close(); negative: reset at once"),
     .kind = OPT_INT, .offset = AT(linger2), .set = set_linger2, .get = get_linger2,
     .apply = apply_linger2},
    {ROW(TCP, TCP_DEFER_ACCEPT, "accepted with the first data, or after so many s"),
     .kind = OPT_INT, .offset = AT(defer_accept), .set = set_defer_accept, .get = get_defer_accept,
     .apply = apply_defer_accept},
    {ROW(TCP, TCP_WINDOW_CLAMP, "bounds the window, and its scale before the SYN"), .kind = OPT_INT,
     .offset = AT(window_clamp), .set = set_window_clamp, .apply = apply_rcvbuf},
    {FLAG(TCP, TCP_QUICKACK, quickack, "acknowledges at once, for a while"), .get = get_quickack,
     .apply = apply_quickack},
    {ROW(TCP, TCP_TIMESTAMP, "TSval now; setting it: EPERM"), .kind = OPT_DENY,
     .get = get_timestamp},
    {NUMBER(TCP, TCP_THIN_LINEAR_TIMEOUTS, thin_lto, 0, 1,
            "with little in flight time-outs do not grow"),
     .apply = apply_thin},
    {ROW(TCP, TCP_THIN_DUPACK, "nothing, as in Linux"), .kind = OPT_INT, .set = set_thin_dupack,
     .get = get_zero},
    {NUMBER(TCP, TCP_SYNCNT, syncnt, 1, 127, "SYNs sent again before ETIMEDOUT"),
     .apply = apply_syncnt},
    {NUMBER(TCP, TCP_USER_TIMEOUT, user_timeout_ms, 0, INT_MAX, "ms without progress allowed"),
     .apply = apply_user_timeout},
    {NUMBER(TCP, TCP_NOTSENT_LOWAT, notsent_lowat, INT_MIN, INT_MAX,
            "writable only with fewer unsent bytes")},
    {NUMBER(TCP, TCP_INQ, inq, 0, 1, "bytes still waiting, as a control message of recvmsg()"),
     .queue = true},
    {OWN(TCP, TCP_CONGESTION, "the algorithm's name")},
    {OWN(TCP, TCP_INFO, "struct tcp_info")},
    {ROW(TCP, TCP_FASTOPEN, "listener: so many connections made by a SYN's data may wait"),
     .kind = OPT_INT, .offset = AT(fastopen), .set = set_fastopen, .apply = apply_fastopen},
    {ROW(TCP, TCP_FASTOPEN_CONNECT, "connect() leaves the SYN to the first write"), .kind = OPT_INT,
     .offset = AT(fastopen_connect), .set = set_fastopen_connect},
    {ROW(TCP, TCP_FASTOPEN_NO_COOKIE, "a SYN's data needs no cookie"), .kind = OPT_INT,
     .offset = AT(fastopen_no_cookie), .set = set_fastopen_no_cookie, .apply = apply_fastopen},
    {OWN(TCP, TCP_FASTOPEN_KEY, "what cookies are made with: one key or two, of 16 bytes")},
    {OWN(TCP, TCP_MD5SIG, "signs segments, and drops what is not signed (RFC 2385); a key a peer")},
    {OWN(TCP, TCP_MD5SIG_EXT, "the same for a prefix of peers")},
    {ROW(TCP, TCP_REPAIR, "EPERM"), .kind = OPT_DENY},

    {ROW(IP4, IP_TOS, "the DSCP; ECN's bits are TCP's"), .kind = OPT_INT, .offset = AT(tos),
     .set = set_tos, .apply = apply_tos},
    {ROW(IP4, IP_TTL, "the hop limit; -1: the default"), .kind = OPT_INT, .offset = AT(ttl),
     .set = set_ttl, .odd = true, .get = get_ttl, .apply = apply_ttl},
    {NUMBER(IP4, IP_MTU_DISCOVER, mtu_discover, 0, 5,
            "DONT and PROBE: without DF, DONT: nothing is sent again for its size"),
     .apply = apply_mtu_discover},
    {FLAG(IP4, IP_RECVERR, recverr,
          "what ICMP says is an error at once, even where all goes on; see below"),
     .apply = apply_recverr},
    {FLAG(IP4, IP_FREEBIND, freebind, "bind() to an address that is not local (yet)"), .odd = true},
    {FLAG(IP4, IP_BIND_ADDRESS_NO_PORT, bind_no_port, "bind() leaves the port to connect()")},
    {READ(IP4, IP_MTU, opts_get_mtu, "the path MTU of a connection")},
    {FLAG(IP4, IP_RECVTOS, recvtos, "kept; means nothing to a stream")},
    {FLAG(IP4, IP_RECVTTL, recvttl, "kept; means nothing to a stream")},
    {FLAG(IP4, IP_PKTINFO, pktinfo, "kept; means nothing to a stream")},
    {OWN(IP4, IP_OPTIONS, "none: packets carry none, and none can be set")},
    {ROW(IP4, IP_TRANSPARENT, "EPERM"), .kind = OPT_DENY},

    {ROW(IP6, IPV6_V6ONLY, "no IPv4 on this socket"), .kind = OPT_BOOL, .offset = AT(v6only),
     .set = set_v6only},
    {ROW(IP6, IPV6_TCLASS, "the DSCP; ECN's bits are TCP's"), .kind = OPT_INT, .offset = AT(tclass),
     .set = set_tclass, .apply = apply_tos},
    {NUMBER(IP6, IPV6_UNICAST_HOPS, hops, -1, 255, "the hop limit; -1: the default"),
     .get = get_hops, .apply = apply_ttl},
    {NUMBER(IP6, IPV6_MTU_DISCOVER, mtu6_discover, 0, 5,
            "INTERFACE and OMIT: what ICMP says of sizes is not heard"),
     .apply = apply_mtu_discover},
    {READ(IP6, IPV6_MTU, opts_get_mtu, "the path MTU of a connection")},
    {FLAG(IP6, IPV6_RECVERR, recverr6,
          "the same as IP_RECVERR, and for connect() its message is queued"),
     .apply = apply_recverr},
    {FLAG(IP6, IPV6_RECVTCLASS, recvtclass, "kept; means nothing to a stream")},
    {FLAG(IP6, IPV6_RECVHOPLIMIT, recvhoplimit, "kept; means nothing to a stream")},
    {FLAG(IP6, IPV6_RECVPKTINFO, recvpktinfo, "kept; means nothing to a stream")},
    {FLAG(IP6, IPV6_DONTFRAG, dontfrag, "kept; TCP never sends fragments"), .odd = true},
    {FLAG(IP6, IPV6_FREEBIND, freebind, "bind() to an address that is not local (yet)")},
    {ROW(IP6, IPV6_TRANSPARENT, "EPERM"), .kind = OPT_DENY},
};
const size_t posix_options_count = sizeof posix_options / sizeof posix_options[0];
