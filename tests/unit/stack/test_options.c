/* test_options.c - every option of every kind of socket: what it takes, what it gives back, and
 * what it refuses. What each does to the segments is tested where that is. */
#include "rig.h"

#include "tern/udp.h"

#define DAY SEC(86400)
enum { NO = INT32_MIN };

/* Of a connection: a few values that it takes, and says again. */
static const struct {
    enum tern_opt option;
    int64_t before;   /* when nobody has set it; NO: does not matter */
    int64_t takes[4]; /* up to the first NO */
    int64_t refuses[3];
} of_conns[] = {
    {TERN_OPT_NODELAY, 0, {1, 0, NO}, {2, -1, NO}},
    {TERN_OPT_CORK, 0, {1, 0, NO}, {2, -1, NO}},
    {TERN_OPT_RCVBUF, NO, {1, 4096, 1 << 30, NO}, {0, (1 << 30) + 1, -1}},
    {TERN_OPT_SNDBUF, NO, {1, 4096, 1 << 30, NO}, {0, (1 << 30) + 1, -1}},
    {TERN_OPT_LINGER, -1, {0, MS(5), -1, NO}, {-2, INT64_MAX, NO}},
    {TERN_OPT_USER_TIMEOUT, 0, {MS(1), (int64_t)DAY, 0, NO}, {-1, (int64_t)DAY + 1, NO}},
    {TERN_OPT_SYN_RETRIES, NO, {0, 127, 3, NO}, {-1, 128, NO}},
    {TERN_OPT_TTL, 64, {1, 255, 64, NO}, {0, 256, -1}},
    {TERN_OPT_DSCP, 0, {63, 0, NO}, {64, -1, NO}},
    {TERN_OPT_MSS, 0, {88, 65495, 0, NO}, {87, 1, 65496}},
    {TERN_OPT_QUICKACK, 1, {0, 1, NO}, {2, -1, NO}},
    {TERN_OPT_KEEPALIVE, 0, {1, 0, NO}, {2, -1, NO}},
    {TERN_OPT_KEEP_IDLE, (int64_t)SEC(7200), {MS(1), MS(90), NO}, {0, -1, INT64_MAX}},
    {TERN_OPT_KEEP_INTVL, (int64_t)SEC(75), {MS(1), MS(90), NO}, {0, -1, INT64_MAX}},
    {TERN_OPT_KEEP_COUNT, 9, {1, 127, NO}, {0, 128, NO}},
    {TERN_OPT_FIN_WAIT2, 0, {MS(70), -1, 0, NO}, {-2, INT64_MAX, NO}},
    {TERN_OPT_PMTUD, 0, {1, 2, 3, 0}, {4, -1, NO}},
    {TERN_OPT_THIN_LINEAR, 0, {1, 0, NO}, {2, -1, NO}},
    {TERN_OPT_REPORTS, 0, {0, 1, 0, NO}, {2, -1, NO}},
    {TERN_OPT_PACING_RATE, 0, {1, INT64_MAX, 0, NO}, {-1, NO}},
    {TERN_OPT_PMTUD, 0, {1, 3, 0, NO}, {-1, 4, NO}},
    {TERN_OPT_SOFT_ERROR, 0, {0, NO}, {1, -1, NO}},
    {TERN_OPT_DEFER_ACCEPT, NO, {NO}, {0, 1, 255}},
    {TERN_OPT_ECN, NO, {NO}, {0, 1, 3}},       /* not any more */
    {TERN_OPT_FASTOPEN, NO, {NO}, {1, 3, -1}}, /* not any more */
    {TERN_OPT_FASTOPEN_FREE, 0, {1, 0, NO}, {2, -1, NO}},
    {TERN_OPT_EOR, NO, {NO}, {0, 2, -1}},
    {TERN_OPT_URGENT, 0, {NO}, {0, 2, -1}},
    {TERN_OPT_COUNT, NO, {NO}, {0, 1, -1}},
    {(enum tern_opt)77, NO, {NO}, {0, 1, -1}},
};

static void expect(struct rig *r, tern_sock k, enum tern_opt option, int64_t value)
{
    int64_t is = NO;
    int err = tern_option_get(r->s, k, option, &is);
    if (err != 0 || is != value)
        rig_fail("option %u: %d, %lld instead of %lld", option, err, (long long)is,
                 (long long)value);
}

static void refuse(struct rig *r, tern_sock k, enum tern_opt option, int64_t value)
{
    int err = tern_option_set(r->s, k, option, value);
    if (err != TERN_EINVAL)
        rig_fail("option %u takes %lld: %d", option, (long long)value, err);
}

