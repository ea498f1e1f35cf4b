/* test_attacks.c - attacks, and faults of other stacks, that no other test shows: each beside its
 * row of tests/conformance/attacks.tsv. */
#include <stdlib.h>

#include "rig.h"

/* ---- addresses and ICMP ---------------------------------------------------------------------- */

/* a segment that says to be from our own address. */
static void from_our_own_address(struct rig *r)
{
    rig_listen(r, 80, 10, 0);
    struct peer *p = peer_new(r);
    for (unsigned flags = 0; flags < 64; flags++) {
        struct seg g = peer_seg(p, flags, 0, 0, 0);
        memcpy(g.src, r->local, 16);
        g.sport = g.dport = 80;
        rig_input_seg(r, &g);
        rig_hush(r);
    }
    assert_int_equal(rig_drops(r, TERN_DROP_IP_SOURCE), 64);
}

/* An ICMP error from `from` that quotes `g`, a segment of the stack's. */
static void icmp(struct rig *r, const uint8_t from[16], const uint8_t head[8], const struct seg *g)
{
    uint8_t quoted[200], m[300];
    size_t quote = seg_build(g, quoted), ip = r->ip6 ? 40 : 20, len = 8 + quote;
    memset(m, 0, sizeof(m));
    m[0] = r->ip6 ? 0x60 : 0x45;
    if (r->ip6) {
        m[5] = (uint8_t)len, m[6] = 58, m[7] = 255;
        memcpy(m + 8, from, 16);
        memcpy(m + 24, r->local, 16);
    } else {
        m[3] = (uint8_t)(ip + len), m[8] = 64, m[9] = 1;
        memcpy(m + 12, from + 12, 4);
        memcpy(m + 16, r->local + 12, 4);
        uint32_t sum = ~seg_sum(m, 20, 0) & 0xffff;
        m[10] = (uint8_t)(sum >> 8), m[11] = (uint8_t)sum;
    }
    memcpy(m + ip, head, 8);
    memcpy(m + ip + 8, quoted, quote);
    uint32_t seed = r->ip6 ? seg_sum(m + 8, 32, 0) + 58 + (uint32_t)len : 0;
    uint32_t sum = ~seg_sum(m + ip, len, seed) & 0xffff;
    m[ip + 2] = (uint8_t)(sum >> 8), m[ip + 3] = (uint8_t)sum;
    rig_input(r, m, ip + len);
}

/* Our data as it left, to be quoted. */
static struct seg data_of_ours(struct peer *p)
{
    struct seg g = {.sport = p->lport, .dport = p->port, .seq = p->iss + 1, .ack = p->irs + 1};
    g.flags = A, g.wnd = 500, g.wscale = -1, g.ttl = 64, g.ip6 = p->r->ip6;
    memcpy(g.src, p->r->local, 16);
    memcpy(g.dst, p->r->remote, 16);
    return g;
}

/* a redirect changes nothing. */
static void redirects(struct rig *r)
{
    uint8_t head[8] = {5, 1, 0, 0, 192, 0, 2, 66};
    if (r->ip6)
        memset(head, 0, 8), head[0] = 137;
    struct peer *p = peer_passive(r);
    assert_int_equal(peer_write(p, 0, 100), 100);
    hear(p, A | P, 1, 1, 100);
    struct seg quote = data_of_ours(p);
    icmp(r, r->remote, head, &quote);
    rig_hush(r);
    assert_int_equal(rig_drops(r, TERN_DROP_ICMP_IGNORED), 1);
    say(p, A, 1, 101, 0);
    assert_int_equal(peer_write(p, 100, 100), 100);
    hear(p, A | P, 101, 1, 100);
    assert_int_equal(peer_state(p), TERN_ESTABLISHED);
}

/* what one connection has learnt of the path to a host, another to the same host does not
 * show. A-35: 552 and 1280 are the least. */
