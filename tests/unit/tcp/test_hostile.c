/* test_hostile.c - peers and paths that lie to a sender: SACK blocks made to cost or to break,
 * acknowledgements made to speed it up or slow it down, options that do not fit or are stripped. In
 * each case the stream arrives, and neither work nor memory nor rate is the liar's to choose. */
#include "sender.h"

static uint32_t inflight(struct peer *p)
{
    tern_tcp_info i = info(p);
    return i.snd_nxt - i.snd_una;
}

/* What is sent, taken; returns the segments. */
static unsigned taken(struct rig *r)
{
    unsigned n = 0;
    rig_turn(r);
    while (rig_next(r) != NULL)
        n++;
    return n;
}

/* Acknowledges all that comes until everything queued has arrived; the peer has `have` of it. */
static void finishes(struct peer *p, uint32_t have, uint32_t total)
{
    struct rig *r = p->r;
    bool got[4096] = {false};
    for (unsigned i = 0; have < total; i++) {
        assert_in_range(i, 0, 20000);
        if (rig_waiting(r) == 0)
            rig_wait(r, SEC(200));
        const struct seg *g = rig_next(r);
        assert_non_null(g);
        uint32_t lo = (g->seq - p->iss - 1) / SEG, hi = lo + g->len / SEG;
        for (; lo < hi; lo++)
            got[lo] = true;
        while (have < total && got[have])
            have++;
        rig_step(r, MS(1));
        ack(p, have);
    }
}

/* A cheap peer that has 400 segments in flight. */
static struct peer *far(struct rig *r)
{
    struct peer *p = sender_new(r, (struct sender_opt){.cc = &tern_cc_reno});
    unsigned at = grown(p, 320);
    queue(p, 320);
    sends(p, at, at + 320);
    rig_step(r, MS(RTT_MS));
    return p;
}

/* every second segment, in all orders: steps and memory are bounded. */
static void A_24_A_27_a_hole_at_every_second_segment(struct rig *r)
{
    struct peer *p = far(r);
    tern_tcp_info i = info(p);
    uint32_t una = (i.snd_una - p->iss - 1) / SEG, acks = 0;
    uint64_t steps = rig_count(r, TERN_COUNT_SCOREBOARD_STEPS);
    tern_memory before, after;
    rig_memory(r, &before);
    for (unsigned k = 0; k < 2000; k++, acks++) {
        uint32_t at[3];
        for (unsigned b = 0; b < 3; b++)
            at[b] = una + 1 + 2 * (k < 300 ? (k + b * 53) % 150 : rig_random() % 150);
        sack(p, una, at[0], at[0] + 1, at[1], at[1] + 1, at[2], at[2] + 1, 0, 0);
        if (k % 8 == 0)
            taken(r);
    }
    steps = rig_count(r, TERN_COUNT_SCOREBOARD_STEPS) - steps;
    assert_in_range(steps, 0, 4096 + acks * 256);
    rig_memory(r, &after);
    assert_in_range(after.bytes, 0, before.bytes + 65536);
    rig_forget(r);
    ack(p, una + 320);
    rig_turn(r);
    rig_forget(r);
    assert_int_equal(inflight(p), 0);
}

/* ---- work ------------------------------------------------------------------------------------ */

enum { FLIGHT = 320, FLIGHTS = 50, PATTERNS = 2000 }; /* 100,000 in all, of fifty flights */

struct work {
    uint64_t steps, most; /* in all, and of one acknowledgement */
    uint32_t acks;
};

static void acked_once(struct peer *p, struct work *w, uint32_t una)
{
    uint64_t before = rig_count(p->r, TERN_COUNT_SCOREBOARD_STEPS);
    ack(p, una);
    uint64_t steps = rig_count(p->r, TERN_COUNT_SCOREBOARD_STEPS) - before;
    w->steps += steps;
    w->most = steps > w->most ? steps : w->most;
    w->acks++;
}

static uint32_t first_out(struct peer *p) { return (info(p).snd_una - p->iss - 1) / SEG; }

static struct seg_sack block_of(uint32_t lo, uint32_t hi)
{
    return (struct seg_sack){1 + lo, 1 + hi};
}

/* What losses look like: each tenth segment is lost, and each that arrives is reported, with the
 * last two runs of what has arrived before. */
