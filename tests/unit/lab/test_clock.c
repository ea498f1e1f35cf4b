/* Clocks that jump by more than a timer of 32 bits can tell apart: what is due is done at once. */
#include "lab/world.h"
#include <string.h>

#include "test.h"

#define HOUR (UINT64_C(3600) * 1000000000)

static struct lab_world *begin(struct lab_pair *p)
{
    struct lab_host_config host[2] = {{.name = "client"}, {.name = "server"}};
    tern_iface iface = {.mtu = 1500};
    struct lab_config link = {.dir = {{.loss = 1}, {.loss = 1}}};
    tern_config_default(&host[0].tern);
    tern_config_default(&host[1].tern);
    assert_int_equal(lab_pair_new(p, 1, &host[0], &host[1], &iface, &link), 0);
    return p->w;
}

static uint64_t sent(struct lab_world *w)
{
    return lab_link_counts(lab_world_get_link(w, 0), 0)->sent;
}

static void test_jump(void **state)
{
    (void)state;
    struct lab_pair p;
    for (uint64_t hours = 1; hours <= 48; hours++) {
        struct lab_world *w = begin(&p);
        tern_addr to = {.port = 80};
        tern_sock k;
        memcpy(to.ip, lab_server_ip4, 16);
        assert_int_equal(tern_connect(p.client, &k, NULL, &to, NULL), 0);
        (void)lab_world_run(w, LAB_PAIR_START + 1500000000, NULL, NULL);
        assert_int_equal(sent(w), 2); /* the SYN, and once more */
        uint64_t at = lab_world_now(w) + hours * HOUR;
        (void)lab_world_turn(w, at);
        assert_int_equal(sent(w), 3);
        uint64_t next = tern_next_timeout(p.client);
        assert_true(next > at && next < at + HOUR / 900);
        (void)lab_world_run(w, at + HOUR / 10, NULL, NULL);
        assert_int_equal(sent(w), 7); /* all tries, as if nothing had happened */
        tern_tcp_info info;
        assert_int_equal(tern_info(p.client, k, &info, sizeof(info)), 0);
        assert_int_equal(info.err, TERN_ETIMEDOUT);
        assert_int_equal(tern_close(p.client, k), 0);
        lab_world_free(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_jump)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
