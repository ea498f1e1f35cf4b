/* flow.c - see flow.h. */
#include "sim/flow.h"

#include <string.h>

#include "base/util.h"
#include "sim/play.h"

enum { PIECE = 1 << 16, VIEWS = 17 };
#define STREAM_STEP 0x9e3779b97f4a7c15u

/* Two words at a time, which every processor can. */
typedef uint64_t lanes __attribute__((vector_size(16)));
enum { LANES = sizeof(lanes) / 8 };
#define LANES_OF(word) ((lanes){word, word + STREAM_STEP})
#define LANES_STEP ((lanes){LANES * STREAM_STEP, LANES * STREAM_STEP})

/* The stream is a row of words, each a step more than the one before: every byte is told from its
 * place. The first and the last may be in it in part; between them are whole ones. */
struct stretch {
    uint64_t word; /* the first whole one, and */
    size_t head, words, tail;
};

static struct stretch stretch_of(uint64_t key, uint64_t offset, size_t len)
{
    size_t head = min_size(-offset % 8, len);
    return (struct stretch){.word = key + (offset + 7) / 8 * STREAM_STEP,
                            .head = head,
                            .words = (len - head) / 8,
                            .tail = (len - head) % 8};
}

/* Bytes of the word before the whole ones. */
static void head_bytes(const struct stretch *s, uint64_t offset, uint8_t *to)
{
    uint64_t word = s->word - STREAM_STEP;
    memcpy(to, (const uint8_t *)&word + offset % 8, s->head);
}

void stream_bytes(uint64_t key, uint64_t offset, uint8_t *to, size_t len)
{
    struct stretch s = stretch_of(key, offset, len);
    head_bytes(&s, offset, to);
    to += s.head;
    lanes w = LANES_OF(s.word);
    size_t i = 0;
    for (; i + LANES <= s.words; i += LANES, w += LANES_STEP)
        memcpy(to + 8 * i, &w, sizeof(w));
    memcpy(to + 8 * i, &w, 8 * (s.words - i) + s.tail); /* less than two words */
}

bool stream_is(uint64_t key, uint64_t offset, const uint8_t *got, size_t len)
{
    struct stretch s = stretch_of(key, offset, len);
    uint8_t head[8];
    head_bytes(&s, offset, head);
    bool same = memcmp(got, head, s.head) == 0;
    got += s.head;
    lanes w = LANES_OF(s.word), differs = {0};
    size_t i = 0;
    for (; i + LANES <= s.words; i += LANES, w += LANES_STEP) {
        lanes is;
        memcpy(&is, got + 8 * i, sizeof(is));
        differs |= is ^ w;
    }
    size_t rest = 8 * (s.words - i) + s.tail; /* less than two words */
    return same && (differs[0] | differs[1]) == 0 && memcmp(got + 8 * i, &w, rest) == 0;
}

bool flow_must_succeed(const struct flow *f)
{
    return f->plan->side[0].ending == END_GRACEFUL && f->plan->side[1].ending == END_GRACEFUL &&
           f->end[0].play->plan.fail_count[0] == 0 && !f->excused &&
           (!f->plan->held || f->plan->answer == ANSWER_ADMIT) &&
           !(f->end[0].play->plan.nat && (f->plan->swapped || f->plan->together));
}

bool flow_done(const struct flow *f) { return f->dead || (f->end[0].done && f->end[1].done); }

static struct flow_end *other(struct flow_end *e) { return &e->flow->end[!e->side]; }

/* For who plays its part. */
static void tell(const struct flow_end *e, struct sim_step step)
{
    const struct sim_sink *sink = &e->play->conf->sink;
    step.flow = (uint32_t)(e->flow - e->play->flow);
    step.side = e->side;
    if (sink->step != NULL)
        sink->step(sink->user, &step);
}

void flow_packet(const struct flow_end *e, bool heard, const uint8_t *data, size_t len)
{
    struct sim_step step = {.kind = heard ? SIM_HEARS : SIM_SAYS, .data = data, .len = len};
    tern_tcp_info info;
    if (heard && check_info(e, &info))
        step.info = &info;
    tell(e, step);
}

/* Where replies have no room their SYN-ACKs are as good as lost, and where half-open entries are
 * few they are given up sooner than the way is long: an opening fails of that, or comes to a
 * listener that has forgotten it. */
