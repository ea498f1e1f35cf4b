/* prog_names.c - programs about bind(), getsockname() and getpeername(). */
#include "prog.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int port_of(const struct addr *a)
{
    return a->sa.ss_family == AF_INET ? ((const struct sockaddr_in *)&a->sa)->sin_port
                                      : ((const struct sockaddr_in6 *)&a->sa)->sin6_port;
}

static void note_addr(const char *what, const struct addr *a)
{
    char text[64] = "?";

    if (a->sa.ss_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)&a->sa)->sin_addr, text, sizeof text);
    else if (a->sa.ss_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)&a->sa)->sin6_addr, text, sizeof text);
    note("%s: family %d len %d %s port %s", what, a->sa.ss_family, (int)a->len, text,
         port_of(a) ? "set" : "0");
}

static struct addr name_of(int fd, bool peer)
{
    struct addr a = {.len = sizeof a.sa};
    long r = peer ? getpeername(fd, (struct sockaddr *)&a.sa, &a.len)
                  : getsockname(fd, (struct sockaddr *)&a.sa, &a.len);

    if (r < 0)
        note("name: %s", error_name(errno));
    return a;
}

static void names(int family)
{
    struct addr a, accepted = {.len = sizeof accepted.sa};
    int l = listen_on(family, &a), fd = socket(family, SOCK_STREAM, 0);
    struct addr fresh = name_of(fd, false);

    note_addr("fresh", &fresh);
    connect(fd, (struct sockaddr *)&a.sa, a.len);
    int s = accept(l, (struct sockaddr *)&accepted.sa, &accepted.len);
    struct addr c = name_of(fd, false), cp = name_of(fd, true);
    struct addr sn = name_of(s, false), sp = name_of(s, true), ln = name_of(l, false);
    note_addr("client", &c);
    note_addr("client's peer", &cp);
    note_addr("server", &sn);
    note_addr("server's peer", &sp);
    note_addr("accepted", &accepted);
    note_addr("listener", &ln);
    note("ports agree: %d %d %d %d", port_of(&c) == port_of(&sp), port_of(&cp) == port_of(&sn),
         port_of(&sp) == port_of(&accepted), port_of(&ln) == port_of(&sn));
    close(s);
    settle();
    sp = name_of(fd, true);
    note_addr("after the peer's close", &sp);
}

static void names4(void) { names(AF_INET); }
static void names6(void) { names(AF_INET6); }

static void mapped(void)
{
    struct sockaddr_in6 any = {.sin6_family = AF_INET6};
    struct addr a, acc = {.len = sizeof acc.sa};
    int l = socket(AF_INET6, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0);

    note_result("bind", bind(l, (struct sockaddr *)&any, sizeof any));
    note_result("listen", listen(l, 5));
    a = name_of(l, false);
    note_addr("listener", &a);
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = (in_port_t)port_of(&a)};
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    note_result("connect v4", connect(fd, (struct sockaddr *)&in, sizeof in));
    int s = accept(l, (struct sockaddr *)&acc.sa, &acc.len);
    note_addr("accepted", &acc);
    acc = name_of(s, false);
    note_addr("server", &acc);
    /* and a v6 socket that connects to a mapped address */
    int fd6 = socket(AF_INET6, SOCK_STREAM, 0);
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = (in_port_t)port_of(&a)};
    inet_pton(AF_INET6, "::ffff:127.0.0.1", &to.sin6_addr);
    note_result("connect mapped", connect(fd6, (struct sockaddr *)&to, sizeof to));
    acc = name_of(fd6, false);
    note_addr("client", &acc);
    acc = name_of(fd6, true);
    note_addr("client's peer", &acc);
    s = accept(l, (struct sockaddr *)&acc.sa, &acc.len);
    note_addr("accepted", &acc);
    int only = 1, fd7 = socket(AF_INET6, SOCK_STREAM, 0);
    note_result("v6only", setsockopt(fd7, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only));
    note_result("connect mapped", connect(fd7, (struct sockaddr *)&to, sizeof to));
    note_result("bind mapped", bind(fd7, (struct sockaddr *)&to, sizeof to));
}

static void bad_pointers(void)
{
    int p[2];
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;

    connected(p);
    note_result("both NULL", getsockname(p[0], NULL, NULL));
    note_result("len NULL", getsockname(p[0], (struct sockaddr *)&sa, NULL));
    note_result("addr NULL", getpeername(p[0], NULL, &len));
    len = (socklen_t)-5;
    note_result("negative", getpeername(p[0], (struct sockaddr *)&sa, &len));
    len = 0;
    note_result("zero", getpeername(p[0], NULL, &len));
    note("len %d", (int)len);
    len = 4;
    memset(&sa, 0xff, sizeof sa);
    note_result("small", getpeername(p[0], (struct sockaddr *)&sa, &len));
    note("len %d family %d untouched %d", (int)len, sa.ss_family, ((unsigned char *)&sa)[4]);
}

static void read_only_memory(void)
{
    int p[2];
    socklen_t len = sizeof(struct sockaddr_storage);

    connected(p);
    note_result("getpeername", getpeername(p[0], (struct sockaddr *)(uintptr_t)note_addr, &len));
}

