/* kernel.h - Linux itself as the system under test: its sockets, behind a TUN device, in real time.
 *
 * Needs root and /dev/net/tun. Everything happens in a network namespace of the process's own. */
#ifndef TERN_TESTS_DRILL_KERNEL_H
#define TERN_TESTS_DRILL_KERNEL_H

#include "drill/sut.h"

/* NULL: it works here; else why not. Tried in a process of its own. */
const char *kernel_possible(void);
/* Moves the process into a namespace of its own. NULL, or why not. */
const char *kernel_prepare(void);
/* How late the player itself was at worst, ns, since the last system under test was made. */
int64_t kernel_lag(void);
struct drill_sut *kernel_sut(const struct drill_setup *setup, const char **why);

#endif
