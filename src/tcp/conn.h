/* conn.h - what is remembered of a connection, by state.
 *
 *   passive open waiting for its third segment    struct halfopen  64 bytes
 *   from SYN-SENT or ESTABLISHED on               struct conn     256 bytes
 *     + while anything is in flight or unread     struct active   (working block)
 *     + a record for each segment in flight       struct sent      48 bytes
 *     + counters, if the configuration asks       struct conn_stats
 *   TIME-WAIT of a socket its owner has closed    struct timewait  64 bytes
 *
 * What has a handle lives in slabs and is named by 32-bit indices, 0 meaning none; what exists only
 * while something is in motion lives in pools and is named by pointers. A quiet connection gives
 * its working block back (freeze) and gets a new one with the next byte (thaw); what must survive
 * that is in struct conn.
 *
 * Times that are compared with `now` are ticks (struct tcp, tick_ns), 32 bits, 0 meaning off.
 */
#ifndef TERN_TCP_CONN_H
#define TERN_TCP_CONN_H

#include "base/chunk.h"
#include "base/ranges.h"
#include "base/siphash.h"
#include "base/wheel.h"
#include "tern/cc.h"
#include "tern/info.h"
#include "wire/tcp.h"

enum conn_flag {
    CONN_ORPHAN = 1u << 0,      /* its owner has closed it: no handle, no events */
    CONN_PASSIVE = 1u << 1,     /* came from a listener (MUST-11) */
    CONN_QUEUED = 1u << 2,      /* waits in its listener's accept queue */
    CONN_NODELAY = 1u << 3,     /* Nagle's algorithm is off */
    CONN_CORK = 1u << 4,        /* a partial segment waits until this is taken off */
    CONN_FIN_QUEUED = 1u << 5,  /* FIN comes after what is queued */
    CONN_FIN_RCVD = 1u << 6,    /* the peer's FIN was processed: rcv_nxt counts it */
    CONN_RX_CLOSED = 1u << 7,   /* nobody will read: new data is answered with RST (SHLD-3) */
    CONN_SYN_DUE = 1u << 8,     /* SYN or SYN-ACK is to be sent (again) */
    CONN_ACK_DUE = 1u << 9,     /* an acknowledgement is to be sent now */
    CONN_PROBE_DUE = 1u << 10,  /* a window probe is to be sent */
    CONN_RST_DUE = 1u << 11,    /* dead but for the RST that is to be sent */
    CONN_ON_OUT = 1u << 12,     /* in its path's list of connections that may have output */
    CONN_ON_EVENTS = 1u << 13,  /* in the list of sockets with events */
    CONN_ZOMBIE = 1u << 14,     /* freed when the last list lets go of it */
    CONN_READ_ARMED = 1u << 15, /* tern_recv() met the end: the next data is an event */
    CONN_WRITE_ARMED = 1u << 16,
    CONN_RCVBUF_FIXED = 1u << 17,
    CONN_SNDBUF_FIXED = 1u << 18,
    CONN_LINGER = 1u << 19,       /* closed, but the handle lives until all is acknowledged */
    CONN_TS = 1u << 20,           /* negotiated: RFC 7323 timestamps, */
    CONN_WSCALE = 1u << 21,       /* window scale, */
    CONN_SACK = 1u << 22,         /* RFC 2018 SACK */
    CONN_CWND_LIMITED = 1u << 23, /* the last output stopped for cwnd */
    CONN_HELD = 1u << 24,         /* admitted by its owner: there was a SYN but no accept queue */
    CONN_RESERVED = 1u << 25,     /* views of the send queue are lent to the owner */
    CONN_IN_TABLE = 1u << 26,     /* its tuple stands in the flow table */
    CONN_SYN_AGAIN = 1u << 28,    /* our SYN-ACK was sent again because the SYN came again */
    CONN_WINDOW_DUE = 1u << 29,   /* the window is to be told, if it still is so much larger */
    CONN_SYN_LOST = 1u << 27,     /* SYN or SYN-ACK was sent again by its timer */
    CONN_COUNTED = 1u << 30,      /* among the connections of its source (admit.c) */
};
/* Its segments are marked one by one: urgent pointer, signature. (No enumerator is so large.) */
#define CONN_MARKED (1u << 31)

