/* posix.c - life of a table of descriptors, its clock, what the stack tells it, and waiting. */
#include "posix/posix.h"

#include <stdlib.h>
#include <string.h>

enum { FDS_DEFAULT = 1024, FDS_MOST = 1 << 20 };

/* Linux's defaults on a machine with some memory. */
static const tern_sockets_tune plain = {
    .somaxconn = 4096,
    .rmem_max = 212992,
    .wmem_max = 212992,
    .tcp_rmem = {4096, 131072, 33554432},
    .tcp_wmem = {4096, 16384, 4194304},
    .tcp_keepalive_time = 7200,
    .tcp_keepalive_intvl = 75,
    .tcp_keepalive_probes = 9,
    .tcp_syn_retries = 6,
    .tcp_fin_timeout = 60,
    .tcp_notsent_lowat = UINT32_MAX,
    .ip_port_first = 32768,
    .ip_port_last = 60999,
    .ip_default_ttl = 64,
    .tcp_fastopen = 1,
};

void posix_keeper(tern_sockets *p, const tern_sockets_config *conf,
                  bool (*info)(const struct sock *sk, tern_tcp_info *out))
{
    *p = (tern_sockets){.conf = *conf, .tune = plain, .now = conf->now, .info = info};
    if (p->conf.congestion == NULL)
        p->conf.congestion = tern_cc_cubic.name;
}

int tern_sockets_new(tern_sockets **out, const tern_sockets_config *conf)
{
    uint32_t fds = conf->fds_max != 0 ? conf->fds_max : FDS_DEFAULT;

    if (conf->stack == NULL || fds > FDS_MOST)
        return -EINVAL;
    tern_sockets *p = calloc(1, sizeof *p);
    struct descriptor *table = calloc(fds, sizeof *table);
    if (p == NULL || table == NULL) {
        free(p);
        free(table);
        return -ENOMEM;
    }
    posix_keeper(p, conf, NULL);
    p->fds = table;
    p->fds_size = (int)fds;
    p->port_step = (uint32_t)(conf->seed * UINT64_C(0x9e3779b97f4a7c15) >> 32);
    *out = p;
    return 0;
}

void tern_sockets_free(tern_sockets *p)
{
    for (int fd = 0; fd < p->fds_size; fd++)
        if (p->fds[fd].file != NULL)
            fd_close(p, fd);
    free(p->fds);
    free(p->socks);
    free(p);
}

void tern_sockets_now(tern_sockets *p, uint64_t now)
{
    if (now > p->now)
        p->now = now;
}

void tern_sockets_events(tern_sockets *p, const tern_event *ev, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct sock *sk = sock_of_slot(p, ev[i].user, ev[i].sock);
        if (sk != NULL)
            sock_event(sk, &ev[i]);
    }
}

tern_sockets_tune *tern_sockets_tuning(tern_sockets *p) { return &p->tune; }

int tern_sockets_fastopen_keys(tern_sockets *p, const uint8_t *keys, size_t n)
{
    if (n == 0 || tern_fastopen_keys(p->conf.stack, (tern_sock){0}, keys, n) < 0)
        return -EINVAL;
    memcpy(p->fo_key, keys, 16 * n);
    p->fo_keys = (uint32_t)n;
    return 0;
}

/* Linux has timers above TCP; here all of them are the stack's. */
uint64_t tern_sockets_next(const tern_sockets *p)
{
    (void)p;
    return TERN_NEVER;
}

int posix_wait(tern_sockets *p, uint64_t until)
{
    if (p->conf.wait == NULL || p->now >= until)
        return -EAGAIN;
    int err = p->conf.wait(p->conf.user, until);
    return err < 0 ? err : 0;
}

uint64_t posix_after_ms(const tern_sockets *p, int64_t ms)
{
    return ms < 0 ? TERN_NEVER : p->now + (uint64_t)ms * NS_PER_MS;
}

int posix_errno(int err)
{
    switch (err) {
    case TERN_EAGAIN:
        return EAGAIN;
    case TERN_EINVAL:
        return EINVAL;
    case TERN_ENOMEM:
        return ENOMEM;
    case TERN_ELIMIT:
        return ENOBUFS;
    case TERN_ERESET:
        return ECONNRESET;
    case TERN_EREFUSED:
        return ECONNREFUSED;
    case TERN_ETIMEDOUT:
        return ETIMEDOUT;
    case TERN_EUNREACH:
        return EHOSTUNREACH;
    case TERN_EADDRINUSE:
        return EADDRINUSE;
    case TERN_ESHUTDOWN:
        return EPIPE;
    case TERN_ESTALE:
    case TERN_ENOTCONN:
        return ENOTCONN;
    case TERN_EADDRNOTAVAIL:
        return EADDRNOTAVAIL;
    case TERN_ENETUNREACH:
        return ENETUNREACH;
    case TERN_EMSGSIZE:
        return EMSGSIZE;
    case TERN_EPROTO:
        return ENOPROTOOPT; /* as ICMP's "protocol unreachable" is told */
    default:
        return EIO;
    }
}
