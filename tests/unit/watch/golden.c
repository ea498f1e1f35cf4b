/* golden.c - see golden.h. */
#include "golden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../test.h"

static void path_of(char *out, size_t cap, const char *name)
{
    const char *root = getenv("TERN_ROOT"), *slash = strrchr(__FILE__, '/');
    if (root != NULL)
        snprintf(out, cap, "%s/tests/unit/watch/golden/%s", root, name);
    else /* started by hand */
        snprintf(out, cap, "%.*s/golden/%s", (int)(slash - __FILE__), __FILE__, name);
}

static char *slurp(const char *path, size_t *len)
{
    FILE *f = fopen(path, "rb");
    *len = 0;
    if (f == NULL)
        return NULL;
    fseek(f, 0, SEEK_END);
    long size = ftell(f);
    rewind(f);
    char *p = malloc((size_t)size + 1);
    assert_non_null(p);
    assert_int_equal(fread(p, 1, (size_t)size, f), size);
    p[size] = '\0';
    fclose(f);
    *len = (size_t)size;
    return p;
}

static void write_anew(const char *path, const char *text, size_t len)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

static void show_difference(const char *name, const char *want, const char *got)
{
    int line = 1;
    while (*want != '\0') {
        size_t a = strcspn(want, "\n"), b = strcspn(got, "\n");
        if (a != b || memcmp(want, got, a) != 0 || want[a] != got[b])
            break;
        want += a + (want[a] != '\0');
        got += b + (got[b] != '\0');
        line++;
    }
    print_error("golden/%s, line %d\n  should be: %.*s\n  is:        %.*s\n", name, line,
                (int)strcspn(want, "\n"), want, (int)strcspn(got, "\n"), got);
}

void golden_check(const char *name, const char *text, size_t len)
{
    char path[1024];
    const char *mode = getenv("TERN_GOLDEN");
    path_of(path, sizeof(path), name);
    if (mode != NULL && strcmp(mode, "write") == 0)
        write_anew(path, text, len);
    size_t want_len;
    char *want = slurp(path, &want_len);
    if (want == NULL)
        fail_msg("there is no golden/%s: look at what TERN_GOLDEN=write makes of it", name);
    bool same = want_len == len && memcmp(want, text, len) == 0;
    if (!same)
        show_difference(name, want, text);
    free(want);
    assert_true(same);
}
