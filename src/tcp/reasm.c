/* reasm.c - the receive queue: what has come in order, and what has come past a hole.
 *
 * In-order bytes are a list of chunks from rxq_head to rxq_tail. Bytes past a hole are ranges
 * (base/ranges.h), each with a chunk list of its own that its two tags name; when the hole is
 * filled, the range's list is joined to the in-order one without copying. A byte that is already
 * there is never written again: of two versions of it, the first stays.
 *
 * Chunks past holes may take twice the receive buffer and no more, so a peer that sends every other
 * byte gets its bytes dropped (with a reason) instead of a page each.
 */
#include "tcp/tcp.h"

enum { OOO_PAGE_CAP = (PAGE_SIZE - 1024) / sizeof(struct range) }; /* leaves room for the colour */

/* Copies `len` payload bytes of the segment, from payload offset `off` on. */
static void copy_payload(uint8_t *to, const struct tcp_seg *seg, uint32_t off, uint32_t len)
{
    size_t skip = (size_t)seg->payload_off + off;
    for (uint32_t i = 0; len > 0; i++) {
        TERN_ASSERT(i < seg->pkt->iov_count);
        const tern_iov *v = &seg->pkt->iov[i];
        if (skip >= v->len) {
            skip -= v->len;
            continue;
        }
        uint32_t n = (uint32_t)min_size(v->len - skip, len);
        memcpy(to, (const uint8_t *)v->base + skip, n);
        to += n;
        len -= n;
        skip = 0;
    }
}

/* A list of chunks under construction. */
struct run {
    struct chunk *first, *last;
};

static uint32_t room_in(const struct chunk *k)
{
    return k != NULL && k->kind == CHUNK_PAGE ? k->cap - k->len : 0;
}

static void free_run(struct tcp *t, struct chunk *chunk)
{
    while (chunk != NULL) {
        struct chunk *next = chunk->next;
        chunk_unref(t->chunks, chunk);
        chunk = next;
    }
}

/* Writes payload [off, off+len) of the segment, which is stream position `seq` on, behind `run`:
 * into the room its last chunk has, then into new chunks. Returns the bytes written; fewer than
 * `len` when memory is out. *made counts the new chunks. */
static uint32_t append(struct tcp *t, const struct conn *c, struct run *run, struct tcp_seg *seg,
                       uint32_t seq, uint32_t off, uint32_t len, uint32_t *made)
{
    uint32_t done = 0;
    while (done < len) {
        uint32_t room = room_in(run->last);
        if (room == 0) {
            struct chunk *k = queue_chunk(t, c, seq + done, len - done);
            if (k == NULL)
                break;
            if (run->last != NULL)
                run->last->next = k;
            else
                run->first = k;
            run->last = k;
            ++*made;
            continue;
        }
        struct chunk *k = run->last;
        uint32_t n = min_u32(room, len - done);
        copy_payload(k->data + k->len, seg, off + done, n);
        k->len += n;
        done += n;
    }
    return done;
}

/* ---- in order -------------------------------------------------------------------------------- */

static void link_tail(struct active *a, struct chunk *k)
{
    if (a->rxq_tail != NULL)
        a->rxq_tail->next = k;
    else
        a->rxq_head = k;
    a->rxq_tail = k;
}

/* Takes the packet's own memory for the queue when that costs less than twice its bytes. */
static bool keep_donated(struct tcp *t, struct active *a, struct tcp_seg *seg, uint32_t seq,
                         uint32_t off, uint32_t len)
{
    const tern_pkt *pkt = seg->pkt;
    if (!seg->donated || pkt->iov_count != 1 || a->ooo.count != 0 || memory_tight(t))
        return false;
    uint32_t true_size = pkt->truesize != 0 ? pkt->truesize : (uint32_t)pkt->iov[0].len;
    if (len < true_size / 2)
        return false;
    const uint8_t *data = (const uint8_t *)pkt->iov[0].base + seg->payload_off + off;
    struct chunk *k = chunk_new_caller(t->chunks, seq, data, len, true_size, pkt->cookie);
    if (k == NULL)
        return false;
    link_tail(a, k);
    a->rx_excess += true_size - len;
    seg->kept = true;
    return true;
}

