/* run.c - `tern run`: a program over tern's TCP. */
#include "cmd/algorithm.h"
#include "cmd/cmd.h"
#include "cmd/guard.h"
#include "cmd/screen.h"

#include "host/run_addr.h"
#include "host/run_control.h"
#include "host/run_tern.h"
#include "host/run_world.h"
#include "watch/timeline.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum {
    DROPS_MAX = 64,
    PUBLISH_MAX = 32,
};
#define REST_BUSY (30 * VALUE_S)      /* data and FINs of ended programs are delivered so long, */
#define REST_WAITING (500 * VALUE_MS) /* and the other end's FIN is awaited so long */
#define UNSET UINT64_MAX

struct publish {
    struct host_port host;
    uint16_t port;
};

struct run_values {
    uint32_t loss, loss_up, loss_down, reorder, duplicate, corrupt; /* ppm */
    uint64_t delay, jitter;                                         /* ns */
    uint64_t rate;                                                  /* bit/s; 0: no limit */
    uint64_t queue, mark, mtu, seed, syn_retries, msl;
    struct guard_values guard;
    const char *pcapng, *timeline, *json;
    unsigned pcapng_end, cc;
    bool quiet, wait;
    struct lab_drop drops[DROPS_MAX];
    size_t drop_count;
    struct publish publish[PUBLISH_MAX];
    size_t publish_count;
    bool isn_given;
    uint32_t isn[2];
};

/* ---- options that are not numbers ------------------------------------------------------------ */

static bool number(const char *text, size_t len, uint64_t max, uint64_t *out)
{
    char digits[24];

    if (len == 0 || len >= sizeof digits)
        return false;
    memcpy(digits, text, len);
    digits[len] = 0;
    return value_parse(VALUE_UINT, digits, 0, max, out) == VALUE_OK;
}

static const char *parse_drop(void *values, const char *text)
{
    static const char *const kinds[LAB_KINDS] = {"syn", "synack", "ack", "data", "fin", "rst"};
    static const char what[] = "syn, synack, ack, data, fin or rst, and perhaps which of them: "
                               "synack:1, data:3, ack:2-5";
    struct run_values *v = values;
    size_t len = strcspn(text, ":");
    uint64_t first = 1, last;

    for (int kind = 0; kind < LAB_KINDS; kind++) {
        if (strlen(kinds[kind]) != len || strncmp(kinds[kind], text, len) != 0)
            continue;
        text += len;
        if (*text == ':') {
            size_t digits = strcspn(++text, "-");
            if (!number(text, digits, UINT32_MAX / 2, &first) || first == 0)
                return what;
            text += digits;
        }
        last = first;
        if (*text == '-' &&
            (!number(text + 1, strlen(text + 1), UINT32_MAX / 2, &last) || last < first))
            return what;
        if (v->drop_count == DROPS_MAX)
            return "given 64 times at most";
        v->drops[v->drop_count++] = (struct lab_drop){.kind = (enum lab_kind)kind,
                                                      .first = (uint32_t)first,
                                                      .count = (uint32_t)(last - first + 1),
                                                      .dir = -1};
        return NULL;
    }
    return what;
}

static const char *parse_isn(void *values, const char *text)
{
    static const char what[] = "two numbers below 4294967296, the client's and the server's: "
                               "10000,20000";
    struct run_values *v = values;
    size_t len = strcspn(text, ",");
    uint64_t isn[2];

    if (text[len] != ',' || !number(text, len, UINT32_MAX, &isn[0]) ||
        !number(text + len + 1, strlen(text + len + 1), UINT32_MAX, &isn[1]))
        return what;
    v->isn[0] = (uint32_t)isn[0];
    v->isn[1] = (uint32_t)isn[1];
    v->isn_given = true;
    return NULL;
}

static const char *parse_publish(void *values, const char *text)
{
    static const char what[] = "HOST:PORT=PORT, such as 127.0.0.1:8080=80";
    struct run_values *v = values;
    const char *equals = strrchr(text, '=');
    char host[300];
    uint64_t port;

    if (!equals || (size_t)(equals - text) >= sizeof host ||
        !number(equals + 1, strlen(equals + 1), 65535, &port) || port == 0)
        return what;
    if (v->publish_count == PUBLISH_MAX)
        return "given 32 times at most";
    memcpy(host, text, (size_t)(equals - text));
    host[equals - text] = 0;
    struct publish *p = &v->publish[v->publish_count];
    if (value_host_port(host, &p->host) != VALUE_OK)
        return what;
    p->port = (uint16_t)port;
    v->publish_count++;
    return NULL;
}

