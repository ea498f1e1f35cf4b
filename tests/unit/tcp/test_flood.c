/* test_flood.c - SYN floods and their defences (RFC 4987): half-open entries with a limit, time
 * that gets short with them, SYN cookies, the accept queue. */
#include <stdlib.h>

#include "rig.h"

enum { FLOOD_PORT = 60000 };

/* A SYN from somewhere, the nth; what comes of it goes to nobody who answers. */
static void spoofed(struct rig *r, struct peer *like, uint32_t n)
{
    struct seg g = peer_seg(like, S, 0, 0, 0);
    g.src[15] = (uint8_t)(100 + n % 100);
    g.sport = (uint16_t)(FLOOD_PORT + n / 100 % 5000);
    g.seq = n * 77777;
    rig_input_seg(r, &g);
}

/* (ISNs as they are: a cookie is one) */
static tern_sock listen_at(struct rig *r, uint16_t port, uint32_t backlog, uint32_t flags)
{
    r->cfg.isn_fixed = false;
    return rig_listen(r, port, backlog, flags);
}

static struct peer *client(struct rig *r)
{
    r->cfg.isn_fixed = false;
    struct peer *p = peer_new(r);
    p->lport = 80;
    return p;
}

static uint32_t halfopen(const struct rig *r)
{
    tern_memory m;
    rig_memory(r, &m);
    return m.halfopen;
}

/* ---- cookies --------------------------------------------------------------------------------- */

/* With the entries full of forged SYNs, who is honest connects, and who is connected goes on. */
static void A_14_syn_flood(struct rig *r)
{
    r->cfg.halfopen_max = 64;
    struct peer *old = client(r), *like = client(r);
    tern_sock l = listen_at(r, 80, 100, 0);
    peer_connects(old, l);
    for (uint32_t n = 0; n < 10000; n++) {
        spoofed(r, like, n);
        rig_turn(r);
        rig_forget(r);
        assert_true(halfopen(r) <= 64);
        if (n % 100 == 99) {
            struct peer *p = client(r);
            peer_connects(p, l);
            assert_int_equal(peer_write(p, 0, 100), 100);
            hear(p, A | P, 1, 1, 100);
            say(p, A | P, 1, 101, 50);
            peer_read(p, 0, 50);
            rig_turn(r);
            rig_forget(r);
            assert_int_equal(tern_abort(r->s, p->k), 0);
            rig_turn(r);
            rig_forget(r);
        }
        r->now += US(100);
    }
    assert_int_equal(rig_count(r, TERN_COUNT_COOKIES_TAKEN), 100);
    assert_true(rig_count(r, TERN_COUNT_COOKIES_SENT) > 9900);
    assert_int_equal(rig_drops(r, TERN_DROP_TCP_HALFOPEN), 0);
    assert_int_equal(peer_write(old, 0, 10), 10);
    rig_turn(r);
    hear(old, A | P, 1, 1, 10);
}

/* A cookie is good for whom it was made, and for 15 to 30 seconds. */
static void A_15_cookie_replay(struct rig *r)
{
    r->cfg.cookies = TERN_COOKIES_ALWAYS;
    tern_sock l = listen_at(r, 80, 100, 0), k;
    for (uint64_t age = 0; age <= 40; age++) {
        struct peer *p = client(r);
        say(p, S, 0, 0, 0);
        hear_syn(p, S | A);
        r->now += SEC(age);
        say(p, A, 1, 1, 0);
        rig_turn(r);
        bool taken = tern_accept(r->s, l, &k, NULL, NULL) == 0;
        if (!taken)
            hear_rst(p, 0, 1, 0);
        assert_true(age > 15 || taken);
        assert_true(age <= 30 || !taken);
        rig_hush(r);
        r->now += MS(700); /* all places within a slot */
    }
}

static void refused(struct rig *r, struct peer *p, struct seg *g, tern_sock l)
{
    tern_sock k;
    rig_input_seg(r, g);
    rig_turn(r);
    assert_int_equal(tern_accept(r->s, l, &k, NULL, NULL), TERN_EAGAIN);
    const struct seg *h = rig_next(r);
    assert_int_equal(h->flags, R);
    assert_int_equal(h->seq, g->ack);
    rig_hush(r);
    (void)p;
}

