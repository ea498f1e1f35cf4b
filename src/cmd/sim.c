/* sim.c - `tern sim`: worlds drawn from seeds, as many as wanted, on as many processors.
 *
 * Worlds are run in child processes: what crashes or hangs is one world, which then counts as
 * failed, and the next child goes on behind it. Each child takes every n-th seed and keeps its sums
 * in memory it shares with the parent.
 */
#include "cmd/cmd.h"

#include "sim/sim.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    JOBS_MAX = 256,
    FAILURES_MAX = 16, /* told in full, of each child */
    LADDERS_MAX = 3,
    LADDER_LINES = 30,
    LINE_MAX_BYTES = 1024,
    TWICE_EVERY = 16, /* each so many-th seed is run twice, to see that nothing else matters */
    HANG_S = 120,     /* a world that takes longer than this hangs */
};

#define ERASE_LINE "\r\033[K"

struct sim_values {
    uint64_t seeds, seed, jobs, flows;
    uint64_t time; /* ns; 0: as long as it takes */
    unsigned profile, sabotage;
    unsigned end;     /* whose packets are written: of `ends` */
    uint64_t without; /* bits */
    bool shrink, quiet, blind;
    const char *pcapng;
    struct timespec began; /* by sim() */
};

struct failure {
    uint64_t seed;
    char invariant[8], why[SIM_WHY];
};

struct sums {
    uint64_t passed, failed, packets, bytes, duration, flows, begun;
    uint64_t befell[SIM_FAULT_COUNT];
    uint64_t pairs[SIM_FAULT_COUNT][SIM_FAULT_COUNT]; /* worlds that had both */
    uint64_t transitions[TERN_STATE_COUNT][TERN_STATE_COUNT];
    _Atomic uint32_t failures; /* the parent looks while the child runs */
    struct failure failure[FAILURES_MAX];
};

/* What a child shares with the parent. */
struct worker {
    struct sums sums;
    volatile uint64_t at; /* how many seeds it has begun */
    volatile bool in_world;
    pid_t pid;
    uint64_t seen; /* by the parent: `at`, and since when; how many failures it has printed */
    time_t since;
    uint32_t printed;
};

/* In the order of enum sim_sabotage. */
static const char *const sabotages[] = {"none",  "byte", "segment", "dead",  "crash",   "chance",
                                        "back",  "cwnd", "small",   "rto",   "rtt",     "size",
                                        "other", "ack",  "sack",    "loop",  "strayed", "early",
                                        "event", "leak", "work",    "noise", "still",   "starve",
                                        "end",   "hog",  NULL};
static const char *const profiles[] = {"mixed", "calm", "storm", "bulk", "share", NULL};

enum { END_BOTH = 2 };
static const char *const ends[] = {"0", "1", "both", NULL};

static struct sim_config config_of(const struct sim_values *v, uint64_t seed)
{
    return (struct sim_config){.seed = seed,
                               .profile = (enum sim_profile)v->profile,
                               .without = v->without,
                               .blind = v->blind,
                               .sabotage = (enum sim_sabotage)v->sabotage,
                               .flows_max = (uint32_t)v->flows};
}

/* ---- a child --------------------------------------------------------------------------------- */

/* Somebody wants it to end: no further worlds, here and in the children. */
static volatile sig_atomic_t stopped;

static void on_stop(int signal) { stopped = signal; }

static void take_signals(int flags)
{
    const struct sigaction stop = {.sa_handler = on_stop, .sa_flags = SA_RESTART | flags};

    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);
}

static void add_failure(struct sums *s, uint64_t seed, const char *invariant, const char *why)
{
    s->failed++;
    if (s->failures == FAILURES_MAX)
        return;
    struct failure *f = &s->failure[s->failures];
    f->seed = seed;
    snprintf(f->invariant, sizeof f->invariant, "%s", invariant);
    snprintf(f->why, sizeof f->why, "%s", why);
    s->failures++;
}

static void add_result(struct sums *s, uint64_t seed, const struct sim_result *r)
{
    if (r->failed)
        add_failure(s, seed, r->invariant, r->why);
    else
        s->passed++;
    s->packets += r->packets;
    s->bytes += r->bytes;
    s->duration += r->duration;
    s->flows += r->flows;
    for (int i = 0; i < SIM_FAULT_COUNT; i++) {
        s->befell[i] += r->befell[i];
        for (int k = 0; k <= i; k++)
            s->pairs[i][k] += r->faults >> i & 1 && r->faults >> k & 1;
    }
    for (int i = 0; i < TERN_STATE_COUNT; i++)
        for (int k = 0; k < TERN_STATE_COUNT; k++)
            s->transitions[i][k] += r->transitions[i][k];
}

