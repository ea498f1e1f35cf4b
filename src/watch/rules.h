/* rules.h - what the oracle holds an end to, judged from packets alone.
 *
 * Each rule is loose where its RFC is: delays, the sizes of windows and segments are the sender's
 * business. X(name, id, needs, section); the sentence is MSG_RULE_name, its {0} and {1} are the two
 * numbers of the finding.
 */
#ifndef TERN_WATCH_RULES_H
#define TERN_WATCH_RULES_H

#include "watch/messages.h"

/* What a rule needs to be fair. */
enum {
    RULE_ALWAYS = 0,
    RULE_ALL = 1,  /* every packet of both ends has been seen */
    RULE_WIRE = 2, /* packets are those of a wire: not joined by offloads, checksums complete */
};

#define WATCH_RULES(X)                                                                             \
    X(CHECKSUM, "checksum", RULE_WIRE, "RFC 9293 3.1")                                             \
    X(SYN_FIN, "syn-fin", RULE_ALWAYS, "RFC 9293 3.10.7.2")                                        \
    X(RESERVED, "reserved", RULE_ALWAYS, "RFC 9293 3.1")                                           \
    X(NOT_UNICAST, "not-unicast", RULE_ALWAYS, "RFC 9293 3.9.2.3")                                 \
    X(NO_ACK, "no-ack", RULE_ALWAYS, "RFC 9293 3.1")                                               \
    X(SYN_ACK_NUMBER, "syn-ack-number", RULE_ALWAYS, "RFC 9293 3.5")                               \
    X(BEFORE_OPEN, "before-open", RULE_ALL, "RFC 9293 3.10.7.3")                                   \
    X(ISN_MOVED, "isn-moved", RULE_ALL, "RFC 5961 4.2")                                            \
    X(MSS_LATE, "mss-late", RULE_ALWAYS, "RFC 9293 3.7.1")                                         \
    X(WSCALE_UNASKED, "wscale-unasked", RULE_ALL, "RFC 7323 2.2")                                  \
    X(WSCALE_LARGE, "wscale-large", RULE_ALWAYS, "RFC 7323 2.3")                                   \
    X(WSCALE_LATE, "wscale-late", RULE_ALWAYS, "RFC 7323 2.2")                                     \
    X(TS_UNASKED, "ts-unasked", RULE_ALWAYS, "RFC 7323 3.2")                                       \
    X(TS_MISSING, "ts-missing", RULE_ALWAYS, "RFC 7323 3.2")                                       \
    X(TS_BACK, "ts-back", RULE_ALWAYS, "RFC 7323 5.4")                                             \
    X(TS_ECHO, "ts-echo", RULE_ALL, "RFC 7323 3.2")                                                \
    X(TS_ECHO_EARLY, "ts-echo-early", RULE_ALL, "RFC 7323 3.2")                                    \
    X(SACK_UNASKED, "sack-unasked", RULE_ALWAYS, "RFC 2018 2")                                     \
    X(SACK_OK_LATE, "sack-ok-late", RULE_ALWAYS, "RFC 2018 2")                                     \
    X(SACK_EMPTY, "sack-empty", RULE_ALWAYS, "RFC 2018 3")                                         \
    X(SACK_UNSENT, "sack-unsent", RULE_ALL, "RFC 2018 3")                                          \
    X(SACK_HELD, "sack-held", RULE_ALWAYS, "RFC 2018 3")                                           \
    X(SACK_OVERLAP, "sack-overlap", RULE_ALWAYS, "RFC 2018 3")                                     \
    X(OVER_MSS, "over-mss", RULE_WIRE, "RFC 9293 3.7.1")                                           \
    X(ACK_UNSENT, "ack-unsent", RULE_ALL, "RFC 9293 3.4")                                          \
    X(ACK_BACK, "ack-back", RULE_ALWAYS, "RFC 9293 3.4")                                           \
    X(OVER_WINDOW, "over-window", RULE_ALL, "RFC 9293 3.8.6")                                      \
    X(DATA_CHANGED, "data-changed", RULE_ALWAYS, "RFC 9293 3.8.1")                                 \
    X(AFTER_FIN, "after-fin", RULE_ALWAYS, "RFC 9293 3.6")                                         \
    X(FIN_MOVED, "fin-moved", RULE_ALWAYS, "RFC 9293 3.6")                                         \
    X(RST_NUMBER, "rst-number", RULE_ALL, "RFC 9293 3.5.2")                                        \
    X(RST_ACK, "rst-ack", RULE_ALL, "RFC 9293 3.10.7.1")                                           \
    X(AFTER_RST, "after-rst", RULE_ALL, "RFC 9293 3.5.3")                                          \
    X(ECN_UNASKED, "ecn-unasked", RULE_ALL, "RFC 3168 6.1.1")                                      \
    X(ECT_UNASKED, "ect-unasked", RULE_ALL, "RFC 3168 6.1.1")

enum watch_rule {
#define X(name, id, needs, section) WATCH_RULE_##name,
    WATCH_RULES(X)
#undef X
        WATCH_RULE_COUNT
};

struct watch_rule_info {
    const char *id;
    const char *section;
    enum watch_message sentence;
    unsigned needs;
};
const struct watch_rule_info *watch_rule_info(enum watch_rule rule);

#endif
