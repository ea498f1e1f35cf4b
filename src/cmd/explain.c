/* explain.c - `tern explain`: what happened in a capture, for people.
 *
 * Each packet is followed (watch/follow.h), which also tells when an end's state changes; both go
 * to a time line, as if the capture happened now. What stands out in each connection comes at the
 * end.
 */
#include "cmd/cmd.h"
#include "cmd/screen.h"

#include "host/pcapfile.h"
#include "watch/text.h"
#include "watch/timeline.h"
#include "watch/verdict.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CHANGES_MAX = 8,
    FINDINGS_MAX = 1000,
    ALL_MAX = 40,    /* of more connections only those are listed in which something stands out */
    SHOWN_MAX = 200, /* and no more than so many, */
    HALF_OPEN_MAX = 10, /* nor of handshakes that were not completed */
};

struct explain_values {
    const char *filter, *json;
    uint64_t connection;
    bool brief, complete;
};

/* A rule that was broken, kept for the end. */
struct broken {
    struct follow_finding finding;
    struct follow_packet packet;
};

struct change {
    int end;
    uint8_t from, to;
    bool after;
};

struct explain {
    const struct explain_values *values;
    struct follow *follow;
    struct timeline *line; /* NULL: --brief */
    struct change changes[CHANGES_MAX];
    size_t change_count;
    struct broken *broken;
    size_t broken_count;
    uint64_t findings;
    uint64_t packets, first, last;
    struct screen screen;
};

/* ---- following ------------------------------------------------------------------------------- */

static bool wanted(const struct explain *x, const struct follow_conn *k)
{
    return x->values->connection == 0 || k->number == x->values->connection;
}

static void on_finding(void *user, const struct follow_finding *f)
{
    struct explain *x = user;

    x->findings++;
    if (x->broken_count == FINDINGS_MAX || !wanted(x, f->conn))
        return;
    struct broken *b = &x->broken[x->broken_count++];
    b->finding = *f;
    b->packet = *f->packet;
}

static void on_state(void *user, const struct follow_conn *k, int end, enum tern_state from,
                     enum tern_state to, bool after)
{
    struct explain *x = user;

    (void)k;
    if (x->change_count < CHANGES_MAX)
        x->changes[x->change_count++] =
            (struct change){.end = end, .from = (uint8_t)from, .to = (uint8_t)to, .after = after};
}

static void tell_changes(struct explain *x, const struct follow_conn *k, uint64_t now, bool after)
{
    for (size_t i = 0; i < x->change_count; i++) {
        const struct change *c = &x->changes[i];
        tern_trace record = {.now = now,
                             .kind = TERN_TRACE_STATE,
                             .local = k->end[c->end].addr,
                             .peer = k->end[!c->end].addr,
                             .from = c->from,
                             .to = c->to};
        if (c->after == after)
            timeline_trace(x->line, c->end, &record);
    }
}

static void show(struct explain *x, const struct follow_result *r, const struct follow_packet *p)
{
    struct timeline_packet t = {.id = p->number,
                                .sent = p->time,
                                .now = p->time,
                                .from = r->from,
                                .data = p->data,
                                .have = p->have,
                                .len = p->len};

    tell_changes(x, r->conn, p->time, false);
    timeline_sent(x->line, &t);
    timeline_fate(x->line, &t, TIMELINE_ARRIVED);
    tell_changes(x, r->conn, p->time, true);
    timeline_fate(x->line, &t, TIMELINE_PROCESSED);
}

static void on_packet(struct explain *x, const struct pcapfile_packet *in)
{
    struct follow_packet p = {.time = in->time,
                              .number = ++x->packets,
                              .data = in->data,
                              .have = in->have,
                              .len = in->len};
    struct follow_result r;

    if (x->first == 0)
        x->first = p.time;
    x->last = p.time > x->last ? p.time : x->last;
    x->change_count = 0;
    follow_packet(x->follow, &p, &r);
    if (r.conn && x->line && wanted(x, r.conn))
        show(x, &r, &p);
}

/* ---- what stands out ------------------------------------------------------------------------- */

