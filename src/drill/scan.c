/* scan.c - taking characters off a script. */
#include "drill/scan.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define SECOND INT64_C(1000000000)

static bool is_word(char c) { return isalnum((unsigned char)c) || c == '_'; }

static bool starts(const struct drill_scan *s, const char *text)
{
    size_t len = strlen(text);
    return (size_t)(s->end - s->p) >= len && memcmp(s->p, text, len) == 0;
}

static void skip_line(struct drill_scan *s)
{
    while (s->p < s->end && *s->p != '\n')
        s->p++;
}

void scan_space(struct drill_scan *s)
{
    while (s->p < s->end) {
        if (isspace((unsigned char)*s->p)) {
            s->p++;
        } else if (starts(s, "\\\n")) { /* the line goes on */
            s->p += 2;
        } else if (*s->p == '#' || starts(s, "//")) {
            skip_line(s);
        } else if (starts(s, "/*")) {
            const char *open = s->p;
            s->p += 2;
            while (s->p < s->end && !starts(s, "*/"))
                s->p++;
            if (s->p == s->end) {
                s->p = open;
                scan_fail(s, "a comment that does not end");
                return;
            }
            s->p += 2;
        } else {
            return;
        }
    }
}

/* Counted from where it was asked last, as long as the reader goes forward. */
static struct drill_pos position(struct drill_scan *s)
{
    if (!s->counted || s->p < s->counted) {
        s->counted = s->start;
        s->pos = (struct drill_pos){1, 1};
    }
    for (; s->counted < s->p; s->counted++) {
        s->pos.column++;
        if (*s->counted == '\n') {
            s->pos.line++;
            s->pos.column = 1;
        }
    }
    return s->pos;
}

struct drill_pos scan_pos(struct drill_scan *s)
{
    scan_space(s);
    return position(s);
}

bool scan_at_end(struct drill_scan *s)
{
    scan_space(s);
    return s->p == s->end;
}

char scan_peek(struct drill_scan *s)
{
    scan_space(s);
    return s->p < s->end ? *s->p : '\0';
}

bool scan_take(struct drill_scan *s, const char *text)
{
    scan_space(s);
    size_t len = strlen(text);
    if (!starts(s, text) || (is_word(text[len - 1]) && s->p + len < s->end && is_word(s->p[len])))
        return false;
    s->p += len;
    return true;
}

bool scan_expect(struct drill_scan *s, const char *text)
{
    if (scan_take(s, text))
        return true;
    scan_fail(s, "expected '%s'", text);
    return false;
}

bool scan_word(struct drill_scan *s, struct drill_span *out)
{
    scan_space(s);
    const char *p = s->p;
    if (p == s->end || !is_word(*p) || isdigit((unsigned char)*p))
        return false;
    while (p < s->end && is_word(*p))
        p++;
    *out = (struct drill_span){s->p, (size_t)(p - s->p)};
    s->p = p;
    return true;
}

struct drill_span scan_until(struct drill_scan *s, const char *stops)
{
    scan_space(s);
    const char *p = s->p;
    while (p < s->end && *p != '\0' && !isspace((unsigned char)*p) && !strchr(stops, *p))
        p++;
    struct drill_span span = {s->p, (size_t)(p - s->p)};
    s->p = p;
    return span;
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

bool scan_uint(struct drill_scan *s, uint64_t *out)
{
    scan_space(s);
    const char *p = s->p;
    int base = 10;
    if (p == s->end || !isdigit((unsigned char)*p))
        return false;
    if (s->end - p > 2 && p[0] == '0' && (p[1] == 'x' || p[1] == 'X') && digit_value(p[2]) < 16) {
        base = 16;
        p += 2;
    }
    uint64_t n = 0;
    for (; p < s->end && digit_value(*p) < base; p++) {
        if (n > (UINT64_MAX - 15) / (unsigned)base) {
            scan_fail(s, "a number that is too large");
            return false;
        }
        n = n * (unsigned)base + (unsigned)digit_value(*p);
    }
    s->p = p;
    *out = n;
    return true;
}

uint64_t scan_number(struct drill_scan *s, const char *what, uint64_t max)
{
    uint64_t n = 0;
    scan_space(s);
    const char *at = s->p;
    if (!scan_uint(s, &n)) {
        scan_fail(s, "expected %s: a number", what);
        return 0;
    }
    if (n > max) {
        s->p = at;
        scan_fail(s, "%s is at most %llu", what, (unsigned long long)max);
        return 0;
    }
    return n;
}

bool scan_seconds(struct drill_scan *s, int64_t *out)
{
    scan_space(s);
    const char *p = s->p;
    int64_t ns = 0, unit = SECOND;
    bool digits = false;
    for (; p < s->end && isdigit((unsigned char)*p); p++, digits = true) {
        if (ns > INT64_C(1000000) * SECOND) {
            scan_fail(s, "a time that is too long");
            return false;
        }
        ns = ns * 10 + (*p - '0') * SECOND;
    }
    /* "0...0.3" is 0, up to 0.3 */
    if (p < s->end && *p == '.' && !(s->end - p > 1 && p[1] == '.')) {
        const char *point = p++;
        for (; p < s->end && isdigit((unsigned char)*p); p++, digits = true) {
            unit /= 10;
            ns += (*p - '0') * unit;
        }
        if (!digits)
            p = point;
    }
    if (!digits)
        return false;
    s->p = p;
    *out = ns;
    return true;
}

void scan_fail(struct drill_scan *s, const char *format, ...)
{
    char *error = s->script->error, near[24];
    if (*error == '\0') {
        va_list args;
        struct drill_pos pos = position(s);
        size_t size = sizeof(s->script->error), n = 0;
        while (n + 1 < sizeof(near) && s->p + n < s->end && isprint((unsigned char)s->p[n])) {
            near[n] = s->p[n];
            n++;
        }
        near[n] = '\0';
        char what[160];
        va_start(args, format);
        vsnprintf(what, sizeof(what), format, args);
        va_end(args);
        const char *path = s->script->path;
        size_t long_path = strlen(path);
        snprintf(error, size, "%s:%u:%u: %s%s%s%s", long_path > 120 ? path + long_path - 120 : path,
                 pos.line, pos.column, what, n ? " at '" : "", near, n ? "'" : "");
        if (*error == '\0')
            snprintf(error, size, "unreadable");
    }
    s->p = s->end;
}

bool scan_failed(const struct drill_scan *s) { return s->script->error[0] != '\0'; }