/* The usual case of append(): one piece of payload that fits into the queue's last chunk. */
static bool append_here(struct chunk *k, const struct tcp_seg *seg, uint32_t off, uint32_t len)
{
    size_t skip = (size_t)seg->payload_off + off;
    const tern_iov *v = seg->pkt->iov;
    if (skip >= v->len && seg->pkt->iov_count > 1)
        skip -= v++->len;
    if (room_in(k) < len || skip + len > v->len)
        return false;
    memcpy(k->data + k->len, (const uint8_t *)v->base + skip, len);
    k->len += len;
    return true;
}

/* No range is left: none needs a page any more. */
static void no_ranges(struct tcp *t, struct active *a)
{
    if (a->ooo_page != NULL)
        chunk_unref(t->chunks, a->ooo_page);
    a->ooo_page = NULL;
    a->ooo = (struct ranges){.at = a->ooo_inline, .cap = OOO_INLINE};
}

/* A range leaves the list, and its pages are no longer those of what lies past a hole. */
static void drop_range(struct tcp *t, struct active *a, uint32_t i)
{
    for (const struct chunk *k = a->ooo.at[i].first; k != NULL; k = k->next)
        a->ooo_pages--;
    ranges_drop(&a->ooo, i);
    if (a->ooo.count == 0)
        no_ranges(t, a);
}

/* (The peer sends it again, which RFC 2018 8 allows a receiver to rely on. Without this, data past
 * a hole that takes all there is would keep the hole open for good.) */
bool reasm_give_up(struct tcp *t, struct active *a)
{
    if (a->ooo.count == 0)
        return false;
    struct chunk *first = a->ooo.at[a->ooo.count - 1].first;
    drop_range(t, a, a->ooo.count - 1);
    free_run(t, first);
    count(t, TERN_COUNT_PRUNED);
    return true;
}

static uint32_t take_in_order(struct tcp *t, struct conn *c, struct active *a, struct tcp_seg *seg,
                              uint32_t off, uint32_t len)
{
    if (keep_donated(t, a, seg, c->rcv_nxt, off, len)) {
        c->rcv_nxt += len;
        return len;
    }
    struct chunk *k = a->rxq_tail;
    if (room_in(k) == 0) {
        while ((k = queue_chunk(t, c, c->rcv_nxt, len)) == NULL)
            if (!reasm_give_up(t, a))
                return 0;
        link_tail(a, k);
    }
    if (LIKELY(append_here(k, seg, off, len))) {
        c->rcv_nxt += len;
        return len;
    }
    struct run run = {.first = a->rxq_head, .last = a->rxq_tail};
    uint32_t made = 0, done = 0;
    do
        done += append(t, c, &run, seg, c->rcv_nxt + done, off + done, len - done, &made);
    while (done < len && reasm_give_up(t, a));
    a->rxq_head = run.first;
    a->rxq_tail = run.last;
    c->rcv_nxt += done;
    return done;
}

/* The first hole is filled: joins the range behind it to the queue. */
static void join_first_range(struct tcp *t, struct conn *c, struct active *a)
{
    struct range *r = &a->ooo.at[0];
    TERN_ASSERT(r->lo == c->rcv_nxt);
    if (a->rxq_tail != NULL)
        a->rxq_tail->next = r->first;
    else
        a->rxq_head = r->first;
    a->rxq_tail = r->last;
    c->rcv_nxt = r->hi;
    drop_range(t, a, 0);
}

/* ---- past a hole ----------------------------------------------------------------------------- */

