/* device.h - where packets of a stack come from and go to: one interface of a node (node.h).
 *
 * A device is driven by its node, which watches its descriptor edge-triggered: `readable` and
 * `writable` are what is known of it. The node sets them, receive() and send() clear them.
 */
#ifndef TERN_HOST_DEVICE_H
#define TERN_HOST_DEVICE_H

#include "host/loop.h"
#include "tern/tern.h"

#include <stdbool.h>

/* A buffer that the stack may keep (TERN_PKT_DONATED, it being the cookie): back on the device's
 * list once it is read. */
struct device_buf {
    struct device_buf *next;
    struct device_buf **list;
};

struct device {
    tern_iface iface; /* what it can do */
    int fd;           /* the device's own */
    bool readable, writable;
    int err; /* a negative errno: it is gone for good */
    /* Up to `max` packets that have arrived. Their memory stays until the next call. */
    size_t (*receive)(struct device *d, tern_pkt *pkts, size_t max);
    /* How many of them, from the first on, it has read; the others when it is writable again. */
    size_t (*send)(struct device *d, const tern_pkt *pkts, size_t n);

    int id;               /* the node's: the interface it is */
    struct loop_fd watch; /* the node's */
    struct device *next;  /* the node's */
};

#endif
