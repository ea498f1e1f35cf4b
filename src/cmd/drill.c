/* drill.c - `tern drill`: plays packetdrill scripts against the stack, in virtual time. */
#include "cmd/cmd.h"
#include "drill/drill.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { OPTIONS_MAX = 64, DEPTH_MAX = 16 };

struct drill_values {
    unsigned family;
    uint64_t jobs;
    bool trace, json, quiet, strict, verbose, dry_run, record, supported;
    struct drill_option options[OPTIONS_MAX]; /* packetdrill's own, linked in their order */
    size_t option_count;
};

/* ---- options --------------------------------------------------------------------------------- */

static const char *add_option(void *values, const char *name, const char *text)
{
    struct drill_values *v = values;
    struct drill_option *o = &v->options[v->option_count];
    if (v->option_count == OPTIONS_MAX)
        return "given fewer times";
    *o = (struct drill_option){.name = name, .value = text};
    if (drill_option_check(o))
        return "one that packetdrill takes";
    if (v->option_count++ > 0)
        o[-1].next = o;
    return NULL;
}

/* Options with a value that packetdrill has too. */
#define PASSED_ON(X)                                                                               \
    X(mtu, "N", "largest IP packet of the link")                                                   \
    X(mss, "N", "accepted")                                                                        \
    X(local_ip, "ADDR", "address of the stack")                                                    \
    X(remote_ip, "ADDR", "address of the script's side")                                           \
    X(gateway_ip, "ADDR", "accepted")                                                              \
    X(netmask_ip, "MASK", "accepted")                                                              \
    X(bind_port, "PORT", "what ... stands for in bind()")                                          \
    X(connect_port, "PORT", "what ... stands for in connect()")                                    \
    X(tolerance_usecs, "N", "how far a time may be off")                                           \
    X(tolerance_percent, "N", "or in percent of its distance from the event before")               \
    X(tcp_ts_tick_usecs, "N", "check that timestamps advance once in so many us")                  \
    X(non_fatal, "WHAT", "packet, syscall: failures that do not count")                            \
    X(init_scripts, "FILES", "shell scripts to run first")                                         \
    X(speed, "N", "accepted")                                                                      \
    X(code_command, "NAME", "accepted")                                                            \
    X(define, "NAME=VALUE", "a name for use in calls")

