/* test_edges_loss.c - where two sides of a comparison are equal, in what finds losses and takes
 * them back: RACK, F-RTO, NewReno, Eifel, D-SACK.
 * valgrind: it is what test_edges.c calls, with other numbers. */
#include "sender.h"

/* Nothing is kept; what is in flight stays there. */
static void leave(struct rig *r)
{
    rig_turn(r);
    rig_forget(r);
    r->unclean = true;
    rig_renew(r);
}

/* When a timer fires that is set now for so long. */
static uint64_t fires(const struct rig *r, uint64_t ns)
{
    return (r->now / TICK + (ns + TICK - 1) / TICK) * TICK;
}

/* The time-out of the first segment has come, and it has been sent again. */
static void timed_out(struct peer *p, unsigned una)
{
    rig_hush(p->r);
    rig_wait(p->r, SEC(5));
    hear(p, A, 1 + una * SEG, 1, SEG);
    rig_hush(p->r);
    is(p, TERN_PHASE_LOSS, ANY, ANY);
}

/* ---- the timer ------------------------------------------------------------------------------- */

/* RFC 5682 2.1, step 2.b: the first acknowledgement after a time-out lets new data go, and nothing
 * that was lost; where no new data may go, because a cork holds it, what was lost goes. */
static void new_data_first_after_a_timeout(struct rig *r)
{
    for (unsigned held = 0; held < 2; held++) {
        struct peer *p = sender_new(r, (struct sender_opt){.no_sack = true});
        queue(p, 4);
        sends(p, 0, 4);
        timed_out(p, 0);
        assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_CORK, held), 0);
        if (held)
            assert_int_equal(peer_write(p, 4 * SEG, 10), 10);
        else
            queue(p, 4);
        rig_hush(r);
        rig_step(r, MS(10));
        ack(p, 1);
        if (held)
            sends_first(p, 1, 2);
        else
            sends(p, 4, 6);
        leave(r);
    }
}

/* With all acknowledged that was in flight at the time-out it is over, whatever else waits. */
static void a_timeout_ends_with_all_of_it(struct rig *r)
{
    r->cfg.iw = 1;
    struct peer *p = sender_new(r, (struct sender_opt){0});
    queue(p, 1);
    sends(p, 0, 1);
    rig_wait(r, SEC(5)); /* the tail's probe */
    sends(p, 0, 1);
    timed_out(p, 0);
    queue(p, 3);
    rig_hush(r);
    rig_step(r, MS(100));
    ack(p, 1);
    is(p, TERN_PHASE_OPEN, ANY, ANY);
    leave(r);
}

/* A window that is full lets no new data tell whether the time-out was right: it counts. */
static void a_full_window_ends_the_doubt(struct rig *r)
{
    struct peer *p = peer_new(r);
    p->mss = SEG;
    p->ts = p->sack = false;
    p->wscale = -1;
    p->wnd = 4 * SEG;
    peer_connects(p, rig_listen(r, 80, 4, 0));
    assert_int_equal(peer_write(p, 0, 8 * SEG), 8 * SEG);
    sends(p, 0, 4);
    timed_out(p, 0);
    p->raw_numbers = true;
    p->wnd = 3 * SEG;
    ack(p, 1);
    ack(p, 4);
    rig_turn(r);
    assert_int_equal(rig_count(r, TERN_COUNT_SPURIOUS_TIMEOUTS), 0);
    leave(r);
}

/* Duplicates right after a time-out are answers to what it has sent twice: they let nothing go. */
static void duplicates_after_a_timeout(struct rig *r)
{
    struct peer *p = sender_new(r, (struct sender_opt){.no_sack = true});
    queue(p, 8);
    sends(p, 0, 8);
    timed_out(p, 0);
    for (unsigned i = 0; i < 3; i++) {
        rig_step(r, MS(1));
        ack(p, 0);
        rig_hush(r);
    }
    leave(r);
}

/* Without SACK a recovery stays until something above its end is acknowledged (RFC 6582 4.1); a
 * time-out meanwhile is of the next flight, and reduces anew. */
static void a_timeout_behind_a_recovery(struct rig *r)
{
    struct peer *p = sender_new(r, (struct sender_opt){.no_sack = true});
    queue(p, 10);
    sends(p, 0, 10);
    rig_step(r, MS(RTT_MS));
    for (unsigned i = 0; i < 3; i++)
        ack(p, 0);
    sends_first(p, 0, 1);
    rig_step(r, MS(RTT_MS));
    ack(p, 10);
    is(p, TERN_PHASE_RECOVERY, 7, 7);
    queue(p, 3);
    sends(p, 10, 13);
    timed_out(p, 10);
    is(p, TERN_PHASE_LOSS, ANY, 4);
    leave(r);
}

