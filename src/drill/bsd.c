/* bsd.c - FreeBSD's names for settings.
 *
 * Those with an equal here set it. The others change nothing, for a reason that stands beside them;
 * where a script could see what they do, only the values that say what is done are taken. Any other
 * name fails the script. */
#include "drill/shell.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum how {
    SAME,  /* the same number */
    IDLE,  /* no effect */
    NOT,   /* 0 there is 1 here */
    ONLY,  /* syncookies_only: always */
    BOTH,  /* rfc1323: window scaling and timestamps */
    ECN,   /* 0 off, 1 ask, 2 only answer: as in Linux */
    CC,    /* newreno is reno */
    MS_S,  /* ms there, s here */
    SPACE, /* the second of three numbers */
    MOST,  /* the third */
    MS_US, /* ms there, us here */
};

static const struct bsd_name {
    const char *name, *setting; /* IDLE: the values that are taken, "": any */
    enum how how;
    const char *why; /* IDLE */
} names[] = {
    /* clang-format off */
    {"net.inet.tcp.rfc1323", "net.ipv4.tcp_timestamps", BOTH, NULL},
    {"net.inet.tcp.sack.enable", "net.ipv4.tcp_sack", SAME, NULL},
    {"net.inet.tcp.ecn.enable", "net.ipv4.tcp_ecn", ECN, NULL},
    {"net.inet.tcp.cc.algorithm", "net.ipv4.tcp_congestion_control", CC, NULL},
    {"net.inet.tcp.initcwnd_segments", "route.initcwnd", SAME, NULL},
    {"net.inet.tcp.sendspace", "bsd.sendspace", SAME, NULL},
    {"net.inet.tcp.recvspace", "bsd.recvspace", SAME, NULL},
    {"kern.ipc.maxsockbuf", "bsd.maxsockbuf", SAME, NULL},
    {"net.inet.tcp.delayed_ack", "bsd.delayed_ack", SAME, NULL},
    {"net.inet.tcp.delacktime", "bsd.delacktime", SAME, NULL},
    {"net.inet.tcp.msl", "bsd.msl", SAME, NULL},
    {"net.inet.tcp.rexmit_initial", "bsd.rexmit_initial", SAME, NULL},
    {"net.inet.tcp.sendbuf_max", "net.ipv4.tcp_wmem", MOST, NULL},
    {"net.inet.tcp.recvbuf_max", "net.ipv4.tcp_rmem", MOST, NULL},
    {"net.inet.tcp.recvbuf_auto", "net.ipv4.tcp_moderate_rcvbuf", SAME, NULL},
    {"net.inet.tcp.syncookies", "net.ipv4.tcp_syncookies", SAME, NULL},
    {"net.inet.tcp.keepidle", "net.ipv4.tcp_keepalive_time", MS_S, NULL},
    {"net.inet.tcp.keepintvl", "net.ipv4.tcp_keepalive_intvl", MS_S, NULL},
    {"net.inet.tcp.keepcnt", "net.ipv4.tcp_keepalive_probes", SAME, NULL},
    {"net.inet.tcp.finwait2_timeout", "bsd.finwait2_timeout", SAME, NULL},
    {"net.inet.tcp.rexmit_min", "net.ipv4.tcp_rto_min_us", MS_US, NULL},
    {"net.inet.ip.ttl", "net.ipv4.ip_default_ttl", SAME, NULL},
    {"net.inet6.ip6.v6only", "net.ipv6.bindv6only", SAME, NULL},
    {"net.inet.tcp.syncache.rexmtlimit", "net.ipv4.tcp_synack_retries", SAME, NULL},
    {"net.inet.tcp.syncookies_only", "net.ipv4.tcp_syncookies", ONLY, NULL},
    {"net.inet.tcp.path_mtu_discovery", "net.ipv4.ip_no_pmtu_disc", NOT, NULL},
    {"net.inet.tcp.minmss", "net.ipv4.tcp_min_snd_mss", SAME, NULL},
    {"kern.ipc.somaxconn", "net.core.somaxconn", SAME, NULL},
    {"kern.ipc.soacceptqueue", "net.core.somaxconn", SAME, NULL},
#define K(name, values) {name, values, IDLE, WHY},
#define WHY "nothing is remembered between connections"
    K("net.inet.tcp.hostcache.enable", "") K("net.inet.tcp.hostcache.purgenow", "")
    K("net.inet.tcp.hostcache.purge", "") K("net.inet.tcp.hostcache.expire", "")
    K("net.inet.tcp.hostcache.cachelimit", "")
#undef WHY
#define WHY "a peer without the option is taken to have said 536, with IPv6 1220"
    K("net.inet.tcp.mssdflt", "536") K("net.inet.tcp.v6mssdflt", "1220")
#undef WHY
#define WHY "what reaches no socket is answered with RST"
    K("net.inet.tcp.blackhole", "0")
#undef WHY
#define WHY "a SYN with FIN is judged by its SYN"
    K("net.inet.tcp.drop_synfin", "0")
#undef WHY
#define WHY "RFC 5961 is done"
    K("net.inet.tcp.insecure_rst", "0") K("net.inet.tcp.insecure_syn", "0")
    K("net.inet.tcp.insecure_ack", "0")
#undef WHY
#define WHY "RFC 3042, 6675 and 6937 are done, and window growth is that of the algorithm"
    K("net.inet.tcp.rfc3042", "1") K("net.inet.tcp.rfc3390", "1") K("net.inet.tcp.rfc3465", "1")
    K("net.inet.tcp.abc_l_var", "") K("net.inet.tcp.rfc6675_pipe", "1")
    K("net.inet.tcp.newsack", "1") K("net.inet.tcp.do_prr", "1")
    K("net.inet.tcp.do_prr_conservative", "0") K("net.inet.tcp.do_lrd", "1")
    K("net.inet.tcp.sack.revised", "1") K("net.inet.tcp.sack.lrd", "1")
#undef WHY
#define WHY "how packets are made and taken inside is not seen"
    K("net.inet.tcp.tso", "") K("net.inet.tcp.sack.tso", "") K("net.inet.tcp.lro.entries", "")
    K("net.inet.tcp.per_cpu_timers", "") K("net.inet.tcp.pcap_packets", "")
    K("net.inet.tcp.log_in_vain", "") K("net.inet.tcp.log_debug", "")
    K("net.inet.tcp.bb.log_auto_all", "") K("net.inet.tcp.bb.log_auto_mode", "")
    K("net.inet.tcp.bb.log_auto_ratio", "") K("net.inet.tcp.cc.hystartplusplus.bblogs", "")
#undef WHY
#define WHY "limits that a script does not come near"
    K("net.inet.tcp.maxtcptw", "") K("net.inet.tcp.reass.maxqueuelen", "")
    K("net.inet.tcp.reass.maxsegments", "") K("net.inet.tcp.reass.new_limit", "")
    K("net.inet.tcp.sack.maxholes", "") K("net.inet.tcp.sack.globalmaxholes", "")
    K("net.inet.tcp.map_limit", "") K("net.inet.tcp.split_limit", "")
    K("net.inet.tcp.sack_attack.force_detection", "")
#undef WHY
#define WHY "TIME-WAIT is the same for all addresses"
    K("net.inet.tcp.nolocaltimewait", "0") K("net.inet.tcp.msl_local", "")
#undef WHY
#define WHY "FIN-WAIT-2 ends by net.inet.tcp.finwait2_timeout alone"
    K("net.inet.tcp.fast_finwait2_recycle", "0")
#undef WHY
#define WHY "a segment without the timestamp agreed upon is taken as in Linux"
    K("net.inet.tcp.tolerate_missing_ts", "")
#undef WHY
#define WHY "an ICMP message ends an attempt to connect"
    K("net.inet.tcp.icmp_may_rst", "1")
#undef WHY
#define WHY "keep-alive is a socket's own choice; its first probe would be two hours away"
    K("net.inet.tcp.always_keepalive", "") K("net.inet.tcp.keepinit", "")
#undef WHY
#define WHY "probes of a closed window follow the retransmission timer, whose count is fixed"
    K("net.inet.tcp.persmin", "") K("net.inet.tcp.persmax", "") K("net.inet.tcp.retries", "12")
    K("net.inet.tcp.rexmit_slop", "200")
#undef WHY
#define WHY "timestamps and initial numbers begin anywhere, which a script does not see"
    K("net.inet.tcp.ts_offset_per_conn", "") K("net.inet.tcp.isn_reseed_interval", "")
    K("net.inet.ip.random_id", "")
#undef WHY
#define WHY "the packets themselves say which of FreeBSD's stacks they are of"
    K("net.inet.tcp.functions_default", "")
    K("net.inet.tcp.functions_inherit_listen_socket_stack", "")
#undef WHY
#define WHY "there is no TCP in UDP"
    K("net.inet.tcp.udp_tunneling_port", "0") K("net.inet.tcp.udp_tunneling_overhead", "")
#undef WHY
#define WHY "buffers grow as the peer takes, whatever the step"
    K("net.inet.tcp.sendbuf_auto", "") K("net.inet.tcp.sendbuf_auto_lowat", "")
    K("net.inet.tcp.sendbuf_inc", "") K("net.inet.tcp.recvbuf_inc", "")
#undef WHY
#define WHY "a port may be used to several peers"
    K("net.inet.tcp.require_unique_port", "0") K("net.inet.ip.portrange.first", "")
    K("net.inet.ip.portrange.last", "")
#undef WHY
#define WHY "a SYN that asked for ECN is sent again without after the first"
    K("net.inet.tcp.ecn.maxretries", "1") K("net.inet.tcp.ecn.option", "")
#undef WHY
#define WHY "a black hole is not looked for"
    K("net.inet.tcp.pmtud_blackhole_detection", "0") K("net.inet.tcp.pmtud_blackhole_mss", "")
    K("net.inet.tcp.v6pmtud_blackhole_mss", "")
#undef WHY
#define WHY "a mark costs as much as a loss"
    K("net.inet.tcp.cc.abe", "0") K("net.inet.tcp.cc.abe_frlossreduce", "0")
    K("net.inet.tcp.cc.newreno.beta", "50") K("net.inet.tcp.cc.newreno.beta_ecn", "")
    K("net.inet.tcp.cc.cubic.minrto", "")
#undef WHY
#define WHY "Fast Open is a socket's own choice"
    K("net.inet.tcp.fastopen.client_enable", "") K("net.inet.tcp.fastopen.server_enable", "")
    K("net.inet.tcp.fastopen.enabled", "") K("net.inet.tcp.fastopen.acceptany", "")
    K("net.inet.tcp.fastopen.psk_enable", "") K("net.inet.tcp.fastopen.ccache_bucket_limit", "")
    K("net.inet.tcp.fastopen.ccache_buckets", "") K("net.inet.tcp.fastopen.autokey", "")
    K("net.inet.tcp.fastopen.setkey", "") K("net.inet.tcp.fastopen.setpsk", "")
    K("net.inet.tcp.fastopen.path_disable_time", "")
#undef WHY
#define WHY "of half-open connections there is one, and users there are none"
    K("net.inet.tcp.syncache.rst_on_sock_fail", "") K("net.inet.tcp.syncache.see_other", "")
    K("security.bsd.see_other_uids", "")
#undef WHY
#define WHY "of ICMP messages that a host sends by itself, TCP has none"
    K("net.inet.icmp.icmplim", "") K("net.inet.icmp.icmplim_jitter", "")
    K("net.inet6.icmp6.errppslimit", "") K("net.inet6.ip6.rfc6204w3", "")
#undef WHY
#define WHY "the hop limit is that of net.inet.ip.ttl"
    K("net.inet6.ip6.hlim", "64")
#undef WHY
#define WHY "virtual time has no ticks"
    K("kern.timecounter.alloweddeviation", "") K("kern.eventtimer.periodic", "") K("kern.hz", "")
#undef WHY
#undef K
    /* clang-format on */
};
enum { COUNT = sizeof(names) / sizeof(names[0]) };

const char *shell_bsd_name(size_t n, const char **values, const char **why)
{
    if (n >= COUNT)
        return NULL;
    *values = names[n].how == IDLE ? names[n].setting : NULL;
    *why = names[n].why;
    return names[n].name;
}

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
    case IDLE:
        return true;
    case NOT:
        return drill_settings_set(s, n->setting, atoll(value) == 0 ? "1" : "0");
    case ONLY:
        return atoll(value) == 0 || drill_settings_set(s, n->setting, "2");
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

const char *shell_bsd_refused(const char *name, const char *value, const char **why)
{
    const struct bsd_name *n = find(name);
    if (!n || n->how != IDLE || drill_settings_among(n->setting, value))
        return NULL;
    *why = n->why;
    return n->setting;
}

bool shell_bsd_get(const struct drill_settings *s, const char *name, const char **value)
{
    const struct bsd_name *n = find(name);
    *value = n && n->how != IDLE ? drill_settings_get(s, n->setting) : "0";
    return n != NULL;
}
