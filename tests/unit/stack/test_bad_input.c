/* test_bad_input.c - packets that no peer should send, as they arrive at a shard: whatever it is,
 * it is counted by exactly one reason, or processed, and nothing else happens. Packets lie in
 * memory of just their size, so that a read beyond them is found by the sanitizers. */
#include <stdlib.h>

#include "rig.h"

static uint8_t packet[65536 + 256];

/* What a loop steps by where a step costs many times as much: 1 in the release build. */
static unsigned stride(unsigned n)
{
#ifdef __SANITIZE_ADDRESS__
    return n;
#else
    return getenv("TERN_VALGRIND") != NULL ? 3 * n : 1;
#endif
}

static uint64_t all_drops(const struct rig *r)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < TERN_DROP_COUNT; i++)
        sum += rig_drops(r, (enum tern_drop)i);
    return sum;
}

/* A RST to where nobody is: dropped with TCP_CLOSED if nothing is wrong with it, and never
 * answered. The options are zeros. Returns the length. */
static size_t stray_rst(struct rig *r, unsigned options)
{
    static const uint8_t zeros[40];
    struct peer *p = peer_new(r);
    struct seg g = peer_seg(p, R, 1, 0, 0);
    r->peer_count--; /* it is not needed any more */
    free(p);
    g.raw = zeros, g.raw_len = options;
    return seg_build(&g, packet);
}

/* ---- options --------------------------------------------------------------------------------- */

/* Whether `len` bytes of options can be told apart, and none of a known kind has another length
 * than its own. Written apart from the reader. */
static bool well_formed(const uint8_t *o, unsigned len)
{
    for (unsigned at = 0; at < len && o[at] != 0;) {
        if (o[at] == 1) {
            at++;
            continue;
        }
        if (at + 1 == len || o[at + 1] < 2 || o[at + 1] > len - at)
            return false;
        unsigned n = o[at + 1];
        if ((o[at] == 2 && n != 4) || (o[at] == 3 && n != 3) || (o[at] == 4 && n != 2) ||
            (o[at] == 5 && n != 10 && n != 18 && n != 26 && n != 34) || (o[at] == 8 && n != 10) ||
            (o[at] == 19 && n != 18))
            return false;
        at += n;
    }
    return true;
}

/* MUST-7: each kind with each length at each place among NOPs. */
static void every_option(struct rig *r)
{
    rig_start(r);
    uint64_t bad = 0, sent = 0, keyed = 0;
    size_t len = stray_rst(r, 40), ip = r->ip6 ? 40 : 20;
    uint8_t *o = packet + ip + 20;
    for (unsigned kind = 0; kind < 256; kind++) {
        /* a length beyond the header is like any other that is */
        for (unsigned n = 0; n < 256; n += n < 42 || n > 252 ? 1 : r->ip6 ? 30 : stride(30)) {
            for (unsigned at = 0; at < 40; at += stride(3)) {
                memset(o, 1, 40);
                o[at] = (uint8_t)kind;
                if (at + 1 < 40)
                    o[at + 1] = (uint8_t)n;
                seg_resum(packet, len);
                rig_input(r, packet, len);
                bool good = well_formed(o, 40);
                bad += !good;
                keyed += good && kind == 19;
                sent++;
            }
        }
    }
    rig_hush(r);
    assert_int_equal(rig_drops(r, TERN_DROP_TCP_OPTIONS), bad);
    assert_int_equal(rig_drops(r, TERN_DROP_TCP_SIGNED), keyed);
    assert_int_equal(rig_drops(r, TERN_DROP_TCP_CLOSED), sent - bad - keyed);
    assert_int_equal(all_drops(r), sent);
    assert_true(bad > sent / 4 && bad < sent);
}

/* Opens with these options on the SYN; NULL: the SYN was dropped. */
static struct peer *opened(struct rig *r, const uint8_t *options, unsigned len)
{
    struct peer *p = peer_new(r);
    if (r->listener.id == 0)
        r->listener = rig_listen(r, p->lport, 16, 0);
    p->raw_numbers = true;
    p->ts = false;
    p->iss_known = false;
    p->extra.raw = options, p->extra.raw_len = len;
    say(p, S, 0, 0, 0);
    rig_turn(r);
    const struct seg *g = rig_next(r);
    if (g == NULL)
        return NULL;
    assert_int_equal(g->flags, S | A);
    p->iss = g->seq;
    say(p, A, 1, 1, 0);
    rig_turn(r);
    assert_int_equal(tern_accept(r->s, r->listener, &p->k, NULL, NULL), 0);
    return p;
}

static void gone(struct rig *r, struct peer *p)
{
    assert_int_equal(tern_abort(r->s, p->k), 0);
    rig_turn(r);
    rig_forget(r);
    r->ev_count = 0;
    r->peer_count--;
    free(p);
}