/* A second time, and unwatched: the same packets at the same times. */
static void run_twice(const struct sim_config *conf, struct sim_result *r)
{
    struct sim_config again = *conf;
    struct sim_result second;

    again.blind = true;
    sim_run(&again, &second);
    if (r->failed || second.hash == r->hash)
        return;
    r->failed = true;
    r->invariant = "D1";
    snprintf(r->why, sizeof r->why,
             "a second run, unwatched, has other packets: %" PRIu64 " and %" PRIu64, r->packets,
             second.packets);
}

static double seconds_since(const struct timespec *from)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - from->tv_sec) + (double)(now.tv_nsec - from->tv_nsec) / 1e9;
}

static bool out_of_time(const struct sim_values *v)
{
    return v->time && seconds_since(&v->began) * 1e9 > (double)v->time;
}

static void work(const struct sim_values *v, struct worker *w, uint64_t which)
{
    struct sim_result r;

    /* a world's memory is the next one's: not given back to the kernel in between */
    mallopt(M_MMAP_THRESHOLD, 1 << 25);
    mallopt(M_TRIM_THRESHOLD, 1 << 28);
    while (w->at * v->jobs + which < v->seeds && !out_of_time(v) && !stopped) {
        uint64_t seed = v->seed + w->at * v->jobs + which;
        struct sim_config conf = config_of(v, seed);
        w->in_world = true;
        sim_run(&conf, &r);
        if (seed % TWICE_EVERY == 0)
            run_twice(&conf, &r);
        add_result(&w->sums, seed, &r);
        w->in_world = false;
        w->at++;
    }
}

static pid_t child(void)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    return pid;
}

static bool start(const struct sim_values *v, struct worker *w, uint64_t which)
{
    pid_t pid = child();

    if (pid == 0) {
        take_signals(0); /* it may come to all, and from the parent again */
        work(v, w, which);
        _exit(0);
    }
    w->pid = pid; /* the parent's: it is in memory that the child has, too */
    w->seen = UINT64_MAX;
    return pid > 0;
}

/* ---- the parent ------------------------------------------------------------------------------ */

