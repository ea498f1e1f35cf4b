/* test_replay_linux.c - what one end of a simulated connection has heard, Linux hears, too: worlds
 * of `tern sim` are played, and each segment that arrived at an end, and each call of its program,
 * is repeated to a socket of the kernel behind a TUN device, in the same order, with its numbers
 * mapped to the kernel's. After each segment Linux must have acknowledged as much, believe as much
 * of what it sent acknowledged, be in the same state, and report the same blocks by SACK; it resets
 * where tern does. Where they differ, a row of the table below says why both are right.
 *
 * Time is the kernel's own: a world of minutes is replayed in milliseconds, and timers do not fire.
 * So nothing is said about when something is sent again, nor about congestion control; a trace is
 * left where the peer acknowledges what Linux holds back. TERN_REPLAY=N plays that many worlds.
 *
 * valgrind: it judges the kernel
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../netns.h"
#include "../test.h"
#include "base/cksum.h"
#include "base/seq.h"
#include "sim/flow.h"
#include "watch/packet.h"

enum {
    WORLDS = 24,            /* TERN_REPLAY */
    OLDEST = 6 * 1000 + 18, /* the Linux that the table was written for */
    BUFFER = 16 << 20,      /* more than any window */
    PIECE = 1 << 16,
    TOLD_MAX = 20,
};

/* Faults that are no segments on the link, or that make the two ends different programs. */
#define OTHERS                                                                                     \
    (1ull << SIM_MEMORY | 1ull << SIM_STRAY | 1ull << SIM_BUFFERS | 1ull << SIM_OPTIONS |          \
     1ull << SIM_STRIP | 1ull << SIM_ECN | 1ull << SIM_REWRITE | 1ull << SIM_RESEGMENT |           \
     1ull << SIM_NAT | 1ull << SIM_ICMP | 1ull << SIM_CRASH | 1ull << SIM_CLOCK |                  \
     1ull << SIM_DEVICE | 1ull << SIM_LIMITS | 1ull << SIM_HOLD | 1ull << SIM_AGAIN |              \
     1ull << SIM_KEEP | 1ull << SIM_MTU | 1ull << SIM_AQM)

/* ---- what one end has heard and done --------------------------------------------------------- */

struct part {
    struct sim_step *step;
    tern_tcp_info *info;
    size_t n, room;
};

struct world {
    struct part part[8 * 4][2];
    uint64_t seed;
};

static void keep(void *user, const struct sim_step *step)
{
    struct world *w = user;
    if (step->flow >= ARRAY_LEN(w->part))
        return;
    struct part *p = &w->part[step->flow][step->side];
    if (p->n == p->room) {
        p->room = p->room == 0 ? 64 : p->room * 2;
        p->step = realloc(p->step, p->room * sizeof(*p->step));
        p->info = realloc(p->info, p->room * sizeof(*p->info));
        assert_true(p->step != NULL && p->info != NULL);
    }
    struct sim_step *mine = &p->step[p->n];
    *mine = *step;
    if (step->info != NULL)
        p->info[p->n] = *step->info;
    if (step->data != NULL) {
        uint8_t *copy = malloc(step->len);
        assert_non_null(copy);
        mine->data = memcpy(copy, step->data, step->len);
    }
    p->n++;
}

static void forget(struct part *p)
{
    for (size_t i = 0; i < p->n; i++)
        free((void *)(uintptr_t)p->step[i].data);
    free(p->step);
    free(p->info);
    *p = (struct part){0};
}

/* ---- Linux's end ----------------------------------------------------------------------------- */

struct end {
    int tun, fd, listener;
    bool ip6, established;
    uint8_t local[16], remote[16]; /* as Linux knows them */
    uint16_t port, peer_port;
    uint32_t iss, irs; /* Linux's; the peer's */
    uint32_t tern_iss; /* tern's, for which the segments were made */
    bool iss_known, irs_known, tern_known;
    uint32_t high;        /* the number after the highest it has sent */
    uint32_t ack, tsval;  /* of the latest segment it sent */
    struct wire_tcp said; /* that segment */
    bool reset, spoke;    /* since the last look */
    uint64_t written;
    bool shut;
    uint64_t touched; /* what the latest segment that ended where its window begins acknowledged */
    bool fin_heard, rst_before_fin;
    bool many;                     /* Linux has reported three blocks at once */
    bool tick_late;                /* the latest segment's timestamp */
    uint32_t tsval_max;            /* that has come */
    bool over;                     /* the rest is not played */
    bool waits;                    /* tern's end is in TIME-WAIT */
    struct wire_sack ours, theirs; /* relative; the newest blocks */
    uint32_t fin;                  /* relative */
};

