/* test_info_fields.c - every field of struct tcp_info has a meaning, and a test that says so: one
 * row each, of which docs/SOCKETS.md is made. A field of the struct that has no row fails, and so
 * does a row whose test asserts nothing about it. With TERN_UPDATE=1 the document is made to have
 * the table. The scripts in tests/drill/linux are held against Linux, too.
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

static const struct {
    const char *field, *meaning, *test;
} rows[] = {
    /* clang-format off */
    {"state", "TCP_ESTABLISHED and so on; TIME-WAIT is TCP_CLOSE",
     "tests/drill/linux/info-received.pkt"},
    {"ca_state", "what loss recovery does: Open, Disorder, CWR, Recovery, Loss",
     "tests/drill/linux/info-ce.pkt"},
    {"retransmits", "time-outs in a row of the first segment not acknowledged",
     "tests/drill/linux/info-rto.pkt"},
    {"probes", "window or keep-alive probes without an answer",
     "tests/drill/linux/info-probes.pkt"},
    {"backoff", "how often the timer has doubled", "tests/drill/linux/info-rto.pkt"},
    {"options", "TCPI_OPT_*: what was agreed upon", "tests/drill/linux/info-ce.pkt"},
    {"snd_wscale", "the peer's window scale", "tests/drill/linux/info-idle.pkt"},
    {"rcv_wscale", "ours", "tests/drill/linux/info-rcv-wnd.pkt"},
    {"delivery_rate_app_limited", "there was too little to send when delivery_rate was measured",
     "tests/drill/linux/info-rates.pkt"},
    {"fastopen_client_fail", "why a SYN's data was not taken",
     "tests/drill/linux/fastopen-client.pkt"},
    {"rto", "us; the retransmission timer", "tests/drill/linux/info-rto.pkt"},
    {"ato", "us; how long an acknowledgement may be delayed",
     "tests/drill/linux/info-received.pkt"},
    {"snd_mss", "payload of a full segment", "tests/drill/linux/info-idle.pkt"},
    {"rcv_mss", "the largest segment received lately", "tests/drill/linux/info-received.pkt"},
    {"unacked", "segments in flight; of a listener: how many wait",
     "tests/drill/linux/info-sent.pkt"},
    {"sacked", "of these, SACKed; of a listener: how many may wait",
     "tests/drill/linux/info-sack.pkt"},
    {"lost", "of these, taken for lost", "tests/drill/linux/info-sack.pkt"},
    {"retrans", "of these, sent again", "tests/drill/linux/info-rto.pkt"},
    {"fackets", "always 0, as in Linux", "tests/drill/linux/info-idle.pkt"},
    {"last_data_sent", "ms since", "tests/drill/linux/info-sent.pkt"},
    {"last_ack_sent", "always 0, as in Linux", "tests/drill/linux/info-idle.pkt"},
    {"last_data_recv", "ms since", "tests/drill/linux/info-received.pkt"},
    {"last_ack_recv", "ms since", "tests/drill/linux/info-sent.pkt"},
    {"pmtu", "the path's MTU", "tests/drill/linux/info-idle.pkt"},
    {"rcv_ssthresh", "how far the window may open; here the buffer",
     "tests/drill/linux/info-rcv-wnd.pkt"},
    {"rtt", "us; smoothed", "tests/drill/linux/info-idle.pkt"},
    {"rttvar", "us; its variation", "tests/drill/linux/info-idle.pkt"},
    {"snd_ssthresh", "segments", "tests/drill/linux/info-ce.pkt"},
    {"snd_cwnd", "segments", "tests/drill/linux/info-idle.pkt"},
    {"advmss", "the MSS that was offered, without options", "tests/drill/linux/info-idle.pkt"},
    {"reordering", "segments by which the path reorders", "tests/drill/linux/info-reordered.pkt"},
    {"rcv_rtt", "us; as the receiver of data sees it", "tests/drill/linux/info-rcv-rtt.pkt"},
    {"rcv_space", "bytes read in one of them", "tests/drill/linux/info-rcv-space.pkt"},
    {"total_retrans", "segments sent again, of all", "tests/drill/linux/info-rto.pkt"},
    {"pacing_rate", "bytes a second", "tests/drill/linux/info-rates.pkt"},
    {"max_pacing_rate", "SO_MAX_PACING_RATE", "tests/drill/linux/info-rates.pkt"},
    {"bytes_acked", "of ours", "tests/drill/linux/info-sent.pkt"},
    {"bytes_received", "in order", "tests/drill/linux/info-received.pkt"},
    {"segs_out", "of all kinds", "tests/drill/linux/info-sent.pkt"},
    {"segs_in", "of all kinds", "tests/drill/linux/info-received.pkt"},
    {"notsent_bytes", "written and not sent", "tests/drill/linux/info-rwnd-limited.pkt"},
    {"min_rtt", "us; the least lately", "tests/drill/linux/info-idle.pkt"},
    {"data_segs_in", "with data", "tests/drill/linux/info-received.pkt"},
    {"data_segs_out", "with data", "tests/drill/linux/info-sack.pkt"},
    {"delivery_rate", "bytes a second", "tests/drill/linux/info-rates.pkt"},
    {"busy_time", "us with something to be acknowledged", "tests/drill/linux/info-sent.pkt"},
    {"rwnd_limited", "us that the peer's window was the limit",
     "tests/drill/linux/info-rwnd-limited.pkt"},
    {"sndbuf_limited", "us that the send buffer was", "tests/unit/posix/test_info.c"},
    {"delivered", "segments the peer has told of, our SYN counted",
     "tests/drill/linux/info-ce.pkt"},
    {"delivered_ce", "of these, with a mark", "tests/drill/linux/info-ce.pkt"},
    {"bytes_sent", "those sent again, too", "tests/drill/linux/info-rto.pkt"},
    {"bytes_retrans", "those alone", "tests/drill/linux/info-rto.pkt"},
    {"dsack_dups", "duplicates that the peer has reported", "tests/drill/linux/info-dsack.pkt"},
    {"reord_seen", "how often the path has reordered", "tests/drill/linux/info-reordered.pkt"},
    {"rcv_ooopack", "segments received out of order", "tests/drill/linux/info-received.pkt"},
    {"snd_wnd", "the peer's window", "tests/drill/linux/info-probes.pkt"},
    {"rcv_wnd", "the window that was offered last", "tests/drill/linux/info-rcv-wnd.pkt"},
    {"rehash", "always 0: there is one path", "tests/drill/linux/info-idle.pkt"},
    {"total_rto", "retransmission time-outs", "tests/drill/linux/info-rto.pkt"},
    {"total_rto_recoveries", "runs of them", "tests/drill/linux/info-rto.pkt"},
    {"total_rto_time", "ms spent in such runs", "tests/drill/linux/info-rto.pkt"},
    {"received_ce", "AccECN: packets with CE", "tests/drill/ecn/info-accecn.pkt"},
    {"delivered_e1_bytes", "AccECN: of ours, as they arrived: ECT(1)",
     "tests/drill/ecn/info-accecn.pkt"},
    {"delivered_e0_bytes", "ECT(0)", "tests/drill/ecn/info-accecn.pkt"},
    {"delivered_ce_bytes", "CE", "tests/drill/ecn/info-accecn.pkt"},
    {"received_e1_bytes", "AccECN: of the peer's: ECT(1)", "tests/drill/ecn/info-accecn.pkt"},
    {"received_e0_bytes", "ECT(0)", "tests/drill/ecn/info-accecn.pkt"},
    {"received_ce_bytes", "CE", "tests/drill/ecn/info-accecn.pkt"},
    {"accecn_fail_mode", "AccECN: 1, 2: no ACE sent, received; 4, 8: no option",
     "tests/drill/ecn/info-accecn-fails.pkt"},
    {"accecn_opt_seen", "AccECN: the peer's option: 1 empty, 2 with counters, 3 spoilt",
     "tests/drill/ecn/info-accecn.pkt"},
    /* clang-format on */
};
enum { COUNT = sizeof rows / sizeof rows[0] };

