/* tern.h - a user-space TCP/IP stack that does no I/O.
 *
 * One `tern` is one shard: no threads, locks, clocks, sockets or globals inside. Call it from one
 * thread at a time; any number of shards may live in a process.
 *
 * Units    Time: absolute nanoseconds on one monotonic clock of the caller's. Sizes: bytes.
 *          Ports: host order. Addresses: 16 network-order bytes, IPv4 as ::ffff:a.b.c.d.
 * Errors   A value >= 0 is success; a negative one is an enum tern_err. Misuse of the API (a null
 *          pointer, a packet given back twice) asserts.
 * Bounds   Every call does work bounded by its array argument or by a limit of the configuration;
 *          nothing scans all connections.
 * Time     Calls without `now` only record an intent: initial sequence numbers, timestamps, send
 *          times and deadlines are taken when the segment is emitted by tern_output().
 * Turn     tern_input() until the device is empty (bounded), tern_advance(), tern_events(),
 *          tern_output(), then sleep until tern_next_timeout() or until a device is ready.
 *          examples/loop.c is the whole integration.
 */
#ifndef TERN_H
#define TERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tern/cc.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tern tern; /* one shard (opaque) */

/* A socket's handle: generation:32 shard:8 index:24; id 0 is no socket. A handle outlives its
 * socket harmlessly: using it then is TERN_ESTALE. */
typedef struct {
    uint64_t id;
} tern_sock;

#define TERN_NEVER UINT64_MAX /* no deadline */

enum tern_err {
    TERN_EAGAIN = -1,         /* nothing now; the matching event comes when there is */
    TERN_EINVAL = -2,         /* an argument, or the socket's state, does not allow the call */
    TERN_ENOMEM = -3,         /* the caller's allocator returned NULL */
    TERN_ESTALE = -4,         /* the handle's socket is gone */
    TERN_ELIMIT = -5,         /* a limit named in tern_config is reached */
    TERN_ERESET = -6,         /* the peer reset the connection (RFC 9293 3.10.7.4) */
    TERN_EREFUSED = -7,       /* the peer refused the connection (3.10.7.3) */
    TERN_ETIMEDOUT = -8,      /* R2 or the user timeout has passed (3.8.3) */
    TERN_EUNREACH = -9,       /* ICMP or the route table: host unreachable */
    TERN_EADDRINUSE = -10,    /* the address and port, or the whole tuple, are taken */
    TERN_ESHUTDOWN = -11,     /* sending after tern_shutdown() */
    TERN_ENOTCONN = -12,      /* not connected yet, or no longer */
    TERN_EADDRNOTAVAIL = -13, /* no such local address, or no free local port */
    TERN_ENETUNREACH = -14,   /* no route to the address */
    TERN_EPROTO = -15,        /* ICMP: protocol unreachable and the like */
    TERN_EMSGSIZE = -16,      /* larger than a datagram can be */
};

/* An endpoint. `scope` is an interface id for link-local addresses, 0 otherwise. */
typedef struct {
    uint8_t ip[16];
    uint32_t scope;
    uint16_t port, zero;
} tern_addr;

/* Layout-compatible with POSIX struct iovec. */
typedef struct {
    void *base;
    size_t len;
} tern_iov;

/* ---- packets -------------------------------------------------------------------------------- */

enum {
    TERN_PKT_IOV = 18,         /* header + 17 chunks of 4 KiB >= 64 KiB */
    TERN_PKT_CSUM_OK = 1,      /* in: the transport checksum was verified by the device */
    TERN_PKT_CSUM_PARTIAL = 2, /* out: the device completes it; in: never summed, but trusted */
    TERN_PKT_DONATED = 4,      /* in: the stack may keep iov[0] until it releases `cookie` */

    TERN_GSO_NONE = 0, /* gso_type, as in struct virtio_net_hdr */
    TERN_GSO_TCPV4 = 1,
    TERN_GSO_UDP = 3,
    TERN_GSO_TCPV6 = 4,
    TERN_GSO_UDP_L4 = 5,
};

/* One frame, or one super-segment (TSO/GSO out, GRO/LRO in): a single segment is the case of one.
 * The offload fields are those of struct virtio_net_hdr, so TUN, AF_PACKET, vhost-user and DPDK
 * map one to one. */
typedef struct tern_pkt {
    uint16_t iov_count, flags;
    uint16_t gso_size, gso_segs; /* payload per wire segment; how many of them */
    uint8_t gso_type, gso_ecn;   /* TERN_GSO_*; 1: the first segment carries CWR */
    uint8_t zero[2];
    uint16_t csum_start, csum_offset; /* with CSUM_PARTIAL: where to sum from, where to store */
    uint16_t hdr_len, iface;          /* length of all headers; interface id */
    uint32_t truesize;                /* in, DONATED: bytes the buffer takes; 0: iov[0].len */
    uint32_t zero2;
    uint32_t hash, len; /* in: RSS hash or 0; len: sum of iov[].len */
    uint64_t tx_time;   /* out: earliest departure (ns); 0 = at once */
    void *cookie;       /* the buffer owner's handle, handed back verbatim */
    tern_iov iov[TERN_PKT_IOV];
} tern_pkt;

