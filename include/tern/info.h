/* tern/info.h - what a shard can tell about itself: counters, drop reasons, tcp_info, listing.
 *
 * Each list is one X-macro: name, text for people. Tools print the texts; nothing is written twice.
 */
#ifndef TERN_INFO_H
#define TERN_INFO_H

#include "tern/tern.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- states: RFC 9293 3.3.2, in the order and with the names of ss(8) ----------------------- */

#define TERN_STATES(X)                                                                             \
    X(CLOSED, "CLOSED")                                                                            \
    X(LISTEN, "LISTEN")                                                                            \
    X(SYN_SENT, "SYN-SENT")                                                                        \
    X(SYN_RECEIVED, "SYN-RECEIVED")                                                                \
    X(ESTABLISHED, "ESTABLISHED")                                                                  \
    X(FIN_WAIT_1, "FIN-WAIT-1")                                                                    \
    X(FIN_WAIT_2, "FIN-WAIT-2")                                                                    \
    X(CLOSE_WAIT, "CLOSE-WAIT")                                                                    \
    X(CLOSING, "CLOSING")                                                                          \
    X(LAST_ACK, "LAST-ACK")                                                                        \
    X(TIME_WAIT, "TIME-WAIT")

enum tern_state {
#define X(id, text) TERN_##id,
    TERN_STATES(X)
#undef X
        TERN_STATE_COUNT
};

/* ---- why a packet was dropped ---------------------------------------------------------------- */

#define TERN_DROPS(X)                                                                              \
    X(NONE, "not dropped")                                                                         \
    X(SHORT, "shorter than its headers say")                                                       \
    X(IP_VERSION, "IP version is neither 4 nor 6")                                                 \
    X(IP_HEADER, "malformed IP header")                                                            \
    X(IP_CSUM, "wrong IPv4 header checksum")                                                       \
    X(IP_FRAGMENT, "a malformed IP fragment")                                                      \
    X(FRAGMENT_AGAIN, "an IP fragment that is there already")                                      \
    X(FRAGMENT_OVERLAP, "IP fragments that contradict each other: all of the datagram")            \
    X(FRAGMENT_HOLES, "a datagram in fragments with too many holes")                               \
    X(FRAGMENT_LIMIT, "a datagram in fragments that gave way to newer ones")                       \
    X(FRAGMENT_TIMEOUT, "a datagram whose fragments have not all come in time")                    \
    X(IP_SOURCE_ROUTE, "source-routed")                                                            \
    X(IP_EXT_HEADER, "an IPv6 extension header that must not be skipped")                          \
    X(IP_PROTOCOL, "a transport protocol that is not spoken here")                                 \
    X(IP_SOURCE, "an impossible source address")                                                   \
    X(IP_DESTINATION, "not addressed to this host")                                                \
    X(TCP_HEADER, "malformed TCP header")                                                          \
    X(TCP_OPTIONS, "malformed TCP options")                                                        \
    X(TCP_CSUM, "wrong TCP checksum")                                                              \
    X(TCP_UNSIGNED, "not signed (RFC 2385), although there is a key")                              \
    X(TCP_FORGED, "signed (RFC 2385) with another key, or altered")                                \
    X(TCP_SIGNED, "signed (RFC 2385), and there is no key to tell whether well")                   \
    X(TCP_CLOSED, "no socket; answered with RST")                                                  \
    X(TCP_LISTEN, "a listener takes only SYN")                                                     \
    X(TCP_SEQUENCE, "sequence number outside the window; answered with ACK")                       \
    X(TCP_PAWS, "an old timestamp; answered with ACK")                                             \
    X(TCP_NO_TIMESTAMP, "no timestamp, though both ends have agreed on them")                      \
    X(TCP_RST, "an RST that does not fit; challenged or ignored")                                  \
    X(TCP_SYN, "a SYN in a synchronized state; challenged")                                        \
    X(TCP_NO_ACK, "no ACK bit")                                                                    \
    X(TCP_ACK, "acknowledges what was never sent, or long ago")                                    \
    X(TCP_WINDOW, "data beyond the receive window")                                                \
    X(TCP_DUPLICATE, "data already received")                                                      \
    X(TCP_REASSEMBLY, "too many holes in what has been received")                                  \
    X(TCP_BACKLOG, "the listener's accept queue is full")                                          \
    X(TCP_HALFOPEN, "too many half-open connections")                                              \
    X(TCP_DENIED, "a rule denies its source")                                                      \
    X(TCP_SYN_RATE, "too many SYNs of one source in this time")                                    \
    X(TCP_SOURCE_LIMIT, "too many connections of one source")                                      \
    X(TCP_HELD, "a SYN that is already held")                                                      \
    X(TCP_AFTER_CLOSE, "data after the socket was closed; answered with RST")                      \
    X(UDP_HEADER, "malformed UDP header")                                                          \
    X(UDP_CSUM, "wrong UDP checksum")                                                              \
    X(UDP_CLOSED, "no UDP socket; answered by ICMP")                                               \
    X(UDP_BUFFER, "the UDP socket's buffer is full")                                               \
    X(MEMORY, "out of memory or over a limit")                                                     \
    X(LINK, "a frame that is not for us, or of a kind that is not spoken here")                    \
    X(ARP, "an ARP message about others, or one that asks for nothing")                            \
    X(ND, "a Neighbour Discovery message that is not valid, or about others")                      \
    X(NEIGHBOR, "the neighbour does not answer, or too many packets wait for it")                  \
    X(REPLIES, "too many replies wait for output")                                                 \
    X(ICMP_MALFORMED, "malformed ICMP message")                                                    \
    X(ICMP_CSUM, "wrong ICMP checksum")                                                            \
    X(ICMP_UNMATCHED, "an ICMP error that quotes nothing of ours")                                 \
    X(ICMP_IGNORED, "an ICMP message that asks for nothing here")                                  \
    X(IFACE, "from an interface that does not exist")