static const char *parse_bits(void *values, const char *text)
{
    return guard_parse_bits(&((struct run_values *)values)->guard, text);
}

static const char *parse_allow(void *values, const char *text)
{
    return guard_parse_rule(&((struct run_values *)values)->guard, text, TERN_RULE_ALLOW);
}

static const char *parse_deny(void *values, const char *text)
{
    return guard_parse_rule(&((struct run_values *)values)->guard, text, TERN_RULE_DENY);
}

static const char *const pcapng_ends[] = {"client", "server", "both", NULL};

static const struct opt run_opts[] = {
    OPT_HEADING("The link"),
    {OPT_PERCENT(struct run_values, loss), .name = "loss", .help = "lose that share of packets"},
    {OPT_PERCENT(struct run_values, loss_up), .name = "loss-up",
     .help = "the same, of those the program sends", .unset = UINT32_MAX},
    {OPT_PERCENT(struct run_values, loss_down), .name = "loss-down",
     .help = "the same, of those it receives", .unset = UINT32_MAX},
    {OPT_CALL(parse_drop), .name = "drop", .arg = "KIND[:N]",
     .help = "drop the Nth (or N-Mth) syn, synack, ack, data, fin or rst; may be repeated"},
    {OPT_DURATION(struct run_values, delay), .name = "delay",
     .help = "one way; the round trip "
             "is twice that",
     .max = VALUE_MIN},
    {OPT_DURATION(struct run_values, jitter), .name = "jitter",
     .help = "up to so much more delay, at random", .max = VALUE_MIN},
    {OPT_PERCENT(struct run_values, reorder), .name = "reorder",
     .help = "let later packets overtake that share"},
    {OPT_PERCENT(struct run_values, duplicate), .name = "duplicate",
     .help = "deliver that share twice"},
    {OPT_PERCENT(struct run_values, corrupt), .name = "corrupt",
     .help = "flip a bit in that share"},
    {OPT_RATE(struct run_values, rate), .name = "rate", .help = "as fast as this, each way",
     .min = 1000},
    {OPT_UINT(struct run_values, queue), .name = "queue",
     .help = "packets that may wait for the rate", .min = 1, .max = 1000000, .fallback = "1000"},
    {OPT_UINT(struct run_values, mark), .name = "mark",
     .help = "mark ECN-capable packets that find so many waiting", .max = 1000000, .fallback = "0"},
    {OPT_UINT(struct run_values, mtu), .name = "mtu",
     .help = "largest packet; below 1280 there is no IPv6", .min = 576, .max = 65535,
     .fallback = "1500"},
    {OPT_UINT(struct run_values, seed), .name = "seed",
     .help = "the same chances as last time with this number", .max = UINT64_MAX - 1,
     .unset = UNSET},
    OPT_HEADING("TCP"),
    {OPT_UINT(struct run_values, syn_retries), .name = "syn-retries",
     .help = "how often a SYN is sent again", .max = 30, .fallback = "6"},
    {OPT_DURATION(struct run_values, msl), .name = "msl",
     .help = "maximum segment lifetime; TIME-WAIT lasts twice this", .min = VALUE_MS,
     .max = 10 * VALUE_MIN, .fallback = "30s"},
    {OPT_CHOICE(struct run_values, cc, algorithm_names), .name = "cc",
     .help = "congestion control of both ends", .fallback = "cubic"},
    {OPT_CALL(parse_isn), .name = "isn", .arg = "A,B",
     .help = "initial sequence numbers of the client and the server; for demonstration only, as "
             "anyone can guess what follows"},
    OPT_HEADING("Connections from outside"),
    {OPT_CALL(parse_publish), .name = "publish", .arg = "HOST:PORT=PORT",
     .help = "connections to this address of the host reach the program's port; may be repeated"},
    {OPT_UINT(struct run_values, guard.backlog), .name = "backlog",
     .help = "how many may wait until the program accepts them, if it asks for more", .min = 1,
     .max = 4096, .fallback = "4096"},
    GUARD_OPTS(struct run_values),
    OPT_HEADING("What is shown and kept"),
    {OPT_FILE(struct run_values, timeline), .name = "timeline",
     .help = "write the time line there instead of to standard error"},
    {OPT_FLAG(struct run_values, quiet), .name = "quiet", .letter = 'q',
     .help = "no time line on standard error"},
    {OPT_FILE(struct run_values, pcapng), .name = "pcapng",
     .help = "write the packets there, for wireshark or tshark"},
    {OPT_CHOICE(struct run_values, pcapng_end, pcapng_ends), .name = "pcapng-end",
     .help = "whose packets", .fallback = "client"},
    {OPT_FILE(struct run_values, json), .name = "json",
     .help = "write what came of each connection there"},
    {OPT_FLAG(struct run_values, wait), .name = "wait",
     .help = "stay until all connections are gone, TIME-WAIT too"},
};

