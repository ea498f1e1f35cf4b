/* code_value.c - arithmetic of the small Python. */
#include "drill/code_value.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct code_value code_int(int64_t i) { return (struct code_value){.type = CODE_INT, .i = i}; }
struct code_value code_bool(bool b) { return (struct code_value){.type = CODE_BOOL, .i = b}; }
struct code_value code_real(double r) { return (struct code_value){.type = CODE_REAL, .r = r}; }

struct code_value code_text(const char *s, size_t len)
{
    return (struct code_value){.type = CODE_STRING, .s = s, .count = len};
}

static bool is_whole(const struct code_value *v)
{
    return v->type == CODE_INT || v->type == CODE_BOOL;
}

bool code_is_number(const struct code_value *v) { return is_whole(v) || v->type == CODE_REAL; }

double code_as_real(const struct code_value *v)
{
    return v->type == CODE_REAL ? v->r : (double)v->i;
}

bool code_true(const struct code_value *v)
{
    switch (v->type) {
    case CODE_NONE:
        return false;
    case CODE_BOOL:
    case CODE_INT:
        return v->i != 0;
    case CODE_REAL:
        return v->r < 0 || v->r > 0;
    case CODE_STRING:
    case CODE_LIST:
        return v->count > 0;
    }
    return false;
}

/* Down to a whole number; beyond 2^53 all are whole. */
static double down(double r)
{
    if (r >= 9007199254740992.0 || r <= -9007199254740992.0)
        return r;
    double whole = (double)(int64_t)r;
    return whole > r ? whole - 1 : whole;
}

static bool is_round(double r) { return r > -1e12 && r < 1e12 && !(down(r) < r); }

void code_show(struct drill_text *t, const struct code_value *v, bool quote)
{
    switch (v->type) {
    case CODE_NONE:
        drill_print(t, "None");
        break;
    case CODE_BOOL:
        drill_print(t, "%s", v->i ? "True" : "False");
        break;
    case CODE_INT:
        drill_print(t, "%" PRId64, v->i);
        break;
    case CODE_REAL:
        drill_print(t, "%.12g%s", v->r, is_round(v->r) ? ".0" : "");
        break;
    case CODE_STRING:
        drill_print(t, "%s%.*s%s", quote ? "'" : "", (int)v->count, v->s, quote ? "'" : "");
        break;
    case CODE_LIST:
        drill_print(t, "(");
        for (size_t i = 0; i < v->count; i++) {
            drill_print(t, "%s", i ? ", " : "");
            code_show(t, &v->items[i], true);
        }
        drill_print(t, ")");
        break;
    }
}

static bool equal(const struct code_value *a, const struct code_value *b)
{
    if (is_whole(a) && is_whole(b))
        return a->i == b->i;
    if (code_is_number(a) && code_is_number(b))
        return !(code_as_real(a) < code_as_real(b) || code_as_real(a) > code_as_real(b));
    if (a->type != b->type)
        return false;
    if (a->type == CODE_STRING)
        return a->count == b->count && memcmp(a->s, b->s, a->count) == 0;
    if (a->type == CODE_LIST && a->count == b->count) {
        for (size_t i = 0; i < a->count; i++)
            if (!equal(&a->items[i], &b->items[i]))
                return false;
        return true;
    }
    return a->type == CODE_NONE;
}

static bool contains(const struct code_value *item, const struct code_value *list)
{
    for (size_t i = 0; list->type == CODE_LIST && i < list->count; i++)
        if (equal(item, &list->items[i]))
            return true;
    return list->type == CODE_STRING && item->type == CODE_STRING &&
           memmem(list->s, list->count, item->s, item->count);
}

static int order(const struct code_value v[2])
{
    if (is_whole(&v[0]) && is_whole(&v[1]))
        return v[0].i < v[1].i ? -1 : v[0].i > v[1].i;
    double a = code_as_real(&v[0]), b = code_as_real(&v[1]);
    return a < b ? -1 : a > b;
}

static const char *compare(enum code_op op, const struct code_value v[2], struct code_value *out)
{
    if (op == CODE_EQ || op == CODE_NE) {
        *out = code_bool(equal(&v[0], &v[1]) == (op == CODE_EQ));
        return NULL;
    }
    if (op == CODE_IN || op == CODE_NOT_IN) {
        if (v[1].type != CODE_LIST && v[1].type != CODE_STRING)
            return "TypeError: argument of 'in' is not a list";
        *out = code_bool(contains(&v[0], &v[1]) == (op == CODE_IN));
        return NULL;
    }
    if (!code_is_number(&v[0]) || !code_is_number(&v[1]))
        return "TypeError: these values have no order";
    int o = order(v);
    *out = code_bool(op == CODE_LT   ? o < 0
                     : op == CODE_LE ? o <= 0
                     : op == CODE_GT ? o > 0
                                     : o >= 0);
    return NULL;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    int64_t q = a / b;
    return a % b != 0 && (a < 0) != (b < 0) ? q - 1 : q;
}

