/* linux_peer.c - Linux's end in the benches of links: sockets, and no more work than must be.
 *
 *   linux_peer source HOST PORT SECONDS   connects and sends; Gbit/s
 *   linux_peer sink PORT SECONDS          accepts and receives; Gbit/s
 *   linux_peer http PORT BYTES            answers each request with so many bytes, until killed
 *
 * A source counts what its peer has acknowledged.
 */
#include "bench.h"

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHUNK = 262144, TRIES = 500, TRY_US = 20000 };

static char data[CHUNK];

static int must(int result, const char *what)
{
    if (result < 0)
        bench_die(what, result);
    return result;
}

static struct sockaddr_in address(const char *host, const char *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};

    if (inet_pton(AF_INET, host, &a.sin_addr) != 1)
        bench_die("no IPv4 address", 0);
    return a;
}

static int listener(const char *port)
{
    struct sockaddr_in a = address("0.0.0.0", port);
    int fd = must(socket(AF_INET, SOCK_STREAM, 0), "socket"), on = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    must(bind(fd, (struct sockaddr *)&a, sizeof a), "bind");
    must(listen(fd, 16), "listen");
    return fd;
}

static void print_rate(uint64_t bytes, uint64_t ns)
{
    printf("%.4f\n", ns ? (double)bytes * 8 / (double)ns : 0);
}

static void source(const char *host, const char *port, double seconds)
{
    struct sockaddr_in a = address(host, port);
    int fd = -1, queued = 1;
    uint64_t sent = 0;

    for (int i = 0; i < TRIES; i++) {
        fd = must(socket(AF_INET, SOCK_STREAM, 0), "socket");
        if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0)
            break;
        close(fd);
        fd = -1;
        usleep(TRY_US);
    }
    must(fd, "connect");
    uint64_t start = bench_clock(), end = start + (uint64_t)(seconds * 1e9);
    while (bench_clock() < end)
        sent += (uint64_t)must((int)send(fd, data, sizeof data, MSG_NOSIGNAL), "send");
    while (ioctl(fd, SIOCOUTQ, &queued) == 0 && queued > 0)
        usleep(100);
    print_rate(sent, bench_clock() - start);
    shutdown(fd, SHUT_WR);
    close(fd);
}

static void sink(const char *port, double seconds)
{
    int fd = must(accept(listener(port), NULL, NULL), "accept");
    uint64_t got = 0;
    ssize_t n = recv(fd, data, sizeof data, 0);
    uint64_t start = bench_clock(), end = start + (uint64_t)(seconds * 1e9);

    while (n > 0 && bench_clock() < end) {
        n = recv(fd, data, sizeof data, 0);
        got += n > 0 ? (uint64_t)n : 0;
    }
    print_rate(got, bench_clock() - start);
    close(fd);
}

static void http(const char *port, uint64_t bytes)
{
    int from = listener(port);
    char head[128];

    snprintf(head, sizeof head, "HTTP/1.0 200 OK\r\nContent-Length: %llu\r\n\r\n",
             (unsigned long long)bytes);
    for (;;) {
        int fd = must(accept(from, NULL, NULL), "accept");
        ssize_t n = recv(fd, data, sizeof data, 0); /* curl's request is one piece */
        if (n > 0)
            n = send(fd, head, strlen(head), MSG_NOSIGNAL);
        for (uint64_t left = bytes; left > 0 && n > 0; left -= (uint64_t)n)
            n = send(fd, data, left < CHUNK ? left : CHUNK, MSG_NOSIGNAL);
        shutdown(fd, SHUT_WR);
        while (n > 0)
            n = recv(fd, data, sizeof data, 0);
        close(fd);
    }
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "source") == 0)
        source(argv[2], argv[3], atof(argv[4]));
    else if (argc == 4 && strcmp(argv[1], "sink") == 0)
        sink(argv[2], atof(argv[3]));
    else if (argc == 4 && strcmp(argv[1], "http") == 0)
        http(argv[2], strtoull(argv[3], NULL, 10));
    else
        bench_die("linux_peer source HOST PORT SECONDS | sink PORT SECONDS | http PORT BYTES", 0);
    return 0;
}
