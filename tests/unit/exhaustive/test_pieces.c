/* A stream of 12 bytes in pieces, in each of the 2,048 ways to cut it. A peer sends the pieces in
 * order, backwards, every other one first, each twice, each with its neighbours' bytes, and, up to
 * five of them, in every order there is; a program writes them one by one. What is read is the
 * stream, once, and then its end.
 *
 * valgrind: is too slow for 100,000 connections; AddressSanitizer has watched over them */
#include "unit.h"

#include "net.h"

enum { STREAM = 12, CUTS = 1 << (STREAM - 1), ORDERED_MAX = 5 };

/* Where the pieces begin; [n] is the end. */
struct pieces {
    uint32_t n, at[STREAM + 1];
};

static struct pieces cut(uint32_t cuts)
{
    struct pieces p = {.n = 1};
    for (uint32_t i = 1; i < STREAM; i++)
        if (cuts >> (i - 1) & 1)
            p.at[p.n++] = i;
    p.at[p.n] = STREAM;
    return p;
}

/* ---- from a peer ----------------------------------------------------------------------------- */

static struct net_config conf;
static uint8_t *opened; /* a snapshot */
static uint32_t connections;

/* Both stacks are in ESTABLISHED; what the client's has to say is not heard any more. */
static void open_once(void)
{
    memset(&conf, 0, sizeof(conf));
    net_config_default(&conf.tern);
    conf.tern.rcvbuf = conf.tern.rcvbuf_max = 65535; /* room for a page a piece */
    conf.tern.buf_bytes_max = 1 << 20;
    net_begin(&conf);
    net_flow();
    net_read(1);
    net.end[0].written = STREAM;
    net.end[0].shut = true;
    opened = malloc(net_size());
    assert_non_null(opened);
    net_save(opened);
}

/* Bytes `from` to `to` of the stream, and its end if that is where they end. */
static void segment(uint32_t from, uint32_t to)
{
    uint8_t bytes[STREAM];
    for (uint32_t i = from; i < to; i++)
        bytes[i - from] = net_byte(0, i);
    net_segment(from, bytes, to - from, to == STREAM);
}

/* The pieces in this order; each begins `before` bytes early and ends `after` bytes late. */
static void receive(const struct pieces *p, const uint32_t *order, uint32_t before, uint32_t after,
                    bool read_between)
{
    net_load(opened);
    connections++;
    for (uint32_t i = 0; i < p->n; i++) {
        uint32_t from = p->at[order[i]], to = p->at[order[i] + 1];
        segment(from - (before < from ? before : from), to + after < STREAM ? to + after : STREAM);
        if (read_between)
            net_read(1);
    }
    net_read(1);
    net_check();
    if (net.end[1].read != STREAM || !net.end[1].eof)
        net_wrong("%u bytes were read%s", net.end[1].read, net.end[1].eof ? " to the end" : "");
    if (net.why[0] == 0)
        return;
    net_tell();
    fail_msg("%u pieces, %u before, %u after, %s: %s", p->n, before, after,
             read_between ? "read at once" : "read late", net.why);
}

static void in_orders(const struct pieces *p)
{
    uint32_t forward[STREAM], backward[STREAM], odd[STREAM], n = 0;
    for (uint32_t i = 0; i < p->n; i++) {
        forward[i] = i;
        backward[i] = p->n - 1 - i;
    }
    for (uint32_t i = 1; i < p->n; i += 2)
        odd[n++] = i;
    for (uint32_t i = 0; i < p->n; i += 2)
        odd[n++] = i;
    for (uint32_t overlap = 0; overlap <= 3; overlap++) {
        for (int late = 0; late < 2; late++) {
            receive(p, forward, overlap, 0, late == 0);
            receive(p, forward, 0, overlap, late == 0);
            receive(p, backward, overlap, 0, late == 0);
            receive(p, backward, 0, overlap, late == 0);
            receive(p, odd, overlap, overlap, late == 0);
        }
    }
}

/* Every order of the numbers from `at` on. */
static void permute(const struct pieces *p, uint32_t *order, uint32_t at)
{
    if (at == p->n) {
        receive(p, order, 0, 0, true);
        return;
    }
    for (uint32_t i = at; i < p->n; i++) {
        uint32_t keep = order[at];
        order[at] = order[i];
        order[i] = keep;
        permute(p, order, at + 1);
        order[i] = order[at];
        order[at] = keep;
    }
}

static void from_a_peer(void **state)
{
    (void)state;
    open_once();
    connections = 0;
    for (uint32_t cuts = 0; cuts < CUTS; cuts += unit_stride(20)) {
        struct pieces p = cut(cuts);
        uint32_t order[STREAM];
        in_orders(&p);
        for (uint32_t i = 0; i < p.n; i++)
            order[i] = i;
        if (p.n <= ORDERED_MAX)
            permute(&p, order, 0);
    }
    free(opened);
    net_end();
    print_message("    %u connections\n", connections);
}

/* ---- from a program -------------------------------------------------------------------------- */

static void write_pieces(const struct pieces *p, bool nodelay, bool read_late)
{
    conf.nodelay = nodelay;
    net_begin(&conf);
    net_flow();
    for (uint32_t i = 0; i < p->n; i++) {
        net_write(0, p->at[i + 1] - p->at[i]);
        if (read_late)
            continue;
        net_flow();
        net_read(1);
    }
    net_finish();
    if (net.why[0] == 0 && net.end[1].read != STREAM)
        net_wrong("%u bytes were read", net.end[1].read);
    if (net.why[0] == 0)
        return;
    net_tell();
    fail_msg("%u writes%s%s: %s", p->n, nodelay ? ", no delay" : "", read_late ? ", read late" : "",
             net.why);
}

static void from_a_program(void **state)
{
    (void)state;
    memset(&conf, 0, sizeof(conf));
    net_config_default(&conf.tern);
    for (uint32_t cuts = 0; cuts < CUTS; cuts += unit_stride(20)) {
        struct pieces p = cut(cuts);
        for (uint32_t how = 0; how < 4; how++)
            write_pieces(&p, how & 1, how & 2);
    }
    net_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_a_peer),
        cmocka_unit_test(from_a_program),
    };
    unit_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
