/* test_copy.c - the grades of zero copy: views of the stack's own chunks, memory lent for sending,
 * received buffers that are kept. */
#include <stdlib.h>

#include "rig.h"

/* ---- sending --------------------------------------------------------------------------------- */

static void fill(struct peer *p, const tern_iov *v, ptrdiff_t n, uint32_t offset)
{
    (void)p;
    for (ptrdiff_t i = 0; i < n; i++) {
        pattern_fill(1, offset, v[i].base, v[i].len);
        offset += (uint32_t)v[i].len;
    }
}

static size_t sum(const tern_iov *v, ptrdiff_t n)
{
    size_t len = 0;
    for (ptrdiff_t i = 0; i < n; i++)
        len += v[i].len;
    return len;
}

static void reserve_and_commit(struct rig *r)
{
    struct peer *p = peer_passive(r);
    tern_iov v[8];
    ptrdiff_t n = tern_send_reserve(r->s, p->k, v, 8, 10000);
    assert_in_range(n, 3, 4);
    assert_int_equal(sum(v, n), 10000);
    fill(p, v, n, 0);
    rig_hush(r); /* not a byte before it is committed */
    assert_int_equal(tern_send_commit(r->s, p->k, 6000), 0);
    rig_turn(r);
    hear_data(p, 1, 6001);
    say(p, A, 1, 6001, 0);
    n = tern_send_reserve(r->s, p->k, v, 1, 100); /* what was borrowed and not used came back */
    assert_int_equal(n, 1);
    fill(p, v, 1, 6000);
    assert_int_equal(tern_send_commit(r->s, p->k, v[0].len), 0);
    rig_turn(r);
    hear_data(p, 6001, 6001 + (uint32_t)v[0].len);
}

/* What is queued is sent while views of the rest of its page, and of pages behind it, are lent. */
static void sent_while_reserved(struct rig *r)
{
    struct peer *p = peer_passive(r);
    tern_iov v[4];
    assert_int_equal(peer_write(p, 0, 1000), 1000);
    ptrdiff_t n = tern_send_reserve(r->s, p->k, v, 4, 6000);
    assert_true(n >= 2);
    fill(p, v, n, 1000);
    rig_turn(r);
    hear_data(p, 1, 1001);
    assert_int_equal(tern_send_commit(r->s, p->k, 6000), 0);
    say(p, A, 1, 1001, 0);
    rig_turn(r);
    hear_data(p, 1001, 7001);
    say(p, A, 1, 7001, 0);
}

/* The three ways mixed: one stream. */
static void every_way_in_one_stream(struct rig *r)
{
    static uint8_t lent[3000];
    struct peer *p = peer_passive(r);
    tern_iov v[4];
    pattern_fill(1, 1000, lent, sizeof(lent));
    assert_int_equal(peer_write(p, 0, 1000), 1000);
    assert_int_equal(tern_send_lent(r->s, p->k, lent, sizeof(lent), lent), 0);
    ptrdiff_t n = tern_send_reserve(r->s, p->k, v, 4, 2000);
    assert_int_equal(sum(v, n), 2000);
    fill(p, v, n, 4000);
    assert_int_equal(tern_send_commit(r->s, p->k, 2000), 0);
    assert_int_equal(peer_write(p, 6000, 500), 500);
    rig_turn(r);
    hear_data(p, 1, 6501);
    assert_int_equal(rig_released(r, lent), 0);
    say(p, A, 1, 4000, 0); /* all but its last byte */
    rig_turn(r);
    assert_int_equal(rig_released(r, lent), 0);
    say(p, A, 1, 4001, 0);
    rig_turn(r);
    assert_int_equal(rig_released(r, lent), 1);
    say(p, A, 1, 6501, 0);
}

