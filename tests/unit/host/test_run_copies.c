/* test_run_copies.c - programs say the same where pidfd_getfd is forbidden: see suite.h.
 *
 * valgrind: knows no seccomp
 */
#include "suite.h"

int main(int argc, char **argv) { return suite(NO_GETFD, argc, argv); }
