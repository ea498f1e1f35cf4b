/* uname.h - which Linux a test that compares with the kernel has before it. */
#ifndef TERN_TESTS_UNIT_UNAME_H
#define TERN_TESTS_UNIT_UNAME_H

#include <stdbool.h>
#include <stdlib.h>
#include <sys/utsname.h>

/* Whether it is at least `oldest`: 6018 for 6.18. */
static inline bool kernel_is_recent(long oldest)
{
    struct utsname u;
    char *end;
    if (uname(&u) != 0)
        return false;
    long major = strtol(u.release, &end, 10);
    return major * 1000 + (*end == '.' ? strtol(end + 1, NULL, 10) : 0) >= oldest;
}

#endif
