/* What must hold of every time line, however much there is to tell: nothing wider than the columns,
 * bulk folded, many connections in few lines, and every kind of misfortune mentioned. How a sender
 * recovers is its own business, so these are not whole texts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../test.h"
#include "golden.h"
#include "scene.h"
#include "watch/text.h"
#include "wire/icmp.h"
#include "wire/tcp.h"

static uint32_t lines_of(const struct scene *x)
{
    uint32_t n = 0;
    for (size_t i = 0; i < x->out.len; i++)
        n += x->out.text[i] == '\n';
    return n;
}

static bool has(const struct scene *x, const char *s) { return strstr(x->out.text, s) != NULL; }

static void must_have(const struct scene *x, const char *s)
{
    if (has(x, s))
        return;
    fputs(x->out.text, stderr);
    fail_msg("'%s' is not in the above", s);
}

/* No line is wider than that. */
static void fits(const struct scene *x, uint32_t width)
{
    char line[2048];
    const char *p = x->out.text;
    while (*p != '\0') {
        size_t n = strcspn(p, "\n");
        assert_int_equal(p[n], '\n');
        assert_true(n < sizeof(line));
        memcpy(line, p, n);
        line[n] = '\0';
        if (text_cols(line, !x->conf.ascii) > width)
            fail_msg("wider than %u: %s", width, line);
        p += n + 1;
    }
}

/* ---- columns --------------------------------------------------------------------------------- */

/* A connection with everything in it, at that width. */
static void everything_fits(int width, bool ascii)
{
    static const struct lab_drop drop = {LAB_SYNACK, 1, 2, -1};
    struct scene_config c = scene_page(width);
    c.ascii = ascii;
    c.ip6 = width % 2 != 0;
    c.body = 200000;
    c.link.drops = &drop;
    c.link.drop_count = 1;
    c.link.seed = (uint64_t)width;
    for (int i = 0; i < 2; i++)
        c.link.dir[i] = (struct lab_impair){
            .delay = 10 * MS, .loss = 0.03, .duplicate = 0.03, .corrupt = 0.03, .reorder = 0.03};
    struct scene *x = scene_played(&c, 300 * SECOND);
    fits(x, (uint32_t)(width < 40 ? 40 : width));
    scene_free(x);
}

static void test_widths(void **state)
{
    (void)state;
    for (int width = 1; width < 250; width += width < 140 ? 1 : 20)
        everything_fits(width, width % 3 == 0);
}

/* ---- bulk ------------------------------------------------------------------------------------ */

static void test_bulk(void **state)
{
    struct scene_config c = scene_page(110);
    (void)state;
    c.body = 100 * 1000 * 1000;
    c.link.dir[1].rate = 1000000000;
    struct scene *x = scene_played(&c, 300 * SECOND);
    assert_in_range(lines_of(x), 20, 70);
    fits(x, 110);
    must_have(x, "the server sent 100 MB in ");
    must_have(x, "#1 closed after ");
    struct scene *y = scene_played(&c, 300 * SECOND);
    assert_string_equal(x->out.text, y->out.text);
    scene_free(x);
    scene_free(y);
}

/* Losses all the way do not make it long. */
static void test_bulk_lossy(void **state)
{
    struct scene_config c = scene_page(110);
    (void)state;
    c.body = 20 * 1000 * 1000;
    c.link.dir[1].loss = 0.02;
    c.link.dir[0].loss = 0.02;
    struct scene *x = scene_played(&c, 3000 * SECOND);
    assert_in_range(lines_of(x), 20, 150);
    must_have(x, "  lost  ");
    must_have(x, "again (fast)");
    must_have(x, " lost, ");
    must_have(x, " sent again");
    scene_free(x);
}

/* ---- misfortunes ----------------------------------------------------------------------------- */

static void one_kind(struct lab_impair bad, const char *first, const char *second)
{
    struct scene_config c = scene_page(110);
    c.body = 100000;
    bad.delay = 10 * MS;
    c.link.seed = 3;
    c.link.dir[1] = bad;
    struct scene *x = scene_played(&c, 300 * SECOND);
    must_have(x, first);
    must_have(x, second);
    must_have(x, "#1 closed after ");
    scene_free(x);
}