/* Moves the ranges from the working block to a page when there are many. */
static bool grow_ranges(struct tcp *t, const struct conn *c, struct active *a)
{
    if (a->ooo_page != NULL || !memory_grants(t, c))
        return false;
    struct chunk *page = chunk_new(t->chunks, 0, PAGE_SIZE);
    if (page == NULL)
        return false;
    void *array = page->data;
    memcpy(array, a->ooo.at, a->ooo.count * sizeof(struct range));
    a->ooo_page = page;
    a->ooo.at = array;
    a->ooo.cap = OOO_PAGE_CAP;
    return true;
}

/* Takes payload that lies in a gap past the first hole: [seq, seq+len) overlaps no range. */
static bool take_past_hole(struct tcp *t, struct conn *c, struct active *a, struct tcp_seg *seg,
                           uint32_t seq, uint32_t off, uint32_t len)
{
    uint32_t i = ranges_find(&a->ooo, seq);
    bool joins = i < a->ooo.count && (a->ooo.at[i].hi == seq || a->ooo.at[i].lo == seq + len);
    if (!joins && a->ooo.count == a->ooo.cap && !grow_ranges(t, c, a))
        return false;
    if ((uint64_t)a->ooo_pages * PAGE_SIZE > 2 * (uint64_t)c->rcvbuf)
        return false;
    struct run run = {0};
    bool after = i < a->ooo.count && a->ooo.at[i].hi == seq;
    if (after)
        run = (struct run){.first = a->ooo.at[i].first, .last = a->ooo.at[i].last};
    uint32_t made = 0;
    uint32_t done = append(t, c, &run, seg, seq, off, len, &made);
    a->ooo_pages += made;
    if (done == 0)
        return false;
    /* the list of a range that begins where this ends goes on behind it */
    uint32_t right = i + after;
    if (done == len && right < a->ooo.count && a->ooo.at[right].lo == seq + len)
        run.last->next = a->ooo.at[right].first;
    int at = ranges_add(&a->ooo, seq, seq + done, run.first, run.last);
    TERN_ASSERT(at >= 0);
    return done == len;
}

/* Where the range lies that holds `seq`; NULL: none does. */
static const struct range *range_of(const struct active *a, uint32_t seq)
{
    uint32_t at = ranges_find(&a->ooo, seq);
    if (at == a->ooo.count || !ranges_has(&a->ooo, seq))
        return NULL;
    return &a->ooo.at[at + (a->ooo.at[at].hi == seq)];
}

/* Something comes to [seq, seq+len): its range is the newest, and those it will join are one. */
static void note_recent(struct active *a, uint32_t seq, uint32_t len)
{
    uint8_t n = 1;
    uint32_t kept[SACK_RECENT] = {seq};
    for (uint8_t i = 0; i < a->recent_count && n < SACK_RECENT; i++) {
        const struct range *r = range_of(a, a->recent[i]);
        if (r != NULL && (seq_gt(r->lo, seq + len) || seq_lt(r->hi, seq)))
            kept[n++] = a->recent[i];
    }
    memcpy(a->recent, kept, sizeof(kept));
    a->recent_count = n;
}

void reasm_duplicate(const struct tcp *t, struct active *a, uint32_t lo, uint32_t hi)
{
    if (a->dsack_lo == a->dsack_hi && may(t, TERN_FEATURE_DSACK)) {
        a->dsack_lo = lo;
        a->dsack_hi = hi;
    }
}

enum tern_drop reasm_next(struct tcp *t, struct conn *c, struct tcp_seg *seg, uint32_t off,
                          uint32_t len)
{
    struct active *a = conn_thaw(t, c);
    if (a == NULL)
        return TERN_DROP_MEMORY;
    return take_in_order(t, c, a, seg, off, len) == len ? TERN_DROP_NONE : TERN_DROP_MEMORY;
}

