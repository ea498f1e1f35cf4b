/* udp.c - see udp.h. */
#include "udp/udp.h"

#include "base/pkt.h"

enum { CHOICES = 256, TABLE_SLOTS = 16 };

bool udp_init(struct udp *u, struct mem *mem, struct chunks *chunks, const struct siphash_key *key,
              uint32_t max)
{
    *u = (struct udp){.mem = mem, .chunks = chunks, .key = *key, .begun = true};
    return slab_init(&u->socks, mem, SLAB_HANDLES, sizeof(struct udp_sock), max) &&
           flowtab_init(&u->table, mem, TABLE_SLOTS);
}

static void drop_pages(struct udp *u, struct chunk *c)
{
    while (c != NULL) {
        struct chunk *next = c->next;
        chunk_unref(u->chunks, c);
        c = next;
    }
}

void udp_destroy(struct udp *u)
{
    uint32_t next = 1, ix;
    if (!u->begun)
        return;
    do {
        uint32_t budget = UINT32_MAX;
        ix = slab_scan(&u->socks, next, &budget, &next);
        if (ix != 0)
            drop_pages(u, udp_at(u, ix)->head);
    } while (ix != 0 && next != 0);
    flowtab_destroy(&u->table);
    slab_destroy(&u->socks);
}

/* ---- who is where ---------------------------------------------------------------------------- */

static uint32_t ends_hash(const struct udp *u, const struct udp_ends *e)
{
    uint64_t w[5] = {0, 0, 0, 0, (uint64_t)e->lport << 16 | e->rport};
    memcpy(w, e->local, 16);
    memcpy(w + 2, e->remote, 16);
    return (uint32_t)siphash13(&u->key, w, sizeof(w));
}

struct query {
    const struct udp *u;
    const struct udp_ends *ends;
};

static bool ends_equal(const void *context, uint32_t ref)
{
    const struct query *q = context;
    return memcmp(&udp_at(q->u, ref)->ends, q->ends, sizeof(*q->ends)) == 0;
}

static uint32_t lookup(const struct udp *u, const struct udp_ends *ends)
{
    struct query q = {u, ends};
    return flowtab_find(&u->table, ends_hash(u, ends), ends_equal, &q);
}

uint32_t udp_find(const struct udp *u, const struct udp_ends *ends)
{
    struct udp_ends e = *ends;
    if (u->socks.used == 0)
        return 0;
    uint32_t ix = lookup(u, &e);
    if (ix != 0)
        return ix;
    memset(e.remote, 0, 16);
    e.rport = 0;
    ix = lookup(u, &e);
    bool ip4 = wire_is_ip4(e.local);
    memset(e.local, 0, 16);
    if (ix == 0 && ip4) {
        memcpy(e.local, wire_mapped_prefix, sizeof(wire_mapped_prefix));
        ix = lookup(u, &e);
        memset(e.local, 0, 16);
    }
    if (ix == 0) {
        ix = lookup(u, &e);
        if (ix != 0 && ip4 && udp_at(u, ix)->ip6_only)
            ix = 0;
    }
    return ix;
}

/* RFC 6056 3.3.1: by chance. */
static bool choose_port_for(struct udp *u, struct udp_ends *e)
{
    for (unsigned i = 0; i < CHOICES; i++) {
        uint64_t random = siphash13(&u->key, &u->ports, sizeof(u->ports));
        u->ports++;
        e->lport = (uint16_t)(UDP_PORT_FIRST + random % (UDP_PORT_LAST - UDP_PORT_FIRST + 1));
        if (lookup(u, e) == 0)
            return true;
    }
    return false;
}

int udp_new(struct udp *u, const struct udp_ends *ends, uint32_t *ix)
{
    struct udp_ends e = *ends;
    if (e.lport == 0 ? !choose_port_for(u, &e) : lookup(u, &e) != 0)
        return TERN_EADDRINUSE;
    *ix = slab_alloc(&u->socks);
    if (*ix == 0)
        return u->socks.used >= u->socks.limit ? TERN_ELIMIT : TERN_ENOMEM;
    struct udp_sock *k = udp_at(u, *ix);
    k->ends = e;
    k->hash = ends_hash(u, &e);
    if (!flowtab_insert(&u->table, k->hash, *ix)) {
        slab_free(&u->socks, *ix);
        return TERN_ENOMEM;
    }
    return 0;
}

int udp_move(struct udp *u, uint32_t ix, const struct udp_ends *ends)
{
    struct udp_sock *k = udp_at(u, ix);
    uint32_t there = lookup(u, ends), hash = ends_hash(u, ends);
    if (there == ix)
        return 0;
    if (there != 0)
        return TERN_EADDRINUSE;
    if (!flowtab_insert(&u->table, hash, ix))
        return TERN_ENOMEM;
    flowtab_remove(&u->table, k->hash, ix);
    k->hash = hash;
    k->ends = *ends;
    return 0;
}

/* ---- lists ----------------------------------------------------------------------------------- */

static uint32_t *next_of(struct udp *u, uint32_t ix, bool events)
{
    struct udp_sock *k = udp_at(u, ix);
    return events ? &k->ev_next : &k->wait_next;
}

static void list_add(struct udp *u, uint32_t ix, bool events)
{
    uint32_t *head = events ? &u->ev_head : &u->wait_head;
    uint32_t *tail = events ? &u->ev_tail : &u->wait_tail;
    *next_of(u, ix, events) = 0;
    if (*tail != 0)
        *next_of(u, *tail, events) = ix;
    else
        *head = ix;
    *tail = ix;
}