/* ---- where the time line goes ---------------------------------------------------------------- */

static void say(void *user, const char *text)
{
    (void)user;
    fprintf(stderr, "tern run: %s\n", text);
}

/* false after saying why. */
static bool record_config(struct record_config *r, const struct run_values *v)
{
    static char application[32];

    r->timeline_fd = v->quiet ? -1 : STDERR_FILENO;
    if (v->timeline) {
        r->timeline_fd = open(v->timeline, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (r->timeline_fd < 0) {
            cmd_fail("run", "%s: %s", v->timeline, strerror(errno));
            return false;
        }
    }
    struct screen screen = screen_of(r->timeline_fd);
    r->utf8 = screen.utf8;
    r->facts = v->json != NULL;
    if (r->timeline_fd >= 0) {
        r->width = screen.width;
        r->colour = screen.colour;
    }
    snprintf(application, sizeof application, "tern %s", cmd_version());
    r->application = application;
    r->pcapng = v->pcapng;
    r->pcapng_end = (enum record_end)v->pcapng_end;
    return true;
}

/* ---- the world ------------------------------------------------------------------------------- */

static struct lab_impair impair(const struct run_values *v, uint32_t loss)
{
    return (struct lab_impair){.loss = loss / 1e6,
                               .duplicate = v->duplicate / 1e6,
                               .corrupt = v->corrupt / 1e6,
                               .reorder = v->reorder / 1e6,
                               .delay = v->delay,
                               .jitter = v->jitter,
                               .rate = v->rate,
                               .queue = (uint32_t)v->queue,
                               .mark = (uint32_t)v->mark};
}

static void configure(const void *user, tern_config *cfg) { guard_config(user, cfg); }

static bool world_config(struct run_world_config *w, const struct run_values *v)
{
    uint64_t seed = v->seed;

    if (seed == UNSET && getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed) {
        cmd_fail("run", "no random numbers: %s", strerror(errno));
        return false;
    }
    w->seed = seed;
    w->mtu = (uint32_t)v->mtu;
    w->dir[0] = impair(v, v->loss_up == UINT32_MAX ? v->loss : v->loss_up);
    w->dir[1] = impair(v, v->loss_down == UINT32_MAX ? v->loss : v->loss_down);
    w->drops = v->drops;
    w->drop_count = v->drop_count;
    w->msl = v->msl;
    w->syn_retries = (uint8_t)v->syn_retries;
    w->cc = algorithm_of(v->cc);
    w->backlog = (uint32_t)v->guard.backlog;
    w->limits = guard_limits(&v->guard);
    w->configure = configure;
    w->configure_user = &v->guard;
    w->isn_fixed = v->isn_given;
    w->isn[0] = v->isn[0];
    w->isn[1] = v->isn[1];
    w->say = say;
    return true;
}

static bool publish(struct run_world *w, const struct publish *p)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *found;
    char port[8];

    snprintf(port, sizeof port, "%u", p->host.port);
    int err = getaddrinfo(p->host.host, port, &hints, &found);
    if (err) {
        cmd_fail("run", "--publish %s: %s", p->host.host, gai_strerror(err));
        return false;
    }
    tern_addr addr;
    union run_sockaddr sa;
    memset(&sa, 0, sizeof sa);
    memcpy(&sa, found->ai_addr, found->ai_addrlen);
    err = run_addr_read(&addr, found->ai_family, &sa, found->ai_addrlen);
    freeaddrinfo(found);
    if (!err)
        err = run_world_publish(w, &addr, p->port);
    if (err)
        cmd_fail("run", "--publish %s:%u: %s", p->host.host, p->host.port, strerror(-err));
    return !err;
}

