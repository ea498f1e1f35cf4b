/* segment.c - software segmentation (what a device does with TSO). Of the headers only what must
 * differ from packet to packet is changed: lengths, the sequence number, the IPv4 identification if
 * it may be needed, FIN and PSH (on the last packet only), CWR (on the first), and the checksums.
 */
#include "lab/segment.h"

enum { /* offsets in headers, and one flag */
       IP4_ID = 4,
       IP4_FLAGS = 6,
       IP4_CHECK = 10,
       IP4_DF = 0x40,
       TCP_AT_FLAGS = 13,
       TCP_CHECK = 16,
       UDP_CHECK = 6,
};

/* ---- bytes that lie in several pieces -------------------------------------------------------- */

/* The next contiguous bytes, `max` at most. */
static const uint8_t *next_piece(struct segmenter *s, size_t max, size_t *len)
{
    const tern_iov *v = &s->pkt->iov[s->piece];
    while (s->piece_off == v->len) {
        v = &s->pkt->iov[++s->piece];
        s->piece_off = 0;
    }
    TERN_ASSERT(s->piece < s->pkt->iov_count);
    const uint8_t *p = (const uint8_t *)v->base + s->piece_off;
    *len = min_size(v->len - s->piece_off, max);
    s->piece_off += *len;
    return p;
}

static void copy(struct segmenter *s, uint8_t *to, size_t len)
{
    while (len > 0) {
        size_t n;
        const uint8_t *p = next_piece(s, len, &n);
        memcpy(to, p, n);
        to += n;
        len -= n;
    }
}

static uint64_t copy_sum(struct segmenter *s, uint8_t *to, size_t len, uint64_t sum)
{
    bool odd = false;
    while (len > 0) {
        size_t n;
        const uint8_t *p = next_piece(s, len, &n);
        if (odd)
            sum = cksum_add(sum, cksum_shift(s->cksum.copy(to, p, n, 0)));
        else
            sum = s->cksum.copy(to, p, n, sum);
        odd ^= n & 1;
        to += n;
        len -= n;
    }
    return sum;
}

static bool lengths_fit(const tern_pkt *pkt)
{
    if (pkt->iov_count > TERN_PKT_IOV || pkt->len == 0)
        return false;
    size_t sum = 0;
    for (uint32_t i = 0; i < pkt->iov_count; i++)
        sum += pkt->iov[i].len;
    return sum == pkt->len;
}

void segment_gather(const tern_pkt *pkt, uint8_t *to)
{
    TERN_ASSERT(lengths_fit(pkt));
    for (uint32_t i = 0; i < pkt->iov_count; i++) {
        memcpy(to, pkt->iov[i].base, pkt->iov[i].len);
        to += pkt->iov[i].len;
    }
}

/* ---- a single packet ------------------------------------------------------------------------- */

static bool begin_single(const struct segmenter *s)
{
    const tern_pkt *pkt = s->pkt;
    return pkt->len <= SEGMENT_PACKET_MAX &&
           (!(pkt->flags & TERN_PKT_CSUM_PARTIAL) ||
            (uint32_t)pkt->csum_start + pkt->csum_offset + 2 <= pkt->len);
}

static void take_single(struct segmenter *s, uint8_t *to)
{
    const tern_pkt *pkt = s->pkt;
    if (!(pkt->flags & TERN_PKT_CSUM_PARTIAL)) {
        copy(s, to, pkt->len);
        return;
    }
    /* In the checksum's place stands the sum of the pseudo-header. */
    copy(s, to, pkt->csum_start);
    uint16_t check = cksum_finish(copy_sum(s, to + pkt->csum_start, pkt->len - pkt->csum_start, 0));
    if (check == 0 && pkt->csum_offset == UDP_CHECK)
        check = UINT16_MAX; /* RFC 768: 0 would mean that there is none */
    memcpy(to + pkt->csum_start + pkt->csum_offset, &check, 2);
}

/* ---- a super-segment ------------------------------------------------------------------------- */

static bool begin_super(struct segmenter *s)
{
    const tern_pkt *pkt = s->pkt;
    size_t have = min_size(pkt->len, sizeof(s->header));
    copy(s, s->header, have);
    struct wire_tcp tcp;
    uint8_t version = pkt->gso_type == TERN_GSO_TCPV4 ? 4 : 6;
    if ((pkt->gso_type != TERN_GSO_TCPV4 && pkt->gso_type != TERN_GSO_TCPV6) ||
        wire_ip_read(s->header, have, pkt->len, &s->ip) != TERN_DROP_NONE ||
        s->ip.version != version || s->ip.proto != WIRE_TCP || s->ip.fragment ||
        (size_t)s->ip.header_len + s->ip.payload_len != pkt->len ||
        wire_tcp_read(s->header + s->ip.header_len, have - s->ip.header_len, s->ip.payload_len,
                      &tcp) != TERN_DROP_NONE)
        return false;
    s->ip_len = s->ip.header_len;
    s->header_len = s->ip_len + tcp.header_len;
    s->size = pkt->gso_size;
    s->left = pkt->len - s->header_len;
    s->piece = 0;
    s->piece_off = 0;
    for (size_t skip = s->header_len, n; skip > 0; skip -= n)
        next_piece(s, skip, &n);
    return s->left > 0;
}

