/* Paths that drop large packets and say nothing (RFC 4821, RFC 8899): with probing, transfers get
 * through, segments grow to what the path takes, and the probes that are lost cost no window. */
#include "unit.h"

#include "talk.h"

#define MS UINT64_C(1000000)

enum { MB = 1000000 };

struct way {
    uint32_t mtu; /* of the path */
    uint8_t probing;
    bool ip6, offload, loss;
};

struct outcome {
    uint64_t took;
    bool over;
    uint32_t mss; /* of the client, at its end */
    uint64_t probes, passed, lost, holes, recoveries, timeouts;
};

/* Five megabytes from client to server. */
static struct outcome send_over(struct way way, uint64_t seconds)
{
    struct talk t;
    struct outcome o = {0};
    tern_tcp_info info;
    struct talk_config conf = {.seed = 7, .up = 5 * MB, .ip6 = way.ip6};
    conf.link.dir[0] = conf.link.dir[1] =
        (struct lab_impair){.delay = 5 * MS, .mtu = way.mtu, .loss = way.loss ? 0.005 : 0};
    conf.iface.mtu = 1500;
    if (way.offload) {
        conf.iface.gso_max = 65535;
        conf.iface.caps = TERN_CAP_CSUM | TERN_CAP_TSO4 | TERN_CAP_TSO6;
    }
    conf.tern.size = sizeof conf.tern;
    tern_config_default(&conf.tern);
    conf.tern.mtu_probing = way.probing;
    assert_int_equal(talk_begin(&t, &conf), 0);
    uint64_t until = lab_world_now(t.pair.w) + seconds * 1000 * MS;
    while (!t.side[0].ended) {
        if (lab_world_now(t.pair.w) >= until)
            break;
        lab_world_run(t.pair.w, lab_world_now(t.pair.w) + MS, NULL, NULL);
        if (tern_info(t.side[0].s, t.side[0].sock, &info, sizeof info) == 0)
            o.mss = info.snd_mss;
    }
    lab_world_run(t.pair.w, until, talk_over, &t);
    o.over = talk_over(&t) && t.side[1].received == 5 * MB && t.side[1].err == 0;
    o.took = lab_world_now(t.pair.w);
    const tern_counters *n = tern_counters_of(t.side[0].s);
    o.probes = n->count[TERN_COUNT_MTU_PROBES];
    o.passed = n->count[TERN_COUNT_MTU_PROBES_PASSED];
    o.lost = n->count[TERN_COUNT_MTU_PROBES_LOST];
    o.holes = n->count[TERN_COUNT_MTU_BLACK_HOLES];
    o.recoveries = n->count[TERN_COUNT_FAST_RETRANSMITS];
    o.timeouts = n->count[TERN_COUNT_TIMEOUTS];
    print_message("  path %u, probing %u: %s, mss %u, probes %llu = %llu + %llu, recoveries %llu, "
                  "timeouts %llu\n",
                  way.mtu, way.probing, o.over ? "over" : "stuck", o.mss,
                  (unsigned long long)o.probes, (unsigned long long)o.passed,
                  (unsigned long long)o.lost, (unsigned long long)o.recoveries,
                  (unsigned long long)o.timeouts);
    talk_end(&t);
    return o;
}

/* The largest payload with timestamps. */
static uint32_t payload(const struct way *way) { return way->mtu - (way->ip6 ? 72 : 52); }

static void without_it_nothing_gets_through(void **state)
{
    (void)state;
    struct outcome o = send_over((struct way){.mtu = 1400}, 60);
    assert_false(o.over);
    assert_int_equal(o.probes, 0);
}

/* The size of the path is found, but for the threshold at which the search ends; no probe costs a
 * recovery, and there is no timeout. */
static void always(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        static const uint32_t mtus[] = {1500, 1492, 1400, 1300};
        for (unsigned how = 0; how < 4; how++) {
            struct way way = {.mtu = mtus[i], .probing = 2, .ip6 = how & 1, .offload = how & 2};
            struct outcome o = send_over(way, 60);
            assert_true(o.over);
            assert_true(o.mss <= payload(&way) && o.mss + 10 > payload(&way));
            assert_true(o.passed >= 2 || way.ip6);
            assert_int_equal(o.probes, o.passed + o.lost);
            assert_int_equal(o.recoveries, 0);
            assert_int_equal(o.timeouts, 0);
            assert_int_equal(o.holes, 0);
        }
    }
}

/* The path is found to be a black hole after R1 retransmissions, and then searched. */
static void on_black_hole(void **state)
{
    (void)state;
    for (unsigned how = 0; how < 4; how++) {
        struct way way = {.mtu = 1400, .probing = 1, .ip6 = how & 1, .offload = how & 2};
        struct outcome o = send_over(way, 60);
        assert_true(o.over);
        assert_int_equal(o.holes, 1);
        assert_true(o.mss <= payload(&way) && o.mss + 10 > payload(&way));
    }
    /* where packets get through it never begins */
    struct outcome o = send_over((struct way){.mtu = 1500, .probing = 1}, 60);
    assert_true(o.over);
    assert_int_equal(o.holes + o.probes, 0);
    assert_int_equal(o.mss, 1448);
}

/* A path smaller than what the search begins with: each timeout halves it (IPv4; in IPv6 every path
 * takes 1280). */
static void smaller_than_the_base(void **state)
{
    (void)state;
    for (uint8_t probing = 1; probing < 3; probing++) {
        struct way way = {.mtu = 700, .probing = probing};
        struct outcome o = send_over(way, 120);
        assert_true(o.over);
        assert_true(o.mss <= payload(&way) && o.mss + 10 > payload(&way));
    }
}

/* Losses of other kinds go on to be losses. */
static void with_losses(void **state)
{
    (void)state;
    struct way way = {.mtu = 1400, .probing = 2, .loss = true};
    struct outcome o = send_over(way, 120);
    assert_true(o.over);
    assert_true(o.recoveries > 0);
    assert_true(o.mss <= payload(&way));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_it_nothing_gets_through),
        cmocka_unit_test(always),
        cmocka_unit_test(on_black_hole),
        cmocka_unit_test(smaller_than_the_base),
        cmocka_unit_test(with_losses),
    };
    unit_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
