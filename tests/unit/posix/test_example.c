/* examples/socket.c runs, and what it says is what it has done. */
int example_main(void);
#define main example_main
#include "../../../examples/socket.c"
#undef main

#include "test.h"

static void the_example_runs(void **state)
{
    (void)state;
    assert_int_equal(example_main(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_example_runs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
