/* run_opts.c - setsockopt() and getsockopt() of programs' sockets.
 *
 * Most options are a number with a range: one table. Those that tern has are passed on, in its
 * units; the rest are kept so that a program reads back what it has set. What the kernel's AF_UNIX
 * socket keeps as well as a TCP socket would (time limits, SO_REUSEADDR, ...) never comes here.
 */
#include "host/run_core.h"

#include <errno.h>
#include <limits.h>
#include <linux/tcp.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "posix/tcpinfo.h"

struct option {
    int level, name;
    size_t offset; /* in struct run_opts */
    bool flag;     /* a bool there, else an int */
    int min, max;
};

#define NUMBER(level, name, field, min, max)                                                       \
    {                                                                                              \
        level, name, offsetof(struct run_opts, field), false, min, max                             \
    }
#define FLAG(level, name, field)                                                                   \
    {                                                                                              \
        level, name, offsetof(struct run_opts, field), true, INT_MIN, INT_MAX                      \
    }

static const struct option options[] = {
    FLAG(IPPROTO_TCP, TCP_NODELAY, nodelay),
    FLAG(IPPROTO_TCP, TCP_CORK, cork),
    FLAG(IPPROTO_TCP, TCP_QUICKACK, quickack),
    NUMBER(IPPROTO_TCP, TCP_KEEPIDLE, keepidle, 1, 32767),
    NUMBER(IPPROTO_TCP, TCP_KEEPINTVL, keepintvl, 1, 32767),
    NUMBER(IPPROTO_TCP, TCP_KEEPCNT, keepcnt, 1, 127),
    NUMBER(IPPROTO_TCP, TCP_SYNCNT, syncnt, 1, 127),
    NUMBER(IPPROTO_TCP, TCP_LINGER2, linger2, INT_MIN, INT_MAX),
    NUMBER(IPPROTO_TCP, TCP_DEFER_ACCEPT, defer_accept, INT_MIN, INT_MAX),
    NUMBER(IPPROTO_TCP, TCP_WINDOW_CLAMP, window_clamp, 0, INT_MAX),
    NUMBER(IPPROTO_TCP, TCP_USER_TIMEOUT, user_timeout_ms, 0, INT_MAX),
    NUMBER(IPPROTO_TCP, TCP_NOTSENT_LOWAT, notsent_lowat, INT_MIN, INT_MAX),
    NUMBER(IPPROTO_IP, IP_TOS, tos, INT_MIN, INT_MAX),
    NUMBER(IPPROTO_IP, IP_TTL, ttl, -1, 255),
    NUMBER(IPPROTO_IP, IP_MTU_DISCOVER, mtu_discover, 0, 5),
    FLAG(IPPROTO_IP, IP_RECVERR, recverr),
    NUMBER(IPPROTO_IPV6, IPV6_TCLASS, tos, -1, 255),
    NUMBER(IPPROTO_IPV6, IPV6_UNICAST_HOPS, ttl, -1, 255),
    NUMBER(IPPROTO_IPV6, IPV6_MTU_DISCOVER, mtu_discover, 0, 5),
    FLAG(IPPROTO_IPV6, IPV6_RECVERR, recverr),
};

/* Taken and forgotten: they change nothing that a TCP socket's owner could see here. */
static const struct {
    int level, name;
} idle_options[] = {
    {IPPROTO_TCP, TCP_FASTOPEN},       {IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS},
    {IPPROTO_TCP, TCP_THIN_DUPACK},    {IPPROTO_TCP, TCP_SAVE_SYN},
    {IPPROTO_IP, IP_FREEBIND},         {IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT},
    {IPPROTO_IP, IP_RECVTOS},          {IPPROTO_IP, IP_RECVTTL},
    {IPPROTO_IP, IP_PKTINFO},          {IPPROTO_IP, IP_OPTIONS},
    {IPPROTO_IPV6, IPV6_RECVPKTINFO},  {IPPROTO_IPV6, IPV6_RECVTCLASS},
    {IPPROTO_IPV6, IPV6_RECVHOPLIMIT}, {IPPROTO_IPV6, IPV6_DONTFRAG},
};

void run_opts_init(struct run_opts *o)
{
    *o = (struct run_opts){.keepidle = 7200,
                           .keepintvl = 75,
                           .keepcnt = 9,
                           .syncnt = 6,
                           .linger2 = 60,
                           .ttl = 64,
                           .mtu_discover = 1,
                           .quickack = true,
                           .linger_s = -1,
                           .congestion = "cubic"};
}

