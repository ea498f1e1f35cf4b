/* test_admit.c - who may open connections: rules by prefix, limits and rates of one source, and
 * that the owner of a listener is told of a flood. */
#include "rig.h"

static struct peer *client(struct rig *r)
{
    r->cfg.isn_fixed = false;
    struct peer *p = peer_new(r);
    p->lport = 80;
    return p;
}

/* A SYN from an address whose last two bytes are these. */
static void syn_from(struct rig *r, struct peer *p, unsigned net, unsigned host)
{
    struct seg g = peer_seg(p, S, 0, 0, 0);
    g.src[14] = (uint8_t)net;
    g.src[15] = (uint8_t)host;
    if (r->ip6)
        g.src[7] = (uint8_t)net;
    g.sport = (uint16_t)(50000 + rig_random() % 10000);
    rig_input_seg(r, &g);
}

/* The handshake from there; whether it is answered. */
static bool syn_answered(struct rig *r, struct peer *p, unsigned net, unsigned host)
{
    syn_from(r, p, net, host);
    rig_turn(r);
    bool any = rig_waiting(r) != 0;
    rig_forget(r);
    return any;
}

static void prefix_of(const struct rig *r, uint8_t ip[16], unsigned net)
{
    memcpy(ip, r->remote, 16);
    ip[r->ip6 ? 7 : 14] = (uint8_t)net;
}

/* A route back for all of them. */
static void route_all(struct rig *r)
{
    static const uint8_t any[16];
    assert_int_equal(tern_route_add(r->s, any, 0, NULL, r->iface), 0);
}

static void limits(struct rig *r, tern_sock l, uint32_t halfopen, uint32_t conns)
{
    tern_limits lim = {.halfopen = halfopen, .conns = conns};
    assert_int_equal(tern_limits_set(r->s, l, &lim), 0);
}

/* A SYN that is not admitted does not end the TIME-WAIT of its tuple. */
static void time_wait_of_who_is_denied(struct rig *r)
{
    struct peer *p = client(r);
    tern_sock l = rig_listen(r, 80, 10, 0);
    tern_limits lim = {.syn_rate = 1};
    uint32_t in, out;
    tern_memory m;
    peer_connects(p, l);
    peer_to_state(p, TERN_TIME_WAIT, &in, &out);
    assert_int_equal(tern_close(r->s, p->k), 0);
    assert_int_equal(tern_limits_set(r->s, l, &lim), 0);
    p->raw_numbers = true;
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(tern_rule_set(r->s, r->remote, 128,
                                       i == 0 ? TERN_RULE_DENY : TERN_RULE_NONE),
                         0);
        if (i == 1) { /* its source's rate is used up */
            struct peer *q = client(r);
            say(q, S, 0, 0, 0);
            hear_syn(q, S | A);
        }
        say(p, S, 100000, 0, 0);
        rig_memory(r, &m);
        assert_int_equal(m.timewaits, 1);
        rig_turn(r);
        rig_forget(r);
    }
    r->now += SEC(2);
    say(p, S, 100000, 0, 0);
    rig_turn(r);
    assert_int_equal(rig_next(r)->flags, S | A);
    rig_memory(r, &m);
    assert_int_equal(m.timewaits, 0);
}

/* A SYN with data that needs no cookie; how many connections such SYNs have made. */
static uint32_t fast_syn(struct peer *p)
{
    tern_memory m;
    p->raw_numbers = true;
    say(p, S, 0, 0, 10);
    rig_turn(p->r);
    rig_forget(p->r);
    rig_memory(p->r, &m);
    return m.conns;
}

static tern_sock fast_listener(struct rig *r)
{
    tern_sock l = rig_listen(r, 80, 10, 0);
    assert_int_equal(tern_option_set(r->s, l, TERN_OPT_FASTOPEN, 10), 0);
    assert_int_equal(tern_option_set(r->s, l, TERN_OPT_FASTOPEN_FREE, 1), 0);
    return l;
}

/* what a SYN has made counts as half-open until its third segment has come. */
static void fast_open_of_one_source(struct rig *r)
{
    struct peer *p[4];
    for (unsigned i = 0; i < 4; i++)
        p[i] = client(r);
    limits(r, fast_listener(r), 2, 0);
    assert_int_equal(fast_syn(p[0]), 1);
    assert_int_equal(fast_syn(p[1]), 2);
    say(p[2], S, 0, 0, 10);
    rig_hush(r);
    assert_int_equal(rig_drops(r, TERN_DROP_TCP_SOURCE_LIMIT), 1);
    say(p[0], R, 11, 0, 0);              /* one is over */
    assert_int_equal(fast_syn(p[3]), 3); /* (the first waits to be accepted, to tell its end) */
    r->unclean = true;
}

