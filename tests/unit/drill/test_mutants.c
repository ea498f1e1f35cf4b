/* test_mutants.c - mistakes in the scripts of the tree, one at a time: each must be noticed.
 *
 * Of every kind of check there is a kind of mistake: a number, a flag, an option, a mark, a window,
 * a time, a result, an errno, what a call stores, an assertion. Each is made in many lines of many
 * scripts; a script that still passes is a check that does not check. */
#include "test.h"

#include "drill/drill.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 512, EACH = 24 };

/* A line with the mistake in it; false: it is not for lines like this. */
typedef bool mistake_fn(char out[LINE], const char *line);

/* `line` with `to` in the place of `len` bytes at `at`. */
static bool put(char out[LINE], const char *line, const char *at, size_t len, const char *to)
{
    int n = snprintf(out, LINE, "%.*s%s%s", (int)(at - line), line, to, at + len);
    return n > 0 && n < LINE;
}

/* The number behind `before` is another one. */
static bool other_number(char out[LINE], const char *line, const char *before, int64_t by)
{
    char *end, text[32];
    const char *at = strstr(line, before);
    if (!at)
        return false;
    at += strlen(before);
    long long n = strtoll(at, &end, 10);
    if (end == at || n + by < 0)
        return false;
    snprintf(text, sizeof(text), "%lld", n + (long long)by);
    return put(out, line, at, (size_t)(end - at), text);
}

static const char *sent(const char *line)
{
    const char *at = strstr(line, " > ");
    return at && !strstr(line, "%{") && !strstr(line, "icmp") ? at + 3 : NULL;
}

static bool ack(char out[LINE], const char *line)
{
    return sent(line) && !strstr(line, "R ") && other_number(out, line, " ack ", 1);
}

static bool length(char out[LINE], const char *line)
{
    unsigned from, to, len;
    char text[64];
    const char *at = sent(line);
    at = at ? strpbrk(at, "0123456789") : NULL;
    if (!at || sscanf(at, "%u:%u(%u)", &from, &to, &len) != 3)
        return false;
    snprintf(text, sizeof(text), "%u:%u(%u)", from, to + 1, len + 1);
    return put(out, line, at, strcspn(at, " \n"), text);
}

static bool sequence(char out[LINE], const char *line)
{
    unsigned from, to, len;
    char text[64];
    const char *at = sent(line);
    if (!at || *at == 'S') /* what a SYN has is what the script calls it */
        return false;
    at = strpbrk(at, "0123456789");
    if (!at || sscanf(at, "%u:%u(%u)", &from, &to, &len) != 3)
        return false;
    snprintf(text, sizeof(text), "%u:%u(%u)", from + 7, to + 7, len);
    return put(out, line, at, strcspn(at, " \n"), text);
}

static bool flag(char out[LINE], const char *line)
{
    const char *at = sent(line);
    return at && strchr("SF.R", *at) && put(out, line, at, 0, *at == 'F' ? "S" : "F");
}

static bool mark(char out[LINE], const char *line)
{
    const char *at = sent(line);
    return at && *at != '[' && *at != '(' && put(out, line, at, 0, "[ce] ");
}

static bool window(char out[LINE], const char *line)
{
    const char *at = sent(line), *end = at ? strchr(at, '<') : NULL;
    if (!at || strstr(at, " win "))
        return false;
    end = end ? end : at + strcspn(at, "\n");
    return put(out, line, end, 0, " win 3 ");
}

static bool option(char out[LINE], const char *line)
{
    const char *at = sent(line) ? strchr(sent(line), '<') : NULL;
    return at && at[1] != '.' && put(out, line, at + 1, 0, "nop,");
}

static bool no_options(char out[LINE], const char *line)
{
    const char *at = sent(line) ? strchr(sent(line), '<') : NULL;
    return at && at[1] != '.' && put(out, line, at, strcspn(at, "\n"), "");
}

static bool block(char out[LINE], const char *line)
{
    return sent(line) && other_number(out, line, "sack ", 1);
}

static bool key(char out[LINE], const char *line)
{
    const char *at = sent(line) ? strstr(sent(line), "md5 \"") : NULL;
    return at && put(out, line, at + 5, 0, "x");
}

