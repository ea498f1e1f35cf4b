/* capture.h - what one end of a link sees, or each of both, as pcapng with comments.
 *
 * An end's capture has the packets it sends, when it sends them, and those it takes in, when it
 * does. A comment on a packet says which states it changed (or, of one that is sent, which change
 * made the end send it), why it was sent again, and what the link did to it. What the link drops is
 * seen by its sender alone; its receiver's next packet of that connection says what is missing
 * before it.
 *
 * The same packets and records make the same bytes. Nothing is read or written here: whole blocks
 * go to a sink, and once that has refused one nothing more is handed to it.
 */
#ifndef TERN_WATCH_CAPTURE_H
#define TERN_WATCH_CAPTURE_H

#include "watch/timeline.h"

struct capture;

struct capture_config {
    const char *application; /* "tern 0.1" */
    const char *name[2];     /* what the ends are called; the interface's name in the file */
    bool end[2];             /* which of them are captured; each is an interface */
    uint64_t start;          /* this moment of the packets' clock, ns, */
    uint64_t unix_start;     /* is this time since 1970, ns */
    bool (*write)(void *user, const void *p, size_t len); /* false: it could not, stop */
    void *user;
};

/* NULL: no memory. The file's header is written at once. */
struct capture *capture_new(const struct capture_config *conf);
/* Writes what was waiting for its fate, and frees. */
void capture_free(struct capture *c);

/* The same calls as the time line's. */
void capture_sent(struct capture *c, const struct timeline_packet *p);
void capture_fate(struct capture *c, const struct timeline_packet *p, enum timeline_fate fate);
void capture_trace(struct capture *c, int end, const tern_trace *record);
/* A packet that was sent waits for the next call, which may tell that it is lost. After a turn it
 * is known. */
void capture_flush(struct capture *c);

#endif