/* and there is a limit for all listeners together; above it SYNs are plain ones. */
static void fast_open_of_all_sources(struct rig *r)
{
    r->cfg.fastopen_pending_max = 1;
    struct peer *p = client(r), *q = client(r);
    tern_memory m;
    fast_listener(r);
    assert_int_equal(fast_syn(p), 1);
    assert_int_equal(fast_syn(q), 1);
    rig_memory(r, &m);
    assert_int_equal(m.halfopen, 1);
    assert_int_equal(rig_count(r, TERN_COUNT_FASTOPEN_OVERFLOWS), 1);
    r->unclean = true;
}

/* ---- rules ----------------------------------------------------------------------------------- */

static void deny_and_allow_by_longest_match(struct rig *r)
{
    struct peer *p = client(r);
    uint8_t ip[16];
    unsigned bits = r->ip6 ? 64 : 120;
    rig_listen(r, 80, 100, 0);
    route_all(r);
    prefix_of(r, ip, 199);
    assert_int_equal(tern_rule_set(r->s, ip, bits, TERN_RULE_DENY), 0);
    assert_false(syn_answered(r, p, 199, 20));
    assert_true(syn_answered(r, p, 198, 20));
    assert_int_equal(rig_drops(r, TERN_DROP_TCP_DENIED), 1);
    ip[14] = 199;
    ip[15] = 20;
    assert_int_equal(tern_rule_set(r->s, ip, 128, TERN_RULE_ALLOW), 0); /* a hole in it */
    assert_true(syn_answered(r, p, 199, 20));
    assert_false(syn_answered(r, p, 199, 21));
    assert_int_equal(tern_rule_set(r->s, ip, bits - 6, TERN_RULE_DENY), 0); /* all around it */
    assert_false(syn_answered(r, p, 198, 20));
    assert_true(syn_answered(r, p, 199, 20));
    assert_int_equal(tern_rule_set(r->s, ip, 128, TERN_RULE_DENY), 0);
    assert_false(syn_answered(r, p, 199, 20));
    assert_int_equal(tern_rule_set(r->s, ip, 128, TERN_RULE_NONE), 0);
    assert_int_equal(tern_rule_set(r->s, ip, bits, TERN_RULE_ALLOW), 0);
    assert_true(syn_answered(r, p, 199, 20));
    assert_false(syn_answered(r, p, 192, 20));
    assert_true(syn_answered(r, p, 191, 20));
    assert_int_equal(tern_rule_set(r->s, ip, bits, TERN_RULE_NONE), 0);
    assert_false(syn_answered(r, p, 199, 20));
    assert_int_equal(tern_rule_set(r->s, ip, bits - 6, TERN_RULE_NONE), 0);
    assert_int_equal(tern_rule_set(r->s, ip, bits - 6, TERN_RULE_NONE), 0); /* there is none */
    assert_true(syn_answered(r, p, 199, 20));
    tern_memory m;
    rig_memory(r, &m);
    assert_int_equal(m.rules, 0);
}

/* Nobody but those: a default that denies. Both families are under it. */
static void deny_all_but(struct rig *r)
{
    struct peer *p = client(r);
    static const uint8_t any[16];
    uint8_t ip[16];
    rig_listen(r, 80, 100, 0);
    route_all(r);
    assert_int_equal(tern_rule_set(r->s, any, 0, TERN_RULE_DENY), 0);
    assert_false(syn_answered(r, p, 7, 20));
    prefix_of(r, ip, 7);
    assert_int_equal(tern_rule_set(r->s, ip, r->ip6 ? 64 : 120, TERN_RULE_ALLOW), 0);
    assert_true(syn_answered(r, p, 7, 20));
    assert_false(syn_answered(r, p, 8, 20));
}

/* A rule that comes while a handshake is under way, and one that comes too late. */
static void deny_before_the_third_segment(struct rig *r)
{
    struct peer *p = client(r), *q = client(r);
    tern_sock l = rig_listen(r, 80, 100, 0), k;
    uint8_t ip[16];
    memcpy(ip, r->remote, 16);
    peer_connects(q, l);
    say(p, S, 0, 0, 0);
    hear_syn(p, S | A);
    assert_int_equal(tern_rule_set(r->s, ip, 128, TERN_RULE_DENY), 0);
    say(p, A, 1, 1, 0);
    assert_int_equal(tern_accept(r->s, l, &k, NULL, NULL), TERN_EAGAIN);
    assert_int_equal(rig_drops(r, TERN_DROP_TCP_DENIED), 1);
    say(q, A | P, 1, 1, 10); /* what is open stays open */
    peer_read(q, 0, 10);
    rig_turn(r);
    rig_forget(r);
}

