/* describe.c - puts a segment or a change of state into words. What is said about it was found by
 * track.c when it left; here is only what to say first, and what may be left out where columns are
 * few.
 */
#include "watch/inside.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- names ----------------------------------------------------------------------------------- */

void process_ask(struct timeline *t, struct track *k)
{
    char s[sizeof(k->process)] = "";
    if (k->process[0] != '\0' || t->conf.process == NULL)
        return;
    t->conf.process(t->conf.user, &k->end[0].addr, &k->end[1].addr, s, sizeof(s));
    text_foreign(k->process, sizeof(k->process), s, strnlen(s, sizeof(s)));
}

const char *end_name(const struct track *k, int end, char out[TEXT_VALUE])
{
    int name = (int)strcspn(k->process, "[");
    if (end == 0 && name != 0) {
        snprintf(out, TEXT_VALUE, "%.*s", name, k->process);
        return out;
    }
    bool client = k->opener < 0 ? end == 0 : end == k->opener;
    return message_text(client ? MSG_CLIENT : MSG_SERVER);
}

void title_write(struct timeline *t, struct track *k)
{
    char s[NOTE_MAX], left[TEXT_VALUE], right[TEXT_VALUE];
    process_ask(t, k);
    if (k->titled)
        return;
    k->titled = true;
    paragraph(t);
    snprintf(s, sizeof(s), "#%" PRIu32 " %s%s%s %s %s", k->number, k->process,
             k->process[0] != '\0' ? " " : "", text_address(left, &k->end[0].addr),
             k->opener == 1 ? "←" : "→", text_address(right, &k->end[1].addr));
    text_write(t, STYLE_BOLD, 0, 3, s);
}

/* ---- pieces ---------------------------------------------------------------------------------- */

/* Relative numbers are small and never negative, but for garbage. */
static char *relative_text(char *out, int64_t n)
{
    if (n >= 0)
        return text_number(out, (uint64_t)n);
    out[0] = '-';
    text_number(out + 1, (uint64_t)-n);
    return out;
}

char *range_text(char *out, int64_t lo, int64_t hi)
{
    char a[TEXT_VALUE], b[TEXT_VALUE];
    snprintf(out, TEXT_VALUE, "%.28s–%.28s", relative_text(a, lo), relative_text(b, hi));
    return out;
}

/* "name value" */
static void piece_value(struct line *l, enum style style, uint8_t rank, const char *name,
                        const char *value)
{
    char s[PIECE_MAX];
    snprintf(s, sizeof(s), "%.40s %.80s", name, value);
    line_piece(l, style, rank, s);
}

static void piece_message(struct line *l, enum style style, enum watch_message id)
{
    line_piece(l, style, 0, message_text(id));
}

/* What befell it on its way. */
static void add_fate(struct line *l, const struct item *item)
{
    static const struct {
        enum watch_message message;
        enum style style;
    } fates[] = {[FATE_OPEN] = {MSG_UNDER_WAY, STYLE_DIM},
                 [FATE_LOST] = {MSG_LOST, STYLE_BAD},
                 [FATE_DROPPED] = {MSG_DROPPED, STYLE_BAD},
                 [FATE_OVERFLOW] = {MSG_OVERFLOW, STYLE_BAD},
                 [FATE_TOO_BIG] = {MSG_TOO_BIG, STYLE_BAD}};
    if (item->fate != FATE_PROCESSED)
        piece_message(l, fates[item->fate].style, fates[item->fate].message);
    else if (item->marks & TIMELINE_CORRUPTED)
        piece_message(l, STYLE_BAD, MSG_CORRUPTED);
    if (item->marks & TIMELINE_DUPLICATE)
        piece_message(l, STYLE_AGAIN, MSG_COPY);
    if (item->marks & TIMELINE_LATE)
        piece_message(l, STYLE_AGAIN, MSG_LATE);
}

/* Why it was sent at all. */
static void add_reason(struct line *l, const struct item *item)
{
    static const enum watch_message agains[] = {[AGAIN_TIMER] = MSG_AGAIN_TIMER,
                                                [AGAIN_FAST] = MSG_AGAIN_FAST,
                                                [AGAIN_PROBE] = MSG_AGAIN_PROBE,
                                                [AGAIN_UNKNOWN] = MSG_AGAIN};
    if (item->again != AGAIN_NOT)
        piece_message(l, STYLE_AGAIN, agains[item->again]);
    if (item->notes & NOTE_WINDOW_PROBE)
        piece_message(l, STYLE_AGAIN, MSG_WINDOW_PROBE);
    if (item->notes & NOTE_KEEP_ALIVE)
        piece_message(l, STYLE_PLAIN, MSG_KEEP_ALIVE);
    if (item->notes & NOTE_WINDOW_UPDATE)
        piece_message(l, STYLE_PLAIN, MSG_WINDOW_UPDATE);
    if (item->notes & NOTE_DUP_ACK) {
        char n[TEXT_VALUE], s[PIECE_MAX];
        message(s, sizeof(s), MSG_DUP_ACK, ARGS(text_number(n, item->count)));
        line_piece(l, STYLE_AGAIN, 0, s);
    }
}

