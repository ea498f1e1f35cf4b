/* The oracle on recorded Linux: it accuses nobody in any capture (tests/captures), and each of its
 * rules fires when one field of one packet is altered. A rule without such an alteration fails. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../test.h"
#include "base/util.h"
#include "pcap.h"
#include "watch/follow.h"

struct heard {
    uint32_t count[WATCH_RULE_COUNT];
    uint32_t all;
    bool tell;
    const char *where;
};

static void on_finding(void *user, const struct follow_finding *f)
{
    struct heard *h = user;
    const struct watch_rule_info *rule = watch_rule_info(f->rule);
    char a[24], b[24], s[256];
    h->count[f->rule]++;
    h->all++;
    if (!h->tell)
        return;
    snprintf(a, sizeof(a), "%" PRIu64, f->a);
    snprintf(b, sizeof(b), "%" PRIu64, f->b);
    print_error("%s, packet %" PRIu64 ": %s: %s\n", h->where, f->packet->number, rule->id,
                message(s, sizeof(s), rule->sentence, ARGS(a, b)));
}

static struct follow *followed(const struct pcap *p, struct heard *h)
{
    struct follow *f = follow_new(
        &(struct follow_config){.trust = RULE_ALL | RULE_WIRE, .finding = on_finding, .user = h});
    struct follow_result result;
    assert_non_null(f);
    for (size_t i = 0; i < p->n; i++) {
        struct follow_packet packet = {.time = p->packets[i].time,
                                       .number = i + 1,
                                       .data = p->packets[i].data,
                                       .have = p->packets[i].len,
                                       .len = p->packets[i].len};
        follow_packet(f, &packet, &result);
    }
    return f;
}

static void innocent(const char *name, void *user)
{
    struct heard h = {.tell = true, .where = name};
    struct pcap p = pcap_read(name);
    struct follow *f = followed(&p, &h);
    assert_int_equal(follow_count(f), 1);
    *(uint32_t *)user += h.all;
    follow_free(f);
    pcap_free(&p);
}

static void test_linux_is_innocent(void **state)
{
    uint32_t findings = 0;
    (void)state;
    assert_true(pcap_each(innocent, &findings) >= 20);
    assert_int_equal(findings, 0);
}

/* ---- alterations ----------------------------------------------------------------------------- */

enum { SYN = 2, ACK = 16, FIN = 1, RST = 4 };

/* The nth packet with these flags (of those in `mask`) and at least so much payload. */
static struct pcap_packet *nth(const struct pcap *p, uint8_t mask, uint8_t flags, size_t payload,
                               uint32_t n)
{
    for (size_t i = 0; i < p->n; i++)
        if ((pcap_tcp(&p->packets[i])[13] & mask) == flags &&
            pcap_payload(&p->packets[i]) >= payload && n-- == 1)
            return &p->packets[i];
    fail_msg("no such packet");
    return NULL;
}

/* An option of a packet: where its kind stands. */
static uint8_t *option(struct pcap_packet *p, uint8_t kind)
{
    uint8_t *tcp = pcap_tcp(p), *end = tcp + (tcp[12] >> 4) * 4;
    for (uint8_t *o = tcp + 20; o < end && *o != 0; o += *o == 1 ? 1 : o[1])
        if (*o == kind)
            return o;
    fail_msg("no such option");
    return NULL;
}

static struct pcap_packet *with_sack(const struct pcap *p)
{
    for (size_t i = 0; i < p->n; i++) {
        uint8_t *tcp = pcap_tcp(&p->packets[i]), *end = tcp + (tcp[12] >> 4) * 4;
        for (uint8_t *o = tcp + 20; o < end && *o != 0; o += *o == 1 ? 1 : o[1])
            if (*o == 5)
                return &p->packets[i];
    }
    fail_msg("no SACK");
    return NULL;
}

static void add32(uint8_t *p, uint32_t n) { store_be32(p, load_be32(p) + n); }

static struct pcap_packet *syn_ack(struct pcap *p) { return nth(p, SYN | ACK, SYN | ACK, 0, 1); }
static struct pcap_packet *data(struct pcap *p, uint32_t n)
{
    return nth(p, SYN | RST | FIN | ACK, ACK, 100, n);
}

/* Each alters one field of one packet, and returns it. */
static struct pcap_packet *no_ack(struct pcap *p)
{
    struct pcap_packet *at = data(p, 2);
    pcap_tcp(at)[13] &= (uint8_t)~ACK;
    return at;
}

static struct pcap_packet *syn_fin(struct pcap *p)
{
    pcap_tcp(syn_ack(p))[13] |= FIN;
    return syn_ack(p);
}

