/* test_requirements_ip.c - what RFC 9293 asks of TCP and IP together (3.9.2): TTL and DiffServ of
 * what is sent, options and addresses of what arrives, and what ICMP errors do (with RFC 5461, 5927
 * and 6633). */
#include "rig.h"

/* ---- what is sent ---------------------------------------------------------------------------- */

/* A connection from SYN to RST, with data, a retransmission, acknowledgements and a challenge:
 * `check` is asked about each segment. */
static void whole_life(struct rig *r, void (*set)(struct peer *p, int64_t value),
                       uint8_t (*get)(const struct seg *g), int64_t value)
{
    const struct seg *g;
    struct peer *p = peer_new(r);
    unsigned heard = 0;
    p->lport = 0;
    tern_addr to = rig_addr(r->remote, p->port);
    assert_int_equal(tern_connect(r->s, &p->k, NULL, &to, NULL), 0);
    set(p, value);
    for (unsigned i = 0; i < 8; i++) {
        rig_turn(r);
        for (; (g = rig_next(r)) != NULL; heard++)
            assert_int_equal(get(g), value);
        if (i == 0)
            say(p, S | A, 0, 1, 0);
        else if (i == 1)
            assert_int_equal(peer_write(p, 0, 1000), 1000);
        else if (i == 2)
            rig_step(r, SEC(2)); /* sent again */
        else if (i == 3)
            say(p, A, 1, 1001, 10);
        else if (i == 4)
            say(p, S, 1, 0, 0); /* challenged */
        else if (i == 5)
            assert_int_equal(tern_shutdown(r->s, p->k), 0);
        else if (i == 6)
            assert_int_equal(tern_abort(r->s, p->k), 0);
    }
    assert_in_range(heard, 7, 20);
}

static void set_ttl(struct peer *p, int64_t value)
{
    assert_int_equal(tern_option_set(p->r->s, p->k, TERN_OPT_TTL, value), 0);
}

static uint8_t ttl_of(const struct seg *g) { return g->ttl; }

/* MUST-49: of a connection, of the configuration, and of what a listener answers. */
static void hop_limit(struct rig *r)
{
    static const uint8_t values[] = {1, 64, 255};
    for (unsigned i = 0; i < 3; i++) {
        whole_life(r, set_ttl, ttl_of, values[i]);
        rig_renew(r);
        r->cfg.ttl = values[i];
        struct peer *p = peer_passive(r);
        say(p, A, 1, 1, 10);
        assert_int_equal(hear(p, A, 1, 11, 0)->ttl, values[i]);
        struct peer *q = peer_new(r);
        q->lport = 999;
        q->raw_numbers = true;
        say(q, S, 0, 0, 0);
        rig_turn(r);
        assert_int_equal(rig_next(r)->ttl, values[i]); /* a RST of nobody */
    }
    rig_renew(r);
    tern_sock l = rig_listen(r, 80, 4, 0);
    assert_int_equal(tern_option_set(r->s, l, TERN_OPT_TTL, 33), 0);
    struct peer *p = peer_new(r);
    say(p, S, 0, 0, 0);
    assert_int_equal(hear_syn(p, S | A)->ttl, 33);
}

static void set_dscp(struct peer *p, int64_t value)
{
    assert_int_equal(tern_option_set(p->r->s, p->k, TERN_OPT_DSCP, value), 0);
}

static uint8_t dscp_of(const struct seg *g)
{
    assert_int_equal(g->tos & 3, 0); /* ECN is not touched */
    return g->tos >> 2;
}

/* MUST-48, SHLD-22: all values, on each segment, bit by bit. */
static void diffserv(struct rig *r)
{
    for (int64_t value = 0; value < 64; value++)
        whole_life(r, set_dscp, dscp_of, value);
    struct peer *p = peer_active(r);
    assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_DSCP, 64), TERN_EINVAL);
}

/* SHLD-21: changed in the middle. */
static void diffserv_changes(struct rig *r)
{
    struct peer *p = peer_active(r);
    for (uint32_t i = 0; i < 5; i++) {
        set_dscp(p, 10 + i);
        assert_int_equal(peer_write(p, 10 * i, 10), 10);
        assert_int_equal(hear(p, A, 1 + 10 * i, 1, 10)->tos, (10 + i) << 2);
        say(p, A, 1, 11 + 10 * i, 0);
    }
}

