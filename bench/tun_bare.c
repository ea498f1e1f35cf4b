/* tun_bare.c - what a TUN interface can carry at best: a program that does nothing but read or
 * write it.
 *
 *   tun_bare read NAME PORT         takes one connection at 10.9.0.2 and what it brings
 *   tun_bare write NAME HOST PORT   makes one from there and fills it
 *
 * It is no TCP: nothing is looked up, copied, checked, timed or sent again. It says the few words
 * without which Linux at the other end would not go on: the handshake, an acknowledgement after
 * each run of packets, and no more than the window allows. (When nothing at all comes for a while
 * it sends again from the last acknowledgement, so that a full queue in the kernel is not the end.)
 * Offload is as tern has it: super-packets of 64 KB with partial checksums, by src/host/tun.c.
 */
#include "bench.h"
#include "host/netif.h"
#include "host/tun.h"
#include "wire/ip.h"
#include "wire/tcp.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum {
    MSS = 1460,
    SUPER = 44 * MSS, /* payload of a super-packet: as many as 64 KB hold */
    HEADERS = 40,
    SHIFT = 10,
    BATCH = 8,
    STUCK_MS = 200,
};

#define MAPPED(a, b, c, d)                                                                         \
    {                                                                                              \
        [10] = 0xff, 0xff, a, b, c, d                                                              \
    }

struct bare {
    struct tun tun;
    uint8_t src[16], dst[16];
    uint16_t sport, dport;
    uint32_t una, nxt, rcv_nxt, window;
    unsigned shift; /* the peer's window scale */
    bool open, over;
};

static uint8_t payload[SUPER];

/* Sends a segment with that payload length; a SYN has MSS and window scale. */
static bool put(struct bare *b, uint8_t flags, uint32_t seq, uint32_t len)
{
    static const uint8_t options[] = {2, 4, MSS >> 8, MSS & 255, 1, 3, 3, SHIFT};
    uint8_t h[HEADERS + sizeof options] = {0};
    uint32_t header = flags & TCP_SYN ? sizeof h : HEADERS;
    struct wire_ip_out ip = {.src = b->src,
                             .dst = b->dst,
                             .proto = WIRE_TCP,
                             .ttl = 64,
                             .payload_len = (uint16_t)(header - WIRE_IP4_HEADER + len)};
    tern_pkt pkt = {.iov_count = len ? 2 : 1,
                    .flags = TERN_PKT_CSUM_PARTIAL,
                    .csum_start = WIRE_IP4_HEADER,
                    .csum_offset = 16,
                    .len = header + len};

    wire_ip_put(h, &ip);
    store_be16(h + 20, b->sport);
    store_be16(h + 22, b->dport);
    store_be32(h + 24, seq);
    store_be32(h + 28, b->rcv_nxt);
    h[32] = (uint8_t)((header - WIRE_IP4_HEADER) / 4 << 4);
    h[33] = flags;
    store_be16(h + 34, 0xffff);
    uint16_t sum = cksum_fold(wire_pseudo_sum(b->src, b->dst, WIRE_TCP, ip.payload_len));
    memcpy(h + 36, &sum, 2); /* the kernel adds the rest */
    memcpy(h + HEADERS, options, header - HEADERS);
    if (len > MSS) {
        pkt.gso_type = TERN_GSO_TCPV4;
        pkt.gso_size = MSS;
        pkt.hdr_len = (uint16_t)header;
    }
    pkt.iov[0] = (tern_iov){h, header};
    pkt.iov[1] = (tern_iov){payload, len};
    return b->tun.device.send(&b->tun.device, &pkt, 1) == 1;
}

/* The peer's window scale, in the options of its SYN. */
static unsigned shift_of(const uint8_t *tcp, uint32_t len)
{
    for (uint32_t i = 20; i + 2 < len; i += tcp[i] < 2 ? 1 : tcp[i + 1] ? tcp[i + 1] : 1)
        if (tcp[i] == 3)
            return tcp[i + 2];
    return 0;
}