static void rules_max(struct rig *r)
{
    r->cfg.rules_max = 3;
    rig_start(r);
    uint8_t ip[16] = {0x20};
    for (unsigned i = 0; i < 4; i++) {
        ip[15] = (uint8_t)i;
        assert_int_equal(tern_rule_set(r->s, ip, 128, TERN_RULE_DENY), i < 3 ? 0 : TERN_ELIMIT);
    }
    ip[15] = 0;
    assert_int_equal(tern_rule_set(r->s, ip, 128, TERN_RULE_ALLOW), 0); /* (it is there) */
    assert_int_equal(tern_rule_set(r->s, ip, 129, TERN_RULE_ALLOW), TERN_EINVAL);
    assert_int_equal(tern_rule_set(r->s, ip, 128, (enum tern_rule)3), TERN_EINVAL);
}

/* ---- limits of a source ---------------------------------------------------------------------- */

static void halfopen_of_one_source(struct rig *r)
{
    struct peer *p = client(r);
    tern_sock l = rig_listen(r, 80, 100, 0);
    route_all(r);
    limits(r, l, 3, 0);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(syn_answered(r, p, 7, 20), i < 3);
    assert_int_equal(syn_answered(r, p, 7, 21), !r->ip6); /* IPv6: of one /64 */
    assert_true(syn_answered(r, p, 8, 20));
    assert_int_equal(rig_drops(r, TERN_DROP_TCP_SOURCE_LIMIT), r->ip6 ? 3 : 2);
    rig_step(r, SEC(64)); /* the entries are given up */
    rig_forget(r);
    assert_true(syn_answered(r, p, 7, 20));
}

static void sources_may_be_larger(struct rig *r)
{
    r->cfg.source_bits4 = 24;
    r->cfg.source_bits6 = 56;
    struct peer *p = client(r);
    tern_sock l = rig_listen(r, 80, 100, 0);
    route_all(r);
    limits(r, l, 2, 0);
    assert_true(syn_answered(r, p, 7, 20));
    assert_true(syn_answered(r, p, 7, 21));
    assert_false(syn_answered(r, p, 7, 22));
    assert_int_equal(syn_answered(r, p, 8, 22), !r->ip6);
}

static void close_peer(struct peer *p)
{
    assert_int_equal(tern_abort(p->r->s, p->k), 0);
    rig_turn(p->r);
    rig_forget(p->r);
}

static void conns_of_one_source(struct rig *r)
{
    tern_sock l = rig_listen(r, 80, 100, 0), k;
    struct peer *p[6];
    limits(r, l, 0, 3);
    for (unsigned i = 0; i < 6; i++)
        p[i] = client(r);
    peer_connects(p[0], l);
    peer_connects(p[1], l);
    say(p[2], S, 0, 0, 0);
    hear_syn(p[2], S | A);
    say(p[3], S, 0, 0, 0);
    hear_syn(p[3], S | A);
    say(p[2], A, 1, 1, 0);
    say(p[3], A, 1, 1, 0); /* the fourth: it has come as far as this */
    assert_int_equal(rig_drops(r, TERN_DROP_TCP_SOURCE_LIMIT), 1);
    say(p[4], S, 0, 0, 0);
    rig_hush(r);
    assert_int_equal(rig_drops(r, TERN_DROP_TCP_SOURCE_LIMIT), 2);
    assert_int_equal(tern_accept(r->s, l, &k, NULL, NULL), 0);
    assert_int_equal(tern_accept(r->s, l, &k, NULL, NULL), TERN_EAGAIN);
    close_peer(p[0]);
    say(p[3], A, 1, 1, 0);
    assert_int_equal(tern_accept(r->s, l, &p[3]->k, NULL, NULL), 0);
    say(p[1], R, 1, 0, 0); /* reset: it counts no more, closed by its owner or not */
    peer_connects(p[4], l);
    say(p[5], S, 0, 0, 0);
    rig_hush(r);
}

