/* net.h - two stacks face to face, small enough to be copied whole: both live in one arena, packets
 * under way lie in two short rows, and nothing happens but what a test asks for. A snapshot of all
 * of it is taken, and put back at the same addresses, in microseconds.
 *
 * Both ends write the stream that net_byte() gives; whatever is read is compared with it. What
 * should not happen is kept in net.why, the first such thing counts.
 */
#ifndef TERN_TEST_NET_H
#define TERN_TEST_NET_H

#include <stdbool.h>

#include "tern/info.h"
#include "tern/trace.h"

enum {
    NET_PACKET = 192,   /* bytes of the longest packet, */
    NET_MTU = 140,      /* which the interfaces keep to over IPv4 */
    NET_WIRE = 10,      /* packets under way in one direction; more are lost */
    NET_HISTORY = 2048, /* packets sent, in all */
    NET_LOSE = 4,
};
#define NET_MS UINT64_C(1000000)
#define NET_START UINT64_C(1000000000)

struct net_packet {
    uint16_t len;
    uint8_t data[NET_PACKET];
};

/* One end: its stack, and the program that uses it. */
struct net_end {
    tern *s;
    tern_sock sock, listener; /* id 0: none, or ended */
    uint32_t written, read;   /* bytes */
    uint32_t una, nxt;        /* as last seen: they may not go back */
    bool opened, shut, closed, aborted, eof, seen;
    int err; /* why it ended; 0: it did not, or in good order */
};

struct net {
    uint64_t now;
    struct net_end end[2]; /* [0] opens; [1] listens, or opens too */
    struct {
        uint32_t count;
        struct net_packet at[NET_WIRE];
    } wire[2];        /* [0]: from end 0 to end 1 */
    uint32_t history; /* packets sent so far */
    uint32_t changes; /* of state so far */
    uint64_t read_at; /* when both programs had read to the end; 0: not yet */
    char why[240];    /* "": nothing wrong so far */
};

struct net_config {
    tern_config tern; /* from net_config_default() */
    bool together;    /* both open */
    bool nodelay;
    uint32_t
        lose[NET_LOSE]; /* packets of these numbers, counted from 1 in both directions, are lost;
                                0: none */
    /* A middlebox in the middle of the way; may alter a packet but not its length. NULL: none. Then
     * each end is judged by what passes its own side of it. */
    void (*middlebox)(void *user, int dir, struct net_packet *p);
    void *user;
};

/* Few and small tables; sequence numbers begin near their end. */
void net_config_default(tern_config *cfg);

/* The one net there is: both stacks know its address. */
extern struct net net;

/* Makes both ends and lets them open: the SYNs are under way. */
void net_begin(const struct net_config *conf);
/* Everything under way arrives, and what it causes. */
void net_flow(void);
/* Forgets everything, whatever state it is in. */
void net_end(void);

/* A snapshot takes net_size() bytes now. */
size_t net_size(void);
void net_save(void *to);
void net_load(const void *from);

uint8_t net_byte(int end, uint32_t offset);
tern_addr net_addr(int end);

/* ---- what can happen; each is followed by what both stacks then do at once ------------------- */

void net_deliver(int dir, uint32_t i, bool keep); /* keep: a copy stays under way */
void net_drop(int dir, uint32_t i);
/* Time passes until the next timer; false: there is none. */
bool net_timer(void);
/* A packet from nowhere. */
void net_inject(int end, const uint8_t *data, size_t len);
/* A segment of the client's that it has not sent: `len` bytes from offset `from` of its stream on,
 * and perhaps its end. Nothing of what the server answers is heard. */
void net_segment(uint32_t from, const uint8_t *bytes, uint32_t len, bool fin);
void net_write(int end, uint32_t len);
/* Reads all there is. */
void net_read(int end);
void net_shut(int end);
void net_close(int end);
void net_abort(int end);

/* ---- what must hold -------------------------------------------------------------------------- */

void net_wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Prints the last packets that were sent, for who looks for the reason. */
void net_tell(void);
/* At any time. */
void net_check(void);
/* The oracle's opinion of all that was sent. */
void net_judge(void);
/* Nothing is lost any more, everybody reads, all is shut and closed, and time passes until nothing
 * is to come. Then everything must be read, unless somebody has broken off, all memory be back, and
 * the oracle content. The net is no more after that. */
void net_finish(void);

#endif
