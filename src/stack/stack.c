/* stack.c - a shard's configuration and life, its interfaces, and its clock. */
#include "stack/stack.h"

#define MS(n) ((n)*NS_PER_MS)
#define SECONDS(n) ((n)*NS_PER_S)

void tern_config_default(tern_config *cfg)
{
    *cfg = (tern_config){
        .size = sizeof(*cfg),
        .shard_count = 1,
        .conns_max = 65536,
        .halfopen_max = 16384,
        .orphans_max = 16384,
        .timewait_max = 65536,
        .listeners_max = 1024,
        .ifaces_max = 8,
        .addrs_max = 4096,
        .routes_max = 256,
        .fastopen_peers_max = 256,
        .fastopen_pending_max = 4096,
        .md5_keys_max = 1024,
        .neighbors_max = 1024,
        .udp_max = 1024,
        .udp_rcvbuf = 212992,
        .udp_sndbuf = 212992,
        .fragments_max = 1024,
        .fragment_bytes_max = (size_t)4 << 20,
        .sources_max = 16384,
        .rules_max = 1024,
        .source_bits4 = 32,
        .source_bits6 = 64,
        .output_max = 4096,
        .replies_max = 1024,
        .advance_max = 4096,
        .buf_bytes_max = (size_t)256 << 20,
        .features = TERN_FEATURE_TIMESTAMPS | TERN_FEATURE_WSCALE | TERN_FEATURE_SACK |
                    TERN_FEATURE_DSACK | TERN_FEATURE_PROBE | TERN_FEATURE_FRTO |
                    TERN_FEATURE_PMTUD,
        .reordering = 3,
        .rcvbuf = 65536,
        .rcvbuf_max = 15728640,
        .sndbuf = 65536,
        .sndbuf_max = 4194304,
        .rto_initial = SECONDS(1),
        .rto_min = MS(200),
        .rto_max = SECONDS(120),
        .delack = MS(40),
        .msl = SECONDS(30),
        .fin_wait2 = SECONDS(60),
        .hold = SECONDS(60),
        .idle = SECONDS(1),
        .syn_retries = 6,
        .synack_retries = 5,
        .data_retries = 15,
        .pace_ss_ratio = 200,
        .pace_ca_ratio = 120,
        .idle_restart = true,
        .ecn = 5,
        .ecn_option = 2,
        .ecn_fallback = true,
        .ttl = 64,
        .stats = true,
        .cc = &tern_cc_cubic,
        .tuning = {.recovery = 1,
                   .retries1 = 3,
                   .comp_sack_percent = 33,
                   .comp_sack_us = 1000,
                   .comp_slack_us = 100,
                   .invalid_ms = 500,
                   .reordering_max = 300,
                   .mtu_base = 1024,
                   .mtu_floor = 48,
                   .mtu_threshold = 8,
                   .mtu_interval_s = 600,
                   .min_rtt_s = 300,
                   .rfc1337 = true,
                   .pingpong = 1,
                   .ecn_beacon = 3,
                   .mss_least = 48},
    };
}

static bool config_ok(const tern_config *cfg)
{
    static const uint8_t zero[32];
    return cfg->size == sizeof(*cfg) && cfg->alloc != NULL && cfg->free != NULL &&
           memcmp(cfg->seed, zero, sizeof(zero)) != 0 && cfg->cc != NULL &&
           cfg->cc->state_size <= TERN_CC_STATE_MAX && cfg->style <= TERN_STYLE_RFC &&
           cfg->conns_max != 0 &&
           cfg->conns_max + (uint64_t)cfg->halfopen_max + cfg->listeners_max + cfg->udp_max <
               1u << 24 &&
           cfg->udp_max != 0 && cfg->udp_rcvbuf != 0 && cfg->udp_sndbuf != 0 &&
           cfg->halfopen_max != 0 && cfg->timewait_max != 0 && cfg->timewait_max < 1u << 28 &&
           cfg->listeners_max != 0 && cfg->listeners_max <= UINT16_MAX && cfg->ifaces_max != 0 &&
           cfg->ifaces_max <= PATHS_MAX && cfg->addrs_max != 0 && cfg->addrs_max < 1u << 24 &&
           cfg->routes_max != 0 && cfg->routes_max < 1u << 20 && cfg->neighbors_max != 0 &&
           cfg->neighbors_max < 1u << 20 && cfg->fragments_max != 0 &&
           cfg->fragments_max < 1u << 20 && cfg->fragment_bytes_max >= UINT16_MAX &&
           cfg->output_max != 0 && cfg->output_max < UINT16_MAX && cfg->replies_max != 0 &&
           cfg->advance_max != 0 && cfg->buf_bytes_max >= PAGE_SIZE && cfg->rcvbuf != 0 &&
           cfg->sndbuf != 0 && cfg->rcvbuf <= cfg->rcvbuf_max && cfg->rcvbuf_max <= 1u << 30 &&
           cfg->sndbuf <= cfg->sndbuf_max && cfg->sndbuf_max <= 1u << 30 && cfg->ttl != 0 &&
           cfg->rto_min != 0 && cfg->rto_initial != 0 && cfg->rto_max >= cfg->rto_min &&
           cfg->delack < NS_PER_S / 2 && cfg->shard < 256 && cfg->msl <= DURATION_MAX / 2 &&
           cfg->orphans_max != 0 && cfg->orphan <= DURATION_MAX &&
           cfg->close_wait <= DURATION_MAX && cfg->fin_wait2 <= DURATION_MAX &&
           cfg->hold <= DURATION_MAX && cfg->ecn <= ECN_CONFIG_MAX && cfg->mtu_probing <= 2 &&
           cfg->ecn_option <= 3 && cfg->idle <= DURATION_MAX && cfg->tx_horizon <= DURATION_MAX &&
           cfg->rto_max <= DURATION_MAX && cfg->rto_initial <= DURATION_MAX &&
           cfg->cookies <= TERN_COOKIES_NEVER && cfg->sources_max != 0 &&
           cfg->sources_max < 1u << 24 && cfg->rules_max != 0 && cfg->rules_max < UINT16_MAX &&
           cfg->source_bits4 <= 32 && cfg->source_bits6 <= 128;
}

