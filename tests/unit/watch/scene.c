#include "scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../test.h"

#define START LAB_PAIR_START

void output_add(void *output, const char *text, size_t len)
{
    struct output *o = output;
    if (o->len + len + 1 > o->room) {
        o->room = (o->len + len + 1) * 2;
        o->text = realloc(o->text, o->room);
        assert_non_null(o->text);
    }
    memcpy(o->text + o->len, text, len);
    o->len += len;
    o->text[o->len] = '\0';
}

struct scene_config scene_page(int width)
{
    return (
        struct scene_config){.width = width,
                             .process = "curl[4711]",
                             .link = {.seed = 1, .dir = {{.delay = 10 * MS}, {.delay = 10 * MS}}},
                             .request = SCENE_REQUEST,
                             .response = SCENE_RESPONSE,
                             .body = 1000,
                             .close = SERVER_FOLLOWS};
}

/* ---- actors ---------------------------------------------------------------------------------- */

static void finish(struct actor *a, int err)
{
    a->err = err;
    a->ended = true;
    if (a->sock.id != 0)
        (void)tern_close(a->s, a->sock);
    a->sock.id = 0;
}

void actor_send(struct actor *a, const char *text)
{
    assert_int_equal(tern_send(a->s, a->sock, text, strlen(text)), strlen(text));
}

void actor_shut(struct actor *a)
{
    a->shut = true;
    assert_int_equal(tern_shutdown(a->s, a->sock), 0);
}

void actor_close(struct actor *a) { finish(a, 0); }

void actor_abort(struct actor *a)
{
    a->ended = true;
    assert_int_equal(tern_abort(a->s, a->sock), 0);
    a->sock.id = 0;
}

static void push(struct actor *a)
{
    static const uint8_t zeros[65536];
    const char *head = a->scene->conf.response;
    while (a->head != 0) {
        ptrdiff_t n = tern_send(a->s, a->sock, head + strlen(head) - a->head, a->head);
        if (n <= 0)
            return;
        a->head -= (uint64_t)n;
    }
    while (a->to_send != 0) {
        size_t len = a->to_send < sizeof(zeros) ? (size_t)a->to_send : sizeof(zeros);
        ptrdiff_t n = tern_send(a->s, a->sock, zeros, len);
        if (n <= 0)
            return;
        a->to_send -= (uint64_t)n;
    }
    if (!a->server || !a->asked)
        return;
    switch (a->scene->conf.close) {
    case SERVER_CLOSES:
        finish(a, 0);
        break;
    case SERVER_RESETS:
        actor_abort(a);
        break;
    case SERVER_FOLLOWS:
    case SERVER_LATER:
        if (a->eof && a->scene->conf.close == SERVER_FOLLOWS)
            finish(a, 0);
        else if (a->eof && a->close_at == 0)
            a->close_at = lab_world_now(a->scene->pair.w) + a->scene->conf.later;
        break;
    case SERVER_STAYS:
        break;
    }
}

void actor_read(struct actor *a)
{
    uint8_t got[65536];
    ptrdiff_t n;
    if (a->sock.id == 0)
        return;
    while ((n = tern_recv(a->s, a->sock, got, sizeof(got))) > 0) {
        a->received += (uint64_t)n;
        if (a->server && !a->asked) {
            a->asked = true;
            a->head = a->scene->conf.response != NULL ? strlen(a->scene->conf.response) : 0;
            a->to_send = a->scene->conf.body;
        }
    }
    a->eof |= n == 0;
}

static void act(struct actor *a)
{
    const struct scene_config *conf = &a->scene->conf;
    if (!(a->server && conf->deaf))
        actor_read(a);
    if (!a->ended && (a->server || a->head + a->to_send != 0))
        push(a);
    if (a->server || a->ended)
        return;
    uint64_t whole = conf->body + (conf->response != NULL ? strlen(conf->response) : 0);
    if (a->opened && !conf->stays && conf->request != NULL && !a->shut &&
        (a->eof || (conf->close != SERVER_CLOSES && a->received >= whole)))
        actor_shut(a);
    if (a->eof && a->shut)
        finish(a, 0);
}

