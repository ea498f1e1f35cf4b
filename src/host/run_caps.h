/* run_caps.h - which optional features of the kernel may be used.
 *
 * TERN_DISABLE=name,name,... in the environment turns features off although the kernel has them, so
 * that every fallback can be tested on a new kernel. `tern doctor` lists the names.
 */
#ifndef TERN_HOST_RUN_CAPS_H
#define TERN_HOST_RUN_CAPS_H

#include <stdbool.h>
#include <sys/utsname.h>

/* Features that the program runner does without where it has to; name in TERN_DISABLE, since. */
#define RUN_CAPS(X)                                                                                \
    X(addfd_send, "5.14", "hand out a descriptor and answer the call in one step")                 \
    X(pidfd_getfd, "5.6", "reach a program's socket without keeping a copy of it")                 \
    X(process_vm, "3.2", "read a program's memory by one call instead of through /proc")           \
    X(sync_wake, "6.6", "run runner and program on one CPU while they take turns")

struct run_caps {
#define X(name, since, what) bool name;
    RUN_CAPS(X)
#undef X
};

/* Is `name` in TERN_DISABLE? Read anew at each call: ask once and keep the answer. */
bool run_caps_disabled(const char *name);
/* All features that are not disabled; the kernel may still lack them. */
struct run_caps run_caps_load(void);

/* What tern run needs at least. */
#define RUN_KERNEL "5.9"
/* Is this kernel older? `name` is filled with which one it is. */
bool run_caps_kernel_old(struct utsname *name);

#endif
