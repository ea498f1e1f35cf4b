/* The time line of whole connections in a world with virtual time, as a person sees it: texts that
 * were looked at (golden/). Sends and losses here are few, so that they do not depend on how a
 * sender recovers. */
#include <stdlib.h>
#include <string.h>

#include "../test.h"
#include "golden.h"
#include "scene.h"

static void check(const char *name, const struct scene_config *conf, uint64_t ns)
{
    struct scene *x = calloc(1, sizeof(*x));
    scene_play(x, conf, ns);
    golden_check(name, x->out.text, x->out.len);
    scene_free(x);
}

/* ---- a page, in every form ------------------------------------------------------------------- */

static void test_page_wide(void **state)
{
    struct scene_config c = scene_page(110);
    (void)state;
    check("page-wide", &c, 200 * SECOND);
    c = scene_page(100);
    check("page-wide-100", &c, 200 * SECOND);
}

static void test_page_narrow(void **state)
{
    struct scene_config c = scene_page(99);
    (void)state;
    check("page-narrow-99", &c, 200 * SECOND);
    c = scene_page(40);
    check("page-narrow-40", &c, 200 * SECOND);
}

static void test_page_ascii(void **state)
{
    struct scene_config c = scene_page(110);
    (void)state;
    c.ascii = true;
    check("page-ascii", &c, 200 * SECOND);
}

static void test_page_colour(void **state)
{
    struct scene_config c = scene_page(110);
    (void)state;
    c.colour = true;
    check("page-colour", &c, 200 * SECOND);
    c.width = 80;
    check("page-colour-narrow", &c, 200 * SECOND);
}

static void test_page_ip6(void **state)
{
    struct scene_config c = scene_page(110);
    (void)state;
    c.ip6 = true;
    c.process = NULL;
    check("page-ip6", &c, 200 * SECOND);
}

/* Without records of the stacks: packets alone. */
static void test_page_packets_alone(void **state)
{
    struct scene_config c = scene_page(110);
    (void)state;
    c.no_records = true;
    check("page-packets-alone", &c, 200 * SECOND);
}

/* ---- opening --------------------------------------------------------------------------------- */

static void lose(struct scene_config *c, const struct lab_drop *drop)
{
    c->link.drops = drop;
    c->link.drop_count = 1;
}

static void test_lost_syn_ack(void **state)
{
    static const struct lab_drop drop = {LAB_SYNACK, 1, 1, -1};
    struct scene_config c = scene_page(110);
    (void)state;
    lose(&c, &drop);
    check("lost-syn-ack", &c, 10 * SECOND);
    c.width = 80;
    check("lost-syn-ack-narrow", &c, 10 * SECOND);
}

static void test_never_answered(void **state)
{
    static const struct lab_drop drop = {LAB_SYN, 1, 100, -1};
    struct scene_config c = scene_page(110);
    (void)state;
    lose(&c, &drop);
    check("never-answered", &c, 200 * SECOND);
}

static void test_refused(void **state)
{
    struct scene_config c = scene_page(110);
    (void)state;
    c.no_listener = true;
    check("refused", &c, 10 * SECOND);
}

static void connect_to(struct scene *x, struct actor *a, const uint8_t here[16],
                       const uint8_t there[16])
{
    tern_addr local = {.port = 5000}, peer = {.port = 5000};
    memcpy(local.ip, here, 16);
    memcpy(peer.ip, there, 16);
    a->scene = x;
    a->server = true; /* it says nothing by itself */
    assert_int_equal(tern_connect(a->s, &a->sock, &local, &peer, a), 0);
}

static void test_simultaneous_open(void **state)
{
    struct scene *x = calloc(1, sizeof(*x));
    struct scene_config c = scene_page(110);
    (void)state;
    c.no_listener = true;
    c.close = SERVER_STAYS;
    scene_begin(x, &c);
    x->client[0].s = x->pair.client;
    x->client[1].s = x->pair.server;
    x->clients = 2;
    connect_to(x, &x->client[0], lab_client_ip4, lab_server_ip4);
    connect_to(x, &x->client[1], lab_server_ip4, lab_client_ip4);
    scene_run(x, SECOND);
    scene_end(x);
    golden_check("simultaneous-open", x->out.text, x->out.len);
    scene_free(x);
}

/* ---- closing --------------------------------------------------------------------------------- */

