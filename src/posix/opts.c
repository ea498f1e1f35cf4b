/* opts.c - getsockopt() and setsockopt(): the kernel's order of checks around the table of rows,
 * and the options that are structures. */
#include "posix/opts.h"

#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

#include "posix/errq.h"
#include "posix/signature.h"
#include "posix/tcpinfo.h"

enum {
    SNDBUF_LEAST = 4608, /* SOCK_MIN_SNDBUF and SOCK_MIN_RCVBUF */
    RCVBUF_LEAST = 2304,
    RCVTIMEO_NEW = 66, /* not in every system's headers */
    SNDTIMEO_NEW = 67,
    TIMESTAMPING_NEW = 65,
    MD5SIG_EXT = 32,
};

/* ---- the table ------------------------------------------------------------------------------- */

const struct posix_option *opts_find(int level, int name)
{
    for (size_t i = 0; i < posix_options_count; i++)
        if (posix_options[i].level == level && posix_options[i].name == name)
            return &posix_options[i];
    return NULL;
}

const struct posix_refused *opts_refused(int level, int name)
{
    for (size_t i = 0; i < posix_refused_count; i++)
        if (posix_refused[i].level == level && posix_refused[i].name == name)
            return &posix_refused[i];
    return NULL;
}

int *opts_value(struct sock_opts *o, const struct posix_option *opt)
{
    return (int *)(void *)((char *)o + opt->offset);
}

void opts_init(const tern_sockets *p, struct sock_opts *o, int domain)
{
    *o = (struct sock_opts){
        .rcvlowat = 1,
        .linger_s = -1,
        .rcvtimeo = TERN_NEVER,
        .sndtimeo = TERN_NEVER,
        .quickack = 1,
        .keepidle = (int)p->tune.tcp_keepalive_time,
        .keepintvl = (int)p->tune.tcp_keepalive_intvl,
        .keepcnt = (int)p->tune.tcp_keepalive_probes,
        .syncnt = (int)p->tune.tcp_syn_retries,
        .ttl = -1,
        .hops = -1,
        .mtu_discover = 1,
        .mtu6_discover = 1,
        .incoming_cpu = -1,
        .max_pacing = UINT64_MAX,
        .v6only = domain == AF_INET6 && p->tune.bindv6only,
    };
    (void)snprintf(o->congestion, sizeof o->congestion, "%s", p->conf.congestion);
}

static const tern_cc_ops *const algorithms[] = {&tern_cc_cubic, &tern_cc_reno, &tern_cc_dctcp,
                                                &tern_cc_bbr};

/* NULL: as if there were no such module. */
static const tern_cc_ops *algorithm_of(const char *name)
{
    for (size_t i = 0; i < sizeof algorithms / sizeof algorithms[0]; i++)
        if (strcmp(algorithms[i]->name, name) == 0)
            return algorithms[i];
    return NULL;
}

static void apply_congestion(struct sock *sk)
{
    const tern_cc_ops *ops = algorithm_of(sk->opts.congestion);

    if (ops != NULL && sk->k.id != 0 && !sk->listening)
        (void)tern_cc_set(sk->p->conf.stack, sk->k, ops); /* (or there is no memory) */
}

static void apply_pacing(struct sock *sk)
{
    uint64_t rate = sk->opts.max_pacing;

    if (sk->k.id == 0 || sk->listening)
        return;
    rate = rate == UINT64_MAX ? 0 : rate == 0 ? 1 : rate > INT64_MAX ? INT64_MAX : rate;
    (void)tern_option_set(sk->p->conf.stack, sk->k, TERN_OPT_PACING_RATE, (int64_t)rate);
}

void opts_apply(struct sock *sk)
{
    struct sock_opts untouched;

    opts_init(sk->p, &untouched, sk->domain);
    for (size_t i = 0; i < posix_options_count; i++) {
        const struct posix_option *opt = &posix_options[i];
        if (opt->apply == NULL)
            continue;
        /* options without a number of their own tell only what was set */
        if (opt->offset == 0 || *opts_value(&sk->opts, opt) != *opts_value(&untouched, opt))
            opt->apply(sk);
    }
    if (strcmp(sk->opts.congestion, untouched.congestion) != 0)
        apply_congestion(sk);
    if (sk->opts.max_pacing != UINT64_MAX)
        apply_pacing(sk);
    signature_apply(sk);
}

