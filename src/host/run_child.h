/* run_child.h - the program as a process: started, waited for, and given its signals. */
#ifndef TERN_HOST_RUN_CHILD_H
#define TERN_HOST_RUN_CHILD_H

#include "host/loop.h"

#include <stdbool.h>
#include <sys/types.h>

struct run;

struct run_child {
    pid_t pid;       /* the program; 0 once it has been waited for */
    int status;      /* its wait status; -1 while it runs */
    unsigned nagged; /* signals received after it has ended, while others of its run go on */
};

/* Starts argv under the filter; *notify_fd is where trapped calls arrive. 0, or an exit status
 * (run.h) after saying why. */
int run_child_start(struct run *r, int *notify_fd);
/* Collects processes that have ended. */
void run_child_reap(struct run *r);

#endif
