/* guard.h - options of verbs whose listeners may come under attack: how many connections wait in
 * which queue, for how long, and what becomes of those for which there is no room. */
#ifndef TERN_CMD_GUARD_H
#define TERN_CMD_GUARD_H

#include "cmd/opts.h"
#include "host/netif.h"
#include "tern/tern.h"

enum { GUARD_RULES_MAX = 64 };

struct guard_rule {
    struct netif_addr prefix;
    enum tern_rule rule;
};

struct guard_values {
    uint64_t backlog, syn_queue, synack_retries;
    uint64_t syn_timeout; /* ns; 0: not given */
    unsigned syncookies;  /* enum tern_cookies */
    uint64_t syn_rate, per_prefix;
    uint64_t orphans, orphan_time, close_wait; /* ns; 0: for ever */
    uint32_t prefix_bits[2];                   /* of IPv4 and IPv6 */
    struct guard_rule rules[GUARD_RULES_MAX];
    uint32_t rule_count;
};

extern const char *const guard_cookies[];

/* The rows of a verb whose values have a member `struct guard_values guard`, and functions
 * parse_bits, parse_allow and parse_deny that hand it to those below. */
#define GUARD_OPTS(values)                                                                         \
    {OPT_UINT(values, guard.syn_queue),                                                            \
     .name = "syn-queue",                                                                          \
     .help = "how many may be half-open",                                                          \
     .min = 1,                                                                                     \
     .max = 1000000,                                                                               \
     .fallback = "16384"},                                                                         \
        {OPT_UINT(values, guard.synack_retries), .name = "synack-retries",                         \
         .help = "how often a SYN-ACK is sent again; less when the queue is half full", .max = 30, \
         .fallback = "5"},                                                                         \
        {OPT_DURATION(values, guard.syn_timeout),                                                  \
         .name = "syn-timeout",                                                                    \
         .help = "a half-open connection is given up after this at the latest",                    \
         .min = VALUE_S,                                                                           \
         .max = VALUE_H,                                                                           \
         .unset = 0},                                                                              \
        {OPT_UINT(values, guard.syn_rate),                                                         \
         .name = "syn-rate",                                                                       \
         .help = "SYNs a second that one source may send",                                         \
         .min = 1,                                                                                 \
         .max = 1000000,                                                                           \
         .unset = 0},                                                                              \
        {OPT_UINT(values, guard.per_prefix),                                                       \
         .name = "max-per-prefix",                                                                 \
         .help = "connections that one source may have, and as many half-open ones",               \
         .min = 1,                                                                                 \
         .max = 1000000,                                                                           \
         .unset = 0},                                                                              \
        {OPT_UINT(values, guard.orphans),                                                          \
         .name = "orphans",                                                                        \
         .help = "connections that were closed here, and whose peers have not done so",            \
         .min = 1,                                                                                 \
         .max = 1000000,                                                                           \
         .fallback = "16384"},                                                                     \
        {OPT_DURATION(values, guard.orphan_time), .name = "orphan-time",                           \
         .help = "such a connection is reset when nothing was acknowledged for so long; 0: never", \
         .max = 4 * VALUE_H, .fallback = "0"},                                                     \
        {OPT_DURATION(values, guard.close_wait), .name = "close-wait",                             \
         .help = "CLOSE-WAIT is reset when nothing happened for so long; 0: never",                \
         .max = 4 * VALUE_H, .fallback = "0"},                                                     \
        {OPT_CALL(parse_bits), .name = "prefix-bits", .arg = "BITS4,BITS6",                        \
         .help = "how much of an address says which source it is; by default 32,64"},              \
        {OPT_CALL(parse_allow), .name = "allow", .arg = "PREFIX",                                  \
         .help = "take SYNs from there without limits; of several rules the longest prefix "       \
                 "counts"},                                                                        \
        {OPT_CALL(parse_deny), .name = "deny", .arg = "PREFIX",                                    \
         .help = "drop SYNs from there, such as 192.0.2.0/24, or 0.0.0.0/0 but for what is "       \
                 "allowed"},                                                                       \
    {                                                                                              \
        OPT_CHOICE(values, guard.syncookies, guard_cookies),                                       \
            .name = "syncookies",                                                                  \
            .help = "answer SYNs without remembering them: when the queue is full, always, or "    \
                    "never",                                                                       \
            .fallback = "auto"                                                                     \
    }

const char *guard_parse_bits(struct guard_values *v, const char *text);
const char *guard_parse_rule(struct guard_values *v, const char *text, enum tern_rule rule);

/* What concerns a stack that is to be made; the backlog and the limits are a listener's. */
void guard_config(const struct guard_values *v, tern_config *cfg);
/* Its rules, once it is made: 0 or a negative enum tern_err. */
int guard_rules(const struct guard_values *v, tern *s);
tern_limits guard_limits(const struct guard_values *v);

#endif
