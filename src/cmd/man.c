/* man.c - pages for man(1), in man(7)'s macros, from the tables of verbs and options. */
#include "cmd/cmd.h"

#include <ctype.h>
#include <string.h>

/* Text with roff's special characters made plain; a line must not start with a dot or a quote. */
static void plain(FILE *f, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (i == 0 && (text[i] == '.' || text[i] == '\''))
            fputs("\\&", f);
        if (text[i] == '\\')
            fputs("\\e", f);
        else if (text[i] == '-')
            fputs("\\-", f);
        else
            fputc(text[i], f);
    }
}

static void text(FILE *f, const char *s) { plain(f, s, strlen(s)); }

static void paragraphs(FILE *f, const char *s)
{
    while (*s) {
        size_t len = strcspn(s, "\n");
        if (len == 0) {
            fputs(".PP\n", f);
        } else {
            plain(f, s, len);
            fputc('\n', f);
        }
        s += len + (s[len] == '\n');
    }
}

static void head(FILE *f, const char *verb, const char *summary)
{
    char title[64] = "TERN";
    if (verb)
        snprintf(title, sizeof(title), "TERN-%s", verb);
    for (char *p = title; *p; p++)
        *p = (char)toupper((unsigned char)*p);
    fprintf(f, ".TH %s 1 \"\" \"tern %s\" \"User Commands\"\n.SH NAME\ntern%s%s \\- ", title,
            cmd_version(), verb ? "\\-" : "", verb ? verb : "");
    text(f, summary);
    fputc('\n', f);
}

static void option(FILE *f, const struct opt *o)
{
    char choices[OPTS_ERROR_MAX], note[256];
    const char *arg = opt_arg(o, choices, sizeof(choices));
    fputs(".TP\n", f);
    if (o->letter)
        fprintf(f, "\\fB\\-%c\\fR, ", o->letter);
    fputs("\\fB\\-\\-", f);
    text(f, o->name);
    fputs("\\fR", f);
    if (arg) {
        fputs(" \\fI", f);
        text(f, arg);
        fputs("\\fR", f);
    }
    fputc('\n', f);
    text(f, o->help);
    help_note(o, note, sizeof(note));
    if (note[0]) {
        fputs(" (", f);
        text(f, note);
        fputc(')', f);
    }
    fputc('\n', f);
}

static void options(FILE *f, const struct command *c)
{
    if (c->opt_count == 0)
        return;
    fputs(".SH OPTIONS\n", f);
    for (size_t i = 0; i < c->opt_count; i++) {
        const struct opt *o = &c->opts[i];
        if (o->hidden)
            continue;
        if (o->type == OPT_IS_HEADING) {
            fputs(".SS ", f);
            text(f, o->name);
            fputc('\n', f);
        } else {
            option(f, o);
        }
    }
}

void man_command(FILE *f, const struct command *c)
{
    head(f, c->name, c->summary);
    fprintf(f, ".SH SYNOPSIS\n\\fBtern %s\\fR%s", c->name, c->opt_count ? " [options]" : "");
    if (c->operands) {
        fputc(' ', f);
        text(f, c->operands);
    }
    fputs("\n.SH DESCRIPTION\n", f);
    paragraphs(f, c->about);
    options(f, c);
    fputs(".SH EXIT STATUS\n", f);
    paragraphs(f, c->status ? c->status
                            : "0 when all went well, 1 when it did not, 2 when the arguments were "
                              "wrong.");
    for (size_t i = 0; i < CMD_EXAMPLES_MAX && c->examples[i].line; i++) {
        fprintf(f, "%s.TP\n\\fB", i == 0 ? ".SH EXAMPLES\n" : "");
        text(f, c->examples[i].line);
        fputs("\\fR\n", f);
        text(f, c->examples[i].what);
        fputc('\n', f);
    }
    fputs(".SH SEE ALSO\n.BR tern (1)\n", f);
}

static void entries(FILE *f, const char *heading, const struct help_entry *e)
{
    fprintf(f, ".SH %s\n", heading);
    for (; e->name; e++) {
        fputs(".TP\n\\fB", f);
        text(f, e->name);
        fputs("\\fR\n", f);
        text(f, e->text);
        fputc('\n', f);
    }
}

void man_all(FILE *f)
{
    head(f, NULL, "TCP outside the kernel");
    fputs(".SH SYNOPSIS\n\\fBtern\\fR \\fIVERB\\fR [options] [arguments]\n.SH DESCRIPTION\n", f);
    paragraphs(f, "tern is a TCP/IP stack in user space and this command around it. Each verb has "
                  "a page of its own.");
    for (const struct command *const *c = commands; *c; c++) {
        fputs(".TP\n.BR tern\\-", f);
        text(f, (*c)->name);
        fputs(" (1)\n", f);
        text(f, (*c)->summary);
        fputc('\n', f);
    }
    fputs(".SH VALUES\n", f);
    paragraphs(f, "Options may be written as \"--name value\" or \"--name=value\"; \"--\" ends "
                  "them. Values are exact decimal numbers with a unit:");
    static const struct {
        const char *name;
        enum value_type type;
    } kinds[] = {{"PCT", VALUE_PERCENT},
                 {"TIME", VALUE_DURATION},
                 {"SIZE", VALUE_SIZE},
                 {"RATE", VALUE_RATE}};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        fprintf(f, ".TP\n\\fI%s\\fR\n", kinds[i].name);
        text(f, value_example(kinds[i].type));
        fputc('\n', f);
    }
    entries(f, "EXIT STATUS", help_statuses);
    entries(f, "ENVIRONMENT", help_environment);
}
