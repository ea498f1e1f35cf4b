/* test_corners_calls.c - calls at odd moments: when a connection is over and the peer does not know
 * yet, when it was about to sleep, when its interface goes away, when what the call asks for is the
 * case already. */
#include "sender.h"

static tern_memory memory(const struct rig *r)
{
    tern_memory m;
    rig_memory(r, &m);
    return m;
}

/* Time passes and timers fire, and nobody comes to fetch what is to be sent. */
static void passes(struct rig *r, uint64_t ns)
{
    r->now += ns;
    tern_advance(r->s, r->now);
}

static void set(struct peer *p, enum tern_opt option, int64_t value)
{
    assert_int_equal(tern_option_set(p->r->s, p->k, option, value), 0);
}

static int64_t get(struct peer *p, enum tern_opt option)
{
    int64_t value = -77;
    assert_int_equal(tern_option_get(p->r->s, p->k, option, &value), 0);
    return value;
}

/* The owner forgets that the peer has closed; what the stack then says has not left yet. */
static struct peer *ended(struct rig *r)
{
    struct peer *p = peer_active(r);
    uint64_t next = tern_next_timeout(r->s);
    set(p, TERN_OPT_CLOSE_WAIT, (int64_t)MS(10));
    assert_int_equal(tern_next_timeout(r->s), next); /* not yet */
    say(p, F | A, 1, 1, 0);
    hear(p, A, 1, 2, 0);
    passes(r, SEC(2));
    assert_int_equal(peer_state(p), TERN_CLOSED);
    return p;
}

/* ---- ends ------------------------------------------------------------------------------------ */

/* Who lingers until the peer has acknowledged all is told so, without an error. */
static void lingering_to_a_good_end(struct rig *r)
{
    int err;
    struct peer *p = peer_active(r);
    say(p, F | A, 1, 1, 0);
    hear(p, A, 1, 2, 0);
    set(p, TERN_OPT_LINGER, (int64_t)SEC(5));
    rig_events(r, p->k, NULL);
    assert_int_equal(tern_close(r->s, p->k), 0);
    hear(p, F | A, 1, 2, 0);
    assert_int_equal(rig_events(r, p->k, NULL), 0);
    say(p, A, 2, 2, 0);
    rig_hush(r);
    assert_int_equal(rig_events(r, p->k, &err), TERN_EV_CLOSED);
    assert_int_equal(err, 0);
    assert_int_equal(memory(r).conns, 0);
}

/* Nothing is left to linger for: the peer has all, and knows that we are done. */
static void nothing_to_linger_for(struct rig *r)
{
    for (unsigned both = 0; both < 2; both++) {
        struct peer *p = peer_active(r);
        uint32_t in, out;
        peer_to_state(p, both ? TERN_TIME_WAIT : TERN_FIN_WAIT_2, &in, &out);
        set(p, TERN_OPT_LINGER, (int64_t)SEC(5));
        assert_int_equal(tern_close(r->s, p->k), 0);
        rig_step(r, SEC(6));
        rig_hush(r); /* no RST, as after a linger that was in vain */
        if (!both) {
            assert_int_equal(memory(r).conns, 1);
            say(p, F | A, in, out, 0);
            hear(p, A, out, in + 1, 0);
        }
        assert_int_equal(memory(r).conns, 0);
    }
}

static void linger_of_zero_resets(struct rig *r)
{
    struct peer *p = peer_active(r);
    set(p, TERN_OPT_LINGER, 0);
    assert_int_equal(get(p, TERN_OPT_LINGER), 0);
    assert_int_equal(tern_close(r->s, p->k), 0);
    hear_rst(p, R | A, 1, 1);
    assert_int_equal(memory(r).conns, 0);
}

/* The RST is said, though the owner has gone before it left. */
static void last_words_of_the_closed(struct rig *r)
{
    for (unsigned aborts = 0; aborts < 2; aborts++) {
        struct peer *p = ended(r);
        assert_int_equal(aborts ? tern_abort(r->s, p->k) : tern_close(r->s, p->k), 0);
        hear_rst(p, R | A, 1, 2);
        rig_hush(r);
        assert_int_equal(memory(r).conns, 0);
    }
}

