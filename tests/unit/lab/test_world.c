/* Worlds: turns, the two clocks, what is handed on without being copied, and that all of it can be
 * repeated. */
#include <string.h>

#include "unit.h"

#include "lab/random.h"
#include "talk.h"

#define MS UINT64_C(1000000)

/* ---- the same seed, the same world ----------------------------------------------------------- */

struct record {
    uint64_t hash, packets;
};

/* Every event of every packet, with its bytes and its time. */
static void note(void *user, const struct lab_event *event)
{
    struct record *r = user;
    uint64_t words[4] = {event->now, event->id, event->sent,
                         event->fate | (uint64_t)event->marks << 8 | (uint64_t)event->dir << 16};
    for (size_t i = 0; i < 4; i++)
        r->hash = (r->hash ^ words[i]) * 0x100000001b3u;
    for (size_t i = 0; i < event->len; i++)
        r->hash = (r->hash ^ event->data[i]) * 0x100000001b3u;
    r->packets++;
}

static struct record recorded(uint64_t seed, uint64_t link_seed)
{
    struct record r = {.hash = 0xcbf29ce484222325u};
    struct lab_impair impair = {.loss = 0.02,
                                .duplicate = 0.02,
                                .corrupt = 0.01,
                                .reorder = 0.02,
                                .delay = 5 * MS,
                                .jitter = MS,
                                .rate = 20000000};
    struct talk_config conf = {.seed = seed,
                               .up = 200000,
                               .down = 300000,
                               .link = {.seed = link_seed, .dir = {impair, impair}}};
    conf.link.tap = note;
    conf.link.user = &r;
    (void)talk_all(&conf, 600);
    return r;
}

static void the_same_seed_gives_the_same_packets(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 4; seed++) {
        struct record a = recorded(seed, 0), b = recorded(seed, 0);
        assert_true(a.packets > 1000);
        assert_true(a.hash == b.hash && a.packets == b.packets);
        struct record other_world = recorded(seed + 100, 0), other_link = recorded(seed, 100);
        assert_true(other_world.hash != a.hash);
        assert_true(other_link.hash != a.hash);
        struct record c = recorded(seed, 100);
        assert_true(c.hash == other_link.hash);
    }
}

static struct {
    uint8_t syn[2][40];
    int count;
} first_syn;

static void note_syn(void *user, const struct lab_event *event)
{
    (void)user;
    if (event->fate == LAB_SENT && event->id == 1 && first_syn.count < 2)
        memcpy(first_syn.syn[first_syn.count++], event->data, 40);
}

/* Hosts of one world, and of worlds with other seeds, choose other initial sequence numbers. */
static void hosts_have_seeds_of_their_own(void **state)
{
    (void)state;
    first_syn.count = 0;
    for (uint64_t seed = 1; seed < 3; seed++) {
        struct talk_config conf = {.seed = seed, .up = 1, .down = 1, .link.tap = note_syn};
        (void)talk_all(&conf, 10);
    }
    assert_int_equal(first_syn.count, 2);
    assert_memory_not_equal(first_syn.syn[0] + 24, first_syn.syn[1] + 24, 4);
}

/* ---- handing on ------------------------------------------------------------------------------ */

static uint64_t counted(struct talk *t, int side, enum tern_counter counter)
{
    return tern_counters_of(t->side[side].s)->count[counter];
}

/* Over a transparent link super-segments arrive as they left, in no time. */
static void a_transparent_link_hands_packets_over(void **state)
{
    (void)state;
    struct talk_config conf = {.seed = 1, .up = 1000000};
    conf.iface = (tern_iface){.mtu = 1500,
                              .gso_max = 65535,
                              .caps = TERN_CAP_CSUM | TERN_CAP_TSO4 | TERN_CAP_TSO6};
    struct talk t;
    assert_int_equal(talk_begin(&t, &conf), 0);
    struct lab_link *l = lab_world_get_link(t.pair.w, 0);
    assert_true(lab_link_transparent(l, 0) && lab_link_transparent(l, 1));
    assert_true(lab_world_run(t.pair.w, LAB_PAIR_START + MS, talk_over, &t));
    talk_check(&t);
    uint64_t segments = counted(&t, 1, TERN_COUNT_SEGMENTS_IN);
    const struct lab_counts *n = lab_link_counts(l, 0);
    assert_true(n->sent >= 1000000 / 1448);
    assert_true(segments < n->sent / 10);
    assert_int_equal(n->sent, n->arrived);
    assert_true(n->bytes > 1000000 + 690 * 52);
    talk_end(&t);
}

