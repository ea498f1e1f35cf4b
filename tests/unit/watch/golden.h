/* golden.h - texts that a person has looked at and found good, in golden/NAME; with
 * TERN_GOLDEN=write in the environment they are written anew, to be looked at again. */
#ifndef TERN_TEST_GOLDEN_H
#define TERN_TEST_GOLDEN_H

#include <stdbool.h>
#include <stddef.h>

/* Fails, and shows the first line that differs, unless `text` is what golden/NAME says. */
void golden_check(const char *name, const char *text, size_t len);

#endif
