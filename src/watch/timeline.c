/* timeline.c - the calls from outside, and the queue in which segments wait for their turn.
 *
 * A segment is shown when its fate is known and that of all that left before it, so that lines come
 * in the order of their times. A change of state belongs to the segment that was being taken in
 * when it happened, else to the next one its end sends; what none claims gets a line of its own.
 *
 * Two segments that cross can each change the other end's state while under way. Shown in one line
 * each, one end's states would run backwards: then such a segment gets two lines, where it leaves
 * and where it arrives.
 */
#include "watch/inside.h"

#include <stdlib.h>

enum { IDS_MIN = 256 };

struct timeline *timeline_new(const struct timeline_config *conf)
{
    struct timeline *t = calloc(1, sizeof(*t));
    if (t == NULL)
        return NULL;
    t->by_id = calloc(IDS_MIN, sizeof(struct item *));
    if (t->by_id == NULL) {
        free(t);
        return NULL;
    }
    t->by_id_count = IDS_MIN;
    t->conf = *conf;
    t->latest = t->shown = conf->start;
    layout_init(&t->layout, conf);
    return t;
}

/* ---- items ----------------------------------------------------------------------------------- */

static struct item *item_new(struct timeline *t)
{
    struct item *item = t->spare;
    if (item == NULL && (item = malloc(sizeof(*item))) == NULL) {
        t->no_memory = true;
        return NULL;
    }
    t->spare = item == t->spare ? item->next : t->spare;
    memset(item, 0, sizeof(*item));
    return item;
}

void item_free(struct timeline *t, struct item *item)
{
    free(item->name);
    item->next = t->spare;
    t->spare = item;
}

/* ---- items by id ----------------------------------------------------------------------------- */

static struct item **id_slot(const struct timeline *t, uint64_t id)
{
    return &t->by_id[(id * 0x9e3779b97f4a7c15u) >> 32 & (t->by_id_count - 1)];
}

static void ids_grow(struct timeline *t)
{
    uint32_t count = t->by_id_count, more = count * 2;
    struct item **by_id = calloc(more, sizeof(struct item *));
    if (by_id == NULL) /* it works as it is, only slower */
        return;
    struct item **old = t->by_id;
    t->by_id = by_id;
    t->by_id_count = more;
    for (uint32_t i = 0; i < count; i++)
        for (struct item *item = old[i], *next; item != NULL; item = next) {
            next = item->chain;
            struct item **slot = id_slot(t, item->id);
            item->chain = *slot;
            *slot = item;
        }
    free(old);
}

static void id_add(struct timeline *t, struct item *item)
{
    if (t->queued > t->by_id_count)
        ids_grow(t);
    struct item **slot = id_slot(t, item->id);
    item->chain = *slot;
    *slot = item;
    item->hashed = true;
}

static struct item *id_find(const struct timeline *t, const struct timeline_packet *p)
{
    struct item *item = *id_slot(t, p->id);
    while (item != NULL && (item->id != p->id || item->from != p->from))
        item = item->chain;
    return item;
}

static void id_remove(struct timeline *t, struct item *item)
{
    if (!item->hashed)
        return;
    struct item **at = id_slot(t, item->id);
    while (*at != item)
        at = &(*at)->chain;
    *at = item->chain;
    item->hashed = false;
}

/* ---- the queue ------------------------------------------------------------------------------- */

static void queue_insert(struct timeline *t, struct item *item)
{
    struct item *before = t->tail; /* almost always */
    while (before != NULL &&
           (before->time > item->time || (before->time == item->time && before->tick > item->tick)))
        before = before->prev;
    struct item *after = before != NULL ? before->next : t->head;
    item->prev = before;
    item->next = after;
    *(before != NULL ? &before->next : &t->head) = item;
    *(after != NULL ? &after->prev : &t->tail) = item;
    t->queued++;
}

static struct item *queue_pop(struct timeline *t)
{
    struct item *item = t->head;
    t->head = item->next;
    *(t->head != NULL ? &t->head->prev : &t->tail) = NULL;
    t->queued--;
    return item;
}

/* Whether a segment must be shown in two lines. It is enough that one of a pair needs it: a half
 * that waits for its arrival asks it of those that leave meanwhile. */
static bool crosses(const struct timeline *t, const struct item *item)
{
    int to = !item->from;
    if (item->kind != ITEM_SEGMENT || item->fate != FATE_PROCESSED || item->change_count[to] == 0 ||
        !t->arrivals_come)
        return false;
    if (track_crossed(item->track, item))
        return true;
    for (const struct item *i = t->head; i != NULL && i->time <= item->arrived; i = i->next)
        if (i->kind == ITEM_ARRIVAL && i->track == item->track)
            return true;
    return false;
}

