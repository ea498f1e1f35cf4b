/* util.c - the default end of a failed assertion: a trap, which a debugger or the kernel reports.
 * Weak, so that an embedder's own definition takes its place when linking. */
#include "base/util.h"

__attribute__((weak)) void tern_assert_failed(const char *what, const char *file, int line)
{
    (void)what;
    (void)file;
    (void)line;
    __builtin_trap();
}
