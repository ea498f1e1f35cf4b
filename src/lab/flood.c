/* flood.c - see flood.h.
 *
 * The forged SYNs reach the server's interface as the honest ones do. Its answers to them travel
 * to a host that is not who they are for, and are dropped there: a forged source never replies.
 *
 * An honest client gives up as a person would: a SYN that was lost is sent again after one second,
 * and two seconds later the connection has failed.
 */
#include "lab/flood.h"

#include <stdlib.h>

#include "lab/random.h"
#include "lab/world.h"
#include "wire/tcp.h"

enum {
    PORT = 80,
    CLIENTS = 100,
    LONGER = 16, /* FLOOD_BACKLOG */
    SYN_RETRIES = 1,
    PACKET = WIRE_IP6_HEADER + WIRE_TCP_HEADER + WIRE_TCP_OPTIONS_MAX,
    MTU = 1500,
    MSS = 1460,
    CONNS_MAX = 65535,
};
#define SECOND 1000000000ull
#define SOON (SECOND / 5)       /* FLOOD_TIMEOUT; five times the usual round trip */
#define AFTERWARDS (5 * SECOND) /* until the last honest connection is made or has failed */

static const struct {
    const char *name, *text;
} defences[] = {
#define X(id, name, text) [FLOOD_##id] = {name, text},
    FLOOD_DEFENCES(X)
#undef X
};

const char *flood_name(enum flood_defence defence) { return defences[defence].name; }
const char *flood_text(enum flood_defence defence) { return defences[defence].text; }

static const uint8_t forged_net4[16] = {[10] = 0xff, 0xff, 198, 18},
                     forged_net6[16] = {0x20, 0x01, 0, 0x02};
enum { FORGED_BITS4 = 96 + 15, FORGED_BITS6 = 55 };

/* An honest connection; its address is the sockets' `user`. */
struct attempt {
    tern_sock sock;
    uint64_t began;
};

struct flood {
    const struct flood_config *cfg;
    struct flood_result *out;
    struct lab_pair pair;
    struct lab_random random;
    tern_sock listener;
    struct attempt *attempts;
    uint32_t attempts_max;
    size_t bytes_before;
};

/* ---- the honest ------------------------------------------------------------------------------ */

/* The server sends each client a byte and closes. */
static void server_event(void *user, tern *s, const tern_event *ev)
{
    struct flood *f = user;
    tern_sock k;

    if (ev->mask & TERN_EV_ACCEPT)
        while (tern_accept(s, f->listener, &k, NULL, NULL) == 0) {
            (void)tern_send(s, k, "x", 1);
            (void)tern_close(s, k);
        }
}

static void client_event(void *user, tern *s, const tern_event *ev)
{
    struct flood *f = user;
    struct attempt *a = ev->user;
    char byte;

    if (ev->mask & TERN_EV_READ && a->began != 0 && tern_recv(s, ev->sock, &byte, 1) == 1) {
        uint64_t took = lab_world_now(f->pair.w) - a->began;
        a->began = 0;
        f->out->made++;
        if (took > f->out->connect_max)
            f->out->connect_max = took;
        (void)tern_close(s, ev->sock);
    } else if (ev->mask & TERN_EV_ERROR) {
        f->out->failed += a->began != 0;
        a->began = 0;
        (void)tern_close(s, ev->sock);
    }
}

/* An honest client's address: each is in a network of its own. */
static void honest_address(const struct flood_config *cfg, uint32_t number, uint8_t ip[16])
{
    memcpy(ip, cfg->ip6 ? lab_client_ip6 : lab_client_ip4, 16);
    ip[cfg->ip6 ? 7 : 14] = (uint8_t)(1 + number % CLIENTS);
}

static void try_to_connect(struct flood *f)
{
    tern_addr peer = {.port = PORT}, local = {.port = 0};

    if (f->out->tried == f->attempts_max)
        return;
    memcpy(peer.ip, f->cfg->ip6 ? lab_server_ip6 : lab_server_ip4, 16);
    honest_address(f->cfg, f->out->tried, local.ip);
    struct attempt *a = &f->attempts[f->out->tried++];
    a->began = lab_world_now(f->pair.w);
    if (tern_connect(f->pair.client, &a->sock, &local, &peer, a) < 0) {
        a->began = 0;
        f->out->failed++;
    }
}

