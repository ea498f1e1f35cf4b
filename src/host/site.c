/* site.c - see site.h.
 *
 * A visit is one connection. It goes through stages, each as far as the stack's buffers allow, and
 * goes on with the next event:
 *
 *   HEAD    a request is awaited; the client's FIN ends the visit here, in the way it asked for
 *   BODY    what it brings is read: thrown away, or echoed
 *   ANSWER  the answer's text, then its numbered bytes
 *   DRAIN   our FIN is out, because closing with unread data would be a reset (RFC 2525 2.17): the
 *           rest is thrown away until theirs comes
 */
#include "host/site.h"

#include "host/http.h"
#include "tern/info.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PATTERN =
        65521, /* /bytes/N repeats after so many, a prime, so that no two segments are alike */
    TEXT_MAX = 4096,
    ADDRS_MAX = 8,
    VIEWS = 16,
};
#define SITE_SECOND UINT64_C(1000000000)
#define RESET_POLL UINT64_C(1000000) /* how often /reset looks whether its half has arrived */
#define AFTER_MAX UINT64_C(3600)

enum stage { HEAD, BODY, ANSWER, RESET, DRAIN };
enum farewell { AT_ONCE, APART, NEVER };

struct visit {
    struct app app;
    struct site *site;
    tern_sock sock;
    struct visit *next, *prev; /* all visits */
    struct visit *later;       /* those that wait, soonest first */
    uint64_t wake;             /* 0: does not wait */
    enum stage stage;
    enum farewell farewell; /* how the client's FIN is answered */
    uint64_t after;         /* ns: APART */
    bool keep, hang_up;     /* another request may follow; close after the answer */
    bool keep_asked;        /* HTTP/1.0: it wants to be told that another may follow */
    bool echo, chunked, reset;
    uint64_t upload; /* bytes of the body yet to come */
    struct http_chunks chunks;
    uint64_t bytes_at, bytes_end; /* numbered bytes yet to be sent */
    size_t text_at, text_len;
    char text[TEXT_MAX];
};

struct site {
    struct app listener, silent;
    tern *stack;
    void (*flood)(bool on); /* or NULL */
    tern_sock socks[2 * ADDRS_MAX];
    uint32_t sock_count;
    uint64_t now;
    struct visit *visits;
    struct visit *waiting;
    uint8_t pattern[PATTERN];
};

/* `listener` is the site's first member, `silent` its second. */
static struct site *site_of_listener(struct app *app) { return (struct site *)(void *)app; }

uint8_t site_byte(uint64_t i)
{
    uint32_t x = (uint32_t)(i % PATTERN) * UINT32_C(2654435761);
    x ^= x >> 15;
    x *= UINT32_C(2246822519);
    return (uint8_t)(x >> 24);
}

/* ---- waiting --------------------------------------------------------------------------------- */

static void wait_no_more(struct visit *v)
{
    struct visit **at = &v->site->waiting;

    if (v->wake == 0)
        return;
    while (*at != v)
        at = &(*at)->later;
    *at = v->later;
    v->wake = 0;
}

static void wait_for(struct visit *v, uint64_t ns)
{
    struct visit **at = &v->site->waiting;

    wait_no_more(v);
    v->wake = v->site->now + ns;
    while (*at && (*at)->wake <= v->wake)
        at = &(*at)->later;
    v->later = *at;
    *at = v;
}

/* ---- the end of a visit ---------------------------------------------------------------------- */

static void leave(struct visit *v)
{
    wait_no_more(v);
    if (v->next)
        v->next->prev = v->prev;
    if (v->prev)
        v->prev->next = v->next;
    else
        v->site->visits = v->next;
    free(v);
}

static void hang_up(struct visit *v)
{
    (void)tern_close(v->site->stack, v->sock);
    leave(v);
}

static void break_off(struct visit *v)
{
    (void)tern_abort(v->site->stack, v->sock);
    leave(v);
}

/* The client has closed, and all it asked for is answered. false: the visit is over. */
static bool goodbye(struct visit *v)
{
    if (v->farewell == AT_ONCE || v->hang_up) {
        hang_up(v);
        return false;
    }
    if (v->farewell == APART && v->wake == 0)
        wait_for(v, v->after);
    return true;
}

