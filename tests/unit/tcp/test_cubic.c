/* test_cubic.c - CUBIC (RFC 9438) against its formulas in floating point, HyStart++ (RFC 9406), and
 * the contract of tern/cc.h that both obey. */
#include <math.h>

#include "rig.h"
#include "tern/cc.h"

enum { MSS = 1000, STATE_GUARD = 64 };

/* An algorithm by itself, with a path of a fixed round trip. */
struct model {
    tern_cc cc;
    uint64_t now, rtt, delivered;
    _Alignas(16) uint8_t state[TERN_CC_STATE_MAX + STATE_GUARD];
};

static void begin(struct model *m, uint32_t cwnd, uint32_t ssthresh, uint64_t rtt)
{
    memset(m, 0, sizeof(*m));
    memset(m->state + tern_cc_cubic.state_size, 0x77, sizeof(m->state) - tern_cc_cubic.state_size);
    m->now = SEC(1);
    m->rtt = rtt;
    m->cc = (tern_cc){.cwnd = cwnd * MSS, .ssthresh = ssthresh, .state = m->state};
    tern_cc_cubic.init(&m->cc, MSS, m->now);
}

static tern_ack an_ack(struct model *m, uint32_t acked)
{
    m->delivered += acked;
    return (tern_ack){.now = m->now,
                      .delivered = m->delivered,
                      .rtt_ns = m->rtt,
                      .srtt_ns = m->rtt,
                      .min_rtt_ns = m->rtt,
                      .acked = acked,
                      .mss = MSS,
                      .cwnd_limited = 1};
}

/* One round trip: an acknowledgement for each segment of the window, evenly spaced. */
static void round_trip(struct model *m)
{
    uint32_t n = m->cc.cwnd / MSS;
    uint64_t gap = m->rtt / n;
    for (uint32_t i = 0; i < n; i++) {
        m->now += gap;
        tern_ack ack = an_ack(m, MSS);
        ack.round_start = i == 0;
        tern_cc_cubic.on_ack(&m->cc, &ack);
    }
    for (unsigned i = tern_cc_cubic.state_size; i < sizeof(m->state); i++)
        assert_int_equal(m->state[i], 0x77);
}

static void event(struct model *m, enum tern_cc_event ev)
{
    tern_ack ack = an_ack(m, 0);
    tern_cc_cubic.on_event(&m->cc, ev, &ack);
}

static void lose(struct model *m)
{
    event(m, TERN_CC_LOSS);
    m->cc.cwnd = m->cc.ssthresh; /* as the core does at the end of the recovery */
}

/* W(t) = C (t - K)^3 + W_max, K = cbrt((W_max - cwnd_epoch) / C): RFC 9438 4.2. */
static double w_cubic(double t, double w_max, double cwnd)
{
    double k = cbrt((w_max - cwnd) / 0.4);
    return 0.4 * (t - k) * (t - k) * (t - k) + w_max;
}

/* MAY-18: along the whole curve, concave and convex, within two segments and a hundredth. */
static void the_curve(void **state)
{
    (void)state;
    static const uint32_t windows[] = {100, 400, 2000, 20000};
    for (unsigned i = 0; i < 4; i++) {
        struct model m;
        begin(&m, windows[i], 1, MS(100));
        lose(&m);
        double w_max = windows[i], first = m.cc.cwnd / MSS;
        assert_in_range(first, w_max * 0.7 - 1, w_max * 0.7003);
        double k = cbrt((w_max - first) / 0.4);
        uint64_t epoch = m.now;
        while ((double)(m.now - epoch) / 1e9 < 1.5 * k) {
            round_trip(&m);
            double t = (double)(m.now - epoch) / 1e9, cwnd = m.cc.cwnd / MSS;
            double want = w_cubic(t, w_max, first);
            double most = first * pow(1.5, t * 10) + 2; /* by half a round trip at most */
            /* the target is a round trip ahead of time, which the window then reaches */
            double reno = first + t * 10 * (cwnd < w_max ? 0.54 : 1);
            double ahead = w_cubic(t + 0.2, w_max, first);
            if (cwnd > (ahead > reno ? ahead : reno) * 1.01 + 2)
                print_message("window %u at %.1f s: %.0f, curve %.0f, Reno %.0f\n", windows[i], t,
                              cwnd, ahead, reno);
            assert_true(cwnd <= (ahead > reno ? ahead : reno) * 1.01 + 2);
            assert_true(cwnd >= (want < most ? want : most) * 0.99 - 2);
        }
    }
}

