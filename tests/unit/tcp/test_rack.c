/* test_rack.c - RACK-TLP (RFC 8985): what time shows to be lost, and the probe at the tail. */
#include "sender.h"

/* 6.2, 7: three segments SACKed behind a hole: it is lost at once, and only it. */
static void a_hole_with_three_behind_it(struct rig *r)
{
    struct peer *p = sender_new(r, (struct sender_opt){0});
    queue(p, 10);
    sends(p, 0, 10);
    rig_step(r, MS(100));
    sack(p, 0, 1u, 2u, 0u, 0u);
    rig_hush(r);
    is(p, TERN_PHASE_DISORDER, 10, ANY);
    sack(p, 0, 1u, 3u, 0u, 0u);
    rig_hush(r);
    sack(p, 0, 1u, 4u, 0u, 0u);
    sends(p, 0, 1);
    is(p, TERN_PHASE_RECOVERY, ANY, 7);
    tern_tcp_info i = info(p);
    assert_int_equal(i.segs_sacked, 3);
    assert_int_equal(i.segs_lost, 1);
    assert_int_equal(i.segs_again, 1);
    assert_int_equal(i.segs_flight, 10);
    rig_step(r, MS(100));
    ack(p, 10);
    rig_hush(r);
    is(p, TERN_PHASE_OPEN, 8, 7); /* 7, and CUBIC's first step from there */
    assert_int_equal(rig_count(r, TERN_COUNT_RETRANSMITS), 1);
}

/* 6.2 step 4: with less evidence, a quarter of the least round trip is waited. */
static void a_hole_with_one_behind_it(struct rig *r)
{
    struct peer *p = sender_new(r, (struct sender_opt){0});
    queue(p, 4);
    sends(p, 0, 4);
    rig_step(r, MS(100));
    ack(p, 2);
    sack(p, 2, 3u, 4u, 0u, 0u);
    rig_hush(r);
    after(p, MS(25));
    sends(p, 2, 3);
    is(p, TERN_PHASE_RECOVERY, ANY, 7);
}

/* What comes late within the window was not lost, and nothing is reduced. */
static void reordering_is_no_loss(struct rig *r)
{
    struct peer *p = sender_new(r, (struct sender_opt){0});
    queue(p, 10);
    sends(p, 0, 10);
    rig_step(r, MS(100));
    sack(p, 0, 1u, 3u, 0u, 0u);
    rig_step(r, MS(20));
    ack(p, 3);
    rig_hush(r);
    is(p, TERN_PHASE_OPEN, ANY, ANY);
    tern_tcp_info i = info(p);
    assert_int_equal(i.reord_seen, 1);
    ack(p, 10);
    queue(p, 10);
    sends(p, 10, 20);
    rig_step(r, MS(100));
    sack(p, 10, 11u, 20u, 0u, 0u); /* nine of them: still not lost, for this path reorders */
    rig_hush(r);
    is(p, TERN_PHASE_DISORDER, ANY, ANY);
    rig_step(r, MS(20));
    ack(p, 20);
    assert_int_equal(rig_count(r, TERN_COUNT_RETRANSMITS), 0);
    is(p, TERN_PHASE_OPEN, ANY, ANY);
}

/* 6.2: a retransmission that is lost is found by what was sent after it. */
static void a_lost_retransmission(struct rig *r)
{
    struct peer *p = sender_new(r, (struct sender_opt){0});
    queue(p, 30);
    sends(p, 0, 10);
    rig_step(r, MS(100));
    sack(p, 0, 1u, 4u, 0u, 0u);
    sends_first(p, 0, 1);
    rig_forget(r);
    rig_step(r, MS(50));
    sack(p, 0, 1u, 10u, 0u, 0u); /* PRR lets new data out */
    rig_turn(r);
    unsigned n = rig_waiting(r);
    assert_true(n >= 3);
    for (unsigned i = 0; i < n; i++)
        hear(p, A, 1 + (10 + i) * SEG, 1, SEG);
    rig_step(r, MS(100));
    sack(p, 0, 1u, 10u + n, 0u, 0u);
    rig_turn(r);
    hear(p, A, 1, 1, SEG); /* again, without a timeout */
    assert_int_equal(rig_count(r, TERN_COUNT_TIMEOUTS), 0);
}

/* 6.2 step 4: D-SACKs widen the window, a quarter for each round trip that brings one. */
static void dsacks_widen_the_window(struct rig *r)
{
    struct peer *p = sender_new(r, (struct sender_opt){0});
    unsigned at = 0;
    for (unsigned round = 0; round < 3; round++, at += 10) {
        queue(p, 10);
        sends(p, at, at + 10);
        rig_step(r, MS(100));
        sack(p, at, at + 1, at + 10, 0u, 0u);
        if (round == 0)
            sends_first(p, at, at + 1); /* not known to reorder yet: at once */
        else
            after(p, MS(25) * round), sends_first(p, at, at + 1);
        rig_forget(r);
        rig_step(r, MS(2));
        ack(p, at + 10); /* the original was only late */
        rig_step(r, MS(98));
        sack(p, at + 10, at, at + 1, 0u, 0u); /* and the copy comes too */
        rig_forget(r);
        assert_int_equal(info(p).dsacks, round + 1);
        if (round == 0) { /* reordering is seen when a hole fills by itself */
            queue(p, 10);
            at += 10;
            sends(p, at, at + 10);
            rig_step(r, MS(100));
            sack(p, at, at + 1, at + 2, 0u, 0u);
            rig_step(r, MS(10));
            ack(p, at + 10);
            assert_int_equal(info(p).reord_seen, 1);
        }
        rig_hush(r);
    }
}

