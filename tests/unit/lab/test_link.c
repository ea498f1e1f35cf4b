/* What a link does for certain: times, queues, rules, super-segments, and what the tap is told. */
#include <string.h>

#include "unit.h"

#include "flow.h"

/* ---- time ------------------------------------------------------------------------------------ */

static void delay_is_exact(void **state)
{
    (void)state;
    struct lab_config conf = {.seed = 1, .dir[0].delay = 20 * MS, .dir[1].delay = 30 * MS};
    struct lab_link *l = link_of(&conf);
    for (int dir = 0; dir < 2; dir++) {
        assert_false(lab_link_transparent(l, dir));
        flow_run(l, dir, 100, SIZE, MS);
        for (uint32_t i = 0; i < 100; i++)
            assert_int_equal(arrived.at[i], (i + 1) * MS + (dir ? 30 : 20) * MS);
    }
    tern_pkt pkts[2];
    static struct packet p;
    packet_raw(&p, 1, SIZE);
    lab_link_send(l, 0, &p.pkt, 1000 * MS);
    assert_int_equal(lab_link_receive(l, 0, pkts, 2, 1020 * MS - 1), 0);
    assert_int_equal(lab_link_next(l, 0), 1020 * MS);
    assert_int_equal(lab_link_next(l, 1), TERN_NEVER);
    assert_int_equal(lab_link_receive(l, 0, pkts, 2, 1020 * MS), 1);
    lab_link_received(l, 0, 1020 * MS);
    assert_int_equal(lab_link_next(l, 0), TERN_NEVER);
    lab_link_free(l);
}

/* Uniform in [0, jitter] where packets are far apart; in order where they are close. */
static void jitter_is_uniform_and_keeps_the_order(void **state)
{
    (void)state;
    struct lab_config conf = {.seed = 4, .dir[0] = {.delay = 5 * MS, .jitter = 2 * MS}};
    struct lab_link *l = link_of(&conf);
    flow_run(l, 0, MANY, SIZE, 10 * MS);
    uint32_t slice[10] = {0};
    for (uint32_t i = 0; i < MANY; i++) {
        uint64_t late = arrived.at[i] - (i + 1) * 10 * MS - 5 * MS;
        assert_in_range(late, 0, 2 * MS);
        slice[late * 10 / (2 * MS + 1)]++;
    }
    for (size_t i = 0; i < ARRAY_LEN(slice); i++)
        assert_likely(slice[i], MANY, 0.1);
    lab_link_free(l);

    l = link_of(&conf);
    flow_run(l, 0, MANY, SIZE, MS / 100);
    assert_int_equal(arrived.count, MANY);
    for (uint32_t i = 0; i < MANY; i++)
        assert_int_equal(arrived.number[i], i + 1);
    lab_link_free(l);
}

/* 1 Mbit/s: 100 bytes take 800 us, one after the other. */
static void rate_is_that_of_a_wire(void **state)
{
    (void)state;
    struct lab_config conf = {.dir[0] = {.rate = 1000000, .delay = 7 * MS}};
    struct lab_link *l = link_of(&conf);
    flow_run(l, 0, 500, SIZE, 1000); /* much faster than the wire */
    assert_int_equal(arrived.count, 500);
    for (uint32_t i = 0; i < 500; i++)
        assert_int_equal(arrived.at[i], 1000 + (i + 1) * 800000 + 7 * MS);
    flow_run(l, 0, 500, SIZE, 10 * MS); /* much slower */
    for (uint32_t i = 100; i < 500; i++)
        assert_int_equal(arrived.at[i], (i + 1) * 10 * MS + 800000 + 7 * MS);
    lab_link_free(l);
}