/* ---- answers --------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static void put(struct visit *v, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int n = vsnprintf(v->text + v->text_len, TEXT_MAX - v->text_len, format, args);
    va_end(args);
    if (n > 0)
        v->text_len += (size_t)n < TEXT_MAX - v->text_len ? (size_t)n : TEXT_MAX - 1 - v->text_len;
}

enum { UNTIL_CLOSE = -1 };

static void put_head(struct visit *v, const char *status, int64_t length)
{
    put(v, "HTTP/1.1 %s\r\nServer: tern\r\nContent-Type: %s\r\n", status,
        v->bytes_end ? "application/octet-stream" : "text/plain; charset=us-ascii");
    if (v->echo && v->chunked)
        put(v, "Transfer-Encoding: chunked\r\n");
    else if (length != UNTIL_CLOSE)
        put(v, "Content-Length: %lld\r\n", (long long)length);
    if (!v->keep || v->hang_up || length == UNTIL_CLOSE) {
        v->hang_up = true;
        put(v, "Connection: close\r\n");
    } else if (v->keep_asked) {
        put(v, "Connection: keep-alive\r\n");
    }
    put(v, "\r\n");
}

static void answer(struct visit *v, const char *status, const char *body)
{
    put_head(v, status, (int64_t)strlen(body));
    put(v, "%s", body);
}

static void put_addr(char out[64], const tern_addr *a)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    char text[INET6_ADDRSTRLEN];

    if (memcmp(a->ip, mapped, 12) == 0)
        snprintf(out, 64, "%s:%u", inet_ntop(AF_INET, a->ip + 12, text, sizeof text), a->port);
    else
        snprintf(out, 64, "[%s]:%u", inet_ntop(AF_INET6, a->ip, text, sizeof text), a->port);
}

static void page(struct visit *v)
{
    char body[3072], you[64], us[64], rtt[32] = "not measured yet";
    tern_addr local, peer;
    tern_tcp_info t;

    memset(&t, 0, sizeof t);
    (void)tern_names(v->site->stack, v->sock, &local, &peer);
    (void)tern_info(v->site->stack, v->sock, &t, sizeof t);
    put_addr(you, &peer);
    put_addr(us, &local);
    if (t.min_rtt)
        snprintf(rtt, sizeof rtt, "%.3f ms", (double)t.min_rtt / 1e6);
    snprintf(
        body, sizeof body,
        "This page came over a TCP connection that you opened a moment ago.\n"
        "You are %s, this site is %s.\n\n"
        "   you > site   SYN        seq %-10u                 your initial number\n"
        "   site > you   SYN, ACK   seq %-10u  ack %-10u mine; yours + 1: a SYN counts as one\n"
        "   you > site   ACK                        ack %-10u mine + 1: both are ESTABLISHED\n\n"
        "Agreed: segments of %u bytes; windows scaled by 2^%u (you) and 2^%u (me);\n"
        "selective acknowledgements %s; timestamps %s. Round trip: %s.\n\n"
        "More to see here: /bytes/1000000   /echo   /slow   /reset\n"
        "/close/server   /close/together   /close/apart?after=3   /close/never\n"
        "Port 81 refuses, port 82 never answers.\n",
        you, us, t.irs, t.iss, t.irs + 1, t.iss + 1, t.snd_mss, t.snd_wscale, t.rcv_wscale,
        t.options & TERN_INFO_SACK ? "yes" : "no", t.options & TERN_INFO_TIMESTAMPS ? "yes" : "no",
        rtt);
    answer(v, "200 OK", body);
}

/* "?after=SECONDS", from 0 to an hour. */
static uint64_t after_of(const char *target, uint64_t fallback)
{
    const char *at = strstr(target, "?after=");
    char *end;

    if (!at || at[7] < '0' || at[7] > '9')
        return fallback * SITE_SECOND;
    double s = strtod(at + 7, &end);
    return (uint64_t)((s < (double)AFTER_MAX ? s : (double)AFTER_MAX) * (double)SITE_SECOND);
}

static bool path_is(const char *target, const char *path)
{
    size_t n = strlen(path);
    return strncmp(target, path, n) == 0 && (target[n] == 0 || target[n] == '?');
}

static void answer_bytes(struct visit *v, const char *number)
{
    char *end;
    unsigned long long n = number[0] >= '0' && number[0] <= '9' ? strtoull(number, &end, 10) : 0;

    if (number[0] < '0' || number[0] > '9' || *end || n > INT64_MAX) {
        answer(v, "400 Bad Request", "/bytes/ is followed by how many: /bytes/1000000\n");
        return;
    }
    v->bytes_at = 0;
    v->bytes_end = n;
    put_head(v, "200 OK", (int64_t)n);
}