static void tell(struct run_sock *s, enum tern_opt option, int64_t value)
{
    if (s->conn)
        (void)s->run->net->set(s->conn, option, value);
}

static int64_t linger_ns(const struct run_opts *o)
{
    return o->linger_s < 0 ? -1 : (int64_t)o->linger_s * 1000000000;
}

static void tell_one(struct run_sock *s, int level, int name)
{
    const struct run_opts *o = &s->opts;

    if (level == IPPROTO_TCP && name == TCP_NODELAY)
        tell(s, TERN_OPT_NODELAY, o->nodelay);
    else if (level == IPPROTO_TCP && name == TCP_CORK)
        tell(s, TERN_OPT_CORK, o->cork);
    else if (level == IPPROTO_TCP && name == TCP_SYNCNT)
        tell(s, TERN_OPT_SYN_RETRIES, o->syncnt);
    else if (level == IPPROTO_TCP && name == TCP_USER_TIMEOUT)
        tell(s, TERN_OPT_USER_TIMEOUT, (int64_t)o->user_timeout_ms * 1000000);
    else if (level == IPPROTO_TCP && name == TCP_MAXSEG && o->maxseg)
        tell(s, TERN_OPT_MSS, o->maxseg);
    else if (level != IPPROTO_TCP && (name == IP_TOS || name == IPV6_TCLASS))
        tell(s, TERN_OPT_DSCP, (o->tos & 0xff) >> 2);
    else if (level != IPPROTO_TCP && (name == IP_TTL || name == IPV6_UNICAST_HOPS))
        tell(s, TERN_OPT_TTL, o->ttl > 0 ? o->ttl : 64);
    else if (level == SOL_SOCKET && name == SO_LINGER)
        tell(s, TERN_OPT_LINGER, linger_ns(o));
    else if (level == SOL_SOCKET && name == SO_SNDBUF && o->sndbuf)
        tell(s, TERN_OPT_SNDBUF, o->sndbuf);
    else if (level == SOL_SOCKET && name == SO_RCVBUF && o->rcvbuf)
        tell(s, TERN_OPT_RCVBUF, o->rcvbuf);
}

void run_opts_apply(struct run_sock *s)
{
    struct run_opts plain;
    const struct run_opts *o = &s->opts;

    run_opts_init(&plain);
    if (o->nodelay)
        tell_one(s, IPPROTO_TCP, TCP_NODELAY);
    if (o->cork)
        tell_one(s, IPPROTO_TCP, TCP_CORK);
    if (o->syncnt != plain.syncnt && s->state == SOCK_CONNECTING)
        tell_one(s, IPPROTO_TCP, TCP_SYNCNT);
    if (o->user_timeout_ms)
        tell_one(s, IPPROTO_TCP, TCP_USER_TIMEOUT);
    tell_one(s, IPPROTO_TCP, TCP_MAXSEG);
    if (o->tos)
        tell_one(s, IPPROTO_IP, IP_TOS);
    if (o->ttl != plain.ttl)
        tell_one(s, IPPROTO_IP, IP_TTL);
    if (o->linger_s >= 0)
        tell_one(s, SOL_SOCKET, SO_LINGER);
    tell_one(s, SOL_SOCKET, SO_SNDBUF);
    tell_one(s, SOL_SOCKET, SO_RCVBUF);
}

/* ---- the table ------------------------------------------------------------------------------- */

static const struct option *find(int level, int name)
{
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        if (options[i].level == level && options[i].name == name)
            return &options[i];
    return NULL;
}

static bool is_idle(int level, int name)
{
    for (size_t i = 0; i < sizeof idle_options / sizeof idle_options[0]; i++)
        if (idle_options[i].level == level && idle_options[i].name == name)
            return true;
    return false;
}

static int option_value(const struct run_opts *o, const struct option *opt)
{
    const char *at = (const char *)o + opt->offset;
    bool flag;
    int number;

    if (opt->flag) {
        memcpy(&flag, at, sizeof flag);
        return flag;
    }
    memcpy(&number, at, sizeof number);
    return number;
}

static void option_store(struct run_opts *o, const struct option *opt, int value)
{
    char *at = (char *)o + opt->offset;
    bool flag = value != 0;

    if (opt->flag)
        memcpy(at, &flag, sizeof flag);
    else
        memcpy(at, &value, sizeof value);
}

/* ---- setsockopt() ---------------------------------------------------------------------------- */