/* No bit of it may be another one, nor anything it speaks of. */
static void A_15_cookie_forging(struct rig *r)
{
    r->cfg.cookies = TERN_COOKIES_ALWAYS;
    tern_sock l = listen_at(r, 80, 100, 0), k;
    struct peer *p = client(r);
    struct seg g;
    say(p, S, 0, 0, 0);
    hear_syn(p, S | A);
    for (unsigned bit = 0; bit < 32; bit++) {
        g = peer_seg(p, A, 1, 1, 0);
        g.ack ^= 1u << bit;
        refused(r, p, &g, l);
        g = peer_seg(p, A, 1, 1, 0);
        g.seq ^= 1u << bit;
        refused(r, p, &g, l);
    }
    g = peer_seg(p, A, 1, 1, 0);
    g.sport ^= 1;
    refused(r, p, &g, l);
    p->raw_numbers = true;
    g = peer_seg(p, A, 1, 1, 0);
    g.src[15] ^= 3;
    refused(r, p, &g, l);
    p->raw_numbers = false;
    g = peer_seg(p, S | A, 1, 1, 0);
    rig_input_seg(r, &g);
    rig_turn(r);
    assert_int_equal(tern_accept(r->s, l, &k, NULL, NULL), TERN_EAGAIN);
    rig_forget(r);
    for (unsigned i = 0; i < 20000; i++) {
        g = peer_seg(p, A, 1, 1, 0);
        g.ack = rig_random();
        if (g.ack != p->iss + 1)
            refused(r, p, &g, l);
    }
    assert_int_equal(rig_count(r, TERN_COUNT_COOKIES_BAD), 20066);
    say(p, A, 1, 1, 0);
    assert_int_equal(tern_accept(r->s, l, &k, NULL, NULL), 0);
}

/* Only who has sent cookies lately takes any. */
static void A_15_cookie_without_pressure(struct rig *r)
{
    r->cfg.halfopen_max = 1;
    struct peer *p = client(r), *q = client(r), *o = client(r);
    tern_sock l = listen_at(r, 80, 100, 0), k;
    say(q, S, 0, 0, 0);
    hear_syn(q, S | A);
    say(p, S, 0, 0, 0);
    hear_syn(p, S | A);
    say(o, S, 0, 0, 0);
    hear_syn(o, S | A);
    assert_int_equal(rig_count(r, TERN_COUNT_COOKIES_SENT), 2);
    r->now += SEC(14);
    say(p, A, 1, 1, 0);
    assert_int_equal(tern_accept(r->s, l, &k, NULL, NULL), 0);
    tern_sock other = listen_at(r, 81, 100, 0); /* this one has sent none */
    o->lport = 81;
    struct seg g = peer_seg(o, A, 1, 1, 0);
    refused(r, o, &g, other);
    assert_int_equal(rig_count(r, TERN_COUNT_COOKIES_BAD), 0);
    o->lport = 80;
    r->now += SEC(17);
    g = peer_seg(o, A, 1, 1, 0);
    refused(r, o, &g, l);
    assert_int_equal(rig_count(r, TERN_COUNT_COOKIES_BAD), 0); /* not even looked at */
}

/* What a cookie makes of an MSS: fewer steps where timestamps do not tell the rest. */
static uint32_t step_below(uint32_t mss, bool ts, bool ip6)
{
    static const uint16_t steps[] = {64, 536, 1220, 1360, 1400, 1440, 1460, 8940};
    static const unsigned rough[2] = {1 << 0 | 1 << 1 | 1 << 3 | 1 << 5 | 1 << 6, /* IPv4 */
                                      1 << 0 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5};
    uint32_t best = 0;
    for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        if (steps[i] <= mss && (ts || rough[ip6] >> i & 1))
            best = steps[i];
    return best;
}

