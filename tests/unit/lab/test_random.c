/* The laboratory's generator: its published outputs, uniformity, and seeds that are derived. */
#include "unit.h"

#include "flow.h"
#include "lab/random.h"

/* The authors' reference code from the state 1, 2, 3, 4. */
static void outputs_are_those_of_the_authors(void **state)
{
    (void)state;
    static const uint64_t want[] = {11520,
                                    0,
                                    1509978240,
                                    1215971899390074240,
                                    1216172134540287360,
                                    607988272756665600,
                                    UINT64_C(16172922978634559625),
                                    8476171486693032832,
                                    UINT64_C(10595114339597558777),
                                    2904607092377533576};
    struct lab_random r = {{1, 2, 3, 4}};
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        assert_true(lab_random_u64(&r) == want[i]);
}

/* splitmix64 from 1234567, by its authors' reference code. */
static void the_seed_is_spread_by_splitmix(void **state)
{
    (void)state;
    struct lab_random r;
    lab_random_seed(&r, 1234567);
    assert_true(r.s[0] == UINT64_C(6457827717110365317));
    assert_true(r.s[1] == UINT64_C(3203168211198807973));
    assert_true(r.s[2] == UINT64_C(9817491932198370423));
    assert_true(r.s[3] == UINT64_C(4593380528125082431));
}

static void below_is_uniform(void **state)
{
    (void)state;
    struct lab_random r;
    lab_random_seed(&r, 1);
    uint32_t hits[7] = {0};
    for (int i = 0; i < MANY; i++)
        hits[lab_random_below(&r, 7)]++;
    for (size_t i = 0; i < 7; i++)
        assert_likely(hits[i], MANY, 1.0 / 7);
    /* where the remainder of 2^64 matters: without rejection the lower half would be twice as
     * likely */
    uint32_t low = 0;
    uint64_t n = UINT64_C(3) << 62;
    for (int i = 0; i < MANY; i++)
        low += lab_random_below(&r, n) < n / 3;
    assert_likely(low, MANY, 1.0 / 3);
    assert_int_equal(lab_random_below(&r, 0), 0);
    assert_int_equal(lab_random_below(&r, 1), 0);
}

static void chance_has_its_probability(void **state)
{
    (void)state;
    struct lab_random r, before;
    lab_random_seed(&r, 2);
    static const double p[] = {0.0001, 0.25, 0.9};
    for (size_t i = 0; i < ARRAY_LEN(p); i++) {
        uint32_t hits = 0;
        for (int k = 0; k < MANY; k++)
            hits += lab_random_chance(&r, p[i]);
        assert_likely(hits, MANY, p[i]);
    }
    before = r; /* certainty draws nothing */
    assert_false(lab_random_chance(&r, 0));
    assert_false(lab_random_chance(&r, -1));
    assert_true(lab_random_chance(&r, 1));
    assert_true(lab_random_chance(&r, 7));
    assert_memory_equal(&r, &before, sizeof(r));
}

static void derived_seeds_differ(void **state)
{
    (void)state;
    enum { N = 64 };
    uint64_t seed[N * N];
    for (uint64_t a = 0; a < N; a++)
        for (uint64_t b = 0; b < N; b++)
            seed[a * N + b] = lab_random_derive(a, b);
    for (size_t i = 0; i < ARRAY_LEN(seed); i++)
        for (size_t k = 0; k < i; k++)
            assert_true(seed[i] != seed[k]);
}

int main(void)
{
    unit_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outputs_are_those_of_the_authors),
        cmocka_unit_test(the_seed_is_spread_by_splitmix),
        cmocka_unit_test(below_is_uniform),
        cmocka_unit_test(chance_has_its_probability),
        cmocka_unit_test(derived_seeds_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
