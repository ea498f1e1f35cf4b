/* settings.h - what an administrator sets before a script runs: sysctl(8), the route.
 *
 * A setting is a name and the text that was written to it. Names that are not in the table do not
 * exist: a script that sets one fails. */
#ifndef TERN_DRILL_SETTINGS_H
#define TERN_DRILL_SETTINGS_H

#include "drill/text.h"

/* Name, Linux's value, and what becomes of it: USED by the stack, or FIXED: accepted, because
 * nothing that a script can see here depends on it. */
#define DRILL_SETTINGS(X)                                                                          \
    X("net.core.rmem_max", "4194304", USED)                                                        \
    X("net.core.wmem_max", "4194304", USED)                                                        \
    X("net.core.rmem_default", "212992", FIXED)                                                    \
    X("net.core.wmem_default", "212992", FIXED)                                                    \
    X("net.core.optmem_max", "131072", FIXED)                                                      \
    X("net.core.somaxconn", "4096", USED)                                                          \
    X("net.core.default_qdisc", "fq_codel", FIXED)                                                 \
    X("net.core.netdev_max_backlog", "1000", FIXED)                                                \
    X("net.ipv4.ip_default_ttl", "64", USED)                                                       \
    X("net.ipv4.ip_local_port_range", "32768 60999", USED)                                         \
    X("net.ipv4.ip_forward", "0", FIXED)                                                           \
    X("net.ipv4.ip_no_pmtu_disc", "0", USED)                                                       \
    X("net.ipv4.ip_nonlocal_bind", "0", FIXED)                                                     \
    X("net.ipv4.min_adv_mss", "48", FIXED)                                                         \
    X("net.ipv4.route.min_adv_mss", "256", FIXED)                                                  \
    X("net.ipv4.route.min_pmtu", "552", FIXED)                                                     \
    X("net.ipv4.route.flush", "0", FIXED)                                                          \
    X("net.ipv6.route.flush", "0", FIXED)                                                          \
    X("net.ipv4.icmp_ratelimit", "1000", FIXED)                                                    \
    X("net.ipv4.tcp_abort_on_overflow", "0", USED)                                                 \
    X("net.ipv4.tcp_adv_win_scale", "1", FIXED)                                                    \
    X("net.ipv4.tcp_allowed_congestion_control", "reno cubic bbr dctcp", FIXED)                    \
    X("net.ipv4.tcp_app_win", "31", FIXED)                                                         \
    X("net.ipv4.tcp_autocorking", "1", USED)                                                       \
    X("net.ipv4.tcp_available_congestion_control", "reno cubic bbr dctcp", FIXED)                  \
    X("net.ipv4.tcp_backlog_ack_defer", "1", FIXED)                                                \
    X("net.ipv4.tcp_base_mss", "1024", USED)                                                       \
    X("net.ipv4.tcp_challenge_ack_limit", "2147483647", USED)                                      \
    X("net.ipv4.tcp_child_ehash_entries", "0", FIXED)                                              \
    X("net.ipv4.tcp_comp_sack_delay_ns", "1000000", USED)                                          \
    X("net.ipv4.tcp_comp_sack_nr", "44", USED)                                                     \
    X("net.ipv4.tcp_comp_sack_rtt_percent", "33", USED)                                            \
    X("net.ipv4.tcp_comp_sack_slack_ns", "100000", USED)                                           \
    X("net.ipv4.tcp_congestion_control", "cubic", USED)                                            \
    X("net.ipv4.tcp_dsack", "1", USED)                                                             \
    X("net.ipv4.tcp_early_demux", "1", FIXED)                                                      \
    X("net.ipv4.tcp_early_retrans", "3", USED)                                                     \
    X("net.ipv4.tcp_ecn", "2", USED)                                                               \
    X("net.ipv4.tcp_ecn_fallback", "1", USED)                                                      \
    X("net.ipv4.tcp_ecn_option", "2", USED)                                                        \
    X("net.ipv4.tcp_ecn_option_beacon", "3", USED)                                                 \
    X("net.ipv4.tcp_fack", "0", FIXED)                                                             \
    X("net.ipv4.tcp_fastopen", "1", USED)                                                          \
    X("net.ipv4.tcp_fastopen_blackhole_timeout_sec", "0", USED)                                    \
    X("net.ipv4.tcp_fastopen_key", "00000000-00000000-00000000-00000000", USED)                    \
    X("net.ipv4.tcp_fin_timeout", "60", USED)                                                      \
    X("net.ipv4.tcp_frto", "2", USED)                                                              \
    X("net.ipv4.tcp_fwmark_accept", "0", FIXED)                                                    \
    X("net.ipv4.tcp_invalid_ratelimit", "500", USED)                                               \
    X("net.ipv4.tcp_keepalive_intvl", "75", USED)                                                  \
    X("net.ipv4.tcp_keepalive_probes", "9", USED)                                                  \
    X("net.ipv4.tcp_keepalive_time", "7200", USED)                                                 \
    X("net.ipv4.tcp_limit_output_bytes", "4194304", USED)                                          \
    X("net.ipv4.tcp_low_latency", "0", FIXED)                                                      \
    X("net.ipv4.tcp_max_orphans", "65536", FIXED)                                                  \
    X("net.ipv4.tcp_max_reordering", "300", USED)                                                  \
    X("net.ipv4.tcp_max_syn_backlog", "4096", USED)                                                \
    X("net.ipv4.tcp_max_tw_buckets", "65536", FIXED)                                               \
    X("net.ipv4.tcp_mem", "190000 250000 380000", FIXED)                                           \
    X("net.ipv4.tcp_migrate_req", "0", FIXED)                                                      \
    X("net.ipv4.tcp_min_rtt_wlen", "300", USED)                                                    \
    X("net.ipv4.tcp_min_snd_mss", "48", USED)                                                      \
    X("net.ipv4.tcp_min_tso_segs", "2", USED)                                                      \
    X("net.ipv4.tcp_moderate_rcvbuf", "1", USED)                                                   \
    X("net.ipv4.tcp_mtu_probe_floor", "48", USED)                                                  \
    X("net.ipv4.tcp_mtu_probing", "0", USED)                                                       \
    X("net.ipv4.tcp_no_metrics_save", "0", USED)                                                   \
    X("net.ipv4.tcp_no_ssthresh_metrics_save", "1", USED)                                          \
    X("net.ipv4.tcp_notsent_lowat", "4294967295", USED)                                            \
    X("net.ipv4.tcp_orphan_retries", "0", USED)                                                    \
    X("net.ipv4.tcp_pacing_ca_ratio", "120", USED)                                                 \
    X("net.ipv4.tcp_pacing_ss_ratio", "200", USED)                                                 \
    X("net.ipv4.tcp_pingpong_thresh", "1", USED)                                                   \
    X("net.ipv4.tcp_plb_enabled", "0", FIXED)                                                      \
    X("net.ipv4.tcp_probe_interval", "600", USED)                                                  \
    X("net.ipv4.tcp_probe_threshold", "8", USED)                                                   \
    X("net.ipv4.tcp_rcvbuf_low_rtt", "1000", FIXED)                                                \
    X("net.ipv4.tcp_recovery", "1", USED)                                                          \
    X("net.ipv4.tcp_reflect_tos", "0", USED)                                                       \
    X("net.ipv4.tcp_reordering", "3", USED)                                                        \
    X("net.ipv4.tcp_retrans_collapse", "1", USED)                                                  \
    X("net.ipv4.tcp_retries1", "3", USED)                                                          \
    X("net.ipv4.tcp_retries2", "15", USED)                                                         \
    X("net.ipv4.tcp_rfc1337", "0", USED)                                                           \
    X("net.ipv4.tcp_rmem", "4096 131072 6291456", USED)                                            \
    X("net.ipv4.tcp_rto_max_ms", "120000", USED)                                                   \
    X("net.ipv4.tcp_rto_min_us", "200000", USED)                                                   \
    X("net.ipv4.tcp_sack", "1", USED)                                                              \
    X("net.ipv4.tcp_shrink_window", "0", USED)                                                     \
    X("net.ipv4.tcp_slow_start_after_idle", "1", USED)                                             \
    X("net.ipv4.tcp_stdurg", "0", USED)                                                            \
    X("net.ipv4.tcp_syn_linear_timeouts", "4", USED)                                               \
    X("net.ipv4.tcp_syn_retries", "6", USED)                                                       \
    X("net.ipv4.tcp_synack_retries", "5", USED)                                                    \
    X("net.ipv4.tcp_syncookies", "1", USED)                                                        \
    X("net.ipv4.tcp_thin_linear_timeouts", "0", USED)                                              \
    X("net.ipv4.tcp_thin_dupack", "0", FIXED)                                                      \
    X("net.ipv4.tcp_timestamps", "1", USED)                                                        \
    X("net.ipv4.tcp_tso_rtt_log", "9", USED)                                                       \
    X("net.ipv4.tcp_tso_win_divisor", "3", USED)                                                   \
    X("net.ipv4.tcp_tw_reuse", "2", USED)                                                          \
    X("net.ipv4.tcp_tw_reuse_delay", "1000", USED)                                                 \
    X("net.ipv4.tcp_tw_recycle", "0", FIXED)                                                       \
    X("net.ipv4.tcp_window_scaling", "1", USED)                                                    \
    X("net.ipv4.tcp_wmem", "4096 16384 4194304", USED)                                             \
    X("net.ipv4.tcp_workaround_signed_windows", "0", USED)                                         \
    X("net.ipv6.bindv6only", "0", USED)                                                            \
    X("net.ipv6.auto_flowlabels", "1", FIXED)                                                      \
    X("net.ipv6.flowlabel_reflect", "0", FIXED)                                                    \
    X("net.ipv6.flowlabel_consistency", "1", FIXED)                                                \
    X("net.ipv6.conf.all.disable_ipv6", "0", FIXED)                                                \
    /* `ip route`, in the words of its metrics; 0: not given */                                    \
    X("route.mtu", "0", USED)                                                                      \
    X("route.mtu_lock", "0", USED)                                                                 \
    X("route.advmss", "0", USED)                                                                   \
    X("route.initcwnd", "0", USED)                                                                 \
    X("route.initrwnd", "0", USED)                                                                 \
    X("route.rto_min_us", "0", USED)                                                               \
    X("route.quickack", "0", USED)                                                                 \
    X("route.window", "0", USED)                                                                   \
    X("route.cwnd", "0", USED)                                                                     \
    X("route.ssthresh", "0", USED)                                                                 \
    X("route.reordering", "0", USED)                                                               \
    X("route.features", "0", USED)                                                                 \
    X("route.fastopen_no_cookie", "0", USED)                                                       \
    /* of FreeBSD only, in its units */                                                            \
    X("bsd.maxsockbuf", "2097152", USED)                                                           \
    X("bsd.sendspace", "32768", USED)                                                              \
    X("bsd.recvspace", "65536", USED)                                                              \
    X("bsd.delayed_ack", "1", USED)                                                                \
    X("bsd.delacktime", "40", USED)                                                                \
    X("bsd.msl", "30000", USED)                                                                    \
    X("bsd.rexmit_initial", "1000", USED)                                                          \
    X("bsd.finwait2_timeout", "60000", USED)                                                       \
    /* what kind of host it is: linux or freebsd */                                                \
    X("drill.profile", "linux", USED)

