/* link.c - a link: carries out what impair.c decides, tells the tap, and counts. */
#include "lab/link.h"

#include <stdlib.h>

#include "base/util.h"
#include "lab/bottleneck.h"
#include "lab/flight.h"
#include "lab/impair.h"
#include "lab/segment.h"

struct direction {
    struct impair impair;
    struct bottleneck bottleneck;
    struct flight flight;
    struct flight_list received; /* given to the other end, not yet processed */
    struct lab_counts counts;
    struct lab_box box;
    bool boxed;
    bool whole; /* super-segments are not split */
};

struct lab_link {
    struct direction dir[2];
    struct flight_pool pool;
    struct cksum_ops cksum;
    uint64_t ids;
    void (*tap)(void *user, const struct lab_event *event);
    void *user;
    size_t rule_count;
    struct impair_rule rules[];
};

/* ---- life ------------------------------------------------------------------------------------ */

static bool ruled(const struct lab_link *l, int dir)
{
    for (size_t i = 0; i < l->rule_count; i++)
        if (l->rules[i].conf.dir < 0 || l->rules[i].conf.dir == dir)
            return true;
    return false;
}

void lab_link_change(struct lab_link *l, int dir, const struct lab_impair *impair)
{
    struct direction *d = &l->dir[dir];
    d->impair.conf = *impair;
    d->whole = l->tap == NULL && !ruled(l, dir) && impair->loss <= 0 && impair->duplicate <= 0 &&
               impair->corrupt <= 0 && impair->reorder <= 0 && impair->jitter == 0 &&
               impair->rate == 0 && impair->mtu == 0 && impair->police == 0 && !d->boxed;
}

void lab_link_box(struct lab_link *l, int dir, const struct lab_box *box)
{
    static const struct lab_box none;
    struct direction *d = &l->dir[dir];
    d->box = box != NULL ? *box : none;
    d->boxed = !lab_box_none(&d->box);
    struct lab_impair same = d->impair.conf;
    lab_link_change(l, dir, &same);
}

struct lab_link *lab_link_new(const struct lab_config *conf)
{
    struct lab_link *l = calloc(1, sizeof(*l) + conf->drop_count * sizeof(l->rules[0]));
    if (l == NULL)
        return NULL;
    l->cksum = cksum_select();
    l->tap = conf->tap;
    l->user = conf->user;
    l->rule_count = conf->drop_count;
    for (size_t i = 0; i < conf->drop_count; i++)
        l->rules[i].conf = conf->drops[i];
    for (int dir = 0; dir < 2; dir++) {
        impair_init(&l->dir[dir].impair, &conf->dir[dir], conf->seed, dir);
        lab_link_change(l, dir, &conf->dir[dir]);
    }
    return l;
}

static void discard(struct lab_link *l, struct flight_list *list)
{
    struct flying *f;
    while ((f = flight_pop(list)) != NULL)
        flight_free(&l->pool, f);
}

void lab_link_free(struct lab_link *l)
{
    if (l == NULL)
        return;
    for (int i = 0; i < 2; i++) {
        struct direction *d = &l->dir[i];
        discard(l, &d->flight.queue);
        discard(l, &d->flight.held);
        discard(l, &d->received);
        bottleneck_destroy(&d->bottleneck);
    }
    TERN_ASSERT(l->pool.bytes == 0);
    flight_pool_destroy(&l->pool);
    free(l);
}

/* ---- leaving --------------------------------------------------------------------------------- */

static void tell(struct lab_link *l, int dir, const struct flying *f, enum lab_fate fate,
                 uint64_t now)
{
    if (l->tap == NULL)
        return;
    struct lab_event event = {.now = now,
                              .id = f->id,
                              .sent = f->sent,
                              .fate = fate,
                              .marks = f->marks,
                              .dir = (uint8_t)dir,
                              .data = f->data,
                              .len = f->len};
    l->tap(l->user, &event);
}

/* A packet that gets no further. */
static void stop(struct lab_link *l, int dir, struct flying *f, enum lab_fate fate, uint64_t now)
{
    struct lab_counts *n = &l->dir[dir].counts;
    n->lost += fate == LAB_LOST;
    n->dropped += fate == LAB_DROPPED;
    n->overflowed += fate == LAB_OVERFLOW;
    n->too_big += fate == LAB_TOO_BIG;
    tell(l, dir, f, fate, now);
    flight_free(&l->pool, f);
}

/* Into the packet ahead of it, if a middlebox joins the two. */
static bool join_ahead(struct direction *d, const struct flying *f, const struct impair_verdict *v,
                       uint64_t now)
{
    struct flying *ahead = d->flight.queue.tail;
    if (!d->boxed || ahead == NULL || ahead->arrives <= now || d->flight.held.head != NULL ||
        v->wait != 0 || (ahead->marks | f->marks) & (LAB_CORRUPTED | LAB_DUPLICATE))
        return false;
    size_t len = box_join(&d->box, ahead->data, ahead->len, f->data, f->len, flight_room(ahead));
    if (len == 0)
        return false;
    ahead->len = (uint32_t)len;
    ahead->arrives = d->flight.last = max_u64(d->flight.last, f->arrives); /* as the later one */
    d->counts.joined++;
    return true;
}

