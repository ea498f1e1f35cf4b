/* runner.h - runs a command natively or under the program runner, and gathers what it says. */
#ifndef TERN_TESTS_RUNNER_H
#define TERN_TESTS_RUNNER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct outcome {
    int status;      /* as wait(2) */
    bool late;       /* killed for taking too long */
    char text[8192]; /* standard output and error */
};

/* Runs argv under the runner over the host's sockets, as `tern run` would; does not return. */
_Noreturn void runner_main(char *const argv[]);

/* Starts argv in a child with its output in *fd; `under`: under the runner. `disable`: TERN_DISABLE
 * or NULL. */
pid_t runner_start(char *const argv[], bool under, const char *disable, int *fd);
/* Waits for it, at most `seconds`. */
void runner_finish(pid_t pid, int fd, int seconds, struct outcome *out);
void runner_run(char *const argv[], bool under, const char *disable, struct outcome *out);

#endif
