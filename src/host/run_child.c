/* run_child.c - starting the program, waiting for it, and its signals.
 *
 * The child puts itself under the filter, sends the filter's descriptor to us over a socket pair,
 * and executes the program; a pipe that closes on exec tells whether that worked. Nothing of ours
 * is inherited: every descriptor closes on exec, the signal mask is put back.
 *
 * Signals: the program stays in tern's process group, so what the terminal sends (Ctrl-C, Ctrl-\,
 * Ctrl-Z, hang-up, a new window size) reaches it directly, and tern only takes care not to die of
 * it. A signal that somebody sends to tern itself is passed on. When the program is stopped, tern
 * stops too, so that the shell sees its job stopped; when tern is continued, it continues the
 * program.
 *
 * What the program leaves behind (daemons, background jobs) becomes our child, as we are a
 * subreaper, and is served until it ends. A signal to tern goes to all of it then; a second one
 * makes tern leave.
 */
#include "host/run_child.h"

#include "host/run_core.h"
#include "host/run_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the child tells when it does not get as far as the program. */
struct failure {
    int exec; /* else: the filter */
    int err;
};

static const int taken_signals[] = {SIGCHLD, SIGINT,  SIGQUIT, SIGTERM, SIGHUP,  SIGTSTP,
                                    SIGTTIN, SIGTTOU, SIGCONT, SIGUSR1, SIGUSR2, SIGPIPE};

/* ---- in the child ---------------------------------------------------------------------------- */

union control {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
};

static void pass_fd(int sock, int fd)
{
    char byte = 0;
    struct iovec iov = {&byte, 1};
    union control control;
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

    memset(&control, 0, sizeof control);
    msg.msg_control = control.space;
    msg.msg_controllen = sizeof control.space;
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    (void)!sendmsg(sock, &msg, MSG_NOSIGNAL);
}

_Noreturn static void in_child(const struct run *r, const struct sock_fprog *filter, int sock,
                               int failure_fd)
{
    struct failure f = {0, 0};

    sigprocmask(SIG_SETMASK, loop_sigmask(r->loop), NULL);
    int fd = run_filter_install(filter);
    if (fd >= 0) {
        pass_fd(sock, fd);
        execvp(r->cfg.argv[0], r->cfg.argv);
        f.exec = 1;
        f.err = errno;
    } else {
        f.err = -fd;
    }
    (void)!write(failure_fd, &f, sizeof f);
    _exit(RUN_EXIT_TERN);
}

/* ---- starting -------------------------------------------------------------------------------- */

static int receive_fd(int sock)
{
    char byte;
    struct iovec iov = {&byte, 1};
    union control control;
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    int fd = -1;

    msg.msg_control = control.space;
    msg.msg_controllen = sizeof control.space;
    if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) != 1)
        return -1;
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    if (c && c->cmsg_type == SCM_RIGHTS)
        memcpy(&fd, CMSG_DATA(c), sizeof fd);
    return fd;
}

static int explain_filter(struct run *r, int err)
{
    struct run_filter_trouble trouble = run_filter_explain(err);

    run_say(r, "%s (%s). %s", trouble.why, strerror(err), trouble.remedy);
    return RUN_EXIT_TERN;
}

static int explain_exec(struct run *r, int err)
{
    const char *name = r->cfg.argv[0];

    if (err == ENOENT) {
        run_say(r, "%s: there is no such program", name);
        return RUN_EXIT_ABSENT;
    }
    if (err == ENOEXEC)
        run_say(r, "%s: not a program that this machine can run", name);
    else
        run_say(r, "%s: cannot be executed: %s", name, strerror(err));
    return RUN_EXIT_DENIED;
}

/* Where execvp() will find it; false: nowhere, or it will say so itself. */
static bool find_program(const char *name, struct stat *st)
{
    const char *path = strchr(name, '/') ? NULL : getenv("PATH");
    char file[4096];

    if (!path)
        return stat(name, st) == 0;
    while (*path) {
        int n = (int)strcspn(path, ":");
        int len = snprintf(file, sizeof file, "%.*s/%s", n ? n : 1, n ? path : ".", name);
        if (len > 0 && (size_t)len < sizeof file && access(file, X_OK) == 0 && stat(file, st) == 0)
            return true;
        path += n;
        path += *path == ':';
    }
    return false;
}

