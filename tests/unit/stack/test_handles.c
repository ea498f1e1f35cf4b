/* test_handles.c - each call that takes a handle, with a handle of each kind: what is not of its
 * kind, is another shard's, or has gone, is told apart, and nothing else happens. */
#include "rig.h"

#include "tern/cc.h"
#include "tern/udp.h"

enum kind { CONN, LISTENER, HELD, UDP, NOTHING, OTHER_SHARD, BEYOND, GONE, KINDS };

/* Those that a call is for, as bits. */
enum { C = 1 << CONN, L = 1 << LISTENER, H = 1 << HELD, D = 1 << UDP };

static tern_iov views[2];
static uint8_t buf[8];

#define CALL(name, expression)                                                                     \
    static ptrdiff_t name(tern *s, tern_sock k) { return expression; }

CALL(call_backlog, tern_backlog(s, k, 3))
CALL(call_accept, tern_accept(s, k, &k, NULL, NULL))
CALL(call_limits, tern_limits_set(s, k, &(tern_limits){.conns = 5}))
CALL(call_refuse, tern_hold_refuse(s, k, 300, 0))
CALL(call_send, tern_send(s, k, buf, 0))
CALL(call_reserve, tern_send_reserve(s, k, views, 2, 1))
CALL(call_commit, tern_send_commit(s, k, 0))
CALL(call_lent, tern_send_lent(s, k, buf, 1, buf))
CALL(call_recv, tern_recv(s, k, buf, sizeof(buf)))
CALL(call_peek, tern_recv_peek(s, k, views, 2, 0))
CALL(call_consume, tern_recv_consume(s, k, 0))
CALL(call_owed, tern_recv_owed(s, k, 0))
CALL(call_urgent, tern_urgent_get(s, k, &(tern_urgent){0}))
CALL(call_arm, tern_arm(s, k, TERN_EV_READ | TERN_EV_WRITE | TERN_EV_ACCEPT))
CALL(call_watch, tern_watch(s, k, NULL, NULL))
CALL(call_option, tern_option_set(s, k, TERN_OPT_TTL, 60))
CALL(call_option_get, tern_option_get(s, k, TERN_OPT_TTL, &(int64_t){0}))
CALL(call_fastopen, tern_fastopen_keys(s, k, buf, 16))
CALL(call_md5, tern_md5_set(s, k, &(tern_md5_key){.key = buf, .len = 8, .bits = 0}))
CALL(call_names, tern_names(s, k, &(tern_addr){0}, &(tern_addr){0}))
CALL(call_names_none, tern_names(s, k, NULL, NULL))
CALL(call_cc, tern_cc_set(s, k, &tern_cc_reno))
CALL(call_user, tern_user_set(s, k, buf))
CALL(call_info, tern_info(s, k, &(tern_tcp_info){0}, sizeof(tern_tcp_info)))
CALL(call_udp_connect, tern_udp_connect(s, k, NULL))
CALL(call_udp_send, tern_udp_send(s, k, NULL, buf, 1))
CALL(call_udp_recv, tern_udp_recv(s, k, buf, 1, NULL))
/* these end something, and come last */
CALL(call_recv_shutdown, tern_recv_shutdown(s, k))
CALL(call_shutdown, tern_shutdown(s, k))
CALL(call_drop, tern_hold_drop(s, k))
CALL(call_admit, tern_hold_admit(s, k, &k, NULL))
CALL(call_close, tern_close(s, k))
CALL(call_abort, tern_abort(s, k))

static const struct {
    const char *name;
    ptrdiff_t (*call)(tern *s, tern_sock k);
    unsigned takes;
    int says; /* to those that it takes */
} calls[] = {
    {"backlog", call_backlog, L, 0},
    {"accept", call_accept, L, TERN_EAGAIN},
    {"limits_set", call_limits, L, 0},
    {"hold_refuse", call_refuse, H, TERN_EINVAL},
    {"send", call_send, C, 0},
    {"send_reserve", call_reserve, C, 1},
    {"send_commit", call_commit, C, 0},
    {"send_lent", call_lent, C, 0},
    {"recv", call_recv, C, TERN_EAGAIN},
    {"recv_peek", call_peek, C, TERN_EAGAIN},
    {"recv_consume", call_consume, C, 0},
    {"recv_owed", call_owed, C, 0},
    {"urgent_get", call_urgent, C, 0},
    {"arm", call_arm, C | L | D, 0},
    {"watch", call_watch, C, 0},
    {"option_set", call_option, C | L | D, 0},
    {"option_get", call_option_get, C | D, 0},
    {"fastopen_keys", call_fastopen, L, TERN_EINVAL}, /* the buffer is no key */
    {"md5_set", call_md5, C | L, TERN_EINVAL},        /* no tern_config.md5 */
    {"names", call_names, C | L | H | D, 0},
    {"names, none asked for", call_names_none, C | L | H | D, 0},
    {"cc_set", call_cc, C, 0},
    {"user_set", call_user, C | L | D, 0},
    {"info", call_info, C | L, 0},
    {"udp_connect", call_udp_connect, D, 0},
    {"udp_send", call_udp_send, D, TERN_ENOTCONN},
    {"udp_recv", call_udp_recv, D, TERN_EAGAIN},
    {"recv_shutdown", call_recv_shutdown, C, 0},
    {"shutdown", call_shutdown, C, 0},
};

