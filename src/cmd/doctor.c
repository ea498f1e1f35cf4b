/* doctor.c - `tern doctor`: what this machine lets tern do, and what to do where it does not. */
#include "cmd/cmd.h"

#include "host/doctor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

struct doctor_values {
    bool json, fetch;
};

static const struct opt doctor_opts[] = {
    {OPT_FLAG(struct doctor_values, json), .name = "json", .help = "everything, as JSON"},
    {OPT_FLAG(struct doctor_values, fetch), .name = "fetch", .hidden = true,
     .help = "fetch a page from the built-in site: what tern doctor runs under tern run"},
};

static const struct {
    const char *verb;
    enum doctor_group group;
} verbs[] = {
    {"run", DOCTOR_RUN},     {"ss", DOCTOR_SS},      {"serve", DOCTOR_TUN},
    {"connect", DOCTOR_TUN}, {"listen", DOCTOR_TUN},
};
enum {
    VERBS = sizeof verbs / sizeof verbs[0],
    ID_WIDTH = 16,
};

static const char *const verb_words[] = {"run", "ss", "serve", "connect", "listen", NULL};

/* ---- the program under tern run -------------------------------------------------------------- */

static int fetch(void)
{
    static const char request[] = "GET / HTTP/1.0\r\n\r\n";
    struct sockaddr_in site = {.sin_family = AF_INET, .sin_port = htons(80)};
    struct timeval patience = {.tv_sec = 10};
    char answer[16] = "";
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return cmd_fail("doctor", "no socket: %s", strerror(errno));
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)inet_pton(AF_INET, "192.0.2.80", &site.sin_addr);
    if (connect(fd, (struct sockaddr *)&site, sizeof site) < 0)
        return cmd_fail("doctor", "connect: %s", strerror(errno));
    if (send(fd, request, sizeof request - 1, 0) < 0 ||
        recv(fd, answer, sizeof answer - 1, MSG_WAITALL) < 0)
        return cmd_fail("doctor", "the connection: %s", strerror(errno));
    close(fd);
    return strstr(answer, " 200 ") ? CMD_OK : cmd_fail("doctor", "no page, but: %s", answer);
}

/* ---- what is found --------------------------------------------------------------------------- */

static bool ready(const struct doctor_finding *at, size_t n, enum doctor_group group)
{
    for (size_t i = 0; i < n; i++)
        if (at[i].group == group && at[i].needed && !at[i].ok)
            return false;
    return true;
}

/* "tern serve, connect, listen" */
static void group_name(FILE *f, enum doctor_group group)
{
    const char *before = "tern ";

    for (int i = 0; i < VERBS; i++)
        if (verbs[i].group == group) {
            fprintf(f, "%s%s", before, verbs[i].verb);
            before = ", ";
        }
}

static void show(const struct doctor_finding *at, size_t n, const bool *groups)
{
    for (int g = 0; g < DOCTOR_GROUPS; g++) {
        enum doctor_group group = (enum doctor_group)g;
        if (!groups[g])
            continue;
        group_name(stdout, group);
        printf(": %s\n", ready(at, n, group) ? "ready" : "not here");
        for (size_t i = 0; i < n; i++) {
            if (at[i].group != group)
                continue;
            printf("  %s  %-*s%s%s%s\n", at[i].ok ? "ok" : "no", ID_WIDTH, at[i].id, at[i].what,
                   at[i].detail[0] ? ": " : "", at[i].detail);
            if (at[i].remedy[0])
                printf("%*s%s%s\n", ID_WIDTH + 6, "",
                       at[i].needed ? "" : "optional: ", at[i].remedy);
        }
    }
}

static int show_json(const struct doctor_finding *at, size_t n, const bool *groups)
{
    json_t *all = json_array(), *can = json_object();

    for (int i = 0; i < VERBS; i++)
        if (groups[verbs[i].group])
            (void)json_object_set_new(can, verbs[i].verb,
                                      json_boolean(ready(at, n, verbs[i].group)));
    for (size_t i = 0; i < n; i++) {
        json_t *for_verbs = json_array();
        for (int v = 0; v < VERBS; v++)
            if (verbs[v].group == at[i].group)
                (void)json_array_append_new(for_verbs, json_string(verbs[v].verb));
        (void)json_array_append_new(all, json_pack("{s:s, s:o, s:s, s:b, s:b, s:s, s:s}", "id",
                                                   at[i].id, "verbs", for_verbs, "what", at[i].what,
                                                   "ok", at[i].ok, "needed", at[i].needed, "detail",
                                                   at[i].detail, "remedy", at[i].remedy));
    }
    json_t *root = json_pack("{s:o, s:o}", "ready", can, "checks", all);
    int err = root ? json_dumpf(root, stdout, JSON_INDENT(2)) : -1;
    json_decref(root);
    putchar('\n');
    return err < 0 ? cmd_fail("doctor", "out of memory") : CMD_OK;
}

static bool chosen(bool groups[DOCTOR_GROUPS], int argc, char **argv)
{
    for (int g = 0; g < DOCTOR_GROUPS; g++)
        groups[g] = argc == 0;
    for (int i = 0; i < argc; i++) {
        int v = 0;
        while (v < VERBS && strcmp(verbs[v].verb, argv[i]) != 0)
            v++;
        if (v < VERBS) {
            groups[verbs[v].group] = true;
        } else if (!command_find(argv[i])) {
            cmd_fail("doctor", "%s: no such verb; tern help lists them", argv[i]);
            return false;
        }
    }
    return true;
}

static int doctor(const void *values, int argc, char **argv)
{
    static char self[] = "/proc/self/exe", tern[] = "run", q[] = "-q", end[] = "--",
                verb[] = "doctor", option[] = "--fetch";
    static char *const under_run[] = {self, tern, q, end, self, verb, option, NULL};
    const struct doctor_values *v = values;
    struct doctor_config cfg = {.fetch = under_run};
    struct doctor_finding found[DOCTOR_FINDINGS_MAX];

    if (v->fetch)
        return fetch();
    if (!chosen(cfg.groups, argc, argv))
        return CMD_USAGE;
    size_t n = doctor_examine(&cfg, found);
    if (v->json) {
        if (show_json(found, n, cfg.groups) != CMD_OK)
            return CMD_FAILED;
    } else {
        show(found, n, cfg.groups);
    }
    for (int g = 0; g < DOCTOR_GROUPS; g++)
        if (cfg.groups[g] && !ready(found, n, (enum doctor_group)g))
            return CMD_FAILED;
    return CMD_OK;
}

const struct command cmd_doctor = {
    .name = "doctor",
    .summary = "try what this machine lets tern do",
    .about = "Tries each thing that tern's verbs need from the kernel, from the container around "
             "them and from your rights, and says what to do where one is missing. What is "
             "optional tern goes without.\n\n"
             "Verbs that need nothing, such as drill, are always ready. Nothing is changed on the "
             "machine.",
    .status = "0: the verbs asked for (without any: all) are ready; 1: one is not; 2: wrong "
              "arguments.",
    .operands = "[VERB...]",
    .max_operands = CMD_ANY_NUMBER,
    .operand_words = verb_words,
    .opts = doctor_opts,
    .opt_count = sizeof(doctor_opts) / sizeof(doctor_opts[0]),
    .values_size = sizeof(struct doctor_values),
    .examples = {{"tern doctor", "everything"},
                 {"tern doctor run && tern run -- curl http://192.0.2.80/",
                  "in a script: only where it works"},
                 {"TERN_DISABLE=pidfd_getfd tern doctor run",
                  "as on a machine that lacks one of them"}},
    .run = doctor,
};
