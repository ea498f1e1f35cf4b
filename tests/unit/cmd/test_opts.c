/* test_opts.c - a table of options against argument lists, right and wrong. */
#include "test.h"

#include "cmd/opts.h"

#include <stdio.h>
#include <string.h>

struct values {
    bool quiet, all;
    uint32_t loss;
    uint64_t delay, size, rate, tries, seed;
    unsigned end;
    struct host_port at;
    const char *name, *file;
    int drops;
};

static const char *drop(void *values, const char *text)
{
    struct values *v = values;
    if (strcmp(text, "syn") != 0)
        return "syn";
    v->drops++;
    return NULL;
}

static const char *const ends[] = {"client", "server", "both", NULL};

static const struct opt rows[] = {
    OPT_HEADING("The link"),
    {OPT_PERCENT(struct values, loss), .name = "loss", .unset = UINT32_MAX},
    {OPT_DURATION(struct values, delay), .name = "delay", .letter = 'd', .fallback = "10ms",
     .min = VALUE_MS, .max = VALUE_H},
    {OPT_SIZE(struct values, size), .name = "size"},
    {OPT_RATE(struct values, rate), .name = "rate"},
    {OPT_UINT(struct values, tries), .name = "tries", .min = 1},
    {OPT_UINT(struct values, seed), .name = "seed"},
    {OPT_CALL(drop), .name = "drop", .arg = "KIND"},
    OPT_HEADING("Output"),
    {OPT_CHOICE(struct values, end, ends), .name = "end", .fallback = "both"},
    {OPT_HOST_PORT(struct values, at), .name = "at", .min = 1},
    {OPT_STRING(struct values, name), .name = "name", .letter = 'n'},
    {OPT_FILE(struct values, file), .name = "file"},
    {OPT_FLAG(struct values, quiet), .name = "quiet", .letter = 'q'},
    {OPT_FLAG(struct values, all), .name = "all", .letter = 'a', .hidden = true},
};

static struct opts_table table = {.rows = rows, .count = sizeof(rows) / sizeof(rows[0])};

/* One list of arguments, and what came of it. */
static char *argv_[32];
static struct operands args;
static struct values v;
static char error[OPTS_ERROR_MAX];

static enum opts_result parse(const char *line)
{
    static char words[256];
    args = (struct operands){.argv = argv_};
    v = (struct values){0};
    error[0] = '\0';
    snprintf(words, sizeof(words), "%s", line);
    for (char *w = strtok(words, " "); w; w = strtok(NULL, " "))
        argv_[args.argc++] = w;
    return opts_parse(&table, &args, &v, error);
}

static void expect_error(const char *line, const char *message)
{
    assert_int_equal(parse(line), OPTS_WRONG);
    assert_string_equal(error, message);
}

static void every_type(void **state)
{
    (void)state;
    assert_int_equal(parse("--loss 1% --delay 40ms --size 64k --rate 10Mbit --tries 3 --end client "
                           "--at [::1]:80 --name x --file y --quiet"),
                     OPTS_OK);
    assert_int_equal(v.loss, 10000);
    assert_int_equal(v.delay, 40 * VALUE_MS);
    assert_int_equal(v.size, 65536);
    assert_int_equal(v.rate, 10000000);
    assert_int_equal(v.tries, 3);
    assert_int_equal(v.end, 0);
    assert_string_equal(v.at.host, "::1");
    assert_string_equal(v.name, "x");
    assert_string_equal(v.file, "y");
    assert_true(v.quiet);
    assert_int_equal(args.argc, 0);
}

static void fallbacks(void **state)
{
    (void)state;
    assert_int_equal(parse(""), OPTS_OK);
    assert_int_equal(v.delay, 10 * VALUE_MS);
    assert_int_equal(v.end, 2);
    assert_int_equal(v.loss, UINT32_MAX);
    assert_int_equal(v.seed, 0);
    assert_null(v.name);
    assert_false(v.quiet);
}

static void forms(void **state)
{
    (void)state;
    assert_int_equal(parse("--delay=40ms --name= -nx"), OPTS_OK);
    assert_int_equal(v.delay, 40 * VALUE_MS);
    assert_string_equal(v.name, "x");
    assert_int_equal(parse("-qad5ms"), OPTS_OK);
    assert_true(v.quiet && v.all);
    assert_int_equal(v.delay, 5 * VALUE_MS);
    assert_int_equal(parse("-d 5ms -n --quiet"), OPTS_OK);
    assert_string_equal(v.name, "--quiet");
    assert_false(v.quiet);
}

