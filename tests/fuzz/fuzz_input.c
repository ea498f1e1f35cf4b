/* fuzz_input.c - frames into a stack: raw bytes, and segments aimed at connections in every state.
 *
 * Input: a byte of circumstances, then steps: a kind and its arguments. Peers are eight ports of
 * one remote host; what the stack last sent to each is remembered, so that segments can be made
 * that are next, a little off, or anywhere.
 */
#include "fuzz_stack.h"

enum { PEERS = 8, PORT = 1000, STEPS = 400 };

struct peer {
    uint16_t lport;
    uint32_t snd_nxt, rcv_nxt; /* of the stack */
    uint32_t tsval;
    tern_sock k;
};

struct scene {
    struct fuzz_shard f;
    struct fuzz_input in;
    struct peer peers[PEERS];
    tern_sock listener, holder;
};

static void seen(struct fuzz_shard *f, const struct wire_tcp *tcp, const uint8_t *p, size_t len)
{
    struct scene *sc = f->user;
    if (tcp == NULL || tcp->dport < PORT || tcp->dport >= PORT + PEERS)
        return;
    struct peer *peer = &sc->peers[tcp->dport - PORT];
    size_t ip = p[0] >> 4 == 6 ? WIRE_IP6_HEADER : WIRE_IP4_HEADER;
    peer->lport = tcp->sport;
    peer->snd_nxt = tcp->seq + wire_tcp_span(tcp, (uint32_t)(len - ip - tcp->header_len));
    if (tcp->flags & TCP_ACK)
        peer->rcv_nxt = tcp->ack;
    if (tcp->opt.have & WIRE_OPT_TS)
        peer->tsval = tcp->opt.tsval;
}

/* In memory of its own size; some of it donated. */
static void put(struct scene *sc, const uint8_t *p, size_t len, unsigned how)
{
    uint8_t *copy = malloc(len + 1);
    CHECK(copy != NULL);
    memcpy(copy, p, len);
    tern_pkt pkt = {.iov_count = 1, .iface = (uint16_t)sc->f.iface, .len = (uint32_t)len};
    pkt.iov[0] = (tern_iov){.base = copy, .len = len};
    pkt.cookie = copy;
    if (how & 1)
        pkt.flags |= TERN_PKT_CSUM_OK;
    if (how & 2 && len > 2) { /* in two pieces */
        size_t cut = len / 3 * (1 + (how >> 3 & 1));
        pkt.iov[1] = (tern_iov){.base = copy + cut, .len = len - cut};
        pkt.iov[0].len = cut;
        pkt.iov_count = 2;
    }
    if (how & 4) {
        pkt.flags |= TERN_PKT_DONATED;
        sc->f.owed++;
    }
    if (how & 16)
        pkt.gso_size = 100;
    tern_input(sc->f.s, &pkt, 1, sc->f.now);
    if (!(how & 4))
        free(copy);
}

static size_t put_ip(const struct scene *sc, uint8_t *p, uint8_t proto, size_t payload)
{
    struct wire_ip ip = {.version = wire_is_ip4(sc->f.local) ? 4 : 6, .proto = proto, .ttl = 64};
    memcpy(ip.src, sc->f.remote, 16);
    memcpy(ip.dst, sc->f.local, 16);
    ip.payload_len = (uint16_t)payload;
    return wire_ip_write(p, &ip, 0);
}

/* A number near what is expected: exactly it in most cases. */
static uint32_t near(struct fuzz_input *in, uint32_t expected)
{
    uint8_t how = fuzz_u8(in);
    switch (how & 7) {
    case 0:
        return expected - 1;
    case 1:
        return expected + 1 + (how >> 3);
    case 2:
        return expected - fuzz_u16(in);
    case 3:
        return expected + fuzz_u16(in);
    case 4:
        return how & 8 ? fuzz_u32(in) : expected;
    default:
        return expected;
    }
}

