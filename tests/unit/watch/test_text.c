/* Text in columns: what counts as how wide, where it is cut, what stands in for it in ASCII, values
 * for people, and what of a stranger's text reaches a terminal. */
#include <string.h>

#include "../test.h"
#include "base/util.h"
#include "watch/messages.h"
#include "watch/text.h"

static void test_columns(void **state)
{
    (void)state;
    assert_int_equal(text_cols("abc", true), 3);
    assert_int_equal(text_cols("─▸", true), 2);
    assert_int_equal(text_cols("日本", true), 4);
    assert_int_equal(text_cols("…", false), 3);
    assert_int_equal(text_cols("\xff\xc3", true), 2); /* ill-formed: one each */
}

static void fit(const char *s, uint32_t cols, bool utf8, const char *expected)
{
    struct text t;
    text_init(&t, utf8, false);
    text_fit(&t, s, cols);
    assert_string_equal(t.s, expected);
    assert_int_equal(t.cols, text_cols(expected, utf8));
    assert_true(t.cols <= cols);
}

static void test_fit(void **state)
{
    (void)state;
    fit("abcdef", 6, true, "abcdef");
    fit("abcdef", 5, true, "abcd…");
    fit("abcdef", 5, false, "ab...");
    fit("日本語", 5, true, "日本…");
    fit("日本語", 4, true, "日…"); /* half a character is none */
    fit("a→b", 3, false, "a>b");
}

/* However much is added, a text stays inside its memory and is terminated. */
static void test_full(void **state)
{
    struct text t;
    (void)state;
    text_init(&t, true, true);
    for (int i = 0; i < 1000; i++) {
        text_style(&t, STYLE_BAD);
        text_add(&t, "─");
        text_style(&t, STYLE_PLAIN);
    }
    assert_true(t.len < TEXT_MAX);
    assert_int_equal(strlen(t.s), t.len);
    assert_string_equal(t.s + t.len - 4, "\033[0m");
    text_init(&t, true, false);
    text_style(&t, STYLE_BAD);
    assert_string_equal(t.s, "");
}

static void foreign(const char *s, const char *expected)
{
    char out[64];
    text_foreign(out, sizeof(out), s, strlen(s));
    assert_string_equal(out, expected);
}

static void test_foreign(void **state)
{
    char out[5];
    (void)state;
    foreign("curl", "curl");
    foreign("grüße 日本", "grüße 日本");
    foreign("a\033[31mb\r\n\t\x7f", "a?[31mb????");
    foreign("\x9b"
            "31m\xc2\x9b",
            "?31m?"); /* CSI, bare and as UTF-8 */
    foreign("\u202eevil\u2066\u200f", "?evil??");
    foreign("e\u0301", "e?"); /* no width of its own */
    foreign("\xc0\xaf\xed\xa0\x80\xf5", "??????");
    text_foreign(out, sizeof(out), "ääää", 8);
    assert_string_equal(out, "ää");
}

static void test_values(void **state)
{
    char s[TEXT_VALUE];
    (void)state;
    assert_string_equal(text_number(s, 0), "0");
    assert_string_equal(text_number(s, 999), "999");
    assert_string_equal(text_number(s, 1000), "1,000");
    assert_string_equal(text_number(s, UINT64_MAX), "18,446,744,073,709,551,615");
    assert_string_equal(text_bytes(s, 76), "76 B");
    assert_string_equal(text_bytes(s, 999), "999 B");
    assert_string_equal(text_bytes(s, 1000), "1 kB");
    assert_string_equal(text_bytes(s, 999499), "999 kB");
    assert_string_equal(text_bytes(s, 999500), "1 MB");
    assert_string_equal(text_bytes(s, 1484201), "1.48 MB");
    assert_string_equal(text_bytes(s, UINT64_MAX), "18.4 EB");
    assert_string_equal(text_duration(s, 0), "0 us");
    assert_string_equal(text_duration(s, 1500), "1.5 us");
    assert_string_equal(text_duration(s, 20300000), "20.3 ms");
    assert_string_equal(text_duration(s, 1000000000), "1 s");
    assert_string_equal(text_duration(s, 127000000000), "127 s");
}

static void test_addresses(void **state)
{
    char s[TEXT_VALUE];
    tern_addr a = {.ip = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 80}, .port = 80};
    (void)state;
    assert_string_equal(text_address(s, &a), "192.0.2.80:80");
    memset(a.ip, 0xab, 16);
    a.port = 65535;
    assert_string_equal(text_address(s, &a), "[abab:abab:abab:abab:abab:abab:abab:abab]:65535");
}

static void test_messages(void **state)
{
    char s[12];
    (void)state;
    assert_string_equal(message(s, sizeof(s), MSG_SINCE, ARGS("a", "b")), "a for b");
    assert_string_equal(message(s, sizeof(s), MSG_SINCE, ARGS("long words", "b")), "long words ");
    for (int i = 0; i < MSG_COUNT; i++)
        assert_true(strlen(message_text((enum watch_message)i)) != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns),  cmocka_unit_test(test_fit),
        cmocka_unit_test(test_full),     cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_values),   cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
