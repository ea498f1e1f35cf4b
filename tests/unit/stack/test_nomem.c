/* test_nomem.c - the life of connections with the k-th allocation failing, for every k: that one
 * alone, or all from then on until memory comes back.
 *
 * The peer here takes nothing for granted: it repeats what was not answered, so that whatever the
 * stack had to drop for want of memory must be made good, and every stream must arrive whole.
 */
#include <stdlib.h>

#include "rig.h"

enum { TO_STACK = 30000, TO_PEER = 40000, STEP_MS = 100, STEPS_MAX = 1200 };

struct life {
    struct rig *r;
    struct peer *p;
    tern_sock listener;
    bool passive;
    /* the stack's side */
    bool listening, opened, shut, over;
    uint32_t written, read;
    uint8_t *lent;
    /* the peer's side, in stream offsets */
    bool syn_heard, open, fin_heard;
    uint32_t heard;
    unsigned syns;
};

/* Errors that memory may be the reason of. */
static bool shortage(ptrdiff_t n)
{
    return n == TERN_ENOMEM || n == TERN_ELIMIT || n == TERN_EAGAIN;
}

/* ---- the stack's owner ----------------------------------------------------------------------- */

static void open_some_how(struct life *f)
{
    struct rig *r = f->r;
    int err;
    if (f->passive && !f->listening) {
        tern_listen_args args = {.local = rig_addr(r->local, f->p->lport), .backlog = 4};
        err = tern_listen(r->s, &f->listener, &args);
        f->listening = err == 0;
    } else if (f->passive) {
        err = tern_accept(r->s, f->listener, &f->p->k, NULL, NULL);
        f->opened = err == 0;
    } else {
        tern_addr to = rig_addr(r->remote, f->p->port);
        err = tern_connect(r->s, &f->p->k, NULL, &to, NULL);
        f->opened = err == 0;
    }
    if (err != 0 && !shortage(err))
        rig_fail("opening: %d", err);
}

static void write_reserved(struct life *f)
{
    struct rig *r = f->r;
    tern_iov v[2];
    ptrdiff_t n = tern_send_reserve(r->s, f->p->k, v, 2, TO_PEER - f->written);
    if (n < 0 && !shortage(n))
        rig_fail("tern_send_reserve(): %td", n);
    size_t len = 0;
    for (ptrdiff_t i = 0; i < n; i++) {
        pattern_fill(1, f->written + (uint32_t)len, v[i].base, v[i].len);
        len += v[i].len;
    }
    if (n > 0 && tern_send_commit(r->s, f->p->k, len) != 0)
        rig_fail("tern_send_commit()");
    f->written += (uint32_t)len;
}

static void write_some(struct life *f, unsigned turn)
{
    struct rig *r = f->r;
    uint32_t left = TO_PEER - f->written, n = left < 5000 ? left : 5000;
    ptrdiff_t done;
    switch (turn % 3) {
    case 0:
        write_reserved(f);
        return;
    case 1:
        pattern_fill(1, f->written, f->lent + f->written, n);
        done = tern_send_lent(r->s, f->p->k, f->lent + f->written, n, f->lent);
        f->written += done == 0 ? n : 0;
        break;
    default:
        done = peer_write(f->p, f->written, n);
        f->written += done > 0 ? (uint32_t)done : 0;
        break;
    }
    if (done < 0 && !shortage(done))
        rig_fail("writing: %td", done);
}

static void read_all(struct life *f)
{
    uint8_t buf[1500];
    ptrdiff_t n;
    while ((n = tern_recv(f->r->s, f->p->k, buf, sizeof(buf))) > 0)
        for (ptrdiff_t i = 0; i < n; i++)
            if (buf[i] != pattern(0, f->read++))
                rig_fail("wrong byte received at offset %u", f->read - 1);
    if (n < 0 && !shortage(n) && n != TERN_ENOTCONN)
        rig_fail("tern_recv(): %td", n);
}

static void owner_turn(struct life *f, unsigned turn)
{
    if (!f->opened)
        open_some_how(f);
    if (!f->opened || f->over)
        return;
    if (f->written < TO_PEER && f->open)
        write_some(f, turn);
    if (f->open)
        read_all(f);
    if (f->written == TO_PEER && !f->shut)
        f->shut = tern_shutdown(f->r->s, f->p->k) == 0;
}

/* ---- the peer -------------------------------------------------------------------------------- */

static void peer_hears(struct life *f)
{
    struct peer *p = f->p;
    const struct seg *g;
    bool answer = false;
    while ((g = rig_next(f->r)) != NULL) {
        if (g->icmp || g->flags & R)
            rig_fail("sent: %s", seg_text(g, p->iss, p->irs));
        if (g->flags & S) {
            f->syn_heard = true;
            f->open |= (g->flags & A) != 0;
            answer = true;
            continue;
        }
        f->open = true;
        uint32_t at = g->seq - p->iss - 1;
        if (at <= f->heard && at + g->len > f->heard)
            f->heard = at + g->len;
        if (g->flags & F && at + g->len == f->heard)
            f->fin_heard = true;
        answer |= g->len != 0 || g->flags & F;
    }
    if (answer && f->open)
        say(p, A, 1 + (p->acked - p->irs - 1), f->heard + 1 + f->fin_heard, 0);
}

