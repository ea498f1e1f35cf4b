/* cmocka.h - as much of cmocka as the unit tests use, in one header: for foreign processors, for
 * which there is no package of the real one. A test that fails says where, and the next one runs;
 * the exit status is the number of those that failed. */
#ifndef TERN_CROSS_CMOCKA_H
#define TERN_CROSS_CMOCKA_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef void (*CMUnitTestFunction)(void **state);
typedef int (*CMFixtureFunction)(void **state);

struct CMUnitTest {
    const char *name;
    CMUnitTestFunction test_func;
    CMFixtureFunction setup_func, teardown_func;
    void *initial_state;
};

#define CROSS_SHARED __attribute__((weak)) /* one for all the files of a test */

CROSS_SHARED jmp_buf cross_env, cross_assert_env;
CROSS_SHARED int cross_expects_assert;
CROSS_SHARED const char *cross_only;

__attribute__((noreturn, unused)) static void cross_fail(const char *what, const char *file,
                                                         int line)
{
    printf("  %s:%d: %s\n", file, line, what);
    longjmp(cross_env, 1);
}

__attribute__((unused)) static void mock_assert(int result, const char *what, const char *file,
                                                int line)
{
    if (result)
        return;
    if (cross_expects_assert)
        longjmp(cross_assert_env, 1);
    cross_fail(what, file, line);
}

/* (an argument may be a call, and is one only once) */
__attribute__((unused)) static int cross_in_range(unsigned long long x, unsigned long long low,
                                                  unsigned long long high)
{
    return x >= low && x <= high;
}

#define cross_check(ok, what) ((ok) ? (void)0 : cross_fail((what), __FILE__, __LINE__))
#define assert_true(x) cross_check(!!(x), #x)
#define assert_false(x) cross_check(!(x), "not " #x)
#define assert_null(x) cross_check((x) == NULL, #x " is NULL")
#define assert_non_null(x) cross_check((x) != NULL, #x " is not NULL")
#define assert_ptr_equal(a, b) cross_check((const void *)(a) == (const void *)(b), #a " == " #b)
#define assert_int_equal(a, b)                                                                     \
    cross_check((unsigned long long)(a) == (unsigned long long)(b), #a " == " #b)
#define assert_int_not_equal(a, b)                                                                 \
    cross_check((unsigned long long)(a) != (unsigned long long)(b), #a " != " #b)
#define assert_memory_equal(a, b, n) cross_check(memcmp((a), (b), (n)) == 0, #a " equals " #b)
#define assert_memory_not_equal(a, b, n) cross_check(memcmp((a), (b), (n)) != 0, #a " is not " #b)
#define assert_string_equal(a, b) cross_check(strcmp((a), (b)) == 0, #a " equals " #b)
#define assert_string_not_equal(a, b) cross_check(strcmp((a), (b)) != 0, #a " is not " #b)
#define assert_in_range(x, low, high)                                                              \
    cross_check(cross_in_range((unsigned long long)(x), (unsigned long long)(low),                 \
                               (unsigned long long)(high)),                                        \
                #x " in " #low ".." #high)
#define fail() cross_fail("fail()", __FILE__, __LINE__)
#define fail_msg(...) (printf("  " __VA_ARGS__), putchar('\n'), fail())
#define skip() longjmp(cross_env, 2)
#define print_message printf
#define print_error printf

#define expect_assert_failure(call)                                                                \
    do {                                                                                           \
        cross_expects_assert = 1;                                                                  \
        if (setjmp(cross_assert_env) == 0) {                                                       \
            call;                                                                                  \
            cross_expects_assert = 0;                                                              \
            cross_fail("no assertion failed in " #call, __FILE__, __LINE__);                       \
        }                                                                                          \
        cross_expects_assert = 0;                                                                  \
    } while (0)

#define cmocka_unit_test(f)                                                                        \
    {                                                                                              \
#f, f, NULL, NULL, NULL                                                                    \
    }
#define cmocka_set_test_filter(name) ((void)(cross_only = (name)))

__attribute__((unused)) static int cross_run(const struct CMUnitTest *tests, size_t n,
                                             CMFixtureFunction setup, CMFixtureFunction teardown)
{
    static volatile int failed;
    void *group = NULL;
    if (setup != NULL && setup(&group) != 0)
        return 1;
    for (volatile size_t i = 0; i < n; i++) {
        const struct CMUnitTest *t = &tests[i];
        void *state = t->initial_state != NULL ? t->initial_state : group;
        if (cross_only != NULL && strcmp(cross_only, t->name) != 0)
            continue;
        int how = setjmp(cross_env);
        if (how == 0) {
            if (t->setup_func != NULL)
                (void)t->setup_func(&state);
            t->test_func(&state);
            if (t->teardown_func != NULL)
                (void)t->teardown_func(&state);
        } else if (how == 1) {
            printf("not ok %s\n", t->name);
            failed++;
        }
    }
    if (teardown != NULL)
        (void)teardown(&group);
    return failed;
}
#define cmocka_run_group_tests(tests, setup, teardown)                                             \
    cross_run((tests), sizeof(tests) / sizeof((tests)[0]), (setup), (teardown))

#endif
