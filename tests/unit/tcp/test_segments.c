/* test_segments.c - what every segment has, in and out: checksums, reserved bits, options, sizes
 * (RFC 9293 3.1, 3.2, 3.7.1). The strict reader of the bench (rig_wire.c) and its rules for all
 * segments (rig_peer.c) look at each one that is sent here; the tests see to it that there is one
 * of each kind. */
#include "rig.h"

/* ---- out ------------------------------------------------------------------------------------- */

/* Bits of what was heard, so that a test can say what there must have been. */
enum { SEEN_SYN = 1, SEEN_ACK = 2, SEEN_DATA = 4, SEEN_SACK = 8, SEEN_FIN = 16, SEEN_RST = 32 };

static unsigned seen_now(struct rig *r, unsigned seen)
{
    const struct seg *g;
    rig_turn(r);
    while ((g = rig_next(r)) != NULL) {
        seen |= g->flags & S ? SEEN_SYN : 0;
        seen |= g->flags & F ? SEEN_FIN : 0;
        seen |= g->flags & R ? SEEN_RST : 0;
        seen |= g->sacks != 0 ? SEEN_SACK : 0;
        seen |= g->len != 0 ? SEEN_DATA : g->flags == A ? SEEN_ACK : 0;
    }
    return seen;
}

/* A connection that says everything there is to say: SYN and SYN again, data of odd and even
 * length, acknowledgements with SACK, probes, FIN, what TIME-WAIT and no connection answer. */
static void every_kind(struct rig *r, bool ts)
{
    unsigned seen = 0;
    struct peer *p = peer_new(r);
    p->lport = 0;
    p->ts = ts;
    peer_syn_sent(p);
    rig_step(r, SEC(4));
    seen = seen_now(r, seen);
    say(p, S | A, 0, 1, 0);
    seen = seen_now(r, seen);
    uint32_t out = 1;
    for (uint32_t len = 1; len < 3000; len += len < 8 ? 1 : 977) {
        assert_int_equal(peer_write(p, out - 1, len), len);
        seen = seen_now(r, seen);
        out += len;
        say(p, A, 1, out, 0);
    }
    for (uint32_t hole = 0; hole < 4; hole++) {
        say(p, A, 101 + 200 * hole, out, 100);
        seen = seen_now(r, seen);
    }
    say(p, S, 1, 0, 0); /* challenged */
    seen = seen_now(r, seen);
    for (uint32_t hole = 0; hole < 4; hole++)
        say(p, A, 1 + 200 * hole, out, 100);
    p->wnd = 0;
    say(p, A, 801, out, 0);
    p->raw_numbers = true; /* (the test says something beyond its own window) */
    peer_write(p, out - 1, 10);
    rig_step(r, SEC(1)); /* probed */
    p->wnd = 0xffff;
    say(p, A, 801, out, 0);
    peer_read(p, 0, 800);
    assert_int_equal(tern_close(r->s, p->k), 0);
    seen = seen_now(r, seen);
    say(p, F | A, 801, out + 11, 0);
    seen = seen_now(r, seen);
    say(p, F | A, 801, out + 11, 0); /* answered from TIME-WAIT */
    seen = seen_now(r, seen);
    struct peer *q = peer_new(r);
    q->raw_numbers = true;
    say(q, A, 5, 7, 3); /* and this by nobody */
    seen = seen_now(r, seen);
    assert_int_equal(seen, 63);
}

/* MUST-2: the checksum; MUST-65: MSS on SYN only; MUST-68: each option has a length; MUST-69: what
 * follows EOL is zero; U-27: reserved bits are zero; MAY-4: identification 0, DF. */
static void every_kind_of_segment(struct rig *r)
{
    every_kind(r, true);
    rig_renew(r);
    every_kind(r, false);
}

/* MUST-14, SHLD-5, MAY-3: MSS in SYN and SYN-ACK, whatever it is; MUST-67: the MTU less headers,
 * not less the options, as the peer takes those off itself. */
static void mss_in_every_syn(struct rig *r)
{
    static const uint32_t mtus[] = {68, 100, 576, 1280, 1500, 9000, 65535};
    uint32_t headers = r->ip6 ? 60 : 40;
    for (unsigned i = r->ip6 ? 3 : 0; i < sizeof(mtus) / sizeof(mtus[0]); i++) {
        rig_renew(r);
        r->link.mtu = mtus[i];
        struct peer *p = peer_new(r), *q = peer_new(r);
        p->lport = 0;
        tern_addr to = rig_addr(r->remote, p->port);
        assert_int_equal(tern_connect(r->s, &p->k, NULL, &to, NULL), 0);
        assert_int_equal(hear_syn(p, S)->mss, mtus[i] - headers);
        q->mss = 0;
        rig_listen(r, 80, 4, 0);
        say(q, S, 0, 0, 0);
        assert_int_equal(hear_syn(q, S | A)->mss, mtus[i] - headers);
    }
}