static bool later(char out[LINE], const char *line)
{
    const char *at = strstr(line, "+0 > ");
    return at && put(out, line, at, 2, "+.7");
}

static bool result(char out[LINE], const char *line)
{
    return strstr(line, "write(") && other_number(out, line, ") = ", 1);
}

static bool received(char out[LINE], const char *line)
{
    return strstr(line, "read(") && other_number(out, line, ") = ", 1);
}

static bool succeeds(char out[LINE], const char *line)
{
    const char *at = strstr(line, ") = -1 E");
    return at && put(out, line, at, strlen(") = -1"), ") = 77") && strstr(out, "= 77 E");
}

static bool fails(char out[LINE], const char *line)
{
    const char *at = strstr(line, "listen(") ? strstr(line, ") = 0") : NULL;
    return at && put(out, line, at, 5, ") = -1 EIO (no)");
}

static bool other_errno(char out[LINE], const char *line)
{
    const char *at = strstr(line, ") = -1 E");
    return at && put(out, line, at + 7, strcspn(at + 7, " \n"), "ENOSYS");
}

static bool assertion(char out[LINE], const char *line)
{
    return other_number(out, line, " == ", 1);
}

/* What a control message brings. */
static bool message_number(char out[LINE], const char *line)
{
    return other_number(out, line, "cmsg_data=", 1) || other_number(out, line, "ee_data=", 1) ||
           other_number(out, line, "ee_code=", 1);
}

static bool message_kind(char out[LINE], const char *line)
{
    const char *at = strstr(line, "recvmsg(") ? strstr(line, "cmsg_type=") : NULL;
    return at && put(out, line, at + 10, strcspn(at + 10, ","), "SCM_RIGHTS");
}

static bool message_missing(char out[LINE], const char *line)
{
    const char *at = strstr(line, "recvmsg(") ? strstr(line, "msg_control=[{") : NULL;
    const char *end = at ? strstr(at, "}]") : NULL;
    return end && put(out, line, at + 13, (size_t)(end + 1 - at - 13), "");
}

static bool message_time(char out[LINE], const char *line)
{
    return other_number(out, line, "scm_nsec=", 50000000);
}

/* What a command prints. */
static bool counted(char out[LINE], const char *line)
{
    return strstr(line, "nstat") && other_number(out, line, " -eq ", 1);
}

static bool events(char out[LINE], const char *line)
{
    const char *at = strstr(line, "revents=");
    return at && put(out, line, at + 8, strcspn(at + 8, "},"), "POLLNVAL");
}

static bool polled_events(char out[LINE], const char *line)
{
    const char *at = strstr(line, "epoll_wait(") ? strstr(line, "events=EPOLL") : NULL;
    return at && !strstr(line, ") = 0") && put(out, line, at + 7, 0, "EPOLLMSG|");
}

static bool option_text(char out[LINE], const char *line)
{
    const char *at = strstr(line, "getsockopt(") ? strchr(line, '"') : NULL;
    return at && put(out, line, at + 1, 1, "x");
}

static bool address(char out[LINE], const char *line)
{
    return strstr(line, "name(") && strstr(line, ") = 0") && other_number(out, line, "htons(", 1);
}

static bool family(char out[LINE], const char *line)
{
    const char *at =
        strstr(line, "name(") && strstr(line, ") = 0") ? strstr(line, "=AF_INET,") : NULL;
    return at && put(out, line, at + 8, 0, "6");
}

/* What a call has made of an offset. */
static bool offset(char out[LINE], const char *line)
{
    const char *at = strstr(line, "splice(") ? strchr(line, '[') : strstr(line, "sendfile(");
    at = at ? strchr(at, '[') : NULL;
    const char *comma = at ? strstr(at, ", ") : NULL;
    return comma && comma < strchr(at, ']') && put(out, line, comma + 2, 0, "9");
}

