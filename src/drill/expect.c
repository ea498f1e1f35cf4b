/* expect.c - packets that the script expects, and those that it sends. */
#include "drill/play.h"

#include <stdlib.h>
#include <string.h>

/* How long after its time a packet is waited for, so that the failure can say when it came. */
#define LATE_MAX (600 * NS_PER_S)

static void show_at(struct drill_text *t, const char *what, int64_t at,
                    const struct drill_packet *packet)
{
    drill_print(t, "\n%s packet: %9.6f ", what, (double)at / 1e9);
    drill_show_packet(t, packet);
}

void play_ignore(struct play *p, struct drill_out *o)
{
    struct drill_packet live;
    struct drill_flow flow;
    struct drill_text t = {0};
    if (p->request->trace) {
        const char *bad = drill_decode(o->data, o->len, &live, &flow);
        drill_show_packet(&t, &live);
        play_trace(p, "%9.6f > %s   (not looked at%s%s)", (double)o->time / 1e9, drill_string(&t),
                   bad ? ": " : "", bad ? bad : "");
        drill_text_free(&t);
    }
    free(o);
}

struct drill_out *play_take(struct play *p)
{
    struct drill_out *o = p->first;
    p->first = o->next;
    if (!p->first)
        p->last = NULL;
    return o;
}

/* The next packet of the peer's that has been sent by `limit`. */
static struct drill_out *next_packet(struct play *p, struct peer *peer, int64_t limit,
                                     struct drill_packet *live)
{
    struct drill_flow flow;
    for (;;) {
        while (p->first) {
            struct drill_out *o = play_take(p);
            const char *bad = drill_decode(o->data, o->len, live, &flow);
            if (bad)
                play_fail(p, p->event, "the stack sent %s", bad);
            if (bad || (peer && peer_owns(peer, live, &flow)))
                return o;
            play_ignore(p, o);
        }
        if (play_now(p) >= limit || p->failed)
            return NULL;
        play_step(p, limit);
    }
}

static const struct drill_opt *timestamps(const struct drill_packet *packet)
{
    for (size_t i = 0; i < packet->opt_count; i++)
        if (packet->opt[i].kind == DRILL_OPT_TS)
            return &packet->opt[i];
    return NULL;
}

/* Notes our timestamp; checks that its clock advances as the script says, if it says how. */
static bool clock_matches(struct play *p, struct peer *peer, const struct drill_packet *script,
                          const struct drill_packet *live, struct drill_text *why)
{
    const struct drill_opt *e = timestamps(script), *a = timestamps(live);
    if (!e || !a)
        return true;
    peer_note_ts(peer, e->value[0], a->value[0]);
    if (p->conf.ts_tick == 0)
        return true;
    int64_t expected = (int32_t)(e->value[0] - peer->ts_first.script);
    int64_t actual = (int32_t)(a->value[0] - peer->ts_first.live);
    if (llabs(expected - actual) * p->conf.ts_tick <= p->conf.tolerance)
        return true;
    drill_print(why, "bad outbound TCP timestamp value: expected: %u vs actual: %u", e->value[0],
                (uint32_t)(peer->ts_first.script + (uint32_t)actual));
    return false;
}

/* What of the expected packet a shorter segment is: the rest stays in `script`. Whether it has a
 * PSH is the business of whoever cut it. */
static bool cut(const struct play *p, const struct drill_packet *live, struct drill_packet *script,
                struct drill_packet *part)
{
    *part = *script;
    if (p->conf.strict_segments || script->proto != DRILL_TCP || live->proto != DRILL_TCP ||
        live->len == 0 || live->len >= script->len)
        return false;
    part->len = live->len;
    part->end = part->seq + part->len;
    part->flags &= (uint16_t) ~(DRILL_PSH | DRILL_FIN);
    part->flags |= live->flags & DRILL_PSH;
    script->seq = part->end;
    script->len -= part->len;
    script->flags &= (uint16_t)~DRILL_CWR;
    return true;
}

static bool non_fatal(struct play *p, const struct drill_event *e, struct drill_text *why)
{
    if (p->conf.non_fatal_packet) {
        drill_print(&p->result->message, "%s:%u: warning handling packet: %s\n", p->script->path,
                    e->pos.line, drill_string(why));
        drill_text_free(why);
        return true;
    }
    play_fail(p, e, "error handling packet: %s", drill_string(why));
    drill_text_free(why);
    return false;
}