static bool unanswered(struct flow_end *e, int err)
{
    const struct flow_end *o = other(e);
    const tern_counters *n = tern_counters_of(o->s);
    bool few = n->drop[TERN_DROP_REPLIES] != 0 ||
               (plan_has(&e->play->plan, SIM_LIMITS) && n->count[TERN_COUNT_HALFOPEN_EXPIRED] != 0);
    return few && e->side == 0 && !o->opened && (err == TERN_ERESET || err == TERN_ETIMEDOUT);
}

static void finish(struct flow_end *e, int err)
{
    e->err = err;
    e->done = true;
    tell(e, (struct sim_step){.kind = SIM_ENDS});
    e->flow->excused |= unanswered(e, err);
    /* the last acknowledgements may be lost for longer than TIME-WAIT lasts */
    const struct flow_end *o = other(e);
    tern_tcp_info info;
    uint64_t got = o->received + (check_info(o, &info) ? info.rx_queued : 0);
    e->flow->excused |= err == TERN_ERESET && o->shut && o->err == 0 && got == e->sent;
    /* what comes before the segment with the cookie is answered with RST */
    if (err == TERN_ERESET && e->side == 0)
        e->flow->excused |= tern_counters_of(other(e)->s)->count[TERN_COUNT_COOKIES_SENT] != 0;
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
    tell(e,
         (struct sim_step){.kind = SIM_READS, .key = other(e)->key, .at = e->received, .len = n});
    uint64_t key = other(e)->key ^ (e->play->conf->sabotage == SIM_BYTE);
    if (!stream_is(key, e->received, got, n) || e->received + n > other(e)->sent)
        sim_fail(e->play, "S1", "flow %d, end %d: wrong bytes in %llu to %llu",
                 (int)(e->flow - e->play->flow), e->side, (unsigned long long)e->received,
                 (unsigned long long)(e->received + n));
    e->received += n;
    e->play->result->bytes += n;
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
    if (!(o->shut || o->done) || e->received != o->sent + play_sabotaged(e->play, SIM_END))
        sim_fail(e->play, "S2", "flow %d, end %d: the end comes after %llu bytes of %llu",
                 (int)(e->flow - e->play->flow), e->side, (unsigned long long)e->received,
                 (unsigned long long)o->sent);
}

/* Whether it stops reading for a while. */
static bool pauses(struct flow_end *e, uint64_t now)
{
    if (e->paused || e->habit->pause == 0 || e->received < e->habit->pause_after)
        return false;
    e->paused = true;
    e->next_read = now + e->habit->pause;
    return true;
}