/* One handshake by cookie with these options; looks at what is in force. */
static void handshake_with(struct rig *r, tern_sock l, uint16_t mss, int wscale, unsigned options)
{
    struct peer *p = client(r);
    tern_tcp_info info;
    p->mss = mss;
    p->wscale = wscale;
    p->sack = options & 1;
    p->ts = options & 2;
    unsigned asks = options & 4 ? ECE | CWR : 0;
    p->wnd = 10000;
    say(p, S | asks, 0, 0, 0);
    hear_syn(p, S | A | (asks != 0 ? ECE : 0));
    say(p, A, 1, 1, 0);
    assert_int_equal(tern_accept(r->s, l, &p->k, NULL, NULL), 0);
    peer_info(p, &info);
    uint16_t said = mss != 0 ? mss : r->ip6 ? 1220 : 536;
    int scale = wscale > 14 ? 14 : wscale;
    assert_true(info.mss_peer <= said);
    assert_int_equal(info.mss_peer, step_below(said, p->ts, r->ip6));
    assert_int_equal((info.options & TERN_INFO_SACK) != 0, p->sack);
    assert_int_equal((info.options & TERN_INFO_TIMESTAMPS) != 0, p->ts);
    assert_int_equal((info.options & TERN_INFO_WSCALE) != 0, wscale >= 0);
    assert_int_equal((info.options & TERN_INFO_ECN) != 0, asks != 0);
    if (p->ts && wscale >= 0)
        assert_int_equal(info.snd_wscale, scale);
    assert_true(info.snd_wscale <= (scale < 0 ? 0 : scale)); /* never more than is there */
    assert_int_equal(info.snd_wnd, 10000u << info.snd_wscale);
    p->shift_out = info.snd_wscale;
    assert_int_equal(peer_write(p, 0, 20), 20);
    hear(p, A | P, 1, 1, 20);
    say(p, A | P, 1, 21, 30); /* (the rig holds our window's scale against the SYN-ACK's) */
    peer_read(p, 0, 30);
    assert_int_equal(tern_abort(r->s, p->k), 0);
    rig_turn(r);
    rig_forget(r);
}

static void A_16_cookie_options(struct rig *r)
{
    static const uint16_t sizes[] = {0,    64,   65,   535,  536,  537,  1219, 1220, 1359,
                                     1360, 1399, 1400, 1439, 1440, 1459, 1460, 8939, 65535};
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        rig_renew(r);
        r->cfg.cookies = TERN_COOKIES_ALWAYS;
        tern_sock l = listen_at(r, 80, 100, 0);
        for (int wscale = -1; wscale < 20; wscale++)
            for (unsigned options = 0; options < 8; options++)
                handshake_with(r, l, sizes[i], wscale, options);
        assert_int_equal(rig_count(r, TERN_COUNT_COOKIES_TAKEN), 21 * 8);
    }
}

/* A handshake whose SYN asks for ECN so, and came marked so; then a segment each way. What was
 * agreed upon, and the ECN bits of both headers of all that the stack has sent. */
struct ecn_talk {
    uint32_t options;
    unsigned synack, data, ack;
};

static unsigned ecn_bits(const struct seg *g)
{
    return (g->flags & (AE | CWR | ECE)) | (g->tos & 3u);
}

/* RFC 9768 table 2, and a SYN that asks for RFC 3168 alone is not to be marked. */
static unsigned answer_to(uint8_t ecn, unsigned ask, unsigned marked)
{
    static const unsigned reflection[4] = {CWR, CWR | ECE, AE, AE | CWR};
    if (ask & AE && ecn >= 3)
        return reflection[marked];
    return ask != 0 && ecn != 0 && (ask & AE || marked == 0) ? ECE : 0;
}

static struct ecn_talk ecn_talk(struct peer *p, tern_sock l, unsigned ask, unsigned marked)
{
    struct rig *r = p->r;
    struct ecn_talk talk;
    tern_tcp_info info;
    unsigned answer = answer_to(r->cfg.ecn, ask, marked);
    p->accecn = true;
    p->extra.tos = (uint8_t)marked;
    say(p, S | ask, 0, 0, 0);
    talk.synack = ecn_bits(hear_syn(p, S | A | answer));
    say(p, A | (answer & (AE | CWR) ? CWR : 0), 1, 1, 0);
    assert_int_equal(tern_accept(r->s, l, &p->k, NULL, NULL), 0);
    peer_info(p, &info);
    talk.options = info.options & (TERN_INFO_ECN | TERN_INFO_ECN_ACCURATE);
    assert_int_equal(peer_write(p, 0, 10), 10);
    rig_turn(r);
    const struct seg *g = rig_next(r);
    assert_int_equal(g->len, 10);
    talk.data = ecn_bits(g);
    p->extra.tos = 3;
    say(p, A | P | (talk.options & TERN_INFO_ECN_ACCURATE ? AE | ECE : 0), 1, 11, 20);
    rig_step(r, MS(50));
    talk.ack = ecn_bits(rig_next(r));
    rig_forget(r);
    assert_int_equal(tern_abort(r->s, p->k), 0);
    rig_turn(r);
    rig_forget(r);
    return talk;
}

