/* test_neigh.c - the neighbour cache: every state against every message (RFC 4861 7.2.5 and its
 * appendix C), its timers to the nanosecond, and its limits. */
#include "unit.h"

#include "ip/neigh.h"

#define SECOND 1000000000u

static struct unit_mem mem;
static const uint8_t mac_a[6] = {2, 0, 0, 0, 0, 1}, mac_b[6] = {2, 0, 0, 0, 0, 2};

static void address(uint8_t ip[16], uint32_t i)
{
    memset(ip, 0xfd, 12);
    store_be32(ip + 12, i);
}

static struct neigh_table start(uint32_t max)
{
    struct neigh_table t;
    static const struct siphash_key key = {1, 2};
    unit_mem_init(&mem);
    neigh_init(&t, &mem.mem, &key, max);
    assert_true(neigh_next(&t) == TERN_NEVER);
    assert_true(neigh_begin(&t));
    return t;
}

static void end(struct neigh_table *t)
{
    neigh_destroy(t);
    unit_mem_done(&mem);
}

static struct neigh *add(struct neigh_table *t, uint32_t i, uint64_t now)
{
    uint8_t ip[16];
    address(ip, i);
    return neigh_new(t, 1, ip, now);
}

/* An entry in that state, knowing mac_a unless it is INCOMPLETE, at time 100 s. */
static struct neigh *in_state(struct neigh_table *t, enum neigh_state state)
{
    const uint64_t now = 100ull * SECOND;
    struct neigh_news answer = {.mac = mac_a, .solicited = state == NEIGH_REACHABLE};
    enum neigh_ask ask;
    struct neigh *n = add(t, 7, now);
    if (state == NEIGH_INCOMPLETE)
        return n;
    neigh_advert(t, n, &answer, now);
    if (state == NEIGH_DELAY || state == NEIGH_PROBE)
        assert_true(neigh_use(t, n, now));
    if (state == NEIGH_PROBE)
        assert_ptr_equal(neigh_due(t, now + NEIGH_DELAY_NS, &ask), n);
    assert_int_equal(n->state, state);
    return n;
}

/* What an advertisement makes of an entry, as the RFC's table has it: the new state, and whether
 * the address is replaced. */
static enum neigh_state expected(enum neigh_state old, bool has_mac, bool other, bool solicited,
                                 bool override)
{
    if (old == NEIGH_INCOMPLETE)
        return !has_mac ? NEIGH_INCOMPLETE : solicited ? NEIGH_REACHABLE : NEIGH_STALE;
    other = other && has_mac;
    if (!override && other)
        return old == NEIGH_REACHABLE ? NEIGH_STALE : old;
    if (solicited)
        return NEIGH_REACHABLE;
    return other ? NEIGH_STALE : old;
}

/* */
static void every_state_and_advertisement(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 5 * 16; i++) {
        bool has_mac = i & 1, other = i & 2, solicited = i & 4, override = i & 8;
        enum neigh_state old = (enum neigh_state)(i / 16);
        struct neigh_table t = start(4);
        struct neigh *n = in_state(&t, old);
        struct neigh_news news = {.mac = has_mac ? (other ? mac_b : mac_a) : NULL,
                                  .solicited = solicited,
                                  .override = override};
        neigh_advert(&t, n, &news, 106ull * SECOND);
        assert_int_equal(n->state, expected(old, has_mac, other, solicited, override));
        bool replaced = has_mac && other && (override || old == NEIGH_INCOMPLETE);
        if (n->state != NEIGH_INCOMPLETE)
            assert_memory_equal(n->mac, replaced ? mac_b : mac_a, 6);
        neigh_forget(&t, n);
        end(&t);
    }
}

static void every_state_and_question(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 5 * 2; i++) {
        enum neigh_state old = (enum neigh_state)(i / 2);
        const uint8_t *mac = i & 1 ? mac_b : mac_a;
        struct neigh_table t = start(4);
        struct neigh *n = in_state(&t, old);
        neigh_asked(&t, n, mac);
        bool news = old == NEIGH_INCOMPLETE || mac == mac_b;
        assert_int_equal(n->state, news ? NEIGH_STALE : old);
        assert_memory_equal(n->mac, mac, 6);
        end(&t);
    }
}

