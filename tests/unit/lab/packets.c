#include "packets.h"

#include <string.h>

#include "../test.h"

static void put16(uint8_t *p, size_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
    put16(p, v >> 16);
    put16(p + 2, v & 0xffff);
}

static uint32_t get16(const uint8_t *p) { return (uint32_t)p[0] << 8 | p[1]; }

/* RFC 1071, word by word: the sum, not complemented. */
static uint32_t slow_sum(uint32_t sum, const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        sum += (uint32_t)p[i] << (i % 2 == 0 ? 8 : 0);
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return sum;
}

static uint32_t pseudo(const uint8_t *ip, size_t tcp_len)
{
    uint8_t tail[6] = {0, 0, 0, 6};
    put16(tail + 4, tcp_len);
    uint32_t sum = slow_sum(0, tail, 6);
    return ip[0] >> 4 == 4 ? slow_sum(sum, ip + 12, 8) : slow_sum(sum, ip + 8, 32);
}

static size_t put_ip(uint8_t *p, const struct packet_args *a, size_t tcp_len)
{
    if (a->version == 4) {
        memset(p, 0, 20);
        p[0] = 0x45;
        put16(p + 2, 20 + tcp_len);
        put16(p + 4, a->no_df ? 0xfffe : 0);
        p[6] = a->no_df ? 0 : 0x40;
        p[8] = 64;
        p[9] = 6;
        put32(p + 12, 0x0a000001);
        put32(p + 16, 0x0a000002);
        put16(p + 10, ~slow_sum(0, p, 20) & 0xffff);
        return 20;
    }
    size_t extension = a->version == 66 ? 8 : 0;
    memset(p, 0, 48);
    put32(p, 0x60012345);
    put16(p + 4, extension + tcp_len);
    p[6] = extension ? 60 : 6;
    p[7] = 64;
    p[8] = p[24] = 0xfd;
    p[23] = 1;
    p[39] = 2;
    if (extension) { /* destination options: padding */
        p[40] = 6;
        p[42] = 1;
        p[43] = 4;
    }
    return 40 + extension;
}

void packet_make(struct packet *p, const struct packet_args *a)
{
    size_t tcp_len = 20 + a->options + a->payload;
    p->tcp = put_ip(p->data, a, tcp_len);
    p->payload = p->tcp + 20 + a->options;
    p->len = p->tcp + tcp_len;
    assert_true(p->len <= PACKET_BYTES);
    uint8_t *tcp = p->data + p->tcp;
    memset(tcp, 0, 20);
    put16(tcp, 1234);
    put16(tcp + 2, 80);
    put32(tcp + 4, a->seq);
    put32(tcp + 8, 0x11223344);
    tcp[12] = (uint8_t)((20 + a->options) / 4 << 4 | (a->flags >> 8 & 1));
    tcp[13] = (uint8_t)a->flags;
    put16(tcp + 14, 500);
    memset(tcp + 20, 1, a->options); /* no operation */
    for (size_t i = 0; i < a->payload; i++)
        p->data[p->payload + i] = (uint8_t)(a->first + i + i / 251);
    uint32_t sum = pseudo(p->data, tcp_len);
    put16(tcp + 16, a->partial ? sum : ~slow_sum(sum, tcp, tcp_len) & 0xffff);
    p->pkt = (tern_pkt){.len = (uint32_t)p->len, .hdr_len = (uint16_t)p->payload};
    if (a->partial) {
        p->pkt.flags = TERN_PKT_CSUM_PARTIAL;
        p->pkt.csum_start = (uint16_t)p->tcp;
        p->pkt.csum_offset = 16;
    }
    if (a->gso_size != 0) {
        p->pkt.gso_type = a->version == 4 ? TERN_GSO_TCPV4 : TERN_GSO_TCPV6;
        p->pkt.gso_size = a->gso_size;
        p->pkt.gso_segs = (uint16_t)((a->payload + a->gso_size - 1) / a->gso_size);
    }
    packet_cut(p, NULL, 1);
}

void packet_cut(struct packet *p, const size_t *cuts, size_t n)
{
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        size_t end = i + 1 < n ? cuts[i] : p->len;
        p->pkt.iov[i] = (tern_iov){.base = p->data + at, .len = end - at};
        at = end;
    }
    p->pkt.iov_count = (uint16_t)n;
}

void packet_raw(struct packet *p, uint32_t number, size_t len)
{
    put32(p->data, number);
    for (size_t i = 4; i < len; i++)
        p->data[i] = (uint8_t)(number + i);
    p->len = len;
    p->pkt = (tern_pkt){.len = (uint32_t)len};
    packet_cut(p, NULL, 1);
}

uint32_t packet_number(const void *data)
{
    const uint8_t *p = data;
    return get16(p) << 16 | get16(p + 2);
}

bool packet_sums_right(const uint8_t *data, size_t len)
{
    size_t tcp = 20;
    if (data[0] >> 4 == 4 && (get16(data + 2) != len || slow_sum(0, data, 20) != 0xffff))
        return false;
    if (data[0] >> 4 == 6) {
        tcp = data[6] == 60 ? 48 : 40;
        if (get16(data + 4) + 40 != len)
            return false;
    }
    return slow_sum(pseudo(data, len - tcp), data + tcp, len - tcp) == 0xffff;
}