static struct pcap_packet *syn_ack_number(struct pcap *p)
{
    add32(pcap_tcp(syn_ack(p)) + 8, 1);
    return syn_ack(p);
}

/* The SYN ACK becomes an ACK, so the third segment acknowledges a SYN nobody sent. */
static struct pcap_packet *before_open(struct pcap *p)
{
    struct pcap_packet *at = nth(p, SYN | ACK, SYN, 0, 1);
    pcap_tcp(at)[13] = SYN; /* as it is; the next from this end comes too early */
    free(p->packets[1].data);
    memmove(p->packets + 1, p->packets + 2, (p->n - 2) * sizeof(*p->packets));
    p->n--;
    return at;
}

static struct pcap_packet *wscale_unasked(struct pcap *p)
{
    struct pcap_packet *at = nth(p, SYN | ACK, SYN, 0, 1);
    memset(option(at, 3), 1, 3);
    return at;
}

static struct pcap_packet *wscale_large(struct pcap *p)
{
    option(syn_ack(p), 3)[2] = 15;
    return syn_ack(p);
}

static struct pcap_packet *ts_unasked(struct pcap *p)
{
    struct pcap_packet *at = nth(p, SYN | ACK, SYN, 0, 1);
    memset(option(at, 8), 1, 10);
    return at;
}

static struct pcap_packet *ts_missing(struct pcap *p)
{
    struct pcap_packet *at = data(p, 2);
    memset(option(at, 8), 1, 10);
    return at;
}

static struct pcap_packet *ts_back(struct pcap *p)
{
    struct pcap_packet *at = data(p, 3);
    add32(option(at, 8) + 2, 0u - 100000);
    return at;
}

static struct pcap_packet *ts_echo(struct pcap *p)
{
    struct pcap_packet *at = data(p, 2);
    add32(option(at, 8) + 6, 100000);
    return at;
}

static struct pcap_packet *sack_unasked(struct pcap *p)
{
    struct pcap_packet *at = nth(p, SYN | ACK, SYN, 0, 1);
    memset(option(at, 4), 1, 2);
    return at;
}

static struct pcap_packet *sack_empty(struct pcap *p)
{
    struct pcap_packet *at = with_sack(p);
    uint8_t *o = option(at, 5);
    memcpy(o + 6, o + 2, 4);
    return at;
}

static struct pcap_packet *sack_unsent(struct pcap *p)
{
    struct pcap_packet *at = with_sack(p);
    add32(option(at, 5) + 6, 1000000);
    return at;
}

static struct pcap_packet *over_mss(struct pcap *p)
{
    struct pcap_packet *at = nth(p, SYN | ACK, SYN, 0, 1);
    store_be16(option(at, 2) + 2, 1200);
    return at;
}

static struct pcap_packet *ack_unsent(struct pcap *p)
{
    struct pcap_packet *at = data(p, 2);
    add32(pcap_tcp(at) + 8, 1);
    return at;
}

/* A line in the middle of a conversation. */
static struct pcap_packet *ack_back(struct pcap *p)
{
    struct pcap_packet *at = nth(p, SYN | RST | FIN | ACK, ACK, 5, 9);
    add32(pcap_tcp(at) + 8, 0u - 60);
    return at;
}

/* The client had offered a window of next to nothing. */
static struct pcap_packet *over_window(struct pcap *p)
{
    struct pcap_packet *at = nth(p, SYN | RST | FIN, 0, 1000, 1);
    add32(pcap_tcp(at) + 4, 1u << 23);
    return at;
}

static struct pcap_packet *data_changed(struct pcap *p)
{
    for (size_t i = 0; i < p->n; i++)
        for (size_t k = i + 1; k < p->n; k++) {
            struct pcap_packet *a = &p->packets[i], *b = &p->packets[k];
            if (pcap_payload(a) >= 100 && a->len == b->len &&
                memcmp(pcap_tcp(a), pcap_tcp(b), 8) == 0) {
                b->data[b->len - 1] ^= 1;
                return b;
            }
        }
    fail_msg("nothing is sent again");
    return NULL;
}

static struct pcap_packet *checksum(struct pcap *p)
{
    struct pcap_packet *at = data(p, 2);
    pcap_tcp(at)[17] ^= 1;
    return at;
}

/* A segment in the middle is the last, says a FIN. */
static struct pcap_packet *after_fin(struct pcap *p)
{
    struct pcap_packet *at = data(p, 3);
    pcap_tcp(at)[13] |= FIN;
    return at;
}

