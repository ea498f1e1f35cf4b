/* run_addr.c - see run_addr.h. The checks and their order are those of Linux. */
#include "host/run_addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

enum { SIN6_LEN_RFC2133 = 24 }; /* sockaddr_in6 before it had a scope */

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
static const uint8_t zero[16];

bool run_addr_is4(const tern_addr *a) { return memcmp(a->ip, mapped, sizeof mapped) == 0; }

bool run_addr_any6(const tern_addr *a) { return memcmp(a->ip, zero, 16) == 0; }

bool run_addr_any(const tern_addr *a)
{
    return run_addr_any6(a) || (run_addr_is4(a) && memcmp(a->ip + 12, zero, 4) == 0);
}

tern_addr run_addr_wildcard(int family)
{
    tern_addr a = {.port = 0};

    if (family == AF_INET)
        memcpy(a.ip, mapped, sizeof mapped);
    return a;
}

int run_addr_read(tern_addr *out, int family, const union run_sockaddr *sa, size_t len)
{
    *out = (tern_addr){.port = 0};
    if (family == AF_INET) {
        if (len < sizeof sa->in)
            return -EINVAL;
        if (sa->sa.sa_family != AF_INET)
            return -EAFNOSUPPORT;
        memcpy(out->ip, mapped, sizeof mapped);
        memcpy(out->ip + 12, &sa->in.sin_addr, 4);
        out->port = ntohs(sa->in.sin_port);
        return 0;
    }
    if (len < SIN6_LEN_RFC2133)
        return -EINVAL;
    if (sa->sa.sa_family != AF_INET6)
        return -EAFNOSUPPORT;
    memcpy(out->ip, &sa->in6.sin6_addr, 16);
    out->port = ntohs(sa->in6.sin6_port);
    if (len >= sizeof sa->in6 && IN6_IS_ADDR_LINKLOCAL(&sa->in6.sin6_addr))
        out->scope = sa->in6.sin6_scope_id;
    return 0;
}

size_t run_addr_write(union run_sockaddr *out, int family, const tern_addr *addr)
{
    memset(out, 0, sizeof *out);
    if (family == AF_INET) {
        out->in.sin_family = AF_INET;
        out->in.sin_port = htons(addr->port);
        if (run_addr_is4(addr))
            memcpy(&out->in.sin_addr, addr->ip + 12, 4);
        return sizeof out->in;
    }
    out->in6.sin6_family = AF_INET6;
    out->in6.sin6_port = htons(addr->port);
    memcpy(&out->in6.sin6_addr, addr->ip, 16);
    out->in6.sin6_scope_id = addr->scope;
    return sizeof out->in6;
}

bool run_addr_loopback(const tern_addr *a)
{
    static const uint8_t one[16] = {[15] = 1};

    return run_addr_is4(a) ? a->ip[12] == 127 : memcmp(a->ip, one, sizeof one) == 0;
}