static void benign(struct peer *p, struct work *w)
{
    uint32_t una = first_out(p);
    for (uint32_t i = 1; i < FLIGHT; i++) {
        uint32_t run = i - i % 10;
        if (i == run)
            continue;
        p->extra.sacks = 0;
        for (unsigned b = 0; b < 3 && run >= 10 * b; b++) {
            uint32_t lo = una + run - 10 * b;
            p->extra.sack[p->extra.sacks++] =
                block_of((lo + 1) * SEG, (b == 0 ? una + i + 1 : lo + 10) * SEG);
        }
        acked_once(p, w, una);
        taken(p->r);
    }
}

/* Three blocks that are never the same ones: of single segments, of edges within segments where no
 * record may be split, of long stretches that end in one, from the far end to the near one. */
static void hostile(struct peer *p, struct work *w, unsigned pattern)
{
    uint32_t una = first_out(p);
    p->extra.sacks = 3;
    for (unsigned b = 0; b < 3; b++) {
        uint32_t at = 1 + 2 * (rig_random() % (FLIGHT / 2 - 1)), len = SEG, off = 0;
        switch ((pattern + b) % 4) {
        case 0: /* every second segment */
            break;
        case 1: /* crumbs of what is never reported whole */
            at++;
            off = 1 + rig_random() % (SEG / 2 - 2);
            len = 1;
            break;
        case 2: /* from within one to within another */
            at++;
            off = 1 + rig_random() % (SEG / 2 - 2);
            len = SEG * (1 + rig_random() % 2);
            break;
        case 3: /* backwards */
            at = FLIGHT - 1 - 2 * ((pattern + b) % (FLIGHT / 2 - 1));
            break;
        }
        p->extra.sack[b] = block_of((una + at) * SEG + off, (una + at) * SEG + off + len);
    }
    acked_once(p, w, una);
    if (pattern % 8 == 0)
        taken(p->r);
}

static struct work of_flights(struct rig *r, bool lies)
{
    struct work w = {0};
    for (unsigned f = 0; f < (lies ? FLIGHTS : 1); f++) {
        rig_renew(r);
        struct peer *p = far(r);
        if (!lies)
            benign(p, &w);
        for (unsigned i = 0; lies && i < PATTERNS; i++)
            hostile(p, &w, i);
        ack(p, first_out(p) + FLIGHT);
        rig_turn(r);
        rig_forget(r);
        assert_int_equal(inflight(p), 0);
    }
    return w;
}

/* a hundred thousand patterns of blocks made to cost, beside a path that loses a tenth.
 * An acknowledgement costs at most eight times as much, in all no more than 256 steps each and what
 * is saved up; and none more than a walk through the flight for each of its blocks and one for
 * RACK. */
static void A_24_A_27_a_hundred_thousand_patterns(struct rig *r)
{
    struct work fair = of_flights(r, false), liar = of_flights(r, true);
    double usual = (double)fair.steps / fair.acks, forced = (double)liar.steps / liar.acks;
    print_message("    %.1f steps an acknowledgement, at most %u; forced to %.1f, at most %u\n",
                  usual, (unsigned)fair.most, forced, (unsigned)liar.most);
    assert_int_equal(liar.acks, FLIGHTS * PATTERNS);
    assert_true(usual * 8 <= FLIGHT); /* no walk begins at the first */
    assert_true(forced <= 8 * usual);
    assert_in_range(liar.steps, 1, 256 * liar.acks + 4096 * FLIGHTS);
    assert_in_range(liar.most, fair.most, 4 * FLIGHT);
}

/* edges anywhere in the number space, and exactly half of it away. */
static void A_26_edges_in_all_quadrants(struct rig *r)
{
    struct peer *p = sender_new(r, (struct sender_opt){0});
    queue(p, 10);
    sends(p, 0, 10);
    rig_step(r, MS(RTT_MS));
    static const uint32_t far_away[] = {0x7fffffff, 0x80000000, 0x80000001, 0xffffffff, 0};
    unsigned sent = 0;
    for (unsigned k = 0; k < 20000; k++) {
        p->extra.sacks = 1 + rig_random() % 4;
        for (unsigned b = 0; b < p->extra.sacks; b++) {
            uint32_t base = far_away[rig_random() % 5] + rig_random() % 3 * SEG;
            uint32_t len = far_away[rig_random() % 5] + rig_random() % 3 - 1;
            p->extra.sack[b] = (struct seg_sack){base + 1, base + 1 + len};
            uint32_t lo = base, hi = base + len;
            if (lo < hi && hi <= 10 * SEG && lo != 0) /* this once it would be the truth */
                p->extra.sack[b].hi = p->extra.sack[b].lo;
        }
        ack(p, 0);
        sent += taken(r);
        if (k % 64 == 0)
            assert_int_equal(info(p).segs_sacked, 0);
    }
    assert_in_range(sent, 0, 2); /* probes at most: time has not moved */
    assert_true(rig_count(r, TERN_COUNT_SACKS_INVALID) > 10000);
    finishes(p, 0, 10);
}

