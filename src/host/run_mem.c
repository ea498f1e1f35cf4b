/* run_mem.c - process_vm_readv() and process_vm_writev(), and /proc/PID/mem where they are denied.
 *
 * Some containers forbid the two calls but leave /proc/PID/mem, which needs the same right over the
 * process. Writing through /proc/PID/mem would also write to read-only pages, as a debugger may:
 * a program's pointer to such a page succeeds there, which the real call would refuse.
 */
#include "host/run_mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/uio.h>
#include <unistd.h>

static int proc_mem(pid_t pid, void *buf, uint64_t addr, size_t n, bool write)
{
    char path[32];

    if (addr > INT64_MAX)
        return -EFAULT;
    snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
    int fd = open(path, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    if (fd < 0)
        return errno == EACCES ? -EPERM : errno == ENOENT ? -ESRCH : -errno;
    ssize_t got = write ? pwrite(fd, buf, n, (off_t)addr) : pread(fd, buf, n, (off_t)addr);
    close(fd);
    return got == (ssize_t)n ? 0 : -EFAULT;
}

static int transfer(struct run_mem m, void *buf, uint64_t addr, size_t n, bool write)
{
    struct iovec local = {buf, n};
    struct iovec remote = {(void *)(uintptr_t)addr, n};

    if (n == 0)
        return 0;
    if (m.forge)
        return m.forge->memory(m.pid, buf, addr, n, write);
    if (!m.process_vm)
        return proc_mem(m.pid, buf, addr, n, write);
    ssize_t got = write ? process_vm_writev(m.pid, &local, 1, &remote, 1, 0)
                        : process_vm_readv(m.pid, &local, 1, &remote, 1, 0);
    if (got == (ssize_t)n)
        return 0;
    if (got >= 0)
        return -EFAULT;
    if (errno == ENOSYS || errno == EPERM)
        return proc_mem(m.pid, buf, addr, n, write);
    return errno == ESRCH ? -ESRCH : -EFAULT;
}

int run_mem_read(struct run_mem m, void *dst, uint64_t addr, size_t n)
{
    return transfer(m, dst, addr, n, false);
}

int run_mem_write(struct run_mem m, uint64_t addr, const void *src, size_t n)
{
    /* process_vm_writev() takes the local side through a struct without const. */
    return transfer(m, (void *)(uintptr_t)src, addr, n, true);
}
