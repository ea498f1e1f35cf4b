/* fastopen.c - TCP Fast Open (RFC 7413): data on the SYN of a peer that has shown before, by a
 * cookie, that packets reach it where it says it is.
 *
 * Passive: a cookie is a keyed hash of both addresses, so that none is remembered. A SYN with a
 * good one makes a connection at once, in SYN-RECEIVED, whose data may be read and answered before
 * the third segment comes; how many of these may wait is limited, and resets of accepted ones are
 * held against the limit for a while, as they are what a flood from false addresses brings. Any
 * other SYN opens as always.
 *
 * Active: cookies and the MSS that came with them are kept in a small table by address, where the
 * newest displaces. Where none is known, the SYN asks for one; where the peer does not answer that,
 * the next asks in the experimental form. A SYN that is sent again is a plain one.
 *
 * Some paths drop SYNs with data or option, or all that follows them (RFC 7413 4.1.3, 7.1). When
 * two such SYNs in a row came through only without, or after one nothing comes back, peers of that
 * prefix get plain SYNs for an hour; then it is tried again, and each time that it fails the wait
 * doubles, up to 64 hours.
 */
#include "tcp/guard.h"

enum {
    COOKIE_LEN = 8,
    WAYS = 4,          /* places of the table where an address may stand */
    OPTIONS_ROOM = 40, /* left free on a SYN, for middleboxes to add to */
    RESET_S = 60,      /* how long a reset counts as waiting */
    EXP_NEXT = 1,      /* struct fastopen_peer, try_exp: ask in the experimental form, */
    EXP_TRIED = 2,     /* which was not answered either */
    HOLE_BYTES4 = 15,  /* a prefix of struct fastopen_hole: /24, */
    HOLE_BYTES6 = 6,   /* and /48 */
    HOLE_S = 3600,     /* how long it is left alone at first, */
    HOLE_DOUBLES = 6,  /* and so often that doubles */
    LOST_MAX = 2,      /* SYNs lost in a row that are no accident */
};

struct fastopen_peer {
    uint8_t ip[16];
    uint16_t mss; /* 0: this place is free */
    uint8_t try_exp;
    struct wire_fastopen cookie; /* len 0: none */
};

/* ---- cookies of ours ------------------------------------------------------------------------- */

static void make_cookie(const struct siphash_key *key, const struct tcp_tuple *tuple,
                        struct wire_fastopen *out)
{
    uint8_t in[32];
    size_t off = wire_is_ip4(tuple->remote) ? 12 : 0, len = 16 - off;
    memcpy(in, tuple->remote + off, len);
    memcpy(in + len, tuple->local + off, len);
    uint64_t hash = siphash24(key, in, 2 * len);
    for (unsigned i = 0; i < COOKIE_LEN; i++)
        out->cookie[i] = (uint8_t)(hash >> 8 * i);
    out->len = COOKIE_LEN;
}

int fastopen_keys(struct tcp *t, struct listener *l, const uint8_t *keys, size_t n)
{
    if (n > FASTOPEN_KEYS || (n == 0 && l == NULL))
        return TERN_EINVAL;
    struct siphash_key *to = l != NULL ? l->fo_key : t->fo_key;
    for (size_t i = 0; i < n; i++)
        to[i] = siphash_key(keys + 16 * i);
    if (l != NULL)
        l->fo_keys = (uint8_t)n;
    else
        t->fo_keys = (uint8_t)n;
    return 0;
}

/* Which key has made it, from 1 on; 0: none. `tell` is the cookie of today. */
static unsigned check_cookie(const struct tcp *t, const struct listener *l,
                             const struct tcp_seg *seg, struct wire_fastopen *tell)
{
    const struct wire_fastopen *got = &seg->h.opt.fastopen;
    const struct siphash_key *keys = l->fo_keys != 0 ? l->fo_key : t->fo_key;
    unsigned n = l->fo_keys != 0 ? l->fo_keys : t->fo_keys, good = 0;
    for (unsigned i = n; i > 0; i--) {
        make_cookie(&keys[i - 1], &seg->tuple, tell);
        if (got->len == COOKIE_LEN && memcmp(got->cookie, tell->cookie, COOKIE_LEN) == 0)
            good = i;
    }
    tell->exp = got->exp;
    return good;
}

