/* test_fragments.c - packets that come in fragments, through a whole stack: segments and echo
 * requests are taken as if they had come whole, what is missing is told by ICMP, and errors are
 * sent at a limited rate. */
#include "rig.h"

#include "wire/icmp.h"

enum { PACKET_MAX = 65535 };

/* The wire packet `p` cut into fragments of `step` bytes of payload; only those in `mask` come. */
static void put_pieces(struct rig *r, const uint8_t *p, size_t len, uint32_t step, uint64_t mask)
{
    struct wire_ip ip;
    uint8_t out[PACKET_MAX];
    assert_int_equal(wire_ip_read(p, len, len, &ip), TERN_DROP_NONE);
    const uint8_t *payload = p + ip.header_len;
    size_t total = ip.payload_len;
    ip.frag_id = 77;
    for (uint32_t at = 0, i = 0; at < total; at += step, i++) {
        ip.frag_off = (uint16_t)at;
        ip.payload_len = (uint16_t)(total - at < step ? total - at : step);
        ip.frag_more = at + ip.payload_len < total;
        size_t header = wire_frag_write(out, &ip, 0);
        memcpy(out + header, payload + at, ip.payload_len);
        if (mask >> i & 1)
            rig_input(r, out, header + ip.payload_len);
    }
}

static void segments_in_fragments(struct rig *r)
{
    static uint8_t packet[PACKET_MAX];
    struct peer *p = peer_passive(r);
    struct seg g = peer_seg(p, A, 1, 1, 1400);
    size_t len = seg_build(&g, packet);
    put_pieces(r, packet, len, 560, 7);
    hear(p, A, 1, 1401, 0);
    peer_read(p, 0, 1400);
    assert_int_equal(rig_count(r, TERN_COUNT_REASSEMBLED), 1);
    assert_int_equal(rig_count(r, TERN_COUNT_FRAGMENTS_IN), 3);
    /* a wrong checksum is wrong in pieces, too */
    packet[len - 1] ^= 1;
    put_pieces(r, packet, len, 560, 7);
    rig_hush(r);
    assert_int_equal(rig_drops(r, TERN_DROP_TCP_CSUM), 1);
}

/* Not for us, or from where nothing can come: no memory is spent on it. */
static void for_somebody_else(struct rig *r)
{
    uint8_t packet[PACKET_MAX];
    struct peer *p = peer_passive(r);
    struct seg g = peer_seg(p, A, 1, 1, 100);
    tern_memory before, after;
    g.dst[15] ^= 0x40;
    rig_memory(r, &before);
    put_pieces(r, packet, seg_build(&g, packet), 64, 1);
    rig_memory(r, &after);
    assert_int_equal(rig_drops(r, TERN_DROP_IP_DESTINATION), 1);
    assert_int_equal(after.pages, before.pages);
}

/* A fragment, put together, may not be one again. */
static void fragments_of_a_fragment(struct rig *r)
{
    uint8_t packet[200] = {0};
    struct wire_ip ip = {.version = 6, .proto = 44, .ttl = 64, .payload_len = 64};
    if (!r->ip6)
        return; /* whose header has one place for it only */
    rig_start(r);
    memcpy(ip.src, r->remote, 16);
    memcpy(ip.dst, r->local, 16);
    for (unsigned i = 0; i < 2; i++) {
        ip.fragment = true;
        ip.frag_id = 5;
        ip.frag_off = (uint16_t)(64 * i);
        ip.frag_more = i == 0;
        size_t len = wire_frag_write(packet, &ip, 0);
        memset(packet + len, 0, 64);
        packet[len] = 17; /* inside: more of a datagram of UDP */
        packet[len + 3] = 1;
        rig_input(r, packet, len + 64);
    }
    assert_int_equal(rig_drops(r, TERN_DROP_IP_FRAGMENT), 1);
    rig_hush(r);
}

/* As many at a time as tern_config.advance_max says. */
static void given_up_in_turns(struct rig *r)
{
    uint8_t packet[PACKET_MAX];
    r->cfg.advance_max = 2;
    struct peer *p = peer_passive(r);
    struct seg g = peer_seg(p, A, 1, 1, 1000);
    for (unsigned i = 0; i < 5; i++) {
        g.src[15] = (uint8_t)(100 + i);
        put_pieces(r, packet, seg_build(&g, packet), 560, 2);
    }
    rig_sleep(r, SEC(61));
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(rig_drops(r, TERN_DROP_FRAGMENT_TIMEOUT), 2 * i);
        tern_advance(r->s, r->now);
    }
    assert_int_equal(rig_drops(r, TERN_DROP_FRAGMENT_TIMEOUT), 5);
    rig_turn(r);
    rig_forget(r);
}

/* After 60 s; once, with the beginning of what came, and only if that did come. */
static void time_exceeded(struct rig *r)
{
    uint8_t packet[PACKET_MAX];
    struct peer *p = peer_passive(r);
    struct seg g = peer_seg(p, A, 1, 1, 1000);
    size_t len = seg_build(&g, packet);
    put_pieces(r, packet, len, 560, 2);
    rig_step(r, SEC(61));
    rig_hush(r);
    assert_int_equal(rig_drops(r, TERN_DROP_FRAGMENT_TIMEOUT), 1);
    put_pieces(r, packet, len, 560, 1);
    rig_step(r, SEC(59));
    rig_hush(r);
    rig_step(r, SEC(2));
    struct seg *icmp = rig_next(r);
    assert_non_null(icmp);
    assert_true(icmp->icmp);
    assert_int_equal(icmp->flags, r->ip6 ? 3 << 8 | 1 : 11 << 8 | 1);
    assert_memory_equal(icmp->dst, r->remote, 16);
    rig_hush(r);
    assert_int_equal(rig_drops(r, TERN_DROP_FRAGMENT_TIMEOUT), 2);
}

/* Six errors at once to one destination, then one a second, however many there would be. */
static void errors_are_limited(struct rig *r)
{
    uint8_t packet[PACKET_MAX];
    struct peer *p = peer_passive(r);
    for (unsigned i = 0; i < 40; i++) {
        struct seg g = peer_seg(p, A, 1, 1, 1000);
        size_t len = seg_build(&g, packet);
        /* the same ID is another datagram when an address is another */
        struct wire_ip ip;
        assert_int_equal(wire_ip_read(packet, len, len, &ip), TERN_DROP_NONE);
        uint8_t out[PACKET_MAX];
        ip.frag_off = 0;
        ip.frag_id = 1000 + i;
        ip.frag_more = true;
        ip.payload_len = 560;
        size_t header = wire_frag_write(out, &ip, 0);
        memcpy(out + header, packet + ip.header_len, 560);
        rig_input(r, out, header + 560);
    }
    rig_step(r, SEC(61));
    uint64_t sent = rig_count(r, TERN_COUNT_ICMP_ERRORS_OUT);
    assert_true(sent >= 3 && sent <= 6);
    assert_int_equal(sent + rig_count(r, TERN_COUNT_ICMP_LIMITED), 40);
    rig_forget(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(segments_in_fragments), RIG(for_somebody_else), RIG(fragments_of_a_fragment),
        RIG(given_up_in_turns),     RIG(time_exceeded),     RIG(errors_are_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
