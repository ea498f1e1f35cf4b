/* net_host.c - a simple pump between two descriptors, twice per connection. */
#include "net_host.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/run_addr.h"

enum { BUFFER = 65536 };

struct net_host {
    struct loop *loop;
    const struct run_net_events *events;
    struct run_conn *conns, *dead;
    struct run_listener *listeners, *dead_listeners;
    struct loop_hook hook;
    bool waiting; /* some connection is */
};

struct side {
    struct run_conn *conn;
    struct loop_fd watch;
    uint32_t events;
    char *buf; /* read here, not yet written there */
    size_t from, len;
    bool eof, shut, hup; /* read to its end; the other end told; gone altogether */
};

struct run_conn {
    struct run_conn *next;
    struct net_host *net;
    void *user;
    bool opening, orphan, marked, dead;
    bool abortive, told_shut;
    bool waiting; /* to connect, at the end of the turn */
    tern_addr peer;
    struct side host, end;
};

struct run_listener {
    struct run_listener *next;
    struct net_host *net;
    void *user;
    struct loop_fd watch;
    bool dead, off;
};

static socklen_t to_host(union run_sockaddr *sa, const tern_addr *a)
{
    int family = run_addr_is4(a) ? AF_INET : AF_INET6;

    return (socklen_t)run_addr_write(sa, family, a);
}

static void from_host(tern_addr *out, const union run_sockaddr *sa)
{
    (void)run_addr_read(out, sa->sa.sa_family, sa, sizeof *sa);
}

static void unwatch(struct side *s)
{
    if (s->watch.ready)
        loop_del(s->conn->net->loop, &s->watch);
    s->watch.ready = NULL;
    if (s->watch.fd >= 0)
        close(s->watch.fd);
    s->watch.fd = -1;
}

static void drop(struct run_conn *c, bool reset)
{
    struct linger now = {1, 0};
    struct run_conn **at = &c->net->conns;

    if (c->dead)
        return;
    c->waiting = false;
    if (reset && c->host.watch.fd >= 0)
        (void)setsockopt(c->host.watch.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    unwatch(&c->host);
    unwatch(&c->end);
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    c->next = c->net->dead;
    c->net->dead = c;
    c->dead = true;
}

static void want(struct side *s, uint32_t events)
{
    if (s->watch.fd < 0 || s->events == events)
        return;
    s->events = events;
    loop_change(s->conn->net->loop, &s->watch, events);
}

/* The connection is over by an error; the program is told. */
static void over(struct run_conn *c, int err)
{
    if (!c->orphan)
        c->net->events->ended(c->user, -err);
    drop(c, false);
}

/* Reads into s->buf. False: an error. */
static bool fill(struct side *s)
{
    struct run_conn *c = s->conn;
    size_t room = BUFFER;
    int pending = 0;

    if (s->eof || s->len > 0)
        return true;
    if (s == &c->end && c->marked) {
        ioctl(s->watch.fd, FIONREAD, &pending);
        if (pending <= 1) {
            s->eof = true;
            return true;
        }
        room = (size_t)pending - 1 < room ? (size_t)pending - 1 : room;
    }
    ssize_t n = recv(s->watch.fd, s->buf, room, MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN;
    s->eof = n == 0;
    s->from = 0;
    s->len = (size_t)n;
    return true;
}

/* Writes what came from `s` to `t`. False: an error. */
static bool flush(struct side *s, struct side *t)
{
    while (s->len > 0) {
        ssize_t n = t->hup
                        ? (ssize_t)s->len
                        : send(t->watch.fd, s->buf + s->from, s->len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == EPIPE && t == &s->conn->end)
            n = (ssize_t)s->len; /* the program has shut its receiving side */
        if (n < 0)
            return errno == EAGAIN;
        s->from += (size_t)n;
        s->len -= (size_t)n;
    }
    if (s->eof && !s->shut) {
        s->shut = true;
        shutdown(t->watch.fd, SHUT_WR);
    }
    return true;
}

static void rewatch(struct side *s, struct side *t)
{
    uint32_t events = s->eof || s->len > 0 ? 0 : EPOLLIN;

    if (t->len > 0)
        events |= EPOLLOUT;
    want(s, events);
}

static int pending_error(int fd)
{
    int err = 0;
    socklen_t len = sizeof err;

    getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
    return err;
}

/* The program has closed its end. */
static void closed(struct run_conn *c, bool reset)
{
    if (!c->orphan)
        c->net->events->closed(c->user);
    c->orphan = true;
    drop(c, reset);
}

static void pump(struct run_conn *c)
{
    if (!fill(&c->end)) {
        closed(c, true);
        return;
    }
    if (!fill(&c->host) || !flush(&c->host, &c->end) || !flush(&c->end, &c->host)) {
        over(c, errno);
        return;
    }
    if (c->host.shut && c->end.shut && c->told_shut) {
        (void)!recv(c->end.watch.fd, c->end.buf, BUFFER, MSG_DONTWAIT);
        over(c, 0);
        return;
    }
    if (c->end.hup && c->end.eof && c->end.len == 0) {
        closed(c, false);
        return;
    }
    rewatch(&c->host, &c->end);
    rewatch(&c->end, &c->host);
}

static void end_ready(void *user, uint32_t events)
{
    struct run_conn *c = ((struct side *)user)->conn;

    if (events & EPOLLERR && pending_error(c->end.watch.fd) == ECONNRESET) {
        closed(c, true);
        return;
    }
    c->end.hup |= (events & EPOLLHUP) != 0;
    if (c->end.hup && c->abortive && !c->told_shut)
        closed(c, true); /* SO_LINGER with 0 seconds */
    else
        pump(c);
}

static void host_ready(void *user, uint32_t events)
{
    struct run_conn *c = ((struct side *)user)->conn;

    if (c->opening) {
        int err = pending_error(c->host.watch.fd);
        c->opening = false;
        want(&c->host, 0);
        c->net->events->opened(c->user, -err);
        if (err)
            drop(c, false);
    } else if (c->end.watch.fd >= 0) {
        pump(c);
    } else if (events & EPOLLERR) {
        over(c, pending_error(c->host.watch.fd));
    } else {
        want(&c->host, 0);
    }
}

static struct run_conn *conn_new(struct net_host *n, int fd, void *user, uint32_t events)
{
    struct run_conn *c = calloc(1, sizeof *c);

    assert(c);
    c->net = n;
    c->user = user;
    c->host = (struct side){.conn = c, .watch = {fd, host_ready, &c->host}, .events = events};
    c->end = (struct side){.conn = c, .watch = {.fd = -1}};
    c->host.buf = malloc(BUFFER);
    c->end.buf = malloc(BUFFER);
    c->next = n->conns;
    n->conns = c;
    int err = loop_add(n->loop, &c->host.watch, events);
    assert(!err);
    (void)err;
    return c;
}

/* ---- the backend ----------------------------------------------------------------------------- */

static int host_bindable(void *net, const tern_addr *local)
{
    union run_sockaddr sa;
    int on = 1;
    socklen_t len = to_host(&sa, local);
    int fd = socket(sa.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)net;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    int err = bind(fd, &sa.sa, len) < 0 || listen(fd, 1) < 0 ? -errno : 0;
    close(fd);
    return err;
}

static int host_open(void *net, struct run_conn **out, const tern_addr *local,
                     const tern_addr *peer, void *user)
{
    union run_sockaddr sa;
    int on = 1, err = 0;
    int family = run_addr_is4(peer) ? AF_INET : AF_INET6;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    tern_addr any = run_addr_wildcard(family);
    socklen_t len = (socklen_t)run_addr_write(&sa, family, local ? local : &any);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, &sa.sa, len) < 0)
        err = -errno;
    if (err) {
        close(fd);
        return err;
    }
    *out = conn_new(net, fd, user, 0);
    (*out)->opening = (*out)->waiting = true;
    (*out)->peer = *peer;
    ((struct net_host *)net)->waiting = true;
    return 0;
}