/* Delay alone keeps super-segments whole; a tap splits them. */
static void delay_keeps_super_segments_and_a_tap_splits_them(void **state)
{
    (void)state;
    for (int tapped = 0; tapped < 2; tapped++) {
        struct record r = {0};
        struct talk_config conf = {.seed = 1, .up = 1000000};
        conf.iface =
            (tern_iface){.mtu = 1500, .gso_max = 65535, .caps = TERN_CAP_CSUM | TERN_CAP_TSO4};
        conf.link.dir[0].delay = conf.link.dir[1].delay = MS;
        if (tapped) {
            conf.link.tap = note;
            conf.link.user = &r;
        }
        struct talk t;
        assert_int_equal(talk_begin(&t, &conf), 0);
        assert_true(lab_world_run(t.pair.w, LAB_PAIR_START + 1000 * MS, talk_over, &t));
        talk_check(&t);
        uint64_t segments = counted(&t, 1, TERN_COUNT_SEGMENTS_IN);
        uint64_t sent = lab_link_counts(lab_world_get_link(t.pair.w, 0), 0)->sent;
        if (tapped)
            assert_in_range(segments, sent - 2, sent);
        else
            assert_in_range(segments, 1, sent / 4);
        talk_end(&t);
    }
}

/* A state change is traced between the arrival of the packet that causes it and its end. */
static struct {
    bool inside;
    int outside; /* changes to ESTABLISHED by no packet */
    int within;
} attribution;

static void attribute(void *user, const struct lab_event *event)
{
    (void)user;
    if (event->fate == LAB_ARRIVED) {
        assert_false(attribution.inside);
        attribution.inside = true;
    } else if (event->fate == LAB_PROCESSED) {
        assert_true(attribution.inside);
        attribution.inside = false;
    } else {
        assert_false(attribution.inside); /* output comes later */
    }
}

static void attribute_trace(void *user, int host, const tern_trace *record)
{
    (void)user;
    assert_in_range(host, 0, 1);
    if (record->kind != TERN_TRACE_STATE || record->to != TERN_ESTABLISHED)
        return;
    attribution.within += attribution.inside;
    attribution.outside += !attribution.inside;
}

static void state_changes_fall_within_their_packets(void **state)
{
    (void)state;
    memset(&attribution, 0, sizeof(attribution));
    struct talk_config conf = {.seed = 1, .up = 5000, .down = 5000, .trace = attribute_trace};
    conf.link.tap = attribute;
    (void)talk_all(&conf, 10);
    assert_int_equal(attribution.within, 2);
    assert_int_equal(attribution.outside, 0);
}

/* ---- clocks ---------------------------------------------------------------------------------- */

/* The same world by a caller's clock: turns when they are due, or too often, or too late. */
static void the_caller_may_have_the_clock(void **state)
{
    (void)state;
    for (uint64_t late = 0; late < 3; late++) {
        struct talk_config conf = {.seed = 3, .up = 100000, .down = 100000};
        conf.link.dir[0] = (struct lab_impair){.delay = 2 * MS, .loss = 0.01};
        conf.link.dir[1] = conf.link.dir[0];
        struct talk t;
        assert_int_equal(talk_begin(&t, &conf), 0);
        uint64_t now = LAB_PAIR_START;
        assert_int_equal(lab_world_next(t.pair.w), 0); /* a SYN is to be sent */
        for (int turns = 0; !talk_over(&t); turns++) {
            assert_true(turns < 100000);
            bool finished = lab_world_turn(t.pair.w, now);
            assert_int_equal(lab_world_now(t.pair.w), now);
            uint64_t next = lab_world_next(t.pair.w);
            assert_true(!finished || next > now);
            assert_true(next != TERN_NEVER);
            if (late == 2)
                now += MS / 10; /* regardless */
            else
                now = (next > now ? next : now) + late * 300000;
        }
        talk_check(&t);
        talk_end(&t);
    }
}

static bool never(void *user)
{
    (void)user;
    return false;
}

/* With nothing left to happen, the clock goes where it is told to. */
static void an_hour_passes_at_once(void **state)
{
    (void)state;
    struct lab_world *w = lab_world_new(1, 5);
    assert_non_null(w);
    assert_int_equal(lab_world_now(w), 5);
    assert_int_equal(lab_world_next(w), TERN_NEVER);
    assert_false(lab_world_run(w, 3600000 * MS, NULL, NULL));
    assert_int_equal(lab_world_now(w), 3600000 * MS);
    assert_false(lab_world_run(w, TERN_NEVER, never, NULL));
    assert_int_equal(lab_world_now(w), 3600000 * MS);
    assert_false(lab_world_run(w, 7, never, NULL)); /* time does not go back */
    assert_int_equal(lab_world_now(w), 3600000 * MS);
    lab_world_free(w);
    lab_world_free(NULL);
}

