/* sut.h - the system under test, as a script's player sees it.
 *
 * It sends and takes packets, runs system calls, and lets time pass; nothing else is known of it.
 * sut_tern.c puts the stack behind it, in virtual time; a test puts the kernel there. Times are ns
 * since the script's start. */
#ifndef TERN_DRILL_SUT_H
#define TERN_DRILL_SUT_H

#include "drill/settings.h"

/* Calls, with the arguments of Linux's in order. */
/* clang-format off */
#define DRILL_CALLS(X)                                                                             \
    X(socket) X(bind) X(listen) X(accept) X(accept4) X(connect) X(shutdown) X(close)               \
    X(getsockname) X(getpeername) X(getsockopt) X(setsockopt) X(read) X(write) X(readv)            \
    X(writev) X(recv) X(send) X(recvfrom) X(sendto) X(recvmsg) X(sendmsg) X(dup) X(dup2)           \
    X(fcntl) X(ioctl) X(pipe) X(pipe2) X(open) X(sendfile) X(splice) X(poll) X(epoll_create)       \
    X(epoll_create1) X(epoll_ctl) X(epoll_wait)
/* clang-format on */

enum drill_nr {
#define X(name) DRILL_NR_##name,
    DRILL_CALLS(X)
#undef X
        DRILL_NR_COUNT
};

/* Counters, by the names of nstat(8). */
/* clang-format off */
#define DRILL_COUNTERS(X)                                                                          \
    X(TcpActiveOpens) X(TcpPassiveOpens) X(TcpAttemptFails) X(TcpEstabResets) X(TcpCurrEstab)      \
    X(TcpInSegs) X(TcpOutSegs) X(TcpRetransSegs) X(TcpInErrs) X(TcpOutRsts) X(TcpInCsumErrors)     \
    X(TcpExtTCPTimeouts) X(TcpExtTCPLossProbes) X(TcpExtTCPLossProbeRecovery)                      \
    X(TcpExtTCPFastRetrans) X(TcpExtTCPSackRecovery) X(TcpExtTCPSpuriousRtxHostQueues)             \
    X(TcpExtTCPChallengeACK) X(TcpExtTCPSYNChallenge) X(TcpExtPAWSEstab) X(TcpExtPAWSActive)       \
    X(TcpExtTW) X(TcpExtListenOverflows) X(TcpExtListenDrops) X(TcpExtTCPAbortOnData)              \
    X(TcpExtTCPAbortOnClose) X(TcpExtTCPAbortOnTimeout) X(TcpExtSyncookiesSent)                    \
    X(TcpExtSyncookiesRecv) X(TcpExtSyncookiesFailed) X(TcpExtTCPFastOpenActive)                   \
    X(TcpExtTCPFastOpenActiveFail) X(TcpExtTCPFastOpenPassive) X(TcpExtTCPFastOpenPassiveFail)     \
    X(TcpExtTCPFastOpenCookieReqd) X(TcpExtTCPFastOpenListenOverflow)                              \
    X(TcpExtTCPFastOpenBlackhole) X(TcpExtTCPFastOpenPassiveAltKey) X(TcpExtTCPOFOQueue)           \
    X(TcpExtTCPOFOMerge) X(TcpExtTCPDSACKRecv) X(TcpExtTCPDSACKOldSent) X(TcpExtTCPDSACKOfoSent)   \
    X(TcpExtTCPFromZeroWindowAdv) X(TcpExtTCPToZeroWindowAdv) X(TcpExtTCPWantZeroWindowAdv)        \
    X(TcpExtTCPRcvQDrop) X(TcpExtBeyondWindow) X(TcpExtTCPZeroWindowDrop)                          \
    X(TcpExtTCPAckCompressed) X(TcpExtTCPMD5NotFound) X(TcpExtTCPMD5Unexpected)                    \
    X(TcpExtTCPMD5Failure) X(TcpExtTSEcrRejected) X(TcpExtTCPACKSkippedSynRecv)                    \
    X(TcpExtTCPACKSkippedSeq) X(TcpExtTCPACKSkippedPAWS)
/* clang-format on */

enum drill_family { DRILL_IPV4, DRILL_IPV6, DRILL_MAPPED, DRILL_FAMILIES };

/* What is decided before the first packet. */
struct drill_setup {
    enum drill_family family;
    uint8_t local[16], remote[16];
    uint32_t mtu;
    bool super_segments; /* let the stack hand out what a device would cut */
    const struct drill_settings *settings;
};

struct drill_out {
    struct drill_out *next;
    int64_t time;
    size_t len;
    uint8_t data[];
};

struct drill_sut {
    const struct drill_sut_ops *ops;
    int64_t clock; /* what the clock of timestamps in messages shows at the script's start, ns */
};

struct drill_sut_ops {
    int64_t (*now)(const struct drill_sut *s);
    /* Lets time pass until a packet waits to be taken, a call that was under way has ended, or
     * `until` has come. */
    void (*pass)(struct drill_sut *s, int64_t until);
    void (*inject)(struct drill_sut *s, const uint8_t *data, size_t len);
    /* The oldest packet sent, to be freed; NULL: none waits. */
    struct drill_out *(*take)(struct drill_sut *s);
    /* Starts a call; false: it has not ended yet (busy() says when it has). One at a time. */
    bool (*call)(struct drill_sut *s, enum drill_nr nr, const intptr_t args[6]);
    bool (*busy)(const struct drill_sut *s);
    /* The result of the last call that ended: -errno, or >= 0. */
    int64_t (*result)(const struct drill_sut *s);
    /* The settings have changed. NULL, or what cannot be changed now. */
    const char *(*changed)(struct drill_sut *s);
    /* The value of a counter by Linux's name; false: it is not kept. */
    bool (*counter)(const struct drill_sut *s, const char *name, uint64_t *value);
    /* How many sockets are in this state (of ss(8): "TIME-WAIT"). */
    unsigned (*in_state)(const struct drill_sut *s, const char *state);
    void (*free)(struct drill_sut *s);
};

/* The stack, in virtual time. NULL: `why` says why not. */
struct drill_sut *drill_sut_tern(const struct drill_setup *setup, const char **why);

#endif