/* tiny segments, SACKed and joined in every way, then taken back. */
static void A_23_counts_of_tiny_segments(struct rig *r)
{
    struct peer *p = peer_new(r);
    tern_addr addr;
    p->mss = 88;
    p->ts = false;
    p->wscale = 10;
    r->listener = rig_listen(r, p->lport, 16, 0);
    say(p, S, 0, 0, 0);
    hear_syn(p, S | A);
    say(p, A, 1, 1, 0);
    assert_int_equal(tern_accept(r->s, r->listener, &p->k, &addr, p), 0);
    assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_SNDBUF, 1 << 20), 0);
    assert_int_equal(peer_write(p, 0, 200000), 200000);
    uint32_t una = 0;
    for (unsigned round = 0; una < 200000; round++) {
        assert_in_range(round, 0, 4000);
        if (taken(r) == 0)
            rig_wait(r, SEC(100));
        rig_forget(r);
        tern_tcp_info i = info(p);
        uint32_t out = i.snd_nxt - i.snd_una;
        assert_in_range(i.segs_sacked, 0, out / 8 + 1);
        for (unsigned k = 0; k < 20 && out > 88; k++) {
            p->extra.sacks = 3;
            for (unsigned b = 0; b < 3; b++) {
                uint32_t lo = una + 1 + rig_random() % (out - 1), len = 1 + rig_random() % 200;
                p->extra.sack[b] = (struct seg_sack){1 + lo, 1 + lo + len};
            }
            say(p, A, 1, 1 + una, 0);
        }
        rig_turn(r);
        una = info(p).snd_nxt - p->iss - 1;
        rig_step(r, MS(10));
        say(p, A, 1, 1 + una, 0);
    }
}

/* an MSS of next to nothing does not make a packet of each byte. */
static void A_25_an_MSS_of_next_to_nothing(struct rig *r)
{
    static const uint16_t mss[] = {1, 8, 48, 0};
    for (size_t k = 0; k < sizeof(mss) / sizeof(mss[0]); k++) {
        rig_renew(r);
        struct peer *p = peer_new(r);
        static const uint8_t zero[] = {2, 4, 0, 0};
        p->raw_numbers = true;
        p->mss = mss[k];
        p->ts = p->sack = false;
        if (mss[k] == 0)
            p->extra.raw = zero, p->extra.raw_len = 4;
        tern_addr addr;
        r->listener = rig_listen(r, p->lport, 16, 0);
        say(p, S, 0, 0, 0);
        p->iss = rig_next(r) == NULL ? (rig_turn(r), rig_next(r)->seq) : 0;
        say(p, A, 1, 1, 0);
        assert_int_equal(tern_accept(r->s, r->listener, &p->k, &addr, p), 0);
        peer_write(p, 0, 4000);
        rig_turn(r);
        const struct seg *g = rig_next(r);
        assert_non_null(g);
        assert_in_range(g->len, 36, 1460);
        rig_forget(r);
    }
}

/* SACK options of every length, whole and cut off. */
static void A_28_SACK_options_of_every_length(struct rig *r)
{
    struct peer *p = sender_new(r, (struct sender_opt){0});
    queue(p, 10);
    sends(p, 0, 10);
    rig_step(r, MS(RTT_MS));
    for (unsigned len = 0; len < 256; len++) {
        for (unsigned room = 2; room <= 40; room++) {
            uint8_t raw[40] = {5, (uint8_t)len};
            for (unsigned i = 2; i < 40; i++)
                raw[i] = (uint8_t)rig_random();
            if ((len == 10 || len == 18 || len == 26 || len == 34) && len <= room)
                continue;
            p->extra.raw = raw;
            p->extra.raw_len = room;
            ack(p, 0);
        }
    }
    assert_in_range(taken(r), 0, 2);
    assert_int_equal(info(p).segs_sacked, 0);
    assert_true(rig_drops(r, TERN_DROP_TCP_OPTIONS) > 9000);
    finishes(p, 0, 10);
}

/* what was SACKed was thrown away. It is sent again, all of it. */
static void A_29_a_peer_that_reneges(struct rig *r)
{
    struct peer *p = sender_new(r, (struct sender_opt){0});
    queue(p, 10);
    sends(p, 0, 10);
    rig_step(r, MS(RTT_MS));
    sack(p, 0, 1, 10, 0, 0);
    rig_turn(r);
    rig_forget(r);
    rig_step(r, MS(RTT_MS));
    ack(p, 1); /* only the first has been kept */
    finishes(p, 1, 10);
    assert_true(rig_count(r, TERN_COUNT_RENEGED) >= 1);
}

