/* track.c - the books of each connection, kept from its packets: who opened it, relative numbers,
 * what is sent again and why, windows, who closes.
 *
 * All of it happens when a segment leaves, in the order of leaving, so that "again" means what its
 * sender means by it. States come from the stack's records alone; where none come, nothing is
 * inferred.
 */
#include "watch/inside.h"

#include <stdlib.h>

#include "base/seq.h"
#include "base/siphash.h"
#include "watch/payload.h"

#define MS 1000000u

enum { FULL_LIVE_MAX = 6, FULL_MAX = 40, TERSE_MAX = 240, BUCKETS_MIN = 64 };

/* ---- finding --------------------------------------------------------------------------------- */

/* A connection's two addresses; [0] is end 0's. */
struct pair {
    tern_addr end[2];
};

/* Keyed by where the time line lies in memory: others choose the addresses, not the buckets. */
static uint64_t pair_hash(const struct timeline *t, const struct pair *a)
{
    struct siphash_key key = {(uint64_t)(uintptr_t)t, 0x74696d656c696e65u ^ t->conf.start};
    uint64_t words[5] = {load_le64(a->end[0].ip), load_le64(a->end[0].ip + 8),
                         load_le64(a->end[1].ip), load_le64(a->end[1].ip + 8),
                         (uint64_t)a->end[0].port << 16 | a->end[1].port};
    return siphash13_words(&key, words, ARRAY_LEN(words));
}

/* From `k` on, the next of this pair. */
static struct track *same_pair(struct track *k, uint64_t hash, const struct pair *a)
{
    while (k != NULL && (k->hash != hash || !addr_equal(&k->end[0].addr, &a->end[0]) ||
                         !addr_equal(&k->end[1].addr, &a->end[1])))
        k = k->chain;
    return k;
}

static struct track *find(const struct timeline *t, const struct pair *a)
{
    if (t->bucket_count == 0)
        return NULL;
    uint64_t hash = pair_hash(t, a);
    return same_pair(t->buckets[hash & (t->bucket_count - 1)], hash, a);
}

/* ---- making ---------------------------------------------------------------------------------- */

static bool grow(struct timeline *t)
{
    if (t->track_count == t->track_room) {
        uint32_t room = t->track_room == 0 ? BUCKETS_MIN : t->track_room * 2;
        struct track **tracks = realloc(t->tracks, room * sizeof(struct track *));
        if (tracks == NULL)
            return false;
        t->tracks = tracks;
        t->track_room = room;
    }
    if (t->track_count < t->bucket_count)
        return true;
    uint32_t count = t->bucket_count == 0 ? BUCKETS_MIN : t->bucket_count * 2;
    struct track **buckets = calloc(count, sizeof(struct track *));
    if (buckets == NULL)
        return false;
    for (uint32_t i = 0; i < t->track_count; i++) { /* in order: the newest end up first */
        struct track *k = t->tracks[i];
        k->chain = buckets[k->hash & (count - 1)];
        buckets[k->hash & (count - 1)] = k;
    }
    free(t->buckets);
    t->buckets = buckets;
    t->bucket_count = count;
    return true;
}

static uint8_t mode_of_next(const struct timeline *t)
{
    if (t->track_count >= TERSE_MAX)
        return MODE_SILENT;
    return t->track_count >= FULL_MAX || t->live >= FULL_LIVE_MAX ? MODE_TERSE : MODE_FULL;
}

static struct track *make(struct timeline *t, const struct pair *a, uint64_t now)
{
    if (t->track_count == TRACKS_MAX) {
        t->not_tracked++;
        return NULL;
    }
    struct track *k = grow(t) ? calloc(1, sizeof(*k)) : NULL;
    if (k == NULL) {
        t->no_memory = true;
        return NULL;
    }
    k->hash = pair_hash(t, a);
    k->began = k->last = now;
    k->opener = k->closed_first = k->reset_by = -1;
    k->mode = mode_of_next(t);
    for (int i = 0; i < 2; i++) {
        k->end[i].addr = a->end[i];
        k->end[i].fin = -1;
    }
    fold_init(k);
    uint64_t bucket = k->hash & (t->bucket_count - 1);
    k->chain = t->buckets[bucket];
    t->buckets[bucket] = k;
    t->tracks[t->track_count++] = k;
    k->number = t->track_count - 1 + max_u32(t->conf.first, 1);
    t->live++;
    return k;
}

