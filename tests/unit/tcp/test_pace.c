/* test_pace.c - departures: the rate that an owner or the window gives, bursts, lateness, what the
 * device is to hold back, and that round trips and timers count from the departure. */
#include "sender.h"

enum { FREE = 10 }; /* segments that are not paced */
#define RTT MS(10)

/* A connection that may send so many segments of SEG a second, its free ones in flight. The path is
 * so short that twice a window in a round trip, which it may not exceed either, is more. */
static struct peer *paced(struct rig *r, uint64_t rtt, uint64_t segs_a_second)
{
    struct peer *p = sender_new(r, (struct sender_opt){.rtt = rtt});
    int64_t rate = (int64_t)(segs_a_second * SEG), is = 0;
    assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_PACING_RATE, rate), 0);
    assert_int_equal(tern_option_get(r->s, p->k, TERN_OPT_PACING_RATE, &is), 0);
    assert_int_equal(is, rate);
    queue(p, FREE);
    sends(p, 0, FREE);
    return p;
}

/* The next segment leaves that long after `from`, give or take two ticks. */
static void leaves(struct peer *p, unsigned n, uint64_t from, uint64_t ns)
{
    if (rig_waiting(p->r) == 0)
        rig_wait(p->r, SEC(5));
    const struct seg *g = hear(p, A, 1 + n * SEG, 1, SEG);
    uint64_t slack = 2 * TICK + ns / 500; /* a rate that follows from srtt is not exact */
    if (g->departs + slack < from + ns || g->departs > from + ns + slack)
        rig_fail("segment %u leaves %.3f ms after, not %.3f", n, (double)(g->departs - from) / 1e6,
                 (double)ns / 1e6);
}

static void at_the_owners_rate(struct rig *r)
{
    struct peer *p = paced(r, RTT, 1000);
    rig_step(r, RTT);
    ack(p, FREE);
    uint64_t t = r->now;
    queue(p, 20);
    sends_first(p, FREE, FREE + 1); /* late by far: a millisecond of that is made up for */
    for (unsigned i = 1; i < 20; i++)
        leaves(p, FREE + i, t, i == 1 ? 0 : (i - 1) * MS(1));
    rig_hush(r);
    assert_int_equal(info(p).pacing_rate, 1000 * SEG);
    ack(p, 30);
    assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_PACING_RATE, 0), 0);
    queue(p, 20);
    rig_hush(r); /* what waits for its time still does, */
    rig_step(r, MS(1));
    sends(p, 30, 50); /* but no more */
    ack(p, 50);
}

/* Half a millisecond's worth goes early, and then nothing until all of it would have left. */
static void in_small_bursts(struct rig *r)
{
    struct peer *p = paced(r, MS(1), 10000);
    rig_step(r, MS(1));
    ack(p, FREE);
    queue(p, 20);
    uint64_t t = r->now, at = 0;
    unsigned n = 0, bursts = 0;
    while (n < 20) {
        at = rig_wait(r, SEC(1));
        unsigned got = rig_waiting(r);
        assert_in_range(got, 1, bursts == 0 ? 17 : 7);
        for (; got > 0; got--, n++)
            hear(p, A, 1 + (FREE + n) * SEG, 1, SEG);
        if (bursts++ != 0 && at < US(400))
            rig_fail("a burst after only %.3f ms", (double)at / 1e6);
        if (r->now - t + MS(1) + US(600) < n * US(100))
            rig_fail("%u segments in %.3f ms", n, (double)(r->now - t) / 1e6);
    }
    assert_in_range(bursts, 2, 4);
    ack(p, 30);
}

/* A caller who comes late is not punished for it, as long as it is less than twenty
 * milliseconds. */
static void late_callers(struct rig *r)
{
    for (unsigned late = 900; late < 20000; late += 6000) {
        struct peer *p = paced(r, RTT, 1000);
        rig_step(r, RTT);
        ack(p, FREE);
        uint64_t t = r->now;
        queue(p, 20);
        sends_first(p, FREE, FREE + 2);
        unsigned n = 2;
        while (n < 20) {
            rig_sleep(r, tern_next_timeout(r->s) - r->now + US(late));
            rig_turn(r);
            for (unsigned got = rig_waiting(r); got > 0; got--, n++)
                hear(p, A, 1 + (FREE + n) * SEG, 1, SEG);
            assert_in_range(r->now - t, (n - 2) * MS(1) - US(500), n * MS(1) + US(late));
        }
        ack(p, 30);
        rig_turn(r);
        rig_renew(r);
    }
}

