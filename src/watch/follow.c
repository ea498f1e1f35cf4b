/* follow.c - see follow.h: finds the connection, lets the segment be judged (judge.c) and counted
 * (kinds.c), then writes it into the books of both ends. */
#include "watch/follow.h"

#include <stdlib.h>

#include "base/seq.h"
#include "base/siphash.h"
#include "watch/judge.h"
#include "watch/states.h"

enum { BUCKETS_MIN = 64, CONNS_MAX = 1 << 20, SAME_PAIR_MAX = 8 };
#define TIME_WAIT_USUAL (60 * (uint64_t)1000000000)

struct follow {
    struct follow_config conf;
    struct follow_conn **conns; /* by number - 1 */
    uint32_t count, room;
    struct follow_conn **buckets;
    uint32_t bucket_count;
    uint64_t ignored;
    struct cksum_ops cksum;
};

const struct watch_rule_info *watch_rule_info(enum watch_rule rule)
{
    static const struct watch_rule_info rules[WATCH_RULE_COUNT] = {
#define X(name, id, needs, section) [WATCH_RULE_##name] = {id, section, MSG_RULE_##name, needs},
        WATCH_RULES(X)
#undef X
    };
    return &rules[rule];
}

struct follow *follow_new(const struct follow_config *conf)
{
    struct follow *f = calloc(1, sizeof(*f));
    if (f == NULL)
        return NULL;
    f->conf = *conf;
    f->cksum = cksum_select();
    if (f->conf.conns_max == 0 || f->conf.conns_max > CONNS_MAX)
        f->conf.conns_max = CONNS_MAX;
    return f;
}

void follow_trust(struct follow *f, unsigned trust) { f->conf.trust = trust; }

void follow_free(struct follow *f)
{
    if (f == NULL)
        return;
    for (uint32_t i = 0; i < f->count; i++) {
        free(f->conns[i]->end[0].recent);
        free(f->conns[i]->end[1].recent);
        free(f->conns[i]);
    }
    free(f->conns);
    free(f->buckets);
    free(f);
}

uint32_t follow_count(const struct follow *f) { return f->count; }
struct follow_conn *follow_conn(const struct follow *f, uint32_t i)
{
    return i < f->count ? f->conns[i] : NULL;
}
uint64_t follow_ignored(const struct follow *f) { return f->ignored; }

/* ---- finding --------------------------------------------------------------------------------- */

/* The same for both directions. */
static uint64_t pair_hash(const struct follow *f, const tern_addr *a, const tern_addr *b)
{
    const struct siphash_key key = {(uint64_t)(uintptr_t)f, 0x666f6c6c6f77u};
    uint64_t words[6] = {load_le64(a->ip), load_le64(a->ip + 8), a->port,
                         load_le64(b->ip), load_le64(b->ip + 8), b->port};
    return siphash13_words(&key, words, 3) ^ siphash13_words(&key, words + 3, 3);
}

static int end_of(const struct follow_conn *k, const tern_addr pair[2])
{
    for (int end = 0; end < 2; end++)
        if (addr_equal(&k->end[end].addr, &pair[0]) && addr_equal(&k->end[!end].addr, &pair[1]))
            return end;
    return -1;
}

static bool near(uint32_t a, uint32_t b) { return a - b + (1u << 24) < 1u << 25; }

/* The number of one of its SYNs that is near, the closest one before it; NULL: none. */
static const uint32_t *near_isn(const struct follow_end *e, uint32_t number)
{
    const uint32_t *found = NULL;
    for (const uint32_t *isn = e->isns; isn < e->isns + e->isn_count; isn++)
        if (near(number, *isn) && (found == NULL || number - *isn < number - *found))
            found = isn;
    return found;
}

bool follow_acks_syn(const struct follow_end *e, uint32_t ack)
{
    for (uint32_t i = 0; i < e->isn_count; i++)
        if (ack == e->isns[i] + 1)
            return true;
    return false;
}

/* Whether it acknowledges what `o` may have sent, by any number of its SYN, if it had more. */
static bool ack_near(const struct follow_end *o, uint32_t ack)
{
    return near(ack, o->snd_max) || near_isn(o, ack) != NULL;
}

static bool ack_matches(const struct follow_end *o, uint32_t ack)
{
    return seq_between(ack, o->isn, o->snd_max) || follow_acks_syn(o, ack);
}

/* Whether the numbers of a segment from `from` go with the connection: of two on the same ports, in
 * which the older is not quite dead, each gets its own. */
