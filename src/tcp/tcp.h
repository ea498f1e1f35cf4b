/* tcp.h - the protocol engine of one shard, as the stack room sees it, and what its own files
 * share.
 *
 * Segments come in through tcp_input(), go out through tcp_output(), timers through tcp_advance();
 * user calls are in user.c. The engine knows no IP: it sees addresses as 16 bytes, an interface as
 * a number with an MTU (struct tcp_path), and asks the stack through struct tcp_host.
 */
#ifndef TERN_TCP_TCP_H
#define TERN_TCP_TCP_H

#include "base/addrs.h"
#include "base/chunk.h"
#include "base/flowtab.h"
#include "base/siphash.h"
#include "tcp/conn.h"
#include "tcp/sent.h"
#include "tern/trace.h"
#include "wire/tcp.h"

enum {
    TICK_SHIFT = 13, /* a tick is 8.192 us */
    PATHS_MAX = 64,  /* interfaces */
    CC_MAX = 16,     /* algorithms in use at once */
    SEGMENT_CHUNKS = TERN_PKT_IOV - 1,
    STARVED_NS = 10000000, /* how often a sender without memory looks whether there is some */
};

/* What an interface means to TCP; the stack keeps it current. */
struct tcp_path {
    uint32_t mtu, mtu6;          /* of the interface; what its routers have said of IPv6 */
    uint32_t gso_max4, gso_max6; /* largest super-segment as an IP packet; 0: none */
    uint32_t gso_segs_max;
    bool gso_accecn;             /* the device leaves the bits of AccECN alone */
    uint32_t out_head, out_tail; /* connections that may have output */
};

/* Both ends of a segment, seen from here. */
struct tcp_tuple {
    uint8_t remote[16], local[16];
    uint16_t rport, lport;
};

/* An arriving segment. */
struct tcp_seg {
    struct tcp_tuple tuple;
    struct wire_tcp h;
    uint32_t len;         /* payload bytes */
    uint32_t payload_off; /* where they begin in `pkt` */
    const tern_pkt *pkt;
    const uint8_t *header;     /* of TCP */
    const struct md5_key *key; /* it is signed with this one; NULL: it is not */
    uint32_t hash;             /* tcp_flow_hash() of the tuple */
    uint16_t segs;             /* wire segments in it */
    uint8_t iface, tos;
    bool donated;  /* the payload's memory may be kept */
    bool kept;     /* out: it was */
    bool advanced; /* out: it acknowledges something that was not before */
};

/* A segment to be sent. The stack puts IP around it and keeps chunk references until it is done. */
struct tcp_out {
    uint8_t *tcp;        /* in: room for the header, which is written there, */
    uint16_t tcp_len;    /* so long */
    uint16_t chunks;     /* payload: in this many chunks, each with one reference more, */
    uint32_t chunk_off;  /* from this byte on */
    struct chunk *chunk; /* of this chunk, */
    uint32_t len;        /* so many bytes */
    uint16_t gso_size;   /* 0: one segment */
    uint8_t iface, ttl, tos;
    bool breakable;                /* IPv4: routers may make fragments of it */
    struct sent *sent;             /* the record in flight it belongs to; NULL: none */
    uint64_t departs;              /* ns; 0: at once */
    const uint8_t *local, *remote; /* of the connection, or when that is gone by now, */
    struct tcp_tuple tuple;        /* in here */
};

/* A segment that belongs to no connection. */
struct tcp_reply {
    const struct tcp_tuple *tuple;
    struct wire_tcp h;
    const struct md5_key *key; /* to sign it with md5_sign(); NULL: not */
    uint8_t iface, ttl, tos;   /* ttl 0: the default */
};

/* What the engine asks of the stack. */
struct tcp_host {
    void *context;
    /* Sends a segment that belongs to no connection. */
    void (*reply)(void *context, const struct tcp_reply *reply);
    /* Answers a segment with an ICMP error that quotes its beginning. */
    void (*icmp_error)(void *context, const struct tcp_tuple *tuple, uint8_t iface, uint8_t type,
                       uint8_t code, uint32_t seq);
    /* Whether a segment that belongs to no connection may be answered: its addresses can be what
     * they say, and it is for us. Asked lazily, as a connection's segments have passed it once. */
    enum tern_drop (*check)(void *context, const struct tcp_tuple *tuple, uint8_t iface);
    /* The interface for an address; < 0: enum tern_err. */
    int (*route)(void *context, const uint8_t remote[16], uint8_t *iface);
    /* What goes there is not acknowledged (R1 of RFC 9293 3.8.3): perhaps the way has changed. */
    void (*doubt)(void *context, const uint8_t remote[16], uint8_t iface);
};

/* The key of a time slot of cookie.c. */
struct cookie_key {
    uint64_t slot;
    struct siphash_key key;
    bool known;
};

struct tcp {
    const tern_config *cfg;
    struct mem *mem;
    struct chunks *chunks;
    struct addrs *addrs;
    struct tcp_host host;
    tern_counters *counters;
    uint64_t now;  /* ns */
    uint32_t tick; /* of timers: now >> TICK_SHIFT, less `skipped` */
    uint64_t tick64;
    uint64_t skipped; /* ticks that were too many at once */

    struct slab conns, halfopens, timewaits, listeners;
    struct pool actives, sents, stats, rares, cc_states, accecns, md5_keys;
    uint32_t md5_used; /* keys there are */
    struct wheel conn_wheel, halfopen_wheel, timewait_wheel, listener_wheel;
    uint64_t due; /* no wheel has anything to do before this tick */
    struct flowtab flows, listens;
    uint32_t listens_of[2][3]; /* listeners at [any port][enum scope, in listen.c] */

    /* admit.c */
    struct slab rules, sources;
    struct flowtab rule_table, source_table;
    uint16_t rule_lengths[129]; /* rules of each prefix length */
    uint64_t rule_mask[3];      /* which of them are not 0 */
    uint32_t source_newest, source_oldest;