/* A connection that came by cookie counts, too; TIME-WAIT does not. */
static void conns_of_one_source_by_cookie(struct rig *r)
{
    r->cfg.cookies = TERN_COOKIES_ALWAYS;
    struct peer *p = client(r), *q = client(r);
    tern_sock l = rig_listen(r, 80, 100, 0), k;
    uint32_t in, out;
    limits(r, l, 0, 1);
    say(q, S, 0, 0, 0);
    hear_syn(q, S | A);
    peer_connects(p, l);
    say(q, A, 1, 1, 0);
    assert_int_equal(tern_accept(r->s, l, &k, NULL, NULL), TERN_EAGAIN);
    assert_int_equal(rig_drops(r, TERN_DROP_TCP_SOURCE_LIMIT), 1);
    peer_to_state(p, TERN_TIME_WAIT, &in, &out);
    assert_int_equal(tern_close(r->s, p->k), 0);
    rig_turn(r);
    rig_forget(r);
    say(q, A, 1, 1, 0);
    assert_int_equal(tern_accept(r->s, l, &k, NULL, NULL), 0);
}

static void allowed_sources_have_no_limits(struct rig *r)
{
    struct peer *p = client(r);
    tern_sock l = rig_listen(r, 80, 100, 0);
    uint8_t ip[16];
    route_all(r);
    limits(r, l, 1, 0);
    prefix_of(r, ip, 7);
    assert_int_equal(tern_rule_set(r->s, ip, r->ip6 ? 64 : 120, TERN_RULE_ALLOW), 0);
    for (unsigned i = 0; i < 5; i++)
        assert_true(syn_answered(r, p, 7, 20));
    assert_true(syn_answered(r, p, 8, 20));
    assert_false(syn_answered(r, p, 8, 20));
    assert_int_equal(tern_rule_set(r->s, ip, r->ip6 ? 64 : 120, TERN_RULE_NONE), 0);
    assert_true(syn_answered(r, p, 7, 20)); /* of those before, none counts */
    assert_false(syn_answered(r, p, 7, 20));
}

/* ---- rates ----------------------------------------------------------------------------------- */

/* Ten a second with bursts of 4: at once four, then one each 100 ms, whatever was refused. */
static void syn_rate_of_one_source(struct rig *r)
{
    struct peer *p = client(r);
    tern_sock l = rig_listen(r, 80, 100, 0);
    tern_limits lim = {.syn_rate = 10, .syn_burst = 4};
    route_all(r);
    assert_int_equal(tern_limits_set(r->s, l, &lim), 0);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(syn_answered(r, p, 7, 20), i < 4);
    assert_true(syn_answered(r, p, 8, 20)); /* another's bucket */
    assert_int_equal(rig_drops(r, TERN_DROP_TCP_SYN_RATE), 6);
    unsigned taken = 0;
    for (unsigned i = 0; i < 500; i++) { /* five seconds of one each 10 ms */
        r->now += MS(10);
        syn_from(r, p, 7, 20);
        tern_memory m;
        rig_memory(r, &m);
        taken = m.halfopen - 5;
    }
    assert_int_equal(taken, 50);
    rig_turn(r);
    rig_forget(r);
    r->now += SEC(3600); /* a bucket is full and no fuller */
    rig_turn(r);
    rig_forget(r);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(syn_answered(r, p, 7, 20), i < 4);
}

static void syn_rate_without_a_burst(struct rig *r)
{
    struct peer *p = client(r);
    tern_sock l = rig_listen(r, 80, 100, 0);
    tern_limits lim = {.syn_rate = 5};
    route_all(r);
    assert_int_equal(tern_limits_set(r->s, l, &lim), 0);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(syn_answered(r, p, 7, 20), i < 5);
    lim.syn_rate = 2000000000;
    assert_int_equal(tern_limits_set(r->s, l, &lim), TERN_EINVAL);
    lim = (tern_limits){0};
    assert_int_equal(tern_limits_set(r->s, l, &lim), 0);
    assert_true(syn_answered(r, p, 7, 20));
    assert_int_equal(tern_limits_set(r->s, (tern_sock){0}, &lim), TERN_EINVAL);
}

/* ---- many sources ---------------------------------------------------------------------------- */

/* More sources than can be remembered: the oldest go, but not those of which something is open. */
static void sources_max(struct rig *r)
{
    r->cfg.sources_max = 8;
    r->cfg.cookies = TERN_COOKIES_ALWAYS; /* so that most leave no entry behind */
    struct peer *q = client(r), *p = client(r);
    tern_sock l = rig_listen(r, 80, 100, 0);
    route_all(r);
    limits(r, l, 0, 1);
    peer_connects(q, l);
    tern_memory m;
    size_t bytes = 0;
    for (unsigned i = 0; i < 200; i++) {
        assert_true(syn_answered(r, p, i + 1, 20));
        rig_memory(r, &m);
        assert_true(m.sources <= 8);
        bytes = i == 50 ? m.bytes : bytes;
    }
    assert_int_equal(m.bytes, bytes);
    assert_true(rig_count(r, TERN_COUNT_SOURCES_RECYCLED) >= 192);
    say(client(r), S, 0, 0, 0); /* q's source has its one connection still */
    rig_hush(r);
    assert_int_equal(rig_drops(r, TERN_DROP_TCP_SOURCE_LIMIT), 1);
}

