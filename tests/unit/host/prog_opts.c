/* prog_opts.c - programs about socket options. */
#include "prog.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct {
    int level, name, value;
    const char *text;
} numbers[] = {
    {IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY"},
    {IPPROTO_TCP, TCP_NODELAY, 77, "TCP_NODELAY 77"},
    {IPPROTO_TCP, TCP_CORK, 1, "TCP_CORK"},
    {IPPROTO_TCP, TCP_CORK, 0, "TCP_CORK off"},
    {IPPROTO_TCP, TCP_KEEPIDLE, 30, "TCP_KEEPIDLE"},
    {IPPROTO_TCP, TCP_KEEPIDLE, 0, "TCP_KEEPIDLE 0"},
    {IPPROTO_TCP, TCP_KEEPINTVL, 5, "TCP_KEEPINTVL"},
    {IPPROTO_TCP, TCP_KEEPCNT, 3, "TCP_KEEPCNT"},
    {IPPROTO_TCP, TCP_KEEPCNT, 1000, "TCP_KEEPCNT 1000"},
    {IPPROTO_TCP, TCP_SYNCNT, 2, "TCP_SYNCNT"},
    {IPPROTO_TCP, TCP_USER_TIMEOUT, 5000, "TCP_USER_TIMEOUT"},
    {IPPROTO_TCP, TCP_USER_TIMEOUT, -1, "TCP_USER_TIMEOUT -1"},
    {IPPROTO_TCP, 9999, 1, "TCP 9999"},
    {IPPROTO_IP, IP_TTL, 10, "IP_TTL"},
    {IPPROTO_IP, IP_TTL, 256, "IP_TTL 256"},
    {IPPROTO_IP, IP_TOS, 0x10, "IP_TOS"},
    {IPPROTO_IP, 9999, 1, "IP 9999"},
    {IPPROTO_IPV6, IPV6_V6ONLY, 1, "IPV6_V6ONLY"},
    {IPPROTO_IPV6, IPV6_UNICAST_HOPS, 9, "IPV6_UNICAST_HOPS"},
    {SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR"},
    {SOL_SOCKET, SO_REUSEPORT, 1, "SO_REUSEPORT"},
    {SOL_SOCKET, SO_KEEPALIVE, 1, "SO_KEEPALIVE"},
    {SOL_SOCKET, SO_SNDBUF, 20000, "SO_SNDBUF"},
    {SOL_SOCKET, SO_RCVBUF, 20000, "SO_RCVBUF"},
    {SOL_SOCKET, SO_BROADCAST, 1, "SO_BROADCAST"},
    {SOL_SOCKET, SO_OOBINLINE, 1, "SO_OOBINLINE"},
};

static void set_and_get(int fd)
{
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        int value = numbers[i].value, got = -1;
        socklen_t len = sizeof got;
        char what[64];
        snprintf(what, sizeof what, "set %s", numbers[i].text);
        note_result(what, setsockopt(fd, numbers[i].level, numbers[i].name, &value, sizeof value));
        snprintf(what, sizeof what, "get %s", numbers[i].text);
        note_result(what, getsockopt(fd, numbers[i].level, numbers[i].name, &got, &len));
        note("%d, len %d", got, (int)len);
    }
}

static void options4(void) { set_and_get(socket(AF_INET, SOCK_STREAM, 0)); }
static void options6(void) { set_and_get(socket(AF_INET6, SOCK_STREAM, 0)); }

static void options_connected(void)
{
    int p[2];

    connected(p);
    set_and_get(p[0]);
    set_and_get(p[1]);
    note_result("write", write(p[0], "x", 1));
    note_result("read", read(p[1], (char[1]){0}, 1));
}

static void kinds(void)
{
    static const struct {
        int name;
        const char *text;
    } names[] = {{SO_DOMAIN, "SO_DOMAIN"},
                 {SO_TYPE, "SO_TYPE"},
                 {SO_PROTOCOL, "SO_PROTOCOL"},
                 {SO_ACCEPTCONN, "SO_ACCEPTCONN"},
                 {SO_ERROR, "SO_ERROR"}};
    struct addr a;
    int fds[3] = {socket(AF_INET6, SOCK_STREAM, 0), listen_on(AF_INET, &a), -1};

    fds[2] = connect_to(&a);
    for (int k = 0; k < 3; k++)
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
            int got = -1;
            socklen_t len = sizeof got;
            note_result(names[i].text, getsockopt(fds[k], SOL_SOCKET, names[i].name, &got, &len));
            note("%d", got);
        }
}