/* SHLD-6: an MTU that has become smaller counts for the next SYN. */
static void mss_of_a_smaller_mtu(struct rig *r)
{
    struct peer *p = peer_active(r);
    assert_int_equal(p->edge_known, true);
    r->link.mtu = 1400;
    assert_int_equal(tern_iface_change(r->s, r->iface, &r->link), 0);
    p = peer_new(r);
    p->lport = 0;
    tern_addr to = rig_addr(r->remote, p->port);
    assert_int_equal(tern_connect(r->s, &p->k, NULL, &to, NULL), 0);
    assert_int_equal(hear_syn(p, S)->mss, 1400 - (r->ip6 ? 60 : 40));
}

/* ---- the size of what is sent ---------------------------------------------------------------- */

/* Opens in either way, with `raw` as the peer's options if there are any. */
static void opens(struct peer *p, bool active, const uint8_t *raw, unsigned len)
{
    struct seg extra = {.wscale = -1, .raw = raw, .raw_len = len};
    if (active) {
        p->lport = 0;
        peer_syn_sent(p);
        p->extra = extra;
        say(p, S | A, 0, 1, 0);
        hear(p, A, 1, 1, 0);
        return;
    }
    tern_sock l = rig_listen(p->r, 80, 4, 0);
    p->extra = extra;
    say(p, S, 0, 0, 0);
    hear_syn(p, S | A);
    say(p, A, 1, 1, 0);
    rig_turn(p->r);
    assert_int_equal(tern_accept(p->r->s, l, &p->k, NULL, NULL), 0);
}

/* The payload of the first segment of much. */
static uint32_t full_segment(struct peer *p)
{
    assert_true(peer_write(p, 0, 40000) > 0);
    rig_turn(p->r);
    const struct seg *g = rig_next(p->r);
    assert_non_null(g);
    uint32_t len = g->len;
    rig_forget(p->r);
    return len;
}

/* MUST-15: without the option 536 and 1220, less what options take. (A-49, T-18) */
static void mss_that_is_not_told(struct rig *r)
{
    for (unsigned i = 0; i < 4; i++) {
        rig_renew(r);
        struct peer *p = peer_new(r);
        p->mss = 0;
        p->ts = i & 1;
        opens(p, i & 2, NULL, 0);
        assert_int_equal(full_segment(p), (r->ip6 ? 1220 : 536) - (p->ts ? 12 : 0));
    }
}

/* MUST-4: MSS alone, with NOPs before and behind, ended by EOL, and by EOL with more behind it;
 * MUST-6: behind options of unknown kinds. */
static void mss_among_other_options(struct rig *r)
{
    static const struct {
        uint8_t len, bytes[16];
    } lists[] = {
        {4, {2, 4, 3, 232}},
        {8, {1, 1, 1, 1, 2, 4, 3, 232}},
        {8, {1, 2, 4, 3, 232, 1, 1, 0}},
        {8, {2, 4, 3, 232, 0, 2, 4, 1}},
        {12, {77, 5, 9, 9, 9, 2, 4, 3, 232, 0, 0, 0}},
        {12, {253, 2, 1, 2, 4, 3, 232, 69, 4, 0, 0, 0}},
        {16, {6, 6, 1, 2, 3, 4, 7, 6, 1, 2, 3, 4, 2, 4, 3, 232}},
    };
    for (unsigned i = 0; i < 2 * sizeof(lists) / sizeof(lists[0]); i++) {
        rig_renew(r);
        struct peer *p = peer_new(r);
        p->mss = 1000;
        p->ts = p->sack = false;
        p->wscale = -1;
        opens(p, i & 1, lists[i / 2].bytes, lists[i / 2].len);
        assert_int_equal(full_segment(p), 1000);
    }
}

