/* test_states_linux.c - a sample of the grid of segments and states, played against Linux: what it
 * answers, and the state it is in then, beside what grid.c expects of tern. Where the two differ, a
 * row of the table below says why both are right, with the section that permits it.
 *
 * The kernel's sockets live in a network namespace of this process, behind a TUN device; packets
 * bring them into each state, a few hundred connections at a time. TERN_SEED draws another sample,
 * TERN_GRID=all plays the whole grid (a few minutes) and wants every row of the table to be of use.
 *
 * valgrind: it judges the kernel, and nothing of libtern runs
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "grid.h"
#include "netns.h"

enum {
    BATCH = 273,            /* connections at a time */
    SAMPLE = 2 * 1092,      /* cases, both families together */
    OLDEST = 6 * 1000 + 18, /* the Linux that the table was written for */
    TRIES = 4,              /* of a case that came out wrong: time is real, and the machine busy */
    REPLIES = 4,
    LISTENS = 80,
    CLOSED_PORT = 81,
    FIRST_PORT = 2000,
    QUIET_MS = 60, /* longer than an acknowledgement is delayed */
};

/* ---- differences ----------------------------------------------------------------------------- */

/* clang-format off */
enum { /* sets of states, of classes of sequence and acknowledgement, and of lengths */
    SENT = 1 << IN_SYN_SENT, PASSIVE = 1 << IN_SYN_RECEIVED_PASSIVE,
    BOTH = 1 << IN_SYN_RECEIVED_SIMULTANEOUS, EST = 1 << IN_ESTABLISHED, FW1 = 1 << IN_FIN_WAIT_1,
    FW2 = 1 << IN_FIN_WAIT_2, CW = 1 << IN_CLOSE_WAIT, CLG = 1 << IN_CLOSING,
    LAST = 1 << IN_LAST_ACK, TW = 1 << IN_TIME_WAIT, TWC = 1 << IN_TIME_WAIT_CLOSED,
    ENDED = CW | CLG | LAST, SYNC = BOTH | EST | FW1 | FW2 | ENDED,

    LEFT = 1 << 1, START = 1 << 2, INSIDE = 1 << 3, LAST_BYTE = 1 << 4, EDGE = 1 << 5,
    RIGHT = 1 << 6,
    TOO_OLD = 1 << 0, OLD = 1 << 1, UNA = 1 << 2, UNA1 = 1 << 3, NXT = 1 << 4, BEYOND = 1 << 5,
    NONE = 1 << 0, BYTE = 1 << 1, LONG = 1 << 2,
    ANY = 0x7fffffff, SAME = -1,
};
/* clang-format on */

struct difference {
    unsigned where;         /* in these states, */
    unsigned with, without; /* a segment with and without these flags, */
    unsigned seq, ack, len; /* of these classes: */
    int state;              /* Linux then is in this one (SAME: where it was expected to be), */
    unsigned flags;         /* and has sent this */
    const char *why;
    unsigned used;
};