/* 256 bytes: four cache lines. Line 0 is what finding and judging a segment reads. */
struct conn {
    uint32_t generation; /* slab.h: odd while in use */
    uint32_t laddr;      /* base/addrs.h */
    uint8_t raddr[16];
    uint16_t rport, lport;
    uint32_t flags; /* enum conn_flag */
    uint32_t rcv_nxt;
    uint32_t rcv_adv; /* the highest right edge ever advertised */
    uint32_t snd_una, snd_nxt;
    uint32_t ts_recent;
    uint32_t last_ack_sent; /* rcv_nxt as last sent: Last.ACK.sent of RFC 7323 */

    struct active *active;     /* NULL: frozen */
    uint32_t snd_wnd;          /* bytes, scaled */
    uint32_t snd_wl1, snd_wl2; /* RFC 9293 3.10.7.4 */
    uint32_t snd_wnd_max;      /* the largest ever, for RFC 5961 and silly-window avoidance */
    uint32_t snd_end;          /* just after the last byte queued (FIN not counted) */
    uint32_t iss, irs;
    uint32_t ts_offset;     /* added to the millisecond clock in TSval */
    uint32_t ts_recent_age; /* when ts_recent was set, in seconds */
    uint8_t state;          /* enum tern_state */
    uint8_t snd_wscale, rcv_wscale;
    uint8_t retries;   /* timeouts since snd_una last moved: counted against R2 */
    uint16_t mss_peer; /* the peer's MSS option or the default (MUST-15) */
    uint16_t mss_user; /* TERN_OPT_MSS; 0: none */
    struct wheel_node timer;
    uint32_t t_close;           /* end of TIME-WAIT, of lingering, and of patience (orphan.c) */
    uint32_t out_next, ev_next; /* links of the two lists; accept queue: ev_next */
    uint32_t self;              /* its own index */

    void *user;
    struct conn_stats *stats;      /* NULL: none are kept */
    uint32_t srtt_us8, rttvar_us4; /* RFC 6298, scaled by 8 and 4; srtt_us8 0: no sample */
    uint32_t min_rtt_us;
    uint32_t cwnd, ssthresh; /* while frozen; else in active->cc */
    uint64_t cc_summary[2];
    uint32_t hash; /* in the flow table */
    uint16_t ev_mask;
    int8_t err; /* enum tern_err that ended it; told once */
    uint8_t cc; /* index in struct tcp's table of algorithms */

    uint32_t rcvbuf, sndbuf;
    union {
        uint32_t linger_ms;    /* UINT32_MAX: off */
        uint32_t orphan_newer; /* CONN_ORPHAN, not CLOSED: the next in orphan.c's list */
    };
    uint32_t user_timeout_ms; /* 0: by retries */
    union {
        uint32_t listener; /* that it came from: while CONN_QUEUED */
        uint32_t orphan_older;
    };
    uint32_t challenge_tick;   /* of the last challenge ACK */
    uint32_t route_generation; /* struct tcp's when `iface` was looked up */
    uint32_t last_sent_tick;   /* for the restart after idle */
    uint16_t mss;              /* payload of a full segment sent, by conn_mss_update() */
    uint16_t mss_own;          /* the largest segment we offer to receive, by the same */
    uint16_t rcv_mss;          /* largest segment received lately */
    uint8_t iface, ttl, dscp, syn_retries; /* ttl 0: the default */
    uint16_t pmtu;                         /* path MTU learnt from ICMP; 0: that of the interface */
    uint8_t backoff;       /* exponent of the RTO, until the next valid measurement (Karn) */
    uint8_t ecn;           /* enum ecn_flag */
    struct accecn *accecn; /* ECN_ACCURATE */
};
_Static_assert(sizeof(struct conn) <= 256, "struct conn is at most four cache lines");

/* The ECN field of IP. */
enum { ECN_NONE, ECN_ECT1, ECN_ECT0, ECN_CE, ECN_MASK = 3 };

