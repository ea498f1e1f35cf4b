/* test_rto.c - the retransmission timer: how it is computed, Karn's rule, back-off, what follows
 * from a timeout, and when to give up (RFC 6298, RFC 9293 3.8.1 to 3.8.3, RFC 5681 3.1). Without
 * SACK, so that no tail probe comes before it. */
#include "rig.h"

static tern_tcp_info info_of(struct peer *p)
{
    tern_tcp_info info;
    peer_info(p, &info);
    return info;
}

static void near(const char *what, uint64_t have, uint64_t want, uint64_t off)
{
    if (have + off < want || have > want + off)
        rig_fail("%s is %.3f ms, expected %.3f", what, (double)have / 1e6, (double)want / 1e6);
}

/* An active open whose handshake took `rtt`. */
static struct peer *opened(struct rig *r, uint64_t rtt, bool ts)
{
    struct peer *p = peer_new(r);
    p->sack = false;
    p->ts = ts;
    p->lport = 0;
    peer_syn_sent(p);
    rig_step(r, rtt);
    say(p, S | A, 0, 1, 0);
    hear(p, A, 1, 1, 0);
    rig_hush(r);
    return p;
}

/* RFC 6298 2.1 to 2.3, against the formulas in floating point. */
static void MUST_18_rto_by_the_formula(struct rig *r)
{
    static const unsigned ms[] = {100, 100, 110, 130, 160, 200, 250, 240, 230, 220, 215, 300, 320};
    struct peer *p = opened(r, MS(80), false);
    double srtt = 80, rttvar = 40;
    uint32_t at = 1;
    near("SRTT", info_of(p).srtt, MS(80), US(20));
    near("RTTVAR", info_of(p).rttvar, MS(40), US(20));
    near("RTO", info_of(p).rto, MS(80 + 200), US(20)); /* the variance term has a minimum */
    for (unsigned i = 0; i < sizeof(ms) / sizeof(ms[0]); i++) {
        assert_int_equal(peer_write(p, at - 1, 100), 100);
        hear(p, A, at, 1, 100);
        rig_step(r, MS(ms[i]));
        say(p, A, 1, at += 100, 0);
        double rtt = ms[i], delta = srtt > rtt ? srtt - rtt : rtt - srtt;
        rttvar = 0.75 * rttvar + 0.25 * delta;
        srtt = 0.875 * srtt + 0.125 * rtt;
        near("SRTT", info_of(p).srtt, (uint64_t)(srtt * 1e6), US(50));
        near("RTTVAR", info_of(p).rttvar, (uint64_t)(rttvar * 1e6), US(50));
        double var = 4 * rttvar > 200 ? 4 * rttvar : 200;
        near("RTO", info_of(p).rto, (uint64_t)((srtt + var) * 1e6), US(200));
        rig_hush(r);
    }
}

/* RFC 7323 4.2: where every segment is acknowledged and measured, the variance still falls once a
 * round trip only; it rises whenever something took longer. */
static void MUST_18_many_samples_a_round_trip(struct rig *r)
{
    struct peer *p = opened(r, MS(160), false);
    uint32_t mss = info_of(p).snd_mss, at = 1;
    for (unsigned round = 0; round < 3; round++) {
        uint64_t before = info_of(p).rttvar;
        assert_int_equal(peer_write(p, at - 1, 10 * mss), 10 * mss);
        rig_turn(r);
        assert_int_equal(hear_data(p, at, at + 10 * mss), 10);
        rig_step(r, MS(160));
        for (unsigned i = 0; i < 10; i++) {
            say(p, A, 1, at += mss, 0);
            near("RTTVAR", info_of(p).rttvar, before - before / 4, US(50));
        }
        rig_hush(r);
    }
    assert_int_equal(peer_write(p, at - 1, 2 * mss), 2 * mss);
    rig_turn(r);
    assert_int_equal(hear_data(p, at, at + 2 * mss), 2);
    rig_step(r, MS(160));
    say(p, A, 1, at + mss, 0);
    uint64_t before = info_of(p).rttvar;
    rig_step(r, MS(160));
    say(p, A, 1, at + 2 * mss, 0);
    near("RTTVAR", info_of(p).rttvar, before - before / 4 + MS(160) / 4, US(50));
    rig_hush(r);
}