void tracks_free(struct timeline *t)
{
    for (uint32_t i = 0; i < t->track_count; i++) {
        struct track *k = t->tracks[i];
        fold_drop(t, k);
        free(k->end[0].reports);
        free(k->end[1].reports);
        free(k);
    }
    free(t->tracks);
    free(t->buckets);
}

static bool state_is_last(uint8_t state)
{
    return state == TERN_CLOSED || state == TERN_TIME_WAIT || state == TERN_LISTEN;
}

/* Whether that end has nothing more to do with the connection. */
static bool done_at(const struct track *k, int end)
{
    const struct track_end *e = &k->end[end];
    return k->over || (e->state_known && state_is_last(e->state));
}

/* Whether a SYN from `end` begins another connection between the same addresses. */
static bool begins_anew(const struct track *k, int end, const struct packet *p)
{
    const struct track_end *e = &k->end[end];
    if ((p->tcp.flags & (TCP_SYN | TCP_ACK)) != TCP_SYN || (e->isn_known && e->isn == p->tcp.seq))
        return false;
    return done_at(k, end) || (!e->state_known && e->isn_known && k->ending != ENDING_NONE);
}

struct track *track_of_packet(struct timeline *t, const struct packet *p, int from, uint64_t now)
{
    struct pair a;
    packet_pair(p, from, a.end);
    if (p->is_icmp)
        return find(t, &a);
    struct track *k = find(t, &a);
    return k == NULL || begins_anew(k, from, p) ? make(t, &a, now) : k;
}

struct track *track_of_record(struct timeline *t, int end, const tern_trace *r)
{
    struct pair a;
    if (r->peer.port == 0) /* of a listener, or of a packet that was dropped early */
        return NULL;
    a.end[end] = r->local;
    a.end[!end] = r->peer;
    struct track *newest = find(t, &a);
    if (r->kind != TERN_TRACE_STATE)
        return newest;
    if (r->to == TERN_SYN_SENT && (newest == NULL || done_at(newest, end)))
        return make(t, &a, max_u64(r->now, t->latest));
    /* TIME-WAIT of an older connection may end after a newer one has begun */
    for (struct track *k = newest; k != NULL; k = same_pair(k->chain, k->hash, &a))
        if (k->end[end].state_known && k->end[end].state == r->from)
            return k;
    return newest;
}

/* ---- numbers --------------------------------------------------------------------------------- */

static int64_t relative(const struct track_end *e, uint32_t number)
{
    return e->snd_max + (int32_t)(number - (e->isn + (uint32_t)e->snd_max));
}

/* Without a SYN the first number seen counts as 1. */
static void base_guess(struct track_end *e, uint32_t number)
{
    if (e->based)
        return;
    e->based = true;
    e->isn = number - 1;
    e->snd_max = 1;
}

static void set_numbers(struct track_end *e, struct track_end *o, struct item *item,
                        const struct wire_tcp *h)
{
    if ((h->flags & TCP_SYN) && !e->isn_known) {
        e->isn_known = e->based = true;
        e->isn = h->seq;
        e->snd_max = 0;
    } else if (!(h->flags & TCP_RST)) { /* that of a refusal is 0 by rule, not one of its own */
        base_guess(e, h->seq);
    }
    item->seq_abs = h->seq;
    item->seq = e->based ? relative(e, h->seq) : 0;
    if (!(h->flags & TCP_ACK))
        return;
    base_guess(o, h->ack);
    item->ack_abs = h->ack;
    item->ack = relative(o, h->ack);
    item->sack_count = (uint8_t)min_u32(h->opt.sack_count, SACKS_MAX);
    for (uint32_t i = 0; i < item->sack_count; i++) {
        item->sack[i][0] = relative(o, h->opt.sack[i].lo);
        item->sack[i][1] = relative(o, h->opt.sack[i].hi);
    }
}

