/* output.h - what the three files of output know of each other: output.c asks which segment is
 * next, send.c what of the stream it is, segment.c writes it. */
#ifndef TERN_TCP_OUTPUT_H
#define TERN_TCP_OUTPUT_H

#include "tcp/tcp.h"

/* ---- segment.c ------------------------------------------------------------------------------- */

/* The window field; what it promises is remembered. */
uint16_t segment_window(const struct tcp *t, struct conn *c, bool syn);
/* An acknowledgement is on its way: what waited to be acknowledged does not any more. */
void segment_acknowledged(struct conn *c, struct active *a);
/* The sum of what every segment of a connection brings with it, payload attached or not. */
void segment_describe(struct tcp *t, struct conn *c, struct tcp_out *out);
/* Writes the header of a segment that acknowledges, with timestamp and SACK as they apply. */
void segment_header(struct tcp *t, struct conn *c, struct tcp_out *out, uint16_t flags,
                    uint32_t seq);
/* It has no payload, or none yet. */
void segment_bare(struct tcp_out *out);
/* Payload of one wire segment, with the SACK blocks it may carry. */
uint32_t segment_mss(const struct tcp *t, const struct conn *c);
/* Attaches up to `len` payload bytes from stream offset `offset` on, in at most SEGMENT_CHUNKS
 * chunks of which the first is `chunk` or comes behind it; takes a reference on each. Returns the
 * bytes attached and in *next the chunk that holds the byte after them. */
uint32_t segment_attach(struct tcp_out *out, struct chunk *chunk, uint32_t offset, uint32_t len,
                        struct chunk **next);
/* Drops references from the end of what is attached until `len` bytes are left. */
void segment_detach(struct tcp *t, struct tcp_out *out, uint32_t len);

/* ---- send.c ---------------------------------------------------------------------------------- */

/* What is lost goes first, unless F-RTO wants to hear what becomes of new data (RFC 5682). */
bool send_stream(struct tcp *t, struct conn *c, struct tcp_out *out);
/* RFC 9293 3.8.6.1, Linux's way: nothing of the stream, but a number the peer has acknowledged, so
 * that it must answer with its window. With a window too small for silly-window avoidance the
 * persist timer sends what fits. */
bool send_probe(struct tcp *t, struct conn *c, struct tcp_out *out);
/* The millisecond clock when a segment leaves, which may be later than now. */
static inline uint32_t ts_of(const struct tcp *t, uint64_t departs)
{
    return (uint32_t)(max_u64(departs, t->now) / NS_PER_MS);
}
/* What is attached is what the record, whose data ends before `hi`, stands for; it leaves now. */
static inline void send_record(const struct tcp *t, const struct conn *c, struct tcp_out *out,
                               struct sent *r, uint32_t hi)
{
    r->chunk = out->chunk;
    r->hi = hi;
    c->active->slack += sent_slack(c->active, r);
    sent_stamp(t, c, c->active, r);
    out->sent = r;
    out->departs = r->time;
}
/* A record has left: timers, and what congestion control wants to know. */
void send_gone(struct tcp *t, struct conn *c, struct sent *r);

#endif
