/* help.c - `tern help` and --help, from the tables of verbs and options. */
#include "cmd/cmd.h"

#include <errno.h>
#include <string.h>

enum {
    WIDTH = 79,
    HELP_COLUMN = 28, /* where an option's explanation starts */
    VERB_COLUMN = 14,
    ENTRY_COLUMN = 19,
};

/* Writes words from column `at` on, later lines indented by `indent`. */
static void wrap(FILE *f, const char *text, size_t len, size_t at, size_t indent)
{
    const char *p = text, *end = text + len;
    while (p < end) {
        while (p < end && *p == ' ')
            p++;
        const char *stop = memchr(p, ' ', (size_t)(end - p));
        size_t word = (size_t)((stop ? stop : end) - p);
        if (word == 0)
            break;
        if (at > indent && at + 1 + word > WIDTH) {
            fprintf(f, "\n%*s", (int)indent, "");
            at = indent;
        } else if (at > indent) {
            fputc(' ', f);
            at++;
        }
        fprintf(f, "%.*s", (int)word, p);
        at += word;
        p += word;
    }
    fputc('\n', f);
}

static void paragraphs(FILE *f, const char *text)
{
    while (*text) {
        size_t len = strcspn(text, "\n");
        if (len == 0)
            fputc('\n', f);
        else
            wrap(f, text, len, 0, 0);
        text += len + (text[len] == '\n');
    }
}

void help_usage(FILE *f, const struct command *c)
{
    fprintf(f, "tern %s%s%s%s\n", c->name, c->opt_count ? " [options]" : "", c->operands ? " " : "",
            c->operands ? c->operands : "");
}

void help_note(const struct opt *o, char *buf, size_t size)
{
    char range[2 * VALUE_TEXT_MAX + 8] = "";
    if (o->type == OPT_IS_NUMBER && (o->min != 0 || o->max != 0))
        opt_range(o, range, sizeof(range));
    if (o->fallback && range[0])
        snprintf(buf, size, "%s; default %s", range, o->fallback);
    else if (o->fallback)
        snprintf(buf, size, "default %s", o->fallback);
    else
        snprintf(buf, size, "%s", range);
}

static void option(FILE *f, const struct opt *o)
{
    char choices[OPTS_ERROR_MAX], note[256], text[1024];
    int at;
    if (o->type == OPT_IS_HEADING) {
        fprintf(f, "\n%s:\n", o->name);
        return;
    }
    const char *arg = opt_arg(o, choices, sizeof(choices));
    at = o->letter ? fprintf(f, "  -%c, --%s", o->letter, o->name)
                   : fprintf(f, "      --%s", o->name);
    if (arg)
        at += fprintf(f, " %s", arg);
    help_note(o, note, sizeof(note));
    snprintf(text, sizeof(text), "%s%s%s%s", o->help, note[0] ? " (" : "", note,
             note[0] ? ")" : "");
    if (at + 2 > HELP_COLUMN) {
        fputc('\n', f);
        at = 0;
    }
    fprintf(f, "%*s", HELP_COLUMN - at, "");
    wrap(f, text, strlen(text), HELP_COLUMN, HELP_COLUMN);
}

void help_command(FILE *f, const struct command *c)
{
    fprintf(f, "usage: ");
    help_usage(f, c);
    fputc('\n', f);
    paragraphs(f, c->about);
    for (size_t i = 0; i < c->opt_count; i++) {
        if (i == 0 && c->opts[i].type != OPT_IS_HEADING)
            fprintf(f, "\nOptions:\n");
        if (!c->opts[i].hidden)
            option(f, &c->opts[i]);
    }
    for (size_t i = 0; i < CMD_EXAMPLES_MAX && c->examples[i].line; i++)
        fprintf(f, "%s  %s\n      %s\n", i == 0 ? "\nExamples:\n" : "", c->examples[i].line,
                c->examples[i].what);
    if (c->status) {
        fprintf(f, "\nExit status:\n");
        paragraphs(f, c->status);
    }
}

