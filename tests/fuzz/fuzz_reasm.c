/* fuzz_reasm.c - reassembly, against a model that keeps each datagram in a plain array.
 *
 * Input: a byte (bit 0: IPv6, bits 1-3: how few datagrams there may be), then fragments: which
 * datagram, how long to wait before it, offset, length, more. The bytes of a datagram are a pattern
 * of its number; a bit spoils them.
 */
#include "fuzz_mem.h"

#include "ip/frag.h"

enum { DATAGRAMS = 4, MOST = 65536, STEPS = 300 };

struct scene {
    struct fuzz_mem mem;
    struct chunks chunks;
    struct frag_table t;
    bool ip6;
    uint64_t now, drops[TERN_DROP_COUNT];
};

static uint8_t pattern(uint32_t which, uint32_t at)
{
    return (uint8_t)((at * 2654435761u + which * 97) >> 13);
}

/* A whole one has the bytes that were sent, unless spoilt ones were. */
static void check_whole(struct scene *sc, struct frag *f, uint32_t which, bool spoilt)
{
    uint8_t header[WIRE_IP6_HEADER];
    tern_pkt pkt;
    struct wire_ip ip;
    uint32_t at = 0;
    frag_packet(f, header, &pkt);
    CHECK(wire_ip_read(header, pkt.iov[0].len, pkt.len, &ip) == TERN_DROP_NONE);
    CHECK(!ip.fragment && ip.payload_len == f->len && ip.frag_id == 0);
    CHECK(pkt.len == pkt.iov[0].len + f->len);
    for (unsigned i = 1; i < pkt.iov_count; i++)
        for (size_t n = 0; n < pkt.iov[i].len; n++, at++)
            CHECK(spoilt || ((const uint8_t *)pkt.iov[i].base)[n] == pattern(which, at));
    CHECK(at == f->len);
    frag_free(&sc->t, f);
}

static void check_table(const struct scene *sc)
{
    uint32_t count = 0, pages = 0;
    for (const struct frag *f = sc->t.oldest, *older = NULL; f != NULL; older = f, f = f->newer) {
        CHECK(f->older == older && (older == NULL || older->until <= f->until));
        for (unsigned i = 0; i < f->count; i++) {
            CHECK(f->range[i].lo < f->range[i].hi);
            CHECK(i == 0 || f->range[i - 1].hi < f->range[i].lo);
        }
        for (unsigned i = 0; i < FRAG_PAGES; i++)
            pages += f->page[i] != NULL;
        count++;
    }
    CHECK(count == sc->t.pool.used && pages == sc->t.pages && pages == sc->chunks.pages);
    CHECK(pages <= sc->t.pages_max);
}

static bool step(struct scene *sc, struct fuzz_input *in, bool *spoilt)
{
    static uint8_t bytes[MOST];
    uint8_t what = fuzz_u8(in);
    uint32_t which = what & (DATAGRAMS - 1);
    struct wire_ip ip = {.version = sc->ip6 ? 6 : 4, .proto = WIRE_UDP, .frag_id = which};
    struct frag *f;
    if (what & 4)
        sc->now += fuzz_u8(in) * 1000000000ull;
    sc->mem.fail = (what & 0xf0) == 0xf0;
    ip.frag_more = (what & 8) != 0;
    ip.frag_off = (uint16_t)(fuzz_u16(in) << (what & 16 ? 3 : 0) & 0xfff8);
    ip.payload_len = (uint16_t)fuzz_u16(in);
    ip.header_len = sc->ip6 ? WIRE_FRAG_HEADER : WIRE_IP4_HEADER;
    static const uint8_t four[16] = {[10] = 0xff, 0xff, 10, 9, 0, 1}, six[16] = {0xfd, 1};
    memcpy(ip.src, sc->ip6 ? six : four, 16);
    memcpy(ip.dst, ip.src, 16);
    for (uint32_t i = 0; i < ip.payload_len; i++)
        bytes[i] = (uint8_t)(pattern(which, ip.frag_off + i) ^ (what & 32 ? 1 : 0));
    spoilt[which] |= (what & 32) != 0;
    tern_pkt pkt = {.iov_count = 2, .len = ip.header_len + (uint32_t)ip.payload_len};
    uint8_t *copy = malloc(pkt.len);
    CHECK(copy != NULL);
    memcpy(copy + ip.header_len, bytes, ip.payload_len);
    size_t cut = pkt.len / 2;
    pkt.iov[0] = (tern_iov){copy, cut};
    pkt.iov[1] = (tern_iov){copy + cut, pkt.len - cut};
    while ((f = frag_due(&sc->t, sc->now)) != NULL) {
        uint8_t quote[FRAG_QUOTE];
        CHECK(frag_quote(f, quote) <= FRAG_QUOTE);
        frag_free(&sc->t, f);
    }
    (void)frag_take(&sc->t, &pkt, &ip, sc->now, sc->drops, &f);
    free(copy);
    if (f != NULL)
        check_whole(sc, f, which, spoilt[which]);
    check_table(sc);
    return in->left > 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct siphash_key key = {3, 4};
    struct fuzz_input in = {data, size};
    struct scene sc = {0};
    bool spoilt[DATAGRAMS] = {false};
    uint8_t how = fuzz_u8(&in);
    sc.ip6 = how & 1;
    fuzz_mem_init(&sc.mem);
    CHECK(chunks_init(&sc.chunks, &sc.mem.mem, (size_t)1 << 20));
    frag_init(&sc.t, &sc.chunks, &key, 1 + (how >> 1 & 7), (size_t)(16 + (how >> 4)) * PAGE_SIZE);
    for (unsigned i = 0; i < STEPS && step(&sc, &in, spoilt); i++)
        ;
    frag_destroy(&sc.t);
    CHECK(sc.chunks.pages == 0);
    chunks_destroy(&sc.chunks);
    fuzz_mem_done(&sc.mem);
    return 0;
}
