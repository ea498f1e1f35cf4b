/* test_read.c - the reader: what a script says, and where one that cannot be read goes wrong. */
#include "test.h"

#include "drill/packet.h"
#include "drill/script.h"

#include <stdio.h>
#include <string.h>

static struct drill_script script;

static bool reads(const char *text) { return drill_read(&script, "t.pkt", text, strlen(text)); }

static const struct drill_event *only(const char *text)
{
    assert_true(reads(text) || (print_error("%s\n", script.error), false));
    assert_non_null(script.events);
    assert_null(script.events->next);
    return script.events;
}

/* A packet is shown as it was written. */
static void packet(const char *text)
{
    struct drill_text line = {0}, shown = {0};
    drill_print(&line, "+0 %s", text);
    const struct drill_event *e = only(drill_string(&line));
    assert_int_equal(e->kind, DRILL_PACKET);
    drill_print(&shown, "%s ", e->packet->outbound ? ">" : "<");
    drill_show_packet(&shown, e->packet);
    assert_string_equal(drill_string(&shown), text);
    drill_text_free(&line);
    drill_text_free(&shown);
    drill_script_free(&script);
}

static void packets(void **state)
{
    (void)state;
    packet("< S 0:0(0) win 32792 <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 7>");
    packet("> S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK,nop,wscale 8>");
    packet("> P. 1:1001(1000) ack 1");
    packet("> F. 1:1(0) ack 1 win 257 <nop,nop,TS val 5 ecr 4000000000>");
    packet("< . 1:1(0) ack 1 win 257 <nop,nop,sack 1001:2001 3001:4001>");
    packet("> R 1:1(0)");
    packet("< - 1:1(0) win 0");
    packet("> SEWA 0:0(0) <...>");
    packet("> . 4294967290:4(10) ack 1");
    packet("< S 0:10(10) win 65535 <mss 1000,nop,nop,FO 1234567890abcdef>");
    packet("> S 0:0(0) <mss 1460,FOEXP,nop,nop>");
    packet("> . 1:1(0) ack 1 <nop,ECN e1b 1 ceb 0 e0b 16777215>");
    packet("> . 1:1(0) ack 1 <ECN e0b 1 ceb 5>");
    packet("< .U 1:11(10) ack 1 win 257 urg 5");
    packet("< [ce] P. 1:11(10) ack 1 win 257");
    packet("< [ect1] P. 1:11(10) ack 1 win 257");
    packet("< icmp unreachable frag_needed mtu 1200 [1:1461(1460)]");
    packet("> . 1:1(0) ack 1 <eol,eol,eol,eol>");
    packet("< udp (100)");
}

static void ace_digits(void **state)
{
    (void)state;
    const struct drill_event *e = only("+0 > P.5 1:2(1) ack 1");
    assert_int_equal(e->packet->flags, DRILL_PSH | DRILL_ACK | DRILL_AE | DRILL_ECE);
    drill_script_free(&script);
}

static void times(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum drill_when when;
        int64_t start, end;
    } t[] = {{"0", DRILL_AT, 0, 0},
             {".25", DRILL_AT, 250000000, 250000000},
             {"1.5", DRILL_AT, 1500000000, 1500000000},
             {"+0.000001", DRILL_AFTER, 1000, 1000},
             {"+1~+2", DRILL_AFTER, 1000000000, 2000000000},
             {"1~2", DRILL_AT, 1000000000, 2000000000},
             {"*", DRILL_ANY_TIME, 0, 0},
             {"", DRILL_AFTER, 0, 0}};
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        char line[64];
        snprintf(line, sizeof(line), "%s > . 1:1(0) ack 1", t[i].text);
        const struct drill_event *e = only(line);
        assert_int_equal(e->time.when, t[i].when);
        assert_int_equal(e->time.start, t[i].start);
        assert_int_equal(e->time.end, t[i].end);
        drill_script_free(&script);
    }
}

static void blocking(void **state)
{
    (void)state;
    const struct drill_event *e = only("0.1...0.3 read(3, ..., 100) = 100");
    assert_true(e->call->blocking);
    assert_int_equal(e->time.start, 100000000);
    assert_int_equal(e->call->end, 300000000);
    assert_int_equal(e->call->arg_count, 3);
    drill_script_free(&script);
}