static void test_misfortunes(void **state)
{
    (void)state;
    one_kind((struct lab_impair){.loss = 0.1}, "✗ ACK  lost  ", "again (fast)");
    one_kind((struct lab_impair){.reorder = 0.2}, "ACK  overtaken  ", "curl closed first");
    one_kind((struct lab_impair){.corrupt = 0.1}, "✗─ ACK  corrupted  ",
             "dropped by the receiver: wrong checksum");
    one_kind((struct lab_impair){.duplicate = 0.1}, "ACK  doubled on the way  ",
             "received before: answered with an ACK");
    one_kind((struct lab_impair){.rate = 100000000, .queue = 5}, "lost: the queue is full",
             "again (");
}

/* Somebody does not read. */
static void test_zero_window(void **state)
{
    struct scene *x = calloc(1, sizeof(*x));
    struct scene_config c = scene_page(110);
    (void)state;
    c.deaf = true;
    c.request = NULL;
    scene_begin(x, &c);
    struct actor *a = scene_connect(x);
    a->to_send = 10 * 1000 * 1000;
    scene_run(x, 20 * SECOND);
    must_have(x, "zero window: the server can take no more");
    must_have(x, "window probe");
    x->conf.deaf = false;
    actor_read(&x->server[0]);
    scene_run(x, 20 * SECOND);
    scene_end(x);
    must_have(x, "the window is open again");
    assert_in_range(lines_of(x), 20, 100);
    scene_free(x);
}

/* ---- many connections ------------------------------------------------------------------------ */

static struct scene *many(uint32_t n, int width)
{
    struct scene *x = calloc(1, sizeof(*x));
    struct scene_config c = scene_page(width);
    assert_non_null(x);
    c.ascii = true;
    scene_begin(x, &c);
    for (uint32_t i = 0; i < n; i++)
        (void)scene_connect(x);
    scene_run(x, 5 * SECOND);
    scene_end(x);
    fits(x, (uint32_t)width);
    return x;
}

static void test_a_thousand(void **state)
{
    (void)state;
    struct scene *x = many(1000, 110);
    assert_in_range(lines_of(x), 100, 800);
    must_have(x, "1,000 connections: 1,000 closed");
    scene_free(x);
    x = many(1000, 60);
    must_have(x, "1,000 connections: 1,000 closed");
    scene_free(x);
}

static void test_a_dozen(void **state)
{
    (void)state;
    struct scene *x = many(12, 110);
    golden_check("a-dozen", x->out.text, x->out.len);
    scene_free(x);
}

/* ---- packets that no stack here sends -------------------------------------------------------- */

static size_t tcp_packet(uint8_t *p, uint32_t seq, uint16_t flags)
{
    struct wire_tcp tcp = {.sport = 40001, .dport = 80, .seq = seq, .flags = flags, .wnd = 1000};
    struct wire_ip ip = {.version = 4, .proto = WIRE_TCP, .ttl = 64};
    memcpy(ip.src, lab_client_ip4, 16);
    memcpy(ip.dst, lab_server_ip4, 16);
    ip.payload_len = (uint16_t)wire_tcp_write(p + WIRE_IP4_HEADER, &tcp);
    return wire_ip_write(p, &ip, 0) + ip.payload_len;
}

static size_t icmp_packet(uint8_t *p, uint8_t code, const uint8_t *quote, size_t quote_len)
{
    struct wire_ip ip = {.version = 4, .proto = WIRE_ICMP, .ttl = 64};
    memcpy(ip.src, lab_server_ip4, 16);
    memcpy(ip.dst, lab_client_ip4, 16);
    ip.payload_len = (uint16_t)wire_icmp_write_error(p + WIRE_IP4_HEADER, 4, 3, code, 1400, ip.src,
                                                     ip.dst, quote, quote_len);
    return wire_ip_write(p, &ip, 0) + ip.payload_len;
}

