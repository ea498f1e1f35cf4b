/* test_form.c - replies made of a form (stack/form.c) are, byte for byte, what a stack says that
 * has never replied before: after whatever came before them, and whatever was configured since. */
#include <stdlib.h>

#include "rig.h"

enum { ROUNDS = 400, PORT = 80, CLOSED = 81, PACKET = 128 };

struct reply {
    uint16_t len, flags, csum_start, csum_offset;
    uint8_t bytes[PACKET];
};

/* What has been configured, and what is asked. */
struct question {
    bool ip6;
    uint32_t caps;
    enum tern_style style;
    int64_t ttl, dscp, mss, rcvbuf; /* of the listener */
    uint8_t hops;                   /* of the stack */
    uint8_t ours;                   /* which of the addresses */
    struct seg g;
};

static void *take(void *user, size_t size, size_t align)
{
    (void)user;
    return aligned_alloc(align, (size + align - 1) / align * align);
}

static void give(void *user, void *p, size_t size)
{
    (void)user;
    (void)size;
    free(p);
}

static void address(uint8_t ip[16], bool ip6, uint8_t last)
{
    static const uint8_t four[16] = {[10] = 0xff, 0xff, 192, 0, 2}, six[16] = {0x20, 1, 0xd, 0xb8};
    memcpy(ip, ip6 ? six : four, 16);
    ip[15] = last;
}

static tern_config config(const struct question *q)
{
    tern_config cfg;
    tern_config_default(&cfg);
    memset(cfg.seed, 7, sizeof(cfg.seed));
    cfg.cookies = TERN_COOKIES_ALWAYS; /* all is kept in the reply */
    cfg.style = q->style;
    cfg.ttl = q->hops;
    cfg.alloc = take;
    cfg.free = give;
    return cfg;
}

static void configure(tern *s, tern_sock l, const struct question *q)
{
    tern_config cfg = config(q);
    assert_int_equal(tern_option_set(s, l, TERN_OPT_TTL, q->ttl), 0);
    assert_int_equal(tern_option_set(s, l, TERN_OPT_DSCP, q->dscp), 0);
    assert_int_equal(tern_option_set(s, l, TERN_OPT_MSS, q->mss), 0);
    assert_int_equal(tern_option_set(s, l, TERN_OPT_RCVBUF, q->rcvbuf), 0);
    assert_int_equal(tern_tune(s, &cfg), 0);
}

static tern *stack(const struct question *q, tern_sock *l)
{
    tern_config cfg = config(q);
    tern *s;
    assert_int_equal(tern_new(&s, &cfg, SEC(1000)), 0);
    tern_iface link = {.mtu = RIG_MTU, .caps = q->caps};
    assert_int_equal(tern_iface_add(s, &link), 0);
    for (int ip6 = 0; ip6 <= 1; ip6++)
        for (uint8_t last = 1; last <= 2; last++) {
            uint8_t ip[16];
            address(ip, ip6, last);
            assert_int_equal(tern_iface_addr(s, 0, ip, ip6 ? 64 : 120), 0);
        }
    tern_listen_args args = {.local.port = PORT, .backlog = 1};
    assert_int_equal(tern_listen(s, l, &args), 0);
    return s;
}

static void ask(tern *s, tern_sock l, const struct question *q, struct reply *out)
{
    static uint8_t packet[65535];
    configure(s, l, q);
    tern_pkt in = {.iov_count = 1}, pkt;
    in.len = (uint32_t)seg_build(&q->g, packet);
    in.iov[0] = (tern_iov){.base = packet, .len = in.len};
    tern_input(s, &in, 1, SEC(1000));
    assert_int_equal(tern_output(s, 0, &pkt, 1, SEC(1000)), 1);
    assert_in_range(pkt.len, 40, PACKET);
    assert_int_equal(pkt.iov_count, 1);
    memset(out, 0, sizeof(*out));
    out->len = (uint16_t)pkt.len;
    out->flags = pkt.flags;
    out->csum_start = pkt.csum_start;
    out->csum_offset = pkt.csum_offset;
    memcpy(out->bytes, pkt.iov[0].base, pkt.len);
    tern_output_done(s, &pkt, 1);
    assert_int_equal(tern_output(s, 0, &pkt, 1, SEC(1000)), 0);
}

static bool now_and_then(void) { return rig_random() % 8 == 0; }

