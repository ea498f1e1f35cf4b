/* code.c - reading and running the small Python in one pass.
 *
 * What must not happen (the other side of `or`, a branch not taken) is read all the same, with
 * `skip` set: names need not exist then, and nothing is asserted or assigned. */
#include "drill/code.h"

#include "drill/code_value.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_LEN = 64, DEPTH_MAX = 64, ITEMS_MAX = 64 };

struct code_variable {
    struct code_variable *next;
    char name[NAME_MAX_LEN];
    struct code_value value;
};

struct reader {
    struct drill_code *code;
    const char *p;
    struct drill_text *error;
    int skip;     /* > 0: read only */
    int brackets; /* open ones: a line's end is white space inside */
    int depth;
};

static struct code_value expression(struct reader *r);

static void fail(struct reader *r, const char *what, const char *name)
{
    if (r->error->len == 0)
        drill_print(r->error, "%s%s", what, name);
    r->p = "";
}

static bool failed(const struct reader *r) { return r->error->len > 0; }

/* ---- words ----------------------------------------------------------------------------------- */

static void space(struct reader *r)
{
    for (;;) {
        if (*r->p == ' ' || *r->p == '\t' || *r->p == '\r' || (*r->p == '\n' && r->brackets > 0)) {
            r->p++;
        } else if (r->p[0] == '\\') {
            const char *p = r->p + 1;
            p += strspn(p, " \t\r");
            if (*p != '\n')
                return;
            r->p = p + 1;
        } else if (*r->p == '#') {
            r->p += strcspn(r->p, "\n");
        } else {
            return;
        }
    }
}

static bool is_name(char c) { return isalnum((unsigned char)c) || c == '_'; }

static bool take(struct reader *r, const char *text)
{
    size_t len = strlen(text);
    space(r);
    if (strncmp(r->p, text, len) != 0 || (is_name(text[0]) && is_name(r->p[len])))
        return false;
    r->p += len;
    return true;
}

/* An operator that is not the beginning of a longer one in `longer`. */
static bool take_op(struct reader *r, const char *op, const char *longer)
{
    space(r);
    size_t len = strlen(op);
    if (strncmp(r->p, op, len) != 0 || (r->p[len] != '\0' && strchr(longer, r->p[len])))
        return false;
    r->p += len;
    return true;
}

static void expect(struct reader *r, const char *text)
{
    if (!failed(r) && !take(r, text))
        fail(r, "SyntaxError: expected ", text);
}

static bool name(struct reader *r, char out[NAME_MAX_LEN])
{
    size_t n = 0;
    space(r);
    if (!is_name(*r->p) || isdigit((unsigned char)*r->p))
        return false;
    while (is_name(r->p[n]))
        n++;
    if (n >= NAME_MAX_LEN) {
        fail(r, "SyntaxError: a name that is too long", "");
        return false;
    }
    memcpy(out, r->p, n);
    out[n] = '\0';
    r->p += n;
    return true;
}

static struct code_variable *variable(const struct reader *r, const char *wanted)
{
    for (struct code_variable *v = r->code->variables; v; v = v->next)
        if (strcmp(v->name, wanted) == 0)
            return v;
    return NULL;
}

/* ---- primaries ------------------------------------------------------------------------------- */

static struct code_value number(struct reader *r)
{
    char *whole_end, *real_end;
    bool hex = r->p[0] == '0' && (r->p[1] | 0x20) == 'x';
    int64_t i = (int64_t)strtoull(r->p, &whole_end, hex ? 16 : 10);
    double d = hex ? 0 : strtod(r->p, &real_end);
    if (!hex && real_end > whole_end) {
        r->p = real_end;
        return code_real(d);
    }
    r->p = whole_end;
    return code_int(i);
}

static struct code_value string(struct reader *r)
{
    char quote = *r->p++;
    const char *start = r->p;
    while (*r->p && *r->p != quote && *r->p != '\n')
        r->p++;
    size_t len = (size_t)(r->p - start);
    if (*r->p != quote) {
        fail(r, "SyntaxError: a string that does not end", "");
        return code_text("", 0);
    }
    r->p++;
    return code_text(drill_copy(&r->code->arena, start, len), len);
}