static void answer_close(struct visit *v, const char *target)
{
    if (path_is(target, "/close/server")) {
        put_head(v, "200 OK", UNTIL_CLOSE); /* so that the client cannot know before */
        put(v, "The server closes first: its FIN comes next.\n");
    } else if (path_is(target, "/close/together")) {
        answer(v, "200 OK", "Close first: the ACK and the server's FIN come in one segment.\n");
    } else if (path_is(target, "/close/apart")) {
        v->farewell = APART;
        v->after = after_of(target, 3);
        answer(v, "200 OK", "Close first: an ACK comes at once, the server's FIN later.\n");
    } else if (path_is(target, "/close/never")) {
        v->farewell = NEVER;
        answer(v, "200 OK", "Close first: this end stays in CLOSE-WAIT.\n");
    } else {
        answer(v, "404 Not Found",
               "There are /close/server, /close/together, /close/apart and /close/never.\n");
    }
}

/* The body has come, or there is none. */
static void answer_to(struct visit *v, const char *target)
{
    if (path_is(target, "/")) {
        page(v);
    } else if (strncmp(target, "/bytes/", 7) == 0) {
        answer_bytes(v, target + 7);
    } else if (strncmp(target, "/close/", 7) == 0) {
        answer_close(v, target);
    } else if (path_is(target, "/reset")) {
        v->reset = true;
        v->bytes_at = 0;
        v->bytes_end = 20000;
        put_head(v, "200 OK", 40000);
    } else if (path_is(target, "/slow")) {
        answer(v, "200 OK",
               v->chunked || v->upload ? "Read at last.\n"
                                       : "Send something big: it is not read for 5 seconds.\n");
    } else if (path_is(target, "/echo")) {
        answer(v, "200 OK", "POST something, and it comes back.\n");
    } else {
        answer(v, "404 Not Found", "There is no such page. / says what there is.\n");
    }
}

/* ---- requests -------------------------------------------------------------------------------- */

static void wrong(struct visit *v, int status)
{
    const char *text = status == -414   ? "414 URI Too Long"
                       : status == -431 ? "431 Request Header Fields Too Large"
                       : status == -501 ? "501 Not Implemented"
                       : status == -505 ? "505 HTTP Version Not Supported"
                                        : "400 Bad Request";
    v->hang_up = true;
    answer(v, text, "That is not a request this server understands.\n");
}

static void begin(struct visit *v, const struct http_request *r)
{
    bool upload = r->chunked || r->length != 0;
    bool head = strcmp(r->method, "HEAD") == 0;

    v->keep = r->keep;
    v->keep_asked = r->keep_asked;
    v->chunked = r->chunked;
    v->upload = r->length;
    v->chunks = (struct http_chunks){.stage = 0};
    v->echo = upload && path_is(r->target, "/echo");
    if (r->expect && upload && !head)
        put(v, "HTTP/1.1 100 Continue\r\n\r\n");
    if (v->echo)
        put_head(v, "200 OK", (int64_t)r->length);
    else
        answer_to(v, r->target);
    if (head) { /* the fields, and no body */
        char *end = strstr(v->text, "\r\n\r\n");
        v->text_len = end ? (size_t)(end + 4 - v->text) : v->text_len;
        v->bytes_end = v->bytes_at = 0;
    }
    if (upload && path_is(r->target, "/slow")) {
        (void)tern_option_set(v->site->stack, v->sock, TERN_OPT_RCVBUF, 65536);
        wait_for(v, after_of(r->target, 5));
    }
    v->stage = upload ? BODY : ANSWER;
}

/* Each step returns true when the visit can go on at once. */

static bool read_head(struct visit *v)
{
    char head[HTTP_HEAD_MAX];
    struct http_request r;
    size_t have = 0;
    tern *s = v->site->stack;
    ptrdiff_t views = 1;

    if (v->wake)
        return false; /* it has closed */
    while (have < sizeof head && views > 0) {
        tern_iov iov[4];
        views = tern_recv_peek(s, v->sock, iov, 4, have);
        for (ptrdiff_t i = 0; i < views; i++) {
            size_t n = iov[i].len < sizeof head - have ? iov[i].len : sizeof head - have;
            memcpy(head + have, iov[i].base, n);
            have += n;
        }
    }
    int len = http_request_read(&r, head, have);
    if (len == 0 && views == 0)
        return goodbye(v) && false;
    if (len == 0)
        return false;
    v->text_len = v->text_at = 0;
    v->bytes_at = v->bytes_end = 0;
    if (len < 0) {
        wrong(v, len);
        v->stage = ANSWER;
        return true;
    }
    (void)tern_recv_consume(s, v->sock, (size_t)len);
    begin(v, &r);
    return true;
}

