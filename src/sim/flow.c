/* flow.c - see flow.h. */
#include "sim/flow.h"

#include <string.h>

#include "base/util.h"
#include "sim/play.h"

enum { PIECE = 1 << 16, PORT = 80, LOCAL_PORT = 10000, VIEWS = 17 };

/* Bytes `offset` to `offset + len` of a stream. */
static void stream_bytes(uint64_t key, uint64_t offset, uint8_t *to, size_t len)
{
    while (len > 0) {
        uint64_t word = key + offset / 8 * 0x9e3779b97f4a7c15u;
        word = (word ^ word >> 29) * 0xbf58476d1ce4e5b9u;
        word ^= word >> 32;
        size_t skip = offset % 8, n = min_size(8 - skip, len);
        memcpy(to, (const uint8_t *)&word + skip, n);
        to += n;
        offset += n;
        len -= n;
    }
}

bool flow_must_succeed(const struct flow *f)
{
    return f->plan->side[0].ending == END_GRACEFUL && f->plan->side[1].ending == END_GRACEFUL &&
           f->end[0].play->plan.fail_count[0] == 0;
}

bool flow_done(const struct flow *f) { return f->dead || (f->end[0].done && f->end[1].done); }

static struct flow_end *other(struct flow_end *e) { return &e->flow->end[!e->side]; }

static void finish(struct flow_end *e, int err)
{
    e->err = err;
    e->done = true;
    if (e->sock.id != 0)
        (void)tern_close(e->s, e->sock); /* TERN_ESTALE after an error */
    e->sock.id = 0;
    e->flow->progress = play_now(e->play);
    if (err != 0 && flow_must_succeed(e->flow))
        sim_fail(e->play, "L2", "flow %d, end %d: %s, though nothing explains it",
                 (int)(e->flow - e->play->flow), e->side, tern_err_text((enum tern_err)err));
}

/* ---- reading --------------------------------------------------------------------------------- */

static void take(struct flow_end *e, const uint8_t *got, size_t n)
{
    uint8_t want[PIECE];
    while (n != 0) {
        size_t len = min_size(n, PIECE);
        stream_bytes(other(e)->key, e->received, want, len);
        want[0] ^= e->play->conf->sabotage == SIM_BYTE;
        if (memcmp(got, want, len) != 0 || e->received + len > other(e)->sent)
            sim_fail(e->play, "S1", "flow %d, end %d: wrong bytes in %llu to %llu",
                     (int)(e->flow - e->play->flow), e->side, (unsigned long long)e->received,
                     (unsigned long long)(e->received + len));
        e->received += len;
        e->play->result->bytes += len;
        got += len;
        n -= len;
    }
}

/* The same result as of tern_recv(). */
static ptrdiff_t take_views(struct flow_end *e, size_t max)
{
    tern_iov v[VIEWS];
    ptrdiff_t n = tern_recv_peek(e->s, e->sock, v, VIEWS, 0);
    size_t sum = 0;
    if (n <= 0)
        return n;
    for (ptrdiff_t i = 0; i < n && sum < max; i++) {
        size_t len = min_size(v[i].len, max - sum);
        take(e, v[i].base, len);
        sum += len;
    }
    int err = tern_recv_consume(e->s, e->sock, sum);
    return err < 0 ? err : (ptrdiff_t)sum;
}

static ptrdiff_t take_copy(struct flow_end *e, size_t max)
{
    uint8_t got[PIECE];
    ptrdiff_t n = tern_recv(e->s, e->sock, got, min_size(max, PIECE));
    if (n > 0)
        take(e, got, (size_t)n);
    return n;
}

static void at_eof(struct flow_end *e)
{
    const struct flow_end *o = other(e);
    e->eof = true;
    if (!(o->shut || o->done) || e->received != o->sent)
        sim_fail(e->play, "S2", "flow %d, end %d: the end comes after %llu bytes of %llu",
                 (int)(e->flow - e->play->flow), e->side, (unsigned long long)e->received,
                 (unsigned long long)o->sent);
}

static void receive(struct flow_end *e, uint64_t now)
{
    while (e->readable && !e->eof && !e->done && now >= e->next_read) {
        ptrdiff_t n = e->habit->zero_copy ? take_views(e, e->habit->read_max)
                                          : take_copy(e, e->habit->read_max);
        if (n == TERN_EAGAIN || n == TERN_ENOTCONN) {
            e->readable = false;
        } else if (n < 0) {
            finish(e, (int)n);
        } else if (n == 0) {
            at_eof(e);
        } else {
            e->flow->progress = now;
            e->next_read = e->habit->read_wait != 0 ? now + e->habit->read_wait : 0;
        }
    }
}

