/* rig.h - one shard on a bench: a test plays the peer, packet by packet, and the clock.
 *
 * A test speaks with say() and listens with hear(); numbers are relative to both ISNs, so that the
 * first byte of either stream is 1. Nothing of src/ is used to build or read packets: the rig has
 * its own encoder and its own strict parser, and every packet the stack emits is held against the
 * rules that hold always (rig_wire.c). Time moves only by rig_step() and rig_wait(), which visit
 * every deadline the stack names and check that nothing fires before it.
 *
 * At the end of a test everything is closed, the clock runs until the stack has nothing left to
 * wait for, and memory, pages and packets must all have come back.
 */
#ifndef TERN_TESTS_RIG_H
#define TERN_TESTS_RIG_H

#include <stdbool.h>
#include <string.h>

#include "../test.h"

#include "tern/info.h"
#include "tern/tern.h"
#include "tern/trace.h"

enum { F = 1, S = 2, R = 4, P = 8, A = 16, U = 32, ECE = 64, CWR = 128, AE = 256 };

#define US(n) ((uint64_t)(n)*1000)
#define MS(n) ((uint64_t)(n)*1000000)
#define SEC(n) ((uint64_t)(n)*1000000000)
#define TICK 8192u /* ns: the grain of the stack's timers */

enum { RIG_MTU = 1500, RIG_PEERS = 1024, RIG_QUEUE = 8192, RIG_ALLOCS = 4096 };

struct rig;

/* ---- one segment on the wire ----------------------------------------------------------------- */

struct seg_sack {
    uint32_t lo, hi;
};

struct seg {
    uint16_t sport, dport;
    uint32_t seq, ack;
    uint16_t flags, wnd, urg;
    uint16_t mss;     /* 0: no option */
    int wscale;       /* -1: no option */
    bool sack_ok, ts; /* options present */
    uint32_t tsval, tsecr;
    unsigned sacks;
    struct seg_sack sack[4];
    bool accecn, order1; /* AccECN option: present; of kind 174 */
    unsigned counters;
    uint32_t counter[3];
    uint32_t len;
    const uint8_t *data;
    uint8_t ttl, tos;
    bool ip6;
    uint8_t src[16], dst[16];
    /* only when built: these bytes instead of the options above; a multiple of 4 or not */
    const uint8_t *raw;
    unsigned raw_len;
    /* only when parsed */
    uint64_t when;    /* time of the tern_output() */
    uint64_t departs; /* the packet's tx_time, if that is later */
    uint32_t packet;  /* number of the packet it came in; equal in one super-segment */
    bool icmp;        /* an ICMP message: type and code in flags (type << 8 | code) */
    uint8_t *memory;  /* what `data` points to */
};

/* Builds an IP packet; returns its length. `to` must hold 65535 bytes. */
size_t seg_build(const struct seg *g, uint8_t *to);
/* The internet checksum of a buffer, seeded. */
uint32_t seg_sum(const void *p, size_t len, uint32_t sum);
/* Sums again what has been changed in a packet built above. */
void seg_resum(uint8_t *packet, size_t len);
/* Reads one wire packet strictly; `why` says what is wrong, or NULL. */
const char *seg_parse(const uint8_t *p, size_t len, struct seg *g);
/* Holds a segment against the rules that hold for all (rig_peer.c). */
void rig_judge(struct rig *r, const struct seg *g);
/* Readable, in a static buffer of which there are four. */
const char *seg_text(const struct seg *g, uint32_t seq0, uint32_t ack0);

/* Byte `offset` of a stream; `way` 0: from the peer, 1: from the stack. */
static inline uint8_t pattern(int way, uint32_t offset)
{
    uint32_t x = (offset + 1) * 2654435761u + (uint32_t)way * 40503u;
    return (uint8_t)(x >> 24 ^ x >> 11);
}
void pattern_fill(int way, uint32_t offset, void *to, size_t len);

/* ---- the shard ------------------------------------------------------------------------------- */

struct rig_mem {
    uint32_t calls;   /* allocations asked for */
    uint32_t fail_at; /* that one fails, counted from 1; 0: none */
    bool fail_on;     /* and all after it */
    uint32_t live;
    struct {
        void *p;
        size_t size;
    } at[RIG_ALLOCS];
};

