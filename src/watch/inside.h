/* inside.h - what the files of the time line share.
 *
 * A packet's way through here:
 *
 *   timeline.c  is told of it. It becomes an item and waits in a queue, ordered by departure, until
 *               its fate and that of all before it are known: so lines come in the order of their
 *               times, and each shows the states at both ends.
 *   track.c     keeps the books of its connection: relative numbers, what is sent again, closing.
 *   fold.c      decides whether it gets a line of its own, and counts what does not.
 *   describe.c  puts it into words: the pieces of its arrow, the notes below.
 *   render.c    lays these out in the columns there are.
 *   summary.c   says at the end what it came to.
 */
#ifndef TERN_WATCH_INSIDE_H
#define TERN_WATCH_INSIDE_H

#include "tern/trace.h"
#include "watch/messages.h"
#include "watch/packet.h"
#include "watch/text.h"
#include "watch/timeline.h"

struct track;

/* ---- items: what is to be shown, in order of time -------------------------------------------- */

enum item_kind {
    ITEM_SEGMENT, /* a TCP segment or an ICMP error; `time` is its departure */
    ITEM_ARRIVAL, /* the second line of a segment that crossed another; `time` is its arrival */
    ITEM_STATE,   /* a state changed without a segment */
};

enum item_fate {
    FATE_OPEN, /* not known yet */
    FATE_PROCESSED,
    FATE_LOST,
    FATE_DROPPED,
    FATE_OVERFLOW,
    FATE_TOO_BIG,
};

/* Why it was sent again. */
enum again { AGAIN_NOT, AGAIN_TIMER, AGAIN_FAST, AGAIN_PROBE, AGAIN_UNKNOWN };

enum note { /* found by track.c */
            NOTE_SIMULTANEOUS_OPEN = 1 << 0,
            NOTE_ACTIVE_CLOSE = 1 << 1,
            NOTE_PASSIVE_JOINED = 1 << 2,
            NOTE_PASSIVE_APART = 1 << 3,
            NOTE_SIMULTANEOUS_CLOSE = 1 << 4,
            NOTE_FIN_ACKED = 1 << 5,
            NOTE_HALF_DATA = 1 << 6,
            NOTE_REFUSED = 1 << 7,
            NOTE_RESET = 1 << 8,
            NOTE_RESET_AGAIN = 1 << 9,
            NOTE_ZERO_WINDOW = 1 << 10,
            NOTE_WINDOW_OPENS = 1 << 11,
            NOTE_WINDOW_PROBE = 1 << 12,
            NOTE_KEEP_ALIVE = 1 << 13,
            NOTE_WINDOW_UPDATE = 1 << 14,
            NOTE_DUP_ACK = 1 << 15,
            NOTE_GIVES_UP = 1 << 16,
            NOTE_FIRST_DATA = 1 << 17, /* the first payload in this direction since the other */
};

enum { CHANGES_MAX = 3, SACKS_MAX = 3, REPORTS_MAX = 64 };

struct change {
    uint8_t from, to; /* enum tern_state */
};

struct item {
    struct item *next, *prev; /* the queue; next alone: the free ones, and those kept by a fold */
    struct item *chain;       /* others with the same hash of `id` */
    struct track *track;
    uint64_t id;            /* as told */
    uint64_t time, arrived; /* ns */
    uint64_t tick;          /* which call told of its departure, */
    uint64_t tick_arrived;  /* and which of its fate */
    int64_t seq, ack;       /* relative */
    int64_t sack[SACKS_MAX][2];
    uint64_t gap; /* PASSIVE_APART: since its ACK; SYN ACK: when the SYN left */
    uint32_t seq_abs, ack_abs;
    uint32_t len; /* of the payload */
    uint32_t wnd; /* bytes; ICMP: the MTU */
    uint32_t notes;
    uint32_t count; /* DUP_ACK: the how manieth; GIVES_UP: after how many SYNs */
    uint16_t flags, mss;
    uint8_t kind, from, marks, fate, again;
    uint8_t drop;    /* enum tern_drop: why the receiver did not take it */
    uint8_t options; /* WIRE_OPT_* */
    uint8_t wscale, sack_count;
    bool icmp, crossed, hashed;
    bool had; /* its receiver has had all of it before */
    uint8_t icmp_kind, icmp_type, icmp_code;
    uint8_t change_count[2];
    struct change change[2][CHANGES_MAX]; /* what it did to the states; end 0 and end 1 */
    char *name;                           /* of the payload; owned */
};