/* clang-format off */
static struct difference differences[] = {
    {SYNC | PASSIVE, R, 0, LEFT | EDGE, ANY, ANY,
     SAME, A,
     "RFC 5961 3.2 (3): a RST is in the window when its segment touches it, at the edge, too", 0},
    {ENDED, R, 0, LEFT, ANY, ANY,
     TERN_CLOSED, 0,
     "RFC 9293 3.10.7.4, second: also a RST of who has not counted its own FIN", 0},
    {ENDED, R, 0, LAST_BYTE, ANY, BYTE | LONG,
     SAME, 0,
     "RFC 5961 3.2 (1): a segment that ends outside of the window is outside", 0},
    {TW | TWC, R, 0, START, ANY, ANY,
     TERN_CLOSED, 0,
     "RFC 9293 3.10.7.4, second; RFC 1337 advises against it, tcp_rfc1337 is off", 0},
    {SYNC | PASSIVE, 0, S | R | A, ANY, ANY, ANY,
     SAME, 0,
     "RFC 9293 3.10.7.4, fifth: dropped without ACK bit, here before its number is looked at", 0},
    {EST | FW1 | ENDED, A, S | R, LEFT | START | INSIDE | LAST_BYTE | EDGE, TOO_OLD | OLD, ANY,
     SAME, A,
     "RFC 5961 5.2: an ACK from before the first byte is too old, whatever MAX.SND.WND is", 0},
    {EST, A, S | R, LEFT | START, OLD, ANY,
     TERN_ESTABLISHED, A,
     "the same: what it brings is not taken", 0},
    {FW1, A, S | R, LEFT | START, OLD, ANY,
     TERN_FIN_WAIT_1, A,
     "the same", 0},
    {CLG, A, S | R, LAST_BYTE, UNA1 | NXT, LONG,
     TERN_CLOSING, A,
     "RFC 9293 3.10.7.4, first: what ends outside of the window is not acceptable", 0},
    {LAST, A, S | R, LAST_BYTE, UNA1 | NXT, LONG,
     TERN_LAST_ACK, A,
     "the same", 0},
    {ENDED, A, S | R, ANY, ANY, ANY,
     SAME, 0,
     "RFC 9293 3.10.7.4, seventh: text after FIN is ignored, here without an ACK", 0},
    {ENDED, A, S | R, LEFT, UNA | UNA1 | NXT, LONG,
     TERN_CLOSED, R,
     "RFC 1122 4.2.2.13: text after FIN that nobody can take is answered with RST", 0},
    {ENDED, F | A, S | R, LEFT, UNA | UNA1 | NXT, BYTE,
     SAME, A,
     "RFC 9293 3.10.7.4, eighth: another FIN behind the first is acknowledged as if it counted", 0},
    {CLG, A, S | R, LEFT | EDGE, UNA1 | NXT, NONE | BYTE,
     TERN_TIME_WAIT, 0,
     "RFC 9293 3.10.7.4, first: what only touches the window is acceptable, so its ACK counts", 0},
    {LAST, A, S | R, LEFT | EDGE, UNA1 | NXT, NONE | BYTE,
     TERN_CLOSED, 0,
     "the same", 0},
    {FW1, A, S | R, LEFT | EDGE, UNA1 | NXT, ANY,
     TERN_FIN_WAIT_2, A,
     "the same", 0},
    {BOTH, A, S | R, LEFT | EDGE, UNA | UNA1 | NXT, ANY,
     TERN_ESTABLISHED, A,
     "the same", 0},
    {BOTH, A, S | R, LEFT | EDGE, TOO_OLD | OLD | BEYOND, ANY,
     SAME, R,
     "the same", 0},
    {PASSIVE, A, S | R | F, EDGE, UNA1 | NXT, NONE,
     TERN_ESTABLISHED, 0,
     "the same", 0},
    {PASSIVE, A, R, ANY, TOO_OLD | OLD | UNA | BEYOND, ANY,
     SAME, R,
     "RFC 9293 3.10.7.4, fifth: a wrong ACK is reset, here before its number is looked at", 0},
    {PASSIVE, S | A, R, START | INSIDE | LAST_BYTE, UNA1 | NXT, ANY,
     TERN_CLOSED, R,
     "RFC 9293 3.10.7.4, fourth: a SYN in the window resets; RFC 5961 4.2 came later", 0},
    {PASSIVE, S, A | R, START | INSIDE | LAST_BYTE, ANY, ANY,
     TERN_CLOSED, R | A,
     "the same", 0},
    {BOTH, A, S | R, ANY, UNA, ANY,
     TERN_ESTABLISHED, 0,
     "RFC 9293 3.10.7.4, fifth, asks for more than SND.UNA; here that is enough", 0},
    {BOTH, A, S | R, ANY, UNA, ANY,
     TERN_ESTABLISHED, A,
     "the same, with text", 0},
    {BOTH, F | A, S | R, LEFT | START, UNA, ANY,
     TERN_CLOSE_WAIT, A,
     "the same, with FIN", 0},
    {BOTH, S | A, R, LEFT, UNA1 | NXT, ANY,
     SAME, A,
     "RFC 9293 3.5, figure 8: the SYN-ACK is acknowledged, too", 0},
    {BOTH, S | A, R, LEFT, UNA1 | NXT, ANY,
     TERN_SYN_RECEIVED, A,
     "RFC 5961 4.2: a SYN-ACK with more than that is challenged", 0},
    {BOTH, S, R, LEFT, ANY, ANY,
     SAME, A,
     "RFC 5961 4.2: so is a SYN that comes again", 0},
    {SENT, S | A, R | F, ANY, UNA1 | NXT, BYTE | LONG,
     SAME, A,
     "RFC 9293 3.10.7.3: text may be queued; here it has to come again", 0},
    {SENT, S | F | A, R, ANY, UNA1 | NXT, ANY,
     TERN_ESTABLISHED, A,
     "RFC 9293 3.10.7.3: so has FIN", 0},
    {TW, S, F | A | R, INSIDE | LAST_BYTE | EDGE | RIGHT, ANY, ANY,
     TERN_SYN_RECEIVED, S | A,
     "RFC 9293 3.6.1: a new incarnation, here also while the socket is open", 0},
    {TW, S | F, A | R, INSIDE | LAST_BYTE | EDGE | RIGHT, ANY, ANY,
     TERN_CLOSED, 0,
     "the same, for a listener that does not take it", 0},
    {TW, A, S | R | F, START, TOO_OLD | UNA1 | BEYOND, NONE,
     SAME, 0,
     "RFC 9293 3.10.7.4, fifth: an ACK is not looked at any more", 0},
    {TW | TWC, 0, S | R, ANY, ANY, ANY,
     SAME, A,
     "RFC 9293 3.10.7.4, first: an ACK for all but the next one; a limit prevents a dialogue", 0},
};
/* clang-format on */