/* 7.2, 7.3: the last of a flight again after two round trips; it draws the SACK that shows what is
 * lost before it. */
static void a_tail_is_probed(struct rig *r)
{
    struct peer *p = sender_new(r, (struct sender_opt){0});
    queue(p, 10);
    sends(p, 0, 10);
    rig_step(r, MS(100));
    ack(p, 7);
    rig_hush(r);
    after(p, MS(202));
    sends(p, 9, 10);
    rig_step(r, MS(100));
    sack(p, 7, 9u, 10u, 0u, 0u); /* the others were sent long before: no window to wait for */
    sends(p, 7, 8);
    rig_step(r, MS(100));
    ack(p, 8);
    sends(p, 8, 9);
    rig_step(r, MS(100));
    ack(p, 10);
    assert_int_equal(rig_count(r, TERN_COUNT_TIMEOUTS), 0);
    is(p, TERN_PHASE_OPEN, ANY, ANY);
}

/* The same with the last segment there: both holes are filled in one round trip, although the only
 * SACK came before the recovery. */
static void two_holes_before_the_last(struct rig *r)
{
    struct peer *p = sender_new(r, (struct sender_opt){0});
    queue(p, 10);
    sends(p, 0, 10);
    rig_step(r, MS(100));
    ack(p, 6);
    sack(p, 6, 8u, 9u, 0u, 0u);
    sack(p, 6, 8u, 10u, 0u, 0u);
    after(p, MS(25));
    sends(p, 6, 8);
    rig_step(r, MS(100));
    ack(p, 10);
    is(p, TERN_PHASE_OPEN, ANY, ANY);
}

/* 7.2: a single segment's acknowledgement may be delayed: that much later. */
static void a_single_segment_is_probed_later(struct rig *r)
{
    struct peer *p = sender_new(r, (struct sender_opt){.rtt = MS(40)});
    queue(p, 1);
    sends(p, 0, 1);
    /* 2 * 40 + 200 ms, but the timeout would come after 40 + 200 */
    after(p, MS(240));
    sends(p, 0, 1);
    after(p, MS(240)); /* the timer starts anew with the probe */
    sends(p, 0, 1);
    is(p, TERN_PHASE_LOSS, 1, 7);
}

/* 7.3: new data is the better probe. */
static void a_probe_of_new_data(struct rig *r)
{
    struct peer *p = sender_new(r, (struct sender_opt){0});
    queue(p, 15);
    sends(p, 0, 10);
    after(p, MS(202));
    sends(p, 10, 11);
    assert_int_equal(rig_count(r, TERN_COUNT_PROBES), 1);
    assert_int_equal(rig_count(r, TERN_COUNT_RETRANSMITS), 0);
    ack(p, 11);
    sends(p, 11, 15);
    is(p, TERN_PHASE_OPEN, ANY, ANY);
}

/* 7.4: a probe that repaired the loss does not hide it. */
static void a_probe_that_repairs_counts(struct rig *r)
{
    struct peer *p = sender_new(r, (struct sender_opt){0});
    queue(p, 10);
    sends(p, 0, 10);
    rig_step(r, MS(100));
    ack(p, 9);
    rig_wait(r, SEC(1));
    sends(p, 9, 10);
    rig_step(r, MS(100));
    ack(p, 10);
    is(p, TERN_PHASE_OPEN, ANY, ANY);
    queue(p, 1);
    sends(p, 10, 11);
    rig_step(r, MS(100));
    ack(p, 11);
    is(p, TERN_PHASE_OPEN, 10, 10); /* 15 * 0.7: (20 + 10) / 2 after an RTO of little use */
    assert_int_equal(rig_count(r, TERN_COUNT_PROBE_RECOVERIES), 1);
}

/* ... and one that was for nothing, as a D-SACK tells, costs nothing. */
static void a_needless_probe_costs_nothing(struct rig *r)
{
    struct peer *p = sender_new(r, (struct sender_opt){0});
    queue(p, 10);
    sends(p, 0, 10);
    rig_step(r, MS(100));
    ack(p, 9);
    rig_wait(r, SEC(1));
    sends(p, 9, 10);
    ack(p, 10);
    sack(p, 10, 9u, 10u, 0u, 0u);
    queue(p, 1);
    sends(p, 10, 11);
    ack(p, 11);
    assert_int_equal(rig_count(r, TERN_COUNT_PROBE_RECOVERIES), 0);
    is(p, TERN_PHASE_OPEN, ANY, ANY);
    assert_true(info(p).ssthresh > 1000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_ISNS(a_hole_with_three_behind_it),
        RIG(a_hole_with_one_behind_it),
        RIG_ISNS(reordering_is_no_loss),
        RIG(a_lost_retransmission),
        RIG(dsacks_widen_the_window),
        RIG_ISNS(a_tail_is_probed),
        RIG_ISNS(two_holes_before_the_last),
        RIG(a_single_segment_is_probed_later),
        RIG(a_probe_of_new_data),
        RIG(a_probe_that_repairs_counts),
        RIG(a_needless_probe_costs_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
