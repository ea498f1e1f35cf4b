/* fold.c - which segments get a line, and how the others are counted.
 *
 * What changes a state gets a line, always. Other segments do while there are few: the first of
 * each kind of event (a loss, a retransmission, a zero window, ...) and some more, payloads that
 * have a name, the first segments of each run. The rest is folded into ranges and counts, which are
 * written when something else happens, and from time to time while nothing does, ever less often. A
 * second of silence makes lines affordable again.
 */
#include "watch/inside.h"

#include <stdlib.h>

#define SECOND 1000000000u

enum {
    RUN_LINES = 6, /* payload segments in a row, one way */
    PLAIN_LINES = 40,
    NAME_LINES = 24,
    EVENT_LINES = 4, /* beside the first of each kind */
    RESET_LINES = 6,
    COUNT_FIRST = 256, /* segments in the first fold; then twice as many, and so on */
    TIME_MOST = 60,    /* seconds */
};

/* Kinds of events. */
enum {
    EVENT_LOST = 1 << 0,
    EVENT_DROPPED = 1 << 1,
    EVENT_CORRUPTED = 1 << 2,
    EVENT_COPY = 1 << 3,
    EVENT_LATE = 1 << 4,
    EVENT_AGAIN_TIMER = 1 << 5,
    EVENT_AGAIN_FAST = 1 << 6,
    EVENT_AGAIN_PROBE = 1 << 7,
    EVENT_AGAIN = 1 << 8,
    EVENT_ZERO_WINDOW = 1 << 9,
    EVENT_WINDOW_OPENS = 1 << 10,
    EVENT_PROBE = 1 << 11,
    EVENT_DUP_ACK = 1 << 12,
    EVENT_IGNORED = 1 << 13,
    EVENT_OPEN = 1 << 14,
    EVENT_OVERFLOW = 1 << 15,
};

void fold_init(struct track *k)
{
    k->may_plain = PLAIN_LINES;
    k->may_name = NAME_LINES;
    k->may_event = EVENT_LINES;
    k->may_reset = RESET_LINES;
    k->fold.count_max = COUNT_FIRST;
    k->fold.time_max = SECOND;
}

/* ---- deciding -------------------------------------------------------------------------------- */

static uint16_t events_of(const struct item *item)
{
    static const uint16_t by_fate[] = {
        [FATE_OPEN] = EVENT_OPEN,         [FATE_PROCESSED] = 0,
        [FATE_LOST] = EVENT_LOST,         [FATE_DROPPED] = EVENT_DROPPED,
        [FATE_OVERFLOW] = EVENT_OVERFLOW, [FATE_TOO_BIG] = EVENT_OVERFLOW};
    static const uint16_t by_again[] = {[AGAIN_NOT] = 0,
                                        [AGAIN_TIMER] = EVENT_AGAIN_TIMER,
                                        [AGAIN_FAST] = EVENT_AGAIN_FAST,
                                        [AGAIN_PROBE] = EVENT_AGAIN_PROBE,
                                        [AGAIN_UNKNOWN] = EVENT_AGAIN};
    static const struct {
        uint32_t note;
        uint16_t event;
    } by_note[] = {{NOTE_ZERO_WINDOW, EVENT_ZERO_WINDOW},
                   {NOTE_WINDOW_OPENS, EVENT_WINDOW_OPENS},
                   {NOTE_WINDOW_PROBE | NOTE_KEEP_ALIVE, EVENT_PROBE},
                   {NOTE_DUP_ACK, EVENT_DUP_ACK}};
    unsigned events = by_fate[item->fate] | by_again[item->again];
    for (size_t i = 0; i < ARRAY_LEN(by_note); i++)
        if (item->notes & by_note[i].note)
            events |= by_note[i].event;
    if (item->marks & TIMELINE_CORRUPTED)
        events |= EVENT_CORRUPTED;
    if (item->marks & TIMELINE_DUPLICATE)
        events |= EVENT_COPY;
    if (item->marks & TIMELINE_LATE)
        events |= EVENT_LATE;
    if (item->drop != TERN_DROP_NONE && item->drop != TERN_DROP_TCP_CLOSED)
        events |= EVENT_IGNORED;
    return (uint16_t)events;
}