/* ---- connections ----------------------------------------------------------------------------- */

/* Something the stack said it sends again. */
struct report {
    uint32_t seq, len;
    uint8_t why; /* enum again */
};

struct track_end {
    tern_addr addr;
    uint32_t isn;           /* relative 0 */
    int64_t snd_max;        /* the number after the highest sent */
    int64_t heard;          /* the number after the highest that the other end has taken */
    int64_t fin;            /* the number of its FIN; -1: none sent */
    int64_t ack;            /* its latest acknowledgement */
    uint64_t sent;          /* when it last sent anything */
    uint64_t syn_sent;      /* when its latest SYN left */
    uint64_t syn_under_way; /* for how long its latest SYN was that arrived */
    uint64_t fin_acked;     /* when it first acknowledged the other's FIN; 0: not */
    uint64_t segments, lost, retransmitted;
    uint32_t wnd;        /* the window it last offered */
    uint64_t time_wait;  /* when it entered TIME-WAIT; 0: never */
    uint32_t syns;       /* sent, */
    uint32_t syn_acks;   /* and how many of them with an ACK */
    uint32_t dup_acks;   /* in a row */
    uint32_t unanswered; /* times it sent again since the other end last spoke */
    uint16_t mss;
    uint8_t wscale, state, shown; /* the state now; the one printed last */
    bool isn_known;               /* its SYN was seen */
    bool based;                   /* `isn` has a meaning: its SYN's, or a guess */
    bool has_wscale, has_wnd, acked;
    bool fin_heard; /* it has taken in the other's FIN */
    bool fin_done;  /* it has heard that its FIN came */
    bool turn;      /* its payload was the last seen */
    bool reset;     /* it sent RST */
    bool state_known, shown_known;
    uint8_t moment_next;
    uint32_t report_next;
    struct report *reports; /* the last REPORTS_MAX; NULL: none came */
    struct {
        uint64_t tick;  /* when its state changed, */
        uint64_t place; /* and where it is shown: the departure of the segment that did it */
    } moments[8];
};

/* How much of a connection is shown. */
enum mode { MODE_FULL, MODE_TERSE, MODE_SILENT };

enum ending {
    ENDING_NONE,
    ENDING_CLOSED,
    ENDING_REFUSED,
    ENDING_RESET, /* by `reset_by` */
    ENDING_TIMED_OUT,
    ENDING_UNREACHABLE,
};

/* What is counted instead of shown. */
struct fold_dir {
    uint64_t segments, bytes, acks, lost, again, by_timer, corrupted, copies, late, dup_acks;
    uint64_t zero_windows, resets;
    int64_t lo, hi; /* of the payload; lo < 0: none */
};

enum { FOLD_KEPT = 2 };

struct fold {
    struct item *kept[FOLD_KEPT]; /* while there are no more than these, they are shown instead */
    uint32_t count;
    uint64_t first, last; /* when the first and the last of them left */
    struct fold_dir dir[2];
    char *name;         /* the last payload that had one; owned */
    uint32_t count_max; /* it is written when it has so many, */
    uint64_t time_max;  /* or spans so much */
};