static int64_t set_congestion(struct run_call *c, int len)
{
    char name[16] = "";
    size_t n = (size_t)len < sizeof name - 1 ? (size_t)len : sizeof name - 1;

    if (len < 1)
        return -EINVAL;
    if (run_mem_read(c->mem, name, c->data->args[3], n) < 0)
        return -EFAULT;
    if (strcmp(name, "cubic") != 0 && strcmp(name, "reno") != 0)
        return -ENOENT; /* as if the host had no such module */
    memcpy(c->sock->opts.congestion, name, sizeof name);
    return 0;
}

static int64_t set_linger(struct run_call *c, int len)
{
    struct linger l;

    if ((size_t)len < sizeof l)
        return -EINVAL;
    if (run_mem_read(c->mem, &l, c->data->args[3], sizeof l) < 0)
        return -EFAULT;
    c->sock->opts.linger_s = l.l_onoff ? l.l_linger & INT_MAX : -1;
    tell_one(c->sock, SOL_SOCKET, SO_LINGER);
    return RUN_CONTINUE; /* the kernel remembers it for getsockopt() */
}

static int64_t set_socket(struct run_call *c, int name, int value)
{
    struct run_sock *s = c->sock;

    switch (name) {
    case SO_REUSEPORT:
        s->opts.reuse_port = value != 0;
        return 0;
    case SO_ZEROCOPY:
        return -ENOPROTOOPT;
    case SO_SNDBUF:
        s->opts.sndbuf = value > 0 ? value : 1;
        tell_one(s, SOL_SOCKET, SO_SNDBUF);
        /* More room would make a socket writable that is still connecting. */
        return s->state == SOCK_CONNECTING ? 0 : RUN_CONTINUE;
    case SO_RCVBUF:
        s->opts.rcvbuf = value > 0 ? value : 1;
        tell_one(s, SOL_SOCKET, SO_RCVBUF);
        return RUN_CONTINUE;
    case SO_KEEPALIVE:
        s->opts.keepalive = value != 0;
        return RUN_CONTINUE;
    default:
        return RUN_CONTINUE;
    }
}

static int64_t set_number(struct run_call *c, int level, int name, int value)
{
    struct run_sock *s = c->sock;
    const struct option *opt = find(level, name);

    if (level == SOL_SOCKET)
        return set_socket(c, name, value);
    if (level == IPPROTO_IPV6 && s->family == AF_INET)
        return -ENOPROTOOPT;
    if (level == IPPROTO_IPV6 && name == IPV6_V6ONLY) {
        if (s->bound || s->state != SOCK_IDLE)
            return -EINVAL;
        s->opts.v6only = value != 0;
        return 0;
    }
    if (level == IPPROTO_TCP && name == TCP_MAXSEG) {
        if (value && (value < 88 || value > 32767))
            return -EINVAL;
        s->opts.maxseg = value;
        tell_one(s, level, name);
        return 0;
    }
    if (level == IPPROTO_TCP && name == TCP_FASTOPEN_CONNECT)
        return -EOPNOTSUPP; /* as where fast open is switched off */
    if ((level == IPPROTO_IP && name == IP_TRANSPARENT) ||
        (level == IPPROTO_TCP && name == TCP_REPAIR))
        return -EPERM;
    if (!opt)
        return is_idle(level, name) ? 0 : -ENOPROTOOPT;
    if (value < opt->min || value > opt->max ||
        (opt->offset == offsetof(struct run_opts, ttl) && !value))
        return -EINVAL;
    option_store(&s->opts, opt, value);
    tell_one(s, level, name);
    return 0;
}

int64_t run_call_setsockopt(struct run_call *c)
{
    int level = (int)c->data->args[1], name = (int)c->data->args[2], len = (int)c->data->args[4];
    int value = 0;

    if (len < 0)
        return -EINVAL;
    if (level == IPPROTO_TCP && name == TCP_CONGESTION)
        return set_congestion(c, len);
    if (level == SOL_SOCKET && name == SO_LINGER)
        return set_linger(c, len);
    if ((size_t)len < sizeof value) {
        uint8_t byte; /* IP options may come as one byte */
        if (level != IPPROTO_IP || len == 0)
            return level == IPPROTO_IP && is_idle(level, name) ? 0 : -EINVAL;
        if (run_mem_read(c->mem, &byte, c->data->args[3], 1) < 0)
            return -EFAULT;
        value = byte;
    } else if (run_mem_read(c->mem, &value, c->data->args[3], sizeof value) < 0) {
        return -EFAULT;
    }
    if (!run_valid(c->run, c->id))
        return RUN_LATER;
    return set_number(c, level, name, value);
}

/* ---- getsockopt() ---------------------------------------------------------------------------- */

