/* test_losses.c - each single loss and each pair of losses in a transfer of 100 segments, one by
 * one, in virtual time: what a loss may cost is known exactly. In the middle a round trip and
 * the reordering window, for the last segment a tail-loss probe; never a retransmission timeout
 * where a probe does. */
#include "unit.h"

#include "talk.h"

#define MS UINT64_C(1000000)
enum { SEGMENTS = 100, MSS = 1448, DELAY_MS = 20, RTT_MS = 2 * DELAY_MS };
enum { SRTT_MS = RTT_MS + SEGMENTS * 6 / 10 }; /* of the last: it waited for the others */

/* A window that holds all, and stays: what detection and repair cost, not what cwnd does then. */
static void wide_init(tern_cc *cc, uint32_t mss, uint64_t now)
{
    (void)now;
    cc->cwnd = 2 * SEGMENTS * mss;
}

static void wide_ack(tern_cc *cc, const tern_ack *ack) { cc->cwnd = 2 * SEGMENTS * ack->mss; }

static void wide_event(tern_cc *cc, enum tern_cc_event event, const tern_ack *ack)
{
    (void)event;
    wide_ack(cc, ack);
}

static const tern_cc_ops wide = {.name = "wide",
                                 .flags = TERN_CC_OWN_CWND,
                                 .init = wide_init,
                                 .on_ack = wide_ack,
                                 .on_event = wide_event};

struct outcome {
    uint64_t took;
    uint64_t timeouts, again;
};

/* The last segment carries the FIN. */
static struct lab_drop drop_of(unsigned i)
{
    return (struct lab_drop){.kind = i == SEGMENTS ? LAB_FIN : LAB_DATA,
                             .first = i == SEGMENTS ? 1 : i,
                             .count = 1,
                             .dir = 0};
}

/* Data segments number `a` and `b` of the client's are lost (0: none). */
static struct outcome transfer(unsigned a, unsigned b, bool offload, const tern_cc_ops *cc)
{
    struct lab_drop drops[2] = {drop_of(a), drop_of(b)};
    struct talk_config conf = {.seed = 7,
                               .up = SEGMENTS * MSS,
                               .link.dir = {{.delay = DELAY_MS * MS}, {.delay = DELAY_MS * MS}},
                               .link.drops = drops,
                               .link.drop_count = (a != 0 ? 1u : 0u) + (b != 0 ? 1u : 0u)};
    conf.link.dir[0].rate = 20000000; /* 0.6 ms a segment */
    tern_config_default(&conf.tern);
    conf.tern.cc = cc;
    conf.tern.rcvbuf = 1 << 20; /* all of it in one flight: numbers are of first copies */
    if (offload)
        conf.iface = (tern_iface){.mtu = 1500,
                                  .gso_max = 65535,
                                  .caps = TERN_CAP_CSUM | TERN_CAP_TSO4 | TERN_CAP_TSO6};
    struct talk t;
    assert_int_equal(talk_begin(&t, &conf), 0);
    /* until all of it has arrived: what closing takes is another matter */
    struct talker *server = &t.side[1];
    while (server->received < SEGMENTS * MSS) {
        uint64_t next = lab_world_next(t.pair.w);
        assert_true(next != TERN_NEVER);
        uint64_t now = lab_world_now(t.pair.w);
        lab_world_turn(t.pair.w, next > now ? next : now);
    }
    struct outcome o = {.took = lab_world_now(t.pair.w) - LAB_PAIR_START};
    const tern_counters *c = tern_counters_of(t.pair.client);
    o.timeouts = c->count[TERN_COUNT_TIMEOUTS];
    o.again = c->count[TERN_COUNT_RETRANSMITS];
    assert_true(lab_world_run(t.pair.w, TERN_NEVER, talk_over, &t));
    talk_check(&t);
    talk_end(&t);
    return o;
}

static void each_index(void **state)
{
    (void)state;
    for (unsigned offload = 0; offload < 2; offload++) {
        uint64_t clean = transfer(0, 0, offload != 0, &wide).took, worst = 0;
        for (unsigned i = 1; i <= SEGMENTS; i++) {
            struct outcome o = transfer(i, 0, offload != 0, &wide);
            uint64_t cost = o.took - clean;
            /* a probe comes after two round trips and takes one */
            uint64_t most = i == SEGMENTS ? 2 * SRTT_MS + RTT_MS : RTT_MS + RTT_MS / 4;
            if (o.timeouts != 0 || cost > (most + 1) * MS || o.again != 1)
                fail_msg("segment %u%s: %.1f ms, %u timeouts, %u sent again", i,
                         offload ? " (offload)" : "", (double)cost / 1e6, (unsigned)o.timeouts,
                         (unsigned)o.again);
            worst = cost > worst && i != SEGMENTS ? cost : worst;
        }
        print_message("    at most %.1f ms\n", (double)worst / 1e6);
    }
}

static void each_pair(void **state)
{
    (void)state;
    uint64_t clean = transfer(0, 0, false, &wide).took, worst = 0, sum = 0;
    unsigned n = 0, over = 0;
    for (unsigned i = 1; i < SEGMENTS; i++) {
        for (unsigned j = i + 1; j <= SEGMENTS; j += unit_stride(17), n++) {
            struct outcome o = transfer(i, j, false, &wide);
            uint64_t cost = o.took - clean;
            uint64_t most =
                RTT_MS + RTT_MS / 4; /* both in one flight: they are repaired together */
            if (j == SEGMENTS)
                most = 2 * SRTT_MS + 2 * RTT_MS; /* a probe, and a round trip for the other */
            if (j == SEGMENTS - 1 && i == j - 1)
                most = 2 * RTT_MS + RTT_MS / 4;
            if (o.timeouts != 0)
                fail_msg("segments %u and %u: %.1f ms and a timeout", i, j, (double)cost / 1e6);
            if (cost > (most + 1) * MS) {
                over++;
                print_message("    segments %u and %u: %.1f ms\n", i, j, (double)cost / 1e6);
            }
            worst = cost > worst ? cost : worst;
            sum += cost;
        }
    }
    print_message("    %u pairs: %.1f ms on average, at most %.1f; %u too many\n", n,
                  (double)sum / n / 1e6, (double)worst / 1e6, over);
    assert_int_equal(over, 0);
}

/* With the default controller the reduction costs more, but no timeout either. */
static void no_timeouts(void **state)
{
    (void)state;
    for (unsigned i = 1; i <= SEGMENTS; i++) {
        struct outcome o = transfer(i, 0, false, &tern_cc_cubic);
        if (o.timeouts != 0)
            fail_msg("segment %u: a timeout", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_index),
        cmocka_unit_test(each_pair),
        cmocka_unit_test(no_timeouts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
