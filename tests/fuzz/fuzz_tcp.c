/* fuzz_tcp.c - the TCP reader.
 *
 * Input: how many bytes are missing at hand, the segment. What was read is written and read again.
 */
#include "fuzz.h"

#include "wire/tcp.h"

static void check_options(const struct wire_tcp *tcp)
{
    const struct wire_tcp_options *opt = &tcp->opt;
    const unsigned syn_only = WIRE_OPT_MSS | WIRE_OPT_WSCALE | WIRE_OPT_SACK_OK;
    CHECK(opt->sack_count <= WIRE_SACK_MAX);
    CHECK((opt->sack_count != 0) == ((opt->have & WIRE_OPT_SACK) != 0));
    CHECK((tcp->flags & TCP_SYN) || !(opt->have & syn_only));
    CHECK((opt->have & WIRE_OPT_MSS) || opt->mss == 0);
    CHECK((opt->have & WIRE_OPT_WSCALE) || opt->wscale == 0);
    CHECK((opt->have & WIRE_OPT_TS) || (opt->tsval == 0 && opt->tsecr == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    size_t missing = fuzz_u8(&in), have, len = in.left;
    uint8_t *p = fuzz_rest(&in, len > missing ? len - missing : 0, &have);
    struct wire_tcp tcp, again;
    memset(&tcp, 0, sizeof(tcp)); /* padding is compared below */
    memset(&again, 0, sizeof(again));
    enum tern_drop drop = wire_tcp_read(p, have, len, &tcp);
    CHECK(drop == TERN_DROP_NONE || drop == TERN_DROP_SHORT || drop == TERN_DROP_TCP_HEADER ||
          drop == TERN_DROP_TCP_OPTIONS);
    if (drop == TERN_DROP_NONE) {
        CHECK(tcp.header_len >= 20 && tcp.header_len <= 60 && tcp.header_len <= have);
        check_options(&tcp);
        if (wire_tcp_options_len(&tcp.opt) <= WIRE_TCP_OPTIONS_MAX) {
            uint8_t header[60];
            size_t header_len = wire_tcp_write(header, &tcp);
            CHECK(wire_tcp_read(header, header_len, header_len, &again) == TERN_DROP_NONE);
            tcp.header_len = (uint16_t)header_len;
            CHECK((tcp.opt.md5 != NULL) == (again.opt.md5 != NULL)); /* where each was read */
            again.opt.md5 = tcp.opt.md5;
            CHECK(memcmp(&tcp, &again, sizeof(tcp)) == 0);
        }
    }
    free(p);
    return 0;
}