static void shutdown_when_all_is_over(struct rig *r)
{
    struct peer *p = peer_active(r);
    uint32_t in, out;
    peer_to_state(p, TERN_TIME_WAIT, &in, &out);
    rig_step(r, 2 * r->cfg.msl + SEC(1));
    assert_int_equal(peer_state(p), TERN_CLOSED);
    assert_int_equal(tern_shutdown(r->s, p->k), TERN_ENOTCONN);
}

/* As FreeBSD closes: one that never had anything to remember, and one with data that waits. */
static void closing_as_bsd(struct rig *r)
{
    r->cfg.style = TERN_STYLE_BSD;
    struct peer *p = peer_passive(r), *q = peer_passive(r);
    say(q, A, 1, 1, 10);
    rig_turn(r);
    rig_forget(r);
    assert_int_equal(tern_close(r->s, p->k), 0);
    hear(p, F | A, 1, 1, 0);
    assert_int_equal(tern_close(r->s, q->k), 0);
    hear(q, F | A, 1, 11, 0);
    r->unclean = true;
}

/* ---- interfaces that go ---------------------------------------------------------------------- */

static void goes(struct rig *r)
{
    assert_int_equal(tern_iface_remove(r->s, r->iface), 0);
    r->iface = tern_iface_add(r->s, &r->link);
    assert_true(r->iface >= 0);
}

static void comes_back(struct rig *r)
{
    assert_int_equal(tern_iface_addr(r->s, r->iface, r->local, r->ip6 ? 64 : 96 + 24), 0);
}

/* What waited to be sent is gone with the way there, and so is who waited to be heard. */
static void nowhere_to_say_it(struct rig *r)
{
    for (unsigned first = 0; first < 2; first++) {
        struct peer *p = ended(r);
        if (first)
            assert_int_equal(tern_close(r->s, p->k), 0);
        goes(r);
        rig_hush(r);
        if (!first) {
            char byte;
            assert_int_equal(tern_recv(r->s, p->k, &byte, 1), TERN_ETIMEDOUT);
            assert_int_equal(tern_close(r->s, p->k), 0);
        }
        assert_int_equal(memory(r).conns, 0);
        comes_back(r);
    }
}

/* An attempt that was given up before its SYN left. */
static void nobody_is_listed(struct rig *r)
{
    struct peer *p = peer_new(r);
    tern_addr to = rig_addr(r->remote, p->port);
    assert_int_equal(tern_connect(r->s, &p->k, NULL, &to, p), 0);
    assert_int_equal(tern_close(r->s, p->k), 0);
    goes(r);
    rig_hush(r);
    assert_int_equal(memory(r).conns, 0);
    comes_back(r);
}

/* With another way there, they take it. */
static void another_way(struct rig *r)
{
    struct peer *p = peer_new(r);
    int first = r->iface, second = tern_iface_add(r->s, &r->link);
    tern_addr to = rig_addr(r->remote, p->port), from = rig_addr(r->local, 0);
    p->lport = 0;
    assert_int_equal(tern_iface_addr_remove(r->s, first, r->local), 0);
    assert_int_equal(tern_iface_addr(r->s, second, r->local, r->ip6 ? 64 : 96 + 24), 0);
    assert_int_equal(tern_route_add(r->s, r->remote, 128, NULL, first), 0);
    assert_int_equal(tern_connect(r->s, &p->k, &from, &to, p), 0);
    hear_syn(p, S);
    say(p, S | A, 0, 1, 0);
    hear(p, A, 1, 1, 0);
    assert_int_equal(peer_write(p, 0, 100), 100);
    assert_int_equal(tern_iface_remove(r->s, first), 0);
    r->iface = second;
    hear(p, A, 1, 1, 100);
    say(p, A, 1, 101, 0);
}

/* Who is over and has only data to be read starts no timer for want of a way. */
static void options_of_the_dead(struct rig *r)
{
    char byte;
    struct peer *p = peer_active(r);
    say(p, A, 1, 1, 10);
    rig_turn(r);
    rig_forget(r);
    say(p, R, 11, 0, 0);
    rig_turn(r);
    assert_int_equal(peer_state(p), TERN_CLOSED);
    goes(r);
    set(p, TERN_OPT_NODELAY, 1);
    rig_step(r, SEC(1000));
    assert_int_equal(peer_state(p), TERN_CLOSED);
    peer_read(p, 0, 10);
    assert_int_equal(tern_recv(r->s, p->k, &byte, 1), TERN_ERESET);
    comes_back(r);
}