/* A path that was thought to reorder by much reorders less, when a time-out comes although three
 * segments have overtaken. */
static void a_timeout_lessens_reordering(struct rig *r)
{
    r->cfg.features &= ~(uint32_t)TERN_FEATURE_PROBE;
    struct peer *p = sender_new(r, (struct sender_opt){0});
    queue(p, 10);
    sends(p, 0, 10);
    rig_step(r, MS(RTT_MS));
    sack(p, 0, 6, 7, 0, 0);
    rig_step(r, MS(1));
    ack(p, 10); /* seven late ones */
    assert_true(info(p).reordering > 3);
    queue(p, 10);
    sends(p, 10, 20);
    rig_step(r, fires(r, info(p).rto) - r->now - MS(5));
    sack(p, 10, 12, 15, 0, 0);
    is(p, TERN_PHASE_DISORDER, ANY, ANY);
    assert_int_equal(info(p).segs_sacked, 3);
    assert_true(info(p).reordering > 3);
    rig_step(r, MS(5) + 2 * TICK);
    is(p, TERN_PHASE_LOSS, ANY, ANY);
    assert_int_equal(info(p).reordering, 3);
    leave(r);
}

/* What RACK knows is spared by a time-out only while it is younger than a round trip. */
static void a_timeout_and_a_round_trip(struct rig *r)
{
    for (unsigned young = 0; young < 2; young++) {
        r->cfg.features &= ~(uint32_t)TERN_FEATURE_PROBE;
        struct peer *p = sender_new(r, (struct sender_opt){0});
        queue(p, 1);
        sends(p, 0, 1);
        rig_step(r, MS(RTT_MS));
        ack(p, 1);
        queue(p, 1);
        sends(p, 1, 2);
        rig_step(r, fires(r, info(p).rto) - r->now - MS(RTT_MS) + young);
        queue(p, 1);
        sends(p, 2, 3);
        rig_step(r, MS(RTT_MS) - young);
        is(p, TERN_PHASE_LOSS, ANY, ANY);
        assert_int_equal(info(p).segs_lost, 2 - young);
        leave(r);
    }
}

/* ---- NewReno --------------------------------------------------------------------------------- */

/* As many duplicates count as segments were in flight, to the last. */
static void as_many_duplicates_as_segments(struct rig *r)
{
    struct peer *p = sender_new(r, (struct sender_opt){.no_sack = true});
    queue(p, 1);
    sends(p, 0, 1);
    rig_step(r, MS(RTT_MS));
    ack(p, 0);
    is(p, TERN_PHASE_DISORDER, ANY, ANY);
    ack(p, 1);
    queue(p, 3);
    sends(p, 1, 4);
    rig_step(r, MS(RTT_MS));
    for (unsigned i = 0; i < 3; i++)
        ack(p, 1);
    sends_first(p, 1, 2);
    is(p, TERN_PHASE_RECOVERY, ANY, ANY);
    leave(r);
}

/* Three duplicates and all of the rest at once: nothing was sent again, but without SACK nothing
 * tells that nothing was lost, either. */
static void a_recovery_that_sent_nothing(struct rig *r)
{
    struct peer *p = sender_new(r, (struct sender_opt){.no_sack = true});
    queue(p, 10);
    sends(p, 0, 10);
    rig_step(r, MS(RTT_MS));
    for (unsigned i = 0; i < 3; i++)
        ack(p, 0);
    ack(p, 10);
    is(p, TERN_PHASE_RECOVERY, 7, 7);
    assert_int_equal(rig_count(r, TERN_COUNT_UNDOS), 0);
    leave(r);
}

/* ---- taking it back -------------------------------------------------------------------------- */

/* Eifel: an echo of the retransmission itself says that it was needed; RACK goes on from there:
 * what was sent before it and has not come is lost, too. With time stamps, and without. */
static void the_answer_to_a_retransmission(struct rig *r)
{
    for (unsigned ts = 0; ts < 2; ts++) {
        struct peer *p = sender_new(r, (struct sender_opt){.ts = ts});
        queue(p, 1);
        sends(p, 0, 1);
        rig_step(r, MS(90));
        ack(p, 1);
        assert_int_equal(info(p).min_rtt, MS(90));
        queue(p, 4);
        sends(p, 1, 5);
        rig_step(r, MS(80));
        queue(p, 1);
        sends(p, 5, 6); /* is lost */
        rig_step(r, MS(10));
        sack(p, 1, 2, 5, 0, 0);
        sends(p, 1, 2);
        rig_step(r, MS(90)); /* no faster than any */
        ack(p, 5);
        sends(p, 5, 6);
        is(p, TERN_PHASE_RECOVERY, ANY, 7);
        rig_step(r, MS(90));
        ack(p, 6);
        is(p, TERN_PHASE_OPEN, 7, 7);
        assert_int_equal(rig_count(r, TERN_COUNT_UNDOS), 0);
        leave(r);
    }
}

