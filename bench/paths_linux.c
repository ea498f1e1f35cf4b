/* paths_linux.c - the same transfers by Linux's sender and by tern's, in real time: over the link
 * of the lab, between two network namespaces, to the same receiver, which is Linux.
 *
 *   paths_linux list               the cells: number, congestion control, and what the path is like
 *   paths_linux CELL SEED COUNT    runs that cell with so many seeds: lines `cell seed who ns`
 *
 * `who` is linux, tern, or again (Linux a second time: how much two equal runs differ). What is
 * measured is the time from connect() to the last byte at the receiver. This process is the relay:
 * a TUN interface in each namespace, and between them the link, which does to the n-th packet of a
 * direction, by its seed, what it does to the n-th packet of every sender. With tern the first
 * namespace is left out: the stack's packets go into the link directly. What the sender only
 * acknowledges goes beside the link, in the same time but by no chance: Linux ends the handshake by
 * a segment of its own, tern with the first data, and all fates after it would be one off.
 *
 * It needs the right to make network namespaces, and /dev/net/tun (bench/paths-linux sees to both).
 */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lab/link.h"

enum { AT_PORT = 7000, PACKET = 2048, PIECE = 65536, BATCH = 32, SYN_FIN = 3 };
#define MS UINT64_C(1000000)
#define SECOND UINT64_C(1000000000)
#define GIVE_UP (60 * SECOND)

static const struct cell {
    const tern_cc_ops *cc;
    const char *text;
    bool ip6;
    uint32_t mbits, rtt_ms, queue, bytes;
    double loss, burst, reorder, ack_loss;
} cells[] = {
    {&tern_cc_cubic, "clean", false, 50, 40, 0, 4000000, 0, 0, 0, 0},
    {&tern_cc_cubic, "0.1 % lost", true, 50, 40, 0, 4000000, 0.001, 0, 0, 0},
    {&tern_cc_cubic, "1 % lost", false, 20, 40, 0, 1000000, 0.01, 0, 0, 0},
    {&tern_cc_cubic, "1 % lost", true, 10, 100, 0, 400000, 0.01, 0, 0, 0},
    {&tern_cc_cubic, "1 % lost in bursts of 4", false, 20, 40, 0, 1000000, 0.01, 4, 0, 0},
    {&tern_cc_cubic, "1 % reordered", true, 20, 40, 0, 3000000, 0, 0, 0.01, 0},
    {&tern_cc_cubic, "a queue of 10 packets", false, 20, 40, 10, 2000000, 0, 0, 0, 0},
    {&tern_cc_cubic, "30 % of ACKs lost", true, 20, 40, 0, 3000000, 0, 0, 0, 0.3},
    {&tern_cc_cubic, "3 % lost, 30 kB", false, 10, 40, 0, 30000, 0.03, 0, 0, 0.03},
    {&tern_cc_cubic, "3 % lost, 100 kB", true, 10, 40, 0, 100000, 0.03, 0, 0, 0.03},
    {&tern_cc_bbr, "clean", true, 50, 40, 0, 4000000, 0, 0, 0, 0},
    {&tern_cc_bbr, "0.1 % lost", false, 20, 40, 0, 2000000, 0.001, 0, 0, 0},
    {&tern_cc_bbr, "1 % lost", true, 20, 40, 0, 2000000, 0.01, 0, 0, 0},
    {&tern_cc_bbr, "1 % reordered", false, 20, 40, 0, 2000000, 0, 0, 0.01, 0},
    {&tern_cc_bbr, "30 % of ACKs lost", true, 20, 40, 0, 2000000, 0, 0, 0, 0.3},
    {&tern_cc_bbr, "3 % lost, 100 kB", false, 10, 40, 0, 100000, 0.03, 0, 0, 0.03},
};
enum { CELLS = sizeof cells / sizeof cells[0] };

static const uint8_t sender_ip[2][16] = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 9, 0, 1},
                                         {0xfd, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
static const uint8_t receiver_ip[2][16] = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 9, 0, 2},
                                           {0xfd, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}};

