/* packet.h - an IP packet, taken apart as far as an observer of TCP wants to know it. */
#ifndef TERN_WATCH_PACKET_H
#define TERN_WATCH_PACKET_H

#include "wire/icmp.h"
#include "wire/tcp.h"

struct packet {
    struct wire_ip ip;
    struct wire_tcp tcp;   /* unless is_icmp */
    struct wire_icmp icmp; /* if is_icmp */
    bool is_icmp;          /* an error that quotes TCP */
    const uint8_t *payload;
    size_t len;   /* of the payload */
    size_t here;  /* bytes of it that are at hand */
    bool whole;   /* all of it is at hand; packet_read() takes no other */
    uint16_t sum; /* of a whole payload, as words lie in memory; follow_packet() fills it */
};

/* false: nothing to follow (not TCP, a fragment, malformed). TCP's checksum is not looked at. */
bool packet_read(const uint8_t *data, size_t len, struct packet *out);

/* The same of a packet of which only the first `have` bytes are at hand; `payload` may end
 * early. */
bool packet_read_part(const uint8_t *data, size_t have, size_t len, struct packet *out);

/* The two addresses of the connection it belongs to, as seen from the end `from` that sent it: [0]
 * is end 0's. An ICMP error belongs to the connection it quotes. */
void packet_pair(const struct packet *p, int from, tern_addr pair[2]);

static inline bool addr_equal(const tern_addr *a, const tern_addr *b)
{
    return a->port == b->port && memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

/* "SYN ACK" of TCP's flags; "no flags". `out` holds PACKET_FLAGS bytes. */
enum { PACKET_FLAGS = 64 };
char *packet_flags(char *out, uint16_t flags);

#endif