/* Asked for in the configuration, of an algorithm that does not pace: Linux's shares of the
 * window. */
static void by_the_window(struct rig *r)
{
    r->cfg.pacing = true;
    struct peer *p = sender_new(r, (struct sender_opt){.rtt = MS(RTT_MS)});
    queue(p, FREE + 20);
    sends(p, 0, FREE);
    rig_step(r, MS(RTT_MS));
    uint64_t t = r->now;
    ack(p, FREE); /* 20 segments a round trip of 100 ms, twice that in slow start */
    assert_in_range(info(p).pacing_rate, 399000, 401000);
    sends_first(p, FREE, FREE + 1);
    for (unsigned i = 1; i < 20; i++)
        leaves(p, FREE + i, t, i * US(2500) - MS(1));
    ack(p, 30);
}

/* Nothing in flight and something to send, but not yet: that is no zero window, and no timeout. */
static void waiting_is_no_window_probe(struct rig *r)
{
    struct peer *p = paced(r, RTT, 1);
    rig_step(r, RTT);
    ack(p, FREE);
    queue(p, 3);
    sends(p, FREE, FREE + 1);
    rig_step(r, RTT);
    ack(p, FREE + 1);
    rig_step(r, MS(980));
    rig_hush(r);
    rig_step(r, MS(10));
    sends(p, FREE + 1, FREE + 2);
    ack(p, FREE + 2);
    assert_int_equal(rig_count(r, TERN_COUNT_PROBES), 0);
    assert_int_equal(rig_count(r, TERN_COUNT_TIMEOUTS), 0);
    assert_int_equal(tern_close(r->s, p->k), 0); /* the last segment and FIN wait as well */
    rig_hush(r);
    rig_step(r, SEC(1));
    hear(p, A | F, 1 + (FREE + 2) * SEG, 1, SEG);
    say(p, A | F, 1, 2 + (FREE + 3) * SEG, 0);
}

/* What is lost is paced like the rest; probes and acknowledgements are not. */
static void retransmissions_wait_too(struct rig *r)
{
    struct peer *p = paced(r, RTT, 100);
    rig_step(r, RTT);
    sack(p, 0, 4, 10, 0, 0);
    uint64_t t = r->now;
    sends_first(p, 0, 1);
    say(p, A | P, 1, 1, 100); /* the peer's data is acknowledged meanwhile */
    p->extra.sack[0] = (struct seg_sack){1 + 4 * SEG, 1 + 10 * SEG};
    say(p, A | P, 101, 1, 100);
    rig_turn(r);
    for (const struct seg *g; (g = rig_next(r)) != NULL;)
        assert_int_equal(g->len, 0);
    assert_int_equal(r->now, t);
    for (unsigned i = 1; i < 4; i++) {
        rig_wait(r, SEC(1));
        hear(p, A, 1 + i * SEG, 201, SEG);
        assert_in_range(r->now - t, i * MS(10) - MS(1), i * MS(10) - MS(1) + TICK);
    }
    say(p, A, 201, 1 + 10 * SEG, 0);
    peer_read(p, 0, 200);
}

/* Within the horizon the device holds them; round trips count from their departures. */
static void within_the_horizon(struct rig *r)
{
    r->cfg.tx_horizon = MS(10);
    struct peer *p = paced(r, RTT, 1000);
    rig_step(r, RTT);
    ack(p, FREE);
    uint64_t t = r->now;
    queue(p, 20);
    rig_turn(r);
    assert_in_range(rig_waiting(r), 10, 13); /* now, and the rest of ten milliseconds */
    for (unsigned i = 0; i < 20; i++)
        leaves(p, FREE + i, t, i == 0 ? 0 : (i - 1) * MS(1));
    if (r->now < t + MS(18) - MS(10) || r->now > t + MS(18))
        rig_fail("handed out too soon, or late");
    rig_step(r, t + RTT - r->now);
    for (unsigned i = 1; i < 20; i++) {
        ack(p, FREE + i + 1);
        rig_turn(r);
        rig_step(r, MS(1));
    }
    assert_in_range(info(p).min_rtt, RTT - US(10), RTT + US(10));
    assert_in_range(info(p).srtt, RTT - MS(1), RTT + MS(1));
}