/* And that is when it fires. */
static void MUST_18_fires_when_it_says(struct rig *r)
{
    struct peer *p = opened(r, MS(150), true);
    assert_int_equal(peer_write(p, 0, 100), 100);
    hear(p, A, 1, 1, 100);
    rig_step(r, MS(3)); /* it counts from the first of them */
    assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_NODELAY, 1), 0);
    assert_int_equal(peer_write(p, 100, 100), 100);
    hear(p, A, 101, 1, 100);
    rig_wait_exactly(r, info_of(p).rto - MS(3));
    hear(p, A, 1, 1, 100);
}

/* RFC 6298 5.3: an ACK of new data restarts it; 5.2: the last one stops it. */
static void MUST_18_restarted_and_stopped(struct rig *r)
{
    struct peer *p = opened(r, MS(50), true);
    assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_NODELAY, 1), 0);
    assert_int_equal(peer_write(p, 0, 100), 100);
    hear(p, A, 1, 1, 100);
    assert_int_equal(peer_write(p, 100, 100), 100);
    hear(p, A, 101, 1, 100);
    rig_step(r, MS(100));
    say(p, A, 1, 101, 0);
    rig_wait_exactly(r, info_of(p).rto);
    hear(p, A, 101, 1, 100);
    say(p, A, 1, 201, 0);
    rig_step(r, SEC(600));
    rig_hush(r);
}

/* Karn: what was sent twice measures nothing without timestamps, and the back-off stays until
 * something does. */
static void MUST_18_karn(struct rig *r)
{
    struct peer *p = opened(r, MS(100), false);
    uint64_t srtt = info_of(p).srtt, rto = info_of(p).rto;
    assert_int_equal(peer_write(p, 0, 100), 100);
    hear(p, A, 1, 1, 100);
    rig_wait_exactly(r, rto);
    hear(p, A, 1, 1, 100);
    rig_step(r, MS(5));
    say(p, A, 1, 101, 0);
    assert_int_equal(info_of(p).srtt, srtt);
    assert_int_equal(info_of(p).rto, 2 * rto);
    assert_int_equal(peer_write(p, 100, 100), 100);
    hear(p, A, 101, 1, 100);
    rig_step(r, MS(100));
    say(p, A, 1, 201, 0);
    assert_in_range(info_of(p).rto, rto - MS(50), rto + MS(1));
}

/* Karn for the handshake: the SYN-ACK went twice, because the SYN came twice. */
static void MUST_18_karn_syn_ack(struct rig *r)
{
    struct peer *p = peer_new(r);
    p->ts = false;
    tern_sock l = rig_listen(r, 80, 4, 0);
    say(p, S, 0, 0, 0);
    hear_syn(p, S | A);
    rig_step(r, MS(900));
    say(p, S, 0, 0, 0);
    hear_syn(p, S | A);
    rig_step(r, MS(50));
    say(p, A, 1, 1, 0);
    rig_turn(r);
    assert_int_equal(tern_accept(r->s, l, &p->k, NULL, NULL), 0);
    assert_int_equal(info_of(p).srtt, 0);
    assert_int_equal(info_of(p).rto, SEC(1));
}

static void MUST_18_karn_simultaneous_open(struct rig *r)
{
    struct peer *p = peer_new(r);
    p->ts = false;
    peer_syn_sent(p);
    say(p, S, 0, 0, 0);
    hear_syn(p, S | A);
    rig_step(r, MS(900));
    say(p, S, 0, 0, 0);
    hear_syn(p, S | A);
    rig_step(r, MS(50));
    say(p, A, 1, 1, 0);
    rig_turn(r);
    assert_int_equal(peer_state(p), TERN_ESTABLISHED);
    assert_int_equal(info_of(p).srtt, 0);
}

