/* flight.h - packets under way: their buffers, and the order in which they arrive.
 *
 * Delay, jitter and rate keep the order, so what is under way is a queue: arrival times never
 * decrease from head to tail. Packets that are to be overtaken wait beside it, in the order of
 * their deadlines, and enter the queue behind the packet that was the last to pass them. Both ends
 * are reached in constant time; nothing is ever sorted.
 */
#ifndef TERN_LAB_FLIGHT_H
#define TERN_LAB_FLIGHT_H

#include "lab/link.h"

enum { FLIGHT_SIZES = 4 }; /* sizes of buffers */

struct flying {
    struct flying *next;
    uint64_t id;
    uint64_t sent;    /* when it left, ns */
    uint64_t arrives; /* when it is there; held back: at the latest */
    uint32_t len;
    uint8_t marks; /* LAB_* */
    uint8_t wait;  /* packets still to pass it; 0: it is in the queue */
    uint8_t size;  /* of its buffer */
    /* how a super-segment is handed on; all 0 for a wire packet */
    uint8_t gso_type, gso_ecn;
    uint16_t flags, gso_size, gso_segs, csum_start, csum_offset, hdr_len;
    uint8_t data[];
};

/* Buffers, kept for the next packets once they were needed. */
struct flight_pool {
    struct flying *free[FLIGHT_SIZES];
    size_t bytes; /* of the buffers in use */
};

/* NULL: no memory. Everything but next, size, len and data is 0. */
struct flying *flight_new(struct flight_pool *p, size_t len);
/* The longest packet that its buffer could hold. */
size_t flight_room(const struct flying *f);
void flight_free(struct flight_pool *p, struct flying *f);
/* Frees the unused ones. */
void flight_pool_destroy(struct flight_pool *p);

struct flight_list {
    struct flying *head, *tail;
};
void flight_append(struct flight_list *list, struct flying *f);
struct flying *flight_pop(struct flight_list *list); /* NULL: empty */

struct flight {
    struct flight_list queue;
    struct flight_list held; /* `arrives` never decreases here either */
    uint64_t last;           /* arrival of the last packet added, had it not been held */
};

/* Adds a packet that is due at f->arrives, or after those before it if that is later. With f->wait
 * > 0 it arrives behind the f->wait-th packet added from now on that is not held itself, but at
 * most `hold` ns late. */
void flight_add(struct flight *t, struct flying *f, uint64_t hold);
/* The next packet that has arrived; NULL: none by now. */
struct flying *flight_take(struct flight *t, uint64_t now);
/* When the next one arrives; TERN_NEVER. */
uint64_t flight_next(const struct flight *t);

#endif