enum { DIFFERENCES = sizeof(differences) / sizeof(differences[0]) };

/* ---- one connection of the kernel's ---------------------------------------------------------- */

struct play {
    unsigned at[3], flags;
    enum where where;
    unsigned tries;
    bool done, ready; /* judged; in the state it should be in */
    int fd;
    uint16_t port, lport;
    struct here h;
    bool iss_known;
    uint32_t in, out; /* next numbers, relative */
    uint32_t edge, acked;
    struct want reply; /* what came: flags, seq, ack; of several, the first */
    unsigned replies;
};

struct table {
    int tun, listener;
    bool ip6, probing;
    uint8_t local[16], remote[16];
    unsigned round;
    struct play *play;
    unsigned count;
    uint8_t states[65536]; /* by the peer's port */
};

static uint64_t clock_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- packets --------------------------------------------------------------------------------- */

static void emit(struct table *t, const struct play *p, const struct probe *g)
{
    static const uint8_t text[64];
    struct seg s = {.sport = p->port, .dport = p->lport, .seq = g->seq, .ack = g->ack};
    uint8_t packet[256];
    s.flags = (uint16_t)g->flags;
    s.wnd = 20000;
    s.mss = g->flags & S && !t->probing ? 1440 : 0;
    s.wscale = -1;
    s.urg = t->probing;
    s.len = g->len;
    s.data = text;
    s.ttl = 64;
    s.ip6 = t->ip6;
    memcpy(s.src, t->remote, 16);
    memcpy(s.dst, t->local, 16);
    size_t n = seg_build(&s, packet);
    if (write(t->tun, packet, n) != (ssize_t)n)
        rig_fail("TUN: %s", strerror(errno));
}

