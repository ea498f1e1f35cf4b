/* judge.h - the rules, applied to one segment before the books know of it; and the kinds. */
#ifndef TERN_WATCH_JUDGE_H
#define TERN_WATCH_JUDGE_H

#include "watch/follow.h"

#define ECN_FLAGS (TCP_ECE | TCP_CWR | TCP_AE)

struct judge {
    const struct follow_config *conf;
    struct follow_conn *conn;
    int from;
    const struct packet *packet;
    const struct follow_packet *raw;
};

void judge_segment(const struct judge *j);

/* Which of enum follow_kind it is; keeps the books of that analysis. */
unsigned kinds_of(struct follow_conn *k, int from, const struct packet *p, uint64_t time);

#endif
