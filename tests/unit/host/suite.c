/* suite.c - every program of prog_*.c says the same under the runner as without it.
 *
 * With "--run COMMAND ..." this is a runner over the host's sockets, or with TEST_OVER_TERN in the
 * environment over two stacks, for use by hand; with "--prog NAME" it is one of the programs.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/wait.h>
#include <unistd.h>

#include "prog.h"
#include "runner.h"
#include "suite.h"

enum { PROGS_MAX = 128 };

static const struct {
    const char *label, *disable;
    bool tern; /* over two stacks, else over the host's sockets */
} modes[MODES] = {
    [USUAL] = {"", NULL, false},
    [OLD_CALLS] = {" without new calls", "addfd_send,process_vm,sync_wake,epoll_pwait2", false},
    [NO_GETFD] = {" without pidfd_getfd", "pidfd_getfd", false},
    [OVER_TERN] = {" over tern", NULL, true},
};

/* Some programs see something else by design, as is documented where each is dealt with. */
static const struct {
    enum mode mode;
    const char *prog;
} excused[] = {
    /* writes through /proc/PID/mem go where the program itself may not write */
    {OLD_CALLS, "read_only_memory"},
    /* a reset looks like an end */
    {NO_GETFD, "unspec"},
    {NO_GETFD, "close_listener"},
    {NO_GETFD, "reset_by_unread"},
    {NO_GETFD, "reset_by_linger"},
    {NO_GETFD, "reset_told_by_so_error"},
    {NO_GETFD, "reset_after_shutdown"},
    {NO_GETFD, "reset_while_reading"},
    {NO_GETFD, "killed"},
    /* the stack has addresses of its own */
    {OVER_TERN, "names4"},
    {OVER_TERN, "names6"},
    {OVER_TERN, "mapped"},
    {OVER_TERN, "bind_then_connect"},
};

/* Before Linux 5.14 a connection can be lost to a signal: see run_notify.c. */
static bool skipped(enum mode mode, const struct prog *p)
{
    return mode == OLD_CALLS && strcmp(p->name, "storm") == 0;
}

struct one {
    const struct prog *prog;
    enum mode mode;
    char name[64];
};

static struct outcome native[PROGS_MAX];
static char self[PATH_MAX]; /* not /proc/self/exe: that is valgrind, under it */

/* A port that answers no SYN: a listener whose queue is full. */
static void dig_hole(void)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    socklen_t len = sizeof in;
    char text[16];
    int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_return_code(bind(l, (struct sockaddr *)&in, sizeof in), 0);
    assert_return_code(listen(l, 0), 0);
    assert_return_code(getsockname(l, (struct sockaddr *)&in, &len), 0);
    for (int i = 0; i < 4; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(fd, (struct sockaddr *)&in, sizeof in);
    }
    snprintf(text, sizeof text, "%d", ntohs(in.sin_port));
    setenv("HOLE", text, 1);
}

static void run_one(const struct prog *p, bool under, const char *disable, struct outcome *out)
{
    char *argv[] = {self, "--prog", (char *)(uintptr_t)p->name, NULL};

    runner_run(argv, under, disable, out);
}

static size_t index_of(const struct prog *p)
{
    size_t i = 0;

    while (prog_at(i) != p)
        i++;
    return i;
}

static void same_as_native(void **state)
{
    const struct one *one = *state;
    struct outcome *want = &native[index_of(one->prog)], got;

    if (!want->text[0] && !want->status)
        run_one(one->prog, false, NULL, want);
    assert_false(want->late);
    if (modes[one->mode].tern)
        setenv("TEST_OVER_TERN", "1", 1);
    else
        unsetenv("TEST_OVER_TERN");
    run_one(one->prog, true, modes[one->mode].disable, &got);
    assert_false(got.late);
    for (size_t i = 0; i < sizeof excused / sizeof excused[0]; i++)
        if (excused[i].mode == one->mode && strcmp(excused[i].prog, one->prog->name) == 0)
            return;
    /* The machine's ports are not ours alone: what the kernel said may have been about others. */
    if (strcmp(got.text, want->text) != 0)
        run_one(one->prog, false, NULL, want);
    assert_string_equal(got.text, want->text);
    assert_int_equal(got.status, want->status);
}

int suite(enum mode mode, int argc, char **argv)
{
    static struct one ones[PROGS_MAX];
    static struct CMUnitTest tests[PROGS_MAX];
    size_t n = 0;

    if (argc > 2 && strcmp(argv[1], "--run") == 0)
        runner_main(argv + 2);
    if (argc > 2 && strcmp(argv[1], "--prog") == 0)
        return prog_main(argv[2]);
    if (!realpath(argv[0], self))
        return 1;
    dig_hole();
    for (size_t i = 0; prog_at(i) && i < PROGS_MAX; i++) {
        struct one *one = &ones[n];
        if (skipped(mode, prog_at(i)))
            continue;
        *one = (struct one){.prog = prog_at(i), .mode = mode};
        snprintf(one->name, sizeof one->name, "%s%s", one->prog->name, modes[mode].label);
        tests[n++] = (struct CMUnitTest){one->name, same_as_native, NULL, NULL, one};
    }
    return _cmocka_run_group_tests("run", tests, n, NULL, NULL);
}
