/* gateway.h - a stack that stands for the rest of the world: connections that come to it, to
 * whatever address, go on over the host's own sockets, and the host's go to it.
 *
 * A SYN is held until the host's connect() has answered, so that whoever sent it sees the truth:
 * refused is refused, unreachable is an ICMP error, silence is silence. Then bytes, half closes,
 * resets and back-pressure pass through (pump.h).
 *
 * The sockets' `user` are struct app.
 */
#ifndef TERN_HOST_GATEWAY_H
#define TERN_HOST_GATEWAY_H

#include "host/app.h"
#include "host/loop.h"

#include <stdbool.h>

struct gateway;

enum gateway_route {
    GATEWAY_HOST,   /* by a socket of the host's to `to` */
    GATEWAY_BACK,   /* by a connection of this stack's to `to`, which was changed */
    GATEWAY_REFUSE, /* not at all: RST */
};

struct gateway_config {
    struct loop *loop;
    tern *stack; /* its only listener for any address and any port will be the gateway's */
    int iface;   /* takes packets for any destination */
    /* Where a connection to `*to` goes; NULL: all to the host. */
    enum gateway_route (*route)(void *user, tern_addr *to);
    void *user;
    /* Something the user should know, one line without a newline; may be NULL */
    void (*say)(void *user, const char *text);
};

/* 0 or a negative enum tern_err. */
int gateway_new(struct gateway **out, const struct gateway_config *cfg);
/* Resets what is left. */
void gateway_free(struct gateway *g);
/* Connections to the host's `addr` go on to the address `to` of a neighbour of the stack. 0, or a
 * negative errno: bind() or listen() failed. */
int gateway_publish(struct gateway *g, const tern_addr *addr, const tern_addr *to);

/* After the stack's events and before its output. */
void gateway_work(struct gateway *g, uint64_t now);
/* When it wants to work again: 0 at once; TERN_NEVER. */
uint64_t gateway_deadline(const struct gateway *g);
/* Whether something that came from the stack has not been given to the host yet. Looks at all
 * connections: for the end of a run. */
bool gateway_owes(const struct gateway *g);

#endif