struct peer;

struct rig {
    /* set before rig_start(), or left as they are */
    tern_config cfg;
    tern_iface link;
    bool ip6;
    uint32_t isn, irs; /* first ISN of the stack and of each peer */

    tern *s;
    int iface;
    uint64_t now;
    uint8_t local[16], remote[16];
    struct rig_mem mem;
    struct peer **peers;
    unsigned peer_count;
    tern_sock listener; /* of peer_passive() */

    struct seg *queue[RIG_QUEUE]; /* parsed and not heard yet */
    uint32_t head, tail;
    uint32_t packets; /* handed out so far */
    uint64_t departs; /* of the packet being taken apart */
    bool hold;        /* do not give packets to tern_output_done(): they go to `held` */
    tern_pkt held[1024];
    unsigned held_count;
    unsigned output_max; /* packets asked for at a time; 0: 64 */

    tern_event ev[1024]; /* not looked at yet */
    unsigned ev_count;

    void *released[4096]; /* cookies of cfg.release */
    unsigned released_count;
    tern_trace traces[256]; /* the last ones */
    unsigned trace_count;
    bool unclean; /* the test leaves things behind on purpose: skip the final waiting */
    struct seg *last;
};

/* Defaults: the configuration, an interface of RIG_MTU without offload, both addresses. */
void rig_init(struct rig *r, bool ip6);
void rig_start(struct rig *r);
void rig_end(struct rig *r);
/* Ends it and begins anew, nothing set. */
void rig_renew(struct rig *r);

/* One turn: advance, events, output; until the stack says that nothing waits now. */
void rig_turn(struct rig *r);
/* Lets `ns` pass, visiting every deadline, and checks that nothing happens before it. */
void rig_step(struct rig *r, uint64_t ns);
/* Runs to the next packet emitted or `limit` ns; returns how long it took (limit: none came). */
uint64_t rig_wait(struct rig *r, uint64_t limit);
/* The next packet must come after `ns`, give or take the grain of the timers. */
void rig_wait_exactly(struct rig *r, uint64_t ns);
/* Lets time pass without calling the stack at all. */
static inline void rig_sleep(struct rig *r, uint64_t ns) { r->now += ns; }

/* Puts packets into the stack; nothing else happens. */
void rig_input(struct rig *r, const void *packet, size_t len);
void rig_input_seg(struct rig *r, const struct seg *g);
/* Everything held goes back, as done or as refused. */
void rig_done(struct rig *r);
void rig_refuse(struct rig *r);

/* The oldest segment not heard; NULL: none. Valid until the next call. */
struct seg *rig_next(struct rig *r);
/* Nothing was sent and nothing is. */
void rig_hush(struct rig *r);
/* Forgets what was sent. */
void rig_forget(struct rig *r);
/* How many wait to be heard. */
static inline uint32_t rig_waiting(const struct rig *r) { return r->tail - r->head; }
/* What events said of a socket, all joined, and the last error; they are taken away. */
uint32_t rig_events(struct rig *r, tern_sock k, int *err);
/* How often that event was told of that socket since the last rig_events(). */
unsigned rig_event_count(const struct rig *r, tern_sock k, uint32_t mask);
unsigned rig_released(const struct rig *r, const void *cookie);
static inline uint64_t rig_drops(const struct rig *r, enum tern_drop why)
{
    return tern_counters_of(r->s)->drop[why];
}
static inline uint64_t rig_count(const struct rig *r, enum tern_counter c)
{
    return tern_counters_of(r->s)->count[c];
}
void rig_memory(const struct rig *r, tern_memory *m);
tern_addr rig_addr(const uint8_t ip[16], uint16_t port);
__attribute__((noreturn, format(printf, 1, 2))) void rig_fail(const char *format, ...);

/* ---- a peer: the other end of one connection ------------------------------------------------- */

struct peer {
    struct rig *r;
    tern_sock k;       /* the stack's socket, when there is one */
    uint16_t port;     /* the peer's */
    uint16_t lport;    /* the stack's; 0: as the stack chooses */
    uint32_t iss, irs; /* ISNs of the stack and of the peer */
    bool iss_known;