struct track {
    struct track *chain; /* others of the same hash; the newest first */
    uint64_t hash;
    uint32_t number; /* from 1, or from the configuration's */
    struct track_end end[2];
    char process[64]; /* "curl[4711]"; "" unknown */
    uint64_t began, established, ended, last;
    uint64_t shown_at; /* when the last item left that was shown or folded */
    uint64_t rtt;
    int8_t opener; /* the end that sent the first SYN; -1: not seen */
    int8_t closed_first, reset_by;
    uint8_t mode, ending;
    bool together;  /* the two FINs crossed */
    bool half_said; /* that one end goes on sending */
    bool over, titled, opened, concluded;
    /* fold.c: how many lines of each kind it may still have */
    uint16_t may_plain, may_name, may_event, may_reset;
    uint16_t kinds_seen;
    uint16_t run[2]; /* payload segments in a row, each way */
    bool bulk;       /* so many that a fold was written only because it was full */
    struct fold fold;
};

/* ---- the whole ------------------------------------------------------------------------------- */

/* A change of state that nothing has claimed yet. */
struct pending {
    struct pending *next;
    struct track *track;
    struct change change;
    uint8_t end;
    uint64_t time, tick; /* when it happened */
    uint64_t heard;      /* when something was first heard after it; 0: not yet */
};

enum {
    SAID_SYN_COUNTS = 1,
    SAID_FIN_COUNTS = 2,
    SAID_RELATIVE = 4,
    SAID_TERSE = 8,
    SAID_SILENT = 16
};

struct layout {
    bool wide;
    uint32_t width;
    uint32_t time_cols;
    uint32_t id_cols;           /* "#1 curl" */
    uint32_t middle_at, middle; /* where the segment begins, and its width */
};

struct timeline {
    struct timeline_config conf;
    struct layout layout;
    uint64_t latest; /* the latest time heard of */
    uint64_t shown;  /* the time of the last line */
    uint64_t tick;
    uint32_t said; /* SAID_* */
    bool arrivals_come, no_memory;
    bool paragraph; /* a summary was written last: an empty line goes before the next title */

    struct item *head, *tail, *spare;
    uint32_t queued;
    struct item **by_id;
    uint32_t by_id_count;
    struct item *arriving[2]; /* what end 0 and end 1 are taking in */
    struct pending *pending;  /* oldest first */

    struct track **tracks; /* in the order in which they began */
    uint32_t track_count, track_room;
    struct track **buckets;
    uint32_t bucket_count;
    uint32_t live;        /* not over yet */
    uint32_t folding;     /* with something folded */
    uint64_t not_tracked; /* beyond the limit */
    /* in MODE_SILENT */
    uint64_t silent_opened, silent_ended, silent_told, silent_first;
};

enum { TRACKS_MAX = 1 << 17, QUEUED_MAX = 1 << 18 };

/* ns */
#define CLAIM_TIME UINT64_C(10000000)  /* a change of state waits so long for its segment, */
#define QUIET_TIME UINT64_C(500000000) /* and what is folded so long for more */

/* ---- track.c --------------------------------------------------------------------------------- */

/* The connection of a packet from end `from`, a new one if need be; NULL: none. */
struct track *track_of_packet(struct timeline *t, const struct packet *p, int from, uint64_t now);
/* The connection a record of end `end` is about; NULL: none. */
struct track *track_of_record(struct timeline *t, int end, const tern_trace *r);
/* A segment leaves: fills what the item says about it. */
void track_sent(struct timeline *t, struct item *item, const struct packet *p);
/* The other end has taken it. */
void track_processed(struct timeline *t, struct item *item);
/* It will not arrive. */
void track_lost(struct item *item);
/* The stack at `end` sends that again. */
void track_report(struct track *k, int end, const tern_trace *r);
/* The state of `end` is another one; `cause` is the segment that did it, NULL: none. */
void track_state(struct timeline *t, struct track *k, int end, struct change change,
                 const struct item *cause);
/* What was recorded at `tick` is shown with the segment. */
void track_placed(struct track *k, int end, uint64_t tick, const struct item *item);
/* Whether the state of the end the segment goes to changed while it was under way, by something
 * that is shown after it. */