static int space[2], tun[2], listener; /* of the sender (0) and of the receiver (1) */
static char zeros[PIECE], sink[PIECE];

static uint64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

static int must(int result, const char *what)
{
    if (result < 0) {
        perror(what);
        exit(1);
    }
    return result;
}

/* ---- the two namespaces ---------------------------------------------------------------------- */

static void make_space(int side)
{
    char command[512];
    struct ifreq r = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    must(unshare(CLONE_NEWNET), "a network namespace");
    space[side] = must(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), "/proc/self/ns/net");
    tun[side] = must(open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC), "/dev/net/tun");
    snprintf(r.ifr_name, sizeof r.ifr_name, "t0");
    must(ioctl(tun[side], TUNSETIFF, &r), "TUNSETIFF");
    snprintf(command, sizeof command,
             "ip link set lo up && ip link set t0 up mtu 1500 txqueuelen 10000 &&"
             "ip addr add 10.9.0.%d/24 dev t0 && ip addr add fd09::%d/64 dev t0 nodad &&"
             "sysctl -qw net.ipv4.tcp_no_metrics_save=1",
             side + 1, side + 1);
    if (system(command) != 0) /* NOLINT(cert-env33-c): a bench, and a command of its own */
        exit(1);
}

static void make_listener(void)
{
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(AT_PORT)};
    int off = 0;
    listener = must(socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
    setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    must(bind(listener, (struct sockaddr *)&a, sizeof a), "bind");
    must(listen(listener, 4), "listen");
}

/* What is left of the transfer before. */
static void drain(void)
{
    char packet[PACKET];
    for (unsigned quiet = 0; quiet < 5; quiet++) {
        usleep(4000);
        for (int i = 0; i < 2; i++)
            while (read(tun[i], packet, sizeof packet) > 0)
                quiet = 0;
    }
}

/* ---- one transfer ---------------------------------------------------------------------------- */

struct run {
    const struct cell *cell;
    struct lab_link *link;
    struct lab_link *beside; /* for what carries no data from the sender */
    tern *stack;             /* NULL: the sender is Linux, */
    int client;              /* with this socket */
    tern_sock out;
    int server; /* -1: not accepted yet */
    uint32_t sent, received;
};

static void *get(void *user, size_t size, size_t align)
{
    (void)user;
    align = align < sizeof(void *) ? sizeof(void *) : align;
    return aligned_alloc(align, (size + align - 1) / align * align);
}

static void put(void *user, void *p, size_t size)
{
    (void)user, (void)size;
    free(p);
}

static void make_tern(struct run *r, uint64_t seed)
{
    tern_config cfg = {.size = sizeof cfg};
    tern_iface iface = {.mtu = 1500};
    bool ip6 = r->cell->ip6;
    tern_config_default(&cfg);
    cfg.cc = r->cell->cc;
    cfg.alloc = get;
    cfg.free = put;
    memcpy(cfg.seed, &seed, sizeof seed);
    must(tern_new(&r->stack, &cfg, clock_ns()), "tern_new");
    must(tern_iface_add(r->stack, &iface), "tern_iface_add");
    must(tern_iface_addr(r->stack, 0, sender_ip[ip6], ip6 ? 64 : 96 + 24), "tern_iface_addr");
}

static void begin_tern(struct run *r)
{
    tern_addr to = {.port = AT_PORT};
    memcpy(to.ip, receiver_ip[r->cell->ip6], 16);
    must(tern_connect(r->stack, &r->out, NULL, &to, NULL), "tern_connect");
}

static void begin_linux(struct run *r)
{
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(AT_PORT)};
    const char *name = r->cell->cc->name;
    memcpy(&to.sin6_addr, receiver_ip[r->cell->ip6], 16);
    must(setns(space[0], CLONE_NEWNET), "setns");
    r->client = must(socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
    must(setsockopt(r->client, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name)), name);
    if (connect(r->client, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS)
        must(-1, "connect");
}