static int bound(int family, const char *ip, int port, int reuse)
{
    struct addr a = {.len = 0};
    int fd = socket(family, SOCK_STREAM, 0);

    a.sa.ss_family = (sa_family_t)family;
    a.len = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    if (family == AF_INET) {
        inet_pton(family, ip, &((struct sockaddr_in *)&a.sa)->sin_addr);
        ((struct sockaddr_in *)&a.sa)->sin_port = (in_port_t)port;
    } else {
        inet_pton(family, ip, &((struct sockaddr_in6 *)&a.sa)->sin6_addr);
        ((struct sockaddr_in6 *)&a.sa)->sin6_port = (in_port_t)port;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof reuse);
    char what[64];
    snprintf(what, sizeof what, "bind %s%s%s", ip, port ? " same port" : "", reuse ? " reuse" : "");
    note_result(what, bind(fd, (struct sockaddr *)&a.sa, a.len));
    return fd;
}

static int local_port(int fd)
{
    struct addr a = name_of(fd, false);

    return port_of(&a);
}

static void bind_clashes(void)
{
    int first = bound(AF_INET, "127.0.0.1", 0, 0), port = local_port(first);

    note("port %d", port != 0);
    note_result("bind twice",
                bind(first, (struct sockaddr *)&(struct sockaddr_in){.sin_family = AF_INET},
                     sizeof(struct sockaddr_in)));
    close(bound(AF_INET, "127.0.0.1", port, 0));
    close(bound(AF_INET, "127.0.0.1", port, 1));
    close(bound(AF_INET, "127.0.0.2", port, 0));
    close(bound(AF_INET, "0.0.0.0", port, 0));
    close(bound(AF_INET6, "::", port, 0));
    close(bound(AF_INET6, "::1", port, 0));
    close(bound(AF_INET6, "::ffff:127.0.0.1", port, 0));
    close(first);
    close(bound(AF_INET, "127.0.0.1", port, 0));
    int a = bound(AF_INET, "127.0.0.1", port, 1), b = bound(AF_INET, "0.0.0.0", port, 1);
    note_result("listen", listen(a, 5));
    note_result("listen too", listen(b, 5));
    close(bound(AF_INET, "127.0.0.1", port, 1));
    close(a);
    note_result("listen now", listen(b, 5));
    close(b);
    close(bound(AF_INET, "198.51.100.1", 0, 0));
    close(bound(AF_INET6, "2001:db8:1::1", 0, 0));
    for (int i = 0; i < 300; i++) /* closed unseen, the port must be free again */
        close(socket(AF_INET, SOCK_STREAM, 0));
    int again = bound(AF_INET, "127.0.0.1", port, 0);
    note_result("listen", listen(again, 5));
}

static void bind_then_connect(void)
{
    struct addr a, from = {.len = sizeof from.sa};
    int l = listen_on(AF_INET, &a);
    int fd = bound(AF_INET, "127.0.0.1", 0, 0), port = local_port(fd);

    note_result("connect", connect(fd, (struct sockaddr *)&a.sa, a.len));
    accept(l, (struct sockaddr *)&from.sa, &from.len);
    note("from the bound port %d", port_of(&from) == port);
    note("still %d", local_port(fd) == port);
    int any = bound(AF_INET, "0.0.0.0", 0, 0);
    port = local_port(any);
    note_result("connect", connect(any, (struct sockaddr *)&a.sa, a.len));
    accept(l, (struct sockaddr *)&from.sa, &from.len);
    note("from the bound port %d", port_of(&from) == port);
    from = name_of(any, false);
    note_addr("name", &from);
}

static void bind_bad(void)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM, 0), fd6 = socket(AF_INET6, SOCK_STREAM, 0);

    note_result("NULL", bind(fd, NULL, sizeof in));
    note_result("short", bind(fd, (struct sockaddr *)&in, 8));
    note_result("negative", bind(fd, (struct sockaddr *)&in, (socklen_t)-1));
    note_result("v4 on v6", bind(fd6, (struct sockaddr *)&in, sizeof in));
    in.sin_family = AF_INET6;
    note_result("v6 on v4", bind(fd, (struct sockaddr *)&in, sizeof in));
    in.sin_family = AF_UNSPEC;
    note_result("unspec", bind(fd, (struct sockaddr *)&in, sizeof in));
    note_result("listen", listen(fd, 5));
    note_result("bind a listener", bind(fd, (struct sockaddr *)&in, sizeof in));
}

static void listen_unbound(void)
{
    int l = socket(AF_INET, SOCK_STREAM, 0);

    note_result("listen", listen(l, 5));
    struct addr a = name_of(l, false);
    note_addr("name", &a);
    ((struct sockaddr_in *)&a.sa)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = connect_to(&a);
    note_result("accept", accept(l, NULL, NULL) > fd);
    note_result("listen again", listen(l, 50));
    note_result("listen on a connection", listen(fd, 5));
    note_result("negative backlog", listen(l, -1));
}

const struct prog progs_names[] = {
    {"names4", names4},
    {"names6", names6},
    {"mapped", mapped},
    {"bad_pointers", bad_pointers},
    {"read_only_memory", read_only_memory},
    {"bind_clashes", bind_clashes},
    {"bind_then_connect", bind_then_connect},
    {"bind_bad", bind_bad},
    {"listen_unbound", listen_unbound},
    {NULL, NULL},
};
