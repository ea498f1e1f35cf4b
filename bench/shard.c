/* shard.c - making shards and carrying their packets. */
#include "shard.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Maps more than asked for and unmaps what stands before and behind the aligned piece. */
static void *take(void *user, size_t size, size_t align)
{
    (void)user;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t want = (size + page - 1) / page * page, over = align > page ? align : 0;
    uint8_t *p =
        mmap(NULL, want + over, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    size_t skip = (align - (uintptr_t)p % align) % align;
    if (skip != 0)
        munmap(p, skip);
    if (over != skip)
        munmap(p + skip + want, over - skip);
    return p + skip;
}

static void give(void *user, void *p, size_t size)
{
    (void)user;
    munmap(p, size);
}

static void ip4(uint8_t out[16], uint8_t host)
{
    memset(out, 0, 16);
    out[10] = out[11] = 0xff;
    out[12] = 10;
    out[15] = host;
}

void shard_config(tern_config *cfg, uint8_t host)
{
    tern_config_default(cfg);
    memset(cfg->seed, host, sizeof(cfg->seed));
    cfg->alloc = take;
    cfg->free = give;
    cfg->stats = false;
}

void shard_make(struct shard *e, const tern_config *cfg, uint8_t host, uint64_t now)
{
    uint8_t ip[16];
    ip4(ip, host);
    tern_iface iface = {.mtu = 1500};
    int err = tern_new(&e->s, cfg, now);
    if (err < 0)
        bench_die("tern_new", err);
    err = tern_iface_add(e->s, &iface);
    if (err == 0)
        err = tern_iface_addr(e->s, 0, ip, 120);
    if (err < 0)
        bench_die("tern_iface", err);
}

void shard_listen(struct shard *e)
{
    tern_listen_args args = {.local.port = PORT, .backlog = 4096};
    int err = tern_listen(e->s, &e->listener, &args);
    if (err < 0)
        bench_die("tern_listen", err);
}

tern_sock shard_connect(struct shard *e, uint8_t host)
{
    tern_addr peer = {.port = PORT};
    tern_sock k;
    ip4(peer.ip, host);
    int err = tern_connect(e->s, &k, NULL, &peer, NULL);
    if (err < 0)
        bench_die("tern_connect", err);
    return k;
}

void shard_move(struct shard *from, struct shard *to, uint64_t now)
{
    tern_pkt pkts[SHARD_BATCH];
    size_t n;
    do {
        n = tern_output(from->s, 0, pkts, SHARD_BATCH, now);
        tern_input(to->s, pkts, n, now);
        tern_output_done(from->s, pkts, n);
    } while (n == SHARD_BATCH);
}