enum ecn_flag {
    ECN_CLASSIC = 1, /* agreed upon, or in SYN-SENT asked for */
    ECN_ACCURATE = 2,
    ECN_MODE = 3,
    ECN_ECHO = 4,     /* classic: a mark came; ECE goes out until CWR comes */
    ECN_REDUCED = 8,  /* classic: the next new data carries CWR */
    ECN_SEEN = 16,    /* the peer's packets are ECN-capable */
    ECN_REFLECT = 32, /* accurate: the next pure ACK says how the SYN-ACK came */
};

enum accecn_fail {
    ACCECN_NO_ECT = 1,        /* what we send is not ECN-capable any more */
    ACCECN_IGNORE = 2,        /* the peer's ACE field means nothing */
    ACCECN_NO_OPTION = 4,     /* the path may drop what carries the option */
    ACCECN_IGNORE_OPTION = 8, /* the peer's option means nothing */
};

enum accecn_seen { ACCECN_SEEN_NONE, ACCECN_SEEN_EMPTY, ACCECN_SEEN_COUNTERS, ACCECN_SEEN_ZEROED };

/* What accurate ECN (RFC 9768) remembers; 56 bytes, idle or not. */
struct accecn {
    uint32_t received_ce;  /* packets of the peer's with a mark, SYN counted */
    uint32_t received[3];  /* bytes of payload by their mark, ECT(1), ECT(0), CE */
    uint32_t delivered_ce; /* the same of ours, as the peer tells */
    uint32_t delivered[3];
    uint32_t option_tick; /* when the option was last sent */
    uint8_t syn_sent;     /* the ECN field of our SYN or SYN-ACK, */
    uint8_t syn_received; /* and of the peer's as it came */
    uint8_t last;         /* of the last packet that came */
    uint8_t pending;      /* marked packets that no ACK has told of, at most 15 */
    uint8_t demand;       /* segments that are to carry the option in any case */
    uint8_t fields_min;   /* its first counters that have changed since it was sent */
    uint8_t guess;        /* the one counter of `delivered` that moves; 0: more than one */
    uint8_t seen;         /* enum accecn_seen: of the peer's option */
    uint8_t fail;         /* enum accecn_fail */
};

/* QUICK_ACKS: segments acknowledged at once in the beginning and after a pause, as Linux does. */
enum { QUICK_ACKS = 16, OOO_INLINE = 4, SACK_RECENT = 4, SACK_SEEN = 4, CC_INLINE = 160 };

/* The working block. */
struct active {
    /* receiving (reasm.c) */
    struct chunk *rxq_head,
        *rxq_tail;      /* chunks in stream order; those of ranges past holes follow */
    uint32_t rx_read;   /* the next byte the owner reads */
    uint32_t rx_excess; /* what donated buffers cost beyond their bytes */
    uint32_t ooo_pages; /* chunks of data past holes */
    uint32_t rx_owed;   /* bytes read that still count against the buffer */
    struct ranges ooo;  /* received past a hole; tags: first and last chunk */
    struct range ooo_inline[OOO_INLINE];
    struct chunk *ooo_page;       /* a chunk that holds a larger array; 0: inline */
    uint32_t recent[SACK_RECENT]; /* where out-of-order data came lately, newest first */
    uint32_t dsack_lo, dsack_hi;  /* a duplicate to report in the next ACK; equal: none */
    uint32_t fin_seq;             /* of a FIN past a hole, valid if `fin_ahead` */
    uint32_t tune_seq, tune_tick; /* autotuning: rx_read and tick at the start of its period */
    uint32_t t_delack;
    uint8_t recent_count;
    bool fin_ahead;
    uint8_t quick;   /* segments still to be acknowledged at once */
    uint8_t pushed;  /* small or PSH segments since the last ACK: 0, 1, 2 or more */
    uint8_t answers; /* of the owner to what it reads, lately: interactive() */

