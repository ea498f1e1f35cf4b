/* neigh.h - who is at which link-layer address: one cache and one state machine for ARP and for
 * Neighbour Discovery (RFC 4861 7.3), which ARP is given as well, as RFC 1122 2.3.2.1 asks for.
 *
 *     INCOMPLETE  asked for, nothing heard yet; packets wait
 *     REACHABLE   known, and heard from in the last 30 s: an answer, or TCP's progress
 *     STALE       known, not heard from lately; used as it is, but the next use begins a
 *     DELAY       of 5 s, in which progress may confirm it; then it is
 *     PROBE       asked, by itself, and given up after three tries
 *
 * Nothing here sends: whoever calls is told what to ask. Waiting packets are a list that belongs to
 * the caller. Each timer is a queue whose head is due first: a new entry goes to its end, or before
 * those of interfaces whose routers have asked for longer times.
 */
#ifndef TERN_IP_NEIGH_H
#define TERN_IP_NEIGH_H

#include "base/mem.h"
#include "base/siphash.h"
#include "base/util.h"
#include "tern/tern.h"
#include "wire/frame.h"

enum {
    NEIGH_TRIES = 3,   /* MAX_MULTICAST_SOLICIT, MAX_UNICAST_SOLICIT */
    NEIGH_WAITING = 8, /* packets for one neighbour that is being asked for (RFC 4861 7.2.2) */
};
#define NEIGH_RETRANS_NS 1000000000u    /* RETRANS_TIMER */
#define NEIGH_DELAY_NS 5000000000u      /* DELAY_FIRST_PROBE_TIME */
#define NEIGH_REACHABLE_NS 30000000000u /* REACHABLE_TIME */

enum neigh_state { NEIGH_INCOMPLETE, NEIGH_REACHABLE, NEIGH_STALE, NEIGH_DELAY, NEIGH_PROBE };

/* An index into the table; 0: none. */
struct neigh_link {
    uint32_t prev, next;
};

struct neigh {
    uint8_t ip[16];
    uint8_t mac[WIRE_MAC];
    uint8_t iface, state, tries;
    uint8_t waiting;         /* packets in the caller's list, */
    void *first, *last;      /* and the list */
    uint64_t until;          /* REACHABLE: not longer; else when its timer is due */
    uint32_t chain;          /* the next in the same bucket */
    struct neigh_link used;  /* by last use; a free entry: the next free one */
    struct neigh_link timer; /* in the queue of its state */
    bool live;
};

struct neigh_queue {
    uint32_t head, tail;
};

enum { IP_IFACES_MAX = 64 };

struct neigh_table {
    struct mem *mem;
    struct siphash_key key;
    struct neigh *at;  /* 1..max */
    uint32_t *buckets; /* as many as a power of two */
    uint32_t max, bucket_count, count, fresh, free;
    struct neigh_queue used; /* head: unused for longest */
    struct neigh_queue retrans, delay;
    uint64_t retrans_ns[IP_IFACES_MAX], reachable_ns[IP_IFACES_MAX]; /* not 0 */
};

void neigh_init(struct neigh_table *t, struct mem *mem, const struct siphash_key *key,
                uint32_t max);
/* Before the first entry: takes memory. false: there is none. */
bool neigh_begin(struct neigh_table *t);
void neigh_destroy(struct neigh_table *t);

struct neigh *neigh_find(const struct neigh_table *t, uint8_t iface, const uint8_t ip[16]);
/* A new entry, INCOMPLETE and asked for once; the one unused for longest makes room. NULL: all that
 * might go have packets waiting. */
struct neigh *neigh_new(struct neigh_table *t, uint8_t iface, const uint8_t ip[16], uint64_t now);
void neigh_forget(struct neigh_table *t, struct neigh *n);

/* A packet is to go there. false: its address is not known yet. */
bool neigh_use(struct neigh_table *t, struct neigh *n, uint64_t now);
/* It has proved to be there, and to hear us. */
void neigh_confirm(struct neigh_table *t, struct neigh *n, uint64_t now);
/* Nothing is heard from beyond it: what it has proved counts no more. */
void neigh_doubt(struct neigh *n, uint64_t now);

/* What a message says about a neighbour. */
struct neigh_news {
    const uint8_t *mac; /* NULL: nothing about its address */
    bool solicited;     /* it answers a question of ours */
    bool override;      /* its word is newer than what is known */
};
/* Takes in an advertisement or a reply (RFC 4861 7.2.5). */
void neigh_advert(struct neigh_table *t, struct neigh *n, const struct neigh_news *news,
                  uint64_t now);
/* Somebody who asks says who they are (RFC 4861 7.2.3). */
void neigh_asked(struct neigh_table *t, struct neigh *n, const uint8_t mac[WIRE_MAC]);

enum neigh_ask {
    NEIGH_ASK_ALL, /* a question to whoever it may be */
    NEIGH_ASK_IT,  /* to its address */
    NEIGH_FAILED,  /* no answer: to be forgotten */
};
/* The next entry whose timer is due, and what it asks for; NULL: none. */
struct neigh *neigh_due(struct neigh_table *t, uint64_t now, enum neigh_ask *ask);
/* When to look again; TERN_NEVER. */
uint64_t neigh_next(const struct neigh_table *t);

/* Any entry of an interface, NULL when there is none left: looks at them all. */
struct neigh *neigh_of_iface(struct neigh_table *t, uint8_t iface);

#endif
