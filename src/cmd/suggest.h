/* suggest.h - what a person meant who mistyped a name: the nearest of those offered. */
#ifndef TERN_CMD_SUGGEST_H
#define TERN_CMD_SUGGEST_H

#include <stddef.h>

#define SUGGEST_LEN_MAX 31 /* longer names are never suggested */

struct suggestion {
    const char *name; /* the best so far, or NULL when none is near */
    const char *typed;
    size_t typed_len;
    size_t distance; /* of `name`; what is offered must be nearer */
};

void suggest_start(struct suggestion *s, const char *typed, size_t len);
void suggest_offer(struct suggestion *s, const char *name);

#endif
