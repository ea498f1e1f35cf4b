/* messages.h - every sentence the time line says to people, in one table.
 *
 * {0}, {1}, ... are replaced by arguments, in whatever order a language wants them; another
 * language is another table of the same length. Names of protocols, flags and states are not
 * sentences: they are the same everywhere.
 */
#ifndef TERN_WATCH_MESSAGES_H
#define TERN_WATCH_MESSAGES_H

#include <stddef.h>

#define WATCH_MESSAGES(X)                                                                          \
    /* the two ends, where the process is not known */                                             \
    X(CLIENT, "the client")                                                                        \
    X(SERVER, "the server")                                                                        \
    /* what befell a segment: short, beside its flags */                                           \
    X(LOST, "lost")                                                                                \
    X(DROPPED, "dropped as asked")                                                                 \
    X(OVERFLOW, "lost: the queue is full")                                                         \
    X(TOO_BIG, "lost: larger than the MTU")                                                        \
    X(CORRUPTED, "corrupted")                                                                      \
    X(COPY, "doubled on the way")                                                                  \
    X(LATE, "overtaken")                                                                           \
    X(UNDER_WAY, "still on its way")                                                               \
    X(CROSSED, "arrives")                                                                          \
    X(AGAIN, "again")                                                                              \
    X(AGAIN_TIMER, "again (timer)")                                                                \
    X(AGAIN_FAST, "again (fast)")                                                                  \
    X(AGAIN_PROBE, "again (probe)")                                                                \
    X(WINDOW_PROBE, "window probe")                                                                \
    X(KEEP_ALIVE, "keep-alive")                                                                    \
    X(WINDOW_UPDATE, "window update")                                                              \
    X(DUP_ACK, "duplicate ACK {0}")                                                                \
    X(UNREACHABLE_NET, "network unreachable")                                                      \
    X(UNREACHABLE_HOST, "host unreachable")                                                        \
    X(UNREACHABLE_PROTO, "protocol unreachable")                                                   \
    X(UNREACHABLE_PORT, "port unreachable")                                                        \
    X(PROHIBITED, "prohibited by policy")                                                          \
    X(PACKET_TOO_BIG, "packet too big: MTU {0}")                                                   \
    X(TIME_EXCEEDED, "time exceeded")                                                              \
    X(ICMP_OTHER, "type {0}, code {1}")                                                            \
    /* notes, below the segment */                                                                 \
    X(SYN_COUNTS, "{0} = {1} + 1: a SYN counts as one")                                            \
    X(FIN_COUNTS, "{0} = {1} + 1: a FIN counts as one, too")                                       \
    X(RELATIVE, "relative from here on: SYN is 0, the first byte 1")                               \
    X(SIMULTANEOUS_OPEN, "simultaneous open: the SYNs cross")                                      \
    X(ACTIVE_CLOSE, "active close by {0}")                                                         \
    X(PASSIVE_JOINED, "passive close by {0}: ACK and FIN joined")                                  \
    X(PASSIVE_APART, "passive close by {0}: FIN {1} after ACK")                                    \
    X(SIMULTANEOUS_CLOSE, "simultaneous close: the FINs cross")                                    \
    X(FIN_ACKED, "half close: {0} may still send")                                                 \
    X(HALF_DATA, "half closed: {0} still sends")                                                   \
    X(FIN_FOLLOWS, "{0} has closed; its FIN follows the data")                                     \
    X(FIN_WAITS, "{0} has closed; its FIN waits behind the data")                                  \
    X(TIME_WAIT, "{0} waits {1} in TIME-WAIT (2 MSL)")                                             \
    X(TIME_WAIT_OVER, "TIME-WAIT is over: the addresses may be used again")                        \
    X(REFUSED, "{0} refuses the connection")                                                       \
    X(RESET, "{0} resets the connection")                                                          \
    X(RESET_AGAIN, "{0} answers with RST again: it knows of no such connection")                   \
    X(ZERO_WINDOW, "zero window: {0} can take no more")                                            \
    X(WINDOW_OPENS, "the window is open again")                                                    \
    X(CHECKSUM, "dropped by the receiver: wrong checksum")                                         \
    X(ALREADY, "received before: answered with an ACK")                                            \
    X(IGNORED, "not accepted: {0}")                                                                \
    /* without a segment */                                                                        \
    X(GIVES_UP_OPEN, "{0} gives up: no answer to {1} SYNs")                                        \
    X(GIVES_UP_OPEN_1, "{0} gives up: no answer to its SYN")                                       \
    X(GIVES_UP, "{0} gives up: no acknowledgement came")                                           \
    X(HALF_OPEN_ENDS, "{0} forgets the half-open connection")                                      \
    X(FIN_WAIT_ENDS, "{0} stops waiting for the other FIN")                                        \
    /* folded */                                                                                   \
    X(SEGMENTS, "{0} segments")                                                                    \
    X(SEGMENT, "1 segment")                                                                        \
    X(BYTES, "{0}")                                                                                \
    X(BYTES_IN, "{0} in {1}")                                                                      \
    X(ACK, "1 ACK")                                                                                \
    X(ACKS, "{0} ACKs")                                                                            \
    X(ACKS_BACK, "{0} ACKs back")                                                                  \
    X(ACK_BACK, "1 ACK back")                                                                      \
    X(BACK, "back: {0}")                                                                           \
    X(N_LOST, "{0} lost")                                                                          \
    X(N_AGAIN, "{0} again")                                                                        \
    X(N_AGAIN_TIMER, "{0} again ({1} timer)")                                                      \
    X(N_CORRUPTED, "{0} corrupted")                                                                \
    X(N_COPIES, "{0} doubled")                                                                     \
    X(N_LATE, "{0} overtaken")                                                                     \
    X(N_DUP_ACK, "1 duplicate ACK")                                                                \
    X(N_DUP_ACKS, "{0} duplicate ACKs")                                                            \
    X(N_ZERO_WINDOW, "1 zero window")                                                              \
    X(N_ZERO_WINDOWS, "{0} zero windows")                                                          \
    X(N_RESET, "1 RST")                                                                            \
    X(N_RESETS, "{0} RSTs")                                                                        \
    X(LAST_NAME, "last: {0}")                                                                      \
    X(OPENED_ENDED, "{0} connections opened, {1} ended")                                           \
    X(TERSE, "many connections: from here on only how each opens and ends")                        \
    X(SILENT, "very many connections: from here on only counts")                                   \
    X(OPENED, "open")                                                                              \
    X(NO_MEMORY, "some lines are missing: out of memory")                                          \
    X(TOO_MANY, "more connections than can be followed: {0} are not shown")                        \
    /* summaries */                                                                                \
    X(ENDED, "{0} after {1}")                                                                      \
    X(SINCE, "{0} for {1}")                                                                        \
    X(CLOSED_FIRST, "{0} closed first")                                                            \
    X(CLOSED_TOGETHER, "both closed at once")                                                      \
    X(ISNS, "ISN {0} and {1}")                                                                     \
    X(ISN_ONE, "ISN {0}")                                                                          \
    X(MSS_BOTH, "MSS {0}")                                                                         \
    X(MSS_EACH, "MSS {0} and {1}")                                                                 \
    X(RTT, "RTT {0}")                                                                              \
    X(N_SENT_AGAIN, "{0} sent again")                                                              \
    X(SENDS, "{0} sent {1}")                                                                       \
    X(IN_SEGMENTS, "in {0} segments")                                                              \
    X(IN_SEGMENT, "in 1 segment")                                                                  \
    X(TIME_WAIT_LEFT, "TIME-WAIT at {0}: {1} left")                                                \
    X(STATE_AT, "{0} at {1}")                                                                      \
    X(TOTAL, "{0} connections")                                                                    \
    X(UP_DOWN, "{0} sent, {1} received")                                                           \
    X(MORE_ROWS, "and {0} more")                                                                   \
    /* heads of the table */                                                                       \
    X(HEAD_PROCESS, "process")                                                                     \
    X(HEAD_PEER, "far end")                                                                        \
    X(HEAD_BEGAN, "began")                                                                         \
    X(HEAD_LASTED, "lasted")                                                                       \
    X(HEAD_UP, "sent")                                                                             \
    X(HEAD_DOWN, "received")                                                                       \
    X(HEAD_LOST, "lost")                                                                           \
    X(HEAD_AGAIN, "again")                                                                         \
    X(HEAD_OUTCOME, "how it ended")                                                                \
    /* how a connection ended */                                                                   \
    X(END_OPEN, "open")                                                                            \
    X(END_OPENING, "not open yet")                                                                 \
    X(END_CLOSING, "half closed")                                                                  \
    X(END_CLOSED, "closed")                                                                        \
    X(END_REFUSED, "refused")                                                                      \
    X(END_RESET_CLIENT, "reset by client")                                                         \
    X(END_RESET_SERVER, "reset by server")                                                         \
    X(END_TIMED_OUT, "timed out")                                                                  \
    X(END_UNREACHABLE, "unreachable")                                                              \
    X(END_NOT_OPENED, "never opened")                                                              \
    /* rules (rules.h) that were broken */                                                         \
    X(RULE_CHECKSUM, "the checksum is wrong")                                                      \
    X(RULE_SYN_FIN, "SYN and FIN in one segment")                                                  \
    X(RULE_RESERVED, "reserved bits are set: {0}")                                                 \
    X(RULE_NOT_UNICAST, "TCP with an address that is not a single host's")                         \
    X(RULE_NO_ACK, "a segment without ACK that is neither SYN nor RST")                            \
    X(RULE_SYN_ACK_NUMBER, "a SYN ACK that acknowledges {0}; the SYN's number + 1 is {1}")         \
    X(RULE_BEFORE_OPEN, "acknowledges before the other end has sent a SYN")                        \
    X(RULE_ISN_MOVED, "a SYN ACK with number {0} in an open connection that began at {1}")         \
    X(RULE_MSS_LATE, "the MSS option outside of a SYN")                                            \
    X(RULE_WSCALE_UNASKED, "window scaling in a SYN ACK whose SYN had none")                       \
    X(RULE_WSCALE_LARGE, "a window scale of {0}; 14 is the largest")                               \
    X(RULE_WSCALE_LATE, "the window scale option outside of a SYN")                                \
    X(RULE_TS_UNASKED, "timestamps that were not agreed on")                                       \
    X(RULE_TS_MISSING, "no timestamp though they were agreed on")                                  \
    X(RULE_TS_BACK, "new data with timestamp {0} after {1}: its clock runs backwards")             \
    X(RULE_TS_ECHO, "echoes timestamp {0}; the latest that was sent is {1}")                       \
    X(RULE_TS_ECHO_EARLY, "echoes timestamp {0}; the first that was sent is {1}")                  \
    X(RULE_SACK_UNASKED, "selective acknowledgement that was not agreed on")                       \
    X(RULE_SACK_OK_LATE, "the SACK-permitted option outside of a SYN")                             \
    X(RULE_SACK_EMPTY, "a SACK block from {0} to {1}: nothing is in it")                           \
    X(RULE_SACK_UNSENT, "a SACK block up to {0} where {1} was not yet sent")                       \
    X(RULE_SACK_HELD, "a SACK block from {0} where {1} is acknowledged: it lacks nothing")         \
    X(RULE_SACK_OVERLAP, "a SACK block from {0} overlaps one up to {1}")                           \
    X(RULE_OVER_MSS, "{0} bytes of options and data; the other end takes {1}")                     \
    X(RULE_ACK_UNSENT, "acknowledges {0} where {1} was not yet sent")                              \
    X(RULE_ACK_BACK, "acknowledges {0} after {1}, and later by its own clock")                     \
    X(RULE_OVER_WINDOW, "data up to {0} where the window ends at {1}")                             \
    X(RULE_DATA_CHANGED, "number {0}, {1} bytes, is sent again with other contents")               \
    X(RULE_AFTER_FIN, "data up to {0} after a FIN at {1}")                                         \
    X(RULE_FIN_MOVED, "a FIN at {0}, and before at {1}")                                           \
    X(RULE_RST_NUMBER, "an RST with number {0}, which nobody takes; {1} comes next")               \
    X(RULE_RST_ACK, "an RST that acknowledges {0} where {1} was not yet sent")                     \
    X(RULE_AFTER_RST, "data at {0} after an RST at {1}")                                           \
    X(RULE_ECN_UNASKED, "ECN in a SYN ACK whose SYN had none")                                     \
    X(RULE_ECT_UNASKED, "marked as capable of ECN, which was not agreed on")                       \
    /* what stands out in a capture */                                                             \
    X(WHY_REFUSED, "{0} refuses: nothing listens there, or a firewall answers for it")             \
    X(WHY_SILENT, "SYNs without an answer: {0}; nobody is there, or a firewall drops them")        \
    X(WHY_NOT_COMPLETED, "SYN ACKs that nobody acknowledges: {0}; the handshake is not completed") \
    X(WHY_RESET_CLOSED, "{0} resets: data came after it had closed")                               \
    X(WHY_RESET_UNREAD, "{0} resets: it closed with data unread, or on purpose")                   \
    X(WHY_RESET, "{0} resets: its program gave up, ended early, or chose to")                      \
    X(WHY_AGAIN, "{0} sends again: {1}")                                                           \
    X(WHY_BY_TIMER, "{0} by timer")                                                                \
    X(WHY_FAST, "{0} fast")                                                                        \
    X(WHY_SPURIOUS, "{0} for nothing")                                                             \
    X(WHY_ORDER, "segments of {1} out of order: {0}")                                              \
    X(WHY_DUP_ACKS, "duplicate ACKs by {1}: {0}")                                                  \
    X(WHY_ZERO_WINDOW, "{1} closes its window (segments: {0}); its program reads slowly")          \
    X(WHY_KEEP_ALIVE, "keep-alives and window probes by {1}: {0}")                                 \
    X(WHY_CLOSE_WAIT, "{0} is in CLOSE-WAIT for {1}: its program has not closed")                  \
    X(WHY_FIN_WAIT, "{0} waits in FIN-WAIT-2 for {1}: the other end has not closed")               \
    X(WHY_FIN_UNHEARD, "the FIN of {0} is not acknowledged")                                       \
    X(WHY_GAPS, "gaps in what {1} sends, by loss before the capture or in it: {0}")                \
    X(WHY_NOT_SEEN, "acknowledged by {1}, but not in the capture: {0}")                            \
    X(WHY_RULE, "packet {0}, {1}: {2} ({3})")                                                      \
    X(WHY_ONE_SIDED, "nothing of {0} is in the capture")                                           \
    X(WHY_REUSES, "begins while #{0} on the same ports is still in TIME-WAIT")                     \
    X(WHY_TIME_WAIT_RESET, "an RST ends the TIME-WAIT: late segments may reach a successor")       \
    X(WHY_MANY_WAIT, "{0} connections wait in TIME-WAIT at {1}: it closes first, each has a port") \
    X(WHY_FLOOD, "{0} handshakes with {1} were begun and not completed: a SYN flood?")             \
    X(WHY_STATES, "{0}: {1}")                                                                      \
    X(WHY_STATE, "{0} {1}")                                                                        \
    X(WHY_NOTHING, "nothing stands out")                                                           \
    X(WHY_TOTAL, "{0} packets in {1}")                                                             \
    X(WHY_IGNORED, "{0} that are not TCP")                                                         \
    X(WHY_BROKEN, "{0} rules broken")                                                              \
    X(WHY_MORE, "and {0} more in which something stands out")                                      \
    /* comments on packets of a capture */                                                         \
    X(CAP_STATE, "{0}: {1} → {2}")                                                                 \
    X(CAP_LOST, "the link loses this packet")                                                      \
    X(CAP_DROPPED, "the link drops this packet, as asked")                                         \
    X(CAP_OVERFLOW, "the link drops this packet: its queue is full")                               \
    X(CAP_TOO_BIG, "the link drops this packet: larger than its MTU")                              \
    X(CAP_CORRUPTED, "the link corrupts this packet")                                              \
    X(CAP_CORRUPTED_HERE, "corrupted on the way")                                                  \
    X(CAP_LATE, "the link holds this packet back: later ones overtake it")                         \
    X(CAP_COPY, "doubled on the way: the second copy")                                             \
    X(CAP_MISSING, "lost on the way here before this: {0}, seq {1}, {2} bytes")                    \
    X(CAP_AGAIN_TIMER, "sent again: the timer has expired")                                        \
    X(CAP_AGAIN_FAST, "sent again: acknowledgements show a loss")                                  \
    X(CAP_AGAIN_PROBE, "sent again: a probe")

enum watch_message {
#define X(id, text) MSG_##id,
    WATCH_MESSAGES(X)
#undef X
        MSG_COUNT
};

/* The sentence as it stands in the table. */
const char *message_text(enum watch_message id);

/* Up to four arguments; NULL where there is none. */
struct message_args {
    const char *at[4];
};

/* The sentence with its arguments put in, cut at `cap` bytes; returns `out`. */
char *message(char *out, size_t cap, enum watch_message id, struct message_args args);

#define ARGS(...) ((struct message_args){{__VA_ARGS__}})
#define NO_ARGS ((struct message_args){{NULL}})

#endif
