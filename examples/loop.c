/* loop.c - the whole integration: what a program has to do for a stack, here over a
 * TUN interface.
 *
 * The stack does no I/O; this file does all of it. It reads packets and hands them in, takes
 * packets out and writes them, tells the time, and sleeps until the stack or the device wants
 * something. What the sockets are for stands elsewhere: echo.c is compiled together with this by
 * including it.
 *
 * On its own it makes a host that answers nothing but RST and ICMP errors:
 *
 *     ip tuntap add mode tun tern0 && ip addr add 10.9.0.1/24 dev tern0 && ip link set tern0 up
 *     ./loop tern0 10.9.0.2 &
 *     nc -v 10.9.0.2 7
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "tern/tern.h"

enum { BATCH = 32, MTU = 1500 };

static uint64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

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

static int tun_open(const char *name)
{
    struct ifreq ifr = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", name);
    return fd >= 0 && ioctl(fd, TUNSETIFF, &ifr) == 0 ? fd : -1;
}

/* Whatever the device has, up to a bound, so that reading cannot keep us from everything else. */
static void input(tern *s, int fd, uint64_t now)
{
    static uint8_t buf[BATCH][MTU];
    for (int rounds = 0; rounds < 8; rounds++) {
        tern_pkt pkts[BATCH];
        size_t n = 0;
        ssize_t len;
        while (n < BATCH && (len = read(fd, buf[n], MTU)) > 0) {
            pkts[n] = (tern_pkt){.iov_count = 1, .len = (uint32_t)len};
            pkts[n].iov[0] = (tern_iov){buf[n], (size_t)len};
            n++;
        }
        tern_input(s, pkts, n, now);
        if (n < BATCH)
            return;
    }
}

/* true: the device is full, and the stack keeps what it would not take. */
static bool output(tern *s, int fd, uint64_t now)
{
    tern_pkt pkts[BATCH];
    size_t n, sent;
    while ((n = tern_output(s, 0, pkts, BATCH, now)) > 0) {
        for (sent = 0; sent < n; sent++) /* a tern_iov is an iovec */
            if (writev(fd, (struct iovec *)(void *)pkts[sent].iov, pkts[sent].iov_count) < 0 &&
                errno == EAGAIN)
                break;
        tern_output_done(s, pkts, sent);
        tern_output_refused(s, pkts + sent, n - sent);
        if (sent < n)
            return true;
    }
    return false;
}

static tern *stack_new(const char *address)
{
    uint8_t ip[16] = {[10] = 0xff, [11] = 0xff}; /* IPv4 is ::ffff:a.b.c.d */
    tern_iface iface = {.mtu = MTU};
    tern_config cfg = {.size = sizeof cfg};
    tern *s;
    tern_config_default(&cfg);
    cfg.alloc = get;
    cfg.free = put;
    if (getrandom(cfg.seed, sizeof cfg.seed, 0) != (ssize_t)sizeof cfg.seed ||
        inet_pton(AF_INET, address, ip + 12) != 1 || tern_new(&s, &cfg, clock_ns()) < 0)
        return NULL;
    if (tern_iface_add(s, &iface) != 0 || tern_iface_addr(s, 0, ip, 96 + 24) < 0)
        return NULL;
    return s;
}

/* Turns until the device fails. `event` gets each event of a socket. */
static void loop(tern *s, int fd, void (*event)(tern *s, const tern_event *ev))
{
    tern_event ev[64];
    for (bool full = false;;) {
        uint64_t now = clock_ns();
        input(s, fd, now);    /* first: an acknowledgement that is here already is seen ... */
        tern_advance(s, now); /* ... before the timer that waits for it */
        for (size_t n; (n = tern_events(s, ev, 64)) > 0;)
            for (size_t i = 0; i < n && event != NULL; i++)
                event(s, &ev[i]);
        full = output(s, fd, now);

        uint64_t next = tern_next_timeout(s), wait = next > now ? next - now : 0;
        struct timespec ts = {.tv_sec = (time_t)(wait / 1000000000),
                              .tv_nsec = (long)(wait % 1000000000)};
        struct pollfd p = {.fd = fd, .events = (short)(POLLIN | (full ? POLLOUT : 0))};
        if (ppoll(&p, 1, next == TERN_NEVER ? NULL : &ts, NULL) < 0 && errno != EINTR)
            return;
        if (p.revents & (POLLERR | POLLNVAL))
            return;
    }
}

#ifndef LOOP_WITHOUT_MAIN
int main(int argc, char **argv)
{
    int fd = argc == 3 ? tun_open(argv[1]) : -1;
    tern *s = fd >= 0 ? stack_new(argv[2]) : NULL;
    if (s == NULL) {
        fprintf(stderr, "usage: loop INTERFACE ADDRESS (a TUN interface that we may open)\n");
        return 1;
    }
    loop(s, fd, NULL);
    return 1;
}
#endif
