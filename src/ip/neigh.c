/* neigh.c - the neighbour cache; see neigh.h. */
#include "ip/neigh.h"

enum { EVICT_TRIES = 8 }; /* entries looked at for one that may go */

/* ---- lists by index -------------------------------------------------------------------------- */

static struct neigh_link *link_of(struct neigh_table *t, uint32_t i, bool timer)
{
    return timer ? &t->at[i].timer : &t->at[i].used;
}

/* Behind that one; 0: in front of all. */
static void push_behind(struct neigh_table *t, struct neigh_queue *q, uint32_t i, uint32_t prev,
                        bool timer)
{
    struct neigh_link *l = link_of(t, i, timer);
    uint32_t *at = prev != 0 ? &link_of(t, prev, timer)->next : &q->head;
    *l = (struct neigh_link){.prev = prev, .next = *at};
    *at = i;
    if (l->next != 0)
        link_of(t, l->next, timer)->prev = i;
    else
        q->tail = i;
}

static void push_timer(struct neigh_table *t, struct neigh_queue *q, uint32_t i)
{
    uint32_t prev = q->tail;
    while (prev != 0 && t->at[prev].until > t->at[i].until)
        prev = t->at[prev].timer.prev;
    push_behind(t, q, i, prev, true);
}

static void take_out(struct neigh_table *t, struct neigh_queue *q, uint32_t i, bool timer)
{
    struct neigh_link *l = link_of(t, i, timer);
    if (l->prev != 0)
        link_of(t, l->prev, timer)->next = l->next;
    else
        q->head = l->next;
    if (l->next != 0)
        link_of(t, l->next, timer)->prev = l->prev;
    else
        q->tail = l->prev;
}

static uint32_t index_of(const struct neigh_table *t, const struct neigh *n)
{
    return (uint32_t)(n - t->at);
}

static struct neigh_queue *queue_of(struct neigh_table *t, const struct neigh *n)
{
    switch ((enum neigh_state)n->state) {
    case NEIGH_INCOMPLETE:
    case NEIGH_PROBE:
        return &t->retrans;
    case NEIGH_DELAY:
        return &t->delay;
    default:
        return NULL;
    }
}

static void set_state(struct neigh_table *t, struct neigh *n, enum neigh_state state, uint64_t now)
{
    struct neigh_queue *q = queue_of(t, n);
    if (q != NULL)
        take_out(t, q, index_of(t, n), true);
    n->state = (uint8_t)state;
    n->until = now + (state == NEIGH_DELAY       ? NEIGH_DELAY_NS
                      : state == NEIGH_REACHABLE ? t->reachable_ns[n->iface]
                                                 : t->retrans_ns[n->iface]);
    q = queue_of(t, n);
    if (q != NULL)
        push_timer(t, q, index_of(t, n));
}

/* ---- the table ------------------------------------------------------------------------------- */

void neigh_init(struct neigh_table *t, struct mem *mem, const struct siphash_key *key, uint32_t max)
{
    *t = (struct neigh_table){.mem = mem, .key = *key, .max = max, .bucket_count = 1};
    while (t->bucket_count < max)
        t->bucket_count *= 2;
    for (uint32_t i = 0; i < IP_IFACES_MAX; i++) {
        t->retrans_ns[i] = NEIGH_RETRANS_NS;
        t->reachable_ns[i] = NEIGH_REACHABLE_NS;
    }
}

bool neigh_begin(struct neigh_table *t)
{
    if (t->at == NULL)
        t->at = mem_alloc(t->mem, (t->max + 1) * sizeof(*t->at), _Alignof(struct neigh));
    if (t->buckets == NULL)
        t->buckets = mem_alloc(t->mem, t->bucket_count * sizeof(*t->buckets), _Alignof(uint32_t));
    return t->at != NULL && t->buckets != NULL;
}

void neigh_destroy(struct neigh_table *t)
{
    mem_free(t->mem, t->at, (t->max + 1) * sizeof(*t->at));
    mem_free(t->mem, t->buckets, t->bucket_count * sizeof(*t->buckets));
}

static uint32_t *bucket_of(const struct neigh_table *t, uint8_t iface, const uint8_t ip[16])
{
    uint64_t words[3] = {0, 0, iface};
    memcpy(words, ip, 16);
    return &t->buckets[siphash13_words(&t->key, words, 3) & (t->bucket_count - 1)];
}

struct neigh *neigh_find(const struct neigh_table *t, uint8_t iface, const uint8_t ip[16])
{
    uint32_t i = *bucket_of(t, iface, ip);
    while (i != 0 && (t->at[i].iface != iface || !wire_ip_equal(t->at[i].ip, ip)))
        i = t->at[i].chain;
    return i != 0 ? &t->at[i] : NULL;
}

void neigh_forget(struct neigh_table *t, struct neigh *n)
{
    TERN_ASSERT(n->live && n->waiting == 0);
    uint32_t *at = bucket_of(t, n->iface, n->ip), i = index_of(t, n);
    struct neigh_queue *q = queue_of(t, n);
    while (*at != i)
        at = &t->at[*at].chain;
    *at = n->chain;
    if (q != NULL)
        take_out(t, q, i, true);
    take_out(t, &t->used, i, false);
    n->live = false;
    n->used.next = t->free;
    t->free = i;
    t->count--;
}