/* ---- opening --------------------------------------------------------------------------------- */

static void take_syn(struct track *k, struct item *item, const struct wire_tcp *h)
{
    struct track_end *e = &k->end[item->from], *o = &k->end[!item->from];
    if (h->flags & TCP_ACK) {
        item->gap = o->syn_sent;
    } else if (k->opener < 0) {
        k->opener = (int8_t)item->from;
    } else if (k->opener != item->from && e->syns == 0) {
        item->notes |= NOTE_SIMULTANEOUS_OPEN;
    }
    e->syns++;
    e->syn_acks += (h->flags & TCP_ACK) != 0;
    if (!(h->flags & TCP_ACK))
        e->syn_sent = item->time;
    if (h->opt.have & WIRE_OPT_MSS)
        e->mss = h->opt.mss;
    if (h->opt.have & WIRE_OPT_WSCALE) {
        e->has_wscale = true;
        e->wscale = (uint8_t)min_u32(h->opt.wscale, WIRE_WSCALE_MAX);
    }
}

/* ---- again ----------------------------------------------------------------------------------- */

void track_report(struct track *k, int end, const tern_trace *r)
{
    static const uint8_t why[] = {[TERN_RTX_RTO] = AGAIN_TIMER,
                                  [TERN_RTX_FAST] = AGAIN_FAST,
                                  [TERN_RTX_PROBE] = AGAIN_PROBE,
                                  [TERN_RTX_SYN] = AGAIN_TIMER};
    struct track_end *e = &k->end[end];
    if (e->reports == NULL && (e->reports = calloc(REPORTS_MAX, sizeof(struct report))) == NULL)
        return;
    struct report *report = &e->reports[e->report_next++ % REPORTS_MAX];
    report->seq = r->seq;
    report->len = max_u32(r->len, 1);
    report->why = r->why < ARRAY_LEN(why) ? why[r->why] : (uint8_t)AGAIN_UNKNOWN;
}

/* From the latest report that covers it; without reports, from what its sender had heard. */
static enum again why_again(const struct track_end *e, const struct track_end *o,
                            const struct item *item)
{
    if (item->flags & TCP_SYN) /* a SYN ACK also goes out again because the SYN came again */
        return item->flags & TCP_ACK ? AGAIN_UNKNOWN : AGAIN_TIMER;
    for (uint32_t i = 1; i <= REPORTS_MAX && e->reports != NULL; i++) {
        const struct report *r = &e->reports[(e->report_next - i) % REPORTS_MAX];
        if (r->len != 0 && seq_in(item->seq_abs, r->seq, r->len))
            return r->why;
    }
    if (e->reports != NULL)
        return AGAIN_UNKNOWN;
    if (o->dup_acks >= 3) /* RFC 5681 3.2 */
        return AGAIN_FAST;
    return item->time - e->sent >= 200 * MS ? AGAIN_TIMER : AGAIN_UNKNOWN;
}

/* Whether all or part of it was sent before, and what new it has. */
static void take_numbers(struct track *k, struct item *item)
{
    struct track_end *e = &k->end[item->from], *o = &k->end[!item->from];
    bool syn = item->flags & TCP_SYN, fin = item->flags & TCP_FIN;
    int64_t end = item->seq + item->len + syn + fin;
    /* in a simultaneous open each side sends its SYN once more to acknowledge the other's */
    bool syn_again = item->flags & TCP_ACK ? e->syn_acks > 1 : e->syns > 1;
    bool again = (syn && syn_again) || (item->len != 0 && item->seq < e->snd_max) ||
                 (fin && e->fin >= 0 && item->seq + item->len == e->fin);
    bool below = item->seq == e->snd_max - 1 && e->snd_max > 1 && !syn && !fin;
    bool shut = o->has_wnd && o->wnd == 0;
    if ((below && item->len == 0) || (shut && item->len == 1 && !fin)) {
        item->notes |= shut ? NOTE_WINDOW_PROBE : NOTE_KEEP_ALIVE;
        again = false;
    }
    if (again) {
        item->again = (uint8_t)why_again(e, o, item);
        e->retransmitted++;
        e->unanswered++;
    }
    if (end > e->snd_max)
        e->snd_max = end;
}