/* ---- --json ---------------------------------------------------------------------------------- */

static json_t *json_end(const struct timeline_connection *c, int end)
{
    union run_sockaddr sa;
    char text[64];
    int family = run_addr_is4(&c->end[end]) ? AF_INET : AF_INET6;
    socklen_t len = (socklen_t)run_addr_write(&sa, family, &c->end[end]);

    if (getnameinfo(&sa.sa, len, text, sizeof text, NULL, 0, NI_NUMERICHOST) != 0)
        text[0] = 0;
    return json_pack("{s:s, s:i, s:I, s:i, s:I, s:I, s:I, s:I, s:s}", "address", text, "port",
                     (int)c->end[end].port, "isn", (json_int_t)c->isn[end], "mss", (int)c->mss[end],
                     "bytes", (json_int_t)c->bytes[end], "segments", (json_int_t)c->segments[end],
                     "lost", (json_int_t)c->lost[end], "retransmitted",
                     (json_int_t)c->retransmitted[end], "state", tern_state_name(c->state[end]));
}

static int write_json(const struct run_values *v, struct run_world *w)
{
    const struct timeline *line = record_timeline(run_world_record(w));
    struct timeline_connection c;
    json_t *all = json_array();
    int err = 0;

    for (uint32_t i = 0; timeline_connection(line, i, &c); i++)
        (void)json_array_append_new(
            all, json_pack("{s:I, s:s, s:o, s:o, s:I, s:I, s:s, s:s?}", "number",
                           (json_int_t)c.number, "process", c.process, "client", json_end(&c, 0),
                           "server", json_end(&c, 1), "rtt_ns", (json_int_t)c.rtt, "duration_ns",
                           (json_int_t)(c.ended > c.began ? c.ended - c.began : 0), "outcome",
                           c.outcome ? c.outcome : "open", "closed_first",
                           c.closed_first < 0 ? NULL
                           : c.closed_first   ? "server"
                                              : "client"));
    json_t *root = json_pack("{s:o}", "connections", all);
    FILE *f = fopen(v->json, "we");
    if (!f || !root || json_dumpf(root, f, JSON_INDENT(2)) < 0 || fputc('\n', f) == EOF)
        err = errno ? errno : EIO;
    if (f && fclose(f) != 0 && !err)
        err = errno;
    json_decref(root);
    return err ? cmd_fail("run", "%s: %s", v->json, strerror(err)) : CMD_OK;
}

/* ---- the run --------------------------------------------------------------------------------- */

/* The programs have ended; what they sent is to arrive yet. */
static void rest(const struct run_values *v, struct loop *l, struct run_world *w)
{
    uint64_t began = loop_clock(), now;
    enum run_world_rest state;

    while (v->wait && !run_world_empty(w))
        loop_turn(l, loop_clock() + 100 * VALUE_MS);
    while ((now = loop_clock()),
           (state = run_world_rest(w)) != RUN_WORLD_QUIET &&
               now < began + (state == RUN_WORLD_BUSY ? REST_BUSY : REST_WAITING + 2 * v->delay))
        loop_turn(l, now + 20 * VALUE_MS);
}

/* The program's wait status, or, negative, tern's own exit status. */
static int play(const struct run_values *v, struct loop *l, struct run_world *w, char **argv)
{
    struct run_config cfg = {.loop = l,
                             .net = &run_tern_ops,
                             .net_user = run_world_net(w),
                             .argv = argv,
                             .say = say,
                             .congestion = algorithm_of(v->cc)->name,
                             .syn_retries = (uint8_t)v->syn_retries};
    struct run *r;

    for (size_t i = 0; i < v->publish_count; i++)
        if (!publish(w, &v->publish[i]))
            return -RUN_EXIT_TERN;
    int status = run_start(&r, &cfg);
    if (status)
        return -status;
    run_world_set_run(w, r);
    while (!run_done(r))
        if (loop_turn(l, LOOP_NEVER) < 0)
            break;
    rest(v, l, w);
    status = run_status(r);
    run_world_set_run(w, NULL);
    run_free(r);
    return status;
}

