/* frag.c - reassembly; see frag.h. */
#include "ip/frag.h"

#include "base/pkt.h"

enum { UNIT = 8, LEN_MAX = UINT16_MAX, FIRST_LEAST = 8, SEEN_NOT_ECT = 1 << 0, SEEN_CE = 1 << 3 };

/* ---- the table ------------------------------------------------------------------------------- */

void frag_init(struct frag_table *t, struct chunks *chunks, const struct siphash_key *key,
               uint32_t max, size_t bytes_max)
{
    *t = (struct frag_table){.mem = chunks->mem, .chunks = chunks, .key = *key, .bucket_count = 1};
    t->pages_max = (uint32_t)min_size(bytes_max / PAGE_SIZE, UINT32_MAX);
    while (t->bucket_count < max)
        t->bucket_count *= 2;
    pool_init(&t->pool, chunks->mem, sizeof(struct frag), max);
}

static void forget_pages(struct frag_table *t, struct frag *f)
{
    for (unsigned i = 0; i < FRAG_PAGES; i++)
        if (f->page[i] != NULL) {
            chunk_unref(t->chunks, f->page[i]);
            t->pages--;
        }
}

void frag_free(struct frag_table *t, struct frag *f)
{
    forget_pages(t, f);
    pool_give(&t->pool, f);
    pool_trim(&t->pool);
}

/* What its fragments have in common (RFC 791 3.2, RFC 8200 4.5). */
static bool same_datagram(const struct frag *f, const struct wire_ip *ip, uint8_t iface)
{
    return f->ip.frag_id == ip->frag_id && f->iface == iface && wire_ip_equal(f->ip.src, ip->src) &&
           wire_ip_equal(f->ip.dst, ip->dst) && (ip->version == 6 || f->ip.proto == ip->proto);
}

static struct frag **bucket_of(const struct frag_table *t, const struct wire_ip *ip, uint8_t iface)
{
    uint64_t words[5] = {0, 0, 0, 0, (uint64_t)ip->frag_id << 8 | iface};
    memcpy(words, ip->src, 16);
    memcpy(words + 2, ip->dst, 16);
    return &t->buckets[siphash13(&t->key, words, sizeof(words)) & (t->bucket_count - 1)];
}

static void take_away(struct frag_table *t, struct frag *f)
{
    struct frag **at = bucket_of(t, &f->ip, f->iface);
    while (*at != f)
        at = &(*at)->chain;
    *at = f->chain;
    if (f->older != NULL)
        f->older->newer = f->newer;
    else
        t->oldest = f->newer;
    if (f->newer != NULL)
        f->newer->older = f->older;
    else
        t->newest = f->older;
}

static void drop_datagram(struct frag_table *t, struct frag *f)
{
    take_away(t, f);
    frag_free(t, f);
}

void frag_destroy(struct frag_table *t)
{
    while (t->oldest != NULL)
        drop_datagram(t, t->oldest);
    if (t->mem != NULL)
        pool_destroy(&t->pool);
    mem_free(t->mem, t->buckets, t->bucket_count * sizeof(*t->buckets));
}

void frag_forget(struct frag_table *t, uint8_t iface)
{
    struct frag *next;
    for (struct frag *f = t->oldest; f != NULL; f = next) {
        next = f->newer;
        if (f->iface == iface)
            drop_datagram(t, f);
    }
}

struct frag *frag_due(struct frag_table *t, uint64_t now)
{
    struct frag *f = t->oldest;
    if (f == NULL || f->until > now)
        return NULL;
    take_away(t, f);
    return f;
}

/* The oldest gives way. false: there is none but `but`. */
static bool make_room(struct frag_table *t, const struct frag *but, uint64_t *drops)
{
    struct frag *f = t->oldest != but ? t->oldest : but->newer;
    if (f == NULL)
        return false;
    drop_datagram(t, f);
    drops[TERN_DROP_FRAGMENT_LIMIT]++;
    return true;
}

static struct frag *begin_datagram(struct frag_table *t, const struct wire_ip *ip, uint8_t iface,
                                   uint64_t now, uint64_t *drops)
{
    if (t->pool.used == t->pool.limit)
        (void)make_room(t, NULL, drops);
    struct frag *f = pool_take(&t->pool), **bucket = bucket_of(t, ip, iface);
    if (f == NULL)
        return NULL;
    *f = (struct frag){.ip = *ip,
                       .iface = iface,
                       .until = now + FRAG_TIME_NS,
                       .chain = *bucket,
                       .older = t->newest};
    *bucket = f;
    if (t->newest != NULL)
        t->newest->newer = f;
    else
        t->oldest = f;
    t->newest = f;
    return f;
}

