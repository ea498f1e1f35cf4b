/* pcapfile.c - see pcapfile.h. */
#include "host/pcapfile.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

enum {
    ETHER_IP4 = 0x0800,
    ETHER_IP6 = 0x86dd,
    ETHER_VLAN = 0x8100,
    ETHER_QINQ = 0x88a8,
    ETHER_MPLS = 0x8847,
    ETHER_PPPOE = 0x8864,
    PPP_IP4 = 0x0021,
    PPP_IP6 = 0x0057,
    LAYERS_MAX = 8,
};

static uint16_t be16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }

struct pcapfile {
    pcap_t *pcap;
    int link;
};

static bool link_known(int link)
{
    switch (link) {
    case DLT_EN10MB:
    case DLT_RAW:
    case DLT_IPV4:
    case DLT_IPV6:
    case DLT_NULL:
    case DLT_LOOP:
    case DLT_LINUX_SLL:
    case DLT_LINUX_SLL2:
    case DLT_PPP:
    case DLT_PPP_SERIAL:
    case DLT_PPP_ETHER:
    case DLT_C_HDLC:
        return true;
    default:
        return false;
    }
}

static bool set_filter(pcap_t *pcap, const char *filter, char error[PCAPFILE_ERROR])
{
    struct bpf_program program;
    if (filter == NULL)
        return true;
    bool fine = pcap_compile(pcap, &program, filter, 1, PCAP_NETMASK_UNKNOWN) == 0;
    if (fine) {
        fine = pcap_setfilter(pcap, &program) == 0;
        pcap_freecode(&program);
    }
    if (!fine)
        snprintf(error, PCAPFILE_ERROR, "the filter: %s", pcap_geterr(pcap));
    return fine;
}

struct pcapfile *pcapfile_open(const char *path, const char *filter, char error[PCAPFILE_ERROR])
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (file == NULL) {
        snprintf(error, PCAPFILE_ERROR, "%s", strerror(errno));
        return NULL;
    }
    return pcapfile_read(file, filter, error);
}

struct pcapfile *pcapfile_read(FILE *file, const char *filter, char error[PCAPFILE_ERROR])
{
    char why[PCAP_ERRBUF_SIZE] = "";
    struct pcapfile *f = calloc(1, sizeof(*f));
    if (f == NULL) {
        snprintf(error, PCAPFILE_ERROR, "out of memory");
        fclose(file);
        return NULL;
    }
    f->pcap = pcap_fopen_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, why);
    if (f->pcap == NULL) {
        snprintf(error, PCAPFILE_ERROR, "%s", why);
        fclose(file);
        free(f);
        return NULL;
    }
    f->link = pcap_datalink(f->pcap);
    const char *name = pcap_datalink_val_to_name(f->link);
    if (!link_known(f->link))
        snprintf(error, PCAPFILE_ERROR, "its link type is %s, which is not understood here",
                 name != NULL ? name : "unknown");
    else if (set_filter(f->pcap, filter, error))
        return f;
    pcapfile_close(f);
    return NULL;
}

void pcapfile_close(struct pcapfile *f)
{
    if (f == NULL)
        return;
    pcap_close(f->pcap);
    free(f);
}

/* Where IP begins in what follows an EtherType: behind tags, labels and a PPP session; SIZE_MAX: it
 * is not IP. */
static size_t behind_ether(uint16_t type, const uint8_t *p, size_t at, size_t have)
{
    for (int layers = 0; layers < LAYERS_MAX; layers++) {
        if (type == ETHER_IP4 || type == ETHER_IP6)
            return at;
        if (have < at + 8)
            return SIZE_MAX;
        if (type == ETHER_VLAN || type == ETHER_QINQ) {
            type = be16(p + at + 2);
            at += 4;
        } else if (type == ETHER_PPPOE) {
            uint16_t proto = be16(p + at + 6);
            return proto == PPP_IP4 || proto == PPP_IP6 ? at + 8 : SIZE_MAX;
        } else if (type == ETHER_MPLS) { /* what the last label carries shows in its first bits */
            bool last = p[at + 2] & 1;
            at += 4;
            if (last)
                type = p[at] >> 4 == 4 ? ETHER_IP4 : p[at] >> 4 == 6 ? ETHER_IP6 : 0;
        } else {
            return SIZE_MAX;
        }
    }
    return SIZE_MAX;
}

static size_t behind_ppp(const uint8_t *p, size_t have)
{
    size_t at = have >= 2 && p[0] == 0xff && p[1] == 3 ? 2 : 0;
    if (have < at + 2)
        return SIZE_MAX;
    uint16_t proto = be16(p + at);
    return proto == PPP_IP4 || proto == PPP_IP6 ? at + 2 : SIZE_MAX;
}

/* How many bytes stand before the IP header; SIZE_MAX: it is not IP. */
static size_t link_header(int link, const uint8_t *p, size_t have)
{
    switch (link) {
    case DLT_EN10MB:
        return have >= 14 ? behind_ether(be16(p + 12), p, 14, have) : SIZE_MAX;
    case DLT_LINUX_SLL:
        return have >= 16 ? behind_ether(be16(p + 14), p, 16, have) : SIZE_MAX;
    case DLT_LINUX_SLL2:
        return have >= 20 ? behind_ether(be16(p), p, 20, have) : SIZE_MAX;
    case DLT_C_HDLC:
        return have >= 4 ? behind_ether(be16(p + 2), p, 4, have) : SIZE_MAX;
    case DLT_PPP_ETHER:
        return behind_ether(ETHER_PPPOE, p, 0, have);
    case DLT_PPP:
    case DLT_PPP_SERIAL:
        return behind_ppp(p, have);
    case DLT_NULL:
    case DLT_LOOP:
        return 4; /* which family of addresses; the IP header says so, too */
    default:
        return 0;
    }
}

int pcapfile_next(struct pcapfile *f, struct pcapfile_packet *out, char error[PCAPFILE_ERROR])
{
    struct pcap_pkthdr *h;
    const u_char *data;
    int result = pcap_next_ex(f->pcap, &h, &data);
    memset(out, 0, sizeof(*out));
    if (result == PCAP_ERROR_BREAK)
        return 0;
    if (result != 1) {
        snprintf(error, PCAPFILE_ERROR, "%s", pcap_geterr(f->pcap));
        return -1;
    }
    out->time = (uint64_t)h->ts.tv_sec * 1000000000u + (uint64_t)h->ts.tv_usec;
    size_t skip = link_header(f->link, data, h->caplen);
    if (skip < h->caplen && h->len >= h->caplen) {
        out->data = data + skip;
        out->have = h->caplen - skip;
        out->len = h->len - skip;
    }
    return 1;
}