/* A world in which something is always to be done ends a turn all the same, and time goes on. */
static int echoes;

static void echo(void *user, tern *s, const tern_event *ev)
{
    uint8_t byte[16];
    tern_sock k;
    (void)user;
    if (ev->mask & TERN_EV_ACCEPT) {
        while (tern_accept(s, ev->sock, &k, NULL, NULL) == 0)
            ; /* data that waits already is an event of its own */
        return;
    }
    if (ev->mask & TERN_EV_OPEN)
        assert_int_equal(tern_send(s, ev->sock, "x", 1), 1);
    ptrdiff_t n;
    while ((n = tern_recv(s, ev->sock, byte, sizeof(byte))) > 0) {
        assert_int_equal(tern_send(s, ev->sock, byte, (size_t)n), n);
        echoes++;
    }
}

static void a_turn_is_bounded(void **state)
{
    (void)state;
    echoes = 0;
    struct lab_host_config host = {.event = echo};
    tern_config_default(&host.tern);
    struct lab_pair p;
    assert_int_equal(lab_pair_new(&p, 1, &host, &host, &(tern_iface){.mtu = 1500}, NULL), 0);
    tern_sock k;
    tern_listen_args args = {.local.port = 7, .backlog = 1};
    assert_int_equal(tern_listen(p.server, &k, &args), 0);
    tern_addr to = {.port = 7};
    memcpy(to.ip, lab_server_ip6, 16);
    assert_int_equal(tern_connect(p.client, &k, NULL, &to, NULL), 0);
    assert_false(lab_world_turn(p.w, LAB_PAIR_START));
    assert_in_range(echoes, 5, 100);
    assert_int_equal(lab_world_next(p.w), 0);
    assert_false(lab_world_run(p.w, LAB_PAIR_START + MS, NULL, NULL));
    assert_int_equal(lab_world_now(p.w), LAB_PAIR_START + MS);
    assert_in_range(echoes, 1000, 100000);
    lab_world_free(p.w);
}

/* ---- building -------------------------------------------------------------------------------- */

static void worlds_are_joined_with_care(void **state)
{
    (void)state;
    struct lab_world *w = lab_world_new(1, 1);
    struct lab_host_config conf = {.name = "somebody"};
    conf.tern.size = 1;
    assert_int_equal(lab_world_host(w, &conf), TERN_EINVAL);
    tern_config_default(&conf.tern);
    conf.tern.conns_max = 0;
    assert_int_equal(lab_world_host(w, &conf), TERN_EINVAL);
    tern_config_default(&conf.tern);
    assert_int_equal(lab_world_host(w, &conf), 0);
    assert_int_equal(lab_world_host(w, &conf), 1);
    assert_string_equal(lab_world_name(w, 1), "somebody");
    struct lab_config link = {0};
    assert_int_equal(lab_world_link(w, 0, -1, 1, 0, &link), TERN_EINVAL);
    assert_int_equal(lab_world_link(w, 0, 0, 1, 64, &link), TERN_EINVAL);
    assert_int_equal(lab_world_link(w, 0, 0, 0, 0, &link), TERN_EINVAL);
    assert_int_equal(lab_world_link(w, 0, 3, 1, 63, &link), 0);
    assert_int_equal(lab_world_link(w, 0, 3, 1, 0, &link), TERN_EADDRINUSE);
    assert_int_equal(lab_world_link(w, 0, 0, 1, 63, &link), TERN_EADDRINUSE);
    assert_int_equal(lab_world_link(w, 1, 1, 0, 1, &link), 1);
    assert_ptr_not_equal(lab_world_get_link(w, 0), lab_world_get_link(w, 1));
    lab_world_free(w);
}

/* What goes out of an interface without a link is lost, and nobody waits for it. */
static void an_unjoined_interface_is_a_void(void **state)
{
    (void)state;
    struct lab_world *w = lab_world_new(1, MS);
    struct lab_host_config conf = {0};
    tern_config_default(&conf.tern);
    int host = lab_world_host(w, &conf);
    tern *s = lab_world_tern(w, host);
    assert_int_equal(tern_iface_add(s, &(tern_iface){.mtu = 1500}), 0);
    assert_int_equal(tern_iface_addr(s, 0, lab_client_ip4, 120), 0);
    tern_addr to = {.port = 7};
    memcpy(to.ip, lab_server_ip4, 16);
    tern_sock k;
    assert_int_equal(tern_connect(s, &k, NULL, &to, NULL), 0);
    assert_true(lab_world_turn(w, MS));
    assert_in_range(lab_world_next(w), 900 * MS, 1100 * MS); /* its retransmission timer */
    assert_false(lab_world_run(w, TERN_NEVER, NULL, NULL));  /* it gives up */
    tern_memory m;
    tern_memory_of(s, &m);
    assert_int_equal(m.outputs, 0);
    assert_int_equal(tern_counters_of(s)->count[TERN_COUNT_ATTEMPT_FAILS], 1);
    lab_world_free(w);
}

