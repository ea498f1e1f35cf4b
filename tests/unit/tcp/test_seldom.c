/* test_seldom.c - what few connections meet: options that few use, silences with BBR, a time-out
 * that was a mistake amid holes, keys for networks that are alike. */
#include "sender.h"

#include "tern/cc.h"

static void set(struct peer *p, enum tern_opt option, int64_t value)
{
    assert_int_equal(tern_option_set(p->r->s, p->k, option, value), 0);
}

/* TERN_OPT_THIN_LINEAR is for those that have less than four segments in flight: others wait twice
 * as long each time. */
static void not_thin(struct rig *r)
{
    struct peer *p = sender_new(r, (struct sender_opt){.no_sack = true});
    set(p, TERN_OPT_THIN_LINEAR, 1);
    queue(p, 3);
    sends(p, 0, 3);
    uint64_t first = rig_wait(r, SEC(10));
    rig_forget(r);
    uint64_t second = rig_wait(r, SEC(10));
    rig_forget(r);
    assert_in_range(second, first - MS(20), first + MS(20));
    ack(p, 3);
    rig_turn(r);
    rig_forget(r);
    queue(p, 8);
    rig_turn(r);
    rig_forget(r);
    first = rig_wait(r, SEC(10));
    rig_forget(r);
    second = rig_wait(r, SEC(10));
    rig_forget(r);
    assert_in_range(second, 2 * first - MS(40), 2 * first + MS(40));
    r->unclean = true;
}

static void keep_alive(struct peer *p)
{
    set(p, TERN_OPT_KEEP_IDLE, (int64_t)SEC(5));
    set(p, TERN_OPT_KEEP_INTVL, (int64_t)SEC(5));
    set(p, TERN_OPT_KEEPALIVE, 1);
}

/* Who is only waiting for old segments to die is not asked whether he lives. */
static void no_probes_in_time_wait(struct rig *r)
{
    uint32_t in, out;
    struct peer *p = peer_active(r);
    keep_alive(p);
    peer_to_state(p, TERN_TIME_WAIT, &in, &out);
    rig_step(r, SEC(50));
    rig_hush(r);
    assert_int_equal(peer_state(p), TERN_TIME_WAIT);
}

/* Nor is who has no room for our FIN: he is asked for room. */
static void no_probes_for_a_fin(struct rig *r)
{
    struct peer *p = peer_active(r);
    keep_alive(p);
    p->wnd = 0;
    say(p, A, 1, 1, 0);
    assert_int_equal(tern_shutdown(r->s, p->k), 0);
    for (unsigned i = 0; i < 5; i++) {
        rig_step(r, SEC(5));
        rig_forget(r);
        say(p, A, 1, 1, 0);
    }
    tern_tcp_info info;
    peer_info(p, &info);
    assert_int_equal(info.state, TERN_FIN_WAIT_1);
    r->unclean = true;
}

/* TERN_OPT_FIN_WAIT2 of -1 (TCP_LINGER2 below 0): who has closed does not wait for the peer's. */
static void no_fin_wait_2(struct rig *r)
{
    struct peer *p = peer_active(r);
    set(p, TERN_OPT_FIN_WAIT2, -1);
    assert_int_equal(tern_close(r->s, p->k), 0);
    hear(p, F | A, 1, 1, 0);
    say(p, A, 1, 2, 0);
    hear_rst(p, R | A, 2, 1);
    rig_hush(r);
}

/* BBR keeps its window through time-outs one after the other, and through silence. */
static void bbr_after_silence(struct rig *r)
{
    struct peer *p = sender_new(r, (struct sender_opt){.cc = &tern_cc_bbr});
    for (unsigned i = 0; i < 20; i++) {
        queue(p, 1);
        rig_turn(r);
        rig_step(r, MS(RTT_MS));
        rig_forget(r);
        ack(p, i + 1);
        assert_true(info(p).app_limited);
    }
    uint64_t cwnd = info(p).cwnd;
    rig_step(r, SEC(60));
    queue(p, 1);
    rig_turn(r);
    rig_forget(r);
    assert_int_equal(info(p).cwnd, cwnd);
    for (unsigned i = 0; i < 4; i++) {
        rig_wait(r, SEC(20));
        rig_forget(r);
        assert_in_range(info(p).cwnd, SEG, cwnd);
    }
    ack(p, 21);
    rig_turn(r);
    rig_forget(r);
    r->unclean = true;
}

/* FreeBSD's first SYN waits for its time to the millisecond, the next ones a little longer. */
static void syns_of_freebsd(struct rig *r)
{
    r->cfg.style = TERN_STYLE_BSD;
    struct peer *p = peer_new(r);
    peer_syn_sent(p);
    rig_wait_exactly(r, r->cfg.rto_initial);
    rig_forget(r);
    rig_wait_exactly(r, 2 * r->cfg.rto_initial + MS(200));
    rig_forget(r);
    r->unclean = true;
}

/* A time-out was too early, as a timestamp shows: nothing is lost, what lies between what was
 * selectively acknowledged neither. */
