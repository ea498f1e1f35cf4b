/* doctor_run.c - what `tern run` needs: a filter that asks us, the program's memory, and, beyond
 * each by itself, that a page comes when all of it works together. */
#include "host/doctor_list.h"

#include "host/loop.h"
#include "host/run_caps.h"
#include "host/run_filter.h"
#include "host/run_seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FETCH_MAX_MS = 20000 };
#define NS_PER_MS 1000000u

static bool kernel(struct doctor_list *l)
{
    struct doctor_finding *f = doctor_add(l, "kernel", "Linux " RUN_KERNEL " or newer");
    struct utsname name;

    if (run_caps_kernel_old(&name))
        doctor_wrong(f, "start a newer kernel");
    doctor_detail(f, "%s on %s", name.release, name.machine);
    return f->ok;
}

/* ---- the filter ------------------------------------------------------------------------------ */

struct filter_answer {
    int installed; /* 0 or an errno */
    bool send, wake;
};

/* In a child: the filter stays with whoever has once installed it. */
static void try_filter(void *answer)
{
    struct filter_answer *a = answer;
    struct seccomp_notif_addfd add = {.flags = SECCOMP_ADDFD_FLAG_SEND};
    struct sock_fprog filter;
    int fd = run_filter_build(&filter);

    if (fd == 0)
        fd = run_filter_install(&filter);
    *a = (struct filter_answer){.installed = fd < 0 ? -fd : 0};
    if (fd < 0)
        return;
    /* There is no such call to be answered, but a kernel that does not know the flag says so
     * first. */
    a->send = ioctl(fd, SECCOMP_IOCTL_NOTIF_ADDFD, &add) < 0 && errno != EINVAL;
    a->wake = ioctl(fd, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP) == 0;
}

static struct filter_answer filter(struct doctor_list *l)
{
    struct doctor_finding *f = doctor_add(l, "seccomp_notify", "seccomp user notification");
    struct filter_answer a = {.installed = ECHILD};

    if (!doctor_ask_child(try_filter, &a, sizeof a) || a.installed) {
        struct run_filter_trouble trouble = run_filter_explain(a.installed);
        doctor_detail(f, "%s", trouble.why);
        doctor_wrong(f, "%s", trouble.remedy);
    }
    return a;
}

/* ---- the memory and the files of a program --------------------------------------------------- */

struct memory_answer {
    int read, getfd, proc; /* 0 or an errno */
};

/* What the runner does to the program, done to a child that sleeps. */
static struct memory_answer look_into(pid_t pid, const uint32_t *there)
{
    struct memory_answer a = {0, 0, 0};
    uint32_t here = 0;
    struct iovec local = {&here, sizeof here}, remote = {(void *)(uintptr_t)there, sizeof *there};
    char path[32];

    if (process_vm_readv(pid, &local, 1, &remote, 1, 0) != (ssize_t)sizeof here)
        a.read = errno;
    snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
    int mem = open(path, O_RDONLY | O_CLOEXEC);
    if (mem < 0 || pread(mem, &here, sizeof here, (off_t)(uintptr_t)there) != (ssize_t)sizeof here)
        a.proc = errno;
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    int fd = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, 0, 0);
    if (fd < 0)
        a.getfd = errno;
    for (int i = 0; i < 3; i++)
        if ((int[]){mem, pidfd, fd}[i] >= 0)
            close((int[]){mem, pidfd, fd}[i]);
    return a;
}

static struct memory_answer try_memory(void)
{
    static const uint32_t there = 0x7e12;
    struct memory_answer a = {ECHILD, ECHILD, ECHILD};
    int pipe_fds[2];
    char byte;

    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return a;
    pid_t pid = fork();
    if (pid == 0) {
        close(pipe_fds[1]);
        if (dup2(pipe_fds[0], 0) < 0) /* something to be taken from it */
            _exit(1);
        _exit(read(pipe_fds[0], &byte, 1) == 0 ? 0 : 1);
    }
    close(pipe_fds[0]);
    if (pid > 0) {
        a = look_into(pid, &there);
        close(pipe_fds[1]);
        waitpid(pid, NULL, 0);
    } else {
        close(pipe_fds[1]);
    }
    return a;
}

static int yama(void)
{
    FILE *f = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
    int scope = 0;

    if (f) {
        if (fscanf(f, "%d", &scope) != 1)
            scope = 0;
        fclose(f);
    }
    return scope;
}

static struct memory_answer memory(struct doctor_list *l)
{
    struct doctor_finding *f = doctor_add(l, "memory", "reading a program's memory");
    struct memory_answer a = try_memory();
    int scope = yama();