    struct siphash_key key_flow, key_isn, key_ts, key_port, key_cookie;
    struct cookie_key cookie_keys[2]; /* of slots with an even and with an odd number */
    uint64_t cookie_offset;           /* from `now` to the clock of cookies; wraps */
    bool cookie_shared;               /* the key is shared: others' cookies are taken */
    struct siphash_key fo_key[FASTOPEN_KEYS];
    uint32_t fo_keys;
    struct fastopen_peer *fo_peers; /* cfg->fastopen_peers_max; NULL: none is remembered yet */
    struct fastopen_hole fo_holes[FASTOPEN_HOLES];
    uint32_t fo_pending; /* made by a SYN, and the third segment has not come: of all listeners */
    bool predict;      /* take expected segments without asking what cannot be; tests turn it off */
    uint32_t last_ref; /* the connection of the last segment, 0: none, ... */
    struct tcp_tuple last_tuple; /* ... and its tuple */
    uint32_t port_step;          /* counts active opens */
    uint32_t route_generation;
    uint64_t rcvbufs; /* all receive buffers together, bytes; memory.c */
    uint32_t orphans; /* closed by their owners, but not over; */
    uint32_t orphan_newest, orphan_oldest;
    uint32_t prune_at; /* the connection whose holes are looked at next */

    struct tcp_path path[PATHS_MAX];
    uint32_t ev_head, ev_tail; /* sockets with events: refs */
    const tern_cc_ops *cc[CC_MAX];
    uint32_t cc_count;
    uint64_t out_mask; /* paths whose list is not empty, one bit each */
};

/* References: a kind and an index in its slab. */
enum ref_kind { REF_LISTENER = 0, REF_CONN = 1, REF_HALFOPEN = 2, REF_TIMEWAIT = 3 };
static inline uint32_t ref_make(enum ref_kind kind, uint32_t ix)
{
    return (uint32_t)kind << 30 | ix;
}
static inline enum ref_kind ref_kind(uint32_t ref) { return (enum ref_kind)(ref >> 30); }
static inline uint32_t ref_ix(uint32_t ref) { return ref & 0x3fffffffu; }

static inline struct conn *conn_at(const struct tcp *t, uint32_t ix)
{
    return slab_at(&t->conns, ix);
}
static inline struct halfopen *halfopen_at(const struct tcp *t, uint32_t ix)
{
    return slab_at(&t->halfopens, ix);
}
static inline struct timewait *timewait_at(const struct tcp *t, uint32_t ix)
{
    return slab_at(&t->timewaits, ix);
}
static inline struct listener *listener_at(const struct tcp *t, uint32_t ix)
{
    return slab_at(&t->listeners, ix);
}

/* A FIN waits for its turn. */
static inline bool fin_unsent(const struct conn *c)
{
    return c->flags & CONN_FIN_QUEUED && c->snd_nxt == c->snd_end;
}

static inline void count(struct tcp *t, enum tern_counter c) { t->counters->count[c]++; }
static inline void count_add(struct tcp *t, enum tern_counter c, uint64_t n)
{
    t->counters->count[c] += n;
}

/* ---- tcp.c: the engine's life and its clock -------------------------------------------------- */

/* TERN_ENOMEM on failure; tcp_destroy() may then still be called. */
int tcp_init(struct tcp *t, const tern_config *cfg, struct mem *mem, struct chunks *chunks,
             struct addrs *addrs, tern_counters *counters, const struct tcp_host *host,
             uint64_t now);
void tcp_destroy(struct tcp *t);
/* Moves the clock; never back. */
void tcp_now(struct tcp *t, uint64_t now);
/* Fires timers; returns how many of `budget` are left. */
uint32_t tcp_advance(struct tcp *t, uint32_t budget);
/* The next timer, absolute ns; TERN_NEVER. */
uint64_t tcp_next(const struct tcp *t);

/* When a tick begins, ns. */
static inline uint64_t tick_begins(const struct tcp *t, uint64_t tick)
{
    return (tick + t->skipped) << TICK_SHIFT;
}

/* A duration as ticks, rounded up, at least 1. */
static inline uint32_t ticks_of(uint64_t ns)
{
    uint64_t n = (ns + (1u << TICK_SHIFT) - 1) >> TICK_SHIFT;
    return n == 0 ? 1 : n > INT32_MAX ? INT32_MAX : (uint32_t)n;
}
/* The tick `ns` from now; never 0. */
static inline uint32_t tick_after(const struct tcp *t, uint64_t ns)
{
    uint32_t tick = t->tick + ticks_of(ns);
    return tick == 0 ? 1 : tick;
}
/* A deadline that is set and has come. */
static inline bool tick_due(const struct tcp *t, uint32_t deadline)
{
    return deadline != 0 && seq_leq(deadline, t->tick);
}
/* The longest duration a timer takes: 4 hours, as 2^31 ticks are 4.9. */
#define DURATION_MAX ((int64_t)4 * 3600 * 1000000000)
#define NS_PER_MS 1000000ull
#define NS_PER_US 1000ull
#define NS_PER_S 1000000000ull

/* The least time between two replies to unacceptable segments, rounded down. */
static inline uint32_t challenge_ticks(const struct tcp *t)
{
    return (uint32_t)(t->cfg->tuning.invalid_ms * NS_PER_MS >> TICK_SHIFT);
}

/* Arms an entry of one of the wheels for that tick. */
static inline void tcp_wheel_set(struct tcp *t, struct wheel *w, uint32_t ix, uint64_t at)
{
    wheel_set(w, ix, at, t->tick64);
    t->due = min_u64(t->due, at);
}

/* ---- keyed.c: values that depend on the tuple and a secret ----------------------------------- */

uint32_t tcp_flow_hash(const struct tcp *t, const struct tcp_tuple *tuple);
uint32_t keyed_isn(const struct tcp *t, const struct tcp_tuple *tuple); /* RFC 6528, at t->now */
uint32_t keyed_ts_offset(const struct tcp *t, const struct tcp_tuple *tuple);
/* The `count`th draw of a port for that destination. */
uint64_t keyed_port(const struct tcp *t, const struct tcp_tuple *tuple, uint32_t count);
/* The millisecond clock of RFC 7323's TSval. */
static inline uint32_t ts_clock(const struct tcp *t) { return (uint32_t)(t->now / NS_PER_MS); }

/* ---- conn.c: life of a connection, states, lists --------------------------------------------- */

/* A new connection in the flow table, state CLOSED, with its own address reference; NULL and *err:
 * TERN_ELIMIT, TERN_ENOMEM or TERN_EADDRINUSE. */