static void path_mtu_is_the_connections_own(struct rig *r)
{
    uint8_t head[8] = {3, 4, 0, 0, 0, 0, 0, 68};
    if (r->ip6)
        head[0] = 2, head[1] = 0;
    struct peer *p = peer_passive(r), *q = peer_passive(r);
    tern_tcp_info a, b;
    peer_info(q, &b);
    assert_int_equal(peer_write(p, 0, 100), 100);
    hear(p, A | P, 1, 1, 100);
    struct seg quote = data_of_ours(p);
    icmp(r, r->remote, head, &quote);
    rig_turn(r);
    rig_forget(r);
    peer_info(p, &a);
    assert_int_equal(a.pmtu, r->ip6 ? 1280 : 552);
    peer_info(q, &a);
    assert_int_equal(a.pmtu, b.pmtu);
    assert_int_equal(a.snd_mss, b.snd_mss);
    peer_info(peer_passive(r), &a);
    assert_int_equal(a.snd_mss, b.snd_mss);
}

/* a packet that is too big for the path is news only if the path was thought to take it, and
 * nobody has said that he does not want to know. */
static void path_mtu_that_is_no_news(struct rig *r)
{
    for (unsigned how = 0; how < 4; how++) {
        uint8_t head[8] = {3, 4, 0, 0, 0, 0, 5, 120}; /* 1400 */
        if (r->ip6)
            head[0] = 2, head[1] = 0;
        if (how == 0)
            r->cfg.features &= ~(unsigned)TERN_FEATURE_PMTUD;
        struct peer *p = peer_passive(r);
        tern_tcp_info a, b;
        if (how == 1)
            assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_PMTUD, TERN_PMTUD_DEAF), 0);
        assert_int_equal(peer_write(p, 0, 100), 100);
        hear(p, A | P, 1, 1, 100);
        struct seg quote = data_of_ours(p);
        peer_info(p, &b);
        if (how == 2) /* as large as the link's */
            head[6] = 5, head[7] = 220;
        if (how == 3) { /* larger than what is known */
            icmp(r, r->remote, head, &quote);
            peer_info(p, &b);
            assert_int_equal(b.pmtu, 1400);
            head[7]++;
        }
        icmp(r, r->remote, head, &quote);
        rig_turn(r);
        rig_forget(r);
        peer_info(p, &a);
        assert_int_equal(a.pmtu, b.pmtu);
        assert_int_equal(a.snd_mss, b.snd_mss);
        if (how == 3) { /* who does not want to know any more forgets it */
            assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_PMTUD, TERN_PMTUD_DEAF), 0);
            peer_info(p, &a);
            assert_true(a.snd_mss > b.snd_mss);
        }
        r->unclean = true;
        rig_renew(r);
    }
}

/* Linux sends what was too large again as after a time-out, without a smaller window. */
static void too_big_in_linux_style(struct rig *r)
{
    uint8_t head[8] = {3, 4, 0, 0, 0, 0, 5, 120};
    if (r->ip6)
        head[0] = 2, head[1] = 0;
    r->cfg.style = TERN_STYLE_LINUX;
    struct peer *p = peer_passive(r);
    tern_tcp_info a;
    assert_int_equal(peer_write(p, 0, 8000), 8000);
    rig_turn(r);
    rig_forget(r);
    peer_info(p, &a);
    uint32_t cwnd = a.cwnd / a.snd_mss;
    struct seg quote = data_of_ours(p);
    icmp(r, r->remote, head, &quote);
    rig_turn(r);
    peer_info(p, &a);
    assert_int_equal(a.phase, TERN_PHASE_LOSS);
    assert_int_equal(a.cwnd / a.snd_mss, cwnd);
    assert_true(rig_waiting(r) != 0);
    rig_forget(r);
    icmp(r, r->remote, head, &quote); /* once */
    rig_hush(r);
    r->unclean = true;
}

/* In Linux's style a connection that nobody owns is given up when its timer is at its longest. News
 * of a path that has failed keep the timer short (RFC 6069): then eight times are the limit. */