enum drill_setting_use { DRILL_SETTING_USED, DRILL_SETTING_FIXED };

enum { DRILL_SETTINGS_MAX = 192, DRILL_SETTING_SIZE = 96 };

struct drill_settings {
    char value[DRILL_SETTINGS_MAX][DRILL_SETTING_SIZE];
    bool given[DRILL_SETTINGS_MAX]; /* by the script */
    uint32_t generation;            /* counts the changes */
};

/* The only value that a setting has here, if `value` is another one; NULL: it may be set. */
const char *drill_settings_fixed(const char *name, const char *value);

void drill_settings_default(struct drill_settings *s);
/* Names in any spelling: net.ipv4.tcp_sack, net/ipv4/tcp_sack, /proc/sys/net/ipv4/tcp_sack. */
bool drill_settings_set(struct drill_settings *s, const char *name, const char *value);
/* NULL: there is none of that name. */
const char *drill_settings_get(const struct drill_settings *s, const char *name);
/* Whether the script has set it. */
bool drill_settings_given(const struct drill_settings *s, const char *name);
/* The n-th number of a setting, which must exist. */
int64_t drill_settings_number(const struct drill_settings *s, const char *name, unsigned n);
/* The n-th name, NULL behind the last, and its use. */
const char *drill_settings_name(size_t n, enum drill_setting_use *use);

#endif