/* At the time of the SYN: whoever listens here is asked first, as the host's kernel would
 * accept. */
static void connect_now(struct run_conn *c)
{
    union run_sockaddr sa, la;
    socklen_t len = to_host(&sa, &c->peer), la_len;

    c->waiting = false;
    for (struct run_listener *l = c->net->listeners, *next; l; l = next) {
        next = l->next;
        la_len = sizeof la;
        getsockname(l->watch.fd, &la.sa, &la_len);
        if (ntohs(la.in.sin_port) == c->peer.port && !c->net->events->syn(l->user))
            break;
    }
    if (connect(c->host.watch.fd, &sa.sa, len) == 0 || errno == EINPROGRESS) {
        want(&c->host, EPOLLOUT);
        return;
    }
    c->net->events->opened(c->user, -errno);
    drop(c, false);
}

static struct run_conn *host_accept(struct run_listener *l, void *user)
{
    int fd = accept4(l->watch.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd >= 0)
        return conn_new(l->net, fd, user, 0);
    if (l->off)
        loop_change(l->net->loop, &l->watch, EPOLLIN);
    l->off = false;
    return NULL;
}

static void host_attach(struct run_conn *c, int fd)
{
    c->end.watch = (struct loop_fd){fd, end_ready, &c->end};
    c->end.events = EPOLLIN;
    int err = loop_add(c->net->loop, &c->end.watch, EPOLLIN);
    assert(!err);
    (void)err;
    want(&c->host, EPOLLIN);
}

static void host_shut(struct run_conn *c, bool marked)
{
    c->told_shut = true;
    c->marked = marked;
}

static void host_abort(struct run_conn *c) { drop(c, true); }

static void listener_ready(void *user, uint32_t events)
{
    struct run_listener *l = user;

    (void)events;
    if (!l->net->events->syn(l->user)) {
        assert(l->dead);
        return;
    }
    l->net->events->incoming(l->user);
    if (l->dead)
        return;
    l->off = true; /* until accept() has emptied the queue, so that this does not spin */
    loop_change(l->net->loop, &l->watch, 0);
}

