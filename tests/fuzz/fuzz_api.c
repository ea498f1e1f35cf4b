/* fuzz_api.c - sequences of calls on two stacks that talk to each other, with stale handles, calls
 * in the wrong state, allocations that fail, packets lost, delayed and refused.
 *
 * Every byte sent has a value that its place in its stream determines, so that whatever is read can
 * be judged; no call may do anything but what it may say it does.
 */
#include "fuzz_stack.h"

enum { SOCKS = 8, STEPS = 600, QUEUE = 64, LENT = 3000 };

/* One end of a stream: how far its owner has written and read. */
struct end {
    tern_sock k;
    uint16_t port; /* the client's, by which streams are told apart; 0: not known yet */
    bool client, used;
    uint32_t written, read;
    size_t reserved;
    tern_iov views[4];
    unsigned view_count;
};

struct side {
    struct fuzz_shard f;
    struct end ends[SOCKS];
    tern_sock listener;
    struct {
        uint8_t *p;
        size_t len;
    } queue[QUEUE]; /* on the way from here */
    unsigned head, tail;
};

struct pair {
    struct side side[2];
    struct fuzz_input in;
};

static uint8_t byte_at(bool client, uint16_t port, uint32_t offset)
{
    uint32_t x = (offset + 1) * 2654435761u + port * 40503u + client;
    return (uint8_t)(x >> 24 ^ x >> 11);
}

static void seen(struct fuzz_shard *f, const struct wire_tcp *tcp, const uint8_t *p, size_t len)
{
    struct side *a = f->user;
    (void)tcp;
    if (a->tail - a->head == QUEUE)
        return; /* lost */
    uint8_t *copy = malloc(len);
    CHECK(copy != NULL);
    memcpy(copy, p, len);
    a->queue[a->tail % QUEUE].p = copy;
    a->queue[a->tail++ % QUEUE].len = len;
}

/* The oldest packet arrives at the other side. */
static void deliver(struct pair *pair, unsigned from, bool lost, bool donated)
{
    struct side *a = &pair->side[from], *b = &pair->side[!from];
    if (a->head == a->tail)
        return;
    uint8_t *p = a->queue[a->head % QUEUE].p;
    size_t len = a->queue[a->head++ % QUEUE].len;
    if (lost) {
        free(p);
        return;
    }
    tern_pkt pkt = {.iov_count = 1, .iface = (uint16_t)b->f.iface, .len = (uint32_t)len};
    pkt.flags = TERN_PKT_CSUM_PARTIAL | (donated ? TERN_PKT_DONATED : 0);
    pkt.iov[0] = (tern_iov){.base = p, .len = len};
    pkt.cookie = p;
    b->f.owed += donated;
    tern_input(b->f.s, &pkt, 1, b->f.now);
    if (!donated)
        free(p);
}

/* ---- the calls ------------------------------------------------------------------------------- */

/* What a call on data may say when it says no. */
static bool refusal(ptrdiff_t n) { return n < 0 && n >= TERN_EPROTO; }

static void learn_port(struct side *a, struct end *e)
{
    tern_addr local, peer;
    if (e->port == 0 && tern_names(a->f.s, e->k, &local, &peer) == 0)
        e->port = e->client ? local.port : peer.port;
}

static void opened(struct side *a, struct end *e, tern_sock k, bool client)
{
    *e = (struct end){.k = k, .client = client, .used = true};
    learn_port(a, e);
}

static void call_open(struct pair *pair, struct side *a, struct end *e)
{
    tern_addr to = {.port = 80};
    tern_sock k;
    memcpy(to.ip, a->f.remote, 16);
    if (e->used) { /* forgotten, not closed: its owner has lost it, and its views */
        tern_abort(a->f.s, e->k);
        e->reserved = 0;
    }
    if (fuzz_u8(&pair->in) & 1) {
        if (tern_connect(a->f.s, &k, NULL, &to, NULL) == 0)
            opened(a, e, k, true);
    } else if (tern_accept(a->f.s, a->listener, &k, NULL, NULL) == 0) {
        opened(a, e, k, false);
    }
}

static void call_send(struct pair *pair, struct side *a, struct end *e)
{
    uint8_t buf[2048];
    size_t len = min_size(fuzz_u16(&pair->in), sizeof(buf));
    for (size_t i = 0; i < len; i++)
        buf[i] = byte_at(e->client, e->port, e->written + (uint32_t)i);
    ptrdiff_t n = tern_send(a->f.s, e->k, buf, len);
    CHECK(refusal(n) || (n >= 0 && (size_t)n <= len));
    CHECK(e->reserved == 0 || n < 0);
    e->written += n > 0 ? (uint32_t)n : 0;
}