static void add_window(struct line *l, const struct item *item, uint8_t rank)
{
    char s[TEXT_VALUE];
    bool matters = item->notes & (NOTE_ZERO_WINDOW | NOTE_WINDOW_OPENS | NOTE_WINDOW_UPDATE);
    piece_value(l, matters ? STYLE_AGAIN : STYLE_PLAIN, matters ? 0 : rank, "win",
                text_number(s, item->wnd));
}

static void add_syn(const struct timeline *t, struct line *l, const struct item *item)
{
    char s[PIECE_MAX];
    size_t at = 0;
    snprintf(s, sizeof(s), "%" PRIu32, item->seq_abs);
    piece_value(l, STYLE_BOLD, 0, "isn", s);
    if (item->flags & TCP_ACK) {
        snprintf(s, sizeof(s), "%" PRIu32, item->ack_abs);
        piece_value(l, STYLE_PLAIN, 0, "ack", s);
    }
    if (item->kind == ITEM_ARRIVAL)
        return;
    add_window(l, item, 5);
    s[0] = '\0';
    if (item->again != AGAIN_NOT) /* the same as before */
        return;
    if (item->options & WIRE_OPT_MSS)
        at += (size_t)snprintf(s, sizeof(s), "mss %u", item->mss);
    if (item->options & WIRE_OPT_WSCALE)
        snprintf(s + at, sizeof(s) - at, "%sws %u", at != 0 ? " " : "", item->wscale);
    if (s[0] != '\0')
        line_piece(l, STYLE_PLAIN, t->layout.wide ? 0 : 3, s);
    if (item->options & WIRE_OPT_SACK_OK)
        line_piece(l, STYLE_PLAIN, 6, "sack");
    if (item->options & WIRE_OPT_TS)
        line_piece(l, STYLE_PLAIN, 7, "ts");
    if (item->len != 0)
        piece_value(l, STYLE_PLAIN, 0, text_number(s, item->len), "B");
}

static void add_sack(struct line *l, const struct item *item)
{
    char s[PIECE_MAX], range[TEXT_VALUE];
    size_t at = (size_t)snprintf(s, sizeof(s), "sack");
    if (item->sack_count == 0)
        return;
    for (uint32_t i = 0; i < item->sack_count; i++)
        at += (size_t)snprintf(s + at, sizeof(s) - at, " %.40s",
                               range_text(range, item->sack[i][0], item->sack[i][1]));
    line_piece(l, STYLE_PLAIN, 2, s);
}

/* Everything but a SYN: numbers are relative. */
static void add_numbers(struct line *l, const struct item *item)
{
    char s[TEXT_VALUE];
    bool rst = item->flags & TCP_RST, fin = item->flags & TCP_FIN, ack = item->flags & TCP_ACK;
    bool probe = item->notes & (NOTE_WINDOW_PROBE | NOTE_KEEP_ALIVE);
    if (item->len != 0) {
        line_piece(l, STYLE_PLAIN, 0, range_text(s, item->seq, item->seq + item->len));
        piece_value(l, STYLE_PLAIN, 1, text_number(s, item->len), "B");
    } else if (fin || probe || (rst && !ack)) {
        piece_value(l, STYLE_PLAIN, rst ? 3 : 0, "seq", relative_text(s, item->seq));
    }
    if (ack)
        piece_value(l, STYLE_PLAIN, item->len != 0 || rst ? 4 : 0, "ack",
                    relative_text(s, item->ack));
    if (item->kind == ITEM_ARRIVAL)
        return;
    add_sack(l, item);
    if (!rst)
        add_window(l, item, 5);
    if (item->name != NULL)
        line_piece(l, STYLE_BOLD, 0, item->name);
}