/* A SYN-ACK sent once does measure. */
static void MUST_18_syn_ack_measures(struct rig *r)
{
    struct peer *p = peer_new(r);
    tern_sock l = rig_listen(r, 80, 4, 0);
    say(p, S, 0, 0, 0);
    hear_syn(p, S | A);
    rig_step(r, MS(70));
    say(p, A, 1, 1, 0);
    rig_turn(r);
    assert_int_equal(tern_accept(r->s, l, &p->k, NULL, NULL), 0);
    near("SRTT", info_of(p).srtt, MS(70), US(20));
}

/* MUST-19: consecutive timeouts double it, up to the limit; the window is one segment. */
static void MUST_19_back_off(struct rig *r)
{
    struct peer *p = opened(r, MS(100), true);
    uint64_t rto = info_of(p).rto;
    assert_int_equal(peer_write(p, 0, 5000), 5000);
    rig_turn(r);
    rig_forget(r);
    for (unsigned i = 0; i < r->cfg.data_retries; i++) {
        rig_wait_exactly(r, rto << i < r->cfg.rto_max ? rto << i : r->cfg.rto_max);
        hear(p, A, 1, 1, info_of(p).snd_mss);
        rig_hush(r);
        assert_int_equal(info_of(p).cwnd, info_of(p).snd_mss);
        assert_int_equal(info_of(p).retransmits, i + 1);
    }
}

/* MUST-19, RFC 5681 3.1: from one segment on it doubles with each round. */
static void MUST_19_slow_start_after_a_timeout(struct rig *r)
{
    struct peer *p = opened(r, MS(100), false);
    uint32_t mss = info_of(p).snd_mss;
    assert_int_equal(peer_write(p, 0, 10 * mss), 10 * mss);
    rig_turn(r);
    assert_int_equal(hear_data(p, 1, 1 + 10 * mss), 10);
    rig_wait(r, SEC(10));
    hear(p, A, 1, 1, mss);
    say(p, A, 1, 1 + mss, 0);
    rig_turn(r);
    hear(p, A, 1 + mss, 1, mss);
    hear(p, A, 1 + 2 * mss, 1, mss);
    rig_hush(r);
}

/* The same when the receive window, not the congestion window, was what held the rest back. */
static void MUST_19_slow_start_in_a_full_window(struct rig *r)
{
    struct peer *p = peer_new(r);
    p->sack = p->ts = false;
    p->wscale = -1;
    peer_connects(p, rig_listen(r, 80, 4, 0));
    uint32_t mss = info_of(p).snd_mss;
    p->wnd = (uint16_t)(8 * mss);
    p->limit = p->iss + 1 + 8 * mss;
    say(p, A, 1, 1, 0);
    assert_int_equal(peer_write(p, 0, 20 * mss), 20 * mss);
    rig_turn(r);
    assert_int_equal(hear_data(p, 1, 1 + 8 * mss), 8);
    rig_wait(r, SEC(10));
    hear(p, A, 1, 1, mss);
    p->wnd = (uint16_t)(7 * mss); /* the right edge stays */
    say(p, A, 1, 1 + mss, 0);
    rig_turn(r);
    hear(p, A, 1 + mss, 1, mss);
    hear(p, A, 1 + 2 * mss, 1, mss);
    rig_hush(r);
}

/* RFC 5681 3.1: after lost SYNs (two, as in Linux) the first window is one segment; RFC 6298 5.7:
 * the RTO is 3 s. */
static void MUST_19_lost_syn(struct rig *r)
{
    struct peer *p = peer_new(r);
    p->ts = p->sack = false;
    peer_syn_sent(p);
    rig_wait_exactly(r, SEC(1));
    hear_syn(p, S);
    rig_wait_exactly(r, SEC(2));
    hear_syn(p, S);
    say(p, S | A, 0, 1, 0);
    hear(p, A, 1, 1, 0);
    assert_int_equal(info_of(p).cwnd, info_of(p).snd_mss);
    assert_int_equal(info_of(p).retransmits_total, 2);
    assert_int_equal(peer_write(p, 0, 100), 100);
    hear(p, A, 1, 1, 100);
    rig_wait_exactly(r, SEC(3));
    hear(p, A, 1, 1, 100);
}

