/* lab.c - `tern lab`: experiments in virtual time. */
#include "cmd/cmd.h"

#include "lab/flood.h"

#include <jansson.h>
#include <string.h>

struct lab_values {
    unsigned defence; /* into defence_names */
    uint64_t rate, queue, honest, duration, delay, seed;
    bool ip6, json;
};

/* "every" shows each, one after the other. */
static const char *const defence_names[] = {"every",
#define X(id, name, text) name,
                                            FLOOD_DEFENCES(X)
#undef X
                                                NULL};

static const struct opt lab_opts[] = {
    OPT_HEADING("syn-flood"),
    {OPT_CHOICE(struct lab_values, defence, defence_names), .name = "defence",
     .help = "what the server does about it", .fallback = "every"},
    {OPT_UINT(struct lab_values, rate), .name = "rate", .help = "forged SYNs a second", .min = 0,
     .max = 1000000, .fallback = "10000"},
    {OPT_UINT(struct lab_values, queue), .name = "syn-queue",
     .help = "half-open connections that the server keeps", .min = 1, .max = 65536,
     .fallback = "1024"},
    {OPT_UINT(struct lab_values, honest), .name = "honest",
     .help = "connections that honest clients try each second", .min = 1, .max = 1000,
     .fallback = "50"},
    {OPT_DURATION(struct lab_values, duration), .name = "duration", .help = "of the flood",
     .min = VALUE_S, .max = 60 * VALUE_S, .fallback = "10s"},
    {OPT_DURATION(struct lab_values, delay), .name = "delay",
     .help = "between honest clients and the server, one way", .max = VALUE_S, .fallback = "20ms"},
    {OPT_FLAG(struct lab_values, ip6), .name = "ip6", .letter = '6', .help = "over IPv6"},
    {OPT_UINT(struct lab_values, seed), .name = "seed", .help = "the same chances as last time",
     .max = UINT64_MAX - 1, .fallback = "1"},
    {OPT_FLAG(struct lab_values, json), .name = "json", .help = "everything counted, as JSON"},
};

/* ---- tern lab syn-flood ---------------------------------------------------------------------- */

static void title(const struct lab_values *v)
{
    printf("A flood of %u forged SYNs a second for %u s of virtual time, on a queue of %u; "
           "honest clients\ntry %u times a second, and give up after 3 s. Nothing leaves this "
           "process.\n\n",
           (unsigned)v->rate, (unsigned)(v->duration / VALUE_S), (unsigned)v->queue,
           (unsigned)v->honest);
    printf("%-8s %9s %10s %6s %6s %7s %8s %9s  %s\n", "defence", "half-open", "bytes held", "tried",
           "made", "slowest", "cookies", "expired", "dropped");
}

/* "403 too many half-open connections" */
static void drops(const tern_counters *c)
{
    const char *before = "";

    for (int i = TERN_DROP_NONE + 1; i < TERN_DROP_COUNT; i++)
        if (c->drop[i] != 0) {
            printf("%s%llu %s", before, (unsigned long long)c->drop[i],
                   tern_drop_text((enum tern_drop)i));
            before = "; ";
        }
    printf("%s\n", *before ? "" : "none");
}

static void row(enum flood_defence defence, const struct flood_result *r)
{
    const uint64_t *count = r->server.count;

    printf("%-8s %9u %10zu %6u %6u %5u ms %8llu %9llu  ", flood_name(defence), r->halfopen_max,
           r->bytes, r->tried, r->made, (unsigned)(r->connect_max / VALUE_MS),
           (unsigned long long)count[TERN_COUNT_COOKIES_SENT],
           (unsigned long long)count[TERN_COUNT_HALFOPEN_EXPIRED]);
    drops(&r->server);
}

static json_t *names_and_numbers(const char *const *names, const uint64_t *numbers, int n)
{
    json_t *o = json_object();
    char key[64];

    for (int i = 0; i < n; i++) {
        size_t k = 0;
        for (; k < sizeof key - 1 && names[i][k]; k++)
            key[k] = (char)(names[i][k] | 0x20 * (names[i][k] >= 'A' && names[i][k] <= 'Z'));
        key[k] = 0;
        (void)json_object_set_new(o, key, json_integer((json_int_t)numbers[i]));
    }
    return o;
}