/* ---- the forged ------------------------------------------------------------------------------ */

/* From anywhere in 198.18.0.0/15 or 2001:2::/55, which are nobody's: 512 networks. */
static void forge_source(struct flood *f, uint8_t ip[16])
{
    uint64_t x = lab_random_u64(&f->random), y = lab_random_u64(&f->random);

    if (f->cfg->ip6) {
        memcpy(ip, forged_net6, 16);
        ip[6] = x & 1;
        ip[7] = (uint8_t)(x >> 1);
        memcpy(ip + 8, &y, 8);
        return;
    }
    memcpy(ip, forged_net4, 16);
    ip[13] += x & 1;
    ip[14] = (uint8_t)(x >> 1);
    ip[15] = (uint8_t)y;
}

static void forge(struct flood *f, uint8_t *packet, tern_pkt *pkt)
{
    struct wire_tcp tcp = {.sport = (uint16_t)(1024 + lab_random_below(&f->random, 60000)),
                           .dport = PORT,
                           .seq = (uint32_t)lab_random_u64(&f->random),
                           .flags = TCP_SYN,
                           .wnd = 64240};
    struct wire_ip ip = {.version = f->cfg->ip6 ? 6 : 4, .proto = WIRE_TCP, .ttl = 64};

    tcp.opt.have = WIRE_OPT_MSS | WIRE_OPT_SACK_OK | WIRE_OPT_TS | WIRE_OPT_WSCALE;
    tcp.opt.mss = MSS;
    tcp.opt.wscale = 8;
    tcp.opt.tsval = (uint32_t)lab_random_u64(&f->random);
    forge_source(f, ip.src);
    memcpy(ip.dst, f->cfg->ip6 ? lab_server_ip6 : lab_server_ip4, 16);
    size_t tcp_len = WIRE_TCP_HEADER + wire_tcp_options_len(&tcp.opt);
    ip.payload_len = (uint16_t)tcp_len;
    size_t len = wire_ip_write(packet, &ip, 0);
    len += wire_tcp_write(packet + len, &tcp);
    *pkt = (tern_pkt){.iov_count = 1,
                      .flags = TERN_PKT_CSUM_OK,
                      .len = (uint32_t)len,
                      .iov = {{packet, len}}};
}

static void send_forged(struct flood *f)
{
    uint8_t packet[PACKET];
    tern_pkt pkt;

    forge(f, packet, &pkt);
    f->out->forged++;
    tern_input(f->pair.server, &pkt, 1, lab_world_now(f->pair.w));
}

/* ---- the world ------------------------------------------------------------------------------- */

static void configure(const struct flood_config *cfg, tern_config *server, tern_config *client)
{
    bool all = cfg->defence == FLOOD_ALL;

    tern_config_default(server);
    tern_config_default(client);
    client->conns_max = client->timewait_max = server->conns_max = CONNS_MAX;
    client->syn_retries = SYN_RETRIES;
    server->halfopen_max = cfg->queue;
    server->cookies = TERN_COOKIES_NEVER;
    server->source_bits4 = 24;
    if (all || cfg->defence == FLOOD_BACKLOG)
        server->halfopen_max *= LONGER;
    if (all || cfg->defence == FLOOD_TIMEOUT)
        server->rto_initial = SOON, server->synack_retries = 0;
    if (all || cfg->defence == FLOOD_COOKIES)
        server->cookies = TERN_COOKIES_AUTO;
}

/* What is set once there is a listener. */
static int defend(const struct flood *f)
{
    const struct flood_config *cfg = f->cfg;
    tern_limits limits = {.halfopen = 1};
    int err = 0;

    if (cfg->defence == FLOOD_LIMIT || cfg->defence == FLOOD_ALL)
        err = tern_limits_set(f->pair.server, f->listener, &limits);
    if (err >= 0 && cfg->defence == FLOOD_FILTER)
        err = tern_rule_set(f->pair.server, forged_net4, FORGED_BITS4, TERN_RULE_DENY);
    if (err >= 0 && cfg->defence == FLOOD_FILTER)
        err = tern_rule_set(f->pair.server, forged_net6, FORGED_BITS6, TERN_RULE_DENY);
    return err;
}