/* ---- windows and acknowledgements ------------------------------------------------------------ */

static void take_window(struct track *k, struct item *item, const struct wire_tcp *h)
{
    struct track_end *e = &k->end[item->from], *o = &k->end[!item->from];
    bool syn = h->flags & TCP_SYN, scaled = !syn && e->has_wscale && o->has_wscale;
    item->wnd = (uint32_t)h->wnd << (scaled ? e->wscale : 0);
    if (h->flags & TCP_RST)
        return;
    bool bare = item->len == 0 && !(h->flags & (TCP_SYN | TCP_FIN)), same = item->ack == e->ack;
    if (e->has_wnd && !syn && e->acked) {
        bool sack = h->opt.have & WIRE_OPT_SACK;
        if (e->wnd != 0 && item->wnd == 0)
            item->notes |= NOTE_ZERO_WINDOW;
        else if (e->wnd == 0 && item->wnd != 0)
            item->notes |= NOTE_WINDOW_OPENS;
        else if (bare && same && item->wnd > e->wnd && !sack)
            item->notes |= NOTE_WINDOW_UPDATE;
        else if (bare && same && item->wnd != 0 && (sack || item->wnd == e->wnd) &&
                 o->snd_max > item->ack && !(item->notes & NOTE_KEEP_ALIVE)) {
            item->notes |= NOTE_DUP_ACK;
            item->count = ++e->dup_acks;
        }
    }
    if (!same)
        e->dup_acks = 0;
    if (h->flags & TCP_ACK) {
        e->acked = true;
        e->ack = item->ack;
    }
    e->wnd = item->wnd;
    e->has_wnd = true;
}

/* ---- closing --------------------------------------------------------------------------------- */

static void take_fin(struct track *k, struct item *item)
{
    struct track_end *e = &k->end[item->from], *o = &k->end[!item->from];
    bool first = (item->flags & TCP_FIN) && e->fin < 0;
    bool acks = (item->flags & TCP_ACK) && o->fin >= 0 && item->ack > o->fin;
    if (first) {
        e->fin = item->seq + item->len;
        if (o->fin < 0) {
            item->notes |= NOTE_ACTIVE_CLOSE;
            k->closed_first = (int8_t)item->from;
        } else if (!e->fin_heard && !acks) {
            item->notes |= NOTE_SIMULTANEOUS_CLOSE;
            k->together = true;
            k->closed_first = -1;
        } else if (e->fin_acked == 0) {
            item->notes |= NOTE_PASSIVE_JOINED;
        } else {
            item->notes |= NOTE_PASSIVE_APART;
            item->gap = item->time - e->fin_acked;
        }
    }
    if (acks && e->fin_acked == 0) {
        e->fin_acked = max_u64(item->time, 1);
        if (e->fin < 0)
            item->notes |= NOTE_FIN_ACKED;
    } else if (e->fin_acked != 0 && e->fin < 0 && item->len != 0 && !k->half_said) {
        item->notes |= NOTE_HALF_DATA;
        k->half_said = true;
    }
    if (e->fin_acked != 0 && o->fin_acked != 0 && k->ending == ENDING_NONE)
        k->ending = ENDING_CLOSED;
}