/* A round trip of less than a millisecond: the echo of a retransmission is of this very one, and
 * measures it. */
static void an_echo_within_its_millisecond(struct rig *r)
{
    r->cfg.features &= ~(uint32_t)TERN_FEATURE_PROBE;
    r->now = SEC(1000);
    struct peer *p = sender_new(r, (struct sender_opt){.ts = true, .rtt = US(100)});
    queue(p, 1);
    sends(p, 0, 1);
    timed_out(p, 0);
    assert_int_equal(info(p).backoff, 1);
    assert_true(r->now % MS(1) < US(800));
    rig_step(r, US(100));
    ack(p, 1);
    assert_int_equal(info(p).backoff, 0);
    leave(r);
}

/* A duplicate reported below where the recovery began is of something before it. */
static void a_duplicate_of_before(struct rig *r)
{
    struct peer *p = sender_new(r, (struct sender_opt){0});
    queue(p, 10);
    sends(p, 0, 10);
    rig_step(r, MS(RTT_MS));
    sack(p, 0, 1, 4, 0, 0);
    sends(p, 0, 1);
    rig_step(r, MS(RTT_MS));
    ack(p, 10);
    is(p, TERN_PHASE_OPEN, ANY, 7);
    queue(p, 7);
    sends(p, 10, 17);
    rig_step(r, MS(RTT_MS));
    sack(p, 10, 11, 14, 0, 0);
    rig_turn(r);
    rig_forget(r); /* 10 once more */
    is(p, TERN_PHASE_RECOVERY, ANY, ANY);
    sack(p, 10, 9, 10, 11, 14, 0, 0);
    assert_int_equal(rig_count(r, TERN_COUNT_DSACKS), 1);
    assert_int_equal(rig_count(r, TERN_COUNT_UNDOS), 0);
    is(p, TERN_PHASE_RECOVERY, ANY, ANY);
    leave(r);
}

/* That the copy was for nothing may be told after the recovery, also while others are overtaken. */
static void a_duplicate_told_late(struct rig *r)
{
    struct peer *p = sender_new(r, (struct sender_opt){0});
    queue(p, 10);
    sends(p, 0, 10);
    rig_step(r, MS(RTT_MS));
    sack(p, 0, 1, 4, 0, 0);
    sends(p, 0, 1);
    rig_step(r, MS(1));
    ack(p, 10);
    is(p, TERN_PHASE_OPEN, ANY, 7);
    queue(p, 5);
    sends(p, 10, 15);
    rig_step(r, MS(RTT_MS));
    sack(p, 10, 11, 12, 0, 0);
    is(p, TERN_PHASE_DISORDER, ANY, ANY);
    assert_int_equal(rig_count(r, TERN_COUNT_UNDOS), 0);
    sack(p, 10, 0, 1, 11, 12, 0, 0);
    assert_int_equal(rig_count(r, TERN_COUNT_UNDOS), 1);
    leave(r);
}

/* A duplicate report may be as long as a window and a segment, and as far below. */
static void a_duplicate_of_a_whole_window(struct rig *r)
{
    struct peer *p = peer_new(r);
    p->mss = SEG;
    p->ts = false;
    p->wscale = -1;
    p->wnd = 2 * SEG;
    peer_connects(p, rig_listen(r, 80, 4, 0));
    assert_int_equal(peer_write(p, 0, 4 * SEG), 4 * SEG);
    sends(p, 0, 2);
    for (unsigned i = 0; i < 4; i++) { /* the probe, and three time-outs */
        rig_wait(r, SEC(10));
        rig_forget(r);
    }
    ack(p, 2);
    rig_turn(r);
    rig_forget(r);
    ack(p, 3);
    rig_turn(r);
    rig_forget(r);
    sack(p, 3, 0, 3, 0, 0);
    assert_int_equal(rig_count(r, TERN_COUNT_DSACKS), 1);
    leave(r);
}

/* ---- RACK ------------------------------------------------------------------------------------ */

/* Of segments sent at the same moment the last one that has come counts, in whatever order they do:
 * all before it that has not come is late. */
