/* tern/trace.h - one record per decision, for tools that show what the stack did and why. */
#ifndef TERN_TRACE_H
#define TERN_TRACE_H

#include "tern/info.h"
#include "tern/tern.h"

#ifdef __cplusplus
extern "C" {
#endif

enum tern_trace_kind {
    TERN_TRACE_STATE,      /* a connection changed its state: from -> to */
    TERN_TRACE_RETRANSMIT, /* a segment is sent again: seq, len, why */
    TERN_TRACE_DROP,       /* an arriving packet was dropped: reason (enum tern_drop) */
    TERN_TRACE_CWND,       /* the congestion window was reduced or restored: cwnd, ssthresh */
};

enum tern_retransmit_why {
    TERN_RTX_RTO,   /* the retransmission timer */
    TERN_RTX_FAST,  /* duplicate or selective acknowledgements */
    TERN_RTX_PROBE, /* a tail-loss or window probe */
    TERN_RTX_SYN,   /* SYN or SYN-ACK, by its timer */
};

/* Passed to tern_config.trace; valid during the call only. */
typedef struct tern_trace {
    uint64_t now;   /* ns; the time of the call in which the decision fell */
    tern_sock sock; /* id 0: no socket (half-open, TIME-WAIT, stateless) */
    enum tern_trace_kind kind;
    tern_addr local, peer;
    uint8_t from, to; /* STATE: enum tern_state */
    uint8_t why;      /* RETRANSMIT: enum tern_retransmit_why; DROP: enum tern_drop */
    uint32_t seq, len;
    uint32_t cwnd, ssthresh;
} tern_trace;

#ifdef __cplusplus
}
#endif
#endif
