/* sim.h - worlds drawn from a seed: two stacks, a link that misbehaves, connections of every kind,
 * and what must hold whatever happens.
 *
 * A world lives in virtual time through phases: everything connects and talks while the faults that
 * were drawn come and go (chaos); then the link heals, what can still finish must (drain), all is
 * closed, and both stacks must become quiet and give back what they have (quiet). Every packet is
 * judged by the oracle of `watch`, every byte compared, every change of state looked up.
 *
 * The same seed and options give the same world, bit for bit. What belongs to one fault is drawn
 * from a stream of its own: a world without it is otherwise the same.
 */
#ifndef TERN_SIM_SIM_H
#define TERN_SIM_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tern/info.h"

/* X(name, word, text) */
#define SIM_FAULTS(X)                                                                              \
    X(LOSS, "loss", "packets are lost by chance")                                                  \
    X(OUTAGE, "outage", "nothing passes for a while, one way or both")                             \
    X(REORDER, "reorder", "packets are overtaken")                                                 \
    X(DUPLICATE, "duplicate", "packets are doubled")                                               \
    X(CORRUPT, "corrupt", "bits are flipped")                                                      \
    X(JITTER, "jitter", "the delay varies")                                                        \
    X(DELAY, "delay", "the delay is many times as long")                                           \
    X(RATE, "rate", "the link is slow")                                                            \
    X(QUEUE, "queue", "the queue is short")                                                        \
    X(MTU, "mtu", "large packets vanish")                                                          \
    X(LATE, "late", "the stacks are called late")                                                  \
    X(MEMORY, "memory", "allocations fail")                                                        \
    X(STRAY, "stray", "segments of others, with numbers far away")                                 \
    X(BUFFERS, "buffers", "send and receive buffers are tiny")                                     \
    X(WRAP, "wrap", "sequence numbers begin near their end")                                       \
    X(OPTIONS, "options", "timestamps, SACK or window scaling off; ECN")                           \
    X(SLOW, "slow", "programs read and write late and little")                                     \
    X(ABORT, "abort", "programs break off, or close without reading")                              \
    X(BURST, "burst", "packets are lost in runs")                                                  \
    X(CUT, "cut", "frames are cut off, or padded")                                                 \
    X(ACKS, "acks", "acknowledgements are lost, or only the newest comes through")                 \
    X(AQM, "aqm", "a full queue marks, or what is too fast is dropped")                            \
    X(STRIP, "strip", "a middlebox takes options off")                                             \
    X(ECN, "ecn", "ECN is bleached, everything marked, or SYNs that ask for it are lost")          \
    X(REWRITE, "rewrite", "a middlebox renumbers, clamps the MSS, sets the TTL")                   \
    X(RESEGMENT, "segment", "a middlebox splits and joins segments")                               \
    X(NAT, "nat", "ports change in the middle of a connection")                                    \
    X(ICMP, "icmp", "ICMP errors: of routers, and forged ones")                                    \
    X(CRASH, "crash", "a host loses everything and begins anew")                                   \
    X(CLOCK, "clock", "clocks jump, stand still and tick coarsely")                                \
    X(DEVICE, "device", "devices refuse packets, and give their memory back late")                 \
    X(LIMITS, "limits", "the stacks may have very little of everything")                           \
    X(PAUSE, "pause", "a reader stops for long: the window closes")                                \
    X(IDLE, "idle", "connections are silent for long before they end")                             \
    X(HOLD, "hold", "a listener thinks before it answers, and may refuse")                         \
    X(AGAIN, "again", "the same ports are used again at once")                                     \
    X(KEEP, "keep", "keep-alive probes")

enum sim_fault {
#define X(name, word, text) SIM_##name,
    SIM_FAULTS(X)
#undef X
        SIM_FAULT_COUNT
};
const char *sim_fault_word(enum sim_fault fault);
const char *sim_fault_text(enum sim_fault fault);

enum sim_profile {
    SIM_MIXED, /* each fault with probability 1/3 */
    SIM_CALM,  /* none */
    SIM_STORM, /* each with probability 3/4 */
    SIM_BULK,  /* none, and one connection that carries much: to measure */
    SIM_SHARE, /* none, and a few that share a bottleneck: each seed is one of a fixed list */
    SIM_PROFILES
};

