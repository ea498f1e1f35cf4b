/* test_reasm.c - segments in any order, overlapping in any way, make the stream; what is told about
 * them by SACK (RFC 2018) and D-SACK (RFC 2883). */
#include <stdlib.h>

#include "rig.h"

static void sacks_are(const struct seg *g, struct peer *p, unsigned n, const uint32_t (*want)[2])
{
    bool same = g->sacks == n;
    for (unsigned i = 0; same && i < n; i++)
        same = g->sack[i].lo - p->irs == want[i][0] && g->sack[i].hi - p->irs == want[i][1];
    if (!same)
        rig_fail("SACK: %s", seg_text(g, p->iss, p->irs));
}
#define SACKS(g, p, n, ...) sacks_are(g, p, n, (const uint32_t[][2]){__VA_ARGS__})

/* SHLD-31: what comes early is kept. */
static void SHLD_31_out_of_order_is_kept(struct rig *r)
{
    struct peer *p = peer_passive(r);
    for (uint32_t i = 3; i > 0; i--) {
        say(p, A, 1 + i * 100, 1, 100);
        hear(p, A, 1, 1, 0);
    }
    say(p, A, 1, 1, 100);
    hear(p, A, 1, 401, 0);
    peer_read(p, 0, 400);
    assert_int_equal(rig_count(r, TERN_COUNT_OUT_OF_ORDER), 3);
}

/* RFC 2018 4: the block of the latest segment first, then those reported lately; three blocks with
 * timestamps, four without. */
static void sack_most_recent_first(struct rig *r)
{
    for (int ts = 0; ts < 2; ts++) {
        struct peer *p = peer_new(r);
        p->ts = ts;
        p->lport = 0;
        peer_accepts(p);
        say(p, A, 101, 1, 100);
        SACKS(hear(p, A, 1, 1, 0), p, 1, {101, 201});
        say(p, A, 501, 1, 100);
        SACKS(hear(p, A, 1, 1, 0), p, 2, {501, 601}, {101, 201});
        say(p, A, 301, 1, 100);
        SACKS(hear(p, A, 1, 1, 0), p, 3, {301, 401}, {501, 601}, {101, 201});
        say(p, A, 701, 1, 100);
        SACKS(hear(p, A, 1, 1, 0), p, ts ? 3 : 4, {701, 801}, {301, 401}, {501, 601}, {101, 201});
        say(p, A, 201, 1, 50); /* makes an old one longer: first again */
        SACKS(hear(p, A, 1, 1, 0), p, ts ? 3 : 4, {101, 251}, {701, 801}, {301, 401}, {501, 601});
        say(p, A, 251, 1, 50); /* and joins two */
        SACKS(hear(p, A, 1, 1, 0), p, 3, {101, 401}, {701, 801}, {501, 601});
        say(p, A, 1, 1, 100);
        SACKS(hear(p, A, 1, 401, 0), p, 2, {701, 801}, {501, 601});
        say(p, A, 601, 1, 100);
        SACKS(hear(p, A, 1, 401, 0), p, 1, {501, 801});
        say(p, A, 401, 1, 100);
        SACKS(hear(p, A, 1, 801, 0), p, 0, {0, 0});
        peer_read(p, 0, 800);
    }
}

static void no_sack_unless_agreed(struct rig *r)
{
    struct peer *p = peer_new(r);
    p->sack = false;
    peer_connects(p, rig_listen(r, 80, 4, 0));
    say(p, A, 101, 1, 100);
    SACKS(hear(p, A, 1, 1, 0), p, 0, {0, 0});
    say(p, A, 101, 1, 100);
    SACKS(hear(p, A, 1, 1, 0), p, 0, {0, 0});
}

/* RFC 2883 4: a duplicate is reported once, first; inside of a block, the block follows. */
static void dsack(struct rig *r)
{
    struct peer *p = peer_passive(r);
    say(p, A, 1, 1, 300);
    hear(p, A, 1, 301, 0);
    say(p, A, 101, 1, 100); /* all old */
    SACKS(hear(p, A, 1, 301, 0), p, 1, {101, 201});
    say(p, A, 501, 1, 200);
    SACKS(hear(p, A, 1, 301, 0), p, 1, {501, 701});
    say(p, A, 551, 1, 50); /* again, past the hole */
    SACKS(hear(p, A, 1, 301, 0), p, 2, {551, 601}, {501, 701});
    say(p, A, 251, 1, 150); /* half old, half new */
    SACKS(hear(p, A, 1, 401, 0), p, 2, {251, 301}, {501, 701});
    say(p, A, 401, 1, 150); /* half new, half there already */
    SACKS(hear(p, A, 1, 701, 0), p, 1, {501, 551});
    say(p, A, 701, 1, 10);
    SACKS(hear(p, A, 1, 711, 0), p, 0, {0, 0});
    peer_read(p, 0, 710);
}

