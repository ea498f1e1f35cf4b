/* run_mem.h - reads and writes the memory of another process.
 *
 * Addresses come from that process and may be anything. All calls move `n` bytes or fail with
 * -EFAULT (not all of it is there), -EPERM (the process may not be looked at) or -ESRCH.
 */
#ifndef TERN_HOST_RUN_MEM_H
#define TERN_HOST_RUN_MEM_H

#include "host/run_forge.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct run_mem {
    pid_t pid;
    bool process_vm;               /* run_caps */
    const struct run_forge *forge; /* asked instead of the kernel; or NULL */
};

int run_mem_read(struct run_mem m, void *dst, uint64_t addr, size_t n);
int run_mem_write(struct run_mem m, uint64_t addr, const void *src, size_t n);

#endif
