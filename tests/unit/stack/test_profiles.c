/* test_profiles.c - tern_config_profile(): what each profile does on the wire that others do not.
 * The tables of docs/WIRE.md tell of it. */
#include "rig.h"

static struct peer *begin(struct rig *r, enum tern_profile profile)
{
    uint32_t isn = r->isn, irs = r->irs;
    rig_renew(r);
    r->isn = isn, r->irs = irs;
    assert_int_equal(tern_config_profile(&r->cfg, profile), 0);
    return peer_new(r);
}

/* The default is Linux's; what is no profile is refused; a profile replaces the one before. */
static void settings(struct rig *r)
{
    tern_config a, b;
    tern_config_default(&a);
    tern_config_default(&b);
    assert_int_equal(tern_config_profile(&b, TERN_PROFILE_FREEBSD), 0);
    assert_memory_not_equal(&a, &b, sizeof(a));
    assert_int_equal(tern_config_profile(&b, TERN_PROFILE_RFC), 0);
    assert_int_equal(tern_config_profile(&b, TERN_PROFILE_LINUX), 0);
    assert_memory_equal(&a, &b, sizeof(a));
    assert_int_equal(tern_config_profile(&b, (enum tern_profile)3), TERN_EINVAL);
    assert_memory_equal(&a, &b, sizeof(a));
    r->cfg.style = TERN_STYLE_RFC + 1;
    tern *s;
    assert_int_equal(tern_new(&s, &r->cfg, r->now), TERN_EINVAL);
}

/* How long SYNs are sent to nobody. */
static uint64_t open_time(struct rig *r, enum tern_profile profile)
{
    struct peer *p = begin(r, profile);
    p->lport = 0;
    peer_syn_sent(p);
    uint64_t start = r->now;
    while (peer_state(p) == TERN_SYN_SENT) {
        rig_step(r, MS(100));
        rig_forget(r);
    }
    return r->now - start;
}

/* MUST-23: three minutes at least, with the letter. */
static void rfc_syns(struct rig *r)
{
    assert_in_range(open_time(r, TERN_PROFILE_LINUX), SEC(126), SEC(128));
    assert_in_range(open_time(r, TERN_PROFILE_RFC), SEC(180), SEC(300));
}

/* MUST-13: with an MSL of two minutes. */
static void rfc_time_wait(struct rig *r)
{
    struct peer *p = begin(r, TERN_PROFILE_RFC);
    uint32_t in, out;
    p->lport = 0;
    peer_accepts(p);
    peer_to_state(p, TERN_TIME_WAIT, &in, &out);
    rig_step(r, SEC(240) - MS(1));
    assert_int_equal(peer_state(p), TERN_TIME_WAIT);
    rig_step(r, MS(2));
    assert_int_equal(peer_state(p), TERN_CLOSED);
}

/* RFC 6298 2.4: a second at least, whatever was measured. */
static void rfc_timeout(struct rig *r)
{
    struct peer *p = begin(r, TERN_PROFILE_RFC);
    p->lport = 0;
    peer_accepts(p);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(peer_write(p, 10 * i, 10), 10);
        hear(p, A, 1 + 10 * i, 1, 10);
        rig_step(r, MS(10));
        say(p, A, 1, 11 + 10 * i, 0);
    }
    tern_tcp_info info;
    peer_info(p, &info);
    assert_in_range(info.rto, SEC(1), SEC(1) + MS(100));
}

/* RFC 7323 3.2: without the timestamp that was agreed upon a segment is not there, but a RST is; in
 * SYN-RECEIVED and after. */