/* Whether one more may wait. */
static bool has_room(struct tcp *t, struct listener *l)
{
    if (l->fo_resets != 0 && tick_due(t, l->t_fo))
        l->fo_resets = 0;
    return l->fo_waiting + l->fo_resets < l->fo_max && t->fo_pending < t->cfg->fastopen_pending_max;
}

enum fastopen_verdict fastopen_judge(struct tcp *t, struct listener *l, const struct tcp_seg *seg,
                                     struct wire_fastopen *tell)
{
    bool option = (seg->h.opt.have & WIRE_OPT_FASTOPEN) != 0;
    const struct wire_fastopen *got = &seg->h.opt.fastopen;
    if (option && got->len == 0)
        count(t, TERN_COUNT_FASTOPEN_REQUESTS);
    if (l->fo_max == 0 || (seg->len == 0 && !option))
        return FASTOPEN_PLAIN;
    if (!has_room(t, l)) {
        count(t, TERN_COUNT_FASTOPEN_OVERFLOWS);
        return FASTOPEN_PLAIN;
    }
    if (l->fo_free)
        return FASTOPEN_TAKE;
    if (!option)
        return FASTOPEN_PLAIN;
    unsigned key = check_cookie(t, l, seg, tell);
    if (got->len != 0 && key == 0)
        count(t, TERN_COUNT_FASTOPEN_PASSIVE_FAILS);
    if (key == 0)
        return FASTOPEN_TELL;
    return key == 1 ? FASTOPEN_TAKE : FASTOPEN_TAKE_AND_TELL;
}

/* ---- connections made by a SYN --------------------------------------------------------------- */

enum tern_drop fastopen_begin(struct tcp *t, struct conn *c, struct tcp_seg *seg,
                              const struct wire_fastopen *tell)
{
    struct conn_rare *r = conn_rare(t, c);
    if (r == NULL || conn_thaw(t, c) == NULL) {
        conn_free(t, c);
        return TERN_DROP_MEMORY;
    }
    struct listener *l = listener_at(t, c->listener);
    r->fastopen = FASTOPEN_PASSIVE;
    r->fo_waits = true;
    r->fo_listener = c->listener;
    r->fo_generation = l->generation;
    l->fo_waiting++;
    t->fo_pending++;
    if (c->flags & CONN_COUNTED) {
        r->fo_counted = true;
        admit_count(t, c->raddr, 1, 0);
    }
    if (tell != NULL) {
        r->cookie = *tell;
        r->fo_tell = true;
        count(t, TERN_COUNT_FASTOPEN_PASSIVE_ALT);
    }
    count(t, TERN_COUNT_FASTOPEN_PASSIVE);
    c->snd_wnd_max = c->snd_wnd;
    c->stats->segs_in = seg->segs;
    if (seg->len != 0 && reasm_next(t, c, seg, 0, seg->len) == TERN_DROP_NONE) {
        r->fastopen |= FASTOPEN_ACKED;
        count_add(t, TERN_COUNT_BYTES_IN, seg->len);
        c->stats->data_segs_in = seg->segs;
        c->stats->bytes_received = seg->len;
        c->stats->received_at = t->now;
    }
    c->flags |= CONN_SYN_DUE;
    conn_ready(t, c);
    return TERN_DROP_NONE;
}