static int host_listen(void *net, struct run_listener **out, const struct run_net_listen *what,
                       void *user)
{
    union run_sockaddr sa;
    struct net_host *n = net;
    int on = 1, only = what->v6only;
    socklen_t len = to_host(&sa, &what->local);
    int fd = socket(sa.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, &sa.sa, len) < 0 || listen(fd, (int)what->backlog) < 0) {
        int err = -errno;
        close(fd);
        return err;
    }
    struct run_listener *l = calloc(1, sizeof *l);
    assert(l);
    *l = (struct run_listener){n->listeners, n, user, {fd, listener_ready, l}, false, false};
    n->listeners = l;
    *out = l;
    return loop_add(n->loop, &l->watch, EPOLLIN);
}

static void host_backlog(struct run_listener *l, unsigned backlog)
{
    (void)listen(l->watch.fd, (int)backlog);
}

static void host_unlisten(struct run_listener *l)
{
    struct run_listener **at = &l->net->listeners;

    loop_del(l->net->loop, &l->watch);
    close(l->watch.fd);
    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    l->dead = true;
    l->next = l->net->dead_listeners;
    l->net->dead_listeners = l;
}

static void host_names(struct run_conn *c, tern_addr *local, tern_addr *peer)
{
    union run_sockaddr sa;
    socklen_t len = sizeof sa;

    if (local && getsockname(c->host.watch.fd, &sa.sa, &len) == 0)
        from_host(local, &sa);
    len = sizeof sa;
    if (peer && getpeername(c->host.watch.fd, &sa.sa, &len) == 0)
        from_host(peer, &sa);
}

static tern *host_stack(void *net)
{
    (void)net;
    return NULL;
}

static tern_sock host_sock(struct run_conn *c)
{
    (void)c;
    return (tern_sock){0};
}

static tern_sock host_listener(struct run_listener *l)
{
    (void)l;
    return (tern_sock){0};
}

static void host_flush(struct run_conn *c) { (void)c; }

static void host_abortive(struct run_conn *c, bool on) { c->abortive = on; }

static uint32_t host_queue(const struct run_listener *l, uint32_t *backlog)
{
    (void)l;
    *backlog = 1;
    return 0;
}

static int host_info(struct run_conn *c, tern_tcp_info *out)
{
    memset(out, 0, sizeof *out);
    out->state = c->opening ? TERN_SYN_SENT : TERN_ESTABLISHED;
    out->snd_mss = out->rcv_mss = 1460;
    out->srtt = 1000000;
    return 0;
}

static uint32_t host_outq(struct run_conn *c, uint32_t *unsent)
{
    int n = 0;

    ioctl(c->end.watch.fd, FIONREAD, &n);
    n -= c->marked && n > 0;
    *unsent = (uint32_t)n + (uint32_t)c->end.len;
    ioctl(c->host.watch.fd, TIOCOUTQ, &n);
    return *unsent + (uint32_t)n;
}

const struct run_net_ops net_host_ops = {
    .bindable = host_bindable,
    .open = host_open,
    .accept = host_accept,
    .attach = host_attach,
    .shut = host_shut,
    .abort = host_abort,
    .listen = host_listen,
    .backlog = host_backlog,
    .unlisten = host_unlisten,
    .names = host_names,
    .stack = host_stack,
    .sock = host_sock,
    .listener = host_listener,
    .flush = host_flush,
    .abortive = host_abortive,
    .queue = host_queue,
    .info = host_info,
    .outq = host_outq,
};

/* The end of a turn: connections begin, and what was dropped is freed. */
static void sweep(void *user, uint64_t now)
{
    struct net_host *n = user;

    (void)now;
    n->waiting = false;
    for (struct run_conn *c = n->conns; c;) {
        if (c->waiting) {
            connect_now(c); /* which may drop others */
            c = n->conns;
        } else {
            c = c->next;
        }
    }
    while (n->dead) {
        struct run_conn *c = n->dead;
        n->dead = c->next;
        free(c->host.buf);
        free(c->end.buf);
        free(c);
    }
    while (n->dead_listeners) {
        struct run_listener *l = n->dead_listeners;
        n->dead_listeners = l->next;
        free(l);
    }
}

static uint64_t deadline(void *user) { return ((struct net_host *)user)->waiting ? 0 : LOOP_NEVER; }

struct net_host *net_host_new(struct loop *l, const struct run_net_events *events)
{
    struct net_host *n = calloc(1, sizeof *n);

    assert(n);
    n->loop = l;
    n->events = events;
    n->hook = (struct loop_hook){sweep, deadline, n, NULL};
    loop_hook_add(l, &n->hook);
    return n;
}

unsigned net_host_busy(const struct net_host *n)
{
    unsigned busy = 0;

    for (const struct run_conn *c = n->conns; c; c = c->next)
        busy++;
    return busy;
}

void net_host_free(struct net_host *n)
{
    while (n->conns)
        drop(n->conns, false);
    sweep(n, 0);
    loop_hook_del(n->loop, &n->hook);
    free(n);
}