/* ECN of either kind is as it would be without a cookie; but for how the SYN came, which without
 * timestamps there is no room to tell. */
static void A_16_cookie_and_ecn(struct rig *r)
{
    static const unsigned asks[] = {0, ECE | CWR, AE | ECE | CWR};
    enum { CASES = 2 * 3 * 4 };
    struct ecn_talk plain[CASES], talk;
    for (uint8_t ecn = 0; ecn <= 3; ecn++) {
        for (unsigned cookie = 0; cookie <= 1; cookie++) {
            rig_renew(r);
            r->cfg.ecn = ecn;
            r->cfg.cookies = cookie ? TERN_COOKIES_ALWAYS : TERN_COOKIES_NEVER;
            tern_sock l = listen_at(r, 80, 100, 0);
            for (unsigned i = 0; i < CASES; i++) {
                struct peer *p = client(r);
                p->ts = i % 2;
                unsigned marked = i / 6;
                talk = ecn_talk(p, l, asks[i / 2 % 3], marked);
                if (!cookie) {
                    plain[i] = talk;
                    continue;
                }
                assert_int_equal(talk.options, plain[i].options);
                assert_int_equal(talk.synack, plain[i].synack);
                if (!p->ts && marked == 3)
                    continue;
                assert_int_equal(talk.data, plain[i].data);
                assert_int_equal(talk.ack, plain[i].ack);
            }
            assert_int_equal(rig_count(r, TERN_COUNT_COOKIES_TAKEN) != 0, cookie);
        }
    }
}

/* What cannot be told is not promised. */
static void A_16_cookie_of_a_tiny_mss(struct rig *r)
{
    r->cfg.cookies = TERN_COOKIES_ALWAYS;
    struct peer *p = client(r);
    listen_at(r, 80, 100, 0);
    p->mss = 63;
    say(p, S, 0, 0, 0);
    rig_hush(r);
    assert_int_equal(rig_drops(r, TERN_DROP_TCP_HALFOPEN), 1);
}

/* The timestamps that were agreed upon are stripped: nothing is guessed. */
static void A_16_cookie_without_its_timestamp(struct rig *r)
{
    r->cfg.cookies = TERN_COOKIES_ALWAYS;
    struct peer *p = client(r);
    tern_sock l = listen_at(r, 80, 100, 0);
    p->ts = true;
    say(p, S, 0, 0, 0);
    hear_syn(p, S | A);
    struct seg g = peer_seg(p, A, 1, 1, 0);
    g.ts = false;
    refused(r, p, &g, l);
}

/* The ACK is lost: the client's data brings the cookie, too. */
static void A_17_cookie_with_data(struct rig *r)
{
    r->cfg.cookies = TERN_COOKIES_ALWAYS;
    struct peer *p = client(r);
    tern_sock l = listen_at(r, 80, 100, 0);
    say(p, S, 0, 0, 0);
    hear_syn(p, S | A);
    rig_step(r, SEC(3));
    rig_hush(r); /* nothing is remembered, so nothing is sent again */
    say(p, A | P, 1, 1, 100);
    assert_int_equal(tern_accept(r->s, l, &p->k, NULL, NULL), 0);
    assert_int_equal(rig_events(r, p->k, NULL), 0);
    rig_turn(r);
    peer_read(p, 0, 100);
    hear(p, A, 1, 101, 0);
    struct peer *q = client(r); /* and with data and FIN at once */
    say(q, S, 0, 0, 0);
    hear_syn(q, S | A);
    say(q, A | P | F, 1, 1, 5);
    assert_int_equal(tern_accept(r->s, l, &q->k, NULL, NULL), 0);
    peer_read(q, 0, 5);
    assert_int_equal(peer_state(q), TERN_CLOSE_WAIT);
    hear(q, A, 1, 7, 0);
}

static void cookies_always(struct rig *r)
{
    r->cfg.cookies = TERN_COOKIES_ALWAYS;
    struct peer *p = client(r);
    tern_sock l = listen_at(r, 80, 100, 0);
    say(p, S, 0, 0, 0);
    hear_syn(p, S | A);
    assert_int_equal(halfopen(r), 0);
    say(p, A, 1, 1, 0);
    assert_int_equal(tern_accept(r->s, l, &p->k, NULL, NULL), 0);
}