/* Puts it on its way. */
static void depart(struct lab_link *l, int dir, struct flying *f, const struct impair_verdict *v,
                   uint64_t now)
{
    struct direction *d = &l->dir[dir];
    const struct lab_impair *conf = &d->impair.conf;
    uint64_t departs = now;
    if (conf->mark != 0 && bottleneck_waiting(&d->bottleneck, now) >= conf->mark)
        d->counts.marked += segment_mark(f->data, f->len);
    if (l->pool.bytes > LAB_BYTES_MAX ||
        (conf->rate != 0 && !bottleneck_pass(&d->bottleneck, conf, f->len, now, &departs))) {
        stop(l, dir, f, LAB_OVERFLOW, now);
        return;
    }
    f->arrives = departs + conf->delay + v->jitter;
    if (join_ahead(d, f, v, now)) {
        stop(l, dir, f, LAB_DROPPED, now);
        return;
    }
    f->wait = v->wait;
    d->counts.late += v->wait != 0;
    flight_add(&d->flight, f, impair_hold(conf));
}

static struct flying *second_copy(struct lab_link *l, const struct flying *f)
{
    struct flying *g = flight_new(&l->pool, f->len);
    if (g == NULL)
        return NULL;
    g->sent = f->sent;
    g->marks = (uint8_t)((f->marks & LAB_LATE) | LAB_DUPLICATE);
    memcpy(g->data, f->data, f->len);
    return g;
}

/* Instead of it the segments go on that a middlebox makes of it. false: it stays whole. */
static bool split_up(struct lab_link *l, int dir, struct flying *f, const struct impair_verdict *v,
                     uint64_t now)
{
    struct direction *d = &l->dir[dir];
    size_t pieces = box_pieces(&d->box, f->data, f->len);
    if (pieces == 1)
        return false;
    for (size_t i = 0; i < pieces; i++) {
        struct flying *piece = flight_new(&l->pool, f->len);
        if (piece == NULL)
            break;
        piece->id = ++l->ids;
        piece->sent = now;
        piece->marks = (uint8_t)(f->marks | LAB_PIECE);
        piece->len = (uint32_t)box_piece(&d->box, f->data, f->len, i, piece->data);
        d->counts.split++;
        tell(l, dir, piece, LAB_SENT, now);
        depart(l, dir, piece, v, now);
    }
    stop(l, dir, f, LAB_DROPPED, now);
    return true;
}

/* What a middlebox does to it. false: it goes no further. */
static bool pass_box(struct lab_link *l, int dir, struct flying *f, uint64_t now)
{
    struct direction *d = &l->dir[dir];
    struct lab_random *r = &d->impair.stream[IMPAIR_BOX];
    if (!box_pass(&d->box, r, dir, f->data, f->len)) {
        stop(l, dir, f, LAB_LOST, now);
        return false;
    }
    size_t len = box_cut(&d->box, r, f->data, f->len, flight_room(f));
    if (len != f->len) {
        f->marks |= LAB_CORRUPTED;
        d->counts.corrupted++;
        f->len = (uint32_t)len;
    }
    return true;
}

/* A rule, the MTU or chance: why it gets no further. LAB_SENT: it does. */
static enum lab_fate early_fate(struct lab_link *l, int dir, const struct flying *f, bool lost,
                                uint64_t now)
{
    struct impair *m = &l->dir[dir].impair;
    uint32_t mtu = m->conf.mtu;
    if (impair_rules(l->rules, l->rule_count, dir, f->data, f->len))
        return LAB_DROPPED;
    if (mtu != 0 && f->len > mtu)
        return LAB_TOO_BIG;
    if (lost)
        return LAB_LOST;
    return m->conf.police != 0 && !impair_police(m, f->len, now) ? LAB_OVERFLOW : LAB_SENT;
}

static void send_wire(struct lab_link *l, int dir, struct flying *f, uint64_t now)
{
    struct direction *d = &l->dir[dir];
    struct impair_verdict v;
    d->counts.sent++;
    f->id = ++l->ids;
    f->sent = now;
    impair_decide(&d->impair, f->len, &v);
    enum lab_fate fate = early_fate(l, dir, f, v.lost, now);
    if (fate == LAB_SENT)
        f->marks = (uint8_t)((v.corrupt ? LAB_CORRUPTED : 0) | (v.wait != 0 ? LAB_LATE : 0));
    tell(l, dir, f, LAB_SENT, now);
    if (fate != LAB_SENT) {
        stop(l, dir, f, fate, now);
        return;
    }
    if (d->boxed && !pass_box(l, dir, f, now))
        return;
    if (d->boxed && !(f->marks & LAB_CORRUPTED) && split_up(l, dir, f, &v, now))
        return;
    struct flying *copy = v.duplicate ? second_copy(l, f) : NULL;
    if (copy != NULL)
        copy->id = ++l->ids;
    if (v.corrupt) {
        v.bit %= (uint64_t)f->len * 8;
        d->counts.corrupted++;
        f->data[v.bit / 8] ^= (uint8_t)(0x80u >> v.bit % 8);
    }
    depart(l, dir, f, &v, now);
    if (copy != NULL) {
        d->counts.duplicated++;
        tell(l, dir, copy, LAB_SENT, now);
        depart(l, dir, copy, &v, now);
    }
}