static bool take(uint16_t *may)
{
    if (*may == 0)
        return false;
    --*may;
    return true;
}

static uint16_t at_least(uint16_t have, uint16_t n) { return have > n ? have : n; }

/* After silence someone may be typing, or the next request is coming (not so when the silence was a
 * timer's). */
static void after_silence(struct track *k)
{
    k->may_plain = at_least(k->may_plain, 12);
    k->may_name = at_least(k->may_name, 8);
    k->may_event = at_least(k->may_event, 4);
    k->may_reset = at_least(k->may_reset, 2);
    k->run[0] = k->run[1] = 0;
    k->bulk = false;
    k->fold.count_max = COUNT_FIRST;
    k->fold.time_max = SECOND;
}

static bool plain_line(struct track *k, const struct item *item)
{
    bool fresh = item->notes & NOTE_FIRST_DATA;
    if (fresh)
        k->bulk = false;
    if (item->len == 0)
        return k->fold.count == 0 && !k->bulk && take(&k->may_plain);
    uint16_t *run = &k->run[item->from];
    *run = fresh ? 1 : (uint16_t)min_u32(*run + 1u, UINT16_MAX);
    return *run <= RUN_LINES && (k->fold.count == 0 || fresh) && take(&k->may_plain);
}

/* Whether it gets a line. */
static bool has_line(struct track *k, const struct item *item)
{
    if (item->kind != ITEM_SEGMENT || item->change_count[0] != 0 || item->change_count[1] != 0 ||
        item->crossed)
        return true;
    if (item->icmp || item->flags & TCP_RST)
        return take(&k->may_reset);
    if (item->flags & (TCP_SYN | TCP_FIN) || item->notes & (NOTE_HALF_DATA | NOTE_FIN_ACKED))
        return true;
    uint16_t events = events_of(item);
    if (events & ~k->kinds_seen) {
        k->kinds_seen |= events;
        return true;
    }
    if (events == EVENT_DUP_ACK) /* the first says it all */
        return false;
    if (events != 0)
        return take(&k->may_event);
    if (item->name != NULL && take(&k->may_name)) {
        k->run[item->from] = 1;
        return true;
    }
    return plain_line(k, item);
}

/* ---- counting -------------------------------------------------------------------------------- */

static void count(struct fold_dir *d, const struct item *item)
{
    bool copy = item->marks & TIMELINE_DUPLICATE;
    d->copies += copy;
    d->lost += item->fate != FATE_PROCESSED && item->fate != FATE_OPEN;
    d->corrupted += (item->marks & TIMELINE_CORRUPTED) != 0;
    d->late += (item->marks & TIMELINE_LATE) != 0;
    d->resets += (item->flags & TCP_RST) != 0;
    if (copy)
        return;
    d->again += item->again != AGAIN_NOT;
    d->by_timer += item->again == AGAIN_TIMER;
    d->dup_acks += (item->notes & NOTE_DUP_ACK) != 0;
    d->zero_windows += (item->notes & NOTE_ZERO_WINDOW) != 0;
    if (item->len == 0) {
        d->acks++;
        return;
    }
    int64_t end = item->seq + item->len;
    if (d->segments == 0 || item->seq < d->lo)
        d->lo = item->seq;
    if (d->segments == 0 || end > d->hi)
        d->hi = end;
    d->segments++;
    d->bytes += item->len;
}