static void calls(void **state)
{
    (void)state;
    assert_true(reads("--mtu=1400 --tolerance_usecs 75000 // comment\n"
                      "`sysctl -q net.ipv4.tcp_ecn=0`\n"
                      "# comment\n"
                      "+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = -1 EBADF (Bad file descriptor)\n"
                      "+0 sendmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 10}]}, 0) = 10\n"
                      "* close(3) = 0\n"
                      "+0 %{ assert a == 1 }%\n"
                      "/* one that is long */ +0 < . 1:1(0) ack 1 win 1\n"
                      "< . 1:1(0) ack 2 win 1\n"));
    assert_string_equal(script.options->name, "mtu");
    assert_string_equal(script.options->value, "1400");
    assert_string_equal(script.options->next->value, "75000");
    const struct drill_event *e = script.events->next;
    assert_string_equal(e->call->error, "EBADF");
    assert_int_equal(e->pos.line, 4);
    const struct drill_expr *m = e->next->call->args->next;
    assert_int_equal(m->kind, EXPR_STRUCT);
    assert_string_equal(m->first->next->field, "msg_iov");
    assert_int_equal(m->first->next->count->number, 1);
    e = e->next->next->next;
    assert_string_equal(e->text, " assert a == 1 ");
    assert_false(e->next->packet->outbound);
    assert_int_equal(e->next->next->packet->ack, 2);
    assert_null(e->next->next->next);
    drill_script_free(&script);
}

static void wrong(const char *text, const char *error)
{
    assert_false(reads(text));
    assert_string_equal(script.error, error);
    drill_script_free(&script);
}

static void errors(void **state)
{
    (void)state;
    wrong("+0 > . 1:2(2) ack 1",
          "t.pkt:1:8: the length is not the difference of the sequence numbers at '1:2(2) ack 1'");
    wrong("+0 > . 1:1(0) ack 1\n+0 < X 1:1(0)", "t.pkt:2:6: an unknown TCP flag at 'X 1:1(0)'");
    wrong("+0 > . 1:1(0) ack 1 <mss 1,bogus>", "t.pkt:1:28: an unknown TCP option at 'bogus>'");
    wrong("+0 read(3, = 1", "t.pkt:1:12: expected a value at '= 1'");
    wrong("+0 read(3)\n", "t.pkt:2:1: expected '='");
    wrong("+0 `true", "t.pkt:1:5: a shell command that does not end at 'true'");
    wrong("+0 %{ assert", "t.pkt:1:6: code that does not end at ' assert'");
    wrong("+2~+1 > . 1:1(0) ack 1",
          "t.pkt:1:6: a range of time that ends before it starts at ' > . 1:1(0) ack 1'");
    wrong("+1...0.5 read(3, ..., 1) = 1",
          "t.pkt:1:9: a call that ends before it starts at ' read(3, ..., 1) = 1'");
    wrong("* < . 1:1(0) ack 1 win 1", "t.pkt:1:25: only an outbound packet can come at any time");
    wrong("+0 > sctp: INIT", "t.pkt:1:10: packets of sctp are not supported at ': INIT'");
    wrong("/* never", "t.pkt:1:1: a comment that does not end at '/* never'");
    wrong("+0 > . 1:1(0) ack 99999999999",
          "t.pkt:1:19: ack is at most 4294967295 at '99999999999'");
}

/* What is written comes back, with its checksums right; a flipped bit does not. */
static void bytes(void **state)
{
    (void)state;
    static uint8_t data[DRILL_PACKET_MAX + 64];
    struct drill_packet back;
    struct drill_flow flow = {.src = {[10] = 0xff, 0xff, 1, 2, 3, 4},
                              .dst = {[10] = 0xff, 0xff, 5, 6, 7, 8},
                              .sport = 1000,
                              .dport = 2000},
                      got;
    const char *why;
    const struct drill_event *e =
        only("+0 < SP. 5:25(20) ack 7 win 99 "
             "<mss 9,nop,sackOK,wscale 3,TS val 1 ecr 2,FO abcd,sack 1:2>");
    for (int v6 = 0; v6 < 2; v6++) {
        struct drill_text a = {0}, b = {0};
        flow.src[0] = flow.dst[0] = v6 ? 0xfd : 0;
        size_t len = drill_encode(e->packet, &flow, NULL, data, &why);
        assert_int_equal(len, (v6 ? 40 : 20) + 56 + 20);
        assert_null(drill_decode(data, len, &back, &got));
        assert_memory_equal(&flow, &got, sizeof(flow));
        back.ecn = -1;
        drill_show_packet(&a, e->packet);
        drill_show_packet(&b, &back);
        assert_int_equal(strncmp(drill_string(&a), drill_string(&b), a.len - 1), 0);
        data[len - 1] ^= 1;
        assert_string_equal(drill_decode(data, len, &back, &got), "a wrong transport checksum");
        drill_text_free(&a);
        drill_text_free(&b);
    }
    drill_script_free(&script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets),  cmocka_unit_test(ace_digits), cmocka_unit_test(times),
        cmocka_unit_test(blocking), cmocka_unit_test(calls),      cmocka_unit_test(errors),
        cmocka_unit_test(bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
