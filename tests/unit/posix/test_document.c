/* test_document.c - docs/SOCKETS.md has what the tables of options have. With TERN_UPDATE=1 the
 * document is made to have it. */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "posix/opts.h"
#include "test.h"

static const char begin[] = "<!-- options -->\n", end[] = "<!-- end of options -->\n";

static void heading(FILE *out, int level, int *last, const char *column)
{
    static const char *const names[] = {[IPPROTO_IP] = "IP", [IPPROTO_TCP] = "TCP"};
    if (level == *last)
        return;
    *last = level;
    fprintf(out, "\n**%s**\n\n| option | %s |\n| --- | --- |\n",
            level == SOL_SOCKET     ? "Sockets"
            : level == IPPROTO_IPV6 ? "IPv6"
                                    : names[level],
            column);
}

static void tables(FILE *out)
{
    int last = -1;
    fputs("\n### What there is\n", out);
    for (size_t i = 0; i < posix_options_count; i++) {
        const struct posix_option *o = &posix_options[i];
        heading(out, o->level, &last, "here");
        fprintf(out, "| `%s` | %s%s |\n", o->text, o->note,
                o->queue ? "; under `tern run`: ENOPROTOOPT" : "");
    }
    last = -1;
    fputs("\n### What is refused: ENOPROTOOPT\n", out);
    for (size_t i = 0; i < posix_refused_count; i++) {
        const struct posix_refused *o = &posix_refused[i];
        heading(out, o->level, &last, "why");
        fprintf(out, "| `%s` | %s |\n", o->text, o->why);
    }
    fputs("\n", out);
}

static void document_is_up_to_date(void **state)
{
    (void)state;
    char path[4096], *made, *want;
    size_t len, size;
    static char page[65536];
    const char *root = getenv("TERN_ROOT"); /* started by hand: from the project's folder */
    snprintf(path, sizeof(path), "%s/docs/SOCKETS.md", root != NULL ? root : ".");
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    page[fread(page, 1, sizeof(page) - 1, f)] = 0;
    fclose(f);
    const char *from = strstr(page, begin), *to = strstr(page, end);
    assert_true(from != NULL && to != NULL && from < to);

    f = open_memstream(&made, &len);
    tables(f);
    fclose(f);
    f = open_memstream(&want, &size);
    fprintf(f, "%.*s%s%s%s", (int)(from - page), page, begin, made, to);
    fclose(f);
    if (getenv("TERN_UPDATE") != NULL) {
        f = fopen(path, "w");
        assert_non_null(f);
        fputs(want, f);
        fclose(f);
    } else {
        assert_string_equal(page, want);
    }
    free(made);
    free(want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(document_is_up_to_date)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