/* With numbers relative to both ISNs. */
static void tell(struct table *t, const struct play *p, unsigned flags, uint32_t seq, uint32_t ack)
{
    emit(t, p, &(struct probe){flags, p->h.irs + seq, flags & A ? p->h.iss + ack : 0, 0});
}

/* Something that is sent again because nobody acknowledges it: not an answer. */
static bool is_again(const struct play *p, const struct seg *g)
{
    bool syn = p->where == IN_SYN_SENT && (g->flags & (S | A)) == S;
    return syn || g->len != 0 || g->flags & F;
}

static void note(struct table *t, struct play *p, const struct seg *g)
{
    if (t->probing) {
        if (is_again(p, g))
            return;
        if (p->replies++ == 0)
            p->reply = (struct want){0, g->flags, g->seq, g->ack};
        return;
    }
    if (g->flags & S) {
        p->h.iss = g->seq;
        p->iss_known = true;
        p->lport = g->sport;
    }
    uint32_t ack = g->flags & A ? g->ack : p->h.irs + 1;
    if ((int32_t)(ack + g->wnd - p->edge) > 0)
        p->edge = ack + g->wnd;
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* What matters here of a TCP packet to the remote address of now. */
static bool parse(const struct table *t, const uint8_t *p, size_t len, struct seg *g)
{
    size_t ip = t->ip6 ? 40 : 20, alen = t->ip6 ? 16 : 4;
    if (len < ip + 20 || p[0] >> 4 != (t->ip6 ? 6 : 4) || p[t->ip6 ? 6 : 9] != 6 ||
        memcmp(p + ip - alen, t->remote + 16 - alen, alen) != 0)
        return false;
    const uint8_t *h = p + ip;
    *g = (struct seg){.seq = get32(h + 4), .ack = get32(h + 8), .flags = h[13] & 0x3f};
    g->sport = (uint16_t)(get32(h) >> 16);
    g->dport = (uint16_t)get32(h);
    g->wnd = (uint16_t)(get32(h + 12) & 0xffff);
    g->len = (uint32_t)(len - ip - (h[12] >> 4) * 4u);
    return true;
}

static void take(struct table *t)
{
    uint8_t buf[2048];
    ssize_t n;
    while ((n = read(t->tun, buf, sizeof(buf))) > 0) {
        struct seg g;
        if (parse(t, buf, (size_t)n, &g) && g.dport - FIRST_PORT < (int)t->count &&
            g.dport >= FIRST_PORT)
            note(t, &t->play[g.dport - FIRST_PORT], &g);
    }
}

/* Until nothing has come for so long. */
static void listen_for(struct table *t, unsigned quiet_ms)
{
    uint64_t heard = clock_ms(), now;
    while ((now = clock_ms()) - heard < quiet_ms) {
        struct pollfd f = {t->tun, POLLIN, 0};
        if (poll(&f, 1, (int)(quiet_ms - (now - heard))) > 0) {
            take(t);
            heard = clock_ms();
        }
    }
}

/* ---- the kernel's side ----------------------------------------------------------------------- */

static void address(const struct table *t, const uint8_t ip[16], uint16_t port,
                    struct sockaddr_storage *to, socklen_t *len)
{
    memset(to, 0, sizeof(*to));
    struct sockaddr_in *a4 = (struct sockaddr_in *)to;
    struct sockaddr_in6 *a6 = (struct sockaddr_in6 *)to;
    if (t->ip6) {
        a6->sin6_family = AF_INET6;
        a6->sin6_port = htons(port);
        memcpy(&a6->sin6_addr, ip, 16);
    } else {
        a4->sin_family = AF_INET;
        a4->sin_port = htons(port);
        memcpy(&a4->sin_addr, ip + 12, 4);
    }
    *len = t->ip6 ? sizeof(*a6) : sizeof(*a4);
}

static int new_socket(const struct table *t)
{
    int fd = socket(t->ip6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        rig_fail("socket: %s", strerror(errno));
    return fd;
}

static void start_connect(struct table *t, struct play *p)
{
    struct sockaddr_storage to;
    socklen_t len;
    address(t, t->remote, p->port, &to, &len);
    p->fd = new_socket(t);
    if (connect(p->fd, (struct sockaddr *)&to, len) != 0 && errno != EINPROGRESS)
        rig_fail("connect: %s", strerror(errno));
}

static void accept_all(struct table *t)
{
    struct sockaddr_storage from;
    socklen_t len = sizeof(from);
    int fd;
    while ((fd = accept4(t->listener, (struct sockaddr *)&from, &len, SOCK_CLOEXEC)) >= 0) {
        uint16_t port = ntohs(t->ip6 ? ((struct sockaddr_in6 *)&from)->sin6_port
                                     : ((struct sockaddr_in *)&from)->sin_port);
        unsigned i = (unsigned)port - FIRST_PORT;
        if (i < t->count && t->play[i].fd < 0 && !t->probing)
            t->play[i].fd = fd;
        else
            close(fd);
        len = sizeof(from);
    }
}

/* /proc/net/tcp: the states of all connections with the remote address of now. */
static void read_states(struct table *t)
{
    static const uint8_t of[] = {TERN_CLOSED,       TERN_ESTABLISHED, TERN_SYN_SENT,
                                 TERN_SYN_RECEIVED, TERN_FIN_WAIT_1,  TERN_FIN_WAIT_2,
                                 TERN_TIME_WAIT,    TERN_CLOSED,      TERN_CLOSE_WAIT,
                                 TERN_LAST_ACK,     TERN_LISTEN,      TERN_CLOSING,
                                 TERN_SYN_RECEIVED};
    char line[256], remote[33] = "", word[9];
    FILE *f = fopen(t->ip6 ? "/proc/net/tcp6" : "/proc/net/tcp", "r");
    assert_non_null(f);
    memset(t->states, TERN_CLOSED, sizeof(t->states));
    for (unsigned i = t->ip6 ? 0 : 12; i < 16; i += 4) { /* each word as the machine stores it */
        uint32_t w;
        memcpy(&w, t->remote + i, 4);
        snprintf(word, sizeof(word), "%08X", w);
        strcat(remote, word);
    }
    while (fgets(line, sizeof(line), f) != NULL) {
        char ip[33];
        unsigned port, state;
        if (sscanf(line, " %*d: %*[^ ] %32[0-9A-F]:%x %x", ip, &port, &state) == 3 &&
            strcmp(ip, remote) == 0 && state < sizeof(of))
            t->states[port & 0xffff] = of[state];
    }
    fclose(f);
}

/* ---- getting there --------------------------------------------------------------------------- */

static bool opens(const struct play *p)
{
    return p->where == IN_SYN_SENT || p->where == IN_SYN_RECEIVED_SIMULTANEOUS;
}

static bool is_made(const struct play *p) { return p->where >= IN_ESTABLISHED; }

static void first_syns(struct table *t)
{
    for (unsigned i = 0; i < t->count; i++) {
        struct play *p = &t->play[i];
        if (opens(p))
            start_connect(t, p);
        else if (p->where != IN_CLOSED && p->where != IN_LISTEN)
            tell(t, p, S, 0, 0);
    }
    listen_for(t, 4);
    for (unsigned i = 0; i < t->count; i++) {
        struct play *p = &t->play[i];
        if (is_made(p))
            tell(t, p, A, 1, 1);
        else if (p->where == IN_SYN_RECEIVED_SIMULTANEOUS)
            tell(t, p, S, 0, 0);
    }
    listen_for(t, 4);
    accept_all(t);
}

/* What the owner does in ESTABLISHED, and the peer then, in up to three steps. */
static void step(struct table *t, struct play *p, unsigned n)
{
    bool active = p->where == IN_FIN_WAIT_1 || p->where == IN_FIN_WAIT_2 ||
                  p->where == IN_CLOSING || p->where == IN_TIME_WAIT ||
                  p->where == IN_TIME_WAIT_CLOSED;
    bool passive = p->where == IN_CLOSE_WAIT || p->where == IN_LAST_ACK;
    bool acked =
        p->where == IN_FIN_WAIT_2 || p->where == IN_TIME_WAIT || p->where == IN_TIME_WAIT_CLOSED;
    if (n == 0 && active)
        shutdown(p->fd, SHUT_WR), p->out = 2;
    if (n == 1 && acked)
        tell(t, p, A, 1, 2);
    if (n == 1 && (passive || p->where == IN_CLOSING))
        tell(t, p, F | A, 1, 1), p->in = 2;
    if (n == 2 && p->where == IN_LAST_ACK)
        shutdown(p->fd, SHUT_WR), p->out = 2;
    if (n == 2 && (p->where == IN_TIME_WAIT || p->where == IN_TIME_WAIT_CLOSED))
        tell(t, p, F | A, 1, 2), p->in = 2;
    if (n == 3 && p->where == IN_TIME_WAIT_CLOSED)
        close(p->fd), p->fd = -1;
    if (n == 3 && (p->where == IN_ESTABLISHED || p->where == IN_CLOSE_WAIT)) {
        int on = 1;
        p->ready = send(p->fd, "0123456789", FLIGHT, MSG_NOSIGNAL) == FLIGHT;
        setsockopt(p->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on)); /* no delayed ACKs now */
    }
}

static void describe(struct table *t, struct play *p)
{
    struct here *h = &p->h;
    h->where = p->where;
    h->wnd_max = 20000;
    h->rcv = h->irs + p->in;
    h->nxt = h->una = h->iss + p->out;
    h->wnd = p->iss_known ? p->edge - h->rcv : 0;
    if (opens(p) || p->where == IN_SYN_RECEIVED_PASSIVE || p->where == IN_FIN_WAIT_1 ||
        p->where == IN_CLOSING || p->where == IN_LAST_ACK)
        h->una--;
    if (p->where == IN_ESTABLISHED || p->where == IN_CLOSE_WAIT)
        h->nxt += FLIGHT;
    bool none = p->where == IN_CLOSED || p->where == IN_LISTEN;
    enum tern_state want = none ? TERN_CLOSED : grid_state(p->where);
    p->ready = p->ready && t->states[p->port] == want && (none || p->iss_known);
}

static void go_there(struct table *t)
{
    t->probing = false;
    for (unsigned i = 0; i < t->count; i++) {
        struct play *p = &t->play[i];
        p->fd = -1;
        p->port = (uint16_t)(FIRST_PORT + i);
        p->lport = p->where == IN_CLOSED ? CLOSED_PORT : LISTENS;
        p->h = (struct here){.irs = 0x7fffff00 + i * 7};
        p->iss_known = false;
        p->in = p->out = 1;
        p->edge = p->h.irs + 1;
        p->ready = true;
        p->replies = 0;
        p->reply = (struct want){0};
    }
    first_syns(t);
    for (unsigned n = 0; n < 4; n++) {
        for (unsigned i = 0; i < t->count; i++)
            if (is_made(&t->play[i]) && t->play[i].fd >= 0)
                step(t, &t->play[i], n);
        listen_for(t, n == 3 ? QUIET_MS : 4);
    }
    read_states(t);
    for (unsigned i = 0; i < t->count; i++)
        describe(t, &t->play[i]);
}

static void leave(struct table *t)
{
    const struct linger abort_it = {1, 0};
    accept_all(t);
    for (unsigned i = 0; i < t->count; i++) {
        struct play *p = &t->play[i];
        if (p->fd >= 0) {
            setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &abort_it, sizeof(abort_it));
            close(p->fd);
        }
        if (p->where <= IN_SYN_RECEIVED_PASSIVE && p->where >= IN_LISTEN)
            tell(t, p, R, 1, 0);
    }
    take(t);
}

