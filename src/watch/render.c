/* render.c - lays lines out: from 100 columns on, the states of both ends in two columns with the
 * segment between them; below, one compact line. Nothing is ever wider than the width.
 *
 *   wide     time  #1 curl  ESTABLISHED  ── PSH ACK  1–77  76 B ───────────▸ CLOSE-WAIT
 *                                           a note
 *   compact  time  #1 curl  ─▸ PSH ACK  1–77  76 B  ESTABLISHED | CLOSE-WAIT
 *                              a note
 */
#include "watch/inside.h"

#include <stdio.h>

enum {
    WIDE_MIN = 100,
    WIDTH_MIN = 40,
    WIDTH_USED = 132, /* an arrow that is longer says no more */
    TIME_COLS = 10,
    TIME_COLS_NARROW = 9,
    NARROW = 60,
    NAMED_MIN = 72,  /* from here on the process stands on each line */
    STATE_COLS = 12, /* SYN-RECEIVED */
    LEAD = 3,        /* the arrow's begin, and a space */
    TAIL = 3,
    ROW_BYTES = 512,    /* more than a row's columns in UTF-8 */
    NAME_SHORTEST = 12, /* a name that comes last is cut to no less, else it goes below */
};

void layout_init(struct layout *l, const struct timeline_config *conf)
{
    uint32_t width = conf->width < WIDTH_MIN ? WIDTH_MIN : (uint32_t)conf->width;
    l->wide = width >= WIDE_MIN;
    l->width = min_u32(width, WIDTH_USED);
    if (l->wide) {
        l->time_cols = TIME_COLS;
        l->id_cols = min_u32(8 + (l->width - WIDE_MIN) / 4, 14);
        l->middle_at = TIME_COLS + 1 + l->id_cols + 1 + STATE_COLS + 1;
        l->middle = l->width - l->middle_at - 1 - STATE_COLS;
    } else {
        l->time_cols = l->width < NARROW ? TIME_COLS_NARROW : TIME_COLS;
        l->id_cols = l->width < NAMED_MIN ? 3 : 8;
        l->middle_at = l->time_cols + 1 + l->id_cols + 1;
        l->middle = l->width - l->middle_at;
    }
}

/* ---- filling a line -------------------------------------------------------------------------- */

void line_init(struct line *l, const struct track *k, uint64_t time)
{
    l->time = time;
    l->track = k;
    l->from = 0;
    l->arrow = ARROW_NONE;
    l->pieces = l->notes = 0;
    l->state_count[0] = l->state_count[1] = 0;
}

void line_piece(struct line *l, enum style style, uint8_t rank, const char *s)
{
    if (l->pieces == PIECES_MAX)
        return;
    struct piece *p = &l->piece[l->pieces++];
    p->style = (uint8_t)style;
    p->rank = rank;
    snprintf(p->s, sizeof(p->s), "%s", s);
}