static char page[131072];

static const char *path_of(const char *name)
{
    static char path[4096];
    const char *root = getenv("TERN_ROOT"); /* started by hand: from the project's folder */
    snprintf(path, sizeof path, "%s/%s", root != NULL ? root : ".", name);
    return path;
}

static void read_page(const char *name)
{
    FILE *f = fopen(path_of(name), "r");
    if (f == NULL)
        fail_msg("there is no %s", name);
    size_t len = fread(page, 1, sizeof page - 1, f);
    page[len] = 0;
    fclose(f);
    assert_true(len != 0 && len < sizeof page - 1);
}

/* The struct's fields, in their order, are the rows. */
static void every_field_has_a_row(void **state)
{
    (void)state;
    read_page("include/tern/socket.h");
    char *at = strstr(page, "struct tern_linux_tcp_info {"), *end;
    assert_non_null(at);
    end = strstr(at, "};");
    assert_non_null(end);
    *end = 0;
    size_t n = 0;
    while ((at = strstr(at, "tcpi_")) != NULL) {
        char name[64];
        assert_int_equal(sscanf(at, "tcpi_%63[a-z0-9_]", name), 1);
        if (n == COUNT)
            fail_msg("tcpi_%s has no row", name);
        assert_string_equal(rows[n].field, name);
        at += strlen("tcpi_") + strlen(name);
        n++;
    }
    assert_int_equal(n, COUNT);
}

