/* fuzz_icmp.c - the ICMP reader.
 *
 * Input: flags (bit 0: version 6), how many bytes are missing at hand, the message. It is also
 * quoted in an error of our own, whose quote is then read.
 */
#include "fuzz.h"

#include "wire/icmp.h"

static void check(const struct wire_icmp *icmp, enum tern_drop drop, uint8_t version)
{
    CHECK(drop == TERN_DROP_NONE || drop == TERN_DROP_ICMP_MALFORMED);
    if (drop != TERN_DROP_NONE)
        CHECK(!icmp->quotes_tcp);
    if (icmp->quotes_tcp) {
        CHECK(icmp->kind >= WIRE_ICMP_NET);
        CHECK(wire_is_ip4(icmp->src) == (version == 4));
        CHECK(wire_is_ip4(icmp->dst) == (version == 4));
    }
    CHECK(icmp->mtu == 0 || icmp->kind == WIRE_ICMP_TOO_BIG);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    uint8_t version = fuzz_u8(&in) & 1 ? 6 : 4;
    size_t missing = fuzz_u8(&in), have, len = in.left;
    uint8_t *p = fuzz_rest(&in, len > missing ? len - missing : 0, &have);
    struct wire_icmp icmp;
    check(&icmp, wire_icmp_read(p, have, len, version, &icmp), version);

    static uint8_t error[WIRE_ICMP_MAX];
    static const uint8_t src[16] = {1}, dst[16] = {2};
    size_t error_len = wire_icmp_write_error(error, version, 3, 0, 0, src, dst, p, have);
    CHECK(error_len <= (version == 4 ? WIRE_ICMP4_MAX : WIRE_ICMP_MAX));
    CHECK(error_len >= 8 && error_len <= 8 + have);
    check(&icmp, wire_icmp_read(error, error_len, error_len, version, &icmp), version);
    free(p);
    return 0;
}
