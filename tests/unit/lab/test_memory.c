/* Stacks whose allocator fails: nothing crashes, nothing is wrong, nothing leaks; and when only one
 * allocation fails, what was begun still ends. */
#include "unit.h"

#include "talk.h"

#define MS UINT64_C(1000000)
#define S (1000 * MS)

static struct talk_config small_talk(void)
{
    struct lab_impair impair = {.delay = 2 * MS, .loss = 0.01, .reorder = 0.01};
    return (
        struct talk_config){.seed = 2, .up = 300000, .down = 100000, .link.dir = {impair, impair}};
}

/* How many allocations the conversation needs on that side. */
static uint64_t allocations(int side)
{
    struct talk_config conf = small_talk();
    struct talk t;
    assert_int_equal(talk_begin(&t, &conf), 0);
    assert_true(lab_world_run(t.pair.w, LAB_PAIR_START + 60 * S, talk_over, &t));
    talk_check(&t);
    uint64_t calls = lab_world_alloc(t.pair.w, side)->calls;
    talk_end(&t);
    return calls;
}

/* With allocations number [first, first + count) of that side failing. Returns whether all bytes
 * came. */
static bool talk_without(int side, uint64_t first, uint64_t count)
{
    struct talk_config conf = small_talk();
    conf.fail_first[side] = first;
    conf.fail_count[side] = count;
    struct talk t;
    int err = talk_begin(&t, &conf);
    if (err < 0) {
        assert_true(err == TERN_ENOMEM || err == TERN_ELIMIT);
        talk_end(&t);
        return false;
    }
    bool over = lab_world_run(t.pair.w, LAB_PAIR_START + 120 * S, talk_over, &t);
    for (int i = 0; i < 2; i++)
        assert_int_equal(t.side[i].wrong_at, 0);
    bool good = over && t.side[0].err == 0 && t.side[1].err == 0;
    if (count == 1 && !over) {
        print_message("allocation %llu of side %d:\n", (unsigned long long)first, side);
        talk_describe(&t);
        fail_msg("it neither went on nor ended");
    }
    talk_end(&t); /* asserts that both stacks have given back everything */
    return good;
}

static void any_one_allocation_fails(void **state)
{
    (void)state;
    for (int side = 0; side < 2; side++) {
        uint64_t calls = allocations(side), begun = 0;
        for (uint64_t k = 1; k <= calls; k++)
            begun += talk_without(side, k, 1);
        print_message("  %llu of %llu\n", (unsigned long long)begun, (unsigned long long)calls);
    }
}

static void every_allocation_from_one_on_fails(void **state)
{
    (void)state;
    for (int side = 0; side < 2; side++) {
        uint64_t calls = allocations(side);
        for (uint64_t k = 1; k <= calls; k++)
            (void)talk_without(side, k, UINT64_MAX);
    }
}

static void a_few_allocations_fail(void **state)
{
    (void)state;
    for (int side = 0; side < 2; side++) {
        uint64_t calls = allocations(side);
        for (uint64_t k = 1; k <= calls; k++)
            for (uint64_t count = 2; count <= 32; count *= 2)
                (void)talk_without(side, k, count);
    }
}

int main(void)
{
    unit_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_one_allocation_fails),
        cmocka_unit_test(every_allocation_from_one_on_fails),
        cmocka_unit_test(a_few_allocations_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
