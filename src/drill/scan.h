/* scan.h - the characters of a script, with a position and one error.
 *
 * The language has no tokens that mean the same everywhere (`.5` is a time, or an ACK flag with a
 * counter), so the reader takes characters as it expects them. The first error sticks and moves
 * the position to the end: whoever reads on finds nothing there, and need not ask. */
#ifndef TERN_DRILL_SCAN_H
#define TERN_DRILL_SCAN_H

#include "drill/script.h"

struct drill_scan {
    struct drill_script *script; /* receives the error */
    const char *start, *p, *end;
    const char *counted; /* `pos` is the position of this character; NULL: of none */
    struct drill_pos pos;
};

struct drill_span {
    const char *s;
    size_t len;
};

/* Skips white space and comments. */
void scan_space(struct drill_scan *s);
/* Where the next token starts. */
struct drill_pos scan_pos(struct drill_scan *s);
bool scan_at_end(struct drill_scan *s);
/* The next token's first character; 0 at the end. */
char scan_peek(struct drill_scan *s);
/* The next token is, and is taken if, this text; one that ends in a letter must end there. */
bool scan_take(struct drill_scan *s, const char *text);
/* The same, and an error if it is not. */
bool scan_expect(struct drill_scan *s, const char *text);
/* A name of letters, digits and underscores. */
bool scan_word(struct drill_scan *s, struct drill_span *out);
/* What stands until white space or one of `stops`. */
struct drill_span scan_until(struct drill_scan *s, const char *stops);
/* A decimal or 0x number, without a sign. */
bool scan_uint(struct drill_scan *s, uint64_t *out);
/* The same, and an error unless it is there and at most `max`. */
uint64_t scan_number(struct drill_scan *s, const char *what, uint64_t max);
/* Decimal seconds, in ns. */
bool scan_seconds(struct drill_scan *s, int64_t *out);
__attribute__((format(printf, 2, 3))) void scan_fail(struct drill_scan *s, const char *format, ...);
bool scan_failed(const struct drill_scan *s);

struct drill_expr *parse_expr(struct drill_scan *s);
struct drill_call *parse_call(struct drill_scan *s, struct drill_span name);
struct drill_packet *parse_packet(struct drill_scan *s);

#endif
