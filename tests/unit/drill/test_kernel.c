/* test_kernel.c - the drill's scripts against Linux: what fails there is a wrong script, or a wrong
 * player. With arguments: plays those scripts and shows the exchange.
 *
 * Each script has a process and a network namespace to itself. Time is real: a failure counts only
 * when the player itself was on time.
 *
 * valgrind: plays in real time, and valgrind takes too much of it */
#include "test.h"

#include "drill/drill.h"
#include "kernel.h"
#include "netns.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SCRIPTS "/tests/drill/linux"
#define LATE INT64_C(5000000) /* ns: more than this, and the machine was too busy */
/* The scripts say what a recent Linux does: OLDEST or later. */
enum { ATTEMPTS = 6, FAILURES = 2, TOGETHER = 6, OLDEST = 6 * 1000 + 12 };

enum outcome { PASSED, FAILED, BUSY };

/* A timer of Linux may be an eighth of its time late, and its clock may tick at 100 Hz. */
static struct drill_option late = {.name = "tolerance_percent", .value = "13"},
                           tolerance = {&late, .name = "tolerance_usecs", .value = "20000"};

static bool record;

static enum outcome play(const char *path, enum drill_family family, bool trace)
{
    struct drill_result r;
    const struct drill_request request = {.path = path,
                                          .family = family,
                                          .trace = trace,
                                          .record = record,
                                          .options = &tolerance,
                                          .sut = kernel_sut};
    drill_play(&request, &r);
    bool passed = r.verdict == DRILL_PASSED;
    bool busy = !passed && !trace && kernel_lag() > LATE;
    if (record)
        printf("%s%s%s", drill_string(&r.printed), drill_string(&r.record),
               drill_string(&r.message));
    else if (trace || (!passed && !busy))
        printf("%s%s%s: %s\n", drill_string(&r.trace), drill_string(&r.message), path,
               passed ? "passed" : "failed");
    fflush(stdout);
    drill_result_free(&r);
    return passed ? PASSED : busy ? BUSY : FAILED;
}

struct job {
    char path[1024];
    pid_t pid; /* 0: not running */
    unsigned attempts, failures;
    bool passed;
};

static bool is_over(const struct job *j)
{
    return j->passed || j->failures == FAILURES || j->attempts == ATTEMPTS;
}

static void start(struct job *j)
{
    fflush(stdout);
    j->attempts++;
    j->pid = fork();
    if (j->pid == 0)
        _exit(kernel_prepare() ? (int)FAILED : (int)play(j->path, DRILL_IPV4, false));
    assert_true(j->pid > 0);
}

static void end_one(struct job *jobs, size_t count)
{
    int status;
    pid_t pid = wait(&status);
    assert_true(pid > 0);
    for (size_t i = 0; i < count; i++)
        if (jobs[i].pid == pid) {
            jobs[i].pid = 0;
            jobs[i].passed = WIFEXITED(status) && WEXITSTATUS(status) == PASSED;
            jobs[i].failures +=
                !jobs[i].passed && !(WIFEXITED(status) && WEXITSTATUS(status) == BUSY);
            if (!WIFEXITED(status))
                printf("%s: signal %d\n", jobs[i].path, WTERMSIG(status));
        }
}

static void run_all(struct job *jobs, size_t count)
{
    for (;;) {
        size_t running = 0, next = count;
        for (size_t i = 0; i < count; i++) {
            running += jobs[i].pid != 0;
            if (next == count && jobs[i].pid == 0 && !is_over(&jobs[i]))
                next = i;
        }
        if (next < count && running < TOGETHER)
            start(&jobs[next]);
        else if (running > 0)
            end_one(jobs, count);
        else
            return;
    }
}

static int is_script(const struct dirent *e) { return strstr(e->d_name, ".pkt") != NULL; }

static void scripts(void **state)
{
    struct dirent **entries;
    char folder[512];
    const char *root = getenv("TERN_ROOT");
    (void)state;
    snprintf(folder, sizeof(folder), "%s" SCRIPTS, root ? root : ".");
    int n = scandir(folder, &entries, is_script, alphasort), failed = 0, busy = 0;
    assert_true(n > 0);
    struct job *jobs = calloc((size_t)n, sizeof(*jobs));
    assert_non_null(jobs);
    for (int i = 0; i < n; i++) {
        snprintf(jobs[i].path, sizeof(jobs[i].path), "%s/%s", folder, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    run_all(jobs, (size_t)n);
    for (int i = 0; i < n; i++) {
        failed += jobs[i].failures == FAILURES;
        busy += !jobs[i].passed && jobs[i].failures < FAILURES;
    }
    free(jobs);
    if (busy)
        printf("the machine was too busy for %d of %d scripts\n", busy, n);
    assert_int_equal(failed, 0);
}

static int play_given(char **argv)
{
    int failed = 0;
    alarm(60);
    for (char **path = argv; *path; path++) {
        int status = 0;
        pid_t pid = fork();
        if (pid == 0)
            _exit(kernel_prepare() ? (int)FAILED : (int)play(*path, DRILL_IPV4, !record));
        failed += pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0;
    }
    return failed != 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(scripts)};
    const char *why = kernel_is_recent(OLDEST) ? kernel_possible() : "it needs Linux 6.12 or later";
    if (why)
        return kernel_skip(why);
    record = argc > 1 && strcmp(argv[1], "--record") == 0;
    return argc > 1 ? play_given(argv + 1 + record) : cmocka_run_group_tests(tests, NULL, NULL);
}
