/* states.h - how states change, as far as segments tell (RFC 9293 3.3.2, figure 5): one list, for
 * the observer (follow.c) and for the model in tests/model, which is checked on its own.
 *
 * X(how, from, sign, to). SHOWS: a segment with that sign shows that its sender is in another state
 * now; CAUSES: it will put the other end into another state, once it arrives. A segment may have
 * several signs, which count in this order:
 *
 *   SYN         SYN without ACK
 *   SYN_ACK     SYN with ACK
 *   ACK_SYN     acknowledges the other's SYN
 *   ACK_UNSEEN  the same, and nothing was ever seen of the other
 *   ACK_FIN     acknowledges the other's FIN
 *   FIN
 *
 * An RST, once it has arrived, leads from everywhere to CLOSED. No other file has a say here: what
 * is included are the preprocessor's lines alone. */
#ifndef TERN_WATCH_STATES_H
#define TERN_WATCH_STATES_H

#define WATCH_TRANSITIONS(X)                                                                       \
    X(SHOWS, CLOSED, SYN, SYN_SENT)                                                                \
    X(SHOWS, LISTEN, SYN, SYN_SENT)                                                                \
    X(SHOWS, CLOSED, SYN_ACK, SYN_RECEIVED)                                                        \
    X(SHOWS, LISTEN, SYN_ACK, SYN_RECEIVED)                                                        \
    X(SHOWS, SYN_SENT, SYN_ACK, SYN_RECEIVED)                                                      \
    X(SHOWS, SYN_SENT, ACK_SYN, ESTABLISHED)                                                       \
    X(SHOWS, SYN_RECEIVED, ACK_UNSEEN, ESTABLISHED)                                                \
    X(SHOWS, SYN_RECEIVED, ACK_FIN, CLOSE_WAIT)                                                    \
    X(SHOWS, ESTABLISHED, ACK_FIN, CLOSE_WAIT)                                                     \
    X(SHOWS, FIN_WAIT_1, ACK_FIN, CLOSING)                                                         \
    X(SHOWS, FIN_WAIT_2, ACK_FIN, TIME_WAIT)                                                       \
    X(SHOWS, SYN_RECEIVED, FIN, FIN_WAIT_1)                                                        \
    X(SHOWS, ESTABLISHED, FIN, FIN_WAIT_1)                                                         \
    X(SHOWS, CLOSE_WAIT, FIN, LAST_ACK)                                                            \
    X(CAUSES, SYN_RECEIVED, ACK_SYN, ESTABLISHED)                                                  \
    X(CAUSES, FIN_WAIT_1, ACK_FIN, FIN_WAIT_2)                                                     \
    X(CAUSES, CLOSING, ACK_FIN, TIME_WAIT)                                                         \
    X(CAUSES, LAST_ACK, ACK_FIN, CLOSED)

#endif