/* What comes out of TIME-WAIT has an ISN to begin above, which a cookie cannot choose. */
static void cookies_but_not_out_of_time_wait(struct rig *r)
{
    r->cfg.cookies = TERN_COOKIES_ALWAYS;
    struct peer *p = client(r);
    tern_sock l = listen_at(r, 80, 100, 0);
    uint32_t in, out;
    peer_connects(p, l);
    peer_to_state(p, TERN_TIME_WAIT, &in, &out);
    assert_int_equal(tern_close(r->s, p->k), 0);
    rig_step(r, MS(100));
    uint32_t last = p->iss + out;
    p->raw_numbers = true;
    say(p, S, 100000, 0, 0);
    rig_turn(r);
    const struct seg *g = rig_next(r);
    assert_int_equal(g->flags, S | A);
    assert_true((int32_t)(g->seq - last) > 0);
    assert_int_equal(halfopen(r), 1);
    assert_int_equal(rig_count(r, TERN_COUNT_COOKIES_SENT), 1);
}

static void cookies_never(struct rig *r)
{
    r->cfg.cookies = TERN_COOKIES_NEVER;
    r->cfg.halfopen_max = 4;
    struct peer *like = client(r);
    listen_at(r, 80, 100, 0);
    for (uint32_t n = 0; n < 10; n++)
        spoofed(r, like, n);
    rig_turn(r);
    assert_int_equal(rig_waiting(r), 4);
    rig_forget(r);
    assert_int_equal(rig_drops(r, TERN_DROP_TCP_HALFOPEN), 6);
    assert_int_equal(rig_count(r, TERN_COUNT_COOKIES_SENT), 0);
}

/* A SYN to be held is dropped, not answered: its owner wants to be asked first. */
static void holds_get_no_cookies(struct rig *r)
{
    r->cfg.halfopen_max = 4;
    struct peer *like = client(r);
    listen_at(r, 80, 100, TERN_LISTEN_HOLD);
    for (uint32_t n = 0; n < 6; n++)
        spoofed(r, like, n);
    rig_hush(r);
    assert_int_equal(rig_drops(r, TERN_DROP_TCP_HALFOPEN), 2);
}

/* Several machines behind one address: the SYN came to one, what follows comes to another, whose
 * clock has nothing to do with the first one's. Timestamps go on all the same. */
static void another_machine(struct rig *r, uint64_t ahead, uint64_t behind)
{
    struct rig *b = malloc(sizeof(*b));
    assert_non_null(b);
    rig_init(b, r->ip6);
    struct rig *all[2] = {r, b};
    for (unsigned i = 0; i < 2; i++) {
        memset(all[i]->cfg.cookie_key, 0x42, sizeof(all[i]->cfg.cookie_key));
        all[i]->cfg.seed[0] = (uint8_t)(i + 1);
    }
    r->cfg.halfopen_max = 1;
    b->now = r->now + ahead;
    r->now += behind;
    tern_sock l[2] = {listen_at(r, 80, 10, 0), listen_at(b, 80, 10, 0)};
    tern_cookie_clock(r->s, SEC(777));
    tern_cookie_clock(b->s, SEC(778));
    struct peer *like = client(r), *p = client(r), *q = client(b);
    say(like, S, 0, 0, 0);
    hear_syn(like, S | A); /* takes the one entry */
    p->ts = true;
    say(p, S, 0, 0, 0);
    uint32_t tsval = hear_syn(p, S | A)->tsval;
    struct peer mine = *p;
    mine.r = b;
    mine.edge_known = false;
    uint16_t port = q->port;
    *q = mine; /* the same client, at the other machine */
    (void)port;
    q->k = (tern_sock){0};
    q->tsval -= (uint32_t)(ahead / MS(1)) - (uint32_t)(behind / MS(1)); /* its own clock goes on */
    say(q, A | P, 1, 1, 100);
    assert_int_equal(tern_accept(b->s, l[1], &q->k, NULL, NULL), 0);
    peer_read(q, 0, 100);
    const struct seg *g = hear(q, A, 1, 101, 0);
    assert_true((int32_t)(g->tsval - tsval) >= 0);
    assert_int_equal(peer_write(q, 0, 3000), 3000);
    rig_turn(b);
    hear_data(q, 1, 3001);
    say(q, A, 101, 3001, 0);
    say(q, A | P, 101, 3001, 100);
    peer_read(q, 100, 100);
    rig_step(b, MS(100));
    rig_forget(b);
    (void)l[0];
    rig_end(b);
    free(b);
}