static void on_event(void *user, tern *s, const tern_event *ev)
{
    struct scene *x = user;
    if (ev->mask & TERN_EV_ACCEPT) {
        tern_sock k;
        tern_addr peer;
        while (tern_accept(s, ev->sock, &k, &peer, &x->server[x->servers]) == 0) {
            struct actor *a = &x->server[x->servers++];
            *a = (struct actor){.scene = x, .s = s, .sock = k, .server = true, .opened = true};
            act(a);
        }
        return;
    }
    struct actor *a = ev->user;
    if (a == NULL || a->ended)
        return;
    if (ev->mask & TERN_EV_OPEN && !a->opened) {
        a->opened = true;
        if (!a->server && x->conf.request != NULL) /* a program needs a moment */
            a->ask_at = lab_world_now(x->pair.w) + MS / 10;
    }
    if (ev->mask & TERN_EV_ERROR) {
        finish(a, ev->err);
        return;
    }
    act(a);
}

/* ---- the time line --------------------------------------------------------------------------- */

static void on_tap(void *user, const struct lab_event *e)
{
    static const uint8_t fates[] = {
        [LAB_LOST] = TIMELINE_LOST,         [LAB_DROPPED] = TIMELINE_DROPPED,
        [LAB_OVERFLOW] = TIMELINE_OVERFLOW, [LAB_TOO_BIG] = TIMELINE_TOO_BIG,
        [LAB_ARRIVED] = TIMELINE_ARRIVED,   [LAB_PROCESSED] = TIMELINE_PROCESSED,
    };
    struct scene *x = user;
    struct timeline_packet p = {.id = e->id,
                                .sent = e->sent,
                                .now = e->now,
                                .from = e->dir,
                                .marks = e->marks,
                                .data = e->data,
                                .len = e->len};
    if (e->fate == LAB_SENT)
        timeline_sent(x->line, &p);
    else
        timeline_fate(x->line, &p, fates[e->fate]);
    if (x->capture != NULL && e->fate == LAB_SENT)
        capture_sent(x->capture, &p);
    else if (x->capture != NULL)
        capture_fate(x->capture, &p, fates[e->fate]);
}

static void on_trace(void *user, int host, const tern_trace *record)
{
    struct scene *x = user;
    if (x->line != NULL && !x->conf.no_records)
        timeline_trace(x->line, host, record);
    if (x->capture != NULL)
        capture_trace(x->capture, host, record);
}

static void on_process(void *user, const tern_addr *local, const tern_addr *peer, char *out,
                       size_t cap)
{
    struct scene *x = user;
    (void)local;
    (void)peer;
    snprintf(out, cap, "%s", x->conf.process != NULL ? x->conf.process : "");
}

/* The text and the process share one `user`. */
static void on_write(void *user, const char *text, size_t len)
{
    struct scene *x = user;
    if (!x->conf.silent)
        output_add(&x->out, text, len);
}

static bool on_block(void *user, const void *p, size_t len)
{
    struct scene *x = user;
    output_add(&x->pcap, p, len);
    return true;
}

/* ---- scenes ---------------------------------------------------------------------------------- */

void scene_begin(struct scene *x, const struct scene_config *conf)
{
    memset(x, 0, sizeof(*x));
    x->conf = *conf;
    struct lab_host_config host[2];
    for (int i = 0; i < 2; i++) {
        host[i] = (struct lab_host_config){.tern = conf->tern[i],
                                           .event = on_event,
                                           .trace = on_trace,
                                           .user = x};
        if (conf->tern[i].size == 0) {
            tern_config_default(&host[i].tern);
            host[i].tern.isn_fixed = true;
            host[i].tern.isn = i == 0 ? 10000 : 20000;
        }
    }
    struct timeline_config line = {.width = conf->width,
                                   .colour = conf->colour,
                                   .utf8 = !conf->ascii,
                                   .start = START,
                                   .msl = host[0].tern.msl,
                                   .write = on_write,
                                   .process = on_process,
                                   .user = x};
    x->line = timeline_new(&line);
    assert_non_null(x->line);
    if (conf->capture[0] || conf->capture[1]) {
        struct capture_config capture = {.application = "tern test",
                                         .name = {"client", "server"},
                                         .end = {conf->capture[0], conf->capture[1]},
                                         .start = START,
                                         .unix_start = UINT64_C(1700000000) * SECOND,
                                         .write = on_block,
                                         .user = x};
        x->capture = capture_new(&capture);
        assert_non_null(x->capture);
    }
    struct lab_config link = conf->link;
    link.tap = on_tap;
    link.user = x;
    tern_iface iface = {.mtu = 1500};
    assert_int_equal(lab_pair_new(&x->pair, 7, &host[0], &host[1], &iface, &link), 0);
    if (conf->no_listener)
        return;
    tern_listen_args args = {.local = {.port = SCENE_PORT}, .backlog = SCENE_CLIENTS};
    assert_int_equal(tern_listen(x->pair.server, &x->listener, &args), 0);
}

