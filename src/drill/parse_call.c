/* parse_call.c - values and calls: read(3, ..., 100) = -1 EAGAIN (Try again) */
#include "drill/scan.h"

#include <ctype.h>
#include <string.h>

enum { DEPTH_MAX = 32 };

static struct drill_expr *expression(struct drill_scan *s, int depth);

static struct drill_expr *new_expr(struct drill_scan *s, enum drill_expr_kind kind)
{
    struct drill_expr *e = drill_alloc(&s->script->arena, sizeof(*e));
    e->kind = kind;
    e->pos = scan_pos(s);
    return e;
}

static const char *keep(struct drill_scan *s, struct drill_span span)
{
    return drill_copy(&s->script->arena, span.s, span.len);
}

/* One character of a string, its escape resolved. */
static char escaped(const char **p, const char *end)
{
    static const char from[] = "ntr0", to[] = "\n\t\r";
    char c = *(*p)++;
    if (c != '\\' || *p == end)
        return c;
    c = *(*p)++;
    if (c == 'x') {
        int n = 0;
        for (int i = 0; i < 2 && *p < end && isxdigit((unsigned char)**p); i++, (*p)++)
            n = n * 16 + (isdigit((unsigned char)**p) ? **p - '0' : (**p | 0x20) - 'a' + 10);
        return (char)n;
    }
    const char *known = c ? strchr(from, c) : NULL;
    return known ? to[known - from] : c;
}

static struct drill_expr *string(struct drill_scan *s)
{
    struct drill_expr *e = new_expr(s, EXPR_STRING);
    const char *p = s->p + 1, *close = p;
    while (close < s->end && *close != '"' && *close != '\n')
        close += *close == '\\' && close + 1 < s->end ? 2 : 1;
    if (close >= s->end || *close != '"') {
        scan_fail(s, "a string that does not end");
        return e;
    }
    char *bytes = drill_alloc(&s->script->arena, (size_t)(close - p) + 1);
    while (p < close)
        bytes[e->len++] = escaped(&p, close);
    e->text = bytes;
    s->p = close + 1;
    return e;
}

/* Elements up to `close`, each through `read`. */
static void elements(struct drill_scan *s, struct drill_expr *parent, const char *close, int depth,
                     struct drill_expr *(*read)(struct drill_scan *, int))
{
    struct drill_expr **tail = &parent->first;
    if (scan_take(s, close))
        return;
    do {
        *tail = read(s, depth + 1);
        tail = &(*tail)->next;
    } while (!scan_failed(s) && scan_take(s, ","));
    scan_expect(s, close);
}

/* A word, or a function's call. */
static struct drill_expr *name(struct drill_scan *s, int depth)
{
    struct drill_expr *e = new_expr(s, EXPR_WORD);
    struct drill_span word = {0};
    scan_word(s, &word);
    e->text = keep(s, word);
    e->len = word.len;
    if (scan_take(s, "(")) {
        e->kind = EXPR_CALL;
        elements(s, e, ")", depth, expression);
    }
    return e;
}

/* A member: value, name = value, or name(count) = value. */
static struct drill_expr *member(struct drill_scan *s, int depth)
{
    struct drill_expr *e = expression(s, depth);
    if (scan_peek(s) != '=' || (e->kind != EXPR_WORD && e->kind != EXPR_CALL))
        return e;
    scan_take(s, "=");
    struct drill_expr *value = expression(s, depth);
    value->field = e->text;
    value->count = e->kind == EXPR_CALL ? e->first : NULL;
    return value;
}

static struct drill_expr *number(struct drill_scan *s)
{
    struct drill_expr *e = new_expr(s, EXPR_INT);
    uint64_t n = 0;
    scan_uint(s, &n);
    e->number = (int64_t)n;
    return e;
}

static struct drill_expr *unary(struct drill_scan *s, const char *op, int depth);