static void receive(struct flow_end *e, uint64_t now)
{
    while (e->readable && !e->eof && !e->done && now >= e->next_read) {
        ptrdiff_t n = e->habit->zero_copy ? take_views(e, e->habit->read_max)
                                          : take_copy(e, e->habit->read_max);
        if (n == TERN_EAGAIN || n == TERN_ENOTCONN) {
            e->readable = false;
            e->hungry = now;
        } else if (n < 0) {
            finish(e, (int)n);
        } else if (n == 0) {
            at_eof(e);
        } else {
            e->flow->progress = now;
            e->hungry = 0;
            e->next_read = e->habit->read_wait != 0 ? now + e->habit->read_wait : 0;
            if (now != TERN_NEVER)
                (void)pauses(e, now);
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

static void end_of_writing(struct flow_end *e, uint64_t now)
{
    if (e->end_at == 0)
        e->end_at = now + e->habit->hold_open;
    if (now < e->end_at) {
        e->next_write = e->end_at;
        return;
    }
    e->flow->progress = now;
    e->shut = true;
    if (e->habit->ending == END_CLOSE) {
        finish(e, 0);
        return;
    }
    int err = tern_shutdown(e->s, e->sock);
    if (err < 0)
        finish(e, err);
    else
        tell(e, (struct sim_step){.kind = SIM_SHUTS});
}

static void transmit(struct flow_end *e, uint64_t now)
{
    while (e->writable && !e->shut && !e->done && now >= e->next_write) {
        size_t len = (size_t)min_u64(e->habit->send - e->sent, e->habit->write_max);
        if (len == 0) {
            end_of_writing(e, now);
            return;
        }
        ptrdiff_t n = e->habit->zero_copy ? put_views(e, len) : put_copy(e, len);
        if (n == TERN_EAGAIN || n == TERN_ENOTCONN || n == 0 || n == TERN_ELIMIT ||
            n == TERN_ENOMEM) {
            e->writable = false;
        } else if (n < 0) {
            finish(e, (int)n);
        } else {
            tell(e, (struct sim_step){
                        .kind = SIM_WRITES, .key = e->key, .at = e->sent, .len = (size_t)n});
            e->sent += (uint64_t)n;
            e->wrote = now;
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
    const struct {
        enum tern_opt option;
        int64_t value;
    } set[] = {{TERN_OPT_NODELAY, h->nodelay},
               {TERN_OPT_CORK, h->cork},
               {TERN_OPT_RCVBUF, h->rcvbuf},
               {TERN_OPT_SNDBUF, h->sndbuf},
               {TERN_OPT_MSS, h->mss},
               {TERN_OPT_DSCP, h->dscp},
               {TERN_OPT_TTL, h->ttl},
               {TERN_OPT_KEEP_IDLE, h->keep_idle},
               {TERN_OPT_KEEPALIVE, h->keep_idle != 0}};
    for (size_t i = 0; i < ARRAY_LEN(set); i++)
        if (set[i].value != 0)
            (void)tern_option_set(e->s, k, set[i].option, set[i].value);
}

/* ---- passive opens that wait for an answer --------------------------------------------------- */

static void hold(struct flow_end *e, tern_sock held, uint64_t now)
{
    for (int i = 0; i < HELD_MAX; i++)
        if (e->held[i].id == 0) {
            e->held[i] = held;
            e->answer_at[i] = now + e->flow->plan->answer_wait;
            return;
        }
    (void)tern_hold_drop(e->s, held);
}

/* false: it was none of them. */
static bool unhold(struct flow_end *e, tern_sock held)
{
    for (int i = 0; i < HELD_MAX; i++)
        if (e->held[i].id == held.id) {
            e->held[i].id = 0;
            return true;
        }
    return false;
}

static void answer(struct flow_end *e, tern_sock held)
{
    int unreachable = e->flow->plan->ip6 ? 1 : 3; /* its type in ICMPv6 and in ICMP */
    enum answer says = e->flow->plan->answer;
    tern_sock k;
    if (e->sock.id != 0 || e->opened || e->done)
        says = ANSWER_DROP;
    if (says == ANSWER_RESET) {
        (void)tern_hold_refuse(e->s, held, -1, 0);
    } else if (says == ANSWER_ICMP) {
        (void)tern_hold_refuse(e->s, held, unreachable, 1);
    } else if (says == ANSWER_DROP) {
        (void)tern_hold_drop(e->s, held);
    } else if (tern_hold_admit(e->s, held, &k, e) == 0) {
        e->sock = k;
        set_options(e, k);
    }
}

static void answer_due(struct flow_end *e, uint64_t now)
{
    for (int i = 0; i < HELD_MAX; i++)
        if (e->held[i].id != 0 && now >= e->answer_at[i]) {
            tern_sock held = e->held[i];
            e->held[i].id = 0;
            answer(e, held);
        }
}

/* ---- events ---------------------------------------------------------------------------------- */

static tern_addr address(const struct flow_end *e)
{
    const struct flow *f = e->flow;
    uint32_t port = e->side == 0 ? SIM_LOCAL_PORT + f->local_shift : SIM_PORT;
    tern_addr a = {.port = (uint16_t)(port + f->number)};
    const uint8_t *ip4 = e->host == 0 ? lab_client_ip4 : lab_server_ip4;
    const uint8_t *ip6 = e->host == 0 ? lab_client_ip6 : lab_server_ip6;
    memcpy(a.ip, f->plan->ip6 ? ip6 : ip4, 16);
    return a;
}

static void fail_event(struct flow_end *e, uint32_t mask, const char *why)
{
    sim_fail(e->play, "S15", "flow %d, end %d: event %x %s", (int)(e->flow - e->play->flow),
             e->side, mask, why);
}

/* Where its numbers begin is known from now on. */
static void learn_numbers(struct flow_end *e)
{
    tern_tcp_info info;
    if (tern_info(e->s, e->sock, &info, sizeof(info)) < 0)
        return;
    e->iss = info.iss;
    e->irs = info.irs;
    e->heard.known = e->heard.begun && e->heard.isn == info.irs;
}

static void opened(struct flow_end *e, tern_sock sock)
{
    e->sock = sock;
    e->opened = e->readable = e->writable = true;
    learn_numbers(e);
    e->flow->progress = play_now(e->play);
    work(e, e->flow->progress);
}

/* Whether it is the other end of this flow, and not of one that had the same ports. */
static bool is_other(struct flow_end *e, tern_sock k)
{
    struct flow_end *o = other(e);
    const struct lab_box *box = &e->play->plan.spell[HEAL_SPELL].box[o->host];
    tern_tcp_info mine, theirs;
    tern_addr peer;
    if (e->flow->generation == 0)
        return true;
    if (tern_names(e->s, k, NULL, &peer) < 0 ||
        (peer.port != address(o).port && !e->play->plan.nat))
        return false;
    uint32_t iss = o->iss;
    if (!o->opened && o->sock.id != 0 && tern_info(o->s, o->sock, &theirs, sizeof(theirs)) == 0)
        iss = theirs.iss;
    return tern_info(e->s, k, &mine, sizeof(mine)) == 0 && mine.irs == iss + box->shift[o->host];
}

/* It was that of an older connection: so was what has been written to it. */
static void await_another(struct flow_end *e)
{
    e->sock.id = 0;
    e->opened = e->shut = false;
    e->told = 0;
    e->sent = e->end_at = 0;
}

static void accept_all(struct flow_end *e, const tern_event *ev)
{
    tern_sock k;
    while (tern_accept(e->s, ev->sock, &k, NULL, e) == 0) {
        if (e->sock.id == 0 && !e->opened && !e->done && is_other(e, k)) {
            set_options(e, k);
            opened(e, k);
        } else if (!flow_must_succeed(e->flow) ||
                   e->flow->generation != 0) { /* the one before it was given up */
            (void)tern_abort(e->s, k);
        } else {
            sim_fail(e->play, "S15", "flow %d: accepted twice", (int)(e->flow - e->play->flow));
        }
    }
}

/* What a FIN's acknowledgement means: all that was sent is there. */
static void at_sent(struct flow_end *e)
{
    struct flow_end *o = other(e);
    tern_tcp_info info;
    if (!e->shut)
        fail_event(e, TERN_EV_SENT, "though its FIN was not sent");
    if (o->sock.id == 0 || e->flow->excused || tern_info(o->s, o->sock, &info, sizeof(info)) < 0)
        return;
    if (o->received + info.rx_queued != e->sent || !info.eof)
        sim_fail(e->play, "S2",
                 "flow %d, end %d: told that %llu bytes are acknowledged, of which "
                 "%llu have come",
                 (int)(e->flow - e->play->flow), e->side, (unsigned long long)e->sent,
                 (unsigned long long)(o->received + info.rx_queued));
}

/* Events that come once, and what may not follow on them. */
static bool check_event(struct flow_end *e, const tern_event *ev)
{
    uint32_t once = ev->mask & (TERN_EV_OPEN | TERN_EV_EOF | TERN_EV_SENT | TERN_EV_ERROR);
    if (e->sock.id == 0 || e->sock.id != ev->sock.id)
        fail_event(e, ev->mask, "for a handle that has ended");
    else if (e->told & once)
        fail_event(e, ev->mask, "comes again");
    else if (e->told & TERN_EV_EOF && ev->mask & TERN_EV_READ)
        fail_event(e, ev->mask, "after the end");
    e->told |= once;
    return !e->play->result->failed;
}

void flow_event(struct flow_end *e, const tern_event *ev)
{
    uint64_t now = play_now(e->play);
    if (ev->mask & TERN_EV_HOLD) {
        hold(e, ev->sock, now);
        return;
    }
    if (ev->mask & (TERN_EV_ACCEPT | TERN_EV_FLOOD | TERN_EV_CALM)) { /* of the listener */
        accept_all(e, ev);
        return;
    }
    /* it has waited for too long; said late if it is answered at that moment */
    bool waited = e->flow->plan->held && ev->mask == TERN_EV_CLOSED;
    if (ev->sock.id != e->sock.id && (unhold(e, ev->sock) || waited))
        return;
    if (!check_event(e, ev))
        return;
    if (ev->mask & TERN_EV_ERROR && e->side == 1 && !e->opened && e->flow->generation != 0) {
        (void)tern_close(e->s, e->sock);
        await_another(e);
        return;
    }
    e->readable |= (ev->mask & (TERN_EV_READ | TERN_EV_EOF | TERN_EV_OPEN | TERN_EV_ERROR)) != 0;
    e->writable |= (ev->mask & (TERN_EV_WRITE | TERN_EV_OPEN)) != 0;
    e->opened |= (ev->mask & TERN_EV_OPEN) != 0;
    if (ev->mask & TERN_EV_OPEN && e->side == 1 && !is_other(e, e->sock)) {
        (void)tern_abort(e->s, e->sock);
        await_another(e);
        return;
    }
    if (ev->mask & TERN_EV_OPEN)
        learn_numbers(e);
    if (ev->mask & TERN_EV_SENT)
        at_sent(e);
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
    f->number = (uint32_t)(f - play->flow);
    f->again = plan->again;
    f->begins = LAB_PAIR_START + plan->begins;
    for (int side = 0; side < 2; side++) {
        struct flow_end *e = &f->end[side];
        e->play = play;
        e->flow = f;
        e->side = side;
        e->host = side ^ plan->swapped;
        e->habit = &plan->side[side];
        e->s = lab_world_tern(play->world, e->host);
        e->key = plan->key + (uint64_t)side;
        e->heard.set = (struct ranges){.at = e->heard.at, .cap = HEARD_MAX};
    }
}

void flow_follow(struct flow *f, struct flow *before, uint64_t begins)
{
    flow_init(before->end[0].play, f, before->plan);
    f->number = before->number;
    f->generation = before->generation + 1;
    f->again = before->again - (before->again != 0);
    f->local_shift = before->local_shift;
    f->begins = begins;
    for (int side = 0; side < 2; side++)
        f->end[side].key += (uint64_t)f->generation * 0x9e3779b97f4a7c15u;
    f->listener = before->listener;
    before->listener.id = 0;
    if (f->listener.id != 0)
        (void)tern_user_set(f->end[1].s, f->listener, &f->end[1]);
}

void flow_crash(struct flow *f, int host, tern *s)
{
    for (int side = 0; side < 2; side++) {
        struct flow_end *e = &f->end[side];
        if (e->host != host)
            continue;
        e->s = s;
        f->excused |= f->begun && !flow_done(f);
        if (side == 1)
            f->listener.id = 0;
        memset(e->held, 0, sizeof(e->held));
        e->sock.id = 0;
        e->done |= f->begun;
    }
}

static void begin_listening(struct flow_end *e)
{
    const struct habit *h = e->habit;
    tern_sock *k = &e->flow->listener;
    tern_listen_args args = {.local = address(e), .backlog = 4, .user = e};
    tell(e, (struct sim_step){.kind = SIM_OPENS});
    args.flags = e->flow->plan->held ? TERN_LISTEN_HOLD : 0;
    if (k->id != 0)
        return; /* that of the connection before */
    if (tern_listen(e->s, k, &args) < 0) {
        e->flow->dead = true;
        return;
    }
    if (h->rcvbuf != 0)
        (void)tern_option_set(e->s, *k, TERN_OPT_RCVBUF, h->rcvbuf);
    if (h->mss != 0)
        (void)tern_option_set(e->s, *k, TERN_OPT_MSS, h->mss);
}

static void begin_connecting(struct flow_end *e, uint64_t now)
{
    struct flow *f = e->flow;
    tern_addr local = address(e), peer = address(other(e));
    int err = tern_connect(e->s, &e->sock, &local, &peer, e);
    if (err < 0) {
        e->sock.id = 0;
        f->begun = false;
        f->begins = now + SIM_S;
        f->dead = err != TERN_EADDRINUSE || f->generation == 0;
        return;
    }
    set_options(e, e->sock);
    tell(e, (struct sim_step){.kind = SIM_OPENS, .connects = true});
}

static void begin(struct flow *f, uint64_t now)
{
    f->begun = true;
    f->progress = now;
    if (f->plan->together)
        begin_connecting(&f->end[1], now);
    else
        begin_listening(&f->end[1]);
    if (!f->dead)
        begin_connecting(&f->end[0], now);
    if (!f->dead)
        return;
    f->begun = true;
    flow_close(f);
    if (flow_must_succeed(f))
        sim_fail(f->end[0].play, "L2", "flow %d could not begin", (int)(f - f->end[0].play->flow));
}

void flow_wake(struct flow *f, uint64_t now)
{
    if (!f->begun && now >= f->begins)
        begin(f, now);
    answer_due(&f->end[1], now);
    for (int side = 0; side < 2; side++)
        work(&f->end[side], now);
}

uint64_t flow_next(const struct flow *f)
{
    uint64_t next = TERN_NEVER;
    if (!f->begun)
        return f->begins;
    for (int i = 0; i < HELD_MAX; i++)
        if (f->end[1].held[i].id != 0)
            next = min_u64(next, f->end[1].answer_at[i]);
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

uint64_t flow_waits(const struct flow *f)
{
    uint64_t until = f->begun ? 0 : f->begins;
    for (int side = 0; side < 2; side++) {
        const struct flow_end *e = &f->end[side];
        if (!e->done)
            until = max_u64(until, max_u64(e->end_at, e->next_read));
    }
    return until;
}

void flow_close(struct flow *f)
{
    f->again = 0;
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