/* ---- events --------------------------------------------------------------------------------- */

enum {
    TERN_EV_READ = 1,       /* data can be read; again only after tern_recv() met TERN_EAGAIN or
                             * gave less than there was room for */
    TERN_EV_WRITE = 2,      /* room to send; again only after tern_send() met TERN_EAGAIN or took
                             * less than it was given */
    TERN_EV_ACCEPT = 4,     /* listener: tern_accept() has something */
    TERN_EV_OPEN = 8,       /* the connection is established */
    TERN_EV_EOF = 16,       /* the peer's FIN: after what is readable comes the end */
    TERN_EV_ERROR = 32,     /* `err` says why the connection is over */
    TERN_EV_SENT = 64,      /* our FIN is acknowledged, and with it all that was sent */
    TERN_EV_CLOSED = 128,   /* the last event of a handle: it is stale from now on */
    TERN_EV_PROGRESS = 512, /* what tern_watch() has asked for has been sent, or acknowledged */
    TERN_EV_FLOOD = 1024, /* listener: SYNs over its limits are dropped, or answered with cookies */
    TERN_EV_CALM = 2048,  /* listener: and that has not happened for ten seconds */
    TERN_EV_URGENT = 4096, /* tern_urgent_get() has news (MUST-32) */
    TERN_EV_REPORT = 8192, /* there is a TERN_OPT_SOFT_ERROR, if TERN_OPT_REPORTS asks for it */
    TERN_EV_HOLD = 256,    /* a SYN waits for tern_hold_admit(), _refuse() or _drop() */
    TERN_EV_ADDRS = 16384, /* of no socket (`user` NULL): an address has become ready, or is known
                            * to be somebody else's, or has come or gone, or a router has; see
                            * tern_addrs() */
};

typedef struct {
    tern_sock sock;
    void *user;
    int32_t err; /* enum tern_err or 0 */
    uint32_t mask;
} tern_event;

/* ---- lifetime ------------------------------------------------------------------------------- */

struct tern_trace; /* tern/trace.h */

enum {                              /* tern_config.features: what a connection may do */
       TERN_FEATURE_TIMESTAMPS = 1, /* RFC 7323 */
       TERN_FEATURE_WSCALE = 2,     /* RFC 7323 */
       TERN_FEATURE_SACK = 4,       /* RFC 2018 */
       TERN_FEATURE_DSACK = 8,      /* report duplicates: RFC 2883 */
       TERN_FEATURE_PROBE = 16,     /* tail loss: RFC 8985 7 */
       TERN_FEATURE_FRTO = 32,      /* RFC 5682 */
       TERN_FEATURE_PMTUD = 64,     /* RFC 1191, RFC 8201 */
};

/* Where the RFCs leave room stacks have habits, which peers and tests know. */
enum tern_style {
    TERN_STYLE_OWN,   /* much as Linux, but the RFCs have the last word */
    TERN_STYLE_LINUX, /* as Linux 6.18 does where that can be seen: a second segment is acknowledged
                       * late while nobody reads, and so is a FIN that came with or after data;
                       * data on a SYN-ACK are not taken; user timeouts, keep-alive, windows */
    TERN_STYLE_BSD,   /* FreeBSD's: order of options on SYN, windows to the byte, a delayed
                     * acknowledgement from the first segment on, timeouts, close() */
    TERN_STYLE_RFC,   /* the letter: without a timestamp that was agreed upon a segment is dropped,
                     * and soft ICMP errors end no connection, not even in SYN-SENT */
};

/* When a SYN is answered with a cookie, by which nothing is remembered of it (RFC 4987 3.6). MSS
 * survives in steps, SACK and ECN as they are, window scale with timestamps; else in steps. */
enum tern_cookies {
    TERN_COOKIES_AUTO,   /* when the half-open entries are used up; taken for 30 s after that */
    TERN_COOKIES_ALWAYS, /* instead of entries: no memory before the third segment */
    TERN_COOKIES_NEVER,  /* a SYN without an entry is dropped */
};

/* Of the prefixes an address matches the longest says its label; a source is preferred that has the
 * label of the destination (RFC 6724 2.1). */
typedef struct {
    uint8_t ip[16];
    uint8_t bits, label;
} tern_label;

/* What Linux's administrators tune, by the names of sysctl (net.ipv4.tcp_...) and of ip-route's
 * metrics. In brackets what tern_config_default() says; tern_tune() changes it in operation. */
