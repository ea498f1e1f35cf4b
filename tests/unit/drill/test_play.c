/* test_play.c - the player: a script that is right passes, and each of its mutations fails.
 *
 * A mutation changes one thing of one kind of check: a number, a flag, an option or their order, an
 * errno, a time, an assertion, a command. One that passes is a check that does not check. */
#include "test.h"

#include "drill/drill.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LISTEN                                                                                     \
    "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"                                                \
    "+0 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0\n"                                     \
    "+0 bind(3, ..., ...) = 0\n"                                                                   \
    "+0 listen(3, 1) = 0\n"
#define OPEN                                                                                       \
    LISTEN "+0 < S 0:0(0) win 32792 <mss 1460,sackOK,nop,nop,nop,wscale 7>\n"                      \
           "+0 > S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK,nop,wscale 7>\n"                         \
           "+.1 < . 1:1(0) ack 1 win 257\n"                                                        \
           "+0 accept(3, ..., ...) = 4\n"

static struct drill_result play(const char *text)
{
    struct drill_result r;
    const struct drill_request request = {.path = "t.pkt", .family = DRILL_IPV4};
    drill_play_text(&request, text, strlen(text), &r);
    return r;
}

static void passes(const char *text)
{
    struct drill_result r = play(text);
    if (r.verdict != DRILL_PASSED)
        fail_msg("%s%s", text, drill_string(&r.message));
    drill_result_free(&r);
}

/* It fails, and says `how` (a part of the message; NULL: anything). */
static void fails(const char *text, const char *how)
{
    struct drill_result r = play(text);
    if (r.verdict == DRILL_PASSED)
        fail_msg("passes, and must not:\n%s", text);
    if (how && !strstr(drill_string(&r.message), how))
        fail_msg("%s\nis not in\n%s", how, drill_string(&r.message));
    drill_result_free(&r);
}

struct mutation {
    const char *from, *to, *how;
};

/* Replaces the first `from` of the text. */
static void mutate(const char *text, const struct mutation *m)
{
    const char *at = strstr(text, m->from);
    struct drill_text t = {0};
    if (!at)
        fail_msg("no '%s' to be mutated in\n%s", m->from, text);
    drill_put(&t, text, (size_t)(at - text));
    drill_print(&t, "%s%s", m->to, at + strlen(m->from));
    fails(drill_string(&t), m->how);
    drill_text_free(&t);
}

#define MUTATE(text, list)                                                                         \
    do {                                                                                           \
        passes(text);                                                                              \
        for (size_t i_ = 0; i_ < sizeof(list) / sizeof((list)[0]); i_++)                           \
            mutate(text, &(list)[i_]);                                                             \
    } while (0)

static void handshake(void **state)
{
    (void)state;
    static const struct mutation m[] = {
        {"> S. 0:0(0) ack 1", "> S. 0:0(0) ack 2", "tcp_ack: expected: 2 (0x2) vs actual: 1"},
        {"> S.", "> S", "tcp_flags: expected: S vs actual: S."},
        {"> S.", "> SE.", "tcp_flags: expected: S.E vs actual: S."},
        {"1460,nop,nop,sackOK,nop", "1461,nop,nop,sackOK,nop", "bad outbound TCP options"},
        {"nop,nop,sackOK,nop,wscale 7>\n+.1", "sackOK,nop,nop,nop,wscale 7>\n+.1",
         "expected: <mss 1460,sackOK,nop,nop,nop,wscale 7> vs actual: <mss 1460,nop,nop,sackOK"},
        {"nop,wscale 7>\n+.1", "nop,wscale 8>\n+.1", "bad outbound TCP options"},
        {"ack 1 <mss 1460,nop,nop,sackOK,nop,wscale 7>", "ack 1", "expected: none vs actual"},
        {"+0 > S.", "+.1 > S.",
         "timing error: expected outbound packet at 0.100000 sec but happened at 0.000000 sec; "
         "tolerance 0.004000 sec"},
        {"+0 > S.", "+.01~+.02 > S.", "timing error"},
        {"= 4\n", "= -1 EAGAIN (no)\n", "Expected result -1 but got"},
        {"listen(3, 1) = 0", "listen(3, 1) = -1 EINVAL (no)", "Expected result -1 but got 0"},
        {"listen(3, 1)", "listen(7, 1)", "got -1 with errno 9 (EBADF)"},
        {"ack 1 <mss 1460,nop", "ack 1 win 1 <mss 1460,nop", "tcp_window_size: expected: 1"},
        {"> S.", "> [ce] S.", "ip_ecn: expected: 3"},
    };
    MUTATE(OPEN, m);
}