    /* sending (send.c, sent.c, ack.c, loss.c) */
    struct chunk *spare; /* a page between two uses, by either queue */
    struct chunk *txq_head,
        *txq_tail;             /* chunks from snd_una to snd_end; chunk.seq is stream offset */
    struct chunk *tx_cursor;   /* the chunk that holds snd_nxt; 0: at the end */
    struct chunk *tx_reserved; /* CONN_RESERVED: the first chunk of which a view is lent */
    struct chunk *tx_before;   /* ... and the tail of before */
    struct sent *sent_head, *sent_tail; /* struct sent, in sequence order */
    struct sent *lost_from; /* no record before it is marked LOST; NULL: the head may be */
    struct sent *sack_at;   /* the record last marked by a SACK; NULL: none is known */
    struct sent *rack_at;   /* where RACK's walk, out of steps, goes on; NULL: at the head */
    struct wire_sack sack_seen[SACK_SEEN]; /* of the last ACK, SACKed entirely; lo == hi: none */
    uint32_t steps;                        /* records loss detection may look at now */
    uint32_t sacked;                       /* bytes in records marked SACKED */
    uint32_t sacked_segs;                  /* segments SACKed since nothing was */
    uint32_t lost;                         /* bytes in records marked LOST: not in flight */
    uint32_t retrans;     /* bytes in records marked AGAIN: sent again and in flight */
    uint32_t slack;       /* what the segments in flight lack of whole ones: sent_slack() */
    uint32_t sack_high;   /* right edge of the highest SACK */
    uint32_t recover;     /* snd_nxt when recovery began (RFC 6582) */
    uint32_t dupacks;     /* without SACK: segments that have left the network */
    uint32_t dup_run;     /* duplicate ACKs since SND.UNA moved, */
    uint32_t dup_room;    /* and what was out at the first of them, as the window counts it */
    uint32_t t_rto;       /* retransmission, persist or probe */
    uint32_t t_probe;     /* tail-loss probe */
    uint32_t t_reorder;   /* RACK's reordering timer */
    uint32_t t_idle;      /* when to look whether to freeze */
    uint32_t t_starved;   /* when to look whether there is memory to send */
    uint32_t t_pace;      /* nothing goes before then */
    uint64_t pace_at;     /* the next departure, ns; 0: no limit */
    uint32_t used_tick;   /* of the last segment in or out */
    uint32_t moved_tick;  /* when last something was read, or acknowledged; 0: not yet */
    uint32_t moved_bytes; /* in that second, half of those in the one before, and so on */
    uint32_t snd_small;   /* right edge of the last segment that was not full (Minshall) */
    uint64_t rack_sent;   /* RACK.xmit_ts: send time of the latest delivered, ns */
    uint32_t rack_end;    /* RACK.end_seq */
    uint32_t rack_rtt_us; /* RACK.rtt */
    uint32_t dsack_round; /* low bits of `delivered` when the reordering window last grew */
    uint32_t dsack_segs;  /* duplicates reported, in segments */
    uint32_t reord_seen;  /* how often segments have overtaken each other */
    uint16_t slack_mss;   /* a whole one; 0: the congestion window counts bytes */
    uint16_t reordering;  /* by how many segments, at most; 3 to begin with */
    uint8_t phase;        /* enum loss_phase */
    uint8_t frto;         /* enum frto */
    uint8_t tlp;          /* enum tlp */
    uint8_t reo_steps;    /* the reordering window in quarters of the least RTT */
    uint8_t reo_persist;  /* recoveries until it shrinks again */
    bool dsack_seen : 1;  /* it is to grow */
    bool rack_news : 1;   /* RACK.xmit_ts has moved, and RACK has not looked since */
    bool retrans_any : 1; /* retrans_ts is valid */
    bool paced : 1;       /* pacing is asked for, whatever the algorithm does (pace.c) */
    bool pace_late : 1;   /* what is behind pace_at waited for a late caller */
    bool persist : 1;     /* t_rto is the persist timer */
    bool force : 1;       /* one retransmission goes whatever cwnd says */
    bool undo : 1;        /* undo_una and undo_segs are valid: a reduction may be undone */
    bool app_limited : 1; /* the flight up to app_limit was not limited by cwnd, */
    bool rate_few : 1;    /* nor was that of the last delivery-rate sample */
    uint32_t tlp_high;    /* snd_nxt when the outstanding probe was sent */
    uint32_t undo_una;    /* snd_una when the reduction began */
    int32_t undo_segs;    /* retransmitted since and not reported as duplicates; -1: none sent */
    uint32_t prior_cwnd, prior_ssthresh; /* before the reduction; ssthresh 0: do not undo */
    uint32_t retrans_ts;                 /* TSval of the first retransmission of an episode */
    uint32_t retrans_segs;               /* segments sent again, since thaw */
    uint32_t prr_delivered, prr_out;     /* bytes, in this recovery (RFC 9937) */
    uint32_t used_max;                   /* most bytes in flight until used_seq is acknowledged */
    uint32_t used_seq;
    uint32_t used_wnd;     /* most bytes in flight since limited_tick */
    uint32_t limited_tick; /* when cwnd was last used up (RFC 2861) */
    uint32_t lost_total;   /* bytes marked lost in all */
    uint64_t stalled;      /* since when the segment at snd_una is outstanding, ns */
    uint64_t delivered;    /* bytes acknowledged in all since thaw, */
    uint64_t delivered_at; /* last at this time, */
    uint64_t flight_sent;  /* by a record that was sent then: start of the send phase */
    uint64_t app_limit;    /* `delivered` at the end of the flight that was app-limited */
    uint64_t round_end;    /* `delivered` at the end of this round trip */
    uint32_t rate_delivered, rate_us; /* the last delivery-rate sample */
    uint32_t min_rtt_next;            /* least RTT since min_rtt_tick, us */
    uint32_t min_rtt_tick;
    tern_cc cc;
    void *cc_state; /* in slab cc_states, when it does not fit here */
    uint64_t cc_inline[CC_INLINE / 8];
};
_Static_assert(sizeof(struct active) <= 768, "the working block is at most 768 bytes");

