/* run_caps.c - reads TERN_DISABLE. */
#include "host/run_caps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool run_caps_disabled(const char *name)
{
    const char *list = getenv("TERN_DISABLE");
    size_t len = strlen(name);

    while (list && *list) {
        size_t item = strcspn(list, ",");
        if (item == len && memcmp(list, name, len) == 0)
            return true;
        list += item;
        list += *list == ',';
    }
    return false;
}

static bool version(const char *text, int *major, int *minor)
{
    return sscanf(text, "%d.%d", major, minor) == 2;
}

bool run_caps_kernel_old(struct utsname *name)
{
    int have[2] = {0, 0}, need[2] = {0, 0};

    memset(name, 0, sizeof *name);
    if (uname(name) < 0 || !version(name->release, &have[0], &have[1]) ||
        !version(RUN_KERNEL, &need[0], &need[1]))
        return false;
    return have[0] < need[0] || (have[0] == need[0] && have[1] < need[1]);
}

struct run_caps run_caps_load(void)
{
    return (struct run_caps){
#define X(name, since, what) .name = !run_caps_disabled(#name),
        RUN_CAPS(X)
#undef X
    };
}
