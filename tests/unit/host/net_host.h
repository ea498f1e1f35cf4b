/* net_host.h - a backend for the program runner over the host's own TCP, for tests only.
 *
 * Connections of the program become connections of this process; its listeners, listeners here on
 * the same address and port. So a program under the runner can be compared with the same program
 * without it.
 */
#ifndef TERN_TESTS_NET_HOST_H
#define TERN_TESTS_NET_HOST_H

#include "host/loop.h"
#include "host/run_net.h"

struct net_host;

extern const struct run_net_ops net_host_ops;

struct net_host *net_host_new(struct loop *l, const struct run_net_events *events);
/* Connections that still have something to deliver. */
unsigned net_host_busy(const struct net_host *n);
void net_host_free(struct net_host *n);

#endif
