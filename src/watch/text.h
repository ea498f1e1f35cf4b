/* text.h - pieces of a line for people, measured in terminal columns: UTF-8 and what stands for it
 * in ASCII, colours, numbers, durations, amounts, addresses.
 *
 * A `struct text` has a fixed size: what does not fit is left out, whole characters at a time. Text
 * that others wrote (names of processes, payloads) goes through text_foreign(), which lets nothing
 * reach the terminal but printable characters.
 */
#ifndef TERN_WATCH_TEXT_H
#define TERN_WATCH_TEXT_H

#include "tern/tern.h"

enum { TEXT_MAX = 960 }; /* bytes: 160 columns of three-byte characters, and colours */

enum style {
    STYLE_PLAIN,
    STYLE_DIM,   /* what has not changed; comments */
    STYLE_BOLD,  /* titles, names */
    STYLE_STATE, /* a state that has just been entered */
    STYLE_OUT,   /* the arrow from end 0 */
    STYLE_IN,    /* the arrow from end 1 */
    STYLE_AGAIN, /* sent again, late, doubled */
    STYLE_BAD,   /* lost, reset */
    STYLE_COUNT
};

struct text {
    char s[TEXT_MAX]; /* terminated */
    uint16_t len;     /* bytes */
    uint16_t cols;    /* columns; colours take none */
    uint8_t style;
    bool utf8, colour;
};

void text_init(struct text *t, bool utf8, bool colour);

/* Our own text, UTF-8. Without utf8 each character beyond ASCII is replaced by its stand-in. */
void text_add(struct text *t, const char *s);
/* At most `cols` columns of it; cut text ends with an ellipsis. */
void text_fit(struct text *t, const char *s, uint32_t cols);
/* `n` times the (one-column) character `s`. */
void text_repeat(struct text *t, const char *s, uint32_t n);
/* Spaces up to the column `cols`. */
void text_pad(struct text *t, uint32_t cols);
/* All that follows has this style, until the next call; nothing without colours. */
void text_style(struct text *t, enum style style);

/* How many columns text_add() would take. */
uint32_t text_cols(const char *s, bool utf8);

/* Foreign text into `out`: controls, ill-formed UTF-8 and characters that turn the direction of
 * writing become '?'. */
void text_foreign(char *out, size_t cap, const char *s, size_t len);

/* Short texts for values. Each returns `out`, which holds TEXT_VALUE bytes. */
enum { TEXT_VALUE = 64 };
char *text_number(char *out, uint64_t n);          /* 1,484,201 */
char *text_bytes(char *out, uint64_t n);           /* 76 B, 1.4 MB */
char *text_duration(char *out, uint64_t ns);       /* 20.3 ms */
char *text_address(char *out, const tern_addr *a); /* 10.0.0.1:80, [fd00::1]:80 */

#endif
