/* run_opts.c - setsockopt() and getsockopt() of programs' sockets.
 *
 * The answers are those of the sockets API (posix/opts.h), from the same table: before a call, the
 * socket is shown to it as it stands. The kernel's AF_UNIX socket is told as well of the few
 * options that it must know for the reading and writing that it does.
 */
#include "host/run_core.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "posix/opts.h"

enum {
    VALUE_MAX = 512, /* no value is larger */
    PAGE = 4096,     /* the least */
    SYN_RETRIES = 6,
};

/* ---- the socket as options see it ------------------------------------------------------------ */

static const struct run_sock *owner(const struct sock *as)
{
    return (const struct run_sock *)(const void *)((const char *)as -
                                                   offsetof(struct run_sock, as));
}

static bool look(const struct sock *as, tern_tcp_info *out)
{
    const struct run_sock *s = owner(as);
    const struct run_net_ops *net = s->run->net;
    uint32_t backlog, unsent;

    if (s->state == SOCK_LISTENING) {
        out->state = TERN_LISTEN;
        out->rx_queued = net->queue(s->group->net, &backlog) + run_queued(s->group);
        out->tx_queued = backlog;
        return true;
    }
    if (!s->conn || net->info(s->conn, out) < 0)
        return false;
    out->tx_queued = net->outq(s->conn, &unsent); /* with what lies in the pair */
    out->tx_unsent = unsent;
    return true;
}

static const tern_addr *local_of(const struct run_sock *s)
{
    return s->conn ? &s->name : &s->local;
}

/* Brings up to date what options look at. */
static struct sock *show(struct run_sock *s)
{
    struct run *r = s->run;

    tern_sockets_now(&r->keeper, loop_now(r->loop));
    s->as.p = &r->keeper;
    s->as.domain = s->family;
    s->as.protocol = IPPROTO_TCP;
    s->as.listening = s->state == SOCK_LISTENING;
    s->as.local = *local_of(s);
    s->as.k = s->as.listening ? r->net->listener(s->group->net)
              : s->conn       ? r->net->sock(s->conn)
                              : (tern_sock){0};
    return &s->as;
}

void run_opts_start(struct run *r)
{
    const struct run_config *cfg = &r->cfg;
    tern_sockets_config conf = {.stack = r->net->stack(cfg->net_user),
                                .now = loop_now(r->loop),
                                .congestion = cfg->congestion};

    posix_keeper(&r->keeper, &conf, look);
    r->keeper.tune.somaxconn = RUN_BACKLOG_MAX;
    r->keeper.tune.tcp_fastopen = 0; /* a connection is begun before its data is known */
    r->keeper.tune.tcp_syn_retries = cfg->syn_retries ? cfg->syn_retries : SYN_RETRIES;
}

void run_opts_init(struct run_sock *s) { opts_init(&s->run->keeper, &s->as.opts, s->family); }

void run_opts_inherit(struct run_sock *s, const struct run_sock *listener)
{
    s->as.opts = listener->as.opts;
}

static void apply_linger(struct run_sock *s)
{
    if (s->conn)
        s->run->net->abortive(s->conn, s->as.opts.linger_s == 0);
}

void run_opts_apply(struct run_sock *s)
{
    if (s->state == SOCK_CONNECTED && s->family == AF_INET6 && !run_addr_is4(&s->peer))
        s->as.opts.v6only = 1;
    opts_apply(show(s));
    apply_linger(s);
}

/* ---- setsockopt() ---------------------------------------------------------------------------- */

/* What there is of the value; *value NULL: none of it can be read. The kernel looks at the first
 * bytes only, behind which the program's memory may end. */
static void read_value(struct run_call *c, void **value, socklen_t *len)
{
    uint64_t at = c->data->args[3];
    size_t n = *len < VALUE_MAX ? *len : VALUE_MAX, page = PAGE - at % PAGE;

    if (run_mem_read(c->mem, *value, at, n) == 0)
        return;
    if (page < n && run_mem_read(c->mem, *value, at, page) == 0)
        *len = (socklen_t)page;
    else
        *value = NULL;
}

/* Options that the AF_UNIX socket must know, too. */
static bool is_the_kernels(const struct run_sock *s, int name)
{
    switch (name) {
    case SO_RCVTIMEO:
    case SO_SNDTIMEO:
    case 66: /* SO_RCVTIMEO_NEW, SO_SNDTIMEO_NEW: not in every system's headers */
    case 67:
    case SO_RCVLOWAT:
    case SO_OOBINLINE:
    case SO_RCVBUF:
        return true;
    case SO_SNDBUF: /* more room would make a socket writable that is still connecting */
        return s->state != SOCK_CONNECTING;
    default:
        return false;
    }
}

/* What is told through recvmsg(), which is the kernel's own work here. */
static bool is_told_by_queue(int level, int name)
{
    const struct posix_option *opt = opts_find(level, name);

    return opt && opt->queue;
}

int64_t run_call_setsockopt(struct run_call *c)
{
    struct run_sock *s = c->sock;
    int level = (int)c->data->args[1], name = (int)c->data->args[2];
    socklen_t len = (socklen_t)c->data->args[4];
    char buf[VALUE_MAX];
    void *value = buf;

    if ((int)len >= 0)
        read_value(c, &value, &len);
    if (!run_valid(c->run, c->id))
        return RUN_LATER;
    if (is_told_by_queue(level, name))
        return -ENOPROTOOPT;
    if (s->conn)
        c->run->net->flush(s->conn);
    int err = opts_set(show(s), level, name, value, len);
    if (err)
        return err;
    if (level == SOL_SOCKET && name == SO_LINGER)
        apply_linger(s);
    return level == SOL_SOCKET && is_the_kernels(s, name) ? RUN_CONTINUE : 0;
}

/* ---- getsockopt() ---------------------------------------------------------------------------- */

/* The pending error is told once: here, or by a read or write, which the kernel answers with the
 * error that run_pair_reset() has raised. So whether that is still there decides. */
static int pending_error(struct run_call *c)
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
    return raised ? err : 0;
}

int64_t run_call_getsockopt(struct run_call *c)
{
    struct run_sock *s = c->sock;
    int level = (int)c->data->args[1], name = (int)c->data->args[2];
    char value[VALUE_MAX];
    socklen_t len;

    if (run_mem_read(c->mem, &len, c->data->args[4], sizeof len) < 0)
        return -EFAULT;
    if (!run_valid(c->run, c->id))
        return RUN_LATER;
    if (is_told_by_queue(level, name))
        return -ENOPROTOOPT;
    struct sock *as = show(s);
    if (level == SOL_SOCKET && name == SO_ERROR)
        as->err = pending_error(c);
    int err = opts_get(as, level, name, value, &len);
    if (err)
        return err;
    if (run_mem_write(c->mem, c->data->args[4], &len, sizeof len) < 0 ||
        run_mem_write(c->mem, c->data->args[3], value, len) < 0)
        return -EFAULT;
    return 0;
}