static struct drill_expr *primary(struct drill_scan *s, int depth)
{
    char c = scan_peek(s);
    struct drill_expr *e;
    if (depth > DEPTH_MAX) {
        scan_fail(s, "values nested too deeply");
        return new_expr(s, EXPR_ANY);
    }
    if (isdigit((unsigned char)c))
        return number(s);
    if (c == '"')
        return string(s);
    if (c == '-' || c == '~' || c == '!')
        return unary(s, c == '-' ? "-" : c == '~' ? "~" : "!", depth);
    if (isalpha((unsigned char)c) || c == '_')
        return name(s, depth);
    e = new_expr(s, EXPR_ANY);
    if (scan_take(s, "...") || scan_take(s, "\xe2\x80\xa6") || scan_take(s, "*"))
        return e;
    if (scan_take(s, "[")) {
        e->kind = EXPR_LIST;
        elements(s, e, "]", depth, expression);
    } else if (scan_take(s, "{")) {
        e->kind = EXPR_STRUCT;
        elements(s, e, "}", depth, member);
    } else if (scan_take(s, "(")) {
        e = expression(s, depth + 1);
        scan_expect(s, ")");
    } else {
        scan_fail(s, "expected a value");
    }
    return e;
}

static struct drill_expr *unary(struct drill_scan *s, const char *op, int depth)
{
    struct drill_expr *e = new_expr(s, EXPR_UNARY);
    scan_take(s, op);
    e->text = op;
    e->first = primary(s, depth + 1);
    return e;
}

static struct drill_expr *binary(struct drill_scan *s, int level, int depth)
{
    static const char *const ops[][3] = {{"|"}, {"^"}, {"&"}, {"<<", ">>"}, {"+", "-"}, {"*", "/"}};
    if (level == (int)(sizeof(ops) / sizeof(ops[0])))
        return primary(s, depth);
    struct drill_expr *left = binary(s, level + 1, depth);
    for (size_t i = 0; i < 3 && ops[level][i] && !scan_failed(s);) {
        struct drill_expr *e = new_expr(s, EXPR_BINARY);
        if (!scan_take(s, ops[level][i])) {
            i++;
            continue;
        }
        e->text = ops[level][i];
        e->first = left;
        left->next = binary(s, level + 1, depth);
        left = e;
        i = 0;
    }
    return left;
}

static struct drill_expr *expression(struct drill_scan *s, int depth)
{
    return binary(s, 0, depth);
}

struct drill_expr *parse_expr(struct drill_scan *s) { return expression(s, 0); }

/* A result is followed by the next event, whose time may begin with + or *: only | joins here. */
static struct drill_expr *result(struct drill_scan *s)
{
    struct drill_expr *left = primary(s, 0);
    while (!scan_failed(s) && scan_peek(s) == '|') {
        struct drill_expr *e = new_expr(s, EXPR_BINARY);
        scan_take(s, "|");
        e->text = "|";
        e->first = left;
        left->next = primary(s, 0);
        left = e;
    }
    return left;
}

struct drill_call *parse_call(struct drill_scan *s, struct drill_span called)
{
    struct drill_call *c = drill_alloc(&s->script->arena, sizeof(*c));
    struct drill_expr args = {0};
    c->name = keep(s, called);
    if (!scan_expect(s, "("))
        return c;
    elements(s, &args, ")", 0, expression);
    c->args = args.first;
    for (const struct drill_expr *e = c->args; e; e = e->next)
        c->arg_count++;
    if (!scan_expect(s, "="))
        return c;
    c->result = result(s);
    if (scan_peek(s) == 'E') {
        struct drill_span word = {0};
        scan_word(s, &word);
        c->error = keep(s, word);
    }
    if (scan_take(s, "(")) { /* a note for people */
        while (s->p < s->end && *s->p != ')' && *s->p != '\n')
            s->p++;
        scan_expect(s, ")");
    }
    return c;
}
