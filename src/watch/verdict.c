/* verdict.c - see verdict.h. A cause is what the packets make likely; where they leave several, the
 * sentence names them. */
#include "watch/verdict.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/seq.h"
#include "watch/text.h"

enum { FLOOD_MIN = 100, WAIT_MIN = 100 };
#define WAIT_NOTED 1000000000u /* shorter waits for the other end are usual, ns */

static void say(const struct verdict_sink *sink, enum watch_message id, struct message_args args)
{
    char s[512];
    sink->say(sink->user, message(s, sizeof(s), id, args));
}

static bool acknowledged(const struct follow_conn *k, int end)
{
    const struct follow_end *e = &k->end[end], *o = &k->end[!end];
    return o->acked && seq_gt(o->ack, e->fin);
}

/* ---- facts ----------------------------------------------------------------------------------- */

static enum watch_message ending(const struct follow_conn *k)
{
    switch (follow_outcome(k)) {
    case FOLLOW_CLOSED:
        return MSG_END_CLOSED;
    case FOLLOW_RESET:
        return k->reset_by == 0 ? MSG_END_RESET_CLIENT : MSG_END_RESET_SERVER;
    case FOLLOW_REFUSED:
        return MSG_END_REFUSED;
    case FOLLOW_HALF_OPEN:
        return MSG_END_NOT_OPENED;
    default:
        return MSG_END_OPEN;
    }
}

char *verdict_title(const struct follow_conn *k, char out[VERDICT_TITLE])
{
    char a[TEXT_VALUE], b[TEXT_VALUE], s[80];
    enum watch_message id = ending(k);
    int at = snprintf(out, VERDICT_TITLE, "#%" PRIu32 " %s - %s · %s", k->number,
                      text_address(a, &k->end[0].addr), text_address(b, &k->end[1].addr),
                      message(s, sizeof(s), id == MSG_END_OPEN ? MSG_SINCE : MSG_ENDED,
                              ARGS(message_text(id), text_duration(a, k->last - k->began))));
    if (k->rtt >= 1000)
        snprintf(out + at, VERDICT_TITLE - (size_t)at, " · %s",
                 message(s, sizeof(s), MSG_RTT, ARGS(text_duration(a, k->rtt))));
    return out;
}

void verdict_states(const struct follow_conn *k, uint64_t now, const struct verdict_sink *sink)
{
    for (int end = 0; end < 2; end++) {
        const struct follow_end *e = &k->end[end];
        char all[400] = "", who[TEXT_VALUE], time[TEXT_VALUE], s[80];
        size_t at = 0;
        for (uint8_t state = 0; state < TERN_STATE_COUNT; state++) {
            uint64_t ns = follow_state_time(e, state, now);
            if (ns == 0 || state == TERN_CLOSED || state == TERN_LISTEN)
                continue;
            at += (size_t)snprintf(all + at, sizeof(all) - at, "%s%s", at != 0 ? ", " : "",
                                   message(s, sizeof(s), MSG_WHY_STATE,
                                           ARGS(tern_state_name(state), text_duration(time, ns))));
        }
        if (at != 0)
            say(sink, MSG_WHY_STATES, ARGS(text_address(who, &e->addr), all));
    }
}

/* ---- how it ended ---------------------------------------------------------------------------- */

static void say_reset(const struct follow_conn *k, const struct verdict_sink *sink)
{
    const struct follow_end *e = &k->end[k->reset_by], *o = &k->end[!k->reset_by];
    char who[TEXT_VALUE];
    text_address(who, &e->addr);
    bool unread = o->based && e->acked && seq_gt(o->snd_max, e->ack);
    if (e->fin_sent)
        say(sink, MSG_WHY_RESET_CLOSED, ARGS(who));
    else
        say(sink, unread ? MSG_WHY_RESET_UNREAD : MSG_WHY_RESET, ARGS(who));
}