bool track_crossed(const struct track *k, const struct item *item);
/* Whether nothing more is to come, by what is known now or (`shown`) by what has been printed. */
bool track_over(const struct track *k, bool shown);
void tracks_free(struct timeline *t);

/* ---- timeline.c ------------------------------------------------------------------------------ */

void item_free(struct timeline *t, struct item *item);

/* ---- render.c -------------------------------------------------------------------------------- */

enum arrow {
    ARROW_NONE,    /* no segment */
    ARROW_WHOLE,   /* from end to end */
    ARROW_LOST,    /* it never gets there */
    ARROW_BAD,     /* it gets there and is not taken */
    ARROW_LEAVES,  /* the first half of one that crosses another */
    ARROW_ARRIVES, /* the second half */
    ARROW_BULK,    /* many */
};

enum { PIECES_MAX = 16, NOTES_MAX = 12, PIECE_MAX = 144, NOTE_MAX = 256 };

struct piece {
    char s[PIECE_MAX];
    uint8_t style; /* enum style */
    uint8_t rank;  /* 0: must be seen; else left out the sooner the higher */
};

/* One line (with what is below it) before it is laid out. */
struct line {
    uint64_t time;
    const struct track *track;
    int from; /* which way the arrow goes */
    enum arrow arrow;
    struct piece piece[PIECES_MAX];
    uint32_t pieces;
    char note[NOTES_MAX][NOTE_MAX];
    uint32_t notes;
    uint8_t state[2][CHANGES_MAX]; /* entered, in order */
    uint8_t state_count[2];
};

void layout_init(struct layout *l, const struct timeline_config *conf);
void line_init(struct line *l, const struct track *k, uint64_t time);
/* Adds a piece to the arrow; a full line takes no more. */
void line_piece(struct line *l, enum style style, uint8_t rank, const char *s);
void line_note(struct line *l, enum watch_message id, struct message_args args);
/* Writes it. States that are printed become the ones shown. */
void line_write(struct timeline *t, struct line *l);
/* Text over the whole width, wrapped between words: the first line and the others so far
 * indented. */
void text_write(struct timeline *t, enum style style, uint32_t first, uint32_t indent,
                const char *s);
/* An empty line, if a summary was written last. */
void paragraph(struct timeline *t);
/* One row that is laid out already. */
void row_write(struct timeline *t, struct text *row);

/* ---- describe.c ------------------------------------------------------------------------------ */

/* Shows an item on lines of its own, with its connection's title before the first. */
void describe(struct timeline *t, struct item *item);
void title_write(struct timeline *t, struct track *k);
/* "curl", "the client"; short-lived: valid until the next call with the same `out`. */
const char *end_name(const struct track *k, int end, char out[TEXT_VALUE]);
/* Asks for the process once more, while it is unknown. */
void process_ask(struct timeline *t, struct track *k);
/* The range [lo, hi) of numbers. */
char *range_text(char *out, int64_t lo, int64_t hi);

/* ---- fold.c ---------------------------------------------------------------------------------- */

void fold_init(struct track *k);
/* Shows the item, or counts it. It owns the item from now on. */
void fold_item(struct timeline *t, struct item *item);
/* Writes what is counted. */
void fold_write(struct timeline *t, struct track *k);
void fold_drop(struct timeline *t, struct track *k);

/* ---- summary.c ------------------------------------------------------------------------------- */

/* What a connection came to, once. */
void summary_write(struct timeline *t, struct track *k, uint64_t now);
/* In MODE_TERSE: how it opened; how it ended. */
void terse_opened(struct timeline *t, struct track *k);
void terse_ended(struct timeline *t, struct track *k, uint64_t now);
/* In MODE_SILENT: counts, when there are many new ones or `always`. */
void silent_write(struct timeline *t, bool always);
/* At the very end: the table, and totals. */
void summary_all(struct timeline *t, uint64_t now);
enum watch_message ending_message(const struct track *k);

#endif
