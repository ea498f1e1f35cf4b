/* test_run_old.c - programs say the same with what an old kernel has: see suite.h.
 *
 * valgrind: knows no seccomp
 */
#include "suite.h"

int main(int argc, char **argv) { return suite(OLD_CALLS, argc, argv); }