static void nobody_owns_and_nobody_reaches_it(struct rig *r)
{
    uint64_t took[2] = {0, 0};
    for (unsigned told = 0; told < 2; told++) {
        uint8_t head[8] = {3, 1, 0, 0, 0, 0, 0, 0};
        if (r->ip6)
            head[0] = 1, head[1] = 3;
        r->cfg.style = TERN_STYLE_LINUX;
        r->cfg.rto_max = SEC(2);
        struct peer *p = peer_passive(r);
        assert_int_equal(peer_write(p, 0, 100), 100);
        hear(p, A | P, 1, 1, 100);
        assert_int_equal(tern_close(r->s, p->k), 0);
        rig_turn(r);
        rig_forget(r);
        struct seg quote = data_of_ours(p);
        uint64_t start = r->now, next;
        for (unsigned i = 0; i < 100 && (next = rig_wait(r, SEC(30))) < SEC(30); i++) {
            took[told] = r->now - start;
            rig_forget(r);
            if (told)
                icmp(r, r->remote, head, &quote);
        }
        r->unclean = true;
        rig_renew(r);
    }
    assert_in_range(took[0], SEC(3), SEC(4));
    assert_in_range(took[1], SEC(10), SEC(15));
}

/* ---- options --------------------------------------------------------------------------------- */

/* a scale beyond 14 is 14. */
static void window_scales_beyond_14(struct rig *r)
{
    for (int scale = 14; scale < 256; scale += scale < 17 ? 1 : 60) {
        struct peer *p = peer_new(r);
        tern_tcp_info info;
        if (r->listener.id == 0)
            r->listener = rig_listen(r, p->lport, 16, 0);
        p->wscale = scale;
        p->wnd = 100;
        peer_connects(p, r->listener);
        peer_info(p, &info);
        assert_int_equal(info.snd_wscale, 14);
        assert_int_equal(info.snd_wnd, 100u << 14);
    }
}

/* T-19: a timestamp of 0 is one, on the SYN and when the clock goes through it. */
static void timestamps_of_zero(struct rig *r)
{
    struct peer *p = peer_new(r);
    tern_tcp_info info;
    p->tsval = 0u - (uint32_t)(r->now / MS(1)); /* now it is 0 */
    r->listener = rig_listen(r, p->lport, 16, 0);
    peer_connects(p, r->listener);
    peer_info(p, &info);
    assert_true(info.options & TERN_INFO_TIMESTAMPS);
    p->tsval -= 2;
    struct peer *q = peer_new(r);
    q->tsval = p->tsval;
    peer_connects(q, r->listener);
    for (uint32_t i = 0; i < 5; i++) { /* -2, -1, 0, 1, 2 */
        say(q, A | P, 1 + 10 * i, 1, 10);
        assert_int_equal(hear(q, A, 1, 11 + 10 * i, 0)->tsecr, i - 2);
        peer_read(q, 10 * i, 10);
        rig_step(r, MS(1));
    }
}

/* T-22: timestamps were not agreed upon, and are there all the same. */
static void timestamps_nobody_asked_for(struct rig *r)
{
    struct peer *p = peer_new(r);
    p->ts = false;
    r->listener = rig_listen(r, p->lport, 16, 0);
    say(p, S, 0, 0, 0);
    assert_false(hear_syn(p, S | A)->ts);
    p->extra.ts = true;
    p->extra.tsval = 77;
    say(p, A, 1, 1, 0);
    assert_int_equal(tern_accept(r->s, r->listener, &p->k, NULL, NULL), 0);
    for (uint32_t i = 0; i < 2; i++) { /* older ones, too: PAWS is not in force */
        p->extra.ts = true;
        p->extra.tsval = 50 - i;
        say(p, A | P, 1 + 10 * i, 1, 10);
        assert_false(hear(p, A, 1, 11 + 10 * i, 0)->ts);
        peer_read(p, 10 * i, 10);
    }
}

/* T-08: what is echoed was never sent: nothing is measured by it, and the rest of the segment
 * counts. */