/* Its second FIN is one further. */
static struct pcap_packet *fin_moved(struct pcap *p)
{
    struct pcap_packet *at = nth(p, FIN, FIN, 0, 2);
    add32(pcap_tcp(at) + 4, 1);
    return at;
}

static struct pcap_packet *rst_number(struct pcap *p)
{
    struct pcap_packet *at = nth(p, RST, RST, 0, 1);
    add32(pcap_tcp(at) + 4, 5000000);
    return at;
}

static struct pcap_packet *after_rst(struct pcap *p)
{
    struct pcap_packet *at = data(p, 3);
    pcap_tcp(at)[13] |= RST;
    return at;
}

static struct pcap_packet *reserved(struct pcap *p)
{
    struct pcap_packet *at = data(p, 2);
    pcap_tcp(at)[12] |= 4;
    return at;
}

/* Its destination, in the IPv6 header. */
static struct pcap_packet *not_unicast(struct pcap *p)
{
    struct pcap_packet *at = nth(p, SYN | ACK, SYN, 0, 1);
    at->data[24] = 0xff;
    return at;
}

static struct pcap_packet *isn_moved(struct pcap *p)
{
    struct pcap_packet *at = data(p, 3);
    pcap_tcp(at)[13] |= SYN;
    return at;
}

/* An option that belongs on a SYN, where the timestamp was. */
static struct pcap_packet *late(struct pcap *p, uint8_t kind, uint8_t len)
{
    struct pcap_packet *at = data(p, 2);
    uint8_t *o = option(at, 8);
    memset(o, 1, 10);
    o[0] = kind;
    o[1] = len;
    return at;
}

static struct pcap_packet *mss_late(struct pcap *p) { return late(p, 2, 4); }
static struct pcap_packet *wscale_late(struct pcap *p) { return late(p, 3, 3); }
static struct pcap_packet *sack_ok_late(struct pcap *p) { return late(p, 4, 2); }

static struct pcap_packet *ts_echo_early(struct pcap *p)
{
    struct pcap_packet *at = data(p, 2);
    add32(option(at, 8) + 6, 0u - 100000);
    return at;
}

static struct pcap_packet *sack_held(struct pcap *p)
{
    struct pcap_packet *at = with_sack(p);
    memcpy(option(at, 5) + 2, pcap_tcp(at) + 8, 4);
    return at;
}

/* Its third block gets the left edge of the second. */
static struct pcap_packet *sack_overlap(struct pcap *p)
{
    for (size_t i = 0; i < p->n; i++) {
        uint8_t *tcp = pcap_tcp(&p->packets[i]);
        if ((tcp[12] >> 4) * 4 < 20 + 12 + 28)
            continue;
        uint8_t *o = option(&p->packets[i], 5);
        memcpy(o + 18, o + 10, 4);
        return &p->packets[i];
    }
    fail_msg("no three blocks");
    return NULL;
}

static struct pcap_packet *rst_ack(struct pcap *p)
{
    struct pcap_packet *at = nth(p, RST, RST, 0, 1);
    add32(pcap_tcp(at) + 8, 1);
    return at;
}

static struct pcap_packet *ecn_unasked(struct pcap *p)
{
    pcap_tcp(syn_ack(p))[13] |= 0x40;
    return syn_ack(p);
}

static struct pcap_packet *ect_unasked(struct pcap *p)
{
    struct pcap_packet *at = data(p, 2);
    at->data[1] |= 2;
    return at;
}