/* The same when something else has come since: the block that holds the duplicate goes first. */
static void dsack_inside_an_older_block(struct rig *r)
{
    struct peer *p = peer_passive(r);
    say(p, A, 101, 1, 100);
    hear(p, A, 1, 1, 0);
    say(p, A, 501, 1, 100);
    hear(p, A, 1, 1, 0);
    say(p, A, 121, 1, 50);
    say(p, A, 801, 1, 100);
    SACKS(hear(p, A, 1, 1, 0), p, 3, {121, 171}, {101, 201}, {801, 901});
    say(p, A, 1, 1, 100);
    SACKS(hear(p, A, 1, 201, 0), p, 2, {801, 901}, {501, 601});
    peer_read(p, 0, 200);
}

/* Of two versions of a byte the first stays, whichever side of a hole it was on. (T-05) */
static void the_first_version_stays(struct rig *r)
{
    static uint8_t other[1000];
    struct peer *p = peer_passive(r);
    memset(other, 0x33, sizeof(other));
    say(p, A, 201, 1, 100);
    say(p, A, 401, 1, 100);
    p->extra.data = other + 100;
    pattern_fill(0, 100, other + 100, 100); /* [101, 201) is new, */
    pattern_fill(0, 300, other + 300, 100); /* [301, 401), */
    pattern_fill(0, 500, other + 500, 100); /* and [501, 601) */
    say(p, A, 101, 1, 500);
    p->extra.data = other + 100; /* now none is */
    memset(other + 100, 0x33, 500);
    say(p, A, 101, 1, 500);
    rig_turn(r);
    rig_forget(r);
    p->extra.data = other;
    pattern_fill(0, 0, other, 100);
    say(p, A, 1, 1, 600);
    hear(p, A, 1, 601, 0);
    peer_read(p, 0, 600);
}

/* A model of what has arrived. */
enum { SPAN = 40000 };

static void check_sacks(const struct seg *g, struct peer *p, const bool *have, uint32_t latest)
{
    bool found = false;
    uint32_t start = 0;
    if (g->sacks != 0 && (int32_t)(g->sack[0].hi - g->ack) <= 0)
        start = 1; /* a duplicate below */
    else if (g->sacks > 1 && g->sack[0].lo - g->sack[1].lo < g->sack[1].hi - g->sack[1].lo)
        start = 1; /* one inside of a block */
    for (unsigned i = start; i < g->sacks; i++) {
        uint32_t lo = g->sack[i].lo - p->irs - 1, hi = g->sack[i].hi - p->irs - 1;
        for (uint32_t at = lo; at < hi; at++)
            if (at >= SPAN || !have[at])
                rig_fail("SACK of %u, which has not come: %s", at, seg_text(g, p->iss, p->irs));
        if (have[lo - 1] || (hi < SPAN && have[hi]))
            rig_fail("SACK of half a block: %s", seg_text(g, p->iss, p->irs));
        if (i == start)
            found = lo <= latest && latest < hi;
    }
    uint32_t ack = g->ack - p->irs - 1;
    if ((ack < SPAN && have[ack]) || (ack > 0 && !have[ack - 1]))
        rig_fail("acknowledges %u", ack);
    if (latest >= ack && !found)
        rig_fail("the latest, at %u, is not in the first block: %s", latest,
                 seg_text(g, p->iss, p->irs));
}

/* Any order, any overlap, against the model. (T-05, T-06) */
static void any_order_any_overlap(struct rig *r)
{
    static bool have[SPAN];
    r->cfg.rcvbuf = 1 << 20; /* room for all of it, whatever pages it takes */
    for (unsigned round = 0; round < 6; round++) {
        struct peer *p = peer_active(r);
        uint32_t got = 0, max = 300 + rig_random() % 1100, read = 0;
        memset(have, 0, sizeof(have));
        for (unsigned i = 0; got != SPAN; i++) {
            uint32_t len = 1 + rig_random() % max, at = rig_random() % SPAN;
            if (i > 400) { /* the rest in order */
                at = got > 0 && rig_random() % 2 ? got - 1 : got;
                len = 1400;
            }
            len = len > SPAN - at ? SPAN - at : len;
            say(p, A, 1 + at, 1, len);
            memset(have + at, 1, len);
            while (got < SPAN && have[got])
                got++;
            rig_turn(r);
            if (i <= 400 && at + len > got)
                check_sacks(rig_next(r), p, have, at > got ? at : at + len - 1);
            rig_forget(r);
            if (rig_random() % 8 == 0 && got != read) {
                uint32_t n = 1 + rig_random() % (got - read);
                peer_read(p, read, n);
                read += n;
            }
        }
        peer_read(p, read, SPAN - read);
        assert_int_equal(tern_abort(r->s, p->k), 0);
        rig_turn(r);
        rig_forget(r);
    }
    tern_memory m;
    rig_memory(r, &m);
    assert_int_equal(m.pages, 0);
}

