/* run_filter.h - the seccomp filter that sends a program's TCP calls to the runner. */
#ifndef TERN_HOST_RUN_FILTER_H
#define TERN_HOST_RUN_FILTER_H

#include <linux/filter.h>
#include <stdint.h>

/* Compiles the filter for this machine; free it with run_filter_free(). 0 or -errno. */
int run_filter_build(struct sock_fprog *out);
void run_filter_free(struct sock_fprog *filter);

/* Puts the calling process, and all it will ever start, under the filter. Returns the descriptor on
 * which the trapped calls are read, or -EBUSY (it is under such a filter already), -EPERM, -EACCES,
 * -ENOSYS, -EINVAL. Uses no memory but the filter's: fit for a child between fork and exec. */
int run_filter_install(const struct sock_fprog *filter);

/* Why run_filter_install() has failed with this errno, and what to do about it. */
struct run_filter_trouble {
    const char *why;
    const char *remedy;
};
struct run_filter_trouble run_filter_explain(int err);

/* seccomp_data.arch of programs that speak this machine's own system calls. */
extern const uint32_t run_filter_arch;

#endif