enum tern_drop {
#define X(id, text) TERN_DROP_##id,
    TERN_DROPS(X)
#undef X
        TERN_DROP_COUNT
};

/* ---- counters -------------------------------------------------------------------------------- */

#define TERN_COUNTERS(X)                                                                           \
    X(PACKETS_IN, "packets taken in")                                                              \
    X(PACKETS_OUT, "packets handed out")                                                           \
    X(PACKETS_REFUSED, "packets a device would not take")                                          \
    X(SEGMENTS_IN, "TCP segments taken in, super-segments counted as one")                         \
    X(PREDICTED, "TCP segments that were what was expected next")                                  \
    X(SEGMENTS_OUT, "TCP segments handed out, super-segments counted as one")                      \
    X(BYTES_IN, "payload bytes received in order")                                                 \
    X(BYTES_OUT, "payload bytes sent, the first time")                                             \
    X(RETRANSMITS, "segments sent again")                                                          \
    X(RETRANSMIT_BYTES, "payload bytes sent again")                                                \
    X(TIMEOUTS, "retransmission timeouts")                                                         \
    X(FAST_RETRANSMITS, "recoveries started by acknowledgements")                                  \
    X(PROBES, "zero-window and tail-loss probes")                                                  \
    X(PROBE_RECOVERIES, "losses that a tail-loss probe has repaired")                              \
    X(UNDOS, "reductions of the congestion window that were undone")                               \
    X(SPURIOUS_TIMEOUTS, "timeouts that F-RTO found to be spurious")                               \
    X(DSACKS, "segments of ours that the peer has reported as duplicates")                         \
    X(SACKS_INVALID, "SACK blocks outside of what is in flight")                                   \
    X(RENEGED, "SACKs that the peer has taken back")                                               \
    X(SCOREBOARD_STEPS, "records of segments looked at by loss detection")                         \
    X(OUT_OF_ORDER, "segments received out of order")                                              \
    X(DUPLICATE, "segments received again")                                                        \
    X(ACTIVE_OPENS, "connections opened by us")                                                    \
    X(PASSIVE_OPENS, "connections opened to us")                                                   \
    X(ATTEMPT_FAILS, "opens that failed")                                                          \
    X(RESETS_IN, "connections reset by the peer")                                                  \
    X(RESETS_OUT, "RST segments handed out")                                                       \
    X(CHALLENGE_ACKS, "challenge ACKs (RFC 5961)")                                                 \
    X(CHALLENGE_LIMITED, "replies to unacceptable segments held back by their rate limit")         \
    X(SYNS, "SYNs that have found a listener")                                                     \
    X(SYNACKS_AGAIN, "SYN-ACKs sent again by their timer")                                         \
    X(HALFOPEN_EXPIRED, "half-open connections given up")                                          \
    X(COOKIES_SENT, "SYNs answered with a cookie")                                                 \
    X(COOKIES_TAKEN, "connections made of a SYN cookie")                                           \
    X(COOKIES_BAD, "segments that might have brought a SYN cookie, and did not")                   \
    X(FASTOPEN_ACTIVE, "our SYNs whose data was acknowledged (RFC 7413)")                          \
    X(FASTOPEN_ACTIVE_FAILS, "our SYNs whose data was not")                                        \
    X(FASTOPEN_HOLES, "paths that seem to drop SYNs with data, or what follows them")              \
    X(FASTOPEN_PASSIVE, "connections made by a SYN with a good cookie")                            \
    X(FASTOPEN_PASSIVE_ALT, "of these, by a cookie of the key before")                             \
    X(FASTOPEN_PASSIVE_FAILS, "SYNs with a cookie that was none of ours")                          \
    X(FASTOPEN_OVERFLOWS, "SYNs with a cookie when too many of them were waiting")                 \
    X(FASTOPEN_REQUESTS, "SYNs that ask for a cookie")                                             \
    X(SOURCES_RECYCLED, "sources forgotten for others")                                            \
    X(SOURCES_FULL, "SYNs of sources that there was no room to remember")                          \
    X(FLOODS, "floods of SYNs that have begun")                                                    \
    X(HOLDS, "SYNs held for the application")                                                      \
    X(HOLDS_EXPIRED, "held SYNs dropped for age")                                                  \
    X(PRUNED, "ranges past a hole that were given up for want of memory")                          \
    X(ORPHANS_RECYCLED, "closed connections reset: too many of them")                              \
    X(ORPHANS_EXPIRED, "connections reset that nobody closed, or acknowledged, for too long")      \
    X(TIMEWAITS, "TIME-WAIT entries made")                                                         \
    X(TIMEWAIT_RECYCLED, "TIME-WAIT entries ended early: limit reached, or a new SYN")             \
    X(FROZEN, "working blocks given back by quiet connections")                                    \
    X(SOLICITATIONS, "questions for a neighbour's link-layer address")                             \
    X(ADDRESS_CONFLICTS, "claims of others to an address of ours")                                 \
    X(ADDRESS_DUPLICATES, "addresses given up before use: somebody else has them")                 \
    X(ROUTER_SOLICITATIONS, "questions for routers")                                               \
    X(ROUTER_ADVERTS, "advertisements of routers taken in")                                        \
    X(ROUTER_LIMITED, "of these, with more routers or prefixes than are remembered")               \
    X(LISTENER_REPORTS, "reports on the multicast groups that are listened to")                    \
    X(FRAGMENTS_IN, "IP fragments taken in")                                                       \
    X(REASSEMBLED, "datagrams made whole of their fragments")                                      \
    X(ICMP_ERRORS_OUT, "ICMP errors sent about packets of others")                                 \
    X(ICMP_LIMITED, "ICMP errors not sent: too many")                                              \
    X(FRAGMENTS_OUT, "IP fragments queued to be sent")                                             \
    X(DATAGRAMS_IN, "UDP datagrams received")                                                      \
    X(DATAGRAMS_OUT, "UDP datagrams queued to be sent")                                            \
    X(MTU_PROBES, "segments sent to find out how large packets may be")                            \
    X(MTU_PROBES_PASSED, "of these, acknowledged")                                                 \
    X(MTU_PROBES_LOST, "of these, lost: too large")                                                \
    X(MTU_BLACK_HOLES, "paths that seem to drop large packets")                                    \
    X(OUTPUT_LIMITED, "outputs put off: too many packets inside devices")

