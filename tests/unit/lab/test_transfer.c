#include <stdlib.h>
#include "talk.h"
#include "test.h"
static void plain(void **state)
{
    (void)state;
    for (int ip6 = 0; ip6 < 2; ip6++) {
        struct talk_config conf = {.seed = 1, .up = 10000000, .down = 1000, .ip6 = ip6};
        print_message("took %llu ns\n", (unsigned long long)talk_all(&conf, 1000));
        conf.link.dir[0].delay = conf.link.dir[1].delay = 10000000;
        print_message("took %llu ns\n", (unsigned long long)talk_all(&conf, 1000));
        conf.link.dir[0].loss = conf.link.dir[1].loss = 0.01;
        print_message("took %llu ns\n", (unsigned long long)talk_all(&conf, 1000));
    }
}
int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(plain)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
