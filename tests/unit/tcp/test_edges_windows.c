/* test_edges_windows.c - where two sides of a comparison are equal, in what congestion control is
 * told and in how much may go: rounds, rates, the windows' ends, and the moments at which a window
 * counts as unused. The clock stands still between ticks, so each of these can be met exactly.
 * valgrind: it is what test_edges.c calls, with other numbers. */
#include "sender.h"

#include "tern/cc.h"

static void leave(struct rig *r)
{
    rig_turn(r);
    rig_forget(r);
    r->unclean = true;
    rig_renew(r);
}

/* ---- a congestion control that only looks ---------------------------------------------------- */

static struct {
    unsigned acks, rounds, limited, idle;
    uint32_t cwnd, ssthresh;
} seen;

static void look_init(tern_cc *cc, uint32_t mss, uint64_t now)
{
    (void)mss, (void)now;
    cc->cwnd = seen.cwnd;
    cc->ssthresh = seen.ssthresh;
}

static void look_ack(tern_cc *cc, const tern_ack *ack)
{
    (void)cc;
    seen.acks++;
    seen.rounds += ack->round_start;
    seen.limited += ack->cwnd_limited;
}

static void look_event(tern_cc *cc, enum tern_cc_event event, const tern_ack *ack)
{
    (void)cc, (void)ack;
    seen.idle += event == TERN_CC_IDLE;
}

static const tern_cc_ops looks = {.name = "looks",
                                  .init = look_init,
                                  .on_ack = look_ack,
                                  .on_event = look_event};

/* A connection with a window of so many segments that does not change. */
static struct peer *watched(struct rig *r, uint32_t cwnd, uint32_t ssthresh, uint64_t rtt)
{
    memset(&seen, 0, sizeof(seen));
    seen.cwnd = cwnd * SEG;
    seen.ssthresh = ssthresh * SEG;
    return sender_new(r, (struct sender_opt){.cc = &looks, .rtt = rtt});
}

/* A round begins with the acknowledgement of what was sent when the last one ended. */
static void rounds(struct rig *r)
{
    struct peer *p = watched(r, 10, 1000, MS(RTT_MS));
    for (unsigned i = 0; i < 4; i++) {
        queue(p, 10);
        sends(p, 10 * i, 10 * i + 10);
        rig_step(r, MS(RTT_MS));
        ack(p, 10 * i + 5);
        assert_int_equal(seen.rounds, i + 1);
        ack(p, 10 * i + 10);
        assert_int_equal(seen.rounds, i + 1);
    }
    leave(r);
}

/* Where slow start ends half a window is not enough to be limited by it. */
static void half_a_window(struct rig *r)
{
    for (unsigned more = 0; more < 2; more++) {
        struct peer *p = watched(r, 10, 10 + more, MS(RTT_MS));
        queue(p, 6);
        sends(p, 0, 6);
        rig_step(r, MS(RTT_MS));
        ack(p, 6);
        assert_int_equal(seen.limited, more);
        leave(r);
    }
}

/* What was in flight most is of a flight, which as much once more does not make longer. */
static void as_much_again(struct rig *r)
{
    struct peer *p = watched(r, 10, 1000, MS(RTT_MS));
    queue(p, 6);
    sends(p, 0, 6);
    rig_step(r, MS(RTT_MS));
    ack(p, 1);
    queue(p, 1);
    sends(p, 6, 7);
    ack(p, 6);
    unsigned before = seen.limited;
    queue(p, 1);
    sends(p, 7, 8);
    ack(p, 7);
    assert_int_equal(seen.limited, before);
    leave(r);
}

/* Who writes little is not limited by the window, even with less room in it than a segment. */
static void little_room_and_less_to_send(struct rig *r)
{
    struct peer *p = watched(r, 2, 1, MS(RTT_MS));
    static const uint32_t pieces[] = {SEG, 500, 100};
    assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_NODELAY, 1), 0);
    for (uint32_t i = 0, at = 0; i < 3; at += pieces[i++]) {
        assert_int_equal(peer_write(p, at, pieces[i]), pieces[i]);
        hear(p, A, 1 + at, 1, pieces[i]);
    }
    rig_step(r, MS(RTT_MS));
    say(p, A, 1, 1 + SEG, 0);
    assert_int_equal(seen.acks, 1);
    assert_int_equal(seen.limited, 0);
    leave(r);
}