static void cookies_of_another_machine(struct rig *r) { another_machine(r, SEC(1000000000), 0); }

static void cookies_of_a_machine_whose_clock_is_behind(struct rig *r)
{
    another_machine(r, 0, SEC(1000000000));
}

/* A clock that differs too much is another's: the cookie is too old. */
static void cookies_of_another_machine_late(struct rig *r)
{
    memset(r->cfg.cookie_key, 0x42, sizeof(r->cfg.cookie_key));
    r->cfg.halfopen_max = 1;
    tern_sock l = listen_at(r, 80, 10, 0);
    struct peer *like = client(r), *p = client(r);
    tern_cookie_clock(r->s, SEC(600));
    say(like, S, 0, 0, 0);
    hear_syn(like, S | A);
    say(p, S, 0, 0, 0);
    hear_syn(p, S | A);
    tern_cookie_clock(r->s, SEC(700));
    struct seg g = peer_seg(p, A, 1, 1, 0);
    refused(r, p, &g, l);
}

/* ---- entries --------------------------------------------------------------------------------- */

/* How often an entry's SYN-ACK is sent when so many of 64 are in use. */
static void synacks_with(struct rig *r, uint32_t used, unsigned want)
{
    struct peer *like = client(r);
    for (uint32_t n = 0; n < used; n++)
        spoofed(r, like, n);
    rig_turn(r);
    assert_int_equal(halfopen(r), used);
    assert_int_equal(rig_waiting(r), used);
    uint64_t start = r->now;
    while (halfopen(r) == used)
        rig_step(r, MS(100));
    uint64_t lasted = (r->now - start) / SEC(1);
    assert_int_equal(lasted, (1u << want) - 1);
    rig_step(r, SEC(200));
    rig_forget(r);
    assert_int_equal(halfopen(r), 0);
}

/* The fuller, the shorter they live, and the less is sent to forged addresses. */
static void A_18_timeouts_get_short(struct rig *r)
{
    r->cfg.halfopen_max = 64;
    listen_at(r, 80, 100, 0);
    synacks_with(r, 31, 6);
    synacks_with(r, 32, 3);
    synacks_with(r, 48, 2);
    synacks_with(r, 56, 1);
    synacks_with(r, 64, 1);
    assert_true(rig_count(r, TERN_COUNT_SYNACKS_AGAIN) > 0);
    assert_int_equal(rig_count(r, TERN_COUNT_HALFOPEN_EXPIRED), 31 + 32 + 48 + 56 + 64);
}

/* The victim of a forged source says RST: the entry goes at once. */
static void A_18_rst_ends_an_entry(struct rig *r)
{
    struct peer *p = client(r);
    listen_at(r, 80, 100, 0);
    say(p, S, 0, 0, 0);
    hear_syn(p, S | A);
    say(p, R, 1, 0, 0);
    assert_int_equal(halfopen(r), 0);
    rig_step(r, SEC(10));
    rig_hush(r);
}

/* A listener's own share: one that is flooded leaves room for the others. */
static void syn_queue(struct rig *r)
{
    r->cfg.cookies = TERN_COOKIES_NEVER;
    rig_start(r);
    tern_listen_args args = {.local = rig_addr(r->local, 80), .backlog = 100, .syn_queue = 8};
    tern_sock k;
    assert_int_equal(tern_listen(r->s, &k, &args), 0);
    struct peer *like = client(r), *p = peer_new(r);
    p->lport = 81;
    for (uint32_t n = 0; n < 20; n++)
        spoofed(r, like, n);
    rig_turn(r);
    rig_forget(r);
    assert_int_equal(halfopen(r), 8);
    assert_int_equal(rig_drops(r, TERN_DROP_TCP_HALFOPEN), 12);
    peer_connects(p, listen_at(r, p->lport, 4, 0));
    rig_step(r, MS(1500)); /* full, so that the first ones get one SYN-ACK and no more */
    assert_int_equal(halfopen(r), 6);
    rig_step(r, SEC(70)); /* the others have longer: there is room again */
    rig_forget(r);
    assert_int_equal(halfopen(r), 0);
}

