/* test_lwip.c - tern and lwIP joined by a link that loses, overtakes, doubles and corrupts, in
 * virtual time: either opens, each ends first, or breaks off, with both families. Every byte is
 * compared both ways, the oracle judges both ends, and both must come to the same end; where they
 * need not, a row of the table below names the section that permits it.
 *
 * lwIP is Debian's library (liblwip-dev); its clock is our sys_now(). TERN_LWIP=N: so many worlds.
 */
#include "unit.h"

#ifdef HAVE_LWIP
#include <dlfcn.h>

#define mem_free lwip_mem_free /* base/mem.h has one, too */
#include "lwip/init.h"
#include "lwip/netif.h"
#include "lwip/tcp.h"
#include "lwip/timeouts.h"
#undef mem_free

#include "lab/link.h"
#include "lab/random.h"
#include "lab/world.h"
#include "sim/flow.h"
#include "watch/follow.h"
#include "watch/rules.h"

#define MS UINT64_C(1000000)
enum { WORLDS = 300, PIECE = 4096, PACKET_MAX = 2048, PATIENCE_S = 1200 };
enum end { TERN_FIRST, LWIP_FIRST, BOTH, TERN_BREAKS, LWIP_BREAKS, ENDS };

struct side {
    uint64_t key, send, sent, received, expect;
    bool open, shut, eof, over;
    int err;
};

static struct {
    uint64_t now, seed;
    struct netif netif;
    struct lab_link *link;
    struct follow *follow;
    struct side tern, lwip;
    tern *s;
    tern_sock sock, listener;
    struct tcp_pcb *pcb, *accepting;
    enum end end;
    uint64_t number;
    bool broke, harmed; /* one end has broken off; since then a packet was lost, spoilt, or late */
    uint64_t limited;   /* answers that tern had held back until then */
    err_t (*output)(struct tcp_pcb *); /* its tcp_output(): libtern has another of that name */
} w;

/* What lwIP's library asks for the time, in place of its own. */
__attribute__((visibility("default"))) u32_t sys_now(void) { return (u32_t)(w.now / MS); }

/* ---- what is permitted ----------------------------------------------------------------------- */

static bool tern_is_quiet(void)
{
    tern_tcp_info info;
    return w.sock.id != 0 && tern_info(w.s, w.sock, &info, sizeof info) == 0 &&
           info.tx_queued == 0 &&
           (info.state == TERN_ESTABLISHED || info.state == TERN_CLOSE_WAIT ||
            info.state == TERN_FIN_WAIT_2);
}

static bool lwip_is_quiet(void)
{
    return w.pcb != NULL && w.pcb->unsent == NULL && w.pcb->unacked == NULL;
}

static uint64_t limited(void) { return tern_counters_of(w.s)->count[TERN_COUNT_CHALLENGE_LIMITED]; }

static bool half_open(const struct side *me)
{
    return w.harmed && me->open && (me == &w.tern ? tern_is_quiet() : lwip_is_quiet());
}

static bool unanswered(const struct side *me)
{
    return me == &w.tern && limited() > w.limited && tern_is_quiet();
}

/* lwIP is gone, and answers what still comes. */
static bool answers_with_ack(const struct follow_finding *f)
{
    const struct follow_end *me = &f->conn->end[f->end], *other = &f->conn->end[!f->end];
    return f->rule == WATCH_RULE_RST_NUMBER && w.pcb == NULL && f->a <= other->ack - me->isn;
}

/* Why an end need not have heard that the other one has broken off; where lwIP may do what the
 * oracle objects to. */
static struct permitted {
    bool (*end)(const struct side *me);
    bool (*finding)(const struct follow_finding *f);
    const char *why;
    uint64_t used;
} table[] = {
    {half_open, NULL,
     "RFC 9293 3.5.1: the RST did not get through; this end stays half-open, until it sends", 0},
    {unanswered, NULL,
     "RFC 5961 7: the RST came past a hole, and the ACK that asks for another one was held back, "
     "since duplicates had been answered just before",
     0},
    {NULL, answers_with_ack,
     "RFC 9293 3.10.7.4, second: an RST counts by its number, before its ACK is looked at; lwIP "
     "also acknowledges in one that answers, which has an older number than one of its own accord",
     0},
};