/* ---- buffers --------------------------------------------------------------------------------- */

static int doubled(const struct sock *sk, int value, uint32_t most, int least)
{
    int64_t n = value < 0 || (uint32_t)value > most ? (int64_t)most : value;
    n = n > INT_MAX / 2 ? INT_MAX / 2 : n;
    if (sk->p->tune.bsd)
        return (int)n;
    return 2 * n > least ? (int)(2 * n) : least;
}

int opts_set_sndbuf(struct sock *sk, int value)
{
    sk->opts.sndbuf = doubled(sk, value, sk->p->tune.wmem_max, SNDBUF_LEAST);
    return 0;
}

int opts_set_rcvbuf(struct sock *sk, int value)
{
    sk->opts.rcvbuf = doubled(sk, value, sk->p->tune.rmem_max, RCVBUF_LEAST);
    return 0;
}

int opts_force_sndbuf(struct sock *sk, int value)
{
    sk->opts.sndbuf = doubled(sk, value < 0 ? 0 : value, INT_MAX, SNDBUF_LEAST);
    return 0;
}

int opts_force_rcvbuf(struct sock *sk, int value)
{
    sk->opts.rcvbuf = doubled(sk, value < 0 ? 0 : value, INT_MAX, RCVBUF_LEAST);
    return 0;
}

int opts_get_sndbuf(struct sock *sk, int *value)
{
    tern_tcp_info info;

    *value = sk->opts.sndbuf != 0 ? sk->opts.sndbuf : (int)sk->p->tune.tcp_wmem[1];
    if (sk->opts.sndbuf == 0 && sock_state(sk, &info) != LINUX_CLOSE && !sk->listening)
        *value = (int)info.sndbuf;
    return 0;
}

int opts_get_rcvbuf(struct sock *sk, int *value)
{
    tern_tcp_info info;

    *value = sk->opts.rcvbuf != 0 ? sk->opts.rcvbuf : (int)sk->p->tune.tcp_rmem[1];
    if (sk->opts.rcvbuf == 0 && sock_state(sk, &info) != LINUX_CLOSE && !sk->listening)
        *value = (int)(2 * info.rcvbuf);
    return 0;
}

/* ---- computed when asked --------------------------------------------------------------------- */

int opts_get_error(struct sock *sk, int *value)
{
    tern *s = sk->p->conf.stack;
    int64_t soft = 0;

    *value = -sock_error(sk);
    /* what ICMP said did not end the connection, but it is told to who asks, once */
    if (*value == 0 && sk->k.id != 0 &&
        tern_option_get(s, sk->k, TERN_OPT_SOFT_ERROR, &soft) == 0 && soft != 0) {
        (void)tern_option_set(s, sk->k, TERN_OPT_SOFT_ERROR, 0);
        *value = sock_errno(sk, (int)soft);
    }
    return 0;
}

int opts_get_maxseg(struct sock *sk, int *value)
{
    tern_tcp_info info;
    int state = sock_state(sk, &info);

    *value = info.snd_mss != 0 && !sk->listening ? info.snd_mss : 536;
    if (sk->opts.maxseg != 0 && STATE_IN(state, S(CLOSE) | S(LISTEN)))
        *value = sk->opts.maxseg;
    return 0;
}

int opts_get_mtu(struct sock *sk, int *value)
{
    struct tern_linux_tcp_info info;

    if (sock_state(sk, NULL) == LINUX_CLOSE || sk->listening)
        return -ENOTCONN;
    tcpinfo_fill(sk, &info);
    *value = (int)info.tcpi_pmtu;
    return 0;
}

/* ---- structures ------------------------------------------------------------------------------ */

