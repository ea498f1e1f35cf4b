/* ss_info.c - what `tern ss` tells of a socket or a stack beyond the table, in ss(8)'s words. */
#include "cmd/ss.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#define NS_PER_MS 1000000u
#define MS_PER_S 1000u
#define MS_PER_MIN (60 * MS_PER_S)

/* "1min2.5sec", "59sec", "204ms", as ss has it. */
static void duration(FILE *f, uint64_t ns)
{
    uint64_t ms = ns / NS_PER_MS;

    if (ms >= MS_PER_MIN) {
        fprintf(f, "%" PRIu64 "min", ms / MS_PER_MIN);
        ms = ms % MS_PER_MIN / MS_PER_S * MS_PER_S;
        if (!ms)
            return;
    }
    if (ms < MS_PER_S)
        fprintf(f, "%" PRIu64 "ms", ms);
    else if (ms >= 10 * MS_PER_S || ms % MS_PER_S == 0)
        fprintf(f, "%" PRIu64 "sec", ms / MS_PER_S);
    else
        fprintf(f, "%" PRIu64 ".%03" PRIu64 "sec", ms / MS_PER_S, ms % MS_PER_S);
}

void ss_timer(FILE *f, const json_t *socket)
{
    const json_t *info = json_object_get(socket, "info");

    if (!json_object_get(socket, "timer_ns"))
        return;
    fprintf(f, " timer:(%s,", ss_state(socket) == TERN_TIME_WAIT ? "timewait" : "on");
    duration(f, ss_number(socket, "timer_ns"));
    fprintf(f, ",%" PRIu64 ")", ss_number(info, "retransmits"));
}

/* ---- -i -------------------------------------------------------------------------------------- */

/* A name and a value, unless that is 0. */
static void amount(FILE *f, const char *name, uint64_t value)
{
    if (value)
        fprintf(f, " %s:%" PRIu64, name, value);
}

static double ms(const json_t *info, const char *name)
{
    return (double)ss_number(info, name) / NS_PER_MS;
}

static bool yes(const json_t *info, const char *name)
{
    return json_is_true(json_object_get(info, name));
}

static void info_times(FILE *f, const json_t *i)
{
    fprintf(f, " rto:%.0f", ms(i, "rto_ns"));
    if (ss_number(i, "srtt_ns"))
        fprintf(f, " rtt:%.3g/%.3g", ms(i, "srtt_ns"), ms(i, "rttvar_ns"));
    if (ss_number(i, "min_rtt_ns"))
        fprintf(f, " minrtt:%.3g", ms(i, "min_rtt_ns"));
}

static void info_amounts(FILE *f, const json_t *i)
{
    uint64_t mss = ss_number(i, "snd_mss"), again = ss_number(i, "retransmits_total");
    uint64_t flying = ss_number(i, "tx_queued") - ss_number(i, "tx_unsent");

    amount(f, "mss", mss);
    amount(f, "rcvmss", ss_number(i, "rcv_mss"));
    amount(f, "advmss", ss_number(i, "mss_peer"));
    fprintf(f, " cwnd:%" PRIu64, mss ? ss_number(i, "cwnd") / mss : 0);
    if (mss && ss_number(i, "ssthresh") < INT32_MAX)
        amount(f, "ssthresh", ss_number(i, "ssthresh") / mss);
    amount(f, "bytes_sent", ss_number(i, "bytes_sent"));
    amount(f, "bytes_retrans", ss_number(i, "bytes_retransmitted"));
    amount(f, "bytes_received", ss_number(i, "bytes_received"));
    amount(f, "segs_out", ss_number(i, "segs_out"));
    amount(f, "segs_in", ss_number(i, "segs_in"));
    amount(f, "unacked", flying);
    if (again)
        fprintf(f, " retrans:%" PRIu64 "/%" PRIu64, ss_number(i, "retransmits"), again);
    amount(f, "rcv_ooopack", ss_number(i, "out_of_order"));
    amount(f, "rcv_space", ss_number(i, "rcvbuf"));
    fprintf(f, " snd_wnd:%" PRIu64 " rcv_wnd:%" PRIu64, ss_number(i, "snd_wnd"),
            ss_number(i, "rcv_wnd"));
    amount(f, "notsent", ss_number(i, "tx_unsent"));
    if (ss_number(i, "pacing_rate"))
        fprintf(f, " pacing_rate %" PRIu64 "bps", 8 * ss_number(i, "pacing_rate"));
    if (yes(i, "in_recovery"))
        fputs(" recovery", f);
}