/* ---- the accept queue ------------------------------------------------------------------------ */

/* A backlog of 1 and fifty clients: whoever is told to be connected gets all its bytes through. */
static void A_19_accept_queue(struct rig *r)
{
    tern_sock l = listen_at(r, 80, 1, 0);
    struct peer *p[50];
    bool done[50] = {0};
    for (unsigned i = 0; i < 50; i++)
        p[i] = client(r);
    unsigned left = 50;
    for (unsigned round = 0; round < 200 && left > 0; round++) {
        for (unsigned i = 0; i < 50; i++) {
            if (!p[i]->iss_known)
                say(p[i], S, 0, 0, 0);
            else if (!done[i])
                say(p[i], A | P, 1, 1, 10);
        }
        rig_turn(r);
        const struct seg *g;
        while ((g = rig_next(r)) != NULL)
            assert_true(!(g->flags & R));
        tern_addr from;
        tern_sock k;
        while (tern_accept(r->s, l, &k, &from, NULL) == 0) {
            for (unsigned i = 0; i < 50; i++) {
                if (p[i]->port != from.port)
                    continue;
                assert_false(done[i]);
                p[i]->k = k;
                peer_read(p[i], 0, 10);
                done[i] = true;
                left--;
            }
        }
        rig_step(r, MS(500));
    }
    rig_forget(r);
    assert_int_equal(left, 0);
    assert_true(rig_drops(r, TERN_DROP_TCP_BACKLOG) > 0);
}

/* The same of those who bring a cookie. */
static void A_19_accept_queue_and_cookies(struct rig *r)
{
    r->cfg.cookies = TERN_COOKIES_ALWAYS;
    tern_sock l = listen_at(r, 80, 1, 0), k;
    struct peer *p = client(r), *q = client(r);
    say(p, S, 0, 0, 0);
    hear_syn(p, S | A);
    say(q, S, 0, 0, 0);
    hear_syn(q, S | A);
    say(p, A, 1, 1, 0);
    say(q, A, 1, 1, 0);
    rig_hush(r);
    assert_int_equal(rig_drops(r, TERN_DROP_TCP_BACKLOG), 1);
    assert_int_equal(tern_accept(r->s, l, &k, NULL, NULL), 0);
    assert_int_equal(tern_accept(r->s, l, &k, NULL, NULL), TERN_EAGAIN);
    say(q, A | P, 1, 1, 10);
    assert_int_equal(tern_accept(r->s, l, &q->k, NULL, NULL), 0);
    peer_read(q, 0, 10);
    rig_turn(r);
    rig_forget(r);
}

/* The other policy: who is in excess is told so. */
static void A_19_accept_queue_that_resets(struct rig *r)
{
    tern_sock l = listen_at(r, 80, 1, TERN_LISTEN_RESET);
    struct peer *p = client(r), *q = client(r);
    say(p, S, 0, 0, 0);
    hear_syn(p, S | A);
    say(q, S, 0, 0, 0);
    hear_syn(q, S | A);
    say(p, A, 1, 1, 0);
    rig_hush(r);
    say(q, A, 1, 1, 0);
    hear_rst(q, 0, 1, 0);
    assert_int_equal(halfopen(r), 0);
    assert_int_equal(tern_accept(r->s, l, &p->k, NULL, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(A_14_syn_flood),
        RIG(A_15_cookie_replay),
        RIG(A_15_cookie_forging),
        RIG(A_15_cookie_without_pressure),
        RIG(A_16_cookie_options),
        RIG(A_16_cookie_and_ecn),
        RIG(A_16_cookie_of_a_tiny_mss),
        RIG(A_16_cookie_without_its_timestamp),
        RIG(A_17_cookie_with_data),
        RIG(cookies_always),
        RIG(cookies_but_not_out_of_time_wait),
        RIG(cookies_never),
        RIG(holds_get_no_cookies),
        RIG(cookies_of_another_machine),
        RIG(cookies_of_a_machine_whose_clock_is_behind),
        RIG(cookies_of_another_machine_late),
        RIG(A_18_timeouts_get_short),
        RIG(A_18_rst_ends_an_entry),
        RIG(syn_queue),
        RIG(A_19_accept_queue),
        RIG(A_19_accept_queue_and_cookies),
        RIG(A_19_accept_queue_that_resets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