static struct frag *find_datagram(struct frag_table *t, const struct wire_ip *ip, uint8_t iface)
{
    struct frag *f = *bucket_of(t, ip, iface);
    while (f != NULL && !same_datagram(f, ip, iface))
        f = f->chain;
    return f;
}

/* ---- ranges ---------------------------------------------------------------------------------- */

/* The first range that ends behind unit `lo`. */
static unsigned range_find(const struct frag *f, uint32_t lo)
{
    unsigned from = 0, to = f->count;
    while (from < to) {
        unsigned mid = (from + to) / 2;
        if (f->range[mid].hi > lo)
            to = mid;
        else
            from = mid + 1;
    }
    return from;
}

/* Adds units that overlap no range, before range `at`. false: there are too many. */
static bool range_add(struct frag *f, unsigned at, uint16_t lo, uint16_t hi)
{
    bool left = at > 0 && f->range[at - 1].hi == lo;
    bool right = at < f->count && f->range[at].lo == hi;
    if (left && right) {
        f->range[at - 1].hi = f->range[at].hi;
        f->count--;
        memmove(&f->range[at], &f->range[at + 1], (f->count - at) * sizeof(f->range[0]));
    } else if (left) {
        f->range[at - 1].hi = hi;
    } else if (right) {
        f->range[at].lo = lo;
    } else {
        if (f->count == FRAG_RANGES)
            return false;
        memmove(&f->range[at + 1], &f->range[at], (f->count - at) * sizeof(f->range[0]));
        f->range[at] = (struct frag_range){lo, hi};
        f->count++;
    }
    return true;
}

/* ---- bytes ----------------------------------------------------------------------------------- */

/* Pages for these bytes. */
static bool make_pages(struct frag_table *t, struct frag *f, uint32_t from, uint32_t to,
                       uint64_t *drops)
{
    for (uint32_t i = from / PAGE_SIZE; i <= (to - 1) / PAGE_SIZE; i++) {
        if (f->page[i] != NULL)
            continue;
        if (t->pages >= t->pages_max && !make_room(t, f, drops))
            return false;
        f->page[i] = chunk_new(t->chunks, 0, PAGE_SIZE);
        if (f->page[i] == NULL)
            return false;
        t->pages++;
    }
    return true;
}

/* Copies the fragment's bytes to their place, or compares them with what is there. */
static bool place_bytes(struct frag *f, const tern_pkt *pkt, const struct wire_ip *ip, bool compare)
{
    uint8_t piece[256];
    uint32_t at = ip->frag_off, left = ip->payload_len, skip = ip->header_len;
    while (left > 0) {
        uint32_t n = min_u32(PAGE_SIZE - at % PAGE_SIZE, left);
        uint8_t *here = f->page[at / PAGE_SIZE]->data + at % PAGE_SIZE;
        if (compare)
            n = min_u32(n, sizeof(piece));
        pkt_copy_out(pkt, skip, n, compare ? piece : here);
        if (compare && memcmp(piece, here, n) != 0)
            return false;
        at += n;
        skip += n;
        left -= n;
    }
    return true;
}

/* ---- a fragment ------------------------------------------------------------------------------ */

/* All but the last fill units of 8 bytes, none is empty or reaches beyond what a header can say,
 * and the first has room for the ports (RFC 1858 3, RFC 7112 3). */
static bool well_formed(const struct wire_ip *ip)
{
    uint32_t most = LEN_MAX - (ip->version == 4 ? WIRE_IP4_HEADER : 0u);
    if (ip->payload_len == 0 || ip->frag_off + (uint32_t)ip->payload_len > most)
        return false;
    if (ip->frag_more && ip->payload_len % UNIT != 0)
        return false;
    return ip->frag_off != 0 || ip->payload_len >= FIRST_LEAST;
}

/* Whether it fits what others have said of where the datagram ends. */
static bool fits_end(const struct frag *f, const struct wire_ip *ip)
{
    uint32_t to = ip->frag_off + (uint32_t)ip->payload_len;
    if (!ip->frag_more)
        return f->len != 0 ? to == f->len : to >= f->end;
    return f->len == 0 || to <= f->len;
}