static void reserve_says_no(struct rig *r)
{
    struct peer *p = peer_passive(r);
    tern_iov v[2];
    assert_int_equal(tern_send_commit(r->s, p->k, 0), TERN_EINVAL); /* nothing is borrowed */
    assert_int_equal(tern_send_reserve(r->s, p->k, v, 0, 10), TERN_EINVAL);
    assert_int_equal(tern_send_reserve(r->s, p->k, v, 1, 0), TERN_EINVAL);
    assert_int_equal(tern_send_reserve(r->s, p->k, v, 1, 10), 1);
    /* what would come in between would come at the wrong place */
    assert_int_equal(tern_send_reserve(r->s, p->k, v, 1, 10), TERN_EINVAL);
    assert_int_equal(peer_write(p, 0, 1), TERN_EINVAL);
    assert_int_equal(tern_send_lent(r->s, p->k, "x", 1, NULL), TERN_EINVAL);
    assert_int_equal(tern_send_commit(r->s, p->k, 0), 0);
    assert_int_equal(peer_write(p, 0, 1), 1);
    hear(p, A | P, 1, 1, 1);
    assert_int_equal(tern_shutdown(r->s, p->k), 0);
    assert_int_equal(tern_send_reserve(r->s, p->k, v, 1, 10), TERN_ESHUTDOWN);
}

/* The connection is reset while its owner writes into views: they stay until given back. */
static void views_live_across_a_reset(struct rig *r)
{
    struct peer *p = peer_passive(r);
    tern_iov v[4], w[4];
    tern_memory m;
    say(p, A, 1, 1, 3000);
    rig_turn(r);
    rig_forget(r);
    ptrdiff_t readable = tern_recv_peek(r->s, p->k, w, 4, 0);
    ptrdiff_t n = tern_send_reserve(r->s, p->k, v, 4, 9000);
    assert_true(n > 0 && readable > 0);
    say(p, R, 3001, 0, 0);
    rig_turn(r);
    rig_step(r, SEC(10));
    fill(p, v, n, 0);
    for (ptrdiff_t i = 0, at = 0; i < readable; at += (ptrdiff_t)w[i].len, i++)
        for (size_t j = 0; j < w[i].len; j++)
            assert_int_equal(((uint8_t *)w[i].base)[j], pattern(0, (uint32_t)at + (uint32_t)j));
    rig_memory(r, &m);
    assert_true(m.pages >= 3);
    assert_int_equal(tern_send_commit(r->s, p->k, 9000), TERN_ERESET);
    peer_read(p, 0, 3000);
    rig_step(r, SEC(10));
    rig_memory(r, &m);
    assert_int_equal(m.pages, 0);
}

/* Lent memory comes back once, whatever becomes of the connection. */
static void lent_memory_always_comes_back(struct rig *r)
{
    static uint8_t lent[3][2000];
    struct peer *p = peer_passive(r), *q = peer_passive(r), *o = peer_passive(r);
    struct peer *all[3] = {p, q, o};
    for (unsigned i = 0; i < 3; i++) {
        pattern_fill(1, 0, lent[i], sizeof(lent[i]));
        assert_int_equal(tern_send_lent(r->s, all[i]->k, lent[i], 2000, lent[i]), 0);
    }
    assert_int_equal(tern_send_lent(r->s, p->k, lent[0], 0, lent[0]), TERN_EINVAL);
    assert_int_equal(tern_abort(r->s, p->k), 0); /* before it was sent, */
    rig_turn(r);
    rig_forget(r);
    assert_int_equal(rig_released(r, lent[0]), 1);
    say(q, R, 1, 0, 0); /* and after */
    rig_turn(r);
    assert_int_equal(rig_released(r, lent[1]), 1);
    assert_int_equal(rig_released(r, lent[2]), 0);
    tern_sock l = r->listener;
    r->unclean = true;
    assert_int_equal(tern_close(r->s, l), 0);
    tern_free(r->s); /* and with all that is left */
    r->s = NULL;
    assert_int_equal(rig_released(r, lent[2]), 1);
}