/* MUST-64: the handshake's options from every offset on. */
static void options_at_any_offset(struct rig *r)
{
    static const uint8_t options[19] = {2, 4, 3, 232, 8, 10, 0, 0, 19, 136,
                                        0, 0, 0, 0,   3, 3,  5, 4, 2};
    for (unsigned at = 0; at <= 40 - sizeof(options); at++) {
        rig_renew(r);
        uint8_t raw[40];
        memset(raw, 1, sizeof(raw));
        memcpy(raw + at, options, sizeof(options));
        struct peer *p = peer_new(r);
        p->mss = 1000;
        p->wscale = 5;
        opens(p, false, raw, sizeof(raw));
        tern_tcp_info info;
        peer_info(p, &info);
        assert_int_equal(info.options, TERN_INFO_TIMESTAMPS | TERN_INFO_SACK | TERN_INFO_WSCALE);
        assert_int_equal(info.snd_wscale, 5);
        assert_int_equal(full_segment(p), 1000 - 12);
    }
}

/* MUST-16: the least of what the peer takes and what the path does, less options. An MSS below 48
 * counts as 48. */
static void size_of_full_segments(struct rig *r)
{
    static const uint16_t peers[] = {1, 88, 536, 1460, 9000, 65535};
    static const uint32_t mtus[] = {576, 1280, 1500, 9000};
    for (unsigned i = 0; i < 6 * 4 * 2 * 2; i++) {
        uint32_t mtu = mtus[i / 6 % 4];
        if (r->ip6 && mtu < 1280)
            continue;
        rig_renew(r);
        r->link.mtu = mtu;
        struct peer *p = peer_new(r);
        p->mss = peers[i % 6];
        p->ts = i / 24 & 1;
        opens(p, i / 48 & 1, NULL, 0);
        uint32_t fits = mtu - (r->ip6 ? 60 : 40), takes = p->mss < 48 ? 48 : p->mss;
        assert_int_equal(full_segment(p), (fits < takes ? fits : takes) - (p->ts ? 12 : 0));
    }
}

/* U-29: 65535 is a number, not infinity; no packet is larger than the MTU (the rig looks). */
static void no_jumbograms(struct rig *r)
{
    r->link.mtu = 65535;
    struct peer *p = peer_new(r);
    p->mss = 65535;
    p->ts = false;
    opens(p, true, NULL, 0);
    assert_int_equal(full_segment(p), 40000);
    rig_renew(r);
    if (!r->ip6)
        return;
    rig_start(r); /* a jumbo payload option: length 0, hop-by-hop, kind 194 */
    uint8_t packet[48] = {0x60, [7] = 64, [40] = 6, 0, 194, 4, 0, 1, 0, 0};
    memcpy(packet + 8, r->remote, 16);
    memcpy(packet + 24, r->local, 16);
    rig_input(r, packet, sizeof(packet));
    rig_hush(r);
    assert_int_equal(rig_count(r, TERN_COUNT_SEGMENTS_IN), 0);
}

/* ---- in -------------------------------------------------------------------------------------- */

static uint64_t all_drops(const struct rig *r)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < TERN_DROP_COUNT; i++)
        sum += rig_drops(r, (enum tern_drop)i);
    return sum;
}

/* MUST-3: each bit of SYN, data, FIN and RST flipped, one by one: nothing is answered, nothing
 * changes, everything is counted. */
static void one_wrong_bit(struct rig *r)
{
    static const unsigned kinds[] = {S, A | P, F | A, R};
    static uint8_t packet[65536 + 128];
    struct peer *p = peer_passive(r), *q = peer_new(r);
    for (unsigned i = 0; i < 4; i++) {
        struct seg g = peer_seg(kinds[i] == S ? q : p, kinds[i], kinds[i] == S ? 0 : 1, 1, 37);
        size_t len = seg_build(&g, packet), ip = r->ip6 ? 40 : 20;
        for (size_t bit = ip * 8; bit < len * 8; bit++) {
            uint64_t drops = all_drops(r), csum = rig_drops(r, TERN_DROP_TCP_CSUM);
            packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
            rig_input(r, packet, len);
            packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_int_equal(all_drops(r), drops + 1);
            bool options = bit / 8 - ip == 12 || (bit / 8 - ip >= 20 && bit / 8 - ip < 60);
            if (!options) /* (which may have become impossible in another way) */
                assert_int_equal(rig_drops(r, TERN_DROP_TCP_CSUM), csum + 1);
        }
        rig_hush(r);
        assert_int_equal(peer_state(p), TERN_ESTABLISHED);
    }
    say(p, A, 1, 1, 37); /* that was not broken */
    hear(p, A, 1, 38, 0);
    assert_int_equal(rig_count(r, TERN_COUNT_PASSIVE_OPENS), 1);
}