static void connections(struct rig *r)
{
    tern_sock k = peer_active(r)->k;
    for (unsigned i = 0; i < sizeof(of_conns) / sizeof(of_conns[0]); i++) {
        enum tern_opt o = of_conns[i].option;
        if (of_conns[i].before != NO)
            expect(r, k, o, of_conns[i].before);
        for (unsigned j = 0; j < 4 && of_conns[i].takes[j] != NO; j++) {
            assert_int_equal(tern_option_set(r->s, k, o, of_conns[i].takes[j]), 0);
            expect(r, k, o, of_conns[i].takes[j]);
        }
        for (unsigned j = 0; j < 3 && of_conns[i].refuses[j] != NO; j++)
            refuse(r, k, o, of_conns[i].refuses[j]);
    }
    int64_t value;
    assert_int_equal(tern_option_get(r->s, k, TERN_OPT_EOR, &value), TERN_EINVAL);
    assert_int_equal(tern_option_get(r->s, k, TERN_OPT_DEFER_ACCEPT, &value), TERN_EINVAL);
    assert_int_equal(tern_option_get(r->s, k, TERN_OPT_COUNT, &value), TERN_EINVAL);
    rig_turn(r);
    rig_forget(r);
    r->unclean = true;
}

/* Times are kept in milliseconds, and never become shorter than asked for. */
static void times_are_rounded_up(struct rig *r)
{
    static const enum tern_opt times[] = {TERN_OPT_LINGER, TERN_OPT_USER_TIMEOUT,
                                          TERN_OPT_KEEP_IDLE, TERN_OPT_KEEP_INTVL,
                                          TERN_OPT_FIN_WAIT2};
    tern_sock k = peer_active(r)->k;
    for (unsigned i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        assert_int_equal(tern_option_set(r->s, k, times[i], MS(5) + 1), 0);
        expect(r, k, times[i], MS(6));
        assert_int_equal(tern_option_set(r->s, k, times[i], 1), 0);
        expect(r, k, times[i], MS(1));
    }
    r->unclean = true;
}

/* Some are settled by the SYN: until it has left they can be chosen. */
static void before_the_syn(struct rig *r)
{
    struct peer *p = peer_new(r);
    tern_addr to = rig_addr(r->remote, p->port), from = {.port = p->lport};
    assert_int_equal(tern_connect(r->s, &p->k, &from, &to, NULL), 0);
    for (int64_t mode = 2; mode >= 0; mode--) {
        assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_ECN, mode), 0);
        expect(r, p->k, TERN_OPT_ECN, mode);
    }
    refuse(r, p->k, TERN_OPT_ECN, 3);
    assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_FASTOPEN_FREE, 1), 0);
    expect(r, p->k, TERN_OPT_FASTOPEN_FREE, 1);
    refuse(r, p->k, TERN_OPT_FASTOPEN, 3);
    assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_EOR, 1), 0); /* nothing is queued */
    assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_RCVBUF, 1 << 24), 0);
    hear_syn(p, S); /* its scale fits the buffer */
    assert_int_equal(p->shift_in, 9);
    refuse(r, p->k, TERN_OPT_ECN, 1);
    r->unclean = true;
}

static void listeners(struct rig *r)
{
    static const struct {
        enum tern_opt option;
        int64_t takes, refuses;
    } of[] = {
        {TERN_OPT_RCVBUF, 5000, 0},     {TERN_OPT_TTL, 33, 256},         {TERN_OPT_DSCP, 9, 64},
        {TERN_OPT_MSS, 600, 60},        {TERN_OPT_DEFER_ACCEPT, 2, 256}, {TERN_OPT_FASTOPEN, 5, -1},
        {TERN_OPT_FASTOPEN_FREE, 1, 2},
    };
    rig_start(r);
    tern_sock l = rig_listen(r, 80, 4, 0);
    for (int o = 0; o <= TERN_OPT_COUNT; o++) {
        unsigned i = 0;
        while (i < sizeof(of) / sizeof(of[0]) && of[i].option != (enum tern_opt)o)
            i++;
        if (i == sizeof(of) / sizeof(of[0])) {
            refuse(r, l, (enum tern_opt)o, 1);
            continue;
        }
        assert_int_equal(tern_option_set(r->s, l, (enum tern_opt)o, of[i].takes), 0);
        refuse(r, l, (enum tern_opt)o, of[i].refuses);
    }
    /* what comes of it has them */
    assert_int_equal(tern_option_set(r->s, l, TERN_OPT_DEFER_ACCEPT, 0), 0);
    struct peer *p = peer_new(r);
    p->lport = 80;
    say(p, S, 0, 0, 0);
    const struct seg *g = hear_syn(p, S | A);
    assert_int_equal(g->ttl, 33);
    assert_int_equal(g->tos >> 2, 9);
    assert_int_equal(g->mss, 600);
    assert_true(g->wnd <= 5000);
    say(p, A, 1, 1, 0);
    assert_int_equal(tern_accept(r->s, l, &p->k, NULL, NULL), 0);
    expect(r, p->k, TERN_OPT_RCVBUF, 5000);
    expect(r, p->k, TERN_OPT_TTL, 33);
    expect(r, p->k, TERN_OPT_DSCP, 9);
    expect(r, p->k, TERN_OPT_MSS, 600);
}