/* Where both windows end together it is not the congestion window that holds. */
static void both_ends_together(struct rig *r)
{
    memset(&seen, 0, sizeof(seen));
    seen.cwnd = 2 * SEG;
    seen.ssthresh = SEG;
    r->cfg.cc = &looks;
    struct peer *p = peer_new(r);
    p->mss = SEG;
    p->ts = false;
    p->wscale = -1;
    p->wnd = 2 * SEG;
    peer_connects(p, rig_listen(r, 80, 4, 0));
    assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_NODELAY, 1), 0);
    assert_int_equal(peer_write(p, 0, SEG + 500), SEG + 500);
    hear(p, A, 1, 1, SEG);
    hear(p, A, 1 + SEG, 1, 500);
    assert_int_equal(peer_write(p, SEG + 500, 2 * SEG), 2 * SEG);
    rig_hush(r);
    rig_step(r, US(100));
    say(p, A, 1, 1 + SEG, 0);
    assert_int_equal(seen.acks, 1);
    assert_int_equal(seen.limited, 0);
    leave(r);
}

/* A pause of an eighth of a round trip is one, and in very short ones two ticks are. */
static void pauses(struct rig *r)
{
    static const struct {
        uint64_t rtt, ticks;
    } row[] = {{100000, 12500}, {10, 2}};
    for (unsigned i = 0; i < 2; i++)
        for (unsigned less = 0; less < 2; less++) {
            struct peer *p = watched(r, 10, 1000, US(row[i].rtt));
            for (unsigned n = 0; n < 40; n++) { /* until the average is exact */
                queue(p, 1);
                rig_turn(r);
                rig_forget(r);
                rig_step(r, US(row[i].rtt));
                ack(p, n + 1);
                rig_turn(r);
                rig_forget(r);
            }
            assert_int_equal(info(p).srtt, US(row[i].rtt));
            r->now = (r->now / TICK + 1) * TICK;
            queue(p, 1);
            sends(p, 40, 41);
            ack(p, 41); /* (in no time: nothing is in flight any more) */
            rig_turn(r);
            seen.idle = 0;
            uint64_t srtt = info(p).srtt / 1000 * 8 / 64;
            if (i == 1)
                srtt = 2;
            rig_step(r, (srtt - less) * TICK);
            queue(p, 1);
            sends(p, 41, 42);
            assert_int_equal(seen.idle, 1 - less);
            leave(r);
        }
}

/* ---- windows that are not used --------------------------------------------------------------- */

/* A whole window there and back, acknowledged one by one or in all. */
static unsigned full_window(struct peer *p, unsigned at, bool each)
{
    unsigned n = info(p).cwnd / SEG;
    queue(p, n);
    sends(p, at, at + n);
    rig_step(p->r, MS(RTT_MS));
    for (unsigned i = each ? 1 : n; i <= n; i++)
        ack(p, at + i);
    return at + n;
}

/* RFC 5681 4.1: a pause of exactly a time-out is none yet: the window has only not been filled for
 * that long (RFC 2861), and goes half of the way down. One tick later half of it is gone. */
static void a_pause_of_a_timeout(struct rig *r)
{
    for (unsigned more = 0; more < 2; more++) {
        r->cfg.rto_min = 24415 * (uint64_t)TICK - MS(RTT_MS) % TICK;
        r->cfg.features &= ~(uint32_t)TERN_FEATURE_PROBE;
        r->now = 1000000 * (uint64_t)TICK;
        struct peer *p = sender_new(r, (struct sender_opt){0});
        unsigned at = grown(p, 20);
        for (unsigned i = 0; i < 2; i++)
            at = full_window(p, at, true);
        assert_int_equal(info(p).srtt, MS(RTT_MS));
        uint64_t sent = r->now / TICK, rto = info(p).rto;
        assert_int_equal(rto % TICK, 0);
        at = full_window(p, at, false);
        unsigned cwnd = info(p).cwnd;
        assert_int_equal(info(p).rto, rto);
        rig_step(r, (sent + more) * TICK + rto - r->now);
        queue(p, 1);
        sends(p, at, at + 1);
        assert_int_equal(info(p).cwnd, cwnd / 2 + (more ? 0 : 10 * SEG / 2));
        leave(r);
    }
}

