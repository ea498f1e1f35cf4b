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

/* The last one is for networks of one owner: it has no row where nothing is marked. */
static const tern_cc_ops *const algorithms[] = {&tern_cc_cubic, &tern_cc_reno, &tern_cc_bbr,
                                                &tern_cc_dctcp};
enum { ALGORITHMS = 3, ALL = 4 };

struct path {
    const tern_cc_ops *cc;
    uint64_t rate, rtt; /* bits per second, ns */
    double loss, ack_loss, reorder, burst;
    uint32_t queue;           /* packets; 0: what the path holds, 32 at least */
    uint64_t police;          /* bits per second, with bursts of 50 kB */
    uint32_t mark;            /* packets in the queue; 0: nothing is marked */
    unsigned ecn;             /* tern_config.ecn; 0: the default */
    bool tail;                /* the last three segments are lost, once */
    uint64_t at, until;       /* a change in the middle: */
    uint64_t later_rtt;       /* 0: the same, */
    bool dark;                /* or nothing arrives at all, */
    bool back;                /* until then; else for good */
    const tern_cc_ops *other; /* of the second half of the flows */
    unsigned flows;           /* each begins `apart` after the one before */
    uint64_t apart;           /* 0: a second */
    uint64_t from;            /* what came before does not count */
    uint64_t bytes, limit;    /* of each flow; 0: until `limit` ns */
    uint64_t seed;
};

struct flow {
    struct lab *lab;
    tern_sock out, in;
    uint64_t sent, received, ended_at;
    uint64_t before; /* received by path.from */
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
    double half[2]; /* of the first half of the flows, and of the second */
    double again;   /* bytes sent again, of those sent */
    double srtt;    /* ms, of the first flow at the end */
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
                                      .queue = queue_of(path),
                                      .burst = path->burst,
                                      .police = path->police,
                                      .police_burst = 50000,
                                      .mark = path->mark};
    struct lab_drop tail = {.kind = LAB_DATA, .dir = 0, .count = 3};
    tail.first = (uint32_t)((path->bytes + 1447) / 1448) - 2;
    if (path->tail) {
        link.drops = &tail;
        link.drop_count = 1;
    }
    link.dir[1] = (struct lab_impair){.loss = path->ack_loss, .delay = path->rtt / 2};
    tern_config_default(&client.tern);
    client.tern.cc = path->cc;
    if (path->ecn != 0)
        client.tern.ecn = (uint8_t)path->ecn;
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
    if (lab->path->other != NULL && lab->opened >= lab->path->flows / 2)
        need(tern_cc_set(lab->pair.client, f->out, lab->path->other) == 0, "no such algorithm");
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
    tern_tcp_info info = {0};
    uint64_t span = now - LAB_PAIR_START - path->from;
    out->half[0] = out->half[1] = 0;
    for (unsigned i = 0; i < path->flows; i++) {
        sum += first[i] = lab->flow[i].received - lab->flow[i].before;
        out->half[i >= path->flows / 2] += (double)first[i] * 8e9 / (double)span;
    }
    if (tern_info(lab->pair.client, lab->flow[0].out, &info, sizeof(info)) == 0)
        out->srtt = (double)info.srtt / 1e6;
    for (unsigned i = 0; i < path->flows; i++) {
        double x = (double)first[i];
        total += x;
        squares += x * x;
    }
    out->took = now - LAB_PAIR_START;
    out->goodput = (double)sum * 8e9 / (double)span;
    out->again = (double)c->count[TERN_COUNT_RETRANSMIT_BYTES] /
                 (double)(c->count[TERN_COUNT_BYTES_OUT] + 1);
    out->jain = squares > 0 ? total * total / (squares * path->flows) : 0;
}