/* For `tern ss`; a run is well without. */
static struct control *control(struct loop *l, struct run_world *w, const char *program)
{
    struct control_config cfg = {
        .loop = l,
        .verb = "run",
        .program = program,
        .version = cmd_version(),
        .stacks = {{.name = "program", .stack = run_world_tern(w, 0), .look = run_control_look},
                   {.name = "gateway", .stack = run_world_tern(w, 1), .own = true}},
        .stack_count = 2,
    };
    struct control *c;

    (void)control_new(&c, &cfg);
    return c;
}

static int run(const void *values, int argc, char **argv)
{
    const struct run_values *v = values;
    struct run_world_config cfg = {.loop = NULL};
    struct run_world *w;
    struct loop *l;

    argv[argc] = NULL; /* what was before the program has been taken out */
    if (!record_config(&cfg.record, v) || !world_config(&cfg, v))
        return RUN_EXIT_TERN;
    int err = loop_new(&l);
    if (err < 0) {
        cmd_fail("run", "%s", strerror(-err));
        return RUN_EXIT_TERN;
    }
    cfg.loop = l;
    err = run_world_new(&w, &cfg);
    if (err < 0) {
        cmd_fail("run", "%s%s%s", v->pcapng ? v->pcapng : "", v->pcapng ? ": " : "",
                 strerror(-err));
        loop_free(l);
        return RUN_EXIT_TERN;
    }
    (void)guard_rules(&v->guard, run_world_tern(w, 0)); /* (there is room for as many) */
    struct control *c = control(l, w, argv[0]);
    int status = play(v, l, w, argv);
    control_free(c);
    bool failed = status >= 0 && v->json && write_json(v, w) != CMD_OK;
    run_world_free(w);
    loop_free(l);
    if (v->timeline)
        close(cfg.record.timeline_fd);
    if (status < 0)
        return -status;
    if (failed && status == 0)
        return RUN_EXIT_TERN;
    run_exit(status);
}

const struct command cmd_run = {
    .name = "run",
    .summary = "run a program over tern's own TCP, and show what happens",
    .about =
        "Runs a program, unchanged and without privileges, whose TCP is tern's instead of the "
        "kernel's: its segments go over a link that you describe, to a second stack, which is a "
        "gateway to the host's network. Each connection is shown on standard error from SYN to "
        "TIME-WAIT. Names are looked up, and UDP goes, as without tern.\n\n"
        "A site answers at http://192.0.2.80/ and http://[2001:db8::80]/ without any network. Its "
        "first page says what else there is; port 81 refuses, port 82 never answers.\n\n"
        "The program sees 192.0.2.1 and 2001:db8::1 as its own addresses. Its connections to "
        "loopback reach the host's servers, or its own.",
    .status = "The program's own status, or 128 and the number of the signal that ended it. 125: "
              "tern failed; 126: the program cannot be executed; 127: there is no such program.",
    .operands = "PROGRAM [ARGUMENT...]",
    .operand_kind = OPERANDS_PROGRAM,
    .min_operands = 1,
    .max_operands = CMD_ANY_NUMBER,
    .opts = run_opts,
    .opt_count = sizeof(run_opts) / sizeof(run_opts[0]),
    .values_size = sizeof(struct run_values),
    .examples = {{"tern run -- curl http://192.0.2.80/", "a page from the built-in site"},
                 {"tern run --loss 2% --delay 20ms -- curl -o /dev/null "
                  "http://192.0.2.80/bytes/1000000",
                  "over a long link that loses packets"},
                 {"tern run --drop synack:1 --pcapng f.pcapng -- wget -O- http://192.0.2.80/",
                  "the first SYN-ACK is lost; the packets are kept"},
                 {"tern run --publish 127.0.0.1:8080=80 -- nginx -g 'daemon off;'",
                  "a server, reached from the host; then: curl http://127.0.0.1:8080/"}},
    .run = run,
};
