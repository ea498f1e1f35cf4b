/* settings.h - what an administrator sets before a script runs: sysctl(8), the route.
 *
 * A setting is a name and the text that was written to it. Names that are not in the table do not
 * exist: a script that sets one fails. */
#ifndef TERN_DRILL_SETTINGS_H
#define TERN_DRILL_SETTINGS_H

#include "drill/text.h"

/* What is heeded: name, and Linux's value. `route.`: of ip-route, in the words of its metrics, 0 is
 * not given. `bsd.`: FreeBSD's own, in its units. drill.profile: linux or freebsd. */
/* clang-format off */
#define DRILL_SETTINGS(X) \
    X("net.core.rmem_max", "4194304") \
    X("net.core.wmem_max", "4194304") \
    X("net.core.somaxconn", "4096") \
    X("net.ipv4.ip_default_ttl", "64") \
    X("net.ipv4.ip_local_port_range", "32768 60999") \
    X("net.ipv4.ip_no_pmtu_disc", "0") \
    X("net.ipv4.tcp_abort_on_overflow", "0") \
    X("net.ipv4.tcp_base_mss", "1024") \
    X("net.ipv4.tcp_comp_sack_delay_ns", "1000000") \
    X("net.ipv4.tcp_comp_sack_nr", "44") \
    X("net.ipv4.tcp_comp_sack_rtt_percent", "33") \
    X("net.ipv4.tcp_comp_sack_slack_ns", "100000") \
    X("net.ipv4.tcp_congestion_control", "cubic") \
    X("net.ipv4.tcp_dsack", "1") \
    X("net.ipv4.tcp_early_retrans", "3") \
    X("net.ipv4.tcp_ecn", "2") \
    X("net.ipv4.tcp_ecn_fallback", "1") \
    X("net.ipv4.tcp_ecn_option", "2") \
    X("net.ipv4.tcp_ecn_option_beacon", "3") \
    X("net.ipv4.tcp_fastopen", "1") \
    X("net.ipv4.tcp_fastopen_key", "00000000-00000000-00000000-00000000") \
    X("net.ipv4.tcp_fin_timeout", "60") \
    X("net.ipv4.tcp_frto", "2") \
    X("net.ipv4.tcp_invalid_ratelimit", "500") \
    X("net.ipv4.tcp_keepalive_intvl", "75") \
    X("net.ipv4.tcp_keepalive_probes", "9") \
    X("net.ipv4.tcp_keepalive_time", "7200") \
    X("net.ipv4.tcp_max_reordering", "300") \
    X("net.ipv4.tcp_min_rtt_wlen", "300") \
    X("net.ipv4.tcp_min_snd_mss", "48") \
    X("net.ipv4.tcp_min_tso_segs", "2") \
    X("net.ipv4.tcp_moderate_rcvbuf", "1") \
    X("net.ipv4.tcp_mtu_probe_floor", "48") \
    X("net.ipv4.tcp_mtu_probing", "0") \
    X("net.ipv4.tcp_notsent_lowat", "4294967295") \
    X("net.ipv4.tcp_orphan_retries", "0") \
    X("net.ipv4.tcp_pacing_ca_ratio", "120") \
    X("net.ipv4.tcp_pacing_ss_ratio", "200") \
    X("net.ipv4.tcp_pingpong_thresh", "1") \
    X("net.ipv4.tcp_probe_interval", "600") \
    X("net.ipv4.tcp_probe_threshold", "8") \
    X("net.ipv4.tcp_recovery", "1") \
    X("net.ipv4.tcp_reflect_tos", "0") \
    X("net.ipv4.tcp_reordering", "3") \
    X("net.ipv4.tcp_retrans_collapse", "1") \
    X("net.ipv4.tcp_retries1", "3") \
    X("net.ipv4.tcp_retries2", "15") \
    X("net.ipv4.tcp_rfc1337", "0") \
    X("net.ipv4.tcp_rmem", "4096 131072 6291456") \
    X("net.ipv4.tcp_rto_max_ms", "120000") \
    X("net.ipv4.tcp_rto_min_us", "200000") \
    X("net.ipv4.tcp_sack", "1") \
    X("net.ipv4.tcp_shrink_window", "0") \
    X("net.ipv4.tcp_slow_start_after_idle", "1") \
    X("net.ipv4.tcp_stdurg", "0") \
    X("net.ipv4.tcp_syn_linear_timeouts", "4") \
    X("net.ipv4.tcp_syn_retries", "6") \
    X("net.ipv4.tcp_synack_retries", "5") \
    X("net.ipv4.tcp_syncookies", "1") \
    X("net.ipv4.tcp_thin_linear_timeouts", "0") \
    X("net.ipv4.tcp_timestamps", "1") \
    X("net.ipv4.tcp_tso_rtt_log", "9") \
    X("net.ipv4.tcp_tso_win_divisor", "3") \
    X("net.ipv4.tcp_window_scaling", "1") \
    X("net.ipv4.tcp_wmem", "4096 16384 4194304") \
    X("net.ipv4.tcp_workaround_signed_windows", "0") \
    X("net.ipv6.bindv6only", "0") \
    X("route.mtu", "0") \
    X("route.mtu_lock", "0") \
    X("route.advmss", "0") \
    X("route.initcwnd", "0") \
    X("route.initrwnd", "0") \
    X("route.rto_min_us", "0") \
    X("route.quickack", "0") \
    X("route.window", "0") \
    X("route.features", "0") \
    X("route.fastopen_no_cookie", "0") \
    X("bsd.maxsockbuf", "2097152") \
    X("bsd.sendspace", "32768") \
    X("bsd.recvspace", "65536") \
    X("bsd.delayed_ack", "1") \
    X("bsd.delacktime", "40") \
    X("bsd.msl", "30000") \
    X("bsd.rexmit_initial", "1000") \
    X("bsd.finwait2_timeout", "60000") \
    X("drill.profile", "linux")