struct actor *scene_connect(struct scene *x)
{
    tern_addr peer = {.port = SCENE_PORT}, local = {.port = (uint16_t)(40001 + x->clients)};
    assert_true(x->clients < SCENE_CLIENTS);
    struct actor *a = &x->client[x->clients++];
    *a = (struct actor){.scene = x, .s = x->pair.client};
    memcpy(peer.ip, x->conf.ip6 ? lab_server_ip6 : lab_server_ip4, 16);
    memcpy(local.ip, x->conf.ip6 ? lab_client_ip6 : lab_client_ip4, 16);
    assert_int_equal(tern_connect(a->s, &a->sock, &local, &peer, a), 0);
    return a;
}

/* When the next actor does something of its own accord. */
static uint64_t next_plan(const struct scene *x)
{
    uint64_t next = TERN_NEVER;
    for (uint32_t i = 0; i < x->servers; i++)
        if (x->server[i].close_at != 0 && !x->server[i].ended && x->server[i].close_at < next)
            next = x->server[i].close_at;
    for (uint32_t i = 0; i < x->clients; i++)
        if (x->client[i].ask_at != 0 && !x->client[i].ended && x->client[i].ask_at < next)
            next = x->client[i].ask_at;
    return next;
}

static void act_as_planned(struct scene *x, uint64_t now)
{
    for (uint32_t i = 0; i < x->servers; i++)
        if (x->server[i].close_at != 0 && !x->server[i].ended && x->server[i].close_at <= now)
            finish(&x->server[i], 0);
    for (uint32_t i = 0; i < x->clients; i++)
        if (x->client[i].ask_at != 0 && !x->client[i].ended && x->client[i].ask_at <= now) {
            x->client[i].ask_at = 0;
            actor_send(&x->client[i], x->conf.request);
        }
}

void scene_run(struct scene *x, uint64_t ns)
{
    uint64_t until = lab_world_now(x->pair.w) + ns;
    for (;;) {
        uint64_t now = lab_world_now(x->pair.w), next = lab_world_next(x->pair.w);
        uint64_t plan = next_plan(x);
        if (plan < next)
            next = plan;
        if (next < now)
            next = now;
        if (next > until)
            next = until;
        for (uint64_t due; (due = timeline_due(x->line)) < next;)
            timeline_flush(x->line, due > now ? due : now);
        act_as_planned(x, next);
        (void)lab_world_turn(x->pair.w, next);
        if (x->capture != NULL)
            capture_flush(x->capture);
        if (next == until && lab_world_next(x->pair.w) > until)
            return;
    }
}

void scene_play(struct scene *x, const struct scene_config *conf, uint64_t ns)
{
    scene_begin(x, conf);
    (void)scene_connect(x);
    scene_run(x, ns);
    scene_end(x);
}

struct scene *scene_played(const struct scene_config *conf, uint64_t ns)
{
    struct scene *x = calloc(1, sizeof(*x));
    assert_non_null(x);
    scene_play(x, conf, ns);
    return x;
}

void scene_end(struct scene *x)
{
    timeline_free(x->line, lab_world_now(x->pair.w));
    x->line = NULL;
    capture_free(x->capture);
    x->capture = NULL;
    lab_world_free(x->pair.w);
}

void scene_free(struct scene *x)
{
    free(x->out.text);
    free(x->pcap.text);
    free(x);
}
