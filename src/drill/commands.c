/* commands.c - the commands that scripts use, without their programs. */
#include "drill/shell.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* ---- settings -------------------------------------------------------------------------------- */

static int set(struct shell *sh, const char *name, const char *value)
{
    struct drill_settings *s = &sh->play->settings;
    const struct drill_setting *idle = drill_settings_refused(name, value);
    const char *why = idle ? idle->why : NULL;
    const char *values = idle ? idle->values : shell_bsd_refused(name, value, &why);
    if (values)
        return shell_fail(sh, "%s=%s is not supported, only %s: %s", name, value, values, why);
    if (drill_settings_set(s, name, value) || shell_bsd_set(s, name, value))
        return 0;
    return shell_fail(sh, "no such setting: %s=%s", name, value);
}

static int set_pair(struct shell *sh, const char *pair)
{
    const char *equal = strchr(pair, '=');
    size_t n = (size_t)(equal - pair);
    while (n > 0 && pair[n - 1] == ' ')
        n--;
    char *name = drill_copy(&sh->arena, pair, n);
    equal++;
    while (*equal == ' ')
        equal++;
    return set(sh, name, equal);
}

static int show(struct shell_command *c, const char *name, bool only_value)
{
    const char *value = drill_settings_get(&c->sh->play->settings, name);
    if (!value && !shell_bsd_get(&c->sh->play->settings, name, &value))
        return shell_fail(c->sh, "no such setting: %s", name);
    if (only_value)
        drill_print(c->out, "%s\n", value);
    else
        drill_print(c->out, "%s = %s\n", name, value);
    return 0;
}

static int sysctl(struct shell_command *c)
{
    bool only_value = false;
    for (int i = 1; i < c->argc; i++) {
        const char *word = c->argv[i];
        int status;
        if (*word == '-') {
            if (strspn(word + 1, "qwneaiNp") != strlen(word + 1))
                return shell_fail(c->sh, "sysctl %s is not supported", word);
            only_value |= strchr(word, 'n') != NULL;
            continue;
        }
        if (strchr(word, '='))
            status = set_pair(c->sh, word);
        else
            status = show(c, word, only_value);
        if (status != 0)
            return status;
    }
    return 0;
}

static int set_sysctls(struct shell_command *c)
{
    for (int i = 1; i < c->argc; i++) {
        if (!strchr(c->argv[i], '='))
            return shell_fail(c->sh, "%s: expected name=value: %s", c->argv[0], c->argv[i]);
        int status = set_pair(c->sh, c->argv[i]);
        if (status != 0)
            return status;
    }
    return 0;
}

/* What a production host sets, which scripts of Linux start from. */
static int defaults(struct shell_command *c)
{
    static const char *const pairs[] = {
        "net.ipv4.tcp_rmem=4096 540000 15728640",
        "net.ipv4.tcp_wmem=4096 262144 4194304",
        "net.ipv4.tcp_congestion_control=cubic",
        "net.ipv4.tcp_slow_start_after_idle=0",
        "net.ipv4.tcp_early_retrans=4",
        "net.ipv4.tcp_recovery=1",
        "net.ipv4.tcp_tso_win_divisor=3",
        "net.ipv4.tcp_ecn=0",
        "net.ipv4.tcp_pacing_ss_ratio=200",
        "net.ipv4.tcp_pacing_ca_ratio=120",
        "net.ipv4.tcp_notsent_lowat=4294967295",
        "net.ipv4.tcp_fastopen=0x70403",
        "net.ipv4.tcp_fastopen_key=a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4",
        "net.ipv4.tcp_syncookies=1",
    };
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        if (set_pair(c->sh, pairs[i]) != 0)
            return SHELL_ERROR;
    return 0;
}

/* ---- text ------------------------------------------------------------------------------------ */

static int echo(struct shell_command *c)
{
    int i = 1;
    bool line = true;
    if (i < c->argc && strcmp(c->argv[i], "-n") == 0) {
        line = false;
        i++;
    }
    for (int first = i; i < c->argc; i++)
        drill_print(c->out, "%s%s", i > first ? " " : "", c->argv[i]);
    drill_print(c->out, "%s", line ? "\n" : "");
    return 0;
}

static int cat_file(struct shell_command *c, const char *path)
{
    const char *value = strncmp(path, "/proc/sys/", 10) == 0
                            ? drill_settings_get(&c->sh->play->settings, path)
                            : NULL;
    if (!value)
        return shell_fail(c->sh, "no such file here: %s", path);
    drill_print(c->out, "%s\n", value);
    return 0;
}