static void of_one_moment(struct rig *r)
{
    struct peer *p = sender_new(r, (struct sender_opt){0});
    queue(p, 10);
    sends(p, 0, 10);
    rig_step(r, MS(RTT_MS));
    sack(p, 0, 7, 8, 0, 0);
    sack(p, 0, 2, 3, 7, 8, 0, 0);
    rig_hush(r);
    rig_step(r, MS(30));
    assert_int_equal(info(p).segs_lost, 6); /* 0, 1, 3 to 6 */
    leave(r);
}

/* In a recovery there is no waiting any more: a second hole is lost with the first SACK behind. */
static void a_second_hole(struct rig *r)
{
    struct peer *p = sender_new(r, (struct sender_opt){0});
    queue(p, 6);
    sends(p, 0, 6);
    rig_step(r, MS(RTT_MS));
    sack(p, 0, 1, 2, 0, 0);
    rig_hush(r);
    after(p, MS(25));
    sends(p, 0, 1);
    is(p, TERN_PHASE_RECOVERY, ANY, ANY);
    sack(p, 0, 1, 2, 3, 4, 0, 0);
    sends(p, 2, 3);
    leave(r);
}

/* Segments [at, at + 4), of which the first is late: for so long that it is sent again, or not. */
static void four_with_a_late_one(struct peer *p, unsigned at, bool again)
{
    queue(p, 4);
    sends(p, at, at + 4);
    rig_step(p->r, MS(RTT_MS));
    if (again)
        sack(p, at, at + 1, at + 4, 0, 0);
    else
        sack(p, at, at + 1, at + 2, 0, 0);
    rig_turn(p->r);
    rig_forget(p->r);
    rig_step(p->r, MS(10));
    ack(p, at + 4);
    rig_hush(p->r);
}

/* The reordering window grows in each round trip that reports a duplicate, and a segment sent right
 * after it has grown is of the next one. */
static void a_round_begins_where_the_last_has_ended(struct rig *r)
{
    struct peer *p = sender_new(r, (struct sender_opt){0});
    four_with_a_late_one(p, 0, true);
    four_with_a_late_one(p, 4, true);
    four_with_a_late_one(p, 8, false);
    assert_int_equal(info(p).reord_seen, 1);
    sack(p, 12, 0, 1, 0, 0);
    queue(p, 4);
    sends(p, 12, 16);
    rig_step(r, MS(RTT_MS));
    ack(p, 16); /* grows to half a round trip */
    sack(p, 16, 4, 5, 0, 0);
    assert_int_equal(info(p).dsacks, 2);
    queue(p, 4);
    sends(p, 16, 20);
    rig_step(r, MS(RTT_MS));
    sack(p, 16, 17, 20, 0, 0);
    rig_hush(r);
    after(p, MS(75));
    sends(p, 16, 17);
    leave(r);
}

/* A probe of new data that the network doubles says nothing of the reordering window. */
static void a_doubled_probe(struct rig *r)
{
    struct peer *p = sender_new(r, (struct sender_opt){0});
    four_with_a_late_one(p, 0, true);
    four_with_a_late_one(p, 4, false);
    unsigned at = 8, cwnd = info(p).cwnd / SEG;
    queue(p, cwnd + 1);
    sends(p, at, at + cwnd);
    at += cwnd;
    rig_wait(r, SEC(1));
    sends(p, at, at + 1);
    assert_true(info(p).tail_probe);
    rig_step(r, MS(RTT_MS));
    sack(p, at + 1, at, at + 1, 0, 0);
    assert_int_equal(info(p).dsacks, 1);
    at++;
    queue(p, 4);
    sends(p, at, at + 4);
    rig_step(r, MS(RTT_MS));
    sack(p, at, at + 1, at + 4, 0, 0);
    rig_hush(r);
    after(p, MS(25));
    sends(p, at, at + 1);
    leave(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(new_data_first_after_a_timeout),
        RIG(a_timeout_ends_with_all_of_it),
        RIG(a_full_window_ends_the_doubt),
        RIG(duplicates_after_a_timeout),
        RIG(a_timeout_behind_a_recovery),
        RIG(a_timeout_lessens_reordering),
        RIG(a_timeout_and_a_round_trip),
        RIG(as_many_duplicates_as_segments),
        RIG(a_recovery_that_sent_nothing),
        RIG(the_answer_to_a_retransmission),
        RIG(an_echo_within_its_millisecond),
        RIG(a_duplicate_of_before),
        RIG(a_duplicate_told_late),
        RIG(a_duplicate_of_a_whole_window),
        RIG(of_one_moment),
        RIG(a_second_hole),
        RIG(a_round_begins_where_the_last_has_ended),
        RIG(a_doubled_probe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
