/* test_tables.c - the tables of verbs and options: everything is explained, nothing twice. */
#include "cmd/cmd.h"

#include "../test.h"

#include <ctype.h>
#include <string.h>

static bool phrase(const char *text)
{
    size_t len = text ? strlen(text) : 0;

    return len > 0 && text[len - 1] != '.' && text[0] != ' ' && text[len - 1] != ' ' &&
           !strchr(text, '\n');
}

static void verbs(void **state)
{
    (void)state;
    for (const struct command *const *c = commands; *c; c++) {
        assert_ptr_equal(command_find((*c)->name), *c); /* not twice */
        assert_true(phrase((*c)->summary));
        assert_true(islower((*c)->summary[0]));
        assert_true((*c)->about && strlen((*c)->about) > 0);
        assert_non_null((*c)->run);
        assert_true((*c)->max_operands == 0 || (*c)->operands);
    }
}

/* An example is of its own verb, and says what it does. */
static void examples(void **state)
{
    char call[64];

    (void)state;
    for (const struct command *const *c = commands; *c; c++) {
        assert_non_null((*c)->examples[0].line);
        snprintf(call, sizeof call, "tern %s", (*c)->name);
        for (size_t i = 0; i < CMD_EXAMPLES_MAX && (*c)->examples[i].line; i++) {
            assert_non_null(strstr((*c)->examples[i].line, call));
            assert_true(phrase((*c)->examples[i].what));
        }
    }
}

static void options(void **state)
{
    (void)state;
    for (const struct command *const *c = commands; *c; c++)
        for (size_t i = 0; i < (*c)->opt_count; i++) {
            const struct opt *o = &(*c)->opts[i];
            assert_true(phrase(o->name));
            if (o->type == OPT_IS_HEADING)
                continue;
            if (!phrase(o->help))
                fail_msg("tern %s --%s is not explained", (*c)->name, o->name);
            assert_true(o->type != OPT_IS_CHOICE || o->choices[0]);
            for (size_t k = 0; k < i; k++) {
                assert_string_not_equal(o->name, (*c)->opts[k].name);
                assert_true(!o->letter || o->letter != (*c)->opts[k].letter);
            }
            assert_string_not_equal(o->name, "help");
            assert_int_not_equal(o->letter, 'h');
        }
}

/* What holds when an option is not given is a value that may be given. */
static void fallbacks(void **state)
{
    uint64_t out;

    (void)state;
    for (const struct command *const *c = commands; *c; c++)
        for (size_t i = 0; i < (*c)->opt_count; i++) {
            const struct opt *o = &(*c)->opts[i];
            uint64_t max = o->max ? o->max : UINT64_MAX;
            if (o->type != OPT_IS_NUMBER || !o->fallback)
                continue;
            if (value_parse(o->number, o->fallback, o->min, max, &out) != VALUE_OK)
                fail_msg("tern %s --%s %s", (*c)->name, o->name, o->fallback);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verbs),
        cmocka_unit_test(examples),
        cmocka_unit_test(options),
        cmocka_unit_test(fallbacks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
