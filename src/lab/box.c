/* box.c - see box.h. Options are overwritten in place, so lengths stay; only joining and splitting
 * make packets of another length. */
#include "lab/box.h"

#include "base/seq.h"
#include "wire/tcp.h"

enum {
    AT_TOS4 = 1,
    AT_TTL4 = 8,
    AT_CHECK4 = 10,
    AT_TTL6 = 7,
    AT_SEQ = 4,
    AT_ACK = 8,
    AT_FLAGS = 13,
    AT_CHECK = 16,
    KIND_END = 0,
    KIND_NOP = 1,
    KIND_MSS = 2,
    KIND_WSCALE = 3,
    KIND_SACK_OK = 4,
    KIND_SACK = 5,
    KIND_TS = 8,
    ECN_BITS = 3,
    PAD_MAX = 32,
};

/* A packet taken apart. */
struct view {
    struct wire_ip ip;
    struct wire_tcp h;
    uint8_t *data, *tcp;
    size_t len, payload; /* bytes: of the packet, of TCP's payload */
};

static bool look(struct view *v, uint8_t *data, size_t len)
{
    v->data = data;
    v->len = len;
    if (wire_ip_read(data, len, len, &v->ip) != TERN_DROP_NONE || v->ip.proto != WIRE_TCP ||
        v->ip.fragment || (size_t)v->ip.header_len + v->ip.payload_len != len)
        return false;
    v->tcp = data + v->ip.header_len;
    if (wire_tcp_read(v->tcp, v->ip.payload_len, v->ip.payload_len, &v->h) != TERN_DROP_NONE)
        return false;
    v->payload = v->ip.payload_len - v->h.header_len;
    return true;
}

/* ---- checksums ------------------------------------------------------------------------------- */

static void sum_ip(uint8_t *data)
{
    size_t header_len = (size_t)(data[0] & 15) * 4;
    if (data[0] >> 4 != 4)
        return;
    store_be16(data + AT_CHECK4, 0);
    uint16_t check = cksum_finish(cksum_portable(data, header_len, 0));
    memcpy(data + AT_CHECK4, &check, 2);
}

static void sum_tcp(const struct wire_ip *ip, uint8_t *tcp, size_t len)
{
    store_be16(tcp + AT_CHECK, 0);
    uint64_t sum = wire_pseudo_sum(ip->src, ip->dst, WIRE_TCP, (uint32_t)len);
    uint16_t check = cksum_finish(cksum_add(cksum_portable(tcp, len, 0), sum));
    memcpy(tcp + AT_CHECK, &check, 2);
}

static void set_length(const struct wire_ip *ip, uint8_t *data, size_t payload_len)
{
    if (ip->version == 4)
        store_be16(data + 2, (uint16_t)(ip->header_len + payload_len));
    else
        store_be16(data + 4, (uint16_t)(ip->header_len - WIRE_IP6_HEADER + payload_len));
}

/* ---- options --------------------------------------------------------------------------------- */

static uint8_t strip_of(uint8_t kind)
{
    switch (kind) {
    case KIND_MSS:
        return LAB_STRIP_MSS;
    case KIND_WSCALE:
        return LAB_STRIP_WSCALE;
    case KIND_SACK_OK:
        return LAB_STRIP_SACK_OK;
    case KIND_SACK:
        return LAB_STRIP_SACK;
    case KIND_TS:
        return LAB_STRIP_TS;
    default:
        return LAB_STRIP_OTHER;
    }
}

static void renumber_blocks(uint8_t *option, uint32_t shift)
{
    for (size_t at = 2; at + 4 <= option[1]; at += 4)
        store_be32(option + at, load_be32(option + at) - shift);
}

static void change_options(const struct lab_box *b, const struct view *v, uint8_t strip,
                           uint32_t ack_shift)
{
    uint8_t *o = v->tcp + WIRE_TCP_HEADER, *end = v->tcp + v->h.header_len;
    while (o < end && *o != KIND_END) {
        size_t n = *o == KIND_NOP ? 1 : o[1];
        if (*o == KIND_MSS && b->mss_max != 0 && load_be16(o + 2) > b->mss_max)
            store_be16(o + 2, b->mss_max);
        if (*o == KIND_SACK && !b->keep_sacks)
            renumber_blocks(o, ack_shift);
        if (*o != KIND_NOP && strip & strip_of(*o))
            memset(o, KIND_NOP, n);
        o += n;
    }
}

static uint8_t strips(const struct lab_box *b, struct lab_random *r, uint16_t flags)
{
    if (flags & TCP_SYN)
        return flags & TCP_ACK ? b->strip_synack : b->strip_syn;
    return b->strip_data != 0 && lab_random_chance(r, b->strip_chance) ? b->strip_data : 0;
}

/* ---- headers --------------------------------------------------------------------------------- */

static void change_tos(const struct lab_box *b, uint8_t *data)
{
    bool ip4 = data[0] >> 4 == 4;
    uint8_t tos = (uint8_t)(ip4 ? data[AT_TOS4] : data[0] << 4 | data[1] >> 4);
    uint8_t ecn = tos & ECN_BITS;
    if (b->ecn == LAB_ECN_TOS)
        tos = 0;
    else if (b->ecn == LAB_ECN_BLEACH)
        tos &= (uint8_t)~ECN_BITS;
    else if (b->ecn == LAB_ECN_MARK && ecn != 0)
        tos |= ECN_BITS;
    if (ip4) {
        data[AT_TOS4] = tos;
    } else {
        data[0] = (uint8_t)((data[0] & 0xf0) | tos >> 4);
        data[1] = (uint8_t)((data[1] & 0x0f) | tos << 4);
    }
    if (b->ttl != 0)
        data[ip4 ? AT_TTL4 : AT_TTL6] = b->ttl;
    sum_ip(data);
}