/* MAY-9: what the peer's packets say is not passed on, and changes nothing. */
static void diffserv_received(struct rig *r)
{
    struct peer *p = peer_active(r);
    for (unsigned tos = 0; tos < 256; tos += 4) {
        p->extra.tos = (uint8_t)tos;
        say(p, A, 1 + tos, 1, 4);
        peer_read(p, tos, 4);
    }
    rig_turn(r);
    for (const struct seg *g; (g = rig_next(r)) != NULL;)
        assert_int_equal(g->tos, 0);
}

enum { ROUTING = 43, DESTINATION = 60 }; /* extension headers */

/* ---- options of IP --------------------------------------------------------------------------- */

static uint8_t packet[65536 + 256];

/* The segment with `len` bytes of IP options, or of an extension header of that kind. */
static void input_with(struct rig *r, const struct seg *g, uint8_t kind, const uint8_t *options,
                       size_t len)
{
    static uint8_t plain[65536 + 128];
    size_t total = seg_build(g, plain), ip = r->ip6 ? 40 : 20;
    memcpy(packet, plain, ip);
    memcpy(packet + ip, options, len);
    memcpy(packet + ip + len, plain + ip, total - ip);
    total += len;
    size_t field = r->ip6 ? total - 40 : total;
    packet[r->ip6 ? 4 : 2] = (uint8_t)(field >> 8);
    packet[r->ip6 ? 5 : 3] = (uint8_t)field;
    if (r->ip6) {
        packet[6] = kind;
    } else {
        packet[0] = (uint8_t)(0x40 | (20 + len) / 4);
        packet[10] = packet[11] = 0;
        uint32_t sum = ~seg_sum(packet, 20 + len, 0) & 0xffff;
        packet[10] = (uint8_t)(sum >> 8);
        packet[11] = (uint8_t)sum;
    }
    rig_input(r, packet, total);
}

/* Whether a SYN with these options, and then data with them, are taken. */
static void with_options(struct rig *r, const uint8_t *options, size_t len)
{
    struct peer *p = peer_new(r);
    if (r->listener.id == 0)
        r->listener = rig_listen(r, p->lport, 16, 0);
    struct seg g = peer_seg(p, S, 0, 0, 0);
    input_with(r, &g, DESTINATION, options, len);
    hear_syn(p, S | A);
    say(p, A, 1, 1, 0);
    rig_hush(r);
    assert_int_equal(tern_accept(r->s, r->listener, &p->k, NULL, NULL), 0);
    g = peer_seg(p, A, 1, 1, 10);
    input_with(r, &g, DESTINATION, options, len);
    hear(p, A, 1, 11, 0);
    peer_read(p, 0, 10);
}

/* MUST-50, U-30, MAY-10, MAY-11: router alert, security, timestamp, record route, unknown ones
 * (IPv6: options to be skipped) mean nothing to TCP. */
static void options_that_mean_nothing(struct rig *r)
{
    static const uint8_t four[][12] = {
        {148, 4, 0, 0, 1, 1, 1, 0},                /* router alert */
        {130, 11, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0},   /* security */
        {68, 12, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0},    /* timestamp */
        {7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0},     /* record route */
        {30, 8, 1, 2, 3, 4, 5, 6, 1, 1, 1, 1},     /* an experiment */
        {222, 2, 158, 3, 9, 94, 4, 1, 1, 0, 0, 0}, /* and others */
    };
    static const uint8_t six[][8] = {
        {6, 0, 1, 4, 0, 0, 0, 0},  /* PadN */
        {6, 0, 30, 4, 1, 2, 3, 4}, /* an experiment */
        {6, 0, 7, 1, 1, 5, 0, 0},  /* CALIPSO's kind, and router alert's */
        {6, 0, 0, 0, 0, 0, 0, 0},  /* Pad1 */
    };
    if (r->ip6)
        for (unsigned i = 0; i < sizeof(six) / sizeof(six[0]); i++)
            with_options(r, six[i], 8);
    else
        for (unsigned i = 0; i < sizeof(four) / sizeof(four[0]); i++)
            with_options(r, four[i], i == 0 ? 8 : 12);
}

/* MUST-51, MUST-52, MUST-53, SHLD-24: source routes are not used: what has one is dropped and
 * counted, on SYNs and on connections, loose or strict (IPv6: a routing header with segments
 * left). */
