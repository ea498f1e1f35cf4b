/* commands_net.c - ip, and the commands that show counters and sockets. */
#include "drill/shell.h"

#include "drill/tcpinfo.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- ip -------------------------------------------------------------------------------------- */

static bool is(const char *word, const char *name) { return strcmp(word, name) == 0; }

static int metric(struct shell_command *c, const char *name, const char *value)
{
    char full[64];
    snprintf(full, sizeof(full), "route.%s", name);
    return drill_settings_set(&c->sh->play->settings, full, value)
               ? 0
               : shell_fail(c->sh, "ip route: %s is not supported", name);
}

/* "200ms" or "0.2s" in us. */
static int rto_min(struct shell_command *c, const char *text)
{
    char *end, us[32];
    double v = strtod(text, &end);
    v *= is(end, "s") ? 1e6 : is(end, "us") ? 1 : 1e3;
    snprintf(us, sizeof(us), "%.0f", v);
    return metric(c, "rto_min_us", us);
}

static int route(struct shell_command *c, int at)
{
    static const char *const skipped[] = {"via",     "dev",    "src",    "proto",
                                          "scope",   "table",  "metric", "type",
                                          "default", "onlink", "local",  "unicast"};
    static const char *const metrics[] = {"advmss",   "initcwnd",
                                          "initrwnd", "quickack",
                                          "window",   "cwnd",
                                          "ssthresh", "reordering",
                                          "features", "fastopen_no_cookie"};
    if (at < c->argc &&
        (is(c->argv[at], "show") || is(c->argv[at], "list") || is(c->argv[at], "get") ||
         is(c->argv[at], "flush") || is(c->argv[at], "del"))) {
        drill_print(c->out, "default dev tun0\n");
        return 0;
    }
    for (at++; at < c->argc; at++) {
        const char *word = c->argv[at], *next = at + 1 < c->argc ? c->argv[at + 1] : "";
        size_t i = 0, k = 0;
        while (i < sizeof(metrics) / sizeof(metrics[0]) && !is(word, metrics[i]))
            i++;
        while (k < sizeof(skipped) / sizeof(skipped[0]) && !is(word, skipped[k]))
            k++;
        int status = 0;
        if (is(word, "mtu")) {
            bool lock = is(next, "lock");
            status = metric(c, "mtu_lock", lock ? "1" : "0");
            at += lock;
            if (status == 0 && at + 1 < c->argc)
                status = metric(c, "mtu", c->argv[++at]);
        } else if (is(word, "rto_min")) {
            at += is(next, "lock");
            status = at + 1 < c->argc ? rto_min(c, c->argv[++at]) : SHELL_ERROR;
        } else if (is(word, "congctl")) {
            status =
                drill_settings_set(&c->sh->play->settings, "net.ipv4.tcp_congestion_control", next)
                    ? 0
                    : SHELL_ERROR;
            at++;
        } else if (i < sizeof(metrics) / sizeof(metrics[0])) {
            if (is(next, "lock"))
                return shell_fail(c->sh, "ip route: %s lock is not supported", word);
            if (is(word, "features") && !is(next, "ecn"))
                return shell_fail(c->sh, "ip route: features %s is not supported", next);
            status = metric(c, word, is(word, "features") ? "1" : next);
            at++;
        } else if (k < sizeof(skipped) / sizeof(skipped[0])) {
            at += !is(word, "default") && !is(word, "onlink") && !is(word, "local") &&
                  !is(word, "unicast");
        } else if (strspn(word, "0123456789abcdef.:/") != strlen(word)) {
            return shell_fail(c->sh, "ip route: %s is not supported", word);
        }
        if (status != 0)
            return status;
    }
    return 0;
}

int shell_ip(struct shell_command *c)
{
    int at = 1;
    while (at < c->argc && c->argv[at][0] == '-')
        at++;
    const char *object = at < c->argc ? c->argv[at] : "";
    if (is(object, "tcp_metrics") || is(object, "tcpmetrics"))
        return 0; /* nothing is remembered between the connections of different scripts */
    if (is(object, "route") || is(object, "ro") || is(object, "r"))
        return route(c, at + 1);
    if (is(object, "link"))
        for (int i = at + 1; i + 1 < c->argc; i++)
            if (is(c->argv[i], "mtu"))
                return metric(c, "mtu", c->argv[i + 1]);
    if (is(object, "addr") || is(object, "address") || is(object, "neigh"))
        return 0;
    return shell_fail(c->sh, "ip %s is not supported", object);
}

/* ---- nstat ----------------------------------------------------------------------------------- */

static const char *const counters[] = {
#define X(name) #name,
    DRILL_COUNTERS(X)
#undef X
};
enum { COUNTERS = sizeof(counters) / sizeof(counters[0]) };
_Static_assert((int)COUNTERS <= 64, "as many as play.h has room for");

/* A counter that a script asks for by its name, and that the stack does not keep; NULL: none. */
static const char *not_kept(struct shell_command *c)
{
    uint64_t value;
    for (int k = 1; k < c->argc; k++) {
        const char *name = c->argv[k];
        if (*name != '-' && !strpbrk(name, "*?[") &&
            !c->sh->play->sut->ops->counter(c->sh->play->sut, name, &value))
            return name;
    }
    return NULL;
}

