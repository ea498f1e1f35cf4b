/* supported.c - what scripts may say, from the tables that read them: part of docs/DRILL.md. */
#include "drill/call.h"
#include "drill/drill.h"
#include "drill/packet.h"
#include "drill/settings.h"
#include "drill/shell.h"
#include "drill/symbols.h"
#include "drill/tcpinfo.h"

#include <stdio.h>
#include <string.h>

enum { COLUMNS = 100 };

/* Names, wrapped; NULL ends the last line. */
static void put_name(FILE *out, int *column, const char *name)
{
    int need = name ? (int)strlen(name) + 3 : 0;
    if (!name || *column + need > COLUMNS) {
        fputs(name ? "\n" : "\n\n", out);
        *column = 0;
    }
    if (!name)
        return;
    *column += fprintf(out, "%s`%s`", *column ? " " : "", name);
}

/* A row of a table: which values of a setting, or of several, are taken. */
static void put_values(FILE *out, const char *name, const char *values, const char *why)
{
    char text[DRILL_SETTING_SIZE];
    size_t n = strlen(values);
    snprintf(text, sizeof(text), "%s", values);
    for (char *p = text; *p; p++)
        *p = *p == '|' ? ',' : *p;
    if (n > 0 && text[n - 1] == '-')
        snprintf(text, sizeof(text), "from %.*s on", (int)n - 1, values);
    fprintf(out, "| `%s` | %s | %s |\n", name, n > 0 ? text : "any", why);
}

static void options(FILE *out)
{
    const struct drill_option_help *o;
    fputs("### Options\n\n| option | |\n| --- | --- |\n", out);
    for (size_t i = 0; (o = drill_option_help(i)) != NULL; i++)
        fprintf(out, "| `--%s` | %s |\n", o->name, o->help);
    fputs("\n", out);
}

static void settings(FILE *out)
{
    const struct drill_setting *s;
    int column = 0;
    fputs("### Settings that the stack heeds\n\n", out);
    for (size_t i = 0; (s = drill_settings_at(i)) != NULL; i++)
        if (!s->values)
            put_name(out, &column, s->name);
    put_name(out, &column, NULL);
    fputs("### Settings that change nothing\n\n"
          "The values in the table say what is done, the others fail the script by name.\n\n"
          "| setting | values | |\n| --- | --- | --- |\n",
          out);
    for (size_t i = 0; (s = drill_settings_at(i)) != NULL; i++)
        if (s->values)
            put_values(out, s->name, s->values, s->why);
    fputc('\n', out);
}

/* FreeBSD's names: what is heeded, then what changes nothing, a row for each reason. */
static void bsd_settings(FILE *out)
{
    const char *name, *values, *why, *last = NULL;
    int column = 0;
    fputs("### Settings by FreeBSD's names\n\n", out);
    for (size_t i = 0; (name = shell_bsd_name(i, &values, &why)) != NULL; i++)
        if (!why)
            put_name(out, &column, name);
    put_name(out, &column, NULL);
    fputs("These change nothing, and where a value stands here any other fails the script:\n\n"
          "| because | settings |\n| --- | --- |",
          out);
    for (size_t i = 0; (name = shell_bsd_name(i, &values, &why)) != NULL; i++) {
        if (!why)
            continue;
        if (!last || strcmp(why, last) != 0)
            fprintf(out, "%s\n| %s |", last ? " |" : "", why);
        fprintf(out, " `%s%s%s`", name, *values ? "=" : "", values);
        last = why;
    }
    fputs(" |\n\n", out);
}

static void list(FILE *out, const char *heading, const char *(*nth)(size_t n))
{
    const char *name;
    int column = 0;
    fprintf(out, "### %s\n\n", heading);
    for (size_t i = 0; (name = nth(i)) != NULL; i++)
        put_name(out, &column, name);
    put_name(out, &column, NULL);
}

static const char *symbol(size_t n) { return drill_symbols[n].name; }

void drill_supported(FILE *out)
{
    options(out);
    list(out, "Calls", drill_call_name);
    list(out, "Commands of the shell", shell_builtin_name);
    settings(out);
    bsd_settings(out);
    list(out, "Fields of TCP_INFO", drill_tcp_info_name);
    list(out, "Messages of ICMP", drill_icmp_name);
    list(out, "Names in calls", symbol);
}