static void say_half_open(const struct follow_conn *k, const struct verdict_sink *sink)
{
    char n[TEXT_VALUE];
    if (k->end[1].segments != 0)
        say(sink, MSG_WHY_NOT_COMPLETED, ARGS(text_number(n, k->end[1].segments)));
    else
        say(sink, MSG_WHY_SILENT, ARGS(text_number(n, k->end[0].segments)));
}

static void say_waiting(const struct follow_conn *k, int end, uint64_t now,
                        const struct verdict_sink *sink)
{
    const struct follow_end *e = &k->end[end];
    char who[TEXT_VALUE], time[TEXT_VALUE];
    text_address(who, &e->addr);
    uint64_t waited = now - min_u64(now, e->state_since);
    if (waited < WAIT_NOTED)
        return;
    if (e->state == TERN_CLOSE_WAIT)
        say(sink, MSG_WHY_CLOSE_WAIT, ARGS(who, text_duration(time, waited)));
    else if (e->state == TERN_FIN_WAIT_2)
        say(sink, MSG_WHY_FIN_WAIT, ARGS(who, text_duration(time, waited)));
    else if (e->fin_sent && !acknowledged(k, end) && k->reset_by < 0)
        say(sink, MSG_WHY_FIN_UNHEARD, ARGS(who));
}

/* ---- on the way ------------------------------------------------------------------------------ */

static uint64_t kind(const struct follow_end *e, enum follow_kind bit)
{
    return e->kinds[__builtin_ctz(bit)];
}

static void say_again(const struct follow_end *e, const char *who, const struct verdict_sink *sink)
{
    static const struct {
        enum follow_kind kind;
        enum watch_message message;
    } parts[] = {{FOLLOW_RETRANSMISSION, MSG_WHY_BY_TIMER},
                 {FOLLOW_FAST, MSG_WHY_FAST},
                 {FOLLOW_SPURIOUS, MSG_WHY_SPURIOUS}};
    char all[256] = "", part[80], n[TEXT_VALUE];
    size_t at = 0;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        uint64_t count = kind(e, parts[i].kind);
        if (count != 0)
            at += (size_t)snprintf(all + at, sizeof(all) - at, "%s%s", at != 0 ? ", " : "",
                                   message(part, sizeof(part), parts[i].message,
                                           ARGS(text_number(n, count))));
    }
    if (at != 0)
        say(sink, MSG_WHY_AGAIN, ARGS(who, all));
}

static void say_end(const struct follow_end *e, bool one_sided, const struct verdict_sink *sink)
{
    static const struct {
        enum follow_kind kind;
        enum watch_message message;
    } counts[] = {{FOLLOW_OUT_OF_ORDER, MSG_WHY_ORDER},
                  {FOLLOW_DUP_ACK, MSG_WHY_DUP_ACKS},
                  {FOLLOW_ZERO_WINDOW, MSG_WHY_ZERO_WINDOW},
                  {FOLLOW_KEEP_ALIVE, MSG_WHY_KEEP_ALIVE},
                  {FOLLOW_MISSING_BEFORE, MSG_WHY_GAPS},
                  {FOLLOW_MISSING_ACKED, MSG_WHY_NOT_SEEN}};
    char who[TEXT_VALUE], n[TEXT_VALUE];
    text_address(who, &e->addr);
    say_again(e, who, sink);
    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        if (kind(e, counts[i].kind) != 0 && !(one_sided && counts[i].kind == FOLLOW_MISSING_ACKED))
            say(sink, counts[i].message, ARGS(text_number(n, kind(e, counts[i].kind)), who));
}

/* Of an open connection; an end that does not answer a SYN is none. */
static bool one_end_unseen(const struct follow_conn *k)
{
    return k->established != 0 && (k->end[0].segments == 0 || k->end[1].segments == 0);
}