void fold_drop(struct timeline *t, struct track *k)
{
    struct fold *f = &k->fold;
    for (uint32_t i = 0; i < min_u32(f->count, FOLD_KEPT); i++)
        if (f->kept[i] != NULL)
            item_free(t, f->kept[i]);
    free(f->name);
    t->folding -= f->count != 0;
    uint32_t count_max = f->count_max;
    uint64_t time_max = f->time_max;
    memset(f, 0, sizeof(*f));
    f->count_max = count_max;
    f->time_max = time_max;
}

static void add(struct timeline *t, struct track *k, struct item *item)
{
    struct fold *f = &k->fold;
    if (f->count == 0) {
        f->first = item->time;
        t->folding++;
    }
    f->last = item->time;
    count(&f->dir[item->from], item);
    if (f->count < FOLD_KEPT) {
        f->kept[f->count++] = item;
        return;
    }
    for (uint32_t i = 0; i < FOLD_KEPT; i++) {
        if (f->kept[i] == NULL)
            continue;
        if (f->kept[i]->name != NULL) {
            free(f->name);
            f->name = f->kept[i]->name;
            f->kept[i]->name = NULL;
        }
        item_free(t, f->kept[i]);
        f->kept[i] = NULL;
    }
    f->count++;
    if (item->name != NULL) {
        free(f->name);
        f->name = item->name;
        item->name = NULL;
    }
    item_free(t, item);
    if (f->count < f->count_max && f->last - f->first < f->time_max)
        return;
    fold_write(t, k);
    k->bulk = true;
    f->count_max = min_u32(f->count_max, UINT32_MAX / 2) * 2;
    f->time_max = min_u64(f->time_max * 2, (uint64_t)TIME_MOST * SECOND);
}

/* ---- writing --------------------------------------------------------------------------------- */

static void piece(struct line *l, enum style style, enum watch_message id, struct message_args args)
{
    char s[PIECE_MAX];
    line_piece(l, style, 0, message(s, sizeof(s), id, args));
}

/* Pieces of a rank other than 0 are the first that a narrow line goes without. */
struct counted {
    uint64_t n;
    enum watch_message one, many;
    enum style style;
    uint8_t rank;
};

static void piece_count(struct line *l, struct counted c)
{
    char s[PIECE_MAX], n[TEXT_VALUE];
    if (c.n != 0)
        line_piece(l, c.style, c.rank,
                   message(s, sizeof(s), c.n == 1 ? c.one : c.many, ARGS(text_number(n, c.n))));
}

static void add_segments(struct line *l, const struct fold_dir *d)
{
    piece_count(l, (struct counted){d->segments, MSG_SEGMENT, MSG_SEGMENTS, STYLE_PLAIN, 0});
}

static void add_events(struct line *l, const struct fold *f)
{
    char a[TEXT_VALUE], b[TEXT_VALUE];
    const struct fold_dir *x = &f->dir[0], *y = &f->dir[1];
    uint64_t again = x->again + y->again, by_timer = x->by_timer + y->by_timer;
    const struct counted counts[] = {
        {x->late + y->late, MSG_N_LATE, MSG_N_LATE, STYLE_AGAIN, 0},
        {x->copies + y->copies, MSG_N_COPIES, MSG_N_COPIES, STYLE_AGAIN, 0},
        {x->zero_windows + y->zero_windows, MSG_N_ZERO_WINDOW, MSG_N_ZERO_WINDOWS, STYLE_AGAIN, 0},
        {x->resets + y->resets, MSG_N_RESET, MSG_N_RESETS, STYLE_BAD, 0},
        {x->dup_acks + y->dup_acks, MSG_N_DUP_ACK, MSG_N_DUP_ACKS, STYLE_AGAIN, 7},
    };
    piece_count(l, (struct counted){x->lost + y->lost, MSG_N_LOST, MSG_N_LOST, STYLE_BAD, 0});
    piece_count(l, (struct counted){x->corrupted + y->corrupted, MSG_N_CORRUPTED, MSG_N_CORRUPTED,
                                    STYLE_BAD, 0});
    if (by_timer != 0)
        piece(l, STYLE_AGAIN, MSG_N_AGAIN_TIMER,
              ARGS(text_number(a, again), text_number(b, by_timer)));
    else
        piece_count(l, (struct counted){again, MSG_N_AGAIN, MSG_N_AGAIN, STYLE_AGAIN, 0});
    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        piece_count(l, counts[i]);
}

