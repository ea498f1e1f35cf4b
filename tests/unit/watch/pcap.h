/* pcap.h - the packets of a recorded capture (tests/captures), read and perhaps altered. */
#ifndef TERN_TEST_PCAP_H
#define TERN_TEST_PCAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pcap_packet {
    uint64_t time; /* ns */
    uint8_t *data; /* an IP packet; owned */
    size_t len;
};

struct pcap {
    struct pcap_packet *packets;
    size_t n;
};

/* tests/captures/NAME.pcap; fails the test when it cannot be read. */
struct pcap pcap_read(const char *name);
void pcap_free(struct pcap *p);

/* Where TCP's header begins, and the payload. */
uint8_t *pcap_tcp(const struct pcap_packet *p);
size_t pcap_payload(const struct pcap_packet *p);
/* Makes the checksums right again. */
void pcap_mend(struct pcap_packet *p);

/* Calls `each` with the name of every capture in the folder, in order. */
size_t pcap_each(void (*each)(const char *name, void *user), void *user);

#endif
