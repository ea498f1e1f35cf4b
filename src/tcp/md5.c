/* md5.c - TCP-MD5 signatures (RFC 2385), with the hash itself from the caller (tern_config.md5).
 *
 * A listener has keys for prefixes of peers, of which the longest counts; a connection has one,
 * taken over from its listener or given by its owner. With a key each segment is sent by itself,
 * with a digest of its addresses, its header without options, its data and the key; and what comes
 * without the right one is dropped without a word. Of options there is room for 40 bytes: signed
 * SYNs offer no timestamps, SYN-ACKs none beside SACK, as Linux does, and neither brings an AccECN
 * option or a Fast Open cookie. A signed connection waits in TIME-WAIT with all its memory, since
 * its key is needed to the end.
 */
#include "tcp/tcp.h"

enum { DIGEST_AT = 4 }; /* in the option with its NOPs, which stands first */

/* ---- digests --------------------------------------------------------------------------------- */

struct pieces {
    uint8_t pseudo[40], header[WIRE_TCP_HEADER];
    tern_iov iov[TERN_PKT_IOV + 4];
    size_t count;
};

static void add(struct pieces *p, const void *base, size_t len)
{
    TERN_ASSERT(p->count < sizeof(p->iov) / sizeof(p->iov[0]));
    p->iov[p->count++] = (tern_iov){.base = (void *)(uintptr_t)base, .len = len};
}

/* RFC 2385 2.0: pseudo-header, header without options and checksum; then come data and key. */
static void begin(struct pieces *p, const uint8_t src[16], const uint8_t dst[16],
                  const uint8_t *header, uint32_t len)
{
    uint8_t *q = p->pseudo;
    memset(p, 0, offsetof(struct pieces, iov));
    p->count = 0;
    if (wire_is_ip4(src)) {
        memcpy(q, src + 12, 4);
        memcpy(q + 4, dst + 12, 4);
        store_be32(q + 8, WIRE_TCP << 16 | len);
        add(p, q, 12);
    } else {
        memcpy(q, src, 16);
        memcpy(q + 16, dst, 16);
        store_be32(q + 32, len);
        q[39] = WIRE_TCP;
        add(p, q, 40);
    }
    memcpy(p->header, header, WIRE_TCP_HEADER);
    p->header[16] = p->header[17] = 0;
    add(p, p->header, WIRE_TCP_HEADER);
}

static void finish(const struct tcp *t, struct pieces *p, const struct md5_key *key,
                   uint8_t out[16])
{
    add(p, key->key, key->len);
    t->cfg->md5(t->cfg->user, p->iov, p->count, out);
}

void md5_sign(const struct tcp *t, const struct md5_key *key, const struct tcp_out *out)
{
    struct pieces p;
    begin(&p, out->local, out->remote, out->tcp, out->tcp_len + out->len);
    const struct chunk *chunk = out->chunk;
    uint32_t off = out->chunk_off, left = out->len;
    for (; left > 0; chunk = chunk->next, off = 0) {
        uint32_t n = min_u32(chunk->len - off, left);
        add(&p, chunk->data + off, n);
        left -= n;
    }
    finish(t, &p, key, out->tcp + WIRE_TCP_HEADER + DIGEST_AT);
}

static bool is_right(const struct tcp *t, const struct tcp_seg *seg, const struct md5_key *key)
{
    struct pieces p;
    uint8_t digest[16], differs = 0;
    const uint8_t *given = seg->h.opt.md5;
    size_t skip = seg->payload_off, left = seg->len;
    begin(&p, seg->tuple.remote, seg->tuple.local, seg->header, seg->h.header_len + seg->len);
    for (const tern_iov *v = seg->pkt->iov; left > 0; v++) {
        size_t from = min_size(skip, v->len), n = min_size(v->len - from, left);
        skip -= from;
        left -= n;
        if (n != 0)
            add(&p, (const uint8_t *)v->base + from, n);
    }
    finish(t, &p, key, digest);
    for (size_t i = 0; i < sizeof(digest); i++) /* in the same time wherever they differ */
        differs |= digest[i] ^ given[i];
    return differs == 0;
}

/* ---- keys ------------------------------------------------------------------------------------ */

static bool matches(const struct md5_key *key, const uint8_t ip[16])
{
    uint32_t bytes = key->bits / 8, rest = key->bits % 8;
    if (memcmp(key->prefix, ip, bytes) != 0)
        return false;
    return rest == 0 || ((key->prefix[bytes] ^ ip[bytes]) & (0xff00 >> rest)) == 0;
}