static void MUST_19_lost_syn_ack(struct rig *r)
{
    struct peer *p = peer_new(r);
    p->ts = p->sack = false;
    tern_sock l = rig_listen(r, 80, 4, 0);
    say(p, S, 0, 0, 0);
    hear_syn(p, S | A);
    rig_wait_exactly(r, SEC(1));
    hear_syn(p, S | A);
    rig_wait_exactly(r, SEC(2));
    hear_syn(p, S | A);
    say(p, A, 1, 1, 0);
    rig_turn(r);
    assert_int_equal(tern_accept(r->s, l, &p->k, NULL, NULL), 0);
    assert_int_equal(info_of(p).rto, SEC(3));
    uint32_t mss = info_of(p).snd_mss;
    assert_int_equal(peer_write(p, 0, 3 * mss), 3 * mss);
    hear(p, A, 1, 1, mss);
    rig_hush(r);
}

/* MUST-20, SHLD-11: given up after R2, which is 100 s at least; the owner is told why. */
static void MUST_20_SHLD_11_r2(struct rig *r)
{
    struct peer *p = opened(r, MS(100), true);
    unsigned n = 0;
    int err;
    uint64_t start = r->now;
    assert_int_equal(peer_write(p, 0, 100), 100);
    hear(p, A, 1, 1, 100);
    while (rig_wait(r, SEC(300)) < SEC(300))
        for (; rig_waiting(r) > 0; n++)
            hear(p, A, 1, 1, 100);
    assert_int_equal(n, r->cfg.data_retries);
    assert_int_equal(rig_events(r, p->k, &err) & TERN_EV_ERROR, TERN_EV_ERROR);
    assert_int_equal(err, TERN_ETIMEDOUT);
    assert_true(r->now - start > SEC(100 + 300));
    assert_int_equal(tern_send(r->s, p->k, "x", 1), TERN_ETIMEDOUT);
    assert_int_equal(peer_state(p), TERN_CLOSED);
}

/* MUST-21: R2 for one connection, in time, to the tick; counted from when it began to stand still.
 */
static void MUST_21_user_timeout(struct rig *r)
{
    struct peer *p = opened(r, MS(100), true), *q = opened(r, MS(100), true);
    int err;
    assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_USER_TIMEOUT, (int64_t)SEC(5)), 0);
    assert_int_equal(peer_write(p, 0, 100), 100);
    hear(p, A, 1, 1, 100);
    say(p, A, 1, 101, 10); /* not read, so that the connection's memory is kept */
    rig_step(r, SEC(3600));
    rig_forget(r);
    assert_int_equal(peer_write(p, 100, 100), 100);
    assert_int_equal(peer_write(q, 0, 100), 100);
    rig_step(r, SEC(4));
    say(p, A, 11, 151, 0); /* progress */
    rig_step(r, SEC(5) - MS(1));
    assert_int_equal(rig_events(r, p->k, &err) & TERN_EV_ERROR, 0);
    rig_step(r, MS(1) + US(20));
    assert_int_equal(rig_events(r, p->k, &err) & TERN_EV_ERROR, TERN_EV_ERROR);
    assert_int_equal(err, TERN_ETIMEDOUT);
    assert_int_equal(peer_state(q), TERN_ESTABLISHED);
    rig_forget(r);
}

