/* run.c - the program runner's beginning and end. */
#include "host/run.h"

#include "host/run_core.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

const struct run_net_events run_events = {
    .opened = run_conn_opened,
    .ended = run_conn_ended,
    .closed = run_conn_closed,
    .syn = run_group_syn,
    .defer = run_group_defer,
    .incoming = run_group_incoming,
};

static void work(void *user, uint64_t now)
{
    struct run *r = user;

    if (now >= r->sweep_at)
        run_held_sweep(r, now);
}

static uint64_t deadline(void *user)
{
    struct run *r = user;

    return r->sweep_at;
}

static bool kernel_is_old(struct run *r)
{
    struct utsname name;

    if (!run_caps_kernel_old(&name))
        return false;
    run_say(r, "Linux %s is too old: tern run needs " RUN_KERNEL " or newer", name.release);
    return true;
}

/* Each connection of a program takes a descriptor here, so we take all we may. The program, already
 * started, keeps its own limit. */
static void raise_limits(void)
{
    struct rlimit lim;

    if (getrlimit(RLIMIT_NOFILE, &lim) == 0 && lim.rlim_cur < lim.rlim_max) {
        lim.rlim_cur = lim.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &lim);
    }
    (void)prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
}

static int prepare(struct run *r)
{
    int err = run_borrow_start(r);

    if (!err)
        err = run_pair_start(r);
    if (!err)
        return 0;
    run_say(r, "cannot make a folder for sockets in XDG_RUNTIME_DIR, TMPDIR, /tmp or /dev/shm: %s",
            strerror(-err));
    return RUN_EXIT_TERN;
}

int run_begin(struct run **out, const struct run_config *cfg)
{
    struct run *r = calloc(1, sizeof *r);

    *out = NULL;
    if (!r)
        return RUN_EXIT_TERN;
    r->cfg = *cfg;
    r->loop = cfg->loop;
    r->net = cfg->net;
    run_opts_start(r);
    r->caps = run_caps_load();
    r->notify.fd = r->door = r->probe = r->watch_fd = -1;
    r->sweep_at = LOOP_NEVER;
    r->child.status = -1;
    r->hook = (struct loop_hook){.work = work, .deadline = deadline, .user = r};
    loop_hook_add(r->loop, &r->hook);
    int status = kernel_is_old(r) ? RUN_EXIT_TERN : prepare(r);
    if (status)
        run_free(r);
    else
        *out = r;
    return status;
}

int run_start(struct run **out, const struct run_config *cfg)
{
    struct run *r;
    int notify_fd = -1, status = run_begin(&r, cfg);

    *out = NULL;
    if (status)
        return status;
    status = run_child_start(r, &notify_fd);
    if (!status) {
        raise_limits();
        int err = run_notify_start(r, notify_fd);
        if (err) {
            run_say(r, "cannot watch the program: %s", strerror(-err));
            kill(r->child.pid, SIGKILL);
            status = RUN_EXIT_TERN;
        }
    }
    if (status) {
        run_free(r);
        return status;
    }
    *out = r;
    return 0;
}

bool run_done(const struct run *r)
{
    return r->child.pid == 0 && (r->notify.fd < 0 || r->child.nagged > 1);
}

int run_status(const struct run *r) { return r->child.status; }

void run_free(struct run *r)
{
    if (!r)
        return;
    signal(SIGPIPE, SIG_IGN); /* one may still be pending behind the mask */
    loop_hook_del(r->loop, &r->hook);
    run_notify_stop(r);
    run_sock_free_all(r);
    run_borrow_stop(r);
    run_pair_stop(r);
    free(r->req);
    free(r->resp);
    free(r);
}

void run_exit(int status)
{
    struct rlimit none = {0, 0};
    sigset_t set;

    if (WIFEXITED(status))
        exit(WEXITSTATUS(status));
    if (!WIFSIGNALED(status))
        exit(RUN_EXIT_TERN);
    int sig = WTERMSIG(status);
    fflush(NULL);
    (void)setrlimit(RLIMIT_CORE, &none);
    signal(sig, SIG_DFL);
    sigemptyset(&set);
    sigaddset(&set, sig);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    raise(sig);
    exit(128 + sig);
}
