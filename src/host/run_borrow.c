/* run_borrow.c - reaching the open file behind a program's socket.
 *
 * connect() and listen() of a program are carried out on its own open file, as anything else would
 * be lost on descriptors that were duplicated, inherited or put into an epoll set earlier. There
 * are two ways to get hold of it:
 *
 *   pidfd_getfd (Linux 5.6, and the right to look into the process, which the runner needs anyway):
 *   taken out of the program for the moment it is needed. Nothing is kept, so a close by the
 *   program is a close. To find out about closes that nothing else reports, each open file is put
 *   into an epoll set that nobody waits on: /proc/self/fdinfo lists the files in it that are still
 *   open.
 *
 *   a copy, kept from the moment the socket is handed out until it is connected. A copy hides the
 *   program's close, so whether a socket still exists is looked up in /proc/PID/fd of all
 *   processes, and only when it matters: a listener at each SYN, the rest when a port is wanted
 *   again or many sockets have gathered. A socket that is just being passed from process to process
 *   may be missed.
 */
#include "host/run_core.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL
#endif

/* Containers often forbid it, to themselves even. */
static bool getfd_works(void)
{
    int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
    int fd = self < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, self, self, 0);

    if (self >= 0)
        close(self);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

int run_borrow_start(struct run *r)
{
    for (size_t i = 0; i < RUN_PIDFDS; i++)
        r->pidfds[i].fd = -1;
    r->collect_at = 64;
    r->watch_fd = -1;
    r->caps.pidfd_getfd &= getfd_works();
    if (!r->caps.pidfd_getfd)
        return 0;
    r->watch_fd = epoll_create1(EPOLL_CLOEXEC);
    return r->watch_fd < 0 ? -errno : 0;
}

void run_borrow_stop(struct run *r)
{
    for (size_t i = 0; i < RUN_PIDFDS; i++)
        if (r->pidfds[i].fd >= 0)
            close(r->pidfds[i].fd);
    if (r->watch_fd >= 0)
        close(r->watch_fd);
}

void run_borrow_note(struct run_sock *s, int file)
{
    struct epoll_event ev = {.events = 0};

    if (!s->run->caps.pidfd_getfd) {
        if (s->state == SOCK_IDLE)
            s->copy = fcntl(file, F_DUPFD_CLOEXEC, 0);
        return;
    }
    /* Fails only for lack of memory: then the entry is thought closed too early, and the call that
     * finds no entry for it fails. */
    (void)epoll_ctl(s->run->watch_fd, EPOLL_CTL_ADD, file, &ev);
}

/* ---- with pidfd_getfd ------------------------------------------------------------------------ */

static pid_t thread_leader(pid_t tid)
{
    char path[32], line[128];
    int tgid = tid;

    snprintf(path, sizeof path, "/proc/%d/status", (int)tid);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "Tgid: %d", &tgid) == 1)
            break;
    if (f)
        fclose(f);
    return tgid;
}

static int open_pidfd(pid_t tid)
{
    int fd = (int)syscall(SYS_pidfd_open, tid, 0);

    if (fd < 0) /* not a thread group leader; PIDFD_THREAD is of Linux 6.9 */
        fd = (int)syscall(SYS_pidfd_open, tid, PIDFD_THREAD);
    if (fd < 0)
        fd = (int)syscall(SYS_pidfd_open, thread_leader(tid), 0);
    return fd;
}

/* A pidfd is kept for next time: of a process that has ended, the kernel gives nothing through it
 * even when its number is used again. */
static int fetch(struct run *r, pid_t pid, int fd)
{
    size_t i = (size_t)pid % RUN_PIDFDS;

    for (int fresh = 0; fresh < 2; fresh++) {
        if (r->pidfds[i].fd < 0 || r->pidfds[i].pid != pid || fresh) {
            if (r->pidfds[i].fd >= 0)
                close(r->pidfds[i].fd);
            r->pidfds[i].pid = pid;
            r->pidfds[i].fd = open_pidfd(pid);
        }
        if (r->pidfds[i].fd < 0)
            return -1;
        int got = (int)syscall(SYS_pidfd_getfd, r->pidfds[i].fd, fd, 0);
        if (got >= 0 || errno != ESRCH)
            return got;
    }
    return -1;
}

static bool is_file(const struct run_sock *s, int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && st.st_ino == s->ino;
}

static int fetch_checked(struct run_sock *s, pid_t pid, int fd)
{
    int got = fetch(s->run, pid, fd);

    if (got >= 0 && !is_file(s, got)) {
        close(got);
        got = -1;
    }
    return got;
}

