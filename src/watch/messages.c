/* messages.c - see messages.h. */
#include "watch/messages.h"

#include <string.h>

#include "base/util.h"

static const char *const english[MSG_COUNT] = {
#define X(id, text) [MSG_##id] = text,
    WATCH_MESSAGES(X)
#undef X
};

const char *message_text(enum watch_message id) { return english[id]; }

char *message(char *out, size_t cap, enum watch_message id, struct message_args args)
{
    TERN_ASSERT(cap != 0);
    size_t at = 0;
    for (const char *p = english[id]; *p != '\0';) {
        const char *add = p;
        size_t len = 1;
        if (p[0] == '{' && p[1] >= '0' && p[1] <= '3' && p[2] == '}') {
            add = args.at[p[1] - '0'];
            TERN_ASSERT(add != NULL);
            len = strlen(add);
            p += 3;
        } else {
            p++;
        }
        len = min_size(len, cap - 1 - at);
        memcpy(out + at, add, len);
        at += len;
    }
    out[at] = '\0';
    return out;
}