/* ---- sleep ----------------------------------------------------------------------------------- */

/* What is to be sent keeps awake, though nobody came to fetch it. */
static void not_asleep_with_something_to_say(struct rig *r)
{
    struct peer *p = peer_active(r);
    say(p, A, 1, 1, 10);
    hear(p, A, 1, 11, 0);
    peer_read(p, 0, 10);
    say(p, A, 1, 1, 10); /* our acknowledgement was lost */
    passes(r, 2 * r->cfg.idle);
    assert_int_equal(memory(r).active, 1);
    hear(p, A, 1, 11, 0);
    say(p, A, 11, 1, 10);
    hear(p, A, 1, 21, 0);
    peer_read(p, 10, 10);
    assert_int_equal(tern_shutdown(r->s, p->k), 0);
    passes(r, 2 * r->cfg.idle);
    assert_int_equal(memory(r).active, 1);
    hear(p, F | A, 1, 21, 0);
    say(p, A, 21, 2, 0);
}

static void remember(tern_cc *cc, uint64_t summary[2])
{
    (void)cc;
    summary[0] = summary[1] = 1;
}

/* An algorithm may say what to remember, and not want to hear it. */
static void freezes_and_does_not_thaw(struct rig *r)
{
    tern_cc_ops half = tern_cc_reno;
    half.freeze = remember;
    half.thaw = NULL;
    struct peer *p = sender_new(r, (struct sender_opt){.cc = &half});
    queue(p, 4);
    sends(p, 0, 4);
    ack(p, 4);
    uint32_t cwnd = info(p).cwnd;
    rig_step(r, 2 * r->cfg.idle);
    assert_int_equal(memory(r).active, 0);
    queue(p, 1);
    assert_int_equal(info(p).cwnd, cwnd);
    rig_forget(r);
    assert_int_equal(tern_abort(r->s, p->k), 0);
    rig_turn(r);
    rig_forget(r);
    rig_end(r);
    rig_init(r, r->ip6);
}

/* ---- options --------------------------------------------------------------------------------- */

/* The end of a record where nothing is queued ends nothing. */
static void a_record_of_nothing(struct rig *r)
{
    struct peer *p = peer_active(r);
    set(p, TERN_OPT_EOR, 1);
    peer_write(p, 0, 10);
    peer_write(p, 10, 10);
    hear(p, A, 1, 1, 20);
    say(p, A, 1, 21, 0);
}

static void not_free_of_cookies(struct rig *r)
{
    struct peer *p = peer_active(r);
    r->cfg.stats = false;
    assert_int_equal(get(p, TERN_OPT_FASTOPEN_FREE), 0);
}

/* What is watched before there is a connection counts from its first byte. */
static void watched_from_the_beginning(struct rig *r)
{
    static const uint32_t five = 5;
    struct peer *p = peer_new(r);
    p->lport = 0;
    tern_addr to = rig_addr(r->remote, p->port);
    assert_int_equal(tern_connect(r->s, &p->k, NULL, &to, p), 0);
    assert_int_equal(tern_watch(r->s, p->k, NULL, &five), 0);
    hear_syn(p, S);
    say(p, S | A, 0, 1, 0);
    hear(p, A, 1, 1, 0);
    peer_write(p, 0, 10);
    hear(p, A, 1, 1, 10);
    assert_false(rig_events(r, p->k, NULL) & TERN_EV_PROGRESS);
    say(p, A, 1, 6, 0);
    rig_turn(r);
    assert_true(rig_events(r, p->k, NULL) & TERN_EV_PROGRESS);
}

