/* sut_config.c - sysctl's settings as the stack's configuration; its counters as nstat's. */
#include "drill/sut_config.h"

#include <stdlib.h>
#include <string.h>

#define MS UINT64_C(1000000)
#define S UINT64_C(1000000000)

enum { SNDBUF_LEAST = 46080 };

static uint32_t u32(const struct drill_settings *s, const char *name)
{
    return (uint32_t)drill_settings_number(s, name, 0);
}

static uint8_t u8(const struct drill_settings *s, const char *name)
{
    int64_t v = drill_settings_number(s, name, 0);
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

static uint16_t u16(const struct drill_settings *s, const char *name)
{
    int64_t v = drill_settings_number(s, name, 0);
    return (uint16_t)(v < 0 ? 0 : v > UINT16_MAX ? UINT16_MAX : v);
}

static bool on(const struct drill_settings *s, const char *name)
{
    return drill_settings_number(s, name, 0) != 0;
}

static void features(tern_config *cfg, const struct drill_settings *s)
{
    static const struct {
        const char *name;
        uint32_t bit;
    } map[] = {{"net.ipv4.tcp_timestamps", TERN_FEATURE_TIMESTAMPS},
               {"net.ipv4.tcp_window_scaling", TERN_FEATURE_WSCALE},
               {"net.ipv4.tcp_sack", TERN_FEATURE_SACK},
               {"net.ipv4.tcp_dsack", TERN_FEATURE_DSACK},
               {"net.ipv4.tcp_frto", TERN_FEATURE_FRTO},
               {"net.ipv4.tcp_early_retrans", TERN_FEATURE_PROBE}};
    for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
        if (drill_settings_number(s, map[i].name, 0) == 0)
            cfg->features &= ~map[i].bit;
    if (on(s, "net.ipv4.ip_no_pmtu_disc") || on(s, "route.mtu_lock"))
        cfg->features &= ~(uint32_t)TERN_FEATURE_PMTUD;
}

/* What there is none of is CUBIC. */
static const tern_cc_ops *algorithm(const char *name)
{
    static const tern_cc_ops *const all[] = {&tern_cc_reno, &tern_cc_dctcp, &tern_cc_bbr};
    for (size_t i = 0; name != NULL && i < sizeof(all) / sizeof(all[0]); i++)
        if (strcmp(all[i]->name, name) == 0)
            return all[i];
    return &tern_cc_cubic;
}

static bool is_bsd(const struct drill_settings *s)
{
    return strcmp(drill_settings_get(s, "drill.profile"), "freebsd") == 0;
}

/* What FreeBSD does otherwise. */
static void bsd_config(tern_config *cfg, const struct drill_settings *s)
{
    bool named = drill_settings_given(s, "net.ipv4.tcp_congestion_control");
    cfg->style = TERN_STYLE_BSD;
    cfg->features &= ~(uint32_t)(TERN_FEATURE_PROBE | TERN_FEATURE_FRTO);
    cfg->rcvbuf_max = u32(s, "bsd.maxsockbuf");
    cfg->rcvbuf = u32(s, "bsd.recvspace");
    cfg->rcvbuf = cfg->rcvbuf < cfg->rcvbuf_max ? cfg->rcvbuf : cfg->rcvbuf_max;
    cfg->sndbuf = u32(s, "bsd.sendspace");
    cfg->sndbuf_max = u32(s, "bsd.maxsockbuf");
    cfg->delack = u32(s, "bsd.delayed_ack") != 0 ? u32(s, "bsd.delacktime") * MS : 0;
    cfg->msl = u32(s, "bsd.msl") * MS;
    cfg->rto_initial = u32(s, "bsd.rexmit_initial") * MS;
    cfg->fin_wait2 = u32(s, "bsd.finwait2_timeout") * MS;
    cfg->syn_linear = 0;
    cfg->tuning.wscale_window = 0;
    cfg->tuning.rfc1337 = true;
    cfg->tso_segs_min = 0;
    cfg->syn_retries = 12;
    if (!drill_settings_given(s, "net.ipv4.tcp_synack_retries"))
        cfg->synack_retries = 3;
    if (!named)
        cfg->cc = &tern_cc_cubic;
}

static void tuning(tern_tuning *u, const struct drill_settings *s)
{
    u->recovery = u8(s, "net.ipv4.tcp_recovery");
    u->retries1 = u8(s, "net.ipv4.tcp_retries1");
    u->orphan_retries = u8(s, "net.ipv4.tcp_orphan_retries");
    u->comp_sack_nr = u8(s, "net.ipv4.tcp_comp_sack_nr");
    u->comp_sack_percent = u8(s, "net.ipv4.tcp_comp_sack_rtt_percent");
    u->comp_sack_us = u32(s, "net.ipv4.tcp_comp_sack_delay_ns") / 1000;
    u->comp_slack_us = u32(s, "net.ipv4.tcp_comp_sack_slack_ns") / 1000;
    u->invalid_ms = u16(s, "net.ipv4.tcp_invalid_ratelimit");
    u->reordering_max = u16(s, "net.ipv4.tcp_max_reordering");
    u->wscale_window = u32(s, "net.core.rmem_max");
    u->initrwnd = u16(s, "route.initrwnd");
    u->window_max = u32(s, "route.window");
    u->mtu_base = u16(s, "net.ipv4.tcp_base_mss");
    u->mtu_floor = u16(s, "net.ipv4.tcp_mtu_probe_floor");
    u->mtu_threshold = u16(s, "net.ipv4.tcp_probe_threshold");
    u->mtu_interval_s = u32(s, "net.ipv4.tcp_probe_interval");
    u->min_rtt_s = u32(s, "net.ipv4.tcp_min_rtt_wlen");
    u->rfc1337 = on(s, "net.ipv4.tcp_rfc1337");
    u->stdurg = on(s, "net.ipv4.tcp_stdurg");
    u->thin_linear = on(s, "net.ipv4.tcp_thin_linear_timeouts");
    u->shrink_window = on(s, "net.ipv4.tcp_shrink_window");
    u->quickack = on(s, "route.quickack");
    u->fixed_rcvbuf = !on(s, "net.ipv4.tcp_moderate_rcvbuf");
    u->abort_overflow = on(s, "net.ipv4.tcp_abort_on_overflow");
    u->reflect_tos = on(s, "net.ipv4.tcp_reflect_tos");
    u->collapse = on(s, "net.ipv4.tcp_retrans_collapse");
    u->pingpong = u8(s, "net.ipv4.tcp_pingpong_thresh");
    u->ecn_beacon = u8(s, "net.ipv4.tcp_ecn_option_beacon");
    u->mss_least = u16(s, "net.ipv4.tcp_min_snd_mss");
    u->signed_windows = on(s, "net.ipv4.tcp_workaround_signed_windows");
}

const char *sut_tern_config(tern_config *cfg, const struct drill_settings *s)
{
    features(cfg, s);
    /* half of a buffer is for headers and the like (tcp_adv_win_scale 1) */
    cfg->rcvbuf = (uint32_t)drill_settings_number(s, "net.ipv4.tcp_rmem", 1) / 2;
    cfg->rcvbuf_max = (uint32_t)drill_settings_number(s, "net.ipv4.tcp_rmem", 2);
    /* an established connection's is widened to twice the first window, with its bookkeeping */
    cfg->sndbuf = (uint32_t)drill_settings_number(s, "net.ipv4.tcp_wmem", 1);
    cfg->sndbuf = cfg->sndbuf < SNDBUF_LEAST ? (uint32_t)SNDBUF_LEAST : cfg->sndbuf;
    cfg->sndbuf_max = (uint32_t)drill_settings_number(s, "net.ipv4.tcp_wmem", 2);
    cfg->rto_min = drill_settings_number(s, "route.rto_min_us", 0) > 0
                       ? (uint64_t)drill_settings_number(s, "route.rto_min_us", 0) * 1000
                       : (uint64_t)drill_settings_number(s, "net.ipv4.tcp_rto_min_us", 0) * 1000;
    cfg->rto_max = (uint64_t)drill_settings_number(s, "net.ipv4.tcp_rto_max_ms", 0) * MS;
    cfg->msl = 30 * S;
    cfg->fin_wait2 = (uint64_t)drill_settings_number(s, "net.ipv4.tcp_fin_timeout", 0) * S;
    cfg->syn_retries = u8(s, "net.ipv4.tcp_syn_retries");
    cfg->syn_linear = u8(s, "net.ipv4.tcp_syn_linear_timeouts");
    cfg->synack_retries = u8(s, "net.ipv4.tcp_synack_retries");
    cfg->data_retries = u8(s, "net.ipv4.tcp_retries2");
    static const uint8_t cookies[] = {TERN_COOKIES_NEVER, TERN_COOKIES_AUTO, TERN_COOKIES_ALWAYS};
    uint32_t when = u32(s, "net.ipv4.tcp_syncookies");
    cfg->cookies = cookies[when < 2 ? when : 2];
    cfg->ttl = u8(s, "net.ipv4.ip_default_ttl");
    cfg->cc = algorithm(drill_settings_get(s, "net.ipv4.tcp_congestion_control"));
    /* of what is asked for to all: how much of it is asked for on this route, too */
    static const uint8_t route_ecn[] = {1, 1, 1, 3, 4, 4};
    cfg->ecn = u8(s, "net.ipv4.tcp_ecn");
    if (on(s, "route.features") && cfg->ecn < sizeof(route_ecn))
        cfg->ecn = route_ecn[cfg->ecn];
    cfg->mtu_probing =
        u8(s, "net.ipv4.tcp_mtu_probing") < 2 ? u8(s, "net.ipv4.tcp_mtu_probing") : 2;
    cfg->ecn_option = u8(s, "net.ipv4.tcp_ecn_option");
    cfg->ecn_fallback = drill_settings_number(s, "net.ipv4.tcp_ecn_fallback", 0) != 0;
    cfg->tso_segs_min = u8(s, "net.ipv4.tcp_min_tso_segs");
    cfg->tso_rtt_log = u8(s, "net.ipv4.tcp_tso_rtt_log");
    cfg->tso_divisor = u8(s, "net.ipv4.tcp_tso_win_divisor");
    cfg->pace_ss_ratio = (uint16_t)u32(s, "net.ipv4.tcp_pacing_ss_ratio");
    cfg->pace_ca_ratio = (uint16_t)u32(s, "net.ipv4.tcp_pacing_ca_ratio");
    cfg->idle_restart = u32(s, "net.ipv4.tcp_slow_start_after_idle") != 0;
    cfg->style = TERN_STYLE_LINUX;
    cfg->idle = 3600 * S; /* nothing is forgotten */
    tuning(&cfg->tuning, s);
    cfg->md5 = tern_sockets_md5;
    cfg->stats = true;
    cfg->iw = u8(s, "route.initcwnd");
    cfg->mss_offer = (uint16_t)u32(s, "route.advmss");
    cfg->reordering = (uint16_t)u32(s, "net.ipv4.tcp_reordering");
    if (is_bsd(s))
        bsd_config(cfg, s);
    return NULL;
}

static void three(uint32_t out[3], const struct drill_settings *s, const char *name)
{
    for (unsigned i = 0; i < 3; i++)
        out[i] = (uint32_t)drill_settings_number(s, name, i);
}

/* "a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4", and perhaps another one behind a comma. */
static const char *fastopen_keys(tern *stack, const char *text)
{
    uint8_t keys[32];
    size_t n = 0;
    while (n < sizeof(keys)) {
        char *end;
        uint32_t word = (uint32_t)strtoul(text, &end, 16);
        for (unsigned i = 0; i < 4; i++)
            keys[n++] = (uint8_t)(word >> 8 * i);
        if (end == text || *end != (n % 16 != 0 ? '-' : ','))
            break;
        text = end + 1;
    }
    return n % 16 == 0 && tern_fastopen_keys(stack, (tern_sock){0}, keys, n / 16) == 0
               ? NULL
               : "tcp_fastopen_key wants one key or two";
}

const char *sut_tern_retune(tern *stack, tern_sockets_tune *t, const struct drill_settings *s)
{
    t->somaxconn = u32(s, "net.core.somaxconn");
    t->rmem_max = u32(s, "net.core.rmem_max");
    t->wmem_max = u32(s, "net.core.wmem_max");
    three(t->tcp_rmem, s, "net.ipv4.tcp_rmem");
    three(t->tcp_wmem, s, "net.ipv4.tcp_wmem");
    t->tcp_keepalive_time = u32(s, "net.ipv4.tcp_keepalive_time");
    t->tcp_keepalive_intvl = u32(s, "net.ipv4.tcp_keepalive_intvl");
    t->tcp_keepalive_probes = u32(s, "net.ipv4.tcp_keepalive_probes");
    t->tcp_syn_retries = u32(s, "net.ipv4.tcp_syn_retries");
    t->tcp_fin_timeout = u32(s, "net.ipv4.tcp_fin_timeout");
    t->tcp_notsent_lowat = u32(s, "net.ipv4.tcp_notsent_lowat");
    t->ip_port_first = (uint32_t)drill_settings_number(s, "net.ipv4.ip_local_port_range", 0);
    t->ip_port_last = (uint32_t)drill_settings_number(s, "net.ipv4.ip_local_port_range", 1);
    t->ip_default_ttl = u32(s, "net.ipv4.ip_default_ttl");
    t->bindv6only = u32(s, "net.ipv6.bindv6only") != 0;
    t->bsd = is_bsd(s);
    t->tcp_fastopen = u32(s, "net.ipv4.tcp_fastopen");
    if (drill_settings_number(s, "route.fastopen_no_cookie", 0) != 0)
        t->tcp_fastopen |= 4 | 0x200;
    return fastopen_keys(stack, drill_settings_get(s, "net.ipv4.tcp_fastopen_key"));
}

bool sut_tern_counter(const tern *stack, const char *name, uint64_t *value)
{
    static const struct {
        const char *name;
        int counter, drop; /* -1: none */
    } map[] = {
        {"TcpActiveOpens", TERN_COUNT_ACTIVE_OPENS, -1},
        {"TcpPassiveOpens", TERN_COUNT_PASSIVE_OPENS, -1},
        {"TcpAttemptFails", TERN_COUNT_ATTEMPT_FAILS, -1},
        {"TcpEstabResets", TERN_COUNT_RESETS_IN, -1},
        {"TcpInSegs", TERN_COUNT_SEGMENTS_IN, -1},
        {"TcpOutSegs", TERN_COUNT_SEGMENTS_OUT, -1},
        {"TcpRetransSegs", TERN_COUNT_RETRANSMITS, -1},
        {"TcpOutRsts", TERN_COUNT_RESETS_OUT, -1},
        {"TcpExtTCPTimeouts", TERN_COUNT_TIMEOUTS, -1},
        {"TcpExtTCPFastRetrans", TERN_COUNT_FAST_RETRANSMITS, -1},
        {"TcpExtTCPChallengeACK", TERN_COUNT_CHALLENGE_ACKS, -1},
        {"TcpExtTW", TERN_COUNT_TIMEWAITS, -1},
        {"TcpExtTCPOFOQueue", TERN_COUNT_OUT_OF_ORDER, -1},
        {"TcpExtTCPFastOpenActive", TERN_COUNT_FASTOPEN_ACTIVE, -1},
        {"TcpExtTCPFastOpenActiveFail", TERN_COUNT_FASTOPEN_ACTIVE_FAILS, -1},
        {"TcpExtTCPFastOpenPassive", TERN_COUNT_FASTOPEN_PASSIVE, -1},
        {"TcpExtTCPFastOpenPassiveFail", TERN_COUNT_FASTOPEN_PASSIVE_FAILS, -1},
        {"TcpExtTCPFastOpenPassiveAltKey", TERN_COUNT_FASTOPEN_PASSIVE_ALT, -1},
        {"TcpExtTCPFastOpenListenOverflow", TERN_COUNT_FASTOPEN_OVERFLOWS, -1},
        {"TcpExtTCPFastOpenCookieReqd", TERN_COUNT_FASTOPEN_REQUESTS, -1},
        {"TcpExtTCPMD5Unexpected", -1, TERN_DROP_TCP_SIGNED},
        {"TcpExtTCPMD5NotFound", -1, TERN_DROP_TCP_UNSIGNED},
        {"TcpExtTCPMD5Failure", -1, TERN_DROP_TCP_FORGED},
        {"TcpInCsumErrors", -1, TERN_DROP_TCP_CSUM},
        {"TcpExtPAWSEstab", -1, TERN_DROP_TCP_PAWS},
        {"TcpExtListenOverflows", -1, TERN_DROP_TCP_BACKLOG},
        {"TcpExtListenDrops", -1, TERN_DROP_TCP_BACKLOG},
        {"TcpExtBeyondWindow", -1, TERN_DROP_TCP_SEQUENCE},
    };
    const tern_counters *c = tern_counters_of(stack);
    for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
        if (strcmp(map[i].name, name) == 0) {
            *value = map[i].counter >= 0 ? c->count[map[i].counter] : c->drop[map[i].drop];
            return true;
        }
    return false;
}