/* MUST-22: SYN and SYN-ACK likewise, with their own counts. */
static void MUST_22_syn_retries(struct rig *r)
{
    for (int retries = -1; retries < 3; retries++) {
        struct peer *p = peer_new(r);
        int err;
        unsigned n = 0, want = retries < 0 ? r->cfg.syn_retries : (unsigned)retries;
        p->lport = 0;
        peer_syn_sent(p);
        if (retries >= 0)
            assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_SYN_RETRIES, retries), 0);
        for (; n < want; n++) {
            rig_wait_exactly(r, SEC(1) << n);
            hear_syn(p, S);
        }
        assert_int_equal(rig_events(r, p->k, &err), 0);
        rig_step(r, (SEC(1) << n) + MS(1));
        rig_hush(r);
        assert_int_equal(rig_events(r, p->k, &err), TERN_EV_ERROR);
        assert_int_equal(err, TERN_ETIMEDOUT);
    }
}

static void MUST_22_syn_ack_retries(struct rig *r)
{
    struct peer *p = peer_new(r);
    tern_memory m;
    rig_listen(r, 80, 4, 0);
    say(p, S, 0, 0, 0);
    hear_syn(p, S | A);
    for (unsigned i = 0; i < r->cfg.synack_retries; i++) {
        rig_wait_exactly(r, SEC(1) << i);
        hear_syn(p, S | A);
    }
    rig_memory(r, &m);
    assert_int_equal(m.halfopen, 1);
    rig_step(r, SEC(33));
    rig_hush(r);
    rig_memory(r, &m);
    assert_int_equal(m.halfopen, 0);
    assert_int_equal(rig_count(r, TERN_COUNT_ATTEMPT_FAILS), 1);
}

/* MUST-23: three minutes for a SYN, with one retry more than Linux makes. */
static void MUST_23_three_minutes_of_syns(struct rig *r)
{
    struct peer *p = peer_new(r);
    peer_syn_sent(p);
    assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_SYN_RETRIES, 7), 0);
    rig_step(r, SEC(180));
    rig_forget(r);
    assert_int_equal(peer_state(p), TERN_SYN_SENT);
    rig_step(r, SEC(120));
    rig_forget(r);
    assert_int_equal(peer_state(p), TERN_CLOSED);
}

/* With timestamps even what was sent twice measures, if the echo is of the second copy. */
static void timestamps_solve_the_ambiguity(struct rig *r)
{
    for (int second = 0; second < 2; second++) {
        struct peer *p = opened(r, MS(100), true);
        assert_int_equal(peer_write(p, 0, 100), 100);
        uint32_t first = hear(p, A, 1, 1, 100)->tsval, last;
        uint64_t srtt = info_of(p).srtt;
        rig_wait(r, SEC(2));
        last = hear(p, A, 1, 1, 100)->tsval;
        assert_true(last - first >= 200);
        rig_step(r, MS(60));
        p->extra.ts = true;
        p->extra.tsval = p->tsval + (uint32_t)(r->now / MS(1));
        p->extra.tsecr = second ? last : first;
        say(p, A, 1, 101, 0);
        if (second)
            near("SRTT", info_of(p).srtt, MS(95), MS(1));
        else
            assert_true(info_of(p).srtt >= srtt);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(MUST_18_rto_by_the_formula),
        RIG(MUST_18_many_samples_a_round_trip),
        RIG(MUST_18_fires_when_it_says),
        RIG_ISNS(MUST_18_restarted_and_stopped),
        RIG(MUST_18_karn),
        RIG(MUST_18_karn_syn_ack),
        RIG(MUST_18_karn_simultaneous_open),
        RIG(MUST_18_syn_ack_measures),
        RIG_ISNS(MUST_19_back_off),
        RIG_ISNS(MUST_19_slow_start_after_a_timeout),
        RIG_ISNS(MUST_19_slow_start_in_a_full_window),
        RIG_ISNS(MUST_19_lost_syn),
        RIG_ISNS(MUST_19_lost_syn_ack),
        RIG_ISNS(MUST_20_SHLD_11_r2),
        RIG_ISNS(MUST_21_user_timeout),
        RIG_ISNS(MUST_22_syn_retries),
        RIG_ISNS(MUST_22_syn_ack_retries),
        RIG_ISNS(MUST_23_three_minutes_of_syns),
        RIG(timestamps_solve_the_ambiguity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