static int cat(struct shell_command *c)
{
    if (c->argc == 1)
        drill_print(c->out, "%s", c->in);
    for (int i = 1; i < c->argc; i++)
        if (cat_file(c, c->argv[i]) != 0)
            return SHELL_ERROR;
    return 0;
}

struct grep {
    bool quiet, count, invert, word, only;
    int flags;
    const char *pattern;
};

static int grep_options(struct shell_command *c, struct grep *g, int *at)
{
    for (; *at < c->argc && c->argv[*at][0] == '-' && c->argv[*at][1]; ++*at)
        for (const char *o = c->argv[*at] + 1; *o; o++)
            switch (*o) {
            case 'q':
                g->quiet = true;
                break;
            case 'c':
                g->count = true;
                break;
            case 'v':
                g->invert = true;
                break;
            case 'w':
                g->word = true;
                break;
            case 'o':
                g->only = true;
                break;
            case 'i':
                g->flags |= REG_ICASE;
                break;
            case 'E':
                g->flags |= REG_EXTENDED;
                break;
            case 'F':
            case 's':
                break;
            case 'e':
                if (*at + 1 < c->argc)
                    g->pattern = c->argv[++*at];
                o = "e";
                break;
            default:
                return shell_fail(c->sh, "grep -%c is not supported", *o);
            }
    return 0;
}

static int grep(struct shell_command *c)
{
    struct grep g = {.flags = 0};
    struct drill_text pattern = {0};
    regex_t re;
    int at = 1;
    unsigned matched = 0;
    if (grep_options(c, &g, &at) != 0)
        return SHELL_ERROR;
    if (!g.pattern && at < c->argc)
        g.pattern = c->argv[at++];
    if (!g.pattern || at < c->argc)
        return shell_fail(c->sh, "grep needs a pattern, and reads a pipe");
    drill_print(&pattern, g.word ? "\\<%s\\>" : "%s", g.pattern);
    int bad = regcomp(&re, drill_string(&pattern), g.flags);
    drill_text_free(&pattern);
    if (bad)
        return shell_fail(c->sh, "grep: a pattern that is not supported: %s", g.pattern);
    for (const char *p = c->in; *p;) {
        size_t n = strcspn(p, "\n");
        char *line = drill_copy(&c->sh->arena, p, n);
        regmatch_t m;
        if ((regexec(&re, line, 1, &m, 0) == 0) != g.invert) {
            matched++;
            if (!g.quiet && !g.count && g.only && !g.invert)
                drill_print(c->out, "%.*s\n", (int)(m.rm_eo - m.rm_so), line + m.rm_so);
            else if (!g.quiet && !g.count)
                drill_print(c->out, "%s\n", line);
        }
        p += n + (p[n] == '\n');
    }
    regfree(&re);
    if (g.count)
        drill_print(c->out, "%u\n", matched);
    c->sh->play->result->checks.commands++;
    return matched == 0;
}

static int wc(struct shell_command *c)
{
    unsigned lines = 0;
    if (c->argc != 2 || strcmp(c->argv[1], "-l") != 0)
        return shell_fail(c->sh, "only wc -l is supported");
    for (const char *p = c->in; *p; p++)
        lines += *p == '\n';
    drill_print(c->out, "%u\n", lines);
    return 0;
}

/* The n-th field of each line: awk '{print $2}'. */
static int awk(struct shell_command *c)
{
    unsigned field;
    if (c->argc != 2 || sscanf(c->argv[1], " { print $%u }", &field) != 1)
        return shell_fail(c->sh, "only awk '{print $N}' is supported");
    for (const char *p = c->in; *p;) {
        size_t line = strcspn(p, "\n"), at = 0;
        for (unsigned i = 0; at < line; i++) {
            at += strspn(p + at, " \t");
            size_t n = strcspn(p + at, " \t\n");
            if (i + 1 == field)
                drill_print(c->out, "%.*s", (int)n, p + at);
            at += n;
        }
        drill_print(c->out, "\n");
        p += line + (p[line] == '\n');
    }
    return 0;
}

static int compare(const char *op, const char *a, const char *b)
{
    long long x = strtoll(a, NULL, 0), y = strtoll(b, NULL, 0);
    if (strcmp(op, "=") == 0 || strcmp(op, "==") == 0)
        return strcmp(a, b) == 0;
    if (strcmp(op, "!=") == 0)
        return strcmp(a, b) != 0;
    if (strcmp(op, "-eq") == 0)
        return x == y;
    if (strcmp(op, "-ne") == 0)
        return x != y;
    if (strcmp(op, "-lt") == 0)
        return x < y;
    if (strcmp(op, "-le") == 0)
        return x <= y;
    if (strcmp(op, "-gt") == 0)
        return x > y;
    return strcmp(op, "-ge") == 0 ? x >= y : -1;
}