/* Lent memory whose segment is inside a device comes back after the device's word. */
static void lent_memory_in_a_device(struct rig *r)
{
    static uint8_t lent[1000];
    struct peer *p = peer_passive(r);
    pattern_fill(1, 0, lent, sizeof(lent));
    r->hold = true;
    assert_int_equal(tern_send_lent(r->s, p->k, lent, sizeof(lent), lent), 0);
    rig_turn(r);
    hear(p, A | P, 1, 1, 1000);
    say(p, A, 1, 1001, 0);
    rig_turn(r);
    assert_int_equal(rig_released(r, lent), 0);
    assert_int_equal(tern_abort(r->s, p->k), 0);
    assert_int_equal(rig_released(r, lent), 0);
    rig_done(r);
    assert_int_equal(rig_released(r, lent), 1);
    r->hold = false;
    rig_turn(r);
    rig_forget(r);
}

/* ---- receiving ------------------------------------------------------------------------------- */

static void donate(struct rig *r, const struct seg *g, uint32_t truesize, uint8_t *buf)
{
    tern_pkt pkt = {.iov_count = 1,
                    .flags = TERN_PKT_DONATED,
                    .iface = (uint16_t)r->iface,
                    .truesize = truesize,
                    .cookie = buf};
    size_t len = seg_build(g, buf);
    pkt.len = (uint32_t)len;
    pkt.iov[0] = (tern_iov){.base = buf, .len = len};
    tern_input(r->s, &pkt, 1, r->now);
}

static void donated_buffers_are_kept(struct rig *r)
{
    static uint8_t buf[3][2048];
    struct peer *p = peer_passive(r);
    tern_iov v[4];
    tern_memory m;
    for (unsigned i = 0; i < 3; i++) {
        struct seg g = peer_seg(p, A, 1 + i * 1400, 1, 1400);
        donate(r, &g, sizeof(buf[i]), buf[i]);
        assert_int_equal(rig_released(r, buf[i]), 0);
    }
    rig_turn(r);
    rig_forget(r);
    rig_memory(r, &m);
    assert_int_equal(m.pages, 0); /* nothing was copied */
    assert_int_equal(tern_recv_peek(r->s, p->k, v, 4, 0), 3);
    for (unsigned i = 0; i < 3; i++)
        assert_true((uint8_t *)v[i].base > buf[i] && (uint8_t *)v[i].base < buf[i] + 2048);
    assert_int_equal(tern_recv_peek(r->s, p->k, v, 4, 1500), 2);
    assert_int_equal(v[0].len, 1300);
    assert_int_equal(tern_recv_consume(r->s, p->k, 1399), 0);
    assert_int_equal(rig_released(r, buf[0]), 0);
    peer_read(p, 1399, 1);
    assert_int_equal(rig_released(r, buf[0]), 1);
    peer_read(p, 1400, 2800);
    assert_int_equal(rig_released(r, buf[1]), 1);
    assert_int_equal(rig_released(r, buf[2]), 1);
    assert_int_equal(tern_recv_consume(r->s, p->k, 1), TERN_EINVAL);
}

/* A byte in a large buffer is copied, and the buffer goes back at once. */
static void donated_buffers_half_empty_are_copied(struct rig *r)
{
    static uint8_t buf[4096];
    struct peer *p = peer_passive(r);
    struct seg g = peer_seg(p, A, 1, 1, 1400);
    donate(r, &g, 4096, buf);
    assert_int_equal(rig_released(r, buf), 1);
    memset(buf, 0xdd, sizeof(buf));
    peer_read(p, 0, 1400);
    g = peer_seg(p, A, 1401, 1, 1400);
    donate(r, &g, 2 * 1400, buf); /* half of it is enough */
    assert_int_equal(rig_released(r, buf), 1);
    peer_read(p, 1400, 1400);
    assert_int_equal(rig_released(r, buf), 2);
    rig_turn(r);
    rig_forget(r);
}

