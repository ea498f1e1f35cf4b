/* test_recovery.c - what follows from a loss, and from one that was none: PRR (RFC 9937),
 * NewReno (RFC 6582), Limited Transmit (RFC 3042), F-RTO (RFC 5682), Eifel (RFC 3522, 4015),
 * D-SACK (RFC 3708), reneging (RFC 2018 8), restart after idle (RFC 5681 4.1). */
#include "sender.h"

static const struct sender_opt plain = {0}, without_sack = {.no_sack = true},
                               with_ts = {.ts = true}, reno = {.cc = &tern_cc_reno};

/* RFC 9937: a window of 20 comes down to 10 over the recovery: one segment for each two that are
 * delivered, never a burst. */
static void reduction_is_spread_out(struct rig *r)
{
    struct peer *p = sender_new(r, reno);
    unsigned at = grown(p, 20);
    queue(p, 100);
    sends(p, at, at + 20);
    rig_step(r, MS(100));
    unsigned out = 0, next = at + 20;
    for (unsigned i = 2; i <= 20; i++) {
        sack(p, at, at + 1, at + i, 0u, 0u);
        rig_turn(r);
        unsigned n = rig_waiting(r), limited = i <= 3 ? 1 : 0;
        if (i == 4) /* the third SACK */
            sends_first(p, at, at + 1), n--, out++;
        for (; n > 0; n--, out++)
            hear(p, A, 1 + next++ * SEG, 1, SEG);
        unsigned delivered = i - 1;
        assert_true(limited || out <= 2 + (delivered - 1) / 2 + 1);
    }
    assert_in_range(out, 10, 12);
    is(p, TERN_PHASE_RECOVERY, ANY, 10);
    rig_step(r, MS(100));
    ack(p, next);
    is(p, TERN_PHASE_OPEN, ANY, 10);
    assert_in_range(info(p).cwnd, 10 * SEG, 11 * SEG);
}

/* What is SACKed past a hole does not take the room of what is to be sent. */
static void room_beside_what_is_sacked(struct rig *r)
{
    int64_t before, now;
    r->cfg.sndbuf = 4 * SEG;
    struct peer *p = sender_new(r, (struct sender_opt){.small = true});
    unsigned at = grown(p, 20);
    queue(p, 20);
    sends(p, at, at + 20);
    assert_int_equal(tern_option_get(r->s, p->k, TERN_OPT_SNDBUF, &before), 0);
    rig_step(r, MS(100));
    sack(p, at, at + 1, at + 3, 0u, 0u);
    rig_turn(r);
    assert_int_equal(tern_option_get(r->s, p->k, TERN_OPT_SNDBUF, &now), 0);
    assert_int_equal(now, before + 2 * SEG);
    ack(p, at + 20);
}

/* RFC 3042: the first two duplicates let a new segment out each, cwnd stays. */
static void limited_transmit(struct rig *r)
{
    for (unsigned i = 0; i < 2; i++) {
        struct peer *p = sender_new(r, i == 0 ? plain : without_sack);
        queue(p, 20);
        sends(p, 0, 10);
        rig_step(r, MS(100));
        for (unsigned j = 0; j < 2; j++) {
            if (i == 0)
                sack(p, 0, 1u, 2u + j, 0u, 0u);
            else
                ack(p, 0);
            sends(p, 10 + j, 11 + j);
        }
        is(p, TERN_PHASE_DISORDER, 10, ANY);
        assert_int_equal(tern_abort(r->s, p->k), 0);
        rig_turn(r);
        rig_forget(r);
        if (i == 0)
            assert_int_equal(tern_close(r->s, r->listener), 0);
    }
}

/* RFC 6582: without SACK each partial acknowledgement shows the next hole. */
static void newreno(struct rig *r)
{
    struct peer *p = sender_new(r, without_sack);
    queue(p, 10);
    sends(p, 0, 10);
    rig_step(r, MS(100));
    ack(p, 0);
    ack(p, 0);
    rig_hush(r);
    ack(p, 0);
    sends(p, 0, 1);
    is(p, TERN_PHASE_RECOVERY, ANY, 7);
    for (unsigned i = 0; i < 4; i++)
        ack(p, 0);
    rig_hush(r);
    rig_step(r, MS(100));
    ack(p, 4);
    sends(p, 4, 5);
    rig_step(r, MS(100));
    ack(p, 10);
    rig_hush(r);
    ack(p, 10); /* 4.1: an echo of our own retransmissions starts nothing */
    ack(p, 10);
    ack(p, 10);
    queue(p, 3);
    sends(p, 10, 13);
    ack(p, 13);
    is(p, TERN_PHASE_OPEN, ANY, 7);
    assert_int_equal(rig_count(r, TERN_COUNT_FAST_RETRANSMITS), 1);
}