static void change_numbers(const struct lab_box *b, int dir, const struct view *v)
{
    uint16_t port = load_be16(v->tcp + 2 * dir);
    store_be16(v->tcp + 2 * dir, (uint16_t)(port + (dir == 0 ? 1 : -1) * b->port_shift));
    store_be32(v->tcp + AT_SEQ, v->h.seq + b->shift[dir]);
    if (v->h.flags & TCP_ACK)
        store_be32(v->tcp + AT_ACK, v->h.ack - b->shift[!dir]);
}

static bool only_acknowledges(const struct view *v)
{
    return (v->h.flags & (TCP_SYN | TCP_FIN | TCP_RST | TCP_ACK)) == TCP_ACK && v->payload == 0;
}

bool box_pass(const struct lab_box *b, struct lab_random *r, int dir, uint8_t *data, size_t len)
{
    struct view v;
    if (!look(&v, data, len))
        return true;
    bool asks = (v.h.flags & (TCP_SYN | TCP_ACK | TCP_ECE)) == (TCP_SYN | TCP_ECE);
    if ((asks && b->drop_ecn_syn) || (only_acknowledges(&v) && lab_random_chance(r, b->ack_loss)))
        return false;
    change_options(b, &v, strips(b, r, v.h.flags), b->shift[!dir]);
    change_numbers(b, dir, &v);
    if (b->ecn == LAB_ECN_FLAGS)
        v.tcp[AT_FLAGS] &= (uint8_t) ~(TCP_ECE | TCP_CWR);
    change_tos(b, data);
    sum_tcp(&v.ip, v.tcp, v.ip.payload_len);
    return true;
}

size_t box_cut(const struct lab_box *b, struct lab_random *r, uint8_t *data, size_t len,
               size_t room)
{
    if (!lab_random_chance(r, b->truncate))
        return len;
    if (lab_random_chance(r, 0.5))
        return 1 + (size_t)lab_random_below(r, len);
    size_t pad = min_size(room - len, (size_t)lab_random_below(r, PAD_MAX));
    memset(data + len, (int)lab_random_below(r, UINT8_MAX), pad);
    return len + pad;
}

/* ---- other segments -------------------------------------------------------------------------- */

size_t box_pieces(const struct lab_box *b, const uint8_t *data, size_t len)
{
    struct view v;
    uint8_t *p = (uint8_t *)(uintptr_t)data; /* look() only reads it */
    if (b->split == 0 || !look(&v, p, len) || v.payload <= b->split || v.h.flags & TCP_SYN)
        return 1;
    return (v.payload + b->split - 1) / b->split;
}

size_t box_piece(const struct lab_box *b, const uint8_t *data, size_t len, size_t i, uint8_t *out)
{
    struct view v;
    memcpy(out, data, len);
    (void)look(&v, out, len);
    size_t from = i * b->split, n = min_size(v.payload - from, b->split);
    if (from + n < v.payload)
        v.tcp[AT_FLAGS] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
    if (i != 0)
        v.tcp[AT_FLAGS] &= (uint8_t)~TCP_CWR;
    store_be32(v.tcp + AT_SEQ, v.h.seq + (uint32_t)from);
    memmove(v.tcp + v.h.header_len, v.tcp + v.h.header_len + from, n);
    set_length(&v.ip, out, v.h.header_len + n);
    sum_ip(out);
    sum_tcp(&v.ip, v.tcp, v.h.header_len + n);
    return v.ip.header_len + v.h.header_len + n;
}

static bool same_flow(const struct view *a, const struct view *f)
{
    return a->h.sport == f->h.sport && a->h.dport == f->h.dport && a->ip.tos == f->ip.tos &&
           wire_ip_equal(a->ip.src, f->ip.src) && wire_ip_equal(a->ip.dst, f->ip.dst);
}

/* The payload of both behind the header of the later one. */
static size_t append(struct view *a, const struct view *f, size_t room)
{
    size_t payload = a->payload + f->payload, len = a->ip.header_len + a->h.header_len + payload;
    if (len > room)
        return 0;
    memcpy(a->tcp + a->h.header_len + a->payload, f->tcp + f->h.header_len, f->payload);
    memcpy(a->tcp, f->tcp, f->h.header_len);
    store_be32(a->tcp + AT_SEQ, a->h.seq);
    set_length(&a->ip, a->data, a->h.header_len + payload);
    sum_ip(a->data);
    sum_tcp(&a->ip, a->tcp, a->h.header_len + payload);
    return len;
}

size_t box_join(const struct lab_box *b, uint8_t *ahead, size_t ahead_len, const uint8_t *data,
                size_t len, size_t room)
{
    struct view a, f;
    uint8_t *p = (uint8_t *)(uintptr_t)data; /* look() only reads it */
    uint16_t special = TCP_SYN | TCP_FIN | TCP_RST | TCP_URG | TCP_CWR | TCP_ECE | TCP_AE;
    if (!(b->ack_newest || b->join != 0) || !look(&a, ahead, ahead_len) || !look(&f, p, len) ||
        !same_flow(&a, &f) || a.h.header_len != f.h.header_len || a.h.flags & special)
        return 0;
    if (only_acknowledges(&a) && only_acknowledges(&f)) {
        if (!b->ack_newest || !seq_gt(f.h.ack, a.h.ack))
            return 0;
        memcpy(ahead, data, len);
        return len;
    }
    if (a.payload == 0 || f.payload == 0 || f.h.flags & (special & ~TCP_FIN) ||
        f.h.seq != a.h.seq + a.payload || f.h.ack != a.h.ack)
        return 0;
    return append(&a, &f, min_size(room, b->join));
}
