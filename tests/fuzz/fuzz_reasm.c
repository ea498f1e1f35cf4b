/* fuzz_reasm.c - pieces of a stream in any order, overlapping, of several versions, beside an
 * array: of each byte the version that came first is read, once and in order.
 *
 * Input: three bytes a piece: where, how long, and which version; or that it is time to read.
 */
#include "../unit/exhaustive/net.c"
#include "fuzz.h"

enum { STREAM = 64, PIECES_MAX = 200 };

struct model {
    uint8_t byte[STREAM];
    bool has[STREAM], fin;
    uint32_t read;
};

static void take_piece(struct model *m, uint32_t from, uint32_t len, uint8_t version)
{
    uint8_t bytes[STREAM];
    bool fin = from + len == STREAM;
    for (uint32_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)(version + (from + i) * 7);
        if (m->has[from + i])
            continue;
        m->has[from + i] = true;
        m->byte[from + i] = bytes[i];
    }
    m->fin |= fin;
    net_segment(from, bytes, len, fin);
}

static void read_all(struct model *m, size_t cap)
{
    uint8_t got[STREAM];
    ptrdiff_t n = tern_recv(net.end[1].s, net.end[1].sock, got, cap);
    uint32_t ready = m->read;
    while (ready < STREAM && m->has[ready])
        ready++;
    if (n == 0)
        CHECK(m->read == STREAM && m->fin);
    else if (n < 0)
        CHECK(n == TERN_EAGAIN && ready == m->read && !(ready == STREAM && m->fin));
    else
        CHECK((size_t)n == min_size(cap, ready - m->read));
    for (ptrdiff_t i = 0; i < n; i++, m->read++)
        CHECK(got[i] == m->byte[m->read]);
}

static void begin(void)
{
    struct net_config conf = {.middlebox = NULL};
    net_config_default(&conf.tern);
    conf.tern.rcvbuf = conf.tern.rcvbuf_max = 1 << 20; /* no limit of what lies past holes */
    conf.tern.buf_bytes_max = 1 << 20;
    net_begin(&conf);
    net_flow();
    net.wire[0].count = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct model m = {.read = 0};
    begin();
    for (uint32_t i = 0; i < PIECES_MAX && in.left != 0; i++) {
        uint8_t where = fuzz_u8(&in), len = fuzz_u8(&in), version = fuzz_u8(&in);
        uint32_t from = where % STREAM;
        if (where & 128)
            read_all(&m, 1 + len % STREAM);
        else
            take_piece(&m, from, 1 + len % (STREAM - from), version);
    }
    read_all(&m, STREAM);
    CHECK(tern_abort(net.end[1].s, net.end[1].sock) == 0);
    net.end[1].sock.id = 0;
    settle();
    tern_free(net.end[0].s);
    tern_free(net.end[1].s);
    CHECK(books.live == 0);
    net_end();
    return 0;
}