#define X(name, arg, help)                                                                         \
    static const char *take_##name(void *values, const char *text)                                 \
    {                                                                                              \
        return add_option(values, #name, text);                                                    \
    }
PASSED_ON(X)
#undef X

static const char *take_family(void *values, const char *text);

static const char *const family_choices[] = {"ipv4", "ipv6", "ipv4-mapped-ipv6", "all", NULL};

static const char *take_family(void *values, const char *text)
{
    struct drill_values *v = values;
    for (unsigned i = 0; family_choices[i]; i++)
        if (strcmp(text, family_choices[i]) == 0) {
            v->family = i;
            return NULL;
        }
    return "ipv4, ipv6, ipv4-mapped-ipv6 or all";
}

static const struct opt drill_opts[] = {
    {OPT_CHOICE(struct drill_values, family, family_choices), .name = "ip-version",
     .help = "play the scripts over this, or over all three", .fallback = "ipv4"},
    {OPT_CALL(take_family), .name = "ip_version", .help = "the same", .arg = "VERSION",
     .hidden = true},
    {OPT_UINT(struct drill_values, jobs), .name = "jobs", .letter = 'j', .help = "scripts at once",
     .min = 1, .max = 256, .fallback = "1"},
    {OPT_FLAG(struct drill_values, trace), .name = "trace", .letter = 't',
     .help = "show the whole exchange"},
    {OPT_FLAG(struct drill_values, json), .name = "json",
     .help = "one JSON object for each script and version, with its checks"},
    {OPT_FLAG(struct drill_values, record), .name = "record",
     .help = "print the script with the packets that the stack sends"},
    {OPT_FLAG(struct drill_values, quiet), .name = "quiet", .letter = 'q',
     .help = "only failures and the last line"},
    {OPT_FLAG(struct drill_values, supported), .name = "supported",
     .help = "print what scripts may say: calls, settings, names"},
    OPT_HEADING("As in packetdrill"),
#define X(n, a, h) {OPT_CALL(take_##n), .name = #n, .arg = a, .help = h},
    PASSED_ON(X)
#undef X
        {OPT_CALL(take_define), .name = "D", .letter = 'D', .arg = "NAME=VALUE", .help = "--define",
         .hidden = true},
    {OPT_FLAG(struct drill_values, strict), .name = "strict_segments",
     .help = "segments must be cut as in the script"},
    {OPT_FLAG(struct drill_values, dry_run), .name = "dry_run", .help = "only read the scripts"},
    {OPT_FLAG(struct drill_values, verbose), .name = "verbose", .letter = 'v', .help = "--trace"},
};

/* ---- which scripts --------------------------------------------------------------------------- */

struct job {
    char *path;
    enum drill_family family;
    struct drill_result result;
    double seconds; /* of real time */
    bool done;
};

struct list {
    struct job *jobs;
    size_t count, size;
    const struct drill_values *values;
    struct drill_option strict;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t next;
    bool missing; /* an operand that cannot be read */
};

static void add_job(struct list *l, const char *path, enum drill_family family)
{
    if (l->count == l->size) {
        l->size = l->size ? 2 * l->size : 64;
        l->jobs = realloc(l->jobs, l->size * sizeof(l->jobs[0]));
    }
    char *copy = l->jobs ? strdup(path) : NULL;
    if (!copy)
        abort();
    l->jobs[l->count++] = (struct job){.path = copy, .family = family};
}

static void add_script(struct list *l, const char *path)
{
    unsigned wanted =
        l->values->family == DRILL_FAMILIES ? (1u << DRILL_FAMILIES) - 1 : 1u << l->values->family;
    unsigned own = drill_families(path);
    /* a script for one version is played over it, whatever was asked for */
    unsigned play = wanted & own ? wanted & own : own;
    for (unsigned i = 0; i < DRILL_FAMILIES; i++)
        if (play & 1u << i)
            add_job(l, path, (enum drill_family)i);
}

static int is_script(const struct dirent *e)
{
    size_t n = strlen(e->d_name);
    if (e->d_name[0] == '.')
        return 0;
    return e->d_type == DT_DIR || e->d_type == DT_UNKNOWN || e->d_type == DT_LNK ||
           (n > 4 && strcmp(e->d_name + n - 4, ".pkt") == 0);
}

static void add_path(struct list *l, const char *path, int depth)
{
    struct dirent **entries;
    struct stat st;
    if (stat(path, &st) != 0) {
        cmd_fail("drill", "%s: %s", path, strerror(errno));
        l->missing = true;
        return;
    }
    if (!S_ISDIR(st.st_mode)) {
        size_t n = strlen(path);
        if (depth == 0 || (n > 4 && strcmp(path + n - 4, ".pkt") == 0))
            add_script(l, path);
        return;
    }
    int n = depth < DEPTH_MAX ? scandir(path, &entries, is_script, alphasort) : -1;
    if (n < 0) {
        cmd_fail("drill", "%s: %s", path, depth < DEPTH_MAX ? strerror(errno) : "too deep");
        l->missing = true;
        return;
    }
    for (int i = 0; i < n; i++) {
        char *inner;
        if (asprintf(&inner, "%s/%s", path, entries[i]->d_name) < 0)
            abort();
        add_path(l, inner, depth + 1);
        free(inner);
        free(entries[i]);
    }
    free(entries);
}

/* ---- playing --------------------------------------------------------------------------------- */

static void play_one(const struct list *l, struct job *j)
{
    struct timespec a, b;
    const struct drill_values *v = l->values;
    struct drill_request request = {.path = j->path,
                                    .family = j->family,
                                    .options = v->strict         ? &l->strict
                                               : v->option_count ? v->options
                                                                 : NULL,
                                    .read_only = v->dry_run,
                                    .record = v->record,
                                    .trace = v->trace || v->verbose};
    clock_gettime(CLOCK_MONOTONIC, &a);
    drill_play(&request, &j->result);
    clock_gettime(CLOCK_MONOTONIC, &b);
    j->seconds = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
}

static void *worker(void *arg)
{
    struct list *l = arg;
    pthread_mutex_lock(&l->lock);
    while (l->next < l->count) {
        struct job *j = &l->jobs[l->next++];
        pthread_mutex_unlock(&l->lock);
        play_one(l, j);
        pthread_mutex_lock(&l->lock);
        j->done = true;
        pthread_cond_broadcast(&l->changed);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

static void print_json(const struct job *j)
{
    static const char *const verdicts[] = {"passed", "failed", "unreadable"};
    const struct drill_result *r = &j->result;
    json_t *o =
        json_pack("{s:s, s:s, s:s, s:{s:i, s:i, s:i, s:i}, s:f, s:f, s:s, s:s}", "script", j->path,
                  "ip_version", drill_family_name(r->family), "verdict", verdicts[r->verdict],
                  "checks", "packets", (int)r->checks.packets, "calls", (int)r->checks.calls,
                  "assertions", (int)r->checks.assertions, "commands", (int)r->checks.commands,
                  "virtual_seconds", (double)r->lasted / 1e9, "seconds", j->seconds, "message",
                  drill_string(&r->message), "printed", drill_string(&r->printed));
    char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
    if (text)
        puts(text);
    free(text);
    json_decref(o);
}

static void print_job(const struct drill_values *v, const struct job *j)
{
    const struct drill_result *r = &j->result;
    if (v->json) {
        print_json(j);
        return;
    }
    fputs(drill_string(&r->printed), stdout);
    fputs(drill_string(&r->trace), stdout);
    fputs(drill_string(&r->record), stdout);
    fputs(drill_string(&r->message), stdout);
    if (v->record && r->verdict == DRILL_PASSED)
        return;
    if (r->verdict == DRILL_PASSED && !v->quiet)
        printf("ok %s (%s, %u checks)\n", j->path, drill_family_name(r->family),
               drill_checks_all(&r->checks));
    else if (r->verdict != DRILL_PASSED)
        printf("not ok %s (%s)\n", j->path, drill_family_name(r->family));
}

/* Prints results in their order as they come. */
static int report(struct list *l)
{
    size_t passed = 0, unreadable = 0;
    bool progress = isatty(STDERR_FILENO) && l->count > 1 && isatty(STDOUT_FILENO) == 0;
    for (size_t i = 0; i < l->count; i++) {
        struct job *j = &l->jobs[i];
        pthread_mutex_lock(&l->lock);
        while (!j->done)
            pthread_cond_wait(&l->changed, &l->lock);
        pthread_mutex_unlock(&l->lock);
        print_job(l->values, j);
        passed += j->result.verdict == DRILL_PASSED;
        unreadable += j->result.verdict == DRILL_UNREADABLE;
        drill_result_free(&j->result);
        if (progress)
            fprintf(stderr, "\r%zu/%zu", i + 1, l->count);
        free(j->path);
    }
    if (progress)
        fputs("\r          \r", stderr);
    if (!l->values->json && !l->values->record)
        printf("%zu passed, %zu failed\n", passed, l->count - passed);
    return unreadable || l->missing || l->count == 0 ? CMD_USAGE
           : passed < l->count                       ? CMD_FAILED
                                                     : CMD_OK;
}

static int drill(const void *values, int argc, char **argv)
{
    const struct drill_values *v = values;
    struct list l = {.values = v,
                     .strict = {.name = "strict_segments"},
                     .lock = PTHREAD_MUTEX_INITIALIZER,
                     .changed = PTHREAD_COND_INITIALIZER};
    pthread_t threads[256];
    size_t started = 0;
    if (v->supported) {
        drill_supported(stdout);
        return CMD_OK;
    }
    if (argc == 0) {
        cmd_fail("drill", "which scripts? Give files or directories");
        return CMD_USAGE;
    }
    l.strict.next = v->option_count ? (struct drill_option *)&v->options[0] : NULL;
    for (int i = 0; i < argc; i++)
        add_path(&l, argv[i], 0);
    while (started < v->jobs && started < l.count &&
           pthread_create(&threads[started], NULL, worker, &l) == 0)
        started++;
    if (started == 0)
        worker(&l);
    int status = report(&l);
    while (started > 0)
        pthread_join(threads[--started], NULL);
    free(l.jobs);
    return status;
}

const struct command cmd_drill = {
    .name = "drill",
    .summary = "play packetdrill scripts against the stack, in virtual time",
    .about = "Plays scripts in the language of packetdrill: packets in and out at their times, "
             "socket calls with their results, assertions about TCP_INFO. The stack under test is "
             "tern's, in this process and in virtual time, so that a script takes about a "
             "millisecond, needs no privileges, and gives the same result every time. It tests "
             "tern, not your kernel.\n\n"
             "A directory stands for all *.pkt below it. A failure is shown as file:line with the "
             "expected and the actual packet. A script in which nothing was checked has failed, "
             "and so has one that uses something that is not supported.",
    .status = "0: all passed; 1: a check failed; 2: a script could not be read.",
    .operands = "FILE|DIR...",
    .operand_kind = OPERANDS_FILES,
    .max_operands = CMD_ANY_NUMBER,
    .opts = drill_opts,
    .opt_count = sizeof(drill_opts) / sizeof(drill_opts[0]),
    .values_size = sizeof(struct drill_values),
    .examples = {{"tern drill handshake.pkt", "one script"},
                 {"tern drill --ip-version all -j 2 tests/drill", "a tree, over all IP versions"},
                 {"tern drill --trace handshake.pkt", "with every packet and call"}},
    .run = drill,
};
