/* node.h - a stack at work in an event loop: its devices, and the applications on its sockets.
 *
 * One turn of a node is a turn of the stack (tern.h): devices are read until they are empty, within
 * bounds; timers; events, each passed to the app its socket belongs to (app.h); the node's own
 * hooks, which do the work of applications that keep a time or have bytes to move; output.
 */
#ifndef TERN_HOST_NODE_H
#define TERN_HOST_NODE_H

#include "host/device.h"

struct node {
    tern *stack;
    struct loop *loop;
    struct device *devices;
    struct loop_hook *hooks;
    struct loop_hook turn;     /* the node in its loop */
    void (*addrs)(void *user); /* TERN_EV_ADDRS has come; or NULL */
    void *addrs_user;
};

/* A configuration to begin with: the defaults, a seed from the kernel, memory from malloc, and
 * donated memory given back to its device. -errno: the kernel has no seed. */
int node_config(tern_config *cfg);

/* Makes the stack and takes its place in the loop. 0, -ENOMEM or -EINVAL. */
int node_start(struct node *n, struct loop *loop, const tern_config *cfg);
/* Ends it without a word to any peer. Devices are their owners' to close afterwards, hooks to
 * free. */
void node_stop(struct node *n);

/* Adds an interface: its id in the stack, or a negative errno. */
int node_device_add(struct node *n, struct device *d);
/* The first device that is gone, or NULL. */
const struct device *node_lost(const struct node *n);

/* Hooks work in the order in which they were added, in each turn of the stack. */
void node_hook_add(struct node *n, struct loop_hook *h);
void node_hook_del(struct node *n, struct loop_hook *h);

/* Nothing waits to be sent that a device would take now. */
bool node_quiet(const struct node *n);

#endif