struct conn *conn_new(struct tcp *t, const struct tcp_tuple *tuple, uint8_t iface, int *err);
/* Frees what it holds, takes it out of the table; the slot follows when no list holds it. */
void conn_free(struct tcp *t, struct conn *c);
/* The only place that changes a state; checks it against the table of legal transitions. */
void conn_state(struct tcp *t, struct conn *c, enum tern_state to);
/* The connection is over: CLOSED, with `err` for its owner (0: none, in good order). */
void conn_end(struct tcp *t, struct conn *c, enum tern_err err);
/* Over, and the peer is told by RST if the state says so (RFC 9293 3.10.5). */
void conn_reset(struct tcp *t, struct conn *c, enum tern_err err);
/* What few connections have, made if it is not there (counters with it); NULL: no memory. */
struct conn_rare *conn_rare(struct tcp *t, struct conn *c);
static inline struct conn_rare *conn_rare_of(const struct conn *c)
{
    return c->stats != NULL ? c->stats->rare : NULL;
}
/* Bytes from SND.NXT to the end of a record, UINT32_MAX: there is none ahead. */
uint32_t conn_record_left(const struct conn *c);
/* What was sent up to SND.NXT needs no end any more. */
void conn_records_sent(struct conn *c);
/* Its SYN or SYN-ACK was sent again so often before it was answered. */
void conn_syn_lost(struct conn *c, unsigned times);
/* The working block, made if there is none; NULL: no memory. */
struct active *conn_thaw(struct tcp *t, struct conn *c);
/* Starts congestion control, with the segment size the handshake has settled. */
void conn_cc_start(struct tcp *t, struct conn *c, struct active *a);
/* Another algorithm from now on; 0, TERN_EINVAL, TERN_ELIMIT, TERN_ENOMEM. */
int conn_cc_set(struct tcp *t, struct conn *c, const tern_cc_ops *ops);
/* Gives the working block back if nothing needs it. */
bool conn_freeze(struct tcp *t, struct conn *c);
void conn_tuple(const struct tcp *t, const struct conn *c, struct tcp_tuple *tuple);
/* There may be something to send. false: no route leads there; the timer, if set, tries again. */
bool conn_ready(struct tcp *t, struct conn *c);
/* The same; an RST that nothing leads to the peer of stays unsaid. */
void conn_ready_or_mute(struct tcp *t, struct conn *c);
/* Finds the interface anew after routes have changed; false: there is none. */
bool conn_route(struct tcp *t, struct conn *c);
/* An interface is gone: what waited for it looks for another way. */
void conn_path_gone(struct tcp *t, uint8_t iface);
/* Something for the owner; merged with what waits already. */
void conn_event(struct tcp *t, struct conn *c, uint32_t mask);
/* option.c: something that does not end the connection; it has counters. */
void conn_soft_error(struct tcp *t, struct conn *c, enum tern_err err);
void listener_event(struct tcp *t, uint32_t ix, uint32_t mask);
/* Puts a reference at the end of the list of sockets with events; it must not be in it. */
void event_append(struct tcp *t, uint32_t ref);
/* The reference of the tuple, whatever stands there; 0: none. */
uint32_t flow_find(struct tcp *t, const struct tcp_tuple *tuple, uint32_t hash);
/* Works out conn.mss, the bytes that fit a segment with its options deducted (MUST-16), and
 * mss_own: whenever something they depend on has changed. */
void conn_mss_update(const struct tcp *t, struct conn *c);
/* listen.c: the window of a SYN or SYN-ACK. */
uint16_t tcp_first_window(const struct tcp *t, uint32_t room, uint32_t mss);
/* The MSS to advertise on that path. */
uint16_t tcp_mss_advertised(const struct tcp *t, uint8_t iface, bool ip4, uint16_t mss_user);
void tcp_trace(struct tcp *t, const struct conn *c, tern_trace *record);
tern_sock sock_make(const struct tcp *t, enum ref_kind kind, uint32_t ix, uint32_t generation);
/* Takes up to `max` events. */
size_t tcp_events(struct tcp *t, tern_event *ev, size_t max);

/* ---- delack.c: when to acknowledge ----------------------------------------------------------- */

/* The owner answers what it reads: acknowledgements ride on the answers. */
static inline bool interactive(const struct tcp *t, const struct active *a)
{
    return a->answers >= t->cfg->tuning.pingpong;
}
enum { ANSWERS_ALWAYS = UINT8_MAX };

enum delack_when {
    ACK_SOON,
    ACK_NOW,
    ACK_GAP, /* there is data past a hole */
};
/* For this segment, which has been taken. */
void delack_schedule(struct tcp *t, struct conn *c, const struct tcp_seg *seg,
                     enum delack_when when);
/* The connection has an active block: it will be acknowledged later. */
void delack_later(struct tcp *t, struct conn *c);
/* Data in order has come: the delay follows the time between segments, and after a pause some are
 * acknowledged at once again, for a sender that begins anew. */
void delack_adapt(const struct tcp *t, struct conn *c);
/* Acknowledgements of data past a hole wait to go as one. */
bool delack_compressed(const struct conn *c);
/* An acknowledgement goes out. */
void delack_sent(struct conn *c);
/* What came is too little for an acknowledgement of its own. */
bool delack_may_wait(const struct tcp *t, const struct conn *c);
/* No answer came that the acknowledgement could have ridden on. */
void delack_missed(const struct tcp *t, struct conn *c);

/* ---- mtu.c: the size of packets, by probing -------------------------------------------------- */

/* Segments begin small, and grow by probes. */
void mtu_begin(struct tcp *t, struct conn *c);
/* `mss`, or less. */
uint32_t mtu_mss(const struct conn *c, uint32_t mss);
/* A segment of data was not acknowledged in time. */
void mtu_timeout(struct tcp *t, struct conn *c);
/* The length of a probe that may go now instead of segments of `mss`; 0: none. It went. */
uint32_t mtu_probe_len(struct tcp *t, struct conn *c, uint32_t mss);
void mtu_probe_sent(struct tcp *t, struct conn *c, uint32_t len);
/* Something is lost: whether that is the probe alone, which is no congestion. */
bool mtu_probe_lost(struct tcp *t, struct conn *c);

/* ---- input.c, ack.c, loss.c, sent.c ---------------------------------------------------------- */