static bool permitted(const struct side *me)
{
    for (size_t i = 0; w.broke && i < ARRAY_LEN(table); i++)
        if (table[i].end != NULL && table[i].end(me)) {
            table[i].used++;
            return true;
        }
    return false;
}

static void on_finding(void *user, const struct follow_finding *f)
{
    const uint8_t *ip = f->conn->end[f->end].addr.ip;
    bool ours = memcmp(ip, lab_client_ip4, 16) == 0 || memcmp(ip, lab_client_ip6, 16) == 0;
    (void)user;
    for (size_t i = 0; !ours && i < ARRAY_LEN(table); i++)
        if (table[i].finding != NULL && table[i].finding(f)) {
            table[i].used++;
            return;
        }
    fail_msg("seed %llu: %s breaks %s (%s)", (unsigned long long)w.seed, ours ? "tern" : "lwIP",
             watch_rule_info(f->rule)->id, watch_rule_info(f->rule)->section);
}

/* ---- the link -------------------------------------------------------------------------------- */

static err_t leave(struct pbuf *p)
{
    uint8_t flat[PACKET_MAX];
    assert_true(p->tot_len <= sizeof flat);
    size_t len = pbuf_copy_partial(p, flat, p->tot_len, 0);
    tern_pkt pkt = {.iov_count = 1, .len = (uint32_t)len, .iov = {{flat, len}}};
    if (w.link != NULL)
        lab_link_send(w.link, 1, &pkt, w.now);
    return ERR_OK;
}

static err_t leave_ip4(struct netif *n, struct pbuf *p, const ip4_addr_t *to)
{
    (void)n, (void)to;
    return leave(p);
}

static err_t leave_ip6(struct netif *n, struct pbuf *p, const ip6_addr_t *to)
{
    (void)n, (void)to;
    return leave(p);
}

static err_t set_up(struct netif *n)
{
    n->output = leave_ip4;
    n->output_ip6 = leave_ip6;
    n->mtu = 1500;
    n->hwaddr_len = 6; /* it is asked for, and was not set */
    return ERR_OK;
}

static void arrive(void)
{
    tern_pkt pkt;
    while (lab_link_receive(w.link, 1, &pkt, 1, w.now) != 0) {
        tern_input(w.s, &pkt, 1, w.now);
        lab_link_received(w.link, 1, w.now);
    }
    while (lab_link_receive(w.link, 0, &pkt, 1, w.now) != 0) {
        struct pbuf *p = pbuf_alloc(PBUF_RAW, (u16_t)pkt.len, PBUF_RAM);
        assert_non_null(p);
        assert_int_equal(pbuf_take(p, pkt.iov[0].base, (u16_t)pkt.len), ERR_OK);
        lab_link_received(w.link, 0, w.now);
        (void)w.netif.input(p, &w.netif);
    }
}

static void tap(void *user, const struct lab_event *ev)
{
    struct follow_packet packet = {
        .time = ev->now, .number = ++w.number, .data = ev->data, .have = ev->len, .len = ev->len};
    struct follow_result r;
    (void)user;
    if (ev->fate == LAB_SENT && !(ev->marks & LAB_DUPLICATE))
        follow_packet(w.follow, &packet, &r);
    w.harmed |= w.broke && (ev->fate == LAB_LOST || ev->marks & LAB_CORRUPTED ||
                            (ev->fate == LAB_ARRIVED && ev->marks & LAB_LATE));
}

/* ---- both programs --------------------------------------------------------------------------- */

static void take(struct side *to, const struct side *from, const uint8_t *data, size_t n)
{
    if (!stream_is(from->key, to->received, data, n) || to->received + n > from->send)
        fail_msg("seed %llu: wrong bytes at %llu", (unsigned long long)w.seed,
                 (unsigned long long)to->received);
    to->received += n;
}

/* In the middle of the conversation, when both have something under way. */
static bool may_break(const struct side *me, const struct side *other)
{
    return me->open && me->sent >= me->send / 2 && me->received >= other->send / 2;
}