static bool numbers_fit(const struct follow_conn *k, int from, const struct wire_tcp *h)
{
    const struct follow_end *e = &k->end[from], *o = &k->end[!from];
    if (h->flags & TCP_ACK && o->based)
        return ack_near(o, h->ack);
    return !e->based || near(h->seq, e->snd_max);
}

/* Whether it can be a segment of this connection and nothing is missing: an older one with the same
 * ports may fit better than the newest, to which its numbers only come near. */
static bool numbers_match(const struct follow_conn *k, int from, const struct wire_tcp *h)
{
    const struct follow_end *e = &k->end[from], *o = &k->end[!from];
    if (h->flags & TCP_ACK && !(o->based && ack_matches(o, h->ack)))
        return false;
    return e->based ? near(h->seq, e->snd_max) : (h->flags & TCP_SYN) != 0;
}

/* A SYN with another number begins another connection. */
static bool begins_anew(const struct follow_conn *k, int from, const struct wire_tcp *h)
{
    const struct follow_end *e = &k->end[from];
    if ((h->flags & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_SYN)
        return false;
    return e->based && !(e->syn && e->isn == h->seq);
}

static bool grow(struct follow *f)
{
    if (f->count == f->room) {
        uint32_t room = f->room == 0 ? BUCKETS_MIN : f->room * 2;
        struct follow_conn **conns = realloc(f->conns, room * sizeof(struct follow_conn *));
        if (conns == NULL)
            return false;
        f->conns = conns;
        f->room = room;
    }
    if (f->count < f->bucket_count)
        return true;
    uint32_t n = f->bucket_count == 0 ? BUCKETS_MIN : f->bucket_count * 2;
    struct follow_conn **buckets = calloc(n, sizeof(struct follow_conn *));
    if (buckets == NULL)
        return false;
    for (uint32_t i = 0; i < f->count; i++) {
        struct follow_conn *k = f->conns[i];
        k->chain = buckets[k->hash & (n - 1)];
        buckets[k->hash & (n - 1)] = k;
    }
    free(f->buckets);
    f->buckets = buckets;
    f->bucket_count = n;
    return true;
}

static struct follow_conn *make(struct follow *f, const tern_addr pair[2], uint64_t time)
{
    struct follow_conn *k = NULL;
    if (f->count < f->conf.conns_max && grow(f))
        k = calloc(1, sizeof(*k));
    if (k == NULL)
        return NULL;
    k->hash = pair_hash(f, &pair[0], &pair[1]);
    k->began = k->last = time;
    k->closed_first = k->reset_by = -1;
    for (int end = 0; end < 2; end++) {
        k->end[end].addr = pair[end];
        k->end[end].state_since = time;
    }
    struct follow_conn **bucket = &f->buckets[k->hash & (f->bucket_count - 1)];
    k->chain = *bucket;
    *bucket = k;
    f->conns[f->count++] = k;
    k->number = f->count;
    return k;
}

/* The connection of a segment, whose sender is pair[0]. */
static struct follow_conn *find(struct follow *f, const tern_addr pair[2], const struct wire_tcp *h,
                                int *from)
{
    struct follow_conn *newest = NULL;
    uint32_t same = 0;
    bool found = false;
    if (f->bucket_count == 0)
        return NULL;
    uint64_t hash = pair_hash(f, &pair[0], &pair[1]);
    for (struct follow_conn *k = f->buckets[hash & (f->bucket_count - 1)]; k != NULL;
         k = k->chain) {
        int end = k->hash == hash ? end_of(k, pair) : -1;
        if (end < 0)
            continue;
        bool match = h == NULL || numbers_match(k, end, h);
        bool fits = match || (!found && numbers_fit(k, end, h));
        if (newest == NULL || fits) {
            newest = k;
            *from = end;
        }
        found |= fits;
        if (match || ++same == SAME_PAIR_MAX)
            break;
    }
    return newest;
}

/* ---- states ---------------------------------------------------------------------------------- */

struct at {
    const struct follow *f;
    struct follow_conn *k;
    uint64_t time;
    bool after;
};

static void enter(const struct at *at, int end, enum tern_state to)
{
    struct follow_conn *k = at->k;
    struct follow_end *e = &k->end[end];
    enum tern_state from = e->state;
    if (from == to)
        return;
    e->state = (uint8_t)to;
    e->state_time[from] += at->time - min_u64(at->time, e->state_since);
    e->state_since = at->time;
    if (to == TERN_ESTABLISHED && k->established == 0)
        k->established = at->time;
    if (at->f->conf.state != NULL)
        at->f->conf.state(at->f->conf.user, k, end, from, to, at->after);
    bool over = true;
    for (int i = 0; i < 2; i++)
        over &= k->end[i].state == TERN_CLOSED || k->end[i].state == TERN_TIME_WAIT;
    if (over && k->ended == 0)
        k->ended = at->time;
}

/* Seen for the first time in its middle. */
static void enter_middle(const struct at *at, int end, uint16_t flags)
{
    const struct follow_end *o = &at->k->end[!end];
    if (at->k->end[end].state != TERN_CLOSED || flags & (TCP_SYN | TCP_RST))
        return;
    if (at->k->end[end].syn ||
        (o->syn && !(o->options & WIRE_OPT_SACK) && o->state == TERN_SYN_SENT))
        return;
    enter(at, end, TERN_ESTABLISHED);
}

enum how { SHOWS, CAUSES };
enum sign { SYN, SYN_ACK, ACK_SYN, ACK_UNSEEN, ACK_FIN, FIN };

static void follow_sign(const struct at *at, int end, enum how how, enum sign sign)
{
#define KEY(how, from, sign) ((uint32_t)(how) << 16 | (uint32_t)(from) << 8 | (uint32_t)(sign))
    switch (KEY(how, at->k->end[end].state, sign)) {
#define X(how, from, sign, to)                                                                     \
    case KEY(how, TERN_##from, sign):                                                              \
        enter(at, end, TERN_##to);                                                                 \
        break;
        WATCH_TRANSITIONS(X)
#undef X
    default:
        break;
    }
#undef KEY
}

/* What the segment shows of its sender. */
static void sender_shows(const struct at *at, int from, const struct packet *p)
{
    const struct follow_end *o = &at->k->end[!from];
    uint16_t flags = p->tcp.flags;
    bool acks_fin = flags & TCP_ACK && o->fin_sent && seq_gt(p->tcp.ack, o->fin);
    /* of the other end, if none of it is in the capture, it is believed */
    bool acks_syn = flags & TCP_ACK && (o->segments == 0 || (o->syn && seq_gt(p->tcp.ack, o->isn)));
    if (flags & TCP_RST)
        return;
    if (flags & TCP_SYN) {
        follow_sign(at, from, SHOWS, flags & TCP_ACK ? SYN_ACK : SYN);
    } else {
        enter_middle(at, from, flags);
        if (acks_syn)
            follow_sign(at, from, SHOWS, ACK_SYN);
        if (acks_syn && o->segments == 0)
            follow_sign(at, from, SHOWS, ACK_UNSEEN);
    }
    if (acks_fin)
        follow_sign(at, from, SHOWS, ACK_FIN);
    if (flags & TCP_FIN)
        follow_sign(at, from, SHOWS, FIN);
}

/* An RST to what comes of a connection before this one: its sender, which has said no more than its
 * SYN, stays as it is (RFC 9293 3.10.7.3, first, and 3.10.7.4, fifth). */
static bool rst_before(const struct follow_end *e, const struct wire_tcp *h)
{
    return h->flags & TCP_RST && e->syn && !e->spoke && h->seq != e->isn + 1;
}

/* What it will do at the other end, nothing of which will be shown. */
static void receiver_takes(const struct at *at, int from, const struct packet *p)
{
    const struct follow_end *r = &at->k->end[!from];
    uint16_t flags = p->tcp.flags;
    if (rst_before(&at->k->end[from], &p->tcp))
        return;
    if (flags & TCP_RST) {
        at->k->time_wait_reset |= r->state == TERN_TIME_WAIT;
        enter(at, from, TERN_CLOSED);
        enter(at, !from, TERN_CLOSED);
        return;
    }
    if (!(flags & TCP_ACK))
        return;
    if (seq_gt(p->tcp.ack, r->isn))
        follow_sign(at, !from, CAUSES, ACK_SYN);
    if (r->fin_sent && seq_gt(p->tcp.ack, r->fin))
        follow_sign(at, !from, CAUSES, ACK_FIN);
}

/* ---- books ----------------------------------------------------------------------------------- */

static void base_on(struct follow_end *e, uint32_t number)
{
    if (e->based)
        return;
    e->based = true;
    e->isn = number - 1;
    e->snd_max = number;
}

/* A listener that forgets a half-open connection answers the next SYN with another number, but the
 * first may be the one that counts: of a cookie, say. What is sent then shows it. */
static void settle_isn(struct follow_end *e, const struct wire_tcp *h)
{
    if (h->flags & (TCP_SYN | TCP_RST) || e->isn_count < 2 ||
        ((e->settled || e->spoke) && near(h->seq, e->snd_max)))
        return;
    const uint32_t *isn = near_isn(e, h->seq);
    if (isn == NULL)
        return;
    e->isn = *isn;
    e->snd_max = h->seq;
    e->settled = true;
    e->ts_seen = false; /* the other SYN had a clock of its own */
    e->ts_max = 0;
}

static void add_isn(struct follow_end *e, uint32_t isn)
{
    if (follow_acks_syn(e, isn + 1))
        return;
    e->isn_count += e->isn_count < FOLLOW_ISNS;
    e->isns[e->isn_count - 1] = isn;
}

static void take_syn(struct follow_conn *k, int from, const struct wire_tcp *h, uint64_t time)
{
    struct follow_end *e = &k->end[from], *o = &k->end[!from];
    bool first = !e->syn;
    bool other = !first && e->isn != h->seq; /* and with it, maybe, another clock */
    add_isn(e, h->seq);
    e->syn = e->based = true;
    e->isn = h->seq;
    if (first)
        e->snd_max = h->seq + 1;
    if (first)
        e->ts_first = h->opt.tsval;
    e->ts_seen = e->ts_seen && !other;
    e->settled = first || (e->settled && !other);
    e->options = first ? h->opt.have : e->options | h->opt.have;
    e->options_all = first ? h->opt.have : e->options_all & h->opt.have;
    e->ecn |= h->flags & ECN_FLAGS;
    e->mss = h->opt.have & WIRE_OPT_MSS ? h->opt.mss : 0;
    e->wscale = (uint8_t)min_u32(h->opt.wscale, WIRE_WSCALE_MAX);
    if (!first && k->rtt <= 1) {
        k->rtt = k->syn_time = 0; /* sent again: which one is answered is not known */
    } else if (first && !(h->flags & TCP_ACK)) {
        k->syn_time = time;
    } else if (first && k->syn_time != 0 && o->syn) {
        k->rtt = 1; /* to be completed by the ACK of it */
    }
}

static void take_data(struct follow_end *e, const struct packet *p)
{
    if (p->len == 0 || !p->whole)
        return;
    if (e->recent == NULL && (e->recent = calloc(FOLLOW_RECENT, sizeof(*e->recent))) == NULL)
        return;
    e->recent[e->recent_next++ % FOLLOW_RECENT] =
        (struct follow_data){.seq = p->tcp.seq, .len = (uint32_t)p->len, .sum = p->sum};
}

static void take_numbers(struct follow_conn *k, int from, const struct packet *p)
{
    struct follow_end *e = &k->end[from], *o = &k->end[!from];
    const struct wire_tcp *h = &p->tcp;
    uint32_t end = h->seq + wire_tcp_span(h, (uint32_t)p->len);
    if (h->flags & TCP_RST) {
        if (rst_before(e, h))
            return;
        e->rst_sent = true;
        e->rst = h->seq;
        return;
    }
    base_on(e, h->seq);
    e->spoke |= !(h->flags & TCP_SYN);
    if (seq_gt(end, e->snd_max)) {
        e->bytes += p->len != 0 ? min_u32(end - e->snd_max, (uint32_t)p->len) : 0;
        e->snd_max = end;
        e->ts_new = h->opt.tsval;
        e->ts_seen = e->ts_seen || h->opt.have & WIRE_OPT_TS;
    }
    if (h->flags & TCP_FIN && !e->fin_sent) {
        e->fin_sent = true;
        e->fin = end - 1;
        if (!o->fin_sent)
            k->closed_first = from;
    }
    take_data(e, p);
    if (h->opt.have & WIRE_OPT_TS && (e->ts_max == 0 || seq_gt(h->opt.tsval, e->ts_max)))
        e->ts_max = h->opt.tsval;
    if (!(h->flags & TCP_ACK))
        return;
    base_on(o, h->ack);
    if (seq_gt(h->ack, o->snd_max)) /* what was not seen was sent all the same */
        o->snd_max = h->ack;
    if (!e->acked || seq_gt(h->ack, e->ack))
        e->ack = h->ack;
    e->acked = true;
    e->acks[e->acks_next++ % ARRAY_LEN(e->acks)] = h->ack;
    if (h->opt.have & WIRE_OPT_TS && (e->ack_ts == 0 || seq_gt(h->opt.tsval, e->ack_ts))) {
        e->ack_ts = h->opt.tsval;
        e->ack_at = h->ack;
    }
}

static void take_window(struct follow_conn *k, int from, const struct wire_tcp *h)
{
    struct follow_end *e = &k->end[from];
    const struct follow_end *o = &k->end[!from];
    if (h->flags & TCP_RST)
        return;
    bool scaled = !(h->flags & TCP_SYN) && e->options & o->options & WIRE_OPT_WSCALE;
    e->wnd = (uint32_t)h->wnd << (scaled ? e->wscale : 0);
    if (!(h->flags & TCP_ACK)) { /* the window of a SYN begins behind the SYN it has not seen yet */
        e->edged = false;
        return;
    }
    uint32_t edge = h->ack + e->wnd;
    if (!e->edged || seq_gt(edge, e->edge))
        e->edge = edge;
    e->edged = true;
}

static void take_rtt(struct follow_conn *k, int from, const struct wire_tcp *h, uint64_t time)
{
    const struct follow_end *o = &k->end[!from];
    bool completes = k->rtt == 1 && !(h->flags & (TCP_SYN | TCP_RST)) && h->flags & TCP_ACK &&
                     o->syn && h->ack == o->isn + 1;
    if (completes)
        k->rtt = max_u64(time - min_u64(time, k->syn_time), 2);
}

/* Whether one of its ends is still in TIME-WAIT, as far as anybody knows how long that lasts. */
static bool waits(const struct follow_conn *k, uint64_t now)
{
    for (int end = 0; end < 2; end++)
        if (k->end[end].state == TERN_TIME_WAIT && now < k->end[end].state_since + TIME_WAIT_USUAL)
            return true;
    return false;
}

void follow_packet(struct follow *f, const struct follow_packet *p, struct follow_result *out)
{
    tern_addr pair[2];
    memset(out, 0, sizeof(*out));
    if (!packet_read_part(p->data, p->have, p->len, &out->packet)) {
        f->ignored++;
        return;
    }
    const struct packet *packet = &out->packet;
    packet_pair(packet, 0, pair);
    struct follow_conn *k = find(f, pair, packet->is_icmp ? NULL : &packet->tcp, &out->from);
    if (!packet->is_icmp && (k == NULL || begins_anew(k, out->from, &packet->tcp))) {
        bool answer = (packet->tcp.flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK);
        tern_addr swapped[2] = {pair[1], pair[0]};
        const struct follow_conn *before = k;
        k = make(f, answer ? swapped : pair, p->time);
        if (k != NULL && before != NULL && waits(before, p->time))
            k->reuses = before->number;
        out->from = answer;
        out->began = true;
    }
    out->conn = k;
    if (k == NULL || packet->is_icmp) {
        f->ignored += k == NULL;
        return;
    }
    if (packet->whole)
        out->packet.sum = cksum_fold(cksum_bytes(&f->cksum, packet->payload, packet->len, 0));
    struct judge j = {&f->conf, k, out->from, packet, p};
    struct at at = {f, k, p->time, false};
    k->last = p->time;
    k->end[out->from].segments++;
    settle_isn(&k->end[out->from], &packet->tcp);
    judge_segment(&j);
    out->kinds = kinds_of(k, out->from, packet, p->time);
    for (uint32_t i = 0; i < FOLLOW_KINDS; i++)
        k->end[out->from].kinds[i] += out->kinds >> i & 1;
    sender_shows(&at, out->from, packet);
    if (packet->tcp.flags & TCP_SYN)
        take_syn(k, out->from, &packet->tcp, p->time);
    take_numbers(k, out->from, packet);
    take_window(k, out->from, &packet->tcp);
    take_rtt(k, out->from, &packet->tcp, p->time);
    if (packet->tcp.flags & TCP_RST && k->reset_by < 0 &&
        !rst_before(&k->end[out->from], &packet->tcp))
        k->reset_by = out->from;
    at.after = true;
    receiver_takes(&at, out->from, packet);
}

uint64_t follow_state_time(const struct follow_end *e, enum tern_state state, uint64_t now)
{
    uint64_t ns = e->state_time[state];
    if (state == e->state)
        ns += now - min_u64(now, e->state_since);
    return state == TERN_TIME_WAIT ? min_u64(ns, TIME_WAIT_USUAL) : ns;
}

enum follow_outcome follow_outcome(const struct follow_conn *k)
{
    const struct follow_end *a = &k->end[0], *b = &k->end[1];
    bool shut = a->fin_sent && b->fin_sent && b->acked && a->acked && seq_gt(b->ack, a->fin) &&
                seq_gt(a->ack, b->fin);
    if (shut)
        return FOLLOW_CLOSED;
    if (k->reset_by >= 0)
        return k->established == 0 && !k->end[k->reset_by].syn ? FOLLOW_REFUSED : FOLLOW_RESET;
    return k->established == 0 ? FOLLOW_HALF_OPEN : FOLLOW_OPEN;
}