    /* what its SYN offers */
    uint16_t mss; /* 0: no option */
    int wscale;   /* -1: no option */
    bool sack, ts;
    bool accecn; /* it may speak AccECN: AE and its option are no fault */
    /* in force after the handshake */
    bool ts_on, sack_on;
    int shift_in, shift_out; /* scale of the stack's windows and of ours */
    uint32_t tsval;          /* of the next segment; goes up with time by itself */
    uint32_t tsecr;          /* last TSval heard */
    uint16_t wnd;            /* field of the next segment */
    struct seg extra;        /* what the next say() has beyond its arguments; then cleared */
    bool free_form;          /* payload heard is not the pattern: do not compare */
    bool raw_numbers;        /* no checks of windows and timestamps */

    /* what was seen */
    uint32_t edge; /* right edge of the stack's window, absolute */
    bool edge_known;
    uint32_t limit; /* right edge we have offered, absolute */
    bool limit_known;
    uint32_t acked; /* the highest ACK it has sent */
};

/* A new one, on a port of its own; lives as long as the rig, which it starts. */
struct peer *peer_new(struct rig *r);
/* The peer sends. Sequence numbers relative to its ISN, acknowledgements to the stack's. */
void say(struct peer *p, unsigned flags, uint32_t seq, uint32_t ack, uint32_t len);
/* A segment as say() would build it, to be changed before rig_input_seg(). */
struct seg peer_seg(struct peer *p, unsigned flags, uint32_t seq, uint32_t ack, uint32_t len);
/* The stack has sent exactly this (PSH aside); after a turn, if nothing waits. */
const struct seg *hear(struct peer *p, unsigned flags, uint32_t seq, uint32_t ack, uint32_t len);
/* SYN or SYN-ACK: takes its options and ISN over. */
const struct seg *hear_syn(struct peer *p, unsigned flags);
/* Like hear() with RST, whose ACK field is not looked at without A. */
const struct seg *hear_rst(struct peer *p, unsigned flags, uint32_t seq, uint32_t ack);
/* ACKs and data in any sizes up to stream offset `to`; returns the number of segments. */
unsigned hear_data(struct peer *p, uint32_t from, uint32_t to);

/* Handshakes up to ESTABLISHED on both sides, nothing left to hear. */
tern_sock rig_listen(struct rig *r, uint16_t port, uint32_t backlog, uint32_t flags);
void peer_connects(struct peer *p, tern_sock listener); /* passive open of the stack */
void peer_accepts(struct peer *p);                      /* active open of the stack */
/* A new peer that has done either. */
struct peer *peer_passive(struct rig *r);
struct peer *peer_active(struct rig *r);
/* The first half of it: the stack's SYN is out and heard. */
void peer_syn_sent(struct peer *p);

/* Calls on p->k with the stream's pattern. */
ptrdiff_t peer_write(struct peer *p, uint32_t offset, size_t len);
/* Reads exactly `len` bytes from `offset` of the stream, and compares. */
void peer_read(struct peer *p, uint32_t offset, size_t len);
enum tern_state peer_state(const struct peer *p);
void peer_info(const struct peer *p, tern_tcp_info *out);
/* ESTABLISHED, then the states after it; see rig_peer.c. The peer's and the stack's next sequence
 * numbers, relative, are left in *in and *out. */
void peer_to_state(struct peer *p, enum tern_state state, uint32_t *in, uint32_t *out);

/* ---- tests ----------------------------------------------------------------------------------- */

struct rig_case {
    void (*run)(struct rig *r);
    bool isns; /* with all the ISNs of U-23, else with random ones */
};
/* Runs a case for IPv4 and IPv6; state is a struct rig_case. */
void rig_run(void **state);
int rig_context(void **state);

/* A test under the name of its function: once in each family / also with each pair of ISNs. */
#define RIG(f)                                                                                     \
    {                                                                                              \
#f, rig_run, NULL, rig_context, &(struct rig_case) { f, false }                            \
    }
#define RIG_ISNS(f)                                                                                \
    {                                                                                              \
#f, rig_run, NULL, rig_context, &(struct rig_case) { f, true }                             \
    }
uint32_t rig_random(void);

#endif