/* Into the link, or beside it; what is not TCP (a kernel looks for routers) goes nowhere. */
static void from_sender(struct run *r, const tern_pkt *pkt, uint64_t now)
{
    const uint8_t *p = pkt->iov[0].base;
    bool ip6 = p[0] >> 4 == 6;
    const uint8_t *tcp = p + (ip6 ? 40 : (p[0] & 15) * 4);
    if (p[ip6 ? 6 : 9] != IPPROTO_TCP)
        return;
    bool bare = (size_t)(tcp - p) + (tcp[12] >> 4) * 4u == pkt->len && (tcp[13] & SYN_FIN) == 0;
    lab_link_send(bare ? r->beside : r->link, 0, pkt, now);
}

static void from_tun(struct run *r, int side, uint64_t now)
{
    uint8_t packet[PACKET];
    ssize_t n;
    while ((n = read(tun[side], packet, sizeof packet)) > 0) {
        tern_pkt pkt = {.iov_count = 1, .len = (uint32_t)n, .iov = {{packet, (size_t)n}}};
        if (side == 1)
            lab_link_send(r->link, 1, &pkt, now);
        else if (r->stack == NULL)
            from_sender(r, &pkt, now);
    }
}

static void to_tun(struct run *r, struct lab_link *link, int dir, uint64_t now)
{
    tern_pkt pkts[BATCH];
    size_t n;
    while ((n = lab_link_receive(link, dir, pkts, BATCH, now)) > 0) {
        for (size_t i = 0; i < n && (dir == 0 || r->stack == NULL); i++)
            if (write(tun[!dir], pkts[i].iov[0].base, pkts[i].len) < 0 && errno != EIO)
                must(-1, "write to TUN");
        if (dir == 1 && r->stack != NULL)
            tern_input(r->stack, pkts, n, now);
        lab_link_received(link, dir, now);
    }
}

static void turn_tern(struct run *r, uint64_t now)
{
    tern_event ev[BATCH];
    tern_pkt pkts[BATCH];
    size_t n;
    tern_advance(r->stack, now);
    while (tern_events(r->stack, ev, BATCH) > 0)
        ;
    while (r->sent < r->cell->bytes) {
        uint32_t left = r->cell->bytes - r->sent;
        ptrdiff_t sent = tern_send(r->stack, r->out, zeros, left < PIECE ? left : PIECE);
        if (sent <= 0)
            break;
        r->sent += (uint32_t)sent;
    }
    while ((n = tern_output(r->stack, 0, pkts, BATCH, now)) > 0) {
        for (size_t i = 0; i < n; i++)
            from_sender(r, &pkts[i], now);
        tern_output_done(r->stack, pkts, n);
    }
}

static void turn_sockets(struct run *r)
{
    while (r->stack == NULL && r->sent < r->cell->bytes) {
        uint32_t left = r->cell->bytes - r->sent;
        ssize_t n = send(r->client, zeros, left < PIECE ? left : PIECE, MSG_NOSIGNAL);
        if (n <= 0)
            break;
        r->sent += (uint32_t)n;
    }
    if (r->server < 0)
        r->server = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    ssize_t n;
    while (r->server >= 0 && (n = read(r->server, sink, sizeof sink)) > 0)
        r->received += (uint32_t)n;
}

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }

static void wait_for(const struct run *r, uint64_t until, uint64_t now)
{
    bool writes = r->stack == NULL && r->sent < r->cell->bytes;
    struct pollfd fds[4] = {{.fd = tun[0], .events = POLLIN},
                            {.fd = tun[1], .events = POLLIN},
                            {.fd = r->server < 0 ? listener : r->server, .events = POLLIN},
                            {.fd = writes ? r->client : -1, .events = POLLOUT}};
    uint64_t wait = until > now ? least(until - now, SECOND) : 0;
    struct timespec t = {.tv_sec = (time_t)(wait / SECOND), .tv_nsec = (long)(wait % SECOND)};
    ppoll(fds, 4, &t, NULL);
}