/* ten thousand duplicates free no more room than there are segments in flight. */
static void spoofed_duplicates(struct rig *r)
{
    struct peer *p = sender_new(r, without_sack);
    queue(p, 1000);
    sends(p, 0, 10);
    for (unsigned i = 0; i < 10000; i++)
        ack(p, 0);
    rig_turn(r);
    assert_in_range(rig_waiting(r), 1, 25);
    rig_forget(r);
    assert_in_range(info(p).cwnd, SEG, 10 * SEG);
}

static void time_out(struct peer *p, unsigned una)
{
    rig_wait(p->r, SEC(1)); /* the probe */
    rig_forget(p->r);
    rig_wait(p->r, SEC(1));
    sends(p, una, una + 1);
    is(p, TERN_PHASE_LOSS, 1, ANY);
}

/* RFC 5682: what was never sent again is acknowledged after the timeout: it was spurious. */
static void frto_finds_a_late_ack(struct rig *r)
{
    struct peer *p = sender_new(r, plain);
    queue(p, 20);
    sends(p, 0, 10);
    time_out(p, 0);
    ack(p, 1);              /* of the original, as it turns out */
    sends_first(p, 11, 13); /* (10 was the probe) new data, nothing again */
    rig_hush(r);
    ack(p, 2);
    is(p, TERN_PHASE_OPEN, ANY, ANY);
    assert_true(info(p).cwnd >= 10 * SEG);
    assert_true(info(p).ssthresh > 1000 * SEG);
    assert_int_equal(rig_count(r, TERN_COUNT_SPURIOUS_TIMEOUTS), 1);
    rig_turn(r);
    while (rig_waiting(r) != 0)
        assert_true(rig_next(r)->seq - p->iss > 10 * SEG); /* only new data */
}

/* ... and if duplicates come instead, the loss was real. */
static void frto_finds_a_real_loss(struct rig *r)
{
    struct peer *p = sender_new(r, plain);
    queue(p, 20);
    sends(p, 0, 10);
    time_out(p, 0);
    ack(p, 1);
    sends_first(p, 11, 13);
    rig_step(r, MS(100));
    sack(p, 1, 11u, 13u, 0u, 0u);
    rig_turn(r);
    sends_first(p, 1, 2);
    rig_forget(r);
    is(p, TERN_PHASE_LOSS, ANY, 7);
    assert_int_equal(rig_count(r, TERN_COUNT_SPURIOUS_TIMEOUTS), 0);
}

/* RFC 4015: the acknowledgement echoes a timestamp from before the retransmission. */
static void eifel_by_timestamp(struct rig *r)
{
    struct peer *p = sender_new(r, with_ts);
    queue(p, 10);
    sends(p, 0, 10);
    uint32_t echo = p->tsecr;
    rig_step(r, MS(100));
    sack(p, 0, 1u, 4u, 0u, 0u);
    sends(p, 0, 1);
    is(p, TERN_PHASE_RECOVERY, ANY, 7);
    rig_step(r, MS(5));
    p->tsecr = echo;
    ack(p, 10);
    is(p, TERN_PHASE_OPEN, ANY, ANY);
    assert_true(info(p).cwnd >= 10 * SEG);
    assert_true(info(p).ssthresh > 1000 * SEG);
    assert_int_equal(rig_count(r, TERN_COUNT_UNDOS), 1);
}

/* RFC 3708: every copy is reported as a duplicate. */
static void undo_by_dsack(struct rig *r)
{
    struct peer *p = sender_new(r, plain);
    queue(p, 20);
    sends(p, 0, 10);
    rig_step(r, MS(100));
    sack(p, 0, 1u, 4u, 0u, 0u);
    rig_turn(r);
    rig_forget(r);
    rig_step(r, MS(5));
    sack(p, 8, 0u, 1u, 0u, 0u);
    is(p, TERN_PHASE_OPEN, ANY, ANY);
    assert_true(info(p).cwnd >= 10 * SEG);
    assert_true(info(p).ssthresh > 1000 * SEG);
}