/* The caller's value, which must be long enough: 0, -EINVAL, -EFAULT. */
static int take(void *to, size_t size, const void *value, socklen_t len)
{
    if (len < size)
        return -EINVAL;
    if (value == NULL)
        return -EFAULT;
    memcpy(to, value, size);
    return 0;
}

static int set_linger(struct sock *sk, const void *value, socklen_t len)
{
    struct linger l;
    int err = take(&l, sizeof l, value, len);

    if (err != 0)
        return err;
    sk->opts.linger_s = l.l_onoff ? l.l_linger & INT_MAX : -1;
    return 0;
}

/* The same layout twice where a long has 64 bits. */
static bool is_rcvtimeo(const struct posix_option *opt)
{
    return opt->level == SOL_SOCKET && (opt->name == SO_RCVTIMEO || opt->name == RCVTIMEO_NEW);
}

static bool is_sndtimeo(const struct posix_option *opt)
{
    return opt->level == SOL_SOCKET && (opt->name == SO_SNDTIMEO || opt->name == SNDTIMEO_NEW);
}

static bool is_timestamping(const struct posix_option *opt)
{
    return opt->level == SOL_SOCKET &&
           (opt->name == SO_TIMESTAMPING || opt->name == TIMESTAMPING_NEW);
}

/* An int, or a struct so_timestamping, which begins with one. */
static int set_timestamping(struct sock *sk, const void *value, socklen_t len)
{
    int flags, err = take(&flags, sizeof flags, value, len);

    return err != 0 ? err : errq_set_timestamping(sk, flags);
}