/* The scale of windows is told by the SYN: what is set later does not change it. */
static void a_buffer_after_the_syn(struct rig *r)
{
    for (unsigned i = 0; i < 3; i++) {
        if (i == 2)
            r->cfg.features &= ~(uint32_t)TERN_FEATURE_WSCALE;
        struct peer *p = peer_new(r);
        p->lport = 0;
        tern_addr to = rig_addr(r->remote, p->port);
        assert_int_equal(tern_connect(r->s, &p->k, NULL, &to, p), 0);
        if (i != 0)
            set(p, TERN_OPT_RCVBUF, 1 << 30);
        int scale = hear_syn(p, S)->wscale;
        if (i != 0) {
            assert_int_equal(scale, i == 2 ? -1 : 14);
        } else {
            assert_in_range(scale, 1, 13);
            set(p, TERN_OPT_RCVBUF, 1 << 30);
        }
        say(p, S | A, 0, 1, 0);
        hear(p, A, 1, 1, 0);
        assert_int_equal(info(p).rcv_wscale, scale < 0 ? 0 : scale);
        r->unclean = true;
        rig_renew(r);
    }
}

/* ---- sending and receiving ------------------------------------------------------------------- */

/* All before a reserved page has left, and nothing comes into it. */
static void an_empty_page_is_next(struct rig *r)
{
    static uint8_t lent[10];
    tern_iov v;
    struct peer *p = peer_active(r);
    pattern_fill(1, 0, lent, 10);
    assert_int_equal(tern_send_lent(r->s, p->k, lent, 10, lent), 0);
    assert_int_equal(tern_send_reserve(r->s, p->k, &v, 1, 100), 1);
    hear(p, A, 1, 1, 10);
    assert_int_equal(tern_send_commit(r->s, p->k, 0), 0);
    say(p, A, 1, 11, 0);
    peer_write(p, 10, 20);
    hear(p, A, 11, 1, 20);
    say(p, A, 1, 31, 0);
}

/* Segments of `len` bytes until one is not acknowledged at once. */
static uint32_t until_silent(struct peer *p, uint32_t in, uint32_t len)
{
    for (unsigned i = 0; i < 100; i++) {
        say(p, A, in, 1, len);
        in += len;
        rig_turn(p->r);
        if (rig_waiting(p->r) == 0)
            return in;
        rig_forget(p->r);
    }
    rig_fail("all is acknowledged at once");
}

/* Linux: reading brings the acknowledgement that waits, of more than a segment, or of all that the
 * peer pushed; not when an answer can be expected to bring it. */
static void reading_acknowledges(struct rig *r)
{
    r->cfg.style = TERN_STYLE_LINUX;
    struct peer *p = peer_active(r);
    uint32_t in = until_silent(p, 1, 100), read = 10;
    set(p, TERN_OPT_QUICKACK, 0);
    say(p, A, in, 1, 60), in += 60; /* more than a segment waits, and the owner does not read */
    rig_hush(r);
    peer_read(p, 0, 10);
    hear(p, A, 1, in, 0);
    set(p, TERN_OPT_QUICKACK, 0);
    say(p, A, in, 1, 40), in += 40;
    rig_hush(r);
    peer_read(p, read, in - 41 - read); /* not all yet */
    read = in - 41;
    rig_hush(r);
    peer_read(p, read, 40); /* pushed once, and an answer may come */
    read = in - 1;
    rig_hush(r);
    say(p, A, in, 1, 40), in += 40;
    rig_hush(r);
    peer_read(p, read, 40); /* twice */
    hear(p, A, 1, in, 0);
    p = peer_active(r); /* not pushed at all: more of it will come */
    in = until_silent(p, 1, 100);
    peer_read(p, 0, in - 1);
    rig_hush(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(lingering_to_a_good_end),
        RIG(nothing_to_linger_for),
        RIG(linger_of_zero_resets),
        RIG(last_words_of_the_closed),
        RIG(shutdown_when_all_is_over),
        RIG(closing_as_bsd),
        RIG(nowhere_to_say_it),
        RIG(nobody_is_listed),
        RIG(another_way),
        RIG(options_of_the_dead),
        RIG(not_asleep_with_something_to_say),
        RIG(freezes_and_does_not_thaw),
        RIG(a_record_of_nothing),
        RIG(not_free_of_cookies),
        RIG(watched_from_the_beginning),
        RIG(a_buffer_after_the_syn),
        RIG(an_empty_page_is_next),
        RIG(reading_acknowledges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