typedef struct tern_tuning {
    uint8_t recovery;          /* [1] 2: RACK's window does not adapt; 4: nor is it nil when three
                                  * segments have overtaken */
    uint8_t retries1;          /* [3] retransmissions after which the way is in doubt (R1) */
    uint8_t orphan_retries;    /* [0] as many end a closed socket's connection; 0: as any other */
    uint8_t comp_sack_nr;      /* [0] at most so many acknowledgements of data past a hole are */
    uint8_t comp_sack_percent; /* [33] put together in that part of a round trip, and */
    uint32_t comp_sack_us;     /* [1000] in that time; */
    uint32_t comp_slack_us;    /* [100] and so much is a timer late */
    uint16_t invalid_ms;       /* [500] between two answers to what is not acceptable */
    uint16_t reordering_max;   /* [300] segments */
    uint32_t wscale_window;    /* [0] the window scale is for as much, if rcvbuf_max is less */
    uint16_t initrwnd;         /* [0] the first window, segments; 0: by the buffer */
    uint32_t window_max;       /* [0] to offer, bytes; 0: by the buffer */
    uint16_t mtu_base, mtu_floor, mtu_threshold; /* [1024, 48, 8] of mtu_probing */
    uint32_t mtu_interval_s;                     /* [600] and when it searches again */
    uint32_t min_rtt_s;                          /* [300] the least round trip is of these */
    bool rfc1337;                                /* [true] RST does not end TIME-WAIT */
    bool stdurg;         /* [false] the urgent pointer names the last urgent byte */
    bool thin_linear;    /* [false] with little in flight time-outs do not grow */
    bool shrink_window;  /* [false] a buffer that fills takes back what was offered */
    bool quickack;       /* [false] acknowledgements are never delayed */
    bool fixed_rcvbuf;   /* [false] receive buffers do not grow by themselves */
    bool abort_overflow; /* [false] RST to the third segment when the accept queue is full */
    bool signed_windows; /* [false] the first window is at most 32767 */
    bool reflect_tos;    /* [false] a SYN-ACK and its connection have the DSCP of the SYN */
    bool collapse;       /* [false] small segments are sent again as one */
    uint8_t pingpong;    /* [1] answers of the owner before acknowledgements wait for them */
    uint8_t ecn_beacon;  /* [3] AccECN's option goes as often in a round trip at least */
    uint16_t mss_least;  /* [48] segments are as large, whatever the peer or ICMP asks for */
} tern_tuning;

/* Everything the stack may use and every limit it obeys. tern_config_default() fills all but
 * `seed`, `alloc` and `free`. Durations are nanoseconds. */