/* Sends what is not acknowledged; the segment behind the first one is late. */
static void peer_speaks(struct life *f)
{
    struct peer *p = f->p;
    if (!f->open) {
        if (!f->passive && !f->syn_heard)
            return;
        if (!f->passive)
            say(p, S | A, 0, 1, 0);
        else if (f->listening)
            say(p, S, 0, 0, 0);
        return;
    }
    uint32_t from = p->acked - p->irs - 1, ack = f->heard + 1 + f->fin_heard;
    for (uint32_t i = 0; i < 8; i++) {
        static const uint8_t order[8] = {0, 3, 2, 5, 7, 1, 6, 4};
        uint32_t at = from + order[i] * 1000u;
        if (at < TO_STACK)
            say(p, A, 1 + at, ack, TO_STACK - at < 1000 ? TO_STACK - at : 1000);
    }
    if (from == TO_STACK)
        say(p, A | F, 1 + from, ack, 0);
}

/* ---- one life -------------------------------------------------------------------------------- */

static bool complete(const struct life *f)
{
    return f->fin_heard && f->heard == TO_PEER && f->read == TO_STACK &&
           f->p->acked == f->p->irs + 2 + TO_STACK;
}

/* Memory may be back from step `back` on. */
static void live(struct life *f, unsigned back)
{
    struct rig *r = f->r;
    unsigned i;
    for (i = 0; i < STEPS_MAX && !complete(f); i++) {
        if (i == back)
            r->mem.fail_at = 0;
        owner_turn(f, i);
        rig_step(r, MS(STEP_MS));
        peer_hears(f);
        rig_turn(r);
        peer_hears(f);
        peer_speaks(f);
        rig_turn(r);
        r->ev_count = 0;
    }
    if (i == STEPS_MAX)
        rig_fail("allocation %u failing%s: not complete: written %u heard %u fin %d, read %u of "
                 "%u acked",
                 r->mem.fail_at, back != 0 ? " with those after it" : "", f->written, f->heard,
                 f->fin_heard, f->read, f->p->acked - f->p->irs - 1);
    assert_int_equal(tern_close(r->s, f->p->k), 0);
    rig_step(r, MS(STEP_MS));
    peer_hears(f);
    r->mem.fail_at = 0;
}

/* A stack that begins with little, so that there is much to ask for. */
static void small(struct rig *r)
{
    r->cfg.conns_max = 8;
    r->cfg.timewait_max = 8;
    r->cfg.halfopen_max = 8;
}

/* Whether the k-th allocation was reached. */
static bool one_life(bool ip6, bool passive, uint32_t k, unsigned back)
{
    struct rig *r = malloc(sizeof(*r));
    struct life f = {.r = r, .passive = passive, .lent = malloc(TO_PEER)};
    assert_true(r != NULL && f.lent != NULL);
    rig_init(r, ip6);
    small(r);
    rig_start(r);
    f.p = peer_new(r);
    if (!passive)
        f.p->lport = 0;
    uint32_t before = r->mem.calls;
    r->mem.fail_at = before + k;
    r->mem.fail_on = back != 0;
    live(&f, back);
    bool reached = r->mem.calls >= before + k;
    rig_end(r);
    free(f.lent);
    free(r);
    return reached;
}

static void every_allocation(struct rig *outer, bool passive)
{
    unsigned k = 1;
    while (one_life(outer->ip6, passive, k, 0))
        k++;
    assert_true(k > 4);
    for (unsigned i = 1; i < k; i++) {
        one_life(outer->ip6, passive, i, 5);
        one_life(outer->ip6, passive, i, 60);
    }
}

static void every_allocation_of_a_passive_life(struct rig *r) { every_allocation(r, true); }
static void every_allocation_of_an_active_life(struct rig *r) { every_allocation(r, false); }

/* Nor does a stack begin by halves. */
static void every_allocation_of_a_stack(struct rig *r)
{
    tern *s;
    uint32_t k = 0;
    int err;
    do {
        r->mem.calls = 0;
        r->mem.fail_at = ++k;
        err = tern_new(&s, &r->cfg, r->now);
        if (err != 0) {
            assert_int_equal(err, TERN_ENOMEM);
            assert_null(s);
            assert_int_equal(r->mem.live, 0);
        }
    } while (err != 0);
    assert_true(k > 5);
    tern_free(s);
    assert_int_equal(r->mem.live, 0);
    r->mem.fail_at = 0;
    rig_start(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(every_allocation_of_a_stack),
        RIG(every_allocation_of_a_passive_life),
        RIG(every_allocation_of_an_active_life),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