static const struct alteration {
    const char *capture;
    struct pcap_packet *(*alter)(struct pcap *p);
} alterations[WATCH_RULE_COUNT] = {
    [WATCH_RULE_CHECKSUM] = {"bulk", checksum},
    [WATCH_RULE_RESERVED] = {"bulk", reserved},
    [WATCH_RULE_NOT_UNICAST] = {"page-ip6", not_unicast},
    [WATCH_RULE_ISN_MOVED] = {"bulk", isn_moved},
    [WATCH_RULE_MSS_LATE] = {"bulk", mss_late},
    [WATCH_RULE_WSCALE_LATE] = {"bulk", wscale_late},
    [WATCH_RULE_SACK_OK_LATE] = {"bulk", sack_ok_late},
    [WATCH_RULE_TS_ECHO_EARLY] = {"bulk", ts_echo_early},
    [WATCH_RULE_SACK_HELD] = {"loss", sack_held},
    [WATCH_RULE_SACK_OVERLAP] = {"everything", sack_overlap},
    [WATCH_RULE_RST_ACK] = {"refused", rst_ack},
    [WATCH_RULE_ECN_UNASKED] = {"page", ecn_unasked},
    [WATCH_RULE_ECT_UNASKED] = {"bulk", ect_unasked},
    [WATCH_RULE_SYN_FIN] = {"page", syn_fin},
    [WATCH_RULE_NO_ACK] = {"bulk", no_ack},
    [WATCH_RULE_SYN_ACK_NUMBER] = {"page", syn_ack_number},
    [WATCH_RULE_BEFORE_OPEN] = {"page", before_open},
    [WATCH_RULE_WSCALE_UNASKED] = {"page", wscale_unasked},
    [WATCH_RULE_WSCALE_LARGE] = {"page-ip6", wscale_large},
    [WATCH_RULE_TS_UNASKED] = {"page", ts_unasked},
    [WATCH_RULE_TS_MISSING] = {"bulk", ts_missing},
    [WATCH_RULE_TS_BACK] = {"bulk", ts_back},
    [WATCH_RULE_TS_ECHO] = {"bulk", ts_echo},
    [WATCH_RULE_SACK_UNASKED] = {"page", sack_unasked},
    [WATCH_RULE_SACK_EMPTY] = {"loss", sack_empty},
    [WATCH_RULE_SACK_UNSENT] = {"loss", sack_unsent},
    [WATCH_RULE_OVER_MSS] = {"bulk", over_mss},
    [WATCH_RULE_ACK_UNSENT] = {"bulk", ack_unsent},
    [WATCH_RULE_ACK_BACK] = {"talk", ack_back},
    [WATCH_RULE_OVER_WINDOW] = {"bulk", over_window},
    [WATCH_RULE_DATA_CHANGED] = {"loss", data_changed},
    [WATCH_RULE_AFTER_FIN] = {"bulk", after_fin},
    [WATCH_RULE_FIN_MOVED] = {"fin-lost", fin_moved},
    [WATCH_RULE_RST_NUMBER] = {"closed-under-it", rst_number},
    [WATCH_RULE_AFTER_RST] = {"bulk", after_rst},
};

static void test_each_rule_fires(void **state)
{
    (void)state;
    for (uint32_t rule = 0; rule < WATCH_RULE_COUNT; rule++) {
        const struct alteration *a = &alterations[rule];
        const char *id = watch_rule_info(rule)->id;
        if (a->alter == NULL)
            fail_msg("rule %s has no alteration", id);
        struct pcap p = pcap_read(a->capture);
        struct pcap_packet *at = a->alter(&p);
        if (rule != WATCH_RULE_CHECKSUM)
            pcap_mend(at);
        struct heard h = {.tell = false};
        follow_free(followed(&p, &h));
        pcap_free(&p);
        if (h.count[rule] == 0)
            fail_msg("rule %s does not fire", id);
    }
}

/* ---- inserted packets ------------------------------------------------------------------------ */

/* A copy of packet `like` before packet `at`. */
static struct pcap_packet *insert(struct pcap *p, size_t at, size_t like)
{
    struct pcap_packet copy = p->packets[like];
    copy.data = malloc(copy.len);
    p->packets = realloc(p->packets, (p->n + 1) * sizeof(*p->packets));
    assert_true(copy.data != NULL && p->packets != NULL);
    memcpy(copy.data, p->packets[like].data, copy.len);
    memmove(p->packets + at + 1, p->packets + at, (p->n++ - at) * sizeof(*p->packets));
    p->packets[at] = copy;
    return &p->packets[at];
}

/* A SYN or SYN-ACK becomes another segment, of which but the timestamps are left as options. */
static void becomes(struct pcap_packet *p, uint8_t flags)
{
    enum { TIMESTAMPS = 26, BEHIND = 36, END = 40, NOP = 1 };
    uint8_t *tcp = pcap_tcp(p);
    tcp[13] = flags;
    memset(tcp + 20, NOP, TIMESTAMPS - 20);
    memset(tcp + BEHIND, NOP, END - BEHIND);
}

/* An acknowledgement of the connection before comes, the SYN-ACK right behind it, and only then
 * leaves the RST that answers the former: this connection is not reset by it. */
