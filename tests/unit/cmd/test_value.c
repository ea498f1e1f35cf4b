/* test_value.c - numbers with units, both ways. */
#include "test.h"

#include "cmd/value.h"

#include <string.h>

static void expect(enum value_type type, const char *text, uint64_t value)
{
    uint64_t got = 0;
    assert_int_equal(value_parse(type, text, 0, UINT64_MAX, &got), VALUE_OK);
    assert_int_equal(got, value);
}

static void expect_malformed(enum value_type type, const char *text)
{
    uint64_t got = 42;
    assert_int_equal(value_parse(type, text, 0, UINT64_MAX, &got), VALUE_MALFORMED);
    assert_int_equal(got, 42);
}

static void percent(void **state)
{
    (void)state;
    expect(VALUE_PERCENT, "1%", 10000);
    expect(VALUE_PERCENT, "1", 10000);
    expect(VALUE_PERCENT, "0.5%", 5000);
    expect(VALUE_PERCENT, "100%", VALUE_PERCENT_MAX);
    expect(VALUE_PERCENT, "0.0001%", 1);
    expect_malformed(VALUE_PERCENT, "0.00001%"); /* finer than can be held */
    expect_malformed(VALUE_PERCENT, "1%%");
}

static void duration(void **state)
{
    (void)state;
    expect(VALUE_DURATION, "40ms", 40 * VALUE_MS);
    expect(VALUE_DURATION, "1.5s", 1500 * VALUE_MS);
    expect(VALUE_DURATION, "2min", 2 * VALUE_MIN);
    expect(VALUE_DURATION, "1h", VALUE_H);
    expect(VALUE_DURATION, "7us", 7000);
    expect(VALUE_DURATION, "7ns", 7);
    expect(VALUE_DURATION, "0", 0);
    expect_malformed(VALUE_DURATION, "40"); /* of what? */
    expect_malformed(VALUE_DURATION, "0.5ns");
    expect_malformed(VALUE_DURATION, "40 ms");
    expect_malformed(VALUE_DURATION, "-40ms");
}

static void size(void **state)
{
    (void)state;
    expect(VALUE_SIZE, "1500", 1500);
    expect(VALUE_SIZE, "64k", 65536);
    expect(VALUE_SIZE, "64K", 65536);
    expect(VALUE_SIZE, "1MiB", 1048576);
    expect(VALUE_SIZE, "1MB", 1000000);
    expect(VALUE_SIZE, "0.5k", 512);
    expect_malformed(VALUE_SIZE, "64q");
}

static void rate(void **state)
{
    (void)state;
    expect(VALUE_RATE, "10Mbit", 10000000);
    expect(VALUE_RATE, "10mbit", 10000000);
    expect(VALUE_RATE, "1.5Gbit", 1500000000);
    expect(VALUE_RATE, "9600bit", 9600);
    expect_malformed(VALUE_RATE, "10M"); /* bits or bytes? */
}

static void not_a_number(void **state)
{
    (void)state;
    expect_malformed(VALUE_UINT, "");
    expect_malformed(VALUE_UINT, "x");
    expect_malformed(VALUE_UINT, "+1");
    expect_malformed(VALUE_UINT, "1.");
    expect_malformed(VALUE_UINT, ".5");
    expect_malformed(VALUE_UINT, "1.5");
    expect_malformed(VALUE_UINT, "1 ");
    expect_malformed(VALUE_UINT, "0x10");
}

static void large(void **state)
{
    (void)state;
    expect(VALUE_UINT, "18446744073709551615", UINT64_MAX);
    expect_malformed(VALUE_UINT, "18446744073709551616");
    expect_malformed(VALUE_SIZE, "18446744073709551615k");
    expect_malformed(VALUE_DURATION, "0.00000000000000000000000000000001s");
}

static void range(void **state)
{
    uint64_t got;
    (void)state;
    assert_int_equal(value_parse(VALUE_UINT, "5", 5, 10, &got), VALUE_OK);
    assert_int_equal(value_parse(VALUE_UINT, "10", 5, 10, &got), VALUE_OK);
    assert_int_equal(value_parse(VALUE_UINT, "4", 5, 10, &got), VALUE_RANGE);
    assert_int_equal(value_parse(VALUE_UINT, "11", 5, 10, &got), VALUE_RANGE);
}

/* What is written can be read back, and is short. */
static void written(void **state)
{
    static const struct {
        enum value_type type;
        uint64_t value;
        const char *text;
    } rows[] = {
        {VALUE_PERCENT, 10000, "1%"},
        {VALUE_PERCENT, 5000, "0.5%"},
        {VALUE_PERCENT, 1, "0.0001%"},
        {VALUE_PERCENT, 0, "0%"},
        {VALUE_PERCENT, 1000000, "100%"},
        {VALUE_DURATION, 40000000, "40ms"},
        {VALUE_DURATION, 90, "90ns"},
        {VALUE_DURATION, 60 * VALUE_S, "1min"},
        {VALUE_DURATION, 0, "0"},
        {VALUE_SIZE, 65536, "64k"},
        {VALUE_SIZE, 1500, "1500"},
        {VALUE_RATE, 10000000, "10Mbit"},
        {VALUE_UINT, 7, "7"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[VALUE_TEXT_MAX];
        value_format(rows[i].type, rows[i].value, text);
        assert_string_equal(text, rows[i].text);
        expect(rows[i].type, text, rows[i].value);
    }
}

static void host_port(void **state)
{
    struct host_port hp;
    (void)state;
    assert_int_equal(value_host_port("example.org:80", &hp), VALUE_OK);
    assert_string_equal(hp.host, "example.org");
    assert_int_equal(hp.port, 80);
    assert_int_equal(value_host_port("[2001:db8::80]:8080", &hp), VALUE_OK);
    assert_string_equal(hp.host, "2001:db8::80");
    assert_int_equal(hp.port, 8080);
    assert_int_equal(value_host_port("2001:db8::80:80", &hp), VALUE_MALFORMED);
    assert_int_equal(value_host_port("[2001:db8::80]80", &hp), VALUE_MALFORMED);
    assert_int_equal(value_host_port("example.org", &hp), VALUE_MALFORMED);
    assert_int_equal(value_host_port(":80", &hp), VALUE_MALFORMED);
    assert_int_equal(value_host_port("a:", &hp), VALUE_MALFORMED);
    assert_int_equal(value_host_port("a:65536", &hp), VALUE_RANGE);
}

static void host_too_long(void **state)
{
    struct host_port hp;
    char text[400];
    (void)state;
    memset(text, 'a', sizeof(text));
    memcpy(text + 256, ":80", 4);
    assert_int_equal(value_host_port(text, &hp), VALUE_MALFORMED);
    memcpy(text + 255, ":80", 4);
    assert_int_equal(value_host_port(text, &hp), VALUE_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percent),      cmocka_unit_test(duration),
        cmocka_unit_test(size),         cmocka_unit_test(rate),
        cmocka_unit_test(not_a_number), cmocka_unit_test(large),
        cmocka_unit_test(range),        cmocka_unit_test(written),
        cmocka_unit_test(host_port),    cmocka_unit_test(host_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