static void write_ip(const struct segmenter *s, uint8_t *ip, size_t len)
{
    if (s->ip.version == 6) {
        store_be16(ip + 4, (uint16_t)(len - WIRE_IP6_HEADER));
        return;
    }
    store_be16(ip + 2, (uint16_t)len);
    if (!(ip[IP4_FLAGS] & IP4_DF)) /* RFC 6864: without DF each needs its own */
        store_be16(ip + IP4_ID, (uint16_t)(load_be16(ip + IP4_ID) + s->count));
    store_be16(ip + IP4_CHECK, 0);
    uint16_t check = cksum_finish(s->cksum.sum(ip, s->ip_len, 0));
    memcpy(ip + IP4_CHECK, &check, 2);
}

static void take_super(struct segmenter *s, uint8_t *to)
{
    uint32_t n = (uint32_t)min_size(s->size, s->left);
    uint8_t *tcp = to + s->ip_len;
    uint32_t tcp_len = s->header_len - s->ip_len + n;
    memcpy(to, s->header, s->header_len);
    write_ip(s, to, s->header_len + n);
    store_be32(tcp + 4, load_be32(tcp + 4) + s->count * s->size);
    if (n < s->left)
        tcp[TCP_AT_FLAGS] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
    if (s->count > 0)
        tcp[TCP_AT_FLAGS] &= (uint8_t)~TCP_CWR;
    store_be16(tcp + TCP_CHECK, 0);
    uint64_t sum = wire_pseudo_sum(s->ip.src, s->ip.dst, WIRE_TCP, tcp_len);
    sum = s->cksum.sum(tcp, tcp_len - n, sum);
    uint16_t check = cksum_finish(copy_sum(s, to + s->header_len, n, sum));
    memcpy(tcp + TCP_CHECK, &check, 2);
    s->left -= n;
    s->count++;
}

/* ---- either ---------------------------------------------------------------------------------- */

bool segment_begin(struct segmenter *s, const tern_pkt *pkt, struct cksum_ops cksum)
{
    s->pkt = pkt;
    s->cksum = cksum;
    s->piece = s->count = s->size = s->header_len = s->ip_len = 0;
    s->piece_off = 0;
    s->left = pkt->len;
    if (!lengths_fit(pkt))
        return false;
    if (pkt->gso_type == TERN_GSO_NONE)
        return begin_single(s);
    return pkt->gso_size != 0 && begin_super(s);
}

size_t segment_len(const struct segmenter *s)
{
    if (s->size == 0 || s->left == 0)
        return s->left;
    return s->header_len + min_size(s->size, s->left);
}

void segment_take(struct segmenter *s, uint8_t *to)
{
    TERN_ASSERT(s->left > 0);
    if (s->size != 0) {
        take_super(s, to);
        return;
    }
    take_single(s, to);
    s->left = 0;
}

bool segment_mark(uint8_t *packet, size_t len)
{
    enum { CE = 3 };
    if (len < WIRE_IP4_HEADER)
        return false;
    if (packet[0] >> 4 == 6) {
        bool capable = (packet[1] >> 4 & CE) != 0;
        packet[1] |= capable ? CE << 4 : 0;
        return capable;
    }
    uint8_t was = packet[1];
    if ((was & CE) == 0)
        return false;
    packet[1] |= CE;
    uint32_t sum = (uint32_t)packet[10] << 8 | packet[11]; /* RFC 1624: ~(~HC + ~m + m') */
    sum = (0xffff - sum) + (0xffffu - was) + packet[1];
    sum = (sum & 0xffff) + (sum >> 16);
    sum = 0xffff - ((sum & 0xffff) + (sum >> 16));
    packet[10] = (uint8_t)(sum >> 8);
    packet[11] = (uint8_t)sum;
    return true;
}

bool lab_segment(const tern_pkt *pkt, lab_emit_fn emit, void *user)
{
    struct segmenter s;
    uint8_t packet[SEGMENT_PACKET_MAX];
    /* the portable sum: asking the processor for a better one costs more than it saves */
    struct cksum_ops portable = {.sum = cksum_portable, .copy = cksum_copy_portable};
    if (!segment_begin(&s, pkt, portable))
        return false;
    size_t len;
    while ((len = segment_len(&s)) != 0) {
        segment_take(&s, packet);
        emit(user, packet, len);
    }
    return true;
}
