/* What a path may do beyond chance for each packet: losses in bursts, policing, marking. */
#include <string.h>

#include "unit.h"

#include "flow.h"

/* As many as asked for, and in bursts as long as asked for. */
static void losses_in_bursts(void **state)
{
    (void)state;
    struct lab_config conf = {.seed = 3, .dir[0] = {.loss = 0.02, .burst = 5}};
    struct lab_link *l = link_of(&conf);
    flow_run(l, 0, MANY, SIZE, MS / 10);
    uint32_t lost = MANY - (uint32_t)arrived.count, bursts = 0;
    for (uint32_t i = 1; i < arrived.count; i++)
        bursts += arrived.number[i] != arrived.number[i - 1] + 1;
    assert_in_range(lost * 1000 / MANY, 15, 25);
    assert_in_range(lost * 10 / bursts, 40, 60);
    lab_link_free(l);
}

/* What exceeds the rate is dropped, but for the burst that is allowed; nothing is delayed. */
static void policed(void **state)
{
    (void)state;
    struct lab_config conf = {.dir[0] = {.police = 1000000, .police_burst = 5000}};
    struct lab_link *l = link_of(&conf);
    flow_run(l, 0, 10000, SIZE, MS / 10); /* 100 bytes each 0.1 ms: 8 Mbit/s for a second */
    assert_in_range(arrived.count, 1250 + 50 - 2, 1250 + 50 + 2);
    for (uint32_t i = 0; i < 50; i++)
        assert_int_equal(arrived.number[i], i + 1);
    for (uint32_t i = 0; i < arrived.count; i++)
        assert_int_equal(arrived.at[i], arrived.number[i] * (MS / 10));
    assert_int_equal(lab_link_counts(l, 0)->overflowed, 10000 - arrived.count);
    lab_link_free(l);
}

static uint32_t sum_of(const uint8_t *p)
{
    uint32_t sum = 0;
    for (unsigned i = 0; i < 20; i += 2)
        sum += (uint32_t)p[i] << 8 | p[i + 1];
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

/* Only what finds a queue, and only what is ECN-capable; the header's sum stays right. */
static void marked(void **state)
{
    (void)state;
    for (unsigned version = 4; version <= 6; version += 2) {
        for (unsigned ecn = 0; ecn < 4; ecn++) {
            struct lab_config conf = {.dir[0] = {.rate = 1000000, .mark = 3}};
            struct lab_link *l = lab_link_new(&conf);
            uint8_t bytes[60] = {version == 4 ? 0x45 : 0x60};
            bytes[version == 4 ? 1 : 0] |= version == 4 ? (uint8_t)ecn : 0;
            bytes[1] |= version == 6 ? (uint8_t)(ecn << 4) : 0;
            if (version == 4) {
                uint32_t sum = 0xffff - sum_of(bytes);
                bytes[10] = (uint8_t)(sum >> 8);
                bytes[11] = (uint8_t)sum;
            }
            tern_pkt pkt = {.iov_count = 1, .len = 60, .iov = {{bytes, 60}}}, got[8];
            for (unsigned i = 0; i < 6; i++) /* one leaves, three wait, two find them */
                lab_link_send(l, 0, &pkt, MS);
            assert_int_equal(lab_link_receive(l, 0, got, 8, 100 * MS), 6);
            for (unsigned i = 0; i < 6; i++) {
                const uint8_t *p = got[i].iov[0].base;
                unsigned is = version == 4 ? p[1] & 3 : p[1] >> 4 & 3;
                assert_int_equal(is, i >= 4 && ecn != 0 ? 3 : ecn);
                if (version == 4)
                    assert_int_equal(sum_of(p), 0xffff);
            }
            lab_link_received(l, 0, 100 * MS);
            assert_int_equal(lab_link_counts(l, 0)->marked, ecn != 0 ? 2 : 0);
            lab_link_free(l);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(losses_in_bursts),
        cmocka_unit_test(policed),
        cmocka_unit_test(marked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
