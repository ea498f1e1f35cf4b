/* ss.c - `tern ss`: the sockets of all tern processes, as ss(8) shows the kernel's. */
#include "cmd/ss.h"

#include "cmd/cmd.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TIMEOUT (2 * VALUE_S)

/* ---- options --------------------------------------------------------------------------------- */

#define BIT(state) (1u << TERN_##state)
#define ALL_STATES ((1u << TERN_STATE_COUNT) - 1)
#define CONNECTED (ALL_STATES & ~(BIT(LISTEN) | BIT(CLOSED)))

static const struct {
    const char *name;
    uint32_t states;
} state_names[] = {
    {"established", BIT(ESTABLISHED)},
    {"estab", BIT(ESTABLISHED)},
    {"syn-sent", BIT(SYN_SENT)},
    {"syn-recv", BIT(SYN_RECEIVED)},
    {"syn-received", BIT(SYN_RECEIVED)},
    {"fin-wait-1", BIT(FIN_WAIT_1)},
    {"fin-wait-2", BIT(FIN_WAIT_2)},
    {"time-wait", BIT(TIME_WAIT)},
    {"closed", BIT(CLOSED)},
    {"close-wait", BIT(CLOSE_WAIT)},
    {"last-ack", BIT(LAST_ACK)},
    {"listening", BIT(LISTEN)},
    {"listen", BIT(LISTEN)},
    {"closing", BIT(CLOSING)},
    {"all", ALL_STATES},
    {"connected", CONNECTED},
    {"synchronized", CONNECTED & ~BIT(SYN_SENT)},
    {"bucket", BIT(SYN_RECEIVED) | BIT(TIME_WAIT)},
    {"big", ALL_STATES & ~(BIT(SYN_RECEIVED) | BIT(TIME_WAIT))},
};

static const char *parse_state(void *values, const char *text)
{
    struct ss_values *v = values;

    for (size_t i = 0; i < sizeof state_names / sizeof state_names[0]; i++)
        if (strcasecmp(text, state_names[i].name) == 0) {
            v->states |= state_names[i].states;
            return NULL;
        }
    return "a state such as established, syn-sent or time-wait, or one of all, connected, "
           "synchronized, bucket and big";
}

static const struct opt ss_opts[] = {
    OPT_HEADING("Which sockets"),
    {OPT_FLAG(struct ss_values, all), .name = "all", .letter = 'a',
     .help = "tern's own listeners too: a gateway's"},
    {OPT_FLAG(struct ss_values, listening), .name = "listening", .letter = 'l',
     .help = "only listeners, tern's own too"},
    {OPT_CALL(parse_state), .name = "state", .arg = "STATE",
     .help = "only those in this state, or group of states; may be repeated"},
    {OPT_UINT(struct ss_values, pid), .name = "pid",
     .help = "only those of this process, be it the program or tern", .min = 1, .max = INT32_MAX,
     .unset = 0},
    OPT_HEADING("What is shown"),
    {OPT_FLAG(struct ss_values, numeric), .name = "numeric", .letter = 'n',
     .help = "ports as numbers, not as the services' names"},
    {OPT_FLAG(struct ss_values, timers), .name = "options", .letter = 'o',
     .help = "the next timer of each, and how often it has sent again"},
    {OPT_FLAG(struct ss_values, info), .name = "info", .letter = 'i',
     .help = "the inside of each connection: round-trip times, windows, what was sent again"},
    {OPT_FLAG(struct ss_values, summary), .name = "summary", .letter = 's',
     .help = "instead: how many in which state, and each process's counters and drops"},
    {OPT_FLAG(struct ss_values, json), .name = "json", .help = "everything, as JSON"},
};

/* ---- what an answer says --------------------------------------------------------------------- */

enum tern_state ss_state(const json_t *socket)
{
    const char *name = json_string_value(json_object_get(socket, "state"));

    for (int i = 0; name && i < TERN_STATE_COUNT; i++)
        if (strcmp(name, tern_state_name((enum tern_state)i)) == 0)
            return (enum tern_state)i;
    return TERN_CLOSED;
}

uint64_t ss_number(const json_t *o, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(o, name));
}

/* Programs choose their names, and may not command the terminal by them: no control characters, be
 * they one byte or two. */
void ss_text(const json_t *o, const char *name, char *out, size_t size)
{
    const char *from = json_string_value(json_object_get(o, name));
    size_t n = 0;

    for (; from && *from && n < size - 1; from++) {
        unsigned char c = (unsigned char)*from, next = (unsigned char)from[1];
        bool two = c == 0xc2 && next >= 0x80 && next < 0xa0;
        out[n++] = two || c < 0x20 || c == 0x7f ? '?' : *from;
        from += two;
    }
    out[n] = 0;
}

/* Of a process that --pid does not mean, and whose programs it does not mean, nothing is said. */
static bool wanted_process(const struct ss_values *v, const struct control_answer *a)
{
    const json_t *o;
    size_t n;

    if (!v->pid || (uint64_t)a->pid == v->pid)
        return true;
    json_array_foreach(a->sockets, n, o) if (ss_number(o, "pid") == v->pid) return true;
    return false;
}