static void segment(struct scene *sc)
{
    struct fuzz_input *in = &sc->in;
    uint8_t p[4096] = {0}, who = fuzz_u8(in), flags = fuzz_u8(in);
    struct peer *peer = &sc->peers[who % PEERS];
    size_t options = fuzz_u8(in) % 11 * 4u, payload = fuzz_u8(in) * (size_t)(who >> 4 & 7);
    size_t tcp = WIRE_TCP_HEADER + options;
    uint8_t *h = p + put_ip(sc, p, WIRE_TCP, tcp + payload);
    store_be16(h, (uint16_t)(PORT + who % PEERS));
    store_be16(h + 2, who & 8 ? 80 : peer->lport);
    store_be32(h + 4, near(in, peer->rcv_nxt));
    store_be32(h + 8, near(in, peer->snd_nxt));
    store_be16(h + 12, (uint16_t)(tcp / 4 << 12 | flags));
    store_be16(h + 14, (uint16_t)fuzz_u16(in));
    store_be16(h + 18, flags & TCP_URG ? (uint16_t)fuzz_u16(in) : 0);
    uint8_t kind = fuzz_u8(in);
    if (options >= 12 && kind & 1) { /* timestamps that may be right */
        wire_tcp_put_ts(h + WIRE_TCP_HEADER, (uint32_t)(sc->f.now / 1000000), peer->tsval);
        options -= 12;
    } else if (options >= 12 && kind & 2) { /* a SACK near what is in flight */
        uint8_t *o = h + WIRE_TCP_HEADER;
        store_be32(o, 0x0101050a); /* two NOPs, one block */
        store_be32(o + 4, near(in, peer->snd_nxt));
        store_be32(o + 8, near(in, peer->snd_nxt));
        options -= 12;
    }
    for (size_t i = 0; i < options; i++)
        h[tcp - 1 - i] = fuzz_u8(in);
    put(sc, p, (size_t)(h - p) + tcp + payload, 1 | (kind & 0x1e));
}

static void icmp(struct scene *sc)
{
    struct fuzz_input *in = &sc->in;
    uint8_t p[2048] = {0}, quote[64] = {0}, who = fuzz_u8(in);
    struct peer *peer = &sc->peers[who % PEERS];
    bool ip6 = !wire_is_ip4(sc->f.local);
    size_t head = ip6 ? WIRE_IP6_HEADER : WIRE_IP4_HEADER;
    struct wire_ip ip = {.version = ip6 ? 6 : 4, .proto = WIRE_TCP, .ttl = 9};
    memcpy(ip.src, sc->f.local, 16);
    memcpy(ip.dst, sc->f.remote, 16);
    ip.payload_len = WIRE_TCP_HEADER;
    uint8_t *q = quote + wire_ip_write(quote, &ip, 0);
    store_be16(q, peer->lport);
    store_be16(q + 2, (uint16_t)(PORT + who % PEERS));
    store_be32(q + 4, near(in, peer->snd_nxt));
    uint8_t message[WIRE_ICMP_MAX], type = fuzz_u8(in), code = fuzz_u8(in);
    size_t n = wire_icmp_write_error(message, ip.version, type, code, fuzz_u16(in), sc->f.remote,
                                     sc->f.local, quote, head + WIRE_TCP_HEADER);
    size_t at = put_ip(sc, p, ip6 ? WIRE_ICMP6 : WIRE_ICMP, n);
    memcpy(p + at, message, n);
    put(sc, p, at + n, 0);
}

static void owner(struct scene *sc)
{
    struct fuzz_input *in = &sc->in;
    tern *s = sc->f.s;
    uint8_t what = fuzz_u8(in), buf[2000] = {0};
    unsigned who = what % PEERS;
    struct peer *peer = &sc->peers[who];
    tern_addr to = {.port = (uint16_t)(PORT + who)};
    memcpy(to.ip, sc->f.remote, 16);
    switch (what >> 3 & 7) {
    case 0:
        tern_accept(s, sc->listener, &peer->k, NULL, NULL);
        break;
    case 1:
        tern_connect(s, &peer->k, NULL, &to, NULL);
        break;
    case 2:
    case 3:
        tern_send(s, peer->k, buf, fuzz_u8(in) * (size_t)7);
        break;
    case 4:
        tern_recv(s, peer->k, buf, fuzz_u8(in) * (size_t)7);
        break;
    case 5:
        tern_shutdown(s, peer->k);
        break;
    case 6:
        tern_close(s, peer->k);
        break;
    default:
        tern_option_set(s, peer->k, (enum tern_opt)(fuzz_u8(in) % TERN_OPT_COUNT),
                        (int8_t)fuzz_u8(in));
        break;
    }
}