struct handles {
    tern_sock k[KINDS];
    tern_sock gone[4]; /* one of each kind */
};

static tern_sock held(struct rig *r, struct peer *p)
{
    say(p, S, 0, 0, 0);
    rig_turn(r);
    for (unsigned i = r->ev_count; i-- != 0;) /* the last one */
        if (r->ev[i].mask & TERN_EV_HOLD)
            return r->ev[i].sock;
    fail_msg("no SYN is held");
    return (tern_sock){0};
}

static void open_all(struct rig *r, struct handles *h)
{
    tern_udp_args udp = {.local = rig_addr(r->local, 53)};
    struct peer *p = peer_new(r), *q = peer_active(r);
    p->lport = 90;
    q->free_form = true;
    h->k[CONN] = q->k;
    h->k[LISTENER] = rig_listen(r, 90, 4, TERN_LISTEN_HOLD);
    h->k[HELD] = held(r, p);
    assert_int_equal(tern_udp_open(r->s, &h->k[UDP], &udp), 0);
}

/* Each has been there, and is no more. */
static void make_gone(struct rig *r, struct handles *h)
{
    open_all(r, h);
    memcpy(h->gone, h->k, sizeof(h->gone));
    assert_int_equal(tern_abort(r->s, h->gone[CONN]), 0);
    assert_int_equal(tern_hold_drop(r->s, h->gone[HELD]), 0);
    assert_int_equal(tern_close(r->s, h->gone[LISTENER]), 0);
    assert_int_equal(tern_close(r->s, h->gone[UDP]), 0);
    rig_turn(r);
    rig_forget(r);
}

static void every_call_and_every_handle(struct rig *r)
{
    struct handles h = {0};
    r->cfg.udp_max = 4;
    rig_start(r);
    make_gone(r, &h);
    rig_step(r, SEC(1));
    open_all(r, &h);
    h.k[OTHER_SHARD].id = h.k[CONN].id ^ (uint64_t)1 << 24;
    h.k[BEYOND].id = h.k[CONN].id | 0xffffff;
    for (unsigned i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        bool md5 = calls[i].call == call_md5; /* says no to all the same */
        for (unsigned kind = 0; kind < GONE; kind++) {
            bool takes = kind <= UDP && calls[i].takes >> kind & 1;
            ptrdiff_t said = calls[i].call(r->s, h.k[kind]);
            if (said != (takes ? calls[i].says : TERN_EINVAL))
                rig_fail("%s of kind %u: %td", calls[i].name, kind, said);
        }
        for (unsigned kind = 0; kind <= UDP && !md5; kind++) {
            ptrdiff_t said = calls[i].call(r->s, h.gone[kind]);
            bool takes = calls[i].takes >> kind & 1;
            if (takes ? said != TERN_ESTALE : said != TERN_ESTALE && said != TERN_EINVAL)
                rig_fail("%s of a gone one of kind %u: %td", calls[i].name, kind, said);
        }
    }
    rig_turn(r);
    rig_forget(r);
    r->unclean = true;
}

/* Those that end what they are for: not what they are not for. */
static void endings(struct rig *r)
{
    struct handles h = {0};
    r->cfg.udp_max = 4;
    rig_start(r);
    open_all(r, &h);
    assert_int_equal(call_drop(r->s, h.k[LISTENER]), TERN_EINVAL);
    assert_int_equal(call_admit(r->s, h.k[CONN]), TERN_EINVAL);
    assert_int_equal(call_abort(r->s, h.k[UDP]), TERN_EINVAL);
    assert_int_equal(call_abort(r->s, h.k[LISTENER]), TERN_EINVAL);
    assert_int_equal(call_close(r->s, h.k[HELD]), TERN_EINVAL);
    assert_int_equal(call_admit(r->s, h.k[HELD]), 0);
    assert_int_equal(call_admit(r->s, h.k[HELD]), TERN_ESTALE);
    assert_int_equal(call_drop(r->s, h.k[HELD]), TERN_ESTALE);
    assert_int_equal(call_close(r->s, h.k[UDP]), 0);
    assert_int_equal(call_close(r->s, h.k[UDP]), TERN_ESTALE);
    assert_int_equal(call_close(r->s, h.k[LISTENER]), 0);
    assert_int_equal(call_close(r->s, h.k[LISTENER]), TERN_ESTALE);
    assert_int_equal(call_close(r->s, h.k[CONN]), 0);
    assert_int_equal(call_abort(r->s, h.k[CONN]), TERN_ESTALE);
    assert_int_equal(call_abort(r->s, (tern_sock){0}), TERN_EINVAL);
    rig_turn(r);
    rig_forget(r);
    r->unclean = true;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(every_call_and_every_handle),
        RIG(endings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
