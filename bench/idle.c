/* idle.c - what a quiet connection costs: connections of one shard to another, 64 kB each way on
 * every one with timestamps and SACK, then a quiet second; the growth of the process's resident
 * memory since the shards were made, divided by the number of endpoints. The clock is virtual.
 *
 *   idle CONNECTIONS     prints bytes, and what the shards say themselves
 */
#include "shard.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { EACH_WAY = 64000, AT_A_TIME = 100, STEP_NS = 1000000, QUIET_NS = 1100000000 };

static struct shard client, server;
static uint64_t now = 1000000000, opened, received;
static uint8_t buffer[EACH_WAY];

/* Private memory of the process; pages of its program file, which everyone shares, are not. */
static size_t resident(void)
{
    unsigned long size, pages, shared;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f == NULL || fscanf(f, "%lu %lu %lu", &size, &pages, &shared) != 3)
        bench_die("/proc/self/statm", 0);
    fclose(f);
    return (pages - shared) * (size_t)sysconf(_SC_PAGESIZE);
}

static void send_all(tern *s, tern_sock k)
{
    ptrdiff_t n = tern_send(s, k, buffer, EACH_WAY);
    if (n != EACH_WAY)
        bench_die("tern_send", (long)n);
}

/* Both sides send at once; there is room in the send buffer for all of it. */
static void dispatch(struct shard *e)
{
    tern_event ev[SHARD_BATCH];
    size_t n = tern_events(e->s, ev, SHARD_BATCH);
    for (size_t i = 0; i < n; i++) {
        tern_sock k = ev[i].sock;
        if (ev[i].mask & TERN_EV_ACCEPT)
            while (tern_accept(e->s, e->listener, &k, NULL, NULL) == 0)
                send_all(e->s, k);
        if (ev[i].mask & TERN_EV_OPEN && e == &client) {
            opened++;
            send_all(e->s, k);
        }
        if (ev[i].mask & TERN_EV_READ) {
            uint8_t in[16384];
            ptrdiff_t got;
            while ((got = tern_recv(e->s, k, in, sizeof(in))) > 0)
                received += (uint64_t)got;
        }
    }
}

static void turn(void)
{
    shard_move(&client, &server, now);
    tern_advance(server.s, now);
    dispatch(&server);
    shard_move(&server, &client, now);
    tern_advance(client.s, now);
    dispatch(&client);
    now += STEP_NS;
}

int main(int argc, char **argv)
{
    unsigned count = argc == 2 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
    if (count == 0)
        bench_die("usage: idle CONNECTIONS", argc);
    tern_config cfg;
    shard_config(&cfg, 1);
    cfg.conns_max = cfg.halfopen_max = count;
    shard_make(&client, &cfg, 1, now);
    cfg.seed[0] = 2;
    shard_make(&server, &cfg, 2, now);
    shard_listen(&server);
    turn();
    size_t before = resident();
    for (unsigned i = 0; i < count; i++) {
        shard_connect(&client, 2);
        while ((i + 1) % AT_A_TIME == 0 && received < (uint64_t)(i + 1) * 2 * EACH_WAY)
            turn();
    }
    for (uint64_t end = now + QUIET_NS; now < end;)
        turn();
    size_t grown = resident() - before;
    tern_memory c, s;
    tern_memory_of(client.s, &c);
    tern_memory_of(server.s, &s);
    if (opened != count || received != (uint64_t)count * 2 * EACH_WAY)
        bench_die("not all connections are through", (long)opened);
    printf("%.1f %.1f\n", (double)grown / (2.0 * count),
           (double)(c.bytes + s.bytes) / (2.0 * count));
    return 0;
}