static const struct mistake {
    const char *name;
    mistake_fn *make;
    int least; /* so many are to be made */
} mistakes[] = {
    {"acknowledgement", ack, EACH},
    {"length", length, EACH},
    {"sequence number", sequence, EACH},
    {"flag", flag, EACH},
    {"mark", mark, EACH},
    {"window", window, EACH},
    {"option more", option, EACH},
    {"no options", no_options, EACH},
    {"SACK block", block, EACH},
    {"key of a signature", key, 8},
    {"time", later, EACH},
    {"result of write", result, EACH},
    {"result of read", received, EACH},
    {"no failure", succeeds, 8},
    {"failure", fails, EACH},
    {"errno", other_errno, 8},
    {"assertion", assertion, EACH},
    {"revents", events, 1},
    {"number in a control message", message_number, 16},
    {"kind of control message", message_kind, EACH},
    {"control message less", message_missing, EACH},
    {"time in a control message", message_time, 8},
    {"counter", counted, 4},
    {"events of epoll_wait", polled_events, 8},
    {"string of an option", option_text, 1},
    {"offset of a file", offset, 2},
    {"port of an address", address, 1},
    {"family of an address", family, 1},
};
enum { MISTAKES = sizeof(mistakes) / sizeof(mistakes[0]) };

static int made[MISTAKES];

static enum drill_verdict verdict(const char *text, size_t len)
{
    struct drill_result r;
    const struct drill_request request = {.path = "t.pkt", .family = DRILL_IPV4};
    drill_play_text(&request, text, len, &r);
    enum drill_verdict v = r.verdict;
    drill_result_free(&r);
    return v;
}

/* Makes one mistake in the line at `at`, if it is of that kind. */
static void try_line(const char *path, const char *text, const char *at, size_t kind)
{
    char line[LINE], wrong[LINE];
    size_t len = strcspn(at, "\n");
    struct drill_text t = {0};
    if (len >= LINE || made[kind] >= EACH)
        return;
    memcpy(line, at, len);
    line[len] = '\0';
    if (line[0] == '/' || !mistakes[kind].make(wrong, line))
        return;
    drill_put(&t, text, (size_t)(at - text));
    drill_print(&t, "%s%s", wrong, at + len);
    if (verdict(drill_string(&t), t.len) != DRILL_FAILED) /* (nor is it unreadable) */
        fail_msg("%s: a wrong %s is not noticed: %s", path, mistakes[kind].name, wrong);
    drill_text_free(&t);
    made[kind]++;
}

/* One mistake of each kind in a script, in a line that the script's number chooses. */
static void try_script(const char *path, unsigned number)
{
    size_t len;
    char *text = drill_file(path, &len), line[LINE], out[LINE];
    if (!text || verdict(text, len) != DRILL_PASSED) { /* (one for IPv6 alone, say) */
        free(text);
        return;
    }
    for (size_t kind = 0; kind < MISTAKES; kind++) {
        const char *found[64];
        unsigned n = 0;
        for (const char *at = text; *at && n < 64; at += strcspn(at, "\n"), at += *at == '\n') {
            size_t l = strcspn(at, "\n");
            if (l >= LINE)
                continue;
            memcpy(line, at, l);
            line[l] = '\0';
            if (line[0] != '/' && mistakes[kind].make(out, line))
                found[n++] = at;
        }
        if (n > 0)
            try_line(path, text, found[number % n], kind);
    }
    free(text);
}

static int no_dots(const struct dirent *e) { return e->d_name[0] != '.'; }

static void every_kind(void **state)
{
    static const char *const topics[] = {"active",  "close",    "cwnd",    "handshake", "receive",
                                         "rfc5961", "recovery", "timeout", "sack",      "linux"};
    const char *root = getenv("TERN_ROOT");
    unsigned number = 0;
    (void)state;
    for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++) {
        char folder[512], path[1024];
        struct dirent **entries;
        snprintf(folder, sizeof(folder), "%s/tests/drill/%s", root ? root : ".", topics[i]);
        int n = scandir(folder, &entries, no_dots, alphasort);
        assert_true(n > 0);
        for (int k = 0; k < n; k++) {
            snprintf(path, sizeof(path), "%s/%s", folder, entries[k]->d_name);
            try_script(path, number++);
            free(entries[k]);
        }
        free(entries);
    }
    for (size_t kind = 0; kind < MISTAKES; kind++)
        if (made[kind] < mistakes[kind].least)
            fail_msg("a wrong %s: only %d", mistakes[kind].name, made[kind]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_kind)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