enum tern_drop reasm_take(struct tcp *t, struct conn *c, struct tcp_seg *seg, uint32_t seq,
                          uint32_t off, uint32_t len)
{
    struct active *a = conn_thaw(t, c);
    if (a == NULL)
        return TERN_DROP_MEMORY;
    if (seq != c->rcv_nxt)
        note_recent(a, seq, len);
    while (len > 0) {
        uint32_t i = ranges_find(&a->ooo, seq);
        if (i < a->ooo.count && a->ooo.at[i].hi == seq)
            i++; /* touches it from the right: the next one bounds the gap */
        const struct range *r = i < a->ooo.count ? &a->ooo.at[i] : NULL;
        if (r != NULL && seq_geq(seq, r->lo)) { /* the front is there already */
            uint32_t have = min_u32(r->hi - seq, len);
            reasm_duplicate(t, a, seq, seq + have);
            seq += have, off += have, len -= have;
            continue;
        }
        uint32_t gap = r != NULL ? min_u32(r->lo - seq, len) : len;
        if (seq == c->rcv_nxt) {
            uint32_t done = take_in_order(t, c, a, seg, off, gap);
            if (done < gap)
                return TERN_DROP_MEMORY;
            seq += gap, off += gap, len -= gap;
            if (a->ooo.count > 0 && a->ooo.at[0].lo == c->rcv_nxt) {
                uint32_t have = min_u32(a->ooo.at[0].hi - seq, len);
                if (have > 0)
                    reasm_duplicate(t, a, seq, seq + have);
                join_first_range(t, c, a);
                seq += have, off += have, len -= have;
            }
            continue;
        }
        if (!take_past_hole(t, c, a, seg, seq, off, gap))
            return TERN_DROP_TCP_REASSEMBLY;
        seq += gap, off += gap, len -= gap;
    }
    return TERN_DROP_NONE;
}

/* ---- reading --------------------------------------------------------------------------------- */

size_t reasm_peek(const struct conn *c, const struct active *a, tern_iov *iov, size_t n,
                  size_t skip)
{
    uint32_t left = reasm_readable(c, a);
    if (skip >= left)
        return 0;
    uint32_t at = a->rx_read + (uint32_t)skip;
    left -= (uint32_t)skip;
    size_t views = 0;
    for (const struct chunk *k = a->rxq_head; k != NULL && views < n && left > 0; k = k->next) {
        uint32_t from = at - k->seq;
        if (from < k->len) {
            uint32_t have = min_u32(k->len - from, left);
            iov[views++] = (tern_iov){.base = k->data + from, .len = have};
            at += have;
            left -= have;
        }
    }
    return views;
}

/* The queue's first chunk has been read to its end. */
static void drop_first(struct tcp *t, struct active *a)
{
    struct chunk *k = a->rxq_head;
    a->rx_excess -= k->kind == CHUNK_CALLER ? k->charge - k->len : 0;
    a->rxq_head = k == a->rxq_tail ? NULL : k->next;
    if (a->rxq_head == NULL)
        a->rxq_tail = NULL;
    queue_unref(t, a, k);
}

void reasm_consume(struct tcp *t, struct conn *c, struct active *a, uint32_t len)
{
    TERN_ASSERT(len <= reasm_readable(c, a));
    a->rx_read += len;
    while (a->rxq_head != NULL && a->rx_read - a->rxq_head->seq >= a->rxq_head->len)
        drop_first(t, a);
}

void reasm_read(struct tcp *t, struct active *a, void *buf, uint32_t len)
{
    for (uint32_t done = 0; done < len;) {
        const struct chunk *k = a->rxq_head;
        uint32_t from = a->rx_read - k->seq;
        uint32_t n = min_u32(k->len - from, len - done);
        memcpy((uint8_t *)buf + done, k->data + from, n);
        done += n;
        a->rx_read += n;
        if (from + n == k->len)
            drop_first(t, a);
    }
}

void reasm_forget_holes(struct tcp *t, struct active *a)
{
    for (uint32_t i = 0; i < a->ooo.count; i++)
        free_run(t, a->ooo.at[i].first);
    no_ranges(t, a);
    a->ooo_pages = 0;
    a->recent_count = 0;
    a->fin_ahead = false;
}

void reasm_clear(struct tcp *t, struct active *a)
{
    free_run(t, a->rxq_head);
    a->rxq_head = a->rxq_tail = NULL;
    a->rx_excess = 0;
    reasm_forget_holes(t, a);
}