/* Whether an end that has said all ends now, or waits for the other's end. */
static bool may_shut(const struct side *me, enum end waits)
{
    return me->open && me->sent == me->send && !me->shut && (w.end != waits || me->eof);
}

static void break_off(struct side *me)
{
    w.broke = me->over = true;
    w.limited = limited();
}

static bool tern_failed(ptrdiff_t n)
{
    if (n >= 0 || n == TERN_EAGAIN || n == TERN_ENOTCONN)
        return false;
    w.tern.err = (int)n;
    w.tern.over = true;
    (void)tern_close(w.s, w.sock);
    return true;
}

static void tern_works(void)
{
    uint8_t piece[PIECE];
    struct side *me = &w.tern;
    ptrdiff_t n = 0;
    if (me->over || w.sock.id == 0)
        return;
    while (!me->eof && (n = tern_recv(w.s, w.sock, piece, sizeof piece)) > 0)
        take(me, &w.lwip, piece, (size_t)n);
    me->eof |= n == 0;
    if (tern_failed(n))
        return;
    while (me->open && me->sent < me->send) {
        size_t len = min_u64(me->send - me->sent, PIECE);
        stream_bytes(me->key, me->sent, piece, len);
        n = tern_send(w.s, w.sock, piece, len);
        if (tern_failed(n))
            return;
        if (n <= 0)
            break;
        me->sent += (uint64_t)n;
    }
    if (w.end == TERN_BREAKS && may_break(me, &w.lwip)) {
        break_off(me);
        (void)tern_abort(w.s, w.sock);
        return;
    }
    if (may_shut(me, LWIP_FIRST)) {
        n = tern_shutdown(w.s, w.sock);
        if (tern_failed(n))
            return;
        me->shut = n == 0;
    }
    if (me->eof && me->shut) {
        (void)tern_close(w.s, w.sock);
        me->over = true;
    }
}

static void lwip_works(void)
{
    uint8_t piece[PIECE];
    struct side *me = &w.lwip;
    if (me->over || w.pcb == NULL || !me->open)
        return;
    while (me->sent < me->send && tcp_sndbuf(w.pcb) != 0) {
        size_t len = min_u64(min_u64(me->send - me->sent, PIECE), tcp_sndbuf(w.pcb));
        stream_bytes(me->key, me->sent, piece, len);
        if (tcp_write(w.pcb, piece, (u16_t)len, TCP_WRITE_FLAG_COPY) != ERR_OK)
            break;
        me->sent += len;
    }
    (void)w.output(w.pcb);
    if (w.end == LWIP_BREAKS && may_break(me, &w.tern)) {
        break_off(me);
        tcp_err(w.pcb, NULL);
        tcp_abort(w.pcb);
        w.pcb = NULL;
        return;
    }
    if (may_shut(me, TERN_FIRST))
        me->shut = tcp_shutdown(w.pcb, 0, 1) == ERR_OK;
    if (me->eof && me->shut) {
        tcp_err(w.pcb, NULL);
        tcp_recv(w.pcb, NULL);
        (void)tcp_close(w.pcb);
        w.pcb = NULL;
        me->over = true;
    }
}

static err_t lwip_recv(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
    (void)arg, (void)err;
    if (p == NULL) {
        w.lwip.eof = true;
        return ERR_OK;
    }
    for (struct pbuf *q = p; q != NULL; q = q->next)
        take(&w.lwip, &w.tern, q->payload, q->len);
    tcp_recved(pcb, p->tot_len);
    pbuf_free(p);
    return ERR_OK;
}

static void lwip_failed(void *arg, err_t err)
{
    (void)arg;
    w.lwip.err = err;
    w.lwip.over = true;
    w.pcb = NULL;
}

static err_t lwip_open(void *arg, struct tcp_pcb *pcb, err_t err)
{
    (void)arg, (void)err;
    w.pcb = pcb;
    w.lwip.open = true;
    tcp_recv(pcb, lwip_recv);
    tcp_err(pcb, lwip_failed);
    return ERR_OK;
}

static void tern_hears(void)
{
    tern_event ev;
    while (tern_events(w.s, &ev, 1) != 0) {
        if (ev.mask & TERN_EV_ACCEPT && tern_accept(w.s, ev.sock, &w.sock, NULL, &w) == 0)
            w.tern.open = true;
        w.tern.open |= (ev.mask & TERN_EV_OPEN) != 0;
    }
}