static json_t *json_row(enum flood_defence defence, const struct flood_result *r)
{
    static const char *const counters[] = {
#define X(id, text) #id,
        TERN_COUNTERS(X)
#undef X
    };
    static const char *const reasons[] = {
#define X(id, text) #id,
        TERN_DROPS(X)
#undef X
    };

    return json_pack("{s:s, s:I, s:i, s:i, s:i, s:i, s:I, s:I, s:o, s:o}", "defence",
                     flood_name(defence), "forged", (json_int_t)r->forged, "tried", (int)r->tried,
                     "made", (int)r->made, "failed", (int)r->failed, "halfopen_max",
                     (int)r->halfopen_max, "bytes", (json_int_t)r->bytes, "connect_max_ns",
                     (json_int_t)r->connect_max, "counters",
                     names_and_numbers(counters, r->server.count, TERN_COUNTER_COUNT), "drops",
                     names_and_numbers(reasons, r->server.drop, TERN_DROP_COUNT));
}

static int syn_flood(const struct lab_values *v)
{
    struct flood_config cfg = {.seed = v->seed,
                               .rate = (uint32_t)v->rate,
                               .queue = (uint32_t)v->queue,
                               .honest = (uint32_t)v->honest,
                               .duration = v->duration,
                               .delay = v->delay,
                               .ip6 = v->ip6};
    json_t *all = json_array();
    struct flood_result r;
    int err = 0;

    if (!v->json)
        title(v);
    for (int i = 0; i < FLOOD_COUNT && !err; i++) {
        if (v->defence != 0 && v->defence != (unsigned)i + 1)
            continue;
        cfg.defence = (enum flood_defence)i;
        err = flood_run(&r, &cfg);
        if (!err && v->json)
            (void)json_array_append_new(all, json_row(cfg.defence, &r));
        else if (!err)
            row(cfg.defence, &r);
        fflush(stdout);
    }
    json_t *root = json_pack("{s:o}", "defences", all);
    if (!err && v->json && (!root || json_dumpf(root, stdout, JSON_INDENT(2)) < 0))
        err = TERN_ENOMEM;
    if (v->json)
        putchar('\n');
    json_decref(root);
    return err ? cmd_fail("lab", "%s", tern_err_text((enum tern_err)err)) : CMD_OK;
}

/* ---- the command ----------------------------------------------------------------------------- */

static const char *const experiments[] = {"syn-flood", NULL};

static int lab(const void *values, int argc, char **argv)
{
    (void)argc;
    if (strcmp(argv[0], experiments[0]) == 0)
        return syn_flood(values);
    cmd_fail("lab", "%s: no such experiment; there is syn-flood", argv[0]);
    return CMD_USAGE;
}

const struct command cmd_lab = {
    .name = "lab",
    .summary = "experiments with the stack, in virtual time",
    .about =
        "syn-flood: a server is sent SYNs by the thousand whose senders never answer, as they do "
        "not exist, while honest clients want to connect. Each line is one defence (RFC 4987): "
        "how many half-open connections were held at most and what memory they and all "
        "connections took, how many honest clients tried and how many got in, how long the "
        "slowest of these had to wait, and what was dropped why.\n\n"
        "none: one queue of half-open connections, from which the stack itself drops entries the "
        "sooner the fuller it is. backlog: a queue sixteen times as long. timeout: one that is "
        "not completed within 0.2 s goes. limit: one at a time for each network of 256 addresses. "
        "filter: the flood's network is known and denied. cookies: without room in the queue a SYN "
        "is answered "
        "with a cookie, and "
        "nothing is remembered of it. all: all of these but filter.\n\n"
        "The clock is virtual and no network is used: a minute takes seconds, and the same seed "
        "gives the same figures.",
    .operands = "syn-flood",
    .min_operands = 1,
    .max_operands = 1,
    .operand_words = experiments,
    .opts = lab_opts,
    .opt_count = sizeof(lab_opts) / sizeof(lab_opts[0]),
    .values_size = sizeof(struct lab_values),
    .examples = {{"tern lab syn-flood", "every defence, one after the other"},
                 {"tern lab syn-flood --defence cookies --rate 100000",
                  "ten times as many, against SYN cookies"}},
    .run = lab,
};
