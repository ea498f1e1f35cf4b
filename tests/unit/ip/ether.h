/* ether.h - a stack on Ethernet, alone with a peer that the test plays: frames out, frames in, and
 * the questions and answers of ARP and Neighbour Discovery. */
#ifndef TERN_UNIT_ETHER_H
#define TERN_UNIT_ETHER_H

#include "../test.h"

#include "base/cksum.h"
#include "tern/info.h"
#include "wire/nd.h"

#include <string.h>

#define SECOND UINT64_C(1000000000)

enum { ETHER_FRAME = 2000 };

extern const uint8_t ether_mac[6], ether_peer_mac[6], ether_all_macs[6];

/* A stack, its peer's address, and the frame that was heard last. */
struct ether {
    tern_config cfg; /* filled in by ether_config() */
    tern *s;
    int iface;
    bool ip6;
    uint64_t now;
    uint8_t ours[16], peer[16];
    uint8_t frame[ETHER_FRAME];
    size_t len;
    uint32_t news;                  /* events of no socket, collected */
    void (*heard)(struct ether *t); /* each frame that ether_wait() hears; or NULL */
};

void ether_config(struct ether *t, bool ip6);
/* A stack with an interface of these flags, and no address. */
void ether_open(struct ether *t, uint32_t flags);
/* All of it, with an address that is in use and announced. */
void ether_start(struct ether *t, bool ip6);
void ether_address(const struct ether *t, uint8_t ip[16], uint8_t last);
int ether_add(struct ether *t, const uint8_t ip[16]);

/* Takes one frame from the stack. */
bool ether_hear(struct ether *t);
void ether_say(struct ether *t, const uint8_t *frame, size_t len);
/* It is then, at once; what is due happens. */
void ether_at(struct ether *t, uint64_t now);
/* Time goes on for so long; how many frames left meanwhile. */
unsigned ether_wait(struct ether *t, uint64_t ns);
/* The events of no socket that there were. */
uint32_t ether_events(struct ether *t);

uint64_t ether_drops(const struct ether *t, enum tern_drop why);
uint64_t ether_count(const struct ether *t, enum tern_counter what);
/* The state of an address: enum tern_addr_state, or -1: there is none such. */
int ether_state(const struct ether *t, const uint8_t ip[16]);

/* An IPv6 header and Ethernet's before a message of ICMPv6 at `p` + 54, whose checksum is put
 * right; the frame's length. */
size_t ether_icmp(uint8_t *p, size_t len, const struct wire_ip_out *ip, const uint8_t to[6]);
/* A Neighbour Discovery frame between these addresses. */
size_t ether_nd(uint8_t *p, const struct wire_nd *nd, const uint8_t src[16], const uint8_t dst[16],
                const uint8_t to[6]);
/* The peer asks who `target` is; */
void ether_ask(struct ether *t, const uint8_t target[16]);
/* says that `ip` is at that link-layer address. */
void ether_answer(struct ether *t, const uint8_t ip[16], const uint8_t mac[6]);

#endif