static void data(void **state)
{
    (void)state;
    static const char text[] = OPEN "+0 write(4, ..., 3000) = 3000\n"
                                    "+0 > P. 1:3001(3000) ack 1\n"
                                    "+.05 < . 1:1(0) ack 3001 win 257\n"
                                    "+0 < P. 1:101(100) ack 3001 win 257\n"
                                    "+0 > . 3001:3001(0) ack 101\n"
                                    "+0 ioctl(4, SIOCINQ, [100]) = 0\n"
                                    "+0 read(4, ..., 1000) = 100\n"
                                    "+0 < P. 201:301(100) ack 3001 win 257\n"
                                    "+0 > . 3001:3001(0) ack 101 <nop,nop,sack 201:301>\n";
    static const struct mutation m[] = {
        {"1:3001(3000)", "1:3002(3001)", "live packet field"},
        {"1:3001(3000)", "1:3000(2999)", "live packet field"},
        {"> P. 1:3001", "> . 1:3001", "tcp_flags"},
        {"> P. 1:3001(3000)", "> P. 2:3002(3000)", "tcp_seq"},
        {"[100]", "[101]", "expected [101] but got [100]"},
        {"= 100\n", "= 99\n", "Expected result 99 but got 100"},
        {"sack 201:301", "sack 201:302", "bad outbound TCP options"},
        {"sack 201:301>", "sack 201:301 401:501>", "bad outbound TCP options"},
    };
    struct drill_text strict = {0};
    MUTATE(text, m);
    drill_print(&strict, "--strict_segments\n`sysctl -q net.ipv4.tcp_min_tso_segs=3`\n%s", text);
    passes(drill_string(&strict)); /* one super-segment */
    drill_text_free(&strict);
}

static void errors(void **state)
{
    (void)state;
    static const char text[] =
        OPEN "+0 fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0\n"
             "+0 read(4, ..., 100) = -1 EAGAIN (Resource temporarily unavailable)\n"
             "+0 getsockopt(4, SOL_SOCKET, SO_TYPE, [SOCK_STREAM], [4]) = 0\n"
             "+0 poll([{fd=4, events=POLLIN|POLLOUT, revents=POLLOUT}], 1, 0) = 1\n";
    static const struct mutation m[] = {
        {"EAGAIN", "EINVAL", "Expected errno 22 (EINVAL) but got 11 (EAGAIN)"},
        {"-1 EAGAIN (Resource temporarily unavailable)", "0", "Expected result 0 but got -1"},
        {"[SOCK_STREAM]", "[SOCK_DGRAM]", "expected: 2 actual: 1"},
        {"revents=POLLOUT", "revents=POLLIN", "expected revents=1"},
        {"1, 0) = 1", "1, 0) = 0", "Expected result 0 but got 1"},
        {"EAGAIN", "EBOGUS", "unknown error name"},
        {"SO_TYPE", "SO_BOGUS", "unknown symbol: SO_BOGUS"},
        {"read(4", "mkdir(4", "the call mkdir is not supported"},
    };
    MUTATE(text, m);
}

static void blocking(void **state)
{
    (void)state;
    static const char text[] = OPEN "+.1...0.3 read(4, ..., 1000) = 100\n"
                                    "+.2 < P. 1:101(100) ack 1 win 257\n"
                                    "+0 > . 1:1(0) ack 101\n";
    static const struct mutation m[] = {
        {"...0.3", "...0.2", "call return at 0.300000 sec but happened at 0.400000"},
        {"...0.3", "...0.5", "timing error: expected system call return"},
        {"= 100\n", "= 101\n", "Expected result 101 but got 100"},
        {"< P. 1:101(100) ack 1 win 257\n+0 > . 1:1(0) ack 101\n", "< . 1:1(0) ack 1 win 257\n",
         "it does not return"},
    };
    MUTATE(text, m);
}

