/* pcap.c - see pcap.h. The files are as tests/captures/record writes them: nanoseconds, raw IP. */
#include "pcap.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../test.h"
#include "wire/tcp.h"

static void path_of(char *out, size_t cap, const char *name)
{
    const char *root = getenv("TERN_ROOT"), *tests = strstr(__FILE__, "/unit/watch/");
    if (root != NULL)
        snprintf(out, cap, "%s/tests/captures/%s", root, name);
    else /* started by hand */
        snprintf(out, cap, "%.*s/captures/%s", (int)(tests - __FILE__), __FILE__, name);
}

static uint32_t le32(const uint8_t *b)
{
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

struct pcap pcap_read(const char *name)
{
    char file[128], path[1024];
    uint8_t header[24];
    struct pcap p = {NULL, 0};
    snprintf(file, sizeof(file), "%s.pcap", name);
    path_of(path, sizeof(path), file);
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        fail_msg("%s cannot be read", path);
    assert_int_equal(fread(header, 1, sizeof(header), f), sizeof(header));
    assert_int_equal(le32(header), 0xa1b23c4d);
    assert_int_equal(le32(header + 20), 101);
    while (fread(header, 1, 16, f) == 16) {
        struct pcap_packet *more = realloc(p.packets, (p.n + 1) * sizeof(*more));
        assert_non_null(more);
        p.packets = more;
        more += p.n++;
        more->time = (uint64_t)le32(header) * 1000000000u + le32(header + 4);
        more->len = le32(header + 8);
        more->data = malloc(more->len);
        assert_non_null(more->data);
        assert_int_equal(fread(more->data, 1, more->len, f), more->len);
    }
    fclose(f);
    return p;
}

void pcap_free(struct pcap *p)
{
    for (size_t i = 0; i < p->n; i++)
        free(p->packets[i].data);
    free(p->packets);
}

static size_t ip_header(const struct pcap_packet *p)
{
    return p->data[0] >> 4 == 4 ? (p->data[0] & 15u) * 4 : WIRE_IP6_HEADER;
}

uint8_t *pcap_tcp(const struct pcap_packet *p) { return p->data + ip_header(p); }

size_t pcap_payload(const struct pcap_packet *p)
{
    return p->len - ip_header(p) - (pcap_tcp(p)[12] >> 4) * 4u;
}

void pcap_mend(struct pcap_packet *p)
{
    struct wire_ip ip;
    uint8_t *tcp = pcap_tcp(p);
    size_t len = p->len - ip_header(p);
    if (p->data[0] >> 4 == 4) {
        memset(p->data + 10, 0, 2);
        uint16_t header = cksum_finish(cksum_portable(p->data, ip_header(p), 0));
        memcpy(p->data + 10, &header, 2);
    }
    assert_int_equal(wire_ip_read(p->data, p->len, p->len, &ip), TERN_DROP_NONE);
    memset(tcp + 16, 0, 2);
    uint64_t sum = wire_pseudo_sum(ip.src, ip.dst, WIRE_TCP, (uint32_t)len);
    uint16_t check = cksum_finish(cksum_add(cksum_portable(tcp, len, 0), sum));
    memcpy(tcp + 16, &check, 2);
}

static int is_capture(const struct dirent *d)
{
    size_t len = strlen(d->d_name);
    return len > 5 && strcmp(d->d_name + len - 5, ".pcap") == 0;
}

size_t pcap_each(void (*each)(const char *name, void *user), void *user)
{
    char path[1024], name[128];
    struct dirent **found;
    path_of(path, sizeof(path), "");
    int n = scandir(path, &found, is_capture, alphasort);
    assert_true(n >= 0);
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof(name), "%.*s", (int)strlen(found[i]->d_name) - 5, found[i]->d_name);
        each(name, user);
        free(found[i]);
    }
    free(found);
    return (size_t)n;
}
