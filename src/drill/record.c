/* record.c - writing a script anew, with the packets that were sent in place of those it expects.
 *
 * A script need then only say what happens to the stack; what the stack does about it is filled in,
 * for a person to judge. Segments of one instant that follow each other are written as one. */
#include "drill/play.h"

#include <stdlib.h>
#include <string.h>

/* What happens within this is one instant. */
#define INSTANT (2 * NS_PER_US * 1000)

/* "+.125 ": how long after what was written before. */
static void put_time(struct play *p, int64_t at)
{
    struct drill_text *t = &p->result->record;
    int64_t us = (at - p->recorded + 500) / 1000;
    size_t digits = 6;
    if (at - p->recorded < INSTANT) {
        drill_print(t, "   +0 ");
        return;
    }
    p->recorded = at;
    int64_t fraction = us % 1000000;
    while (digits > 1 && fraction % 10 == 0) {
        fraction /= 10;
        digits--;
    }
    if (fraction == 0)
        drill_print(t, "   +%lld ", (long long)(us / 1000000));
    else if (us < 1000000)
        drill_print(t, "  +.%0*lld ", (int)digits, (long long)fraction);
    else
        drill_print(t, "  +%lld.%0*lld ", (long long)(us / 1000000), (int)digits,
                    (long long)fraction);
}

static void put_packet(struct play *p, const struct drill_packet *packet, int64_t at)
{
    struct drill_text *t = &p->result->record;
    while (t->len > 0 && t->s[t->len - 1] == ' ')
        t->len--;
    if (t->len > 0 && t->s[t->len - 1] != '\n')
        drill_put(t, "\n", 1);
    put_time(p, at);
    drill_put(t, "> ", 2);
    drill_show_packet(t, packet);
    drill_put(t, "\n", 1);
}

/* Timestamps count from 100 in what is written. */
static void rename_timestamp(struct peer *peer, struct drill_packet *packet)
{
    for (size_t i = 0; i < packet->opt_count; i++) {
        struct drill_opt *o = &packet->opt[i];
        if (o->kind != DRILL_OPT_TS)
            continue;
        uint32_t live = o->value[0];
        o->value[0] = 100 + (peer->ts_count > 0 ? live - peer->ts_first.live : 0);
        peer_note_ts(peer, o->value[0], live);
    }
}

/* Whether `next` only goes on where `one` ends. */
static bool joins(const struct drill_packet *one, const struct drill_packet *next)
{
    return one->proto == DRILL_TCP && next->proto == DRILL_TCP && one->len > 0 && next->len > 0 &&
           next->seq == one->end && !(one->flags & (DRILL_PSH | DRILL_FIN | DRILL_SYN)) &&
           !((one->flags ^ next->flags) & ~(DRILL_PSH | DRILL_FIN)) && one->ack == next->ack &&
           one->ecn == next->ecn && one->opt_count == next->opt_count &&
           memcmp(one->opt, next->opt, one->opt_count * sizeof(one->opt[0])) == 0;
}

/* The next packet of the peer's, in the script's numbers. */
static bool next_packet(struct play *p, struct peer *peer, struct drill_packet *live, int64_t *at)
{
    struct drill_flow flow;
    while (p->first) {
        struct drill_out *o = play_take(p);
        const char *bad = drill_decode(o->data, o->len, live, &flow);
        *at = o->time;
        bool ours = !bad && peer && peer_owns(peer, live, &flow);
        if (!ours) {
            play_ignore(p, o);
            continue;
        }
        free(o);
        struct drill_packet zero = {.flags = DRILL_SYN};
        peer_learn(peer, &zero, live);
        peer_to_script(peer, live);
        rename_timestamp(peer, live);
        live->win = -1;
        return true;
    }
    return false;
}

void record_packets(struct play *p)
{
    struct drill_packet held, live;
    int64_t at, held_at = 0;
    bool holds = false;
    if (!p->request->record)
        return;
    while (next_packet(p, peer_outbound(p), &live, &at)) {
        if (holds && at - held_at < INSTANT && joins(&held, &live)) {
            held.end = live.end;
            held.len += live.len;
            held.flags |= live.flags;
            continue;
        }
        if (holds)
            put_packet(p, &held, held_at);
        held = live;
        held_at = at;
        holds = true;
    }
    if (holds)
        put_packet(p, &held, held_at);
}

void record_head(struct play *p)
{
    const struct drill_script *s = p->script;
    if (p->request->record)
        drill_put(&p->result->record, s->text,
                  (size_t)((s->events ? s->events->start : s->end) - s->text));
}

void record_event(struct play *p, const struct drill_event *e, int64_t end)
{
    struct drill_text *t = &p->result->record;
    const char *stop = e->next ? e->next->start : p->script->end;
    if (!p->request->record)
        return;
    record_packets(p);
    if (e->body > e->start) {
        int64_t before = p->recorded, now = play_now(p);
        size_t column = t->len;
        while (column > 0 && t->s[column - 1] == ' ')
            column--;
        t->len = column;
        put_time(p, now);
        p->recorded = now;
        if (e->kind == DRILL_CALL && e->call->blocking) {
            t->len--;
            drill_print(t, "...%g ", (double)(end - before) / 1e9);
        }
    }
    /* the indent of the next one's time goes with it */
    drill_put(t, e->body, (size_t)(stop - e->body));
}
