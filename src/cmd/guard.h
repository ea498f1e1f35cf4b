/* guard.h - options of verbs whose listeners may come under attack: how many connections wait in
 * which queue, for how long, and what becomes of those for which there is no room. */
#ifndef TERN_CMD_GUARD_H
#define TERN_CMD_GUARD_H

#include "cmd/opts.h"
#include "tern/tern.h"

struct guard_values {
    uint64_t backlog, syn_queue, synack_retries;
    uint64_t syn_timeout; /* ns; 0: not given */
    unsigned syncookies;  /* enum tern_cookies */
};

extern const char *const guard_cookies[];

/* The rows of a verb whose values have a member `struct guard_values guard`. */
#define GUARD_OPTS(values)                                                                         \
    OPT_HEADING("Connections that are being opened"),                                              \
        {OPT_UINT(values, guard.backlog),                                                          \
         .name = "backlog",                                                                        \
         .help = "how many may wait to be accepted",                                               \
         .min = 1,                                                                                 \
         .max = 65535,                                                                             \
         .fallback = "511"},                                                                       \
        {OPT_UINT(values, guard.syn_queue),                                                        \
         .name = "syn-queue",                                                                      \
         .help = "how many may be half-open",                                                      \
         .min = 1,                                                                                 \
         .max = 1000000,                                                                           \
         .fallback = "16384"},                                                                     \
        {OPT_UINT(values, guard.synack_retries), .name = "synack-retries",                         \
         .help = "how often a SYN-ACK is sent again; less when the queue is half full", .max = 30, \
         .fallback = "5"},                                                                         \
        {OPT_DURATION(values, guard.syn_timeout),                                                  \
         .name = "syn-timeout",                                                                    \
         .help = "a half-open connection is given up after this at the latest",                    \
         .min = VALUE_S,                                                                           \
         .max = VALUE_H,                                                                           \
         .unset = 0},                                                                              \
    {                                                                                              \
        OPT_CHOICE(values, guard.syncookies, guard_cookies),                                       \
            .name = "syncookies",                                                                  \
            .help = "answer SYNs without remembering them: when the queue is full, always, or "    \
                    "never",                                                                       \
            .fallback = "auto"                                                                     \
    }

/* What concerns the stack; the backlog is a listener's. */
void guard_config(const struct guard_values *v, tern_config *cfg);

#endif