/* What is broken on purpose, to see that it is noticed. */
enum sim_sabotage {
    SIM_SOUND,
    SIM_BYTE,    /* a byte is altered before it is compared: S1 */
    SIM_SEGMENT, /* a segment is altered before it is judged: S3 */
    SIM_DEAD,    /* nothing passes, ever: L2 */
    SIM_CRASHED, /* the process ends */
    SIM_CHANCE,  /* packets differ when the oracle looks: D1 */
    /* what is seen is falsified: */
    SIM_BACK,    /* numbers go back: S4 */
    SIM_CWND,    /* cwnd allows nothing: S5 */
    SIM_SMALL,   /* ssthresh is a byte: S6 */
    SIM_RTO,     /* the time-out is a nanosecond: S7 */
    SIM_RTT,     /* a round trip is a nanosecond: S8 */
    SIM_SIZE,    /* packets are too large: S9 */
    SIM_OTHER,   /* a byte sent is another: S10 */
    SIM_ACK,     /* an acknowledgement is of a byte more: S11 */
    SIM_SACK,    /* a SACK is of a byte more: S11 */
    SIM_LOOP,    /* many replies come: S12 */
    SIM_STRAYED, /* a forged segment has moved the window: S13 */
    SIM_EARLY,   /* a timer has fired early: S14 */
    SIM_EVENT,   /* an event comes twice: S15 */
    SIM_LEAK,    /* memory is not given back: R1 */
    SIM_WORK,    /* there are too many packets: R2 */
    SIM_NOISE,   /* what is idle may not send at all: R3 */
    SIM_STILL,   /* nothing has moved for too long: L1 */
    SIM_STARVE,  /* what a reader waits for does not come: L3 */
    SIM_END,     /* the end of a stream comes a byte early: S2 */
    SIM_HOG,     /* one of those that share a bottleneck has got nothing: L4 */
    SIM_SABOTAGES
};

/* What happens at one end of a connection, in order: for who plays its part. */
enum sim_step_kind {
    SIM_OPENS,  /* side 0 connects, side 1 listens, or connects as well */
    SIM_WRITES, /* `len` bytes of its stream, from `at` on */
    SIM_READS,  /* the same of the other's */
    SIM_SHUTS,
    SIM_ENDS,  /* it closes, or breaks off */
    SIM_HEARS, /* this packet has come and been processed; how things are then */
    SIM_SAYS,  /* this packet leaves it */
};

struct sim_step {
    enum sim_step_kind kind;
    uint32_t flow;
    int side;
    bool connects; /* SIM_OPENS */
    uint64_t key;  /* of the stream: stream_bytes() */
    uint64_t at;
    const uint8_t *data; /* an IP packet */
    size_t len;
    const tern_tcp_info *info; /* NULL: it has no connection */
};

/* Where a world is shown; all may be NULL. */
struct sim_sink {
    void (*text)(void *user, const char *text, size_t len);     /* its time line */
    bool (*capture)(void *user, const void *block, size_t len); /* as pcapng, */
    bool unseen[2];                                             /* but not what this host sees */
    void (*step)(void *user, const struct sim_step *step);
    void *user;
};

struct sim_config {
    uint64_t seed;
    enum sim_profile profile;
    uint64_t without;   /* bits of enum sim_fault: these are left out */
    uint32_t flows_max; /* 0: as drawn */
    bool blind;         /* without the oracle */
    enum sim_sabotage sabotage;
    struct sim_sink sink;
};

enum { SIM_WHY = 320 };

struct sim_result {
    bool failed;
    const char *invariant; /* "S1" */
    char why[SIM_WHY];
    uint32_t flows;
    uint64_t faults;                   /* bits: which were in it */
    uint64_t hash;                     /* of all packets and their times */
    uint64_t packets, bytes, duration; /* sent; delivered; virtual ns */
    uint64_t befell[SIM_FAULT_COUNT];  /* how often each did something, where that is counted */
    uint32_t transitions[TERN_STATE_COUNT][TERN_STATE_COUNT];
};

void sim_run(const struct sim_config *conf, struct sim_result *out);

/* Whether an end may go from one state to another (RFC 9293 3.3.2, figure 5), step by step. */
bool sim_legal(enum tern_state from, enum tern_state to);

#endif
