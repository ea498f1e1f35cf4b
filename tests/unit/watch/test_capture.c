/* Captures of whole connections: the file's own structure, what tshark says about it, the comments,
 * and a sink that can take no more. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../test.h"
#include "base/util.h"
#include "scene.h"
#include "watch/pcapng.h"

static struct scene_config page(void)
{
    struct scene_config conf = scene_page(100);
    conf.process = NULL;
    conf.silent = true;
    conf.capture[0] = true;
    return conf;
}

/* ---- the file itself ------------------------------------------------------------------------- */

static uint32_t le32(const char *p)
{
    const uint8_t *b = (const uint8_t *)p;
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

/* Checks that the whole is blocks, and returns how many of that type there are. */
static uint32_t blocks(const struct output *o, uint32_t type)
{
    uint32_t n = 0;
    size_t at = 0;
    while (at < o->len) {
        assert_true(at + 12 <= o->len);
        uint32_t len = le32(o->text + at + 4);
        assert_true(len >= 12 && len % 4 == 0 && at + len <= o->len);
        assert_int_equal(le32(o->text + at + len - 4), len);
        n += le32(o->text + at) == type;
        at += len;
    }
    return n;
}

static void test_blocks(void **state)
{
    struct scene_config c = page();
    struct scene *x = scene_played(&c, 100 * SECOND);
    (void)state;
    assert_int_equal(le32(x->pcap.text), 0x0a0d0d0a);
    assert_int_equal(blocks(&x->pcap, 0x0a0d0d0a), 1);
    assert_int_equal(blocks(&x->pcap, 1), 1);
    assert_int_equal(blocks(&x->pcap, 6), 8); /* what a page takes */
    scene_free(x);
    c.capture[1] = true;
    x = scene_played(&c, 100 * SECOND);
    assert_int_equal(blocks(&x->pcap, 1), 2);
    assert_int_equal(blocks(&x->pcap, 6), 16);
    scene_free(x);
}

static void test_same_seed(void **state)
{
    struct scene_config c = page();
    (void)state;
    c.body = 300000;
    c.capture[1] = true;
    for (int i = 0; i < 2; i++)
        c.link.dir[i] = (struct lab_impair){.delay = 10 * MS,
                                            .jitter = 5 * MS,
                                            .loss = 0.02,
                                            .duplicate = 0.02,
                                            .corrupt = 0.01,
                                            .reorder = 0.02};
    struct scene *a = scene_played(&c, 100 * SECOND), *b = scene_played(&c, 100 * SECOND);
    assert_int_equal(a->pcap.len, b->pcap.len);
    assert_memory_equal(a->pcap.text, b->pcap.text, a->pcap.len);
    c.link.seed = 2;
    struct scene *d = scene_played(&c, 100 * SECOND);
    assert_true(d->pcap.len != a->pcap.len || memcmp(a->pcap.text, d->pcap.text, d->pcap.len) != 0);
    scene_free(a);
    scene_free(b);
    scene_free(d);
}

/* ---- a sink that is full --------------------------------------------------------------------- */

struct sink {
    uint32_t calls, room;
};

static bool sink_write(void *user, const void *p, size_t len)
{
    struct sink *s = user;
    (void)p;
    assert_true(len >= 12);
    s->calls++;
    return s->calls <= s->room;
}

/* Whenever it has refused once, it is left alone. */
static void test_full(void **state)
{
    static const uint8_t packet[20] = {0x45};
    static const char *const comment[] = {"a comment"};
    (void)state;
    for (uint32_t room = 0; room < 6; room++) {
        struct sink sink = {0, room};
        struct pcapng p = {.write = sink_write, .user = &sink};
        pcapng_begin(&p, "test");
        uint32_t interface = pcapng_interface(&p, "name", "description");
        for (uint64_t i = 0; i < 10; i++)
            pcapng_packet(&p, &(struct pcapng_packet){.interface = interface,
                                                      .unix_ns = i,
                                                      .data = packet,
                                                      .len = sizeof(packet),
                                                      .comments = comment,
                                                      .comment_count = 1});
        assert_int_equal(sink.calls, room + 1);
        assert_true(p.failed);
    }
}

/* A comment is cut between characters, a packet where a file's are. */
static bool keep(void *user, const void *p, size_t len)
{
    output_add(user, p, len);
    return true;
}

static void test_cut(void **state)
{
    struct output o = {0};
    struct pcapng p = {.write = keep, .user = &o};
    char long_comment[PCAPNG_COMMENT * 2 + 1] = "x";
    const char *const comment[] = {long_comment};
    uint8_t *data = calloc(1, 70000);
    (void)state;
    while (strlen(long_comment) + 2 < sizeof(long_comment))
        strcat(long_comment, "ä");
    pcapng_begin(&p, "test");
    uint32_t interface = pcapng_interface(&p, "name", NULL);
    o.len = 0;
    pcapng_packet(&p, &(struct pcapng_packet){.interface = interface,
                                              .data = data,
                                              .len = 70000,
                                              .comments = comment,
                                              .comment_count = 1});
    assert_int_equal(blocks(&o, 6), 1);
    assert_int_equal(le32(o.text + 20), PCAPNG_SNAP);
    assert_int_equal(le32(o.text + 24), 70000);
    const char *option = o.text + 28 + PCAPNG_SNAP + 1;
    assert_int_equal(le32(option), 1 | (PCAPNG_COMMENT - 1) << 16);
    assert_int_equal((uint8_t)option[4 + PCAPNG_COMMENT - 2], 0xa4); /* whole to the end */
    free(data);
    free(o.text);
}

/* ---- as tshark reads it ---------------------------------------------------------------------- */

static bool have_tshark(void)
{
    return system("command -v tshark >/dev/null 2>&1") == 0; /* NOLINT: a fixed command */
}

/* What `tshark -r FILE ARGS` prints; what it warns of goes there as well. */
static char *tshark(const struct output *pcap, const char *args)
{
    char path[] = "/tmp/tern-capture-XXXXXX", command[1024];
    struct output out = {0};
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, pcap->text, pcap->len), pcap->len);
    close(fd);
    snprintf(command, sizeof(command),
             "tshark -o tcp.check_checksum:TRUE -o ip.check_checksum:TRUE -r %s %s 2>&1 |"
             " grep -v '^Running as user'",
             path, args);
    FILE *f = popen(command, "r"); /* NOLINT: our own words */
    assert_non_null(f);
    char part[4096];
    for (size_t n; (n = fread(part, 1, sizeof(part), f)) != 0;)
        output_add(&out, part, n);
    (void)pclose(f);
    unlink(path);
    output_add(&out, "", 0);
    return out.text;
}

