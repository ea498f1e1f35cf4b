/* summary.c - what a connection came to, in sentences, as a row of a table, and as data. */
#include "watch/inside.h"

#include <inttypes.h>
#include <stdio.h>

enum { ROWS_MAX = 64, ROWS_PLAIN = 48 }; /* of the table; those that ended well are fewer */

/* ---- facts ----------------------------------------------------------------------------------- */

static uint64_t bytes_sent(const struct track_end *e)
{
    int64_t n = e->snd_max - 1 - (e->fin >= 0 && e->snd_max > e->fin ? 1 : 0);
    return n > 0 ? (uint64_t)n : 0;
}

enum watch_message ending_message(const struct track *k)
{
    static const enum watch_message endings[] = {[ENDING_CLOSED] = MSG_END_CLOSED,
                                                 [ENDING_REFUSED] = MSG_END_REFUSED,
                                                 [ENDING_TIMED_OUT] = MSG_END_TIMED_OUT,
                                                 [ENDING_UNREACHABLE] = MSG_END_UNREACHABLE};
    bool closing = k->end[0].fin >= 0 || k->end[1].fin >= 0;
    if (k->ending == ENDING_RESET) {
        bool client = k->opener < 0 ? k->reset_by == 0 : k->reset_by == k->opener;
        return client ? MSG_END_RESET_CLIENT : MSG_END_RESET_SERVER;
    }
    if (k->ending != ENDING_NONE)
        return endings[k->ending];
    if (k->established == 0 && !closing)
        return k->over ? MSG_END_NOT_OPENED : MSG_END_OPENING;
    return closing ? MSG_END_CLOSING : MSG_END_OPEN;
}

/* How long it lasted, or lasts. */
static uint64_t duration(const struct track *k, uint64_t now)
{
    uint64_t end = k->ended != 0 ? k->ended : now;
    return end - min_u64(end, k->began);
}

bool timeline_connection(const struct timeline *t, uint32_t i, struct timeline_connection *out)
{
    if (i >= t->track_count)
        return false;
    const struct track *k = t->tracks[i];
    memset(out, 0, sizeof(*out));
    out->number = k->number;
    memcpy(out->process, k->process, sizeof(out->process));
    out->began = k->began;
    out->established = k->established;
    out->ended = k->ended;
    out->rtt = k->rtt;
    for (int e = 0; e < 2; e++) {
        out->end[e] = k->end[e].addr;
        out->isn[e] = k->end[e].isn_known ? k->end[e].isn : 0;
        out->mss[e] = k->end[e].mss;
        out->bytes[e] = bytes_sent(&k->end[e]);
        out->segments[e] = k->end[e].segments;
        out->lost[e] = k->end[e].lost;
        out->retransmitted[e] = k->end[e].retransmitted;
        out->state[e] = k->end[e].state;
    }
    out->closed_first = k->closed_first;
    out->outcome = message_text(ending_message(k));
    return true;
}

void timeline_totals(const struct timeline *t, struct timeline_totals *out)
{
    memset(out, 0, sizeof(*out));
    out->connections = t->track_count;
    for (uint32_t i = 0; i < t->track_count; i++) {
        const struct track *k = t->tracks[i];
        out->established += k->established != 0;
        out->refused += k->ending == ENDING_REFUSED;
        out->reset += k->ending == ENDING_RESET;
        out->timed_out += k->ending == ENDING_TIMED_OUT;
        for (int e = 0; e < 2; e++) {
            out->segments += k->end[e].segments;
            out->retransmitted += k->end[e].retransmitted;
            out->lost += k->end[e].lost;
        }
        out->bytes_up += bytes_sent(&k->end[0]);
        out->bytes_down += bytes_sent(&k->end[1]);
    }
}

/* ---- sentences ------------------------------------------------------------------------------- */

struct sentence {
    char s[1024];
    size_t len;
};

static void say_text(struct sentence *x, const char *between, const char *s)
{
    size_t room = sizeof(x->s) - x->len;
    int n = snprintf(x->s + x->len, room, "%s%s", x->len != 0 ? between : "", s);
    x->len += min_size((size_t)n, room - 1);
}

static void say(struct sentence *x, const char *between, enum watch_message id,
                struct message_args args)
{
    char s[NOTE_MAX];
    say_text(x, between, message(s, sizeof(s), id, args));
}

static void say_count(struct sentence *x, enum watch_message id, uint64_t n)
{
    char s[TEXT_VALUE];
    if (n != 0)
        say(x, ", ", id, ARGS(text_number(s, n)));
}

static const char *const dot = " · ";

