/* test_delack.c - when data is acknowledged: at once, with every second segment, or a little later
 * (RFC 9293 3.8.6.3, RFC 5681 4.2). */
#include "rig.h"

enum { FULL = 1400 };

/* Segments acknowledged at once in the beginning; afterwards the connection delays. */
static uint32_t past_quick_acks(struct peer *p)
{
    uint32_t in = 1;
    for (unsigned i = 0; i < 64; i++) {
        say(p, A, in, 1, FULL);
        in += FULL;
        rig_turn(p->r);
        if (rig_waiting(p->r) == 0) {
            rig_step(p->r, p->r->cfg.delack + MS(1));
            hear(p, A, 1, in, 0);
            peer_read(p, 0, in - 1);
            rig_step(p->r, MS(1));
            rig_forget(p->r);
            return in;
        }
        hear(p, A, 1, in, 0);
    }
    rig_fail("every segment is acknowledged at once");
}

/* Linux's way: the first ones at once, so that the peer's window opens fast. */
static void quick_acks_at_first(struct rig *r)
{
    struct peer *p = peer_passive(r);
    for (uint32_t i = 0; i < 10; i++) {
        say(p, A, 1 + i * 10, 1, 10);
        hear(p, A, 1, 11 + i * 10, 0);
    }
}

/* SHLD-18, MUST-40: a lone segment waits, but not long. */
static void SHLD_18_MUST_40_lone_segment(struct rig *r)
{
    struct peer *p = peer_passive(r);
    uint32_t in = past_quick_acks(p);
    for (unsigned i = 0; i < 10; i++) {
        say(p, A, in, 1, FULL);
        in += FULL;
        rig_hush(r);
        rig_wait_exactly(r, r->cfg.delack);
        hear(p, A, 1, in, 0);
        peer_read(p, in - 1 - FULL, FULL);
        rig_step(r, MS(1 + i));
        rig_forget(r);
    }
}

/* MUST-40: no configuration delays for half a second. */
static void MUST_40_limit_of_the_configuration(struct rig *r)
{
    tern *s;
    r->cfg.delack = MS(500);
    assert_int_equal(tern_new(&s, &r->cfg, r->now), TERN_EINVAL);
    r->cfg.delack = MS(500) - 1;
    struct peer *p = peer_passive(r);
    uint32_t in = past_quick_acks(p);
    say(p, A, in, 1, FULL);
    uint64_t took = rig_wait(r, SEC(1));
    assert_in_range(took, MS(490), MS(500) + 2 * TICK);
}

/* SHLD-19: the second full segment at once. */
static void SHLD_19_every_second_segment(struct rig *r)
{
    struct peer *p = peer_passive(r);
    uint32_t in = past_quick_acks(p);
    for (unsigned i = 0; i < 10; i++, in += FULL) {
        say(p, A, in, 1, FULL);
        if (i % 2 == 0)
            rig_hush(r);
        else
            hear(p, A, 1, in + FULL, 0);
    }
}

/* SHLD-19: and when small ones have added up to more than a segment. */
static void SHLD_19_small_segments_add_up(struct rig *r)
{
    struct peer *p = peer_passive(r);
    uint32_t in = past_quick_acks(p), first = in;
    for (; in + 100 - first <= FULL; in += 100) {
        say(p, A, in, 1, 100);
        rig_hush(r);
    }
    say(p, A, in, 1, 100);
    hear(p, A, 1, in + 100, 0);
}

/* A super-segment counts as what it is made of. */
static void SHLD_19_super_segment(struct rig *r)
{
    static uint8_t packet[65536 + 128];
    struct peer *p = peer_passive(r);
    uint32_t in = past_quick_acks(p);
    struct seg g = peer_seg(p, A, in, 1, 4 * FULL);
    tern_pkt pkt = {.iov_count = 1, .iface = (uint16_t)r->iface, .gso_size = FULL};
    pkt.gso_type = r->ip6 ? TERN_GSO_TCPV6 : TERN_GSO_TCPV4;
    pkt.len = (uint32_t)seg_build(&g, packet);
    pkt.iov[0] = (tern_iov){.base = packet, .len = pkt.len};
    tern_input(r->s, &pkt, 1, r->now);
    hear(p, A, 1, in + 4 * FULL, 0);
    say(p, A, in + 4 * FULL, 1, FULL); /* and one alone is still one */
    rig_hush(r);
}