/* No rounding adds up: 3 Gbit/s are 800/3 ns for 100 bytes. */
static void rate_is_exact_in_the_long_run(void **state)
{
    (void)state;
    struct lab_config conf = {.dir[0] = {.rate = 3000000000, .queue = 2 * MANY}};
    struct lab_link *l = link_of(&conf);
    flow_run(l, 0, MANY, SIZE, 1);
    assert_int_equal(arrived.count, MANY);
    assert_int_equal(arrived.at[MANY - 1], 1 + UINT64_C(800) * MANY / 3);
    lab_link_free(l);
}

/* One on the wire, `queue` behind it, the rest is dropped at the tail. */
static void a_full_queue_drops_at_its_tail(void **state)
{
    (void)state;
    static const uint32_t queues[] = {1, 5, 64, 100, 0};
    for (size_t q = 0; q < ARRAY_LEN(queues); q++) {
        uint32_t holds = (queues[q] != 0 ? queues[q] : 1000) + 1;
        struct lab_config conf = {.dir[0] = {.rate = 1000000, .queue = queues[q]}};
        struct lab_link *l = link_of(&conf);
        static struct packet p;
        for (uint32_t i = 1; i <= 3000; i++) {
            packet_raw(&p, i, SIZE);
            lab_link_send(l, 0, &p.pkt, 0);
        }
        const struct lab_counts *n = lab_link_counts(l, 0);
        assert_int_equal(n->overflowed, 3000 - holds);
        /* one has left: there is room for one more */
        lab_link_send(l, 0, &p.pkt, 800000);
        lab_link_send(l, 0, &p.pkt, 800000);
        assert_int_equal(n->overflowed, 3000 - holds + 1);
        arrived.count = 0;
        flow_take_until(l, 0, TERN_NEVER);
        assert_int_equal(arrived.count, holds + 1);
        for (uint32_t i = 0; i < holds; i++)
            assert_int_equal(arrived.number[i], i + 1);
        lab_link_free(l);
    }
}

static void mtu_drops_what_is_larger(void **state)
{
    (void)state;
    struct lab_config conf = {.dir[1].mtu = 576};
    struct lab_link *l = link_of(&conf);
    static struct packet p;
    for (uint32_t len = 500; len < 600; len++) {
        packet_raw(&p, len, len);
        lab_link_send(l, 1, &p.pkt, 0);
    }
    arrived.count = 0;
    flow_take_until(l, 1, 0);
    assert_int_equal(arrived.count, 77);
    assert_int_equal(arrived.number[76], 576);
    assert_int_equal(lab_link_counts(l, 1)->too_big, 23);
    lab_link_free(l);
}

/* ---- rules ----------------------------------------------------------------------------------- */

static const uint16_t flags_of[] = {
    [LAB_SYN] = SYN,        [LAB_SYNACK] = SYN | ACK, [LAB_ACK] = ACK,
    [LAB_DATA] = ACK | PSH, [LAB_FIN] = FIN | ACK,    [LAB_RST] = RST | ACK};

static bool passes(struct lab_link *l, int dir, enum lab_kind kind, int version)
{
    static struct packet p;
    packet_make(&p, &(struct packet_args){.version = version,
                                          .flags = flags_of[kind],
                                          .options = 12,
                                          .payload = kind == LAB_DATA ? 1 : 0});
    uint64_t before = lab_link_counts(l, dir)->dropped;
    lab_link_send(l, dir, &p.pkt, 0);
    flow_take(l, dir, 0);
    return lab_link_counts(l, dir)->dropped == before;
}

static void rules_drop_by_kind_and_number(void **state)
{
    (void)state;
    arrived.count = 0;
    for (int kind = 0; kind < LAB_KINDS; kind++) {
        for (int dir = -1; dir < 2; dir++) {
            struct lab_drop drop = {.kind = (enum lab_kind)kind,
                                    .first = 2,
                                    .count = 2,
                                    .dir = dir};
            struct lab_link *l = link_of(&(struct lab_config){.drops = &drop, .drop_count = 1});
            assert_int_equal(lab_link_transparent(l, 0), dir == 1);
            assert_int_equal(lab_link_transparent(l, 1), dir == 0);
            uint32_t seen = 0;
            for (int i = 0; i < 12; i++) {
                for (int other = 0; other < LAB_KINDS; other++) {
                    int way = i % 2, version = i % 3 == 0 ? 4 : i % 3 == 1 ? 6 : 66;
                    bool meant = other == kind && (dir < 0 || dir == way);
                    seen += meant;
                    bool pass = passes(l, way, (enum lab_kind)other, version);
                    assert_int_equal(pass, !(meant && seen >= 2 && seen < 4));
                }
            }
            lab_link_free(l);
        }
    }
}