void ss_info(FILE *f, const json_t *socket)
{
    const json_t *i = json_object_get(socket, "info");

    if (!i)
        return;
    fputs("\n\t", f);
    if (yes(i, "timestamps"))
        fputs(" ts", f);
    if (yes(i, "sack"))
        fputs(" sack", f);
    if (yes(i, "wscale"))
        fprintf(f, " wscale:%" PRIu64 ",%" PRIu64, ss_number(i, "snd_wscale"),
                ss_number(i, "rcv_wscale"));
    if (json_object_get(i, "cc"))
        fprintf(f, " %s", json_string_value(json_object_get(i, "cc")));
    info_times(f, i);
    info_amounts(f, i);
}

/* ---- -s -------------------------------------------------------------------------------------- */

static void states(FILE *f, const json_t *sockets, uint64_t stack, uint64_t orphans)
{
    unsigned count[TERN_STATE_COUNT] = {0}, all = 0;
    const char *before = " (";
    const json_t *o;
    size_t n;

    json_array_foreach(sockets, n, o) if (ss_number(o, "stack") == stack)
    {
        count[ss_state(o)]++;
        all++;
    }
    fprintf(f, "TCP:   %u", all);
    for (int i = 0; i < TERN_STATE_COUNT; i++)
        if (count[i]) {
            fprintf(f, "%s%s %u", before, tern_state_name((enum tern_state)i), count[i]);
            before = ", ";
        }
    if (orphans)
        fprintf(f, "; orphaned %" PRIu64, orphans);
    fputs(all ? ")\n" : "\n", f);
}

static void counted(FILE *f, const json_t *counters, const char *name, const char *kind,
                    const char *text)
{
    char key[64];
    size_t n = 0;

    for (; n < sizeof key - 1 && name[n]; n++)
        key[n] = (char)tolower((unsigned char)name[n]);
    key[n] = 0;
    uint64_t value = ss_number(counters, key);
    if (value)
        fprintf(f, "  %10" PRIu64 "  %s%s\n", value, kind, text);
}

void ss_summary(FILE *f, const struct control_answer *a)
{
    char verb[32], program[128], name[64];
    const json_t *o;
    size_t n;

    ss_text(a->head, "verb", verb, sizeof verb);
    ss_text(a->head, "program", program, sizeof program);
    fprintf(f, "tern %s%s%s, process %d\n", verb, *program ? " " : "", program, (int)a->pid);
    json_array_foreach(a->counters, n, o)
    {
        const json_t *counters = json_object_get(o, "counters"),
                     *drops = json_object_get(o, "drops");
        const json_t *memory = json_object_get(o, "memory");
        ss_text(o, "name", name, sizeof name);
        fprintf(f, "\n%s\n", name);
        states(f, a->sockets, ss_number(o, "stack"), ss_number(memory, "orphans"));
        fprintf(f, "Memory: %" PRIu64 " bytes, %" PRIu64 " at most\n", ss_number(memory, "bytes"),
                ss_number(memory, "bytes_peak"));
#define X(id, text) counted(f, counters, #id, "", text);
        TERN_COUNTERS(X)
#undef X
#define X(id, text) counted(f, drops, #id, "dropped: ", text);
        TERN_DROPS(X)
#undef X
    }
    fputc('\n', f);
}