static void test_server_closes(void **state)
{
    struct scene_config c = scene_page(110);
    (void)state;
    c.close = SERVER_CLOSES;
    check("server-closes", &c, 10 * SECOND);
}

static void test_closed_apart(void **state)
{
    struct scene_config c = scene_page(110);
    (void)state;
    c.close = SERVER_LATER;
    c.later = 3 * SECOND;
    check("closed-apart", &c, 10 * SECOND);
}

static void test_close_wait(void **state)
{
    struct scene_config c = scene_page(110);
    (void)state;
    c.close = SERVER_STAYS;
    check("close-wait", &c, 10 * SECOND);
}

static void test_reset_by_server(void **state)
{
    struct scene_config c = scene_page(110);
    (void)state;
    c.close = SERVER_RESETS;
    check("reset-by-server", &c, 10 * SECOND);
}

/* A connection of two programs that do nothing by themselves. */
static struct scene *open_quiet(int width)
{
    struct scene *x = calloc(1, sizeof(*x));
    struct scene_config c = scene_page(width);
    c.request = NULL;
    c.close = SERVER_STAYS;
    c.stays = true;
    scene_begin(x, &c);
    (void)scene_connect(x);
    scene_run(x, SECOND);
    assert_int_equal(x->servers, 1);
    return x;
}

static void end_quiet(struct scene *x, const char *name)
{
    scene_run(x, 10 * SECOND);
    scene_end(x);
    golden_check(name, x->out.text, x->out.len);
    scene_free(x);
}

static void test_reset_by_client(void **state)
{
    struct scene *x = open_quiet(110);
    (void)state;
    actor_abort(&x->client[0]);
    end_quiet(x, "reset-by-client");
}

static void test_simultaneous_close(void **state)
{
    struct scene *x = open_quiet(110);
    (void)state;
    actor_close(&x->client[0]);
    actor_close(&x->server[0]);
    end_quiet(x, "simultaneous-close");
    x = open_quiet(80);
    actor_close(&x->client[0]);
    actor_close(&x->server[0]);
    end_quiet(x, "simultaneous-close-narrow");
}

/* The client has said all it has to say and still listens. */
static void test_half_close(void **state)
{
    struct scene *x = open_quiet(110);
    (void)state;
    actor_send(&x->client[0], "a question\n");
    actor_shut(&x->client[0]);
    scene_run(x, SECOND);
    actor_send(&x->server[0], "220 an answer\r\n");
    scene_run(x, SECOND);
    actor_send(&x->server[0], "and more of it\r\n");
    scene_run(x, SECOND);
    actor_close(&x->server[0]);
    end_quiet(x, "half-close");
}

/* What a terminal must not be told. */
static void test_hostile_names(void **state)
{
    struct scene *x = calloc(1, sizeof(*x));
    struct scene_config c = scene_page(110);
    (void)state;
    c.process = "\033]0;owned\007sh\033[2J\u202e";
    c.request = "GET /\033[31m\x9b\x01m HTTP/1.1\r\n\r\n";
    c.response = "HTTP/1.1 200 \033[2J\033]52;c;AAAA\007\r\n\r\n";
    scene_play(x, &c, 10 * SECOND);
    for (size_t i = 0; i < x->out.len; i++)
        assert_true((uint8_t)x->out.text[i] >= 0x20 || x->out.text[i] == '\n');
    assert_null(strstr(x->out.text, "\u202e"));
    golden_check("hostile-names", x->out.text, x->out.len);
    scene_free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_page_wide),       cmocka_unit_test(test_page_narrow),
        cmocka_unit_test(test_page_ascii),      cmocka_unit_test(test_page_colour),
        cmocka_unit_test(test_page_ip6),        cmocka_unit_test(test_page_packets_alone),
        cmocka_unit_test(test_lost_syn_ack),    cmocka_unit_test(test_never_answered),
        cmocka_unit_test(test_refused),         cmocka_unit_test(test_simultaneous_open),
        cmocka_unit_test(test_server_closes),   cmocka_unit_test(test_closed_apart),
        cmocka_unit_test(test_close_wait),      cmocka_unit_test(test_reset_by_server),
        cmocka_unit_test(test_reset_by_client), cmocka_unit_test(test_simultaneous_close),
        cmocka_unit_test(test_half_close),      cmocka_unit_test(test_hostile_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