/* Takes a segment; returns why it was dropped, or TERN_DROP_NONE. */
enum tern_drop tcp_input(struct tcp *t, struct tcp_seg *seg);
/* Answers a segment for which there is no connection (3.10.7.1). */
void input_refuse(struct tcp *t, const struct tcp_seg *seg);
/* A segment for a connection in a synchronized state, or SYN-SENT. */
enum tern_drop input_conn(struct tcp *t, struct conn *c, struct tcp_seg *seg);
/* The handshake is complete: ESTABLISHED. `syn`: by one with SYN, whose window is unscaled. */
void input_established(struct tcp *t, struct conn *c, struct tcp_seg *seg, bool syn);
/* 2 MSL begin: TIME-WAIT, in its small form if the owner is gone. */
void input_time_wait(struct tcp *t, struct conn *c);
/* A reply to an unacceptable segment, at a limited rate (RFC 5961 7). */
void input_challenge(struct tcp *t, struct conn *c);
/* An acknowledgement goes out with the next output. */
void input_ack_now(struct tcp *t, struct conn *c);
/* One goes out before all that is due, of what has been received before this segment. */
void input_ack_apart(struct tcp *t, struct conn *c, uint16_t flags);

enum {
    STEPS_AN_ACK = 256, /* records loss detection may look at for each acknowledgement, ... */
    STEPS_MAX = 4096,   /* ... and what may be saved up */
    CWND_MAX = 1 << 30,
};

/* What an acknowledgement brought; also what cc sees. */
struct ack_sample {
    uint32_t acked;      /* bytes newly acknowledged or SACKed, */
    int32_t slack;       /* and what their segments lacked of whole ones */
    uint32_t cumulative; /* of these, at the left edge */
    uint32_t lost;       /* bytes newly taken for lost */
    uint32_t marked;     /* bytes newly reported as marked */
    uint32_t segs;       /* acked, in segments; with ECN only */
    uint32_t prior_una;
    uint64_t rtt_ns;  /* 0: none */
    bool advanced;    /* snd_una moved */
    bool sacked;      /* a SACK brought news */
    bool dsack;       /* it reported a duplicate of what was sent again, */
    bool dsack_probe; /* of the tail-loss probe */
    bool original;    /* something up to active.recover arrived that was never sent again */
    bool lost_again;  /* a retransmission was lost */
    bool fin;         /* our FIN is acknowledged */
    bool echo;        /* tsecr is there */
    bool duplicate;   /* a duplicate ACK (RFC 5681 2) */
    bool ece;         /* the peer reports a congestion mark */
    bool timer_set;   /* the retransmission timer is to be left alone */
    uint32_t tsecr;
    uint32_t reordered;                 /* the lowest that arrived without having been sent again */
    uint64_t sacked_first, sacked_last; /* send times of SACKed records, sent once; 0: none */
    /* the latest sent of the delivered records; time 0: none */
    uint64_t latest_sent;
    uint32_t latest_end, prior_delivered, prior_lost;
    uint16_t latest_flags, flight, since_ack, since_sent;
};
/* Each acknowledgement pays for looking at so many records. */
static inline void ack_steps(struct active *a)
{
    a->steps = min_u32(a->steps + STEPS_AN_ACK, STEPS_MAX);
}
/* Takes the acknowledgement of an acceptable segment. */
void tcp_ack(struct tcp *t, struct conn *c, const struct tcp_seg *seg, struct ack_sample *sample);
/* RFC 6298 with a measurement; `round`: the first of a round trip. */
void rtt_sample(const struct tcp *t, struct conn *c, uint64_t rtt_ns, bool round);
uint64_t rto_of(const struct tcp *t, const struct conn *c); /* ns, backed off */
/* The next retransmission, from now. */
void rto_set(struct tcp *t, struct conn *c);
/* 0 or TERN_NEVER: it is not. */
uint64_t user_timeout_since(const struct tcp *t, const struct conn *c);
void rto_arm(struct tcp *t, struct conn *c);
void rto_restart(struct tcp *t, struct conn *c);

/* Bytes in flight: sent, and neither acknowledged, SACKed nor taken for lost. Without SACK each
 * duplicate ACK stands for a segment that has left the network (RFC 6582). */
static inline uint32_t in_flight(const struct conn *c, const struct active *a)
{
    uint32_t n = c->snd_nxt - c->snd_una - a->sacked - a->lost;
    return LIKELY(a->dupacks == 0) ? n : n - min_u32(n, a->dupacks * c->mss);
}

/* The same as the congestion window counts it. */
static inline uint32_t in_pipe(const struct conn *c, const struct active *a)
{
    uint32_t n = c->snd_nxt - c->snd_una - a->sacked - a->lost + a->slack;
    return LIKELY(a->dupacks == 0) ? n : n - min_u32(n, a->dupacks * c->mss);
}

/* loss.c: marks what an ACK shows to be lost, starts, ends and undoes recoveries. */
void loss_on_ack(struct tcp *t, struct conn *c, struct ack_sample *s);
void loss_on_rto(struct tcp *t, struct conn *c);
void loss_enter_recovery(struct tcp *t, struct conn *c, bool ece);
/* Back to OPEN or DISORDER, as the scoreboard says. */
void loss_keep_open(struct conn *c, struct active *a);
static inline bool loss_reducing(const struct active *a)
{
    return a->phase == LOSS_CWR || a->phase == LOSS_RECOVERY;
}

/* rack.c: RACK-TLP (RFC 8985). */
void rack_mark(struct tcp *t, struct conn *c, struct ack_sample *s);
void rack_update(const struct tcp *t, struct active *a, const struct ack_sample *s);
bool rack_overdue(const struct tcp *t, const struct active *a, const struct sent *r);
void rack_timer(struct tcp *t, struct conn *c);
void rack_lost(struct tcp *t, struct conn *c, struct sent *r, struct ack_sample *s);
void tlp_arm(struct tcp *t, struct conn *c);

