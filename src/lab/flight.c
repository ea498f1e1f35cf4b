/* flight.c - see flight.h. */
#include "lab/flight.h"

#include <stdlib.h>

#include "base/util.h"
#include "lab/segment.h"

/* ---- buffers --------------------------------------------------------------------------------- */

/* An acknowledgement, a packet of Ethernet's size, a jumbo frame, anything. */
static const size_t sizes[FLIGHT_SIZES] = {256, 2048, 16384, SEGMENT_PACKET_MAX};

struct flying *flight_new(struct flight_pool *p, size_t len)
{
    uint8_t size = 0;
    while (sizes[size] < len)
        if (++size == FLIGHT_SIZES)
            return NULL;
    struct flying *f = p->free[size];
    if (f != NULL)
        p->free[size] = f->next;
    else if ((f = malloc(sizeof(*f) + sizes[size])) == NULL)
        return NULL;
    p->bytes += sizes[size];
    *f = (struct flying){.size = size, .len = (uint32_t)len};
    return f;
}

size_t flight_room(const struct flying *f) { return sizes[f->size]; }

void flight_free(struct flight_pool *p, struct flying *f)
{
    p->bytes -= sizes[f->size];
    f->next = p->free[f->size];
    p->free[f->size] = f;
}

void flight_pool_destroy(struct flight_pool *p)
{
    for (size_t i = 0; i < FLIGHT_SIZES; i++) {
        while (p->free[i] != NULL) {
            struct flying *f = p->free[i];
            p->free[i] = f->next;
            free(f);
        }
    }
}

/* ---- the order of arrival -------------------------------------------------------------------- */

void flight_append(struct flight_list *list, struct flying *f)
{
    f->next = NULL;
    if (list->tail != NULL)
        list->tail->next = f;
    else
        list->head = f;
    list->tail = f;
}

struct flying *flight_pop(struct flight_list *list)
{
    struct flying *f = list->head;
    if (f == NULL)
        return NULL;
    list->head = f->next;
    if (list->head == NULL)
        list->tail = NULL;
    return f;
}

/* Those that `f` is the last to pass follow it. */
static void pass(struct flight *t, const struct flying *f)
{
    struct flying *held = t->held.head;
    t->held.head = t->held.tail = NULL;
    while (held != NULL) {
        struct flying *next = held->next;
        if (f->arrives <= held->arrives && --held->wait == 0) {
            held->arrives = f->arrives;
            flight_append(&t->queue, held);
        } else {
            flight_append(&t->held, held);
        }
        held = next;
    }
}

void flight_add(struct flight *t, struct flying *f, uint64_t hold)
{
    f->arrives = t->last = max_u64(t->last, f->arrives);
    if (f->wait > 0) {
        f->arrives += hold;
        if (t->held.tail != NULL)
            f->arrives = max_u64(f->arrives, t->held.tail->arrives);
        flight_append(&t->held, f);
        return;
    }
    flight_append(&t->queue, f);
    if (t->held.head != NULL)
        pass(t, f);
}

/* The list whose head is next. */
static const struct flight_list *first(const struct flight *t)
{
    const struct flying *q = t->queue.head, *h = t->held.head;
    return h != NULL && (q == NULL || h->arrives < q->arrives) ? &t->held : &t->queue;
}

struct flying *flight_take(struct flight *t, uint64_t now)
{
    if (flight_next(t) > now)
        return NULL;
    return flight_pop(first(t) == &t->held ? &t->held : &t->queue);
}

uint64_t flight_next(const struct flight *t)
{
    const struct flying *f = first(t)->head;
    return f == NULL ? TERN_NEVER : f->arrives;
}