static void write_line(const struct explain *x, int indent, enum style style, const char *line)
{
    struct text t;

    text_init(&t, x->screen.utf8, x->screen.colour);
    text_style(&t, style);
    text_add(&t, line);
    text_style(&t, STYLE_PLAIN);
    printf("%*s%s\n", indent, "", t.s);
}

static void on_sentence(void *user, const char *sentence)
{
    json_array_append_new(user, json_string(sentence));
}

/* What stands out in it: an array of sentences. */
static json_t *stands_out(struct explain *x, const struct follow_conn *k)
{
    json_t *said = json_array();
    struct verdict_sink sink = {.say = on_sentence, .user = said};

    verdict_conn(k, x->last, &sink);
    for (size_t i = 0; i < x->broken_count; i++)
        if (x->broken[i].finding.conn == k) {
            x->broken[i].finding.packet = &x->broken[i].packet;
            verdict_finding(&x->broken[i].finding, &sink);
        }
    return said;
}

static json_t *stands_out_in_all(const struct explain *x)
{
    json_t *said = json_array();
    struct verdict_sink sink = {.say = on_sentence, .user = said};

    verdict_all(x->follow, &sink);
    return said;
}

static void print_sentences(const struct explain *x, json_t *said)
{
    size_t i;
    json_t *s;

    json_array_foreach(said, i, s) write_line(x, 3, STYLE_PLAIN, json_string_value(s));
    json_decref(said);
}

static void print_state_times(const struct explain *x, const struct follow_conn *k)
{
    json_t *said = json_array();
    struct verdict_sink sink = {.say = on_sentence, .user = said};

    verdict_states(k, x->last, &sink);
    print_sentences(x, said);
}

static void print_connections(struct explain *x)
{
    uint32_t count = follow_count(x->follow), shown = 0, half_open = 0, more = 0;
    char title[VERDICT_TITLE], n[TEXT_VALUE];

    for (uint32_t i = 0; i < count; i++) {
        const struct follow_conn *k = follow_conn(x->follow, i);
        if (!wanted(x, k))
            continue;
        json_t *said = stands_out(x, k);
        bool fine = json_array_size(said) == 0;
        half_open += follow_outcome(k) == FOLLOW_HALF_OPEN;
        if ((fine && count > ALL_MAX) || shown == SHOWN_MAX ||
            (follow_outcome(k) == FOLLOW_HALF_OPEN && half_open > HALF_OPEN_MAX)) {
            more += !fine;
            json_decref(said);
            continue;
        }
        shown++;
        write_line(x, 0, STYLE_BOLD, verdict_title(k, title));
        print_state_times(x, k);
        if (fine)
            json_array_append_new(said, json_string(message_text(MSG_WHY_NOTHING)));
        print_sentences(x, said);
    }
    if (more)
        write_line(x, 0, STYLE_DIM,
                   message(title, sizeof title, MSG_WHY_MORE, ARGS(text_number(n, more))));
}

static void print_verdicts(struct explain *x)
{
    char n[TEXT_VALUE], time[TEXT_VALUE], all[TEXT_MAX], text[256];

    if (x->line)
        putchar('\n');
    print_connections(x);
    print_sentences(x, stands_out_in_all(x));
    int at = snprintf(all, sizeof all, "%s",
                      message(text, sizeof text, MSG_WHY_TOTAL,
                              ARGS(text_number(n, x->packets),
                                   text_duration(time, x->last - x->first))));
    if (follow_ignored(x->follow))
        at += snprintf(all + at, sizeof all - (size_t)at, ", %s",
                       message(text, sizeof text, MSG_WHY_IGNORED,
                               ARGS(text_number(n, follow_ignored(x->follow)))));
    if (x->findings)
        snprintf(all + at, sizeof all - (size_t)at, ", %s",
                 message(text, sizeof text, MSG_WHY_BROKEN, ARGS(text_number(n, x->findings))));
    write_line(x, 0, STYLE_BOLD, all);
}

/* ---- for machines ---------------------------------------------------------------------------- */

