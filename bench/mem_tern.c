/* mem_tern.c - tern against itself in one process and on one core: two shards whose packets are
 * handed from one to the other by reference, MSS 1460, every checksum computed and verified, no
 * super-segments. The same work as mem_lwip.c; see run for how the two are paired.
 *
 *   mem_tern bulk SECONDS              bytes one way; prints Gbit/s
 *   mem_tern rr CONNECTIONS SECONDS    64-byte requests and replies; prints transactions/s
 *   mem_tern crr CONCURRENT SECONDS    connect, 64-byte request, reply, close; connections/s
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tern/info.h"

enum { BATCH = 64, MESSAGE = 64, WINDOW = 256 * 1024, PORT = 7 };

struct end {
    tern *s;
    tern_sock listener;
};

static struct end client, server;
static uint8_t buffer[WINDOW];
static uint64_t transactions, delivered;
static unsigned connections = 1;
static bool stopping;

static void die(const char *what, long value)
{
    fprintf(stderr, "mem_tern: %s: %ld\n", what, value);
    exit(1);
}

static void *take(void *user, size_t size, size_t align)
{
    (void)user;
    void *p = NULL;
    return posix_memalign(&p, align < sizeof(void *) ? sizeof(void *) : align, size) ? NULL : p;
}

static void give(void *user, void *p, size_t size)
{
    (void)user, (void)size;
    free(p);
}

static uint64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void ip4(uint8_t out[16], uint8_t last)
{
    memset(out, 0, 16);
    out[10] = out[11] = 0xff;
    out[12] = 10;
    out[15] = last;
}

static void make(struct end *e, uint8_t last, uint64_t now)
{
    tern_config cfg;
    uint8_t ip[16];
    tern_config_default(&cfg);
    memset(cfg.seed, last, sizeof(cfg.seed));
    cfg.alloc = take;
    cfg.free = give;
    cfg.features &= ~(uint32_t)TERN_FEATURE_TIMESTAMPS;
    cfg.rcvbuf = cfg.rcvbuf_max = WINDOW;
    cfg.sndbuf = cfg.sndbuf_max = WINDOW;
    cfg.timewait_max = 16384; /* fewer than ports: over it the oldest gives way */
    cfg.stats = false;
    int err = tern_new(&e->s, &cfg, now);
    if (err != 0)
        die("tern_new", err);
    tern_iface iface = {.mtu = 1500};
    if ((err = tern_iface_add(e->s, &iface)) != 0)
        die("tern_iface_add", err);
    ip4(ip, last);
    if ((err = tern_iface_addr(e->s, 0, ip, 120)) != 0)
        die("tern_iface_addr", err);
}

static size_t move(struct end *from, struct end *to, uint64_t now)
{
    static tern_pkt pkts[BATCH];
    size_t total = 0, n;
    while ((n = tern_output(from->s, 0, pkts, BATCH, now)) > 0) {
        tern_input(to->s, pkts, n, now);
        tern_output_done(from->s, pkts, n);
        total += n;
    }
    return total;
}

static void connect_one(void)
{
    tern_addr peer = {.port = PORT};
    tern_sock k;
    ip4(peer.ip, 2);
    int err = tern_connect(client.s, &k, NULL, &peer, NULL);
    if (err != 0)
        die("tern_connect", err);
}

static void send_message(tern *s, tern_sock k)
{
    ptrdiff_t n = tern_send(s, k, buffer, MESSAGE);
    if (n != MESSAGE)
        die("tern_send", (long)n);
}

/* ---- the three kinds of work ----------------------------------------------------------------- */

enum work { BULK, RR, CRR } work;

static void read_all(tern *s, tern_sock k, bool client_side)
{
    uint8_t in[65536];
    ptrdiff_t n;
    while ((n = tern_recv(s, k, in, sizeof(in))) > 0) {
        delivered += (uint64_t)n;
        if (work == BULK)
            continue;
        if (n != MESSAGE)
            die("tern_recv", (long)n);
        if (!client_side) {
            send_message(s, k);
        } else if (work == RR) {
            transactions++;
            if (!stopping)
                send_message(s, k);
        } else {
            tern_close(s, k);
            transactions++;
            if (!stopping)
                connect_one();
            return;
        }
    }
    if (n == 0)
        tern_close(s, k);
}

static void fill(tern *s, tern_sock k)
{
    while (tern_send(s, k, buffer, sizeof(buffer)) == (ptrdiff_t)sizeof(buffer))
        ;
}

static void dispatch(struct end *e, bool client_side)
{
    tern_event ev[BATCH];
    size_t n;
    while ((n = tern_events(e->s, ev, BATCH)) > 0) {
        for (size_t i = 0; i < n; i++) {
            tern_sock k = ev[i].sock;
            if (ev[i].mask & TERN_EV_ERROR)
                die("connection error", ev[i].err);
            if (ev[i].mask & TERN_EV_ACCEPT) {
                while (tern_accept(e->s, e->listener, &k, NULL, NULL) == 0)
                    ;
                continue;
            }
            if (ev[i].mask & (TERN_EV_OPEN | TERN_EV_WRITE)) {
                if (work == BULK)
                    fill(e->s, k);
                else if (ev[i].mask & TERN_EV_OPEN)
                    send_message(e->s, k);
            }
            if (ev[i].mask & (TERN_EV_READ | TERN_EV_EOF))
                read_all(e->s, k, client_side);
        }
    }
}

static void run(uint64_t until)
{
    uint64_t now = clock_ns();
    while (now < until) {
        for (int i = 0; i < 64; i++) {
            move(&client, &server, now);
            tern_advance(server.s, now);
            dispatch(&server, false);
            move(&server, &client, now);
            tern_advance(client.s, now);
            dispatch(&client, true);
        }
        now = clock_ns();
    }
}

int main(int argc, char **argv)
{
    if (argc < 3)
        die("usage: mem_tern bulk|rr|crr ...", argc);
    work = strcmp(argv[1], "bulk") == 0 ? BULK : strcmp(argv[1], "rr") == 0 ? RR : CRR;
    if (work != BULK)
        connections = (unsigned)atoi(argv[2]);
    double seconds = atof(argv[argc - 1]);
    uint64_t now = clock_ns();
    make(&client, 1, now);
    make(&server, 2, now);
    tern_listen_args args = {.local.port = PORT, .backlog = 4096};
    int err = tern_listen(server.s, &server.listener, &args);
    if (err != 0)
        die("tern_listen", err);
    for (unsigned i = 0; i < connections; i++)
        connect_one();
    run(clock_ns() + 200000000u); /* warm up */
    uint64_t start = clock_ns(), t0 = transactions, d0 = delivered;
    run(start + (uint64_t)(seconds * 1e9));
    double took = (double)(clock_ns() - start) / 1e9;
    if (work == BULK)
        printf("%.3f Gbit/s\n", (double)(delivered - d0) * 8 / took / 1e9);
    else
        printf("%.0f /s\n", (double)(transactions - t0) / took);
    tern_memory m;
    tern_memory_of(client.s, &m);
    const tern_counters *c = tern_counters_of(client.s);
    fprintf(stderr, "client: %u connections, %u TIME-WAIT, %zu bytes, %" PRIu64 " sent again\n",
            m.conns, m.timewaits, m.bytes, c->count[TERN_COUNT_RETRANSMITS]);
    return 0;
}