static void lengths(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), value = 1;
    socklen_t len;
    char small[4];

    note_result("set short", setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, 2));
    note_result("set long", setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, 400));
    note_result("set negative", setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, (socklen_t)-1));
    note_result("set NULL", setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, NULL, sizeof value));
    note_result("set byte", setsockopt(fd, IPPROTO_IP, IP_TTL, "\x07", 1));
    len = 2;
    memset(small, 0x55, sizeof small);
    note_result("get short", getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, small, &len));
    note("len %d %d %d", (int)len, small[0], small[2]);
    len = (socklen_t)-1;
    note_result("get negative", getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &len));
    len = 100;
    note_result("get long", getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, (char[100]){0}, &len));
    note("len %d", (int)len);
    note_result("get NULL", getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, NULL, &len));
    note_result("get no len", getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, NULL));
    len = 40; /* sshd asks: none have no length */
    note_result("get IP_OPTIONS", getsockopt(fd, IPPROTO_IP, IP_OPTIONS, (char[40]){0}, &len));
    note("len %d", (int)len);
    len = sizeof value;
    note_result("not open", getsockopt(999, IPPROTO_TCP, TCP_NODELAY, &value, &len));
    note_result("no socket", getsockopt(1, IPPROTO_TCP, TCP_NODELAY, &value, &len));
}

static void maxseg(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), value = 50;
    socklen_t len = sizeof value;

    note_result("set 50", setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &value, sizeof value));
    value = 40000;
    note_result("set 40000", setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &value, sizeof value));
    note_result("get", getsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &value, &len));
    note("%d", value);
}

static void linger(void)
{
    int p[2];
    struct linger l = {1, 5};
    socklen_t len = sizeof l;

    connected(p);
    note_result("set", setsockopt(p[0], SOL_SOCKET, SO_LINGER, &l, sizeof l));
    l = (struct linger){0, 0};
    note_result("get", getsockopt(p[0], SOL_SOCKET, SO_LINGER, &l, &len));
    note("%d %d", l.l_onoff, l.l_linger);
    note_result("short", setsockopt(p[0], SOL_SOCKET, SO_LINGER, &l, 4));
}

static void info(void)
{
    int p[2];
    struct tcp_info t;
    socklen_t len = sizeof t;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    memset(&t, 0, sizeof t);
    note_result("fresh", getsockopt(fd, IPPROTO_TCP, TCP_INFO, &t, &len));
    note("state %d", t.tcpi_state);
    connected(p);
    len = sizeof t;
    note_result("connected", getsockopt(p[0], IPPROTO_TCP, TCP_INFO, &t, &len));
    note("state %d, whole %d, mss %d", t.tcpi_state, len >= 104, t.tcpi_snd_mss > 0);
    note("ca %d, lost %u, again %u, backoff %d, probes %d", t.tcpi_ca_state, t.tcpi_lost,
         t.tcpi_retrans, t.tcpi_backoff, t.tcpi_probes);
    len = 8;
    note_result("short", getsockopt(p[0], IPPROTO_TCP, TCP_INFO, &t, &len));
    note("len %d", (int)len);
    char name[32] = "";
    len = sizeof name;
    note_result("set congestion", setsockopt(p[0], IPPROTO_TCP, TCP_CONGESTION, "cubic", 5));
    note_result("get congestion", getsockopt(p[0], IPPROTO_TCP, TCP_CONGESTION, name, &len));
    note("%s len %d", name, (int)len);
    note_result("no such", setsockopt(p[0], IPPROTO_TCP, TCP_CONGESTION, "nosuchcc", 8));
}

const struct prog progs_opts[] = {
    {"options4", options4}, {"options6", options6}, {"options_connected", options_connected},
    {"kinds", kinds},       {"lengths", lengths},   {"linger", linger},
    {"maxseg", maxseg},     {"info", info},         {NULL, NULL},
};