/* Linux's names for these, which TCP_INFO shows: Open, Disorder, CWR, Recovery, Loss. */
enum loss_phase {
    LOSS_OPEN,     /* nothing is out of order */
    LOSS_DISORDER, /* something was SACKed, or is being probed for, but nothing is lost yet */
    LOSS_CWR,      /* cwnd is being reduced, for ECN or a loss a probe has repaired */
    LOSS_RECOVERY, /* lost segments are sent again while cwnd is reduced */
    LOSS_RTO,      /* the timer has taken all for lost */
};

/* RFC 5682: was the timeout spurious? */
enum frto {
    FRTO_OFF,
    FRTO_ON,   /* the first retransmission is out */
    FRTO_WAIT, /* it was acknowledged: new data is tried before more is sent again */
};

/* The outstanding tail-loss probe. */
enum tlp {
    TLP_NONE,
    TLP_DUE,     /* to be sent */
    TLP_NEW,     /* it was new data */
    TLP_RETRANS, /* the last segment again */
};

enum sent_flag {
    SENT_SACKED = 1,
    SENT_LOST = 2,          /* not in flight; to be sent again */
    SENT_RETRANS = 4,       /* was sent again: no RTT from it without timestamps (Karn) */
    SENT_FIN = 8,           /* its last number is the FIN */
    SENT_QUEUED = 16,       /* in its connection's list (else only a device still holds it) */
    SENT_AGAIN = 32,        /* in flight as a retransmission */
    SENT_IN_DEVICE = 64,    /* a device still holds an output packet of it */
    SENT_APP_LIMITED = 128, /* sent when cwnd was not what limited */
    SENT_PUSHED = 256,      /* had PSH */
    SENT_DELAYED = 512,     /* the device took it late: `time` is when, the timer may be older */
    SENT_REFUSED = 1024,    /* the device would not take it; it is to be offered again */
    SENT_RECORD = 2048,     /* ends where its owner has said that a record ends */

    SENT_MARKS = SENT_SACKED | SENT_LOST | SENT_AGAIN,
};