const struct help_entry help_statuses[] = {
    {"0", "all went well"},
    {"1", "something did not, as standard error says"},
    {"2", "the arguments were wrong, and nothing was done"},
    {"125, 126, 127", "of tern run, which otherwise ends as its program did: tern failed; the "
                      "program cannot be executed; there is no such program"},
    {NULL, NULL},
};

const struct help_entry help_environment[] = {
    {"NO_COLOR", "if it is not empty, no colours"},
    {"TERM", "dumb: no colours"},
    {"COLUMNS", "the width of what is not written to a terminal"},
    {"LC_ALL, LANG", "lines and arrows in a locale of UTF-8, else plain characters"},
    {"XDG_RUNTIME_DIR", "where the folder of control sockets is, by which tern ss looks into other "
                        "tern processes; else /run/user/UID or /tmp"},
    {"TERN_DISABLE", "features of the kernel to go without, with commas between them; tern doctor "
                     "lists them"},
    {NULL, NULL},
};

static void entries(FILE *f, const char *heading, const struct help_entry *e)
{
    fprintf(f, "\n%s:\n", heading);
    for (; e->name; e++) {
        fprintf(f, "  %-*s", ENTRY_COLUMN - 2, e->name);
        wrap(f, e->text, strlen(e->text), ENTRY_COLUMN, ENTRY_COLUMN);
    }
}

void help_all(FILE *f)
{
    fprintf(f, "tern: TCP outside the kernel\n\nusage: tern VERB [options] [arguments]\n\n");
    for (const struct command *const *c = commands; *c; c++)
        fprintf(f, "  %-*s%s\n", VERB_COLUMN, (*c)->name, (*c)->summary);
    entries(f, "Exit status", help_statuses);
    entries(f, "Environment", help_environment);
    fprintf(f, "\ntern help VERB explains one. tern --version prints the version.\n");
}

struct help_values {
    const char *man;
};

static const struct opt help_opts[] = {
    {OPT_FILE(struct help_values, man), .name = "man", .arg = "DIR",
     .help = "write all man pages into this folder"},
};

/* Writes DIR/tern.1 when `c` is NULL, else DIR/tern-VERB.1. */
static int man_page(const char *folder, const struct command *c)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/tern%s%s.1", folder, c ? "-" : "", c ? c->name : "");
    FILE *f = fopen(path, "w");
    if (!f)
        return cmd_fail("help", "%s: %s", path, strerror(errno));
    if (c)
        man_command(f, c);
    else
        man_all(f);
    return fclose(f) == 0 ? CMD_OK : cmd_fail("help", "%s: %s", path, strerror(errno));
}

static int man_pages(const char *folder)
{
    int status = man_page(folder, NULL);
    for (const struct command *const *c = commands; *c && status == CMD_OK; c++)
        status = man_page(folder, *c);
    return status;
}

static int help(const void *values, int argc, char **argv)
{
    const struct help_values *v = values;
    if (v->man)
        return man_pages(v->man);
    if (argc == 0) {
        help_all(stdout);
        return CMD_OK;
    }
    const struct command *c = command_find(argv[0]);
    if (!c) {
        cmd_fail("help", "%s: no such verb; tern help lists them", argv[0]);
        return CMD_USAGE;
    }
    help_command(stdout, c);
    return CMD_OK;
}

const struct command cmd_help = {
    .name = "help",
    .summary = "explain a verb, or list them all",
    .about = "Without a verb, lists all verbs. tern VERB --help says the same as tern help VERB.",
    .operands = "[VERB]",
    .operand_kind = OPERANDS_VERBS,
    .max_operands = 1,
    .opts = help_opts,
    .opt_count = sizeof(help_opts) / sizeof(help_opts[0]),
    .values_size = sizeof(struct help_values),
    .examples = {{"tern help completion", "how to complete tern's options in a shell"}},
    .run = help,
};