/* By number among all packets, TCP or not; several rules, each counting for itself. */
static void rules_drop_by_number_alone(void **state)
{
    (void)state;
    struct lab_drop drops[] = {{.kind = LAB_KINDS, .first = 3, .count = 1, .dir = 0},
                               {.kind = LAB_KINDS, .first = 5, .count = UINT32_MAX, .dir = 1},
                               {.kind = LAB_KINDS, .first = 3, .count = 2, .dir = -1}};
    struct lab_link *l = link_of(&(struct lab_config){.drops = drops, .drop_count = 3});
    arrived.count = 0;
    static struct packet p;
    for (uint32_t i = 1; i <= 10; i++) {
        packet_raw(&p, i, SIZE);
        for (int dir = 0; dir < 2; dir++)
            lab_link_send(l, dir, &p.pkt, 0);
    }
    flow_take(l, 0, 0);
    /* sent in all: 1 1 2 2 3 3 ...; the third rule takes both of the second pair */
    assert_int_equal(arrived.count, 8);
    assert_int_equal(arrived.number[1], 4);
    flow_take(l, 1, 0);
    assert_int_equal(arrived.count, 8 + 3);
    assert_int_equal(arrived.number[8], 1);
    assert_int_equal(arrived.number[9], 3);
    assert_int_equal(arrived.number[10], 4);
    lab_link_free(l);
}

/* ---- super-segments -------------------------------------------------------------------------- */

static void super_packet(struct packet *p)
{
    packet_make(p, &(struct packet_args){.version = 6,
                                         .flags = ACK | PSH,
                                         .options = 12,
                                         .payload = 10001,
                                         .gso_size = 1000,
                                         .partial = true});
    size_t cuts[] = {72, 73, 4000};
    packet_cut(p, cuts, 4);
}

/* A constant delay copies them once, with all the offload says. */
static void delay_alone_passes_super_segments_whole(void **state)
{
    (void)state;
    struct lab_config conf = {.dir[0].delay = MS};
    struct lab_link *l = link_of(&conf);
    static struct packet p;
    super_packet(&p);
    lab_link_send(l, 0, &p.pkt, 0);
    tern_pkt got;
    assert_int_equal(lab_link_receive(l, 0, &got, 1, MS), 1);
    assert_int_equal(got.iov_count, 1);
    assert_int_equal(got.len, p.len);
    assert_memory_equal(got.iov[0].base, p.data, p.len);
    assert_int_equal(got.flags, TERN_PKT_CSUM_PARTIAL);
    assert_int_equal(got.gso_type, TERN_GSO_TCPV6);
    assert_int_equal(got.gso_size, 1000);
    assert_int_equal(got.gso_segs, 11);
    assert_int_equal(got.csum_start, p.pkt.csum_start);
    assert_int_equal(got.csum_offset, p.pkt.csum_offset);
    assert_int_equal(got.hdr_len, p.pkt.hdr_len);
    lab_link_received(l, 0, MS);
    assert_int_equal(lab_link_counts(l, 0)->arrived, 11); /* counted as a wire would */
    assert_int_equal(lab_link_counts(l, 0)->bytes, p.len + 10 * p.payload);
    lab_link_free(l);
}

static void no_tap(void *user, const struct lab_event *event)
{
    (void)user;
    (void)event;
}

