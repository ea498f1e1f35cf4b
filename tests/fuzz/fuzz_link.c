/* fuzz_link.c - a stack on Ethernet that listens in both families, and a peer who says anything.
 *
 * Input: runs of a length (two bytes, at most FRAME_MAX), a pause (one byte, in 50 ms) and a frame.
 * Lengths, checksums and the question "is it for us?" are put right in half of them, so that what
 * follows is reached.
 */
#include "fuzz.h"

#include "base/cksum.h"
#include "tern/info.h"
#include "wire/nd.h"

enum { FRAME_MAX = 400, PAUSE = 50000000, BATCH = 16 };

static const uint8_t our_mac[6] = {2, 0, 0, 0, 0, 1};
static const uint8_t ours4[16] = {[10] = 0xff, 0xff, 10, 9, 0, 2};
static const uint8_t ours6[16] = {0xfd, 0, 0, 9, [15] = 2};

static void *take(void *user, size_t size, size_t align)
{
    void *p;
    (void)user;
    CHECK(posix_memalign(&p, align < sizeof(p) ? sizeof(p) : align, size) == 0);
    return p;
}

static void give(void *user, void *p, size_t size)
{
    (void)user, (void)size;
    free(p);
}

static tern *start(int *iface)
{
    tern *s;
    tern_sock k;
    tern_config cfg = {.size = sizeof cfg};
    tern_iface link = {.mac = our_mac, .mtu = 1500, .flags = TERN_IFACE_NO_DAD | TERN_IFACE_NO_MLD};
    tern_listen_args args = {.local = {.port = 80}, .backlog = 4};
    tern_config_default(&cfg);
    cfg.alloc = take;
    cfg.free = give;
    cfg.seed[0] = 1;
    cfg.conns_max = cfg.halfopen_max = cfg.timewait_max = 16;
    cfg.neighbors_max = 8;
    CHECK(tern_new(&s, &cfg, 1) == 0);
    *iface = tern_iface_add(s, &link);
    CHECK(tern_iface_addr(s, *iface, ours4, 96 + 24) == 0);
    CHECK(tern_iface_addr(s, *iface, ours6, 64) == 0);
    CHECK(tern_listen(s, &k, &args) == 0);
    return s;
}

/* Something goes out to an address that the peer has named: somebody is looked for. */
static void dial(tern *s, const uint8_t *ip)
{
    tern_sock k;
    tern_addr to = {.port = 80};
    memcpy(to.ip, ip, 16);
    (void)tern_connect(s, &k, NULL, &to, NULL);
}

static void put_right(uint8_t *p, size_t len)
{
    uint16_t check;
    memcpy(p, our_mac, 6);
    if (len < 14 + 40 || p[12] != 0x86 || p[13] != 0xdd)
        return;
    uint8_t *ip = p + 14;
    ip[0] = 0x60;
    store_be16(ip + 4, (uint16_t)(len - 54));
    if (ip[6] != WIRE_ICMP6 || len < 54 + 4)
        return;
    ip[7] = 255;
    memset(p + 56, 0, 2);
    check = cksum_finish(
        cksum_portable(p + 54, len - 54,
                       wire_pseudo_sum(ip + 8, ip + 24, WIRE_ICMP6, (uint32_t)(len - 54))));
    memcpy(p + 56, &check, 2);
}

static void drain(tern *s, int iface, uint64_t now)
{
    tern_pkt pkts[BATCH];
    tern_event ev[BATCH];
    while (tern_events(s, ev, BATCH) > 0) {
    }
    for (int i = 0; i < 64; i++) {
        size_t n = tern_output(s, iface, pkts, BATCH, now);
        for (size_t k = 0; k < n; k++) {
            const uint8_t *p = pkts[k].iov[0].base;
            CHECK(pkts[k].iov[0].len >= WIRE_ETH_HEADER);
            CHECK(memcmp(p + 6, our_mac, 6) == 0);
        }
        tern_output_done(s, pkts, n);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    int iface;
    tern *s = start(&iface);
    uint64_t now = 1;
    while (in.left > 3) {
        size_t want = min_size(fuzz_u16(&in) % FRAME_MAX, in.left), len;
        uint8_t pause = fuzz_u8(&in);
        uint8_t *p = fuzz_rest(&in, want, &len);
        now += (uint64_t)(pause >> 1) * PAUSE;
        if (pause & 1 && len >= WIRE_ETH_HEADER)
            put_right(p, len);
        if (len >= 54 && pause & 2)
            dial(s, p + 22);
        tern_pkt pkt = {.iov_count = 1, .len = (uint32_t)len, .iface = (uint16_t)iface};
        pkt.iov[0] = (tern_iov){p, len};
        tern_input(s, &pkt, 1, now);
        tern_advance(s, now);
        drain(s, iface, now);
        free(p);
    }
    tern_free(s);
    return 0;
}
