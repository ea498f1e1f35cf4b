/* frame.c - see frame.h. */
#include "wire/frame.h"

void wire_mac_of_group(uint8_t mac[WIRE_MAC], const uint8_t ip[16])
{
    if (!wire_ip_multicast(ip)) {
        memset(mac, 0xff, WIRE_MAC);
    } else if (wire_is_ip4(ip)) {
        static const uint8_t prefix[3] = {0x01, 0x00, 0x5e};
        memcpy(mac, prefix, 3);
        mac[3] = ip[13] & 0x7f;
        memcpy(mac + 4, ip + 14, 2);
    } else {
        mac[0] = mac[1] = 0x33;
        memcpy(mac + 2, ip + 12, 4);
    }
}

static const uint8_t arp_ip4_over_ethernet[6] = {0, 1, 8, 0, WIRE_MAC, 4};

static void read_ip4(uint8_t out[16], const uint8_t *p)
{
    memcpy(out, wire_mapped_prefix, 12);
    memcpy(out + 12, p, 4);
}

bool wire_arp_read(const uint8_t *p, size_t have, struct wire_arp *out)
{
    if (have < WIRE_ARP || memcmp(p, arp_ip4_over_ethernet, 6) != 0)
        return false;
    out->op = load_be16(p + 6);
    memcpy(out->sender_mac, p + 8, WIRE_MAC);
    read_ip4(out->sender_ip, p + 14);
    memcpy(out->target_mac, p + 18, WIRE_MAC);
    read_ip4(out->target_ip, p + 24);
    return out->op == WIRE_ARP_REQUEST || out->op == WIRE_ARP_REPLY;
}

void wire_arp_write(uint8_t *p, const struct wire_arp *arp)
{
    memcpy(p, arp_ip4_over_ethernet, 6);
    store_be16(p + 6, arp->op);
    memcpy(p + 8, arp->sender_mac, WIRE_MAC);
    memcpy(p + 14, arp->sender_ip + 12, 4);
    memcpy(p + 18, arp->target_mac, WIRE_MAC);
    memcpy(p + 24, arp->target_ip + 12, 4);
}