static void add_icmp(struct line *l, const struct item *item)
{
    char a[TEXT_VALUE], b[TEXT_VALUE], s[PIECE_MAX];
    enum watch_message id = MSG_ICMP_OTHER;
    snprintf(a, sizeof(a), "%u", item->icmp_type);
    snprintf(b, sizeof(b), "%u", item->icmp_code);
    switch ((enum wire_icmp_kind)item->icmp_kind) {
    case WIRE_ICMP_NET:
        id = MSG_UNREACHABLE_NET;
        break;
    case WIRE_ICMP_HOST:
        id = MSG_UNREACHABLE_HOST;
        break;
    case WIRE_ICMP_PROTO:
        id = MSG_UNREACHABLE_PROTO;
        break;
    case WIRE_ICMP_PORT:
        id = MSG_UNREACHABLE_PORT;
        break;
    case WIRE_ICMP_PROHIBITED:
        id = MSG_PROHIBITED;
        break;
    case WIRE_ICMP_TIME:
        id = MSG_TIME_EXCEEDED;
        break;
    case WIRE_ICMP_TOO_BIG:
        id = MSG_PACKET_TOO_BIG;
        text_number(a, item->wnd);
        break;
    default:
        break;
    }
    line_piece(l, STYLE_BAD, 0, message(s, sizeof(s), id, ARGS(a, b)));
}

/* ---- notes ----------------------------------------------------------------------------------- */

/* What is worth saying once in a run. */
static bool first_time(struct timeline *t, uint32_t what)
{
    bool first = !(t->said & what);
    t->said |= what;
    return first;
}

static void note_counting(struct timeline *t, struct line *l, const struct item *item)
{
    const struct track *k = item->track;
    char a[TEXT_VALUE], b[TEXT_VALUE];
    if (item->fate != FATE_PROCESSED || item->marks & TIMELINE_CORRUPTED)
        return;
    if ((item->flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK) &&
        first_time(t, SAID_SYN_COUNTS)) {
        snprintf(a, sizeof(a), "%" PRIu32, item->ack_abs);
        snprintf(b, sizeof(b), "%" PRIu32, item->ack_abs - 1);
        line_note(l, MSG_SYN_COUNTS, ARGS(a, b));
    }
    if (!(item->flags & (TCP_SYN | TCP_RST)) && k->end[0].isn_known && k->end[1].isn_known &&
        first_time(t, SAID_RELATIVE))
        line_note(l, MSG_RELATIVE, NO_ARGS);
    if (item->notes & (NOTE_FIN_ACKED | NOTE_PASSIVE_JOINED) && first_time(t, SAID_FIN_COUNTS))
        line_note(l, MSG_FIN_COUNTS,
                  ARGS(relative_text(a, item->ack), relative_text(b, item->ack - 1)));
}

/* Notes whose one argument is the sender. */
static void note_sender(struct line *l, const struct item *item)
{
    static const struct {
        uint32_t note;
        enum watch_message message;
    } notes[] = {{NOTE_SIMULTANEOUS_OPEN, MSG_SIMULTANEOUS_OPEN},
                 {NOTE_REFUSED, MSG_REFUSED},
                 {NOTE_RESET, MSG_RESET},
                 {NOTE_RESET_AGAIN, MSG_RESET_AGAIN},
                 {NOTE_ACTIVE_CLOSE, MSG_ACTIVE_CLOSE},
                 {NOTE_SIMULTANEOUS_CLOSE, MSG_SIMULTANEOUS_CLOSE},
                 {NOTE_PASSIVE_JOINED, MSG_PASSIVE_JOINED},
                 {NOTE_FIN_ACKED, MSG_FIN_ACKED},
                 {NOTE_HALF_DATA, MSG_HALF_DATA},
                 {NOTE_ZERO_WINDOW, MSG_ZERO_WINDOW},
                 {NOTE_WINDOW_OPENS, MSG_WINDOW_OPENS}};
    char name[TEXT_VALUE], gap[TEXT_VALUE];
    const char *who = end_name(item->track, item->from, name);
    for (size_t i = 0; i < ARRAY_LEN(notes); i++)
        if (item->notes & notes[i].note)
            line_note(l, notes[i].message, ARGS(who));
    if (item->notes & NOTE_PASSIVE_APART)
        line_note(l, MSG_PASSIVE_APART, ARGS(who, text_duration(gap, item->gap)));
}

static void note_states(const struct timeline *t, struct line *l, const struct item *item)
{
    char name[TEXT_VALUE], time[TEXT_VALUE];
    for (int end = 0; end < 2; end++)
        for (uint32_t i = 0; i < item->change_count[end]; i++) {
            uint8_t to = item->change[end][i].to;
            const char *who = end_name(item->track, end, name);
            if (to == TERN_TIME_WAIT)
                line_note(l, MSG_TIME_WAIT, ARGS(who, text_duration(time, 2 * t->conf.msl)));
            else if ((to == TERN_FIN_WAIT_1 || to == TERN_LAST_ACK) && end == item->from &&
                     !(item->flags & TCP_FIN) && item->kind == ITEM_SEGMENT)
                line_note(l, MSG_FIN_FOLLOWS, ARGS(who));
        }
}

