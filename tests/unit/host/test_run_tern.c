/* test_run_tern.c - programs say the same over two stacks: see suite.h.
 *
 * valgrind: knows no seccomp
 */
#include "suite.h"

int main(int argc, char **argv) { return suite(OVER_TERN, argc, argv); }