static json_t *end_json(const struct follow_end *e, uint64_t now)
{
    static const char *const names[FOLLOW_KINDS] = {
        "retransmission", "fast_retransmission", "spurious_retransmission", "out_of_order",
        "duplicate_ack",  "zero_window",         "window_update",           "keep_alive",
        "missing_before", "missing_acked"};
    char address[TEXT_VALUE];
    json_t *states = json_object();
    for (uint8_t i = 0; i < TERN_STATE_COUNT; i++) {
        uint64_t ns = follow_state_time(e, i, now);
        if (ns != 0 && i != TERN_CLOSED && i != TERN_LISTEN)
            json_object_set_new(states, tern_state_name(i), json_real((double)ns / 1e9));
    }
    json_t *end = json_pack("{s:s, s:s, s:I, s:I, s:o}", "address", text_address(address, &e->addr),
                            "state", tern_state_name(e->state), "segments", (json_int_t)e->segments,
                            "bytes", (json_int_t)e->bytes, "states", states);

    for (int i = 0; i < FOLLOW_KINDS; i++)
        json_object_set_new(end, names[i], json_integer((json_int_t)e->kinds[i]));
    return end;
}

static json_t *conn_json(struct explain *x, const struct follow_conn *k)
{
    static const char *const outcomes[] = {[FOLLOW_OPEN] = "open",
                                           [FOLLOW_CLOSED] = "closed",
                                           [FOLLOW_RESET] = "reset",
                                           [FOLLOW_REFUSED] = "refused",
                                           [FOLLOW_HALF_OPEN] = "half-open"};
    json_t *rules = json_array();
    for (size_t i = 0; i < x->broken_count; i++)
        if (x->broken[i].finding.conn == k)
            json_array_append_new(rules, json_pack("{s:s, s:I, s:i}", "rule",
                                                   watch_rule_info(x->broken[i].finding.rule)->id,
                                                   "packet", (json_int_t)x->broken[i].packet.number,
                                                   "end", x->broken[i].finding.end));
    json_t *out =
        json_pack("{s:I, s:s, s:f, s:f, s:f, s:i, s:[o,o], s:o, s:o}", "number",
                  (json_int_t)k->number, "outcome", outcomes[follow_outcome(k)], "began",
                  (double)(k->began - x->first) / 1e9, "lasted", (double)(k->last - k->began) / 1e9,
                  "rtt", k->rtt > 1 ? (double)k->rtt / 1e9 : 0.0, "closed_first", k->closed_first,
                  "ends", end_json(&k->end[0], x->last), end_json(&k->end[1], x->last),
                  "stands_out", stands_out(x, k), "rules", rules);
    return out;
}

static int write_json(struct explain *x, const char *path)
{
    json_t *conns = json_array();
    for (uint32_t i = 0; i < follow_count(x->follow); i++)
        if (wanted(x, follow_conn(x->follow, i)))
            json_array_append_new(conns, conn_json(x, follow_conn(x->follow, i)));
    json_t *all = json_pack("{s:I, s:I, s:f, s:o, s:o}", "packets", (json_int_t)x->packets,
                            "ignored", (json_int_t)follow_ignored(x->follow), "seconds",
                            (double)(x->last - x->first) / 1e9, "stands_out", stands_out_in_all(x),
                            "connections", conns);
    bool fine = all && (strcmp(path, "-") == 0 ? json_dumpf(all, stdout, JSON_INDENT(2))
                                               : json_dump_file(all, path, JSON_INDENT(2))) == 0;
    if (fine && strcmp(path, "-") == 0)
        putchar('\n');
    json_decref(all);
    return fine ? CMD_OK : cmd_fail("explain", "%s: could not be written", path);
}

/* ---- the command ----------------------------------------------------------------------------- */

static void write_text(void *user, const char *text, size_t len)
{
    (void)user;
    fwrite(text, 1, len, stdout);
}

/* The time line begins with the first packet. */
static bool begin_line(struct explain *x, uint64_t start)
{
    struct timeline_config conf = {.width = x->screen.width,
                                   .colour = x->screen.colour,
                                   .utf8 = x->screen.utf8,
                                   .start = start,
                                   .first = (uint32_t)x->values->connection,
                                   .msl = 30 * VALUE_S,
                                   .write = write_text};
    x->line = timeline_new(&conf);
    return x->line != NULL;
}

