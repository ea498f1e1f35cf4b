/* test_code.c - the small Python of %{ }%. */
#include "test.h"

#include "drill/code.h"

#include <string.h>

static bool lookup(void *user, const char *name, int64_t *value)
{
    (void)user;
    if (strcmp(name, "tcpi_snd_cwnd") != 0)
        return false;
    *value = 10;
    return true;
}

static struct drill_code code;

static void holds(const char *text)
{
    struct drill_text error = {0};
    unsigned before = code.asserted;
    if (!drill_code_run(&code, text, &error))
        fail_msg("%s: %s", text, drill_string(&error));
    assert_true(code.asserted > before);
    drill_text_free(&error);
}

static void fails(const char *text, const char *how)
{
    struct drill_text error = {0};
    assert_false(drill_code_run(&code, text, &error));
    assert_string_equal(drill_string(&error), how);
    drill_text_free(&error);
}

static int setup(void **state)
{
    (void)state;
    code = (struct drill_code){.lookup = lookup};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    drill_code_free(&code);
    return 0;
}

static void assertions(void **state)
{
    (void)state;
    holds("assert tcpi_snd_cwnd == 10, tcpi_snd_cwnd");
    holds("assert 9 <= tcpi_snd_cwnd < 11");
    holds("assert (tcpi_snd_cwnd & 2) != 0 and not tcpi_snd_cwnd & 4");
    holds("assert tcpi_snd_cwnd in (9, 10)");
    holds("assert tcpi_snd_cwnd not in [1, 2,]");
    holds("assert 7 // 2 == 3 and -7 // 2 == -4 and -7 % 3 == 2 and 7 / 2 == 3.5");
    holds("assert 2 ** 10 == 1 << 10 == 0x400");
    holds("assert ~0 == -1 and 5 ^ 1 == 4 and 1 | 6 == 7");
    holds("assert abs(-3) == 3 and min(4, 2) == 2 and max([1, 5]) == 5 and int(2.9) == 2");
    holds("assert 'a' + \"b\" == 'ab'");
    holds("assert (1 if tcpi_snd_cwnd > 3 else 2) == 1");
    holds("assert True or unknown");
    fails("assert tcpi_snd_cwnd == 11, tcpi_snd_cwnd", "AssertionError: 10");
    fails("assert 9 < tcpi_snd_cwnd < 10", "AssertionError");
    fails("assert 1 == 2, 'cwnd is %d of %d' % (1, 2)", "AssertionError: cwnd is 1 of 2");
    fails("assert unknown", "NameError: no such name: unknown");
    fails("assert 1 / 0", "ZeroDivisionError: division by zero");
    fails("assert", "SyntaxError: expected an expression");
    fails("assert 1 1", "SyntaxError: 1");
    fails("import os", "unsupported statement: import");
    fails("assert foo(1)", "NameError: no such function: foo");
    fails("assert 1 << 70", "OverflowError: more than 64 bits");
}

static void statements(void **state)
{
    (void)state;
    holds("a = 1; a += 2\nassert a == 3");
    holds("a *= a\nassert a == 9 # kept from block to block");
    holds("assert a == \\\n    9");
    holds("assert (a ==\n  9)");
    holds("if a == 9:\n  b = 1\nelse:\n  b = unknown\nassert b == 1");
    holds("if a == 1:\n  b = 1\nelif a == 9: b = 5\nelse:\n  assert 0\nassert b == 5");
    holds("\n    assert 1\n    assert 2\n");
    fails("if a == 9:\n  if True:\n    assert a == 8, 'deep'\n", "AssertionError: deep");
    fails("if a == 9:\nb = 1", "IndentationError: expected an indented block");
    holds("print('a', 1, 2.5)\nprint(a)\nassert 1");
    assert_string_equal(drill_string(&code.printed), "a 1 2.5\n9\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(assertions, setup, teardown),
        cmocka_unit_test_setup_teardown(statements, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