/* In the page: `assert`, and on the same line, before the next `;`, the field's whole name. */
static bool asserted(const char *field)
{
    char name[80];
    size_t len = (size_t)snprintf(name, sizeof name, "tcpi_%s", field);
    for (const char *at = page; (at = strstr(at, name)) != NULL; at += len) {
        const char *from = at;
        if (isalnum((unsigned char)at[len]) || at[len] == '_')
            continue;
        while (from > page && from[-1] != '\n' && from[-1] != ';')
            from--;
        const char *word = strstr(from, "assert");
        if (word != NULL && word < at)
            return true;
    }
    return false;
}

static void every_row_is_tested(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        read_page(rows[i].test);
        if (!asserted(rows[i].field))
            fail_msg("%s asserts nothing about tcpi_%s", rows[i].test, rows[i].field);
    }
}

static void document_is_up_to_date(void **state)
{
    static const char begin[] = "<!-- fields -->\n", end[] = "<!-- end of fields -->\n";
    char *want;
    size_t size;
    (void)state;
    read_page("docs/SOCKETS.md");
    const char *from = strstr(page, begin), *to = strstr(page, end);
    assert_true(from != NULL && to != NULL);
    FILE *f = open_memstream(&want, &size);
    assert_non_null(f);
    fprintf(f, "%.*s%s| field | what it says | test |\n| --- | --- | --- |\n", (int)(from - page),
            page, begin);
    for (size_t i = 0; i < COUNT; i++) {
        const char *name = strrchr(rows[i].test, '/') + 1;
        fprintf(f, "| `%s` | %s | [%s](../%s) |\n", rows[i].field, rows[i].meaning, name,
                rows[i].test);
    }
    fputs(to, f);
    fclose(f);
    if (getenv("TERN_UPDATE") != NULL) {
        f = fopen(path_of("docs/SOCKETS.md"), "w");
        assert_non_null(f);
        fputs(want, f);
        fclose(f);
    } else {
        assert_string_equal(page, want);
    }
    free(want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_has_a_row),
        cmocka_unit_test(every_row_is_tested),
        cmocka_unit_test(document_is_up_to_date),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