/* ---- judging --------------------------------------------------------------------------------- */

static bool as_wanted(const struct want *w, const struct want *came)
{
    return came->flags == w->flags && (w->flags == 0 || w->seq == 0 || came->seq == w->seq) &&
           (!(w->flags & A) || came->ack == w->ack);
}

static bool allowed(const struct play *p, const struct want *w, enum tern_state state)
{
    for (unsigned i = 0; i < DIFFERENCES; i++) {
        struct difference *d = &differences[i];
        if (!(d->where & 1u << p->where) || (p->flags & d->with) != d->with ||
            p->flags & d->without || !(d->seq & 1u << p->at[0]) || !(d->ack & 1u << p->at[1]) ||
            !(d->len & 1u << p->at[2]))
            continue;
        if ((d->state == SAME ? w->state : (enum tern_state)d->state) != state ||
            d->flags != p->reply.flags)
            continue;
        d->used++;
        return true;
    }
    return false;
}

static bool judge(struct table *t, struct play *p, bool tell_it)
{
    struct probe probe = grid_probe(&p->h, p->flags, p->at);
    struct want w = grid_wants(&p->h, &probe);
    enum tern_state state = t->states[p->port];
    if (p->ready && p->replies <= 1 && as_wanted(&w, &p->reply) && state == w.state)
        return true;
    if (p->ready && p->replies <= 1 && allowed(p, &w, state))
        return true;
    if (tell_it)
        printf("%s:\n    expected %s %s seq %u ack %u\n    came     %s %s seq %u ack %u%s%s\n",
               grid_text(p->where, p->flags, p->at), tern_state_name(w.state), grid_flags(w.flags),
               w.seq - p->h.iss, w.ack - p->h.irs, tern_state_name(state),
               grid_flags(p->reply.flags), p->reply.seq - p->h.iss, p->reply.ack - p->h.irs,
               p->replies > 1 ? ", and more" : "", p->ready ? "" : " (never got there)");
    return false;
}