/* ---- writing --------------------------------------------------------------------------------- */

static ptrdiff_t put_views(struct flow_end *e, size_t len)
{
    tern_iov v[VIEWS];
    ptrdiff_t n = tern_send_reserve(e->s, e->sock, v, VIEWS, len);
    size_t sum = 0;
    if (n < 0)
        return n;
    for (ptrdiff_t i = 0; i < n && sum < len; i++) {
        size_t part = min_size(v[i].len, len - sum);
        stream_bytes(e->key, e->sent + sum, v[i].base, part);
        sum += part;
    }
    int err = tern_send_commit(e->s, e->sock, sum);
    return err < 0 ? err : (ptrdiff_t)sum;
}

static ptrdiff_t put_copy(struct flow_end *e, size_t len)
{
    uint8_t piece[PIECE];
    len = min_size(len, PIECE);
    stream_bytes(e->key, e->sent, piece, len);
    return tern_send(e->s, e->sock, piece, len);
}

static void end_of_writing(struct flow_end *e)
{
    e->shut = true;
    if (e->habit->ending == END_CLOSE) {
        finish(e, 0);
        return;
    }
    int err = tern_shutdown(e->s, e->sock);
    if (err < 0)
        finish(e, err);
}

static void transmit(struct flow_end *e, uint64_t now)
{
    while (e->writable && !e->shut && !e->done && now >= e->next_write) {
        size_t len = (size_t)min_u64(e->habit->send - e->sent, e->habit->write_max);
        if (len == 0) {
            end_of_writing(e);
            return;
        }
        ptrdiff_t n = e->habit->zero_copy ? put_views(e, len) : put_copy(e, len);
        if (n == TERN_EAGAIN || n == TERN_ENOTCONN || n == 0) {
            e->writable = false;
        } else if (n < 0) {
            finish(e, (int)n);
        } else {
            e->sent += (uint64_t)n;
            e->flow->progress = now;
            e->next_write = e->habit->write_wait != 0 ? now + e->habit->write_wait : 0;
        }
    }
}

static void work(struct flow_end *e, uint64_t now)
{
    if (e->sock.id == 0 || e->done)
        return;
    receive(e, now);
    if (!e->done)
        transmit(e, now);
    if (e->done)
        return;
    if (e->habit->ending == END_ABORT && e->sent + e->received >= e->habit->abort_after) {
        (void)tern_abort(e->s, e->sock);
        e->sock.id = 0;
        finish(e, 0);
    } else if (e->eof && e->shut) {
        finish(e, 0);
    }
}

static void set_options(struct flow_end *e, tern_sock k)
{
    const struct habit *h = e->habit;
    (void)tern_option_set(e->s, k, TERN_OPT_NODELAY, h->nodelay);
    if (h->rcvbuf != 0)
        (void)tern_option_set(e->s, k, TERN_OPT_RCVBUF, h->rcvbuf);
    if (h->sndbuf != 0)
        (void)tern_option_set(e->s, k, TERN_OPT_SNDBUF, h->sndbuf);
}

/* ---- events ---------------------------------------------------------------------------------- */

static void opened(struct flow_end *e, tern_sock sock)
{
    e->sock = sock;
    e->opened = e->readable = e->writable = true;
    e->flow->progress = play_now(e->play);
    work(e, e->flow->progress);
}

static void accept_all(struct flow_end *e, const tern_event *ev)
{
    tern_sock k;
    while (tern_accept(e->s, ev->sock, &k, NULL, e) == 0) {
        if (e->sock.id == 0 && !e->opened) {
            set_options(e, k);
            opened(e, k);
        } else if (!flow_must_succeed(e->flow)) /* the one before it was given up */
            (void)tern_abort(e->s, k);
        else {
            sim_fail(e->play, "S15", "flow %d: accepted twice", (int)(e->flow - e->play->flow));
        }
    }
}