    if (!a.read || !a.proc)
        return a;
    doctor_detail(f, "%s", strerror(a.read));
    if (scope >= 2)
        doctor_wrong(f, "Yama forbids it: sudo sysctl kernel.yama.ptrace_scope=1%s",
                     scope > 2 ? ", after a reboot, as 3 cannot be taken back" : "");
    else
        doctor_wrong(f, "this container forbids it: start it with --cap-add SYS_PTRACE, or with "
                        "a seccomp profile that allows process_vm_readv and pidfd_getfd");
    return a;
}

/* ---- what can be done without ---------------------------------------------------------------- */

static void feature(struct doctor_list *l, const char *id, const char *what, const char *since,
                    bool works)
{
    struct doctor_finding *f = doctor_add(l, id, what);

    f->needed = false;
    if (run_caps_disabled(id))
        doctor_wrong(f, "turned off by TERN_DISABLE; tern goes without");
    else if (!works)
        doctor_wrong(f, "not here, or not allowed; tern goes without. Linux %s has it", since);
}

static bool pwait2(void)
{
    struct timespec zero = {0, 0};
    struct epoll_event e;
    int fd = epoll_create1(EPOLL_CLOEXEC);
    bool works = fd >= 0 && epoll_pwait2(fd, &e, 1, &zero, NULL) >= 0;

    if (fd >= 0)
        close(fd);
    return works;
}

/* Is it a feature of the filter, and untried without? */
static bool of_filter(const char *id)
{
    return strcmp(id, "addfd_send") == 0 || strcmp(id, "sync_wake") == 0;
}

static void features(struct doctor_list *l, const struct filter_answer *fa,
                     const struct memory_answer *ma)
{
    const struct run_caps works = {.addfd_send = fa->send,
                                   .pidfd_getfd = ma->getfd == 0,
                                   .process_vm = ma->read == 0,
                                   .sync_wake = fa->wake};

#define X(name, since, what)                                                                       \
    if (!of_filter(#name) || !fa->installed)                                                       \
        feature(l, #name, what, since, works.name);
    RUN_CAPS(X)
#undef X
    feature(l, "epoll_pwait2", "wait to the nanosecond", "5.11", pwait2());
}

/* ---- all of it together ---------------------------------------------------------------------- */

/* The first line it said, without "tern run: ". */
static void said(char *text)
{
    static const char prefix[] = "tern run: ";

    text[strcspn(text, "\n")] = 0;
    if (strncmp(text, prefix, sizeof prefix - 1) == 0)
        memmove(text, text + sizeof prefix - 1, strlen(text) + 2 - sizeof prefix);
}

/* Runs it; its exit status, or -1. Never longer than FETCH_MAX_MS. */
static int run_fetch(char *const *argv, char *text, size_t size)
{
    int pipe_fds[2], status = -1;
    size_t len = 0;
    uint64_t end = loop_clock() + (uint64_t)FETCH_MAX_MS * NS_PER_MS, now;

    text[0] = 0;
    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        if (dup2(pipe_fds[1], 2) >= 0)
            execv(argv[0], argv);
        _exit(127);
    }
    close(pipe_fds[1]);
    while (pid > 0 && (now = loop_clock()) < end && len < size - 1) {
        struct pollfd p = {.fd = pipe_fds[0], .events = POLLIN};
        if (poll(&p, 1, (int)((end - now) / NS_PER_MS) + 1) <= 0)
            continue;
        ssize_t n = read(pipe_fds[0], text + len, size - 1 - len);
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    text[len] = 0;
    close(pipe_fds[0]);
    if (pid <= 0)
        return -1;
    if (loop_clock() >= end)
        kill(pid, SIGKILL);
    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
        return -1;
    return WEXITSTATUS(status);
}

static void together(struct doctor_list *l)
{
    struct doctor_finding *f = doctor_add(l, "fetch", "a page fetched over tern's TCP");
    char text[sizeof f->detail];
    uint64_t began = loop_clock();

    if (run_fetch(l->cfg->fetch, text, sizeof text) == 0) {
        doctor_detail(f, "in %u ms", (unsigned)((loop_clock() - began) / NS_PER_MS));
        return;
    }
    said(text);
    doctor_detail(f, "%s", *text ? text : "no answer in time");
    doctor_wrong(f, "see what is missing above; TERN_DISABLE=addfd_send,pidfd_getfd,process_vm,"
                    "sync_wake tries to do without");
}

void doctor_run(struct doctor_list *l)
{
    bool new = kernel(l);
    struct filter_answer fa = filter(l);
    struct memory_answer ma = memory(l);
    features(l, &fa, &ma);
    if (new && !fa.installed)
        together(l);
}