/* Plays up to a batch; returns how many of these are still to be played. */
static unsigned play_batch(struct table *t, struct play *play, unsigned count)
{
    unsigned left = 0;
    t->play = play;
    t->count = count;
    t->round++;
    t->remote[13] = (uint8_t)(t->round >> 8); /* a peer that Linux knows nothing of */
    t->remote[14] = (uint8_t)t->round;
    go_there(t);
    t->probing = true;
    for (unsigned i = 0; i < count; i++) {
        struct probe probe = grid_probe(&play[i].h, play[i].flags, play[i].at);
        emit(t, &play[i], &probe);
    }
    listen_for(t, QUIET_MS);
    read_states(t);
    for (unsigned i = 0; i < count; i++) {
        play[i].tries++;
        play[i].done = judge(t, &play[i], play[i].tries == TRIES);
        left += !play[i].done;
    }
    leave(t);
    return left;
}

/* Returns how many came out wrong. */
static unsigned play_all(struct table *t, struct play *play, unsigned count)
{
    for (unsigned tries = 0; tries < TRIES && count != 0; tries++) {
        unsigned left = 0;
        for (unsigned i = 0; i < count; i += BATCH)
            play_batch(t, play + i, count - i < BATCH ? count - i : BATCH);
        for (unsigned i = 0; i < count; i++)
            if (!play[i].done)
                play[left++] = play[i];
        count = left;
    }
    return count;
}