static uint64_t differences, compared, compared_sacks, replayed, parts, cut;

/* ---- differences ----------------------------------------------------------------------------- */

enum about { ABOUT_ACK, ABOUT_UNA, ABOUT_STATE, ABOUT_SACK, ABOUT_RST, ABOUT_DATA, ABOUTS };
static const char *const abouts[ABOUTS] = {"has taken",   "has acknowledged",
                                           "is in state", "reports by SACK, up to",
                                           "resets",      "reads"};

static bool touched(const struct end *e, uint64_t ours, uint64_t theirs)
{
    return theirs > ours && e->touched == theirs;
}

static bool touched_by_fins_ack(const struct end *e, uint64_t ours, uint64_t theirs)
{
    return ours != theirs && e->shut && e->touched == e->written + 1;
}

static bool fin_behind(const struct end *e, uint64_t ours, uint64_t theirs)
{
    return e->fin_heard && theirs == ours + 1 && theirs == e->fin + 1;
}

static bool part_of_ours(const struct end *e, uint64_t ours, uint64_t theirs)
{
    (void)ours, (void)theirs;
    if (e->theirs.lo == e->theirs.hi)
        return e->many;
    return seq_geq(e->theirs.lo, e->ours.lo) && seq_leq(e->theirs.hi, e->ours.hi);
}

static bool rst_before_fin(const struct end *e, uint64_t ours, uint64_t theirs)
{
    return e->rst_before_fin && theirs == TERN_CLOSED && ours >= TERN_CLOSE_WAIT;
}

static bool a_tick_late(const struct end *e, uint64_t ours, uint64_t theirs)
{
    return theirs > ours && e->tick_late;
}

static struct difference {
    enum about about;
    bool (*when)(const struct end *e, uint64_t ours, uint64_t theirs);
    const char *why;
    uint64_t used;
} table[] = {
    {ABOUT_UNA, touched,
     "RFC 9293 3.10.7.4, first: a segment that came before, and only touches the window, is "
     "acceptable to Linux, so that its ACK counts",
     0},
    {ABOUT_STATE, touched_by_fins_ack, "the same, and its ACK is of the FIN", 0},
    {ABOUT_ACK, a_tick_late, "RFC 7323 5.3, R1: Linux takes timestamps that are older by one tick",
     0},
    {ABOUT_SACK, fin_behind,
     "RFC 2018 3: a block is of data; Linux counts a FIN behind it, which has a number, too", 0},
    {ABOUT_SACK, part_of_ours,
     "RFC 2018 4: Linux remembers four blocks, and of one that it has forgotten nothing but "
     "what has come since",
     0},
    {ABOUT_STATE, rst_before_fin,
     "RFC 9293 3.10.7.4, second: Linux also takes the RST of who has not counted its own FIN", 0},
};

static void address(const struct end *e, const uint8_t ip[16], uint16_t port,
                    struct sockaddr_storage *to, socklen_t *len)
{
    struct sockaddr_in *a4 = (struct sockaddr_in *)to;
    struct sockaddr_in6 *a6 = (struct sockaddr_in6 *)to;
    memset(to, 0, sizeof(*to));
    if (e->ip6) {
        a6->sin6_family = AF_INET6;
        a6->sin6_port = htons(port);
        memcpy(&a6->sin6_addr, ip, 16);
    } else {
        a4->sin_family = AF_INET;
        a4->sin_port = htons(port);
        memcpy(&a4->sin_addr, ip + 12, 4);
    }
    *len = e->ip6 ? sizeof(*a6) : sizeof(*a4);
}

static int new_socket(const struct end *e, uint16_t port)
{
    int fd = socket(e->ip6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1, size = BUFFER;
    struct sockaddr_storage at;
    socklen_t len;
    address(e, e->local, port, &at, &len);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
        bind(fd, (struct sockaddr *)&at, len) != 0)
        fail_msg("socket: %s", strerror(errno));
    return fd;
}