enum tern_counter {
#define X(id, text) TERN_COUNT_##id,
    TERN_COUNTERS(X)
#undef X
        TERN_COUNTER_COUNT
};

typedef struct tern_counters {
    uint64_t count[TERN_COUNTER_COUNT]; /* by enum tern_counter */
    uint64_t drop[TERN_DROP_COUNT];     /* by enum tern_drop */
} tern_counters;

/* The shard's own counters; the pointer stays valid and current until tern_free(). */
const tern_counters *tern_counters_of(const tern *s);

/* Memory from cfg.alloc right now, in bytes; payload pages in use. */
typedef struct tern_memory {
    size_t bytes, bytes_peak;
    uint32_t conns, halfopen, timewaits, listeners, active; /* entries in use */
    uint32_t orphans;        /* of conns: closed by their owners, and not over */
    uint32_t pages, outputs; /* 4 KiB pages; packets in devices */
    uint32_t sources, rules; /* remembered for limits; set */
    size_t donated;          /* bytes of donated buffers that are kept, at their true size */
} tern_memory;
void tern_memory_of(const tern *s, tern_memory *out);

/* ---- one connection -------------------------------------------------------------------------- */

enum { /* tern_tcp_info.options */
       TERN_INFO_TIMESTAMPS = 1,
       TERN_INFO_SACK = 2,
       TERN_INFO_WSCALE = 4,
       TERN_INFO_ECN = 8,              /* RFC 3168 or RFC 9768, */
       TERN_INFO_ECN_SEEN = 16,        /* and the peer's packets are ECN-capable */
       TERN_INFO_ECN_ACCURATE = 32,    /* RFC 9768 */
       TERN_INFO_SYN_DATA = 64,        /* a SYN's data was taken: RFC 7413 */
       TERN_INFO_FASTOPEN_CHILD = 128, /* the peer's SYN made this connection */
};