static void says(const struct output *pcap, const char *args, const char *expected)
{
    char *text = tshark(pcap, args);
    assert_string_equal(text, expected);
    free(text);
}

static void test_tshark_page(void **state)
{
    struct scene_config c = page();
    (void)state;
    if (!have_tshark()) {
        print_message("tshark is not installed\n");
        skip();
    }
    for (int ip6 = 0; ip6 < 2; ip6++)
        for (int end = 0; end < 2; end++) {
            c.ip6 = ip6;
            c.capture[0] = end == 0;
            c.capture[1] = end == 1;
            struct scene *x = scene_played(&c, 100 * SECOND);
            says(&x->pcap, "-Y tcp.analysis.flags", "");
            says(&x->pcap, "-Y '_ws.expert.severity >= \"Warning\" || _ws.malformed'", "");
            says(&x->pcap, "-T fields -e tcp.checksum.status", "1\n1\n1\n1\n1\n1\n1\n1\n");
            if (!ip6 && end == 0)
                says(&x->pcap, "-T fields -e frame.time_epoch -e frame.packet_flags_direction",
                     "1700000000.000000000\t0x00000002\n1700000000.020000000\t0x00000001\n"
                     "1700000000.020000000\t0x00000002\n1700000000.020100000\t0x00000002\n"
                     "1700000000.040100000\t0x00000001\n1700000000.040100000\t0x00000002\n"
                     "1700000000.060100000\t0x00000001\n1700000000.060100000\t0x00000002\n");
            scene_free(x);
        }
}

static void test_tshark_bulk(void **state)
{
    struct scene_config c = page();
    (void)state;
    if (!have_tshark())
        skip();
    c.body = 1000000;
    struct scene *x = scene_played(&c, 100 * SECOND);
    says(&x->pcap, "-Y 'tcp.analysis.flags && !tcp.analysis.window_update'", "");
    says(&x->pcap, "-Y 'tcp.checksum.status != 1'", "");
    scene_free(x);
}

