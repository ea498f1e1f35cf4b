/* mem_lwip.c - lwIP against itself in one process and on one core: two interfaces, each handing the
 * other what is sent on it. The same work as mem_tern.c, with the same arguments and output; the
 * options are in lwip/lwipopts.h.
 *
 * A link copies each packet once, as lwIP's own loopback interface and every driver's DMA do, and
 * the receiver reads it in place. So both stacks copy a stream twice: lwIP in tcp_write() and on
 * the link, tern in tern_send() and from the packet into its receive queue.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"
#include "flood.h"
#include "lwip/init.h"
#include "lwip/ip.h"
#include "lwip/netif.h"
#include "lwip/tcp.h"
#include "lwip/timeouts.h"
#include "lwipopts.h"

enum { RING = 1u << 14 };

/* What was sent to an interface's address and not yet taken in by it. */
struct link {
    struct netif netif;
    struct pbuf *ring[RING];
    uint32_t head, tail;
};

static struct link client, server;
static ip_addr_t client_ip, server_ip;
static uint8_t buffer[BULK_WRITE];
static struct bench b;
static uint64_t now_ns;

uint32_t sys_now(void) { return (uint32_t)(now_ns / 1000000); }

/* ---- the link -------------------------------------------------------------------------------- */

static err_t transmit(struct netif *netif, struct pbuf *p, const ip4_addr_t *to)
{
    (void)to;
    struct link *l = netif->state;
    if (l->head - l->tail == RING)
        bench_die("the link is full", RING);
    struct pbuf *copy = pbuf_alloc(PBUF_RAW, p->tot_len, PBUF_POOL);
    if (copy == NULL || pbuf_copy(copy, p) != ERR_OK)
        bench_die("pbuf_alloc", p->tot_len);
    l->ring[l->head++ % RING] = copy;
    return ERR_OK;
}

static void deliver(struct link *l)
{
    while (l->tail != l->head)
        ip_input(l->ring[l->tail++ % RING], &l->netif);
}

static err_t setup(struct netif *netif)
{
    netif->output = transmit;
    netif->mtu = 1500;
    return ERR_OK;
}

/* Packets to an address leave by the interface that has it: what is sent on it, it takes in. */
static void link_up(struct link *l, ip_addr_t *ip, unsigned net)
{
    ip4_addr_t mask;
    IP4_ADDR(&mask, 255, 255, 255, 0);
    IP4_ADDR(ip, 10, 0, net, 1);
    netif_add(&l->netif, ip, &mask, ip, l, setup, ip_input);
    netif_set_up(&l->netif);
    netif_set_link_up(&l->netif);
}

/* ---- both ends ------------------------------------------------------------------------------- */

static void connect_one(void);

static void send_message(struct tcp_pcb *pcb)
{
    err_t err = tcp_write(pcb, buffer, MESSAGE, TCP_WRITE_FLAG_COPY);
    if (err != ERR_OK)
        bench_die("tcp_write", err);
}

static void fill(struct tcp_pcb *pcb)
{
    for (;;) {
        tcpwnd_size_t room = tcp_sndbuf(pcb);
        uint16_t n = (uint16_t)(room < BULK_WRITE ? room : BULK_WRITE);
        if (n < BULK_WRITE || tcp_write(pcb, buffer, n, TCP_WRITE_FLAG_COPY) != ERR_OK)
            return;
    }
}

static void failed(void *arg, err_t err)
{
    (void)arg;
    bench_die("connection error", err);
}

static err_t sent(void *arg, struct tcp_pcb *pcb, uint16_t len)
{
    (void)arg, (void)len;
    fill(pcb);
    return ERR_OK;
}

/* A message, or a part of the stream. tcp_output() need not be called: tcp_input() ends with it. */
static void take(struct tcp_pcb *pcb, struct pbuf *p)
{
    uint8_t in[MESSAGE];
    b.delivered += p->tot_len;
    if (b.work != BULK && pbuf_copy_partial(p, in, MESSAGE, 0) != MESSAGE)
        bench_die("pbuf_copy_partial", p->tot_len);
    tcp_recved(pcb, p->tot_len);
    pbuf_free(p);
}

