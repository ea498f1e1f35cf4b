/* suite.h - all programs of prog_*.c, under the runner in one of its modes. */
#ifndef TERN_TESTS_SUITE_H
#define TERN_TESTS_SUITE_H

enum mode {
    USUAL,     /* over the host's sockets, with everything this kernel has */
    OLD_CALLS, /* without what kernels before 5.14 lack */
    NO_GETFD,  /* as in containers that forbid pidfd_getfd */
    OVER_TERN, /* over two stacks */
    MODES
};

/* A test's main(). */
int suite(enum mode mode, int argc, char **argv);

#endif