/* 4.3: where Reno is faster, as Reno: 0.53 segments a round trip, then one from W_max on. */
static void as_fast_as_reno(void **state)
{
    (void)state;
    struct model m;
    begin(&m, 40, 1, MS(1));
    lose(&m);
    unsigned rounds = 0;
    for (; m.cc.cwnd < 40 * MSS; rounds++)
        round_trip(&m);
    assert_in_range(rounds, 20, 26); /* 12 / 0.53 = 22.6 */
    for (rounds = 0; m.cc.cwnd < 60 * MSS; rounds++)
        round_trip(&m);
    assert_in_range(rounds, 18, 22);
}

/* 4.6, 4.7: 0.7 of the window; and who reduces below the last maximum leaves room for others. */
static void fast_convergence(void **state)
{
    (void)state;
    struct model m;
    begin(&m, 1000, 1, MS(100));
    lose(&m);
    assert_int_equal(m.cc.cwnd, 700 * MSS);
    lose(&m);
    assert_int_equal(m.cc.cwnd, 490 * MSS);
    for (unsigned i = 0; i < 40; i++)
        round_trip(&m);
    /* flat near 700 * 0.85 = 595, not near 700: 4 s in, K is 6.4 s */
    assert_in_range(m.cc.cwnd / MSS, 580, 605);
}

/* 4.9: a reduction that was for nothing leaves the curve as it was. */
static void undo(void **state)
{
    (void)state;
    struct model m, twin;
    begin(&m, 100, 1, MS(100));
    lose(&m);
    for (unsigned i = 0; i < 10; i++)
        round_trip(&m);
    twin = m;
    twin.cc.state = twin.state;
    uint32_t cwnd = m.cc.cwnd;
    lose(&m);
    m.cc.cwnd = cwnd;
    event(&m, TERN_CC_UNDO);
    for (unsigned i = 0; i < 10; i++) {
        round_trip(&m);
        round_trip(&twin);
    }
    assert_in_range(m.cc.cwnd, twin.cc.cwnd - MSS, twin.cc.cwnd + MSS);
}

/* 5.8: the curve stands still while nothing is sent. */
static void idle_time_does_not_count(void **state)
{
    (void)state;
    struct model m;
    begin(&m, 100, 1, MS(100));
    lose(&m);
    round_trip(&m);
    uint32_t before = m.cc.cwnd;
    m.now += SEC(3600);
    tern_ack ack = an_ack(&m, 0);
    ack.interval_ns = SEC(3600);
    tern_cc_cubic.on_event(&m.cc, TERN_CC_IDLE, &ack);
    round_trip(&m);
    assert_in_range(m.cc.cwnd, before, before + 6 * MSS);
}

/* A window that is not used does not grow, and a reduction takes effect at once. */
static void unused_windows_stay(void **state)
{
    (void)state;
    struct model m;
    begin(&m, 10, UINT32_MAX, MS(100));
    for (unsigned i = 0; i < 1000; i++) {
        m.now += MS(10);
        tern_ack ack = an_ack(&m, MSS);
        ack.cwnd_limited = 0;
        tern_cc_cubic.on_ack(&m.cc, &ack);
    }
    assert_int_equal(m.cc.cwnd, 10 * MSS);
    m.cc.cwnd = 2 * MSS;
    lose(&m);
    assert_int_equal(m.cc.cwnd, 2 * MSS); /* never less */
}

/* an acknowledgement split into pieces buys nothing. */
static void ack_division(void **state)
{
    (void)state;
    for (unsigned start = 0; start < 2; start++) {
        struct model whole, pieces;
        begin(&whole, 10, start ? UINT32_MAX : 1, MS(100));
        begin(&pieces, 10, start ? UINT32_MAX : 1, MS(100));
        for (unsigned i = 0; i < 50; i++) {
            whole.now = pieces.now += MS(10);
            tern_ack ack = an_ack(&whole, MSS);
            tern_cc_cubic.on_ack(&whole.cc, &ack);
            for (unsigned j = 0; j < 100; j++) {
                ack = an_ack(&pieces, MSS / 100);
                tern_cc_cubic.on_ack(&pieces.cc, &ack);
            }
        }
        assert_in_range(pieces.cc.cwnd, whole.cc.cwnd - MSS, whole.cc.cwnd + MSS);
    }
}