/* The timers, too: the retransmission comes one RTO after the departure. */
static void timers_from_the_departure(struct rig *r)
{
    r->cfg.tx_horizon = MS(60);
    for (unsigned probe = 0; probe < 2; probe++) {
        struct peer *p = sender_new(r, (struct sender_opt){.no_sack = probe == 0});
        assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_PACING_RATE, 20 * SEG), 0);
        queue(p, FREE);
        sends(p, 0, FREE);
        rig_step(r, RTT);
        ack(p, FREE);
        queue(p, 2);
        uint64_t t = r->now;
        sends(p, FREE, FREE + 2); /* the second leaves after 49 ms */
        rig_step(r, MS(1));
        ack(p, FREE + 1);
        tern_tcp_info i = info(p);
        uint64_t wait = 2 * i.srtt + r->cfg.rto_min;
        if (!probe || wait > i.rto) /* (the probe comes in its place) */
            wait = i.rto;
        rig_wait(r, SEC(3));
        hear(p, A, 1 + (FREE + 1) * SEG, 1, SEG);
        assert_in_range(r->now - t, MS(49) + wait - US(20), MS(49) + wait + US(20));
        ack(p, FREE + 2);
        rig_turn(r);
        rig_renew(r);
        r->cfg.tx_horizon = MS(60);
    }
}

/* And timestamps say when a segment leaves: the echo of one sent again, and held back by the device
 * for a while, is known to answer the second copy. */
static void timestamps_from_the_departure(struct rig *r)
{
    r->cfg.tx_horizon = MS(60);
    struct peer *p = sender_new(r, (struct sender_opt){.rtt = RTT, .ts = true});
    assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_PACING_RATE, 20 * SEG), 0);
    queue(p, FREE);
    sends(p, 0, FREE);
    rig_step(r, RTT);
    sack(p, 0, 4, FREE, 0, 0);
    tern_tcp_info before = info(p);
    struct seg first = *hear(p, A, 1, 1, SEG);
    const struct seg *g = hear(p, A, 1 + SEG, 1, SEG);
    assert_in_range(g->departs - first.departs, MS(48), MS(51));
    assert_int_equal(g->tsval - first.tsval, g->departs / MS(1) - first.departs / MS(1));
    rig_sleep(r, g->departs - r->now + 3 * RTT);
    ack(p, 2);
    tern_tcp_info i = info(p);
    assert_in_range(i.srtt, before.srtt + 2 * RTT / 8 - US(5), before.srtt + 2 * RTT / 8 + US(5));
    rig_forget(r);
    ack(p, FREE);
}

/* A peer that acknowledges what has not left yet gains nothing by it, and harms nothing. */
static void acknowledged_before_it_leaves(struct rig *r)
{
    r->cfg.tx_horizon = SEC(1);
    struct peer *p = paced(r, RTT, 20);
    rig_step(r, RTT);
    ack(p, FREE);
    queue(p, 10);
    rig_turn(r);
    assert_int_equal(rig_waiting(r), 10);
    sends(p, FREE, FREE + 10);
    sack(p, FREE, FREE + 5, FREE + 10, 0, 0);
    rig_turn(r);
    ack(p, FREE + 10);
    tern_tcp_info i = info(p);
    assert_true(i.srtt <= RTT);
    assert_true(i.min_rtt >= US(1));
    assert_true(i.rto >= r->cfg.rto_min);
    queue(p, 5);
    rig_step(r, SEC(2));
    rig_forget(r);
    ack(p, FREE + 15);
}

/* Super-segments are sized by the rate: about a millisecond of it. */
static void sized_by_the_rate(struct rig *r)
{
    static const struct {
        unsigned rate, segs;
    } row[] = {{500, 2}, {10000, 9}, {18000, 17}};
    for (unsigned i = 0; i < 3; i++) {
        r->link.caps = TERN_CAP_CSUM | TERN_CAP_TSO4 | TERN_CAP_TSO6;
        r->link.gso_max = 65535;
        struct peer *p = paced(r, US(100), row[i].rate);
        rig_step(r, US(100));
        queue(p, 20);
        ack(p, FREE);
        rig_step(r, MS(60));
        unsigned segs[32] = {0}, most = 0;
        for (const struct seg *g; (g = rig_next(r)) != NULL;)
            most = ++segs[g->packet % 32] > most ? segs[g->packet % 32] : most;
        assert_int_equal(most, row[i].segs);
        ack(p, 30);
        rig_turn(r);
        rig_renew(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(at_the_owners_rate),
        RIG(in_small_bursts),
        RIG(late_callers),
        RIG(by_the_window),
        RIG(waiting_is_no_window_probe),
        RIG(retransmissions_wait_too),
        RIG(within_the_horizon),
        RIG(timers_from_the_departure),
        RIG(timestamps_from_the_departure),
        RIG(acknowledged_before_it_leaves),
        RIG(sized_by_the_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
