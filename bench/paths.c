/* paths.c - a laboratory of paths: transfers over links of many kinds in virtual time, as a table.
 * The same sources give the same table, byte for byte, so that a change of the sender shows in its
 * diff. `make paths` writes docs/PATHS.md.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/world.h"
#include "tern/info.h"

enum { FLOWS_MAX = 16, PIECE = 65536, PORT = 80, SEEDS = 3, SEEDS_SHORT = 100 };
#define MS UINT64_C(1000000)
#define SECOND UINT64_C(1000000000)

static const tern_cc_ops *const algorithms[] = {&tern_cc_cubic, &tern_cc_reno, &tern_cc_bbr};
enum { ALGORITHMS = sizeof(algorithms) / sizeof(algorithms[0]) };

struct path {
    const tern_cc_ops *cc;
    uint64_t rate, rtt; /* bits per second, ns */
    double loss, ack_loss, reorder;
    uint32_t queue;        /* packets; 0: what the path holds, 32 at least */
    uint64_t at, until;    /* a change in the middle: */
    uint64_t later_rtt;    /* 0: the same, */
    bool dark;             /* or nothing arrives at all */
    unsigned flows;        /* each begins a second after the one before */
    uint64_t bytes, limit; /* of each flow; 0: until `limit` ns */
    uint64_t seed;
};

struct flow {
    struct lab *lab;
    tern_sock out, in;
    uint64_t sent, received, ended_at;
};

struct lab {
    const struct path *path;
    struct lab_pair pair;
    tern_sock listener;
    struct flow flow[FLOWS_MAX];
    unsigned opened, accepted, ended;
};

struct outcome {
    uint64_t took;  /* ns; of the last flow */
    double goodput; /* bits per second, of all */
    double again;   /* bytes sent again, of those sent */
    double jain;
};

/* ---- one experiment -------------------------------------------------------------------------- */

static void fill(struct flow *f)
{
    static const uint8_t zeros[PIECE];
    const struct path *path = f->lab->path;
    while (path->bytes == 0 || f->sent < path->bytes) {
        uint64_t left = path->bytes == 0 ? PIECE : path->bytes - f->sent;
        size_t len = left < PIECE ? (size_t)left : PIECE;
        ptrdiff_t n = tern_send(f->lab->pair.client, f->out, zeros, len);
        if (n < 0)
            return;
        f->sent += (uint64_t)n;
    }
}

static void drain(struct flow *f)
{
    static uint8_t sink[PIECE];
    ptrdiff_t n;
    while ((n = tern_recv(f->lab->pair.server, f->in, sink, sizeof(sink))) > 0)
        f->received += (uint64_t)n;
    if (f->received != f->lab->path->bytes || f->ended_at != 0 || f->received == 0)
        return;
    f->ended_at = lab_world_now(f->lab->pair.w);
    f->lab->ended++;
}

static void client_event(void *user, tern *s, const tern_event *event)
{
    struct lab *lab = user;
    (void)s;
    for (unsigned i = 0; i < lab->opened; i++)
        if (lab->flow[i].out.id == event->sock.id)
            fill(&lab->flow[i]);
}

static void server_event(void *user, tern *s, const tern_event *event)
{
    struct lab *lab = user;
    if (event->mask & TERN_EV_ACCEPT) {
        tern_addr peer;
        tern_sock k;
        while (tern_accept(s, lab->listener, &k, &peer, NULL) == 0)
            lab->flow[lab->accepted++].in = k;
    }
    for (unsigned i = 0; i < lab->accepted; i++)
        drain(&lab->flow[i]);
}

static void need(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "paths: %s\n", what);
    exit(1);
}

/* A queue as deep as the path is long, drop tail. */
static uint32_t queue_of(const struct path *path)
{
    uint64_t packets = path->rate / 8 * (path->rtt / 1000) / 1000000 / 1500;
    if (path->queue != 0)
        return path->queue;
    return packets < 32 ? 32 : (uint32_t)packets;
}

static void begin(struct lab *lab, const struct path *path)
{
    struct lab_host_config client = {.name = "client", .event = client_event, .user = lab};
    struct lab_host_config server = {.name = "server", .event = server_event, .user = lab};
    struct lab_config link = {.seed = path->seed};
    link.dir[0] = (struct lab_impair){.loss = path->loss,
                                      .reorder = path->reorder,
                                      .delay = path->rtt / 2,
                                      .rate = path->rate,
                                      .queue = queue_of(path)};
    link.dir[1] = (struct lab_impair){.loss = path->ack_loss, .delay = path->rtt / 2};
    tern_config_default(&client.tern);
    client.tern.cc = path->cc;
    client.tern.sndbuf_max = client.tern.rcvbuf_max = 128 << 20;
    client.tern.buf_bytes_max = (size_t)1 << 30;
    server.tern = client.tern;
    tern_iface iface = {.mtu = 1500};
    *lab = (struct lab){.path = path};
    need(lab_pair_new(&lab->pair, path->seed, &client, &server, &iface, &link) == 0, "no memory");
    tern_listen_args args = {.backlog = FLOWS_MAX, .local.port = PORT};
    need(tern_listen(lab->pair.server, &lab->listener, &args) == 0, "cannot listen");
}

