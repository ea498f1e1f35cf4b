/* test_run.c - programs say the same under the runner as without it: see suite.h.
 *
 * valgrind: knows no seccomp
 */
#include "suite.h"

int main(int argc, char **argv) { return suite(USUAL, argc, argv); }