static void three_questions_a_second_apart(void **state)
{
    (void)state;
    struct neigh_table t = start(4);
    enum neigh_ask ask;
    struct neigh *n = add(&t, 1, 0);
    assert_false(neigh_use(&t, n, 0));
    for (uint64_t i = 1; i <= 3; i++) {
        assert_int_equal(neigh_next(&t), i * SECOND);
        assert_null(neigh_due(&t, i * SECOND - 1, &ask));
        assert_ptr_equal(neigh_due(&t, i * SECOND, &ask), n);
        assert_int_equal(ask, i < 3 ? NEIGH_ASK_ALL : NEIGH_FAILED);
    }
    neigh_forget(&t, n);
    assert_true(neigh_next(&t) == TERN_NEVER);
    end(&t);
}

/* REACHABLE for 30 s, STALE until used, 5 s of hope, then three questions. */
static void unreachability_is_detected(void **state)
{
    (void)state;
    struct neigh_table t = start(4);
    enum neigh_ask ask;
    struct neigh *n = in_state(&t, NEIGH_REACHABLE);
    uint64_t now = 100ull * SECOND + NEIGH_REACHABLE_NS;
    assert_true(neigh_next(&t) == TERN_NEVER); /* lazily: nothing to do while nobody asks */
    assert_true(neigh_use(&t, n, now - 1));
    assert_int_equal(n->state, NEIGH_REACHABLE);
    assert_true(neigh_use(&t, n, now));
    assert_int_equal(n->state, NEIGH_DELAY);
    assert_int_equal(neigh_next(&t), now + NEIGH_DELAY_NS);
    assert_true(neigh_use(&t, n, now + SECOND)); /* which does not put it off */
    now += NEIGH_DELAY_NS;
    assert_null(neigh_due(&t, now - 1, &ask));
    for (unsigned i = 0; i < 4; i++, now += SECOND) {
        assert_ptr_equal(neigh_due(&t, now, &ask), n);
        assert_int_equal(ask, i < 3 ? NEIGH_ASK_IT : NEIGH_FAILED);
        assert_true(neigh_use(&t, n, now)); /* it is still used */
    }
    neigh_forget(&t, n);
    end(&t);
}

static void progress_confirms(void **state)
{
    (void)state;
    for (unsigned old = NEIGH_INCOMPLETE; old <= NEIGH_PROBE; old++) {
        struct neigh_table t = start(4);
        struct neigh *n = in_state(&t, (enum neigh_state)old);
        neigh_confirm(&t, n, 200ull * SECOND);
        if (old == NEIGH_INCOMPLETE) {
            assert_int_equal(n->state, NEIGH_INCOMPLETE); /* it has no address yet */
        } else {
            assert_int_equal(n->state, NEIGH_REACHABLE);
            assert_true(neigh_next(&t) == TERN_NEVER);
            assert_true(n->until == 200ull * SECOND + NEIGH_REACHABLE_NS);
        }
        end(&t);
    }
}

/* */
static void the_one_unused_for_longest_goes(void **state)
{
    (void)state;
    enum { MAX = 100 };
    struct neigh_table t = start(MAX);
    struct neigh_news news = {.mac = mac_a, .solicited = true};
    uint8_t ip[16];
    for (uint32_t i = 0; i < MAX; i++)
        neigh_advert(&t, add(&t, i, 0), &news, 0);
    address(ip, 0);
    assert_true(neigh_use(&t, neigh_find(&t, 1, ip), 1));
    for (uint32_t i = MAX; i < MAX + 10; i++)
        neigh_advert(&t, add(&t, i, 0), &news, 0);
    assert_int_equal(t.count, MAX);
    for (uint32_t i = 0; i < MAX + 10; i++) {
        address(ip, i);
        struct neigh *n = neigh_find(&t, 1, ip);
        assert_int_equal(n != NULL, i == 0 || i > 10);
        assert_null(neigh_find(&t, 2, ip)); /* the same address elsewhere is another neighbour */
    }
    while (neigh_of_iface(&t, 1) != NULL)
        neigh_forget(&t, neigh_of_iface(&t, 1));
    assert_int_equal(t.count, 0);
    assert_int_equal(t.used.head + t.used.tail, 0);
    end(&t);
}