typedef struct tern_config {
    size_t size; /* sizeof(tern_config) of the caller: lets the struct grow */

    uint8_t seed[32]; /* from a CSPRNG: keys ISNs, ports, hashes. Same seed and inputs: same run */
    uint16_t shard, shard_count;

    /* limits */
    uint32_t conns_max;     /* connections, from SYN-SENT or ESTABLISHED to CLOSED */
    uint32_t halfopen_max;  /* passive opens that wait for the third segment, or are held */
    uint32_t orphans_max;   /* connections closed by their owners and not over; over it one of the
                             * oldest is reset */
    uint32_t timewait_max;  /* TIME-WAIT entries; over it the oldest goes */
    uint32_t listeners_max; /* listening sockets */
    uint32_t ifaces_max, addrs_max, routes_max;
    const tern_label *labels; /* the caller's, who keeps them; NULL: those of RFC 6724 2.1 */
    uint32_t labels_count;
    uint32_t fastopen_peers_max;   /* peers whose Fast Open cookie is remembered */
    uint32_t fastopen_pending_max; /* connections made by a SYN whose third segment has not come, of
                                    * all listeners together */
    uint32_t sources_max;          /* sources remembered for tern_limits; over it the oldest goes */
    uint32_t rules_max;            /* of tern_rule_set() */
    uint32_t neighbors_max;        /* link-layer addresses known, or being asked for */
    uint32_t udp_max;              /* UDP sockets */
    uint32_t udp_rcvbuf, udp_sndbuf; /* bytes of datagrams that wait to be read, to be sent */
    uint32_t fragments_max;          /* datagrams of which not all fragments have come; over it the
                                  * oldest goes, */
    size_t fragment_bytes_max;       /* and so it does over this */
    uint32_t output_max;             /* packets handed out and not yet done */
    uint32_t replies_max;            /* stateless replies (RST, ICMP) waiting for output */
    uint32_t advance_max;            /* timers fired by one tern_advance() */
    size_t buf_bytes_max;            /* payload memory of all sockets together */

    /* the wire; no duration above 4 hours */
    uint32_t features;
    uint8_t style;               /* enum tern_style */
    uint8_t iw;                  /* initial window, segments; 0: that of RFC 6928 */
    uint8_t mtu_probing;         /* Linux's tcp_mtu_probing: 0 never; 1 when a path seems to drop
                                  * large packets; 2 always (RFC 4821) */
    uint16_t reordering;         /* so many duplicates are no loss yet, at first */
    uint16_t mss_offer;          /* the largest segment to ask for; 0: by the MTU */
    uint32_t rcvbuf, rcvbuf_max; /* receive buffer at first, and the most autotuning gives */
    uint32_t sndbuf, sndbuf_max; /* send buffer at first, and the most autotuning gives */
    uint64_t rto_initial, rto_min, rto_max; /* RFC 6298 */
    uint64_t delack;                        /* the longest an acknowledgement is delayed; < 0.5 s */
    uint64_t msl;                           /* TIME-WAIT lasts twice this */
    uint64_t fin_wait2;                     /* FIN-WAIT-2 of a closed socket ends after this */
    uint64_t orphan;     /* a closed socket's connection is reset when its peer has acknowledged
                          * nothing for this long, though it may answer; 0: never */
    uint64_t close_wait; /* CLOSE-WAIT ends by a reset when its owner has read nothing, and nothing
                          * of his was acknowledged, for this long; 0: never */
    uint64_t hold;       /* a held SYN is dropped after this */
    uint64_t idle;       /* quiet this long, a connection gives back its working memory */
    uint64_t tx_horizon; /* tx_time is at most now + this; 0: the stack holds packets */
    uint8_t syn_retries; /* SYNs sent again before ETIMEDOUT */
    uint8_t syn_linear;  /* so many of them follow at the same distance, before it doubles */
    uint8_t synack_retries; /* SYN-ACKs sent again before the entry is dropped; 2, 1, 0 at most when
                             * 4/8, 6/8, 7/8 of the half-open entries are used */
    uint8_t data_retries;   /* R2, counted in retransmissions of one segment */
    uint8_t ttl;            /* hop limit of sent packets, unless a router names another */
    uint8_t tso_segs_min;   /* least segments of a super-segment that is sized by the rate, about
                               a millisecond of it, as Linux does; 0: as many as can go */
    uint8_t tso_rtt_log;    /* more for small round trips: largest >> (least RTT, us >> this) */
    uint8_t tso_divisor;    /* a super-segment waits for more room below that part of the window */
    uint16_t pace_ss_ratio, pace_ca_ratio; /* the rate, in % of a window a round trip */
    bool pacing;        /* at that rate also where the algorithm does not pace (cc.h) */
    bool idle_restart;  /* a window that was not used lately shrinks (RFC 5681 4.1) */
    bool stats;         /* keep the full tern_info counters: 192 bytes a connection */
    uint8_t ecn;        /* Linux's tcp_ecn, accepted and asked for: 0 neither; 1 classic
                             * (RFC 3168), classic; 2 classic, none; 3 accurate (RFC 9768),
                             * accurate; 4 accurate, classic; 5 accurate, none */
    uint8_t ecn_option; /* AccECN's: 0 never, 1 when it must, 2 with each segment until it seems
                             * to be what is dropped, 3 always */
    bool ecn_fallback;  /* a SYN without answer is sent again without; meddling is looked for */
    bool ecn_abe;       /* a mark costs less than a loss (RFC 8511) */
    bool isn_fixed;     /* for demonstration only: the first ISN is `isn`, ... */
    uint32_t isn;       /* ... as anyone can then forge segments */

    uint8_t address_key[16]; /* of addresses by TERN_IFACE_AUTO (RFC 7217): the same key, the same
                              * addresses, run after run; all zero: from `seed` */
    uint8_t source_bits4, source_bits6; /* of an address, say who its source is: 32, 64 */
    uint8_t cookies;                    /* enum tern_cookies */
    uint8_t cookie_key[16]; /* not all zero: shared by machines behind one address, each of which
                             * takes the others' cookies; see tern_cookie_clock() */

    tern_tuning tuning;

    const tern_cc_ops *cc; /* congestion control of new connections */

    uint32_t md5_keys_max; /* of tern_md5_set(), and one for each signed connection */
    /* The MD5 digest of all pieces one after the other; NULL: no key can be set. Must not call the
     * stack. */
    void (*md5)(void *user, const tern_iov *iov, size_t n, uint8_t out[16]);

    /* memory: slabs and page blocks, never per packet */
    void *(*alloc)(void *user, size_t size, size_t align);
    void (*free)(void *user, void *p, size_t size);
    /* lent and donated memory comes back here; called from inside the call that released it, and
     * must not call the stack */
    void (*release)(void *user, void *const *cookies, size_t n);
    void (*trace)(void *user, const struct tern_trace *record); /* NULL = off; same rule */
    void *user;
} tern_config;

/* Fills `cfg` with the defaults of docs/WIRE.md. Next: seed, alloc, free, then tern_new(). */
void tern_config_default(tern_config *cfg);

enum tern_profile {
    TERN_PROFILE_LINUX, /* tern_config_default() */
    TERN_PROFILE_RFC,   /* the letter of RFC 9293, 6298 and 7323 */
    TERN_PROFILE_FREEBSD,
};
/* Sets what the wire sees of a shard (style, features, buffers, durations, retries) to what
 * docs/WIRE.md says of the profile; between tern_config_default() and tern_new(). TERN_EINVAL. */
int tern_config_profile(tern_config *cfg, enum tern_profile profile);

/* Makes a shard in memory from cfg->alloc. `now` starts its clock; time never runs backwards.
 * TERN_EINVAL: no alloc or free, an all-zero seed, a limit of zero or too large; TERN_ENOMEM. */
int tern_new(tern **out, const tern_config *cfg, uint64_t now);

/* Takes over what the wire sees, from `features` to `tuning`, of `cfg`: for new connections what is
 * settled when they begin, for all others the rest. TERN_EINVAL. */
int tern_tune(tern *s, const tern_config *cfg);

/* Frees everything, without a word to any peer. Packets handed out must be done before. Lent and
 * donated memory is released. */
void tern_free(tern *s);

/* ---- the loop ------------------------------------------------------------------------------- */

/* Takes in `n` packets from their interface `pkts[i].iface`. The memory is the caller's again on
 * return, except packets marked DONATED, which come back through cfg.release (even when dropped).
 * What cannot be used is counted by its reason (tern/info.h). */
void tern_input(tern *s, tern_pkt *pkts, size_t n, uint64_t now);

