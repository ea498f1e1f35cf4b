/* algorithm.c - see algorithm.h. */
#include "cmd/algorithm.h"

#include <stddef.h>

const char *const algorithm_names[] = {"cubic", "reno", "bbr", "dctcp", NULL};

const tern_cc_ops *algorithm_of(unsigned choice)
{
    static const tern_cc_ops *const all[] = {&tern_cc_cubic, &tern_cc_reno, &tern_cc_bbr,
                                             &tern_cc_dctcp};
    return all[choice];
}