static bool wanted(const struct ss_values *v, const struct control_answer *a, const json_t *socket)
{
    enum tern_state state = ss_state(socket);
    bool own = json_is_true(json_object_get(socket, "own"));

    if (v->pid && ss_number(socket, "pid") != v->pid && (uint64_t)a->pid != v->pid)
        return false;
    if (v->states)
        return v->states >> state & 1;
    if (v->listening)
        return state == TERN_LISTEN;
    return v->all || state != TERN_LISTEN || !own;
}

/* ---- the table ------------------------------------------------------------------------------- */

enum { ADDRESS_MAX = 80, PORT_MAX = 40 };

enum column { STATE, RECV_Q, SEND_Q, LOCAL, LOCAL_PORT, PEER, PEER_PORT, PROCESS, COLUMNS };

struct row {
    const json_t *socket; /* NULL: the headline */
    char text[COLUMNS][ADDRESS_MAX];
};

struct table {
    const struct ss_values *v;
    struct row *rows;
    size_t count, room;
    int width[COLUMNS];
};

static const char *state_text(enum tern_state state)
{
    switch (state) {
    case TERN_ESTABLISHED:
        return "ESTAB";
    case TERN_SYN_RECEIVED:
        return "SYN-RECV";
    case TERN_CLOSED:
        return "UNCONN";
    default:
        return tern_state_name(state);
    }
}

static void port_text(const struct ss_values *v, uint64_t port, char out[ADDRESS_MAX])
{
    const struct servent *service =
        v->numeric || port == 0 ? NULL : getservbyport(htons((uint16_t)port), "tcp");

    if (port == 0)
        snprintf(out, ADDRESS_MAX, "*");
    else if (service)
        snprintf(out, ADDRESS_MAX, "%.*s", PORT_MAX, service->s_name);
    else
        snprintf(out, ADDRESS_MAX, "%u", (unsigned)(uint16_t)port);
}

static void address_text(const json_t *socket, const char *name, char out[ADDRESS_MAX])
{
    char text[ADDRESS_MAX - 2];

    ss_text(socket, name, text, sizeof text);
    if (strcmp(text, "::") == 0) /* takes IPv4 as well */
        snprintf(out, ADDRESS_MAX, "*");
    else if (strchr(text, ':'))
        snprintf(out, ADDRESS_MAX, "[%.*s]", ADDRESS_MAX - 3, text);
    else
        snprintf(out, ADDRESS_MAX, "%s", text);
}

static void fill_row(const struct ss_values *v, struct row *r)
{
    const json_t *o = r->socket;
    enum tern_state state = ss_state(o);
    char name[32];

    snprintf(r->text[STATE], ADDRESS_MAX, "%s", state_text(state));
    snprintf(r->text[RECV_Q], ADDRESS_MAX, "%u", (unsigned)ss_number(o, "recv_q"));
    snprintf(r->text[SEND_Q], ADDRESS_MAX, "%u", (unsigned)ss_number(o, "send_q"));
    address_text(o, "local", r->text[LOCAL]);
    address_text(o, "peer", r->text[PEER]);
    if (state == TERN_LISTEN && strchr(r->text[LOCAL], '.'))
        snprintf(r->text[PEER], ADDRESS_MAX, "0.0.0.0");
    port_text(v, ss_number(o, "lport"), r->text[LOCAL_PORT]);
    port_text(v, ss_number(o, "pport"), r->text[PEER_PORT]);
    ss_text(o, "process", name, sizeof name);
    if (*name)
        snprintf(r->text[PROCESS], ADDRESS_MAX, "users:((\"%s\",pid=%u))", name,
                 (unsigned)ss_number(o, "pid"));
}

static struct row *add_row(struct table *t)
{
    if (t->count == t->room) {
        size_t room = t->room ? 2 * t->room : 64;
        struct row *rows = realloc(t->rows, room * sizeof *rows);
        if (!rows)
            return NULL;
        t->rows = rows;
        t->room = room;
    }
    struct row *r = &t->rows[t->count++];
    memset(r, 0, sizeof *r);
    return r;
}

static bool collect(struct table *t, const struct control_answer *answers, size_t count)
{
    static const char *const heads[COLUMNS] = {"State", "Recv-Q",       "Send-Q", "Local Address",
                                               "Port",  "Peer Address", "Port",   "Process"};
    struct row *r = add_row(t);
    const json_t *o;
    size_t n;

    for (int c = 0; r && c < COLUMNS; c++)
        snprintf(r->text[c], ADDRESS_MAX, "%s", heads[c]);
    for (size_t i = 0; i < count; i++)
        json_array_foreach(answers[i].sockets, n, o)
        {
            if (!wanted(t->v, &answers[i], o))
                continue;
            r = add_row(t);
            if (!r)
                return false;
            r->socket = o;
            fill_row(t->v, r);
        }
    for (size_t i = 0; i < t->count; i++)
        for (int c = 0; c < COLUMNS; c++)
            if ((int)strlen(t->rows[i].text[c]) > t->width[c])
                t->width[c] = (int)strlen(t->rows[i].text[c]);
    return r != NULL;
}