int shell_nstat(struct shell_command *c)
{
    struct play *p = c->sh->play;
    bool reset = false, absolute = false, zeros = false, keep = false, quiet = false;
    int first = c->argc;
    for (int i = 1; i < c->argc; i++) {
        const char *o = c->argv[i];
        if (*o != '-') {
            first = i < first ? i : first;
            continue;
        }
        reset |= strchr(o, 'n') && o[1] != '-' ? true : is(o, "--reset");
        quiet |= reset;
        absolute |= strchr(o, 'a') && o[1] != '-';
        zeros |= strchr(o, 'z') || is(o, "--zeros");
        keep |= strchr(o, 's') && o[1] != '-';
    }
    if (!play_start(p))
        return shell_fail(c->sh, "the stack does not start");
    if (not_kept(c))
        return shell_fail(c->sh, "nstat: %s is not counted", not_kept(c));
    for (size_t i = 0; i < COUNTERS; i++) {
        uint64_t now = 0;
        bool wanted = first == c->argc;
        p->sut->ops->counter(p->sut, counters[i], &now);
        for (int k = first; k < c->argc; k++)
            wanted |= c->argv[k][0] != '-' && fnmatch(c->argv[k], counters[i], 0) == 0;
        uint64_t shown = absolute ? now : now - p->counters_base[i];
        if (wanted && !quiet && (shown || zeros))
            drill_print(c->out, "%-32s%-16llu0.0\n", counters[i], (unsigned long long)shown);
        if (!keep)
            p->counters_base[i] = now;
    }
    return 0;
}

/* ---- sockets --------------------------------------------------------------------------------- */

struct state_name {
    const char *ours, *linux_name, *bsd;
};
static const struct state_name states[] = {
    {"LISTEN", "LISTEN", "LISTEN"},
    {"SYN-SENT", "SYN-SENT", "SYN_SENT"},
    {"SYN-RECEIVED", "SYN-RECV", "SYN_RCVD"},
    {"ESTABLISHED", "ESTAB", "ESTABLISHED"},
    {"FIN-WAIT-1", "FIN-WAIT-1", "FIN_WAIT_1"},
    {"FIN-WAIT-2", "FIN-WAIT-2", "FIN_WAIT_2"},
    {"CLOSE-WAIT", "CLOSE-WAIT", "CLOSE_WAIT"},
    {"CLOSING", "CLOSING", "CLOSING"},
    {"LAST-ACK", "LAST-ACK", "LAST_ACK"},
    {"TIME-WAIT", "TIME-WAIT", "TIME_WAIT"},
    {"CLOSED", "UNCONN", "CLOSED"},
};
enum { STATES = sizeof(states) / sizeof(states[0]) };

static void tcp_info_line(struct shell_command *c)
{
    struct play *p = c->sh->play;
    char info[DRILL_TCP_INFO_SIZE] = {0};
    int len = sizeof(info), fd = p->under_test ? p->under_test->script_fd : -1;
    if (fd < 0)
        return;
    const intptr_t args[6] = {p->names.live_fd[fd], 6, 11, (intptr_t)info, (intptr_t)&len};
    p->sut->ops->call(p->sut, DRILL_NR_getsockopt, args);
    drill_print(c->out, "\t ");
    const char *name;
    for (size_t i = 0; p->sut->ops->result(p->sut) == 0 && (name = drill_tcp_info_name(i)); i++) {
        int64_t value = 0;
        const char *shown = is(name, "snd_cwnd")       ? "cwnd"
                            : is(name, "snd_ssthresh") ? "ssthresh"
                            : is(name, "snd_mss")      ? "mss"
                            : is(name, "rcv_mss")      ? "rcvmss"
                                                       : name;
        drill_tcp_info_field(info, name, &value);
        if (value && !is(name, "rtt") && !is(name, "rto") && !is(name, "rttvar"))
            drill_print(c->out, " %s:%lld", shown, (long long)value);
        else if (is(name, "rto"))
            drill_print(c->out, " rto:%lld", (long long)value / 1000);
        else if (is(name, "rtt"))
            drill_print(c->out, " rtt:%g", (double)value / 1000);
    }
    drill_print(c->out, "\n");
}

/* A line for each socket, state first. */
int shell_ss(struct shell_command *c)
{
    struct play *p = c->sh->play;
    bool details = false, all = false, listening = false;
    const char *only = NULL;
    for (int i = 1; i < c->argc; i++) {
        if (c->argv[i][0] == '-') {
            details |= strchr(c->argv[i], 'i') != NULL;
            all |= strchr(c->argv[i], 'a') != NULL;
            listening |= strchr(c->argv[i], 'l') != NULL;
        } else if (is(c->argv[i], "state") && i + 1 < c->argc) {
            only = c->argv[++i];
        }
    }
    if (!play_start(p))
        return shell_fail(c->sh, "the stack does not start");
    drill_print(c->out, "State Recv-Q Send-Q Local Address:Port Peer Address:Port\n");
    for (size_t i = 0; i < STATES; i++) {
        unsigned n = p->sut->ops->in_state(p->sut, states[i].ours);
        bool shown = only ? strcasecmp(only, states[i].ours) == 0 ||
                                strcasecmp(only, states[i].linux_name) == 0
                          : all || (i == 0) == listening;
        for (unsigned k = 0; shown && k < n; k++)
            drill_print(c->out, "%s 0 0 local:%u remote:%u\n", states[i].linux_name,
                        p->conf.bind_port, p->conf.connect_port);
    }
    if (details)
        tcp_info_line(c);
    return 0;
}

int shell_sockstat(struct shell_command *c)
{
    struct play *p = c->sh->play;
    if (!play_start(p))
        return shell_fail(c->sh, "the stack does not start");
    for (size_t i = 0; i < STATES; i++) {
        unsigned n = p->sut->ops->in_state(p->sut, states[i].ours);
        for (unsigned k = 0; k < n; k++)
            drill_print(c->out, "root packetdrill 1 3 tcp4 local:%u remote:%u %s\n",
                        p->conf.bind_port, p->conf.connect_port, states[i].bsd);
    }
    return 0;
}