static void turn(void)
{
    tern_pkt pkts[16];
    size_t n;
    arrive();
    sys_check_timeouts();
    (void)tern_advance(w.s, w.now);
    tern_hears();
    tern_works();
    lwip_works();
    while ((n = tern_output(w.s, 0, pkts, ARRAY_LEN(pkts), w.now)) != 0) {
        for (size_t i = 0; i < n; i++)
            lab_link_send(w.link, 0, &pkts[i], w.now);
        tern_output_done(w.s, pkts, n);
    }
}

static void run(uint64_t until)
{
    while (w.now < until && !(w.tern.over && w.lwip.over)) {
        turn();
        uint64_t next = w.now + sys_timeouts_sleeptime() * MS;
        next = min_u64(next, tern_next_timeout(w.s));
        next = min_u64(next, min_u64(lab_link_next(w.link, 0), lab_link_next(w.link, 1)));
        w.now = next > w.now ? next : w.now + 1000;
    }
}

/* ---- a world --------------------------------------------------------------------------------- */

static void *get(void *user, size_t size, size_t align)
{
    (void)user;
    return aligned_alloc(align < 16 ? 16 : align, (size + 63) & ~(size_t)63);
}

static void give_back(void *user, void *p, size_t size)
{
    (void)user, (void)size;
    free(p);
}

static void open_both(bool tern_opens, bool ip6, uint16_t port)
{
    ip_addr_t any = *(ip6 ? IP6_ADDR_ANY : IP4_ADDR_ANY), to;
    struct tcp_pcb *pcb = tcp_new_ip_type(ip6 ? IPADDR_TYPE_V6 : IPADDR_TYPE_V4);
    tern_addr here = {.port = port}, there = {.port = port};
    memcpy(here.ip, ip6 ? lab_client_ip6 : lab_client_ip4, 16);
    memcpy(there.ip, ip6 ? lab_server_ip6 : lab_server_ip4, 16);
    assert_non_null(pcb);
    assert_int_equal(tcp_bind(pcb, &any, port), ERR_OK);
    if (tern_opens) {
        w.accepting = tcp_listen(pcb);
        tcp_accept(w.accepting, lwip_open);
        assert_int_equal(tern_connect(w.s, &w.sock, &here, &there, &w), 0);
        return;
    }
    tern_listen_args args = {.local = here, .backlog = 4, .user = &w};
    assert_int_equal(tern_listen(w.s, &w.listener, &args), 0);
    w.pcb = pcb;
    tcp_err(pcb, lwip_failed);
    assert_int_equal(ipaddr_aton(ip6 ? "fd00::1" : "10.0.0.1", &to), 1);
    assert_int_equal(tcp_connect(pcb, &to, port, lwip_open), ERR_OK);
}

static void begin(struct lab_random *r)
{
    struct lab_impair way = {.delay = lab_random_below(r, 50) * MS,
                             .loss = 0.05 * (double)lab_random_below(r, 2),
                             .duplicate = 0.05 * (double)lab_random_below(r, 2),
                             .corrupt = 0.02 * (double)lab_random_below(r, 2),
                             .reorder = 0.05 * (double)lab_random_below(r, 2)};
    struct lab_config link = {.seed = w.seed, .dir = {way, way}, .tap = tap};
    struct follow_config conf = {.trust = RULE_ALL | RULE_WIRE, .finding = on_finding};
    tern_config c;
    tern_iface iface = {.mtu = 1500};
    tern_config_default(&c);
    memcpy(c.seed, &w.seed, sizeof w.seed);
    c.alloc = get;
    c.free = give_back;
    assert_int_equal(tern_new(&w.s, &c, w.now), 0);
    assert_int_equal(tern_iface_add(w.s, &iface), 0);
    assert_int_equal(tern_iface_addr(w.s, 0, lab_client_ip4, 96 + 24), 0);
    assert_int_equal(tern_iface_addr(w.s, 0, lab_client_ip6, 64), 0);
    w.link = lab_link_new(&link);
    w.follow = follow_new(&conf);
    assert_true(w.link != NULL && w.follow != NULL);
}