static void undone_amid_holes(struct rig *r)
{
    struct peer *p = sender_new(r, (struct sender_opt){.ts = true});
    queue(p, 8);
    sends(p, 0, 8);
    uint32_t before = p->tsecr;
    rig_wait(r, SEC(5)); /* a probe of the tail, or the time-out */
    rig_forget(r);
    rig_wait(r, SEC(5));
    rig_forget(r);
    rig_wait(r, SEC(5));
    rig_forget(r);
    assert_true(info(p).segs_lost > 0);
    p->tsecr = before;
    sack(p, 2, 4, 6, 0, 0);
    rig_turn(r);
    assert_int_equal(info(p).segs_lost, 0);
    assert_int_equal(info(p).segs_sacked, 2);
    assert_true(rig_count(r, TERN_COUNT_UNDOS) >= 1);
    r->unclean = true;
}

/* Without marks DCTCP's estimate ends at none at all. */
static void no_marks_for_long(void **state)
{
    (void)state;
    _Alignas(16) uint8_t own[TERN_CC_STATE_MAX] = {0};
    tern_cc cc = {.cwnd = 100000, .ssthresh = 1, .state = own};
    tern_cc_dctcp.init(&cc, 1000, 0);
    tern_ack ack = {.acked = 1000, .mss = 1000, .round_start = 1, .cwnd_limited = 1};
    for (unsigned i = 0; i < 200; i++)
        tern_cc_dctcp.on_ack(&cc, &ack);
    uint32_t cwnd = cc.cwnd;
    tern_cc_dctcp.on_event(&cc, TERN_CC_ECN, &ack);
    assert_int_equal(cc.ssthresh, cwnd); /* (1 - alpha / 2) of it */
}

static void digest(void *user, const tern_iov *iov, size_t n, uint8_t out[16])
{
    (void)user, (void)iov, (void)n;
    memset(out, 7, 16);
}

/* Keys for networks that differ in one bit, before or behind a whole byte, are two. */
static void keys_for_networks(struct rig *r)
{
    static const struct {
        uint8_t at, byte, bits; /* in the address, after 96 bits */
    } nets[] = {{13, 0x10, 20}, {13, 0x20, 20}, {13, 0x10, 24}, {12, 11, 20}, {13, 0x10, 16}};
    enum { NETS = sizeof(nets) / sizeof(nets[0]) };
    r->cfg.md5 = digest;
    r->cfg.md5_keys_max = NETS;
    tern_sock l = rig_listen(r, 80, 4, 0);
    for (unsigned round = 0; round < 3; round++)
        for (unsigned i = 0; i < NETS; i++) {
            tern_md5_key key = {.ip = {[10] = 0xff, 0xff, 10}, .bits = 96 + nets[i].bits};
            key.ip[nets[i].at] = nets[i].byte;
            key.key = (const uint8_t *)"key";
            key.len = round == 0 ? 3 : 0; /* 0: no more */
            assert_int_equal(tern_md5_set(r->s, l, &key), round < 2 ? 0 : TERN_EINVAL);
        }
}

/* On a link of 68 bytes acknowledgements have no more blocks than fit. */
static void blocks_on_the_smallest_link(struct rig *r)
{
    if (r->ip6)
        return; /* whose links take 1280 */
    r->link.mtu = 68;
    struct peer *p = peer_passive(r);
    for (uint32_t i = 1; i < 6; i++)
        say(p, A, 1 + 20 * i, 1, 10);
    rig_turn(r);
    for (struct seg *g; (g = rig_next(r)) != NULL;)
        assert_true((g->ts ? 12u : 0) + (g->sacks != 0 ? 4 + 8 * g->sacks : 0) <= 68 - 40);
    say(p, A, 1, 1, 110);
    rig_turn(r);
    rig_forget(r);
    peer_read(p, 0, 110);
}

/* One asks what has been sent, nobody what is acknowledged. */
static void only_what_was_sent(struct rig *r)
{
    struct peer *p = peer_active(r);
    uint32_t upto = 100;
    assert_int_equal(tern_watch(r->s, p->k, &upto, NULL), 0);
    assert_int_equal(peer_write(p, 0, 50), 50);
    hear(p, A, 1, 1, 50);
    say(p, A, 1, 51, 0);
    assert_int_equal(rig_events(r, p->k, NULL) & TERN_EV_PROGRESS, 0);
    assert_int_equal(peer_write(p, 50, 50), 50);
    hear(p, A, 51, 1, 50);
    assert_true(rig_events(r, p->k, NULL) & TERN_EV_PROGRESS);
    say(p, A, 1, 101, 0);
    assert_int_equal(rig_events(r, p->k, NULL) & TERN_EV_PROGRESS, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(not_thin),
        RIG(no_probes_in_time_wait),
        RIG(no_probes_for_a_fin),
        RIG(no_fin_wait_2),
        RIG(bbr_after_silence),
        RIG(syns_of_freebsd),
        RIG(undone_amid_holes),
        cmocka_unit_test(no_marks_for_long),
        RIG(keys_for_networks),
        RIG(only_what_was_sent),
        RIG(blocks_on_the_smallest_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