static void open_one(struct lab *lab)
{
    struct flow *f = &lab->flow[lab->opened];
    tern_addr to = {.port = PORT};
    memcpy(to.ip, lab_server_ip4, 16);
    f->lab = lab;
    lab->flow[lab->accepted].lab = lab;
    need(tern_connect(lab->pair.client, &f->out, NULL, &to, NULL) == 0, "cannot connect");
    lab->opened++;
}

static bool all_ended(void *user)
{
    const struct lab *lab = user;
    return lab->path->bytes != 0 && lab->ended == lab->path->flows;
}

static void change(struct lab *lab, uint64_t rtt, bool dark)
{
    const struct path *path = lab->path;
    struct lab_impair m = {.loss = dark ? 1 : path->loss,
                           .delay = rtt / 2,
                           .rate = path->rate,
                           .queue = queue_of(path)};
    lab_link_change(lab_world_get_link(lab->pair.w, 0), 0, &m);
}

static void measure(struct lab *lab, struct outcome *out)
{
    const struct path *path = lab->path;
    uint64_t now = lab_world_now(lab->pair.w), sum = 0, first[FLOWS_MAX];
    double squares = 0, total = 0;
    const tern_counters *c = tern_counters_of(lab->pair.client);
    for (unsigned i = 0; i < path->flows; i++)
        sum += first[i] = lab->flow[i].received;
    for (unsigned i = 0; i < path->flows; i++) {
        double x = (double)first[i];
        total += x;
        squares += x * x;
    }
    out->took = now - LAB_PAIR_START;
    out->goodput = (double)sum * 8e9 / (double)out->took;
    out->again = (double)c->count[TERN_COUNT_RETRANSMIT_BYTES] /
                 (double)(c->count[TERN_COUNT_BYTES_OUT] + 1);
    out->jain = squares > 0 ? total * total / (squares * path->flows) : 0;
}

static struct outcome run(const struct path *path)
{
    static struct lab lab;
    struct outcome out;
    begin(&lab, path);
    for (unsigned i = 0; i < path->flows; i++) {
        if (i != 0)
            lab_world_run(lab.pair.w, LAB_PAIR_START + i * SECOND, NULL, NULL);
        open_one(&lab);
    }
    if (path->until != 0) {
        lab_world_run(lab.pair.w, LAB_PAIR_START + path->at, all_ended, &lab);
        change(&lab, path->later_rtt != 0 ? path->later_rtt : path->rtt, path->dark);
        lab_world_run(lab.pair.w, LAB_PAIR_START + path->until, all_ended, &lab);
        if (path->dark)
            change(&lab, path->rtt, false);
    }
    uint64_t limit = path->limit != 0 ? path->limit : 7200 * SECOND;
    lab_world_run(lab.pair.w, LAB_PAIR_START + limit, all_ended, &lab);
    need(path->bytes == 0 || lab.ended == path->flows, "a transfer has not ended");
    measure(&lab, &out);
    lab_world_free(lab.pair.w);
    return out;
}

/* ---- tables ---------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The median of some seeds. */
static struct outcome median(struct path path)
{
    double goodput[SEEDS], again[SEEDS];
    struct outcome out = {0};
    for (unsigned i = 0; i < SEEDS; i++) {
        path.seed = i + 1;
        out = run(&path);
        goodput[i] = out.goodput;
        again[i] = out.again;
    }
    qsort(goodput, SEEDS, sizeof(double), by_value);
    qsort(again, SEEDS, sizeof(double), by_value);
    out.goodput = goodput[SEEDS / 2];
    out.again = again[SEEDS / 2];
    return out;
}

static const uint64_t rates[] = {1, 10, 100, 1000}; /* Mbit/s */
static const uint64_t rtts[] = {1, 20, 100, 300};   /* ms */
static const double losses[] = {0, 0.1, 1, 3};      /* per cent */

static void grid(const tern_cc_ops *cc)
{
    printf("\n## %s: 10 MB over a path\n\n", cc->name);
    printf("Goodput in Mbit/s, and the share of bytes that were sent again.\n\n");
    printf("| Mbit/s | RTT |");
    for (unsigned i = 0; i < 4; i++)
        printf(" loss %g %% |", losses[i]);
    printf("\n| ---: | ---: | ---: | ---: | ---: | ---: |\n");
    for (unsigned r = 0; r < 4; r++) {
        for (unsigned d = 0; d < 4; d++) {
            printf("| %u | %u ms |", (unsigned)rates[r], (unsigned)rtts[d]);
            for (unsigned i = 0; i < 4; i++) {
                struct path path = {.cc = cc,
                                    .rate = rates[r] * 1000000,
                                    .rtt = rtts[d] * MS,
                                    .loss = losses[i] / 100,
                                    .flows = 1,
                                    .bytes = rates[r] == 1 ? 2000000 : 10000000};
                struct outcome out = median(path);
                printf(" %.2f, %.1f %% |", out.goodput / 1e6, out.again * 100);
            }
            printf("\n");
        }
    }
}