static int set_timeout(uint64_t *out, const void *value, socklen_t len)
{
    struct timeval t;
    int err = take(&t, sizeof t, value, len);

    if (err != 0)
        return err;
    if (t.tv_usec < 0 || t.tv_usec >= 1000000)
        return -EDOM;
    *out = TERN_NEVER;
    if (t.tv_sec < 0)
        *out = 0;
    else if (t.tv_sec != 0 || t.tv_usec != 0)
        *out = (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_usec * NS_PER_US;
    return 0;
}

static int set_congestion(struct sock *sk, const void *value, socklen_t len)
{
    char name[16] = "";

    if (len < 1)
        return -EINVAL;
    int err = take(name, len < sizeof name - 1 ? len : sizeof name - 1, value, len);
    if (err != 0)
        return err;
    if (strcmp(name, sk->opts.congestion) == 0)
        return 0;
    if (algorithm_of(name) == NULL)
        return -ENOENT;
    memcpy(sk->opts.congestion, name, sizeof name);
    apply_congestion(sk);
    return 0;
}

/* An int, of which all ones mean no limit, or a long. */
static int set_pacing(struct sock *sk, const void *value, socklen_t len)
{
    uint32_t rate;
    int err = take(&rate, sizeof rate, value, len);

    if (err != 0)
        return err;
    sk->opts.max_pacing = rate == UINT32_MAX ? UINT64_MAX : rate;
    if (len == sizeof sk->opts.max_pacing)
        memcpy(&sk->opts.max_pacing, value, len);
    apply_pacing(sk);
    return 0;
}

static int set_fastopen_key(struct sock *sk, const void *value, socklen_t len)
{
    uint8_t key[32];
    int err = len != 16 && len != 32 ? -EINVAL : take(key, len, value, len);

    if (err != 0)
        return err;
    memcpy(sk->fo_key, key, len);
    sk->fo_keys = (uint8_t)(len / 16);
    if (sk->listening)
        opts_fastopen(sk);
    return 0;
}

static int set_own(struct sock *sk, const struct posix_option *opt, const void *value,
                   socklen_t len)
{
    if (opt->level == SOL_SOCKET && opt->name == SO_LINGER)
        return set_linger(sk, value, len);
    if (is_rcvtimeo(opt))
        return set_timeout(&sk->opts.rcvtimeo, value, len);
    if (is_sndtimeo(opt))
        return set_timeout(&sk->opts.sndtimeo, value, len);
    if (is_timestamping(opt))
        return set_timestamping(sk, value, len);
    if (opt->level == IPPROTO_TCP && opt->name == TCP_CONGESTION)
        return set_congestion(sk, value, len);
    if (opt->level == SOL_SOCKET && opt->name == SO_MAX_PACING_RATE)
        return set_pacing(sk, value, len);
    if (opt->level == IPPROTO_TCP && opt->name == TCP_FASTOPEN_KEY)
        return set_fastopen_key(sk, value, len);
    if (opt->level == IPPROTO_IP && opt->name == IP_OPTIONS)
        return len == 0 ? 0 : -EINVAL;
    if (opt->level == IPPROTO_TCP && (opt->name == TCP_MD5SIG || opt->name == MD5SIG_EXT))
        return signature_set(sk, opt->name == MD5SIG_EXT, value, len);
    return -ENOPROTOOPT;
}

/* Copies as much as fits, and says how much that was. */
static int give(void *to, socklen_t *len, const void *value, size_t size)
{
    size_t room = *len; /* IPv6 takes a negative one for a large one */

    if (room > size)
        room = size;
    if (room != 0 && to == NULL)
        return -EFAULT;
    if (room != 0)
        memcpy(to, value, room);
    *len = (socklen_t)room;
    return 0;
}

static int get_timeout(uint64_t ns, void *to, socklen_t *len)
{
    struct timeval t = {0};

    if (ns != TERN_NEVER) {
        t.tv_sec = (time_t)(ns / NS_PER_S);
        t.tv_usec = (suseconds_t)(ns % NS_PER_S / NS_PER_US);
    }
    return give(to, len, &t, sizeof t);
}

static int get_own(struct sock *sk, const struct posix_option *opt, void *to, socklen_t *len)
{
    struct linger l = {sk->opts.linger_s >= 0, sk->opts.linger_s >= 0 ? sk->opts.linger_s : 0};
    struct tern_linux_tcp_info info;

    if (opt->level == SOL_SOCKET && opt->name == SO_LINGER)
        return give(to, len, &l, sizeof l);
    if (is_rcvtimeo(opt))
        return get_timeout(sk->opts.rcvtimeo, to, len);
    if (is_sndtimeo(opt))
        return get_timeout(sk->opts.sndtimeo, to, len);
    if (opt->level == SOL_SOCKET && opt->name == SO_MAX_PACING_RATE) {
        uint64_t rate = sk->opts.max_pacing;
        uint32_t number = rate > UINT32_MAX ? UINT32_MAX : (uint32_t)rate;
        return *len < sizeof rate ? give(to, len, &number, sizeof number)
                                  : give(to, len, &rate, sizeof rate);
    }
    if (opt->level == SOL_SOCKET && opt->name == SO_COOKIE)
        return *len < sizeof sk->k.id ? -EINVAL : give(to, len, &sk->k.id, sizeof sk->k.id);
    if (opt->level == IPPROTO_IP && opt->name == IP_OPTIONS)
        return give(to, len, "", 0); /* sshd refuses whoever has some */
    if (is_timestamping(opt))
        return give(to, len, (int[2]){sk->opts.timestamping, 0}, sizeof(int[2]));
    if (opt->level == IPPROTO_TCP && opt->name == TCP_CONGESTION)
        return give(to, len, sk->opts.congestion, sizeof sk->opts.congestion);
    if (opt->level == IPPROTO_TCP && opt->name == TCP_FASTOPEN_KEY)
        return sk->fo_keys != 0 ? give(to, len, sk->fo_key, 16u * sk->fo_keys)
                                : give(to, len, sk->p->fo_key, 16u * sk->p->fo_keys);
    if (opt->level == IPPROTO_TCP && opt->name == TCP_INFO) {
        tcpinfo_fill(sk, &info);
        return give(to, len, &info, sizeof info);
    }
    return -ENOPROTOOPT;
}

/* ---- setsockopt() ---------------------------------------------------------------------------- */

static int set_number(struct sock *sk, const struct posix_option *opt, int value)
{
    int err = 0;

    if (opt->set != NULL)
        err = opt->set(sk, value);
    else if (value < opt->min || value > opt->max)
        err = -EINVAL;
    else
        *opts_value(&sk->opts, opt) = opt->kind == OPT_BOOL ? value != 0 : value;
    if (err == 0 && opt->apply != NULL)
        opt->apply(sk);
    return err;
}

/* An option of IP may be a byte, or nothing, which is 0; the others are an int. */
static socklen_t least_length(const struct posix_option *opt)
{
    if (opt->level == IPPROTO_IP)
        return opt->odd ? 1 : 0;
    return opt->odd ? 0 : sizeof(int);
}

static int set_option(struct sock *sk, const struct posix_option *opt, const void *value,
                      socklen_t len)
{
    int number = 0;

    if (opt->kind == OPT_OWN)
        return set_own(sk, opt, value, len);
    if (len < least_length(opt))
        return -EINVAL;
    if (opt->kind == OPT_READ)
        return -ENOPROTOOPT;
    if (len != 0 && value == NULL)
        return -EFAULT;
    if (len >= sizeof number)
        memcpy(&number, value, sizeof number);
    else if (opt->level == IPPROTO_IP && len >= 1)
        number = *(const uint8_t *)value;
    if (opt->kind == OPT_DENY)
        return -EPERM;
    return set_number(sk, opt, number);
}

int opts_set(struct sock *sk, int level, int name, const void *value, socklen_t len)
{
    const struct posix_option *opt = opts_find(level, name);
    bool foreign = level == IPPROTO_IPV6 && sk->domain == AF_INET;

    if ((int)len < 0)
        return -EINVAL;
    return opt == NULL || foreign ? -ENOPROTOOPT : set_option(sk, opt, value, len);
}

int tern_socket_setsockopt(tern_sockets *p, int fd, int level, int name, const void *value,
                           socklen_t len)
{
    int err;
    struct sock *sk = sock_get(p, fd, &err);
    if (sk == NULL)
        return err;
    err = opts_set(sk, level, name, value, len);
    sock_put(sk);
    return err;
}

/* ---- getsockopt() ---------------------------------------------------------------------------- */

static int get_option(struct sock *sk, const struct posix_option *opt, void *to, socklen_t *len)
{
    int number = 0, err = 0;

    if (opt->kind == OPT_OWN)
        return get_own(sk, opt, to, len);
    if (opt->get != NULL)
        err = opt->get(sk, &number);
    else if (opt->offset == 0 && opt->kind != OPT_DENY)
        err = -ENOPROTOOPT;
    else if (opt->kind != OPT_DENY)
        number = *opts_value(&sk->opts, opt);
    if (err != 0)
        return err;
    /* IP's small numbers fit into one byte for who has no more room */
    if (opt->level == IPPROTO_IP && *len > 0 && *len < sizeof number && number >= 0 &&
        number <= 255) {
        if (to == NULL)
            return -EFAULT;
        *(uint8_t *)to = (uint8_t)number;
        *len = 1;
        return 0;
    }
    return give(to, len, &number, sizeof number);
}

int opts_get(struct sock *sk, int level, int name, void *value, socklen_t *len)
{
    const struct posix_option *opt = opts_find(level, name);
    bool known = level == SOL_SOCKET || level == IPPROTO_TCP || level == IPPROTO_IP;

    if (!known && sk->domain == AF_INET)
        return -EOPNOTSUPP;
    if (opt == NULL)
        return -ENOPROTOOPT;
    return (int)*len < 0 && level != IPPROTO_IPV6 ? -EINVAL : get_option(sk, opt, value, len);
}

int tern_socket_getsockopt(tern_sockets *p, int fd, int level, int name, void *value,
                           socklen_t *len)
{
    int err;
    struct sock *sk = sock_get(p, fd, &err);
    if (sk == NULL)
        return err;
    err = len == NULL ? -EFAULT : opts_get(sk, level, name, value, len);
    sock_put(sk);
    return err;
}
