/* record.h - what is written down about the packets on a link: the time line for people, and a
 * capture for wireshark and its kind.
 *
 * It is told what the link's tap and the stacks' trace hooks are told, and writes text and pcapng
 * files. A file that cannot be written further ends with one warning; nothing else does.
 */
#ifndef TERN_HOST_RECORD_H
#define TERN_HOST_RECORD_H

#include "lab/link.h"
#include "tern/trace.h"

#include <stdbool.h>

struct record;
struct timeline;

enum record_end { RECORD_CLIENT, RECORD_SERVER, RECORD_BOTH };

struct record_config {
    /* the time line: where to, -1 for none; not closed here */
    int timeline_fd;
    bool facts; /* record_timeline() is wanted, also without its text */
    int width;
    bool colour, utf8;
    uint64_t msl; /* ns */
    void (*process)(void *user, const tern_addr *local, const tern_addr *peer, char *out,
                    size_t cap);
    /* the capture */
    const char *pcapng; /* the file's name; NULL: none */
    enum record_end pcapng_end;
    const char *application; /* "tern 0.1.0" */
    /* one line without a newline, for the user */
    void (*say)(void *user, const char *text);
    void *user;
};

/* `now`: the time of the first line. 0, or a negative errno: the capture's file cannot be made. */
int record_new(struct record **out, const struct record_config *cfg, uint64_t now);
/* Writes what is left, the summaries last. */
void record_free(struct record *r, uint64_t now);

/* For struct lab_config; `record` is a struct record. */
void record_tap(void *record, const struct lab_event *event);
/* For struct lab_host_config; `host` 0 is the client's end of the link, 1 the server's. */
void record_trace(void *record, int host, const tern_trace *trace);

/* Writes what has been collected; at the end of each turn. */
void record_work(struct record *r, uint64_t now);
/* When it wants to work though nothing is told. */
uint64_t record_deadline(const struct record *r);

/* Facts about connections (timeline_totals(), timeline_connection()); NULL without a time line. */
const struct timeline *record_timeline(const struct record *r);

#endif