/* pace.c */
/* By the configuration, or by its owner. */
bool pace_asked(const struct tcp *t, const struct conn *c);
/* Bytes per second; 0: as fast as the windows allow. */
uint64_t pace_rate(const struct tcp *t, const struct conn *c, const struct active *a);
/* What pacing would make of the window; 0: no round trip is known. */
uint64_t pace_by_window(const struct tcp *t, const struct conn *c, const struct active *a);
/* With pace_at not 0: the next segment is not to go yet; a timer will say when. */
bool pace_waits(struct tcp *t, struct conn *c);
/* So many bytes were sent: when the next may follow. */
void pace_sent(const struct tcp *t, const struct conn *c, struct active *a, uint32_t len);
/* When what is sent now leaves: the device keeps it until then. */
static inline uint64_t pace_departs(const struct tcp *t, const struct active *a)
{
    return min_u64(max_u64(t->now, a->pace_at), t->now + t->cfg->tx_horizon);
}
/* How long ago; 0 when it has yet to come: a peer may acknowledge what has not left. */
static inline uint64_t ns_since(const struct tcp *t, uint64_t time)
{
    return t->now - min_u64(t->now, time);
}

/* tso.c */
struct tso_room {
    uint32_t queued, wnd, cwnd, mss; /* bytes that wait, and that may go by either window */
};
/* Most segments of one output now; the same for new data. */
uint32_t tso_segs(const struct tcp *t, const struct conn *c, const struct active *a, uint32_t mss);
uint32_t tso_segs_new(const struct tcp *t, const struct conn *c, const struct active *a,
                      uint32_t mss);
/* Whether new data is to wait until more of it can go as one. */
bool tso_waits(const struct tcp *t, const struct conn *c, const struct active *a,
               const struct tso_room *room);
void tlp_timer(struct tcp *t, struct conn *c);
void tlp_ack(struct tcp *t, struct conn *c, const struct ack_sample *s, uint32_t ack);

/* cwnd.c: what the congestion window is, on behalf of the algorithm. */
void cwnd_reduce(struct tcp *t, struct conn *c, enum tern_cc_event why);
void cwnd_reduced(struct tcp *t, struct conn *c);
/* The same after a timeout, for who does it himself. */
void cwnd_recovered(struct tcp *t, struct conn *c);
void cwnd_timeout(struct tcp *t, struct conn *c, bool first);
void cwnd_undo(struct tcp *t, struct conn *c);
uint32_t cwnd_ssthresh(const struct active *a);
/* IW10 (RFC 6928). */
static inline uint32_t cwnd_initial(const struct tcp *t, const struct conn *c)
{
    if (UNLIKELY(t->cfg->iw != 0))
        return (uint32_t)t->cfg->iw * c->mss;
    return min_u32(10u * c->mss, max_u32(2u * c->mss, 14600));
}
/* Whether to do exactly as Linux does, or as BSD does (tern_config.style). */
static inline bool like_linux(const struct tcp *t) { return t->cfg->style == TERN_STYLE_LINUX; }
static inline bool bsd(const struct tcp *t) { return UNLIKELY(t->cfg->style == TERN_STYLE_BSD); }
static inline bool letter(const struct tcp *t) { return UNLIKELY(t->cfg->style == TERN_STYLE_RFC); }
enum { BSD_RTO_MIN_MS = 30, BSD_SLOP_MS = 200 };
static inline bool may(const struct tcp *t, uint32_t feature)
{
    return (t->cfg->features & feature) != 0;
}
/* A record is taken for lost; if the algorithm has on_lost. */
void cwnd_lost(struct tcp *t, struct conn *c, const struct sent *r);
/* Once for each acknowledgement, after loss detection. */
void cwnd_on_ack(struct tcp *t, struct conn *c, struct ack_sample *s);
/* Whether anyone looks at the delivery rate: the algorithm, or who asks for statistics. */
static inline bool rate_wanted(const struct tcp *t, const struct conn *c)
{
    return c->stats != NULL || !(t->cc[c->cc]->flags & TERN_CC_NO_RATE);
}
/* The share of it that belongs to a reduction: PRR. */
void cwnd_recover(struct tcp *t, struct conn *c, const struct ack_sample *s);
/* Data was sent, or could not be for cwnd: RFC 7661's question whether cwnd is used. */
void cwnd_used(struct tcp *t, struct conn *c, bool limited);
/* Nothing is in flight and something is to be sent: how old is what we know? (RFC 5681 4.1) */
void cwnd_idle(struct tcp *t, struct conn *c);

/* ---- memory.c: the governor ------------------------------------------------------------------ */

/* Less than half of the payload memory is left. */
bool memory_tight(const struct tcp *t);
/* Whether the connection may take one page more. */
bool memory_grants(struct tcp *t, const struct conn *c);
/* So many bytes were read or acknowledged. */
void memory_moves(const struct tcp *t, struct active *a, uint32_t bytes);
/* Whether what the connection holds does not stand still. */
bool memory_moving(const struct tcp *t, const struct conn *c);
/* The receive buffer of a new connection; whether one may grow by so much; sets one. */
uint32_t memory_rcvbuf(const struct tcp *t);
bool memory_rcvbuf_may_grow(const struct tcp *t, uint32_t by);
void memory_rcvbuf_set(struct tcp *t, struct conn *c, uint32_t bytes);

/* A chunk for one of the connection's queues, and back: the last one is kept at hand, because a
 * conversation takes and returns one with each message. */
static inline struct chunk *queue_chunk(struct tcp *t, const struct conn *c, uint32_t seq,
                                        size_t want)
{
    struct active *a = c->active;
    struct chunk *k = a->spare;
    if (k == NULL)
        return memory_grants(t, c) ? chunk_new(t->chunks, seq, want) : NULL;
    a->spare = NULL;
    k->seq = seq;
    k->len = 0;
    k->next = NULL;
    return k;
}

static inline void queue_unref(struct tcp *t, struct active *a, struct chunk *k)
{
    if (k->refs == 1 && k->kind == CHUNK_PAGE && a->spare == NULL &&
        t->chunks->pages < t->chunks->pages_max / 2)
        a->spare = k;
    else
        chunk_unref(t->chunks, k);
}

/* ---- ecn.c: explicit congestion notification ------------------------------------------------- */

enum { ECN_CONFIG_MAX = 5 };

/* What an active open asks for. */
uint8_t ecn_wanted(const struct tcp *t);
/* The bits of a SYN, and of a SYN-ACK that is sent for the `tries`th time again; `syn` is what
 * ecn_of_syn() said. */