/* The window after 41 kept buffers of 1,000 bytes, of which the owner has read 31. */
static uint32_t window_with_donated(struct rig *r, uint32_t truesize)
{
    static uint8_t buf[41][2048];
    struct peer *p = peer_passive(r);
    tern_tcp_info info;
    for (unsigned i = 0; i < 41; i++) {
        struct seg g = peer_seg(p, A, 1 + i * 1000, 1, 1000);
        r->released_count = 0;
        donate(r, &g, truesize, buf[i]);
        assert_int_equal(r->released_count, 0);
    }
    peer_read(p, 0, 31000);
    say(p, A, 41001, 1, 1000);
    rig_step(r, MS(50));
    rig_forget(r);
    peer_info(p, &info);
    uint32_t wnd = info.rcv_wnd;
    peer_read(p, 31000, 11000);
    rig_turn(r);
    rig_forget(r);
    return wnd;
}

/* What is kept costs what it takes, not what it brings: the window says so. */
static void donated_buffers_are_charged_in_full(struct rig *r)
{
    r->cfg.rcvbuf = r->cfg.rcvbuf_max = 65536;
    uint32_t little = window_with_donated(r, 1100), much = window_with_donated(r, 2000);
    assert_in_range(little - much, 10 * 900 - 1460, 10 * 900 + 1460);
}

/* Dropped, out of order, in pieces or broken: a donated buffer comes back exactly once. */
static void donated_buffers_always_come_back(struct rig *r)
{
    static uint8_t buf[8][2048];
    struct peer *p = peer_passive(r);
    struct seg g = peer_seg(p, A, 3001, 1, 1400); /* past a hole */
    donate(r, &g, 2048, buf[0]);
    assert_int_equal(rig_released(r, buf[0]), 1);
    g = peer_seg(p, A, 1, 1, 0); /* nothing in it */
    donate(r, &g, 2048, buf[1]);
    assert_int_equal(rig_released(r, buf[1]), 1);
    g = peer_seg(p, A, 1u << 30, 1, 1400); /* outside of the window */
    donate(r, &g, 2048, buf[2]);
    assert_int_equal(rig_released(r, buf[2]), 1);
    g = peer_seg(p, A, 1, 1, 1400); /* to a port nobody has */
    g.dport = 9;
    donate(r, &g, 2048, buf[3]);
    assert_int_equal(rig_released(r, buf[3]), 1);
    tern_pkt pkt = {.iov_count = 1, .flags = TERN_PKT_DONATED, .cookie = buf[4], .len = 10};
    memset(buf[4], 0, sizeof(buf[4]));
    pkt.iov[0] = (tern_iov){.base = buf[4], .len = 10};
    tern_input(r->s, &pkt, 1, r->now); /* no packet at all */
    assert_int_equal(rig_released(r, buf[4]), 1);
    rig_turn(r);
    rig_forget(r);
    g = peer_seg(p, A, 1, 1, 1400);
    struct peer *q = peer_passive(r);
    g = peer_seg(q, A, 1, 1, 1400);
    donate(r, &g, 2048, buf[5]);
    assert_int_equal(rig_released(r, buf[5]), 0);
    assert_int_equal(tern_close(r->s, q->k), 0); /* closed with it unread */
    assert_int_equal(rig_released(r, buf[5]), 1);
    rig_turn(r);
    rig_forget(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(reserve_and_commit),
        RIG(sent_while_reserved),
        RIG(every_way_in_one_stream),
        RIG(reserve_says_no),
        RIG(views_live_across_a_reset),
        RIG(lent_memory_always_comes_back),
        RIG(lent_memory_in_a_device),
        RIG(donated_buffers_are_kept),
        RIG(donated_buffers_half_empty_are_copied),
        RIG(donated_buffers_are_charged_in_full),
        RIG(donated_buffers_always_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