/* of what was not sent. */
static void A_59_optimistic_acknowledgements(struct rig *r)
{
    struct peer *p = sender_new(r, (struct sender_opt){0});
    queue(p, 40);
    sends(p, 0, 10);
    rig_step(r, MS(RTT_MS));
    for (unsigned ahead = 1; ahead < 20; ahead++) {
        ack(p, 10 + ahead);
        rig_step(r, MS(1));
        rig_forget(r);
        is(p, TERN_PHASE_OPEN, 10, ANY);
        assert_int_equal(inflight(p), 10 * SEG);
    }
    assert_int_equal(rig_drops(r, TERN_DROP_TCP_ACK), 19);
    finishes(p, 0, 40);
}

/* byte by byte or at once: the window grows the same. */
static void A_60_divided_acknowledgements(struct rig *r)
{
    unsigned cwnd[2];
    for (unsigned divided = 0; divided < 2; divided++) {
        rig_renew(r);
        struct peer *p = sender_new(r, (struct sender_opt){.cc = &tern_cc_reno});
        queue(p, 100);
        sends(p, 0, 10);
        rig_step(r, MS(RTT_MS));
        for (uint32_t at = 0; at < 10 * SEG; at += divided ? 10 : SEG)
            say(p, A, 1, 1 + at + (divided ? 10 : SEG), 0);
        cwnd[divided] = info(p).cwnd / SEG;
        rig_forget(r);
    }
    assert_int_equal(cwnd[0], 20);
    assert_in_range(cwnd[1], 19, 20);
}

/* each stands for a segment that has arrived; there are not so many. */
static void A_61_spoofed_duplicates(struct rig *r)
{
    for (unsigned no_sack = 0; no_sack < 2; no_sack++) {
        rig_renew(r);
        struct peer *p = sender_new(r, (struct sender_opt){.no_sack = no_sack});
        queue(p, 1000);
        sends(p, 0, 10);
        rig_step(r, MS(RTT_MS));
        unsigned sent = 0;
        for (unsigned i = 0; i < 10000; i++) {
            ack(p, 0);
            if (i % 16 == 0)
                sent += taken(r);
        }
        sent += taken(r);
        assert_in_range(sent, 0, no_sack ? 1 + 10 : 2); /* the lost one, and what is replaced */
        assert_in_range(info(p).cwnd / SEG, 1, 20);
    }
}

/* "that came twice" of everything. Losses are still found within a round trip more. */
static void A_62_DSACKs_of_everything(struct rig *r)
{
    struct peer *p = sender_new(r, (struct sender_opt){0});
    unsigned at = grown(p, 40);
    for (unsigned round = 0; round < 30; round++) {
        unsigned n = info(p).cwnd / SEG;
        n = n > 40 ? 40 : n;
        queue(p, n);
        taken(r);
        rig_step(r, MS(RTT_MS));
        for (unsigned i = 1; i <= n; i++)
            sack(p, at + i, at + i - 1, at + i, 0, 0);
        at += n;
    }
    rig_turn(r);
    rig_forget(r);
    is(p, TERN_PHASE_OPEN, ANY, ANY);
    queue(p, 10);
    taken(r);
    rig_step(r, MS(RTT_MS));
    for (unsigned i = 2; i <= 10; i++)
        sack(p, at, at + 1, at + i, 0, 0);
    uint64_t took = rig_waiting(r) != 0 ? 0 : rig_wait(r, SEC(2));
    assert_in_range(took, 0, MS(RTT_MS + 20));
    hear(p, A, 1 + at * SEG, 1, SEG);
}

/* timestamps, AccECN and as many SACK blocks as there are holes: never over 40 bytes (the rig
 * reads each header strictly), and the newest block is always there. */