/* How much of what is readable belongs to the body. */
static size_t of_body(struct visit *v, struct http_chunks *chunks, const tern_iov *iov)
{
    if (v->chunked) {
        *chunks = v->chunks;
        return http_chunks_read(chunks, iov->base, iov->len);
    }
    return iov->len < v->upload ? iov->len : (size_t)v->upload;
}

static bool body_done(const struct visit *v)
{
    return v->chunked ? v->chunks.done : v->upload == 0;
}

/* Sends as much of the text as there is room for; false: not all. */
static bool send_text(struct visit *v)
{
    while (v->text_at < v->text_len) {
        ptrdiff_t n =
            tern_send(v->site->stack, v->sock, v->text + v->text_at, v->text_len - v->text_at);
        if (n <= 0)
            return false;
        v->text_at += (size_t)n;
    }
    return true;
}

static bool read_body(struct visit *v)
{
    tern *s = v->site->stack;

    if (v->echo && !send_text(v))
        return false;
    /* the client may wait for 100 Continue; the answer proper comes behind the body */
    if (!v->echo && v->text_at == 0 && strncmp(v->text, "HTTP/1.1 100", 12) == 0) {
        ptrdiff_t n = tern_send(s, v->sock, v->text, 25);
        v->text_at = n > 0 ? (size_t)n : 0;
    }
    if (v->wake)
        return false; /* /slow */
    while (!body_done(v)) {
        tern_iov iov;
        struct http_chunks chunks = v->chunks;
        ptrdiff_t views = tern_recv_peek(s, v->sock, &iov, 1, 0);
        if (views == 0) { /* closed in the middle */
            v->hang_up = true;
            return goodbye(v) && false;
        }
        if (views < 0)
            return false;
        size_t n = of_body(v, &chunks, &iov);
        if (chunks.bad) {
            break_off(v);
            return false;
        }
        if (v->echo) {
            ptrdiff_t sent = tern_send(s, v->sock, iov.base, n);
            if (sent <= 0)
                return false;
            if ((size_t)sent < n) {
                n = (size_t)sent;
                chunks = v->chunks;
                if (v->chunked)
                    (void)http_chunks_read(&chunks, iov.base, n);
            }
        }
        v->chunks = chunks;
        v->upload -= v->chunked ? 0 : n;
        (void)tern_recv_consume(s, v->sock, n);
    }
    v->stage = ANSWER;
    return true;
}

static bool send_bytes(struct visit *v)
{
    tern *s = v->site->stack;

    while (v->bytes_at < v->bytes_end) {
        tern_iov iov[VIEWS];
        uint64_t left = v->bytes_end - v->bytes_at;
        ptrdiff_t views = tern_send_reserve(s, v->sock, iov, VIEWS, left < 65536 ? left : 65536);
        size_t filled = 0;
        for (ptrdiff_t i = 0; i < views; i++) {
            uint8_t *p = iov[i].base;
            for (size_t room = iov[i].len; room != 0 && v->bytes_at < v->bytes_end;) {
                size_t from = (size_t)(v->bytes_at % PATTERN), n = PATTERN - from;
                n = n < room ? n : room;
                n = n < v->bytes_end - v->bytes_at ? n : (size_t)(v->bytes_end - v->bytes_at);
                memcpy(p, v->site->pattern + from, n);
                p += n;
                room -= n;
                filled += n;
                v->bytes_at += n;
            }
        }
        if (filled == 0)
            return false;
        (void)tern_send_commit(s, v->sock, filled);
    }
    return true;
}

static bool send_answer(struct visit *v)
{
    if (!send_text(v) || !send_bytes(v))
        return false;
    if (v->reset) {
        v->stage = RESET;
    } else if (v->hang_up) {
        (void)tern_shutdown(v->site->stack, v->sock);
        v->stage = DRAIN;
    } else {
        v->stage = HEAD;
    }
    return true;
}

/* Once the first half has arrived, so that the RST does not overtake it. */
static bool break_when_sent(struct visit *v)
{
    tern_tcp_info t = {.tx_queued = 0};

    (void)tern_info(v->site->stack, v->sock, &t, sizeof t);
    if (t.tx_queued == 0)
        break_off(v);
    else if (v->wake == 0)
        wait_for(v, RESET_POLL);
    return false;
}

static bool drain(struct visit *v)
{
    tern_iov iov[VIEWS];
    ptrdiff_t views;

    while ((views = tern_recv_peek(v->site->stack, v->sock, iov, VIEWS, 0)) > 0) {
        size_t n = 0;
        for (ptrdiff_t i = 0; i < views; i++)
            n += iov[i].len;
        (void)tern_recv_consume(v->site->stack, v->sock, n);
    }
    if (views == 0)
        hang_up(v);
    return false;
}