const struct md5_key *md5_for(const struct listener *l, const uint8_t ip[16])
{
    const struct md5_key *best = NULL;
    for (const struct md5_key *k = l->md5; k != NULL; k = k->next)
        if ((best == NULL || k->bits > best->bits) && matches(k, ip))
            best = k;
    return best;
}

static struct md5_key *new_key(struct tcp *t)
{
    struct md5_key *key = pool_take(&t->md5_keys);
    if (key != NULL)
        t->md5_used++;
    return key;
}

static void free_key(struct tcp *t, struct md5_key *key)
{
    memset(key, 0, sizeof(*key));
    t->md5_used--;
    pool_give(&t->md5_keys, key);
}

static void fill(struct md5_key *key, const tern_md5_key *from)
{
    *key = (struct md5_key){.next = key->next, .bits = (uint8_t)from->bits};
    key->len = (uint8_t)from->len;
    memcpy(key->prefix, from->ip, 16);
    memcpy(key->key, from->key, from->len);
}

int md5_listener_set(struct tcp *t, struct listener *l, const tern_md5_key *key)
{
    struct md5_key **at = &l->md5, *k;
    while ((k = *at) != NULL && (k->bits != key->bits || !matches(k, key->ip)))
        at = &k->next;
    if (key->len == 0) {
        if (k == NULL)
            return TERN_EINVAL;
        *at = k->next;
        free_key(t, k);
        return 0;
    }
    if (k == NULL) {
        if ((k = new_key(t)) == NULL)
            return TERN_ELIMIT;
        k->next = l->md5;
        l->md5 = k;
    }
    fill(k, key);
    return 0;
}

int md5_conn_set(struct tcp *t, struct conn *c, const tern_md5_key *key)
{
    struct conn_rare *r = conn_rare(t, c);
    if (r == NULL)
        return TERN_ENOMEM;
    if (key->len == 0) {
        if (r->md5 == NULL)
            return TERN_EINVAL;
        free_key(t, r->md5); /* CONN_MARKED goes with the next segment */
        r->md5 = NULL;
    } else {
        if (r->md5 == NULL && (r->md5 = new_key(t)) == NULL)
            return TERN_ELIMIT;
        r->md5->next = NULL;
        fill(r->md5, key);
        c->flags |= CONN_MARKED;
    }
    conn_mss_update(t, c);
    return 0;
}

bool md5_inherit(struct tcp *t, struct conn *c, const struct listener *l)
{
    const struct md5_key *key = l->md5 != NULL ? md5_for(l, c->raddr) : NULL;
    if (key == NULL)
        return true;
    tern_md5_key copy = {.bits = 128, .len = key->len, .key = key->key};
    memcpy(copy.ip, c->raddr, 16);
    return md5_conn_set(t, c, &copy) == 0;
}

void md5_conn_free(struct tcp *t, struct conn_rare *r)
{
    if (r->md5 != NULL)
        free_key(t, r->md5);
    r->md5 = NULL;
}

void md5_listener_free(struct tcp *t, struct listener *l)
{
    struct md5_key *k;
    while ((k = l->md5) != NULL) {
        l->md5 = k->next;
        free_key(t, k);
    }
}

/* ---- what arrives ---------------------------------------------------------------------------- */

static const struct md5_key *expected_key(struct tcp *t, uint32_t ref, const struct tcp_seg *seg)
{
    const struct listener *l = NULL;
    switch (ref == 0 ? REF_LISTENER : ref_kind(ref)) {
    case REF_CONN:
        return md5_of(conn_at(t, ref_ix(ref)));
    case REF_HALFOPEN:
        l = listener_at(t, halfopen_at(t, ref_ix(ref))->listener);
        break;
    case REF_LISTENER:
        l = listen_find(t, &seg->tuple);
        break;
    case REF_TIMEWAIT: /* only what was never signed is there */
        break;
    }
    return l != NULL ? md5_for(l, seg->tuple.remote) : NULL;
}

enum tern_drop md5_check(struct tcp *t, uint32_t ref, struct tcp_seg *seg)
{
    bool is_signed = (seg->h.opt.have & WIRE_OPT_MD5) != 0;
    const struct md5_key *key = expected_key(t, ref, seg);
    if (key == NULL)
        return is_signed ? TERN_DROP_TCP_SIGNED : TERN_DROP_NONE;
    if (!is_signed)
        return TERN_DROP_TCP_UNSIGNED;
    if (seg->pkt->gso_size != 0 || !is_right(t, seg, key))
        return TERN_DROP_TCP_FORGED;
    seg->key = key;
    return TERN_DROP_NONE;
}

void md5_reply(struct tcp_reply *out, const struct md5_key *key)
{
    if (key == NULL)
        return;
    out->key = key;
    out->h.opt.have |= WIRE_OPT_MD5;
}