/* Its first half is shown; the rest of it waits for its arrival. */
static void split(struct timeline *t, struct item *item)
{
    struct item *half = item_new(t);
    if (half == NULL)
        return;
    *half = *item;
    half->kind = ITEM_ARRIVAL;
    half->name = NULL;
    half->notes = 0;
    half->time = item->arrived;
    half->tick = item->tick_arrived;
    half->change_count[item->from] = 0;
    item->change_count[!item->from] = 0;
    item->crossed = true;
    queue_insert(t, half);
}

static void show(struct timeline *t, struct item *item)
{
    id_remove(t, item);
    for (int i = 0; i < 2; i++)
        if (t->arriving[i] == item)
            t->arriving[i] = NULL;
    if (crosses(t, item))
        split(t, item);
    fold_item(t, item);
}

/* Shows what can be shown; `all`: everything. */
static void drain(struct timeline *t, bool all)
{
    while (t->head != NULL && (all || t->head->fate != FATE_OPEN || t->head->kind != ITEM_SEGMENT ||
                               t->queued > QUEUED_MAX))
        show(t, queue_pop(t));
}

/* ---- changes of state ------------------------------------------------------------------------ */

static void change_add(struct item *item, int end, struct change change)
{
    uint8_t *n = &item->change_count[end];
    if (*n == CHANGES_MAX) { /* the last ones count */
        memmove(&item->change[end][0], &item->change[end][1],
                (CHANGES_MAX - 1) * sizeof(struct change));
        --*n;
    }
    item->change[end][(*n)++] = change;
}

/* Gives what is pending for that end to the item. */
static void claim(struct timeline *t, struct item *item, int end)
{
    for (struct pending **at = &t->pending; *at != NULL;) {
        struct pending *p = *at;
        if (p->track != item->track || p->end != end) {
            at = &p->next;
            continue;
        }
        change_add(item, end, p->change);
        track_placed(p->track, end, p->tick, item);
        *at = p->next;
        free(p);
    }
}

/* A line of its own. */
static void change_alone(struct timeline *t, const struct pending *p)
{
    struct item *item = item_new(t);
    if (item == NULL)
        return;
    struct track_end *e = &p->track->end[p->end];
    item->kind = ITEM_STATE;
    item->track = p->track;
    item->from = p->end;
    item->time = max_u64(p->time, t->shown);
    item->tick = item->tick_arrived = p->tick;
    item->count = e->syns;
    if (p->change.to == TERN_CLOSED && p->track->ending == ENDING_TIMED_OUT)
        item->notes = NOTE_GIVES_UP;
    change_add(item, p->end, p->change);
    queue_insert(t, item);
}

/* Whether a segment may still come that goes with it. A call of the application's is recorded with
 * the time of the call before, so the waiting begins with what is heard next. */
static bool may_be_claimed(const struct timeline *t, struct pending *p)
{
    if (p->change.from == TERN_TIME_WAIT)
        return false;
    if (p->heard == 0)
        p->heard = t->latest;
    return p->change.to == TERN_SYN_SENT || t->latest < p->heard + CLAIM_TIME;
}

static void expire(struct timeline *t, bool all)
{
    for (struct pending **at = &t->pending; *at != NULL;) {
        struct pending *p = *at;
        if (!all && may_be_claimed(t, p)) {
            at = &p->next;
            continue;
        }
        change_alone(t, p);
        *at = p->next;
        free(p);
    }
}

static void pend(struct timeline *t, struct track *k, int end, struct change change)
{
    struct pending *p = malloc(sizeof(*p));
    if (p == NULL) {
        t->no_memory = true;
        return;
    }
    *p = (struct pending){
        .track = k, .change = change, .end = (uint8_t)end, .time = t->latest, .tick = t->tick};
    struct pending **at = &t->pending;
    while (*at != NULL)
        at = &(*at)->next;
    *at = p;
}

static void take_state(struct timeline *t, int end, const tern_trace *r)
{
    struct track *k = track_of_record(t, end, r);
    if (k == NULL)
        return;
    struct change change = {r->from, r->to};
    struct item *item = t->arriving[end];
    bool caused = item != NULL && item->track == k;
    track_state(t, k, end, change, caused ? item : NULL);
    if (caused)
        change_add(item, end, change);
    else
        pend(t, k, end, change);
}