void fastopen_over(struct tcp *t, struct conn *c, bool reset)
{
    struct conn_rare *r = conn_rare_of(c);
    if (LIKELY(r == NULL) || !r->fo_waits)
        return;
    r->fo_waits = false;
    t->fo_pending--;
    if (r->fo_counted)
        admit_count(t, c->raddr, -1, 0);
    r->fo_counted = false;
    if (!slab_is(&t->listeners, r->fo_listener, r->fo_generation))
        return;
    struct listener *l = listener_at(t, r->fo_listener);
    l->fo_waiting--;
    if (reset && !(c->flags & CONN_QUEUED)) {
        l->fo_resets++;
        l->t_fo = tick_after(t, RESET_S * NS_PER_S);
    }
}

bool fastopen_child(const struct conn *c)
{
    const struct conn_rare *r = conn_rare_of(c);
    return r != NULL && r->fo_waits;
}

/* ---- cookies of others ----------------------------------------------------------------------- */

static struct fastopen_peer *peer_of(const struct tcp *t, const uint8_t ip[16], bool make)
{
    uint32_t n = t->cfg->fastopen_peers_max;
    if (t->fo_peers == NULL || n == 0)
        return NULL;
    uint64_t w[2];
    memcpy(w, ip, 16);
    uint64_t hash = siphash13_words(&t->key_flow, w, 2);
    struct fastopen_peer *room = NULL, *at;
    for (uint32_t i = 0; i < WAYS; i++) {
        at = &t->fo_peers[(hash + i) % n];
        if (at->mss != 0 && memcmp(at->ip, ip, 16) == 0)
            return at;
        if (room == NULL && at->mss == 0)
            room = at;
    }
    if (!make)
        return NULL;
    if (room == NULL)
        room = &t->fo_peers[(hash + (hash >> 32) % WAYS) % n];
    *room = (struct fastopen_peer){0};
    memcpy(room->ip, ip, 16);
    return room;
}

void fastopen_destroy(struct tcp *t)
{
    if (t->fo_peers == NULL)
        return; /* nor may there be anything else, if the shard could not be made */
    mem_free(t->mem, t->fo_peers, t->cfg->fastopen_peers_max * sizeof(*t->fo_peers));
}

/* ---- paths that drop it ---------------------------------------------------------------------- */

static uint8_t hole_bytes(const uint8_t ip[16])
{
    return wire_is_ip4(ip) ? HOLE_BYTES4 : HOLE_BYTES6;
}

/* Its place; FASTOPEN_HOLES: none. */
static uint32_t hole_at(const struct tcp *t, const uint8_t ip[16])
{
    uint8_t len = hole_bytes(ip);
    uint32_t i = 0;
    while (i < FASTOPEN_HOLES &&
           (t->fo_holes[i].len != len || memcmp(t->fo_holes[i].prefix, ip, len) != 0))
        i++;
    return i;
}

/* A new one in the place of that which ends first. */
static struct fastopen_hole *hole_make(struct tcp *t, const uint8_t ip[16])
{
    uint32_t i = hole_at(t, ip);
    if (i < FASTOPEN_HOLES)
        return &t->fo_holes[i];
    struct fastopen_hole *room = t->fo_holes;
    for (struct fastopen_hole *at = t->fo_holes; at < t->fo_holes + FASTOPEN_HOLES; at++)
        if (at->until < room->until)
            room = at;
    *room = (struct fastopen_hole){.len = hole_bytes(ip)};
    memcpy(room->prefix, ip, room->len);
    return room;
}

static bool left_alone(const struct tcp *t, const struct conn *c)
{
    uint32_t i = hole_at(t, c->raddr);
    return i < FASTOPEN_HOLES && t->now < t->fo_holes[i].until;
}

static void hole_found(struct tcp *t, struct fastopen_hole *h)
{
    uint64_t longest = HOLE_S * NS_PER_S << HOLE_DOUBLES;
    if (t->now < h->until)
        return; /* known, by a connection that has begun before */
    if (t->now - h->until > longest)
        h->times = 0; /* that was another path */
    h->until = t->now + (HOLE_S * NS_PER_S << min_u32(h->times, HOLE_DOUBLES));
    h->times = (uint8_t)min_u32(h->times + 1u, HOLE_DOUBLES);
    h->lost = 0;
    count(t, TERN_COUNT_FASTOPEN_HOLES);
}