static int add_clients(const struct flood *f)
{
    uint8_t ip[16];
    int err = 0;

    for (uint32_t i = 0; i < CLIENTS && err >= 0; i++) {
        honest_address(f->cfg, i, ip);
        err = tern_iface_addr(f->pair.client, 0, ip, f->cfg->ip6 ? 64 : 96 + 24);
    }
    return err;
}

static int build(struct flood *f)
{
    const struct flood_config *cfg = f->cfg;
    struct lab_host_config server = {.event = server_event, .user = f},
                           client = {.event = client_event, .user = f};
    struct lab_config link = {.dir = {{.delay = cfg->delay}, {.delay = cfg->delay}}};
    tern_iface iface = {.mtu = MTU};
    tern_listen_args args = {.local.port = PORT, .backlog = CONNS_MAX};
    static const uint8_t any[16];
    tern_memory memory;

    configure(cfg, &server.tern, &client.tern);
    int err = lab_pair_new(&f->pair, cfg->seed, &client, &server, &iface, &link);
    if (err < 0)
        return err;
    /* forged sources, too, are somewhere beyond the link */
    err = tern_route_add(f->pair.server, any, 0, NULL, 0);
    if (err >= 0)
        err = add_clients(f);
    if (err >= 0)
        err = tern_listen(f->pair.server, &f->listener, &args);
    if (err >= 0)
        err = defend(f);
    tern_memory_of(f->pair.server, &memory);
    f->bytes_before = memory.bytes;
    return err < 0 ? err : 0;
}

static void measure(struct flood *f)
{
    tern_memory memory;

    tern_memory_of(f->pair.server, &memory);
    if (memory.halfopen > f->out->halfopen_max)
        f->out->halfopen_max = memory.halfopen;
    if (memory.bytes_peak > f->bytes_before)
        f->out->bytes = memory.bytes_peak - f->bytes_before;
}

static bool none_tried(void *user)
{
    const struct flood *f = user;

    return f->out->made + f->out->failed == f->out->tried;
}

/* When number `n` of what comes so often a second is due. */
static uint64_t due(uint32_t rate, uint64_t n) { return rate ? n * SECOND / rate : TERN_NEVER; }

/* One SYN at a time, each at its own time, so that nobody finds room by coming first in a batch. */
static void play(struct flood *f)
{
    const struct flood_config *cfg = f->cfg;
    uint64_t honest = 0, forged = cfg->rate ? 0 : TERN_NEVER;

    for (;;) {
        uint64_t at = honest < forged ? honest : forged;
        if (at >= cfg->duration)
            break;
        (void)lab_world_run(f->pair.w, LAB_PAIR_START + at, NULL, NULL);
        if (at == honest) {
            try_to_connect(f);
            /* not in step with anything */
            honest = due(cfg->honest, f->out->tried) + lab_random_below(&f->random, SECOND / 1000);
        } else {
            send_forged(f);
            forged = due(cfg->rate, f->out->forged);
        }
        measure(f);
    }
    (void)lab_world_run(f->pair.w, LAB_PAIR_START + cfg->duration + AFTERWARDS, none_tried, f);
    f->out->failed = f->out->tried - f->out->made;
    f->out->server = *tern_counters_of(f->pair.server);
}

int flood_run(struct flood_result *out, const struct flood_config *cfg)
{
    struct flood *f = calloc(1, sizeof *f);

    memset(out, 0, sizeof *out);
    if (!f)
        return TERN_ENOMEM;
    f->cfg = cfg;
    f->out = out;
    f->attempts_max = (uint32_t)(cfg->honest * (cfg->duration / SECOND + 1)) + 1;
    f->attempts = calloc(f->attempts_max, sizeof *f->attempts);
    lab_random_seed(&f->random, lab_random_derive(cfg->seed, 1));
    int err = f->attempts ? build(f) : TERN_ENOMEM;
    if (err >= 0)
        play(f);
    lab_world_free(f->pair.w);
    free(f->attempts);
    free(f);
    return err < 0 ? err : 0;
}