/* ---- comments -------------------------------------------------------------------------------- */

static bool has(const struct scene *x, const char *s)
{
    return memmem(x->pcap.text, x->pcap.len, s, strlen(s)) != NULL;
}

/* Each state is on the packet that was its cause. */
static void test_states(void **state)
{
    struct scene_config c = page();
    (void)state;
    if (!have_tshark())
        skip();
    struct scene *x = scene_played(&c, 200 * SECOND);
    says(&x->pcap, "-Y frame.comment -T fields -e frame.number -e frame.comment",
         "1\tclient: CLOSED → SYN-SENT\n2\tclient: SYN-SENT → ESTABLISHED\n"
         "6\tclient: ESTABLISHED → FIN-WAIT-1\n"
         "7\tclient: FIN-WAIT-1 → FIN-WAIT-2,client: FIN-WAIT-2 → TIME-WAIT\n");
    scene_free(x);
    c.capture[0] = false;
    c.capture[1] = true;
    x = scene_played(&c, 200 * SECOND);
    says(&x->pcap, "-Y frame.comment -T fields -e frame.number -e frame.comment",
         "1\tserver: LISTEN → SYN-RECEIVED\n3\tserver: SYN-RECEIVED → ESTABLISHED\n"
         "6\tserver: ESTABLISHED → CLOSE-WAIT\n7\tserver: CLOSE-WAIT → LAST-ACK\n"
         "8\tserver: LAST-ACK → CLOSED\n");
    scene_free(x);
}

static void test_drops(void **state)
{
    static const struct lab_drop drop = {LAB_SYNACK, 1, 1, -1};
    struct scene_config c = page();
    (void)state;
    c.link.drops = &drop;
    c.link.drop_count = 1;
    struct scene *client = scene_played(&c, 10 * SECOND);
    c.capture[0] = false;
    c.capture[1] = true;
    struct scene *server = scene_played(&c, 10 * SECOND);
    /* its sender sees it and is told; its receiver learns that something is missing */
    assert_true(has(server, "the link drops this packet, as asked"));
    assert_false(has(server, "lost on the way here"));
    assert_true(has(client, "lost on the way here before this: SYN ACK, seq 20000, 0 bytes"));
    assert_false(has(client, "the link drops this packet"));
    assert_true(has(client, "sent again: the timer has expired"));
    scene_free(client);
    scene_free(server);
}

static void test_impaired(void **state)
{
    struct scene_config c = page();
    (void)state;
    c.body = 300000;
    c.link.dir[1] = (struct lab_impair){
        .delay = 10 * MS, .loss = 0.02, .duplicate = 0.05, .corrupt = 0.02, .reorder = 0.05};
    struct scene *client = scene_played(&c, 100 * SECOND);
    c.capture[0] = false;
    c.capture[1] = true;
    struct scene *server = scene_played(&c, 100 * SECOND);
    assert_true(has(server, "the link loses this packet"));
    assert_true(has(server, "the link corrupts this packet"));
    assert_true(has(server, "the link holds this packet back: later ones overtake it"));
    assert_true(has(server, "sent again: acknowledgements show a loss"));
    assert_true(has(client, "doubled on the way: the second copy"));
    assert_true(has(client, "corrupted on the way"));
    assert_true(has(client, "not accepted: wrong TCP checksum"));
    if (have_tshark()) {
        /* a corrupted packet left its sender in order */
        says(&server->pcap, "-Y 'tcp.checksum.status != 1'", "");
        char *wrong = tshark(&client->pcap, "-Y 'tcp.checksum.status != 1 && !frame.comment"
                                            " contains corrupted'");
        assert_string_equal(wrong, "");
        free(wrong);
    }
    scene_free(client);
    scene_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks),      cmocka_unit_test(test_same_seed),
        cmocka_unit_test(test_full),        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_tshark_page), cmocka_unit_test(test_tshark_bulk),
        cmocka_unit_test(test_states),      cmocka_unit_test(test_drops),
        cmocka_unit_test(test_impaired),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
