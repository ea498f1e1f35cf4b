/* sent.h - records of what is in flight (sent.c): how they come and go, and what they count. */
#ifndef TERN_TCP_SENT_H
#define TERN_TCP_SENT_H

#include "base/util.h"
#include "tcp/conn.h"

struct tcp;

/* Appends a record, its chunk not set; NULL: no memory. */
struct sent *sent_append(struct tcp *t, struct active *a, uint32_t lo, uint32_t hi);
/* It leaves now (again): notes when, and what was delivered by then. */
void sent_stamp(const struct tcp *t, const struct conn *c, struct active *a, struct sent *r);
uint32_t sent_exact(uint16_t coarse);
/* Splits a record at `seq`; returns the right part, NULL: no memory, or a device holds it. */
struct sent *sent_split(struct tcp *t, const struct conn *c, struct active *a, struct sent *r,
                        uint32_t seq);
/* Takes what is below `seq` off a record. */
void sent_cut(const struct conn *c, struct active *a, struct sent *r, uint32_t seq);
/* Takes the first record out of the list; it is freed when no device holds it. */
void sent_pop(struct tcp *t, struct active *a);
void sent_clear(struct tcp *t, struct active *a);
/* SENT_SACKED, SENT_LOST or SENT_AGAIN, instead of what was there. */
void sent_mark(struct active *a, struct sent *r, uint16_t mark);
void sent_unmark(struct active *a, struct sent *r);
/* Joins a record with the next one if both are SACKED. */
bool sent_join(struct tcp *t, struct active *a, struct sent *r);
/* A device is done with a packet of this record. */
void sent_done(struct tcp *t, struct sent *r);
static inline uint32_t sent_len(const struct sent *r) { return r->hi - r->lo; }
/* The bytes that its last segment lacks of a whole one, where a small one counts as much: Linux's
 * congestion window is a number of segments, RFC 5681's one of bytes. */
static inline uint32_t sent_slack(const struct active *a, const struct sent *r)
{
    uint32_t mss = a->slack_mss, len = sent_len(r);
    if (mss == 0)
        return 0;
    if (len <= mss) /* one segment, as most are */
        return mss - len;
    uint32_t data = len - ((r->flags & SENT_FIN) != 0);
    uint32_t whole = (data + mss - 1) / mss * mss;
    return whole > len ? whole - len : 0;
}
/* Works a->slack out anew: the size of segments has changed. */
void sent_slack_begin(const struct tcp *t, const struct conn *c, struct active *a);
/* Joins a record that is to be sent again with the next one; false: a device holds one of them. */
bool sent_merge(struct tcp *t, struct active *a, struct sent *r);

#endif