/* All remembered sources have something open: others are let in uncounted. */
static void sources_all_in_use(struct rig *r)
{
    r->cfg.sources_max = 4;
    struct peer *p = client(r);
    tern_sock l = rig_listen(r, 80, 100, 0);
    route_all(r);
    limits(r, l, 1, 0);
    for (unsigned i = 0; i < 6; i++)
        assert_true(syn_answered(r, p, 1 + i, 20));
    assert_int_equal(rig_count(r, TERN_COUNT_SOURCES_FULL), 2);
    assert_false(syn_answered(r, p, 1, 20));
}

/* ---- floods ---------------------------------------------------------------------------------- */

/* The owner is told when it begins and when it is over, once each. */
static void floods_begin_and_end(struct rig *r)
{
    r->cfg.halfopen_max = 4;
    struct peer *p = client(r);
    tern_sock l = rig_listen(r, 80, 100, 0);
    route_all(r);
    for (unsigned i = 0; i < 4; i++)
        assert_true(syn_answered(r, p, 1 + i, 20));
    assert_int_equal(rig_events(r, l, NULL), 0);
    for (unsigned i = 0; i < 100; i++) {
        syn_answered(r, p, 1 + i, 21);
        rig_step(r, MS(100));
        rig_forget(r);
    }
    assert_int_equal(rig_event_count(r, l, TERN_EV_FLOOD), 1);
    assert_int_equal(rig_events(r, l, NULL), TERN_EV_FLOOD);
    uint64_t end = r->now;
    while (rig_event_count(r, l, TERN_EV_CALM) == 0 && r->now < end + SEC(100))
        rig_step(r, MS(100));
    rig_forget(r);
    assert_in_range((r->now - end) / MS(100), 98, 100);
    assert_int_equal(rig_events(r, l, NULL), TERN_EV_CALM);
    assert_int_equal(rig_count(r, TERN_COUNT_FLOODS), 1);
    rig_step(r, SEC(100));
    rig_forget(r);
    assert_int_equal(rig_events(r, l, NULL), 0);
    for (unsigned i = 0; i < 5; i++)
        assert_true(syn_answered(r, p, 1 + i, 20));
    assert_int_equal(rig_events(r, l, NULL), TERN_EV_FLOOD); /* another one */
}

/* A source over its limits is one, too; its listener may be closed in the middle of it. */
static void floods_of_one_source(struct rig *r)
{
    struct peer *p = client(r);
    tern_sock l = rig_listen(r, 80, 100, 0);
    tern_limits lim = {.syn_rate = 1};
    route_all(r);
    assert_int_equal(tern_limits_set(r->s, l, &lim), 0);
    assert_true(syn_answered(r, p, 7, 20));
    assert_int_equal(rig_events(r, l, NULL), 0);
    assert_false(syn_answered(r, p, 7, 20));
    assert_int_equal(rig_events(r, l, NULL), TERN_EV_FLOOD);
    assert_int_equal(tern_close(r->s, l), 0);
    rig_step(r, SEC(100));
    rig_forget(r);
    assert_int_equal(rig_events(r, l, NULL), 0);
}

/* Rules are no flood. */
static void denied_sources_are_no_flood(struct rig *r)
{
    struct peer *p = client(r);
    tern_sock l = rig_listen(r, 80, 100, 0);
    static const uint8_t any[16];
    assert_int_equal(tern_rule_set(r->s, any, 0, TERN_RULE_DENY), 0);
    assert_false(syn_answered(r, p, 7, 20));
    assert_int_equal(rig_events(r, l, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(time_wait_of_who_is_denied),
        RIG(fast_open_of_one_source),
        RIG(fast_open_of_all_sources),
        RIG(deny_and_allow_by_longest_match),
        RIG(deny_all_but),
        RIG(deny_before_the_third_segment),
        RIG(rules_max),
        RIG(halfopen_of_one_source),
        RIG(sources_may_be_larger),
        RIG(conns_of_one_source),
        RIG(conns_of_one_source_by_cookie),
        RIG(allowed_sources_have_no_limits),
        RIG(syn_rate_of_one_source),
        RIG(syn_rate_without_a_burst),
        RIG(sources_max),
        RIG(sources_all_in_use),
        RIG(floods_begin_and_end),
        RIG(floods_of_one_source),
        RIG(denied_sources_are_no_flood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
