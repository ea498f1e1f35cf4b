#include "talk.h"

#include <stdio.h>
#include <string.h>

#include "lab/random.h"
#include "../test.h"

enum { PIECE = 16384, PORT = 80 };
#define NS_PER_S UINT64_C(1000000000)

/* ---- the bytes ------------------------------------------------------------------------------- */

void talk_bytes(uint64_t key, uint64_t offset, uint8_t *to, size_t len)
{
    while (len > 0) {
        uint64_t word = key + offset / 8 * 0x9e3779b97f4a7c15u;
        word = (word ^ word >> 29) * 0xbf58476d1ce4e5b9u;
        word ^= word >> 32;
        size_t skip = offset % 8, n = 8 - skip < len ? 8 - skip : len;
        memcpy(to, (const uint8_t *)&word + skip, n);
        to += n;
        offset += n;
        len -= n;
    }
}

/* ---- one end --------------------------------------------------------------------------------- */

static void finish(struct talker *p, int err)
{
    p->err = err;
    p->ended = true;
    if (p->sock.id != 0)
        (void)tern_close(p->s, p->sock); /* TERN_ESTALE after an error */
    p->sock.id = 0;
    struct talk *t = p->talk;
    if (t->side[0].ended && t->side[1].ended)
        t->ended_at = lab_world_now(t->pair.w);
}

static void receive(struct talker *p)
{
    uint8_t got[PIECE], want[PIECE];
    ptrdiff_t n;
    while ((n = tern_recv(p->s, p->sock, got, sizeof(got))) > 0) {
        talk_bytes(p->peer_key, p->received, want, (size_t)n);
        for (ptrdiff_t i = 0; i < n && p->wrong_at == 0; i++)
            if (got[i] != want[i])
                p->wrong_at = p->received + (uint64_t)i + 1;
        p->received += (uint64_t)n;
    }
    if (n == 0)
        p->eof = true;
    else if (n != TERN_EAGAIN && n != TERN_ENOTCONN)
        finish(p, (int)n);
}

static void send_all(struct talker *p)
{
    uint8_t piece[PIECE];
    while (p->sent < p->send) {
        size_t len = p->send - p->sent < PIECE ? (size_t)(p->send - p->sent) : PIECE;
        talk_bytes(p->key, p->sent, piece, len);
        ptrdiff_t n = tern_send(p->s, p->sock, piece, len);
        if (n == TERN_EAGAIN || n == TERN_ENOTCONN)
            return;
        if (n < 0) {
            finish(p, (int)n);
            return;
        }
        p->sent += (uint64_t)n;
    }
    if (p->shut)
        return;
    p->shut = true;
    int err = tern_shutdown(p->s, p->sock);
    if (err < 0)
        finish(p, err);
}

static void work(struct talker *p)
{
    if (!p->ended && !p->eof)
        receive(p);
    if (!p->ended)
        send_all(p);
    if (!p->ended && p->eof && p->shut)
        finish(p, 0);
}

static void on_event(void *user, tern *s, const tern_event *ev)
{
    (void)user;
    struct talker *p = ev->user;
    assert_ptr_equal(p->s, s);
    if (ev->mask & (TERN_EV_ACCEPT | TERN_EV_FLOOD | TERN_EV_CALM)) { /* of the listener */
        tern_sock k;
        tern_addr peer;
        while (tern_accept(s, ev->sock, &k, &peer, p) == 0) {
            assert_int_equal(p->sock.id, 0);
            assert_false(p->ended);
            p->sock = k;
            p->opened = true;
            work(p);
        }
        return;
    }
    assert_true(p->sock.id != 0 && p->sock.id == ev->sock.id);
    if (ev->mask & TERN_EV_OPEN)
        p->opened = true;
    if (ev->mask & TERN_EV_ERROR) {
        assert_int_not_equal(ev->err, 0);
        receive(p);
        if (!p->ended)
            finish(p, ev->err);
        return;
    }
    if (ev->mask & (TERN_EV_OPEN | TERN_EV_READ | TERN_EV_WRITE | TERN_EV_EOF))
        work(p);
}

/* ---- the conversation ------------------------------------------------------------------------ */

static int begin_hosts(struct talk *t, const struct talk_config *conf)
{
    struct lab_host_config host[2] = {{.event = on_event, .trace = conf->trace}};
    host[0].tern = conf->tern;
    if (conf->tern.size == 0)
        tern_config_default(&host[0].tern);
    host[1] = host[0];
    for (int i = 0; i < 2; i++) {
        host[i].fail_first = conf->fail_first[i];
        host[i].fail_count = conf->fail_count[i];
    }
    tern_iface iface = conf->iface;
    if (iface.mtu == 0)
        iface.mtu = 1500;
    return lab_pair_new(&t->pair, conf->seed, &host[0], &host[1], &iface, &conf->link);
}