/* duplicates of what was never sent twice are a lie, and move nothing. */
static void dsack_lies(struct rig *r)
{
    struct peer *p = sender_new(r, plain);
    unsigned at = 0;
    for (unsigned i = 0; i < 300; i++) {
        queue(p, 2);
        sends(p, at, at + 2);
        sack(p, at + 2, at, at + 1, 0u, 0u);
        at += 2;
    }
    assert_int_equal(info(p).dsacks, 0);
    queue(p, 10);
    sends(p, at, at + 10);
    sack(p, at, at + 1, at + 4, 0u, 0u);
    rig_step(r, US(20));
    sends(p, at, at + 1); /* at once, as ever */
}

/* the peer takes SACKs back: all is sent again. */
static void reneging(struct rig *r)
{
    struct peer *p = sender_new(r, plain);
    queue(p, 10);
    sends(p, 0, 10);
    rig_step(r, MS(100));
    sack(p, 0, 1u, 10u, 0u, 0u);
    sends(p, 0, 1);
    rig_step(r, MS(100));
    ack(p, 1); /* what it said it has is not there */
    unsigned una = 1;
    for (unsigned i = 0; una != 10 && i < 40; i++) {
        rig_wait(r, SEC(1));
        while (rig_waiting(r) != 0) {
            const struct seg *g = rig_next(r);
            if (g->seq - p->iss == 1 + una * SEG)
                una++;
        }
        rig_step(r, MS(100));
        ack(p, una);
    }
    assert_int_equal(una, 10);
    assert_int_equal(rig_count(r, TERN_COUNT_RENEGED), 1);
    assert_true(rig_count(r, TERN_COUNT_TIMEOUTS) <= 2);
}

/* RFC 5681 4.1: a window halves with each RTO of silence, down to that of a beginning. */
static void restart_after_idle(struct rig *r)
{
    struct peer *p = sender_new(r, plain);
    unsigned at = grown(p, 80);
    rig_step(r, MS(700)); /* two RTOs, and some */
    queue(p, 200);
    rig_turn(r);
    assert_in_range(rig_waiting(r), 20, 21);
    sends(p, at, at + rig_waiting(r));
    rig_step(r, MS(100));
    ack(p, at + 20);
    rig_turn(r);
    rig_forget(r);
    assert_true(info(p).ssthresh >= 60 * SEG); /* three quarters are not forgotten */
}

/* F-24: whatever blocks come, the work for one acknowledgement is bounded, and the stream goes
 * on. */
static void work_is_bounded(struct rig *r)
{
    struct peer *p = sender_new(r, plain);
    unsigned at = grown(p, 1000);
    queue(p, 1000);
    rig_turn(r);
    rig_forget(r);
    uint64_t before = rig_count(r, TERN_COUNT_SCOREBOARD_STEPS);
    enum { ACKS = 100000 };
    for (unsigned i = 0; i < ACKS; i++) {
        for (unsigned j = 0; j < 4; j++) {
            uint32_t lo = 1 + at * SEG + rig_random() % (1000 * SEG);
            p->extra.sack[j].lo = lo;
            p->extra.sack[j].hi = lo + 1 + rig_random() % (2 * SEG);
        }
        p->extra.sacks = 4;
        ack(p, at);
        rig_turn(r);
        rig_forget(r);
        if (i % 100 == 0)
            rig_step(r, MS(1));
    }
    uint64_t steps = rig_count(r, TERN_COUNT_SCOREBOARD_STEPS) - before;
    print_message("    %.1f steps for an acknowledgement\n", (double)steps / ACKS);
    assert_true(steps <= 300u * ACKS);
    ack(p, at + 1000);
    rig_turn(r);
    rig_forget(r);
    ack(p, (info(p).snd_nxt - p->iss - 1) / SEG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(room_beside_what_is_sacked),
        RIG(reduction_is_spread_out),
        RIG(limited_transmit),
        RIG_ISNS(newreno),
        RIG(spoofed_duplicates),
        RIG_ISNS(frto_finds_a_late_ack),
        RIG(frto_finds_a_real_loss),
        RIG_ISNS(eifel_by_timestamp),
        RIG_ISNS(undo_by_dsack),
        RIG(dsack_lies),
        RIG_ISNS(reneging),
        RIG(restart_after_idle),
        RIG(work_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