static void drop(int *fd)
{
    const struct linger at_once = {1, 0};
    if (*fd < 0)
        return;
    (void)setsockopt(*fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(*fd);
    *fd = -1;
}

/* What Linux has sent since. */
static void hear(struct end *e)
{
    static uint8_t buf[PIECE];
    ssize_t n;
    while ((n = read(e->tun, buf, sizeof(buf))) > 0) {
        struct packet k;
        if (!packet_read(buf, (size_t)n, &k) || k.is_icmp || memcmp(k.ip.dst, e->remote, 16) != 0 ||
            k.tcp.dport != e->peer_port)
            continue;
        uint32_t end = k.tcp.seq + wire_tcp_span(&k.tcp, (uint32_t)k.len);
        e->spoke = true;
        if (k.tcp.flags & TCP_RST) {
            e->reset = true;
            continue;
        }
        if (k.tcp.flags & TCP_SYN) {
            e->iss = k.tcp.seq;
            e->high = end;
            e->iss_known = true;
        }
        e->high = seq_max(e->high, end);
        if (k.tcp.opt.have & WIRE_OPT_TS)
            e->tsval = k.tcp.opt.tsval;
        if (k.tcp.flags & TCP_ACK) {
            e->ack = k.tcp.ack;
            e->said = k.tcp;
            e->many |= k.tcp.opt.sack_count > 2;
        }
    }
}

static void map_options(const struct end *e, uint8_t *tcp, uint32_t shift)
{
    uint8_t *o = tcp + WIRE_TCP_HEADER, *end = tcp + (tcp[12] >> 4) * 4;
    for (; o < end && *o != 0; o += *o == 1 ? 1 : o[1]) {
        if (*o == 8 && load_be32(o + 6) != 0)
            store_be32(o + 6, e->tsval);
        for (uint8_t *b = o + 2; *o == 5 && b < o + o[1]; b += 4)
            store_be32(b, load_be32(b) + shift);
    }
}

/* The segment as it would have come if tern's end had been Linux's. false: it acknowledges what
 * Linux has not sent. */
static bool map(struct end *e, const struct sim_step *s, uint8_t *out)
{
    struct packet k;
    memcpy(out, s->data, s->len);
    assert_true(packet_read(out, s->len, &k));
    uint8_t *tcp = out + k.ip.header_len;
    uint32_t shift = e->iss - e->tern_iss;
    memcpy(out + (e->ip6 ? 8 : 12), e->ip6 ? e->remote : e->remote + 12, e->ip6 ? 16 : 4);
    memcpy(out + (e->ip6 ? 24 : 16), e->ip6 ? e->local : e->local + 12, e->ip6 ? 16 : 4);
    if (k.tcp.flags & TCP_ACK) {
        if (!e->iss_known || !e->tern_known || seq_gt(k.tcp.ack + shift, e->high))
            return false;
        store_be32(tcp + 8, k.tcp.ack + shift);
    }
    map_options(e, tcp, shift);
    if (!e->ip6) {
        memset(out + 10, 0, 2);
        uint16_t check = cksum_finish(cksum_portable(out, k.ip.header_len, 0));
        memcpy(out + 10, &check, 2);
    }
    memset(tcp + 16, 0, 2);
    uint64_t sum = wire_pseudo_sum(e->remote, e->local, WIRE_TCP, k.ip.payload_len);
    uint16_t check = cksum_finish(cksum_add(cksum_portable(tcp, k.ip.payload_len, 0), sum));
    memcpy(tcp + 16, &check, 2);
    if (k.tcp.flags & TCP_SYN && !e->irs_known) {
        e->irs = k.tcp.seq;
        e->irs_known = true;
    }
    return true;
}

/* ---- judging --------------------------------------------------------------------------------- */

static void differ(const struct world *w, struct end *e, const struct sim_step *s, enum about about,
                   uint64_t ours, uint64_t theirs)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (table[i].about == about && table[i].when(e, ours, theirs)) {
            table[i].used++;
            e->over = about == ABOUT_ACK; /* what follows is not the same any more */
            return;
        }
    if (differences++ < TOLD_MAX)
        print_error("seed %llu, flow %u, end %d, port %u: %s %llu; Linux %llu\n",
                    (unsigned long long)w->seed, s->flow, s->side, e->port, abouts[about],
                    (unsigned long long)ours, (unsigned long long)theirs);
}

