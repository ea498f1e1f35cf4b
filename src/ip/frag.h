/* frag.h - IP fragments become datagrams again (RFC 791 3.2, RFC 8200 4.5).
 *
 * The bytes of a fragment are copied to their place in pages of the payload pool, of which a
 * datagram takes only those that something lies in. What has come is a sorted list of ranges in
 * units of 8 bytes, in which a fragment is found by halving. A fragment that overlaps others is an
 * attack or a fault, and ends its datagram (RFC 5722 3); one that brings again what is there
 * already, the same bytes, is left out.
 *
 * Bounded are the datagrams, their bytes, the ranges of each, and the time: a datagram that is not
 * complete 60 s after its first fragment came goes (RFC 8200 4.5, RFC 1122 3.3.2). When there is
 * no room the oldest gives way, which is the one at the head of the list of times as well.
 */
#ifndef TERN_IP_FRAG_H
#define TERN_IP_FRAG_H

#include "base/chunk.h"
#include "base/siphash.h"
#include "wire/ip.h"

enum {
    FRAG_PAGES = 16,  /* of 4 KiB: 65,535 bytes */
    FRAG_RANGES = 64, /* of what has come, one beside the other */
    FRAG_QUOTE = 128, /* bytes of a datagram that an error quotes */
};
#define FRAG_TIME_NS 60000000000u

/* Units of 8 bytes that have come: [lo, hi). */
struct frag_range {
    uint16_t lo, hi;
};

struct frag {
    struct frag *chain;         /* the next in the same bucket */
    struct frag *older, *newer; /* by the time of their first fragments */
    uint64_t until;
    struct wire_ip ip; /* of the fragment that begins it; before that, of any */
    uint32_t len;      /* bytes, once the last fragment has come; else 0 */
    uint32_t end;      /* the highest byte that has come */
    uint8_t iface;
    uint8_t ecn; /* a bit for each ECN codepoint seen */
    bool begun;  /* the first fragment has come */
    uint8_t count;
    struct frag_range range[FRAG_RANGES];
    struct chunk *page[FRAG_PAGES]; /* NULL: nothing lies there yet */
};

struct frag_table {
    struct mem *mem;
    struct chunks *chunks;
    struct siphash_key key;
    struct pool pool;
    struct frag **buckets; /* NULL until the first fragment */
    uint32_t bucket_count;
    uint32_t pages, pages_max;
    struct frag *oldest, *newest;
};

void frag_init(struct frag_table *t, struct chunks *chunks, const struct siphash_key *key,
               uint32_t max, size_t bytes_max);
void frag_destroy(struct frag_table *t);

/* Takes a fragment in: `ip` is what wire_ip_read() said of `pkt`. With it `*whole` may be complete:
 * it is out of the table then, and to be given to frag_free(). `drops` counts, by their reasons,
 * the datagrams that end. A reason is returned when this fragment is dropped. */
enum tern_drop frag_take(struct frag_table *t, const tern_pkt *pkt, const struct wire_ip *ip,
                         uint64_t now, uint64_t *drops, struct frag **whole);
void frag_free(struct frag_table *t, struct frag *f);

/* The datagram as a packet: its header, without options, is written to `header` (40 bytes), and
 * its bytes stay where they are. */
void frag_packet(const struct frag *f, uint8_t *header, tern_pkt *pkt);

/* One whose time is over, out of the table and to be freed; NULL: none. */
struct frag *frag_due(struct frag_table *t, uint64_t now);
static inline uint64_t frag_next(const struct frag_table *t)
{
    return t->oldest != NULL ? t->oldest->until : TERN_NEVER;
}
/* The beginning of its first fragment, as an ICMP error quotes it: up to FRAG_QUOTE bytes; 0: that
 * has not come. */
size_t frag_quote(const struct frag *f, uint8_t quote[FRAG_QUOTE]);

/* Forgets what has come by an interface. */
void frag_forget(struct frag_table *t, uint8_t iface);

#endif
