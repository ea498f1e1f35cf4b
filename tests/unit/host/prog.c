/* prog.c - what all programs share. */
#include "prog.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct prog *const all[] = {progs_connect, progs_names, progs_accept,
                                         progs_data,    progs_opts,  progs_many};

const struct prog *prog_at(size_t i)
{
    for (size_t k = 0; k < sizeof all / sizeof all[0]; k++)
        for (const struct prog *p = all[k]; p->name; p++)
            if (i-- == 0)
                return p;
    return NULL;
}

int prog_main(const char *name)
{
    const struct prog *p;

    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; (p = prog_at(i)); i++)
        if (strcmp(p->name, name) == 0) {
            p->run();
            return 0;
        }
    return 99;
}

void note(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
}

const char *error_name(int err)
{
    const char *name = err ? strerrorname_np(err) : "ok";

    return name ? name : "?";
}

void note_result(const char *what, long result)
{
    int err = errno;

    if (result < 0)
        note("%s: %s", what, error_name(err));
    else
        note("%s: %ld", what, result);
}

void note_poll(const char *what, int fd, short events, int ms)
{
    struct pollfd p = {.fd = fd, .events = events};
    static const struct {
        short bit;
        const char *name;
    } names[] = {{POLLIN, " IN"},   {POLLOUT, " OUT"},     {POLLERR, " ERR"},
                 {POLLHUP, " HUP"}, {POLLRDHUP, " RDHUP"}, {POLLPRI, " PRI"}};
    char text[64] = "";

    poll(&p, 1, ms);
    if (p.revents & POLLERR) { /* an AF_UNIX socket says so a moment before it has room, too */
        usleep(2000);
        poll(&p, 1, 0);
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (p.revents & names[i].bit)
            strcat(text, names[i].name);
    note("%s:%s", what, *text ? text : " nothing");
}

static void die(const char *what)
{
    note("%s failed: %s", what, error_name(errno));
    exit(98);
}

int listen_on(int family, struct addr *addr)
{
    int fd = socket(family, SOCK_STREAM, 0);

    memset(addr, 0, sizeof *addr);
    addr->sa.ss_family = (sa_family_t)family;
    addr->len = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    if (family == AF_INET)
        ((struct sockaddr_in *)&addr->sa)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else
        ((struct sockaddr_in6 *)&addr->sa)->sin6_addr = in6addr_loopback;
    if (fd < 0 || bind(fd, (struct sockaddr *)&addr->sa, addr->len) < 0 || listen(fd, 128) < 0)
        die("listen");
    addr->len = sizeof addr->sa;
    if (getsockname(fd, (struct sockaddr *)&addr->sa, &addr->len) < 0)
        die("getsockname");
    return fd;
}

int connect_to(const struct addr *addr)
{
    int fd = socket(addr->sa.ss_family, SOCK_STREAM, 0);

    if (fd < 0 || connect(fd, (const struct sockaddr *)&addr->sa, addr->len) < 0)
        die("connect");
    return fd;
}

void connected(int pair[2])
{
    struct addr addr;
    int l = listen_on(AF_INET, &addr);

    pair[0] = connect_to(&addr);
    pair[1] = accept(l, NULL, NULL);
    if (pair[1] < 0)
        die("accept");
    close(l);
}

static void loopback(struct addr *addr, int port)
{
    struct sockaddr_in *in = (struct sockaddr_in *)&addr->sa;

    memset(addr, 0, sizeof *addr);
    in->sin_family = AF_INET;
    in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    in->sin_port = htons((uint16_t)port);
    addr->len = sizeof *in;
}

void hole(struct addr *addr)
{
    const char *port = getenv("HOLE");

    loopback(addr, port ? atoi(port) : 9);
}

void nobody(struct addr *addr) { loopback(addr, 1); }

void nonblocking(int fd) { fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }

void settle(void) { usleep(30000); }

size_t read_all(int fd, const char *what)
{
    char buf[65536];
    size_t sum = 0;
    ssize_t n;

    while ((n = read(fd, buf, sizeof buf)) > 0)
        sum += (size_t)n;
    if (what)
        note("%s: %zu bytes, then %s", what, sum, n < 0 ? error_name(errno) : "end");
    return sum;
}
