/* test_pmtu.c - what is known of paths' MTUs: it shrinks, is forgotten after its time, and is that
 * of the last one of those that share a place. */
#include "unit.h"

#include "ip/pmtu.h"

static struct pmtu_table t = {.key = {1, 2}};

static void address(uint8_t ip[16], bool ip6, uint32_t n)
{
    static const uint8_t six[16] = {0x20, 1};
    memcpy(ip, six, 16);
    if (!ip6) {
        memset(ip, 0, 16);
        memset(ip + 10, 0xff, 2);
    }
    store_be32(ip + 12, 0x0a000000 + n);
}

static void it_shrinks_until_it_is_forgotten(void **state)
{
    (void)state;
    uint8_t ip[16];
    for (unsigned ip6 = 0; ip6 < 2; ip6++) {
        address(ip, ip6, 1);
        assert_int_equal(pmtu_get(&t, ip, 1500, 5), 1500);
        pmtu_set(&t, ip, 1400, 5);
        assert_int_equal(pmtu_get(&t, ip, 1500, 5), 1400);
        assert_int_equal(pmtu_get(&t, ip, 1300, 5), 1300);
        pmtu_set(&t, ip, 1450, 6); /* no larger one, but known from now on */
        assert_int_equal(pmtu_get(&t, ip, 1500, 6 + PMTU_TIME_NS - 1), 1400);
        assert_int_equal(pmtu_get(&t, ip, 1500, 6 + PMTU_TIME_NS), 1500);
        pmtu_set(&t, ip, 1450, 6 + PMTU_TIME_NS);
        assert_int_equal(pmtu_get(&t, ip, 1500, 6 + PMTU_TIME_NS), 1450);
        pmtu_set(&t, ip, 0, 7 + PMTU_TIME_NS);
        assert_int_equal(pmtu_get(&t, ip, 1500, 7 + PMTU_TIME_NS),
                         ip6 ? PMTU_IP6_MIN : PMTU_IP4_MIN);
    }
}

static void nobody_has_the_others(void **state)
{
    (void)state;
    enum { MANY = 4 * PMTU_ENTRIES };
    uint8_t ip[16];
    unsigned known = 0;
    memset(t.at, 0, sizeof(t.at));
    for (uint32_t n = 0; n < MANY; n++) {
        address(ip, true, n);
        pmtu_set(&t, ip, 1500 + n, 9); /* that of who was there before has no part in it */
        assert_int_equal(pmtu_get(&t, ip, 9000, 9), 1500 + n);
    }
    for (uint32_t n = 0; n < MANY; n++) {
        address(ip, true, n);
        uint32_t mtu = pmtu_get(&t, ip, 9000, 9);
        assert_true(mtu == 1500 + n || mtu == 9000);
        known += mtu != 9000;
    }
    assert_in_range(known, PMTU_ENTRIES / 2, PMTU_ENTRIES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_shrinks_until_it_is_forgotten),
        cmocka_unit_test(nobody_has_the_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