static struct siphash_key address_key(const tern_config *cfg, const struct siphash_key *seed)
{
    static const uint8_t none[16];
    if (memcmp(cfg->address_key, none, 16) != 0)
        return siphash_key(cfg->address_key);
    return (struct siphash_key){.k0 = siphash24(seed, "identifiers", 11),
                                .k1 = siphash24(seed, "of interfaces", 13)};
}

int tern_tune(tern *s, const tern_config *cfg)
{
    enum { FIRST = offsetof(tern_config, features), END = offsetof(tern_config, cc) };
    if (!config_ok(cfg))
        return TERN_EINVAL;
    memcpy((char *)&s->cfg + FIRST, (const char *)cfg + FIRST, END - FIRST);
    return 0;
}

static int init(tern *s, const tern_config *cfg, struct mem *mem, uint64_t now)
{
    s->cfg = *cfg;
    s->mem = *mem;
    s->cksum = cksum_select();
    struct siphash_key seed = siphash_key(cfg->seed), key;
    key.k0 = siphash24(&seed, "addresses", 9);
    key.k1 = siphash24(&seed, "of shards", 9);
    struct siphash_key by_neighbor = {.k0 = siphash24(&seed, "neighbours", 10),
                                      .k1 = siphash24(&seed, "of links", 8)};
    struct siphash_key by_address = {.k0 = siphash24(&seed, "addresses of links", 18),
                                     .k1 = siphash24(&seed, "and their timers", 16)};
    s->auto_next = s->mld_next = TERN_NEVER;
    s->auto_key = address_key(cfg, &seed);
    struct siphash_key by_fragment = {.k0 = siphash24(&seed, "fragments", 9),
                                      .k1 = siphash24(&seed, "of datagrams", 12)};
    struct siphash_key by_port = {.k0 = siphash24(&seed, "datagrams", 9),
                                  .k1 = siphash24(&seed, "of ports", 8)};
    s->pmtu.key.k0 = siphash24(&seed, "paths", 5);
    s->pmtu.key.k1 = siphash24(&seed, "of packets", 10);
    s->icmp_key.k0 = siphash24(&seed, "errors", 6);
    s->icmp_key.k1 = siphash24(&seed, "of icmp", 7);
    struct tcp_host host = {.context = s,
                            .reply = stack_reply,
                            .icmp_error = stack_icmp_error,
                            .check = stack_check,
                            .route = stack_route,
                            .doubt = link_doubt};
    if (!chunks_init(&s->chunks, &s->mem, cfg->buf_bytes_max) ||
        !addrs_init(&s->addrs, &s->mem, &key, cfg->addrs_max) ||
        !ip_routes_init(&s->routes, &s->mem, cfg->routes_max) ||
        !udp_init(&s->udp, &s->mem, &s->chunks, &by_port, cfg->udp_max))
        return TERN_ENOMEM;
    ip_addrs_init(&s->ip, &s->mem, &by_address, &s->cfg);
    neigh_init(&s->neighbors, &s->mem, &by_neighbor, cfg->neighbors_max);
    frag_init(&s->frags, &s->chunks, &by_fragment, cfg->fragments_max, cfg->fragment_bytes_max);
    pool_init(&s->outrecs, &s->mem, sizeof(struct outrec), cfg->output_max);
    s->chunks.release = cfg->release;
    s->chunks.release_user = cfg->user;
    int err = tcp_init(&s->tcp, &s->cfg, &s->mem, &s->chunks, &s->addrs, &s->counters, &host, now);
    s->hash = tcp_flow_hash(&s->tcp, &s->hashed);
    return err;
}