/* Below IPv6's least MTU a pair has IPv4 alone. */
static void a_pair_of_small_mtu_has_no_ip6(void **state)
{
    (void)state;
    struct lab_host_config host = {0};
    tern_config_default(&host.tern);
    struct lab_pair p;
    tern_iface iface = {.mtu = 576};
    assert_int_equal(lab_pair_new(&p, 1, &host, &host, &iface, NULL), 0);
    assert_string_equal(lab_world_name(p.w, 0), "client");
    assert_string_equal(lab_world_name(p.w, 1), "server");
    tern_addr to = {.port = 7};
    tern_sock k;
    memcpy(to.ip, lab_server_ip6, 16);
    assert_int_equal(tern_connect(p.client, &k, NULL, &to, NULL), TERN_ENETUNREACH);
    memcpy(to.ip, lab_server_ip4, 16);
    assert_int_equal(tern_connect(p.client, &k, NULL, &to, NULL), 0);
    lab_world_free(p.w);
    iface.mtu = 20;
    assert_int_equal(lab_pair_new(&p, 1, &host, &host, &iface, NULL), TERN_EINVAL);
    assert_null(p.w);
}

/* ---- a line of hosts: a router would be a stack that forwards; here two links at one host -- */

static void a_host_may_have_several_links(void **state)
{
    (void)state;
    struct lab_world *w = lab_world_new(4, MS);
    struct lab_host_config conf = {.event = echo};
    tern_config_default(&conf.tern);
    static const uint8_t ip[3][2][16] = {
        {{[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1}, {0}},
        {{[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 2},
         {[10] = 0xff, [11] = 0xff, [12] = 10, [13] = 1, [15] = 2}},
        {{0}, {[10] = 0xff, [11] = 0xff, [12] = 10, [13] = 1, [15] = 3}}};
    for (int h = 0; h < 3; h++) {
        assert_int_equal(lab_world_host(w, &conf), h);
        tern *s = lab_world_tern(w, h);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(tern_iface_add(s, &(tern_iface){.mtu = 1500}), i);
            if (ip[h][i][10] != 0)
                assert_int_equal(tern_iface_addr(s, i, ip[h][i], 96 + 24), 0);
        }
    }
    assert_int_equal(lab_world_link(w, 0, 0, 1, 0, &(struct lab_config){.dir[0].delay = MS}), 0);
    assert_int_equal(lab_world_link(w, 1, 1, 2, 1, &(struct lab_config){0}), 1);
    tern_sock k;
    tern_listen_args args = {.local.port = 7, .backlog = 5};
    assert_int_equal(tern_listen(lab_world_tern(w, 1), &k, &args), 0);
    echoes = 0;
    for (int h = 0; h < 3; h += 2) {
        tern_addr to = {.port = 7};
        memcpy(to.ip, ip[1][h / 2], 16);
        assert_int_equal(tern_connect(lab_world_tern(w, h), &k, NULL, &to, NULL), 0);
    }
    (void)lab_world_run(w, 10 * MS, NULL, NULL);
    for (int i = 0; i < 2; i++) /* echoes run over both */
        assert_true(lab_link_counts(lab_world_get_link(w, i), 0)->arrived > 5);
    lab_world_free(w);
}

int main(void)
{
    unit_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_gives_the_same_packets),
        cmocka_unit_test(hosts_have_seeds_of_their_own),
        cmocka_unit_test(a_transparent_link_hands_packets_over),
        cmocka_unit_test(delay_keeps_super_segments_and_a_tap_splits_them),
        cmocka_unit_test(state_changes_fall_within_their_packets),
        cmocka_unit_test(the_caller_may_have_the_clock),
        cmocka_unit_test(an_hour_passes_at_once),
        cmocka_unit_test(a_turn_is_bounded),
        cmocka_unit_test(worlds_are_joined_with_care),
        cmocka_unit_test(an_unjoined_interface_is_a_void),
        cmocka_unit_test(a_pair_of_small_mtu_has_no_ip6),
        cmocka_unit_test(a_host_may_have_several_links),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