void timeline_trace(struct timeline *t, int end, const tern_trace *record)
{
    TERN_ASSERT(end == 0 || end == 1);
    t->tick++;
    t->latest = max_u64(t->latest, record->now);
    if (record->kind == TERN_TRACE_STATE) {
        if (record->from < TERN_STATE_COUNT && record->to < TERN_STATE_COUNT)
            take_state(t, end, record);
    } else if (record->kind == TERN_TRACE_RETRANSMIT) {
        struct track *k = track_of_record(t, end, record);
        if (k != NULL)
            track_report(k, end, record);
    } else if (record->kind == TERN_TRACE_DROP && t->arriving[end] != NULL) {
        t->arriving[end]->drop = record->why;
    }
}

/* ---- packets --------------------------------------------------------------------------------- */

static struct item *sent(struct timeline *t, const struct timeline_packet *p)
{
    TERN_ASSERT(p->from == 0 || p->from == 1);
    struct packet packet;
    if (!packet_read_part(p->data, p->have != 0 ? p->have : p->len, p->len, &packet))
        return NULL;
    struct track *k = track_of_packet(t, &packet, p->from, p->sent);
    struct item *item = k != NULL ? item_new(t) : NULL;
    if (item == NULL)
        return NULL;
    item->track = k;
    item->id = p->id;
    item->time = p->sent;
    item->tick = t->tick;
    item->from = (uint8_t)p->from;
    item->marks = p->marks;
    track_sent(t, item, &packet);
    if (!(p->marks & TIMELINE_DUPLICATE))
        claim(t, item, p->from);
    queue_insert(t, item);
    id_add(t, item);
    return item;
}

void timeline_sent(struct timeline *t, const struct timeline_packet *p)
{
    t->tick++;
    t->latest = max_u64(t->latest, p->now);
    sent(t, p);
    expire(t, false);
    drain(t, false);
}

/* It was taken in by the other end. */
static void processed(struct timeline *t, struct item *item, const struct timeline_packet *p)
{
    int to = !item->from;
    if (!t->arrivals_come) /* then all that has happened there is its doing */
        claim(t, item, to);
    t->arriving[to] = NULL;
    item->fate = FATE_PROCESSED;
    item->arrived = p->now;
    track_processed(t, item);
}

void timeline_fate(struct timeline *t, const struct timeline_packet *p, enum timeline_fate fate)
{
    static const uint8_t fates[] = {[TIMELINE_LOST] = FATE_LOST,
                                    [TIMELINE_DROPPED] = FATE_DROPPED,
                                    [TIMELINE_OVERFLOW] = FATE_OVERFLOW,
                                    [TIMELINE_TOO_BIG] = FATE_TOO_BIG};
    TERN_ASSERT(p->from == 0 || p->from == 1);
    t->tick++;
    t->latest = max_u64(t->latest, p->now);
    struct item *item = id_find(t, p);
    if (item == NULL && (item = sent(t, p)) == NULL)
        return;
    item->marks |= p->marks;
    item->tick_arrived = t->tick;
    if (fate == TIMELINE_ARRIVED) {
        t->arrivals_come = true;
        t->arriving[!item->from] = item;
        return;
    }
    if (fate == TIMELINE_PROCESSED) {
        processed(t, item, p);
    } else {
        TERN_ASSERT(fate < ARRAY_LEN(fates));
        item->fate = fates[fate];
        item->arrived = p->now;
        track_lost(item);
    }
    id_remove(t, item);
    expire(t, false);
    drain(t, false);
}

/* Writes what has been folded and quiet for that long. */
static void folds_write(struct timeline *t, uint64_t quiet)
{
    for (uint32_t i = 0; i < t->track_count && t->folding != 0; i++)
        if (t->tracks[i]->fold.last + quiet <= t->latest)
            fold_write(t, t->tracks[i]);
}

uint64_t timeline_due(const struct timeline *t)
{
    if (t->pending != NULL)
        return t->latest + CLAIM_TIME;
    bool silent = t->silent_opened + t->silent_ended != t->silent_told;
    return t->folding != 0 || silent ? t->latest + QUIET_TIME : TERN_NEVER;
}

void timeline_flush(struct timeline *t, uint64_t now)
{
    t->latest = max_u64(t->latest, now);
    expire(t, false);
    drain(t, false);
    folds_write(t, QUIET_TIME);
    silent_write(t, true);
}

void timeline_free(struct timeline *t, uint64_t now)
{
    if (t == NULL)
        return;
    t->latest = max_u64(t->latest, now);
    expire(t, true);
    drain(t, true);
    folds_write(t, 0);
    silent_write(t, true);
    summary_all(t, t->latest);
    tracks_free(t);
    for (struct item *next; t->spare != NULL; t->spare = next) {
        next = t->spare->next;
        free(t->spare);
    }
    free(t->by_id);
    free(t);
}