static void write_text(void *user, const char *text, size_t len) { output_add(user, text, len); }

static void pass(struct timeline *t, uint64_t id, int from, const uint8_t *data, size_t len)
{
    struct timeline_packet p = {
        .id = id, .sent = id * MS, .now = id * MS, .from = from, .data = data, .len = len};
    timeline_sent(t, &p);
    timeline_fate(t, &p, TIMELINE_ARRIVED);
    p.now += MS;
    timeline_fate(t, &p, TIMELINE_PROCESSED);
}

static void test_icmp(void **state)
{
    static const struct {
        uint8_t code;
        const char *text;
    } kinds[] = {{0, "network unreachable"},       {1, "host unreachable"},
                 {2, "protocol unreachable"},      {3, "port unreachable"},
                 {4, "packet too big: MTU 1,400"}, {13, "prohibited by policy"}};
    (void)state;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct output o = {0};
        struct timeline_config conf = {
            .width = 110, .utf8 = true, .msl = 30 * SECOND, .write = write_text, .user = &o};
        struct timeline *t = timeline_new(&conf);
        uint8_t syn[64], error[WIRE_ICMP_MAX + 40];
        size_t syn_len = tcp_packet(syn, 10000, TCP_SYN);
        pass(t, 1, 0, syn, syn_len);
        pass(t, 2, 1, error, icmp_packet(error, kinds[i].code, syn, syn_len));
        timeline_free(t, SECOND);
        output_add(&o, "", 1);
        assert_non_null(strstr(o.text, "◂─ ICMP  "));
        assert_non_null(strstr(o.text, kinds[i].text));
        assert_true((strstr(o.text, "#1 unreachable ") != NULL) == (kinds[i].code != 4));
        free(o.text);
    }
}

/* ---- facts for machines ---------------------------------------------------------------------- */

static void test_facts(void **state)
{
    struct scene *x = calloc(1, sizeof(*x));
    struct scene_config c = scene_page(110);
    struct timeline_connection k;
    struct timeline_totals all;
    (void)state;
    scene_begin(x, &c);
    (void)scene_connect(x);
    scene_run(x, SECOND);
    assert_true(timeline_connection(x->line, 0, &k));
    assert_false(timeline_connection(x->line, 1, &k));
    timeline_totals(x->line, &all);
    scene_end(x);
    scene_free(x);
    assert_int_equal(k.number, 1);
    assert_int_equal(k.end[1].port, SCENE_PORT);
    assert_string_equal(k.process, "curl[4711]");
    assert_string_equal(k.outcome, "closed");
    assert_int_equal(k.isn[0], 10000);
    assert_int_equal(k.isn[1], 20000);
    assert_int_equal(k.mss[0], 1460);
    assert_int_equal(k.rtt, 20 * MS);
    assert_int_equal(k.bytes[0], strlen(SCENE_REQUEST));
    assert_int_equal(k.bytes[1], strlen(SCENE_RESPONSE) + 1000);
    assert_int_equal(k.lost[0] + k.lost[1] + k.retransmitted[0] + k.retransmitted[1], 0);
    assert_int_equal(k.state[0], TERN_TIME_WAIT);
    assert_int_equal(k.state[1], TERN_CLOSED);
    assert_int_equal(k.closed_first, 0);
    assert_int_equal(all.connections, 1);
    assert_int_equal(all.established, 1);
    assert_int_equal(all.refused + all.reset + all.timed_out, 0);
    assert_int_equal(all.bytes_up, k.bytes[0]);
    assert_int_equal(all.bytes_down, k.bytes[1]);
    assert_int_equal(all.segments, k.segments[0] + k.segments[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_widths),      cmocka_unit_test(test_bulk),
        cmocka_unit_test(test_bulk_lossy),  cmocka_unit_test(test_misfortunes),
        cmocka_unit_test(test_zero_window), cmocka_unit_test(test_a_thousand),
        cmocka_unit_test(test_a_dozen),     cmocka_unit_test(test_icmp),
        cmocka_unit_test(test_facts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