static void source_routes(struct rig *r)
{
    static const uint8_t four[2][8] = {{131, 7, 8, 192, 0, 2, 9, 0}, {137, 7, 4, 192, 0, 2, 9, 1}};
    static const uint8_t six[24] = {6, 2, 4, 1, [8] = 0x20, 1, 0x0d, 0xb8, [23] = 9};
    struct peer *p = peer_passive(r), *q = peer_new(r);
    for (unsigned i = 0; i < 2; i++) {
        struct seg g = peer_seg(q, S, 0, 0, 0);
        const uint8_t *route = r->ip6 ? six : four[i];
        size_t len = r->ip6 ? sizeof(six) : sizeof(four[i]);
        uint64_t routes = rig_drops(r, TERN_DROP_IP_SOURCE_ROUTE);
        input_with(r, &g, ROUTING, route, len);
        assert_int_equal(rig_drops(r, TERN_DROP_IP_SOURCE_ROUTE), routes + 1);
        g = peer_seg(p, A, 1, 1, 10);
        input_with(r, &g, ROUTING, route, len);
        assert_int_equal(rig_drops(r, TERN_DROP_IP_SOURCE_ROUTE), routes + 2);
        rig_hush(r);
    }
    char byte;
    assert_int_equal(tern_recv(r->s, p->k, &byte, 1), TERN_EAGAIN);
    assert_int_equal(rig_count(r, TERN_COUNT_SYNS), 1);
}

/* ---- ICMP errors ----------------------------------------------------------------------------- */

/* One that quotes a segment of ours with this number, relative to the ISS. */
static void icmp(struct peer *p, unsigned type, unsigned code, uint32_t seq)
{
    struct rig *r = p->r;
    struct seg g = peer_seg(p, A, 0, 0, 0);
    g.sport = p->lport, g.dport = p->port;
    g.seq = p->iss + seq;
    memcpy(g.src, r->local, 16);
    memcpy(g.dst, r->remote, 16);
    g.ts = false;
    static uint8_t quoted[256];
    size_t ip = r->ip6 ? 40 : 20, quote = seg_build(&g, quoted), len = ip + 8 + quote;
    memcpy(packet, quoted, ip);
    memcpy(packet + (r->ip6 ? 8 : 12), quoted + (r->ip6 ? 24 : 16), r->ip6 ? 16 : 4);
    memcpy(packet + (r->ip6 ? 24 : 16), quoted + (r->ip6 ? 8 : 12), r->ip6 ? 16 : 4);
    packet[r->ip6 ? 6 : 9] = r->ip6 ? 58 : 1;
    size_t field = r->ip6 ? len - 40 : len;
    packet[r->ip6 ? 4 : 2] = (uint8_t)(field >> 8);
    packet[r->ip6 ? 5 : 3] = (uint8_t)field;
    memset(packet + ip, 0, 8);
    packet[ip] = (uint8_t)type, packet[ip + 1] = (uint8_t)code;
    memcpy(packet + ip + 8, quoted, quote);
    uint32_t sum = r->ip6 ? seg_sum(packet + 8, 32, 0) + 58 + (uint32_t)(len - ip) : 0;
    sum = ~seg_sum(packet + ip, len - ip, sum) & 0xffff;
    packet[ip + 2] = (uint8_t)(sum >> 8), packet[ip + 3] = (uint8_t)sum;
    if (!r->ip6) {
        packet[10] = packet[11] = 0;
        sum = ~seg_sum(packet, 20, 0) & 0xffff;
        packet[10] = (uint8_t)(sum >> 8), packet[11] = (uint8_t)sum;
    }
    rig_input(r, packet, len);
}

/* Type and code of all errors, and what they are to the owner. */
static const struct error {
    uint8_t type, code;
    int err;
    bool hard;
} four[] =
    {
        {3, 0, TERN_ENETUNREACH, false}, {3, 1, TERN_EUNREACH, false},
        {3, 2, TERN_EPROTO, true},       {3, 3, TERN_EREFUSED, true},
        {3, 5, TERN_EUNREACH, false},    {3, 13, TERN_EUNREACH, false},
        {11, 0, TERN_EUNREACH, false},   {11, 1, TERN_EUNREACH, false},
        {12, 0, TERN_EUNREACH, false},
},
  six[] = {
      {1, 0, TERN_ENETUNREACH, false}, {1, 1, TERN_EUNREACH, false}, {1, 3, TERN_EUNREACH, false},
      {1, 4, TERN_EREFUSED, true},     {3, 0, TERN_EUNREACH, false}, {3, 1, TERN_EUNREACH, false},
      {4, 0, TERN_EUNREACH, false},    {4, 1, TERN_EPROTO, true},    {4, 2, TERN_EUNREACH, false},
};
enum { ERRORS = sizeof(four) / sizeof(four[0]) };

