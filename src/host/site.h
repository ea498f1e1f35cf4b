/* site.h - the built-in site: a small HTTP server inside a stack, so that everything can be tried
 * without a network.
 *
 *   /                  a page that explains the handshake just made
 *   /bytes/N           N bytes, always the same (site_byte())
 *   /echo              what a POST or PUT brings
 *   /close/server      the server closes first
 *   /close/together    the client closes first; FIN and ACK come joined
 *   /close/apart       ... the FIN comes later than the ACK; ?after=3 seconds
 *   /close/never       ... no FIN comes: the far end stays in CLOSE-WAIT
 *   /reset             RST in the middle of the answer
 *   /slow              the server stops reading: send it something, and see a zero window
 *
 * It listens on port 80; port 82 never answers a SYN; nobody listens on the others.
 */
#ifndef TERN_HOST_SITE_H
#define TERN_HOST_SITE_H

#include "host/app.h"

#include <stdint.h>

enum { SITE_PORT = 80, SITE_PORT_SILENT = 82 };

struct site;

struct site_config {
    tern *stack;
    const tern_addr *addrs; /* where to listen (ports are ignored); copied */
    uint32_t addr_count;    /* at most 8 */
    uint16_t port;          /* 0: SITE_PORT */
    uint32_t backlog;       /* 0: 511 */
    tern_limits limits;     /* what one source may have of each listener */
    /* SYNs over the limits come, and have not for a while; may be NULL */
    void (*flood)(bool on);
};

/* 0, or a negative enum tern_err. The sockets' `user` are struct app. */
int site_new(struct site **out, const struct site_config *cfg);
/* Aborts its connections. */
void site_free(struct site *site);
/* After the stack's events and before its output: what waits for a time. */
void site_work(struct site *site, uint64_t now);
/* When it wants to work again; TERN_NEVER. */
uint64_t site_deadline(const struct site *site);
/* Byte number i of /bytes/N. */
uint8_t site_byte(uint64_t i);

#endif