void verdict_conn(const struct follow_conn *k, uint64_t now, const struct verdict_sink *sink)
{
    char who[TEXT_VALUE];
    enum follow_outcome outcome = follow_outcome(k);
    bool one_sided = one_end_unseen(k);
    if (one_sided)
        say(sink, MSG_WHY_ONE_SIDED,
            ARGS(text_address(who, &k->end[k->end[0].segments != 0].addr)));
    if (k->reuses != 0)
        say(sink, MSG_WHY_REUSES, ARGS(text_number(who, k->reuses)));
    if (k->time_wait_reset)
        say(sink, MSG_WHY_TIME_WAIT_RESET, ARGS(NULL));
    else if (outcome == FOLLOW_REFUSED)
        say(sink, MSG_WHY_REFUSED, ARGS(text_address(who, &k->end[k->reset_by].addr)));
    else if (outcome == FOLLOW_RESET || (outcome == FOLLOW_CLOSED && k->reset_by >= 0))
        say_reset(k, sink);
    else if (outcome == FOLLOW_HALF_OPEN)
        say_half_open(k, sink);
    for (int end = 0; end < 2; end++) {
        say_end(&k->end[end], one_sided, sink);
        if (outcome == FOLLOW_OPEN && !one_sided)
            say_waiting(k, end, now, sink);
    }
}

void verdict_finding(const struct follow_finding *f, const struct verdict_sink *sink)
{
    const struct watch_rule_info *rule = watch_rule_info(f->rule);
    char sentence[256], packet[TEXT_VALUE], who[TEXT_VALUE], where[128], a[24], b[24];
    snprintf(a, sizeof(a), "%" PRIu64, f->a);
    snprintf(b, sizeof(b), "%" PRIu64, f->b);
    snprintf(where, sizeof(where), "%s, %s", rule->id, rule->section);
    message(sentence, sizeof(sentence), rule->sentence, ARGS(a, b));
    say(sink, MSG_WHY_RULE,
        ARGS(text_number(packet, f->packet->number), text_address(who, &f->conn->end[f->end].addr),
             sentence, where));
}

/* ---- many ------------------------------------------------------------------------------------ */

/* An end, to be counted with others at the same address. */
struct at {
    const tern_addr *addr;
};

static int by_address(const void *a, const void *b)
{
    return memcmp(((const struct at *)a)->addr->ip, ((const struct at *)b)->addr->ip, 16);
}

static int by_port(const void *a, const void *b)
{
    int d = by_address(a, b);
    return d != 0 ? d : ((const struct at *)a)->addr->port - ((const struct at *)b)->addr->port;
}

/* Says so of each group of at least `least`. */
static void say_groups(struct at *at, uint32_t n, int (*compare)(const void *, const void *),
                       enum watch_message id, const struct verdict_sink *sink)
{
    uint32_t least = id == MSG_WHY_FLOOD ? FLOOD_MIN : WAIT_MIN;
    qsort(at, n, sizeof(*at), compare);
    for (uint32_t from = 0, to; from < n; from = to) {
        for (to = from + 1; to < n && compare(&at[from], &at[to]) == 0;)
            to++;
        char count[TEXT_VALUE], who[TEXT_VALUE];
        tern_addr addr = *at[from].addr;
        if (compare == by_address)
            addr.port = 0;
        if (to - from >= least)
            say(sink, id, ARGS(text_number(count, to - from), text_address(who, &addr)));
    }
}

void verdict_all(const struct follow *f, const struct verdict_sink *sink)
{
    uint32_t n = 0, waiting = 0, total = follow_count(f);
    struct at *open = calloc(total + 1u, sizeof(*open));
    struct at *wait = calloc(2 * (size_t)total + 1, sizeof(*wait));
    for (uint32_t i = 0; open != NULL && wait != NULL && i < total; i++) {
        const struct follow_conn *k = follow_conn(f, i);
        if (follow_outcome(k) == FOLLOW_HALF_OPEN)
            open[n++].addr = &k->end[1].addr;
        for (int end = 0; end < 2; end++)
            if (k->end[end].state == TERN_TIME_WAIT)
                wait[waiting++].addr = &k->end[end].addr;
    }
    if (n != 0)
        say_groups(open, n, by_port, MSG_WHY_FLOOD, sink);
    if (waiting != 0)
        say_groups(wait, waiting, by_address, MSG_WHY_MANY_WAIT, sink);
    free(open);
    free(wait);
}
