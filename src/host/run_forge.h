/* run_forge.h - a kernel that is made up: where calls are forged (tests/fuzz/fuzz_run.c), it stands
 * for the seccomp listener and for the memory of programs. All else about them stays real. */
#ifndef TERN_HOST_RUN_FORGE_H
#define TERN_HOST_RUN_FORGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct run_forge {
    /* As ioctl() on the listener, which may be any descriptor that polls readable while a call is
     * there to be received. */
    int (*notify)(int fd, unsigned long request, void *arg);
    /* Moves bytes from a program's memory to `buf`, or back: as run_mem_read() and _write(). */
    int (*memory)(pid_t pid, void *buf, uint64_t addr, size_t n, bool write);
};

#endif