static void end(struct run *r)
{
    struct linger now = {.l_onoff = 1};
    if (r->client >= 0) {
        setsockopt(r->client, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        close(r->client);
    }
    if (r->server >= 0) {
        setsockopt(r->server, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        close(r->server);
    }
    if (r->stack != NULL)
        tern_free(r->stack);
    lab_link_free(r->link);
    lab_link_free(r->beside);
    drain();
}

/* From connect() to the last byte; GIVE_UP: it did not come. */
static uint64_t transfer(const struct cell *c, uint64_t seed, bool with_tern)
{
    struct run r = {.cell = c, .client = -1, .server = -1};
    struct lab_config conf = {.seed = seed};
    uint64_t rtt = c->rtt_ms * MS, rate = c->mbits * UINT64_C(1000000);
    uint32_t holds = (uint32_t)(rate / 8 * c->rtt_ms / 1000 / 1500);
    conf.dir[0] = (struct lab_impair){.loss = c->loss,
                                      .burst = c->burst,
                                      .reorder = c->reorder,
                                      .delay = rtt / 2,
                                      .rate = rate,
                                      .queue = c->queue != 0 ? c->queue : holds};
    conf.dir[1] = (struct lab_impair){.loss = c->ack_loss, .delay = rtt / 2};
    const struct lab_config beside = {.seed = seed, .dir[0].delay = rtt / 2};
    if ((r.link = lab_link_new(&conf)) == NULL || (r.beside = lab_link_new(&beside)) == NULL)
        must(-1, "memory");
    if (with_tern)
        make_tern(&r, seed);
    uint64_t start = clock_ns(), now = start;
    if (with_tern)
        begin_tern(&r);
    else
        begin_linux(&r);
    while (r.received < c->bytes && now < start + GIVE_UP) {
        now = clock_ns();
        for (int i = 0; i < 2; i++)
            from_tun(&r, i, now);
        to_tun(&r, r.beside, 0, now);
        for (int i = 0; i < 2; i++)
            to_tun(&r, r.link, i, now);
        if (with_tern)
            turn_tern(&r, now);
        turn_sockets(&r);
        if (r.received >= c->bytes)
            break;
        uint64_t next = least(lab_link_next(r.link, 0), lab_link_next(r.link, 1));
        next = least(next, lab_link_next(r.beside, 0));
        if (with_tern)
            next = least(next, tern_next_timeout(r.stack));
        wait_for(&r, next, clock_ns());
    }
    uint64_t took = clock_ns() - start;
    end(&r);
    return took;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "list") == 0) {
        for (unsigned i = 0; i < CELLS; i++)
            printf("%u|%s|%s|%u Mbit/s, %u ms, %s|%u\n", i, cells[i].cc->name,
                   cells[i].ip6 ? "IPv6" : "IPv4", cells[i].mbits, cells[i].rtt_ms, cells[i].text,
                   cells[i].bytes);
        return 0;
    }
    unsigned cell = argc == 4 ? (unsigned)atoi(argv[1]) : CELLS;
    if (cell >= CELLS)
        bench_die("paths_linux list, or CELL SEED COUNT", 0);
    for (int side = 0; side < 2; side++)
        make_space(side);
    make_listener();
    drain();
    uint64_t first = (uint64_t)atoi(argv[2]), count = (uint64_t)atoi(argv[3]);
    for (uint64_t seed = first; seed < first + count; seed++) {
        static const char *const who[] = {"linux", "tern", "again"};
        for (unsigned i = 0; i < 3; i++) { /* in a different order each time */
            unsigned k = (unsigned)(seed + i) % 3;
            uint64_t took = transfer(&cells[cell], seed, k == 1);
            printf("%u %u %s %llu\n", cell, (unsigned)seed, who[k], (unsigned long long)took);
            fflush(stdout);
        }
    }
    return 0;
}