int tern_new(tern **out, const tern_config *cfg, uint64_t now)
{
    *out = NULL;
    if (!config_ok(cfg))
        return TERN_EINVAL;
    struct mem mem = {.alloc = cfg->alloc, .free = cfg->free, .user = cfg->user};
    tern *s = mem_alloc(&mem, sizeof(*s), _Alignof(tern));
    if (s == NULL)
        return TERN_ENOMEM;
    int err = init(s, cfg, &mem, now);
    if (err != 0) {
        tern_free(s);
        return err;
    }
    *out = s;
    return 0;
}

void tern_free(tern *s)
{
    for (uint32_t i = 0; i < PATHS_MAX; i++)
        if (s->iface[i].used) {
            stack_flush(s, (uint8_t)i);
            link_forget(s, (uint8_t)i);
            auto_stop(s, (uint8_t)i);
            mld_stop(s, (uint8_t)i);
        }
    tcp_destroy(&s->tcp);
    pool_destroy(&s->outrecs);
    frag_destroy(&s->frags);
    udp_destroy(&s->udp);
    neigh_destroy(&s->neighbors);
    ip_routes_destroy(&s->routes);
    ip_addrs_destroy(&s->ip);
    addrs_destroy(&s->addrs);
    chunks_destroy(&s->chunks);
    struct mem mem = s->mem;
    mem_free(&mem, s, sizeof(*s));
}

/* ---- interfaces ------------------------------------------------------------------------------ */

static bool iface_ok(const tern_iface *conf)
{
    uint32_t header = conf->mac != NULL ? WIRE_ETH_HEADER : 0;
    return conf->mtu >= 68 && conf->mtu <= UINT16_MAX - header &&
           conf->gso_max <= UINT16_MAX - header &&
           (conf->mac == NULL || !wire_mac_group(conf->mac));
}

static void set_path(tern *s, uint8_t id, const tern_iface *conf)
{
    struct iface *f = &s->iface[id];
    f->conf = *conf;
    if (conf->mac != NULL) {
        memcpy(f->mac, conf->mac, WIRE_MAC);
        f->conf.mac = f->mac;
    }
    struct tcp_path *path = &s->tcp.path[id];
    bool csum = (conf->caps & TERN_CAP_CSUM) != 0; /* segments need their checksums completed */
    path->mtu = path->mtu6 = conf->mtu;
    f->mtu6 = 0;
    path->gso_max4 = csum && conf->caps & TERN_CAP_TSO4 ? conf->gso_max : 0;
    path->gso_max6 = csum && conf->caps & TERN_CAP_TSO6 ? conf->gso_max : 0;
    path->gso_segs_max = conf->gso_segs_max;
    path->gso_accecn = (conf->caps & TERN_CAP_TSO_ACCECN) != 0;
}

/* What only some interfaces on Ethernet have begins, or ends. */
static int begin_link(tern *s, uint8_t id)
{
    struct iface *f = &s->iface[id];
    bool ether = f->conf.mac != NULL;
    bool mld = ether && !(f->conf.flags & TERN_IFACE_NO_MLD);
    bool automatic = ether && f->conf.flags & TERN_IFACE_AUTO && f->conf.mtu >= IP6_MTU_LEAST;
    int err = 0;
    if (f->mld != NULL && !mld)
        mld_stop(s, id);
    if (f->learnt != NULL && !automatic)
        auto_stop(s, id);
    if (f->mld == NULL && mld)
        err = mld_start(s, id);
    if (err == 0 && f->learnt == NULL && automatic)
        err = auto_start(s, id);
    return err;
}

static void end_link(tern *s, uint8_t id)
{
    auto_stop(s, id);
    mld_stop(s, id);
}

int tern_iface_add(tern *s, const tern_iface *conf)
{
    if (!iface_ok(conf))
        return TERN_EINVAL;
    if (conf->mac != NULL && !neigh_begin(&s->neighbors))
        return TERN_ENOMEM;
    for (uint32_t i = 0; i < s->cfg.ifaces_max; i++) {
        if (s->iface[i].used)
            continue;
        s->iface[i] = (struct iface){.used = true};
        set_path(s, (uint8_t)i, conf);
        int err = begin_link(s, (uint8_t)i);
        return err == 0 ? (int)i : (tern_iface_remove(s, (int)i), err);
    }
    return TERN_ELIMIT;
}

bool iface_valid(const tern *s, int id) { return id >= 0 && id < PATHS_MAX && s->iface[id].used; }

