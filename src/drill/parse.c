/* parse.c - the frame of a script: options, then events with their times. */
#include "drill/scan.h"

#include <ctype.h>
#include <string.h>

enum { EVENTS_MAX = 200000 };

void drill_option_split(struct drill_arena *a, const char *text, size_t len,
                        struct drill_option *out)
{
    while (len > 0 && *text == '-') {
        text++;
        len--;
    }
    const char *equal = memchr(text, '=', len);
    size_t name = equal ? (size_t)(equal - text) : len;
    char *copy = drill_copy(a, text, name);
    for (char *p = copy; *p; p++)
        if (*p == '-')
            *p = '_';
    out->name = copy;
    out->value = equal ? drill_copy(a, equal + 1, len - name - 1) : NULL;
    if (equal && len - name >= 3 && (equal[1] == '"' || equal[1] == '\'') &&
        text[len - 1] == equal[1])
        out->value = drill_copy(a, equal + 2, len - name - 3);
}

/* --name=value, --name value, --name; -D name=value. */
static void options(struct drill_scan *s)
{
    struct drill_option **tail = &s->script->options;
    while (scan_peek(s) == '-' && !scan_failed(s)) {
        struct drill_arena *a = &s->script->arena;
        struct drill_option *o = drill_alloc(a, sizeof(*o));
        o->pos = scan_pos(s);
        const char *p = s->p, *quote = NULL;
        for (; p < s->end && (quote || !isspace((unsigned char)*p)); p++)
            if (quote ? *p == *quote : (*p == '"' || *p == '\''))
                quote = quote ? NULL : p;
        drill_option_split(a, s->p, (size_t)(p - s->p), o);
        s->p = p;
        while (s->p < s->end && (*s->p == ' ' || *s->p == '\t'))
            s->p++;
        if (!o->value && s->p < s->end && !strchr("-#\n\r`/", *s->p)) {
            struct drill_span value = scan_until(s, "");
            o->value = drill_copy(a, value.s, value.len);
        }
        if (*o->name == '\0')
            scan_fail(s, "an option without a name");
        *tail = o;
        tail = &o->next;
    }
}

static bool a_time(struct drill_scan *s, int64_t *ns)
{
    if (scan_seconds(s, ns))
        return true;
    scan_fail(s, "expected a time");
    return false;
}

/* The time in front of an event; none is +0. Also the end of a blocking call. */
static void times(struct drill_scan *s, struct drill_time *t, bool *blocking, int64_t *end)
{
    char c = scan_peek(s);
    *blocking = false;
    t->when = DRILL_AFTER;
    if (scan_take(s, "*")) {
        t->when = DRILL_ANY_TIME;
        return;
    }
    if (c == '+') {
        scan_take(s, "+");
        if (!a_time(s, &t->start))
            return;
    } else if (isdigit((unsigned char)c) || c == '.') {
        t->when = DRILL_AT;
        if (!a_time(s, &t->start))
            return;
    } else {
        return;
    }
    t->end = t->start;
    if (scan_take(s, "~")) {
        t->range = true;
        scan_take(s, "+");
        a_time(s, &t->end);
        if (!scan_failed(s) && t->end < t->start)
            scan_fail(s, "a range of time that ends before it starts");
    } else if (scan_take(s, "...")) {
        *blocking = true;
        scan_take(s, "+");
        a_time(s, end);
        if (!scan_failed(s) && *end < t->start)
            scan_fail(s, "a call that ends before it starts");
    }
}

/* The text up to `close`. */
static const char *quoted(struct drill_scan *s, const char *close, const char *what)
{
    size_t len = strlen(close);
    for (const char *p = s->p; p + len <= s->end; p++)
        if (memcmp(p, close, len) == 0) {
            const char *text = drill_copy(&s->script->arena, s->p, (size_t)(p - s->p));
            s->p = p + len;
            return text;
        }
    scan_fail(s, "%s that does not end", what);
    return "";
}

static struct drill_event *event(struct drill_scan *s)
{
    struct drill_event *e = drill_alloc(&s->script->arena, sizeof(*e));
    struct drill_span word;
    bool blocking;
    int64_t end = 0;
    e->pos = scan_pos(s);
    e->start = s->p;
    times(s, &e->time, &blocking, &end);
    if (scan_failed(s))
        return e;
    char c = scan_peek(s);
    e->body = s->p;
    if (c == '<' || c == '>') {
        e->kind = DRILL_PACKET;
        e->packet = parse_packet(s);
        if (e->time.when == DRILL_ANY_TIME && !e->packet->outbound)
            scan_fail(s, "only an outbound packet can come at any time");
    } else if (scan_take(s, "`")) {
        e->kind = DRILL_SHELL;
        e->text = quoted(s, "`", "a shell command");
    } else if (scan_take(s, "%{")) {
        e->kind = DRILL_CODE;
        e->text = quoted(s, "}%", "code");
    } else if (scan_word(s, &word)) {
        e->kind = DRILL_CALL;
        e->call = parse_call(s, word);
        e->call->blocking = blocking;
        e->call->end = end;
    } else {
        scan_fail(s, "expected a packet, a call, a shell command or code");
    }
    if (blocking && e->kind != DRILL_CALL && !scan_failed(s))
        scan_fail(s, "only a call has a time at which it ends");
    return e;
}

bool drill_read(struct drill_script *script, const char *path, const char *text, size_t len)
{
    *script = (struct drill_script){.path = NULL};
    script->path = drill_copy(&script->arena, path, strlen(path));
    script->text = text;
    script->end = text + len;
    struct drill_scan s = {.script = script, .start = text, .p = text, .end = text + len};
    struct drill_event **tail = &script->events;
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        s.p += 3;
    options(&s);
    for (size_t n = 0; !scan_at_end(&s) && !scan_failed(&s); n++) {
        if (n == EVENTS_MAX) {
            scan_fail(&s, "more than %d events", EVENTS_MAX);
            break;
        }
        *tail = event(&s);
        tail = &(*tail)->next;
    }
    return !scan_failed(&s);
}

void drill_script_free(struct drill_script *s) { drill_arena_free(&s->arena); }