static enum tern_state state_of(int fd)
{
    static const uint8_t of[] = {TERN_CLOSED,       TERN_ESTABLISHED, TERN_SYN_SENT,
                                 TERN_SYN_RECEIVED, TERN_FIN_WAIT_1,  TERN_FIN_WAIT_2,
                                 TERN_TIME_WAIT,    TERN_CLOSED,      TERN_CLOSE_WAIT,
                                 TERN_LAST_ACK,     TERN_LISTEN,      TERN_CLOSING,
                                 TERN_SYN_RECEIVED};
    struct tcp_info info;
    socklen_t len = sizeof(info);
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
        return TERN_CLOSED;
    return of[info.tcpi_state];
}

/* After a segment: both ends have taken the same from it. */
static void compare(const struct world *w, struct end *e, const struct sim_step *s)
{
    const tern_tcp_info *i = s->info;
    int unacked = 0, on = 1;
    if (e->fd < 0 || i == NULL || i->state < TERN_ESTABLISHED)
        return;
    (void)setsockopt(e->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
    hear(e);
    compared++;
    enum tern_state state = state_of(e->fd);
    if (state == TERN_CLOSED && i->state == TERN_TIME_WAIT && !e->reset)
        state = TERN_TIME_WAIT; /* a socket does not show it */
    if (state != (enum tern_state)i->state)
        differ(w, e, s, ABOUT_STATE, i->state, state);
    if (state == TERN_CLOSED || state == TERN_TIME_WAIT)
        return;
    if (e->ack - e->irs != i->rcv_nxt - i->irs)
        differ(w, e, s, ABOUT_ACK, i->rcv_nxt - i->irs, e->ack - e->irs);
    if (ioctl(e->fd, SIOCOUTQ, &unacked) == 0 &&
        e->written + e->shut - (uint64_t)unacked != i->snd_una - i->iss - 1)
        differ(w, e, s, ABOUT_UNA, i->snd_una - i->iss - 1,
               e->written + e->shut - (uint64_t)unacked);
}

/* The block that tells what came last; not a duplicate's (RFC 2883), which comes before it, with
 * the block that holds it where there is one: then what came last may be a later one, that at `lo`.
 * NULL: none. */
static const struct wire_sack *newest(const struct wire_tcp *h, uint32_t lo)
{
    const struct wire_sack *b = h->opt.sack, *end = b + h->opt.sack_count;
    bool twice = end - b > 1 && seq_geq(b[0].lo, b[1].lo) && seq_leq(b[0].hi, b[1].hi);
    if (b != end && (seq_leq(b->lo, h->ack) || twice))
        b++;
    for (const struct wire_sack *other = b; twice && other < end; other++)
        if (other->lo == lo)
            return other;
    return b != end ? b : NULL;
}

/* tern says something: the same as Linux said last about what it has. */
static void compare_said(const struct world *w, struct end *e, const struct sim_step *s)
{
    struct packet k;
    assert_true(packet_read(s->data, s->len, &k));
    if (k.tcp.flags & TCP_SYN) {
        e->tern_iss = k.tcp.seq;
        e->tern_known = true;
    }
    if (k.tcp.flags & TCP_RST && !e->reset)
        differ(w, e, s, ABOUT_RST, 1, 0);
    if (k.tcp.flags & (TCP_RST | TCP_SYN) || !e->spoke || k.tcp.ack - e->irs != e->ack - e->irs)
        return;
    const struct wire_sack *theirs = newest(&e->said, 0);
    const struct wire_sack *ours = newest(&k.tcp, theirs != NULL ? theirs->lo : 0);
    if (ours == NULL)
        return;
    compared_sacks++;
    e->ours = (struct wire_sack){ours->lo - e->irs, ours->hi - e->irs};
    e->theirs = theirs == NULL ? (struct wire_sack){0}
                               : (struct wire_sack){theirs->lo - e->irs, theirs->hi - e->irs};
    if (e->ours.lo != e->theirs.lo)
        differ(w, e, s, ABOUT_SACK, e->ours.lo, e->theirs.lo);
    else if (e->ours.hi != e->theirs.hi)
        differ(w, e, s, ABOUT_SACK, e->ours.hi, e->theirs.hi);
}

/* ---- playing --------------------------------------------------------------------------------- */

static void open_end(struct end *e, const struct sim_step *s)
{
    struct sockaddr_storage to;
    socklen_t len;
    int fd = new_socket(e, e->port);
    if (!s->connects) {
        e->listener = fd;
        if (listen(fd, 8) != 0)
            fail_msg("listen: %s", strerror(errno));
        return;
    }
    e->fd = fd;
    address(e, e->remote, e->peer_port, &to, &len);
    if (connect(fd, (struct sockaddr *)&to, len) != 0 && errno != EINPROGRESS)
        fail_msg("connect: %s", strerror(errno));
    hear(e);
}

static bool writes(struct end *e, const struct sim_step *s)
{
    static uint8_t data[1 << 20];
    if (e->fd < 0 || s->len > sizeof(data))
        return false;
    stream_bytes(s->key, s->at, data, s->len);
    ssize_t n = send(e->fd, data, s->len, MSG_NOSIGNAL);
    e->written += n > 0 ? (uint64_t)n : 0;
    hear(e);
    return n == (ssize_t)s->len;
}

static void reads(const struct world *w, struct end *e, const struct sim_step *s)
{
    static uint8_t got[1 << 20], want[1 << 20];
    assert_true(s->len <= sizeof(got));
    stream_bytes(s->key, s->at, want, s->len);
    ssize_t n = e->fd < 0 ? -1 : recv(e->fd, got, s->len, 0);
    if (n != (ssize_t)s->len || memcmp(got, want, s->len) != 0)
        differ(w, e, s, ABOUT_DATA, s->len, n < 0 ? 0 : (uint64_t)n);
    hear(e);
}

/* For the table. */
static void note_heard(struct end *e, const struct sim_step *s)
{
    struct packet k;
    assert_true(packet_read(s->data, s->len, &k));
    uint32_t end = k.tcp.seq + wire_tcp_span(&k.tcp, (uint32_t)k.len);
    uint32_t tsval = k.tcp.opt.tsval;
    e->tick_late = k.tcp.opt.have & WIRE_OPT_TS && tsval + 1 == e->tsval_max;
    if (k.tcp.opt.have & WIRE_OPT_TS && (e->tsval_max == 0 || seq_gt(tsval, e->tsval_max)))
        e->tsval_max = tsval;
    if (s->info != NULL && end == s->info->rcv_nxt)
        e->touched = k.tcp.ack - e->tern_iss - 1;
    e->rst_before_fin = k.tcp.flags & TCP_RST && e->fin_heard && k.tcp.seq - e->irs == e->fin;
    if (k.tcp.flags & TCP_FIN) {
        e->fin_heard = true;
        e->fin = end - 1 - e->irs;
    }
}

/* false: the rest cannot be played. */
static bool hears(const struct world *w, struct end *e, const struct sim_step *s)
{
    static uint8_t packet[PIECE];
    e->reset = e->spoke = false;
    if (!map(e, s, packet))
        return false;
    if (write(e->tun, packet, s->len) != (ssize_t)s->len)
        fail_msg("TUN: %s", strerror(errno));
    hear(e);
    if (e->fd < 0 && e->listener >= 0)
        e->fd = accept4(e->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    replayed++;
    note_heard(e, s);
    if (e->waits && s->info != NULL && s->info->state == TERN_CLOSED)
        return false; /* its two minutes are over, Linux's are not */
    e->waits = s->info != NULL && s->info->state == TERN_TIME_WAIT;
    compare(w, e, s);
    return true;
}

static bool play_step(const struct world *w, struct end *e, const struct sim_step *s)
{
    switch (s->kind) {
    case SIM_OPENS:
        open_end(e, s);
        return true;
    case SIM_WRITES:
        return writes(e, s);
    case SIM_READS:
        reads(w, e, s);
        return true;
    case SIM_SHUTS:
        e->shut = true;
        (void)shutdown(e->fd, SHUT_WR);
        hear(e);
        return true;
    case SIM_HEARS:
        return hears(w, e, s);
    case SIM_SAYS:
        compare_said(w, e, s);
        return true;
    default:
        return false;
    }
}

/* Its two ports, and whether it is IPv6; false: no segment. */
static bool learn(const struct part *p, struct end *e)
{
    for (size_t i = 0; i < p->n; i++) {
        struct packet k;
        if (p->step[i].data == NULL || !packet_read(p->step[i].data, p->step[i].len, &k))
            continue;
        bool says = p->step[i].kind == SIM_SAYS;
        e->ip6 = k.ip.version == 6;
        e->port = says ? k.tcp.sport : k.tcp.dport;
        e->peer_port = says ? k.tcp.dport : k.tcp.sport;
        return true;
    }
    return false;
}

static int tun = -1;

static void play(const struct world *w, const struct part *p)
{
    static const uint8_t four[16] = {[10] = 0xff, 0xff, 10, 0, 0, 1};
    static const uint8_t six[16] = {0xfd, 0x77, [15] = 1};
    struct end e = {.tun = tun, .fd = -1, .listener = -1};
    if (!learn(p, &e))
        return;
    parts++;
    memcpy(e.local, e.ip6 ? six : four, 16);
    memcpy(e.remote, e.local, 16);
    e.remote[13] = (uint8_t)(1 + (parts >> 16)); /* a peer that Linux knows nothing of */
    e.remote[14] = (uint8_t)(parts >> 8);
    e.remote[15] = (uint8_t)parts;
    uint64_t before = differences;
    for (size_t i = 0; i < p->n && differences == before && !e.over; i++) {
        struct sim_step s = p->step[i];
        s.info = s.info != NULL ? &p->info[i] : NULL;
        if (!play_step(w, &e, &s)) {
            cut += s.kind == SIM_HEARS || s.kind == SIM_WRITES;
            break;
        }
    }
    drop(&e.fd);
    drop(&e.listener);
    hear(&e);
}

static void play_world(uint64_t seed, enum sim_profile profile)
{
    struct world *w = calloc(1, sizeof(*w));
    struct sim_result r;
    assert_non_null(w);
    w->seed = seed;
    const struct sim_config conf = {.seed = seed,
                                    .profile = profile,
                                    .without = OTHERS,
                                    .sink = {.step = keep, .user = w}};
    sim_run(&conf, &r);
    assert_false(r.failed);
    for (size_t flow = 0; flow < ARRAY_LEN(w->part); flow++)
        for (int side = 0; side < 2; side++) {
            play(w, &w->part[flow][side]);
            forget(&w->part[flow][side]);
        }
    free(w);
}

/* ---- the namespace --------------------------------------------------------------------------- */

static const char *const settings =
    "cd /proc/sys/net/ipv4 && for i in tcp_syncookies=0 tcp_early_retrans=0 tcp_ecn=0 "
    "tcp_invalid_ratelimit=0 tcp_challenge_ack_limit=2147483647; do "
    "echo ${i#*=} >${i%%=*} || exit 1; done; "
    "ip link set lo up && ip link set replay0 mtu 65535 up && ip addr add 10.0.0.1/8 dev replay0 "
    "&& "
    "ip -6 addr add fd77::1/64 dev replay0 nodad && "
    "ip route change 10.0.0.0/8 dev replay0 rto_min 20s initcwnd 1000 quickack 1 && "
    "ip -6 route replace fd77::/64 dev replay0 metric 1 rto_min 20s initcwnd 1000 quickack 1";

static void linux_hears_the_same(void **state)
{
    (void)state;
    const char *given = getenv("TERN_REPLAY"), *first = getenv("TERN_SEED");
    uint64_t worlds = given != NULL ? strtoull(given, NULL, 0) : WORLDS;
    uint64_t seed = first != NULL ? strtoull(first, NULL, 0) : 1;
    for (uint64_t i = 0; i < worlds; i++)
        play_world(seed + i, (seed + i) % 4 == 0 ? SIM_CALM : SIM_MIXED);
    print_message("%llu ends, of which %llu were left early; %llu segments, %llu of them compared; "
                  "%llu SACKs\n",
                  (unsigned long long)parts, (unsigned long long)cut, (unsigned long long)replayed,
                  (unsigned long long)compared, (unsigned long long)compared_sacks);
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        print_message("%llu times: %s\n", (unsigned long long)table[i].used, table[i].why);
    assert_true(compared > replayed / 2 && compared_sacks > 0);
    assert_int_equal(differences, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(linux_hears_the_same)};
    const char *why = "it needs Linux 6.18 or later";
    if (kernel_is_recent(OLDEST))
        why = kernel_tun("replay0", settings, &tun);
    if (why != NULL)
        return kernel_skip(why);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