/* RFC 2861: after exactly a time-out in which the window was not filled it has shrunk. */
static void a_timeout_without_filling(struct rig *r)
{
    for (unsigned less = 0; less < 2; less++) {
        r->now = 1000000 * (uint64_t)TICK;
        struct peer *p = sender_new(r, (struct sender_opt){0});
        unsigned at = grown(p, 20);
        queue(p, 20);
        sends(p, at, at + 20);
        uint64_t filled = r->now / TICK;
        rig_step(r, MS(RTT_MS));
        ack(p, at += 20);
        unsigned cwnd = info(p).cwnd;
        uint64_t rto = info(p).rto, ticks = (rto + TICK - 1) / TICK;
        rig_step(r, rto - MS(RTT_MS) - MS(20));
        queue(p, 1);
        sends(p, at, at + 1);
        assert_int_equal(info(p).cwnd, cwnd);
        rig_step(r, (filled + ticks - less) * TICK - r->now);
        queue(p, 1);
        sends(p, at + 1, at + 2);
        assert_int_equal(info(p).cwnd < cwnd, !less);
        leave(r);
    }
}

/* The least round trip is that of the last two periods: one that has just ended counts. */
static void a_period_of_the_least_round_trip(struct rig *r)
{
    enum { PERIOD = 122071 }; /* ticks in a second */
    for (unsigned more = 0; more < 2; more++) {
        r->cfg.tuning.min_rtt_s = 1;
        r->now = 1000000 * (uint64_t)TICK;
        struct peer *p = sender_new(r, (struct sender_opt){0});
        unsigned at = 0;
        uint64_t begins = 0;
        for (unsigned i = 0; i < 3; i++) {
            uint64_t rtt = i == 0 ? MS(50) : MS(200);
            uint64_t ends = i == 0 ? r->now + rtt : (begins + i * (PERIOD + more)) * TICK;
            rig_step(r, ends - rtt - r->now);
            queue(p, 1);
            sends(p, at, at + 1);
            rig_step(r, rtt);
            ack(p, ++at);
            rig_turn(r);
            if (i == 0)
                begins = r->now / TICK;
        }
        assert_int_equal(info(p).min_rtt, more ? MS(200) : MS(50));
        leave(r);
    }
}

/* ---- rates ----------------------------------------------------------------------------------- */

/* An acknowledgement that is as fast as any is measured by, and a rate that is what it was before
 * has been limited by the sender since. */
static void the_rate_as_before(struct rig *r)
{
    struct peer *p = sender_new(r, (struct sender_opt){.rtt = MS(RTT_MS + 1)});
    unsigned cwnd = info(p).cwnd / SEG, at = full_window(p, 0, false);
    assert_int_equal(info(p).min_rtt, MS(RTT_MS));
    uint64_t rate = info(p).delivery_rate;
    assert_int_equal(rate, cwnd * SEG * 1000 / RTT_MS);
    assert_false(info(p).rate_app_limited);
    for (unsigned i = 0; i < 2; i++) {
        queue(p, cwnd);
        sends(p, at, at + cwnd);
        assert_true(info(p).app_limited);
        rig_step(r, MS(RTT_MS));
        ack(p, at += cwnd);
        assert_int_equal(info(p).delivery_rate, rate);
    }
    assert_true(info(p).rate_app_limited);
    leave(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(rounds),
        RIG(half_a_window),
        RIG(as_much_again),
        RIG(little_room_and_less_to_send),
        RIG(both_ends_together),
        RIG(pauses),
        RIG(a_pause_of_a_timeout),
        RIG(a_timeout_without_filling),
        RIG(a_period_of_the_least_round_trip),
        RIG(the_rate_as_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