/* What is done with what is held at SYN time. */
static void holds(struct scene *sc)
{
    tern_event ev[4];
    tern_sock k;
    size_t n = tern_events(sc->f.s, ev, 4);
    for (size_t i = 0; i < n; i++) {
        if (!(ev[i].mask & TERN_EV_HOLD))
            continue;
        uint8_t what = fuzz_u8(&sc->in);
        if (what & 1)
            tern_hold_admit(sc->f.s, ev[i].sock, &k, NULL);
        else if (what & 2)
            tern_hold_refuse(sc->f.s, ev[i].sock, (what >> 3) - 1, 1);
        else if (what & 4)
            tern_hold_drop(sc->f.s, ev[i].sock);
    }
}

static void step(struct scene *sc)
{
    struct fuzz_input *in = &sc->in;
    uint8_t kind = fuzz_u8(in), raw[256];
    size_t len;
    switch (kind & 15) {
    case 0:
        len = min_size(fuzz_u8(in), in->left);
        memcpy(raw, in->p, len);
        in->p += len;
        in->left -= len;
        put(sc, raw, len, kind >> 3);
        break;
    case 1: /* the next two steps arrive before anything leaves */
        return;
    case 2:
        icmp(sc);
        break;
    case 3:
    case 4:
        sc->f.now += (uint64_t)1 << (fuzz_u8(in) % 44);
        break;
    case 5:
        sc->f.mem.fail = (kind & 16) != 0;
        break;
    case 6:
        holds(sc);
        return;
    case 7:
        fuzz_output(&sc->f, kind >> 4);
        fuzz_give_back(&sc->f, kind >> 5, (kind & 16) != 0);
        return;
    case 8:
    case 9:
    case 10:
        owner(sc);
        break;
    default:
        segment(sc);
        if (kind & 64)
            return;
        break;
    }
    fuzz_turn(&sc->f);
}

static void listeners(struct scene *sc)
{
    tern_limits lim = {.halfopen = 3, .conns = 4, .syn_rate = 10};
    tern_listen_args args = {.backlog = 3, .local.port = 80};
    memcpy(args.local.ip, sc->f.local, 16);
    CHECK(tern_listen(sc->f.s, &sc->listener, &args) == 0);
    CHECK(tern_limits_set(sc->f.s, sc->listener, &lim) == 0);
    args.local.port = 81;
    args.flags = TERN_LISTEN_HOLD;
    CHECK(tern_listen(sc->f.s, &sc->holder, &args) == 0);
    for (unsigned i = 0; i < PEERS; i++) {
        sc->peers[i].lport = i & 4 ? 81 : 80;
        sc->peers[i].rcv_nxt = i * 0x30000000u;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct scene *sc = calloc(1, sizeof(*sc));
    CHECK(sc != NULL);
    sc->in = (struct fuzz_input){data, size};
    uint8_t how = fuzz_u8(&sc->in);
    tern_config cfg;
    tern_config_default(&cfg);
    cfg.seed[0] = 1;
    cfg.conns_max = 6;
    cfg.halfopen_max = 4;
    cfg.timewait_max = 2;
    cfg.buf_bytes_max = how & 1 ? 16 * 4096 : 256 * 4096;
    cfg.rcvbuf = how & 2 ? 4000 : 65536;
    cfg.features = how >> 2 & 7;
    sc->f.user = sc;
    sc->f.seen = seen;
    sc->f.link = (tern_iface){.mtu = FUZZ_MTU};
    if (how & 32) {
        sc->f.link.caps = TERN_CAP_CSUM | TERN_CAP_TSO4 | TERN_CAP_TSO6;
        sc->f.link.gso_max = 65535;
    }
    fuzz_addresses(&sc->f, (how & 64) != 0);
    cfg.cookies = how & 128 ? TERN_COOKIES_ALWAYS : TERN_COOKIES_AUTO;
    cfg.sources_max = 2;
    fuzz_shard_start(&sc->f, &cfg);
    listeners(sc);
    for (unsigned i = 0; i < STEPS && sc->in.left > 0; i++)
        step(sc);
    fuzz_shard_end(&sc->f);
    free(sc);
    return 0;
}