/* Why our SYN brought no data, or not all the way; Linux's numbers. */
enum tern_fastopen_fail {
    TERN_FASTOPEN_OK,
    TERN_FASTOPEN_NO_COOKIE, /* none was known */
    TERN_FASTOPEN_REFUSED,   /* the SYN-ACK did not acknowledge it */
    TERN_FASTOPEN_SYN_LOST,  /* it was sent again without */
};

/* What loss recovery is doing; Linux's names and numbers. */
enum tern_phase {
    TERN_PHASE_OPEN,
    TERN_PHASE_DISORDER,
    TERN_PHASE_CWR,
    TERN_PHASE_RECOVERY,
    TERN_PHASE_LOSS,
};

enum { TERN_WAIT_NONE, TERN_WAIT_BUSY, TERN_WAIT_WINDOW, TERN_WAIT_BUFFER };

/* The meaning of struct tcp_info's fields where names agree. Times in ns, amounts in bytes. */
typedef struct tern_tcp_info {
    uint8_t state; /* enum tern_state */
    uint8_t options;
    uint8_t snd_wscale, rcv_wscale;
    uint8_t retransmits; /* of the segment at snd_una, by timeout; `probing`: probes unanswered */
    uint8_t backoff;     /* how often the timer was doubled */
    uint8_t phase;       /* enum tern_phase */
    bool in_recovery;
    bool probing;              /* the window is closed: the timer sends probes */
    bool tail_probe;           /* a tail loss probe is out (RFC 8985 7) */
    bool app_limited;          /* what limits the sender is that there is too little to send */
    bool rate_app_limited;     /* and was it when `delivery_rate` was measured? */
    bool quick_acks;           /* segments are acknowledged at once, not on the next answer */
    bool eof;                  /* the peer's FIN has come */
    bool passive;              /* the peer opened it */
    int32_t err;               /* enum tern_err that ended it, or 0 */
    uint16_t snd_mss, rcv_mss; /* payload of a full segment sent; largest received lately */
    uint32_t mss_peer;         /* the peer's MSS option, or the default for its family */
    uint32_t mss_own;          /* our MSS option */
    uint32_t pmtu;
    uint32_t ts_offset; /* TSval is the time in ms plus this */
    uint32_t iss, irs;
    uint32_t snd_una, snd_nxt, snd_wnd, rcv_nxt, rcv_wnd;
    const char *cc; /* the name of its congestion control */
    uint32_t cwnd, ssthresh;
    uint64_t rto, srtt, rttvar, min_rtt; /* srtt 0: no sample yet */
    uint32_t rx_queued; /* received in order and not read, with what tern_recv_owed() said */
    uint32_t tx_queued; /* not acknowledged, sent or not */
    uint32_t tx_unsent;
    uint32_t rcvbuf, sndbuf;
    uint64_t timer;                      /* absolute time of the next timer, or TERN_NEVER */
    uint64_t pacing_rate, delivery_rate; /* bytes per second; 0: not paced, no sample */
    /* segments: sent and not acknowledged; of these SACKed, lost, and sent again */
    uint32_t segs_flight, segs_sacked, segs_lost, segs_again;
    uint32_t reordering; /* by how many segments the path reorders */
    uint32_t reord_seen; /* how often it did */
    uint32_t dsacks;     /* segments reported as duplicates */
    /* with tern_config.stats, else 0 */
    uint64_t bytes_sent, bytes_received, bytes_retransmitted;
    uint32_t segs_out, segs_in, data_segs_out, data_segs_in, retransmits_total, out_of_order;
    uint32_t delivered, delivered_ce; /* segments the peer has told of, our SYN counted */
    uint64_t rcv_rtt;   /* the round trip as the receiver of data sees it; 0: not yet */
    uint32_t rcv_space; /* most bytes that were read within one of them */
    uint64_t sent_at, received_at, acked_at; /* data last sent and received; last ACK; absolute */
    /* How long there was something to be acknowledged; of this, how long the peer's window was the
     * limit, and how long the send buffer; until waits_since. Since then it is `waits`. */
    uint64_t busy, waited_window, waited_buffer, waits_since;
    uint8_t waits;
    /* With TERN_INFO_ECN_ACCURATE: packets with a mark received; bytes by their mark, ECT(1),
     * ECT(0) and CE, received and as the peer tells of ours; the peer's option: 1 empty, 2 with
     * counters, 3 spoilt; 1: not ECN-capable any more, 2: ACE, 8: the option is ignored, 4: it is
     * not sent */
    uint32_t received_ce, received_bytes[3], delivered_bytes[3];
    uint8_t ecn_option_seen, ecn_fail;
    uint16_t timeouts, timeout_runs; /* of the retransmission timer; in a row counts as one run */
    uint8_t keep_probes;             /* unanswered, of keep-alive */
    uint8_t fastopen_fail;           /* enum tern_fastopen_fail */
    uint64_t timeouts_time;          /* how long these runs took */
} tern_tcp_info;