static void test_rst_to_the_one_before(void **state)
{
    struct heard innocent = {.tell = true, .where = "an RST to the connection before"};
    struct pcap p = pcap_read("talk");
    size_t at = (size_t)(syn_ack(&p) - p.packets);
    (void)state;
    uint32_t before = load_be32(pcap_tcp(&p.packets[at]) + 8) - 100000;
    struct pcap_packet *q = insert(&p, at, at);
    becomes(q, ACK);
    store_be32(pcap_tcp(q) + 8, before);
    pcap_mend(q);
    q = insert(&p, at + 2, at - 1); /* like the SYN */
    becomes(q, RST);
    store_be32(pcap_tcp(q) + 4, before);
    pcap_mend(q);
    struct follow *f = followed(&p, &innocent);
    assert_int_equal(innocent.all, 0);
    assert_int_equal(follow_conn(f, 0)->reset_by, -1);
    assert_int_equal(follow_outcome(follow_conn(f, 0)), FOLLOW_CLOSED);
    follow_free(f);
    pcap_free(&p);
}

/* ---- three SYN-ACKs -------------------------------------------------------------------------- */

/* Another SYN-ACK before or behind the one that counts, of a listener that has forgotten the first
 * SYN: other numbers, and another clock. */
static void add_syn_ack(struct pcap *p, bool behind, uint32_t isn, uint32_t clock)
{
    size_t at = (size_t)(syn_ack(p) - p->packets);
    struct pcap_packet *other = insert(p, at + behind, at);
    add32(pcap_tcp(other) + 4, isn);
    add32(option(other, 8) + 2, clock);
    pcap_mend(other);
}

/* Nobody is accused; but who sends new data by a clock that runs backwards is, as before. */
static void one_of_three(const uint32_t isn[2], uint32_t clock, const bool behind[2])
{
    struct heard innocent = {.tell = true, .where = "three SYN-ACKs"}, guilty = {.tell = false};
    struct pcap p = pcap_read("talk");
    for (int i = 0; i < 2; i++)
        add_syn_ack(&p, behind[i], isn[i], clock * (uint32_t)(i + 1));
    follow_free(followed(&p, &innocent));
    struct pcap_packet *later = nth(&p, SYN | RST, 0, 21, 2);
    add32(option(later, 8) + 2, (uint32_t)-1000);
    pcap_mend(later);
    follow_free(followed(&p, &guilty));
    pcap_free(&p);
    assert_int_equal(innocent.all, 0);
    assert_int_equal(guilty.count[WATCH_RULE_TS_BACK], 1);
}

static void test_three_syn_acks(void **state)
{
    static const uint32_t far[] = {1u << 20, 1u << 30, 5u << 28, 11u << 28, (uint32_t)-5};
    static const bool behind[4][2] = {{false, false}, {false, true}, {true, false}, {true, true}};
    (void)state;
    for (uint32_t i = 0; i < ARRAY_LEN(far) * ARRAY_LEN(far) * ARRAY_LEN(far); i++)
        for (uint32_t k = 0; k < 4; k++)
            one_of_three((uint32_t[]){far[i % 5], far[i / 5 % 5]}, far[i / 25], behind[k]);
}

/* ---- states ---------------------------------------------------------------------------------- */

static void test_states(void **state)
{
    static const struct {
        const char *name;
        enum follow_outcome outcome;
        int closed_first;
        uint8_t client, server;
    } expected[] = {
        {"page", FOLLOW_CLOSED, 1, TERN_CLOSED, TERN_TIME_WAIT},
        {"upload", FOLLOW_CLOSED, 0, TERN_TIME_WAIT, TERN_CLOSED},
        {"everything", FOLLOW_CLOSED, 0, TERN_TIME_WAIT, TERN_CLOSED},
        {"simultaneous-close", FOLLOW_CLOSED, 0, TERN_TIME_WAIT, TERN_TIME_WAIT},
        {"refused", FOLLOW_REFUSED, -1, TERN_CLOSED, TERN_CLOSED},
        {"reset-by-client", FOLLOW_RESET, -1, TERN_CLOSED, TERN_CLOSED},
        {"closed-under-it", FOLLOW_RESET, 1, TERN_CLOSED, TERN_CLOSED},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        struct heard h = {.tell = false};
        struct pcap p = pcap_read(expected[i].name);
        struct follow *f = followed(&p, &h);
        const struct follow_conn *k = follow_conn(f, 0);
        print_message("%s\n", expected[i].name);
        assert_int_equal(follow_outcome(k), expected[i].outcome);
        if (strcmp(expected[i].name, "simultaneous-close") != 0)
            assert_int_equal(k->closed_first, expected[i].closed_first);
        assert_int_equal(k->end[0].state, expected[i].client);
        assert_int_equal(k->end[1].state, expected[i].server);
        follow_free(f);
        pcap_free(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linux_is_innocent),
        cmocka_unit_test(test_each_rule_fires),
        cmocka_unit_test(test_rst_to_the_one_before),
        cmocka_unit_test(test_three_syn_acks),
        cmocka_unit_test(test_states),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
