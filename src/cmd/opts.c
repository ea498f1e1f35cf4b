/* opts.c - walks an argument list along a table of options.
 *
 * Fallbacks are put in first, through the same parser as typed values. Operands are moved to the
 * front of the list as they are met; nothing is allocated.
 */
#include "cmd/opts.h"
#include "cmd/suggest.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* One walk. */
struct walk {
    const struct opts_table *table;
    void *values;
    char *error;
    int argc;
    char **argv;
    int next; /* the argument to look at next */
};

/* How the option was typed ("--loss", "-q") with its value, for messages. */
struct typed {
    const char *dashes, *name;
    size_t name_len;
    const char *value; /* NULL: none was given with it */
};

__attribute__((format(printf, 2, 3))) static bool wrong(char *error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error, OPTS_ERROR_MAX, format, args);
    va_end(args);
    return false;
}

static uint64_t opt_max(const struct opt *o)
{
    if (o->max != 0)
        return o->max;
    if (o->type == OPT_IS_HOST_PORT)
        return UINT16_MAX;
    return o->number == VALUE_PERCENT ? VALUE_PERCENT_MAX : UINT64_MAX;
}

void opt_range(const struct opt *o, char *buf, size_t size)
{
    char min[VALUE_TEXT_MAX], max[VALUE_TEXT_MAX];
    value_format(o->number, o->min, min);
    value_format(o->number, opt_max(o), max);
    if (opt_max(o) != UINT64_MAX)
        snprintf(buf, size, "%s to %s", min, max);
    else if (o->min != 0)
        snprintf(buf, size, "at least %s", min);
    else
        buf[0] = '\0';
}

static void join_choices(const struct opt *o, const char *between, char *buf, size_t size)
{
    size_t n = 0;
    buf[0] = '\0';
    for (const char *const *c = o->choices; *c && n < size; c++)
        n += (size_t)snprintf(buf + n, size - n, "%s%s", c == o->choices ? "" : between, *c);
}

const char *opt_arg(const struct opt *o, char *buf, size_t size)
{
    static const char *const of_number[] = {
        [VALUE_UINT] = "N",    [VALUE_PERCENT] = "PCT", [VALUE_DURATION] = "TIME",
        [VALUE_SIZE] = "SIZE", [VALUE_RATE] = "RATE",
    };
    if (o->arg)
        return o->arg;
    switch (o->type) {
    case OPT_IS_HEADING:
    case OPT_IS_FLAG:
        break;
    case OPT_IS_NUMBER:
        return of_number[o->number];
    case OPT_IS_CHOICE:
        join_choices(o, "|", buf, size);
        return buf;
    case OPT_IS_HOST_PORT:
        return "HOST:PORT";
    case OPT_IS_FILE:
        return "FILE";
    case OPT_IS_STRING:
    case OPT_IS_CALL:
        return "VALUE";
    }
    return NULL;
}

/* Each of the set_ functions stores one value, or says in `must` what it must be. */

static bool set_number(const struct opt *o, void *to, const char *text, char *must)
{
    uint64_t value;
    switch (value_parse(o->number, text, o->min, opt_max(o), &value)) {
    case VALUE_MALFORMED:
        return wrong(must, "%s", value_example(o->number));
    case VALUE_RANGE:
        opt_range(o, must, OPTS_ERROR_MAX);
        return false;
    case VALUE_OK:
        break;
    }
    if (o->number == VALUE_PERCENT)
        *(uint32_t *)to = (uint32_t)value;
    else
        *(uint64_t *)to = value;
    return true;
}

static bool set_choice(const struct opt *o, void *to, const char *text, char *must)
{
    unsigned i = 0;
    while (o->choices[i] && strcmp(o->choices[i], text) != 0)
        i++;
    if (!o->choices[i]) {
        join_choices(o, ", ", must, OPTS_ERROR_MAX);
        return false;
    }
    *(unsigned *)to = i;
    return true;
}

static bool set_host_port(const struct opt *o, void *to, const char *text, char *must)
{
    struct host_port parsed;
    enum value_result result = value_host_port(text, &parsed);
    if (result == VALUE_MALFORMED)
        return wrong(must, "HOST:PORT, with brackets around an IPv6 address");
    if (result == VALUE_RANGE || parsed.port < o->min || parsed.port > opt_max(o))
        return wrong(must, "HOST:PORT with a port of %u to %u", (unsigned)o->min,
                     (unsigned)opt_max(o));
    *(struct host_port *)to = parsed;
    return true;
}

static bool set(const struct opt *o, void *values, const char *text, char *must)
{
    void *to = (char *)values + o->at;
    switch (o->type) {
    case OPT_IS_HEADING:
        break;
    case OPT_IS_FLAG:
        *(bool *)to = true;
        break;
    case OPT_IS_NUMBER:
        return set_number(o, to, text, must);
    case OPT_IS_CHOICE:
        return set_choice(o, to, text, must);
    case OPT_IS_HOST_PORT:
        return set_host_port(o, to, text, must);
    case OPT_IS_STRING:
    case OPT_IS_FILE:
        *(const char **)to = text;
        break;
    case OPT_IS_CALL: {
        const char *reason = o->parse(values, text);
        if (reason)
            return wrong(must, "%s", reason);
        break;
    }
    }
    return true;
}