static void say_ending(struct sentence *x, const struct track *k, uint64_t now)
{
    char a[TEXT_VALUE], b[TEXT_VALUE];
    snprintf(x->s, sizeof(x->s), "#%" PRIu32 " ", k->number);
    x->len = strlen(x->s);
    say(x, "", k->over ? MSG_ENDED : MSG_SINCE,
        ARGS(message_text(ending_message(k)), text_duration(a, duration(k, now))));
    if (k->together)
        say(x, dot, MSG_CLOSED_TOGETHER, NO_ARGS);
    else if (k->closed_first >= 0)
        say(x, dot, MSG_CLOSED_FIRST, ARGS(end_name(k, k->closed_first, a)));
    for (int e = 0; e < 2 && !k->over; e++)
        if (k->end[e].state_known)
            say(x, dot, MSG_STATE_AT, ARGS(tern_state_name(k->end[e].state), end_name(k, e, b)));
}

static void say_opening(struct sentence *x, const struct track *k)
{
    char a[TEXT_VALUE], b[TEXT_VALUE];
    const struct track_end *e = k->end;
    snprintf(a, sizeof(a), "%" PRIu32, e[0].isn);
    snprintf(b, sizeof(b), "%" PRIu32, e[1].isn);
    if (e[0].isn_known && e[1].isn_known)
        say(x, dot, MSG_ISNS, ARGS(a, b));
    else if (e[0].isn_known || e[1].isn_known)
        say(x, dot, MSG_ISN_ONE, ARGS(e[0].isn_known ? a : b));
    snprintf(a, sizeof(a), "%u", e[0].mss);
    snprintf(b, sizeof(b), "%u", e[1].mss);
    if (e[0].mss != 0 && e[1].mss != 0 && e[0].mss != e[1].mss)
        say(x, dot, MSG_MSS_EACH, ARGS(a, b));
    else if (e[0].mss != 0 || e[1].mss != 0)
        say(x, dot, MSG_MSS_BOTH, ARGS(e[0].mss != 0 ? a : b));
    if (k->rtt != 0)
        say(x, dot, MSG_RTT, ARGS(text_duration(a, k->rtt)));
}

static void say_sent(struct sentence *x, const struct track *k, int end)
{
    char name[TEXT_VALUE], a[TEXT_VALUE];
    const struct track_end *e = &k->end[end];
    if (e->segments == 0)
        return;
    say(x, dot, MSG_SENDS, ARGS(end_name(k, end, name), text_bytes(a, bytes_sent(e))));
    if (e->segments == 1)
        say(x, " ", MSG_IN_SEGMENT, NO_ARGS);
    else
        say(x, " ", MSG_IN_SEGMENTS, ARGS(text_number(a, e->segments)));
    say_count(x, MSG_N_LOST, e->lost);
    say_count(x, MSG_N_SENT_AGAIN, e->retransmitted);
}

static void say_time_wait(struct sentence *x, const struct timeline *t, const struct track *k,
                          uint64_t now)
{
    char name[TEXT_VALUE], left[TEXT_VALUE];
    for (int end = 0; end < 2; end++) {
        const struct track_end *e = &k->end[end];
        uint64_t until = e->time_wait + 2 * t->conf.msl;
        if (e->time_wait != 0 && e->state == TERN_TIME_WAIT && now < until)
            say(x, dot, MSG_TIME_WAIT_LEFT,
                ARGS(end_name(k, end, name), text_duration(left, until - now)));
    }
}

static void finish(struct timeline *t, struct sentence *x, enum style style, uint32_t first)
{
    if (x->len != 0)
        text_write(t, style, first, 3, x->s);
    x->len = 0;
    x->s[0] = '\0';
}

void summary_write(struct timeline *t, struct track *k, uint64_t now)
{
    struct sentence x = {.len = 0};
    k->concluded = true;
    title_write(t, k);
    say_ending(&x, k, now);
    finish(t, &x, STYLE_BOLD, 0);
    say_opening(&x, k);
    finish(t, &x, STYLE_PLAIN, 3);
    say_sent(&x, k, 0);
    say_sent(&x, k, 1);
    finish(t, &x, STYLE_PLAIN, 3);
    say_time_wait(&x, t, k, now);
    finish(t, &x, STYLE_PLAIN, 3);
    t->paragraph = true;
}

/* ---- many connections ------------------------------------------------------------------------ */

static bool first_time(struct timeline *t, uint32_t what, enum watch_message id)
{
    if (t->said & what)
        return false;
    t->said |= what;
    text_write(t, STYLE_DIM, 0, 3, message_text(id));
    return true;
}

/* Whether this connection may have lines; if not, it is counted. */
static bool terse_line(struct timeline *t, const struct track *k, uint64_t *counter)
{
    if (k->mode == MODE_TERSE) {
        first_time(t, SAID_TERSE, MSG_TERSE);
        return true;
    }
    first_time(t, SAID_SILENT, MSG_SILENT);
    ++*counter;
    silent_write(t, false);
    return false;
}

