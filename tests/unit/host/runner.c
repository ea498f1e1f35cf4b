/* runner.c - see runner.h. */
#include "runner.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/run.h"
#include "host/run_tern.h"
#include "host/run_world.h"
#include "net_host.h"

#define S 1000000000u

/* As `tern run -q` does it: two stacks, a perfect link, a gateway. */
static _Noreturn void over_tern(struct loop *l, char *const argv[])
{
    struct run_world_config world = {.loop = l,
                                     .seed = 1,
                                     .mtu = 1500,
                                     .msl = 30 * (uint64_t)S,
                                     .syn_retries = 6,
                                     .record.timeline_fd = -1};
    struct run_world *w;
    struct run *r;

    if (run_world_new(&w, &world) < 0)
        exit(RUN_EXIT_TERN);
    struct run_config cfg = {.loop = l,
                             .net = &run_tern_ops,
                             .net_user = run_world_net(w),
                             .argv = argv};
    int status = run_start(&r, &cfg);

    if (status) {
        run_world_free(w);
        loop_free(l);
        exit(status);
    }
    run_world_set_run(w, r);
    while (!run_done(r))
        loop_turn(l, LOOP_NEVER);
    run_world_set_run(w, NULL);
    for (uint64_t end = loop_clock() + 10 * (uint64_t)S;
         run_world_rest(w) == RUN_WORLD_BUSY && loop_clock() < end;)
        loop_turn(l, end);
    if (run_world_rest(w) == RUN_WORLD_BUSY)
        fprintf(stderr, "the network is still busy\n");
    status = run_status(r);
    run_free(r);
    run_world_free(w);
    loop_free(l);
    run_exit(status);
}

void runner_main(char *const argv[])
{
    struct loop *l;
    struct run *r;

    if (loop_new(&l) < 0)
        exit(RUN_EXIT_TERN);
    if (getenv("TEST_OVER_TERN"))
        over_tern(l, argv);
    struct net_host *n = net_host_new(l, &run_events);
    struct run_config cfg = {.loop = l, .net = &net_host_ops, .net_user = n, .argv = argv};
    int status = run_start(&r, &cfg);
    if (status) {
        net_host_free(n);
        loop_free(l);
        exit(status);
    }
    while (!run_done(r))
        loop_turn(l, LOOP_NEVER);
    for (uint64_t end = loop_clock() + 10 * (uint64_t)S; net_host_busy(n) && loop_clock() < end;)
        loop_turn(l, end);
    if (net_host_busy(n))
        fprintf(stderr, "connections have not ended\n");
    status = run_status(r);
    run_free(r);
    net_host_free(n);
    loop_free(l);
    run_exit(status);
}

static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGSYS};

pid_t runner_start(char *const argv[], bool under, const char *disable, int *fd)
{
    int out[2];

    fflush(NULL);
    if (pipe(out) < 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        dup2(out[1], STDOUT_FILENO);
        dup2(out[1], STDERR_FILENO);
        close(out[0]);
        close(out[1]);
        setpgid(0, 0);
        /* cmocka's handlers would go on with the next test, here as well */
        for (size_t i = 0; i < sizeof fatal / sizeof fatal[0]; i++)
            signal(fatal[i], SIG_DFL);
        if (disable)
            setenv("TERN_DISABLE", disable, 1);
        else
            unsetenv("TERN_DISABLE");
        if (under)
            runner_main(argv);
        execvp(argv[0], argv);
        _exit(127);
    }
    close(out[1]);
    *fd = out[0];
    return pid;
}

void runner_finish(pid_t pid, int fd, int seconds, struct outcome *out)
{
    uint64_t end = loop_clock() + (uint64_t)seconds * S;
    size_t len = 0;
    bool eof = false;

    *out = (struct outcome){.status = -1};
    while (!eof) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (loop_clock() > end && !out->late) {
            out->late = true;
            kill(-pid, SIGKILL);
        }
        if (poll(&p, 1, 100) <= 0)
            continue;
        ssize_t n = read(fd, out->text + len, sizeof out->text - 1 - len);
        eof = n <= 0;
        len += n > 0 ? (size_t)n : 0;
        if (len >= sizeof out->text - 1)
            len = 0; /* too talkative; keep it from blocking */
    }
    close(fd);
    out->text[len] = 0;
    waitpid(pid, &out->status, 0);
    kill(-pid, SIGKILL); /* what it left behind */
}

void runner_run(char *const argv[], bool under, const char *disable, struct outcome *out)
{
    int fd = -1;
    pid_t pid = runner_start(argv, under, disable, &fd);

    runner_finish(pid, fd, 30, out);
}