static bool set_fallbacks(struct walk *w)
{
    for (size_t i = 0; i < w->table->count; i++) {
        const struct opt *o = &w->table->rows[i];
        char must[OPTS_ERROR_MAX];
        if (o->fallback && !set(o, w->values, o->fallback, must))
            return wrong(w->error, "the default of --%s, %s: must be %s", o->name, o->fallback,
                         must);
        if (!o->fallback && o->type == OPT_IS_NUMBER) {
            void *to = (char *)w->values + o->at;
            if (o->number == VALUE_PERCENT)
                *(uint32_t *)to = (uint32_t)o->unset;
            else
                *(uint64_t *)to = o->unset;
        }
    }
    return true;
}

static const struct opt *find(const struct opts_table *t, const struct typed *typed)
{
    for (size_t i = 0; i < t->count; i++) {
        const struct opt *o = &t->rows[i];
        if (o->type == OPT_IS_HEADING)
            continue;
        if (typed->dashes[1] == '\0' ? o->letter == *typed->name
                                     : strlen(o->name) == typed->name_len &&
                                           memcmp(o->name, typed->name, typed->name_len) == 0)
            return o;
    }
    return NULL;
}

static bool unknown(struct walk *w, const struct typed *typed)
{
    struct suggestion best;
    if (typed->dashes[1] == '\0')
        return wrong(w->error, "-%c: no such option", *typed->name);
    suggest_start(&best, typed->name, typed->name_len);
    for (size_t i = 0; i < w->table->count; i++) {
        const struct opt *o = &w->table->rows[i];
        if (o->type != OPT_IS_HEADING && !o->hidden)
            suggest_offer(&best, o->name);
    }
    suggest_offer(&best, "help");
    if (best.name)
        return wrong(w->error, "--%.*s: no such option; did you mean --%s?", (int)typed->name_len,
                     typed->name, best.name);
    return wrong(w->error, "--%.*s: no such option", (int)typed->name_len, typed->name);
}

/* One option whose row is known. Takes the next argument for its value when it needs one. */
static bool take(struct walk *w, const struct opt *o, const struct typed *typed)
{
    char choices[OPTS_ERROR_MAX], must[OPTS_ERROR_MAX];
    const char *text = typed->value;
    int len = (int)typed->name_len;
    if (o->type == OPT_IS_FLAG && text)
        return wrong(w->error, "--%.*s=%s: takes no value", len, typed->name, text);
    if (o->type != OPT_IS_FLAG && !text) {
        if (w->next == w->argc)
            return wrong(w->error, "%s%.*s: needs a value (%s)", typed->dashes, len, typed->name,
                         opt_arg(o, choices, sizeof(choices)));
        text = w->argv[w->next++];
    }
    if (!set(o, w->values, text, must))
        return wrong(w->error, "%s%.*s %s: must be %.300s", typed->dashes, len, typed->name, text,
                     must);
    return true;
}

static enum opts_result take_long(struct walk *w, const char *arg)
{
    size_t len = strcspn(arg + 2, "=");
    struct typed typed = {.dashes = "--", .name = arg + 2, .name_len = len};
    if (arg[2 + len] == '=')
        typed.value = arg + 2 + len + 1;
    const struct opt *o = find(w->table, &typed);
    if (!o && len == 4 && memcmp(typed.name, "help", 4) == 0)
        return OPTS_HELP;
    bool ok = o ? take(w, o, &typed) : unknown(w, &typed);
    return ok ? OPTS_OK : OPTS_WRONG;
}

static enum opts_result take_letters(struct walk *w, const char *letters)
{
    for (; *letters; letters++) {
        struct typed typed = {.dashes = "-", .name = letters, .name_len = 1};
        const struct opt *o = find(w->table, &typed);
        if (!o && *letters == 'h')
            return OPTS_HELP;
        if (!o) {
            unknown(w, &typed);
            return OPTS_WRONG;
        }
        if (o->type != OPT_IS_FLAG && letters[1] != '\0')
            typed.value = letters + 1;
        if (!take(w, o, &typed))
            return OPTS_WRONG;
        if (typed.value)
            break;
    }
    return OPTS_OK;
}

enum opts_result opts_parse(const struct opts_table *table, struct operands *args, void *values,
                            char error[OPTS_ERROR_MAX])
{
    struct walk w = {
        .table = table, .values = values, .error = error, .argc = args->argc, .argv = args->argv};
    int kept = 0;
    bool options = true;
    if (!set_fallbacks(&w))
        return OPTS_WRONG;
    while (w.next < w.argc) {
        char *arg = w.argv[w.next++];
        enum opts_result result = OPTS_OK;
        if (!options || arg[0] != '-' || arg[1] == '\0') {
            args->argv[kept++] = arg;
            options = options && !table->stop;
        } else if (strcmp(arg, "--") == 0) {
            options = false;
        } else if (arg[1] == '-') {
            result = take_long(&w, arg);
        } else {
            result = take_letters(&w, arg + 1);
        }
        if (result != OPTS_OK)
            return result;
    }
    args->argc = kept;
    return OPTS_OK;
}