static struct outcome run(const struct path *path)
{
    static struct lab lab;
    struct outcome out;
    uint64_t apart = path->apart != 0 ? path->apart : SECOND;
    begin(&lab, path);
    for (unsigned i = 0; i < path->flows; i++) {
        if (i != 0)
            lab_world_run(lab.pair.w, LAB_PAIR_START + i * apart, NULL, NULL);
        open_one(&lab);
    }
    if (path->until != 0) {
        lab_world_run(lab.pair.w, LAB_PAIR_START + path->at, all_ended, &lab);
        change(&lab, path->later_rtt != 0 ? path->later_rtt : path->rtt, path->dark);
        lab_world_run(lab.pair.w, LAB_PAIR_START + path->until, all_ended, &lab);
        if (path->dark || path->back)
            change(&lab, path->rtt, false);
    }
    if (path->from != 0)
        lab_world_run(lab.pair.w, LAB_PAIR_START + path->from, NULL, NULL);
    for (unsigned i = 0; path->from != 0 && i < path->flows; i++)
        lab.flow[i].before = lab.flow[i].received;
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

static const struct shape {
    const char *name;
    struct path path;
} row[] = {
    {"plain", {.queue = 0}},
    {"1 % reordered", {.reorder = 0.01}},
    {"1 % lost, in bursts of 5", {.loss = 0.01, .burst = 5}},
    {"the last 3 segments lost", {.tail = true}},
    {"30 % of ACKs lost", {.ack_loss = 0.3}},
    {"a queue of 10 packets", {.queue = 10}},
    {"a queue of 5000 packets", {.queue = 5000}},
    {"policed to 20 Mbit/s", {.police = 20000000}},
    {"marked from 30 packets on (ECN)", {.mark = 30, .ecn = 3}},
    {"1 s without anything", {.at = SECOND, .until = 2 * SECOND, .dark = true}},
    {"RTT 400 ms for half a second",
     {.at = SECOND, .until = 3 * SECOND / 2, .later_rtt = 400 * MS, .back = true}},
    {"RTT from 1 s on 200 ms", {.at = SECOND, .until = 1, .later_rtt = 200 * MS}},
    {"RTT from 1 s on 10 ms", {.at = SECOND, .until = 1, .later_rtt = 10 * MS}},
};

static void head(const char *first, unsigned columns)
{
    printf("| %s |", first);
    for (unsigned a = 0; a < columns; a++)
        printf(" %s |", algorithms[a]->name);
    printf("\n| --- |");
    for (unsigned a = 0; a < columns; a++)
        printf(" ---: |");
    printf("\n");
}

static void shapes(void)
{
    printf("\n## Shapes\n\n20 MB, 50 Mbit/s, 40 ms. Goodput in Mbit/s, share of bytes sent again, "
           "and the round trip as it is seen at\nthe end, ms.\n\n");
    head("path", ALL);
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        printf("| %s |", row[i].name);
        for (unsigned a = 0; a < ALL; a++) {
            struct path path = row[i].path;
            if (a >= ALGORITHMS && path.mark == 0) {
                printf(" |");
                continue;
            }
            path.cc = algorithms[a];
            path.rate = 50000000;
            path.rtt = 40 * MS;
            path.flows = 1;
            path.bytes = 20000000;
            struct outcome out = median(path);
            printf(" %.2f, %.1f %%, %.0f |", out.goodput / 1e6, out.again * 100, out.srtt);
        }
        printf("\n");
    }
}

static void fairness(void)
{
    static const unsigned flows[] = {2, 4, 16};
    printf(
        "\n## Fairness\n\nFlows that begin a second apart share 50 Mbit/s at 20 ms for 60 s: "
        "Jain's index of what each\nhas got (1: the same), and goodput of all in Mbit/s. A late "
        "one begins 20 s after the first: the\nsame of the last 20 s. Marked: from 30 packets on."
        "\n\n");
    head("flows", ALL);
    for (unsigned i = 0; i < 5; i++) {
        bool late = i == 3, marked = i == 4;
        printf(late ? "| 1, and a late one |" : marked ? "| 4, marked |" : "| %u |", flows[i % 3]);
        for (unsigned a = 0; a < ALL; a++) {
            struct path path = {.cc = algorithms[a],
                                .rate = 50000000,
                                .rtt = 20 * MS,
                                .flows = late     ? 2
                                         : marked ? 4
                                                  : flows[i],
                                .apart = late ? 20 * SECOND : 0,
                                .from = late ? 40 * SECOND : 0,
                                .mark = marked ? 30 : 0,
                                .ecn = marked ? 3 : 0,
                                .limit = 60 * SECOND,
                                .seed = 1};
            if (a >= ALGORITHMS && !marked) {
                printf(" |");
                continue;
            }
            struct outcome out = run(&path);
            printf(" %.3f, %.1f |", out.jain, out.goodput / 1e6);
        }
        printf("\n");
    }
}

/* What half of the flows get that use one algorithm, and the other half with another. */
static void together(void)
{
    static const struct {
        const tern_cc_ops *cc, *other;
        uint32_t queue;
    } pair[] = {
        {&tern_cc_cubic, &tern_cc_reno, 0},  {&tern_cc_bbr, &tern_cc_cubic, 20},
        {&tern_cc_bbr, &tern_cc_cubic, 0},   {&tern_cc_bbr, &tern_cc_cubic, 500},
        {&tern_cc_cubic, &tern_cc_cubic, 0},
    };
    printf("\n## Beside another\n\nTwo flows of each, for 60 s, at 50 Mbit/s and 20 ms: Mbit/s of "
           "each two in the last 40 s.\n\n| the one | the other | queue | gets | gets |\n"
           "| --- | --- | ---: | ---: | ---: |\n");
    for (size_t i = 0; i < sizeof(pair) / sizeof(pair[0]); i++) {
        struct path path = {.cc = pair[i].cc,
                            .other = pair[i].other,
                            .rate = 50000000,
                            .rtt = 20 * MS,
                            .queue = pair[i].queue,
                            .flows = 4,
                            .apart = 100 * MS,
                            .from = 20 * SECOND,
                            .limit = 60 * SECOND,
                            .seed = 1};
        struct outcome out = run(&path);
        printf("| %s | %s | %u | %.1f | %.1f |\n", pair[i].cc->name, pair[i].other->name,
               queue_of(&path), out.half[0] / 1e6, out.half[1] / 1e6);
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
    together();
    return 0;
}