/* Copies out as the kernel does: what fits, and the length that was copied. */
static int64_t give(struct run_call *c, const void *value, size_t size)
{
    int room;

    if (run_mem_read(c->mem, &room, c->data->args[4], sizeof room) < 0)
        return -EFAULT;
    if (room < 0)
        return -EINVAL;
    int n = (size_t)room < size ? room : (int)size;
    if (!run_valid(c->run, c->id))
        return RUN_LATER;
    if (run_mem_write(c->mem, c->data->args[4], &n, sizeof n) < 0 ||
        run_mem_write(c->mem, c->data->args[3], value, (size_t)n) < 0)
        return -EFAULT;
    return 0;
}

static int64_t give_int(struct run_call *c, int value) { return give(c, &value, sizeof value); }

/* The pending error is told once: here, or by a read or write, which the kernel answers with the
 * error that run_pair_reset() has raised. So whether that is still there decides. */
static int64_t give_error(struct run_call *c)
{
    struct run_sock *s = c->sock;
    int err = s->err, raised = 1;
    socklen_t len = sizeof raised;

    s->err = 0;
    int file = err && s->spent ? run_borrow(s, c->mem.pid, s->fd) : -1;
    if (file >= 0) {
        (void)getsockopt(file, SOL_SOCKET, SO_ERROR, &raised, &len);
        close(file);
    }
    return give_int(c, raised ? err : 0);
}

static int64_t get_socket(struct run_call *c, int name)
{
    struct run_sock *s = c->sock;

    switch (name) {
    case SO_ERROR:
        return give_error(c);
    case SO_DOMAIN:
        return give_int(c, s->family);
    case SO_PROTOCOL:
        return give_int(c, IPPROTO_TCP);
    case SO_REUSEPORT:
        return give_int(c, s->opts.reuse_port);
    case SO_ACCEPTCONN:
        return give_int(c, s->state == SOCK_LISTENING);
    case SO_ZEROCOPY:
        return -ENOPROTOOPT;
    default:
        return RUN_CONTINUE;
    }
}

static int mss_of(struct run_sock *s)
{
    tern_tcp_info t;

    if (s->conn && s->state == SOCK_CONNECTED && s->run->net->info(s->conn, &t) == 0 && t.snd_mss)
        return t.snd_mss;
    return s->opts.maxseg ? s->opts.maxseg : 536;
}

static int64_t get_number(struct run_call *c, int level, int name)
{
    struct run_sock *s = c->sock;
    const struct option *opt = find(level, name);

    if (level == IPPROTO_IPV6 && s->family == AF_INET)
        return -EOPNOTSUPP;
    if (level == IPPROTO_IPV6 && name == IPV6_V6ONLY)
        return give_int(c, s->opts.v6only);
    if (level == IPPROTO_TCP && name == TCP_MAXSEG)
        return give_int(c, mss_of(s));
    if ((level == IPPROTO_IP && name == IP_MTU) || (level == IPPROTO_IPV6 && name == IPV6_MTU)) {
        if (s->state != SOCK_CONNECTED)
            return -ENOTCONN;
        return give_int(c, mss_of(s) + 20 + (run_addr_is4(&s->peer) ? 20 : 40));
    }
    if (opt)
        return give_int(c, option_value(&s->opts, opt));
    if (level == IPPROTO_TCP && name == TCP_FASTOPEN_CONNECT)
        return give_int(c, 0);
    if (level == IPPROTO_IP && name == IP_OPTIONS)
        return give(c, "", 0); /* none: sshd refuses whoever has some */
    return is_idle(level, name) ? give_int(c, 0) : -ENOPROTOOPT;
}

int64_t run_call_getsockopt(struct run_call *c)
{
    int level = (int)c->data->args[1], name = (int)c->data->args[2];

    if (level == SOL_SOCKET)
        return get_socket(c, name);
    if (level == IPPROTO_TCP && name == TCP_INFO) {
        tern_tcp_info t = {0};
        struct tern_linux_tcp_info info;
        bool known = c->sock->conn && c->run->net->info(c->sock->conn, &t) == 0;
        if (c->sock->state == SOCK_LISTENING) {
            t = (tern_tcp_info){.state = TERN_LISTEN, .tx_queued = 1};
            known = true;
        }
        tcpinfo_of(known ? &t : NULL, loop_now(c->run->loop), &info);
        return give(c, &info, sizeof info);
    }
    if (level == IPPROTO_TCP && name == TCP_CONGESTION)
        return give(c, c->sock->opts.congestion, sizeof c->sock->opts.congestion);
    return get_number(c, level, name);
}