/* Anything else makes wire packets of them. */
static void impairment_and_watching_split_super_segments(void **state)
{
    (void)state;
    struct lab_drop rule = {.kind = LAB_RST, .first = 1, .count = 1, .dir = -1};
    struct lab_config confs[] = {
        {.dir[0].loss = 1e-9},
        {.dir[0].duplicate = 1e-9},
        {.dir[0].corrupt = 1e-9},
        {.dir[0].reorder = 1e-9},
        {.dir[0].jitter = 1},
        {.dir[0].rate = UINT64_C(1000000000000)},
        {.dir[0].mtu = 1500},
        {.tap = no_tap},
        {.drops = &rule, .drop_count = 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(confs); i++) {
        struct lab_link *l = link_of(&confs[i]);
        assert_false(lab_link_transparent(l, 0));
        static struct packet p;
        super_packet(&p);
        lab_link_send(l, 0, &p.pkt, 0);
        size_t bytes = 0, n;
        tern_pkt got[LAB_BATCH];
        while ((n = lab_link_receive(l, 0, got, LAB_BATCH, MS)) != 0) {
            assert_true(confs[i].tap == NULL || n == 1); /* a watched link gives one at a time */
            for (size_t k = 0; k < n; k++) {
                assert_int_equal(got[k].flags, 0);
                assert_int_equal(got[k].gso_type, 0);
                assert_int_equal(got[k].gso_size, 0);
                assert_true(packet_sums_right(got[k].iov[0].base, got[k].len));
                bytes += got[k].len - p.payload;
            }
            lab_link_received(l, 0, MS);
        }
        assert_int_equal(bytes, 10001);
        assert_int_equal(lab_link_counts(l, 0)->sent, 11);
        lab_link_free(l);
    }
}

static void a_malformed_super_segment_is_dropped(void **state)
{
    (void)state;
    struct lab_link *l = link_of(&(struct lab_config){.dir[0].loss = 0.5});
    static struct packet p;
    super_packet(&p);
    p.pkt.gso_type = TERN_GSO_UDP;
    lab_link_send(l, 0, &p.pkt, 0);
    assert_int_equal(lab_link_counts(l, 0)->dropped, 1);
    assert_int_equal(lab_link_next(l, 0), TERN_NEVER);
    lab_link_free(l);
}

/* ---- the tap --------------------------------------------------------------------------------- */

static struct lab_event seen[64];
static uint32_t seen_number[64];
static size_t seen_count;

static void watch(void *user, const struct lab_event *event)
{
    assert_ptr_equal(user, seen);
    assert_true(seen_count < ARRAY_LEN(seen));
    seen_number[seen_count] = packet_number(event->data);
    seen[seen_count++] = *event;
}

static void expect_event(size_t i, enum lab_fate fate, uint64_t id, uint8_t marks, uint64_t now)
{
    assert_true(i < seen_count);
    assert_int_equal(seen[i].fate, fate);
    assert_int_equal(seen[i].id, id);
    assert_int_equal(seen[i].marks, marks);
    assert_int_equal(seen[i].now, now);
    assert_int_equal(seen[i].len, SIZE);
}

static struct lab_link *watched(struct lab_config *conf)
{
    seen_count = 0;
    conf->tap = watch;
    conf->user = seen;
    return link_of(conf);
}

/* A packet's events come in order, ARRIVED and PROCESSED around its processing alone. */
static void the_tap_is_told_in_order(void **state)
{
    (void)state;
    struct lab_config conf = {.dir[1] = {.delay = 5, .duplicate = 1}};
    struct lab_link *l = watched(&conf);
    static struct packet p;
    tern_pkt got[8];
    packet_raw(&p, 77, SIZE);
    lab_link_send(l, 1, &p.pkt, 100);
    expect_event(0, LAB_SENT, 1, 0, 100);
    expect_event(1, LAB_SENT, 2, LAB_DUPLICATE, 100);
    assert_int_equal(seen_count, 2);
    for (uint64_t id = 1; id <= 2; id++) {
        assert_int_equal(lab_link_receive(l, 1, got, 8, 110), 1);
        expect_event(id * 2, LAB_ARRIVED, id, id == 2 ? LAB_DUPLICATE : 0, 110);
        assert_int_equal(seen_count, id * 2 + 1);
        lab_link_received(l, 1, 120);
        expect_event(id * 2 + 1, LAB_PROCESSED, id, id == 2 ? LAB_DUPLICATE : 0, 120);
    }
    for (size_t i = 0; i < seen_count; i++) {
        assert_int_equal(seen[i].dir, 1);
        assert_int_equal(seen[i].sent, 100);
        assert_int_equal(seen_number[i], 77);
    }
    lab_link_free(l);
}

/* What gets no further is told of at once. */
static void the_tap_is_told_of_each_end(void **state)
{
    (void)state;
    struct lab_drop rule = {.kind = LAB_KINDS, .first = 1, .count = 1, .dir = -1};
    struct lab_config confs[] = {
        {.drops = &rule, .drop_count = 1, .dir[0] = {.loss = 1, .mtu = 10, .corrupt = 1}},
        {.dir[0] = {.loss = 1, .mtu = 10, .duplicate = 1}},
        {.dir[0] = {.loss = 1, .duplicate = 1, .reorder = 1}},
    };
    static const enum lab_fate fates[] = {LAB_DROPPED, LAB_TOO_BIG, LAB_LOST};
    static struct packet p;
    packet_raw(&p, 1, SIZE);
    for (size_t i = 0; i < ARRAY_LEN(confs); i++) {
        struct lab_link *l = watched(&confs[i]);
        lab_link_send(l, 0, &p.pkt, 9);
        assert_int_equal(seen_count, 2);
        expect_event(0, LAB_SENT, 1, 0, 9);
        expect_event(1, fates[i], 1, 0, 9);
        lab_link_free(l);
    }
    struct lab_config full = {.dir[0] = {.rate = 1, .queue = 1, .duplicate = 1}};
    struct lab_link *l = watched(&full);
    lab_link_send(l, 0, &p.pkt, 0);
    lab_link_send(l, 0, &p.pkt, 0);
    expect_event(0, LAB_SENT, 1, 0, 0);             /* on the wire */
    expect_event(1, LAB_SENT, 2, LAB_DUPLICATE, 0); /* in the queue */
    expect_event(2, LAB_SENT, 3, 0, 0);
    expect_event(3, LAB_OVERFLOW, 3, 0, 0);
    expect_event(4, LAB_SENT, 4, LAB_DUPLICATE, 0);
    expect_event(5, LAB_OVERFLOW, 4, LAB_DUPLICATE, 0);
    assert_int_equal(seen_count, 6);
    lab_link_free(l);
}

/* The sender's end sees the packet as it was, the receiver's as it has become. */
static void marks_are_known_from_the_start(void **state)
{
    (void)state;
    struct lab_config conf = {.seed = 8, .dir[0] = {.corrupt = 1, .reorder = 1, .duplicate = 1}};
    struct lab_link *l = watched(&conf);
    static struct packet p;
    packet_raw(&p, 5, SIZE);
    lab_link_send(l, 0, &p.pkt, 0);
    expect_event(0, LAB_SENT, 1, LAB_CORRUPTED | LAB_LATE, 0);
    expect_event(1, LAB_SENT, 2, LAB_DUPLICATE | LAB_LATE, 0);
    assert_int_equal(seen_number[0], 5);
    tern_pkt got;
    uint32_t number;
    assert_int_equal(lab_link_receive(l, 0, &got, 1, 10 * MS), 1);
    assert_memory_not_equal(got.iov[0].base, p.data, SIZE);
    lab_link_received(l, 0, 10 * MS);
    assert_int_equal(lab_link_receive(l, 0, &got, 1, 10 * MS), 1);
    assert_int_equal(flow_bits_wrong(&got, &number), 0); /* the copy is intact */
    lab_link_received(l, 0, 10 * MS);
    lab_link_free(l);
}

/* ---- life ------------------------------------------------------------------------------------ */

/* A change holds from then on; what is under way keeps its time, and the order stays. */
static void impairment_can_change(void **state)
{
    (void)state;
    struct lab_link *l = link_of(&(struct lab_config){.dir[0].delay = 10 * MS});
    static struct packet p;
    packet_raw(&p, 1, SIZE);
    lab_link_send(l, 0, &p.pkt, 0);
    lab_link_change(l, 0, &(struct lab_impair){0});
    assert_false(lab_link_transparent(l, 0)); /* or it would be overtaken */
    packet_raw(&p, 2, SIZE);
    lab_link_send(l, 0, &p.pkt, MS);
    lab_link_change(l, 0, &(struct lab_impair){.loss = 1});
    packet_raw(&p, 3, SIZE);
    lab_link_send(l, 0, &p.pkt, MS);
    arrived.count = 0;
    flow_take_until(l, 0, 10 * MS - 1);
    assert_int_equal(arrived.count, 0);
    flow_take_until(l, 0, 10 * MS);
    assert_int_equal(arrived.count, 2);
    assert_int_equal(arrived.number[1], 2);
    lab_link_change(l, 0, &(struct lab_impair){0});
    assert_true(lab_link_transparent(l, 0));
    lab_link_free(l);
}

static void a_link_can_end_with_packets_under_way(void **state)
{
    (void)state;
    struct lab_config conf = {.dir[0] = {.delay = MS, .reorder = 0.5, .rate = 1000}};
    struct lab_link *l = link_of(&conf);
    static struct packet p;
    for (uint32_t i = 0; i < 500; i++) {
        packet_raw(&p, i, 60 + i * 30);
        lab_link_send(l, 0, &p.pkt, 0);
    }
    tern_pkt got[3];
    assert_int_equal(lab_link_receive(l, 0, got, 3, TERN_NEVER - 1), 3);
    lab_link_free(l);
    lab_link_free(NULL);
}

/* Memory is bounded: beyond LAB_BYTES_MAX the queue is full. */
static void memory_under_way_is_bounded(void **state)
{
    (void)state;
    struct lab_config conf = {.dir[0].delay = 1000 * MS};
    struct lab_link *l = link_of(&conf);
    static struct packet p;
    packet_raw(&p, 1, 65000);
    for (size_t bytes = 0; bytes < 2 * LAB_BYTES_MAX; bytes += 65000)
        lab_link_send(l, 0, &p.pkt, 0);
    const struct lab_counts *n = lab_link_counts(l, 0);
    assert_in_range(n->sent - n->overflowed, LAB_BYTES_MAX / 70000, LAB_BYTES_MAX / 65000 + 1);
    lab_link_free(l);
}

int main(void)
{
    unit_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delay_is_exact),
        cmocka_unit_test(jitter_is_uniform_and_keeps_the_order),
        cmocka_unit_test(rate_is_that_of_a_wire),
        cmocka_unit_test(rate_is_exact_in_the_long_run),
        cmocka_unit_test(a_full_queue_drops_at_its_tail),
        cmocka_unit_test(mtu_drops_what_is_larger),
        cmocka_unit_test(rules_drop_by_kind_and_number),
        cmocka_unit_test(rules_drop_by_number_alone),
        cmocka_unit_test(delay_alone_passes_super_segments_whole),
        cmocka_unit_test(impairment_and_watching_split_super_segments),
        cmocka_unit_test(a_malformed_super_segment_is_dropped),
        cmocka_unit_test(the_tap_is_told_in_order),
        cmocka_unit_test(the_tap_is_told_of_each_end),
        cmocka_unit_test(marks_are_known_from_the_start),
        cmocka_unit_test(impairment_can_change),
        cmocka_unit_test(a_link_can_end_with_packets_under_way),
        cmocka_unit_test(memory_under_way_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