void terse_opened(struct timeline *t, struct track *k)
{
    struct line l;
    char s[PIECE_MAX], a[TEXT_VALUE], b[TEXT_VALUE];
    k->opened = true;
    process_ask(t, k);
    if (!terse_line(t, k, &t->silent_opened))
        return;
    line_init(&l, k, k->established);
    line_piece(&l, STYLE_PLAIN, 0, message_text(MSG_OPENED));
    snprintf(s, sizeof(s), "%s %s %s", text_address(a, &k->end[0].addr), k->opener == 1 ? "←" : "→",
             text_address(b, &k->end[1].addr));
    line_piece(&l, STYLE_PLAIN, 0, s);
    if (k->rtt != 0)
        line_piece(&l, STYLE_PLAIN, 1,
                   message(s, sizeof(s), MSG_RTT, ARGS(text_duration(a, k->rtt))));
    line_write(t, &l);
}

void terse_ended(struct timeline *t, struct track *k, uint64_t now)
{
    struct line l;
    char s[PIECE_MAX], a[TEXT_VALUE];
    k->concluded = true;
    process_ask(t, k);
    if (!terse_line(t, k, &t->silent_ended))
        return;
    line_init(&l, k, k->ended != 0 ? k->ended : now);
    line_piece(&l, k->ending == ENDING_CLOSED ? STYLE_PLAIN : STYLE_BAD, 0,
               message(s, sizeof(s), MSG_ENDED,
                       ARGS(message_text(ending_message(k)), text_duration(a, duration(k, now)))));
    for (int e = 0; e < 2; e++) {
        snprintf(s, sizeof(s), "%s %s", e == 0 ? "→" : "←", text_bytes(a, bytes_sent(&k->end[e])));
        line_piece(&l, STYLE_PLAIN, 1, s);
    }
    uint64_t lost = k->end[0].lost + k->end[1].lost;
    if (lost != 0)
        line_piece(&l, STYLE_BAD, 2, message(s, sizeof(s), MSG_N_LOST, ARGS(text_number(a, lost))));
    line_write(t, &l);
}

void silent_write(struct timeline *t, bool always)
{
    char s[NOTE_MAX], a[TEXT_VALUE], b[TEXT_VALUE];
    uint64_t n = t->silent_opened + t->silent_ended;
    uint64_t step = max_u64(200, t->silent_told);
    if (n == t->silent_told || (!always && n < t->silent_told + step))
        return;
    t->silent_told = n;
    text_write(t, STYLE_PLAIN, 3, 3,
               message(s, sizeof(s), MSG_OPENED_ENDED,
                       ARGS(text_number(a, t->silent_opened), text_number(b, t->silent_ended))));
}

/* ---- the table ------------------------------------------------------------------------------- */

struct column {
    enum watch_message head;
    uint8_t cols, rank; /* the highest rank is left out first */
    bool right;
};

enum { COLUMNS = 10 };

static const struct column columns[COLUMNS] = {
    {MSG_COUNT, 6, 0, false},      {MSG_HEAD_PROCESS, 14, 3, false},
    {MSG_HEAD_PEER, 21, 6, false}, {MSG_HEAD_BEGAN, 10, 5, true},
    {MSG_HEAD_LASTED, 7, 2, true}, {MSG_HEAD_UP, 8, 1, true},
    {MSG_HEAD_DOWN, 8, 1, true},   {MSG_HEAD_LOST, 5, 4, true},
    {MSG_HEAD_AGAIN, 5, 4, true},  {MSG_HEAD_OUTCOME, 15, 0, false},
};

/* Which columns there is room for. */
static void columns_that_fit(const struct timeline *t, bool shown[COLUMNS])
{
    uint32_t total = 0;
    for (uint32_t i = 0; i < COLUMNS; i++) {
        shown[i] = true;
        total += columns[i].cols + 1u;
    }
    for (uint32_t rank = 6; rank > 0 && total > t->layout.width; rank--)
        for (uint32_t i = 0; i < COLUMNS && total > t->layout.width; i++)
            if (columns[i].rank == rank) {
                shown[i] = false;
                total -= columns[i].cols + 1u;
            }
}

static void cells_of(const struct timeline *t, const struct track *k, uint64_t now,
                     char cell[COLUMNS][TEXT_VALUE])
{
    uint64_t began = k->began - min_u64(k->began, t->conf.start);
    snprintf(cell[0], TEXT_VALUE, "#%" PRIu32, k->number);
    snprintf(cell[1], TEXT_VALUE, "%.60s", k->process);
    text_address(cell[2], &k->end[1].addr);
    snprintf(cell[3], TEXT_VALUE, "%.6f", (double)began / 1e9);
    text_duration(cell[4], duration(k, now));
    text_bytes(cell[5], bytes_sent(&k->end[0]));
    text_bytes(cell[6], bytes_sent(&k->end[1]));
    text_number(cell[7], k->end[0].lost + k->end[1].lost);
    text_number(cell[8], k->end[0].retransmitted + k->end[1].retransmitted);
    snprintf(cell[9], TEXT_VALUE, "%s", message_text(ending_message(k)));
}

