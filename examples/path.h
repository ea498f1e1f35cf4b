/* path.h - two stacks in one program and a path between them, for programs that try something of
 * the sender: so many bytes go over 20 Mbit/s and 20 ms, with a queue that never overflows. Time is
 * virtual: it passes when nobody has anything to do now. What includes this says which congestion
 * control the sender uses.
 */
#ifndef EXAMPLES_PATH_H
#define EXAMPLES_PATH_H

#include <stdlib.h>
#include <string.h>

#include "tern/info.h"
#include "tern/tern.h"

enum { PATH_MTU = 1500, PATH_QUEUE = 2048, PATH_BATCH = 32, PATH_PORT = 7 };
static const uint64_t path_delay = 10000000; /* ns, one way */
static const uint64_t path_byte = 400;       /* ns a byte takes on the narrow link, 20 Mbit/s */

/* Packets on their way to one end. */
struct path_wire {
    struct {
        uint64_t at; /* when it arrives */
        uint32_t len;
        uint8_t bytes[PATH_MTU];
    } packet[PATH_QUEUE];
    uint32_t head, tail;
    uint64_t free_at; /* when the link is done with the one before */
};

struct path_end {
    tern *stack;
    struct path_wire wire; /* to here */
};

static void *path_get(void *user, size_t size, size_t align)
{
    (void)user;
    align = align < sizeof(void *) ? sizeof(void *) : align;
    return aligned_alloc(align, (size + align - 1) / align * align);
}

static void path_put(void *user, void *p, size_t size)
{
    (void)user, (void)size;
    free(p);
}

static const uint8_t path_ip[2][16] = {{0xfd, [15] = 1}, {0xfd, [15] = 2}};

static int path_end_new(struct path_end *end, int side, const tern_cc_ops *cc)
{
    tern_config cfg;
    tern_iface iface = {.mtu = PATH_MTU};
    tern_config_default(&cfg);
    memset(cfg.seed, 1 + side, sizeof cfg.seed); /* from a CSPRNG, where it matters */
    cfg.alloc = path_get;
    cfg.free = path_put;
    cfg.cc = cc;
    *end = (struct path_end){.stack = NULL};
    if (tern_new(&end->stack, &cfg, 1) < 0 || tern_iface_add(end->stack, &iface) != 0)
        return -1;
    return tern_iface_addr(end->stack, 0, path_ip[side], 64);
}

/* What one end sends gets in line; what has come to it goes in. */
static void path_turn(struct path_end *from, struct path_wire *wire, uint64_t now)
{
    struct path_wire *in = &from->wire;
    tern_pkt pkts[PATH_BATCH];
    tern_event ev[PATH_BATCH];
    for (; in->head != in->tail && in->packet[in->head % PATH_QUEUE].at <= now; in->head++) {
        uint32_t len = in->packet[in->head % PATH_QUEUE].len;
        pkts[0] = (tern_pkt){.iov_count = 1, .len = len};
        pkts[0].iov[0] = (tern_iov){in->packet[in->head % PATH_QUEUE].bytes, len};
        tern_input(from->stack, pkts, 1, now);
    }
    tern_advance(from->stack, now);
    while (tern_events(from->stack, ev, PATH_BATCH) != 0)
        ; /* path_transfer() looks for itself */
    for (size_t n; (n = tern_output(from->stack, 0, pkts, PATH_BATCH, now)) != 0;) {
        for (size_t i = 0; i < n && wire->tail - wire->head < PATH_QUEUE; i++, wire->tail++) {
            uint8_t *to = wire->packet[wire->tail % PATH_QUEUE].bytes;
            for (unsigned k = 0; k < pkts[i].iov_count; to += pkts[i].iov[k++].len)
                memcpy(to, pkts[i].iov[k].base, pkts[i].iov[k].len);
            wire->free_at = (wire->free_at > now ? wire->free_at : now) + pkts[i].len * path_byte;
            wire->packet[wire->tail % PATH_QUEUE].len = pkts[i].len;
            wire->packet[wire->tail % PATH_QUEUE].at = wire->free_at + path_delay;
        }
        tern_output_done(from->stack, pkts, n);
    }
}

static uint64_t path_next(const struct path_end *end)
{
    uint64_t next = tern_next_timeout(end->stack);
    const struct path_wire *in = &end->wire;
    bool any = in->head != in->tail;
    return any && in->packet[in->head % PATH_QUEUE].at < next ? in->packet[in->head % PATH_QUEUE].at
                                                              : next;
}

/* Sends `bytes` from one end to the other; how long that took, ns, and what the sender then says of
 * the connection. 0: it could not. */
static uint64_t path_transfer(const tern_cc_ops *cc, uint64_t bytes, tern_tcp_info *info)
{
    static struct path_end end[2];
    static uint8_t buf[65536];
    tern_listen_args args = {.local.port = PATH_PORT, .backlog = 1};
    tern_addr to = {.port = PATH_PORT}, peer;
    tern_sock listener, out, in;
    bool accepted = false;
    uint64_t now = 1, sent = 0, received = 0;
    memcpy(to.ip, path_ip[1], 16);
    if (path_end_new(&end[0], 0, cc) < 0 || path_end_new(&end[1], 1, cc) < 0 ||
        tern_listen(end[1].stack, &listener, &args) < 0 ||
        tern_connect(end[0].stack, &out, NULL, &to, NULL) < 0)
        return 0;
    while (received < bytes && now != TERN_NEVER) {
        path_turn(&end[0], &end[1].wire, now);
        path_turn(&end[1], &end[0].wire, now);
        ptrdiff_t n;
        while (sent < bytes && (n = tern_send(end[0].stack, out, buf, sizeof buf)) > 0)
            sent += (uint64_t)n;
        if (!accepted)
            accepted = tern_accept(end[1].stack, listener, &in, &peer, NULL) == 0;
        while (accepted && (n = tern_recv(end[1].stack, in, buf, sizeof buf)) > 0)
            received += (uint64_t)n;
        uint64_t a = path_next(&end[0]), b = path_next(&end[1]);
        now = a < b ? a : b;
    }
    if (tern_info(end[0].stack, out, info, sizeof *info) < 0)
        now = 0;
    tern_free(end[0].stack);
    tern_free(end[1].stack);
    return now == TERN_NEVER ? 0 : now;
}

#endif