static bool make_room(struct neigh_table *t)
{
    uint32_t i = t->used.head;
    for (uint32_t tries = 0; i != 0 && tries < EVICT_TRIES; tries++) {
        if (t->at[i].waiting == 0) {
            neigh_forget(t, &t->at[i]);
            return true;
        }
        i = t->at[i].used.next;
    }
    return false;
}

struct neigh *neigh_new(struct neigh_table *t, uint8_t iface, const uint8_t ip[16], uint64_t now)
{
    if (t->count == t->max && !make_room(t))
        return NULL;
    uint32_t i = t->free;
    if (i != 0)
        t->free = t->at[i].used.next;
    else
        i = ++t->fresh;
    struct neigh *n = &t->at[i];
    uint32_t *bucket = bucket_of(t, iface, ip);
    *n = (struct neigh){.iface = iface, .state = NEIGH_STALE, .tries = 1, .live = true};
    memcpy(n->ip, ip, 16);
    n->chain = *bucket;
    *bucket = i;
    t->count++;
    push_behind(t, &t->used, i, t->used.tail, false);
    set_state(t, n, NEIGH_INCOMPLETE, now);
    return n;
}

struct neigh *neigh_of_iface(struct neigh_table *t, uint8_t iface)
{
    for (uint32_t i = t->used.head; i != 0; i = t->at[i].used.next)
        if (t->at[i].iface == iface)
            return &t->at[i];
    return NULL;
}

/* ---- the state machine ----------------------------------------------------------------------- */

bool neigh_use(struct neigh_table *t, struct neigh *n, uint64_t now)
{
    uint32_t i = index_of(t, n);
    if (i != t->used.tail) {
        take_out(t, &t->used, i, false);
        push_behind(t, &t->used, i, t->used.tail, false);
    }
    if (n->state == NEIGH_REACHABLE && now >= n->until)
        set_state(t, n, NEIGH_STALE, now);
    if (n->state == NEIGH_STALE)
        set_state(t, n, NEIGH_DELAY, now);
    return n->state != NEIGH_INCOMPLETE;
}

void neigh_confirm(struct neigh_table *t, struct neigh *n, uint64_t now)
{
    if (n->state != NEIGH_INCOMPLETE)
        set_state(t, n, NEIGH_REACHABLE, now);
}

void neigh_doubt(struct neigh *n, uint64_t now)
{
    if (n->state == NEIGH_REACHABLE)
        n->until = now;
}

void neigh_advert(struct neigh_table *t, struct neigh *n, const struct neigh_news *news,
                  uint64_t now)
{
    bool known = n->state != NEIGH_INCOMPLETE;
    bool other = news->mac != NULL && !wire_mac_equal(news->mac, n->mac);
    if (!known) {
        if (news->mac == NULL)
            return;
        memcpy(n->mac, news->mac, WIRE_MAC);
        set_state(t, n, news->solicited ? NEIGH_REACHABLE : NEIGH_STALE, now);
        return;
    }
    if (other && !news->override) {
        /* Somebody else's word against what is known: not believed, but asked about (rule I). */
        if (n->state == NEIGH_REACHABLE)
            set_state(t, n, NEIGH_STALE, now);
        return;
    }
    if (other)
        memcpy(n->mac, news->mac, WIRE_MAC);
    if (news->solicited)
        set_state(t, n, NEIGH_REACHABLE, now);
    else if (other)
        set_state(t, n, NEIGH_STALE, now);
}

void neigh_asked(struct neigh_table *t, struct neigh *n, const uint8_t mac[WIRE_MAC])
{
    if (n->state != NEIGH_INCOMPLETE && wire_mac_equal(n->mac, mac))
        return;
    memcpy(n->mac, mac, WIRE_MAC);
    set_state(t, n, NEIGH_STALE, 0);
}

struct neigh *neigh_due(struct neigh_table *t, uint64_t now, enum neigh_ask *ask)
{
    struct neigh *n;
    if (t->delay.head != 0 && t->at[t->delay.head].until <= now) {
        n = &t->at[t->delay.head];
        n->tries = 1;
        set_state(t, n, NEIGH_PROBE, now);
        *ask = NEIGH_ASK_IT;
        return n;
    }
    if (t->retrans.head == 0 || t->at[t->retrans.head].until > now)
        return NULL;
    n = &t->at[t->retrans.head];
    *ask = n->state == NEIGH_PROBE ? NEIGH_ASK_IT : NEIGH_ASK_ALL;
    if (n->tries++ >= NEIGH_TRIES)
        *ask = NEIGH_FAILED;
    set_state(t, n, (enum neigh_state)n->state, now);
    return n;
}

uint64_t neigh_next(const struct neigh_table *t)
{
    uint64_t next = TERN_NEVER;
    if (t->delay.head != 0)
        next = t->at[t->delay.head].until;
    if (t->retrans.head != 0)
        next = min_u64(next, t->at[t->retrans.head].until);
    return next;
}
