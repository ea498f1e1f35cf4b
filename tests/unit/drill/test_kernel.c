/* test_kernel.c - the drill's scripts against Linux: what fails there is a wrong script, or a wrong
 * player. With arguments: plays those scripts and shows the exchange.
 *
 * valgrind: plays in real time, and valgrind takes too much of it */
#include "test.h"

#include "drill/drill.h"
#include "kernel.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCRIPTS "/tests/drill/linux"
enum { ATTEMPTS = 3 };

static const struct drill_option tolerance = {.name = "tolerance_usecs", .value = "20000"};

static bool play(const char *path, bool trace)
{
    struct drill_result r;
    const struct drill_request request = {.path = path,
                                          .family = DRILL_IPV4,
                                          .trace = trace,
                                          .options = &tolerance,
                                          .sut = kernel_sut};
    drill_play(&request, &r);
    bool passed = r.verdict == DRILL_PASSED;
    if (trace || !passed)
        print_message("%s%s%s: %s\n", drill_string(&r.trace), drill_string(&r.message), path,
                      passed ? "passed" : "failed");
    drill_result_free(&r);
    return passed;
}

static int is_script(const struct dirent *e) { return strstr(e->d_name, ".pkt") != NULL; }

/* In real time on a busy machine a script may be late: it gets more than one chance. */
static void scripts(void **state)
{
    struct dirent **entries;
    char path[1024];
    const char *root = getenv("TERN_ROOT");
    (void)state;
    snprintf(path, sizeof(path), "%s" SCRIPTS, root ? root : ".");
    int n = scandir(path, &entries, is_script, alphasort), failed = 0;
    assert_true(n > 0);
    for (int i = 0; i < n; i++) {
        bool passed = false;
        snprintf(path, sizeof(path), "%s" SCRIPTS "/%s", root ? root : ".", entries[i]->d_name);
        for (int attempt = 0; attempt < ATTEMPTS && !passed; attempt++)
            passed = play(path, false);
        failed += !passed;
        free(entries[i]);
    }
    free(entries);
    assert_int_equal(failed, 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(scripts)};
    const char *why = kernel_prepare();
    int failed = 0;
    if (why) {
        printf("1..0 # SKIP %s\n", why);
        return 0;
    }
    for (int i = 1; i < argc; i++)
        failed += !play(argv[i], true);
    return argc > 1 ? failed != 0 : cmocka_run_group_tests(tests, NULL, NULL);
}