static int test(struct shell_command *c)
{
    int n = c->argc - (strcmp(c->argv[0], "[") == 0 || strcmp(c->argv[0], "[[") == 0);
    const char *const *v = c->argv + 1;
    int truth = -1;
    bool negate = n > 1 && strcmp(v[0], "!") == 0;
    v += negate;
    n -= negate;
    if (n == 2)
        truth = v[0][0] != '\0';
    else if (n == 3 && (strcmp(v[0], "-z") == 0 || strcmp(v[0], "-n") == 0))
        truth = (v[1][0] == '\0') == (v[0][1] == 'z');
    else if (n == 4)
        truth = compare(v[1], v[0], v[2]);
    if (truth < 0)
        return shell_fail(c->sh, "a test that is not supported");
    c->sh->play->result->checks.commands++;
    return truth == (int)negate;
}

/* ---- time, and nothing ----------------------------------------------------------------------- */

static int sleeping(struct shell_command *c)
{
    struct play *p = c->sh->play;
    double s = c->argc > 1 ? strtod(c->argv[1], NULL) : 0;
    if (!(s >= 0 && s < 1e6))
        return shell_fail(c->sh, "sleep %s", c->argv[1]);
    if (!play_start(p))
        return shell_fail(c->sh, "the stack does not start");
    play_pass(p, play_now(p) + (int64_t)(s * 1e9));
    return 0;
}

static int nothing(struct shell_command *c)
{
    (void)c;
    return 0;
}

/* Queues that pass on what comes, in order. */
static int tc(struct shell_command *c)
{
    static const char *const harmless[] = {"fq",    "fq_codel", "pfifo", "pfifo_fast", "bfifo",
                                           "mq",    "noqueue",  "codel", "root",       "dev",
                                           "add",   "replace",  "del",   "delete",     "show",
                                           "qdisc", "-s"};
    for (int i = 1; i < c->argc; i++) {
        size_t k = 0;
        while (k < sizeof(harmless) / sizeof(harmless[0]) && strcmp(c->argv[i], harmless[k]) != 0)
            k++;
        if (k == sizeof(harmless) / sizeof(harmless[0]))
            return shell_fail(c->sh, "tc %s is not supported", c->argv[i]);
        if (strcmp(c->argv[i], "dev") == 0)
            i++; /* its name */
    }
    return 0;
}

static int fails(struct shell_command *c)
{
    (void)c;
    return 1;
}

static const struct builtin {
    const char *name;
    int (*run)(struct shell_command *c);
} builtins[] = {
    {"sysctl", sysctl},
    {"set_sysctls.py", set_sysctls},
    {"defaults.sh", defaults},
    {"ip", shell_ip},
    {"nstat", shell_nstat},
    {"ss", shell_ss},
    {"sockstat", shell_sockstat},
    {"netstat", shell_sockstat},
    {"cat", cat},
    {"echo", echo},
    {"grep", grep},
    {"egrep", grep},
    {"wc", wc},
    {"awk", awk},
    {"test", test},
    {"[", test},
    {"[[", test},
    {"sleep", sleeping},
    {"true", nothing},
    {":", nothing},
    {"false", fails},
    {"exit", nothing},
    {"set", nothing},
    {"export", nothing},
    /* queues of a device and modules of a kernel: there are none */
    {"tc", tc},
    {"ethtool", nothing},
    {"modprobe", nothing},
    {"kldload", nothing},
    {"sync", nothing},
    {"which", nothing},
};

enum { BUILTINS = sizeof(builtins) / sizeof(builtins[0]) };

const char *shell_builtin_name(size_t n) { return n < BUILTINS ? builtins[n].name : NULL; }

int shell_builtin(struct shell_command *c)
{
    const char *name = base_name(c->argv[0]);
    if (strcmp(name, "sudo") == 0 && c->argc > 1) {
        memmove(c->argv, c->argv + 1, (size_t)c->argc * sizeof(c->argv[0]));
        c->argc--;
        name = base_name(c->argv[0]);
    }
    if ((strcmp(name, "python") == 0 || strcmp(name, "python3") == 0) && c->argc > 1 &&
        strcmp(base_name(c->argv[1]), "set_sysctls.py") == 0) {
        memmove(c->argv, c->argv + 1, (size_t)c->argc * sizeof(c->argv[0]));
        c->argc--;
        name = base_name(c->argv[0]);
    }
    for (size_t i = 0; i < BUILTINS; i++)
        if (strcmp(builtins[i].name, name) == 0)
            return builtins[i].run(c);
    return SHELL_ERROR;
}