/* Expressions up to `close`; *comma: there was one, so brackets make a tuple. */
static struct code_value items(struct reader *r, const char *close, bool *comma)
{
    struct code_value list = {.type = CODE_LIST};
    list.items = drill_alloc(&r->code->arena, ITEMS_MAX * sizeof(list));
    r->brackets++;
    *comma = false;
    while (!failed(r) && !take(r, close)) {
        if (list.count > 0 && !*comma)
            break;
        if (list.count == ITEMS_MAX) {
            fail(r, "SyntaxError: too many elements", "");
            break;
        }
        list.items[list.count++] = expression(r);
        *comma = take(r, ",");
        if (!*comma) {
            expect(r, close);
            *comma = list.count > 1;
            break;
        }
    }
    r->brackets--;
    return list;
}

static struct code_value rounded(const struct code_value *v)
{
    double d = code_as_real(v);
    return code_int((int64_t)(d < 0 ? d - 0.5 : d + 0.5));
}

static struct code_value extreme(const struct code_value *args, bool least)
{
    struct code_value best = args->items[0];
    for (size_t i = 1; i < args->count; i++) {
        double a = code_as_real(&args->items[i]), b = code_as_real(&best);
        if (least ? a < b : a > b)
            best = args->items[i];
    }
    return best;
}

static struct code_value shown(struct reader *r, const struct code_value *v, bool hex)
{
    struct drill_text t = {0};
    if (hex)
        drill_print(&t, "0x%llx", (unsigned long long)v->i);
    else
        code_show(&t, v, false);
    char *s = drill_copy(&r->code->arena, drill_string(&t), t.len);
    struct code_value out = code_text(s, t.len);
    drill_text_free(&t);
    return out;
}

static void printed(struct reader *r, const struct code_value *args)
{
    struct drill_text *t = &r->code->printed;
    for (size_t i = 0; i < args->count && r->skip == 0; i++) {
        drill_put(t, " ", i ? 1 : 0);
        code_show(t, &args->items[i], false);
    }
    drill_put(t, "\n", r->skip == 0);
}

static struct code_value call(struct reader *r, const char *function)
{
    bool comma;
    struct code_value args = items(r, ")", &comma), none = {0};
    if (failed(r))
        return none;
    if (strcmp(function, "print") == 0) {
        printed(r, &args);
        return none;
    }
    bool list = args.count == 1 && args.items[0].type == CODE_LIST;
    if (args.count == 0) {
        fail(r, "TypeError: no arguments for ", function);
        return none;
    }
    const struct code_value *v = &args.items[0];
    if (strcmp(function, "len") == 0)
        return code_int((int64_t)v->count);
    if (strcmp(function, "str") == 0 || strcmp(function, "hex") == 0)
        return shown(r, v, *function == 'h');
    if (strcmp(function, "bool") == 0)
        return code_bool(code_true(v));
    const struct code_value *numbers = list ? v : &args;
    for (size_t i = 0; i < numbers->count; i++)
        if (!code_is_number(&numbers->items[i])) {
            fail(r, "TypeError: not a number in ", function);
            return none;
        }
    if (numbers->count > 0) {
        if (strcmp(function, "min") == 0 || strcmp(function, "max") == 0)
            return extreme(numbers, function[1] == 'i');
        if (strcmp(function, "abs") == 0)
            return v->type == CODE_REAL ? code_real(v->r < 0 ? -v->r : v->r)
                                        : code_int(v->i < 0 ? -v->i : v->i);
        if (strcmp(function, "int") == 0)
            return v->type == CODE_REAL ? code_int((int64_t)v->r) : code_int(v->i);
        if (strcmp(function, "float") == 0)
            return code_real(code_as_real(v));
        if (strcmp(function, "round") == 0)
            return rounded(v);
    }
    fail(r, "NameError: no such function: ", function);
    return none;
}

