/* socket.c - the sockets API of tern/socket.h: a server and a client, each with a stack of its own,
 * in one program without privileges. What one stack sends is handed to the other.
 *
 * A call that blocks does so in wait_for(), where the program turns its stacks and says what time
 * it is: here a time that only passes while somebody waits.
 *
 *     ./socket
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tern/socket.h"

enum { SERVER, CLIENT, HOSTS, BATCH = 32, PORT = 7 };

struct host {
    tern *stack;
    tern_sockets *sockets;
    int iface;
};

struct net {
    struct host host[HOSTS];
    uint64_t now;
};

static void *get(void *user, size_t size, size_t align)
{
    (void)user;
    return aligned_alloc(align, (size + align - 1) / align * align);
}

static void put(void *user, void *p, size_t size)
{
    (void)user, (void)size;
    free(p);
}

/* ---- the network ----------------------------------------------------------------------------- */

/* One turn of a stack; what it sends reaches the other at once. How many packets that was. */
static size_t turn(struct net *net, int side)
{
    struct host *from = &net->host[side], *to = &net->host[!side];
    tern_pkt pkts[BATCH];
    tern_event ev[BATCH];
    size_t events, n;

    tern_advance(from->stack, net->now);
    while ((events = tern_events(from->stack, ev, BATCH)) != 0)
        tern_sockets_events(from->sockets, ev, events);
    n = tern_output(from->stack, from->iface, pkts, BATCH, net->now);
    for (size_t i = 0; i < n; i++) { /* packets come in with flags of their own */
        pkts[i].flags = 0;
        pkts[i].iface = (uint16_t)to->iface;
    }
    tern_input(to->stack, pkts, n, net->now);
    tern_output_done(from->stack, pkts, n);
    return n;
}

/* A call waits: something happens, or the next moment comes at which something does. */
static int wait_for(void *user, uint64_t until)
{
    struct net *net = user;

    if (turn(net, CLIENT) + turn(net, SERVER) != 0)
        return 0;
    for (int side = 0; side < HOSTS; side++) {
        uint64_t next = tern_next_timeout(net->host[side].stack);
        until = next < until ? next : until;
    }
    if (until == TERN_NEVER)
        return -EDEADLK; /* nothing will ever happen */
    net->now = until > net->now ? until : net->now;
    for (int side = 0; side < HOSTS; side++)
        tern_sockets_now(net->host[side].sockets, net->now);
    return 0;
}

static int add_host(struct net *net, int side, const char *address)
{
    struct host *h = &net->host[side];
    tern_config conf;
    tern_iface iface = {.mtu = 1500};
    uint8_t ip[16];

    tern_config_default(&conf);
    memset(conf.seed, 1 + side, sizeof conf.seed); /* from a CSPRNG, where it matters */
    conf.alloc = get;
    conf.free = put;
    if (tern_new(&h->stack, &conf, net->now) < 0 ||
        (h->iface = tern_iface_add(h->stack, &iface)) < 0 ||
        inet_pton(AF_INET6, address, ip) != 1 || tern_iface_addr(h->stack, h->iface, ip, 64) < 0)
        return -1;
    const tern_sockets_config sockets = {
        .stack = h->stack, .now = net->now, .seed = 1, .wait = wait_for, .user = net};
    return tern_sockets_new(&h->sockets, &sockets);
}

static void free_host(struct host *h)
{
    if (h->sockets != NULL)
        tern_sockets_free(h->sockets);
    if (h->stack != NULL)
        tern_free(h->stack);
}

/* ---- the program ----------------------------------------------------------------------------- */

/* The address both speak of. */
static struct sockaddr_in6 address_of(const char *address)
{
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(PORT)};
    inet_pton(AF_INET6, address, &a.sin6_addr);
    return a;
}

static int talk(tern_sockets *server, tern_sockets *client)
{
    struct sockaddr_in6 there = address_of("fd00::1");
    struct tern_linux_tcp_info info;
    socklen_t len = sizeof info;
    char buf[64];

    int listener = tern_socket(server, AF_INET6, SOCK_STREAM, 0);
    if (tern_socket_bind(server, listener, &there, sizeof there) < 0 ||
        tern_socket_listen(server, listener, 8) < 0)
        return -1;
    int fd = tern_socket(client, AF_INET6, SOCK_STREAM, 0), one = 1;
    tern_socket_setsockopt(client, fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    int err = tern_socket_connect(client, fd, &there, sizeof there); /* waits */
    if (err < 0) {
        fprintf(stderr, "connect: %s\n", strerror(-err));
        return -1;
    }
    int accepted = tern_socket_accept(server, listener, NULL, NULL);
    tern_socket_write(client, fd, "hello", 5);
    ssize_t n = tern_socket_read(server, accepted, buf, sizeof buf); /* waits */
    if (n <= 0)
        return -1;
    tern_socket_write(server, accepted, buf, (size_t)n);
    n = tern_socket_read(client, fd, buf, sizeof buf);
    tern_socket_getsockopt(client, fd, IPPROTO_TCP, TCP_INFO, &info, &len);
    printf("\"%.*s\" came back; cwnd %u, %u segments sent\n", (int)n, buf, info.tcpi_snd_cwnd,
           info.tcpi_segs_out);
    tern_socket_close(client, fd);
    return tern_socket_read(server, accepted, buf, sizeof buf) == 0 ? 0 : -1; /* its FIN */
}

int main(void)
{
    struct net net = {.now = 1};
    int failed = add_host(&net, SERVER, "fd00::1") < 0 || add_host(&net, CLIENT, "fd00::2") < 0 ||
                 talk(net.host[SERVER].sockets, net.host[CLIENT].sockets) < 0;
    free_host(&net.host[SERVER]);
    free_host(&net.host[CLIENT]);
    return failed;
}