static int64_t soft_error(const struct peer *p)
{
    int64_t value;
    assert_int_equal(tern_option_get(p->r->s, p->k, TERN_OPT_SOFT_ERROR, &value), 0);
    return value;
}

/* MUST-47, MUST-56, SHLD-25, SHLD-26: in an established connection each error, hard or soft, can be
 * asked for and ends nothing; the next answer of the peer wipes it off. SHLD-20: nothing is told
 * unasked. */
static void errors_when_established(struct rig *r)
{
    struct peer *p = peer_active(r);
    uint32_t out = 1;
    for (unsigned i = 0; i < ERRORS; i++, out += 10) {
        const struct error *e = r->ip6 ? &six[i] : &four[i];
        assert_int_equal(peer_write(p, out - 1, 10), 10);
        hear(p, A, out, 1, 10);
        assert_int_equal(soft_error(p), 0);
        icmp(p, e->type, e->code, out);
        rig_hush(r);
        assert_int_equal(soft_error(p), e->err);
        assert_int_equal(peer_state(p), TERN_ESTABLISHED);
        assert_int_equal(rig_events(r, p->k, NULL), 0);
        say(p, A, 1, out + 10, 0);
    }
    assert_int_equal(soft_error(p), 0);
}

/* MUST-47, SHLD-20: whoever asks for reports is told of each as it comes, and not any more when
 * they are switched off. */
static void errors_as_events(struct rig *r)
{
    struct peer *p = peer_active(r);
    unsigned type = r->ip6 ? 1 : 3, code = r->ip6 ? 3 : 1;
    assert_int_equal(peer_write(p, 0, 10), 10);
    hear(p, A, 1, 1, 10);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_REPORTS, i % 2 == 0), 0);
        icmp(p, type, code, 1);
        rig_turn(r);
        assert_int_equal(rig_events(r, p->k, NULL), i % 2 == 0 ? TERN_EV_REPORT : 0);
        assert_int_equal(soft_error(p), TERN_EUNREACH);
    }
}

/* SHLD-9, SHLD-10: the third retransmission in a row is reported, if that was asked for, long
 * before the connection ends; an answer makes that good. */
static void trouble_is_reported(struct rig *r)
{
    for (unsigned asked = 0; asked < 2; asked++) {
        struct peer *p = peer_active(r);
        assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_REPORTS, asked), 0);
        for (uint32_t round = 0; round < 2; round++) {
            assert_int_equal(peer_write(p, 10 * round, 10), 10);
            rig_turn(r);
            rig_forget(r);
            tern_tcp_info info;
            do {
                assert_int_equal(rig_events(r, p->k, NULL), 0);
                assert_int_equal(soft_error(p), 0);
                rig_step(r, MS(10));
                rig_forget(r);
                peer_info(p, &info);
            } while (info.retransmits < 3);
            assert_int_equal(rig_events(r, p->k, NULL), asked ? TERN_EV_REPORT : 0);
            assert_int_equal(soft_error(p), asked ? TERN_ETIMEDOUT : 0);
            assert_int_equal(peer_state(p), TERN_ESTABLISHED);
            say(p, A, 1, 11 + 10 * round, 0);
            assert_int_equal(soft_error(p), 0);
        }
    }
}

/* MUST-56: nor in the states after it. */
static void errors_when_closing(struct rig *r)
{
    static const enum tern_state states[] = {TERN_FIN_WAIT_1, TERN_CLOSING, TERN_LAST_ACK};
    for (unsigned i = 0; i < 3 * ERRORS; i++) {
        const struct error *e = r->ip6 ? &six[i % ERRORS] : &four[i % ERRORS];
        struct peer *p = peer_active(r);
        uint32_t in, out;
        peer_to_state(p, states[i / ERRORS], &in, &out);
        icmp(p, e->type, e->code, out - 1);
        rig_hush(r);
        assert_int_equal(peer_state(p), states[i / ERRORS]);
        assert_int_equal(soft_error(p), e->err);
        assert_int_equal(tern_abort(r->s, p->k), 0);
        rig_turn(r);
        rig_forget(r);
    }
}

/* SHLD-26, MUST-56: while it opens, each of them ends it, and says why. */
static void errors_when_opening(struct rig *r)
{
    for (unsigned i = 0; i < ERRORS; i++) {
        const struct error *e = r->ip6 ? &six[i] : &four[i];
        struct peer *p = peer_new(r);
        int err;
        p->lport = 0;
        peer_syn_sent(p);
        icmp(p, e->type, e->code, 0);
        rig_hush(r);
        assert_int_equal(rig_events(r, p->k, &err), TERN_EV_ERROR);
        assert_int_equal(err, e->err);
        assert_int_equal(peer_state(p), TERN_CLOSED);
    }
}