/* ---- the namespace --------------------------------------------------------------------------- */

static const char *const settings =
    "cd /proc/sys/net/ipv4 && for i in tcp_syncookies=0 tcp_early_retrans=0 "
    "tcp_invalid_ratelimit=0 "
    "tcp_challenge_ack_limit=2147483647 tcp_max_syn_backlog=65535 tcp_fin_timeout=60 "
    "tcp_max_tw_buckets=262144 ip_local_port_range='1024 65000'; do "
    "echo ${i#*=} >${i%%=*} || exit 1; done; echo 65535 >/proc/sys/net/core/somaxconn && "
    "ip link set lo up && ip link set grid0 up && ip addr add 10.0.0.1/8 dev grid0 && "
    "ip -6 addr add fd77::1/64 dev grid0 nodad && "
    "ip route change 10.0.0.0/8 dev grid0 rto_min 20s && "
    "ip -6 route replace fd77::/64 dev grid0 metric 1 rto_min 20s";

static int tun = -1;

static void begin(struct table *t, bool ip6)
{
    static const uint8_t four[16] = {[10] = 0xff, 0xff, 10, 0, 0, 1};
    static const uint8_t six[16] = {0xfd, 0x77, [15] = 1};
    struct sockaddr_storage at;
    socklen_t len;
    memset(t, 0, sizeof(*t));
    t->tun = tun;
    t->ip6 = ip6;
    memcpy(t->local, ip6 ? six : four, 16);
    memcpy(t->remote, t->local, 16);
    t->remote[15] = 77;
    t->listener = new_socket(t);
    address(t, t->local, LISTENS, &at, &len);
    if (bind(t->listener, (struct sockaddr *)&at, len) != 0 || listen(t->listener, 65535) != 0)
        rig_fail("listener: %s", strerror(errno));
}