/* Fires the timers that are due, at most cfg.advance_max; when more are due, tern_next_timeout()
 * says so. Call it after the input that has already arrived, so that no late timer fires for
 * something an ACK in the device has settled. */
void tern_advance(tern *s, uint64_t now);

/* Collects up to `max` events, one for each socket that has any. */
size_t tern_events(tern *s, tern_event *ev, size_t max);

/* Hands out up to `max` packets to be sent on `iface`. Their memory stays valid until each is
 * given to tern_output_done() or tern_output_refused(). Fires no timers. */
size_t tern_output(tern *s, int iface, tern_pkt *pkts, size_t max, uint64_t now);

/* The device has read these packets (any order, any time). Only `cookie` of each is looked at. */
void tern_output_done(tern *s, const tern_pkt *pkts, size_t n);

/* The device would not take these packets: they will be handed out again by a later tern_output()
 * on that interface if they still matter. Until then tern_next_timeout() leaves this interface
 * out of account; wait for the device to become writable and call tern_output(). */
void tern_output_refused(tern *s, const tern_pkt *pkts, size_t n);

/* When to call next, absolute; O(1). 0: events or sendable output wait now. TERN_NEVER: idle. */
uint64_t tern_next_timeout(const tern *s);

/* ---- links, addresses, routes --------------------------------------------------------------- */

enum {                          /* tern_iface.caps: what the device does on the way out */
       TERN_CAP_CSUM = 1,       /* completes partial transport checksums */
       TERN_CAP_TSO4 = 2,       /* segments TCP over IPv4 */
       TERN_CAP_TSO6 = 4,       /* segments TCP over IPv6 */
       TERN_CAP_TSO_ACCECN = 8, /* leaves AE, CWR and ECE alone when it does */
};

typedef struct {
    const uint8_t *mac;    /* NULL: raw IP; else Ethernet, ours being these 6 bytes */
    uint32_t mtu;          /* largest IP packet; 68..65535, 1280 at least for IPv6 addresses */
    uint32_t gso_max;      /* largest super-segment as an IP packet; 0: none; Ethernet: 65521 */
    uint32_t gso_segs_max; /* most wire segments in one; 0: no limit */
    uint32_t caps;
    uint32_t flags; /* TERN_IFACE_*; all that is about Ethernet */
} tern_iface;

enum {                        /* tern_iface.flags */
       TERN_IFACE_NO_DAD = 1, /* addresses are used at once: nobody is asked whether they are
                                 * theirs (RFC 4862 5.1: DupAddrDetectTransmits 0) */
       TERN_IFACE_NO_MLD = 2, /* switches and routers are not told which groups are listened to
                                 * (RFC 9777) */
       TERN_IFACE_AUTO = 4,   /* makes a link-local address, asks routers, and does what they
                                 * say: addresses, routes, times, MTU (RFC 4861 6.3, RFC 4862) */
};

/* Adds an interface; returns its id (>= 0). TERN_EINVAL, TERN_ELIMIT, TERN_ENOMEM. */
int tern_iface_add(tern *s, const tern_iface *iface);
/* Changes MTU and capabilities while in use. TERN_EINVAL, TERN_ENOMEM. */
int tern_iface_change(tern *s, int id, const tern_iface *iface);
/* Removes an interface with its addresses and routes. Connections over it are not touched: they
 * wait for another route until they time out. Its packets must still be given back. */
int tern_iface_remove(tern *s, int id);
/* Gives the interface an address and a route to its prefix. On Ethernet it is TENTATIVE until
 * everybody there had time to say that it is theirs (RFC 4862 5.4, RFC 5227: one to two seconds,
 * for IPv4 six), and until then nothing is sent from there or taken in; then TERN_EV_ADDRS comes.
 * TERN_EINVAL, TERN_EADDRINUSE, TERN_ELIMIT, TERN_ENOMEM. */
int tern_iface_addr(tern *s, int iface, const uint8_t ip[16], unsigned prefix_bits);
/* Takes an address away, and the route that came with it. Connections from there are not touched:
 * they wait until they time out, or until the address is back. TERN_EINVAL: it has none such, or
 * a router has said so. */
int tern_iface_addr_remove(tern *s, int iface, const uint8_t ip[16]);

enum tern_addr_state {
    TERN_ADDR_PREFERRED,
    TERN_ADDR_DEPRECATED, /* works, but nothing new begins with it (RFC 4862 5.5.4) */
    TERN_ADDR_TENTATIVE,  /* not used yet: whose it is is being asked */
    TERN_ADDR_DUPLICATE,  /* not used: somebody else has it */
};
typedef struct {
    uint8_t ip[16];
    uint8_t bits, state; /* enum tern_addr_state */
    uint16_t iface;
    bool automatic;                        /* by TERN_IFACE_AUTO, */
    uint64_t preferred_until, valid_until; /* absolute; TERN_NEVER: for ever */
} tern_addr_entry;
/* Lists addresses, `max` at a time: start with *cursor = 0, stop at a result of 0. */
size_t tern_addrs(const tern *s, uint32_t *cursor, tern_addr_entry *out, size_t max);
/* Accept packets for any destination on this interface (a gateway's side). */
int tern_iface_promiscuous(tern *s, int iface, bool on);
/* Whether an interface has this address, and may use it. */
bool tern_is_local(const tern *s, const uint8_t ip[16]);
/* Adds a route. `bits` counts in the 16-byte form: 96 + n for IPv4. `via` may be NULL. TERN_EINVAL,
 * TERN_ELIMIT. */
