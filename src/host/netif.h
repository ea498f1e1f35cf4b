/* netif.h - the kernel's side of an interface: its addresses, and up. Errors are negative errno
 * values. */
#ifndef TERN_HOST_NETIF_H
#define TERN_HOST_NETIF_H

#include <stdbool.h>
#include <stdint.h>

/* An address with the length of its network's prefix; IPv4 as ::ffff:a.b.c.d, and the length counts
 * in that form: 96 + n. */
struct netif_addr {
    uint8_t ip[16];
    unsigned bits;
};

#define NETIF_ADDR_TEXT_MAX 64

/* "10.9.0.2/24"; false: not one, or without the prefix. */
bool netif_addr_parse(const char *text, struct netif_addr *out);
/* The same in reverse; without the prefix when not `with_bits`. */
void netif_addr_text(const struct netif_addr *a, bool with_bits, char out[NETIF_ADDR_TEXT_MAX]);
bool netif_addr_is4(const struct netif_addr *a);
/* fe80::/10: it says little without the interface's name. */
bool netif_ip_is_link_local(const uint8_t ip[16]);
/* The same network? */
bool netif_addr_together(const struct netif_addr *a, const struct netif_addr *b);
/* The first address that a host may have in the network of `a` and that is none of those `taken`;
 * false: there is none. */
bool netif_addr_free(const struct netif_addr *a, const struct netif_addr *taken, uint32_t count,
                     struct netif_addr *out);

/* Is it up? */
bool netif_is_up(const char *name);
int netif_up(const char *name);
/* Does it carry packets? Whoever attaches to a TUN or TAP interface that is up has to wait: until
 * the kernel has followed, in work of its own, it loses what it would send there. */
bool netif_is_running(const char *name);
/* Waits for that, `ms` at most; false: it does not. */
bool netif_wait_running(const char *name, unsigned ms);
/* Gives the kernel this address on the interface, and the route to its network with it. */
int netif_addr_add(const char *name, const struct netif_addr *a);

#endif
