/* shell.c - the shell of scripts: lists, pipes, quotes, variables; no processes.
 *
 * What it does not know ends the script by name. A word is expanded while it is read: quotes,
 * $NAME, ${NAME}, $(commands), $((arithmetic)). */
#include "drill/shell.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 8 };

struct shell_variable {
    struct shell_variable *next;
    const char *name, *value;
};

struct line {
    struct shell *sh;
    const char *p;
};

int shell_fail(struct shell *sh, const char *format, ...)
{
    va_list args;
    if (sh->why->len > 0)
        return SHELL_ERROR;
    va_start(args, format);
    drill_vprint(sh->why, format, args);
    va_end(args);
    return SHELL_ERROR;
}

static bool failed(const struct shell *sh) { return sh->why->len > 0; }

static void space(struct line *l)
{
    for (;;) {
        if (*l->p == ' ' || *l->p == '\t' || *l->p == '\r')
            l->p++;
        else if (l->p[0] == '\\' && l->p[1] == '\n')
            l->p += 2;
        else if (*l->p == '#')
            l->p += strcspn(l->p, "\n");
        else
            return;
    }
}

/* ---- words ----------------------------------------------------------------------------------- */

static const char *variable(const struct shell *sh, const char *name)
{
    for (const struct shell_variable *v = sh->variables; v; v = v->next)
        if (strcmp(v->name, name) == 0)
            return v->value;
    return "";
}

static void assign(struct shell *sh, const char *name, size_t len, const char *value)
{
    struct shell_variable *v = drill_alloc(&sh->arena, sizeof(*v));
    v->name = drill_copy(&sh->arena, name, len);
    v->value = value;
    v->next = sh->variables;
    sh->variables = v;
}

/* What stands between an open parenthesis at l->p and its partner. */
static char *parenthesised(struct line *l)
{
    int open = 0;
    const char *start = l->p + 1;
    for (; *l->p; l->p++) {
        open += *l->p == '(';
        open -= *l->p == ')';
        if (open == 0) {
            char *text = drill_copy(&l->sh->arena, start, (size_t)(l->p - start));
            l->p++;
            return text;
        }
    }
    shell_fail(l->sh, "a parenthesis that is not closed");
    return drill_copy(&l->sh->arena, "", 0);
}

static void arithmetic(struct line *l, const char *text, struct drill_text *out)
{
    struct drill_code code = {.lookup = NULL};
    struct drill_text program = {0}, error = {0};
    drill_print(&program, "print(int(%s))", text);
    if (drill_code_run(&code, drill_string(&program), &error))
        drill_put(out, drill_string(&code.printed), strcspn(drill_string(&code.printed), "\n"));
    else
        shell_fail(l->sh, "%s: %s", text, drill_string(&error));
    drill_code_free(&code);
    drill_text_free(&program);
    drill_text_free(&error);
}

static void substitute(struct line *l, struct drill_text *out)
{
    size_t n = 0;
    l->p++; /* the dollar */
    if (*l->p == '(') {
        char *text = parenthesised(l);
        size_t len = strlen(text);
        if (text[0] == '(' && len >= 2 && text[len - 1] == ')') {
            text[len - 1] = '\0';
            arithmetic(l, text + 1, out);
            return;
        }
        struct drill_text result = {0};
        if (l->sh->depth < DEPTH_MAX)
            shell_list(l->sh, text, &result);
        while (result.len > 0 && result.s[result.len - 1] == '\n')
            result.len--;
        drill_put(out, drill_string(&result), result.len);
        drill_text_free(&result);
        return;
    }
    bool braces = *l->p == '{';
    l->p += braces;
    while (isalnum((unsigned char)l->p[n]) || l->p[n] == '_')
        n++;
    if (n == 0 && !braces) {
        drill_put(out, "$", 1);
        return;
    }
    char *name = drill_copy(&l->sh->arena, l->p, n);
    const char *value = variable(l->sh, name);
    drill_put(out, value, strlen(value));
    l->p += n;
    if (braces && *l->p == '}')
        l->p++;
}

static void quoted(struct line *l, struct drill_text *out)
{
    char quote = *l->p++;
    while (*l->p && *l->p != quote) {
        if (quote == '"' && *l->p == '$') {
            substitute(l, out);
        } else {
            if (quote == '"' && *l->p == '\\' && l->p[1] && strchr("\\\"$`", l->p[1]))
                l->p++;
            drill_put(out, l->p++, 1);
        }
    }
    if (*l->p != quote)
        shell_fail(l->sh, "a quote that is not closed");
    else
        l->p++;
}

/* The next word, NULL: none. */
static const char *next_word(struct line *l)
{
    struct drill_text t = {0};
    bool any = false;
    space(l);
    while (*l->p && !strchr(" \t\r\n;|&<>()", *l->p) && !failed(l->sh)) {
        any = true;
        if (*l->p == '\'' || *l->p == '"') {
            quoted(l, &t);
        } else if (*l->p == '$') {
            substitute(l, &t);
        } else {
            if (*l->p == '\\' && l->p[1])
                l->p++;
            drill_put(&t, l->p++, 1);
        }
    }
    const char *word = any ? drill_copy(&l->sh->arena, drill_string(&t), t.len) : NULL;
    drill_text_free(&t);
    return word;
}

/* ---- commands -------------------------------------------------------------------------------- */