static void row(struct timeline *t, char cell[COLUMNS][TEXT_VALUE], enum style style)
{
    struct text x;
    bool shown[COLUMNS];
    uint32_t at = 0;
    columns_that_fit(t, shown);
    text_init(&x, t->conf.utf8, t->conf.colour);
    text_style(&x, style);
    for (uint32_t i = 0; i < COLUMNS; i++) {
        const struct column *c = &columns[i];
        if (!shown[i])
            continue;
        uint32_t len = min_u32(text_cols(cell[i], t->conf.utf8), c->cols);
        text_pad(&x, at + (c->right ? c->cols - len : 0));
        text_fit(&x, cell[i], c->cols);
        at += c->cols + 1u;
    }
    text_style(&x, STYLE_PLAIN);
    row_write(t, &x);
}

static void table(struct timeline *t, uint64_t now)
{
    char cell[COLUMNS][TEXT_VALUE], s[NOTE_MAX], n[TEXT_VALUE];
    uint32_t rows = 0, more = 0;
    for (uint32_t i = 0; i < COLUMNS; i++)
        snprintf(cell[i], TEXT_VALUE, "%s",
                 columns[i].head == MSG_COUNT ? "#" : message_text(columns[i].head));
    t->paragraph = true;
    paragraph(t);
    row(t, cell, STYLE_BOLD);
    for (uint32_t i = 0; i < t->track_count; i++) {
        const struct track *k = t->tracks[i];
        if (rows >= (k->ending == ENDING_CLOSED ? ROWS_PLAIN : ROWS_MAX)) {
            more++;
            continue;
        }
        cells_of(t, k, now, cell);
        row(t, cell, STYLE_PLAIN);
        rows++;
    }
    if (more != 0)
        text_write(t, STYLE_DIM, 0, 3,
                   message(s, sizeof(s), MSG_MORE_ROWS, ARGS(text_number(n, more))));
}

/* ---- the end --------------------------------------------------------------------------------- */

/* "200 connections: 198 closed, 2 refused" */
static void say_endings(struct sentence *x, const struct timeline *t)
{
    uint32_t count[MSG_COUNT] = {0};
    char n[TEXT_VALUE], s[NOTE_MAX];
    const char *between = ": ";
    say(x, "", MSG_TOTAL, ARGS(text_number(n, t->track_count)));
    for (uint32_t i = 0; i < t->track_count; i++)
        count[ending_message(t->tracks[i])]++;
    for (uint32_t i = 0; i < MSG_COUNT; i++) {
        if (count[i] == 0)
            continue;
        snprintf(s, sizeof(s), "%s %s", text_number(n, count[i]), message_text(i));
        say_text(x, between, s);
        between = ", ";
    }
}

static void totals(struct timeline *t)
{
    struct sentence x = {.len = 0};
    struct timeline_totals all;
    char n[TEXT_VALUE], m[TEXT_VALUE];
    timeline_totals(t, &all);
    paragraph(t);
    say_endings(&x, t);
    say(&x, dot, MSG_SEGMENTS, ARGS(text_number(n, all.segments)));
    say_count(&x, MSG_N_LOST, all.lost);
    say_count(&x, MSG_N_SENT_AGAIN, all.retransmitted);
    say(&x, dot, MSG_UP_DOWN, ARGS(text_bytes(n, all.bytes_up), text_bytes(m, all.bytes_down)));
    finish(t, &x, STYLE_BOLD, 0);
}

void summary_all(struct timeline *t, uint64_t now)
{
    char s[NOTE_MAX], n[TEXT_VALUE];
    bool terse = false;
    for (uint32_t i = 0; i < t->track_count; i++) {
        struct track *k = t->tracks[i];
        terse |= k->mode != MODE_FULL;
        if (k->mode == MODE_FULL && !k->concluded)
            summary_write(t, k, now);
    }
    if (terse)
        table(t, now);
    if (t->track_count > 1)
        totals(t);
    if (t->not_tracked != 0)
        text_write(t, STYLE_BAD, 0, 3,
                   message(s, sizeof(s), MSG_TOO_MANY, ARGS(text_number(n, t->not_tracked))));
    if (t->no_memory)
        text_write(t, STYLE_BAD, 0, 3, message_text(MSG_NO_MEMORY));
}