uint16_t ecn_syn_flags(const struct tcp *t, struct conn *c, struct tcp_out *out);
uint16_t ecn_synack_flags(uint8_t syn, unsigned tries);
bool ecn_synack_option(const struct tcp *t, uint8_t syn, unsigned tries,
                       struct wire_tcp_options *o);
/* The same of a connection that sends its SYN-ACK itself. */
uint16_t ecn_answer(const struct tcp *t, struct conn *c, struct tcp_out *out,
                    struct wire_tcp_options *o);
/* What a SYN asks for and is to get: enum halfopen_ecn. */
uint8_t ecn_of_syn(const struct tcp *t, const struct tcp_seg *seg);
/* The same in three bits, and back; and what a segment that brings a SYN cookie shows of it. */
uint32_t ecn_pack(uint8_t syn);
uint8_t ecn_unpack(const struct tcp *t, uint32_t bits);
uint8_t ecn_of_third(const struct tcp *t, const struct tcp_seg *seg);
void ecn_syn_again(uint8_t *syn, const struct tcp_seg *seg);
/* The handshake is settled: by the SYN we have answered, a SYN-ACK, a SYN that crossed ours. */
void ecn_passive(struct tcp *t, struct conn *c, uint8_t syn, unsigned tries);
void ecn_synack(struct tcp *t, struct conn *c, const struct tcp_seg *seg);
void ecn_crossing_syn(struct tcp *t, struct conn *c, const struct tcp_seg *seg);
/* The third segment of the handshake. */
void ecn_third(struct tcp *t, struct conn *c, struct tcp_seg *seg);
void ecn_free(struct tcp *t, struct conn *c);
/* With conn.ecn not 0 only: an acceptable segment came; with data inside of the window; with an
 * acknowledgement. `newer`: by its timestamp. */
void ecn_received(struct tcp *t, struct conn *c, const struct tcp_seg *seg);
void ecn_data(struct tcp *t, struct conn *c, const struct tcp_seg *seg);
void ecn_feedback(struct conn *c, const struct tcp_seg *seg, struct ack_sample *s, bool newer);
/* Without ECE and CWR, such a segment says nothing about ECN that is not known. */
static inline bool ecn_expected(const struct conn *c, const struct tcp_seg *seg)
{
    if (LIKELY(c->ecn == 0))
        return true;
    return (c->ecn & (ECN_CLASSIC | ECN_SEEN | ECN_ECHO)) == (ECN_CLASSIC | ECN_SEEN) &&
           (seg->len == 0 || (seg->tos & ECN_MASK) == ECN_ECT0);
}
/* A device would spoil the bits of all segments but the first of a super-segment. */
bool ecn_alone(const struct tcp *t, const struct conn *c);
/* Whether the next segment carries the option, beside `blocks` SACK blocks, perhaps fewer now. */
bool ecn_option(const struct tcp *t, const struct conn *c, uint32_t *blocks,
                struct wire_accecn *out);
void ecn_option_sent(const struct tcp *t, struct conn *c);
/* The bits of the next segment, and of its IP header. Among `flags` may be ECN_FRESH. */
enum { ECN_FRESH = 1 << 15 }; /* it carries new data; not on the wire */
uint16_t ecn_send(const struct tcp *t, struct conn *c, struct tcp_out *out, uint16_t flags);

/* ---- output.c, send.c ------------------------------------------------------------------------ */

/* The next segment for that interface; false: nothing may go now. */
bool tcp_output(struct tcp *t, uint8_t iface, struct tcp_out *out);
/* A stateless reply to be filled in: what `out` has no options of is zero. */
void output_reply(const struct tcp_tuple *tuple, uint8_t iface, struct tcp_reply *out);
/* Gives it a timestamp: the clock with the connection's offset, and what is echoed (RFC 7323). */
void output_reply_ts(const struct tcp *t, struct tcp_reply *out, uint32_t offset, uint32_t echo);
/* Takes acknowledged chunks off the send queue. */
void output_release(struct tcp *t, struct conn *c, struct active *a);
uint32_t sndbuf_of(const struct tcp *t, const struct conn *c, const struct active *a);

/* ---- reasm.c: the receive queue -------------------------------------------------------------- */

/* Takes `len` payload bytes at `seq`, all inside the window. */
enum tern_drop reasm_take(struct tcp *t, struct conn *c, struct tcp_seg *seg, uint32_t seq,
                          uint32_t off, uint32_t len);
/* Remembers a piece that had come before, for D-SACK (RFC 2883); until told, the first counts. */
void reasm_duplicate(const struct tcp *t, struct active *a, uint32_t lo, uint32_t hi);
/* The same when they are next and nothing waits past a hole. */
enum tern_drop reasm_next(struct tcp *t, struct conn *c, struct tcp_seg *seg, uint32_t off,
                          uint32_t len);
static inline uint32_t reasm_readable(const struct conn *c, const struct active *a)
{
    return a == NULL ? 0 : c->rcv_nxt - ((c->flags & CONN_FIN_RCVD) != 0) - a->rx_read;
}
size_t reasm_peek(const struct conn *c, const struct active *a, tern_iov *iov, size_t n,
                  size_t skip);
/* Copies out and consumes `len` bytes, which must be there. */
void reasm_read(struct tcp *t, struct active *a, void *buf, uint32_t len);
void reasm_consume(struct tcp *t, struct conn *c, struct active *a, uint32_t len);
void reasm_clear(struct tcp *t, struct active *a);
/* Gives up the range farthest past the hole, so that there is memory for what fills the hole;
 * false: there is none. */
bool reasm_give_up(struct tcp *t, struct active *a);
/* All that lies past the first hole, a FIN too. */
void reasm_forget_holes(struct tcp *t, struct active *a);
/* The SACK blocks to send, D-SACK first. */
uint32_t reasm_sacks(const struct tcp *t, const struct conn *c, struct active *a,
                     struct wire_sack *out, uint32_t max);
/* Bytes of window to offer now; never takes back what was offered (SHLD-14). */
uint32_t reasm_window(const struct tcp *t, const struct conn *c, const struct active *a);
/* Grows the receive buffer with what the owner reads in a round trip. */
void reasm_tune(struct tcp *t, struct conn *c, struct active *a);

/* ---- listen.c -------------------------------------------------------------------------------- */