static void check(void)
{
    bool whole = w.tern.received == w.lwip.send && w.lwip.received == w.tern.send;
    bool over = (w.tern.over || permitted(&w.tern)) && (w.lwip.over || permitted(&w.lwip));
    bool well = w.broke ? (w.tern.err == 0 || w.tern.err == TERN_ERESET) &&
                              (w.lwip.err == ERR_OK || w.lwip.err == ERR_RST)
                        : whole && w.tern.err == 0 && w.lwip.err == ERR_OK;
    if (!over || !well)
        fail_msg("seed %llu, end %d: tern sent %llu of %llu, got %llu, over %d, err %d; lwIP sent "
                 "%llu of %llu, got %llu, over %d, err %d",
                 (unsigned long long)w.seed, w.end, (unsigned long long)w.tern.sent,
                 (unsigned long long)w.tern.send, (unsigned long long)w.tern.received, w.tern.over,
                 w.tern.err, (unsigned long long)w.lwip.sent, (unsigned long long)w.lwip.send,
                 (unsigned long long)w.lwip.received, w.lwip.over, w.lwip.err);
}

/* ---- all of them ----------------------------------------------------------------------------- */

static void world(uint64_t seed)
{
    struct lab_random r;
    lab_random_seed(&r, seed);
    w.seed = seed;
    w.end = (enum end)(seed % ENDS);
    w.tern = (struct side){.key = seed * 2, .send = lab_random_below(&r, 100000)};
    w.lwip = (struct side){.key = seed * 2 + 1, .send = lab_random_below(&r, 100000)};
    w.sock.id = w.listener.id = 0;
    w.pcb = w.accepting = NULL;
    w.broke = w.harmed = false;
    begin(&r);
    open_both(seed / ENDS & 1, seed / ENDS / 2 & 1, (uint16_t)(1000 + seed % 60000));
    run(w.now + PATIENCE_S * 1000 * MS);
    check();
    if (w.pcb != NULL) {
        tcp_err(w.pcb, NULL);
        tcp_abort(w.pcb);
    }
    uint64_t until = w.now + 200 * 1000 * MS; /* what is still under way, and lwIP's TIME-WAIT */
    w.tern.over = false;
    w.lwip.over = true;
    w.sock.id = 0;
    run(until);
    if (w.accepting != NULL)
        (void)tcp_close(w.accepting);
    lab_link_free(w.link);
    follow_free(w.follow);
    w.link = NULL;
    tern_free(w.s);
}

static void worlds(void **state)
{
    const char *many = getenv("TERN_LWIP");
    uint64_t n = many != NULL ? strtoull(many, NULL, 0) : WORLDS / unit_stride(10),
             first = unit_random() % 60000;
    ip4_addr_t ip, mask;
    (void)state;
    w.now = 1000 * MS;
    lwip_init();
    void *sym = dlsym(RTLD_DEFAULT, "tcp_output");
    memcpy(&w.output, &sym, sizeof sym);
    assert_non_null(sym);
    IP4_ADDR(&ip, 10, 0, 0, 2);
    IP4_ADDR(&mask, 255, 255, 255, 0);
    assert_non_null(netif_add(&w.netif, &ip, &mask, &ip, NULL, set_up, ip_input));
    ip_addr_t six;
    assert_int_equal(ipaddr_aton("fd00::2", &six), 1);
    netif_ip6_addr_set(&w.netif, 0, ip_2_ip6(&six));
    netif_ip6_addr_set_state(&w.netif, 0, IP6_ADDR_PREFERRED);
    netif_set_default(&w.netif);
    netif_set_link_up(&w.netif);
    netif_set_up(&w.netif);
    for (uint64_t i = 0; i < n; i++)
        world(first + i);
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        print_message("%llu times: %s\n", (unsigned long long)table[i].used, table[i].why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(worlds)};
    unit_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
int main(void)
{
    printf("1..0 # SKIP liblwip is missing (sudo scripts/deps test)\n"
           "ok 1 # SKIP liblwip is missing (sudo scripts/deps test)\n");
    return 0;
}
#endif