/* Entries that packets wait for are not taken away from them. */
static void no_room_while_packets_wait(void **state)
{
    (void)state;
    struct neigh_table t = start(3);
    for (uint32_t i = 0; i < 3; i++)
        add(&t, i, 0)->waiting = 1;
    assert_null(add(&t, 3, 0));
    uint8_t ip[16];
    address(ip, 1);
    neigh_find(&t, 1, ip)->waiting = 0;
    assert_non_null(add(&t, 3, 0));
    assert_null(neigh_find(&t, 1, ip));
    end(&t);
}

/* Links on which is asked again sooner than on others: who comes first is first. */
static void every_link_in_its_own_time(void **state)
{
    (void)state;
    struct neigh_table t = start(8);
    uint8_t ip[16];
    enum neigh_ask ask;
    t.retrans_ns[1] = 4 * (uint64_t)SECOND;
    t.retrans_ns[2] = SECOND / 2;
    for (uint32_t i = 0; i < 6; i++) {
        address(ip, i);
        neigh_new(&t, (uint8_t)(1 + i % 2), ip, i);
    }
    for (uint64_t now = 0; now < 14 * (uint64_t)SECOND;) {
        uint64_t next = neigh_next(&t);
        assert_true(next > now);
        struct neigh *n = neigh_due(&t, now = next, &ask);
        assert_non_null(n);
        if (ask == NEIGH_FAILED)
            neigh_forget(&t, n);
        if (neigh_next(&t) == TERN_NEVER) {
            assert_in_range(now, 12 * (uint64_t)SECOND, 12 * (uint64_t)SECOND + 5);
            break;
        }
        if (now > 2 * (uint64_t)SECOND)
            assert_null(neigh_of_iface(&t, 2));
        assert_non_null(neigh_of_iface(&t, 1));
    }
    assert_int_equal(t.count, 0);
    end(&t);
}

/* Not all entries are looked at for one that can go. */
static void a_bounded_search_for_room(void **state)
{
    (void)state;
    enum { MAX = 20 };
    struct neigh_table t = start(MAX);
    uint8_t ip[16];
    for (uint32_t i = 0; i < MAX; i++)
        add(&t, i, 0)->waiting = i < MAX - 1;
    assert_null(add(&t, MAX, 0));
    address(ip, MAX - 1);
    assert_non_null(neigh_find(&t, 1, ip));
    end(&t);
}

static void without_memory_nothing_begins(void **state)
{
    (void)state;
    static const struct siphash_key key = {1, 2};
    for (uint32_t fail = 1; fail <= 2; fail++) {
        struct neigh_table t;
        unit_mem_init(&mem);
        neigh_init(&t, &mem.mem, &key, 4);
        mem.fail_at = fail;
        assert_false(neigh_begin(&t));
        mem.fail_at = 0;
        assert_true(neigh_begin(&t)); /* and it begins when there is some */
        assert_non_null(add(&t, 1, 0));
        end(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_and_advertisement),
        cmocka_unit_test(every_state_and_question),
        cmocka_unit_test(three_questions_a_second_apart),
        cmocka_unit_test(unreachability_is_detected),
        cmocka_unit_test(progress_confirms),
        cmocka_unit_test(the_one_unused_for_longest_goes),
        cmocka_unit_test(no_room_while_packets_wait),
        cmocka_unit_test(every_link_in_its_own_time),
        cmocka_unit_test(a_bounded_search_for_room),
        cmocka_unit_test(without_memory_nothing_begins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
