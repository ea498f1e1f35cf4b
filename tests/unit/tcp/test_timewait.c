/* test_timewait.c - TIME-WAIT (RFC 9293 3.6.1, RFC 6191): how long it is, what begins it anew, and
 * which SYN ends it. Of a socket that was shut down the connection itself waits, of one that was
 * closed an entry of 64 bytes: both must do the same. */
#include "rig.h"

/* In TIME-WAIT, passive, with no owner any more if `closed`. Numbers are (2, 2) from here on. */
static struct peer *waiting(struct rig *r, bool closed, bool ts)
{
    struct peer *p = peer_new(r);
    p->ts = ts;
    if (r->listener.id == 0)
        r->listener = rig_listen(r, p->lport, 16, 0);
    peer_connects(p, r->listener);
    assert_int_equal(closed ? tern_close(r->s, p->k) : tern_shutdown(r->s, p->k), 0);
    hear(p, F | A, 1, 1, 0);
    say(p, F | A, 1, 2, 0);
    hear(p, A, 2, 2, 0);
    rig_hush(r);
    return p;
}

static bool in_time_wait(struct rig *r, const struct peer *p)
{
    tern_addr local = rig_addr(r->local, p->lport), peer = rig_addr(r->remote, p->port);
    tern_entry e;
    return tern_find(r->s, &local, &peer, &e) == 0 && e.state == TERN_TIME_WAIT;
}

/* MUST-13: 2 MSL to the tick; a FIN that comes again is acknowledged and begins them anew. */
static void two_msl(struct rig *r)
{
    static const uint64_t msl[] = {SEC(30), SEC(120), SEC(1)};
    for (unsigned i = 0; i < 6; i++) {
        uint32_t isn = r->isn, irs = r->irs;
        rig_renew(r);
        r->isn = isn, r->irs = irs;
        r->cfg.msl = msl[i / 2];
        struct peer *p = waiting(r, i & 1, true);
        rig_step(r, 2 * msl[i / 2] - MS(1));
        assert_true(in_time_wait(r, p));
        say(p, F | A, 1, 2, 0);
        hear(p, A, 2, 2, 0);
        rig_step(r, 2 * msl[i / 2] - MS(1));
        assert_true(in_time_wait(r, p));
        rig_step(r, MS(2));
        assert_false(in_time_wait(r, p));
        rig_hush(r);
    }
}

/* What became of a SYN of the peer's next incarnation. */
enum outcome { TAKEN, ANSWERED };

static enum outcome syn_again(struct rig *r, struct peer *p, uint32_t seq, uint32_t tsval)
{
    struct seg g = peer_seg(p, S, seq, 0, 0);
    g.ts = p->ts_on;
    g.tsval = tsval;
    p->raw_numbers = true;
    rig_input_seg(r, &g);
    rig_turn(r);
    const struct seg *out = rig_next(r);
    assert_non_null(out);
    if (out->flags == (S | A)) {
        assert_int_equal(out->ack, g.seq + 1);
        if (!r->cfg.isn_fixed) /* above all that the last one has used */
            assert_in_range(out->seq - (p->iss + 2), 1, 0x7fffffff);
        return TAKEN;
    }
    assert_int_equal(out->flags, A);
    assert_int_equal(out->seq, p->iss + 2);
    assert_int_equal(out->ack, p->irs + 2);
    return ANSWERED;
}

/* SHLD-4, MAY-2: with timestamps a greater one is new, an equal one with a number beyond, and
 * nothing else; what is old is acknowledged, and the wait goes on. */
static void syn_with_timestamp(struct rig *r)
{
    static const struct {
        uint32_t seq; /* the FIN was 1: RCV.NXT is 2 */
        int32_t ts;   /* beside the last one */
        enum outcome is;
    } cases[] = {
        {100000, 1, TAKEN},    {3, 1, TAKEN},
        {2, 1, TAKEN},         {0x80000000u, 1, TAKEN}, /* the number does not matter */
        {100000, 1000, TAKEN}, {1, 1000, TAKEN},
        {3, 0, TAKEN},         {2, 0, ANSWERED},
        {0, 0, ANSWERED},      {100000, -1, ANSWERED},
        {3, -1000, ANSWERED},  {2, (int32_t)0x80000000, ANSWERED},
    };
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint32_t isn = r->isn, irs = r->irs;
        rig_renew(r);
        r->isn = isn, r->irs = irs;
        struct peer *p = waiting(r, true, true);
        uint32_t last = p->tsval + (uint32_t)(r->now / MS(1));
        enum outcome is = syn_again(r, p, cases[i].seq, last + (uint32_t)cases[i].ts);
        assert_int_equal(is, cases[i].is);
        assert_int_equal(in_time_wait(r, p), is == ANSWERED);
    }
}

/* MAY-2: without timestamps the number alone tells, and the ISN is above the last one used.
 * (A-08, A-69) */
static void syn_without_timestamp(struct rig *r)
{
    static const struct {
        uint32_t seq;
        enum outcome is;
    } cases[] = {{3, TAKEN},    {100000, TAKEN}, {0x7fffffffu, TAKEN},
                 {2, ANSWERED}, {1, ANSWERED},   {0u - 100000, ANSWERED}};
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint32_t irs = r->irs;
        rig_renew(r);
        r->irs = irs;
        r->cfg.isn_fixed = false;
        struct peer *p = waiting(r, true, false);
        assert_int_equal(syn_again(r, p, cases[i].seq, 0), cases[i].is);
    }
}

/* RFC 1337: a RST does not end it. */
static void rst_does_not_end_it(struct rig *r)
{
    for (unsigned closed = 0; closed < 2; closed++) {
        struct peer *p = waiting(r, closed, true);
        say(p, R, 2, 0, 0);
        say(p, R | A, 2, 2, 0);
        rig_hush(r);
        assert_true(in_time_wait(r, p));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_ISNS(two_msl),
        RIG_ISNS(syn_with_timestamp),
        RIG_ISNS(syn_without_timestamp),
        RIG_ISNS(rst_does_not_end_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