static void datagrams(struct rig *r)
{
    static const struct {
        enum tern_opt option;
        int64_t takes, refuses;
    } of[] = {
        {TERN_OPT_TTL, 7, 0},
        {TERN_OPT_DSCP, 46, 64},
        {TERN_OPT_RCVBUF, 3000, 0},
        {TERN_OPT_SNDBUF, 3000, 0},
    };
    r->cfg.udp_max = 1;
    rig_start(r);
    tern_sock k;
    tern_udp_args args = {.local = rig_addr(r->local, 53)};
    assert_int_equal(tern_udp_open(r->s, &k, &args), 0);
    for (int o = 0; o <= TERN_OPT_COUNT; o++) {
        int64_t value;
        unsigned i = 0;
        while (i < sizeof(of) / sizeof(of[0]) && of[i].option != (enum tern_opt)o)
            i++;
        if (i == sizeof(of) / sizeof(of[0])) {
            refuse(r, k, (enum tern_opt)o, 1);
            assert_int_equal(tern_option_get(r->s, k, (enum tern_opt)o, &value), TERN_EINVAL);
            continue;
        }
        assert_int_equal(tern_option_set(r->s, k, (enum tern_opt)o, of[i].takes), 0);
        expect(r, k, (enum tern_opt)o, of[i].takes);
        refuse(r, k, (enum tern_opt)o, of[i].refuses);
        expect(r, k, (enum tern_opt)o, of[i].takes);
    }
    assert_int_equal(tern_close(r->s, k), 0);
}

/* Ends of records (TERN_OPT_EOR): a segment ends there, and old ones give way to new ones. */
static void many_records(struct rig *r)
{
    struct peer *p = peer_active(r);
    say(p, A, 1, 1, 0);
    p->wnd = 0;
    say(p, A, 1, 1, 0); /* so that all waits */
    rig_turn(r);
    rig_forget(r);
    assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_NODELAY, 1), 0);
    for (uint32_t i = 0; i < 20; i++) {
        assert_int_equal(peer_write(p, i * 10, 10), 10);
        assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_EOR, 1), 0);
        assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_EOR, 1), 0); /* once is enough */
    }
    p->wnd = 60000;
    say(p, A, 1, 1, 0);
    rig_turn(r);
    unsigned segments = 0;
    uint32_t last = 0, end = 0;
    for (const struct seg *g; (g = rig_next(r)) != NULL; segments++) {
        last = g->len;
        end = g->seq + g->len - p->iss;
        assert_int_equal((end - 1) % 10, 0);
    }
    assert_int_equal(end, 201);
    assert_int_equal(last, 10);
    assert_true(segments >= 4 && segments < 20);
    r->unclean = true;
}

static int fails_once(struct rig *r, tern_sock k, enum tern_opt option, int64_t value)
{
    r->mem.fail_at = r->mem.calls + 1;
    r->mem.fail_on = true;
    int err = tern_option_set(r->s, k, option, value);
    r->mem.fail_at = 0;
    r->mem.fail_on = false;
    return err;
}

/* What needs memory of its own says so when there is none, and changes nothing. */
static void without_memory(struct rig *r)
{
    static const enum tern_opt needy[] = {TERN_OPT_KEEPALIVE, TERN_OPT_KEEP_IDLE,
                                          TERN_OPT_FIN_WAIT2, TERN_OPT_PACING_RATE,
                                          TERN_OPT_REPORTS};
    for (unsigned stats = 0; stats < 2; stats++) {
        r->cfg.stats = stats;
        for (unsigned i = 0; i < sizeof(needy) / sizeof(needy[0]); i++) {
            struct peer *p = peer_active(r);
            int64_t before, after;
            assert_int_equal(tern_option_get(r->s, p->k, needy[i], &before), 0);
            assert_int_equal(fails_once(r, p->k, needy[i], 1), TERN_ENOMEM);
            assert_int_equal(tern_option_get(r->s, p->k, needy[i], &after), 0);
            assert_int_equal(before, after);
            assert_int_equal(tern_option_set(r->s, p->k, needy[i], 1), 0);
            assert_int_equal(tern_option_set(r->s, p->k, needy[i], 1), 0);
            rig_renew(r);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(connections), RIG(times_are_rounded_up), RIG(before_the_syn), RIG(listeners),
        RIG(datagrams),   RIG(many_records),         RIG(without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