int listen_new(struct tcp *t, const tern_listen_args *args, uint32_t *ix);
void listen_close(struct tcp *t, uint32_t ix);
/* A closed listener's slot goes when nothing names it any more. */
void listen_release(struct tcp *t, uint32_t ix);
/* The listener for this tuple; NULL: none. */
const struct listener *listen_find(const struct tcp *t, const struct tcp_tuple *tuple);
/* Whether a SYN to this tuple would be taken now. */
bool listen_would_take(const struct tcp *t, const struct tcp_tuple *tuple);
/* A segment for no connection: finds the listener. The ISS of what becomes of it is above
 * *iss_floor, if that is not NULL (a tuple that comes out of TIME-WAIT). */
enum tern_drop listen_input(struct tcp *t, struct tcp_seg *seg, const uint32_t *iss_floor);
/* The window scale we offer: for the most the receive buffer may become (RFC 7323 2.3). */
uint8_t tcp_wscale(const struct tcp *t, uint32_t rcvbuf); /* 0: not fixed by its owner */
enum tern_drop halfopen_input(struct tcp *t, uint32_t ix, struct tcp_seg *seg);
void halfopen_timer(struct tcp *t, uint32_t ix);
void halfopen_free(struct tcp *t, uint32_t ix);
/* The slot of a freed entry, which no event names any more. */
void halfopen_drop(struct tcp *t, uint32_t ix);
int hold_admit(struct tcp *t, uint32_t ix, void *user, struct conn **out);
int hold_refuse(struct tcp *t, uint32_t ix, int icmp_type, int icmp_code);
int hold_drop(struct tcp *t, uint32_t ix);
int listen_accept(struct tcp *t, uint32_t listener, struct conn **out);

/* ---- timewait.c ------------------------------------------------------------------------------ */

/* Turns a closed, drained connection in TIME-WAIT into an entry; the connection is freed. */
void timewait_enter(struct tcp *t, struct conn *c);
enum tern_drop timewait_input(struct tcp *t, uint32_t ix, struct tcp_seg *seg);
void timewait_free(struct tcp *t, uint32_t ix);

/* ---- timer.c --------------------------------------------------------------------------------- */

/* Makes sure the connection's entry fires by `deadline`. Lazy: if it fires before, it is left
 * alone. */
static inline void timer_arm(struct tcp *t, struct conn *c, uint32_t deadline)
{
    if (wheel_armed(&c->timer) && seq_leq(c->timer.expires, deadline))
        return;
    uint64_t at = t->tick64 + (uint64_t)(int64_t)(int32_t)(deadline - t->tick);
    tcp_wheel_set(t, &t->conn_wheel, c->self, at);
}
void timer_fire(struct tcp *t, struct conn *c);
/* Nothing is queued any more: looks after a while whether the connection is quiet. */
void timer_idle(struct tcp *t, struct conn *c);

/* ---- user.c: the calls of RFC 9293 3.10.1 to 3.10.6 ------------------------------------------ */

int user_connect(struct tcp *t, const struct tcp_tuple *tuple, uint8_t iface, void *user,
                 struct conn **out);
ptrdiff_t user_send(struct tcp *t, struct conn *c, const void *buf, size_t len);
ptrdiff_t user_reserve(struct tcp *t, struct conn *c, tern_iov *iov, size_t n, size_t want);
int user_commit(struct tcp *t, struct conn *c, size_t len);
int user_lend(struct tcp *t, struct conn *c, const void *buf, size_t len, void *cookie);
int user_urgent(struct tcp *t, struct conn *c); /* TERN_OPT_URGENT */
ptrdiff_t user_recv(struct tcp *t, struct conn *c, void *buf, size_t cap);
ptrdiff_t user_peek(struct conn *c, tern_iov *iov, size_t n, size_t skip);
int user_consume(struct tcp *t, struct conn *c, size_t len);
bool window_news(const struct tcp *t, const struct conn *c, const struct active *a);
int user_owed(struct tcp *t, struct conn *c, size_t bytes);
int user_shutdown(struct tcp *t, struct conn *c);
int user_close(struct tcp *t, struct conn *c);
int user_abort(struct tcp *t, struct conn *c);

/* ---- option.c -------------------------------------------------------------------------------- */

int option_set(struct tcp *t, struct conn *c, enum tern_opt option, int64_t value);
int option_get(const struct tcp *t, const struct conn *c, enum tern_opt option, int64_t *value);
/* What a listener's SYN-ACKs say, and its connections begin with. */
int option_listener_set(struct listener *l, enum tern_opt option, int64_t value);
int option_watch(struct tcp *t, struct conn *c, const uint32_t *sent, const uint32_t *acked);

/* ---- orphan.c: connections that nobody looks after ------------------------------------------- */

/* Its owner is gone; another, or with TERN_OPT_FIN_WAIT2 this one (false), may have to go. */
bool orphan_begin(struct tcp *t, struct conn *c);
/* The same without consequences: it is about to end, or to be in TIME-WAIT. */
void orphan_mark(struct tcp *t, struct conn *c);
/* It ends; before its state says so. */
void orphan_over(struct tcp *t, const struct conn *c);
/* FIN-WAIT-2 of an orphan: its timer begins, or it is reset at once (false). */
bool orphan_fin_wait2(struct tcp *t, struct conn *c);
/* CLOSE-WAIT begins, or how long it may last has changed. */
void orphan_close_wait(struct tcp *t, struct conn *c);
/* The timer's due, in neither FIN-WAIT-2 nor TIME-WAIT; true: the connection is over. */
bool orphan_fires(struct tcp *t, struct conn *c);

/* ---- fastopen.c: TCP Fast Open (RFC 7413) ---------------------------------------------------- */

/* What is to be done with a SYN. */
enum fastopen_verdict {
    FASTOPEN_PLAIN,         /* as with any other */
    FASTOPEN_TELL,          /* so too, but the first SYN-ACK brings a cookie */
    FASTOPEN_TAKE,          /* it makes a connection, */
    FASTOPEN_TAKE_AND_TELL, /* and is told of a newer cookie */
};
enum fastopen_verdict fastopen_judge(struct tcp *t, struct listener *l, const struct tcp_seg *seg,
                                     struct wire_fastopen *tell);