int tern_route_add(tern *s, const uint8_t ip[16], unsigned bits, const uint8_t via[16], int iface);
/* Takes it away, as often as it was added. TERN_EINVAL: there is none such. */
int tern_route_remove(tern *s, const uint8_t ip[16], unsigned bits, const uint8_t via[16],
                      int iface);

/* ---- TCP ------------------------------------------------------------------------------------ */

enum {                           /* tern_listen_args.flags */
       TERN_LISTEN_HOLD = 1,     /* every SYN waits as a TERN_EV_HOLD event */
       TERN_LISTEN_ANY_PORT = 2, /* local.port is ignored */
       TERN_LISTEN_IP6_ONLY = 4, /* with an all-zero address: not IPv4 */
       TERN_LISTEN_RESET = 8,    /* a full accept queue resets who completes its handshake, instead
                                  * of leaving it to try again */
};

typedef struct {
    tern_addr local;  /* ip all zero: any address of either family; ::ffff:0.0.0.0: any IPv4 */
    uint32_t backlog; /* most connections that wait for tern_accept() */
    uint32_t flags;
    void *user;
    uint32_t syn_queue; /* most half-open ones; 0: tern_config.halfopen_max together with others */
} tern_listen_args;

/* Passive open (RFC 9293 3.10.1). TERN_EADDRINUSE, TERN_ELIMIT. Next: TERN_EV_ACCEPT. */
int tern_listen(tern *s, tern_sock *out, const tern_listen_args *args);
/* Changes the backlog of a listener. */
int tern_backlog(tern *s, tern_sock listener, uint32_t backlog);
/* Takes an established connection; `peer` may be NULL. TERN_EAGAIN when none waits. */
int tern_accept(tern *s, tern_sock listener, tern_sock *out, tern_addr *peer, void *user);

/* What one source may have of a listener; 0: no limit. A source is a prefix of addresses, see
 * tern_config.source_bits4. */
typedef struct {
    uint32_t halfopen;  /* half-open connections */
    uint32_t conns;     /* connections, until CLOSED or TIME-WAIT */
    uint32_t syn_rate;  /* SYNs a second */
    uint32_t syn_burst; /* SYNs at once; 0: as many as in a second */
} tern_limits;
/* SYNs over it are dropped. TERN_EINVAL, TERN_ESTALE. */
int tern_limits_set(tern *s, tern_sock listener, const tern_limits *limits);

enum tern_rule {
    TERN_RULE_NONE,
    TERN_RULE_ALLOW, /* SYNs from there are taken, without limits */
    TERN_RULE_DENY,  /* SYNs from there are dropped */
};
/* Sets the rule of a prefix (of 16 bytes: 96 + n bits for IPv4), for all listeners; NONE takes it
 * away. Of the rules that match a source the one with most bits counts. TERN_EINVAL, TERN_ELIMIT,
 * TERN_ENOMEM. */
int tern_rule_set(tern *s, const uint8_t ip[16], unsigned bits, enum tern_rule rule);

/* Says what the clock of SYN cookies shows now (ns), when several machines share tern_config's
 * cookie_key: their clocks may differ by a few seconds. Without it that clock is `now`. */
void tern_cookie_clock(tern *s, uint64_t shared);

/* Active open (3.10.1). `local` may be NULL, or give an address, a port (0: any) or both.
 * Next: TERN_EV_OPEN, or TERN_EV_ERROR. TERN_ENETUNREACH, TERN_EADDRNOTAVAIL, TERN_EADDRINUSE,
 * TERN_ELIMIT, TERN_EINVAL (an address nobody can be at: MUST-46). */
int tern_connect(tern *s, tern_sock *out, const tern_addr *local, const tern_addr *peer,
                 void *user);

/* A held passive open. Admit answers the SYN and makes a connection of it, in `out`, which will
 * report TERN_EV_OPEN. Refuse answers with RST (icmp_type < 0) or with that ICMP error. Drop says
 * nothing. All three end the held handle. TERN_ESTALE: the peer gave up, or it took too long;
 * a TERN_EV_CLOSED event said so. */
int tern_hold_admit(tern *s, tern_sock held, tern_sock *out, void *user);
int tern_hold_refuse(tern *s, tern_sock held, int icmp_type, int icmp_code);
int tern_hold_drop(tern *s, tern_sock held);

/* Queues a copy of up to `len` bytes and returns how many (3.10.2). TERN_EAGAIN when the send
 * buffer is full, TERN_ESHUTDOWN, TERN_ENOTCONN, or the error that ended the connection. Bytes
 * may be queued before the connection is established. */
ptrdiff_t tern_send(tern *s, tern_sock k, const void *buf, size_t len);
/* The same in place: borrow up to `n` views of free space, `want` bytes in all; returns the number
 * of views. Then say how many bytes were filled, from the first on; 0 gives the loan back. */