static void take_rst(struct track *k, struct item *item)
{
    struct track_end *e = &k->end[item->from];
    if (k->ending == ENDING_REFUSED) {
        item->notes |= NOTE_REFUSED;
    } else if (k->ending == ENDING_CLOSED || k->ending == ENDING_RESET) {
        item->notes |= NOTE_RESET_AGAIN;
    } else if (k->established == 0 && e->syns == 0 && k->opener == !item->from) {
        item->notes |= NOTE_REFUSED;
        k->ending = ENDING_REFUSED;
    } else {
        item->notes |= NOTE_RESET;
        k->ending = ENDING_RESET;
        k->reset_by = (int8_t)item->from;
    }
    e->reset = true;
}

/* ---- a segment ------------------------------------------------------------------------------- */

/* Only what begins a turn can be a first line: what follows in the same direction is more of it. */
static void take_payload(struct track *k, struct item *item, const struct packet *p)
{
    struct track_end *e = &k->end[item->from], *o = &k->end[!item->from];
    if (item->len == 0 || item->again != AGAIN_NOT || e->turn || (item->flags & TCP_RST))
        return;
    e->turn = true;
    o->turn = false;
    item->notes |= NOTE_FIRST_DATA;
    char name[PAYLOAD_NAME];
    if (payload_name(p->payload, p->here, name) != 0)
        item->name = strdup(name); /* without memory: a segment without a name */
}

static void copy_header(struct item *item, const struct packet *p)
{
    const struct wire_tcp *h = &p->tcp;
    item->flags = h->flags;
    item->len = (uint32_t)p->len;
    item->options = h->opt.have;
    item->mss = h->opt.mss;
    item->wscale = h->opt.wscale;
}

bool track_over(const struct track *k, bool shown)
{
    bool any = false;
    for (int i = 0; i < 2; i++) {
        const struct track_end *e = &k->end[i];
        if (!(shown ? e->shown_known : e->state_known))
            continue;
        if (!state_is_last(shown ? e->shown : e->state))
            return false;
        any = true;
    }
    if (any)
        return true;
    if (k->end[0].state_known || k->end[1].state_known)
        return false;
    return (k->end[0].fin_done && k->end[1].fin_done) || k->ending == ENDING_REFUSED ||
           k->ending == ENDING_RESET;
}

/* Notices that it is over. */
static void settle(struct timeline *t, struct track *k)
{
    if (k->over || !track_over(k, false))
        return;
    k->over = true;
    k->ended = max_u64(t->latest, 1);
    t->live--;
}

void track_sent(struct timeline *t, struct item *item, const struct packet *p)
{
    struct track *k = item->track;
    struct track_end *e = &k->end[item->from], *o = &k->end[!item->from];
    k->last = item->time;
    if (p->is_icmp) {
        item->icmp = true;
        item->icmp_kind = (uint8_t)p->icmp.kind;
        item->icmp_type = p->icmp.type;
        item->icmp_code = p->icmp.code;
        item->wnd = p->icmp.mtu;
        return;
    }
    copy_header(item, p);
    set_numbers(e, o, item, &p->tcp);
    if (item->marks & TIMELINE_DUPLICATE) { /* nobody sent it */
        item->wnd = e->wnd;
        return;
    }
    e->segments++;
    if (item->flags & TCP_SYN)
        take_syn(k, item, &p->tcp);
    if (item->flags & TCP_RST)
        take_rst(k, item);
    else
        take_numbers(k, item);
    take_window(k, item, &p->tcp);
    take_fin(k, item);
    take_payload(k, item, p);
    e->sent = item->time;
    settle(t, k);
}

void track_lost(struct item *item)
{
    if (!item->icmp && !(item->marks & TIMELINE_DUPLICATE))
        item->track->end[item->from].lost++;
}

/* An ICMP error ends an attempt, not a connection (RFC 9293 3.9.2.2). */
static void take_icmp(struct track *k, const struct item *item)
{
    bool soft = item->icmp_kind == WIRE_ICMP_TOO_BIG || item->icmp_kind == WIRE_ICMP_QUENCH;
    if (k->established == 0 && k->ending == ENDING_NONE && !soft)
        k->ending = ENDING_UNREACHABLE;
}