void fastopen_timeout(struct tcp *t, const struct conn *c)
{
    const struct conn_rare *r = conn_rare_of(c);
    if (LIKELY(r == NULL) || !(r->fastopen & (FASTOPEN_OPTION | FASTOPEN_DATA)))
        return;
    if (c->state >= TERN_ESTABLISHED && c->stats->data_segs_in == 0)
        hole_found(t, hole_make(t, c->raddr));
}

/* What the SYN-ACK shows of the path. */
static void learn_path(struct tcp *t, const struct conn *c)
{
    uint32_t i = hole_at(t, c->raddr);
    if (!(c->flags & CONN_SYN_LOST)) {
        if (i < FASTOPEN_HOLES)
            t->fo_holes[i].lost = 0;
        return;
    }
    struct fastopen_hole *h = hole_make(t, c->raddr);
    if (++h->lost >= LOST_MAX)
        hole_found(t, h);
}

/* The most a SYN to this peer may bring. */
static uint32_t syn_room(const struct conn *c, const struct fastopen_peer *peer)
{
    uint32_t mss = c->mss_own;
    if (peer != NULL && peer->mss != 0)
        mss = min_u32(mss, peer->mss);
    return mss > OPTIONS_ROOM ? mss - OPTIONS_ROOM : 0;
}

uint32_t fastopen_room(const struct tcp *t, const struct conn *c)
{
    const struct conn_rare *r = conn_rare_of(c);
    const struct fastopen_peer *peer = peer_of(t, c->raddr, false);
    if (r == NULL || !(r->fastopen & FASTOPEN_ASK) || c->state != TERN_SYN_SENT || left_alone(t, c))
        return 0;
    return (peer != NULL && peer->cookie.len != 0) || r->fastopen & FASTOPEN_FREE
               ? syn_room(c, peer)
               : 0;
}

int fastopen_ask(struct tcp *t, struct conn *c, int64_t how)
{
    struct conn_rare *r = conn_rare(t, c);
    bool unborn = c->state == TERN_SYN_SENT && c->snd_una == c->snd_nxt;
    if (r == NULL)
        return TERN_ENOMEM;
    if (!unborn)
        return TERN_EINVAL;
    uint32_t n = t->cfg->fastopen_peers_max;
    if (t->fo_peers == NULL && n != 0 &&
        (t->fo_peers = mem_alloc(t->mem, n * sizeof(*t->fo_peers), 8)) == NULL)
        return TERN_ENOMEM;
    r->fastopen &= (uint8_t) ~(FASTOPEN_ASK | FASTOPEN_WAIT);
    r->fastopen |= (uint8_t)((how != 0 ? FASTOPEN_ASK : 0) | (how == 2 ? FASTOPEN_WAIT : 0));
    conn_ready(t, c);
    return 0;
}

int fastopen_free(struct tcp *t, struct conn *c, bool on)
{
    struct conn_rare *r = conn_rare(t, c);
    if (r == NULL)
        return TERN_ENOMEM;
    r->fastopen = (uint8_t)((r->fastopen & ~FASTOPEN_FREE) | (on ? FASTOPEN_FREE : 0));
    return 0;
}

bool fastopen_waits(const struct tcp *t, const struct conn *c)
{
    const struct conn_rare *r = conn_rare_of(c);
    return UNLIKELY(r != NULL) && r->fastopen & FASTOPEN_WAIT && c->state == TERN_SYN_SENT &&
           c->snd_una == c->snd_nxt && c->snd_end == c->snd_nxt && fastopen_room(t, c) != 0;
}