static uint32_t list_take(struct udp *u, bool events)
{
    uint32_t *head = events ? &u->ev_head : &u->wait_head, ix = *head;
    if (ix == 0)
        return 0;
    *head = *next_of(u, ix, events);
    if (*head == 0)
        *(events ? &u->ev_tail : &u->wait_tail) = 0;
    return ix;
}

static void list_remove(struct udp *u, uint32_t ix, bool events)
{
    uint32_t *at = events ? &u->ev_head : &u->wait_head, before = 0;
    while (*at != ix) {
        before = *at;
        at = next_of(u, *at, events);
    }
    *at = *next_of(u, ix, events);
    if (*at == 0)
        *(events ? &u->ev_tail : &u->wait_tail) = before;
}

void udp_event(struct udp *u, uint32_t ix, uint16_t mask)
{
    struct udp_sock *k = udp_at(u, ix);
    k->ev_mask |= mask;
    if (!k->on_events)
        list_add(u, ix, true);
    k->on_events = true;
}

uint32_t udp_event_take(struct udp *u)
{
    uint32_t ix = list_take(u, true);
    if (ix != 0)
        udp_at(u, ix)->on_events = false;
    return ix;
}

void udp_wait(struct udp *u, uint32_t ix)
{
    if (!udp_at(u, ix)->waits)
        list_add(u, ix, false);
    udp_at(u, ix)->waits = true;
}

uint32_t udp_wait_take(struct udp *u)
{
    uint32_t ix = list_take(u, false);
    if (ix != 0)
        udp_at(u, ix)->waits = false;
    return ix;
}

void udp_free(struct udp *u, uint32_t ix)
{
    struct udp_sock *k = udp_at(u, ix);
    if (k->on_events)
        list_remove(u, ix, true);
    if (k->waits)
        list_remove(u, ix, false);
    flowtab_remove(&u->table, k->hash, ix);
    drop_pages(u, k->head);
    slab_free(&u->socks, ix);
}

/* ---- what has come --------------------------------------------------------------------------- */

/* Pages for so many bytes; NULL: there is no memory for all of them. */
static struct chunk *pages_for(struct udp *u, size_t len)
{
    struct chunk *first = NULL, **at = &first;
    for (size_t got = 0; got < len; got += PAGE_SIZE) {
        *at = chunk_new(u->chunks, 0, PAGE_SIZE);
        if (*at == NULL) {
            drop_pages(u, first);
            return NULL;
        }
        at = &(*at)->next;
    }
    return first;
}

/* Room at the end of the queue, where some was made: at least one byte. */
static uint8_t *room_at_end(struct udp_sock *k, size_t *n)
{
    if (k->tail->len == k->tail->cap)
        k->tail = k->tail->next;
    *n = k->tail->cap - k->tail->len;
    return k->tail->data + k->tail->len;
}

bool udp_put(struct udp *u, uint32_t ix, const struct udp_record *rec, const tern_pkt *pkt,
             size_t skip)
{
    struct udp_sock *k = udp_at(u, ix);
    const uint8_t *record = (const uint8_t *)rec;
    size_t all = sizeof(*rec) + rec->len, have = 0;
    if (k->rx_bytes != 0 && k->rx_bytes + all > k->rcvbuf)
        return false;
    if (k->head != NULL)
        have = k->tail->cap - k->tail->len;
    if (have < all) {
        struct chunk *more = pages_for(u, all - have);
        if (more == NULL)
            return false;
        if (k->head != NULL)
            k->tail->next = more;
        else
            k->head = k->tail = more;
    }
    for (size_t done = 0, n; done < all; done += n) {
        uint8_t *to = room_at_end(k, &n);
        if (done < sizeof(*rec)) {
            n = min_size(n, sizeof(*rec) - done);
            memcpy(to, record + done, n);
        } else {
            n = min_size(n, all - done);
            pkt_copy_out(pkt, skip + done - sizeof(*rec), n, to);
        }
        k->tail->len += (uint32_t)n;
    }
    k->rx_bytes += (uint32_t)all;
    if (k->read_armed)
        udp_event(u, ix, TERN_EV_READ);
    k->read_armed = false;
    return true;
}

/* Takes bytes from the front; `to` NULL: they are not wanted. */
static void take_bytes(struct udp *u, struct udp_sock *k, uint8_t *to, size_t len)
{
    k->rx_bytes -= (uint32_t)len;
    while (len > 0) {
        struct chunk *c = k->head;
        size_t n = min_size(c->len - k->taken, len);
        if (to != NULL) {
            memcpy(to, c->data + k->taken, n);
            to += n;
        }
        k->taken += (uint32_t)n;
        len -= n;
        if (k->taken == c->len) { /* it is full, or all that there was */
            k->head = c->next;
            k->taken = 0; /* (the tail, when it was that, is not looked at without a head) */
            chunk_unref(u->chunks, c);
        }
    }
}

bool udp_take(struct udp *u, uint32_t ix, struct udp_record *rec, uint8_t *to, size_t cap)
{
    struct udp_sock *k = udp_at(u, ix);
    if (k->rx_bytes == 0)
        return false;
    take_bytes(u, k, (uint8_t *)rec, sizeof(*rec));
    size_t n = min_size(rec->len, cap);
    if (n > 0)
        take_bytes(u, k, to, n);
    if (rec->len > n)
        take_bytes(u, k, NULL, rec->len - n);
    return true;
}
