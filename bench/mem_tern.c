/* mem_tern.c - tern against itself in one process and on one core: two shards, MSS 1460, every
 * checksum computed and verified, no super-segments. The same work as mem_lwip.c.
 */
#include "flood.h"
#include "shard.h"

#include <string.h>

static struct shard client, server;
static const uint8_t client_ip[4] = {10, 0, 0, 1};
static uint8_t buffer[BULK_WRITE];
static struct bench b;

static void send_message(tern *s, tern_sock k)
{
    ptrdiff_t n = tern_send(s, k, buffer, MESSAGE);
    if (n != MESSAGE)
        bench_die("tern_send", (long)n);
}

/* A whole message has come. */
static void answer(tern *s, tern_sock k)
{
    if (s == server.s) {
        send_message(s, k);
        return;
    }
    b.transactions++;
    if (b.work == RR) {
        send_message(s, k);
    } else {
        tern_close(s, k);
        shard_connect(&client, 2);
    }
}

/* The stream is looked at where it lies. */
static void consume_all(tern *s, tern_sock k)
{
    enum { VIEWS = 64 };
    tern_iov in[VIEWS];
    ptrdiff_t n;
    while ((n = tern_recv_peek(s, k, in, VIEWS, 0)) > 0) {
        size_t len = 0;
        for (ptrdiff_t i = 0; i < n; i++)
            len += in[i].len;
        if (tern_recv_consume(s, k, len) != 0)
            bench_die("tern_recv_consume", (long)len);
        b.delivered += len;
    }
}

/* A short read says what TERN_EAGAIN would: that was all. */
static void read_message(tern *s, tern_sock k)
{
    uint8_t in[2 * MESSAGE];
    ptrdiff_t n = tern_recv(s, k, in, sizeof(in));
    if (n == 0)
        tern_close(s, k);
    if (n <= 0)
        return;
    if (n != MESSAGE)
        bench_die("tern_recv", (long)n);
    b.delivered += (uint64_t)n;
    answer(s, k);
}

static void fill(tern *s, tern_sock k)
{
    while (tern_send(s, k, buffer, BULK_WRITE) == BULK_WRITE)
        ;
}

static void take(struct shard *e, const tern_event *ev)
{
    tern_sock k = ev->sock;
    if (ev->mask & TERN_EV_ERROR)
        bench_die("connection error", ev->err);
    if (ev->mask & TERN_EV_ACCEPT) {
        while (tern_accept(e->s, e->listener, &k, NULL, NULL) == 0)
            ;
        return;
    }
    if (b.work == BULK && ev->mask & (TERN_EV_OPEN | TERN_EV_WRITE) && e == &client)
        fill(e->s, k);
    else if (ev->mask & TERN_EV_OPEN && e == &client)
        send_message(e->s, k);
    if (ev->mask & (TERN_EV_READ | TERN_EV_EOF) && b.work == BULK)
        consume_all(e->s, k);
    else if (ev->mask & (TERN_EV_READ | TERN_EV_EOF))
        read_message(e->s, k);
}

static void dispatch(struct shard *e)
{
    tern_event ev[SHARD_BATCH];
    size_t n;
    do {
        n = tern_events(e->s, ev, SHARD_BATCH);
        for (size_t i = 0; i < n; i++)
            take(e, &ev[i]);
    } while (n == SHARD_BATCH);
}

static void turns(void)
{
    uint64_t now = bench_clock();
    for (int i = 0; i < TURNS; i++) {
        shard_move(&client, &server, now);
        tern_advance(server.s, now);
        dispatch(&server);
        shard_move(&server, &client, now);
        tern_advance(client.s, now);
        dispatch(&client);
    }
}

/* ---- a SYN flood ----------------------------------------------------------------------------- */

static uint8_t flood[FLOOD][FLOOD_BYTES];
static struct honest {
    uint64_t tried, opened;
    bool waits;
} honest;

/* What the server says: to the client, or to nobody. */
static void answer_flood(uint64_t now)
{
    tern_pkt out[SHARD_BATCH];
    size_t n;
    do {
        n = tern_output(server.s, 0, out, SHARD_BATCH, now);
        for (size_t i = 0; i < n; i++)
            if (memcmp((const uint8_t *)out[i].iov[0].base + 16, client_ip, 4) == 0)
                tern_input(client.s, &out[i], 1, now);
        tern_output_done(server.s, out, n);
        b.delivered += n;
    } while (n == SHARD_BATCH);
}

/* The client opens one connection after the other, and closes each at once. */
static void be_honest(uint64_t now)
{
    tern_event ev;
    if (!honest.waits) {
        shard_connect(&client, 2);
        honest.waits = true;
        honest.tried++;
    }
    while (tern_events(client.s, &ev, 1) == 1) {
        if (ev.mask & TERN_EV_ERROR)
            bench_die("an honest connection failed", ev.err);
        if (ev.mask & TERN_EV_OPEN) {
            honest.opened++;
            honest.waits = false;
            tern_close(client.s, ev.sock);
        }
    }
    shard_move(&client, &server, now);
}

static void serve_honest(void)
{
    tern_event ev;
    while (tern_events(server.s, &ev, 1) == 1) {
        tern_sock k;
        if (ev.mask & TERN_EV_ACCEPT)
            while (tern_accept(server.s, server.listener, &k, NULL, NULL) == 0)
                ;
        else if (ev.mask & TERN_EV_EOF)
            tern_close(server.s, ev.sock);
    }
}

static void flood_turns(void)
{
    static tern_pkt in[SHARD_BATCH];
    static size_t at;
    uint64_t now = bench_clock();
    for (int i = 0; i < TURNS; i++) {
        for (size_t k = 0; k < SHARD_BATCH; k++, at = (at + 1) % FLOOD) {
            in[k].len = FLOOD_BYTES;
            in[k].iov_count = 1;
            in[k].iov[0] = (tern_iov){.base = flood[at], .len = FLOOD_BYTES};
        }
        tern_input(server.s, in, SHARD_BATCH, now);
        answer_flood(now);
        b.transactions += SHARD_BATCH;
    }
    tern_advance(server.s, now);
    tern_advance(client.s, now);
    be_honest(now);
    serve_honest();
}

static void make(struct shard *e, uint8_t host, uint64_t now)
{
    tern_config cfg;
    shard_config(&cfg, host);
    cfg.features &= ~(uint32_t)TERN_FEATURE_TIMESTAMPS;
    cfg.rcvbuf = cfg.rcvbuf_max = WINDOW;
    cfg.sndbuf = cfg.sndbuf_max = WINDOW;
    cfg.timewait_max = b.timewaits;
    if (b.work == SYN)
        cfg.halfopen_max = b.timewaits;
    shard_make(e, &cfg, host, now);
}

int main(int argc, char **argv)
{
    bench_arguments(&b, argc, argv);
    uint64_t now = bench_clock();
    make(&client, 1, now);
    make(&server, 2, now);
    shard_listen(&server);
    if (b.work == SYN) {
        flood_make(flood, (uint8_t[]){10, 0, 0, 2});
        bench_measure(&b, flood_turns);
        if (honest.opened + honest.waits != honest.tried || honest.opened == 0)
            bench_die("honest connections opened", (long)honest.opened);
        return 0;
    }
    for (unsigned i = 0; i < b.connections; i++)
        shard_connect(&client, 2);
    bench_measure(&b, turns);
    if (tern_counters_of(client.s)->count[TERN_COUNT_RETRANSMITS] != 0)
        bench_die("segments were sent again", 0);
    return 0;
}