/* Another peer each time; now and then one that says other things, or asks for others. */
static void another(struct question *q)
{
    struct seg *g = &q->g;
    if (now_and_then())
        q->ip6 = !q->ip6;
    if (now_and_then())
        q->ours = (uint8_t)(1 + rig_random() % 2);
    if (now_and_then())
        g->ts = !g->ts;
    if (now_and_then())
        g->sack_ok = !g->sack_ok;
    if (now_and_then())
        g->wscale = (int)(rig_random() % 16) - 1;
    if (now_and_then())
        g->flags = rig_random() % 2 != 0 ? S : S | ECE | CWR;
    if (now_and_then()) /* answered with RST, with ACK or without */
        g->dport = rig_random() % 2 != 0 ? PORT : CLOSED;
    if (now_and_then() && g->dport == CLOSED)
        g->flags = rig_random() % 2 != 0 ? A : S;
    if (g->dport == PORT && !(g->flags & S))
        g->flags = S;
    if (now_and_then())
        q->ttl = 1 + rig_random() % 255;
    if (now_and_then())
        q->dscp = rig_random() % 64;
    if (now_and_then())
        q->mss = 500 + rig_random() % 900;
    if (now_and_then()) /* options elsewhere, and a window that does not tell the MSS */
        q->style = rig_random() % 2 != 0 ? TERN_STYLE_LINUX : TERN_STYLE_BSD;
    if (now_and_then())
        q->rcvbuf = (int64_t)8192 << rig_random() % 8;
    if (now_and_then())
        q->hops = (uint8_t)(1 + rig_random() % 255);
    g->ip6 = q->ip6;
    address(g->src, q->ip6, (uint8_t)(3 + rig_random() % 200));
    g->src[14] = q->ip6 ? (uint8_t)rig_random() : g->src[14];
    address(g->dst, q->ip6, q->ours);
    g->sport = (uint16_t)(1 + rig_random() % 65535);
    g->seq = rig_random();
    g->ack = g->flags & A ? rig_random() : 0;
    g->tsval = rig_random();
    g->mss = (uint16_t)(rig_random() % 2 != 0 ? 1460 : 536);
}

static struct question usual(uint32_t caps)
{
    struct question q = {.caps = caps};
    q.ttl = q.hops = 64;
    q.mss = 1460;
    q.rcvbuf = 65536;
    q.ours = 1;
    q.g = (struct seg){.flags = S, .wnd = 1000, .wscale = -1, .ttl = 64, .dport = PORT};
    return q;
}

static void as_if_first(uint32_t caps)
{
    struct question q = usual(caps);
    tern_sock l, first;
    tern *s = stack(&q, &l);
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct reply got, want;
        another(&q);
        ask(s, l, &q, &got);
        tern *fresh = stack(&q, &first);
        ask(fresh, first, &q, &want);
        tern_free(fresh);
        assert_memory_equal(&got, &want, sizeof(got));
        if (caps & TERN_CAP_CSUM)
            continue;
        struct seg parsed; /* and what the fresh one says is right */
        const char *why = seg_parse(got.bytes, got.len, &parsed);
        if (why != NULL)
            rig_fail("%s", why);
    }
    tern_free(s);
}

static void replies_as_if_first(void **state)
{
    (void)state;
    as_if_first(0);
}

static void replies_as_if_first_with_offload(void **state)
{
    (void)state;
    as_if_first(TERN_CAP_CSUM);
}

/* Nothing but the order of its options tells one style's SYN-ACK from another's. */
static void the_style_has_changed(void **state)
{
    (void)state;
    struct question q = usual(0);
    another(&q);
    q.g.flags = S;
    q.g.dport = PORT;
    q.g.ts = false;
    q.g.wscale = -1;
    q.g.sack_ok = true;
    q.mss = 512;
    q.rcvbuf = 8192; /* no remainder */
    tern_sock l, first;
    struct reply before, after, want;
    q.style = TERN_STYLE_LINUX;
    tern *s = stack(&q, &l);
    ask(s, l, &q, &before);
    q.style = TERN_STYLE_BSD;
    ask(s, l, &q, &after);
    tern *fresh = stack(&q, &first);
    ask(fresh, first, &q, &want);
    assert_memory_equal(&after, &want, sizeof(want));
    assert_memory_not_equal(&after, &before, sizeof(before));
    tern_free(fresh);
    tern_free(s);
}

/* A reply over another interface, with the same address as before but another device. */
static void the_device_has_changed(void **state)
{
    (void)state;
    struct question q = usual(0);
    another(&q);
    tern_sock l, first;
    struct reply before, after, want;
    tern *s = stack(&q, &l);
    ask(s, l, &q, &before);
    assert_int_equal(tern_iface_remove(s, 0), 0);
    tern_iface link = {.mtu = RIG_MTU, .caps = TERN_CAP_CSUM};
    assert_int_equal(tern_iface_add(s, &link), 0);
    assert_int_equal(tern_iface_addr(s, 0, q.g.dst, q.ip6 ? 64 : 120), 0);
    ask(s, l, &q, &after);
    q.caps = TERN_CAP_CSUM;
    tern *fresh = stack(&q, &first);
    ask(fresh, first, &q, &want);
    assert_memory_equal(&after, &want, sizeof(want));
    assert_memory_not_equal(&after, &before, sizeof(before));
    tern_free(fresh);
    tern_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_as_if_first),
        cmocka_unit_test(replies_as_if_first_with_offload),
        cmocka_unit_test(the_style_has_changed),
        cmocka_unit_test(the_device_has_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