/* One transmitted segment or super-segment, and what the path looked like then. */
struct sent {
    struct sent *next;
    struct chunk *chunk; /* where `lo` is; NULL: only the FIN is left of it */
    uint32_t lo, hi;     /* sequence numbers [lo, hi) */
    uint64_t time;       /* of its last transmission, ns */
    uint32_t delivered;  /* low bits of active.delivered then, */
    uint32_t lost;       /* and of active.lost_total */
    uint16_t flight;     /* bytes in flight with it (coarse, sent.c) */
    uint16_t since_ack;  /* us from active.delivered_at to `time` (coarse), */
    uint16_t since_sent; /* and from active.flight_sent */
    uint16_t flags;      /* enum sent_flag */
};
_Static_assert(sizeof(struct sent) <= 48, "a record in flight is at most 48 bytes");

/* What the sender waits for, the application not counted. */
enum conn_wait {
    WAIT_NONE,   /* nothing is queued */
    WAIT_BUSY,   /* acknowledgements, or the congestion window */
    WAIT_WINDOW, /* the peer's window */
    WAIT_BUFFER, /* nothing is unsent: the send buffer is too small to keep the path full */
    WAIT_KINDS
};

enum fastopen_flag {
    FASTOPEN_ASK = 1,      /* our SYN brings data, or asks for a cookie */
    FASTOPEN_WAIT = 2,     /* it waits for the data, if a cookie is known */
    FASTOPEN_FREE = 4,     /* no cookie is needed */
    FASTOPEN_OPTION = 8,   /* it had the option, */
    FASTOPEN_EXP = 16,     /* in the experimental form, */
    FASTOPEN_DATA = 32,    /* and data, */
    FASTOPEN_ACKED = 64,   /* which the SYN-ACK acknowledged; or we did, of the peer's SYN */
    FASTOPEN_PASSIVE = 128 /* made by a SYN; until its SYN-ACK is acknowledged it may send */
};

/* md5.c: a key for the peers of a prefix. */
struct md5_key {
    struct md5_key *next; /* of the same listener */
    uint8_t prefix[16];
    uint8_t bits, len;
    uint8_t key[TERN_MD5_KEY_MAX];
};

/* What few connections have. */
enum { EORS_MAX = 16 };

struct conn_rare {
    bool watch_sent, watch_acked; /* an event is asked for, when these have been sent, acked */
    uint32_t sent_upto, acked_upto;

    bool keep;              /* keep-alive */
    uint8_t keep_cnt;       /* probes that may stay unanswered */
    uint8_t keep_probes;    /* that did, so far */
    uint32_t keep_idle_ms;  /* of silence before the first probe, */
    uint32_t keep_intvl_ms; /* and between two */
    uint32_t t_keep;
    uint64_t keep_at;                     /* when it was switched on, ns */
    uint32_t fin_wait2_ms, close_wait_ms; /* 0: the configuration's; UINT32_MAX: none */

    bool thin_linear;      /* tern_tuning.thin_linear, for this one */
    bool reports;          /* soft errors are events */
    tern_icmp icmp;        /* what ICMP said last; err 0: nothing */
    uint8_t fastopen;      /* enum fastopen_flag */
    uint8_t fastopen_fail; /* enum tern_fastopen_fail */
    bool fo_counted;       /* among the half-open ones of its source (admit.c) */
    bool fo_waits;         /* counted in its listener's fo_waiting: */
    uint32_t fo_listener, fo_generation;
    bool fo_tell; /* the first SYN-ACK brings a cookie: */
    struct wire_fastopen cookie;

    struct md5_key *md5; /* NULL: nothing is signed */

    bool urgent_out;     /* urgent data was queued, */
    bool urgent_probed;  /* (a window probe has told so,) */
    uint32_t urgent_end; /* up to this byte of the stream */
    bool urgent_in;      /* the peer's urgent data ends with the byte ... */
    bool urgent_here;    /* (which has come) */
    uint8_t urgent_byte; /* (and is this) */
    uint32_t urgent_at;  /* ... of this number */
    uint64_t pace_max;   /* bytes per second; 0: no limit */
    uint8_t pmtud;       /* enum tern_pmtud */