static void print_row(const struct table *t, const struct row *r)
{
    const int *w = t->width;

    printf("%-*s %-*s %-*s %*s:%-*s %*s:%-*s %s", w[STATE], r->text[STATE], w[RECV_Q],
           r->text[RECV_Q], w[SEND_Q], r->text[SEND_Q], w[LOCAL], r->text[LOCAL], w[LOCAL_PORT],
           r->text[LOCAL_PORT], w[PEER], r->text[PEER], w[PEER_PORT], r->text[PEER_PORT],
           r->text[PROCESS]);
    if (r->socket && (t->v->timers || t->v->info))
        ss_timer(stdout, r->socket);
    if (r->socket && t->v->info)
        ss_info(stdout, r->socket);
    putchar('\n');
}

static int show_table(const struct ss_values *v, const struct control_answer *answers, size_t count)
{
    struct table t = {.v = v};
    bool all = collect(&t, answers, count);

    for (size_t i = 0; i < t.count; i++)
        print_row(&t, &t.rows[i]);
    free(t.rows);
    return all ? CMD_OK : cmd_fail("ss", "out of memory");
}

/* ---- --json ---------------------------------------------------------------------------------- */

static int show_json(const struct ss_values *v, const struct control_answer *answers, size_t count)
{
    json_t *processes = json_array(), *o;
    size_t n;

    for (size_t i = 0; i < count; i++) {
        if (!wanted_process(v, &answers[i]))
            continue;
        json_t *sockets = json_array();
        json_t *head = answers[i].head ? json_copy(answers[i].head) : json_object();
        json_array_foreach(answers[i].sockets, n, o) if (wanted(v, &answers[i], o))(void)
            json_array_append(sockets, o);
        (void)json_object_del(head, "tern");
        (void)json_object_set_new(head, "pid", json_integer(answers[i].pid));
        if (answers[i].wrong[0])
            (void)json_object_set_new(head, "error", json_string(answers[i].wrong));
        (void)json_object_set_new(head, "sockets", sockets);
        (void)json_object_set(head, "stacks", answers[i].counters);
        (void)json_array_append_new(processes, head);
    }
    json_t *root = json_pack("{s:o}", "processes", processes);
    int err = root ? json_dumpf(root, stdout, JSON_INDENT(2)) : -1;
    json_decref(root);
    putchar('\n');
    return err < 0 ? cmd_fail("ss", "out of memory") : CMD_OK;
}

/* ---- the command ----------------------------------------------------------------------------- */

static int ss(const void *values, int argc, char **argv)
{
    const struct ss_values *v = values;
    struct control_answer *answers;
    char words[64];

    (void)argc;
    (void)argv;
    snprintf(words, sizeof words, "sockets%s%s", v->info || v->timers || v->json ? " info" : "",
             v->summary || v->json ? " counters" : "");
    size_t count = control_ask(&answers, words, TIMEOUT);
    int status = v->json ? show_json(v, answers, count) : CMD_OK;
    if (!v->json && !v->summary && count > 0)
        status = show_table(v, answers, count);
    for (size_t i = 0; i < count; i++) {
        if (v->summary && !v->json && answers[i].head && wanted_process(v, &answers[i]))
            ss_summary(stdout, &answers[i]);
        if (answers[i].wrong[0])
            status = cmd_fail("ss", "process %d %s", (int)answers[i].pid, answers[i].wrong);
    }
    if (count == 0)
        status = cmd_fail("ss", "no tern process is running that you may look into");
    control_answers_free(answers, count);
    return status;
}

const struct command cmd_ss = {
    .name = "ss",
    .summary = "show the sockets of running tern processes",
    .about =
        "Asks every tern process of yours (root: of everybody) for its sockets, in all states, "
        "and shows them as ss shows the kernel's.\n\n"
        "Recv-Q is what the program has not read, wherever it waits; Send-Q what the other end "
        "has not acknowledged. Of a listener they are the connections that wait to be accepted, "
        "and how many may. Process is the program that has the socket, not the tern around it; "
        "the far end of a connection under tern run is tern's own.\n\n"
        "Unlike ss, it shows listeners, SYN-RECV and TIME-WAIT without being asked to. A "
        "process that does not answer within 2 seconds is named and left out.",
    .status = "1 also when no tern process runs, or one did not answer.",
    .opts = ss_opts,
    .opt_count = sizeof(ss_opts) / sizeof(ss_opts[0]),
    .values_size = sizeof(struct ss_values),
    .examples = {{"tern ss", "all sockets of all programs under tern"},
                 {"tern ss -ni --state established", "connections, with what is inside"},
                 {"tern ss -s", "counters, and why packets were dropped"},
                 {"watch -n 0.2 tern ss -no", "states as they change, TIME-WAIT running out"}},
    .run = ss,
};