/* Fills the first `size` bytes of `out`: sizeof(tern_tcp_info) of the caller. Of a listener: its
 * state, and in rx_queued and tx_queued how many wait to be accepted and how many may.
 * TERN_ESTALE. */
int tern_info(const tern *s, tern_sock k, tern_tcp_info *out, size_t size);

/* ---- all sockets ----------------------------------------------------------------------------- */

typedef struct tern_entry {
    tern_sock sock; /* id 0: half-open, TIME-WAIT, or closed by its owner */
    void *user;     /* half-open: the listener's, NULL once that is closed */
    uint8_t state;
    tern_addr local, peer;
    uint32_t recv_q, send_q; /* listener: accept queue and backlog */
    uint64_t timer;          /* absolute; TIME-WAIT: when it ends */
} tern_entry;

/* Lists sockets in all states, `max` at a time: start with *cursor = 0, stop at a result of 0.
 * Looks at `max` slots at most in each call but for runs of empty ones, which are skipped in
 * steps of 4,096; entries that come or go meanwhile may be missed or not. */
size_t tern_list(const tern *s, uint64_t *cursor, tern_entry *out, size_t max);
/* The one with these two ends, found by its hash. TERN_ESTALE: there is none. */
int tern_find(tern *s, const tern_addr *local, const tern_addr *peer, tern_entry *out);

/* ---- texts ----------------------------------------------------------------------------------- */

const char *tern_state_name(enum tern_state state); /* "SYN-SENT" */
const char *tern_drop_text(enum tern_drop reason);  /* "wrong TCP checksum" */
const char *tern_counter_name(enum tern_counter c); /* "RETRANSMITS" */
const char *tern_counter_text(enum tern_counter c); /* "segments sent again" */
const char *tern_err_text(enum tern_err err);       /* "the peer refused the connection" */

#ifdef __cplusplus
}
#endif
#endif
