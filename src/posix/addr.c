/* addr.c - struct sockaddr_in and sockaddr_in6 to tern_addr and back, with Linux's rules of which
 * length and family each call accepts. */
#include "posix/posix.h"

#include <netinet/in.h>
#include <string.h>

enum { IN6_LEN_RFC2133 = 24 }; /* without the scope */

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool addr_is4(const tern_addr *a) { return memcmp(a->ip, mapped, sizeof mapped) == 0; }

bool addr_is_any(const tern_addr *a)
{
    static const uint8_t none[16];
    return memcmp(a->ip, none, 16) == 0 || (addr_is4(a) && memcmp(a->ip + 12, none, 4) == 0);
}

static int read_in(tern_addr *out, const void *addr, socklen_t len, enum addr_use use)
{
    struct sockaddr_in in;

    if (len < sizeof in)
        return -EINVAL;
    memcpy(&in, addr, sizeof in);
    bool unspec = use == ADDR_BIND && in.sin_family == AF_UNSPEC && in.sin_addr.s_addr == 0;
    if (in.sin_family != AF_INET && !unspec)
        return -EAFNOSUPPORT;
    memcpy(out->ip, mapped, sizeof mapped);
    memcpy(out->ip + 12, &in.sin_addr, 4);
    out->port = ntohs(in.sin_port);
    return 0;
}

static int read_in6(const struct sock *sk, tern_addr *out, const void *addr, socklen_t len,
                    enum addr_use use)
{
    struct sockaddr_in6 in = {0};

    if (len < IN6_LEN_RFC2133)
        return -EINVAL;
    memcpy(&in, addr, len < sizeof in ? len : sizeof in);
    if (in.sin6_family != AF_INET6)
        return -EAFNOSUPPORT;
    memcpy(out->ip, &in.sin6_addr, 16);
    out->port = ntohs(in.sin6_port);
    bool link_local = out->ip[0] == 0xfe && (out->ip[1] & 0xc0) == 0x80;
    if (link_local) {
        if (len < sizeof in || in.sin6_scope_id == 0)
            return -EINVAL;
        out->scope = in.sin6_scope_id;
    }
    if (out->ip[0] == 0xff)
        return use == ADDR_BIND ? -EINVAL : -ENETUNREACH;
    if (addr_is4(out) && sk->opts.v6only)
        return use == ADDR_BIND ? -EINVAL : -ENETUNREACH;
    return 0;
}

int addr_read(const struct sock *sk, tern_addr *out, const void *addr, socklen_t len,
              enum addr_use use)
{
    *out = (tern_addr){0};
    return sk->domain == AF_INET ? read_in(out, addr, len, use) : read_in6(sk, out, addr, len, use);
}

int addr_write(const struct sock *sk, const tern_addr *a, void *addr, socklen_t *len)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(a->port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(a->port)};
    bool four = sk->domain == AF_INET;
    socklen_t full = four ? sizeof in : sizeof in6, room = *len;

    if ((int)room < 0)
        return -EINVAL;
    if (room > full)
        room = full;
    if (room != 0 && addr == NULL)
        return -EFAULT;
    memcpy(&in.sin_addr, a->ip + 12, 4);
    memcpy(&in6.sin6_addr, a->ip, 16);
    in6.sin6_scope_id = a->scope;
    if (room != 0)
        memcpy(addr, four ? (const void *)&in : (const void *)&in6, room);
    *len = full;
    return 0;
}