/* ---- the sample ------------------------------------------------------------------------------ */

static uint64_t seed;
static bool all; /* the whole grid, no sample */

static uint32_t below(uint32_t n)
{
    uint64_t z = seed += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ z >> 31) % n);
}

enum { CELLS = WHERES * FLAG_SETS * SEQS * ACKS * LENS };

static void set_case(struct play *p, unsigned cell)
{
    *p = (struct play){.fd = -1};
    p->at[2] = cell % LENS;
    p->at[1] = cell / LENS % ACKS;
    p->at[0] = cell / LENS / ACKS % SEQS;
    p->flags = cell / LENS / ACKS / SEQS % FLAG_SETS;
    p->where = (enum where)(cell / LENS / ACKS / SEQS / FLAG_SETS);
}

static unsigned play_family(bool ip6)
{
    unsigned count = all ? CELLS : SAMPLE / 2;
    struct table *t = malloc(sizeof(*t));
    struct play *play = calloc(count, sizeof(*play));
    assert_non_null(t);
    assert_non_null(play);
    for (unsigned i = 0; i < count; i++) /* as many of each state */
        set_case(&play[i], all ? i : i % WHERES * (CELLS / WHERES) + below(CELLS / WHERES));
    begin(t, ip6);
    unsigned wrong = play_all(t, play, count);
    close(t->listener);
    free(play);
    free(t);
    return wrong;
}

/* */
static void linux_and_the_grid(void **state)
{
    (void)state;
    const char *given = getenv("TERN_SEED");
    seed = given != NULL ? strtoull(given, NULL, 0) : 1;
    unsigned wrong = play_family(false) + play_family(true);
    for (unsigned i = 0; i < DIFFERENCES && all; i++)
        if (differences[i].used == 0)
            wrong++, printf("no case needs: %s\n", differences[i].why);
    fflush(stdout);
    if (wrong != 0)
        rig_fail("%u differences from Linux that nothing explains (TERN_SEED=%s)", wrong,
                 given != NULL ? given : "1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(linux_and_the_grid)};
    const char *grid = getenv("TERN_GRID"), *why = "it needs Linux 6.18 or later";
    all = grid != NULL && strcmp(grid, "all") == 0;
    if (kernel_is_recent(OLDEST))
        why = kernel_tun("grid0", settings, &tun);
    if (why != NULL)
        return kernel_skip(why);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