/* MUST-5: options, known and not, on acknowledgement, data, FIN and RST. */
static void options_on_any_segment(struct rig *r)
{
    static const uint8_t raw[20] = {1,  99, 3, 7, 253, 4, 1, 2, 30, 2,
                                    34, 2,  2, 4, 0,   1, 0, 9, 9,  9};
    struct peer *p = peer_new(r);
    p->ts = false;
    opens(p, true, NULL, 0);
    const struct seg extra = {.wscale = -1, .raw = raw, .raw_len = sizeof(raw)};
    assert_int_equal(peer_write(p, 0, 10), 10);
    hear(p, A, 1, 1, 10);
    p->extra = extra;
    say(p, A, 1, 11, 0);
    tern_tcp_info info;
    peer_info(p, &info);
    assert_int_equal(info.tx_queued, 0);
    p->extra = extra;
    say(p, A, 1, 11, 100);
    peer_read(p, 0, 100);
    hear(p, A, 11, 101, 0);
    p->extra = extra;
    say(p, F | A, 101, 11, 0);
    assert_int_equal(peer_state(p), TERN_CLOSE_WAIT);
    p->extra = extra;
    say(p, R, 102, 0, 0);
    assert_int_equal(peer_state(p), TERN_CLOSED);
    assert_int_equal(rig_drops(r, TERN_DROP_TCP_OPTIONS), 0);
    rig_forget(r);
}

/* U-27: reserved bits are not looked at. */
static void reserved_bits_in(struct rig *r)
{
    static uint8_t packet[65536 + 128];
    struct peer *p = peer_passive(r);
    for (unsigned bits = 1; bits < 8; bits++) {
        struct seg g = peer_seg(p, A, 1 + 10 * (bits - 1), 1, 10);
        size_t len = seg_build(&g, packet);
        packet[(r->ip6 ? 40 : 20) + 12] |= (uint8_t)(bits << 1);
        seg_resum(packet, len);
        rig_input(r, packet, len);
        peer_read(p, 10 * (bits - 1), 10);
    }
    rig_forget(r);
}

/* U-28: each data offset with each length: below five words, or beyond the segment, it is dropped
 * and counted; else it counts. The rest of the options is NOPs. (A-47, T-13) */
static void data_offsets(struct rig *r)
{
    uint8_t nops[40];
    static uint8_t packet[65536 + 128];
    memset(nops, 1, sizeof(nops));
    struct peer *p = peer_new(r);
    p->ts = false;
    opens(p, false, NULL, 0);
    uint32_t in = 1;
    for (unsigned offset = 0; offset < 16; offset++) {
        for (size_t tcp = 0; tcp <= 80; tcp++) {
            struct seg g = peer_seg(p, A, in, 1, 20);
            g.raw = nops, g.raw_len = 40;
            size_t ip = r->ip6 ? 40 : 20, len = ip + tcp;
            seg_build(&g, packet);
            packet[ip + 12] = (uint8_t)(offset << 4);
            packet[ip - (r->ip6 ? 36 : 18)] = (uint8_t)((r->ip6 ? tcp : len) >> 8);
            packet[ip - (r->ip6 ? 35 : 17)] = (uint8_t)(r->ip6 ? tcp : len);
            seg_resum(packet, len < ip + 20 ? ip + 20 : len);
            uint64_t bad = rig_drops(r, TERN_DROP_TCP_HEADER) + rig_drops(r, TERN_DROP_SHORT);
            rig_input(r, packet, len);
            bad = rig_drops(r, TERN_DROP_TCP_HEADER) + rig_drops(r, TERN_DROP_SHORT) - bad;
            assert_int_equal(bad, tcp < 20 || offset < 5 || offset * 4 > tcp);
            if (bad == 0)
                in += (uint32_t)(tcp - offset * 4);
            tern_tcp_info info;
            peer_info(p, &info);
            assert_int_equal(info.rcv_nxt - info.irs, in);
        }
    }
    rig_forget(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_ISNS(every_kind_of_segment),  RIG_ISNS(mss_in_every_syn),   RIG(mss_of_a_smaller_mtu),
        RIG_ISNS(mss_that_is_not_told),   RIG(mss_among_other_options), RIG(options_at_any_offset),
        RIG_ISNS(size_of_full_segments),  RIG(no_jumbograms),           RIG(one_wrong_bit),
        RIG_ISNS(options_on_any_segment), RIG(reserved_bits_in),        RIG(data_offsets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
