/* fuzz_ip.c - the IP readers, with the TCP reader behind them.
 *
 * Input: flags (bit 0: mend the IPv4 checksum), how many bytes are missing at hand, the packet.
 */
#include "fuzz.h"

#include "wire/tcp.h"

static void mend_checksum(uint8_t *p, size_t len)
{
    if (len < 20 || p[0] >> 4 != 4)
        return;
    size_t header_len = min_size(len & ~(size_t)1, (p[0] & 15u) * 4);
    if (header_len < 20)
        return;
    store_be16(p + 10, 0);
    uint16_t check = cksum_finish(cksum_portable(p, header_len, 0));
    memcpy(p + 10, &check, 2);
}

/* A header of our own with the same content reads the same. */
static void check_write(const struct wire_ip *ip)
{
    uint8_t header[40];
    struct wire_ip again;
    if (ip->fragment || wire_ip6_extension(ip->proto))
        return;
    if (ip->version == 4 && ip->payload_len > 65535 - 20)
        return;
    size_t len = wire_ip_write(header, ip, 0x12345);
    CHECK(wire_ip_read(header, len, 65535 + 40, &again) == TERN_DROP_NONE);
    CHECK(again.header_len == len && again.payload_len == ip->payload_len);
    CHECK(again.proto == ip->proto && again.ttl == ip->ttl && again.tos == ip->tos);
    CHECK(wire_ip_equal(again.src, ip->src) && wire_ip_equal(again.dst, ip->dst));
    CHECK(wire_is_ip4(ip->src) == (ip->version == 4));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    uint8_t flags = fuzz_u8(&in);
    size_t missing = fuzz_u8(&in), have;
    size_t total = in.left;
    uint8_t *p = fuzz_rest(&in, total > missing ? total - missing : 0, &have);
    if (flags & 1)
        mend_checksum(p, have);
    struct wire_ip ip;
    enum tern_drop drop = wire_ip_read(p, have, total, &ip);
    if (drop == TERN_DROP_NONE) {
        CHECK(ip.version == 4 || ip.version == 6);
        CHECK(ip.header_len >= 20 && ip.header_len <= have);
        CHECK(ip.header_len <= 40 + 512 + 8);
        CHECK((size_t)ip.header_len + ip.payload_len <= total);
        CHECK(ip.l4_proto_off < ip.header_len && p[ip.l4_proto_off] == ip.proto);
        check_write(&ip);
        struct wire_tcp tcp;
        size_t at_hand = have - ip.header_len; /* perhaps more than the payload: padding */
        if (wire_tcp_read(p + ip.header_len, at_hand, ip.payload_len, &tcp) == TERN_DROP_NONE)
            CHECK(tcp.header_len <= at_hand && tcp.header_len <= ip.payload_len);
    }
    free(p);
    return 0;
}
