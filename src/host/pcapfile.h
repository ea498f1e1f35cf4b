/* pcapfile.h - captures (pcap, pcapng) from a file or standard input, as IP packets: libpcap reads
 * them, and what the link put before the IP header is taken off. */
#ifndef TERN_HOST_PCAPFILE_H
#define TERN_HOST_PCAPFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct pcapfile;

struct pcapfile_packet {
    uint64_t time;       /* ns since 1970 */
    const uint8_t *data; /* the IP packet, until the next call */
    size_t have, len;    /* bytes captured; bytes there were */
};

enum { PCAPFILE_ERROR = 512 };

/* `path` "-": standard input. `filter`: an expression of pcap-filter(7), or NULL. NULL: `error`
 * says why. */
struct pcapfile *pcapfile_open(const char *path, const char *filter, char error[PCAPFILE_ERROR]);
/* The same; `file` is closed with it, or at once. */
struct pcapfile *pcapfile_read(FILE *file, const char *filter, char error[PCAPFILE_ERROR]);
/* 1: a packet (len 0: not IP), 0: the end, -1: `error` says what is wrong with the rest. */
int pcapfile_next(struct pcapfile *f, struct pcapfile_packet *out, char error[PCAPFILE_ERROR]);
void pcapfile_close(struct pcapfile *f);

#endif
