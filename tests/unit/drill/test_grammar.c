/* test_grammar.c - scripts made by the grammar at random: each can be read, and is played to its
 * end; none passes in which nothing was checked, and with one piece of nonsense none is read. */
#include "test.h"

#include "drill/drill.h"

#include <stdarg.h>
#include <string.h>

enum { SCRIPTS = 600, EVENTS = 14 };

static uint64_t state_of_chance;

static unsigned chance(unsigned n)
{
    state_of_chance = state_of_chance * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (unsigned)(state_of_chance >> 33) % n;
}

static const char *one(const char *const *words, size_t n) { return words[chance((unsigned)n)]; }
#define ONE(...)                                                                                   \
    one((const char *const[]){__VA_ARGS__},                                                        \
        sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void when(struct drill_text *t)
{
    drill_print(t, "%s ", ONE("+0", "+.1", "+0.001", "+0", "+1", "+0~+.5"));
}

static void option(struct drill_text *t)
{
    switch (chance(9)) {
    case 0:
        drill_print(t, "mss %u", chance(9000));
        break;
    case 1:
        drill_print(t, "wscale %u", chance(16));
        break;
    case 2:
        drill_print(t, "TS val %u ecr %u", chance(1000), chance(1000));
        break;
    case 3:
        drill_print(t, "sack %u:%u", 1 + chance(9), 10 + chance(9));
        break;
    case 4:
        drill_print(t, "FO %s", ONE("", "0123456789abcdef", "TFO_COOKIE"));
        break;
    case 5:
        drill_print(t, "ECN e1b %u ceb %u e0b %u", chance(99), chance(99), chance(99));
        break;
    default:
        drill_print(t, "%s", ONE("nop", "sackOK", "eol"));
        break;
    }
}

static void packet(struct drill_text *t)
{
    unsigned seq = chance(5000), len = chance(3) ? 0 : chance(2000);
    bool out = chance(2) != 0;
    drill_print(t, "%s %s", out ? ">" : "<", ONE("", "", "[ect0] ", "[ce] ", "[tos 0x10] "));
    if (chance(12) == 0) {
        drill_print(t, "icmp unreachable %s [%u:%u(%u)]\n",
                    ONE("port_unreachable", "frag_needed mtu 1200", "host_unreachable"), seq,
                    seq + len, len);
        return;
    }
    const char *flags = ONE("S", "S.", ".", "P.", "F.", "R", "R.", "FP.", "SEW", ".5", "-");
    drill_print(t, "%s %u:%u(%u)", flags, seq, seq + len, len);
    if (strchr(flags, '.'))
        drill_print(t, " ack %u", chance(5000));
    if (!out || chance(4) == 0)
        drill_print(t, " win %u", chance(65536));
    unsigned n = chance(4);
    for (unsigned i = 0; i < n; i++) {
        drill_print(t, "%s", i ? "," : " <");
        option(t);
    }
    drill_print(t, "%s\n", n ? ">" : "");
}

static void call(struct drill_text *t)
{
    drill_print(t, "%s\n",
                ONE("socket(..., SOCK_STREAM, IPPROTO_TCP) = 3", "bind(3, ..., ...) = 0",
                    "listen(3, 1) = 0", "accept(3, ..., ...) = 4", "close(4) = 0",
                    "connect(3, ..., ...) = -1 EINPROGRESS (no)", "write(4, ..., 5000) = 5000",
                    "read(4, ..., 100) = -1 EAGAIN (no)", "shutdown(4, SHUT_WR) = 0",
                    "setsockopt(3, SOL_TCP, TCP_NODELAY, [1], 4) = 0",
                    "poll([{fd=4, events=POLLIN, revents=0}], 1, 0) = 0",
                    "sendmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 10}], msg_flags=0}, 0) = 10",
                    "fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0", "epoll_create(1) = 5"));
}

static void event(struct drill_text *t)
{
    when(t);
    switch (chance(8)) {
    case 0:
        drill_print(t, "%%{ %s }%%\n",
                    ONE("assert tcpi_snd_cwnd >= 0", "x = 1; assert x == 1, x", "print(1 + 2)"));
        break;
    case 1:
        drill_print(t, "`%s`\n", ONE("sysctl -q net.ipv4.tcp_sack=1", "true", "nstat -n", "false"));
        break;
    case 2:
    case 3:
    case 4:
        call(t);
        break;
    default:
        packet(t);
        break;
    }
}

static enum drill_verdict play(const struct drill_text *t, unsigned *checks)
{
    struct drill_result r;
    const struct drill_request request = {.path = "g.pkt",
                                          .family = (enum drill_family)chance(DRILL_FAMILIES)};
    drill_play_text(&request, t->s, t->len, &r);
    *checks = drill_checks_all(&r.checks);
    enum drill_verdict v = r.verdict;
    if (v != DRILL_PASSED && r.message.len == 0)
        fail_msg("it fails, and does not say why:\n%s", t->s);
    drill_result_free(&r);
    return v;
}

static void scripts(void **state)
{
    (void)state;
    unsigned passed = 0, checks;
    for (uint64_t seed = 1; seed <= SCRIPTS; seed++) {
        struct drill_text t = {0}, wrong = {0};
        state_of_chance = seed;
        for (unsigned i = 0, n = 1 + chance(EVENTS); i < n; i++)
            event(&t);
        enum drill_verdict v = play(&t, &checks);
        if (v == DRILL_UNREADABLE)
            fail_msg("seed %d is not read:\n%s", (int)seed, drill_string(&t));
        if (v == DRILL_PASSED && checks == 0)
            fail_msg("seed %d passes unchecked:\n%s", (int)seed, drill_string(&t));
        passed += v == DRILL_PASSED;
        drill_print(&wrong, "%s%s", drill_string(&t),
                    ONE("+0 > Q. 1:1(0) ack 1\n", "+0 < . 1:2(0) ack 1 win 1\n", "+0 read(4, = 1\n",
                        "+x\n", "+0 %{ assert\n", "+0 `true\n", "+0 < . 1:1(0) ack 1 <mss>\n",
                        "+0 }\n", "+0 > . 1:1(0) ack 1 <nop\n"));
        if (play(&wrong, &checks) != DRILL_UNREADABLE)
            fail_msg("nonsense is read:\n%s", drill_string(&wrong));
        drill_text_free(&t);
        drill_text_free(&wrong);
    }
    assert_in_range(passed, 1, SCRIPTS - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(scripts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