/* clang-format on */

/* What changes nothing here: name, Linux's value, the values that say what is done, and why they
 * do; any other fails the script. The values: "" is any, "0|2" these, "256-" a number so large. */
/* clang-format off */
#define DRILL_SETTINGS_IDLE(X) \
    X("net.core.rmem_default", "212992", "", "of sockets that are not TCP") \
    X("net.core.wmem_default", "212992", "", "of sockets that are not TCP") \
    X("net.core.optmem_max", "131072", "20480-", \
      "there is always room for the notices of zero copy and for keys") \
    X("net.core.default_qdisc", "fq_codel", "", "nothing queues in front of the device") \
    X("net.core.netdev_max_backlog", "1000", "", "nothing queues behind the device") \
    X("net.ipv4.ip_forward", "0", "", "there is one interface") \
    X("net.ipv4.ip_nonlocal_bind", "0", "0", "`IP_FREEBIND` of a socket says the same") \
    X("net.ipv4.route.min_adv_mss", "256", "256", "our MSS follows the MTU, however small") \
    X("net.ipv4.route.min_pmtu", "552", "552", "no ICMP message makes packets smaller") \
    X("net.ipv4.route.flush", "0", "", "nothing is remembered of a route") \
    X("net.ipv6.route.flush", "0", "", "nothing is remembered of a route") \
    X("net.ipv4.icmp_ratelimit", "1000", "", "TCP answers with RST") \
    X("net.ipv4.tcp_adv_win_scale", "1", "", "off in Linux, too, since 6.6") \
    X("net.ipv4.tcp_allowed_congestion_control", "reno cubic bbr dctcp", "", \
      "root may choose any") \
    X("net.ipv4.tcp_app_win", "31", "31", "the whole buffer is for the window") \
    X("net.ipv4.tcp_autocorking", "1", "", \
      "it holds data back while the device's queue is full; packets are taken at once") \
    X("net.ipv4.tcp_available_congestion_control", "reno cubic bbr dctcp", "reno cubic bbr dctcp", \
      "these are there") \
    X("net.ipv4.tcp_backlog_ack_defer", "1", "", "segments come while nobody uses the socket") \
    X("net.ipv4.tcp_challenge_ack_limit", "2147483647", "2147483647", \
      "each connection has its own limit: `tcp_invalid_ratelimit`") \
    X("net.ipv4.tcp_child_ehash_entries", "0", "", "the size of a table") \
    X("net.ipv4.tcp_early_demux", "1", "", "how a socket is found is not seen") \
    X("net.ipv4.tcp_fack", "0", "", "off in Linux, too, since 4.15") \
    X("net.ipv4.tcp_fastopen_blackhole_timeout_sec", "0", "0", \
      "that Fast Open fails is remembered of each peer alone") \
    X("net.ipv4.tcp_fwmark_accept", "0", "", "no packet has a mark") \
    X("net.ipv4.tcp_limit_output_bytes", "4194304", "", \
      "it holds data back while the device's queue is full; packets are taken at once") \
    X("net.ipv4.tcp_low_latency", "0", "", "off in Linux, too, since 4.14") \
    X("net.ipv4.tcp_max_orphans", "65536", "256-", "a script has a few sockets") \
    X("net.ipv4.tcp_max_syn_backlog", "4096", "", \
      "a script has one half-open connection at a time") \
    X("net.ipv4.tcp_max_tw_buckets", "65536", "256-", "a script has a few connections") \
    X("net.ipv4.tcp_mem", "190000 250000 380000", "256-", "a script needs less than a megabyte") \
    X("net.ipv4.tcp_migrate_req", "0", "0", "one listener's connections are its own") \
    X("net.ipv4.tcp_no_metrics_save", "0", "", \
      "nothing is remembered of a peer; a script with one connection cannot tell") \
    X("net.ipv4.tcp_no_ssthresh_metrics_save", "1", "1", "nothing is remembered of a peer") \
    X("net.ipv4.tcp_plb_enabled", "0", "0", "a path is not left for its congestion") \
    X("net.ipv4.tcp_rcvbuf_low_rtt", "1000", "1000", "buffers grow the same on all paths") \
    X("net.ipv4.tcp_thin_dupack", "0", "", "off in Linux, too, since 4.11") \
    X("net.ipv4.tcp_tw_reuse", "2", "0|2", \
      "a port in TIME-WAIT is not taken again; 2 is of the loopback alone") \
    X("net.ipv4.tcp_tw_reuse_delay", "1000", "", "of `tcp_tw_reuse=1` alone") \
    X("net.ipv4.tcp_tw_recycle", "0", "0", "gone from Linux, too, since 4.12") \
    X("net.ipv6.auto_flowlabels", "1", "", \
      "labels are compared only where a script writes them") \
    X("net.ipv6.flowlabel_reflect", "0", "", \
      "labels are compared only where a script writes them") \
    X("net.ipv6.flowlabel_consistency", "1", "", "of programs that manage labels") \
    X("net.ipv6.conf.all.disable_ipv6", "0", "0", "each script is played over IPv6, too") \
    X("route.cwnd", "0", "", \
      "the memory of peers that Linux takes it from is empty at the first connection") \
    X("route.ssthresh", "0", "", \
      "the memory of peers that Linux takes it from is empty at the first connection") \
    X("route.reordering", "0", "", \
      "the memory of peers that Linux takes it from is empty at the first connection")