void flow_event(struct flow_end *e, const tern_event *ev)
{
    if (ev->mask & (TERN_EV_ACCEPT | TERN_EV_FLOOD | TERN_EV_CALM)) { /* of the listener */
        accept_all(e, ev);
        return;
    }
    if (e->sock.id == 0 || e->sock.id != ev->sock.id) {
        sim_fail(e->play, "S15", "flow %d, end %d: event %x for a handle that has ended",
                 (int)(e->flow - e->play->flow), e->side, ev->mask);
        return;
    }
    uint64_t now = play_now(e->play);
    e->readable |= (ev->mask & (TERN_EV_READ | TERN_EV_EOF | TERN_EV_OPEN | TERN_EV_ERROR)) != 0;
    e->writable |= (ev->mask & (TERN_EV_WRITE | TERN_EV_OPEN)) != 0;
    e->opened |= (ev->mask & TERN_EV_OPEN) != 0;
    if (ev->mask & TERN_EV_ERROR) {
        e->next_read = 0;
        while (e->readable && !e->eof && !e->done)
            receive(e, TERN_NEVER);
        if (!e->done)
            finish(e, ev->err);
        return;
    }
    work(e, now);
}

/* ---- beginning and end ----------------------------------------------------------------------- */

void flow_init(struct play *play, struct flow *f, const struct flow_plan *plan)
{
    f->plan = plan;
    for (int side = 0; side < 2; side++) {
        struct flow_end *e = &f->end[side];
        e->play = play;
        e->flow = f;
        e->side = side;
        e->host = side ^ plan->swapped;
        e->habit = &plan->side[side];
        e->s = lab_world_tern(play->world, e->host);
        e->key = plan->key + (uint64_t)side;
    }
}

static tern_addr address(const struct flow_end *e)
{
    const struct flow *f = e->flow;
    int number = (int)(f - e->play->flow);
    tern_addr a = {.port = (uint16_t)((e->side == 0 ? LOCAL_PORT : PORT) + number)};
    const uint8_t *ip4 = e->host == 0 ? lab_client_ip4 : lab_server_ip4;
    const uint8_t *ip6 = e->host == 0 ? lab_client_ip6 : lab_server_ip6;
    memcpy(a.ip, f->plan->ip6 ? ip6 : ip4, 16);
    return a;
}

static void begin_listening(struct flow_end *e)
{
    tern_listen_args args = {.local = address(e), .backlog = 4, .user = e};
    if (tern_listen(e->s, &e->flow->listener, &args) < 0)
        e->flow->dead = true;
    else if (e->habit->rcvbuf != 0)
        (void)tern_option_set(e->s, e->flow->listener, TERN_OPT_RCVBUF, e->habit->rcvbuf);
}

static void begin_connecting(struct flow_end *e)
{
    tern_addr local = address(e), peer = address(other(e));
    int err = tern_connect(e->s, &e->sock, &local, &peer, e);
    if (err < 0) {
        e->sock.id = 0;
        e->flow->dead = true;
        return;
    }
    set_options(e, e->sock);
}

static void begin(struct flow *f, uint64_t now)
{
    f->begun = true;
    f->progress = now;
    if (f->plan->together)
        begin_connecting(&f->end[1]);
    else
        begin_listening(&f->end[1]);
    if (!f->dead)
        begin_connecting(&f->end[0]);
    if (!f->dead)
        return;
    flow_close(f);
    if (flow_must_succeed(f))
        sim_fail(f->end[0].play, "L2", "flow %d could not begin", (int)(f - f->end[0].play->flow));
}

void flow_wake(struct flow *f, uint64_t now)
{
    if (!f->begun && now >= LAB_PAIR_START + f->plan->begins)
        begin(f, now);
    for (int side = 0; side < 2; side++)
        work(&f->end[side], now);
}

uint64_t flow_next(const struct flow *f)
{
    uint64_t next = TERN_NEVER;
    if (!f->begun)
        return LAB_PAIR_START + f->plan->begins;
    for (int side = 0; side < 2; side++) {
        const struct flow_end *e = &f->end[side];
        if (e->sock.id == 0 || e->done)
            continue;
        if (e->readable && !e->eof)
            next = min_u64(next, e->next_read);
        if (e->writable && !e->shut && e->opened)
            next = min_u64(next, e->next_write);
    }
    return next;
}

void flow_close(struct flow *f)
{
    if (f->listener.id != 0)
        (void)tern_close(f->end[1].s, f->listener);
    f->listener.id = 0;
    for (int side = 0; side < 2; side++) {
        struct flow_end *e = &f->end[side];
        if (e->sock.id != 0)
            (void)tern_abort(e->s, e->sock);
        e->sock.id = 0;
        e->done = true;
    }
}
