/* Software segmentation: the packets a wire carries, against a model that is slow and obvious. */
#include <string.h>

#include "unit.h"

#include "lab/link.h"
#include "packets.h"

/* ---- the model ------------------------------------------------------------------------------- */

struct expected {
    const struct packet *from;
    struct packet_args args;
    size_t count, bytes;
};

/* One packet comes out: it must be that which packet_make() makes of its part. */
static void expect(void *user, uint8_t *data, size_t len)
{
    struct expected *e = user;
    static struct packet want;
    struct packet_args a = e->args;
    size_t size = a.gso_size != 0 ? a.gso_size : a.payload;
    bool last = e->bytes + size >= a.payload;
    a.payload = last ? a.payload - e->bytes : size;
    a.seq += (uint32_t)e->bytes;
    a.partial = false;
    if (!last)
        a.flags &= (uint16_t) ~(FIN | PSH);
    if (e->count > 0)
        a.flags &= (uint16_t)~CWR;
    packet_make(&want, &a);
    memcpy(want.data + want.payload, e->from->data + e->from->payload + e->bytes, a.payload);

    assert_true(packet_sums_right(data, len));
    assert_int_equal(len, want.len);
    if (a.no_df) { /* only the identification, and so the header's checksum, differ */
        assert_int_equal(data[4] << 8 | data[5], (0xfffe + e->count) & 0xffff);
        memcpy(want.data + 4, data + 4, 2);
        memcpy(want.data + 10, data + 10, 2);
    }
    memcpy(want.data + want.tcp + 16, data + want.tcp + 16, 2); /* checked above */
    assert_memory_equal(data, want.data, len);
    e->bytes += a.payload;
    e->count++;
}

static void split_and_compare(struct packet *p, const struct packet_args *args)
{
    struct expected e = {.from = p, .args = *args};
    assert_true(lab_segment(&p->pkt, expect, &e));
    size_t size = args->gso_size != 0 ? args->gso_size : args->payload + 1;
    assert_int_equal(e.count, args->payload == 0 ? 1 : (args->payload + size - 1) / size);
    assert_int_equal(e.bytes, args->payload);
}

/* ---- tests ----------------------------------------------------------------------------------- */

static const int versions[] = {4, 6, 66};

/* Any header, any sizes, any pieces. */
static void any_super_segment(void **state)
{
    (void)state;
    static struct packet p;
    for (int round = 0; round < 1000; round++) {
        struct packet_args args = {.version = versions[unit_below(3)],
                                   .flags = (uint16_t)(ACK | (unit_random() &
                                                              (FIN | PSH | ECE | CWR | 0x100))),
                                   .options = unit_below(11) * 4,
                                   .first = (uint8_t)unit_random(),
                                   .seq = (uint32_t)unit_random(),
                                   .no_df = unit_below(2) != 0,
                                   .partial = unit_below(2) != 0};
        args.gso_size = (uint16_t)(1 + unit_below(unit_below(4) == 0 ? 9000 : 1500));
        args.payload = 1 + unit_below(unit_below(4) == 0 ? 65000 : 10000);
        if (args.payload / args.gso_size > 2000)
            args.gso_size = (uint16_t)(args.payload / 2000 + 1);
        args.no_df = args.no_df && args.version == 4;
        packet_make(&p, &args);
        size_t cuts[TERN_PKT_IOV], n = 1 + unit_below(TERN_PKT_IOV);
        for (size_t i = 0; i + 1 < n; i++) {
            size_t before = i > 0 ? cuts[i - 1] : 0; /* empty pieces too */
            cuts[i] = before + unit_below((uint32_t)(p.len - before) / 4 + 1);
        }
        packet_cut(&p, cuts, n);
        split_and_compare(&p, &args);
    }
}

/* FIN and PSH stand on the last packet alone, CWR on the first alone, ECE on all. */
static void flags_stand_where_they_belong(void **state)
{
    (void)state;
    static struct packet p;
    struct packet_args args = {.version = 4,
                               .flags = ACK | FIN | PSH | ECE | CWR,
                               .payload = 300,
                               .gso_size = 100,
                               .partial = true};
    packet_make(&p, &args);
    split_and_compare(&p, &args);
    args.payload = 100; /* the first is the last */
    packet_make(&p, &args);
    split_and_compare(&p, &args);
}

