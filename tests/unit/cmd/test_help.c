/* test_help.c - what is said about a command, at a terminal and in its man page. */
#include "test.h"

#include "cmd/cmd.h"
#include "cmd/suggest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct values {
    bool quiet, secret;
    uint64_t delay, tries;
    unsigned end;
};

static const char *const ends[] = {"client", "server", NULL};

static const struct opt rows[] = {
    OPT_HEADING("The link"),
    {OPT_DURATION(struct values, delay), .name = "delay",
     .help = "wait, one way, which is a "
             "long story that does not fit on one line",
     .fallback = "10ms", .max = VALUE_H},
    {OPT_UINT(struct values, tries), .name = "tries", .help = "how often", .min = 1},
    OPT_HEADING("Output"),
    {OPT_CHOICE(struct values, end, ends), .name = "very-long-name", .help = "which end",
     .fallback = "client"},
    {OPT_FLAG(struct values, quiet), .name = "quiet", .letter = 'q', .help = "say nothing"},
    {OPT_FLAG(struct values, secret), .name = "secret", .help = "not shown", .hidden = true},
};

static const struct command fetch = {
    .name = "fetch",
    .summary = "fetch a page",
    .about = "Fetches.\n\n.Dots and back\\slashes survive.",
    .operands = "URL",
    .opts = rows,
    .opt_count = sizeof(rows) / sizeof(rows[0]),
    .values_size = sizeof(struct values),
    .examples = {{"tern fetch --delay 1ms x", "over a link"}},
    .status = "The page's own.",
};

static char *shown(void (*show)(FILE *, const struct command *))
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    assert_non_null(f);
    show(f, &fetch);
    fclose(f);
    return text;
}

static void at_a_terminal(void **state)
{
    (void)state;
    char *text = shown(help_command);
    assert_string_equal(
        text, "usage: tern fetch [options] URL\n"
              "\n"
              "Fetches.\n"
              "\n"
              ".Dots and back\\slashes survive.\n"
              "\n"
              "The link:\n"
              "      --delay TIME          wait, one way, which is a long story that does not\n"
              "                            fit on one line (0 to 1h; default 10ms)\n"
              "      --tries N             how often (at least 1)\n"
              "\n"
              "Output:\n"
              "      --very-long-name client|server\n"
              "                            which end (default client)\n"
              "  -q, --quiet               say nothing\n"
              "\n"
              "Examples:\n"
              "  tern fetch --delay 1ms x\n"
              "      over a link\n"
              "\n"
              "Exit status:\n"
              "The page's own.\n");
    free(text);
}

static void in_the_manual(void **state)
{
    (void)state;
    char *text = shown(man_command);
    assert_non_null(strstr(text, ".TH TERN-FETCH 1 "));
    assert_non_null(strstr(text, "tern\\-fetch \\- fetch a page\n"));
    assert_non_null(strstr(text, "\n\\&.Dots and back\\eslashes survive.\n"));
    assert_non_null(strstr(text, "\n.SS Output\n"));
    assert_non_null(strstr(text, "\\fB\\-q\\fR, \\fB\\-\\-quiet\\fR\nsay nothing\n"));
    assert_non_null(strstr(text, "\\fB\\-\\-tries\\fR \\fIN\\fR\nhow often (at least 1)\n"));
    assert_null(strstr(text, "secret"));
    free(text);
}

static const char *suggested(const char *typed)
{
    struct suggestion s;
    suggest_start(&s, typed, strlen(typed));
    suggest_offer(&s, "run");
    suggest_offer(&s, "serve");
    suggest_offer(&s, "connect");
    suggest_offer(&s, "ss");
    return s.name;
}

static void suggestions(void **state)
{
    (void)state;
    assert_string_equal(suggested("rnu"), "run");
    assert_string_equal(suggested("runn"), "run");
    assert_string_equal(suggested("sevre"), "serve");
    assert_string_equal(suggested("conect"), "connect");
    assert_null(suggested("zebra"));
    assert_null(suggested(""));
    assert_null(suggested("connectconnectconnectconnectconnect"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_a_terminal),
        cmocka_unit_test(in_the_manual),
        cmocka_unit_test(suggestions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