/* MUST-56: with the letter of the RFC soft ones do not; the open goes on, and if it fails, they are
 * why. */
static void errors_when_opening_by_the_letter(struct rig *r)
{
    for (unsigned i = 0; i < ERRORS; i++) {
        const struct error *e = r->ip6 ? &six[i] : &four[i];
        rig_renew(r);
        assert_int_equal(tern_config_profile(&r->cfg, TERN_PROFILE_RFC), 0);
        struct peer *p = peer_new(r);
        int err;
        p->lport = 0;
        peer_syn_sent(p);
        icmp(p, e->type, e->code, 0);
        rig_hush(r);
        assert_int_equal(peer_state(p), e->hard ? TERN_CLOSED : TERN_SYN_SENT);
        if (e->hard)
            continue;
        assert_int_equal(soft_error(p), e->err);
        if (i % 2 == 0) {
            say(p, S | A, 0, 1, 0);
            hear(p, A, 1, 1, 0);
            assert_int_equal(peer_state(p), TERN_ESTABLISHED);
            continue;
        }
        rig_step(r, SEC(300));
        rig_forget(r);
        assert_true(rig_events(r, p->k, &err) & TERN_EV_ERROR);
        assert_int_equal(err, e->err);
    }
}

/* MUST-54: only the connection of that tuple, and only with a number that is in flight. */
static void errors_find_their_connection(struct rig *r)
{
    struct peer *p = peer_active(r), *q = peer_active(r);
    unsigned type = r->ip6 ? 1 : 3, code = r->ip6 ? 3 : 1;
    assert_int_equal(peer_write(p, 0, 100), 100);
    hear(p, A, 1, 1, 100);
    assert_int_equal(peer_write(q, 0, 100), 100);
    hear(q, A, 1, 1, 100);
    static const uint32_t wrong[] = {0, 101, 102, 5000, 0x80000000u, 0xffffffffu};
    for (unsigned i = 0; i < 6; i++) {
        uint64_t before = rig_drops(r, TERN_DROP_ICMP_UNMATCHED);
        icmp(p, type, code, wrong[i]);
        assert_int_equal(rig_drops(r, TERN_DROP_ICMP_UNMATCHED), before + 1);
    }
    p->port++, p->lport++;
    icmp(p, type, code, 1);
    p->port--, p->lport--;
    assert_int_equal(soft_error(p), 0);
    assert_int_equal(soft_error(q), 0);
    static const uint32_t right[] = {1, 50, 100};
    for (unsigned i = 0; i < 3; i++) {
        icmp(p, type, code, right[i]);
        assert_int_equal(soft_error(p), TERN_EUNREACH);
        assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_SOFT_ERROR, 0), 0);
    }
    assert_int_equal(soft_error(q), 0);
}

/* MUST-55: source quench changes nothing, in any state. */
static void source_quench(struct rig *r)
{
    if (r->ip6)
        return; /* there is none */
    struct peer *p = peer_active(r);
    tern_tcp_info before, after;
    assert_int_equal(peer_write(p, 0, 5000), 5000);
    rig_turn(r);
    rig_forget(r);
    peer_info(p, &before);
    icmp(p, 4, 0, 1);
    rig_hush(r);
    peer_info(p, &after);
    assert_memory_equal(&before, &after, sizeof(before));
    assert_int_equal(soft_error(p), 0);
    assert_int_equal(rig_drops(r, TERN_DROP_ICMP_IGNORED), 1);
    p = peer_new(r);
    p->lport = 0;
    peer_syn_sent(p);
    icmp(p, 4, 0, 0);
    assert_int_equal(peer_state(p), TERN_SYN_SENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(hop_limit),
        RIG(diffserv),
        RIG(diffserv_changes),
        RIG(diffserv_received),
        RIG(options_that_mean_nothing),
        RIG(source_routes),
        RIG_ISNS(errors_when_established),
        RIG(errors_as_events),
        RIG_ISNS(trouble_is_reported),
        RIG_ISNS(errors_when_closing),
        RIG_ISNS(errors_when_opening),
        RIG(errors_when_opening_by_the_letter),
        RIG_ISNS(errors_find_their_connection),
        RIG(source_quench),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