static void go_on(struct visit *v)
{
    for (bool more = true; more;) {
        switch (v->stage) {
        case HEAD:
            more = read_head(v);
            break;
        case BODY:
            more = read_body(v);
            break;
        case ANSWER:
            more = send_answer(v);
            break;
        case RESET:
            more = break_when_sent(v);
            break;
        default:
            more = drain(v);
        }
    }
}

/* ---- events ---------------------------------------------------------------------------------- */

static void visit_event(struct app *app, const tern_event *ev)
{
    struct visit *v = (struct visit *)(void *)app;

    if (ev->mask & TERN_EV_ERROR)
        hang_up(v);
    else if (!(ev->mask & TERN_EV_CLOSED))
        go_on(v);
}

static void welcome(struct site *site, tern_sock listener)
{
    for (;;) {
        struct visit *v = calloc(1, sizeof *v);
        if (!v)
            return; /* they wait in the queue */
        v->app.event = visit_event;
        v->site = site;
        if (tern_accept(site->stack, listener, &v->sock, NULL, v) < 0) {
            free(v);
            return;
        }
        v->next = site->visits;
        if (v->next)
            v->next->prev = v;
        site->visits = v;
        go_on(v);
    }
}

static void listener_event(struct app *app, const tern_event *ev)
{
    struct site *site = site_of_listener(app);

    if (ev->mask & TERN_EV_ACCEPT)
        welcome(site, ev->sock);
    if (site->flood && ev->mask & (TERN_EV_FLOOD | TERN_EV_CALM))
        site->flood((ev->mask & TERN_EV_FLOOD) != 0);
}

static void silent_event(struct app *app, const tern_event *ev)
{
    struct site *site = (struct site *)(void *)((char *)app - offsetof(struct site, silent));

    if (ev->mask & TERN_EV_HOLD)
        (void)tern_hold_drop(site->stack, ev->sock);
}

void site_work(struct site *site, uint64_t now)
{
    site->now = now;
    while (site->waiting && site->waiting->wake <= now) {
        struct visit *v = site->waiting;
        bool closed = v->stage == HEAD;
        wait_no_more(v);
        if (closed)
            hang_up(v);
        else
            go_on(v);
    }
}

uint64_t site_deadline(const struct site *site)
{
    return site->waiting ? site->waiting->wake : TERN_NEVER;
}

/* ---- beginning and end ----------------------------------------------------------------------- */

static int listen_at(struct site *site, const struct site_config *cfg, const tern_addr *addr,
                     bool silent)
{
    uint16_t port = silent ? SITE_PORT_SILENT : cfg->port ? cfg->port : SITE_PORT;
    uint32_t backlog = silent ? 64 : cfg->backlog ? cfg->backlog : 511;
    tern_listen_args args = {.local = *addr,
                             .backlog = backlog,
                             .flags = silent ? TERN_LISTEN_HOLD : 0,
                             .user = silent ? &site->silent : &site->listener};

    args.local.port = port;
    tern_sock *k = &site->socks[site->sock_count];
    int err = tern_listen(site->stack, k, &args);
    if (err < 0)
        return err;
    site->sock_count++;
    return silent ? 0 : tern_limits_set(site->stack, *k, &cfg->limits);
}

int site_new(struct site **out, const struct site_config *cfg)
{
    struct site *site = calloc(1, sizeof *site);
    int err = 0;

    if (!site)
        return TERN_ENOMEM;
    site->listener.event = listener_event;
    site->silent.event = silent_event;
    site->stack = cfg->stack;
    site->flood = cfg->flood;
    for (uint32_t i = 0; i < PATTERN; i++)
        site->pattern[i] = site_byte(i);
    for (uint32_t i = 0; i < cfg->addr_count && i < ADDRS_MAX && err >= 0; i++) {
        err = listen_at(site, cfg, &cfg->addrs[i], false);
        if (err >= 0)
            err = listen_at(site, cfg, &cfg->addrs[i], true);
    }
    if (err < 0) {
        site_free(site);
        return err;
    }
    *out = site;
    return 0;
}

void site_free(struct site *site)
{
    if (!site)
        return;
    while (site->visits)
        break_off(site->visits);
    for (uint32_t i = 0; i < site->sock_count; i++)
        (void)tern_close(site->stack, site->socks[i]);
    free(site);
}