int talk_begin(struct talk *t, const struct talk_config *conf)
{
    memset(t, 0, sizeof(*t));
    int err = begin_hosts(t, conf);
    if (err < 0)
        return err;
    for (int i = 0; i < 2; i++) {
        struct talker *p = &t->side[i];
        p->talk = t;
        p->s = i == 0 ? t->pair.client : t->pair.server;
        p->key = conf->seed * 2 + (uint64_t)i + 1;
        p->peer_key = conf->seed * 2 + (uint64_t)!i + 1;
        p->send = i == 0 ? conf->up : conf->down;
        p->receive = i == 0 ? conf->down : conf->up;
    }
    tern_listen_args args = {.local = {.port = PORT}, .backlog = 1, .user = &t->side[1]};
    err = tern_listen(t->pair.server, &t->listener, &args);
    if (err < 0)
        return err;
    tern_addr peer = {.port = PORT};
    memcpy(peer.ip, conf->ip6 ? lab_server_ip6 : lab_server_ip4, 16);
    return tern_connect(t->pair.client, &t->side[0].sock, NULL, &peer, &t->side[0]);
}

bool talk_over(void *talk)
{
    const struct talk *t = talk;
    return t->side[0].ended && t->side[1].ended;
}

bool talk_forgotten(void *talk)
{
    const struct talk *t = talk;
    for (int i = 0; i < 2; i++) {
        tern_memory m;
        tern_memory_of(t->side[i].s, &m);
        if (m.conns + m.halfopen + m.timewaits + m.active + m.pages + m.outputs != 0)
            return false;
    }
    return true;
}

void talk_describe(const struct talk *t)
{
    for (int i = 0; i < 2; i++) {
        const struct talker *p = &t->side[i];
        tern_memory m;
        tern_memory_of(p->s, &m);
        print_message("%s: sent %llu of %llu, received %llu of %llu%s%s%s, err %d, wrong at %llu; "
                      "conns %u, half-open %u, TIME-WAIT %u, active %u, pages %u, outputs %u\n",
                      i == 0 ? "client" : "server", (unsigned long long)p->sent,
                      (unsigned long long)p->send, (unsigned long long)p->received,
                      (unsigned long long)p->receive, p->opened ? ", opened" : "",
                      p->shut ? ", shut" : "", p->eof ? ", EOF" : "", p->err,
                      (unsigned long long)p->wrong_at, m.conns, m.halfopen, m.timewaits, m.active,
                      m.pages, m.outputs);
        tern_tcp_info info;
        if (p->sock.id == 0 || tern_info(p->s, p->sock, &info, sizeof(info)) < 0)
            continue;
        print_message(
            "  %s una %u nxt %u wnd %u, rcv_nxt %u wnd %u, cwnd %u ssthresh %u, rto %llu, "
            "timer in %lld us, queued %u unsent %u rx %u\n",
            tern_state_name(info.state), info.snd_una - info.iss, info.snd_nxt - info.iss,
            info.snd_wnd, info.rcv_nxt - info.irs, info.rcv_wnd, info.cwnd, info.ssthresh,
            (unsigned long long)info.rto, (long long)(info.timer - lab_world_now(t->pair.w)) / 1000,
            info.tx_queued, info.tx_unsent, info.rx_queued);
    }
}

void talk_check(const struct talk *t)
{
    bool good = true;
    for (int i = 0; i < 2; i++) {
        const struct talker *p = &t->side[i];
        good = good && p->ended && p->err == 0 && p->wrong_at == 0 && p->received == p->receive;
    }
    if (good)
        return;
    talk_describe(t);
    fail();
}

void talk_check_clean(struct talk *t)
{
    if (!talk_forgotten(t)) {
        talk_describe(t);
        fail_msg("something is left in memory");
    }
    struct lab_link *link = lab_world_get_link(t->pair.w, 0);
    for (int dir = 0; dir < 2; dir++) {
        const struct lab_counts *n = lab_link_counts(link, dir);
        assert_true(lab_link_next(link, dir) == TERN_NEVER);
        assert_int_equal(n->sent + n->duplicated,
                         n->arrived + n->lost + n->dropped + n->overflowed + n->too_big);
    }
}

void talk_end(struct talk *t) { lab_world_free(t->pair.w); }

uint64_t talk_all(const struct talk_config *conf, uint64_t seconds)
{
    struct talk t;
    assert_int_equal(talk_begin(&t, conf), 0);
    (void)lab_world_run(t.pair.w, LAB_PAIR_START + seconds * NS_PER_S, talk_over, &t);
    talk_check(&t);
    uint64_t took = t.ended_at - LAB_PAIR_START;
    (void)lab_world_run(t.pair.w, t.ended_at + 1000 * NS_PER_S, talk_forgotten, &t);
    talk_check_clean(&t);
    talk_end(&t);
    return took;
}
