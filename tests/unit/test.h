/* test.h - cmocka, with the headers it wants before itself. */
#ifndef TERN_TEST_H
#define TERN_TEST_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#endif