ptrdiff_t tern_send_reserve(tern *s, tern_sock k, tern_iov *iov, size_t n, size_t want);
int tern_send_commit(tern *s, tern_sock k, size_t len);
/* Queues the caller's own memory; it must not change until cfg.release(cookie). All or nothing. */
int tern_send_lent(tern *s, tern_sock k, const void *buf, size_t len, void *cookie);

/* Copies up to `cap` received bytes out (3.10.3). 0: the peer's FIN has been reached. TERN_EAGAIN,
 * TERN_ENOTCONN, or, once everything received has been read, the error that ended it. */
ptrdiff_t tern_recv(tern *s, tern_sock k, void *buf, size_t cap);
/* The same in place: up to `n` views of what is readable, from `skip` bytes on; returns the number
 * of views (0: FIN reached). Views live until consumed or closed, even across a reset. */
ptrdiff_t tern_recv_peek(tern *s, tern_sock k, tern_iov *iov, size_t n, size_t skip);
int tern_recv_consume(tern *s, tern_sock k, size_t len);
/* Bytes that left the stack but that the final reader has not read yet (in a pipe behind us): they
 * count against the receive buffer until a later call lowers the figure. */
int tern_recv_owed(tern *s, tern_sock k, size_t bytes);

/* The peer's urgent data (3.8.5), which is read with everything else: it ends with one byte, whose
 * place is known before it comes. */
typedef struct {
    bool pending;   /* that byte has not been read; else all else is 0 */
    bool here;      /* it has come, */
    uint8_t byte;   /* and is this */
    uint32_t at;    /* its place in the stream, modulo 2^32 */
    uint32_t ahead; /* bytes to be read before it (MUST-33) */
} tern_urgent;
/* TERN_ENOTCONN. */
int tern_urgent_get(const tern *s, tern_sock k, tern_urgent *out);

/* What ICMP has said of something that was sent, beyond an enum tern_err (RFC 1122 4.2.3.9). */
enum { TERN_ICMP_QUOTE = 60 };
typedef struct {
    int32_t err;              /* the enum tern_err it counts as */
    bool fatal;               /* it has ended the connection */
    uint8_t version;          /* 4: ICMP, 6: ICMPv6 */
    uint8_t type, code;       /* RFC 792, RFC 4443 */
    uint32_t info;            /* the pointer of a parameter problem; else 0 */
    uint8_t from[16], to[16]; /* who says so: a router, a host, or ourselves; to whom it was sent */
    uint16_t port;            /* and to which port */
    uint8_t quote_len;
    uint8_t quote[TERN_ICMP_QUOTE]; /* of what was sent, from the TCP or UDP header on */
} tern_icmp;
/* The last that came. TERN_EAGAIN: none, or there was no memory for it; TERN_ENOTCONN. */
int tern_icmp_get(const tern *s, tern_sock k, tern_icmp *out);

/* Sends FIN after what is queued; receiving goes on (the half close of 3.6). */
int tern_shutdown(tern *s, tern_sock k);
/* Ends the handle. Unread data, or data that comes later, is answered with RST (SHLD-3);
 * otherwise what is queued and the FIN are delivered. With TERN_OPT_LINGER > 0 the handle stays
 * until they are acknowledged (TERN_EV_CLOSED), and is reset when that takes longer; with 0 it is
 * an abort. On a listener: connections not yet accepted are reset. */
int tern_close(tern *s, tern_sock k);
/* RST; what is queued is dropped; the handle ends (3.10.5). */
int tern_abort(tern *s, tern_sock k);