static void warn_set_uid(struct run *r)
{
    struct stat st;

    if (!find_program(r->cfg.argv[0], &st) || !S_ISREG(st.st_mode))
        return;
    if ((st.st_mode & S_ISUID && st.st_uid != geteuid()) ||
        ((st.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && st.st_gid != getegid()))
        run_say(r,
                "%s is a set-uid or set-gid program; under tern run it starts without those "
                "rights. If it needs them, run tern itself with them (sudo tern run ...).",
                r->cfg.argv[0]);
}

static int await_start(struct run *r, int sock, int failure_fd, int *notify_fd)
{
    struct failure f;

    *notify_fd = receive_fd(sock);
    ssize_t n = read(failure_fd, &f, sizeof f);
    if (n == 0 && *notify_fd >= 0)
        return 0;
    if (*notify_fd >= 0)
        close(*notify_fd);
    waitpid(r->child.pid, NULL, 0);
    r->child.pid = 0;
    if (n == (ssize_t)sizeof f)
        return f.exec ? explain_exec(r, f.err) : explain_filter(r, f.err);
    run_say(r, "the program could not be started");
    return RUN_EXIT_TERN;
}

static void on_signal(void *user, const struct signalfd_siginfo *info);

static int take_signals(struct run *r)
{
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < sizeof taken_signals / sizeof taken_signals[0]; i++)
        sigaddset(&set, taken_signals[i]);
    return loop_signals(r->loop, &set, on_signal, r);
}

int run_child_start(struct run *r, int *notify_fd)
{
    struct sock_fprog filter;
    int sock[2] = {-1, -1}, failure[2] = {-1, -1};
    int err = run_filter_build(&filter);

    r->child = (struct run_child){.status = -1};
    if (err) {
        run_say(r, "cannot build the seccomp filter: %s", strerror(-err));
        return RUN_EXIT_TERN;
    }
    warn_set_uid(r);
    if (take_signals(r) < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock) < 0 ||
        pipe2(failure, O_CLOEXEC) < 0 || (r->child.pid = fork()) < 0) {
        run_say(r, "cannot start a process: %s", strerror(errno));
        r->child.pid = 0;
        err = RUN_EXIT_TERN;
    } else if (r->child.pid == 0) {
        in_child(r, &filter, sock[1], failure[1]);
    } else {
        close(sock[1]);
        close(failure[1]);
        sock[1] = failure[1] = -1;
        err = await_start(r, sock[0], failure[0], notify_fd);
    }
    for (int i = 0; i < 2; i++) {
        if (sock[i] >= 0)
            close(sock[i]);
        if (failure[i] >= 0)
            close(failure[i]);
    }
    run_filter_free(&filter);
    return err;
}

/* ---- waiting --------------------------------------------------------------------------------- */

static bool on_terminal(void)
{
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static void stopped(struct run *r, int signal)
{
    if (signal == SIGSTOP && !on_terminal())
        return; /* somebody looks at the program, and will continue it, not us */
    kill(getpid(), SIGSTOP);
    if (r->child.pid)
        kill(r->child.pid, SIGCONT);
}

void run_child_reap(struct run *r)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0) {
        if (pid != r->child.pid)
            continue;
        if (WIFSTOPPED(status)) {
            stopped(r, WSTOPSIG(status));
            continue;
        }
        r->child.status = status;
        r->child.pid = 0;
    }
}

/* ---- signals --------------------------------------------------------------------------------- */

static unsigned signal_children(int signal)
{
    char path[48];
    int pid;
    unsigned n = 0;

    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *f = fopen(path, "re");
    while (f && fscanf(f, "%d", &pid) == 1)
        n += kill(pid, signal) == 0;
    if (f)
        fclose(f);
    return n;
}

static void pass_on(struct run *r, const struct signalfd_siginfo *info)
{
    int signal = (int)info->ssi_signo;

    if (r->child.pid) {
        if (info->ssi_code != SI_KERNEL) /* else the terminal's, which the program has got too */
            kill(r->child.pid, signal);
        return;
    }
    unsigned n = signal_children(signal == SIGINT ? SIGTERM : signal);
    if (n && !r->child.nagged)
        run_say(r,
                "%s has ended, but %u of the processes it started have not; once more leaves them",
                r->cfg.argv[0], n);
    r->child.nagged++;
}

static void on_signal(void *user, const struct signalfd_siginfo *info)
{
    struct run *r = user;

    switch (info->ssi_signo) {
    case SIGCHLD:
        run_child_reap(r);
        break;
    case SIGCONT:
        if (r->child.pid && info->ssi_code != SI_KERNEL)
            kill(r->child.pid, SIGCONT);
        break;
    case SIGPIPE:
    case SIGTSTP: /* the program's decision: see stopped() */
    case SIGTTIN:
    case SIGTTOU:
        break;
    default:
        pass_on(r, info);
    }
}