/* A child has ended. true: it is to be started again, behind the world that ended it. */
static bool bury(const struct sim_values *v, struct worker *w, uint64_t which, int status)
{
    char why[64];

    w->pid = 0;
    if (!w->in_world)
        return false;
    snprintf(why, sizeof why, "signal %d ends it", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    add_failure(&w->sums, v->seed + w->at * v->jobs + which, "crash", why);
    w->in_world = false;
    w->at++;
    return true;
}

static void look_for_hanging(struct worker *w)
{
    time_t now = time(NULL);

    if (w->seen != w->at) {
        w->seen = w->at;
        w->since = now;
    } else if (w->pid > 0 && now - w->since > HANG_S) {
        kill(w->pid, SIGKILL);
    }
}

static void progress(const struct sim_values *v, const struct worker *workers)
{
    uint64_t done = 0, failed = 0;

    for (uint64_t i = 0; i < v->jobs; i++) {
        done += workers[i].at;
        failed += workers[i].sums.failed;
    }
    fprintf(stderr, "\r%" PRIu64 " of %" PRIu64 ", %" PRIu64 " failed ", done, v->seeds, failed);
}

/* ---- failures -------------------------------------------------------------------------------- */

static void print_command(const struct sim_values *v, uint64_t seed, uint64_t without,
                          uint64_t flows)
{
    const char *between = " --without ";

    printf("  again: tern sim --seed %" PRIu64 " --seeds 1", seed);
    if (v->profile)
        printf(" --profile %s", profiles[v->profile]);
    if (v->sabotage)
        printf(" --sabotage %s", sabotages[v->sabotage]);
    for (unsigned i = 0; i < SIM_FAULT_COUNT; i++)
        if (without >> i & 1) {
            printf("%s%s", between, sim_fault_word(i));
            between = ",";
        }
    if (flows)
        printf(" --flows %" PRIu64, flows);
    putchar('\n');
}

static void to_pipe(void *user, const char *text, size_t len)
{
    int fd = *(int *)user;

    while (len) {
        ssize_t n = write(fd, text, len);
        if (n <= 0)
            return;
        text += n;
        len -= (size_t)n;
    }
}

/* Keeps the last lines. */
static void read_ladder(FILE *f, char (*ring)[LINE_MAX_BYTES])
{
    char line[LINE_MAX_BYTES];
    uint64_t n = 0;

    while (fgets(line, sizeof line, f))
        memcpy(ring[n++ % LADDER_LINES], line, sizeof line);
    for (uint64_t i = n < LADDER_LINES ? 0 : n - LADDER_LINES; i < n; i++)
        printf("  %s", ring[i % LADDER_LINES]);
}

/* The world once more, to show its last segments. */
static void print_ladder(const struct sim_values *v, uint64_t seed)
{
    int pipes[2];
    char(*ring)[LINE_MAX_BYTES] = calloc(LADDER_LINES, sizeof *ring);

    if (!ring || pipe(pipes) != 0) {
        free(ring);
        return;
    }
    pid_t pid = child();
    if (pid == 0) {
        struct sim_config conf = config_of(v, seed);
        struct sim_result r;
        close(pipes[0]);
        alarm(HANG_S);
        conf.sink = (struct sim_sink){.text = to_pipe, .user = &pipes[1]};
        sim_run(&conf, &r);
        _exit(0);
    }
    close(pipes[1]);
    FILE *f = fdopen(pipes[0], "r");
    if (f && pid > 0)
        read_ladder(f, ring);
    if (f)
        fclose(f);
    if (pid > 0)
        waitpid(pid, NULL, 0);
    free(ring);
}

static bool fails(const struct sim_values *v, uint64_t seed, uint64_t without, uint64_t flows)
{
    int status;
    pid_t pid = child();

    if (pid == 0) {
        struct sim_config conf = config_of(v, seed);
        struct sim_result r;
        conf.without = without;
        conf.flows_max = (uint32_t)flows;
        alarm(HANG_S);
        sim_run(&conf, &r);
        _exit(r.failed);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && status != 0;
}

/* Leaves out what the failure does not need. */
static void shrink(const struct sim_values *v, uint64_t seed)
{
    uint64_t without = v->without, flows = v->flows;

    for (uint64_t n = 1; n < 8 && !flows; n++)
        if (fails(v, seed, without, n))
            flows = n;
    for (unsigned i = 0; i < SIM_FAULT_COUNT; i++)
        if (!(without >> i & 1) && fails(v, seed, without | UINT64_C(1) << i, flows))
            without |= UINT64_C(1) << i;
    printf("  shrunk:\n");
    print_command(v, seed, without, flows);
}

static void print_failure(const struct sim_values *v, const struct failure *f, bool ladder)
{
    printf("seed %" PRIu64 ": %s: %s\n", f->seed, f->invariant, f->why);
    if (ladder)
        print_ladder(v, f->seed);
    print_command(v, f->seed, v->without, v->flows);
    if (v->shrink)
        shrink(v, f->seed);
    fflush(stdout);
}

/* Those that have come since it was called last. */
static void print_failures(const struct sim_values *v, struct worker *workers, bool shown)
{
    uint64_t before = 0;

    for (uint64_t i = 0; i < v->jobs; i++)
        before += workers[i].printed;
    for (uint64_t i = 0; i < v->jobs; i++)
        for (struct worker *w = &workers[i]; w->printed < w->sums.failures; w->printed++) {
            if (shown)
                fputs(ERASE_LINE, stderr);
            print_failure(v, &w->sums.failure[w->printed], before++ < LADDERS_MAX && !v->quiet);
        }
}

/* ---- all of them ----------------------------------------------------------------------------- */

static void stop_all(const struct sim_values *v, const struct worker *workers)
{
    for (uint64_t i = 0; i < v->jobs; i++)
        if (workers[i].pid > 0)
            kill(workers[i].pid, SIGTERM);
}

static int run_all(const struct sim_values *v, struct worker *workers)
{
    bool shown = isatty(STDERR_FILENO) && !v->quiet;
    uint64_t alive = 0;
    bool told = false;

    for (uint64_t i = 0; i < v->jobs; i++, alive++)
        if (!start(v, &workers[i], i))
            return cmd_fail("sim", "fork: %s", strerror(errno));
    while (alive) {
        struct timespec pause = {.tv_nsec = 20000000};
        nanosleep(&pause, NULL);
        for (uint64_t i = 0; i < v->jobs; i++) {
            int status;
            look_for_hanging(&workers[i]);
            if (workers[i].pid == 0 || waitpid(workers[i].pid, &status, WNOHANG) <= 0)
                continue;
            alive--;
            if (bury(v, &workers[i], i, status) && start(v, &workers[i], i))
                alive++;
        }
        if (stopped && !told)
            stop_all(v, workers);
        told = stopped != 0;
        print_failures(v, workers, shown);
        if (shown)
            progress(v, workers);
    }
    if (shown)
        fputs(ERASE_LINE, stderr);
    return CMD_OK;
}

/* ---- sums ------------------------------------------------------------------------------------ */

static void add_sums(struct sums *all, const struct sums *s)
{
    all->passed += s->passed;
    all->failed += s->failed;
    all->packets += s->packets;
    all->bytes += s->bytes;
    all->duration += s->duration;
    all->flows += s->flows;
    for (int i = 0; i < SIM_FAULT_COUNT; i++) {
        all->befell[i] += s->befell[i];
        for (int k = 0; k <= i; k++)
            all->pairs[i][k] += s->pairs[i][k];
    }
    for (int i = 0; i < TERN_STATE_COUNT; i++)
        for (int k = 0; k < TERN_STATE_COUNT; k++)
            all->transitions[i][k] += s->transitions[i][k];
}

static void print_transitions(const struct sums *s)
{
    unsigned legal = 0, seen = 0;

    for (int i = 0; i < TERN_STATE_COUNT; i++)
        for (int k = 0; k < TERN_STATE_COUNT; k++) {
            legal += sim_legal((enum tern_state)i, (enum tern_state)k);
            seen += s->transitions[i][k] != 0;
        }
    printf("%u of %u transitions between states", seen, legal);
    const char *between = " (not ";
    for (enum tern_state i = 0; i < TERN_STATE_COUNT && seen; i++)
        for (enum tern_state k = 0; k < TERN_STATE_COUNT; k++)
            if (sim_legal(i, k) && !s->transitions[i][k]) {
                printf("%s%s to %s", between, tern_state_name(i), tern_state_name(k));
                between = ", ";
            }
    if (seen && seen < legal)
        putchar(')');
}

static void print_sums(const struct sums *s, double seconds)
{
    unsigned seen = 0, pairs = 0;
    uint64_t rarest = UINT64_MAX;
    uint64_t worlds = s->passed + s->failed;

    for (int i = 0; i < SIM_FAULT_COUNT; i++)
        for (int k = 0; k < i; k++) {
            pairs++;
            seen += s->pairs[i][k] != 0;
            rarest = s->pairs[i][k] < rarest ? s->pairs[i][k] : rarest;
        }
    printf("%" PRIu64 " connections, %" PRIu64 " packets, %.1f MB, %.1f virtual hours in %.1f s "
           "(%.0f worlds a minute, %.0f packets a second)\n",
           s->flows, s->packets, (double)s->bytes / 1e6, (double)s->duration / 3.6e12, seconds,
           (double)worlds * 60 / seconds, (double)s->packets / seconds);
    print_transitions(s);
    printf("; %u of %u pairs of faults, each in at least %" PRIu64 " worlds\nfaults:", seen, pairs,
           rarest);
    for (unsigned i = 0; i < SIM_FAULT_COUNT; i++) {
        printf(" %s %" PRIu64, sim_fault_word(i), s->pairs[i][i]);
        if (s->befell[i])
            printf(" (%" PRIu64 ")", s->befell[i]);
    }
    putchar('\n');
}

/* ---- the command ----------------------------------------------------------------------------- */

static bool to_file(void *user, const void *block, size_t len)
{
    return fwrite(block, 1, len, user) == len;
}

/* One world into a capture file, in this process. */
static int write_capture(const struct sim_values *v)
{
    struct sim_config conf = config_of(v, v->seed);
    struct sim_result r;
    FILE *f = fopen(v->pcapng, "we");

    if (!f)
        return cmd_fail("sim", "%s: %s", v->pcapng, strerror(errno));
    conf.sink = (struct sim_sink){.capture = to_file, .user = f};
    if (v->end != END_BOTH)
        conf.sink.unseen[!v->end] = true;
    sim_run(&conf, &r);
    if (fclose(f) != 0)
        return cmd_fail("sim", "%s: %s", v->pcapng, strerror(errno));
    return CMD_OK;
}

static int sim(const void *values, int argc, char **argv)
{
    struct sim_values own = *(const struct sim_values *)values;
    const struct sim_values *v = &own;
    struct sums all = {0};
    size_t size = (size_t)v->jobs * sizeof(struct worker);
    struct worker *workers =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    (void)argc;
    (void)argv;
    if (workers == MAP_FAILED)
        return cmd_fail("sim", "out of memory");
    take_signals((int)SA_RESETHAND); /* a second one ends it at once */
    clock_gettime(CLOCK_MONOTONIC, &own.began);
    int status = run_all(v, workers);
    double seconds = seconds_since(&own.began);
    for (uint64_t i = 0; i < v->jobs; i++)
        add_sums(&all, &workers[i].sums);
    if (!v->quiet)
        print_sums(&all, seconds);
    if (stopped)
        status = cmd_fail("sim", "stopped, by signal %d", (int)stopped);
    munmap(workers, size);
    if (status == CMD_OK && v->pcapng)
        status = write_capture(v);
    printf("%" PRIu64 " passed, %" PRIu64 " failed\n", all.passed, all.failed);
    return status != CMD_OK || all.failed ? CMD_FAILED : CMD_OK;
}

static const char *take_without(void *values, const char *text)
{
    struct sim_values *v = values;

    while (*text) {
        size_t len = strcspn(text, ",");
        unsigned i = 0;
        while (i < SIM_FAULT_COUNT &&
               !(strlen(sim_fault_word(i)) == len && strncmp(text, sim_fault_word(i), len) == 0))
            i++;
        if (i == SIM_FAULT_COUNT)
            return "faults with commas between them: loss, outage, memory, ...";
        v->without |= UINT64_C(1) << i;
        text += len + (text[len] == ',');
    }
    return NULL;
}

static const struct opt sim_opts[] = {
    {OPT_UINT(struct sim_values, seeds), .name = "seeds", .letter = 'n', .help = "how many worlds",
     .fallback = "1000"},
    {OPT_UINT(struct sim_values, seed), .name = "seed", .letter = 's', .arg = "FIRST",
     .help = "the first one's seed", .fallback = "1"},
    {OPT_UINT(struct sim_values, jobs), .name = "jobs", .letter = 'j', .help = "worlds at once",
     .min = 1, .max = JOBS_MAX, .fallback = "1"},
    {OPT_DURATION(struct sim_values, time), .name = "time",
     .help = "begin no more of them after so long", .unset = 0},
    {OPT_CHOICE(struct sim_values, profile, profiles), .name = "profile",
     .help = "how bad they are: each fault in a third of them, in none, in three quarters; or in "
             "none, and one connection that carries 64 MiB, or a few that share a bottleneck",
     .fallback = "mixed"},
    OPT_HEADING("One world"),
    {OPT_CALL(take_without), .name = "without", .arg = "FAULT,...", .help = "leave these out"},
    {OPT_UINT(struct sim_values, flows), .name = "flows", .help = "at most so many connections",
     .unset = 0, .min = 1, .max = 8},
    {OPT_FLAG(struct sim_values, shrink), .name = "shrink",
     .help = "of what fails, find a smaller world that fails as well"},
    {OPT_FILE(struct sim_values, pcapng), .name = "pcapng",
     .help = "write the first world's packets there"},
    {OPT_CHOICE(struct sim_values, end, ends), .name = "end",
     .help = "as this host sees them; both: each packet twice, for wireshark", .fallback = "0"},
    {OPT_CHOICE(struct sim_values, sabotage, sabotages), .name = "sabotage", .hidden = true,
     .help = "break this, to see that it is noticed", .fallback = "none"},
    {OPT_FLAG(struct sim_values, blind), .name = "blind", .hidden = true,
     .help = "without the oracle, to see what it costs"},
    {OPT_FLAG(struct sim_values, quiet), .name = "quiet", .letter = 'q',
     .help = "only failures, without their last segments, and the last line"},
};

const struct command cmd_sim = {
    .name = "sim",
    .summary = "test the stack in worlds drawn from seeds",
    .about =
        "Each seed is a world of its own, in virtual time: two stacks, a link, up to eight "
        "connections of programs of all habits. Faults come and go: loss, outages, reordering, "
        "corruption, delays, tiny buffers, missing memory and more. Then the link heals, and "
        "everything must end well.\n\n"
        "Every byte is compared, every segment judged by an independent oracle, every change of "
        "state looked up; sequence numbers, windows and timers are checked as it goes, and "
        "in the end both stacks must be quiet and have given back what they had.\n\n"
        "A world that fails is shown at once, with its last segments and the one command that "
        "repeats it: the same seed is the same world, bit for bit. SIGINT ends the run after the "
        "worlds that have begun, with the sums of what there was.",
    .opts = sim_opts,
    .opt_count = sizeof(sim_opts) / sizeof(sim_opts[0]),
    .values_size = sizeof(struct sim_values),
    .examples = {{"tern sim --seeds 500 --jobs 4", "five hundred worlds, four at once"},
                 {"tern sim --seed 4711 --seeds 1 --shrink", "one of them, and what it needs"}},
    .run = sim,
};