static struct code_value named(struct reader *r, const char *word)
{
    int64_t value = 0;
    if (strcmp(word, "True") == 0 || strcmp(word, "False") == 0)
        return code_bool(*word == 'T');
    if (strcmp(word, "None") == 0)
        return (struct code_value){0};
    if (take(r, "("))
        return call(r, word);
    struct code_variable *v = variable(r, word);
    if (v)
        return v->value;
    if (r->code->lookup && r->code->lookup(r->code->user, word, &value))
        return code_int(value);
    if (r->skip == 0)
        fail(r, "NameError: no such name: ", word);
    return code_int(0);
}

static struct code_value primary(struct reader *r)
{
    char word[NAME_MAX_LEN];
    bool comma;
    space(r);
    if (isdigit((unsigned char)*r->p) || (*r->p == '.' && isdigit((unsigned char)r->p[1])))
        return number(r);
    if (*r->p == '"' || *r->p == '\'')
        return string(r);
    if (take(r, "(")) {
        struct code_value list = items(r, ")", &comma);
        return comma || list.count != 1 ? list : list.items[0];
    }
    if (take(r, "["))
        return items(r, "]", &comma);
    if (name(r, word))
        return named(r, word);
    if (!failed(r))
        fail(r, "SyntaxError: expected an expression", "");
    return code_int(0);
}

/* ---- operators ------------------------------------------------------------------------------- */

static struct code_value operate(struct reader *r, enum code_op op, struct code_value a,
                                 struct code_value b)
{
    struct code_value v[2] = {a, b}, out = code_int(0);
    if (failed(r) || r->skip > 0)
        return out;
    const char *why = code_operate(&r->code->arena, op, v, &out);
    if (why)
        fail(r, why, "");
    return out;
}

static struct code_value factor(struct reader *r)
{
    if (++r->depth > DEPTH_MAX)
        fail(r, "SyntaxError: nested too deeply", "");
    struct code_value v;
    if (take_op(r, "-", "=")) {
        v = operate(r, CODE_SUB, code_int(0), factor(r));
    } else if (take_op(r, "+", "=")) {
        v = factor(r);
    } else if (take_op(r, "~", "")) {
        v = operate(r, CODE_SUB, code_int(-1), factor(r));
    } else {
        v = primary(r);
        if (take_op(r, "**", "="))
            v = operate(r, CODE_POW, v, factor(r));
    }
    r->depth--;
    return v;
}

static const struct binary {
    const char *text, *longer; /* what must not follow: it would be another operator */
    enum code_op op;
    int level;
} binaries[] = {
    {"|", "=", CODE_OR, 0},   {"^", "=", CODE_XOR, 1},  {"&", "=", CODE_AND, 2},
    {"<<", "=", CODE_SHL, 3}, {">>", "=", CODE_SHR, 3}, {"+", "=", CODE_ADD, 4},
    {"-", "=", CODE_SUB, 4},  {"*", "=*", CODE_MUL, 5}, {"//", "=", CODE_FLOOR, 5},
    {"/", "=/", CODE_DIV, 5}, {"%", "=", CODE_MOD, 5},
};
enum { BINARY_LEVELS = 6 };

static struct code_value binary(struct reader *r, int level)
{
    if (level == BINARY_LEVELS)
        return factor(r);
    struct code_value left = binary(r, level + 1);
    for (size_t i = 0; i < sizeof(binaries) / sizeof(binaries[0]) && !failed(r);) {
        const struct binary *b = &binaries[i];
        if (b->level != level || !take_op(r, b->text, b->longer)) {
            i++;
            continue;
        }
        left = operate(r, b->op, left, binary(r, level + 1));
        i = 0;
    }
    return left;
}

static bool comparison_op(struct reader *r, enum code_op *op)
{
    static const struct {
        const char *text;
        enum code_op op;
    } ops[] = {{"==", CODE_EQ}, {"!=", CODE_NE}, {"<=", CODE_LE}, {">=", CODE_GE},
               {"<", CODE_LT},  {">", CODE_GT},  {"in", CODE_IN}};
    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
        if (take(r, ops[i].text)) {
            *op = ops[i].op;
            return true;
        }
    if (take(r, "not")) {
        expect(r, "in");
        *op = CODE_NOT_IN;
        return true;
    }
    if (take(r, "is")) {
        *op = take(r, "not") ? CODE_NE : CODE_EQ;
        return true;
    }
    return false;
}

