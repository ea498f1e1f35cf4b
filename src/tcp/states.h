/* states.h - the state machine of RFC 9293 3.3.2 (figure 5): every change of state there is, and
 * what brings it about. conn_state() lets no other happen.
 *
 * A passive open waits in its listener's entry (listen.c), TIME-WAIT of a socket that was closed in
 * an entry of its own (timewait.c); both tell of their changes as if they were connections.
 */
#ifndef TERN_TCP_STATES_H
#define TERN_TCP_STATES_H

#include "tern/info.h"

/* from, to, what happens, section of RFC 9293 */
#define TCP_TRANSITIONS(X)                                                                         \
    X(CLOSED, SYN_SENT, "open: our SYN leaves", "3.10.1")                                          \
    X(LISTEN, SYN_RECEIVED, "SYN: ours leaves with an ACK", "3.10.7.2")                            \
    X(SYN_SENT, SYN_RECEIVED, "SYN without ACK: both open at once", "3.10.7.3")                    \
    X(SYN_SENT, ESTABLISHED, "SYN with ACK of ours", "3.10.7.3")                                   \
    X(SYN_SENT, CLOSED, "RST, close, abort, no answer, ICMP", "3.10.7.3")                          \
    X(SYN_RECEIVED, ESTABLISHED, "ACK of our SYN", "3.10.7.4")                                     \
    X(SYN_RECEIVED, LISTEN, "RST, or no ACK in time", "3.10.7.4")                                  \
    X(SYN_RECEIVED, CLOSED, "the same when we had opened; close, abort", "3.10.7.4")               \
    X(ESTABLISHED, FIN_WAIT_1, "close, or shutdown: our FIN follows what is queued", "3.10.4")     \
    X(ESTABLISHED, CLOSE_WAIT, "FIN", "3.10.7.4")                                                  \
    X(ESTABLISHED, CLOSED, "RST, abort, time-out", "3.10.7.4")                                     \
    X(FIN_WAIT_1, FIN_WAIT_2, "ACK of our FIN", "3.10.7.4")                                        \
    X(FIN_WAIT_1, CLOSING, "FIN before the ACK of ours", "3.10.7.4")                               \
    X(FIN_WAIT_1, CLOSED, "RST, abort, time-out, data that nobody reads", "3.10.7.4")              \
    X(FIN_WAIT_2, TIME_WAIT, "FIN", "3.10.7.4")                                                    \
    X(FIN_WAIT_2, CLOSED, "RST, abort, data that nobody reads, no FIN in time", "3.10.7.4")        \
    X(CLOSE_WAIT, LAST_ACK, "close, or shutdown", "3.10.4")                                        \
    X(CLOSE_WAIT, CLOSED, "RST, abort, time-out", "3.10.7.4")                                      \
    X(CLOSING, TIME_WAIT, "ACK of our FIN", "3.10.7.4")                                            \
    X(CLOSING, CLOSED, "RST, abort, time-out", "3.10.7.4")                                         \
    X(LAST_ACK, CLOSED, "ACK of our FIN; RST, abort, time-out", "3.10.7.4")                        \
    X(TIME_WAIT, CLOSED, "2 MSL are over; abort; a new incarnation", "3.10.8")

static inline bool tcp_may_change(enum tern_state from, enum tern_state to)
{
    switch ((uint32_t)from << 8 | (uint32_t)to) {
#define X(a, b, what, section) case (uint32_t)TERN_##a << 8 | (uint32_t)TERN_##b:
        TCP_TRANSITIONS(X)
#undef X
        return true;
    default:
        return false;
    }
}

#endif
