/* verdict.h - what stands out in a connection that was followed, in sentences, with its likely
 * cause. */
#ifndef TERN_WATCH_VERDICT_H
#define TERN_WATCH_VERDICT_H

#include "watch/follow.h"

struct verdict_sink {
    void (*say)(void *user, const char *sentence);
    void *user;
};

enum { VERDICT_TITLE = 256 };

/* "#1 10.9.0.1:50470 - 10.9.0.2:80 · closed after 402 ms · RTT 10.3 ms" */
char *verdict_title(const struct follow_conn *k, char out[VERDICT_TITLE]);
/* For how long each end that was seen was in which state. */
void verdict_states(const struct follow_conn *k, uint64_t now, const struct verdict_sink *sink);
/* What stands out in one connection, as it stands at `now`, ns. */
void verdict_conn(const struct follow_conn *k, uint64_t now, const struct verdict_sink *sink);
/* A rule that was broken. */
void verdict_finding(const struct follow_finding *f, const struct verdict_sink *sink);
/* What shows only in many: handshakes that are begun and left. */
void verdict_all(const struct follow *f, const struct verdict_sink *sink);

#endif