/* ---- what the peer is told ------------------------------------------------------------------- */

/* Puts a range behind the `n` blocks that are there, unless it is one of them. */
static bool tell_range(struct wire_sack *out, uint32_t n, const struct range *r)
{
    for (uint32_t i = 0; i < n; i++)
        if (out[i].lo == r->lo)
            return false;
    out[n] = (struct wire_sack){.lo = r->lo, .hi = r->hi};
    return true;
}

uint32_t reasm_sacks(const struct tcp *t, const struct conn *c, struct active *a,
                     struct wire_sack *out, uint32_t max)
{
    uint32_t n = 0;
    const struct range *held = NULL;
    if (!(c->flags & CONN_SACK))
        return 0;
    if (a->dsack_lo != a->dsack_hi && n < max) { /* RFC 2883 4: first, and once */
        held = a->ooo.count > 0 ? range_of(a, a->dsack_lo) : NULL;
        out[n++] = (struct wire_sack){.lo = a->dsack_lo, .hi = a->dsack_hi};
        a->dsack_lo = a->dsack_hi = 0;
    }
    /* RFC 2018 4: the range that holds the latest segment first, then those reported lately, then
     * others, as far as there is room */
    uint32_t first = n;
    if (held != NULL && n < max) /* and the range that holds the duplicate after it */
        n += tell_range(out + first, 0, held);
    for (uint32_t i = 0; i < a->recent_count && n < max && a->ooo.count > 0; i++) {
        const struct range *r = range_of(a, a->recent[i]);
        if (r != NULL)
            n += tell_range(out + first, n - first, r);
    }
    for (uint32_t i = a->ooo.count; i > 0 && n < max && !like_linux(t); i--)
        n += tell_range(out + first, n - first, &a->ooo.at[i - 1]);
    return n;
}

uint32_t reasm_window(const struct tcp *t, const struct conn *c, const struct active *a)
{
    uint64_t used = a == NULL ? 0 : (uint64_t)reasm_readable(c, a) + a->rx_owed + a->rx_excess;
    uint32_t room = c->rcvbuf > used ? c->rcvbuf - (uint32_t)used : 0;
    uint32_t offered = c->rcv_adv - c->rcv_nxt;
    if (t->cfg->tuning.shrink_window && c->rcv_wscale != 0) {
        room -= room % (1u << c->rcv_wscale);
        return room < c->rcvbuf / 2 && (room < c->rcvbuf / 16 || room < c->mss_own) ? 0 : room;
    }
    if (room <= offered)
        return offered; /* never shrinks: SHLD-14 */
    if (bsd(t))         /* to the byte, unless it is silly */
        return room < c->rcvbuf / 4 && room < c->mss ? offered : room;
    /* silly-window avoidance: RFC 9293 3.8.6.2.2, MUST-39 */
    return room - offered >= min_u32(c->rcvbuf / 2, c->mss_own) ? room : offered;
}

void reasm_tune(struct tcp *t, struct conn *c, struct active *a)
{
    if (c->flags & CONN_RCVBUF_FIXED || c->rcvbuf >= t->cfg->rcvbuf_max || bsd(t) ||
        t->cfg->tuning.fixed_rcvbuf)
        return;
    uint32_t period = ticks_of(max_u64(c->srtt_us8 / 8, 1000) * NS_PER_US);
    if (t->tick - a->tune_tick < period)
        return;
    uint32_t copied = a->rx_read - a->tune_seq;
    uint64_t want = 2 * (uint64_t)copied + 16 * (uint64_t)c->rcv_mss;
    want = min_u64(want, t->cfg->rcvbuf_max);
    if (want > c->rcvbuf && memory_rcvbuf_may_grow(t, (uint32_t)want - c->rcvbuf))
        memory_rcvbuf_set(t, c, (uint32_t)want);
    a->tune_seq = a->rx_read;
    a->tune_tick = t->tick;
}