/* MUST-58, MUST-59: what arrives together is acknowledged once, after the last. */
static void MUST_58_MUST_59_one_ack_for_a_batch(struct rig *r)
{
    struct peer *p = peer_passive(r);
    uint32_t in = 1;
    for (unsigned round = 0; round < 4; round++) {
        static uint8_t packet[16][2048];
        tern_pkt pkts[16];
        for (unsigned i = 0; i < 16; i++, in += 1000) {
            struct seg g = peer_seg(p, A, in, 1, 1000);
            pkts[i] = (tern_pkt){.iov_count = 1, .iface = (uint16_t)r->iface};
            pkts[i].len = (uint32_t)seg_build(&g, packet[i]);
            pkts[i].iov[0] = (tern_iov){.base = packet[i], .len = pkts[i].len};
        }
        tern_input(r->s, pkts, 16, r->now);
        hear(p, A, 1, in, 0);
        rig_hush(r);
        peer_read(p, in - 1 - 16000, 16000);
        rig_turn(r);
        rig_forget(r);
    }
}

/* MAY-13: out of order, and what fills a hole, at once (RFC 5681 4.2). */
static void MAY_13_out_of_order_at_once(struct rig *r)
{
    struct peer *p = peer_passive(r);
    uint32_t in = past_quick_acks(p);
    say(p, A, in + 200, 1, 100);
    hear(p, A, 1, in, 0);
    say(p, A, in + 400, 1, 100);
    hear(p, A, 1, in, 0);
    say(p, A, in, 1, 100); /* in order, but a hole is left */
    hear(p, A, 1, in + 100, 0);
    say(p, A, in + 100, 1, 100);
    hear(p, A, 1, in + 300, 0);
    say(p, A, in + 300, 1, 100);
    hear(p, A, 1, in + 500, 0);
    say(p, A, in + 500, 1, 100); /* all is well again */
    rig_hush(r);
}

/* A duplicate at once as well: the peer has not heard us. */
static void duplicates_at_once(struct rig *r)
{
    struct peer *p = peer_passive(r);
    uint32_t in = past_quick_acks(p);
    say(p, A, in - 100, 1, 100);
    hear(p, A, 1, in, 0);
    say(p, A, in - 100, 1, 100);
    hear(p, A, 1, in, 0);
}

/* An answer takes the acknowledgement along, and none follows. */
static void answers_carry_it(struct rig *r)
{
    struct peer *p = peer_passive(r);
    uint32_t in = past_quick_acks(p), out = 1;
    for (unsigned i = 0; i < 20; i++) {
        say(p, A, in, out, 100);
        in += 100;
        rig_hush(r);
        peer_read(p, in - 101, 100);
        assert_int_equal(peer_write(p, out - 1, 50), 50);
        hear(p, A, out, in, 50);
        out += 50;
        rig_step(r, MS(5));
        rig_hush(r);
    }
    say(p, A, in, out, 0);
    rig_step(r, SEC(10));
    rig_hush(r);
}

/* A FIN is acknowledged at once. */
static void fin_at_once(struct rig *r)
{
    struct peer *p = peer_passive(r);
    uint32_t in = past_quick_acks(p);
    say(p, A | F, in, 1, 10);
    hear(p, A, 1, in + 11, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_ISNS(quick_acks_at_first),
        RIG_ISNS(SHLD_18_MUST_40_lone_segment),
        RIG_ISNS(MUST_40_limit_of_the_configuration),
        RIG_ISNS(SHLD_19_every_second_segment),
        RIG_ISNS(SHLD_19_small_segments_add_up),
        RIG_ISNS(SHLD_19_super_segment),
        RIG_ISNS(MUST_58_MUST_59_one_ack_for_a_batch),
        RIG_ISNS(MAY_13_out_of_order_at_once),
        RIG_ISNS(duplicates_at_once),
        RIG(answers_carry_it),
        RIG(fin_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