/* MUST-16: every MSS there is; below 48 it counts as 48, and 0 as if it were not there. */
static void every_mss(struct rig *r)
{
    unsigned most = r->ip6 ? 1440 : 1460, none = r->ip6 ? 1220 : 536;
    for (unsigned mss = 0; mss < 65536; mss += mss < 1500 ? stride(7)
                                               : r->ip6   ? 111
                                                          : stride(111)) {
        const uint8_t options[4] = {2, 4, (uint8_t)(mss >> 8), (uint8_t)mss};
        struct peer *p = opened(r, options, 4);
        assert_non_null(p);
        assert_true(peer_write(p, 0, 1500) == 1500);
        rig_turn(r);
        const struct seg *g = rig_next(r);
        assert_non_null(g);
        unsigned takes = mss == 0 ? none : mss < 48 ? 48 : mss;
        assert_int_equal(g->len, takes < most ? takes : most);
        gone(r, p);
    }
}

/* RFC 7323 2.3: every window scale; above 14 it is 14. */
static void every_window_scale(struct rig *r)
{
    for (unsigned scale = 0; scale < 256; scale++) {
        const uint8_t options[8] = {2, 4, 5, 180, 1, 3, 3, (uint8_t)scale};
        struct peer *p = opened(r, options, 8);
        tern_tcp_info info;
        assert_non_null(p);
        peer_info(p, &info);
        assert_int_equal(info.snd_wscale, scale < 14 ? scale : 14);
        gone(r, p);
    }
}

/* Two of an option, for each that a SYN may have: the first one counts. */
static void two_of_an_option(struct rig *r)
{
    static const struct {
        uint8_t len, bytes[24];
    } twice[] = {
        {8, {2, 4, 3, 232, 2, 4, 2, 88}},
        {12, {2, 4, 3, 232, 3, 3, 5, 3, 3, 9, 1, 1}},
        {8, {2, 4, 3, 232, 4, 2, 4, 2}},
        {24, {2, 4, 3, 232, 8, 10, 0, 0, 0, 7, 0, 0, 0, 0, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0}},
    };
    for (unsigned i = 0; i < 4; i++) {
        struct peer *p = opened(r, twice[i].bytes, twice[i].len);
        tern_tcp_info info;
        assert_non_null(p);
        peer_info(p, &info);
        assert_int_equal(info.mss_peer, 1000);
        assert_int_equal(info.snd_wscale, i == 1 ? 5 : 0);
        assert_int_equal(info.options, i == 0   ? 0
                                       : i == 1 ? TERN_INFO_WSCALE
                                       : i == 2 ? TERN_INFO_SACK
                                                : TERN_INFO_TIMESTAMPS);
        if (i == 3) {
            assert_int_equal(peer_write(p, 0, 10), 10);
            rig_turn(r);
            assert_int_equal(rig_next(r)->tsecr, 7);
        }
        gone(r, p);
    }
}

/* ---- lengths --------------------------------------------------------------------------------- */

/* U-28: what has arrived x what IP says x what TCP says. Good is only what fits together. */
static void every_length(struct rig *r)
{
    rig_start(r);
    size_t ip = r->ip6 ? 40 : 20, total = stray_rst(r, 40);
    uint64_t sent = 0, good = 0;
    for (size_t have = 0; have <= total; have += stride(3)) {
        for (size_t says = 0; says <= total + 8; says++) {
            for (unsigned offset = 0; offset < 16; offset++, sent++) {
                size_t tcp = r->ip6 ? says : says - ip;
                packet[r->ip6 ? 4 : 2] = 0;
                packet[r->ip6 ? 5 : 3] = (uint8_t)says;
                packet[ip + 12] = (uint8_t)(offset << 4);
                bool fits = (r->ip6 ? says + 40 : says) <= have && (r->ip6 || says >= ip) &&
                            tcp >= 20 && offset >= 5 && offset * 4 <= tcp;
                seg_resum(packet, fits ? ip + tcp : total);
                rig_input(r, packet, have);
                good += fits;
            }
        }
    }
    rig_hush(r);
    assert_int_equal(all_drops(r), sent);
    assert_int_equal(rig_drops(r, TERN_DROP_TCP_CLOSED), good);
    assert_true(good > 100);
}

/* Each kind of packet, cut off after each byte: none of them is answered. */
static void every_truncation(struct rig *r)
{
    static const unsigned kinds[] = {S, A | P, F | A, R, A};
    struct peer *p = peer_passive(r), *q = peer_new(r);
    for (unsigned i = 0; i < 5; i++) {
        p->extra.sacks = i == 4 ? 3 : 0;
        for (unsigned k = 0; k < p->extra.sacks; k++)
            p->extra.sack[k] = (struct seg_sack){10 * k + 5, 10 * k + 9};
        struct seg g = peer_seg(kinds[i] == S ? q : p, kinds[i], kinds[i] == S ? 0 : 1, 1,
                                kinds[i] & P ? 30 : 0);
        size_t len = seg_build(&g, packet);
        for (size_t have = 0; have < len; have++) {
            uint64_t before = all_drops(r);
            rig_input(r, packet, have);
            assert_int_equal(all_drops(r), before + 1);
        }
        rig_hush(r);
        assert_int_equal(peer_state(p), TERN_ESTABLISHED);
    }
    assert_int_equal(rig_drops(r, TERN_DROP_SHORT), all_drops(r));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(every_option),     RIG(every_mss),    RIG(every_window_scale),
        RIG(two_of_an_option), RIG(every_length), RIG(every_truncation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
