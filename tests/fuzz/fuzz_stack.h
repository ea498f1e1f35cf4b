/* fuzz_stack.h - a shard whose memory, packets and time a fuzz target watches over. Every packet it
 * hands out must be one a network accepts, it may not spin, and in the end everything is back. */
#ifndef TERN_FUZZ_STACK_H
#define TERN_FUZZ_STACK_H

#include "fuzz_mem.h"
#include "tern/info.h"
#include "wire/icmp.h"
#include "wire/tcp.h"

enum { FUZZ_HELD = 64, FUZZ_MTU = 1500 };

struct fuzz_shard {
    struct fuzz_mem mem; /* first: it is what tern_config.user points to */
    tern *s;
    tern_iface link;
    int iface;
    uint64_t now;
    uint8_t local[16], remote[16];
    tern_pkt held[FUZZ_HELD]; /* inside the device */
    unsigned held_count;
    long owed; /* buffers lent or donated and not released */
    /* each packet handed out, in one piece; `tcp` NULL: it is not TCP */
    void (*seen)(struct fuzz_shard *f, const struct wire_tcp *tcp, const uint8_t *p, size_t len);
    void *user;
};

static inline void fuzz_released(void *user, void *const *cookies, size_t n)
{
    struct fuzz_shard *f = user;
    f->owed -= (long)n;
    CHECK(f->owed >= 0);
    for (size_t i = 0; i < n; i++)
        free(cookies[i]);
}

static inline void fuzz_addresses(struct fuzz_shard *f, bool ip6)
{
    static const uint8_t four[16] = {[10] = 0xff, 0xff, 192, 0, 2, 1};
    static const uint8_t six[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};
    memcpy(f->local, ip6 ? six : four, 16);
    memcpy(f->remote, f->local, 16);
    f->remote[15] = 77;
}

/* `cfg` is filled in but for memory. */
static inline void fuzz_shard_start(struct fuzz_shard *f, tern_config *cfg)
{
    fuzz_mem_init(&f->mem);
    cfg->alloc = fuzz_alloc;
    cfg->free = fuzz_free;
    cfg->release = fuzz_released;
    cfg->user = f;
    f->now = 1000000000;
    CHECK(tern_new(&f->s, cfg, f->now) == 0);
    f->iface = tern_iface_add(f->s, &f->link);
    CHECK(f->iface >= 0);
    CHECK(tern_iface_addr(f->s, f->iface, f->local, wire_is_ip4(f->local) ? 120 : 64) == 0);
}

static inline void fuzz_check_packet(struct fuzz_shard *f, const tern_pkt *pkt)
{
    static uint8_t p[65536];
    struct wire_ip ip;
    struct wire_tcp tcp;
    uint32_t len = 0;
    CHECK(pkt->iov_count >= 1 && pkt->iov_count <= TERN_PKT_IOV && pkt->iface == f->iface);
    for (unsigned i = 0; i < pkt->iov_count; i++) {
        CHECK(len + pkt->iov[i].len <= sizeof(p));
        memcpy(p + len, pkt->iov[i].base, pkt->iov[i].len);
        len += (uint32_t)pkt->iov[i].len;
    }
    CHECK(len == pkt->len && len <= (pkt->gso_size != 0 ? f->link.gso_max : f->link.mtu));
    CHECK(wire_ip_read(p, len, len, &ip) == TERN_DROP_NONE);
    CHECK(ip.header_len + ip.payload_len == len);
    if (ip.proto != WIRE_TCP) {
        f->seen(f, NULL, p, len);
        return;
    }
    CHECK(wire_tcp_read(p + ip.header_len, ip.payload_len, ip.payload_len, &tcp) == 0);
    if (!(pkt->flags & TERN_PKT_CSUM_PARTIAL)) {
        struct cksum_ops ops = cksum_select();
        uint64_t sum = wire_pseudo_sum(ip.src, ip.dst, WIRE_TCP, ip.payload_len);
        CHECK(cksum_finish(ops.sum(p + ip.header_len, ip.payload_len, sum)) == 0);
    }
    f->seen(f, &tcp, p, len);
}

/* Up to `max` packets leave; they are held by the device until fuzz_give_back(). */
static inline size_t fuzz_output(struct fuzz_shard *f, size_t max)
{
    size_t room = FUZZ_HELD - f->held_count;
    size_t n = tern_output(f->s, f->iface, f->held + f->held_count, min_size(max, room), f->now);
    for (size_t i = 0; i < n; i++)
        fuzz_check_packet(f, &f->held[f->held_count + i]);
    f->held_count += (unsigned)n;
    return n;
}

/* The device is done with `n` of them, or will not have them. */
static inline void fuzz_give_back(struct fuzz_shard *f, unsigned n, bool refused)
{
    n = n < f->held_count ? n : f->held_count;
    if (refused)
        tern_output_refused(f->s, f->held, n);
    else
        tern_output_done(f->s, f->held, n);
    f->held_count -= n;
    memmove(f->held, f->held + n, f->held_count * sizeof(f->held[0]));
}

static inline void fuzz_turn(struct fuzz_shard *f)
{
    tern_event ev[8];
    unsigned idle = 0;
    fuzz_give_back(f, FUZZ_HELD, false);
    do {
        tern_advance(f->s, f->now);
        size_t n = tern_events(f->s, ev, 8);
        n += fuzz_output(f, FUZZ_HELD);
        fuzz_give_back(f, FUZZ_HELD, false);
        idle = n == 0 ? idle + 1 : 0;
        CHECK(idle < 16); /* it spins */
    } while (tern_next_timeout(f->s) <= f->now);
}

/* Its owner gives all up, and nobody answers: nothing may stay for ever. */
static inline void fuzz_shard_end(struct fuzz_shard *f)
{
    uint64_t cursor = 0, next;
    tern_entry e[16];
    tern_memory m;
    size_t n;
    f->mem.fail = false;
    while ((n = tern_list(f->s, &cursor, e, 16)) != 0)
        for (size_t i = 0; i < n; i++)
            if (e[i].sock.id != 0)
                CHECK((e[i].state == TERN_LISTEN ? tern_close(f->s, e[i].sock)
                                                 : tern_abort(f->s, e[i].sock)) == 0);
    fuzz_turn(f);
    for (unsigned i = 0; (next = tern_next_timeout(f->s)) != TERN_NEVER; i++) {
        CHECK(i < 20000);
        f->now = next;
        fuzz_turn(f);
    }
    tern_memory_of(f->s, &m);
    CHECK(m.conns + m.halfopen + m.timewaits + m.listeners + m.active + m.pages + m.outputs == 0);
    CHECK(f->owed == 0);
    tern_free(f->s);
    CHECK(f->mem.live == 0);
}

#endif