enum tern_opt {
    TERN_OPT_NODELAY,      /* 0/1: Nagle's algorithm off (MUST-17) */
    TERN_OPT_CORK,         /* 0/1: hold back a partial segment until taken off; one RTO at most */
    TERN_OPT_RCVBUF,       /* bytes; fixes the receive buffer (no autotuning) */
    TERN_OPT_SNDBUF,       /* bytes; fixes the send buffer */
    TERN_OPT_LINGER,       /* -1 off, else ns */
    TERN_OPT_USER_TIMEOUT, /* ns without progress before ETIMEDOUT; 0: by retries (MUST-21) */
    TERN_OPT_SYN_RETRIES,  /* count; before the connection is established */
    TERN_OPT_TTL,          /* 1..255 (MUST-49) */
    TERN_OPT_DSCP,         /* 0..63 (MUST-48) */
    TERN_OPT_MSS,          /* bytes; an upper bound on sent and advertised MSS */
    TERN_OPT_QUICKACK,     /* 0/1: acknowledge at once, or with what is sent; does not last */
    TERN_OPT_KEEPALIVE,    /* 0/1: probe a silent peer (MUST-24) */
    TERN_OPT_KEEP_IDLE,    /* ns of silence before the first probe (MUST-28) */
    TERN_OPT_KEEP_INTVL,   /* ns between two probes */
    TERN_OPT_KEEP_COUNT,   /* probes that may stay unanswered */
    TERN_OPT_FIN_WAIT2,    /* ns in FIN-WAIT-2 of a closed socket; 0: tern_config's; -1: none */
    TERN_OPT_DEFER_ACCEPT, /* listener: accept with the first data, or after so many SYN-ACKs */
    TERN_OPT_ECN, /* 0 none, 1 classic, 2 accurate: to ask for; then what was agreed upon */
    /* TCP Fast Open (RFC 7413). Listener: so many connections whose SYN brought data and a cookie
     * of ours may be accepted before their handshake is over; 0: off. Connection, between
     * tern_connect() and the next tern_output(): 1: the SYN brings what is queued, if a cookie is
     * known (else it asks for one); 2: it waits until something is, too. Read: how many bytes that
     * SYN can bring. */
    TERN_OPT_FASTOPEN,
    TERN_OPT_FASTOPEN_FREE, /* 0/1: no cookie is needed; before the SYN */
    TERN_OPT_SOFT_ERROR,    /* an enum tern_err that ICMP told, or 0; only 0 can be set */
    TERN_OPT_REPORTS, /* 0/1: a soft error is an event (MUST-47), and so is the third retransmission
                       * in a row: TERN_ETIMEDOUT (SHLD-9) */
    TERN_OPT_EOR,     /* 1: a segment ends with what is queued now; cannot be read */
    TERN_OPT_URGENT,  /* 1: what is queued now is urgent (3.8.5). Read: some of it is not
                      * acknowledged yet */
    TERN_OPT_PACING_RATE, /* bytes per second that are never exceeded, and pacing; 0: no limit */
    TERN_OPT_PMTUD,       /* enum tern_pmtud */
    TERN_OPT_CLOSE_WAIT,  /* ns in CLOSE-WAIT without a sign of its owner, after which it is reset
                           * (TERN_ETIMEDOUT); 0: tern_config's; -1: none */
    TERN_OPT_THIN_LINEAR, /* 0/1: tern_tuning.thin_linear, for this one */
    TERN_OPT_COUNT
};
enum tern_pmtud {
    TERN_PMTUD_ON,    /* as tern_config.features says */
    TERN_PMTUD_NO_DF, /* IPv4: DF is not set */
    TERN_PMTUD_OFF,   /* nor here; what ICMP says of sizes is for what is sent from then on */
    TERN_PMTUD_DEAF,  /* what ICMP says of sizes is not heard */
};
/* Of a listener, RCVBUF, TTL, DSCP, MSS, DEFER_ACCEPT, FASTOPEN and FASTOPEN_FREE: what its
 * SYN-ACKs say and its connections begin with. TERN_EINVAL: an unknown option or a value out of its
 * range. */
int tern_option_set(tern *s, tern_sock k, enum tern_opt option, int64_t value);
int tern_option_get(const tern *s, tern_sock k, enum tern_opt option, int64_t *value);

/* The keys that Fast Open's cookies are made with: `n` times 16 bytes, at most two; of two the
 * first makes them, and those of the second are still good. Of a listener (n 0: the shard's again),
 * or with id 0 of the shard, which has one from its seed. TERN_EINVAL. */
int tern_fastopen_keys(tern *s, tern_sock listener, const uint8_t *keys, size_t n);

/* A key of TCP-MD5 (RFC 2385). Of a listener: for peers of a prefix (of 16 bytes: 96 + n bits for
 * IPv4), of which the longest counts; its connections keep it. Of a connection, between
 * tern_connect() and the next tern_output() or later: its only one. What is not signed with it is
 * dropped. len 0 takes it away. TERN_EINVAL (also: there is none to be taken away, no
 * tern_config.md5), TERN_ELIMIT, TERN_ENOMEM. */
enum { TERN_MD5_KEY_MAX = 80 };
typedef struct {
    uint8_t ip[16];
    uint32_t bits; /* 128 at most */
    uint32_t len;
    const uint8_t *key;
} tern_md5_key;
int tern_md5_set(tern *s, tern_sock k, const tern_md5_key *key);

/* Says that nobody will read any more: once our FIN is queued, new data is answered with RST. What
 * has been received stays readable. */
int tern_recv_shutdown(tern *s, tern_sock k);

/* The next data (TERN_EV_READ), room (TERN_EV_WRITE) or connection (TERN_EV_ACCEPT) is an event, as
 * if the call for it had met TERN_EAGAIN. */
int tern_arm(tern *s, tern_sock k, uint32_t mask);

/* Changes the congestion control of a connection; the window stays. TERN_EINVAL: state_size is too
 * large; TERN_ELIMIT: more than 16 kinds are in use; TERN_ENOMEM. */
int tern_cc_set(tern *s, tern_sock k, const tern_cc_ops *ops);

/* Asks for one TERN_EV_PROGRESS event when the first `sent` bytes of what was queued have been
 * sent, and one when the first `acked` have been acknowledged (both modulo 2^32, at most 2^31 ahead
 * of where they are; NULL: not asked). A later call replaces an earlier one. TERN_ENOMEM. */
int tern_watch(tern *s, tern_sock k, const uint32_t *sent, const uint32_t *acked);

/* Both ends of a connection, or the local address of a listener; either may be NULL. */
int tern_names(const tern *s, tern_sock k, tern_addr *local, tern_addr *peer);
/* The caller's pointer, as given or as changed here. */
int tern_user_set(tern *s, tern_sock k, void *user);

/* Counters, tern_info() and the listing of all sockets are in tern/info.h. */

#ifdef __cplusplus
}
#endif
#endif