static const char *power(int64_t a, int64_t b, struct code_value *out)
{
    if (b < 0)
        return "TypeError: negative powers are not supported";
    int64_t r = 1;
    for (; b > 0; b--)
        if (__builtin_mul_overflow(r, a, &r))
            return "OverflowError: more than 64 bits";
        else if (a == 0 || a == 1)
            break;
    *out = code_int(r);
    return NULL;
}

static const char *whole(enum code_op op, int64_t a, int64_t b, struct code_value *out)
{
    bool over = false;
    int64_t r = 0;
    if ((op == CODE_DIV || op == CODE_FLOOR || op == CODE_MOD) && b == 0)
        return "ZeroDivisionError: division by zero";
    if ((op == CODE_FLOOR || op == CODE_MOD) && a == INT64_MIN && b == -1)
        return "OverflowError: more than 64 bits";
    switch (op) {
    case CODE_OR:
        r = a | b;
        break;
    case CODE_XOR:
        r = a ^ b;
        break;
    case CODE_AND:
        r = a & b;
        break;
    case CODE_SHL:
        over = b < 0 || b > 62 || a < 0 || a > INT64_MAX >> b;
        r = over ? 0 : a << b;
        break;
    case CODE_SHR:
        over = b < 0;
        r = over ? 0 : a >> (b > 63 ? 63 : b);
        break;
    case CODE_ADD:
        over = __builtin_add_overflow(a, b, &r);
        break;
    case CODE_SUB:
        over = __builtin_sub_overflow(a, b, &r);
        break;
    case CODE_MUL:
        over = __builtin_mul_overflow(a, b, &r);
        break;
    case CODE_DIV:
        *out = code_real((double)a / (double)b);
        return NULL;
    case CODE_FLOOR:
        r = floor_div(a, b);
        break;
    case CODE_MOD:
        r = a - floor_div(a, b) * b;
        break;
    default:
        return power(a, b, out);
    }
    *out = code_int(r);
    return over ? "OverflowError: more than 64 bits" : NULL;
}

static const char *real(enum code_op op, double a, double b, struct code_value *out)
{
    if ((op == CODE_DIV || op == CODE_FLOOR || op == CODE_MOD) && !(b < 0 || b > 0))
        return "ZeroDivisionError: float division by zero";
    switch (op) {
    case CODE_ADD:
        *out = code_real(a + b);
        return NULL;
    case CODE_SUB:
        *out = code_real(a - b);
        return NULL;
    case CODE_MUL:
        *out = code_real(a * b);
        return NULL;
    case CODE_DIV:
        *out = code_real(a / b);
        return NULL;
    case CODE_FLOOR:
        *out = code_real(down(a / b));
        return NULL;
    case CODE_MOD:
        *out = code_real(a - down(a / b) * b);
        return NULL;
    default:
        return "TypeError: not an operation on reals";
    }
}

/* "cwnd %d" % value: each %x takes the next value, in its own notation. */
static struct code_value format(struct drill_arena *a, const struct code_value v[2])
{
    struct drill_text t = {0};
    size_t used = 0, have = v[1].type == CODE_LIST ? v[1].count : 1;
    for (size_t i = 0; i < v[0].count; i++) {
        if (v[0].s[i] != '%' || i + 1 == v[0].count) {
            drill_put(&t, &v[0].s[i], 1);
            continue;
        }
        size_t digits = strspn(v[0].s + i + 1, "0123456789.-+ ");
        i += digits + 1;
        if (i >= v[0].count || v[0].s[i] == '%')
            drill_put(&t, "%", 1);
        else if (used < have)
            code_show(&t, v[1].type == CODE_LIST ? &v[1].items[used++] : (used++, &v[1]), false);
    }
    char *s = drill_copy(a, drill_string(&t), t.len);
    struct code_value out = code_text(s, t.len);
    drill_text_free(&t);
    return out;
}

static struct code_value join(struct drill_arena *a, const struct code_value v[2])
{
    char *s = drill_alloc(a, v[0].count + v[1].count + 1);
    memcpy(s, v[0].s, v[0].count);
    memcpy(s + v[0].count, v[1].s, v[1].count);
    return code_text(s, v[0].count + v[1].count);
}

const char *code_operate(struct drill_arena *a, enum code_op op, const struct code_value v[2],
                         struct code_value *out)
{
    if (op >= CODE_EQ)
        return compare(op, v, out);
    if (v[0].type == CODE_STRING && op == CODE_MOD) {
        *out = format(a, v);
        return NULL;
    }
    if (v[0].type == CODE_STRING && v[1].type == CODE_STRING && op == CODE_ADD) {
        *out = join(a, v);
        return NULL;
    }
    if (is_whole(&v[0]) && is_whole(&v[1]))
        return whole(op, v[0].i, v[1].i, out);
    if (code_is_number(&v[0]) && code_is_number(&v[1]))
        return real(op, code_as_real(&v[0]), code_as_real(&v[1]), out);
    return "TypeError: unsupported operand types";
}