static void echoes_of_nothing(struct rig *r)
{
    struct peer *p = peer_passive(r);
    tern_tcp_info info;
    for (uint32_t i = 0; i < 40; i++) {
        assert_int_equal(peer_write(p, 10 * i, 10), 10);
        hear(p, A | P, 1 + 10 * i, 1, 10);
        rig_step(r, MS(20));
        p->extra.ts = true;
        p->extra.tsval = p->tsval + (uint32_t)(r->now / MS(1));
        p->extra.tsecr = i % 3 == 0 ? 0 : i % 3 == 1 ? p->tsecr + 1000000 : rig_random();
        say(p, A, 1, 11 + 10 * i, 0);
        peer_info(p, &info);
        assert_int_equal(info.snd_una - info.iss, 11 + 10 * i);
        assert_in_range(info.rto, MS(200), MS(1100));
        assert_true(info.srtt <= MS(25));
    }
}

/* ---- endings, probes, traces ----------------------------------------------------------------- */

/* T-11: a FIN is nothing to read. */
static void a_fin_is_no_byte(struct rig *r)
{
    struct peer *p = peer_passive(r);
    tern_tcp_info info;
    uint8_t byte;
    say(p, A | P | F, 1, 1, 5);
    peer_info(p, &info);
    assert_int_equal(info.rx_queued, 5);
    hear(p, A, 1, 7, 0);
    peer_read(p, 0, 5);
    peer_info(p, &info);
    assert_int_equal(info.rx_queued, 0);
    assert_int_equal(tern_recv(r->s, p->k, &byte, 1), 0);
    assert_int_equal(tern_info(r->s, r->listener, &info, sizeof(info)), 0);
    assert_int_equal(info.rx_queued, 0); /* of a listener: nobody waits */
}

/* a hundred answers to each probe bring neither a reply nor the next probe. */
static void answers_to_probes_in_masses(struct rig *r)
{
    struct peer *p = peer_passive(r);
    p->wnd = 0;
    say(p, A, 1, 1, 0);
    assert_int_equal(peer_write(p, 0, 1000), 1000);
    uint32_t probes = 0;
    for (unsigned i = 0; i < 6; i++) {
        assert_true(rig_wait(r, SEC(300)) < SEC(300));
        probes += rig_waiting(r);
        rig_forget(r);
        for (unsigned j = 0; j < 100; j++)
            say(p, A, 1, 1, 0);
        rig_hush(r);
    }
    assert_int_equal(probes, 6);
}

static bool tells(const void *where, size_t len, const uint8_t *secret, size_t n)
{
    const uint8_t *p = where;
    for (size_t i = 0; i + n <= len; i++)
        if (memcmp(p + i, secret, n) == 0)
            return true;
    return false;
}

/* neither the seed nor what is said stands in any record. */
static void traces_tell_no_secrets(struct rig *r)
{
    struct peer *p = peer_passive(r);
    static const char words[] = "a secret of some length";
    for (unsigned i = 0; i < sizeof(r->cfg.seed); i++)
        assert_true(r->cfg.seed[i] != 0);
    assert_int_equal(tern_send(r->s, p->k, words, sizeof(words)), sizeof(words));
    p->free_form = true;
    rig_step(r, SEC(2)); /* and again, by the timer */
    rig_forget(r);
    say(p, R, 1, 0, 0);
    rig_turn(r);
    assert_true(r->trace_count > 3);
    for (unsigned i = 0; i < r->trace_count && i < 256; i++) {
        assert_false(tells(&r->traces[i], sizeof(r->traces[i]), r->cfg.seed, 4));
        assert_false(tells(&r->traces[i], sizeof(r->traces[i]), (const uint8_t *)words, 4));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(from_our_own_address),
        RIG(redirects),
        RIG(path_mtu_is_the_connections_own),
        RIG(path_mtu_that_is_no_news),
        RIG(too_big_in_linux_style),
        RIG(nobody_owns_and_nobody_reaches_it),
        RIG(window_scales_beyond_14),
        RIG(timestamps_of_zero),
        RIG(timestamps_nobody_asked_for),
        RIG(echoes_of_nothing),
        RIG(a_fin_is_no_byte),
        RIG(answers_to_probes_in_masses),
        RIG(traces_tell_no_secrets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