static void short_ones(const tern_cc_ops *cc)
{
    static const uint64_t sizes[] = {10000, 100000};
    printf("\n## %s: short transfers\n\n", cc->name);
    printf("From the SYN to the last byte, ms, of %d: the median, and one in a hundred. 10 Mbit/s."
           "\n\n| RTT | bytes |",
           SEEDS_SHORT);
    for (unsigned i = 0; i < 4; i++)
        printf(" loss %g %% |", losses[i]);
    printf("\n| ---: | ---: | ---: | ---: | ---: | ---: |\n");
    for (unsigned d = 1; d < 3; d++) {
        for (unsigned b = 0; b < 2; b++) {
            printf("| %u ms | %u |", (unsigned)rtts[d], (unsigned)sizes[b]);
            for (unsigned i = 0; i < 4; i++) {
                static double took[SEEDS_SHORT];
                struct path path = {.cc = cc, .rate = 10000000, .rtt = rtts[d] * MS};
                path.loss = path.ack_loss = losses[i] / 100;
                path.flows = 1;
                path.bytes = sizes[b];
                for (path.seed = 1; path.seed <= SEEDS_SHORT; path.seed++)
                    took[path.seed - 1] = (double)run(&path).took / 1e6;
                qsort(took, SEEDS_SHORT, sizeof(double), by_value);
                printf(" %.0f, %.0f |", took[SEEDS_SHORT / 2], took[SEEDS_SHORT - 2]);
            }
            printf("\n");
        }
    }
}

static void shapes(void)
{
    static const struct {
        const char *name;
        struct path path;
    } row[] = {
        {"plain", {.queue = 0}},
        {"1 % reordered", {.reorder = 0.01}},
        {"30 % of ACKs lost", {.ack_loss = 0.3}},
        {"a queue of 10 packets", {.queue = 10}},
        {"a queue of 5000 packets", {.queue = 5000}},
        {"1 s without anything", {.at = SECOND, .until = 2 * SECOND, .dark = true}},
        {"RTT 40 ms, from 1 s on 200 ms", {.at = SECOND, .until = 1, .later_rtt = 200 * MS}},
        {"RTT 40 ms, from 1 s on 10 ms", {.at = SECOND, .until = 1, .later_rtt = 10 * MS}},
    };
    printf("\n## Shapes\n\n20 MB, 50 Mbit/s, 40 ms. Goodput in Mbit/s, share of bytes sent again."
           "\n\n| path |");
    for (unsigned a = 0; a < ALGORITHMS; a++)
        printf(" %s |", algorithms[a]->name);
    printf("\n| --- | ---: | ---: |\n");
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        printf("| %s |", row[i].name);
        for (unsigned a = 0; a < ALGORITHMS; a++) {
            struct path path = row[i].path;
            path.cc = algorithms[a];
            path.rate = 50000000;
            path.rtt = 40 * MS;
            path.flows = 1;
            path.bytes = 20000000;
            struct outcome out = median(path);
            printf(" %.2f, %.1f %% |", out.goodput / 1e6, out.again * 100);
        }
        printf("\n");
    }
}

static void fairness(void)
{
    static const unsigned flows[] = {2, 4, 16};
    printf("\n## Fairness\n\nFlows that begin a second apart share 50 Mbit/s at 20 ms for 60 s: "
           "Jain's index of what each\nhas got (1: the same), and goodput of all in Mbit/s."
           "\n\n| flows |");
    for (unsigned a = 0; a < ALGORITHMS; a++)
        printf(" %s |", algorithms[a]->name);
    printf("\n| ---: | ---: | ---: |\n");
    for (unsigned i = 0; i < 3; i++) {
        printf("| %u |", flows[i]);
        for (unsigned a = 0; a < ALGORITHMS; a++) {
            struct path path = {.cc = algorithms[a],
                                .rate = 50000000,
                                .rtt = 20 * MS,
                                .flows = flows[i],
                                .limit = 60 * SECOND,
                                .seed = 1};
            struct outcome out = run(&path);
            printf(" %.3f, %.1f |", out.jain, out.goodput / 1e6);
        }
        printf("\n");
    }
}

int main(void)
{
    printf("# Paths\n\nWhat tern's sender makes of paths of many kinds, in virtual time, both ends "
           "being tern; `make paths`\nwrites this page. The same sources write the same page: a "
           "figure that moves is a change of the\nsender. The queue before the narrow link is as "
           "deep as the path is long (at least 32 packets) and\ndrops at its end. Medians of %d "
           "seeds.\n",
           SEEDS);
    for (unsigned a = 0; a < ALGORITHMS; a++)
        grid(algorithms[a]);
    for (unsigned a = 0; a < ALGORITHMS; a++)
        short_ones(algorithms[a]);
    shapes();
    fairness();
    return 0;
}