/* clang-format on */

struct drill_setting {
    const char *name, *value; /* what it is to begin with */
    const char *values, *why; /* NULL: it is heeded */
};

enum { DRILL_SETTINGS_MAX = 192, DRILL_SETTING_SIZE = 96 };

struct drill_settings {
    char value[DRILL_SETTINGS_MAX][DRILL_SETTING_SIZE];
    bool given[DRILL_SETTINGS_MAX]; /* by the script */
    uint32_t generation;            /* counts the changes */
};

/* What keeps a setting that changes nothing from this value; NULL: it may be set. */
const struct drill_setting *drill_settings_refused(const char *name, const char *value);
/* Whether `value` is among "", "0|2", "256-". */
bool drill_settings_among(const char *values, const char *value);

void drill_settings_default(struct drill_settings *s);
/* Names in any spelling: net.ipv4.tcp_sack, net/ipv4/tcp_sack, /proc/sys/net/ipv4/tcp_sack. */
bool drill_settings_set(struct drill_settings *s, const char *name, const char *value);
/* NULL: there is none of that name. */
const char *drill_settings_get(const struct drill_settings *s, const char *name);
/* Whether the script has set it. */
bool drill_settings_given(const struct drill_settings *s, const char *name);
/* The n-th number of a setting, which must exist. */
int64_t drill_settings_number(const struct drill_settings *s, const char *name, unsigned n);
/* The n-th, NULL behind the last. */
const struct drill_setting *drill_settings_at(size_t n);

#endif