static void last_wins_and_calls_add_up(void **state)
{
    (void)state;
    assert_int_equal(parse("--tries 1 --tries 2 --drop syn --drop=syn"), OPTS_OK);
    assert_int_equal(v.tries, 2);
    assert_int_equal(v.drops, 2);
}

static void operands_anywhere(void **state)
{
    (void)state;
    assert_int_equal(parse("one --quiet two - -- --three --"), OPTS_OK);
    assert_true(v.quiet);
    assert_int_equal(args.argc, 5);
    assert_string_equal(args.argv[0], "one");
    assert_string_equal(args.argv[1], "two");
    assert_string_equal(args.argv[2], "-");
    assert_string_equal(args.argv[3], "--three");
    assert_string_equal(args.argv[4], "--");
}

static void operands_of_another_program(void **state)
{
    (void)state;
    table.stop = true;
    enum opts_result result = parse("-q curl --quiet -x --all --");
    table.stop = false;
    assert_int_equal(result, OPTS_OK);
    assert_false(v.all);
    assert_int_equal(args.argc, 5);
    assert_string_equal(args.argv[0], "curl");
    assert_string_equal(args.argv[4], "--");
}

static void help(void **state)
{
    (void)state;
    assert_int_equal(parse("--help"), OPTS_HELP);
    assert_int_equal(parse("-qh"), OPTS_HELP);
    assert_int_equal(parse("-- --help"), OPTS_OK);
}

static void wrong_values(void **state)
{
    (void)state;
    expect_error("--loss 150%", "--loss 150%: must be 0% to 100%");
    expect_error("--loss=abc", "--loss abc: must be a percentage such as 1% or 0.5%");
    expect_error("--delay 2h", "--delay 2h: must be 1ms to 1h");
    expect_error("-d 2h", "-d 2h: must be 1ms to 1h");
    expect_error("--delay 5", "--delay 5: must be a time such as 40ms (ns, us, ms, s, min or h)");
    expect_error("--tries 0", "--tries 0: must be at least 1");
    expect_error("--end x", "--end x: must be client, server, both");
    expect_error("--at ::1:80", "--at ::1:80: must be HOST:PORT, with brackets around an IPv6 "
                                "address");
    expect_error("--at a:0", "--at a:0: must be HOST:PORT with a port of 1 to 65535");
    expect_error("--drop fin", "--drop fin: must be syn");
}

static void wrong_options(void **state)
{
    (void)state;
    expect_error("--los 1%", "--los: no such option; did you mean --loss?");
    expect_error("--dealy=1ms", "--dealy: no such option; did you mean --delay?");
    expect_error("--zebra", "--zebra: no such option");
    expect_error("--al", "--al: no such option; did you mean --at?"); /* --all is hidden */
    expect_error("-z", "-z: no such option");
    expect_error("--quiet=yes", "--quiet=yes: takes no value");
    expect_error("--delay", "--delay: needs a value (TIME)");
    expect_error("--end", "--end: needs a value (client|server|both)");
    expect_error("-n", "-n: needs a value (VALUE)");
}

static void long_values_are_cut(void **state)
{
    static char text[4096];
    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    argv_[0] = (char[]){"--loss"};
    argv_[1] = text;
    args = (struct operands){.argc = 2, .argv = argv_};
    assert_int_equal(opts_parse(&table, &args, &v, error), OPTS_WRONG);
    assert_int_equal(strlen(error), OPTS_ERROR_MAX - 1);
}

static void a_wrong_fallback_is_found(void **state)
{
    static const struct opt bad[] = {
        {OPT_UINT(struct values, tries), .name = "tries", .max = 3, .fallback = "4"}};
    struct opts_table t = {.rows = bad, .count = 1};
    (void)state;
    args = (struct operands){.argv = argv_};
    assert_int_equal(opts_parse(&t, &args, &v, error), OPTS_WRONG);
    assert_string_equal(error, "the default of --tries, 4: must be 0 to 3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type),
        cmocka_unit_test(fallbacks),
        cmocka_unit_test(forms),
        cmocka_unit_test(last_wins_and_calls_add_up),
        cmocka_unit_test(operands_anywhere),
        cmocka_unit_test(operands_of_another_program),
        cmocka_unit_test(help),
        cmocka_unit_test(wrong_values),
        cmocka_unit_test(wrong_options),
        cmocka_unit_test(long_values_are_cut),
        cmocka_unit_test(a_wrong_fallback_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
