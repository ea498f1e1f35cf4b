/* Every loss, every pair and every three losses of packets of a scripted conversation, whichever
 * packets these are: SYN, SYN-ACK, ACK, data, FIN, and what is sent again because of the others.
 * All must arrive all the same, within the time that so many time-outs one after the other take.
 *
 * valgrind: is too slow for thousands of worlds; AddressSanitizer has watched over them */
#include "unit.h"

#include "net.h"

enum { WRITES = 3, WRITE = 60, PACKETS_MAX = 200 };

static struct net_config conf;

/* The conversation with these packets lost; how many there were. */
static uint32_t talk(const uint32_t lose[NET_LOSE])
{
    uint64_t least = 3000 * NET_MS, most = NET_START + least; /* RFC 6298 5.7, */
    memcpy(conf.lose, lose, sizeof(conf.lose));
    for (uint32_t i = 0; i < NET_LOSE && lose[i] != 0; i++)
        most += least << i; /* and 5.5 */
    net_begin(&conf);
    net_flow();
    while (!(net.end[0].opened && net.end[1].opened) && net_timer())
        net_flow();
    for (uint32_t i = 0; i < WRITES; i++) {
        net_write(0, WRITE);
        net_flow();
    }
    for (uint32_t i = 0; i < WRITES; i++) {
        net_write(1, WRITE);
        if (i == 1)
            net_flow();
    }
    net_finish();
    if (net.why[0] == 0 && (net.read_at == 0 || net.read_at > most))
        net_wrong("L1: it took until %llu ms",
                  (unsigned long long)((net.read_at - NET_START) / NET_MS));
    if (net.why[0] != 0) {
        net_tell();
        fail_msg("without packets %u, %u, %u, %u: %s", lose[0], lose[1], lose[2], lose[3], net.why);
    }
    return net.history;
}

static uint32_t worlds;

/* Loses each packet from number `from` on as the `n`th loss, and then others after it. */
static void lose_more(uint32_t lose[NET_LOSE], uint32_t n, uint32_t from, uint32_t count)
{
    worlds++;
    uint32_t packets = talk(lose);
    assert_true(packets < PACKETS_MAX);
    if (n == count)
        return;
    for (uint32_t i = from; i <= packets; i += n == 2 ? unit_stride(20) : 1) {
        lose[n] = i;
        lose_more(lose, n + 1, i + 1, count);
        lose[n] = 0;
    }
}

static void all_losses(const char *name, uint32_t features, bool together)
{
    uint32_t lose[NET_LOSE] = {0}, count = getenv("TERN_DROPS") != NULL ? NET_LOSE : 3;
    memset(&conf, 0, sizeof(conf));
    net_config_default(&conf.tern);
    conf.tern.features = features;
    conf.together = together;
    worlds = 0;
    lose_more(lose, 0, 1, count);
    net_end();
    print_message("    %s: %u worlds\n", name, worlds);
}

static void with_sack(void **state)
{
    (void)state;
    all_losses("SACK", TERN_FEATURE_SACK | TERN_FEATURE_WSCALE, false);
}

static void with_timestamps(void **state)
{
    (void)state;
    all_losses("SACK and timestamps", TERN_FEATURE_SACK | TERN_FEATURE_TIMESTAMPS, false);
}

static void with_nothing(void **state)
{
    (void)state;
    all_losses("no option", 0, false);
}

static void opened_by_both(void **state)
{
    (void)state;
    all_losses("both open", TERN_FEATURE_SACK, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_sack),
        cmocka_unit_test(with_timestamps),
        cmocka_unit_test(with_nothing),
        cmocka_unit_test(opened_by_both),
    };
    unit_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
