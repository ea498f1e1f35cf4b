/* bsd.c - FreeBSD's names for settings.
 *
 * Those with an equal here set it; those that concern what a script cannot see here are kept, so
 * that they read back. Both are listed: any other name fails the script. */
#include "drill/shell.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum how {
    SAME,  /* the same number */
    KEPT,  /* accepted, no effect */
    BOTH,  /* rfc1323: window scaling and timestamps */
    ECN,   /* 0 off, 1 ask, 2 only answer: as in Linux */
    CC,    /* newreno is reno */
    MS_S,  /* ms there, s here */
    SPACE, /* the second of three numbers */
    MOST,  /* the third */
    MS_US, /* ms there, us here */
};

static const struct bsd_name {
    const char *name, *setting;
    enum how how;
} names[] = {
    {"net.inet.tcp.rfc1323", "net.ipv4.tcp_timestamps", BOTH},
    {"net.inet.tcp.sack.enable", "net.ipv4.tcp_sack", SAME},
    {"net.inet.tcp.ecn.enable", "net.ipv4.tcp_ecn", ECN},
    {"net.inet.tcp.cc.algorithm", "net.ipv4.tcp_congestion_control", CC},
    {"net.inet.tcp.initcwnd_segments", "route.initcwnd", SAME},
    {"net.inet.tcp.sendspace", "bsd.sendspace", SAME},
    {"net.inet.tcp.recvspace", "bsd.recvspace", SAME},
    {"kern.ipc.maxsockbuf", "bsd.maxsockbuf", SAME},
    {"net.inet.tcp.delayed_ack", "bsd.delayed_ack", SAME},
    {"net.inet.tcp.delacktime", "bsd.delacktime", SAME},
    {"net.inet.tcp.msl", "bsd.msl", SAME},
    {"net.inet.tcp.rexmit_initial", "bsd.rexmit_initial", SAME},
    {"net.inet.tcp.sendbuf_max", "net.ipv4.tcp_wmem", MOST},
    {"net.inet.tcp.recvbuf_max", "net.ipv4.tcp_rmem", MOST},
    {"net.inet.tcp.recvbuf_auto", "net.ipv4.tcp_moderate_rcvbuf", SAME},
    {"net.inet.tcp.syncookies", "net.ipv4.tcp_syncookies", SAME},
    {"net.inet.tcp.keepidle", "net.ipv4.tcp_keepalive_time", MS_S},
    {"net.inet.tcp.keepintvl", "net.ipv4.tcp_keepalive_intvl", MS_S},
    {"net.inet.tcp.keepcnt", "net.ipv4.tcp_keepalive_probes", SAME},
    {"net.inet.tcp.finwait2_timeout", "bsd.finwait2_timeout", SAME},
    {"net.inet.tcp.rexmit_min", "net.ipv4.tcp_rto_min_us", MS_US},
    {"net.inet.ip.ttl", "net.ipv4.ip_default_ttl", SAME},
    {"net.inet6.ip6.v6only", "net.ipv6.bindv6only", SAME},
    {"net.inet.tcp.syncache.rexmtlimit", "net.ipv4.tcp_synack_retries", SAME},
/* clang-format off */
#define K(name) {name, NULL, KEPT},
    K("net.inet.tcp.hostcache.enable") K("net.inet.tcp.hostcache.purgenow")
    K("net.inet.tcp.hostcache.purge") K("net.inet.tcp.hostcache.expire")
    K("net.inet.tcp.hostcache.cachelimit") K("net.inet.tcp.syncookies_only")
    K("net.inet.tcp.mssdflt") K("net.inet.tcp.v6mssdflt") K("net.inet.tcp.minmss")
    K("net.inet.tcp.blackhole") K("net.inet.tcp.drop_synfin") K("net.inet.tcp.rfc3042")
    K("net.inet.tcp.rfc3390") K("net.inet.tcp.rfc3465") K("net.inet.tcp.rfc6675_pipe")
    K("net.inet.tcp.newsack") K("net.inet.tcp.do_prr") K("net.inet.tcp.do_prr_conservative")
    K("net.inet.tcp.do_lrd") K("net.inet.tcp.abc_l_var") K("net.inet.tcp.tso")
    K("net.inet.tcp.path_mtu_discovery") K("net.inet.tcp.nolocaltimewait")
    K("net.inet.tcp.fast_finwait2_recycle") K("net.inet.tcp.tolerate_missing_ts")
    K("net.inet.tcp.insecure_rst") K("net.inet.tcp.insecure_syn") K("net.inet.tcp.insecure_ack")
    K("net.inet.tcp.icmp_may_rst") K("net.inet.tcp.always_keepalive") K("net.inet.tcp.keepinit")
    K("net.inet.tcp.maxtcptw") K("net.inet.tcp.persmin") K("net.inet.tcp.persmax")
    K("net.inet.tcp.retries") K("net.inet.tcp.rexmit_slop")
    K("net.inet.tcp.log_in_vain") K("net.inet.tcp.log_debug") K("net.inet.tcp.ts_offset_per_conn")
    K("net.inet.tcp.reass.maxqueuelen") K("net.inet.tcp.reass.maxsegments")
    K("net.inet.tcp.reass.new_limit") K("net.inet.tcp.functions_default")
    K("net.inet.tcp.functions_inherit_listen_socket_stack") K("net.inet.tcp.udp_tunneling_port")
    K("net.inet.tcp.udp_tunneling_overhead") K("net.inet.tcp.sendbuf_auto")
    K("net.inet.tcp.sendbuf_auto_lowat") K("net.inet.tcp.sendbuf_inc")
    K("net.inet.tcp.recvbuf_inc") K("net.inet.tcp.isn_reseed_interval")
    K("net.inet.tcp.sack.maxholes") K("net.inet.tcp.sack.globalmaxholes")
    K("net.inet.tcp.sack.revised") K("net.inet.tcp.sack.lrd") K("net.inet.tcp.sack.tso")
    K("net.inet.tcp.sack_attack.force_detection") K("net.inet.tcp.pcap_packets")
    K("net.inet.tcp.per_cpu_timers") K("net.inet.tcp.map_limit") K("net.inet.tcp.split_limit")
    K("net.inet.tcp.require_unique_port")
    K("net.inet.tcp.ecn.maxretries") K("net.inet.tcp.ecn.option") K("net.inet.tcp.msl_local")
    K("net.inet.tcp.pmtud_blackhole_detection") K("net.inet.tcp.pmtud_blackhole_mss")
    K("net.inet.tcp.v6pmtud_blackhole_mss") K("net.inet.tcp.cc.abe")
    K("net.inet.tcp.cc.abe_frlossreduce") K("net.inet.tcp.cc.newreno.beta")
    K("net.inet.tcp.cc.newreno.beta_ecn") K("net.inet.tcp.cc.cubic.minrto")
    K("net.inet.tcp.cc.hystartplusplus.bblogs") K("net.inet.tcp.fastopen.client_enable")
    K("net.inet.tcp.fastopen.server_enable") K("net.inet.tcp.fastopen.enabled")
    K("net.inet.tcp.fastopen.acceptany") K("net.inet.tcp.fastopen.psk_enable")
    K("net.inet.tcp.fastopen.ccache_bucket_limit") K("net.inet.tcp.fastopen.ccache_buckets")
    K("net.inet.tcp.fastopen.autokey") K("net.inet.tcp.fastopen.setkey")
    K("net.inet.tcp.fastopen.setpsk") K("net.inet.tcp.fastopen.path_disable_time")
    K("net.inet.tcp.bb.log_auto_all") K("net.inet.tcp.bb.log_auto_mode")
    K("net.inet.tcp.bb.log_auto_ratio") K("net.inet.tcp.lro.entries")
    K("net.inet.tcp.syncache.rst_on_sock_fail") K("net.inet.tcp.syncache.see_other")
    K("net.inet.icmp.icmplim") K("net.inet.icmp.icmplim_jitter") K("net.inet6.icmp6.errppslimit")
    K("net.inet.ip.random_id") K("net.inet.ip.portrange.first") K("net.inet.ip.portrange.last")
    K("net.inet6.ip6.rfc6204w3") K("net.inet6.ip6.hlim")
    K("kern.ipc.somaxconn") K("kern.ipc.soacceptqueue") K("kern.timecounter.alloweddeviation")
    K("kern.eventtimer.periodic") K("kern.hz") K("security.bsd.see_other_uids")
#undef K
    /* clang-format on */
};
enum { COUNT = sizeof(names) / sizeof(names[0]) };

