/* tern/cc.h - congestion-control plug-in.
 *
 * An algorithm decides how much may be in flight (RFC 5681), nothing else: finding losses,
 * measuring RTT and sampling delivery rates are done for it. It may write its own state, `cwnd`,
 * `ssthresh` and `pacing_rate`. A table of functions is all there is; there is no registry.
 */
#ifndef TERN_CC_H
#define TERN_CC_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TERN_CC_STATE_MAX 192 /* bytes of private state at most */

/* What an algorithm writes. */
typedef struct tern_cc {
    uint32_t cwnd;        /* bytes that may be in flight */
    uint32_t ssthresh;    /* bytes; slow start below it */
    uint64_t pacing_rate; /* bytes per second; 0: do not pace */
    void *state;          /* ops->state_size bytes, zeroed before init; given back when idle */
} tern_cc;

/* One acknowledgement, after loss detection has run. Times in ns, amounts in bytes. */
typedef struct tern_ack {
    uint64_t now;
    uint64_t delivered, prior_delivered; /* in all, now and when the sampled packet was sent */
    uint64_t interval_ns;                /* of the rate sample; 0: none that can be relied on */
    uint64_t rtt_ns;                     /* 0: no sample (Karn's rule) */
    uint64_t srtt_ns, min_rtt_ns;
    uint32_t acked;     /* newly acknowledged, cumulatively or by SACK */
    uint32_t lost;      /* newly marked lost */
    uint32_t in_flight; /* after this ACK; without what is taken for lost */
    uint32_t ce_marked; /* newly reported as congestion-experienced */
    uint32_t mss;
    uint32_t tx_in_flight, lost_since; /* of the sampled packet; tx_in_flight 0: there is none */
    uint32_t app_limited : 1, cwnd_limited : 1, in_recovery : 1, round_start : 1;
    uint32_t abe : 1;  /* an ECN mark is to cost less than a loss (RFC 8511) */
    uint32_t sack : 1; /* the peer tells each segment that arrives, and so each that is lost */
} tern_ack;

enum tern_cc_event {
    TERN_CC_LOSS,      /* a loss that starts a recovery episode */
    TERN_CC_ECN,       /* the same, by an ECN mark */
    TERN_CC_RTO,       /* the retransmission timer fired; all in flight is taken for lost */
    TERN_CC_UNDO,      /* the last reduction was for nothing */
    TERN_CC_RECOVERED, /* all that was in flight at the loss is acknowledged */
    TERN_CC_IDLE,      /* sending again after a silence of interval_ns, a round trip at least; with
                        * TERN_CC_OWN_CWND whenever there was nothing to send */
};

enum {
    /* The algorithm has a model of the path and writes cwnd at all times. Without this flag it says
     * in ssthresh to what a window is reduced (LOSS, ECN, RTO); the way there (PRR, RFC 9937),
     * undoing and restarting after idle are done for it, and what it writes to cwnd on an event, or
     * on an ACK with in_recovery, is not looked at. */
    TERN_CC_OWN_CWND = 1,
    /* It does not look at the delivery rate: interval_ns, tx_in_flight, lost_since and app_limited
     * need not be worked out for each segment and each ACK (they are 0). */
    TERN_CC_NO_RATE = 2,
    /* It lives by marks: ECN is asked for whatever the configuration says, every packet is
     * ECN-capable, and without accurate ECN marks are echoed one by one (RFC 8257 3.2). */
    TERN_CC_NEEDS_ECN = 4,
};

typedef struct tern_cc_ops {
    const char *name;
    uint16_t state_size;                                   /* <= TERN_CC_STATE_MAX */
    uint16_t flags;                                        /* TERN_CC_OWN_CWND, ... */
    void (*init)(tern_cc *cc, uint32_t mss, uint64_t now); /* cwnd and ssthresh are already set */
    void (*on_ack)(tern_cc *cc, const tern_ack *ack);
    void (*on_event)(tern_cc *cc, enum tern_cc_event event, const tern_ack *ack);
    void (*on_send)(tern_cc *cc, uint32_t bytes, uint32_t in_flight,
                    uint64_t departs); /* or NULL */
    /* So many bytes, sent as one with tx_in_flight, are taken for lost; lost_since and app_limited
     * of `ack` are theirs. Or NULL. */
    void (*on_lost)(tern_cc *cc, uint32_t bytes, uint32_t tx_in_flight, const tern_ack *ack);
    /* Idle: what must be remembered of the state; and after init, unless all of it is 0. */
    void (*freeze)(tern_cc *cc, uint64_t summary[2]);
    void (*thaw)(tern_cc *cc, const uint64_t summary[2]);
} tern_cc_ops;

extern const tern_cc_ops tern_cc_reno;  /* RFC 5681, 6582 */
extern const tern_cc_ops tern_cc_cubic; /* RFC 9438, 9406 */
extern const tern_cc_ops tern_cc_dctcp; /* RFC 8257, for networks of one owner */
extern const tern_cc_ops tern_cc_bbr;   /* draft-ietf-ccwg-bbr-06: version 3 */

#ifdef __cplusplus
}
#endif
#endif