static void rfc_timestamps(struct rig *r)
{
    struct peer *p = begin(r, TERN_PROFILE_RFC);
    tern_sock l = rig_listen(r, 80, 4, 0);
    say(p, S, 0, 0, 0);
    hear_syn(p, S | A);
    static const uint8_t none[4] = {1, 1, 1, 1};
    struct seg g = peer_seg(p, A, 1, 1, 0);
    g.raw = none, g.raw_len = 4;
    rig_input_seg(r, &g);
    rig_hush(r);
    assert_int_equal(rig_drops(r, TERN_DROP_TCP_NO_TIMESTAMP), 1);
    say(p, A, 1, 1, 0);
    rig_hush(r);
    assert_int_equal(tern_accept(r->s, l, &p->k, NULL, NULL), 0);
    g = peer_seg(p, A, 1, 1, 10);
    g.raw = none, g.raw_len = 4;
    rig_input_seg(r, &g);
    rig_hush(r);
    assert_int_equal(rig_drops(r, TERN_DROP_TCP_NO_TIMESTAMP), 2);
    say(p, A, 1, 1, 10);
    peer_read(p, 0, 10);
    rig_forget(r);
    g = peer_seg(p, R, 11, 0, 0);
    g.raw = none, g.raw_len = 4;
    rig_input_seg(r, &g);
    assert_int_equal(peer_state(p), TERN_CLOSED);
}

/* FreeBSD's SYN: mss, nop, wscale, sackOK, TS, eol; and its SYN-ACK. The stack has ended the list
 * with EOL and zeros, which the bench's reader accepts; the bytes are looked at here. */
static void freebsd_syn(struct rig *r)
{
    for (unsigned active = 0; active < 2; active++) {
        struct peer *p = begin(r, TERN_PROFILE_FREEBSD);
        tern_pkt pkt;
        if (active) {
            tern_addr to = rig_addr(r->remote, p->port);
            assert_int_equal(tern_connect(r->s, &p->k, NULL, &to, NULL), 0);
        } else {
            rig_listen(r, 80, 4, 0);
            say(p, S, 0, 0, 0);
        }
        assert_int_equal(tern_output(r->s, r->iface, &pkt, 1, r->now), 1);
        uint8_t packet[128];
        size_t len = 0;
        for (unsigned i = 0; i < pkt.iov_count; i++) {
            memcpy(packet + len, pkt.iov[i].base, pkt.iov[i].len);
            len += pkt.iov[i].len;
        }
        const uint8_t *o = packet + (r->ip6 ? 60 : 40);
        assert_int_equal(len, (r->ip6 ? 60 : 40) + 20);
        static const uint8_t order[] = {2, 4, 0, 0, 1, 3, 3, 0, 4, 2, 8, 10};
        for (unsigned i = 0; i < sizeof(order); i++)
            if (i != 2 && i != 3 && i != 7)
                assert_int_equal(o[i], order[i]);
        tern_output_done(r->s, &pkt, 1);
        r->unclean = true;
    }
}

/* Its acknowledgements are delayed from the first segment on; Linux's are not. */
static void freebsd_acknowledgements(struct rig *r)
{
    for (unsigned i = 0; i < 2; i++) {
        struct peer *p = begin(r, i == 0 ? TERN_PROFILE_LINUX : TERN_PROFILE_FREEBSD);
        p->lport = 0;
        peer_accepts(p);
        say(p, A, 1, 1, 1000);
        if (i == 0) {
            hear(p, A, 1, 1001, 0);
            continue;
        }
        rig_hush(r);
        rig_wait_exactly(r, MS(40));
        hear(p, A, 1, 1001, 0);
        say(p, A, 1001, 1, 1000);
        rig_hush(r);
        say(p, A, 2001, 1, 1000); /* the second one does not wait */
        hear(p, A, 1, 3001, 0);
    }
}

/* Its buffers, whole segments, are counted as what they are: who comes later has no less. */
static void freebsd_buffers(struct rig *r)
{
    struct peer *p = begin(r, TERN_PROFILE_FREEBSD);
    tern_tcp_info first, info;
    p->lport = 0;
    peer_accepts(p);
    peer_info(p, &first);
    for (unsigned i = 0; i < 500; i++) {
        say(p, R, 1, 0, 0);
        assert_int_equal(peer_state(p), TERN_CLOSED);
        rig_events(r, p->k, NULL);
        assert_int_equal(tern_close(r->s, p->k), 0);
        p->lport = 0;
        peer_accepts(p);
        peer_info(p, &info);
        assert_int_equal(info.rcvbuf, first.rcvbuf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(settings),
        RIG(rfc_syns),
        RIG(rfc_time_wait),
        RIG(rfc_timeout),
        RIG_ISNS(rfc_timestamps),
        RIG(freebsd_syn),
        RIG_ISNS(freebsd_acknowledgements),
        RIG(freebsd_buffers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