static void a_single_packet_is_passed_once(void **state)
{
    (void)state;
    static struct packet p;
    for (size_t v = 0; v < ARRAY_LEN(versions); v++) {
        for (size_t payload = 0; payload < 70; payload++) {
            for (int partial = 0; partial < 2; partial++) {
                struct packet_args args = {.version = versions[v],
                                           .flags = ACK | PSH | FIN | CWR,
                                           .payload = payload,
                                           .first = (uint8_t)(payload * 7),
                                           .partial = partial != 0};
                packet_make(&p, &args);
                size_t cuts[2] = {p.payload - 1, p.payload + payload / 3};
                packet_cut(&p, cuts, 3);
                split_and_compare(&p, &args);
            }
        }
    }
}

static void keep(void *user, uint8_t *data, size_t len)
{
    tern_iov *out = user;
    assert_true(len <= out->len);
    memcpy(out->base, data, len);
    out->len = len;
}

/* A packet that is not TCP, or not even IP, goes through as it is. */
static void other_bytes_are_left_alone(void **state)
{
    (void)state;
    static struct packet p;
    static uint8_t got[PACKET_BYTES];
    packet_raw(&p, 0xdeadbeef, 1001);
    tern_iov out = {.base = got, .len = sizeof(got)};
    assert_true(lab_segment(&p.pkt, keep, &out));
    assert_int_equal(out.len, 1001);
    assert_memory_equal(got, p.data, 1001);
}

/* RFC 768: a UDP checksum that comes out as 0 is sent as 0xffff. */
static void udp_has_no_checksum_of_zero(void **state)
{
    (void)state;
    uint8_t udp[28 + 2] = {0x45, 0, 0, 30, 0, 0, 0x40, 0, 64, 17, 0, 0};
    udp[28] = udp[29] = 0xff; /* the whole sums up to 0xffff */
    tern_pkt pkt = {.iov_count = 1,
                    .flags = TERN_PKT_CSUM_PARTIAL,
                    .len = sizeof(udp),
                    .csum_start = 20,
                    .csum_offset = 6,
                    .iov = {{.base = udp, .len = sizeof(udp)}}};
    uint8_t got[sizeof(udp)];
    tern_iov out = {.base = got, .len = sizeof(got)};
    assert_true(lab_segment(&pkt, keep, &out));
    assert_int_equal(got[26] << 8 | got[27], 0xffff);
}

static void never(void *user, uint8_t *data, size_t len)
{
    (void)user;
    (void)data;
    (void)len;
    fail_msg("something was emitted");
}

static void malformed_super_segments_are_refused(void **state)
{
    (void)state;
    static struct packet p;
    struct packet_args args = {
        .version = 4, .flags = ACK, .payload = 300, .gso_size = 100, .partial = true};
#define BROKEN(change)                                                                             \
    do {                                                                                           \
        packet_make(&p, &args);                                                                    \
        change;                                                                                    \
        assert_false(lab_segment(&p.pkt, never, NULL));                                            \
    } while (0)
    BROKEN(p.pkt.gso_size = 0);
    BROKEN(p.pkt.gso_type = TERN_GSO_TCPV6);
    BROKEN(p.pkt.gso_type = TERN_GSO_UDP);
    BROKEN(p.pkt.len--);
    BROKEN(p.pkt.iov[0].len--);
    BROKEN(p.pkt.iov_count = 0);
    BROKEN(p.pkt.iov_count = TERN_PKT_IOV + 1);
    BROKEN((p.pkt.len -= 10, p.pkt.iov[0].len -= 10)); /* shorter than its header says */
    BROKEN(p.data[9] = 17);                            /* no TCP; and its checksum is wrong */
    BROKEN(p.data[p.tcp + 12] = 0x40);                 /* a header of 16 bytes */
    args.payload = 0;
    BROKEN((void)0); /* nothing to split */
    args.gso_size = 0;
    BROKEN(p.pkt.csum_offset = 30); /* outside of the packet */
    BROKEN((p.pkt.len = 0, p.pkt.iov[0].len = 0));
#undef BROKEN
}

int main(void)
{
    unit_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_super_segment),
        cmocka_unit_test(flags_stand_where_they_belong),
        cmocka_unit_test(a_single_packet_is_passed_once),
        cmocka_unit_test(other_bytes_are_left_alone),
        cmocka_unit_test(udp_has_no_checksum_of_zero),
        cmocka_unit_test(malformed_super_segments_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