int tern_iface_change(tern *s, int id, const tern_iface *conf)
{
    if (!iface_valid(s, id) || !iface_ok(conf) ||
        (conf->mtu < IP6_MTU_LEAST && ip_has_ip6(&s->ip, (uint8_t)id)))
        return TERN_EINVAL;
    if (conf->mac != NULL && !neigh_begin(&s->neighbors))
        return TERN_ENOMEM;
    link_forget(s, (uint8_t)id);
    stack_flush(s, (uint8_t)id); /* made for what the interface was; TCP sends them again */
    bool same = conf->mac != NULL && wire_mac_equal(conf->mac, s->iface[id].mac);
    if (!same)
        end_link(s, (uint8_t)id);
    set_path(s, (uint8_t)id, conf);
    s->tcp.route_generation++; /* segment sizes are worked out anew */
    return begin_link(s, (uint8_t)id);
}

int tern_iface_remove(tern *s, int id)
{
    if (!iface_valid(s, id))
        return TERN_EINVAL;
    end_link(s, (uint8_t)id);
    link_forget(s, (uint8_t)id);
    stack_flush(s, (uint8_t)id);
    ip_addrs_forget(&s->ip, (uint8_t)id);
    ip_routes_forget(&s->routes, (uint8_t)id);
    frag_forget(&s->frags, (uint8_t)id);
    s->tcp.route_generation++;
    s->iface[id].used = false;
    s->blocked_mask &= ~((uint64_t)1 << id);
    s->starved = 0; /* perhaps nobody asks for its output again */
    conn_path_gone(&s->tcp, (uint8_t)id);
    return 0;
}

int tern_iface_promiscuous(tern *s, int id, bool on)
{
    if (!iface_valid(s, id))
        return TERN_EINVAL;
    s->iface[id].promiscuous = on;
    return 0;
}

static int route_change(tern *s, const uint8_t ip[16], unsigned bits, const struct ip_hop *hop,
                        bool add)
{
    int err =
        add ? ip_route_add(&s->routes, ip, bits, hop) : ip_route_remove(&s->routes, ip, bits, hop);
    if (err == 0)
        s->tcp.route_generation++;
    return err;
}

int tern_route_add(tern *s, const uint8_t ip[16], unsigned bits, const uint8_t via[16], int id)
{
    struct ip_hop hop = {.via = via, .iface = (uint8_t)id};
    return iface_valid(s, id) ? route_change(s, ip, bits, &hop, true) : TERN_EINVAL;
}

int tern_route_remove(tern *s, const uint8_t ip[16], unsigned bits, const uint8_t via[16], int id)
{
    struct ip_hop hop = {.via = via, .iface = (uint8_t)id};
    return iface_valid(s, id) ? route_change(s, ip, bits, &hop, false) : TERN_EINVAL;
}

int stack_route(void *context, const uint8_t remote[16], uint8_t *iface)
{
    const tern *s = context;
    const struct ip_route *r = ip_route_find(&s->routes, remote);
    if (r == NULL || !s->iface[r->iface].used)
        return TERN_ENETUNREACH;
    *iface = r->iface;
    return 0;
}

/* ---- the clock ------------------------------------------------------------------------------- */

void tern_advance(tern *s, uint64_t now)
{
    tcp_now(&s->tcp, now);
    tcp_advance(&s->tcp, s->cfg.advance_max);
    link_advance(s, s->cfg.advance_max);
    addr_advance(s, s->cfg.advance_max);
    auto_advance(s);
    mld_advance(s);
    stack_fragments_advance(s, s->cfg.advance_max);
}

size_t tern_events(tern *s, tern_event *ev, size_t max)
{
    size_t n = 0;
    if (UNLIKELY(s->addrs_news) && max > 0) {
        s->addrs_news = false;
        ev[n++] = (tern_event){.mask = TERN_EV_ADDRS};
    }
    n += tcp_events(&s->tcp, ev + n, max - n);
    return n + stack_udp_events(s, ev + n, max - n);
}

uint64_t tern_next_timeout(const tern *s)
{
    bool room = s->outrecs.used < s->cfg.output_max && s->starved == 0;
    uint64_t fresh = room ? s->tcp.out_mask : 0;
    bool udp = s->udp.ev_head != 0 || (s->udp.wait_head != 0 && room);
    if (s->tcp.ev_head != 0 || udp || s->addrs_news ||
        ((fresh | s->queue_mask) & ~s->blocked_mask) != 0)
        return 0;
    uint64_t next = min_u64(tcp_next(&s->tcp), neigh_next(&s->neighbors));
    next = min_u64(next, min_u64(frag_next(&s->frags), s->ip.next));
    next = min_u64(next, min_u64(s->auto_next, s->mld_next));
    return s->starved != 0 ? min_u64(next, s->starved) : next;
}