/* "1.4 MB in 0.8 s" */
static void add_amount(struct line *l, const struct fold *f, const struct fold_dir *d)
{
    char bytes[TEXT_VALUE], time[TEXT_VALUE];
    piece(l, STYLE_PLAIN, f->last != f->first ? MSG_BYTES_IN : MSG_BYTES,
          ARGS(text_bytes(bytes, d->bytes), text_duration(time, f->last - f->first)));
}

static void fill(struct line *l, const struct fold *f)
{
    char range[TEXT_VALUE];
    const struct fold_dir *d = &f->dir[l->from], *back = &f->dir[!l->from];
    l->arrow = ARROW_BULK;
    add_segments(l, d);
    if (d->segments != 0) {
        line_piece(l, STYLE_PLAIN, 0, range_text(range, d->lo, d->hi));
        add_amount(l, f, d);
    } else {
        piece_count(l, (struct counted){d->acks, MSG_ACK, MSG_ACKS, STYLE_PLAIN, 0});
    }
    if (back->segments != 0) {
        piece(l, STYLE_PLAIN, MSG_BACK, ARGS(range_text(range, back->lo, back->hi)));
        add_segments(l, back);
    } else {
        piece_count(l, (struct counted){back->acks, MSG_ACK_BACK, MSG_ACKS_BACK, STYLE_PLAIN, 8});
    }
    add_events(l, f);
    if (f->name != NULL)
        piece(l, STYLE_BOLD, MSG_LAST_NAME, ARGS(f->name));
}

static void write_counts(struct timeline *t, struct track *k)
{
    const struct fold *f = &k->fold;
    const struct fold_dir *d = f->dir;
    struct line l;
    title_write(t, k);
    line_init(&l, k, f->first);
    if (d[0].segments != 0 || d[1].segments != 0)
        l.from = d[1].bytes > d[0].bytes;
    else
        l.from = d[1].acks > d[0].acks;
    fill(&l, f);
    line_write(t, &l);
}

void fold_write(struct timeline *t, struct track *k)
{
    struct fold *f = &k->fold;
    if (f->count == 0)
        return;
    if (f->count <= FOLD_KEPT)
        for (uint32_t i = 0; i < f->count; i++)
            describe(t, f->kept[i]);
    else
        write_counts(t, k);
    fold_drop(t, k);
}

/* ---- items ----------------------------------------------------------------------------------- */

static void states_shown(const struct item *item)
{
    for (int end = 0; end < 2; end++) {
        uint8_t n = item->change_count[end];
        if (n == 0)
            continue;
        item->track->end[end].shown = item->change[end][n - 1].to;
        item->track->end[end].shown_known = true;
    }
}

void fold_item(struct timeline *t, struct item *item)
{
    struct track *k = item->track;
    states_shown(item);
    if (k->mode != MODE_FULL) {
        if (k->established != 0 && !k->opened)
            terse_opened(t, k);
        item_free(t, item);
    } else {
        bool moves_on = item->len != 0 && item->again == AGAIN_NOT;
        if (item->time > k->shown_at + SECOND && moves_on)
            after_silence(k);
        k->shown_at = max_u64(k->shown_at, item->time);
        if (!has_line(k, item)) {
            add(t, k, item);
            return;
        }
        fold_write(t, k);
        describe(t, item);
        item_free(t, item);
    }
    if (!k->concluded && track_over(k, true)) {
        if (k->mode == MODE_FULL)
            summary_write(t, k, t->latest);
        else
            terse_ended(t, k, t->latest);
    }
}
