/* pcapng.h - writes pcapng (draft-ietf-opsawg-pcapng): raw IP packets with nanosecond times and
 * comments. It makes blocks and hands them to a sink, one whole block a call; what a full disk
 * means is the sink's business.
 */
#ifndef TERN_WATCH_PCAPNG_H
#define TERN_WATCH_PCAPNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PCAPNG_SNAP = 65535 + 40, /* the largest packet: an IPv6 payload and its header */
    PCAPNG_COMMENT = 240,     /* bytes of a comment, at most; the rest is cut off */
    PCAPNG_COMMENTS = 8,      /* of one packet */
};

struct pcapng {
    bool (*write)(void *user, const void *p, size_t len); /* false: no more, please */
    void *user;
    bool failed; /* the sink has said so: nothing is handed to it any more */
    uint32_t interfaces;
};

struct pcapng_packet {
    uint32_t interface;
    bool outbound; /* as seen from that interface's end */
    uint64_t unix_ns;
    const void *data; /* an IP packet; what is beyond PCAPNG_SNAP is left out */
    size_t len;
    const char *const *comments; /* UTF-8 */
    size_t comment_count;
};

/* The section header; `application` as in "tern 0.1". */
void pcapng_begin(struct pcapng *p, const char *application);
/* An interface of link type RAW; returns its number. `description` may be NULL. */
uint32_t pcapng_interface(struct pcapng *p, const char *name, const char *description);
void pcapng_packet(struct pcapng *p, const struct pcapng_packet *packet);

#endif