    uint16_t mtu_low, mtu_high; /* sizes of packets: has passed (0: not searched for), may; */
    uint16_t mtu_probe;         /* of the probe in flight; 0: none */
    uint32_t mtu_lo, mtu_hi;    /* the sequence numbers [lo, hi) of the last one */
    uint32_t mtu_since;         /* tick of the last change */

    uint8_t eors;           /* ends of records that are not sent yet, rising; */
    uint32_t eor[EORS_MAX]; /* of more than these the first are forgotten */
};

struct conn_stats {
    uint64_t bytes_sent, bytes_received, bytes_retransmitted;
    uint64_t waited[WAIT_KINDS];             /* ns in each, but for the present one, */
    uint64_t waits_since;                    /* which began then */
    uint64_t sent_at, received_at, acked_at; /* data last sent and received, last ACK; ns */
    uint64_t timeout_at;                     /* when the present run of timeouts began, ns */
    uint64_t timeouts_ns;                    /* spent in runs that have ended */
    uint32_t segs_out, segs_in, data_segs_out, data_segs_in, retransmits, out_of_order;
    uint32_t delivered, delivered_ce; /* segments */
    uint16_t timeouts, timeout_runs;  /* retransmission timeouts, and runs of them */
    uint8_t waits;                    /* enum conn_wait */
    int8_t soft_err;                  /* what ICMP said, until the peer is heard again */
    /* how Linux delays acknowledgements (delack.c) */
    uint8_t ato_half; /* for so long, ms / 2; 0: no data came yet */
    uint8_t gap_acks; /* of data past the hole at `gap_at`: three at once, others wait */
    uint32_t gap_at;
    uint32_t rcv_rtt_us8;          /* the round trip as a receiver sees it, smoothed; times 8 */
    uint32_t rcv_rtt_echo;         /* the timestamp's echo of its last sample; */
    uint32_t rcv_rtt_seq;          /* and the end of the window that was open */
    uint32_t rcv_space, space_seq; /* most bytes read in one of them; since here, */
    uint64_t rcv_rtt_at, space_at; /* and then: ns */
    struct conn_rare *rare;        /* NULL: nothing of that */
};
_Static_assert(sizeof(struct conn_stats) <= 192, "the statistics block is at most 192 bytes");

enum halfopen_flag {
    HALFOPEN_HELD = 1,  /* waits for its owner's word; nothing was sent */
    HALFOPEN_DEAD = 2,  /* gone, but an event about it is still to be told */
    HALFOPEN_TOLD = 4,  /* the owner knows the handle */
    HALFOPEN_EVENT = 8, /* in the list of sockets with events */
    HALFOPEN_TS = 16,
    HALFOPEN_SACK = 32,
    HALFOPEN_AGAIN = 64,  /* a SYN-ACK was sent again because the SYN came again */
    HALFOPEN_ACKED = 128, /* acknowledged, but without the data its listener waits for */
};

/* ECN_CLASSIC or ECN_ACCURATE, the ECN field of the SYN, and: */
enum halfopen_ecn {
    ECN_SYN_SHIFT = 2,
    ECN_SYN_REPEATED = 16, /* it came again, */
    ECN_SYN_PLAIN = 32,    /* and asked for nothing then */
};

/* A passive open that waits for its third segment, or for its owner's word. */
enum { WSCALE_NONE = 255 };

struct halfopen {
    uint32_t generation;
    uint32_t laddr;
    uint8_t raddr[16];
    uint16_t rport, lport;
    uint32_t irs;
    union {
        uint32_t iss;
        uint32_t ev_next; /* HELD: no ISS is chosen yet */
    };
    uint32_t ts_recent;
    uint16_t mss;      /* the peer's, or the default */
    uint16_t listener; /* index */
    struct wheel_node timer;
    uint8_t wscale; /* of the peer; WSCALE_NONE: it did not offer it */
    uint8_t tries;  /* SYN-ACKs sent again */
    uint8_t flags;  /* enum halfopen_flag */
    uint8_t iface;
    uint16_t wnd;     /* of the SYN */
    uint8_t ecn;      /* what the SYN has asked for: enum halfopen_ecn */
    bool counted : 1; /* among the entries of its source (admit.c) */
    uint8_t dscp : 6; /* of the SYN */
};
_Static_assert(sizeof(struct halfopen) <= 64, "SYN-RECEIVED costs at most 64 bytes");

