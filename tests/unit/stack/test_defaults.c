/* test_defaults.c - docs/WIRE.md says what tern_config_default() fills in. */
#include "test.h"

#include "tern/tern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *unit;
    uint64_t scale;
} units[] = {{"s", 1000000000}, {"ms", 1000000}};

/* The second column of the row that begins with `name`. */
static uint64_t documented(const char *page, const char *name)
{
    char row[64];
    snprintf(row, sizeof row, "\n| `%s` | ", name);
    const char *at = strstr(page, row);
    if (at == NULL)
        fail_msg("docs/WIRE.md has no row for %s", name);
    char *end;
    uint64_t value = strtoull(at + strlen(row), &end, 10);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        size_t n = strlen(units[i].unit);
        if (*end == ' ' && strncmp(end + 1, units[i].unit, n) == 0 && end[1 + n] == ' ')
            return value * units[i].scale;
    }
    return value;
}

static void page_tells_the_defaults(void **state)
{
    static char page[32768];
    char path[4096];
    tern_config cfg;
    (void)state;
    const char *root = getenv("TERN_ROOT"); /* started by hand: from the project's folder */
    snprintf(path, sizeof path, "%s/docs/WIRE.md", root != NULL ? root : ".");
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    page[fread(page, 1, sizeof page - 1, f)] = 0;
    fclose(f);
    tern_config_default(&cfg);
#define ROW(member) assert_int_equal(documented(page, #member), cfg.member)
    ROW(rcvbuf);
    ROW(rcvbuf_max);
    ROW(sndbuf);
    ROW(sndbuf_max);
    ROW(rto_initial);
    ROW(rto_min);
    ROW(rto_max);
    ROW(delack);
    ROW(msl);
    ROW(fin_wait2);
    ROW(hold);
    ROW(idle);
    ROW(syn_retries);
    ROW(synack_retries);
    ROW(data_retries);
    ROW(ttl);
#undef ROW
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(page_tells_the_defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