/* The connection that a SYN has made, in its listener's queue: takes the data. */
enum tern_drop fastopen_begin(struct tcp *t, struct conn *c, struct tcp_seg *seg,
                              const struct wire_fastopen *tell);
/* The timer has fired twice in a row: perhaps nothing passes but the SYN did. */
void fastopen_timeout(struct tcp *t, const struct conn *c);
/* Its third segment has come, or it has ended. */
void fastopen_over(struct tcp *t, struct conn *c, bool reset);
/* Made by a SYN, and the third segment has not come. */
bool fastopen_child(const struct conn *c);
/* `n` keys of 16 bytes: of a listener (0: the stack's again), or of the stack. */
int fastopen_keys(struct tcp *t, struct listener *l, const uint8_t *keys, size_t n);
void fastopen_destroy(struct tcp *t);
/* TERN_OPT_FASTOPEN of a connection whose SYN has not left. */
int fastopen_ask(struct tcp *t, struct conn *c, int64_t how);
int fastopen_free(struct tcp *t, struct conn *c, bool on); /* TERN_OPT_FASTOPEN_FREE */
/* Bytes that its SYN may bring; 0: it will ask for a cookie. */
uint32_t fastopen_room(const struct tcp *t, const struct conn *c);
/* Its SYN waits for data. */
bool fastopen_waits(const struct tcp *t, const struct conn *c);
/* What the first SYN says, and so many bytes of data. */
uint32_t fastopen_syn(struct tcp *t, struct conn *c, struct wire_tcp_options *opt);
/* The SYN-ACK that has established it. */
void fastopen_synack(struct tcp *t, struct conn *c, const struct tcp_seg *seg);

/* ---- urgent.c: urgent data (RFC 9293 3.8.5) -------------------------------------------------- */

/* What is queued up to byte `end` of the stream is urgent. 0, TERN_ENOMEM. */
int urgent_queued(struct tcp *t, struct conn *c, uint32_t end);
/* Some of it has not been acknowledged. */
bool urgent_mode(const struct conn *c);
/* Writes the pointer of a segment that begins at `seq`, if it has one; TCP_URG or 0. */
uint16_t urgent_mark(struct conn *c, uint8_t *header, uint32_t seq);
/* A window probe is to say so first, before one that only asks for the window. */
bool urgent_probe(struct conn *c);
/* An acceptable segment has a pointer; or data, in a connection that has a struct conn_rare. */
void urgent_arrives(struct tcp *t, struct conn *c, const struct wire_tcp *h);
void urgent_data(struct tcp *t, struct conn *c, const struct tcp_seg *seg);
/* The owner has read on. */
void urgent_read(struct conn *c);
void urgent_state(const struct conn *c, tern_urgent *out);

/* ---- md5.c: TCP-MD5 (RFC 2385) --------------------------------------------------------------- */

/* The key of what a connection sends; NULL: it is not signed. */
static inline const struct md5_key *md5_of(const struct conn *c)
{
    return LIKELY(!(c->flags & CONN_MARKED)) ? NULL : c->stats->rare->md5;
}
/* With CONN_MARKED: routers may make fragments of its packets. */
static inline bool conn_breakable(const struct conn *c)
{
    uint8_t how = c->stats->rare->pmtud;
    return how == TERN_PMTUD_NO_DF || how == TERN_PMTUD_OFF;
}
const struct md5_key *md5_for(const struct listener *l, const uint8_t ip[16]);
int md5_listener_set(struct tcp *t, struct listener *l, const tern_md5_key *key);
int md5_conn_set(struct tcp *t, struct conn *c, const tern_md5_key *key);
void md5_conn_free(struct tcp *t, struct conn_rare *r);
void md5_listener_free(struct tcp *t, struct listener *l);
/* A new connection gets its listener's key; false: no memory. */
bool md5_inherit(struct tcp *t, struct conn *c, const struct listener *l);
/* Whether a segment is signed as it has to be for who it is for. */
enum tern_drop md5_check(struct tcp *t, uint32_t ref, struct tcp_seg *seg);
/* Fills in the digest of a complete segment whose options begin with room for it. */
void md5_sign(const struct tcp *t, const struct md5_key *key, const struct tcp_out *out);
/* The reply is to be signed, if there is a key. */
void md5_reply(struct tcp_reply *out, const struct md5_key *key);

/* ---- keep.c: keep-alive (RFC 9293 3.8.4) ---------------------------------------------------- */

/* With c->stats: (re)starts the timer if keep-alive is on. */
void keep_begin(struct tcp *t, struct conn *c);
/* The timer's due; true: the connection is over. */
bool keep_fires(struct tcp *t, struct conn *c);

/* ---- info.c: what a connection tells about itself -------------------------------------------- */

/* Not acknowledged, sent or not; a SYN in flight is no byte of the stream. */
static inline uint32_t bytes_queued(const struct conn *c)
{
    bool syn = c->snd_una == c->iss && c->snd_nxt != c->snd_una;
    if (seq_geq(c->snd_una, c->snd_end))
        return 0; /* it has ended, or our FIN is acknowledged as well */
    return c->snd_end - c->snd_una - syn;
}
/* Whether data came so lately that what is sent now may be the answer. */
bool info_just_received(const struct tcp *t, const struct conn *c);
/* Data has come, of which `got` bytes can be read; and the owner has read: how a receiver sees the
 * round trip, and what it reads in one. Both need c->stats. */
void info_data(const struct tcp *t, struct conn *c, const struct tcp_seg *seg, uint32_t got);
void info_read(struct conn *c);
/* So many bytes leave, for the first time or again. */
void info_sent(struct tcp *t, struct conn *c, uint32_t len, bool again);
/* Numbers [lo, hi) have been delivered for the first time that we hear of it. */
void info_delivered(const struct tcp *t, struct conn *c, uint32_t lo, uint32_t hi);
/* The retransmission timer has fired; before it counts in c->retries. */
void info_timeout(struct tcp *t, struct conn *c);
/* With c->stats: more has been sent or acknowledged, which the owner may want to know. */
void info_progress(struct tcp *t, struct conn *c);
/* Something may have changed that says what the sender is waiting for. */
void info_waits(const struct tcp *t, struct conn *c);
void user_info(const struct tcp *t, const struct conn *c, tern_tcp_info *out);

#endif