/* Where output goes: nowhere (> /dev/null) or on; true: there was a redirection. */
static bool redirection(struct line *l, bool *away)
{
    const char *p = l->p;
    bool errors = (*p == '2' && (p[1] == '>'));
    p += errors || (*p == '1' && p[1] == '>') || (*p == '&' && p[1] == '>');
    if (*p != '>' && *p != '<')
        return false;
    bool in = *p == '<';
    p += 1 + (p[1] == '>');
    l->p = p;
    if (*l->p == '&') {
        l->p += 2;
        return true;
    }
    const char *file = next_word(l);
    if (in || !file || (strcmp(file, "/dev/null") != 0 && strncmp(file, "/tmp/", 5) != 0))
        shell_fail(l->sh, "a redirection that is not supported: %s", file ? file : "");
    *away |= !errors;
    return true;
}

static bool is_assignment(const char *word, size_t *len)
{
    *len = 0;
    while (isalnum((unsigned char)word[*len]) || word[*len] == '_')
        ++*len;
    return *len > 0 && word[*len] == '=' && !isdigit((unsigned char)*word);
}

/* A script of shell commands in a file, beside the script being played. */
static int run_file(struct shell_command *c)
{
    struct drill_text path = {0};
    const char *script = c->sh->play->script->path, *slash = strrchr(script, '/');
    size_t len;
    if (c->argv[0][0] != '/' && slash)
        drill_put(&path, script, (size_t)(slash + 1 - script));
    drill_print(&path, "%s", c->argv[0]);
    char *text = drill_file(drill_string(&path), &len);
    drill_text_free(&path);
    if (!text)
        return shell_fail(c->sh, "no such command: %s", c->argv[0]);
    int status = c->sh->depth < DEPTH_MAX ? shell_list(c->sh, text, c->out) : SHELL_ERROR;
    free(text);
    return status;
}

static bool is_script(const char *name)
{
    size_t n = strlen(name);
    return n > 3 && strcmp(name + n - 3, ".sh") == 0;
}

static int command(struct line *l, const char *in, struct drill_text *out)
{
    struct shell_command c = {.sh = l->sh, .in = in};
    struct drill_text own = {0};
    bool away = false;
    for (;;) {
        space(l);
        if (redirection(l, &away))
            continue;
        const char *word = next_word(l);
        size_t len;
        if (!word || failed(l->sh))
            break;
        if (c.argc == 0 && is_assignment(word, &len)) {
            assign(l->sh, word, len, word + len + 1);
            continue;
        }
        if (c.argc == SHELL_WORDS_MAX)
            return shell_fail(l->sh, "a command of too many words");
        c.argv[c.argc++] = word;
    }
    if (failed(l->sh))
        return SHELL_ERROR;
    if (*l->p == '(')
        return shell_fail(l->sh, "a subshell is not supported");
    if (c.argc == 0)
        return 0;
    c.out = &own;
    int status = shell_builtin(&c);
    if (status == SHELL_ERROR && !failed(l->sh))
        status = is_script(c.argv[0]) ? run_file(&c)
                                      : shell_fail(l->sh, "no such command: %s", c.argv[0]);
    if (!away)
        drill_put(out, drill_string(&own), own.len);
    drill_text_free(&own);
    return status;
}

static bool op(struct line *l, const char *text)
{
    space(l);
    size_t n = strlen(text);
    if (strncmp(l->p, text, n) != 0)
        return false;
    l->p += n;
    return true;
}

static int pipeline(struct line *l, struct drill_text *out)
{
    struct drill_text in = {0};
    bool negate = false;
    space(l);
    if (l->p[0] == '!' && (l->p[1] == ' ' || l->p[1] == '\t')) {
        negate = true;
        l->p++;
    }
    for (;;) {
        struct drill_text result = {0};
        int status = command(l, drill_string(&in), &result);
        drill_text_free(&in);
        space(l);
        bool more = l->p[0] == '|' && l->p[1] != '|' && !failed(l->sh);
        if (!more) {
            drill_put(out, drill_string(&result), result.len);
            drill_text_free(&result);
            return negate && status >= 0 ? !status : status;
        }
        l->p++;
        in = result;
    }
}

/* Skips a command that && or || leaves out. */
static void skip(struct line *l)
{
    for (char quote = 0; *l->p; l->p++) {
        if (quote)
            quote = *l->p == quote ? 0 : quote;
        else if (*l->p == '\'' || *l->p == '"')
            quote = *l->p;
        else if (*l->p == ';' || *l->p == '\n' || (l->p[0] == '&' && l->p[1] == '&') ||
                 (l->p[0] == '|' && l->p[1] == '|'))
            return;
    }
}

int shell_list(struct shell *sh, const char *text, struct drill_text *out)
{
    struct line l = {sh, text};
    int status = 0;
    sh->depth++;
    while (!failed(sh)) {
        while (*l.p && strchr(" \t\r\n;", *l.p))
            l.p++;
        space(&l);
        if (*l.p == '\n')
            continue;
        if (*l.p == '\0')
            break;
        status = pipeline(&l, out);
        for (;;) {
            bool and = op(&l, "&&");
            if (!and&&!op(&l, "||"))
                break;
            while (*l.p && strchr(" \t\r\n", *l.p))
                l.p++;
            if (failed(sh) || and == (status != 0))
                skip(&l);
            else
                status = pipeline(&l, out);
        }
        if (*l.p && !strchr(";\n#", *l.p) && !failed(sh)) {
            if (*l.p == '&')
                l.p++; /* in the background: nothing here takes time */
            else
                shell_fail(sh, "not understood: %.20s", l.p);
        }
    }
    sh->depth--;
    return failed(sh) ? SHELL_ERROR : status;
}

bool shell_run(struct play *p, const char *text, struct drill_text *why)
{
    struct shell sh = {.play = p, .why = why};
    struct drill_text out = {0};
    int status = shell_list(&sh, text, &out);
    if (status > 0)
        drill_print(why, "'%s' exited with status %d", text, status);
    drill_text_free(&out);
    drill_arena_free(&sh.arena);
    return status == 0;
}