/* a < b < c is a < b and b < c. */
static struct code_value comparison(struct reader *r)
{
    enum code_op op;
    struct code_value left = binary(r, 0), result = left;
    bool holds = true;
    while (!failed(r) && comparison_op(r, &op)) {
        struct code_value right = binary(r, 0);
        result = operate(r, op, left, right);
        holds = holds && code_true(&result);
        result = code_bool(holds);
        left = right;
    }
    return result;
}

static struct code_value negation(struct reader *r)
{
    if (++r->depth > DEPTH_MAX)
        fail(r, "SyntaxError: nested too deeply", "");
    struct code_value v;
    if (take(r, "not")) {
        v = negation(r);
        v = code_bool(!code_true(&v));
    } else {
        v = comparison(r);
    }
    r->depth--;
    return v;
}

static struct code_value conjunction(struct reader *r)
{
    struct code_value left = negation(r);
    while (!failed(r) && take(r, "and")) {
        bool stop = !code_true(&left);
        r->skip += stop;
        struct code_value right = negation(r);
        r->skip -= stop;
        left = stop ? left : right;
    }
    return left;
}

static struct code_value disjunction(struct reader *r)
{
    struct code_value left = conjunction(r);
    while (!failed(r) && take(r, "or")) {
        bool stop = code_true(&left);
        r->skip += stop;
        struct code_value right = conjunction(r);
        r->skip -= stop;
        left = stop ? left : right;
    }
    return left;
}

static struct code_value expression(struct reader *r)
{
    struct code_value v = disjunction(r);
    if (!failed(r) && take(r, "if")) {
        struct code_value condition = disjunction(r);
        expect(r, "else");
        struct code_value other = expression(r);
        return code_true(&condition) ? v : other;
    }
    return v;
}

/* ---- statements ------------------------------------------------------------------------------ */

static void assertion(struct reader *r)
{
    struct code_value holds = expression(r), message;
    bool with_message = take(r, ",");
    if (with_message)
        message = expression(r);
    if (failed(r) || r->skip > 0)
        return;
    if (code_true(&holds)) {
        r->code->asserted++;
        return;
    }
    drill_print(r->error, "AssertionError");
    if (with_message) {
        drill_print(r->error, ": ");
        code_show(r->error, &message, false);
    }
    r->p = "";
}

static void assign(struct reader *r, const char *to, const struct code_value *value)
{
    if (failed(r) || r->skip > 0)
        return;
    struct code_variable *v = variable(r, to);
    if (!v) {
        v = drill_alloc(&r->code->arena, sizeof(*v));
        memcpy(v->name, to, strlen(to) + 1);
        v->next = r->code->variables;
        r->code->variables = v;
    }
    v->value = *value;
}

/* name = value, name += value. */
static bool assignment(struct reader *r)
{
    static const struct {
        const char *text;
        enum code_op op;
    } ops[] = {{"+=", CODE_ADD}, {"-=", CODE_SUB},    {"*=", CODE_MUL}, {"|=", CODE_OR},
               {"&=", CODE_AND}, {"//=", CODE_FLOOR}, {"/=", CODE_DIV}, {"%=", CODE_MOD}};
    struct reader look = *r;
    char to[NAME_MAX_LEN];
    struct code_value value;
    if (!name(&look, to))
        return false;
    if (take_op(&look, "=", "=")) {
        *r = look;
        value = expression(r);
        assign(r, to, &value);
        return true;
    }
    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
        if (take(&look, ops[i].text)) {
            *r = look;
            struct code_value old = named(r, to);
            value = operate(r, ops[i].op, old, expression(r));
            assign(r, to, &value);
            return true;
        }
    return false;
}