enum timewait_flag { TIMEWAIT_TS = 1, TIMEWAIT_WSCALE = 2 };

struct timewait {
    uint32_t generation;
    uint32_t laddr;
    uint8_t raddr[16];
    uint16_t rport, lport;
    uint32_t snd_nxt, rcv_nxt;
    uint16_t rcv_wnd;     /* as in the header */
    uint16_t answered_ms; /* the clock's low bits when something unacceptable was answered */
    uint32_t ts_recent, ts_offset;
    struct wheel_node timer;
    uint8_t flags, ttl, tos, rcv_wscale;
};
_Static_assert(sizeof(struct timewait) <= 64, "TIME-WAIT costs at most 64 bytes");

enum { FASTOPEN_KEYS = 2 }; /* cookies are made with the first; those of both are good */

/* Peers to whom Fast Open does not get through, or did not lately (fastopen.c). */
enum { FASTOPEN_HOLES = 16 };
struct fastopen_hole {
    uint64_t until;          /* when it is tried again, ns */
    uint8_t prefix[16], len; /* bytes of it; 0: this place is free */
    uint8_t times;           /* that it was found to fail, in a row */
    uint8_t lost;            /* SYNs that came through only when sent again, in a row */
};

/* admit.c: a prefix of which a rule says whether it may open connections. */
struct rule {
    uint8_t prefix[16];
    uint8_t bits, rule; /* enum tern_rule */
    uint8_t spare[2];
};

/* admit.c: what is remembered of who opens connections. */
struct source {
    uint8_t prefix[16];
    uint64_t next_syn; /* when the next SYN would be due at its rate, ns */
    uint32_t hash;
    uint32_t halfopen, conns;
    uint32_t newer, older; /* in the order in which they were heard of */
    uint32_t spare;
};

struct listener {
    uint32_t generation;
    uint32_t self;  /* its index */
    uint32_t laddr; /* 0: any address */
    void *user;
    uint32_t hash;
    uint16_t port; /* 0: any port */
    bool any_ip4;  /* any IPv4 address only */
    bool ip6_only; /* any address, but not IPv4 */
    bool hold;
    uint32_t backlog, waiting; /* accept queue: most, now */
    uint32_t rcvbuf;           /* of its connections; 0: not fixed */
    uint16_t mss_user;
    uint8_t ttl, dscp;           /* ttl 0: the default */
    uint8_t defer;               /* SYN-ACKs before a connection without data is taken (Linux) */
    uint32_t halfopen;           /* entries of this listener, */
    uint32_t syn_queue;          /* and the most there may be; 0: as many as there is room for */
    bool reset_overflow;         /* RST to the third segment when the accept queue is full */
    uint64_t cookie_until;       /* until then a segment may bring a SYN cookie */
    uint8_t fo_keys;             /* of its own; 0: the stack's */
    bool fo_free;                /* a SYN's data is taken without a cookie */
    uint32_t fo_max, fo_waiting; /* connections made by a SYN that wait for their third segment */
    uint32_t fo_resets;          /* counted as waiting, although they were reset, ... */
    uint32_t t_fo;               /* ... until then */
    struct siphash_key fo_key[FASTOPEN_KEYS];
    struct md5_key *md5;     /* keys of its peers; NULL: none */
    tern_limits limits;      /* of each source, */
    bool limited;            /* if there are any */
    bool flooded;            /* SYNs are turned away, or answered with cookies; */
    uint64_t pressed_at;     /* the last time then */
    struct wheel_node timer; /* end of the flood */
    uint32_t queue_head, queue_tail;
    uint32_t ev_next;
    uint16_t ev_mask;
    bool on_events, accept_armed, closed;
};

#endif