static int read_all(struct explain *x, struct pcapfile *file, const char *name)
{
    struct pcapfile_packet in;
    char error[PCAPFILE_ERROR];
    bool ladder = !x->values->brief && !(x->values->json && strcmp(x->values->json, "-") == 0);
    int more;

    while ((more = pcapfile_next(file, &in, error)) == 1) {
        if (ladder && !x->line && !begin_line(x, in.time))
            return cmd_fail("explain", "out of memory");
        if (x->line && timeline_due(x->line) <= in.time)
            timeline_flush(x->line, in.time);
        on_packet(x, &in);
    }
    if (more < 0) /* what came before is explained all the same */
        cmd_fail("explain", "%s: after packet %" PRIu64 ": %s", name, x->packets, error);
    timeline_free(x->line, x->last);
    return more < 0 ? CMD_FAILED : CMD_OK;
}

static int explain(const void *values, int argc, char **argv)
{
    const struct explain_values *v = values;
    struct explain x = {.values = v, .screen = screen_of(STDOUT_FILENO)};
    char error[PCAPFILE_ERROR];
    struct follow_config conf = {.trust = v->complete ? RULE_ALL | RULE_WIRE : RULE_ALWAYS,
                                 .finding = on_finding,
                                 .state = on_state,
                                 .user = &x};
    (void)argc;
    struct pcapfile *file = pcapfile_open(argv[0], v->filter, error);
    if (!file)
        return cmd_fail("explain", "%s: %s", argv[0], error);
    x.broken = calloc(FINDINGS_MAX, sizeof *x.broken);
    x.follow = follow_new(&conf);
    int status =
        x.broken && x.follow ? read_all(&x, file, argv[0]) : cmd_fail("explain", "out of memory");
    if (x.broken && x.follow && !(v->json && strcmp(v->json, "-") == 0))
        print_verdicts(&x);
    if (x.broken && x.follow && v->json && write_json(&x, v->json) != CMD_OK)
        status = CMD_FAILED;
    follow_free(x.follow);
    free(x.broken);
    pcapfile_close(file);
    return status;
}

static const struct opt explain_opts[] = {
    {OPT_UINT(struct explain_values, connection), .name = "connection", .max = UINT32_MAX,
     .help = "only the connection of that number", .unset = 0, .min = 1},
    {OPT_STRING(struct explain_values, filter), .name = "filter", .arg = "EXPRESSION",
     .help = "only packets that match, as tcpdump understands it: \"port 80\""},
    {OPT_FLAG(struct explain_values, brief), .name = "brief",
     .help = "only what stands out, without the packets"},
    {OPT_FLAG(struct explain_values, complete), .name = "complete",
     .help = "the capture has every packet of both ends, none of them joined by an offload: judge "
             "by all rules"},
    {OPT_FILE(struct explain_values, json), .name = "json",
     .help = "write what was found there, as JSON; \"-\": to standard output, and nothing else"},
};

const struct command cmd_explain = {
    .name = "explain",
    .summary = "say what happened in a capture",
    .about =
        "Reads a capture (pcap or pcapng) and shows each connection as a ladder: the segments, "
        "the states of both ends as far as their packets tell, what was sent again. Then it says "
        "what stands out, with its likely cause: what was refused, reset or left half open, "
        "losses, closed windows, programs that do not close, and every segment that breaks a rule "
        "of the protocol, with the rule and where it is written.\n\n"
        "A capture may lack packets or hold segments that a network card has joined; rules that "
        "would be unfair to those are left out unless --complete says otherwise.",
    .operands = "FILE",
    .operand_kind = OPERANDS_FILES,
    .min_operands = 1,
    .max_operands = 1,
    .opts = explain_opts,
    .opt_count = sizeof(explain_opts) / sizeof(explain_opts[0]),
    .values_size = sizeof(struct explain_values),
    .examples = {{"tern explain trace.pcapng", "every connection, packet by packet"},
                 {"tern explain --brief --filter \"port 443\" trace.pcap", "only the verdicts"},
                 {"tern explain --connection 3 trace.pcap", "one connection of many"}},
    .run = explain,
};