/* RFC 9406 4.2: a round trip longer by an eighth (4 to 16 ms), seen by eight samples: growth by a
 * quarter; five such rounds end slow start. */
static void slow_start_ends_early(void **state)
{
    (void)state;
    struct model m;
    begin(&m, 10, UINT32_MAX, MS(100));
    round_trip(&m);
    round_trip(&m);
    assert_int_equal(m.cc.cwnd, 40 * MSS);
    m.rtt = MS(100) + US(12400); /* less than an eighth */
    round_trip(&m);
    assert_int_equal(m.cc.cwnd, 80 * MSS);
    m.rtt = MS(115) + MS(12);
    round_trip(&m);
    uint32_t cwnd = m.cc.cwnd / MSS;
    assert_in_range(cwnd, 80 + 8 + 17, 80 + 8 + 19); /* eight samples at full speed */
    for (unsigned i = 0; i < 4; i++) {
        round_trip(&m);
        cwnd += cwnd / 4;
        assert_in_range(m.cc.cwnd / MSS, cwnd * 97 / 100, cwnd * 103 / 100);
        assert_int_equal(m.cc.ssthresh, UINT32_MAX);
    }
    round_trip(&m);
    assert_true(m.cc.ssthresh <= m.cc.cwnd);
}

/* ... and one that passes does not. */
static void a_spike_of_delay_passes(void **state)
{
    (void)state;
    struct model m;
    begin(&m, 10, UINT32_MAX, MS(100));
    round_trip(&m);
    m.rtt = MS(150);
    round_trip(&m);
    m.rtt = MS(100);
    for (unsigned i = 0; i < 3; i++)
        round_trip(&m);
    assert_int_equal(m.cc.ssthresh, UINT32_MAX);
    assert_true(m.cc.cwnd > 150 * MSS);
}

/* RFC 9406 4.3: a later slow start knows from the last one where to end. */
static void later_slow_starts_do_without(void **state)
{
    (void)state;
    struct model m;
    begin(&m, 8, 1000 * MSS, MS(100));
    for (unsigned i = 0; i < 4; i++) {
        round_trip(&m);
        m.rtt = MS(150);
    }
    assert_int_equal(m.cc.cwnd, 8 * 16 * MSS);
    assert_int_equal(m.cc.ssthresh, 1000 * MSS);
}

/* A window of one segment that is acknowledged in pieces has as many samples as a large one. */
static void slow_start_never_ends_below_two_segments(void **state)
{
    (void)state;
    struct model m;
    begin(&m, 1, UINT32_MAX, MS(100));
    for (unsigned round = 0; round < 10; round++) {
        for (unsigned i = 0; i < 20; i++) {
            tern_ack ack = an_ack(&m, 1);
            ack.round_start = i == 0;
            tern_cc_cubic.on_ack(&m.cc, &ack);
        }
        m.rtt = MS(150);
    }
    assert_int_equal(m.cc.ssthresh, 2 * MSS);
}

/* What a quiet connection remembers. */
static void freeze_and_thaw(void **state)
{
    (void)state;
    struct model m, n;
    uint64_t summary[2] = {0};
    begin(&m, 1000, 1, MS(100));
    lose(&m);
    tern_cc_cubic.freeze(&m.cc, summary);
    begin(&n, 700, 700 * MSS, MS(100));
    tern_cc_cubic.thaw(&n.cc, summary);
    for (unsigned i = 0; i < 40; i++) {
        round_trip(&m);
        round_trip(&n);
    }
    assert_in_range(n.cc.cwnd, m.cc.cwnd - 2 * MSS, m.cc.cwnd + 2 * MSS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_curve),
        cmocka_unit_test(as_fast_as_reno),
        cmocka_unit_test(fast_convergence),
        cmocka_unit_test(undo),
        cmocka_unit_test(idle_time_does_not_count),
        cmocka_unit_test(unused_windows_stay),
        cmocka_unit_test(ack_division),
        cmocka_unit_test(slow_start_ends_early),
        cmocka_unit_test(a_spike_of_delay_passes),
        cmocka_unit_test(later_slow_starts_do_without),
        cmocka_unit_test(slow_start_never_ends_below_two_segments),
        cmocka_unit_test(freeze_and_thaw),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
