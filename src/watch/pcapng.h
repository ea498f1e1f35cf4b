/* pcapng.h - writes pcapng (draft-ietf-opsawg-pcapng): raw IP packets with nanosecond times and
 * comments. It makes blocks and hands them to a sink; what a full disk means is the sink's business.
 */
#ifndef TERN_WATCH_PCAPNG_H
#define TERN_WATCH_PCAPNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pcapng {
    bool (*write)(void *user, const void *p, size_t len); /* false: no more, please */
    void *user;
    bool failed;
    uint32_t interfaces;
};

/* Section header; `application` as in "tern 0.1". */
void pcapng_begin(struct pcapng *p, const char *application);
/* An interface of link type RAW; returns its number. */
uint32_t pcapng_interface(struct pcapng *p, const char *name, const char *description,
                          uint32_t mtu);
/* One packet; `unix_ns` since 1970; outbound or inbound as seen from that interface's end. `comment`
 * may be NULL. */
void pcapng_packet(struct pcapng *p, uint32_t interface, uint64_t unix_ns, bool outbound,
                   const void *data, size_t len, const char *comment);

#endif