static void call_lend(struct pair *pair, struct side *a, struct end *e)
{
    size_t len = fuzz_u16(&pair->in) % LENT;
    uint8_t *buf = malloc(LENT);
    CHECK(buf != NULL);
    for (size_t i = 0; i < len; i++)
        buf[i] = byte_at(e->client, e->port, e->written + (uint32_t)i);
    a->f.owed++;
    int err = tern_send_lent(a->f.s, e->k, buf, len, buf);
    if (err == 0) {
        e->written += (uint32_t)len;
        return;
    }
    CHECK(refusal(err));
    a->f.owed--;
    free(buf);
}

static void call_reserve(struct pair *pair, struct side *a, struct end *e)
{
    size_t want = fuzz_u16(&pair->in);
    if (e->reserved == 0) {
        ptrdiff_t n = tern_send_reserve(a->f.s, e->k, e->views, fuzz_u8(&pair->in) % 5, want);
        CHECK(refusal(n) || (n >= 1 && n <= 4));
        e->view_count = n > 0 ? (unsigned)n : 0;
        for (unsigned i = 0; i < e->view_count; i++)
            e->reserved += e->views[i].len;
        CHECK(e->reserved <= want);
        return;
    }
    size_t len = min_size(want, e->reserved), done = 0;
    for (unsigned i = 0; i < e->view_count; i++)
        for (size_t j = 0; j < e->views[i].len; j++, done++)
            ((uint8_t *)e->views[i].base)[j] =
                byte_at(e->client, e->port, e->written + (uint32_t)done);
    int err = tern_send_commit(a->f.s, e->k, len);
    CHECK(err == 0 || refusal(err));
    e->written += err == 0 ? (uint32_t)len : 0;
    e->reserved = 0;
}

static void check_read(struct end *e, const void *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        CHECK(((const uint8_t *)p)[i] == byte_at(!e->client, e->port, e->read + (uint32_t)i));
    e->read += (uint32_t)len;
}

static void call_recv(struct pair *pair, struct side *a, struct end *e)
{
    uint8_t buf[4096];
    size_t cap = min_size(fuzz_u16(&pair->in), sizeof(buf));
    ptrdiff_t n = tern_recv(a->f.s, e->k, buf, cap);
    CHECK(refusal(n) || (n >= 0 && (size_t)n <= cap));
    if (n > 0)
        check_read(e, buf, (size_t)n);
}

static void call_peek(struct pair *pair, struct side *a, struct end *e)
{
    tern_iov v[3];
    size_t len = 0, skip = fuzz_u8(&pair->in) & 1 ? fuzz_u16(&pair->in) : 0;
    ptrdiff_t n = tern_recv_peek(a->f.s, e->k, v, 3, skip);
    CHECK(refusal(n) || (n >= 0 && n <= 3));
    if (n <= 0)
        return;
    uint32_t read = e->read;
    e->read += (uint32_t)skip;
    for (ptrdiff_t i = 0; i < n; i++) {
        check_read(e, v[i].base, v[i].len);
        len += v[i].len;
    }
    e->read = read;
    len = min_size(fuzz_u16(&pair->in), len);
    CHECK(tern_recv_consume(a->f.s, e->k, len) == 0);
    e->read += (uint32_t)len;
}

static void call_other(struct pair *pair, struct side *a, struct end *e)
{
    tern_tcp_info info;
    uint8_t what = fuzz_u8(&pair->in);
    int64_t value = (int8_t)fuzz_u8(&pair->in);
    if (fuzz_u8(&pair->in) & 1)
        value = fuzz_u32(&pair->in);
    tern_sock k = e->k;
    switch (what % 10) {
    case 0:
        tern_shutdown(a->f.s, k);
        break;
    case 1:
    case 2: /* views end with the handle */
        if ((what % 10 == 1 ? tern_close(a->f.s, k) : tern_abort(a->f.s, k)) == 0)
            e->reserved = 0;
        break;
    case 3:
    case 4:
        tern_option_set(a->f.s, k, (enum tern_opt)(what % (TERN_OPT_COUNT + 1)), value);
        break;
    case 5:
        tern_recv_owed(a->f.s, k, (size_t)value & 0xffff);
        break;
    case 6:
        tern_recv_shutdown(a->f.s, k);
        break;
    case 7:
        tern_arm(a->f.s, k, what);
        break;
    case 8:
        CHECK(tern_info(a->f.s, k, &info, sizeof(info)) <= 0);
        break;
    default: /* a handle that is none, or another's */
        k.id ^= (uint64_t)1 << (what % 64);
        CHECK(tern_send(a->f.s, k, "", 0) <= 0);
        CHECK(tern_accept(a->f.s, k, &k, NULL, NULL) <= 0);
        break;
    }
}