static void timing_error(struct play *p, struct drill_text *why, const int64_t span[2], int64_t at)
{
    if (span[0] == span[1])
        drill_print(why, "timing error: expected outbound packet at %.6f sec",
                    (double)span[0] / 1e9);
    else
        drill_print(why,
                    "timing error: expected outbound packet in relative time range "
                    "%.6f~%.6f sec",
                    (double)span[0] / 1e9, (double)span[1] / 1e9);
    drill_print(why, " but happened at %.6f sec; tolerance %.6f sec", (double)at / 1e9,
                (double)p->conf.tolerance / 1e9);
}

/* One live packet against the (rest of the) expected one. */
static bool compare(struct play *p, const struct drill_event *e,
                    const struct drill_packet *expected, const struct drill_packet *live,
                    const int64_t times[3])
{
    struct drill_text why = {0};
    struct peer *peer = peer_outbound(p);
    bool fine = true;
    if (peer) {
        fine = clock_matches(p, peer, expected, live, &why);
        fine = fine && drill_match(expected, live, &why);
    }
    if (fine && e->time.when != DRILL_ANY_TIME && !play_on_time(p, times[0], times[1], times[2])) {
        timing_error(p, &why, times, times[2]);
        fine = false;
    }
    if (fine)
        return true;
    show_at(&why, "script", times[0], expected);
    show_at(&why, "actual", times[2], live);
    return non_fatal(p, e, &why);
}

static bool missing(struct play *p, const struct drill_event *e,
                    const struct drill_packet *expected, int64_t from)
{
    struct drill_text why = {0};
    drill_print(&why, "Timed out waiting for packet");
    show_at(&why, "script", from, expected);
    return non_fatal(p, e, &why);
}

bool play_expect(struct play *p, const struct drill_event *e, int64_t from, int64_t to)
{
    struct drill_packet expected = *e->packet, part, live;
    struct peer *peer = peer_outbound(p);
    bool more;
    if (!peer)
        return play_fail(p, e, "an outbound packet, but there is no socket");
    do {
        struct drill_out *o = next_packet(p, peer, to + LATE_MAX, &live);
        if (!o)
            return !p->failed && missing(p, e, &expected, from);
        int64_t times[3] = {from, to, o->time};
        struct drill_text t = {0};
        if (!p->failed && live.proto == DRILL_TCP && !drill_is_signed(o->data, o->len, &expected))
            play_fail(p, e, "the segment is not signed with the key of the script");
        free(o);
        if (p->failed)
            return false;
        peer_learn(peer, &expected, &live);
        peer_to_script(peer, &live);
        drill_show_packet(&t, &live);
        play_trace(p, "%9.6f > %s", (double)times[2] / 1e9, drill_string(&t));
        drill_text_free(&t);
        more = cut(p, &live, &expected, &part);
        if (!compare(p, e, &part, &live, times))
            return false;
    } while (more);
    p->result->checks.packets++;
    return true;
}

/* ---- inbound --------------------------------------------------------------------------------- */

static struct drill_flow reversed(const struct drill_flow *f)
{
    struct drill_flow r = {.sport = f->dport, .dport = f->sport};
    memcpy(r.src, f->dst, 16);
    memcpy(r.dst, f->src, 16);
    return r;
}

bool play_inject(struct play *p, const struct drill_event *e)
{
    static const char no_length[] = "the packet cannot be written";
    struct drill_packet live = *e->packet;
    struct peer *peer = peer_inbound(p, &live);
    const char *why = no_length;
    struct drill_quoted quoted = {.flow = peer->flow, .proto = live.quote.proto};
    struct drill_flow flow = reversed(&peer->flow);
    uint8_t *bytes = malloc(DRILL_PACKET_MAX + 64);
    if (!bytes)
        abort();
    if (live.win < 0)
        live.win = p->last_win;
    p->last_win = (int)live.win;
    peer_to_live(peer, &live);
    quoted.seq = live.quote.seq + (peer->isn_known ? peer->offset : 0);
    quoted.len = live.quote.len;
    size_t len = drill_encode(&live, &flow, &quoted, bytes, &why);
    if (len > 0) {
        struct drill_text t = {0};
        drill_show_packet(&t, e->packet);
        play_trace(p, "%9.6f < %s", (double)play_now(p) / 1e9, drill_string(&t));
        drill_text_free(&t);
        p->sut->ops->inject(p->sut, bytes, len);
    }
    free(bytes);
    return len > 0 || play_fail(p, e, "error injecting packet: %s", why);
}