void line_note(struct line *l, enum watch_message id, struct message_args args)
{
    if (l->notes < NOTES_MAX)
        message(l->note[l->notes++], NOTE_MAX, id, args);
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void row_init(const struct timeline *t, struct text *row)
{
    text_init(row, t->conf.utf8, t->conf.colour);
}

void row_write(struct timeline *t, struct text *row)
{
    TERN_ASSERT(row->len < TEXT_MAX);
    row->s[row->len++] = '\n';
    t->conf.write(t->conf.user, row->s, row->len);
    t->paragraph = false;
}

void paragraph(struct timeline *t)
{
    if (t->paragraph)
        t->conf.write(t->conf.user, "\n", 1);
    t->paragraph = false;
}

/* Takes words off `*s` as long as they fit; returns how many bytes they are, spaces between them
 * included. At least one word is taken. */
static size_t words_that_fit(const char *s, uint32_t cols, bool utf8)
{
    size_t fit = 0;
    char part[ROW_BYTES];
    for (size_t at = 0;;) {
        at += strcspn(s + at, " ");
        snprintf(part, sizeof(part), "%.*s", (int)min_size(at, sizeof(part) - 1), s);
        if (fit != 0 && text_cols(part, utf8) > cols)
            return fit;
        fit = at;
        if (s[at] == '\0')
            return fit;
        at += strspn(s + at, " ");
    }
}

/* The next row of a text that is wrapped: writes it into `row` and returns where the rest
 * begins. */
static const char *wrap(struct text *row, const char *s, uint32_t cols)
{
    char part[ROW_BYTES];
    size_t n = words_that_fit(s, cols, row->utf8);
    snprintf(part, sizeof(part), "%.*s", (int)min_size(n, sizeof(part) - 1), s);
    text_fit(row, part, cols);
    s += n;
    return s + strspn(s, " ");
}

void text_write(struct timeline *t, enum style style, uint32_t first, uint32_t indent,
                const char *s)
{
    const uint32_t width = t->layout.width;
    uint32_t at = first;
    while (*s != '\0') {
        struct text row;
        row_init(t, &row);
        text_pad(&row, at);
        text_style(&row, style);
        s = wrap(&row, s, width - at);
        text_style(&row, STYLE_PLAIN);
        row_write(t, &row);
        at = indent;
    }
}

/* Seconds since the start, always in the same width: digits behind the point give way. */
static void put_time(const struct timeline *t, struct text *row, uint64_t time)
{
    char s[40];
    uint64_t us = (time - min_u64(time, t->conf.start)) / 1000;
    int len = snprintf(s, sizeof(s), "%llu.%06llu", (unsigned long long)(us / 1000000),
                       (unsigned long long)(us % 1000000));
    uint32_t cols = t->layout.time_cols;
    text_pad(row, len < (int)cols ? cols - (uint32_t)len : 0);
    s[cols] = '\0';
    text_add(row, s);
}

static void put_id(const struct timeline *t, struct text *row, const struct track *k)
{
    char s[TEXT_VALUE * 2];
    int name = (int)strcspn(k->process, "[");
    bool named = t->layout.width >= NAMED_MIN && name != 0;
    snprintf(s, sizeof(s), named ? "#%u %.*s" : "#%u", k->number, name, k->process);
    if (!named && strlen(s) > t->layout.id_cols) /* the sign is the first to go */
        memmove(s, s + 1, strlen(s));
    text_pad(row, t->layout.time_cols + 1);
    text_style(row, STYLE_BOLD);
    text_fit(row, s, t->layout.id_cols);
    text_style(row, STYLE_PLAIN);
}

/* ---- pieces ---------------------------------------------------------------------------------- */

/* Which pieces go on the first row. */
struct plan {
    uint32_t cols[PIECES_MAX];
    bool out[PIECES_MAX]; /* left out */
    uint32_t total;       /* columns, with what separates them */
    uint32_t first;       /* pieces on the first row; the others go below */
    uint32_t cut;         /* what the last of them is cut to; 0: nothing is */
};

/* Leaves out the highest rank; false: none may be. */
static bool leave_one_out(const struct line *l, struct plan *p)
{
    uint32_t worst = PIECES_MAX;
    for (uint32_t i = 0; i < l->pieces; i++)
        if (!p->out[i] && l->piece[i].rank != 0 &&
            (worst == PIECES_MAX || l->piece[i].rank >= l->piece[worst].rank))
            worst = i;
    if (worst == PIECES_MAX)
        return false;
    p->out[worst] = true;
    p->total -= p->cols[worst] + 2;
    return true;
}

static void plan_init(const struct line *l, struct plan *p, uint32_t room, bool utf8)
{
    memset(p, 0, sizeof(*p));
    for (uint32_t i = 0; i < l->pieces; i++) {
        p->cols[i] = text_cols(l->piece[i].s, utf8);
        p->total += p->cols[i] + (i != 0 ? 2 : 0);
    }
    while (p->total > room && leave_one_out(l, p))
        continue;
    uint32_t used = 0;
    for (uint32_t i = 0; i < l->pieces; i++) {
        if (p->out[i])
            continue;
        uint32_t gap = used != 0 ? 2 : 0;
        if (used + gap + p->cols[i] > room) {
            bool name = l->piece[i].style == STYLE_BOLD && i + 1 == l->pieces;
            if (used == 0 || (name && used + gap + NAME_SHORTEST <= room)) {
                p->cut = room - used - gap;
                p->first = i + 1;
            }
            return;
        }
        used += gap + p->cols[i];
        p->first = i + 1;
    }
}

/* Pieces [from, to), separated, as far as they go into `room` columns; returns the first that did
 * not. At least one is written. */
static uint32_t put_pieces(struct text *row, const struct line *l, const struct plan *p,
                           uint32_t from, uint32_t to, uint32_t room)
{
    uint32_t begin = row->cols;
    for (uint32_t i = from; i < to; i++) {
        const struct piece *piece = &l->piece[i];
        if (p->out[i])
            continue;
        uint32_t used = row->cols - begin, gap = used != 0 ? 2 : 0;
        bool cut = p->cut != 0 && i + 1 == p->first && to == p->first;
        uint32_t cols = cut ? p->cut : p->cols[i];
        if (used != 0 && used + gap + cols > room)
            return i;
        text_add(row, gap != 0 ? "  " : "");
        text_style(row, piece->style);
        text_fit(row, piece->s, min_u32(cols, room - used - gap));
        text_style(row, STYLE_PLAIN);
    }
    return to;
}

/* ---- arrows ---------------------------------------------------------------------------------- */

/* Two characters before the pieces, the filling behind them, and what ends it. */
struct arrow_look {
    const char *lead, *fill, *end;
};

static struct arrow_look look_of(const struct line *l)
{
    static const struct arrow_look looks[][2] = {
        [ARROW_NONE] = {{"  ", " ", " "}, {"  ", " ", " "}},
        [ARROW_WHOLE] = {{"──", "─", "▸"}, {"◂─", "─", "─"}},
        [ARROW_LOST] = {{"──", "─", "✗"}, {" ✗", "─", "─"}},
        [ARROW_BAD] = {{"──", "─", "✗"}, {"✗─", "─", "─"}},
        [ARROW_LEAVES] = {{"──", "─", "⋯"}, {"⋯─", "─", "─"}},
        [ARROW_ARRIVES] = {{"⋯─", "─", "▸"}, {"◂─", "─", "⋯"}},
        [ARROW_BULK] = {{"══", "═", "▸"}, {"◂═", "═", "═"}},
    };
    return looks[l->arrow][l->from];
}

/* The two characters of the compact form. */
static const char *small_arrow(const struct line *l)
{
    static const char *const looks[][2] = {
        [ARROW_NONE] = {"  ", "  "}, [ARROW_WHOLE] = {"─▸", "◂─"},  [ARROW_LOST] = {"─✗", "✗─"},
        [ARROW_BAD] = {"─✗", "✗─"},  [ARROW_LEAVES] = {"─⋯", "⋯─"}, [ARROW_ARRIVES] = {"⋯▸", "◂⋯"},
        [ARROW_BULK] = {"═▸", "◂═"},
    };
    return looks[l->arrow][l->from];
}

static enum style arrow_style(const struct line *l)
{
    if (l->arrow == ARROW_LOST || l->arrow == ARROW_BAD)
        return STYLE_BAD;
    return l->from == 0 ? STYLE_OUT : STYLE_IN;
}

/* ---- the wide form --------------------------------------------------------------------------- */

/* The state in row `i` of that end; "" when there is nothing to say. Where colours can tell, one
 * that has not changed is dimmed, else left out. */
static const char *state_in_row(const struct timeline *t, const struct line *l, int end, uint32_t i,
                                enum style *style)
{
    const struct track_end *e = &l->track->end[end];
    *style = STYLE_STATE;
    if (i < l->state_count[end])
        return tern_state_name(l->state[end][i]);
    *style = STYLE_DIM;
    bool repeat = t->conf.colour && i == 0 && e->shown_known && l->arrow != ARROW_NONE;
    return repeat ? tern_state_name(e->shown) : "";
}

static void put_state(const struct timeline *t, struct text *row, const struct line *l, int end,
                      uint32_t i)
{
    enum style style;
    const char *s = state_in_row(t, l, end, i, &style);
    if (*s == '\0')
        return;
    text_pad(row, end == 0 ? t->layout.middle_at - STATE_COLS - 1
                           : t->layout.middle_at + t->layout.middle + 1);
    text_style(row, style);
    text_add(row, s);
    text_style(row, STYLE_PLAIN);
}

/* The segment: pieces inside an arrow that fills the middle. Returns the first piece that is
 * left. */
static uint32_t put_arrow(const struct timeline *t, struct text *row, const struct line *l)
{
    const struct layout *y = &t->layout;
    struct arrow_look look = look_of(l);
    struct plan plan;
    plan_init(l, &plan, y->middle - LEAD - TAIL, row->utf8);
    text_pad(row, y->middle_at);
    text_style(row, arrow_style(l));
    text_add(row, look.lead);
    text_style(row, STYLE_PLAIN);
    text_add(row, " ");
    uint32_t rest = put_pieces(row, l, &plan, 0, plan.first, y->middle - LEAD - TAIL);
    if (l->arrow == ARROW_NONE)
        return rest;
    uint32_t end = y->middle_at + y->middle;
    if (l->arrow == ARROW_LOST && l->from == 0) /* it does not reach the other side */
        end = max_u32(row->cols + TAIL, end - 4);
    text_add(row, " ");
    text_style(row, arrow_style(l));
    text_repeat(row, look.fill, end - row->cols - 1);
    text_add(row, look.end);
    text_style(row, STYLE_PLAIN);
    return rest;
}

/* What is below the first row. */
struct below {
    uint32_t piece;   /* the next piece, */
    uint32_t note;    /* then the next note, */
    const char *rest; /* of which this is left */
};

static bool below_left(const struct line *l, const struct below *b)
{
    return b->piece < l->pieces || b->note < l->notes;
}

/* One row of it, in `cols` columns. */
static void put_below(struct text *row, const struct line *l, struct below *b, uint32_t cols)
{
    if (b->piece < l->pieces) {
        struct plan plan;
        plan_init(l, &plan, UINT32_MAX / 2, row->utf8);
        for (uint32_t i = 0; i < l->pieces; i++)
            plan.out[i] = l->piece[i].rank != 0;
        b->piece = put_pieces(row, l, &plan, b->piece, l->pieces, cols);
        return;
    }
    if (b->rest == NULL)
        b->rest = l->note[b->note];
    text_style(row, l->arrow == ARROW_NONE ? STYLE_PLAIN : STYLE_DIM);
    b->rest = wrap(row, b->rest, cols);
    text_style(row, STYLE_PLAIN);
    if (*b->rest == '\0') {
        b->rest = NULL;
        b->note++;
    }
}

/* Pieces that may be left out are: only the first row has them. */
static uint32_t next_must(const struct line *l, uint32_t i)
{
    while (i < l->pieces && l->piece[i].rank != 0)
        i++;
    return i;
}

static void write_wide(struct timeline *t, const struct line *l)
{
    const struct layout *y = &t->layout;
    struct below below = {0, 0, NULL};
    for (uint32_t i = 0;; i++) {
        struct text row;
        row_init(t, &row);
        if (i == 0) {
            put_time(t, &row, l->time);
            put_id(t, &row, l->track);
        }
        put_state(t, &row, l, 0, i);
        if (i == 0 && l->pieces != 0) {
            below.piece = next_must(l, put_arrow(t, &row, l));
        } else if (below_left(l, &below)) {
            text_pad(&row, y->middle_at + LEAD);
            put_below(&row, l, &below, y->middle - LEAD);
            below.piece = next_must(l, below.piece);
        }
        put_state(t, &row, l, 1, i);
        row_write(t, &row);
        if (!below_left(l, &below) && i + 1 >= l->state_count[0] && i + 1 >= l->state_count[1])
            return;
    }
}

/* ---- the compact form ------------------------------------------------------------------------ */

/* "A, B": the states that end has entered. */
static void states_text(char *out, size_t cap, const struct line *l, int end)
{
    size_t at = 0;
    out[0] = '\0';
    for (uint32_t i = 0; i < l->state_count[end]; i++)
        at += (size_t)snprintf(out + at, cap - at, i != 0 ? ", %s" : "%s",
                               tern_state_name(l->state[end][i]));
}

/* "ESTABLISHED | CLOSE-WAIT", as the last piece, or as two where that is too wide. */
static void add_states(struct line *l, uint32_t room)
{
    char a[TEXT_VALUE], b[TEXT_VALUE], s[PIECE_MAX];
    if (l->state_count[0] == 0 && l->state_count[1] == 0)
        return;
    states_text(a, sizeof(a), l, 0);
    states_text(b, sizeof(b), l, 1);
    snprintf(s, sizeof(s), "%s%s|%s%s", a, *a != '\0' ? " " : "", *b != '\0' ? " " : "", b);
    if (*a != '\0' && *b != '\0' && strlen(s) > room) {
        snprintf(s, sizeof(s), "%s |", a);
        line_piece(l, STYLE_STATE, 0, s);
        snprintf(s, sizeof(s), "| %s", b);
    }
    line_piece(l, STYLE_STATE, 0, s);
}

static void write_compact(struct timeline *t, struct line *l)
{
    const struct layout *y = &t->layout;
    uint32_t room = y->middle - LEAD;
    add_states(l, room);
    struct plan plan;
    plan_init(l, &plan, room, t->conf.utf8);
    struct below below = {0, 0, NULL};
    for (uint32_t i = 0; i == 0 || below_left(l, &below); i++) {
        struct text row;
        row_init(t, &row);
        if (i == 0) {
            put_time(t, &row, l->time);
            put_id(t, &row, l->track);
            text_pad(&row, y->middle_at);
            text_style(&row, arrow_style(l));
            text_add(&row, small_arrow(l));
            text_style(&row, STYLE_PLAIN);
            text_add(&row, " ");
            below.piece = next_must(l, put_pieces(&row, l, &plan, 0, plan.first, room));
        } else {
            text_pad(&row, y->middle_at + LEAD);
            put_below(&row, l, &below, room);
            below.piece = next_must(l, below.piece);
        }
        row_write(t, &row);
    }
}

void line_write(struct timeline *t, struct line *l)
{
    t->shown = max_u64(t->shown, l->time);
    if (t->layout.wide)
        write_wide(t, l);
    else
        write_compact(t, l);
}