const char *shell_bsd_name(size_t n) { return n < COUNT ? names[n].name : NULL; }

static const struct bsd_name *find(const char *name)
{
    for (size_t i = 0; i < COUNT; i++)
        if (strcmp(names[i].name, name) == 0)
            return &names[i];
    return NULL;
}

/* One of three numbers of a buffer's sizes. */
static bool set_part(struct drill_settings *s, const char *setting, const char *value, int part)
{
    long long v[3];
    char text[80];
    for (unsigned i = 0; i < 3; i++)
        v[i] = drill_settings_number(s, setting, i);
    v[part] = atoll(value);
    if (part == 1 && v[2] < v[1])
        v[2] = v[1];
    snprintf(text, sizeof(text), "%lld %lld %lld", v[0], v[1], v[2]);
    return drill_settings_set(s, setting, text);
}

bool shell_bsd_set(struct drill_settings *s, const char *name, const char *value)
{
    const struct bsd_name *n = find(name);
    char text[32];
    if (!n)
        return false;
    switch (n->how) {
    case KEPT:
        return true;
    case BOTH:
        return drill_settings_set(s, "net.ipv4.tcp_window_scaling", value) &&
               drill_settings_set(s, n->setting, value);
    case CC:
        return drill_settings_set(s, n->setting, strcmp(value, "newreno") == 0 ? "reno" : value);
    case MS_S:
        snprintf(text, sizeof(text), "%lld", (atoll(value) + 999) / 1000);
        return drill_settings_set(s, n->setting, text);
    case MS_US:
        snprintf(text, sizeof(text), "%lld", atoll(value) * 1000);
        return drill_settings_set(s, n->setting, text);
    case SPACE:
        return set_part(s, n->setting, value, 1);
    case MOST:
        return set_part(s, n->setting, value, 2);
    case SAME:
    case ECN:
        return drill_settings_set(s, n->setting, value);
    }
    return false;
}

bool shell_bsd_get(const struct drill_settings *s, const char *name, const char **value)
{
    const struct bsd_name *n = find(name);
    *value = n && n->setting ? drill_settings_get(s, n->setting) : "0";
    return n != NULL;
}
