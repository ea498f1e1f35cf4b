/* frame.h - Ethernet frames and ARP (RFC 826, for IPv4 over Ethernet): bytes <-> structs. */
#ifndef TERN_WIRE_FRAME_H
#define TERN_WIRE_FRAME_H

#include "wire/ip.h"

enum {
    WIRE_MAC = 6,
    WIRE_ETH_HEADER = 14,
    WIRE_ETH_IP4 = 0x0800,
    WIRE_ETH_ARP = 0x0806,
    WIRE_ETH_IP6 = 0x86dd,
    WIRE_ARP = 28, /* bytes of a message */
    WIRE_ARP_REQUEST = 1,
    WIRE_ARP_REPLY = 2,
};

/* To a group, or to all: such an address is nobody's own. */
static inline bool wire_mac_group(const uint8_t mac[WIRE_MAC]) { return mac[0] & 1; }
static inline bool wire_mac_equal(const uint8_t a[WIRE_MAC], const uint8_t b[WIRE_MAC])
{
    return memcmp(a, b, WIRE_MAC) == 0;
}

static inline void wire_eth_write(uint8_t *p, const uint8_t dst[WIRE_MAC],
                                  const uint8_t src[WIRE_MAC], uint16_t type)
{
    memcpy(p, dst, WIRE_MAC);
    memcpy(p + WIRE_MAC, src, WIRE_MAC);
    store_be16(p + 2 * WIRE_MAC, type);
}

/* Where a packet to that multicast address goes (RFC 1112 6.4, RFC 2464 7), or to everybody. */
void wire_mac_of_group(uint8_t mac[WIRE_MAC], const uint8_t ip[16]);

struct wire_arp {
    uint16_t op;
    uint8_t sender_mac[WIRE_MAC], target_mac[WIRE_MAC];
    uint8_t sender_ip[16], target_ip[16];
};

/* false: no whole message about IPv4 over Ethernet. */
bool wire_arp_read(const uint8_t *p, size_t have, struct wire_arp *out);
/* Writes WIRE_ARP bytes. */
void wire_arp_write(uint8_t *p, const struct wire_arp *arp);

#endif