static void take(struct bare *b, const uint8_t *p)
{
    const uint8_t *tcp = p + (p[0] & 15) * 4;
    uint32_t header = (uint32_t)(tcp[12] >> 4) * 4;
    uint8_t flags = tcp[13];

    if (p[0] >> 4 != 4 || p[9] != WIRE_TCP)
        return;
    if (flags & TCP_SYN) {
        b->rcv_nxt = load_be32(tcp + 4) + 1;
        b->shift = shift_of(tcp, header);
        memcpy(b->dst + 12, p + 12, 4);
        b->dport = load_be16(tcp);
        b->open = true;
    }
    if (flags & TCP_ACK) {
        b->una = load_be32(tcp + 8);
        b->window = (uint32_t)load_be16(tcp + 14) << (flags & TCP_SYN ? 0 : b->shift);
    }
    uint32_t len = load_be16(p + 2) - (uint32_t)(tcp - p) - header;
    if (load_be32(tcp + 4) == b->rcv_nxt)
        b->rcv_nxt += len + (flags & TCP_FIN ? 1 : 0);
    b->over |= (flags & (TCP_FIN | TCP_RST)) != 0;
}

/* Waits for packets and takes one run of them. false: nothing came. */
static bool receive(struct bare *b, short also, int wait_ms)
{
    tern_pkt pkts[BATCH];
    struct pollfd p = {.fd = b->tun.device.fd, .events = (short)(POLLIN | also)};
    size_t n = b->tun.device.receive(&b->tun.device, pkts, BATCH);

    if (n == 0) {
        int ready = poll(&p, 1, wait_ms);
        b->tun.device.readable = true;
        n = b->tun.device.receive(&b->tun.device, pkts, BATCH);
        if (n == 0)
            return ready > 0;
    }
    for (size_t i = 0; i < n; i++)
        take(b, pkts[i].iov[0].base);
    return true;
}

static void read_all(struct bare *b)
{
    uint32_t told;

    while (!b->open)
        receive(b, 0, -1);
    put(b, TCP_SYN | TCP_ACK, 0, 0);
    told = b->rcv_nxt;
    while (!b->over) {
        receive(b, 0, -1);
        if (b->rcv_nxt != told)
            put(b, TCP_ACK, 1, 0);
        told = b->rcv_nxt;
    }
    put(b, TCP_FIN | TCP_ACK, 1, 0);
}

static void write_all(struct bare *b)
{
    for (put(b, TCP_SYN, 0, 0); !b->open; put(b, TCP_SYN, 0, 0))
        receive(b, 0, STUCK_MS);
    b->nxt = 1;
    put(b, TCP_ACK, b->nxt, 0);
    while (!b->over) {
        while (b->una + b->window - b->nxt >= SUPER && b->una + b->window - b->nxt < 1u << 31 &&
               put(b, TCP_ACK | TCP_PSH, b->nxt, SUPER))
            b->nxt += SUPER;
        if (!receive(b, 0, STUCK_MS))
            b->nxt = b->una;
    }
}

int main(int argc, char **argv)
{
    char error[TUN_ERROR_MAX];
    bool reads = argc == 4 && strcmp(argv[1], "read") == 0;
    struct bare b = {.src = MAPPED(10, 9, 0, 2), .dst = MAPPED(10, 9, 0, 1), .sport = 40000};
    struct netif_addr kernels;

    if (!reads && !(argc == 5 && strcmp(argv[1], "write") == 0))
        bench_die("tun_bare read NAME PORT | write NAME HOST PORT", 0);
    struct tun_config cfg = {.name = argv[2], .highest = TUN_RUNG_USO};
    if (tun_open(&b.tun, &cfg, error) < 0)
        bench_die(error, 0);
    (void)netif_addr_parse("10.9.0.1/24", &kernels);
    if (netif_up(argv[2]) < 0 || netif_addr_add(argv[2], &kernels) < 0)
        bench_die("no address", 0);
    if (reads) {
        b.sport = (uint16_t)atoi(argv[3]);
        read_all(&b);
    } else {
        inet_pton(AF_INET, argv[3], b.dst + 12);
        b.dport = (uint16_t)atoi(argv[4]);
        write_all(&b);
    }
    tun_close(&b.tun);
    return 0;
}