static void A_77_options_that_do_not_fit(struct rig *r)
{
    for (unsigned mode = 0; mode < 4; mode++) {
        rig_renew(r);
        struct peer *p = peer_new(r);
        tern_addr addr;
        bool ecn = mode & 1;
        p->ts = mode & 2;
        p->accecn = ecn;
        r->listener = rig_listen(r, p->lport, 16, 0);
        say(p, S | (ecn ? AE | CWR | ECE : 0), 0, 0, 0);
        hear_syn(p, S | A | (ecn ? CWR : 0));
        p->extra.accecn = p->extra.order1 = ecn;
        p->extra.counters = 3;
        p->extra.counter[0] = p->extra.counter[2] = 1;
        say(p, A | (ecn ? CWR : 0), 1, 1, 0);
        assert_int_equal(tern_accept(r->s, r->listener, &p->k, &addr, p), 0);
        for (unsigned holes = 1; holes <= 12; holes++) {
            p->extra.tos = (uint8_t)(rig_random() % 4);
            say(p, A | (ecn ? AE | ECE : 0), 1 + 200 * holes, 1, 100);
            rig_turn(r);
            const struct seg *g = rig_next(r);
            assert_non_null(g);
            assert_in_range(g->sacks, 1, 4);
            assert_int_equal(g->sack[0].lo, p->irs + 1 + 200 * holes);
            assert_true(g->accecn == ecn || (ecn && g->sacks >= 2)); /* as Linux weighs them */
        }
    }
}

/* the scale of one SYN alone is not in force: windows are what they say. */
static void A_78_window_scale_stripped(struct rig *r)
{
    for (unsigned side = 0; side < 2; side++) {
        rig_renew(r);
        struct peer *p = peer_new(r);
        p->wscale = -1; /* as a middlebox leaves it */
        p->ts = false;
        p->mss = SEG;
        tern_addr addr;
        if (side == 0) {
            r->listener = rig_listen(r, p->lport, 16, 0);
            say(p, S, 0, 0, 0);
            assert_int_equal(hear_syn(p, S | A)->wscale, -1);
            say(p, A, 1, 1, 0);
            assert_int_equal(tern_accept(r->s, r->listener, &p->k, &addr, p), 0);
        } else {
            p->lport = 0;
            peer_syn_sent(p);
            say(p, S | A, 0, 1, 0);
            hear(p, A, 1, 1, 0);
        }
        assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_SNDBUF, 1 << 20), 0);
        p->wnd = 3 * SEG;
        say(p, A, 1, 1, 0);
        assert_int_equal(peer_write(p, 0, 100 * SEG), 100 * SEG);
        for (unsigned i = 0; i < 3; i++)
            hear(p, A, 1 + i * SEG, 1, SEG);
        rig_hush(r); /* not a byte beyond what the field says */
        say(p, A, 1, 1 + 3 * SEG, 0);
        for (unsigned i = 3; i < 6; i++)
            hear(p, A, 1 + i * SEG, 1, SEG);
        rig_hush(r);
        say(p, A, 1, 1 + 6 * SEG, 0);
        rig_turn(r);
        rig_forget(r);
    }
}

/* a NAT that moves sequence numbers but not those in SACK blocks. They mean nothing; losses
 * are repaired all the same. */
static void A_79_SACK_blocks_of_other_numbers(struct rig *r)
{
    struct peer *p = sender_new(r, (struct sender_opt){0});
    queue(p, 10);
    sends(p, 0, 10);
    rig_step(r, MS(RTT_MS));
    for (unsigned i = 2; i <= 10; i++) { /* segment 0 is lost */
        p->extra.sacks = 1;
        p->extra.sack[0] = (struct seg_sack){0x12345678, 0x12345678 + i * SEG};
        ack(p, 0);
        rig_turn(r);
        rig_forget(r);
    }
    rig_wait(r, SEC(10));
    bool again = false;
    for (const struct seg *g; (g = rig_next(r)) != NULL;)
        again |= g->seq == p->iss + 1;
    for (unsigned i = 0; !again && i < 4; i++) {
        rig_wait(r, SEC(10));
        for (const struct seg *g; (g = rig_next(r)) != NULL;)
            again |= g->seq == p->iss + 1;
    }
    assert_true(again);
    ack(p, 10);
    rig_turn(r);
    assert_int_equal(inflight(p), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(A_24_A_27_a_hole_at_every_second_segment),
        RIG(A_24_A_27_a_hundred_thousand_patterns),
        RIG(A_26_edges_in_all_quadrants),
        RIG(A_23_counts_of_tiny_segments),
        RIG(A_25_an_MSS_of_next_to_nothing),
        RIG(A_28_SACK_options_of_every_length),
        RIG(A_29_a_peer_that_reneges),
        RIG(A_59_optimistic_acknowledgements),
        RIG(A_60_divided_acknowledgements),
        RIG(A_61_spoofed_duplicates),
        RIG(A_62_DSACKs_of_everything),
        RIG(A_77_options_that_do_not_fit),
        RIG(A_78_window_scale_stripped),
        RIG(A_79_SACK_blocks_of_other_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