uint32_t fastopen_syn(struct tcp *t, struct conn *c, struct wire_tcp_options *opt)
{
    struct conn_rare *r = conn_rare_of(c);
    if (LIKELY(r == NULL) || !(r->fastopen & FASTOPEN_ASK))
        return 0;
    if (left_alone(t, c)) {
        r->fastopen_fail = TERN_FASTOPEN_NO_COOKIE;
        return 0;
    }
    const struct fastopen_peer *peer = peer_of(t, c->raddr, false);
    if (r->fastopen & FASTOPEN_FREE)
        return min_u32(c->snd_end - c->snd_nxt, syn_room(c, peer));
    opt->fastopen = (struct wire_fastopen){0};
    if (peer != NULL)
        opt->fastopen = peer->cookie;
    if (opt->fastopen.len == 0) {
        opt->fastopen.exp = peer != NULL && peer->try_exp == EXP_NEXT;
        r->fastopen_fail = TERN_FASTOPEN_NO_COOKIE;
    }
    opt->have |= WIRE_OPT_FASTOPEN;
    if (wire_tcp_options_len(opt) > WIRE_TCP_OPTIONS_MAX) {
        opt->have &= (uint8_t)~WIRE_OPT_FASTOPEN;
        return 0;
    }
    r->fastopen |= FASTOPEN_OPTION | (opt->fastopen.exp ? FASTOPEN_EXP : 0);
    return opt->fastopen.len != 0 ? min_u32(c->snd_end - c->snd_nxt, syn_room(c, peer)) : 0;
}

/* What the SYN-ACK says about cookies; Linux's rules for when to ask in which form. */
static void learn(struct tcp *t, struct conn *c, const struct conn_rare *r,
                  const struct tcp_seg *seg)
{
    const struct wire_tcp_options *opt = &seg->h.opt;
    struct fastopen_peer *peer = peer_of(t, c->raddr, true);
    if (peer == NULL)
        return;
    peer->mss = c->mss_peer != 0 ? c->mss_peer : 1;
    if (!(r->fastopen & FASTOPEN_OPTION))
        return; /* it was not asked for */
    if (opt->have & WIRE_OPT_FASTOPEN && opt->fastopen.len != 0)
        peer->cookie = opt->fastopen;
    else if (!(opt->have & WIRE_OPT_FASTOPEN) && !(r->fastopen & FASTOPEN_DATA) &&
             !(c->flags & CONN_SYN_LOST) && peer->cookie.len == 0)
        peer->try_exp = r->fastopen & FASTOPEN_EXP ? EXP_TRIED : EXP_NEXT;
}

void fastopen_synack(struct tcp *t, struct conn *c, const struct tcp_seg *seg)
{
    struct conn_rare *r = conn_rare_of(c);
    struct active *a = c->active;
    if (LIKELY(r == NULL) || !(r->fastopen & (FASTOPEN_OPTION | FASTOPEN_DATA)))
        return;
    learn(t, c, r, seg);
    learn_path(t, c);
    if (!(r->fastopen & FASTOPEN_DATA))
        return;
    struct ack_sample s;
    tcp_ack(t, c, seg, &s);
    c->stats->delivered = 1; /* SYN and data are one */
    if (a->sent_head == NULL) {
        r->fastopen |= FASTOPEN_ACKED;
        a->t_rto = 0;
        count(t, TERN_COUNT_FASTOPEN_ACTIVE);
        return;
    }
    count(t, TERN_COUNT_FASTOPEN_ACTIVE_FAILS);
    r->fastopen_fail = c->flags & CONN_SYN_LOST ? TERN_FASTOPEN_SYN_LOST : TERN_FASTOPEN_REFUSED;
    for (struct sent *rec = a->sent_head; rec != NULL; rec = rec->next)
        sent_mark(a, rec, SENT_LOST);
    a->phase = LOSS_RTO; /* as Linux has it, with the whole window */
    a->recover = c->snd_nxt;
    a->force = true;
    conn_ready(t, c);
}
