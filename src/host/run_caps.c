/* run_caps.c - reads TERN_DISABLE. */
#include "host/run_caps.h"

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

struct run_caps run_caps_load(void)
{
    return (struct run_caps){
#define X(name, since, what) .name = !run_caps_disabled(#name),
        RUN_CAPS(X)
#undef X
    };
}
