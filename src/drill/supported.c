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

static void options(FILE *out)
{
    const struct drill_option_help *o;
    fputs("### Options\n\n| option | |\n| --- | --- |\n", out);
    for (size_t i = 0; (o = drill_option_help(i)) != NULL; i++)
        fprintf(out, "| `--%s` | %s |\n", o->name, o->help);
    fputs("\n", out);
}

static void settings(FILE *out, enum drill_setting_use wanted)
{
    enum drill_setting_use use;
    const char *name;
    int column = 0;
    for (size_t i = 0; (name = drill_settings_name(i, &use)) != NULL; i++)
        if (use == wanted)
            put_name(out, &column, name);
    put_name(out, &column, NULL);
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
    fputs("### Settings that the stack heeds\n\n", out);
    settings(out, DRILL_SETTING_USED);
    fputs("### Settings that are remembered, and change nothing\n\n", out);
    settings(out, DRILL_SETTING_FIXED);
    list(out, "Settings by FreeBSD's names", shell_bsd_name);
    list(out, "Fields of TCP_INFO", drill_tcp_info_name);
    list(out, "Messages of ICMP", drill_icmp_name);
    list(out, "Names in calls", symbol);
}