/* ---- /proc/PID/fd of all processes ----------------------------------------------------------- */

/* Calls `found` for each socket of a process; true ends the walk. */
typedef bool found_fn(void *user, pid_t pid, int fd, uint64_t ino);

static bool walk_process(pid_t pid, found_fn *found, void *user)
{
    char path[32];
    bool stop = false;

    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *dir = opendir(path);
    for (struct dirent *e; dir && !stop && (e = readdir(dir));) {
        if (!isdigit((unsigned char)e->d_name[0]))
            continue;
        int fd = atoi(e->d_name);
        uint64_t ino = run_sock_inode(pid, fd);
        stop = ino && found(user, pid, fd, ino);
    }
    if (dir)
        closedir(dir);
    return stop;
}

static void walk_processes(found_fn *found, void *user)
{
    DIR *dir = opendir("/proc");
    bool stop = false;

    for (struct dirent *e; dir && !stop && (e = readdir(dir));) {
        pid_t pid = isdigit((unsigned char)e->d_name[0]) ? atoi(e->d_name) : 0;
        if (pid > 0 && pid != getpid())
            stop = walk_process(pid, found, user);
    }
    if (dir)
        closedir(dir);
}

static bool locate_found(void *user, pid_t pid, int fd, uint64_t ino)
{
    struct run_sock *s = user;

    if (ino != s->ino)
        return false;
    s->pid = pid;
    s->fd = fd;
    s->live = true;
    return true;
}

bool run_borrow_locate(struct run_sock *s)
{
    if (s->pid && run_sock_inode(s->pid, s->fd) == s->ino)
        return true;
    s->live = false;
    walk_processes(locate_found, s);
    return s->live;
}

int run_borrow(struct run_sock *s, pid_t pid, int fd)
{
    if (s->copy >= 0)
        return fcntl(s->copy, F_DUPFD_CLOEXEC, 0);
    if (!s->run->caps.pidfd_getfd || !s->ino)
        return -1;
    int got = -1;
    if (pid)
        got = fetch_checked(s, pid, fd);
    else if (s->pid)
        got = fetch_checked(s, s->pid, s->fd);
    if (got < 0 && run_borrow_locate(s))
        got = fetch_checked(s, s->pid, s->fd);
    return got;
}

/* ---- what is still open ---------------------------------------------------------------------- */

static void mark_watched(struct run *r)
{
    char path[48], line[256];
    unsigned long long ino;

    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", r->watch_fd);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f)) {
        const char *at = strncmp(line, "tfd:", 4) == 0 ? strstr(line, "ino:") : NULL;
        struct run_sock *s = at && sscanf(at, "ino:%llx", &ino) == 1 ? run_sock_find(r, ino) : NULL;
        if (s)
            s->live = true;
    }
    if (f)
        fclose(f);
    /* Without /proc nothing is known to be closed. */
    for (size_t i = 0; !f && i < RUN_SOCK_BUCKETS; i++)
        for (struct run_sock *s = r->table[i]; s; s = s->chain)
            s->live = true;
}

static bool mark_found(void *user, pid_t pid, int fd, uint64_t ino)
{
    struct run_sock *s = run_sock_find(user, ino);

    if (s) {
        s->live = true;
        s->pid = pid;
        s->fd = fd;
    }
    return false;
}

void run_borrow_collect(struct run *r)
{
    for (size_t i = 0; i < RUN_SOCK_BUCKETS; i++)
        for (struct run_sock *s = r->table[i]; s; s = s->chain)
            s->live = false;
    if (r->caps.pidfd_getfd)
        mark_watched(r);
    else
        walk_processes(mark_found, r);
    for (size_t i = 0; i < RUN_SOCK_BUCKETS; i++)
        for (struct run_sock *s = r->table[i], *next; s; s = next) {
            next = s->chain;
            /* The backend and our end of a pair tell of the others' close themselves. */
            bool told = s->end >= 0 || s->state == SOCK_CONNECTED || s->state == SOCK_CONNECTING;
            if (!s->live && !told && !s->held)
                run_sock_closed(s);
        }
    r->collect_at = r->sock_count * 2 > 64 ? r->sock_count * 2 : 64;
}

bool run_borrow_alive(struct run_sock *s)
{
    if (s->copy < 0)
        return run_pair_probe(s);
    return s->held || run_borrow_locate(s); /* a call that waits keeps it open, too */
}