static uint32_t wire_count(const tern_pkt *pkt) { return max_u32(pkt->gso_segs, 1); }

static void send_whole(struct lab_link *l, int dir, const tern_pkt *pkt, uint64_t now)
{
    struct direction *d = &l->dir[dir];
    struct flying *f = flight_new(&l->pool, pkt->len);
    d->counts.sent += wire_count(pkt);
    if (f == NULL || l->pool.bytes > LAB_BYTES_MAX) {
        d->counts.overflowed += wire_count(pkt);
        if (f != NULL)
            flight_free(&l->pool, f);
        return;
    }
    segment_gather(pkt, f->data);
    f->flags = pkt->flags & (TERN_PKT_CSUM_OK | TERN_PKT_CSUM_PARTIAL);
    f->gso_type = pkt->gso_type;
    f->gso_ecn = pkt->gso_ecn;
    f->gso_size = pkt->gso_size;
    f->gso_segs = pkt->gso_segs;
    f->csum_start = pkt->csum_start;
    f->csum_offset = pkt->csum_offset;
    f->hdr_len = pkt->hdr_len;
    f->sent = now;
    f->arrives = now + d->impair.conf.delay;
    flight_add(&d->flight, f, 0);
}

void lab_link_send(struct lab_link *l, int dir, const tern_pkt *pkt, uint64_t now)
{
    if (l->dir[dir].whole) {
        send_whole(l, dir, pkt, now);
        return;
    }
    struct segmenter s;
    struct lab_counts *n = &l->dir[dir].counts;
    if (!segment_begin(&s, pkt, l->cksum)) { /* no wire could carry it */
        n->sent++;
        n->dropped++;
        return;
    }
    size_t len;
    while ((len = segment_len(&s)) != 0) {
        struct flying *f = flight_new(&l->pool, len);
        if (f == NULL) { /* the rest goes the same way */
            n->sent++;
            n->overflowed++;
            return;
        }
        segment_take(&s, f->data);
        send_wire(l, dir, f, now);
    }
}

/* ---- arriving -------------------------------------------------------------------------------- */

static void fill(tern_pkt *pkt, struct flying *f)
{
    *pkt = (tern_pkt){.iov_count = 1,
                      .flags = f->flags,
                      .gso_size = f->gso_size,
                      .gso_segs = f->gso_segs,
                      .gso_type = f->gso_type,
                      .gso_ecn = f->gso_ecn,
                      .csum_start = f->csum_start,
                      .csum_offset = f->csum_offset,
                      .hdr_len = f->hdr_len,
                      .len = f->len};
    pkt->iov[0] = (tern_iov){.base = f->data, .len = f->len};
}

static void arrived(struct direction *d, uint32_t segments, uint32_t len, uint32_t header_len)
{
    d->counts.arrived += segments;
    d->counts.bytes += len + (uint64_t)(segments - 1) * header_len;
}

size_t lab_link_receive(struct lab_link *l, int dir, tern_pkt *pkts, size_t max, uint64_t now)
{
    struct direction *d = &l->dir[dir];
    TERN_ASSERT(d->received.head == NULL); /* lab_link_received() was not called */
    if (l->tap != NULL)
        max = min_size(max, 1);
    struct flying *f;
    size_t n = 0;
    while (n < max && (f = flight_take(&d->flight, now)) != NULL) {
        flight_append(&d->received, f);
        fill(&pkts[n++], f);
        arrived(d, max_u32(f->gso_segs, 1), f->len, f->hdr_len);
        tell(l, dir, f, LAB_ARRIVED, now);
    }
    return n;
}

void lab_link_received(struct lab_link *l, int dir, uint64_t now)
{
    struct flying *f;
    while ((f = flight_pop(&l->dir[dir].received)) != NULL) {
        tell(l, dir, f, LAB_PROCESSED, now);
        flight_free(&l->pool, f);
    }
}

uint64_t lab_link_next(const struct lab_link *l, int dir)
{
    return flight_next(&l->dir[dir].flight);
}

bool lab_link_transparent(const struct lab_link *l, int dir)
{
    const struct direction *d = &l->dir[dir];
    return d->whole && d->impair.conf.delay == 0 && flight_next(&d->flight) == TERN_NEVER;
}

void lab_link_passed(struct lab_link *l, int dir, const tern_pkt *pkts, size_t n)
{
    struct direction *d = &l->dir[dir];
    for (size_t i = 0; i < n; i++) {
        d->counts.sent += wire_count(&pkts[i]);
        arrived(d, wire_count(&pkts[i]), pkts[i].len, pkts[i].hdr_len);
    }
}

const struct lab_counts *lab_link_counts(const struct lab_link *l, int dir)
{
    return &l->dir[dir].counts;
}
