/* run_addr.h - addresses as programs give and take them: sockaddr_in and sockaddr_in6. */
#ifndef TERN_HOST_RUN_ADDR_H
#define TERN_HOST_RUN_ADDR_H

#include "tern/tern.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

union run_sockaddr {
    struct sockaddr sa;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct sockaddr_storage any;
};

/* An address for a socket of `family`, as connect() and bind() would read it from `len` bytes:
 * 0, -EINVAL (too short) or -EAFNOSUPPORT. AF_UNSPEC is the caller's business. */
int run_addr_read(tern_addr *out, int family, const union run_sockaddr *sa, size_t len);
/* The address as a socket of `family` shows it; returns its length. */
size_t run_addr_write(union run_sockaddr *out, int family, const tern_addr *addr);

bool run_addr_is4(const tern_addr *a);      /* ::ffff:0:0/96 */
bool run_addr_any(const tern_addr *a);      /* :: or 0.0.0.0 */
bool run_addr_any6(const tern_addr *a);     /* :: */
bool run_addr_loopback(const tern_addr *a); /* ::1 or 127.0.0.0/8 */
/* The wildcard of a family, port 0. */
tern_addr run_addr_wildcard(int family);

#endif