static void simple(struct reader *r)
{
    static const char *const unsupported[] = {"import", "from",  "for",   "while",
                                              "def",    "class", "try",   "return",
                                              "with",   "del",   "raise", "global"};
    for (size_t i = 0; i < sizeof(unsupported) / sizeof(unsupported[0]); i++)
        if (take(r, unsupported[i])) {
            fail(r, "unsupported statement: ", unsupported[i]);
            return;
        }
    if (take(r, "assert")) {
        assertion(r);
    } else if (take(r, "pass")) {
        return;
    } else if (take(r, "print")) {
        space(r);
        if (*r->p == '(') {
            r->p++;
            call(r, "print");
        } else {
            struct code_value v = expression(r),
                              args = {.type = CODE_LIST, .items = &v, .count = 1};
            printed(r, &args);
        }
    } else if (!assignment(r)) {
        expression(r);
    }
}

/* The statements of one line. */
static void line(struct reader *r)
{
    do {
        space(r);
        if (*r->p == '\0' || *r->p == '\n')
            return;
        simple(r);
    } while (!failed(r) && take(r, ";"));
    space(r);
    if (!failed(r) && *r->p != '\0' && *r->p != '\n') {
        const char *p = r->p;
        char rest[32];
        size_t n = strcspn(p, "\n");
        n = n < sizeof(rest) - 1 ? n : sizeof(rest) - 1;
        memcpy(rest, p, n);
        rest[n] = '\0';
        fail(r, "SyntaxError: ", rest);
    }
}

/* At the first line that is not empty; its indentation, or -1 at the end. */
static int indentation(struct reader *r)
{
    for (;;) {
        const char *p = r->p;
        while (*p == ' ' || *p == '\t' || *p == '\r')
            p++;
        if (*p == '#')
            p += strcspn(p, "\n");
        if (*p == '\0') {
            r->p = p;
            return -1;
        }
        if (*p != '\n')
            return (int)(p - r->p);
        r->p = p + 1;
    }
}

static void block(struct reader *r, int indent);

/* What stands behind the colon of `if`. */
static void suite(struct reader *r, int indent, bool run)
{
    expect(r, ":");
    r->skip += !run;
    space(r);
    if (*r->p != '\n') {
        line(r);
    } else {
        int inner = indentation(r);
        if (inner <= indent)
            fail(r, "IndentationError: expected an indented block", "");
        else
            block(r, inner);
    }
    r->skip -= !run;
}

/* The first line of a block may stand behind "%{" with any indentation; `else` is looked for
 * without regard to it, as only one `if` can be open for it. */
static void conditional(struct reader *r, int indent)
{
    struct code_value v = expression(r);
    bool done = code_true(&v);
    suite(r, indent, done);
    while (!failed(r)) {
        struct reader look = *r;
        if (indentation(&look) != indent)
            return;
        if (take(&look, "elif")) {
            *r = look;
            v = expression(r);
            suite(r, indent, !done && code_true(&v));
            done = done || code_true(&v);
        } else if (take(&look, "else")) {
            *r = look;
            suite(r, indent, !done);
            return;
        } else {
            return;
        }
    }
}

static void block(struct reader *r, int indent)
{
    if (++r->depth > DEPTH_MAX)
        fail(r, "SyntaxError: nested too deeply", "");
    while (!failed(r)) {
        struct reader look = *r;
        int here = indentation(&look);
        if (here < indent)
            break;
        r->p = look.p + here;
        if (take(r, "if"))
            conditional(r, here);
        else
            line(r);
        if (*r->p == '\n')
            r->p++;
    }
    r->depth--;
}

bool drill_code_run(struct drill_code *c, const char *text, struct drill_text *error)
{
    struct reader r = {.code = c, .p = text, .error = error};
    size_t before = error->len;
    r.p += strspn(r.p, " \t"); /* what stands right behind "%{" */
    while (!failed(&r) && indentation(&r) >= 0)
        block(&r, 0);
    return error->len == before;
}

void drill_code_free(struct drill_code *c)
{
    drill_arena_free(&c->arena);
    drill_text_free(&c->printed);
    c->variables = NULL;
}