static err_t server_recv(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
    (void)arg, (void)err;
    if (p == NULL) {
        tcp_recv(pcb, NULL);
        tcp_close(pcb);
        return ERR_OK;
    }
    take(pcb, p);
    if (b.work != BULK)
        send_message(pcb);
    return ERR_OK;
}

static err_t accepted(void *arg, struct tcp_pcb *pcb, err_t err)
{
    (void)arg, (void)err;
    tcp_recv(pcb, server_recv);
    tcp_err(pcb, failed);
    return ERR_OK;
}

static err_t client_recv(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
    (void)arg, (void)err;
    if (p == NULL) /* the server's FIN, after ours */
        return ERR_OK;
    take(pcb, p);
    b.transactions++;
    if (b.work == RR) {
        send_message(pcb);
    } else {
        tcp_err(pcb, NULL);
        tcp_close(pcb);
        connect_one();
    }
    return ERR_OK;
}

static err_t opened(void *arg, struct tcp_pcb *pcb, err_t err)
{
    (void)arg, (void)err;
    if (b.work == BULK) {
        tcp_sent(pcb, sent);
        fill(pcb);
    } else {
        send_message(pcb);
    }
    return ERR_OK;
}

static void connect_one(void)
{
    struct tcp_pcb *pcb = tcp_new();
    if (pcb == NULL)
        bench_die("tcp_new", 0);
    tcp_recv(pcb, client_recv);
    tcp_err(pcb, failed);
    err_t err = tcp_bind(pcb, &client_ip, 0);
    if (err == ERR_OK)
        err = tcp_connect(pcb, &server_ip, PORT, opened);
    if (err != ERR_OK)
        bench_die("tcp_connect", err);
}

static void turns(void)
{
    now_ns = bench_clock();
    for (int i = 0; i < TURNS; i++) {
        deliver(&server);
        deliver(&client);
    }
    sys_check_timeouts();
}

/* What lwIP answers is dropped on the link. */
static void flood_turns(void)
{
    static uint8_t flood[FLOOD][FLOOD_BYTES];
    static unsigned at;
    if (flood[0][0] == 0)
        flood_make(flood, (uint8_t[]){10, 0, 2, 1});
    now_ns = bench_clock();
    for (int i = 0; i < TURNS; i++) {
        for (int k = 0; k < 64; k++, at = (at + 1) % FLOOD) {
            struct pbuf *p = pbuf_alloc(PBUF_RAW, FLOOD_BYTES, PBUF_POOL);
            if (p == NULL || pbuf_take(p, flood[at], FLOOD_BYTES) != ERR_OK)
                bench_die("pbuf_alloc", FLOOD_BYTES);
            ip_input(p, &server.netif);
        }
        for (; server.tail != server.head; server.tail++)
            pbuf_free(server.ring[server.tail % RING]);
        for (; client.tail != client.head; client.tail++)
            pbuf_free(client.ring[client.tail % RING]);
        b.transactions += 64;
    }
    sys_check_timeouts();
}

int main(int argc, char **argv)
{
    bench_arguments(&b, argc, argv);
    if (b.work == CRR && 2 * b.connections + b.timewaits != MEMP_NUM_TCP_PCB)
        bench_die("built for another number of TIME-WAIT entries", MEMP_NUM_TCP_PCB);
    now_ns = bench_clock();
    lwip_init();
    link_up(&client, &client_ip, 1);
    link_up(&server, &server_ip, 2);
    struct tcp_pcb *listener = tcp_new();
    err_t err = tcp_bind(listener, &server_ip, PORT);
    if (err != ERR_OK)
        bench_die("tcp_bind", err);
    listener = tcp_listen(listener);
    tcp_accept(listener, accepted);
    if (b.work == SYN) {
        bench_measure(&b, flood_turns);
        return 0;
    }
    for (unsigned i = 0; i < b.connections; i++)
        connect_one();
    bench_measure(&b, turns);
    return 0;
}
