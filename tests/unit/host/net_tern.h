/* net_tern.h - two stacks on one wire, for tests: programs on the first, the host behind the
 * second.
 *
 * What a program connects to is dialled on the host before its SYN is answered, unless a program of
 * the same run listens there: then the connection is turned round and comes in to the first stack.
 */
#ifndef TERN_TESTS_NET_TERN_H
#define TERN_TESTS_NET_TERN_H

#include "host/loop.h"
#include "host/run.h"
#include "host/run_net.h"

#include <stddef.h>

struct net_tern;

struct net_tern *net_tern_new(struct loop *l, const struct run_net_events *events);
/* For struct run_config: with run_tern_ops. */
void *net_tern_user(struct net_tern *n);
/* The run whose programs may listen. */
void net_tern_run(struct net_tern *n, struct run *r);
size_t net_tern_busy(const struct net_tern *n);
void net_tern_free(struct net_tern *n);

#endif