static void turn(struct side *a, uint8_t what)
{
    tern_event ev[4];
    tern_advance(a->f.s, a->f.now);
    size_t n = tern_events(a->f.s, ev, what & 4);
    for (size_t i = 0; i < n; i++)
        CHECK(ev[i].mask != 0 && ev[i].sock.id != 0);
    fuzz_output(&a->f, what & 3 ? FUZZ_HELD : 2);
    if (what & 8)
        fuzz_give_back(&a->f, what >> 4, (what & 0x80) != 0);
}

static void step(struct pair *pair)
{
    uint8_t what = fuzz_u8(&pair->in);
    struct side *a = &pair->side[what >> 7];
    struct end *e = &a->ends[(what >> 4) % SOCKS];
    learn_port(a, e);
    switch (what & 15) {
    case 0:
        call_open(pair, a, e);
        break;
    case 1:
        call_lend(pair, a, e);
        break;
    case 2:
        call_reserve(pair, a, e);
        break;
    case 3:
        call_recv(pair, a, e);
        break;
    case 4:
        call_peek(pair, a, e);
        break;
    case 5:
    case 6:
        call_other(pair, a, e);
        break;
    case 7:
        a->f.mem.fail = (what & 16) != 0;
        break;
    case 8:
        a->f.now += (uint64_t)1 << (fuzz_u8(&pair->in) % 42);
        break;
    case 9:
        deliver(pair, what >> 7, (what & 0x60) == 0x60, (what & 16) != 0);
        break;
    case 10:
        turn(a, fuzz_u8(&pair->in));
        break;
    case 11:
    case 12: /* all is well for a moment: what has been sent arrives, and is answered */
        for (unsigned i = 0; i < 6; i++) {
            for (unsigned from = 0; from < 2; from++) {
                fuzz_turn(&pair->side[from].f);
                while (pair->side[from].head != pair->side[from].tail)
                    deliver(pair, from, false, false);
            }
        }
        break;
    default:
        call_send(pair, a, e);
        break;
    }
}

static void start(struct pair *pair, unsigned n, uint8_t how)
{
    struct side *a = &pair->side[n];
    tern_config cfg;
    tern_config_default(&cfg);
    cfg.seed[0] = (uint8_t)(1 + n);
    cfg.conns_max = 6;
    cfg.halfopen_max = 4;
    cfg.timewait_max = 2;
    cfg.output_max = 32;
    cfg.buf_bytes_max = how & 1 ? 16 * 4096 : 256 * 4096;
    cfg.stats = (how & 2) != 0;
    a->f.user = a;
    a->f.seen = seen;
    a->f.link = (tern_iface){.mtu = FUZZ_MTU};
    fuzz_addresses(&a->f, (how & 4) != 0);
    if (n == 1) {
        uint8_t ip[16];
        memcpy(ip, a->f.local, 16);
        memcpy(a->f.local, a->f.remote, 16);
        memcpy(a->f.remote, ip, 16);
    }
    fuzz_shard_start(&a->f, &cfg);
    tern_listen_args args = {.backlog = 3, .local.port = 80};
    CHECK(tern_listen(a->f.s, &a->listener, &args) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pair *pair = calloc(1, sizeof(*pair));
    CHECK(pair != NULL);
    pair->in = (struct fuzz_input){data, size};
    uint8_t how = fuzz_u8(&pair->in);
    start(pair, 0, how & 7);
    start(pair, 1, (how >> 3 & 3) | (how & 4)); /* of one family */
    for (unsigned i = 0; i < STEPS && pair->in.left > 0; i++)
        step(pair);
    for (unsigned n = 0; n < 2; n++) {
        struct side *a = &pair->side[n];
        fuzz_shard_end(&a->f);
        while (a->head != a->tail)
            free(a->queue[a->head++ % QUEUE].p);
    }
    free(pair);
    return 0;
}