static void note_refused_by_receiver(struct line *l, const struct item *item)
{
    if (item->fate != FATE_PROCESSED)
        return;
    if (item->marks & TIMELINE_CORRUPTED)
        line_note(l, MSG_CHECKSUM, NO_ARGS);
    else if (item->drop == TERN_DROP_TCP_SEQUENCE && item->had)
        line_note(l, MSG_ALREADY, NO_ARGS);
    else if (item->drop != TERN_DROP_NONE && item->drop < TERN_DROP_COUNT &&
             item->drop != TERN_DROP_TCP_CLOSED &&
             !(item->flags & TCP_SYN && item->drop == TERN_DROP_TCP_DUPLICATE))
        line_note(l, MSG_IGNORED, ARGS(tern_drop_text((enum tern_drop)item->drop)));
}

/* ---- items ----------------------------------------------------------------------------------- */

static enum arrow arrow_of(const struct item *item)
{
    if (item->kind == ITEM_ARRIVAL)
        return ARROW_ARRIVES;
    if (item->crossed || item->fate == FATE_OPEN)
        return ARROW_LEAVES;
    if (item->fate != FATE_PROCESSED)
        return ARROW_LOST;
    return item->marks & TIMELINE_CORRUPTED ? ARROW_BAD : ARROW_WHOLE;
}

static void describe_segment(struct timeline *t, struct line *l, const struct item *item)
{
    char flags[PACKET_FLAGS];
    l->arrow = arrow_of(item);
    line_piece(l, STYLE_PLAIN, 0, item->icmp ? "ICMP" : packet_flags(flags, item->flags));
    if (item->kind == ITEM_ARRIVAL)
        piece_message(l, STYLE_PLAIN, MSG_CROSSED);
    else
        add_fate(l, item);
    add_reason(l, item);
    if (item->icmp)
        add_icmp(l, item);
    else if (item->flags & TCP_SYN)
        add_syn(t, l, item);
    else
        add_numbers(l, item);
    if (!item->icmp && item->kind == ITEM_SEGMENT) {
        note_counting(t, l, item);
        note_sender(l, item);
    }
    note_states(t, l, item);
    if (!item->crossed)
        note_refused_by_receiver(l, item);
}

/* Why a state changes without a segment; false: nothing to say. */
static bool change_message(const struct item *item, enum watch_message *id)
{
    struct change c = item->change[item->from][0];
    bool gives_up = item->notes & NOTE_GIVES_UP;
    if (c.from == TERN_TIME_WAIT)
        *id = MSG_TIME_WAIT_OVER;
    else if (c.to == TERN_FIN_WAIT_1 || c.to == TERN_LAST_ACK)
        *id = MSG_FIN_WAITS;
    else if (c.from == TERN_SYN_SENT && gives_up)
        *id = item->count > 1 ? MSG_GIVES_UP_OPEN : MSG_GIVES_UP_OPEN_1;
    else if (c.from == TERN_SYN_RECEIVED && (c.to == TERN_CLOSED || c.to == TERN_LISTEN))
        *id = MSG_HALF_OPEN_ENDS;
    else if (gives_up)
        *id = MSG_GIVES_UP;
    else if (c.from == TERN_FIN_WAIT_2)
        *id = MSG_FIN_WAIT_ENDS;
    else
        return false;
    return true;
}

static void describe_state(const struct timeline *t, struct line *l, const struct item *item)
{
    char name[TEXT_VALUE], count[TEXT_VALUE];
    enum watch_message id;
    l->arrow = ARROW_NONE;
    if (change_message(item, &id))
        line_note(l, id,
                  ARGS(end_name(item->track, item->from, name), text_number(count, item->count)));
    note_states(t, l, item);
}

void describe(struct timeline *t, struct item *item)
{
    struct line l;
    title_write(t, item->track);
    line_init(&l, item->track, item->time);
    l.from = item->from;
    for (int end = 0; end < 2; end++)
        for (uint32_t i = 0; i < item->change_count[end]; i++)
            l.state[end][l.state_count[end]++] = item->change[end][i].to;
    if (item->kind == ITEM_STATE)
        describe_state(t, &l, item);
    else
        describe_segment(t, &l, item);
    line_write(t, &l);
}