static void code(void **state)
{
    (void)state;
    static const char text[] = OPEN "+0 %{ assert tcpi_snd_cwnd == 10, tcpi_snd_cwnd }%\n"
                                    "+0 %{ n = 1 }%\n"
                                    "+0 %{ n += 1; assert n == 2 }%\n"
                                    "+0 %{ assert tcpi_state == TCP_ESTABLISHED }%\n";
    static const struct mutation m[] = {
        {"== 10", "== 11", "AssertionError: 10"},
        {"n == 2", "n == 1", "AssertionError"},
        {"TCP_ESTABLISHED", "TCP_CLOSE", "AssertionError"},
        {"tcpi_state", "tcpi_bogus", "NameError: no such name: tcpi_bogus"},
    };
    MUTATE(text, m);
}

static void shell(void **state)
{
    (void)state;
    static const char text[] =
        "`sysctl -q net.ipv4.tcp_timestamps=0 && sysctl -n net.ipv4.tcp_timestamps | grep -q "
        "0`\n" LISTEN "+0 `ss -ltn | grep -c LISTEN | grep -q 1`\n"
        "+0 `test $(sysctl -n net.ipv4.tcp_sack) -eq $((3 - 2))`\n"
        "+0 `true; ! false`\n";
    static const struct mutation m[] = {
        {"grep -q 0", "grep -q 1", "exited with status 1"},
        {"tcp_timestamps=0", "tcp_bogus=0", "no such setting: net.ipv4.tcp_bogus=0"},
        {"tcp_timestamps=0", "tcp_tw_reuse=1",
         "net.ipv4.tcp_tw_reuse=1 is not supported, only 0|2: a port in TIME-WAIT"},
        {"tcp_timestamps=0", "tcp_max_tw_buckets=255", "is not supported, only 256-"},
        {"net.ipv4.tcp_timestamps=0", "net.inet.tcp.blackhole=2", "is not supported, only 0"},
        {"true;", "ip route change default features frag;", "features frag is not supported"},
        {"true;", "ip route change default cwnd lock 5;", "cwnd lock is not supported"},
        {"true;", "tc qdisc add dev tun0 root netem loss 1%;", "tc netem is not supported"},
        {"grep -q 1", "grep -q 2", "exited with status 1"},
        {"3 - 2", "3 - 3", "exited with status 1"},
        {"true; ! false", "true; ! true", "exited with status 1"},
        {"true;", "rm -rf /tmp/x;", "no such command: rm"},
    };
    MUTATE(text, m);
}

static void nothing(void **state)
{
    (void)state;
    fails("", "nothing was checked");
    fails("`true`\n", "nothing was checked");
    fails("--bogus=1\n" LISTEN, "--bogus is not supported");
    fails("--mtu=x\n" LISTEN, "--mtu needs a number in its range");
    passes("--tolerance_usecs=100000\n" LISTEN);
}

static void refused(void **state)
{
    (void)state;
    static const char text[] =
        "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"
        "+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0\n"
        "+0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)\n"
        "+0 > S 0:0(0) <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 7>\n"
        "+.1 < R. 0:0(0) ack 1 win 0\n"
        "+0 getsockopt(3, SOL_SOCKET, SO_ERROR, [ECONNREFUSED], [4]) = 0\n";
    static const struct mutation m[] = {
        {"ECONNREFUSED", "ECONNRESET", "expected: 104 actual: 111"},
        {"< R. 0:0(0) ack 1", "< R. 0:0(0) ack 2", "expected: 111 actual: 0"},
    };
    MUTATE(text, m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handshake), cmocka_unit_test(data),    cmocka_unit_test(errors),
        cmocka_unit_test(blocking),  cmocka_unit_test(code),    cmocka_unit_test(shell),
        cmocka_unit_test(nothing),   cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
