/* test.h - cmocka, with the headers it wants before itself. With TERN_TEST in the environment only
 * the tests of that name run. */
#ifndef TERN_TEST_H
#define TERN_TEST_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <stdlib.h>

__attribute__((constructor)) static void test_choose(void)
{
    const char *only = getenv("TERN_TEST");
    if (only != NULL)
        cmocka_set_test_filter(only);
}

#endif