/* Every other byte: what that costs is bounded, what does not fit is counted, and the stream
 * completes when the peer fills the holes. */
static void every_other_byte(struct rig *r)
{
    struct peer *p = peer_passive(r);
    tern_memory m;
    uint32_t most = 0, end = 20001;
    for (uint32_t at = 2; at < end; at += 2) {
        say(p, A, at, 1, 1);
        rig_turn(r);
        rig_forget(r);
        rig_memory(r, &m);
        most = m.pages > most ? m.pages : most;
    }
    assert_true(rig_drops(r, TERN_DROP_TCP_REASSEMBLY) > 0);
    assert_true(most * 4096 <= 3 * r->cfg.rcvbuf);
    for (uint32_t at = 1; at < end; at += 1000) {
        say(p, A, at, 1, at + 1000 > end ? end - at : 1000);
        rig_turn(r);
        rig_forget(r);
    }
    peer_read(p, 0, end - 1);
}

/* A hole that is filled leaves nothing that counts. */
static void holes_come_and_go(struct rig *r)
{
    struct peer *p = peer_passive(r);
    for (uint32_t i = 0, at = 1; i < 200; i++, at += 20) {
        say(p, A, at + 10, 1, 10);
        say(p, A, at, 1, 10);
        rig_turn(r);
        rig_forget(r);
        peer_read(p, at - 1, 20);
    }
    assert_int_equal(rig_drops(r, TERN_DROP_TCP_REASSEMBLY), 0);
}

/* Out-of-order data goes with the connection. */
static void abort_with_holes(struct rig *r)
{
    for (int how = 0; how < 3; how++) {
        struct peer *p = peer_active(r);
        tern_memory m;
        for (uint32_t at = 101; at < 10000; at += 200)
            say(p, A, at, 1, 100);
        rig_turn(r);
        rig_forget(r);
        if (how == 0)
            assert_int_equal(tern_abort(r->s, p->k), 0);
        else if (how == 1)
            say(p, R, 1, 0, 0);
        else
            say(p, A | F, 10001, 1, 100);
        if (how != 0) {
            rig_turn(r);
            assert_int_equal(tern_close(r->s, p->k), 0);
        }
        rig_turn(r);
        if (how == 2)
            say(p, R, 1, 0, 0);
        rig_turn(r);
        rig_forget(r);
        rig_memory(r, &m);
        assert_int_equal(m.pages, 0);
        assert_int_equal(m.conns, 0);
    }
}

/* Several pieces, as from a device that coalesces, out of order and overlapping. */
static void packets_in_pieces(struct rig *r)
{
    static uint8_t packet[4096];
    struct peer *p = peer_passive(r);
    static const uint32_t at[] = {1001, 501, 801, 1, 2001, 1501};
    for (unsigned i = 0; i < 6; i++) {
        struct seg g = peer_seg(p, A, at[i], 1, 700);
        size_t len = seg_build(&g, packet), off = 0;
        tern_pkt pkt = {.iface = (uint16_t)r->iface, .len = (uint32_t)len};
        uint8_t *piece[TERN_PKT_IOV];
        while (off < len) {
            size_t n = pkt.iov_count == TERN_PKT_IOV - 1 ? len - off : 1 + rig_random() % 90;
            n = n > len - off ? len - off : n;
            piece[pkt.iov_count] = malloc(n);
            memcpy(piece[pkt.iov_count], packet + off, n);
            pkt.iov[pkt.iov_count] = (tern_iov){.base = piece[pkt.iov_count], .len = n};
            pkt.iov_count++;
            off += n;
        }
        tern_input(r->s, &pkt, 1, r->now);
        while (pkt.iov_count > 0)
            free(piece[--pkt.iov_count]);
        rig_turn(r);
        rig_forget(r);
    }
    peer_read(p, 0, 2700);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_ISNS(SHLD_31_out_of_order_is_kept),
        RIG_ISNS(sack_most_recent_first),
        RIG(no_sack_unless_agreed),
        RIG_ISNS(dsack),
        RIG_ISNS(dsack_inside_an_older_block),
        RIG_ISNS(the_first_version_stays),
        RIG_ISNS(any_order_any_overlap),
        RIG_ISNS(every_other_byte),
        RIG(abort_with_holes),
        RIG(holes_come_and_go),
        RIG_ISNS(packets_in_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