static enum tern_drop add_piece(struct frag_table *t, struct frag *f, const tern_pkt *pkt,
                                const struct wire_ip *ip, uint64_t *drops)
{
    uint32_t to = ip->frag_off + (uint32_t)ip->payload_len;
    uint16_t lo = ip->frag_off / UNIT, hi = (uint16_t)((to + UNIT - 1) / UNIT);
    if (!fits_end(f, ip))
        return TERN_DROP_FRAGMENT_OVERLAP;
    unsigned at = range_find(f, lo);
    if (at < f->count && f->range[at].lo < hi) {
        bool inside = f->range[at].lo <= lo && hi <= f->range[at].hi;
        return inside && place_bytes(f, pkt, ip, true) ? TERN_DROP_FRAGMENT_AGAIN
                                                       : TERN_DROP_FRAGMENT_OVERLAP;
    }
    if (!make_pages(t, f, ip->frag_off, to, drops))
        return TERN_DROP_MEMORY;
    if (!range_add(f, at, lo, hi))
        return TERN_DROP_FRAGMENT_HOLES;
    (void)place_bytes(f, pkt, ip, false);
    f->end = max_u32(f->end, to);
    if (!ip->frag_more)
        f->len = to;
    f->ecn |= (uint8_t)(1u << (ip->tos & 3));
    if (ip->frag_off == 0) {
        f->ip = *ip;
        f->begun = true;
    }
    /* marked and not to be marked: that cannot be (RFC 3168 5.3) */
    return f->ecn & SEEN_CE && f->ecn & SEEN_NOT_ECT ? TERN_DROP_FRAGMENT_OVERLAP : TERN_DROP_NONE;
}

enum tern_drop frag_take(struct frag_table *t, const tern_pkt *pkt, const struct wire_ip *ip,
                         uint64_t now, uint64_t *drops, struct frag **whole)
{
    uint8_t iface = (uint8_t)pkt->iface;
    *whole = NULL;
    if (!well_formed(ip))
        return TERN_DROP_IP_FRAGMENT;
    if (t->buckets == NULL)
        t->buckets =
            mem_alloc(t->mem, t->bucket_count * sizeof(*t->buckets), _Alignof(struct frag *));
    if (t->buckets == NULL)
        return TERN_DROP_MEMORY;
    struct frag *f = find_datagram(t, ip, iface);
    if (f == NULL)
        f = begin_datagram(t, ip, iface, now, drops);
    if (f == NULL)
        return TERN_DROP_MEMORY;
    enum tern_drop why = add_piece(t, f, pkt, ip, drops);
    if (why == TERN_DROP_FRAGMENT_AGAIN)
        return why;
    if (why != TERN_DROP_NONE) {
        drop_datagram(t, f);
        return why;
    }
    if (f->count == 1 && f->range[0].lo == 0 && f->len != 0) { /* no hole, and the last one */
        take_away(t, f);
        *whole = f;
    }
    return TERN_DROP_NONE;
}

/* ---- whole ----------------------------------------------------------------------------------- */

void frag_packet(const struct frag *f, uint8_t *header, tern_pkt *pkt)
{
    struct wire_ip ip = f->ip;
    ip.payload_len = (uint16_t)f->len;
    if (f->ecn & SEEN_CE)
        ip.tos |= 3;
    uint16_t header_len = (uint16_t)wire_ip_write(header, &ip, 0);
    *pkt = (tern_pkt){.iface = f->iface, .hdr_len = header_len, .len = header_len + f->len};
    pkt->iov[0] = (tern_iov){header, header_len};
    pkt->iov_count = 1;
    for (uint32_t at = 0; at < f->len; at += PAGE_SIZE)
        pkt->iov[pkt->iov_count++] =
            (tern_iov){f->page[at / PAGE_SIZE]->data, min_u32(f->len - at, PAGE_SIZE)};
}

size_t frag_quote(const struct frag *f, uint8_t quote[FRAG_QUOTE])
{
    if (!f->begun)
        return 0;
    struct wire_ip ip = f->ip;
    size_t data = min_size((size_t)f->range[0].hi * UNIT, FRAG_QUOTE - WIRE_IP6_HEADER - UNIT);
    ip.payload_len = (uint16_t)(f->range[0].hi * UNIT);
    size_t at = wire_frag_write(quote, &ip, 0);
    memcpy(quote + at, f->page[0]->data, data);
    return at + data;
}