static void opened(struct track *k, uint64_t now)
{
    if (k->established != 0)
        return;
    k->established = max_u64(now, 1);
    if (k->ending == ENDING_UNREACHABLE) /* it was not so bad */
        k->ending = ENDING_NONE;
}

/* From SYN to SYN ACK; where either was sent again and it is not sure which answers which (RFC 6298
 * 3), the time they were under way. */
static void take_rtt(struct track *k, const struct item *item)
{
    const struct track_end *e = &k->end[item->from], *o = &k->end[!item->from];
    if (k->rtt != 0 || item->gap == 0)
        return;
    bool sure = e->syns == 1 && o->syns == 1;
    k->rtt = sure ? item->arrived - item->gap : e->syn_under_way + o->syn_under_way;
}

void track_processed(struct timeline *t, struct item *item)
{
    struct track *k = item->track;
    struct track_end *e = &k->end[item->from], *o = &k->end[!item->from];
    if (item->marks & TIMELINE_CORRUPTED) {
        track_lost(item);
        return;
    }
    if (item->icmp) {
        take_icmp(k, item);
        return;
    }
    o->unanswered = 0;
    int64_t end = item->seq + item->len + ((item->flags & (TCP_SYN | TCP_FIN)) != 0);
    item->had = end <= e->heard;
    if (end > e->heard && item->drop == TERN_DROP_NONE)
        e->heard = end;
    if (item->flags & TCP_FIN)
        o->fin_heard = true;
    if (item->flags & TCP_ACK && o->fin >= 0 && item->ack > o->fin) {
        o->fin_done = true;
        settle(t, k);
    }
    if (item->flags & TCP_SYN)
        e->syn_under_way = item->arrived - item->time;
    if ((item->flags & (TCP_SYN | TCP_ACK)) != (TCP_SYN | TCP_ACK) || k->opener != !item->from)
        return;
    take_rtt(k, item);
    if (!e->state_known && !o->state_known)
        opened(k, item->arrived);
}

/* ---- states ---------------------------------------------------------------------------------- */

/* Closed by no segment. What the stack does then without a word is giving up, once it has tried. */
static void closed_alone(struct track *k, struct track_end *e, uint8_t from, uint64_t now)
{
    if (k->ending != ENDING_NONE)
        return;
    if (from == TERN_SYN_SENT ? e->syns != 0 && now - e->syn_sent >= 900 * MS
                              : e->unanswered != 0 && from != TERN_SYN_RECEIVED)
        k->ending = ENDING_TIMED_OUT;
}

void track_state(struct timeline *t, struct track *k, int end, struct change change,
                 const struct item *cause)
{
    struct track_end *e = &k->end[end];
    uint64_t now = max_u64(t->latest, 1);
    e->state = change.to;
    e->state_known = true;
    uint8_t moment = e->moment_next++ % ARRAY_LEN(e->moments);
    e->moments[moment].tick = t->tick;
    e->moments[moment].place = cause != NULL ? cause->tick : t->tick;
    if (change.to == TERN_ESTABLISHED)
        opened(k, now);
    if (change.to == TERN_TIME_WAIT)
        e->time_wait = now;
    if (change.to == TERN_CLOSED && cause == NULL)
        closed_alone(k, e, change.from, now);
    settle(t, k);
}

void track_placed(struct track *k, int end, uint64_t tick, const struct item *item)
{
    struct track_end *e = &k->end[end];
    for (uint32_t i = 0; i < ARRAY_LEN(e->moments); i++)
        if (e->moments[i].tick == tick)
            e->moments[i].place = item->tick;
}

bool track_crossed(const struct track *k, const struct item *item)
{
    const struct track_end *e = &k->end[!item->from];
    for (uint32_t i = 0; i < ARRAY_LEN(e->moments); i++)
        if (e->moments[i].tick < item->tick_arrived && e->moments[i].place > item->tick)
            return true;
    return false;
}
